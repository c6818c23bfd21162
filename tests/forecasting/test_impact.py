"""Stand-downs and days lost, against closed forms, naive loops and plain quadrature."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import tempo
from tempo.errors import DataError, FewEventsWarning, OptionError, ScenarioError
from tempo.forecasting.impact_days import _blocks, changes_of, lost_days
from tempo.forecasting.impact_elicited import BetaChance, Durations, chance_interval, days_interval
from tempo.forecasting.impact_links import Recent
from tempo.forecasting.impact_standdown import StandDownFit, mean_days
from tempo.forecasting.outlook import Outlook, paths_array

END = pd.Timestamp("2020-03-12")


def outlook(counts, name="made up", deaths=None) -> Outlook:
    starts = pd.date_range(END, periods=counts.shape[1], freq="1D", unit="us")
    return Outlook(
        counts=paths_array(counts, starts),
        name=name,
        label="heavy strike",
        rule="made up",
        cutoff=END,
        bin_days=np.ones(counts.shape[1]),
        seed="0",
        deaths=None if deaths is None else paths_array(deaths, starts, "deaths"),
    )


def known(chance: float, days: float, spread: float = 1e-6, delay=(1, 1)) -> StandDownFit:
    """A stand-down of which everything is known but luck."""
    model = tempo.StandDown("10-30 %", "5-30 days", delay_days=delay)
    one = np.array([[math.log(days)]] * 2).T
    sure = Durations(
        0.0, 1.0, np.column_stack([one[:, 0], one[:, 0] + 1e-12]), np.array([[spread]]),
        np.zeros((1, 2)), np.array([[1.0, 0.0]]),
    )  # fmt: skip
    size = 1e6
    beta = BetaChance(size * chance, size * (1 - chance))
    return StandDownFit(model, (beta, beta), (sure, sure))


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("10-30 %", (0.1, 0.3)),
        ("10 % to 30 percent", (0.1, 0.3)),
        ("2.5–5%", (0.025, 0.05)),
        ("1 in 10 to one in 4", (0.1, 0.25)),
        ((0.2, 0.4), (0.2, 0.4)),
    ],
)
def test_probabilities_in_words(said, wanted) -> None:
    assert chance_interval(said) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "said",
    [
        "20 %",
        "30-10 %",
        "0-10 %",
        "50-120 %",
        "often",
        (0.3, 0.1),
        (0.1,),
        0.2,
        None,
        "1 in 0 to 1 in 3",
    ],
)
def test_probabilities_that_are_none(said) -> None:
    with pytest.raises(ScenarioError, match=r"Accepted forms: '10-30 %'"):
        chance_interval(said)


@pytest.mark.parametrize("said", ["5", "30-5 days", (30, 5), (0, 5), 7, None, (1, math.inf)])
def test_durations_that_are_none(said) -> None:
    with pytest.raises(ScenarioError, match=r"duration|range"):
        days_interval(said)


@given(
    low=st.floats(0.005, 0.8),
    width=st.floats(0.02, 0.5),
    prob=st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
@settings(max_examples=40, deadline=None)
def test_beta_has_the_interval_that_was_said(low, width, prob) -> None:
    high = min(low + width, 0.99)
    chance = BetaChance.within(low, high, prob)
    tails = stats.beta.cdf([low, high], chance.a, chance.b)
    assert tails == pytest.approx([(1 - prob) / 2, (1 + prob) / 2], abs=1e-6)


def test_a_probability_that_is_all_but_certain_either_way_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no Beta"):
        BetaChance.within(0.3, 0.3 + 1e-13)


@pytest.mark.parametrize(("low", "high", "prob"), [(5, 30, 0.9), (1, 2, 0.5), (3, 400, 0.95)])
def test_duration_has_the_interval_that_was_said(low, high, prob) -> None:
    durations = Durations.within(low, high, prob)
    assert durations.chance_within(low, high) == pytest.approx(prob, abs=1e-7)
    rng = np.random.default_rng(1)
    middle, spread = durations.draw(200_000, rng)
    drawn = np.exp(middle + spread * rng.standard_normal(200_000))
    assert np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2]) == pytest.approx(
        [low, high], rel=0.03
    )


# -- learning --------------------------------------------------------------------------------------------------------


def test_partly_settled_attacks_against_quadrature() -> None:
    chance = BetaChance(2.0, 6.0).updated(1, 3, (0.5, 0.2))

    def density(p: float) -> float:
        return p**2 * (1 - p) ** 8 * (1 - 0.5 * p) * (1 - 0.2 * p)

    total = integrate.quad(density, 0, 1)[0]
    mean = integrate.quad(lambda p: p * density(p), 0, 1)[0] / total
    second = integrate.quad(lambda p: p * p * density(p), 0, 1)[0] / total
    assert chance.moments() == pytest.approx((mean, math.sqrt(second - mean**2)), rel=1e-4)
    median = float(chance.quantile(np.array([0.5]))[0])
    assert integrate.quad(density, 0, median)[0] / total == pytest.approx(0.5, abs=1e-3)


def test_durations_against_quadrature() -> None:
    """Two pauses, one known to an interval and one still going on; the grid against nested integration."""
    prior = Durations.within(5, 30)
    found = prior.given(np.array([10.0, 40.0]), np.array([25.0, np.inf]))

    def likelihood(mu: float, sigma: float) -> float:
        first = stats.norm.cdf((math.log(25.5) - mu) / sigma) - stats.norm.cdf(
            (math.log(9.5) - mu) / sigma
        )
        return float(first * stats.norm.sf((math.log(39.5) - mu) / sigma))

    total = moment = 0.0
    for log_ratio in np.linspace(-1.5, 1.5, 31):
        sigma = prior.scale * math.exp(log_ratio)
        weight = stats.norm.pdf(log_ratio, 0, 0.5)

        def density(mu: float, sigma: float = sigma) -> float:
            return float(stats.norm.pdf(mu, prior.centre, prior.scale)) * likelihood(mu, sigma)

        ends = prior.centre - 6 * prior.scale, prior.centre + 6 * prior.scale
        total += weight * integrate.quad(density, *ends, epsrel=1e-7)[0]
        moment += weight * integrate.quad(lambda mu: mu * density(mu), *ends, epsrel=1e-7)[0]
    assert found.log_median_moments()[0] == pytest.approx(moment / total, abs=1e-5)
    assert found.log_median_moments()[0] > prior.log_median_moments()[0]


def test_many_known_pauses_give_their_own_mean_and_spread() -> None:
    days = np.rint(np.exp(np.random.default_rng(4).normal(2.5, 0.3, 400)))
    found = Durations.within(1, 100).given(days, days)
    mean, sd = found.log_median_moments()
    assert mean == pytest.approx(np.log(days).mean(), abs=0.01)
    assert sd == pytest.approx(np.log(days).std() / 20, rel=0.15)
    spread = float((found.weights * found.spread).sum())
    assert spread == pytest.approx(np.log(days).std(), rel=0.1)


PAUSES = pd.DataFrame(
    {
        "start": ["2020-01-05", "2020-01-05", "2020-02-20"],
        "end": ["2020-01-15", "2020-01-30", None],
        "cause": ["rocket attacks", "same", "same, then something else"],
        "scope": ["operations", "joint operations", "operations"],
    }
)


def test_accounts_of_one_pause_are_an_interval_and_open_ends_stay_open() -> None:
    pauses = tempo.Pauses.from_table(PAUSES, cause="rocket", scope="operations", before=END)
    first, second = pauses
    assert (first.shortest_days, first.longest_days, first.accounts) == (10.0, 25.0, 2)
    assert (second.shortest_days, second.longest_days, second.open) == (21.0, math.inf, True)
    early = tempo.Pauses.from_table(PAUSES, cause="rocket", before="2020-01-20")
    assert (early.items[0].shortest_days, early.items[0].longest_days) == (10.0, math.inf)
    assert not early.items[0].open
    none = tempo.Pauses.from_table(PAUSES, cause="rocket", before="2019-12-01")
    assert len(none) == 0


def test_an_account_without_end_leaves_the_end_open() -> None:
    table = PAUSES.iloc[:2].assign(end=["2020-01-15", None])
    pause = tempo.Pauses.from_table(table, cause="rocket").items[0]
    assert (pause.shortest_days, pause.longest_days, pause.open) == (10.0, math.inf, False)


def test_bad_tables_of_pauses() -> None:
    with pytest.raises(DataError, match="lacks cause"):
        tempo.Pauses.from_table(PAUSES.drop(columns="cause"), cause="rocket")
    with pytest.raises(DataError, match="row 1"):
        tempo.Pauses.from_table(
            PAUSES.assign(end=["2020-01-15", "2019-01-01", None]), cause="rocket"
        )


def test_the_shipped_pause_is_one_of_ten_to_twenty_five_days() -> None:
    pauses = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="operations", before=END
    )
    assert [(p.shortest_days, p.longest_days, p.accounts) for p in pauses] == [(10.0, 25.0, 2)]
    training = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="training", before=END
    )
    assert [(p.shortest_days, p.open) for p in training] == [(67.0, True)]
    virus = tempo.Pauses.load("iraq-coalition", cause="COVID", before="2021-01-01")
    assert len(virus) >= 2


def attacks_on(*days: str) -> pd.Series:
    index = pd.date_range("2019-11-01", END - pd.Timedelta("1D"))
    return pd.Series(0, index=index).add(
        pd.Series(list(days)).value_counts().rename(pd.Timestamp), fill_value=0
    )


def test_attacks_are_linked_counted_and_left_open() -> None:
    pauses = tempo.Pauses.from_table(PAUSES.iloc[:2], cause="rocket", before=END)
    model = tempo.StandDown("10-30 %", "5-30 days", delay_days=(1, 10))
    fit = model.fit(
        attacks_on("2019-11-20", "2019-12-27", "2020-01-02", "2020-01-08", "2020-03-05"), pauses
    )
    # 27 December or 2 January led to the pause; 8 January came while operations had stopped; of the ten days after 5
    # March, six have passed.
    assert (fit.led, fit.did_not, fit.unsettled, fit.pending) == (1, 1, 3, (7,))
    assert fit.recent[0].ruled_out == pytest.approx(0.6)
    assert any("while operations had stopped" in note for note in fit.notes)
    # Without the doubtful ones it is exact.
    plain = model.fit(attacks_on("2019-11-20", "2020-01-02", "2020-03-05"), pauses)
    assert (plain.led, plain.did_not, plain.pending, plain.sampled) == (1, 1, (7,), None)
    assert plain.chance[1].partly == pytest.approx((0.6,))
    prior = plain.chance[0]
    assert (plain.chance[1].a, plain.chance[1].b) == pytest.approx((prior.a + 1, prior.b + 1))
    assert any("rests on what was assumed" in note for note in fit.notes)


def test_either_of_two_attacks_may_be_the_one_that_led() -> None:
    table = PAUSES.iloc[:1].assign(start="2020-03-10", end=None)
    pauses = tempo.Pauses.from_table(table, cause="rocket", before=END)
    model = tempo.StandDown("10-30 %", "5-30 days", delay_days=(1, 10))
    fit = model.fit(attacks_on("2020-03-01", "2020-03-08"), pauses)
    assert (fit.led, fit.did_not, fit.unsettled, fit.pending) == (1, 0, 1, (4,))
    assert fit.going_on_days == (2.0,)


def test_a_pause_that_no_attack_came_before_is_not_used() -> None:
    pauses = tempo.Pauses.from_table(PAUSES.iloc[:2], cause="rocket", before=END)
    fit = tempo.StandDown("10-30 %", "5-30 days").fit(attacks_on("2019-11-20"), pauses)
    assert (fit.led, fit.n_pauses) == (0, 0)
    assert any("was not used" in note for note in fit.notes)


def test_what_became_known_later_changes_nothing_or_is_refused() -> None:
    attacks = attacks_on("2019-11-20", "2019-12-27")
    model = tempo.StandDown("10-30 %", "5-30 days")
    fits = []
    for end in ("2020-03-20", "2021-01-01", None):
        table = PAUSES.assign(end=["2020-01-15", "2020-01-30", end])
        fits.append(model.fit(attacks, tempo.Pauses.from_table(table, cause="rocket", before=END)))
    assert len({(fit.led, fit.durations[1].log_median_moments()) for fit in fits}) == 1
    for before in (None, "2020-06-01", "2020-02-25"):
        later = tempo.Pauses.from_table(
            PAUSES.assign(end="2020-05-01"), cause="rocket", before=before
        )
        with pytest.raises(DataError, match="before='2020-03-12'"):
            model.fit(attacks, later)


@pytest.mark.slow
def test_simulation_based_calibration() -> None:
    """Truths from the prior, records made with them (ends known to a week), ranks in the posterior uniform."""
    model = tempo.StandDown("10-50 %", "4-40 days", delay_days=(1, 7))
    prior = model.fit()
    rng = np.random.default_rng(11)
    days = pd.date_range("2000-01-01", periods=2400)
    ranks = []
    for _ in range(120):
        chance, middle, spread = (float(part[0]) for part in prior.draw(1, rng))
        attacks = pd.Series(0, index=days)
        attacks.iloc[::200] = 1
        rows = []
        for day in days[::200]:
            if rng.random() < chance:
                start = day + pd.Timedelta(days=int(rng.integers(1, 8)))
                lasted = max(round(math.exp(middle + spread * rng.standard_normal())), 1)
                week = lasted // 7 * 7
                rows += [(start, start + pd.Timedelta(days=week + k)) for k in (0, 6)]
        table = pd.DataFrame(rows, columns=["start", "end"]).assign(cause="attack", scope="")
        fit = model.fit(
            attacks, tempo.Pauses.from_table(table, cause="attack", before="2006-07-28")
        )
        drawn = fit.draw(500, rng)
        ranks.append(
            [(drawn[0] < chance).mean(), (drawn[1] < middle).mean(), (drawn[2] < spread).mean()]
        )
    for column in np.array(ranks).T:
        found, _ = np.histogram(column, bins=6, range=(0, 1.0001))
        assert stats.chisquare(found).pvalue > 0.001


def test_label_moves_from_assumption_to_estimate_with_the_data() -> None:
    rng = np.random.default_rng(2)
    days = pd.date_range("2000-01-01", periods=9000)
    attacks = pd.Series(0, index=days)
    attacks.iloc[::60] = 1
    hit = days[::60][rng.random(150) < 0.3]
    table = pd.DataFrame(
        {
            "start": hit + pd.Timedelta("2D"),
            "end": hit + pd.to_timedelta(2 + rng.integers(8, 16, len(hit)), unit="D"),
            "cause": "attack",
            "scope": "",
        }
    )
    fit = tempo.StandDown("5-60 %", "2-100 days").fit(
        attacks, tempo.Pauses.from_table(table, cause="attack")
    )
    assert fit.led + fit.did_not == 150
    assert fit.led == len(hit)
    assert set(fit.status) == {"estimate"}
    low, high = fit.summary().loc["probability", ["low", "high"]]
    assert low < 0.3 < high
    assert set(tempo.StandDown("5-60 %", "2-100 days").fit().status) == {"assumption"}
    assert "an estimate" in fit.describe()


def test_what_cannot_be_learned_is_refused() -> None:
    model = tempo.StandDown("10-30 %", "5-30 days")
    pauses = tempo.Pauses.from_table(PAUSES, cause="rocket", before=END)
    with pytest.raises(DataError, match="without attacks"):
        model.fit(pauses=pauses)
    with pytest.raises(DataError, match="pauses is a DataFrame"):
        model.fit(attacks_on("2019-12-27"), PAUSES)
    weekly = pd.Series([1, 0, 2], index=pd.date_range("2020-01-06", periods=3, freq="7D"))
    with pytest.raises(DataError, match="bins of 7 days"):
        model.fit(weekly, pauses)
    lethal = tempo.StandDown("10-30 %", "5-30 days", trigger="lethal attack")
    with pytest.raises(DataError, match="which attacks were lethal"):
        lethal.fit(attacks_on("2019-12-27"), pauses)
    for wrong in (
        {"delay_days": (3, 1)},
        {"delay_days": 5},
        {"delay_days": (1.5, 3)},
        {"trigger": "salvo"},
        {"prob": 1.0},
        {"prob": "x"},
    ):
        with pytest.raises(OptionError):
            tempo.StandDown("10-30 %", "5-30 days", **wrong)


def test_attacks_without_pauses_teach_nothing() -> None:
    fit = tempo.StandDown("10-30 %", "5-30 days").fit(attacks_on("2019-12-27"))
    assert fit.from_data.tolist() == [0.0, 0.0]
    assert any("everything about stand-downs is assumed" in note for note in fit.notes)


# -- days lost -------------------------------------------------------------------------------------------------------


@given(
    stand_downs=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 25), st.integers(-2, 30)), max_size=30
    )
)
@settings(max_examples=150, deadline=None)
def test_merged_days_against_a_naive_loop(stand_downs) -> None:
    who, start, days = (np.array([row[i] for row in stand_downs], dtype=np.int64) for i in range(3))
    found = changes_of(who, start, days, 4, 20).cumsum(axis=1)[:, :20] > 0
    lost = {(w, t) for w, s, d in stand_downs for t in range(s, s + d) if t < 20}
    assert {(int(w), int(t)) for w, t in np.argwhere(found)} == lost


@pytest.mark.parametrize(
    ("rate", "chance", "days"), [(0.05, 0.2, 15), (0.3, 0.5, 4), (1.0, 0.1, 8)]
)
def test_share_lost_in_the_long_run_is_that_of_infinitely_many_servers(rate, chance, days) -> None:
    counts = np.random.default_rng(1).poisson(rate, (400, 1000))
    lost = lost_days(counts, known(chance, days), np.random.default_rng(2))[:, 100:]
    wanted = 1 - math.exp(-rate * chance * days)
    error = lost.mean(axis=1).std() / 20
    assert abs(lost.mean() - wanted) < 4 * error
    assert error < 0.02


def test_absorbable_tempo_is_the_rate_at_which_the_share_is_lost() -> None:
    fit = tempo.StandDown("10-30 %", "5-30 days").fit()
    share = 0.25
    rates = fit.absorbable_per_day(share, 4000, np.random.default_rng(5))
    chance, middle, spread = fit.draw(4000, np.random.default_rng(5))
    again = 1 - np.exp(-rates * chance * mean_days(middle, spread))
    assert again == pytest.approx(np.full(4000, share))
    # One draw, by simulation: attacks at that rate lose that share.
    p, m, s = float(chance[0]), float(middle[0]), float(spread[0])
    counts = np.random.default_rng(1).poisson(rates[0], (400, 1200))
    lost = lost_days(counts, known(p, math.exp(m), s), np.random.default_rng(2))[:, 200:]
    assert lost.mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("said", ["0.3-1 days", "0.5-3 days", "3-10 days"])
def test_absorbable_tempo_counts_whole_days_as_the_simulation_does(said) -> None:
    """At the rate said to cost a quarter of the days, each draw with its own parameters, simulation loses a quarter."""
    fit = tempo.StandDown("80-95 %", said).fit()
    rates = fit.absorbable_per_day(0.25, 3000, np.random.default_rng(5))
    counts = np.random.default_rng(1).poisson(rates[:, None], (3000, 300))
    chance, middle, spread = fit.draw(3000, np.random.default_rng(5))

    class Drawn(StandDownFit):
        def draw(self, n, rng):
            return chance, middle, spread

    drawn = Drawn(fit.model, fit.chance, fit.durations)
    lost = lost_days(counts, drawn, np.random.default_rng(2))[:, 60:].mean(axis=1)
    assert lost.mean() == pytest.approx(0.25, abs=4 * lost.std() / math.sqrt(3000))
    assert lost.std() / math.sqrt(3000) < 0.003


@pytest.mark.parametrize(("middle", "spread"), [(-2.0, 0.4), (0.3, 1.5), (3.0, 0.5), (5.5, 1.0)])
def test_mean_of_whole_days_against_a_plain_sum(middle, spread) -> None:
    ends = np.arange(1, 200_000) + 0.5
    wanted = 1 + stats.norm.sf((np.log(ends) - middle) / spread).sum()
    found = mean_days(np.array([middle]), np.array([spread]))[0]
    assert found == pytest.approx(wanted, rel=1e-5)


def test_recent_attacks_may_still_stop_operations() -> None:
    """An attack three days ago, delays of 1 to 4 days: two of the four have passed, as a conditional probability."""
    fit = dataclasses.replace(known(0.4, 5, delay=(1, 4)), recent=(Recent.of(3, (1, 4)),))
    lost = lost_days(np.zeros((20_000, 10), dtype=np.int64), fit, np.random.default_rng(1))
    yet = 0.4 * 0.5 / (1 - 0.4 * 0.5)
    assert lost.any(axis=1).mean() == pytest.approx(yet, abs=0.01)
    assert lost[:, 0].mean() == pytest.approx(yet / 2, abs=0.01)  # begins today or tomorrow
    assert not lost[:, 6:].any()
    assert lost[lost.any(axis=1)].sum(axis=1).tolist() == [5] * int(lost.any(axis=1).sum())


def test_a_pause_that_goes_on_lasts_as_long_as_those_that_lasted_so_far() -> None:
    fit = dataclasses.replace(known(0.4, 10, spread=0.5), going_on_days=(8.0,))
    left = lost_days(np.zeros((20_000, 200), dtype=np.int64), fit, np.random.default_rng(1)).sum(
        axis=1
    )
    every = np.rint(np.exp(np.random.default_rng(2).normal(math.log(10), 0.5, 200_000)))
    wanted = every[every >= 8] - 8
    assert left.mean() == pytest.approx(wanted.mean(), rel=0.02)
    assert np.quantile(left, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(wanted, [0.1, 0.5, 0.9]), abs=1
    )


def test_blocks_cover_all_draws_once(monkeypatch) -> None:
    import tempo.forecasting.impact_days as room

    counts = np.random.default_rng(1).poisson(2.0, (500, 30))
    whole = lost_days(counts, known(0.3, 4), np.random.default_rng(3)).mean()
    monkeypatch.setattr(room, "_AT_ONCE", 1000)
    blocks = _blocks(counts)
    assert len(blocks) > 20
    assert np.concatenate([np.arange(500)[b] for b in blocks]).tolist() == list(range(500))
    assert lost_days(counts, known(0.3, 4), np.random.default_rng(3)).mean() == pytest.approx(
        whole, abs=0.02
    )
    assert _blocks(np.zeros((0, 3), dtype=np.int64)) == []


# -- tempo.impact ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    calm = outlook(rng.poisson(1 / 75, (4000, 90)), "calm")
    busy = outlook(rng.poisson(1 / 12, (4000, 90)), "busy")
    return tempo.impact(
        {"calm": calm, "busy": busy}, tempo.StandDown("10-30 %", "5-30 days"), rng=7
    )


def test_tables_agree_with_the_days(result) -> None:
    days = result.days("busy")
    row = result.table(0.8).loc["busy"]
    assert row["mean_days"] == pytest.approx(days.mean())
    assert row["high_days"] == np.quantile(days, 0.9, method="inverted_cdf")
    assert row["probability_over_share"] == pytest.approx((days > 22.5).mean())
    assert result.probability(lost_days=0)["busy"] == pytest.approx((days > 0).mean())
    assert result.probability(lost_days=30)["busy"] == pytest.approx((days > 30).mean())
    assert result.table()["mean_days"]["calm"] < result.table()["mean_days"]["busy"]
    labels = result.labels()
    assert set(labels["status"]) == {"assumption"}
    assert "absorbable tempo" in labels.index
    rate = result.absorbable()
    assert rate["low_gap_days"] == pytest.approx(1 / rate["high_per_day"])


def test_the_sentence_says_what_it_rests_on(result) -> None:
    said = result.describe()
    assert "assumptions worked out" in said
    assert "given its scenario" in said
    assert "calm: 0 to" in said
    for word in ("because", "caused", "due to", "nan"):
        assert word not in said
    assert "assumption" in repr(result)
    assert "<table" in result._repr_html_()


def test_the_same_seed_gives_the_same_days_and_scenarios_share_draws() -> None:
    rng = np.random.default_rng(1)
    one = outlook(rng.poisson(0.1, (500, 60)), "one")
    model = tempo.StandDown("10-30 %", "5-30 days")
    first, second = (tempo.impact(one, model, rng=3) for _ in range(2))
    assert (first.days("one") == second.days("one")).all()
    both = tempo.impact({"a": one, "b": dataclasses.replace(one, name="b")}, model, rng=3)
    assert (both.days("a") == both.days("b")).all()


def test_lethal_attacks_alone_may_stop_operations() -> None:
    counts = np.ones((2000, 30), dtype=np.int64)
    deaths = np.zeros_like(counts)
    deaths[:, 5] = 2
    model = tempo.StandDown("40-60 %", "5-6 days", delay_days=(1, 1), trigger="lethal attack")
    found = tempo.impact(outlook(counts, deaths=deaths), model, rng=1)
    lost = found.lost["made up"].to_numpy()
    assert not lost[:, :6].any()
    assert lost[:, 6].mean() == pytest.approx(0.5, abs=0.05)
    assert found.attacks["made up"].tolist() == [1] * 2000
    with pytest.raises(OptionError, match="holds no deaths"):
        tempo.impact(outlook(counts), model, rng=1)


def test_forecasts_with_kinds_are_summed() -> None:
    plain = outlook(np.random.default_rng(1).poisson(0.1, (300, 40)))
    halves = xr.concat([plain.counts, 0 * plain.counts], dim="kind").transpose(
        "draw", "time", "kind"
    )
    model = tempo.StandDown("10-30 %", "5-30 days")
    found = tempo.impact(dataclasses.replace(plain, counts=halves), model, rng=2)
    assert (found.days("made up") == tempo.impact(plain, model, rng=2).days("made up")).all()


def test_weights_bring_their_scenarios_and_the_mixture() -> None:
    class Weighed:
        def outlooks(self, horizon, draws, rng, *, lethality):
            self.asked = (horizon, draws)
            return {"a": outlook(np.zeros((draws, 30), dtype=np.int64), "a")}

        def outlook(self, horizon, draws, rng, *, lethality):
            return outlook(np.zeros((draws, 30), dtype=np.int64), "scenario mixture")

    weighed = Weighed()
    model = tempo.StandDown("10-30 %", "5-30 days")
    for wrong in ({"horizon": "banana"}, {"draws": 0}):
        with pytest.raises(OptionError):
            tempo.impact(weighed, model, **wrong)
    found = tempo.impact(weighed, model, horizon="30D", draws=50, rng=1)
    assert found.scenarios == ("a", "scenario mixture")
    assert weighed.asked == ("30D", 50)


def test_scenarios_with_deaths_from_weights() -> None:
    past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    often = tempo.Scenario.every("1-2 weeks", name="often")
    rare = tempo.Scenario.every("1-2 months", name="rare")
    weights = tempo.weigh(past, [often, rare], rng=1)
    with pytest.warns(FewEventsWarning):
        deadly = tempo.Lethality().fit(past, rng=1)
    model = tempo.StandDown("10-30 %", "5-30 days", trigger="lethal attack")
    found = tempo.impact(weights, model, horizon="60D", draws=500, lethality=deadly, rng=1)
    assert found.label == "lethal attacks"
    every = tempo.impact(
        weights, tempo.StandDown("10-30 %", "5-30 days"), horizon="60D", draws=500, rng=1
    )
    assert found.days("often").mean() < every.days("often").mean()
    with pytest.raises(OptionError, match="lethality= is for Weights"):
        tempo.impact(weights.outlooks("30D", 10, 1), model, lethality=deadly)


def test_what_does_not_fit_together_is_refused() -> None:
    one = outlook(np.zeros((10, 30), dtype=np.int64))
    model = tempo.StandDown("10-30 %", "5-30 days")
    with pytest.raises(OptionError, match="different times"):
        tempo.impact({"a": one, "b": outlook(np.zeros((10, 20), dtype=np.int64))}, model)
    with pytest.raises(OptionError, match="bins of 7 days"):
        tempo.impact(dataclasses.replace(one, bin_days=np.full(30, 7.0)), model)
    with pytest.raises(OptionError, match="share is 2"):
        tempo.impact(one, model, share=2)
    with pytest.raises(OptionError, match="no forecast"):
        tempo.impact({}, model)
    with pytest.raises(OptionError, match="expected an Outlook"):
        tempo.impact(3, model)
    with pytest.raises(OptionError, match=r"expected tempo\.StandDown"):
        tempo.impact(one, "10-30 %")
    late = dataclasses.replace(model.fit(), cutoff=END + pd.Timedelta("1D"))
    with pytest.raises(OptionError, match="Cut both at the same date"):
        tempo.impact(one, late)
    for name, value in (("horizon", "30D"), ("horizon", "banana"), ("draws", 0), ("draws", 10)):
        for forecasts in (one, {"a": one}):
            with pytest.raises(OptionError, match=f"{name} is .* bring their own"):
                tempo.impact(forecasts, model, **{name: value})
    with pytest.raises(OptionError, match="the forecast 'a' is a Series"):
        tempo.impact({"a": pd.Series([1.0])}, model)
    found = tempo.impact(one, model, rng=1)
    with pytest.raises(OptionError, match="prob is 'x'"):
        found.table("x")
    with pytest.raises(OptionError, match="no scenario 'b'"):
        found.days("b")
    for wrong in (-1, 1.5):
        with pytest.raises(OptionError, match="lost_days"):
            found.probability(wrong)
    with pytest.raises(OptionError, match="prob is 2"):
        found.table(2)


def test_the_question_of_march_2020() -> None:
    """Three attacks with a known outcome and one pause: the answer is an assumption, and says so."""
    past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    heavy = past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    pauses = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12"
    )
    fit = tempo.StandDown("10-30 %", "5-30 days").fit(heavy, pauses)
    assert (fit.led, fit.did_not, fit.pending, fit.n_pauses) == (1, 2, (1,), 1)
    assert fit.from_data["probability"] < 0.1 < fit.from_data["duration"] < 0.5
    found = tempo.impact(
        tempo.forecast(tempo.ConstantRate().fit(heavy, rng=1), "90D", rng=1), fit, rng=7
    )
    assert found.status == "assumption"
    assert 4 < found.absorbable()["low_gap_days"] < found.absorbable()["high_gap_days"] < 25
    assert 0.3 < found.probability(0)["ConstantRate"] < 0.6


def test_the_page_says_what_the_code_gives(repository) -> None:
    """The tables of docs/operations.md, made anew."""
    page = (repository / "docs" / "operations.md").read_text(encoding="utf-8")
    past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    heavy = past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    pauses = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12"
    )
    sporadic = tempo.Scenario.every("2-3 months", name="sporadic")
    escalation = tempo.Scenario.escalation(heavy, (3, 8), name="escalation")
    weights = tempo.weigh(heavy, [sporadic, escalation], prior=[0.7, 0.3], rng=7)
    outlooks = {
        **weights.outlooks("90D", 10_000, 7),
        "scenario mixture": weights.outlook("90D", 10_000, 7),
    }
    model = tempo.StandDown("10-30 %", "5-30 days")
    table = tempo.impact(outlooks, model.fit(heavy, pauses), rng=7).table()
    rows = [
        line
        for line in page.splitlines()
        if line.startswith(("| sporadic |", "| escalation |", "| scenario m"))
    ]
    assert len(rows) == 3
    for line, (name, row) in zip(rows, table.iterrows(), strict=True):
        _, said, interval, some, over, _ = (cell.strip() for cell in line.split("|"))
        assert said == name
        numbers = [
            int(part) for part in interval.replace("(", "").replace(")", "").split() if part != "to"
        ]
        found = row[["median_days", "low_days", "high_days"]].tolist()
        assert numbers == pytest.approx(found, abs=2)  # other draws of the same futures
        assert float(some.removesuffix("%")) / 100 == pytest.approx(
            row["probability_any"], abs=0.03
        )
        assert float(over.removesuffix("%")) / 100 == pytest.approx(
            row["probability_over_share"], abs=0.02
        )
