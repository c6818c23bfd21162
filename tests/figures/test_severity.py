"""The chart of severity: what stands on it, and that it can be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.figures import caption_of, render

pytestmark = pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")


@pytest.fixture(scope="module")
def fit():
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2019-05-01", periods=60, freq="5D"),
            "killed": [0.0, 0, 1, np.nan, 0, 3] * 10,
        }
    )
    incidents = tempo.Incidents(table, ("2019-05-01", "2020-03-12"))
    return tempo.Lethality().fit(incidents, rng=1, draws=400)


def artist(ax, gid):
    return next(a for a in ax.get_children() if a.get_gid() == gid)


def test_curve_and_dots_are_those_of_the_table(fit, assert_readable) -> None:
    ax = tempo.plot_severity(fit)
    table = fit.exceedance()
    line = artist(ax, "median")
    np.testing.assert_array_equal(line.get_xdata(), table.index)
    np.testing.assert_allclose(line.get_ydata(), np.maximum(table["probability"], 1e-5))
    dots = artist(ax, "observed")
    assert dots.get_xdata().tolist() == [1, 3]
    np.testing.assert_allclose(dots.get_ydata(), [0.4, 0.2])
    assert_readable(ax)


def test_essentials_stand_on_its_face(fit) -> None:
    caption = caption_of(tempo.plot_severity(fit))
    for text in (
        "90 % interval",
        "without 10 of unknown toll",
        "power law",
        "Counting rule for attacks: every row",
        "Data to 11 March 2020 (before 12 March).",
    ):
        assert text in caption


def test_draws_on_the_axes_given_and_the_same_file_twice(fit) -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert tempo.plot_severity(fit, ax) is ax
    assert render(tempo.plot_severity(fit).figure, "svg") == render(
        tempo.plot_severity(fit).figure, "svg"
    )


def test_no_lethal_attack_is_drawn_too() -> None:
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=9), "killed": 0.0})
    fit = tempo.Lethality(tail="power").fit(
        tempo.Incidents(table, ("2020-01-01", "2020-01-10")), rng=1, draws=400
    )
    ax = tempo.plot_severity(fit)
    assert len(artist(ax, "observed").get_xdata()) == 0
