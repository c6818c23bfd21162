"""A rate on a grid of levels, with changes: sums, marginals and draws in linear time. Arrays in, arrays out.

Where segments are not conjugate (zero inflation, a shortest length of regimes), the level of each regime is put on a
grid. Level and phase of the regime are then a hidden Markov chain, and one pass over the bins sums over every
placement of the changes. A regime goes through its phases in order and leaves phase ``j`` before any bin with
probability ``leave[j]``; after the last one a new regime begins, whose level is drawn from the prior. One phase gives
geometric durations; ``d - 1`` phases of one bin in front of it give regimes of at least ``d`` bins.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["backward", "forward", "marginal", "numbers", "paths"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _step(old: Floats, prior: Floats, leave: Floats, new: Floats) -> float:
    """Carry the chain over one boundary; return the probability of a change."""
    n_phases, n_levels = old.shape
    ended: float = 0.0
    for g in range(n_levels):
        ended += old[n_phases - 1, g]
    ended *= leave[n_phases - 1]
    for j in range(n_phases):
        stays = 1.0 - leave[j]
        if j == 0:
            for g in range(n_levels):
                new[0, g] = stays * old[0, g] + ended * prior[g]
        else:
            for g in range(n_levels):
                new[j, g] = stays * old[j, g] + leave[j - 1] * old[j - 1, g]
    return ended


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _weigh(values: Floats, likelihood: Floats) -> float:
    """Multiply by the likelihood of a bin and rescale to one; return the sum before."""
    total = 0.0
    for j in range(values.shape[0]):
        for g in range(values.shape[1]):
            values[j, g] *= likelihood[g]
            total += values[j, g]
    for j in range(values.shape[0]):
        for g in range(values.shape[1]):
            values[j, g] /= total
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def forward(
    likelihood: Floats, prior: Floats, leave: Floats, store: bool
) -> tuple[float, Floats, Floats]:
    """Sum over all placements of the changes.

    Parameters
    ----------
    likelihood : float array (n, levels)
        Of each bin at each level, any row up to a factor.
    prior : float array (levels,)
        Probability of each level of a new regime.
    leave : float array (phases,)
        Probability of leaving each phase before any bin. The first regime starts in the last phase, because it may
        have begun before the first bin.
    store : bool
        Whether to keep the filter at every bin, or only after the last one.

    Returns
    -------
    log_sum : float
        Log of the sum.
    filtered : float array (n, phases, levels) or (1, phases, levels)
        P(phase and level | bins so far).
    sums : float array (n,)
        Factor by which each bin multiplied the sum.
    """
    n, n_levels = likelihood.shape
    n_phases = leave.size
    filtered = np.zeros((n if store else 1, n_phases, n_levels))
    sums = np.empty(n)
    here = np.zeros((n_phases, n_levels))
    there = np.zeros((n_phases, n_levels))
    here[n_phases - 1] = prior
    log_sum = 0.0
    for t in range(n):
        if t > 0:
            _step(here, prior, leave, there)
            here, there = there, here
        sums[t] = _weigh(here, likelihood[t])
        log_sum += math.log(sums[t])
        if store:
            filtered[t] = here
    if not store:
        filtered[0] = here
    return log_sum, filtered, sums


@njit(cache=True, nogil=True, error_model="numpy")
def backward(
    likelihood: Floats, prior: Floats, leave: Floats, filtered: Floats, sums: Floats
) -> tuple[Floats, Floats, Floats, float]:
    """Give posterior marginals, from a stored :func:`forward`.

    Returns
    -------
    levels : float array (n, levels)
        P(level of each bin).
    change : float array (n,)
        P(a new regime begins with each bin).
    fresh : float array (levels,)
        Expected number of regimes at each level.
    chances : float
        Expected number of boundaries at which the last phase might have been left.
    """
    n, n_levels = likelihood.shape
    n_phases = leave.size
    last = n_phases - 1
    levels = np.zeros((n, n_levels))
    change = np.zeros(n)
    fresh = np.zeros(n_levels)
    later = np.ones((n_phases, n_levels))
    earlier = np.empty((n_phases, n_levels))
    chances = 0.0
    for t in range(n - 1, -1, -1):
        for j in range(n_phases):
            for g in range(n_levels):
                levels[t, g] += filtered[t, j, g] * later[j, g]
        for j in range(n_phases):
            for g in range(n_levels):
                later[j, g] *= likelihood[t, g] / sums[t]
        if t == 0:
            for g in range(n_levels):
                fresh[g] += levels[0, g]
            break
        renewal = 0.0
        for g in range(n_levels):
            renewal += prior[g] * later[0, g]
        ended = 0.0
        for g in range(n_levels):
            ended += filtered[t - 1, last, g]
        ended *= leave[last]
        change[t] = ended * renewal
        for g in range(n_levels):
            fresh[g] += ended * prior[g] * later[0, g]
        for j in range(n_phases):
            for g in range(n_levels):
                onward = renewal if j == last else later[j + 1, g]
                earlier[j, g] = (1.0 - leave[j]) * later[j, g] + leave[j] * onward
        for g in range(n_levels):
            chances += filtered[t - 1, last, g] * earlier[last, g]
        later, earlier = earlier, later
    return levels, change, fresh, chances


@njit(cache=True, nogil=True, error_model="numpy")
def numbers(likelihood: Floats, prior: Floats, leave: Floats, most: int) -> Floats:
    """Give P(k changes) for k = 0 … ``most``; the last stands for more as well."""
    n, n_levels = likelihood.shape
    n_phases = leave.size
    here = np.zeros((most + 1, n_phases, n_levels))
    there = np.zeros((most + 1, n_phases, n_levels))
    here[0, n_phases - 1] = prior
    nothing = np.zeros(n_levels)
    high = 0
    for t in range(n):
        if t > 0:
            top = min(high + 1, most)
            there[top] = 0.0
            carried = 0.0
            for k in range(high + 1):
                ended = _step(here[k], nothing, leave, there[k])
                if k > 0 or carried > 0.0:
                    there[k, 0] += carried * prior
                carried = ended
            there[top, 0] += carried * prior
            high = top
            here, there = there, here
        total = 0.0
        for k in range(high + 1):
            for j in range(n_phases):
                for g in range(n_levels):
                    here[k, j, g] *= likelihood[t, g]
                    total += here[k, j, g]
        for k in range(high + 1):
            here[k] /= total
    out = np.zeros(most + 1)
    for k in range(high + 1):
        out[k] = here[k].sum()
    return out


@njit(cache=True, error_model="numpy")
def paths(
    prior: Floats, leave: Floats, filtered: Floats, draws: int, generator: Any
) -> tuple[Integers, Integers, Integers]:
    """Draw regimes from their joint posterior, from the last bin to the first.

    Returns
    -------
    draw, start, level : int array (regimes,)
        Which draw, first bin and level of each regime; in order of draw, latest first.
    """
    n, n_phases, n_levels = filtered.shape
    last = n_phases - 1
    capacity = 8 * draws + 16
    out = np.empty((3, capacity), dtype=np.int64)
    written = 0
    for d in range(draws):
        j, g = _chosen(filtered[n - 1], generator)
        for t in range(n - 1, -1, -1):
            begins = t == 0
            if t > 0:
                if j > 0:
                    came = leave[j - 1] * filtered[t - 1, j - 1, g]
                    stayed = (1.0 - leave[j]) * filtered[t - 1, j, g]
                    if generator.random() * (came + stayed) < came:
                        j -= 1
                else:
                    ended = 0.0
                    for other in range(n_levels):
                        ended += filtered[t - 1, last, other]
                    ended *= leave[last] * prior[g]
                    stayed = (1.0 - leave[0]) * filtered[t - 1, 0, g]
                    begins = generator.random() * (ended + stayed) < ended
            if begins:
                if written == capacity:
                    capacity *= 2
                    longer = np.empty((3, capacity), dtype=np.int64)
                    longer[:, :written] = out[:, :written]
                    out = longer
                out[0, written], out[1, written], out[2, written] = d, t, g
                written += 1
                if t > 0:
                    j = last
                    g = _chosen(filtered[t - 1, last : last + 1], generator)[1]
    return out[0, :written].copy(), out[1, :written].copy(), out[2, :written].copy()


@njit(cache=True, error_model="numpy")
def _chosen(weights: Floats, generator: Any) -> tuple[int, int]:
    aim = generator.random() * weights.sum()
    reached = 0.0
    for j in range(weights.shape[0]):
        for g in range(weights.shape[1]):
            reached += weights[j, g]
            if reached > aim:
                return j, g
    return weights.shape[0] - 1, weights.shape[1] - 1


@njit(cache=True, nogil=True, error_model="numpy")
def marginal(
    log_likelihood: Floats, log_prior: Floats, hazard: float
) -> tuple[float, Floats, Floats, float]:
    """Give the log-likelihood with changes and levels summed out, and its gradients.

    Parameters
    ----------
    log_likelihood : float array (n, levels)
        Of each bin at each level.
    log_prior : float array (levels,)
        Log probability of each level of a new regime; need not sum to one.
    hazard : float
        Probability that a new regime begins with any one bin but the first.

    Returns
    -------
    value : float
        The log of the sum.
    by_likelihood, by_prior : float array (n, levels), (levels,)
        Gradients: P(level of each bin), and the expected number of regimes at each level.
    by_hazard : float
        Derivative with respect to the hazard.
    """
    n, n_levels = log_likelihood.shape
    likelihood = np.empty((n, n_levels))
    value = 0.0
    for t in range(n):
        top = log_likelihood[t].max()
        value += top
        likelihood[t] = np.exp(log_likelihood[t] - top)
    prior = np.exp(log_prior)
    leave = np.array([hazard])
    log_sum, filtered, sums = forward(likelihood, prior, leave, True)
    levels, change, fresh, _ = backward(likelihood, prior, leave, filtered, sums)
    changes = change.sum()
    slope = changes / hazard - (n - 1 - changes) / (1.0 - hazard)
    return value + log_sum, levels, fresh, slope
