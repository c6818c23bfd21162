"""Draws of which attack led to which pause, and for how long, compiled. Arrays in, arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["assign"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_FAR = 2**50
_NONE = -1  # led to nothing
_FREE = -2  # led to a stand-down that has not come, or would not have been seen
_IMPOSSIBLE, _UNSEEN = 0, 1  # kinds of days; from 2 on, a day of a pause


@njit(cache=True, nogil=True, error_model="numpy")
def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a standard normal between two ends; ``low`` may be -inf."""
    if low == -math.inf:
        if high > -0.5:
            while True:
                z = rng.standard_normal()
                if z <= high:
                    return z
        rate = 0.5 * (-high + math.sqrt(high * high + 4.0))
        while True:
            z = -high - math.log(1.0 - rng.random()) / rate
            if rng.random() <= math.exp(-0.5 * (z - rate) ** 2):
                return -z
    nearest = 0.0 if low <= 0.0 <= high else (low if low > 0.0 else high)
    while True:
        z = low + rng.random() * (high - low)
        if rng.random() <= math.exp(0.5 * (nearest * nearest - z * z)):
            return z


@njit(cache=True, nogil=True, error_model="numpy")
def _days_between(
    rng: np.random.Generator, cdf: Floats, middle: float, spread: float, low: int, high: int
) -> int:
    """Draw whole days from ``low`` to ``high``; ``cdf[d]`` is the chance of at most ``d`` days."""
    most = cdf.shape[0] - 1
    bottom = cdf[low - 1]
    top = 1.0 if high > most else cdf[high]
    u = bottom + rng.random() * (top - bottom)
    if u < cdf[most] or high <= most:
        a, b = low, min(high, most)
        while a < b:
            half = (a + b) // 2
            if cdf[half] > u:
                b = half
            else:
                a = half + 1
        return a
    a_log, b_log = math.log(most + 0.5), math.log(most + 0.5) + 1.0
    while _cdf((b_log - middle) / spread) < u and b_log < 13.0:
        b_log += 1.0
    for _ in range(50):
        half_log = 0.5 * (a_log + b_log)
        if _cdf((half_log - middle) / spread) < u:
            a_log = half_log
        else:
            b_log = half_log
    days = int(math.exp(b_log) + 0.5)
    return int(min(max(days, low, most + 1), high))


@njit(cache=True, nogil=True, error_model="numpy")
def _without(
    me: int,
    j: int,
    near: Integers,
    pause: Integers,
    start: Integers,
    stop: Integers,
    ends: Integers,
) -> None:
    """Fill ``ends`` with the first and the last connected part of a pause, one attack left out."""
    for place, nothing in enumerate((_FAR, _FAR, -_FAR, -_FAR)):
        ends[place] = nothing
    for i in range(near[j, 0], near[j, 1]):
        if i != me and pause[i] == j:
            ends[0] = min(ends[0], start[i])
            ends[3] = max(ends[3], stop[i])
    if ends[0] == _FAR:
        return
    reach, back = ends[0], ends[3]
    grown = True
    while grown:  # attacks are in order of time, so that one or two rounds do
        grown = False
        for i in range(near[j, 0], near[j, 1]):
            if pause[i] == j and i != me and start[i] <= reach < stop[i]:
                reach = stop[i]
                grown = True
    if reach < ends[3]:
        grown = True
        while grown:
            grown = False
            for i in range(near[j, 1] - 1, near[j, 0] - 1, -1):
                if pause[i] == j and i != me and start[i] < back <= stop[i]:
                    back = start[i]
                    grown = True
    else:
        back = ends[0]
    ends[1], ends[2] = reach, back


