"""The general daily Hawkes engine: likelihoods against slow definitions, kernels, layout, and the fast engine."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tempo.models import hawkes_general as general
from tempo.models import hawkes_shapes as shapes
from tempo.models import hurdle
from tempo.models.hawkes import Hawkes
from tempo.models.hawkes_layout import OBSERVATIONS, Layout, pack
from tempo.models.hawkes_posterior import HawkesPrior

KERNELS = {
    "exponential": (0, 1, ()),
    "two": (1, 2, ()),
    "three": (1, 3, ()),
    "power": (2, 1, ()),
    "gamma": (3, 1, ()),
    "histogram": (4, 4, (1, 2, 4, 8, 15)),
    "next day": (4, 1, (1, 2)),
}
EMPTY = (np.empty(0),) * 4


def layout(
    kernel,
    observation="poisson",
    *,
    delay=0,
    columns=(),
    inputs=(),
    own=False,
    marked=False,
    width=1.0,
):
    kind, parts, edges = KERNELS[kernel]
    lags = edges[-1] - 1 if edges else 20
    scales = np.full(len(columns), 0.7)
    return Layout(
        kind,
        parts,
        edges,
        lags,
        delay,
        tuple(columns),
        scales,
        tuple(inputs),
        own,
        marked,
        observation,
        width,
    )


def slow_kernel(plan, values, n):
    """Weights of lags 1 to n from the definition, with natural parameters by name."""
    k = np.arange(1, n + 1)
    w = plan.width
    if plan.kind == shapes.EXPONENTIAL:
        h = (1 - math.exp(-values["decay"] * w)) * np.exp(-values["decay"] * w * (k - 1))
    elif plan.kind == shapes.SUM_EXPONENTIAL:
        h = np.zeros(n)
        for i in range(1, plan.parts + 1):
            r = math.exp(-values[f"decay_{i}"] * w)
            h += values[f"share_{i}"] * (1 - r) * r ** (k - 1)
    elif plan.kind == shapes.POWER:
        law = stats.lomax(values["exponent"], scale=values["scale_days"])
        h = np.diff(law.cdf(np.arange(n + 1) * w)) / law.cdf(plan.lags * w)
        h[plan.lags :] = 0
    elif plan.kind == shapes.GAMMA:
        law = stats.gamma(values["shape"], scale=values["mean_days"] / values["shape"])
        every = law.pdf((np.arange(1, plan.lags + 1) - 0.5) * w)
        h = np.zeros(n)
        h[: plan.lags] = (every / every.sum())[:n]
    else:
        h = np.zeros(n)
        for i, (a, b) in enumerate(zip(plan.edges[:-1], plan.edges[1:], strict=True)):
            mass = 1.0 if plan.parts == 1 else list(values.values())[i]
            h[a - 1 : b - 1] = mass / (b - a)
    return np.concatenate([np.zeros(plan.delay), h])[:n]


def slow_log_likelihood(plan, theta, case):
    """O(n^2), bin by bin, from natural parameters and scipy's distributions."""
    natural = dict(zip(plan.names, plan.natural(theta[None])[0], strict=True))
    n = len(case["counts"])
    q, j = len(plan.columns), len(plan.inputs)
    values = list(natural.values())
    level = values[0] * np.exp(
        case["design"] * 0 @ np.ones(q) + (case["design"] * plan.scales) @ values[1 : 1 + q]
    )
    branching, responses = values[1 + q], values[2 + q : 2 + q + j]

    def kernel_of(source):
        suffix = f"[{source}]" if source and plan.own_shapes else ""
        names = plan._shape_names()
        return slow_kernel(plan, {name: natural[name + suffix] for name in names}, n)

    z = case["counts"].copy()
    if plan.marked:
        x = case["mark_values"]
        raw = np.exp(natural["mark_exponent"] * x)
        weights = raw / raw.mean()
        z = (
            z
            - np.bincount(case["mark_bins"], minlength=n)
            + np.bincount(case["mark_bins"], weights=weights, minlength=n)
        )
    h = kernel_of("")
    others = [kernel_of(name) for name in plan.inputs]
    total = 0.0
    for t in range(n):
        start = max(s for s in case["starts"] if s <= t)
        mean = case["days"][t] * level[t]
        for s in range(start, t):
            mean += branching * h[t - s - 1] * z[s]
            for i in range(j):
                mean += responses[i] * others[i][t - s - 1] * case["inputs"][i, s]
        if case["role"][t] == general.FILLED:
            z[t] = mean
        elif case["role"][t] == general.SCORED:
            total += slow_log_pmf(plan, natural, case["counts"][t], mean)
    return total


