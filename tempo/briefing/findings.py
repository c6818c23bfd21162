"""Findings: everything that a briefing says, as finished text, before it is put on a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tempo.briefing.analysis import Analysis
from tempo.briefing.confidence import Confidence
from tempo.briefing.judgements import judge, judge_confidence, notices_of
from tempo.briefing.layout import Chart, Judgement, Section, Table
from tempo.briefing.phrases import observed_span
from tempo.briefing.sections import write_sections

__all__ = ["Findings", "find"]


@dataclass(frozen=True, repr=False)
class Findings:
    """What a briefing says: sentences and tables with every number already rounded.

    All text is made from result objects by `find`; the page adds nothing to it.

    Attributes
    ----------
    question : str
        The question that the briefing answers, in the words of who asked it.
    label, rule : str
        What is counted, and by which counting rule.
    as_of : pandas.Timestamp
        The date of the briefing; nothing from this day on was used.
    observed : str
        The observation window in words.
    n_events : int
        Events counted.
    horizon_days : int
        The longest horizon.
    prob : float
        Probability content of every interval.
    words : str
        Vocabulary of likelihood.
    notices : tuple of str
        What a reader must know first: failed checks, an override, few events. Printed on page one.
    judgements : tuple of Judgement
        Key judgements.
    confidence : Confidence
        Level and reasons, apart from the judgements.
    sections : tuple of Section
        The rest in the order of a briefing: the question at each horizon, assumptions,
        alternatives, indicators, evidence, method and record, sources.
    """

    question: str
    label: str
    rule: str
    as_of: pd.Timestamp
    observed: str
    n_events: int
    horizon_days: int
    prob: float
    words: str
    notices: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    confidence: Confidence
    sections: tuple[Section, ...]

    def section(self, title: str) -> Section:
        """Give the section with this title.

        Parameters
        ----------
        title : str
            For example ``"Indicators"``.

        Returns
        -------
        Section
            The section.

        Raises
        ------
        KeyError
            There is none; the message lists those there are.
        """
        for section in self.sections:
            if section.title == title:
                return section
        known = ", ".join(repr(section.title) for section in self.sections)
        raise KeyError(f"There is no section {title!r}. There are {known}.")

    def text(self) -> str:
        """Give all of it as plain text, in the order of the page."""
        lines = [self.question, ""]
        lines += [f"! {notice}" for notice in self.notices]
        lines += [f"{i}. {judgement}" for i, judgement in enumerate(self.judgements, 1)]
        lines += ["", self.confidence.sentence]
        lines += [f"- {reason}" for reason in self.confidence.reasons]
        for section in self.sections:
            lines += ["", section.title]
            for part in section.parts:
                if isinstance(part, Table):
                    lines += [part.title] if part.title else []
                    lines += [" | ".join(row) for row in (part.columns, *part.rows)]
                    lines += [part.note] if part.note else []
                elif isinstance(part, Chart):
                    lines.append(f"[{part.caption}]")
                elif isinstance(part, str):
                    lines.append(part)
                else:
                    lines += [f"- {point}" for point in part]
        return "\n".join(lines)

    def __repr__(self) -> str:
        first = self.judgements[0].sentence if self.judgements else "no judgement"
        return (
            f"Findings as of {self.as_of:%Y-%m-%d}: {self.n_events} × {self.label}, "
            f"{len(self.judgements)} judgements, confidence {self.confidence.level}\n"
            f"  {textwrap.shorten(first, 110, placeholder=' …')}"
        )


def find(
    analysis: Analysis,
    charts: Mapping[str, Chart] | None = None,
    *,
    question: str,
    words: str = "icd203",
    override: bool = False,
) -> Findings:
    """Give everything that a briefing says about an analysis.

    Parameters
    ----------
    analysis : Analysis
        The results.
    charts : mapping of str to Chart, optional
        Charts to be set among the evidence; none when left out.
    question : str
        The question in the words of who asked it.
    words : {"icd203", "phia"}, default "icd203"
        Vocabulary of likelihood.
    override : bool, default False
        Whether the briefing was asked for although a model did not converge.

    Returns
    -------
    Findings
        Finished text.
    """
    past = analysis.past
    return Findings(
        question=question,
        label=past.label,
        rule=past.rule,
        as_of=analysis.as_of,
        observed=observed_span(past.window),
        n_events=analysis.daily.events,
        horizon_days=analysis.horizons[-1],
        prob=analysis.prob,
        words=words,
        notices=notices_of(analysis, override=override),
        judgements=judge(analysis, words),
        confidence=judge_confidence(analysis, words),
        sections=write_sections(analysis, charts or {}, words),
    )
