"""Covariates beside changepoints: season, trend or a formula, estimated together with the changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from tempo.errors import DataError, OptionError
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_posterior import LevelPosterior, solve_levels
from tempo.models.changepoint_posterior import Posterior, solve
from tempo.models.formulas import plain

__all__ = [
    "CALENDAR",
    "Added",
    "Covariates",
    "Design",
    "Exposed",
    "Fitted",
    "Shifted",
    "Stretched",
    "fit_covariates",
    "formula_of",
]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

#: What a formula may name besides the columns that are passed.
CALENDAR = ("weekday", "years", "sin1", "cos1", "sin2", "cos2")
_SEASONS = {"week": "C(weekday)", "year": "sin1 + cos1 + sin2 + cos2"}
_SPREAD = 1.0  # prior sd of each standardised coefficient
_YEAR_DAYS = 365.25
_NEAR = 0.02  # a step of coefficients over which the evidence is about quadratic
_CELLS, _HAZARDS = 3, 4  # of the grid carry the estimate; the fit itself averages over all of them


@dataclass(frozen=True, eq=False)
class Design:
    """A formula as a matrix that can be built for other bins too.

    Attributes
    ----------
    formula : str
        Without response.
    names : tuple of str
        Columns, the intercept left out: the level belongs to the regimes.
    centre, scale : ndarray, shape (columns,)
        What standardises them, over observed bins.
    origin : Timestamp
        Where ``years`` counts from.
    """

    formula: str
    names: tuple[str, ...]
    centre: Floats
    scale: Floats
    origin: pd.Timestamp
    _spec: object = field(repr=False)

    @classmethod
    def of(
        cls,
        formula: str,
        starts: pd.DatetimeIndex,
        seen: NDArray[np.bool_],
        given: pd.DataFrame | None,
    ) -> tuple[Design, Floats]:
        """Build the matrix, shape (n, columns), standardised over the bins that were seen."""
        from formulaic import model_matrix
        from formulaic.errors import FormulaicError

        origin = starts[0]
        frame = _frame(starts, origin, given)
        try:
            matrix = model_matrix(f"~ {formula}", frame, na_action="raise")
        except (FormulaicError, ValueError, KeyError) as error:
            raise OptionError(
                f"formula {formula!r} cannot be used: {plain(error)} It may name the calendar columns "
                f"{', '.join(CALENDAR)} and those of covariates."
            ) from error
        names = [name for name in matrix.columns if name != "Intercept"]
        raw = matrix[names].to_numpy(dtype=float)
        centre, scale = raw[seen].mean(axis=0), raw[seen].std(axis=0)
        flat = [name for name, s in zip(names, scale, strict=True) if s < 1e-12]
        if flat or not names:
            raise DataError(
                f"covariates {', '.join(flat) or '(none)'} do not vary over the observed bins, so that nothing can be "
                "learned about them. Leave them out."
            )
        design = cls(formula, tuple(names), centre, scale, origin, matrix.model_spec)
        return design, (raw - centre) / scale

    def matrix(self, starts: pd.DatetimeIndex, given: pd.DataFrame | None = None) -> Floats:
        """Build the matrix for other bins, standardised as the fitted one."""
        from formulaic.errors import FormulaicError

        frame = _frame(starts, self.origin, given)
        try:
            raw = self._spec.get_model_matrix(frame)[list(self.names)]  # type: ignore[attr-defined]
        except FormulaicError as error:
            raise DataError(
                f"formula {self.formula!r} needs columns that are known for past bins only ({error}), so that the fit "
                "cannot be carried forward. Forecast from a formula of the calendar."
            ) from error
        return np.asarray((raw.to_numpy(dtype=float) - self.centre) / self.scale)


def _frame(
    starts: pd.DatetimeIndex, origin: pd.Timestamp, given: pd.DataFrame | None
) -> pd.DataFrame:
    phase = 2 * np.pi * (starts.day_of_year.to_numpy() - 1) / _YEAR_DAYS
    days = np.asarray((starts - origin) / pd.Timedelta("1D"), dtype=float)
    frame = pd.DataFrame(
        {
            "weekday": pd.Categorical(starts.day_name(), categories=_WEEK),
            "years": days / _YEAR_DAYS,
            "sin1": np.sin(phase),
            "cos1": np.cos(phase),
            "sin2": np.sin(2 * phase),
            "cos2": np.cos(2 * phase),
        },
        index=starts,
    )
    if given is None:
        return frame
    more = given.reindex(starts)
    lost = more.isna().any(axis=1)
    if lost.any():
        raise DataError(
            f"covariates are missing for {int(lost.sum())} bins (first: {starts[lost.to_numpy()][0]:%Y-%m-%d}). Give "
            "one row for each bin, indexed by its start."
        )
    return pd.concat([frame.drop(columns=frame.columns.intersection(more.columns)), more], axis=1)


_WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, eq=False)
class Covariates:
    """Estimated effects of covariates on the log rate.

    Attributes
    ----------
    design : Design
        What they are.
    mode : ndarray, shape (columns,)
        Standardised coefficients.
    covariance : ndarray, shape (columns, columns)
        Of them (inverse curvature of the log posterior).
    occam : float
        Laplace's factor, to be added to a log evidence that takes the coefficients as given.
    log_factors : ndarray, shape (n,)
        Log factor of each bin of the series.
    """

    design: Design
    mode: Floats
    covariance: Floats
    occam: float
    log_factors: Floats

    def table(self, prob: float) -> pd.DataFrame:
        """Tabulate the factors for one unit of each covariate: ``factor``, ``low``, ``high``, ``log_sd``."""
        from scipy.stats import norm

        scale = self.design.scale
        centre, sd = self.mode / scale, np.sqrt(np.diag(self.covariance)) / scale
        reach = float(norm.ppf((1 + prob) / 2)) * sd
        return pd.DataFrame(
            {
                "factor": np.exp(centre),
                "low": np.exp(centre - reach),
                "high": np.exp(centre + reach),
                "log_sd": sd,
            },
            index=pd.Index(self.design.names, name="covariate"),
        )

    def factors(
        self, starts: pd.DatetimeIndex, draws: int, generator: np.random.Generator
    ) -> Floats:
        """Draw the factors of later bins, shape (draws, n), uncertainty about the coefficients included."""
        root = np.linalg.cholesky(self.covariance)
        noise = generator.standard_normal((draws, self.mode.size))
        beta = self.mode + noise @ root.T
        return np.asarray(np.exp(beta @ self.design.matrix(starts).T))


def formula_of(season: str | None, formula: str | None) -> str | None:
    """Give one formula for a season and a formula, or None."""
    terms = [_SEASONS[season]] if season else []
    return " + ".join([*terms, *([formula] if formula else [])]) or None


@dataclass(frozen=True, eq=False)
class Fitted:
    """Estimated covariates, and doubts as sentences."""

    effects: Covariates
    notes: tuple[str, ...]


class Carrier(Protocol):
    """How coefficients enter the likelihood of one kind of observation."""

    @property
    def columns(self) -> int:
        """Number of coefficients."""

    def bins(self, beta: Floats) -> Bins:
        """Give the bins as they stand under some coefficients."""

    def constant(self, beta: Floats) -> float:
        """Give what the coefficients add to the log evidence of those bins."""

    def solve(self, bins: Bins, grid: Grid) -> Posterior:
        """Sum over the changes."""

    def slope(self, beta: Floats, bins: Bins, posterior: Posterior) -> Floats:
        """Give the gradient of the log evidence."""


@dataclass(frozen=True, eq=False)
class Exposed:
    """Poisson counts: covariates multiply the exposure."""

    plain: Bins
    x: Floats

    @property
    def columns(self) -> int:
        """Number of coefficients."""
        return int(self.x.shape[1])

    def bins(self, beta: Floats) -> Bins:
        """Multiply the exposure."""
        factor = np.exp(np.clip(self.x @ beta, -30, 30))
        return replace(self.plain, exposure=self.plain.exposure * factor)

    def constant(self, beta: Floats) -> float:  # noqa: ARG002
        """Nothing: the exposure says it all."""
        return 0.0

    def solve(self, bins: Bins, grid: Grid) -> Posterior:
        """Sum over the changes, segments in closed form."""
        return solve(bins, grid)

    def slope(self, beta: Floats, bins: Bins, posterior: Posterior) -> Floats:  # noqa: ARG002
        """Observed less expected counts, by covariate."""
        return np.asarray(self.x.T @ (bins.counts - bins.exposure * posterior.rate_moments[0]))


@dataclass(frozen=True, eq=False)
class Shifted(Exposed):
    """Negative binomial and zero-inflated counts, attack days: covariates shift the log mean, or the log odds."""

    levels: Floats

    def bins(self, beta: Floats) -> Bins:
        """Give the bins an offset."""
        return replace(self.plain, offset=np.clip(self.x @ beta, -30, 30))

    def solve(self, bins: Bins, grid: Grid) -> Posterior:
        """Sum over the changes, levels on a grid."""
        return solve_levels(bins, grid, self.levels)

    def slope(self, beta: Floats, bins: Bins, posterior: Posterior) -> Floats:  # noqa: ARG002
        """Give the expected derivative of each bin's log-likelihood, by covariate."""
        if not isinstance(posterior, LevelPosterior):
            raise TypeError("levels have their own posterior")
        return np.asarray(self.x.T @ posterior.slopes())


