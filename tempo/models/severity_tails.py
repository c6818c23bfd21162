"""How many, given that there was anyone: discrete log-normal, power law, zero-truncated negative binomial. Arrays only.

Each family is a distribution on 1, 2, 3, … with parameters on the whole real line, on which its prior is normal:

- ``"negbin"``: a negative binomial of mean m and variance ``m + a m²``, zeros removed; ``(log m, log a)``.
- ``"lognormal"``: ``exp(Normal(mu, sigma²))`` rounded to whole numbers, zeros removed; ``(mu, log sigma)``.
- ``"power"``: ``P(X = x) = x^-exponent / zeta(exponent, x_min)`` for ``x >= x_min``; ``(log(exponent - 1),)``.

Normalising sums are exact: incomplete beta, normal and Hurwitz zeta functions. Clauset, Shalizi & Newman (2009), SIAM
Review 51; Clauset & Woodard (2013), Ann. Appl. Stat. 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special
from scipy.interpolate import CubicSpline

from tempo.errors import DataError
from tempo.models import severity_kernels as kernels

__all__ = [
    "FAMILIES",
    "PRIORS",
    "PowerLaw",
    "TailFit",
    "fit_power_law",
    "fit_tail",
    "log_interval",
    "log_pmf",
    "log_survival",
    "natural",
    "sample",
    "shifted",
]

type Floats = NDArray[np.float64]

#: Name of each family, with its code in the compiled kernels and the names of its parameters.
FAMILIES = {
    "negbin": (kernels.NEGBIN, ("mean", "dispersion")),
    "lognormal": (kernels.LOGNORMAL, ("mu", "sigma")),
    "power": (kernels.POWER, ("exponent",)),
}

#: Prior mean and standard deviation of each unconstrained parameter. Before any data, a lethal attack then kills ten or
#: more with probability .09 (negative binomial), .07 (log-normal) and .04 (power law); a thousand or more with < .0001,
#: .001 and .002.
PRIORS = {
    "negbin": ((0.5, 1.0), (0.0, 1.0)),
    "lognormal": ((-0.25, 1.0), (0.0, 0.5)),
    "power": ((math.log(1.5), 0.5),),
}

_SMALLEST = 1e-300
FARTHEST = 20.0  # a location beyond is as good as infinite, and overflows
FEWEST_SPLINED = 5_000
SPLINE_END, SPLINE_NODES = 6.0, 6_001


@dataclass(frozen=True)
class PowerLaw:
    """A discrete power law by maximum likelihood, from ``x_min`` on.

    Attributes
    ----------
    exponent : float
        Of ``P(X = x) ~ x^-exponent``.
    exponent_se : float
        Its standard error, from the curvature of the likelihood; the choice of ``x_min`` is not in it.
    x_min : int
        Where the tail begins.
    n_tail : int
        How many numbers are at least that.
    distance : float
        Kolmogorov-Smirnov distance in the tail.
    """

    exponent: float
    exponent_se: float
    x_min: int
    n_tail: int
    distance: float


@dataclass(frozen=True, eq=False)
class TailFit:
    """A tail by maximum likelihood.

    Attributes
    ----------
    family : str
        Its name.
    parameters : dict of str to float
        Natural parameters.
    log_likelihood : float
        At the maximum.
    """

    family: str
    parameters: dict[str, float]
    log_likelihood: float


def fit_power_law(values: ArrayLike, x_min: int | None = None, *, least: int = 10) -> PowerLaw:
    """Fit a discrete power law by maximum likelihood, with x_min by the smallest Kolmogorov-Smirnov distance.

    Parameters
    ----------
    values : array-like of int, shape (n,)
        Whole numbers from 1 up.
    x_min : int, optional
        Where the tail begins; left out, each observed number is tried that leaves ``least`` in the tail.
    least : int, default 10
        Fewest numbers that make a tail.

    Returns
    -------
    PowerLaw
        Exponent, its standard error, x_min, number in the tail and distance.

    Raises
    ------
    DataError
        If numbers are not whole and positive, or the tail holds fewer than two different ones.

    Examples
    --------
    >>> fit = fit_power_law([1] * 60 + [2] * 15 + [3] * 8 + [4] * 4 + [5, 5, 6, 8, 13, 40])
    >>> fit.x_min, round(fit.exponent, 2), fit.n_tail
    (1, 2.23, 93)
    """
    x, number_of = _tallied(values)
    behind = np.cumsum(number_of[::-1])[::-1]
    if x_min is None:
        candidates = np.flatnonzero(behind >= least)
        candidates = candidates[candidates < len(x) - 1]
    else:
        candidates = np.flatnonzero(x >= x_min)[:1]
        candidates = candidates[candidates < len(x) - 1]
    if not len(candidates):
        wanted = f"{least} of them" if x_min is None else f"two different ones from x_min = {x_min}"
        raise DataError(
            f"{int(number_of.sum())} numbers, the largest {int(x[-1])}, make no tail: expected at least {wanted}, not "
            "all alike. Lower x_min or least, or do not fit a power law."
        )
    if x_min is not None:  # the law begins at x_min itself, whether or not that number was observed
        x = np.concatenate([[float(x_min)], x[x > x_min]])
        at = float(number_of[np.unique(np.asarray(values)) == x_min].sum())
        number_of = np.concatenate([[at], number_of[-(len(x) - 1) :]])
        behind = np.cumsum(number_of[::-1])[::-1]
        candidates = np.zeros(1, dtype=np.int64)
    exponents, distances = kernels.scan(x, number_of, candidates.astype(np.int64))
    best = int(distances.argmin())
    exponent, begin = float(exponents[best]), float(x[candidates[best]])
    n = int(behind[candidates[best]])
    step = 1e-3 * (exponent - 1.0)
    logs = [math.log(special.zeta(exponent + d, begin)) for d in (-step, 0.0, step)]
    curvature = (logs[0] - 2 * logs[1] + logs[2]) / step**2
    return PowerLaw(exponent, 1.0 / math.sqrt(n * curvature), int(begin), n, float(distances[best]))


def fit_tail(values: ArrayLike, family: str, *, x_min: int = 1) -> TailFit:
    """Fit a tail by maximum likelihood.

    Parameters
    ----------
    values : array-like of int, shape (n,)
        Whole numbers from 1 up.
    family : {"negbin", "lognormal", "power"}
        Which.
    x_min : int, default 1
        For the power law, which takes the numbers from there on.

    Returns
    -------
    TailFit
        Natural parameters and the log-likelihood. Where the data are no more dispersed than Poisson numbers, the
        dispersion runs to 0.

    Examples
    --------
    >>> {k: round(v, 2) for k, v in fit_tail([1, 1, 1, 2, 3, 1, 9, 2], "lognormal").parameters.items()}
    {'mu': -0.04, 'sigma': 1.15}
    """
    x, number_of = _tallied(values)
    if family == "power":
        x, number_of = x[x >= x_min], number_of[x >= x_min]
    start = np.array([mean for mean, _ in PRIORS[family]])

    def loss(theta: Floats) -> float:
        bounded = np.clip(theta, -30.0, 30.0)
        value = float((log_pmf(family, bounded[None], x, x_min=x_min)[0] * number_of).sum())
        return -value if math.isfinite(value) else 1e300

    found = optimize.minimize(
        loss, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    )
    values_found = natural(family, np.asarray(found.x)[None])[0]
    names = FAMILIES[family][1]
    return TailFit(
        family, {n: float(v) for n, v in zip(names, values_found, strict=True)}, -float(found.fun)
    )


def natural(family: str, theta: Floats) -> Floats:
    """Give the natural parameters.

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained ones.

    Returns
    -------
    ndarray, shape (s, p)
        Mean and dispersion; mu and sigma; or the exponent.
    """
    result = np.exp(theta)
    if family == "lognormal":
        result[:, 0] = theta[:, 0]
    if family == "power":
        result += 1.0
    return np.asarray(result)


def shifted(family: str, place: Floats, shift: Floats | None) -> Floats:
    """Move the first parameter towards deadlier attacks.

    The mean of the negative binomial, the median of the log-normal, or the mean logarithm of the (continuous) power
    law is multiplied by ``exp(shift)``.

    Parameters
    ----------
    family : str
        Which.
    place : ndarray, shape (s, 1) or (s,)
        First unconstrained parameter.
    shift : ndarray or None
        By how much; None is not at all.

    Returns
    -------
    ndarray
        Of the shape that both have together.

    Examples
    --------
    >>> natural("power", shifted("power", np.array([[0.0]]), np.array([[math.log(2.0)]]))).tolist()
    [[1.5]]
    """
    if shift is None:
        return place
    moved = place - shift if family == "power" else place + shift
    return np.clip(moved, -FARTHEST, FARTHEST)


def log_survival(
    family: str, theta: Floats, k: ArrayLike, *, x_min: int = 1, shift: Floats | None = None
) -> Floats:
    """Give ``log P(X >= k)`` given that ``X >= 1`` (for the power law, ``X >= x_min``).

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained parameters.
    k : array-like, shape (u,)
        Whole numbers, or infinity.
    x_min : int, default 1
        Of the power law.
    shift : ndarray, shape (s, u), optional
        How much deadlier each is, as ``shifted`` has it.

    Returns
    -------
    ndarray, shape (s, u)
        0 for all k up to the first possible number.

    Examples
    --------
    >>> np.exp(log_survival("power", np.array([[0.0]]), [1, 2])).round(4)  # exponent 2: zeta(2, 2) / zeta(2)
    array([[1.    , 0.3921]])
    """
    at = np.maximum(np.asarray(k, dtype=float), float(x_min if family == "power" else 1))
    endless = np.isinf(at)
    at = np.where(endless, 2.0, at)
    place = shifted(family, theta[:, :1], shift)
    if family == "power":
        exponent = 1.0 + np.exp(place)
        result = _log_zeta(exponent, at) - _log_whole(place, exponent, x_min)
    elif family == "lognormal":
        sigma = np.exp(theta[:, 1:])
        result = special.log_ndtr((place - np.log(at - 0.5)) / sigma) - special.log_ndtr(
            (place - math.log(0.5)) / sigma
        )
    else:
        shape, ratio = _shape_and_ratio(place, theta[:, 1:])
        beyond = special.betainc(at, shape, ratio)
        result = np.log(np.maximum(beyond, _SMALLEST)) - _log_some(shape, ratio)
        if (beyond <= 1e-280).any():  # there the sum is its first term times a geometric series
            step = np.minimum(ratio * (at + shape) / (at + 1.0), 1 - 1e-15)
            first = log_pmf(family, theta, at, shift=shift) - np.log1p(-step)
            result = np.where(beyond > 1e-280, result, first)
    return np.where(endless, -np.inf, np.minimum(result, 0.0))


def log_pmf(
    family: str, theta: Floats, x: ArrayLike, *, x_min: int = 1, shift: Floats | None = None
) -> Floats:
    """Give ``log P(X = x)``.

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained parameters.
    x : array-like, shape (u,)
        Whole numbers, at least 1 (for the power law, at least ``x_min``).
    x_min : int, default 1
        Of the power law.
    shift : ndarray, shape (s, u), optional
        How much deadlier each is, as ``shifted`` has it.

    Returns
    -------
    ndarray, shape (s, u)
        Log probabilities.

    Examples
    --------
    >>> grid = np.arange(1, 2_000)
    >>> bool(abs(np.exp(log_pmf("negbin", np.array([[1.0, 0.5]]), grid)).sum() - 1) < 1e-12)
    True
    """
    at = np.asarray(x, dtype=float)
    place = shifted(family, theta[:, :1], shift)
    if family == "power":
        exponent = 1.0 + np.exp(place)
        return np.asarray(-exponent * np.log(at) - _log_whole(place, exponent, x_min))
    if family == "lognormal":
        sigma = np.exp(theta[:, 1:])
        upper = (place - np.log(at - 0.5)) / sigma
        lower = (place - np.log(at + 0.5)) / sigma
        # Both ends on the side where the normal distribution function is small, lest the difference cancel.
        flip = lower > 0
        a, b = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
        whole = special.log_ndtr((place - math.log(0.5)) / sigma)
        return np.asarray(_log_difference(special.log_ndtr(b), special.log_ndtr(a)) - whole)
    shape, ratio = _shape_and_ratio(place, theta[:, 1:])
    return np.asarray(
        special.gammaln(at + shape)
        - special.gammaln(shape)
        - special.gammaln(at + 1.0)
        + shape * np.log1p(-ratio)
        + at * np.log(ratio)
        - _log_some(shape, ratio)
    )


def log_interval(
    family: str,
    theta: Floats,
    low: ArrayLike,
    high: ArrayLike,
    *,
    x_min: int = 1,
    shift: Floats | None = None,
) -> Floats:
    """Give ``log P(low <= X <= high)``.

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained parameters.
    low, high : array-like, shape (u,)
        Inclusive; ``high`` may be infinite. For the power law ``low`` is at least ``x_min``.
    x_min : int, default 1
        Of the power law.
    shift : ndarray, shape (s, u), optional
        How much deadlier each is, as ``shifted`` has it.

    Returns
    -------
    ndarray, shape (s, u)
        Log probabilities.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    exact = low == high
    result = np.empty((len(theta), len(low)))
    wide = ~exact
    own, others = (None, None) if shift is None else (shift[:, exact], shift[:, wide])
    result[:, exact] = log_pmf(family, theta, low[exact], x_min=x_min, shift=own)
    if others is None:  # the same end occurs again and again
        ends, place = np.unique(np.concatenate([low[wide], high[wide] + 1.0]), return_inverse=True)
        beyond = log_survival(family, theta, ends, x_min=x_min)[:, place]
        from_low, past_high = np.split(beyond, 2, axis=1)
    else:
        from_low, past_high = (
            log_survival(family, theta, ends, x_min=x_min, shift=others)
            for ends in (low[wide], high[wide] + 1.0)
        )
    result[:, wide] = _log_difference(from_low, past_high)
    return result


