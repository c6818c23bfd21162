"""Forecasts as full distributions: simulated futures, and what can be read off them."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.data.window import DAY
from tempo.errors import OptionError
from tempo.forecasting.spans import MOST_DAYS, check_draws, check_whole, days_of
from tempo.models.intervals import central_levels
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

__all__ = ["CountFit", "Outlook", "TimeToNext", "TollFit", "forecast", "thirds"]

#: What counting adds to a rule where dates were drawn.
_DRAWN_DATES = re.compile(r" \(\d+ uncertain dates drawn from their intervals\)$")


class CountFit(Protocol):
    """What a fitted model must offer to be forecast: its counts, and futures that follow them."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def counts(self) -> Counts:
        """The counts it was fitted to."""

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw futures from the bin after the last one, parameters drawn anew for each: shape (draws, n_bins)."""


class TollFit(Protocol):
    """What a fitted lethality must offer, for deaths to be forecast with the attacks."""

    @property
    def label(self) -> str:
        """What the attacks are that it was fitted to."""

    @property
    def toll(self) -> str:
        """What is counted: "deaths" or "wounded"."""

    @property
    def provenance(self) -> Provenance:
        """How it was fitted, with its doubts."""

    def simulate_deaths(
        self, attacks: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw the deaths in each bin, and in the deadliest attack of each bin: both shaped as ``attacks``."""


def thirds(days: int) -> tuple[int, ...]:
    """Give a third, two thirds and the whole of a horizon: whole weeks where the horizon is some."""
    unit = 7 if days % 7 == 0 and days >= 21 else 1
    return tuple(sorted({max(round(days * k / 3 / unit) * unit, 1) for k in (1, 2, 3)}))


@dataclass(frozen=True, slots=True)
class TimeToNext:
    """How long until the next attack.

    Attributes
    ----------
    median_days, low_days, high_days : float
        Quantiles of the waiting time from the start of the forecast, in days; infinite where the quantile lies
        beyond the horizon.
    prob : float
        Probability of the interval from ``low_days`` to ``high_days``.
    probability_beyond : float
        Probability that no attack comes within the horizon.
    horizon_days : int
        The horizon.
    """

    median_days: float
    low_days: float
    high_days: float
    prob: float
    probability_beyond: float
    horizon_days: int

    def __repr__(self) -> str:
        def days(value: float) -> str:
            return f"beyond {self.horizon_days}" if np.isinf(value) else number(value)

        return (
            f"TimeToNext: median {days(self.median_days)} days, {percent(self.prob)} interval {days(self.low_days)} to "
            f"{days(self.high_days)} days; none within {self.horizon_days} days: {percent(self.probability_beyond)}"
        )


