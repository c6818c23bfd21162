"""Power laws against the package `powerlaw` (Alstott, Bullmore & Plenz, PLoS ONE 9, 2014), a second implementation."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import powerlaw
import pytest

from tempo.models.severity_tails import fit_power_law


def theirs(values: np.ndarray, x_min: int | None = None) -> tuple[float, int, float]:
    """Give exponent, place where the tail begins, and Kolmogorov-Smirnov distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = powerlaw.Fit(
            values, discrete=True, estimate_discrete=False, xmin=x_min, verbose=False
        )
        return float(fit.power_law.alpha), int(fit.xmin), float(fit.power_law.D)


@pytest.mark.parametrize(("exponent", "seed"), [(1.8, 1), (2.3, 2), (3.2, 3)])
def test_given_beginning(exponent: float, seed: int) -> None:
    values = np.random.default_rng(seed).zipf(exponent, 800).clip(max=10**7)
    alpha, _, distance = theirs(values, 2)
    ours = fit_power_law(values, 2)
    assert ours.exponent == pytest.approx(alpha, abs=2e-4)
    assert ours.distance == pytest.approx(distance, abs=1e-4)


def test_beginning_by_the_smallest_distance() -> None:
    """Tolls that follow a power law from 6 on only."""
    rng = np.random.default_rng(4)
    small = rng.integers(1, 6, 900)
    tail = (6 * (1 - rng.random(600)) ** (-1 / 1.4)).astype(int)
    values = np.concatenate([small, tail])
    alpha, x_min, distance = theirs(values)
    ours = fit_power_law(values)
    assert ours.x_min == x_min
    assert ours.exponent == pytest.approx(alpha, abs=5e-4)
    assert ours.distance == pytest.approx(distance, abs=2e-4)


def test_terrorism_1968_to_2006(shared_data: Path) -> None:
    path = shared_data / "reference" / "clauset_terrorism_severity_1968_2006.csv"
    values = pd.read_csv(path)["deaths"].to_numpy()
    alpha, x_min, distance = theirs(values)
    ours = fit_power_law(values)
    assert (ours.x_min, ours.n_tail) == (x_min, int((values >= x_min).sum())) == (12, 547)
    assert ours.exponent == pytest.approx(alpha, abs=5e-4)
    assert ours.distance == pytest.approx(distance, abs=2e-4)
