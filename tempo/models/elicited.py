"""What somebody says of a probability, as a distribution: the Beta distribution with a given central interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from tempo.errors import OptionError
from tempo.models.intervals import interval_levels

__all__ = ["beta_within"]

type Floats = NDArray[np.float64]


def beta_within(low: float, high: float, prob: float = 0.9) -> tuple[float, float]:
    """Give the Beta distribution with this central interval.

    Parameters
    ----------
    low, high : float
        Ends, between 0 and 1.
    prob : float, default 0.9
        Content of the interval.

    Returns
    -------
    tuple of float
        Its two parameters.

    Raises
    ------
    OptionError
        If no Beta distribution has it, or the ends or ``prob`` are no probabilities.

    Examples
    --------
    >>> a, b = beta_within(0.1, 0.6)
    >>> stats.beta(a, b).ppf([0.05, 0.95]).round(3).tolist()
    [0.1, 0.6]
    """
    if not 0 < low < high < 1:
        raise OptionError(
            f"the interval is ({low!r}, {high!r}); expected two probabilities between 0 and 1, the lower first."
        )
    tails = interval_levels(prob)
    goal = special.logit([low, high])

    def miss(logs: Floats) -> Floats:
        a, b = np.exp(logs)
        quantiles = np.clip(special.betaincinv(a, b, tails), 1e-300, 1 - 1e-16)
        return np.asarray(special.logit(quantiles) - goal)

    middle = special.expit(goal.mean())
    sd = (goal[1] - goal[0]) / (2 * stats.norm.ppf(tails[1]))
    weight = 1.0 / (sd**2 * middle * (1 - middle))
    found = optimize.root(miss, np.log([middle * weight, (1 - middle) * weight]))
    # Beyond a weight of 10^9 the ends cannot be told apart in double precision.
    if np.abs(miss(found.x)).max() > 1e-6 or found.x.max() > np.log(1e9):
        raise OptionError(
            f"no Beta distribution has the central interval ({low:g}, {high:g}). Choose ends that are further apart."
        )
    a, b = np.exp(found.x)
    return float(a), float(b)
