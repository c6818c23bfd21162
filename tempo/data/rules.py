"""Selection rules: a small expression language over the columns of a table, with three truth values.

A rule such as ``killed > 0 or munitions >= 10`` is parsed here and applied to whole columns; Python never evaluates
it. A comparison with an unknown value is unknown, not false, and logic follows Kleene: ``unknown or true`` is true,
``unknown and true`` is unknown.

Grammar::

    rule        = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" rule ")" | condition
    condition   = column ( "<" | "<=" | "=" | "==" | "!=" | ">" | ">=" ) literal
                | column [ "not" ] "in" "(" literal { "," literal } ")"       (square brackets do too)
                | column [ "not" ] ( "contains" | "starts with" | "has word" ) text
                | column "is" [ "not" ] "missing"
                ("loosely" before a comparison of text leaves out of account case and accents)
    column      = a name, or `any name` in backticks
    literal     = a number, or text in quotes (one inside is doubled); dates are text such as "2020-03-12"

A column ``x`` with ``x_low`` and ``x_high`` beside it is an interval: a condition is decided only if every value
of the interval agrees. ``admin1 loosely == "kirkuk"`` and ``target loosely contains "airfield"`` fold case and accents
of both sides; ``has word`` finds whole words. ``date`` stands for the days on which the incident may have begun.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.table import latest_onset
from tempo.data.window import unsaid
from tempo.errors import RuleError

__all__ = ["Rule", "Truth", "parse_rule", "written_literal"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<quoted>`[^`]+`)
    | (?P<operator><=|>=|==|!=|<|>|=)
    | (?P<mark>[()\[\],])
    | (?P<word>[^\W\d][\w.]*)
    )""",
    re.VERBOSE,
)
_KEYWORDS = {"and", "or", "not", "in", "is", "missing"}
_IN_TEXT = {"contains": "contains", "starts": "starts with", "has": "has word"}
_LONGEST, _SHOWN = 30_000, 80