@njit(cache=True, nogil=True, error_model="numpy")
def assign(
    rng: np.random.Generator,
    first: Integers,
    chance: Floats,
    kind: Integers,
    known: Integers,
    goes_on: NDArray[np.bool_],
    near: Integers,
    reach: int,
    pause: Integers,
    start: Integers,
    stop: Integers,
    beta: Floats,
    centre: float,
    scale: float,
    ratios: Floats,
    log_ratio_weights: Floats,
    most_days: int,
    burn: int,
    thin: int,
    out: Floats,
    led: Integers,
    future: Integers,
    last: Integers,
) -> None:
    """Draw probability, durations and assignments, given documented pauses (Gibbs sampling, with swaps).

    Each attack led to nothing, or to a stand-down that begins on a day of its window: one that was not seen, or one
    that lies in a pause. The stand-downs of a pause join without a break, begin when it did and last as long as it did.
    ``known`` holds, for each pause, first and last day of its start, and least and greatest length; ``near`` the range
    of attacks that may be in it. ``pause``, ``start`` and ``stop`` hold a valid state, and are overwritten. ``out``
    takes probability, middle and spread, number, mean and sum of squares of the logarithms; ``led`` the number of
    attacks that led; ``future`` the first day of a stand-down that is to come, or -1; ``last`` the end of each pause.
    """
    n, width = chance.shape
    pauses = known.shape[0]
    p = beta[0] / (beta[0] + beta[1])
    middle, spread = centre, scale
    cdf = np.empty(most_days + 1)
    weights = np.empty((width + 1) * 4 * max(pauses, 1) + 2)
    options = np.empty((weights.shape[0], 5), dtype=np.int64)
    ends = np.empty(4, dtype=np.int64)
    log_weights = np.empty(ratios.shape[0])
    for sweep in range(burn + out.shape[0] * thin):
        cdf[0] = 0.0
        for d in range(1, most_days + 1):
            cdf[d] = _cdf((math.log(d + 0.5) - middle) / spread)
        for i in range(n):
            bound = False
            if pause[i] >= 0:
                j = pause[i]
                _without(i, j, near, pause, start, stop, ends)
                length = ends[3] - ends[0]
                bound = (
                    ends[0] == _FAR
                    or ends[1] < ends[3]
                    or ends[0] > known[j, 1]
                    or length < known[j, 2]
                    or length > known[j, 3]
                    or (goes_on[j] and ends[3] < 0)
                )
            count = 0
            if not bound:
                unseen = 0.0
                for k in range(width):
                    if kind[i, k] == _UNSEEN:
                        unseen += chance[i, k]
                weights[0], weights[1] = 1.0 - p, p * unseen
                options[0, 0], options[1, 0] = _NONE, _FREE
                count = 2
            for j in range(pauses):
                if i < near[j, 0] or i >= near[j, 1] or (bound and j != pause[i]):
                    continue
                _without(i, j, near, pause, start, stop, ends)
                for k in range(width):
                    if kind[i, k] <= _UNSEEN or chance[i, k] <= 0.0:
                        continue
                    s = first[i] + k
                    begun = min(s, ends[0])
                    if begun < known[j, 0] or begun > known[j, 1] or s > ends[1]:
                        continue
                    # The stand-down lies within what the others cover, or outlasts it.
                    least = max(ends[2], s + 1)
                    whole = ends[3] - begun
                    if (
                        ends[3] > -_FAR
                        and known[j, 2] <= whole <= known[j, 3]
                        and (not goes_on[j] or ends[3] >= 0)
                        and least <= ends[3]
                    ):
                        low, high = least - s, ends[3] - s
                        top = 1.0 if high > most_days else cdf[high]
                        weight = p * chance[i, k] * (top - cdf[min(low - 1, most_days)])
                        if weight > 0.0:
                            weights[count] = weight
                            options[count, 0], options[count, 1] = j, s
                            options[count, 2], options[count, 3] = low, high
                            count += 1
                    low = max(least, ends[3] + 1, begun + known[j, 2]) - s
                    if goes_on[j]:
                        low = max(low, -s)
                    high = begun + known[j, 3] - s
                    if low <= high and low - 1 <= most_days:
                        top = 1.0 if high > most_days else cdf[high]
                        weight = p * chance[i, k] * (top - cdf[low - 1])
                        if weight > 0.0:
                            weights[count] = weight
                            options[count, 0], options[count, 1] = j, s
                            options[count, 2], options[count, 3] = low, high
                            count += 1
            total = 0.0
            for c in range(count):
                total += weights[c]
            if total <= 0.0:
                continue
            u = rng.random() * total
            c = 0
            while c < count - 1 and u >= weights[c]:
                u -= weights[c]
                c += 1
            pause[i] = options[c, 0]
            if pause[i] == _FREE:
                u = rng.random() * unseen
                k = -1
                for other in range(width):
                    if kind[i, other] == _UNSEEN and chance[i, other] > 0.0:
                        k = other
                        u -= chance[i, other]
                        if u < 0.0:
                            break
                start[i] = first[i] + k
            elif pause[i] >= 0:
                start[i] = options[c, 1]
                stop[i] = start[i] + _days_between(
                    rng, cdf, middle, spread, options[c, 2], options[c, 3]
                )
        for _ in range(2 * n):
            a = int(rng.random() * n)
            b = a - reach + int(rng.random() * (2 * reach + 1))
            if b < 0 or b >= n or a == b or (pause[a] == _NONE and pause[b] == _NONE):
                continue
            ratio = 1.0
            for x, y in ((a, b), (b, a)):
                if pause[x] == _NONE:
                    continue
                k = start[x] - first[y]
                fits = 0 <= k < width
                if fits:
                    fits = (kind[y, k] == _UNSEEN) == (pause[x] == _FREE)
                    fits = fits and kind[y, k] != _IMPOSSIBLE
                if not fits:
                    ratio = 0.0
                    break
                ratio *= chance[y, k] / chance[x, start[x] - first[x]]
            if rng.random() < ratio:
                pause[a], pause[b] = pause[b], pause[a]
                start[a], start[b] = start[b], start[a]
                stop[a], stop[b] = stop[b], stop[a]
        of_all = 0
        seen = 0
        mean = squares = 0.0
        for i in range(n):
            if pause[i] == _NONE:
                continue
            of_all += 1
            if pause[i] < 0:
                continue
            days = stop[i] - start[i]
            low_z = -math.inf if days <= 1 else (math.log(days - 0.5) - middle) / spread
            x = middle + spread * _between(rng, low_z, (math.log(days + 0.5) - middle) / spread)
            seen += 1
            step = x - mean
            mean += step / seen
            squares += step * (x - mean)
        p = rng.beta(beta[0] + of_all, beta[1] + n - of_all)
        top = -math.inf
        for r in range(ratios.shape[0]):
            s = scale * ratios[r]
            log_weights[r] = log_ratio_weights[r]
            if seen:
                log_weights[r] += (
                    -seen * math.log(s)
                    - 0.5 * squares / (s * s)
                    - 0.5 * math.log(1.0 + seen * scale * scale / (s * s))
                    - 0.5 * (mean - centre) ** 2 / (scale * scale + s * s / seen)
                )
            top = max(top, log_weights[r])
        total = 0.0
        for r in range(ratios.shape[0]):
            total += math.exp(log_weights[r] - top)
        u = rng.random() * total
        r = 0
        while r < ratios.shape[0] - 1:
            u -= math.exp(log_weights[r] - top)
            if u < 0.0:
                break
            r += 1
        spread = scale * ratios[r]
        precision = 1.0 / (scale * scale) + seen / (spread * spread)
        expected = (centre / (scale * scale) + seen * mean / (spread * spread)) / precision
        middle = expected + rng.standard_normal() / math.sqrt(precision)
        if sweep >= burn and (sweep - burn) % thin == 0:
            row = (sweep - burn) // thin
            out[row, 0], out[row, 1], out[row, 2] = p, middle, spread
            out[row, 3], out[row, 4], out[row, 5] = seen, mean, squares
            led[row] = of_all
            for i in range(n):
                future[row, i] = start[i] if pause[i] == _FREE and start[i] >= 0 else -1
            for j in range(pauses):
                last[row, j] = -_FAR
            for i in range(n):
                if pause[i] >= 0:
                    last[row, pause[i]] = max(last[row, pause[i]], stop[i])
