"""Compiled loops over the draws of a story and its days: likelihood, excitation and futures. Arrays in, arrays out.

The mean of a day is ``exposure (rate + branching S)`` with ``S`` the excitation that earlier attacks have left, which
obeys ``S' = r S + (1 - r) y`` with ``r = exp(-decay)``. An empty array stands for what is no part of the story.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_random import gamma, poisson

__all__ = ["add_evidence", "day_terms", "excitation", "futures", "log_chance", "silence"]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]

_POISSON_BELOW = 1e-9  # a dispersion that no count can tell from 0
_FEW = 64.0


@njit(cache=True, nogil=True, error_model="numpy")
def log_chance(y: float, mean: float, dispersion: float) -> float:
    """Log-probability of a day's number without log(y!): Poisson, or negative binomial with var = m + a m^2."""
    if dispersion < _POISSON_BELOW:
        if y == 0.0:
            return -mean
        return y * math.log(mean) - mean if mean > 0.0 else -math.inf
    if y == 0.0:
        return -math.log1p(dispersion * mean) / dispersion
    if mean <= 0.0:
        return -math.inf
    rising = 0.0
    if y <= _FEW:
        j = 1.0
        while j < y:
            rising += math.log1p(j * dispersion)
            j += 1.0
    else:
        size = 1.0 / dispersion
        rising = math.lgamma(y + size) - math.lgamma(size) + y * math.log(dispersion)
    return y * math.log(mean) - (y + 1.0 / dispersion) * math.log1p(dispersion * mean) + rising


@njit(cache=True, nogil=True, error_model="numpy")
def excitation(counts: Floats, decay: Floats, out: Floats) -> None:
    """Give what the attacks on these days have left by the day after the last, for each draw."""
    n = counts.shape[0]
    for d in range(decay.shape[0]):
        r = math.exp(-decay[d])
        state = 0.0
        for t in range(n):
            state = r * state + (1.0 - r) * counts[t]
        out[d] = state


@njit(cache=True, nogil=True, error_model="numpy")
def day_terms(
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    counts: Floats,
    exposure: Floats,
    hidden: NDArray[np.bool_],
    curve: Counts,
    state: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` with the running log-likelihood of each draw (rows) up to each day; ``state`` moves to the end.

    ``exposure`` holds one or more curves over the days, and ``curve`` says which one a draw has. Days that are
    ``hidden`` excite by their number and do not judge.
    """
    draws, n = rate.shape
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    factorial = np.empty(n)
    for t in range(n):
        factorial[t] = math.lgamma(counts[t] + 1.0)
    for d in range(draws):
        a = dispersion[d] if spread else 0.0
        e = exposure[curve[d]]
        r = math.exp(-decay[d]) if excited else 0.0
        s = state[d] if excited else 0.0
        running = 0.0
        for t in range(n):
            y = counts[t]
            per_day = rate[d, t]
            if excited:
                per_day += branching[d, t] * s
            if e[t] > 0.0:
                running += log_chance(y, e[t] * per_day, a) - factorial[t]
            if excited:
                if not hidden[t] and e[t] < 1.0:
                    y += (1.0 - e[t]) * per_day  # what nobody saw: what was to be expected
                s = r * s + (1.0 - r) * y
            out[d, t] = running
        if excited:
            state[d] = s


@njit(cache=True, nogil=True, error_model="numpy")
def add_evidence(terms: Floats, peak: Floats, total: Floats) -> None:
    """Add exp(terms) of these draws to running sums over draws, kept as ``exp(peak) total`` for each day."""
    draws, n = terms.shape
    for d in range(draws):
        for t in range(n):
            x = terms[d, t]
            if x <= peak[t]:
                if x > -math.inf:
                    total[t] += math.exp(x - peak[t])
            else:
                total[t] = total[t] * math.exp(peak[t] - x) + 1.0
                peak[t] = x


@njit(cache=True, nogil=True, error_model="numpy")
def silence(
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    state: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` with the log-probability of each draw that no attack comes up to each day."""
    draws, n = rate.shape
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    for d in range(draws):
        a = dispersion[d] if spread else 0.0
        r = math.exp(-decay[d]) if excited else 0.0
        s = state[d] if excited else 0.0
        running = 0.0
        for t in range(n):
            mean = rate[d, t]
            if excited:
                mean += branching[d, t] * s
                s *= r
            running += log_chance(0.0, mean, a)
            out[d, t] = running


@njit(cache=True, nogil=True, error_model="numpy")
def futures(
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    state: Floats,
    seeds: NDArray[np.uint64],
    cap: int,
    out: Counts,
) -> None:
    """Draw one future for each draw; after ``cap`` attacks on a day a runaway path stays at the cap."""
    draws, n = rate.shape
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    for d in range(draws):
        stream = seeds[d : d + 1]
        a = dispersion[d] if spread else 0.0
        r = math.exp(-decay[d]) if excited else 0.0
        s = state[d] if excited else 0.0
        for t in range(n):
            mean = rate[d, t]
            if excited:
                mean += branching[d, t] * s
            if a >= _POISSON_BELOW:
                mean *= gamma(1.0 / a, stream) * a
            y = cap if mean >= cap else min(poisson(mean, stream), cap)
            out[d, t] = y
            if excited:
                s = r * s + (1.0 - r) * y