def sample(
    family: str, theta: Floats, rng: np.random.Generator, *, each: int = 1, x_min: int = 1
) -> NDArray[np.int64]:
    """Draw numbers from a tail.

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained parameters.
    rng : numpy.random.Generator
        Source of randomness.
    each : int, default 1
        How many for each row of parameters.
    x_min : int, default 1
        Of the power law.

    Returns
    -------
    ndarray of int64, shape (s, each)
        At most ``tempo.models.severity_kernels.MOST``.

    Examples
    --------
    >>> sample("power", np.array([[0.4]]), np.random.default_rng(1), each=5).shape
    (1, 5)
    """
    from tempo.models.hawkes_kernels_random import seeds

    s = len(theta)
    parameters = np.ones((s, 2))
    values = natural(family, np.asarray(theta, dtype=float))
    parameters[:, : values.shape[1]] = values
    one = np.ones((s, 1))
    total, _ = kernels.simulate(
        np.ones((s, each), dtype=np.int64),
        one,
        one,
        np.full(s, FAMILIES[family][0]),
        parameters[:, :1],
        parameters[:, 1],
        np.full(s, x_min),
        np.zeros((s, max(x_min - 1, 1))),
        seeds(rng, s),
    )
    return np.asarray(total)


def _tallied(values: ArrayLike) -> tuple[Floats, Floats]:
    given = np.asarray(values, dtype=float).ravel()
    wrong = ~(given >= 1) | (given != np.floor(given)) | ~np.isfinite(given)
    if not len(given) or wrong.any():
        first = ", ".join(f"place {i}: {given[i]:g}" for i in np.flatnonzero(wrong)[:3])
        raise DataError(
            f"{int(wrong.sum())} of {len(given)} numbers are not whole and positive (first: {first or 'none given'}). "
            "A tail says how many were killed in attacks that killed anyone: leave out zeros and unknown ones."
        )
    x, number_of = np.unique(given, return_counts=True)
    return x, number_of.astype(float)


