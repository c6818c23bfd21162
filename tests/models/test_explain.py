"""``tempo.explain``: right on known truths, undecided where it should be, the same whatever does not matter."""

from __future__ import annotations

import dataclasses
import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.errors import (
    DataError,
    FewEventsWarning,
    MemoryWarning,
    OptionError,
    SeasonWarning,
)
from tempo.models.explain import ExplainPrior, explain
from tempo.models.explain_grid import ACCOUNTS


def series(values, freq: str = "1D", name: str = "attack") -> pd.Series:
    index = pd.date_range("2015-01-05", periods=len(values), freq=freq)
    return pd.Series(values, index=index, name=name)


def hawkes(n: int, level, branching: float, memory: float, seed) -> np.ndarray:
    rng, level = np.random.default_rng(seed), np.broadcast_to(level, n)
    keep, state, y = 1 - 1 / memory, 0.0, np.zeros(n, dtype=np.int64)
    for t in range(n):
        y[t] = rng.poisson(level[t] + branching * state)
        state = keep * state + (1 - keep) * y[t]
    return y


def steps(seed: int = 1) -> np.ndarray:
    """Reference case: piecewise Poisson of .05, .5, .1 a day with changes at 500 and 800 of 1,500 days."""
    return np.random.default_rng(seed).poisson(np.repeat([0.05, 0.5, 0.1], [500, 300, 700]))


@pytest.fixture(scope="module")
def changed() -> tempo.Verdict:
    return explain(series(steps()), rng=1)


@pytest.fixture(scope="module")
def contagious() -> tempo.Verdict:
    return explain(series(hawkes(1500, 0.06, 0.7, 5.0, 2)), rng=1)


def test_reference_piecewise_poisson_is_a_change_without_contagion(changed) -> None:
    assert (changed.top, changed.decided) == ("changepoints", True)
    assert changed.branching_ratio < 0.03
    assert changed.contagion < 0.1
    assert changed.n_changes == pytest.approx(2, abs=0.7)
    table = changed.segments
    assert len(table) == 3
    starts = (table["start"].iloc[1:] - changed.counts.index[0]).dt.days.to_numpy()
    assert np.abs(starts - [500, 800]).max() <= 12
    truth = [0.05, 0.5, 0.1]
    assert (
        (table["baseline_per_day_low"] < truth) & (table["baseline_per_day_high"] > truth)
    ).all()
    assert changed.change_probability.iloc[480:520].sum() > 0.9
    assert changed.change_probability.sum() == pytest.approx(changed.n_changes, abs=0.25)
    assert changed.triggered_share < 0.03


def test_reference_stationary_hawkes_is_contagion_without_change(contagious) -> None:
    assert (contagious.top, contagious.decided) == ("hawkes", True)
    assert contagious.n_changes < 0.5
    assert contagious.branching_ratio == pytest.approx(0.7, abs=0.15)
    low, high = contagious.branching_ratio_interval(0.9)
    assert low < 0.7 < high
    low, high = contagious.triggered_share_interval(0.9)
    assert low < 1 - 0.06 * 1500 / contagious.counts.events < high
    assert len(contagious.segments) == 1
    assert contagious.segments.attrs["n_changes"] == 0


def test_reference_weekly_counts_of_a_hawkes_process_have_few_changes() -> None:
    daily = hawkes(1500 - 1500 % 7, 0.06, 0.7, 5.0, 2)
    weekly = explain(series(daily.reshape(-1, 7).sum(axis=1), "7D"), rng=1)
    assert weekly.n_changes < 2.0  # against nine by Poisson changepoints alone
    assert weekly.contagion > 0.75
    assert weekly.top == "hawkes"


def test_contagion_on_a_step_is_both() -> None:
    level = np.repeat([0.1, 0.4], 750) * 0.8
    verdict = explain(series(hawkes(1500, level, 0.5, 5.0, 4)), rng=1)
    assert (verdict.top, verdict.decided) == ("hawkes+steps", True)
    assert len(verdict.segments) == 2


