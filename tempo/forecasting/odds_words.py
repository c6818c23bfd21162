"""Evidence in words: the scale of Kass and Raftery, one sentence for the odds, one for a fit that is bad all round."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tempo.data.rounding import number, percent
from tempo.forecasting.free_rate import FREE_BETTER

__all__ = ["factor_words", "odds_sentence", "strength", "unexplained", "words_table"]

_TOO_LARGE = 1e6
#: Kass and Raftery (1995), p. 777: upper end of the Bayes factor, their word, and how a sentence says it.
_SCALE = (
    (3.0, "not worth more than a bare mention", "hardly tells them apart"),
    (20.0, "positive", "favours {better}"),
    (150.0, "strong", "strongly favours {better}"),
    (np.inf, "very strong", "very strongly favours {better}"),
)


def strength(log_factor: float) -> tuple[str, str]:
    """Give Kass and Raftery's word for a Bayes factor, and the clause that says it.

    Parameters
    ----------
    log_factor : float
        Natural logarithm of the factor; its sign does not matter.

    Returns
    -------
    word, clause : str
        The clause holds ``{better}`` where the name goes.

    Examples
    --------
    >>> strength(2.0)
    ('positive', 'favours {better}')
    """
    factor = np.exp(min(abs(log_factor), np.log(_TOO_LARGE)))
    return next((word, clause) for limit, word, clause in _SCALE if factor < limit)


def factor_words(log_factor: float) -> str:
    """Write a Bayes factor of at least 1 as "so many times".

    Parameters
    ----------
    log_factor : float
        Natural logarithm; its sign does not matter.

    Returns
    -------
    str
        For example ``"7.4 times"``.

    Examples
    --------
    >>> factor_words(-2.0), factor_words(50.0)
    ('7.4 times', 'more than 1,000,000 times')
    """
    size = abs(log_factor)
    more = "more than " if size > np.log(_TOO_LARGE) else ""
    return f"{more}{number(float(np.exp(min(size, np.log(_TOO_LARGE)))))} times"


def words_table(log_evidence: pd.Series) -> pd.DataFrame:
    """Give the evidence between each two scenarios in numbers and words.

    Parameters
    ----------
    log_evidence : pandas.Series
        Natural logarithm, by scenario.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.words_table``.
    """
    rows = []
    ordered = log_evidence.sort_values(ascending=False, kind="stable")
    for i, better in enumerate(ordered.index):
        for worse in ordered.index[i + 1 :]:
            top, low = float(ordered[better]), float(ordered[worse])
            gap = 0.0 if top == low else top - low
            with np.errstate(over="ignore"):
                factor = float(np.exp(gap))
            word, clause = strength(gap)
            rows.append(
                {
                    "better": better,
                    "worse": worse,
                    "bayes_factor": factor,
                    "twice_log": 2 * gap,
                    "strength": word,
                    "words": f"{factor_words(gap)} as probable under {better!r} as under {worse!r}, which "
                    f"{clause.format(better=repr(better))}",
                }
            )
    return pd.DataFrame(rows)


def odds_sentence(
    prior: pd.Series,
    probabilities: pd.Series,
    log_evidence: pd.Series,
    *,
    since: pd.Timestamp,
    seen: str | None,
) -> str:
    """Say in one or two sentences what the evidence did to the odds.

    Parameters
    ----------
    prior, probabilities, log_evidence : pandas.Series
        By scenario.
    since : pandas.Timestamp
        First day that judged.
    seen : str or None
        What happened since; None where no day has judged yet.

    Returns
    -------
    str
        Without causal language.
    """
    first, second = (str(name) for name in probabilities.nlargest(2).index)
    gain = float(log_evidence[first] - log_evidence[second])
    better, worse = (first, second) if not gain < 0 else (second, first)
    gain = 0.0 if np.isnan(gain) else gain
    shares = ", ".join(
        f"{name!r} {percent(before)} before and {percent(after)} after"
        for name, before, after in zip(
            prior.index, prior.to_list(), probabilities.to_list(), strict=True
        )
    )
    if seen is None:
        before = ", ".join(
            f"{name!r} {percent(p)}" for name, p in zip(prior.index, prior.to_list(), strict=True)
        )
        return (
            f"No day has judged the scenarios yet. Probabilities are those of the prior: {before}."
        )
    return (
        f"What happened since {since:%Y-%m-%d} ({seen}) is {factor_words(gain)} as probable under "
        f"{better!r} as under {worse!r}, which {strength(gain)[1].format(better=repr(better))}. "
        f"Probabilities: {shares}."
    )


def unexplained(log_evidence: pd.Series, free_log_evidence: float) -> str | None:
    """Say that no scenario explains the data, where a free rate does so much better.

    Parameters
    ----------
    log_evidence : pandas.Series
        By scenario.
    free_log_evidence : float
        Of a rate that is free to change on any day.

    Returns
    -------
    str or None
        None where the best scenario is good enough.

    Examples
    --------
    >>> unexplained(pd.Series({"a": -20.0, "b": -30.0}), -18.0) is None
    True
    """
    best = log_evidence.idxmax()
    gap = free_log_evidence - float(log_evidence.max())
    if not gap > np.log(FREE_BETTER):
        return None
    return (
        f"None of your scenarios explains this: a rate that is free to change gives what was observed "
        f"{factor_words(gap)} the probability that the best of them, {best!r}, gives it (the limit is "
        f"{number(FREE_BETTER)} times). Their odds compare bad explanations; look for a scenario that is missing."
    )
