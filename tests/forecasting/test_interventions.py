"""Changed futures against expected-intensity recursions, scipy's quantiles, and the plain forecast."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tempo
from tempo.errors import OptionError, StationarityWarning
from tempo.forecasting.intervention_kernels import count_at, decaying_counts, lagged_counts
from tempo.forecasting.intervention_paths import Change, _thinned
from tempo.forecasting.interventions import apart
from tempo.models.hawkes_simulation import by_clusters, discrete_counts

DRAWS = 10_000


def series(n=400, baseline=0.4, branching=0.5, decay=0.4, seed=2, freq="1D"):
    values = discrete_counts(n, 1, baseline, branching, decay, 0.0, np.random.default_rng(seed))[0]
    return pd.Series(
        values, index=pd.date_range("2020-01-01", periods=n, freq=freq), name="attacks"
    )


def pinned(fit, **values):
    """The same fit with every draw at the same parameters, so that expectations have a closed form."""
    chains = np.broadcast_to(np.median(fit.chains, axis=(0, 1)), fit.chains.shape).copy()
    for i, name in enumerate(("baseline", "branching", "decay", "dispersion")):
        if name in values:
            chains[:, :, i] = values[name]
    return dataclasses.replace(fit, chains=chains)


@given(
    u=st.floats(1e-6, 1 - 1e-6),
    mean=st.one_of(st.floats(1e-4, 30), st.floats(500, 5000)),
    dispersion=st.sampled_from([0.0, 0.1, 1.5]),
)
@settings(max_examples=200, deadline=None)
def test_quantiles_are_those_of_scipy(u, mean, dispersion) -> None:
    law = (
        stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
        if dispersion
        else stats.poisson(mean)
    )
    found = count_at(u, mean, dispersion)
    # Either scipy's answer, or one whose cumulative probability is that of u to rounding.
    assert found == law.ppf(u) or law.cdf(found) == pytest.approx(u, abs=1e-9)
    assert count_at(u, 1.3 * mean, dispersion) >= found


def test_no_mean_gives_no_count() -> None:
    assert count_at(0.999, 0.0, 0.0) == 0
    assert count_at(0.999, -1.0, 0.5) == 0


@pytest.mark.parametrize(
    "change", [{"baseline": 0.5}, {"branching": 0.0}, {"baseline": 2.0, "branching": 0.5}]
)
@pytest.mark.parametrize("start", [None, "2021-02-24"])
def test_mean_counts_follow_the_expected_intensity(change, start) -> None:
    """Exponential kernel: E[m_t] = f mu + g n E_t, E_{t+1} = a E_t + (1 - a) E[m_t]."""
    counts = series()
    fit = pinned(
        tempo.Hawkes().fit(counts, method="laplace", rng=1), baseline=0.4, branching=0.6, decay=0.3
    )
    found = tempo.intervene(fit, "60D", start=start, draws=DRAWS, rng=1, **change)
    keep = np.exp(-0.3)
    state = 0.0
    for value in counts:
        state = keep * state + (1 - keep) * value
    begin = 0 if start is None else (pd.Timestamp(start) - pd.Timestamp("2021-02-04")).days
    for outlook, factors in ((found.as_fitted, {}), (found.changed, change)):
        e, means = state, []
        for t in range(60):
            f = factors.get("baseline", 1.0) if t >= begin else 1.0
            g = factors.get("branching", 1.0) if t >= begin else 1.0
            means.append(f * 0.4 + g * 0.6 * e)
            e = keep * e + (1 - keep) * means[-1]
        totals = outlook.totals()
        assert abs(totals.mean() - sum(means)) < 4.5 * totals.std() / np.sqrt(DRAWS)
        by_day = outlook.counts.to_numpy()
        error = by_day.std(axis=0) / np.sqrt(DRAWS)
        assert (np.abs(by_day.mean(axis=0) - means) < 5 * error).all()
    if start is not None:
        same = slice(0, begin)
        first, second = (o.counts.to_numpy()[:, same] for o in (found.as_fitted, found.changed))
        assert (first == second).all()


def test_the_future_as_fitted_is_the_plain_forecast() -> None:
    for model in (tempo.Hawkes(observation="negbin"), tempo.Hawkes(kernel="power")):
        fit = model.fit(series(), method="laplace", rng=1)
        plain = tempo.forecast(fit, "45D", draws=DRAWS, rng=1).totals()
        found = tempo.intervene(fit, "45D", branching=0.5, draws=DRAWS, rng=2).as_fitted.totals()
        error = np.hypot(plain.std(), found.std()) / np.sqrt(DRAWS)
        assert abs(plain.mean() - found.mean()) < 4 * error
        levels = [0.1, 0.5, 0.9]
        assert np.quantile(found, levels) == pytest.approx(np.quantile(plain, levels), rel=0.05)


def test_any_kernel_and_the_recursion_agree_where_the_kernel_is_geometric() -> None:
    rng = np.random.default_rng(1)
    draws, bins = 300, 50
    u = rng.random((draws, bins))
    base = rng.gamma(2.0, 0.2, (draws, bins))
    branching = rng.uniform(0, 0.9, (draws, bins))
    keep, state = rng.uniform(0.3, 0.95, draws), rng.gamma(1.0, 1.0, draws)
    dispersion = np.where(np.arange(draws) % 2, 0.4, 0.0)
    one, other = (np.empty((draws, bins), dtype=np.int64) for _ in range(2))
    decaying_counts(base, branching, keep, state, dispersion, u, 1e4, one)
    lags = np.arange(bins)
    kernel = (1 - keep)[:, None] * keep[:, None] ** lags
    past = branching * state[:, None] * keep[:, None] ** lags
    lagged_counts(base + past, branching, kernel, dispersion, u, 1e4, other)
    assert (one == other).mean() > 0.999  # rounding may move a quantile
    assert one.sum() > 5000


def test_no_branching_from_now_on_leaves_the_baseline_alone() -> None:
    fit = tempo.Hawkes(kernel="power").fit(series(), method="laplace", rng=1)
    found = tempo.intervene(fit, "60D", branching=0.0, draws=DRAWS, rng=1)
    baseline = fit.chains.reshape(-1, fit.chains.shape[-1])
    rate = np.exp(baseline[:, fit.engines[0].layout.names.index("baseline")])
    totals = found.changed.totals()
    assert totals.mean() == pytest.approx(60 * rate.mean(), rel=0.02)


def test_common_random_numbers_make_the_difference_sharper() -> None:
    fit = tempo.Hawkes().fit(series(), method="laplace", rng=1)
    found = tempo.intervene(fit, "60D", baseline=0.8, draws=5000, rng=1)
    apart = np.hypot(found.as_fitted.totals().std(), found.changed.totals().std())
    assert found.difference().std() < 0.5 * apart
    assert (found.difference() <= 0).all()
    assert (found.difference("30D") >= found.difference()).all()


@pytest.mark.parametrize(
    "change",
    [
        {"baseline": 0.5},
        {"branching": 0.0},
        {"baseline": 2.0, "branching": 0.5},
        {"branching": 1.4},
    ],
)
def test_continuous_time_follows_the_expected_intensity(change) -> None:
    """d E[X] / dt = -beta E[X] + beta (f mu + g n E[X]), with X the excitation before its branching ratio."""
    times = by_clusters(399.0, 0.4, 0.5, 0.8, np.random.default_rng(3))
    times = np.append(times, [399.2, 399.6, 399.7, 399.9])
    fit = _continuous(times)
    fit = pinned(fit, baseline=0.4, branching=0.5, decay=0.8)
    found = tempo.intervene(fit, "40D", draws=DRAWS, rng=1, **change)
    x0 = 0.8 * np.exp(-0.8 * (400.0 - times)).sum()
    assert x0 > 0.5  # so that offspring of the past are seen
    for outlook, factors in ((found.as_fitted, {}), (found.changed, change)):
        f, g = factors.get("baseline", 1.0), factors.get("branching", 1.0)
        n, mu, beta = 0.5 * g, 0.4 * f, 0.8
        limit = mu / (1 - n)  # of the excitation
        pull = beta * (1 - n)
        edges = np.arange(41.0)
        running = mu * edges + n * (
            limit * edges + (x0 - limit) * (1 - np.exp(-pull * edges)) / pull
        )
        whole = running[-1]
        by_day = outlook.counts.to_numpy()
        error = by_day.std(axis=0) / np.sqrt(DRAWS)
        assert (np.abs(by_day.mean(axis=0) - np.diff(running)) < 4.5 * error).all()
        totals = outlook.totals()
        assert abs(totals.mean() - whole) < 4.5 * totals.std() / np.sqrt(DRAWS)
    sign = -1 if max(change.values()) <= 1 else 1
    if len(change) == 1:
        assert (sign * found.difference() >= 0).all()


def _continuous(times):
    from tempo.models.hawkes_timestamps import TimestampEngine

    stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(times, unit="D").round("us")
    table = pd.DataFrame({"date_start": stamps, "date_end": stamps, "date_precision": "time"})
    incidents = tempo.Incidents(table, ("2020-01-01", "2021-02-04"))
    fit = tempo.Hawkes(time="continuous").fit(incidents, method="laplace", rng=1)
    assert isinstance(fit.engines[0], TimestampEngine)
    return fit


def test_thinned_and_scaled_constant_rates_agree() -> None:
    counts = series(branching=0.0)
    for observation in ("poisson", "negbin"):
        fit = tempo.ConstantRate(observation=observation).fit(counts, rng=1)
        found = tempo.intervene(fit, "60D", baseline=0.5, draws=DRAWS, rng=1)
        table = found.table()
        assert table.loc["changed", "mean"] == pytest.approx(
            table.loc["as fitted", "mean"] / 2, rel=0.02
        )
        doubled = tempo.intervene(fit, "60D", baseline=2.0, draws=DRAWS, rng=1).table()
        assert doubled.loc["changed", "mean"] == pytest.approx(
            2 * doubled.loc["as fitted", "mean"], rel=0.02
        )


def test_thinning_keeps_the_law_of_the_counts() -> None:
    """A negative binomial count thinned by half is negative binomial with half the mean and the same dispersion."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(8.0 * rng.gamma(2.0, 0.5, (40_000, 2)))
    _, changed = _thinned(counts, Change(0.5, 1.0, 1), rng, "x")
    assert (changed[:, 0] == counts[:, 0]).all()
    law = stats.nbinom(2.0, 1 / (1 + 0.5 * 4.0))
    found = np.bincount(changed[:, 1], minlength=12)[:12] / 40_000
    assert found == pytest.approx(law.pmf(np.arange(12)), abs=0.008)


