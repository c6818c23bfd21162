"""The chart of intent: every attack stands at its probability, and its text can be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.figures import caption_of


@pytest.fixture(scope="module")
def fit():
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2019-05-01", periods=60, freq="5D"),
            "kind": "rocket",
            "munitions": [2.0, 1, 18, 3, np.nan, 1] * 10,
            "killed": [0.0, 0, 1, np.nan, 0, 0] * 10,
        }
    )
    incidents = tempo.Incidents(table, ("2019-05-01", "2020-03-12"), label="<b>strike</b>")
    return tempo.Intent(outcomes=("killed",)).fit(incidents, rng=1)


def test_each_attack_stands_at_its_probability(fit, assert_readable) -> None:
    ax = tempo.plot_intent(fit)
    shown = {a.get_gid(): a.get_ydata() for a in ax.lines if str(a.get_gid()).startswith("killed-")}
    table = fit.attacks
    for state in ("no", "yes", "unknown"):
        expected = table.loc[table["killed"] == state, "probability"]
        np.testing.assert_array_equal(shown[f"killed-{state}"], expected)
    assert sum(map(len, shown.values())) == 60
    assert "not observed" in caption_of(ax)
    assert_readable(ax)


def test_without_a_column_of_deaths(fit) -> None:
    incidents = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    ax = tempo.plot_intent(tempo.Intent(outcomes=()).fit(incidents, rng=1))
    assert "killed" not in caption_of(ax)
