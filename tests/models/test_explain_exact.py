"""The recursion behind ``explain`` against enumeration, Monte Carlo over the continuous prior, and its own prior."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from tempo.models.explain_grid import (
    ACCOUNTS,
    ExplainPrior,
    Grid,
    account_weights,
    evidence,
    log_choose,
    log_prior,
)
from tempo.models.explain_recursions import ANY_POWER, LANES, excitation, sample_paths
from tempo.models.explain_weighing import with_later_changes
from tempo.models.observation import log_pmf


def small_grid(spread: bool = True, levels: int = 4, width: int = 2, rate: float = 0.8) -> Grid:
    prior = np.array([0.1, 0.3, 0.4, 0.2])[:levels]
    return Grid(
        rates=rate * 1.6 ** np.arange(levels),
        prior=prior / prior.sum(),
        width=width,
        branching=np.array([0.0, 0.4, 0.8]),
        half_lives_days=np.array([1.0, 4.0]),
        decay=np.log(2) / np.array([1.0, 4.0]),
        halvings=np.array([0, -1, 2, ANY_POWER] if spread else [0]),
        dispersion=np.array([0.0, 0.5, 4.0, 0.3] if spread else [0.0]),
    )


def excited_slowly(counts: np.ndarray, decay: float) -> np.ndarray:
    """The definition: a sum over the past, missing counts left out."""
    y = np.nan_to_num(counts)
    kernel = [(1 - math.exp(-decay)) * math.exp(-decay * (k - 1)) for k in range(1, len(y) + 1)]
    return np.array([sum(kernel[k - 1] * y[t - k] for k in range(1, t + 1)) for t in range(len(y))])


def paths_of(grid: Grid, n: int):
    """Every path of levels over n observed bins, with its number of jumps and log prior given the places."""
    for path in itertools.product(range(len(grid.rates)), repeat=n):
        jumps, log_p = 0, math.log(grid.prior[path[0]])
        for a, b in itertools.pairwise(path):
            if a != b:
                far = np.abs(np.arange(len(grid.rates)) - a) >= grid.width
                if not far[b]:
                    break
                log_p += math.log(grid.prior[b] / grid.prior[far].sum())
                jumps += 1
        else:
            yield path, jumps, log_p


def enumerated(counts: np.ndarray, weight: np.ndarray, grid: Grid) -> np.ndarray:
    seen = np.flatnonzero(weight > 0)
    table = np.full(grid.shape, -np.inf)
    paths = list(paths_of(grid, len(seen)))
    places = np.array([p for p, _, _ in paths])
    jumps = np.array([j for _, j, _ in paths])
    priors = np.array([q for _, _, q in paths])
    for d, h, b in np.ndindex(*grid.shape[:3]):
        triggered = grid.branching[b] * excited_slowly(counts, grid.decay[h])[seen]
        means = weight[seen] * grid.levels[b][places] + triggered
        logs = priors + log_pmf(counts[seen], means, grid.dispersion[d]).sum(axis=1)
        for k in range(LANES):
            if (jumps == k).any():
                table[d, h, b, k] = special.logsumexp(logs[jumps == k])
    return table


values = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, 60), st.none()), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None)
@given(values, st.integers(1, 3), st.sampled_from([0.5, 1.0]))
def test_table_equals_enumeration(counts, width, partial) -> None:
    y = np.array([np.nan if c is None else c for c in counts], dtype=float)
    weight = np.where(np.isnan(y), 0.0, 1.0)
    weight[0] *= partial
    grid = small_grid(width=width)
    exact = enumerated(y, weight, grid) if (weight > 0).any() else None
    found = evidence(y, weight, grid)
    if exact is None:  # nothing was observed: the likelihood is 1
        assert np.abs(found[..., 0]).max() < 1e-12
        return
    reached = exact > exact.max() - 300
    np.testing.assert_allclose(found[reached], exact[reached], atol=1e-8)
    assert (np.isfinite(found) <= (np.isfinite(exact))).all()


def test_table_equals_enumeration_over_eight_bins() -> None:
    y = np.array([0, 0, 3, 1, 0, 2, 0, 0], dtype=float)
    grid = small_grid(levels=3, width=1)
    weight = np.array([1, 0.3, 1, 1, 1.7, 1, 1, 1])
    np.testing.assert_allclose(evidence(y, weight, grid), enumerated(y, weight, grid), atol=1e-9)


def test_missing_bins_change_nothing_but_the_decay_of_excitation() -> None:
    y = np.array([0, 2, 1, 0, 1], dtype=float)
    grid = small_grid()
    before = evidence(y, np.ones(5), grid)
    after = evidence(np.append(y, [np.nan] * 3), np.append(np.ones(5), np.zeros(3)), grid)
    np.testing.assert_array_equal(before, after)
    with_gap = np.array([0, 2, np.nan, 1, 0, 1], dtype=float)
    weight = (~np.isnan(with_gap)).astype(float)
    np.testing.assert_allclose(
        evidence(with_gap, weight, grid), enumerated(with_gap, weight, grid), atol=1e-9
    )


def test_huge_counts_neither_overflow_nor_vanish() -> None:
    y = np.array([0, 900, 0, 1000, 3, 0, 950, 0, 800, 0, 0, 700] * 6, dtype=float)
    grid = Grid.lay(y, np.ones(len(y)), 1.0, ExplainPrior(), spread=True)
    table = evidence(y, np.ones(len(y)), grid)
    assert np.isfinite(table[..., 0]).all()
    weights = special.softmax(table + log_prior(ExplainPrior(), grid, len(y) - 1))
    assert weights.sum(axis=(1, 2, 3))[0] < 1e-6  # never Poisson


@pytest.mark.parametrize("dispersion", [0.0, 0.125])
def test_a_sure_segmentation_of_large_counts(dispersion) -> None:
    """Lanes lie thousands of nats apart here: each must keep its own scale."""
    y = np.repeat([100.0, 500.0, 60.0, 300.0], 40)
    grid = Grid(
        rates=np.array([60.0, 100.0, 300.0, 500.0]),
        prior=np.full(4, 0.25),
        width=1,
        branching=np.zeros(1),
        half_lives_days=np.ones(1),
        decay=np.ones(1),
        halvings=np.array([-3 if dispersion else 0]),
        dispersion=np.array([dispersion]),
    )
    table = evidence(y, np.ones(160), grid)[0, 0, 0]
    levels = np.repeat([100.0, 500.0, 60.0, 300.0], 40)
    best = log_pmf(y, levels, dispersion).sum() + math.log(0.25) + 3 * math.log(1 / 3)
    assert best - 1e-6 < table[3] < best + 0.1
    constant = special.logsumexp([log_pmf(y, r, dispersion).sum() for r in grid.rates]) - math.log(
        4
    )
    if constant > best - 650:
        assert table[0] == pytest.approx(constant, abs=1e-6)
    assert table[3] > table[:3].max() + 50


def test_excitation_is_the_sum_over_the_past() -> None:
    y = np.array([1, 0, np.nan, 2, 5, 0, 0], dtype=float)
    for decay in (0.1, 2.0):
        np.testing.assert_allclose(
            excitation(y, np.array([decay]))[0, :-1], excited_slowly(y, decay), atol=1e-14
        )


def test_prior_sums_to_one_over_placements() -> None:
    for n_places in (0, 1, 3, 50):
        grid = small_grid()
        base = log_prior(ExplainPrior(), grid, n_places)
        ways = np.array(
            [float(log_choose(n_places, k)) if k <= n_places else -np.inf for k in range(LANES)]
        )
        assert np.exp(special.logsumexp(base + ways)) == pytest.approx(1.0, abs=1e-12)
        parts = account_weights(np.exp(base + ways))
        contagion = parts["hawkes"].sum() + parts["hawkes+steps"].sum()
        assert contagion == pytest.approx(0.5)


def test_later_changes_only_add_ways() -> None:
    """Prequential identity: early evidence under the prior over all places, by enumeration of the late part."""
    y = np.array([1, 0, 2, 1], dtype=float)
    grid = small_grid(spread=False, levels=3, width=1)
    early = evidence(y, np.ones(4), grid, upto=2)
    nothing_later = np.array(
        [1.0, 1.0, 1e-300, 1e-300]
    )  # observed, and all but empty: likelihood 1
    whole = evidence(np.array([1.0, 0, 0, 0]), nothing_later, _quiet(grid))
    start = with_later_changes(
        evidence(np.array([1.0, 0, 0, 0]), np.ones(4), _quiet(grid), upto=2), 1, 3
    )
    np.testing.assert_allclose(whole[:, :, 0], start[:, :, 0], atol=1e-9)
    assert early.shape == start.shape


def _quiet(grid: Grid) -> Grid:
    """The same without contagion in effect, so that later bins can be made empty."""
    return Grid(
        grid.rates, grid.prior, grid.width, np.zeros(3), grid.half_lives_days, grid.decay, grid.halvings,
        grid.dispersion,
    )  # fmt: skip


def test_sampled_paths_follow_the_posterior() -> None:
    """Exact frequencies of whole paths, by enumeration, for each number of changes."""
    y = np.array([0, 3, 1, 0, 4], dtype=float)
    grid = small_grid(spread=False, levels=4, width=2)
    b, h, draws = 1, 0, 20_000
    excited = excitation(y, grid.decay)[h, :-1]
    means = grid.levels[b][:, None] + (grid.branching[b] * excited)[None, :]
    rng = np.random.default_rng(5)
    for k in (0, 1, 2):
        paths = sample_paths(
            y, np.ones(5), excited, grid.branching[b], 0, 0.0, grid.levels[b], grid.prior, grid.width,
            np.full(draws, k), rng.random((draws, 5 + LANES + 1)),
        )  # fmt: skip
        logs = {
            p: q + sum(float(log_pmf(y[t], means[p[t], t])) for t in range(5))
            for p, j, q in paths_of(grid, 5)
            if j == k
        }
        total = special.logsumexp(list(logs.values()))
        found, counts = np.unique(paths, axis=0, return_counts=True)
        shares = {tuple(int(x) for x in p): c / draws for p, c in zip(found, counts, strict=True)}
        assert set(shares) <= set(logs)
        for path, value in logs.items():
            p = math.exp(value - total)
            error = math.sqrt(p * (1 - p) / draws) + 1e-4
            assert abs(shares.get(path, 0.0) - p) < 4.5 * error


def draw_from_prior(
    rng: np.random.Generator,
    n_bins: int,
    draws: int,
    mean: float,
    grid: Grid,
    prior: ExplainPrior,
    smooth: bool,
):
    """Parameters from the prior: levels of the baseline are continuous, branching and memory only if ``smooth``."""
    k = np.arange(LANES)
    number = rng.choice(k, size=draws, p=prior.change_ratio**k / (prior.change_ratio**k).sum())
    contagious = rng.random(draws) < prior.contagion
    branching = np.where(contagious, rng.uniform(prior.least_branching, 1.0, draws), 0.0)
    half_life = prior.half_life_days * np.exp(
        prior.half_life_spread * _truncated(rng, draws, -2.5, 2.5)
    )
    if not smooth:
        branching[contagious] = rng.choice(grid.branching[1:], int(contagious.sum()))
        z = np.log(grid.half_lives_days / prior.half_life_days) / prior.half_life_spread
        half_life = rng.choice(grid.half_lives_days, draws, p=special.softmax(-0.5 * z**2))
    half_step = math.log(prior.least_step) / (grid.width - 0.5) / 2
    low = math.log(grid.rates[0] / mean) - half_step
    high = math.log(grid.rates[-1] / mean) + half_step
    levels = np.empty((draws, n_bins))
    level = prior.level_spread * _truncated(
        rng, draws, low / prior.level_spread, high / prior.level_spread
    )
    # A random set of places of the drawn size: the ranks of uniform numbers.
    ranks = rng.random((draws, n_bins - 1)).argsort(axis=1).argsort(axis=1)
    change = ranks < number[:, None]
    levels[:, 0] = level
    for t in range(1, n_bins):
        todo = np.flatnonzero(change[:, t - 1])
        fresh = level[todo]
        bad = np.ones(len(todo), dtype=bool)
        while bad.any():
            fresh[bad] = prior.level_spread * _truncated(
                rng, int(bad.sum()), low / prior.level_spread, high / prior.level_spread
            )
            bad = np.abs(fresh - level[todo]) < math.log(prior.least_step)
        level[todo] = fresh
        levels[:, t] = level
    baseline = mean * np.exp(levels) * (1 - branching)[:, None]
    return number, branching, half_life, baseline


def _truncated(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    a, b = special.ndtr(low), special.ndtr(high)
    return special.ndtri(a + (b - a) * rng.random(n))


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    "y",
    [[0, 0, 0, 1, 0, 2, 1, 3, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0], [0] * 8 + [1, 2, 2, 4, 1, 2, 3, 2]],
)
def test_grid_equals_monte_carlo_over_the_continuous_prior(y, smooth) -> None:
    """An independent sampler: parameters from the prior, averaged likelihoods; no grid, no recursion."""
    y = np.array(y, dtype=float)
    n, draws, prior = len(y), 800_000, ExplainPrior()
    grid = Grid.lay(y, np.ones(n), 1.0, prior, spread=False)
    mean = (y.sum() + 0.5) / n
    weights = evidence(y, np.ones(n), grid) + log_prior(prior, grid, n - 1)
    exact = {
        name: special.logsumexp(weights[inside > 0])
        for name, inside in account_weights(np.ones_like(weights)).items()
    }
    rng, batches = np.random.default_rng(11), 1 if smooth else 2
    slack = 0.12 if smooth else 0.01  # nine branching ratios and five half-lives stand for all
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ACCOUNTS}
    for _ in range(batches):
        number, branching, half_life, baseline = draw_from_prior(
            rng, n, draws, mean, grid, prior, smooth
        )
        keep, state, logs = np.exp(-np.log(2) / half_life), np.zeros(draws), np.zeros(draws)
        for t in range(n):
            m = baseline[:, t] + branching * state
            logs += special.xlogy(y[t], m) - m - special.gammaln(y[t] + 1)
            state = keep * state + (1 - keep) * y[t]
        likelihood = np.exp(logs)
        steady, quiet = number == 0, branching == 0
        masks = (quiet & steady, quiet & ~steady, ~quiet & steady, ~quiet & ~steady)
        for name, mask in zip(ACCOUNTS, masks, strict=True):
            parts[name].append(likelihood * mask)
    for name in ACCOUNTS:
        part = np.concatenate(parts[name])
        error = part.std() / part.mean() / math.sqrt(len(part))
        assert error < 0.04
        assert exact[name] == pytest.approx(math.log(part.mean()), abs=slack + 3.5 * error), name


@pytest.mark.slow
def test_stated_probabilities_are_right_that_often_over_the_prior() -> None:
    """Truths drawn from the prior: of accounts stated at p, the share p is right (Brier decomposition by z-score)."""
    n, prior, truths = 120, ExplainPrior(), 400
    rng = np.random.default_rng(3)
    base = Grid.lay(np.full(n, 0.5), np.ones(n), 1.0, prior, spread=False)
    mean = (0.5 * n + 0.5) / n
    stated, hit, scores = [], [], []
    number, branching, half_life, baseline = draw_from_prior(
        rng, n, truths, mean, base, prior, smooth=False
    )
    for i in range(truths):
        y, state, keep = np.empty(n), 0.0, math.exp(-math.log(2) / half_life[i])
        for t in range(n):
            y[t] = rng.poisson(min(baseline[i, t] + branching[i] * state, 500.0))
            state = keep * state + (1 - keep) * y[t]
        weights = special.softmax(evidence(y, np.ones(n), base) + log_prior(prior, base, n - 1))
        p = np.array([part.sum() for part in account_weights(weights).values()])
        truth = 2 * (branching[i] > 0) + (number[i] > 0)
        stated.append(p)
        hit.append(np.arange(4) == truth)
        scores.append(p[truth])
    stated, hit = np.array(stated), np.array(hit, dtype=float)
    for j in range(4):  # each account
        error = math.sqrt((stated[:, j] * (1 - stated[:, j])).sum())
        assert abs((hit[:, j] - stated[:, j]).sum()) < 3.2 * error
    for low, high in (
        (0.0, 0.2),
        (0.2, 0.5),
        (0.5, 0.8),
        (0.8, 1.01),
    ):  # each band of stated probability
        inside = (stated >= low) & (stated < high)
        error = math.sqrt((stated[inside] * (1 - stated[inside])).sum())
        assert inside.sum() > 50
        assert abs((hit[inside] - stated[inside]).sum()) < 3.2 * error
    assert np.mean(scores) > 0.4  # and they are not mere repetitions of the prior
