"""What a first-time user gets wrong: each mistake is answered with a tempo error that says what to do."""

from __future__ import annotations

import pandas as pd
import pytest

import tempo
from tempo.data.reporting import ReportingDelay
from tempo.errors import DataError, FitError, OptionError, ScenarioError

DAYS = pd.date_range("2020-01-01", periods=120, freq="1D")
PAST = pd.Series([int(day % 10 == 5) for day in range(120)], index=DAYS)
RARE = tempo.Scenario.every("1-2 months", name="rare")
OFTEN = tempo.Scenario.every("1-2 weeks", name="often")


@pytest.fixture(scope="module")
def weights():
    return tempo.weigh(PAST, [RARE, OFTEN], rng=7)


@pytest.mark.parametrize("name", ["", " ", None, 3, "two\nlines", "two\u2028lines"])
def test_a_scenario_needs_a_name_on_one_line(name):
    with pytest.raises(ScenarioError, match="a name on one line"):
        tempo.Scenario.every("2-3 months", name=name)


@pytest.mark.parametrize("name", ["تصعيد", "نیم\u200cفاصله", "<b> $x$ #y"])
def test_a_name_may_be_in_any_script_and_hold_any_sign(name):
    assert tempo.Scenario.every("2-3 months", name=name).name == name


@pytest.mark.parametrize("prob", [None, "90", 0, 1, 90, float("nan")])
def test_an_interval_needs_a_probability(prob):
    with pytest.raises(ScenarioError, match="prob is"):
        tempo.Scenario.every("2-3 months", name="x", prob=prob)


@pytest.mark.parametrize("prob", [None, "90", 0, 1, 90, float("nan")])
def test_every_interval_of_a_forecast_needs_a_probability(weights, prob):
    preview = RARE.preview("10D", draws=100, rng=1)
    for ask in (
        lambda: RARE.prior_predictive("10D", prob=prob),
        lambda: preview.table(prob=prob),
        lambda: preview.fan(prob),
        lambda: weights.check(prob=prob),
        lambda: weights.time_to_decision(prob=prob),
        lambda: weights.outlook("10D", draws=100, rng=1).quantiles(prob),
    ):
        with pytest.raises(OptionError, match="prob is"):
            ask()


@pytest.mark.parametrize("scenarios", [None, "ab", RARE, [RARE, None], [RARE]])
def test_weighing_needs_two_scenarios(scenarios):
    with pytest.raises(ScenarioError, match="at least two"):
        tempo.weigh(PAST, scenarios)


@pytest.mark.parametrize("prior", ["ab", 0.7, [None, 1.0]])
def test_a_prior_is_a_list_of_numbers(prior):
    with pytest.raises(ScenarioError, match="one probability for each"):
        tempo.weigh(PAST, [RARE, OFTEN], prior)


@pytest.mark.parametrize("draws", [0, -1, 2.5, None, True])
def test_draws_are_a_whole_number_everywhere(weights, draws):
    fit = tempo.ConstantRate().fit(PAST)
    asked = [
        lambda: weights.outlook(draws=draws),
        lambda: weights.outlooks(draws=draws),
        lambda: RARE.preview("10D", draws=draws),
        lambda: tempo.forecast(fit, "10D", draws=draws),
    ]
    if draws is not None:  # which leaves it out, as forecasts that are given need none
        stand_down = tempo.StandDown("10-30 %", "5-30 days")
        asked.append(lambda: tempo.impact(weights, stand_down, draws=draws))
    for ask in asked:
        with pytest.raises(OptionError, match="draws is"):
            ask()


