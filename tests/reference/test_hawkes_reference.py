"""Published or independently recomputed values of continuous-time Hawkes likelihoods."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tempo.models import hawkes_likelihood
from tempo.models.hawkes_continuous import fit_exponential
from tempo.models.hawkes_simulation import by_clusters


@pytest.fixture
def timestamps(shared_data: Path) -> np.ndarray:
    """57 timestamps on 50 days: the fixture of HawkesPyLib's tests (MIT licence)."""
    return np.loadtxt(shared_data / "reference" / "hawkespylib_timestamp_fixture.csv")


def test_hawkespylib_exponential(timestamps):
    value, gradient = hawkes_likelihood.exponential(timestamps, 50.0, 0.5, 0.7, 1 / 0.001)
    assert value == pytest.approx(113.6532979778095, rel=1e-14)
    # It differentiates the negative log-likelihood, and by theta = 1 / decay.
    theta = -gradient[2] * -((1 / 0.001) ** 2)
    assert -gradient[0] == pytest.approx(1.4612153393174437, rel=1e-12)
    assert -gradient[1] == pytest.approx(10.241989043344681, rel=1e-12)
    assert theta == pytest.approx(-12926.138457184903, rel=1e-10)


def test_hawkespylib_sum_of_three_exponentials(timestamps):
    value, gradient = hawkes_likelihood.sum_exponential(
        timestamps, 50.0, 0.5, [0.7 / 3] * 3, [1 / 0.001, 1 / 1.0, 1 / 0.5]
    )
    assert value == pytest.approx(88.28221435348695, rel=1e-14)
    assert gradient.shape == (7,)


STREAM_1 = [0.31, 0.93, 1.29, 2.32, 4.25]
STREAM_2 = [0.12, 1.19, 2.12, 2.41, 3.35, 4.21]


@pytest.mark.parametrize(
    ("second", "expected", "digits"),
    [(STREAM_2, -40.87796070437092, 1e-14), ([], -38.12155983, 1e-9)],
)
@pytest.mark.parametrize("decay", [2.0, np.full((2, 2), 2.0)])
def test_tick_two_streams(second, expected, digits, decay):
    # tick's own C++ test prints -(value + decay-free term) / n: it drops baseline * end.
    value, _ = hawkes_likelihood.multivariate_exponential(
        [STREAM_1, second], 4.25, [1.0, 3.0], [[2.0, 3.0], [4.0, 1.0]], decay
    )
    assert value == pytest.approx(expected, rel=digits)


def test_hawkesbow_by_hand():
    value, _ = hawkes_likelihood.exponential([1, 2, 3, 4], 5, 1.0, 0.5, math.log(2))
    carried = np.array([0, 1 / 2, 3 / 4, 7 / 8])
    expected = np.log(1 + 0.5 * math.log(2) * carried).sum() - 209 / 32
    assert value == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulated_parameters_are_recovered(seed):
    truth = np.array([0.4, 0.5, 1.0])
    times = by_clusters(25_000.0, *truth, np.random.default_rng(seed))
    assert 18_000 < times.size < 22_000
    fit = fit_exponential(times, 25_000.0)
    estimates = np.array([fit.baseline, fit.branching, fit.decay])
    assert (np.abs(estimates - truth) < 3 * fit.bse).all()
    assert (fit.bse < [0.02, 0.02, 0.08]).all()