def slow_log_pmf(plan, natural, y, mean):
    if plan.observation == "poisson":
        return stats.poisson.logpmf(y, mean)
    if plan.observation == "negbin":
        size = 1 / natural["dispersion"]
        return stats.nbinom.logpmf(y, size, size / (size + mean))
    hazard = mean / natural["day_size"]
    if y == 0:
        return -hazard
    a = {"hurdle": 1.0, "hurdle-poisson": 0.0}.get(plan.observation, natural.get("dispersion"))
    typical = float(hurdle.typical_size(natural["day_size"], a))
    law = stats.poisson(typical) if a == 0 else stats.nbinom(1 / a, 1 / (1 + a * typical))
    return math.log(-math.expm1(-hazard)) + law.logpmf(y) - math.log(law.sf(0))


def make_case(plan, rng, n=40, *, gaps=True, parts=True):
    counts = rng.poisson(1.1, n).astype(float)
    role, days = np.ones(n), rng.choice([0.4, 1.0], n) * plan.width
    role[:4] = general.KNOWN
    days[:4] = 0
    if gaps:
        role[[15, 16, 30]] = general.FILLED
        counts[[15, 16, 30]] = 0
    starts = [0, 22] if parts else [0]
    stop = np.full(n, float(n))
    stop[: starts[-1]] = starts[-1] or n
    case = {
        "counts": counts,
        "role": role,
        "days": days,
        "starts": starts,
        "design": rng.normal(size=(n, len(plan.columns))) * 0.5,
        "inputs": rng.poisson(0.3, (len(plan.inputs), n)).astype(float),
    }
    marks = EMPTY
    unmarked = counts.copy()
    if plan.marked:
        bins = np.repeat(np.arange(n), counts.astype(int))
        bins = bins[rng.random(len(bins)) < 0.8]  # the mark of others is not known
        codes = rng.integers(0, 3, len(bins))
        distinct = np.array([0.0, 0.7, 1.6])
        case |= {"mark_bins": bins, "mark_values": distinct[codes]}
        unmarked -= np.bincount(bins, minlength=n)
        numbers = np.bincount(codes, minlength=3)
        marks = (bins.astype(float), codes.astype(float), distinct, numbers.astype(float))
    block = pack(
        plan,
        case["design"],
        np.vstack([unmarked[None], case["inputs"]]),
        counts,
        days,
        role,
        stop,
        marks,
        plan.prior(HawkesPrior()),
    )
    return case, block


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=8, deadline=None)
@given(
    observation=st.sampled_from(list(OBSERVATIONS)),
    delay=st.integers(0, 3),
    own=st.booleans(),
    marked=st.booleans(),
    rich=st.booleans(),
    width=st.sampled_from([1.0, 7.0]),
    seed=st.integers(0, 10_000),
)
def test_likelihood_equals_its_definition(
    kernel, observation, delay, own, marked, rich, width, seed
):
    rng = np.random.default_rng(seed)
    plan = layout(
        kernel,
        observation,
        delay=delay,
        columns=("a", "b") if rich else (),
        inputs=("x", "y") if rich else (),
        own=own,
        marked=marked,
        width=width,
    )
    case, block = make_case(plan, rng)
    theta = rng.normal(-0.7, 0.5, plan.size)
    gradient = np.zeros(plan.size)
    value = general.density(block, 0, theta, gradient)
    assert value == pytest.approx(slow_log_likelihood(plan, theta, case), rel=1e-9)
    assert general.densities(block, 0, theta[None])[0] == pytest.approx(value, rel=1e-13)
    step = 1e-5
    nudge = step * np.eye(plan.size)
    up, down = (
        general.densities(block, 1, theta + nudge),
        general.densities(block, 1, theta - nudge),
    )
    general.density(block, 1, theta, gradient)
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("delay", [0, 2])
def test_kernels_sum_to_one_and_natural_names_undo(kernel, delay):
    rng = np.random.default_rng(1)
    plan = layout(
        kernel, "hurdle-negbin", delay=delay, columns=("a",), inputs=("x",), own=True, marked=True
    )
    theta = rng.normal(-0.5, 0.4, (5, plan.size))
    natural = plan.natural(theta)
    assert natural.shape == (5, len(plan.names))
    assert len(set(plan.names)) == len(plan.names)
    for row, place in zip(natural, theta, strict=True):
        np.testing.assert_allclose(plan.unbounded(row), place, rtol=1e-6, atol=1e-8)
        values = dict(zip(plan.names, row, strict=True))
        own = {name: values[name] for name in plan._shape_names()}
        other = {name: values[f"{name}[x]"] for name in plan._shape_names()}
        np.testing.assert_allclose(
            plan.kernel(place[None], 30)[0], slow_kernel(plan, own, 30), atol=1e-12
        )
        np.testing.assert_allclose(
            plan.kernel(place[None], 30, source=1)[0], slow_kernel(plan, other, 30), atol=1e-12
        )
    whole = plan.kernel(theta, 5_000 if plan.kind <= 1 else 25).sum(axis=1)
    np.testing.assert_allclose(whole, 1.0, atol=1e-9)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_prior_is_proper_and_drawn_as_stated(observation):
    from tempo.models.hawkes_general_engine import sample_prior

    plan = layout("two", observation, columns=("a",), inputs=("x",), marked=True)
    kinds, means, sds = plan.prior(HawkesPrior())
    theta = sample_prior(plan, HawkesPrior(), 4_000, np.random.default_rng(1))
    for i, kind in enumerate(kinds):
        if kind == general.KNOWN:
            assert stats.kstest(theta[:, i], stats.norm(means[i], sds[i]).cdf).pvalue > 1e-4
        else:
            assert stats.kstest(np.exp(theta[:, i]), stats.halfnorm(0, sds[i]).cdf).pvalue > 1e-4
    # Density of the prior: with and without, at some places.
    _, block = make_case(plan, np.random.default_rng(2))
    found = general.densities(block, 1, theta[:3]) - general.densities(block, 0, theta[:3])
    normal = stats.norm.logpdf(theta[:3], means, sds)
    half = stats.halfnorm.logpdf(np.exp(theta[:3]), 0, sds) + theta[:3]
    np.testing.assert_allclose(found, np.where(kinds == 1, half, normal).sum(axis=1), rtol=1e-7)


