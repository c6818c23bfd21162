"""Simulation kernels of Hawkes processes: seeds and parameters in, times or counts out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_fast import history_moments
from tempo.models.hawkes_kernels_random import exponential, negative_binomial, poisson, uniform

__all__ = [
    "cluster_counts",
    "cluster_times",
    "convolution_counts",
    "excitation_states",
    "recursion_counts",
    "thinned_times",
]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]
type Seeds = NDArray[np.uint64]


@njit(cache=True, nogil=True, error_model="numpy")
def cluster_times(
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    history: Floats,
    stream: Seeds,
    most: int,
) -> Floats:
    """Give event times in no order: immigrants and heirs of the history first, then their offspring."""
    carried, _, _ = history_moments(history, decay)
    immigrants = poisson(baseline * end, stream)
    inherited = poisson(branching * carried, stream)
    size = max(64, 2 * (immigrants + inherited))
    times = np.empty(size)
    n = 0
    for _ in range(immigrants):
        times[n] = end * uniform(stream)
        n += 1
    for _ in range(inherited):
        t = exponential(stream) / decay
        if t <= end:
            times[n] = t
            n += 1
    # The list is its own queue: offspring are put behind, and read when their turn comes.
    parent = 0
    while parent < n and n < most:
        for _ in range(poisson(branching, stream)):
            t = times[parent] + exponential(stream) / decay
            if t <= end:
                if n == size:
                    size *= 2
                    longer = np.empty(size)
                    for i in range(n):
                        longer[i] = times[i]
                    times = longer
                times[n] = t
                n += 1
        parent += 1
    return times[:n]


@njit(cache=True, nogil=True, error_model="numpy")
def thinned_times(
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    history: Floats,
    stream: Seeds,
    most: int,
) -> Floats:
    """Give event times in order, proposed at the intensity of the last moment and kept as it has decayed."""
    carried, _, _ = history_moments(history, decay)
    excited = branching * decay * carried
    size = 64
    times = np.empty(size)
    n = 0
    t = 0.0
    while n < most:
        bound = baseline + excited
        gap = exponential(stream) / bound
        t += gap
        if t > end:
            break
        excited *= math.exp(-decay * gap)
        if uniform(stream) * bound < baseline + excited:
            if n == size:
                size *= 2
                longer = np.empty(size)
                for i in range(n):
                    longer[i] = times[i]
                times = longer
            times[n] = t
            n += 1
            excited += branching * decay
    return times[:n]


@njit(cache=True, error_model="numpy")
def _inherited(history: Floats, decay: float) -> float:
    """Give the sum of exp(-decay * age), without events too old to matter to a simulation (below 1e-19)."""
    total = 0.0
    for j in range(history.shape[0] - 1, -1, -1):
        if -decay * history[j] > 45.0:
            break
        total += math.exp(decay * history[j])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def cluster_counts(
    edges: Floats,
    baseline: Floats,
    branching: Floats,
    decay: Floats,
    history: Floats,
    seed: Seeds,
    cap: int,
    out: Counts,
) -> None:
    """Count the events of simulated families in bins; a path stops at ``cap`` events."""
    m = edges.shape[0] - 1
    end = edges[m]
    per_day = m / end
    waiting = np.empty(64)
    carried = 0.0
    last = -1.0
    for d in range(baseline.shape[0]):
        stream = seed[d : d + 1]
        n = branching[d]
        b = decay[d]
        if b != last:
            carried = _inherited(history, b)
            last = b
        immigrants = poisson(baseline[d] * end, stream)
        inherited = poisson(n * carried, stream)
        childless = math.exp(-n)
        total = 0
        for first in range(immigrants + inherited):
            if total >= cap:
                break
            waiting[0] = end * uniform(stream) if first < immigrants else exponential(stream) / b
            depth = 1 if waiting[0] <= end else 0
            while depth > 0 and total < cap:
                depth -= 1
                t = waiting[depth]
                k = min(int(t * per_day), m - 1)
                while t <= edges[k]:
                    k -= 1
                while t > edges[k + 1]:
                    k += 1
                out[d, k] += 1
                total += 1
                if n > 10.0:
                    children = poisson(n, stream)
                else:
                    u = uniform(stream)
                    p = childless
                    children = 0
                    while u > p and children < 200:
                        u -= p
                        children += 1
                        p *= n / children
                for _ in range(children):
                    child = t + exponential(stream) / b
                    if child <= end:
                        if depth == waiting.shape[0]:
                            longer = np.empty(2 * depth)
                            for i in range(depth):
                                longer[i] = waiting[i]
                            waiting = longer
                        waiting[depth] = child
                        depth += 1


@njit(cache=True, nogil=True, error_model="numpy")
def recursion_counts(
    baseline: Floats,
    stride: int,
    branching: Floats,
    keep: Floats,
    state: Floats,
    dispersion: Floats,
    exposure: Floats,
    seed: Seeds,
    cap: float,
    out: Counts,
) -> None:
    """Write counts forward in time, with the excitation as one number for each path."""
    for d in range(out.shape[0]):
        stream = seed[d : d + 1]
        row = d * stride
        e = state[d]
        n = branching[d]
        a = keep[d]
        phi = dispersion[d]
        for t in range(out.shape[1]):
            mean = min(exposure[t] * baseline[row, t] + n * e, cap)
            y = negative_binomial(mean, phi, stream) if phi > 0.0 else poisson(mean, stream)
            out[d, t] = y
            e = a * e + (1.0 - a) * y


@njit(cache=True, nogil=True, error_model="numpy")
def convolution_counts(
    baseline: Floats,
    stride: int,
    branching: Floats,
    kernel: Floats,
    before: Floats,
    dispersion: Floats,
    exposure: Floats,
    seed: Seeds,
    cap: float,
    out: Counts,
) -> None:
    """Write counts forward in time, with any kernel on lags."""
    lags = kernel.shape[1]
    shared = kernel.shape[0] == 1
    bins = out.shape[1]
    # Excitation is pushed forward from each count that is not zero: attacks are rare, lags are many.
    known = np.zeros((kernel.shape[0], bins))
    for r in range(kernel.shape[0]):
        for t in range(min(bins, lags)):
            total = 0.0
            for k in range(t, lags):
                total += kernel[r, k] * before[lags - 1 - (k - t)]
            known[r, t] = total
    coming = np.empty(bins)
    for d in range(out.shape[0]):
        stream = seed[d : d + 1]
        r = 0 if shared else d
        phi = dispersion[d]
        for t in range(bins):
            coming[t] = known[r, t]
        for t in range(bins):
            mean = min(exposure[t] * baseline[d * stride, t] + branching[d] * coming[t], cap)
            y = negative_binomial(mean, phi, stream) if phi > 0.0 else poisson(mean, stream)
            out[d, t] = y
            if y > 0:
                for k in range(min(lags, bins - t - 1)):
                    coming[t + 1 + k] += kernel[r, k] * y


@njit(cache=True, nogil=True, error_model="numpy")
def excitation_states(counts: Floats, decay: Floats) -> Floats:
    """Give the excitation that counts leave to the next bin, for each decay."""
    out = np.zeros(decay.shape[0])
    for d in range(decay.shape[0]):
        a = math.exp(-decay[d])
        e = 0.0
        for t in range(counts.shape[0]):
            e = a * e + (1.0 - a) * counts[t]
        out[d] = e
    return out
