"""The chart of recurring regimes: bands that add up, hindsight left out, words that can be read."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tempo.figures import caption_of, plot_regimes, render


def made(counts, k, *, contagion=False):
    """Probabilities that swing, without any fit behind them."""
    n = len(counts)
    waves = np.stack([1.2 + np.sin(np.arange(n) / (9 + 5 * i) + i) for i in range(k)], axis=1)
    filtered = pd.DataFrame(waves / waves.sum(axis=1, keepdims=True), index=counts.index)
    return SimpleNamespace(
        counts=counts,
        name="Regimes",
        filtered=filtered,
        rates_per_day=pd.Series(0.02 * 3.0 ** np.arange(k)),
        model=SimpleNamespace(contagion=contagion),
    )


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8])
def test_bands_fill_the_strip_and_words_stay_apart(k, made_up, assert_readable) -> None:
    ax = plot_regimes(made(made_up.counts(), k))
    strip = ax.child_axes[0]
    bands = {patch.get_gid(): patch for patch in strip.get_children() if patch.get_gid()}
    tops = [bands[f"regime {i}"].get_data() for i in range(k)]
    np.testing.assert_allclose(tops[0].values, 1.0)  # the quietest reaches the top
    np.testing.assert_allclose(tops[-1].baseline, 0.0)  # the busiest stands on the foot
    for quieter, busier in pairwise(tops):
        np.testing.assert_allclose(quieter.baseline, busier.values)
    assert "without hindsight" in caption_of(ax)
    assert f"number of regimes ({k}) assumed" in caption_of(ax)
    assert "Hatched: not observed" in caption_of(ax)
    if k <= 4:
        assert_readable(ax)
    assert render(ax.figure, "png", dpi=50)


def test_contagion_is_said_and_given_axes_are_used(made_up) -> None:
    import matplotlib.pyplot as plt

    _, axes = plt.subplots()
    ax = plot_regimes(made(made_up.counts(gap=False), 2, contagion=True), ax=axes)
    assert ax is axes
    assert "no earlier one set off" in caption_of(ax)
    assert "Hatched" not in caption_of(ax)
