"""Likelihood kernels that hold for any parameters: the fast passes where they may be used, plain loops elsewhere."""

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
    exponential_gradient,
    history_moments,
    in_fast_range,
)

__all__ = ["any_exponential", "any_sum_exponential"]

type Floats = NDArray[np.float64]

_LN2 = math.log(2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def any_exponential(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    gradient: Floats,
) -> tuple[float, int]:
    """Write the gradient of one exponential kernel; give the value and the number of gaps that are not positive."""
    result: tuple[float, int]
    if in_fast_range(times.shape[0], end, baseline, branching, decay, history.shape[0]):
        result = exponential_gradient(times, history, end, baseline, branching, decay, gradient)
        return result
    result = _careful(
        times, history, end, baseline, np.full(1, branching), np.full(1, decay), gradient
    )
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def any_sum_exponential(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: Floats,
    decay: Floats,
    gradient: Floats,
) -> tuple[float, int]:
    """Write the gradient of a sum of exponentials; give the value and the number of gaps that are not positive."""
    n = times.shape[0]
    m = branching.shape[0]
    jump = 0.0
    slowest = decay[0]
    for k in range(m):
        jump += branching[k] * decay[k]
        slowest = min(slowest, decay[k])
    # With branching * decay put in for the product, the test of a single exponential serves.
    if not in_fast_range(n, end, baseline, jump / slowest, slowest, history.shape[0]):
        careful: tuple[float, int] = _careful(
            times, history, end, baseline, branching, decay, gradient
        )
        return careful
    carried = np.empty(m)
    q = np.empty(m)
    start = np.empty((m, 2))
    for k in range(m):
        s0, s1, _ = history_moments(history, decay[k])
        start[k, 0] = s0
        start[k, 1] = s1
        carried[k] = s0
        q[k] = s1
    gap = np.empty(CHUNK)
    a = np.empty(CHUNK)
    R = np.empty((m, CHUNK))
    Q = np.empty((m, CHUNK))
    intensity = np.empty(CHUNK)
    weight = np.empty(CHUNK)
    sums = np.zeros((m, 2))
    total = 0.0
    previous = 0.0
    bad = 0
    exponent = 0
    logs = 0.0
    for first in range(0, n, CHUNK):
        size = min(CHUNK, n - first)
        chunk = times[first : first + size]
        bad += chunk_gaps(chunk, previous, gap)
        previous = chunk[size - 1]
        intensity[:] = baseline
        for k in range(m):
            chunk_decays(size, decay[k], gap, a)
            jump = branching[k] * decay[k]
            carried[k], q[k] = _accumulate(
                size, gap, a, R[k], Q[k], carried[k], q[k], jump, intensity
            )
        total += _weights(size, intensity, weight)
        for k in range(m):
            s_r, s_q = _weighted(size, R[k], Q[k], weight)
            sums[k, 0] += s_r
            sums[k, 1] += s_q
        exponent_chunk, log_chunk = chunk_log_product(size, intensity)
        exponent += exponent_chunk
        logs += log_chunk
    rest = end - previous
    if not rest >= 0.0:
        bad += 1
    value = exponent * _LN2 + logs - baseline * end
    gradient[0] = total - end
    for k in range(m):
        tail = math.exp(-decay[k] * rest)
        r_end = tail * carried[k]
        q_end = tail * q[k] + rest * r_end
        used = n + start[k, 0] - r_end
        value -= branching[k] * used
        gradient[1 + k] = decay[k] * sums[k, 0] - used
        gradient[1 + m + k] = branching[k] * (
            sums[k, 0] - decay[k] * sums[k, 1] - (q_end - start[k, 1])
        )
    return value, bad


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _accumulate(
    m: int,
    gap: Floats,
    a: Floats,
    R: Floats,
    Q: Floats,
    carried: float,
    q: float,
    jump: float,
    intensity: Floats,
) -> tuple[float, float]:
    r = a[0] * carried
    q = a[0] * q + gap[0] * r
    R[0] = r
    Q[0] = q
    intensity[0] += jump * r
    for i in range(1, m):
        r = a[i] * r + a[i]
        q = a[i] * q + gap[i] * r
        R[i] = r
        Q[i] = q
        intensity[i] += jump * r
    return 1.0 + r, q


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _weights(m: int, intensity: Floats, weight: Floats) -> float:
    total = 0.0
    for i in range(m):
        w = 1.0 / intensity[i]
        weight[i] = w
        total += w
    return total


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _weighted(m: int, R: Floats, Q: Floats, weight: Floats) -> tuple[float, float]:
    s_r = 0.0
    s_q = 0.0
    for i in range(m):
        s_r += R[i] * weight[i]
        s_q += Q[i] * weight[i]
    return s_r, s_q


@njit(cache=True, nogil=True, error_model="numpy")
def _careful(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: Floats,
    decay: Floats,
    gradient: Floats,
) -> tuple[float, int]:
    """Sum of exponentials at extreme parameters: a logarithm for each event, and integrals by expm1."""
    n = times.shape[0]
    m = branching.shape[0]
    carried = np.empty(m)
    q = np.empty(m)
    r = np.empty(m)
    start_q = np.empty(m)
    used = np.zeros(m)
    for k in range(m):
        s0, s1, _ = history_moments(history, decay[k])
        carried[k] = s0
        q[k] = s1
        start_q[k] = s1
    gradient[:] = 0.0
    value = -baseline * end
    previous = 0.0
    bad = 0
    for i in range(n + 1):
        gap = (times[i] if i < n else end) - previous
        if not (gap > 0.0 or (i == n and gap == 0.0)):
            bad += 1
        intensity = baseline
        for k in range(m):
            less = -math.expm1(-decay[k] * gap)
            kept = math.exp(-decay[k] * gap)
            used[k] += less * carried[k]
            r[k] = kept * carried[k]
            q[k] = kept * q[k] + gap * r[k]
            carried[k] = 1.0 + r[k]
            intensity += branching[k] * decay[k] * r[k]
        if i == n:
            break
        previous = times[i]
        value += math.log(intensity)
        gradient[0] += 1.0 / intensity
        for k in range(m):
            gradient[1 + k] += decay[k] * r[k] / intensity
            gradient[1 + m + k] += branching[k] * (r[k] - decay[k] * q[k]) / intensity
    gradient[0] -= end
    for k in range(m):
        value -= branching[k] * used[k]
        gradient[1 + k] -= used[k]
        gradient[1 + m + k] -= branching[k] * (q[k] - start_q[k])
    return value, bad
