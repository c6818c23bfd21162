"""Check tables: their size under the truth, their power against what they are for, and their shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest, nbinom, poisson

from tempo.models import observation as obs
from tempo.models.checks import (
    check_table,
    count_checks,
    pit_residuals,
    residual_checks,
    row,
)
from tempo.models.hawkes_simulation import discrete_counts


@pytest.mark.parametrize("dispersion", [2e-10, 1e-8, 1e-5, 9e-4, 1.1e-3, 0.5])
@pytest.mark.parametrize("count", [0, 5, 2_800, 3_100])
def test_tiny_dispersions_lose_no_digits(count, dispersion):
    """The log probability is that of the product over single events, summed without rounding."""
    steps = [math.log1p(i * dispersion) for i in range(count)]
    product = math.fsum([*steps, count * math.log(3_000), -math.lgamma(count + 1)])
    slow = product - (count + 1 / dispersion) * math.log1p(dispersion * 3_000)
    assert obs.log_pmf(count, 3_000, dispersion) == pytest.approx(slow, abs=1e-7)


def checked(y, mean, dispersion=0.0, exposure=None, seed=0):
    mean = np.broadcast_to(mean, np.shape(y)).astype(float)
    filled = np.nan_to_num(y)
    return count_checks(
        y,
        np.ones(len(y)) if exposure is None else exposure,
        obs.cdf(filled - 1, mean, dispersion),
        obs.cdf(filled, mean, dispersion),
        mean,
        obs.variance(mean, dispersion),
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize(("mean", "dispersion"), [(0.03, 0.0), (0.5, 0.0), (0.5, 2.0), (20.0, 0.1)])
def test_good_models_rarely_fail(mean, dispersion):
    rng = np.random.default_rng(1)
    failures = np.zeros(3)
    runs = 60
    for seed in range(runs):
        y = obs.draw(np.full(500, mean), dispersion, rng)
        failures += ~checked(y, mean, dispersion, seed=seed)["passed"].to_numpy()
    assert (failures <= 4).all(), failures  # 0.6 expected each


def test_each_check_sees_what_it_is_for():
    rng = np.random.default_rng(1)
    clustered = discrete_counts(900, 15, 0.05, 0.5, 0.2, 0.0, rng)
    independent = "residuals independent (Ljung-Box)"
    seen = [not checked(y, y.mean()).loc[independent, "passed"] for y in clustered]
    assert np.mean(seen) > 0.7
    bursty = obs.draw(np.full((15, 400), 0.5), 3.0, rng)
    seen = [not checked(y, y.mean()).loc["dispersion (Pearson)", "passed"] for y in bursty]
    assert np.mean(seen) > 0.9
    level = rng.poisson(3.0, (15, 300))
    seen = [not checked(y, 2.0).loc["residuals uniform (KS)", "passed"] for y in level]
    assert np.mean(seen) > 0.9


def test_missing_bins_are_left_out():
    y = np.random.default_rng(1).poisson(1.0, 300).astype(float)
    y[100:150] = np.nan
    exposure = np.where(np.isnan(y), 0.0, 1.0)
    table = checked(y, 1.0, exposure=exposure)
    assert table["passed"].all()
    assert np.isfinite(table["statistic"]).all()


def test_too_little_to_test_says_so():
    table = checked(np.array([0.0, 1.0, 0.0]), 0.3)
    assert table["passed"].all()
    assert table["statistic"].isna().all()
    assert table["meaning"].str.contains("too few").all()


def test_randomised_residuals_lie_in_their_interval_and_are_uniform():
    rng = np.random.default_rng(1)
    y = rng.poisson(0.7, 5_000)
    low, high = poisson.cdf(y - 1, 0.7), poisson.cdf(y, 0.7)
    residuals = pit_residuals(low, high, rng)
    assert ((residuals >= low - 1e-9) & (residuals <= high + 1e-9)).all()
    assert kstest(residuals, "uniform").pvalue > 0.01
    assert np.isnan(pit_residuals([np.nan], [np.nan], rng)[0])


def test_residual_checks_of_gaps():
    rng = np.random.default_rng(1)
    good = check_table(residual_checks(rng.random(400)))
    assert good["passed"].all()
    assert not check_table(residual_checks(rng.random(400) ** 2))["passed"].iloc[0]
    wave = np.clip(
        0.5 + 0.4 * np.sin(np.arange(400) / 9) + 0.05 * rng.standard_normal(400), 0.01, 0.99
    )
    assert not check_table(residual_checks(wave))["passed"].iloc[1]


def test_table_is_the_contract():
    table = check_table(
        [row("one", 0.5, 0.01, True, "Fine."), row("two", math.nan, 1, False, "Not.")]
    )
    assert list(table.columns) == ["statistic", "threshold", "passed", "meaning"]
    assert table.index.name == "check"
    assert table["passed"].dtype == bool


@pytest.mark.parametrize("dispersion", [0.0, 1e-12, 0.3, 4.0])
def test_distributions_against_scipy(dispersion):
    y = np.arange(-1, 40)
    mean = 3.7
    negbin = nbinom(1 / max(dispersion, 1e-9), 1 / (1 + dispersion * mean))
    reference = poisson(mean) if dispersion <= 1e-10 else negbin
    np.testing.assert_allclose(
        obs.cdf(y, mean, dispersion), reference.cdf(y), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        obs.log_pmf(y[1:], mean, dispersion), reference.logpmf(y[1:]), rtol=1e-8
    )
    drawn = obs.draw(np.full(200_000, mean), dispersion, np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.var() == pytest.approx(float(obs.variance(mean, dispersion)), rel=0.04)
    assert obs.log_pmf(0, 0.0) == 0
    assert obs.log_pmf(1, 0.0) == -math.inf
