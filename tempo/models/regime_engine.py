"""One series under one set of regimes: filtering, smoothing, prediction, paths. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tempo.models import observation as obs
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.regime_data import RegimeData
from tempo.models.regime_density import excitation, filter_naturally
from tempo.models.regime_recursions import backward, paths, stationary, viterbi

__all__ = ["Reading", "simulate", "step_matrix"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """What the counts say about the hidden regimes at one set of natural parameters.

    Attributes
    ----------
    data : RegimeData
        Counts.
    natural : ndarray
        Natural parameters.
    """

    data: RegimeData
    natural: Floats

    @property
    def n_regimes(self) -> int:
        """Number of regimes."""
        return self.data.shape[0]

    @property
    def stages(self) -> int:
        """Hidden states in a row for each regime."""
        return self.data.shape[1]

    @property
    def leave(self) -> Floats:
        """Probability to leave a stage, by regime."""
        return np.ascontiguousarray(self.natural[self.n_regimes : 2 * self.n_regimes])

    @property
    def jump(self) -> Floats:
        """Where a regime is left for, shape (k, k)."""
        k = self.n_regimes
        return np.ascontiguousarray(self.natural[2 * k : 2 * k + k * k].reshape(k, k))

    @cached_property
    def share(self) -> Floats:
        """Long-run share of each regime."""
        return np.asarray(stationary(self.leave, self.jump)[0])

    @cached_property
    def _passed(self) -> tuple[float, Floats, Floats, Floats]:
        n = len(self.data.index)
        states, scales = np.empty((n, self.n_regimes * self.stages)), np.empty(n)
        value, table = filter_naturally(*self.data.arrays, self.natural, states, scales)
        return value, table, states, scales

    @property
    def states(self) -> Floats:
        """P(hidden state | bins up to and with t), shape (n, k * stages)."""
        return self._passed[2]

    @property
    def filtered(self) -> Floats:
        """P(regime | bins up to and with t), shape (n, k)."""
        return np.asarray(self.states.reshape(-1, self.n_regimes, self.stages).sum(axis=2))

    @cached_property
    def _smoothing(self) -> tuple[Floats, Floats, Floats]:
        _, table, states, scales = self._passed
        n, k = len(self.data.index), self.n_regimes
        smoothed, jumps, first = np.empty((n, k)), np.zeros((k, k)), np.zeros(k)
        backward(
            table, self.data.index, self.leave, self.jump, self.stages, states, scales, np.zeros((len(table), k)),
            np.zeros(k), np.zeros(k), jumps, first, smoothed,
        )  # fmt: skip
        return smoothed, jumps, first

    @property
    def smoothed(self) -> Floats:
        """P(regime | all bins), shape (n, k)."""
        return self._smoothing[0]

    @property
    def visits(self) -> Floats:
        """Expected number of stays in each regime, given all bins."""
        _, jumps, first = self._smoothing
        return np.asarray(jumps.sum(axis=0) + first)

    @cached_property
    def predicted(self) -> Floats:
        """P(regime | bins before t), shape (n, k)."""
        step = step_matrix(self.natural, self.n_regimes, self.stages)
        ahead = np.empty_like(self.states)
        ahead[0] = np.repeat(self.share / self.stages, self.stages)
        ahead[1:] = self.states[:-1] @ step
        return np.asarray(ahead.reshape(-1, self.n_regimes, self.stages).sum(axis=2))

    @cached_property
    def excited(self) -> Floats:
        """What earlier counts add to the expectation, by bin, the one after the last included: shape (n + 1,)."""
        history = self.data.history
        if not len(history):
            return np.zeros(len(self.data.index) + 1)
        return np.asarray(
            self.natural[-2] * excitation(np.append(history, 0.0), self.natural[-1])[0]
        )

    def means(self, exposure: Floats) -> Floats:
        """Give the expected count by bin and regime.

        Parameters
        ----------
        exposure : ndarray, shape (n,)
            Observed share of each bin.

        Returns
        -------
        ndarray, shape (n, k)
            Given the counts before.
        """
        rates = self.natural[: self.n_regimes]
        return np.asarray(exposure[:, None] * rates + self.excited[:-1, None])

    def one_step(self, values: Floats, exposure: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Predict each bin from those before it.

        Parameters
        ----------
        values, exposure : ndarray, shape (n,)
            Counts and observed shares.

        Returns
        -------
        below, at, mean, second : ndarray, shape (n,)
            ``P(Y < y)``, ``P(Y <= y)``, mean and mean square.
        """
        mean, spread = self.means(exposure), self.natural[-3]
        weight = self.predicted
        y = np.nan_to_num(values)[:, None]
        return (
            np.asarray((weight * obs.cdf(y - 1, mean, spread)).sum(axis=1)),
            np.asarray((weight * obs.cdf(y, mean, spread)).sum(axis=1)),
            np.asarray((weight * mean).sum(axis=1)),
            np.asarray((weight * (obs.variance(mean, spread) + mean**2)).sum(axis=1)),
        )

    def most_probable(self) -> NDArray[np.int64]:
        """Give the most probable path as a whole, shape (n,)."""
        table = self._passed[1]
        found: NDArray[np.int64] = viterbi(
            table, self.data.index, self.leave, self.jump, self.stages, self.share
        )[0]
        return found

    def paths(self, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw whole paths of regimes given all bins, shape (draws, n)."""
        drawn: NDArray[np.int64] = paths(
            self.states, self.leave, self.jump, self.stages, seeds(rng, draws)
        )
        return drawn


def step_matrix(natural: Floats, k: int, stages: int) -> Floats:
    """Give the transition matrix of the hidden states.

    Parameters
    ----------
    natural : ndarray
        Natural parameters.
    k, stages : int
        Regimes, and hidden states in a row for each.

    Returns
    -------
    ndarray, shape (k * stages, k * stages)
        Rows sum to one.

    Examples
    --------
    >>> step_matrix(np.array([1.0, 2, 0.1, 0.2, 0, 1, 1, 0, 0, 0, 0]), 2, 1).tolist()
    [[0.9, 0.1], [0.2, 0.8]]
    """
    leave = natural[k : 2 * k]
    jump = natural[2 * k : 2 * k + k * k].reshape(k, k)
    out = np.diag(np.repeat(1.0 - leave, stages))
    for i in range(k):
        at = i * stages
        for j in range(stages - 1):
            out[at + j, at + j + 1] = leave[i]
        for m in range(k):
            out[at + stages - 1, m * stages] += leave[i] * jump[i, m]
    return out


def simulate(
    naturals: Floats,
    states: Floats,
    excited: Floats,
    shape: tuple[int, int],
    n_bins: int,
    cap: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Simulate bins that follow.

    Parameters
    ----------
    naturals : ndarray, shape (draws, p)
        Natural parameters of each path.
    states : ndarray, shape (draws, k * stages)
        Probabilities of the hidden states in the last bin.
    excited : ndarray, shape (draws,)
        What earlier counts add to the expectation of the first bin.
    shape : (k, stages)
        Regimes, and hidden states in a row for each.
    n_bins : int
        How many bins.
    cap : float
        Largest expectation of a bin.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64, shape (draws, n_bins)
        Counts.
    """
    k, stages = shape
    rows = np.arange(len(naturals))
    state = (states.cumsum(axis=1) < rng.random((len(rows), 1))).sum(axis=1)
    state = np.minimum(state, k * stages - 1)
    spread, branching, kept = naturals[:, -3], naturals[:, -2], naturals[:, -1]
    away = naturals[:, 2 * k : 2 * k + k * k].reshape(-1, k, k).cumsum(axis=2)
    out = np.empty((len(rows), n_bins), dtype=np.int64)
    for t in range(n_bins):
        regime = state // stages
        going = rng.random(len(rows)) < naturals[rows, k + regime]
        over = going & (state % stages == stages - 1)
        mark = rng.random(len(rows))
        state = np.where(going & ~over, state + 1, state)
        if over.any():
            to = (away[rows[over], regime[over]] < mark[over, None]).sum(axis=1)
            state[over] = np.minimum(to, k - 1) * stages
        mean = np.minimum(naturals[rows, state // stages] + excited, cap)
        out[:, t] = obs.draw(mean, spread, rng)
        excited = kept * excited + branching * (1.0 - kept) * out[:, t]
    return out
