"""Which earlier attacks those of a day probably followed: against the sum over all lags, and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tempo.data.incidents import Incidents
from tempo.errors import OptionError
from tempo.models.hawkes import Hawkes

RNG = np.random.default_rng


def series(values, start="2016-01-01"):
    return pd.Series(values, index=pd.date_range(start, periods=len(values), freq="1D"))


@pytest.fixture(scope="module")
def counts():
    return series(Hawkes().simulate([0.3, 0.6, 0.3], n_bins=200, rng=2))


def test_the_definition(counts):
    fit = Hawkes().fit(counts, method="mle")
    day = counts.index[150]
    table = fit.parents(day, prob=0.5)
    draws = fit.chains.reshape(-1, 4)[fit._thinned(400)]
    shares = []
    for mu, branching, decay, _ in draws:
        parts = {
            earlier: branching * (1 - math.exp(-decay)) * math.exp(-decay * (150 - i - 1)) * count
            for i, (earlier, count) in enumerate(counts.iloc[:150].items())
        }
        whole = mu + sum(parts.values())
        shares.append([parts[e] / whole for e in table.index])
    np.testing.assert_allclose(table["probability"], np.mean(shares, axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["low"], np.quantile(shares, 0.25, axis=0), rtol=1e-9)
    assert table["probability"].is_monotonic_decreasing
    assert (table["count"] == counts[table.index]).all()
    split = fit.triggered().loc[day]
    assert table.attrs["triggered"] == pytest.approx(split["probability"], rel=1e-9)
    assert table.attrs["baseline"] == pytest.approx(1 - split["probability"], rel=1e-9)


@pytest.mark.parametrize(
    "kernel", ["exponential", "sum_exponential", "power", "gamma", "histogram"]
)
@pytest.mark.parametrize("gap", [False, True])
def test_parents_add_up_to_what_was_triggered(counts, kernel, gap):
    given = counts.astype(float)
    if gap:
        given.iloc[100:120] = np.nan
    strikes = series(RNG(1).poisson(0.2, 200))
    model = Hawkes(kernel=kernel, baseline="trend", delay_days=2, lag_edges=(1, 2, 4, 9))
    with_past = model.fit(
        given.iloc[30:], method="mle", history=counts.iloc[:30], inputs={"strikes": strikes}
    )
    plain = Hawkes().fit(given, method="mle")
    for fit in (with_past, plain):
        for place in (0, 40, 95, 160):
            day = fit.counts.index[place]
            if not fit.counts.exposure.iloc[place]:
                continue
            table = fit.parents(day)
            assert table.attrs["triggered"] == pytest.approx(
                fit.triggered()["probability"].iloc[place]
                if fit is plain
                else table.attrs["triggered"]
            )
            assert sum(
                table.attrs[k] for k in ("baseline", "inputs", "triggered")
            ) == pytest.approx(1)
            assert (table.index < day).all()
    # Against the parts of the mean that the compiled code gives.
    engine = with_past.engines[0]
    rows = with_past._thinned(400)
    base, own, forced = engine.parts_of_mean(with_past.chains.reshape(-1, engine.layout.size)[rows])
    place = 140
    whole = base[:, place] + own[:, place] + forced[:, place]
    table = with_past.parents(with_past.counts.index[place])
    assert table.attrs["triggered"] == pytest.approx((own[:, place] / whole).mean(), rel=1e-6)
    assert table.attrs["inputs"] == pytest.approx((forced[:, place] / whole).mean(), rel=1e-9)


def test_marks_weigh():
    rng = RNG(3)
    days = np.flatnonzero(rng.random(300) < 0.4)
    table = pd.DataFrame(
        {
            "date_start": pd.Timestamp("2016-01-01") + pd.to_timedelta(days, unit="D"),
            "killed": rng.poisson(2.0, len(days)).astype(float),
        }
    )
    fit = Hawkes(mark="killed").fit(Incidents(table, ("2016-01-01", "2016-10-27")), method="mle")
    engine = fit.engines[0]
    rows = fit.chains.reshape(-1, engine.layout.size)[fit._thinned(400)]
    base, own, _ = engine.parts_of_mean(rows)
    asked = fit.parents("2016-09-01")
    place = fit.counts.index.get_loc(pd.Timestamp("2016-09-01"))
    share = (own / (base + own))[:, place]
    assert asked.attrs["triggered"] == pytest.approx(share.mean(), rel=1e-9)


@pytest.mark.slow
def test_true_parents_are_found():
    """Over many days, the probability that an attack followed one of yesterday is the share that did."""
    rng = RNG(7)
    baseline, branching, decay, n = 0.2, 0.5, 0.7, 900
    attacks, yesterday, values = [[] for _ in range(n)], 0, np.zeros(n, dtype=int)
    for t in range(n):
        values[t] = len(attacks[t]) + rng.poisson(baseline)
        yesterday += sum(parent == t - 1 for parent in attacks[t])
        for _ in range(rng.poisson(branching * values[t])):
            child = t + rng.geometric(-math.expm1(-decay))
            if child < n:
                attacks[child].append(t)
    fit = Hawkes().fit(series(values), method="mle")
    found = 0.0
    for day, count in fit.counts[fit.counts > 0].items():
        parents = fit.parents(day)["probability"]
        found += count * parents.get(day - pd.Timedelta("1D"), 0.0)
    assert found == pytest.approx(yesterday, abs=4 * math.sqrt(yesterday))


def test_what_cannot_be_asked(counts):
    fit = Hawkes().fit(counts.astype(float).where(counts.index != "2016-02-01"), method="mle")
    with pytest.raises(OptionError, match="not among the bins"):
        fit.parents("2015-12-31")
    with pytest.raises(OptionError, match="nobody watched on 2016-02-01"):
        fit.parents("2016-02-01")
    with pytest.raises(OptionError, match="prob"):
        fit.parents("2016-03-01", prob=90)
    stamps = pd.DatetimeIndex(["2016-01-01 07:00", "2016-01-04 09:30", "2016-01-04 11:00"])
    table = pd.DataFrame({"date_start": stamps, "date_precision": "time"})
    with pytest.warns(match="only 3 events"):
        timed = Hawkes().fit(Incidents(table, ("2016-01-01", "2016-03-01")), method="mle")
    with pytest.raises(OptionError, match="time='daily'"):
        timed.parents("2016-01-04")
    with pytest.raises(OptionError, match=r"fit\.parents"):
        fit.attacks()
    assert len(timed.attacks()) == 3


@pytest.mark.parametrize("branching", [0.0, 0.6])
def test_attacks_with_their_times(branching):
    from tempo.models.hawkes_simulation import by_clusters

    times = by_clusters(200.0, 0.3, branching, 2.0, RNG(4))
    stamps = pd.Timestamp("2016-01-01") + pd.to_timedelta(times, unit="D").round("1s")
    table = pd.DataFrame({"date_start": stamps, "date_precision": "time"})
    incidents = Incidents(table, ("2016-01-01", "2016-07-19"))
    fit = Hawkes().fit(incidents, method="mle")
    found = fit.attacks(prob=0.5)
    np.testing.assert_allclose((found.index - stamps) / pd.Timedelta("1s"), 0, atol=1e-3)
    draws = fit.chains.reshape(-1, 4)[fit._thinned(400)]
    draws = np.nan_to_num(draws, nan=1.0)
    exact = ((stamps - pd.Timestamp("2016-01-01")) / pd.Timedelta("1D")).to_numpy()
    for i in (0, 1, 7, 30, len(times) - 1):
        ages = exact[i] - exact[:i]
        each = draws[:, 1:2] * draws[:, 2:3] * np.exp(-draws[:, 2:3] * ages)
        whole = draws[:, 0] + each.sum(axis=1)
        triggered = each.sum(axis=1) / whole
        row = found.iloc[i]
        assert row["triggered"] == pytest.approx(triggered.mean(), rel=1e-6, abs=1e-12)
        assert row["low"] == pytest.approx(np.quantile(triggered, 0.25), rel=1e-6, abs=1e-12)
        best = (each / whole[:, None]).mean(axis=0).max() if i else 0.0
        assert row["parent_probability"] == pytest.approx(best, rel=1e-6, abs=1e-12)
        if row["parent_probability"] > 0:
            assert abs(row["parent"] - stamps[i - 1]) < pd.Timedelta("1ms")
    assert found["baseline"].add(found["triggered"]).to_numpy() == pytest.approx(1)
    assert pd.isna(found["parent"].iloc[0])
