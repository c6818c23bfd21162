"""Which attack may have led to which documented pause: the days on which each one's stand-down may have begun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.window import DAY
from tempo.forecasting.impact_pauses import Pause, Pauses

__all__ = ["LONGEST", "Links", "Recent", "link"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]

#: Days of a pause of which no end is known.
LONGEST = 2**40
_SETTLED = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """An attack from which a stand-down may still begin.

    Attributes
    ----------
    age : int
        Days since the attack; since the last day on which it may have come, where that is uncertain.
    ruled_out : float
        Share of the time in which its stand-down may begin that has passed, and has shown none.
    begins : ndarray
        Chance of each day from the end of the data on, given that there is a stand-down; what is missing to 1 less
        ``ruled_out`` has passed unseen.

    Examples
    --------
    >>> recent = Recent.of(3, (1, 4))
    >>> recent.ruled_out, recent.begins.tolist()
    (0.5, [0.25, 0.25])
    """

    age: int
    ruled_out: float
    begins: Floats

    @classmethod
    def of(cls, age: int, delay_days: tuple[int, int]) -> Recent:
        """Give an attack after which every day was watched.

        Parameters
        ----------
        age : int
            Days since the attack.
        delay_days : (first, last)
            A stand-down begins so many days after its attack.

        Returns
        -------
        Recent
            Each day alike.
        """
        first, last = delay_days
        days = np.arange(first, last + 1) - age
        share = 1 / len(days)
        begins = np.zeros(max(last - age + 1, 0))
        begins[days[days >= 0]] = share
        return cls(age, float((days < 0).sum() * share), begins)


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """For each attack the days on which its stand-down may begin, and what is known of each of these days.

    Days are counted from the end of the data: -1 is the last one that was watched.

    Attributes
    ----------
    earliest, latest : ndarray of int, shape (n,)
        Days between which each attack came.
    first : ndarray of int, shape (n,)
        First day on which its stand-down may begin.
    chance : ndarray, shape (n, days)
        Chance of each day from then on, given that there is a stand-down.
    future, hidden, joins : ndarray of bool, shape (n, days)
        Days that have not come; days on which a stand-down would not have been seen; days of a used pause. What began
        on any other day would have been a pause of its own.
    pauses : tuple of Pause
        Those that are used: an attack can be found for each.
    unmatched : tuple of (Pause, bool)
        Those that are not, and whether any attack at all came before them.
    start_from, start_to, shortest, longest : ndarray of int, shape (pauses,)
        What is known of each used pause.
    goes_on : ndarray of bool, shape (pauses,)
        Whether it lasted when the data end.
    leader : ndarray of int, shape (pauses,)
        An attack for each, no attack twice.
    leads : ndarray of bool, shape (n, pauses)
        Whether a pause may have begun with an attack's stand-down.
    """

    earliest: Integers
    latest: Integers
    first: Integers
    chance: Floats
    future: Flags
    hidden: Flags
    joins: Flags
    pauses: tuple[Pause, ...]
    unmatched: tuple[tuple[Pause, bool], ...]
    start_from: Integers
    start_to: Integers
    shortest: Integers
    longest: Integers
    goes_on: Flags
    leader: Integers
    leads: Flags

    @property
    def ruled_out(self) -> Floats:
        """Share of each attack's time that would have shown a pause of its own, and did not."""
        clear = ~(self.future | self.hidden | self.joins)
        return np.asarray((self.chance * clear).sum(axis=1).round(12))

    @property
    def did_not(self) -> Flags:
        """Attacks that cannot have led to a stand-down."""
        return self.ruled_out >= _SETTLED

    @property
    def stopped(self) -> Flags:
        """Attacks that came while operations had stopped for sure."""
        over = np.where(self.goes_on, 0, self.start_from + self.shortest)
        within = (self.earliest[:, None] > self.start_to) & (self.latest[:, None] < over)
        return np.asarray(within.any(axis=1), dtype=bool)

    @property
    def plain(self) -> bool:
        """Whether each pause has one attack that it can come from, and no other attack's stand-down can lie in it."""
        inside = (self.chance * self.joins).sum(axis=1) > 0
        sole = np.zeros(len(inside), dtype=bool)
        sole[self.leader] = True
        alone = bool((self.leads.sum(axis=0) == 1).all() and (self.leads.sum(axis=1) <= 1).all())
        return alone and not (inside & ~sole).any() and not self._shared()

    def _shared(self) -> bool:
        """Tell whether the attack behind one pause may have a stand-down within another."""
        for j, i in enumerate(self.leader):
            days = self.first[i] + np.flatnonzero(self.joins[i] & (self.chance[i] > 0))
            others = np.arange(len(self.pauses)) != j
            ends = _last_days(self.start_to, self.longest)
            for low, high in zip(self.start_from[others], ends[others], strict=True):
                if ((days >= low) & (days < high)).any():
                    return True
        return False

    def recent(self, but: Integers) -> tuple[Recent, ...]:
        """Give the attacks from which a stand-down may still begin.

        Parameters
        ----------
        but : ndarray of int
            Attacks that are known to have led to one.

        Returns
        -------
        tuple of Recent
            In order of time.
        """
        found = []
        for i in np.flatnonzero((self.chance * self.future).sum(axis=1) > 0):
            if i in but:
                continue
            begins = np.where(self.future[i], self.chance[i], 0.0)
            ahead = np.zeros(int(self.first[i]) + len(begins))
            ahead[max(int(self.first[i]), 0) :] = begins[max(-int(self.first[i]), 0) :]
            found.append(Recent(int(-self.latest[i]), float(self.ruled_out[i]), ahead))
        return tuple(found)


