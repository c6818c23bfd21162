"""Seasonal factors of the baseline: day of the week, time of the year."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.errors import DataError, OptionError

__all__ = ["Season", "SeasonName", "fit_season"]

type Floats = NDArray[np.float64]
type SeasonName = Literal["week", "year"] | None

#: Events by which the factor of each day of the week is drawn towards 1.
_WEEKLY_WEIGHT = 10.0
#: Standard deviation that the prior gives each coefficient of the two yearly waves.
_WAVE_SPREAD = 0.7
_YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True, eq=False)
class Season:
    """Factors by which a season multiplies the baseline; they go on beyond the data.

    Attributes
    ----------
    name : {"week", "year"} or None
        Which season.
    coefficients : ndarray
        Seven factors of the days of the week from Monday on, or four coefficients of two yearly waves.
    bin_days : float
        Length of a bin: a season of the year is read at its middle.
    occam : float
        What estimating the factors costs, as a log Bayes factor (Laplace's approximation; at most 0). Add it to a log
        evidence that takes them as given before comparing with one that has no season.
    note : str
        What was estimated, as a sentence; empty without a season.
    """

    name: SeasonName
    coefficients: Floats
    bin_days: float
    occam: float
    note: str

    def factors(self, starts: pd.DatetimeIndex) -> Floats:
        """Give the factor of each bin.

        Parameters
        ----------
        starts : pandas.DatetimeIndex, length n
            Bin starts, past or future.

        Returns
        -------
        ndarray, shape (n,)
            Above 0; about 1 on average.
        """
        if self.name is None:
            return np.ones(len(starts))
        if self.name == "week":
            return np.asarray(self.coefficients[starts.day_of_week.to_numpy()])
        return np.asarray(np.exp(_waves(starts, self.bin_days) @ self.coefficients))


def fit_season(
    starts: pd.DatetimeIndex, counts: Floats, exposure: Floats, bin_days: float, name: SeasonName
) -> Season:
    r"""Estimate how the baseline follows a season, with the average over time left at one.

    The factor of a day of the week is its share of the events, drawn towards 1 by ten events. The year has two waves,

    .. math:: \log s_t = \sum_{h=1}^{2} a_h \sin(2 \pi h t) + b_h \cos(2 \pi h t),
              \qquad a_h, b_h \sim N(0, 0.7^2),

    fitted by Poisson regression.

    Parameters
    ----------
    starts : pandas.DatetimeIndex, length n
        Bin starts.
    counts : ndarray, shape (n,)
        Counts; ignored where nothing was observed.
    exposure : ndarray, shape (n,)
        Observed share of each bin.
    bin_days : float
        Length of a bin in days.
    name : {"week", "year"} or None
        Which season; None gives ones.

    Returns
    -------
    Season
        Factors for these bins and later ones.

    Raises
    ------
    DataError
        If the series is too short for the season.
    OptionError
        If there is no such season.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=70, freq="1D")  # a Monday
    >>> season = fit_season(days, np.tile([5.0, 1, 1, 1, 1, 1, 1], 10), np.ones(70), 1.0, "week")
    >>> season.factors(days[:3]).round(2).tolist()
    [2.33, 0.78, 0.78]
    """
    if name is None:
        return Season(None, np.empty(0), bin_days, 0.0, "")
    if name not in {"week", "year"}:
        raise OptionError(f"season is {name!r}; expected 'week', 'year' or None.")
    seen = exposure > 0
    values, share = counts[seen], exposure[seen]
    observed_days = float(share.sum()) * bin_days
    if name == "week":
        if not math.isclose(bin_days, 1.0) or observed_days < 28:
            raise DataError(
                f"season='week' takes daily counts of at least 28 observed days; got bins of {bin_days:g} days and "
                f"{observed_days:.0f} observed days. Leave season out, or count by day."
            )
        day = starts.day_of_week.to_numpy()[seen]
        events = np.bincount(day, weights=values, minlength=7)
        watched = np.bincount(day, weights=share, minlength=7)
        mean = max(float(values.sum() / share.sum()), 1e-12)
        rate = (events + _WEEKLY_WEIGHT) / (watched + _WEEKLY_WEIGHT / mean) / mean
        coefficients = rate / float(rate @ watched / watched.sum())
        occam, what = 0.0, "day of the week"
    else:
        if observed_days < 2 * 365:
            raise DataError(
                f"season='year' takes at least two observed years; got {observed_days:.0f} observed days. Within one "
                "year a season cannot be told from a change: leave season out."
            )
        coefficients, occam = _poisson_regression(values, share, _waves(starts[seen], bin_days))
        what = "time of the year"
    season = Season(name, coefficients, bin_days, occam, "")
    factors = season.factors(starts[seen])
    note = (
        f"The baseline was allowed to follow the {what} (factors {factors.min():.2f} to {factors.max():.2f}, "
        "estimated beforehand)."
    )
    return Season(name, coefficients, bin_days, occam, note)


def _waves(starts: pd.DatetimeIndex, bin_days: float) -> Floats:
    phase = 2 * np.pi * (starts.day_of_year.to_numpy() - 1 + bin_days / 2) / _YEAR_DAYS
    return np.column_stack([f(h * phase) for h in (1, 2) for f in (np.sin, np.cos)])


def _poisson_regression(counts: Floats, exposure: Floats, waves: Floats) -> tuple[Floats, float]:
    """Give the coefficients of the waves at the posterior mode, and their Occam factor, by Newton's method."""
    design = np.column_stack([np.ones(len(waves)), waves])
    precision = np.diag([0.0] + [1 / _WAVE_SPREAD**2] * waves.shape[1])
    beta = np.zeros(design.shape[1])
    beta[0] = math.log((counts.sum() + 0.5) / exposure.sum())
    value = -np.inf
    curvature = precision
    for _ in range(50):
        mean = exposure * np.exp(design @ beta)
        curvature = (design * mean[:, None]).T @ design + precision
        step = np.linalg.solve(curvature, design.T @ (counts - mean) - precision @ beta)
        length = 1.0
        while length > 1e-6:
            trial = beta + length * step
            predictor = design @ trial
            new = float(counts @ predictor - exposure @ np.exp(np.minimum(predictor, 50.0)))
            new -= 0.5 * float(trial @ precision @ trial)
            if new >= value:
                break
            length /= 2
        if length <= 1e-6:
            break
        beta, gain, value = trial, new - value, new
        if gain < 1e-10:
            break
    # The level is summed over elsewhere: only what is left of the curvature beside it counts here.
    beside = curvature[1:, 1:] - np.outer(curvature[1:, 0], curvature[0, 1:]) / curvature[0, 0]
    logdet = float(np.linalg.slogdet(beside * _WAVE_SPREAD**2)[1])
    occam = -0.5 * float(beta @ precision @ beta) - 0.5 * logdet
    return beta[1:], min(occam, 0.0)
