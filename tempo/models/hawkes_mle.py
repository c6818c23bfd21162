"""Maximum likelihood for the binned Hawkes model: every local optimum, the boundary at zero, profile intervals.

For a fixed memory the mean is linear in baseline and branching, and the Poisson likelihood is concave in them: the
only direction in which several optima can hide is the memory. The search therefore climbs from a grid of half-lives
that reaches from a fraction of a bin to the whole record, and keeps each distinct peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from tempo.models import hawkes_climb as climb
from tempo.models import hawkes_daily as daily

__all__ = ["Optimum", "branching_interval", "maximum_likelihood"]

type Floats = NDArray[np.float64]

NO_PRIOR = np.ones(6)
LOG_NOTHING = -40.0  # log of a branching ratio that is zero for every purpose
# A mode must beat "no excitation" by this much log-likelihood before it counts as one.
WORTH = 1e-6
GRID_STEPS = 4  # of Newton at each half-life of the grid: its peaks are polished afterwards


@dataclass(frozen=True, eq=False)
class Optimum:
    """The maximum of the likelihood and what surrounds it.

    Attributes
    ----------
    parameters : ndarray, shape (4,)
        Baseline per day, branching, decay per day (NaN where the branching is 0), dispersion (0 for Poisson).
    theta : ndarray, shape (4,)
        Their logarithms, with the bounds in place of what is not identified.
    covariance : ndarray, shape (4, 4)
        Covariance of the log parameters from the observed information; NaN where not identified.
    llf : float
        Log-likelihood.
    llf_without : float
        The largest log-likelihood without any excitation.
    modes : ndarray, shape (m, 5)
        Every local optimum: the four parameters and the log-likelihood, best first.
    converged : bool
        Whether the gradient vanished at the maximum.
    free : tuple of bool
        Which parameters are identified and off their bounds.
    """

    parameters: Floats
    theta: Floats
    covariance: Floats
    llf: float
    llf_without: float
    modes: Floats
    converged: bool
    free: tuple[bool, bool, bool, bool]

    @property
    def at_boundary(self) -> bool:
        """Whether no excitation at all is the best explanation."""
        return bool(self.parameters[1] == 0.0)

    def settle(self, theta: Floats) -> Floats:
        """Give the natural parameters of drawn log parameters, with what is on its boundary kept there."""
        parameters = np.exp(theta)
        if self.at_boundary:
            parameters[:, 1] = 0.0
        if self.parameters[3] == 0.0:
            parameters[:, 3] = 0.0
        return parameters


def maximum_likelihood(data: daily.BinnedData, *, negbin: bool) -> Optimum:
    """Find the global maximum of the likelihood, and every other local one.

    Parameters
    ----------
    data : BinnedData
        Counts.
    negbin : bool
        Whether to estimate a dispersion.

    Returns
    -------
    Optimum
        Deterministic: there is nothing random in the search.
    """
    lower, upper = climb.bounds(data)
    null_theta, null_value, _ = _climb(
        data, _start(data, -1.0), (True, False, False, negbin), lower, upper, negbin=negbin
    )
    peaks = _peaks(data, null_theta, null_value, lower, upper, negbin=negbin)
    peaks = [peak for peak in peaks if peak[1] > null_value + WORTH]
    if peaks:
        theta, value, converged = max(peaks, key=lambda peak: peak[1])
        free = [True, True, True, negbin]
    else:
        theta, value, converged = null_theta, null_value, True
        free = [True, False, False, negbin]
    span = 1e-9
    for i in range(4):
        if free[i] and (theta[i] <= lower[i] + span or theta[i] >= upper[i] - span):
            free[i] = False
    covariance = _covariance(data, theta, np.array(free), negbin=negbin)
    modes = [[*_natural(peak[0], negbin=negbin), peak[1]] for peak in peaks] or [
        [*_natural(null_theta, negbin=negbin), null_value]
    ]
    modes.sort(key=lambda row: -row[4])
    return Optimum(
        _natural(theta, negbin=negbin),
        theta,
        covariance,
        value,
        null_value,
        np.array(modes),
        converged,
        (free[0], free[1], free[2], free[3]),
    )


def branching_interval(
    data: daily.BinnedData, optimum: Optimum, *, negbin: bool, prob: float
) -> tuple[float, float]:
    """Give the branching ratios that the likelihood does not reject, all else re-estimated for each.

    Parameters
    ----------
    data : BinnedData
        Counts.
    optimum : Optimum
        Their maximum-likelihood fit.
    negbin : bool
        Whether a dispersion is estimated.
    prob : float
        Confidence, for example 0.9.

    Returns
    -------
    low, high : float
        ``low`` is 0 where no excitation is not rejected; ``high`` is infinite where the likelihood sets no limit.
    """
    drop = 0.5 * float(chi2.ppf(prob, 1))
    target = optimum.llf - drop
    lower, upper = climb.bounds(data)
    grid = _half_life_grid(data)[::2]

    def profile(log_branching: float) -> float:
        best = -math.inf
        starts = [optimum.theta] + [_start(data, math.log(math.log(2) / h)) for h in grid]
        for start in starts:
            start = start.copy()
            start[1] = log_branching
            start[3] = optimum.theta[3]
            best = max(
                best,
                _climb(data, start, (True, False, True, negbin), lower, upper, negbin=negbin)[1],
            )
        return best - target

    centre = math.log(max(optimum.parameters[1], 1e-3))
    if optimum.llf_without >= target:
        low = 0.0
    else:
        low = math.exp(brentq(profile, _bracket(profile, centre, -0.5, -14.0), centre, xtol=1e-4))
    limit = float(upper[1])
    edge = _bracket(profile, centre, 0.5, limit)
    if profile(edge) > 0:
        return low, math.inf
    return low, math.exp(brentq(profile, centre, edge, xtol=1e-4))


def _bracket(profile, start: float, step: float, limit: float) -> float:  # type: ignore[no-untyped-def]
    place = start
    while profile(place) > 0 and abs(place - limit) > 1e-9:
        place = min(place + step, limit) if step > 0 else max(place + step, limit)
        step *= 1.5
    return place


def _peaks(
    data: daily.BinnedData,
    null_theta: Floats,
    null_value: float,
    lower: Floats,
    upper: Floats,
    *,
    negbin: bool,
) -> list[tuple[Floats, float, bool]]:
    """Climb to each peak of the profile over half-lives."""
    places: list[Floats] = []
    heights: list[float] = []
    gradient = np.zeros(4)
    warm: Floats | None = None
    for half_life in _half_life_grid(data):
        log_decay = math.log(math.log(2) / half_life)
        theta = null_theta.copy()
        theta[1], theta[2] = math.log(1e-10), log_decay
        daily.log_posterior(*data.arrays, NO_PRIOR, 0.0, negbin, theta, gradient)
        if gradient[1] <= 0:  # more excitation of this memory only hurts
            places.append(theta)
            heights.append(null_value)
            continue
        start = _start(data, log_decay) if warm is None else warm.copy()
        start[2] = log_decay
        start[3] = null_theta[3] if warm is None else start[3]
        theta, height, _ = _climb(
            data, start, (True, True, False, negbin), lower, upper, negbin=negbin, steps=GRID_STEPS
        )
        warm = theta
        places.append(theta)
        heights.append(height)
    found: list[tuple[Floats, float, bool]] = []
    for i, (theta, height) in enumerate(zip(places, heights, strict=True)):
        neighbours = heights[max(i - 1, 0) : i] + heights[i + 1 : i + 2]
        if height <= null_value + WORTH or any(height < other for other in neighbours):
            continue
        peak = _climb(data, theta, (True, True, True, negbin), lower, upper, negbin=negbin)
        if not any(
            abs(peak[1] - other[1]) < 1e-3 and np.abs(peak[0][1:3] - other[0][1:3]).max() < 0.05
            for other in found
        ):
            found.append(peak)
    return found


def _half_life_grid(data: daily.BinnedData) -> Floats:
    record = data.width * max(len(data.counts), 4)
    shortest = 0.3 * data.width
    n = max(4, math.ceil(math.log(0.5 * record / shortest) / math.log(2.5)) + 1)
    return np.geomspace(shortest, 0.5 * record, n)


def _start(data: daily.BinnedData, log_decay: float) -> Floats:
    """Give a plausible place: 60 % of the mean rate is baseline; all of it where there is no decay to start from."""
    rate = max(data.n_events, 0.1) / max(float(data.days.sum()), 1e-9)
    if log_decay == -1.0:
        return np.array([math.log(rate), LOG_NOTHING, log_decay, math.log(0.5)])
    return np.array([math.log(0.6 * rate), math.log(0.4), log_decay, math.log(0.5)])


def _climb(
    data: daily.BinnedData,
    start: Floats,
    free: tuple[bool, bool, bool, bool],
    lower: Floats,
    upper: Floats,
    *,
    negbin: bool,
    steps: int = climb.MOST_STEPS,
) -> tuple[Floats, float, bool]:
    theta, value, converged = climb.maximise(
        *data.arrays, NO_PRIOR, 0.0, negbin, start, np.array(free), lower, upper, steps
    )
    return theta, float(value), bool(converged)


def _natural(theta: Floats, *, negbin: bool) -> Floats:
    parameters = np.exp(theta)
    if theta[1] <= math.log(1e-9):
        parameters[1], parameters[2] = 0.0, math.nan
    if not negbin or theta[3] <= climb.LOG_LOWER[3] + 1e-9:
        parameters[3] = 0.0
    return parameters


def _covariance(
    data: daily.BinnedData, theta: Floats, free: NDArray[np.bool_], *, negbin: bool
) -> Floats:
    out = np.full((4, 4), math.nan)
    if not free.any():
        return out
    information = -climb.hessian(data, NO_PRIOR, 0.0, theta, negbin=negbin)[np.ix_(free, free)]
    if np.all(np.isfinite(information)) and np.linalg.eigvalsh(information).min() > 0:
        out[np.ix_(free, free)] = np.linalg.inv(information)
    return out
