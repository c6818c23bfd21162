"""What a scenario learns from the days before it begins: the rate, the kinds, and how many attacks kill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import number, percent
from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.laws import Chance, GammaRate, Kinds

__all__ = ["learned_kinds", "learned_lethality", "learned_rate", "of_reported", "rate_of_part"]

_JEFFREYS = 0.5  # what the Jeffreys prior adds to a number of events


def learned_rate(
    series: Sequence[Counts], until: pd.Timestamp, base_days: int | None = None
) -> GammaRate:
    """Learn a rate from earlier days, with the Jeffreys prior.

    Parameters
    ----------
    series : sequence of Counts
        Daily counts, one for each draw of uncertain dates; their mean number counts.
    until : pandas.Timestamp
        Only days before this one are used.
    base_days : int, optional
        Only so many of them; all when left out.

    Returns
    -------
    GammaRate
        With where it comes from.

    Raises
    ------
    ScenarioError
        If no such day was observed.

    Examples
    --------
    >>> from tempo.data.counts import as_counts
    >>> days = pd.date_range("2020-01-01", periods=50)
    >>> learned_rate([as_counts(pd.Series(1, index=days))], pd.Timestamp("2020-01-11")).shape
    10.5
    """
    longest = np.inf if base_days is None else base_days
    earlier = [
        one.select(
            np.asarray((one.bin_ends <= until) & ((until - one.bin_starts) / DAY <= longest))
        )
        for one in series
    ]
    days = float(earlier[0].exposure.sum()) if len(earlier[0]) else 0.0
    if days < 1:
        raise ScenarioError(
            f"the story may begin on {until:%Y-%m-%d}, before which there are no observed days from which to learn the "
            "earlier rate. Give a later onset, or more past."
        )
    events = float(np.mean([one.events for one in earlier]))
    words = f"{number(events)} in the {number(days, 3)} observed days before {until:%Y-%m-%d}"
    learned = "past" if base_days is None else str(base_days)
    return GammaRate(_JEFFREYS + events, days, words, learned)


def of_reported(
    rate: GammaRate, until: pd.Timestamp, watched: Counts, curves: NDArray[np.float64]
) -> GammaRate:
    r"""Give a learned rate as it is if part of the attacks of its last days is not in the record yet.

    With a share :math:`s_t` of the attacks of day :math:`t` reported by now, the number of reported ones is Poisson
    with mean :math:`\lambda \sum_t s_t`, so that each day counts for that share of a day.

    Parameters
    ----------
    rate : GammaRate
        What ``learned_rate`` gave.
    until : pandas.Timestamp
        Only days before this one were used.
    watched : Counts
        Daily counts with the exposure of the days.
    curves : ndarray of float, shape (curves, days)
        Share of the attacks of each of these days that has been reported by now; curves are averaged over.

    Returns
    -------
    GammaRate
        Of all attacks that will ever be reported: the days that are still missing reports count for less.

    Raises
    ------
    ScenarioError
        If so few attacks of these days are reported by now that nothing can be learned from them.

    Examples
    --------
    >>> from tempo.data.counts import as_counts
    >>> counts = as_counts(pd.Series(1, index=pd.date_range("2020-01-01", periods=50)))
    >>> share = np.where(np.arange(50) < 40, 1.0, 0.5)[None, :]
    >>> known = of_reported(learned_rate([counts], counts.end), counts.end, counts, share)
    >>> known.shape, known.rate_days, known.words
    (50.5, 45.0, '50 in the 50 observed days before 2020-02-20, of whose attacks 90 % are in the record')
    """
    age = np.asarray((until - watched.bin_starts) / DAY)
    used = age >= 1
    if rate.learned.isdigit():
        used &= age <= int(rate.learned)
    exposure = watched.exposure.to_numpy(dtype=float)[used]
    missing = float((exposure * (1.0 - curves[:, used])).sum(axis=1).mean())
    if missing == 0.0:
        return rate
    # Where the story was told about a shorter record, it is the same share of the days that is missing.
    missing *= min(1.0, rate.rate_days / float(exposure.sum()))
    left = rate.rate_days - missing
    if left < 1:
        raise ScenarioError(
            f"a rate was learned from {rate.words}, but by the stated delay hardly an attack of these days is in the "
            "record yet. Learn it from more days."
        )
    words = f"{rate.words}, of whose attacks {percent(left / rate.rate_days)} are in the record"
    return replace(rate, rate_days=left, words=words)


def rate_of_part(
    whole: GammaRate,
    rates: NDArray[np.float64],
    part: GammaRate,
    level: NDArray[np.float64],
) -> NDArray[np.float64]:
    r"""Draw the rate of the last part of some days, given drawn rates of all of them, learned from the same attacks.

    With :math:`a` and :math:`d` shape and days of the whole, and :math:`b` and :math:`e` those of the part, a rate
    :math:`\lambda \sim \mathrm{Gamma}(a, d)` is :math:`(G_1 + G_2) / d` with :math:`G_1 \sim \mathrm{Gamma}(b)` from
    the attacks of the part and :math:`G_2 \sim \mathrm{Gamma}(a - b)` from the others, and the rate of the part is
    :math:`G_1 / e`. Given the sum, :math:`G_1` is a Beta-distributed share of it. Both rates keep the distributions
    that they have alone, and where the part is the whole they are the same number.

    Parameters
    ----------
    whole : GammaRate
        What was learned from all days.
    rates : ndarray of float, shape (draws,)
        Drawn from it.
    part : GammaRate
        What was learned from the last of these days.
    level : ndarray of float, shape (draws,)
        Between 0 and 1.

    Returns
    -------
    ndarray of float, shape (draws,)
        Attacks per day.

    Examples
    --------
    >>> year = GammaRate(10.5, 365, "10 in 365 days", "past")
    >>> rate_of_part(year, np.array([0.03]), year, np.array([0.5])).round(9).tolist()
    [0.03]
    """
    if part.shape > whole.shape or part.rate_days > whole.rate_days:
        return part.quantile(level)  # not learned from the same days after all
    others = whole.shape - part.shape
    share = special.betaincinv(part.shape, others, level) if others > 0 else 1.0
    return np.asarray(rates * whole.rate_days * share / part.rate_days)


def learned_kinds(past: Incidents, until: pd.Timestamp) -> Kinds:
    """Learn the shares of the kinds from earlier attacks.

    Parameters
    ----------
    past : Incidents
        Attacks with a column ``kind``.
    until : pandas.Timestamp
        Only attacks that certainly came before this day are used.

    Returns
    -------
    Kinds
        Dirichlet with half an attack for each kind besides those seen, and half an attack for "other", which holds
        every kind that was not seen before.

    Raises
    ------
    ScenarioError
        If no kind is known.
    """
    rows = past.table[past.table["date_end"] < until]
    seen = rows["kind"].dropna().value_counts().sort_index() if "kind" in rows else pd.Series()
    if not len(seen):
        raise ScenarioError(
            f"of no attack before {until:%Y-%m-%d} is the kind known, so their shares cannot be learned. Give the "
            "shares, or leave kinds out."
        )
    number_of = {str(name): float(n) + _JEFFREYS for name, n in seen.items()}
    number_of.setdefault("other", _JEFFREYS)
    return Kinds(tuple(number_of), tuple(number_of.values()), learned="past")


def learned_lethality(past: Incidents, until: pd.Timestamp) -> Chance:
    """Learn how probable it is that an attack kills anyone.

    Parameters
    ----------
    past : Incidents
        Attacks with a column ``killed``; ``killed_low`` and ``killed_high`` are looked at too.
    until : pandas.Timestamp
        Only attacks that certainly came before this day are used.

    Returns
    -------
    Chance
        Beta posterior under the Jeffreys prior. Attacks of which it is not known whether they killed are left out.

    Raises
    ------
    ScenarioError
        If there is no such column.
    """
    if "killed" not in past.table:
        raise ScenarioError(
            "lethality is to be learned from the past, but the incidents have no column 'killed'. Add it, or give an "
            "interval such as '10-30 %'."
        )
    rows = past.table[past.table["date_end"] < until]
    best = rows["killed"].to_numpy(dtype=float, na_value=np.nan)
    low, high = (
        np.where(np.isnan(end), best, end)
        for end in (
            rows[name].to_numpy(dtype=float, na_value=np.nan) if name in rows else best
            for name in ("killed_low", "killed_high")
        )
    )
    killed, not_killed = float((low > 0).sum()), float((high == 0).sum())
    return Chance(killed + _JEFFREYS, not_killed + _JEFFREYS, family="beta", learned="past")
