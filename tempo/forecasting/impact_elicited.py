"""What somebody says about stand-downs, as distributions: "10-30 %", "5-30 days"."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from tempo.data.rounding import interval
from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.spans import duration_interval
from tempo.models.elicited import beta_within

__all__ = [
    "RATIOS",
    "RATIO_WEIGHTS",
    "BetaChance",
    "ChanceMixture",
    "Durations",
    "chance_interval",
    "days_interval",
    "words_of",
]

type Floats = NDArray[np.float64]

_DECIMAL = r"(\d+(?:\.\d+)?)"
_PERCENT = re.compile(rf"{_DECIMAL}\s*%?\s*(?:-|–|to)\s*{_DECIMAL}\s*(?:%|percent)", re.IGNORECASE)
_ONE_IN = re.compile(
    rf"(?:1|one) in {_DECIMAL}\s*(?:-|–|to)\s*(?:1|one) in {_DECIMAL}", re.IGNORECASE
)
#: Spread between pauses as a multiple of what is not known of their middle: nodes, and their prior weights.
RATIOS = np.exp(np.linspace(-1.5, 1.5, 31))
RATIO_WEIGHTS = stats.norm.pdf(np.log(RATIOS), 0.0, 0.5)
RATIO_WEIGHTS /= RATIO_WEIGHTS.sum()
_NODES = 401


def chance_interval(said: str | tuple[float, float]) -> tuple[float, float]:
    """Understand how probable somebody says that something is.

    Parameters
    ----------
    said : str or (low, high)
        ``"10-30 %"``, ``"1 in 10 to 1 in 3"``, or two probabilities between 0 and 1.

    Returns
    -------
    (float, float)
        Lowest and highest probability.

    Raises
    ------
    ScenarioError
        If it is not understood; the message lists the accepted forms.

    Examples
    --------
    >>> chance_interval("10-30 %"), chance_interval("1 in 4 to 1 in 2")
    ((0.1, 0.3), (0.25, 0.5))
    """
    low = high = math.nan
    if isinstance(said, str):
        if found := _PERCENT.fullmatch(said.strip()):
            low, high = (float(part) / 100 for part in found.groups())
        elif found := _ONE_IN.fullmatch(said.strip()):
            low, high = (1 / max(float(part), 1e-9) for part in found.groups())
    else:
        with contextlib.suppress(TypeError, ValueError):
            low, high = (float(part) for part in said)
    if not 0 < low < high < 1:
        raise ScenarioError(
            f"cannot read the probability {said!r}. Accepted forms: '10-30 %', '1 in 10 to 1 in 3', (0.1, 0.3), from "
            "lower to higher, both above 0 and below 100 %. Always give a range: it is what says how sure you are."
        )
    return low, high


def days_interval(said: str | tuple[float, float]) -> tuple[float, float]:
    """Understand how many days somebody says that something lasts.

    Parameters
    ----------
    said : str or (low, high)
        ``"5-30 days"``, ``"2 to 6 weeks"``, or two numbers of days.

    Returns
    -------
    (float, float)
        Shortest and longest, in days.

    Raises
    ------
    ScenarioError
        If it is not understood.

    Examples
    --------
    >>> days_interval("2-6 weeks"), days_interval((5, 30))
    ((14.0, 42.0), (5.0, 30.0))
    """
    if isinstance(said, str):
        return duration_interval(said)
    try:
        low, high = (float(part) for part in said)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low < high < math.inf:
        raise ScenarioError(
            f"cannot read the duration {said!r}. Give a range with its unit, '5-30 days', or two numbers of days, the "
            "smaller first."
        )
    return low, high


@dataclass(frozen=True, slots=True)
class BetaChance:
    """A probability with a Beta distribution, updated on attacks that did and did not lead to a stand-down.

    Attributes
    ----------
    a, b : float
        Parameters of the Beta distribution.
    partly : tuple of float
        For each attack whose outcome is not settled: the share of the time in which a stand-down may begin that has
        passed without one. Each multiplies the density by ``1 - p share``.

    Examples
    --------
    >>> chance = BetaChance.within(0.1, 0.3)
    >>> np.round(chance.quantile(np.array([0.05, 0.95])), 3).tolist()
    [0.1, 0.3]
    >>> bool(chance.updated(1, 2).moments()[0] > chance.moments()[0])
    True
    """

    a: float
    b: float
    partly: tuple[float, ...] = ()

    @classmethod
    def within(cls, low: float, high: float, prob: float = 0.9) -> Self:
        """Give the Beta distribution with this central interval.

        Parameters
        ----------
        low, high : float
            Ends of the interval, between 0 and 1.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        BetaChance
            Exact to rounding.

        Raises
        ------
        ScenarioError
            If no Beta distribution has it.
        """
        try:
            return cls(*beta_within(low, high, prob))
        except OptionError as error:
            raise ScenarioError(str(error)) from error

    def updated(self, led: int, did_not: int, partly: tuple[float, ...] = ()) -> BetaChance:
        """Give the distribution after attacks whose outcome is known, or known in part.

        Parameters
        ----------
        led, did_not : int
            Attacks that did and did not lead to a stand-down.
        partly : tuple of float
            See the class.

        Returns
        -------
        BetaChance
            Conjugate, but for the factors of ``partly``.
        """
        return BetaChance(self.a + led, self.b + did_not, (*self.partly, *partly))

    def _grid(self) -> tuple[Floats, Floats]:
        levels = (np.arange(4000) + 0.5) / 4000
        nodes = np.asarray(stats.beta.ppf(levels, self.a, self.b))
        weights = np.ones(4000)
        for share in self.partly:
            weights *= 1 - nodes * share
        return nodes, weights / weights.sum()

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Probabilities.
        """
        if not self.partly:
            return np.asarray(stats.beta.ppf(level, self.a, self.b))
        nodes, weights = self._grid()
        return np.interp(level, np.cumsum(weights) - weights / 2, nodes)

    def moments(self) -> tuple[float, float]:
        """Give mean and standard deviation.

        Returns
        -------
        (float, float)
            Of the probability.
        """
        if not self.partly:
            return float(stats.beta.mean(self.a, self.b)), float(stats.beta.std(self.a, self.b))
        nodes, weights = self._grid()
        mean = float(weights @ nodes)
        return mean, math.sqrt(float(weights @ (nodes - mean) ** 2))

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw probabilities.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n,)
            Values.
        """
        return self.quantile(rng.random(n))


@dataclass(frozen=True, slots=True, eq=False)
class ChanceMixture:
    """A probability whose distribution is a mixture of Beta distributions, one for each number of attacks that led.

    Attributes
    ----------
    a, b, weights : ndarray, shape (parts,)
        Parameters of each part, and its weight.

    Examples
    --------
    >>> found = ChanceMixture(np.array([2.0, 3.0]), np.array([5.0, 4.0]), np.array([0.5, 0.5]))
    >>> round(found.moments()[0], 3), found.quantile(np.array([0.5])).round(3).tolist()
    (0.357, [0.341])
    """

    a: Floats
    b: Floats
    weights: Floats

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Probabilities, to four digits or so.
        """
        ends = np.asarray(stats.beta.ppf([1e-6, 1 - 1e-6], self.a[:, None], self.b[:, None]))
        nodes = np.linspace(ends.min(), ends.max(), 4001)
        cdf = self.weights @ stats.beta.cdf(nodes, self.a[:, None], self.b[:, None])
        return np.interp(level, cdf, nodes)

    def moments(self) -> tuple[float, float]:
        """Give mean and standard deviation.

        Returns
        -------
        (float, float)
            Of the probability.
        """
        means, sds = stats.beta.mean(self.a, self.b), stats.beta.std(self.a, self.b)
        mean = float(self.weights @ means)
        return mean, math.sqrt(float(self.weights @ (sds**2 + (means - mean) ** 2)))

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw probabilities.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n,)
            Values.
        """
        return self.quantile(rng.random(n))


@dataclass(frozen=True, slots=True, eq=False)
class Durations:
    r"""How long stand-downs last: log-normal, with an uncertain middle and an uncertain spread.

    :math:`\log D \sim N(\mu, \sigma^2)`, :math:`\mu \sim N(m_0, c^2)`, and :math:`\sigma = c r` with :math:`r` on a
    grid about 1 (log-normal, standard deviation 0.5 of its logarithm): half of what is not known of the next pause is
    what is not known of pauses at all. The scale :math:`c` is set so that the interval that was said is the central
    interval of one pause. Everything is a sum over the grid, so updates are exact.

    Attributes
    ----------
    centre, scale : float
        The :math:`m_0` and :math:`c` of the prior.
    middle, spread : ndarray, shape (spreads, nodes) and (spreads, 1)
        Nodes of :math:`\mu` and :math:`\sigma`.
    log_prior : ndarray, shape (spreads, nodes)
        Log weight of each cell before any pause was seen.
    weights : ndarray, shape (spreads, nodes)
        Weight of each cell now; they sum to 1.

    Examples
    --------
    >>> durations = Durations.within(5, 30)
    >>> round(durations.chance_within(5, 30), 3)
    0.9
    """

    centre: float
    scale: float
    middle: Floats
    spread: Floats
    log_prior: Floats
    weights: Floats

    @classmethod
    def within(cls, low_days: float, high_days: float, prob: float = 0.9) -> Self:
        """Give the distribution of one pause with this central interval.

        Parameters
        ----------
        low_days, high_days : float
            Ends of the interval.
        prob : float, default 0.9
            Probability that a pause lasts so long.

        Returns
        -------
        Durations
            Before any pause was seen.
        """
        half = math.log(high_days / low_days) / 2

        def outside(scale: float) -> float:
            tail = stats.norm.sf(half / (scale * np.sqrt(1 + RATIOS**2)))
            return float(2 * RATIO_WEIGHTS @ tail) - (1 - prob)

        scale = float(optimize.brentq(outside, 1e-4 * half, 1e4 * half, xtol=1e-14))
        centre = math.log(low_days) + half
        return cls._on(centre, scale, centre - 6 * scale, centre + 6 * scale)

    @classmethod
    def _on(cls, centre: float, scale: float, first: float, last: float) -> Self:
        spread = (scale * RATIOS)[:, None]
        middle = np.broadcast_to(np.linspace(first, last, _NODES), (len(RATIOS), _NODES)).copy()
        log_prior = np.log(RATIO_WEIGHTS)[:, None] - 0.5 * ((middle - centre) / scale) ** 2
        return cls(centre, scale, middle, spread, log_prior, _normed(log_prior))

    def given(self, shortest_days: Floats, longest_days: Floats) -> Durations:
        """Give the distribution given all pauses that were seen, which lasted a known or half-known time.

        Parameters
        ----------
        shortest_days, longest_days : ndarray, shape (pauses,)
            Each pause lasted between these numbers of whole days; ``inf`` where it may have gone on.

        Returns
        -------
        Durations
            The prior updated, on a finer grid where that is needed.
        """
        wide = self._on(
            self.centre, self.scale, self.centre - 6 * self.scale, self.centre + 6 * self.scale
        )
        if not len(shortest_days):
            return wide
        wide = _weighed(wide, shortest_days, longest_days)
        share = wide.weights.sum(axis=0)
        nodes = wide.middle[0]
        mean = float(share @ nodes)
        sd = math.sqrt(float(share @ (nodes - mean) ** 2))
        step = nodes[1] - nodes[0]
        room = 8 * max(sd, step)
        fine = self._on(
            self.centre, self.scale, max(mean - room, nodes[0]), min(mean + room, nodes[-1])
        )
        return _weighed(fine, shortest_days, longest_days)

    def pooled(self, number_of: Floats, means: Floats, squares: Floats) -> Durations:
        """Give the average of the distributions given several sets of durations, each known by its logarithms.

        Parameters
        ----------
        number_of, means, squares : ndarray, shape (sets,)
            How many durations there are in each set, the mean of their logarithms, and the sum of squares about it.

        Returns
        -------
        Durations
            On a grid fine enough for all.
        """
        wide = self._on(
            self.centre, self.scale, self.centre - 6 * self.scale, self.centre + 6 * self.scale
        )
        share = _averaged(wide, number_of, means, squares).sum(axis=0)
        nodes = wide.middle[0]
        mean = float(share @ nodes)
        sd = math.sqrt(float(share @ (nodes - mean) ** 2))
        room = 8 * max(sd, nodes[1] - nodes[0])
        fine = self._on(
            self.centre, self.scale, max(mean - room, nodes[0]), min(mean + room, nodes[-1])
        )
        return replace(fine, weights=_averaged(fine, number_of, means, squares))

    def chance_within(self, low_days: float, high_days: float) -> float:
        """Give the probability that the next pause lasts between two numbers of days.

        Parameters
        ----------
        low_days, high_days : float
            Ends.

        Returns
        -------
        float
            Probability.
        """
        below, above = (
            stats.norm.cdf((math.log(end) - self.middle) / self.spread)
            for end in (low_days, high_days)
        )
        return float((self.weights * (above - below)).sum())

    def log_median_moments(self) -> tuple[float, float]:
        """Give mean and standard deviation of the logarithm of the typical (median) duration.

        Returns
        -------
        (float, float)
            Of the logarithm of days.
        """
        mean = float((self.weights * self.middle).sum())
        return mean, math.sqrt(float((self.weights * (self.middle - mean) ** 2).sum()))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw middles and spreads of the logarithm.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        middle, spread : ndarray, shape (n,)
            Parameters of the log-normal distribution.
        """
        cell = rng.choice(self.weights.size, size=n, p=self.weights.ravel())
        row, column = np.divmod(cell, self.middle.shape[1])
        step = self.middle[0, 1] - self.middle[0, 0]
        jitter = (rng.random(n) - 0.5) * step
        return self.middle[row, column] + jitter, self.spread[row, 0]


