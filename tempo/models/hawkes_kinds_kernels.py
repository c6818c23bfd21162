"""Several kinds of attacks that excite each other, in bins: likelihood and gradient. Arrays in, arrays out.

With ``Y_{i,t}`` attacks of kind ``i`` in bin ``t``, of which ``days_{i,t}`` days were observed,

    m_{i,t} = baseline_i days_{i,t} + sum_j A_ij S_{ij,t},    S_{ij,t+1} = r_ij S_{ij,t} + (1 - r_ij) Y_{j,t},

with ``r = exp(-decay width)``. Row of ``A``: the kind that is excited; column: the kind that excites. Parameters lie in
one vector: baselines (K), ``A`` by rows (K x K), decays (1 if all share one, K if each source has its own, K x K by
rows if each pair has), and K dispersions for the negative binomial. A bin in which a kind was not observed has no
term for that kind; its attacks enter the history as their conditional mean, and the gradient flows through that.

The gradient is found by a backward sweep over stored states, so that it costs about as much as the value. On Poisson
data a bin without attacks costs O(K), because the sum of all means needs column sums alone.

Sampling works on ``z``, in which every prior is a standard normal: what the data leave open then stays exactly normal.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kinds_recursions import EACH_PAIR, EACH_SOURCE, SHARED, fresh_shares

__all__ = [
    "EACH_PAIR",
    "EACH_SOURCE",
    "SHARED",
    "evaluate",
    "log_likelihood",
    "log_posterior",
    "n_parameters",
    "natural",
    "natural_rows",
]

type Floats = NDArray[np.float64]

ROOT_2 = math.sqrt(2.0)
LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
FURTHEST = 30.0  # standard deviations beyond which a prior quantile cannot be computed


def n_parameters(kinds: int, mode: int, *, negbin: bool) -> int:
    """Give the length of the vector of parameters.

    Parameters
    ----------
    kinds : int
        How many.
    mode : int
        ``SHARED``, ``EACH_SOURCE`` or ``EACH_PAIR``.
    negbin : bool
        Whether there are dispersions.

    Returns
    -------
    int
        Length.

    Examples
    --------
    >>> n_parameters(10, SHARED, negbin=False)
    111
    """
    decays = (1, kinds, kinds * kinds)[mode]
    return kinds + kinds * kinds + decays + (kinds if negbin else 0)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def log_likelihood(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    mode: int,
    negbin: bool,
    parameters: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood of all observed bins and kinds; its gradient in natural parameters is written.

    ``counts`` and ``days`` have shape (n, K), ``tail`` (K, largest count): number of observed bins with more than so
    many attacks.
    """
    n, K = counts.shape
    rows = K if mode == EACH_PAIR else 1
    baseline = parameters[:K]
    A = parameters[K : K + K * K].copy().reshape((K, K))
    dispersion = parameters[len(parameters) - K :] if negbin else np.zeros(K)
    fresh, fresh_slope = fresh_shares(parameters, K, mode, width)
    states = np.empty((n, rows, K))
    events = np.empty((n, K))
    slopes = np.zeros((n, K))
    quiet = np.empty(
        n, dtype=np.bool_
    )  # -1 is the slope of every kind, before what ``slopes`` adds
    column = np.zeros(K)
    for i in range(K):
        for j in range(K):
            column[j] += A[i, j]
    g_baseline = np.zeros(K)
    g_A = np.zeros((K, K))
    g_fresh = np.zeros((rows, K))
    g_dispersion = np.zeros(K)
    seen_states = np.zeros((rows, K))
    state = np.zeros((rows, K))
    value = 0.0
    product = 1.0  # one log serves many bins
    for t in range(n):
        complete = not negbin
        for i in range(K):
            if math.isnan(counts[t, i]):
                complete = False
        quiet[t] = complete
        if complete:
            for j in range(K):
                value -= baseline[j] * days[t, j]
            if mode == EACH_PAIR:
                for i in range(K):
                    for j in range(K):
                        value -= A[i, j] * state[i, j]
            else:
                for j in range(K):
                    value -= column[j] * state[0, j]
        for i in range(K):
            y = counts[t, i]
            if complete and y == 0.0:
                events[t, i] = 0.0
                continue
            row = i if mode == EACH_PAIR else 0
            triggered = 0.0
            for j in range(K):
                triggered += A[i, j] * state[row, j]
            if math.isnan(y):
                events[t, i] = baseline[i] * bin_days[t] + triggered
                continue
            events[t, i] = y
            mean = baseline[i] * days[t, i] + triggered
            if complete:
                slopes[t, i] = y / mean
                if y == 1.0:
                    product *= mean
                else:
                    value += y * math.log(mean)
            else:
                spread = dispersion[i]
                shrunk = 1.0 / (1.0 + spread * mean)
                slopes[t, i] = -shrunk
                if y > 0.0:
                    slopes[t, i] += y * shrunk / mean
                    value += y * math.log(mean * shrunk)
                if spread * mean > 1e-4:
                    lost = math.log1p(spread * mean) / spread
                    curved = (lost - mean * shrunk) / spread
                else:
                    s = spread * mean
                    lost = mean * (1.0 - s * (0.5 - s * (1.0 / 3.0 - 0.25 * s)))
                    curved = mean * mean * (0.5 - s * (2.0 / 3.0 - 0.75 * s))
                value -= lost
                g_dispersion[i] += curved - y * mean * shrunk
            if product < 1e-200 or product > 1e200:
                value += math.log(product)
                product = 1.0
        for r in range(rows):
            for j in range(K):
                states[t, r, j] = state[r, j]
                state[r, j] += fresh[r, j] * (events[t, j] - state[r, j])
    value += math.log(product)
    adjoint = np.zeros((rows, K))  # of the state of the bin after
    for t in range(n - 1, -1, -1):
        if quiet[t]:
            for r in range(rows):
                for j in range(K):
                    a = adjoint[r, j]
                    g_fresh[r, j] += a * (events[t, j] - states[t, r, j])
                    own = A[r, j] if mode == EACH_PAIR else column[j]
                    adjoint[r, j] = a - a * fresh[r, j] - own
                    seen_states[r, j] += states[t, r, j]
            for i in range(K):
                g_baseline[i] -= days[t, i]
                s = slopes[t, i]
                if s == 0.0:
                    continue
                row = i if mode == EACH_PAIR else 0
                g_baseline[i] += s * days[t, i]
                for j in range(K):
                    g_A[i, j] += s * states[t, row, j]
                    adjoint[row, j] += s * A[i, j]
            continue
        weights = np.zeros(K)
        for i in range(K):
            if math.isnan(counts[t, i]):
                for r in range(rows):
                    weights[i] += adjoint[r, i] * fresh[r, i]
                g_baseline[i] += weights[i] * bin_days[t]
            else:
                weights[i] = slopes[t, i]
                g_baseline[i] += weights[i] * days[t, i]
        for r in range(rows):
            for j in range(K):
                a = adjoint[r, j]
                g_fresh[r, j] += a * (events[t, j] - states[t, r, j])
                adjoint[r, j] = a - a * fresh[r, j]
        for i in range(K):
            row = i if mode == EACH_PAIR else 0
            for j in range(K):
                g_A[i, j] += weights[i] * states[t, row, j]
                adjoint[row, j] += weights[i] * A[i, j]
    for i in range(K):  # sum of log y! and of log Gamma ratios, bins taken together
        for k in range(tail.shape[1]):
            value -= tail[i, k] * math.log1p(k)
            if negbin:
                value += tail[i, k] * math.log1p(dispersion[i] * k)
                g_dispersion[i] += tail[i, k] * k / (1.0 + dispersion[i] * k)
    gradient[:] = 0.0
    start = K + K * K
    for i in range(K):
        gradient[i] = g_baseline[i]
        for j in range(K):
            row = i if mode == EACH_PAIR else 0
            gradient[K + i * K + j] = g_A[i, j] - seen_states[row, j]
    for r in range(rows):
        for j in range(K):
            place = start if mode == SHARED else start + r * K + j
            gradient[place] += g_fresh[r, j] * fresh_slope[r, j]
    if negbin:
        for i in range(K):
            gradient[len(parameters) - K + i] = g_dispersion[i]
    return value


