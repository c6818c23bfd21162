"""The chart of a scenario before any data: its panels show what its preview says, and its words can be read."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.figures import caption_of

PAST = pd.Series([1, 0, 0, 2, 0] * 20, index=pd.date_range("2020-01-01", periods=100))
STORIES = {
    "steady": lambda: tempo.Scenario.every("2-3 months", name="sporadic"),
    "surge": lambda: tempo.Scenario.surge_and_return(PAST),
    "deadly": lambda: tempo.Scenario.of_phases(
        "deadly",
        [
            tempo.Phase.of("lull", "1-2 a month", lethality="5-20 %"),
            tempo.Phase.of("more", "x2 to x4", onset="2020-05-01", duration="2-6 weeks"),
        ],
        deaths="1-6",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_drawn_and_can_be_read(name, assert_readable) -> None:
    story = STORIES[name]()
    ax = tempo.plot_story(story, label="heavy strikes")
    assert_readable(ax)
    caption = caption_of(ax)
    assert "90 % interval" in caption
    assert story.describe()[:30] in caption
    rate, numbers = ax.child_axes
    medians = [line for line in numbers.lines if line.get_gid() == "median"]
    table = story.preview().table()
    shown = [float(np.ravel(line.get_xdata())[0]) for line in medians]
    columns = ["attacks_median"] + (["deaths_median"] if "deaths_median" in table else [])
    assert shown == [float(table.loc[days, c]) for c in columns for days in (30, 60, 90)]
    assert len([c for c in rate.collections if c.get_gid() == "band"]) == 2


def test_the_fan_shows_the_jump() -> None:
    ax = tempo.plot_story(tempo.Scenario.escalation(PAST, (5, 6), onset="2020-03-01"))
    rate = ax.child_axes[0]
    (line,) = (line for line in rate.lines if line.get_gid() == "median")
    middle = np.asarray(line.get_ydata())
    assert 4.5 < middle[-1] / middle[0] < 6.5
    base = tempo.Scenario.escalation(PAST, onset="2020-03-01").rate
    assert middle[0] == pytest.approx(float(base.quantile(0.5)), rel=0.02)


def test_it_draws_on_the_axes_given() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 3))
    assert tempo.plot_story(STORIES["surge"](), ax=right, horizon="30D") is right
    assert plt.get_fignums() == [figure.number]
    assert not left.child_axes
