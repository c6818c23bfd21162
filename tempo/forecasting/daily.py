"""Daily counts for scenarios, with uncertain dates drawn several times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.errors import DataError
from tempo.randomness import RNGLike

__all__ = ["daily_series"]


def daily_series(
    past: Incidents | Counts | pd.Series, imputations: int, rng: RNGLike
) -> list[Counts]:
    """Give the daily counts, once for each draw of the uncertain dates.

    Parameters
    ----------
    past : Incidents, Counts or Series
        Attacks of one counting rule.
    imputations : int
        How many draws, where there are uncertain dates; one series otherwise.
    rng : int, Generator or None
        Draws the dates.

    Returns
    -------
    list of Counts
        All on the same days.

    Raises
    ------
    DataError
        If counts are given that are not daily.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": ["2020-01-02"]})
    >>> len(daily_series(Incidents(table, ("2020-01-01", "2020-01-11")), 20, 0))
    1
    """
    if isinstance(past, Incidents):
        if past.n_uncertain("1D"):
            return past.imputed_counts("1D", imputations, rng)
        return [past.counts("1D")]
    counts = as_counts(past)
    if not np.allclose(counts.bin_days, 1.0):
        raise DataError(
            f"the counts have bins of {counts.bin_days[0]:g} days; scenarios are weighed day by day. "
            "Pass the incidents, or incidents.counts('1D')."
        )
    return [counts]