def words_of(low: float, high: float, unit: str) -> str:
    """Write an elicited interval as it was said.

    Parameters
    ----------
    low, high : float
        Ends.
    unit : str
        Unit.

    Returns
    -------
    str
        For example ``"5 to 30 days"``.
    """
    return interval(low, high, unit, digits=4)


def _normed(log_weights: Floats) -> Floats:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def _weighed(prior: Durations, shortest: Floats, longest: Floats) -> Durations:
    total = prior.log_prior.copy()
    with np.errstate(divide="ignore"):
        # A pause is one whole day at least: what lasted less is rounded up to it.
        ends = (
            np.log(np.where(shortest <= 1, 0.0, shortest - 0.5)),
            np.log(np.maximum(longest, 1.0) + 0.5),
        )
    alike, times = np.unique(np.column_stack(ends), axis=0, return_counts=True)
    for (low, high), number_of in zip(alike, times, strict=True):
        below, above = ((end - prior.middle) / prior.spread for end in (low, high))
        # In the upper tail differences of survival functions keep their digits.
        mass = np.where(
            below > 0,
            stats.norm.sf(below) - stats.norm.sf(above),
            stats.norm.cdf(above) - stats.norm.cdf(below),
        )
        total += number_of * np.log(np.maximum(mass, 1e-300))
    return Durations(
        prior.centre, prior.scale, prior.middle, prior.spread, prior.log_prior, _normed(total)
    )


def _averaged(prior: Durations, number_of: Floats, means: Floats, squares: Floats) -> Floats:
    total = np.zeros(prior.middle.shape)
    for n, mean, square in zip(number_of, means, squares, strict=True):
        distance = square + n * (mean - prior.middle) ** 2
        total += _normed(
            prior.log_prior - n * np.log(prior.spread) - 0.5 * distance / prior.spread**2
        )
    return total / len(number_of)
