"""Tables and sentences from fitted regimes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.models.checks import check_table, row
from tempo.models.intervals import interval_levels
from tempo.models.regime_density import to_natural
from tempo.models.regime_engine import Reading
from tempo.models.regime_fitting import FEWEST_BINS, LARGEST_RHAT, Part
from tempo.models.regime_mle import STEEPEST

__all__ = [
    "delta",
    "describe",
    "durations",
    "episodes",
    "names",
    "stays",
    "transitions",
    "values",
    "with_regimes",
]

type Floats = NDArray[np.float64]

_NEXT_TO_NONE = 1e-3  # attacks in 30 days, or years


def names(k: int, *, negbin: bool, contagion: bool) -> list[str]:
    """Give the names of the parameters that a user sees.

    Parameters
    ----------
    k : int
        Number of regimes.
    negbin, contagion : bool
        What the model has.

    Returns
    -------
    list of str
        Rates, transitions, and the rest.

    Examples
    --------
    >>> names(2, negbin=True, contagion=False)
    ['rate_0', 'rate_1', 'transition_0_1', 'transition_1_0', 'dispersion']
    """
    out = [f"rate_{i}" for i in range(k)]
    out += [f"transition_{i}_{j}" for i in range(k) for j in range(k) if i != j]
    out += ["dispersion"] if negbin else []
    return out + (["branching_ratio", "decay"] if contagion else [])


def transitions(naturals: Floats, k: int, stages: int) -> Floats:
    """Give the transition matrix from bin to bin, averaged over the stages of a stay.

    Parameters
    ----------
    naturals : ndarray, shape (draws, q)
        Natural parameters.
    k, stages : int
        Regimes, and hidden states in a row for each.

    Returns
    -------
    ndarray, shape (draws, k, k)
        Rows sum to one.
    """
    leave = naturals[:, k : 2 * k] / stages
    out = leave[:, :, None] * naturals[:, 2 * k : 2 * k + k * k].reshape(-1, k, k)
    out[:, np.arange(k), np.arange(k)] = 1.0 - leave
    return np.asarray(out)


def stays(naturals: Floats, k: int, stages: int) -> Floats:
    """Give the expected stay in each regime, in bins.

    Parameters
    ----------
    naturals : ndarray, shape (draws, q)
        Natural parameters.
    k, stages : int
        Regimes, and hidden states in a row for each.

    Returns
    -------
    ndarray, shape (draws, k)
        Infinite for the only regime.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(stages / naturals[:, k : 2 * k])


def values(
    naturals: Floats, k: int, stages: int, bin_days: float, *, negbin: bool, contagion: bool
) -> Floats:
    """Give the parameters that a user sees, in the order of ``names``.

    Parameters
    ----------
    naturals : ndarray, shape (draws, q)
        Natural parameters.
    k, stages : int
        Regimes, and hidden states in a row for each.
    bin_days : float
        Length of a bin.
    negbin, contagion : bool
        What the model has.

    Returns
    -------
    ndarray, shape (draws, p)
        Rates per bin, decay per day.
    """
    between = ~np.eye(k, dtype=bool)
    parts = [naturals[:, :k], transitions(naturals, k, stages)[:, between]]
    if negbin:
        parts.append(naturals[:, -3:-2])
    if contagion:
        parts += [naturals[:, -2:-1], -np.log(naturals[:, -1:]) / bin_days]
    return np.concatenate(parts, axis=1)


