"""Marks of attacks whose dates are known only to an interval: each series carries them on its own drawn days."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

import tempo
from tempo.data.incidents import Incidents
from tempo.errors import DataError
from tempo.models.hawkes import Hawkes

RNG = np.random.default_rng
START = pd.Timestamp("2016-01-01")


def attacks(n=500, exponent=0.8, seed=3, shift=0.0):
    """Simulate from the definition; deaths are all different, so that a mark names its attack."""
    rng = RNG(seed)
    sizes = rng.permutation(np.expm1(np.linspace(0, 4, 4_000))) + shift
    weights = (1 + sizes) ** exponent
    weights /= weights.mean()
    state, rows, used = 0.0, [], 0
    for t in range(n):
        found = rng.poisson(0.2 + 0.5 * state)
        rows += [(t, size) for size in sizes[used : used + found]]
        decay = math.exp(-0.3)
        state = decay * state + (1 - decay) * weights[used : used + found].sum()
        used += found
    table = pd.DataFrame(rows, columns=["day", "killed"])
    table["date_start"] = START + pd.to_timedelta(table.pop("day"), unit="D")
    return table, (START, START + pd.Timedelta(days=n))


def blurred(table, window, share, days, seed=1):
    """Make some dates known only to an interval of a given length that holds them."""
    rng = RNG(seed)
    hit = rng.random(len(table)) < share
    early = pd.to_timedelta(rng.integers(0, days, len(table)), unit="D")
    out = table.assign(date_precision=np.where(hit, "days", "day"))
    out["date_end"] = out["date_start"].where(
        ~hit, out["date_start"] - early + pd.Timedelta(days=days - 1)
    )
    out["date_start"] = out["date_start"].where(~hit, out["date_start"] - early)
    return Incidents(out, window)


def slow_log_likelihood(counts, days, marks, parameters):
    """The definition: every attack excites every later day by its own weight."""
    baseline, branching, decay, exponent = parameters
    weights = np.where(np.isnan(marks), 1.0, (1 + marks) ** exponent)
    weights[~np.isnan(marks)] /= weights[~np.isnan(marks)].mean()
    total = 0.0
    for t, count in enumerate(counts):
        mean = baseline
        for day, weight in zip(days, weights, strict=True):
            if day < t:
                kernel = (1 - math.exp(-decay)) * math.exp(-decay * (t - day - 1))
                mean += branching * weight * kernel
        total += poisson.logpmf(count, mean)
    return total


def test_each_series_carries_the_marks_of_its_own_days():
    table, window = attacks(n=120)
    table.loc[::5, "killed"] = np.nan
    incidents = blurred(table, window, 0.4, 40)
    fit = Hawkes(mark="killed").fit(incidents, method="mle", imputations=6, rng=2)
    assert len(fit.engines) == 6
    assert any("known only to an interval" in note for note in fit.provenance.notes)
    first = ((incidents.table["date_start"] - START) / pd.Timedelta("1D")).to_numpy()
    last = ((incidents.table["date_end"] - START) / pd.Timedelta("1D")).to_numpy()
    killed = incidents.table["killed"]
    exact = (incidents.table["date_precision"] == "day").to_numpy()
    drawn = []
    for engine in fit.engines:
        part = engine.realisations[0]
        who = [int(np.flatnonzero(np.isclose(killed, np.expm1(v)))[0]) for v in part.mark_values]
        assert len(set(who)) == len(who)  # nobody twice
        assert (first[who] <= part.mark_bins).all()
        assert (part.mark_bins <= last[who]).all()
        unmarked = part.counts.to_numpy() - np.bincount(part.mark_bins, minlength=120)
        assert unmarked.min() >= 0
        drawn.append(dict(zip(who, part.mark_bins.tolist(), strict=True)))
        # Its likelihood is that of the definition, on those days; an unknown mark weighs one.
        days = np.append(part.mark_bins, np.repeat(np.arange(120), unmarked.astype(int)))
        marks = np.append(np.expm1(part.mark_values), np.full(int(unmarked.sum()), np.nan))
        at = [0.25, 0.45, 0.35, 0.7]
        theta = engine.layout.unbounded(np.array(at))[None]
        slow = slow_log_likelihood(part.counts.to_numpy(), days, marks, at)
        assert engine.total_log_likelihood(theta)[0] == pytest.approx(slow, rel=1e-10)
    moved = {i for i in drawn[0] if len({d.get(i) for d in drawn}) > 1}
    assert moved
    assert not exact[sorted(moved)].any()


def test_estimates_are_those_of_exact_dates_averaged():
    table, window = attacks(n=300)
    incidents = blurred(table, window, 0.3, 30)
    model = Hawkes(mark="killed")
    pooled = model.fit(incidents, method="mle", imputations=4, rng=5)
    alone = []
    for engine in pooled.engines:
        part = engine.realisations[0]
        exact = pd.DataFrame(
            {
                "date_start": START + pd.to_timedelta(part.mark_bins, unit="D"),
                "killed": np.expm1(part.mark_values),
            }
        )
        alone.append(model.fit(Incidents(exact, window), method="mle"))
    estimates = np.array([fit.params for fit in alone])
    np.testing.assert_allclose(pooled.params, estimates.mean(axis=0), rtol=1e-5)
    within = np.mean([fit.bse**2 for fit in alone], axis=0)
    between = estimates.var(axis=0, ddof=1)
    assert between.min() > 0
    np.testing.assert_allclose(pooled.bse, np.sqrt(within + 1.25 * between), rtol=1e-4)


def test_exponent_is_recovered_and_forecast():
    table, window = attacks(n=1_500, seed=4)
    incidents = blurred(table, window, 0.15, 10)
    model = Hawkes(mark="killed")
    exact = model.fit(Incidents(table, window), method="mle")
    fit = model.fit(incidents, method="laplace", imputations=5, rng=1)
    assert fit.params["mark_exponent"] == pytest.approx(0.8, abs=3.5 * fit.bse["mark_exponent"])
    assert fit.params["mark_exponent"] == pytest.approx(
        exact.params["mark_exponent"], abs=2 * exact.bse["mark_exponent"]
    )
    low, high = fit.conf_int(prob=0.99).loc["mark_exponent"]
    assert low > 0.1
    assert high < 1.6
    again = model.fit(incidents, method="laplace", imputations=5, rng=1)
    np.testing.assert_array_equal(fit.chains, again.chains)
    rate = fit.params["baseline"] / (1 - fit.params["branching_ratio"])
    assert tempo.forecast(fit, "60D", rng=1).totals().mean() == pytest.approx(60 * rate, rel=0.4)


def test_history_and_inputs_are_drawn_too():
    table, window = attacks(n=300)
    incidents = blurred(table, window, 0.3, 20)
    cut = START + pd.Timedelta(days=100)
    late = Incidents(table, window).between(cut, window[1])
    strikes = blurred(*attacks(n=300, seed=9), 0.5, 20)
    fit = Hawkes(mark="killed").fit(
        late, method="mle", history=incidents, inputs={"strikes": strikes}, imputations=3, rng=1
    )
    assert len(fit.engines) == 3
    parts = [engine.realisations[0] for engine in fit.engines]
    assert all(len(part.history) == 100 for part in parts)
    for one, other in itertools.pairwise(parts):
        assert (one.counts == other.counts).all()  # the data themselves are exact
        assert (one.history != other.history).any()
        assert (one.inputs != other.inputs).any()
    for part in parts:
        early = part.mark_bins[part.mark_bins < 100]
        np.testing.assert_array_equal(np.bincount(early, minlength=100), part.history)
    notes = " ".join(fit.provenance.notes)
    assert "History: " in notes
    assert "Input 'strikes': " in notes


def test_marks_of_days_that_nobody_watched_do_not_count():
    table, window = attacks(n=200)
    gap = (START + pd.Timedelta(days=50), START + pd.Timedelta(days=90))
    watched = tempo.Window(*window, gaps=[gap])
    incidents = blurred(table, watched, 0.5, 30)
    fit = Hawkes(mark="killed").fit(incidents, method="mle", imputations=5, rng=1)
    for engine in fit.engines:
        part = engine.realisations[0]
        assert not ((part.mark_bins >= 50) & (part.mark_bins < 90)).any()
        assert len(part.mark_bins) == part.counts.sum()


def test_bad_marks():
    table, window = attacks(n=100)
    spoiled = table.assign(killed=table["killed"].astype(object))
    spoiled = spoiled.rename(columns={"killed": "crater"})
    spoiled.loc[3, "crater"] = "many"
    with pytest.raises(DataError, match="row 3: 'many'"):
        Hawkes(mark="crater").fit(Incidents(spoiled, window), method="mle")
    negative = table.rename(columns={"killed": "crater"})
    negative.loc[[2, 4], "crater"] = -1.0
    with pytest.raises(DataError, match=r"2 values of the mark 'crater'.*row 2: -1\.0"):
        Hawkes(mark="crater").fit(Incidents(negative, window), method="mle")
    blank = table.assign(killed=np.nan)
    with pytest.raises(DataError, match="no incident within the data has a known 'killed'"):
        Hawkes(mark="killed").fit(Incidents(blank, window), method="mle")
