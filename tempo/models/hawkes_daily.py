"""The Hawkes model for counts in bins: likelihood, gradient and maximum, compiled, arrays in and arrays out.

With ``Y_t`` events in bin ``t``, of which ``days_t`` days were observed, and everything before it known,

    Y_t ~ Poisson(m_t)  or  NegBin(mean m_t, variance m_t + dispersion m_t^2)
    m_t = baseline days_t + branching S_t,    S_t = sum_{k >= 1} h_k Y_{t-k},
    h_k = (1 - r) r^(k-1),    r = exp(-decay width),

where ``width`` is the length of a bin in days. The kernel ``h`` sums to one, so ``branching`` is the mean number of
attacks that one attack triggers. ``S`` obeys ``S_{t+1} = r S_t + (1 - r) Y_t``: value and gradient, decay included,
cost one pass over the bins. A bin that nobody observed has no likelihood term; the attacks in it enter the history
as their conditional mean ``baseline bin_days_t + branching S_t``, and the gradient flows through that.

Parameters are passed as an array ``(baseline per day, branching, decay per day, dispersion)``; dispersion 0 is
Poisson. The optimiser and the samplers work on their logarithms.

See Kirchner (2016), Hawkes and INAR(infinity) processes, Stochastic Processes and their Applications 126.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tempo.errors import DataError, OptionError
from tempo.models.hawkes_daily_fast import fast_log_likelihood, in_fast_range

__all__ = ["BinnedData", "exponential", "prepare"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BinnedData:
    """Counts as the compiled code wants them.

    Attributes
    ----------
    counts : ndarray of float, shape (n,)
        Events in each bin, NaN where nobody watched.
    days : ndarray of float, shape (n,)
        Observed days in each bin.
    bin_days : ndarray of float, shape (n,)
        Length of each bin in days.
    width : float
        Typical length of a bin in days, in which the memory is measured.
    tail : ndarray of float, shape (largest count,)
        ``tail[j]``: number of observed bins with more than ``j`` events.
    """

    counts: Floats
    days: Floats
    bin_days: Floats
    width: float
    tail: Floats

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which bins carry a count."""
        return ~np.isnan(self.counts)

    @property
    def n_events(self) -> int:
        """Events in all observed bins."""
        return int(np.nansum(self.counts))

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, float, Floats]:
        """What every compiled function takes first."""
        return self.counts, self.days, self.bin_days, self.width, self.tail


def prepare(
    counts: ArrayLike, exposure: ArrayLike | None = None, bin_days: ArrayLike = 1.0
) -> BinnedData:
    """Check arrays of counts and lay them out for the compiled code.

    Parameters
    ----------
    counts : array-like, shape (n,)
        Events in each bin; NaN where the bin was not observed.
    exposure : array-like, shape (n,), optional
        Observed share of each bin, 0 to 1; 1 when left out. Exposure 0 makes a bin unobserved.
    bin_days : float or array-like, shape (n,), default 1
        Length of each bin in days.

    Returns
    -------
    BinnedData
        The same data.

    Raises
    ------
    DataError
        If shapes differ, or a count is negative or no whole number.
    """
    values = np.array(counts, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise DataError(
            f"counts have shape {values.shape}; expected one dimension with at least one bin."
        )
    share = np.ones(len(values)) if exposure is None else np.array(exposure, dtype=np.float64)
    lengths = np.broadcast_to(np.asarray(bin_days, dtype=np.float64), values.shape).copy()
    if share.shape != values.shape:
        raise DataError(
            f"exposure has shape {share.shape}, counts {values.shape}; they must be equal."
        )
    values[~(share > 0)] = np.nan
    share[np.isnan(values)] = 0.0
    seen = values[~np.isnan(values)]
    wrong = (seen < 0) | (seen != np.floor(seen)) | np.isinf(seen)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} counts are not whole numbers from 0 up (first: {seen[wrong][0]:g})."
        )
    largest = int(seen.max()) if len(seen) else 0
    number_with = np.bincount(seen.astype(np.int64), minlength=largest + 1)
    tail = (len(seen) - np.cumsum(number_with))[:largest].astype(np.float64)
    return BinnedData(values, share * lengths, lengths, float(lengths.mean()), tail)


