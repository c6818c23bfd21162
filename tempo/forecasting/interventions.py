"""What a fitted model expects if a part of it were different: two futures from the same draws, and how they differ."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import OptionError, StationarityWarning
from tempo.forecasting.intervention_paths import CAP, Change, futures_of
from tempo.forecasting.outlook import CountFit, Outlook, future_bins, paths_array
from tempo.forecasting.spans import is_number
from tempo.models.intervals import interval_levels
from tempo.randomness import RNGLike, resolve

__all__ = ["Intervention", "intervene"]


@dataclass(frozen=True, repr=False, eq=False)
class Intervention:
    """Two forecasts of one fit, with and without a change of one of its parts, and their difference.

    Row ``d`` of both comes from the same posterior draw and the same random numbers, so that the difference is that of
    the change alone, and far less uncertain than either.

    Attributes
    ----------
    as_fitted, changed : Outlook
        The two forecasts.
    baseline, branching : float
        Factors that were applied; 1 leaves a part as it is.
    start : pandas.Timestamp
        From here on.
    seed : str
        What reproduces the draws.
    notes : tuple of str
        Doubts.
    """

    as_fitted: Outlook
    changed: Outlook
    baseline: float
    branching: float
    start: pd.Timestamp
    seed: str
    notes: tuple[str, ...] = ()

    def difference(self, within: str | pd.Timedelta | None = None) -> NDArray[np.int64]:
        """Give the difference of the number of attacks in each pair of futures.

        Parameters
        ----------
        within : str, optional
            From the start of the forecast, such as ``"30D"``; the whole horizon when left out.

        Returns
        -------
        ndarray of int, shape (draws,)
            Changed less as fitted: below 0 means fewer attacks.
        """
        return self.changed.totals(within) - self.as_fitted.totals(within)

    def table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate both forecasts and their difference over the whole horizon.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            Rows ``as fitted``, ``changed`` and ``difference``; columns ``mean, median, low, high``.
        """
        levels = [0.5, *interval_levels(prob)]
        rows = {
            name: [values.mean(), *np.quantile(values, levels, method="inverted_cdf")]
            for name, values in (
                ("as fitted", self.as_fitted.totals()),
                ("changed", self.changed.totals()),
                ("difference", self.difference()),
            )
        }
        table = pd.DataFrame.from_dict(
            rows, orient="index", columns=["mean", "median", "low", "high"]
        )
        table.attrs["prob"] = prob
        return table

    def describe(self, prob: float = 0.9) -> str:
        """Say what the model expects if its parts were different, in words that name no cause.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        str
            Three sentences: both forecasts and the probability of any attack, the difference, and what it does not say.
        """
        table = self.table(prob)
        changes = [
            _words(what, factor)
            for what, factor in (
                ("the baseline", self.baseline),
                ("the branching ratio", self.branching),
            )
            if factor != 1
        ]
        when = f" from {self.start:%Y-%m-%d} on" if self.start > self.as_fitted.start else ""
        noun, days = plural(self.as_fitted.label), counted(self.as_fitted.horizon_days, "days")
        rows = {name: [float(value) for value in row] for name, row in table.iterrows()}
        mean, median, low, high = rows["difference"]
        some, before = (
            percent(float((outlook.totals() > 0).mean()))
            for outlook in (self.changed, self.as_fitted)
        )
        sure = percent(prob)
        expected, instead = _expected(rows["changed"], noun, sure), _expected(rows["as fitted"])
        return (
            f"If {' and '.join(changes)}{when}, the model expects {expected} in the {days} from "
            f"{self.as_fitted.start:%Y-%m-%d}, instead of {instead}; the probability of at least one is "
            f"{some}, instead of {before}. With the same random numbers in both, "
            f"{apart(mean, median, low, high, sure)}. This is what the fitted model implies; it does not say that "
            "anything done would change the baseline or the branching ratio so, nor that the rest would stay as it is."
        )

    def __repr__(self) -> str:
        return f"Intervention on {self.as_fitted.name}: {self.describe()}"

    def _repr_html_(self) -> str:
        text = repr(self).replace("&", "&amp;").replace("<", "&lt;")
        return f"<p>{text}</p>{self.table().to_html(border=0)}"


