"""Posterior draws that belong together: arrays with a row for each draw, taken and joined alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["DrawRows"]


class DrawRows:
    """What a dataclass of posterior draws can do.

    Its fields are arrays whose first axis is the draw, other ``DrawRows``, or values that belong to all draws.
    """

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Give some of the draws.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        DrawRows
            In that order.
        """
        changes: dict[str, Any] = {}
        for name, value in self._fields():
            if isinstance(value, np.ndarray):
                changes[name] = value[rows]
            elif isinstance(value, DrawRows):
                changes[name] = value.take(rows)
        return cast("Self", dataclasses.replace(cast("Any", self), **changes))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join draws one after the other.

        Parameters
        ----------
        parts : sequence of DrawRows
            At least one. Values that belong to all draws are those of the first.

        Returns
        -------
        DrawRows
            All of them.
        """
        changes: dict[str, Any] = {}
        for name, value in parts[0]._fields():
            if isinstance(value, np.ndarray):
                changes[name] = np.concatenate([getattr(part, name) for part in parts])
            elif isinstance(value, DrawRows):
                changes[name] = value.joined([getattr(part, name) for part in parts])
        return cast("Self", dataclasses.replace(cast("Any", parts[0]), **changes))

    def _fields(self) -> list[tuple[str, Any]]:
        fields = dataclasses.fields(cast("Any", self))
        return [(field.name, getattr(self, field.name)) for field in fields]
