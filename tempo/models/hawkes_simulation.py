"""Exact simulation of Hawkes processes: in continuous time by clusters or by thinning, in discrete time by recursion.

Every function draws all its seeds from ``rng`` first, one for each path, so that a result depends on the generator's
state alone. A supercritical path (branching of one or more) may grow without end: event lists then raise, and counts
stop at ``cap``, so that the caller can see and say it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo.errors import DataError, FitError, OptionError
from tempo.models.hawkes_kernels_paths import (
    cluster_counts,
    cluster_times,
    convolution_counts,
    excitation_states,
    recursion_counts,
    thinned_times,
)
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.hawkes_likelihood import checked_history, checked_parameters

__all__ = [
    "by_clusters",
    "by_thinning",
    "continuous_counts",
    "discrete_counts",
    "discrete_kernel_counts",
    "discrete_state",
]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]

_MOST_EVENTS = 20_000_000


def by_clusters(
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    rng: np.random.Generator,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give event times simulated family by family: immigrants, their offspring, and so on.

    Parameters
    ----------
    end : float
        Length of the window in days.
    baseline, branching, decay : float
        As in `tempo.models.hawkes_likelihood.exponential`.
    rng : numpy.random.Generator
        Source of randomness.
    history : array_like of float, optional
        Events at times of zero or less, whose offspring may fall into the window.

    Returns
    -------
    ndarray, shape (n,)
        Sorted times in ``(0, end]``.

    Raises
    ------
    OptionError
        A parameter is outside its range.
    FitError
        More than twenty million events.

    Notes
    -----
    Hawkes & Oakes (1974), *J. Appl. Probab.* 11. The offspring of the whole history form one Poisson number, because
    exponential delays forget their age.

    Examples
    --------
    >>> times = by_clusters(1000.0, 0.4, 0.5, 1.0, np.random.default_rng(1))
    >>> bool(600 < times.size < 1000), bool((np.diff(times) > 0).all())
    (True, True)
    """
    checked_parameters(end, baseline, branching, decay)
    past = checked_history(() if history is None else history)
    stream = seeds(rng, 1)
    return _finished(
        cluster_times(float(end), baseline, branching, decay, past, stream, _MOST_EVENTS), end
    )


