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
                | column "is" [ "not" ] "missing"
    column      = a name, or `any name` in backticks
    literal     = a number, or text in quotes (one inside is doubled); dates are text such as "2020-03-12"

A column ``x`` with ``x_low`` and ``x_high`` beside it is an interval: a condition is decided only if every value
of the interval agrees. ``date`` stands for the days on which the incident may have begun.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.table import latest_onset
from tempo.data.window import unsaid
from tempo.errors import RuleError

__all__ = ["Rule", "Truth", "parse_rule"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<quoted>`[^`]+`)
    | (?P<operator><=|>=|==|!=|<|>|=)
    | (?P<mark>[()\[\],])
    | (?P<word>[^\W\d][\w.]*)
    )""",
    re.VERBOSE,
)
_KEYWORDS = {"and", "or", "not", "in", "is", "missing"}


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

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:
        if self.column == "date" and "date" not in table.columns:
            low, high = _onset(table)
            bounds: list[float | str | pd.Timestamp] = [
                _as_dates(value, self.column) for value in self.literals
            ]
        else:
            _require(self.column, table)
            low, high = _bounds(table, self.column, best=best)
            bounds = [_comparable(value, low, self.column) for value in self.literals]
        results = [_compare(low, high, self.operator, value) for value in bounds]
        if self.operator == "in":
            # "in" is a chain of "or" over equalities, also for values that are not known.
            true = np.logical_or.reduce([result.true for result in results])
            false = np.logical_and.reduce([result.false for result in results])
            return Truth(np.asarray(true), np.asarray(false))
        return results[0]


@dataclass(frozen=True, slots=True)
class _Missing:
    column: str

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:  # noqa: ARG002 - shared signature
        _require(self.column, table)
        missing = table[self.column].isna().to_numpy(dtype=bool)
        return Truth(missing, ~missing)


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Node

    def truth(self, table: pd.DataFrame, *, best: bool) -> Truth:
        inner = self.inner.truth(table, best=best)
        return Truth(inner.false, inner.true)


@dataclass(frozen=True, slots=True)
class _Junction:
    kind: Literal["and", "or"]
    parts: tuple[_Node, ...]

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
            "A rule compares columns with numbers or quoted text (<, <=, ==, !=, >, >=, in, is missing, is not "
            'missing) and joins comparisons with and, or, not: for example "killed > 0 or munitions >= 10".'
        )
        found = self.text[place:].strip()
        where = f"{found[:30]!r} (at character {place + 1})" if found else "the end of the rule"
        raise RuleError(f"cannot read the rule {self.text!r}: {where} {what}. {remedy}")

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
        if self.take("not"):
            if not self.peek("in"):
                self.fail(self.place(), "comes where 'in' was expected")
            return _Not(self.condition_in(column))
        if self.peek("in"):
            return self.condition_in(column)
        if not self.peek("<", "<=", "=", "==", "!=", ">", ">="):
            self.fail(self.place(), f"comes where a comparison of {column!r} was expected")
        operator = self.tokens[self.position][1]
        self.position += 1
        literal = self.literal()
        if operator == "!=":
            return _Not(_Comparison(column, "==", (literal,)))
        return _Comparison(column, "==" if operator == "=" else operator, (literal,))

    def condition_in(self, column: str) -> _Comparison:
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
        return _Comparison(column, "in", tuple(literals))

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