def _log_zeta(exponent: Floats, q: Floats) -> Floats:
    """Log of the Hurwitz zeta function, also where it would underflow."""
    value = np.asarray(special.zeta(exponent, q))
    lost = value <= _SMALLEST
    result = np.log(np.maximum(value, _SMALLEST))
    if lost.any():
        s, first = (np.broadcast_to(x, value.shape)[lost] for x in (exponent, q))
        # Relative to the first term: forty terms, and the rest by Euler-Maclaurin.
        terms = np.exp(-s[:, None] * np.log1p(np.arange(41) / first[:, None]))
        x = first + 40.0
        rest = x / (s - 1.0) + 0.5 + s / (12.0 * x) - s * (s + 1.0) * (s + 2.0) / (720.0 * x**3)
        result[lost] = -s * np.log(first) + np.log(terms[:, :40].sum(axis=1) + terms[:, 40] * rest)
    return result


def _log_whole(place: Floats, exponent: Floats, x_min: int) -> Floats:
    """Log of the power law's normalising sum; where there are many, from a spline through exact values."""
    from_one = np.array([float(x_min)])
    if place.size < FEWEST_SPLINED:
        return _log_zeta(exponent, from_one)
    cubic, square, slope, level = _spline(x_min)
    # Nodes are evenly spaced, so that the piece is found by division.
    near = np.abs(place) < SPLINE_END
    at = (np.where(near, place, 0.0) + SPLINE_END) * (len(level) / (2.0 * SPLINE_END))
    piece = at.astype(np.int64)
    past = (at - piece) * (2.0 * SPLINE_END / len(level))
    value = ((cubic[piece] * past + square[piece]) * past + slope[piece]) * past + level[piece]
    value -= exponent * math.log(x_min)
    if not near.all():
        value[~near] = _log_zeta(exponent[~near], from_one)
    return np.asarray(value)


@lru_cache(maxsize=64)
def _spline(x_min: int) -> Floats:
    """Coefficients of ``log(zeta(exponent, x_min) * x_min^exponent)`` over ``log(exponent - 1)``; error below 1e-9."""
    nodes = np.linspace(-SPLINE_END, SPLINE_END, SPLINE_NODES)
    exponent = 1.0 + np.exp(nodes)
    values = _log_zeta(exponent, np.array([float(x_min)])) + exponent * math.log(x_min)
    return np.asarray(CubicSpline(nodes, values).c)


def _shape_and_ratio(log_mean: Floats, log_dispersion: Floats) -> tuple[Floats, Floats]:
    product = np.exp(log_mean + log_dispersion)
    return np.exp(-log_dispersion), np.minimum(product / (1.0 + product), 1 - 1e-15)


def _log_some(shape: Floats, ratio: Floats) -> Floats:
    """Log of the chance that a negative binomial number is not zero."""
    return np.asarray(np.log(-np.expm1(shape * np.log1p(-ratio))))


def _log_difference(larger: Floats, smaller: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result = larger + np.log(-np.expm1(np.minimum(smaller - larger, 0.0)))
    return np.asarray(np.where(np.isneginf(larger), -np.inf, result))
