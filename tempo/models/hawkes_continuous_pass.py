"""The general Hawkes likelihood in continuous time: any kernel, baseline, marks and inputs; value and gradient.

    intensity(t) = baseline exp(x_day b) + sum_j branching_j sum_i z_i h_j(t - delay - t_ji)

over the events ``t_ji`` of source ``j``: the process itself (weighted by marks ``z`` where there are any) and inputs.
The log-likelihood is the sum of the log intensities of the attacks less the integral of the intensity, which is exact:
the baseline is constant within a day. Exponential kernels follow a recursion from event to event; the others come as
sums over a grid of ages that were made once (``hawkes_continuous_ages``). Either way an evaluation is linear in the
number of attacks.

The data are the block of the daily model, with the times behind it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_continuous_ages import age_density
from tempo.models.hawkes_observed import mark_weights
from tempo.models.hawkes_shapes import decays_and_shares, mixture_slopes

__all__ = ["recursion", "timed_likelihood"]

type Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def recursion(
    at: Floats, span: float, sources: Floats, amounts: Floats, decay: float, out: Floats
) -> tuple[float, float, float, float]:
    """Write ``sum z exp(-decay age)`` and ``sum z age exp(-decay age)`` at each time, over earlier sources: (2, times).

    Returns both sums at time 0, over sources up to then, and at ``span``.
    """
    carried = aged = 0.0
    last = 0.0
    i = 0
    m = len(sources)
    while i < m and sources[i] <= 0.0:
        kept = amounts[i] * math.exp(decay * sources[i])
        carried += kept
        aged -= sources[i] * kept
        i += 1
    begin, begin_aged = carried, aged
    for e in range(len(at) + 1):
        now = at[e] if e < len(at) else span
        while i < m and sources[i] < now:
            gap = sources[i] - last
            if gap > 0.0:
                kept = math.exp(-decay * gap)
                aged = kept * (aged + gap * carried)
                carried *= kept
            carried += amounts[i]
            last = sources[i]
            i += 1
        gap = now - last
        if gap > 0.0:
            kept = math.exp(-decay * gap)
            aged = kept * (aged + gap * carried)
            carried *= kept
        last = now
        if e < len(at):
            out[0, e] = carried
            out[1, e] = aged
    return begin, begin_aged, carried, aged


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _product(rows: Floats, levels: Floats, weight: float, out: Floats) -> None:
    """Add ``weight`` times the product of each row with the levels."""
    for e in range(rows.shape[0]):
        total = 0.0
        for b in range(rows.shape[1]):
            total += rows[e, b] * levels[b]
        out[e] += weight * total


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _gather(rows: Floats, weights: Floats, out: Floats) -> None:
    """Add the weighted sum of the rows."""
    for e in range(rows.shape[0]):
        weight = weights[e]
        for b in range(rows.shape[1]):
            out[b] += weight * rows[e, b]


@njit(cache=True, error_model="numpy")
def timed_likelihood(block: Floats, theta: Floats, gradient: Floats, parts_of: Floats) -> float:
    """Log-likelihood, its gradient added to ``gradient`` (none if that is empty), and the intensity of each attack.

    ``parts_of``, shape (1 + sources, attacks) or empty, gets the intensity by source, the baseline first.
    """
    n_days, q, sources = int(block[1]), int(block[2]), int(block[3])
    kind, parts = int(block[4]), int(block[5])
    own_shapes, values, shape = block[9] > 0, int(block[11]), int(block[14])
    sloped = len(gradient) > 0
    at = int(block[17])
    design = block[at : at + n_days * q].reshape((q, n_days))
    at = int(block[18])
    mark_value = block[at - 2 * values : at - values]
    mark_number = block[at - values : at]
    at = int(block[19])
    n, size, series, classes = (
        int(block[at]),
        int(block[at + 1]),
        int(block[at + 2]),
        int(block[at + 3]),
    )
    at += 4
    day = block[at : at + n]
    at += n
    time = block[at : at + n]
    at += n
    stop = block[at : at + series]
    span = block[at + series : at + 2 * series]
    at += 2 * series
    chain = kind <= 1
    nodes = block[at : at + size]
    masses = block[at + size : at + 2 * size]
    at += 2 * size

    at_branching = 1 + q
    at_shape = at_branching + sources
    at_mark = at_shape + shape * (sources if own_shapes else 1)

    rate = np.full(n_days, theta[0])
    for i in range(q):
        for t in range(n_days):
            rate[t] += theta[1 + i] * design[i, t]
    value = 0.0
    for t in range(n_days):
        rate[t] = math.exp(rate[t])
        value -= rate[t]
    intensity = np.empty(n)
    for e in range(n):
        intensity[e] = rate[int(day[e])]
    if len(parts_of):
        parts_of[0] = intensity

    weights = np.ones(classes)
    weight_slopes = np.zeros(classes)
    if values > 0:
        found, found_slopes = mark_weights(mark_value, mark_number, theta[at_mark])
        weights[1:] = found
        weight_slopes[1:] = found_slopes

    # Forward: the intensity, and the integral of the excitation with what its derivatives need.
    excited = np.zeros((sources, n))
    begins = np.empty(sources, dtype=np.int64)
    states = np.zeros((sources if chain else 0, parts, 2, n))
    marked_states = np.zeros((parts if chain and values > 0 else 0, 2, n))
    ends = np.zeros((sources if chain else 0, parts, 2))
    marked_ends = np.zeros(parts)
    levels = np.zeros((sources, size))
    slopes = np.zeros((sources, shape, size))
    decays = np.zeros((sources, parts))
    shares = np.zeros((sources, parts))
    for j in range(sources):
        begins[j] = at
        k = at_shape + (j * shape if own_shapes else 0)
        place = theta[k : k + shape]
        response = math.exp(theta[at_branching + j])
        integral = 0.0
        if chain:
            decays_and_shares(place, parts, decays[j], shares[j])
            first_at = 0
            for r in range(series):
                m = int(block[at])
                source = block[at + 1 : at + 1 + m]
                codes = block[at + 1 + m : at + 1 + 2 * m]
                at += 1 + 2 * m
                amounts = np.ones(m)
                amount_slopes = np.zeros(m)
                fed = fed_slope = 0.0
                for i in range(m):
                    if j == 0:
                        amounts[i] = weights[int(codes[i])]
                        amount_slopes[i] = weight_slopes[int(codes[i])]
                    if 0.0 < source[i] < span[r]:
                        fed += amounts[i]
                        fed_slope += amount_slopes[i]
                last_at = int(stop[r])
                times = time[first_at:last_at]
                for c in range(parts):
                    begin, begin_aged, end, end_aged = recursion(
                        times, span[r], source, amounts, decays[j, c],
                        states[j, c, :, first_at:last_at],
                    )  # fmt: skip
                    ends[j, c, 0] += fed + begin - end
                    ends[j, c, 1] += end_aged - begin_aged
                    if j == 0 and values > 0:
                        begin, begin_aged, end, end_aged = recursion(
                            times, span[r], source, amount_slopes, decays[j, c],
                            marked_states[c, :, first_at:last_at],
                        )  # fmt: skip
                        marked_ends[c] += fed_slope + begin - end
                first_at = last_at
            for c in range(parts):
                integral += shares[j, c] * ends[j, c, 0]
                for e in range(n):
                    excited[j, e] += shares[j, c] * decays[j, c] * states[j, c, 0, e]
        else:
            age_density(kind, place, nodes, masses, levels[j], slopes[j])
            own = classes if j == 0 else 1
            for v in range(own):
                rows = block[at : at + n * size].reshape((n, size))
                total = block[at + n * size : at + n * size + size]
                _product(rows, levels[j], weights[v], excited[j])
                for b in range(size):
                    integral += weights[v] * total[b] * levels[j, b]
                at += (n + 1) * size
        value -= response * integral
        for e in range(n):
            intensity[e] += response * excited[j, e]
        if len(parts_of):
            for e in range(n):
                parts_of[1 + j, e] = response * excited[j, e]
        if sloped:
            gradient[at_branching + j] -= response * integral
    pull = np.empty(n)
    for e in range(n):
        value += math.log(intensity[e])
        pull[e] = 1.0 / intensity[e]
    if not sloped:
        return value

    # Back: what each attack's log intensity says to every parameter.
    on_day = np.zeros(n_days)
    for t in range(n_days):
        on_day[t] = -rate[t]
    for e in range(n):
        t = int(day[e])
        on_day[t] += pull[e] * rate[t]
    for t in range(n_days):
        gradient[0] += on_day[t]
    for i in range(q):
        total_slope = 0.0
        for t in range(n_days):
            total_slope += on_day[t] * design[i, t]
        gradient[1 + i] += total_slope
    for j in range(sources):
        response = math.exp(theta[at_branching + j])
        k = at_shape + (j * shape if own_shapes else 0)
        along = 0.0
        for e in range(n):
            along += pull[e] * excited[j, e]
        gradient[at_branching + j] += response * along
        if chain:
            in_logs, in_shares = np.zeros(parts), np.zeros(parts)
            for c in range(parts):
                by_state = by_aged = by_mark = 0.0
                for e in range(n):
                    by_state += pull[e] * states[j, c, 0, e]
                    by_aged += pull[e] * states[j, c, 1, e]
                    if j == 0 and values > 0:
                        by_mark += pull[e] * marked_states[c, 0, e]
                decay, share = decays[j, c], shares[j, c]
                in_shares[c] = response * (decay * by_state - ends[j, c, 0])
                in_logs[c] = response * share * decay * (by_state - decay * by_aged - ends[j, c, 1])
                if j == 0 and values > 0:
                    gradient[at_mark] += response * share * (decay * by_mark - marked_ends[c])
            mixture_slopes(theta[k : k + shape], parts, in_logs, in_shares, gradient[k : k + shape])
            continue
        place_at = begins[j]
        own = classes if j == 0 else 1
        in_levels = np.zeros(size)
        for v in range(own):
            rows = block[place_at : place_at + n * size].reshape((n, size))
            total = block[place_at + n * size : place_at + n * size + size]
            gathered = np.zeros(size)
            _gather(rows, pull, gathered)
            by_mark = 0.0
            for b in range(size):
                gathered[b] -= total[b]
                in_levels[b] += weights[v] * gathered[b]
                by_mark += gathered[b] * levels[j, b]
            if j == 0 and values > 0:
                gradient[at_mark] += response * weight_slopes[v] * by_mark
            place_at += (n + 1) * size
        for i in range(shape):
            total_slope = 0.0
            for b in range(size):
                total_slope += in_levels[b] * slopes[j, i, b]
            gradient[k + i] += response * total_slope
    return value