def test_a_constant_rate_is_constant() -> None:
    verdict = explain(series(np.random.default_rng(3).poisson(0.2, 1500)), rng=1)
    assert (verdict.top, verdict.decided) == ("constant", True)
    assert verdict.n_changes < 0.2
    assert verdict.branching_ratio < 0.05


def test_probabilities_agree_with_each_other(changed) -> None:
    p = changed.probabilities
    assert list(p.index) == list(ACCOUNTS)
    assert p.sum() == pytest.approx(1)
    assert changed.contagion == pytest.approx(p["hawkes"] + p["hawkes+steps"])
    assert changed.changed == pytest.approx(p["changepoints"] + p["hawkes+steps"])
    assert changed.change_counts.sum() == pytest.approx(1)
    assert changed.change_counts.iloc[0] == pytest.approx(1 - changed.changed)
    table = changed.summary()
    assert (table["probability"] * table["branching_ratio"]).sum() == pytest.approx(
        changed.branching_ratio
    )
    assert (table["probability"] * table["n_changes"]).sum() == pytest.approx(changed.n_changes)
    for name in ACCOUNTS:  # the draws of each account have what its weights say
        draws = changed.account(name).posterior["posterior"]
        assert float(draws["n_changes"].mean()) == pytest.approx(
            table.loc[name, "n_changes"], abs=0.02
        )
        assert float(draws["branching_ratio"].mean()) == pytest.approx(
            table.loc[name, "branching_ratio"], abs=0.02
        )


def test_a_quiet_year_appended_as_missing_changes_nothing(changed) -> None:
    longer = series(np.append(steps().astype(float), np.full(365, np.nan)))
    other = explain(longer, rng=1)
    pd.testing.assert_series_equal(other.probabilities, changed.probabilities)
    assert other.branching_ratio == changed.branching_ratio
    pd.testing.assert_frame_equal(other.segments, changed.segments)
    pd.testing.assert_frame_equal(other.scores(), changed.scores())


def test_the_same_seed_gives_the_same_result(changed) -> None:
    again, other = explain(series(steps()), rng=1), explain(series(steps()), rng=2)
    assert again.triggered_share == changed.triggered_share
    assert again.sentence == changed.sentence
    pd.testing.assert_frame_equal(again.segments, changed.segments)
    pd.testing.assert_series_equal(other.probabilities, changed.probabilities)
    assert again.provenance == changed.provenance


def test_the_unit_of_counting_does_not_matter_where_nothing_is_random() -> None:
    """Half the exposure with the same counts is the same series at twice the rate."""
    y = steps()[400:900]
    window = tempo.Window("2015-01-05", pd.Timestamp("2015-01-05") + pd.Timedelta(len(y), "D"))
    whole = explain(series(y), rng=1)
    days = np.repeat(window.start + pd.to_timedelta(np.arange(len(y)), unit="D"), y)
    listed = tempo.Incidents(pd.DataFrame({"date_start": days, "date_end": days}), window)
    pd.testing.assert_series_equal(explain(listed, rng=1).probabilities, whole.probabilities)


@pytest.mark.parametrize("events", [0, 1, 2, 10])
def test_few_events_are_undecided_and_say_so(events) -> None:
    y = np.zeros(400, dtype=int)
    y[np.linspace(20, 380, events).astype(int)] = 1
    with pytest.warns(FewEventsWarning):
        verdict = explain(series(y), rng=1)
    assert verdict.probabilities.sum() == pytest.approx(1)
    assert not verdict.decided
    assert not verdict.sensitivity()["decided"].any()
    assert " nothing: it takes" in verdict.reason
    assert ("leans on the prior" in verdict.sentence) or events == 0
    assert np.isfinite(verdict.triggered_share)


