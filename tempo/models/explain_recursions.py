"""Exact evidence of self-excitation on a stepped baseline: one linear pass over every placement of the steps.

The mean of a bin is ``weight * level + branching * excitation``. Given branching and memory, the excitation is known
from the past counts, so the level is the only hidden quantity. On a logarithmic grid of levels it is a Markov chain
that mostly stays and sometimes jumps, and the forward recursion sums over all its paths. Paths are kept apart by their
number of jumps (a *lane* each), which makes every prior on that number a re-weighting of one table.

Arrays only. Weights stay in the linear domain; each lane carries the logarithm of its own scale, so that a hundred nats
between no change and seven changes cost no digits. Nothing is subtracted, so small weights keep their precision.
"""

from __future__ import annotations

import math

import numpy as np
from numba import config, njit
from numpy.typing import NDArray

__all__ = [
    "ANY_POWER",
    "LANES",
    "excitation",
    "fill_cells",
    "rising_factorials",
    "sample_paths",
    "workers",
]

#: Numbers of changes that are told apart: 0, 1, …, 7.
LANES = 8

#: Stands for the logarithm of a dispersion that is no power of 2: slower.
ANY_POWER = 99

#: Lanes may lie so many nats apart before the smaller one is no longer brought to 1 (and cannot matter).
_APART = 400.0
#: Smallest likelihood of a bin against that at its best level: bounds what one absurd bin can say, at 575 nats.
_LEAST = 1e-250

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


def workers() -> int:
    """Threads to share cells among: at most eight, fewer where ``NUMBA_NUM_THREADS`` says so."""
    return min(int(config.NUMBA_NUM_THREADS), 8)


@njit(cache=True)
def excitation(counts: Floats, decay: Floats) -> Floats:
    """Excitation ``sum_k h_k Y_{t-k}`` of each bin and of the bin after the last: shape (decays, bins + 1).

    ``h_k = (1 - exp(-decay)) exp(-decay (k - 1))`` sums to one; missing counts (NaN) excite nothing.
    """
    n_bins = counts.shape[0]
    result = np.zeros((decay.shape[0], n_bins + 1))
    for i in range(decay.shape[0]):
        keep = math.exp(-decay[i])
        state = 0.0
        for t in range(n_bins):
            fresh = counts[t] if counts[t] == counts[t] else 0.0
            state = keep * state + (1.0 - keep) * fresh
            result[i, t + 1] = state
    return result


@njit(cache=True)
def rising_factorials(counts: Floats, dispersion: float) -> float:
    """Sum over counts of ``log(Gamma(y + 1/d) d^y / Gamma(1/d))``: what the likelihoods below leave out.

    Together with minus the log factorials it does not depend on the mean, and is 0 for Poisson.
    """
    total = 0.0
    if dispersion > 0.0:
        size = 1.0 / dispersion
        for t in range(counts.shape[0]):
            if counts[t] < 64.0:
                for i in range(int(counts[t])):
                    total += math.log1p(i * dispersion)
            else:
                total += (
                    math.lgamma(counts[t] + size)
                    - math.lgamma(size)
                    + counts[t] * math.log(dispersion)
                )
    return total


@njit(cache=True, error_model="numpy")
def _likelihood(
    count: float,
    weight: float,
    triggered: float,
    halvings: int,
    dispersion: float,
    levels: Floats,
    gone: Floats,
    out: Floats,
) -> tuple[float, bool]:
    """Likelihood of one count at each level, up to a factor whose logarithm is given.

    The dispersion is 0 or ``2 ** halvings``, so that its power is a chain of square roots or squares, except for large
    counts and where ``halvings`` is ``ANY_POWER``. ``gone`` holds
    ``exp(-levels)`` for Poisson, and is work space otherwise. The second value tells whether the weights must be
    rescaled at once.
    """
    n_levels = levels.shape[0]
    if halvings == ANY_POWER or count > 8.0 or weight * levels[n_levels - 1] + triggered > 30.0:
        # Centred on the best level, so that nothing overflows and something always survives.
        best = -np.inf
        for j in range(n_levels):
            mean = weight * levels[j] + triggered
            value = -mean
            if dispersion > 0.0:
                value = -(count + 1.0 / dispersion) * math.log1p(mean * dispersion)
            if count > 0.0:
                value += count * math.log(mean)
            out[j] = value
            best = max(best, value)
        for j in range(n_levels):
            out[j] = max(math.exp(out[j] - best), _LEAST)
        return best, True
    power = int(count)
    if dispersion > 0.0:
        for j in range(n_levels):
            base = 1.0 / (1.0 + (weight * levels[j] + triggered) * dispersion)
            gone[j] = base
            out[j] = base
        for _ in range(halvings):
            for j in range(n_levels):
                out[j] = math.sqrt(out[j])
        for _ in range(-halvings):
            for j in range(n_levels):
                out[j] *= out[j]
        for _ in range(power):
            for j in range(n_levels):
                out[j] *= (weight * levels[j] + triggered) * gone[j]
        return 0.0, power > 0
    if weight == 1.0:
        for j in range(n_levels):
            out[j] = gone[j]
    else:
        for j in range(n_levels):
            out[j] = math.exp(-weight * levels[j])
    for _ in range(power):
        for j in range(n_levels):
            out[j] *= weight * levels[j] + triggered
    return -triggered, power > 0


