"""Two series that change together: the run-length filter over both at once. Arrays in, arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_predictive import predict
from tempo.models.changepoint_recursions import grown

__all__ = ["joint_pass"]

type Floats = NDArray[np.float64]
type Prior = tuple[float, float, float, float]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive


@njit(cache=True, nogil=True, error_model="numpy")
def joint_pass(
    families: tuple[int, int],
    counts: Floats,
    exposure: Floats,
    change: Floats,
    stay: Floats,
    odds: Floats,
    prior_one: Prior,
    prior_two: Prior,
    prune: float,
) -> Floats:
    """Run the filter over two series whose segments begin together, for several hazards at once.

    A run's predictive probability is the product of those of the two series, whose rates are independent.

    Parameters
    ----------
    families : (int, int)
        Of the two series.
    counts, exposure : float array (2, m)
        Bins in which at least one series was observed; exposure 0 where this one was not.
    change, stay : float array (hazards, m)
        Factor for a change, and for none, just before each bin.
    odds : float array (hazards,)
        Smallest ratio of the two.
    prior_one, prior_two : (first, second, third, size)
        Priors of the segments.
    prune : float
        A run is dropped when its share of the weight is below this times the odds, under every hazard.

    Returns
    -------
    float array (hazards, m + 1)
        Log evidence of the bins up to each one, without factors common to all partitions.
    """
    m = counts.shape[1]
    columns = change.shape[0]
    out = np.zeros((columns, m + 1))
    capacity = min(m, 1024) + 1
    one = np.empty((3, capacity))
    two = np.empty((3, capacity))
    here = np.empty(capacity)
    there = np.empty(capacity)
    weight = np.zeros((columns, capacity))
    scale = np.ones(columns)
    live = 0
    for t in range(m):
        if live + 1 > capacity:
            old, capacity = capacity, min(2 * capacity, m + 1)
            one, two, weight = (
                _longer(one, capacity),
                _longer(two, capacity),
                _longer(weight, capacity),
            )
            here, there = grown(here, old, capacity), grown(there, old, capacity)
        for k in range(3):
            one[k, live] = prior_one[k]
            two[k, live] = prior_two[k]
        live += 1
        for i in range(live):
            here[i] = 1.0
            there[i] = 1.0
        offset = 0.0
        if exposure[0, t] > 0.0:
            offset += predict(
                families[0],
                counts[0, t],
                exposure[0, t],
                prior_one[3],
                one[0],
                one[1],
                one[2],
                live,
                here,
            )
        if exposure[1, t] > 0.0:
            offset += predict(
                families[1],
                counts[1, t],
                exposure[1, t],
                prior_two[3],
                two[0],
                two[1],
                two[2],
                live,
                there,
            )
        for i in range(live):
            here[i] *= there[i]
        for c in range(columns):
            fresh = (1.0 if t == 0 else change[c, t]) * here[live - 1]
            factor = scale[c] * stay[c, t]
            total = fresh
            for i in range(live - 1):
                weight[c, i] *= factor * here[i]
                total += weight[c, i]
            weight[c, live - 1] = fresh
            scale[c] = 1.0 / total
            out[c, t + 1] = out[c, t] + math.log(total) + offset
        if live > 16 and t % _PRUNE_EVERY == 0:
            kept = 0
            for i in range(live):
                keep = False
                for c in range(columns):
                    keep |= weight[c, i] * scale[c] >= prune * odds[c]
                if keep:
                    for k in range(3):
                        one[k, kept] = one[k, i]
                        two[k, kept] = two[k, i]
                    for c in range(columns):
                        weight[c, kept] = weight[c, i]
                    kept += 1
            live = kept
    return out


@njit(cache=True, nogil=True)
def _longer(values: Floats, capacity: int) -> Floats:
    out = np.zeros((values.shape[0], capacity))
    out[:, : values.shape[1]] = values
    return out
