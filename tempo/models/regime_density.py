"""The regime model's likelihood, posterior density and gradient, compiled: arrays in, arrays out.

With regime ``k`` in bin ``t``, of which the share ``e_t`` was observed,

    Y_t ~ Poisson(m)  or  NegBin(mean m, variance m + dispersion m^2),    m = e_t rate_k + branching S_t,

where ``S_t = sum_j h_j Y_{t-j}``, ``h_j = (1 - r) r^(j-1)``, is there only with contagion. ``S`` depends on what was
observed and not on the regimes, so that the sum over all paths of regimes stays exact. The gradient follows from
expected numbers of bins and jumps given all bins (Fisher's identity), two passes in all.

*Natural parameters* are one array: ``k`` rates per bin, ``k`` probabilities to leave a stage, ``k x k`` jump
probabilities by row, dispersion, branching, ``r`` (each 0 where there is none). The optimiser and the samplers work on
``theta``: log rates, log-odds of leaving, log ratios of jump probabilities to the first of each row, log dispersion,
log branching, log decay per bin.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.regime_recursions import backward, forward, stationary

__all__ = [
    "excitation",
    "filter_naturally",
    "log_posterior",
    "n_natural",
    "n_theta",
    "pointwise",
    "to_natural",
    "to_theta",
]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def n_theta(k: int, negbin: bool, contagion: bool) -> int:
    """Give the number of free parameters."""
    return k + (k + k * (k - 2) if k > 1 else 0) + (1 if negbin else 0) + (2 if contagion else 0)


@njit(cache=True, error_model="numpy")
def n_natural(k: int) -> int:
    """Give the length of the array of natural parameters."""
    return 2 * k + k * k + 3


@njit(cache=True, error_model="numpy")
def to_natural(theta: Floats, k: int, negbin: bool, contagion: bool) -> Floats:
    """Give the natural parameters, rates in the order of ``theta``."""
    out = np.zeros(n_natural(k))
    at = k
    for i in range(k):
        out[i] = math.exp(theta[i])
    if k > 1:
        for i in range(k):
            out[k + i] = 1.0 / (1.0 + math.exp(-theta[at + i]))
        at += k
        for i in range(k):
            top = 0.0
            for j in range(k - 2):
                top = max(top, theta[at + j])
            total = math.exp(-top)
            for j in range(k - 2):
                total += math.exp(theta[at + j] - top)
            column = 0
            for j in range(k):
                if j != i:
                    value = 0.0 if column == 0 else theta[at + column - 1]
                    out[2 * k + i * k + j] = math.exp(value - top) / total
                    column += 1
            at += k - 2
    if negbin:
        out[2 * k + k * k] = math.exp(theta[at])
        at += 1
    if contagion:
        out[2 * k + k * k + 1] = math.exp(theta[at])
        out[2 * k + k * k + 2] = math.exp(-math.exp(theta[at + 1]))
    return out


def to_theta(natural: Floats, k: int, negbin: bool, contagion: bool) -> Floats:
    """Give the unbounded parameters of one array of natural ones."""
    jump = natural[2 * k : 2 * k + k * k].reshape(k, k)
    parts = [np.log(natural[:k])]
    if k > 1:
        leave = np.clip(natural[k : 2 * k], 1e-300, 1 - 1e-15)
        parts.append(np.log(leave) - np.log1p(-leave))
    if k > 2:
        for i in range(k):
            others = np.log(np.maximum(np.delete(jump[i], i), 1e-300))
            parts.append(others[1:] - others[0])
    dispersion, branching, kept = natural[2 * k + k * k :]
    if negbin:
        parts.append(np.array([math.log(dispersion)]))
    if contagion:
        parts.append(np.array([math.log(branching), math.log(-math.log(kept))]))
    return np.concatenate(parts)


@njit(cache=True, error_model="numpy")
def excitation(history: Floats, kept: float) -> Floats:
    """Give ``S`` and its slope in ``r``, shape (2, n)."""
    n = len(history)
    out = np.zeros((2, n))
    for t in range(1, n):
        out[0, t] = kept * out[0, t - 1] + (1.0 - kept) * history[t - 1]
        out[1, t] = kept * out[1, t - 1] + out[0, t - 1] - history[t - 1]
    return out


@njit(cache=True, error_model="numpy")
def by_pair(values: Floats, index: Ints, size: int) -> Floats:
    """Pick what belongs to each observed bin (with contagion, pairs and observed bins are the same)."""
    out = np.zeros(size)
    for t in range(len(index)):
        if index[t] >= 0:
            out[index[t]] = values[t]
    return out


@njit(cache=True, error_model="numpy")
def log_table(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    excited: Floats,
    k: int,
    natural: Floats,
    slope_mean: Floats,
    slope_dispersion: Floats,
) -> Floats:
    """Give the log probability of each pair in each regime; slopes are written where there is room for them."""
    size = len(counts)
    out = np.empty((size, k))
    spread = natural[2 * k + k * k]
    branching = natural[2 * k + k * k + 1]
    wanted = len(slope_mean) > 0
    for u in range(size):
        y = counts[u]
        rising = 0.0  # log of gamma(y + 1/a) / gamma(1/a) a^y
        rising_slope = 0.0
        if spread > 0.0:
            for j in range(int(y)):
                rising += math.log1p(spread * j)
                rising_slope += j / (1.0 + spread * j)
        for i in range(k):
            mean = exposure[u] * natural[i] + branching * excited[u]
            mean = max(mean, 1e-300)
            value = -constants[u]
            if y > 0.0:
                value += y * math.log(mean)
            if spread > 0.0:
                log_tail = math.log1p(spread * mean)
                value += rising - (y + 1.0 / spread) * log_tail
                if wanted:
                    slope_mean[u, i] = y / mean - (1.0 + spread * y) / (1.0 + spread * mean)
                    slope_dispersion[u, i] = (
                        rising_slope
                        + log_tail / spread**2
                        - (y + 1.0 / spread) * mean / (1.0 + spread * mean)
                    )
            else:
                value -= mean
                if wanted:
                    slope_mean[u, i] = y / mean - 1.0
            out[u, i] = value
    return out


@njit(cache=True, error_model="numpy")
def relative(table: Floats, times: Floats) -> float:
    """Turn log probabilities into probabilities relative to the largest of the row; give what was taken out."""
    total = 0.0
    for u in range(table.shape[0]):
        top = table[u, 0]
        for i in range(1, table.shape[1]):
            top = max(top, table[u, i])
        total += times[u] * top
        for i in range(table.shape[1]):
            table[u, i] = math.exp(table[u, i] - top)
    return total


@njit(cache=True, error_model="numpy")
def filter_naturally(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    times: Floats,
    index: Ints,
    history: Floats,
    k: int,
    stages: int,
    negbin: bool,  # noqa: ARG001 - the kernels share one list of arguments
    contagion: bool,
    natural: Floats,
    filtered: Floats,
    scales: Floats,
) -> tuple[float, Floats]:
    """Filter at natural parameters: the log-likelihood and the table of relative probabilities."""
    excited = np.zeros(len(counts))
    if contagion:
        excited = by_pair(excitation(history, natural[-1])[0], index, len(counts))
    none = np.zeros((0, k))
    table = log_table(counts, exposure, constants, excited, k, natural, none, none)
    offset = relative(table, times)
    leave = natural[k : 2 * k]
    jump = natural[2 * k : 2 * k + k * k].reshape(k, k)
    share = stationary(leave, jump)[0]
    value = forward(table, index, leave, jump, stages, share, filtered, scales)
    return value + offset, table


@njit(cache=True, error_model="numpy")
def pointwise(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    times: Floats,
    index: Ints,
    history: Floats,
    k: int,
    stages: int,
    negbin: bool,
    contagion: bool,
    natural: Floats,
) -> Floats:
    """Give the log probability of each bin given those before it; 0 where nobody watched."""
    n = len(index)
    scales = np.empty(n)
    filter_naturally(
        counts, exposure, constants, times, index, history, k, stages, negbin, contagion, natural,
        np.empty((n, k * stages)), scales,
    )  # fmt: skip
    excited = np.zeros(len(counts))
    if contagion:
        excited = by_pair(excitation(history, natural[-1])[0], index, len(counts))
    none = np.zeros((0, k))
    table = log_table(counts, exposure, constants, excited, k, natural, none, none)
    out = np.zeros(n)
    for t in range(n):
        u = index[t]
        if u >= 0:
            top = table[u, 0]
            for i in range(1, k):
                top = max(top, table[u, i])
            out[t] = math.log(scales[t]) + top
    return out


@njit(cache=True, error_model="numpy")
def log_likelihood(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    times: Floats,
    index: Ints,
    history: Floats,
    k: int,
    stages: int,
    negbin: bool,
    contagion: bool,
    theta: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood of ``theta``; its gradient is written into ``gradient``."""
    n = len(index)
    pairs = len(counts)
    natural = to_natural(theta, k, negbin, contagion)
    leave = natural[k : 2 * k].copy()
    jump = natural[2 * k : 2 * k + k * k].copy().reshape(k, k)
    excited = np.zeros(pairs)
    excited_slope = np.zeros(pairs)
    if contagion:
        both = excitation(history, natural[-1])
        excited = by_pair(both[0], index, pairs)
        excited_slope = by_pair(both[1], index, pairs)
    slope_mean = np.zeros((pairs, k))
    slope_dispersion = np.zeros((pairs, k))
    table = log_table(
        counts, exposure, constants, excited, k, natural, slope_mean, slope_dispersion
    )
    offset = relative(table, times)
    share, visits, slope = stationary(leave, jump)
    filtered = np.empty((n, k * stages))
    scales = np.empty(n)
    value = forward(table, index, leave, jump, stages, share, filtered, scales)
    for i in range(len(gradient)):
        gradient[i] = 0.0
    if not value > -math.inf:
        return -math.inf
    occupied = np.zeros((pairs, k))
    stays = np.zeros(k)
    leaves = np.zeros(k)
    jumps = np.zeros((k, k))
    first = np.zeros(k)
    backward(
        table, index, leave, jump, stages, filtered, scales, occupied, stays, leaves, jumps, first,
        np.zeros((0, k)),
    )  # fmt: skip
    branching = natural[2 * k + k * k + 1]
    g_dispersion = 0.0
    g_branching = 0.0
    g_kept = 0.0
    for u in range(pairs):
        for i in range(k):
            weight = occupied[u, i] * slope_mean[u, i]
            gradient[i] += weight * exposure[u]
            g_branching += weight * excited[u]
            g_kept += weight * branching * excited_slope[u]
            g_dispersion += occupied[u, i] * slope_dispersion[u, i]
    for i in range(k):
        gradient[i] *= natural[i]
    at = k
    if k > 1:
        for i in range(k):
            # The start leans on the long-run shares, which move with the chances to leave.
            started = (first[i] - share[i]) * (1.0 - leave[i])
            gradient[at + i] = leaves[i] * (1.0 - leave[i]) - stays[i] * leave[i] - started
        at += k
        if k > 2:
            pull = np.zeros(k)
            for j in range(k):
                for m in range(k):
                    pull[j] += slope[j, m] * (first[m] - share[m]) / visits[m]
            for i in range(k):
                total = 0.0
                for j in range(k):
                    total += jumps[i, j] + jump[i, j] * visits[i] * pull[j]
                column = 0
                for j in range(k):
                    if j != i:
                        if column > 0:
                            gradient[at + column - 1] = (
                                jumps[i, j] + jump[i, j] * visits[i] * pull[j] - jump[i, j] * total
                            )
                        column += 1
                at += k - 2
    if negbin:
        gradient[at] = g_dispersion * natural[2 * k + k * k]
        at += 1
    if contagion:
        gradient[at] = g_branching * branching
        decay = math.exp(theta[at + 1])
        gradient[at + 1] = -g_kept * natural[-1] * decay
    result: float = value + offset
    return result


