"""The command line: parse, call, print.

Exit codes: 0, done; 1, something is wrong with the data or with what was asked, and a message says what; 2, the
command itself was not understood.

Libraries are loaded inside the commands that need them, so that ``tempo --help`` answers at once. Text that comes from
files or from the user is printed as it is: it is never read as markup, and control characters are taken out of it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

import tempo
from tempo.briefing import shipped_case
from tempo.cli_options import (
    DropBadRowsOption,
    TimezoneOption,
    columns_of,
    counted_by,
    only_with_a_file,
    pauses_of,
    question_of,
    scenarios_of,
    window_of,
)
from tempo.errors import OptionError, TempoError, WindowError

if TYPE_CHECKING:
    import pandas as pd

    from tempo.briefing.analysis import Progress

__all__ = ["app", "main"]

_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}

app = typer.Typer(
    name="tempo",
    help="Forecast the tempo of attacks: from a file of incidents to a briefing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done; 1 something is wrong with the data or the request; 2 the command was not understood.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(
    help="Data sets that come with tempo.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")


# -- options that several commands share -------------------------------------------------------------------------

_Schema = Annotated[
    str, typer.Option(help="What the columns mean: auto, ucdp-ged, acled, gtd or tempo.")
]
_Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="tempo's name for a column of the file; may be repeated.",
    ),
]
_Window = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="START END",
        help="First day that was watched, and first day that no longer was.",
    ),
]
_Gap = Annotated[
    list[str] | None,
    typer.Option(
        metavar="START/END", help="Days inside the window that nobody watched; may be repeated."
    ),
]
_DayFirst = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="How to read 03/04/2020.", show_default=False),
]
_Unknown = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="A cell that means unknown, such as -99; may be repeated."),
]
_Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel workbook.")]
_Encoding = Annotated[str | None, typer.Option(help="Encoding of a text file.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tempo {tempo.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Forecast the tempo of attacks: from a file of incidents to a briefing."""


