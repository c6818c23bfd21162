"""Draws that belong together stay together when they are taken and joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tempo.models.posterior_rows import DrawRows


@dataclass(frozen=True, eq=False)
class Part(DrawRows):
    level: np.ndarray
    none: np.ndarray | None
    evidence: float


@dataclass(frozen=True, eq=False)
class Whole(DrawRows):
    part: Part
    chance: np.ndarray


def whole(start: int) -> Whole:
    level = np.arange(start, start + 6).reshape(3, 2)
    return Whole(Part(level, None, float(start)), level[:, 0] / 10)


def test_taking_rows_takes_them_everywhere() -> None:
    some = whole(0).take(np.array([2, 2, 0]))
    assert some.part.level.tolist() == [[4, 5], [4, 5], [0, 1]]
    assert some.chance.tolist() == [0.4, 0.4, 0.0]
    assert some.part.none is None
    assert some.part.evidence == 0.0


def test_joining_keeps_order_and_the_first_one_of_what_belongs_to_all() -> None:
    both = Whole.joined([whole(0), whole(10)])
    assert both.part.level[:, 0].tolist() == [0, 2, 4, 10, 12, 14]
    assert both.chance.tolist() == [0.0, 0.2, 0.4, 1.0, 1.2, 1.4]
    assert both.part.evidence == 0.0
    assert both.take(np.arange(3, 6)).part.level.tolist() == whole(10).part.level.tolist()
