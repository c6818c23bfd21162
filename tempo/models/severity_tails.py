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

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

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


def log_survival(family: str, theta: Floats, k: ArrayLike, *, x_min: int = 1) -> Floats:
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
    if family == "power":
        exponent = 1.0 + np.exp(theta[:, :1])
        result = _log_zeta(exponent, at) - _log_zeta(exponent, np.array([float(x_min)]))
    elif family == "lognormal":
        sigma = np.exp(theta[:, 1:])
        result = special.log_ndtr((theta[:, :1] - np.log(at - 0.5)) / sigma) - special.log_ndtr(
            (theta[:, :1] - math.log(0.5)) / sigma
        )
    else:
        shape, ratio = _shape_and_ratio(theta)
        beyond = special.betainc(at, shape, ratio)
        result = np.log(np.maximum(beyond, _SMALLEST)) - _log_some(shape, ratio)
        if (beyond <= 1e-280).any():  # there the sum is its first term times a geometric series
            step = np.minimum(ratio * (at + shape) / (at + 1.0), 1 - 1e-15)
            first = log_pmf(family, theta, at) - np.log1p(-step)
            result = np.where(beyond > 1e-280, result, first)
    return np.where(endless, -np.inf, np.minimum(result, 0.0))


def log_pmf(family: str, theta: Floats, x: ArrayLike, *, x_min: int = 1) -> Floats:
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
    if family == "power":
        exponent = 1.0 + np.exp(theta[:, :1])
        return np.asarray(-exponent * np.log(at) - _log_zeta(exponent, np.array([float(x_min)])))
    if family == "lognormal":
        sigma = np.exp(theta[:, 1:])
        upper = (theta[:, :1] - np.log(at - 0.5)) / sigma
        lower = (theta[:, :1] - np.log(at + 0.5)) / sigma
        # Both ends on the side where the normal distribution function is small, lest the difference cancel.
        flip = lower > 0
        a, b = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
        whole = special.log_ndtr((theta[:, :1] - math.log(0.5)) / sigma)
        return np.asarray(_log_difference(special.log_ndtr(b), special.log_ndtr(a)) - whole)
    shape, ratio = _shape_and_ratio(theta)
    return np.asarray(
        special.gammaln(at + shape)
        - special.gammaln(shape)
        - special.gammaln(at + 1.0)
        + shape * np.log1p(-ratio)
        + at * np.log(ratio)
        - _log_some(shape, ratio)
    )


def log_interval(
    family: str, theta: Floats, low: ArrayLike, high: ArrayLike, *, x_min: int = 1
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

    Returns
    -------
    ndarray, shape (s, u)
        Log probabilities.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    exact = low == high
    result = np.empty((len(theta), len(low)))
    result[:, exact] = log_pmf(family, theta, low[exact], x_min=x_min)
    wide = ~exact
    ends, place = np.unique(np.concatenate([low[wide], high[wide] + 1.0]), return_inverse=True)
    beyond = log_survival(family, theta, ends, x_min=x_min)[:, place]
    n = int(wide.sum())
    result[:, wide] = _log_difference(beyond[:, :n], beyond[:, n:])
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
    total, _ = kernels.simulate(
        np.ones((s, each), dtype=np.int64),
        np.ones(s),
        np.full(s, FAMILIES[family][0]),
        parameters,
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
    """Log of the Hurwitz zeta function; its leading term alone where it would underflow."""
    value = special.zeta(exponent, q)
    limit = (
        (1.0 - exponent) * np.log(q) - np.log(exponent - 1.0) + np.log1p((exponent - 1) / (2 * q))
    )
    return np.where(value > _SMALLEST, np.log(np.maximum(value, _SMALLEST)), limit)


def _shape_and_ratio(theta: Floats) -> tuple[Floats, Floats]:
    product = np.exp(theta[:, :1] + theta[:, 1:])
    return np.exp(-theta[:, 1:]), np.minimum(product / (1.0 + product), 1 - 1e-15)


def _log_some(shape: Floats, ratio: Floats) -> Floats:
    """Log of the chance that a negative binomial number is not zero."""
    return np.asarray(np.log(-np.expm1(shape * np.log1p(-ratio))))


def _log_difference(larger: Floats, smaller: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result = larger + np.log(-np.expm1(np.minimum(smaller - larger, 0.0)))
    return np.asarray(np.where(np.isneginf(larger), -np.inf, result))
