"""Poisson and negative binomial counts by mean and dispersion: one formula for every model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["LARGEST", "cdf", "draw", "log_pmf", "variance"]

type Floats = NDArray[np.float64]

#: Larger means are drawn as this: a limit of the computer, not of a model.
LARGEST = 1e15
_LARGE_SIZE = (
    1e3  # beyond, differences of log gammas lose digits, and Stirling's formula has them all
)


def log_pmf(counts: ArrayLike, mean: ArrayLike, dispersion: ArrayLike = 0.0) -> Floats:
    """Give the log probability of counts.

    Parameters
    ----------
    counts, mean, dispersion : array-like
        Broadcast against each other. Dispersion 0 is Poisson, otherwise the variance is ``m + dispersion m^2``.

    Returns
    -------
    ndarray
        Log probabilities; a mean of 0 allows the count 0 alone.

    Examples
    --------
    >>> log_pmf([0, 1], 1.0).tolist(), log_pmf(0, 1.0, 1.0).round(6).item()
    ([-1.0, -1.0], -0.693147)
    """
    y, m, a = np.broadcast_arrays(
        np.asarray(counts, dtype=float), np.asarray(mean, float), np.asarray(dispersion, float)
    )
    poisson = special.xlogy(y, m) - m - special.gammaln(y + 1)
    spread = a > 1e-10  # below, the two agree to every digit
    if not spread.any():
        return np.asarray(poisson)
    size = np.asarray(1.0 / np.where(spread, a, 1.0))
    log_spread = np.log1p(m / size)
    negbin = np.asarray(
        special.gammaln(y + size)
        - special.gammaln(size)
        - special.gammaln(y + 1)
        + special.xlogy(y, m / size)
        - (y + size) * log_spread
    )
    nearly = np.asarray(spread & (size > _LARGE_SIZE))
    if nearly.any():
        y, m, size = y[nearly], m[nearly], size[nearly]
        rising = (y + size - 0.5) * np.log1p(y / size) - y + _stirling(y + size) - _stirling(size)
        negbin[nearly] = (
            special.xlogy(y, m) - special.gammaln(y + 1) + rising - (y + size) * np.log1p(m / size)
        )
    return np.asarray(np.where(spread, negbin, poisson))


def _stirling(size: Floats) -> Floats:
    """Give what Stirling's formula lacks of the log gamma function, for large arguments."""
    return np.asarray(1 / (12 * size) - 1 / (360 * size**3))


def cdf(counts: ArrayLike, mean: ArrayLike, dispersion: ArrayLike = 0.0) -> Floats:
    """Give ``P(Y <= count)``, which is 0 for a count of -1.

    Parameters
    ----------
    counts, mean, dispersion : array-like
        As for ``log_pmf``.

    Returns
    -------
    ndarray
        Probabilities.

    Examples
    --------
    >>> cdf([-1, 0, 1], 1.0).round(4).tolist()
    [0.0, 0.3679, 0.7358]
    """
    y, m, a = np.broadcast_arrays(
        np.asarray(counts, dtype=float), np.asarray(mean, float), np.asarray(dispersion, float)
    )
    at = np.maximum(y, 0.0)
    below = np.asarray(special.pdtr(at, m))
    spread = a > 1e-10
    if spread.any():
        size = 1.0 / np.where(spread, a, 1.0)
        below = np.where(spread, special.betainc(size, at + 1, size / (size + m)), below)
    return np.asarray(np.where(y < 0, 0.0, below))


def variance(mean: ArrayLike, dispersion: ArrayLike = 0.0) -> Floats:
    """Give the variance of counts.

    Parameters
    ----------
    mean, dispersion : array-like
        As for ``log_pmf``.

    Returns
    -------
    ndarray
        ``mean + dispersion mean^2``.
    """
    m = np.asarray(mean, dtype=float)
    return np.asarray(m + np.asarray(dispersion, dtype=float) * m**2)


def draw(mean: ArrayLike, dispersion: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw counts.

    Parameters
    ----------
    mean, dispersion : array-like
        As for ``log_pmf``.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64
        One count for each element.
    """
    m, a = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(dispersion, dtype=float))
    if (a > 1e-10).any():
        spread = np.where(a > 1e-10, a, 1.0)
        m = np.where(a > 1e-10, rng.gamma(1.0 / spread, spread * m), m)
    return np.asarray(rng.poisson(np.minimum(m, LARGEST)), dtype=np.int64)
