"""Maximum likelihood in continuous time: optimum, errors, boundary, modes, history, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from tempo.errors import DataError, OptionError
from tempo.models import hawkes_likelihood, hawkes_residuals
from tempo.models.hawkes_continuous import branching_interval, fit_exponential
from tempo.models.hawkes_kernels_fast import exponential_curvature
from tempo.models.hawkes_simulation import by_clusters, by_thinning

TRUTH = (0.4, 0.5, 1.0)


@pytest.fixture(scope="module")
def times() -> np.ndarray:
    return by_clusters(1500.0, *TRUTH, np.random.default_rng(11))


def test_the_gradient_vanishes_at_the_optimum(times):
    fit = fit_exponential(times, 1500.0)
    assert fit.converged
    _, gradient = hawkes_likelihood.exponential(
        times, 1500.0, fit.baseline, fit.branching, fit.decay
    )
    np.testing.assert_allclose(gradient * fit.bse, 0, atol=1e-8)
    np.testing.assert_allclose(fit.gradient, gradient, atol=1e-7)
    expected = hawkes_residuals.total(times, 1500.0, fit.baseline, fit.branching, fit.decay)
    assert expected == pytest.approx(times.size, rel=1e-9)


def test_a_general_optimiser_finds_nothing_better(times):
    fit = fit_exponential(times, 1500.0)

    def negative(log_parameters):
        value, gradient = hawkes_likelihood.exponential(times, 1500.0, *np.exp(log_parameters))
        return -value, -gradient * np.exp(log_parameters)

    for start in ([0.0, -1.0, 0.0], [-2.0, 0.0, 3.0], [-1.0, -2.0, -4.0]):
        found = optimize.minimize(negative, start, jac=True)
        assert -found.fun <= fit.llf + 1e-6


def test_standard_errors_are_those_of_the_numerical_hessian(times):
    fit = fit_exponential(times, 1500.0)
    at = np.array([fit.baseline, fit.branching, fit.decay])
    hessian = np.empty((3, 3))
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5 * at[i]
        up = hawkes_likelihood.exponential(times, 1500.0, *(at + step))[1]
        down = hawkes_likelihood.exponential(times, 1500.0, *(at - step))[1]
        hessian[i] = (up - down) / (2 * step[i])
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(-hessian), rtol=1e-5)
    np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(fit.covariance)))


@pytest.mark.parametrize("n", [40, 512, 700])
@pytest.mark.parametrize("parameters", [(0.3, 0.6, 2.0), (1.1, 1.4, 0.05), (0.01, 0.2, 400.0)])
def test_the_exact_hessian_is_the_slope_of_the_gradient(n, parameters):
    rng = np.random.default_rng(n)
    series = hawkes_likelihood.checked_times(np.cumsum(rng.exponential(1.0, n)), 1e9)
    past = hawkes_likelihood.checked_history([-2.0, -0.3])
    end = series[-1] + 2.0
    gradient, scores, hessian = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    value = exponential_curvature(series, past, end, *parameters, gradient, scores, hessian)
    expected = hawkes_likelihood.exponential(series, end, *parameters, history=past)
    assert value == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-9 * n)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5 * parameters[i]
        up = hawkes_likelihood.exponential(series, end, *(parameters + step), history=past)[1]
        down = hawkes_likelihood.exponential(series, end, *(parameters - step), history=past)[1]
        slope = (up - down) / (2 * step[i])
        scale = np.sqrt(np.abs(np.diag(hessian) * hessian[i, i])) + np.abs(slope)
        assert (np.abs(hessian[i] - slope) < 1e-5 * scale + 1e-8).all()
    assert (np.linalg.eigvalsh(scores / np.sqrt(np.outer(*[np.diag(scores)] * 2))) > -1e-9).all()


def test_time_units_do_not_matter(times):
    days = fit_exponential(times, 1500.0)
    hours = fit_exponential(times * 24, 1500.0 * 24)
    assert hours.branching == pytest.approx(days.branching, rel=1e-8)
    assert hours.decay * 24 == pytest.approx(days.decay, rel=1e-8)
    assert hours.llf == pytest.approx(days.llf - times.size * math.log(24), rel=1e-10)


def test_events_before_the_window_take_the_bias_from_its_edge():
    rng = np.random.default_rng(5)
    truth = (0.2, 0.8, 0.05)  # memory of twenty days in windows of sixty
    with_history, without = [], []
    for _ in range(150):
        series = by_clusters(360.0, *truth, rng)
        now, past = series[series > 300.0] - 300.0, series[series <= 300.0] - 300.0
        parts = (
            hawkes_likelihood.exponential(now, 60.0, *truth, history=past)[1],
            hawkes_likelihood.exponential(now, 60.0, *truth)[1],
        )
        with_history.append(parts[0])
        without.append(parts[1])
    # The score has mean zero at the truth only where the past is known.
    z = np.mean(with_history, axis=0) / (np.std(with_history, axis=0) / math.sqrt(150))
    assert (np.abs(z) < 4).all()
    z = np.mean(without, axis=0) / (np.std(without, axis=0) / math.sqrt(150))
    assert np.abs(z).max() > 8


def test_residuals_of_simulated_data_are_unit_exponential():
    rng = np.random.default_rng(7)
    for simulate in (by_clusters, by_thinning):
        series = simulate(3000.0, *TRUTH, rng, history=[-0.4, -0.1])
        gaps = hawkes_residuals.rescaled_gaps(series, 3000.0, *TRUTH, history=[-0.4, -0.1])
        assert stats.kstest(gaps, "expon").pvalue > 0.001
        assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / math.sqrt(gaps.size)
        wrong = hawkes_residuals.rescaled_gaps(series, 3000.0, 0.8, 0.01, 1.0)
        assert stats.kstest(wrong, "expon").pvalue < 1e-6
        fit = fit_exponential(series, 3000.0, history=[-0.4, -0.1])
        assert stats.kstest(fit.residuals(), "expon").pvalue > 0.001
        np.testing.assert_allclose(fit.compensator(), np.cumsum(fit.residuals()))


def test_compensator_and_intensity_agree_with_the_definition(times):
    few = times[:30]
    end = few[-1] + 1.0
    lag = few[:, None] - few[None, :]
    kernel = np.where(lag > 0, np.exp(-lag), 0.0)
    slow = 0.4 + 0.5 * kernel.sum(axis=1)
    np.testing.assert_allclose(hawkes_residuals.intensity(few, few, *TRUTH), slow, rtol=1e-12)
    integral = 0.4 * few + 0.5 * np.where(lag > 0, -np.expm1(-lag), 0.0).sum(axis=1)
    np.testing.assert_allclose(hawkes_residuals.compensator(few, end, *TRUTH), integral, rtol=1e-12)
    np.testing.assert_allclose(
        hawkes_residuals.triggered(few, *TRUTH), 1 - 0.4 / slow, rtol=1e-12, atol=1e-15
    )
    shuffled = np.random.default_rng(1).permutation(30)
    np.testing.assert_allclose(
        hawkes_residuals.intensity(few[shuffled], few, *TRUTH), slow[shuffled], rtol=1e-12
    )


def test_evenly_spaced_events_have_no_branching():
    fit = fit_exponential(np.arange(0.5, 100.0), 100.0)
    assert fit.at_boundary
    assert fit.branching == 0.0
    assert math.isnan(fit.decay)
    assert fit.baseline == 1.0
    assert fit.llf == fit.llf_poisson == pytest.approx(-100.0)
    assert fit.bse[0] == pytest.approx(0.1)
    assert np.isnan(fit.bse[1:]).all()
    assert fit.converged
    np.testing.assert_allclose(fit.residuals(), [0.5, *[1.0] * 99])
    assert (fit.triggered() == 0).all()
    low, high = branching_interval(fit, prob=0.9)
    assert low == 0.0
    assert high > 0.0


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_hardly_any_events(n):
    fit = fit_exponential([1.0, 2.5, 2.6][:n], 10.0)
    assert fit.n_events == n
    assert math.isfinite(fit.llf)
    assert fit.llf >= fit.llf_poisson
    assert fit.baseline >= 0
    assert "ExponentialFit" in repr(fit)
    low, high = branching_interval(fit, prob=0.9)
    assert 0 <= low <= high


def test_both_maxima_are_reported():
    # Pairs a minute apart, in bursts that last weeks: fast and slow contagion are both local maxima.
    rng = np.random.default_rng(2)
    slow = by_clusters(2000.0, 0.02, 0.8, 0.05, rng)
    pairs = slow[rng.random(slow.size) < 0.25] + rng.exponential(1 / 1440, slow.size)[:1]
    both = np.unique(np.concatenate([slow, pairs]))
    fit = fit_exponential(both, 2000.0)
    assert fit.modes.shape[0] >= 2
    assert (np.diff(fit.modes[:, 3]) <= 0).all()
    assert fit.llf == fit.modes[0, 3]
    assert np.ptp(np.log(fit.modes[:, 2])) > math.log(50)


def test_the_profile_interval_is_where_the_likelihood_ratio_says(times):
    fit = fit_exponential(times, 1500.0)
    low, high = branching_interval(fit, prob=0.9)
    assert low < fit.branching < high

    def profile(branching):
        def negative(log_two):
            value, gradient = hawkes_likelihood.exponential(
                times, 1500.0, math.exp(log_two[0]), branching, math.exp(log_two[1])
            )
            return -value, -gradient[[0, 2]] * np.exp(log_two)

        start = [math.log(fit.baseline), math.log(fit.decay)]
        return -optimize.minimize(negative, start, jac=True).fun

    drop = stats.chi2.ppf(0.9, 1) / 2
    assert fit.llf - profile(low) == pytest.approx(drop, abs=2e-3)
    assert fit.llf - profile(high) == pytest.approx(drop, abs=2e-3)
    wider = branching_interval(fit, prob=0.99)
    assert wider[0] < low
    assert wider[1] > high
    with pytest.raises(OptionError, match="prob"):
        branching_interval(fit, prob=90)


def test_errors_reach_the_user():
    with pytest.raises(DataError, match="tied"):
        fit_exponential([1.0, 1.0, 2.0], 3.0)
    with pytest.raises(DataError, match="history"):
        fit_exponential([1.0, 2.0], 3.0, history=[0.5])
    with pytest.raises(OptionError, match="end"):
        fit_exponential([1.0, 2.0], 0.0)


@pytest.mark.slow
def test_intervals_cover_at_their_stated_rate():
    rng = np.random.default_rng(21)
    truth = np.array(TRUTH)
    replications = 300
    wald = np.zeros(3)
    profile = 0
    for _ in range(replications):
        fit = fit_exponential(by_clusters(600.0, *TRUTH, rng), 600.0)
        estimate = np.array([fit.baseline, fit.branching, fit.decay])
        wald += np.abs(estimate - truth) < 1.6448536 * fit.bse
        low, high = branching_interval(fit, prob=0.9)
        profile += low <= truth[1] <= high
    assert (np.abs(wald / replications - 0.9) < 0.06).all()
    assert abs(profile / replications - 0.9) < 0.05
