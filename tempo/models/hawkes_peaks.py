"""Peaks of the general Hawkes likelihood and posterior: climbing, the boundary at zero, curvature, profiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from tempo.models.hawkes_general import HEADER, densities
from tempo.models.hawkes_general_climb import ascend, curvature
from tempo.models.hawkes_layout import Layout

__all__ = [
    "GeneralOptimum",
    "climb_from",
    "maximum_likelihood",
    "posterior_peaks",
    "profile_interval",
]

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

LIKELIHOOD, POSTERIOR, PENALISED = 0, 1, 2
LOG_NOTHING = -40.0
LOG_NEARLY_NOTHING = math.log(1e-4)
WORTH = 1e-6  # log-likelihood by which excitation must beat none
SAME = 0.05  # parameters closer than that are one peak
MOST_STEPS = 100
MOST_RUNGS = 6
DEEPEST_RUNG = 6.0  # log posterior density below the peak
DIFFERENCE = 1e-4  # of parameters, for second derivatives


@dataclass(frozen=True, eq=False)
class GeneralOptimum:
    """The maximum of the likelihood of a general model and what surrounds it.

    Attributes
    ----------
    theta : ndarray, shape (size,)
        Unbounded parameters.
    parameters, errors : ndarray, shape (names,)
        Natural parameters and their standard errors by the delta method; NaN where not identified.
    covariance : ndarray, shape (size, size)
        Of the unbounded parameters; NaN where not identified.
    llf : float
        Log-likelihood, without any penalty.
    llf_without : float
        The largest without self-excitation.
    modes : tuple of (theta, llf)
        Every peak found, highest first.
    converged : bool
        Whether the gradient vanished.
    free : ndarray of bool, shape (size,)
        Which parameters are identified and off their bounds.
    at_boundary : bool
        Whether no self-excitation at all is the best explanation.
    """

    theta: Floats
    parameters: Floats
    errors: Floats
    covariance: Floats
    llf: float
    llf_without: float
    modes: tuple[tuple[Floats, float], ...]
    converged: bool
    free: Flags
    at_boundary: bool

    def settle(self, theta: Floats) -> Floats:
        """Give what a fit keeps of drawn unbounded parameters: themselves."""
        return theta


def climb_from(
    block: Floats, which: int, start: Floats, free: Flags, bounds: tuple[Floats, Floats]
) -> tuple[Floats, float, bool]:
    """Climb to a peak.

    Parameters
    ----------
    block : ndarray
        Data.
    which : int
        0 likelihood, 1 posterior, 2 likelihood with penalties.
    start : ndarray, shape (size,)
        Where to begin.
    free : ndarray of bool
        Parameters that may move.
    bounds : (lower, upper)
        Of all parameters.

    Returns
    -------
    theta, value, converged
        The place, its height, and whether the gradient vanished there.
    """
    place, value, converged = ascend(
        block, which, np.asarray(start, dtype=float), free, bounds[0], bounds[1], MOST_STEPS
    )
    return place, float(value), bool(converged)


def maximum_likelihood(block: Floats, layout: Layout, rate_per_day: float) -> GeneralOptimum:
    """Find the maximum of the likelihood and every other peak that several memories lead to.

    Parameters
    ----------
    block : ndarray
        Data.
    layout : Layout
        What the parameters mean.
    rate_per_day : float
        Mean rate, to start from.

    Returns
    -------
    GeneralOptimum
        Deterministic.
    """
    bounds = layout.bounds(int(block[1]))
    null = layout.starts(rate_per_day)[0]
    null[0] = math.log(rate_per_day)
    null[layout.at_branching] = LOG_NOTHING
    null_free = np.ones(layout.size, dtype=bool)
    null_free[layout.at_branching] = False
    if not layout.inputs or layout.own_shapes:
        null_free[layout.at_shape : layout.at_shape + layout.shape] = False
    if layout.marked:
        null[layout.at_mark] = 0.0
        null_free[layout.at_mark] = False
    everything = np.ones(layout.size, dtype=bool)
    unseen = _unseen_inputs(block, layout)
    everything[unseen] = null_free[unseen] = False
    without = climb_from(block, PENALISED, null, null_free, bounds)
    peaks: list[tuple[Floats, float, bool]] = []
    for start in layout.starts(rate_per_day):
        start[1 : layout.at_branching] = without[0][1 : layout.at_branching]
        start[layout.at_observation :] = without[0][layout.at_observation :]
        peak = climb_from(block, PENALISED, start, everything, bounds)
        if peak[0][layout.at_branching] > LOG_NEARLY_NOTHING and not any(
            _same(peak[0], other[0], layout) and abs(peak[1] - other[1]) < 1e-3 for other in peaks
        ):
            peaks.append(peak)
    peaks = [peak for peak in peaks if peak[1] > without[1] + WORTH]
    at_boundary = not peaks
    theta, _, converged = max(peaks, key=lambda peak: peak[1]) if peaks else without
    free = null_free.copy() if at_boundary else everything
    theta, free = _drop_silent_inputs(block, layout, theta, free, bounds)
    edge = 1e-9
    free = free & (theta > bounds[0] + edge) & (theta < bounds[1] - edge)
    covariance = _covariance(block, theta, free)
    heights = densities(block, LIKELIHOOD, np.array([theta, without[0]]))
    others = sorted(peaks, key=lambda peak: -peak[1])[1:]
    modes = [(theta, float(heights[0]))]
    modes += [(peak[0], float(densities(block, LIKELIHOOD, peak[0][None])[0])) for peak in others]
    parameters, errors = _natural(layout, theta, covariance, free, at_boundary=at_boundary)
    for i in unseen[unseen < layout.at_shape]:
        silent = layout.names.index(f"response[{layout.inputs[i - layout.at_branching - 1]}]")
        parameters[silent] = errors[silent] = math.nan
    return GeneralOptimum(
        theta,
        parameters,
        errors,
        covariance,
        float(heights[0]),
        float(heights[1]),
        tuple(modes),
        converged,
        free,
        at_boundary,
    )


def _unseen_inputs(block: Floats, layout: Layout) -> NDArray[np.int64]:
    """Places of the parameters of inputs that never occurred: nothing can be learned about them."""
    n, first = int(block[1]), HEADER + int(block[1]) * len(layout.columns)
    found: list[int] = []
    for j in range(1, 1 + len(layout.inputs)):
        if not block[first + j * n : first + (j + 1) * n].any():
            found.append(layout.at_branching + j)
            if layout.own_shapes:
                start = layout.at_shape + j * layout.shape
                found.extend(range(start, start + layout.shape))
    return np.array(found, dtype=np.int64)


def _same(one: Floats, two: Floats, layout: Layout) -> bool:
    """Whether two places are one peak: by branching and kernel, which alone can differ at equal height."""
    part = slice(layout.at_branching, layout.at_mark)
    return bool(np.abs(np.maximum(one[part], -9) - np.maximum(two[part], -9)).max() < SAME)


def _drop_silent_inputs(
    block: Floats, layout: Layout, theta: Floats, free: Flags, bounds: tuple[Floats, Floats]
) -> tuple[Floats, Flags]:
    """Set the response to an input that excites nothing to zero, where it loses nothing."""
    silent = [
        i for i in range(layout.at_branching + 1, layout.at_shape) if theta[i] < LOG_NEARLY_NOTHING
    ]
    if not silent:
        return theta, free
    trial, kept = theta.copy(), free.copy()
    for i in silent:
        trial[i] = LOG_NOTHING
        kept[i] = False
        if layout.own_shapes:
            first = layout.at_shape + (i - layout.at_branching) * layout.shape
            kept[first : first + layout.shape] = False
    trial, height, _ = climb_from(block, PENALISED, trial, kept, bounds)
    before = float(densities(block, PENALISED, theta[None])[0])
    return (trial, kept) if height > before - 1e-3 else (theta, free)


def _covariance(block: Floats, theta: Floats, free: Flags) -> Floats:
    out = np.full((len(theta), len(theta)), math.nan)
    active = np.flatnonzero(free)
    if not len(active):
        return out
    information = curvature(block, PENALISED, theta, active, DIFFERENCE)
    if np.isfinite(information).all() and np.linalg.eigvalsh(information).min() > 0:
        out[np.ix_(active, active)] = np.linalg.inv(information)
    return out


def _natural(
    layout: Layout, theta: Floats, covariance: Floats, free: Flags, *, at_boundary: bool
) -> tuple[Floats, Floats]:
    parameters = layout.natural(theta[None])[0]
    step = 1e-5
    nudges = np.concatenate([theta + step * np.eye(len(theta)), theta - step * np.eye(len(theta))])
    moved = layout.natural(nudges)
    jacobian = (moved[: len(theta)] - moved[len(theta) :]).T / (2 * step)
    active = np.flatnonzero(free)
    within = covariance[np.ix_(active, active)]
    errors = np.sqrt(np.einsum("ij,jk,ik->i", jacobian[:, active], within, jacobian[:, active]))
    depends = np.abs(jacobian[:, ~free]).max(axis=1, initial=0.0) > 0
    errors[depends] = math.nan
    if at_boundary:
        first = layout.names.index("branching_ratio")
        parameters[first] = 0.0
        if layout.own_shapes or not layout.inputs:
            own = layout.natural_shape_slice
            parameters[own] = errors[own] = math.nan
        if layout.marked:
            last = layout.names.index("mark_exponent")
            parameters[last] = errors[last] = math.nan
    for i in range(layout.at_branching + 1, layout.at_shape):
        if theta[i] <= LOG_NOTHING:
            parameters[
                layout.names.index(f"response[{layout.inputs[i - layout.at_branching - 1]}]")
            ] = 0.0
    return parameters, errors


def profile_interval(
    block: Floats, layout: Layout, optimum: GeneralOptimum, prob: float
) -> tuple[float, float]:
    """Give the branching ratios that the likelihood does not reject, all else re-estimated for each.

    Parameters
    ----------
    block : ndarray
        Data.
    layout : Layout
        What the parameters mean.
    optimum : GeneralOptimum
        The maximum.
    prob : float
        Confidence.

    Returns
    -------
    low, high : float
        ``low`` is 0 where no excitation is not rejected; ``high`` is infinite where nothing limits it.
    """
    bounds = layout.bounds(int(block[1]))
    place = layout.at_branching
    free = np.ones(layout.size, dtype=bool)
    free[place] = False
    at_maximum = float(densities(block, PENALISED, optimum.theta[None])[0])
    target = at_maximum - 0.5 * float(chi2.ppf(prob, 1))
    rate = math.exp(optimum.theta[0])
    starts = layout.starts(rate)[::2] if optimum.at_boundary else []
    last = [optimum.theta]

    def above(log_branching: float) -> float:
        best: tuple[Floats, float] | None = None
        for start in [last[0], *starts]:
            moved = start.copy()
            moved[place] = log_branching
            if start is not last[0]:
                moved[: layout.at_branching] = optimum.theta[: layout.at_branching]
            theta, height, _ = climb_from(block, PENALISED, moved, free, bounds)
            if best is None or height > best[1]:
                best = theta, height
        assert best is not None
        last[0] = best[0]
        return best[1] - target

    centre = math.log(max(float(np.exp(optimum.theta[place])), 1e-3))
    if optimum.llf_without >= optimum.llf - (at_maximum - target):
        low = 0.0
    else:
        low = math.exp(_crossing(above, centre, -0.3, -14.0))
    last[0] = optimum.theta
    high = _crossing(above, centre, 0.2, float(bounds[1][place]))
    return low, math.inf if math.isnan(high) else math.exp(high)


def _crossing(above, centre: float, step: float, limit: float) -> float:  # type: ignore[no-untyped-def]
    """Where the profile falls below its target on one side; NaN where it does not before ``limit``."""
    inner = place = centre
    while True:
        place = max(place + step, limit) if step < 0 else min(place + step, limit)
        if above(place) <= 0:
            return float(brentq(above, inner, place, xtol=1e-3)) if above(inner) > 0 else inner
        if place == limit:
            return math.nan if step > 0 else limit
        inner = place
        step *= 1.5


def posterior_peaks(
    block: Floats, layout: Layout, rate_per_day: float
) -> list[tuple[Floats, Floats, float]]:
    """Find the peaks of the posterior.

    Parameters
    ----------
    block : ndarray
        Data and prior.
    layout : Layout
        What the parameters mean.
    rate_per_day : float
        Mean rate, to start from.

    Returns
    -------
    list of (place, covariance, height)
        Highest first.
    """
    wide = (np.full(layout.size, -60.0), np.full(layout.size, 60.0))
    every = np.arange(layout.size)
    found: list[tuple[Floats, Floats, float]] = []
    for start in layout.starts(rate_per_day):
        theta, height, _ = climb_from(block, POSTERIOR, start, every >= 0, wide)
        if any(np.abs(theta - place).max() < SAME for place, _, _ in found):
            continue
        values, vectors = np.linalg.eigh(curvature(block, POSTERIOR, theta, every, DIFFERENCE))
        covariance = (vectors / np.maximum(np.abs(values), 1e-2)) @ vectors.T
        found.append((theta, np.asarray(covariance), height))
    found.sort(key=lambda peak: -peak[2])
    return [
        *_ladder(block, layout, found[0], wide),
        *(peak for peak in found[1:] if peak[2] > found[0][2] - 12.0),
    ]


def _ladder(
    block: Floats,
    layout: Layout,
    peak: tuple[Floats, Floats, float],
    bounds: tuple[Floats, Floats],
) -> list[tuple[Floats, Floats, float]]:
    """Approximate the posterior anew at several branching ratios, each with everything else at its best.

    Where nearly all attacks may have been triggered the baseline vanishes, and what moves it can no longer be told: the
    posterior is bent, and a single normal distribution at its peak misses that corner.
    """
    place, covariance, height = peak
    at = layout.at_branching
    others = np.array([i for i in range(layout.size) if i != at])
    free = np.ones(layout.size, dtype=bool)
    free[at] = False
    stride = float(np.clip(math.sqrt(covariance[at, at]), 0.05, 1.0))
    rungs = [(place, height, covariance[:, at] / covariance[at, at])]
    for direction in (stride, -stride):
        last = place
        for _ in range(MOST_RUNGS):
            start = last.copy()
            start[at] += direction
            found, value, _ = climb_from(block, POSTERIOR, start, free, bounds)
            if not value > height - DEEPEST_RUNG:
                break
            rungs.append((found, value, (found - last) / direction))
            last = found
    out = []
    for where, value, along in rungs:
        values, vectors = np.linalg.eigh(curvature(block, POSTERIOR, where, others, DIFFERENCE))
        spread = np.zeros((layout.size, layout.size))
        spread[np.ix_(others, others)] = (vectors / np.maximum(np.abs(values), 1e-2)) @ vectors.T
        out.append((where, spread + stride**2 * np.outer(along, along), value))
    return out
