"""Words on charts: taken literally, cut to measure, moved apart."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo.figures.labels import plain, shortened, spread, width_mm, wrapped


def test_plain_keeps_signs_of_tex() -> None:
    assert plain(r"$x_1^2$ \alpha 5% {#}") == r"$x_1^2$ \alpha 5% {#}"


def test_plain_drops_what_cannot_be_drawn() -> None:
    assert plain("a\tb\nc\x00d\u200e") == "a b cd"
    assert plain("東") == "\u25a1"
    assert plain(pd.NA) == plain(np.nan) == plain(None) == ""


def test_arabic_is_isolated_so_that_its_neighbours_keep_their_order() -> None:
    assert plain("معسكر التاجي") == "\u2068معسكر التاجي\u2069"
    cut = shortened(plain("معسكر التاجي " * 20), 30.0, 7.0)
    assert cut.startswith("\u2068")
    assert cut.endswith("…\u2069")


@settings(max_examples=40)
@given(st.text(max_size=60), st.floats(5, 60))
def test_shortened_fits(text: str, limit: float) -> None:
    cut = shortened(plain(text), limit, 7.0)
    assert width_mm(cut, 7.0) <= limit or cut.strip("\u2068\u2069") == "…"


@settings(max_examples=40)
@given(st.text(alphabet="abc def ghi", max_size=300), st.floats(10, 60))
def test_wrapped_fits_and_loses_nothing_silently(text: str, limit: float) -> None:
    lines = wrapped(text, limit, 7.0)
    assert len(lines) <= 6
    assert all(width_mm(line, 7.0) <= limit for line in lines)
    if not any("…" in line for line in lines):
        assert " ".join(lines).split() == text.split()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=9))
def test_spread_keeps_order_and_distance(wanted: list[float]) -> None:
    placed = spread(wanted, 10.0, 0.0, 100.0)
    ranked = sorted(placed)
    assert all(b - a >= 10.0 - 1e-9 for a, b in itertools.pairwise(ranked))
    assert min(placed) >= -1e-9
    assert max(placed) <= 100.0 + 1e-9
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    assert [placed[i] for i in order] == ranked


def test_spread_moves_nothing_that_has_room() -> None:
    assert spread([10.0, 50.0, 90.0], 10.0, 0.0, 100.0) == [10.0, 50.0, 90.0]


def test_width_grows_with_the_size() -> None:
    assert width_mm("rocket", 14.0) == pytest.approx(2 * width_mm("rocket", 7.0), rel=0.02)
