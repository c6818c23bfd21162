"""Dose and response: how operations per week went with the attacks of that week and the weeks before."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError, FewEventsWarning, FitError, OptionError
from tempo.forecasting.impact_totals import OperationsTotals
from tempo.forecasting.spans import check_draws, is_number
from tempo.models.checks import count_checks
from tempo.models.intervals import central_levels, interval_levels
from tempo.models.observation import cdf, variance
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["DoseResponse", "DoseResponseFit"]

type Floats = NDArray[np.float64]

_LEAST = 20
_FEW = 52
_PER_COLUMN = 4
_YEAR_DAYS = 365.25
# Dispersion: half-normal prior with scale 1 on a logarithmic grid; memory of the decaying shape: uniform.
DISPERSIONS = np.exp(np.linspace(math.log(1e-5), math.log(4.0), 53))
MEMORIES = np.linspace(0.1, 0.9, 9)
_MOST_LINEAR = 50.0
_LARGE = 1e5  # from this mean on, a Poisson count is as good as normal
_NAMELESS = {"count", "counts", "event", "events", "None"}


@dataclass(frozen=True)
class DoseResponse:
    r"""Operations per week on the pressure of attacks: a negative binomial regression with distributed lags.

    .. math::
       O_t \sim \mathrm{NegBin}(m_t, m_t + \phi m_t^2), \qquad
       \log m_t = \log e_t + \beta_0 + \sum_{l=0}^{L} w_l A_{t-l} + \text{season} + \text{steps}

    with :math:`A` the attacks in a bin, and the weights :math:`w_l` free, on a polynomial in the lag (Almon),
    or decaying as :math:`w_l = \gamma \rho^l`. The dispersion :math:`\phi` (and :math:`\rho`) are averaged over a grid,
    weighed by likelihood and prior; the coefficients are normal about their estimates in each cell.

    Coefficients say what went together, not what caused what: a response to something else that came with the attacks
    looks the same.

    Parameters
    ----------
    lags : int, default 4
        Bins after an attack in which operations may still differ; the bin of the attack is lag 0.
    shape : {"polynomial", "decay", "free"}
        How the weights are tied together.
    degree : int, default 2
        Of the polynomial.
    season : int, default 0
        Harmonics of the year.
    steps : date-like or sequence of date-like
        A day, or days, from which policy, or anything else, may have moved the level for good.

    Notes
    -----
    Almon (1965), *Econometrica* 33.

    Examples
    --------
    >>> weeks = pd.date_range("2018-01-01", periods=150, freq="7D")
    >>> rng = np.random.default_rng(1)
    >>> attacks = pd.Series(rng.poisson(0.1, 1050), index=pd.date_range("2018-01-01", periods=1050))
    >>> pressure = attacks.to_numpy().reshape(150, 7).sum(axis=1)
    >>> mean = 40 * np.exp(-0.2 * pressure)
    >>> fit = DoseResponse(lags=2, shape="free").fit(pd.Series(rng.poisson(mean), index=weeks), attacks, rng=1)
    >>> bool(abs(fit.weights().loc[0, "mean"] + 0.2) < 0.08)
    True
    """

    lags: int = 4
    shape: Literal["polynomial", "decay", "free"] = "polynomial"
    degree: int = 2
    season: int = 0
    steps: DateLike | Sequence[DateLike] = ()

    def __post_init__(self) -> None:
        if self.shape not in {"polynomial", "decay", "free"}:
            raise OptionError(f"shape is {self.shape!r}; expected 'polynomial', 'decay' or 'free'.")
        for name, value, least in (
            ("lags", self.lags, 0), ("degree", self.degree, 0), ("season", self.season, 0),
        ):  # fmt: skip
            if isinstance(value, bool) or not is_number(value) or not value >= least or value % 1:
                raise OptionError(f"{name} is {value!r}; expected a whole number from {least} up.")
        given: Any = self.steps
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            given = (given,)  # one day
        object.__setattr__(self, "steps", tuple(as_date(step, "a step") for step in given))

    def fit(
        self,
        operations: Counts | pd.Series | OperationsTotals,
        attacks: Incidents | Counts | pd.Series,
        *,
        draws: int = 4000,
        rng: RNGLike = None,
    ) -> DoseResponseFit:
        """Fit the regression.

        Parameters
        ----------
        operations : Counts or Series
            Operations on a regular index of weeks (or other bins); its exposure is the observed share of each.
        attacks : Incidents, Counts or Series
            Attacks by day, over the same time and, if it can be, the lags before.
        draws : int, default 4000
            Draws that the fit carries.
        rng : int, Generator or None
            Draws them.

        Returns
        -------
        DoseResponseFit
            Coefficients with their uncertainty.

        Raises
        ------
        DataError
            If operations are totals over unequal periods, or the attacks do not cover them.
        FitError
            If there are too few bins for what is to be learned.

        Warns
        -----
        FewEventsWarning
            If there is less than a year of weeks.
        """
        if isinstance(operations, OperationsTotals):
            raise DataError(
                f"{operations.verdict()} DoseResponse needs operations on a regular index."
            )
        check_draws(draws)
        series = as_counts(operations)
        daily = attacks.counts("1D") if isinstance(attacks, Incidents) else as_counts(attacks)
        pressure, notes = _pressure(series, daily, self.lags)
        exposure = series.exposure.to_numpy(dtype=float)
        values = series.to_numpy(dtype=float)
        seen = (exposure > 0) & np.isfinite(values) & np.isfinite(pressure).all(axis=1)
        lost = int(((exposure > 0) & ~np.isfinite(pressure).all(axis=1)).sum())
        if lost:
            notes.append(f"{counted(lost, 'bin')} whose lags were not all watched did not count.")
        others, names = self.columns_at(series.bin_starts)
        columns = others.shape[1] + len(self._shapes(MEMORIES[0])[0])
        least = max(_LEAST, _PER_COLUMN * columns)
        if seen.sum() < least:
            raise FitError(
                f"{int(seen.sum())} bins of operations can be used, and the regression has {columns} coefficients; at "
                f"least {least} are needed. Give a longer series, fewer lags, shape='decay', or no season."
            )
        if not values[seen].any():
            raise FitError(
                "no operation was counted in any bin: there is no response to regress. Check the series."
            )
        if not pressure[seen].any():
            raise FitError(
                "no attack falls into the bins of operations or their lags: there is no dose."
            )
        if seen.sum() < _FEW:
            text = (
                f"Only {int(seen.sum())} bins of operations: a trend, a season or a change of policy is easily taken "
                "for a response to attacks."
            )
            notes.append(text)
            warnings.warn(FewEventsWarning(text), stacklevel=2)
        cells = self._cells(values[seen], exposure[seen], pressure[seen], others[seen])
        source = resolve(rng)
        return DoseResponseFit(
            model=self,
            counts=series,
            attack_label=daily.label,
            names=tuple(names),
            cells=tuple(cells),
            recent=_recent(series, daily, self.lags),
            pressure=pressure,
            seen=seen,
            chains=_draw(cells, len(names), self.lags, draws, source.generator),
            provenance=Provenance.of(
                series, model=self, method="grid", seed=source.record, notes=tuple(notes)
            ),
            notes=tuple(notes),
        )

    def columns_at(self, starts: pd.DatetimeIndex) -> tuple[Floats, list[str]]:
        """Give the columns of level, season and steps.

        Parameters
        ----------
        starts : pandas.DatetimeIndex, length n
            Bins.

        Returns
        -------
        columns : ndarray, shape (n, names)
            Values.
        names : list of str
            What they are.
        """
        columns, names = [np.ones(len(starts))], ["level"]
        turn = 2 * np.pi * np.asarray((starts - pd.Timestamp("2000-01-01")) / DAY) / _YEAR_DAYS
        for k in range(1, self.season + 1):
            columns += [np.sin(k * turn), np.cos(k * turn)]
            names += [f"season_sin{k}", f"season_cos{k}"]
        steps: Any = self.steps
        for step in steps:
            when = pd.Timestamp(str(step))
            columns.append(np.asarray(starts >= when, dtype=float))
            names.append(f"step_{when:%Y-%m-%d}")
        return np.column_stack(columns), names

    def _shapes(self, memory: float) -> Floats:
        """Give the basis of the weights: (lags + 1, coefficients)."""
        lag = np.arange(self.lags + 1)
        if self.shape == "free" or self.lags == 0:
            return np.eye(self.lags + 1)
        if self.shape == "decay":
            return np.asarray(memory**lag)[:, None]
        powers = np.arange(min(self.degree, self.lags) + 1)
        return np.asarray((lag[:, None] / self.lags) ** powers)

    def _cells(self, y: Floats, exposure: Floats, pressure: Floats, others: Floats) -> list[_Cell]:
        memories = MEMORIES if self.shape == "decay" and self.lags > 0 else MEMORIES[:1]
        cells = []
        for memory in memories:
            basis = self._shapes(float(memory))
            design = np.column_stack([others, pressure @ basis])
            if np.linalg.matrix_rank(design) < design.shape[1]:
                raise FitError(
                    "level, season, steps and lags cannot be told apart in this series: some say the same. Use fewer "
                    "lags, or drop a step that lies outside the series."
                )
            cells += [
                _cell(y, exposure, design, basis, float(dispersion), float(memory))
                for dispersion in DISPERSIONS
            ]
        return cells


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """The regression at one dispersion and memory."""

    dispersion: float
    memory: float
    basis: Floats
    mean: Floats
    covariance: Floats
    llf: float
    log_weight: float


@dataclass(frozen=True, repr=False, eq=False)
class DoseResponseFit:
    """How operations went with attacks, fitted.

    Attributes
    ----------
    model : DoseResponse
        The specification.
    counts : Counts
        Operations.
    attack_label : str
        What the attacks are.
    names : tuple of str
        Level, season and steps.
    cells : tuple
        The regression at each dispersion (and memory) of the grid, with its weight.
    recent : ndarray, shape (lags,)
        Attacks in the last bins before the forecast, the latest last.
    pressure : ndarray, shape (n, lags + 1)
        Attacks at each lag, for each bin.
    seen : ndarray of bool, shape (n,)
        Bins that were fitted.
    chains : dict of str to ndarray
        Draws: ``other`` (draws, names), ``weights`` (draws, lags + 1), ``dispersion`` (draws,).
    provenance : Provenance
        How to make it again.
    notes : tuple of str
        Doubts.
    """

    model: DoseResponse
    counts: Counts
    attack_label: str
    names: tuple[str, ...]
    cells: tuple[_Cell, ...] = field(repr=False)
    recent: Floats
    pressure: Floats = field(repr=False)
    seen: NDArray[np.bool_] = field(repr=False)
    chains: dict[str, Floats] = field(repr=False)
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def llf(self) -> float:
        """Greatest log-likelihood on the grid."""
        return max(cell.llf for cell in self.cells)

    @property
    def nobs(self) -> int:
        """Bins that were fitted."""
        return int(self.seen.sum())

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate coefficients of level, season and steps, the weights of the lags, their sum, and the dispersion.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            Columns ``mean, sd, low, high``; on the logarithm of operations, but for the dispersion.
        """
        weights = self.chains["weights"]
        values = np.column_stack(
            [self.chains["other"], weights, weights.sum(axis=1), self.chains["dispersion"]]
        )
        names = [
            *self.names, *(f"lag_{lag}" for lag in range(self.model.lags + 1)), "all_lags", "dispersion",
        ]  # fmt: skip
        return _table(values, names, prob)

    def weights(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the weight of each lag: the difference of log operations that went with one more attack.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            Indexed by lag: ``mean, sd, low, high``.
        """
        return _table(self.chains["weights"], list(range(self.model.lags + 1)), prob)

    @property
    def bins_lost(self) -> Floats:
        r"""Draws of what one more attack went with, in usual bins of operations: :math:`\sum_l (1 - e^{w_l})`."""
        return np.asarray(-np.expm1(self.chains["weights"]).sum(axis=1))

    @property
    def bin_word(self) -> str:
        """What a bin of operations is called: ``"week"``, ``"month"``, ``"day"`` or ``"bin"``."""
        days = self.counts.bin_days
        for word, least, most in (("day", 1, 1), ("week", 7, 7), ("month", 28, 31)):
            if (days >= least).all() and (days <= most).all():
                return word
        return "bin"

    @property
    def status(self) -> str:
        """``"estimate"`` where a year or more shows whether operations were fewer or more, else ``"assumption"``.

        With less, the answer rests on the form that was chosen: lags, shape and steps.
        """
        low, high = np.quantile(self.bins_lost, interval_levels(0.9))
        long = float(self.counts.bin_days[self.seen].sum()) >= 364
        return "estimate" if long and not low <= 0 <= high else "assumption"

    def absorbable_per_day(self, share: float) -> Floats:
        r"""Give draws of the attack rate that goes with a loss of a share of operations in the long run.

        Parameters
        ----------
        share : float
            Between 0 and 1.

        Returns
        -------
        ndarray, shape (draws,)
            Of attacks that come one by one at a constant rate, :math:`-\log(1 - q) / \sum_l (1 - e^{w_l})` in a bin, as
            attacks per day; infinite where no rate goes with such a loss.
        """
        per_bin = self.bins_lost
        days = float(np.mean(self.counts.bin_days))
        with np.errstate(divide="ignore"):
            rate = -math.log1p(-share) / (np.maximum(per_bin, 0.0) * days)
        return np.asarray(rate)

    def means(self, draws: int = 200) -> Floats:
        """Give the expected operations of each bin.

        Parameters
        ----------
        draws : int, default 200
            How many draws of the coefficients.

        Returns
        -------
        ndarray, shape (draws, n)
            Missing where the lags were not watched.
        """
        rows = np.linspace(0, len(self.chains["weights"]) - 1, draws).astype(int)
        others, _ = self.model.columns_at(self.counts.bin_starts)
        linear = (
            self.chains["other"][rows] @ others.T + self.chains["weights"][rows] @ self.pressure.T
        )
        return np.asarray(np.exp(linear) * self.counts.exposure.to_numpy(dtype=float))

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: residuals in time, and dispersion.

        Parameters
        ----------
        rng : int or Generator, default 0
            For the randomised residuals.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning.
        """
        mean = self.means()[:, self.seen]
        rows = np.linspace(0, len(self.chains["dispersion"]) - 1, len(mean)).astype(int)
        dispersion = self.chains["dispersion"][rows][:, None]
        y = self.counts.to_numpy(dtype=float)[self.seen]
        return count_checks(
            y,
            np.ones(len(y)),
            cdf(y - 1, mean, dispersion).mean(axis=0),
            cdf(y, mean, dispersion).mean(axis=0),
            mean.mean(axis=0),
            variance(mean, dispersion).mean(axis=0),
            resolve(rng).generator,
        )

    def simulate(
        self, attacks: NDArray[np.int64], starts: pd.DatetimeIndex, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw operations in the bins after the last one, given attacks in them.

        Parameters
        ----------
        attacks : ndarray of int, shape (draws, bins)
            Attacks in each bin of each future.
        starts : pandas.DatetimeIndex, length bins
            The bins.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int, shape (draws, bins)
            Operations in whole bins, with uncertain coefficients and dispersion. The same randomness with other attacks
            gives the same futures but for those attacks: fewer operations where their mean is lower, never more.
        """
        draws, bins = attacks.shape
        streams = spawn(rng, 3)
        rows = streams[0].integers(0, len(self.chains["weights"]), size=draws)
        others, _ = self.model.columns_at(starts)
        linear = self.chains["other"][rows] @ others.T
        known = np.concatenate([np.tile(self.recent, (draws, 1)), attacks], axis=1)
        lags = self.model.lags
        for lag in range(lags + 1):
            part = known[:, lags - lag : lags - lag + bins]
            linear += self.chains["weights"][rows, lag : lag + 1] * part
        mean = np.exp(np.minimum(linear, _MOST_LINEAR))
        shape = 1 / self.chains["dispersion"][rows][:, None]
        mean *= streams[1].gamma(np.broadcast_to(shape, mean.shape)) / shape
        return _counts_at(streams[2].random(mean.shape), np.minimum(mean, 1e15))

    def describe(self, prob: float = 0.9) -> str:
        """Say how operations went with attacks, without naming a cause.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        str
            Two or three sentences.
        """
        low, middle, high = np.quantile(self.bins_lost, central_levels(prob))
        bin_word = self.bin_word
        noun = "attack" if self.attack_label in _NAMELESS else plural(self.attack_label, one=True)
        what = "operations" if self.counts.label in _NAMELESS else plural(self.counts.label)
        span = f"In the {bin_word} of one more {noun}"
        if self.model.lags:
            span += f" and the {self.model.lags} {bin_word}s after it"
        way = "fewer" if middle >= 0 else "more"
        sign = 1 if middle >= 0 else -1
        ends = sorted((sign * low, sign * high))
        said = (
            f"{span}, together, {what} were {way} than in like {bin_word}s by as many as {number(abs(middle))} usual "
            f"{bin_word}s hold ({percent(prob)} interval {interval(*ends)}), in {counted(self.nobs, bin_word)}."
        )
        doubt = " The data do not show whether they were fewer or more." if low < 0 < high else ""
        return (
            f"{said}{doubt} This is what went together: it does not show that attacks were the reason, and something "
            "else that came with them would look the same."
        )

    def __repr__(self) -> str:
        row = self.summary().to_dict("index")["all_lags"]
        return (
            f"DoseResponseFit({self.model.shape}, {self.model.lags} lags, {self.nobs} bins): all lags together "
            f"{number(row['mean'])} on the log of operations for each attack ({percent(0.9)} interval "
            f"{interval(row['low'], row['high'])})"
        )


def _counts_at(level: Floats, mean: Floats) -> NDArray[np.int64]:
    """Give the quantiles of Poisson counts."""
    large = mean > _LARGE
    found = stats.poisson.ppf(level, np.where(large, 1.0, mean))
    normal = np.rint(mean + np.sqrt(mean) * special.ndtri(level))
    return np.asarray(np.where(large, np.maximum(normal, 0.0), found), dtype=np.int64)


def _table(values: Floats, names: Sequence[str | int], prob: float) -> pd.DataFrame:
    low, high = np.quantile(values, interval_levels(prob), axis=0)
    table = pd.DataFrame(
        {"mean": values.mean(axis=0), "sd": values.std(axis=0), "low": low, "high": high},
        index=list(names),
    )
    table.attrs["prob"] = prob
    return table


def _cell(
    y: Floats, exposure: Floats, design: Floats, basis: Floats, dispersion: float, memory: float
) -> _Cell:
    import statsmodels.api as sm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what did not converge gets its weight from its likelihood
        family: Any = sm.families.NegativeBinomial(alpha=dispersion)
        result: Any = sm.GLM(y, design, family=family, offset=np.log(exposure)).fit(maxiter=100)
    covariance = np.asarray(result.cov_params(), dtype=float)
    sign, log_det = np.linalg.slogdet(covariance)
    llf = float(result.llf)
    prior = -0.5 * dispersion**2 + math.log(dispersion)  # half-normal, on a logarithmic grid
    usable = sign > 0 and math.isfinite(llf)
    return _Cell(
        dispersion,
        memory,
        basis,
        np.asarray(result.params, dtype=float),
        covariance,
        llf if usable else -math.inf,
        llf + prior + 0.5 * float(log_det) if usable else -math.inf,
    )


def _draw(
    cells: Sequence[_Cell], others: int, lags: int, draws: int, rng: np.random.Generator
) -> dict[str, Floats]:
    logs = np.array([cell.log_weight for cell in cells])
    if not np.isfinite(logs).any():
        raise FitError(
            "the regression did not converge at any dispersion. Use fewer lags or steps."
        )
    weights = np.exp(logs - logs.max())
    chosen = rng.choice(len(cells), size=draws, p=weights / weights.sum())
    other, lagged = np.empty((draws, others)), np.empty((draws, lags + 1))
    for i in np.unique(chosen):
        mine = np.flatnonzero(chosen == i)
        cell = cells[i]
        root = np.linalg.cholesky(cell.covariance)
        drawn = cell.mean + rng.standard_normal((len(mine), len(cell.mean))) @ root.T
        other[mine] = drawn[:, :others]
        lagged[mine] = drawn[:, others:] @ cell.basis.T
    dispersion = np.array([cell.dispersion for cell in cells])[chosen]
    return {"other": other, "weights": lagged, "dispersion": dispersion}


def _binned(edges: NDArray[Any], daily: Counts) -> Floats:
    """Sum daily attacks into bins; missing where a day of the bin was not watched."""
    if not np.allclose(daily.bin_days, 1.0):
        raise DataError(
            f"the attacks have bins of {daily.bin_days[0]:g} days; give them by day, so that they can be counted in "
            "the bins of the operations."
        )
    values = np.where(daily.exposure.to_numpy(dtype=float) > 0, daily.to_numpy(dtype=float), np.nan)
    running = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    blind = np.concatenate([[0], np.cumsum(np.isnan(values))])
    place = np.asarray((pd.DatetimeIndex(edges) - daily.bin_starts[0]) / DAY, dtype=float)
    place = np.rint(place).astype(int)
    outside = (place[:-1] < 0) | (place[1:] > len(values))
    inside = np.clip(place, 0, len(values))
    totals = np.diff(running[inside])
    return np.where(outside | (np.diff(blind[inside]) > 0), np.nan, totals)


def _lagged_edges(series: Counts, lags: int) -> NDArray[Any]:
    offset = pd.tseries.frequencies.to_offset(series.freq)
    first = series.bin_starts[0]
    earlier = pd.date_range(end=first, periods=lags + 1, freq=offset, unit="us")
    last = pd.DatetimeIndex([series.end])
    return np.asarray(earlier.append(series.bin_starts[1:]).append(last))


def _pressure(series: Counts, daily: Counts, lags: int) -> tuple[Floats, list[str]]:
    """Give attacks at lags 0 to ``lags`` of each bin, shape (n, lags + 1); missing where they were not watched."""
    attacks = _binned(_lagged_edges(series, lags), daily)
    n = len(series)
    columns = [attacks[lags - lag : lags - lag + n] for lag in range(lags + 1)]
    notes = []
    if daily.n_imputed:
        notes.append(f"{counted(daily.n_imputed, 'attack')} with uncertain dates were placed once.")
    return np.column_stack(columns), notes


def _recent(series: Counts, daily: Counts, lags: int) -> Floats:
    attacks = _binned(_lagged_edges(series, lags), daily)
    return np.asarray(attacks[len(attacks) - lags :])