def test_a_wrong_type_is_answered_with_what_was_expected(weights):
    lost = tempo.impact(weights, tempo.StandDown("10-30 %", "5-30 days"), draws=200, rng=7)
    with pytest.raises(OptionError, match="threshold is '90D'"):
        weights.time_to_decision("90D")
    for horizons in ("30D", []):
        with pytest.raises(OptionError, match=r"\['30D', '60D'\]"):
            weights.thresholds(horizons=horizons)
    with pytest.raises(OptionError, match="whole number from 0 up"):
        lost.probability(lost_days="20")
    with pytest.raises(OptionError, match="share of days"):
        tempo.impact(weights, tempo.StandDown("10-30 %", "5-30 days"), share="a quarter")
    with pytest.raises(OptionError, match=r"0\.5 halves"):
        tempo.intervene(tempo.ConstantRate().fit(PAST), baseline="half")
    with pytest.raises(OptionError, match=r"tempo\.Lethality"):
        weights.outlook("10D", draws=100, rng=7).with_deaths(None)
    with pytest.raises(DataError, match="DataFrame"):
        tempo.Pauses.from_table(None, cause="x")
    with pytest.raises(DataError, match=r"tempo\.Incidents"):
        tempo.reporting_delay(None)
    with pytest.raises(OptionError, match=r"tempo\.plot_severity"):
        tempo.plot_deadliness(3)


def test_operations_that_never_happened_have_no_response():
    weeks = pd.date_range("2019-01-07", periods=60, freq="7D")
    attacks = pd.Series(0, index=pd.date_range("2019-01-07", periods=420, freq="1D"))
    attacks.iloc[::9] = 1
    with pytest.raises(FitError, match="no operation was counted"):
        tempo.DoseResponse(lags=2).fit(pd.Series(0, index=weeks), attacks, rng=7)


def test_files_of_scenarios_say_what_is_wrong(tmp_path):
    with pytest.raises(ScenarioError, match="no folder"):
        tempo.write_scenarios(tmp_path / "none" / "one.json", [RARE])
    with pytest.raises(ScenarioError, match="from a list"):
        tempo.write_scenarios(tmp_path / "one.json", RARE)
    with pytest.raises(ScenarioError, match="prior of 'rare'"):
        tempo.write_scenarios(tmp_path / "one.json", [RARE], ["a"])
    for prior in ('"a"', "nan", "-0.1", "true"):
        file = tmp_path / "one.toml"
        file.write_text(f'[[scenario]]\nname = "x"\nevery = "2-3 months"\nprior = {prior}\n')
        with pytest.raises(ScenarioError, match="prior of 'x'"):
            tempo.read_scenarios(file)
    file.write_text('[[scenario]]\nname = "x"\nphases = 3\n')
    with pytest.raises(ScenarioError, match="list of tables"):
        tempo.read_scenarios(file)


def test_one_day_is_a_day(weights):
    assert "1 day holds" in RARE.preview("1D").sentence()
    assert "in the 1 day from" in weights.outlook("1D", draws=100, rng=7).describe()
    assert "up to 1 day" in tempo.Scenario.escalation(PAST, duration="up to 1 day").describe()


def test_more_attacks_than_memory_holds_are_refused() -> None:
    days = pd.date_range("2020-01-01", periods=90)
    counts = pd.Series([0, 10**6, 10**9] * 30, index=days)
    stories = [tempo.Scenario.every(f"{n} a day", name=n) for n in ("1-2", "3-9")]
    with pytest.raises(ScenarioError, match="at most"):
        tempo.weigh(counts, stories, rng=1)


@pytest.mark.parametrize("horizon", ["3661D", "100000D", "106752D", pd.Timedelta(days=10**6)])
def test_a_horizon_that_nobody_can_wait_for_is_refused_everywhere(weights, horizon):
    fit = tempo.ConstantRate().fit(PAST)
    stand_down = tempo.StandDown("10-30 %", "5-30 days")
    contagious = tempo.Scenario.retaliation_spiral(PAST)
    for ask in (
        lambda: RARE.preview(horizon),
        lambda: RARE.prior_predictive(horizon),
        lambda: contagious.prior_predictive(horizon),
        lambda: tempo.forecast(fit, horizon),
        lambda: tempo.intervene(fit, horizon, baseline=0.5),
        lambda: tempo.impact(weights, stand_down, horizon=horizon),
        lambda: weights.outlook(horizon),
        lambda: weights.outlooks(horizon),
        lambda: weights.decomposition(horizon),
        lambda: weights.chances(horizon),
        lambda: weights.indicators(horizon),
        lambda: weights.thresholds(horizons=["30D", horizon]),
        lambda: weights.time_to_decision(horizon=horizon),
        lambda: tempo.plot_story(RARE, horizon=horizon),
        lambda: tempo.plot_scenarios(weights, horizon=horizon),
    ):
        with pytest.raises(OptionError, match=r"horizon is .*at most 3,660 days.*such as '365D'"):
            ask()
    with pytest.raises(OptionError, match=r"longest is .*at most 3,660 days"):
        weights.quiet_days(longest=horizon)


