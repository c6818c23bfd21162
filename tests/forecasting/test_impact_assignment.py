"""Which attack led to which pause: against plain enumeration, on the cases that used to go wrong, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tempo
from tempo.forecasting.impact_elicited import Durations
from tempo.forecasting.impact_standdown import mean_days

END = pd.Timestamp("2020-01-01")
FIRST = pd.Timestamp("2019-01-01")
MODEL = tempo.StandDown("10-60 %", "3-20 days")


def attacks_on(*days: str, end: pd.Timestamp = END) -> pd.Series:
    counts = pd.Series(0, index=pd.date_range(FIRST, end - pd.Timedelta("1D")))
    for day in days:
        counts[pd.Timestamp(day)] += 1
    return counts


def pauses_of(*spans, end: pd.Timestamp = END, **more) -> tempo.Pauses:
    table = pd.DataFrame(spans, columns=["start", "end"]).assign(cause="attacks", scope="")
    return tempo.Pauses.from_table(table, cause="attacks", before=end, **more)


# -- against enumeration ---------------------------------------------------------------------------------------------


def enumerated(model, days, pauses, most=14):
    """Posterior of the number of attacks that led, of the middle, and of a start to come, by going through all."""
    prior = Durations.within(*model.duration, model.prob)
    first, last = model.delay_days
    beta = model.fit().chance[0]
    ends = (np.log(np.arange(1, 60) + 0.5)[:, None, None] - prior.middle) / prior.spread
    at_most = np.concatenate([np.zeros((1, *prior.middle.shape)), stats.norm.cdf(ends)])

    def outcomes(day):
        yield None
        for start in range(day + first, day + last + 1):
            if start >= 0:
                yield start, None, np.ones_like(prior.middle)
                continue
            for stop in range(start + 1, min(start + most, -1) + 1):
                yield start, stop, at_most[stop - start] - at_most[stop - start - 1]
            yield start, 0, 1 - at_most[-start - 1]  # goes on

    total, by_led, middle, ahead = 0.0, np.zeros(len(days) + 1), 0.0, np.zeros(len(days))
    for chosen in itertools.product(*(list(outcomes(day)) for day in days)):
        begun = [one for one in chosen if one is not None]
        seen = sorted((one[0], one[1]) for one in begun if one[1] is not None)
        merged: list[list[int]] = []
        for start, stop in seen:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], stop)
            else:
                merged.append([start, stop])
        if len(merged) != len(pauses) or any(
            start != wanted or not shortest <= stop - start <= longest or (stop >= 0) != on
            for (start, stop), (wanted, shortest, longest, on) in zip(merged, pauses, strict=True)
        ):
            continue
        led = len(begun)
        weight = math.exp(stats.betabinom.logpmf(led, len(days), beta.a, beta.b)) / math.comb(
            len(days), led
        )
        share = prior.weights * weight * (last - first + 1.0) ** -led
        for one in begun:
            share = share * one[2]
        mass = float(share.sum())
        total += mass
        by_led[led] += mass
        middle += float((share * prior.middle).sum())
        ahead += [mass * (one is not None and one[1] is None) for one in chosen]
    return by_led / total, middle / total, ahead / total


@pytest.mark.parametrize(
    ("days", "spans", "known", "delay"),
    [
        # Three attacks before and in a pause of five days.
        ((-20, -18, -16), [("2019-12-15", "2019-12-20")], [(-17, 5, 5, False)], (1, 4)),
        # Three on one day, one pause.
        ((-20, -20, -20), [("2019-12-15", "2019-12-18")], [(-17, 3, 3, False)], (1, 4)),
        # Two pauses, and a pause that goes on; starts that are still to come.
        (
            (-13, -9, -4),
            [("2019-12-21", "2019-12-24"), ("2019-12-29", None)],
            [(-11, 3, 3, False), (-3, 3, 99, True)],
            (1, 7),
        ),
    ],
)  # fmt: skip
def test_draws_against_going_through_all_assignments(days, spans, known, delay) -> None:
    model = tempo.StandDown("10-60 %", (2, 10), delay_days=delay)
    dates = [str((END + pd.Timedelta(days=day)).date()) for day in days]
    fit = model.fit(attacks_on(*dates), pauses_of(*spans))
    assert fit.sampled is not None
    led, middle, ahead = enumerated(model, days, known)
    a, b, weights = fit.sampled.chance.a, fit.sampled.chance.b, fit.sampled.chance.weights
    found = np.zeros(len(days) + 1)
    found[np.rint(a - fit.chance[0].a).astype(int)] = weights
    assert found == pytest.approx(led, abs=0.03)
    assert (a + b).tolist() == pytest.approx(
        [fit.chance[0].a + fit.chance[0].b + len(days)] * len(a)
    )
    assert fit.durations[1].log_median_moments()[0] == pytest.approx(middle, abs=0.02)
    assert fit.sampled.middle.mean() == pytest.approx(middle, abs=0.03)
    assert (fit.sampled.begins >= 0).mean(axis=0) == pytest.approx(ahead, abs=0.03)


# -- cases -----------------------------------------------------------------------------------------------------------


def test_two_attacks_and_two_pauses_are_two_that_led() -> None:
    """Each of the pauses may come from either attack, but not both from the same one."""
    fit = MODEL.fit(
        attacks_on("2019-03-01", "2019-03-05"),
        pauses_of(("2019-03-06", "2019-03-08"), ("2019-03-10", "2019-03-14")),
    )
    assert (fit.led, fit.did_not, fit.unsettled) == (2, 0, 0)
    assert fit.chance[1].moments()[0] > fit.chance[0].moments()[0]


def test_of_three_attacks_on_one_day_two_are_not_settled() -> None:
    fit = MODEL.fit(attacks_on(*["2019-03-01"] * 3), pauses_of(("2019-03-06", "2019-03-16")))
    assert (fit.led, fit.did_not, fit.unsettled) == (1, 0, 2)
    assert "2 more are not settled" in fit.describe()
    assert any("every assignment was weighed" in note for note in fit.notes)
    alone = MODEL.fit(attacks_on("2019-03-01"), pauses_of(("2019-03-06", "2019-03-16")))
    assert alone.sampled is None
    # One pause after three attacks says less of the probability than one after one, and more than one of three.
    strict = fit.chance[0].updated(1, 2).moments()[0]
    assert strict < fit.chance[1].moments()[0] < alone.chance[1].moments()[0]


def test_more_pauses_than_attacks_leaves_some_out() -> None:
    fit = MODEL.fit(
        attacks_on("2019-03-01"),
        pauses_of(("2019-03-03", "2019-03-04"), ("2019-03-06", "2019-03-08")),
    )
    assert (fit.led, fit.n_pauses) == (1, 1)
    assert any("was not used: it needs a" in note for note in fit.notes)


def test_a_merged_pause_is_no_single_duration() -> None:
    """Forty days after six attacks, five days apart, may be several stand-downs; forty days after one cannot."""
    one = MODEL.fit(attacks_on("2019-03-01"), pauses_of(("2019-03-03", "2019-04-12")))
    days = [f"2019-03-{day:02d}" for day in (1, 6, 11, 16, 21, 26)]
    many = MODEL.fit(attacks_on(*days), pauses_of(("2019-03-03", "2019-04-12")))
    assert many.durations[1].chance_within(35, 1000) < one.durations[1].chance_within(35, 1000) / 2
    assert many.chance[1].moments()[0] > one.chance[1].moments()[0]


def test_an_attack_in_a_stand_down_that_goes_on_may_cost_more_of_it() -> None:
    """It is neither settled nor forgotten: what it leads to may begin after the data, or outlast the pause."""
    attacks = attacks_on("2019-12-20", "2019-12-31")
    pauses = pauses_of(("2019-12-25", None))
    model = tempo.StandDown("80-95 %", "5-30 days")
    fit = model.fit(attacks, pauses)
    assert 1 in fit.pending
    assert (fit.led, fit.did_not) == (1, 0)
    without = model.fit(attacks_on("2019-12-20"), pauses)
    quiet = tempo.forecast(tempo.ConstantRate().fit(attacks * 0, rng=1), "60D", rng=1)
    lost = [tempo.impact(quiet, one, rng=1).table()["mean_days"].iloc[0] for one in (without, fit)]
    assert lost[1] > lost[0] + 5


def test_without_documented_pauses_yesterday_may_still_cost() -> None:
    attacks = attacks_on("2019-06-01", "2019-12-31")
    fit = tempo.StandDown("80-95 %", "5-30 days").fit(attacks)
    assert fit.pending == (1,)
    assert any("may still lead to a stand-down" in note for note in fit.notes)
    assert set(fit.status) == {"assumption"}
    quiet = tempo.forecast(tempo.ConstantRate().fit(attacks * 0, rng=1), "60D", rng=1)
    found = tempo.impact(quiet, fit, rng=1)
    assert 0.8 < found.probability(0)["ConstantRate"] <= 1
    # An attack ten days ago: whether it has led to a stand-down is not known, so nothing is ruled out.
    earlier = tempo.StandDown("50-52 %", "5-30 days").fit(attacks_on("2019-12-22"))
    (recent,) = earlier.recent
    assert (recent.age, recent.ruled_out) == (10, 0.0)
    assert recent.begins.sum() == pytest.approx(5 / 14)


def incidents(*spans) -> tempo.Incidents:
    table = pd.DataFrame(spans, columns=["date_start", "date_end"]).apply(pd.to_datetime)
    return tempo.Incidents(table, (FIRST, END), label="attacks")


MARCH = ("2019-03-01", "2019-03-31")


def test_an_uncertain_day_is_an_interval() -> None:
    fit = MODEL.fit(
        incidents(MARCH, ("2019-08-01", "2019-08-01")), pauses_of(("2019-03-28", "2019-04-05"))
    )
    assert (fit.led, fit.did_not) == (1, 1)
    both = MODEL.fit(
        incidents(MARCH, ("2019-03-20", "2019-03-20")), pauses_of(("2019-03-28", "2019-04-05"))
    )
    assert (both.led, both.did_not, both.unsettled) == (1, 0, 1)
    # Not all of December's days leave a stand-down time to be seen.
    late = MODEL.fit(
        incidents(("2019-12-01", "2019-12-31")), pauses_of(("2019-03-28", "2019-04-05"))
    )
    assert late.did_not == 0
    assert late.recent[0].ruled_out == pytest.approx(1 - late.recent[0].begins.sum())
    assert 0.7 < late.recent[0].ruled_out < 0.8
    assert any("any day of their interval" in note for note in late.notes)


def test_attacks_in_a_blind_span_are_not_settled() -> None:
    words = {"cause": "rocket attacks", "scope": "operations", "before": "2020-05-01"}
    past = tempo.load_dataset("iraq-coalition").before("2020-05-01")
    heavy = past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    fits = {
        how: tempo.StandDown("10-30 %", "5-30 days").fit(
            heavy, tempo.Pauses.load("iraq-coalition", **words, other_causes=how)
        )
        for how in ("blind", "ignored")
    }
    assert (fits["blind"].led, fits["blind"].did_not) == (1, 2)
    assert fits["ignored"].did_not >= 4  # those of 11 and 14 March count as having led to nothing
    assert fits["blind"].chance[1].moments()[0] > fits["ignored"].chance[1].moments()[0]
    assert any("could not be seen" in note for note in fits["blind"].notes)
    said = fits["blind"].describe()
    assert "Other causes (COVID-19) stopped or cut operations from 2020-03-01 to 2020-04-30" in said
    assert "not settled" in said


def test_the_same_seed_gives_the_same_assignments() -> None:
    attacks, pauses = attacks_on(*["2019-03-01"] * 3), pauses_of(("2019-03-06", "2019-03-16"))
    one, two, three = (MODEL.fit(attacks, pauses, rng=seed).sampled for seed in (0, 0, 1))
    assert (one.probability == two.probability).all()
    assert (one.probability != three.probability).any()


def test_where_a_thousand_attacks_share_a_pause_nothing_is_learned() -> None:
    counts = attacks_on()
    counts.loc["2019-03-01":"2019-03-20"] = 200
    fit = MODEL.fit(counts, pauses_of(("2019-03-10", "2019-03-20")))
    assert fit.chance[0] == fit.chance[1]
    assert set(fit.status) == {"assumption"}
    assert any("nothing was learned" in note for note in fit.notes)


@pytest.mark.parametrize("as_of", [END, None])
def test_odd_records_get_an_answer(as_of) -> None:
    table = pd.DataFrame(
        {
            "start": ["2019-03", "2019-06-01", "2019-06-20"],
            "end": ["2019-04-20", None, "2019-06-20"],
        }
    ).assign(cause="attacks", scope="")
    pauses = tempo.Pauses.from_table(
        table.iloc[[0, 2]], cause="attacks", before=as_of, blind=[("2019-01-01", "2019-02-01")]
    )
    none = MODEL.fit(attacks_on(), pauses)
    assert (none.led, none.did_not, none.unsettled, none.n_pauses) == (0, 0, 0, 0)
    years = tempo.Incidents(
        pd.DataFrame({"date_start": [FIRST] * 3, "date_end": [END - pd.Timedelta("1D")] * 3}),
        (FIRST, END),
    )
    vague = MODEL.fit(years, pauses)
    assert (vague.led, vague.did_not) == (2, 0)
    assert set(vague.status) == {"assumption"}
    open_ended = tempo.Pauses.from_table(table, cause="attacks", before=as_of)
    assert MODEL.fit(attacks_on("2019-05-30", "2019-06-15"), open_ended).n_pauses == 2


# -- simulation ------------------------------------------------------------------------------------------------------


def record(rng, days, chance, middle, spread, delay):
    spans: list[list[int]] = []
    begun = []
    for day in days[rng.random(len(days)) < chance]:
        start = int(day + rng.integers(delay[0], delay[1] + 1))
        begun.append((start, start + max(round(math.exp(rng.normal(middle, spread))), 1)))
    for start, stop in sorted(begun):
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], stop)
        else:
            spans.append([start, stop])
    return spans


@pytest.mark.slow
@pytest.mark.parametrize(("chance", "gap"), [(0.3, 8), (0.6, 15)])
def test_intervals_hold_the_truth_where_attacks_are_dense(chance, gap) -> None:
    """Sixty attacks, records made with the model itself: 90 % intervals of probability and of the absorbable gap."""
    model = tempo.StandDown("5-90 %", "2-60 days")
    middle, spread, number = math.log(12), 0.6, 60
    gap_days = chance * mean_days(np.array([middle]), np.array([spread]))[0] / -math.log(0.75)
    inside = np.zeros((40, 2))
    ratio = []
    for seed in range(len(inside)):
        rng = np.random.default_rng([seed, gap])
        days = np.arange(number) * gap + rng.integers(0, gap // 2, number)
        end = FIRST + pd.Timedelta(days=number * gap)
        spans = [
            (FIRST + pd.Timedelta(days=start), FIRST + pd.Timedelta(days=stop))
            for start, stop in record(rng, days, chance, middle, spread, model.delay_days)
            if start < number * gap
        ]
        counts = pd.Series(0, index=pd.date_range(FIRST, periods=number * gap))
        counts.iloc[days] += 1
        fit = model.fit(counts, pauses_of(*spans, end=end))
        low, high = fit.chance[1].quantile(np.array([0.05, 0.95]))
        gaps = 1 / fit.absorbable_per_day(0.25, 3000, np.random.default_rng(1))
        short, long = np.quantile(gaps, [0.05, 0.95])
        inside[seed] = low <= chance <= high, short <= gap_days <= long
        ratio.append(np.median(gaps) / gap_days)
    # Of 40 intervals that hold with 90 %, fewer than 31 do in one of two hundred runs.
    assert (inside.sum(axis=0) >= 31).all()
    assert np.mean(ratio) == pytest.approx(1, abs=0.15)