@njit(cache=True, error_model="numpy")
def add_log_prior(
    k: int,
    stages: int,
    negbin: bool,
    contagion: bool,
    prior: Floats,
    theta: Floats,
    gradient: Floats,
) -> float:
    """Log prior density of ``theta``, normalised, Jacobians included; its gradient is added to ``gradient``.

    ``prior``: mean and sd of log rates per bin; Dirichlet weight of staying; mean and sd of the log expected stay in
    bins (sd 0: not used) and the log of the share of it that is possible; sds of half-normal dispersion and
    branching; mean and sd of log decay per bin; log beta function of the Dirichlet; log gamma(k - 1).
    """
    root = 0.5 * math.log(2.0 * math.pi)
    value = 0.0
    for i in range(k):
        z = (theta[i] - prior[0]) / prior[1]
        value -= 0.5 * z * z + math.log(prior[1]) + root
        gradient[i] -= z / prior[1]
    at = k
    if k > 1:
        for i in range(k):
            x = theta[at + i]
            log_leave = -math.log1p(math.exp(-x)) if x > -30.0 else x
            log_stay = -math.log1p(math.exp(x)) if x < 30.0 else -x
            leave = math.exp(log_leave)
            if prior[4] > 0.0:
                z = (math.log(float(stages)) - log_leave - prior[3]) / prior[4]
                value -= 0.5 * z * z + math.log(prior[4]) + root + prior[5]
                value += log_stay
                gradient[at + i] += z / prior[4] * (1.0 - leave) - leave
            else:
                value += (k - 1.0) * log_leave + prior[2] * log_stay - prior[10]
                gradient[at + i] += (k - 1.0) * (1.0 - leave) - prior[2] * leave
        at += k
        if k > 2:
            for _ in range(k):
                top = 0.0
                for j in range(k - 2):
                    top = max(top, theta[at + j])
                total = math.exp(-top)
                for j in range(k - 2):
                    total += math.exp(theta[at + j] - top)
                log_total = top + math.log(total)
                value += prior[11] - (k - 1.0) * log_total
                for j in range(k - 2):
                    value += theta[at + j]
                    gradient[at + j] += 1.0 - (k - 1.0) * math.exp(theta[at + j] - log_total)
                at += k - 2
    if negbin:
        z = math.exp(min(theta[at], 300.0)) / prior[6]
        value += theta[at] - 0.5 * z * z + math.log(2.0) - math.log(prior[6]) - root
        gradient[at] += 1.0 - z * z
        at += 1
    if contagion:
        z = math.exp(min(theta[at], 300.0)) / prior[7]
        value += theta[at] - 0.5 * z * z + math.log(2.0) - math.log(prior[7]) - root
        gradient[at] += 1.0 - z * z
        z = (theta[at + 1] - prior[8]) / prior[9]
        value -= 0.5 * z * z + math.log(prior[9]) + root
        gradient[at + 1] -= z / prior[9]
    return value


@njit(cache=True, error_model="numpy")
def log_posterior(
    counts: Floats,
    exposure: Floats,
    constants: Floats,
    times: Floats,
    index: Ints,
    history: Floats,
    k: int,
    stages: int,
    negbin: bool,
    contagion: bool,
    prior: Floats,
    theta: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood plus log prior density of ``theta``; an empty prior leaves it at the likelihood."""
    value: float = log_likelihood(
        counts, exposure, constants, times, index, history, k, stages, negbin, contagion, theta, gradient,
    )  # fmt: skip
    if len(prior) > 0:
        value += add_log_prior(k, stages, negbin, contagion, prior, theta, gradient)
    return value
