"""Scenarios: what somebody thinks may be going on, as a distribution over rates through time.

A scenario is a generative story in phases. Each phase has a rate of attacks that is known only to an interval; a
later phase begins on a day that may be uncertain and may last an uncertain time. Drawing from the story gives daily
rates; the probability that it gives to what was then observed is its evidence (``tempo.weigh``), and the draws that
agree with what was observed are its forecast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.stats import qmc

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import interval, number, percent
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.daily import daily_series
from tempo.forecasting.spans import RateInterval, days_of, duration_interval, rate_interval
from tempo.randomness import RNGLike, resolve

__all__ = ["Escalation", "GammaRate", "Scenario"]

_JEFFREYS = 0.5  # shape that the Jeffreys prior of a Poisson rate adds to the number of events


@dataclass(frozen=True, slots=True)
class GammaRate:
    """A rate of attacks with a Gamma distribution.

    Attributes
    ----------
    shape : float
        Shape of the Gamma distribution.
    rate_days : float
        Its rate parameter, in days: the mean is ``shape / rate_days`` attacks per day.
    words : str
        Where it comes from, in words.

    Examples
    --------
    >>> rate = GammaRate.within(1 / 91.3, 1 / 60.9, words="one every 2 to 3 months")
    >>> round(1 / rate.quantile(0.95)), round(1 / rate.quantile(0.05))
    (61, 91)
    """

    shape: float
    rate_days: float
    words: str

    @classmethod
    def within(cls, low_per_day: float, high_per_day: float, words: str, prob: float = 0.9) -> Self:
        """Give the Gamma distribution with this central interval.

        The ratio of two quantiles of a Gamma distribution depends on its shape alone, so the shape solves one
        equation and the scale follows.

        Parameters
        ----------
        low_per_day, high_per_day : float
            Ends of the interval, in attacks per day.
        words : str
            Where they come from.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        GammaRate
            Exact to rounding.

        Raises
        ------
        ScenarioError
            If the interval is empty, or so narrow or wide that no Gamma distribution has it.
        """
        if not (0 < low_per_day < high_per_day and 0 < prob < 1):
            raise ScenarioError(
                f"no rate lies in the interval from {low_per_day} to {high_per_day} a day with probability {prob}. "
                "Give two rates above 0, the lower one first."
            )
        wanted = math.log(high_per_day / low_per_day)
        tails = np.array([(1 - prob) / 2, (1 + prob) / 2])

        def spread(log_shape: float) -> float:
            low, high = stats.gamma.ppf(tails, math.exp(log_shape))
            return math.log(high / low) - wanted if low > 0 else math.inf

        # A Gamma distribution of shape k has a logarithm with a standard deviation near 1 / sqrt(k).
        lowest, highest = math.log(1e-2), math.log(1e9)
        if not spread(highest) < 0 < spread(lowest):
            raise ScenarioError(
                f"the interval from {low_per_day:g} to {high_per_day:g} a day is too narrow or too wide for a Gamma "
                "distribution. Give ends that differ by more than a hundredth of a percent and by less than a "
                "factor of 10^20."
            )
        shape = math.exp(optimize.brentq(spread, lowest, highest, xtol=1e-12))
        return cls(shape, float(stats.gamma.ppf(tails[1], shape)) / high_per_day, words)

    @property
    def mean_per_day(self) -> float:
        """Mean rate, attacks per day."""
        return self.shape / self.rate_days

    def quantile(self, level: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Give quantiles of the rate.

        Parameters
        ----------
        level : float or ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray of float
            Attacks per day.
        """
        return np.asarray(stats.gamma.ppf(level, self.shape)) / self.rate_days


@dataclass(frozen=True, slots=True)
class Escalation:
    """A phase in which the rate is a multiple of what it was before.

    Attributes
    ----------
    multiplier : tuple of float
        Central interval of the multiple; its distribution is log-normal.
    prob : float
        Probability of the interval.
    onset : tuple of pandas.Timestamp
        The phase begins on a day of this half-open stretch, each day alike.
    duration_days : tuple of float or None
        Central interval of its length, log-normal; None: it does not end.
    """

    multiplier: tuple[float, float]
    prob: float
    onset: tuple[pd.Timestamp, pd.Timestamp]
    duration_days: tuple[float, float] | None = None


