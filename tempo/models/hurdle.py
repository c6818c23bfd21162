"""Hurdle counts: whether a bin has attacks at all, and then how many.

With mean intensity ``m`` and mean size ``s`` of an attack day, ``P(Y > 0) = 1 - exp(-m / s)``, and given that, ``Y`` is
a zero-truncated negative binomial with mean ``s``: truncated Poisson at dispersion 0, geometric at 1. Where attacks are
rare, ``E[Y]`` is ``m`` to first order, so that branching and baseline mean what they mean elsewhere.

Porter & White (2012), Self-exciting hurdle models for terrorist activity, Annals of Applied Statistics 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from tempo.models import observation as obs

__all__ = ["cdf", "log_pmf", "moments", "typical_size"]

type Floats = NDArray[np.float64]


def typical_size(day_size: ArrayLike, dispersion: ArrayLike) -> Floats:
    """Give the mean before truncation that has a given mean after it.

    Parameters
    ----------
    day_size : array-like
        Mean number of attacks on an attack day, above 1.
    dispersion : array-like
        Of the negative binomial before truncation.

    Returns
    -------
    ndarray
        Means before truncation.

    Examples
    --------
    >>> typical_size([3.0], [1.0]).round(6).tolist()
    [2.0]
    """
    s, a = np.broadcast_arrays(np.asarray(day_size, float), np.asarray(dispersion, float))
    out = np.empty(s.shape)
    for i in np.ndindex(s.shape):
        out[i] = _typical(float(s[i]), float(a[i]))
    return out


def _typical(day_size: float, dispersion: float) -> float:
    def above(mean: float) -> float:
        return float(mean / _positive(mean, dispersion)) - day_size

    return float(brentq(above, 1e-9, day_size, xtol=1e-13))


def _positive(typical: ArrayLike, dispersion: ArrayLike) -> Floats:
    """Chance of more than zero before truncation."""
    return np.asarray(-np.expm1(obs.log_pmf(0, typical, dispersion)))


def log_pmf(
    counts: ArrayLike, mean: ArrayLike, typical: ArrayLike, dispersion: ArrayLike
) -> Floats:
    """Give the log probability of counts.

    Parameters
    ----------
    counts, mean, typical, dispersion : array-like
        Counts, intensity of the bin, mean before truncation and dispersion of sizes, broadcast against each other.

    Returns
    -------
    ndarray
        Log probabilities.

    Examples
    --------
    >>> total = np.exp(log_pmf(np.arange(200), 0.7, 1.3, 0.8)).sum()
    >>> float(total.round(9))
    1.0
    """
    positive = _positive(typical, dispersion)
    hazard = np.asarray(mean, float) * positive / np.asarray(typical, float)
    with np.errstate(divide="ignore"):
        attacked = np.log(-np.expm1(-hazard))
    size = obs.log_pmf(counts, typical, dispersion) - np.log(positive)
    return np.asarray(np.where(np.asarray(counts) > 0, attacked + size, -hazard))


def cdf(counts: ArrayLike, mean: ArrayLike, typical: ArrayLike, dispersion: ArrayLike) -> Floats:
    """Give ``P(Y <= count)``, which is 0 for a count of -1.

    Parameters
    ----------
    counts, mean, typical, dispersion : array-like
        As for ``log_pmf``.

    Returns
    -------
    ndarray
        Probabilities.

    Examples
    --------
    >>> cdf([-1, 0, 500], 0.7, 1.3, 0.8).round(4).tolist()
    [0.0, 0.7279, 1.0]
    """
    y = np.asarray(counts, float)
    positive = _positive(typical, dispersion)
    attacked = -np.expm1(-np.asarray(mean, float) * positive / np.asarray(typical, float))
    beyond = (1.0 - obs.cdf(np.maximum(y, 0.0), typical, dispersion)) / positive
    return np.asarray(np.where(y < 0, 0.0, 1.0 - attacked * beyond))


def moments(mean: ArrayLike, typical: ArrayLike, dispersion: ArrayLike) -> tuple[Floats, Floats]:
    """Give mean and variance of counts.

    Parameters
    ----------
    mean, typical, dispersion : array-like
        As for ``log_pmf``.

    Returns
    -------
    mean, variance : ndarray
        Of the counts; the mean is below the intensity, because one bin has one hurdle.
    """
    x, a = np.asarray(typical, float), np.asarray(dispersion, float)
    positive = _positive(x, a)
    attacked = -np.expm1(-np.asarray(mean, float) * positive / x)
    first = attacked * x / positive
    second = attacked * (x + (1.0 + a) * x**2) / positive
    return np.asarray(first), np.asarray(second - first**2)
