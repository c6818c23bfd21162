"""``Hawkes`` beyond the basics: baselines, kernels, inputs, marks, hurdles, history, several series."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import nbinom

import tempo
from tempo.data.incidents import Incidents
from tempo.errors import DataError, OptionError
from tempo.models.hawkes import Hawkes

RNG = np.random.default_rng


def days(n, start="2016-01-01"):
    return pd.date_range(start, periods=n, freq="1D")


def series(values, start="2016-01-01"):
    return pd.Series(np.asarray(values), index=days(len(values), start))


@pytest.fixture(scope="module")
def yearly():
    """Counts with a season, a step and contagion."""
    model = Hawkes(baseline="yearly", baseline_steps=("2017-03-01",), kernel="gamma")
    truth = {
        "baseline": 0.4,
        "season[sin1]": 0.5,
        "season[cos1]": -0.2,
        "season[sin2]": 0.0,
        "season[cos2]": 0.1,
        "step[2017-03-01]": 0.7,
        "branching_ratio": 0.4,
        "shape": 2.0,
        "mean_days": 5.0,
    }
    return model, truth, series(model.simulate(truth, n_bins=1000, rng=4, start="2016-01-01"))


# -- baselines ----------------------------------------


def test_baseline_is_recovered_and_read(yearly):
    model, truth, counts = yearly
    fit = model.fit(counts, method="mle")
    assert list(fit.params.index) == list(truth)
    away = (fit.params - pd.Series(truth)) / fit.bse
    assert (away.abs() < 3.5).all(), away
    assert "The baseline moves between" in fit.describe()
    assert fit.check()["passed"].all()
    table = fit.intensity()
    assert table["intensity"].sum() == pytest.approx(counts.sum(), rel=0.05)
    assert table["baseline"].max() > 2 * table["baseline"].min()
    before = Hawkes(kernel="gamma").fit(counts, method="mle")
    assert before.aic > fit.aic
    # A level that steps reads as contagion when the baseline may not step.
    assert before.params["branching_ratio"] > fit.params["branching_ratio"]


def test_without_excitation_it_is_the_regression_of_statsmodels():
    from statsmodels.discrete.discrete_model import NegativeBinomial

    index = days(700)
    rng = RNG(3)
    heat = rng.normal(size=700)
    exposure = np.where(np.arange(700) % 5 == 0, 0.5, 1.0)
    mean = exposure * np.exp(0.2 + 0.4 * heat)
    counts = pd.Series(rng.negative_binomial(2.0, 2.0 / (2.0 + mean)), index=index)
    fit = Hawkes(observation="negbin", baseline="1 + heat + weekday").fit(
        counts, method="mle", covariates=pd.DataFrame({"heat": heat}, index=index)
    )
    matrix = np.column_stack(
        [np.ones(700), heat] + [(index.day_of_week == d).astype(float) for d in range(1, 7)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = NegativeBinomial(counts.to_numpy(), matrix).fit(disp=0, maxiter=200)
    assert fit.engines[0].optimum.llf_without == pytest.approx(peer.llf, abs=1e-4)
    if fit.params["branching_ratio"] == 0:
        np.testing.assert_allclose(fit.params[["heat"]], peer.params[1:2], rtol=1e-3)
    assert fit.params["heat"] == pytest.approx(peer.params[1], abs=0.05)


def test_next_day_kernel_is_the_negbin_autoregression_of_hhh4():
    """Held & Paul's model: mean = exp(a + seasonal terms) + lambda * y_{t-1}, negative binomial."""
    model = Hawkes(kernel="histogram", lag_edges=(1, 2), baseline="yearly", observation="negbin")
    truth = [1.0, 0.6, -0.3, 0.1, 0.0, 0.4, 0.3]
    counts = series(model.simulate(truth, n_bins=900, rng=1, start="2016-01-01"))
    fit = model.fit(counts, method="mle")
    y = counts.to_numpy()
    phase = 2 * np.pi * (counts.index.day_of_year.to_numpy() - 0.5) / 365.25
    x = np.column_stack(
        [np.ones(900), np.sin(phase), np.cos(phase), np.sin(2 * phase), np.cos(2 * phase)]
    )
    past = np.append(0, y[:-1])

    def minus(p):
        mean = np.exp(x @ p[:5]) + math.exp(p[5]) * past
        size = math.exp(-p[6])
        return -nbinom.logpmf(y, size, size / (size + mean)).sum()

    found = minimize(minus, [0, 0, 0, 0, 0, -1, -1], method="BFGS")
    assert fit.llf == pytest.approx(-found.fun, abs=1e-4)
    np.testing.assert_allclose(fit.params.iloc[1:5], found.x[1:5], atol=2e-3)
    assert fit.params["branching_ratio"] == pytest.approx(math.exp(found.x[5]), abs=2e-3)
    assert fit.params["dispersion"] == pytest.approx(math.exp(found.x[6]), abs=2e-3)
    level = math.log(fit.params["baseline"]) - x[:, 1:].mean(axis=0) @ found.x[1:5]
    assert level == pytest.approx(found.x[0], abs=2e-3)
    # Forecast against the closed form: the mean obeys the recursion of the model.
    ahead = pd.date_range(counts.index[-1] + pd.Timedelta("1D"), periods=40, freq="1D")
    phase = 2 * np.pi * (ahead.day_of_year.to_numpy() - 0.5) / 365.25
    base = np.exp(
        np.column_stack(
            [np.ones(40), np.sin(phase), np.cos(phase), np.sin(2 * phase), np.cos(2 * phase)]
        )
        @ found.x[:5]
    )
    expected, last = [], float(y[-1])
    for level in base:
        last = level + math.exp(found.x[5]) * last
        expected.append(last)
    theta = np.tile(fit.engines[0].optimum.theta, (20_000, 1))
    paths = fit.engines[0].simulate(theta, 40, RNG(1), 1e5)
    error = paths.std(axis=0) / math.sqrt(20_000)
    assert (abs(paths.mean(axis=0) - expected) < 4.5 * error).all()


