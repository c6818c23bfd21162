"""Covariates of every observation: a slow second implementation on short series, recovery, forecasts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, gammaln, log_expit, logsumexp
from scipy.stats import beta as beta_distribution
from scipy.stats import gamma, nbinom, poisson

import tempo
from tempo.errors import FewEventsWarning

WEEK = np.array([1.0, 0.4, 0.4, 0.4, 2.0, 2.0, 0.8])
SLOPES = np.linspace(-1.0, 2.2, 41)


def sums_over_one_change(log_terms, log_prior):
    """Log evidence given one change, every place alike, levels summed out; terms have shape (n, levels)."""
    total = np.concatenate([np.zeros((1, log_terms.shape[1])), np.cumsum(log_terms, axis=0)])
    n = len(log_terms)
    both = [
        logsumexp(total[t] + log_prior) + logsumexp(total[n] - total[t] + log_prior)
        for t in range(1, n)
    ]
    return logsumexp(both) - math.log(n - 1)


def terms_of(observation, y, eta, levels, extra):
    if observation == "bernoulli":
        odds = np.log(levels / (1 - levels)) + eta[:, None]
        return np.where(y[:, None] > 0, log_expit(odds), log_expit(-odds))
    mean = levels * np.exp(eta)[:, None]
    if observation == "negbin":
        return nbinom.logpmf(y[:, None], extra, extra / (extra + mean))
    if observation == "zip":
        inner = math.log1p(-extra) + poisson.logpmf(y[:, None], mean / (1 - extra))
        return np.where(y[:, None] == 0, np.logaddexp(math.log(extra), inner), inner)
    return poisson.logpmf(y[:, None], mean)


def averaged_over_slopes(log_evidence):
    """Integrate over a standard normal slope by the trapezoid rule; evidence, mean and sd."""
    log = log_evidence - 0.5 * SLOPES**2 - 0.5 * math.log(2 * math.pi)
    density = np.exp(log - log.max())
    total = np.trapezoid(density, SLOPES)
    mean = np.trapezoid(SLOPES * density, SLOPES) / total
    sd = math.sqrt(np.trapezoid((SLOPES - mean) ** 2 * density, SLOPES) / total)
    return log.max() + math.log(total), mean, sd


@pytest.mark.parametrize("observation", ["poisson", "negbin", "zip", "bernoulli"])
def test_estimates_equal_a_slow_integral(observation):
    rng = np.random.default_rng(4)
    index = pd.date_range("2024-01-01", periods=60)
    x = rng.standard_normal(60)
    z = (x - x.mean()) / x.std()
    level = np.repeat([1.0, 4.0], 30)
    y = rng.poisson(level * np.exp(0.5 * x))
    levels = np.exp(np.linspace(-6, 4, 150))
    log_prior = np.log(levels) + gamma.logpdf(levels, 2.0, scale=1.0)
    spread = np.exp(np.linspace(math.log(0.02 / np.quantile(y, 0.99)), math.log(5.0), 18))
    extras = {"negbin": 1 / spread, "zip": np.linspace(0.02, 0.98, 18)}
    log_weights = np.zeros(18)
    if observation == "negbin":
        log_weights = np.log(1 / extras["negbin"]) - 0.5 / extras["negbin"] ** 2
        log_weights = log_weights - logsumexp(log_weights) + math.log(0.5)
        log_weights[0] = np.logaddexp(log_weights[0], math.log(0.5))  # none, or half-normal
    if observation == "zip":
        y = y * (rng.random(60) > 0.3)
    if observation == "bernoulli":
        y = (rng.random(60) < expit(np.log(level) + 0.5 * x)).astype(int)
        levels = expit(np.linspace(-9, 9, 150))
        log_prior = np.log(levels) + np.log1p(-levels) + beta_distribution.logpdf(levels, 2.0, 1.0)
    step = 18 / 149 if observation == "bernoulli" else 10 / 149
    log_prior = log_prior + math.log(step)
    cells = extras.get(observation, np.ones(1))
    log_weights = log_weights[: cells.size] - logsumexp(log_weights[: cells.size])
    brute = [
        logsumexp(
            [
                w + sums_over_one_change(terms_of(observation, y, b * z, levels, c), log_prior)
                for c, w in zip(cells, log_weights, strict=True)
            ]
        )
        for b in SLOPES
    ]
    expected, mean, sd = averaged_over_slopes(np.array(brute))
    model = tempo.Changepoints(observation, n_changes=1, rate_prior=(2, 1), formula="x")
    covariates = pd.DataFrame({"x": x}, index=index)
    fit = model.fit(pd.Series(y, index=index), covariates=covariates)
    assert fit.log_evidence == pytest.approx(expected, abs=0.05)  # Laplace's error
    assert fit.effects.mode[0] == pytest.approx(mean, abs=0.15 * sd)
    assert fit.effects.covariance[0, 0] ** 0.5 == pytest.approx(sd, rel=0.1)


def normal_segment(v, kappa, mean, alpha, rate):
    n = len(v)
    k = kappa + n
    squares = ((v - v.mean()) ** 2).sum()
    b = rate + 0.5 * squares + 0.5 * kappa * n * (v.mean() - mean) ** 2 / k
    return (
        gammaln(alpha + n / 2)
        - gammaln(alpha)
        + alpha * math.log(rate)
        - (alpha + n / 2) * math.log(b)
        + 0.5 * math.log(kappa / k)
        - n / 2 * math.log(2 * math.pi)
    )


def test_log_deaths_equal_a_slow_integral():
    rng = np.random.default_rng(2)
    index = pd.date_range("2024-01-01", periods=40)
    x = rng.standard_normal(40)
    z = (x - x.mean()) / x.std()
    tolls = np.maximum(np.rint(np.exp(np.repeat([0.5, 2.0], 20) + 0.6 * x)), 1.0)
    covariates = pd.DataFrame({"x": x}, index=index)
    fit = tempo.Changepoints("severity", n_changes=1, formula="x").fit(
        pd.Series(tolls, index=index), covariates=covariates
    )
    grid = fit.parts[0].grid
    brute = []
    for b in SLOPES:
        v = np.log(tolls) - b * z
        cells = []
        for kappa, mean, half, rate in zip(
            grid.shape, grid.rate, grid.size, grid.third, strict=True
        ):
            prior = (kappa, mean, half + 0.5 * kappa, rate)
            places = [
                normal_segment(v[:t], *prior) + normal_segment(v[t:], *prior) for t in range(1, 40)
            ]
            cells.append(logsumexp(places) - math.log(39))
        brute.append(logsumexp(cells) - math.log(len(cells)))
    expected, mean, sd = averaged_over_slopes(np.array(brute))
    assert fit.log_evidence == pytest.approx(expected, abs=0.03)
    assert fit.effects.mode[0] == pytest.approx(mean, abs=0.15 * sd)
    assert fit.effects.covariance[0, 0] ** 0.5 == pytest.approx(sd, rel=0.1)
    assert fit.covariates().loc["x", "low"] < math.exp(0.6) < fit.covariates().loc["x", "high"]


def test_gaps_equal_a_slow_integral():
    """Stretches between attacks by hand: each day counts with its factor, each attack with that of its day."""
    rng = np.random.default_rng(3)
    index = pd.date_range("2024-01-01", periods=60)
    x = rng.standard_normal(60)
    z = (x - x.mean()) / x.std()
    counts = rng.poisson(np.repeat([0.4, 1.5], 30) * np.exp(0.5 * x))
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": np.repeat(index, counts)}), ("2024-01-01", "2024-03-01")
    )
    covariates = pd.DataFrame({"x": x}, index=index)
    model = tempo.Changepoints("gaps", n_changes=1, rate_prior=(2, 2), formula="x")
    fit = model.fit(incidents, covariates=covariates)
    days = np.flatnonzero(counts)
    edges = np.append(0, days + 1)
    brute = []
    for b in SLOPES:
        exposure = [np.exp(b * z[a:c]).sum() for a, c in zip(edges, [*edges[1:], 60], strict=True)]
        number = np.append(counts[days], 0).astype(float)
        if edges[-1] == 60:
            exposure, number = exposure[:-1], number[:-1]
        total_n, total_e = np.cumsum(number), np.cumsum(exposure)
        own = b * (counts @ z) - gammaln(number + 1).sum()

        def closed(n, e):
            return 2 * math.log(2) - gammaln(2) + gammaln(2 + n) - (2 + n) * np.log(2 + e)

        places = closed(total_n[:-1], total_e[:-1]) + closed(
            total_n[-1] - total_n[:-1], total_e[-1] - total_e[:-1]
        )
        brute.append(own + logsumexp(places) - math.log(len(places)))
    expected, mean, sd = averaged_over_slopes(np.array(brute))
    assert fit.log_evidence == pytest.approx(expected, abs=0.03)
    assert fit.effects.mode[0] == pytest.approx(mean, abs=0.15 * sd)
    assert fit.effects.covariance[0, 0] ** 0.5 == pytest.approx(sd, rel=0.1)


def weekly_truth(seed=1, days=350):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2022-01-03", periods=2 * days)
    return rng, index, np.repeat([0.8, 2.5], days) * WEEK[index.day_of_week]


@pytest.mark.parametrize("observation", ["negbin", "zip", "bernoulli"])
def test_a_week_and_a_step_are_told_apart(observation):
    rng, index, mean = weekly_truth()
    if observation == "negbin":
        y = rng.negative_binomial(2, 2 / (2 + mean))
    elif observation == "zip":
        y = rng.poisson(mean / 0.6) * (rng.random(700) > 0.4)
    else:
        y = (rng.random(700) < mean / (2 + mean)).astype(int)
    counts = pd.Series(y, index=index, name="attacks")
    fit = tempo.Changepoints(observation=observation, season="week").fit(counts)
    plain = tempo.Changepoints(observation=observation).fit(counts)
    assert fit.n_changes.idxmax() == 1
    assert abs(fit.segments["start"].iloc[1] - index[350]) <= pd.Timedelta("40D")
    assert fit.log_evidence > plain.log_evidence + 15
    table, truth = fit.covariates(0.99), WEEK[1:] / WEEK[0]
    assert ((table["low"] < truth) & (truth < table["high"])).all()
    paths = fit.simulate(14, 4_000, np.random.default_rng(1)).mean(axis=0)
    days = pd.date_range(fit.counts.end, periods=14).day_of_week
    assert paths[days == 4].mean() > 1.4 * paths[days == 1].mean()
    assert (fit.check()["statistic"].iloc[:2] > 0.01).all()
    longer = fit.update(pd.Series([1, 0], index=pd.date_range(fit.counts.end, periods=2)))
    assert longer.parts[0].bins.offset[-1] != 0


def test_gaps_and_deaths_by_day_of_the_week():
    rng, index, mean = weekly_truth(days=120)
    dates = np.repeat(index, rng.poisson(mean))
    logs = 0.5 + np.log(WEEK[dates.day_of_week]) + np.where(dates >= index[120], 1.2, 0)
    killed = np.maximum(np.rint(np.exp(logs + rng.normal(0, 0.7, len(dates)))), 1)
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": dates, "killed": killed}),
        (index[0], index[-1] + pd.Timedelta("1D")),
    )
    for observation in ("gaps", "severity"):
        fit = tempo.Changepoints(observation=observation, season="week").fit(incidents)
        assert fit.n_changes.idxmax() == 1
        table = fit.covariates(0.99)
        if observation == "gaps":
            truth = WEEK[1:] / WEEK[0]
            assert ((table["low"] < truth) & (truth < table["high"])).sum() >= 5
            paths = fit.simulate(7, 4_000, np.random.default_rng(1)).mean(axis=0)
            assert paths[4] > 2 * paths[1]
        assert table["factor"].iloc[3:5].min() > 1.4 * table["factor"].iloc[:3].max()
        assert fit.check()["passed"].iloc[0]
        assert "log_factor" in fit.events


def test_covariates_with_times_of_day():
    rng = np.random.default_rng(8)
    index = pd.date_range("2024-01-01", periods=80)
    rate = np.where(index.day_of_week < 5, 0.5, 3.0)
    when = np.concatenate(
        [
            np.sort(d.value + rng.random(k) * 86.4e12)
            for d, k in zip(index, rng.poisson(rate), strict=True)
        ]
    ).astype("datetime64[ns]")
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": when, "date_precision": "time"}), ("2024-01-01", "2024-03-21")
    )
    weekend = pd.DataFrame({"weekend": (index.day_of_week >= 5).astype(float)}, index=index)
    fit = tempo.Changepoints("gaps", formula="weekend").fit(incidents, covariates=weekend)
    assert fit.timed
    assert fit.covariates().loc["weekend", "factor"] == pytest.approx(6, rel=0.5)
    days = tempo.Changepoints("gaps", season="week").fit(incidents)
    paths = days.simulate(7, 3_000, rng).mean(axis=0)
    later = pd.date_range("2024-03-21", periods=7).day_of_week
    assert paths[later >= 5].mean() > 2.5 * paths[later < 5].mean()


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """Negative binomial counts with a step and a slope drawn from the prior: 80 % intervals, 60 series."""
    rng = np.random.default_rng(9)
    index = pd.date_range("2024-01-01", periods=120)
    inside = 0
    for _ in range(60):
        x = rng.standard_normal(120)
        slope = rng.normal(0, 0.6)
        mean = np.repeat(rng.gamma(2.0, 1.0, 2), 60) * np.exp(slope * x)
        counts = pd.Series(rng.negative_binomial(2, 2 / (2 + mean)), index=index)
        model = tempo.Changepoints("negbin", formula="x", hazard=0.01, rate_prior=(2, 1))
        with np.errstate(all="ignore"):
            fit = model.fit(counts, covariates=pd.DataFrame({"x": x}, index=index))
        row = fit.covariates(0.8).loc["x"]
        inside += row["low"] < math.exp(slope) < row["high"]
    assert 40 <= inside <= 56  # 48 expected, sd 3.1


def test_few_events_are_still_said():
    counts = pd.Series(
        [0, 1, 0, 2, 0, 0, 1] * 4, index=pd.date_range("2024-01-01", periods=28), name="attacks"
    )
    with pytest.warns(FewEventsWarning):
        fit = tempo.Changepoints("negbin", season="week").fit(counts)
    assert fit.covariates()["log_sd"].min() > 0.2