@pytest.mark.parametrize("dispersion", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("typical", [0.05, 1.0, 30.0])
def test_hurdle_moments_and_draws(dispersion, typical):
    from tempo.models.hawkes_general_paths import general_paths
    from tempo.models.hawkes_kernels_random import seeds
    from tempo.models.hawkes_observed import day_size

    y = np.arange(4_000)
    pmf = np.exp(hurdle.log_pmf(y, 0.8, typical, dispersion))
    assert pmf.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(
        np.cumsum(pmf)[:50], hurdle.cdf(y[:50], 0.8, typical, dispersion), atol=1e-9
    )
    mean, variance = hurdle.moments(0.8, typical, dispersion)
    assert mean == pytest.approx(pmf @ y, rel=1e-8)
    assert variance == pytest.approx(pmf @ y**2 - (pmf @ y) ** 2, rel=1e-8)
    draws = 20_000
    size = day_size(math.log(typical), dispersion)[0]
    out = np.empty((draws, 1), dtype=np.int64)
    one = np.ones(draws)
    general_paths(
        0.8 * one[:, None], np.zeros((draws, 1)), 0 * one, 4, typical * one, dispersion * one, size * one,
        np.empty(0, dtype=np.int64), one[:, None], seeds(np.random.default_rng(1), draws), 1e5, out,
    )  # fmt: skip
    assert out.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / draws))
    assert (out > 0).mean() == pytest.approx(1 - pmf[0], abs=0.015)


