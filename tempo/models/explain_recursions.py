"""Exact evidence of self-excitation on a stepped baseline: one linear pass over every placement of the steps.

The mean of a day is ``exposure * season * level + branching * excitation``. Given branching and memory, the excitation
is known from the past counts, so the level is the only hidden quantity. On a logarithmic grid of levels it is a Markov
chain that mostly stays and sometimes jumps, and the forward recursion sums over all its paths. Paths are kept apart by
their number of jumps, which makes every prior on that number a re-weighting of one table.

Arrays only; the lanes of the innermost loops are the numbers of jumps, so that they vectorise.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["LANES", "evidence_table", "excitation", "sample_paths"]

#: Numbers of changes that are told apart: 0, 1, …, 7.
LANES = 8

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@njit(cache=True)
def excitation(counts: Floats, decay: Floats) -> Floats:
    """Excitation ``sum_k h_k Y_{t-k}`` of each bin, for each decay: shape (decays, bins).

    ``h_k = (1 - exp(-decay)) exp(-decay (k - 1))`` sums to one; missing counts (NaN) excite nothing.
    """
    result = np.zeros((decay.shape[0], counts.shape[0]))
    for i in range(decay.shape[0]):
        keep = math.exp(-decay[i])
        state = 0.0
        for t in range(counts.shape[0]):
            result[i, t] = state
            fresh = counts[t] if counts[t] == counts[t] else 0.0
            state = keep * state + (1.0 - keep) * fresh
    return result


@njit(cache=True, error_model="numpy")
def _likelihood(
    count: float,
    weight: float,
    triggered: float,
    dispersion: float,
    levels: Floats,
    gone: Floats,
    out: Floats,
) -> float:
    """Likelihood of one count at each level, up to a factor whose logarithm is returned (``Y!`` is left out)."""
    n_levels = levels.shape[0]
    if dispersion > 0.0:
        size = 1.0 / dispersion
        for j in range(n_levels):
            out[j] = math.exp(-size * math.log1p((weight * levels[j] + triggered) * dispersion))
        if count > 0.0:
            scale = max(count, 1.0)
            for j in range(n_levels):
                mean = weight * levels[j] + triggered
                out[j] *= math.exp(count * math.log(mean / (scale * (1.0 + mean * dispersion))))
            rising = 0.0  # Gamma(y + size) dispersion^y / Gamma(size)
            for i in range(int(count)):
                rising += math.log1p(i * dispersion)
            return count * math.log(scale) + rising
        return 0.0
    if count > 8.0:  # centred on the count, so that powers neither overflow nor vanish
        for j in range(n_levels):
            mean = weight * levels[j] + triggered
            out[j] = math.exp(count * math.log(mean / count) - (mean - count))
        return count * math.log(count) - count
    if weight == 1.0:
        for j in range(n_levels):
            out[j] = gone[j]
    else:
        for j in range(n_levels):
            out[j] = math.exp(-weight * levels[j])
    for _ in range(int(count)):
        for j in range(n_levels):
            out[j] *= weight * levels[j] + triggered
    return -triggered


@njit(cache=True, error_model="numpy")
def _jumps(prior: Floats, width: int) -> tuple[Integers, Integers, Floats]:
    """For each level: the stretch of levels that is too near to jump to, and one over the prior mass beyond it."""
    n_levels = prior.shape[0]
    near_low = np.empty(n_levels, np.int64)
    near_high = np.empty(n_levels, np.int64)
    inverse = np.empty(n_levels)
    mass = np.zeros(n_levels + 1)
    for j in range(n_levels):
        mass[j + 1] = mass[j] + prior[j]
    for j in range(n_levels):
        near_low[j] = max(0, j - width + 1)
        near_high[j] = min(n_levels, j + width)
        beyond = mass[n_levels] - (mass[near_high[j]] - mass[near_low[j]])
        inverse[j] = 1.0 / beyond if beyond > 1e-12 else 0.0
    return near_low, near_high, inverse


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _step(
    forward: Floats,
    running: Floats,
    likelihood: Floats,
    prior: Floats,
    near_low: Integers,
    near_high: Integers,
    inverse: Floats,
) -> None:
    """Advance the forward weights (levels x numbers of jumps) by one observed bin, in place."""
    n_levels = forward.shape[0]
    for j in range(n_levels):
        share = inverse[j]
        for k in range(LANES - 1):
            running[j + 1, k + 1] = running[j, k + 1] + forward[j, k] * share
    for j in range(n_levels):
        low = near_low[j]
        high = near_high[j]
        into = prior[j]
        factor = likelihood[j]
        for k in range(LANES):
            arriving = running[n_levels, k] - (running[high, k] - running[low, k])
            forward[j, k] = (forward[j, k] + into * arriving) * factor


@njit(cache=True, error_model="numpy")
def _rescale(forward: Floats) -> float:
    """Bring the largest weight to 1; gives the logarithm of what was taken out."""
    top = 0.0
    for j in range(forward.shape[0]):
        for k in range(LANES):
            top = max(top, forward[j, k])
    if top == 0.0:
        return 0.0
    for j in range(forward.shape[0]):
        for k in range(LANES):
            forward[j, k] /= top
    return math.log(top)


@njit(cache=True, parallel=True, error_model="numpy")
def evidence_table(
    counts: Floats,
    weight: Floats,
    excited: Floats,
    branching: Floats,
    dispersion: Floats,
    levels: Floats,
    priors: Floats,
    width: int,
) -> Floats:
    """Log of the summed likelihood over all placements, for each cell and each number of changes.

    Parameters
    ----------
    counts : ndarray, shape (bins,)
        Counts.
    weight : ndarray, shape (bins,)
        Exposure times season; bins of weight 0 are not observed, and no change is placed before them.
    excited : ndarray, shape (memories, bins)
        From ``excitation``.
    branching : ndarray, shape (branchings,)
        Branching ratios.
    dispersion : ndarray, shape (dispersions,)
        0 is Poisson.
    levels : ndarray, shape (levels,)
        Baseline levels per bin.
    priors : ndarray, shape (scales, levels)
        Prior of the level, for each level scale; rows sum to one.
    width : int
        A jump goes at least so many levels up or down.

    Returns
    -------
    ndarray, shape (dispersions, scales, memories, branchings, LANES)
        Without the factorials of the counts and without any prior on cells, number or places of changes.
    """
    n_bins = counts.shape[0]
    n_levels = levels.shape[0]
    n_scales = priors.shape[0]
    n_memories = excited.shape[0]
    n_branching = branching.shape[0]
    n_dispersion = dispersion.shape[0]
    table = np.full((n_dispersion, n_scales, n_memories, n_branching, LANES), -np.inf)
    gone = np.exp(-levels)
    for cell in prange(n_dispersion * n_memories * n_branching):
        b = cell % n_branching
        h = (cell // n_branching) % n_memories
        d = cell // (n_branching * n_memories)
        if branching[b] == 0.0 and h > 0:
            continue  # without contagion the memory means nothing: copied below
        likelihood = np.empty(n_levels)
        running = np.zeros((n_levels + 1, LANES))
        forward = np.zeros((n_scales, n_levels, LANES))
        near_low = np.empty((n_scales, n_levels), np.int64)
        near_high = np.empty((n_scales, n_levels), np.int64)
        inverse = np.empty((n_scales, n_levels))
        log_scale = np.zeros(n_scales)
        for s in range(n_scales):
            near_low[s], near_high[s], inverse[s] = _jumps(priors[s], width)
            forward[s, :, 0] = priors[s]
        begun = False
        for t in range(n_bins):
            if weight[t] <= 0.0:
                continue
            log_factor = _likelihood(
                counts[t],
                weight[t],
                branching[b] * excited[h, t],
                dispersion[d],
                levels,
                gone,
                likelihood,
            )
            for s in range(n_scales):
                log_scale[s] += log_factor
                if begun:
                    _step(
                        forward[s],
                        running,
                        likelihood,
                        priors[s],
                        near_low[s],
                        near_high[s],
                        inverse[s],
                    )
                else:
                    for j in range(n_levels):
                        forward[s, j, 0] *= likelihood[j]
                if (t & 7) == 7 or counts[t] > 3.0:
                    log_scale[s] += _rescale(forward[s])
            begun = True
        for s in range(n_scales):
            for k in range(LANES):
                total = 0.0
                for j in range(n_levels):
                    total += forward[s, j, k]
                if total > 0.0:
                    table[d, s, h, b, k] = math.log(total) + log_scale[s]
    for d in range(n_dispersion):
        for s in range(n_scales):
            for b in range(n_branching):
                if branching[b] == 0.0:
                    for h in range(1, n_memories):
                        table[d, s, h, b] = table[d, s, 0, b]
    return table


@njit(cache=True, error_model="numpy")
def sample_paths(
    counts: Floats,
    weight: Floats,
    excited: Floats,
    branching: float,
    dispersion: float,
    levels: Floats,
    prior: Floats,
    width: int,
    changes: Integers,
    uniforms: Floats,
) -> Integers:
    """Draw paths of the level within one cell, exactly, by forward filtering and backward sampling.

    Parameters
    ----------
    counts, weight, levels, width
        As for ``evidence_table``.
    excited : ndarray, shape (bins,)
        Excitation for the memory of the cell.
    branching, dispersion : float
        Of the cell.
    prior : ndarray, shape (levels,)
        Of the cell's level scale.
    changes : ndarray of int, shape (draws,)
        Number of changes of each draw.
    uniforms : ndarray, shape (draws, bins + LANES + 1)
        Between 0 and 1.

    Returns
    -------
    ndarray of int, shape (draws, bins)
        Index of the level in each bin; unobserved bins carry on the level before them.
    """
    n_bins = counts.shape[0]
    n_levels = levels.shape[0]
    gone = np.exp(-levels)
    near_low, near_high, inverse = _jumps(prior, width)
    seen = np.empty(n_bins, np.int64)
    n_seen = 0
    for t in range(n_bins):
        if weight[t] > 0.0:
            seen[n_seen] = t
            n_seen += 1
    stored = np.zeros((max(n_seen, 1), n_levels, LANES))
    forward = np.zeros((n_levels, LANES))
    running = np.zeros((n_levels + 1, LANES))
    likelihood = np.empty(n_levels)
    forward[:, 0] = prior
    if n_seen == 0:
        stored[0] = forward
    for i in range(n_seen):
        t = seen[i]
        _likelihood(
            counts[t], weight[t], branching * excited[t], dispersion, levels, gone, likelihood
        )
        if i == 0:
            for j in range(n_levels):
                forward[j, 0] *= likelihood[j]
        else:
            _step(forward, running, likelihood, prior, near_low, near_high, inverse)
        _rescale(forward)
        stored[i] = forward
    n_draws = changes.shape[0]
    paths = np.zeros((n_draws, n_bins), np.int64)
    for draw in range(n_draws):
        k = changes[draw]
        used = 0
        last = max(n_seen, 1) - 1
        level = _pick(stored[last], k, 0, 0, uniforms[draw, used])
        used += 1
        upto = n_bins
        for i in range(n_seen - 1, 0, -1):
            stay = stored[i - 1, level, k]
            arriving = 0.0
            if k > 0:
                for j in range(n_levels):
                    if j < near_low[level] or j >= near_high[level]:
                        arriving += stored[i - 1, j, k - 1] * inverse[j]
                arriving *= prior[level]
            if arriving > 0.0 and uniforms[draw, used] * (stay + arriving) < arriving:
                used += 1
                for t in range(seen[i], upto):
                    paths[draw, t] = level
                upto = seen[i]
                target = uniforms[draw, used] * arriving / prior[level]
                total = 0.0
                chosen = -1
                for j in range(n_levels):
                    if j < near_low[level] or j >= near_high[level]:
                        part = stored[i - 1, j, k - 1] * inverse[j]
                        if part > 0.0:
                            total += part
                            chosen = j
                            if total >= target:
                                break
                level = chosen
                k -= 1
            used += 1
        for t in range(upto):
            paths[draw, t] = level
    return paths


@njit(cache=True, error_model="numpy")
def _pick(weights: Floats, k: int, low: int, high: int, uniform: float) -> int:
    """Draw a level in proportion to the weights of lane k, leaving out levels from low to high."""
    total = 0.0
    for j in range(weights.shape[0]):
        if j < low or j >= high:
            total += weights[j, k]
    target = uniform * total
    total = 0.0
    chosen = 0
    for j in range(weights.shape[0]):
        if (j < low or j >= high) and weights[j, k] > 0.0:
            total += weights[j, k]
            chosen = j
            if total >= target:
                break
    return chosen
