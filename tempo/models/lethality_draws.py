"""Posterior draws of severity tails: chances, tolls, and what is deadlier. Arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tempo.models import severity_tails as tails
from tempo.models.lethality_reading import Tolls
from tempo.models.posterior_rows import DrawRows

__all__ = ["TailDraws"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TailDraws(DrawRows):
    """Posterior draws of tails, each with its family.

    Attributes
    ----------
    family : ndarray of int, shape (s,)
        Code of each draw.
    theta : ndarray, shape (s, 2)
        Unconstrained parameters; the second is 0 for the power law.
    x_min : ndarray of int, shape (s,)
        1 but for power laws that begin later.
    body : ndarray, shape (s, w)
        ``P(X <= k | X >= 1)`` at ``k = 1 … w``, for k below x_min.
    """

    family: Ints
    theta: Floats
    x_min: Ints
    body: Floats

    def __len__(self) -> int:
        return len(self.family)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join draws one after the other, whatever their places below x_min.

        Parameters
        ----------
        parts : sequence of TailDraws
            At least one.

        Returns
        -------
        TailDraws
            All of them.
        """
        width = max(part.body.shape[1] for part in parts)
        pads = [((0, 0), (0, width - part.body.shape[1])) for part in parts]
        wide = [np.pad(p.body, pad, mode="edge") for p, pad in zip(parts, pads, strict=True)]
        return super().joined([replace(p, body=b) for p, b in zip(parts, wide, strict=True)])

    def parameters(self) -> Floats:
        """Give the natural parameters, as the compiled kernels take them.

        Returns
        -------
        ndarray, shape (s, 2)
            The second is 1 for power laws.
        """
        result = np.ones((len(self), 2))
        for name, (code, names) in tails.FAMILIES.items():
            mine = self.family == code
            result[mine, : len(names)] = tails.natural(name, self.theta[mine, : len(names)])
        return result

    def places(self, shift: Floats) -> Floats:
        """Give the first natural parameter of several sorts of attack.

        Parameters
        ----------
        shift : ndarray, shape (s, c)
            How much deadlier each is, under each draw (``severity_tails.shifted``).

        Returns
        -------
        ndarray, shape (s, c)
            Mean, mu or exponent.
        """
        result = np.empty(shift.shape)
        for name, (code, _) in tails.FAMILIES.items():
            mine = self.family == code
            moved = tails.shifted(name, self.theta[mine, :1], shift[mine])
            # One row for each number: the first parameter needs no other.
            flat = tails.natural(name, np.column_stack([moved.ravel(), np.zeros(moved.size)]))
            result[mine] = flat[:, 0].reshape(moved.shape)
        return result

    def survival(self, k: Floats, shift: Floats | None = None) -> Floats:
        """Give ``P(X >= k | X >= 1)`` under each draw.

        Parameters
        ----------
        k : ndarray, shape (u,)
            Whole numbers, or infinity.
        shift : ndarray, shape (s, u), optional
            How much deadlier the attack is that each is asked for (``severity_tails.shifted``). Below a later x_min
            all are alike.

        Returns
        -------
        ndarray, shape (s, u)
            Probabilities.
        """
        k = np.asarray(k, dtype=float)
        result = np.empty((len(self), len(k)))
        for name, x_min, mine in self._alike():
            width = len(tails.FAMILIES[name][1])
            own = None if shift is None else shift[mine]
            chance = np.exp(
                tails.log_survival(name, self.theta[mine, :width], k, x_min=x_min, shift=own)
            )
            if x_min > 1:
                body = self.body[mine]
                chance *= 1.0 - body[:, x_min - 2 : x_min - 1]
                early = k < x_min
                at = np.maximum(k[early], 1.0).astype(int)
                chance[:, early] = 1.0 - np.where(at > 1, body[:, at - 2], 0.0)
            result[mine] = chance
        return result

    def log_probability(self, tolls: Tolls, shift: Floats | None = None) -> Floats:
        """Give ``log P(low <= X <= high | X >= 1)`` under each draw.

        Parameters
        ----------
        tolls : Tolls, length u
            With ``low`` at least 1.
        shift : ndarray, shape (s, u), optional
            How much deadlier each attack is.

        Returns
        -------
        ndarray, shape (s, u)
            Log probabilities.
        """
        result = np.empty((len(self), len(tolls)))
        for name, x_min, mine in self._alike():
            theta = self.theta[mine, : len(tails.FAMILIES[name][1])]
            late = tolls.low >= x_min
            block = np.empty((len(theta), len(tolls)))
            own = None if shift is None else shift[mine]
            block[:, late] = tails.log_interval(
                name,
                theta,
                tolls.low[late],
                tolls.high[late],
                x_min=x_min,
                shift=None if own is None else own[:, late],
            )
            if x_min > 1:
                body = self.body[mine]
                with np.errstate(divide="ignore"):
                    block[:, late] += np.log1p(-body[:, x_min - 2 : x_min - 1])
                    early = tolls.at(~late)
                    some = self.take(np.flatnonzero(mine))
                    both = some.survival(
                        np.concatenate([early.low, early.high + 1.0]),
                        None if own is None else np.tile(own[:, ~late], 2),
                    )
                    block[:, ~late] = np.log(both[:, : len(early)] - both[:, len(early) :])
            result[mine] = block
        return result

    def endless_mean(self, shift: Floats) -> NDArray[np.bool_]:
        """Tell which draws have no finite mean.

        Parameters
        ----------
        shift : ndarray, shape (s, c)
            How much deadlier each sort of attack is.

        Returns
        -------
        ndarray of bool, shape (s,)
            Power laws with an exponent of 2 or less for some sort.
        """
        power = self.family == tails.FAMILIES["power"][0]
        return np.asarray(power & (self.places(shift).min(axis=1) <= 2.0))

    def _alike(self) -> list[tuple[str, int, NDArray[np.bool_]]]:
        groups: list[tuple[str, int, NDArray[np.bool_]]] = []
        for name, (code, _) in tails.FAMILIES.items():
            of_family = self.family == code
            groups += [
                (name, int(x_min), of_family & (self.x_min == x_min))
                for x_min in np.unique(self.x_min[of_family])
            ]
        return groups
