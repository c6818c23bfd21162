"""The chart of days lost: what stands on it is what the result says."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.errors import OptionError
from tempo.figures import caption_of, render
from tempo.forecasting.outlook import Outlook, paths_array


@pytest.fixture(scope="module")
def impact():
    rng = np.random.default_rng(1)
    starts = pd.date_range("2020-03-12", periods=90, freq="1D", unit="us")

    def outlook(rate: float, name: str) -> Outlook:
        return Outlook(
            paths_array(rng.poisson(rate, (2000, 90)), starts), name, "heavy strike", "killed > 0", starts[0],
            np.ones(90), "0",
        )  # fmt: skip

    rates = {
        "sporadic": 1 / 75,
        "a retaliation spiral of long name": 0.12,
        "scenario mixture": 0.05,
    }
    outlooks = {name: outlook(rate, name) for name, rate in rates.items()}
    return tempo.impact(outlooks, tempo.StandDown("10-30 %", "5-30 days"), rng=1)


def test_what_is_drawn_is_what_the_table_says(impact, assert_readable) -> None:
    ax = tempo.plot_impact(impact)
    days, rates = ax.child_axes[:2]
    medians = [line.get_xdata()[0] for line in days.lines if line.get_gid() == "median"]
    assert medians == impact.table()["median_days"].tolist()
    line = next(line for line in days.lines if line.get_gid() == "share")
    assert line.get_xdata()[0] == 22.5
    band = next(patch for patch in rates.patches if patch.get_gid() == "absorbable")
    monthly = impact.absorbable() * 365.25 / 12
    assert band.get_x() == pytest.approx(monthly["low_per_day"])
    assert band.get_x() + band.get_width() == pytest.approx(monthly["high_per_day"])
    caption = caption_of(ax)
    for part in (
        "90 % interval",
        "assumption",
        "25 % of the days",
        "killed > 0",
        "Data to 11 March 2020",
    ):
        assert part in caption
    assert_readable(ax)
    render(ax.figure, "svg")


def test_it_draws_on_given_axes_and_refuses_other_results(impact) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(14, 3), layout="constrained")
    assert tempo.plot_impact(impact, ax=right) is right
    assert not left.has_data()
    with pytest.raises(OptionError, match=r"impact is a DataFrame; expected what tempo\.impact"):
        tempo.plot_impact(impact.table())


@pytest.fixture(scope="module", params=["response", "no response"])
def operations(request):
    rng = np.random.default_rng(1)
    days = pd.date_range("2018-01-01", periods=7 * 120)
    daily = pd.Series(rng.poisson(0.12, len(days)), index=days)
    pressure = daily.to_numpy().reshape(-1, 7).sum(axis=1)
    mean = 30 * np.exp(-0.4 * pressure * (request.param == "response"))
    weekly = pd.Series(rng.poisson(mean), index=days[::7], name="sorties")
    fit = tempo.DoseResponse(lags=1).fit(weekly, daily, rng=1)
    end = days[-1] + pd.Timedelta("1D")
    starts = pd.date_range(end, periods=91, freq="1D", unit="us")
    outlooks = {
        name: Outlook(
            paths_array(rng.poisson(rate, (1000, 91)), starts), name, "heavy strike", "killed > 0", end, np.ones(91),
            "0",
        )
        for name, rate in (("sporadic", 1 / 75), ("escalation", 0.25), ("scenario mixture", 0.1))
    }  # fmt: skip
    return tempo.impact(outlooks, fit, rng=1)


def test_operations_lost_are_drawn_as_days_lost_are(operations, assert_readable) -> None:
    ax = tempo.plot_impact(operations)
    lost, rates = ax.child_axes[:2]
    medians = [line.get_xdata()[0] for line in lost.lines if line.get_gid() == "median"]
    assert medians == operations.table().loc[list(operations.scenarios), "lost_median"].tolist()
    line = next(line for line in lost.lines if line.get_gid() == "share")
    assert line.get_xdata()[0] == 3.25
    monthly = operations.absorbable() * 365.25 / 12
    band = next(patch for patch in rates.patches if patch.get_gid() == "absorbable")
    assert band.get_x() == pytest.approx(monthly["low_per_day"])
    assert all(np.isfinite(rates.get_xlim()))
    caption = caption_of(ax)
    for part in ("25 % of the operations", operations.status, "shows no cause", "usual weeks"):
        assert part in caption
    assert "inf" not in caption
    assert_readable(ax)
    render(ax.figure, "svg")
