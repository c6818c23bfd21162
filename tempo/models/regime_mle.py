"""Maximum likelihood for recurring regimes: many starts, the best of them climbed to the top.

The likelihood of hidden regimes has many peaks. Starts are laid out by quantiles of moving averages of several lengths,
because a regime that lasts long shows in a long average and a short one does not; they are the same for the same
counts, so that a fit needs no random numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.regime_data import RegimeData, ordered
from tempo.models.regime_density import (
    filter_naturally,
    log_posterior,
    n_theta,
    to_natural,
    to_theta,
)

__all__ = ["Optimum", "climb", "covariance", "height", "maximum_likelihood"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

NO_PRIOR = np.zeros(0)
CLIMBED = (40, 4)  # starts that are climbed some way, in short and in long records
HALFWAY = (
    60  # steps; after a dozen, which of four regimes' peaks will be the highest does not show yet
)
LONG = 2_000  # bins
FINISHED = (10, 2)  # of them, those that are climbed to the top if they stand on different slopes
SHAKEN = (
    16,
    0.2,
    4.0,
)  # starts around the best place: how many, sd of log rates and of the log odds
STEEPEST = 1e-4  # of a peak, times 1 + sqrt(|log-likelihood|)
POLISHED = 10  # climbs at most after the best one
FLATTEST = 0.04  # curvature below it is no knowledge: a standard error of 5 on a log scale


@dataclass(frozen=True, eq=False)
class Optimum:
    """The highest peak that was found.

    Attributes
    ----------
    theta : ndarray, shape (p,)
        Unbounded parameters, regimes in order of their rates.
    natural : ndarray
        The same as natural parameters.
    covariance : ndarray, shape (p, p)
        Of ``theta``, from the observed information; no standard error is larger than 5.
    free : ndarray of bool, shape (p,)
        Which parameters the data tell, and which lie on a bound.
    llf : float
        Log-likelihood.
    slope : float
        The largest slope of the log-likelihood there that does not lean on a bound.
    converged : bool
        Whether it vanished.
    other : float
        Log-likelihood of the next best peak that is another one; ``-inf`` if every climb ended on this one.
    """

    theta: Floats
    natural: Floats
    covariance: Floats
    free: NDArray[np.bool_]
    llf: float
    slope: float
    converged: bool
    other: float


def height(data: RegimeData, theta: Floats) -> float:
    """Give the log-likelihood at one place, without its gradient.

    Parameters
    ----------
    data : RegimeData
        Counts.
    theta : ndarray, shape (p,)
        The place.

    Returns
    -------
    float
        Log-likelihood.
    """
    k, stages, negbin, contagion = data.shape
    n = len(data.index)
    natural = to_natural(theta, k, negbin, contagion)
    value, _ = filter_naturally(*data.arrays, natural, np.empty((n, k * stages)), np.empty(n))
    return float(value)


def bounds(data: RegimeData) -> tuple[Floats, Floats]:
    """Give bounds so wide that they hold only what the data do not tell, or a rate of nothing.

    Parameters
    ----------
    data : RegimeData
        Counts.

    Returns
    -------
    lower, upper : ndarray, shape (p,)
        Of ``theta``.
    """
    k, _, negbin, contagion = data.shape
    n = len(data.index)
    middle = math.log(_mean(data))
    top = math.log(max(float((data.counts / data.exposure).max()), 1.0)) + 2.0
    low = [middle - 12.0] * k
    high = [top] * k
    if k > 1:
        # A log ratio of 10 still costs a few 1e-4 where the best chain never takes that way.
        low += [-math.log(100.0 * n)] * k + [-20.0] * (k * (k - 2))
        high += [8.0] * k + [20.0] * (k * (k - 2))
    if negbin:
        low.append(-30.0)  # Poisson to the last digit
        high.append(5.0)
    if contagion:
        low += [-10.0, math.log(math.log(2) / max(0.5 * n, 2.0))]
        high += [1.0, math.log(5.0)]
    return np.array(low), np.array(high)


def climb(
    data: RegimeData, start: Floats, prior: Floats = NO_PRIOR, steps: int = 500
) -> tuple[Floats, float, bool]:
    """Climb from one place.

    Parameters
    ----------
    data : RegimeData
        Counts.
    start : ndarray, shape (p,)
        Where from.
    prior : ndarray, optional
        Left out, the likelihood is climbed.
    steps : int
        After so many, stop.

    Returns
    -------
    theta : ndarray
        The place.
    value : float
        Its height.
    converged : bool
        Whether the gradient inside the bounds vanished.
    """
    lower, upper = bounds(data)
    theta, value, steep = _ascend(*data.arrays, prior, start, lower, upper, steps)
    return theta, float(value), bool(steep < 1e-3 * (1.0 + math.sqrt(abs(value))))


@njit(cache=True, error_model="numpy")
def _ascend(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    times: Floats,
    index: Ints,
    history: Floats,
    k: int,
    stages: int,
    negbin: bool,
    contagion: bool,
    prior: Floats,
    start: Floats,
    lower: Floats,
    upper: Floats,
    steps: int,
) -> tuple[Floats, float, float]:
    """BFGS inside bounds: the place, its height, and the largest slope there that does not lean on a bound.

    Compiled, because for a few parameters scipy's own bookkeeping (and the threads of its BLAS) would cost more than
    the likelihood.
    """
    p = len(start)
    theta = np.empty(p)
    for i in range(p):
        theta[i] = min(max(start[i], lower[i]), upper[i])
    slope = np.zeros(p)
    fresh = np.zeros(p)
    value = log_posterior(
        counts, exposure, constants, times, index, history, k, stages, negbin, contagion, prior, theta, slope,
    )  # fmt: skip
    inverse = np.zeros((p, p))
    held = np.zeros(p, dtype=np.bool_)
    begin = True
    steep = 0.0
    small = 0
    for _ in range(steps):
        steep = 0.0
        for i in range(p):
            leaning = (theta[i] <= lower[i] and slope[i] <= 0) or (
                theta[i] >= upper[i] and slope[i] >= 0
            )
            begin = begin or leaning != held[i]
            held[i] = leaning
            if not leaning:
                steep = max(steep, abs(slope[i]))
        if steep < 1e-6 * (1.0 + math.sqrt(abs(value))):
            break
        if begin:
            for i in range(p):
                for j in range(p):
                    inverse[i, j] = 1.0 / max(steep, 1.0) if i == j else 0.0
        way = np.zeros(p)
        climb_rate = 0.0
        longest = 0.0
        for i in range(p):
            if not held[i]:
                for j in range(p):
                    if not held[j]:
                        way[i] += inverse[i, j] * slope[j]
                climb_rate += way[i] * slope[i]
                longest = max(longest, abs(way[i]))
        if not climb_rate > 0.0:
            if begin:
                break
            begin = True
            continue
        length = min(1.0, 2.0 / longest)
        found = -math.inf
        trial = theta.copy()
        for _ in range(30):
            promise = 0.0
            for i in range(p):
                trial[i] = min(max(theta[i] + length * way[i], lower[i]), upper[i])
                promise += slope[i] * (trial[i] - theta[i])
            found = log_posterior(
                counts, exposure, constants, times, index, history, k, stages, negbin, contagion, prior, trial, fresh,
            )  # fmt: skip
            if found >= value + 1e-4 * promise and not math.isnan(found):
                break
            length *= 0.3
        if not found > value:
            if begin:
                break
            begin = True
            continue
        small = small + 1 if found - value < 1e-10 * (1.0 + abs(value)) else 0
        curve = 0.0
        size = 0.0
        for i in range(p):
            curve += (trial[i] - theta[i]) * (slope[i] - fresh[i])
            size += (slope[i] - fresh[i]) ** 2
        if begin and curve > 0.0:
            for i in range(p):
                inverse[i, i] = curve / size
        if curve > 1e-12:
            bent = np.zeros(p)
            along = 0.0
            for i in range(p):
                for j in range(p):
                    bent[i] += inverse[i, j] * (slope[j] - fresh[j])
                along += bent[i] * (slope[i] - fresh[i])
            for i in range(p):
                step_i = trial[i] - theta[i]
                for j in range(p):
                    step_j = trial[j] - theta[j]
                    inverse[i, j] += (1.0 + along / curve) * step_i * step_j / curve - (
                        bent[i] * step_j + step_i * bent[j]
                    ) / curve
        begin = False
        value = found
        for i in range(p):
            theta[i] = trial[i]
            slope[i] = fresh[i]
        if small >= 3:
            break
    return theta, value, steep


def maximum_likelihood(data: RegimeData, starts: list[Floats] | None = None) -> Optimum:
    """Find the highest peak of the likelihood.

    Parameters
    ----------
    data : RegimeData
        Counts.
    starts : list of ndarray, optional
        Where to climb from; left out, they are laid out by the data.

    Returns
    -------
    Optimum
        The same for the same counts.
    """
    k = data.shape[0]
    given = starts is not None
    if starts is None:
        starts = _starts(data)
    long = len(data.index) > LONG
    room, finished = CLIMBED[long], FINISHED[long]
    tried = sorted(starts, key=lambda start: -height(data, start))[:room]
    halfway = [climb(data, start, steps=HALFWAY) for start in tried]
    halfway.sort(key=lambda place: -place[1])
    tops: list[tuple[Floats, float, bool]] = []
    for place in halfway:
        levels = np.sort(place[0][:k])
        if len(tops) < finished and not any(
            np.abs(levels - np.sort(top[0][:k])).max() < 0.1 and place[1] > top[1] - 3.0
            for top in tops
        ):
            tops.append(climb(data, place[0]))
    tops.sort(key=lambda place: -place[1])
    if k > 2 and not given and not long:
        shaken = [climb(data, start, steps=HALFWAY) for start in _shaken(data, tops[0][0])]
        tops.append(climb(data, max(shaken, key=lambda place: place[1])[0]))
        tops.sort(key=lambda place: -place[1])
    tops[0] = _polished(data, tops[0])
    if data.shape[2]:
        poisson = _from_poisson(data, starts if given else None)
        if poisson[1] >= tops[0][1] - 1e-6:
            tops.insert(0, poisson)
    theta, value, _ = tops[0]
    theta = in_order(data, theta)
    slope = _steepest(data, theta)
    others = [top[1] for top in tops[1:] if top[1] < value - 0.01]
    lower, upper = bounds(data)
    free = (theta > lower + 1e-6) & (theta < upper - 1e-6)
    spread, known = covariance(data, theta, free)
    return Optimum(
        theta=theta,
        natural=to_natural(theta, k, *data.shape[2:]),
        covariance=spread,
        free=known,
        llf=value,
        slope=slope,
        converged=slope < STEEPEST * (1.0 + math.sqrt(abs(value))),
        other=max(others, default=-math.inf),
    )


def _polished(data: RegimeData, top: tuple[Floats, float, bool]) -> tuple[Floats, float, bool]:
    """Climb again with a fresh idea of the curvature until nothing more is won."""
    for _ in range(POLISHED):
        again = climb(data, top[0])
        won = again[1] - top[1]
        if again[1] >= top[1]:
            top = again
        if won < 1e-7:
            break
    return top


def _shaken(data: RegimeData, theta: Floats) -> list[Floats]:
    """Lay out starts around a place, the same for the same place: ways between regimes hide the highest peak."""
    k = data.shape[0]
    how_many, of_rates, of_odds = SHAKEN
    end = n_theta(k, False, False)
    rng = np.random.default_rng(0)
    starts = []
    for _ in range(how_many):
        start = theta.copy()
        start[:k] += rng.normal(0.0, of_rates, k)
        start[k:end] = np.clip(start[k:end], -3.0, 3.0) + rng.normal(0.0, of_odds, end - k)
        starts.append(start)
    return starts


def _from_poisson(data: RegimeData, starts: list[Floats] | None) -> tuple[Floats, float, bool]:
    """Climb from the Poisson model's peak, where the dispersion is as good as 0."""
    k, stages, _, contagion = data.shape
    at = n_theta(k, False, False)
    plain = replace(data, shape=(k, stages, False, contagion))
    without = None if starts is None else [np.delete(start, at) for start in starts]
    best = maximum_likelihood(plain, without)
    return climb(data, np.insert(best.theta, at, bounds(data)[0][at]))


