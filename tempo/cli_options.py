"""What the options of the command line say, as tempo's own objects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tempo
from tempo.errors import OptionError, UndecidedRowsWarning

if TYPE_CHECKING:
    from tempo.data.incidents import Incidents
    from tempo.data.window import DateLike
    from tempo.forecasting.impact_pauses import Pauses
    from tempo.forecasting.scenarios import Scenario

__all__ = [
    "DropBadRowsOption",
    "TimezoneOption",
    "columns_of",
    "counted_by",
    "only_with_a_file",
    "pauses_of",
    "question_of",
    "scenarios_of",
    "window_of",
]

TimezoneOption = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Zone of the dates, as Asia/Baghdad, UTC or +03:00.",
        show_default=False,
    ),
]
DropBadRowsOption = Annotated[
    bool,
    typer.Option("--drop-bad-rows", help="Leave out rows that have errors, list and count them."),
]

_ESCALATION_ONSET = "30D"


def columns_of(pairs: list[str] | None) -> dict[str, str] | None:
    """Give the mapping that ``--column NAME=COLUMN`` says.

    Parameters
    ----------
    pairs : list of str or None
        As given.

    Returns
    -------
    dict of str to str or None
        tempo's name to the name in the file.

    Raises
    ------
    OptionError
        If one says no pair, or a name twice.
    """
    if not pairs:
        return None
    mapping: dict[str, str] = {}
    for pair in pairs:
        name, sign, column = pair.partition("=")
        if not (sign and name.strip() and column.strip()):
            raise OptionError(
                f"--column is {pair!r}; expected tempo's name, an equals sign and the name in the file, such as "
                "killed=deaths."
            )
        if name.strip() in mapping:
            raise OptionError(f"--column names {name.strip()!r} twice; name each once.")
        mapping[name.strip()] = column.strip()
    return mapping


def window_of(pair: tuple[str, str] | None, gaps: list[str] | None) -> tempo.Window | None:
    """Give the window that ``--window START END`` and ``--gap START/END`` say.

    Parameters
    ----------
    pair : (str, str) or None
        First day, and first day after the last.
    gaps : list of str or None
        As given.

    Returns
    -------
    Window or None
        None where none was given.

    Raises
    ------
    OptionError
        If there are gaps and no window.
    """
    if pair is None:
        if gaps:
            raise OptionError("--gap needs --window START END, in which it lies.")
        return None
    return tempo.Window(pair[0], pair[1], [gap.split("/") for gap in gaps or ()])


def only_with_a_file(**options: object) -> None:
    """Refuse options that say how to read a file where none was given.

    Parameters
    ----------
    **options : object
        Their values, by name.

    Raises
    ------
    OptionError
        If one of them is given.
    """
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise OptionError(
            f"{', '.join(given)} says how to read a file, but no file was given. Name the file, or leave it away."
        )


def counted_by(
    incidents: Incidents, rule: str, label: str | None, *, allow_empty: bool
) -> Incidents:
    """Choose what counts, silently: the briefing says how many rows were left open, and what they might change.

    Parameters
    ----------
    incidents : Incidents
        All of them.
    rule : str
        As ``--rule`` says.
    label : str or None
        As ``--label`` says.
    allow_empty : bool
        As ``--allow-empty`` says.

    Returns
    -------
    Incidents
        Those that count.

    Raises
    ------
    RuleError
        If no row counts and that was not allowed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndecidedRowsWarning)
        return incidents.where(rule, label, allow_empty=allow_empty)


def scenarios_of(stories: list[str], past: Incidents) -> list[Scenario]:
    """Give the scenarios that ``--scenario NAME=STORY`` says.

    Parameters
    ----------
    stories : list of str
        As given.
    past : Incidents
        What a multiple is a multiple of.

    Returns
    -------
    list of Scenario
        In their order.

    Raises
    ------
    OptionError
        If one says no name or story.
    """
    from tempo.forecasting.said_rates import multiple_interval

    made = []
    for text in stories:
        name, sign, story = (part.strip() for part in text.partition("="))
        if not (sign and name and story):
            raise OptionError(
                f'--scenario is {text!r}; expected a name, an equals sign and a story, such as "sporadic=2-3 months" '
                'or "escalation=x3-8".'
            )
        if multiple_interval(story) is not None:
            made.append(tempo.Scenario.escalation(past, story, onset=_ESCALATION_ONSET, name=name))
        elif story[0] in "x×":
            raise OptionError(
                f"--scenario is {text!r}; a multiple of the past rate is written x3-8, the lower one first."
            )
        else:
            made.append(tempo.Scenario.every(story, name))
    return made


def pauses_of(
    file: Path | None, cause: str | None, scope: str | None, wanted: bool, before: DateLike
) -> Pauses | None:
    """Give the pauses that ``--pauses FILE`` names, as known on a date.

    Parameters
    ----------
    file : Path or None
        As given.
    cause, scope : str or None
        As ``--pause-cause`` and ``--pause-scope`` say.
    wanted : bool
        Whether ``--stand-down`` is given.
    before : date-like
        Nothing from this day on is known.

    Returns
    -------
    Pauses or None
        None where no file was given.

    Raises
    ------
    OptionError
        If one of these options lacks the other that it needs.
    """
    if file is None:
        if cause is not None or scope is not None:
            raise OptionError(
                "--pause-cause and --pause-scope choose rows of --pauses FILE, which is not given."
            )
        return None
    if not wanted:
        raise OptionError(
            '--pauses needs --stand-down PROBABILITY DURATION, what is thought of stand-downs before them: "10-30 %" '
            '"5-30 days".'
        )
    return tempo.Pauses.read(file, cause=cause or "", scope=scope or "", before=before)


def question_of(label: str, horizon: str) -> str:
    """Word the question where nobody did.

    Parameters
    ----------
    label : str
        What is counted.
    horizon : str
        How far to look.

    Returns
    -------
    str
        For the title.
    """
    from tempo.forecasting.spans import days_of

    return f"How many {label} are to be expected in the next {days_of(horizon)} days, and is their tempo changing?"