def by_thinning(
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    rng: np.random.Generator,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give event times simulated forward in time, by rejection under the decaying intensity.

    Parameters
    ----------
    end, baseline, branching, decay, rng, history
        As in `by_clusters`.

    Returns
    -------
    ndarray, shape (n,)
        Sorted times in ``(0, end]``; same distribution as `by_clusters`, other draws.

    Raises
    ------
    OptionError, FitError
        As in `by_clusters`.

    Notes
    -----
    Ogata (1981), *IEEE Trans. Inf. Theory* 27.

    Examples
    --------
    >>> times = by_thinning(1000.0, 0.4, 0.5, 1.0, np.random.default_rng(1))
    >>> bool(600 < times.size < 1000), bool((np.diff(times) > 0).all())
    (True, True)
    """
    checked_parameters(end, baseline, branching, decay)
    past = checked_history(() if history is None else history)
    stream = seeds(rng, 1)
    return _finished(
        thinned_times(float(end), baseline, branching, decay, past, stream, _MOST_EVENTS), end
    )


def continuous_counts(
    edges: ArrayLike,
    baseline: ArrayLike,
    branching: ArrayLike,
    decay: ArrayLike,
    rng: np.random.Generator,
    *,
    history: ArrayLike | None = None,
    draws: int | None = None,
    cap: int = 100_000,
) -> Counts:
    """Give the events in each bin of many simulated futures of a continuous-time process.

    Parameters
    ----------
    edges : array_like of float, shape (m + 1,)
        Increasing bin edges in days, on the clock of ``history``. The simulation starts at the first.
    baseline, branching, decay : float or array_like, shape (draws,)
        One value for all paths, or one for each (posterior draws).
    rng : numpy.random.Generator
        Source of randomness.
    history : array_like of float, optional
        Past events at or before the first edge, sorted.
    draws : int, optional
        Number of paths, needed where no parameter says it.
    cap : int, default 100_000
        A path stops when it holds so many events; find such paths by ``counts.sum(axis=1) >= cap``.

    Returns
    -------
    ndarray of int64, shape (draws, m)
        Events in each bin.

    Raises
    ------
    DataError, OptionError
        Edges, history or parameters that make no sense.

    Examples
    --------
    >>> counts = continuous_counts(
    ...     [0, 30, 60, 90], 0.4, 0.5, 1.0, np.random.default_rng(1), history=[-0.2, -0.1], draws=10_000
    ... )
    >>> counts.shape, bool(abs(counts[:, 2].mean() - 30 * 0.4 / 0.5) < 0.5)
    ((10000, 3), True)
    """
    e = np.asarray(edges, dtype=np.float64)
    if e.ndim != 1 or e.size < 2 or not np.isfinite(e).all() or not (np.diff(e) > 0).all():
        raise OptionError(
            "edges must be two or more increasing times in days, for example np.arange(0, 91.0)."
        )
    mu, n, b = _parameters(draws, baseline=baseline, branching=branching, decay=decay)
    if not (mu > 0).all() or not (n >= 0).all() or not (b > 0).all():
        raise OptionError(
            "every draw needs a positive baseline and decay and a branching of zero or more."
        )
    past = checked_history(np.asarray(() if history is None else history, dtype=np.float64) - e[0])
    out = np.zeros((mu.size, e.size - 1), dtype=np.int64)
    cluster_counts(e - e[0], mu, n, b, past, seeds(rng, mu.size), _positive(cap), out)
    return out


def discrete_counts(
    n_bins: int,
    draws: int,
    baseline: ArrayLike,
    branching: ArrayLike,
    decay: ArrayLike,
    state: ArrayLike,
    rng: np.random.Generator,
    *,
    dispersion: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    cap: float = 100_000.0,
) -> Counts:
    r"""Give simulated counts of the daily (or weekly) process with an exponential kernel, conditional on the past.

    .. math::
       m_t = e_t \mu_t + n E_t, \qquad E_{t+1} = e^{-\beta} E_t + (1 - e^{-\beta}) Y_t

    so that the kernel on lags is :math:`h_k = (1 - e^{-\beta}) e^{-\beta (k - 1)}`.

    Parameters
    ----------
    n_bins, draws : int
        Bins ahead and number of paths.
    baseline : float or array_like, shape (draws,), (draws, n_bins) or (1, n_bins)
        Events per fully observed bin.
    branching, decay, state : float or array_like, shape (draws,)
        Branching ratio, decay per bin, and :math:`E` at the first bin (see `discrete_state`).
    rng : numpy.random.Generator
        Source of randomness.
    dispersion : float or array_like, shape (draws,), optional
        Negative binomial with variance :math:`m + \phi m^2`; Poisson where it is left out or zero.
    exposure : array_like, shape (n_bins,), optional
        Share of each bin that will be observed; it scales the baseline.
    cap : float, default 100_000
        Largest mean of a bin; a supercritical path stays finite that way.

    Returns
    -------
    ndarray of int64, shape (draws, n_bins)
        Events in each bin.

    Raises
    ------
    OptionError
        Shapes or values that make no sense.

    Examples
    --------
    >>> counts = discrete_counts(90, 10_000, 0.4, 0.5, 0.3, 0.0, np.random.default_rng(1))
    >>> counts.shape, bool(abs(counts[:, 60:].mean() - 0.8) < 0.02)
    ((10000, 90), True)
    """
    n, b, e, d = _parameters(
        draws,
        branching=branching,
        decay=decay,
        state=state,
        dispersion=0.0 if dispersion is None else dispersion,
    )
    _refuse_negative(branching=n, decay=b, state=e, dispersion=d)
    mu, stride = _baselines(baseline, draws, n_bins)
    out = np.empty((draws, n_bins), dtype=np.int64)
    recursion_counts(
        mu,
        stride,
        n,
        np.exp(-b),
        e,
        d,
        _exposure(exposure, n_bins),
        seeds(rng, draws),
        float(cap),
        out,
    )
    return out


def discrete_kernel_counts(
    n_bins: int,
    draws: int,
    baseline: ArrayLike,
    branching: ArrayLike,
    kernel: ArrayLike,
    past: ArrayLike,
    rng: np.random.Generator,
    *,
    dispersion: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    cap: float = 100_000.0,
) -> Counts:
    r"""Give simulated counts of the daily process with any kernel on lags, conditional on past counts.

    .. math:: m_t = e_t \mu_t + n \sum_{k=1}^{L} h_k Y_{t-k}

    Parameters
    ----------
    n_bins, draws, baseline, branching, rng, dispersion, exposure, cap
        As in `discrete_counts`.
    kernel : array_like, shape (L,) or (draws, L)
        Weights of lags 1 to L; they should sum to one.
    past : array_like, shape (n,)
        Counts up to the last bin before the forecast; missing ones count as zero.

    Returns
    -------
    ndarray of int64, shape (draws, n_bins)
        Events in each bin.

    Raises
    ------
    OptionError
        Shapes or values that make no sense.

    Examples
    --------
    >>> counts = discrete_kernel_counts(
    ...     2, 10_000, 0.4, 0.5, [1.0], [0, 6], np.random.default_rng(1)
    ... )
    >>> bool(abs(counts[:, 0].mean() - 3.4) < 0.1)
    True
    """
    n, d = _parameters(
        draws, branching=branching, dispersion=0.0 if dispersion is None else dispersion
    )
    _refuse_negative(branching=n, dispersion=d)
    mu, stride = _baselines(baseline, draws, n_bins)
    h = np.ascontiguousarray(np.atleast_2d(np.asarray(kernel, dtype=np.float64)))
    if h.ndim != 2 or h.shape[0] not in {1, draws} or not (h >= 0).all():
        raise OptionError(
            f"kernel must hold weights of zero or more, in shape (lags,) or ({draws}, lags); got shape "
            f"{np.shape(kernel)}."
        )
    counts = np.nan_to_num(np.asarray(past, dtype=np.float64))
    lags = h.shape[1]
    before = np.zeros(lags)
    kept = min(lags, counts.size)
    if kept:
        before[lags - kept :] = counts[counts.size - kept :]
    out = np.empty((draws, n_bins), dtype=np.int64)
    convolution_counts(
        mu, stride, n, h, before, d, _exposure(exposure, n_bins), seeds(rng, draws), float(cap), out
    )
    return out


def discrete_state(counts: ArrayLike, decay: ArrayLike) -> Floats:
    r"""Give the excitation that past counts leave to the next bin, before it is multiplied by the branching ratio.

    Parameters
    ----------
    counts : array_like, shape (n,)
        Events per bin; missing ones count as zero.
    decay : float or array_like, shape (draws,)
        Decay per bin.

    Returns
    -------
    ndarray, shape (draws,)
        :math:`E = \sum_k h_k Y_{n+1-k}`; shape (1,) for a single decay.

    Raises
    ------
    OptionError
        A decay is not positive.

    Examples
    --------
    >>> discrete_state([0, 2], 0.6931471805599453)
    array([1.])
    """
    b = np.atleast_1d(np.asarray(decay, dtype=np.float64))
    if b.ndim != 1 or not (b > 0).all():
        raise OptionError(
            f"decay must be positive: one number, or one for each draw; got {decay!r}."
        )
    y = np.nan_to_num(np.asarray(counts, dtype=np.float64))
    states: Floats = excitation_states(np.ascontiguousarray(y), b)
    return states


def _finished(times: Floats, end: float) -> Floats:
    if times.size >= _MOST_EVENTS:
        raise FitError(
            f"the simulation passed {_MOST_EVENTS:,} events: with a branching ratio of one or more they multiply "
            "without end. Shorten the window or lower branching."
        )
    ordered = np.sort(times)
    # Rounding may put two events on one instant (once in 1e15 pairs): part them by the smallest step there is.
    for i in np.flatnonzero(np.diff(ordered) <= 0) + 1:
        ordered[i] = np.nextafter(ordered[i - 1], np.inf)
    return ordered[ordered <= end]


def _parameters(draws: int | None, **values: ArrayLike) -> list[Floats]:
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    sizes = {array.size for array in arrays.values() if array.ndim}
    size = draws if draws is not None else max(sizes, default=0)
    if size < 1:
        raise OptionError("say how many paths to simulate: draws=, a whole number of one or more.")
    for name, array in arrays.items():
        if array.ndim > 1 or (array.ndim == 1 and array.size != size):
            raise OptionError(
                f"{name} must be one number or one for each of the {size} draws; got shape {array.shape}."
            )
        if not np.isfinite(array).all():
            raise OptionError(
                f"{name} must be finite; {int((~np.isfinite(array)).sum())} of its values are not."
            )
    return [
        np.ascontiguousarray(np.broadcast_to(array, (size,))).copy() for array in arrays.values()
    ]


def _refuse_negative(**values: Floats) -> None:
    for name, array in values.items():
        if (array < 0).any():
            raise OptionError(
                f"{name} must be zero or more; its smallest value is {float(array.min())!r}."
            )


def _baselines(baseline: ArrayLike, draws: int, n_bins: int) -> tuple[Floats, int]:
    """Give baselines as rows of bins, and the step from one draw's row to the next (0: one row for all)."""
    mu = np.asarray(baseline, dtype=np.float64)
    if n_bins < 1:
        raise OptionError(f"n_bins must be one or more; got {n_bins}.")
    if mu.ndim == 1 and mu.size == draws:
        mu = mu[:, None]
    if mu.ndim not in {0, 2}:
        raise OptionError(
            f"baseline must be one number, or have shape ({draws},), (1, {n_bins}) or ({draws}, {n_bins}); "
            f"got {mu.shape}."
        )
    if not np.isfinite(mu).all() or (mu < 0).any():
        raise OptionError("baseline must be finite and zero or more in every bin.")
    rows = 1 if mu.ndim == 0 or mu.shape[0] == 1 else draws
    try:
        return np.ascontiguousarray(np.broadcast_to(mu, (rows, n_bins))).copy(), int(rows > 1)
    except ValueError:
        raise OptionError(
            f"baseline must have shape ({draws},), (1, {n_bins}) or ({draws}, {n_bins}); got {np.shape(baseline)}."
        ) from None


def _exposure(exposure: ArrayLike | None, n_bins: int) -> Floats:
    if exposure is None:
        return np.ones(n_bins)
    share = np.ascontiguousarray(exposure, dtype=np.float64)
    if share.shape != (n_bins,) or not ((share >= 0) & (share <= 1)).all():
        raise OptionError(
            f"exposure must hold a share between 0 and 1 for each of the {n_bins} bins."
        )
    return share


def _positive(cap: int) -> int:
    if cap < 1:
        raise DataError(f"cap must be one or more events; got {cap}.")
    return int(cap)
