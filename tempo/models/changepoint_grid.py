"""The observed bins of a series, and the grid of priors that a changepoint fit averages over: arrays only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN, NORMAL

__all__ = ["Bins", "Grid", "learned_odds", "learned_rates"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bins:
    """The observed bins of a series, and the gaps between them.

    Attributes
    ----------
    counts, exposure : ndarray, shape (m,)
        Of observed bins.
    places : ndarray, shape (m,)
        Bins from the previous observed bin: 1 unless there is a gap.
    position : ndarray of int, shape (m,)
        Where each observed bin stands in the whole series.
    n_bins : int
        Length of the whole series.
    gaps : bool
        Whether each exposure is a waiting time that its events ended, and not chosen beforehand.
    offset : ndarray, shape (m,) or (0,)
        What covariates add to the log of the mean, or to the log odds; empty where they are part of the exposure.
    """

    counts: Floats
    exposure: Floats
    places: Floats
    position: Integers
    n_bins: int
    gaps: bool = False
    offset: Floats = field(default_factory=lambda: np.zeros(0), repr=False)

    @classmethod
    def of(cls, counts: Floats, exposure: Floats, offset: Floats | None = None) -> Bins:
        """Leave out the bins that were not observed (exposure 0)."""
        if len(counts) == 1 and exposure[0] > 0:  # one new day: no time for more
            shift = np.zeros(0) if offset is None else offset
            return cls(counts, exposure, np.ones(1), np.zeros(1, dtype=np.int64), 1, offset=shift)
        position = np.flatnonzero(exposure > 0).astype(np.int64)
        places = np.ones(position.size)
        places[1:] = np.diff(position)
        return cls(
            np.ascontiguousarray(counts[position], dtype=float),
            np.ascontiguousarray(exposure[position], dtype=float),
            places,
            position,
            len(counts),
            offset=np.zeros(0) if offset is None else offset[position],
        )

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def reversed(self) -> Bins:
        """The same bins from the last to the first."""
        places = np.ones(len(self))
        places[1:] = self.places[:0:-1]
        return Bins(
            self.counts[::-1].copy(), self.exposure[::-1].copy(), places, self.position, self.n_bins
        )

    @classmethod
    def joined(cls, pieces: Sequence[Bins]) -> Bins:
        """Give several stretches that follow each other as one."""
        if len(pieces) == 1:
            return pieces[0]
        before = np.cumsum([0, *(piece.n_bins for piece in pieces)])
        position = np.concatenate(
            [piece.position + shift for piece, shift in zip(pieces, before, strict=False)]
        )
        places = np.ones(position.size)
        places[1:] = np.diff(position)
        return cls(
            np.concatenate([piece.counts for piece in pieces]),
            np.concatenate([piece.exposure for piece in pieces]),
            places,
            position,
            int(before[-1]),
            offset=np.concatenate([piece.offset for piece in pieces]),
        )


@dataclass(frozen=True, eq=False)
class Grid:
    """The priors that a fit averages over.

    Attributes
    ----------
    family : int
        ``GAMMA``, ``BERNOULLI``, ``NEGBIN`` or ``NORMAL``.
    shape, rate : ndarray, shape (cells,)
        Prior of the rate: Gamma, or Beta for Bernoulli.
    size : ndarray, shape (cells,)
        One over the dispersion of the negative binomial; 1 otherwise.
    log_prior : ndarray, shape (cells,)
        Log prior probability of each cell.
    odds, log_odds_prior : ndarray, shape (hazards,)
        Odds of a change in a bin, and their log prior. With ``n_changes`` they only serve to simulate.
    n_changes : int or None
        The number of changes, where it is given.
    third : ndarray, shape (cells,)
        Gamma rate of the precision of normal values; ``shape`` is then the weight of the mean, ``rate`` the mean, and
        ``size`` the Gamma shape less half that weight.
    shortest : int
        Bins from the start of a regime to the start of the next, at least; the window may cut the first and the last.
    """

    family: int
    shape: Floats
    rate: Floats
    size: Floats
    log_prior: Floats
    odds: Floats
    log_odds_prior: Floats
    n_changes: int | None = None
    third: Floats = field(default_factory=lambda: np.zeros(0))
    shortest: int = 1

    @property
    def hazard(self) -> Floats:
        """Probability of a change in each bin."""
        return self.odds / (1 + self.odds)

    def prior(self, cell: int) -> tuple[float, float, float]:
        """Give the statistics of a segment that has seen nothing."""
        first, second = float(self.shape[cell]), float(self.rate[cell])
        if self.family == NEGBIN:  # rate / size is beta prime, with mean shape / rate
            return 1 + float(self.size[cell]) * second, first, 0.0
        if self.family == NORMAL:
            return first, second, float(self.third[cell])
        return first, second, math.log(second) if self.family == GAMMA else 0.0

    def only(self, cell: int, odds: Floats, log_odds_prior: Floats) -> Grid:
        """Give a grid of one cell with other odds of a change."""
        keep = slice(cell, cell + 1)
        return replace(
            self,
            shape=self.shape[keep],
            rate=self.rate[keep],
            size=self.size[keep],
            third=self.third[keep],
            log_prior=np.zeros(1),
            odds=odds,
            log_odds_prior=log_odds_prior,
        )

    def factors(self, places: Floats) -> tuple[Floats, Floats]:
        """Give the factors for a change and for none before each bin, shape (hazards, m).

        Across a gap of ``g`` bins the odds of a change are ``g`` times those of one bin.
        """
        odds = self.odds[:, None] * places
        return odds / (1 + odds), 1 / (1 + odds)

    def constant(self, bins: Bins, cell: int) -> float:
        """Give the part of the log evidence that is the same for every partition."""
        y, e = bins.counts, bins.exposure
        if self.family == GAMMA:
            if len(y) == 1 and e[0] == 1.0:  # one new day: no time for arrays
                return -math.lgamma(y[0] + 1.0)
            return float(np.sum((0.0 if bins.gaps else xlogy(y, e)) - gammaln(y + 1)))
        if self.family == BERNOULLI:
            return 0.0
        if self.family == NORMAL:
            return -0.5 * math.log(2 * math.pi) * len(y)
        trials = self.size[cell] * e
        return float(np.sum(gammaln(y + trials) - gammaln(trials) - gammaln(y + 1)))


def learned_odds(places: float, first: int, number: int) -> tuple[Floats, Floats]:
    """Give nodes for the odds of a change in a bin, and their log prior.

    The expected number of changes in the series is exponential with mean 1. The number itself is then about
    geometric: no change has probability 1/2, one 1/4, two 1/8, …; given the number, all places are alike.

    Parameters
    ----------
    places : float
        Number of places where the series may change.
    first, number : int
        Index of the first node, and how many. Node ``i`` stands for ``0.05 * 1.6**i`` expected changes; node 0 for
        everything below too.

    Returns
    -------
    odds, log_prior : ndarray, shape (nodes,)
        Nodes beyond one change in every second bin are left out. The prior of all nodes sums to 1.
    """
    places = max(places, 1.0)
    index = np.arange(first, first + number)
    expected = 0.05 * 1.6**index
    index, expected = index[expected <= 0.5 * places], expected[expected <= 0.5 * places]
    if expected.size == 0 and first == 0:
        index, expected = np.array([0]), np.array([0.5 * places])
    if expected.size == 0:
        return np.zeros(0), np.zeros(0)
    low = np.where(index == 0, 0.0, expected / np.sqrt(1.6))
    high = expected * np.sqrt(1.6)
    log_prior = -low + np.log(-np.expm1(low - high))
    if first == 0 and expected.size < number:  # the last node stands for everything above too
        high[-1] = np.inf
        log_prior[-1] = -low[-1]
    hazard = expected / places
    return hazard / (1 - hazard), log_prior


def learned_rates(average: float, *, beta: bool = False) -> tuple[Floats, Floats, Floats]:
    """Give the grid of rate priors around an average: shape, rate and log prior of each cell.

    A prior that is vague about the rates hides changes, because each new segment pays for its vagueness; one that
    is too narrow invents them. So the spread is learned: shapes 1/2, 1, 2 and 4 let regimes differ by factors of
    about 9, 4, 2 and 2 (one sd), with means from a quarter to four times the average, all alike a priori.

    Parameters
    ----------
    average : float
        Events per bin over the whole series, or the share of bins with an event.
    beta : bool
        Beta priors for attack days: means on the scale of odds, the shape that of the rarer outcome.

    Returns
    -------
    shape, rate, log_prior : ndarray, shape (cells,)
        The priors.
    """
    shapes, factors = np.meshgrid([0.5, 1.0, 2.0, 4.0], [0.25, 0.5, 1.0, 2.0, 4.0], indexing="ij")
    shape, factor = shapes.ravel(), factors.ravel()
    if beta:
        odds = factor * average / (1 - average)
        rarer = np.minimum(
            odds, 1 / odds
        )  # the rarer outcome gets the shape, so that none is U-shaped by accident
        shape, rate = (
            np.where(odds <= 1, shape, shape / rarer),
            np.where(odds <= 1, shape / rarer, shape),
        )
    else:
        rate = shape / (factor * average)
    return shape, rate, np.full(shape.size, -np.log(shape.size))
