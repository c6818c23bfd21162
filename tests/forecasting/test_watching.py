"""Numbers, silences and decisions to come: against loops that are written out, closed forms, and late records drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from tempo.data.counts import as_counts
from tempo.data.reporting import ReportingDelay
from tempo.errors import OptionError
from tempo.forecasting import deciding
from tempo.forecasting.late_reports import reported_by_age
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenario_paths import MarksSeen, scenario_paths
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.story_kernels import futures, silence
from tempo.forecasting.watch_kernels import (
    evidence_along,
    evidence_along_plain,
    late_silence,
    total_chances,
)
from tempo.forecasting.watching import silent
from tempo.forecasting.weighing import weigh
from tempo.models.hawkes_kernels_random import seeds

A = Scenario.every("2-3 weeks", name="A")
B = Scenario.every("1-2 weeks", name="B")
NONE, NO = np.empty((0, 0)), np.empty(0)


def daily(values):
    return as_counts(
        pd.Series(values, index=pd.date_range("2020-01-01", periods=len(values)), name="raids")
    )


@pytest.fixture(scope="module")
def quiet_end():
    """One attack every ten days, and none in the last twenty of 120 days."""
    values = np.zeros(120, dtype=int)
    values[5:100:10] = 1
    return daily(values)


@pytest.fixture(scope="module")
def late(quiet_end):
    return weigh(quiet_end, [A, B], rng=1, delay="2-6 weeks")


def known_of(paths, share, rng):
    """Attacks of each future and day by the age at which the record holds them."""
    known = np.zeros((*paths.shape, len(share)), dtype=np.int64)
    for f, t in zip(*np.nonzero(paths), strict=True):
        for _ in range(paths[f, t]):
            known[f, t, np.searchsorted(share, rng.random(), side="right") :] += 1
    return known


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("share", [[1.0], [0.0, 0.2, 0.5, 0.6, 1.0]])
def test_odds_along_futures_are_those_of_the_loop(full, share):
    rng = np.random.default_rng(3)
    share = np.array(share)
    paths = rng.poisson(0.4, size=(5, 30))
    known = known_of(paths, share, rng)
    rate, worth = rng.gamma(2, 0.2, size=(6, 30)), rng.dirichlet(np.ones(6))
    branching, decay = rng.uniform(0, 0.7, size=(6, 30)), rng.uniform(0.2, 1, 6)
    dispersion, state = rng.uniform(0.2, 1, 6), rng.uniform(0, 1, 6)
    checked = np.array([4, 17, 29])
    expected = np.zeros((5, 3))
    for f, c in itertools.product(range(5), range(3)):
        logs = np.zeros(6)
        for d in range(6):
            s = state[d]
            for t in range(checked[c] + 1):
                age = min(checked[c] - t, len(share) - 1)
                y, e = known[f, t, age], share[age]
                m = rate[d, t] + (branching[d, t] * s if full else 0)
                s = np.exp(-decay[d]) * s + (1 - np.exp(-decay[d])) * (y + (1 - e) * m)
                a = dispersion[d]
                law = stats.nbinom(1 / a, 1 / (1 + a * m * e)) if full else stats.poisson(m * e)
                logs[d] += law.logpmf(y) + special.gammaln(y + 1) - special.xlogy(y, e)
        expected[f, c] = special.logsumexp(logs, b=worth)
    out = np.empty((5, 3))
    given = (branching, decay, dispersion) if full else (NONE, NO, NO)
    evidence_along(known, share, rate, *given, state, worth, checked, out)
    np.testing.assert_allclose(out, expected, atol=1e-10)
    if not full:
        watch = deciding._Watch(checked, share)
        reports = deciding._Reports.of(paths, watch, rng)
        if len(share) > 1:  # the same reports, drawn above
            reports = from_known(known, checked)
        evidence_along_plain(
            np.searchsorted(reports.future, np.arange(6)), reports.check, reports.day, reports.number,
            np.log(rate).T.copy(), (rate @ watch.by_check(30)).T.copy(), np.log(worth), out,
        )  # fmt: skip
        np.testing.assert_allclose(out, expected, atol=3e-4)


def from_known(known, checked):
    rows = []
    for f, c, t in itertools.product(range(len(known)), range(len(checked)), range(known.shape[1])):
        by = [
            known[f, t, min(day - t, known.shape[2] - 1)] if day >= t else 0
            for day in (checked[c], checked[c - 1] if c else -1)
        ]
        if by[0] > by[1]:
            rows.append((f, c, t, by[0] - by[1]))
    return deciding._Reports(*np.array(rows).T, known=known)


def test_reports_come_in_as_the_delay_says():
    rng = np.random.default_rng(1)
    share = np.array([0.1, 0.4, 0.8, 1.0])
    watch = deciding._Watch(np.array([1, 3, 5]), share)
    reports = deciding._Reports.of(np.full((4000, 6), 2), watch, rng)
    np.testing.assert_allclose(reports.known.mean(axis=(0, 1)) / 2, share, atol=0.01)
    assert (reports.known[:, :, -1] == 2).all()
    mean = 2 * watch.by_check(6).sum(axis=0)
    np.testing.assert_allclose(reports.totals(3).mean(axis=0), mean, rtol=0.01)
    at_once = deciding._Reports.of(
        np.full((3, 6), 2), deciding._Watch(watch.checked, np.ones(1)), rng
    )
    assert at_once.totals(3).tolist() == [[4, 8, 12]] * 3


@pytest.mark.parametrize("share", [None, [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]])
def test_numbers_of_attacks_that_set_off_others_are_those_of_simulated_records(share):
    n, draws = 12, 300_000
    rng = np.random.default_rng(5)
    e = np.ones(n) if share is None else np.append(share, np.ones(n - len(share)))
    one = (np.full((1, n), 0.3), np.full((1, n), 0.6), np.array([0.5]))
    state = np.array([1.5])
    length = 80
    points = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    out = np.empty(len(points), dtype=complex)
    curve = np.zeros(1, dtype=np.int64)
    total_chances(*one, state, e[None, ::-1].copy(), curve, np.ones(1), points, out)
    chances = np.fft.irfft(out, length)
    paths = np.empty((draws, n), dtype=np.int64)
    wide = [np.repeat(part, draws, axis=0) for part in (*one, state)]
    futures(*wide[:3], NO, wide[3], seeds(rng, draws), 10**6, paths)
    found = rng.binomial(paths, e[::-1]).sum(axis=1)
    se = np.sqrt(chances[:30] / draws) + 1e-5
    assert (np.abs(np.bincount(found, minlength=30)[:30] / draws - chances[:30]) < 4.5 * se).all()
    assert chances.sum() == pytest.approx(1)
    quiet = np.empty((1, n))
    late_silence(*one, NO, state, e[None, :], curve, quiet)
    assert np.exp(quiet[0, -1]) == pytest.approx(chances[0], rel=1e-5)
    if share is None:
        at_once = np.empty((1, n))
        silence(*one, NO, state, at_once)
        np.testing.assert_allclose(quiet, at_once)


def test_chances_of_a_spiral_are_those_of_its_futures_and_its_thresholds_have_no_holes():
    values = np.zeros(200, dtype=int)
    values[[20, 60, 90, 130, 150, 171, 173, 180, 181, 190]] = 1
    past = daily(values)
    told = [
        Scenario.every("2-3 months", name="sporadic"),
        Scenario.escalation(past, (3, 300), name="big"),
        Scenario.retaliation_spiral(past, (0.6, 0.95)),
    ]
    weights = weigh(past, told, rng=1)
    chances = weights.chances("60D")["retaliation spiral"].to_numpy()
    days = pd.date_range("2020-07-19", periods=60)
    paths = scenario_paths(
        weights._accounts[2], days, 100_000, np.random.default_rng(2), seen=MarksSeen()
    )
    found = np.bincount(paths.counts.sum(axis=1), minlength=len(chances))[:41] / 100_000
    assert np.abs(np.cumsum(found) - np.cumsum(chances[:41])).max() < 0.006
    assert chances.sum() == pytest.approx(1, abs=0.002)
    # One peak, and falling from there on: nothing of it is the noise of a simulation.
    assert (np.diff(chances[np.argmax(chances) :]) <= 1e-7).all()
    table = weights.thresholds(0.75, ("30D", "60D", "90D"))
    assert (table["attacks"].str.count(",") <= 1).all()
    again = weigh(past, told, rng=2).thresholds(0.75, ("60D",))
    assert table.loc[60, "attacks"].to_list() == again.loc[60, "attacks"].to_list()


def test_day_effects_and_offspring_together():
    past = daily([1, 0, 0, 2, 0, 0, 0, 3, 0, 0] * 8)
    weights = weigh(past, [B, Scenario.retaliation_spiral(past)], overdispersion=(0.5, 2), rng=1)
    spiral = weights.chances("30D")["retaliation spiral"].to_numpy()
    totals = weights.outlooks("30D", draws=50_000, rng=3)["retaliation spiral"].totals()
    for least in (1, 5, 12, 25):
        assert spiral[:least].sum() == pytest.approx(np.mean(totals < least), abs=0.012)


# -- late reports ------------------------------------------------------------------------------------------------


def seen_by(days, delay="2-6 weeks"):
    low, high = (int(part) * 7 for part in delay.removesuffix(" weeks").split("-"))
    return reported_by_age(ReportingDelay.within(low, high), days)[0]


def test_chances_are_those_of_what_the_record_will_show(late, quiet_end):
    """What is not in the record by then is not seen, so that it is no silence either."""
    exposure = np.where((share := seen_by(120)) > 0.995, 1.0, share)[::-1].sum()
    for horizon in (30, 90):
        chances = late.chances(f"{horizon}D")
        for story in (A, B):
            shape, days = story.rate.shape + 10, story.rate.rate_days + exposure
            law = stats.nbinom(shape, days / (days + seen_by(horizon).sum()))
            np.testing.assert_allclose(chances[story.name], law.pmf(chances.index), atol=2e-3)
    table = late.indicators("30D")
    assert table["chance"].loc[0, "B"] == pytest.approx(0.50, abs=0.01)
    assert table["chance"].loc[5:, "B"].sum() < 0.002
    assert (
        table.attrs["counts"]
        == "attacks of the days of the horizon that are in the record by its end"
    )
    assert late.thresholds().attrs["counts"] == table.attrs["counts"]
    expected = table["probability"].mul(table[("chance", "any")], axis=0).sum()
    np.testing.assert_allclose(expected, late.probabilities, atol=0.003)
    at_once = weigh(quiet_end, [A, B], rng=1).indicators("30D")
    assert at_once.attrs["counts"] == "attacks of the days of the horizon"


@pytest.mark.parametrize("hang", [{}, {"overdispersion": (0.3, 1)}])
def test_a_silence_is_one_of_the_record(quiet_end, hang):
    spiral = Scenario.retaliation_spiral(quiet_end, onset="60D")
    weights = weigh(quiet_end, [A, B, spiral], rng=1, delay="2-6 weeks", **hang)
    for days, account in itertools.product((20, 60), weights._accounts):
        none = weights.chances(f"{days}D")[account.scenario.name].iloc[0]
        share = reported_by_age(weights._delay, days)
        found = silent(account, weights._future(f"{days}D"), np.random.default_rng(1), share)
        assert np.exp(found[-1]) == pytest.approx(none, abs=0.012)


def test_how_long_a_silence_and_how_likely(quiet_end):
    weights = weigh(quiet_end, [A, B], rng=1)
    table = weights.silence(0.9)
    days = int(table.loc["A", "days"])
    assert weights.quiet_days(0.9).equals(table["days"].rename("quiet_days"))
    assert np.isnan(table.loc["B", "days"])
    assert np.isnan(table.loc["B", "chance under A"])
    chance = {
        story.name: (1 + days / (story.rate.rate_days + 120)) ** -(story.rate.shape + 10)
        for story in (A, B)
    }
    row = table.loc["A"]
    for name, expected in chance.items():
        assert row[f"chance under {name}"] == pytest.approx(expected, rel=0.01)
    mixed = sum(chance[name] * weights.probabilities[name] for name in chance)
    assert row["chance under any"] == pytest.approx(mixed, rel=0.01)
    assert row["weeks"] == pytest.approx(days / 7)
    assert row["until"] == quiet_end.end + pd.Timedelta(days=days - 1)
    now = weights.silence(0.5).loc[weights.probabilities.idxmax()]
    assert (now["days"], now["chance under A"]) == (0, 1)
    with pytest.raises(OptionError, match="threshold"):
        weights.silence(90)


def test_late_reports_put_decisions_off_and_leave_them_right(late):
    table = late.time_to_decision(0.9, "120D", futures=2000, rng=3)
    at_once = deciding.decision_table(
        late._accounts, late.probabilities, late._future("120D"), np.random.default_rng(3),
        threshold=0.9, futures=500, prob=0.9,
    )  # fmt: skip
    assert table.loc["B", "median_days"] > at_once.loc["B", "median_days"] + 14
    share, rng = seen_by(120), np.random.default_rng(8)
    exposure = np.where(share > 0.995, 1.0, share).sum()
    posterior = [(s.rate.shape + 10, s.rate.rate_days + exposure) for s in (A, B)]
    checked = np.arange(1, 120, 2)
    seen = deciding._Watch(checked, deciding._whole(share[None, :])).by_check(120).sum(axis=0)
    for k, (shape, rate) in enumerate(posterior):
        paths = rng.poisson(rng.gamma(shape, 1 / rate, size=2000)[:, None], size=(2000, 120))
        known = deciding._Reports.of(
            paths, deciding._Watch(checked, deciding._whole(share[None, :])), rng
        )
        n = known.totals(len(checked))
        logs = [
            a * np.log(b) - special.gammaln(a) + special.gammaln(a + n) - (a + n) * np.log(b + seen)
            for a, b in posterior
        ]
        odds = special.softmax(
            np.stack(logs, axis=2) + np.log(late.probabilities.to_numpy()), axis=2
        )
        passed = odds >= 0.9
        decided = passed.any(axis=(1, 2))
        first = passed.any(axis=2).argmax(axis=1)
        right = decided & passed[np.arange(2000), first, k]
        assert table.iloc[k]["rightly"] == pytest.approx(right.mean(), abs=0.04)
        assert table.iloc[k]["undecided"] == pytest.approx(1 - decided.mean(), abs=0.04)


# -- coherence ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def changing():
    """Two stories of several phases each, after many attacks."""
    past = daily(np.random.default_rng(5).poisson(3.0, 120))
    surge = Scenario.surge_and_return(
        past, "x0.5 to x2", "2-10 weeks", onset=("2020-04-30", "2020-06-30"), name="surge"
    )
    phases = [
        Phase.of("x", "past"),
        Phase.of("up", "x0.5 to x2", onset=("2020-04-30", "2020-05-30"), duration="1-6 weeks", then="next"),
        Phase.of("z", "x0.3 to x3", onset="after", duration="1-6 weeks"),
    ]  # fmt: skip
    return weigh(past, [surge, Scenario.of_phases("three", phases, past)], rng=1)


@pytest.mark.parametrize("seed", [1, 2])
def test_decisions_are_as_often_right_as_the_odds_say(changing, seed):
    """With exact odds, at most a tenth of the decisions at nine to one is wrong."""
    table = changing.time_to_decision(0.9, "120D", futures=400, rng=seed)
    row = table.loc["any"]
    assert row["wrongly"] / (1 - row["undecided"]) < 0.1
    assert table.attrs["notes"] == ()


def test_odds_of_too_few_draws_are_named(changing, monkeypatch):
    monkeypatch.setattr(deciding, "_MOST_DRAWS", 24)
    monkeypatch.setattr(deciding, "_LEAST", 24)
    table = changing.time_to_decision(0.9, "120D", futures=300, rng=1)
    [note] = table.attrs["notes"]
    assert "exact odds allow 10 % at most" in note


def test_offspring_under_late_reports_leave_decisions_coherent():
    past = daily(np.random.default_rng(1).poisson(0.3, 300))
    told = [Scenario.every("2-4 days", name="A"), Scenario.retaliation_spiral(past, onset="120D")]
    weights = weigh(past, told, rng=1, delay="1-4 weeks")
    table = weights.time_to_decision(0.9, "90D", futures=300, rng=1)
    row = table.loc["any"]
    assert row["wrongly"] <= 0.1 * (1 - row["undecided"]) + 0.03
    assert table.attrs["checked_every_days"] == 5


def test_draws_are_spread_by_weight(late):
    account = late._accounts[0]
    rows, worth, state = account.spread(500, np.random.default_rng(1))
    assert state is None
    assert len(np.unique(rows)) == len(rows) <= 500
    assert worth.sum() == pytest.approx(1)
    rates = account.scenario.rate.quantile(account.levels[:, 0])
    assert worth @ rates[rows] == pytest.approx(account.weights @ rates, rel=0.01)
    every, exact, _ = account.spread(10**6, np.random.default_rng(1))
    np.testing.assert_allclose(exact, account.weights[every])