# -- beside the fast engine ----------------------------------------


@pytest.fixture(scope="module")
def counts():
    index = pd.date_range("2018-01-01", periods=600, freq="1D")
    drawn = Hawkes(observation="negbin").simulate([0.3, 0.5, 0.3, 0.5], n_bins=600, rng=3)
    series = pd.Series(drawn.astype(float), index=index)
    series.iloc[100:120] = np.nan
    return series


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_general_engine_equals_the_fast_one(counts, observation):
    nothing = pd.Series([0] * 5, index=pd.date_range("2017-12-27", periods=5, freq="1D"))
    model = Hawkes(observation=observation)
    fast = model.fit(counts, method="mle")
    slow = model.fit(counts, method="mle", history=nothing)
    assert slow.llf == pytest.approx(fast.llf, abs=1e-7)
    np.testing.assert_allclose(slow.params, fast.params, rtol=1e-4)
    np.testing.assert_allclose(slow.bse, fast.bse, rtol=1e-3)
    np.testing.assert_allclose(slow.conf_int(), fast.conf_int(), rtol=2e-3)
    assert slow.aic == pytest.approx(fast.aic)
    assert slow.engines[0].optimum.llf_without == pytest.approx(fast.engines[0].optimum.llf_without)
    one, two = (model.fit(counts, method="laplace", rng=1, **k) for k in ({}, {"history": nothing}))
    assert two.log_evidence == pytest.approx(one.log_evidence, abs=0.05)
    assert (abs(two.params - one.params) < 0.15 * one.bse).all()
    for mine, theirs in ((two.intensity(), one.intensity()), (two.triggered(), one.triggered())):
        np.testing.assert_allclose(mine.iloc[:, 0], theirs.iloc[:, 0], rtol=0.05, atol=0.01)
    rng = np.random.default_rng(1)
    assert two.simulate(30, 4_000, rng).mean() == pytest.approx(
        one.simulate(30, 4_000, rng).mean(), rel=0.05
    )


@pytest.mark.parametrize("method", ["mle", "laplace", "nuts"])
@pytest.mark.parametrize(
    "values", [[0] * 50, [0] * 25 + [1] + [0] * 24, [9] + [0] * 49], ids=["none", "one", "burst"]
)
@pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")
@pytest.mark.filterwarnings("ignore::tempo.errors.ConvergenceWarning")
def test_hardly_any_events(method, values):
    if method == "nuts" and sum(values) != 1:
        pytest.skip("one sampled case is enough")
    data = pd.Series(values, index=pd.date_range("2018-01-01", periods=50, freq="1D"))
    fit = Hawkes(kernel="histogram", lag_edges=(1, 2, 4, 8), observation="hurdle").fit(
        data, method=method, rng=1
    )
    assert np.isfinite(fit.params["baseline"])
    assert fit.simulate(10, 200, np.random.default_rng(1)).mean() < 2
    assert isinstance(fit.describe(), str)
    assert len(fit.check()) >= 4
    fit.summary()
    fit.intensity()
    if method != "mle" and sum(values) < 2:
        assert fit.params["branching_ratio"] == pytest.approx(0.33, abs=0.15)
