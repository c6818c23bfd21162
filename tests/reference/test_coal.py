"""British coal-mining disasters, 1851-1962: 112 years, 191 events, against independently computed values.

Data: Jarrett (1979), Biometrika 66. The values were computed by enumeration and by an independent program; they label
a change by the last year of the old regime, tempo by the first of the new, one later.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tempo


@pytest.fixture(scope="module")
def coal(shared_data):
    table = pd.read_csv(shared_data / "reference" / "coal_annual.csv")
    assert table["year"].tolist() == list(range(1851, 1963))
    index = pd.date_range("1851", periods=112, freq="YS")
    return pd.Series(table["count"].to_numpy(), index=index, name="disasters")


@pytest.fixture(scope="module")
def fit(coal):
    return tempo.Changepoints(hazard=1 / 50, rate_prior=(1, 1)).fit(coal)


def test_one_change(coal):
    one = tempo.Changepoints(n_changes=1, rate_prior=(1, 1)).fit(coal)
    assert one.log_evidence == pytest.approx(-177.795269, abs=5e-7)
    for last_year, expected in ((1891, 0.24502017), (1890, 0.18476033), (1889, 0.14316298)):
        assert one.change_probability[f"{last_year + 1}-01-01"] == pytest.approx(expected, abs=5e-9)
    assert one.segments["rate"].tolist() == pytest.approx([3.064235, 0.922368], abs=5e-7)
    given = one.parts[0].given(1)
    sd = np.sqrt(given.square - given.mean**2)
    assert sd.tolist() == pytest.approx([0.284554, 0.116225], abs=5e-7)
    none = tempo.Changepoints(n_changes=0, rate_prior=(1, 1)).fit(coal)
    assert none.log_evidence == pytest.approx(-206.737517, abs=5e-7)


def test_evidence_number_and_places(fit):
    assert fit.log_evidence == pytest.approx(-176.52773, abs=5e-6)
    assert fit.log_evidence_bound < 1e-8
    expected = [0, 0.0677, 0.3376, 0.2996, 0.1826, 0.0785, 0.0255]
    assert fit.n_changes.iloc[:7].tolist() == pytest.approx(expected, abs=5e-5)
    assert fit.most_probable.year.tolist() == [1892, 1948]
    assert fit.segments["start"].dt.year.tolist() == [1851, 1892, 1948]


def test_forecast(fit):
    draws = 400_000
    paths = fit.simulate(10, draws, np.random.default_rng(1))
    total = paths.sum(axis=1)
    # In the first new year the rate is the last regime's, or after a change the prior's mean of 1.
    assert 0.98 * fit.rate["mean"].iloc[-1] + 0.02 == pytest.approx(0.47636, abs=5e-6)
    for found, expected in (
        (paths[:, 0], 0.47636),
        (total, 5.2106),
        (total == 0, 0.05417),
    ):
        error = found.std() / math.sqrt(draws)
        assert found.mean() == pytest.approx(expected, abs=4 * error + 5e-5)
        assert error < 0.01 * expected


@pytest.mark.parametrize(("hazard", "expected"), [(1 / 112, 2.1), (1 / 50, 3.0), (1 / 25, 4.5)])
def test_hazard(coal, hazard, expected):
    fit = tempo.Changepoints(hazard=hazard, rate_prior=(1, 1)).fit(coal)
    assert (fit.n_changes * fit.n_changes.index).sum() == pytest.approx(expected, abs=0.05)
    assert fit.change_probability.sum() == pytest.approx(expected, abs=0.05)


def test_years_without_a_disaster_count(coal):
    one = tempo.Changepoints(n_changes=1, rate_prior=(1, 1))
    assert (coal > 0).sum() == 79
    assert one.fit(coal).segments["rate"].iloc[1] == pytest.approx(0.92, abs=0.01)
    dropped = one.fit(coal.where(coal > 0))
    assert dropped.segments["rate"].iloc[1] == pytest.approx(1.59, abs=0.05)


def test_learned_priors_find_the_same_changes(coal):
    fit = tempo.Changepoints().fit(coal)
    assert fit.segments["start"].dt.year.tolist() == [1851, 1892, 1948]
    assert fit.n_changes.idxmax() == 2
    assert fit.n_changes.iloc[0] < 1e-6
