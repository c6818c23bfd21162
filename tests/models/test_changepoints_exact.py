"""The exact recursions against full enumeration of every partition, n <= 10."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln, logsumexp, xlogy

from tempo.errors import OptionError
from tempo.models import changepoint_given
from tempo.models.changepoint_draws import most_probable, sample
from tempo.models.changepoint_forecast import one_step
from tempo.models.changepoint_grid import Bins, Grid, learned_odds, learned_rates
from tempo.models.changepoint_posterior import Posterior, solve
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN, predict


def make_grid(family, shape, rate, hazard, n_changes=None, size=1.0):
    shape, rate, hazard, size = (
        np.atleast_1d(np.asarray(v, float)) for v in (shape, rate, hazard, size)
    )
    cells = shape.size
    return Grid(
        family,
        shape,
        rate,
        np.broadcast_to(size, (cells,)).copy(),
        np.full(cells, -math.log(cells)),
        hazard / (1 - hazard),
        np.full(hazard.size, -math.log(hazard.size)),
        n_changes,
    )


class Enumerated:
    """Every partition of a short series with its weight, by closed forms that share no code with tempo."""

    def __init__(self, y, e, family, shape, rate, hazard, size=1.0):
        seen = np.flatnonzero(e > 0)
        self.y, self.e, self.m = y[seen], e[seen], len(seen)
        self.places = np.append(1.0, np.diff(seen))
        self.family, self.shape, self.rate, self.size = family, shape, rate, size
        odds = self.places * hazard / (1 - hazard)
        change, stay = np.log(odds / (1 + odds)), -np.log1p(odds)
        self.cuts, self.log_joint, self.log_data = [], [], []
        for flags in itertools.product([False, True], repeat=self.m - 1):
            cuts = [t + 1 for t, flag in enumerate(flags) if flag]
            edges = [0, *cuts, self.m]
            data = sum(self.segment(a, b) for a, b in itertools.pairwise(edges))
            prior = sum(change[t] if t in cuts else stay[t] for t in range(1, self.m))
            self.cuts.append(cuts)
            self.log_joint.append(data + prior)
            self.log_data.append(data + sum(np.log(self.places[t]) for t in cuts))
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
        r, first = self.size, 1 + self.size * B
        own = np.sum(gammaln(y + r * e) - gammaln(r * e) - gammaln(y + 1))
        return own + betaln(first + r * x, A + n) - betaln(first, A)

    def mean_rate(self, a, b):
        n, x = self.y[a:b].sum(), self.e[a:b].sum()
        if self.family == GAMMA:
            return (self.shape + n) / (self.rate + x)
        if self.family == BERNOULLI:
            return (self.shape + n) / (self.shape + self.rate + (b - a))
        return self.size * (self.shape + n) / (self.size * self.rate + self.size * x)

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

    def segment_rates(self, k):
        out = np.zeros(k + 1)
        for p, cuts in zip(self.probabilities(k), self.cuts, strict=True):
            if len(cuts) == k:
                for j, (a, b) in enumerate(itertools.pairwise([0, *cuts, self.m])):
                    out[j] += p * self.mean_rate(a, b)
        return out


@st.composite
def short_series(draw, family=GAMMA):
    n = draw(st.integers(1, 9))
    top = 1 if family == BERNOULLI else draw(st.sampled_from([2, 12, 400]))
    y = np.array(draw(st.lists(st.integers(0, top), min_size=n, max_size=n)), dtype=float)
    shares = [0.0, 1.0] if family == BERNOULLI else [0.0, 0.3, 1.0, 1.0, 1.0]
    e = np.array(draw(st.lists(st.sampled_from(shares), min_size=n, max_size=n)))
    if not e.any():
        e[draw(st.integers(0, n - 1))] = 1.0
    y[e == 0] = 0
    shape = draw(st.floats(0.2, 6))
    rate = draw(st.floats(0.05, 6))
    hazard = draw(st.floats(0.01, 0.9))
    return y, e, shape, rate, hazard


def agree(posterior: Posterior, truth: Enumerated) -> None:
    p = truth.probabilities()
    assert posterior.log_evidence == pytest.approx(logsumexp(truth.log_joint), abs=1e-9)
    np.testing.assert_allclose(posterior.change_probability, truth.change_probability(), atol=1e-9)
    number = np.bincount(truth.number, p, minlength=truth.m)
    found = np.pad(posterior.number, (0, truth.m - posterior.number.size))
    np.testing.assert_allclose(found, number, atol=1e-9)
    np.testing.assert_allclose(posterior.rate_moments[0], truth.rates(), rtol=1e-8)
    best = most_probable(posterior).tolist()
    at = truth.cuts.index(best)
    assert truth.log_joint[at] == pytest.approx(truth.log_joint.max(), abs=1e-9)
    for k in range(min(truth.m, 4)):
        if number[k] > 1e-4:
            given_k = posterior.given(k)
            np.testing.assert_allclose(given_k.mean, truth.segment_rates(k), rtol=1e-8)
            dates = np.zeros((k, truth.m))
            for chance, cuts in zip(truth.probabilities(k), truth.cuts, strict=True):
                if len(cuts) == k:
                    dates[np.arange(k), cuts] += chance
            np.testing.assert_allclose(given_k.dates, dates, atol=1e-9)
            places = most_probable(posterior, k).tolist()
            assert truth.log_data[truth.cuts.index(places)] == pytest.approx(
                truth.log_data[truth.number == k].max(), abs=1e-9
            )


@settings(max_examples=40, deadline=None)
@given(short_series())
@example(  # one change fewer looks hopeless after the second bin, and is not after the third
    (np.array([0, 224, 0, 0, 0, 0, 0, 34.0]), np.array([0, 0.3, 0, 0, 0, 0, 1, 0.3]), 1.0, 2.0, 0.5)
)
def test_poisson_equals_enumeration(case):
    y, e, shape, rate, hazard = case
    posterior = solve(Bins.of(y, e), make_grid(GAMMA, shape, rate, hazard))
    agree(posterior, Enumerated(y, e, GAMMA, shape, rate, hazard))


@settings(max_examples=20, deadline=None)
@given(short_series(family=BERNOULLI))
def test_attack_days_equal_enumeration(case):
    y, e, shape, rate, hazard = case
    posterior = solve(Bins.of(y, e), make_grid(BERNOULLI, shape, rate, hazard))
    agree(posterior, Enumerated(y, e, BERNOULLI, shape, rate, hazard))


@settings(max_examples=20, deadline=None)
@given(short_series(family=NEGBIN), st.sampled_from([0.3, 1.0, 20.0]))
def test_negbin_equals_enumeration(case, size):
    y, e, shape, rate, hazard = case
    posterior = solve(Bins.of(y, e), make_grid(NEGBIN, shape, rate, hazard, size=size))
    agree(posterior, Enumerated(y, e, NEGBIN, shape, rate, hazard, size))


@settings(max_examples=15, deadline=None)
@given(short_series(), st.integers(0, 3))
def test_a_given_number_equals_enumeration(case, k):
    y, e, shape, rate, hazard = case
    truth = Enumerated(y, e, GAMMA, shape, rate, hazard)
    k = min(k, truth.m - 1)
    posterior = solve(Bins.of(y, e), make_grid(GAMMA, shape, rate, hazard, n_changes=k))
    mine = truth.number == k
    placements = [
        np.prod(truth.places[c]) for c, chosen in zip(truth.cuts, mine, strict=True) if chosen
    ]
    expected = logsumexp(truth.log_data[mine]) - math.log(sum(placements))
    assert posterior.log_evidence == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(posterior.change_probability, truth.change_probability(k), atol=1e-9)
    np.testing.assert_allclose(posterior.rate_moments[0], truth.rates(k), rtol=1e-8)


def test_a_grid_is_the_mixture_of_its_cells():
    y = np.array([0, 1, 0, 5, 6, 4, 0, 0.0])
    e = np.array([1, 1, 1, 1, 0.5, 1, 0, 1.0])
    shapes, rates, hazards = [0.5, 2.0], [0.5, 1.0], [0.05, 0.3]
    posterior = solve(Bins.of(y, e), make_grid(GAMMA, shapes, rates, hazards))
    cells = [
        Enumerated(y, e, GAMMA, a, b, h)
        for a, b in zip(shapes, rates, strict=True)
        for h in hazards
    ]
    weights = np.array([logsumexp(c.log_joint) for c in cells])
    assert posterior.log_evidence == pytest.approx(logsumexp(weights) - math.log(4), abs=1e-10)
    weights = np.exp(weights - logsumexp(weights))
    np.testing.assert_allclose(posterior.weights.ravel(), weights, atol=1e-10)
    for found, part in (
        (posterior.change_probability, [c.change_probability() for c in cells]),
        (posterior.rate_moments[0], [c.rates() for c in cells]),
        (posterior.number, [np.bincount(c.number, c.probabilities()) for c in cells]),
    ):
        np.testing.assert_allclose(found, weights @ np.array(part), atol=1e-9)


@pytest.mark.parametrize("family", [GAMMA, BERNOULLI, NEGBIN])
def test_draws_follow_the_exact_marginals(family):
    rng = np.random.default_rng(4)
    y = rng.poisson(np.repeat([0.4, 3.0, 0.8], 20)).astype(float)
    if family == BERNOULLI:
        y = np.minimum(y, 1)
    y = np.append(y[:30], np.append([0, 0, 0], y[30:]))
    e = np.append(np.ones(30), np.append(np.zeros(3), np.ones(30)))
    grid = make_grid(family, [0.5, 1.0], [0.5, 1.0], [0.02, 0.1], size=2.0)
    posterior = solve(Bins.of(y, e), grid)
    draws = 40_000
    found = sample(posterior, draws, np.random.default_rng(5))
    m = len(posterior.bins)
    shares = np.bincount(found.start[found.start > 0], minlength=m) / draws
    sd = np.sqrt(np.maximum(posterior.change_probability, 1e-4) / draws)
    assert np.max(np.abs(shares - posterior.change_probability) / sd) < 5
    number = np.bincount(np.bincount(found.draw) - 1) / draws
    for k in range(5):
        assert number[k] == pytest.approx(posterior.number[k], abs=5 * math.sqrt(0.25 / draws))
    rates = np.repeat(found.rate, found.end - found.start).reshape(draws, m)
    mean, square = posterior.rate_moments
    error = np.sqrt((square - mean**2) / draws)
    assert np.max(np.abs(rates.mean(axis=0) - mean) / error) < 5
    given_two = sample(posterior, 20_000, np.random.default_rng(6), 2)
    assert np.bincount(given_two.draw).tolist() == [3] * 20_000
    first_change = given_two.start[1::3]
    expected = posterior.given(2).dates[0]
    sd = np.sqrt(np.maximum(expected, 1e-4) / 20_000)
    assert np.max(np.abs(np.bincount(first_change, minlength=m) / 20_000 - expected) / sd) < 5


def test_online_equals_offline_at_every_step():
    rng = np.random.default_rng(7)
    y = rng.poisson(np.repeat([0.5, 4.0, 0.2], [25, 20, 15])).astype(float)
    e = np.where(np.arange(60) % 17 == 5, 0.0, 1.0)
    y[e == 0] = 0
    grid = make_grid(GAMMA, [0.5, 2.0], [0.5, 1.0], [0.02, 0.1])
    online = solve(Bins.of(y[:1], e[:1]), grid)
    for t in range(1, 60):
        online = online.updated(Bins.of(y[t : t + 1], e[t : t + 1]))
        offline = solve(Bins.of(y[: t + 1], e[: t + 1]), grid)
        np.testing.assert_allclose(online.table, offline.table, atol=1e-9)
        for mine, theirs in zip(online.states, offline.states, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            np.testing.assert_allclose(mine[3], theirs[3], rtol=1e-8)
    np.testing.assert_allclose(online.change_probability, offline.change_probability, atol=1e-12)


def changing_series(n, every, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.repeat(rng.gamma(1.0, 1.0, n // every + 1), every)[:n]).astype(float)


def test_the_bound_on_pruning_covers_what_pruning_costs(monkeypatch):
    y = changing_series(3000, 150)
    bins, grid = Bins.of(y, np.ones(3000)), make_grid(GAMMA, 1.0, 1.0, 1 / 150)
    exact = {}
    for prune in (0.0, 1e-10, 1e-3, 0.1):
        monkeypatch.setattr("tempo.models.changepoint_posterior.PRUNE", prune)
        posterior = solve(bins, grid)
        exact[prune] = posterior.log_evidence
        loss = exact[0.0] - posterior.log_evidence
        assert -1e-8 < loss <= posterior.log_evidence_bound + 1e-8
        if prune == 0.1:
            assert loss > 1e-7  # so that the bound was put to a test
        if prune == 1e-10:
            assert 0 < posterior.log_evidence_bound < 1e-6


def test_many_changes_use_the_narrow_window_of_numbers():
    y = changing_series(1000, 40, seed=3)
    posterior = solve(Bins.of(y, np.ones(1000)), make_grid(GAMMA, 1.0, 1.0, 1 / 40))
    assert posterior.number.sum() == pytest.approx(1.0, abs=1e-9)
    k = np.arange(posterior.number.size)
    assert posterior.number @ k == pytest.approx(posterior.change_probability.sum(), abs=1e-6)
    mode = int(posterior.number.argmax())
    assert mode > 12
    given_mode = posterior.given(mode)
    np.testing.assert_allclose(given_mode.dates.sum(axis=1), 1.0, atol=1e-7)
    # The law of total probability, over the numbers that carry weight.
    total = np.zeros(1000)
    for number in np.flatnonzero(posterior.number > 1e-4):
        total += posterior.number[number] * posterior.given(int(number)).dates.sum(axis=0)
    np.testing.assert_allclose(total, posterior.change_probability, atol=2e-3)
    found = sample(posterior, 300, np.random.default_rng(1), mode)
    assert np.bincount(found.draw).tolist() == [mode + 1] * 300


def test_one_step_predictions_multiply_to_the_evidence():
    y = np.array([0, 2, 1, 30, 0, 0, 7.0])
    for family, size in ((GAMMA, 1.0), (NEGBIN, 0.7), (BERNOULLI, 1.0)):
        values = np.minimum(y, 1) if family == BERNOULLI else y
        posterior = solve(Bins.of(values, np.ones(7)), make_grid(family, 1.2, 0.7, 0.1, size=size))
        below, at, mean, variance = one_step(posterior)
        assert np.log(at - below).sum() == pytest.approx(posterior.log_evidence, abs=1e-5)
        assert mean[0] == pytest.approx(1.2 / 1.9 if family == BERNOULLI else 1.2 / 0.7)
        assert np.all(variance[mean < np.inf] > 0)


@pytest.mark.parametrize("count", [0.0, 1.0, 3.0, 8.0, 9.0, 500.0])
def test_vector_functions_are_exact(count):
    rng = np.random.default_rng(1)
    first, second = np.exp(rng.uniform(-3, 8, 200)), np.exp(rng.uniform(-5, 9, 200))
    expected = (
        gammaln(first + count)
        - gammaln(first)
        + first * np.log(second)
        - (first + count) * np.log(second + 0.6)
    )
    out = np.empty(200)
    offset = predict(GAMMA, count, 0.6, 1.0, first.copy(), second.copy(), np.log(second), 200, out)
    keep = expected > expected.max() - 500
    np.testing.assert_allclose(np.log(out[keep]) + offset, expected[keep], rtol=2e-13, atol=2e-11)


def test_learned_hazard_gives_no_change_half_the_prior():
    for places in (1.0, 5.0, 100.0, 10_000.0):
        odds, log_prior = learned_odds(places, 0, 14)
        assert np.exp(log_prior).sum() == pytest.approx(1.0, abs=1e-6)
        if places >= 100:
            none = np.exp(logsumexp(log_prior - places * np.log1p(odds)))
            one = np.exp(logsumexp(log_prior - places * np.log1p(odds) + np.log(places * odds)))
            assert none == pytest.approx(0.5, abs=0.02)
            assert one == pytest.approx(0.25, abs=0.02)


def test_learned_rates_have_the_means_they_say():
    shape, rate, log_prior = learned_rates(0.3)
    assert np.unique((shape / rate).round(6)).tolist() == [0.075, 0.15, 0.3, 0.6, 1.2]
    assert np.exp(log_prior).sum() == pytest.approx(1)
    a, b, _ = learned_rates(0.8, beta=True)
    assert np.unique((a / b).round(6)).tolist() == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert np.minimum(a, b).max() == 4.0


class ByNumber:
    """Sums over placements by number of changes, from the definition: O(n²) for each number, in logarithms."""

    def __init__(self, truth: Enumerated, k: int, shortest: int = 1):
        m = truth.m
        self.k, self.mean = k, np.zeros((m + 1, m + 1))
        whole = np.full((m + 1, m + 1), -np.inf)
        for a, b in itertools.combinations(range(m + 1), 2):
            if b - a >= shortest or a == 0 or b == m:
                whole[a, b] = truth.segment(a, b)
                self.mean[a, b] = truth.mean_rate(a, b)
        to, back = np.full((2, k + 1, m + 1), -np.inf)
        to[0], back[0] = whole[0], whole[:, m]
        for j in range(1, k + 1):
            inner = np.where(np.arange(m + 1) < m, to[j - 1], -np.inf)
            to[j] = logsumexp(inner[:, None] + whole, axis=0)
            inner = np.where(np.arange(m + 1) > 0, back[j - 1], -np.inf)
            back[j] = logsumexp(whole + inner[None, :], axis=1)
        self.log_sum = to[k, m]
        self.chance = np.zeros(m)
        self.rates = np.zeros(m)
        for j in range(k):
            self.chance[1:] += np.exp(to[j, 1:m] + back[k - 1 - j, 1:m] - self.log_sum)
        for a, b in itertools.combinations(range(m + 1), 2):
            if whole[a, b] == -np.inf:
                continue
            before = [0.0 if a == 0 and j == 0 else -np.inf for j in range(k + 1)]
            if a > 0:
                before = [-np.inf, *to[:k, a]]
            after = [0.0 if b == m and j == 0 else -np.inf for j in range(k + 1)]
            if b < m:
                after = [-np.inf, *back[:k, b]]
            share = logsumexp(np.array(before) + np.array(after)[::-1] + whole[a, b] - self.log_sum)
            self.rates[a:b] += math.exp(share) * self.mean[a, b]


def steps(rng, family, n):
    """Levels hundreds of times apart, in counts of thousands; of attack days, runs of one kind."""
    edges = np.sort(rng.choice(np.arange(1, n), 4, replace=False))
    level = rng.choice([0.02, 1.0, 40.0, 900.0, 5000.0], 5)
    if family == BERNOULLI:
        level = rng.choice([0.02, 0.5, 0.98], 5)
    rate = np.repeat(level, np.diff([0, *edges, n]))
    y = (rng.random(n) < rate) if family == BERNOULLI else rng.poisson(rate)
    return y.astype(float), np.ones(n)


@given(
    family=st.sampled_from([GAMMA, BERNOULLI, NEGBIN]),
    seed=st.integers(0, 10_000),
    k=st.integers(1, 8),
    n=st.sampled_from([24, 70]),
    shortest=st.sampled_from([1, 1, 3]),
    mean=st.sampled_from([0.5, 30.0, 2000.0]),
)
@settings(max_examples=15, deadline=None)
def test_a_given_number_is_exact_however_improbable(family, seed, k, n, shortest, mean):
    """A run that is hopeless now may win later, when no changes are left to begin another."""
    y, e = steps(np.random.default_rng(seed), family, n)
    shape, rate = (0.6, 0.8) if family == BERNOULLI else (1.0, 1 / mean)
    truth = object.__new__(Enumerated)
    truth.y, truth.e, truth.m = y, e, n
    truth.family, truth.shape, truth.rate, truth.size = family, shape, rate, 3.0
    expected = ByNumber(truth, k, shortest)
    grid = replace(make_grid(family, shape, rate, 0.1, k, 3.0), shortest=shortest)
    for posterior in (
        solve(Bins.of(y, e), grid),
        solve(Bins.of(y, e), replace(grid, n_changes=None)),
    ):
        found = posterior.given(k)
        scale = max(1.0, abs(expected.log_sum))
        assert found.log_sums[0] == pytest.approx(expected.log_sum, abs=1e-10 * scale)
        np.testing.assert_allclose(found.dates.sum(axis=0), expected.chance, atol=1e-6)
        np.testing.assert_allclose(found.dates.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(found.moments[0], expected.rates, rtol=1e-6)
        assert found.lost <= 1e-7


def test_a_long_series_finds_odds_under_which_the_number_is_probable(monkeypatch):
    """The pass in the linear domain, with its bound, against the one in logarithms that drops nothing."""
    rng = np.random.default_rng(3)
    y = rng.poisson(np.repeat(rng.uniform(0, 6, 12), 50)).astype(float)
    grid = make_grid(GAMMA, 1.0, 0.4, 0.02)
    for k in (9, 11):
        fast = solve(Bins.of(y, np.ones(600)), grid).given(k)
        assert 0 < fast.lost < 1e-7
        monkeypatch.setattr(changepoint_given, "_CHEAP", math.inf)
        monkeypatch.setattr(changepoint_given, "_PRUNE", 0.0)
        slow = solve(Bins.of(y, np.ones(600)), grid).given(k)
        monkeypatch.undo()
        assert slow.lost == 0
        assert fast.log_sums[0] == pytest.approx(slow.log_sums[0], abs=1e-8)
        np.testing.assert_allclose(fast.dates, slow.dates, atol=1e-8)
        np.testing.assert_allclose(fast.moments, slow.moments, rtol=1e-7)


def test_a_number_that_would_take_too_long_is_refused():
    y = np.repeat([1.0, 2000.0, 3.0], 20_000)
    with pytest.raises(OptionError, match="Take wider bins"):
        solve(Bins.of(y, np.ones(60_000)), make_grid(GAMMA, 1.0, 0.01, 0.1, 1))