def test_all_attacks_on_one_day() -> None:
    y = np.zeros(300, dtype=int)
    y[120] = 12
    with pytest.warns(FewEventsWarning):
        verdict = explain(series(y), rng=1)
    assert "leans on the prior" in verdict.sentence
    assert verdict.triggered_share < 0.2  # the same day excites nothing
    assert verdict.check()["passed"].dtype == bool


def test_one_bin_and_no_observed_bin() -> None:
    with pytest.warns(FewEventsWarning):
        one = explain(series([3]), rng=1)
    assert one.changed == 0
    assert len(one.segments) == 1
    with pytest.warns(FewEventsWarning):
        none = explain(series([np.nan, np.nan]), rng=1)
    assert none.probabilities["constant"] + none.probabilities["hawkes"] == pytest.approx(1)
    assert none.contagion == pytest.approx(0.5)


def test_hundreds_a_day_and_more_spread_than_poisson() -> None:
    rng = np.random.default_rng(9)
    mean = np.repeat([150.0, 450.0], 150)
    y = rng.poisson(rng.gamma(8.0, mean / 8.0))
    verdict = explain(series(y), rng=1)
    assert verdict.top == "changepoints"
    assert np.isfinite(verdict.log_evidence.max())
    start = verdict.segments["start"].iloc[1]
    assert abs((start - verdict.counts.index[150]).days) <= 5
    assert verdict.account("changepoints").posterior["posterior"]["dispersion"].mean() > 0.03


def test_spread_is_not_read_as_contagion() -> None:
    rng = np.random.default_rng(9)
    y = rng.poisson(rng.gamma(0.2, 0.3 / 0.2, 1200))
    with_spread = explain(series(y), rng=1)
    without = explain(series(y), observation="poisson", rng=1)
    assert with_spread.contagion < 0.3
    assert with_spread.top == "constant"
    assert without.top != "constant"


def test_exposure_of_part_days() -> None:
    """A week watched for half of each day, at the same rate of seen attacks, is a rate twice as high."""
    from tempo.data.counts import Counts

    rng = np.random.default_rng(5)
    exposure = np.repeat([1.0, 0.25], 300)
    y = rng.poisson(0.4 * exposure)
    index = pd.date_range("2020-01-01", periods=600, freq="1D", unit="us")
    aware = Counts.build(
        y, index, exposure, freq="1D", window=None, label="attacks", rule="as given"
    )
    assert explain(aware, rng=1).top == "constant"
    assert explain(pd.Series(y, index=index), rng=1).changed > 0.9


def test_forecasts_of_the_average_and_of_each_account(changed) -> None:
    outlook = tempo.forecast(changed, horizon="30D", draws=4000, rng=3)
    level = changed.segments["baseline_per_day"].iloc[-1]
    assert float(outlook.counts.mean()) == pytest.approx(level, rel=0.25)
    same = tempo.forecast(changed, horizon="30D", draws=4000, rng=3)
    assert (outlook.counts == same.counts).all()
    constant = tempo.forecast(changed.account("constant"), horizon="30D", draws=4000, rng=3)
    assert float(constant.counts.mean()) == pytest.approx(steps().mean(), rel=0.1)
    assert constant.name == "constant"


def test_forecast_of_contagion_follows_its_mean() -> None:
    """Analytic: the mean one day ahead is baseline + branching * state, in each draw."""
    y = hawkes(800, 0.1, 0.6, 5.0, 6)
    y[-3:] += 2
    account = explain(series(y), observation="poisson", rng=1).account("hawkes")
    held = account._draws
    baseline = (1 - held.branching) * account._weighing.grid.rates[held.levels[:, -1]]
    expected = float((baseline + held.branching * held.state).mean())
    paths = account.simulate(1, 60_000, np.random.default_rng(1))
    assert paths.mean() == pytest.approx(expected, rel=0.03)


def test_scores_prefer_the_truth_and_use_no_later_count(changed) -> None:
    scores = changed.scores(0.6)  # the busy stretch begins at the origin
    assert scores["log_score"].idxmax() != "constant"
    assert (scores["bins"] == 900).all()
    assert scores.loc["constant", "against_constant"] == 0


