"""Scenarios: what somebody thinks may be going on, as a distribution over rates through time.

A scenario is a generative story in phases. Each phase has a rate of attacks that is known only to an interval; a
later phase begins on a day that may be uncertain and may last an uncertain time. Drawing from the story gives daily
rates; the probability that it gives to what was then observed is its evidence (``tempo.weigh``), and the draws that
agree with what was observed are its forecast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import interval, percent
from tempo.data.window import DateLike, as_date
from tempo.errors import ScenarioError
from tempo.forecasting.continuations import Continued, continued
from tempo.forecasting.killed import Killed
from tempo.forecasting.laws import GammaRate, Kinds, Length, Multiple, Spread, require_interval
from tempo.forecasting.phases import Phase, said_length, said_multiple, said_rate
from tempo.forecasting.previews import Preview, names_start, previewed, stretch_words
from tempo.forecasting.resolving import check_story, learns, resolved, unlearned
from tempo.forecasting.spans import check_draws, days_of
from tempo.forecasting.stories import Story
from tempo.forecasting.timelines import layout, tell
from tempo.models.intervals import interval_levels
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    from tempo.forecasting.continuations import Fit

__all__ = ["GammaRate", "Scenario"]

type Past = Incidents | Counts | pd.Series


def _rise(multiple: Multiple, what: str) -> Multiple:
    """Refuse a multiple under which attacks fall for sure."""
    if multiple.high <= 1:
        raise ScenarioError(
            f"rate_multiplier is {multiple.words}, under which attacks do not rise. A fall is Scenario.ceasefire "
            f"(breakdown=None where it cannot break down); {what} takes a multiple such as (3, 8)."
        )
    return multiple


@dataclass(frozen=True, repr=False)
class Scenario:
    """A named story about the tempo of attacks, in phases.

    Build one with ``every`` (a rate in words), ``escalation``, ``ceasefire``, ``retaliation_spiral``,
    ``surge_and_return``, ``continuation`` (what a fitted model says), or ``of_phases`` (a story of your own).

    Attributes
    ----------
    name : str
        How charts and sentences call it.
    phases : tuple of Phase
        The first holds until another begins, and again where one ends with "return".
    learned_until : pandas.Timestamp or None
        Days before this one have set quantities of the story, so they may not judge it; None: nothing was learned.
    half_life : Length or None
        Half-life of the offspring of an attack, in days, where a phase has branching.
    dispersion : Spread or None
        Overdispersion of a day's number; None: Poisson.
    deaths : Killed or None
        How many a lethal attack kills; None where deaths are no part of the story.
    as_of : pandas.Timestamp or None
        First day after the data that it was told about; None where there were none. Sentences name the first day of a
        preview that begins on another; it is no part of the story.

    Examples
    --------
    >>> Scenario.every("2-3 months", name="sporadic")
    Scenario 'sporadic': one every 2 to 3 months; 90 days hold 0 to 3 attacks (90 % interval)
    """

    name: str
    phases: tuple[Phase, ...]
    learned_until: pd.Timestamp | None = None
    half_life: Length | None = None
    dispersion: Spread | None = None
    deaths: Killed | None = None
    as_of: pd.Timestamp | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))
        check_story(self.name, self.phases, self.half_life, self.dispersion, self.deaths)

    # -- builders ------------------------------------------------------------------------------------------------

    @classmethod
    def every(cls, interval: str | tuple[float, float], name: str, *, prob: float = 0.9) -> Self:
        """Give the scenario of a steady rate that somebody put in words.

        Parameters
        ----------
        interval : str or (low_per_day, high_per_day)
            ``"2-3 months"`` (the gap between attacks), ``"3-5 a week"``, ``"about 4 a month"``, or two rates per day.
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
        rate = said_rate(interval, prob)
        if not isinstance(rate, GammaRate):
            raise ScenarioError(
                f"the rate is {interval!r}; expected words such as '2-3 months' or '3-5 a week', or two rates per day. "
                "A multiple of an earlier rate is an escalation."
            )
        return cls(name, (Phase("steady", rate),))

    @classmethod
    def escalation(
        cls,
        past: Past,
        rate_multiplier: str | tuple[float, float] = (3, 8),
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] = "30D",
        duration: str | tuple[float, float] | None = None,
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
        rate_multiplier : (low, high) or str, default (3, 8)
            Central interval of the multiple (log-normal); or in words, ``"x3 to x8 of the last year"``.
        onset : str, date or (date, date), default "30D"
            When the escalation began: within the last so many days of ``past``, on a date, or on a day of a
            half-open stretch (each day alike).
        duration : str or (low, high) in days, optional
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
            If the onset leaves no earlier data, or an interval cannot be used, such as a multiple that is all below 1.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> Scenario.escalation(past, (3, 8)).phases[1].onset[0].date().isoformat()
        '2020-02-11'
        """
        jump = _rise(said_multiple(rate_multiplier, "rate_multiplier", prob), "an escalation")
        later = Phase.of("escalation", jump, onset=onset, duration=duration, prob=prob)
        return cls.of_phases(name, [Phase("earlier", "past"), later], past)

    @classmethod
    def surge_and_return(
        cls,
        past: Past,
        rate_multiplier: str | tuple[float, float] = (2, 5),
        duration: str | tuple[float, float] = "2-6 weeks",
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] = "30D",
        settle: str | tuple[float, float] | None = None,
        name: str = "surge and return",
        prob: float = 0.9,
    ) -> Self:
        """Give the scenario of a surge that passes.

        Parameters
        ----------
        past : Incidents, Counts or Series
            Attacks of the same counting rule; days before the onset set the earlier rate.
        rate_multiplier : (low, high) or str, default (2, 5)
            Multiple of the earlier rate in the surge.
        duration : str or (low, high) in days, default "2-6 weeks"
            How long it lasts.
        onset : str, date or (date, date), default "30D"
            When it began or begins.
        settle : (low, high) or str, optional
            Multiple of the earlier rate afterwards; left out, the earlier rate returns.
        name : str, default "surge and return"
            How to call it.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        Scenario
            Earlier rate, surge, and what follows.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> [phase.name for phase in Scenario.surge_and_return(past, settle=(0.5, 1.5)).phases]
        ['earlier', 'surge', 'settled']
        """
        jump = _rise(said_multiple(rate_multiplier, "rate_multiplier", prob), "a surge")
        surge = Phase.of(
            "surge",
            jump,
            onset=onset,
            duration=duration,
            then="return" if settle is None else "next",
            prob=prob,
        )
        phases = [Phase("earlier", "past"), surge]
        if settle is not None:
            after = said_multiple(settle, "settle", prob)
            phases.append(Phase.of("settled", after, onset="after", prob=prob))
        return cls.of_phases(name, phases, past)

    @classmethod
    def ceasefire(
        cls,
        past: Past,
        fall_to: str | tuple[float, float] = (0.1, 0.5),
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] = "now",
        duration: str | tuple[float, float] | None = None,
        breakdown: str | tuple[float, float] | None = "10-30 % a month",
        name: str = "ceasefire",
        prob: float = 0.9,
    ) -> Self:
        """Give the scenario that attacks fall to a part of their rate, until the ceasefire breaks down.

        Parameters
        ----------
        past : Incidents, Counts or Series
            Attacks of the same counting rule; days before the onset set the earlier rate.
        fall_to : (low, high) or str, default (0.1, 0.5)
            Multiple of the earlier rate while it holds: ``"a tenth to a half"``, ``"10-50 %"``.
        onset : str, date or (date, date), default "now"
            When it began or begins.
        duration : str or (low, high) in days, optional
            How long it was agreed for; left out, it holds until it breaks down.
        breakdown : str, (low, high) a month or None, default "10-30 % a month"
            Chance that it breaks down, at a constant hazard; the earlier rate then returns. None: it holds.
        name : str, default "ceasefire"
            How to call it.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        Scenario
            Earlier rate and ceasefire.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> Scenario.ceasefire(past, "a tenth to a half").phases[1].breakdown.words
        'breaks down with a chance of 10 % to 30 % a month'
        """
        part = said_multiple(fall_to, "fall_to", prob)
        if part.low >= 1:
            raise ScenarioError(
                f"fall_to is {part.words}, under which attacks do not fall. A rise is Scenario.escalation, or "
                "Scenario.surge_and_return where it passes; a ceasefire takes a part, such as (0.1, 0.5)."
            )
        quiet = Phase.of(
            "ceasefire",
            part,
            onset=onset,
            duration=duration,
            breakdown=breakdown,
            prob=prob,
        )
        return cls.of_phases(name, [Phase("earlier", "past"), quiet], past)

    @classmethod
    def retaliation_spiral(
        cls,
        past: Past,
        branching: str | tuple[float, float] = (0.3, 0.7),
        half_life: str | tuple[float, float] = "3-14 days",
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] = "30D",
        duration: str | tuple[float, float] | None = None,
        name: str = "retaliation spiral",
        prob: float = 0.9,
    ) -> Self:
        """Give the scenario that each attack is followed by others, on top of the earlier rate.

        Parameters
        ----------
        past : Incidents, Counts or Series
            Attacks of the same counting rule; days before the onset set the earlier rate.
        branching : (low, high) or str, default (0.3, 0.7)
            Attacks that follow directly from each attack, below 1.
        half_life : str or (low, high) in days, default "3-14 days"
            Half of them come within this time.
        onset : str, date or (date, date), default "30D"
            When it began or begins.
        duration : str or (low, high) in days, optional
            How long it lasts; left out, it does not end by itself.
        name : str, default "retaliation spiral"
            How to call it.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        Scenario
            Earlier rate, and the same with contagion.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> Scenario.retaliation_spiral(past).half_life.words
        '3 to 14 days'
        """
        spiral = Phase.of("spiral", onset=onset, duration=duration, branching=branching, prob=prob)
        return cls.of_phases(
            name, [Phase("earlier", "past"), spiral], past, half_life=half_life, prob=prob
        )

    @classmethod
    def continuation(cls, fit: Fit, name: str = "continuation", *, rng: RNGLike = 0) -> Self:
        """Give the scenario that what a fitted model found goes on.

        The fit has used all days up to its end, so only later days judge it. A fit up to the present is judged by
        nothing: its weight stays the prior one, and it only forecasts. To weigh it, fit the model to an earlier part:
        ``Scenario.continuation(tempo.Hawkes().fit(past.before("2020-02-11")))``.

        Parameters
        ----------
        fit : ConstantRateFit, HawkesFit, ChangepointsFit or RegimesFit
            A model fitted to days.
        name : str, default "continuation"
            How to call it.
        rng : int, Generator or None, default 0
            Draws the later changes that a model of changes expects.

        Returns
        -------
        Scenario
            One phase with the posterior of the fit.

        Raises
        ------
        ScenarioError
            If the fit cannot be told day by day.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> goes_on = Scenario.continuation(tempo.ConstantRate().fit(past.before("2020-02-11"), rng=1))
        >>> goes_on.since.date().isoformat()
        '2020-02-11'
        """
        phases = (Phase("as fitted", continued(fit, rng)),)
        return cls(name, phases, learned_until=fit.counts.end, as_of=fit.counts.end)

    @classmethod
    def of_phases(
        cls,
        name: str,
        phases: Sequence[Phase],
        past: Past | None = None,
        *,
        half_life: str | tuple[float, float] | Length | None = None,
        dispersion: tuple[float, float] | Spread | None = None,
        deaths: str | tuple[float, float] | Killed | None = None,
        prob: float = 0.9,
    ) -> Self:
        """Tell a story of your own.

        Parameters
        ----------
        name : str
            How to call it.
        phases : sequence of Phase
            From ``Phase.of``. The first has no onset and no end: it holds wherever no other phase does.
        past : Incidents, Counts or Series, optional
            Needed where a phase begins "now", or learns from the past ("past", "of the last year"). Only days before
            the story may leave its first phase are learned from.
        half_life : str or (low, high) in days, optional
            Half-life of the offspring of an attack; needed where a phase has branching.
        dispersion : (low, high), optional
            Overdispersion of a day's number; left out, numbers are Poisson.
        deaths : str, (low, high) or Killed, optional
            How many a lethal attack kills: "1-6", or ``Killed.power(2.4)``, ``Killed.like(fit)``. Needs a lethality.
        prob : float, default 0.9
            Probability of these intervals.

        Returns
        -------
        Scenario
            With everything learned that was to be learned.

        Raises
        ------
        ScenarioError
            If the phases make no story, or the past is needed and left out.

        Examples
        --------
        >>> from tempo.forecasting.phases import Phase
        >>> story = Scenario.of_phases(
        ...     "campaign",
        ...     [
        ...         Phase.of("lull", "1-2 a month", lethality="5-20 %"),
        ...         Phase.of("campaign", "2-4 a week", onset="2020-05-01", duration="2-6 weeks"),
        ...     ],
        ...     deaths="1-6",
        ... )
        >>> for part in story.describe().split("; "):
        ...     print(part)
        lull: 1 to 2 a month, 5 % to 20 % of attacks kill
        campaign: 2 to 4 a week, from 2020-05-01, for 14 to 42 days
        1 to 6 in a lethal attack (90 % interval)
        """
        if not isinstance(phases, Iterable) or not all(isinstance(one, Phase) for one in phases):
            raise ScenarioError(
                f"{name!r} has phases {phases!r}; expected a list, each made with tempo.Phase.of(name, rate, …)."
            )
        told, until = resolved(name, tuple(phases), past)
        if half_life is not None and not isinstance(half_life, Length):
            half_life = said_length(half_life, prob)
        if dispersion is not None and not isinstance(dispersion, Spread):
            dispersion = Spread(*require_interval(dispersion, "dispersion"), prob)
        if deaths is not None and not isinstance(deaths, Killed):
            deaths = Killed.within(deaths, prob=prob)
        return cls(name, told, until, half_life, dispersion, deaths, _end_of(past))

    # -- what it says --------------------------------------------------------------------------------------------

    @property
    def rate(self) -> GammaRate | Multiple | Continued:
        """The rate of the first phase."""
        rate = self.phases[0].rate
        assert isinstance(rate, GammaRate | Multiple | Continued)
        return rate

    @property
    def since(self) -> pd.Timestamp | None:
        """First day that may judge the story; None where every day does.

        Where something was learned, the day after the last one that it was learned from; else the first day on which
        the story may leave its first phase.
        """
        onset = self.phases[1].onset if len(self.phases) > 1 else None
        return self.learned_until or (onset[0] if isinstance(onset, tuple) else None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of attack that the story tells apart; empty where it does not."""
        kinds = self.phases[0].kinds
        return kinds.names if isinstance(kinds, Kinds) else ()

    @property
    def steady(self) -> GammaRate | None:
        """The rate, where it is one constant Gamma rate and nothing else, so that its evidence has a closed form."""
        first = self.phases[0]
        plain = (
            len(self.phases) == 1
            and self.dispersion is None
            and first.kinds is None
            and first.branching is None
            and first.lethality is None
        )
        return first.rate if plain and isinstance(first.rate, GammaRate) else None

    @property
    def continues_fit(self) -> bool:
        """Whether it is told from a fitted model."""
        learned = any(learns(phase) for phase in self.phases)
        return isinstance(self.rate, Continued) or (self.learned_until is not None and not learned)

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
        ndarray of float, shape (draws, k)
            Levels between 0 and 1, to be passed to ``story``: the first rate, then rate, onset and duration of each
            later phase, then everything else. At least four columns.
        """
        width = layout(self.phases, self.half_life, self.dispersion)[1]
        power = math.ceil(math.log2(max(draws, 2)))
        levels = qmc.Sobol(width, rng=rng).random_base2(power)[:draws]
        return np.asarray(np.clip(levels, 1e-12, 1 - 1e-12))

    def story(self, levels: NDArray[np.float64], days: pd.DatetimeIndex) -> Story:
        """Give what each draw says about each day.

        Parameters
        ----------
        levels : ndarray of float, shape (draws, k)
            From ``draw``.
        days : pandas.DatetimeIndex, length n
            Days.

        Returns
        -------
        Story
            Rates, and whatever else the story holds.
        """
        return tell(self.phases, self.half_life, self.dispersion, levels, days)

    def rates(self, levels: NDArray[np.float64], days: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Give the rate on each day, for each draw; offspring of earlier attacks are not in it.

        Parameters
        ----------
        levels : ndarray of float, shape (draws, k)
            From ``draw``.
        days : pandas.DatetimeIndex, length n
            Days.

        Returns
        -------
        ndarray of float, shape (draws, n)
            Attacks per day.
        """
        return self.story(levels, days).rate

    def about(self, past: Past, until: DateLike | None = None) -> Scenario:
        """Tell the same story about other attacks: what was said stays, what was learned is learned from them.

        Parameters
        ----------
        past : Incidents, Counts or Series
            Other attacks, for example under another counting rule; or the same ones, to learn from fewer days.
        until : date-like, optional
            Learn only from days before this one; left out, or later than ``learned_until``, from those before that.

        Returns
        -------
        Scenario
            This one, where nothing was learned.

        Raises
        ------
        ScenarioError
            If it continues a fit, which would have to be fitted again.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> truce = Scenario.ceasefire(past).about(past, until="2020-02-11")
        >>> truce.rate.words, truce.since.date().isoformat()
        ('26 in the 286 observed days before 2020-02-11', '2020-02-11')
        """
        if self.continues_fit:
            raise ScenarioError(
                f"{self.name!r} continues a fit. Fit the model to the other attacks, and tell it again with "
                "Scenario.continuation."
            )
        if self.learned_until is None:
            return self
        day = self.learned_until if until is None else as_date(until, "until")
        day = min(day, self.learned_until)
        phases, learned = resolved(
            self.name, tuple(unlearned(phase) for phase in self.phases), past, day
        )
        return replace(self, phases=phases, learned_until=learned, as_of=_end_of(past))

    def to_dict(self) -> dict[str, Any]:
        """Give the scenario as plain dictionaries, lists, numbers and strings, with everything that it learned.

        Returns
        -------
        dict
            Fit for JSON and TOML.
        """
        from tempo.forecasting.scenario_files import to_plain

        return to_plain(self)

    @staticmethod
    def from_dict(plain: Mapping[str, Any], past: Past | None = None) -> Scenario:
        """Make a scenario from plain dictionaries, as they were saved or in words.

        Parameters
        ----------
        plain : mapping
            What ``to_dict`` gave; or a name with one of ``every``, ``escalation``, ``surge_and_return``, ``ceasefire``,
            ``retaliation_spiral`` (a table of the arguments of that builder) or ``phases`` (a list of tables with the
            arguments of ``Phase.of``).
        past : Incidents, Counts or Series, optional
            Needed where the story begins "now" or learns from the past.

        Returns
        -------
        Scenario
            Checked.

        Raises
        ------
        ScenarioError
            If something is not understood.

        Examples
        --------
        >>> sporadic = Scenario.from_dict({"name": "sporadic", "every": "2-3 months"})
        >>> Scenario.from_dict(sporadic.to_dict()) == sporadic
        True
        """
        from tempo.forecasting.scenario_files import from_plain

        return from_plain(plain, past)

    # -- before the data -----------------------------------------------------------------------------------------

    def preview(
        self,
        horizon: str = "90D",
        *,
        start: DateLike | None = None,
        draws: int = 4096,
        rng: RNGLike = 0,
    ) -> Preview:
        """Simulate what the story expects before it has seen any data, to check that this is what was meant.

        Parameters
        ----------
        horizon : str, default "90D"
            Length of the stretch.
        start : date-like, optional
            Its first day. Left out: the day on which the first change of the story is certain to have come, or the end
            of the data of a continuation. Sentences name it unless it is the end of the data; to compare stories, give
            them the same.
        draws : int, default 4096
            Futures.
        rng : int, Generator or None, default 0
            Draws them.

        Returns
        -------
        Preview
            Attacks and deaths by day, with ``table()`` and ``sentence()``; ``tempo.plot_story`` draws it.

        Examples
        --------
        >>> print(Scenario.every("2-3 months", name="sporadic").preview().sentence("heavy strike"))
        Under 'sporadic', 90 days hold 0 to 3 heavy strikes (90 % interval).
        """
        return previewed(self, horizon, start, draws, rng)

    def prior_predictive(
        self,
        horizon: str = "90D",
        *,
        start: DateLike | None = None,
        prob: float = 0.9,
        draws: int = 4096,
        rng: RNGLike = 0,
    ) -> tuple[int, int]:
        """Give the interval of attacks that the story expects in a stretch of days, before seeing any data.

        Intervals of several stories compare only if their stretches begin on the same day: give them the same
        ``start``.

        Parameters
        ----------
        horizon : str, default "90D"
            Length of the stretch.
        start : date-like, optional
            Its first day. Left out: the day on which the first change of the story is certain to have come.
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
        levels = interval_levels(prob)
        plain = self.dispersion is None and all(phase.branching is None for phase in self.phases)
        if plain and not isinstance(self.rate, Continued):  # the sum is Poisson, and needs no days
            generator = resolve(rng).generator
            first = self.starts if start is None else as_date(start, "start")
            ahead = days_of(horizon)
            check_draws(draws, ahead)
            days = pd.date_range(first, periods=ahead, freq="1D", unit="us")
            mean = self.rates(self.draw(draws, generator), days).sum(axis=1)
            totals = generator.poisson(np.repeat(mean, 8))
        else:
            totals = self.preview(horizon, start=start, draws=draws, rng=rng).counts.sum(axis=1)
        low, high = np.quantile(totals, levels, method="inverted_cdf")
        return int(low), int(high)

    @property
    def starts(self) -> pd.Timestamp:
        """First day of a preview: the first change of the story has come for certain."""
        onset = self.phases[1].onset if len(self.phases) > 1 else None
        if isinstance(onset, tuple):
            return onset[1]
        return self.learned_until or pd.Timestamp("2000-01-01")

    def describe(self) -> str:
        """Say the story in words.

        Returns
        -------
        str
            Every phase, without the name of the story.
        """
        first = self.phases[0]
        later = self.phases[1].words if len(self.phases) == 2 else ""
        if len(self.phases) == 1:
            text = first.words
        elif first.name == "earlier" and "the earlier rate" in later:
            text = later.replace("the earlier rate", f"the earlier rate ({first.words})", 1)
        else:
            text = "; ".join(f"{phase.name}: {phase.words}" for phase in self.phases)
        if self.half_life is not None:
            text += f"; half of what an attack sets off comes within {self.half_life.words}"
        if self.dispersion is not None:
            text += f"; {self.dispersion.words}"
        if self.deaths is not None:
            text += f"; {self.deaths.words}"
        return text

    def __repr__(self) -> str:
        low, high = self.prior_predictive()
        held = stretch_words(90, self.starts if names_start(self) else None)
        return (
            f"Scenario {self.name!r}: {self.describe()}; {held} {interval(low, high)} attacks "
            f"({percent(0.9)} interval)"
        )


def _end_of(past: Past | None) -> pd.Timestamp | None:
    if past is None:
        return None
    return past.window.end if isinstance(past, Incidents) else as_counts(past).end
