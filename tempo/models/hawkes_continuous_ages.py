"""Kernels of the continuous-time Hawkes model on a grid of ages, so that their likelihood needs no sum over pairs.

A kernel is a density of the age ``x`` at which an attack triggers another; its integral up to the longest lag ``L`` is
one. On a grid of ages it is a sum ``h(x) = sum_b h_b phi_b(x)`` of fixed functions ``phi_b`` with the levels ``h_b``
at the nodes of the grid. What the data have to say is then said once, whatever the parameters: for each attack the sums
of ``phi_b`` over the ages of all earlier ones, and for each day the integrals of those. A likelihood costs as many
multiplications as there are attacks times nodes.

    power       h_b ~ (1 + x_b / scale)^-(exponent + 1)
    gamma       h_b ~ x_b^(shape - 1) exp(-shape x_b / mean)
    histogram   h_b free; phi_b is 1 between two edges

For power and gamma ``phi_b`` interpolates over six nodes, 36 of which make a factor of ten in age: the density differs
from the one that is meant by less than 1e-6 of its peak (gamma shapes up to 5; a test holds it to that), and it is
normalised as it is used, so that branching ratio and integral are exact. A kernel may be much shorter than
the first node, so what it holds below that has a level of its own, the last one: the mean density there, in closed
form. The first node is younger than any age that the data have.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "STENCIL",
    "add_integral",
    "add_point",
    "age_density",
    "age_grid",
    "cell_masses",
    "lay_ages",
    "lay_days",
    "log_scale",
    "node_masses",
]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

NODES_PER_DECADE = 36
STENCIL = 6
_MOST_TERMS, _ALL_BELOW, _LARGE = 3_000, 1_500.0, 1e200
POWER, GAMMA, HISTOGRAM = 2, 3, 4
_DENOMINATORS = (-120.0, 24.0, -12.0, 12.0, -24.0, 120.0)
_GAUSS_PLACES = (-0.8611363115940526, -0.33998104358485626, 0.33998104358485626, 0.8611363115940526)
_TWO_POINTS = 0.5773502691896257
_GAUSS_WEIGHTS = (0.34785484513745385, 0.6521451548625461, 0.6521451548625461, 0.34785484513745385)


def age_grid(shortest_days: float, longest_days: float) -> Floats:
    """Give the nodes of a grid of ages, equally spaced on the log scale.

    Parameters
    ----------
    shortest_days, longest_days : float
        The first node and the last.

    Returns
    -------
    ndarray, shape (nodes,)
        Rising.
    """
    decades = math.log10(longest_days / shortest_days)
    return np.geomspace(
        shortest_days, longest_days, max(math.ceil(NODES_PER_DECADE * decades) + 1, 2 * STENCIL)
    )


@njit(cache=True, error_model="numpy")
def _interpolate(place: float, nodes: int, weights: Floats) -> int:
    """Write the weights of six nodes at a place between 0 and ``nodes - 1``; give the first of them."""
    first = min(max(int(place) - 2, 0), nodes - STENCIL)
    s = place - first
    after = 1.0
    for m in range(STENCIL):
        weights[m] = after / _DENOMINATORS[m]
        after *= s - m
    before = 1.0
    for m in range(STENCIL - 1, -1, -1):
        weights[m] *= before
        before *= s - m
    return first


@njit(cache=True, error_model="numpy")
def log_scale(smooth: bool, nodes: Floats) -> tuple[float, float]:
    """Give the log of the first node and the step to the next, of a kernel that is interpolated."""
    if not smooth:
        return 0.0, 1.0
    first = math.log(nodes[0])
    return first, (math.log(nodes[-1]) - first) / (len(nodes) - 1)


@njit(cache=True, error_model="numpy")
def add_point(
    smooth: bool,
    nodes: Floats,
    scale: tuple[float, float],
    age: float,
    amount: float,
    row: Floats,
    weights: Floats,
) -> None:
    """Add ``amount`` times every ``phi_b(age)`` to a row. ``weights`` is room for six numbers."""
    last = len(nodes) - 1
    if not age <= nodes[last]:
        return
    if not smooth:
        for b in range(last):
            if age < nodes[b + 1]:
                row[b] += amount
                return
        return
    if age <= nodes[0]:
        row[last + 1] += amount
        return
    first = _interpolate((math.log(age) - scale[0]) / scale[1], last + 1, weights)
    for m in range(STENCIL):
        row[first + m] += amount * weights[m]


@njit(cache=True, error_model="numpy")
def _add_piece(
    scale: tuple[float, float],
    size: int,
    low: float,
    high: float,
    amount: float,
    row: Floats,
    weights: Floats,
) -> None:
    """Add the integrals of ``phi_b`` over ages within one cell, given by their logs."""
    half = 0.5 * (high - low)
    if half < 0.1 * scale[1]:  # so short that two points do
        for sign in (-1.0, 1.0):
            log_age = low + half * (1.0 + sign * _TWO_POINTS)
            first = _interpolate((log_age - scale[0]) / scale[1], size, weights)
            part = amount * half * math.exp(log_age)
            for m in range(STENCIL):
                row[first + m] += part * weights[m]
        return
    for g in range(4):
        log_age = low + half * (1.0 + _GAUSS_PLACES[g])
        first = _interpolate((log_age - scale[0]) / scale[1], size, weights)
        part = amount * half * _GAUSS_WEIGHTS[g] * math.exp(log_age)
        for m in range(STENCIL):
            row[first + m] += part * weights[m]


@njit(cache=True, error_model="numpy")
def add_integral(
    smooth: bool,
    nodes: Floats,
    scale: tuple[float, float],
    low: float,
    high: float,
    amount: float,
    row: Floats,
    weights: Floats,
) -> None:
    """Add ``amount`` times the integral of every ``phi_b`` from age ``low`` to age ``high`` to a row."""
    last = len(nodes) - 1
    high = min(high, nodes[last])
    if not high > low:
        return
    if not smooth:
        for b in range(last):
            overlap = min(high, nodes[b + 1]) - max(low, nodes[b])
            if overlap > 0.0:
                row[b] += amount * overlap
        return
    if low < nodes[0]:
        row[last + 1] += amount * (min(high, nodes[0]) - low)
        low = nodes[0]
        if not high > low:
            return
    first_log, step = scale
    u, end = math.log(low), math.log(high)
    cell = min(int((u - first_log) / step), last - 1)
    while u < end:
        stop = min(first_log + (cell + 1) * step, end) if cell < last - 1 else end
        if stop > u:
            _add_piece(scale, last + 1, u, stop, amount, row, weights)
            u = stop
        cell += 1


@njit(cache=True, error_model="numpy")
def node_masses(smooth: bool, nodes: Floats) -> Floats:
    """Give the integral of each ``phi_b``, shape (levels,)."""
    out = np.zeros(len(nodes) + 1 if smooth else len(nodes) - 1)
    scale = log_scale(smooth, nodes)
    add_integral(smooth, nodes, scale, 0.0, nodes[-1], 1.0, out, np.empty(STENCIL))
    return out


@njit(cache=True, error_model="numpy")
def lay_ages(
    smooth: bool, nodes: Floats, at: Floats, sources: Floats, codes: Ints, rows: Floats
) -> None:
    """Add up ``phi_b`` over the ages at the times ``at`` of all earlier sources, by class: (classes, times, levels).

    ``sources`` rise. An event at the very time of another is not earlier.
    """
    longest = nodes[-1]
    scale = log_scale(smooth, nodes)
    weights = np.empty(STENCIL)
    first = 0
    for e in range(len(at)):
        while first < len(sources) and at[e] - sources[first] > longest:
            first += 1
        for i in range(first, len(sources)):
            if not sources[i] < at[e]:
                break
            add_point(smooth, nodes, scale, at[e] - sources[i], 1.0, rows[codes[i], e], weights)


@njit(cache=True, error_model="numpy")
def lay_days(
    smooth: bool, nodes: Floats, n_days: int, sources: Floats, codes: Ints, rows: Floats
) -> None:
    """Add up the integrals of ``phi_b`` over each day, for all sources, by class: (classes, days, levels)."""
    longest = nodes[-1]
    scale = log_scale(smooth, nodes)
    weights = np.empty(STENCIL)
    for i in range(len(sources)):
        for day in range(max(math.floor(sources[i]), 0), n_days):
            low = max(day - sources[i], 0.0)
            if low >= longest:
                break
            high = day + 1.0 - sources[i]
            add_integral(smooth, nodes, scale, low, high, 1.0, rows[codes[i], day], weights)


@njit(cache=True, error_model="numpy")
def _power_below(scale: float, exponent: float, age: float, slopes: Floats) -> float:
    """Log of the integral of ``(1 + x / scale)^-(exponent + 1)`` up to an age; its slopes in the logs of both."""
    log_u = math.log1p(age / scale)
    left = math.exp(-exponent * log_u)
    mass = -math.expm1(-exponent * log_u) * scale / exponent
    slopes[0] = 1.0 - age * left / (1.0 + age / scale) / mass
    slopes[1] = scale * left * log_u / mass - 1.0
    return math.log(mass)


@njit(cache=True, error_model="numpy")
def _gamma_below(shape: float, mean: float, age: float, slopes: Floats) -> float:
    """Log of the integral of ``x^(shape - 1) exp(-shape x / mean)`` up to an age; its slopes in the logs of both.

    The incomplete gamma function by its series of positive terms, ``z^j / (shape (shape + 1) ... (shape + j))``.
    """
    z = shape * age / mean
    if z > _ALL_BELOW:  # nothing is left above the age, so that no slope matters
        slopes[:] = 0.0
        return math.lgamma(shape) - shape * math.log(shape / mean)
    taken_out = 0.0
    term = 1.0 / shape
    term_slope = -1.0 / shape  # of the log of the term, in the shape
    total = term
    in_shape, in_z = term * term_slope, 0.0
    for j in range(1, _MOST_TERMS):
        term *= z / (shape + j)
        term_slope -= 1.0 / (shape + j)
        total += term
        in_shape += term * term_slope
        in_z += j * term
        if z < shape + j and term < 1e-17 * total:
            break
        if total > _LARGE:
            term, total, in_shape, in_z = (
                term / _LARGE, total / _LARGE, in_shape / _LARGE, in_z / _LARGE
            )  # fmt: skip
            taken_out += math.log(_LARGE)
    by_z = in_z / total - z  # in log z; exp(-z) stands before the sum
    slopes[0] = shape * (math.log(age) + in_shape / total) + by_z
    slopes[1] = -by_z
    return shape * math.log(age) - z + math.log(total) + taken_out


@njit(cache=True, error_model="numpy")
def age_density(
    kind: int, place: Floats, nodes: Floats, masses: Floats, levels: Floats, slopes: Floats
) -> None:
    """Write the levels of a kernel, and their derivatives in its unbounded parameters: (parameters, levels)."""
    size = len(masses)
    largest = -math.inf
    below = np.empty(2)
    if kind == POWER:
        scale, exponent = math.exp(place[0]), math.exp(place[1])
        levels[size - 1] = _power_below(scale, exponent, nodes[0], below) - math.log(nodes[0])
        for b in range(size - 1):
            x = nodes[b] / scale
            log_u = math.log1p(x)
            levels[b] = -(exponent + 1.0) * log_u
            slopes[0, b] = (exponent + 1.0) * x / (1.0 + x)
            slopes[1, b] = -exponent * log_u
            largest = max(largest, levels[b])
    elif kind == GAMMA:
        shape, mean = math.exp(place[0]), math.exp(place[1])
        levels[size - 1] = _gamma_below(shape, mean, nodes[0], below) - math.log(nodes[0])
        for b in range(size - 1):
            x, log_x = nodes[b], math.log(nodes[b])
            levels[b] = (shape - 1.0) * log_x - shape * x / mean
            slopes[0, b] = shape * (log_x - x / mean)
            slopes[1, b] = shape * x / mean
            largest = max(largest, levels[b])
    else:
        level = 0.0
        for b in range(size):
            if b > 0:
                level += place[b - 1]
            levels[b] = level
            for i in range(len(slopes)):
                slopes[i, b] = 1.0 if b > i else 0.0
            largest = max(largest, level)
    if kind != HISTOGRAM:
        slopes[0, size - 1], slopes[1, size - 1] = below[0], below[1]
        largest = max(largest, levels[size - 1])
    total = 0.0
    for b in range(size):
        levels[b] = math.exp(levels[b] - largest)
        total += masses[b] * levels[b]
    for b in range(size):
        levels[b] /= total
    for i in range(len(slopes)):
        average = 0.0
        for b in range(size):
            average += masses[b] * levels[b] * slopes[i, b]
        for b in range(size):
            slopes[i, b] = levels[b] * (slopes[i, b] - average)


@njit(cache=True, error_model="numpy")
def cell_masses(smooth: bool, nodes: Floats, levels: Floats) -> Floats:
    """Give the mass of each cell: below the first node, then between nodes; of a histogram, of each level."""
    if not smooth:
        out = np.empty(len(levels))
        for b in range(len(levels)):
            out[b] = levels[b] * (nodes[b + 1] - nodes[b])
        return out
    out = np.empty(len(nodes))
    last = len(nodes) - 1
    step = log_scale(smooth, nodes)[1]
    weights = np.empty((4, STENCIL))
    for g in range(4):  # away from the ends all cells are alike, up to their length
        _interpolate(2.0 + 0.5 * (1.0 + _GAUSS_PLACES[g]), last + 1, weights[g])
    edge = np.empty(STENCIL)
    out[0] = levels[last + 1] * nodes[0]
    for k in range(last):
        mass = 0.0
        for g in range(4):
            share = 0.5 * (1.0 + _GAUSS_PLACES[g])
            value = 0.0
            if 2 <= k <= last - 3:
                for m in range(STENCIL):
                    value += weights[g, m] * levels[k - 2 + m]
            else:
                first = _interpolate(k + share, last + 1, edge)
                for m in range(STENCIL):
                    value += edge[m] * levels[first + m]
            mass += _GAUSS_WEIGHTS[g] * value * math.exp(step * share)
        out[k + 1] = max(0.5 * step * nodes[k] * mass, 0.0)
    return out