@njit(cache=True, error_model="numpy")
def _inverse_masses(prior: Floats, width: int) -> Floats:
    """For each level, one over the prior mass of the levels that are far enough to jump to (0 if there is none)."""
    n_levels = prior.shape[0]
    inverse = np.zeros(n_levels)
    for j in range(n_levels):
        beyond = 0.0
        for i in range(n_levels):
            if abs(i - j) >= width:
                beyond += prior[i]
        if beyond > 0.0:
            inverse[j] = 1.0 / beyond
    return inverse


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _step(
    forward: Floats,
    leaving: Floats,
    below: Floats,
    above: Floats,
    ratio: Floats,
    likelihood: Floats,
    prior: Floats,
    inverse: Floats,
    width: int,
) -> None:
    """Advance the weights (levels x lanes) by one observed bin, in place.

    A jump leads from lane k - 1 to lane k, over at least ``width`` levels up or down; ``leaving``, ``below``
    and ``above`` are work space, with ``width`` empty rows behind the levels of ``leaving``.
    """
    n_levels = forward.shape[0]
    for j in range(n_levels):
        share = inverse[j]
        for k in range(LANES):
            leaving[j, k] = forward[j, k] * share
    for j in range(n_levels):
        for k in range(LANES):
            below[j + 1, k] = below[j, k] + leaving[j, k]
    above[:] = 0.0
    for j in range(n_levels - 1, -1, -1):
        low = max(0, j - width + 1)
        into = prior[j]
        factor = likelihood[j]
        for k in range(LANES):
            above[k] += leaving[j + width, k]
        for k in range(LANES - 1):
            arriving = (below[low, k] + above[k]) * ratio[k + 1]
            forward[j, k + 1] = (forward[j, k + 1] + into * arriving) * factor
        forward[j, 0] *= factor


@njit(cache=True, error_model="numpy")
def _rescale(forward: Floats, scale: Floats, ratio: Floats, top: Floats) -> None:
    """Bring the largest weight of each lane to 1, and note what was taken out; ``ratio`` is that of lane k - 1 to k."""
    n_levels = forward.shape[0]
    top[:] = 0.0
    for j in range(n_levels):
        for k in range(LANES):
            top[k] = max(top[k], forward[j, k])
    for k in range(LANES):
        before = scale[k]
        if top[k] > 0.0:
            scale[k] += math.log(top[k])
            if k > 0:
                scale[k] = max(scale[k], scale[k - 1] - _APART)
            top[k] = math.exp(before - scale[k])  # from here on the factor
        elif k > 0:  # not reached yet
            scale[k] = scale[k - 1]
        if k > 0:
            ratio[k] = math.exp(scale[k - 1] - scale[k])
    for j in range(n_levels):
        for k in range(LANES):
            forward[j, k] *= top[k]


