"""Odd but legal results: nothing happened, one day, a hundred thousand incidents, names that mean something to TeX."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo import figures
from tempo.data.counts import as_counts
from tempo.data.rounding import interval, number
from tempo.errors import OptionError
from tempo.figures import caption_of, render

NAMES = r"$\frac{x_1^2$ 100% & #@ {", "معسكر التاجي", "東京 rocket", "very long name of a kind " * 8


def drawn_texts(ax, gid=None):
    return [
        text.get_text().replace("\u00a0", " ")
        for text in ax.texts
        if gid is None or text.get_gid() == gid
    ]


def marks(ax, gid):
    return sum(len(c.get_offsets()) for c in ax.collections if c.get_gid() == gid)


def incidents_of(dates, window, **columns):
    table = pd.DataFrame({"date_start": pd.to_datetime(dates), **columns})
    return tempo.Incidents(table, window)


# -- timeline ------------------------------------------------------------------------------------------------------


def test_unknown_deaths_are_not_drawn_as_none() -> None:
    incidents = incidents_of(
        ["2020-01-03", "2020-01-05", "2020-01-09", "2020-01-20"],
        ("2020-01-01", "2020-02-01"),
        killed=[0.0, np.nan, 4.0, 1.0],
    )
    ax = figures.plot_timeline(incidents)
    assert [marks(ax, gid) for gid in ("none killed", "unknown", "killed")] == [1, 1, 2]


def test_area_of_marks_is_in_proportion_to_deaths() -> None:
    incidents = incidents_of(
        ["2020-01-05", "2020-01-20"], ("2020-01-01", "2020-02-01"), killed=[4.0, 12.0]
    )
    (discs,) = (c for c in figures.plot_timeline(incidents).collections if c.get_gid() == "killed")
    small, large = discs.get_sizes()
    assert large / small == pytest.approx(3.0)


def test_uncertain_dates_are_bars_as_long_as_the_interval() -> None:
    incidents = incidents_of(
        ["2020-01-05", "2020-01-20"],
        ("2020-01-01", "2020-02-01"),
        date_end=pd.to_datetime(["2020-01-11", "2020-01-20"]),
        date_precision=["week", "day"],
    )
    ax = figures.plot_timeline(incidents)
    (bar,) = (line for line in ax.lines if line.get_gid() == "interval")
    low, high = bar.get_xdata()
    assert high - low == 7.0
    assert "known only to lie within the bar" in caption_of(ax)


def test_gaps_are_hatched_and_said() -> None:
    incidents = incidents_of(
        ["2020-01-05"], tempo.Window("2020-01-01", "2020-03-01", [("2020-02-01", "2020-02-11")])
    )
    ax = figures.plot_timeline(incidents)
    (gap,) = (patch for patch in ax.patches if patch.get_gid() == "gap")
    assert gap.get_hatch()
    assert gap.get_width() == 10.0
    assert "Hatched: no coverage" in caption_of(ax)


@pytest.mark.parametrize(
    ("n", "end"), [(0, "2020-02-01"), (1, "2020-01-02"), (1, "2040-01-01"), (60, "2020-01-02")]
)
def test_timeline_of_few_days_and_few_incidents(n, end, assert_readable) -> None:
    ax = figures.plot_timeline(incidents_of(["2020-01-01"] * n, ("2020-01-01", end)))
    assert_readable(ax)


def test_rare_kinds_are_grouped(assert_readable) -> None:
    kinds = [f"kind {i}" for i in range(12) for _ in range(13 - i)]
    days = pd.date_range("2020-01-01", periods=len(kinds), freq="1D")
    ax = figures.plot_timeline(incidents_of(days, ("2020-01-01", "2020-06-01"), kind=kinds))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 8
    assert names[-1] == "5 other kinds"
    assert names[0] == "kind 0"
    assert_readable(ax)


def test_hundred_thousand_incidents(assert_readable) -> None:
    n = 100_000
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(n) * 7300 // n, unit="D")
    incidents = incidents_of(
        days,
        ("2000-01-01", "2020-01-01"),
        kind=np.where(np.arange(n) % 3 == 0, "IED", "rocket"),
        killed=np.arange(n) % 1009 // 1000.0,
    )
    ax = figures.plot_timeline(incidents)
    assert sum(len(c.get_offsets()) for c in ax.collections) <= 40
    assert len(render(ax.figure, "pdf")) < 200_000
    assert_readable(ax)


@pytest.mark.parametrize("name", NAMES)
def test_names_from_data_are_taken_literally(name, assert_readable) -> None:
    incidents = tempo.Incidents(
        pd.DataFrame(
            {
                "date_start": pd.to_datetime(["2020-01-03", "2020-01-20"]),
                "kind": [name, "rocket"],
                "place": [name, name],
                "killed": [3.0, 2.0],
            }
        ),
        ("2020-01-01", "2020-02-01"),
        label=name,
        rule=name,
        source=name,
    )
    ax = figures.plot_timeline(incidents)
    assert_readable(ax)  # fails where TeX is parsed, and warns where a letter is missing
    if name == NAMES[0]:
        assert NAMES[0] in caption_of(ax)
        assert any(NAMES[0] in text for text in drawn_texts(ax, "named"))


def test_labels_of_results_are_taken_literally_and_cut(made_up, assert_readable) -> None:
    name = f"{NAMES[0]} {NAMES[1]} {NAMES[3]}"
    counts = made_up.counts()
    counts.label = counts.rule = counts.source = name
    outlook = made_up.outlook(name=name, label=name, rule=name)
    weights = made_up.weights(names=(name, "other"), label=name)
    for ax in (
        figures.plot_tempo(counts, made_up.shifts(counts), outlook),
        figures.plot_intensity(made_up.hawkes(counts)),
        figures.plot_forecast(outlook),
        figures.plot_odds(weights),
        figures.plot_scenarios(weights),
        figures.plot_indicators(weights),
    ):
        assert_readable(ax)  # fails where TeX is parsed, and warns where a letter is missing


# -- tempo ---------------------------------------------------------------------------------------------------------


def test_bars_add_up_and_end_at_the_cut_off(made_up) -> None:
    counts = made_up.counts(1000, gap=False)
    ax = figures.plot_tempo(counts)
    drawn = [patch for patch in ax.patches if patch.get_gid() == "counts"]
    values = sum(np.asarray(patch.get_data().values) for patch in drawn)
    assert values.sum() == counts.sum()
    edges = drawn[0].get_data().edges
    assert edges[-1] - edges[-2] == 14.0
    assert edges[0] == (counts.index[0] - pd.Timestamp("1970-01-01")).days
    assert any("in 14 days" in text for text in drawn_texts(ax))


def test_unobserved_bins_are_hatched_and_not_zero(made_up) -> None:
    counts = made_up.counts(100)
    ax = figures.plot_tempo(counts)
    (gap,) = (patch for patch in ax.patches if patch.get_gid() == "gap")
    assert gap.get_width() == np.isnan(counts.to_numpy()).sum()
    assert "Hatched: not observed" in caption_of(ax)
    assert "Hatched" not in caption_of(figures.plot_tempo(made_up.counts(100, gap=False)))


def test_rate_is_drawn_in_the_unit_of_the_bars(made_up) -> None:
    counts = made_up.counts(316, gap=False)
    shifts = made_up.shifts(counts)
    ax = figures.plot_tempo(counts, shifts)
    (rate,) = (patch for patch in ax.patches if patch.get_gid() == "rate")
    np.testing.assert_allclose(rate.get_data().values, 7 * shifts.rate["mean"])
    last = 7 * shifts.rate.iloc[-1]
    words = f"{number(last['mean'])} a week ({interval(last['low'], last['high'])})"
    assert f"rate on 11 March: {words}" in drawn_texts(ax)


@pytest.mark.parametrize(
    ("n_days", "value"), [(1, 0), (1, 12_345), (2, 1), (14, 0), (60, 1), (3000, 0), (3000, 12_345)]
)
def test_tempo_of_any_length_and_height(n_days, value, made_up, assert_readable) -> None:
    counts = made_up.counts(n_days, gap=False)
    counts = as_counts(pd.Series(np.full(n_days, value), index=counts.index, name="attacks"))
    for outlook in (None, made_up.outlook(max(value, 0.01), 30)):
        ax = figures.plot_tempo(counts, made_up.shifts(counts), outlook)
        assert_readable(ax)


@pytest.mark.parametrize(
    ("freq", "unit"), [("MS", "a month"), ("YS", "a year"), ("QS", "a quarter")]
)
def test_calendar_bins_are_named(freq, unit) -> None:
    index = pd.date_range("2001-01-01", periods=40, freq=freq)
    ax = figures.plot_tempo(pd.Series(np.arange(40) % 3, index=index, name="attacks"))
    assert f"attacks {unit}" in drawn_texts(ax)


# -- forecasts and scenarios ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_days", "rate"), [(1, 0.0), (1, 40.0), (2, 0.01), (30, 0.0), (365, 0.001), (365, 40.0)]
)
def test_forecast_of_any_rate_and_length(rate, n_days, made_up, assert_readable) -> None:
    ax = figures.plot_forecast(made_up.outlook(rate, n_days))
    assert_readable(ax)


def test_numbers_on_the_forecast_are_those_of_the_outlook(made_up) -> None:
    from tempo.data.rounding import percent

    outlook = made_up.outlook()
    texts = drawn_texts(figures.plot_forecast(outlook))
    for days in (30, 60, 90):
        assert percent(outlook.probability(at_least=1, within=f"{days}D")) in texts
    last = outlook.quantiles(0.9).iloc[-1]
    assert f"median {last['cumulative_median']:.0f}" in texts
    assert f"90 %: {last['cumulative_low']:.0f} to {last['cumulative_high']:.0f}" in texts


@pytest.mark.parametrize("n", [2, 9])
def test_many_scenarios(n, made_up, assert_readable) -> None:
    weights = made_up.weights(names=tuple(f"scenario {i}" for i in range(n)))
    for draw in (figures.plot_odds, figures.plot_scenarios, figures.plot_indicators):
        assert_readable(draw(weights))


def test_scenarios_from_a_mapping_of_forecasts(made_up) -> None:
    outlook = made_up.outlook()
    ax = figures.plot_scenarios({"as now": outlook, "double": made_up.outlook(0.24)})
    assert {"as now", "double"} <= set(drawn_texts(ax))
    assert "weighed together" not in drawn_texts(ax)
    with pytest.raises(OptionError, match="different times"):
        figures.plot_scenarios({"a": outlook, "b": made_up.outlook(0.1, 30)})
    with pytest.raises(OptionError, match="no forecast"):
        figures.plot_scenarios({})


def test_bars_of_scenarios_are_as_long_as_their_probability(made_up) -> None:
    weights = made_up.weights()
    ax = figures.plot_scenarios(weights)
    bars = [patch.get_width() for patch in ax.patches if patch.get_gid() == "probability"]
    tracks = [patch.get_width() for patch in ax.patches if patch.get_gid() == "track"]
    wanted = [
        outlook.probability(at_least=1, within=within)
        for within in ("30D", "60D", "90D")
        for outlook in (*weights.outlooks().values(), weights.outlook())
    ]
    np.testing.assert_allclose(np.divide(bars, tracks), wanted)
