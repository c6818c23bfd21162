"""The constant rate: closed forms, quadrature, protocol."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

from tempo.data.incidents import Incidents
from tempo.errors import OptionError
from tempo.models import observation as obs
from tempo.models.constant import ConstantRate


def series(values, freq="1D"):
    return pd.Series(
        np.asarray(values), index=pd.date_range("2020-01-01", periods=len(values), freq=freq)
    )


def test_posterior_and_evidence_are_conjugate():
    y = np.array([0, 2, 1, 0, 3])
    fit = ConstantRate(rate_prior=(2.0, 4.0)).fit(series(y), rng=1)
    assert fit.rate["mean"] == pytest.approx(8 / 9)
    assert fit.rate["low"] == pytest.approx(stats.gamma.ppf(0.05, 8, scale=1 / 9))
    direct, _ = integrate.quad(
        lambda rate: stats.poisson.pmf(y, rate).prod() * stats.gamma.pdf(rate, 2, scale=1 / 4),
        0,
        40,
    )
    assert fit.log_evidence == pytest.approx(math.log(direct), rel=1e-8)


def test_coal_mine_evidence_without_a_change(shared_data):
    # REFERENCE.md: log evidence of no change under Gamma(1, 1) rates.
    coal = pd.read_csv(shared_data / "reference" / "coal_annual.csv")
    counts = coal.iloc[:, -1].to_numpy()
    assert counts.sum() == 191
    fit = ConstantRate(rate_prior=(1, 1)).fit(series(counts, "YS"), rng=1)
    assert fit.log_evidence == pytest.approx(-206.737517, abs=1e-6)


def test_evidence_is_the_product_of_one_step_predictions():
    y = np.random.default_rng(1).poisson(0.4, 30)
    shape, rate, total = 0.5, 1.0, 0.0
    for value in y:
        total += stats.nbinom.logpmf(value, shape, rate / (rate + 1))
        shape, rate = shape + value, rate + 1
    assert ConstantRate().fit(series(y), rng=1).log_evidence == pytest.approx(total)


@pytest.mark.parametrize(
    "y",
    [
        np.random.default_rng(1).poisson(0.3, 200),
        np.random.default_rng(2).negative_binomial(0.5, 0.4, 300),
        np.zeros(50, dtype=int),
        np.array([5] + [0] * 99),
        np.array([3]),
        np.random.default_rng(3).poisson(300, 200),
    ],
    ids=["rare", "bursty", "none", "one burst", "one bin", "busy"],
)
def test_negbin_quadrature_against_a_finer_one(y):
    fit = ConstantRate("negbin").fit(series(y), rng=1, draws=20_000)
    log_a = np.linspace(math.log(1e-9), math.log(6), 500)
    low, high, steps = (250.0, 360.0, 300) if y.mean() > 100 else (1e-14, 60.0, 2_500)
    log_r = np.linspace(math.log(low), math.log(high), steps)
    log_density = stats.gamma.logpdf(np.exp(log_r), 0.5, scale=1)[None] + log_r[None]
    log_density = log_density + (stats.halfnorm.logpdf(np.exp(log_a)) + log_a)[:, None]
    for value, number in zip(*np.unique(y, return_counts=True), strict=True):
        log_density += number * obs.log_pmf(value, np.exp(log_r)[None], np.exp(log_a)[:, None])
    cell = math.log(log_a[1] - log_a[0]) + math.log(log_r[1] - log_r[0])
    assert fit.log_evidence == pytest.approx(logsumexp(log_density) + cell, abs=2e-3)
    weight = np.exp(log_density - logsumexp(log_density))
    mean = float((weight * np.exp(log_r)).sum())
    assert fit.rate["mean"] == pytest.approx(mean, rel=0.03)
    dispersion = float((weight * np.exp(log_a)[:, None]).sum())
    assert fit.params["dispersion"] == pytest.approx(dispersion, rel=0.05, abs=1e-4)


def test_exposure_is_not_quiet():
    y = np.random.default_rng(1).poisson(0.5, 200).astype(float)
    y[50:150] = np.nan
    fit = ConstantRate().fit(series(y), rng=1)
    assert fit.rate["mean"] == pytest.approx((np.nansum(y) + 0.5) / 101)
    window = ("2020-01-01", "2020-01-15")
    table = pd.DataFrame({"date_start": ["2020-01-02", "2020-01-12"]})
    from tempo.data.window import Window

    gappy = Incidents(table, Window(*window, gaps=[("2020-01-04", "2020-01-11")]))
    weekly = gappy.counts("7D")
    assert weekly.exposure.sum() == pytest.approx(1.0)
    assert ConstantRate(rate_prior=(1, 1)).fit(weekly, rng=1).rate["mean"] == pytest.approx(3 / 2)


def test_rate_per_day_stands_beside_the_rate_per_bin():
    y = np.random.default_rng(1).poisson(3.0, 80)
    fit = ConstantRate().fit(series(y, "7D"), rng=1)
    assert fit.rate["mean"] == pytest.approx(3, rel=0.15)
    assert fit.rate_per_day["mean"] == pytest.approx(fit.rate["mean"] / 7)
    assert fit.params["rate_per_day"] == pytest.approx(fit.params["rate"] / 7)
    assert {"rate", "rate_per_day"} <= set(fit.summary().index)


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_protocol(observation):
    import arviz as az

    y = series(np.random.default_rng(1).poisson(0.4, 150))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ConstantRate(observation).fit(y, rng=3)
    assert fit.name == "ConstantRate"
    assert fit.provenance.seed == "3"
    assert fit.provenance.n_events == y.sum()
    assert fit.provenance.fingerprint == fit.counts.fingerprint
    paths = fit.simulate(30, 20_000, np.random.default_rng(1))
    assert paths.shape == (20_000, 30)
    assert paths.dtype == np.int64
    # Uncertainty about the rate widens the forecast beyond its Poisson noise.
    total = paths.sum(axis=1)
    assert total.mean() == pytest.approx(30 * fit.rate["mean"], rel=0.02)
    assert total.var() > 1.1 * total.mean()
    assert fit.check()["passed"].all()
    assert "attacks" in fit.describe()
    assert az.loo(fit.posterior).elpd == pytest.approx(
        stats.poisson.logpmf(y, y.mean()).sum(), abs=4
    )
    again = ConstantRate(observation).fit(y, rng=3)
    np.testing.assert_array_equal(again.draws, fit.draws)


def test_imputed_dates_are_pooled():
    table = pd.DataFrame(
        {
            "date_start": ["2020-01-01", "2020-03-01", "2020-03-30"],
            "date_end": ["2020-01-31", "2020-03-01", "2020-04-02"],
            "date_precision": ["month", "day", "days"],
        }
    )
    vague = Incidents(table, ("2020-01-01", "2020-04-01"))
    fit = ConstantRate(rate_prior=(1, 1)).fit(vague, rng=1, imputations=200, draws=8_000)
    # The last incident falls into the window with probability one half.
    expected = np.mean([(1 + 3) / 92, (1 + 2) / 92])
    assert fit.rate["mean"] == pytest.approx(expected, rel=0.05)
    assert any("200 series" in note for note in fit.provenance.notes)


def test_options_are_checked():
    with pytest.raises(OptionError, match="rate_prior"):
        ConstantRate(rate_prior=(0, 1))
    with pytest.raises(OptionError, match="observation"):
        ConstantRate("normal")
    with pytest.raises(OptionError, match="exact"):
        ConstantRate().fit(series([1, 2]), method="nuts")