def test_changepoints_are_thinned() -> None:
    steps = tempo.Changepoints(observation="poisson").fit(series(branching=0.0))
    table = tempo.intervene(steps, "60D", baseline=0.5, draws=DRAWS, rng=1).table()
    assert table.loc["changed", "mean"] == pytest.approx(
        table.loc["as fitted", "mean"] / 2, rel=0.02
    )


def test_regimes_from_a_date_on() -> None:
    fit = tempo.Regimes().fit(series(), rng=1)
    found = tempo.intervene(fit, "40D", baseline=0.0, start="2021-02-14", draws=500, rng=1)
    changed = found.changed.counts.to_numpy()
    assert (changed[:, :10] == found.as_fitted.counts.to_numpy()[:, :10]).all()
    assert not changed[:, 10:].any()
    assert "from 2021-02-14 on" in found.describe()


def test_changes_that_mean_nothing_are_refused_with_a_remedy() -> None:
    counts = series()
    constant = tempo.ConstantRate().fit(counts, rng=1)
    steps = tempo.Changepoints(observation="poisson").fit(counts)
    with pytest.raises(OptionError, match=r"no branching ratio .* fit tempo.Hawkes"):
        tempo.intervene(constant, branching=0.5)
    with pytest.raises(OptionError, match="no branching ratio"):
        tempo.intervene(steps, branching=0.5)
    with pytest.raises(OptionError, match="factor from 0 to 1"):
        tempo.intervene(steps, baseline=2)
    with pytest.raises(OptionError, match="nothing is changed"):
        tempo.intervene(constant)
    with pytest.raises(OptionError, match="factor from 0 up"):
        tempo.intervene(constant, baseline=-1)
    with pytest.raises(OptionError, match="outside the horizon"):
        tempo.intervene(constant, "30D", baseline=0.5, start="2022-01-01")
    with pytest.raises(OptionError, match="fitted model"):
        tempo.intervene("hawkes", baseline=0.5)
    hurdle = tempo.Hawkes(observation="hurdle").fit(counts, method="mle", rng=1)
    with pytest.raises(OptionError, match="marks or hurdle"):
        tempo.intervene(hurdle, baseline=0.5)
    contagious = tempo.Regimes(contagion=True).fit(counts, method="mle", rng=1)
    with pytest.raises(OptionError, match=r"tempo\.Hawkes"):
        tempo.intervene(contagious, baseline=0.5)
    kinds = dataclasses.make_dataclass("Other", [("counts", object)])(constant.counts)
    with pytest.raises(OptionError, match="no change can be worked out"):
        tempo.intervene(kinds, baseline=0.5)


