"""Counts: incidents in regular bins, with the share of each bin that was observed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.window import DAY, DateLike, Window, as_date
from tempo.errors import DataError, OptionError

if TYPE_CHECKING:
    from tempo.data.incidents import Incidents

__all__ = ["Counts", "as_counts", "bins"]

#: No count of incidents in one bin comes near it; beyond 2**53 numbers are no longer told apart.
_MOST = 1e15


class Counts(pd.Series):
    """Counts on a complete index of bin starts: a pandas Series with its exposure beside it.

    A bin without incidents is 0; a bin that nobody watched is missing (NaN), because blank is not zero. Bins are
    half-open and labelled by their start. Slicing keeps the exposure; arithmetic gives values that are no counts
    any more and that models refuse.

    Attributes
    ----------
    exposure : pandas.Series
        Observed share of each bin, 0 to 1.
    window : Window or None
        Where the incidents were watched for.
    label : str
        What is counted, for charts and sentences.
    rule : str
        The counting rule.
    source : str
        Where the incidents come from.
    cutoff : pandas.Timestamp or None
        Data are as they stood before this date, where a cut was made.
    n_imputed : int
        Incidents whose date is known only to an interval that spans bins, and was drawn from it.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=3, freq="1D")
    >>> daily = as_counts(pd.Series([0, 2, 1], index=days))
    >>> daily.exposure.tolist(), daily.bin_days.tolist()
    ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    """

    # pandas carries these through slices and copies.
    _metadata: ClassVar[list[str]] = [
        "name",
        "_exposure",
        "_counted",
        "_freq",
        "window",
        "label",
        "rule",
        "source",
        "cutoff",
        "n_imputed",
    ]

    # Defaults for objects that pandas makes on its way through a computation.
    _exposure: pd.Series | None = None
    _counted: pd.Series | None = (
        None  # the values as they were counted: pandas keeps metadata through arithmetic
    )
    _freq: str | None = None
    window: Window | None = None
    label: str = "counts"
    rule: str = "as given"
    source: str = ""
    cutoff: pd.Timestamp | None = None
    n_imputed: int = 0

    @property
    def _constructor(self) -> type[Counts]:
        return Counts

    @classmethod
    def build(
        cls,
        values: NDArray[Any],
        index: pd.DatetimeIndex,
        exposure: NDArray[np.float64],
        *,
        freq: str,
        window: Window | None,
        label: str,
        rule: str,
        source: str = "",
        cutoff: pd.Timestamp | None = None,
        n_imputed: int = 0,
    ) -> Counts:
        """Assemble counts from arrays that are already aligned; users call ``Incidents.counts``.

        Parameters
        ----------
        values : ndarray, shape (n,)
            Non-negative whole numbers; anything in a bin of exposure 0 is made missing.
        index : pandas.DatetimeIndex, length n
            Bin starts.
        exposure : ndarray of float, shape (n,)
            Observed share of each bin.
        freq : str
            pandas frequency of the bins.
        window, label, rule, source, cutoff, n_imputed
            See the attributes of the class.

        Returns
        -------
        Counts
            int64, or float64 with NaN where a bin was not observed.
        """
        observed = exposure > 0
        data: NDArray[Any] = np.asarray(values)
        whole = observed.all()
        data = data.astype(np.int64) if whole else np.where(observed, data.astype(float), np.nan)
        counts = cls(data, index=index, name=label)
        counts._exposure = pd.Series(exposure, index=index, name="exposure")
        counts._counted = pd.Series(np.asarray(data, dtype=float), index=index)
        counts._freq = freq
        counts.window = window
        counts.label = label
        counts.rule = rule
        counts.source = source
        counts.cutoff = cutoff
        counts.n_imputed = n_imputed
        return counts

    @property
    def exposure(self) -> pd.Series:
        """Observed share of each bin, 0 to 1, on the index of the counts."""
        if self._exposure is None:
            raise DataError(
                "these counts have lost their exposure on the way through a pandas computation. "
                "Build them again with incidents.counts(freq), or slice them with .loc[start:end]."
            )
        exposure = self._exposure.reindex(self.index)
        if exposure.isna().any():
            first = exposure.index[exposure.isna()][0]
            raise DataError(
                f"no exposure is known for the bin that starts {first}. Regrouping and shifting lose it: use "
                "incidents.counts(freq) for other bins."
            )
        return exposure

    @property
    def is_complete(self) -> bool:
        """Whether exposure and bin length are still beside the values."""
        return self._exposure is not None and self._freq is not None and self._counted is not None

    @property
    def freq(self) -> str:
        """The pandas frequency of the bins, such as ``"D"`` or ``"7D"``."""
        if self._freq is None:
            raise DataError(
                "these counts have lost their frequency; build them with incidents.counts(freq)."
            )
        return self._freq

    @property
    def bin_starts(self) -> pd.DatetimeIndex:
        """Start of each bin."""
        return pd.DatetimeIndex(self.index)

    @property
    def bin_ends(self) -> pd.DatetimeIndex:
        """End of each bin, which is the start of the next."""
        return pd.DatetimeIndex(self.index + pd.tseries.frequencies.to_offset(self.freq))

    @property
    def bin_days(self) -> NDArray[np.float64]:
        """Length of each bin in days, shape (n,)."""
        return np.asarray((self.bin_ends - self.bin_starts) / DAY, dtype=float)

    @property
    def end(self) -> pd.Timestamp:
        """The moment at which the last bin ends and a forecast begins."""
        if not len(self):
            raise DataError("there are no bins, so that they have no end. Choose a later cut.")
        return self.bin_ends[-1]

    @property
    def watched_until(self) -> pd.Timestamp:
        """The moment at which watching ended: that of the window where it cuts the last bin, otherwise ``end``."""
        end = self.end
        if self.window is not None and self.bin_starts[-1] < self.window.end < end:
            return self.window.end
        return end

    @property
    def events(self) -> int:
        """How many incidents were counted, over all observed bins."""
        return int(np.nansum(self.to_numpy(dtype=float)))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of index, values and exposure: two fits with the same one saw the same data."""
        digest = hashlib.sha256()
        digest.update(self.bin_starts.as_unit("us").asi8.astype("<i8").tobytes())
        digest.update(self.to_numpy(dtype="<f8").tobytes())
        digest.update(self.exposure.to_numpy(dtype="<f8").tobytes())
        digest.update(self.freq.encode())
        return digest.hexdigest()

    def require_unchanged(self) -> None:
        """Refuse what a computation made of counts: pandas keeps exposure through arithmetic, where it means nothing.

        Raises
        ------
        DataError
            If values differ from those that were counted, with the first of them, or the exposure is lost.
        """
        remedy = (
            "Count the incidents again with incidents.counts(freq); or, if these are counts all the same, pass a "
            "plain Series: pd.Series(counts.to_numpy(), index=counts.index)."
        )
        if self._counted is None or self._exposure is None:
            raise DataError(
                f"these counts have lost their exposure on the way through a pandas computation. {remedy}"
            )
        _require_regular(self.index, self.freq)
        before = self._counted.reindex(self.index).to_numpy(dtype=float)
        now = self.to_numpy(dtype=float)
        changed = ~((before == now) | (np.isnan(before) & np.isnan(now)))
        if changed.any():
            first = "; ".join(
                f"{when:%Y-%m-%d}: {value:,.15g}, counted {was:,.15g}"
                for when, value, was in zip(
                    self.index[changed][:3], now[changed][:3], before[changed][:3], strict=True
                )
            )
            raise DataError(
                f"{int(changed.sum())} values are not what was counted (first: {first}): a computation changed them. "
                f"{remedy}"
            )

    def select(self, chosen: NDArray[np.bool_]) -> Counts:
        """Give some of the bins, with their exposure.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n,)
            Which; a contiguous stretch, if a model is to be fitted.

        Returns
        -------
        Counts
            Possibly empty.
        """
        return cast("Counts", self[chosen])

    def before(self, date: DateLike) -> Counts:
        """Give the bins that end on or before a date.

        Parameters
        ----------
        date : date-like
            The cut: nothing from this day on is kept.

        Returns
        -------
        Counts
            Possibly empty.
        """
        cut = as_date(date, "the cut-off date")
        kept = self.select(np.asarray(self.bin_ends <= cut))
        kept.cutoff = cut if self.cutoff is None else min(cut, self.cutoff)
        return kept


