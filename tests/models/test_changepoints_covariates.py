"""Covariates beside changes: recovery, the gradient, what a season must not be taken for, forecasts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln

import tempo
from tempo.errors import DataError, OptionError
from tempo.models.changepoint_covariates import Exposed, fit_covariates

WEEK = np.array([1.0, 0.4, 0.4, 0.4, 2.0, 2.0, 0.8])


def weekly(seed=0, rates=(1.0, 3.0), days=140):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-01-01", periods=2 * days)  # a Monday
    rate = np.repeat(rates, days) * WEEK[index.day_of_week]
    return pd.Series(rng.poisson(rate), index=index, name="attacks")


def test_a_week_and_a_step_are_told_apart():
    counts = weekly()
    plain, fit = tempo.Changepoints().fit(counts), tempo.Changepoints(season="week").fit(counts)
    assert fit.segments.attrs["n_changes"] == 1
    assert abs(fit.segments["start"].iloc[1] - counts.index[140]) <= pd.Timedelta("3D")
    table = fit.covariates()
    truth = WEEK[1:] / WEEK[0]
    assert ((table["low"] < 1.35 * truth) & (table["high"] > truth / 1.35)).all()
    inside = (table["low"] < truth) & (truth < table["high"])
    assert inside.sum() >= 4
    assert fit.log_evidence > plain.log_evidence + 30
    paths = fit.simulate(14, 4_000, np.random.default_rng(1))
    days = pd.date_range(fit.counts.end, periods=14)
    means = paths.mean(axis=0)
    assert means[days.day_of_week == 4].mean() > 2 * means[days.day_of_week == 1].mean()


def test_without_changes_and_covariates_that_matter_evidence_is_a_regression():
    """One regime with a fixed prior: the integral over level and slope, by quadrature."""
    rng = np.random.default_rng(4)
    index = pd.date_range("2024-01-01", periods=80)
    x = rng.standard_normal(80)
    y = rng.poisson(2 * np.exp(0.3 * x))
    fit = tempo.Changepoints(n_changes=0, rate_prior=(2, 1), formula="x").fit(
        pd.Series(y, index=index), covariates=pd.DataFrame({"x": x}, index=index)
    )
    z = (x - x.mean()) / x.std()
    beta = np.linspace(-1, 2, 4001)
    exposed = np.exp(np.outer(beta, z)).sum(axis=1)
    log = (
        (y * z).sum() * beta
        - gammaln(y + 1).sum()
        + 2 * math.log(1)
        - gammaln(2)
        + gammaln(2 + y.sum())
        - (2 + y.sum()) * np.log(1 + exposed)
        - 0.5 * beta**2
        - 0.5 * math.log(2 * math.pi)
    )
    top = log.max()
    expected = top + math.log(np.trapezoid(np.exp(log - top), beta))
    assert fit.log_evidence == pytest.approx(expected, abs=0.01)
    mean = np.trapezoid(beta * np.exp(log - expected), beta)
    assert fit.effects.mode[0] == pytest.approx(mean, abs=0.01)
    sd = math.sqrt(np.trapezoid((beta - mean) ** 2 * np.exp(log - expected), beta))
    assert fit.effects.covariance[0, 0] ** 0.5 == pytest.approx(sd, rel=0.03)


def test_coefficients_are_where_the_exact_evidence_is_highest():
    """The estimate rests on a gradient; here the evidence itself says that no direction is better."""
    counts = weekly(seed=2, days=70)
    model = tempo.Changepoints(hazard=0.01, rate_prior=(1, 1), season="week")
    fit = model.fit(counts)
    bins = tempo.Changepoints()._bins(fit.base)
    matrix = fit.effects.design.matrix(fit.base.bin_starts)
    carrier = Exposed(bins, matrix)
    again = fit_covariates(carrier, fit.parts[0].grid, fit.effects.design, matrix).effects
    np.testing.assert_allclose(again.mode, fit.effects.mode, atol=1e-8)
    from tempo.models.changepoint_posterior import solve

    def objective(beta):
        return solve(carrier.bins(beta), fit.parts[0].grid).log_evidence - 0.5 * float(beta @ beta)

    top = objective(fit.effects.mode)
    for i in range(6):
        for step in (-0.05, 0.05):
            moved = fit.effects.mode.copy()
            moved[i] += step
            assert objective(moved) < top


def test_a_yearly_season_is_no_change():
    rng = np.random.default_rng(7)
    index = pd.date_range("2020-01-06", periods=4 * 52, freq="7D")
    phase = 2 * np.pi * index.day_of_year / 365.25
    counts = pd.Series(rng.poisson(3 * np.exp(0.9 * np.sin(phase))), index=index)
    plain, fit = tempo.Changepoints().fit(counts), tempo.Changepoints(season="year").fit(counts)
    assert plain.n_changes.iloc[0] < 0.01
    assert fit.n_changes.iloc[0] > 0.5
    assert fit.covariates().loc["sin1", "factor"] == pytest.approx(math.exp(0.9), rel=0.2)
    longer = fit.update(
        pd.Series([2, 3], index=pd.date_range(counts.index[-1], periods=3, freq="7D")[1:])
    )
    assert longer.parts[0].bins.exposure[-1] != 1.0


def test_covariates_that_cannot_be_used_are_refused():
    counts = weekly(days=30)
    with pytest.raises(OptionError, match="expected 'week'"):
        tempo.Changepoints(season="month")
    with pytest.raises(OptionError, match="cannot be used"):
        tempo.Changepoints(formula="rain").fit(counts)
    flat = pd.DataFrame({"rain": 1.0}, index=counts.index)
    with pytest.raises(DataError, match="do not vary"):
        tempo.Changepoints(formula="rain").fit(counts, covariates=flat)
    with pytest.raises(DataError, match="missing for 10 bins"):
        tempo.Changepoints(formula="rain").fit(counts, covariates=flat.iloc[10:])
    rain = pd.DataFrame({"rain": np.arange(60.0) % 3}, index=counts.index)
    fit = tempo.Changepoints(formula="rain", hazard=0.01, rate_prior=(1, 1)).fit(
        counts, covariates=rain
    )
    with pytest.raises(DataError, match="known for past bins only"):
        fit.simulate(3, 3, np.random.default_rng(0))


def test_waiting_for_the_next_change_is_geometric():
    fit = tempo.Changepoints(hazard=0.05, rate_prior=(1, 1)).fit(weekly(days=20))
    wait = fit.next_change(60)
    np.testing.assert_allclose(wait, 1 - 0.95 ** np.arange(1, 61), atol=1e-12)
    assert wait.index[0] == fit.counts.end
    learned = tempo.Changepoints().fit(weekly(days=20)).next_change(60)
    assert learned.is_monotonic_increasing
    assert 0 < learned.iloc[0] < learned.iloc[-1] < 1
    with pytest.raises(OptionError, match="no more changes"):
        tempo.Changepoints(n_changes=1).fit(weekly(days=20)).next_change()