@dataclass(frozen=True, slots=True)
class Truth:
    """Truth of a rule for each row: certainly true, certainly false, or neither.

    Attributes
    ----------
    true, false : ndarray of bool, shape (n,)
        Never both; a row that is neither is undecided.
    """

    true: NDArray[np.bool_]
    false: NDArray[np.bool_]

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Rows for which an unknown value leaves the rule open."""
        return np.asarray(~(self.true | self.false))


@dataclass(frozen=True, slots=True)
class _Comparison:
    column: str
    operator: str
    literals: tuple[float | str, ...]
    loosely: bool = False

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def written(self) -> str:
        literals = [written_literal(value) for value in self.literals]
        how = f"{_named(self.column)} {'loosely ' if self.loosely else ''}{self.operator}"
        return f"{how} ({', '.join(literals)})" if self.operator == "in" else f"{how} {literals[0]}"

    def comparisons(self) -> list[_Comparison]:
        return [self]

    def absent(self, table: pd.DataFrame) -> list[tuple[str, str]]:
        """Give the column and each text that is looked for and that no row holds."""
        if self.column == "date" or self.operator in {"<", "<=", ">", ">="}:
            return []
        wanted = [value for value in self.literals if isinstance(value, str)]
        if not wanted or not _is_text(table[self.column]):
            return []
        held = pd.Series(table[self.column].dropna().unique(), dtype=object)
        if held.empty:
            return []
        one = "==" if self.operator == "in" else self.operator
        return [
            (self.column, value)
            for value in wanted
            if not _matches(held, one, value, loosely=self.loosely).any()
        ]

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:
        if self.column == "date" and "date" not in table.columns:
            low, high = _onset(table)
            bounds: list[float | str | pd.Timestamp] = [
                _as_dates(value, self.column) for value in self.literals
            ]
        else:
            _require(self.column, table)
            low, high = _bounds(table, self.column, best=best)
            if self.loosely or self.operator in _IN_TEXT.values():
                return self._in_text(low)
            bounds = [_comparable(value, low, self.column) for value in self.literals]
        results = [_compare(low, high, self.operator, value) for value in bounds]
        if self.operator == "in":
            # "in" is a chain of "or" over equalities, also for values that are not known.
            true = np.logical_or.reduce([result.true for result in results])
            false = np.logical_and.reduce([result.false for result in results])
            return Truth(np.asarray(true), np.asarray(false))
        return results[0]

    def _in_text(self, values: pd.Series) -> Truth:
        known = values.notna().to_numpy(dtype=bool)
        found = np.zeros(len(values), dtype=bool)
        if not known.any():
            return Truth(found, found.copy())
        if not _is_text(values) or not all(isinstance(value, str) for value in self.literals):
            raise RuleError(
                f"the rule looks for text in {self.column!r} ({self.written()[:_SHOWN]}), which holds {values.dtype}. "
                "Compare numbers and dates with <, <=, ==, !=, >, >=."
            )
        one = "==" if self.operator == "in" else self.operator
        for value in self.literals:
            found[known] |= _matches(values[known], one, str(value), loosely=self.loosely)
        return Truth(found, known & ~found)


@dataclass(frozen=True, slots=True)
class _Missing:
    column: str

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def written(self) -> str:
        return f"{_named(self.column)} is missing"

    def comparisons(self) -> list[_Comparison]:
        return []

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:  # noqa: ARG002 - shared signature
        _require(self.column, table)
        missing = table[self.column].isna().to_numpy(dtype=bool)
        return Truth(missing, ~missing)


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Node

    @property
    def columns(self) -> set[str]:
        return self.inner.columns

    def written(self) -> str:
        return f"not ({self.inner.written()})"

    def comparisons(self) -> list[_Comparison]:
        return self.inner.comparisons()

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:
        inner = self.inner.truth(table, best=best)
        return Truth(inner.false, inner.true)


@dataclass(frozen=True, slots=True)
class _Junction:
    kind: Literal["and", "or"]
    parts: tuple[_Node, ...]

    @property
    def columns(self) -> set[str]:
        return set().union(*(part.columns for part in self.parts))

    def written(self) -> str:
        return f" {self.kind} ".join(
            f"({part.written()})" if isinstance(part, _Junction) else part.written()
            for part in self.parts
        )

    def comparisons(self) -> list[_Comparison]:
        return [one for part in self.parts for one in part.comparisons()]

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:
        truths = [part.truth(table, best=best) for part in self.parts]
        every = np.logical_and.reduce([t.true for t in truths])
        some = np.logical_or.reduce([t.true for t in truths])
        none = np.logical_and.reduce([t.false for t in truths])
        fails = np.logical_or.reduce([t.false for t in truths])
        if self.kind == "and":
            return Truth(np.asarray(every), np.asarray(fails))
        return Truth(np.asarray(some), np.asarray(none))


type _Node = _Comparison | _Missing | _Not | _Junction


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed selection rule.

    Attributes
    ----------
    text : str
        The rule as it was written.
    """

    text: str
    _root: _Node

    def truth(self, table: pd.DataFrame, *, best: bool = False) -> Truth:
        """Decide the rule for each row.

        Parameters
        ----------
        table : pandas.DataFrame, n rows
            The columns that the rule names.
        best : bool, default False
            Take best values at their word, and ignore intervals where a best value is given.

        Returns
        -------
        Truth
            For each row.

        Raises
        ------
        RuleError
            If a column is not there, or is compared with a literal of another type.

        Examples
        --------
        >>> table = pd.DataFrame({"killed": [0.0, 3.0, None]})
        >>> truth = parse_rule("killed > 0").truth(table)
        >>> truth.true.tolist(), truth.undecided.tolist()
        ([False, True, False], [False, False, True])
        """
        return self._root.truth(table, best=best)

    @property
    def clauses(self) -> list[tuple[str, set[str]]]:
        """The parts that must all hold: each as text, with the columns that it names."""
        open_parts, found = [self._root], []
        while open_parts:
            part = open_parts.pop(0)
            if isinstance(part, _Junction) and part.kind == "and":
                open_parts = [*part.parts, *open_parts]
            else:
                found.append((part.written(), part.columns))
        return found

    def absent_values(self, table: pd.DataFrame) -> list[str]:
        """Say which texts the rule looks for that no row holds, with the nearest that there are.

        Parameters
        ----------
        table : pandas.DataFrame
            The columns that the rule names.

        Returns
        -------
        list of str
            A sentence for each such text.
        """
        return [
            _unheard(table[column], value)
            for comparison in self._root.comparisons()
            for column, value in comparison.absent(table)
        ]


