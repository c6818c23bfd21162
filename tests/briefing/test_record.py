"""The record of past forecasts: uses nothing from later, pairs its scores, and knows when it can tell nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from tempo.briefing.record import keep_record
from tempo.data.counts import as_counts
from tempo.errors import FitError


class Poisson:
    """A stand-in for a fit: Poisson counts at a given daily rate."""

    def __init__(self, rate):
        self.rate = rate

    def simulate(self, n_bins, draws, rng):
        return rng.poisson(self.rate, (draws, n_bins))


def mean_rate(counts):
    return Poisson(float(counts.mean()) + 1e-3)


def series(values, start="2022-01-01"):
    return as_counts(pd.Series(values, index=pd.date_range(start, periods=len(values), freq="1D")))


def record_of(counts, fitters, **options):
    settings = {"days": 30, "prob": 0.9, "most": 12, "rng": np.random.default_rng(1)} | options
    return keep_record(counts, fitters, baseline="base", **settings)


@pytest.fixture
def counts():
    return series(np.random.default_rng(4).poisson(0.3, 300))


def test_periods_do_not_overlap_and_end_with_the_data(counts):
    record = record_of(counts, {"base": mean_rate})
    origins = record.table["origin"]
    assert record.n_origins == len(origins) == 8
    assert (origins.diff().dropna() == pd.Timedelta("30D")).all()
    assert record.table["end"].iloc[-1] == counts.end
    assert record.table["outcome"].tolist()[-1] == int(counts.iloc[-30:].sum())


def test_a_forecast_sees_nothing_from_its_origin_on(counts):
    seen = []

    def fit(before):
        seen.append(before.end)
        return mean_rate(before)

    record = record_of(counts, {"base": fit})
    assert seen == record.table["origin"].tolist()
    changed = counts.to_numpy().copy()
    changed[-30:] += 5
    again = record_of(series(changed), {"base": mean_rate})
    same = ["origin", "at_least_one", "low", "high"]
    pd.testing.assert_frame_equal(again.table[same], record.table[same])
    assert again.table["outcome"].iloc[-1] == record.table["outcome"].iloc[-1] + 150


def test_log_score_and_coverage_are_those_of_the_forecast(counts):
    record = record_of(counts, {"base": lambda _: Poisson(0.3)}, draws=200_000)
    exact = poisson.logpmf(record.table["outcome"], 9.0)
    np.testing.assert_allclose(record.table["log_score"], exact, atol=0.1)
    low, high = poisson.ppf([0.05, 0.95], 9.0)
    assert set(record.table["low"]) == {int(low)}
    assert set(record.table["high"]) == {int(high)}
    assert record.coverage("base") == (int(record.table["outcome"].between(low, high).sum()), 8)


def test_gain_is_paired_and_has_the_right_sign(counts):
    fitters = {"base": mean_rate, "good": lambda _: Poisson(0.3), "bad": lambda _: Poisson(3.0)}
    record = record_of(counts, fitters)
    assert record.gain("base") == (0.0, 0.0)
    assert record.gain("bad")[0] < -5
    assert abs(record.gain("good")[0]) < 0.5
    assert np.isnan(record.gain("absent")[0])


def test_a_model_that_cannot_be_fitted_misses_its_origins_only(counts):
    def sometimes(before):
        if len(before) < 150:
            raise FitError
        return mean_rate(before)

    record = record_of(counts, {"base": mean_rate, "other": sometimes})
    assert record.coverage("base")[1] == 8
    assert 2 <= record.coverage("other")[1] < 8
    assert not np.isnan(record.gain("other")[0])


def test_short_or_uniform_pasts_tell_nothing():
    assert record_of(series([1] * 60), {"base": mean_rate}).n_origins == 0
    silent = record_of(series([0] * 300), {"base": mean_rate, "other": lambda _: Poisson(0.001)})
    assert silent.n_origins == 8
    assert np.isnan(silent.gain("other")[0])


def test_periods_with_unobserved_days_are_left_out():
    values = np.ones(300)
    values[250] = np.nan
    record = record_of(series(values), {"base": lambda _: Poisson(1.0)})
    assert record.n_origins == 7
    assert not (
        (record.table["origin"] <= "2022-09-08") & (record.table["end"] > "2022-09-08")
    ).any()
