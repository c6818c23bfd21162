"""Charts of changes: numbers of changes, shared changes, the alarm, and how deadly attacks are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.data.counts import as_counts
from tempo.data.rounding import percent
from tempo.errors import OptionError
from tempo.figures import (
    caption_of,
    plot_alarm,
    plot_deadliness,
    plot_n_changes,
    plot_shared_changes,
    plot_tempo,
)


def patches(ax, gid):
    return [patch for patch in ax.get_children() if patch.get_gid() == gid]


def texts(ax):
    return [text.get_text() for text in ax.texts]


# -- numbers of changes --------------------------------------------------------------------------------------------


def numbers(chance, made_up):
    shifts = made_up.shifts(made_up.counts())
    shifts.n_changes = pd.Series(chance)
    return shifts


def test_bars_are_the_probabilities_and_the_most_probable_stands_out(made_up) -> None:
    ax = plot_n_changes(numbers([0.2, 0.65, 0.15], made_up))
    bars = patches(ax, "number")
    assert [bar.get_height() for bar in bars] == [0.2, 0.65, 0.15]
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx([0, 1, 2])
    shades = [bar.get_facecolor() for bar in bars]
    assert shades[0] == shades[2] != shades[1]
    assert {percent(0.2), percent(0.65), percent(0.15)} <= set(texts(ax))
    assert "Other numbers" not in caption_of(ax)


@pytest.mark.parametrize(("mode", "most"), [(0, 3), (9, 30), (60, 200)])
def test_many_changes_leave_a_readable_window(mode, most, made_up, assert_readable) -> None:
    k = np.arange(most)
    chance = np.exp(-0.5 * ((k - mode) / max(mode / 5, 0.3)) ** 2)
    chance /= chance.sum()
    ax = plot_n_changes(numbers(chance, made_up))
    drawn = np.array([bar.get_height() for bar in patches(ax, "number")])
    assert len(drawn) <= 24
    assert drawn.max() == chance.max()
    missing = 1 - drawn.sum()
    if missing > 0.005:
        assert f"Other numbers together: {percent(missing)}" in caption_of(ax)
    assert_readable(ax)


# -- shared changes ------------------------------------------------------------------------------------------------


def test_accounts_and_lanes_are_those_of_the_result(made_up) -> None:
    shared = made_up.shared(made_up.counts(gap=False))
    ax = plot_shared_changes(shared)
    accounts, dated = ax.child_axes
    bars = [patch.get_width() for patch in patches(accounts, "account")]
    assert bars == shared.probabilities.to_list()
    assert [patch.get_width() for patch in patches(accounts, "question")] == [shared.shared]
    (bold,) = {t.get_text() for t in accounts.texts if t.get_fontweight() == "bold"} - {
        percent(0.5)
    }
    assert bold == "both, together"
    lanes = [patch.get_data() for patch in patches(dated, "change")]
    heights = np.array([(lane.values - lane.baseline).sum() for lane in lanes])
    totals = shared.change_probability.sum().to_numpy()
    np.testing.assert_allclose(heights / heights[0], totals / totals[0])  # one scale for all
    assert "bars of 1 week" in caption_of(ax)


def test_both_counting_rules_are_said(made_up) -> None:
    shared = made_up.shared(made_up.counts())
    other = made_up.counts()
    other.label, other.rule = "roadside bombs", "kind == 'IED'"
    shared.counts = (shared.counts[0], other)
    caption = caption_of(plot_shared_changes(shared))
    assert "Counting rule for attacks: " in caption
    assert "Counting rule for roadside bombs: kind == 'IED'" in caption
    assert "Hatched: not observed" in caption


def test_a_real_result_can_be_drawn(assert_readable) -> None:
    days = pd.date_range("2020-01-01", periods=60, freq="1D")
    rng = np.random.default_rng(1)
    one = pd.Series(rng.poisson(np.repeat([0.2, 1.5], 30)), index=days, name="rockets")
    two = pd.Series(rng.poisson(np.repeat([2.0, 0.4], 30)), index=days, name="mines")
    shared = tempo.shared_changes(one, two)
    assert [counts.label for counts in shared.counts] == ["rockets", "mines"]
    assert_readable(plot_shared_changes(shared))


# -- alarm ---------------------------------------------------------------------------------------------------------


def test_threshold_alarm_and_usual_rate_stand_where_they_are(made_up) -> None:
    counts = made_up.counts(100, gap=False)
    watched, rule = made_up.watched(counts)
    ax = plot_alarm(counts, watched, rule)
    (strip,) = ax.child_axes
    (threshold,) = patches(strip, "threshold")
    assert set(threshold.get_ydata()) == {rule.threshold}
    (line,) = patches(ax, "alarm")
    first = watched.index[watched["alarm"]][0]
    assert line.get_xdata()[0] == (first - pd.Timestamp("1970-01-01")).days
    (usual,) = patches(ax, "usual")
    assert set(usual.get_ydata()) == {rule.usual_rate}  # bars of one day
    np.testing.assert_allclose(
        patches(strip, "probability")[0].get_data().values, watched["probability"]
    )
    assert "once in 365 days on average" in caption_of(ax)
    assert "for a rise" in caption_of(ax)


def test_the_usual_rate_is_in_the_unit_of_the_bars(made_up) -> None:
    counts = made_up.counts(316, gap=False)
    watched, rule = made_up.watched(counts)
    (usual,) = patches(plot_alarm(counts, watched, rule), "usual")
    assert set(usual.get_ydata()) == {7 * rule.usual_rate}


@pytest.mark.parametrize(("threshold", "ratio"), [(0.999, 3.0), (0.01, 0.3)])
def test_no_alarm_and_all_alarm(threshold, ratio, made_up, assert_readable) -> None:
    counts = made_up.counts(40, gap=False)
    watched, rule = made_up.watched(counts)
    rule = SimpleNamespace(**{**vars(rule), "threshold": threshold, "ratio": ratio})
    watched["alarm"] = watched["probability"] > threshold
    ax = plot_alarm(counts, watched, rule)
    assert bool(patches(ax, "alarm")) == watched["alarm"].any()
    assert ("It did not sound" in caption_of(ax)) != watched["alarm"].any()
    assert ("for a lull" in caption_of(ax)) == (ratio < 1)
    assert_readable(ax)


# -- deadliness, gaps, attack days ---------------------------------------------------------------------------------


def test_tolls_are_drawn_as_they_are(made_up) -> None:
    shifts = made_up.severity()
    ax = plot_deadliness(shifts)
    (dots,) = patches(ax, "tolls")
    np.testing.assert_allclose(dots.get_ydata(), np.exp(shifts.events["value"]))
    (line,) = patches(ax, "typical toll")
    np.testing.assert_allclose(line.get_data().values, shifts.rate["deaths"])
    assert len(patches(ax.child_axes[0], "date of change")) == 1


def test_severity_and_rates_are_not_drawn_for_each_other(made_up) -> None:
    counts = made_up.counts()
    with pytest.raises(OptionError, match="plot_deadliness"):
        plot_tempo(counts, made_up.severity())
    with pytest.raises(OptionError, match="plot_tempo"):
        plot_deadliness(made_up.shifts(counts))


def test_attack_days_are_counted_where_the_fit_counts_them() -> None:
    days = pd.date_range("2020-01-01", periods=40, freq="1D")
    counts = pd.Series([0, 3, 0, 5] * 10, index=days, name="attacks")
    shifts = tempo.Changepoints(observation="bernoulli").fit(counts)
    ax = plot_tempo(counts, shifts)
    drawn = sum(np.asarray(p.get_data().values) for p in patches(ax, "counts"))
    assert drawn.sum() == 20  # attack days, not attacks
    assert "days with attacks a day" in texts(ax)


def test_gaps_are_drawn_by_day() -> None:
    start = pd.Timestamp("2020-01-01")
    places = [*range(5, 100, 19), *range(100, 150, 2)]
    table = pd.DataFrame({"date_start": start + pd.to_timedelta(places, unit="D")})
    incidents = tempo.Incidents(table, ("2020-01-01", "2020-06-01"))
    shifts = tempo.Changepoints(observation="gaps", n_changes=1).fit(incidents)
    ax = plot_tempo(incidents.counts("1D"), shifts)
    (rate,) = patches(ax, "rate")
    bar_days = np.diff(patches(ax, "counts")[0].get_data().edges)[-1]
    np.testing.assert_allclose(rate.get_data().values, bar_days * shifts.rate["per_day"])
    edges = rate.get_data().edges
    assert edges[-1] == (incidents.window.end - pd.Timestamp("1970-01-01")).days


# -- length of bars ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freq", "n", "unit", "length"),
    [
        ("D", 131, "a week", "1 week"),
        ("D", 2_000, "in 28 days", "28 days"),
        ("MS", 200, "in 2 months", "2 months"),
        ("MS", 400, "in 4 months", "4 months"),
        ("MS", 700, "a year", "1 year"),
        ("QS", 200, "in 6 months", "6 months"),
        ("YS", 200, "in 2 years", "2 years"),
    ],
)
def test_regrouped_bars_say_how_long_they_are(freq, n, unit, length, made_up) -> None:
    index = pd.date_range("1850-01-01", periods=n, freq=freq, unit="s")
    ax = plot_tempo(as_counts(pd.Series(np.arange(n) % 3, index=index, name="attacks")))
    assert f"attacks {unit}" in texts(ax)
    assert f"Bars: {length} each, counted back from the end" in caption_of(ax)
    assert "Bars: " not in caption_of(plot_tempo(made_up.counts(100)))
