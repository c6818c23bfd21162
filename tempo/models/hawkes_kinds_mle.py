"""Maximum likelihood of the Hawkes model by kind: memory by grid and climb, boundary zeros, standard errors.

Given the memory, the Poisson likelihood is concave in baselines and branching, so the only danger of several peaks lies
in the memory. It is profiled on a grid of half-lives; every peak of the profile is then climbed with all parameters
free. Most entries of a branching matrix end at exactly zero: bounds are kept, and the parameters on them have no
standard error, but an upper limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models import hawkes_kinds_recursions as recursions

__all__ = ["KindsArrays", "KindsOptimum", "maximum_likelihood"]

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

HALF_LIVES = (0.7, 2.0, 5.0, 12.0, 30.0, 80.0)  # in bins
SHORTEST_MEMORY = (
    6.0  # largest decay times the length of a bin: all excitation falls on the next one
)
SMALLEST = 1e-6  # of the mean rate: a baseline that small is none
LARGEST_BRANCHING = 5.0
LARGEST_DISPERSION = 50.0
NEAR = 1e-9
INNER_STEPS = 60
NEWTON_STEPS = 12


@dataclass(frozen=True, eq=False)
class KindsArrays:
    """Counts by kind as the compiled code wants them.

    Attributes
    ----------
    counts, days : ndarray, shape (n, K)
        Attacks, NaN where nobody watched, and observed days.
    bin_days : ndarray, shape (n,)
        Length of each bin in days.
    mode : int
        How decays are shared.
    negbin : bool
        Whether each kind has a dispersion.
    """

    counts: Floats
    days: Floats
    bin_days: Floats
    mode: int
    negbin: bool

    @property
    def n_kinds(self) -> int:
        """How many kinds."""
        return int(self.counts.shape[1])

    @property
    def width(self) -> float:
        """Typical length of a bin in days."""
        return float(self.bin_days.mean())

    @property
    def n_parameters(self) -> int:
        """Length of the vector of parameters."""
        return kernels.n_parameters(self.n_kinds, self.mode, negbin=self.negbin)

    @property
    def events(self) -> Floats:
        """Attacks of each kind."""
        return np.asarray(np.nansum(self.counts, axis=0))

    @cached_property
    def tail(self) -> Floats:
        """Number of observed bins of each kind with more than 0, 1, 2, … attacks."""
        largest = int(np.nanmax(self.counts, initial=0.0))
        steps = np.arange(largest)
        return np.array(
            [(column[:, None] > steps).sum(axis=0) for column in self.counts.T], dtype=np.float64
        ).reshape(self.n_kinds, largest)

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, float, Floats, int, bool]:
        """What the likelihood takes first."""
        return (
            self.counts, self.days, self.bin_days, self.width, self.tail, self.mode, self.negbin
        )  # fmt: skip

    @property
    def parts(self) -> tuple[slice, slice, slice, slice]:
        """Places of baselines, branching, decays and dispersions in the vector of parameters."""
        k = self.n_kinds
        end = self.n_parameters - (k if self.negbin else 0)
        return slice(0, k), slice(k, k + k * k), slice(k + k * k, end), slice(end, None)

    def log_likelihood(self, parameters: Floats) -> tuple[float, Floats]:
        """Value and gradient in natural parameters."""
        gradient = np.empty(len(parameters))
        value = kernels.log_likelihood(*self.arrays, parameters, gradient)
        return float(value), gradient


@dataclass(frozen=True, eq=False)
class KindsOptimum:
    """The maximum of the likelihood.

    Attributes
    ----------
    parameters : ndarray, shape (p,)
        In natural units.
    llf : float
        Log-likelihood there.
    free : ndarray of bool, shape (p,)
        Parameters inside their bounds.
    known : ndarray of bool, shape (p,)
        Parameters that the data say anything about: nothing is known of what a kind triggers that never happened, nor
        of the decay of what is not there.
    covariance : ndarray, shape (p, p)
        Inverse of the observed information of the free parameters; 0 elsewhere.
    positive : ndarray of bool, shape (p,)
        Baselines and decays, whose intervals come from standard errors of the logarithm.
    upper_slope, upper_curvature : ndarray, shape (p,)
        Slope of the log-likelihood at a parameter on its lower bound, and its curvature when all others follow.
    converged : bool
        Whether the gradient vanished.
    peaks : ndarray, shape (m, 2)
        Half-life in days (the shortest one) and log-likelihood of each peak found, highest first.
    """

    parameters: Floats
    llf: float
    free: Flags
    known: Flags
    covariance: Floats
    positive: Flags
    upper_slope: Floats
    upper_curvature: Floats
    converged: bool
    peaks: Floats

    def interval(self, prob: float) -> tuple[Floats, Floats]:
        """Give limits of each parameter: estimate and standard errors inside, one-sided limits on the boundary.

        Parameters
        ----------
        prob : float
            Probability of the interval.

        Returns
        -------
        low, high : ndarray, shape (p,)
            On a lower bound, ``high`` is where a parabola through the boundary falls by as much as the likelihood may;
            unknown parameters have no upper limit.
        """
        z = float(norm.ppf((1 + prob) / 2))
        error = np.sqrt(np.diag(self.covariance))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            spread = np.exp(z * error / self.parameters)
            low = np.where(
                self.positive,
                self.parameters / spread,
                np.maximum(self.parameters - z * error, 0.0),
            )
            high = np.where(self.positive, self.parameters * spread, self.parameters + z * error)
        slope, curvature = self.upper_slope, self.upper_curvature
        one_sided = float(norm.ppf(prob))
        with np.errstate(divide="ignore", invalid="ignore"):
            room = (slope + np.sqrt(slope**2 + curvature * one_sided**2)) / curvature
        flat = curvature <= 1e-12 * np.maximum(slope**2, 1e-300)
        with np.errstate(divide="ignore"):
            room = np.where(flat, np.where(slope < 0, -0.5 * one_sided**2 / slope, np.inf), room)
        high = np.where(self.free, high, self.parameters + room)
        low = np.where(self.free, low, 0.0)
        return low, np.where(self.known, high, np.inf)

    @property
    def bse(self) -> Floats:
        """Standard errors; missing on a bound, and of what the data say nothing about."""
        return np.where(self.free, np.sqrt(np.diag(self.covariance)), np.nan)


def maximum_likelihood(data: KindsArrays) -> KindsOptimum:
    """Maximise the likelihood.

    Parameters
    ----------
    data : KindsArrays
        Counts.

    Returns
    -------
    KindsOptimum
        Zeros are exact.
    """
    scale, lower, upper = _scaled_bounds(data)
    x = _to_scaled(data, _start(data), scale)
    profile = []
    for half_life in _half_lives(data):
        x[data.parts[2]] = math.log(math.log(2) / half_life)
        x, value, _ = _newton(data, x, scale, lower, upper)
        profile.append((value, x))
    values = [value for value, _ in profile]
    starts = [
        i
        for i in range(len(values))
        if values[i] >= max(values[max(i - 1, 0) : i + 2]) and values[i] > max(values) - 8.0
    ]
    starts.sort(key=lambda i: -values[i])
    found: list[tuple[float, Floats]] = []
    for i in starts[:3]:
        x, value = _climb(data, profile[i][1], scale, lower, upper)
        if all(np.abs(x - other).max() > 0.02 for _, other in found):
            found.append((value, x))
    found.sort(key=lambda each: -each[0])
    peaks = [[math.log(2) / math.exp(place[data.parts[2]].max()), llf] for llf, place in found]
    x, value, converged = _polish(data, found[0][1], scale, lower, upper)
    return _at_optimum(data, x, value, scale, lower, upper, converged, np.array(peaks))


def _scaled_bounds(data: KindsArrays) -> tuple[Floats, Floats, Floats]:
    """Units in which the problem is well scaled (decays as logarithms, units 1), and bounds in those units."""
    baselines, _, decays, dispersions = data.parts
    p = data.n_parameters
    scale, lower, upper = np.ones(p), np.zeros(p), np.full(p, LARGEST_BRANCHING)
    watched = np.maximum(data.days.sum(axis=0), 1e-9)
    scale[baselines] = np.maximum(data.events, 0.5) / watched
    lower[baselines] = np.where(data.events > 0, SMALLEST, 0.0)
    upper[baselines] = 20.0
    longest = max(0.5 * len(data.counts), 10.0) * data.width
    lower[decays] = math.log(math.log(2) / longest)
    upper[decays] = math.log(SHORTEST_MEMORY / data.width)
    upper[dispersions] = LARGEST_DISPERSION
    return scale, lower, upper


def _half_lives(data: KindsArrays) -> list[float]:
    longest = max(0.25 * len(data.counts), 5.0)
    return [data.width * bins for bins in HALF_LIVES if bins <= longest]


def _start(data: KindsArrays) -> Floats:
    baselines, branching, decays, dispersions = data.parts
    k = data.n_kinds
    start = np.empty(data.n_parameters)
    watched = np.maximum(data.days.sum(axis=0), 1e-9)
    start[baselines] = 0.6 * np.maximum(data.events, 0.5) / watched
    start[branching] = (0.25 * np.eye(k) + 0.1 / k).ravel()
    start[decays] = math.log(2) / 5.0
    start[dispersions] = 0.3
    return start


def _to_scaled(data: KindsArrays, parameters: Floats, scale: Floats) -> Floats:
    x = parameters / scale
    x[data.parts[2]] = np.log(parameters[data.parts[2]])
    return x


def _value_and_gradient(data: KindsArrays, x: Floats, scale: Floats) -> tuple[float, Floats]:
    parameters = _natural(data, x, scale)
    value, gradient = data.log_likelihood(parameters)
    gradient *= scale
    gradient[data.parts[2]] *= parameters[data.parts[2]]
    return value, gradient


def _natural(data: KindsArrays, x: Floats, scale: Floats) -> Floats:
    parameters = np.asarray(x * scale)
    parameters[data.parts[2]] = np.exp(x[data.parts[2]])
    return parameters


def _newton(
    data: KindsArrays, x: Floats, scale: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, float, Floats]:
    """Maximise over baselines and branching, memory and dispersion fixed: projected Newton, one block for each kind.

    Bertsekas (1982), SIAM J. Control Optim. 20.
    """
    k = data.n_kinds
    x = x.copy()
    places = np.column_stack([np.arange(k), k + np.arange(k * k).reshape(k, k)])
    value, gradient = _value_and_gradient(data, x, scale)
    for _ in range(INNER_STEPS):
        free = _free(x, gradient, lower, upper)
        blocks = recursions.curvature(
            data.counts, data.days, data.bin_days, data.width, data.mode, data.negbin,
            _natural(data, x, scale),
        )  # fmt: skip
        unit = scale[places]
        blocks *= unit[:, :, None] * unit[:, None, :]
        held = ~free[places]
        blocks[held[:, :, None] | held[:, None, :]] = 0.0
        ridge = 1e-9 * np.maximum(blocks.max(axis=(1, 2)), 1.0)
        diagonal = np.arange(k + 1)
        blocks[:, diagonal, diagonal] += np.where(held, 1.0, ridge[:, None])
        wanted = np.where(held, 0.0, gradient[places])
        step = np.zeros_like(x)
        step[places] = np.linalg.solve(blocks, wanted[:, :, None])[:, :, 0]
        if float(step @ gradient) < 1e-9:
            break
        length = 1.0
        while length > 1e-5:
            tried = np.clip(x + length * step, lower, upper)
            new_value, new_gradient = _value_and_gradient(data, tried, scale)
            if new_value >= value + 1e-4 * float(gradient @ (tried - x)):
                break
            length *= 0.3
        else:
            break
        x, value, gradient = tried, new_value, new_gradient
    return x, value, gradient


def _climb(
    data: KindsArrays, start: Floats, scale: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, float]:
    """Climb with memory and dispersion free; baselines and branching follow them to their own maximum each time."""
    outer = slice(data.parts[2].start, None)
    best = np.clip(start, lower, upper)
    followed = best.copy()

    def negative(place: Floats) -> tuple[float, Floats]:
        nonlocal followed
        x = followed.copy()
        x[outer] = place
        followed, value, gradient = _newton(data, x, scale, lower, upper)
        return -value, -gradient[outer]

    done = minimize(
        negative,
        best[outer],
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([lower[outer], upper[outer]]),
        options={"maxiter": 200, "maxcor": 20, "ftol": 1e-11, "gtol": 1e-4},
    )
    x = followed.copy()
    x[outer] = done.x
    x, value, _ = _newton(data, x, scale, lower, upper)
    return x, value


def _information(data: KindsArrays, x: Floats, scale: Floats, lower: Floats) -> Floats:
    """Observed information in scaled units, by central differences of the gradient (forward ones at a bound)."""
    p = len(x)
    out = np.empty((p, p))
    for i in range(p):
        step = 1e-4 * max(abs(x[i]), 0.02)
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] = max(x[i] - step, min(lower[i], x[i]))
        rise = _value_and_gradient(data, above, scale)[1]
        rise -= _value_and_gradient(data, below, scale)[1]
        out[i] = -rise / (above[i] - below[i])
    return 0.5 * (out + out.T)


def _polish(
    data: KindsArrays, x: Floats, scale: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, float, bool]:
    """Newton's steps on all parameters inside their bounds, until the gradient vanishes."""
    value, gradient = _value_and_gradient(data, x, scale)
    for _ in range(NEWTON_STEPS):
        free = _free(x, gradient, lower, upper)
        if _settled(gradient[free]):
            break
        information = _information(data, x, scale, lower)[np.ix_(free, free)]
        values, vectors = np.linalg.eigh(information)
        values = np.maximum(np.abs(values), 1e-6 * max(np.abs(values).max(initial=0.0), 1.0))
        step = np.zeros_like(x)
        step[free] = vectors @ ((vectors.T @ gradient[free]) / values)
        length, improved = 1.0, False
        while length > 1e-4:
            tried = np.clip(x + length * step, lower, upper)
            new_value, new_gradient = _value_and_gradient(data, tried, scale)
            if new_value > value or (new_value >= value - 1e-10 and _settled(new_gradient[free])):
                x, value, gradient, improved = tried, new_value, new_gradient, True
                break
            length *= 0.4
        if not improved:
            break
    free = _free(x, gradient, lower, upper)
    return x, value, bool(np.abs(gradient[free]).max(initial=0.0) < 1e-2)