@app.command()
def brief(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Incidents: CSV, Excel, Parquet or JSON lines. Left out: the shipped chronology.",
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Nothing from this day on is used. [default: end of the window]"
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help='What counts, such as "killed > 0 or munitions >= 10".'),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="What is counted, in the plural. [default: attacks]")
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Write it although no row matches the rule.")
    ] = False,
    window: _Window = None,
    gap: _Gap = None,
    schema: _Schema = "auto",
    column: _Column = None,
    day_first: _DayFirst = None,
    timezone: TimezoneOption = None,
    drop_bad_rows: DropBadRowsOption = False,
    unknown: _Unknown = None,
    sheet: _Sheet = None,
    encoding: _Encoding = None,
    horizon: Annotated[str, typer.Option(help="Longest horizon, in days or weeks.")] = "90D",
    question: Annotated[
        str | None, typer.Option(help="What the briefing answers; its title.")
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=STORY",
            help='A scenario: "sporadic=2-3 months" is a steady rate, "escalation=x3-8" a multiple of the past one, '
            "begun within the last 30 days. Name at least two.",
        ),
    ] = None,
    scenarios: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Scenarios from a TOML or JSON file, in place of --scenario; its priors hold unless --prior does.",
        ),
    ] = None,
    prior: Annotated[
        list[float] | None,
        typer.Option(
            metavar="P",
            help="Probability of each scenario before the data, in their order. [default: equal; 0.9 continuation and "
            "0.1 escalation if no scenario is named]",
        ),
    ] = None,
    stand_down: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="PROBABILITY DURATION",
            help='What an attack may do to operations: "10-30 %" "5-30 days". Adds a page on operating days lost.',
        ),
    ] = None,
    pauses: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Documented pauses, from which --stand-down learns: a CSV file with columns start, end, cause, scope.",
        ),
    ] = None,
    pause_cause: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="Words that the cause of a pause must hold; others hide what attacks did. [default: every row]",
        ),
    ] = None,
    pause_scope: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS", help="Words that the scope of a pause must hold. [default: every row]"
        ),
    ] = None,
    prob: Annotated[float, typer.Option(help="Content of every interval.")] = 0.9,
    words: Annotated[
        Literal["icd203", "phia"], typer.Option(help="Vocabulary of likelihood.")
    ] = "icd203",
    paper: Annotated[Literal["a4", "letter"], typer.Option(help="Size of the page.")] = "a4",
    method: Annotated[
        Literal["laplace", "nuts", "mle"], typer.Option(help="Engine of the Hawkes fit.")
    ] = "laplace",
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 7,
    override: Annotated[
        bool, typer.Option("--override", help="Write it although a model did not converge.")
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the PDF.")] = Path(
        "briefing.pdf"
    ),
) -> None:
    """Write a briefing as a PDF."""
    with _reporting():
        from tempo.briefing.pdf import write_briefing

        if file is None:
            only_with_a_file(window=window, gap=gap, column=column, sheet=sheet, encoding=encoding)
            only_with_a_file(timezone=timezone, **{"drop-bad-rows": drop_bad_rows})
            incidents = tempo.load_dataset(shipped_case.DATASET)
            if rule is None:
                rule, label = shipped_case.RULE, label or shipped_case.LABEL
                question = question or shipped_case.QUESTION
                stand_down = stand_down or shipped_case.STAND_DOWN
                if scenario is None and scenarios is None:
                    scenario, prior = (
                        list(shipped_case.SCENARIOS),
                        prior or list(shipped_case.PRIOR),
                    )
        else:
            try:
                incidents = tempo.read_incidents(
                    file,
                    schema,
                    columns_of(column),
                    window_of(window, gap),
                    label=label or "attacks",
                    dayfirst=day_first,
                    timezone=timezone,
                    on_error="drop" if drop_bad_rows else "raise",
                    unknown=unknown or (),
                    sheet=sheet,
                    encoding=encoding,
                )
            except WindowError as error:
                if window is None:
                    raise WindowError(
                        f"{error} Here it is said with --window START END."
                    ) from error
                raise
        cut = incidents.window.end if as_of is None else as_of
        counted = incidents
        if rule is not None:  # over all rows, so that a rule that matches later is no misspelling
            counted = counted_by(incidents, rule, label, allow_empty=allow_empty)
        incidents, counted = incidents.before(cut), counted.before(cut)
        stories = scenarios_of(scenario, counted) if scenario else None
        if scenarios is not None:
            if scenario:
                raise OptionError("--scenario and --scenarios are both given. Keep one of them.")
            stories, found = tempo.read_scenarios(scenarios, counted)
            prior = prior or found
        documented = pauses_of(pauses, pause_cause, pause_scope, stand_down is not None, cut)
        operations = None
        if file is None and stand_down is not None:
            documented = shipped_case.pauses(cut) if documented is None else documented
            operations = shipped_case.operations(cut)
        with _progress() as progress:
            briefing = write_briefing(
                output,
                counted,
                question=question or question_of(counted.label, horizon),
                as_of=cut,
                horizon=horizon,
                scenarios=stories,
                prior=prior,
                prob=prob,
                words=words,
                paper=paper,
                incidents=incidents,
                stand_down=None if stand_down is None else tempo.StandDown(*stand_down),
                pauses=documented,
                operations=operations,
                method=method,
                rng=seed,
                override=override,
                progress=progress,
            )
        findings = briefing.findings
        for notice in findings.notices:
            _say(f"Note: {notice}", style="yellow")
        for judgement in findings.judgements:
            _say(f"- {judgement.sentence}")
        _say(f"{briefing.path} ({briefing.pages} pages)", style="bold")


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Incidents: CSV, Excel, Parquet or JSON lines.")
    ],
    window: _Window = None,
    gap: _Gap = None,
    schema: _Schema = "auto",
    column: _Column = None,
    day_first: _DayFirst = None,
    timezone: TimezoneOption = None,
    drop_bad_rows: DropBadRowsOption = False,
    unknown: _Unknown = None,
    sheet: _Sheet = None,
    encoding: _Encoding = None,
    limit: Annotated[int, typer.Option(min=0, help="Problems to print; 0 prints all.")] = 50,
) -> None:
    """Say what is wrong with a file, row by row; exit with 1 if it cannot be used."""
    with _reporting():
        found = tempo.check_file(
            file,
            schema,
            columns_of(column),
            window_of(window, gap),
            dayfirst=day_first,
            timezone=timezone,
            on_error="drop" if drop_bad_rows else "raise",
            unknown=unknown or (),
            sheet=sheet,
            encoding=encoding,
        )
        problems = found.problems
        shown = problems if limit == 0 else problems.head(limit)
        for _, problem in shown.iterrows():
            _say_problem(problem)
        if len(shown) < len(problems):
            _say(f"… and {len(problems) - len(shown):,} more; --limit 0 prints all.")
        _say(found.describe(), style="bold")
    if not found.ok:
        raise typer.Exit(1)


