"""Severity of terrorist attacks 1968-2006: 9,101 deadly events, against the published power law.

Clauset, Shalizi & Newman (2009), SIAM Review 51; data of Clauset, Young & Gleditsch (2007), J. Conflict Resolution 51.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.models.severity_tails import fit_power_law, fit_tail


@pytest.fixture(scope="module")
def deaths(shared_data):
    table = pd.read_csv(shared_data / "reference" / "clauset_terrorism_severity_1968_2006.csv")
    values = table["deaths"].to_numpy()
    assert len(values) == 9101
    assert round(values.mean(), 2) == 4.35
    assert round(values.std(), 2) == 31.57
    assert values.max() == 2749
    return values


@pytest.fixture(scope="module")
def fit(deaths):
    days = pd.date_range("1968-01-01", periods=len(deaths), freq="1D")
    table = pd.DataFrame({"date_start": days, "killed": deaths})
    return tempo.Lethality().fit(tempo.Incidents(table, ("1968-01-01", "1995-01-01")), rng=1)


def test_power_law_from_the_x_min_of_smallest_distance(deaths) -> None:
    law = fit_power_law(deaths)
    assert (law.x_min, law.n_tail) == (12, 547)
    assert f"{law.exponent:.3f}" == "2.370"
    assert f"{law.distance:.4f}" == "0.0177"
    # "2.4 ± 0.2" holds the choice of x_min too, which a standard error at a given x_min does not.
    assert 0.05 < law.exponent_se < 0.07


def test_given_x_min_is_the_same_law(deaths) -> None:
    assert fit_power_law(deaths, 12) == fit_power_law(deaths)
    assert round(fit_tail(deaths, "power", x_min=12).parameters["exponent"], 3) == 2.370


def test_posterior_at_the_published_x_min(deaths) -> None:
    days = pd.date_range("1968-01-01", periods=len(deaths), freq="1D")
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": days, "killed": deaths}), ("1968-01-01", "1995-01-01")
    )
    by_distance = tempo.Lethality(tail="power", x_min="ks").fit(incidents, rng=1, draws=2_000)
    exponent = by_distance.posterior["posterior"]["power_exponent"]
    assert abs(float(exponent.mean()) - 2.370) < 0.005
    assert abs(float(exponent.std()) - fit_power_law(deaths).exponent_se) < 0.005
    # The body is free below x_min, so chances there are the observed shares.
    assert float(by_distance.probability(12)) == pytest.approx(547 / 9101, rel=0.02)


def test_tail_is_not_settled_and_the_record_is_no_surprise(deaths, fit) -> None:
    """Clauset & Woodard (2013): tails disagree about an event as deadly as the largest; the band must hold it."""
    table = fit.exceedance([12, 100, 2749])
    assert (table["low"] <= table["observed"]).all()
    assert (table["observed"] <= table["high"] * 1.2).all()
    assert fit.weights["negbin"] < 0.001
    assert fit.weights["power"] > 0.01
    # Leave-one-out and evidence agree which is best, not how sure that is.
    assert fit.tails.index[0] == "lognormal"
    assert fit.tails.loc["power", "posterior"] < 1e-6


def test_same_answer_from_the_array_alone(deaths, fit) -> None:
    """The posterior of a log-normal with so many events lies at its maximum likelihood."""
    best = fit_tail(deaths, "lognormal").parameters
    posterior = fit.posterior["posterior"]
    for name in ("mu", "sigma"):
        draws = posterior[f"lognormal_{name}"].to_numpy()
        assert abs(draws.mean() - best[name]) < 0.5 * draws.std()
    assert np.isfinite(fit.tails["elpd"]).all()
