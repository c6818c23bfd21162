"""Errors and warnings of tempo.

Every error says what is wrong, what was found and expected, and what to do about it. Every error is also a
built-in one (``ValueError``, ``LookupError``, …), so that code which knows nothing of tempo can catch it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AbsentValueWarning",
    "BriefingError",
    "ConvergenceWarning",
    "DataError",
    "DatasetError",
    "FewEventsWarning",
    "FitError",
    "ImputedDatesWarning",
    "MemoryWarning",
    "OptionError",
    "ReadError",
    "ReadWarning",
    "RuleError",
    "ScenarioError",
    "SeasonWarning",
    "StationarityWarning",
    "TempoError",
    "TempoWarning",
    "UndecidedRowsWarning",
    "UnknownValuesWarning",
    "WindowError",
]


class TempoError(Exception):
    """Base of every error that tempo raises on purpose."""


class OptionError(TempoError, ValueError):
    """An option has a value that tempo does not know; the message lists those it does."""


class WindowError(TempoError, ValueError):
    """An observation window is missing, empty, or does not hold the data."""


class DataError(TempoError, ValueError):
    """Incidents or counts cannot be used as they are."""


class RuleError(TempoError, ValueError):
    """A selection rule cannot be parsed, or names a column that is not there."""


class ReadError(TempoError, ValueError):
    """A file of incidents cannot be read.

    Attributes
    ----------
    problems : pandas.DataFrame or None
        Every problem found, one row each: ``row``, ``column``, ``value``, ``rule``, ``remedy``, ``severity``.
    """

    def __init__(self, message: str, problems: pd.DataFrame | None = None) -> None:
        super().__init__(message)
        self.problems = problems


class DatasetError(TempoError, LookupError):
    """A data set is not known, not complete, or not what its checksum says."""


class FitError(TempoError, RuntimeError):
    """A model could not be fitted to these data."""


class ScenarioError(TempoError, ValueError):
    """A scenario cannot be understood, or scenarios cannot be weighed together."""


class BriefingError(TempoError, RuntimeError):
    """A briefing could not be written; nothing was left on disk."""


class TempoWarning(UserWarning):
    """Base of every warning that tempo gives."""


class ReadWarning(TempoWarning):
    """A file was read, with doubts that are kept on the result."""


class AbsentValueWarning(TempoWarning):
    """A rule compares a column with a value that it never holds, perhaps for another spelling."""


class UndecidedRowsWarning(TempoWarning):
    """A selection rule could not be decided for some rows, because a value is unknown."""


class ImputedDatesWarning(TempoWarning):
    """Some dates are known only to an interval and were drawn from it."""


class FewEventsWarning(TempoWarning):
    """There are so few events that the answer rests mostly on the prior."""


class OtherAttacksWarning(TempoWarning):
    """A scenario learned from other attacks than those that are to judge it, such as under another counting rule."""


class ConvergenceWarning(TempoWarning):
    """An optimiser, sampler or approximation did not meet its own standard."""


class MemoryWarning(TempoWarning):
    """A longer memory of earlier attacks than was assumed would change the answer."""


class SeasonWarning(TempoWarning):
    """A season that was left out would change the answer."""


class StationarityWarning(TempoWarning):
    """The fitted branching ratio is one or more: attacks would multiply without end."""


class UnknownValuesWarning(TempoWarning):
    """Some rows lack a value that a fit needs, and could not take part in it."""
