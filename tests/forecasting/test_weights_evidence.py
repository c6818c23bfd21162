"""Evidence of whole stories, judged by a loop over draws and days that is written out, and by closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import Window
from tempo.errors import ScenarioError
from tempo.forecasting.day_effect import bunching, day_effect
from tempo.forecasting.evidence import account_of
from tempo.forecasting.free_rate import HAZARDS, MEANS, SHAPE, _filtered, free_evidence
from tempo.forecasting.judged import Record, record_of
from tempo.forecasting.odds_checks import check_table
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.stories import Story
from tempo.forecasting.weighing import weigh
from tempo.models.changepoints import Changepoints
from tempo.models.constant import ConstantRate

CELLS = 8
START = pd.Timestamp("2020-01-01")


@dataclasses.dataclass(frozen=True)
class Told:
    """A story with eight equally probable draws, whose numbers are written down."""

    name: str
    parts: dict
    kinds: tuple[str, ...] = ()
    since: pd.Timestamp | None = None
    learned_until: pd.Timestamp | None = None
    steady: None = None
    deaths: object = None
    continues_fit: bool = False

    def draw(self, draws, rng):
        return (np.arange(draws) % CELLS + 0.5)[:, None] / CELLS

    def story(self, levels, days):
        cell = (levels[:, 0] * CELLS).astype(int)
        place = np.asarray((days - START) / pd.Timedelta("1D"), dtype=int)
        parts = {}
        for key, value in self.parts.items():
            parts[key] = value[cell] if value.ndim == 1 else value[cell][:, place]
        return Story(**parts)


def told(name, rng, n, *, branching=False, dispersion=False, kinds=(), lethal=False):
    parts = {"rate": rng.gamma(2, 0.15, size=(CELLS, n))}
    if branching:
        parts["branching"] = rng.uniform(0, 0.8, size=(CELLS, n))
        parts["decay"] = rng.uniform(0.1, 1.5, size=CELLS)
    if dispersion:
        parts["dispersion"] = rng.uniform(0.2, 2, size=CELLS)
    if kinds:
        parts["shares"] = rng.dirichlet(np.ones(len(kinds)), size=(CELLS, n))
    if lethal:
        parts["lethal"] = rng.uniform(0.1, 0.9, size=(CELLS, n))
    return Told(name, parts, tuple(kinds))


def slow(story, values, exposure, first, by_kind=None, tolls=None):
    """Log-probability up to each judged day of each draw: everything written out, nothing recursive."""
    n = len(values)
    out = np.zeros((CELLS, n - first + 1))
    for d in range(CELLS):
        rate = story.parts["rate"][d]
        seen = values.astype(float).copy()
        for t in range(first, n):
            mean = rate[t]
            if "branching" in story.parts:
                decay = story.parts["decay"][d]
                h = lambda k: (1 - np.exp(-decay)) * np.exp(-decay * (k - 1))  # noqa: E731, B023
                mean += story.parts["branching"][d, t] * sum(h(t - s) * seen[s] for s in range(t))
            term = 0.0
            if exposure[t] > 0:
                m = exposure[t] * mean
                if "dispersion" in story.parts:
                    size = 1 / story.parts["dispersion"][d]
                    term = stats.nbinom.logpmf(values[t], size, size / (size + m))
                else:
                    term = stats.poisson.logpmf(values[t], m)
                if by_kind is not None and "shares" in story.parts:
                    for k, number in enumerate(by_kind[t]):
                        term += number * np.log(story.parts["shares"][d, t, k])
                if tolls is not None and "lethal" in story.parts:
                    p = story.parts["lethal"][d, t]
                    term += tolls[t][0] * np.log(p) + tolls[t][1] * np.log(1 - p)
            if exposure[t] < 1:
                seen[t] += (1 - exposure[t]) * mean
            out[d, t - first + 1] = out[d, t - first] + term
    return out


@pytest.mark.parametrize("branching", [False, True])
@pytest.mark.parametrize("dispersion", [False, True])
def test_evidence_is_that_of_the_written_out_loop(branching, dispersion):
    rng = np.random.default_rng(3)
    values = rng.poisson(0.6, size=40).astype(float)
    values[[22, 23, 30]] = np.nan
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=40)))
    exposure = np.where(np.isnan(values), 0.0, 1.0)
    stories = [
        told("full", rng, 40, branching=branching, dispersion=dispersion),
        told("plain", rng, 40),
    ]
    weights = weigh(past, stories, since=START + pd.Timedelta("12D"), rng=1)
    expected = [
        special.logsumexp(slow(s, np.nan_to_num(values), exposure, 12), axis=0) - np.log(CELLS)
        for s in stories
    ]
    for k, name in enumerate(("full", "plain")):
        assert weights.log_evidence[name] == pytest.approx(expected[k][-1], abs=1e-9)
    odds = special.softmax(np.column_stack(expected) + np.log(0.5), axis=1)
    np.testing.assert_allclose(weights.history(), odds, atol=1e-9)


def marked(rng, n=60, events=45, uncertain=0):
    day = np.sort(rng.integers(0, n, events))
    table = pd.DataFrame({"date_start": START + pd.to_timedelta(day, unit="D")})
    table["date_end"] = table["date_start"]
    table["date_precision"] = "day"
    for i in range(uncertain):
        table.loc[i * 3 + 20, "date_end"] = table.loc[i * 3 + 20, "date_start"] + pd.Timedelta("2D")
        table.loc[i * 3 + 20, "date_precision"] = "days"
    table["kind"] = rng.choice(["rocket", "mortar", None], size=events, p=[0.5, 0.4, 0.1])
    table["killed"] = rng.choice([0.0, 2.0, np.nan], size=events, p=[0.5, 0.3, 0.2])
    table["killed_low"], table["killed_high"] = table["killed"], table["killed"]
    table.loc[10, ["killed", "killed_low", "killed_high"]] = [1, 0, 1]  # disputed: unknown
    return Incidents(table, Window(START, START + pd.Timedelta(days=n)))


def by_day(past, n=60):
    table = past.table
    day = np.asarray((table["date_start"] - START) / pd.Timedelta("1D"), dtype=int)
    kinds, tolls, values = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros(n)
    for i, d in enumerate(day):
        values[d] += 1
        row = table.iloc[i]
        if row["kind"] in {"rocket", "mortar"}:
            kinds[d, ["rocket", "mortar"].index(row["kind"])] += 1
        if row["killed_low"] > 0:
            tolls[d, 0] += 1
        if row["killed_high"] == 0:
            tolls[d, 1] += 1
    return values, kinds, tolls


def test_kinds_and_deaths_judge_attack_by_attack_and_the_unknown_does_not():
    rng = np.random.default_rng(8)
    past = marked(rng)
    values, kinds, tolls = by_day(past)
    assert 0 < kinds.sum() < values.sum()
    assert 0 < tolls.sum() < values.sum()
    full = told("full", rng, 60, branching=True, kinds=("rocket", "mortar"), lethal=True)
    silent = told("silent", rng, 60)
    weights = weigh(past, [full, silent], since=START + pd.Timedelta("15D"), rng=1)
    run = slow(full, values, np.ones(60), 15, kinds, tolls)
    assert weights.log_evidence["full"] == pytest.approx(
        special.logsumexp(run[:, -1]) - np.log(CELLS), abs=1e-9
    )
    # The silent story expects what was seen before: each attack by the shares of all earlier ones.
    plain = slow(silent, values, np.ones(60), 15)[:, -1]
    urn = 0.0
    n_kinds, n_tolls = 1 + kinds[:15].sum(axis=0), 0.5 + tolls[:15].sum(axis=0)
    for t in range(15, 60):
        for row, urn_counts in ((kinds[t], n_kinds), (tolls[t], n_tolls)):
            for k in range(2):
                for _ in range(int(row[k])):
                    urn += np.log(urn_counts[k] / urn_counts.sum())
                    urn_counts[k] += 1
    assert weights.log_evidence["silent"] == pytest.approx(
        special.logsumexp(plain) - np.log(CELLS) + urn, abs=1e-9
    )
    assert any("of unknown kind" in note for note in weights.notes)
    assert any("anybody died is unknown" in note for note in weights.notes)


def test_kinds_and_deaths_move_with_the_drawn_dates():
    past = marked(np.random.default_rng(5), uncertain=6)
    record = record_of(
        past, ("rocket", "mortar"), tolls=True, imputations=9, rng=np.random.default_rng(2)
    )
    assert len(record.series) == 9
    for s, counts in enumerate(record.series):
        unknown = counts.to_numpy() - record.by_kind[s].sum(axis=1)
        assert (unknown >= 0).all()
        assert (record.deadly[s] + record.harmless[s] <= counts.to_numpy()).all()
    assert record.by_kind.std(axis=0).max() > 0  # they move
    same = past.imputed_counts("1D", 9, np.random.default_rng(2))
    for one, other in zip(record.series, same, strict=True):
        assert one.tolist() == other.tolist()


def test_kinds_that_nobody_named_are_refused_or_held_by_other():
    rng = np.random.default_rng(1)
    past = marked(rng)
    some = told("some", rng, 60, kinds=("rocket", "drone"))
    with pytest.raises(ScenarioError, match="'mortar'"):
        weigh(past, [some, told("plain", rng, 60)])
    with pytest.raises(ScenarioError, match="same kinds"):
        weigh(past, [some, told("others", rng, 60, kinds=("rocket", "mortar"))])
    with pytest.raises(ScenarioError, match="Pass the incidents"):
        weigh(past.counts("1D"), [some, told("plain", rng, 60)])
    held = told("held", rng, 60, kinds=("rocket", "other"))
    weights = weigh(past, [held, told("plain", rng, 60)], rng=1)
    assert weights._judged.by_kind[0].sum(axis=0).tolist() == [
        (past.table["kind"] == "mortar").sum(), (past.table["kind"] == "rocket").sum()
    ]  # fmt: skip


def test_history_of_a_full_story_is_what_weighing_each_earlier_past_gives():
    rng = np.random.default_rng(12)
    past = marked(rng)
    stories = [
        told("a", rng, 60, branching=True, dispersion=True, kinds=("rocket", "mortar"), lethal=True),
        told("b", rng, 60, branching=True),
    ]  # fmt: skip
    history = weigh(past, stories, since="2020-01-10", rng=1).history()
    for date in history.index[[1, 7, 30, -1]]:
        then = weigh(past.before(date), stories, since="2020-01-10", rng=1)
        np.testing.assert_allclose(history.loc[date], then.probabilities, atol=1e-10)


def test_a_day_that_is_left_out_does_not_judge_and_still_excites():
    rng = np.random.default_rng(4)
    values = rng.poisson(0.5, 30)
    values[20] = 3
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=30)))
    full, plain = told("full", rng, 30, branching=True), told("plain", rng, 30)
    weights = weigh(past, [full, plain], since="2020-01-06", rng=1)
    table = weights.without("2020-01-21")

    def left_out(story):
        run = slow(story, values, np.ones(30), 5)
        steps = np.diff(run, axis=1)
        steps[:, 20 - 5] = 0.0
        return special.logsumexp(steps.sum(axis=1)) - np.log(CELLS)

    odds = special.softmax([left_out(full), left_out(plain)])
    np.testing.assert_allclose(table.iloc[2], odds, atol=1e-9)
    np.testing.assert_allclose(table.iloc[1], weights.history().loc["2020-01-21"])
    np.testing.assert_allclose(table.iloc[3], weights.probabilities)
    assert "no fair evidence" in table.attrs["why"]
    quiet = as_counts(pd.Series(np.zeros(30, dtype=int), index=pd.date_range(START, periods=30)))
    with pytest.raises(ScenarioError, match="no attack"):
        weigh(quiet, [full, plain], rng=1).without()
    with pytest.raises(ScenarioError, match="not among the days"):
        weights.without("2020-01-02")


def test_no_day_judges_a_fit_that_has_seen_it():
    rng = np.random.default_rng(4)
    past = as_counts(pd.Series(rng.poisson(0.4, 100), index=pd.date_range(START, periods=100)))
    calm = Scenario.every("2-4 days", name="calm")
    jump = Scenario.escalation(past, onset="40D")
    now = Scenario.continuation(ConstantRate().fit(past, rng=1))
    assert not len(weigh(past, [calm, jump, now], rng=1).counts)
    then = Scenario.continuation(ConstantRate().fit(past.iloc[:80], rng=1))
    weights = weigh(past, [calm, jump, then], rng=1)
    assert weights.since == past.index[80]
    with pytest.raises(ScenarioError, match="has used the days before"):
        weigh(past, [calm, then], since="2020-02-01", rng=1)
    earlier = weigh(past, [calm, jump], since="2020-02-01", rng=1)
    assert earlier.scenarios[1] == jump.about(past, until="2020-02-01")
    assert weigh(past, [calm, jump], rng=1).since == jump.since


def test_a_scenario_that_the_data_rule_out_is_worth_nothing_and_still_answers():
    rng = np.random.default_rng(4)
    values = rng.poisson(0.4, 30)
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=30)))
    over = Told("over", {"rate": np.zeros((CELLS, 90))})
    open_ = told("open", rng, 90)
    weights = weigh(past, [over, open_], rng=1)
    assert weights.probabilities["over"] == 0
    assert weights.history().iloc[-1]["over"] == 0
    assert weights.bayes_factor.loc["open", "over"] == np.inf
    assert weights.bayes_factor.loc["over", "over"] == 1
    assert "more than 1,000,000 times" in weights.words()
    assert weights.outlooks("30D", draws=100)["over"].totals().sum() == 0
    assert weights.outlook("30D", draws=100).totals().sum() > 0
    assert weights.indicators("30D")["probability"]["over"].max() == 0
    assert weights.sensitivity(since=[], overdispersion=[]).notna().all().all()
    with pytest.raises(ScenarioError, match="impossible under each"):
        weigh(past, [over, Told("never", {"rate": np.zeros((CELLS, 90))})], rng=1)


# -- much data ---------------------------------------------------------------------------------------------------


def test_much_data_are_weighed_as_exactly_as_few():
    """A jump of unknown size on a known day, 300 days, 900 attacks: quadrature against draws moved to the data."""
    rng = np.random.default_rng(6)
    values = rng.poisson(np.r_[np.full(150, 2.0), np.full(150, 5.0)])
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=300)))
    jump = Scenario.escalation(past.iloc[:200], (1.5, 8), onset="2020-05-30", name="jump")
    steady = Scenario.every((0.001, 1000.0), name="steady")
    weights = weigh(past, [jump, steady], rng=2)
    account = weights._accounts[0]
    assert account.effective_draws > 500
    y = values[150:]
    z = np.linspace(-6, 6, 20_001)
    w = np.exp(-0.5 * z**2) * (z[1] - z[0])
    sd = (np.log(8) - np.log(1.5)) / (2 * stats.norm.ppf(0.95))
    factor = np.exp((np.log(8) + np.log(1.5)) / 2 + sd * z)
    a, b = jump.rate.shape, jump.rate.rate_days
    logs = (
        np.log(w) - 0.5 * np.log(2 * np.pi) + y.sum() * np.log(factor)
        - special.gammaln(y + 1).sum() + a * np.log(b) - special.gammaln(a)
        + special.gammaln(a + y.sum()) - (a + y.sum()) * np.log(b + len(y) * factor)
    )  # fmt: skip
    assert weights.log_evidence["jump"] == pytest.approx(special.logsumexp(logs), abs=0.05)
    # The steady rate is drawn from its posterior, which is a Gamma distribution.
    law = stats.gamma(steady.rate.shape + y.sum(), scale=1 / (steady.rate.rate_days + len(y)))
    assert weights._accounts[1].effective_draws == pytest.approx(8192)
    found = steady.rate.quantile(weights._accounts[1].levels[:, 0])
    assert stats.kstest(found, law.cdf).statistic < 0.01


def test_draws_do_not_decide_where_hardly_one_agrees():
    rng = np.random.default_rng(1)
    past = as_counts(pd.Series(rng.poisson(9, 200), index=pd.date_range(START, periods=200)))
    one, two = (
        weigh(past, [Scenario.escalation(past, (2, 5), onset="90D"), Scenario.every("8-10 a day", name="s")], rng=seed)
        for seed in (1, 2)
    )  # fmt: skip
    np.testing.assert_allclose(one.log_evidence, two.log_evidence, atol=0.1)


# -- day effect --------------------------------------------------------------------------------------------------


def test_bunched_days_read_as_escalation_until_a_day_effect_is_let_in():
    rng = np.random.default_rng(2)
    dispersion, mean = 6.0, 0.25
    values = rng.poisson(rng.gamma(1 / dispersion, dispersion, size=400) * mean)
    values[390] = 7
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=400), name="raids"))
    stories = [
        Scenario.every("3-6 days", name="calm"),
        Scenario.escalation(past, (2, 6), onset="30D"),
    ]
    plain = weigh(past, stories, rng=1)
    spread = weigh(past, stories, overdispersion="learn", rng=1)
    assert (
        plain.bayes_factor.loc["escalation", "calm"]
        > 2 * spread.bayes_factor.loc["escalation", "calm"]
    )
    assert any("overdispersion='learn'" in note for note in plain.notes)
    assert not any("share days" in note for note in spread.notes)
    assert not plain.check_days()["passed"].any()
    assert spread.check_days()["passed"].all()
    values = spread._accounts[0].dispersion
    low, high = np.quantile(values, [0.05, 0.95])
    assert low < dispersion < high


def test_the_learned_dispersion_is_the_posterior_on_a_grid():
    rng = np.random.default_rng(9)
    past = as_counts(
        pd.Series(rng.negative_binomial(2, 0.7, 56), index=pd.date_range(START, periods=56))
    )
    found = day_effect("learn", [past]).values
    average = (past.sum() + 0.5) / 56.5
    grid = np.geomspace(1e-3, 50, 121)
    logs = []
    for phi in grid:
        total = stats.norm.logpdf(np.log(phi), np.log(0.5), np.log(10) / stats.norm.ppf(0.95))
        for block in (past.to_numpy()[:28], past.to_numpy()[28:]):
            rates = average * np.geomspace(0.1, 10, 41)
            total += special.logsumexp(
                [stats.nbinom.logpmf(block, 1 / phi, 1 / (1 + phi * r)).sum() for r in rates]
            )
        logs.append(total)
    mass = np.cumsum(special.softmax(logs))
    for level in (0.1, 0.5, 0.9):
        assert np.log(np.quantile(found, level)) == pytest.approx(
            np.log(grid[np.searchsorted(mass, level)]), abs=0.1
        )


def test_the_check_for_bunching_is_calibrated_when_days_are_independent():
    rng = np.random.default_rng(5)
    rates = np.array([[0.1] * 40 + [0.6] * 20])
    tails = [
        bunching(rng.poisson(rates[0]).astype(float), rates, np.ones(1), rng)[2] for _ in range(100)
    ]
    assert np.mean(np.array(tails) < 0.1) < 0.18
    assert np.mean(np.array(tails) < 0.5) > 0.3  # it is no constant either


@pytest.mark.parametrize("wrong", [(1, 0.1), (0, 1), "lern", (1,), 3, (0.1, np.nan)])
def test_a_day_effect_that_cannot_be(wrong):
    past = as_counts(pd.Series([0, 1] * 10, index=pd.date_range(START, periods=20)))
    with pytest.raises(ScenarioError, match="overdispersion"):
        weigh(
            past,
            [Scenario.every("1-2 weeks", name="a"), Scenario.every("3-6 days", name="b")],
            overdispersion=wrong,
        )


# -- the free rate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hazard", [1 / 50, 1 / 10])
def test_the_free_rate_is_that_of_the_exact_changepoints(hazard):
    rng = np.random.default_rng(1)
    values = np.r_[rng.poisson(0.2, 60), rng.poisson(2.5, 30)].astype(float)
    out = np.empty(90)
    _filtered(values, np.ones(90), 0.7, 2.0, hazard, out)
    fit = Changepoints(hazard=hazard, rate_prior=(0.7, 2.0)).fit(
        pd.Series(values, index=pd.date_range(START, periods=90))
    )
    assert out[-1] == pytest.approx(fit.log_evidence, abs=1e-9)


def test_the_free_rate_by_enumeration_with_gaps():
    values, exposure = np.array([1.0, 0, 3, 0, 2]), np.array([1.0, 0.5, 1, 0, 1])
    total = []
    for mean in MEANS:
        for hazard in HAZARDS:
            rate = SHAPE / mean
            for mask in range(16):
                cuts = [bool(mask >> i & 1) for i in range(4)]
                if hazard:
                    log = sum(np.log(hazard) if c else np.log1p(-hazard) for c in cuts)
                else:
                    log = -np.inf if any(cuts) else 0.0
                start = 0
                for end in [*(i + 1 for i in range(4) if cuts[i]), 5]:
                    y, e = values[start:end], exposure[start:end]
                    log += (
                        special.xlogy(y, e).sum() - special.gammaln(y + 1).sum() + SHAPE * np.log(rate)
                        - special.gammaln(SHAPE) + special.gammaln(SHAPE + y.sum())
                        - (SHAPE + y.sum()) * np.log(rate + e.sum())
                    )  # fmt: skip
                    start = end
                total.append(log)
    expected = special.logsumexp(total) - np.log(len(MEANS) * len(HAZARDS))
    assert free_evidence(values, exposure)[-1] == pytest.approx(expected, abs=1e-10)


def test_none_of_the_scenarios_explains_what_neither_foresaw():
    values = np.r_[np.zeros(40), np.full(15, 6), np.zeros(40)].astype(int)
    past = as_counts(pd.Series(values, index=pd.date_range(START, periods=95), name="raid"))
    stories = [Scenario.every("1-2 weeks", name="calm"), Scenario.every("1-3 a day", name="busy")]
    weights = weigh(past, stories, rng=1)
    assert not weights.explained
    assert weights.notes[0].startswith("None of your scenarios explains this")
    assert "None of your scenarios" in weights.words()
    assert "none of the scenarios explains" in repr(weights)
    calm = weigh(past.iloc[:40], stories, rng=1)
    assert calm.explained
    assert "None of your" not in calm.words()


@pytest.mark.slow
def test_a_true_scenario_is_seldom_called_unexplained():
    rng = np.random.default_rng(3)
    days = pd.date_range(START, periods=80)
    base = as_counts(pd.Series([0, 0, 1, 0] * 30, index=pd.date_range("2019-09-03", periods=120)))
    jump = Scenario.escalation(base, (2, 6), onset=("2020-01-10", "2020-02-20"), name="jump")
    calm = Scenario.every("3-8 days", name="calm")
    missed = 0
    for i in range(120):
        truth = jump if i % 2 else calm
        levels = truth.draw(64, rng)[[int(rng.integers(64))]]
        past = as_counts(pd.Series(rng.poisson(truth.story(levels, days).rate[0]), index=days))
        missed += not weigh(past, [calm, jump], since=START, rng=rng).explained
    assert missed <= 6  # 5 %, which Markov's inequality promises on average


def test_one_account_at_a_time_is_what_weigh_puts_together():
    rng = np.random.default_rng(4)
    past = as_counts(pd.Series(rng.poisson(0.4, 30), index=pd.date_range(START, periods=30)))
    story = told("x", rng, 30, branching=True)
    record = record_of(past, (), tolls=False, imputations=1, rng=rng)
    judged = record.judged(START, None, None)
    account = account_of(story, judged, rng)
    assert account.log_evidence[-1] == pytest.approx(
        weigh(past, [story, told("y", rng, 30)], rng=1).log_evidence["x"], abs=1e-12
    )


def test_uncertain_dates_are_averaged_over_as_they_were_drawn():
    """Series that are alike are weighed once, by their number: the same as weighing each and averaging."""
    rng = np.random.default_rng(6)
    past = marked(rng, uncertain=3)
    stories = [
        told("a", rng, 60, branching=True, kinds=("rocket", "mortar"), lethal=True),
        told("b", rng, 60, branching=True),
        Scenario.every("1-3 days", name="c"),
    ]
    since = START + pd.Timedelta("15D")
    weights = weigh(past, stories, since=since, imputations=15, rng=3)
    assert 1 < len(weights._judged.counts) < 15
    dates, _ = np.random.default_rng(3).spawn(2)
    record = record_of(past, ("mortar", "rocket"), tolls=True, imputations=15, rng=dates)
    for story in stories:
        logs = []
        for s in range(15):
            one = dataclasses.replace(
                record,
                series=record.series[s : s + 1],
                by_kind=record.by_kind[s : s + 1],
                deadly=record.deadly[s : s + 1],
                harmless=record.harmless[s : s + 1],
            )
            judged = one.judged(since, None, None)
            logs.append(account_of(story, judged, np.random.default_rng(1)).log_evidence[-1])
        expected = special.logsumexp(logs) - np.log(15)
        assert weights.log_evidence[story.name] == pytest.approx(expected, abs=1e-9)


def test_a_date_that_may_lie_before_the_days_that_judge_is_no_way_out():
    """An attack that came before them with a chance of 1 in 10 judges nearly as one that certainly did not."""
    later = pd.to_datetime(["2020-12-31", "2021-01-20", "2021-01-25"])
    dates = [*pd.date_range("2020-01-05", "2020-12-25", freq="60D"), *later]
    table = pd.DataFrame({"date_start": dates, "date_end": dates, "date_precision": "day"})
    table.loc[table["date_start"] == "2020-12-31", ["date_end", "date_precision"]] = [
        pd.Timestamp("2021-01-09"),
        "month",
    ]
    past = Incidents(table, ("2020-01-01", "2021-02-01"))
    slow, fast = (
        Scenario.every("1-2 months", name="slow"),
        Scenario.every("3-6 days", name="fast"),
    )
    weights = weigh(past, [slow, fast], since="2021-01-01", imputations=200, rng=1)
    days, sure = 31.0, 6  # days that judge; attacks of 2020
    dates_rng, _ = np.random.default_rng(1).spawn(2)
    record = record_of(past, (), tolls=False, imputations=200, rng=dates_rng)
    early = np.mean([one["2021-01-01":].sum() == 2 for one in record.series])
    assert 0.03 < early < 0.2
    base = (sure + early + 0.5) / 366

    def evidence(scenario, events):
        a, b = scenario.steady.shape, scenario.steady.rate_days
        rising = special.gammaln(a + events) - special.gammaln(a)
        return rising + a * np.log(b) - (a + events) * np.log(b + days)

    odds = [
        early * base * np.exp(evidence(one, 2)) + (1 - early) * np.exp(evidence(one, 3))
        for one in (slow, fast)
    ]
    assert weights.probabilities["slow"] == pytest.approx(odds[0] / sum(odds), abs=1e-6)


def test_a_steady_rate_is_updated_however_far_the_data_lie_in_its_tail():
    """The posterior of a Gamma rate is known; no float near 1 stands for so high a quantile of the prior."""
    past = as_counts(pd.Series(2, index=pd.date_range(START, periods=60)))
    low = Scenario.every("2-3 months", name="low")
    weights = weigh(past, [low, Scenario.every("1-3 a day", name="high")], rng=1)
    exact = (low.steady.shape + 120) / (low.steady.rate_days + 60)
    chances = weights.chances("30D")["low"]
    assert (chances * chances.index).sum() / 30 == pytest.approx(exact, rel=5e-3)


def test_no_day_that_judges_leaves_the_draws_of_dates_as_they_were():
    rng = np.random.default_rng(2)
    past = marked(rng, uncertain=1)
    stories = [told("a", rng, 60, branching=True), Scenario.every("1-3 days", name="c")]
    weights = weigh(past, stories, since=START + pd.Timedelta("60D"), imputations=40, rng=3)
    shares = np.exp(weights._judged.log_share)
    assert len(shares) > 1
    np.testing.assert_allclose(
        weights._accounts[0].series_weights, np.tile(shares, (8192, 1)), rtol=1e-12
    )


def test_attacks_that_nobody_saw_set_off_others_in_the_check_too():
    days = pd.date_range(START, periods=200)
    past = Counts.build(
        np.ones(200), days, np.full(200, 0.5), freq="1D", window=None, label="attack", rule="all"
    )
    story = Scenario.of_phases(
        "x", [Phase.of("a", (0.49, 0.51), branching=(0.49, 0.51))], half_life=(1.0, 1.1)
    )
    judged = record_of(past, (), tolls=False, imputations=1, rng=np.random.default_rng(1)).judged(
        START, None, None
    )
    account = account_of(story, judged, np.random.default_rng(2))
    table = check_table([account], judged, 0.95, np.random.default_rng(3))
    # Half of 200 days at 0.5 / (1 - 0.5) attacks a day; 67 where only the attacks that were seen set off others.
    assert 0.5 * (table["low"].iloc[0] + table["high"].iloc[0]) == pytest.approx(99, abs=6)


def half_inside(sure: int, unsure: int) -> Incidents:
    """Give attacks of 2020 and 2021, and some that came before or after New Year with a chance of a half each."""
    dates = [*pd.date_range("2020-01-05", "2020-12-15", freq="20D")]
    dates += [*pd.date_range("2021-01-12", periods=sure, freq="2D")]
    table = pd.DataFrame({"date_start": dates, "date_end": dates, "date_precision": "day"})
    more = pd.DataFrame(
        {"date_start": ["2020-12-27"] * unsure, "date_end": "2021-01-05", "date_precision": "month"}
    ).astype({"date_start": "datetime64[us]", "date_end": "datetime64[us]"})
    return Incidents(pd.concat([table, more], ignore_index=True), ("2020-01-01", "2021-02-01"))


def test_the_check_averages_over_uncertain_dates():
    """Not the first draw of the dates, but all of them say how many attacks there were to explain."""
    past = half_inside(6, 8)
    steady = Scenario.every("4-8 days", name="steady")
    wavering = Scenario.of_phases("wavering", [Phase.of("p", "4-8 days")], dispersion=(1e-6, 2e-6))
    spiral = Scenario.of_phases(
        "spiral", [Phase.of("p", "8-16 days", branching=(0.2, 0.6))], half_life="2-4 days"
    )
    stories = [steady, wavering, spiral]
    found = {}
    for seed in (1, 2):
        weights = weigh(past, stories, since="2021-01-01", imputations=400, rng=seed)
        found[seed] = weights.check(0.9)
        dates, _ = np.random.default_rng(seed).spawn(2)
        record = record_of(past, (), tolls=False, imputations=400, rng=dates)
        numbers = np.array([one["2021-01-01":].sum() for one in record.series])
        assert len(set(numbers)) > 4
        law = stats.nbinom(steady.rate.shape, steady.rate.rate_days / (steady.rate.rate_days + 31))
        tails = law.cdf(numbers).mean(), law.sf(numbers - 1).mean()
        table = found[seed]
        assert table.loc["steady", "statistic"] == pytest.approx(min(tails), abs=2e-3)
        assert table.loc["wavering", "statistic"] == pytest.approx(min(tails), abs=0.01)
        assert table["observed"].to_numpy() == pytest.approx(numbers.mean())
        assert f"uncertain ({numbers.mean():.1f} on average)" in table.loc["steady", "meaning"]
    # Another seed draws other dates; only chance in 400 draws of them, and not which came first, changes the answer.
    gap = found[1]["statistic"] - found[2]["statistic"]
    assert gap.abs().max() < 0.02


def test_the_check_sees_the_offspring_of_each_draw_of_the_dates():
    """Thirty attacks lie on one day, on either side of the first day that judges: then they are seen, or excite."""
    dates = [*pd.date_range("2020-01-05", "2020-12-15", freq="20D")]
    table = pd.DataFrame({"date_start": dates, "date_end": dates, "date_precision": "day"})
    past = Incidents(table, ("2020-01-01", "2021-02-01"))
    series = [past.counts("1D") for _ in range(2)]
    for one, day in zip(series, ("2020-12-31", "2021-01-01"), strict=True):
        one.loc[day] = 30.0
    spiral = Scenario.of_phases(
        "s", [Phase.of("p", "50-60 days", branching=(0.49, 0.51))], half_life=(1.0, 1.1)
    )
    alone = []
    for chosen in ([series[0]], [series[1]], series):
        judged = Record(tuple(chosen)).judged(pd.Timestamp("2021-01-01"), None, None)
        account = account_of(spiral, judged, np.random.default_rng(2))
        alone.append(check_table([account], judged, 0.9, np.random.default_rng(3)).iloc[0])
    # Offspring of 30 attacks were expected where these came before, and none came; where they came after, 30 did.
    assert alone[0]["statistic"] < 1e-3
    assert alone[1]["statistic"] < 1e-3
    assert alone[0]["high"] > 15 > alone[1]["high"]
    assert alone[2]["statistic"] == pytest.approx(0.5, abs=0.02)
    assert not alone[0]["passed"]
    assert alone[2]["observed"] == 15


def test_bunched_days_are_judged_by_every_draw_of_the_dates():
    dates = [*pd.date_range("2020-01-05", "2020-03-01", freq="2D")]
    table = pd.DataFrame({"date_start": dates, "date_end": dates, "date_precision": "day"})
    table.loc[:5, ["date_end", "date_precision"]] = [pd.Timestamp("2020-02-28"), "month"]
    past = Incidents(table, ("2020-01-01", "2020-03-11"))
    two = [Scenario.every("1-3 days", name="a"), Scenario.every("2-5 days", name="b")]
    weights = weigh(past, two, imputations=300, rng=5)
    values = np.array([one.to_numpy() for one in weights._judged.counts])
    pairs = (values * (values - 1) / 2).sum(axis=1)
    assert weights.check_days()["pairs"].to_numpy() == pytest.approx(weights._judged.share @ pairs)
    assert pairs[0] != pytest.approx(weights._judged.share @ pairs)


def test_the_check_knows_that_the_delay_is_uncertain():
    """Either all or none of the attacks of the last 40 days are in the record: 60 or 100 days to expect them from."""
    past = as_counts(pd.Series(0, index=pd.date_range(START, periods=100)))
    curves = np.ones((2, 100))
    curves[1, 60:] = 1e-9
    judged = record_of(past, (), tolls=False, imputations=1, rng=np.random.default_rng(1)).judged(
        START, None, curves
    )
    story = Scenario.of_phases("s", [Phase.of("p", (0.999, 1.001))])
    account = account_of(story, judged, np.random.default_rng(2))
    row = check_table([account], judged, 0.9, np.random.default_rng(3)).iloc[0]
    mixed = [stats.poisson(60), stats.poisson(100)]
    for end, level in (("low", 0.05), ("high", 0.95)):
        assert np.mean([law.cdf(row[end]) for law in mixed]) >= level
        assert np.mean([law.cdf(row[end] - 1) for law in mixed]) < level


def test_a_note_counts_attacks_of_unknown_kind_over_all_draws_of_the_dates():
    past = half_inside(6, 8)
    known = (past.table["date_precision"] == "day").to_numpy()
    table = past.table.assign(kind=np.where(known, "rocket", None))
    past = Incidents(table, past.window)
    phases = (
        Phase.of("p", rate, kinds={"rocket": 3, "other": 1}) for rate in ("2-4 days", "4-8 days")
    )
    stories = [Scenario.of_phases(str(k), [phase]) for k, phase in enumerate(phases)]
    notes = weigh(past, stories, since="2021-01-01", imputations=400, rng=1).notes
    assert any(note.startswith("4 attacks of unknown kind") for note in notes)


def test_a_number_that_no_scenario_expected_is_said():
    """Ten attacks in 60 days are more than either story expected, though a free rate is no 20 times as good."""
    values = np.zeros(60, dtype=int)
    values[np.linspace(1, 58, 10).astype(int)] = 1
    past = pd.Series(values, index=pd.date_range("2020-01-01", periods=60), name="raids")
    told = [Scenario.every("2-3 months", name="A"), Scenario.every("1-2 a month", name="B")]
    weights = weigh(past, told, rng=1)
    assert weights.explained
    assert not weights.check()["passed"].any()
    said = "10 raids came, and they expected 'A' 0 to 3, 'B' 0 to 7 (95 % intervals)"
    assert said in weights.notes[0]
    assert said in weights.words()
    # One that expected it is enough, and the answer is that of the check.
    calm = weigh(past, [*told, Scenario.every("1-2 a week", name="C")], rng=1)
    assert calm.check()["passed"].tolist() == [False, False, True]
    assert not any("No scenario expected" in note for note in calm.notes)
    assert "No scenario expected" not in calm.words()


def test_a_true_scenario_is_seldom_called_unexpected():
    """At most one case in twenty, whatever the others say; far wrong ones add nothing to it."""
    rng = np.random.default_rng(3)
    true = Scenario.every("1-2 a week", name="true")
    told = [
        true,
        Scenario.every("1-2 years", name="rare"),
        Scenario.every("5-9 a day", name="busy"),
    ]
    days, called = pd.date_range("2020-01-01", periods=50), 0
    for rate in true.rate.quantile(rng.random(120)):
        weights = weigh(pd.Series(rng.poisson(rate, 50), index=days), told, rng=rng)
        called += any("No scenario expected" in note for note in weights.notes)
    assert 0 < called <= stats.binom(120, 0.05).ppf(0.999)


def test_the_free_rate_is_averaged_over_all_draws_of_the_dates():
    """As the scenarios are: over the first eight, it was off by a factor of 20, which is where none explains."""
    two = [Scenario.every("4-8 days", name="a"), Scenario.every("2-3 days", name="b")]
    for seed in range(6):
        weights = weigh(half_inside(6, 8), two, since="2021-01-01", imputations=20, rng=seed)
        judged = weights._judged
        assert len(judged.share) > 8
        logs = [
            free_evidence(values, judged.exposure[0])[-1] + log_share
            for values, log_share in zip(judged.values, judged.log_share, strict=True)
        ]
        assert weights.free_log_evidence == pytest.approx(special.logsumexp(logs), abs=0.05)
