"""Charts of the shipped chronology, from real results: they draw, read well, and say the numbers of the results."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import tempo
from tempo import figures
from tempo.data.rounding import interval, number, percent
from tempo.figures import caption_of

RULE = "killed > 0 or munitions >= 10"


@pytest.fixture(scope="module")
def results() -> SimpleNamespace:
    every = tempo.load_dataset("iraq-coalition")
    with pytest.warns(tempo.errors.UndecidedRowsWarning):
        heavy = every.where(RULE, label="heavy strike").before("2020-03-12")
    past = every.before("2020-03-12")
    with pytest.warns(tempo.errors.ImputedDatesWarning):
        daily = past.counts("1D")
    scenarios = [
        tempo.Scenario.every("2-3 months", name="sporadic"),
        tempo.Scenario.escalation(heavy, rate_multiplier=(3, 8), name="escalation"),
    ]
    hawkes = tempo.Hawkes().fit(daily, method="mle")
    return SimpleNamespace(
        past=past,
        heavy=heavy,
        daily=daily,
        shifts=tempo.Changepoints(observation="poisson").fit(daily),
        hawkes=hawkes,
        outlook=tempo.forecast(hawkes, horizon="90D", draws=2_000, rng=7),
        weights=tempo.weigh(heavy, scenarios, prior=[0.7, 0.3], rng=7),
    )


def texts(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_timeline(results, assert_readable) -> None:
    ax = figures.plot_timeline(results.past)
    assert_readable(ax)
    named = {text.get_text() for text in ax.texts if text.get_gid() == "named"}
    assert named == {"Camp Taji, 3 killed"}
    assert "Counting rule for attacks: every row (34 in all)." in caption_of(ax)


def test_timeline_of_heavy_strikes(results, assert_readable) -> None:
    ax = figures.plot_timeline(results.heavy)
    assert_readable(ax)
    assert f"Counting rule for heavy strikes: {RULE}" in caption_of(ax)


def test_tempo(results, assert_readable) -> None:
    ax = figures.plot_tempo(results.daily, shifts=results.shifts, outlook=results.outlook)
    assert_readable(ax)
    last = 7 * results.shifts.rate.iloc[-1]
    rate = f"{number(last['mean'])} a week ({interval(last['low'], last['high'])})"
    assert f"rate on 11 March: {rate}" in texts(ax)
    (strip,) = (child for child in ax.child_axes if child.get_gid() == "change probability")
    assert any(percent(results.shifts.n_changes.iloc[0]) in text for text in texts(strip))
    number_of_changes = results.shifts.segments.attrs["n_changes"]
    marked = [line for line in strip.lines if line.get_gid() == "date of change"]
    assert len(marked) == number_of_changes


def test_intensity(results, assert_readable) -> None:
    ax = figures.plot_intensity(results.hawkes)
    assert_readable(ax)
    assert f"{number(results.hawkes.intensity()['baseline'].iloc[-1])} a day" in texts(ax)


def test_forecast(results, assert_readable) -> None:
    ax = figures.plot_forecast(results.outlook)
    assert_readable(ax)
    assert percent(results.outlook.probability(1, "30D")) in texts(ax)


def test_scenarios(results, assert_readable) -> None:
    weights = results.weights
    for draw in (figures.plot_odds, figures.plot_scenarios, figures.plot_indicators):
        ax = draw(weights)
        assert_readable(ax)
        assert {"sporadic", "escalation"} <= texts(ax)
    shares = {f"probability {percent(p)}" for p in weights.probabilities}
    assert shares <= texts(figures.plot_scenarios(weights))
