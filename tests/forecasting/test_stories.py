"""Builders of scenarios against stories told naively, one future at a time; and that no attack is used twice."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tempo
from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import DAY, Window
from tempo.errors import ScenarioError, TempoError
from tempo.forecasting.killed import Killed
from tempo.forecasting.laws import Chance, GammaRate, Kinds, Length, Multiple
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario

END = pd.Timestamp("2020-04-10")  # end of a hundred days
DAYS = pd.date_range("2020-03-01", "2020-09-30", freq="12D")


def daily(values, start="2020-01-01"):
    return as_counts(pd.Series(values, index=pd.date_range(start, periods=len(values), freq="D")))


PAST = daily([1, 0, 0, 2, 0] * 20)


def between(rng, low, high, prob=0.9):
    """One draw of a log-normal number from its central interval."""
    sd = math.log(high / low) / (2 * stats.norm.ppf((1 + prob) / 2))
    return math.exp(rng.normal((math.log(low) + math.log(high)) / 2, sd))


def lasting(rng, low, high):
    """The same in whole days."""
    return max(round(between(rng, low, high)), 1)


def chance(rng, low, high):
    """One draw of a logit-normal chance."""
    bottom, top = math.log(low / (1 - low)), math.log(high / (1 - high))
    z = rng.normal((bottom + top) / 2, (top - bottom) / (2 * stats.norm.ppf(0.95)))
    return 1 / (1 + math.exp(-z))


def earlier(rng, before):
    values = PAST[PAST.index < before]
    return rng.gamma(0.5 + values.sum(), 1 / len(values))


def by_day(rule):
    return np.array([rule(day) for day in DAYS])


def naive_escalation(rng):
    base, onset = (
        earlier(rng, "2020-03-11"),
        pd.Timestamp("2020-03-11") + pd.Timedelta(days=int(rng.integers(30))),
    )
    factor, lasts = between(rng, 3, 8), lasting(rng, 14, 42)
    return by_day(lambda d: base * factor if 0 <= (d - onset).days < lasts else base)


def naive_surge(rng):
    base, onset = (
        earlier(rng, "2020-03-11"),
        pd.Timestamp("2020-03-11") + pd.Timedelta(days=int(rng.integers(30))),
    )
    factor, lasts, settled = between(rng, 2, 5), lasting(rng, 14, 42), between(rng, 0.5, 1.5)

    def rule(day):
        since = (day - onset).days
        return base * (1 if since < 0 else factor if since < lasts else settled)

    return by_day(rule)


def naive_ceasefire(rng):
    base, falls, p = earlier(rng, "2020-04-10"), between(rng, 0.1, 0.5), chance(rng, 0.1, 0.3)
    agreed = lasting(rng, 60, 90)
    hazard = -math.log(1 - p) / (365.25 / 12)
    holds = min(agreed, rng.exponential(1 / hazard))
    return by_day(lambda d: base * falls if 0 <= (d - END).days < holds else base)


def naive_campaign(rng):
    low, high = (
        stats.gamma.ppf(q, 1) for q in (0.05, 0.95)
    )  # only to show that the shape is solved for
    assert low < high
    lull = rng.gamma(LULL.shape, 1 / LULL.rate_days)
    busy = rng.gamma(BUSY.shape, 1 / BUSY.rate_days)
    lasts = round(30 / (1 - rng.random()))
    first = pd.Timestamp("2020-04-01")
    return by_day(lambda d: lull if d < first else busy if (d - first).days < lasts else 0.0)


CAMPAIGN = Scenario.of_phases(
    "campaign",
    [
        Phase.of("lull", "1-2 a month"),
        Phase.of(
            "campaign", "2-4 a week", onset="2020-04-01", duration="at least 30 days", then="end"
        ),
    ],
)
LULL, BUSY = CAMPAIGN.phases[0].rate, CAMPAIGN.phases[1].rate

TOLD = {
    "escalation": (Scenario.escalation(PAST, duration="2-6 weeks"), naive_escalation),
    "surge": (Scenario.surge_and_return(PAST, settle=(0.5, 1.5)), naive_surge),
    "ceasefire": (Scenario.ceasefire(PAST, duration=(60, 90)), naive_ceasefire),
    "campaign": (CAMPAIGN, naive_campaign),
}


@pytest.mark.parametrize("name", TOLD)
def test_builders_say_what_a_naive_story_says(name):
    scenario, naive = TOLD[name]
    told = scenario.rates(scenario.draw(8192, np.random.default_rng(1)), DAYS)
    rng = np.random.default_rng(2)
    slow = np.array([naive(rng) for _ in range(2000)])
    for k in range(len(DAYS)):
        error = math.hypot(slow[:, k].std() / math.sqrt(2000), told[:, k].std() / math.sqrt(8192))
        assert told[:, k].mean() == pytest.approx(slow[:, k].mean(), abs=4.5 * error), DAYS[k]
    total = told.sum(axis=1), slow.sum(axis=1)
    assert stats.ks_2samp(*total).pvalue > 1e-3


@pytest.mark.parametrize(
    ("said", "mean"),
    [
        ("1-2 days", None), ("2-4 days", None), ("1-6 days", None), ("2-6 weeks", None), ("a month", None),
        ("up to 14 days", 7.5), ("up to 1 day", 1.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("then", ["return", "next"])
def test_lengths_in_whole_days_are_as_long_as_was_said(said, mean, then):
    """The mean of the log-normal law; of "up to 14 days", that of 1 to 14 days alike."""
    phases = [
        Phase("calm", GammaRate(1.0, 1e3, "w")),
        Phase.of("busy", (100, 200), onset=("2020-01-01", "2020-01-11"), duration=said, then=then),
        Phase.of("after", (1, 2), onset="after"),
    ]
    scenario = Scenario.of_phases("s", phases[: 2 if then == "return" else 3])
    days = pd.date_range("2020-01-01", periods=300)
    busy = scenario.rates(scenario.draw(16384, np.random.default_rng(1)), days) > 20
    lasted = busy.sum(axis=1)
    assert lasted.min() >= 1
    assert (np.abs(np.diff(busy.astype(int), axis=1)).sum(axis=1) <= 2).all()  # one stretch
    if mean is None:
        law = phases[1].duration
        sd = math.log(law.high / law.low) / (2 * stats.norm.ppf(0.95))
        centre = math.sqrt(law.low * law.high)
        mean = centre * math.exp(sd**2 / 2)
        least = stats.norm.cdf(
            math.log(0.5 / centre) / sd
        )  # of less than half a day, one day is made
        assert lasted.mean() == pytest.approx(mean, abs=0.06 + least)
        shares = np.bincount(lasted, minlength=10)[1:5] / len(lasted)
        ends = stats.norm.cdf(np.log(np.arange(0.5, 5) / centre) / sd)
        ends[0] = 0.0
        assert shares == pytest.approx(np.diff(ends), abs=0.005)
    else:
        assert lasted.mean() == pytest.approx(mean, abs=0.02)


@pytest.mark.parametrize(
    ("scenario", "first"),
    [
        (Scenario.every("3-5 a week", name="steady"), None),
        (Scenario.escalation(PAST, onset="30D"), None),
        (Scenario.escalation(PAST, onset=("2020-04-01", END)), None),
        (Scenario.escalation(PAST, onset=("2020-05-01", "2020-07-30")), "2020-07-30"),
        (Scenario.escalation(PAST, onset="in 2-6 weeks"), "2020-05-23"),
        (Scenario.escalation(PAST, onset="2020-03-01"), "2020-03-02"),
        (CAMPAIGN, "2020-04-02"),
    ],
)  # fmt: skip
def test_sentences_name_the_first_day_unless_it_is_the_end_of_the_data(scenario, first, tmp_path):
    held = "90 days hold" if first is None else f"the 90 days from {first} hold"
    preview = scenario.preview(draws=64)
    assert preview.sentence().startswith(f"Under {scenario.name!r}, {held} ")
    assert f"; {held} " in repr(scenario)
    assert repr(preview).count(f"from {preview.days[0]:%Y-%m-%d}") == 1
    [again], _ = tempo.read_scenarios(tempo.write_scenarios(tmp_path / "one.json", [scenario]))
    assert repr(again) == repr(scenario)
    if len(scenario.phases) > 1:
        chosen = scenario.preview("1D", start="2020-03-20", draws=64)
        assert ", 2020-03-20 holds " in chosen.sentence()
        now = scenario.preview(start=END, draws=64).sentence()
        assert ("the 90 days from 2020-04-10" in now) == (scenario is CAMPAIGN)


def test_stories_compare_from_the_same_day():
    """Before a change that lies ahead has come, a story is its first phase."""
    later = Scenario.escalation(PAST, (50, 100), onset=("2020-08-01", "2020-09-01"))
    steady = Scenario("earlier", later.phases[:1])
    assert later.prior_predictive("90D", start=END) == steady.prior_predictive("90D", start=END)
    assert later.prior_predictive("90D")[0] > 10 * steady.prior_predictive("90D")[1]
    spiral = Scenario.retaliation_spiral(PAST, onset="2020-04-09")
    totals = spiral.preview(start="2020-06-01", rng=3).counts.sum(axis=1)
    ends = np.quantile(totals, [0.05, 0.95], method="inverted_cdf")
    assert spiral.prior_predictive("90D", start="2020-06-01", rng=3) == tuple(ends)


def test_a_spiral_is_a_tree_of_attacks():
    """Immigrants at the earlier rate; each attack has a Poisson number of offspring at geometric distances."""
    scenario = Scenario.retaliation_spiral(PAST, (0.4, 0.7), (3, 14), onset="2020-04-09")
    totals = scenario.preview("60D", draws=2500, rng=1).counts.sum(axis=1)
    rng = np.random.default_rng(3)
    naive = []
    for _ in range(2500):
        rate, n = earlier(rng, "2020-04-09"), chance(rng, 0.4, 0.7)
        stop = 1 - math.exp(-math.log(2) / between(rng, 3, 14))
        waiting = [day for day in range(60) for _ in range(rng.poisson(rate))]
        count = 0
        while waiting:
            day = waiting.pop()
            count += 1
            waiting += [day + k for k in rng.geometric(stop, rng.poisson(n)) if day + k < 60]
        naive.append(count)
    error = math.hypot(np.std(naive), totals.std()) / math.sqrt(2500)
    assert totals.mean() == pytest.approx(np.mean(naive), abs=4.5 * error)
    assert stats.ks_2samp(totals, naive).pvalue > 1e-3


def test_a_ceasefire_holds_as_long_as_was_said():
    scenario = Scenario.ceasefire(PAST, breakdown="20-40 % a month")
    levels = scenario.draw(8192, np.random.default_rng(1))
    day = pd.DatetimeIndex([END, END + pd.Timedelta(days=31), END + pd.Timedelta(days=90)])
    rates = scenario.rates(levels, day)
    base = scenario.rates(levels, pd.DatetimeIndex([END - pd.Timedelta(days=1)]))
    holds = (rates < 0.95 * base).mean(axis=0)
    p = Chance(0.2, 0.4).quantile((np.arange(10_000) + 0.5) / 10_000)
    low = (Multiple(0.1, 0.5).quantile(levels[:, 1]) < 0.95).mean()
    assert holds == pytest.approx(
        [low * ((1 - p) ** (k / (365.25 / 12))).mean() for k in (0, 31, 90)], abs=0.01
    )


def test_dispersion_is_that_of_the_negative_binomial():
    scenario = Scenario.of_phases("s", [Phase.of("s", "3-5 a week")], dispersion=(1.999, 2.001))
    preview = scenario.preview("1D", draws=60_000, rng=1)
    mean = preview.counts.mean()
    between_draws = preview.rates.var()
    expected = mean + 2 * (mean**2 + between_draws) + between_draws
    assert preview.counts.var() == pytest.approx(expected, rel=0.05)


INCIDENTS = Incidents(
    pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-03", periods=20, freq="4D"),
            "kind": ["rocket", "bomb", "rocket", "rocket"] * 4 + ["drone"] * 4,
            "killed": [0, 2, None, 0] * 5,
        }
    ),
    Window("2020-01-01", "2020-04-10"),
)


def test_kinds_and_lethality_are_learned_from_days_before_the_story_begins():
    scenario = Scenario.of_phases(
        "s",
        [
            Phase.of("earlier", "past", kinds="past", lethality="past"),
            Phase.of(
                "later", "x3 to x8 of the last 30 days", onset="2020-02-20", lethality="50-80 %"
            ),
        ],
        INCIDENTS,
        deaths="1-6",
    )
    before = INCIDENTS.table[INCIDENTS.table["date_start"] < "2020-02-20"]
    first = scenario.phases[0]
    bombs = (before["kind"] == "bomb").sum()
    assert first.kinds == Kinds(
        ("bomb", "rocket", "other"), (0.5 + bombs, len(before) - bombs + 0.5, 0.5), "past"
    )
    assert (first.lethality.first, first.lethality.second) == (
        0.5 + (before["killed"] > 0).sum(), 0.5 + (before["killed"] == 0).sum(),
    )  # fmt: skip
    last = before[before["date_start"] >= "2020-01-21"]
    assert (scenario.phases[1].rate.base.shape, scenario.phases[1].rate.base.rate_days) == (
        len(last) + 0.5,
        30,
    )
    assert scenario.since == scenario.learned_until == pd.Timestamp("2020-02-20")
    days = pd.DatetimeIndex(["2020-02-19", "2020-02-20"])
    story = scenario.story(scenario.draw(8192, np.random.default_rng(0)), days)
    np.testing.assert_allclose(story.shares.sum(axis=2), 1)
    weights = np.array(first.kinds.weights)
    np.testing.assert_allclose(story.shares.mean(axis=0)[1], weights / weights.sum(), atol=0.003)
    law = stats.beta(first.lethality.first, first.lethality.second)
    assert np.quantile(story.lethal[:, 0], [0.1, 0.9]) == pytest.approx(
        law.ppf([0.1, 0.9]), abs=0.01
    )
    assert np.quantile(story.lethal[:, 1], [0.05, 0.95]) == pytest.approx([0.5, 0.8], abs=0.01)
    assert scenario.kinds == ("bomb", "rocket", "other")
    assert scenario.steady is None
    preview = scenario.preview(draws=20_000)
    share = preview.lethal.sum() / preview.counts.sum()
    assert share == pytest.approx(story.lethal[:, 1].mean(), abs=0.02)
    each = preview.deaths.sum() / preview.lethal.sum()
    assert each == pytest.approx(
        scenario.deaths.draw(200_000, np.random.default_rng(1)).mean(), rel=0.05
    )
    assert "deaths (90 % intervals)" in preview.sentence("heavy strike")


BUILDERS = {
    "escalation": lambda past: Scenario.escalation(
        past, "x3 to x8 of the last 20 days", onset="20D"
    ),
    "surge_and_return": lambda past: Scenario.surge_and_return(past, onset="20D"),
    "ceasefire": lambda past: Scenario.ceasefire(past, onset="2020-02-10"),
    "retaliation_spiral": lambda past: Scenario.retaliation_spiral(past, onset="20D"),
}


@pytest.mark.parametrize("builder", BUILDERS)
@given(st.lists(st.integers(0, 5), min_size=20, max_size=20), st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_no_day_both_sets_a_story_and_judges_it(builder, later, change):
    values = [1, 0, 2, 0, 0, 1] * 7 + [0] * 20
    make = BUILDERS[builder]
    first = make(daily(values))
    assert first.since == first.learned_until
    keep = (first.since - pd.Timestamp("2020-01-01")).days
    assert make(daily([*values[:keep], *later, *([0] * 60)][: len(values)])) == first
    values[keep - 1] += change + 1
    assert make(daily(values)) != first  # and the days before it do set it


def test_about_learns_from_other_attacks_and_from_fewer_days():
    scenario = Scenario.ceasefire(PAST)
    other = daily([1] * 100)
    assert scenario.about(other) == Scenario.ceasefire(other)
    earlier_ = scenario.about(PAST, until="2020-03-01")
    assert earlier_.learned_until == earlier_.since == pd.Timestamp("2020-03-01")
    assert earlier_.rate.rate_days == 60
    assert earlier_.phases[1] == scenario.phases[1]
    said = Scenario.every("2-3 months", name="s")
    assert said.about(other) is said
    assert CAMPAIGN.about(other) is CAMPAIGN


def test_draws_of_a_short_story_do_not_depend_on_what_others_hold():
    every = Scenario.every("2-3 months", name="s").draw(64, np.random.default_rng(5))
    jump = Scenario.escalation(PAST).draw(64, np.random.default_rng(5))
    np.testing.assert_array_equal(every, jump)
    spiral = Scenario.retaliation_spiral(PAST)
    assert spiral.draw(64, np.random.default_rng(5)).shape == (64, 6)
    with pytest.raises(ScenarioError, match="6 columns"):
        spiral.story(jump, DAYS)


def test_a_seed_reproduces_every_number():
    for scenario, _ in TOLD.values():
        one, two = (
            scenario.preview("30D", draws=200, rng=4),
            scenario.preview("30D", draws=200, rng=4),
        )
        np.testing.assert_array_equal(one.counts, two.counts)
        np.testing.assert_array_equal(one.rates, two.rates)
        assert not np.array_equal(one.counts, scenario.preview("30D", draws=200, rng=5).counts)


def test_a_preview_is_tabulated_and_said():
    preview = Scenario.every("3-5 a week", name="busy").preview("45D", draws=20_000)
    law = preview.table(["15D", "45D"], prob=0.8)
    rate = Scenario.every("3-5 a week", name="busy").rate
    for days in (15, 45):
        truth = stats.nbinom(rate.shape, rate.rate_days / (rate.rate_days + days))
        assert (law.loc[days, "attacks_low"], law.loc[days, "attacks_high"]) == pytest.approx(
            (truth.ppf(0.1), truth.ppf(0.9)), abs=1
        )
        assert law.loc[days, "any_attack"] == pytest.approx(truth.sf(0), abs=0.01)
    assert preview.table().index.tolist() == [30]
    assert Scenario.every("3-5 a week", name="busy").preview("10D").table().index.tolist() == [10]
    with pytest.raises(TempoError, match="45 were simulated"):
        preview.table(["60D"])
    with pytest.raises(TempoError):
        Scenario.every("3-5 a week", name="busy").preview(draws=0)
    assert preview.sentence("heavy strike").startswith("Under 'busy', 45 days hold ")
    assert "heavy strikes (90 % interval)." in preview.sentence("heavy strike")


@pytest.mark.parametrize(
    "killed",
    [Killed.within("1-6"), Killed.power(2.4), Killed.geometric(2.5)],
    ids=lambda k: k.family,
)
def test_numbers_killed_follow_their_survival(killed):
    drawn = killed.draw(200_000, np.random.default_rng(1))
    assert drawn.min() == 1
    for k in (2, 3, 7, 20):
        p = float(killed.survival([k])[0])
        assert (drawn >= k).mean() == pytest.approx(p, abs=5 * math.sqrt(p / 200_000) + 1e-5)


def test_known_tails_of_the_numbers_killed():
    within = Killed.within((2, 9), prob=0.8)
    assert 1 - within.survival([2])[0] == pytest.approx(0.1)
    assert within.survival([10])[0] == pytest.approx(0.1)
    power = 1 / np.arange(1, 200_000, dtype=float) ** 2.4
    assert Killed.power(2.4).survival([5])[0] == pytest.approx(
        power[4:].sum() / power.sum(), rel=1e-4
    )
    assert Killed.power(1.05).draw(1000, np.random.default_rng(1)).max() <= 10**12
    assert Killed.geometric(4).survival([3])[0] == pytest.approx(0.75**2)
    for wrong in (
        lambda: Killed.power(1.0),
        lambda: Killed.geometric(1),
        lambda: Killed.within("6-1"),
    ):
        with pytest.raises(ScenarioError):
            wrong()


def test_laws_give_the_interval_that_was_said():
    ends = np.array([0.05, 0.95])
    assert Length(30, math.inf).quantile(np.array([0.5, 0.95])) == pytest.approx([60, 600])
    assert Length(0, 14).quantile(np.array([0.5])) == pytest.approx([7])
    assert Length(5, 20).quantile(ends) == pytest.approx([5, 20])
    assert Chance(0.1, 0.3).quantile(ends) == pytest.approx([0.1, 0.3])
    with pytest.raises(ScenarioError):
        Kinds.of({"rocket": 1.0})
    with pytest.raises(ScenarioError):
        Kinds.of({"rocket": 1.0, "bomb": 0.0})


LATER = Phase.of("later", "x3 to x8", onset="2020-02-01")


@pytest.mark.parametrize(
    ("phases", "rest"),
    [
        ([], {}),
        ([Phase.of("a", "x3 to x8")], {}),
        ([Phase.of("a")], {}),
        ([Phase.of("a", "2-3 months", onset="2020-02-01")], {}),
        ([Phase.of("a", "2-3 months", duration="2-3 weeks")], {}),
        ([Phase.of("a", "2-3 months"), Phase.of("b", "1-2 a week")], {}),
        ([Phase.of("a", "2-3 months"), Phase.of("b", "1-2 a week", onset="now")], {}),
        ([Phase.of("a", "past"), LATER], {}),
        ([Phase.of("a", "2-3 months"), Phase.of("b", "1-2 a week", onset="after")], {}),
        ([Phase.of("a", "2-3 months"), LATER, Phase.of("b", "x2-4", onset="after")], {}),
        ([Phase.of("a", "2-3 months"), LATER, Phase.of("b", "x2-4", onset="2020-01-01")], {}),
        ([Phase.of("a", "2-3 months"), Phase.of("b", "x2-4", onset="2020-02-01", then="next")], {}),
        ([Phase.of("a", "2-3 months", branching=(0.2, 0.5))], {}),
        ([Phase.of("a", "2-3 months")], {"half_life": "3-14 days"}),
        ([Phase.of("a", "2-3 months", branching=(0.2, 0.5))], {"half_life": "at least 3 days"}),
        ([Phase.of("a", "2-3 months")], {"deaths": "1-6"}),
        ([Phase.of("a", "2-3 months")], {"dispersion": (2, 1)}),
        ([Phase.of("a", "2-3 months"), Phase.of("b", onset="2020-02-01", lethality=(0.1, 0.2))], {}),
        ([Phase.of("a", "2-3 months", kinds={"x": 1, "y": 2}),
          Phase.of("b", onset="2020-02-01", kinds={"x": 1, "z": 2})], {}),
    ],
)  # fmt: skip
def test_phases_that_make_no_story_are_refused(phases, rest):
    with pytest.raises(TempoError) as error:
        Scenario.of_phases("s", phases, **rest)
    assert len(str(error.value)) > 40


@pytest.mark.parametrize(
    "options",
    [
        {"rate": "lots"}, {"rate": 3}, {"onset": "soon"}, {"onset": ("2020-01-01",)}, {"duration": "3 fortnights"},
        {"duration": (6, 2)}, {"then": "stop"}, {"breakdown": "10-30 %"}, {"breakdown": (0.1, 1.5)},
        {"branching": (0.5, 1.0)}, {"branching": "30-60 % a week"}, {"lethality": "often"}, {"lethality": (0, 0.5)},
        {"kinds": {"rocket": 1}}, {"kinds": "guess"}, {"prob": 1.0}, {"rate": (0.2, 0.1)},
    ],
)  # fmt: skip
def test_phases_that_cannot_be_said_are_refused(options):
    with pytest.raises(TempoError) as error:
        Phase.of("p", **options)
    assert len(str(error.value)) > 30


@pytest.mark.parametrize(
    ("builder", "multiple", "remedy"),
    [
        (Scenario.escalation, (0.1, 0.5), "Scenario.ceasefire"),
        (Scenario.escalation, "half to a third", "Scenario.ceasefire"),
        (Scenario.surge_and_return, (0.5, 1), "Scenario.ceasefire"),
        (Scenario.ceasefire, (3, 8), "Scenario.escalation"),
        (Scenario.ceasefire, "x1 to x2", "Scenario.escalation"),
    ],
)
def test_a_rise_under_the_name_of_a_fall_is_refused(builder, multiple, remedy):
    with pytest.raises(ScenarioError, match=remedy):
        builder(PAST, multiple)
    assert builder(PAST, (0.8, 1.25)).phases[1].rate.high == 1.25  # which may be either


def test_what_a_past_does_not_hold_cannot_be_learned():
    kinds = [Phase.of("a", "past", kinds="past")]
    with pytest.raises(ScenarioError, match="incidents themselves"):
        Scenario.of_phases("s", kinds, PAST)
    one = Incidents(
        pd.DataFrame({"date_start": ["2020-01-05"], "kind": ["x"]}),
        Window("2020-01-01", "2020-02-01"),
    )
    with pytest.raises(ScenarioError, match="kind known"):
        Scenario.of_phases("s", [*kinds, Phase.of("b", "x2-4", onset="2020-01-03")], one)
    bare = Incidents(
        pd.DataFrame({"date_start": ["2020-01-05"]}), Window("2020-01-01", "2020-02-01")
    )
    with pytest.raises(ScenarioError, match="killed"):
        Scenario.of_phases("s", [Phase.of("a", "past", lethality="past")], bare)


def test_every_phase_is_described():
    story = Scenario.of_phases(
        "s",
        [
            Phase.of("lull", "past", lethality="past", kinds="past"),
            Phase.of("surge", "x2-4", onset="30D", duration="up to 2 weeks", then="next", branching="0.2-0.5"),
            Phase.of("peace", "half to a third", onset="after", breakdown="10-20 % in 6 weeks", then="end"),
        ],
        INCIDENTS,
        half_life="about 1 week",
        dispersion=(0.5, 2),
        deaths=Killed.geometric(2),
    )  # fmt: skip
    text = story.describe()
    for part in (
        "lull: ", "as in the past", "rocket", "surge: 2 to 4 times the earlier rate", "up to 14 days",
        "0.2 to 0.5 others",
        "peace: 0.3333 to 0.5 times the earlier rate, afterwards", "in 42 days", "then no more attacks",
        "3.5 to 10.5 days", "overdispersed by 0.5 to 2", "2 on average",
    ):  # fmt: skip
        assert part in text
    assert text in repr(story)


def test_weighing_learns_again_from_the_days_that_do_not_judge():
    truce, jump = Scenario.ceasefire(PAST), Scenario.escalation(PAST, onset="30D")
    start = jump.since
    weights = tempo.weigh(PAST, [jump, truce], rng=1)
    again = tempo.weigh(PAST, [jump, truce.about(PAST, until=start)], rng=1)
    assert weights.since == start
    pd.testing.assert_series_equal(weights.log_evidence, again.log_evidence)
    base = truce.about(
        PAST, until=start
    ).rate  # nothing changed yet: the evidence of a steady earlier rate
    days = PAST[PAST.index >= start]
    law = stats.nbinom(base.shape, base.rate_days / (base.rate_days + len(days)))
    total = int(days.sum())
    steady = law.logpmf(total) + stats.multinomial.logpmf(
        days.to_numpy(), total, np.full(len(days), 1 / len(days))
    )
    assert weights.log_evidence["ceasefire"] == pytest.approx(steady, abs=0.02)


def test_a_fit_up_to_the_present_is_judged_by_nothing():
    fit = tempo.ConstantRate().fit(PAST, rng=1)
    jump = Scenario.escalation(PAST, onset="30D")
    weights = tempo.weigh(PAST, [jump, Scenario.continuation(fit)], [0.3, 0.7], rng=1)
    assert weights.since == END
    assert weights.probabilities.tolist() == pytest.approx([0.3, 0.7])
    early = Scenario.continuation(tempo.ConstantRate().fit(PAST.before("2020-03-20"), rng=1))
    assert tempo.weigh(PAST, [jump, early], rng=1).since == pd.Timestamp("2020-03-20")
    with pytest.raises(ScenarioError, match="has used the days before"):
        tempo.weigh(PAST, [jump, early], since="2020-03-11", rng=1)


def test_a_story_that_ends_sets_off_nothing_more():
    phases = [
        Phase.of("a", "2-3 a week", branching=(0.3, 0.6)),
        Phase.of("b", "1-2 a week", onset="2020-02-01", duration="up to 2 weeks", then="end"),
    ]
    story = Scenario.of_phases("x", phases, half_life="3-6 days")
    days = pd.date_range("2020-01-25", periods=60)
    found = story.story(story.draw(8, np.random.default_rng(1)), days)
    assert (found.branching[:, :7] > 0).all()
    assert not found.branching[:, -30:].any()
    assert not found.rate[:, -30:].any()


@pytest.mark.parametrize("words", ["x3 to x8", "x3 to x8 of the last year"])
def test_a_multiple_of_all_of_the_past_is_a_multiple_of_the_earlier_rate(words):
    """The last year holds every earlier day of the record, so that it is the earlier rate itself."""
    story = Scenario.escalation(daily([0] * 60 + [1, 0, 0, 1, 0] * 8), words, onset="30D")
    levels = story.draw(4096, np.random.default_rng(1))
    early, late = story.rates(levels, pd.DatetimeIndex(["2020-01-01", "2021-01-01"])).T
    np.testing.assert_allclose(np.quantile(late / early, [0.05, 0.95]), [3, 8], rtol=0.01)


def test_rates_learned_from_the_same_attacks_hang_together_and_keep_their_distributions():
    past = daily([1, 0, 0, 0] * 40 + [1, 1, 0, 0] * 10)
    story = Scenario.of_phases(
        "s",
        [
            Phase.of("earlier", "past"),
            Phase.of("up", "x0.99999 to x1.00001 of the last 80 days", onset="2021-01-01"),
            Phase.of("down", "x0.49999 to x0.50001 of the last 80 days", onset="2021-01-02"),
            Phase.of("brief", "x0.99999 to x1.00001 of the last 20 days", onset="2021-01-03"),
            Phase.of("again", "past", onset="2021-01-04"),
        ],
        past,
    )
    levels = story.draw(2**14, np.random.default_rng(1))
    days = pd.date_range("2020-12-31", periods=5)
    earlier, up, down, brief, again = story.rates(levels, days).T
    np.testing.assert_array_equal(earlier, again)
    np.testing.assert_allclose(up, 2 * down, rtol=1e-4)
    for rates, shape, observed in ((earlier, 60.5, 200), (up, 30.5, 80), (brief, 10.5, 20)):
        law = stats.gamma(shape, scale=1 / observed)
        for q in (0.05, 0.5, 0.95):
            assert np.mean(rates <= law.ppf(q)) == pytest.approx(q, abs=0.005)
    # What one stretch holds of the other: days beyond it add attacks of their own, independent of those in it.
    for part, whole, days_of in ((up, earlier, (80, 200)), (brief, up, (20, 80))):
        others = whole * days_of[1] - part * days_of[0]
        assert np.corrcoef(part, others)[0, 1] == pytest.approx(0, abs=0.03)
        assert others.min() > 0


def test_a_multiple_of_other_data_than_the_earlier_rate_is_drawn_alone():
    base = GammaRate(20.5, 100, "20 in 100 days", "365")
    phases = [
        Phase("earlier", GammaRate(2.5, 300, "2 in 300 days", "past")),
        Phase("later", Multiple(0.99999, 1.00001, 0.9, 365, base), onset=(END, END + DAY)),
    ]
    story = Scenario("s", phases, learned_until=END)
    rates = story.rates(story.draw(4096, np.random.default_rng(1)), pd.DatetimeIndex([END]))[:, 0]
    np.testing.assert_allclose(np.quantile(rates, [0.05, 0.95]), base.quantile([0.05, 0.95]), rtol=0.01)  # fmt: skip
