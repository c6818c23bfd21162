"""Observation and marks of the general daily Hawkes likelihood: values and slopes, arrays in and arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_daily import small_dispersion

__all__ = ["day_size", "mark_weights", "observe"]

type Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def _spread(mean: float, dispersion: float) -> tuple[float, float]:
    """Give ``log(1 + a m) / a`` and minus its slope in ``a``; ``m`` and its limit where ``a`` is 0."""
    scaled = dispersion * mean
    if scaled < 1e-2:
        found: tuple[float, float] = small_dispersion(mean, scaled)
        return found
    ratio = math.log1p(scaled) / dispersion
    return ratio, (ratio - mean / (1.0 + scaled)) / dispersion


@njit(cache=True, error_model="numpy")
def day_size(log_mean: float, dispersion: float) -> tuple[float, float, float, float, float, float]:
    """Give the mean of a zero-truncated negative binomial and its derivatives in log mean and dispersion.

    Also ``q``, the log of whose negative is the chance of zero before truncation, and its two derivatives.
    """
    mean = math.exp(log_mean)
    q, curved = _spread(mean, dispersion)
    q_mean, q_dispersion = mean / (1.0 + dispersion * mean), -curved
    positive = -math.expm1(-q)
    zero = 1.0 - positive
    size = mean / positive
    by_mean = size - size * zero / positive * q_mean
    by_dispersion = -size * zero / positive * q_dispersion
    return size, by_mean, by_dispersion, q, q_mean, q_dispersion


@njit(cache=True, error_model="numpy")
def observe(
    observation: int,
    mean: Floats,
    counts: Floats,
    role: Floats,
    tail: Floats,
    place: Floats,
    slope: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood of the scored bins; the slope in each mean, and the gradient in the places of the observation.

    Observations: 0 Poisson, 1 negative binomial, 2 hurdle with truncated Poisson, 3 with geometric, 4 with negative
    binomial sizes.
    """
    value: float = 0.0
    dispersion = 0.0
    if observation == 1:
        dispersion = math.exp(place[0])
    elif observation == 3:
        dispersion = 1.0
    elif observation == 4:
        dispersion = math.exp(place[1])
    in_dispersion = 0.0
    for j in range(len(tail)):
        value += tail[j] * (math.log1p(dispersion * j) - math.log1p(float(j)))
        in_dispersion += tail[j] * j / (1.0 + dispersion * j)
    if observation <= 1:
        for t in range(len(mean)):
            if role[t] != 1.0:
                slope[t] = 0.0
                continue
            m, y = mean[t], counts[t]
            scaled = 1.0 + dispersion * m
            if dispersion > 0.0:
                ratio, curved = _spread(m, dispersion)
                value -= ratio
                in_dispersion += curved - y * m / scaled
            else:
                value -= m
            slope[t] = -1.0 / scaled
            if y > 0:
                value += y * math.log(m / scaled)
                slope[t] += y / (m * scaled)
        if observation == 1:
            gradient[0] += in_dispersion * dispersion
        return value
    size, by_mean, by_dispersion, q, q_mean, q_dispersion = day_size(place[0], dispersion)
    days_with = events = in_size = 0.0
    for t in range(len(mean)):
        if role[t] != 1.0:
            slope[t] = 0.0
            continue
        hazard = mean[t] / size
        if counts[t] > 0:
            value += math.log(-math.expm1(-hazard))
            pull = 1.0 / math.expm1(hazard)
            days_with += 1.0
            events += counts[t]
        else:
            value -= hazard
            pull = -1.0
        slope[t] = pull / size
        in_size -= pull * hazard / size
    typical = math.exp(place[0])
    scaled = 1.0 + dispersion * typical
    value += events * (place[0] - math.log(scaled)) - days_with * (q + math.log(-math.expm1(-q)))
    in_q = -days_with * (1.0 + 1.0 / math.expm1(q))
    gradient[0] += events / scaled + in_q * q_mean + in_size * by_mean
    if observation == 4:
        in_dispersion += in_q * q_dispersion + in_size * by_dispersion - events * typical / scaled
        gradient[1] += in_dispersion * dispersion
    return value


@njit(cache=True, error_model="numpy")
def mark_weights(values: Floats, numbers: Floats, power: float) -> tuple[Floats, Floats]:
    """Give the weight of each mark, one on average over all that are known, and its derivative in ``power``."""
    weights = np.empty(len(values))
    slopes = np.empty(len(values))
    largest = -math.inf
    for i in range(len(values)):
        largest = max(largest, power * values[i])
    total = known = mean = 0.0
    for i in range(len(values)):
        weights[i] = math.exp(power * values[i] - largest)
        total += numbers[i] * weights[i]
        known += numbers[i]
        mean += numbers[i] * weights[i] * values[i]
    for i in range(len(values)):
        weights[i] *= known / total
        slopes[i] = weights[i] * (values[i] - mean / total)
    return weights, slopes
