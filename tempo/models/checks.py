"""Checks of fitted count models: whether what happened looks like what the model says happens.

A check table has one row for each check: ``statistic``, ``threshold``, ``passed`` and ``meaning`` in plain words. The
thresholds are at one percent, because three checks at five percent would fail every seventh good model.

Randomised residuals: Dunn & Smyth (1996), J. Comput. Graph. Stat. 5; for point processes on a grid: Haslinger, Pipa &
Brown (2010), Neural Computation 22.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "LEVEL",
    "CheckRow",
    "check_table",
    "count_checks",
    "pit_residuals",
    "residual_checks",
    "row",
]

type Floats = NDArray[np.float64]
type CheckRow = tuple[str, float, float, bool, str]

LEVEL = 0.01
FEWEST = 8  # residuals that are worth testing
FEWEST_EVENTS = 3  # with fewer, the order of the residuals says nothing
PERMUTATIONS = 199
LAGS = 10
UNIFORM = "residuals uniform (KS)"
INDEPENDENT = "residuals independent (Ljung-Box)"
COLUMNS = ("statistic", "threshold", "passed", "meaning")


def row(name: str, statistic: float, threshold: float, passed: bool, meaning: str) -> CheckRow:
    """Give one row for ``check_table``, so that every model spells the columns alike.

    Parameters
    ----------
    name : str
        Name of the check.
    statistic, threshold : float
        What was measured, and where it begins to fail.
    passed : bool
        The verdict.
    meaning : str
        One sentence for somebody who is no statistician.

    Returns
    -------
    tuple
        The row.
    """
    return name, float(statistic), float(threshold), bool(passed), meaning


def check_table(rows: list[CheckRow]) -> pd.DataFrame:
    """Assemble rows into a check table.

    Parameters
    ----------
    rows : list of (name, statistic, threshold, passed, meaning)
        From ``row``.

    Returns
    -------
    pandas.DataFrame
        Indexed by check; columns statistic, threshold, passed, meaning.

    Examples
    --------
    >>> check_table([row("r-hat", 1.002, 1.01, True, "The chains agree.")]).loc["r-hat", "passed"].item()
    True
    """
    index = pd.Index([r[0] for r in rows], name="check")
    table = pd.DataFrame([r[1:] for r in rows], index=index, columns=list(COLUMNS))
    return table.astype({"statistic": float, "threshold": float, "passed": bool})


def pit_residuals(cdf_below: ArrayLike, cdf_at: ArrayLike, rng: np.random.Generator) -> Floats:
    """Give randomised probability-integral residuals, uniform on (0, 1) if the model is right.

    A count ``y`` has probability mass, so its residual is drawn between ``P(Y < y)`` and ``P(Y <= y)``.

    Parameters
    ----------
    cdf_below, cdf_at : array-like, shape (n,)
        ``P(Y < y)`` and ``P(Y <= y)`` given the past, at the observed counts; NaN where nothing was observed.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
        Residuals, NaN kept.
    """
    below, at = np.asarray(cdf_below, dtype=float), np.asarray(cdf_at, dtype=float)
    residuals = below + rng.random(below.shape) * (at - below)
    return np.asarray(np.clip(residuals, 1e-12, 1 - 1e-12))


def residual_checks(uniform: ArrayLike) -> list[CheckRow]:
    """Test residuals that should be independent and uniform.

    Parameters
    ----------
    uniform : array-like, shape (n,)
        Residuals in order of time, NaN where missing.

    Returns
    -------
    list
        Rows for ``check_table``: Kolmogorov-Smirnov and Ljung-Box. With fewer than eight residuals there is nothing to
        test, and the rows say so.
    """
    residuals = np.asarray(uniform, dtype=float)
    residuals = residuals[~np.isnan(residuals)]
    n = len(residuals)
    if n < FEWEST:
        return _too_few(n)
    return [
        _uniform(float(stats.kstest(residuals, "uniform").pvalue)),
        _independent(_ljung_box(stats.norm.ppf(np.clip(residuals, 1e-12, 1 - 1e-12)))),
    ]


def count_checks(
    values: ArrayLike,
    exposure: ArrayLike,
    cdf_below: ArrayLike,
    cdf_at: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Check one-step predictions of a count model against the counts.

    Parameters
    ----------
    values : array-like, shape (n,)
        Counts, NaN where missing.
    exposure : array-like, shape (n,)
        Observed share of each bin; bins of 0 are left out.
    cdf_below, cdf_at : array-like, shape (n,)
        ``P(Y < y)`` and ``P(Y <= y)`` given the past.
    mean, variance : array-like, shape (n,)
        Of each count, given the past.
    rng : numpy.random.Generator
        For the randomised residuals.

    Returns
    -------
    pandas.DataFrame
        A check table: uniform residuals (Kolmogorov-Smirnov p-value of randomised residuals), independent residuals
        (Ljung-Box statistic of standardised residuals, its p-value by permutation), dispersion (mean of squared
        standardised residuals, with the limit that one good model in a hundred passes).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import poisson
    >>> y = np.random.default_rng(3).poisson(2.0, 500)
    >>> two = np.full(500, 2.0)
    >>> rng = np.random.default_rng(0)
    >>> table = count_checks(
    ...     y, np.ones(500), poisson.cdf(y - 1, 2), poisson.cdf(y, 2), two, two, rng
    ... )
    >>> table["passed"].tolist()
    [True, True, True]
    """
    y = np.asarray(values, dtype=float)
    seen = ~np.isnan(y) & (np.asarray(exposure, dtype=float) > 0)
    uniform = pit_residuals(np.asarray(cdf_below)[seen], np.asarray(cdf_at)[seen], rng)
    m, v = np.asarray(mean, dtype=float)[seen], np.asarray(variance, dtype=float)[seen]
    if len(uniform) < FEWEST or y[seen].sum() < FEWEST_EVENTS:
        # Without events the residuals are only the fitted rate with its sign turned, smooth in time by construction.
        rows = _too_few(len(uniform), int(y[seen].sum()))
    else:
        # Independence is tested without the noise of randomisation, which hides most of it where events are rare.
        standard = (y[seen] - m) / np.sqrt(np.where(v > 0, v, 1.0))
        rows = [
            _uniform(float(stats.kstest(uniform, "uniform").pvalue)),
            _independent(_permuted_ljung_box(standard, rng)),
        ]
    return check_table([*rows, _dispersion(y[seen], m, v)])


