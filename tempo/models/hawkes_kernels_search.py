"""Maximum likelihood of the exponential Hawkes process: the two loops, arrays in, arrays out.

At a fixed decay the log-likelihood is concave in (baseline, branching), and at its maximum baseline * end + branching *
K(decay) = number of events, so one bounded line search finds it exactly. A grid of decays therefore shows every
mode; each is then climbed in log parameters by Newton steps with the exact Hessian, or by Fisher scoring where the
Hessian does not point uphill.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_fast import (
    CHUNK,
    chunk_decays,
    chunk_gaps,
    chunk_log_product,
    exponential_curvature,
    history_moments,
)

__all__ = ["climb", "scan_decays"]

type Floats = NDArray[np.float64]

_LN2 = math.log(2.0)
_ITERATIONS = 60


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _line_sums(
    x: Floats, baseline: float, branching: float, slope: float, intensity: Floats
) -> tuple[float, float]:
    """First and second derivative in branching of the log product, with the baseline tied to it."""
    s_1 = 0.0
    s_2 = 0.0
    for i in range(x.shape[0]):
        value = baseline + branching * x[i]
        intensity[i] = value
        d = (x[i] - slope) / value
        s_1 += d
        s_2 += d * d
    return s_1, s_2


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _excitation(
    times: Floats, history: Floats, end: float, decay: float, x: Floats, gap: Floats, a: Floats
) -> float:
    """Write ``decay * R_i`` for each event; give the offspring expected by one unit of branching."""
    inherited, _, _ = history_moments(history, decay)
    carried = inherited
    n = times.shape[0]
    previous = 0.0
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        chunk = times[start : start + m]
        chunk_gaps(chunk, previous, gap)
        chunk_decays(m, decay, gap, a)
        previous = chunk[m - 1]
        out = x[start : start + m]
        for i in range(m):
            r = a[i] * carried
            out[i] = decay * r
            carried = 1.0 + r
    used: float = n + inherited - math.exp(-decay * (end - previous)) * carried
    return used


@njit(cache=True, error_model="numpy")
def _best_branching(x: Floats, used: float, end: float, start: float, work: Floats) -> float:
    """Maximise over branching at one decay, with baseline = (n - branching * used) / end."""
    n = x.shape[0]
    slope = used / end
    low = 0.0
    high = n / used
    s_1, _ = _line_sums(x, n / end, 0.0, slope, work)
    if s_1 <= 0.0:
        return 0.0
    branching: float = min(max(start, 0.02 * high), 0.98 * high)
    for _ in range(30):
        s_1, s_2 = _line_sums(x, (n - branching * used) / end, branching, slope, work)
        if s_1 > 0.0:
            low = branching
        else:
            high = branching
        moved: float = branching + s_1 / s_2
        if not low < moved < high:
            moved = 0.5 * (low + high)
        if abs(moved - branching) < 1e-3 * (branching + 1e-3):
            return moved
        branching = moved
    return branching


@njit(cache=True, nogil=True, error_model="numpy")
def scan_decays(times: Floats, history: Floats, end: float, decays: Floats) -> Floats:
    """Give (baseline, branching, decay, log-likelihood) of the best fit at each decay."""
    n = times.shape[0]
    out = np.empty((decays.shape[0], 4))
    x = np.empty(n)
    work = np.empty(n)
    gap = np.empty(CHUNK)
    a = np.empty(CHUNK)
    padded = np.empty(CHUNK)
    branching = 0.3
    for k in range(decays.shape[0]):
        used = _excitation(times, history, end, decays[k], x, gap, a)
        branching = _best_branching(x, used, end, branching, work)
        baseline = (n - branching * used) / end
        _line_sums(x, baseline, branching, 0.0, work)
        exponent = 0
        logs = 0.0
        for start in range(0, n, CHUNK):
            m = min(CHUNK, n - start)
            for i in range(m):
                padded[i] = work[start + i]
            exponent_chunk, log_chunk = chunk_log_product(m, padded)
            exponent += exponent_chunk
            logs += log_chunk
        out[k, 0] = baseline
        out[k, 1] = branching
        out[k, 2] = decays[k]
        out[k, 3] = exponent * _LN2 + logs - n
    return out


@njit(cache=True, error_model="numpy")
def _solve(matrix: Floats, right: Floats, size: int, ridge: float, out: Floats) -> bool:
    """Solve a small symmetric system by Cholesky; give False where it is not positive definite."""
    L = np.empty((3, 3))
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            if i == j:
                total += ridge * matrix[i, i]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if i == j:
                if not total > 1e-13 * abs(matrix[i, i]):
                    return False
                L[i, i] = math.sqrt(total)
            else:
                L[i, j] = total / L[j, j]
    for i in range(size):
        total = right[i]
        for k in range(i):
            total -= L[i, k] * out[k]
        out[i] = total / L[i, i]
    for i in range(size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, size):
            total -= L[k, i] * out[k]
        out[i] = total / L[i, i]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def climb(
    times: Floats,
    history: Floats,
    end: float,
    parameters: Floats,
    fixed_branching: bool,
    gradient: Floats,
    hessian: Floats,
) -> tuple[float, int, bool]:
    """Climb to the nearest maximum in log parameters; give log-likelihood, evaluations and convergence.

    ``parameters`` (baseline, branching, decay) are moved; gradient and Hessian are those at the end, in natural
    scale. With ``fixed_branching`` only the other two move.
    """
    scores = np.empty((3, 3))
    trial = parameters.copy()
    trial_gradient = np.empty(3)
    trial_hessian = np.empty((3, 3))
    slope = np.empty(3)
    step = np.zeros(3)
    newton = np.empty((3, 3))
    fisher = np.empty((3, 3))
    index = np.array([0, 2, 2]) if fixed_branching else np.array([0, 1, 2])
    size = 2 if fixed_branching else 3
    n = times.shape[0]
    value = -np.inf
    gain = np.inf
    scale = 0.0
    for evaluations in range(1, _ITERATIONS + 1):
        tried = exponential_curvature(
            times,
            history,
            end,
            trial[0],
            trial[1],
            trial[2],
            trial_gradient,
            scores,
            trial_hessian,
        )
        # Near the top the gain drowns in rounding: there a full step is taken on trust.
        trusted = gain < 1e-8 and tried > value - 1e-12 * abs(value) - 1e-9
        if evaluations > 1 and not (tried >= value + 1e-4 * scale * gain or trusted):
            scale *= 0.3
            if scale < 1e-6:
                return value, evaluations, gain < 1e-8 * (n + 1.0)
        else:
            value = tried
            for i in range(3):  # loops, because numba takes seconds to compile an array assignment
                parameters[i] = trial[i]
                gradient[i] = trial_gradient[i]
                for j in range(3):
                    hessian[i, j] = trial_hessian[i, j]
            if gain < 1e-12 * (n + 1.0) and scale == 1.0:
                return value, evaluations, True
            if parameters[1] < 1e-7 and not fixed_branching:
                return value, evaluations, False
            for i in range(size):
                p = parameters[index[i]]
                slope[i] = gradient[index[i]] * p
                for j in range(size):
                    scaling = p * parameters[index[j]]
                    newton[i, j] = -hessian[index[i], index[j]] * scaling
                    fisher[i, j] = scores[index[i], index[j]] * scaling
                newton[i, i] -= slope[i]
            uphill = _solve(newton, slope, size, 0.0, step)
            ridge = 1e-6
            while not uphill and ridge < 10.0:
                uphill = _solve(fisher, slope, size, ridge, step)
                ridge *= 100.0
            if not uphill:
                return value, evaluations, False
            gain = 0.0
            longest = 0.0
            for i in range(size):
                gain += slope[i] * step[i]
                longest = max(longest, abs(step[i]))
            if gain < 1e-20 * (n + 1.0):
                return value, evaluations, True
            scale = min(1.0, 2.0 / longest)
        for i in range(3):
            trial[i] = parameters[i]
        for i in range(size):
            trial[index[i]] *= math.exp(scale * step[i])
        # Outside these the fast likelihood does not hold, and no series can tell.
        trial[0] = max(trial[0], 1e-9 / end)
        trial[2] = min(max(trial[2], 1e-3 / end), 1e12 / end)
        if not fixed_branching:
            trial[1] = min(max(trial[1], 1e-12), 1e6)
    return value, _ITERATIONS, False
