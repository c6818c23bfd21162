"""Gaps between attacks and how deadly they are: enumeration, closed forms, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_t

import tempo
from tempo.errors import DataError, FewEventsWarning, OptionError
from tempo.models.changepoint_draws import most_probable, sample
from tempo.models.changepoint_event_tables import gap_table
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_predictive import NORMAL


def normal_grid(kappa, mean, alpha, beta, hazard, n_changes=None):
    one = np.ones(1)
    return Grid(
        NORMAL,
        kappa * one,
        mean * one,
        (alpha - 0.5 * kappa) * one,
        np.zeros(1),
        hazard / (1 - hazard) * one,
        np.zeros(1),
        n_changes,
        third=beta * one,
    )


def normal_evidence(y, kappa, mean, alpha, beta):
    """A Normal-Gamma segment is a multivariate Student t: no sequential update, and no code of ours."""
    n = len(y)
    shape = beta / alpha * (np.eye(n) + np.ones((n, n)) / kappa)
    return float(multivariate_t.logpdf(y, np.full(n, mean), shape, df=2 * alpha))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.69, 1.1, 3.0, -2.0, 6.0]), min_size=1, max_size=8),
    st.floats(0.05, 5),
    st.floats(-1, 2),
    st.floats(0.3, 5),
    st.floats(0.05, 3),
    st.floats(0.02, 0.8),
)
def test_severity_equals_enumeration(values, kappa, mean, alpha, beta, hazard):
    y, m = np.array(values), len(values)
    weights, cuts_of = [], []
    for flags in itertools.product([False, True], repeat=m - 1):
        cuts = [t + 1 for t, flag in enumerate(flags) if flag]
        edges = [0, *cuts, m]
        data = sum(
            normal_evidence(y[a:b], kappa, mean, alpha, beta) for a, b in itertools.pairwise(edges)
        )
        k = len(cuts)
        weights.append(data + k * math.log(hazard) + (m - 1 - k) * math.log1p(-hazard))
        cuts_of.append(cuts)
    solved = solve(Bins.of(y, np.ones(m)), normal_grid(kappa, mean, alpha, beta, hazard))
    assert solved.log_evidence == pytest.approx(logsumexp(weights), abs=1e-8)
    p = np.exp(weights - logsumexp(weights))
    change, means = np.zeros(m), np.zeros(m)
    for chance, cuts in zip(p, cuts_of, strict=True):
        change[cuts] += chance
        for a, b in itertools.pairwise([0, *cuts, m]):
            means[a:b] += chance * (kappa * mean + y[a:b].sum()) / (kappa + b - a)
    np.testing.assert_allclose(solved.change_probability, change, atol=1e-8)
    np.testing.assert_allclose(solved.rate_moments[0], means, atol=1e-7)
    best = cuts_of.index(most_probable(solved).tolist())
    assert weights[best] == pytest.approx(max(weights), abs=1e-8)
    number = np.bincount([len(c) for c in cuts_of], p)
    np.testing.assert_allclose(solved.number, number[: solved.number.size], atol=1e-8)


def test_draws_of_means_follow_their_moments():
    rng = np.random.default_rng(0)
    y = np.append(rng.normal(0, 0.5, 15), rng.normal(2, 1.0, 15))
    solved = solve(Bins.of(y, np.ones(30)), normal_grid(0.5, 1.0, 2.5, 1.0, 0.05))
    found = sample(solved, 20_000, np.random.default_rng(1))
    rates = np.repeat(found.rate, found.end - found.start).reshape(20_000, 30)
    mean, square = solved.rate_moments
    assert np.max(np.abs(rates.mean(axis=0) - mean) / np.sqrt((square - mean**2) / 20_000)) < 5
    np.testing.assert_allclose(rates.var(axis=0), square - mean**2, rtol=0.15)


def test_pruning_normal_runs_costs_less_than_its_bound(monkeypatch):
    rng = np.random.default_rng(2)
    y = np.round(rng.normal(np.repeat([0, 2.0, 0.5, 3.0], 150), 0.4), 1)
    y[200:230] = 2.0  # equal values, whose likelihood nothing bounds
    grid = normal_grid(0.5, 1.0, 2.0, 0.4, 0.01)
    monkeypatch.setattr("tempo.models.changepoint_posterior.PRUNE", 0.0)
    exact = solve(Bins.of(y, np.ones(600)), grid).log_evidence
    for prune in (1e-10, 1e-3):
        monkeypatch.setattr("tempo.models.changepoint_posterior.PRUNE", prune)
        pruned = solve(Bins.of(y, np.ones(600)), grid)
        assert -1e-8 < exact - pruned.log_evidence <= pruned.log_evidence_bound + 1e-8
        assert math.isfinite(pruned.log_evidence_bound)


def attacks(seed=1, timed=False, **columns):
    rng = np.random.default_rng(seed)
    days = pd.date_range("2019-01-01", periods=360)
    dates = np.repeat(days, rng.poisson(np.repeat([0.1, 0.7, 0.1], 120)))
    if timed:
        dates = (dates + pd.to_timedelta(rng.random(len(dates)), "D")).sort_values()
    table = pd.DataFrame({"date_start": dates, **columns})
    if timed:
        table["date_precision"] = "time"
    return tempo.Incidents(table, ("2019-01-01", "2019-12-27"), label="attacks")


def test_gaps_have_the_closed_form_of_exponential_waiting():
    incidents = attacks(timed=True)
    fit = tempo.Changepoints(observation="gaps", rate_prior=(2, 5), n_changes=0).fit(incidents)
    n, days = len(incidents), 360
    expected = 2 * math.log(5) - gammaln(2) + gammaln(2 + n) - (2 + n) * math.log(5 + days)
    assert fit.log_evidence == pytest.approx(expected, abs=1e-9)
    assert fit.segments["rate"].iloc[0] == pytest.approx((2 + n) / (5 + days))
    assert fit.timed


def test_without_changes_gaps_of_days_weigh_as_daily_counts_do():
    incidents = attacks()
    models = [
        tempo.Changepoints(observation=o, rate_prior=(1, 4), n_changes=0)
        for o in ("gaps", "poisson")
    ]
    one, two = (model.fit(incidents) for model in models)
    assert one.log_evidence == pytest.approx(two.log_evidence, abs=1e-9)
    assert not one.timed


def test_gaps_find_what_counts_find():
    incidents = attacks()
    gaps = tempo.Changepoints(observation="gaps", n_changes=2).fit(incidents)
    counts = tempo.Changepoints(n_changes=2).fit(incidents)
    apart = gaps.segments["start"] - counts.segments["start"]
    assert (apart.abs() < pd.Timedelta("12D")).all()
    np.testing.assert_allclose(gaps.segments["rate"], counts.segments["rate"], rtol=0.2)
    assert gaps.check()["passed"].all()
    assert "in 30 days" in gaps.describe()
    paths = gaps.simulate(30, 4_000, np.random.default_rng(1))
    other = counts.simulate(30, 4_000, np.random.default_rng(1))
    assert paths.mean() == pytest.approx(other.mean(), rel=0.35)
    assert set(gaps.posterior.children) >= {"posterior", "log_likelihood", "observed_data"}


def test_simulated_gaps_have_the_mean_of_the_rate():
    fit = tempo.Changepoints(observation="gaps", rate_prior=(4, 4), n_changes=0).fit(
        attacks(timed=True)
    )
    paths = fit.simulate(50, 4_000, np.random.default_rng(2))
    assert paths.mean() == pytest.approx(fit.segments["rate"].iloc[0], rel=0.03)


def test_gaps_of_the_window_are_not_waited_through():
    table = pd.DataFrame({"date_start": ["2020-01-05", "2020-03-05", "2020-03-05"]})
    window = tempo.Window("2020-01-01", "2020-04-01", gaps=[("2020-02-01", "2020-03-01")])
    stretches, timed = gap_table(tempo.Incidents(table, window))
    assert stretches["exposure"].tolist() == pytest.approx([5.0, 31.0, 26.0])
    assert stretches["value"].tolist() == [1.0, 2.0, 0.0]
    assert not timed


def test_deadliness_that_changed_is_found():
    rng = np.random.default_rng(3)
    days = pd.date_range("2020-01-01", periods=80, freq="3D")
    tolls = np.rint(np.exp(rng.normal(np.repeat([0.7, 2.5], 40), 0.5))).clip(1)
    series = pd.Series(tolls, index=days)
    fit = tempo.Changepoints(observation="severity").fit(series)
    table = fit.segments
    assert len(table) == 2
    assert abs(table["start"].iloc[1] - days[40]) < pd.Timedelta("10D")
    assert table["deaths_low"].iloc[1] < math.exp(2.5) < table["deaths_high"].iloc[1]
    assert "geometric mean" in fit.describe()
    assert fit.check()["passed"].all()
    drawn = fit.deaths(4_000, rng=1)
    assert np.median(drawn) == pytest.approx(math.exp(2.5), rel=0.25)
    assert drawn.min() >= 1
    assert len(fit.sensitivity()) == 9
    assert len(fit.grid) == 12 * fit.parts[0].grid.odds.size
    with pytest.raises(OptionError, match="not how many"):
        fit.simulate(3, 3, rng)
    with pytest.raises(OptionError, match="Fit again"):
        fit.update(3)


def test_severity_leaves_unknown_and_bloodless_attacks_out():
    killed = np.array([0.0, np.nan] + [3.0] * 30)
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=32), "killed": killed})
    fit = tempo.Changepoints(observation="severity").fit(
        tempo.Incidents(table, ("2020-01-01", "2020-03-01"))
    )
    assert len(fit.events) == 30
    assert any("not known for 1 attack" in note for note in fit.notes)
    assert fit.n_changes.iloc[0] > 0.5


def test_events_that_cannot_be_used_are_refused():
    days = pd.date_range("2020-01-01", periods=30)
    with pytest.raises(DataError, match="need Incidents"):
        tempo.Changepoints(observation="gaps").fit(pd.Series(1, index=days))
    month = pd.DataFrame(
        {"date_start": ["2020-01-01"], "date_end": ["2020-01-31"], "date_precision": ["month"]}
    )
    with pytest.raises(DataError, match="known only to an interval"):
        tempo.Changepoints(observation="gaps").fit(
            tempo.Incidents(month, ("2020-01-01", "2020-03-01"))
        )
    with pytest.raises(DataError, match="no attack with known deaths"):
        tempo.Changepoints(observation="severity").fit(pd.Series(0.0, index=days))
    with pytest.raises(DataError, match="negative"):
        tempo.Changepoints(observation="severity").fit(pd.Series(-1.0, index=days))
    with pytest.raises(OptionError, match="Leave it out"):
        tempo.Changepoints(observation="severity", rate_prior=(1, 1)).fit(
            pd.Series(2.0, index=days)
        )
    with pytest.warns(FewEventsWarning, match="3 deadly attacks"):
        tempo.Changepoints(observation="severity").fit(pd.Series(2.0, index=days[:3]))