def bins(start: pd.Timestamp, end: pd.Timestamp, freq: str) -> pd.DatetimeIndex:
    """Give the starts of the bins that cover ``[start, end)``.

    Bins of a fixed length start at ``start``; calendar bins (months, years) start at the calendar boundary at or
    before it, and weeks with an anchor (``"W-MON"``) start on that day of the week.

    Parameters
    ----------
    start, end : pandas.Timestamp
        Half-open window.
    freq : str
        ``"1D"``, ``"7D"``, ``"W-MON"``, ``"MS"``, ``"YS"`` and the like: a whole number of days or longer.

    Returns
    -------
    pandas.DatetimeIndex
        Bin starts.

    Raises
    ------
    OptionError
        If the frequency is unknown or shorter than a day.

    Examples
    --------
    >>> bins(pd.Timestamp("2020-01-15"), pd.Timestamp("2020-03-02"), "MS").strftime("%d %b").tolist()
    ['01 Jan', '01 Feb', '01 Mar']
    """
    remedy = "Use '1D', '7D', 'W-MON' (weeks that start on Monday), 'MS' (months) or 'YS' (years)."
    try:
        offset = pd.tseries.frequencies.to_offset(freq)
    except (ValueError, TypeError) as error:
        raise OptionError(f"freq is {freq!r}, which is not a bin length. {remedy}") from error
    if offset is None or offset.n < 1:
        raise OptionError(f"freq is {freq!r}, which is not a bin length. {remedy}")
    if isinstance(offset, pd.offsets.Day | pd.offsets.Tick):
        length = pd.Timedelta(offset) if isinstance(offset, pd.offsets.Tick) else offset.n * DAY
        if length < DAY or length % DAY != pd.Timedelta(0):
            raise OptionError(
                f"freq is {freq!r}; bins are whole days or longer, because dates are calendar dates. {remedy}"
            )
        first = start
    elif offset.rule_code.startswith("W") or offset.rule_code.partition("-")[0].endswith("S"):
        first = offset.rollback(start)
    else:
        raise OptionError(
            f"freq is {freq!r}, which labels bins by their end; tempo labels them by their start. {remedy}"
        )
    return pd.date_range(first, end, freq=offset, inclusive="left", unit="us")


