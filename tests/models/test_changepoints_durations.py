"""Regimes of a shortest length: enumeration of every placement, online updates, forecasts, draws, refusals."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln, logsumexp, xlogy

import tempo
from tempo.errors import OptionError
from tempo.models.changepoint_draws import most_probable, sample
from tempo.models.changepoint_forecast import one_step, simulate, waiting
from tempo.models.changepoint_given import log_placements, most_changes
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_posterior import Posterior, solve
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN

SIZE = 2.0


def make_grid(family, shape, rate, hazard, shortest, n_changes=None):
    shape, rate = np.atleast_1d(np.asarray(shape, dtype=float)), np.atleast_1d(rate)
    shape, rate = (part.ravel() for part in np.meshgrid(shape, np.asarray(rate, dtype=float)))
    hazard = np.atleast_1d(np.asarray(hazard, dtype=float))
    return Grid(
        family,
        shape,
        rate,
        np.full(shape.size, SIZE),
        np.full(shape.size, -math.log(shape.size)),
        hazard / (1 - hazard),
        np.full(hazard.size, -math.log(hazard.size)),
        n_changes,
        shortest=shortest,
    )


class Enumerated:
    """Every placement in which no inner regime is too short, by closed forms that share no code with tempo."""

    def __init__(self, y, e, family, shape, rate, hazard, shortest):
        seen = np.flatnonzero(e > 0)
        self.y, self.e, self.m = y[seen], e[seen], len(seen)
        self.places = np.append(1.0, np.diff(seen))
        self.family, self.shape, self.rate = family, shape, rate
        odds = self.places * hazard / (1 - hazard)
        self.cuts, self.log_joint, self.log_data = [], [], []
        for flags in itertools.product([False, True], repeat=self.m - 1):
            cuts = [t + 1 for t, flag in enumerate(flags) if flag]
            inner = itertools.pairwise(cuts)
            if any(seen[b] - seen[a] < shortest for a, b in inner):
                continue
            prior, begun = 0.0, 0
            for t in range(1, self.m):
                if t in cuts:
                    prior += math.log(odds[t] / (1 + odds[t]))
                    begun = t
                elif begun == 0 or seen[t] - seen[begun] >= shortest:
                    prior -= math.log1p(odds[t])
            edges = [0, *cuts, self.m]
            data = sum(self.segment(a, b) for a, b in itertools.pairwise(edges))
            self.cuts.append(cuts)
            self.log_joint.append(data + prior)
            self.log_data.append(data + sum(math.log(self.places[t]) for t in cuts))
        self.log_joint, self.log_data = np.array(self.log_joint), np.array(self.log_data)
        self.number = np.array([len(c) for c in self.cuts])

    def segment(self, a, b):
        y, e = self.y[a:b], self.e[a:b]
        n, x, A, B = y.sum(), e.sum(), self.shape, self.rate
        if self.family == GAMMA:
            own = np.sum(xlogy(y, e) - gammaln(y + 1))
            return own + A * math.log(B) - gammaln(A) + gammaln(A + n) - (A + n) * math.log(B + x)
        if self.family == BERNOULLI:
            return betaln(A + n, B + len(y) - n) - betaln(A, B)
        own = np.sum(gammaln(y + SIZE * e) - gammaln(SIZE * e) - gammaln(y + 1))
        return own + betaln(1 + SIZE * B + SIZE * x, A + n) - betaln(1 + SIZE * B, A)

    def mean_rate(self, a, b):
        n, x = self.y[a:b].sum(), self.e[a:b].sum()
        if self.family == BERNOULLI:
            return (self.shape + n) / (self.shape + self.rate + (b - a))
        return (self.shape + n) / (self.rate + x)

    def probabilities(self, k=None):
        weights = (
            self.log_joint if k is None else np.where(self.number == k, self.log_data, -np.inf)
        )
        return np.exp(weights - logsumexp(weights))

    def change_probability(self, k=None):
        out = np.zeros(self.m)
        for p, cuts in zip(self.probabilities(k), self.cuts, strict=True):
            out[cuts] += p
        return out

    def rates(self, k=None):
        out = np.zeros(self.m)
        for p, cuts in zip(self.probabilities(k), self.cuts, strict=True):
            for a, b in itertools.pairwise([0, *cuts, self.m]):
                out[a:b] += p * self.mean_rate(a, b)
        return out


@st.composite
def cases(draw):
    family = draw(st.sampled_from([GAMMA, BERNOULLI, NEGBIN]))
    n = draw(st.integers(1, 10))
    top = 1 if family == BERNOULLI else draw(st.sampled_from([2, 12, 400]))
    y = np.array(draw(st.lists(st.integers(0, top), min_size=n, max_size=n)), dtype=float)
    shares = [0.0, 1.0] if family == BERNOULLI else [0.0, 0.3, 1.0, 1.0, 1.0]
    e = np.array(draw(st.lists(st.sampled_from(shares), min_size=n, max_size=n)))
    if not e.any():
        e[draw(st.integers(0, n - 1))] = 1.0
    y[e == 0] = 0
    shape, rate = draw(st.floats(0.2, 6)), draw(st.floats(0.05, 6))
    return y, e, family, shape, rate, draw(st.floats(0.01, 0.9)), draw(st.integers(2, 5))


@settings(max_examples=30, deadline=None)
@given(cases())
@example(  # a spell too short to be a regime, worth more than everything else while it lasts
    (np.array([0, 0, 0, 0, 900, 900, 0, 0, 0.0]), np.ones(9), GAMMA, 1.0, 1.0, 0.05, 4)
)
def test_every_answer_equals_enumeration(case):
    y, e, family, shape, rate, hazard, shortest = case
    truth = Enumerated(y, e, family, shape, rate, hazard, shortest)
    bins, grid = Bins.of(y, e), make_grid(family, shape, rate, hazard, shortest)
    found = solve(bins, grid)
    assert found.log_evidence == pytest.approx(logsumexp(truth.log_joint), abs=1e-8)
    np.testing.assert_allclose(found.change_probability, truth.change_probability(), atol=1e-8)
    np.testing.assert_allclose(found.rate_moments[0], truth.rates(), rtol=1e-7)
    number = np.bincount(truth.number, truth.probabilities(), minlength=truth.m)
    mine = np.pad(found.number, (0, truth.m - found.number.size))
    np.testing.assert_allclose(mine, number, atol=1e-8)
    at = truth.cuts.index(most_probable(found).tolist())
    assert truth.log_joint[at] == pytest.approx(truth.log_joint.max(), abs=1e-8)
    assert most_changes(bins, shortest) == truth.number.max()
    for k in range(min(int(truth.number.max()), 3) + 1):
        alike = solve(bins, replace(grid, n_changes=k))
        chosen = truth.number == k
        placements = [
            np.prod(truth.places[c]) for c, here in zip(truth.cuts, chosen, strict=True) if here
        ]
        assert log_placements(bins, k, shortest) == pytest.approx(math.log(sum(placements)))
        expected = logsumexp(truth.log_data[chosen]) - math.log(sum(placements))
        assert alike.log_evidence == pytest.approx(expected, abs=1e-8)
        np.testing.assert_allclose(alike.change_probability, truth.change_probability(k), atol=1e-8)
        np.testing.assert_allclose(alike.rate_moments[0], truth.rates(k), rtol=1e-7)
        at = truth.cuts.index(most_probable(alike, k).tolist())
        assert truth.log_data[at] == pytest.approx(truth.log_data[chosen].max(), abs=1e-8)


def stepped():
    rng = np.random.default_rng(7)
    y = rng.poisson(np.repeat([0.5, 4.0, 0.2, 2.0], [25, 20, 15, 20])).astype(float)
    e = np.where(np.arange(80) % 17 == 5, 0.0, 1.0)
    y[e == 0] = 0
    return y, e


def test_online_equals_offline_at_every_step():
    y, e = stepped()
    grid = make_grid(GAMMA, [0.5, 2.0], [0.5, 1.0], [0.02, 0.1], 6)
    online = solve(Bins.of(y[:1], e[:1]), grid)
    for t in range(1, 80):
        online = online.updated(Bins.of(y[t : t + 1], e[t : t + 1]))
        offline = solve(Bins.of(y[: t + 1], e[: t + 1]), grid)
        np.testing.assert_allclose(online.table, offline.table, atol=1e-9)
        for mine, theirs in zip(online.states, offline.states, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            np.testing.assert_allclose(mine[3], theirs[3], atol=1e-8)
            np.testing.assert_array_equal(mine[5], theirs[5])
    np.testing.assert_allclose(online.change_probability, offline.change_probability, atol=1e-12)


def test_draws_follow_the_exact_marginals_and_are_long_enough():
    y, e = stepped()
    found = solve(Bins.of(y, e), make_grid(GAMMA, [0.5, 1.0], [0.5, 1.0], [0.02, 0.1], 8))
    draws, m = 20_000, len(found.bins)
    drawn = sample(found, draws, np.random.default_rng(5))
    shares = np.bincount(drawn.start[drawn.start > 0], minlength=m) / draws
    sd = np.sqrt(np.maximum(found.change_probability, 1e-4) / draws)
    assert np.max(np.abs(shares - found.change_probability) / sd) < 5
    at = found.bins.position
    inner = (drawn.start > 0) & (drawn.end < m)
    assert (at[drawn.end[inner]] - at[drawn.start[inner]]).min() >= 8
    rates = np.repeat(drawn.rate, drawn.end - drawn.start).reshape(draws, m)
    mean, square = found.rate_moments
    error = np.sqrt((square - mean**2) / draws)
    assert np.max(np.abs(rates.mean(axis=0) - mean) / error) < 5
    given_two = sample(found, 2_000, np.random.default_rng(6), 2)
    assert np.bincount(given_two.draw).tolist() == [3] * 2_000


def test_pruning_costs_no_more_than_its_bound(monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.poisson(np.repeat(rng.gamma(1.0, 1.0, 20), 100)).astype(float)
    bins, grid = Bins.of(y, np.ones(2000)), make_grid(GAMMA, 1.0, 1.0, 1 / 100, 20)
    values = {}
    for prune in (0.0, 1e-10, 1e-3, 0.1):
        monkeypatch.setattr("tempo.models.changepoint_posterior.PRUNE", prune)
        found = solve(bins, grid)
        values[prune] = found.log_evidence
        loss = values[0.0] - found.log_evidence
        assert -1e-7 < loss <= found.log_evidence_bound + 1e-7
        if prune == 1e-10:
            assert 0 < found.log_evidence_bound < 1e-4
        if prune == 0.1:
            assert loss > 1e-7


def test_one_step_predictions_multiply_to_the_evidence():
    y, e = stepped()
    found = solve(Bins.of(y, e), make_grid(GAMMA, 1.2, 0.7, 0.1, 5))
    below, at, _, _ = one_step(found)
    assert np.log(at - below).sum() == pytest.approx(found.log_evidence, abs=1e-5)


def brute_force_waiting(truth, seen, n_bins, hazard, shortest, n):
    """P(a change by each later bin), from every placement and the age of its last regime."""
    out = np.zeros(n_bins)
    for p, cuts in zip(truth.probabilities(), truth.cuts, strict=True):
        begun = seen[cuts[-1]] if cuts else None
        stays = 1.0
        for j in range(n_bins):
            if begun is None or n + j - begun >= shortest:
                stays *= 1 - hazard
            out[j] += p * (1 - stays)
    return out


def test_the_next_change_waits_for_the_present_regime():
    y, e = np.array([0, 1, 0, 6, 5, 4.0]), np.ones(6)
    truth = Enumerated(y, e, GAMMA, 1.0, 1.0, 0.2, 5)
    found = solve(Bins.of(y, e), make_grid(GAMMA, 1.0, 1.0, 0.2, 5))
    expected = brute_force_waiting(truth, np.arange(6), 12, 0.2, 5, 6)
    np.testing.assert_allclose(waiting(found, 12), expected, atol=1e-9)
    paths = simulate(found, 12, 60_000, np.random.default_rng(1))
    stays = 1 - expected
    assert stays[0] > 0.9
    assert stays[-1] < 0.4
    # Up to the first time at which the present regime may end, paths have its mean rate.
    assert paths[:, 0].mean() == pytest.approx(
        stays[0] * found.rate_moments[0, -1] + expected[0] * 1.0, rel=0.05
    )
    changed = make_grid(GAMMA, 1.0, 1.0, 0.2, 5, n_changes=1)
    fixed = simulate(solve(Bins.of(y, e), changed), 3, 20_000, np.random.default_rng(1))
    assert fixed[:, 2].mean() == pytest.approx(fixed[:, 0].mean(), rel=0.05)


def series(values, start="2020-01-01"):
    index = pd.date_range(start, periods=len(values))
    return pd.Series(values, index=index, name="attacks")


@pytest.mark.parametrize("observation", ["poisson", "negbin", "zip", "bernoulli"])
def test_every_observation_takes_a_length_and_a_number(observation):
    rng = np.random.default_rng(5)
    y = rng.poisson(np.repeat([0.3, 2.5], 45))
    y[20:22] = 5
    if observation == "bernoulli":
        y = np.minimum(y, 1)
    fit = tempo.Changepoints(observation=observation, min_length=15, n_changes=2).fit(series(y))
    inner = fit.sample(300, rng=1)
    second = inner[inner["segment"] > 1].groupby("draw")["start"].diff().dropna()
    assert len(second) == 300
    assert (second >= pd.Timedelta("15D")).all()
    free = tempo.Changepoints(observation=observation, min_length=15).fit(series(y))
    assert free.n_changes.idxmax() in {1, 2}
    later = free.update(int(y[-1]))
    again = type(free.parts[0]).resolved(later.parts[0], free.parts[0].grid)
    assert later.log_evidence == pytest.approx(again.log_evidence, abs=1e-9)
    assert free.next_change(30).is_monotonic_increasing
    assert free.simulate(5, 10, rng).shape == (10, 5)


def test_gaps_and_severity_count_a_length_in_attacks():
    rng = np.random.default_rng(3)
    days = pd.date_range("2020-01-01", periods=300)
    dates = np.repeat(days, rng.poisson(np.repeat([0.2, 0.9], 150)))
    killed = 1 + rng.poisson(np.where(dates < days[150], 0.4, 6.0)).astype(float)
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": dates, "killed": killed}), ("2020-01-01", "2020-10-27")
    )
    for observation in ("gaps", "severity"):
        fit = tempo.Changepoints(observation=observation, min_length=10).fit(incidents)
        assert fit.n_changes.idxmax() == 1
        assert abs(fit.segments["start"].iloc[1] - days[150]) < pd.Timedelta("20D")
        two = tempo.Changepoints(observation=observation, min_length=10, n_changes=2).fit(incidents)
        drawn = two.parts[0]
        found = sample(drawn, 200, np.random.default_rng(0))
        inner = (found.start > 0) & (found.end < len(drawn.bins))
        assert (found.end - found.start)[inner].min() >= 10
    assert fit.deaths(50, rng=1).min() >= 1


def test_a_number_without_room_is_refused():
    with pytest.raises(OptionError, match="room for 3 at most"):
        tempo.Changepoints(min_length=4, n_changes=4).fit(series(np.arange(12)))
    assert isinstance(
        solve(Bins.of(np.ones(3), np.ones(3)), make_grid(GAMMA, 1, 1, 0.1, 9)), Posterior
    )
