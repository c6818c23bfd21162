"""Incidents: a table of attacks with their defects, the window they were watched in, and the rule that chose them."""

from __future__ import annotations

import contextlib
import html
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.binning import Days, binned, drawn_days, edges_that_matter, spans_an_edge
from tempo.data.counts import Counts, bins
from tempo.data.rounding import counted
from tempo.data.rules import Truth, parse_rule, written_literal
from tempo.data.table import canonical, latest_onset
from tempo.data.window import DAY, DateLike, Window, as_date
from tempo.errors import (
    AbsentValueWarning,
    DataError,
    ImputedDatesWarning,
    OptionError,
    RuleError,
    UndecidedRowsWarning,
    WindowError,
)
from tempo.randomness import RNGLike, resolve

__all__ = ["REPORTED_LATE", "Incidents", "concat"]

#: How a note says that a cut took away what was not yet known; a briefing repeats such a note on its first page.
REPORTED_LATE = "reported only after the cut-off and left out"

_MOST_IMPUTATIONS = 10_000


@dataclass(frozen=True, repr=False, eq=False)
class Incidents:
    """Incidents, one row each, with the window in which they were watched for.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each incident. ``date_start`` is required; ``date_end`` defaults to it, and ``date_precision``
        to ``"day"``. Any of the canonical columns may be there (``tempo.data.table.COLUMNS``), and others are
        kept beside them.
    window : Window or (start, end)
        Half-open. Every incident that happened in it would be in the table.
    label : str, default "attacks"
        What the incidents are, in the singular or the plural, for charts and sentences.
    rule : str, default "every row"
        The counting rule so far.
    source : str, optional
        Where the incidents come from.
    cutoff : date-like, optional
        The data are as they stood before this date.
    problems : pandas.DataFrame, optional
        Doubts that the reader of a file had.
    undecided : pandas.DataFrame, optional
        Rows that the rule left open, because a value is unknown.
    notes : sequence of str, optional
        What was left out on the way, in words.
    n_dropped : int, default 0
        Rows of the file that had errors and were dropped (``read_incidents(on_error="drop")``).

    Raises
    ------
    DataError
        If dates are missing or run backwards, or a number column holds no numbers.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": ["2020-01-26", "2020-03-11"], "killed": [0, 3]})
    >>> incidents = Incidents(table, ("2020-01-01", "2020-04-01"))
    >>> incidents
    Incidents: 2 attacks in [2020-01-01, 2020-04-01), 91 observed days
    >>> incidents.where("killed > 0", label="lethal attacks").counts("MS").tolist()
    [0, 0, 1]
    """

    window: Window
    label: str
    rule: str
    source: str
    cutoff: pd.Timestamp | None
    notes: tuple[str, ...]
    n_dropped: int
    _problems: pd.DataFrame = field(repr=False)
    _undecided: pd.DataFrame = field(repr=False)
    _table: pd.DataFrame = field(repr=False)

    def __init__(
        self,
        table: pd.DataFrame,
        window: Window | Sequence[DateLike],
        *,
        label: str = "attacks",
        rule: str = "every row",
        source: str = "",
        cutoff: DateLike | None = None,
        problems: pd.DataFrame | None = None,
        undecided: pd.DataFrame | None = None,
        notes: Sequence[str] = (),
        n_dropped: int = 0,
    ) -> None:
        if not isinstance(label, str) or not label.strip():
            raise OptionError(
                f"label is {label!r}; expected what is counted, in the plural, such as 'heavy strikes'."
            )
        checked = canonical(table)
        put = object.__setattr__
        put(self, "window", Window.of(window))
        put(self, "label", " ".join(label.split()))
        put(self, "rule", rule)
        put(self, "source", source)
        put(self, "cutoff", None if cutoff is None else as_date(cutoff, "the cut-off date"))
        put(self, "_problems", pd.DataFrame() if problems is None else problems.copy())
        put(self, "_undecided", checked.iloc[:0] if undecided is None else undecided.copy())
        put(self, "notes", tuple(notes))
        put(self, "n_dropped", n_dropped)
        put(self, "_table", checked)

    @property
    def table(self) -> pd.DataFrame:
        """The incidents, one row each, in order of their dates (a copy: changing it changes nothing here)."""
        return self._table.copy(deep=False)  # pandas copies on write

    @property
    def problems(self) -> pd.DataFrame:
        """Doubts that the reader of the file had, one row each (a copy)."""
        return self._problems.copy()

    @property
    def undecided(self) -> pd.DataFrame:
        """The rows that a selection rule could not decide, one row each (a copy)."""
        return self._undecided.copy()

    def __len__(self) -> int:
        return len(self._table)

    def _with(self, table: pd.DataFrame, **changes: object) -> Incidents:
        kept: dict[str, object] = {
            name: getattr(self, name)
            for name in (
                "window", "label", "rule", "source", "cutoff", "notes", "n_dropped",
            )
        }  # fmt: skip
        kept |= {"problems": self._problems, "undecided": self._undecided}
        kept |= changes
        return Incidents(table, **kept)  # type: ignore[arg-type]  # names and types of __init__ itself

    # -- selection ---------------------------------------------------------------------------------------------

    def where(
        self,
        rule: str | pd.Series | NDArray[np.bool_] | Callable[[pd.DataFrame], Any],
        label: str | None = None,
        *,
        undecided: Literal["exclude", "include", "best"] = "exclude",
        allow_empty: bool = False,
    ) -> Incidents:
        """Select incidents by a rule over the columns.

        Parameters
        ----------
        rule : str, mask or callable
            For example ``"killed > 0 or munitions >= 10"``. Comparisons, ``and``, ``or``, ``not``, ``in (...)``,
            ``contains``, ``starts with``, ``has word``, ``is missing``; ``loosely`` before a comparison of text folds
            case and accents (``admin1 loosely == "kirkuk"``); ``date`` stands for the date interval. The rule is
            parsed, never run as Python. Or a boolean for each row of ``table`` (a Series by its index), or a function
            of ``table`` that gives one; missing values leave a row undecided.
        label : str, optional
            What the selected incidents are, in the singular or the plural.
        undecided : {"exclude", "include", "best"}, default "exclude"
            What to do with rows that the rule cannot decide, because a value is unknown or its low and high
            disagree: leave them out, take them in, or take best values at their word.
        allow_empty : bool, default False
            Accept that nothing matches. Otherwise that is refused, because a misspelt place would read as an all-clear.

        Returns
        -------
        Incidents
            The selection. ``undecided`` on it holds the rows that were left open.

        Raises
        ------
        RuleError
            If the rule cannot be read, names an unknown column, or matches no row.

        Warns
        -----
        UndecidedRowsWarning
            If rows were left open.
        AbsentValueWarning
            If the rule looks for a text that no row holds.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-05", "2020-01-09"], "munitions": [20.0, 2.0]})
        >>> salvos = Incidents(table, ("2020-01-01", "2020-02-01")).where("munitions >= 10", label="salvos")
        >>> salvos
        Incidents: 1 salvo in [2020-01-01, 2020-02-01), 31 observed days; rule: munitions >= 10
        """
        if undecided not in {"exclude", "include", "best"}:
            raise OptionError(
                f"undecided is {undecided!r}; expected 'exclude', 'include' or 'best'."
            )
        said, truth, absent = self._judged(rule, best=undecided == "best")
        open_rows = truth.undecided
        chosen = truth.true | open_rows if undecided == "include" else truth.true
        if len(self) and not chosen.any() and not allow_empty:
            unsettled = int(open_rows.sum())
            left = (
                f" {unsettled:,} rows cannot be decided: undecided='include' takes them."
                if unsettled
                else ""
            )
            raise RuleError(
                f"the rule {said[:200]!r} matches none of {len(self):,} rows. {' '.join(absent)}{left} If that is "
                "what you want to brief, say allow_empty=True; before an early date, choose first and cut afterwards."
            )
        if absent:
            warnings.warn(
                AbsentValueWarning(f"In the rule {said[:200]!r}: {' '.join(absent)}"), stacklevel=2
            )
        text = said if self.rule == "every row" else f"({self.rule}) and ({said})"
        if undecided != "exclude":
            text += f" [undecided rows: {undecided}]"
        count = int(open_rows.sum())
        if count:
            done = {
                "exclude": "left out",
                "include": "counted in",
                "best": "left out even by their best values",
            }[undecided]
            share = f"{count} of {len(self)} rows cannot be decided by the rule {said!r}"
            warnings.warn(
                UndecidedRowsWarning(
                    f"{share} (a value is unknown or its low and high disagree); they are {done}. "
                    "See .undecided, and compare undecided='include' and undecided='best'."
                ),
                stacklevel=2,
            )
        return self._with(
            self._table[chosen],
            label=self.label if label is None else label,
            rule=text,
            undecided=pd.concat([self._undecided, self._table[open_rows]])
            if count and len(self._undecided)
            else self._table[open_rows]
            if count
            else self._undecided,
        )

    def _judged(self, rule: object, *, best: bool) -> tuple[str, Truth, list[str]]:
        """Apply a rule, a mask or a function: what it is called, its truth, and the texts that no row holds."""
        if isinstance(rule, str):
            parsed = parse_rule(rule)
            truth = parsed.truth(self._table, best=best)
            return parsed.text, truth, parsed.absent_values(self._table) if len(self) else []
        said = "a mask over the rows"
        if callable(rule):
            said = f"the function {getattr(rule, '__name__', type(rule).__name__)}"
            rule = rule(self.table)
        if isinstance(rule, pd.Series):
            rule = rule.reindex(self._table.index)
        values, mask = np.asarray(rule, dtype=object), None
        if values.ndim == 1:
            with contextlib.suppress(TypeError, ValueError):  # numbers or text
                mask = pd.array(values, dtype="boolean")
        if mask is None or len(mask) != len(self):
            found = "no list of truths" if mask is None else f"{len(mask):,} values"
            raise RuleError(
                f"{said} gives {found}; expected True or False for each of {len(self):,} rows, or a rule such as "
                '"killed > 0 or munitions >= 10".'
            )
        open_rows = np.asarray(mask.isna(), dtype=bool)
        true = np.asarray(mask.fillna(False), dtype=bool)
        return said, Truth(true, ~true & ~open_rows), []

    def before(self, date: DateLike) -> Incidents:
        """Give the incidents as the data stood before a date.

        An incident counts as known if every day on which it may have begun lies before the cut and, where
        ``reported_at`` is given, it had been reported by then. Nothing that began on the date itself or later is
        kept, among the undecided rows neither. An incident that began before the cut and lasted past it is kept,
        with the figures that the table gives.

        Parameters
        ----------
        date : date-like
            The cut, for example the day of the briefing.

        Returns
        -------
        Incidents
            On the window before the cut, with ``cutoff`` set.

        Raises
        ------
        WindowError
            If nothing of the window lies before the cut.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-05", "2020-03-20"]})
        >>> Incidents(table, ("2020-01-01", "2021-01-01")).before("2020-03-12")
        Incidents: 1 attack in [2020-01-01, 2020-03-12), 71 observed days; as of 2020-03-12
        """
        cut = as_date(date, "the cut-off date")
        if cut > self.window.end and self.cutoff is None:
            raise WindowError(
                f"the cut-off date {cut:%Y-%m-%d} lies after the end of the data, whose last day is "
                f"{self.window.end - DAY:%Y-%m-%d}. Give a date up to {self.window.end:%Y-%m-%d}, or a window that "
                "reaches further."
            )
        window = self.window.before(cut)
        table = self._table
        begun = (table["date_start"] < cut).to_numpy()
        over, late = _known_by(table, cut)
        notes = self.notes
        crossing = int((begun & ~over).sum())
        if crossing:
            notes = (
                *notes,
                f"{crossing} rows whose date interval reaches past the cut-off were left out.",
            )
        if late.any():
            notes = (
                *notes,
                f"{counted(int(late.sum()), 'incidents')} {REPORTED_LATE}.",
            )
        open_over, open_late = _known_by(self._undecided, cut)
        return self._with(
            table[over & ~late],
            window=window,
            cutoff=min(cut, self.cutoff or cut),
            notes=notes,
            undecided=self._undecided[open_over & ~open_late],
        )

    def between(self, start: DateLike, end: DateLike) -> Incidents:
        """Give the incidents whose dates may lie in ``[start, end)``, on that part of the window.

        Parameters
        ----------
        start, end : date-like
            Half-open.

        Returns
        -------
        Incidents
            Rows whose date interval only touches the stretch are kept; they count where their drawn date lies
            in it.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-05", "2020-03-20"]})
        >>> len(Incidents(table, ("2020-01-01", "2021-01-01")).between("2020-02-01", "2020-05-01"))
        1
        """
        window = self.window.between(start, end)
        kept = [
            rows[(rows["date_start"] < window.end) & (latest_onset(rows) >= window.start)]
            for rows in (self._table, self._undecided)
        ]
        return self._with(kept[0], window=window, undecided=kept[1])

    @property
    def kinds(self) -> list[str]:
        """The kinds of incidents, most frequent first; incidents of unknown kind are not among them."""
        if "kind" not in self._table:
            return []
        counts = self._table["kind"].astype("str").value_counts()
        return sorted(counts.index, key=lambda kind: (-int(counts[kind]), kind))

    def by_kind(self) -> dict[str, Incidents]:
        """Give the incidents of each kind, most frequent first.

        Returns
        -------
        dict of str to Incidents
            Each on the same window, labelled with its kind.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-05", "2020-03-20"], "kind": ["rocket", "mortar"]})
        >>> list(Incidents(table, ("2020-01-01", "2021-01-01")).by_kind())
        ['mortar', 'rocket']
        """
        every = self.rule == "every row"

        def of_kind(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
            return rows[(rows["kind"].astype("str") == kind).to_numpy(dtype=bool)]

        parts = {}
        for kind in self.kinds:
            quoted = written_literal(kind)
            parts[kind] = self._with(
                of_kind(self._table, kind),
                label=f"{self.label}: {kind}",
                rule=f"kind == {quoted}" if every else f"({self.rule}) and (kind == {quoted})",
                undecided=of_kind(self._undecided, kind),
            )
        return parts

    # -- counting ----------------------------------------------------------------------------------------------

    def n_uncertain(self, freq: str = "1D") -> int:
        """Count the incidents whose date is too uncertain to tell in which bin they count.

        The date interval spans several bins, or reaches past an end of the window or of a gap.

        Parameters
        ----------
        freq : str, default "1D"
            Bin length.

        Returns
        -------
        int
            How many.

        Examples
        --------
        >>> table = pd.DataFrame(
        ...     {"date_start": ["2020-01-01"], "date_end": ["2020-01-31"], "date_precision": ["month"]}
        ... )
        >>> incidents = Incidents(table, ("2020-01-01", "2021-01-01"))
        >>> incidents.n_uncertain("1D"), incidents.n_uncertain("MS")
        (1, 0)
        """
        return int(self._uncertain(_days(bins(self.window.start, self.window.end, freq))).sum())

    def counts(self, freq: str = "1D", *, rng: RNGLike = 0) -> Counts:
        """Count incidents in regular bins: complete index, zeros kept, exposure beside it.

        An incident counts in the bin in which it began. One whose date is known only to an interval that spans
        several bins is put on a day drawn uniformly from the interval, never on its first day by convention: use
        ``imputed_counts`` to average over such draws. A drawn day outside the window or in a gap is not counted.

        Parameters
        ----------
        freq : str, default "1D"
            Bin length: ``"1D"``, ``"7D"``, ``"W-MON"``, ``"MS"``, ``"YS"``.
        rng : int, Generator or None, default 0
            Draws uncertain dates; the default gives the same draw each time.

        Returns
        -------
        Counts
            One value for each bin of the window; missing where nobody watched.

        Warns
        -----
        ImputedDatesWarning
            If dates were drawn.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-02", "2020-01-02", "2020-01-04"]})
        >>> Incidents(table, ("2020-01-01", "2020-01-06")).counts("1D").tolist()
        [0, 2, 0, 1, 0]
        """
        counts = self.imputed_counts(freq, 1, rng)[0]
        if counts.n_imputed:
            warnings.warn(
                ImputedDatesWarning(
                    f"{counts.n_imputed} of {len(self)} dates are known only to an interval that spans several bins of "
                    f"{freq}; each was drawn uniformly from its interval. Fits average over such draws "
                    "(imputations=); for one series of your own choice pass rng=."
                ),
                stacklevel=2,
            )
        return counts

    def imputed_counts(
        self, freq: str = "1D", imputations: int = 20, rng: RNGLike = None
    ) -> list[Counts]:
        """Count incidents several times, drawing uncertain dates anew each time.

        Parameters
        ----------
        freq : str, default "1D"
            Bin length.
        imputations : int, default 20
            How many series. They differ only where dates are uncertain.
        rng : int, Generator or None
            Draws the dates.

        Returns
        -------
        list of Counts
            All on the same bins.

        Examples
        --------
        >>> table = pd.DataFrame(
        ...     {"date_start": ["2020-01-01"], "date_end": ["2020-01-31"], "date_precision": ["month"]}
        ... )
        >>> drawn = Incidents(table, ("2020-01-01", "2020-02-01")).imputed_counts("1D", 3, rng=1)
        >>> [int(series.to_numpy().argmax()) for series in drawn]
        [15, 29, 4]
        """
        _check_imputations(imputations)
        generator = resolve(rng).generator
        window = self.window
        starts = bins(window.start, window.end, freq)
        ends = pd.DatetimeIndex(starts + pd.tseries.frequencies.to_offset(freq))
        exposure = window.exposure(starts, ends)
        start_days, watched = _days(starts), _watched_days(window)
        uncertain = self._uncertain(start_days)
        n_uncertain = int(uncertain.sum())
        rule = self.rule
        if n_uncertain:
            rule += f" ({n_uncertain} uncertain dates drawn from their intervals)"
        return [
            Counts.build(
                binned(onset, start_days, *watched),
                starts,
                exposure,
                freq=freq,
                window=window,
                label=self.label,
                rule=rule,
                source=self.source,
                cutoff=self.cutoff,
                n_imputed=n_uncertain,
            )
            for onset in self._drawn(uncertain, imputations, generator)
        ]

    def imputed_onsets(self, imputations: int = 20, rng: RNGLike = None) -> list[pd.Series]:
        """Give the day on which each incident began, drawing uncertain dates anew each time.

        Parameters
        ----------
        imputations : int, default 20
            How many draws. They differ only where dates are uncertain.
        rng : int, Generator or None
            Draws the dates. The same seed gives the days that ``imputed_counts`` counts.

        Returns
        -------
        list of pandas.Series
            Each with the index of ``table``, so that what else is known of an incident stands beside its day. A drawn
            day may lie outside the window or in a gap, where it is not counted.

        Examples
        --------
        >>> table = pd.DataFrame(
        ...     {"date_start": ["2020-01-01"], "date_end": ["2020-01-31"], "date_precision": ["month"]}
        ... )
        >>> incidents = Incidents(table, ("2020-01-01", "2020-02-01"))
        >>> [str(days[0].date()) for days in incidents.imputed_onsets(3, rng=1)]
        ['2020-01-16', '2020-01-30', '2020-01-05']
        """
        _check_imputations(imputations)
        window = self.window
        uncertain = self._uncertain(_days(bins(window.start, window.end, "1D")))
        return [
            pd.Series(
                pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[us]")),
                index=self._table.index,
                name="onset",
            )
            for days in self._drawn(uncertain, imputations, resolve(rng).generator)
        ]

    def _uncertain(self, starts: Days) -> NDArray[np.bool_]:
        """Tell which incidents may count in one of several bins that begin on these days, or in none."""
        edges = edges_that_matter(starts, *_watched_days(self.window))
        return spans_an_edge(*self._onset_days(), edges)

    def _drawn(
        self, uncertain: NDArray[np.bool_], imputations: int, rng: np.random.Generator
    ) -> list[Days]:
        """Give the day on which each incident began, once for each imputation."""
        first, last = self._onset_days()
        if not uncertain.any():
            return [first] * imputations
        return [drawn_days(first, last, uncertain, rng) for _ in range(imputations)]

    def _onset_days(self) -> tuple[Days, Days]:
        """Give the first and last day on which each incident may have begun."""
        return (
            _days(pd.DatetimeIndex(self._table["date_start"])),
            _days(pd.DatetimeIndex(latest_onset(self._table))),
        )

    # -- words -------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """Say in plain words what these incidents are and what is unknown about them.

        Returns
        -------
        str
            A few lines: counts, window, rule, defects.

        Examples
        --------
        >>> table = pd.DataFrame({"date_start": ["2020-01-26", "2020-03-11"], "killed": [None, 3]})
        >>> print(Incidents(table, ("2020-01-01", "2020-04-01")).describe())
        2 attacks between 2020-01-01 and 2020-03-31 (91 observed days).
        Counting rule: every row.
        Killed: 3 in 1 incident that killed; unknown for 1 of 2.
        """
        table, window = self._table, self.window
        last = window.end - DAY
        lines = [
            f"{counted(len(self), self.label)} between {window.start:%Y-%m-%d} and {last:%Y-%m-%d} "
            f"({window.days:g} observed days"
            + (f", {window.length_days - window.days:g} not observed)." if window.gaps else ")."),
            f"Counting rule: {self.rule}.",
        ]
        if self.cutoff is not None:
            lines.append(f"As the data stood before {self.cutoff:%Y-%m-%d}.")
        if len(self):
            inexact = int((~table["date_precision"].isin(["time", "day"])).sum())
            if inexact:
                lines.append(f"Dates known only to an interval: {inexact} of {len(self)}.")
            for column in ("killed", "wounded"):
                if column not in table or not len(table):
                    continue
                known = table[column].notna()
                some = int((table[column] > 0).sum())
                lines.append(
                    f"{column.capitalize()}: {table[column].sum():,.0f} in {some} incident{'' if some == 1 else 's'} "
                    f"that {'killed' if column == 'killed' else 'wounded'}; "
                    f"unknown for {int((~known).sum())} of {len(self)}."
                )
            if len(self.kinds) > 1:
                shares = table["kind"].value_counts()
                lines.append(
                    "Kinds: " + ", ".join(f"{kind} {count}" for kind, count in shares.items()) + "."
                )
        outside = self._n_unwatched()
        if outside:
            lines.append(
                f"Outside the window or in its gaps, and in no count: {outside} of {len(self)}."
            )
        if len(self._undecided):
            lines.append(
                f"Rows that the rule cannot decide, because a value is unknown or disputed: {len(self._undecided)}; "
                "see .undecided."
            )
        lines += list(self.notes)
        if len(self._problems):
            lines.append(f"The reader of the file had {len(self._problems)} doubts: see .problems.")
        if self.source:
            lines.append(f"Source: {self.source}.")
        return "\n".join(lines)

    def _n_unwatched(self) -> int:
        """Count the rows that can be in no count, because nobody watched on any day of their interval."""
        first, last = self._onset_days()
        (start, end), gaps = _watched_days(self.window)
        unwatched = (last < start) | (first >= end)
        for gap_start, gap_end in gaps:
            unwatched |= (first >= gap_start) & (last < gap_end)
        return int(unwatched.sum())

    def __repr__(self) -> str:
        window = self.window
        text = (
            f"Incidents: {counted(len(self), self.label)} in [{window.start:%Y-%m-%d}, {window.end:%Y-%m-%d}), "
            f"{window.days:g} observed days"
        )
        if self.rule != "every row":
            text += f"; rule: {self.rule}"
        if self.cutoff is not None:
            text += f"; as of {self.cutoff:%Y-%m-%d}"
        return text

    def _repr_html_(self) -> str:
        shown = [
            name
            for name in (
                "date_start",
                "date_precision",
                "kind",
                "killed",
                "wounded",
                "place",
                "target",
            )
            if name in self._table and self._table[name].notna().any()
        ]
        head = self._table[shown].head(8)
        frame = head.to_html(index=False, escape=True, na_rep="unknown", border=0)
        more = (
            f"<p>… and {len(self) - len(head)} more; see <code>.table</code></p>"
            if len(self) > len(head)
            else ""
        )
        words = "<br>".join(html.escape(line) for line in self.describe().splitlines())
        return f"<div><p>{words}</p>{frame}{more}</div>"


def _days(times: pd.DatetimeIndex) -> Days:
    """Give the calendar day of each time, counted from 1970-01-01."""
    return times.to_numpy().astype("datetime64[D]").astype(np.int64)


def _check_imputations(imputations: int) -> None:
    whole = isinstance(imputations, int | np.integer) and not isinstance(imputations, bool)
    if not whole or not 1 <= imputations <= _MOST_IMPUTATIONS:
        raise OptionError(
            f"imputations is {imputations!r}; expected a whole number, at least 1 and at most "
            f"{_MOST_IMPUTATIONS:,}; 20 will do, because they are averaged over."
        )


def _watched_days(window: Window) -> tuple[tuple[int, int], Days]:
    """Give window and gaps as day numbers."""
    ends = _days(pd.DatetimeIndex([window.start, window.end]))
    gaps = _days(pd.DatetimeIndex([day for gap in window.gaps for day in gap]))
    return (int(ends[0]), int(ends[1])), gaps.reshape(-1, 2)


def _known_by(
    table: pd.DataFrame, cut: pd.Timestamp
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which rows began before the cut for sure, and which of them were reported only afterwards."""
    over = (latest_onset(table) < cut).to_numpy(dtype=bool)
    if "reported_at" not in table:
        return over, np.zeros(len(table), dtype=bool)
    return over, over & (table["reported_at"] >= cut).to_numpy(dtype=bool)


def concat(parts: Sequence[Incidents], label: str | None = None) -> Incidents:
    """Join incidents from several sources that were watched over the same window.

    Parameters
    ----------
    parts : sequence of Incidents
        At least one, all on the same window with the same gaps.
    label : str, optional
        What the joined incidents are; the labels joined by "and" when left out.

    Returns
    -------
    Incidents
        All rows. Incidents that stand in two sources stand in it twice: remove duplicates first.

    Raises
    ------
    DataError
        If windows differ, or an ``id`` stands in two parts.

    Examples
    --------
    >>> a = Incidents(pd.DataFrame({"date_start": ["2020-01-05"]}), ("2020-01-01", "2020-02-01"), label="rockets")
    >>> b = Incidents(pd.DataFrame({"date_start": ["2020-01-09"]}), ("2020-01-01", "2020-02-01"), label="mortars")
    >>> concat([a, b])
    Incidents: 2 rockets and mortars in [2020-01-01, 2020-02-01), 31 observed days
    """
    if not parts:
        raise DataError("there is nothing to join: pass at least one Incidents.")
    first = parts[0]
    for part in parts[1:]:
        if part.window != first.window or part.cutoff != first.cutoff:
            raise DataError(
                f"windows differ: {first.window} and {part.window} (as of {first.cutoff} and "
                f"{part.cutoff}). Cut both to their overlap with .between(start, end) and .before(date) first, or "
                "rates would be wrong."
            )
    table = pd.concat([part.table for part in parts], ignore_index=True)
    if "id" in table:
        repeated = pd.concat(
            [part.table["id"].dropna().drop_duplicates() for part in parts if "id" in part.table]
        )
        repeated = repeated[repeated.duplicated()]
        if len(repeated):
            raise DataError(
                f"{len(repeated)} ids stand in more than one part (first: {', '.join(map(str, repeated[:3]))}). "
                "Remove the duplicates first: the same attack would be counted twice."
            )
    rules = list(dict.fromkeys(part.rule for part in parts))
    sources = list(dict.fromkeys(part.source for part in parts if part.source))
    labels = list(dict.fromkeys(part.label for part in parts))
    return Incidents(
        table,
        first.window,
        label=" and ".join(labels) if label is None else label,
        rule=rules[0] if len(rules) == 1 else " or ".join(f"({rule})" for rule in rules),
        source="; ".join(sources),
        cutoff=first.cutoff,
        problems=pd.concat([part.problems for part in parts], ignore_index=True),
        undecided=pd.concat([part.undecided for part in parts], ignore_index=True),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        n_dropped=sum(part.n_dropped for part in parts),
    )
