"""The verdict in words: what was found, why it is decided or not; patterns are named, causes are not."""

from __future__ import annotations

import pandas as pd

from tempo.data.counts import Counts
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.models.inputs import FEW_EVENTS

__all__ = [
    "DECIDED",
    "LEAST_EVENTS",
    "MEANING",
    "REMEMBERED",
    "SEASONAL",
    "is_decided",
    "reason",
    "sentence",
]

#: The top account must reach this probability; below it, the verdict is "undecided".
DECIDED = 0.75

#: With fewer attacks than this no verdict is given, however the prior leans.
LEAST_EVENTS = 15

#: What takes a verdict back.
SEASONAL = "a yearly season, which these accounts leave out, fits better and changes the answer"
REMEMBERED = "with a longer memory of earlier attacks, contagion fits better and takes the place of the changes"

#: What each account says.
MEANING = {
    "constant": "a steady rate",
    "changepoints": "a changed baseline without contagion",
    "hawkes": "contagion on a steady baseline",
    "hawkes+steps": "contagion on a changed baseline",
}


def is_decided(probabilities: pd.Series, counts: Counts) -> bool:
    """Tell whether the weights make a verdict.

    Parameters
    ----------
    probabilities : pandas.Series
        Of the four accounts.
    counts : Counts
        What was explained.

    Returns
    -------
    bool
        The top account reaches 0.75, on at least 15 attacks.
    """
    return bool(probabilities.max() >= DECIDED) and counts.events >= LEAST_EVENTS


def reason(probabilities: pd.Series, counts: Counts, *, doubt: str = "") -> str:
    """Say why the verdict is decided, or why not.

    Parameters
    ----------
    probabilities : pandas.Series
        Of the four accounts.
    counts : Counts
        What was explained.
    doubt : str
        What takes the verdict back, as half a sentence; empty where nothing does.

    Returns
    -------
    str
        One or more sentences.
    """
    top, best = str(probabilities.idxmax()), float(probabilities.max())
    needed = f"{round(100 * DECIDED)} %"
    if counts.events < LEAST_EVENTS:
        return (
            f"{counted(counts.events, counts.label)} {'decides' if counts.events == 1 else 'decide'} nothing: it takes "
            f"at least {LEAST_EVENTS} for a verdict. "
            f"{MEANING[top].capitalize()} has {percent(best)} of the probability, most of it from the prior."
        )
    if doubt:
        remedy = "season='year'" if doubt == SEASONAL else "ExplainPrior(half_life_days=12)"
        return f"Not decided: {doubt}. Look at {remedy}."
    if best >= DECIDED:
        text = f"{MEANING[top].capitalize()} has {percent(best)} of the probability; {needed} makes a verdict."
    else:
        text = f"Cannot separate: {MEANING[top]} has only {percent(best)} of the probability; {needed} makes a verdict."
        contagion = float(probabilities["hawkes"] + probabilities["hawkes+steps"])
        changed = float(probabilities["changepoints"] + probabilities["hawkes+steps"])
        text += _taken_singly(contagion, changed)
    if counts.events < FEW_EVENTS:
        text += f" With {counted(counts.events, counts.label)} the answer leans on the prior."
    elif best < DECIDED and counts.events < 100:
        text += (
            f" {counted(counts.events, counts.label)} are few: contagion can be told from some thirty on, a change of "
            "the baseline beside it takes hundreds."
        )
    return text


def _taken_singly(contagion: float, changed: float) -> str:
    """Say which of the two questions has an answer, where the four accounts together have none."""
    questions = (
        ("there is contagion", contagion),
        ("the baseline changed", changed),
    )
    settled = [question for question in questions if not 1 - DECIDED < question[1] < DECIDED]
    if len(settled) == 2:
        said = [
            f"that {what} is probable ({percent(chance)})"
            if chance >= DECIDED
            else f"that {what} is improbable ({percent(chance)})"
            for what, chance in questions
        ]
        return f" Taken singly both questions have an answer: {said[0]}, and {said[1]}; taken together they do not."
    if len(settled) == 1:
        (open_one,) = [question for question in questions if question not in settled]
        return (
            f" Whether {settled[0][0]} is settled ({percent(settled[0][1])}), whether {open_one[0]} is not "
            f"({percent(open_one[1])})."
        )
    return ""


def sentence(
    probabilities: pd.Series,
    counts: Counts,
    least_step: float,
    triggered: tuple[float, float, float],
    *,
    doubt: str = "",
) -> str:
    """Write the verdict in plain words, with its numbers and without claiming causes.

    Parameters
    ----------
    probabilities : pandas.Series
        Of the four accounts.
    counts : Counts
        What was explained.
    least_step : float
        Factor from which a change counts.
    triggered : tuple of float
        Share of the attacks that read as triggered: expected, and low and high of the 90 % interval.
    doubt : str
        What takes the verdict back, as half a sentence; empty where nothing does.

    Returns
    -------
    str
        A few sentences.
    """
    label, events = plural(counts.label), counted(counts.events, counts.label)
    if counts.events == 0:
        return f"There were no {label}, so that nothing can be told from them."
    ranked = probabilities.sort_values(ascending=False, kind="stable")
    first, second = (str(name) for name in ranked.index[:2])
    best, next_best = (percent(float(p)) for p in ranked.iloc[:2])
    if is_decided(probabilities, counts):
        text = f"Of four accounts of {events}, {MEANING[first]} is the most probable ({best})."
    else:
        text = (
            f"Four accounts of {events} cannot be separated: {MEANING[first]} has {best}, {MEANING[second]} "
            f"{next_best}."
        )
    contagion = float(probabilities["hawkes"] + probabilities["hawkes+steps"])
    changed = float(probabilities["changepoints"] + probabilities["hawkes+steps"])
    text += (
        f" The probability of contagion is {percent(contagion)}, that of a change of the baseline by a factor of "
        f"{number(least_step)} or more {percent(changed)}."
    )
    if contagion >= 0.5:
        share, low, high = triggered
        text += (
            f" About {percent(share)} of the {label} (90 % interval {interval(100 * low, 100 * high)} %) follow "
            "earlier ones more closely than the baseline alone would have it: a pattern, not a cause."
        )
    if counts.events < FEW_EVENTS:
        text += (
            f" {events} {'is' if counts.events == 1 else 'are'} few: the answer leans on the prior."
        )
    if doubt:
        text += f" But {doubt}: none of this stands without that."
    return text[0].upper() + text[1:]
