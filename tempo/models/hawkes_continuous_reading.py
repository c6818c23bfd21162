"""What a continuous-time Hawkes model says about its past: intensities, integrals and likely parents, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_continuous_ages import STENCIL, add_integral, log_scale
from tempo.models.hawkes_continuous_pass import recursion, timed_likelihood

__all__ = ["chain_integrals", "grid_integrals", "intensities"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def intensities(block: Floats, thetas: Floats, sources: int) -> Floats:
    """Intensity at each attack of all series by source, the baseline first: (draws, 1 + sources, attacks)."""
    n = int(block[int(block[19])])
    out = np.empty((len(thetas), 1 + sources, n))
    nothing = np.empty(0)
    for d in range(len(thetas)):
        timed_likelihood(block, thetas[d], nothing, out[d])
    return out


@njit(cache=True, error_model="numpy")
def chain_integrals(
    at: Floats, sources: Floats, codes: Ints, weights: Floats, decays: Floats, shares: Floats
) -> Floats:
    """Integral of a mixture of exponentials between rising times, the first from 0 on: (draws, times)."""
    draws, n = len(decays), len(at)
    out = np.zeros((draws, n))
    states = np.empty((2, n))
    amounts = np.empty(len(sources))
    for d in range(draws):
        for i in range(len(sources)):
            amounts[i] = weights[d, codes[i]]
        for c in range(decays.shape[1]):
            begin, _, _, _ = recursion(at, at[n - 1], sources, amounts, decays[d, c], states)
            before = begin
            i = 0
            while i < len(sources) and sources[i] <= 0.0:
                i += 1
            for e in range(n):
                while i < len(sources) and sources[i] < at[e]:
                    before += amounts[i]
                    i += 1
                out[d, e] += shares[d, c] * max(before - states[0, e], 0.0)
                before = states[0, e]
    return out


@njit(cache=True, error_model="numpy")
def grid_integrals(
    smooth: bool,
    nodes: Floats,
    at: Floats,
    sources: Floats,
    codes: Ints,
    weights: Floats,
    levels: Floats,
) -> Floats:
    """Integral of a kernel on the grid between rising times, the first from 0 on: (draws, times)."""
    draws, n, size = len(levels), len(at), levels.shape[1]
    out = np.zeros((draws, n))
    longest = nodes[len(nodes) - 1]
    row = np.zeros(size)
    scale = log_scale(smooth, nodes)
    room = np.empty(STENCIL)
    first = 0
    for e in range(n):
        begin = at[e - 1] if e > 0 else 0.0
        while first < len(sources) and begin - sources[first] > longest:
            first += 1
        for i in range(first, len(sources)):
            if sources[i] >= at[e]:
                break
            low = max(begin - sources[i], 0.0)
            # Only the levels around these two ages are touched.
            high = at[e] - sources[i]
            add_integral(smooth, nodes, scale, low, high, 1.0, row, room)
            here, there = _touched(smooth, nodes, scale, low, high)
            for d in range(draws):
                total = 0.0
                for b in range(here, there):
                    total += levels[d, b] * row[b]
                if smooth:
                    total += levels[d, size - 1] * row[size - 1]
                out[d, e] += weights[d, codes[i]] * total
            row[here:there] = 0.0
            row[size - 1] = 0.0
    return np.maximum(out, 0.0)


@njit(cache=True, error_model="numpy")
def _touched(
    smooth: bool, nodes: Floats, scale: tuple[float, float], low: float, high: float
) -> tuple[int, int]:
    """First level that an integral between two ages touches, and the first beyond; of the nodes alone."""
    size = len(nodes)
    if not smooth:
        return 0, size - 1
    begin = (math.log(max(low, nodes[0])) - scale[0]) / scale[1]
    end = (math.log(max(min(high, nodes[size - 1]), nodes[0])) - scale[0]) / scale[1]
    return max(min(int(begin) - 3, size - STENCIL), 0), min(max(int(end) + 5, STENCIL), size)
