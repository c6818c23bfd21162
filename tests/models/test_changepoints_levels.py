"""Levels on a grid: against the conjugate engine, and enumeration of zero inflation and shortest lengths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import gamma, poisson

import tempo
from tempo.errors import OptionError
from tempo.models.changepoint_draws import sample
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_posterior import solve_levels
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_predictive import GAMMA, NEGBIN, ZIP


def make_grid(family, hazard, shape=1.3, rate=0.8, size=1.0, n_changes=None, shortest=1):
    one = np.ones(1)
    odds = hazard / (1 - hazard) * one
    numbers = (shape * one, rate * one, size * one, np.zeros(1), odds, np.zeros(1))
    return Grid(family, *numbers, n_changes=n_changes, shortest=shortest)


def stepped(n=60, seed=1):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.repeat([0.4, 3.0, 0.8], n // 3)).astype(float)


def test_poisson_levels_equal_closed_forms():
    y, e = stepped(), np.ones(60)
    e[20:24], y[20:24] = 0.5, 1
    exact = solve(Bins.of(y, e), make_grid(GAMMA, 0.05))
    levels = solve_levels(Bins.of(y, e), make_grid(GAMMA, 0.05))
    assert levels.log_evidence == pytest.approx(exact.log_evidence, abs=1e-6)
    np.testing.assert_allclose(levels.change_probability, exact.change_probability, atol=1e-7)
    np.testing.assert_allclose(levels.rate_moments, exact.rate_moments, rtol=1e-5)
    np.testing.assert_allclose(levels.number[:6], exact.number[:6], atol=1e-7)
    for mine, theirs in zip(levels.one_step(), tempo_one_step(exact), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-7)
    found = sample(levels, 10_000, np.random.default_rng(2))
    shares = np.bincount(found.start[found.start > 0], minlength=60) / 10_000
    assert np.max(np.abs(shares - exact.change_probability)) < 0.025
    given = levels.given(2)
    np.testing.assert_allclose(given.mean, exact.given(2).mean, rtol=0.1)
    gone = levels.waiting(20)
    np.testing.assert_allclose(gone, 1 - 0.95 ** np.arange(1, 21), rtol=1e-9)
    paths = levels.simulate(10, 20_000, np.random.default_rng(3))
    stays = 0.95 ** np.arange(1, 11)
    expected = stays * exact.rate_moments[0, -1] + (1 - stays) * 1.3 / 0.8
    np.testing.assert_allclose(paths.mean(axis=0), expected, rtol=0.06)


def tempo_one_step(posterior):
    from tempo.models.changepoint_forecast import one_step

    return one_step(posterior)


def test_negbin_levels_have_a_gamma_prior_of_the_mean():
    """The conjugate prior is beta prime; with the same likelihood and a Gamma one, by quadrature."""
    from scipy.stats import nbinom

    y = np.array([0, 3, 1, 6.0])
    grid = make_grid(NEGBIN, 1e-9, size=2.0)
    found = solve_levels(Bins.of(y, np.ones(4)), grid).log_evidence

    def joint(m):
        return nbinom.pmf(y, 2.0, 2.0 / (2.0 + m)).prod() * gamma.pdf(m, 1.3, scale=1 / 0.8)

    assert found == pytest.approx(math.log(quad(joint, 0, 60, limit=200)[0]), abs=1e-6)


def zip_segment(y, idle, shape=1.3, rate=0.8):
    def joint(m):
        lam = m / (1 - idle)
        p = (1 - idle) * poisson.pmf(y, lam) + idle * (y == 0)
        return p.prod() * gamma.pdf(m, shape, scale=1 / rate)

    return math.log(quad(joint, 0, 80, limit=300, points=[0.1, 1, 5])[0])


def poisson_segment(y, shape=1.3, rate=0.8):
    from scipy.special import gammaln

    n = y.sum()
    own = shape * math.log(rate) - gammaln(shape) + gammaln(shape + n)
    return float(own - (shape + n) * math.log(rate + len(y)) - gammaln(y + 1).sum())


@pytest.mark.parametrize("family", [GAMMA, ZIP])
@pytest.mark.parametrize("shortest", [1, 2, 3])
def test_shortest_lengths_and_zero_inflation_equal_enumeration(family, shortest):
    y = np.array([0, 2, 0, 7, 0, 5, 0.0]) if family == ZIP else np.array([0, 1, 0, 6, 7, 5, 0, 0.0])
    m, hazard = len(y), 0.15
    segment = {
        (a, b): zip_segment(y[a:b], 0.3) if family == ZIP else poisson_segment(y[a:b])
        for a, b in itertools.combinations(range(m + 1), 2)
    }
    weights, change, number = [], [], []
    for flags in itertools.product([False, True], repeat=m - 1):
        cuts = [t + 1 for t, flag in enumerate(flags) if flag]
        edges = [0, *cuts, m]
        inner = list(itertools.pairwise(edges))[1:-1]
        if any(b - a < shortest for a, b in inner):
            continue
        prior = 0.0
        begun, exempt = 0, True
        for t in range(1, m):  # before each bin: free to leave only after the shortest length
            free = exempt or t - begun >= shortest
            if t in cuts:
                prior += math.log(hazard)
                begun, exempt = t, False
            elif free:
                prior += math.log1p(-hazard)
        weights.append(prior + sum(segment[pair] for pair in itertools.pairwise(edges)))
        change.append(np.isin(np.arange(m), cuts))
        number.append(len(cuts))
    grid = make_grid(family, hazard, size=0.3, shortest=shortest)
    found = solve_levels(Bins.of(y, np.ones(m)), grid)
    assert found.log_evidence == pytest.approx(logsumexp(weights), abs=1e-4)
    p = np.exp(weights - logsumexp(weights))
    np.testing.assert_allclose(found.change_probability, p @ np.array(change), atol=1e-4)
    expected = np.bincount(number, p)
    np.testing.assert_allclose(found.number[: expected.size], expected, atol=1e-4)
    start = sample(found, 2_000, np.random.default_rng(0))
    lengths = (start.end - start.start)[(start.start > 0) & (start.end < m)]
    assert lengths.size == 0 or lengths.min() >= shortest


def series(values):
    return pd.Series(values, index=pd.date_range("2020-01-01", periods=len(values)), name="attacks")


def test_a_spell_shorter_than_the_least_length_is_no_regime():
    rng = np.random.default_rng(5)
    y = rng.poisson(0.5, 90)
    y[40:43] = 5
    free = tempo.Changepoints().fit(series(y))
    least = tempo.Changepoints(min_length=15).fit(series(y))
    assert free.n_changes.idxmax() == 2
    inner = least.sample(200, rng=1)
    later = inner[inner["segment"] > 2].groupby("draw")["start"].diff().dropna()
    assert (later >= pd.Timedelta("15D")).all()
    assert least.log_evidence < free.log_evidence
    assert least.simulate(5, 10, rng).shape == (10, 5)


def test_idle_days_are_not_changes():
    rng = np.random.default_rng(6)
    y = rng.poisson(4.0, 120) * (rng.random(120) < 0.4)
    plain = tempo.Changepoints().fit(series(y))
    fit = tempo.Changepoints(observation="zip").fit(series(y))
    assert plain.n_changes.index.to_numpy() @ plain.n_changes > 10
    assert fit.n_changes.iloc[0] > 0.5
    assert fit.grid.groupby("idle")["probability"].sum().idxmax() == pytest.approx(0.6, abs=0.11)
    assert fit.log_evidence > plain.log_evidence + 30
    assert fit.segments["rate"].iloc[0] == pytest.approx(y.mean(), rel=0.15)
    assert fit.check()["passed"].all()
    assert fit.update(3).log_evidence < fit.log_evidence
    assert len(fit.sensitivity()) == 9
    assert "log_likelihood" in fit.posterior.children


def test_options_that_cannot_go_together_are_refused():
    for options, message in (
        ({"min_length": 0}, "whole number of bins"),
        ({"hazard": 0.1, "n_changes": 2}, "Pass one of them"),
    ):
        with pytest.raises(OptionError, match=message):
            tempo.Changepoints(**options)
