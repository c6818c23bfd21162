"""Seasonal factors: recovered, carried on beyond the data, and charged for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from tempo.errors import DataError, OptionError
from tempo.models.seasons import fit_season

YEARS = pd.date_range("2015-01-01", periods=4 * 365, freq="1D")


def wave(starts: pd.DatetimeIndex, size: float) -> np.ndarray:
    return np.exp(size * np.sin(2 * np.pi * (starts.day_of_year - 0.5) / 365.25))


def test_yearly_factors_are_recovered_and_go_on() -> None:
    counts = np.random.default_rng(1).poisson(2.0 * wave(YEARS, 0.8)).astype(float)
    season = fit_season(YEARS, counts, np.ones(len(YEARS)), 1.0, "year")
    later = pd.date_range("2019-03-01", periods=300, freq="1D")
    np.testing.assert_allclose(season.factors(later), wave(later, 0.8), rtol=0.15)
    assert season.occam < -3
    assert "time of the year" in season.note


def test_yearly_regression_agrees_with_statsmodels_where_the_prior_is_weak() -> None:
    counts = np.random.default_rng(2).poisson(20.0 * wave(YEARS, 0.5)).astype(float)
    exposure = np.where(np.arange(len(YEARS)) % 5 == 0, 0.5, 1.0)
    season = fit_season(YEARS, counts, exposure, 1.0, "year")
    phase = 2 * np.pi * (YEARS.day_of_year.to_numpy() - 0.5) / 365.25
    design = np.column_stack(
        [np.ones(len(phase))] + [f(h * phase) for h in (1, 2) for f in (np.sin, np.cos)]
    )
    peer = sm.GLM(counts, design, family=sm.families.Poisson(), exposure=exposure).fit()
    np.testing.assert_allclose(season.coefficients, np.asarray(peer.params)[1:], atol=2e-3)


def test_no_season_is_found_where_there_is_none_or_nothing() -> None:
    quiet = fit_season(YEARS, np.zeros(len(YEARS)), np.ones(len(YEARS)), 1.0, "year")
    np.testing.assert_allclose(quiet.factors(YEARS), 1.0, atol=0.2)
    none = fit_season(YEARS, np.ones(len(YEARS)), np.ones(len(YEARS)), 1.0, None)
    assert (none.factors(YEARS) == 1).all()
    assert (none.occam, none.note) == (0.0, "")


def test_weekly_factors_average_to_one_over_the_days_watched() -> None:
    rng = np.random.default_rng(3)
    exposure = (rng.random(len(YEARS)) < 0.8).astype(float)
    counts = rng.poisson(np.where(YEARS.day_of_week == 4, 2.0, 0.5)) * exposure
    season = fit_season(YEARS, counts, exposure, 1.0, "week")
    factors = season.factors(YEARS)
    assert factors @ exposure / exposure.sum() == pytest.approx(1.0)
    assert season.coefficients[4] == pytest.approx(7 * 2 / 5, rel=0.1)
    unseen = np.where(exposure > 0, counts, 99.0)
    again = fit_season(YEARS, unseen, exposure, 1.0, "week")
    np.testing.assert_array_equal(again.coefficients, season.coefficients)


def test_too_short_series_and_unknown_seasons_are_refused() -> None:
    ones = np.ones(400)
    with pytest.raises(DataError, match="two observed years"):
        fit_season(YEARS[:400], ones, ones, 1.0, "year")
    with pytest.raises(DataError, match="28 observed days"):
        fit_season(YEARS[:20], ones[:20], ones[:20], 1.0, "week")
    with pytest.raises(DataError, match="bins of 7 days"):
        fit_season(YEARS[:400:7], ones[:58], ones[:58], 7.0, "week")
    with pytest.raises(OptionError, match="'moon'"):
        fit_season(YEARS, np.ones(len(YEARS)), np.ones(len(YEARS)), 1.0, "moon")
