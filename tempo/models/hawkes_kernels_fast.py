"""The few loops that make the exponential Hawkes likelihood fast: arrays in, arrays out.

A textbook loop spends its time in one ``exp``, one ``log`` and one division for each event, none of which can start
before the last one ends. Here the events go through in chunks that stay in the first-level cache, and each chunk
in four passes, so that only the recursion itself is serial:

1. gaps between events, and ``exp(-decay * gap)`` by a polynomial that LLVM turns into vector code (`negative_exp`);
2. the recursion ``R_i = a_i (1 + R_{i-1})``, ``Q_i = a_i Q_{i-1} + gap_i R_i``, two multiply-adds for each event, where
   ``R_i = sum_{j<i} exp(-decay (t_i - t_j))`` and ``Q_i = -dR_i/d decay``;
3. intensities, and lane-wise sums of what the gradient needs;
4. one logarithm for the product of all intensities of the chunk: eight are multiplied, then exponent and mantissa
   part ways, so that nothing overflows.

Step 4 needs intensities between 1e-30 and 1e30; ``in_fast_range`` says whether the parameters promise that, and
the callers take the plain loops of `hawkes_likelihood` where they do not.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "CHUNK",
    "chunk_decays",
    "chunk_gaps",
    "chunk_log_product",
    "exponential_curvature",
    "exponential_gradient",
    "history_moments",
    "in_fast_range",
    "negative_exp",
]

type Floats = NDArray[np.float64]

CHUNK = 512
_SUB = CHUNK // 8

_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453
_LN2_HIGH = 6.93147180369123816490e-01  # its last 21 bits are zero: k * _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the rounded integer in the low bits
_LARGEST = 708.0  # exp(-708) is about the smallest normal number
# (exp(r) - 1 - r) / r**2 on |r| <= log(2) / 2, interpolated at Chebyshev nodes; relative error of exp 4e-18.
_C2 = 0.5
_C3 = 0.16666666666666669
_C4 = 0.041666666666624164
_C5 = 0.008333333333330065
_C6 = 0.0013888888917196736
_C7 = 0.00019841269863040559
_C8 = 2.480152132234228e-05
_C9 = 2.7557268480289716e-06
_C10 = 2.7620075892548164e-07
_C11 = 2.51003758422237e-08
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)

# Flags for each pass. "contract" allows multiply-add. "reassoc" lets sums run in lanes; it must not reach the
# polynomial, whose argument reduction depends on the order of its operations.
_FUSED = {"contract"}
_LANES = {"contract", "reassoc", "nsz"}


@njit(cache=True, fastmath=_FUSED, error_model="numpy")
def negative_exp(x: float) -> float:
    """Give ``exp(-x)`` for ``x >= 0``, and 0 from ``x = 708`` on.

    To one unit in the last place with fused multiply-add, to 1.5 on a processor without.
    """
    shifted = _ROUND - x * _LOG2_E
    k = shifted - _ROUND
    r = (-x - k * _LN2_HIGH) - k * _LN2_LOW
    p = _C11 * r + _C10
    p = p * r + _C9
    p = p * r + _C8
    p = p * r + _C7
    p = p * r + _C6
    p = p * r + _C5
    p = p * r + _C4
    p = p * r + _C3
    p = p * r + _C2
    p = p * r + 1.0
    p = p * r + 1.0
    bits = np.int64(
        (np.float64(shifted).view(np.int64) << np.int64(52)) + np.float64(p).view(np.int64)
    )
    scaled = bits.view(np.float64)
    return scaled if x < _LARGEST else 0.0


@njit(cache=True, error_model="numpy")
def in_fast_range(
    n: int, end: float, baseline: float, branching: float, decay: float, carried: float
) -> bool:
    """Say whether no intensity can leave [1e-30, 1e30] and the closed-form integral keeps its digits."""
    return (
        baseline >= 1e-30
        and baseline + branching * decay * (n + carried) <= 1e30
        and decay * end >= 1e-3
    )


@njit(cache=True, error_model="numpy")
def history_moments(history: Floats, decay: float) -> tuple[float, float, float]:
    """Give sums over past events of ``exp(-decay * age)`` times 1, age and age squared, at time 0."""
    s0 = 0.0
    s1 = 0.0
    s2 = 0.0
    for j in range(history.shape[0] - 1, -1, -1):
        age = -history[j]
        if decay * age > 745.0:
            break
        e = math.exp(-decay * age)
        s0 += e
        s1 += age * e
        s2 += age * age * e
    return s0, s1, s2


@njit(cache=True, fastmath=_FUSED, error_model="numpy")
def chunk_gaps(times: Floats, previous: float, gap: Floats) -> int:
    """Write the gaps before each event of a chunk; give the number that are not positive (or not numbers)."""
    m = times.shape[0]
    later = times[1:]
    rest = gap[1:]
    gap[0] = times[0] - previous
    for i in range(m - 1):
        rest[i] = later[i] - times[i]
    bad = 0
    for i in range(m):
        bad += 0 if gap[i] > 0.0 else 1
    return bad


@njit(cache=True, fastmath=_FUSED, error_model="numpy")
def chunk_decays(m: int, decay: float, gap: Floats, a: Floats) -> None:
    """Write ``exp(-decay * gap)``."""
    for i in range(m):
        a[i] = negative_exp(decay * gap[i])


@njit(cache=True, fastmath=_FUSED, error_model="numpy")
def _recursion(
    m: int, gap: Floats, a: Floats, R: Floats, Q: Floats, carried: float, q: float
) -> tuple[float, float]:
    # The first step stands apart, because 1 + (carried - 1) would lose the digits of a faint history.
    r = a[0] * carried
    q = a[0] * q + gap[0] * r
    R[0] = r
    Q[0] = q
    for i in range(1, m):
        r = a[i] * r + a[i]
        q = a[i] * q + gap[i] * r
        R[i] = r
        Q[i] = q
    return 1.0 + r, q


@njit(cache=True, fastmath=_LANES, error_model="numpy")
def _gradient_sums(
    m: int,
    R: Floats,
    Q: Floats,
    baseline: float,
    jump: float,
    intensity: Floats,
) -> tuple[float, float, float]:
    s = 0.0
    s_r = 0.0
    s_q = 0.0
    for i in range(m):
        value = baseline + jump * R[i]
        intensity[i] = value
        w = 1.0 / value
        s += w
        s_r += R[i] * w
        s_q += Q[i] * w
    return s, s_r, s_q


@njit(cache=True, fastmath=_LANES, error_model="numpy")
def chunk_log_product(m: int, intensity: Floats) -> tuple[int, float]:
    """Give the binary exponent, and the logarithm of what remains, of the product of ``m`` intensities.

    Writes ones behind the first ``m`` entries of the chunk.
    """
    for i in range(m, CHUNK):
        intensity[i] = 1.0
    exponent = 0
    mantissa = 1.0
    for i in range(_SUB):
        product = (
            intensity[i]
            * intensity[i + _SUB]
            * intensity[i + 2 * _SUB]
            * intensity[i + 3 * _SUB]
            * intensity[i + 4 * _SUB]
            * intensity[i + 5 * _SUB]
            * intensity[i + 6 * _SUB]
            * intensity[i + 7 * _SUB]
        )
        bits = np.float64(product).view(np.int64)
        exponent += int(bits >> np.int64(52))
        mantissa *= np.int64((bits & _MANTISSA) | _ONE).view(np.float64)
    return exponent - _SUB * 1023, math.log(mantissa)


@njit(cache=True, nogil=True, error_model="numpy")
def exponential_gradient(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    gradient: Floats,
) -> tuple[float, int]:
    """Write the gradient of the log-likelihood; give its value and the number of gaps that are not positive."""
    n = times.shape[0]
    start, start_q, _ = history_moments(history, decay)
    carried = start
    q = start_q
    gap = np.empty(CHUNK)
    a = np.empty(CHUNK)
    R = np.empty(CHUNK)
    Q = np.empty(CHUNK)
    intensity = np.empty(CHUNK)
    previous = 0.0
    bad = 0
    exponent = 0
    logs = 0.0
    s = 0.0
    s_r = 0.0
    s_q = 0.0
    for first in range(0, n, CHUNK):
        m = min(CHUNK, n - first)
        chunk = times[first : first + m]
        bad += chunk_gaps(chunk, previous, gap)
        chunk_decays(m, decay, gap, a)
        previous = chunk[m - 1]
        carried, q = _recursion(m, gap, a, R, Q, carried, q)
        s_chunk, r_chunk, q_chunk = _gradient_sums(m, R, Q, baseline, branching * decay, intensity)
        s += s_chunk
        s_r += r_chunk
        s_q += q_chunk
        exponent_chunk, log_chunk = chunk_log_product(m, intensity)
        exponent += exponent_chunk
        logs += log_chunk
    rest = end - previous
    if not rest >= 0.0:
        bad += 1
    tail = math.exp(-decay * rest)
    r_end = tail * carried
    q_end = tail * q + rest * r_end
    used = n + start - r_end
    gradient[0] = s - end
    gradient[1] = decay * s_r - used
    gradient[2] = branching * (s_r - decay * s_q - (q_end - start_q))
    return exponent * _LN2 + logs - baseline * end - branching * used, bad


@njit(cache=True, fastmath=_FUSED, error_model="numpy")
def _recursion_second(
    m: int,
    gap: Floats,
    a: Floats,
    R: Floats,
    Q: Floats,
    U: Floats,
    carried: float,
    q: float,
    u: float,
) -> tuple[float, float, float]:
    g = gap[0]
    r = a[0] * carried
    u = a[0] * (u + 2.0 * g * q) + g * g * r
    q = a[0] * q + g * r
    R[0] = r
    Q[0] = q
    U[0] = u
    for i in range(1, m):
        g = gap[i]
        r = a[i] * r + a[i]
        u = a[i] * (u + 2.0 * g * q) + g * g * r
        q = a[i] * q + g * r
        R[i] = r
        Q[i] = q
        U[i] = u
    return 1.0 + r, q, u


@njit(cache=True, fastmath=_LANES, error_model="numpy")
def _curvature_sums(
    m: int,
    R: Floats,
    Q: Floats,
    U: Floats,
    baseline: float,
    jump: float,
    intensity: Floats,
    sums: Floats,
) -> None:
    s = 0.0
    s_r = 0.0
    s_q = 0.0
    s_u = 0.0
    s_ww = 0.0
    s_rww = 0.0
    s_qww = 0.0
    s_rr = 0.0
    s_rq = 0.0
    s_qq = 0.0
    for i in range(m):
        value = baseline + jump * R[i]
        intensity[i] = value
        w = 1.0 / value
        x = R[i] * w
        y = Q[i] * w
        s += w
        s_r += x
        s_q += y
        s_u += U[i] * w
        s_ww += w * w
        s_rww += w * x
        s_qww += w * y
        s_rr += x * x
        s_rq += x * y
        s_qq += y * y
    sums[0] += s
    sums[1] += s_r
    sums[2] += s_q
    sums[3] += s_u
    sums[4] += s_ww
    sums[5] += s_rww
    sums[6] += s_qww
    sums[7] += s_rr
    sums[8] += s_rq
    sums[9] += s_qq


@njit(cache=True, nogil=True, error_model="numpy")
def exponential_curvature(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    gradient: Floats,
    scores: Floats,
    hessian: Floats,
) -> float:
    """Write gradient, sum of outer products of scores (Fisher scoring) and Hessian; give the value.

    The times must have been checked before. Orders are (baseline, branching, decay).
    """
    n = times.shape[0]
    start, start_q, start_u = history_moments(history, decay)
    carried = start
    q = start_q
    u = start_u
    gap = np.empty(CHUNK)
    a = np.empty(CHUNK)
    R = np.empty(CHUNK)
    Q = np.empty(CHUNK)
    U = np.empty(CHUNK)
    intensity = np.empty(CHUNK)
    sums = np.zeros(10)
    previous = 0.0
    exponent = 0
    logs = 0.0
    for first in range(0, n, CHUNK):
        m = min(CHUNK, n - first)
        chunk = times[first : first + m]
        chunk_gaps(chunk, previous, gap)
        chunk_decays(m, decay, gap, a)
        previous = chunk[m - 1]
        carried, q, u = _recursion_second(m, gap, a, R, Q, U, carried, q, u)
        _curvature_sums(m, R, Q, U, baseline, branching * decay, intensity, sums)
        exponent_chunk, log_chunk = chunk_log_product(m, intensity)
        exponent += exponent_chunk
        logs += log_chunk
    rest = end - previous
    tail = math.exp(-decay * rest)
    r_end = tail * carried
    u_end = tail * (u + 2.0 * rest * q) + rest * rest * r_end
    q_end = tail * q + rest * r_end
    used = n + start - r_end
    used_1 = q_end - start_q
    used_2 = start_u - u_end
    s, s_r, s_q, s_u = sums[0], sums[1], sums[2], sums[3]
    s_ww, s_rww, s_qww, s_rr, s_rq, s_qq = sums[4], sums[5], sums[6], sums[7], sums[8], sums[9]
    gradient[0] = s - end
    gradient[1] = decay * s_r - used
    gradient[2] = branching * (s_r - decay * s_q - used_1)
    scores[0, 0] = s_ww
    scores[0, 1] = decay * s_rww
    scores[0, 2] = branching * (s_rww - decay * s_qww)
    scores[1, 1] = decay * decay * s_rr
    scores[1, 2] = branching * decay * (s_rr - decay * s_rq)
    scores[2, 2] = branching * branching * (s_rr - 2.0 * decay * s_rq + decay * decay * s_qq)
    hessian[0, 0] = -scores[0, 0]
    hessian[0, 1] = -scores[0, 1]
    hessian[0, 2] = -scores[0, 2]
    hessian[1, 1] = -scores[1, 1]
    hessian[1, 2] = s_r - decay * s_q - used_1 - scores[1, 2]
    hessian[2, 2] = branching * (decay * s_u - 2.0 * s_q - used_2) - scores[2, 2]
    for i in range(3):
        for j in range(i):
            scores[i, j] = scores[j, i]
            hessian[i, j] = hessian[j, i]
    value: float = exponent * _LN2 + logs - baseline * end - branching * used
    return value
