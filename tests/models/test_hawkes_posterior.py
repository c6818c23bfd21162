"""Priors, Laplace, NUTS and PyMC: the same posterior four times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest

from tempo.errors import OptionError
from tempo.models import hawkes_daily as daily
from tempo.models.hawkes_mle import NO_PRIOR
from tempo.models.hawkes_nuts import sample
from tempo.models.hawkes_posterior import HawkesPrior, laplace
from tempo.models.hawkes_simulation import discrete_counts
from tempo.models.laplace import importance_resample, pareto_smooth


def simulated(n, parameters, rng):
    return discrete_counts(n, 1, *parameters[:3], 0.0, rng, dispersion=parameters[3] or None)[0]


def grid_posterior(data, prior):
    """Brute force over three log parameters: moments of the logs, and the log evidence."""
    axes = [np.linspace(-9, 1, 61), np.linspace(-9, 1.2, 61), np.linspace(-7, 3, 61)]
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    theta = np.column_stack([theta, np.zeros(len(theta))])
    log_density = daily.evaluate(*data.arrays, prior.array, 1.0, False, theta)
    cell = math.prod(axis[1] - axis[0] for axis in axes)
    weight = np.exp(log_density - logsumexp(log_density))
    mean = weight @ theta[:, :3]
    sd = np.sqrt(weight @ (theta[:, :3] - mean) ** 2)
    return mean, sd, logsumexp(log_density) + math.log(cell)


@pytest.fixture(scope="module")
def data():
    counts = simulated(250, [0.12, 0.5, 0.3, 0.0], np.random.default_rng(8)).astype(float)
    counts[60:70] = np.nan
    return daily.prepare(counts)


def test_three_engines_agree_with_brute_force(data):
    prior = HawkesPrior()
    mean, sd, evidence = grid_posterior(data, prior)
    by_laplace = laplace(data, prior, negbin=False, draws=8_000, rng=np.random.default_rng(1))
    by_nuts = sample(data, prior, negbin=False, draws=2_000, rng=np.random.default_rng(1))
    assert by_laplace.khat < 0.7
    assert by_laplace.log_evidence == pytest.approx(
        evidence, abs=4 * by_laplace.log_evidence_error + 0.01
    )
    for draws in (by_laplace.draws, by_nuts.draws.reshape(-1, 4)):
        logs = np.log(draws[:, :3])
        np.testing.assert_allclose(logs.mean(axis=0), mean, atol=0.08 * sd.max())
        np.testing.assert_allclose(logs.std(axis=0), sd, rtol=0.08)


def test_no_events_gives_the_prior_for_what_they_would_teach():
    data = daily.prepare(np.zeros(30))
    prior = HawkesPrior()
    drawn = laplace(data, prior, negbin=True, draws=8_000, rng=np.random.default_rng(1)).draws
    expected = prior.quantiles(0.9)
    for column, name in ((1, "branching_ratio"), (3, "dispersion")):
        median = expected.loc[name, "median"]
        assert np.median(drawn[:, column]) == pytest.approx(median, rel=0.06)
    half_life = math.log(2) / np.median(drawn[:, 2])
    assert half_life == pytest.approx(expected.loc["half_life_days", "median"], rel=0.06)
    assert np.median(drawn[:, 0]) < 0.02


def test_prior_is_what_it_says():
    prior = HawkesPrior()
    drawn = prior.sample(200_000, np.random.default_rng(1))
    table = prior.quantiles(0.9)
    measured = {
        "baseline": drawn[:, 0],
        "branching_ratio": drawn[:, 1],
        "half_life_days": math.log(2) / drawn[:, 2],
        "dispersion": drawn[:, 3],
    }
    for name, values in measured.items():
        quantiles = np.quantile(values, [0.05, 0.5, 0.95])
        np.testing.assert_allclose(quantiles, table.loc[name].to_numpy(), rtol=0.04)
    assert (drawn[:, 1] > 1).mean() == pytest.approx(0.0455, abs=0.003)


def test_prior_density_is_the_density_of_the_samples_and_of_the_compiled_code():
    prior = HawkesPrior()
    data = daily.prepare(np.zeros(1))
    theta = np.log(prior.sample(50, np.random.default_rng(3)))
    expected = prior.log_density(theta, negbin=True)
    with_prior = daily.evaluate(*data.arrays, prior.array, 1.0, True, theta)
    without = daily.evaluate(*data.arrays, NO_PRIOR, 0.0, True, theta)
    np.testing.assert_allclose(with_prior - without, expected, rtol=1e-9)
    # It integrates to one: importance sampling from a broad normal.
    rng = np.random.default_rng(4)
    centre = np.array([np.log(0.1), -1.2, np.log(np.log(2) / 5), -0.6])
    broad = np.array([4.0, 2.5, 2.0, 2.5])
    z = rng.standard_normal((200_000, 4))
    log_q = (-0.5 * z**2 - np.log(broad) - 0.5 * np.log(2 * np.pi)).sum(axis=1)
    ratio = np.exp(prior.log_density(centre + broad * z, negbin=True) - log_q)
    assert ratio.mean() == pytest.approx(1, abs=0.03)


def test_gradient_of_the_log_posterior():
    data = daily.prepare(np.random.default_rng(1).poisson(0.4, 100))
    prior = HawkesPrior().array
    theta = np.array([-1.2, -0.7, -1.5, -0.4])
    gradient, other = np.zeros(4), np.zeros(4)
    daily.log_posterior(*data.arrays, prior, 1.0, True, theta, gradient)
    for i in range(4):
        step = np.eye(4)[i] * 1e-5
        up = daily.log_posterior(*data.arrays, prior, 1.0, True, theta + step, other)
        down = daily.log_posterior(*data.arrays, prior, 1.0, True, theta - step, other)
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-6)


def test_prior_rejects_nonsense():
    with pytest.raises(OptionError, match="branching_sd"):
        HawkesPrior(branching_sd=-1)


def test_prior_predictive_allows_the_rates_of_the_literature():
    # White, Porter & Mazerolle (2013): 0.005 to 1.61 attacks a day across campaigns.
    from tempo.models.hawkes import Hawkes

    paths = Hawkes().prior_predictive(365, 4_000, rng=1)
    rate = paths.mean(axis=1)
    inside = ((rate > 0.005) & (rate < 1.61)).mean()
    assert inside > 0.5
    assert (rate == 0).mean() < 0.2
    assert (paths.max(axis=1) >= 1_000).mean() < 0.1


# -- importance resampling ----------------------------------------


def test_pareto_smoothing_agrees_with_arviz():
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(1)
    for scale in (0.3, 1.0, 2.0, 4.0):
        log_ratios = scale * rng.standard_normal(6_000)
        weights, khat = pareto_smooth(log_ratios)
        # ArviZ takes log-likelihoods, that is, the negative of the log ratios.
        expected, expected_khat = array_stats.psislw(-log_ratios)
        assert khat == pytest.approx(float(expected_khat), rel=1e-9)
        np.testing.assert_allclose(np.exp(weights), np.exp(expected), rtol=1e-7)


def test_khat_tells_good_proposals_from_bad():
    rng = np.random.default_rng(2)
    pareto = rng.pareto(1 / 1.2, 8_000) + 1  # tail shape 1.2: no mean
    assert pareto_smooth(np.log(pareto))[1] > 0.9
    assert pareto_smooth(np.log(rng.random(8_000)))[1] < 0
    assert pareto_smooth(np.zeros(500))[1] == -math.inf


def test_importance_resampling_finds_two_peaks_and_the_evidence():
    def log_target(theta):
        left = -0.5 * ((theta[:, 0] + 3) / 0.3) ** 2
        right = -0.5 * ((theta[:, 0] - 2) / 0.6) ** 2
        return (
            np.logaddexp(np.log(0.3 / 0.3) + left, np.log(0.7 / 0.6) + right)
            - 0.5 * np.log(2 * np.pi)
            + 1.7
        )

    def prior_sample(n, rng):
        return rng.normal(0, 4, (n, 1))

    def log_prior(theta):
        return -0.5 * (theta[:, 0] / 4) ** 2 - np.log(4) - 0.5 * np.log(2 * np.pi)

    peaks = [
        (np.array([-3.0]), np.array([[0.09]]), 0.0),
        (np.array([2.0]), np.array([[0.36]]), 0.0),
    ]
    found = importance_resample(
        log_target, peaks, prior_sample, log_prior, 8_000, np.random.default_rng(1)
    )
    assert found.log_evidence == pytest.approx(1.7, abs=0.02)
    assert (found.draws[:, 0] < 0).mean() == pytest.approx(0.3, abs=0.02)
    # With one peak only, and it the wrong one, the share of the prior saves the other.
    found = importance_resample(
        log_target, peaks[:1], prior_sample, log_prior, 8_000, np.random.default_rng(1)
    )
    assert (found.draws[:, 0] < 0).mean() == pytest.approx(0.3, abs=0.05)


# -- sampling ----------------------------------------


def test_sampling_does_not_depend_on_the_number_of_cores(data):
    one, two = (
        sample(
            data, HawkesPrior(), negbin=True, draws=100, rng=np.random.default_rng(5), cores=cores
        )
        for cores in (1, 2)
    )
    np.testing.assert_array_equal(one.draws, two.draws)


def test_nothing_is_compiled_for_a_second_fit(data, monkeypatch):
    from numba.core import compiler

    prior = HawkesPrior()
    sample(data, prior, negbin=False, draws=50, rng=np.random.default_rng(1))

    def refuse(*args, **kwargs):
        raise AssertionError("something was compiled")

    monkeypatch.setattr(compiler, "compile_extra", refuse)
    longer = daily.prepare(np.random.default_rng(1).poisson(0.3, 777))
    for negbin in (False, True):
        sample(
            longer,
            HawkesPrior(branching_sd=1),
            negbin=negbin,
            draws=50,
            rng=np.random.default_rng(1),
        )


@pytest.mark.parametrize("negbin", [False, True])
def test_pymc_model_has_the_same_density(data, negbin):
    from tempo.models.hawkes_pymc import pymc_model

    p = 4 if negbin else 3
    model = pymc_model(data, HawkesPrior(), negbin=negbin)
    density = model.compile_logp()
    slope = model.compile_dlogp()
    names = ["baseline_log__", "branching_ratio_log__", "decay_log__", "dispersion_log__"][:p]
    theta = np.array([-2.0, -0.8, -1.1, -0.3])[:p]
    gradient = np.zeros(4)
    padded = np.append(theta, np.zeros(4 - p))
    expected = daily.log_posterior(*data.arrays, HawkesPrior().array, 1.0, negbin, padded, gradient)
    point = dict(zip(names, theta, strict=True))
    assert float(density(point)) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(np.asarray(slope(point)), gradient[:p], rtol=1e-7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*annot cache compiled function")
def test_pymc_model_samples_in_numba(data):
    import nutpie

    from tempo.models.hawkes_pymc import pymc_model

    compiled = nutpie.compile_pymc_model(pymc_model(data, HawkesPrior(), negbin=False))
    tree = nutpie.sample(compiled, draws=1_000, tune=400, chains=4, seed=1, progress_bar=False)
    direct = sample(data, HawkesPrior(), negbin=False, draws=1_000, rng=np.random.default_rng(1))
    for i, name in enumerate(("baseline", "branching_ratio", "decay")):
        other = np.log(tree["posterior"][name].to_numpy()).ravel()
        mine = np.log(direct.draws[:, :, i]).ravel()
        assert mine.mean() == pytest.approx(other.mean(), abs=0.12 * other.std())
        assert mine.std() == pytest.approx(other.std(), rel=0.15)


# -- simulation-based calibration ----------------------------------------

# Narrower than the default, so that simulated series are neither empty nor explosive.
CALIBRATED = HawkesPrior(
    baseline_median_per_day=0.3,
    baseline_log_sd=0.5,
    branching_sd=0.4,
    half_life_median_days=4.0,
    half_life_log_sd=0.7,
)


def ranks_of(engine, runs, negbin):
    """Rank of the true parameter among posterior draws: uniform if the engine is right (Talts et al. 2018)."""
    rng = np.random.default_rng(20)
    ranks = []
    while len(ranks) < runs:
        truth = CALIBRATED.sample(1, rng)[0]
        if not negbin:
            truth[3] = 0.0
        data = daily.prepare(np.minimum(simulated(150, truth, rng), 100_000))
        draws = engine(data, rng)
        ranks.append((draws < truth).mean(axis=0) + rng.random(4) / (len(draws) + 1))
    return np.array(ranks)


def by_laplace(negbin):
    return lambda data, rng: laplace(data, CALIBRATED, negbin=negbin, draws=300, rng=rng).draws


def by_nuts(data, rng):
    drawn = sample(data, CALIBRATED, negbin=False, draws=100, rng=rng).draws
    return drawn[:, ::2].reshape(-1, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "runs", "negbin"),
    [(by_laplace(False), 250, False), (by_laplace(True), 200, True), (by_nuts, 120, False)],
    ids=["laplace", "laplace-negbin", "nuts"],
)
def test_simulation_based_calibration(engine, runs, negbin):
    ranks = ranks_of(engine, runs, negbin)
    for column in range(4 if negbin else 3):
        assert kstest(ranks[:, column], "uniform").pvalue > 0.003
        # A posterior that is too narrow puts the truth at both ends, which KS sees badly.
        outside = (np.abs(ranks[:, column] - 0.5) > 0.45).mean()
        assert abs(outside - 0.1) < 4 * math.sqrt(0.09 / runs)