def exponential(
    counts: ArrayLike,
    baseline: float,
    branching: float,
    decay: float,
    dispersion: float = 0.0,
    *,
    exposure: ArrayLike | None = None,
    bin_days: ArrayLike = 1.0,
) -> tuple[float, Floats]:
    """Give the log-likelihood of binned counts under an exponential kernel, and its gradient.

    Parameters
    ----------
    counts : array-like, shape (n,)
        Events in each bin; NaN where the bin was not observed.
    baseline : float
        Attacks per day that nothing triggered.
    branching : float
        Mean number of attacks that one attack triggers.
    decay : float
        Rate at which the excitation fades, per day; its half-life is ``log(2) / decay`` days.
    dispersion : float, default 0
        0 for Poisson, otherwise negative binomial with variance ``m + dispersion m^2``.
    exposure : array-like, shape (n,), optional
        Observed share of each bin.
    bin_days : float or array-like, default 1
        Length of the bins in days.

    Returns
    -------
    value : float
        Log-likelihood, all constants included.
    gradient : ndarray of float, shape (3,) or (4,)
        In the order baseline, branching, decay, and dispersion where that is not 0.

    Raises
    ------
    OptionError
        If a parameter is negative or not finite.

    Examples
    --------
    >>> value, gradient = exponential([0, 2, 1, 0, 0, 1], 0.3, 0.5, 0.2)
    >>> round(value, 4), gradient.round(3).tolist()
    (-7.1847, [4.917, -0.103, -0.259])
    """
    parameters = np.array([baseline, branching, decay, dispersion], dtype=np.float64)
    if not (np.isfinite(parameters).all() and (parameters >= 0).all()):
        raise OptionError(
            f"baseline, branching, decay and dispersion are {parameters.tolist()}; all must be finite and not negative."
        )
    gradient = np.zeros(4)
    value = log_likelihood(*prepare(counts, exposure, bin_days).arrays, parameters, gradient)
    return float(value), gradient if dispersion > 0 else gradient[:3]


@njit(cache=True, error_model="numpy")
def small_dispersion(mean: float, scaled: float) -> tuple[float, float]:
    """Series of ``log(1 + a m) / a`` and of minus its slope in ``a``, for ``scaled = a m`` below 0.01."""
    s = scaled
    ratio = 1 - s * (1 / 2 - s * (1 / 3 - s * (1 / 4 - s / 5)))
    curved = 1 / 2 - s * (2 / 3 - s * (3 / 4 - s * (4 / 5 - s * 5 / 6)))
    return mean * ratio, mean * mean * curved