def test_explosions_are_said() -> None:
    fit = pinned(
        tempo.Hawkes().fit(series(), method="laplace", rng=1),
        baseline=5.0,
        branching=2.0,
        decay=2.0,
    )
    with pytest.warns(StationarityWarning, match="exploded"):
        found = tempo.intervene(fit, "40D", baseline=0.9, draws=20, rng=1)
    assert any("exploded" in note for note in found.notes)


def test_weekly_bins_start_at_a_bin() -> None:
    fit = tempo.ConstantRate().fit(series(60, freq="7D"), rng=1)
    end = fit.counts.end
    found = tempo.intervene(
        fit, "70D", baseline=0.0, start=end + pd.Timedelta("10D"), draws=200, rng=1
    )
    assert found.start == end + pd.Timedelta("7D")
    assert any("3 days into a bin" in note for note in found.notes)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ((0.0, 0, 0, 0), "there is no difference on average; 90 % of futures have no difference"),
        ((-0.02, 0, 0, 0), "there are 0.02 fewer on average; 90 % of futures have no difference"),
        ((-0.4, 0, -2, 0), "has no difference, and 90 % of futures between 2 fewer and none"),
        ((1.3, 1, 0, 5), "the middle future has 1 more, and 90 % of futures between none and 5 more"),
        ((0.1, 0, -1, 2), "has no difference, and 90 % of futures between 1 fewer and 2 more"),
        ((-3.0, -3, -5, -1), "the middle future has 3 fewer, and 90 % of futures between 1 and 5 fewer"),
        ((12.0, 11, 3, 25), "the middle future has 11 more, and 90 % of futures between 3 and 25 more"),
        ((-1.0, -1, -1, -1), "1 fewer on average; 90 % of futures have 1 fewer"),
    ],
)  # fmt: skip
def test_differences_in_words(gap, said) -> None:
    assert apart(*gap, "90 %").endswith(said)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=12))
