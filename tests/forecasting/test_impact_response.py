"""Dose and response, against statsmodels' own maximum likelihood, naive loops and known truths."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import tempo
from tempo.errors import DataError, FewEventsWarning, FitError, OptionError, WindowError
from tempo.forecasting.impact_operations import NO_ATTACKS
from tempo.forecasting.impact_response import _pressure
from tempo.forecasting.outlook import Outlook, paths_array

WEIGHTS = np.array([-0.25, -0.15, -0.05])


def made_up(n_weeks=160, seed=1, *, step=0.0, dispersion=0.08, weights=WEIGHTS, level=3.5):
    rng = np.random.default_rng(seed)
    days = pd.date_range("2017-01-02", periods=7 * (n_weeks + 2))
    daily = pd.Series(rng.poisson(0.12, len(days)), index=days)
    weekly = daily.to_numpy().reshape(-1, 7).sum(axis=1)
    starts = days[14::7]
    log_mean = np.full(n_weeks, level)
    for lag, weight in enumerate(weights):
        log_mean += weight * weekly[2 - lag : 2 - lag + n_weeks]
    log_mean += step * (np.arange(n_weeks) >= n_weeks // 2)
    mean = np.exp(log_mean)
    values = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, n_weeks))
    return pd.Series(values, index=starts), daily, starts[n_weeks // 2]


def test_pressure_is_counted_as_a_loop_counts_it() -> None:
    operations, daily, _ = made_up(30)
    operations = operations.iloc[5:]
    found, _ = _pressure(_counts(operations), _counts(daily), 3)
    for i, start in enumerate(operations.index):
        for lag in range(4):
            first = start - pd.Timedelta(days=7 * lag)
            inside = (daily.index >= first) & (daily.index < first + pd.Timedelta("7D"))
            assert found[i, lag] == daily[inside].sum()


def _counts(series):
    from tempo.data.counts import as_counts

    return as_counts(series)


def test_lags_before_the_attacks_are_missing_and_months_work() -> None:
    daily = _counts(pd.Series(1, index=pd.date_range("2019-01-01", "2019-12-31")))
    months = _counts(pd.Series(5, index=pd.date_range("2019-01-01", periods=12, freq="MS")))
    found, _ = _pressure(months, daily, 1)
    assert np.isnan(found[0, 1])
    assert found[2].tolist() == [31.0, 28.0]


def test_likelihood_and_coefficients_are_those_of_statsmodels() -> None:
    """The discrete model finds the dispersion itself, by another route."""
    import statsmodels.api as sm

    operations, daily, _ = made_up()
    fit = tempo.DoseResponse(lags=2, shape="free").fit(operations, daily, rng=1)
    design = np.column_stack([np.ones(len(operations)), fit.pressure])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = sm.NegativeBinomial(operations.to_numpy(), design).fit(disp=0, maxiter=500)
    assert fit.llf <= judge.llf + 1e-6
    assert fit.llf == pytest.approx(judge.llf, abs=0.15)  # the grid of dispersions is finite
    table = fit.summary()
    names = ["level", "lag_0", "lag_1", "lag_2"]
    assert table.loc[names, "mean"].to_numpy() == pytest.approx(judge.params[:4], abs=0.02)
    assert table.loc[names, "sd"].to_numpy() == pytest.approx(judge.bse[:4], rel=0.15)
    assert table.loc["dispersion", "mean"] == pytest.approx(judge.params[4], rel=0.25)


def test_cells_are_weighed_by_their_evidence() -> None:
    """The coefficients integrated out by importance sampling, on a short series where that matters."""
    operations, daily, _ = made_up(24, dispersion=0.3)
    with pytest.warns(FewEventsWarning):
        fit = tempo.DoseResponse(lags=2, shape="free").fit(operations, daily, rng=1)
    design = np.column_stack([np.ones(24), fit.pressure])
    found, judged = [], []
    for cell in fit.cells[25:50:6]:
        law = stats.multivariate_t(cell.mean, 1.2 * cell.covariance, df=7)
        drawn = law.rvs(15_000, random_state=1)
        mean = np.exp(drawn @ design.T)
        size = 1 / cell.dispersion
        each = stats.nbinom.logpmf(operations.to_numpy(), size, size / (size + mean)).sum(axis=1)
        judged.append(logsumexp(each - law.logpdf(drawn)) - np.log(15_000))
        found.append(cell.log_weight + 0.5 * cell.dispersion**2 - np.log(cell.dispersion))
    assert np.ptp(judged) > 2
    difference = np.array(found) - judged
    assert difference - difference[0] == pytest.approx(np.zeros(len(found)), abs=0.12)
    without = np.array([cell.llf for cell in fit.cells[25:50:6]]) - judged
    assert np.ptp(without) > 1


@pytest.mark.parametrize("shape", ["free", "polynomial", "decay"])
def test_every_shape_finds_what_was_put_in(shape) -> None:
    operations, daily, _ = made_up(400, seed=3)
    fit = tempo.DoseResponse(lags=4, shape=shape).fit(operations, daily, rng=1)
    row = fit.summary(0.95).loc["all_lags"]
    assert row["low"] < WEIGHTS.sum() < row["high"]
    assert row["high"] < -0.2
    lost = -np.expm1(np.append(WEIGHTS, [0, 0])).sum()
    assert np.quantile(fit.bins_lost, [0.025, 0.975])[0] < lost < np.quantile(fit.bins_lost, 0.975)
    assert fit.check()["passed"].all()


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(24):
        operations, daily, _ = made_up(120, seed=seed)
        fit = tempo.DoseResponse(lags=2).fit(operations, daily, rng=1)
        row = fit.summary(0.8).loc["all_lags"]
        inside += bool(row["low"] < WEIGHTS.sum() < row["high"])
    assert 13 <= inside <= 23  # 19 expected; 0.5 % tails of the binomial


def test_a_polynomial_of_full_degree_is_free() -> None:
    operations, daily, _ = made_up()
    free = tempo.DoseResponse(lags=2, shape="free").fit(operations, daily, rng=1)
    full = tempo.DoseResponse(lags=2, shape="polynomial", degree=2).fit(operations, daily, rng=1)
    assert full.llf == pytest.approx(free.llf, abs=1e-6)
    assert full.weights()["mean"].to_numpy() == pytest.approx(free.weights()["mean"], abs=0.01)


def test_a_step_of_policy_is_not_put_down_to_attacks() -> None:
    operations, daily, when = made_up(200, seed=5, step=-0.7)
    fit = tempo.DoseResponse(lags=2, steps=[when]).fit(operations, daily, rng=1)
    row = fit.summary().loc[f"step_{when:%Y-%m-%d}"]
    assert row["low"] < -0.7 < row["high"]
    with pytest.raises(FitError, match="told apart"):
        tempo.DoseResponse(steps=["2040-01-01"]).fit(operations, daily)


def test_season() -> None:
    operations, daily, _ = made_up(300, seed=6, weights=np.zeros(3))
    turn = 2 * np.pi * operations.index.day_of_year / 365.25
    rng = np.random.default_rng(1)
    wavy = pd.Series(rng.poisson(30 * np.exp(0.6 * np.sin(turn))), index=operations.index)
    fit = tempo.DoseResponse(lags=1, season=1).fit(wavy, daily, rng=1)
    size = np.hypot(*fit.summary().loc[["season_sin1", "season_cos1"], "mean"])
    assert size == pytest.approx(0.6, abs=0.05)


def test_weeks_that_were_half_observed_count_as_half() -> None:
    from tempo.data.counts import Counts

    operations, daily, _ = made_up(200, seed=8, weights=np.zeros(3), level=4.0)
    share = np.tile([0.5, 1.0], 100)
    values = np.random.default_rng(1).binomial(operations.to_numpy(), share)
    half = Counts.build(
        values.astype(float), operations.index, share, freq="7D", window=None, label="sorties", rule="", source="",
        cutoff=None, n_imputed=0,
    )  # fmt: skip
    row = tempo.DoseResponse(lags=1).fit(half, daily, rng=1).summary(0.98).loc["level"]
    assert row["low"] < 4.0 < row["high"] < 4.2


def _future(daily, counts):
    end = daily.index[-1] + pd.Timedelta("1D")
    starts = pd.date_range(end, periods=counts.shape[1], freq="1D", unit="us")
    return Outlook(
        counts=paths_array(counts, starts), name="made up", label="attacks", rule="made up", cutoff=end,
        bin_days=np.ones(counts.shape[1]), seed="0",
    )  # fmt: skip


def test_forecast_has_the_mean_that_the_coefficients_say() -> None:
    operations, daily, _ = made_up(300, seed=2)
    fit = tempo.DoseResponse(lags=2, shape="free").fit(operations, daily, rng=1)
    counts = np.zeros((20_000, 30), dtype=np.int64)  # two days beyond the fourth week are left out
    counts[:, 7], counts[:, 13] = 1, 2  # on the first and last day of the second week
    found = tempo.impact(_future(daily, counts), fit, rng=1)
    assert found.horizon_days == 28
    level, w = fit.chains["other"][:, 0], fit.chains["weights"]
    before = daily.to_numpy()[-14:].reshape(2, 7).sum(axis=1)  # the latest last
    weeks = [
        level + w[:, 1] * before[1] + w[:, 2] * before[0],
        level + 3 * w[:, 0] + w[:, 2] * before[1],
        level + 3 * w[:, 1],
        level + 3 * w[:, 2],
    ]
    wanted = [np.exp(log_mean).mean() for log_mean in weeks]
    assert found.operations["made up"].mean("draw").to_numpy() == pytest.approx(wanted, rel=0.02)
    table = found.table()
    assert table.loc[NO_ATTACKS, "factor"] == 1
    assert table.loc["made up", "factor"] < 0.9
    below = found.probability(below=float(table.loc[NO_ATTACKS, "low"]))
    assert below["made up"] > below[NO_ATTACKS]
    with pytest.raises(OptionError, match="no scenario"):
        found.totals("x")


def test_sentences_name_no_cause() -> None:
    operations, daily, _ = made_up(160)
    fit = tempo.DoseResponse(lags=2).fit(operations, daily, rng=1)
    found = tempo.impact(_future(daily, np.zeros((100, 28), dtype=np.int64)), fit, rng=1)
    for said in (fit.describe(), found.describe(), repr(fit), repr(found)):
        assert not {"because", "caused", "due", "effect", "led"} & set(said.lower().split())
    assert "does not show that attacks were the reason" in fit.describe()
    assert "fewer than in like weeks" in fit.describe()
    nothing, other, _ = made_up(160, seed=9, weights=np.zeros(3))
    vague = tempo.DoseResponse(lags=2).fit(nothing, other, rng=1)
    assert "do not show whether" in vague.describe()


def test_few_weeks_are_refused_or_warned_about() -> None:
    operations, daily, _ = made_up(40)
    with pytest.warns(FewEventsWarning, match="Only 40 bins"):
        fit = tempo.DoseResponse(lags=2, shape="decay").fit(operations, daily, rng=1)
    assert any("Only 40 bins" in note for note in fit.notes)
    with pytest.raises(FitError, match="at least 32"):
        tempo.DoseResponse(lags=6, shape="free").fit(operations.iloc[:24], daily)
    with pytest.raises(FitError, match="no dose"):
        tempo.DoseResponse(lags=1).fit(operations, 0 * daily)
    with pytest.raises(DataError, match="give them by day"):
        tempo.DoseResponse().fit(operations, operations)
    whole = tempo.DoseResponse(lags=1, shape="decay").fit(*made_up(80)[:2], rng=1)
    early = _future(daily.iloc[:-7], np.zeros((5, 28), dtype=np.int64))
    with pytest.raises(OptionError, match="Cut both"):
        tempo.impact(early, whole)
    wrong_ones: list[dict[str, object]] = [
        {"shape": "cubic"}, {"lags": -1}, {"season": 0.5}, {"lags": np.nan}, {"lags": np.inf}, {"lags": "4"},
        {"degree": None}, {"lags": True},
    ]  # fmt: skip
    for wrong in wrong_ones:
        with pytest.raises(OptionError):
            tempo.DoseResponse(**wrong)


def test_one_step_may_be_given_alone() -> None:
    day = pd.Timestamp("2018-06-01")
    for alone in ("2018-06-01", day, day.date()):
        assert tempo.DoseResponse(steps=alone) == tempo.DoseResponse(steps=[day])
    with pytest.raises(WindowError, match="a step is 5"):
        tempo.DoseResponse(steps=5)


def _scenarios(daily, bins=13, draws=4000):
    rng = np.random.default_rng(1)
    return {
        name: dataclasses.replace(
            _future(daily, rng.poisson(rate, (draws, 7 * bins))), name=name, label="heavy strike"
        )
        for name, rate in (("sporadic", 1 / 75), ("escalation", 0.25))
    }


def test_operations_lost_are_read_as_days_lost_are() -> None:
    operations, daily, _ = made_up(160)
    fit = tempo.DoseResponse(lags=2).fit(operations, daily, rng=1)
    found = tempo.impact(_scenarios(daily), fit, rng=1)
    assert found.scenarios == ("sporadic", "escalation")
    lost = found.bins_lost("escalation")
    totals, quiet = found.totals("escalation"), found.totals(NO_ATTACKS)
    assert lost == pytest.approx((quiet - totals) / quiet.mean() * 13)
    assert (found.lost("sporadic") >= 0).mean() > 0.95  # the same luck in both
    assert found.lost("sporadic").std() < (quiet - np.roll(totals, 1)).std() / 3
    row = found.table(0.8).loc["escalation"]
    assert row["lost_high"] == np.quantile(lost, 0.9, method="inverted_cdf")
    assert row["probability_over_share"] == pytest.approx((lost > 3.25).mean())
    assert found.probability(lost_bins=5)["escalation"] == pytest.approx((lost > 5).mean())
    assert found.probability(lost_bins=0)[NO_ATTACKS] == 0
    assert found.status == "estimate"
    labels = found.labels()
    assert set(labels["status"]) == {"estimate"}
    assert "operations under escalation" in labels.index
    assert all("no cause" in why for why in labels["why"])
    rate = found.absorbable()
    assert rate["low_gap_days"] == pytest.approx(1 / rate["high_per_day"])
    assert "come more often than one every" in found.describe()
    other = tempo.impact(_scenarios(daily), fit, share=0.5, rng=1)
    assert other.absorbable()["median_per_day"] > rate["median_per_day"]
    with pytest.raises(OptionError, match="no scenario"):
        found.bins_lost("x")
    for wrong in ({}, {"below": 1, "lost_bins": 1}):
        with pytest.raises(OptionError, match="give one of below"):
            found.probability(**wrong)
    for wrong in ({"below": "x"}, {"lost_bins": "x"}, {"below": np.nan}):
        with pytest.raises(OptionError, match="expected a number"):
            found.probability(**wrong)


def test_more_attacks_never_bring_more_operations_where_they_went_with_fewer() -> None:
    operations, daily, _ = made_up(160)
    fit = tempo.DoseResponse(lags=2, shape="free").fit(operations, daily, rng=1)
    chains = {**fit.chains, "weights": -np.abs(fit.chains["weights"])}
    found = tempo.impact(_scenarios(daily), dataclasses.replace(fit, chains=chains), rng=1)
    for name in found.scenarios:
        quiet = found.operations[NO_ATTACKS].to_numpy()
        assert (found.operations[name].to_numpy() <= quiet).all()


def test_at_the_absorbable_rate_the_share_is_lost_in_the_long_run() -> None:
    operations, daily, _ = made_up(160)
    fit = tempo.DoseResponse(lags=2).fit(operations, daily, rng=1)
    rates = fit.absorbable_per_day(0.25)
    row = int(np.argsort(rates)[len(rates) // 2])
    one = {name: np.repeat(values[row : row + 1], 2, axis=0) for name, values in fit.chains.items()}
    sure = dataclasses.replace(fit, chains=one)
    counts = np.random.default_rng(1).poisson(rates[row], (3000, 7 * 30))
    found = tempo.impact(_future(daily, counts), sure, rng=1)
    with_attacks, without = (
        found.operations[name].to_numpy()[:, 2:].mean() for name in ("made up", NO_ATTACKS)
    )
    assert 1 - with_attacks / without == pytest.approx(0.25, abs=0.01)


def test_no_tempo_is_named_where_none_goes_with_a_loss() -> None:
    operations, daily, _ = made_up(160, weights=np.zeros(3))
    fit = tempo.DoseResponse(lags=2).fit(operations, daily, rng=1)
    found = tempo.impact(_scenarios(daily), fit, rng=1)
    assert found.status == "assumption"
    assert set(found.labels()["status"]) == {"assumption"}
    rate = found.absorbable()
    assert np.isinf(rate["high_per_day"])
    assert rate["low_gap_days"] == 0
    assert "nan" not in found.describe()
    assert "inf" not in found.describe().replace("information", "")
    with pytest.warns(FewEventsWarning):
        short = tempo.DoseResponse(lags=1, shape="decay").fit(*made_up(40)[:2], rng=1)
    assert short.status == "assumption"


def test_the_shipped_totals_cannot_carry_a_fit_and_say_so() -> None:
    totals = tempo.OperationsTotals.load(
        "iraq-coalition", "cjtf_oir_strikes_derived", before="2020-03-12"
    )
    attacks = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    assert not totals.regular
    assert "no fit is offered" in repr(totals)
    with pytest.raises(DataError, match="longer than the response"):
        tempo.DoseResponse().fit(totals, attacks)
    beside = totals.beside(attacks)
    row = beside.loc["2020-01-01"]
    assert (row["days"], row["total"]) == (60, 28)
    dates = attacks.table["date_start"]
    assert row["attacks"] == ((dates >= "2020-01-01") & (dates < "2020-03-01")).sum()
    assert beside["attacks"].isna().sum() == 4 == (~beside["watched"]).sum()
    # As the codebook has it, per mean month of 30.44 days.
    assert row["per_month"] == pytest.approx(14.2, abs=0.05)
    with pytest.raises(DataError, match="there is no operations series 'strikes'"):
        tempo.OperationsTotals.load("iraq-coalition", "strikes")
    with pytest.raises(DataError, match="several units"):
        tempo.OperationsTotals.load("iraq-coalition", "cjtf_oir_strikes_month")
    with pytest.raises(DataError, match="overlap"):
        tempo.OperationsTotals.load("iraq-coalition", "cjtf_oir_strikes_cumulative")
    monthly = tempo.OperationsTotals.load(
        "iraq-coalition", "cjtf_oir_strikes_month", unit="strikes, Iraq"
    )
    assert monthly.regular
    assert "no fit is offered" in monthly.verdict()
