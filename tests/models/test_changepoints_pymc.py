"""The PyMC twin: its log probability is the exact evidence, and its gradient is that of finite differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.models import changepoints_pymc
from tempo.models.changepoint_levels import marginal


def counts(n=60):
    rng = np.random.default_rng(1)
    values = rng.poisson(np.repeat([0.5, 3.0], n // 2)).astype(float)
    values[10:13] = np.nan
    return pd.Series(values, index=pd.date_range("2020-01-01", periods=n))


def test_value_is_the_exact_evidence():

    series = counts().fillna(1)
    built = changepoints_pymc.model(series, hazard=0.05, rate_prior=(1.5, 0.9))
    found = float(built.compile_fn(built.logp())({}))
    exact = tempo.Changepoints(hazard=0.05, rate_prior=(1.5, 0.9)).fit(series)
    assert found == pytest.approx(exact.log_evidence, abs=1e-6)


def test_gradients_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    log_likelihood, log_prior = rng.normal(size=(7, 4)), rng.normal(size=4)
    _, by_likelihood, by_prior, by_hazard = marginal(log_likelihood, log_prior, 0.2)
    h = 1e-6

    def difference(move):
        up, down = (marginal(*move(sign * h))[0] for sign in (1, -1))
        return (up - down) / (2 * h)

    for t, g in ((0, 1), (3, 2), (6, 0)):
        at = np.zeros((7, 4))
        at[t, g] = 1
        found = difference(lambda d, at=at: (log_likelihood + d * at, log_prior, 0.2))
        assert by_likelihood[t, g] == pytest.approx(found, abs=1e-6)
    for g in range(4):
        at = np.eye(4)[g]
        found = difference(lambda d, at=at: (log_likelihood, log_prior + d * at, 0.2))
        assert by_prior[g] == pytest.approx(found, abs=1e-6)
    found = difference(lambda d: (log_likelihood, log_prior, 0.2 + d))
    assert by_hazard == pytest.approx(found, abs=1e-5)


def test_the_free_model_has_a_gradient_that_fits_its_value():
    built = changepoints_pymc.model(counts())
    point = built.initial_point()
    logp, slope = built.compile_logp(), built.compile_dlogp()
    gradient = slope(point)
    names = [variable.name for variable in built.value_vars]
    for i, name in enumerate(names):
        up, down = dict(point), dict(point)
        up[name], down[name] = point[name] + 1e-5, point[name] - 1e-5
        expected = (logp(up) - logp(down)) / 2e-5
        assert gradient[i] == pytest.approx(float(expected), rel=1e-4, abs=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nutpie_finds_the_exact_posterior_of_the_hazard():
    import nutpie
    from scipy.integrate import trapezoid

    series = counts().fillna(1)
    built = changepoints_pymc.model(series, rate_prior=(1.5, 0.9))
    tree = nutpie.sample(
        nutpie.compile_pymc_model(built),
        draws=400,
        tune=300,
        chains=2,
        cores=1,
        seed=1,
        progress_bar=False,
    )
    drawn = tree.posterior["hazard"].to_numpy()
    grid = np.linspace(1e-4, 0.4, 80)
    log = np.array(
        [
            tempo.Changepoints(hazard=h, rate_prior=(1.5, 0.9)).fit(series).log_evidence
            + 59 * np.log1p(-h)
            for h in grid
        ]
    )
    p = np.exp(log - log.max())
    mean = trapezoid(grid * p, grid) / trapezoid(p, grid)
    assert drawn.mean() == pytest.approx(mean, rel=0.15)
