"""How fast lethality is fitted: a power law and where it begins, beside the package `powerlaw`; with covariates."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.errors import TempoWarning
from tempo.models.severity_tails import fit_power_law


@pytest.fixture(scope="module")
def tolls() -> np.ndarray:
    """As many tolls as the published list of deadly events 1968 to 2006 has."""
    return np.random.default_rng(1).zipf(2.4, 9_101).clip(max=10**5)


@pytest.mark.benchmark(group="power law and where it begins, 9,101 tolls")
def test_power_law_tempo(benchmark, tolls) -> None:
    fit = benchmark(fit_power_law, tolls)
    assert fit.exponent == pytest.approx(2.4, abs=0.1)


@pytest.mark.benchmark(group="power law and where it begins, 9,101 tolls")
def test_power_law_powerlaw(benchmark, tolls) -> None:
    peer = pytest.importorskip("powerlaw")

    def fit() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = peer.Fit(tolls, discrete=True, estimate_discrete=False, verbose=False)
            return float(made.power_law.alpha)

    alpha = benchmark.pedantic(fit, rounds=1)
    assert alpha == pytest.approx(fit_power_law(tolls).exponent, abs=5e-3)


@pytest.mark.benchmark(group="lethality of 1,000 attacks")
@pytest.mark.parametrize("options", [{}, {"formula": "size"}, {"formula": "size", "group": "kind"}])
def test_lethality(benchmark, options) -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2000-01-01", periods=1_000),
            "killed": rng.zipf(2.4, 1_000).clip(max=1_000) * (rng.random(1_000) < 0.3),
            "size": rng.integers(1, 20, 1_000),
            "kind": rng.choice(["rocket", "bomb", "drone"], 1_000),
        }
    )
    incidents = tempo.Incidents(table, ("2000-01-01", "2003-01-01"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        fit = benchmark.pedantic(
            tempo.Lethality(**options).fit, (incidents,), {"rng": 1}, rounds=2, warmup_rounds=1
        )
    assert fit.khat < 0.7
