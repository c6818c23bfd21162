"""What a scenario expects before it has seen any data, for the analyst to check that this is what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.rounding import counted, interval, percent, plural
from tempo.data.window import DateLike, as_date
from tempo.errors import OptionError
from tempo.forecasting.continuations import Continued
from tempo.forecasting.killed import Killed
from tempo.forecasting.phases import Phase
from tempo.forecasting.spans import check_draws, days_of, several
from tempo.forecasting.stories import Story
from tempo.models.intervals import central_levels, interval_levels
from tempo.randomness import RNGLike, resolve

__all__ = ["Preview", "previewed", "simulate_story"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

_CAP = 100_000.0  # largest expectation of a day, as in simulated forecasts
_WITHIN = ("30D", "60D", "90D")


class Told(Protocol):
    """What is needed of a scenario."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its phases."""

    @property
    def deaths(self) -> Killed | None:
        """How many a lethal attack kills."""

    @property
    def starts(self) -> pd.Timestamp:
        """First day of a preview."""

    @property
    def since(self) -> pd.Timestamp | None:
        """First day that may judge it; None where it has no dates."""

    @property
    def as_of(self) -> pd.Timestamp | None:
        """First day after the data that it was told about."""

    def draw(self, draws: int, rng: np.random.Generator) -> Floats:
        """Draw levels."""

    def story(self, levels: Floats, days: pd.DatetimeIndex) -> Story:
        """Tell what they say about some days."""


