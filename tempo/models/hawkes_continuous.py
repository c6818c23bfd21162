"""Maximum likelihood of an exponential Hawkes process on timestamps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo.data.rounding import number
from tempo.errors import OptionError
from tempo.models import hawkes_residuals
from tempo.models.hawkes_kernels_search import decay_grid, maximise, profile_branching
from tempo.models.hawkes_likelihood import checked_history, checked_times

__all__ = ["ExponentialFit", "branching_interval", "fit_exponential"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExponentialFit:
    """A fitted exponential Hawkes process, with everything needed to judge it.

    Attributes
    ----------
    baseline : float
        Events per day that no earlier event triggered.
    branching : float
        Expected number of direct offspring of an event (branching ratio). May exceed one: it is not forced.
    decay : float
        Decay of the excitation per day; missing where branching is zero, because nothing then identifies it.
    covariance : ndarray, shape (3, 3)
        Inverse of the observed information, in the order baseline, branching, decay; missing where not identified.
    llf, llf_poisson : float
        Log-likelihood here, and of a constant rate.
    gradient : ndarray, shape (3,)
        At the optimum; zero but for rounding where it is interior.
    converged : bool
        Whether the optimiser met its own standard.
    at_boundary : bool
        Whether no positive branching does better than a constant rate.
    evaluations : int
        Likelihood evaluations with curvature on all events.
    modes : ndarray, shape (m, 4)
        Every local maximum found: baseline, branching, decay, log-likelihood; best first.
    times, history : ndarray
        The events, in days from the start of the window, and those before it.
    end : float
        Length of the window in days.
    """

    baseline: float
    branching: float
    decay: float
    covariance: Floats
    llf: float
    llf_poisson: float
    gradient: Floats
    converged: bool
    at_boundary: bool
    evaluations: int
    modes: Floats
    times: Floats = field(repr=False)
    history: Floats = field(repr=False)
    end: float

    @property
    def n_events(self) -> int:
        """Number of events in the window."""
        return int(self.times.size)

    @property
    def n_history(self) -> int:
        """Number of events before the window."""
        return int(self.history.size)

    @property
    def bse(self) -> Floats:
        """Standard errors of baseline, branching and decay."""
        return np.sqrt(np.diag(self.covariance))

    def compensator(self) -> Floats:
        """Give the intensity integrated up to each event."""
        return np.cumsum(self.residuals())

    def residuals(self) -> Floats:
        """Give the time-rescaled gaps, which are unit exponential if the model is right."""
        return hawkes_residuals.rescaled_gaps(
            self.times, self.end, *self._kernel(), history=self.history
        )

    def intensity(self, at: ArrayLike) -> Floats:
        """Give the conditional intensity (events per day) just before the times ``at`` (days)."""
        return hawkes_residuals.intensity(at, self.times, *self._kernel(), history=self.history)

    def triggered(self) -> Floats:
        """Give the probability that each event was triggered by an earlier one."""
        return hawkes_residuals.triggered(self.times, *self._kernel(), history=self.history)

    def _kernel(self) -> tuple[float, float, float]:
        return self.baseline, self.branching, 1.0 if self.at_boundary else self.decay

    def __repr__(self) -> str:
        """Give one line: the estimates, their errors and the data."""
        names = ("baseline", "branching", "decay")
        values = (self.baseline, self.branching, self.decay)
        parts = ", ".join(
            f"{name} {number(value, 3)} ± {number(float(error))}"
            for name, value, error in zip(names, values, self.bse, strict=True)
        )
        return f"<ExponentialFit: {parts}; {self.n_events} events in {number(self.end, 3)} days>"


def fit_exponential(
    times: ArrayLike, end: float, *, history: ArrayLike | None = None
) -> ExponentialFit:
    r"""Fit baseline, branching ratio and decay of an exponential Hawkes process by maximum likelihood.

    The likelihood can have several maxima (an interior one against branching zero, or fast against slow decay), so a
    grid of decays is searched first: for each, the problem is concave. Every maximum found is kept in ``modes``.

    Parameters
    ----------
    times : array_like of float, shape (n,)
        Event times in days, strictly increasing, in ``(0, end]``.
    end : float
        Length of the window in days.
    history : array_like of float, optional
        Events before the window, at times of zero or less. They excite, but are not scored; without them a window
        that opens in the middle of a series takes their offspring for baseline.

    Returns
    -------
    ExponentialFit
        Estimates, covariance, log-likelihoods, modes.

    Raises
    ------
    DataError
        Times are tied, unsorted, missing, or outside the window.
    OptionError
        The window is not a positive number of days.

    Notes
    -----
    Gradient and Hessian are exact. With fewer than three events, or where no branching helps, the answer is the constant
    rate, ``branching`` is zero and ``decay`` is missing. Theory of the estimator: Ogata (1978), *Ann. Inst. Statist.
    Math.* 30.

    Examples
    --------
    >>> import numpy as np
    >>> from tempo.models.hawkes_simulation import by_clusters
    >>> times = by_clusters(1000.0, 0.4, 0.5, 1.0, np.random.default_rng(1))
    >>> fit = fit_exponential(times, 1000.0)
    >>> bool(abs(fit.branching - 0.5) < 3 * fit.bse[1]), fit.converged
    (True, True)
    """
    t = checked_times(times, end)
    past = checked_history(() if history is None else history)
    end = float(end)
    n = t.size
    llf_poisson = n * math.log(n / end) - n if n else 0.0
    nothing = np.full((3, 3), np.nan)
    modes = np.empty((0, 4))
    evaluations = 0
    if n >= 3:
        modes, gradient, hessian, converged, evaluations = maximise(t, past, end)
        if modes.shape[0] and modes[0, 3] > llf_poisson + 1e-8:
            return ExponentialFit(
                baseline=float(modes[0, 0]),
                branching=float(modes[0, 1]),
                decay=float(modes[0, 2]),
                covariance=_inverse(-hessian, nothing),
                llf=float(modes[0, 3]),
                llf_poisson=llf_poisson,
                gradient=gradient,
                converged=bool(converged),
                at_boundary=False,
                evaluations=int(evaluations),
                modes=modes,
                times=t,
                history=past,
                end=end,
            )
    covariance = nothing.copy()
    covariance[0, 0] = n / end**2
    return ExponentialFit(
        baseline=n / end,
        branching=0.0,
        decay=math.nan,
        covariance=covariance,
        llf=llf_poisson,
        llf_poisson=llf_poisson,
        gradient=np.array([0.0, math.nan, 0.0]),
        converged=True,
        at_boundary=True,
        evaluations=int(evaluations),
        modes=modes,
        times=t,
        history=past,
        end=end,
    )


def branching_interval(fit: ExponentialFit, *, prob: float) -> tuple[float, float]:
    """Give the profile-likelihood interval of the branching ratio, which may begin at zero.

    Parameters
    ----------
    fit : ExponentialFit
        From `fit_exponential`.
    prob : float
        Confidence level, for example 0.9.

    Returns
    -------
    low, high : float
        Values of branching that a likelihood-ratio test at that level does not reject, with baseline and decay free.
        ``high`` is infinite where even a branching ratio of 50 is not rejected.

    Raises
    ------
    OptionError
        ``prob`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tempo.models.hawkes_simulation import by_clusters
    >>> fit = fit_exponential(by_clusters(1000.0, 0.4, 0.5, 1.0, np.random.default_rng(1)), 1000.0)
    >>> low, high = branching_interval(fit, prob=0.9)
    >>> low < fit.branching < high
    True
    """
    from scipy.stats import chi2

    if not 0.0 < prob < 1.0:
        raise OptionError(f"prob must lie between 0 and 1, for example 0.9; got {prob!r}.")
    floor = fit.llf - 0.5 * float(chi2.ppf(prob, 1))
    if fit.n_events == 0:
        return 0.0, math.inf
    grid = decay_grid(fit.times, fit.history, fit.end)
    starts = np.concatenate([fit.modes[:, 2], grid[:: max(1, grid.size // 4)]])

    def depth(branching: float) -> float:
        if branching == 0.0:
            return fit.llf_poisson - floor
        found = profile_branching(fit.times, fit.history, fit.end, branching, starts)
        return max(float(found), fit.llf_poisson if branching < 1e-9 else -math.inf) - floor

    low = 0.0
    if depth(0.0) < 0.0:
        low = _crossing(depth, 0.0, fit.branching)
    outside = max(2.0 * fit.branching, 0.1)
    while depth(outside) > 0.0:
        outside *= 2.0
        if outside > 50.0:
            return low, math.inf
    return low, _crossing(depth, outside, fit.branching)
