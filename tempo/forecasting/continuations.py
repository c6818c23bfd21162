"""What a fitted model says goes on: its posterior as the rate of a scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.rounding import counted, interval
from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.laws import GammaRate
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    from tempo.models.changepoint_fit import ChangepointsFit
    from tempo.models.constant import ConstantRateFit
    from tempo.models.hawkes_fit import HawkesFit
    from tempo.models.regime_fit import RegimesFit

    type Fit = ConstantRateFit | HawkesFit | ChangepointsFit | RegimesFit

__all__ = ["Continued", "continued"]

type Floats = NDArray[np.float64]

_DRAWS = 1024  # posterior draws that a scenario carries
_AHEAD = 366  # days over which a rate that may change again is told; then it stays


@dataclass(frozen=True, slots=True, eq=False)
class Continued:
    """The posterior of a fitted model, told onward from the end of its data.

    Attributes
    ----------
    start : pandas.Timestamp
        End of the data that the fit used; no earlier day may judge it.
    rates : ndarray of float, shape (draws, days)
        Attacks per day that do not follow from earlier ones, on each day from ``start`` on; the last one stays.
    branching, decay : ndarray of float, shape (draws,), or None
        Contagion, where the model has it.
    dispersion : ndarray of float, shape (draws,), or None
        Overdispersion of a day's number, where the model has it.
    excited : ndarray of float, shape (draws,), or None
        Excitation on the first day by the attacks that the fit used: the sum of the kernel over them.
    words : str
        Where it comes from.
    """

    start: pd.Timestamp
    rates: Floats
    branching: Floats | None
    decay: Floats | None
    dispersion: Floats | None
    excited: Floats | None
    words: str

    def rows(self, level: Floats) -> NDArray[np.int64]:
        """Give the posterior draw of each level.

        Parameters
        ----------
        level : ndarray, shape (draws,)
            Between 0 and 1.

        Returns
        -------
        ndarray of int, shape (draws,)
            Rows of ``rates``.
        """
        chosen: NDArray[np.int64] = np.minimum(
            (level * len(self.rates)).astype(np.int64), len(self.rates) - 1
        )
        return chosen

    def on(self, level: Floats, days: pd.DatetimeIndex) -> Floats:
        """Give the rate on some days.

        Parameters
        ----------
        level : ndarray, shape (draws,)
            Between 0 and 1.
        days : pandas.DatetimeIndex, length n
            Days.

        Returns
        -------
        ndarray, shape (draws, n)
            Attacks per day.
        """
        ahead = np.asarray((days - self.start) / DAY, dtype=np.int64)
        place = np.clip(ahead, 0, self.rates.shape[1] - 1)
        return np.asarray(self.rates[self.rows(level)][:, place])


def continued(fit: Fit, rng: RNGLike = 0) -> GammaRate | Continued:
    """Read off a fit what it says goes on.

    Parameters
    ----------
    fit : ConstantRateFit, HawkesFit, ChangepointsFit or RegimesFit
        Fitted to days.
    rng : int, Generator or None, default 0
        Draws the changes that a model of changes expects.

    Returns
    -------
    GammaRate or Continued
        A Gamma distribution where the rate is constant and the counts are Poisson.

    Raises
    ------
    ScenarioError
        If the fit is of another model, has bins that are not days, or rests on covariates or seasons whose future is
        not known here.
    """
    from tempo.models.changepoint_fit import ChangepointsFit
    from tempo.models.constant import ConstantRateFit
    from tempo.models.hawkes_fit import HawkesFit
    from tempo.models.regime_fit import RegimesFit

    if not isinstance(fit, ConstantRateFit | HawkesFit | ChangepointsFit | RegimesFit):
        raise ScenarioError(
            f"got {type(fit).__name__}; a continuation is told from a fit of tempo.ConstantRate, tempo.Hawkes with one "
            "constant baseline and an exponential kernel, tempo.Changepoints or tempo.Regimes."
        )
    if not np.allclose(fit.counts.bin_days, 1.0):
        raise ScenarioError(
            f"the {fit.name} fit has bins of {fit.counts.bin_days[0]:g} days, and a scenario is told day by day. "
            "Fit it to incidents or to counts('1D')."
        )
    generator = resolve(rng).generator
    if isinstance(fit, ConstantRateFit):
        return _constant(fit)
    if isinstance(fit, HawkesFit):
        return _hawkes(fit)
    if isinstance(fit, ChangepointsFit):
        return _changepoints(fit, generator)
    return _regimes(fit, generator)


def _words(name: str, counts: Counts, rates: Floats) -> str:
    low, high = np.quantile(rates[:, 0] * 30, [0.05, 0.95])
    return (
        f"what {name} says after {counted(counts.events, counts.label)} up to {counts.end:%Y-%m-%d} "
        f"({interval(low, high)} in 30 days at first, 90 % interval)"
    )


def _constant(fit: ConstantRateFit) -> GammaRate | Continued:
    counts = fit.counts
    if fit.gamma is not None:
        shape, rate = fit.gamma
        levels = np.array([[0.05], [0.95]])
        ends = GammaRate(shape, rate, "").quantile(levels)
        return GammaRate(shape, rate, _words(fit.name, counts, ends))
    drawn = fit.draws[:_DRAWS]
    dispersion = drawn[:, 1].copy() if fit.model.observation == "negbin" else None
    rates = drawn[:, :1].copy()
    return Continued(
        counts.end, rates, None, None, dispersion, None, _words(fit.name, counts, rates)
    )


def _hawkes(fit: HawkesFit) -> Continued:
    if fit.time != "daily":
        raise ScenarioError(
            "the Hawkes fit is in continuous time, and a scenario is told day by day. Fit it with time='daily'."
        )
    drawn = _spread(fit.chains.reshape(-1, fit.chains.shape[2]))
    baseline, branching, decay, dispersion = (np.ascontiguousarray(part) for part in drawn.T)
    excited = _excitation(np.nan_to_num(fit.counts.to_numpy(dtype=float)), decay)
    rates = baseline[:, None]
    rest = branching * excited
    words = _words(fit.name, fit.counts, rates + rest[:, None])
    spread = dispersion if (dispersion > 0).any() else None
    return Continued(fit.counts.end, rates, branching, decay, spread, excited, words)


def _changepoints(fit: ChangepointsFit, generator: np.random.Generator) -> Continued:
    from tempo.models.changepoint_forecast import rate_paths
    from tempo.models.changepoint_level_posterior import LevelPosterior

    if fit.effects is not None:
        raise ScenarioError(
            "the changepoint fit rests on covariates or a season, whose future a scenario does not know. Fit it "
            "without them."
        )
    if fit.model.observation not in {"poisson", "negbin"}:
        raise ScenarioError(
            f"the changepoint fit is of {fit.model.observation!r} observations, and a scenario tells numbers of "
            "attacks. Fit tempo.Changepoints(observation='poisson') or 'negbin'."
        )
    paths, spread = [], []
    for part, n in zip(fit.parts, _shares(_DRAWS, len(fit.parts)), strict=True):
        if isinstance(part, LevelPosterior):
            raise ScenarioError(
                "the changepoint fit shares levels between regimes; a continuation is told from a plain one. Fit "
                "tempo.Changepoints without levels."
            )
        table, cell = rate_paths(part, _AHEAD, n, generator)
        paths.append(table)
        spread.append(np.broadcast_to(1.0 / part.grid.size[cell], (n,)))
    order = generator.permutation(_DRAWS)
    rates = np.concatenate(paths)[order]
    dispersion = np.concatenate(spread)[order] if fit.model.observation == "negbin" else None
    words = _words(fit.name, fit.counts, rates)
    return Continued(fit.counts.end, rates, None, None, dispersion, None, words)


def _regimes(fit: RegimesFit, generator: np.random.Generator) -> Continued:
    from tempo.models.regime_engine import Reading

    k, stages = fit.n_regimes, fit.stages
    naturals, last = [], []
    for i, chains in enumerate(_by_series(fit)):
        drawn = _spread(chains, max(_DRAWS // len(fit.parts) // 4, 1))
        naturals.append(drawn)
        last += [Reading(fit.parts[i].data, natural).states[-1] for natural in drawn]
    natural = np.repeat(np.concatenate(naturals), 4, axis=0)
    states = np.repeat(np.array(last), 4, axis=0)
    rows = np.arange(len(natural))
    state = (states.cumsum(axis=1) < generator.random((len(rows), 1))).sum(axis=1)
    state = np.minimum(state, k * stages - 1)
    away = natural[:, 2 * k : 2 * k + k * k].reshape(-1, k, k).cumsum(axis=2)
    rates = np.empty((len(rows), _AHEAD))
    for t in range(_AHEAD):
        regime = state // stages
        going = generator.random(len(rows)) < natural[rows, k + regime]
        over = going & (state % stages == stages - 1)
        state = np.where(going & ~over, state + 1, state)
        to = (away[rows, regime] < generator.random((len(rows), 1))).sum(axis=1)
        state = np.where(over, np.minimum(to, k - 1) * stages, state)
        rates[:, t] = natural[rows, state // stages]
    dispersion = natural[:, -3].copy() if fit.model.observation == "negbin" else None
    branching = decay = excited = None
    if fit.model.contagion:
        branching = natural[:, -2].copy()
        decay = -np.log(np.clip(natural[:, -1], 1e-300, 1 - 1e-12))
        excited = _excitation(np.nan_to_num(fit.counts.to_numpy(dtype=float)), decay)
    words = _words(fit.name, fit.counts, rates)
    return Continued(fit.counts.end, rates, branching, decay, dispersion, excited, words)


def _by_series(fit: RegimesFit) -> list[Floats]:
    """Cut the draws by the series that they belong to."""
    ends = np.cumsum([part.kept for part in fit.parts])[:-1]
    return [
        part.reshape(-1, fit.chains.shape[2])
        for part in np.split(fit.chains, ends.tolist(), axis=1)
    ]


def _spread(drawn: Floats, most: int = _DRAWS) -> Floats:
    """Take at most so many draws, evenly."""
    rows = np.unique(np.linspace(0, len(drawn) - 1, min(most, len(drawn))).astype(np.int64))
    return np.asarray(drawn[rows])


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (i < total % parts) for i in range(parts)]


def _excitation(values: Floats, decay: Floats) -> Floats:
    """Sum the kernel over earlier days: what they add to the first day after them, per unit of branching."""
    kept = np.exp(-decay)
    longest = min(len(values), math.ceil(40.0 / max(float(decay.min()), 1e-3)))
    out = np.zeros(len(decay))
    for value in values[len(values) - longest :]:
        out = kept * out + (1.0 - kept) * value
    return out
