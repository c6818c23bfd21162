"""The grid on which contagion and regime change are weighed, and the priors that weigh it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tempo.errors import OptionError
from tempo.models.explain_recursions import (
    ANY_POWER,
    LANES,
    excitation,
    fill_cells,
    rising_factorials,
    workers,
)

__all__ = ["ACCOUNTS", "ExplainPrior", "Grid", "account_weights", "evidence", "log_prior"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

#: The four accounts of why attacks come in bursts.
ACCOUNTS = ("constant", "changepoints", "hawkes", "hawkes+steps")

#: Half-lives reach so many spreads to either side of their median, in steps of at most this in their logarithm.
MEMORY_REACH, MEMORY_STEP = 2.0, 0.5
#: Branching ratios stand in the middle of so many equal parts of the material range.
N_BRANCHING = 9
#: Excess of the variance over the mean, against the mean, that the dispersions stand for at the mean count.
EXCESS = (0.25, 1.0)
#: Levels reach from so many spreads below the overall mean to so many above.
REACH_BELOW, REACH_ABOVE = 2.2, 1.8
#: Finest division of the smallest material step: beyond some two thousand events the grid gets no finer.
MOST_PARTS = 24


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
        Contagion is material from this branching ratio on; it is uniform from there to 1.
    least_step : float
        A change is material if the baseline at least multiplies or divides by this.
    half_life_days : float
        Median of the half-life of excitation (log-normal, cut off at two standard deviations).
    half_life_spread : float
        Standard deviation of its logarithm. As stated, 90 % of half-lives lie between 1.3 and 7 days, so that nearly
        all (95 %) of what an attack triggers comes within one to four weeks; Lewis et al. (2012) found two to six
        weeks at most in Iraq.
    level_spread : float
        Standard deviation of the logarithm of the overall rate that a baseline level implies (the level over 1 less
        the branching ratio), about the mean rate of the series. Levels reach from a fiftieth of that to 25 times.
    overdispersion : float
        Probability that counts are more variable than Poisson, where that is allowed for.

    Examples
    --------
    >>> ExplainPrior().with_(contagion=0.3).contagion
    0.3
    """

    contagion: float = 0.5
    change_ratio: float = 0.5
    least_branching: float = 0.2
    least_step: float = 2.0
    half_life_days: float = 3.0
    half_life_spread: float = 0.5
    level_spread: float = 1.8
    overdispersion: float = 0.5

    def __post_init__(self) -> None:
        for name in ("contagion", "change_ratio", "least_branching", "overdispersion"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise OptionError(f"{name} is {value!r}; expected a number between 0 and 1.")
        if not 1 < self.least_step < math.inf:
            raise OptionError(
                f"least_step is {self.least_step!r}; expected a ratio above 1, such as 2."
            )
        for name in ("half_life_days", "half_life_spread", "level_spread"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise OptionError(f"{name} is {value!r}; expected a number above 0.")

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
        """
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What is summed over: dispersion, memory, branching, and the levels between which the baseline may step.

    Attributes
    ----------
    rates : ndarray, shape (levels,)
        Overall rates per fully observed bin that a level implies: level over 1 less the branching ratio.
    prior : ndarray, shape (levels,)
        Log-normal about the mean rate; sums to one.
    width : int
        Grid steps that make a material change.
    branching : ndarray
        0, and material ones.
    half_lives_days : ndarray
        Of excitation.
    decay : ndarray
        The same, as decay per bin.
    halvings : ndarray of int
        Logarithm to base 2 of each dispersion (0 for Poisson), or ``ANY_POWER`` where it is no power of 2.
    dispersion : ndarray
        0 is Poisson.
    """

    rates: Floats
    prior: Floats
    width: int
    branching: Floats
    half_lives_days: Floats
    decay: Floats
    halvings: Integers
    dispersion: Floats

    @classmethod
    def lay(
        cls, counts: Floats, weight: Floats, bin_days: float, prior: ExplainPrior, *, spread: bool
    ) -> Self:
        """Lay the grid for a series: fine enough for its number of events, wide enough for its busiest week.

        Parameters
        ----------
        counts, weight : ndarray, shape (bins,)
            Of the observed bins.
        bin_days : float
            Length of a bin.
        prior : ExplainPrior
            For the smallest material step and branching, and the spread of levels.
        spread : bool
            Whether counts may be more variable than Poisson.

        Returns
        -------
        Grid
            The step resolves one level to about its standard error, at which sums are integrals to four digits. It
            divides the smallest material change so that the middle between "no change" and "change" lies there.
        """
        events, exposure = float(counts.sum()), float(weight.sum())
        mean = (events + 0.5) / max(exposure, 1.0)
        window = min(7, len(counts))
        busiest = (
            float(np.convolve(counts, np.ones(window), "valid").max()) / window if window else 0.0
        )
        halvings, dispersion, excess = _dispersions(counts, mean) if spread else (*_POISSON, 0.0)
        # What the events say of a level, where they come in more or less than Poisson numbers.
        wanted = min(0.25, 1.25 / math.sqrt(events / (1.0 + excess) + 1.0))
        least = math.log(prior.least_step)
        width = min(max(1, math.ceil(least / wanted + 0.5)), MOST_PARTS)
        step = least / (width - 0.5)
        low = -math.ceil(REACH_BELOW * prior.level_spread / step)
        high = max(REACH_ABOVE * prior.level_spread, math.log(1.5 * max(busiest, 1e-9) / mean))
        offsets = step * np.arange(low, math.ceil(high / step) + 1)
        parts = math.ceil(2 * MEMORY_REACH * prior.half_life_spread / MEMORY_STEP - 1e-9)
        memories = np.linspace(-MEMORY_REACH, MEMORY_REACH, parts + 1)
        half_lives = prior.half_life_days * np.exp(prior.half_life_spread * memories)
        part = (1.0 - prior.least_branching) / N_BRANCHING
        material = prior.least_branching + part * (np.arange(N_BRANCHING) + 0.5)
        return cls(
            rates=mean * np.exp(offsets),
            prior=np.asarray(special.softmax(-0.5 * (offsets / prior.level_spread) ** 2)),
            width=width,
            branching=np.concatenate([[0.0], material]),
            half_lives_days=half_lives,
            decay=np.log(2.0) / half_lives * bin_days,
            halvings=halvings,
            dispersion=dispersion,
        )

    @property
    def levels(self) -> Floats:
        """Baseline levels per bin, shape (branchings, levels)."""
        return np.ascontiguousarray((1.0 - self.branching)[:, None] * self.rates[None, :])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the table: dispersions, memories, branchings, numbers of changes."""
        return len(self.dispersion), len(self.decay), len(self.branching), LANES


#: Halvings and dispersion of Poisson alone.
_POISSON = (np.zeros(1, dtype=np.int64), np.zeros(1))


def _dispersions(counts: Floats, mean: float) -> tuple[Integers, Floats, float]:
    """Give halvings and values of the dispersion, Poisson first, and how much the variance exceeds a large mean.

    Few events say little of the dispersion: two powers of two, at which the variance is 1.25 and 2 times the mean. Many
    a day say much: then the values lie as close as the data tell them apart, about what the differences from one bin
    to the next show, which steps and contagion hardly touch.
    """
    before, after = counts[:-1], counts[1:]
    square = float((before * after).sum())
    if mean > 2.0 and square > 0.0:
        shown = float((0.5 * (after - before) ** 2 - 0.5 * (after + before)).sum()) / square
        if shown * mean > 0.5:
            gap = min(0.5, max(0.1, 1.5 * math.sqrt(2.0 / len(counts))))
            values = shown * np.exp(gap * np.arange(-3, 4))
            halvings = np.concatenate([[0], np.full(len(values), ANY_POWER)]).astype(np.int64)
            return halvings, np.concatenate([[0.0], values]), shown * mean
    powers = np.unique(np.clip(np.round(np.log2(np.array(EXCESS) / mean)), -14, 7))
    halvings = np.concatenate([[0], powers]).astype(np.int64)
    return halvings, np.concatenate([[0.0], 2.0**powers]), 0.0


def evidence(counts: Floats, weight: Floats, grid: Grid, upto: int | None = None) -> Floats:
    """Give the log of the likelihood summed over placements of changes, for each cell and number of changes.

    Parameters
    ----------
    counts : ndarray, shape (bins,)
        Counts, NaN where nothing was observed.
    weight : ndarray, shape (bins,)
        Exposure times season; 0 where nothing was observed.
    grid : Grid
        What is summed over.
    upto : int, optional
        Only the first so many observed bins count.

    Returns
    -------
    ndarray, shape of the grid
        Without any prior on cells, number or places of changes.
    """
    seen = np.flatnonzero(weight > 0)[:upto]
    values = np.ascontiguousarray(counts[seen], dtype=float)
    excited = np.ascontiguousarray(excitation(counts, grid.decay)[:, seen])
    table = np.full(grid.shape, -np.inf)
    cells = np.arange(math.prod(grid.shape[:3]))
    quiet = cells % len(grid.branching) == 0
    memory = (cells // len(grid.branching)) % len(grid.decay)
    cells = cells[~quiet | (memory == 0)]  # without contagion the memory means nothing
    threads = workers() if len(seen) * len(cells) > 5_000 else 1

    def fill(part: Integers) -> None:
        fill_cells(
            part,
            values,
            np.ascontiguousarray(weight[seen]),
            excited,
            grid.branching,
            grid.halvings,
            grid.dispersion,
            grid.levels,
            grid.prior,
            grid.width,
            table,
        )

    if threads > 1:
        # Small parts, dealt out as threads come free; each cell is its own, so that nothing hangs on their number.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, np.array_split(cells, 8 * threads)))
    else:
        fill(cells)
    table[:, 1:, 0] = table[:, :1, 0]
    constant = np.array([rising_factorials(values, float(d)) for d in grid.dispersion])
    return np.asarray(table + (constant - special.gammaln(values + 1).sum())[:, None, None, None])


def log_prior(prior: ExplainPrior, grid: Grid, n_places: int) -> Floats:
    """Give the log prior of each cell and number of changes, places of the changes included.

    Parameters
    ----------
    prior : ExplainPrior
        The choices.
    grid : Grid
        The axes.
    n_places : int
        Number of places for a change: observed bins less one. All sets of places of one size are alike.

    Returns
    -------
    ndarray, shape of the grid
        Sums to one over cells and changes when multiplied by the number of placements.
    """
    k = np.arange(LANES)
    n_places = max(n_places, 0)
    possible = k <= n_places
    number = np.where(possible, k * math.log(prior.change_ratio), -np.inf)
    number = number - special.logsumexp(number)
    placements = log_choose(n_places, np.where(possible, k, 0))
    centred = np.log(grid.half_lives_days / prior.half_life_days) / prior.half_life_spread
    memory = special.log_softmax(-0.5 * centred**2)
    material = len(grid.branching) - 1
    contagion = np.full(material + 1, math.log(prior.contagion / material))
    contagion[0] = math.log1p(-prior.contagion)
    spreads = len(grid.dispersion) - 1
    observation = np.zeros(1)
    if spreads:
        observation = np.full(spreads + 1, math.log(prior.overdispersion / spreads))
        observation[0] = math.log1p(-prior.overdispersion)
    return np.asarray(
        observation[:, None, None, None]
        + memory[None, :, None, None]
        + contagion[None, None, :, None]
        + np.where(possible, number - placements, -np.inf)
    )


def account_weights(weights: Floats) -> dict[str, Floats]:
    """Split the weights of the cells into the four accounts.

    Parameters
    ----------
    weights : ndarray, shape (..., branchings, LANES)
        Posterior weights; the first branching is 0.

    Returns
    -------
    dict of str to ndarray
        For each account the weights, 0 outside it.
    """
    quiet = (np.arange(weights.shape[-2]) == 0)[:, None]
    steady = (np.arange(weights.shape[-1]) == 0)[None, :]
    masks = (quiet & steady, quiet & ~steady, ~quiet & steady, ~quiet & ~steady)
    return {name: weights * mask for name, mask in zip(ACCOUNTS, masks, strict=True)}


def log_choose(n: int, k: Integers | int) -> Floats:
    """Give the logarithm of the number of ways to choose k of n places.

    Parameters
    ----------
    n : int
        Places.
    k : int or ndarray of int
        At most ``n``.

    Returns
    -------
    ndarray
        Of the shape of ``k``.
    """
    k = np.asarray(k)
    return np.asarray(
        special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    )
