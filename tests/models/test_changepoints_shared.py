"""Whether two series change together: enumeration of both, calibration over the prior, symmetry."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln, logsumexp, xlogy

import tempo
from tempo.errors import DataError, OptionError
from tempo.models import changepoint_shared as shared
from tempo.models.changepoint_predictive import NEGBIN


def series(values, name):
    return pd.Series(values, index=pd.date_range("2020-01-01", periods=len(values)), name=name)


def evidence_of(y, e, grid, cell):
    n, x = y.sum(), e.sum()
    a, b, r = grid.shape[cell], grid.rate[cell], grid.size[cell]
    seen = e > 0
    if grid.family == NEGBIN:
        t = r * e[seen]
        own = np.sum(gammaln(y[seen] + t) - gammaln(t) - gammaln(y[seen] + 1))
        return own + betaln(1 + r * b + r * x, a + n) - betaln(1 + r * b, a)
    own = np.sum(xlogy(y[seen], e[seen]) - gammaln(y[seen] + 1))
    return own + a * math.log(b) - gammaln(a) + gammaln(a + n) - (a + n) * math.log(b + x)


def enumerated(pair, grids, seen, alone):
    """Log evidence given a change (of one series, or common ones), and P(change at each bin), by brute force."""
    position = np.flatnonzero(seen)
    m = len(position)
    places = np.diff(position)
    total, none, dates = [], [], []
    cells = itertools.product(*(range(g.shape.size) for g in grids))
    for cell in cells:
        log_cell = sum(g.log_prior[c] for g, c in zip(grids, cell, strict=True))
        for odds, log_odds_prior in zip(grids[0].odds, grids[0].log_odds_prior, strict=True):
            local = odds * places
            for flags in itertools.product([False, True], repeat=m - 1):
                prior = sum(
                    math.log(o / (1 + o)) if f else -math.log1p(o)
                    for o, f in zip(local, flags, strict=True)
                )
                cuts = [t + 1 for t, flag in enumerate(flags) if flag]
                weight = prior + log_cell + log_odds_prior
                for (y, e), grid, c in zip(pair, grids, cell, strict=True):
                    y, e = y[position], e[position]
                    weight += sum(
                        evidence_of(y[a:b], e[a:b], grid, c)
                        for a, b in itertools.pairwise([0, *cuts, m])
                    )
                if cuts:
                    total.append(weight)
                    dates.append(position[cuts])
                else:
                    none.append((weight, prior + log_cell + log_odds_prior))
    log_none_prior = logsumexp([p for _, p in none])
    change = np.zeros(len(seen))
    for weight, where in zip(np.exp(total - logsumexp(total)), dates, strict=True):
        change[where] += weight
    assert alone == (len(grids) == 1)
    return (
        logsumexp([w for w, _ in none]) - log_none_prior,
        logsumexp(total) - math.log(-math.expm1(log_none_prior)),
        change,
    )


@pytest.mark.parametrize("kinds", [("counts", "counts"), ("counts", "deaths")])
def test_accounts_equal_enumeration(monkeypatch, kinds):
    monkeypatch.setattr(shared, "_NODES", 3)
    monkeypatch.setattr(shared, "_DISPERSIONS", {"counts": (0.5,), "deaths": (1.0,)})
    y = np.array([0, 1, 0, 5, 6, 4.0]), np.array([3, 2, 4, 0, 0, 9.0])
    e = np.array([1, 1, 0.5, 1, 1, 1.0]), np.array([1, 1, 2, 0, 1, 3.0])
    pair = ((y[0], e[0]), (y[1], e[1]))
    found = shared._accounts(pair, kinds, overdispersed=False)
    grids = []
    odds, log_odds_prior = shared.learned_odds(5.0, 0, 3)
    for (values, exposure), kind in zip(pair, kinds, strict=True):
        grid = shared._grid(values, exposure, kind, overdispersed=False)
        grids.append(shared.replace(grid, odds=odds, log_odds_prior=log_odds_prior))
    none_one, some_one, dates_one = enumerated(pair[:1], grids[:1], e[0] > 0, alone=True)
    none_two, some_two, dates_two = enumerated(pair[1:], grids[1:], e[1] > 0, alone=True)
    _, together, dates = enumerated(pair, grids, (e[0] > 0) | (e[1] > 0), alone=False)
    expected = [
        none_one + none_two,
        some_one + none_two,
        none_one + some_two,
        some_one + some_two,
        together,
    ]
    np.testing.assert_allclose(found.log_evidence, expected, atol=1e-8)
    for mine, theirs in zip(found.dates, (dates_one, dates_two, dates), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_order_does_not_matter_and_probabilities_add_up():
    rng = np.random.default_rng(0)
    a = series(rng.poisson(np.repeat([0.3, 1.2], 50)), "a")
    b = series(rng.poisson(np.repeat([2.0, 0.5], 50)), "b")
    one, two = tempo.shared_changes(a, b), tempo.shared_changes(b, a)
    assert one.shared == pytest.approx(two.shared, abs=1e-9)
    assert one.probabilities.sum() == pytest.approx(1)
    assert one.probabilities["only a"] == pytest.approx(two.probabilities["only a"], abs=1e-9)
    assert one.shared > 0.8
    assert (one.change_probability["together"] <= one.change_probability["a"] + 1e-12).all()
    assert "together" in one.describe()
    more = tempo.shared_changes(a, b, prior_shared=0.9)
    odds = [s.shared / (1 - s.shared) for s in (one, more)]
    assert odds[1] / odds[0] == pytest.approx(9, rel=1e-6)
    assert odds[0] == pytest.approx(one.favour, rel=1e-9)  # from even odds
    assert "90 % was assumed before looking" in more.describe()
    assert (
        "the pace of a and that of b changed (over 99 %). They changed together" in one.describe()
    )


def test_frequency_and_lethality_of_incidents():
    rng = np.random.default_rng(5)
    days = pd.date_range("2020-01-01", periods=300)
    dates = np.repeat(days, rng.poisson(np.repeat([0.2, 0.9], 150)))
    killed = rng.poisson(np.where(dates < days[150], 0.4, 4.0)).astype(float)
    killed[::11] = np.nan
    incidents = tempo.Incidents(
        pd.DataFrame({"date_start": dates, "killed": killed}), ("2020-01-01", "2020-10-27")
    )
    found = tempo.shared_changes(incidents)
    assert found.names == ("how often (attacks)", "how deadly")
    assert found.shared > 0.8
    assert any("without known deaths" in note for note in found.notes)
    assert found.describe().startswith(
        "Both how often attacks come and how deadly they are changed"
    )
    peak = found.change_probability["together"].idxmax()
    assert abs(peak - days[150]) < pd.Timedelta("10D")


def test_no_change_is_said_plainly():
    rng = np.random.default_rng(2)
    a, b = (series(rng.poisson(1.0, 150), name) for name in "ab")
    found = tempo.shared_changes(a, b)
    assert found.probabilities["neither"] > 0.5
    assert "hardly a question" in found.describe()
    assert found.describe().startswith("Neither the pace of a nor that of b shows a clear change")


def test_what_changed_is_said_in_words():
    rng = np.random.default_rng(3)
    step, flat = rng.poisson(np.repeat([0.3, 2.0], 100)), rng.poisson(1.0, 200)
    other = rng.poisson(np.repeat([2.0, 0.3], [50, 150]))
    one = tempo.shared_changes(series(step, "rockets"), series(flat, "mines")).describe()
    assert one.startswith("The pace of rockets changed, that of mines shows no clear change (")
    apart = tempo.shared_changes(series(step, "rockets"), series(other, "mines"))
    assert apart.shared < 0.2
    assert "They changed apart, most likely on 2020-04-" in apart.describe()
    assert "50 % was assumed before looking" in apart.describe()


@pytest.mark.slow
def test_probability_that_changes_are_shared_is_calibrated():
    """Over the prior: series with one change each, common or not; of cases stated at p, p are common."""
    rng = np.random.default_rng(11)
    stated, truth = [], []
    for _ in range(120):
        common = rng.random() < 0.5
        at = rng.integers(1, 100, 2)
        at = np.full(2, at[0]) if common else at
        rates = rng.gamma(2.0, 0.5, (2, 2))
        pair = [
            series(rng.poisson(np.repeat(r, [k, 100 - k])), name)
            for r, k, name in zip(rates, at, "ab", strict=True)
        ]
        stated.append(tempo.shared_changes(*pair).shared)
        truth.append(common)
    stated, truth = np.array(stated), np.array(truth, dtype=float)
    z = (stated - truth).sum() / math.sqrt((stated * (1 - stated)).sum())
    assert abs(z) < 3
    sure = np.abs(stated - 0.5) > 0.3
    assert sure.sum() > 15
    right = (stated[sure] > 0.5) == (truth[sure] > 0.5)
    assert right.mean() > 0.75
    assert np.mean((stated - truth) ** 2) < 0.24


def test_series_on_other_bins_are_refused():
    a = series([1, 2, 3, 4], "a")
    with pytest.raises(DataError, match="the same bins"):
        tempo.shared_changes(a, a.iloc[1:])
    with pytest.raises(DataError, match="come from Incidents"):
        tempo.shared_changes(a)
    with pytest.raises(OptionError, match="between 0 and 1"):
        tempo.shared_changes(a, a, prior_shared=1)