def _unheard(column: pd.Series, value: str) -> str:
    counts = column.dropna().astype("str").value_counts()
    folded: dict[str, list[str]] = {}
    for name in counts.index:
        folded.setdefault(_folded(name), []).append(name)
    key = _folded(value)
    near = [other for other in folded if key in other][:3]
    near += difflib.get_close_matches(key, list(folded), n=3, cutoff=0.6)
    names = [name for other in dict.fromkeys(near) for name in folded[other]][:4]
    said = ", ".join(f"{name!r} ({counts[name]:,})" for name in names or counts.index[:4])
    hint = f"The nearest are {said}." if names else f"The most frequent are {said}."
    return f"{value!r} never stands in the column {str(column.name)!r}. {hint}"


def _folded(text: str) -> str:
    """Leave out case and accents."""
    apart = unicodedata.normalize("NFKD", text.strip())
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold()


def _is_text(values: pd.Series) -> bool:
    return not (
        pd.api.types.is_numeric_dtype(values.dtype)
        or pd.api.types.is_bool_dtype(values.dtype)
        or pd.api.types.is_datetime64_any_dtype(values.dtype)
    )


def _matches(values: pd.Series, operator: str, wanted: str, *, loosely: bool) -> NDArray[np.bool_]:
    """Look for a text in known values."""
    held = [str(value) for value in values]
    if loosely:
        held, wanted = [_folded(value) for value in held], _folded(wanted)
    match operator:
        case "contains":
            found = [wanted in value for value in held]
        case "starts with":
            found = [value.startswith(wanted) for value in held]
        case "has word":
            whole = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
            found = [whole.search(value) is not None for value in held]
        case _:
            found = [value == wanted for value in held]
    return np.asarray(found, dtype=bool)


def written_literal(value: float | str) -> str:
    """Write a number or a text as it stands in a rule; a text that holds both quotation marks doubles one."""
    if isinstance(value, str):
        doubled = value.replace('"', '""')
        return f"'{value}'" if '"' in value and "'" not in value else f'"{doubled}"'
    return f"{int(value)}" if value.is_integer() and abs(value) < 1e15 else repr(value)


def _named(column: str) -> str:
    plain = re.fullmatch(r"[^\W\d][\w.]*", column) and column.lower() not in _KEYWORDS
    return column if plain else f"`{column}`"


def parse_rule(text: str) -> Rule:
    """Parse a selection rule.

    Parameters
    ----------
    text : str
        For example ``"killed > 0 or munitions >= 10"`` or ``"kind in ('rocket', 'mortar')"``.

    Returns
    -------
    Rule
        Ready to be applied to tables.

    Raises
    ------
    RuleError
        If the text is not a rule; the message points at the place and lists what is understood.

    Examples
    --------
    >>> parse_rule("killed > 0 or munitions >= 10").text
    'killed > 0 or munitions >= 10'
    """
    if not isinstance(text, str) or not text.strip():
        raise RuleError(
            f'the rule is {text!r}; expected text such as "killed > 0 or munitions >= 10".'
        )
    if len(text) > _LONGEST:
        raise RuleError(
            f"the rule has {len(text):,} characters ({text[:_SHOWN]!r} …); the limit is {_LONGEST:,}. Mark the rows "
            "in a column of the table instead, and let the rule name that."
        )
    parser = _Parser(text)
    root = parser.disjunction()
    parser.finish()
    return Rule(text.strip(), root)


