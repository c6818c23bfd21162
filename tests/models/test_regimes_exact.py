"""Forward, backward, Viterbi, draws and gradient of hidden regimes against the sum over every path."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from tempo.models import observation as obs
from tempo.models import regime_density as density
from tempo.models.regime_data import prepare
from tempo.models.regime_engine import Reading, step_matrix
from tempo.models.regime_posterior import RegimesPrior


def random_natural(rng, k, *, negbin=False, contagion=False):
    jump = np.zeros((k, k))
    for i in range(k):
        if k > 1:
            jump[i, np.arange(k) != i] = rng.dirichlet(np.ones(k - 1))
    leave = rng.uniform(0.05, 0.9, k) if k > 1 else np.zeros(1)
    rest = [0.4 if negbin else 0.0, *((0.5, 0.6) if contagion else (0.0, 0.0))]
    return np.concatenate([np.sort(rng.gamma(2.0, 1.0, k)), leave, jump.ravel(), rest])


def enumerate_paths(values, exposure, natural, k, stages):
    """Log joint probability of counts and each path of hidden states; the long-run start by power iteration."""
    step = step_matrix(natural, k, stages)
    size = k * stages
    start = np.linalg.matrix_power(0.5 * step + 0.5 * np.eye(size), 4096)[0]
    seen = exposure > 0
    excited = np.zeros(len(values))
    if natural[-2] > 0:
        usual = values[seen].sum() / exposure[seen].sum()
        past = np.where(seen, values, usual)
        for t in range(len(values)):
            lags = np.arange(1, t + 1)
            kernel = (1 - natural[-1]) * natural[-1] ** (lags - 1)
            excited[t] = natural[-2] * (kernel * past[t - lags]).sum()
    every = np.array(list(itertools.product(range(size), repeat=len(values))))
    with np.errstate(divide="ignore"):
        log_joint = np.log(start)[every[:, 0]]
        for t in range(1, len(values)):
            log_joint = log_joint + np.log(step)[every[:, t - 1], every[:, t]]
    for t in np.flatnonzero(seen):
        mean = exposure[t] * natural[:k] + excited[t]
        log_joint = log_joint + obs.log_pmf(values[t], mean, natural[-3])[every[:, t] // stages]
    return every // stages, log_joint


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(1, 1, 6), (2, 1, 8), (3, 1, 6), (4, 1, 5), (2, 2, 5), (3, 2, 4)]),
    negbin=st.booleans(),
    contagion=st.booleans(),
)
def test_agrees_with_every_path(seed, shape, negbin, contagion):
    k, stages, n = shape
    rng = np.random.default_rng(seed)
    natural = random_natural(rng, k, negbin=negbin, contagion=contagion)
    values = rng.poisson(2.0, n).astype(float)
    exposure = rng.choice([0.0, 0.5, 1.0], n, p=[0.2, 0.2, 0.6])
    exposure[rng.integers(n)] = 1.0
    values[exposure == 0] = np.nan
    data = prepare(values, exposure, k, stages, negbin=negbin, contagion=contagion)
    reading = Reading(data, natural)
    paths, log_joint = enumerate_paths(values, exposure, natural, k, stages)
    value, *_ = reading._passed
    assert value == pytest.approx(logsumexp(log_joint), abs=1e-9)
    weight = np.exp(log_joint - logsumexp(log_joint))
    smoothed = [[weight[paths[:, t] == i].sum() for i in range(k)] for t in range(n)]
    np.testing.assert_allclose(reading.smoothed, smoothed, atol=1e-9)
    if (
        not contagion and (exposure[:-1] > 0).any()
    ):  # the history of a bin that was missed is a mean over all
        earlier = prepare(values[:-1], exposure[:-1], k, stages, negbin=negbin, contagion=False)
        np.testing.assert_allclose(
            Reading(earlier, natural).filtered, reading.filtered[:-1], atol=1e-12
        )
    np.testing.assert_allclose(reading.filtered[-1], smoothed[-1], atol=1e-9)
    switches = (paths[:, 1:] != paths[:, :-1]).sum(axis=1)
    if stages == 1:
        assert reading.visits.sum() == pytest.approx(1 + weight @ switches, abs=1e-9)
    pointwise = density.pointwise(*data.arrays, natural)
    assert pointwise.sum() == pytest.approx(value, abs=1e-9)


def test_most_probable_path_is_the_best_of_all():
    rng = np.random.default_rng(4)
    for k, stages, n in ((2, 1, 9), (3, 1, 7), (2, 3, 5)):
        natural = random_natural(rng, k)
        values = rng.poisson(2.0, n).astype(float)
        data = prepare(values, np.ones(n), k, stages, negbin=False, contagion=False)
        paths, log_joint = enumerate_paths(values, np.ones(n), natural, k, stages)
        found = Reading(data, natural).most_probable()
        # Several paths of stages may share one path of regimes: the best single one counts.
        best = log_joint[(paths == found).all(axis=1)].max()
        assert best == pytest.approx(log_joint.max(), abs=1e-10)


@pytest.mark.parametrize(("k", "stages"), [(2, 1), (3, 1), (2, 3)])
def test_drawn_paths_match_smoothed_probabilities_and_switches(k, stages):
    rng = np.random.default_rng(5)
    natural = random_natural(rng, k)
    values = rng.poisson(2.0, 30).astype(float)
    values[10:15] = np.nan
    exposure = np.where(np.isnan(values), 0.0, 1.0)
    data = prepare(values, exposure, k, stages, negbin=False, contagion=False)
    reading = Reading(data, natural)
    drawn = reading.paths(8_000, rng)
    shares = np.stack([(drawn == i).mean(axis=0) for i in range(k)], axis=1)
    np.testing.assert_allclose(shares, reading.smoothed, atol=0.025)
    switches = 1 + (drawn[:, 1:] != drawn[:, :-1]).sum(axis=1).mean()
    assert switches == pytest.approx(reading.visits.sum(), rel=0.03)


@pytest.mark.parametrize("negbin", [False, True])
@pytest.mark.parametrize("contagion", [False, True])
@pytest.mark.parametrize(("k", "stages"), [(1, 1), (2, 1), (3, 1), (4, 2), (3, 3)])
@pytest.mark.parametrize("stay", [None, (5.0, 80.0)])
def test_gradient_agrees_with_differences(k, stages, negbin, contagion, stay):
    rng = np.random.default_rng(k)
    values = rng.poisson(2.0, 40).astype(float)
    exposure = rng.choice([0.0, 0.5, 1.0], 40, p=[0.2, 0.2, 0.6])
    data = prepare(values, exposure, k, stages, negbin=negbin, contagion=contagion)
    prior = RegimesPrior(stay_days=stay).array(k, stages, 1.0)
    theta = 0.7 * rng.standard_normal(density.n_theta(k, negbin, contagion))
    gradient, spare = np.zeros(len(theta)), np.zeros(len(theta))
    density.log_posterior(*data.arrays, prior, theta, gradient)
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = 1e-5
        above = density.log_posterior(*data.arrays, prior, theta + step, spare)
        below = density.log_posterior(*data.arrays, prior, theta - step, spare)
        assert gradient[i] == pytest.approx((above - below) / 2e-5, abs=2e-5)
    natural = density.to_natural(theta, k, negbin, contagion)
    np.testing.assert_allclose(density.to_theta(natural, k, negbin, contagion), theta, atol=1e-9)


def test_stays_have_the_distribution_that_is_stated():
    """With r stages, a stay lasts r bins and a negative binomial number of them more."""
    from scipy.stats import nbinom

    stages, leave = 3, 0.2
    natural = np.array([1.0, 2.0, leave, 0.5, 0, 1, 1, 0, 0, 0, 0])
    step = step_matrix(natural, 2, stages)
    inside = step[:stages, :stages]
    state = np.array([1.0, 0.0, 0.0])
    chances = []
    for _ in range(30):
        chances.append(state[-1] * leave)
        state = state @ inside
    np.testing.assert_allclose(chances[2:], nbinom.pmf(np.arange(28), stages, leave), atol=1e-12)


def test_prior_density_is_normalised():
    """Evidence without information: the density of the prior integrates to one, by importance sampling."""
    rng = np.random.default_rng(2)
    for k, stages, stay in ((2, 1, None), (3, 1, None), (2, 4, (3.0, 30.0))):
        prior = RegimesPrior(stay_days=stay, rate_log_sd=1.0)
        hyper = prior.array(k, stages, 1.0)
        drawn = prior.sample(20_000, rng, n_regimes=k, stages=stages, negbin=True, contagion=True)
        # A wide multivariate normal around the draws, against the density.
        centre, spread = drawn.mean(axis=0), 1.3 * np.cov(drawn.T)
        root = np.linalg.cholesky(spread)
        z = rng.standard_t(5, (30_000, len(centre)))
        from scipy.stats import t as student

        log_q = student.logpdf(z, 5).sum(axis=1) - np.log(np.diag(root)).sum()
        spare = np.zeros(len(centre))
        log_p = [
            density.add_log_prior(k, stages, True, True, hyper, place, spare)
            for place in centre + z @ root.T
        ]
        assert np.exp(np.array(log_p) - log_q).mean() == pytest.approx(1.0, abs=0.12)