@dataclass(frozen=True, eq=False)
class Stretched(Exposed):
    """Gaps between attacks: each day of a gap counts with its factor.

    Attributes
    ----------
    plain : Bins
        One for each stretch.
    x : ndarray, shape (days, columns)
        Covariates of every day.
    stretch, day : ndarray of int, shape (pieces,)
        Which stretch and day each piece of time belongs to.
    length : ndarray, shape (pieces,)
        Observed days of each piece.
    last : ndarray of int, shape (stretches,)
        The day in which each stretch ends.
    """

    stretch: Integers
    day: Integers
    length: Floats
    last: Integers

    def bins(self, beta: Floats) -> Bins:
        """Add up the factors of the days of each stretch."""
        factor = np.exp(np.clip(self.x @ beta, -30, 30))
        n = len(self.plain.counts)
        weights = self.length * factor[self.day]
        return replace(self.plain, exposure=np.bincount(self.stretch, weights, minlength=n))

    def constant(self, beta: Floats) -> float:
        """Give the factors of the days of attacks."""
        return float(self.plain.counts @ (self.x[self.last] @ beta))

    def slope(self, beta: Floats, bins: Bins, posterior: Posterior) -> Floats:  # noqa: ARG002
        """Weigh covariates on the days of attacks, less what the days of the gaps let expect."""
        factor = np.exp(np.clip(self.x @ beta, -30, 30))
        weights = self.length * factor[self.day] * posterior.rate_moments[0][self.stretch]
        by_day = np.bincount(self.day, weights, minlength=len(self.x))
        return np.asarray(self.x[self.last].T @ self.plain.counts - self.x.T @ by_day)


