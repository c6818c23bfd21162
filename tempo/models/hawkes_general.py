"""The general daily Hawkes likelihood: any kernel, baseline, inputs, marks and observation; value and gradient.

    m_t = days_t baseline exp(x_t b) + sum_j branching_j S_jt,     S_jt = sum_k h_jk Z_j,t-k

Source 0 is the process itself, whose ``Z`` is its counts (weighted by marks where there are any); other sources are
inputs that are known. A bin that nobody watched enters as its conditional mean, a bin of the history is known and not
scored. Observation: Poisson; negative binomial with variance ``m + a m^2``; or a hurdle, where a bin has attacks with
probability ``1 - exp(-m / s)`` and their number is a zero-truncated negative binomial with mean ``s``.

The gradient is taken in reverse: one pass back over the bins gives the derivative in every weight of the kernel, so
that its cost does not grow with the number of parameters. All data sit in one block of numbers, which a sampler written
in another language can be handed as a pointer. A block that holds times of events (``hawkes_continuous_pass``) has the
likelihood of those; climbing, sampling and priors are the same.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_continuous_pass import timed_likelihood
from tempo.models.hawkes_observed import mark_weights, observe
from tempo.models.hawkes_shapes import component_slopes, components, lag_weights

__all__ = [
    "FILLED",
    "HEADER",
    "KNOWN",
    "SCORED",
    "densities",
    "density",
    "expectations",
]

type Floats = NDArray[np.float64]

HEADER = 24
KNOWN, SCORED, FILLED = 0.0, 1.0, 2.0


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _excite(
    chain: bool,
    weights: Floats,
    fresh: Floats,
    shares: Floats,
    delay: int,
    stop: Floats,
    role: Floats,
    background: Floats,
    branching: float,
    z: Floats,
    state: Floats,
    total: Floats,
) -> None:
    """Write the excitation of each bin into ``total``; bins to be filled get their mean as ``z`` on the way."""
    n = len(z)
    if chain:
        start = 0
        for t in range(n):
            if t > 0 and stop[t - 1] == t:
                start = t
            fed = z[t - 1 - delay] if t - 1 - delay >= start else 0.0
            all_parts = 0.0
            for c in range(len(fresh)):
                before = state[c, t - 1] if t > start else 0.0
                state[c, t] = before + fresh[c] * (fed - before)
                all_parts += shares[c] * state[c, t]
            total[t] = all_parts
            if role[t] == 2.0:
                z[t] = background[t] + branching * all_parts
        return
    lags = len(weights)
    for t in range(n):
        total[t] = 0.0
    for t in range(n):
        if role[t] == 2.0:
            z[t] = background[t] + branching * total[t]
        if z[t] != 0.0:
            first = t + 1 + delay
            size = z[t]
            ahead = total[first:]
            for k in range(min(lags, int(stop[t]) - first)):
                ahead[k] += weights[k] * size


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _reverse(
    chain: bool,
    weights: Floats,
    fresh: Floats,
    shares: Floats,
    delay: int,
    stop: Floats,
    role: Floats,
    branching: float,
    z: Floats,
    state: Floats,
    slope: Floats,
    own: bool,
    in_z: Floats,
    in_weights: Floats,
    in_fresh: Floats,
    in_shares: Floats,
) -> None:
    """Take ``slope`` (derivative in each mean) back to kernel and counts; the slope of filled bins is completed."""
    n = len(z)
    if chain:
        parts = len(fresh)
        back = np.zeros((parts, n + 1))
        for t in range(n - 1, -1, -1):
            end = int(stop[t])
            later = t + 1 + delay
            if later < end:
                reached = 0.0
                for c in range(parts):
                    reached += fresh[c] * back[c, later]
                in_z[t] = reached
            else:
                in_z[t] = 0.0
            if own and role[t] == 2.0:
                slope[t] = in_z[t]
            for c in range(parts):
                flow = (1.0 - fresh[c]) * back[c, t + 1] if t + 1 < end else 0.0
                back[c, t] = shares[c] * branching * slope[t] + flow
                in_shares[c] += branching * slope[t] * state[c, t]
        start = 0
        for t in range(n):
            if t > 0 and stop[t - 1] == t:
                start = t
            fed = z[t - 1 - delay] if t - 1 - delay >= start else 0.0
            for c in range(parts):
                before = state[c, t - 1] if t > start else 0.0
                in_fresh[c] += back[c, t] * (fed - before)
        return
    lags = len(weights)
    for t in range(n - 1, -1, -1):
        first = t + 1 + delay
        reach = min(lags, int(stop[t]) - first)
        ahead = slope[first:]
        if own:
            reached = 0.0
            for k in range(reach):
                reached += weights[k] * ahead[k]
            in_z[t] = branching * reached
            if role[t] == 2.0:
                slope[t] = in_z[t]
        if z[t] != 0.0:
            size = branching * z[t]
            for k in range(reach):
                in_weights[k] += size * ahead[k]


@njit(cache=True, error_model="numpy")
def _prior(
    kinds: Floats, means: Floats, sds: Floats, which: int, theta: Floats, gradient: Floats
) -> float:
    """Log prior density of unbounded parameters: 0 normal, 1 log of a half-normal, 2 normal that also penalises.

    ``which``: 0 nothing, 1 everything, 2 penalties alone.
    """
    value = 0.0
    log_root = 0.5 * math.log(2.0 * math.pi)
    for i in range(len(kinds)):
        if which == 0 or (which == 2 and kinds[i] != 2.0):
            continue
        if kinds[i] == 1.0:
            z = math.exp(theta[i]) / sds[i]
            value += theta[i] - 0.5 * z * z - math.log(sds[i]) - log_root + math.log(2.0)
            gradient[i] += 1.0 - z * z
        else:
            z = (theta[i] - means[i]) / sds[i]
            value += -0.5 * z * z - math.log(sds[i]) - log_root
            gradient[i] -= z / sds[i]
    return value


@njit(cache=True, error_model="numpy")
def _pass(
    block: Floats,
    which: int,
    theta: Floats,
    gradient: Floats,
    sloped: bool,
    base: Floats,
    triggered: Floats,
    forced: Floats,
) -> float:
    """Everything in one pass: log density, its gradient where ``sloped``, and the three parts of each mean."""
    n, q, sources = int(block[1]), int(block[2]), int(block[3])
    kind, parts, lags, delay = int(block[4]), int(block[5]), int(block[6]), int(block[7])
    observation, own_shapes, events, values = (
        int(block[8]),
        block[9] > 0,
        int(block[10]),
        int(block[11]),
    )
    p, tail_size, shape, width = int(block[12]), int(block[13]), int(block[14]), block[15]
    at = HEADER
    design = block[at : at + n * q].reshape((q, n))
    at += n * q
    inputs = block[at : at + sources * n].reshape((sources, n))
    at += sources * n
    counts = block[at : at + n]
    days = block[at + n : at + 2 * n]
    role = block[at + 2 * n : at + 3 * n]
    stop = block[at + 3 * n : at + 4 * n]
    at += 4 * n
    group = block[at : at + lags]
    at += lags
    tail = block[at : at + tail_size]
    at += tail_size
    mark_bin = block[at : at + events]
    mark_code = block[at + events : at + 2 * events]
    at += 2 * events
    mark_value = block[at : at + values]
    mark_number = block[at + values : at + 2 * values]
    at += 2 * values
    prior_kind = block[at : at + p]
    prior_mean = block[at + p : at + 2 * p]
    prior_sd = block[at + 2 * p : at + 3 * p]

    at_branching = 1 + q
    at_shape = at_branching + sources
    at_mark = at_shape + shape * (sources if own_shapes else 1)
    at_observation = at_mark + (1 if values > 0 else 0)
    chain = kind <= 1

    for t in range(n):
        base[t] = theta[0]
        forced[t] = 0.0
    for i in range(q):
        coefficient = theta[1 + i]
        for t in range(n):
            base[t] += coefficient * design[i, t]
    for t in range(n):
        base[t] = days[t] * math.exp(base[t]) if days[t] > 0 else 0.0

    z = np.empty((sources, n))
    total = np.empty((sources, n))
    state = np.empty((sources, parts if chain else 0, n))
    weights = np.empty((sources, 0 if chain else lags))
    slopes = np.empty((sources, shape, 0 if chain else lags))
    fresh = np.empty((sources, parts if chain else 0))
    shares = np.empty((sources, parts if chain else 0))
    for j in range(sources):
        k = at_shape + (j * shape if own_shapes else 0)
        place = theta[k : k + shape]
        if chain:
            _, found_fresh, found_shares = components(place, parts, width)
            for c in range(parts):
                fresh[j, c] = found_fresh[c]
                shares[j, c] = found_shares[c]
        else:
            lag_weights(kind, place, parts, width, group, weights[j], slopes[j])
        for t in range(n):
            z[j, t] = inputs[j, t]
    marked, mark_slope = mark_weights(
        mark_value, mark_number, theta[at_mark] if values > 0 else 0.0
    )
    for e in range(events):
        z[0, int(mark_bin[e])] += marked[int(mark_code[e])]

    nothing = np.zeros(n)
    for j in range(1, sources):
        response = math.exp(theta[at_branching + j])
        _excite(
            chain,
            weights[j],
            fresh[j],
            shares[j],
            delay,
            stop,
            nothing,
            nothing,
            0.0,
            z[j],
            state[j],
            total[j],
        )
        for t in range(n):
            forced[t] += response * total[j, t]
    branching = math.exp(theta[at_branching])
    background = np.empty(n)
    for t in range(n):
        background[t] = base[t] + forced[t]
    _excite(
        chain,
        weights[0],
        fresh[0],
        shares[0],
        delay,
        stop,
        role,
        background,
        branching,
        z[0],
        state[0],
        total[0],
    )
    mean = np.empty(n)
    for t in range(n):
        triggered[t] = branching * total[0, t]
        mean[t] = background[t] + triggered[t]

    for i in range(p):
        gradient[i] = 0.0
    slope = np.empty(n)
    value: float = observe(
        observation,
        mean,
        counts,
        role,
        tail,
        theta[at_observation:],
        slope,
        gradient[at_observation:],
    )
    value += _prior(prior_kind, prior_mean, prior_sd, which, theta, gradient)
    if not sloped:
        return value

    in_z = np.zeros(n)
    for j in range(sources):
        in_weights = np.zeros(0 if chain else lags)
        in_fresh = np.zeros(parts if chain else 0)
        in_shares = np.zeros(parts if chain else 0)
        amount = math.exp(theta[at_branching + j])
        completes = j == 0 and (block[16] > 0 or values > 0)
        _reverse(
            chain, weights[j], fresh[j], shares[j], delay, stop, role, amount, z[j], state[j], slope, completes,
            in_z, in_weights, in_fresh, in_shares,
        )  # fmt: skip
        if j == 0 and values > 0:
            for e in range(events):
                gradient[at_mark] += in_z[int(mark_bin[e])] * mark_slope[int(mark_code[e])]
        along = 0.0
        for t in range(n):
            along += slope[t] * total[j, t]
        gradient[at_branching + j] += along * amount
        k = at_shape + (j * shape if own_shapes else 0)
        if chain:
            component_slopes(
                theta[k : k + shape], parts, width, in_fresh, in_shares, gradient[k : k + shape]
            )
        else:
            for i in range(shape):
                along = 0.0
                for lag in range(lags):
                    along += in_weights[lag] * slopes[j, i, lag]
                gradient[k + i] += along
    along = 0.0
    for t in range(n):
        along += slope[t] * base[t]
    gradient[0] += along
    for i in range(q):
        along = 0.0
        for t in range(n):
            along += slope[t] * base[t] * design[i, t]
        gradient[1 + i] += along
    return value


@njit(cache=True, error_model="numpy")
def _timed(block: Floats, which: int, theta: Floats, gradient: Floats, sloped: bool) -> float:
    """``density`` of a block that holds times."""
    p, at = int(block[12]), int(block[18])
    gradient[:] = 0.0
    parts_of = np.empty((0, 0))
    value: float = timed_likelihood(block, theta, gradient[: p if sloped else 0], parts_of)
    value += _prior(
        block[at : at + p],
        block[at + p : at + 2 * p],
        block[at + 2 * p : at + 3 * p],
        which,
        theta,
        gradient,
    )
    return value


@njit(cache=True, error_model="numpy")
def density(block: Floats, which: int, theta: Floats, gradient: Floats) -> float:
    """Log-likelihood plus the log prior that ``which`` asks for (0 none, 1 all, 2 penalties), with its gradient."""
    if block[17] > 0:
        timed: float = _timed(block, which, theta, gradient, True)
        return timed
    n = int(block[1])
    value: float = _pass(block, which, theta, gradient, True, np.empty(n), np.empty(n), np.empty(n))
    return value


@njit(cache=True, error_model="numpy")
def densities(block: Floats, which: int, thetas: Floats) -> Floats:
    """``density`` at each row, without gradients: shape (draws,)."""
    n = int(block[1])
    base, triggered, forced = np.empty(n), np.empty(n), np.empty(n)
    gradient = np.empty(thetas.shape[1])
    out = np.empty(len(thetas))
    for i in range(len(thetas)):
        if block[17] > 0:
            out[i] = _timed(block, which, thetas[i], gradient, False)
        else:
            out[i] = _pass(block, which, thetas[i], gradient, False, base, triggered, forced)
    return out


@njit(cache=True, error_model="numpy")
def expectations(block: Floats, thetas: Floats) -> tuple[Floats, Floats, Floats]:
    """Parts of the mean of each bin at each row: baseline, triggered by the process, by inputs; each (draws, n)."""
    n = int(block[1])
    draws = len(thetas)
    base, triggered, forced = np.empty((draws, n)), np.empty((draws, n)), np.empty((draws, n))
    gradient = np.empty(thetas.shape[1])
    for i in range(draws):
        _pass(block, 0, thetas[i], gradient, False, base[i], triggered[i], forced[i])
    return base, triggered, forced
