"""The odds again under other assumptions: other priors, another first day, bunched days, without the last attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.rounding import number
from tempo.data.window import DAY
from tempo.errors import ScenarioError

__all__ = ["Answer", "Asked", "sensitivity_table", "without_table"]

type Floats = NDArray[np.float64]


class Answer(Protocol):
    """The odds of scenarios."""

    @property
    def prior(self) -> pd.Series:
        """Probability before the data."""

    @property
    def probabilities(self) -> pd.Series:
        """Probability after the data."""

    @property
    def log_evidence(self) -> pd.Series:
        """Log evidence."""


class Asked(Protocol):
    """The same question with something changed."""

    def __call__(self, **changes: object) -> Answer:
        """Answer it."""


def sensitivity_table(
    answer: Answer,
    again: Asked,
    *,
    dates: Sequence[pd.Timestamp],
    effects: Sequence[tuple[str, object]],
) -> pd.DataFrame:
    """Vary what was assumed, one thing at a time.

    Parameters
    ----------
    answer : Answer
        The answer as it was asked for.
    again : Asked
        Answers with something changed.
    dates : sequence of Timestamp
        Other first days that judge.
    effects : sequence of (words, overdispersion)
        Other day effects.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.sensitivity``.
    """
    names = list(answer.prior.index)
    prior, log = answer.prior.to_numpy(), answer.log_evidence.to_numpy()
    rows: list[tuple[str, str, Floats, Floats]] = [
        ("as asked", "", prior, answer.probabilities.to_numpy())
    ]

    def posterior(shares: Floats) -> Floats:
        return np.asarray(special.softmax(log + np.log(shares)))

    for k in range(1 if len(names) == 2 else 0, len(names)):
        for factor, words in ((0.5, "halved"), (2.0, "doubled")):
            shares = prior.copy()
            shares[k] *= factor
            shares /= (
                shares.sum()
            )  # the others keep their shares of the rest: the odds change by the factor
            rows.append(("prior", f"odds of {names[k]!r} {words}", shares, posterior(shares)))
    equal = np.full(len(names), 1 / len(names))
    rows.append(("prior", "all alike", equal, posterior(equal)))
    for k in range(1 if len(names) == 2 else 0, len(names)):
        even = _even_bet(prior, log, k)
        if even is not None:
            rows.append(("prior", f"what makes {names[k]!r} an even bet", *even))
    for date in dates:
        other = again(since=date)
        rows.append(
            (
                "judged since",
                f"{date:%Y-%m-%d}",
                other.prior.to_numpy(),
                other.probabilities.to_numpy(),
            )
        )
    for words, effect in effects:
        other = again(overdispersion=effect)
        rows.append(("day effect", words, other.prior.to_numpy(), other.probabilities.to_numpy()))
    leading = str(answer.probabilities.idxmax())
    table = pd.DataFrame(
        {
            **{("prior", name): [row[2][k] for row in rows] for k, name in enumerate(names)},
            **{("probability", name): [row[3][k] for row in rows] for k, name in enumerate(names)},
            ("answer", "leading"): [names[int(np.argmax(row[3]))] for row in rows],
        },
        index=pd.MultiIndex.from_tuples([row[:2] for row in rows], names=["varied", "to"]),
    )
    tied = np.array(["even bet" in row[1] for row in rows])
    table[("answer", "changed")] = (table[("answer", "leading")] != leading) & ~tied
    return table


def _even_bet(prior: Floats, log: Floats, k: int) -> tuple[Floats, Floats] | None:
    """Give the prior under which scenario ``k`` ends up at one half, and the odds then; None where no prior does."""
    rest = np.where(np.arange(len(prior)) == k, 0.0, prior)
    rest /= rest.sum()
    with np.errstate(divide="ignore"):
        joint = log + np.log(rest)
    others = float(special.logsumexp(joint))
    if not (np.isfinite(log[k]) and np.isfinite(others)):
        return None
    share = special.expit(others - log[k])
    chosen = np.arange(len(prior)) == k
    return (
        np.where(chosen, share, rest * (1 - share)),
        np.where(chosen, 0.5, 0.5 * special.softmax(joint)),
    )


def without_table(
    answer: Answer, again: Asked, history: pd.DataFrame, counts: pd.Series, day: pd.Timestamp | None
) -> pd.DataFrame:
    """Give the odds without the attack that made somebody ask.

    Parameters
    ----------
    answer : Answer
        The answer as it was asked for.
    again : Asked
        Answers with something changed.
    history : pandas.DataFrame
        The odds at each past date.
    counts : pandas.Series
        The days that judged.
    day : pandas.Timestamp or None
        The day to leave out; the last one with an attack where None.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.without``.
    """
    if day is None:
        busy = counts.index[(counts > 0).to_numpy(dtype=bool)]
        if not len(busy):
            raise ScenarioError(
                "there is no attack on the days that judged, so that none can be left out. Name a date."
            )
        day = busy[-1]
    if day not in counts.index:
        raise ScenarioError(
            f"{day:%Y-%m-%d} is not among the days that judged, [{counts.index[0]:%Y-%m-%d}, "
            f"{counts.index[-1] + DAY:%Y-%m-%d})."
        )
    other = again(left_out=day)
    table = pd.DataFrame.from_dict(
        {
            "prior": answer.prior,
            f"as of {day:%Y-%m-%d}, before that day": history.loc[day],
            f"now, {day:%Y-%m-%d} left out": other.probabilities,
            "now, with all days": answer.probabilities,
        },
        orient="index",
    )
    table.index.name = "odds"
    attacks = counts.loc[day]
    table.attrs["day"] = day
    table.attrs["why"] = (
        f"The question may have been asked because of what happened on {day:%Y-%m-%d} ({number(float(attacks))} "
        "counted). Whichever scenario holds, one looks at the odds on such a day and not on a quiet one, so that its "
        "number is no fair evidence. The third row leaves that day out and keeps all others; the truth lies between it "
        "and the last row."
    )
    return table
