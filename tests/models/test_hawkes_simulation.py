"""Simulated processes against closed forms, against each other, and against the streams they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

from tempo.errors import OptionError
from tempo.models import hawkes_kernels_random as random
from tempo.models import hawkes_simulation as simulation

TRUTH = (0.4, 0.5, 1.0)


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def stationary_variance(t: float, mean_rate: float, branching: float, decay: float) -> float:
    """Variance of the count on [0, t] of a stationary exponential Hawkes process (Hawkes 1971)."""
    r = decay * (1 - branching)
    long_run = mean_rate / (1 - branching) ** 2
    return long_run * t + mean_rate * (1 - 1 / (1 - branching) ** 2) * -math.expm1(-r * t) / r


def test_counts_have_the_closed_form_mean_and_variance():
    t = 20.0
    edges = [0.0, 60.0, 60.0 + t]  # sixty days are enough to forget the empty start
    counts = simulation.continuous_counts(edges, *TRUTH, generator(), draws=40_000)[:, 1]
    mean_rate = 0.4 / 0.5
    variance = stationary_variance(t, mean_rate, 0.5, 1.0)
    assert counts.mean() == pytest.approx(mean_rate * t, abs=4 * math.sqrt(variance / 40_000))
    assert counts.var() == pytest.approx(variance, rel=0.04)


def test_the_mean_given_history_has_its_closed_form():
    history, edges = np.array([-3.0, -0.5, -0.1]), np.arange(0.0, 11.0)
    counts = simulation.continuous_counts(edges, *TRUTH, generator(), history=history, draws=40_000)
    # m'(t) = beta mu - beta (1 - n) m, from m(0) = mu + n beta sum exp(-beta age).
    limit, r = 0.8, 0.5
    start = 0.4 + 0.5 * np.exp(history).sum()
    cumulative = limit * edges + (start - limit) * -np.expm1(-r * edges) / r
    z = (counts.mean(axis=0) - np.diff(cumulative)) / (counts.std(axis=0) / 200)
    assert np.abs(z).max() < 4


def test_clusters_and_thinning_agree_in_distribution():
    history = [-1.0, -0.2]
    arguments = (15.0, *TRUTH)
    rng = generator(3)
    a = [simulation.by_clusters(*arguments, rng, history=history) for _ in range(4000)]
    b = [simulation.by_thinning(*arguments, rng, history=history) for _ in range(4000)]
    c = simulation.continuous_counts([0.0, 15.0], *TRUTH, rng, history=history, draws=4000)[:, 0]
    sizes_a, sizes_b = [x.size for x in a], [x.size for x in b]
    assert stats.ks_2samp(sizes_a, sizes_b).pvalue > 0.001
    assert stats.ks_2samp(sizes_a, c).pvalue > 0.001
    assert stats.ks_2samp(np.concatenate(a), np.concatenate(b)).pvalue > 1e-4
    first_a, first_b = ([x[0] for x in many if x.size] for many in (a, b))
    assert stats.ks_2samp(first_a, first_b).pvalue > 0.001
    gaps_a, gaps_b = (np.concatenate([np.diff(x) for x in many]) for many in (a, b))
    assert stats.ks_2samp(gaps_a, gaps_b).pvalue > 1e-4


@pytest.mark.parametrize("simulate", [simulation.by_clusters, simulation.by_thinning])
def test_paths_are_sorted_inside_the_window_and_reproducible(simulate):
    times = simulate(500.0, *TRUTH, generator(4), history=[-0.1])
    assert times[0] > 0
    assert times[-1] <= 500.0
    assert (np.diff(times) > 0).all()
    np.testing.assert_array_equal(times, simulate(500.0, *TRUTH, generator(4), history=[-0.1]))
    assert not np.array_equal(times, simulate(500.0, *TRUTH, generator(5), history=[-0.1]))


def test_a_path_depends_on_its_own_seed_alone():
    rng = generator(9)
    all_at_once = simulation.discrete_counts(30, 100, 0.4, 0.5, 0.3, 1.0, rng, dispersion=0.4)
    parameters = np.full(100, 0.5)
    parameters[50:] = 0.9  # altering later paths leaves the earlier ones alone
    altered = simulation.discrete_counts(
        30, 100, 0.4, parameters, 0.3, 1.0, generator(9), dispersion=0.4
    )
    np.testing.assert_array_equal(all_at_once[:50], altered[:50])
    assert not np.array_equal(all_at_once[50:], altered[50:])


@pytest.mark.parametrize("dispersion", [0.0, 0.7])
def test_discrete_mean_and_variance_have_their_closed_form(dispersion):
    mu, n, decay, state = 0.5, 0.6, 0.4, 2.0
    counts = simulation.discrete_counts(
        80, 60_000, mu, n, decay, state, generator(2), dispersion=dispersion
    )
    a = math.exp(-decay)
    mean, second = state, state**2  # moments of E
    means, variances = [], []
    for _ in range(80):
        m = mu + n * mean
        m2 = mu**2 + 2 * mu * n * mean + n**2 * second
        variance = m + dispersion * m2 + m2 - m**2
        means.append(m)
        variances.append(variance)
        cross = mu * mean + n * second  # mean of E Y
        second = a**2 * second + 2 * a * (1 - a) * cross + (1 - a) ** 2 * (variance + m**2)
        mean = a * mean + (1 - a) * m
    z = (counts.mean(axis=0) - means) / np.sqrt(np.array(variances) / 60_000)
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(counts.var(axis=0), variances, rtol=0.08)
    assert means[-1] == pytest.approx(mu / (1 - n), rel=1e-3)


def test_the_recursion_is_the_convolution_with_a_geometric_kernel():
    decay = 0.4
    past = np.array([0, 3, 0, 1, 2])
    kernel = -math.expm1(-decay) * np.exp(-decay * np.arange(400))
    state = simulation.discrete_state(past, decay)
    assert state[0] == pytest.approx((kernel[:5] * past[::-1]).sum())
    rng = generator(6), generator(6)
    recursion = simulation.discrete_counts(50, 500, 0.4, 0.5, decay, state[0], rng[0])
    convolution = simulation.discrete_kernel_counts(50, 500, 0.4, 0.5, kernel, past, rng[1])
    np.testing.assert_array_equal(recursion, convolution)


def test_missing_bins_leave_no_state():
    with_gap = simulation.discrete_state([1.0, math.nan, 2.0], [0.1, 1.0])
    np.testing.assert_array_equal(with_gap, simulation.discrete_state([1, 0, 2], [0.1, 1.0]))


def test_baselines_by_draw_by_bin_and_exposure():
    rng = generator(8)
    by_bin = np.array([[0.0, 1.0, 5.0]])
    counts = simulation.discrete_counts(3, 20_000, by_bin, 0.0, 1.0, 0.0, rng)
    np.testing.assert_allclose(counts.mean(axis=0), by_bin[0], atol=0.06)
    by_draw = np.repeat([0.5, 4.0], 10_000)
    counts = simulation.discrete_counts(
        3, 20_000, by_draw, 0.0, 1.0, 0.0, rng, exposure=[1.0, 0.5, 0.0]
    )
    np.testing.assert_allclose(counts[:10_000].mean(axis=0), [0.5, 0.25, 0], atol=0.03)
    np.testing.assert_allclose(counts[10_000:].mean(axis=0), [4.0, 2.0, 0], atol=0.08)
    both = np.repeat([[1.0, 2.0], [3.0, 4.0]], 5000, axis=0)
    counts = simulation.discrete_counts(2, 10_000, both, 0.0, 1.0, 0.0, rng)
    np.testing.assert_allclose(counts[5000:].mean(axis=0), [3.0, 4.0], atol=0.12)


def test_parameters_by_draw_reach_their_own_path():
    n = np.repeat([0.0, 0.9], 5000)
    counts = simulation.continuous_counts(
        np.arange(0.0, 91.0), np.repeat([1.0, 0.1], 5000), n, 0.5, generator(), history=[0.0]
    )
    assert counts.shape == (10_000, 90)
    assert counts[:5000].mean() == pytest.approx(1.0, abs=0.01)
    assert counts[:5000].var() == pytest.approx(1.0, abs=0.02)
    assert counts[5000:].var() > 1.5 * counts[5000:].mean()


def test_explosive_paths_stay_finite():
    counts = simulation.continuous_counts(
        [0, 500.0], 0.4, 1.5, 1.0, generator(), draws=20, cap=1000
    )
    assert counts.max() == 1000
    daily = simulation.discrete_counts(2000, 20, 0.4, 1.5, 1.0, 1.0, generator(), cap=500.0)
    assert 400 < daily[:, -1].mean() < 600


def test_uneven_edges_bin_as_a_histogram_would():
    edges = np.array([0.0, 0.1, 5.0, 5.5, 40.0])
    counts = simulation.continuous_counts(edges, 2.0, 0.0, 1.0, generator(), draws=20_000)
    np.testing.assert_allclose(counts.mean(axis=0), 2.0 * np.diff(edges), rtol=0.03)
    shifted = simulation.continuous_counts(edges + 7.0, *TRUTH, generator(), draws=5, history=[6.9])
    same = simulation.continuous_counts(edges, *TRUTH, generator(), draws=5, history=[-0.1])
    np.testing.assert_array_equal(shifted, same)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: simulation.by_clusters(0.0, *TRUTH, generator()),
        lambda: simulation.by_thinning(1.0, -1.0, 0.5, 1.0, generator()),
        lambda: simulation.continuous_counts([0, 0], *TRUTH, generator(), draws=2),
        lambda: simulation.continuous_counts([0, 1], *TRUTH, generator()),
        lambda: simulation.continuous_counts([0, 1], [0.1, 0.2], [0.1] * 3, 1.0, generator()),
        lambda: simulation.discrete_counts(0, 5, *TRUTH, 0.0, generator()),
        lambda: simulation.discrete_counts(5, 5, 0.1, -0.1, 1.0, 0.0, generator()),
        lambda: simulation.discrete_counts(5, 5, [[1.0, 2.0]], 0.1, 1.0, 0.0, generator()),
        lambda: simulation.discrete_counts(5, 5, *TRUTH, 0.0, generator(), exposure=[1.0]),
        lambda: simulation.discrete_counts(5, 5, 0.1, [0.1, 0.2], 1.0, 0.0, generator()),
        lambda: simulation.discrete_counts(5, 5, math.nan, 0.1, 1.0, 0.0, generator()),
        lambda: simulation.discrete_kernel_counts(5, 5, 0.1, 0.1, [-1.0], [0], generator()),
        lambda: simulation.discrete_state([1], 0.0),
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(OptionError):
        wrong()


@njit
def _draw(kind, a, b, stream, out):
    for i in range(out.size):
        if kind == 0:
            out[i] = random.uniform(stream)
        elif kind == 1:
            out[i] = random.normal(stream)
        elif kind == 2:
            out[i] = random.gamma(a, stream)
        elif kind == 3:
            out[i] = random.poisson(a, stream)
        else:
            out[i] = random.negative_binomial(a, b, stream)


def drawn(kind: int, a: float = 0.0, b: float = 0.0, n: int = 200_000) -> np.ndarray:
    out = np.empty(n)
    _draw(kind, a, b, random.seeds(generator(kind), 1), out)
    return out


def test_uniform_normal_and_gamma_draws():
    u = drawn(0)
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.01
    assert stats.kstest(drawn(1), "norm").pvalue > 0.001
    for shape in (0.05, 0.9, 4.0, 300.0):
        assert stats.kstest(drawn(2, shape), stats.gamma(shape).cdf).pvalue > 0.001


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 11.9, 12.1, 40.0, 3000.0])
def test_poisson_draws(mean):
    _chi_square(drawn(3, mean), stats.poisson(mean))


@pytest.mark.parametrize("mean", [0.05, 3.0, 11.0, 60.0])
@pytest.mark.parametrize("dispersion", [1e-4, 0.3, 4.0])
def test_negative_binomial_draws(mean, dispersion):
    size = 1 / dispersion
    _chi_square(drawn(4, mean, dispersion), stats.nbinom(size, size / (size + mean)))


def _chi_square(draws: np.ndarray, law) -> None:
    edges = np.unique(law.ppf(np.linspace(0, 1, 42)[1:-1]))
    cells = np.searchsorted(edges, draws, side="left")
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * draws.size
    observed = np.bincount(cells, minlength=expected.size)
    keep = expected > 5
    statistic = ((observed - expected)[keep] ** 2 / expected[keep]).sum()
    assert stats.chi2.sf(statistic, keep.sum() - 1) > 1e-4


def test_streams_of_different_seeds_are_unrelated():
    seeds = random.seeds(generator(2), 4000)
    assert np.unique(seeds).size == 4000
    first = np.empty(4000)
    for i in range(4000):
        _draw(0, 0.0, 0.0, seeds[i : i + 1].copy(), first[i : i + 1])
    assert stats.kstest(first, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.06
