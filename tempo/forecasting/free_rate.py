"""The rival that knows nothing: a free rate that may change on any day, against which all scenarios are measured.

Its prior is stated once and never looks at the data, so that its evidence is a proper probability of what was
observed. If one of the scenarios is true, the ratio of the two evidences passes a limit ``k`` with probability
``1 / k`` at most (Markov's inequality): a free rate that is more than 20 times as good is seldom an accident.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import special

from tempo.forecasting.evidence import steady_evidence
from tempo.forecasting.judged import Judged
from tempo.forecasting.laws import GammaRate

__all__ = ["FREE_BETTER", "free_evidence", "free_log_evidence"]

type Floats = NDArray[np.float64]

#: The scenarios explain nothing where the free rate is so many times as good as the best of them.
FREE_BETTER = 20.0
#: Gamma priors of the rate: shape, and mean attacks a day; all alike probable.
SHAPE, MEANS = 0.5, (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
#: Chance that a new rate begins on a day; all alike probable.
HAZARDS = (0.0, 1 / 90, 1 / 30)
_SERIES = 8  # draws of uncertain dates, and of uncertain delays, that are looked at


@njit(cache=True, nogil=True, error_model="numpy")
def _filtered(
    counts: Floats, exposure: Floats, shape: float, rate: float, hazard: float, out: Floats
) -> None:
    """Log evidence up to each day: Adams and MacKay's (2007) filter over the length of the current run."""
    n = counts.shape[0]
    weight, events, days = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    weight[0] = 1.0
    runs = 1
    log_total = 0.0
    for t in range(n):
        y, e = counts[t], exposure[t]
        if t > 0 and hazard > 0.0:
            for i in range(runs):
                weight[i] *= 1.0 - hazard
            weight[runs], events[runs], days[runs] = hazard, 0.0, 0.0  # the weights sum to one
            runs += 1
        total = 0.0
        if e > 0.0:
            for i in range(runs):
                a, b = shape + events[i], rate + days[i]
                chance = math.exp(-a * math.log1p(e / b))
                j = 0.0
                while j < y:
                    chance *= (a + j) / (j + 1.0) * (e / (b + e))
                    j += 1.0
                weight[i] *= chance
                events[i] += y
                days[i] += e
                total += weight[i]
            if total <= 0.0:  # beyond any float
                for k in range(t, n):
                    out[k] = -math.inf
                return
            log_total += math.log(total)
            kept = 0
            for i in range(runs):  # a run below 1e-15 is forgotten
                share = weight[i] / total
                if share > 1e-15:
                    weight[kept], events[kept], days[kept] = share, events[i], days[i]
                    kept += 1
            runs = kept
        out[t] = log_total


def free_evidence(counts: Floats, exposure: Floats) -> Floats:
    """Give the log evidence of a free rate up to each day.

    The rate is constant between changes; a change comes on each day with a chance of 0, 1/90 or 1/30, each of them
    alike probable, and then the rate is drawn afresh from a Gamma distribution of shape 1/2 whose mean is 0.001,
    0.01, … or 100 attacks a day, each alike probable.

    Parameters
    ----------
    counts : ndarray of float, shape (days,)
        Attacks.
    exposure : ndarray of float, shape (days,)
        Share of each day that was observed.

    Returns
    -------
    ndarray of float, shape (days + 1,)
        Before the first day, and after each.

    Examples
    --------
    >>> steps = np.array([0.0] * 40 + [5.0] * 10)
    >>> bool(free_evidence(steps, np.ones(50))[-1] > -70)
    True
    """
    n = len(counts)
    total = np.full(n, -np.inf)
    out = np.empty(n)
    for mean in MEANS:
        for hazard in HAZARDS:
            _filtered(counts, exposure, SHAPE, SHAPE / mean, hazard, out)
            total = np.logaddexp(total, out)
    return np.concatenate([[0.0], total - np.log(len(MEANS) * len(HAZARDS))])


def free_log_evidence(judged: Judged) -> float:
    """Log evidence of a rate that is free to change, averaged as that of the scenarios is.

    It takes a while, so that of many draws of the dates only the weightiest are looked at. How much they weigh among
    all of them is taken from a steady rate, whose evidence has a closed form.

    Parameters
    ----------
    judged : Judged
        The days that judge.

    Returns
    -------
    float
        Natural logarithm; kinds and deaths judge by shares that are learned as they come.
    """
    curves = judged.exposure[:_SERIES]
    events = float(judged.share @ judged.values.sum(axis=1))
    even = GammaRate(0.5, 0.5 * max(len(judged.days), 1) / (events + 0.5), "the average rate")
    marks = np.array(
        [
            judged.default_marks(s)[-1] if judged.values.size else 0.0
            for s in range(len(judged.share))
        ]
    )

    def evidence(s: int, of: Callable[[Floats, Floats], Floats]) -> float:
        if not judged.values.size:
            return float(judged.log_share[s])
        logs = [of(np.where(e > 0, judged.values[s], 0.0), e)[-1] for e in curves]
        return float(special.logsumexp(logs) - np.log(len(curves)) + marks[s] + judged.log_share[s])

    proxy = np.array(
        [evidence(s, lambda v, e: steady_evidence(even, v, e)) for s in range(len(judged.share))]
    )
    chosen = np.argsort(-proxy, kind="stable")[:_SERIES]
    free = special.logsumexp([evidence(int(s), free_evidence) for s in chosen])
    return float(free + special.logsumexp(proxy) - special.logsumexp(proxy[chosen]))