@njit(cache=True, error_model="numpy")
def _log_above(z: float) -> float:
    """Log probability that a standard normal exceeds ``z``, without cancellation."""
    if z < 0.0:
        return math.log1p(-0.5 * math.erfc(-z / ROOT_2))
    return math.log(0.5 * math.erfc(z / ROOT_2))


@njit(cache=True, error_model="numpy")
def _half_normal(z: float) -> tuple[float, float]:
    """Quantile of the standard half-normal distribution at the probability below ``z``, and its derivative in z."""
    if z < -5.0:  # so near 0 the distribution is flat
        below = 0.5 * math.erfc(-z / ROOT_2)
        return math.sqrt(0.5 * math.pi) * below, 0.5 * math.exp(-0.5 * z * z)
    wanted = _log_above(z)
    x = math.sqrt(-2.0 * wanted)  # lies above the root, from where Newton's steps never overshoot
    for _ in range(60):
        above = math.erfc(x / ROOT_2)
        height = math.log1p(-math.erf(x / ROOT_2)) if x < 1.0 else math.log(above)
        hazard = 2.0 * math.exp(-0.5 * x * x - LOG_ROOT) / above
        step = (height - wanted) / hazard
        x += step
        if abs(step) <= 1e-15 * x or x <= 0.0:
            break
    x = max(x, 0.0)
    return x, 0.5 * math.exp(0.5 * (x * x - z * z))


