"""Effective draws per second of the Hawkes posterior by NUTS, against the same model in ``pytensor.scan``.

    pytest tests/benchmarks/test_hawkes_nuts_speed.py --benchmark-only --benchmark-json=nuts.json

Both sides have the same data, likelihood and prior, four chains, and nutpie as their sampler. The one in PyMC is
what a careful user writes: the recursion of the excitation as a scan, everything else vectorised over days. Its
compilation (tens of seconds) is left out. Two cases: twenty years of days, and 2,000 events in continuous time.

Effective draws are bulk ESS by ArviZ, the smallest over the log parameters. Wall time is what a user waits for;
processor time is judged, because a shared machine gives the two sides unlike shares of its cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats

from tempo.data.counts import as_counts
from tempo.models import hawkes_daily as daily
from tempo.models.hawkes_nuts import sample
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hawkes_simulation import by_clusters, discrete_counts
from tempo.models.hawkes_timestamps import TimestampEngine

PRIOR = HawkesPrior()
DAYS = 7_305
TRUTH = (0.3, 0.5, 0.2)
PEER_DRAWS = 1_000  # in each of four chains, after a warm-up of 400, as for ours


def effective(draws: np.ndarray) -> float:
    return float(min(array_stats.ess(np.moveaxis(draws, -1, 0), chain_axis=1, draw_axis=2)))


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall seconds, processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - processor


def priors(pm: Any) -> tuple[Any, Any, Any]:
    hyper = PRIOR.array
    return (
        pm.LogNormal("baseline", hyper[0], hyper[1]),
        pm.HalfNormal("branching_ratio", hyper[2]),
        pm.LogNormal("decay", hyper[3], hyper[4]),
    )


def daily_scan(counts: np.ndarray, *, negbin: bool) -> Any:
    pm = pytest.importorskip("pymc")
    import pytensor
    import pytensor.tensor as pt

    with pm.Model() as model:
        baseline, branching, decay = priors(pm)
        kept = pt.exp(-decay)
        states = pytensor.scan(
            lambda y, state, kept: kept * state + (1 - kept) * y,
            sequences=[pt.as_tensor_variable(counts[:-1].astype(float))],
            outputs_info=[pt.as_tensor_variable(np.float64(0.0))],
            non_sequences=[kept],
            strict=True,
            return_updates=False,
        )
        mean = baseline + branching * pt.concatenate([[0.0], states])
        if negbin:
            dispersion = pm.HalfNormal("dispersion", PRIOR.array[5])
            pm.NegativeBinomial("counts", mu=mean, alpha=1 / dispersion, observed=counts)
        else:
            pm.Poisson("counts", mean, observed=counts)
    return model


def times_scan(times: np.ndarray, end: float) -> Any:
    pm = pytest.importorskip("pymc")
    import pytensor
    import pytensor.tensor as pt

    with pm.Model() as model:
        baseline, branching, decay = priors(pm)
        states = pytensor.scan(
            lambda gap, state, decay: pt.exp(-decay * gap) * (1 + state),
            sequences=[pt.as_tensor_variable(np.diff(times))],
            outputs_info=[pt.as_tensor_variable(np.float64(0.0))],
            non_sequences=[decay],
            strict=True,
            return_updates=False,
        )
        intensity = baseline + branching * decay * pt.concatenate([[0.0], states])
        gone = pt.sum(1 - pt.exp(-decay * (end - times)))
        pm.Potential("log_likelihood", pt.log(intensity).sum() - baseline * end - branching * gone)
    return model


def compare(
    benchmark: Any, ours: Callable[[], Any], model: Any, names: list[str], most_seconds: float = 3.0
) -> None:
    import nutpie

    ours()  # loads the compiled code from its cache
    found, wall, processor = timed(ours)
    benchmark.pedantic(ours, rounds=3)
    p = len(names)
    effective_ours = effective(np.log(found.draws[:, :, :p]))
    compiled = nutpie.compile_pymc_model(model)

    def theirs() -> Any:
        return nutpie.sample(
            compiled, draws=PEER_DRAWS, tune=400, chains=4, cores=min(4, os.cpu_count() or 1), seed=1,
            progress_bar=False, save_warmup=False,
        )  # fmt: skip

    tree, peer_wall, peer_processor = timed(theirs)
    posterior = tree["posterior"]
    draws = np.stack([np.log(posterior[name].to_numpy()) for name in names], axis=-1)
    effective_theirs = effective(draws)
    mean, sd = draws.mean(axis=(0, 1)), draws.std(axis=(0, 1))
    away = np.abs(np.log(found.draws[:, :, :p]).mean(axis=(0, 1)) - mean) / sd
    assert away.max() < 6 / np.sqrt(effective_theirs)  # the same posterior
    by_wall = (effective_ours / wall) / (effective_theirs / peer_wall)
    by_processor = (effective_ours / processor) / (effective_theirs / peer_processor)
    benchmark.extra_info.update(
        effective=effective_ours, wall_s=wall, processor_s=processor,
        peer_effective=effective_theirs, peer_wall_s=peer_wall, peer_processor_s=peer_processor,
        times_by_wall=by_wall, times_by_processor=by_processor,
    )  # fmt: skip
    print(  # noqa: T201
        f"\ntempo: {effective_ours:.0f} effective of 4,000 in {wall:.2f} s ({processor:.2f} s of processor)"
        f"\nscan:  {effective_theirs:.0f} effective of {4 * PEER_DRAWS:,} in {peer_wall:.1f} s ({peer_processor:.1f} s)"
        f"\neffective draws for each second: {by_wall:.0f} times by wall, {by_processor:.0f} times by processor"
    )
    assert processor <= 2 * most_seconds  # two cores
    assert by_processor >= 15


@pytest.mark.parametrize("negbin", [False, True], ids=["poisson", "negbin"])
def test_twenty_years_of_days(benchmark, negbin):
    dispersion = 0.4 if negbin else 0.0
    rng = np.random.default_rng(1)
    counts = discrete_counts(DAYS, 1, *TRUTH, 0.0, rng, dispersion=dispersion)[0]
    data = daily.prepare(counts)

    def ours() -> Any:
        return sample(
            data, PRIOR, negbin=negbin, draws=1_000, rng=np.random.default_rng(1), progress=False
        )

    names = ["baseline", "branching_ratio", "decay", *(["dispersion"] if negbin else [])]
    compare(benchmark, ours, daily_scan(counts, negbin=negbin), names)


def test_two_thousand_timestamps(benchmark):
    times = by_clusters(3_250.0, 0.4, 0.5, 1.0, np.random.default_rng(2_000))[:2_000]
    end = float(times[-1]) + 0.5
    blank = as_counts(
        pd.Series(0, index=pd.date_range("2000-01-01", periods=int(end) + 1, freq="1D"))
    )
    engine = TimestampEngine(blank, times, end)

    def ours() -> Any:
        return engine.nuts(PRIOR, 1_000, np.random.default_rng(1), progress=False)

    compare(benchmark, ours, times_scan(times, end), ["baseline", "branching_ratio", "decay"])
