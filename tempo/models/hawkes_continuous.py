"""Maximum likelihood of an exponential Hawkes process on timestamps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo.data.rounding import number
from tempo.models import hawkes_residuals
from tempo.models.hawkes_kernels_search import climb, scan_decays
from tempo.models.hawkes_likelihood import checked_history, checked_times
from tempo.models.intervals import require_prob

__all__ = ["ExponentialFit", "branching_interval", "fit_exponential"]

type Floats = NDArray[np.float64]

_MODES = 3  # maxima of the grid that are followed up
_STARTS = 8192  # events used to find starting points; the polish uses all of them


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
    Gradient and Hessian are exact. With fewer than three events, or where no branching helps, the answer is the
    constant rate, ``branching`` is zero and ``decay`` is missing. Theory of the estimator: Ogata (1978), *Ann. Inst.
    Statist. Math.* 30.

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
        peaks, evaluations = _peaks(t, past, end)
        modes = np.array([peak.place for peak in peaks]).reshape(-1, 4)
        if peaks and peaks[0].place[3] > llf_poisson + 1e-8:
            best = peaks[0]
            return ExponentialFit(
                baseline=float(best.place[0]),
                branching=float(best.place[1]),
                decay=float(best.place[2]),
                covariance=_inverse(-best.hessian, nothing),
                llf=float(best.place[3]),
                llf_poisson=llf_poisson,
                gradient=best.gradient,
                converged=best.converged,
                at_boundary=False,
                evaluations=evaluations,
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
        evaluations=evaluations,
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

    require_prob(prob)
    floor = fit.llf - 0.5 * float(chi2.ppf(prob, 1))
    if fit.n_events == 0:
        return 0.0, math.inf
    grid = _decay_grid(fit.times, fit.history, fit.end)
    starts = np.concatenate([fit.modes[:, 2], grid[:: max(1, grid.size // 4)]])

    def depth(branching: float) -> float:
        if branching == 0.0:
            return fit.llf_poisson - floor
        return _profile(fit, branching, starts) - floor

    low = 0.0
    if depth(0.0) < 0.0:
        low = _crossing(depth, 0.0, fit.branching)
    outside = max(2.0 * fit.branching, 0.1)
    while depth(outside) > 0.0:
        outside *= 2.0
        if outside > 50.0:
            return low, math.inf
    return low, _crossing(depth, outside, fit.branching)


class _Peak(NamedTuple):
    place: Floats  # baseline, branching, decay, log-likelihood
    gradient: Floats
    hessian: Floats
    converged: bool


def _peaks(times: Floats, history: Floats, end: float) -> tuple[list[_Peak], int]:
    """Give the maxima, best first, and the evaluations they took."""
    grid = scan_decays(*_stretch(times, history, end), _decay_grid(times, history, end))
    ridge = np.concatenate([[-math.inf], grid[:, 3], [-math.inf]])
    tops = np.flatnonzero(
        (grid[:, 1] > 1e-6) & (ridge[1:-1] >= ridge[:-2]) & (ridge[1:-1] >= ridge[2:])
    )
    peaks: list[_Peak] = []
    evaluations = 0
    for top in tops[np.argsort(-grid[tops, 3])][:_MODES]:
        place = grid[top, :3].copy()
        gradient = np.empty(3)
        hessian = np.empty((3, 3))
        value, used, converged = climb(times, history, end, place, False, gradient, hessian)
        evaluations += used
        known = any(
            abs(math.log(peak.place[2] / place[2])) < 1e-3
            and abs(peak.place[3] - value) < 1e-6 * (1.0 + abs(value))
            for peak in peaks
        )
        if place[1] > 1e-6 and not known:
            peaks.append(_Peak(np.append(place, value), gradient, hessian, bool(converged)))
    return sorted(peaks, key=lambda peak: -float(peak.place[3])), evaluations


def _profile(fit: ExponentialFit, branching: float, decays: Floats) -> float:
    """Give the log-likelihood maximised over baseline and decay at one branching ratio."""
    n = fit.n_events
    best = -math.inf
    for decay in decays.tolist():
        place = np.array([max(n - branching * n, 0.02 * n) / fit.end, branching, decay])
        value, _, _ = climb(
            fit.times, fit.history, fit.end, place, True, np.empty(3), np.empty((3, 3))
        )
        best = max(best, value)
    return best


def _stretch(times: Floats, history: Floats, end: float) -> tuple[Floats, Floats, float]:
    """Give the middle of a long series: enough to find where the maxima are, not yet what they are."""
    if times.size <= _STARTS:
        return times, history, end
    first = (times.size - _STARTS) // 2
    origin = times[first - 1]
    return (
        checked_times(times[first : first + _STARTS] - origin, end),
        checked_history(times[max(0, first - 512) : first] - origin),
        float(times[first + _STARTS] - origin),
    )


def _decay_grid(times: Floats, history: Floats, end: float) -> Floats:
    """Give decays, a factor of about two apart, from slower than the window to faster than most gaps."""
    gaps = np.diff(times[: 4 * _STARTS])
    low = 0.3 / (end - (history[0] if history.size else 0.0))
    short = np.partition(gaps, gaps.size // 50)[gaps.size // 50] if gaps.size else end
    high = max(4.0 / max(short, 1e-12 * end), 100.0 * low)
    size = min(24, 3 + int(math.log(high / low) / math.log(2.5)))
    grid: Floats = np.geomspace(low, high, size)
    return grid


def _crossing(depth: Callable[[float], float], outside: float, inside: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(depth, outside, inside, xtol=1e-6, rtol=1e-5))


def _inverse(information: Floats, nothing: Floats) -> Floats:
    scale = np.sqrt(np.abs(np.diag(information)))
    if not (scale > 0).all():
        return nothing
    scaled = information / np.outer(scale, scale)
    if not np.linalg.eigvalsh(scaled)[0] > 1e-12:
        return nothing
    inverse: Floats = np.linalg.inv(scaled) / np.outer(scale, scale)
    return inverse
