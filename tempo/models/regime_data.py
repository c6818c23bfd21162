"""Counts and parameters as the compiled code of the regime model wants them: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

__all__ = ["RegimeData", "ordered", "prepare"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RegimeData:
    """Counts as the compiled code wants them.

    Attributes
    ----------
    counts, exposure : ndarray of float, shape (u,)
        Distinct pairs of count and observed share; with contagion one for each observed bin.
    constants : ndarray of float, shape (u,)
        ``log(counts!)``.
    times : ndarray of float, shape (u,)
        How many bins show each pair.
    index : ndarray of int, shape (n,)
        Which pair a bin shows; -1 where nobody watched.
    history : ndarray of float, shape (n,)
        Counts that excite later bins, a mean count where nobody watched; empty without contagion.
    shape : tuple (n_regimes, stages, negbin, contagion)
        What the model has.
    """

    counts: Floats
    exposure: Floats
    constants: Floats
    times: Floats
    index: Ints
    history: Floats
    shape: tuple[int, int, bool, bool]

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats, Ints, Floats, int, int, bool, bool]:
        """What the kernels take, in their order."""
        return (
            self.counts, self.exposure, self.constants, self.times, self.index, self.history, *self.shape,
        )  # fmt: skip


def prepare(
    counts: Floats, exposure: Floats, n_regimes: int, stages: int, *, negbin: bool, contagion: bool
) -> RegimeData:
    """Arrange counts for the kernels.

    Parameters
    ----------
    counts : ndarray of float, shape (n,)
        Anything where the exposure is 0.
    exposure : ndarray of float, shape (n,)
        Observed share of each bin.
    n_regimes, stages : int
        Regimes, and hidden states in a row for each of them.
    negbin, contagion : bool
        What the model has.

    Returns
    -------
    RegimeData
        At least one bin must be observed.
    """
    seen = exposure > 0
    index = np.full(len(counts), -1, dtype=np.int64)
    if contagion:
        index[seen] = np.arange(int(seen.sum()))
        pairs = np.column_stack([counts[seen], exposure[seen]])
        times = np.ones(len(pairs))
        usual = float(counts[seen].sum() / exposure[seen].sum())
        history = np.where(seen, np.nan_to_num(counts), usual)
    else:
        pairs, which, numbers = np.unique(
            np.column_stack([counts[seen], exposure[seen]]),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        index[seen] = which
        times = numbers.astype(np.float64)
        history = np.zeros(0)
    y, share = pairs[:, 0].copy(), pairs[:, 1].copy()
    return RegimeData(
        y, share, gammaln(y + 1), times, index, history, (n_regimes, stages, negbin, contagion)
    )


def ordered(naturals: Floats, k: int) -> Floats:
    """Name regimes by their rate, the quietest first: the same parameters, in that order.

    Parameters
    ----------
    naturals : ndarray, shape (draws, p)
        Natural parameters.
    k : int
        Number of regimes.

    Returns
    -------
    ndarray, shape (draws, p)
        A copy.
    """
    order = np.argsort(naturals[:, :k], axis=1, kind="stable")
    rows = np.arange(len(naturals))
    jump = naturals[:, 2 * k : 2 * k + k * k].reshape(-1, k, k)
    jump = jump[rows[:, None, None], order[:, :, None], order[:, None, :]]
    return np.concatenate(
        [
            np.take_along_axis(naturals[:, :k], order, axis=1),
            np.take_along_axis(naturals[:, k : 2 * k], order, axis=1),
            jump.reshape(len(naturals), -1),
            naturals[:, 2 * k + k * k :],
        ],
        axis=1,
    )