@data_app.command("list")
def data_list() -> None:
    """List the data sets that come with tempo."""
    with _reporting():
        for name, row in tempo.list_datasets().iterrows():
            _say(str(name), style="bold")
            _say(f"  {row['title']}, version {row['version']}, {row['licence']}")
            _say(f"  complete in [{row['start']:%Y-%m-%d}, {row['end']:%Y-%m-%d})")


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    folder: Annotated[Path, typer.Option(help="Where to put it.")] = Path(),
) -> None:
    """Copy a data set, with its codebook, into a new folder of its name."""
    with _reporting():
        from tempo.data.library import copy_dataset

        _say(str(copy_dataset(name, folder)))


def main() -> None:
    """Run the command line."""
    app()


# -- what is printed ---------------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    """Take out control characters, so that no file can steer a terminal; line ends stay."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)


def _say(text: str, *, style: str = "", error: bool = False) -> None:
    console = Console(stderr=error, highlight=False, soft_wrap=True)
    console.print(Text(_clean(text), style=style))


def _say_problem(problem: pd.Series[Any]) -> None:
    import pandas as pd

    severity = str(problem["severity"])
    where = [] if pd.isna(problem["row"]) else [f"row {problem['row']}"]
    where += [str(problem["column"])] if problem["column"] else []
    value = f" ({problem['value']!r})" if problem["value"] else ""
    line = Text(f"{severity:<8}", style=_SEVERITY_STYLES.get(severity, ""))
    place = f"{', '.join(where)}: " if where else ""
    rest = f"{str(problem['rule']).rstrip('.')}{value}. {problem['remedy']}".rstrip()
    line.append(_clean(place + rest), style="not bold not dim default")
    Console(highlight=False, soft_wrap=True).print(line)


@contextmanager
def _reporting() -> Iterator[None]:
    """Turn errors of tempo into a message and exit code 1, and print warnings so that they can be read."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for meant_for_developers in (
            DeprecationWarning,
            PendingDeprecationWarning,
            ResourceWarning,
        ):
            warnings.simplefilter("ignore", meant_for_developers)
        failure: TempoError | None = None
        try:
            yield
        except TempoError as error:
            failure = error
    for message in dict.fromkeys(str(item.message) for item in caught):
        _say(f"Warning: {message}", style="yellow", error=True)
    if failure is not None:
        _say(f"Error: {failure}", style="bold red", error=True)
        if said := _as_options(str(failure)):
            _say(said, error=True)
        raise typer.Exit(1)


#: Messages name the arguments of Python functions; here each is said as an option.
_OPTIONS = {
    "columns=": "--column NAME=COLUMN",
    "dayfirst=": "--day-first or --month-first",
    "timezone=": "--timezone ZONE",
    "on_error=": "--drop-bad-rows",
    "unknown=": "--unknown TEXT",
    "encoding=": "--encoding NAME",
    "sheet=": "--sheet NAME",
    "method=": "--method NAME",
    "override=": "--override",
    "allow_empty=": "--allow-empty",
    "window=": "--window START END",
    "cause=": "--pause-cause WORDS",
    "scope=": "--pause-scope WORDS",
}


def _as_options(message: str) -> str:
    """Say how the arguments that a message names are given on the command line; empty where it names none."""
    pairs = [
        f"{name} is {option}"
        for name, option in _OPTIONS.items()
        if f" {name}" in message.replace("(", " ")
    ]
    return f"On the command line, {', '.join(pairs)}." if pairs else ""


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show a bar on a terminal; say nothing where the output is kept in a file."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=1.0)
        yield lambda text, share: bar.update(task, description=text, completed=share)