@dataclass(frozen=True, repr=False, eq=False)
class Outlook:
    """A forecast: simulated futures of the counts, from the end of the data on.

    Attributes
    ----------
    counts : xarray.DataArray, dims (draw, time)
        Attacks in each bin of each simulated future; ``time`` is the start of the bin.
    name : str
        The model or scenario that made it.
    label : str
        What is counted.
    rule : str
        The counting rule.
    cutoff : pandas.Timestamp
        No data from this moment on were used; the forecast starts here.
    bin_days : ndarray of float, shape (n_bins,)
        Length of each bin.
    seed : str
        What reproduces the draws.
    deaths : xarray.DataArray or None
        Deaths in each bin of each future, where lethality is part of the forecast.
    notes : tuple of str
        Doubts that came with it.
    deadliest : xarray.DataArray or None
        Deaths in the deadliest attack of each bin.
    toll : str
        What ``deaths`` holds, where it is something else: "wounded".
    log_none : ndarray of float, shape (parameter draws, n_bins), or None
        Log-probability that no attack comes up to the end of each bin, one row for each draw of the parameters, or a
        single row that is averaged over them already; None
        where the model cannot say. Probabilities of at least one attack are averaged from it, and not counted in the
        futures, so that they hardly depend on the seed.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=100, freq="1D")
    >>> counts = pd.Series(np.arange(100) % 10 == 0, index=days).astype(int)
    >>> outlook = tempo.forecast(tempo.ConstantRate().fit(counts), "30D", rng=1)
    >>> outlook.probability(at_least=1, within="30D") > 0.8
    True
    """

    counts: xr.DataArray
    name: str
    label: str
    rule: str
    cutoff: pd.Timestamp
    bin_days: NDArray[np.float64]
    seed: str
    deaths: xr.DataArray | None = None
    notes: tuple[str, ...] = ()
    deadliest: xr.DataArray | None = None
    toll: str = "deaths"
    log_none: NDArray[np.float64] | None = None

    @property
    def start(self) -> pd.Timestamp:
        """Start of the forecast, which is the end of the data."""
        return self.cutoff

    @property
    def end(self) -> pd.Timestamp:
        """End of the forecast, exclusive."""
        return self.cutoff + pd.Timedelta(days=self.horizon_days)

    @property
    def horizon_days(self) -> int:
        """Length of the forecast in days."""
        return round(float(self.bin_days.sum()))

    @property
    def draws(self) -> int:
        """How many futures were simulated."""
        return int(self.counts.sizes["draw"])

    def totals(self, within: str | pd.Timedelta | None = None) -> NDArray[np.int64]:
        """Give the number of attacks in each simulated future.

        Parameters
        ----------
        within : str, optional
            From the start of the forecast, such as ``"30D"``; the whole horizon when left out.

        Returns
        -------
        ndarray of int, shape (draws,)
            Totals.

        Raises
        ------
        OptionError
            If it passes the horizon, or cuts a bin in two.
        """
        return np.asarray(self.counts.to_numpy()[:, : self._bins_within(within)].sum(axis=1))

    def probability(self, at_least: int = 1, within: str | pd.Timedelta | None = None) -> float:
        """Give the probability of at least so many attacks.

        Parameters
        ----------
        at_least : int, default 1
            How many.
        within : str, optional
            From the start of the forecast, such as ``"30D"``; the whole horizon when left out.

        Returns
        -------
        float
            Of at least one: averaged over the draws of the parameters, where the model says how probable none is given
            them (``log_none``). Otherwise the share of the simulated futures.

        Raises
        ------
        OptionError
            If ``within`` passes the horizon, or cuts a bin in two.
        """
        check_whole(at_least, "at_least")
        bins = self._bins_within(within)
        if at_least == 1 and bins and self.log_none is not None:
            return float(np.mean(-np.expm1(self.log_none[:, bins - 1])))
        return float(np.mean(self.totals(within) >= at_least))

    def probability_deaths(
        self,
        at_least: int = 1,
        within: str | pd.Timedelta | None = None,
        *,
        in_one_attack: bool = False,
    ) -> float:
        """Give the probability of at least so many deaths.

        Parameters
        ----------
        at_least : int, default 1
            How many.
        within : str, optional
            From the start of the forecast, such as ``"30D"``; the whole horizon when left out.
        in_one_attack : bool, default False
            Whether one attack must have killed so many, instead of all of them together.

        Returns
        -------
        float
            Share of the simulated futures.

        Raises
        ------
        OptionError
            If the forecast was made without lethality, or ``within`` cannot be used.
        """
        check_whole(at_least, "at_least")
        bins = self._bins_within(within)
        if in_one_attack:
            reached = self._tolls(self.deadliest)[:, :bins].max(axis=1) >= at_least
        else:
            reached = self._tolls(self.deaths)[:, :bins].sum(axis=1) >= at_least
        if at_least == 1 and np.array_equal(reached, self.totals(within) > 0):
            return self.probability(1, within)  # every attack kills: the two are one question
        return float(np.mean(reached))

    def death_quantiles(self, prob: float = 0.9) -> pd.DataFrame:
        """Give median and interval of the deaths in each bin, and of their running total.

        There is no mean: rare, very deadly attacks would dominate it, or it does not exist.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval from low to high.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``time`` (start of the bin): ``median, low, high`` of the bin and ``cumulative_median,
            cumulative_low, cumulative_high`` of the total up to its end; ``prob`` stands in ``attrs``.

        Raises
        ------
        OptionError
            If the forecast was made without lethality.
        """
        low, middle, high = central_levels(prob)
        values = self._tolls(self.deaths)
        running = np.cumsum(values, axis=1)
        columns = {}
        for name, level in (("median", middle), ("low", low), ("high", high)):
            columns[name] = np.quantile(values, level, axis=0, method="inverted_cdf")
            columns[f"cumulative_{name}"] = np.quantile(
                running, level, axis=0, method="inverted_cdf"
            )
        order = [
            f"{stem}{name}" for stem in ("", "cumulative_") for name in ("median", "low", "high")
        ]
        table = pd.DataFrame(
            {name: columns[name] for name in order},
            index=pd.DatetimeIndex(self.counts["time"].to_numpy(), name="time"),
        )
        table.attrs["prob"] = prob
        return table

    def quantiles(self, prob: float = 0.9) -> pd.DataFrame:
        """Give median and interval of the counts in each bin, and of their running total.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval from low to high.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``time`` (start of the bin): ``mean, median, low, high`` of the bin and ``cumulative_median,
            cumulative_low, cumulative_high`` of the total up to its end; ``prob`` stands in ``attrs``.
        """
        levels = central_levels(prob)
        values = self.counts.to_numpy()
        by_bin = np.quantile(values, levels, axis=0, method="inverted_cdf")
        running = np.quantile(np.cumsum(values, axis=1), levels, axis=0, method="inverted_cdf")
        table = pd.DataFrame(
            {
                "mean": values.mean(axis=0),
                "median": by_bin[1],
                "low": by_bin[0],
                "high": by_bin[2],
                "cumulative_median": running[1],
                "cumulative_low": running[0],
                "cumulative_high": running[2],
            },
            index=pd.DatetimeIndex(self.counts["time"].to_numpy(), name="time"),
        )
        table.attrs["prob"] = prob
        return table

    def time_to_next(self, prob: float = 0.9, *, deaths: int = 0) -> TimeToNext:
        """Give the distribution of the time until the next attack.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.
        deaths : int, default 0
            Wait for an attack that kills at least so many; needs a forecast with lethality.

        Returns
        -------
        TimeToNext
            Waiting times count to the end of the bin that holds the attack: an attack on the first day is 1 day.
        """
        check_whole(deaths, "deaths")
        happened = self._tolls(self.deadliest) >= deaths if deaths else self.counts.to_numpy() > 0
        some = happened.any(axis=1)
        waits = np.where(some, np.cumsum(self.bin_days)[happened.argmax(axis=1)], np.inf)
        low, median, high = np.quantile(waits, central_levels(prob), method="inverted_cdf")
        return TimeToNext(
            median_days=float(median),
            low_days=float(low),
            high_days=float(high),
            prob=prob,
            probability_beyond=float(1 - some.mean()) if deaths else 1 - self.probability(),
            horizon_days=self.horizon_days,
        )

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the forecast at a third, two thirds and the whole of the horizon.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval from low to high.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``within`` ("30D", …): ``probability_any``, ``median``, ``low``, ``high`` of the number of
            attacks.
        """
        edges = np.rint(np.cumsum(self.bin_days)).astype(int)
        wanted = np.array(thirds(self.horizon_days))
        places = np.minimum(np.searchsorted(edges, wanted), len(edges) - 1)
        chosen = sorted({int(edge) for edge in edges[places]})
        rows = {}
        for days in chosen:
            totals = self.totals(f"{days}D")
            low, median, high = np.quantile(totals, central_levels(prob), method="inverted_cdf")
            rows[f"{days}D"] = {
                "probability_any": self.probability(1, f"{days}D"),
                "median": int(median),
                "low": int(low),
                "high": int(high),
            }
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index.name = "within"
        table.attrs["prob"] = prob
        return table

    def describe(self, prob: float = 0.9) -> str:
        """Say the forecast in one sentence.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        str
            Horizon, interval and probability of any attack.
        """
        row = self.summary(prob).iloc[-1]
        text = (
            f"{self.name}: {interval(row['low'], row['high'])} {plural(self.label)} in the "
            f"{counted(self.horizon_days, 'day')} from {self.start:%Y-%m-%d} ({percent(prob)} interval, "
            f"median {number(row['median'])}); at least one: {percent(row['probability_any'])}."
        )
        if self.deaths is None:
            return text
        last = self.death_quantiles(prob).iloc[-1]
        return (
            f"{text} {self.toll.capitalize()}: {interval(last['cumulative_low'], last['cumulative_high'])} (median "
            f"{number(last['cumulative_median'])}); any: {percent(self.probability_deaths(1))}, ten or more: "
            f"{percent(self.probability_deaths(10))}."
        )

    @staticmethod
    def _tolls(array: xr.DataArray | None) -> NDArray[np.int64]:
        if array is None:
            raise OptionError(
                "this forecast holds no deaths. Forecast them with the attacks: tempo.forecast(fit, horizon, "
                "lethality=tempo.Lethality().fit(incidents))."
            )
        return np.asarray(array.to_numpy())

    def _bins_within(self, within: str | pd.Timedelta | None) -> int:
        if within is None:
            return len(self.bin_days)
        days = days_of(within, "within", longest=None)
        edges = np.rint(np.cumsum(self.bin_days)).astype(int)
        if days > edges[-1]:
            raise OptionError(
                f"within is {days} days, but the forecast reaches only {edges[-1]} days. "
                f"Forecast further: tempo.forecast(fit, horizon='{days}D')."
            )
        place = int(np.searchsorted(edges, days))
        if edges[place] != days:
            nearest = [f"'{edge}D'" for edge in edges[max(place - 1, 0) : place + 1]]
            raise OptionError(
                f"within is {days} days, which cuts a bin of {self.bin_days[place]:g} days in two. "
                f"Use {' or '.join(nearest)}, or fit daily counts."
            )
        return place + 1

    def with_deaths(self, lethality: TollFit, rng: RNGLike = None) -> Outlook:
        """Give the same futures with deaths, drawn attack by attack.

        Parameters
        ----------
        lethality : LethalityFit
            What ``tempo.Lethality().fit(past)`` gave. How many attacks come and how deadly they are is taken to be
            independent, given the parameters of both.
        rng : int, Generator or None
            Draws the tolls.

        Returns
        -------
        Outlook
            With ``deaths`` and ``deadliest``; a note says where the two were learned by different counting rules.

        Examples
        --------
        >>> import tempo
        >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=90), "killed": [0, 0, 2] * 30})
        >>> past = tempo.Incidents(table, ("2020-01-01", "2020-03-31"))
        >>> outlook = tempo.forecast(tempo.ConstantRate().fit(past), "30D", 1_000, rng=1)
        >>> deadly = outlook.with_deaths(tempo.Lethality().fit(past, rng=1), rng=2)
        >>> deadly.probability_deaths(1, "30D") > 0.9
        True
        """
        source = resolve(rng).generator
        check_tolls(lethality)
        total, largest = lethality.simulate_deaths(self.counts.to_numpy(), source)
        starts = pd.DatetimeIndex(self.counts["time"].to_numpy())
        notes = (*self.notes, *lethality.provenance.notes)
        rule = _DRAWN_DATES.sub("", self.rule)
        if lethality.provenance.rule != rule:
            text = (
                f"Attacks are counted by the rule {rule!r}; how deadly they are was learned by the rule "
                f"{lethality.provenance.rule!r}."
            )
            notes = (*notes, text)
        return dataclasses.replace(
            self,
            deaths=paths_array(total, starts, "deaths"),
            deadliest=paths_array(largest, starts, "deadliest"),
            toll=lethality.toll,
            notes=tuple(dict.fromkeys(notes)),
        )

    def __repr__(self) -> str:
        return f"Outlook as of {self.start:%Y-%m-%d}; {self.describe()}"

    def _repr_html_(self) -> str:
        table = self.summary()
        return f"<p>{self.__repr__().replace('&', '&amp;').replace('<', '&lt;')}</p>{table.to_html(border=0)}"


def check_tolls(lethality: object) -> None:
    """Refuse what is no fitted lethality.

    Parameters
    ----------
    lethality : object
        What was passed.

    Raises
    ------
    OptionError
        If deaths cannot be drawn from it.
    """
    if not hasattr(lethality, "simulate_deaths"):
        raise OptionError(
            f"lethality is a {type(lethality).__name__}; expected what tempo.Lethality().fit(incidents) gave."
        )


def forecast(
    fit: CountFit,
    horizon: str | pd.Timedelta = "90D",
    draws: int = 10_000,
    rng: RNGLike = None,
    *,
    lethality: TollFit | None = None,
) -> Outlook:
    """Forecast the counts from the end of the data on, as simulated futures.

    Each future draws the parameters from their posterior and then the counts, so that both kinds of uncertainty
    are in it. Changepoint fits let the rate change again, self-exciting fits start from the excitation that the past
    left behind.

    Parameters
    ----------
    fit : fitted model of counts
        Such as ``tempo.Hawkes().fit(past)``.
    horizon : str, default "90D"
        How far, in days or weeks; rounded up to whole bins.
    draws : int, default 10,000
        How many futures.
    rng : int, Generator or None
        Draws them.
    lethality : LethalityFit, optional
        What ``tempo.Lethality().fit(past)`` gave: each future then holds deaths too, drawn attack by attack. How many
        attacks come and how deadly they are is taken to be independent, given the parameters of both.

    Returns
    -------
    Outlook
        Starting at the end of the last bin. Attacks are the same ones with lethality and without it.

    Raises
    ------
    OptionError
        If the horizon or the number of draws cannot be used, or there is no fit to forecast.

    Examples
    --------
    >>> import tempo
    >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> outlook = tempo.forecast(tempo.ConstantRate().fit(past), horizon="28D", draws=2_000, rng=7)
    >>> outlook.counts.sizes["draw"], outlook.counts.sizes["time"], str(outlook.start.date())
    (2000, 28, '2020-03-12')
    """
    if not (hasattr(fit, "counts") and hasattr(fit, "simulate")):
        raise OptionError(
            f"fit is a {type(fit).__name__}; expected a fitted model of counts, such as tempo.Hawkes().fit(past)."
        )
    if lethality is not None:
        check_tolls(lethality)
    counts = fit.counts
    starts, bin_days = future_bins(counts, horizon, draws)
    notes = tuple(getattr(getattr(fit, "provenance", None), "notes", ()))
    if 0 < counts.exposure.iloc[-1] < 1:
        notes = (
            *notes,
            f"The last bin was observed only in part; the forecast starts at its end, on {counts.end:%Y-%m-%d}.",
        )
    source = resolve(rng)
    paths = fit.simulate(len(starts), draws, source.generator)
    log_none = getattr(fit, "log_none", None)
    outlook = Outlook(
        counts=paths_array(paths, starts),
        name=fit.name,
        label=counts.label,
        rule=counts.rule,
        cutoff=counts.end,
        bin_days=bin_days,
        seed=source.record,
        notes=notes,
        log_none=None if log_none is None else log_none(len(starts)),
    )
    return outlook if lethality is None else outlook.with_deaths(lethality, source.generator)


def future_bins(
    counts: Counts, horizon: str | pd.Timedelta, draws: int
) -> tuple[pd.DatetimeIndex, NDArray[np.float64]]:
    """Give the bins that follow the counts: as many as reach the horizon.

    Parameters
    ----------
    counts : Counts
        The past.
    horizon : str
        How far.
    draws : int
        How many futures are to fill them.

    Returns
    -------
    starts : pandas.DatetimeIndex
        Bin starts.
    bin_days : ndarray of float
        Bin lengths in days.

    Raises
    ------
    OptionError
        If the horizon is no duration, there are more than 3,660 bins in it, or more futures than memory holds.
    """
    width = (counts.bin_ends[-1] - counts.bin_starts[-1]) / DAY
    days = days_of(horizon, longest=max(int(MOST_DAYS * width), 1))
    offset = pd.tseries.frequencies.to_offset(counts.freq)
    start = counts.end
    starts = pd.date_range(start, start + days * DAY, freq=offset, inclusive="left", unit="us")
    ends = pd.DatetimeIndex(starts + offset)
    check_draws(draws, len(starts))
    return starts, np.asarray((ends - starts) / DAY, dtype=float)


def paths_array(
    paths: NDArray[np.int64], starts: pd.DatetimeIndex, name: str = "counts"
) -> xr.DataArray:
    """Label simulated futures with their draws and times.

    Parameters
    ----------
    paths : ndarray of int, shape (draws, n_bins)
        Counts.
    starts : pandas.DatetimeIndex, length n_bins
        Bin starts.
    name : str, default "counts"
        What they are.

    Returns
    -------
    xarray.DataArray
        Dims ``draw`` and ``time``.
    """
    return xr.DataArray(
        paths,
        dims=("draw", "time"),
        coords={"draw": np.arange(len(paths)), "time": starts.to_numpy()},
        name=name,
    )