def test_covariates_must_cover_every_day_and_the_future():
    counts = series(RNG(1).poisson(0.7, 200))
    known = pd.DataFrame({"truce": (np.arange(260) > 120).astype(float)}, index=days(260))
    model = Hawkes(baseline="1 + truce")
    with pytest.raises(
        DataError, match=r"missing on 3 of 200 bins \(first: 2016-01-11, 2016-01-12"
    ):
        model.fit(counts, method="mle", covariates=known.drop(index=days(260)[10:13]))
    with pytest.raises(OptionError, match="truce"):
        model.fit(counts, method="mle")
    fit = model.fit(counts, method="mle", covariates=known)
    # What is known of the future changes no estimate.
    again = model.fit(counts, method="mle", covariates=known.iloc[:200])
    pd.testing.assert_series_equal(fit.params, again.params)
    with pytest.raises(OptionError, match="with_future"):
        tempo.forecast(fit, "30D", rng=1)
    with pytest.raises(DataError, match="missing on 10 of 70 bins"):
        tempo.forecast(fit.with_future(covariates=known), "70D", rng=1)
    outlook = tempo.forecast(fit.with_future(covariates=known), "60D", rng=1)
    assert outlook.totals().mean() == pytest.approx(60 * 0.7, rel=0.35)
    ended = known.assign(truce=0.0)
    other = tempo.forecast(fit.with_future(covariates=ended), "60D", rng=1).totals().mean()
    assert abs(math.log(other / outlook.totals().mean())) > 0.2 * abs(fit.params["truce"])


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("1 + nothing", "nothing"),
        ("0 + trend", "no intercept"),
        ("1 + trend + I(2 * trend)", "linear combinations"),
        ("1 +", "cannot be made"),
        ("", "expected 'constant'"),
    ],
)
def test_bad_formulas(baseline, message):
    with pytest.raises(OptionError, match=message):
        Hawkes(baseline=baseline).fit(series([0, 1] * 50), method="mle")


def test_bad_steps_and_splines():
    counts = series(RNG(1).poisson(0.7, 300))
    with pytest.raises(OptionError, match=r"step\[2019-01-01\].*on every fitted bin"):
        Hawkes(baseline_steps=("2019-01-01",)).fit(counts, method="mle")
    with pytest.raises(OptionError, match="list of dates"):
        Hawkes(baseline_steps="2016-05-01")
    fit = Hawkes(baseline="1 + bs(trend, df=4)").fit(counts, method="mle")
    assert fit.params.index.str.startswith("bs(").sum() == 4
    with pytest.raises(OptionError, match="extrapolation"):
        tempo.forecast(fit, "30D", rng=1)
    fit = Hawkes(baseline="1 + bs(trend, df=4, extrapolation='clip')").fit(counts, method="mle")
    assert tempo.forecast(fit, "30D", rng=1).totals().mean() < 100


