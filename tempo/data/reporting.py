"""Reporting delay: how long attacks take to enter the record, so that the last days are not read as a lull.

Only attacks that have been reported are in the data, so that short delays are over-represented among recent ones.
The estimate corrects for this: an attack of ``a`` days ago could be seen only if its delay is at most ``a``
(right truncation). The probability of a delay of exactly ``d`` days given that it is at most ``d`` can be read off
the attacks old enough to have shown it, and the product of what remains gives the distribution: Kalbfleisch and
Lawless (1989), *Journal of the American Statistical Association* 84; it is Kaplan and Meier's estimate run backwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, interval, number, percent
from tempo.data.table import latest_onset
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError, OptionError
from tempo.randomness import RNGLike, resolve

__all__ = ["ReportingDelay", "reporting_delay"]

type Floats = NDArray[np.float64]

_FEW = 20
_LONGEST = 3650


@dataclass(frozen=True, repr=False, eq=False)
class ReportingDelay:
    """How long attacks take to be reported.

    Attributes
    ----------
    share : ndarray of float, shape (longest + 1,)
        Share of all attacks reported within 0, 1, 2, … days; the last one is 1.
    curves : ndarray of float, shape (n, longest + 1)
        The same, drawn anew: their spread is what the data leave open.
    words : str
        Where it comes from.
    notes : tuple of str
        Doubts.

    Examples
    --------
    >>> ReportingDelay.within(2, 14)
    ReportingDelay: half of all attacks are reported within 5 days, 90 % within 11 days (2 to 14 days, as stated)
    """

    share: Floats
    curves: Floats
    words: str
    notes: tuple[str, ...] = ()

    @classmethod
    def within(cls, low_days: float, high_days: float, prob: float = 0.9) -> Self:
        """Give the delay that somebody stated.

        Parameters
        ----------
        low_days, high_days : float
            Central interval of the delay; its distribution is log-normal. With ``low_days`` 0, each whole number of
            days up to ``high_days`` alike.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        ReportingDelay
            In whole days, without uncertainty of its own.

        Raises
        ------
        OptionError
            If the interval is empty or too long.

        Examples
        --------
        >>> ReportingDelay.within(2, 14).reported_share([0, 5, 30]).round(2).tolist()
        [[0.0, 0.58, 1.0]]
        """
        numbers = all(isinstance(x, int | float | np.number) for x in (low_days, high_days, prob))
        if not (numbers and 0 <= low_days < high_days < _LONGEST and 0 < prob < 1):
            raise OptionError(
                f"the delay is {low_days!r} to {high_days!r} days with probability {prob!r}; expected two numbers of "
                f"days from 0 up and below {_LONGEST:,}, the lower one first."
            )
        if low_days == 0:
            most = max(round(high_days), 1)
            alike = np.arange(1, most + 2) / (most + 1)
            return cls(alike, alike[None, :], f"up to {counted(most, 'days')}, as stated")
        low, high = math.log(low_days), math.log(high_days)
        sd = (high - low) / (2 * NormalDist().inv_cdf((1 + prob) / 2))
        law = NormalDist((low + high) / 2, sd)
        longest = min(math.ceil(math.exp(law.inv_cdf(0.9995))), _LONGEST)
        share = np.array([law.cdf(math.log(day + 1)) for day in range(longest + 1)])
        share[-1] = 1.0
        return cls(share, share[None, :], f"{interval(low_days, high_days)} days, as stated")

    @property
    def table(self) -> pd.DataFrame:
        """Share reported within so many days, with a 90 % interval."""
        low, high = np.quantile(self.curves, [0.05, 0.95], axis=0)
        return pd.DataFrame(
            {"share": self.share, "low": low, "high": high},
            index=pd.RangeIndex(len(self.share), name="days"),
        )

    def reported_share(self, age_days: ArrayLike) -> Floats:
        """Give the share of the attacks of some days that has been reported by now.

        Parameters
        ----------
        age_days : array-like of int, shape (n,)
            Whole days between the day of the attack and the last day on which reports were taken in; 0 is that
            day itself.

        Returns
        -------
        ndarray of float, shape (curves, n)
            One row for each curve; 0 for days to come.
        """
        age = np.asarray(age_days, dtype=int)
        found = self.curves[:, np.clip(age, 0, len(self.share) - 1)]
        return np.asarray(np.where(age < 0, 0.0, found))

    def days_until(self, share: float) -> int:
        """Give the number of days within which so large a share is reported.

        Parameters
        ----------
        share : float
            Between 0 and 1.

        Returns
        -------
        int
            Days.
        """
        if not isinstance(share, int | float | np.number) or not 0 < share < 1:
            raise OptionError(
                f"share is {share!r}; expected a number between 0 and 1, such as 0.9."
            )
        return int(np.argmax(self.share >= share))

    def __repr__(self) -> str:
        def days(count: int) -> str:
            return (
                "on the same day"
                if count == 0
                else f"within {number(count)} day{'' if count == 1 else 's'}"
            )

        return (
            f"ReportingDelay: half of all attacks are reported {days(self.days_until(0.5))}, {percent(0.9)} "
            f"{days(self.days_until(0.9))} ({self.words})"
        )


def reporting_delay(
    incidents: Incidents, *, as_of: DateLike | None = None, draws: int = 64, rng: RNGLike = 0
) -> ReportingDelay:
    r"""Estimate the reporting delay from the dates on which attacks were reported.

    With :math:`n_d` attacks reported after :math:`d` days and :math:`N_d` attacks at least :math:`d` days old that
    were reported within :math:`d` days, :math:`P(D = d \mid D \le d) = n_d / N_d`, and the share reported within
    :math:`d` days is :math:`\prod_{k > d} (1 - n_k / N_k)`. Delays longer than any that could be seen are unknown.

    Parameters
    ----------
    incidents : Incidents
        With ``reported_at``. Rows without it, or whose date is not known to the day, are left out.
    as_of : date-like, optional
        Reports from this day on are not used. Default: the cut-off of the incidents, else the end of the window.
    draws : int, default 64
        Curves that show the uncertainty; each :math:`n_d / N_d` is drawn from its Beta posterior. Where it is 1, the
        posterior under the Jeffreys prior takes its place.
    rng : int, Generator or None, default 0
        Draws them.

    Returns
    -------
    ReportingDelay
        In whole days.

    Raises
    ------
    DataError
        If there is nothing to learn from.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=90)})
    >>> table["reported_at"] = table["date_start"] + pd.to_timedelta([0, 2, 9] * 30, unit="D")
    >>> past = Incidents(table, ("2020-01-01", "2020-04-01")).before("2020-03-31")
    >>> reporting_delay(past).share.round(2)[[0, 1, 2, 8, 9]].tolist()
    [0.34, 0.34, 0.67, 0.67, 1.0]
    """
    if not isinstance(draws, int | np.integer) or draws < 1:
        raise OptionError(f"draws is {draws!r}; expected a whole number, at least 1.")
    if not isinstance(incidents, Incidents):
        raise DataError(
            f"got {type(incidents).__name__}; a reporting delay is learned from tempo.Incidents with reported_at."
        )
    table = incidents.table
    if "reported_at" not in table or not table["reported_at"].notna().any():
        raise DataError(
            "no incident says when it was reported (column 'reported_at'), so that the delay cannot be learned. State "
            "it in words instead, such as '2-14 days'."
        )
    known = incidents.cutoff or incidents.window.end
    cut = known if as_of is None else as_date(as_of, "as_of")
    if incidents.cutoff is not None and cut > known:
        raise DataError(
            f"as_of is {cut:%Y-%m-%d}, but the data were cut at {known:%Y-%m-%d}: what was reported in between is not "
            "in them. Leave as_of out, or cut later."
        )
    start = pd.DatetimeIndex(table["date_start"]).normalize()
    exact = np.asarray(start == pd.DatetimeIndex(latest_onset(table)).normalize())
    reported = pd.DatetimeIndex(table["reported_at"]).normalize()
    usable = exact & np.asarray(reported < cut)
    delay = np.asarray((reported[usable] - start[usable]) / DAY, dtype=int)
    seen_for = np.asarray((cut - DAY - start[usable]) / DAY, dtype=int)
    early = int((delay < 0).sum())
    delay, seen_for = delay[delay >= 0], seen_for[delay >= 0]
    if not len(delay):
        raise DataError(
            f"none of {len(table)} incidents has a date known to the day and a report before {cut:%Y-%m-%d}, so that "
            "the delay cannot be learned. State it in words instead, such as '2-14 days'."
        )
    longest = int(delay.max())
    n = np.bincount(delay, minlength=longest + 1)
    days = np.arange(longest + 1)
    at_risk = ((delay[:, None] <= days) & (days <= seen_for[:, None])).sum(axis=0)
    generator = resolve(rng).generator
    chance = n / np.maximum(at_risk, 1)
    drawn = np.tile(chance, (draws, 1))
    open_ = (n > 0) & (n < at_risk)
    drawn[:, open_] = generator.beta(n[open_], (at_risk - n)[open_], size=(draws, int(open_.sum())))
    notes = []
    # Where nothing as old was reported sooner, the ratio is 1 and would say that nothing is ever reported sooner.
    alone = (n > 0) & (n == at_risk) & (days > delay.min())
    if alone.any():
        chance[alone] = (n[alone] + 0.5) / (n[alone] + 1.0)
        drawn[:, alone] = generator.beta(n[alone] + 0.5, 0.5, size=(draws, int(alone.sum())))
        notes.append(
            f"No attack old enough to show a delay of {int(days[alone][0])} days was reported sooner, so that it is "
            "hardly known how common such delays are."
        )
    if len(delay) < _FEW:
        notes.append(f"The reporting delay rests on {len(delay)} reports only.")
    if early:
        notes.append(f"{early} rows were reported before they happened, and were left out.")
    return ReportingDelay(
        _backwards(chance[None, :])[0],
        _backwards(drawn),
        f"{len(delay):,} reports before {cut:%Y-%m-%d}",
        tuple(notes),
    )


def _backwards(chance: Floats) -> Floats:
    """Give the distribution function from the chance of each delay among those no longer."""
    left = np.cumprod((1.0 - chance)[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([left[:, 1:], np.ones((len(chance), 1))], axis=1)
