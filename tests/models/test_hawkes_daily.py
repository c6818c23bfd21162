"""The binned likelihood, its gradient, and its maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from tempo.errors import DataError, OptionError
from tempo.models import hawkes_daily as daily
from tempo.models.hawkes_daily_fast import normal_log
from tempo.models.hawkes_mle import branching_interval, maximum_likelihood
from tempo.models.hawkes_simulation import discrete_counts


def slow_log_likelihood(counts, days, bin_days, width, baseline, branching, decay, dispersion):
    """The definition, term by term, O(n^2), with the distributions of scipy."""
    history = np.array(counts, dtype=float)
    total = 0.0
    for t in range(len(counts)):
        triggered = sum(
            (1 - math.exp(-decay * width)) * math.exp(-decay * width * (k - 1)) * history[t - k]
            for k in range(1, t + 1)
        )
        if np.isnan(counts[t]):
            history[t] = baseline * bin_days[t] + branching * triggered
            continue
        mean = baseline * days[t] + branching * triggered
        if dispersion == 0:
            total += poisson.logpmf(counts[t], mean)
        else:
            total += nbinom.logpmf(counts[t], 1 / dispersion, 1 / (1 + dispersion * mean))
    return total


series = st.lists(st.one_of(st.integers(0, 6), st.just(None)), min_size=2, max_size=25)
positive = st.floats(0.01, 3.0)


@settings(max_examples=60, deadline=None)
@given(
    series,
    positive,
    positive,
    positive,
    st.sampled_from([0.0, 0.02, 1.3]),
    st.sampled_from([1.0, 7.0]),
)
def test_value_and_gradient_match_the_definition(
    counts, baseline, branching, decay, dispersion, width
):
    counts = np.array([np.nan if y is None else y for y in counts])
    share = np.where(np.arange(len(counts)) % 5 == 3, 0.4, 1.0)
    value, gradient = daily.exponential(
        counts, baseline, branching, decay, dispersion, exposure=share, bin_days=width
    )
    bin_days = np.full(len(counts), width)
    expected = slow_log_likelihood(
        counts, share * width, bin_days, width, baseline, branching, decay, dispersion
    )
    assert value == pytest.approx(expected, rel=1e-10, abs=1e-9)
    parameters = np.array([baseline, branching, decay, dispersion])[: len(gradient)]
    for i in range(len(parameters)):
        step = 1e-6 * max(parameters[i], 1e-2)
        up, down = parameters.copy(), parameters.copy()
        up[i] += step
        down[i] -= step
        numeric = (
            daily.exponential(counts, *up, exposure=share, bin_days=width)[0]
            - daily.exponential(counts, *down, exposure=share, bin_days=width)[0]
        ) / (2 * step)
        assert gradient[i] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), positive)
def test_zero_branching_is_poisson(counts, baseline):
    value, _ = daily.exponential(counts, baseline, 0.0, 0.3)
    assert value == pytest.approx(poisson.logpmf(counts, baseline).sum(), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("dispersion", [1e-12, 1e-7, 9e-5, 1.1e-4, 1e-2])
def test_small_dispersion_keeps_its_digits(dispersion):
    counts = np.random.default_rng(2).poisson(3.0, 2_000)
    value, gradient = daily.exponential(counts, 1.5, 0.5, 0.2, dispersion)
    below = daily.exponential(counts, 1.5, 0.5, 0.2, dispersion * 0.999)
    above = daily.exponential(counts, 1.5, 0.5, 0.2, dispersion * 1.001)
    middle = (below[0] + above[0]) / 2
    assert value == pytest.approx(middle, abs=1e-5)
    numeric = (above[0] - below[0]) / (0.002 * dispersion)
    if dispersion > 1e-5:  # otherwise the difference is lost in rounding
        assert gradient[3] == pytest.approx(numeric, rel=1e-3)
    assert gradient[3] == pytest.approx(below[1][3], rel=1e-2)


def test_long_products_do_not_overflow():
    busy = np.random.default_rng(1).poisson(50.0, 20_000).astype(float)
    quiet = (np.random.default_rng(1).random(20_000) < 0.001).astype(float)
    for counts, baseline in ((busy, 20.0), (quiet, 1e-4)):
        value, gradient = daily.exponential(counts, baseline, 0.5, 0.1, 0.3)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_units_of_time_are_days_whatever_the_bins():
    counts = np.random.default_rng(4).poisson(2.0, 200)
    in_days = daily.exponential(counts, 0.2, 0.4, 0.05, bin_days=7.0)
    in_weeks = daily.exponential(counts, 1.4, 0.4, 0.35)
    assert in_days[0] == pytest.approx(in_weeks[0], rel=1e-12)
    assert in_days[1] == pytest.approx(in_weeks[1] * [7, 1, 7], rel=1e-10)


def test_bad_input_is_refused():
    with pytest.raises(OptionError, match="not negative"):
        daily.exponential([1, 2], -0.1, 0.5, 0.5)
    with pytest.raises(DataError, match="whole numbers"):
        daily.exponential([1, 2.5], 0.1, 0.5, 0.5)
    with pytest.raises(DataError, match="exposure"):
        daily.exponential([1, 2], 0.1, 0.5, 0.5, exposure=[1.0])


# -- maximum ----------------------------------------


def simulated(n, baseline, branching, decay, dispersion=0.0, seed=0):
    rng = np.random.default_rng(seed)
    paths = discrete_counts(
        n, 1, baseline, branching, decay, 0.0, rng, dispersion=dispersion or None
    )
    return daily.prepare(paths[0])


@pytest.mark.parametrize("negbin", [False, True])
def test_maximum_recovers_the_truth(negbin):
    truth = np.array([0.4, 0.5, 0.25, 0.8 if negbin else 0.0])
    p = 4 if negbin else 3
    errors = []
    for seed in range(12):
        data = simulated(4_000, *truth, seed=seed)
        found = maximum_likelihood(data, negbin=negbin)
        assert found.converged
        errors.append(
            (np.log(found.parameters[:p]) - np.log(truth[:p]))
            / np.sqrt(np.diag(found.covariance)[:p])
        )
    z = np.array(errors)
    assert np.abs(z).max() < 4
    assert (np.abs(z.mean(axis=0)) < 3 / math.sqrt(12)).all()
    assert (z.std(axis=0) < 1.8).all()
    assert (z.std(axis=0) > 0.4).all()


def test_maximum_is_the_best_point_of_a_grid():
    data = simulated(400, 0.1, 0.6, 0.3, seed=3)
    found = maximum_likelihood(data, negbin=False)
    gradient = np.zeros(4)
    best = -math.inf
    for baseline in np.geomspace(0.02, 0.5, 18):
        for branching in np.linspace(0.0, 1.5, 24):
            for decay in np.geomspace(0.005, 5.0, 24):
                parameters = np.array([baseline, branching, decay, 0.0])
                best = max(best, daily.log_likelihood(*data.arrays, parameters, gradient))
    assert found.llf >= best
    assert found.llf == pytest.approx(best, abs=0.5)


def test_boundary_at_zero():
    # Regular gaps are the opposite of clustering.
    data = daily.prepare(np.tile([1.0, 0, 0, 0, 0], 60))
    found = maximum_likelihood(data, negbin=False)
    assert found.at_boundary
    assert math.isnan(found.parameters[2])
    assert found.parameters[0] == pytest.approx(0.2, rel=1e-6)
    assert found.llf == pytest.approx(found.llf_without)
    low, high = branching_interval(data, found, negbin=False, prob=0.9)
    assert low == 0
    assert 0 < high < 1  # a memory of half the record could hide some


def test_several_peaks_are_reported():
    # Pairs on successive days, and a rate that switches every 200 days: each asks for its own memory.
    rng = np.random.default_rng(1)
    n = 1_200
    counts = rng.poisson(0.1 * (1 + np.sign(np.sin(np.arange(n) * 2 * np.pi / 400))))
    pairs = rng.choice(n - 2, 25, replace=False)
    counts[pairs] += 1
    counts[pairs + 1] += 1
    data = daily.prepare(counts)
    found = maximum_likelihood(data, negbin=False)
    assert len(found.modes) == 2
    assert found.modes[0, 4] == pytest.approx(found.llf)
    assert found.modes[0, 4] > found.modes[1, 4]
    gradient = np.zeros(4)
    for mode in found.modes:
        value = daily.log_likelihood(*data.arrays, mode[:4].copy(), gradient)
        assert value == pytest.approx(mode[4])
        assert np.abs(gradient[:3] * mode[:3]).max() < 1e-3


def test_profile_interval_falls_by_the_quantile():
    data = simulated(600, 0.1, 0.5, 0.2, seed=5)
    found = maximum_likelihood(data, negbin=False)
    low, high = branching_interval(data, found, negbin=False, prob=0.9)
    assert low < found.parameters[1] < high
    gradient = np.zeros(4)
    for edge in (low, high):
        best = max(
            daily.log_likelihood(*data.arrays, np.array([b, edge, d, 0.0]), gradient)
            for b in np.geomspace(0.02, 0.3, 80)
            for d in np.geomspace(0.02, 3.0, 80)
        )
        assert found.llf - best == pytest.approx(2.7055 / 2, abs=0.05)


@pytest.mark.slow
def test_profile_interval_covers():
    inside = 0
    for seed in range(100):
        data = simulated(500, 0.2, 0.4, 0.3, seed=seed)
        found = maximum_likelihood(data, negbin=False)
        low, high = branching_interval(data, found, negbin=False, prob=0.9)
        inside += low <= 0.4 <= high
    assert 82 <= inside <= 98  # 90 expected, sd 3


@pytest.mark.parametrize("n", [1, 3, 511, 512, 513, 1030])
@pytest.mark.parametrize("dispersion", [0.0, 0.7])
def test_chunks_and_the_plain_loop_agree(n, dispersion):
    rng = np.random.default_rng(n)
    counts = rng.poisson(rng.choice([0.05, 3.0], n))
    share = rng.choice([0.3, 1.0], n)
    at = (0.4, 0.6, 0.15, dispersion)
    value, gradient = daily.exponential(counts, *at, exposure=share)
    # One bin that nobody watched, long after the others, sends the same data through the plain loop.
    plain, slopes = daily.exponential([*counts, np.nan], *at, exposure=[*share, 0.0])
    assert value == pytest.approx(plain, rel=1e-13, abs=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-11, atol=1e-11)
    days = np.where(share > 0, share, 0.0)
    slow = (
        slow_log_likelihood(counts.astype(float), days, np.ones(n), 1.0, *at) if n < 600 else value
    )
    assert value == pytest.approx(slow, rel=1e-11)


@given(st.floats(1e-300, 1e300))
def test_the_polynomial_logarithm(x):
    assert normal_log(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-16)