def as_counts(data: Incidents | pd.Series, freq: str = "1D") -> Counts:
    """Give counts from incidents, counts, or any Series of counts on a regular index.

    Parameters
    ----------
    data : Incidents, Counts or pandas.Series
        A plain Series is taken as observed throughout (exposure 1), except where it is missing (NaN): those bins
        were not observed.
    freq : str, default "1D"
        Bin length for incidents; counts keep their own.

    Returns
    -------
    Counts
        Checked: a regular index of bin starts, whole numbers from 0 up.

    Raises
    ------
    DataError
        If it is none of these, with the first offending bins.

    Examples
    --------
    >>> years = pd.date_range("1851", periods=4, freq="YS")
    >>> as_counts(pd.Series([4, 5, None, 1], index=years)).exposure.tolist()
    [1.0, 1.0, 0.0, 1.0]
    """
    from tempo.data.incidents import Incidents  # a cycle only in name: incidents build counts

    if isinstance(data, Incidents):
        return data.counts(freq)
    if not isinstance(data, pd.Series):
        raise DataError(
            f"got {type(data).__name__}; expected Incidents, Counts, or a pandas Series of counts on a regular "
            "DatetimeIndex. Put an index of dates on an array: pd.Series(values, index=pd.date_range(...))."
        )
    if not isinstance(data.index, pd.DatetimeIndex):
        raise DataError(
            f"the counts are indexed by {type(data.index).__name__}; expected a DatetimeIndex of bin starts, such as "
            "pd.date_range('2020-01-01', periods=len(counts), freq='1D')."
        )
    if len(data) == 0:
        raise DataError("there are no bins. Choose a window that holds at least one.")
    if isinstance(data, Counts):
        data.require_unchanged()
        frequency, exposure = data.freq, data.exposure.to_numpy(dtype=float)
    else:
        frequency = _regular_frequency(data.index)
        exposure = np.where(data.isna(), 0.0, 1.0)
    values = _whole_numbers(data, exposure)
    index = pd.DatetimeIndex(data.index).as_unit("us")
    if isinstance(data, Counts):
        if data.dtype.kind == "i":
            return data
        given = data
    else:
        given = Counts()
        given.label = str(data.name) if data.name is not None else "counts"
    return Counts.build(
        values,
        index,
        exposure,
        freq=frequency,
        window=given.window,
        label=given.label,
        rule=given.rule,
        source=given.source,
        cutoff=given.cutoff,
        n_imputed=given.n_imputed,
    )


