"""Odds along simulated futures, and numbers and silences to come, compiled. Arrays in, arrays out.

The mean of a day is ``rate + branching S`` with ``S`` the excitation that earlier attacks have left; an empty array
stands for what is no part of the story. ``share[a]`` of the attacks of a day are in the record ``a`` days later.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.forecasting.story_kernels import log_chance

__all__ = ["evidence_along", "evidence_along_plain", "late_silence", "total_chances"]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]

_NOTHING = 40.0  # a draw whose likelihood is smaller by exp(40) adds nothing


@njit(cache=True, nogil=True, error_model="numpy")
def evidence_along(
    known: Counts,
    share: Floats,
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    state: Floats,
    worth: Floats,
    checked: Counts,
    out: Floats,
) -> None:
    """Fill ``out`` with the log-probability of each future up to each checked day, averaged over draws by worth.

    ``known[f, t, a]`` attacks of day ``t`` are in the record ``a`` days later; the last age holds all, and its share
    is 1. What is not in the record yet excites by its expectation. Constants of the futures alone are left out.
    """
    n_paths, _, ages = known.shape
    draws = rate.shape[0]
    checks = checked.shape[0]
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    peak = np.empty(checks)
    total = np.empty(checks)
    for f in range(n_paths):
        for c in range(checks):
            peak[c] = -math.inf
            total[c] = 0.0
        for d in range(draws):
            a = dispersion[d] if spread else 0.0
            r = math.exp(-decay[d]) if excited else 0.0
            whole = 0.0  # of the days all of whose attacks are in the record
            left = state[d] if excited else 0.0
            first = 0
            for c in range(checks):
                last = checked[c]
                while first <= last - (ages - 1):
                    y = float(known[f, first, ages - 1])
                    mean = rate[d, first]
                    if excited:
                        mean += branching[d, first] * left
                        left = r * left + (1.0 - r) * y
                    whole += log_chance(y, mean, a)
                    first += 1
                running = whole
                s = left
                for t in range(first, last + 1):
                    y = float(known[f, t, last - t])
                    e = share[last - t]
                    mean = rate[d, t]
                    if excited:
                        mean += branching[d, t] * s
                        s = r * s + (1.0 - r) * (y + (1.0 - e) * mean)
                    if e > 0.0:
                        running += log_chance(y, e * mean, a)
                        if y > 0.0:  # a constant of the future alone
                            running -= y * math.log(e)
                x = running + math.log(worth[d])
                if x <= peak[c]:
                    if x > peak[c] - _NOTHING:
                        total[c] += math.exp(x - peak[c])
                elif x > -math.inf:
                    total[c] = total[c] * math.exp(peak[c] - x) + 1.0
                    peak[c] = x
        for c in range(checks):
            out[f, c] = peak[c] + math.log(total[c]) if total[c] > 0.0 else -math.inf


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nnan", "contract"})
def _log_total(running: Floats, expected: Floats, x: Floats) -> float:
    """Give the log of the sum of exp(running - expected), to about 1e-4; written for loops on many numbers at once."""
    peak = -math.inf
    for d in range(running.shape[0]):
        x[d] = running[d] - expected[d]
        peak = max(peak, x[d])
    total = 0.0
    for d in range(running.shape[0]):
        # exp(y) = exp(y / 32)^32, and exp(-20) is taken for nothing
        y = max(x[d] - peak, -20.0) * 0.03125
        p = 1.0 + y * (1.0 + y * (0.5 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y / 720)))))
        p *= p
        p *= p
        p *= p
        p *= p
        p *= p
        total += p
    return peak + math.log(total)


@njit(cache=True, nogil=True, error_model="numpy")
def evidence_along_plain(
    place: Counts,
    check: Counts,
    day: Counts,
    number: Counts,
    log_rate: Floats,
    until: Floats,
    log_worth: Floats,
    out: Floats,
) -> None:
    """Do the same where days are Poisson and independent: only reports and checked days cost anything.

    Reports ``place[f]`` to ``place[f + 1]`` belong to future ``f``, in the order of the checked days on which they
    are first seen; each says of which ``day`` how many attacks came in. ``log_rate`` has shape (days, draws), and
    ``until`` (checked days, draws) holds what was to be expected in the record by then.
    """
    n_paths, checks = out.shape
    draws = log_rate.shape[1]
    running = np.empty(draws)
    x = np.empty(draws)
    for f in range(n_paths):
        for d in range(draws):
            running[d] = log_worth[d]
        i = place[f]
        for c in range(checks):
            while i < place[f + 1] and check[i] <= c:
                y = float(number[i])
                logs = log_rate[day[i]]
                for d in range(draws):
                    running[d] += y * logs[d]
                i += 1
            out[f, c] = _log_total(running, until[c], x)


@njit(cache=True, nogil=True, error_model="numpy")
def total_chances(
    rate: Floats,
    branching: Floats,
    decay: Floats,
    state: Floats,
    share: Floats,
    curve: Counts,
    worth: Floats,
    points: NDArray[np.complex128],
    out: NDArray[np.complex128],
) -> None:
    r"""Fill ``out`` with the generating function of the attacks of some days that are in the record by the end.

    Attacks of a day with their offspring are independent of those of other attacks, so that with ``F_t`` the
    generating function of one attack of day ``t`` and all that it sets off,

    .. math::
        F_t(z) = (1 - e_t + e_t z) \exp\Bigl(\sum_{k \ge 1} \nu_{t+k} h_k (F_{t+k}(z) - 1)\Bigr), \qquad
        G(z) = \exp\Bigl(\sum_t \mu_t (F_t(z) - 1) + S \sum_t \nu_t r^t (F_t(z) - 1)\Bigr).

    ``share[curve]`` holds ``e``, by day.
    """
    draws, n = rate.shape
    for j in range(points.shape[0]):
        z = points[j]
        total = 0.0 + 0.0j
        for d in range(draws):
            r = math.exp(-decay[d])
            e = share[curve[d]]
            later = 0.0 + 0.0j
            log = 0.0 + 0.0j
            for t in range(n - 1, -1, -1):
                one = (1.0 - e[t] + e[t] * z) * cmath.exp((1.0 - r) * later) - 1.0
                log += rate[d, t] * one
                later = branching[d, t] * one + r * later
            total += worth[d] * cmath.exp(log + state[d] * later)
        out[j] = total


@njit(cache=True, nogil=True, error_model="numpy")
def late_silence(
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    state: Floats,
    share: Floats,
    curve: Counts,
    out: Floats,
) -> None:
    """Fill ``out`` with the log-probability of each draw that the record shows no attack by the end of each day.

    ``share[curve]`` holds the share that is in the record, by age in days. With offspring days are Poisson.
    """
    draws, n = rate.shape
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    for d in range(draws):
        e = share[curve[d]]
        r = math.exp(-decay[d]) if excited else 0.0
        for last in range(n):
            running = 0.0
            later = 0.0
            for t in range(last, -1, -1):
                unseen = 1.0 - e[last - t]
                if excited:
                    one = unseen * math.exp((1.0 - r) * later) - 1.0
                    running += rate[d, t] * one
                    later = branching[d, t] * one + r * later
                else:
                    a = dispersion[d] if spread else 0.0
                    running += log_chance(0.0, rate[d, t] * (1.0 - unseen), a)
            out[d, last] = running + (state[d] * later if excited else 0.0)