@njit(cache=True, error_model="numpy")
def _lomax(z: float, shape: float) -> tuple[float, float]:
    """Quantile of the Lomax distribution of scale 1 at the probability below ``z``, and its derivative in z."""
    log_above = _log_above(z)
    x = math.expm1(-log_above / shape)
    return x, math.exp(-0.5 * z * z - LOG_ROOT - log_above) * (1.0 + x) / shape


@njit(cache=True, error_model="numpy")
def natural(
    z: Floats, prior: Floats, kinds: int, negbin: bool, parameters: Floats, slope: Floats
) -> None:
    """Write the parameters that ``z`` stands for, and their derivatives in ``z``.

    ``prior``: mean and sd of log baseline, scale of the half-normal diagonal, scale and shape of the Lomax entries off
    it, mean and sd of log decay, scale of the half-normal dispersions.
    """
    last = len(parameters) - (kinds if negbin else 0)
    for p in range(len(parameters)):
        if p < kinds:
            parameters[p] = math.exp(prior[0] + prior[1] * z[p])
            slope[p] = prior[1] * parameters[p]
        elif p < kinds + kinds * kinds:
            place = p - kinds
            if place // kinds == place % kinds:
                x, rise = _half_normal(z[p])
                parameters[p] = prior[2] * x
                slope[p] = prior[2] * rise
            else:
                x, rise = _lomax(z[p], prior[4])
                parameters[p] = prior[3] * x
                slope[p] = prior[3] * rise
        elif p < last:
            parameters[p] = math.exp(prior[5] + prior[6] * z[p])
            slope[p] = prior[6] * parameters[p]
        else:
            x, rise = _half_normal(z[p])
            parameters[p] = prior[7] * x
            slope[p] = prior[7] * rise


@njit(cache=True, error_model="numpy")
def natural_rows(z: Floats, prior: Floats, kinds: int, negbin: bool) -> Floats:
    """``natural`` of each row, shape (draws, p)."""
    out = np.empty_like(z)
    slope = np.empty(z.shape[1])
    for d in range(len(z)):
        natural(z[d], prior, kinds, negbin, out[d], slope)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_posterior(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    mode: int,
    negbin: bool,
    prior: Floats,
    z: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood plus log prior density of ``z``, and its gradient in ``z``."""
    p = len(z)
    square = 0.0
    for k in range(p):
        square += z[k] * z[k]
        if not abs(z[k]) < FURTHEST:
            return -math.inf
    parameters = np.empty(p)
    slope = np.empty(p)
    natural(z, prior, counts.shape[1], negbin, parameters, slope)
    value: float = log_likelihood(
        counts, days, bin_days, width, tail, mode, negbin, parameters, gradient
    )
    for k in range(p):
        gradient[k] = gradient[k] * slope[k] - z[k]
    return value - 0.5 * square - p * LOG_ROOT


@njit(cache=True, error_model="numpy")
def evaluate(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    mode: int,
    negbin: bool,
    prior: Floats,
    z: Floats,
) -> Floats:
    """``log_posterior`` at each row of ``z``, shape (draws, p)."""
    out = np.empty(len(z))
    gradient = np.zeros(z.shape[1])
    for d in range(len(z)):
        out[d] = log_posterior(
            counts, days, bin_days, width, tail, mode, negbin, prior, z[d], gradient
        )
    return out
