"""Tables and sentences from a fitted Hawkes model by kind: who triggers whom, and when the data cannot tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.rounding import about, interval, number, percent, plural
from tempo.models.intervals import interval_levels

__all__ = [
    "CANNOT_TELL",
    "NO",
    "YES",
    "describe_kinds",
    "source_table",
    "triggered_by",
    "triggers_table",
]

type Floats = NDArray[np.float64]

YES, NO, CANNOT_TELL = "yes", "no", "the data cannot tell"
SURE = 0.9
LEARNED = 3.0  # times by which the data must have moved the odds, or the answer is the prior's
MOST_NAMED = 6
FEWEST = 5  # attacks of a kind, below which nothing is said of it


def triggers_table(
    kinds: Sequence[str],
    estimate: Floats,
    low: Floats,
    high: Floats,
    probability: Floats | None,
    prior_probability: Floats | None,
    events: Floats,
    at_least: float,
    prob: float,
) -> pd.DataFrame:
    """Tabulate who triggers whom.

    Parameters
    ----------
    kinds : sequence of str
        Names.
    estimate, low, high : ndarray, shape (K, K)
        Branching matrix and its intervals.
    probability, prior_probability : ndarray, shape (K, K), or None
        That an entry exceeds ``at_least``, after and before the data; None for maximum likelihood, which has neither.
    events : ndarray, shape (K,)
        Attacks of each kind.
    at_least : float
        What counts as triggering.
    prob : float
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by (kind, source), largest first.
    """
    k = len(kinds)
    if probability is None or prior_probability is None:
        probability = prior_probability = np.full((k, k), math.nan)
        yes, no = low > at_least, high < at_least
    else:
        odds = _odds(probability) / _odds(prior_probability)
        yes = (probability >= SURE) & (odds >= LEARNED)
        no = (probability <= 1 - SURE) & (odds <= 1 / LEARNED)
    enough = np.minimum(events[:, None], events[None, :]) >= FEWEST
    answer = np.where(yes & enough, YES, np.where(no & enough, NO, CANNOT_TELL))
    table = pd.DataFrame(
        {
            "branching_ratio": estimate.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "probability": probability.ravel(),
            "prior_probability": prior_probability.ravel(),
            "triggers": answer.ravel(),
            "n_kind": np.repeat(events, k).astype(np.int64),
            "n_source": np.tile(events, k).astype(np.int64),
        },
        index=pd.MultiIndex.from_product([kinds, kinds], names=["kind", "source"]),
    )
    table = table.sort_values("branching_ratio", ascending=False, kind="stable")
    table.attrs.update(prob=prob, at_least=at_least)
    return table


def _odds(probability: Floats) -> Floats:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(inside / (1 - inside))


def triggered_by(kinds: Sequence[str], split: Floats, prob: float) -> pd.DataFrame:
    """Tabulate where the attacks of each kind come from.

    Parameters
    ----------
    kinds : sequence of str
        Names.
    split : ndarray, shape (draws, K, K + 1)
        Expected attacks by kind and source, the baseline last.
    prob : float
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by (kind, source), the last source being the baseline: attacks, low, high, share of that kind.
    """
    low, high = np.quantile(split, interval_levels(prob), axis=0)
    mean = split.mean(axis=0)
    total = mean.sum(axis=1, keepdims=True)
    share = mean / np.where(total > 0, total, math.nan)
    index = pd.MultiIndex.from_product([kinds, [*kinds, "baseline"]], names=["kind", "source"])
    table = pd.DataFrame(
        {
            "attacks": mean.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "share": share.ravel(),
        },
        index=index,
    )
    table.attrs.update(prob=prob, **_overall(split[:, :, :-1].sum(axis=(1, 2)), split, prob))
    return table


def source_table(kinds: Sequence[str], split: Floats, prob: float) -> pd.DataFrame:
    """Tabulate how much each kind triggered, of every kind.

    Parameters
    ----------
    kinds : sequence of str
        Names.
    split : ndarray, shape (draws, K, K + 1)
        Expected attacks by kind and source.
    prob : float
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by source: attacks triggered, and their share of all attacks with its interval.
    """
    by_source = split.sum(axis=1)
    rows = {}
    for j, name in enumerate([*kinds, "baseline"]):
        shares = _overall(by_source[:, j], split, prob)
        rows[name] = {
            "attacks": float(by_source[:, j].mean()),
            "share": shares["share"],
            "low": shares["share_low"],
            "high": shares["share_high"],
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "source"
    table.attrs.update(prob=prob, **_overall(by_source[:, :-1].sum(axis=1), split, prob))
    return table


def _overall(attacks: Floats, split: Floats, prob: float) -> dict[str, float]:
    totals = split.sum(axis=(1, 2))
    shares = attacks / np.where(totals > 0, totals, math.nan)
    low, high = np.quantile(shares, interval_levels(prob))
    return {
        "share": float(shares.mean()),
        "share_low": float(low),
        "share_high": float(high),
    }


def describe_kinds(
    label: str,
    baselines: pd.DataFrame,
    triggers: pd.DataFrame,
    sources: pd.DataFrame,
    half_life: tuple[float, float, float],
    prob: float,
) -> str:
    """Say what was found in words.

    Parameters
    ----------
    label : str
        What is counted.
    baselines : pandas.DataFrame
        Indexed by kind: estimate, low, high per day.
    triggers : pandas.DataFrame
        From ``triggers_table``.
    sources : pandas.DataFrame
        From ``source_table``.
    half_life : tuple of float
        Estimate, low and high in days; of the kind that triggers most, where each has its own.
    prob : float
        Probability of the intervals.

    Returns
    -------
    str
        Risk, who triggers whom, what cannot be told, memory.
    """
    what = plural(label) if label != "counts" else "attacks"
    risks = "; ".join(
        f"{kind} {number(30 * row['estimate'])} ({interval(30 * row['low'], 30 * row['high'])})"
        for kind, row in baselines.iterrows()
    )
    text = [
        f"Risk: {what} that come in 30 days without any trigger ({percent(prob)} intervals): {risks}."
    ]
    share = sources.attrs
    if math.isnan(share["share"]):
        return f"{text[0]} None was counted, so nothing can be said about triggering."
    yes = triggers[triggers["triggers"] == YES]
    no = triggers[triggers["triggers"] == NO]
    open_pairs = len(triggers) - len(yes) - len(no)
    text.append(
        f"Volatility: {about(share['share'])} of all {what} were triggered by earlier ones "
        f"({percent(share['share_low'])} to {percent(share['share_high'])})."
    )
    found = [
        f"{source} triggers {'more ' if source == kind else ''}{kind} (about {number(value)} for each, "
        f"{interval(low, high)})"
        for (kind, source), value, low, high in zip(
            yes.index, yes["branching_ratio"], yes["low"], yes["high"], strict=True
        )
    ]
    least = triggers.attrs["at_least"]
    if found:
        more = f"; and {len(found) - MOST_NAMED} more pairs" if len(found) > MOST_NAMED else ""
        text.append(f"Who triggers whom: {'; '.join(found[:MOST_NAMED])}{more}.")
    else:
        text.append("Who triggers whom: no pair stands out.")
    if len(no):
        pairs = "; ".join(f"{kind} by {source}" for kind, source in no.index[:MOST_NAMED])
        if len(no) > MOST_NAMED:
            pairs += f"; and {len(no) - MOST_NAMED} more pairs"
        text.append(f"Hardly triggered, under {number(least)} for each attack: {pairs}.")
    if open_pairs:
        text.append(
            f"For {open_pairs} of {len(triggers)} pairs the data cannot tell whether one kind triggers the other "
            f"({number(least)} or more for each attack)."
        )
    estimate, low, high = half_life
    if len(yes) and not math.isnan(estimate):
        text.append(
            f"Resilience: half of what is triggered comes within {number(max(estimate, 1.0))} days "
            f"({interval(max(low, 1.0), max(high, 1.0))})."
        )
    text.append(
        "Triggered means followed more closely than chance explains; it names no cause, and kinds that share a season "
        "or an offensive look as if they triggered each other."
    )
    return " ".join(text)
