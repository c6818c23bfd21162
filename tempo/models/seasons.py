"""Seasonal factors of the baseline: day of the week, time of the year."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.errors import DataError, OptionError

__all__ = ["season_factors"]

type Floats = NDArray[np.float64]


def season_factors(
    counts: Counts, season: Literal["week", "year"] | None
) -> tuple[Floats, list[str]]:
    """Give the factor by which the season multiplies the baseline in each bin, with mean one.

    Weekly factors are the mean count of each day of the week, shrunk towards one by ten events; yearly ones come from
    two harmonics fitted by Poisson regression (statsmodels).

    Parameters
    ----------
    counts : Counts
        Daily counts.
    season : {"week", "year"} or None
        Which season; None gives ones.

    Returns
    -------
    factors : ndarray, shape (n,)
        Above 0.
    notes : list of str
        What was estimated.

    Raises
    ------
    DataError
        If the series is too short for the season.

    Examples
    --------
    >>> import pandas as pd
    >>> from tempo.data.counts import as_counts
    >>> days = pd.date_range("2024-01-01", periods=70, freq="1D")  # a Monday
    >>> busy = as_counts(pd.Series([5, 1, 1, 1, 1, 1, 1] * 10, index=days))
    >>> factors, _ = season_factors(busy, "week")
    >>> bool(factors[0] > 2.5), bool(factors[1] < 1)
    (True, True)
    """
    if season is None:
        return np.ones(len(counts)), []
    exposure = counts.exposure.to_numpy()
    values = np.nan_to_num(counts.to_numpy(dtype=float))
    if season == "week":
        if not np.allclose(counts.bin_days, 1.0) or exposure.sum() < 28:
            raise DataError("a weekly season takes at least 28 observed days of daily counts.")
        day = counts.bin_starts.dayofweek.to_numpy()
        events = np.bincount(day, weights=values, minlength=7)
        watched = np.bincount(day, weights=exposure, minlength=7)
        mean = values.sum() / exposure.sum()
        strength = 10.0 / max(mean, 1e-9)
        rate = (events + 10.0) / (watched + strength) / max(mean, 1e-9)
        factors = rate[day]
        what = "day of the week"
    elif season == "year":
        import statsmodels.api as sm

        if exposure.sum() * np.median(counts.bin_days) < 2 * 365:
            raise DataError(
                "a yearly season takes at least two observed years: within one, it cannot be told from a change."
            )
        phase = 2 * np.pi * counts.bin_starts.dayofyear.to_numpy() / 365.25
        columns = [np.ones_like(phase)]
        columns += [f(h * phase) for h in (1, 2) for f in (np.sin, np.cos)]
        design = np.column_stack(columns)
        seen = exposure > 0
        model = sm.GLM(
            values[seen], design[seen], family=sm.families.Poisson(), exposure=exposure[seen]
        ).fit()
        factors = np.exp(design[:, 1:] @ np.asarray(model.params)[1:])
        what = "time of the year"
    else:
        raise OptionError(f"season is {season!r}; expected 'week', 'year' or None.")
    factors = factors / np.average(factors, weights=np.maximum(exposure, 1e-12))
    low, high = factors.min(), factors.max()
    return factors, [
        f"The baseline was allowed to follow the {what} (factors {low:.2f} to {high:.2f}, estimated beforehand)."
    ]
