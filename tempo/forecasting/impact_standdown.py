"""Stand-downs: the chance that an attack stops operations, and for how long; elicited, then updated on records."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, interval, number, percent, plural, with_article
from tempo.data.window import DAY
from tempo.errors import DataError, OptionError
from tempo.forecasting.impact_assignment import Assignments, assignments
from tempo.forecasting.impact_elicited import (
    BetaChance,
    ChanceMixture,
    Durations,
    chance_interval,
    days_interval,
    words_of,
)
from tempo.forecasting.impact_links import LONGEST, Links, Recent, link
from tempo.forecasting.impact_pauses import Pauses
from tempo.models.intervals import interval_levels, require_prob
from tempo.randomness import RNGLike, resolve

__all__ = ["StandDown", "StandDownFit"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

#: From this share of what is known on, the data outweigh what was said before them.
ESTIMATE_FROM = 0.5
_DRAWS = 20_000
_FEW = 5
_SUMMED_DAYS = 64
_CROWDED = (
    "More than a thousand attacks share a pause: which of them led to it cannot be told, and nothing was learned. "
    "Count fewer attacks, such as heavy ones."
)
_UNEVEN = (
    "So many attacks share so few pauses that the draws of which led to which did not settle: what comes from the data "
    "is called an assumption."
)


@dataclass(frozen=True)
class StandDown:
    r"""What an attack of the counted kind may do to operations: stop them, with a probability, for a time.

    Each attack leads to a stand-down with probability :math:`p \sim \mathrm{Beta}`. The stand-down begins some days
    after the attack and lasts a log-normal time. Stand-downs that overlap merge: a day is lost once. With attacks
    at a constant rate :math:`\lambda` the share of days lost in the long run is that of a queue with infinitely many
    servers, :math:`1 - e^{-\lambda p E[D]}`. A stand-down stops whole days: it is rounded, to one day at least.

    Parameters
    ----------
    probability : str or (low, high)
        What is thought of the probability that an attack leads to a stand-down: ``"10-30 %"``,
        ``"1 in 10 to 1 in 3"``, or two numbers. It becomes the central interval of a Beta distribution.
    duration : str or (low, high)
        How long one stand-down lasts: ``"5-30 days"``, or two numbers of days. It becomes the central interval of one
        stand-down; half of that spread is taken to be ignorance of what is typical, which pauses can mend.
    delay_days : (first, last), default (1, 14)
        A stand-down begins so many days after its attack, each day alike. 1 is the day after.
    trigger : {"attack", "lethal attack"}
        Which attacks may lead to one. ``"lethal attack"`` needs forecasts with deaths, and counts a day with deaths as
        one such attack.
    prob : float, default 0.9
        Probability content of the two intervals.

    Notes
    -----
    Takács (1962), *Introduction to the Theory of Queues*, for the queue with infinitely many servers.

    Examples
    --------
    >>> StandDown("10-30 %", "5-30 days").fit()
    StandDownFit: an attack leads to a stand-down with probability 10 to 30 %, which lasts 5 to 30 days (90 %
    intervals; both are assumptions)
    """

    probability: str | tuple[float, float]
    duration: str | tuple[float, float]
    delay_days: tuple[int, int] = (1, 14)
    trigger: Literal["attack", "lethal attack"] = "attack"
    prob: float = 0.9

    def __post_init__(self) -> None:
        require_prob(self.prob)
        chance_interval(self.probability)
        days_interval(self.duration)
        try:
            first, last = (int(day) for day in self.delay_days)
            whole = (first, last) == tuple(self.delay_days) and 0 <= first <= last
        except (TypeError, ValueError):
            whole = False
        if not whole:
            raise OptionError(
                f"delay_days is {self.delay_days!r}; expected the first and last whole number of days between an "
                "attack and the stand-down that it leads to, such as (1, 14)."
            )
        if self.trigger not in ("attack", "lethal attack"):
            raise OptionError(f"trigger is {self.trigger!r}; expected 'attack' or 'lethal attack'.")

    def fit(
        self,
        attacks: Incidents | Counts | pd.Series | None = None,
        pauses: Pauses | None = None,
        *,
        rng: RNGLike = 0,
    ) -> StandDownFit:
        """Update what was said on attacks that did, and did not, lead to a documented stand-down.

        Each pause is the work of one attack at least, of those from which it may have begun, given ``delay_days``; a
        pause without any is not used. An attack without pause counts against a stand-down as far as the time in which
        one may begin has passed and would have shown it: days on which operations had stopped, and the blind spans of
        ``pauses``, show nothing. Where several attacks may be behind a pause, or one may have been lost in a pause that
        was going on, every assignment is weighed by its likelihood.

        Parameters
        ----------
        attacks : Incidents, Counts or Series, optional
            Attacks of the counted kind, up to the day of the question; counted by day. Where a date is uncertain, every
            day of its interval is as likely.
        pauses : Pauses, optional
            Pauses that attacks of this kind are stated as the cause of. Without them nothing is learned, because an
            attack without a pause cannot be told from one whose pause is not in the data; attacks just before the end
            of the data may still lead to one.
        rng : int, Generator or None, default 0
            Draws the assignments, where there is a choice.

        Returns
        -------
        StandDownFit
            Exact where no pause can be put down to more than one attack; else sampled, see ``sampled``.

        Raises
        ------
        DataError
            If pauses come without attacks, know of what happened after the attacks end, or attacks are not counted by
            day.

        Examples
        --------
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> heavy = past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
        >>> pauses = Pauses.load("iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12")
        >>> fit = StandDown("10-30 %", "5-30 days").fit(heavy, pauses)
        >>> fit.led, fit.did_not, fit.pending
        (1, 2, (1,))
        """
        chance = BetaChance.within(*chance_interval(self.probability), self.prob)
        durations = Durations.within(*days_interval(self.duration), self.prob)
        if pauses is not None and not isinstance(pauses, Pauses):
            raise DataError(
                f"pauses is a {type(pauses).__name__}; expected tempo.Pauses: "
                "tempo.Pauses.from_table(table, cause='rocket attacks')."
            )
        if attacks is None:
            if pauses is not None:
                raise DataError(
                    "pauses were given without attacks: how many attacks led to none is half of the evidence. Pass "
                    "both, or neither."
                )
            return StandDownFit(self, (chance, chance), (durations, durations))
        earliest, latest, end, label, rule, notes = _attack_days(attacks, self.trigger)
        if pauses is not None:
            _require_same_end(pauses, end)
        links = link(earliest, latest, end, self.delay_days, pauses)
        found = StandDownFit(
            self, (chance, chance), (durations, durations), label=label, rule=rule, cutoff=end,
            going_on_days=_going_on(pauses, links, end),
        )  # fmt: skip
        if pauses is None:
            recent = links.recent(np.array([], dtype=np.int64))
            notes.append(
                "No documented pauses were given: everything about stand-downs is assumed."
            )
            if recent:
                notes.append(
                    f"{counted(len(recent), label)} just before the end of the data may still lead to a stand-down."
                )
            return replace(found, recent=recent, notes=tuple(notes))
        did_not = int(links.did_not.sum())
        notes += [*_link_notes(links, self.delay_days, label), *pauses.notes]
        if len(links.pauses) + did_not < _FEW:
            notes.append(
                f"Only {counted(len(links.pauses) + did_not, label)} with a known outcome, and "
                f"{counted(len(links.pauses), 'documented pause')}: the answer rests on what was assumed."
            )
        found = replace(
            found,
            led=len(links.pauses),
            did_not=did_not,
            unsettled=len(links.first) - len(links.pauses) - did_not,
            n_pauses=len(links.pauses),
            notes=tuple(dict.fromkeys(notes)),
        )
        if links.plain:
            others = np.setdiff1d(np.arange(len(links.first)), links.leader)
            shares = links.ruled_out[others]
            partly = tuple(float(share) for share in shares[(shares > 0) & ~links.did_not[others]])
            return replace(
                found,
                chance=(chance, chance.updated(len(links.pauses), did_not, partly)),
                durations=(durations, durations.given(
                    links.shortest.astype(float),
                    np.where(links.longest >= LONGEST, np.inf, links.longest.astype(float)),
                )),
                recent=links.recent(links.leader),
            )  # fmt: skip
        sampled = assignments(links, chance, durations, resolve(rng).generator)
        if sampled is None:
            recent = links.recent(np.array([], dtype=np.int64))
            return replace(found, recent=recent, notes=(*found.notes, _CROWDED))
        if sampled.uneven:
            found = replace(found, notes=(*found.notes, _UNEVEN))
        return replace(
            found,
            chance=(chance, sampled.chance),
            durations=(durations, sampled.durations),
            recent=links.recent(np.array([], dtype=np.int64)),
            sampled=sampled,
        )


@dataclass(frozen=True, repr=False, eq=False)
class StandDownFit:
    """What is thought of stand-downs, before and after the documented ones.

    Attributes
    ----------
    model : StandDown
        What was said.
    chance : (BetaChance, BetaChance)
        Probability that an attack leads to a stand-down: before, and after the data.
    durations : (Durations, Durations)
        How long one lasts: before, and after the data.
    led, did_not : int
        Attacks that led, at the least, and that cannot have led to a documented pause.
    unsettled : int
        Attacks of which either may be.
    recent : tuple of Recent
        Attacks from which a stand-down may still begin.
    going_on_days : tuple of float
        How long each stand-down that has not ended has lasted.
    n_pauses : int
        Pauses whose duration was used.
    label, rule : str
        What the attacks are.
    cutoff : pandas.Timestamp or None
        End of the data.
    notes : tuple of str
        What was left out, and doubts.
    sampled : Assignments or None
        Draws of which attack led to which pause, where there is a choice.
    """

    model: StandDown
    chance: tuple[BetaChance, BetaChance | ChanceMixture] = field(repr=False)
    durations: tuple[Durations, Durations] = field(repr=False)
    led: int = 0
    did_not: int = 0
    unsettled: int = 0
    recent: tuple[Recent, ...] = field(default=(), repr=False)
    going_on_days: tuple[float, ...] = ()
    n_pauses: int = 0
    label: str = "attack"
    rule: str = ""
    cutoff: pd.Timestamp | None = None
    notes: tuple[str, ...] = ()
    sampled: Assignments | None = field(default=None, repr=False)

    @property
    def pending(self) -> tuple[int, ...]:
        """Days since each attack from which a stand-down may still begin."""
        return tuple(recent.age for recent in self.recent)

    @property
    def from_data(self) -> pd.Series:
        """Share of what is known that comes from the data: 1 less the ratio of the variance after to that before.

        For the typical duration the variance of its logarithm is taken. 0 where the data widened it.
        """
        shares = [
            1 - (after / before) ** 2
            for before, after in (
                (self.chance[0].moments()[1], self.chance[1].moments()[1]),
                (
                    self.durations[0].log_median_moments()[1],
                    self.durations[1].log_median_moments()[1],
                ),
            )
        ]
        known = self.led + self.did_not, self.n_pauses
        return pd.Series(
            [max(0.0, share) if n else 0.0 for share, n in zip(shares, known, strict=True)],
            index=["probability", "duration"],
            name="from_data",
        )

    @property
    def status(self) -> pd.Series:
        """Whether each of the two is an ``"assumption"`` or an ``"estimate"``: the latter from ``from_data`` 0.5 on."""
        settled = self.sampled is None or not self.sampled.uneven
        return self.from_data.map(
            lambda share: "estimate" if settled and share >= ESTIMATE_FROM else "assumption"
        ).rename("status")

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Draw from what is thought now.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        chance, middle, spread : ndarray, shape (n,)
            Probability of a stand-down, and mean and standard deviation of the logarithm of its days.
        """
        if self.sampled is not None:
            rows = rng.integers(len(self.sampled.probability), size=n)
            return (
                self.sampled.probability[rows],
                self.sampled.middle[rows],
                self.sampled.spread[rows],
            )
        return (self.chance[1].draw(n, rng), *self.durations[1].draw(n, rng))

    def absorbable_per_day(self, share: float, n: int, rng: np.random.Generator) -> Floats:
        r"""Draw the attack rate at which a share of days is lost in the long run.

        Parameters
        ----------
        share : float
            Between 0 and 1.
        n : int
            How many draws.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n,)
            :math:`-\log(1 - q) / (p\,E[D])` attacks per day, with :math:`D` in whole days, 1 at least.
        """
        chance, middle, spread = self.draw(n, rng)
        return np.asarray(-math.log1p(-share) / (chance * mean_days(middle, spread)))

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what was said and what is thought now.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central intervals.

        Returns
        -------
        pandas.DataFrame
            Rows ``probability``, ``median_days`` (the typical stand-down), ``mean_days`` and ``next_days`` (the next
            one, its own luck included); columns ``prior_median, prior_low, prior_high, median, low, high, from_data,
            status``.
        """
        levels = [0.5, *interval_levels(prob)]
        table = {}
        for when, chance, durations in zip(
            ("prior_", ""), self.chance, self.durations, strict=True
        ):
            rng = np.random.default_rng(0)
            middle, spread = durations.draw(_DRAWS, rng)
            drawn = {
                "median_days": np.exp(middle),
                "mean_days": mean_days(middle, spread),
                "next_days": np.exp(middle + spread * rng.standard_normal(_DRAWS)),
            }
            rows = [chance.quantile(np.array(levels))]
            rows += [np.quantile(values, levels) for values in drawn.values()]
            names = [f"{when}{name}" for name in ("median", "low", "high")]
            table[when] = pd.DataFrame(rows, index=["probability", *drawn], columns=names)
        found = pd.concat(table.values(), axis=1)
        found["from_data"] = self.from_data.iloc[[0, 1, 1, 1]].to_numpy()
        found["status"] = self.status.iloc[[0, 1, 1, 1]].to_numpy()
        found.attrs["prob"] = prob
        return found

    def describe(self, prob: float = 0.9) -> str:
        """Say what was assumed, what the data added, and which of the two the answer rests on.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        str
            A few sentences.
        """
        noun = plural(self.label, one=True)
        chance, days = chance_interval(self.model.probability), days_interval(self.model.duration)
        said = (
            f"Assumed: {with_article(noun)} leads to a stand-down with a probability of {_percents(*chance)}, and a "
            f"stand-down lasts {words_of(*days, 'days')} ({percent(self.model.prob)} intervals)."
        )
        known = self.led + self.did_not
        if not known and not self.n_pauses:
            return f"{said} No data were used: both are assumptions."
        rows = self.summary(prob).to_dict("index")
        p, next_days = rows["probability"], rows["next_days"]
        share = self.from_data
        open_ones = (
            f" {number(self.unsettled, 6).capitalize()} more {'is' if self.unsettled == 1 else 'are'} not settled."
            if self.unsettled
            else ""
        )
        unseen = "".join(
            f" {note}"
            for note in self.notes
            if note.startswith(("Other causes", "Whether attacks stopped"))
        )
        return (
            f"{said} Of {counted(known, noun)} with a known outcome, {number(self.led, 6)} came before a stand-down "
            f"that such attacks are stated as the cause of.{open_ones}{unseen} After that the probability is "
            f"{_percents(p['low'], p['high'])} and the next stand-down lasts "
            f"{interval(next_days['low'], next_days['high'], 'days')} ({percent(prob)} intervals). Of what is known, "
            f"{percent(share['probability'])} of the first and {percent(share['duration'])} of the second come from "
            f"the data: the probability is an {self.status['probability']}, the duration an {self.status['duration']}."
        )

    def __repr__(self) -> str:
        prob = 0.9
        low, high = chance_interval(self.model.probability)
        days = words_of(*days_interval(self.model.duration), "days")
        if self.led + self.did_not or self.n_pauses:
            rows = self.summary(prob).to_dict("index")
            low, high = rows["probability"]["low"], rows["probability"]["high"]
            days = interval(rows["next_days"]["low"], rows["next_days"]["high"], "days")
        else:  # as it was said
            prob = self.model.prob
        first, second = self.status["probability"], self.status["duration"]
        status = (
            f"both are {first}s"
            if first == second
            else f"the first is an {first}, the second an {second}"
        )
        return (
            f"StandDownFit: {with_article(plural(self.label, one=True))} leads to a stand-down with probability "
            f"{_percents(low, high)}, which lasts {days} ({percent(prob)} intervals; {status})"
        )


def mean_days(middle: Floats, spread: Floats) -> Floats:
    r"""Give the mean of a log-normal duration that is lost in whole days, and costs one at least.

    Parameters
    ----------
    middle, spread : ndarray, shape (n,)
        Mean and standard deviation of its logarithm.

    Returns
    -------
    ndarray, shape (n,)
        Days: :math:`E[\max(\mathrm{round}(D), 1)] = 1 + \sum_{k \ge 1} P(D > k + 1/2)`. Where stand-downs last a week
        or longer this is :math:`E[D]`; where they last hours it is 1.

    Examples
    --------
    >>> mean_days(np.log([0.25, 12.0]), np.array([0.5, 0.5])).round(2).tolist()
    [1.0, 13.6]
    """
    middle, spread = (np.asarray(part, dtype=float)[:, None] for part in (middle, spread))
    ends = np.arange(1, _SUMMED_DAYS) + 0.5
    summed = special.ndtr((middle - np.log(ends)) / spread).sum(axis=1)
    # Beyond, the sum is an integral by the midpoint rule: the mean excess over so many days.
    far = (middle - math.log(_SUMMED_DAYS)) / spread
    rest = np.exp(middle + 0.5 * spread**2) * special.ndtr(far + spread)
    rest -= _SUMMED_DAYS * special.ndtr(far)
    return np.asarray(1 + summed + np.maximum(rest[:, 0], 0.0))


def _require_same_end(pauses: Pauses, end: pd.Timestamp) -> None:
    """Refuse pauses that know more, or less, than the attacks."""
    later = [
        pause
        for pause in pauses
        if pause.start_from < end and pause.start_to + pause.shortest_days * DAY > end
    ]
    if (pauses.as_of is not None and pauses.as_of != end) or later:
        known = "all that is recorded" if pauses.as_of is None else f"{pauses.as_of:%Y-%m-%d}"
        raise DataError(
            f"the attacks end on {end:%Y-%m-%d}, but the pauses are known as of {known}. Read them as they were known "
            f"then: before='{end:%Y-%m-%d}'."
        )


def _going_on(pauses: Pauses | None, links: Links, end: pd.Timestamp) -> tuple[float, ...]:
    """Give how long each pause that goes on has lasted, those first that are used."""
    used = [float(-start) for start in links.start_to[links.goes_on]]
    others = [
        float((end - pause.start_to) / DAY)
        for pause, _ in links.unmatched
        if pauses is not None and pause.open and pause.start_to < end
    ]
    return (*used, *others)


def _link_notes(links: Links, delay_days: tuple[int, int], label: str) -> list[str]:
    """Say what was left out, what has a choice, and what was not seen."""
    first, last = delay_days
    notes = []
    for pause, any_before in links.unmatched:
        why = (
            f"it needs {with_article(plural(label, one=True))} of its own, and other pauses took those before it"
            if any_before
            else f"no {plural(label, one=True)} came {first} to {last} days before it"
        )
        notes.append(f"The pause {pause} was not used: {why}.")
    stopped = links.stopped
    if stopped.any():
        notes.append(
            f"{counted(int(stopped.sum()), label)} came while operations had stopped: a stand-down that began and "
            "ended in that time would not have been seen."
        )
    unseen = ((links.hidden & (links.chance > 0)).any(axis=1) & ~stopped).sum()
    if unseen:
        notes.append(
            f"Of {counted(int(unseen), label)} it could not be seen, or only in part, whether a stand-down followed."
        )
    if not links.plain:
        notes.append(
            "Pauses can be put down to more than one attack, or may hide others: every assignment was weighed by its "
            "likelihood, by sampling."
        )
    return notes


def _attack_days(
    attacks: Incidents | Counts | pd.Series, trigger: str
) -> tuple[Integers, Integers, pd.Timestamp, str, str, list[str]]:
    """Give first and last day of each attack, counted from the end of the data (negative)."""
    notes: list[str] = []
    if isinstance(attacks, Incidents):
        table = attacks.table
        if trigger == "lethal attack":
            unknown = int(table["killed"].isna().sum())
            if unknown:
                notes.append(
                    f"{counted(unknown, 'attack')} with an unknown death toll were not counted as lethal."
                )
            table = table[table["killed"] > 0]
        uncertain = int((table["date_start"] != table["date_end"]).sum())
        if uncertain:
            notes.append(
                f"{counted(uncertain, 'attack')} with uncertain dates may have come on any day of their interval."
            )
        end = attacks.window.end
        days = [
            np.asarray((pd.DatetimeIndex(table[name]).normalize() - end) / DAY)
            .round()
            .astype(np.int64)
            for name in ("date_start", "date_end")
        ]
        return days[0], days[1], end, attacks.label, attacks.rule, notes
    if trigger == "lethal attack":
        raise DataError(
            "counts do not say which attacks were lethal. Pass incidents, or counts of the lethal attacks with "
            "trigger='attack'."
        )
    counts = as_counts(attacks)
    if not np.allclose(counts.bin_days, 1.0):
        raise DataError(
            f"the counts have bins of {counts.bin_days[0]:g} days; stand-downs are linked to attacks day by day. "
            "Pass the incidents, or incidents.counts('1D')."
        )
    starts = np.asarray((counts.bin_starts - counts.end) / DAY).round().astype(np.int64)
    number_of = np.nan_to_num(counts.to_numpy(dtype=float)).astype(int)
    on = np.repeat(starts, number_of)
    return on, on, counts.end, counts.label, counts.rule, notes


def _percents(low: float, high: float) -> str:
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"
