"""A rate on a grid of levels, with changes: sums, marginals and draws in linear time. Arrays in, arrays out.

Where segments are not conjugate (zero inflation, covariates of attack days or of negative binomial counts), the level
of each regime is put on a grid. Level and phase of the regime are then a hidden Markov chain, and one pass over the
bins sums over every placement of the changes. Before any bin the chain goes from phase ``j`` to the next one (from the
last to the first) with weight ``leave[j]``, or stays with weight ``stay[j]``. Where ``renews[j]``, to go on means that
a new regime begins, whose level is drawn from the prior. One phase gives geometric durations; ``d - 1`` phases of one
bin in front of it give regimes of at least ``d`` bins; a copy of these phases for each regime, the last of which is
never left, gives a number of changes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_predictive import BERNOULLI, NEGBIN, ZIP

__all__ = ["backward", "forward", "log_terms", "marginal", "numbers", "paths"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def log_terms(
    family: int,
    counts: Floats,
    exposure: Floats,
    offset: Floats,
    levels: Floats,
    extra: float,
    slopes: bool,
) -> tuple[Floats, Floats]:
    """Give the log-likelihood of each bin at each level, but for factors common to all levels, and its slopes.

    Parameters
    ----------
    family : int
        ``GAMMA`` (Poisson counts), ``NEGBIN``, ``ZIP`` or ``BERNOULLI``.
    counts, exposure, offset : float array (m,)
        Observed bins; the offset is added to the log of the mean, or to the log odds.
    levels : float array (levels,)
        Mean events per whole bin, or probability of an event, at an offset of 0.
    extra : float
        Size of the negative binomial, share of idle bins, otherwise not used.
    slopes : bool
        Whether slopes are wanted.

    Returns
    -------
    log, slope : float array (m, levels)
        Log-likelihood, and its derivative with respect to the offset (zeros where not wanted).
    """
    m, n_levels = counts.size, levels.size
    out = np.empty((m, n_levels))
    slope = np.zeros((m if slopes else 0, n_levels))
    logs = np.log(levels) if family != BERNOULLI else np.log(levels / (1.0 - levels))
    for t in range(m):
        y, e = counts[t], exposure[t]
        shift = offset[t] + (math.log(e) if family != BERNOULLI else 0.0)
        for g in range(n_levels):
            log_mean = logs[g] + shift
            if family == BERNOULLI:
                raised = math.exp(-abs(log_mean))
                out[t, g] = (log_mean if y > 0.0 else 0.0) - max(log_mean, 0.0) - math.log1p(raised)
                if slopes:
                    p = 1.0 / (1.0 + raised) if log_mean > 0.0 else raised / (1.0 + raised)
                    slope[t, g] = y - p
                continue
            mean = math.exp(log_mean)
            if family == NEGBIN:
                trials = extra * e
                out[t, g] = y * (log_mean - math.log(trials + mean)) - trials * math.log1p(
                    mean / trials
                )
                if slopes:
                    slope[t, g] = (y - mean) * trials / (trials + mean)
            elif family == ZIP:
                active = mean / (1.0 - extra)
                if y > 0.0:
                    log_active = log_mean - math.log1p(-extra)
                    out[t, g] = math.log1p(-extra) + y * log_active - active
                    if slopes:
                        slope[t, g] = y - active
                else:
                    quiet = (1.0 - extra) * math.exp(-active)
                    out[t, g] = math.log(extra + quiet)
                    if slopes:
                        slope[t, g] = -active * quiet / (extra + quiet)
            else:
                out[t, g] = y * log_mean - mean
                if slopes:
                    slope[t, g] = y - mean
    return out, slope


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _step(
    old: Floats, prior: Floats, leave: Floats, stay: Floats, renews: Flags, new: Floats
) -> float:
    """Carry the chain over one boundary; return the probability of a change."""
    n_phases, n_levels = old.shape
    changed: float = 0.0
    for j in range(n_phases):
        came = j - 1 if j > 0 else n_phases - 1
        if renews[came]:
            ended: float = 0.0
            for g in range(n_levels):
                ended += old[came, g]
            ended *= leave[came]
            changed += ended
            for g in range(n_levels):
                new[j, g] = stay[j] * old[j, g] + ended * prior[g]
        else:
            for g in range(n_levels):
                new[j, g] = stay[j] * old[j, g] + leave[came] * old[came, g]
    return changed


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
    likelihood: Floats,
    prior: Floats,
    leave: Floats,
    stay: Floats,
    renews: Flags,
    begins: int,
    store: bool,
) -> tuple[float, Floats, Floats]:
    """Sum over all placements of the changes.

    Parameters
    ----------
    likelihood : float array (n, levels)
        Of each bin at each level, any row up to a factor.
    prior : float array (levels,)
        Probability of each level of a new regime.
    leave, stay : float array (phases,)
        Weight of going on from each phase before any bin, and of staying.
    renews : bool array (phases,)
        Whether a new regime begins when a phase is left.
    begins : int
        Phase in which the first regime starts: one that may be left, because it may have begun before the first bin.
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
    here[begins] = prior
    log_sum = 0.0
    for t in range(n):
        if t > 0:
            _step(here, prior, leave, stay, renews, there)
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
    likelihood: Floats,
    prior: Floats,
    leave: Floats,
    stay: Floats,
    renews: Flags,
    final: Floats,
    filtered: Floats,
    sums: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Give posterior marginals, from a stored :func:`forward`.

    ``final`` (phases,) is 1 for each phase in which the series may end, 0 for the others.

    Returns
    -------
    levels : float array (n, levels)
        P(level of each bin).
    change : float array (n,)
        P(a new regime begins with each bin).
    fresh : float array (levels,)
        Expected number of regimes at each level.
    """
    n, n_levels = likelihood.shape
    n_phases = leave.size
    levels = np.zeros((n, n_levels))
    change = np.zeros(n)
    fresh = np.zeros(n_levels)
    later = np.empty((n_phases, n_levels))
    earlier = np.empty((n_phases, n_levels))
    whole = 0.0
    for j in range(n_phases):
        whole += final[j] * filtered[n - 1, j].sum()
    for j in range(n_phases):
        later[j] = final[j] / whole
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
        for j in range(n_phases):
            to = j + 1 if j + 1 < n_phases else 0
            if renews[j]:
                renewal = 0.0
                ended = 0.0
                for g in range(n_levels):
                    renewal += prior[g] * later[to, g]
                    ended += filtered[t - 1, j, g]
                ended *= leave[j]
                change[t] += ended * renewal
                for g in range(n_levels):
                    fresh[g] += ended * prior[g] * later[to, g]
                    earlier[j, g] = stay[j] * later[j, g] + leave[j] * renewal
            else:
                for g in range(n_levels):
                    earlier[j, g] = stay[j] * later[j, g] + leave[j] * later[to, g]
        later, earlier = earlier, later
    return levels, change, fresh


@njit(cache=True, nogil=True, error_model="numpy")
def numbers(likelihood: Floats, prior: Floats, leave: Floats, most: int) -> Floats:
    """Give P(k changes) for k = 0 … ``most``; the last stands for more as well.

    The chain is that of :func:`forward` with ``stay = 1 - leave``, renewed from the last phase only.
    """
    stay = 1.0 - leave
    renews = np.zeros(leave.size, dtype=np.bool_)
    renews[-1] = True
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
                ended = _step(here[k], nothing, leave, stay, renews, there[k])
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
    prior: Floats,
    leave: Floats,
    stay: Floats,
    renews: Flags,
    final: Floats,
    filtered: Floats,
    draws: int,
    generator: Any,
) -> tuple[Integers, Integers, Integers]:
    """Draw regimes from their joint posterior, from the last bin to the first.

    Returns
    -------
    draw, start, level : int array (regimes,)
        Which draw, first bin and level of each regime; in order of draw, latest first.
    """
    n, n_phases, n_levels = filtered.shape
    totals = np.zeros((n, n_phases))
    for t in range(n):
        for j in range(n_phases):
            if renews[j]:
                totals[t, j] = filtered[t, j].sum() * leave[j]
    ending = np.empty((n_phases, n_levels))
    for j in range(n_phases):
        for g in range(n_levels):
            ending[j, g] = final[j] * filtered[n - 1, j, g]
    capacity = 8 * draws + 16
    out = np.empty((3, capacity), dtype=np.int64)
    written = 0
    for d in range(draws):
        j, g = _chosen(ending, generator)
        for t in range(n - 1, -1, -1):
            begins = t == 0
            came = j - 1 if j > 0 else n_phases - 1
            if t > 0:
                stayed = stay[j] * filtered[t - 1, j, g]
                if renews[came]:
                    ended = totals[t - 1, came] * prior[g]
                    begins = generator.random() * (ended + stayed) < ended
                else:
                    moved = leave[came] * filtered[t - 1, came, g]
                    if generator.random() * (moved + stayed) < moved:
                        j = came
            if begins:
                if written == capacity:
                    capacity *= 2
                    longer = np.empty((3, capacity), dtype=np.int64)
                    longer[:, :written] = out[:, :written]
                    out = longer
                out[0, written], out[1, written], out[2, written] = d, t, g
                written += 1
                if t > 0:
                    j = came
                    g = _chosen(filtered[t - 1, came : came + 1], generator)[1]
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
    leave, stay = np.array([hazard]), np.array([1.0 - hazard])
    renews, final = np.ones(1, dtype=np.bool_), np.ones(1)
    log_sum, filtered, sums = forward(likelihood, prior, leave, stay, renews, 0, True)
    levels, change, fresh = backward(likelihood, prior, leave, stay, renews, final, filtered, sums)
    changes = change.sum()
    slope = changes / hazard - (n - 1 - changes) / (1.0 - hazard)
    return value + log_sum, levels, fresh, slope