def test_later_data_change_no_earlier_forecast(yearly):
    model, _, counts = yearly
    spoiled = counts.copy()
    spoiled.iloc[800:] = 50
    outlooks = [
        tempo.forecast(model.fit(c.iloc[:800], method="laplace", rng=1), "30D", rng=2).totals()
        for c in (counts, spoiled)
    ]
    np.testing.assert_array_equal(*outlooks)


# -- inputs, history, several series, delay ----------------------------------------


def test_inputs_excite_and_are_forecast_only_when_told():
    rng = RNG(2)
    strikes = series(rng.poisson(0.1, 900))
    model = Hawkes(input_kernel="own")
    truth = [0.2, 0.3, 1.5, 0.5, 0.15]
    counts = series(
        model.simulate(truth, n_bins=900, rng=4, start="2016-01-01", inputs={"strikes": strikes})
    )
    fit = model.fit(counts, method="mle", inputs={"strikes": strikes})
    assert list(fit.params.index) == [
        "baseline",
        "branching_ratio",
        "response[strikes]",
        "decay",
        "decay[strikes]",
    ]
    assert (abs(np.log(fit.params / truth)) < 3.5 * fit.bse / fit.params).all()
    assert any("only excite" in note for note in fit.provenance.notes)
    share = fit.sources()
    assert share["share"].sum() == pytest.approx(1)
    assert share.loc["inputs", "share"] > 0.2
    assert "followed strikes" in fit.describe()
    with pytest.raises(OptionError, match="with_future"):
        tempo.forecast(fit, "30D", rng=1)
    quiet = tempo.forecast(fit.with_future(), "30D", rng=1).totals().mean()
    more = series([3] * 10, start=str(counts.index[-1].date() + pd.Timedelta("1D")))
    busy = tempo.forecast(fit.with_future(inputs={"strikes": more}), "30D", rng=1).totals().mean()
    assert busy > quiet + 10
    with pytest.raises(OptionError, match="not in the model"):
        fit.with_future(inputs={"raids": more})
    with pytest.raises(DataError, match=r"unknown on 1 of 900 bins \(first: 2018"):
        model.fit(counts, method="mle", inputs={"strikes": strikes.iloc[:-1]})
    idle = {"never": series(np.zeros(900, int)), "idle": series(RNG(5).poisson(0.05, 900))}
    silent = Hawkes().fit(counts, method="mle", inputs=idle)
    assert math.isnan(silent.params["response[never]"])
    assert silent.params["response[idle]"] < 0.3
    assert silent.with_future().simulate(5, 100, RNG(1)).shape == (100, 5)


def test_history_takes_the_edge_away():
    whole = series(Hawkes().simulate([0.2, 0.7, 0.1], n_bins=600, rng=2))
    past, data = whole.iloc[:100], whole.iloc[100:]
    fit = Hawkes().fit(data, method="mle", history=past)
    bins = fit.intensity()["intensity"]
    joint = Hawkes().fit(whole, method="mle")
    # The same parameters give the same intensities, edge included.
    theta = np.log(joint.params.to_numpy())[None]
    base, triggered = fit.engines[0].means(theta)
    slow = joint.engines[0].means(np.append(joint.params, 0.0)[None])
    np.testing.assert_allclose((base + triggered)[0], (slow[0] + slow[1])[0, 100:], rtol=1e-9)
    assert len(bins) == 500
    # Overlap is cut; a gap is refused.
    pd.testing.assert_series_equal(
        Hawkes().fit(data, method="mle", history=whole).params, fit.params
    )
    with pytest.raises(DataError, match="must reach the first bin"):
        Hawkes().fit(data, method="mle", history=whole.iloc[:90])


