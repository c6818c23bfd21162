"""Simulation of general Hawkes processes in continuous time, family by family, given what happened before.

Attacks to come are immigrants of the baseline, the offspring of what is already known (attacks, history, inputs), and
their offspring in turn (Hawkes & Oakes 1974, J. Appl. Probab. 11). Ages are drawn from the kernel itself: from a
mixture of exponentials, or from the grid of ages by its exact cell masses, and linearly within a cell of 7 % of the
age.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_continuous_ages import age_density, cell_masses
from tempo.models.hawkes_kernels_random import exponential, poisson, uniform
from tempo.models.hawkes_shapes import decays_and_shares

__all__ = ["Past", "timed_paths"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Seeds = NDArray[np.uint64]


class Past(NamedTuple):
    """What is known to excite, by time in days from the start of the simulation (the delay included)."""

    at: Floats
    source: Ints
    code: Ints


@njit(cache=True, error_model="numpy")
def _drawn_age(
    chain: bool, rates: Floats, reached: Floats, nodes: Floats, first: int, stream: Seeds
) -> float:
    """Draw an age; of a kernel on the grid, from the cells from ``first`` on."""
    size = len(reached)
    floor = reached[first - 1] if first > 0 else 0.0
    u = floor + uniform(stream) * (reached[size - 1] - floor)
    k = first
    if chain:
        while k < size - 1 and u > reached[k]:
            k += 1
        age: float = exponential(stream) / rates[k]
        return age
    k = min(int(np.searchsorted(reached, u)), size - 1)
    share = uniform(stream)
    if len(nodes) > size:  # a histogram: level k lies between two edges
        low, high = nodes[k], nodes[k + 1]
    elif k == 0:
        low, high = 0.0, nodes[0]
    else:
        low, high = nodes[k - 1], nodes[k]
        left, right = rates[k - 1], rates[k]
        if left > 0.0 and right > 0.0:
            root = math.sqrt(left * left + share * (right * right - left * left))
            share *= (left + right) / (left + root)
    inside: float = low + share * (high - low)
    return inside


@njit(cache=True, error_model="numpy")
def _first_cell(nodes: Floats, size: int, age: float) -> int:
    """Give the cell of the grid that an age lies in."""
    place = int(np.searchsorted(nodes, age))
    return min(place - 1 if len(nodes) > size and place > 0 else place, size - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def timed_paths(
    background: Floats,
    past: Past,
    responses: Floats,
    weights: Floats,
    seen: Ints,
    kind: int,
    parts: int,
    place: Floats,
    nodes: Floats,
    masses: Floats,
    delay: float,
    seed: Seeds,
    cap: int,
    out: Ints,
) -> Floats:
    """Count attacks by day, shape (draws, days), and give the times of the last path; a path stops at ``cap`` attacks.

    ``background``: baseline of each day. ``seen``: classes that new attacks draw theirs from. ``place``: unbounded
    kernel parameters, shape (draws, sources, parameters).
    """
    draws, horizon = out.shape
    sources = responses.shape[1]
    chain = kind <= 1
    size = parts if chain else min(len(masses), len(nodes))  # cells
    levels = parts if chain else len(masses)
    rates, reached = np.empty((sources, levels)), np.empty((sources, size))
    slopes = np.empty((place.shape[2], levels))
    cells = np.zeros(len(past.at), dtype=np.int64)
    if not chain:
        for i in range(len(past.at)):
            cells[i] = _first_cell(nodes, size, max(-past.at[i], 0.0))
    times = np.empty(256)
    n = 0
    for d in range(draws):
        stream = seed[d : d + 1]
        for j in range(sources):
            if chain:
                decays_and_shares(place[d, j], parts, rates[j], reached[j])
            else:
                age_density(kind, place[d, j], nodes, masses, rates[j], slopes)
                reached[j] = cell_masses(kind != 4, nodes, rates[j])
            for k in range(1, size):
                reached[j, k] += reached[j, k - 1]
        n = 0
        for t in range(horizon):
            for _ in range(poisson(background[d, t], stream)):
                times = _room(times, n)
                times[n] = t + uniform(stream)
                n += 1
                if n >= cap:
                    break
        for i in range(len(past.at)):
            if n >= cap:
                break
            j = past.source[i]
            amount = responses[d, j]
            if j == 0:
                amount *= weights[d, past.code[i]]
            begin = past.at[i]
            age = max(-begin, 0.0)
            if chain:
                before = 0.0
                for c in range(size):  # each exponential forgets its age
                    share = reached[j, c] - before
                    before = reached[j, c]
                    for _ in range(poisson(amount * share * math.exp(-rates[j, c] * age), stream)):
                        t = begin + age + exponential(stream) / rates[j, c]
                        if t < horizon:
                            times = _room(times, n)
                            times[n] = t
                            n += 1
                continue
            first = cells[i]
            floor = reached[j, first - 1] if first > 0 else 0.0
            for _ in range(poisson(amount * (reached[j, size - 1] - floor), stream)):
                t = begin + _drawn_age(chain, rates[j], reached[j], nodes, first, stream)
                if 0.0 < t < horizon:
                    times = _room(times, n)
                    times[n] = t
                    n += 1
        parent = 0
        while parent < n and n < cap:
            amount = responses[d, 0]
            if len(seen) > 0:
                amount *= weights[d, seen[int(uniform(stream) * len(seen))]]
            begin = times[parent] + delay
            for _ in range(poisson(amount, stream)):
                t = begin + _drawn_age(chain, rates[0], reached[0], nodes, 0, stream)
                if t < horizon:
                    times = _room(times, n)
                    times[n] = t
                    n += 1
            parent += 1
        for e in range(min(n, cap)):
            out[d, min(int(times[e]), horizon - 1)] += 1
    return times[: min(n, cap)]


@njit(cache=True, error_model="numpy")
def _room(times: Floats, n: int) -> Floats:
    """Give an array that holds one more."""
    if n < len(times):
        return times
    longer = np.empty(2 * n)
    longer[:n] = times
    return longer
