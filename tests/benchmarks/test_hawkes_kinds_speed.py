"""Speed of the Hawkes model by kind: ten kinds on ten years of days.

    pytest tests/benchmarks/test_hawkes_kinds_speed.py --benchmark-only

Processor time is judged, because long calls on a shared machine are never left alone for their whole length.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from tempo.models.hawkes_kinds import HawkesKinds

KINDS, DAYS = 10, 3_653


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    branching = np.where(rng.random((KINDS, KINDS)) < 0.15, 0.15, 0.0) + 0.3 * np.eye(KINDS)
    values = HawkesKinds().simulate(np.full(KINDS, 0.03), branching, 0.2, n_bins=DAYS, rng=1)
    return pd.DataFrame(values, index=pd.date_range("2010-01-01", periods=DAYS))


@pytest.mark.parametrize("decay", ["shared", "own"])
def test_maximum_likelihood(benchmark, counts, decay):
    model = HawkesKinds(decay=decay)
    fit = benchmark.pedantic(
        lambda: model.fit(counts, method="mle", rng=1), rounds=3, warmup_rounds=1
    )
    assert fit.optima[0].converged
    start = time.process_time()
    model.fit(counts, method="mle", rng=1)
    seconds = time.process_time() - start
    benchmark.extra_info["processor_seconds"] = seconds
    assert seconds <= 2.0


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_value_and_full_gradient(benchmark, counts, observation):
    model = HawkesKinds(observation=observation)
    data = model.fit(counts, method="mle", rng=1).arrays[0]
    parameters = np.full(data.n_parameters, 0.05)
    benchmark(lambda: data.log_likelihood(parameters))
    assert benchmark.stats.stats.min <= 5e-3


def test_paths_by_kind(benchmark, counts):
    fit = HawkesKinds().fit(counts, method="mle", rng=1)
    paths = benchmark.pedantic(
        lambda: fit.simulate_kinds(90, 10_000, np.random.default_rng(1)), rounds=2
    )
    assert paths.shape == (10_000, 90, KINDS)