class _Parser:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.position = 0
        self.depth = 0
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                self.fail(
                    place + len(text[place:]) - len(text[place:].lstrip()), "is not understood"
                )
            group = match.lastgroup
            self.tokens.append((group, match.group(group), match.start(group)))
            place = match.end()

    def fail(self, place: int, what: str) -> NoReturn:
        remedy = (
            "A rule compares columns with numbers or quoted text (<, <=, ==, !=, >, >=, in, contains, starts with, has "
            "word, is missing, is not missing; 'loosely' before it folds case and accents) and joins comparisons with "
            'and, or, not: for example "killed > 0 or munitions >= 10".'
        )
        found = self.text[place:].strip()
        where = f"{found[:30]!r} (at character {place + 1})" if found else "the end of the rule"
        start = max(place - _SHOWN, 0)
        around = (
            self.text
            if len(self.text) <= 2 * _SHOWN
            else f"… {self.text[start : place + _SHOWN]} …"
        )
        raise RuleError(f"cannot read the rule {around!r}: {where} {what}. {remedy}")

    def peek(self, *wanted: str) -> bool:
        """Tell whether the next token is one of these words or signs."""
        if self.position >= len(self.tokens):
            return False
        group, token, _ = self.tokens[self.position]
        return group in {"word", "operator", "mark"} and (
            token.lower() if group == "word" else token
        ) in set(wanted)

    def take(self, *wanted: str) -> bool:
        if self.peek(*wanted):
            self.position += 1
            return True
        return False

    def place(self) -> int:
        return self.tokens[self.position][2] if self.position < len(self.tokens) else len(self.text)

    def finish(self) -> None:
        if self.position < len(self.tokens):
            self.fail(self.place(), "comes where 'and', 'or' or the end was expected")

    def disjunction(self) -> _Node:
        parts = [self.conjunction()]
        while self.take("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else _Junction("or", tuple(parts))

    def conjunction(self) -> _Node:
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else _Junction("and", tuple(parts))

    def negation(self) -> _Node:
        self.depth += 1
        if self.depth > 100:  # rules come from files and command lines: bound the recursion
            self.fail(self.place(), "is nested more than 100 deep")
        try:
            if self.take("not"):
                return _Not(self.negation())
            if self.take("("):
                inner = self.disjunction()
                if not self.take(")"):
                    self.fail(self.place(), "comes where ')' was expected")
                return inner
            return self.condition()
        finally:
            self.depth -= 1

    def condition(self) -> _Node:
        column = self.column()
        if self.take("is"):
            negated = self.take("not")
            if not self.take("missing"):
                self.fail(self.place(), "comes where 'missing' was expected")
            return _Not(_Missing(column)) if negated else _Missing(column)
        negated = self.take("not")
        loosely = self.take("loosely")
        negated = negated or (loosely and self.take("not"))
        if self.peek("in"):
            found = self.condition_in(column, loosely=loosely)
            return _Not(found) if negated else found
        if self.peek(*_IN_TEXT):
            found = self.condition_in_text(column, loosely=loosely)
            return _Not(found) if negated else found
        if negated:
            self.fail(
                self.place(),
                "comes where 'in', 'contains', 'starts with' or 'has word' was expected",
            )
        if not self.peek("<", "<=", "=", "==", "!=", ">", ">="):
            self.fail(self.place(), f"comes where a comparison of {column!r} was expected")
        operator = self.tokens[self.position][1]
        self.position += 1
        literal = self.literal()
        if operator == "!=":
            return _Not(_Comparison(column, "==", (literal,), loosely))
        if loosely and operator not in {"=", "=="}:
            self.fail(
                self.place(),
                f"follows 'loosely {operator}', which has no meaning: use == or contains",
            )
        return _Comparison(column, "==" if operator == "=" else operator, (literal,), loosely)

    def condition_in_text(self, column: str, *, loosely: bool) -> _Comparison:
        operator = _IN_TEXT[self.tokens[self.position][1].lower()]
        for word in operator.split():
            if not self.take(word):
                self.fail(self.place(), f"comes where {operator!r} was expected")
        literal = self.literal()
        if not isinstance(literal, str) or not literal.strip():
            self.fail(self.place(), f"follows {operator!r}, which wants text in quotes")
        return _Comparison(column, operator, (literal,), loosely)

    def condition_in(self, column: str, *, loosely: bool) -> _Comparison:
        self.take("in")
        closing = {"(": ")", "[": "]"}
        if not self.peek(*closing):
            self.fail(self.place(), "comes where a list such as ('rocket', 'mortar') was expected")
        close = closing[self.tokens[self.position][1]]
        self.position += 1
        literals = [self.literal()]
        while self.take(","):
            if self.peek(close):
                break
            literals.append(self.literal())
        if not self.take(close):
            self.fail(self.place(), f"comes where {close!r} was expected")
        return _Comparison(column, "in", tuple(literals), loosely)

    def column(self) -> str:
        if self.position < len(self.tokens):
            group, token, _ = self.tokens[self.position]
            if group == "quoted":
                self.position += 1
                return token[1:-1]
            if group == "word" and token.lower() not in _KEYWORDS:
                self.position += 1
                return token
        return self.fail(self.place(), "comes where a column name was expected")

    def literal(self) -> float | str:
        if self.position < len(self.tokens):
            group, token, _ = self.tokens[self.position]
            if group == "number":
                self.position += 1
                if not math.isfinite(float(token)):
                    self.fail(self.place(), f"follows {token}, which is too large a number")
                return float(token)
            if group == "text":
                self.position += 1
                return self.whole_text(token)
        return self.fail(self.place(), "comes where a number or quoted text was expected")

    def whole_text(self, token: str) -> str:
        """Join what a doubled quotation mark inside one text has cut."""
        value, sign = token[1:-1], token[0]
        while self.position < len(self.tokens):
            group, following, start = self.tokens[self.position]
            if group != "text" or following[0] != sign or self.text[start - 1] != sign:
                break
            value += sign + following[1:-1]
            self.position += 1
        return value


def _require(column: str, table: pd.DataFrame) -> None:
    if column in table.columns:
        if isinstance(table[column], pd.DataFrame):
            raise RuleError(f"the table has several columns named {column!r}; rename all but one.")
        return
    near = difflib.get_close_matches(column, [str(name) for name in table.columns], n=3)
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    raise RuleError(
        f"the rule names the column {column!r}, which the table does not have.{hint} "
        f"Its columns are: {', '.join(str(name) for name in table.columns)}."
    )


def _onset(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Give the first and last day on which each incident may have begun."""
    for name in ("date_start", "date_end"):
        _require(name, table)
    last = latest_onset(table) if "date_precision" in table.columns else table["date_end"]
    return table["date_start"].dt.normalize(), last.dt.normalize()


def _bounds(table: pd.DataFrame, column: str, *, best: bool) -> tuple[pd.Series, pd.Series]:
    """Give the lowest and highest value each row may have; NaN where unbounded on that side."""
    value = table[column]
    low, high = (
        table[name] if name in table.columns else None
        for name in (f"{column}_low", f"{column}_high")
    )
    if (low is None and high is None) or not all(
        pd.api.types.is_numeric_dtype(part.dtype) for part in (value, low, high) if part is not None
    ):
        return value, value
    best_value = value.astype(float)
    lowest, highest = (best_value if part is None else part.astype(float) for part in (low, high))
    if best:
        return best_value.fillna(lowest), best_value.fillna(highest)
    # Ends that contradict each other or the best value leave open whatever any of them leaves open.
    known = np.stack([lowest, best_value, highest])
    return (
        pd.Series(np.fmin.reduce(known), index=table.index).where(
            lowest.notna() | best_value.notna()
        ),
        pd.Series(np.fmax.reduce(known), index=table.index).where(
            highest.notna() | best_value.notna()
        ),
    )


def _as_dates(value: float | str, column: str) -> pd.Timestamp:
    try:
        stamp = pd.to_datetime(value, format="ISO8601") if isinstance(value, str) else pd.NaT
    except ValueError:
        stamp = pd.NaT
    if isinstance(value, str) and value.strip().lower() in {"now", "today"}:
        stamp = pd.NaT  # another day tomorrow
    if pd.isna(stamp) or stamp.tzinfo is not None:
        raise RuleError(
            f"the rule compares {column!r} with {value!r}, which is not a date. "
            'Write dates as quoted text, year first and without a zone: "2020-03-12".'
        )
    if stretch := unsaid(value):
        raise RuleError(
            f"the rule compares {column!r} with {value!r}, a {stretch} and not a day. Write the day: "
            f'"{stamp:%Y-%m-%d}" is its first.'
        )
    return stamp


def _comparable(value: float | str, series: pd.Series, column: str) -> float | str | pd.Timestamp:
    """Give the literal in the type of the column, or say why they do not compare."""
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _as_dates(value, column)
    numeric = pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(
        series.dtype
    )
    if series.isna().all():
        return value  # an empty column has no type: every row is unknown
    if numeric and isinstance(value, str):
        raise RuleError(
            f"the rule compares the numbers in {column!r} with the text {value!r}. "
            f"Leave the quotes away if a number is meant: {column} == 1."
        )
    if not numeric and not isinstance(value, str):
        raise RuleError(
            f"the rule compares the text in {column!r} with the number {value:.15g}. "
            f'Put quotes around it if text is meant: {column} == "{value:.15g}".'
        )
    return value


def _compare(
    low: pd.Series, high: pd.Series, operator: str, value: float | str | pd.Timestamp
) -> Truth:
    """Compare intervals with a value. A missing end is unbounded, so comparisons with it are not certain."""
    known = (low.notna() & high.notna()).to_numpy(dtype=bool)
    if not isinstance(value, str) or operator in {"<", "<=", ">", ">="}:
        below = _known(high, value, "<")
        at_most = _known(high, value, "<=")
        above = _known(low, value, ">")
        at_least = _known(low, value, ">=")
        match operator:
            case "<":
                return Truth(below, at_least)
            case "<=":
                return Truth(at_most, above)
            case ">":
                return Truth(above, at_most)
            case ">=":
                return Truth(at_least, below)
        return Truth(at_least & at_most & known, below | above)
    equal = _known(low, value, "==") & _known(high, value, "==")
    return Truth(equal & known, ~equal & known)


def _known(
    series: pd.Series, value: float | str | pd.Timestamp, operator: str
) -> NDArray[np.bool_]:
    """Compare where the value is known; False where it is not."""
    result = np.zeros(len(series), dtype=bool)
    present = series.notna().to_numpy(dtype=bool)
    if not present.any():
        return result
    values = series[present]
    compare = {
        "<": values.lt,
        "<=": values.le,
        ">": values.gt,
        ">=": values.ge,
        "==": values.eq,
    }[operator]
    try:
        compared = compare(value)
    except TypeError as error:
        raise RuleError(
            f"the rule compares the column {str(series.name)!r} (of type {series.dtype}) with {value!r}, which do not "
            "compare. Convert the column to numbers, text or dates without a zone first."
        ) from error
    result[present] = compared.to_numpy(dtype=bool)
    return result
