"""A probability that knows its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempo.data.rounding import percent
from tempo.models.intervals import interval_levels

__all__ = ["Chance", "limits"]

type Floats = NDArray[np.float64]


class Chance(float):
    """A probability that knows its interval; everywhere else a plain number.

    Attributes
    ----------
    low, high : float
        Central interval of the probability itself, over the posterior.
    prob : float
        Content of the interval.
    """

    low: float
    high: float
    prob: float

    @classmethod
    def of(cls, draws: Floats, prob: float) -> Chance:
        """Average the draws of a probability.

        Parameters
        ----------
        draws : ndarray, shape (s,)
            One for each posterior draw.
        prob : float
            Content of the interval.

        Returns
        -------
        Chance
            Their mean, which is the probability of the next event, and their quantiles.
        """
        chance = cls(draws.mean())
        low, high = np.quantile(draws, interval_levels(prob))
        chance.low, chance.high, chance.prob = float(low), float(high), prob
        return chance

    def __repr__(self) -> str:
        return f"{percent(self)} ({percent(self.prob)} interval {limits(self.low, self.high)})"

    __str__ = __repr__


def limits(low: float, high: float) -> str:
    """Write the interval of a probability, without saying twice what rounding has made alike.

    Parameters
    ----------
    low, high : float
        Its ends.

    Returns
    -------
    str
        For example ``"3 % to 7 %"``.

    Examples
    --------
    >>> limits(0.03, 0.07), limits(0.001, 0.07), limits(0.9, 0.999), limits(0.001, 0.002)
    ('3 % to 7 %', 'up to 7 %', '90 % or more', 'under 1 %')
    """
    first, last = percent(low), percent(high)
    if first == last:
        return first
    if first.startswith("under"):
        return f"up to {last}"
    return f"{first} or more" if last.startswith("over") else f"{first} to {last}"
