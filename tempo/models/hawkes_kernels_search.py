"""Maximum likelihood of the exponential Hawkes process, wholly inside numba: arrays in, arrays out.

At a fixed decay the log-likelihood is concave in (baseline, branching), and at its maximum baseline * end + branching *
K(decay) = number of events, so one bounded line search finds it exactly. A grid of decays therefore shows every
mode; each is then polished in log parameters by Newton steps with the exact Hessian, or by Fisher scoring where the
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

__all__ = ["decay_grid", "maximise", "profile_branching"]

type Floats = NDArray[np.float64]

_LN2 = math.log(2.0)
_STARTS = 8192  # events used to find starting points; the polish uses all of them
_MODES = 3
_ITERATIONS = 60


@njit(cache=True, error_model="numpy")
def decay_grid(times: Floats, history: Floats, end: float) -> Floats:
    """Give decays, a factor of two to three apart, from slower than the window to faster than most gaps."""
    n = times.shape[0]
    step = max(1, n // 2000)
    gaps = np.sort(np.diff(times[::step])) / step if n > 2 else np.full(1, end)
    low = 0.3 / (end - (history[0] if history.shape[0] else 0.0))
    high = max(4.0 / max(gaps[gaps.shape[0] // 50], 1e-12 * end), 100.0 * low)
    size = min(24, 3 + int(math.log(high / low) / math.log(2.5)))
    return np.exp(np.linspace(math.log(low), math.log(high), size))


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
    carried, _, _ = history_moments(history, decay)
    r = carried - 1.0
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
            r = a[i] * r + a[i]
            out[i] = decay * r
    return n + carried - math.exp(-decay * (end - previous)) * (1.0 + r)


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
    branching = min(max(start, 0.02 * high), 0.98 * high)
    for _ in range(30):
        s_1, s_2 = _line_sums(x, (n - branching * used) / end, branching, slope, work)
        if s_1 > 0.0:
            low = branching
        else:
            high = branching
        moved = branching + s_1 / s_2
        if not low < moved < high:
            moved = 0.5 * (low + high)
        if abs(moved - branching) < 1e-3 * (branching + 1e-3):
            return moved
        branching = moved
    return branching


@njit(cache=True, error_model="numpy")
def _scan(times: Floats, history: Floats, end: float, decays: Floats, out: Floats) -> None:
    """Write (baseline, branching, decay, log-likelihood) of the best fit at each decay."""
    n = times.shape[0]
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
            padded[:m] = work[start : start + m]
            exponent_chunk, log_chunk = chunk_log_product(m, padded)
            exponent += exponent_chunk
            logs += log_chunk
        out[k, 0] = baseline
        out[k, 1] = branching
        out[k, 2] = decays[k]
        out[k, 3] = exponent * _LN2 + logs - n


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


@njit(cache=True, error_model="numpy")
def _polish(
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
    trial = np.empty(3)
    slope = np.empty(3)
    step = np.zeros(3)
    newton = np.empty((3, 3))
    fisher = np.empty((3, 3))
    index = np.array([0, 2, 2]) if fixed_branching else np.array([0, 1, 2])
    size = 2 if fixed_branching else 3
    slowest = 1e-3 / end
    fastest = 1e12 / end
    n = times.shape[0]
    value = exponential_curvature(
        times,
        history,
        end,
        parameters[0],
        parameters[1],
        parameters[2],
        gradient,
        scores,
        hessian,
    )
    evaluations = 1
    while evaluations < _ITERATIONS:
        for i in range(size):
            p = parameters[index[i]]
            slope[i] = gradient[index[i]] * p
            for j in range(size):
                o = parameters[index[j]]
                newton[i, j] = -hessian[index[i], index[j]] * p * o
                fisher[i, j] = scores[index[i], index[j]] * p * o
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
        moved = False
        while evaluations < _ITERATIONS:
            trial[:] = parameters
            for i in range(size):
                trial[index[i]] = parameters[index[i]] * math.exp(scale * step[i])
            trial[0] = max(trial[0], 1e-9 / end)
            trial[1] = max(trial[1], 1e-12) if not fixed_branching else trial[1]
            trial[2] = min(max(trial[2], slowest), fastest)
            tried = exponential_curvature(
                times,
                history,
                end,
                trial[0],
                trial[1],
                trial[2],
                gradient,
                scores,
                hessian,
            )
            evaluations += 1
            # Near the top the gain drowns in rounding: there a full step is taken on trust.
            if tried >= value + 1e-4 * scale * gain or (
                gain < 1e-8 and tried > value - 1e-12 * abs(value) - 1e-9
            ):
                moved = True
                value = tried
                parameters[:] = trial
                break
            scale *= 0.3
            if scale < 1e-6:
                break
        if not moved:
            value = exponential_curvature(
                times,
                history,
                end,
                parameters[0],
                parameters[1],
                parameters[2],
                gradient,
                scores,
                hessian,
            )
            return value, evaluations, gain < 1e-8 * (n + 1.0)
        if parameters[1] < 1e-7 and not fixed_branching:
            return value, evaluations, False
        if gain < 1e-12 * (n + 1.0) and scale == 1.0:
            return value, evaluations, True
    return value, evaluations, False


@njit(cache=True, nogil=True, error_model="numpy")
def maximise(
    times: Floats, history: Floats, end: float
) -> tuple[Floats, Floats, Floats, bool, int]:
    """Find every mode; give the modes, best first, then gradient, Hessian, convergence and evaluations of the best.

    A mode is (baseline, branching, decay, log-likelihood). Branching zero comes out as no row at all.
    """
    n = times.shape[0]
    decays = decay_grid(times, history, end)
    grid = np.empty((decays.shape[0], 4))
    if n > _STARTS:
        first = (n - _STARTS) // 2
        before = times[first - 1]
        last = first + _STARTS
        _scan(
            times[first:last] - before,
            times[first - 512 : first] - before if first >= 512 else times[:first] - before,
            times[last] - before,
            decays,
            grid,
        )
    else:
        _scan(times, history, end, decays, grid)
    size = grid.shape[0]
    peaks = np.full(size, -np.inf)
    for k in range(size):
        left = grid[k - 1, 3] if k > 0 else -np.inf
        right = grid[k + 1, 3] if k + 1 < size else -np.inf
        if grid[k, 1] > 1e-6 and grid[k, 3] >= left and grid[k, 3] >= right:
            peaks[k] = grid[k, 3]
    order = np.argsort(-peaks)
    found = np.empty((_MODES, 4))
    gradient = np.full(3, np.nan)
    hessian = np.full((3, 3), np.nan)
    best_gradient = np.full(3, np.nan)
    best_hessian = np.full((3, 3), np.nan)
    best_converged = False
    modes = 0
    evaluations = 0
    for k in order[:_MODES]:
        if not peaks[k] > -np.inf:
            break
        parameters = np.empty(3)
        parameters[:] = grid[k, :3]
        value, used, converged = _polish(
            times, history, end, parameters, False, gradient, hessian
        )
        evaluations += used
        if parameters[1] < 1e-6:
            continue
        known = False
        for j in range(modes):
            if (
                abs(found[j, 3] - value) < 1e-6 * (1.0 + abs(value))
                and abs(math.log(found[j, 2] / parameters[2])) < 1e-3
            ):
                known = True
        if known:
            continue
        if modes == 0 or value > found[:modes, 3].max():
            best_gradient[:] = gradient
            best_hessian[:] = hessian
            best_converged = converged
        found[modes, :3] = parameters
        found[modes, 3] = value
        modes += 1
    ranked = found[:modes][np.argsort(-found[:modes, 3])]
    return ranked, best_gradient, best_hessian, best_converged, evaluations


@njit(cache=True, nogil=True, error_model="numpy")
def profile_branching(
    times: Floats, history: Floats, end: float, branching: float, starts: Floats
) -> float:
    """Give the log-likelihood maximised over baseline and decay at one positive branching ratio."""
    n = times.shape[0]
    gradient = np.empty(3)
    hessian = np.empty((3, 3))
    best = -np.inf
    for k in range(starts.shape[0]):
        parameters = np.empty(3)
        parameters[0] = max(n - branching * n, 0.02 * n) / end
        parameters[1] = branching
        parameters[2] = starts[k]
        value, _, _ = _polish(times, history, end, parameters, True, gradient, hessian)
        best = max(best, value)
    return best