def test_wider_bins_reach_further_but_not_for_ever():
    weeks = pd.Series([0, 1] * 60, index=pd.date_range("2020-01-06", periods=120, freq="7D"))
    fit = tempo.ConstantRate().fit(weeks)
    assert tempo.forecast(fit, "7000D", draws=10, rng=1).horizon_days == 7000
    with pytest.raises(OptionError, match="at most 25,620 days"):
        tempo.forecast(fit, "25621D", draws=10)


def test_futures_that_memory_does_not_hold_are_refused_everywhere(weights):
    fit = tempo.ConstantRate().fit(PAST)
    for ask in (
        lambda: RARE.preview("1000D", draws=100_001),
        lambda: RARE.prior_predictive("1000D", draws=100_001),
        lambda: tempo.forecast(fit, "1000D", draws=100_001),
        lambda: tempo.intervene(fit, "1000D", baseline=0.5, draws=100_001),
        lambda: weights.outlook("1000D", draws=100_001),
        lambda: weights.outlooks("1000D", draws=100_001),
        lambda: weights.time_to_decision(horizon="1000D", futures=100_001),
    ):
        with pytest.raises(OptionError, match=r"at most 100,000,000.*100,000 draws or fewer"):
            ask()


@pytest.mark.parametrize("wrong", [None, 3, "x", [1]])
def test_what_is_no_fit_or_forecast_is_refused_with_the_way_to_get_one(weights, wrong):
    stand_down = tempo.StandDown("10-30 %", "5-30 days")
    fit = tempo.ConstantRate().fit(PAST)
    with pytest.raises(OptionError, match=r"fit is a .*tempo\.Hawkes\(\)\.fit"):
        tempo.forecast(wrong)
    with pytest.raises(OptionError, match=r"fit is a Hawkes; .*tempo\.Hawkes\(\)\.fit"):
        tempo.forecast(tempo.Hawkes())
    with pytest.raises(OptionError, match=r"'a' is a .*tempo\.forecast"):
        tempo.impact({"a": wrong}, stand_down)
    with pytest.raises(ScenarioError, match=r"fit is a .*tempo\.Lethality"):
        tempo.Killed.like(wrong)
    with pytest.raises(ScenarioError, match=r"incidents is a .*tempo\.Incidents"):
        tempo.weigh_rules(wrong, {"a": "killed > 0"}, [RARE, OFTEN])
    if wrong is None:
        return
    for ask in (
        lambda: tempo.forecast(fit, "10D", lethality=wrong),
        lambda: weights.outlook("10D", draws=10, lethality=wrong),
        lambda: weights.outlooks("10D", draws=10, lethality=wrong),
        lambda: tempo.impact(weights, stand_down, draws=10, lethality=wrong),
    ):
        with pytest.raises(OptionError, match=r"lethality is a .*tempo\.Lethality\(\)\.fit"):
            ask()
    with pytest.raises(DataError, match=r"pauses is a .*Pauses\.from_table"):
        stand_down.fit(PAST, wrong)


@pytest.mark.parametrize("wrong", [None, -1, 2.5, "3", [1], float("nan"), float("inf")])
def test_numbers_of_attacks_and_deaths_are_whole_numbers_everywhere(weights, wrong):
    outlook = weights.outlook("10D", draws=20, rng=7)
    lost = tempo.impact(outlook, tempo.StandDown("10-30 %", "5-30 days"), rng=7)
    for ask in (
        lambda: outlook.probability(at_least=wrong),
        lambda: outlook.probability_deaths(at_least=wrong),
        lambda: outlook.time_to_next(deaths=wrong),
        lambda: lost.probability(lost_days=wrong),
    ):
        with pytest.raises(OptionError, match="whole number from 0 up"):
            ask()


