"""Covariates of a rate with changepoints: season, trend or a formula, estimated together with the changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from tempo.errors import DataError, OptionError
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_posterior import solve

__all__ = ["CALENDAR", "Covariates", "Design", "fit_covariates", "formula_of"]

type Floats = NDArray[np.float64]

#: What a formula may name besides the columns that are passed.
CALENDAR = ("weekday", "years", "sin1", "cos1", "sin2", "cos2")
_SEASONS = {"week": "C(weekday)", "year": "sin1 + cos1 + sin2 + cos2"}
_SPREAD = 1.0  # prior sd of each standardised coefficient
_YEAR_DAYS = 365.25
_CELLS = 3  # of the grid carry the estimate; the fit itself averages over all of them


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
                f"formula {formula!r} cannot be used: {error}. It may name the calendar columns "
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


def fit_covariates(
    bins: Bins, grid: Grid, matrix: Floats, design: Design
) -> tuple[Covariates, Bins, list[str]]:
    r"""Estimate the coefficients by maximising the exact evidence over them.

    The rate of bin ``t`` is that of its regime times :math:`\exp(x_t \beta)`. With the changes and rates summed out
    exactly, the gradient of the log evidence is (Fisher's identity)

    .. math:: \nabla \log Z(\beta) = \sum_t x_t \, (y_t - e_t e^{x_t \beta} E[\lambda_t \mid y, \beta]),

    so that changes and covariates compete for what they explain; neither is estimated first. Coefficients of
    standardised columns are normal with sd 1 a priori. Their uncertainty (inverse curvature at the mode) enters the
    evidence by Laplace's approximation and the forecasts by draws; tables of the past take the mode.

    Parameters
    ----------
    bins : Bins
        Poisson counts.
    grid : Grid
        Priors. The estimate uses the three most probable cells without covariates; the fit all of them.
    matrix : ndarray, shape (n_bins, columns)
        Standardised covariates of all bins.
    design : Design
        Where they come from.

    Returns
    -------
    covariates : Covariates
        The estimate.
    bins : Bins
        The same bins, with exposure multiplied by their factors.
    notes : list of str
        Doubts.
    """
    x = matrix[bins.position]
    plain = solve(bins, grid)
    best = np.argsort(plain.weights.sum(axis=1))[::-1][:_CELLS]
    hazards = np.argsort(plain.weights.sum(axis=0))[::-1][:4]
    hazards.sort()
    small = replace(
        grid,
        shape=grid.shape[best],
        rate=grid.rate[best],
        size=grid.size[best],
        log_prior=grid.log_prior[best],
        odds=grid.odds[hazards],
        log_odds_prior=grid.log_odds_prior[hazards],
    )

    def minus(beta: Floats) -> tuple[float, Floats]:
        factor = np.exp(np.clip(x @ beta, -30, 30))
        scaled = replace(bins, exposure=bins.exposure * factor)
        solved = solve(scaled, small)
        expected = scaled.exposure * solved.rate_moments[0]
        value = solved.log_evidence - 0.5 * float(beta @ beta) / _SPREAD**2
        slope = x.T @ (bins.counts - expected) - beta / _SPREAD**2
        return -value, -slope

    found = minimize(
        minus, np.zeros(x.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-2, "maxiter": 60}
    )
    mode = np.asarray(found.x, dtype=float)
    curvature = np.empty((mode.size, mode.size))
    for i in range(mode.size):
        step = np.zeros(mode.size)
        step[i] = 0.02
        curvature[i] = (minus(mode + step)[1] - minus(mode - step)[1]) / 0.04
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
    occam -= mode.size * math.log(_SPREAD)
    log_factors = matrix @ mode
    scaled = replace(bins, exposure=bins.exposure * np.exp(log_factors[bins.position]))
    return Covariates(design, mode, covariance, occam, log_factors), scaled, notes