def test_scores_of_the_next_bin_sum_to_one() -> None:
    """Prequential: the probabilities of every value of the last bin, given the others, sum to one."""
    y = [0, 1, 0, 2, 1, 0, 0, 3, 1, 0, 2, 0]
    total = np.zeros(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEventsWarning)
        for last in range(40):
            verdict = explain(series([*y, last]), rng=1)
            total += np.exp(verdict.scores(1 / 13)["log_score"].to_numpy())
    np.testing.assert_allclose(total, 1.0, atol=2e-3)


def test_sensitivity_lists_other_priors() -> None:
    contagious = explain(series(hawkes(400, 0.06, 0.5, 5.0, 3)), rng=1)
    table = contagious.sensitivity()
    assert table.loc["as stated", "top"] == contagious.top
    np.testing.assert_allclose(
        table.loc["as stated", list(ACCOUNTS)].astype(float), contagious.probabilities, atol=1e-12
    )
    less, more = (
        table.loc[f"contagion {w} likely ({p} %)", "contagion"]
        for w, p in (("less", 30), ("more", 70))
    )
    assert less < contagious.contagion < more
    assert table.loc["changes rarer (each 1/4)", "changed"] < contagious.changed
    direct = explain(contagious.counts, prior=ExplainPrior(least_step=3.0), rng=1)
    found = table.loc["a change is material from x 3", list(ACCOUNTS)].astype(float)
    np.testing.assert_allclose(found, direct.probabilities, atol=1e-12)


def test_checks_pass_on_the_truth_and_fail_without_it(changed) -> None:
    assert changed.check()["passed"].all()


@pytest.mark.slow
def test_a_season_that_explains_the_verdict_is_warned_of() -> None:
    days = np.arange(5 * 365)
    rng = np.random.default_rng(4)
    y = series(rng.poisson(0.25 * np.exp(1.3 * np.sin(2 * np.pi * days / 365.25))))
    with pytest.warns(SeasonWarning, match="season='year'"):
        verdict = explain(y, rng=1)
    assert verdict.season_explains
    assert verdict.changed + verdict.contagion > 0.9
    assert any("time of the year" in note for note in verdict.provenance.notes)
    assert not verdict.decided
    assert verdict.reason.startswith("Not decided: a yearly season")
    assert "a yearly season" in verdict.sentence
    seasonal = explain(y, season="year", rng=1)
    assert seasonal.top == "constant"
    assert seasonal.seasonal is None
    pd.testing.assert_series_equal(verdict.seasonal, seasonal.probabilities)
    summer = tempo.forecast(seasonal, horizon="182D", draws=400, rng=1).counts.mean("draw")
    assert float(summer[60:120].mean()) > 3 * 0.25 * np.exp(-1.3)  # January on: the season goes on


def test_no_season_is_warned_of_where_there_is_none(changed, contagious) -> None:
    for verdict in (changed, contagious):
        assert verdict.seasonal is not None
        assert not verdict.season_explains
        assert "season" not in verdict.sentence + verdict.reason


