"""The next attack: of what sort it is, the chance that it kills anyone, and how much deadlier it then is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo.models import severity_kernels as kernels
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.lethality_draws import TailDraws
from tempo.models.posterior_rows import DrawRows

__all__ = ["NextAttack", "one_sort"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Tolls are asked for under fewer draws where sorts are many: so many numbers make a table.
MOST_NUMBERS = 5_000_000
FEWEST_DRAWS = 400


@dataclass(frozen=True, eq=False)
class NextAttack(DrawRows):
    """Sorts of attack that may come next, under each posterior draw.

    Attributes
    ----------
    share : ndarray, shape (s, c)
        Probability of each sort; rows add up to one.
    chance : ndarray, shape (s, c)
        That an attack of that sort kills anyone.
    shift : ndarray, shape (s, c)
        How much deadlier it is if it does (``severity_tails.shifted``).
    """

    share: Floats
    chance: Floats
    shift: Floats

    def __len__(self) -> int:
        return len(self.share)

    @property
    def any(self) -> Floats:
        """Chance that it kills anyone, whatever its sort, shape (s,)."""
        return np.asarray((self.share * self.chance).sum(axis=1))

    def lethal(self) -> NextAttack:
        """Give the next attack of those that kill.

        Returns
        -------
        NextAttack
            Sorts in proportion to how often they kill.
        """
        share = self.share * self.chance
        return NextAttack(
            share / share.sum(axis=1, keepdims=True), np.ones(share.shape), self.shift
        )

    def exceeds(self, tail: TailDraws, k: Floats) -> Floats:
        """Give the probability that it kills at least k.

        Parameters
        ----------
        tail : TailDraws, length s
            That belong to the draws.
        k : ndarray, shape (u,)
            Whole numbers from 1 up.

        Returns
        -------
        ndarray, shape (s, u)
            Probabilities. Where there are many sorts and many k, fewer rows: every so many of the draws.
        """
        sorts = self.share.shape[1]
        if sorts == 1:
            own = None if not self.shift.any() else np.repeat(self.shift, len(k), axis=1)
            return np.asarray(self.chance * tail.survival(k, own))
        most = max(FEWEST_DRAWS, MOST_NUMBERS // (sorts * max(len(k), 1)))
        rows = np.arange(0, len(self), -(-len(self) // most))
        some, of = self.take(rows), tail.take(rows)
        weight = some.share * some.chance
        result = np.zeros((len(rows), len(k)))
        for c in range(sorts):
            own = np.repeat(some.shift[:, c : c + 1], len(k), axis=1)
            result += weight[:, c : c + 1] * of.survival(k, own)
        return result

    def without_mean(self, tail: TailDraws) -> float:
        """Give the probability that the toll has no finite mean.

        Parameters
        ----------
        tail : TailDraws, length s
            That belong to the draws.

        Returns
        -------
        float
            Share of the draws in which some sort has none.
        """
        return float(tail.endless_mean(self.shift).mean())

    def simulate(
        self, tail: TailDraws, attacks: Ints, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        """Simulate how many are killed in each bin of a table of attacks.

        Parameters
        ----------
        tail : TailDraws, length s
            That belong to the draws.
        attacks : ndarray of int, shape (s, n)
            How many attacks.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        total, deadliest : ndarray of int64, shape (s, n)
            Killed in all, and in the deadliest attack. Each attack is of a sort of its own.
        """
        simulated: tuple[Ints, Ints] = kernels.simulate(
            np.ascontiguousarray(attacks, dtype=np.int64),
            np.cumsum(self.share, axis=1),
            self.chance,
            tail.family,
            tail.places(self.shift),
            np.ascontiguousarray(tail.parameters()[:, 1]),
            tail.x_min,
            tail.body,
            seeds(rng, len(tail)),
        )
        return simulated


def one_sort(chance: Floats, shift: Floats | None = None) -> NextAttack:
    """Give the next attack where its sort is known.

    Parameters
    ----------
    chance : ndarray, shape (s,)
        That it kills anyone.
    shift : ndarray, shape (s,), optional
        How much deadlier it is.

    Returns
    -------
    NextAttack
        Of one sort.

    Examples
    --------
    >>> one_sort(np.array([0.2, 0.3])).any.tolist()
    [0.2, 0.3]
    """
    chance = np.ascontiguousarray(chance[:, None])
    zero = np.zeros(chance.shape)
    return NextAttack(np.ones(chance.shape), chance, zero if shift is None else shift[:, None])