def _steepest(data: RegimeData, theta: Floats) -> float:
    """Give the largest slope that does not lean on a bound."""
    lower, upper = bounds(data)
    slope = np.zeros(len(theta))
    log_posterior(*data.arrays, NO_PRIOR, theta, slope)
    leaning = ((theta <= lower) & (slope <= 0)) | ((theta >= upper) & (slope >= 0))
    return float(np.abs(np.where(leaning, 0.0, slope)).max())


def in_order(data: RegimeData, theta: Floats) -> Floats:
    """Give the same parameters with the quietest regime first.

    Parameters
    ----------
    data : RegimeData
        Says what the model has.
    theta : ndarray, shape (p,)
        Unbounded parameters.

    Returns
    -------
    ndarray, shape (p,)
        Unbounded parameters. Log ratios that were at their bounds may now be taken to another regime.
    """
    k = data.shape[0]
    if (np.diff(theta[:k]) >= 0).all():
        return theta
    natural = ordered(to_natural(theta, k, False, False)[None], k)[0]
    rest = n_theta(k, False, False)
    return np.concatenate([to_theta(natural, k, False, False), theta[rest:]])


def covariance(
    data: RegimeData, theta: Floats, free: NDArray[np.bool_], prior: Floats = NO_PRIOR
) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the inverse of the curvature at a peak.

    Parameters
    ----------
    data : RegimeData
        Counts.
    theta : ndarray, shape (p,)
        The peak.
    free : ndarray of bool, shape (p,)
        The others are held where they are.
    prior : ndarray, optional
        Left out, the likelihood's curvature is meant.

    Returns
    -------
    covariance : ndarray, shape (p, p)
        0 for what is held. Directions without curvature get a standard error of 5.
    known : ndarray of bool, shape (p,)
        Free, and told by the data.
    """
    p = len(theta)
    rows = np.zeros((p, p))
    above, below = np.zeros(p), np.zeros(p)
    step = 1e-4
    for i in range(p):
        moved = theta.copy()
        moved[i] += step
        log_posterior(*data.arrays, prior, moved, above)
        moved[i] -= 2 * step
        log_posterior(*data.arrays, prior, moved, below)
        rows[i] = -(above - below) / (2 * step)
    out = np.zeros((p, p))
    if not free.any():
        return out, free
    information = 0.5 * (rows + rows.T)[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(information)
    out[np.ix_(free, free)] = (vectors / np.maximum(values, FLATTEST)) @ vectors.T
    vague = (vectors[:, values < FLATTEST] ** 2).sum(axis=1) > 0.1
    known = free.copy()
    known[np.flatnonzero(free)[vague]] = False
    return out, known


def _mean(data: RegimeData) -> float:
    events = float((data.counts * data.times).sum())
    return max(events, 0.1) / float((data.exposure * data.times).sum())


def _starts(data: RegimeData) -> list[Floats]:
    k, stages, negbin, contagion = data.shape
    seen = data.index >= 0
    counts, exposure = data.counts[data.index[seen]], data.exposure[data.index[seen]]
    n, mean = len(counts), _mean(data)
    rest = np.zeros(n_theta(k, negbin, contagion))
    at = k + (k + k * (k - 2) if k > 1 else 0)
    if negbin:
        rest[at] = math.log(0.3)
        at += 1
    if contagion:
        rest[at], rest[at + 1] = math.log(0.3), math.log(math.log(2) / 3.0)
    if k == 1:
        rest[0] = math.log(mean)
        return [rest]
    rates: list[tuple[Floats, float]] = []
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    watched = np.concatenate([[0.0], np.cumsum(exposure)])
    for width in sorted({min(w, max(n // 4, 1)) for w in (1, 4, 15, 60, max(n // 12, 1))}):
        level = (cumulative[width:] - cumulative[:-width]) / (watched[width:] - watched[:-width])
        rates += [
            (np.quantile(level, np.linspace(edge, 1 - edge, k)), 1.0 / (2 * width + 2))
            for edge in (0.5 / k, 0.1, 0.02)
        ]
    for ratio in (2.0, 6.0):
        spread = np.asarray(mean * ratio ** (np.arange(k) - 0.5 * (k - 1)), dtype=np.float64)
        rates += [(spread, leave) for leave in (0.02, 0.2)]
    starts = []
    for levels, leave in rates:
        apart = np.maximum(levels, 0.05 * mean)
        for i in range(1, k):  # equal rates are a saddle
            apart[i] = max(apart[i], 1.2 * apart[i - 1])
        odds = min(leave * stages, 0.5)
        for busy in (1.0, 4.0):  # the busy regime may be the short one
            start = rest.copy()
            start[:k] = np.log(apart)
            start[k : 2 * k] = math.log(odds / (1 - odds)) + math.log(busy) * np.arange(k) / (k - 1)
            starts.append(start)
    return starts
