"""Sums over every path of the hidden regimes, most probable paths, and exact draws of them: arrays in, arrays out.

A regime ``k`` is a row of ``stages`` hidden states that are passed in order. In each bin the chain goes on to the
next state with probability ``leave[k]``; from the last one it jumps to the first state of regime ``l`` with
probability ``jump[k, l]``. One stage makes a hidden Markov model, whose stays are geometric; with ``r`` stages a stay
lasts ``r`` bins plus a negative binomial number of them, and the sums stay exact (a hidden semi-Markov model in
expanded states; Langrock & Zucchini 2011, Comput. Stat. Data Anal. 55). One pass costs ``O(n (k r + k^2))``.

``table[u, k]`` holds the probability of the ``u``-th distinct observation in regime ``k``, relative to the largest of
its row, and ``index[t]`` which of them bin ``t`` shows; -1 is a bin that nobody watched, which says nothing. State
``j`` of regime ``k`` has number ``k * stages + j``. Probabilities are rescaled in every bin (Rabiner 1989).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_random import uniform

__all__ = ["advance", "backward", "forward", "paths", "stationary", "viterbi"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

_SMALL = 1e-140


@njit(cache=True, error_model="numpy")
def inverse(matrix: Floats) -> Floats:
    """Invert a small matrix by elimination with pivots; numba's own would bring LAPACK into every kernel."""
    k = matrix.shape[0]
    a = matrix.copy()
    out = np.eye(k)
    for i in range(k):
        best = i
        for row in range(i + 1, k):
            if abs(a[row, i]) > abs(a[best, i]):
                best = row
        for col in range(k):
            a[i, col], a[best, col] = a[best, col], a[i, col]
            out[i, col], out[best, col] = out[best, col], out[i, col]
        pivot = a[i, i]
        for col in range(k):
            a[i, col] /= pivot
            out[i, col] /= pivot
        for row in range(k):
            if row != i:
                factor = a[row, i]
                for col in range(k):
                    a[row, col] -= factor * a[i, col]
                    out[row, col] -= factor * out[i, col]
    return out


@njit(cache=True, error_model="numpy")
def stationary(leave: Floats, jump: Floats) -> tuple[Floats, Floats, Floats]:
    """Give the long-run share of each regime, that of each among the jumps, and the matrix their slopes need."""
    k = len(leave)
    share = np.ones(k)
    visits = np.ones(k) / k
    slope = np.zeros((k, k))
    if k == 1:
        return share, visits, slope
    if k > 2:  # two regimes take turns
        matrix = np.ones((k, k))
        for i in range(k):
            for j in range(k):
                matrix[i, j] += (1.0 if i == j else 0.0) - jump[i, j]
        slope = inverse(matrix)
        for j in range(k):
            visits[j] = 0.0
            for i in range(k):
                visits[j] += slope[i, j]
    total = 0.0
    for i in range(k):
        share[i] = visits[i] / leave[i]
        total += share[i]
    for i in range(k):
        share[i] /= total
    return share, visits, slope