def _too_few(n: int, events: int | None = None) -> list[CheckRow]:
    few = f"{n} residuals" if events is None or n < FEWEST else f"{events} events"
    meaning = f"Only {few}: too few to test."
    return [row(name, math.nan, LEVEL, True, meaning) for name in (UNIFORM, INDEPENDENT)]


def _uniform(p_value: float) -> CheckRow:
    passed = p_value >= LEVEL
    meaning = (
        "Counts are spread around their expectation as the model says."
        if passed
        else "Counts are not spread around their expectation as the model says."
    )
    return row(UNIFORM, p_value, LEVEL, passed, meaning)


def _independent(p_value: float) -> CheckRow:
    passed = p_value >= LEVEL
    meaning = (
        "No pattern in time is left unexplained."
        if passed
        else "A pattern in time is left that the model does not explain."
    )
    return row(INDEPENDENT, p_value, LEVEL, passed, meaning)


def _dispersion(y: Floats, mean: Floats, variance: Floats) -> CheckRow:
    name = "dispersion (Pearson)"
    possible = variance > 0
    y, mean, variance = y[possible], mean[possible], variance[possible]
    n = len(y)
    if n < 8 or y.sum() < 5:
        return row(
            name,
            math.nan,
            math.nan,
            True,
            f"Only {int(y.sum())} events: too few to test the spread.",
        )
    ratio = float(((y - mean) ** 2 / variance).mean())
    # Var((Y - m)^2 / v) = 2 + excess kurtosis, which is 6 dispersion + 1 / v for the negative binomial.
    excess = 6 * np.maximum(variance - mean, 0) / mean**2 + 1 / variance
    # A gamma distribution of the same mean and variance follows the skewness that rare events bring.
    scale = float((2 + excess).mean()) / n
    limits = stats.gamma.ppf(np.array([LEVEL / 2, 1 - LEVEL / 2]), 1 / scale, scale=scale)
    low, high = float(limits[0]), float(limits[1])
    if ratio > high:
        meaning = (
            "Counts vary more than the model says (bursts within a bin, or a rate that moves)."
        )
        return row(name, ratio, high, False, meaning)
    if ratio < low:
        return row(name, ratio, low, False, "Counts vary less than the model says.")
    return row(name, ratio, high, True, "Counts vary as much as the model says.")


def _ljung_box(z: Floats) -> float:
    """P-value of the Ljung-Box test of normal residuals, over up to ten lags."""
    lags = min(LAGS, len(z) // 5)
    if lags < 1:
        return 1.0
    return float(stats.chi2.sf(_portmanteau(z[None], lags)[0], lags))


def _permuted_ljung_box(residuals: Floats, rng: np.random.Generator) -> float:
    """P-value of the same statistic against random orders: rare events are too skewed for its chi-square."""
    lags = min(LAGS, len(residuals) // 5)
    if lags < 1 or np.ptp(residuals) == 0:
        return 1.0
    observed = _portmanteau(residuals[None], lags)[0]
    above = 0
    for _ in range(PERMUTATIONS):  # one at a time: a long record times 199 would not fit the cache
        above += bool(_portmanteau(rng.permutation(residuals)[None], lags)[0] >= observed)
    return (above + 1) / (PERMUTATIONS + 1)


def _portmanteau(rows: Floats, lags: int) -> Floats:
    """Ljung-Box statistic of each row."""
    n = rows.shape[1]
    centred = rows - rows.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    total[total == 0] = 1.0
    statistic = np.zeros(len(rows))
    for k in range(1, lags + 1):
        correlation = (centred[:, k:] * centred[:, :-k]).sum(axis=1) / total
        statistic += correlation**2 / (n - k)
    return np.asarray(n * (n + 2) * statistic)