def _settled(gradient: Floats) -> bool:
    return bool(np.abs(gradient).max(initial=0.0) < 1e-3)


def _free(x: Floats, gradient: Floats, lower: Floats, upper: Floats) -> Flags:
    stuck = ((x <= lower + NEAR) & (gradient <= 0)) | ((x >= upper - NEAR) & (gradient >= 0))
    return np.asarray(~stuck)


def _at_optimum(
    data: KindsArrays,
    x: Floats,
    value: float,
    scale: Floats,
    lower: Floats,
    upper: Floats,
    converged: bool,
    peaks: Floats,
) -> KindsOptimum:
    baselines, branching, decays, _ = data.parts
    k = data.n_kinds
    _, gradient = _value_and_gradient(data, x, scale)
    inside = _free(x, gradient, lower, upper)
    silent = np.zeros(len(x), dtype=bool)
    silent[branching] = np.tile(data.events == 0, k)
    if data.mode == kernels.SHARED:
        without = np.array([not (x[branching] > 0).any()])
    elif data.mode == kernels.EACH_SOURCE:
        without = ~(x[branching].reshape(k, k) > 0).any(axis=0)
    else:
        without = ~(x[branching] > 0)
    silent[decays] = without
    free = inside & ~silent
    information = _information(data, x, scale, lower)
    unit = scale.copy()
    unit[decays] = np.exp(x[decays])
    covariance = np.zeros_like(information)
    block = information[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(block)
    inverse = (vectors / np.maximum(values, 1e-8 * max(values.max(initial=0.0), 1.0))) @ vectors.T
    covariance[np.ix_(free, free)] = inverse
    slope, curvature = np.zeros(len(x)), np.zeros(len(x))
    for i in np.flatnonzero(~free):
        across = information[i, free]
        slope[i] = min(gradient[i], 0.0) / unit[i]
        curvature[i] = max(information[i, i] - across @ inverse @ across, 0.0) / unit[i] ** 2
    positive = np.zeros(len(x), dtype=bool)
    positive[baselines] = positive[decays] = True
    # A baseline at its floor is none at all.
    out = _natural(data, x, scale)
    floor = (x[baselines] <= lower[baselines] + NEAR) & ~inside[baselines]
    out[baselines] = np.where(floor, 0.0, out[baselines])
    return KindsOptimum(
        parameters=out,
        llf=value,
        free=free,
        known=~silent,
        covariance=covariance * np.outer(unit, unit),
        positive=positive,
        upper_slope=slope,
        upper_curvature=curvature,
        converged=converged,
        peaks=peaks,
    )
