"""What a scenario says about some days: a plain table of numbers that evidence and simulation read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Story"]


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    r"""What some draws of a scenario say about some days.

    The number of attacks on day :math:`t` of a draw has mean

    .. math::
        m_t = e_t \Bigl(\mu_t + \nu_t \sum_{k \ge 1} h_k\, y_{t-k}\Bigr), \qquad
        h_k = (1 - e^{-\beta}) e^{-\beta (k - 1)},

    with exposure :math:`e_t`, and variance :math:`m_t + \alpha m_t^2`.

    Attributes
    ----------
    rate : ndarray of float, shape (draws, days)
        Attacks per day that do not follow from earlier attacks, :math:`\mu_t`.
    branching : ndarray of float, shape (draws, days), or None
        Offspring of each attack in force on that day, :math:`\nu_t`; None: attacks have no offspring.
    decay : ndarray of float, shape (draws,), or None
        Decay of the offspring per day, :math:`\beta`; None where there is no branching.
    dispersion : ndarray of float, shape (draws,), or None
        Overdispersion of a day's number, :math:`\alpha`; None: Poisson.
    shares : ndarray of float, shape (draws, days, kinds), or None
        Share of each kind of attack, with sum 1; None: kinds are no part of the story.
    lethal : ndarray of float, shape (draws, days), or None
        Probability that an attack kills anyone; None: deaths are no part of the story.
    learned : ndarray of bool, shape (draws, days), or None
        Where the rate was learned from the record, so that it is one of reported attacks; None: it was said
        everywhere, and is one of all attacks.

    Examples
    --------
    >>> Story(rate=np.full((2, 3), 0.1)).branching is None
    True
    """

    rate: NDArray[np.float64]
    branching: NDArray[np.float64] | None = None
    decay: NDArray[np.float64] | None = None
    dispersion: NDArray[np.float64] | None = None
    shares: NDArray[np.float64] | None = None
    lethal: NDArray[np.float64] | None = None
    learned: NDArray[np.bool_] | None = None
