"""Fast likelihoods against slow ones, and what must hold whatever the implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.registry import cpu_target

from tempo.errors import DataError, OptionError
from tempo.models import hawkes_likelihood
from tempo.models.hawkes_kernels_fast import negative_exp


def slow(times, end, baseline, branching, decay, history=()):
    """Sum of exponentials, term by term: O(n²), with the gradient by the definition."""
    times = np.asarray(times, dtype=float)
    everything = np.concatenate([np.asarray(history, dtype=float), times])
    branching, decay = np.atleast_1d(branching).astype(float), np.atleast_1d(decay).astype(float)
    m = decay.size
    value = -baseline * end
    gradient = np.zeros(1 + 2 * m)
    gradient[0] = -end
    for i, t in enumerate(times):
        lag = t - everything[: len(everything) - len(times) + i]
        e = np.exp(-np.outer(decay, lag))
        R = e.sum(axis=1)
        Q = (lag * e).sum(axis=1)
        intensity = baseline + (branching * decay * R).sum()
        value += math.log(intensity)
        gradient[0] += 1 / intensity
        gradient[1 : 1 + m] += decay * R / intensity
        gradient[1 + m :] += branching * (R - decay * Q) / intensity
    for t in everything:
        opened, closed = max(0.0, -t), end - t
        used = np.exp(-decay * opened) * -np.expm1(-decay * (closed - opened))
        value -= (branching * used).sum()
        gradient[1 : 1 + m] -= used
        gradient[1 + m :] -= branching * (
            closed * np.exp(-decay * closed) - opened * np.exp(-decay * opened)
        )
    return value, gradient


def slow_multivariate(streams, end, baseline, branching, decay):
    k = len(streams)
    decay = np.broadcast_to(np.asarray(decay, dtype=float), (k, k))
    value = 0.0
    g_mu, g_n, g_b = np.zeros(k), np.zeros((k, k)), np.zeros((k, k))
    for row in range(k):
        value -= baseline[row] * end
        g_mu[row] -= end
        for t in streams[row]:
            lags = [t - np.array([s for s in streams[j] if s < t]) for j in range(k)]
            R = np.array([np.exp(-decay[row, j] * lags[j]).sum() for j in range(k)])
            Q = np.array([(lags[j] * np.exp(-decay[row, j] * lags[j])).sum() for j in range(k)])
            intensity = baseline[row] + (branching[row] * decay[row] * R).sum()
            value += math.log(intensity)
            g_mu[row] += 1 / intensity
            g_n[row] += decay[row] * R / intensity
            g_b[row] += branching[row] * (R - decay[row] * Q) / intensity
        for j in range(k):
            left = end - np.asarray(streams[j], dtype=float)
            value -= branching[row, j] * -np.expm1(-decay[row, j] * left).sum()
            g_n[row, j] += np.expm1(-decay[row, j] * left).sum()
            g_b[row, j] -= branching[row, j] * (left * np.exp(-decay[row, j] * left)).sum()
    return value, g_mu, g_n, g_b


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


@st.composite
def problems(draw, most: int = 40):
    n = draw(st.integers(0, most))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    spread = draw(log_uniform(0.3, 8.0))
    times = np.cumsum(rng.exponential(1.0, n) ** spread) + 1e-9
    times = times[np.concatenate([[True], np.diff(times) > 0])] if n else times
    end = (times[-1] if times.size else 1.0) * draw(st.floats(1.0, 2.0))
    history = -np.sort(rng.exponential(2.0, draw(st.integers(0, 5))))[::-1]
    return times, end, history


def close(fast, reference, scale=1.0):
    np.testing.assert_allclose(fast[0], reference[0], rtol=1e-10, atol=1e-10 * scale)
    size = np.abs(reference[1]).max() + 1.0
    np.testing.assert_allclose(fast[1], reference[1], rtol=1e-9, atol=1e-10 * size * scale)


@given(
    problems(), log_uniform(1e-3, 1e2), st.floats(0.0, 3.0), log_uniform(1e-3, 1e3), st.booleans()
)
@settings(max_examples=150, deadline=None)
def test_the_fast_likelihood_equals_the_slow_one(problem, baseline, branching, decay, with_history):
    times, end, history = problem
    past = history if with_history else np.empty(0)
    fast = hawkes_likelihood.exponential(times, end, baseline, branching, decay, history=past)
    close(fast, slow(times, end, baseline, branching, decay, past), scale=1 + times.size)


@given(problems(), log_uniform(1e-300, 1e200), log_uniform(1e-12, 1e6), log_uniform(1e-15, 1e15))
@settings(max_examples=150, deadline=None)
def test_extreme_parameters_stay_correct(problem, baseline, branching, decay):
    times, end, history = problem
    fast = hawkes_likelihood.exponential(times, end, baseline, branching, decay, history=history)
    reference = slow(times, end, baseline, branching, decay, history)
    assert math.isfinite(fast[0])
    np.testing.assert_allclose(fast[0], reference[0], rtol=1e-9, atol=1e-7)
    scales = np.abs(reference[1]) + np.abs(
        [times.size / baseline + end, times.size / branching, times.size / decay]
    )
    assert (np.abs(fast[1] - reference[1]) <= 1e-8 * scales).all()


@pytest.mark.parametrize("n", [1, 63, 511, 512, 513, 1024, 3000])
@pytest.mark.parametrize("decay", [0.01, 1.0, 300.0])
def test_chunks_join_without_a_seam(n, decay):
    times = np.cumsum(np.random.default_rng(n).exponential(1.0, n))
    arguments = (times, times[-1] + 0.7, 0.3, 0.8, decay)
    close(hawkes_likelihood.exponential(*arguments), slow(*arguments), scale=n)
    three = hawkes_likelihood.sum_exponential(
        times, times[-1] + 0.7, 0.3, [0.2, 0.5, 0.1], [decay, 2.0 * decay, 0.1]
    )
    close(three, slow(times, times[-1] + 0.7, 0.3, [0.2, 0.5, 0.1], [decay, 2.0 * decay, 0.1]), n)


@given(
    problems(), st.lists(st.tuples(st.floats(0, 1), log_uniform(1e-5, 1e5)), min_size=1, max_size=4)
)
@settings(max_examples=80, deadline=None)
def test_sum_of_exponentials_equals_the_slow_one(problem, components):
    times, end, history = problem
    n, b = (np.array(column) for column in zip(*components, strict=True))
    fast = hawkes_likelihood.sum_exponential(times, end, 0.4, n, b, history=history)
    reference = slow(times, end, 0.4, n, b, history)
    np.testing.assert_allclose(fast[0], reference[0], rtol=1e-10, atol=1e-9)
    m = n.size
    scales = np.abs(reference[1]) + np.concatenate(
        [[times.size + end], np.full(m, times.size + 1.0), (times.size + 1.0) / b]
    )
    assert (np.abs(fast[1] - reference[1]) <= 1e-9 * scales).all()


@given(st.integers(1, 4), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_streams_equal_the_slow_likelihood(k, seed, shared, tied):
    rng = np.random.default_rng(seed)
    end = 12.0
    # On a coarse grid events of different streams coincide often; they must not excite each other.
    streams = [
        np.unique(np.ceil(rng.uniform(0, end, rng.integers(0, 15)) * 4) / 4)
        if tied
        else np.sort(rng.uniform(0, end, rng.integers(0, 15)))
        for _ in range(k)
    ]
    mu, n = rng.uniform(0.1, 2, k), rng.uniform(0, 1, (k, k))
    b = rng.uniform(0.1, 5) if shared else rng.uniform(0.1, 5, (k, k))
    value, gradient = hawkes_likelihood.multivariate_exponential(streams, end, mu, n, b)
    reference, g_mu, g_n, g_b = slow_multivariate(streams, end, mu, n, b)
    np.testing.assert_allclose(value, reference, rtol=1e-10, atol=1e-10)
    last = [g_b.sum()] if shared else g_b.ravel()
    np.testing.assert_allclose(
        gradient, np.concatenate([g_mu, g_n.ravel(), last]), rtol=1e-9, atol=1e-9
    )


@given(problems(), log_uniform(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_rescaling_time_changes_the_likelihood_by_the_jacobian_alone(problem, factor):
    times, end, history = problem
    value, gradient = hawkes_likelihood.exponential(times, end, 0.7, 0.6, 2.0, history=history)
    scaled, scaled_gradient = hawkes_likelihood.exponential(
        times * factor, end * factor, 0.7 / factor, 0.6, 2.0 / factor, history=history * factor
    )
    n = times.size
    assert scaled == pytest.approx(value - n * math.log(factor), rel=1e-9, abs=1e-8)
    np.testing.assert_allclose(
        scaled_gradient / [factor, 1, factor], gradient, rtol=1e-7, atol=1e-7 * (n + end)
    )


@given(problems(), log_uniform(1e-2, 1e2), log_uniform(1e-2, 1e2))
@settings(max_examples=40, deadline=None)
def test_no_branching_is_a_poisson_process(problem, baseline, decay):
    times, end, history = problem
    value, gradient = hawkes_likelihood.exponential(
        times, end, baseline, 0.0, decay, history=history
    )
    n = times.size
    assert value == pytest.approx(n * math.log(baseline) - baseline * end, rel=1e-12, abs=1e-10)
    assert gradient[0] == pytest.approx(n / baseline - end, rel=1e-9, abs=1e-9 * (n + end))
    assert gradient[2] == 0.0


def test_one_stream_is_the_univariate_process():
    times = np.cumsum(np.random.default_rng(3).exponential(1.0, 200))
    one = hawkes_likelihood.exponential(times, 250.0, 0.4, 0.5, 1.5)
    many = hawkes_likelihood.multivariate_exponential([times], 250.0, [0.4], [[0.5]], 1.5)
    assert many[0] == pytest.approx(one[0], rel=1e-13)
    np.testing.assert_allclose(many[1], one[1], rtol=1e-11)


def test_the_gradient_is_the_slope():
    times = np.cumsum(np.random.default_rng(5).exponential(1.0, 900))
    at = np.array([0.4, 0.5, 1.5])
    _, gradient = hawkes_likelihood.exponential(times, 950.0, *at, history=[-0.5, 0.0])
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5
        up, _ = hawkes_likelihood.exponential(times, 950.0, *(at + step), history=[-0.5, 0.0])
        down, _ = hawkes_likelihood.exponential(times, 950.0, *(at - step), history=[-0.5, 0.0])
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-4)


def test_history_equals_a_longer_window_less_its_beginning():
    times = np.cumsum(np.random.default_rng(8).exponential(1.0, 700))
    cut, end = 300.0, times[-1] + 1.0
    before, after = times[times <= cut], times[times > cut]
    whole, whole_gradient = hawkes_likelihood.exponential(times, end, 0.4, 0.5, 1.5)
    first, first_gradient = hawkes_likelihood.exponential(before, cut, 0.4, 0.5, 1.5)
    second, second_gradient = hawkes_likelihood.exponential(
        after - cut, end - cut, 0.4, 0.5, 1.5, history=before - cut
    )
    assert first + second == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(first_gradient + second_gradient, whole_gradient, rtol=1e-9)


@njit
def _exp_many(x, out):
    for i in range(x.size):
        out[i] = negative_exp(x[i])


def test_the_polynomial_exponential_is_right_to_one_unit_in_the_last_place():
    """To 1.5 where the processor for which it was compiled has no fused multiply-add."""
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            np.linspace(0, 707.9, 200_001),
            rng.uniform(0, 2, 200_000),
            10.0 ** rng.uniform(-300, 2.8, 100_000),
            [0.0, 5e-324],
        ]
    )
    out = np.empty_like(x)
    _exp_many(x, out)
    exact = np.exp(-x.astype(np.longdouble))
    error = np.abs(out - exact) / np.spacing(exact.astype(float))
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    assert error.max() < (1.0 if "+fma" in features else 1.5)
    assert out[-2:].tolist() == [1.0, 1.0]
    far = np.array([708.0, 745.0, 1e10, 1e308, np.inf])
    _exp_many(far, far_out := np.empty_like(far))
    assert far_out.tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1.0, 1.0, 2.0], r"1 of 3 event times are tied .*event 1 at 1\.0.*daily model"),
        ([2.0, 1.0, 3.0], r"earlier than the one before: event 1 at 1\.0. Sort"),
        ([0.0, 1.0], r"outside the window \(0, 5\]: event 0 at 0\.0.*history="),
        ([1.0, 5.1], r"outside the window.*event 1 at 5\.1"),
        ([1.0, math.nan, 2.0], r"not finite.*event 1 at nan"),
        ([[1.0, 2.0]], r"one vector"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), r"numbers of days.*Timedelta"),
        (["a"], r"numbers of days"),
    ],
)
def test_bad_times_are_refused_with_the_remedy(times, message):
    with pytest.raises(DataError, match=message):
        hawkes_likelihood.exponential(times, 5.0, 1.0, 0.5, 1.0)
    with pytest.raises(DataError, match=message):
        hawkes_likelihood.sum_exponential(times, 5.0, 1.0, [0.5], [1.0])
    with pytest.raises(DataError, match=message):
        hawkes_likelihood.multivariate_exponential([times], 5.0, [1.0], [[0.5]], 1.0)


def test_a_tie_is_seen_wherever_it_stands_in_a_long_series():
    times = np.arange(1.0, 2001.0)
    for place in (1, 511, 512, 513, 1999):
        tied = times.copy()
        tied[place] = tied[place - 1]
        with pytest.raises(DataError, match=f"tied with the one before: event {place} "):
            hawkes_likelihood.exponential(tied, 2001.0, 1.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 1.0, 0.5, 1.0), "end"),
        ((math.inf, 1.0, 0.5, 1.0), "end"),
        ((5.0, 0.0, 0.5, 1.0), "baseline"),
        ((5.0, math.nan, 0.5, 1.0), "baseline"),
        ((5.0, 1.0, -0.1, 1.0), "branching"),
        ((5.0, 1.0, 0.5, 0.0), "decay"),
        ((5.0, 1.0, 0.5, math.inf), "decay"),
    ],
)
def test_bad_parameters_are_named(arguments, name):
    with pytest.raises(OptionError, match=f"^{name} must"):
        hawkes_likelihood.exponential([1.0, 2.0], *arguments)


@pytest.mark.parametrize("history", [[0.1], [math.nan], [-1.0, -2.0]])
def test_bad_history_is_refused(history):
    with pytest.raises(DataError, match="of the history"):
        hawkes_likelihood.exponential([1.0], 2.0, 1.0, 0.5, 1.0, history=history)


def test_no_event_costs_the_integral_alone():
    value, gradient = hawkes_likelihood.exponential([], 4.0, 0.5, 0.3, 1.0)
    assert value == -2.0
    assert gradient.tolist() == [-4.0, 0.0, 0.0]
    value, _ = hawkes_likelihood.exponential([], 4.0, 0.5, 0.3, 1.0, history=[0.0])
    assert value == pytest.approx(-2.0 - 0.3 * -math.expm1(-4.0), rel=1e-14)


def test_any_kind_of_array_will_do():
    times = np.array([1.0, 2.0, 4.0])
    expected = hawkes_likelihood.exponential(times, 5.0, 1.0, 0.5, 1.0)[0]
    frozen = times.copy()
    frozen.flags.writeable = False
    for same in ([1, 2, 4], (1.0, 2.0, 4.0), frozen, np.repeat(times, 2)[::2], times.astype("f4")):
        assert hawkes_likelihood.exponential(same, 5, 1, 0.5, 1)[0] == expected
    assert times.flags.writeable