@njit(cache=True, error_model="numpy")
def advance(state: Floats, leave: Floats, jump: Floats, stages: int, out: Floats) -> None:
    """Move the probabilities of the states on by one bin."""
    k = len(leave)
    last = stages - 1
    for i in range(k):
        total = 0.0
        for j in range(k):
            total += state[j * stages + last] * leave[j] * jump[j, i]
        at = i * stages
        out[at] = state[at] * (1.0 - leave[i]) + total
        for j in range(1, stages):
            out[at + j] = state[at + j] * (1.0 - leave[i]) + state[at + j - 1] * leave[i]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def forward(
    table: Floats,
    index: Ints,
    leave: Floats,
    jump: Floats,
    stages: int,
    start: Floats,
    filtered: Floats,
    scales: Floats,
) -> float:
    """Filter: write P(state | bins up to and with t), give the log-likelihood less the logs of the row maxima.

    ``scales[t]`` is the probability of bin ``t`` given those before it, relative to its row maximum.
    """
    n = len(index)
    k = len(leave)
    size = k * stages
    moves = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            moves[i, j] = leave[i] * jump[i, j]
        moves[i, i] = 1.0 - leave[i]
    now = np.empty(size)
    for i in range(k):
        for j in range(stages):
            now[i * stages + j] = start[i] / stages
    value = 0.0
    product = 1.0
    ahead = np.empty(size)
    for t in range(n):
        if t > 0:
            if stages == 1:
                for i in range(k):
                    total = 0.0
                    for j in range(k):
                        total += now[j] * moves[j, i]
                    ahead[i] = total
            else:
                advance(now, leave, jump, stages, ahead)
            now, ahead = ahead, now
        u = index[t]
        scale = 1.0
        if u >= 0:
            scale = 0.0
            for i in range(k):
                weight = table[u, i]
                for j in range(stages):
                    now[i * stages + j] *= weight
                    scale += now[i * stages + j]
            if not scale > 0.0:
                return -math.inf
            over = 1.0 / scale
            for i in range(size):
                now[i] *= over
            product *= scale
            if product < _SMALL:
                value += math.log(product)
                product = 1.0
        scales[t] = scale
        for i in range(size):
            filtered[t, i] = now[i]
    return value + math.log(product)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def backward(
    table: Floats,
    index: Ints,
    leave: Floats,
    jump: Floats,
    stages: int,
    filtered: Floats,
    scales: Floats,
    occupied: Floats,
    stays: Floats,
    leaves: Floats,
    jumps: Floats,
    first: Floats,
    smoothed: Floats,
) -> None:
    """Smooth: add up what the slopes of the log-likelihood need, given all bins.

    Expected numbers: of bins with observation ``u`` in regime ``k`` (``occupied``), of bins in which a state was kept
    and left (``stays``, ``leaves``), of jumps between regimes (``jumps``); ``first`` is P(regime) of the first bin, and
    ``smoothed`` P(regime) by bin, left out where it has no rows.
    """
    n = len(index)
    k = len(leave)
    size = k * stages
    last = stages - 1
    keep = len(smoothed) > 0
    later = np.ones(size)
    came = np.empty(size)
    kept = np.zeros(k)
    moved = np.zeros(k)
    entered = np.zeros((k, k))
    for back in range(n):
        t = n - 1 - back
        if back > 0:
            u = index[t + 1]
            over = 1.0 / scales[t + 1]
            for i in range(k):
                weight = table[u, i] * over if u >= 0 else 1.0
                for j in range(stages):
                    came[i * stages + j] = weight * later[i * stages + j]
            if stages == 1:
                for i in range(k):
                    here = filtered[t, i]
                    total = 0.0
                    for j in range(k):
                        entered[i, j] += here * came[j]
                        total += jump[i, j] * came[j]
                    later[i] = (1.0 - leave[i]) * came[i] + leave[i] * total
            else:
                for i in range(k):
                    at = i * stages
                    total = 0.0
                    for j in range(k):
                        entered[i, j] += filtered[t, at + last] * came[j * stages]
                        total += jump[i, j] * came[j * stages]
                    for j in range(stages):
                        kept[i] += filtered[t, at + j] * came[at + j]
                        onward = came[at + j + 1] if j < last else total
                        if j < last:
                            moved[i] += filtered[t, at + j] * came[at + j + 1]
                        later[at + j] = (1.0 - leave[i]) * came[at + j] + leave[i] * onward
        u = index[t]
        if u >= 0 or keep or t == 0:
            for i in range(k):
                here = 0.0
                for j in range(stages):
                    here += filtered[t, i * stages + j] * later[i * stages + j]
                if u >= 0:
                    occupied[u, i] += here
                if keep:
                    smoothed[t, i] = here
                if t == 0:
                    first[i] = here
    for i in range(k):
        gone = moved[i]
        for j in range(k):
            jumps[i, j] = leave[i] * jump[i, j] * entered[i, j]
            gone += jump[i, j] * entered[i, j]
        leaves[i] = leave[i] * gone
        stays[i] = (1.0 - leave[i]) * (entered[i, i] if stages == 1 else kept[i])


@njit(cache=True, error_model="numpy")
def viterbi(
    table: Floats, index: Ints, leave: Floats, jump: Floats, stages: int, start: Floats
) -> tuple[Ints, float]:
    """Give the most probable path of regimes, and its log probability with the data less the row maxima."""
    n = len(index)
    k = len(leave)
    size = k * stages
    last = stages - 1
    came = np.zeros((n, size), dtype=np.int32)
    score = np.empty(size)
    fresh = np.empty(size)
    for i in range(k):
        for j in range(stages):
            score[i * stages + j] = math.log(start[i] / stages)
    for t in range(n):
        if t > 0:
            for i in range(k):
                at = i * stages
                for j in range(stages):
                    best = score[at + j] + math.log(1.0 - leave[i])
                    source = at + j
                    if j > 0:
                        other = score[at + j - 1] + math.log(leave[i])
                        if other > best:
                            best = other
                            source = at + j - 1
                    else:
                        for m in range(k):
                            if m != i:
                                other = score[m * stages + last] + math.log(leave[m] * jump[m, i])
                                if other > best:
                                    best = other
                                    source = m * stages + last
                    fresh[at + j] = best
                    came[t, at + j] = source
            score, fresh = fresh, score
        u = index[t]
        if u >= 0:
            for i in range(k):
                gain = math.log(table[u, i])
                for j in range(stages):
                    score[i * stages + j] += gain
    state = 0
    for i in range(1, size):
        if score[i] > score[state]:
            state = i
    top = score[state]
    path = np.empty(n, dtype=np.int64)
    for back in range(n):
        t = n - 1 - back
        path[t] = state // stages
        state = came[t, state]
    return path, top


@njit(cache=True, error_model="numpy")
def paths(
    filtered: Floats, leave: Floats, jump: Floats, stages: int, seeds: NDArray[np.uint64]
) -> Ints:
    """Draw whole paths of regimes from their joint distribution given all bins, backwards from the last."""
    n, size = filtered.shape
    k = len(leave)
    last = stages - 1
    out = np.empty((len(seeds), n), dtype=np.int64)
    stream = np.zeros(1, dtype=np.uint64)
    weight = np.empty(size)
    for s in range(len(seeds)):
        stream[0] = seeds[s]
        state = 0
        for back in range(n):
            t = n - 1 - back
            total = 0.0
            for i in range(k):
                for j in range(stages):
                    at = i * stages + j
                    chance = 1.0
                    if back > 0:  # of the step from here to the state drawn for the next bin
                        chance = 0.0
                        if at == state:
                            chance = 1.0 - leave[i]
                        if j < last:
                            if at + 1 == state:
                                chance = leave[i]
                        elif state % stages == 0:
                            chance += leave[i] * jump[i, state // stages]
                    total += filtered[t, at] * chance
                    weight[at] = total
            mark = uniform(stream) * total
            state = 0
            while state < size - 1 and weight[state] <= mark:
                state += 1
            out[s, t] = state // stages
    return out
