"""How many a lethal attack kills, as part of a scenario."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.data.rounding import interval, number
from tempo.errors import ScenarioError
from tempo.forecasting.laws import require_interval
from tempo.forecasting.spans import count_interval, is_number

__all__ = ["Killed", "ToldTolls"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

_MOST = 10**12  # a single toll is at most so many, as in a fitted lethality
#: Tolls at which the tail of a fit is written down; between them it is a power law, and so it is beyond the last one.
_GRID = tuple(sorted({*range(1, 21), *(round(10 ** (k / 8)) for k in range(10, 41))}))


class ToldTolls(Protocol):
    """What a fitted lethality must offer, for a scenario to take the number killed from it."""

    @property
    def label(self) -> str:
        """What the attacks are that it was fitted to."""

    def exceedance(self, at_least: Sequence[int] | None = None) -> pd.DataFrame:
        """Tabulate the probability that the next attack kills at least k: column ``probability``."""


@dataclass(frozen=True, slots=True)
class Killed:
    r"""How many an attack kills that kills anyone.

    Attributes
    ----------
    family : {"interval", "power", "geometric", "table"}
        A rounded log-normal number with the central interval ``numbers`` (at least 1); a discrete power law with
        exponent ``numbers[0]``, :math:`P(\ge k) = \zeta(a, k) / \zeta(a, 1)`; a geometric number with mean
        ``numbers[0]``; or P(at least k) for the k in ``at``, a power law between and beyond them.
    numbers : tuple of float
        Parameters.
    prob : float
        Probability of the interval, where it is one.
    at : tuple of int
        Tolls of a table.
    words : str
        In words.

    Examples
    --------
    >>> Killed.within("1-6")
    Killed: 1 to 6 in a lethal attack (90 % interval)
    >>> Killed.power(2.4).survival([1, 10, 100]).round(4).tolist()
    [1.0, 0.0221, 0.0008]
    """

    family: Literal["interval", "power", "geometric", "table"]
    numbers: tuple[float, ...]
    prob: float = 0.9
    at: tuple[int, ...] = ()
    words: str = ""

    @classmethod
    def within(cls, ends: str | tuple[float, float], *, prob: float = 0.9) -> Self:
        """Give a number of deaths that somebody said.

        Parameters
        ----------
        ends : str or (low, high)
            "1-6", "1 to 6 killed", or two whole numbers.
        prob : float, default 0.9
            Probability of the interval; a tail above it remains.

        Returns
        -------
        Killed
            Log-normal, rounded.

        Raises
        ------
        ScenarioError
            If they cannot be read, or are no interval from 1 up.
        """
        said = count_interval(ends) if isinstance(ends, str) else ends
        low, high = require_interval(said, "the number killed", above=0.5, example="(1, 6)")
        words = f"{interval(low, high, digits=12)} in a lethal attack ({number(100 * prob, 3)} % interval)"
        return cls("interval", (low, high), prob, (), words)

    @classmethod
    def power(cls, exponent: float) -> Self:
        """Give a discrete power law from one death on.

        Parameters
        ----------
        exponent : float
            Above 1. Terrorism and war have 2.4 to 2.5 in their tails (Clauset, Shalizi and Newman 2009); up to 2 there
            is no mean.

        Returns
        -------
        Killed
            Power law.

        Raises
        ------
        ScenarioError
            If the exponent is not above 1.
        """
        if not is_number(exponent) or not 1 < exponent < math.inf:
            raise ScenarioError(
                f"the exponent is {exponent!r}; expected a number above 1, such as 2.4."
            )
        said = f"a power law with exponent {number(exponent, 3)} in a lethal attack"
        return cls("power", (float(exponent),), words=said)

    @classmethod
    def geometric(cls, mean: float) -> Self:
        """Give a geometric number, whose tail is light.

        Parameters
        ----------
        mean : float
            Above 1.

        Returns
        -------
        Killed
            Geometric.

        Raises
        ------
        ScenarioError
            If the mean is not above 1.
        """
        if not is_number(mean) or not 1 < mean < math.inf:
            raise ScenarioError(f"the mean is {mean!r}; expected a number above 1, such as 2.5.")
        said = f"{number(mean, 3)} on average in a lethal attack (geometric)"
        return cls("geometric", (float(mean),), words=said)

    @classmethod
    def like(cls, fit: ToldTolls) -> Self:
        """Give the number killed that a fitted lethality expects of the next lethal attack.

        Parameters
        ----------
        fit : LethalityFit
            From ``tempo.Lethality().fit(past)``.

        Returns
        -------
        Killed
            Its posterior predictive tail, tabulated up to 100,000 and a power law beyond.

        Raises
        ------
        ScenarioError
            If it is no such fit.
        """
        if not hasattr(fit, "exceedance"):
            raise ScenarioError(
                f"fit is a {type(fit).__name__}; expected what tempo.Lethality().fit(past) gave."
            )
        tail = fit.exceedance(_GRID)["probability"].to_numpy(dtype=float)
        tail = np.minimum.accumulate(np.maximum(tail / tail[0], 1e-300))
        said = f"as fitted to {fit.label}"
        return cls("table", tuple(tail.tolist()), at=_GRID, words=said)

    def survival(self, at_least: Sequence[int] | NDArray[np.number]) -> Floats:
        """Give the probability that a lethal attack kills at least so many.

        Parameters
        ----------
        at_least : sequence of int
            Numbers.

        Returns
        -------
        ndarray of float
            One for each.
        """
        k = np.maximum(np.asarray(at_least, dtype=float), 1.0)
        if self.family == "power":
            return np.asarray(special.zeta(self.numbers[0], k) / special.zeta(self.numbers[0], 1.0))
        if self.family == "geometric":
            return np.asarray((1.0 - 1.0 / self.numbers[0]) ** (k - 1.0))
        if self.family == "interval":
            centre, sd = self._log_normal
            tail = stats.norm.sf((np.log(k - 0.5) - centre) / sd)
            return np.asarray(np.where(k == 1.0, 1.0, tail))
        x, y = np.log(np.asarray(self.at, dtype=float)), np.log(np.asarray(self.numbers))
        beyond = y[-1] + (np.log(k) - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
        return np.asarray(np.exp(np.where(np.log(k) > x[-1], beyond, np.interp(np.log(k), x, y))))

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw the number killed in lethal attacks.

        Parameters
        ----------
        n : int
            How many attacks.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (n,)
            From 1 up; at most 10^12.
        """
        if self.family == "geometric":
            return np.asarray(rng.geometric(1.0 / self.numbers[0], n), dtype=np.int64)
        if self.family == "interval":
            centre, sd = self._log_normal
            exact = np.exp(np.minimum(centre + sd * rng.standard_normal(n), math.log(_MOST)))
            return np.maximum(np.floor(exact + 0.5), 1.0).astype(np.int64)
        return self._inverted(1.0 - rng.random(n))

    @property
    def _log_normal(self) -> tuple[float, float]:
        bottom, top = math.log(self.numbers[0] - 0.5), math.log(self.numbers[1] + 0.5)
        sd = (top - bottom) / (2 * stats.norm.ppf((1 + self.prob) / 2))
        return (bottom + top) / 2, float(sd)

    def _inverted(self, level: Floats) -> Ints:
        """Give the largest k with P(at least k) >= level: doubling, then halving."""
        low = np.ones(len(level))
        high = np.full(len(level), 2.0)
        while True:
            over = (self.survival(high) >= level) & (high < _MOST)
            if not over.any():
                break
            low = np.where(over, high, low)
            high = np.where(over, 2.0 * high, high)
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            over = self.survival(middle) >= level
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return np.minimum(low, _MOST).astype(np.int64)

    def __repr__(self) -> str:
        return f"Killed: {self.words}"
