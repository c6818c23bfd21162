"""How fast the exact changepoint engine is, beside its peers in the same run where they are installed.

Run with ``pytest tests/benchmarks/test_changepoints_speed.py --benchmark-only``. Series change every thousand bins; one
hazard, one rate prior. The peers are the Python packages ruptures (one segmentation, no probabilities), bayesloop (a
grid of rates) and bayesian_changepoint_detection.
"""

from __future__ import annotations

import math
import resource

import numpy as np
import pandas as pd
import pytest

import tempo

N = 1_000


def changing_series(n, every=1_000, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.poisson(np.repeat(rng.gamma(1.0, 1.0, n // every + 1), every)[:n])
    return pd.Series(values, index=pd.date_range("1700-01-01", periods=n, freq="1D", unit="us"))


def fitted(counts):
    fit = tempo.Changepoints(hazard=1e-3, rate_prior=(1, 1)).fit(counts)
    return fit, fit.parts[0].log_evidence, fit.parts[0].change_probability


@pytest.fixture(scope="module", autouse=True)
def compiled():
    fitted(changing_series(200))


@pytest.mark.parametrize(("n", "goal_s"), [(1_000, 0.006), (10_000, 0.070), (100_000, 1.3)])
def test_evidence_and_marginals(benchmark, n, goal_s):
    counts = changing_series(n)
    fit, _, change = benchmark(fitted, counts)
    assert change.sum() > 0
    assert fit.log_evidence_bound < 1e-6
    benchmark.extra_info.update(goal_s=goal_s, bound=fit.log_evidence_bound)


def test_a_million_bins(benchmark):
    from tempo.models.changepoint_grid import Bins, Grid
    from tempo.models.changepoint_posterior import solve

    rng = np.random.default_rng(0)
    values = rng.poisson(np.repeat(rng.gamma(1.0, 1.0, 1_000), 1_000)).astype(float)
    one, odds = np.ones(1), np.array([1e-3 / (1 - 1e-3)])
    grid = Grid(0, one, one, one, np.zeros(1), odds, np.zeros(1))
    bins = Bins.of(values, np.ones(1_000_000))
    posterior = benchmark.pedantic(solve, (bins, grid), rounds=1)
    assert posterior.change_probability.sum() > 500
    assert posterior.log_evidence_bound < 1e-5
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    benchmark.extra_info.update(goal_s=20, peak_mb_of_the_process=peak)


def test_no_change_is_the_worst_case(benchmark):
    values = np.random.default_rng(0).poisson(1.0, 10_000)
    counts = pd.Series(values, index=pd.date_range("1990-01-01", periods=10_000, freq="1D"))
    benchmark.pedantic(fitted, (counts,), rounds=3)
    benchmark.extra_info.update(goal_s=5)


def test_one_more_day(benchmark):
    fit, _, _ = fitted(changing_series(1_500))
    benchmark(fit.update, 1)
    benchmark.extra_info.update(goal_s=50e-6)


def test_learned_priors(benchmark):
    counts = changing_series(N)
    benchmark.pedantic(lambda: tempo.Changepoints().fit(counts).segments, rounds=3)


def test_peer_ruptures(benchmark):
    ruptures = pytest.importorskip("ruptures")
    values = changing_series(N).to_numpy(dtype=float)[:, None]

    def run():
        return ruptures.KernelCPD(kernel="linear", min_size=1).fit(values).predict(pen=math.log(N))

    benchmark(run)


def test_peer_bayesloop(benchmark):
    bayesloop = pytest.importorskip("bayesloop")
    values = changing_series(N).to_numpy()

    def run():
        study = bayesloop.Study(silent=True)
        study.load_data(values, silent=True)
        study.set(bayesloop.om.Poisson("rate", bayesloop.oint(0, 8, 1000)), silent=True)
        study.set(bayesloop.tm.RegimeSwitch("log10pMin", -6), silent=True)
        study.fit(silent=True)
        return study.log10_evidence

    benchmark.pedantic(run, rounds=2)


def test_peer_bayesian_changepoint_detection(benchmark):
    offline = pytest.importorskip(
        "bayesian_changepoint_detection.offline_changepoint_detection", exc_type=ImportError
    )
    from functools import partial

    values = changing_series(N).to_numpy(dtype=float)

    def run():
        return offline.offline_changepoint_detection(
            values,
            partial(offline.const_prior, p=1 / (N + 1)),
            offline.gaussian_obs_log_likelihood,
            truncate=-40,
        )

    benchmark.pedantic(run, rounds=1)
