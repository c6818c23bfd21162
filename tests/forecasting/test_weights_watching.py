"""What follows from the odds: what would change them, futures, other assumptions, and what is not in the record."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import tempo
from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.reporting import ReportingDelay
from tempo.data.window import DAY
from tempo.errors import FewEventsWarning, OptionError, ScenarioError, UndecidedRowsWarning
from tempo.forecasting.killed import Killed
from tempo.forecasting.odds_words import words_table
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.story_kernels import futures, log_chance, silence
from tempo.forecasting.weigh_rules import weigh_rules
from tempo.forecasting.weighing import weigh
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.lethality import Lethality

RARE = Scenario.every("1-2 months", name="rare")
OFTEN = Scenario.every("1-2 weeks", name="often")


def attacks(days, n=100):
    values = np.zeros(n, dtype=int)
    np.add.at(values, list(days), 1)
    index = pd.date_range("2020-01-01", periods=n)
    return as_counts(pd.Series(values, index=index, name="raids"))


@pytest.fixture(scope="module")
def weights():
    return weigh(attacks([5, 30, 62, 90]), [RARE, OFTEN], prior={"often": 0.2, "rare": 0.8}, rng=5)


@pytest.fixture(scope="module")
def spread():
    """Negative binomial days."""
    past = attacks([5, 30, 62, 90, 90])
    return weigh(past, [RARE, OFTEN], prior=[0.8, 0.2], overdispersion=(0.999, 1.001), rng=5)


@pytest.mark.parametrize(
    ("y", "mean", "dispersion"), [*itertools.product((0, 1, 5, 90), (0.01, 3, 80), (0, 0.3, 4))]
)
def test_the_chance_of_a_day(y, mean, dispersion):
    law = (
        stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
        if dispersion
        else stats.poisson(mean)
    )
    found = log_chance(float(y), float(mean), float(dispersion)) - special.gammaln(y + 1)
    assert found == pytest.approx(law.logpmf(y), rel=1e-9, abs=1e-9)


def test_futures_have_the_moments_of_the_story():
    n, draws = 12, 200_000
    rate, branching = np.full((draws, n), 0.5), np.full((draws, n), 0.6)
    decay, dispersion, state = np.full(draws, 0.7), np.full(draws, 0.8), np.full(draws, 2.0)
    out = np.empty((draws, n), dtype=np.int64)
    futures(
        rate,
        branching,
        decay,
        dispersion,
        state,
        seeds(np.random.default_rng(1), draws),
        10**6,
        out,
    )
    mean, s = [], 2.0
    for _ in range(n):
        m = 0.5 + 0.6 * s
        mean.append(m)
        s = np.exp(-0.7) * s + (1 - np.exp(-0.7)) * m
    np.testing.assert_allclose(out.mean(axis=0), mean, rtol=0.02)
    assert out[:, 0].var() == pytest.approx(mean[0] + 0.8 * mean[0] ** 2, rel=0.03)
    quiet = np.empty((draws, n))
    silence(rate, branching, decay, dispersion, state, quiet)
    none = (np.cumsum(out, axis=1) == 0).mean(axis=0)
    np.testing.assert_allclose(np.exp(quiet[0, :6]), none[:6], atol=0.004)


def posterior(weights, scenario):
    past = weights.counts
    return scenario.rate.shape + past.events, scenario.rate.rate_days + past.exposure.sum()


@pytest.mark.parametrize("threshold", [0.6, 0.9])
def test_thresholds_are_bayes_in_closed_form(weights, threshold):
    table = weights.thresholds(threshold, ("30D", "90D"))
    for days in (30, 90):
        n = np.arange(40)
        laws = {}
        for scenario in (RARE, OFTEN):
            shape, rate = posterior(weights, scenario)
            laws[scenario.name] = stats.nbinom(shape, rate / (rate + days))
        joint = {k: law.pmf(n) * weights.probabilities[k] for k, law in laws.items()}
        often = joint["often"] / (joint["rare"] + joint["often"])
        least = int(np.argmax(often >= threshold))
        row = table.loc[(days, "often")]
        assert row["least"] == least
        assert row["attacks"] == f"{least} or more"
        assert row["chance under rare"] == pytest.approx(laws["rare"].sf(least - 1), abs=0.004)
        assert row["chance under often"] == pytest.approx(laws["often"].sf(least - 1), abs=0.004)
        assert row["by"] == weights.counts.end + pd.Timedelta(days=days - 1)
        rare = table.loc[(days, "rare")]
        most = n[(1 - often) >= threshold]
        assert rare["attacks"] == (
            "no number does"
            if not len(most)
            else "none"
            if most[-1] == 0
            else f"{most[-1]} or fewer"
        )


def test_the_time_to_a_decision_is_that_of_exact_odds():
    weights = weigh(attacks([5, 30, 62, 90]), [RARE, OFTEN], rng=5)
    table = weights.time_to_decision(0.9, "60D", futures=2000, rng=3)
    rng = np.random.default_rng(8)
    now = weights.probabilities.to_numpy()
    for k, truth in enumerate((RARE, OFTEN)):
        shape, rate = posterior(weights, truth)
        paths = rng.poisson(rng.gamma(shape, 1 / rate, size=2000)[:, None], size=(2000, 60))
        events, days = np.cumsum(paths, axis=1), np.arange(1, 61)
        logs = []
        for scenario in (RARE, OFTEN):
            a, b = posterior(weights, scenario)
            logs.append(
                a * np.log(b) - special.gammaln(a) + special.gammaln(a + events) - (a + events) * np.log(b + days)
            )  # fmt: skip
        odds = special.softmax(np.stack(logs, axis=2) + np.log(now), axis=2)
        passed = odds >= 0.9
        decided = passed.any(axis=(1, 2))
        first = passed.any(axis=2).argmax(axis=1)
        right = decided & passed[np.arange(2000), first, k]
        row = table.loc[truth.name]
        assert row["rightly"] == pytest.approx(right.mean(), abs=0.04)
        assert row["undecided"] == pytest.approx(1 - decided.mean(), abs=0.04)
        if decided.mean() > 0.2:
            mean = (first[decided] + 1).mean()
            assert row["mean_days_if_decided"] == pytest.approx(mean, abs=2.5)
    np.testing.assert_allclose(table[["rightly", "wrongly", "undecided"]].sum(axis=1), 1)
    mixed = (table.loc[["rare", "often"], "rightly"] * weights.probabilities).sum()
    assert table.loc["any", "rightly"] == pytest.approx(mixed)
    assert table.attrs["checked_every_days"] == 1


def test_what_is_decided_already_takes_no_time():
    past = attacks(range(0, 100, 3))
    table = weigh(past, [RARE, OFTEN], rng=1).time_to_decision(futures=20)
    assert (table["median_days"] == 0).all()
    assert table.loc["rare", "wrongly"] == pytest.approx(1)
    with pytest.raises(OptionError, match="threshold"):
        weigh(past, [RARE, OFTEN], rng=1).time_to_decision(0.4)


def test_the_ends_of_the_mixture_are_taken_apart(weights):
    table = weights.decomposition("60D", draws=40_000)
    n = np.arange(60)
    laws = []
    for scenario in (RARE, OFTEN):
        shape, rate = posterior(weights, scenario)
        laws.append(stats.nbinom(shape, rate / (rate + 60)))
    worth = weights.probabilities.to_numpy()
    mixed = worth @ np.array([law.cdf(n) for law in laws])
    for name, level in (("low", 0.05), ("median", 0.5), ("high", 0.95)):
        q = int(table.loc[name, "attacks"])
        assert mixed[q] > level - 0.01
        assert q == 0 or mixed[q - 1] < level + 0.01
        part = worth * np.array([law.sf(q - 1) if name == "high" else law.cdf(q) for law in laws])
        row = table.loc[name]
        assert row["chance"] == pytest.approx(part.sum(), abs=0.01)
        assert row["share of often"] == pytest.approx(part[1] / part.sum(), abs=0.03)


def test_a_day_effect_goes_into_chances_silence_check_and_outlook(spread):
    chances = spread.chances("40D")
    outlooks = spread.outlooks("40D", draws=20_000)
    for name in ("rare", "often"):
        totals = outlooks[name].totals()
        assert chances.loc[0, name] == pytest.approx(np.mean(totals == 0), abs=0.015)
        assert chances.loc[:2, name].sum() == pytest.approx(np.mean(totals <= 2), abs=0.015)
        assert chances[name].sum() == pytest.approx(1, abs=0.01)
    plain = weigh(spread.counts, [RARE, OFTEN], prior=[0.8, 0.2], rng=5)
    wider, narrow = spread.check().loc["often"], plain.check().loc["often"]
    assert wider["high"] > narrow["high"]
    n = np.arange(400)
    rate = OFTEN.rate.quantile((np.arange(2000) + 0.5) / 2000)
    law = (
        stats.nbinom(100.0, 1 / (1 + rate)).cdf(n[:, None]).mean(axis=1)
    )  # 100 days of dispersion 1
    assert wider["high"] == pytest.approx(np.argmax(law >= 0.975), abs=1)
    assert "dispersion" in " ".join(spread.notes)
    rows = np.array([spread.outlooks("1D", draws=60_000)["often"].totals()])
    assert rows.var() > rows.mean()


# -- other assumptions -------------------------------------------------------------------------------------------


def test_sensitivity_answers_again_with_one_thing_changed(weights):
    table = weights.sensitivity(since=["2020-01-20"], overdispersion=[(0.5, 2.0)])
    log = weights.log_evidence.to_numpy()
    for row in table.index:
        prior, after = table.loc[row, "prior"].to_numpy(), table.loc[row, "probability"].to_numpy()
        if row[0] in {"as asked", "prior"}:
            np.testing.assert_allclose(
                after, special.softmax(log + np.log(prior.astype(float))), atol=1e-9
            )
    halved = table.loc[("prior", "odds of 'often' halved"), "prior"]
    assert halved["often"] / halved["rare"] == pytest.approx(0.125)
    even = table.loc[("prior", "what makes 'often' an even bet"), "probability"]
    assert even.tolist() == pytest.approx([0.5, 0.5])
    since = weigh(weights.counts, [RARE, OFTEN], [0.8, 0.2], since="2020-01-20", rng=1)
    np.testing.assert_allclose(
        table.loc[("judged since", "2020-01-20"), "probability"].astype(float),
        since.probabilities,
        atol=1e-6,
    )
    effect = weigh(weights.counts, [RARE, OFTEN], [0.8, 0.2], overdispersion=(0.5, 2.0), rng=1)
    np.testing.assert_allclose(
        table.loc[("day effect", "0.5 to 2"), "probability"].astype(float),
        effect.probabilities,
        atol=0.01,
    )
    assert not table.loc[("as asked", ""), ("answer", "changed")]
    leading = table[("answer", "leading")] != weights.probabilities.idxmax()
    even_bet = table.index.get_level_values(1).str.contains("even bet")
    assert (table[("answer", "changed")] == (leading & ~even_bet)).all()


def test_three_scenarios_each_have_a_prior_that_makes_them_an_even_bet():
    busy = Scenario.every("2-4 days", name="busy")
    weights = weigh(attacks([5, 30, 62, 90]), [RARE, OFTEN, busy], [0.5, 0.3, 0.2], rng=1)
    table = weights.sensitivity(since=[], overdispersion=[])
    for name in ("rare", "often", "busy"):
        row = table.loc[("prior", f"what makes {name!r} an even bet")]
        assert row[("probability", name)] == pytest.approx(0.5)
        prior = row["prior"].astype(float)
        again = special.softmax(weights.log_evidence.to_numpy() + np.log(prior.to_numpy()))
        np.testing.assert_allclose(row["probability"].astype(float), again, atol=1e-9)
        others = prior.drop(name)
        expected = weights.prior.drop(name)
        np.testing.assert_allclose(others / others.sum(), expected / expected.sum())


def test_words_follow_kass_and_raftery():
    logs = pd.Series(
        {"a": 0.0, "b": -np.log(2.9), "c": -np.log(19), "d": -np.log(140), "e": -np.log(1e9)}
    )
    table = words_table(logs).set_index(["better", "worse"])
    assert table.loc[("a", "b"), "strength"] == "not worth more than a bare mention"
    assert table.loc[("a", "c"), "strength"] == "positive"
    assert table.loc[("a", "d"), "strength"] == "strong"
    assert table.loc[("a", "e"), "strength"] == "very strong"
    assert table.loc[("a", "c"), "bayes_factor"] == pytest.approx(19)
    assert table.loc[("a", "c"), "twice_log"] == pytest.approx(2 * np.log(19))
    assert "more than 1,000,000 times" in table.loc[("a", "e"), "words"]
    assert len(table) == 10


def test_rules_in_one_table_are_each_weighed_alone():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=60, freq="3D")})
    table["killed"] = rng.choice([0.0, 1.0, np.nan], 60, p=[0.6, 0.3, 0.1])
    table["munitions"] = rng.integers(1, 30, 60).astype(float)
    incidents = Incidents(table, ("2020-01-01", "2020-07-01"), label="raid")
    rules = {"deadly": "killed > 0", "large": "munitions >= 20"}
    scenarios = lambda past: [RARE, Scenario.escalation(past)]  # noqa: E731
    found = weigh_rules(incidents, rules, scenarios, [0.6, 0.4], as_of="2020-06-01", rng=4)
    told = [RARE, Scenario.escalation(incidents.before("2020-06-01"))]
    again = weigh_rules(incidents, rules, told, [0.6, 0.4], as_of="2020-06-01", rng=4)
    pd.testing.assert_frame_equal(found, again)
    for name, rule in rules.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndecidedRowsWarning)
            past = incidents.before("2020-06-01").where(rule)
        weights = weigh(past, scenarios(past), [0.6, 0.4], rng=1)
        row = found.loc[name]
        assert row["P(rare)"] == pytest.approx(weights.probabilities["rare"], abs=0.005)
        assert row["events_since"] == weights.counts.events
        assert row["undecided"] == len(past.undecided)
        assert row["P(>=1 in 90D)"] == pytest.approx(
            weights.outlook("90D").probability(1), abs=0.02
        )
        assert row["P(>=1 in 30D)"] <= row["P(>=1 in 90D)"]
    with pytest.raises(ScenarioError, match="no rule"):
        weigh_rules(incidents, {}, scenarios)


# -- what is not in the record -----------------------------------------------------------------------------------


def gamma_poisson(values, exposure, rate):
    a, b, n = rate.shape, rate.rate_days, values.sum()
    return (
        special.xlogy(values, exposure).sum() - special.gammaln(values + 1).sum() + a * np.log(b)
        - special.gammaln(a) + special.gammaln(a + n) - (a + n) * np.log(b + np.sum(exposure))
    )  # fmt: skip


def test_unreported_attacks_thin_what_was_said_and_swell_what_is_forecast():
    past = attacks([5, 30, 62, 90])
    y = past.to_numpy()
    thin = weigh(past, [RARE, OFTEN], unreported=(0.2999, 0.3001), as_reported=["often"], rng=1)
    assert thin.log_evidence["rare"] == pytest.approx(
        gamma_poisson(y, np.full(100, 0.7), RARE.rate), abs=3e-3
    )
    assert thin.log_evidence["often"] == pytest.approx(
        gamma_poisson(y, np.ones(100), OFTEN.rate), abs=3e-3
    )
    outlooks = thin.outlooks("50D", draws=60_000, rng=1)
    rare = (RARE.rate.shape + 4) / (RARE.rate.rate_days + 70) * 50  # all attacks
    often = (
        (OFTEN.rate.shape + 4) / (OFTEN.rate.rate_days + 100) * 50 / 0.7
    )  # reported ones, made whole
    assert outlooks["rare"].totals().mean() == pytest.approx(rare, rel=0.02)
    assert outlooks["often"].totals().mean() == pytest.approx(often, rel=0.02)
    chances = thin.chances("50D")  # in reported attacks
    assert (chances.index.to_numpy() @ chances["rare"]) == pytest.approx(rare * 0.7, rel=0.02)
    assert (chances.index.to_numpy() @ chances["often"]) == pytest.approx(often * 0.7, rel=0.02)
    assert any("30 % of attacks are taken to be unreported" in note for note in thin.notes)
    wide = weigh(past, [RARE, OFTEN], unreported=(0.1, 0.3), as_reported=[], rng=1)
    shares = 1 - np.sort(np.unique(wide._accounts[0].reported))
    assert np.quantile(shares, [0.05, 0.95]).tolist() == pytest.approx([0.1, 0.3], abs=1e-3)


def test_what_was_learned_from_the_record_is_taken_as_reported():
    past = attacks([5, 30, 62, 90])
    learned = Scenario.escalation(past, onset="30D")
    weights = weigh(past, [RARE, learned], unreported=(0.1, 0.3), rng=1)
    assert any(
        note.endswith("the rates of 'escalation' of reported ones.") for note in weights.notes
    )
    plain = weigh(past, [RARE, learned], rng=1)
    assert weights.log_evidence["escalation"] == pytest.approx(
        plain.log_evidence["escalation"], abs=0.02
    )


def test_shares_that_are_unreported_may_be_said_in_words():
    past = attacks([5, 30, 62, 90])
    said, given = (
        weigh(past, [RARE, OFTEN], unreported=share, rng=1) for share in ("10-30 %", (0.1, 0.3))
    )
    pd.testing.assert_series_equal(said.log_evidence, given.log_evidence)
    for wrong in ("10-30 % a month", "10-30", "often", (0.3, 0.1), (0.1,), 0.2):
        with pytest.raises(ScenarioError, match=r"10-30 %"):
            weigh(past, [RARE, OFTEN], unreported=wrong)


def test_a_stated_rate_is_one_of_all_attacks_whatever_else_the_story_learned(deadly):
    """Each phase counts by itself: neither lethality nor a lull that was learned makes a stated rate a learned one."""
    start = pd.Timestamp("2020-05-29")
    campaign = Phase.of("campaign", "3-5 a week", onset=start)
    lull = Phase.of("lull", "x0.999 to x1.001 of the last 60 days", onset=start)
    told = [
        Scenario.every("3-5 a week", name="said"),
        Scenario.of_phases("kills", [Phase.of("p", "3-5 a week", lethality="past")], deadly),
        Scenario.of_phases("after a lull", [Phase.of("lull", "past"), campaign], deadly),
        Scenario.of_phases("a lull after", [Phase.of("p", "3-5 a week"), lull], deadly),
    ]  # fmt: skip
    weights = weigh(deadly, told, unreported=(0.4499, 0.4501), since=start, rng=1)
    y = weights.counts.to_numpy()
    n = len(y)
    said = gamma_poisson(y, np.full(n, 0.55), told[0].rate)
    base = told[3].phases[1].rate.base
    marks = weights._judged.default_marks(0)[-1]
    expected = {"said": said, "after a lull": said, "a lull after": gamma_poisson(y, np.ones(n), base)}  # fmt: skip
    for name, log in expected.items():
        assert weights.log_evidence[name] - marks == pytest.approx(log, abs=0.02)
    means = {name: o.totals().mean() for name, o in weights.outlooks("28D", rng=1).items()}
    shape, days = told[0].rate.shape + y.sum(), told[0].rate.rate_days + 0.55 * n
    for name in ("said", "kills", "after a lull"):
        assert means[name] == pytest.approx(28 * shape / days, rel=0.02)
    reported = (base.shape + y.sum()) / (base.rate_days + n)
    assert means["a lull after"] == pytest.approx(28 * reported / 0.55, rel=0.02)
    assert any("'after a lull' (lull), 'a lull after' (lull) of reported" in n for n in weights.notes)  # fmt: skip


def test_late_reports_make_the_last_days_count_in_part():
    past = attacks([5, 30, 62])
    delay = ReportingDelay.within(3, 20)
    weights = weigh(past, [RARE, OFTEN], delay=delay, rng=1)
    share = delay.reported_share(np.arange(99, -1, -1))[0]
    exposure = np.where(share > 0.995, 1.0, share)
    for scenario in (RARE, OFTEN):
        assert weights.log_evidence[scenario.name] == pytest.approx(
            gamma_poisson(past.to_numpy(), exposure, scenario.rate), abs=1e-9
        )
    said = weigh(past, [RARE, OFTEN], delay="3-20 days", rng=1)
    pd.testing.assert_series_equal(said.log_evidence, weights.log_evidence)
    soon = weigh(past, [RARE, OFTEN], delay="up to 2 weeks", rng=1)
    exposure[-14:] = np.arange(14, 0, -1) / 15  # each delay from 0 to 14 days alike
    exposure[:-14] = 1.0
    assert soon.log_evidence["rare"] == pytest.approx(
        gamma_poisson(past.to_numpy(), exposure, RARE.rate), abs=1e-9
    )
    plain = weigh(past, [RARE, OFTEN], rng=1)
    assert (
        weights.probabilities["often"] > plain.probabilities["often"]
    )  # the lull is part of the delay
    assert any("count only in part" in note for note in weights.notes)
    assert weights.history().shape == plain.history().shape


def test_the_delay_is_learned_from_the_record():
    rng = np.random.default_rng(4)
    day = np.sort(rng.integers(0, 300, 240))
    table = pd.DataFrame(
        {"date_start": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, unit="D")}
    )
    table["reported_at"] = table["date_start"] + pd.to_timedelta(rng.geometric(0.1, 240), unit="D")
    past = Incidents(table, ("2020-01-01", "2021-01-01")).before("2020-10-20")
    calm, busy = Scenario.every("2-3 days", name="calm"), Scenario.every("6-12 a week", name="busy")
    weights = weigh(past, [calm, busy], delay="learn", rng=1)
    assert len(weights._judged.exposure) == 64
    exposure = weights._judged.exposure
    logs = [gamma_poisson(past.counts().to_numpy(), row, calm.rate) for row in exposure]
    assert weights.log_evidence["calm"] == pytest.approx(
        special.logsumexp(logs) - np.log(64), abs=1e-9
    )
    assert exposure[:, -1].max() < 0.5
    with pytest.raises(ScenarioError, match="delay='learn'"):
        weigh(past.counts(), [calm, busy], delay="learn")


@pytest.mark.parametrize(
    "options",
    [
        {"unreported": (0.3, 0.1)}, {"unreported": 0.2}, {"unreported": (0.5, 1.0)}, {"as_reported": ["x"]},
        {"as_reported": "rare"}, {"delay": "soon"},
    ],
)  # fmt: skip
def test_what_cannot_be_left_out_of_a_record(options):
    with pytest.raises(ScenarioError):
        weigh(attacks([5]), [RARE, OFTEN], **options)


# -- kinds and deaths in the forecast ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deadly():
    rng = np.random.default_rng(1)
    day = np.sort(rng.integers(0, 200, 80))
    table = pd.DataFrame(
        {"date_start": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, unit="D")}
    )
    table["kind"] = rng.choice(["rocket", "mortar"], 80, p=[0.7, 0.3])
    table["killed"] = rng.choice([0.0, 2.0], 80, p=[0.8, 0.2])
    return Incidents(table, ("2020-01-01", "2020-07-19"), label="raid")


def test_deaths_and_kinds_come_with_the_forecast(deadly):
    harmless = _phased("harassment", "2-4 a week", 0.8, (0.05, 0.15))
    lethal = _phased("lethal intent", "2-4 a week", 0.5, (0.6, 0.8))
    weights = weigh(deadly, [harmless, lethal], rng=2)
    assert weights.probabilities["harassment"] > 0.99  # 20 % of attacks killed, 70 % were rockets
    parts = weights.outlooks("40D", draws=5_000, rng=1)
    for name, low, high in (("harassment", 0.03, 0.3), ("lethal intent", 0.4, 0.9)):
        outlook = parts[name]
        counts, deaths, worst = (
            a.to_numpy() for a in (outlook.counts, outlook.deaths, outlook.deadliest)
        )
        assert (deaths[counts == 0] == 0).all()
        assert (worst <= deaths).all()
        assert low < np.mean(worst[counts == 1] > 0) < high
    mixture, kinds = weights.outlook("40D", rng=1), weights.outlooks_by_kind("40D", rng=1)
    np.testing.assert_array_equal(
        mixture.counts, kinds["rocket"].counts.to_numpy() + kinds["mortar"].counts.to_numpy()
    )
    total = kinds["rocket"].totals().sum() / mixture.totals().sum()
    assert total == pytest.approx(0.75, abs=0.1)
    assert (mixture.deaths.to_numpy()[mixture.counts.to_numpy() == 0] == 0).all()
    assert mixture.probability_deaths(1) > 0.5


def _phased(name, rate, rockets, lethality):
    phase = Phase.of(
        "now", rate, kinds={"rocket": rockets, "mortar": 1 - rockets}, lethality=lethality
    )
    return Scenario.of_phases(name, [phase], deaths=Killed.geometric(2.0))


def test_deaths_need_all_scenarios_or_a_fit(deadly):
    plain = Scenario.every("2-4 a week", name="plain")
    lethal = _phased("lethal intent", "2-4 a week", 0.5, (0.1, 0.4))
    weights = weigh(deadly, [plain, lethal], rng=2)
    assert weights.outlook("20D", draws=200).deaths is None
    assert weights.outlooks("20D", draws=200)["lethal intent"].deaths is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEventsWarning)
        fit = Lethality().fit(deadly, rng=1)
    with_fit = weights.outlook("20D", draws=200, lethality=fit)
    assert with_fit.deaths is not None
    np.testing.assert_array_equal(with_fit.counts, weights.outlook("20D", draws=200).counts)
    with pytest.raises(ScenarioError, match="tells kinds"):
        weigh(deadly, [plain, RARE], rng=1).outlooks_by_kind()


@pytest.mark.slow
def test_late_reports_are_no_lull_and_the_odds_stay_calibrated():
    """Half of the time the rate falls for the last 20 days; attacks are reported after eight days on average."""
    rng = np.random.default_rng(7)
    start, cut = pd.Timestamp("2020-01-01"), pd.Timestamp("2020-05-30")
    stated, ignored, true = [], [], []
    for i in range(40):
        lull = bool(i % 2)
        factor = np.exp(rng.normal(np.log(0.3), np.log(2) / 1.645)) if lull else 1.0
        rate = np.where(np.arange(150) >= 130, 0.7 * factor, 0.7)
        day = np.repeat(np.arange(150), rng.poisson(rate))
        table = pd.DataFrame({"date_start": start + pd.to_timedelta(day, unit="D")})
        late = rng.geometric(1 / 9, len(day)) - 1
        table["reported_at"] = table["date_start"] + pd.to_timedelta(late, unit="D")
        past = Incidents(table, (start, "2021-01-01")).before(cut)
        onset = start + pd.Timedelta("130D")
        # The earlier rate: of days whose attacks are all in the record.
        old = past.before("2020-04-10")
        told = [
            Scenario.ceasefire(old, ends, onset=onset, breakdown=None, name=name)
            for name, ends in (("goes on", (0.999, 1.001)), ("lull", (0.15, 0.6)))
        ]
        stated.append(weigh(past, told, delay="learn", rng=rng).probabilities["lull"])
        ignored.append(weigh(past, told, rng=rng).probabilities["lull"])
        true.append(lull)
    stated, ignored, true = np.array(stated), np.array(ignored), np.array(true, dtype=float)
    noise = np.sqrt((stated * (1 - stated)).sum())
    assert abs((true - stated).sum()) < 3.5 * noise
    assert np.mean(ignored[true == 0]) > np.mean(stated[true == 0]) + 0.2
    assert np.mean((stated - true) ** 2) < np.mean((ignored - true) ** 2)


def test_a_rate_that_was_learned_from_recent_days_is_not_low_because_reports_are_late():
    """Three weeks pass until most attacks are reported: of those of the last 30 days half are in the record."""
    rng = np.random.default_rng(3)
    delay = ReportingDelay.within(5, 40)
    days = pd.date_range("2019-01-01", periods=400)
    share = delay.reported_share(np.arange(399, -1, -1))[0]
    bias, inside = np.zeros((80, 2)), np.zeros((80, 2))
    for i in range(80):
        true = rng.gamma(8, 0.1)
        past = pd.Series(rng.binomial(rng.poisson(true, 400), share), index=days)
        phases = (Phase.of("p", "x0.999 to x1.001 of the last 30 days"), Phase.of("p", "past"))
        told = [Scenario.of_phases(str(i), [phase], past) for i, phase in enumerate(phases)]
        last, whole = weigh(past, told, delay=delay, rng=rng).scenarios
        for k, rate in enumerate((last.rate.base, whole.rate)):
            low, high = rate.quantile(np.array([0.05, 0.95]))
            bias[i, k] = rate.mean_per_day - true
            inside[i, k] = low <= true <= high
        assert told[0].rate.base.rate_days == 30
    # The Jeffreys prior adds half an attack to a number that is seen over an exposure.
    known = np.array([share[-30:].sum(), np.where(share > 0.995, 1.0, share).sum()])
    error = (bias.mean(axis=0) - 0.5 / known) / (bias.std(axis=0) / np.sqrt(80))
    assert np.abs(error).max() < 3
    assert np.abs(inside.mean(axis=0) - 0.9).max() < 3 * np.sqrt(0.09 / 80)


def test_what_was_learned_counts_days_for_the_share_that_is_reported():
    past = attacks([5, 30, 62, 90])
    delay = ReportingDelay.within(3, 20)
    share = delay.reported_share(np.arange(99, -1, -1))[0]
    share = np.where(share > 0.995, 1.0, share)
    told = [
        Scenario.escalation(past, "x2 to x4 of the last 20 days", onset="10D"),
        Scenario.of_phases("as before", [Phase.of("p", "past")], past),
    ]
    weights = weigh(past, told, delay=delay, rng=1)
    earlier, jump = (phase.rate for phase in weights.scenarios[0].phases)
    assert earlier.rate_days == pytest.approx(share[:90].sum())
    assert jump.base.rate_days == pytest.approx(share[70:90].sum())
    assert "in the record" in jump.words
    # What was learned from all days is learned again from those that do not judge, and then corrected.
    again = weights.scenarios[1].rate
    assert (again.shape, again.rate_days) == (3.5, earlier.rate_days)
    assert sum("learned of the rate counts its last" in note for note in weights.notes) == 2
    # Without a delay, nothing changes; and a shorter record than the story learned from has the same share missing.
    assert weigh(past, told, rng=1).scenarios[0] == told[0]
    half = past.select(np.arange(100) >= 80)
    [few, *_] = weigh(half, [told[0], RARE], delay=delay, rng=1).scenarios[0].phases
    assert few.rate.rate_days == pytest.approx(90 - (1 - share[80:90]).sum())


def test_a_fit_that_took_late_reports_for_a_lull_is_named_and_too_few_reports_are_refused():
    past = attacks(range(0, 90, 5))
    fit = tempo.ConstantRate().fit(past)
    weights = weigh(past, [RARE, Scenario.continuation(fit)], delay="3-20 days", rng=1)
    assert any("'continuation' continues read its last" in note for note in weights.notes)
    told = Scenario.of_phases("p", [Phase.of("p", "x2 to x3 of the last 2 days")], past)
    with pytest.raises(ScenarioError, match="Learn it from more days"):
        weigh(past, [RARE, told], delay="3-20 days", rng=1)


def test_where_two_pass_a_low_threshold_the_more_probable_one_wins():
    three = [RARE, OFTEN, Scenario.every("1-2 months", name="middle")]
    past = attacks([5, 30, 62])
    weights = weigh(past, three, prior=[0.36, 0.4, 0.24], since=past.index[-1] + DAY, rng=1)
    found = weights.time_to_decision(threshold=0.35, horizon="10D", futures=10)
    assert found["rightly"].round(9).to_dict() == {"rare": 0, "often": 1, "middle": 0, "any": 0.4}


def test_a_record_that_holds_later_reports_is_not_short_of_them():
    days = pd.date_range("2020-01-01", periods=60)
    table = pd.DataFrame({"date_start": days, "reported_at": days + pd.Timedelta("9D")})
    whole = Incidents(table, ("2020-01-01", "2020-03-01"))
    options = {"delay": "2-14 days", "rng": 1}
    two = [Scenario.every("1-2 days", name="a"), Scenario.every("3-6 days", name="b")]
    share = ReportingDelay.within(2, 14).reported_share([9])[0, 0]
    assert weigh(whole, two, **options)._judged.exposure[0, -1] == pytest.approx(share)
    cut = weigh(whole.before("2020-03-01"), two, **options)
    assert cut._judged.exposure[0, -1] < 0.01


def test_few_and_many_may_lift_a_scenario_that_those_between_do_not():
    wide, narrow = (
        Scenario.every("1-60 days", name="wide"),
        Scenario.every("9-11 days", name="narrow"),
    )
    past = attacks([])
    weights = weigh(past, [wide, narrow], since=past.index[-1] + DAY, rng=1)
    row = weights.thresholds(0.9, ("60D",)).loc[(60, "wide")]
    assert (row["attacks"], row["least"]) == ("none, 14 or more", 0)
    assert row["chance under narrow"] < 0.01