def test_several_series_share_their_parameters():
    model = Hawkes(observation="negbin")
    truth = [0.3, 0.5, 0.3, 0.4]
    parts = [
        series(model.simulate(truth, n_bins=300, rng=i), f"20{10 + i}-01-01") for i in range(4)
    ]
    fit = model.fit(parts, method="mle")
    away = np.log(fit.params / truth) / (fit.bse / fit.params)
    assert (abs(away) < 3.5).all()
    assert fit.nobs == 1200
    each = [model.fit([part], method="mle").engines[0] for part in parts]
    at = fit.engines[0].optimum.theta[None]
    assert fit.llf == pytest.approx(sum(e.total_log_likelihood(at)[0] for e in each))
    third = fit.of(2)
    assert third.counts.index[0] == parts[2].index[0]
    assert len(third.intensity()) == 300
    assert third.simulate(5, 10, RNG(1)).shape == (10, 5)
    with pytest.raises(DataError, match="numbered from 0"):
        fit.of(4)
    bayes = model.fit(parts, method="laplace", rng=1)
    assert bayes.posterior["log_likelihood"]["counts"].sizes["time"] == 1200
    with pytest.raises(OptionError, match="one for each"):
        model.fit(parts, method="mle", history=[parts[0]])


def test_delay_and_weeks():
    model = Hawkes(delay_days=7)
    counts = series(model.simulate([0.3, 0.6, 0.4], n_bins=2500, rng=1))
    fit = model.fit(counts, method="mle")
    assert fit.kernel(10)["weight"].iloc[:7].sum() == 0
    assert fit.llf > Hawkes().fit(counts, method="mle").llf + 5
    weekly = counts.resample("7D").sum()
    trend = Hawkes(baseline="trend", kernel="histogram", lag_edges=(1, 2, 4)).fit(
        weekly, method="mle"
    )
    assert trend.intensity()["intensity"].mean() == pytest.approx(counts.mean(), rel=0.1)
    assert trend.simulate(4, 2_000, RNG(1)).mean() == pytest.approx(7 * counts.mean(), rel=0.5)


# -- marks ----------------------------------------


def marked_incidents(exponent, n=900, seed=1):
    """Simulate, from the definition, attacks whose deaths drive what they trigger."""
    rng = RNG(seed)
    deaths = rng.negative_binomial(0.4, 0.2, 5_000).astype(float)
    weights = (1 + deaths) ** exponent
    weights /= weights.mean()
    decay, branching = 0.4, 0.6
    state, rows, used = 0.0, [], 0
    for t in range(n):
        size = rng.poisson(0.25 + branching * state)
        mine = slice(used, used + size)
        rows += [(t, d) for d in deaths[mine]]
        state = math.exp(-decay) * state + (1 - math.exp(-decay)) * weights[mine].sum()
        used += size
    table = pd.DataFrame(rows, columns=["day", "killed"])
    table["date_start"] = pd.Timestamp("2016-01-01") + pd.to_timedelta(table.pop("day"), unit="D")
    return table, ("2016-01-01", str((pd.Timestamp("2016-01-01") + pd.Timedelta(days=n)).date()))


def test_marks_drive_productivity():
    table, window = marked_incidents(0.6)
    table.loc[::7, "killed"] = np.nan
    incidents = Incidents(table, window)
    fit = Hawkes(mark="killed").fit(incidents, method="mle")
    assert fit.params["mark_exponent"] == pytest.approx(0.6, abs=3.5 * fit.bse["mark_exponent"])
    assert fit.bse["mark_exponent"] < 0.4
    assert any("is known for" in note for note in fit.provenance.notes)
    plain = Hawkes().fit(incidents, method="mle")
    assert fit.llf > plain.llf + 2
    long_run = fit.params["baseline"] / (1 - fit.params["branching_ratio"])
    assert fit.simulate(80, 3_000, RNG(1))[:, 40:].mean() == pytest.approx(long_run, rel=0.25)
    # A history brings its marks along.
    late = incidents.between("2016-07-01", window[1])
    with_past = Hawkes(mark="killed").fit(late, method="mle", history=incidents)
    assert len(with_past.engines[0].realisations[0].mark_values) == int(
        table["killed"].notna().sum()
    )
    with pytest.raises(OptionError, match="no column 'wrecked'"):
        Hawkes(mark="wrecked").fit(incidents, method="mle")
    with pytest.raises(OptionError, match="counts have none"):
        Hawkes(mark="killed").fit(incidents.counts(), method="mle")
    with pytest.raises(OptionError, match="simulated from parameters"):
        Hawkes(mark="killed").simulate([0.2, 0.5, 0.3, 0.1], n_bins=10)


# -- methods ----------------------------------------