def delta(part: Part, table: Callable[[Floats], Floats]) -> Floats:
    """Carry standard errors from the unbounded scale to the parameters that a user sees.

    Parameters
    ----------
    part : Part
        A maximum-likelihood fit.
    table : callable
        From natural parameters, shape (draws, q), to those of the user.

    Returns
    -------
    ndarray, shape (p,)
        Missing for what the data do not tell, or that lies on a bound.
    """
    optimum = part.optimum
    k, _, negbin, contagion = part.data.shape
    step = 1e-5
    columns = []
    for i in range(len(optimum.theta)):
        moved = np.tile(optimum.theta, (2, 1))
        moved[:, i] += (step, -step)
        both = table(np.array([to_natural(place, k, negbin, contagion) for place in moved]))
        columns.append((both[0] - both[1]) / (2 * step))
    slope = np.array(columns).T
    variance = np.einsum("ai,ij,aj->a", slope, optimum.covariance, slope)
    unknown = (
        np.abs(slope[:, ~optimum.free]) > 1e-3 * np.abs(slope).max(axis=1, keepdims=True)
    ).any(axis=1)
    return np.where(unknown | (variance <= 0), math.nan, np.sqrt(np.maximum(variance, 0.0)))


def durations(centre: Floats, drawn: Floats, visits: Floats, prob: float) -> pd.DataFrame:
    """Tabulate expected stays.

    Parameters
    ----------
    centre : ndarray, shape (k,)
        Estimates in days.
    drawn : ndarray, shape (draws, k)
        Draws in days.
    visits : ndarray, shape (k,)
        Expected number of stays in the record.
    prob : float
        Probability of the interval.

    Returns
    -------
    pandas.DataFrame
        mean_days, low, high, visits by regime.
    """
    low, high = np.quantile(drawn, interval_levels(prob), axis=0, method="inverted_cdf")
    table = pd.DataFrame(
        {"mean_days": centre, "low": low, "high": high, "visits": visits},
        index=pd.RangeIndex(len(centre), name="regime"),
    )
    table.attrs["prob"] = prob
    return table


def episodes(counts: Counts, path: NDArray[np.int64]) -> pd.DataFrame:
    """Tabulate the stays of one path.

    Parameters
    ----------
    counts : Counts
        What happened.
    path : ndarray of int, shape (n,)
        The regime of each bin.

    Returns
    -------
    pandas.DataFrame
        One row for each stay.
    """
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1])
    lasts = np.append(firsts[1:], len(path)) - 1
    seen = counts.notna().to_numpy()
    events = np.nan_to_num(counts.to_numpy(dtype=float))
    days = counts.exposure.to_numpy(dtype=float) * counts.bin_days * seen
    watched = np.add.reduceat(days, firsts)
    total = np.add.reduceat(events, firsts)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(watched > 0, total / watched, math.nan)
    return pd.DataFrame(
        {
            "start": counts.bin_starts[firsts],
            "end": counts.bin_ends[lasts],
            "regime": path[firsts],
            "bins": np.add.reduceat(seen.astype(int), firsts),
            "events": total.astype(int),
            "rate_per_day": rate,
        }
    )


def with_regimes(residuals: pd.DataFrame, parts: Sequence[Part], explosive: float) -> pd.DataFrame:
    """Add what is known about the regimes and the engine to a table of residual checks.

    Parameters
    ----------
    residuals : pandas.DataFrame
        A check table.
    parts : sequence of Part
        The fit of each series.
    explosive : float
        Probability that the branching ratio is one or more; missing without contagion.

    Returns
    -------
    pandas.DataFrame
        The longer table.
    """
    part = parts[0]
    reading = Reading(part.data, part.optimum.natural)
    least = float(reading.smoothed[part.data.index >= 0].sum(axis=0).min())
    rows = [
        row(
            "every regime is there (fewest bins)",
            least,
            FEWEST_BINS,
            least >= FEWEST_BINS,
            "Every regime was visited."
            if least >= FEWEST_BINS
            else "A regime holds next to no bins: fewer regimes may do.",
        )
    ]
    if not math.isnan(explosive):
        good = explosive <= 0.5
        meaning = (
            "Attacks die out instead of multiplying without end."
            if good
            else "Attacks would multiply without end: the regimes do not explain the rise."
        )
        rows.append(
            row("branching below one (probability of one or more)", explosive, 0.5, good, meaning)
        )
    rhat = max((p.rhat for p in parts if p.method == "nuts"), default=math.nan)
    if not math.isnan(rhat):
        good = rhat <= LARGEST_RHAT
        meaning = "The chains agree." if good else "The chains disagree."
        rows.append(row("r-hat", rhat, LARGEST_RHAT, good, meaning))
    if part.method == "mle":
        good = all(p.optimum.converged for p in parts)
        meaning = "The optimiser reached a peak." if good else "The optimiser stopped on a slope."
        worst = max(parts, key=lambda p: p.optimum.slope).optimum
        limit = STEEPEST * (1.0 + math.sqrt(abs(worst.llf)))
        rows.append(row("gradient vanished", worst.slope, limit, good, meaning))
    return pd.concat([residuals, check_table(rows)])


