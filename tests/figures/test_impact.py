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
    with pytest.raises(OptionError, match="days lost to stand-downs"):
        tempo.plot_impact(impact.table())