@pytest.mark.slow
def test_engines_agree_and_compare(yearly):
    import arviz as az

    model, _, counts = yearly
    hurdle = Hawkes(kernel="gamma", observation="hurdle", baseline="yearly")
    truth = {
        "baseline": 0.5,
        "season[sin1]": 0.5,
        "season[cos1]": 0.0,
        "season[sin2]": 0.0,
        "season[cos2]": 0.0,
        "branching_ratio": 0.35,
        "shape": 2.0,
        "mean_days": 2.0,
        "day_size": 1.6,
    }
    mine = series(hurdle.simulate(truth, n_bins=1000, rng=6, start="2016-01-01"))
    laplace = hurdle.fit(mine, method="laplace", rng=1)
    nuts = hurdle.fit(
        mine, method="nuts", rng=3, draws=4_000
    )  # short runs differ by as much from each other
    assert laplace.method == "laplace"
    assert (abs(laplace.params - nuts.params) < 0.25 * nuts.bse).all()
    gap = (laplace.conf_int() - nuts.conf_int()).div(nuts.bse, axis=0)
    # A corner of this posterior with a twentieth of its mass is hard for both: docs/hawkes.md says so.
    assert (gap.abs() < 0.75).all(axis=None), gap
    assert (gap.abs() < 0.25).to_numpy().mean() > 0.6
    assert laplace.log_evidence == pytest.approx(nuts.log_evidence, abs=0.3)
    assert nuts.posterior["posterior"]["season[sin1]"].dims == ("chain", "draw")
    pointwise = nuts.posterior["log_likelihood"]["counts"].to_numpy().reshape(-1, 1000)[:3]
    theta = nuts.chains.reshape(-1, nuts.chains.shape[-1])[:3]
    np.testing.assert_allclose(
        pointwise.sum(axis=1), nuts.engines[0].total_log_likelihood(theta), rtol=1e-9
    )
    constant = tempo.ConstantRate().fit(counts, rng=1)
    stepped = model.fit(counts, method="laplace", rng=1)
    shares = az.compare(
        {
            "stepped": stepped.posterior,
            "hawkes": Hawkes().fit(counts, method="laplace", rng=1).posterior,
            "constant": constant.posterior,
        }
    )
    assert shares.index[0] == "stepped"
    assert shares.index[-1] == "constant"
    for fit in (laplace, nuts):
        assert set(fit.summary().index) >= {"day_size", "half_life_days", "nine_tenths_days"}
        assert fit.conf_int()["low"].lt(fit.conf_int()["high"]).all()
        assert "Volatility" in fit.describe()
    np.testing.assert_array_equal(laplace.chains, hurdle.fit(mine, method="laplace", rng=1).chains)
    assert repr(nuts).startswith("HawkesFit(nuts, daily")


def test_time_is_in_days_where_the_model_needs_it():
    table = pd.DataFrame({"date_start": days(50) + pd.Timedelta("7h"), "date_precision": "time"})
    incidents = Incidents(table, ("2016-01-01", "2016-03-01"))
    fit = Hawkes(observation="negbin").fit(incidents, method="mle")
    assert fit.time == "daily"
    assert "observation='negbin'" in fit.time_reason
    assert Hawkes(kernel="power").fit(incidents, method="mle").time == "continuous"
    beside = Hawkes().fit(incidents, method="mle", history=series([0, 1], "2015-12-30"))
    assert "the history is given as counts" in beside.time_reason
    with pytest.raises(OptionError, match="time='daily'"):
        Hawkes(time="continuous").fit(incidents, method="mle", history=series([0, 1], "2015-12-30"))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "linear"},
        {"observation": "normal"},
        {"components": 4},
        {"lag_edges": (2, 4)},
        {"lag_edges": (1, 4, 4)},
        {"longest_lag_days": 0},
        {"delay_days": -1},
        {"input_kernel": "mine"},
    ],
)
def test_bad_options(options):
    with pytest.raises(OptionError):
        Hawkes(**options)


def test_prior_predictive_of_a_general_model():
    paths = Hawkes(kernel="power", baseline="yearly", observation="hurdle").prior_predictive(
        60, 300, rng=1
    )
    assert paths.shape == (300, 60)
    assert (paths.sum(axis=1) == 0).mean() > 0.05
    assert np.median(paths.mean(axis=1)) < 2