@njit(cache=True, error_model="numpy")
def log_likelihood(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    parameters: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood of all observed bins; the gradient in natural parameters is written into ``gradient``."""
    baseline, branching, decay, dispersion = (
        parameters[0],
        parameters[1],
        parameters[2],
        parameters[3],
    )
    if in_fast_range(baseline, branching, decay * width, dispersion, float(len(tail))):
        fast: float = fast_log_likelihood(counts, days, width, tail, parameters, gradient)
        if not math.isnan(fast):
            return fast
    fresh = -math.expm1(-decay * width)  # 1 - r without cancellation
    kept = 1.0 - fresh
    fresh_slope = width * kept  # d(1 - r)/d decay
    state = state_baseline = state_branching = state_decay = 0.0
    value = g_baseline = g_branching = g_decay = g_dispersion = 0.0
    # One log serves many bins: factors are multiplied until they come near the range of a double.
    product = 1.0
    spread = 1.0
    log_spread = 0.0
    tiny = dispersion < 1e-4
    size = 1.0 / dispersion if dispersion > 0.0 else 0.0
    for t in range(len(counts)):
        y = counts[t]
        if math.isnan(y):
            events = baseline * bin_days[t] + branching * state
            e_baseline = bin_days[t] + branching * state_baseline
            e_branching = state + branching * state_branching
            e_decay = branching * state_decay
        else:
            mean = baseline * days[t] + branching * state
            scaled = dispersion * mean
            shrunk = 1.0 / (1.0 + scaled)
            slope = -shrunk
            if y > 0:
                chance = mean * shrunk
                if y == 1.0:
                    product *= chance
                    if product < 1e-200 or product > 1e200:
                        value += math.log(product)
                        product = 1.0
                else:
                    value += y * math.log(chance)
                slope += y * shrunk / mean
            if dispersion == 0.0:
                value -= mean
            elif tiny:  # as dispersion -> 0 the general form loses all digits
                if scaled < 1e-2:
                    ratio, curved = small_dispersion(mean, scaled)
                else:
                    ratio = math.log1p(scaled) / dispersion
                    curved = (ratio - mean * shrunk) / dispersion
                value -= ratio
                g_dispersion += curved - y * mean * shrunk
            else:
                spread *= 1.0 + scaled
                if spread > 1e200:
                    log_spread += math.log(spread)
                    spread = 1.0
                g_dispersion -= (y + size) * mean * shrunk
            g_baseline += slope * (days[t] + branching * state_baseline)
            g_branching += slope * (state + branching * state_branching)
            g_decay += slope * branching * state_decay
            events = y
            e_baseline = e_branching = e_decay = 0.0
        state_decay = kept * state_decay + fresh * e_decay + fresh_slope * (events - state)
        state_baseline = kept * state_baseline + fresh * e_baseline
        state_branching = kept * state_branching + fresh * e_branching
        state = kept * state + fresh * events
    value += math.log(product)
    if dispersion > 0.0 and not tiny:
        log_spread += math.log(spread)
        value -= log_spread / dispersion
        g_dispersion += log_spread / (dispersion * dispersion)
    for j in range(len(tail)):  # sum of log y! and of log Gamma ratios, bins taken together
        value -= tail[j] * math.log1p(j)
        if dispersion > 0.0:
            value += tail[j] * math.log1p(dispersion * j)
            g_dispersion += tail[j] * j / (1.0 + dispersion * j)
    gradient[0] = g_baseline
    gradient[1] = g_branching
    gradient[2] = g_decay
    gradient[3] = g_dispersion
    return value


@njit(cache=True, error_model="numpy")
def log_posterior(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    prior: Floats,
    weight: float,
    negbin: bool,
    theta: Floats,
    gradient: Floats,
) -> float:
    """Log-likelihood plus ``weight`` times the log prior density of ``theta`` = log parameters.

    ``prior``: mean and sd of log baseline, sd of the half-normal branching, mean and sd of log decay, sd of the
    half-normal dispersion. Normalised, Jacobians included.
    """
    parameters = np.zeros(4)
    for i in range(4 if negbin else 3):
        parameters[i] = math.exp(theta[i])
    value: float = log_likelihood(counts, days, bin_days, width, tail, parameters, gradient)
    for i in range(4):
        gradient[i] *= parameters[i]
    if weight > 0.0:
        log_root = 0.5 * math.log(2.0 * math.pi)
        z = (theta[0] - prior[0]) / prior[1]
        density = -0.5 * z * z - math.log(prior[1]) - log_root
        gradient[0] -= weight * z / prior[1]
        z = parameters[1] / prior[2]
        density += theta[1] - 0.5 * z * z - math.log(prior[2]) - log_root + math.log(2.0)
        gradient[1] += weight * (1.0 - z * z)
        z = (theta[2] - prior[3]) / prior[4]
        density += -0.5 * z * z - math.log(prior[4]) - log_root
        gradient[2] -= weight * z / prior[4]
        if negbin:
            z = parameters[3] / prior[5]
            density += theta[3] - 0.5 * z * z - math.log(prior[5]) - log_root + math.log(2.0)
            gradient[3] += weight * (1.0 - z * z)
        value += weight * density
    return value


@njit(cache=True, error_model="numpy")
def evaluate(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    prior: Floats,
    weight: float,
    negbin: bool,
    thetas: Floats,
) -> Floats:
    """``log_posterior`` at each row of ``thetas``, shape (draws, 4)."""
    out = np.empty(len(thetas))
    gradient = np.zeros(4)
    for i in range(len(thetas)):
        out[i] = log_posterior(
            counts, days, bin_days, width, tail, prior, weight, negbin, thetas[i], gradient
        )
    return out


@njit(cache=True, error_model="numpy")
def excitation(counts: Floats, bin_days: Floats, width: float, parameters: Floats) -> Floats:
    """Give expected triggered events of each bin given those before, for each row of parameters: (draws, n)."""
    n = len(counts)
    draws = len(parameters)
    triggered = np.empty((draws, n))
    for d in range(draws):
        branching = parameters[d, 1]
        fresh = -math.expm1(-parameters[d, 2] * width)
        state = 0.0
        for t in range(n):
            triggered[d, t] = branching * state
            events = counts[t]
            if math.isnan(events):
                events = parameters[d, 0] * bin_days[t] + branching * state
            state += fresh * (events - state)
    return triggered


@njit(cache=True, error_model="numpy")
def final_state(counts: Floats, bin_days: Floats, width: float, parameters: Floats) -> Floats:
    """``S`` of the bin after the last one, for each row of parameters: (draws,)."""
    draws = len(parameters)
    final = np.empty(draws)
    for d in range(draws):
        branching = parameters[d, 1]
        fresh = -math.expm1(-parameters[d, 2] * width)
        state = 0.0
        for t in range(len(counts)):
            events = counts[t]
            if math.isnan(events):
                events = parameters[d, 0] * bin_days[t] + branching * state
            state += fresh * (events - state)
        final[d] = state
    return final