def _whole_numbers(data: pd.Series, exposure: NDArray[np.float64]) -> NDArray[np.float64]:
    real = pd.api.types.is_numeric_dtype(data.dtype) and data.dtype.kind != "c"
    if not (real or pd.api.types.is_bool_dtype(data.dtype)):
        raise DataError(
            f"the counts have dtype {data.dtype}; expected whole numbers. Convert them with pd.to_numeric first."
        )
    values = data.to_numpy(dtype=float, na_value=np.nan)
    lost = np.isnan(values) & (exposure > 0)
    bad = (values < 0) | (values != np.floor(values)) | np.isinf(values)
    bad &= ~np.isnan(values)
    for wrong, what, remedy in (
        (
            bad,
            "are not whole numbers from 0 up",
            "Pass counts, not rates; put a rate's denominator into exposure.",
        ),
        (
            values > _MOST,
            f"are above {_MOST:.0e}",
            "That is no number of incidents: correct it, or make it missing (NaN).",
        ),
        (
            lost,
            "are missing although their exposure is above 0",
            "Put such stretches into the gaps of the window.",
        ),
    ):
        if wrong.any():
            rows = ", ".join(
                f"{when:%Y-%m-%d}: {value:,.15g}"
                for when, value in zip(data.index[wrong][:3], values[wrong][:3], strict=True)
            )
            raise DataError(f"{int(wrong.sum())} counts {what} (first: {rows}). {remedy}")
    return np.asarray(np.nan_to_num(values), dtype=float)


def _regular_frequency(index: pd.DatetimeIndex) -> str:
    if index.tz is not None:
        raise DataError(
            "the index carries a time zone; bins are calendar dates in one zone. Use index.tz_localize(None)."
        )
    if index.hasnans:
        raise DataError("the index has missing dates. Every bin needs its start.")
    if (index != index.normalize()).any():
        raise DataError(
            f"the bins start at a time of day (first: {index[index != index.normalize()][0]}); bins are whole calendar "
            "days. Add shorter ones up, counts.resample('1D').sum(min_count=1), or count the incidents by day."
        )
    frequency = index.freqstr or _inferred_frequency(index)
    if index.freqstr is not None and index.freqstr.lstrip("0123456789").startswith("W"):
        raise DataError(
            f"the index has the frequency {index.freqstr!r}, whose labels pandas puts at the last day of each "
            "week by default "
            "(resample), while tempo takes them as the first: every date would come out six days late. Count weeks "
            "by their first day: daily.resample('7D').sum(). If the labels are first days already "
            "(label='left', closed='left'), say so: counts.asfreq('7D')."
        )
    if frequency is None:
        _fail_regular(index)
    try:
        bins(index[0], index[0] + DAY, frequency)
    except OptionError as error:
        raise DataError(f"the bins of the index cannot be used: {error}") from error
    _require_regular(index, frequency)
    return frequency


def _inferred_frequency(index: pd.DatetimeIndex) -> str | None:
    """Give the frequency of bins of so many days, or of so many months from the first of one."""
    if len(index) == 1:
        return "1D"
    steps = np.diff(np.asarray((index - index[0]) / DAY, dtype=float))
    if (steps == steps[0]).all() and steps[0] >= 1:
        return f"{steps[0]:.0f}D"
    months = np.diff(np.asarray(12 * index.year + index.month))
    if (index.day == 1).all() and (months == months[0]).all() and months[0] >= 1:
        whole_years = months[0] % 12 == 0
        year = f"YS-{index[0]:%b}".upper()
        return f"{months[0] // 12}{year}" if whole_years else f"{months[0]}MS"
    return None


def _require_regular(index: pd.Index, frequency: str) -> None:
    expected = pd.date_range(index[0], periods=len(index), freq=frequency)
    if not (np.asarray(expected) == np.asarray(index)).all():
        _fail_regular(pd.DatetimeIndex(index))


def _fail_regular(index: pd.DatetimeIndex) -> NoReturn:
    steps = index[1:] - index[:-1]
    common = steps.value_counts().index[0] if len(steps) else DAY
    odd = int(np.flatnonzero(steps != common)[0]) if (steps != common).any() else 0
    raise DataError(
        f"the bins are not regular: after {index[odd]:%Y-%m-%d} comes {index[min(odd + 1, len(index) - 1)]:%Y-%m-%d}, "
        f"while most steps are {common / DAY:g} days. Zero-count bins must be there (counts.asfreq('1D', fill_value=0) "
        "if nothing happened in them), and unobserved bins must be there as NaN."
    )