@pytest.mark.parametrize("wrong", ["30D", 3, None])
def test_a_word_is_no_list_of_words(weights, wrong):
    """Its letters would be taken for the list."""
    for ask in (
        lambda: RARE.preview("60D", draws=10).table(wrong if wrong is not None else 3),
        lambda: weights.thresholds(horizons=wrong),
        lambda: weights.sensitivity(since=wrong if wrong is not None else 3),
        lambda: weights.sensitivity(overdispersion=wrong if wrong is not None else 3),
        lambda: tempo.weigh_rules(
            tempo.load_dataset("iraq-coalition"), {"a": "killed > 0"}, [RARE, OFTEN], horizons=wrong
        ),
    ):
        with pytest.raises(OptionError, match="expected a list such as"):
            ask()
    with pytest.raises(ScenarioError, match="as_reported is"):
        tempo.weigh(PAST, [RARE, OFTEN], as_reported=wrong if wrong is not None else 3)
    with pytest.raises(ScenarioError, match=r"expected a list, each made with tempo\.Phase"):
        tempo.Scenario.of_phases("x", wrong)
    with pytest.raises(ScenarioError, match="at least two"):
        tempo.weigh_rules(tempo.load_dataset("iraq-coalition"), {"a": "killed > 0"}, wrong)


@pytest.mark.parametrize("wrong", [0, 1, -1, 2.5, "0.9", None, float("nan")])
def test_a_threshold_is_a_probability_everywhere(weights, wrong):
    for ask in (
        lambda: weights.quiet_days(wrong),
        lambda: weights.thresholds(wrong),
        lambda: weights.time_to_decision(wrong),
    ):
        with pytest.raises(OptionError, match=r"threshold is .*such as 0\.9"):
            ask()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "20", None, True, 10**9])
def test_dates_are_drawn_a_number_of_times_that_ends(wrong):
    table = pd.DataFrame({"date_start": ["2020-01-05"], "date_end": ["2020-01-25"]})
    past = tempo.Incidents(table.assign(date_precision="month"), ("2020-01-01", "2020-05-01"))
    for ask in (
        lambda: past.imputed_counts("1D", wrong),
        lambda: past.imputed_onsets(wrong),
        lambda: tempo.weigh(past, [RARE, OFTEN], imputations=wrong),
    ):
        with pytest.raises(OptionError, match="at least 1 and at most 10,000"):
            ask()


def test_what_was_said_is_read_or_refused():
    long_ago = tempo.Scenario.escalation(PAST, "x2 to x4 of the last 4000000 years")
    assert long_ago.phases[1].rate.base.shape == tempo.Scenario.escalation(PAST).rate.shape
    for wrong in (3, [], [1], None, object()):
        with pytest.raises(ScenarioError, match="number killed"):
            tempo.Killed.within(wrong)
    for wrong in ("2", None, [2.0], 1, float("nan")):
        with pytest.raises(ScenarioError, match="expected a number above 1"):
            tempo.Killed.power(wrong)
        with pytest.raises(ScenarioError, match="expected a number above 1"):
            tempo.Killed.geometric(wrong)
        with pytest.raises(OptionError, match="expected two numbers"):
            ReportingDelay.within(wrong, 0.5)
    with pytest.raises(ScenarioError, match="path is None"):
        tempo.read_scenarios(None)


@pytest.mark.parametrize("wrong", [None, "0.9", [0.9], 0, 1, float("nan")])
def test_a_share_is_a_number_between_none_and_all(wrong):
    for ask in (
        lambda: tempo.Phase.of("p", "1-2 a week", prob=wrong),
        lambda: tempo.Scenario.escalation(PAST, prob=wrong),
    ):
        with pytest.raises(ScenarioError, match="prob is"):
            ask()
    with pytest.raises(OptionError, match="share is"):
        ReportingDelay.within(2, 14).days_until(wrong)
    with pytest.raises(OptionError, match="trigger is"):
        tempo.StandDown("10-30 %", "5-30 days", trigger=[wrong])
