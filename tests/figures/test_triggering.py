"""The chart of who triggers whom."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tempo.figures import caption_of, plot_triggering, render
from tempo.models.hawkes_kinds_reading import triggers_table


def make_fit(counts, kinds, *, known: bool = True) -> SimpleNamespace:
    """A branching matrix with a strong diagonal, of which half is known."""
    k = len(kinds)
    place = np.arange(k * k).reshape(k, k)
    estimate = 0.45 * np.eye(k) + 0.03 * (place % 5)
    probability = np.where(estimate > 0.2, 0.99, np.where(place % 3 == 0, 0.02, 0.5))
    events = np.where(np.arange(k) == k - 1, 3.0, 40.0 + np.arange(k))
    table = triggers_table(
        kinds,
        estimate,
        0.4 * estimate,
        estimate + 0.1,
        probability if known else None,
        np.full((k, k), 0.4) if known else None,
        events,
        0.05,
        0.9,
    )
    radius = pd.Series({"estimate": 0.62, "low": 0.5, "high": 0.8, "above_one": 0.0})
    return SimpleNamespace(
        kinds=list(kinds),
        counts=counts,
        name="Hawkes by kind",
        n_events=pd.Series(events, index=kinds),
        triggers=lambda: table,
        spectral_radius=lambda: radius,
    )


NAMES = {
    1: ["rocket"],
    3: ["rocket", "IED", "mortar"],
    10: ["harassment", "heavy rocket fire", "convoy IED", "sniper", "mortar", "gunfire",
         "suicide bombing", "drone", "kidnapping", "other_$x^2$"],
}  # fmt: skip


@pytest.mark.parametrize("size", NAMES)
@pytest.mark.parametrize("known", [True, False])
def test_reads(size, known, made_up, assert_readable):
    ax = plot_triggering(make_fit(made_up.counts(), NAMES[size], known=known))
    caption = caption_of(ax)
    for part in ("90 % interval", "the data cannot tell", "Counting rule for attacks: "):
        assert part in caption
    assert "Data to 11 March 2020 (before 12 March)." in caption
    assert_readable(ax)
    assert render(ax.figure, "png", dpi=50)


def test_fills_only_what_is_known(made_up):
    ax = plot_triggering(make_fit(made_up.counts(), NAMES[3]))
    (mesh,) = [c for c in ax.collections if c.get_gid() == "filled"]
    hidden = np.ma.getmaskarray(mesh.get_array()).reshape(3, 3)
    assert not hidden[0, 0]
    assert hidden[2].all()  # three attacks are too few to say anything
    assert hidden[:, 2].all()
    bold = [text for text in ax.texts if text.get_fontweight() == "bold"]
    assert len(bold) == int((~hidden).sum())


def test_shades_rise_in_grey():
    from tempo.figures.triggering import _SHADES

    grey = np.array([_SHADES(x)[:3] for x in np.linspace(0, 1, 9)]) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) < -0.03).all()
    assert grey[0] < 0.97  # an entry known to be nothing differs from one that is not known


def test_draws_on_the_axes_given(made_up):
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4))
    assert plot_triggering(make_fit(made_up.counts(), NAMES[3]), ax=right) is right
    assert not left.has_data()
    assert plt.get_fignums() == [figure.number]
