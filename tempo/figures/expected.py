"""What a chart is drawn from: one check for all charts that they were given such a result, and not something else."""

from __future__ import annotations

import inspect

import pandas as pd

from tempo.errors import OptionError

__all__ = ["expect", "expect_columns"]

_NOTHING = object()


def expect(value: object, what: str, source: str, *names: str) -> None:
    """Refuse what is not a result that a chart can be drawn from.

    A result is known by what it carries and not by its class, so that charts load no models and draw what is shaped
    alike. Nothing is computed to find out.

    Parameters
    ----------
    value : object
        What was passed.
    what : str
        The parameter, for the message of the error.
    source : str
        What gives such a result, as it is typed.
    *names : str
        Attributes that tell it from other results.

    Raises
    ------
    OptionError
        If one of them is missing.

    Examples
    --------
    >>> expect(None, "weights", "tempo.weigh(past, scenarios)", "history")
    Traceback (most recent call last):
    tempo.errors.OptionError: weights is None; expected what tempo.weigh(past, scenarios) gives. Pass that result.
    """
    lacks = [name for name in names if inspect.getattr_static(value, name, _NOTHING) is _NOTHING]
    if not lacks and not isinstance(value, type):
        return
    remedy = "Pass that result."
    if callable(getattr(value, "fit", None)):
        remedy = "A model has to be fitted first: pass what its fit(...) gives."
    raise OptionError(f"{what} is {_said(value)}; expected what {source} gives. {remedy}")


def expect_columns(value: object, what: str, source: str, *columns: str) -> None:
    """Refuse what is not a table with the columns that a chart needs.

    Parameters
    ----------
    value : object
        What was passed.
    what : str
        The parameter, for the message of the error.
    source : str
        What gives such a table, as it is typed.
    *columns : str
        Columns that it must have.

    Raises
    ------
    OptionError
        If it is no DataFrame, or one of them is missing.

    Examples
    --------
    >>> expect_columns(pd.DataFrame({"alarm": [True]}), "watched", "alarm.watch(counts)", "alarm")
    """
    if not isinstance(value, pd.DataFrame):
        raise OptionError(
            f"{what} is {_said(value)}; expected the DataFrame that {source} gives. Pass that result."
        )
    lacks = [column for column in columns if column not in value]
    if lacks:
        raise OptionError(
            f"{what} has no column {', '.join(map(repr, lacks))}; expected the DataFrame that {source} gives, with "
            f"{', '.join(map(repr, columns))}. Pass that result."
        )


def _said(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"
