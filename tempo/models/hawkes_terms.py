"""Baselines of the general Hawkes model: season, trend, steps and covariates as columns, past and future."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.window import as_date
from tempo.errors import DataError, OptionError
from tempo.models.formulas import plain

__all__ = ["NAMED_BASELINES", "BaselineTerms", "check_steps"]

type Floats = NDArray[np.float64]

#: Short names for formulas that need no covariates.
NAMED_BASELINES = {
    "constant": "1",
    "weekly": "1 + weekday",
    "yearly": "1 + season",
    "trend": "1 + trend",
}
_OWN = ("trend", "weekday", "season")
_YEAR_DAYS = 365.25
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@dataclass(frozen=True, eq=False)
class BaselineTerms:
    """The columns that move a baseline, and how to make them for other dates.

    Attributes
    ----------
    formula : str
        As given, or what a short name stands for.
    columns : tuple of str
        Names of the columns, without the intercept.
    centres, scales : ndarray, shape (q,)
        The baseline is the level where every column is at its centre, its mean over the fitted bins. A column is
        divided by its scale (its standard deviation, or half the distance of two values) before the prior is applied.
    covariates : tuple of str
        Columns of the covariates that the formula uses.
    steps : tuple of Timestamp
        First bins of new levels.
    """

    formula: str
    columns: tuple[str, ...]
    centres: Floats
    scales: Floats
    covariates: tuple[str, ...]
    steps: tuple[pd.Timestamp, ...]
    _spec: Any
    _origin: pd.Timestamp
    _bin_days: float

    @classmethod
    def learn(
        cls,
        baseline: str,
        steps: tuple[Any, ...],
        parts: list[pd.DatetimeIndex],
        bin_days: float,
        covariates: list[pd.DataFrame | None],
    ) -> tuple[BaselineTerms, list[Floats]]:
        """Turn a formula into columns over the fitted bins.

        Parameters
        ----------
        baseline : str
            A short name or a formula.
        steps : tuple of dates
            First days of new levels.
        parts : list of DatetimeIndex
            Bin starts of each realisation.
        bin_days : float
            Length of a bin.
        covariates : list of DataFrame or None
            For each realisation, indexed by date.

        Returns
        -------
        terms : BaselineTerms
            The recipe.
        columns : list of ndarray, shape (n, q)
            Standardised columns of each realisation.
        """
        import formulaic
        from formulaic.errors import FormulaicError

        formula = NAMED_BASELINES.get(baseline, baseline)
        words = set(re.findall(r"[A-Za-z_][A-Za-z_0-9.]*", formula))
        offered: list[set[str]] = [
            set() if table is None else set(map(str, table.columns)) for table in covariates
        ]
        every = {name for names in offered for name in names}
        used = tuple(sorted(words & every))
        for word in used:
            if word in _OWN:
                raise OptionError(
                    f"the covariate {word!r} has the name of a term that tempo makes itself ({', '.join(_OWN)}). "
                    "Rename the column."
                )
        origin = parts[0][0]
        frames = [
            _frame(index, origin, bin_days, _aligned(table, used, index))
            for index, table in zip(parts, covariates, strict=True)
        ]
        frame = pd.concat(frames)
        try:
            matrix = formulaic.model_matrix(
                formula, frame, context=_context(frame), na_action="raise"
            )
        except (FormulaicError, ValueError) as error:
            known = ", ".join([*_OWN, *sorted(every)])
            raise OptionError(
                f"the baseline {baseline!r} cannot be made: {plain(error)} Known are {known}; further columns come "
                "from covariates=."
            ) from error
        if "Intercept" not in matrix.columns:
            raise OptionError(
                f"the baseline {baseline!r} has no intercept, which is the level that everything else moves. Begin it "
                "with '1 +'."
            )
        spec = matrix.model_spec
        dates = tuple(as_date(step) for step in steps)
        raw = np.column_stack(
            [matrix.drop(columns="Intercept").to_numpy(dtype=float), _steps(frame.index, dates)]
        )
        names = [str(name) for name in matrix.columns if name != "Intercept"]
        names += [f"step[{date:%Y-%m-%d}]" for date in dates]
        _refuse_useless(raw, names)
        centres = raw.mean(axis=0)
        scales = raw.std(axis=0)
        for i in range(len(names)):
            levels = np.unique(raw[:, i])
            if len(levels) == 2:
                scales[i] = 0.5 * (levels[1] - levels[0])
        terms = cls(formula, tuple(names), centres, scales, used, dates, spec, origin, bin_days)
        cuts = np.cumsum([len(index) for index in parts])[:-1]
        return terms, np.split((raw - centres) / scales, cuts)

    def columns_at(self, index: pd.DatetimeIndex, covariates: pd.DataFrame | None) -> Floats:
        """Give the standardised columns for other bins.

        Parameters
        ----------
        index : DatetimeIndex
            Bin starts.
        covariates : DataFrame, optional
            Indexed by date.

        Returns
        -------
        ndarray, shape (n, q)
            In the order of ``columns``.
        """
        from formulaic.errors import FormulaicError

        if not self.columns:
            return np.zeros((len(index), 0))
        if self.covariates and covariates is None:
            raise OptionError(
                f"the baseline depends on {', '.join(self.covariates)}, and a forecast needs to know the future of "
                "that. Give it with fit.with_future(covariates=DataFrame indexed by date)."
            )
        table = _aligned(covariates, self.covariates, index)
        frame = _frame(index, self._origin, self._bin_days, table)
        try:
            matrix = self._spec.get_model_matrix(frame, context=_context(frame))
        except FormulaicError as error:
            remedy = (
                "A spline says how it goes on: bs(..., extrapolation='extend') or 'clip'."
                if "extrapolation" in str(error)
                else "The future must hold the same kinds of values as the past."
            )
            raise OptionError(
                f"the baseline {self.formula!r} cannot be continued: {plain(error)} {remedy}"
            ) from error
        raw = np.column_stack(
            [matrix.drop(columns="Intercept").to_numpy(dtype=float), _steps(index, self.steps)]
        )
        return np.asarray((raw - self.centres) / self.scales)


def check_steps(steps: Any) -> tuple[pd.Timestamp, ...]:
    """Read the dates at which a baseline takes a new level.

    Parameters
    ----------
    steps : sequence of dates
        As given.

    Returns
    -------
    tuple of Timestamp
        Rising.
    """
    if isinstance(steps, str):
        raise OptionError(f"baseline_steps is {steps!r}; expected a list of dates, [{steps!r}].")
    dates = tuple(sorted(as_date(step) for step in steps))
    if len(set(dates)) < len(dates):
        raise OptionError("baseline_steps names a date twice.")
    return dates


def _frame(
    index: pd.DatetimeIndex, origin: pd.Timestamp, bin_days: float, covariates: pd.DataFrame
) -> pd.DataFrame:
    middle = index + pd.Timedelta(days=(bin_days - 1) / 2)
    return covariates.assign(
        trend=(index - origin) / pd.Timedelta(days=_YEAR_DAYS),
        weekday=pd.Categorical([_DAYS[day] for day in index.day_of_week], categories=_DAYS),
        day_of_year_=middle.day_of_year.to_numpy(),
    )


def _context(frame: pd.DataFrame) -> dict[str, Any]:
    from formulaic.materializers.types import FactorValues

    phase = 2 * np.pi * (frame["day_of_year_"].to_numpy() - 0.5) / _YEAR_DAYS
    waves = {
        f"{name}{harmonic}": pd.Series(wave(harmonic * phase), index=frame.index)
        for harmonic in (1, 2)
        for name, wave in (("sin", np.sin), ("cos", np.cos))
    }
    return {"season": FactorValues(waves, kind="numerical", spans_intercept=False)}


def _steps(index: pd.Index, dates: tuple[pd.Timestamp, ...]) -> Floats:
    columns = [np.asarray(index >= date, dtype=float) for date in dates]
    return np.column_stack(columns) if columns else np.zeros((len(index), 0))


def _aligned(
    table: pd.DataFrame | None, used: tuple[str, ...], index: pd.DatetimeIndex
) -> pd.DataFrame:
    if table is None or not used:
        return pd.DataFrame(index=index)
    if not isinstance(table.index, pd.DatetimeIndex) or table.index.has_duplicates:
        raise DataError(
            f"covariates are indexed by {type(table.index).__name__}; expected a DatetimeIndex with one row for each "
            "bin. Use table.set_index(pd.to_datetime(table['date']))."
        )
    missing_columns = [name for name in used if name not in table.columns]
    if missing_columns:
        raise DataError(
            f"covariates lack the columns {', '.join(missing_columns)}, which the baseline uses."
        )
    found = table[list(used)].reindex(index)
    empty = found.isna().any(axis=1).to_numpy()
    if empty.any():
        first = ", ".join(f"{date:%Y-%m-%d}" for date in index[empty][:5])
        raise DataError(
            f"covariates {', '.join(used)} are missing on {int(empty.sum())} of {len(index)} bins (first: {first}). "
            "They must cover every bin: fill them in, or shorten the window."
        )
    return found


def _refuse_useless(raw: Floats, names: list[str]) -> None:
    for i, name in enumerate(names):
        if np.ptp(raw[:, i]) == 0:
            raise OptionError(
                f"the baseline column {name!r} is {raw[0, i]:g} on every fitted bin, so that its effect cannot be told "
                "from the level. Leave it out, or take a window in which it changes."
            )
    whole = np.column_stack([np.ones(len(raw)), raw])
    lengths = np.linalg.norm(whole, axis=0)
    if np.linalg.matrix_rank(whole / lengths, tol=1e-9) < whole.shape[1]:
        raise OptionError(
            f"the baseline columns {', '.join(names)} are linear combinations of each other over the fitted bins; "
            "leave one out."
        )