@dataclass(frozen=True, eq=False)
class Added(Exposed):
    """Log deaths: covariates are taken off the value."""

    def bins(self, beta: Floats) -> Bins:
        """Take the effect off."""
        return replace(self.plain, counts=self.plain.counts - self.x @ beta)

    def slope(self, beta: Floats, bins: Bins, posterior: Posterior) -> Floats:  # noqa: ARG002
        """Weigh the residuals by the precision of their regime."""
        precision, product = posterior.precision_moments
        return np.asarray(self.x.T @ (bins.counts * precision - product))


def fit_covariates(
    carrier: Carrier, grid: Grid, design: Design, matrix: Floats, start: Floats | None = None
) -> Fitted:
    r"""Estimate the coefficients by maximising the exact evidence over them.

    The log rate of bin ``t`` is that of its regime plus :math:`x_t \beta` (for attack days the log odds, for log deaths
    the mean). With the changes and rates summed out exactly, the gradient of the log evidence is (Fisher's identity)

    .. math:: \nabla \log Z(\beta) = \sum_t x_t \, E[\partial \log p(y_t \mid \lambda_t, \eta_t) / \partial \eta_t
              \mid y, \beta],

    which for Poisson counts is :math:`\sum_t x_t (y_t - e_t e^{x_t \beta} E[\lambda_t \mid y, \beta])`. So changes and
    covariates compete for what they explain; neither is estimated first. Coefficients of standardised columns are
    normal with sd 1 a priori. Their uncertainty (inverse curvature at the mode) enters the evidence by Laplace's
    approximation and the forecasts by draws; tables of the past take the mode.

    Parameters
    ----------
    carrier : Carrier
        How coefficients enter the likelihood.
    grid : Grid
        Priors. The estimate uses the three most probable cells; the fit all of them.
    design : Design
        Where the covariates come from.
    matrix : ndarray, shape (n, columns)
        Standardised covariates of the whole series.
    start : ndarray, optional
        Coefficients to start from.

    Returns
    -------
    Fitted
        The estimate, and doubts.
    """
    mode = np.zeros(carrier.columns) if start is None else start
    small = _probable(carrier.solve(carrier.bins(mode), grid))

    def value(beta: Floats) -> tuple[float, Bins, Posterior]:
        bins = carrier.bins(beta)
        solved = carrier.solve(bins, small)
        prior = 0.5 * float(beta @ beta) / _SPREAD**2
        return solved.log_evidence + carrier.constant(beta) - prior, bins, solved

    def minus(beta: Floats) -> tuple[float, Floats]:
        found, bins, solved = value(beta)
        return -found, beta / _SPREAD**2 - carrier.slope(beta, bins, solved)

    for _ in range(3):
        # Steps and tolerance by how steep the evidence is: thousands of events know a slope to a thousandth.
        slope = minus(mode)[1]
        away = -_NEAR * slope / max(float(np.linalg.norm(slope)), 1e-12)
        bend = float(away @ (minus(mode + away)[1] - slope)) / _NEAR**2
        bend = max(bend, 1 / _SPREAD**2)
        unit = math.sqrt(bend)
        best = minimize(
            _in_units,
            mode * unit,
            args=(minus, unit),
            jac=True,
            method="BFGS",
            options={"gtol": max(1e-2 / unit, 5e-3), "maxiter": 60},
        )
        mode = np.asarray(best.x, dtype=float) / unit
        better = _probable(carrier.solve(carrier.bins(mode), grid))
        same = [
            np.array_equal(one, two)
            for one, two in (
                (small.shape, better.shape),
                (small.rate, better.rate),
                (small.size, better.size),
            )
        ]
        if all(same):
            break
        small = better
    curvature = np.empty((mode.size, mode.size))
    for i in range(mode.size):
        step = np.zeros(mode.size)
        step[i] = _NEAR
        curvature[i] = (minus(mode + step)[1] - minus(mode - step)[1]) / (2 * _NEAR)
    curvature = 0.5 * (curvature + curvature.T)
    values, vectors = np.linalg.eigh(curvature)
    notes = []
    if values.min() < 0.5 / _SPREAD**2:  # the prior alone gives 1
        notes.append(
            "The covariates and the changes explain the same thing here: the coefficients are hardly determined."
        )
        values = np.maximum(values, 0.5 / _SPREAD**2)
    covariance = (vectors / values) @ vectors.T
    occam = -0.5 * float(mode @ mode) / _SPREAD**2 - 0.5 * float(np.log(values).sum())
    occam += carrier.constant(mode) - mode.size * math.log(_SPREAD)
    return Fitted(Covariates(design, mode, covariance, occam, matrix @ mode), tuple(notes))


def _in_units(
    gamma: Floats, minus: Callable[[Floats], tuple[float, Floats]], unit: float
) -> tuple[float, Floats]:
    value, slope = minus(gamma / unit)
    return value, slope / unit


def _probable(solved: Posterior) -> Grid:
    """Keep the most probable cells and hazards, in their order."""
    grid = solved.grid
    best = np.sort(np.argsort(solved.weights.sum(axis=1))[::-1][:_CELLS])
    hazards = np.sort(np.argsort(solved.weights.sum(axis=0))[::-1][:_HAZARDS])
    return replace(
        grid,
        shape=grid.shape[best],
        rate=grid.rate[best],
        size=grid.size[best],
        third=grid.third[best] if grid.third.size else grid.third,
        log_prior=grid.log_prior[best],
        odds=grid.odds[hazards],
        log_odds_prior=grid.log_odds_prior[hazards],
    )