def intervene(
    fit: CountFit,
    horizon: str | pd.Timedelta = "90D",
    *,
    baseline: float = 1.0,
    branching: float = 1.0,
    start: DateLike | None = None,
    draws: int = 10_000,
    rng: RNGLike = None,
) -> Intervention:
    """Give what a fitted model expects if its baseline or its branching ratio were different.

    Both futures are drawn from the same posterior draws with common random numbers. Day counts of Hawkes models and
    constant rates are tied by the same uniform number for each day; in continuous time families grow once, and each
    future keeps the attacks whose forebears it kept; of changepoints and regimes, each simulated attack is kept with
    the factor as its probability, which is exact for counts that mix Poisson ones.

    Parameters
    ----------
    fit : fitted model
        ``Hawkes`` (by day, or exponential in continuous time), ``ConstantRate``, ``Changepoints`` or ``Regimes``.
    horizon : str, default "90D"
        How far, in days or weeks.
    baseline : float, default 1
        Factor on the rate of attacks that do not follow from earlier ones: 0.5 halves it. For changepoints and regimes
        from 0 to 1.
    branching : float, default 1
        Factor on the branching ratio: 0 means that attacks, past ones too, no longer raise the rate. Hawkes only.
    start : date-like, optional
        From this day on; from the start of the forecast when left out.
    draws : int, default 10,000
        How many pairs of futures.
    rng : int, Generator or None
        Draws them.

    Returns
    -------
    Intervention
        Both forecasts and their difference.

    Raises
    ------
    OptionError
        If nothing is changed, a factor is below 0, the start lies outside the horizon, or the change means nothing for
        this model.

    Warns
    -----
    StationarityWarning
        Some future exploded and was stopped at 10,000 expected attacks a bin.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=300, freq="1D")
    >>> rng = np.random.default_rng(1)
    >>> fit = tempo.Hawkes().fit(pd.Series(rng.poisson(0.5, 300), index=days), method="laplace", rng=1)
    >>> found = intervene(fit, "60D", baseline=0.5, rng=7)
    >>> bool((found.difference() <= 0).all()), bool(found.table().loc["difference", "mean"] < -5)
    (True, True)
    """
    for name, factor in (("baseline", baseline), ("branching", branching)):
        if not is_number(factor) or not 0 <= factor < np.inf:
            raise OptionError(
                f"{name} is {factor!r}; expected a factor from 0 up: 0.5 halves, 1 leaves as it is."
            )
    if baseline == 1 and branching == 1:
        raise OptionError("nothing is changed. Give a factor: baseline=0.5, or branching=0.")
    if not hasattr(fit, "counts"):
        raise OptionError(f"got a {type(fit).__name__}; expected a fitted model of counts.")
    counts = fit.counts
    starts, bin_days = future_bins(counts, horizon, draws)
    begin = counts.end if start is None else as_date(start, "start")
    if not starts[0] <= begin < starts[-1] + pd.Timedelta(days=float(bin_days[-1])):
        raise OptionError(
            f"start is {begin:%Y-%m-%d}, outside the horizon of {bin_days.sum():g} days from {counts.end:%Y-%m-%d}. "
            "Choose a day in it, or forecast further."
        )
    first = int(np.searchsorted(starts.to_numpy(), begin.to_numpy(), side="right")) - 1
    notes = list(getattr(getattr(fit, "provenance", None), "notes", ()))
    if starts[first] != begin:
        late = (begin - starts[first]) // DAY
        notes.append(
            f"The change begins {late} days into a bin; it was put at the beginning of the bin, on "
            f"{starts[first]:%Y-%m-%d}."
        )
    source = resolve(rng)
    change = Change(float(baseline), float(branching), first)
    paths = futures_of(fit, len(starts), draws, change, source.generator)
    exploded = int((np.maximum(*paths).max(axis=1, initial=0) >= 0.9 * CAP).sum())
    if exploded:
        text = (
            f"{exploded} of {draws} pairs of futures exploded, because their branching ratio is one or more; they were "
            f"stopped at {CAP:,.0f} attacks a bin. Means are worthless; quantiles may not be."
        )
        notes.append(text)
        warnings.warn(StationarityWarning(text), stacklevel=2)
    as_fitted, changed = (
        Outlook(
            counts=paths_array(path, starts),
            name=name,
            label=counts.label,
            rule=counts.rule,
            cutoff=counts.end,
            bin_days=bin_days,
            seed=source.record,
            notes=tuple(notes),
        )
        for path, name in zip(paths, (fit.name, f"{fit.name}, changed"), strict=True)
    )
    return Intervention(
        as_fitted,
        changed,
        float(baseline),
        float(branching),
        starts[first],
        source.record,
        tuple(notes),
    )


def apart(mean: float, median: float, low: float, high: float, prob: str) -> str:
    """Say how far two numbers of attacks lie apart, where none is the usual difference of few.

    Parameters
    ----------
    mean, median, low, high : float
        Of the difference; below 0 means fewer.
    prob : str
        Content of the interval.

    Returns
    -------
    str
            A clause without a noun.

    Examples
    --------
    >>> apart(-0.4, 0, -2, 0, "90 %")
    'there are 0.4 fewer on average; the middle future has no difference, and 90 % of futures between 2 fewer and none'
    >>> apart(-3.1, -3, -5, -1, "90 %")
    'there are 3.1 fewer on average; the middle future has 3 fewer, and 90 % of futures between 1 and 5 fewer'
    """
    on_average = (
        f"there are {_more(mean)} on average" if mean else "there is no difference on average"
    )
    if low == high:
        return f"{on_average}; {prob} of futures have {_more(low) or 'no difference'}"
    ends = f"{_more(low) or 'none'} and {_more(high) or 'none'}"
    if low * high > 0:
        near, far = sorted((abs(low), abs(high)))
        ends = f"{number(near)} and {_more(low if abs(low) == far else high)}"
    middle = _more(median) or "no difference"
    return f"{on_average}; the middle future has {middle}, and {prob} of futures between {ends}"


def _more(value: float) -> str:
    if value == 0:
        return ""
    return f"{number(abs(value))} {'fewer' if value < 0 else 'more'}"


def _expected(row: list[float], noun: str = "", prob: str = "") -> str:
    """Give an interval and a median, or the one number that nearly every future has."""
    _, middle, low, high = row
    median = number(middle)
    if low == high:
        if noun:
            return f"{number(low) if low else 'no'} {plural(noun, one=low == 1)}"
        return number(low) if low else "none"
    if not noun:
        return f"{interval(low, high)} (median {median})"
    return f"{interval(low, high)} {noun} ({prob} interval; median {median})"


def _words(what: str, factor: float) -> str:
    if factor == 0:
        return f"{what} were zero"
    if factor == 0.5:
        return f"{what} were half of what it is estimated at"
    return f"{what} were {number(factor)} times what it is estimated at"