@dataclass(frozen=True, repr=False)
class Scenario:
    """A named story about the tempo of attacks; build one with ``Scenario.every`` or ``Scenario.escalation``.

    Attributes
    ----------
    name : str
        How charts and sentences call it.
    rate : GammaRate
        The rate at first.
    escalation_phase : Escalation or None
        A phase with another rate, where the story has one.

    Examples
    --------
    >>> Scenario.every("2-3 months", name="sporadic")
    Scenario 'sporadic': one every 2 to 3 months; 90 days hold 0 to 3 attacks (90 % interval)
    """

    name: str
    rate: GammaRate
    escalation_phase: Escalation | None = None

    @classmethod
    def every(cls, interval: str | tuple[float, float], name: str, *, prob: float = 0.9) -> Self:
        """Give the scenario of a steady rate that somebody put in words.

        Parameters
        ----------
        interval : str or (low_per_day, high_per_day)
            ``"2-3 months"`` (the gap between attacks), ``"3-5 a week"``, or two rates per day.
        name : str
            How to call it.
        prob : float, default 0.9
            Probability with which the rate lies in the interval: it becomes the central interval of a Gamma
            distribution.

        Returns
        -------
        Scenario
            A constant rate with that distribution.

        Raises
        ------
        ScenarioError
            If the words are not understood; the message lists the accepted forms.

        Examples
        --------
        >>> sporadic = Scenario.every("2-3 months", name="sporadic")
        >>> round(30.4375 / sporadic.rate.mean_per_day / 30.4375)
        74
        """
        if isinstance(interval, str):
            said = rate_interval(interval)
        else:
            try:
                low, high = (float(rate) for rate in interval)
            except (TypeError, ValueError) as error:
                raise ScenarioError(
                    f"the rate is {interval!r}; expected words such as '2-3 months', or two rates per day."
                ) from error
            said = RateInterval(low, high, f"{number(low)} to {number(high)} a day")
        return cls(name, GammaRate.within(said.low_per_day, said.high_per_day, said.words, prob))

    @classmethod
    def escalation(
        cls,
        past: Incidents | Counts | pd.Series,
        rate_multiplier: tuple[float, float] = (3, 8),
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] = "30D",
        duration: str | None = None,
        name: str = "escalation",
        prob: float = 0.9,
    ) -> Self:
        """Give the scenario that the rate has jumped to a multiple of what it was.

        The earlier rate is a Gamma distribution learned from ``past`` before the onset (Jeffreys prior), so that
        the same attacks are never used twice: they either set the earlier rate or judge the scenario.

        Parameters
        ----------
        past : Incidents, Counts or Series
            Attacks of the same counting rule, up to the day on which the question is asked.
        rate_multiplier : (low, high), default (3, 8)
            Central interval of the multiple (log-normal).
        onset : str, date or (date, date), default "30D"
            When the escalation began: within the last so many days of ``past``, on a date, or on a day of a
            half-open stretch (each day alike).
        duration : str, optional
            How long it lasts, such as ``"2-6 weeks"`` (log-normal); the rate then falls back. Left out: it lasts
            beyond every horizon.
        name : str, default "escalation"
            How to call it.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        Scenario
            With the earlier rate and the jump.

        Raises
        ------
        ScenarioError
            If the onset leaves no earlier data, or an interval cannot be used.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> Scenario.escalation(past, (3, 8)).escalation_phase.onset[0].date().isoformat()
        '2020-02-11'
        """
        series = daily_series(past, 20, 0)
        counts = series[0]
        try:
            low, high = (float(value) for value in rate_multiplier)
        except (TypeError, ValueError):
            low = high = math.nan
        if not 0 < low < high < math.inf:
            raise ScenarioError(
                f"rate_multiplier is {rate_multiplier!r}; expected two numbers above 0, the lower one "
                "first, such as (3, 8)."
            )
        if not 0 < prob < 1:
            raise ScenarioError(f"prob is {prob!r}; expected a probability between 0 and 1.")
        begins = _onset(onset, counts)
        earlier = [one.select(np.asarray(one.bin_ends <= begins[0])) for one in series]
        events = float(np.mean([one.events for one in earlier]))
        days = float(earlier[0].exposure.sum()) if len(earlier[0]) else 0.0
        if days < 1:
            raise ScenarioError(
                f"the escalation may begin on {begins[0]:%Y-%m-%d}, before which there are no observed days from which "
                "to learn the earlier rate. Give a later onset, or more past."
            )
        words = (
            f"{number(events)} in the {number(days, 3)} observed days before {begins[0]:%Y-%m-%d}"
        )
        return cls(
            name,
            GammaRate(_JEFFREYS + events, days, words),
            Escalation(
                (low, high), prob, begins, None if duration is None else duration_interval(duration)
            ),
        )

    @property
    def since(self) -> pd.Timestamp | None:
        """First day on which the story may leave its earlier rate; None where it never does."""
        return None if self.escalation_phase is None else self.escalation_phase.onset[0]

    def draw(self, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the uncertain quantities of the story, evenly spread (a scrambled Sobol sequence).

        Parameters
        ----------
        draws : int
            How many; powers of two are spread best.
        rng : numpy.random.Generator
            Scrambles the sequence.

        Returns
        -------
        ndarray of float, shape (draws, 4)
            Levels between 0 and 1 for rate, multiplier, onset and duration, to be passed to ``rates``.
        """
        power = math.ceil(math.log2(max(draws, 2)))
        levels = qmc.Sobol(4, rng=rng).random_base2(power)[:draws]
        return np.asarray(np.clip(levels, 1e-12, 1 - 1e-12))

    def rates(self, levels: NDArray[np.float64], days: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Give the rate on each day, for each draw.

        Parameters
        ----------
        levels : ndarray of float, shape (draws, 4)
            From ``draw``.
        days : pandas.DatetimeIndex, length n
            Days.

        Returns
        -------
        ndarray of float, shape (draws, n)
            Attacks per day.
        """
        start = self.rate.quantile(levels[:, 0])[:, None]
        phase = self.escalation_phase
        if phase is None:
            return np.asarray(np.repeat(start, len(days), axis=1))
        multiplier = _lognormal(levels[:, 1], phase.multiplier, phase.prob)[:, None]
        first, stop = phase.onset
        stretch = float((stop - first) / DAY)
        begins = np.floor(levels[:, 2] * stretch)[:, None]
        day = np.asarray((days - first) / DAY, dtype=float)[None, :]
        inside = day >= begins
        if phase.duration_days is not None:
            inside &= (
                day < begins + _lognormal(levels[:, 3], phase.duration_days, phase.prob)[:, None]
            )
        return np.asarray(np.where(inside, start * multiplier, start))

    def prior_predictive(
        self, horizon: str = "90D", *, prob: float = 0.9, draws: int = 4096, rng: RNGLike = 0
    ) -> tuple[int, int]:
        """Give the interval of attacks that the story expects in a stretch of days, before seeing any data.

        For an escalation, the stretch begins when the escalation is certain to have begun.

        Parameters
        ----------
        horizon : str, default "90D"
            Length of the stretch.
        prob : float, default 0.9
            Probability of the interval.
        draws : int, default 4096
            Draws of the story.
        rng : int, Generator or None, default 0
            Draws them.

        Returns
        -------
        tuple of int
            Lowest and highest number of the central interval.

        Examples
        --------
        >>> Scenario.every("2-3 months", name="sporadic").prior_predictive("90D")
        (0, 3)
        """
        generator = resolve(rng).generator
        phase = self.escalation_phase
        start = pd.Timestamp("2000-01-01") if phase is None else phase.onset[1]
        days = pd.date_range(start, periods=days_of(horizon), freq="1D", unit="us")
        mean = self.rates(self.draw(draws, generator), days).sum(axis=1)
        totals = generator.poisson(np.repeat(mean, 8))
        low, high = np.quantile(totals, [(1 - prob) / 2, (1 + prob) / 2], method="inverted_cdf")
        return int(low), int(high)

    def describe(self) -> str:
        """Say the story in words.

        Returns
        -------
        str
            Without its name.
        """
        phase = self.escalation_phase
        if phase is None:
            return self.rate.words
        first, stop = phase.onset
        last = stop - DAY
        when = (
            f"from {first:%Y-%m-%d}"
            if last == first
            else f"from a day between {first:%Y-%m-%d} and {last:%Y-%m-%d}"
        )
        multiple = interval(*phase.multiplier, digits=4)
        text = f"{multiple} times the earlier rate ({self.rate.words}), {when}"
        if phase.duration_days is not None:
            text += f", for {interval(*phase.duration_days, digits=4)} days"
        return text

    def __repr__(self) -> str:
        low, high = self.prior_predictive()
        return (
            f"Scenario {self.name!r}: {self.describe()}; 90 days hold {interval(low, high)} attacks "
            f"({percent(0.9)} interval)"
        )


def _lognormal(
    level: NDArray[np.float64], ends: Sequence[float], prob: float
) -> NDArray[np.float64]:
    """Quantiles of the log-normal distribution with this central interval."""
    low, high = math.log(ends[0]), math.log(ends[1])
    sd = (high - low) / (2 * stats.norm.ppf((1 + prob) / 2))
    return np.asarray(np.exp((low + high) / 2 + sd * stats.norm.ppf(level)))


def _onset(
    onset: str | DateLike | tuple[DateLike, DateLike], counts: Counts
) -> tuple[pd.Timestamp, pd.Timestamp]:
    end = counts.end
    if isinstance(onset, tuple):
        first, stop = as_date(onset[0], "the onset"), as_date(onset[1], "the end of the onset")
        if stop <= first:
            raise ScenarioError(
                f"the onset lies in [{first:%Y-%m-%d}, {stop:%Y-%m-%d}), which is empty. The end is exclusive."
            )
        return first, stop
    try:
        return end - pd.Timedelta(days=days_of(cast("str", onset), "onset")), end
    except OptionError:  # not a duration, so a date
        day = as_date(onset, "the onset")
        return day, day + DAY