def describe(
    counts: Counts,
    rates: Floats,
    limits: pd.DataFrame,
    lasting: pd.DataFrame,
    now: Floats,
    prob: float,
    notes: Sequence[str],
    branching: pd.Series | None = None,
) -> str:
    """Say what was found.

    Parameters
    ----------
    counts : Counts
        What happened.
    rates : ndarray, shape (k,)
        Per day, ascending.
    limits : pandas.DataFrame
        Their low and high.
    lasting : pandas.DataFrame
        Expected stays.
    now : ndarray, shape (k,)
        Filtered probabilities in the last bin.
    prob : float
        Probability of the intervals.
    notes : sequence of str
        What is doubtful.
    branching : pandas.Series, optional
        Estimate, low and high of the branching ratio, with contagion.

    Returns
    -------
    str
        A few sentences.
    """
    k = len(rates)
    if branching is not None:
        low, high = branching["low"], branching["high"]
        text = (
            f"In every regime, one of them is followed by about {number(branching['estimate'])} more "
            f"({interval(low, high)}) beyond what chance explains."
        )
        notes = [text, *notes]
    what = plural(counts.label)
    yearly = float(counts.bin_days.mean()) > 200
    days, span, unit = (365.25, "a year", "years") if yearly else (30.0, "in 30 days", "days")
    apart = "" if branching is None else " that no earlier one set off"
    paces = [
        f"{number(days * rate)} {what}{apart} {span} ({interval(days * low, days * high)})"
        if days * rate >= _NEXT_TO_NONE
        else f"next to no {what}{apart}"  # the likelihood climbs for ever: no interval means anything
        for rate, low, high in zip(rates, limits["low"], limits["high"], strict=True)
    ]
    if k == 1:
        sentence = (
            f"With one regime there were {_about(paces[0])}; the interval holds {percent(prob)}."
        )
        return " ".join([sentence, *notes])
    verb = "was" if counts.events == 1 else "were"
    first = (
        f"{counted(counts.events, counts.label)} {verb} read as {k} regimes that take turns; that there are {k} was "
        f"assumed, and Regimes.compare weighs it. Intervals hold {percent(prob)}."
    )
    sentences = [first]
    scale = days if yearly else 1.0
    for i, name in enumerate(_ranks(k)):
        stay = lasting.loc[i, ["mean_days", "low", "high"]].to_numpy() / scale
        mean, low, high = (float(value) for value in stay)
        sentences.append(
            f"In the {name} there are {_about(paces[i])}, and a stay is expected to last {number(mean)} {unit} "
            f"({interval(low, high)})."
        )
    last = counts.end - pd.Timedelta("1D")
    likely = int(now.argmax())
    sentences.append(
        f"On {last.day} {last:%B %Y}, judged without hindsight, the probability of the {_ranks(k)[likely]} was "
        f"{percent(float(now[likely]))}."
    )
    return " ".join([*sentences, *notes])


def _about(pace: str) -> str:
    return pace if pace.startswith("next to") else f"about {pace}"


def _ranks(k: int) -> list[str]:
    if k == 2:
        return ["quieter regime", "busier regime"]
    middle = ["middle regime"] if k == 3 else [f"regime of rank {i + 1}" for i in range(1, k - 1)]
    return ["quietest regime", *middle, "busiest regime"]
