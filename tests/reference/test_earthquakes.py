"""Great earthquakes a year, 1900-2006, against Zucchini & MacDonald's hidden Markov models.

Zucchini & MacDonald (2009), Hidden Markov Models for Time Series. The counts and the two-state model (stationary
start) are those of the project's table of reference values. The three-state model was found here first; the R code that
comes with the book, as run by others (published logs of ``pois.HMM.mle``), prints the same: minus
log-likelihood 329.4603, AIC 676.9206, rates 13.1457, 19.7210, 29.7144.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo

COUNTS = [
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11, 14, 23, 18, 17, 19, 20,
    22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17, 22, 17, 19,
    15, 34, 10, 15, 22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18, 15, 18, 14, 10, 15,
    8, 15, 6, 11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11, 11,
]  # fmt: skip


@pytest.fixture(scope="module")
def earthquakes():
    assert len(COUNTS) == 107
    index = pd.date_range("1900", periods=107, freq="YS")
    return pd.Series(COUNTS, index=index, name="great earthquakes")


def test_two_regimes(earthquakes):
    fit = tempo.Regimes(n_regimes=2).fit(earthquakes, rng=7)
    np.testing.assert_allclose(fit.rates, [15.472, 26.125], atol=6e-4)
    assert -fit.llf == pytest.approx(342.3183, abs=5e-5)
    assert fit.aic == pytest.approx(692.6365, abs=1e-4)
    np.testing.assert_allclose(fit.transition, [[0.9340, 0.0660], [0.1285, 0.8715]], atol=5e-4)
    np.testing.assert_allclose(fit.transition.sum(axis=1), 1.0)


def test_three_regimes(earthquakes):
    fit = tempo.Regimes(n_regimes=3).fit(earthquakes)
    np.testing.assert_allclose(fit.rates, [13.146, 19.721, 29.714], atol=6e-4)
    assert -fit.llf == pytest.approx(329.4603, abs=1e-4)
    assert fit.aic == pytest.approx(676.9206, abs=2e-4)
    expected = [[0.95462, 0.02444, 0.02093], [0.04977, 0.89937, 0.05087], [0.0, 0.19664, 0.80336]]
    np.testing.assert_allclose(fit.transition, expected, atol=2e-4)


def test_one_regime_is_a_constant_poisson_rate(earthquakes):
    fit = tempo.Regimes(n_regimes=1).fit(earthquakes)
    assert fit.rates[0] == pytest.approx(np.mean(COUNTS), rel=1e-6)
    assert -fit.llf == pytest.approx(391.9189, abs=1e-4)


def test_every_measure_prefers_three(earthquakes):
    table = tempo.Regimes.compare(earthquakes, up_to=3, rng=1)
    assert table.attrs["best"] == {"aic": 3, "bic": 3, "log_evidence": 3}
    assert table["khat"].max() < 0.7
    assert table["probability"].sum() == pytest.approx(1.0)
