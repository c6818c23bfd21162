"""Writing a briefing: from incidents and a question to a PDF that can be handed over."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempo.briefing.analysis import Analysis, Method, Progress, analyse
from tempo.briefing.charts import draw_charts
from tempo.briefing.findings import Findings, find
from tempo.briefing.page import Paper, page_count, printable, ready_to_typeset, typeset
from tempo.briefing.wording import Scale, term
from tempo.data.doors import cannot_write, shown, write_whole
from tempo.data.incidents import Incidents
from tempo.data.window import DateLike
from tempo.errors import BriefingError, OptionError
from tempo.forecasting.impact_pauses import Pauses
from tempo.forecasting.impact_standdown import StandDown
from tempo.forecasting.impact_totals import OperationsTotals
from tempo.forecasting.scenarios import Scenario
from tempo.randomness import RNGLike

__all__ = ["Briefing", "write_briefing"]


@dataclass(frozen=True, repr=False)
class Briefing:
    """A briefing that was written.

    Attributes
    ----------
    path : pathlib.Path
        The PDF.
    findings : Findings
        Everything it says.
    analysis : Analysis
        The results behind it.
    pages : int
        Number of pages.
    """

    path: Path
    findings: Findings
    analysis: Analysis
    pages: int

    def __repr__(self) -> str:
        plural = "" if self.pages == 1 else "s"
        return f"Briefing {self.path} ({self.pages} page{plural})\n{self.findings!r}"


def write_briefing(
    path: str | os.PathLike[str],
    past: Incidents,
    *,
    question: str,
    as_of: DateLike,
    horizon: str = "90D",
    scenarios: Sequence[Scenario] | None = None,
    prior: Sequence[float] | None = None,
    prob: float = 0.9,
    words: Scale = "icd203",
    paper: Paper = "a4",
    incidents: Incidents | None = None,
    rules: Mapping[str, str] | None = None,
    stand_down: StandDown | None = None,
    pauses: Pauses | None = None,
    operations: OperationsTotals | None = None,
    method: Method = "laplace",
    draws: int = 10_000,
    rng: RNGLike = 7,
    override: bool = False,
    progress: Progress | None = None,
) -> Briefing:
    """Write a briefing: a PDF whose every sentence, number and picture comes from the same results.

    It fits a constant rate, changepoints and a Hawkes process, checks them, forecasts, weighs the scenarios, reads how
    deadly attacks are, weighs contagion against regime change, and sets key judgements, confidence, assumptions,
    alternatives, indicators, deaths, operations, evidence, method and sources in type. The file
    is written whole or not at all, and a second run with the same input gives the same bytes.

    Parameters
    ----------
    path : path-like
        Where to write the PDF; its folder must exist. A file that is there is replaced.
    past : Incidents
        What is counted, such as ``incidents.where("killed > 0", label="lethal attack")``.
    question : str
        What the briefing answers, printed as its title.
    as_of : date-like
        Date of the briefing. Nothing from this day on is used.
    horizon : str, default "90D"
        The longest horizon, in days or weeks; a third and two thirds of it are reported too.
    scenarios : sequence of Scenario, optional
        At least two accounts of what is going on. Left out: continuation at the past rate, and escalation to three
        to eight times that rate within the last 30 days.
    prior : sequence of float, optional
        Probability of each scenario before the data. Left out: equal for named scenarios; 90 % continuation and 10 %
        escalation where ``scenarios`` are left out too.
    prob : float, default 0.9
        Content of every interval.
    words : {"icd203", "phia"}, default "icd203"
        Vocabulary of likelihood.
    paper : {"a4", "letter"}, default "a4"
        Size of the page.
    incidents : Incidents, optional
        All rows before the counting rule was applied. With them the question is answered again under ``rules``.
    rules : mapping of str to str, optional
        Other counting rules, ``{label: rule}``. Left out: those that the columns allow (any death, a coalition death,
        ten or more munitions, any of these).
    stand_down : StandDown, optional
        What an attack may do to operations, such as ``tempo.StandDown("10-30 %", "5-30 days")``: the briefing then says
        how many operating days each scenario costs. It is an assumption, and printed as one.
    pauses : Pauses, optional
        Documented pauses, from which the stand-downs are learned.
    operations : OperationsTotals, optional
        Published totals of operations, laid beside the attacks of each period on the operations page.
    method : {"laplace", "nuts", "mle"}, default "laplace"
        Engine of the Hawkes fit.
    draws : int, default 10,000
        Simulated futures of each model's forecast; those of the scenarios have 10,000.
    rng : int, Generator or None, default 7
        Draws everything.
    override : bool, default False
        Write the briefing although a model did not converge; the page then says so.
    progress : callable, optional
        Called with a text and the share done, between 0 and 1.

    Returns
    -------
    Briefing
        Path, findings, results and number of pages.

    Raises
    ------
    BriefingError
        If the path cannot be written, the as-of date lies beyond the data, or a model did not converge and
        ``override`` is not set. Nothing is left on disk.
    OptionError
        If an option has a value that is not known.

    Examples
    --------
    It takes some seconds, so this one is run with the README and not here.

    >>> import tempo
    >>> incidents = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> heavy = incidents.where("killed > 0", label="lethal attacks")  # doctest: +SKIP
    >>> write_briefing(
    ...     "taji.pdf", heavy, question="Is it getting worse?", as_of="2020-03-12", incidents=incidents
    ... )  # doctest: +SKIP
    """
    target = _target(path)
    tell = progress or (lambda _text, _share: None)
    ready_to_typeset()
    if not printable(question):
        raise OptionError(
            "The question is empty. It is the title of the briefing: say what was asked."
        )
    term(0.5, words)  # an unknown vocabulary or paper must not cost a user the time of the fits
    _known_paper(paper)
    analysis = analyse(
        past,
        as_of=as_of,
        horizon=horizon,
        scenarios=scenarios,
        prior=prior,
        prob=prob,
        incidents=incidents,
        rules=rules,
        stand_down=stand_down,
        pauses=pauses,
        operations=operations,
        method=method,
        draws=draws,
        rng=rng,
        progress=tell,
    )
    if analysis.blocked and not override:
        raise BriefingError(_refusal(analysis))
    tell("Drawing charts", 0.85)
    charts = draw_charts(analysis)
    findings = find(analysis, charts, question=question.strip(), words=words, override=override)
    tell("Setting pages", 0.95)
    (document,) = typeset(findings, paper=paper)
    _write_whole(target, document)
    tell("Done", 1.0)
    return Briefing(target, findings, analysis, page_count(findings, paper=paper))


def _refusal(analysis: Analysis) -> str:
    blocking = analysis.failed[analysis.failed["blocking"]]
    rows = "; ".join(
        f"{row['model']}: {row['check']} is {row['statistic']:.3g}, threshold {row['threshold']:.3g}"
        for _, row in blocking.head(3).iterrows()
    )
    sampled = blocking["check"].str.contains("r-hat").any()  # by NUTS, whatever was asked for
    return (
        f"No briefing was written, because a model did not converge ({rows}). Try "
        f"{'' if sampled else "method='nuts', "}another rng, or more "
        "data; or pass override=True, and the briefing will say on its first page that it was overridden."
    )


def _known_paper(paper: str) -> None:
    if paper not in {"a4", "letter"}:
        raise OptionError(f"The paper {paper!r} is not known. Use paper='a4' or 'letter'.")


def _target(path: str | os.PathLike[str]) -> Path:
    """Check that a file can be written there, before any model is fitted."""
    target = Path(path)
    if reason := cannot_write(target):
        raise BriefingError(reason)
    return target


def _write_whole(target: Path, document: bytes) -> None:
    """Write it whole or not at all."""
    try:
        write_whole(target, document)
    except OSError as error:
        raise BriefingError(
            f"{shown(target)} could not be written: {error.strerror or error}. If it is open in a viewer, "
            "close it there; "
            "otherwise choose another path."
        ) from error