@dataclass(frozen=True, eq=False, repr=False)
class Preview:
    """Simulated futures of a scenario that has seen no data.

    Attributes
    ----------
    name : str
        The scenario.
    words : str
        The scenario in words.
    days : pandas.DatetimeIndex
        The days.
    rates : ndarray of float, shape (draws, days)
        Expected attacks on each day, offspring of earlier simulated attacks included.
    counts : ndarray of int, shape (draws, days)
        Attacks.
    lethal : ndarray of int, shape (draws, days), or None
        Attacks that killed anyone; None where lethality is no part of the story.
    deaths : ndarray of int, shape (draws, days), or None
        Deaths; None where they are no part of the story.
    named_start : bool
        Whether sentences name the first day: where the story has dates, and it is not the end of the data.

    Examples
    --------
    >>> from tempo.forecasting.scenarios import Scenario
    >>> Scenario.every("2-3 months", name="sporadic").preview().table()["attacks_high"].tolist()
    [2, 3, 3]
    """

    name: str
    words: str
    days: pd.DatetimeIndex
    rates: Floats
    counts: Ints
    lethal: Ints | None = None
    deaths: Ints | None = None
    named_start: bool = False

    def table(self, within: Sequence[str] | None = None, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the numbers of attacks and deaths within some times.

        Parameters
        ----------
        within : sequence of str, optional
            Times from the first day on; left out, 30, 60 and 90 days as far as they were simulated.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``days``: ``attacks_median, attacks_low, attacks_high, any_attack`` and, where the story has
            them, the same for ``lethal`` and ``deaths``; ``prob`` stands in ``attrs``.

        Raises
        ------
        OptionError
            If a time passes what was simulated.
        """
        spans = [days_of(span, "within") for span in _WITHIN if within is None]
        spans = [n for n in spans if n <= len(self.days)] or [len(self.days)]
        if within is not None:
            asked = several(within, "within", "['30D', '60D']")
            spans = [days_of(span, "within", longest=None) for span in asked] or spans
        if max(spans) > len(self.days):
            raise OptionError(
                f"within asks for {max(spans)} days, but {len(self.days)} were simulated. Preview a longer horizon."
            )
        levels = [0.5, *interval_levels(prob)]
        rows: dict[int, dict[str, float]] = {}
        for n in spans:
            row: dict[str, float] = {}
            for what, values, one in (
                ("attacks", self.counts, "any_attack"),
                ("lethal", self.lethal, "any_lethal"),
                ("deaths", self.deaths, "any_death"),
            ):
                if values is None:
                    continue
                total = values[:, :n].sum(axis=1)
                cut = np.quantile(total, levels, method="inverted_cdf")
                row |= {
                    f"{what}_{end}": int(v)
                    for end, v in zip(("median", "low", "high"), cut, strict=True)
                }
                row[one] = float(np.mean(total > 0))
            rows[n] = row
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("days")
        table.attrs["prob"] = prob
        return table

    def fan(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the expected attacks of each day, over the draws of the story.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval from low to high.

        Returns
        -------
        pandas.DataFrame
            Indexed by day: ``low, median, high``, attacks per day.
        """
        levels = central_levels(prob)
        values = np.quantile(self.rates, levels, axis=0)
        return pd.DataFrame(values.T, index=self.days, columns=["low", "median", "high"])

    def sentence(self, label: str = "attacks", prob: float = 0.9) -> str:
        """Say in a sentence what the story expects.

        Parameters
        ----------
        label : str, default "attacks"
            What is counted.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        str
            With deaths where the story has them.
        """
        n = len(self.days)
        row = self.table([f"{n}D"], prob).iloc[0]

        def span(what: str) -> str:
            return interval(row[f"{what}_low"], row[f"{what}_high"], digits=12)

        held = stretch_words(n, self.days[0] if self.named_start else None)
        text = f"Under {self.name!r}, {held} {span('attacks')} {plural(label)}"
        if self.deaths is not None:
            text += f" and {span('deaths')} deaths"
        elif self.lethal is not None:
            text += f", of which {span('lethal')} kill"
        return f"{text} ({percent(prob)} interval{'s' if self.lethal is not None else ''})."

    def __repr__(self) -> str:
        since = "" if self.named_start else f" from {self.days[0]:%Y-%m-%d}"
        return f"Preview{since}: {self.sentence()}"


def names_start(scenario: Told, start: pd.Timestamp | None = None) -> bool:
    """Tell whether the first day of a preview has to be named, because nobody would guess it.

    Parameters
    ----------
    scenario : Scenario
        The story.
    start : pandas.Timestamp, optional
        Where somebody chose the first day.

    Returns
    -------
    bool
        False at the end of the data, and for a story without dates, which is the same from any day on.
    """
    first = scenario.starts if start is None else start
    return first != scenario.as_of and (start is not None or scenario.since is not None)


def stretch_words(days: int, start: pd.Timestamp | None = None) -> str:
    """Give the beginning of a sentence on what some days hold.

    Parameters
    ----------
    days : int
        How many.
    start : pandas.Timestamp, optional
        The first of them, where it is to be named.

    Returns
    -------
    str
        Subject and verb.

    Examples
    --------
    >>> stretch_words(90), stretch_words(1), stretch_words(90, pd.Timestamp("2020-07-30"))
    ('90 days hold', '1 day holds', 'the 90 days from 2020-07-30 hold')
    """
    if start is not None and days == 1:
        return f"{start:%Y-%m-%d} holds"
    named = counted(days, "day") if start is None else f"the {days} days from {start:%Y-%m-%d}"
    return f"{named} {'holds' if days == 1 else 'hold'}"


def previewed(
    scenario: Told, horizon: str, start: DateLike | None, draws: int, rng: RNGLike
) -> Preview:
    """Simulate what a scenario expects; see ``Scenario.preview``.

    Parameters
    ----------
    scenario : Scenario
        The story.
    horizon : str
        Length of the stretch.
    start : date-like or None
        Its first day.
    draws : int
        Futures.
    rng : int, Generator or None
        Draws them.

    Returns
    -------
    Preview
        By day.

    Raises
    ------
    OptionError
        If the horizon is longer than 3,660 days, or there are no draws, or more than memory holds.
    """
    ahead = days_of(horizon)
    check_draws(draws, ahead)
    generator = resolve(rng).generator
    chosen = None if start is None else as_date(start, "start")
    first = scenario.starts if chosen is None else chosen
    days = pd.date_range(first, periods=ahead, freq="1D", unit="us")
    levels = scenario.draw(draws, generator)
    story = scenario.story(levels, days)
    source = scenario.phases[0].rate
    excited = np.zeros(draws)
    if isinstance(source, Continued) and source.excited is not None and first == source.start:
        excited = source.excited[source.rows(levels[:, 0])]
    rates, counts = simulate_story(story, excited, generator)
    lethal = deaths = None
    if story.lethal is not None:
        lethal = generator.binomial(counts, story.lethal).astype(np.int64)
    if lethal is not None and scenario.deaths is not None:
        toll = scenario.deaths.draw(int(lethal.sum()), generator)
        cells = np.repeat(np.arange(lethal.size), lethal.ravel())
        killed = np.zeros(lethal.size, dtype=np.int64)
        np.add.at(killed, cells, toll)
        deaths = killed.reshape(lethal.shape)
    words = "; ".join(phase.words for phase in scenario.phases)
    named = names_start(scenario, chosen)
    return Preview(scenario.name, words, days, rates, counts, lethal, deaths, named)


def simulate_story(story: Story, excited: Floats, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Simulate the attacks of a story day by day.

    Parameters
    ----------
    story : Story
        What the draws say about these days.
    excited : ndarray, shape (draws,)
        Sum of the kernel over attacks before the first day; zero where none is known.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    rates : ndarray, shape (draws, days)
        Expected attacks on each day, given the days before it; at most 100,000.
    counts : ndarray of int, shape (draws, days)
        Attacks.

    Examples
    --------
    >>> rates, counts = simulate_story(Story(np.full((3, 5), 2.0)), np.zeros(3), np.random.default_rng(1))
    >>> rates.shape, counts.dtype
    ((3, 5), dtype('int64'))
    """
    rates = np.array(story.rate)
    counts = np.empty(rates.shape, dtype=np.int64)
    kept = None if story.decay is None else np.exp(-story.decay)
    state = np.array(excited, dtype=float)
    for t in range(rates.shape[1]):
        if story.branching is not None and kept is not None:
            rates[:, t] += story.branching[:, t] * state
        mean = rates[:, t] = np.minimum(rates[:, t], _CAP)
        if story.dispersion is not None:
            size = 1.0 / np.maximum(story.dispersion, 1e-9)
            mean = mean * rng.gamma(size) / size
        counts[:, t] = rng.poisson(mean)
        if kept is not None:
            state = kept * state + (1.0 - kept) * counts[:, t]
    return rates, counts