def test_no_difference_is_ever_nothing_more(values) -> None:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95], method="inverted_cdf")
    said = apart(float(np.mean(values)), median, low, high, "90 %")
    assert not re.search(r"(?<![\d.])0 (?:more|fewer)|none and none|nan|-", said)
    assert ("fewer" in said) == (low < 0 or np.mean(values) < 0)
    assert ("more" in said) == (high > 0 or np.mean(values) > 0)


@pytest.mark.parametrize(
    ("before", "after", "expected", "others"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], "no heavy strikes in the 2 days", "none; the probability of at least one is"),
        (
            [0, 0, 1, 2], [0, 0, 0, 1], "0 to 1 heavy strikes (90 % interval; median 0)",
            "0 to 2 (median 0); the probability of at least one is 25 %, instead of 50 %",
        ),
        ([1, 1, 1, 1], [1, 1, 1, 1], "1 heavy strike in the 2 days", "1; the probability of at least one is over 99 %"),
    ],
)  # fmt: skip
def test_the_sentence_counts_as_one_speaks(before, after, expected, others) -> None:
    found = tempo.intervene(
        tempo.ConstantRate().fit(series(), rng=1), "2D", baseline=0.5, draws=4, rng=1
    )

    def held(outlook, totals):
        counts = outlook.counts.copy(data=np.stack([totals, np.zeros(4, dtype=int)], axis=1))
        return dataclasses.replace(outlook, counts=counts, label="heavy strike")

    made = dataclasses.replace(
        found, as_fitted=held(found.as_fitted, before), changed=held(found.changed, after)
    )
    said = made.describe()
    assert f"the model expects {expected}" in said
    assert f"instead of {others}" in said
    assert not re.search(r"\b0 (?:more|fewer)|0 to 0|median 0\) heavy", said)


def test_the_sentence_claims_no_cause() -> None:
    found = tempo.intervene(
        tempo.ConstantRate().fit(series(), rng=1), "60D", baseline=0.5, draws=2000, rng=1
    )
    said = found.describe()
    assert said.startswith(
        "If the baseline were half of what it is estimated at, the model expects"
    )
    assert "does not say that anything done would change" in said
    for word in ("because", "caused", "due to", "nan"):
        assert word not in said
    again = tempo.intervene(
        tempo.ConstantRate().fit(series(), rng=1), "60D", baseline=0.5, draws=2000, rng=1
    )
    assert (again.difference() == found.difference()).all()
    assert "<table" in found._repr_html_()
    assert "Intervention on ConstantRate" in repr(found)
