"""The grid on which contagion and regime change are weighed, and the priors that weigh it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tempo.errors import OptionError
from tempo.models.explain_recursions import LANES

__all__ = ["ACCOUNTS", "ExplainPrior", "LevelGrid", "account_weights", "cell_log_prior"]

type Floats = NDArray[np.float64]

#: The four accounts of why attacks come in bursts.
ACCOUNTS = ("constant", "changepoints", "hawkes", "hawkes+steps")

#: Level scales, as multiples of the overall mean: under contagion the baseline is a fraction of it.
SCALES = np.array([0.1, 0.3, 1.0])
HALF_LIVES_DAYS = np.array([0.7, 1.5, 3.0, 5.0, 9.0, 16.0, 30.0])
BRANCHING = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
DISPERSIONS = np.array([0.0, 0.5, 2.0, 8.0])


@dataclass(frozen=True, slots=True)
class ExplainPrior:
    """Prior of the weighing: every choice that an answer could hang on, in one place.

    Attributes
    ----------
    contagion : float
        Probability that there is material contagion.
    change_ratio : float
        Each further change is this much less probable: ``P(k changes)`` is proportional to ``change_ratio ** k``.
    least_branching : float
        Contagion is material from this branching ratio on.
    least_step : float
        A change is material if the baseline at least multiplies or divides by this.
    half_life_days : float
        Median of the half-life of excitation (log-normal).
    half_life_spread : float
        Standard deviation of its logarithm.
    level_spread : float
        Standard deviation of the logarithm of a baseline level about its scale.
    overdispersion : float
        Probability that counts are more variable than Poisson, where that is allowed for.
    """

    contagion: float = 0.5
    change_ratio: float = 0.5
    least_branching: float = 0.2
    least_step: float = 2.0
    half_life_days: float = 5.0
    half_life_spread: float = 1.0
    level_spread: float = 1.2
    overdispersion: float = 0.5

    def __post_init__(self) -> None:
        for name in ("contagion", "change_ratio", "least_branching", "overdispersion"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise OptionError(f"{name} is {value!r}; expected a number between 0 and 1.")
        if self.least_step <= 1:
            raise OptionError(
                f"least_step is {self.least_step!r}; expected a ratio above 1, such as 2."
            )
        for name in ("half_life_days", "half_life_spread", "level_spread"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} is {getattr(self, name)!r}; expected a number above 0.")

    def with_(self, **changes: float) -> Self:
        """Give the prior with some choices changed.

        Parameters
        ----------
        **changes : float
            Names and values of attributes.

        Returns
        -------
        ExplainPrior
            A new one.

        Examples
        --------
        >>> ExplainPrior().with_(contagion=0.3).contagion
        0.3
        """
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class LevelGrid:
    """Baseline levels per bin on a logarithmic grid, with their prior for each level scale.

    Attributes
    ----------
    levels : ndarray, shape (levels,)
        Expected baseline attacks in a fully observed bin.
    priors : ndarray, shape (scales, levels)
        Log-normal about each scale; rows sum to one.
    width : int
        Grid steps that make a material change.
    """

    levels: Floats
    priors: Floats
    width: int

    @classmethod
    def of(cls, counts: Floats, exposure: Floats, prior: ExplainPrior) -> Self:
        """Lay the grid for a series: fine enough for its number of events, wide enough for its busiest week.

        Parameters
        ----------
        counts : ndarray, shape (bins,)
            Counts; those of unobserved bins are ignored.
        exposure : ndarray, shape (bins,)
            Observed share of each bin.
        prior : ExplainPrior
            For the smallest material step and the spread of levels.

        Returns
        -------
        LevelGrid
            Levels from a sixtieth of the mean to 12 times the mean, or the busiest week.
        """
        seen = exposure > 0
        values = np.where(seen, counts, 0.0)
        events, bins = float(values.sum()), float(exposure.sum())
        mean = (events + 0.5) / max(bins, 1.0)
        window = min(7, len(values))
        busiest = np.convolve(values, np.ones(window), "valid").max() / window
        # The step divides the smallest material change evenly, and is near the precision of one level.
        wanted = min(0.15, max(0.05, 1.0 / math.sqrt(events + 1.0)))
        width = max(1, math.ceil(math.log(prior.least_step) / wanted))
        step = math.log(prior.least_step) / width
        low, high = math.log(mean / 60), math.log(max(12 * mean, 1.5 * busiest))
        levels = np.exp(np.arange(low, high + step, step))
        centres = np.log(mean * SCALES)
        logs = -0.5 * ((np.log(levels)[None, :] - centres[:, None]) / prior.level_spread) ** 2
        return cls(levels, np.asarray(special.softmax(logs, axis=1)), width)


def branching_grid(prior: ExplainPrior) -> Floats:
    """Give branching ratios: 0, and material ones up to nearly 1.

    Parameters
    ----------
    prior : ExplainPrior
        For the smallest material one.

    Returns
    -------
    ndarray
        Ascending.
    """
    material = BRANCHING[prior.least_branching + 0.05 < BRANCHING]
    return np.concatenate([[0.0, prior.least_branching], material])


def cell_log_prior(
    prior: ExplainPrior,
    half_lives_days: Floats,
    branching: Floats,
    dispersion: Floats,
    n_scales: int,
    n_places: int,
) -> Floats:
    """Give the log prior of each cell and number of changes, places of the changes included.

    Parameters
    ----------
    prior : ExplainPrior
        The choices.
    half_lives_days, branching, dispersion : ndarray
        The axes.
    n_scales : int
        Number of level scales, all alike.
    n_places : int
        Number of places for a change: observed bins less one. All sets of places of one size are alike.

    Returns
    -------
    ndarray, shape (dispersions, scales, memories, branchings, LANES)
        Sums to one over cells and changes when multiplied by the number of placements.
    """
    k = np.arange(LANES)
    with np.errstate(divide="ignore"):
        number = np.where(k <= n_places, k * math.log(prior.change_ratio), -np.inf)
        number = number - special.logsumexp(number)
        placements = _log_choose(n_places, k)
        memory = (
            -0.5
            * ((np.log(half_lives_days) - math.log(prior.half_life_days)) / prior.half_life_spread)
            ** 2
        )
        memory = memory - special.logsumexp(memory)
        material = branching > 0
        width = np.gradient(branching[material]) if material.sum() > 1 else np.ones(material.sum())
        contagion = np.where(material, 0.0, math.log1p(-prior.contagion))
        contagion[material] = math.log(prior.contagion) + np.log(width / width.sum())
        spread = dispersion > 0
        if spread.any():
            each = math.log(prior.overdispersion / spread.sum())
            observation = np.where(spread, each, math.log1p(-prior.overdispersion))
        else:
            observation = np.zeros(1)
    return np.asarray(
        observation[:, None, None, None, None]
        - math.log(n_scales)
        + memory[None, None, :, None, None]
        + contagion[None, None, None, :, None]
        + np.where(np.isfinite(number), number - placements, -np.inf)
    )


def account_weights(weights: Floats, branching: Floats) -> dict[str, Floats]:
    """Split the weights of the cells into the four accounts.

    Parameters
    ----------
    weights : ndarray, shape (dispersions, scales, memories, branchings, LANES)
        Posterior weights.
    branching : ndarray, shape (branchings,)
        Its axis.

    Returns
    -------
    dict of str to ndarray
        For each account the weights, 0 outside it.
    """
    quiet = (branching == 0)[None, None, None, :, None]
    steady = (np.arange(LANES) == 0)[None, None, None, None, :]
    masks = (quiet & steady, quiet & ~steady, ~quiet & steady, ~quiet & ~steady)
    return {name: weights * mask for name, mask in zip(ACCOUNTS, masks, strict=True)}


def _log_choose(n: int, k: NDArray[np.int64]) -> Floats:
    valid = k <= n
    safe = np.where(valid, k, 0)
    logs = special.gammaln(n + 1.0) - special.gammaln(safe + 1.0) - special.gammaln(n - safe + 1.0)
    return np.asarray(np.where(valid, logs, 0.0))