@njit(cache=True, nogil=True, error_model="numpy")
def fill_cells(
    cells: Integers,
    counts: Floats,
    weight: Floats,
    excited: Floats,
    branching: Floats,
    halvings: Integers,
    dispersion: Floats,
    levels: Floats,
    prior: Floats,
    width: int,
    table: Floats,
) -> None:
    """Write the log of the likelihood summed over all placements, for some cells and each number of changes.

    Parameters
    ----------
    cells : ndarray of int, shape (n,)
        Flat indices into the first three axes of ``table``.
    counts, weight : ndarray, shape (bins,)
        Of the observed bins alone; weight is exposure times season, above 0.
    excited : ndarray, shape (memories, bins)
        From ``excitation``, observed bins alone.
    branching : ndarray, shape (branchings,)
        Branching ratios.
    halvings, dispersion : ndarray, shape (dispersions,)
        Dispersion is 0 (Poisson), 2 to the power of ``halvings``, or anything if that is ``ANY_POWER``.
    levels : ndarray, shape (branchings, levels)
        Baseline levels per bin.
    prior : ndarray, shape (levels,)
        Of the level; sums to one.
    width : int
        A jump goes at least so many levels up or down.
    table : ndarray, shape (dispersions, memories, branchings, LANES)
        Written to; without ``rising_factorials``, without the factorials of the counts, and without any prior on
        cells, number or places of changes. Minus infinity where so many changes cannot be.
    """
    n_bins = counts.shape[0]
    n_levels = levels.shape[1]
    n_memories, n_branching = table.shape[1], table.shape[2]
    inverse = _inverse_masses(prior, width)
    likelihood = np.empty(n_levels)
    gone = np.empty(n_levels)
    leaving = np.zeros((n_levels + width, LANES))
    below = np.zeros((n_levels + 1, LANES))
    above = np.zeros(LANES)
    forward = np.empty((n_levels, LANES))
    scale = np.empty(LANES)
    ratio = np.empty(LANES)
    for cell in cells:
        b = cell % n_branching
        h = (cell // n_branching) % n_memories
        d = cell // (n_branching * n_memories)
        here = levels[b]
        for j in range(n_levels):
            gone[j] = math.exp(-here[j])
        forward[:] = 0.0
        forward[:, 0] = prior
        scale[:] = 0.0
        ratio[:] = 1.0
        common = 0.0
        for t in range(n_bins):
            factor, urgent = _likelihood(
                counts[t],
                weight[t],
                branching[b] * excited[h, t],
                halvings[d],
                dispersion[d],
                here,
                gone,
                likelihood,
            )
            common += factor
            if t > 0:
                _step(forward, leaving, below, above, ratio, likelihood, prior, inverse, width)
            else:
                for j in range(n_levels):
                    forward[j, 0] *= likelihood[j]
            if urgent or (t & 7) == 7:
                _rescale(forward, scale, ratio, above)
        for k in range(LANES):
            total = 0.0
            for j in range(n_levels):
                total += forward[j, k]
            table[d, h, b, k] = math.log(total) + scale[k] + common if total > 0.0 else -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def sample_paths(
    counts: Floats,
    weight: Floats,
    excited: Floats,
    branching: float,
    halvings: int,
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
    counts, weight : ndarray, shape (bins,)
        As for ``fill_cells``: observed bins alone.
    excited : ndarray, shape (bins,)
        Excitation for the memory of the cell.
    branching, halvings, dispersion : float or int
        Of the cell.
    levels, prior : ndarray, shape (levels,)
        Of the cell's branching.
    width : int
        As for ``fill_cells``.
    changes : ndarray of int, shape (draws,)
        Number of changes of each draw.
    uniforms : ndarray, shape (draws, bins + LANES + 1)
        Between 0 and 1.

    Returns
    -------
    ndarray of int, shape (draws, bins)
        Index of the level in each bin.
    """
    n_bins = counts.shape[0]
    n_levels = levels.shape[0]
    inverse = _inverse_masses(prior, width)
    likelihood = np.empty(n_levels)
    gone = np.exp(-levels)
    leaving = np.zeros((n_levels + width, LANES))
    below = np.zeros((n_levels + 1, LANES))
    above = np.zeros(LANES)
    forward = np.zeros((n_levels, LANES))
    forward[:, 0] = prior
    scale = np.zeros(LANES)
    ratio = np.ones(LANES)
    stored = np.zeros((max(n_bins, 1), n_levels, LANES))
    stored[0] = forward
    ratios = np.ones((max(n_bins, 1), LANES))
    for t in range(n_bins):
        _likelihood(
            counts[t],
            weight[t],
            branching * excited[t],
            halvings,
            dispersion,
            levels,
            gone,
            likelihood,
        )
        if t > 0:
            _step(forward, leaving, below, above, ratio, likelihood, prior, inverse, width)
        else:
            for j in range(n_levels):
                forward[j, 0] *= likelihood[j]
        _rescale(forward, scale, ratio, above)
        stored[t] = forward
        ratios[t] = ratio
    paths = np.zeros((changes.shape[0], n_bins), np.int64)
    jump = np.empty(n_levels)
    for draw in range(changes.shape[0]):
        k = changes[draw]
        used = 1
        level = _pick(stored[max(n_bins, 1) - 1, :, k], uniforms[draw, 0])
        for t in range(n_bins - 1, 0, -1):
            paths[draw, t] = level
            if k > 0:
                arriving = 0.0
                for j in range(n_levels):
                    jump[j] = (
                        stored[t - 1, j, k - 1] * inverse[j] if abs(j - level) >= width else 0.0
                    )
                    arriving += jump[j]
                arriving *= prior[level] * ratios[t - 1, k]
                stay = stored[t - 1, level, k]
                if arriving > 0.0 and uniforms[draw, used] * (stay + arriving) < arriving:
                    used += 1
                    level = _pick(jump, uniforms[draw, used])
                    k -= 1
                used += 1
        if n_bins > 0:
            paths[draw, 0] = level
    return paths


@njit(cache=True, error_model="numpy")
def _pick(weights: Floats, uniform: float) -> int:
    """Draw an index in proportion to the weights."""
    target = uniform * weights.sum()
    total = 0.0
    chosen = 0
    for j in range(weights.shape[0]):
        if weights[j] > 0.0:
            total += weights[j]
            chosen = j
            if total >= target:
                break
    return chosen