def test_weekly_season() -> None:
    rng = np.random.default_rng(2)
    rate = np.tile([1.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 60)
    verdict = explain(series(rng.poisson(rate)), season="week", rng=1)
    assert verdict.top == "constant"
    assert any("day of the week" in note for note in verdict.provenance.notes)


def test_uncertain_dates_are_averaged_over() -> None:
    rng = np.random.default_rng(6)
    start = pd.Timestamp("2020-01-01")
    first = start + pd.to_timedelta(np.sort(rng.integers(0, 380, 40)), unit="D")
    span = np.where(np.arange(40) % 4 == 0, 6, 0)
    table = pd.DataFrame(
        {
            "date_start": first,
            "date_end": first + pd.to_timedelta(span, unit="D"),
            "date_precision": np.where(span > 0, "days", "day"),
        }
    )
    incidents = tempo.Incidents(table, (start, start + pd.Timedelta(400, "D")))
    verdict = explain(incidents, imputations=3, rng=1)
    assert verdict.log_evidence.sizes["imputation"] == 3
    assert any("averages over 3 series" in note for note in verdict.provenance.notes)
    assert verdict.probabilities.sum() == pytest.approx(1)
    single = [
        explain(one, rng=1).probabilities
        for one in verdict._weighing.series  # each of them alone
    ]
    assert verdict.probabilities.min() >= min(p.min() for p in single) - 0.05
    same = explain(incidents, imputations=3, rng=1)
    assert same.sentence == verdict.sentence


def test_words_name_no_cause_and_mix_no_likelihood_with_confidence(changed, contagious) -> None:
    with pytest.warns(FewEventsWarning):
        one = explain(series([0] * 50 + [1] + [0] * 50, name="heavy strikes"), rng=1)
    assert "1 heavy strike " in one.sentence
    assert "1 heavy strikes" not in one.sentence
    with pytest.warns(FewEventsWarning):
        none = explain(series([0] * 30, name="heavy strike"), rng=1)
    assert none.sentence == "There were no heavy strikes, so that nothing can be told from them."
    assert f"{contagious.counts.events} attacks" in contagious.sentence
    for verdict in (changed, contagious, one, none):
        text = f"{verdict.sentence} {verdict.reason}"
        assert not re.search(r"\b(because|caus(ed|es)|due to|leads? to|confiden)", text)
        assert not re.search(r"\b1 attacks", text)
        assert verdict.sentence in repr(verdict)
        assert verdict.reason in verdict.describe()


def test_unknown_options_are_refused(changed) -> None:
    y = series(steps())
    for options in ({"observation": "normal"}, {"season": "month"}, {"imputations": 0}):
        with pytest.raises(OptionError, match=re.escape(repr(next(iter(options.values()))))):
            explain(y, **options)
    for bad in ({"contagion": 0.0}, {"least_step": 1.0}, {"level_spread": -1.0}):
        with pytest.raises(OptionError, match=next(iter(bad))):
            ExplainPrior(**bad)
    for call in (
        lambda: changed.account("both"), lambda: changed.scores(0), lambda: changed.segment_table(2),
        lambda: changed.branching_ratio_interval(0),
    ):  # fmt: skip
        with pytest.raises(OptionError):
            call()
    with pytest.raises(DataError, match="two observed years"):
        explain(series([0, 1] * 100), season="year", rng=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.decided = False


def test_every_account_can_be_read_even_where_it_has_no_weight(changed) -> None:
    for name, prob in itertools.product(ACCOUNTS, (0.5, 0.9)):
        table = changed.account(name).segment_table(prob)
        assert (table["start_low"] <= table["start"]).all()
        assert (table["start"] <= table["start_high"]).all()
        assert table.attrs["account"] == name


def test_one_attack_is_said_in_the_singular() -> None:
    y = series(np.array([0, 0, 1, 0, 0, 0]))
    with pytest.warns(FewEventsWarning):
        verdict = explain(y, rng=1)
    assert verdict.reason.startswith("1 attack decides nothing")
    assert "is few" in verdict.sentence


def test_a_longer_memory_that_fits_better_takes_changes_back(changed) -> None:
    y = series(
        hawkes(1500, 0.04, 0.6, 45.0, [3, 4])
    )  # what is triggered comes six weeks later on average
    with pytest.warns(MemoryWarning, match="half_life_days=12"):
        verdict = explain(y, rng=1)
    assert verdict.probabilities["changepoints"] > 0.9
    assert verdict.memory_explains
    assert not verdict.decided
    assert verdict.reason.startswith("Not decided: with a longer memory")
    assert "longer memory" in verdict.sentence
    with warnings.catch_warnings():
        warnings.simplefilter("error", MemoryWarning)
        longer = explain(y, prior=ExplainPrior(half_life_days=12.0), rng=1)
    assert longer.contagion > 0.5
    assert not changed.memory_explains