def link(
    earliest: Integers,
    latest: Integers,
    end: pd.Timestamp,
    delay_days: tuple[int, int],
    pauses: Pauses | None,
) -> Links:
    """Find the pauses that each attack may have led to.

    Parameters
    ----------
    earliest, latest : ndarray of int, shape (n,)
        Days between which each attack came, counted from the end of the data (negative).
    end : pandas.Timestamp
        End of the data.
    delay_days : (first, last)
        A stand-down begins so many days after its attack, each alike.
    pauses : Pauses or None
        What is documented; without it nothing that has passed was seen.

    Returns
    -------
    Links
        Attacks in order of time.
    """
    order = np.lexsort((latest, earliest))
    earliest, latest = earliest[order], np.minimum(latest[order], -1)
    first, chance = _begins(earliest, latest, delay_days)
    days = first[:, None] + np.arange(chance.shape[1])
    future = days >= 0
    known = tuple(pauses or ())
    start_from = _days([pause.start_from for pause in known], end)
    start_to = _days([pause.start_to for pause in known], end)
    begun = start_from < 0
    goes_on = np.array([pause.open for pause in known], dtype=bool)
    shortest = np.array([max(math.ceil(pause.shortest_days), 1) for pause in known], dtype=int)
    shortest = np.where(goes_on, np.maximum(shortest, -start_to), shortest)
    longest = np.array([_whole(pause.longest_days) for pause in known], dtype=int)
    longest = np.maximum(longest, shortest)
    leads = np.array(
        [
            ((days >= low) & (days <= high) & (chance > 0) & ~future).any(axis=1)
            for low, high in zip(start_from, start_to, strict=True)
        ],
        dtype=bool,
    ).T.reshape(len(first), len(known))
    leader = _matched(leads & begun)
    used = leader >= 0
    ends = _last_days(start_to, longest)
    joins = _inside(days, start_from[used], ends[used]) & ~future
    hidden = _inside(days, start_from[begun & ~used], ends[begun & ~used])
    if pauses is None:
        hidden |= True
    else:
        spans = np.array([[(a - end) / DAY, (b - end) / DAY] for a, b in pauses.blind]).reshape(
            -1, 2
        )
        hidden |= _inside(days, spans[:, 0], spans[:, 1])
        unseen = [((latest >= a) & (earliest < b)) for a, b in spans]
        hidden |= np.any([np.zeros(len(first), dtype=bool), *unseen], axis=0)[:, None]
    hidden &= ~future & ~joins
    return Links(
        earliest=earliest,
        latest=latest,
        first=first,
        chance=chance,
        future=future,
        hidden=hidden,
        joins=joins,
        pauses=tuple(pause for pause, one in zip(known, used, strict=True) if one),
        unmatched=tuple(
            (pause, bool(leads[:, j].any()))
            for j, pause in enumerate(known)
            if begun[j] and not used[j]
        ),
        start_from=start_from[used],
        start_to=start_to[used],
        shortest=shortest[used],
        longest=longest[used],
        goes_on=goes_on[used],
        leader=leader[used],
        leads=leads[:, used],
    )


def _begins(
    earliest: Integers, latest: Integers, delay_days: tuple[int, int]
) -> tuple[Integers, Floats]:
    """Give the first day on which each stand-down may begin, and the chance of each day from then on."""
    delays = np.full(delay_days[1] - delay_days[0] + 1, 1.0)
    delays /= len(delays)
    lengths = latest - earliest + 1
    width = int(lengths.max(initial=1)) + len(delays) - 1
    chance = np.zeros((len(earliest), width))
    for length in np.unique(lengths):
        shape = np.convolve(np.full(length, 1 / length), delays)
        chance[lengths == length, : len(shape)] = shape
    return earliest + delay_days[0], chance


def _days(stamps: Sequence[pd.Timestamp], end: pd.Timestamp) -> Integers:
    return np.array([round((stamp - end) / DAY) for stamp in stamps], dtype=np.int64)


def _whole(days: float) -> int:
    return LONGEST if math.isinf(days) else max(math.floor(days), 1)


def _last_days(start_to: Integers, longest: Integers) -> Integers:
    """Give the first day on which each pause is sure to be over; 0 where that is not known."""
    return np.asarray(np.minimum(start_to + longest, 0), dtype=np.int64)


def _inside(days: Integers, lows: NDArray[np.generic], highs: NDArray[np.generic]) -> Flags:
    inside = np.zeros(days.shape, dtype=bool)
    for low, high in zip(lows, highs, strict=True):
        inside |= (days >= low) & (days < high)
    return inside


def _matched(leads: Flags) -> Integers:
    """Give an attack for each pause, none twice, for as many pauses as can be; -1 for the others."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not leads.size:
        return np.full(leads.shape[1], -1, dtype=np.int64)
    found = maximum_bipartite_matching(csr_array(leads.astype(np.int8)), perm_type="row")
    return np.asarray(found, dtype=np.int64)
