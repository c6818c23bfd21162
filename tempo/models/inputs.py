"""What a count model accepts, turned into the series that it is fitted to."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.errors import FewEventsWarning, OptionError

__all__ = ["FEW_EVENTS", "few_events_note", "imputed_series"]

FEW_EVENTS = 25


def imputed_series(
    data: Incidents | pd.Series, imputations: int, rng: np.random.Generator
) -> tuple[list[Counts], list[str]]:
    """Give the daily series that a fit averages over: one, or several where dates are uncertain.

    Parameters
    ----------
    data : Incidents, Counts or Series
        Counts are taken as they are; incidents are counted by day.
    imputations : int
        How many series to draw where some dates are known only to an interval.
    rng : numpy.random.Generator
        Draws the dates.

    Returns
    -------
    series : list of Counts
        At least one.
    notes : list of str
        What was done, as sentences for the provenance.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=3, freq="1D")
    >>> series, notes = imputed_series(pd.Series([0, 2, 1], index=days), 20, np.random.default_rng(1))
    >>> len(series), notes
    (1, [])
    """
    if imputations < 1:
        raise OptionError(f"imputations is {imputations}; expected at least 1.")
    if not isinstance(data, Incidents):
        counts = as_counts(data)
        note = (
            [f"{counts.n_imputed} dates of this series were drawn from their intervals, once."]
            if counts.n_imputed
            else []
        )
        return [counts], note
    uncertain = data.n_uncertain("1D")
    if not uncertain:
        return data.imputed_counts("1D", 1, rng), []
    text = (
        f"{uncertain} of {len(data)} dates are known only to an interval; the fit averages over {imputations} series "
        "with dates drawn from their intervals."
    )
    return data.imputed_counts("1D", imputations, rng), [text]


def few_events_note(counts: Counts, *, stacklevel: int) -> list[str]:
    """Warn when there are so few events that the data decide little.

    Parameters
    ----------
    counts : Counts
        What was fitted.
    stacklevel : int
        As for ``warnings.warn``, counted from the caller.

    Returns
    -------
    list of str
        The same sentence for the provenance, or nothing.
    """
    events = counts.events
    if events >= FEW_EVENTS:
        return []
    were = "event was" if events == 1 else "events were"
    text = (
        f"only {events} {were} counted; with fewer than {FEW_EVENTS} the answer rests mostly on the prior, "
        "and clustering cannot be told from chance."
    )
    warnings.warn(FewEventsWarning(text), stacklevel=stacklevel + 1)
    return [text[0].upper() + text[1:]]
