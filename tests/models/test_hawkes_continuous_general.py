"""The general model of times: likelihood against a slow definition, reading, simulation, recovery, refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tempo
from tempo.data.incidents import Incidents
from tempo.data.window import Window
from tempo.errors import DataError, OptionError
from tempo.models import hawkes_general as general
from tempo.models import hawkes_likelihood
from tempo.models.hawkes import Hawkes
from tempo.models.hawkes_continuous_ages import age_grid
from tempo.models.hawkes_continuous_data import timed_engine
from tempo.models.hawkes_continuous_fit import TimedHawkesFit

START = pd.Timestamp("2019-12-20")
KERNELS = {
    "exponential": {},
    "sum_exponential": {"components": 2},
    "three": {"kernel": "sum_exponential", "components": 3},
    "power": {"longest_lag_days": 40.0},
    "gamma": {"longest_lag_days": 40.0},
    "histogram": {"lag_edges": (0, 0.3, 1, 4, 11)},
}
SHAPES = {
    "exponential": [0.8],
    "sum_exponential": [6.0, 0.3, 0.4, 0.6],
    "three": [9.0, 2.0, 0.2, 0.3, 0.3, 0.4],
    "power": [1.3, 1.6],
    "gamma": [1.7, 2.5],
    "histogram": [0.2, 0.3, 0.3, 0.2],
}


def model(kernel, **options):
    return Hawkes(time="continuous", **{"kernel": kernel, **KERNELS[kernel], **options})


def incidents(days, n_days, *, start=START, gaps=(), **columns):
    stamps = start + pd.to_timedelta(np.asarray(days, dtype=float), unit="D")
    table = pd.DataFrame({"date_start": stamps.round("us"), "date_precision": "time", **columns})
    return Incidents(table, Window(start, start + pd.Timedelta(days=n_days), gaps=gaps))


def engine_of(plan, data, **beside):
    series = data if isinstance(data, list) else [data]
    given_ = {
        name: beside.get(name, [None] * len(series)) for name in ("covariates", "inputs", "history")
    }
    return timed_engine(plan, series, **given_)[0]


def density(layout, values, source=""):
    """The kernel from its definition, by natural parameters."""

    def of(name):
        return values[f"{name}[{source}]" if source else name]

    if layout.kind == 0:
        return lambda x: of("decay") * np.exp(-of("decay") * x)
    if layout.kind == 1:
        parts = range(1, layout.parts + 1)
        return lambda x: sum(
            of(f"share_{i}") * of(f"decay_{i}") * np.exp(-of(f"decay_{i}") * x) for i in parts
        )
    if layout.kind == 4:
        level = np.append(lag_masses(layout, values, source) / np.diff(layout.edges), 0.0)
        return lambda x: level[np.searchsorted(layout.edges, x, side="right") - 1]
    first, last = layout.nodes[0], layout.nodes[-1]
    law = law_of(layout, values, source)
    below = law.cdf(first) / first  # younger than the grid: the mean density there
    return lambda x: (
        np.where(x < first, below, np.where(x <= last, law.pdf(x), 0.0)) / law.cdf(last)
    )


def mass_until(layout, values, ages, source=""):
    """Integral of the kernel from 0 to each age."""
    ages = np.asarray(ages, dtype=float)
    if layout.kind <= 1:
        return np.array([1 - _left(layout, values, source, x) for x in ages])
    if layout.kind == 4:
        reached = np.concatenate([[0.0], np.cumsum(lag_masses(layout, values, source))])
        return np.interp(ages, layout.edges, reached)
    first, last = layout.nodes[0], layout.nodes[-1]
    law = law_of(layout, values, source)
    below = law.cdf(first) * ages / first
    return np.where(ages < first, below, law.cdf(np.minimum(ages, last))) / law.cdf(last)


def lag_masses(layout, values, source):
    ending = f"][{source}]" if source else " days]"
    names = [name for name in layout.names if name.startswith("lag[") and name.endswith(ending)]
    return np.array([values[name] for name in names])


def law_of(layout, values, source=""):
    def of(name):
        return values[f"{name}[{source}]" if source else name]

    if layout.kind == 2:
        return stats.lomax(of("exponent"), scale=of("scale_days"))
    return stats.gamma(of("shape"), scale=of("mean_days") / of("shape"))


def _left(layout, values, source, x):
    suffix = f"[{source}]" if source else ""
    if layout.kind == 0:
        return math.exp(-values[f"decay{suffix}"] * x)
    return sum(
        values[f"share_{i}{suffix}"] * math.exp(-values[f"decay_{i}{suffix}"] * x)
        for i in range(1, layout.parts + 1)
    )


def slow_parts(engine, theta, which=0):
    """Intensity of each attack of a series, and the integral of the intensity, from the definition: all pairs."""
    layout, part = engine.layout, engine.series[which]
    values = dict(zip(layout.names, layout.natural(theta[None])[0], strict=True))
    rate = values["baseline"] * np.exp(
        part.columns @ (np.array([values[c] for c in layout.columns]) * layout.scales)
        if layout.columns
        else np.zeros(len(part))
    )
    weights = np.ones(len(part.sources[0]))
    if layout.marked:
        known = np.concatenate([p.marks[np.isfinite(p.marks)] for p in engine.series])
        mean = np.exp(values["mark_exponent"] * known).mean()
        seen = np.isfinite(part.marks)
        weights[seen] = np.exp(values["mark_exponent"] * part.marks[seen]) / mean
    intensity = rate[part.times.astype(int)]
    integral = rate.sum()
    for j, times in enumerate(part.sources):
        source = layout.inputs[j - 1] if j else ""
        amount = values[f"response[{source}]"] if j else values["branching_ratio"]
        own = source if layout.own_shapes else ""
        h = density(layout, values, own)
        w = np.ones(len(times)) if j else weights
        for e, at in enumerate(part.times):
            ages = at - times - layout.delay_days
            intensity[e] += (
                amount * (w * np.where(ages > 0, h(np.maximum(ages, 1e-300)), 0.0)).sum()
            )
        begin = np.maximum(-times - layout.delay_days, 0.0)
        end = np.maximum(len(part) - times - layout.delay_days, 0.0)
        integral += (
            amount
            * (
                w * (mass_until(layout, values, end, own) - mass_until(layout, values, begin, own))
            ).sum()
        )
    return intensity, integral


def rich(kernel, seed, *, series=1, own=False, delay=0.0):
    """An engine with everything at once: history, marks, input, a baseline that moves."""
    rng = np.random.default_rng(seed)
    plan = model(
        kernel,
        baseline="1 + trend + weekday",
        mark="killed",
        delay_days=delay,
        input_kernel="own" if own else "shared",
    )
    data, history, inputs = [], [], []
    for _ in range(series):
        n = int(rng.integers(15, 35))
        killed = rng.integers(0, 3, n).astype(float)
        killed[rng.random(n) < 0.2] = np.nan
        data.append(incidents(np.sort(rng.uniform(0, 30, n)), 30, killed=killed))
        history.append(
            incidents(rng.uniform(0, 20, 8), 20, start=START - pd.Timedelta("20D"), killed=1.0)
        )
        inputs.append(
            {"strikes": incidents(rng.uniform(0, 50, 9), 50, start=START - pd.Timedelta("20D"))}
        )
    engine = engine_of(plan, data, history=history, inputs=inputs)
    layout = engine.layout
    natural = [0.5, *rng.normal(0, 0.3, len(layout.columns)), 0.6, 0.4]
    natural += SHAPES[kernel] * (2 if own else 1)
    theta = layout.unbounded(np.array([*natural, 0.7])) + rng.normal(0, 0.1, layout.size)
    return engine, theta


@given(
    kernel=st.sampled_from(sorted(KERNELS)),
    seed=st.integers(0, 10_000),
    own=st.booleans(),
    delay=st.sampled_from([0.0, 0.4]),
)
@settings(max_examples=25, deadline=None)
def test_likelihood_is_that_of_all_pairs(kernel, seed, own, delay):
    engine, theta = rich(kernel, seed, series=2, own=own, delay=delay)
    expected = 0.0
    for which in range(2):
        intensity, integral = slow_parts(engine, theta, which)
        expected += np.log(intensity).sum() - integral
    found = engine.total_log_likelihood(theta[None])[0]
    assert found == pytest.approx(expected, abs=2e-4 if engine.layout.smooth else 1e-8)


@given(kernel=st.sampled_from(sorted(KERNELS)), seed=st.integers(0, 10_000), own=st.booleans())
@settings(max_examples=20, deadline=None)
def test_gradient_is_the_slope(kernel, seed, own):
    engine, theta = rich(kernel, seed, own=own, delay=0.3)
    gradient, other = np.zeros((2, len(theta)))
    for which in (0, 1):
        general.density(engine.block, which, theta, gradient)
        numeric = np.empty(len(theta))
        for i, step in enumerate(1e-5 * np.eye(len(theta))):
            up = general.density(engine.block, which, theta + step, other)
            numeric[i] = (up - general.density(engine.block, which, theta - step, other)) / 2e-5
        np.testing.assert_allclose(gradient, numeric, atol=1e-5)


def test_exponential_is_the_fast_engine():
    rng = np.random.default_rng(3)
    times, past = np.sort(rng.uniform(0, 90, 70)), np.sort(rng.uniform(-30, 0, 20))
    engine = engine_of(
        model("exponential"),
        incidents(times, 90),
        history=[incidents(past + 30, 30, start=START - pd.Timedelta("30D"))],
    )
    at = np.array([0.4, 0.5, 0.7])
    part = engine.series[0]
    value, slope = hawkes_likelihood.exponential(
        part.times, 90.0, *at, history=part.sources[0][:20]
    )
    gradient = np.zeros(3)
    assert general.density(engine.block, 0, np.log(at), gradient) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gradient, slope * at, rtol=1e-10)


def test_reference_sum_of_three_exponentials_through_incidents(shared_data):
    times = np.loadtxt(shared_data / "reference" / "hawkespylib_timestamp_fixture.csv")
    engine = engine_of(model("three"), incidents(times, 50))
    natural = np.array([0.5, 0.7, 1000.0, 2.0, 1.0, 1 / 3, 1 / 3, 1 / 3])
    found = engine.total_log_likelihood(engine.layout.unbounded(natural)[None])[0]
    assert found == pytest.approx(
        88.28221435348695, abs=1e-5
    )  # stamps are rounded to the microsecond


@given(
    shape=st.floats(0.4, 5.0),
    mean=st.floats(0.05, 60.0),
    scale=st.floats(0.01, 30.0),
    exponent=st.floats(0.3, 8.0),
    ages=st.lists(st.floats(1e-3, 300.0), min_size=5, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_kernels_on_the_grid_are_as_close_as_is_said(shape, mean, scale, exponent, ages):
    for kernel, values in (("gamma", [shape, mean]), ("power", [scale, exponent])):
        plan = model(kernel, longest_lag_days=365.0)
        layout = engine_of(plan, incidents([1.0, 1.01], 5)).layout
        assert layout.nodes[0] == pytest.approx(0.005)
        theta = layout.unbounded(np.array([0.1, 0.5, *values]))[None]
        h = density(layout, dict(zip(layout.names, [0.1, 0.5, *values], strict=True)))
        peak = h(layout.nodes).max()
        np.testing.assert_allclose(
            layout.density(theta, np.array(ages))[0], h(np.array(ages)), atol=1e-6 * peak
        )
        assert layout.reached(theta, np.array([365.0]))[0, 0] == pytest.approx(1.0, abs=1e-12)
        expected = mass_until(
            layout, dict(zip(layout.names, [0.1, 0.5, *values], strict=True)), ages
        )
        np.testing.assert_allclose(layout.reached(theta, np.array(ages))[0], expected, atol=3e-5)


@pytest.mark.parametrize("kernel", ["power", "gamma"])
@pytest.mark.parametrize("minutes", [0.1, 1.0, 5.0, 60.0])
def test_kernels_far_shorter_than_every_gap_keep_their_mass(kernel, minutes):
    """Hours between attacks, a memory of minutes: judged by the closed form of the kernel, without a grid."""
    rng = np.random.default_rng(11)
    data = incidents(np.cumsum(rng.uniform(0.06, 0.5, 150)), 50)
    engine = engine_of(model(kernel), data)
    shape = [minutes / 1440, 1.4] if kernel == "power" else [0.7, minutes / 1440]
    values = dict(zip(engine.layout.names, [0.5, 0.6, *shape], strict=True))
    theta = engine.layout.unbounded(np.array([0.5, 0.6, *shape]))
    law, last = law_of(engine.layout, values), engine.layout.nodes[-1]
    times = engine.series[0].times
    ages = times[:, None] - times
    excited = np.where((ages > 0) & (ages <= last), law.pdf(np.maximum(ages, 1e-9)), 0.0)
    intensity = 0.5 + 0.6 * excited.sum(axis=1) / law.cdf(last)
    inside = law.cdf(np.minimum(50 - times, last)) / law.cdf(last)
    expected = np.log(intensity).sum() - 0.5 * 50 - 0.6 * inside.sum()
    assert engine.total_log_likelihood(theta[None])[0] == pytest.approx(expected, abs=1e-4)


def test_grid_has_nodes_enough():
    nodes = age_grid(1e-4, 365.0)
    assert (nodes[0], nodes[-1]) == pytest.approx((1e-4, 365.0))
    assert np.diff(np.log10(nodes)).max() <= 1 / 32


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_window_cut_in_two_with_its_history_says_the_same(kernel):
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(0, 60, 60))
    first, second = times[times < 25], times[times >= 25] - 25
    later = incidents(second, 35, start=START + pd.Timedelta("25D"))
    plan = model(kernel)
    whole = engine_of(plan, incidents(times, 60))
    cut = engine_of(plan, [incidents(first, 25), later], history=[None, incidents(first, 25)])
    natural = np.array([0.5, 0.6, *SHAPES[kernel]])
    theta = whole.layout.unbounded(natural)[None]
    # The grids of ages of power and gamma begin at half the smallest gap, which is the same in both unless it was cut.
    assert cut.total_log_likelihood(theta)[0] == pytest.approx(
        whole.total_log_likelihood(theta)[0], rel=1e-6 if whole.layout.smooth else 1e-11
    )


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_reading_adds_up(kernel, delay):
    engine, theta = rich(kernel, 11, series=2, delay=delay)
    thetas = np.stack([theta, theta + 0.05])
    daily = engine.log_likelihood(thetas)
    orders = sum(
        math.lgamma(count + 1) for part in engine.series for count in part.counts.to_numpy()
    )
    np.testing.assert_allclose(
        daily.sum(axis=1) + orders, engine.total_log_likelihood(thetas), rtol=1e-9
    )
    for which in range(2):
        seen = engine.shown_as(which)
        intensity, _ = slow_parts(engine, theta, which)
        assert np.sum(seen.event_parts(thetas), axis=0)[0] == pytest.approx(intensity, rel=1e-4)
        assert np.sum(seen.parts_of_mean(thetas)) / 2 == pytest.approx(
            np.mean([slow_parts(engine, row, which)[1] for row in thetas]), rel=1e-4
        )
        gaps = seen.gaps(thetas)[0]
        assert gaps.sum() == pytest.approx(integral_until_last(engine, theta, which), rel=1e-4)
        assert (gaps > 0).all()
        assert len(gaps) == len(seen.one.times)


def integral_until_last(engine, theta, which):
    """Integral of the intensity up to the last attack of a series, from the definition."""
    part = engine.series[which]
    layout = engine.layout
    values = dict(zip(layout.names, layout.natural(theta[None])[0], strict=True))
    end = part.times[-1]
    rate = np.exp(theta[0] + part.columns @ theta[1 : 1 + len(layout.columns)])
    total = rate[: int(end)].sum() + rate[int(end)] * (end - int(end))
    weights = engine.weights(theta[None])[0][engine.codes(part, 0)]
    for j, times in enumerate(part.sources):
        amount = values["response[strikes]"] if j else values["branching_ratio"]
        w = np.ones(len(times)) if j else weights
        begin = np.maximum(-times - layout.delay_days, 0.0)
        stop = np.maximum(end - times - layout.delay_days, 0.0)
        total += (
            amount
            * (w * (mass_until(layout, values, stop) - mass_until(layout, values, begin))).sum()
        )
    return total


def thinned(h, baseline, branching, horizon, past, bound, rng):
    """Attacks by thinning, as Ogata does it, with a bound on the kernel that holds everywhere."""
    times = list(past)
    t = 0.0
    while True:
        top = baseline + branching * len(times) * bound
        t += rng.exponential(1 / top)
        if t >= horizon:
            return len(times) - len(past)
        rate = baseline + branching * h(t - np.array(times)).sum() if times else baseline
        if rng.random() * top < rate:
            times.append(t)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_clusters_are_distributed_as_thinning(kernel):
    past = np.array([17.0, 19.2, 19.9])
    engine = engine_of(model(kernel), incidents(past, 20))
    natural = np.array([0.3, 0.6, *SHAPES[kernel]])
    layout = engine.layout
    theta = layout.unbounded(natural)[None]
    values = dict(zip(layout.names, natural, strict=True))
    h = density(layout, values)
    bound = float(h(np.concatenate([layout.nodes[:-1], np.geomspace(1e-9, 30, 500)])).max()) * 1.001
    rng = np.random.default_rng(17)
    slow = np.array([thinned(h, 0.3, 0.6, 4.0, past - 20, bound, rng) for _ in range(600)])
    fast = engine.simulate(np.repeat(theta, 20_000, axis=0), 4, rng, 100_000).sum(axis=1)
    error = slow.std() / math.sqrt(600)
    assert abs(slow.mean() - fast.mean()) < 4 * error
    assert slow.std() == pytest.approx(fast.std(), rel=0.2)
    p = stats.chi2_contingency(
        [np.bincount(np.minimum(x, 6), minlength=7) + 1 for x in (slow, fast)]
    ).pvalue
    assert p > 1e-3


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_simulated_times_rescale_to_a_unit_poisson_process(kernel):
    natural = [0.3, 0.5, *SHAPES[kernel]]
    plan = model(kernel)
    times = plan.simulate_times(natural, n_days=900, rng=29, start=START)
    data = Incidents(
        pd.DataFrame({"date_start": times, "date_precision": "time"}),
        (START, START + pd.Timedelta("900D")),
    )
    engine = engine_of(plan, data)
    gaps = engine.gaps(engine.layout.unbounded(np.array(natural))[None])[0]
    assert stats.kstest(gaps, "expon").pvalue > 0.01
    assert 0.3 * 900 * 1.4 < len(times) < 0.3 * 900 * 2.7


def test_first_day_ahead_is_its_mean():
    """The mean of a first short day ahead has a closed form, but for offspring of that same day."""
    engine, theta = rich("gamma", 2)
    fit_like = engine.with_future(
        general_future(
            engine, inputs={"strikes": pd.Series([2.0], index=[START + pd.Timedelta("30D")])}
        )
    )
    part, layout = engine.one, engine.layout
    values = dict(zip(layout.names, layout.natural(theta[None])[0], strict=True))
    index = pd.DatetimeIndex([START + pd.Timedelta("30D")])
    column = engine.terms.columns_at(index, None)[0]
    background = math.exp(theta[0] + column @ theta[1 : 1 + len(column)])
    weights = engine.weights(theta[None])[0][engine.codes(part, 0)]
    first = 0.0
    for j, (times, extra) in enumerate(((part.sources[0], []), (part.sources[1], [30.25, 30.75]))):
        amount = values["response[strikes]"] if j else values["branching_ratio"]
        w = np.concatenate([weights if j == 0 else np.ones(len(times)), np.ones(len(extra))])
        at = np.concatenate([times, extra])
        reached = mass_until(layout, values, np.maximum(31 - at, 0)) - mass_until(
            layout, values, np.maximum(30 - at, 0)
        )
        first += amount * (w * reached).sum()
    drawn = fit_like.simulate(
        np.repeat(theta[None], 40_000, axis=0), 1, np.random.default_rng(1), 1e5
    )
    # Offspring within the day add at most branching times the mass of the kernel below one day.
    low = background + first
    high = low * (1 + values["branching_ratio"] * mass_until(layout, values, [1.0])[0])
    assert 0.98 * low < drawn.mean() < 1.02 * high


def general_future(engine, **known):
    from tempo.models.hawkes_general_engine import Future

    return Future(known.get("covariates"), known.get("inputs", {}))


@pytest.fixture(scope="module")
def bursts():
    """Forty days of attacks that mostly follow one another within hours."""
    times = model("gamma").simulate_times([0.4, 0.6, 2.0, 0.5], n_days=300, rng=8, start=START)
    table = pd.DataFrame({"date_start": times, "date_precision": "time"})
    return Incidents(table, (START, START + pd.Timedelta("300D")))


def test_fit_reads_like_the_others(bursts):
    fit = Hawkes(kernel="gamma", baseline="1 + bs(trend, df=4)").fit(bursts, method="mle", rng=1)
    assert isinstance(fit, TimedHawkesFit)
    assert fit.time == "continuous"
    assert "no two coincide" in fit.time_reason
    assert fit.params["branching_ratio"] == pytest.approx(0.6, abs=0.2)
    assert (fit.bse > 0).all()
    interval = fit.conf_int(0.9)
    assert ((interval["low"] < fit.params) & (fit.params < interval["high"])).all()
    assert fit.aic == pytest.approx(2 * len(fit.params) - 2 * fit.llf)
    assert fit.check()["passed"].all()
    summary = fit.summary()
    low, high = fit.engines[0].layout.quantiles(fit.engines[0].optimum.theta[None], [0.5, 0.9])[0]
    assert summary.loc["half_life_days", "low"] < low < summary.loc["half_life_days", "high"]
    assert summary.loc["nine_tenths_days", "low"] < high < summary.loc["nine_tenths_days", "high"]
    assert "Resilience" in fit.describe()
    assert fit.kernel(30)["weight"].sum() == pytest.approx(1, abs=1e-3)
    assert fit.intensity()["intensity"].sum() == pytest.approx(len(bursts), rel=0.15)
    assert fit.intensity()["baseline"].std() > 0
    shares = fit.sources()["share"]
    assert shares.sum() == pytest.approx(1)
    table = fit.triggered()
    np.testing.assert_allclose(table["baseline"] + table["triggered"], table["count"], atol=1e-9)
    assert table.attrs["share"] == pytest.approx(shares["earlier attacks"])
    assert (fit.llf, fit.params.tolist()) == (
        (
            again := Hawkes(kernel="gamma", baseline="1 + bs(trend, df=4)").fit(
                bursts, method="mle"
            )
        ).llf,
        again.params.tolist(),
    )


def test_each_attack_has_its_most_probable_parent(bursts):
    fit = Hawkes(kernel="gamma", time="continuous").fit(bursts, method="mle", rng=1)
    table = fit.attacks()
    assert len(table) == len(bursts)
    np.testing.assert_allclose(table["baseline"] + table["triggered"], 1)
    assert (table["parent_probability"] <= table["triggered"] + 0.1).all()
    engine, theta = fit.engines[0], fit.engines[0].optimum.theta
    values = dict(zip(engine.layout.names, fit.params, strict=True))
    h = density(engine.layout, values)
    whole, _ = slow_parts(engine, theta)
    times = engine.one.times
    for e in (5, 40, 100):
        each = values["branching_ratio"] * h(times[e] - times[:e]) / whole[e]
        assert table["parent_probability"].iloc[e] == pytest.approx(each.max(), rel=1e-4)
        parent = START + pd.to_timedelta(times[each.argmax()], unit="D")
        assert abs(table["parent"].iloc[e] - parent) < pd.Timedelta("2ms")
    assert table["parent"].iloc[:1].isna().all()


def test_laplace_and_nuts_agree_and_forecast(bursts):
    plan = Hawkes(kernel="power", time="continuous", longest_lag_days=60.0)
    laplace = plan.fit(bursts, method="laplace", rng=1)
    nuts = plan.fit(bursts, method="nuts", rng=2, draws=500)
    assert laplace.method == "laplace"
    for name in laplace.params.index:
        spread = laplace.bse[name]
        assert laplace.params[name] == pytest.approx(nuts.params[name], abs=0.25 * spread), name
    assert nuts.posterior["log_likelihood"]["counts"].shape == (4, 500, 300)
    one = tempo.forecast(laplace, horizon="14D", rng=5)
    two = tempo.forecast(nuts, horizon="14D", rng=5)
    assert float(one.counts.mean()) == pytest.approx(float(two.counts.mean()), rel=0.08)
    days = laplace.simulate_times(14, rng=3)
    assert ((days >= laplace.counts.end) & (days < laplace.counts.end + pd.Timedelta("14D"))).all()


def test_all_models_of_the_same_days_are_compared_on_one_scale(bursts):
    """Per day, the likelihood of times is that of the count and of where in the day attacks fall."""
    flat = Hawkes(kernel="gamma", time="continuous").fit(bursts, method="laplace", rng=1)
    fast = Hawkes(time="continuous").fit(bursts, method="laplace", rng=1)
    engine = flat.engines[0]
    theta = engine.layout.unbounded(np.array([0.7, 1e-12, 2.0, 1.0]))[None]
    y = engine.counts.to_numpy()
    np.testing.assert_allclose(
        engine.log_likelihood(theta)[0], stats.poisson.logpmf(y, 0.7), atol=1e-6
    )
    rows = fast.engines[0].log_likelihood(np.array([[0.7, 1e-12, 1.0, 0.0]]))
    np.testing.assert_allclose(rows[0], stats.poisson.logpmf(y, 0.7), atol=1e-6)


def test_marks_inputs_history_and_series_reach_the_fit():
    rng = np.random.default_rng(4)
    data, history, inputs = [], [], []
    for _ in range(2):
        strikes = np.sort(rng.uniform(0, 200, 40))
        followed = strikes[(rng.random(40) < 0.8) & (strikes < 195)]
        after = followed + rng.exponential(0.3, len(followed))
        times = np.unique(np.concatenate([rng.uniform(0, 200, 40), after]))
        data.append(incidents(times, 200, killed=rng.integers(0, 3, len(times)).astype(float)))
        inputs.append({"strikes": incidents(strikes, 200)})
        history.append(incidents([5.0], 10, start=START - pd.Timedelta("10D"), killed=0.0))
    plan = Hawkes(
        kernel="histogram",
        lag_edges=(0, 0.5, 2, 7),
        time="continuous",
        mark="killed",
        baseline="weekly",
    )
    fit = plan.fit(data, method="mle", inputs=inputs, history=history, rng=1)
    assert {"response[strikes]", "mark_exponent", "weekday[T.Tue]", "lag[0-0.5 days]"} <= set(
        fit.params.index
    )
    assert fit.params["response[strikes]"] > 0.2
    other = fit.of(1)
    assert other.counts.events == len(data[1])
    assert len(other.attacks()) == len(data[1])
    assert fit.sources().loc["inputs", "share"] > 0.05
    with pytest.raises(OptionError, match="with_future"):
        fit.simulate(5, 10, np.random.default_rng(1))
    quiet = fit.with_future().simulate(5, 4_000, np.random.default_rng(1)).mean()
    ahead = pd.Series(6, index=pd.date_range(fit.counts.end, periods=5))
    busy = fit.with_future(inputs={"strikes": ahead}).simulate(5, 4_000, np.random.default_rng(1))
    assert busy.mean() > quiet + 2 * fit.params["response[strikes]"]
    assert len(fit.provenance.notes) >= 5


@pytest.mark.slow
def test_few_events_are_answered():
    for times in ([], [3.2], [3.2, 3.3, 9.9]):
        for kernel in ("exponential", "power", "histogram"):
            with pytest.warns(tempo.errors.FewEventsWarning):
                fit = model(kernel).fit(incidents(times, 40), method="laplace", rng=1, draws=100)
            assert np.isfinite(fit.params).all()
            assert fit.simulate(5, 50, np.random.default_rng(1)).shape == (50, 5)
            assert kernel == "exponential" or len(fit.attacks()) == len(times)
            assert fit.describe()
            assert len(fit.check()) >= 4
            with pytest.warns(tempo.errors.FewEventsWarning):
                assert np.isfinite(model(kernel).fit(incidents(times, 40), method="mle").llf)


def test_what_cannot_be_done_is_refused_with_its_remedy():
    data = incidents([1.0, 2.5, 7.0], 20)
    with pytest.raises(OptionError, match=r"negbin.*time='daily'"):
        Hawkes(kernel="power", observation="negbin", time="continuous")
    tied = incidents([1.0, 1.0, 7.0], 20)
    with pytest.raises(OptionError, match="2 incidents share their time"):
        model("power").fit(tied)
    gap = incidents(
        [1.0, 2.5], 20, gaps=[(START + pd.Timedelta("9D"), START + pd.Timedelta("12D"))]
    )
    with pytest.raises(OptionError, match="as several series"):
        model("power").fit(gap)
    with pytest.raises(OptionError, match="the history is given as counts"):
        model("power").fit(data, history=pd.Series([1], index=[START - pd.Timedelta("1D")]))
    dated = Incidents(pd.DataFrame({"date_start": [START]}), data.window)
    with pytest.raises(
        OptionError, match="1 of 1 events of the input 'strikes' have no time of day"
    ):
        model("power").fit(data, inputs={"strikes": dated})
    with pytest.raises(DataError, match="must cover the data"):
        model("power").fit(data, inputs={"strikes": incidents([1.0], 10)})
    early = incidents([1.0], 5, start=START - pd.Timedelta("9D"))
    with pytest.raises(DataError, match="must reach the first day"):
        model("power").fit(data, history=early)
    with pytest.raises(OptionError, match="no column 'size'"):
        model("power", mark="size").fit(data)
    many = incidents(np.linspace(0, 999, 150_000), 1_000)
    with pytest.raises(OptionError, match="would keep"):
        Hawkes(kernel="gamma", time="continuous").fit(many)
    for edges in ((0, 1, 2), (0.5, 1)):
        with pytest.raises(OptionError, match="lag_edges"):
            Hawkes(kernel="histogram", lag_edges=edges)
    with pytest.raises(OptionError, match="continuous time only"):
        Hawkes().simulate_times([0.1, 0.5, 1.0], n_days=5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel", ["exponential", "sum_exponential", "power", "gamma", "histogram"]
)
def test_truth_is_recovered(kernel):
    natural = np.array([0.4, 0.6, *SHAPES[kernel]])
    plan = model(kernel, baseline="1 + wave")
    index = pd.date_range(START, periods=1_500)
    wave = pd.DataFrame({"wave": np.sin(np.arange(1_500) / 40.0)}, index=index)
    natural = np.insert(natural, 1, 0.5)
    times = plan.simulate_times(natural, n_days=1_500, rng=31, start=START, covariates=wave)
    data = Incidents(
        pd.DataFrame({"date_start": times, "date_precision": "time"}),
        (START, START + pd.Timedelta("1500D")),
    )
    fit = plan.fit(data, method="mle", covariates=wave, rng=1)
    assert fit.check()["passed"].all()
    assert fit.params.iloc[:3].to_numpy() == pytest.approx(natural[:3], rel=0.25)
    # Kernel parameters of a heavy tail lie on a bent ridge: the likelihood says how far the truth is.
    truth = fit.engines[0].layout.unbounded(natural)[None]
    fallen = 2 * (fit.llf - fit.engines[0].total_log_likelihood(truth)[0])
    assert fallen < stats.chi2.ppf(0.999, len(truth[0]))
