"""The Hawkes posterior by NUTS: the compiled log-posteriors that nutpie samples, by way of `nuts.run`.

The density of the binned model is the one of ``hawkes_pymc.pymc_model``, which a test compares; compiling that graph
through PyTensor would cost 8 to 18 seconds in every process.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numba import carray, cfunc
from numpy.typing import NDArray

from tempo.models import hawkes_daily as daily
from tempo.models import hawkes_general as general
from tempo.models.hawkes_kernels_times import log_posterior_of_times
from tempo.models.hawkes_posterior import HawkesPrior, posterior_peaks
from tempo.models.nuts import DENSITY, Sampled, answer, run, to_theta

if TYPE_CHECKING:
    from numba.core.ccallback import CFunc

__all__ = ["sample", "sample_block", "sample_times"]

type Floats = NDArray[np.float64]

HEADER = 9  # bins, tail length, width, and six numbers of the prior
TIMES_HEADER = 8  # events, end, and six numbers of the prior
LONG_WARMUP = 500  # where the posterior is bent


@cfunc(DENSITY, cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    theta = np.zeros(4)
    slope = np.zeros(4)
    at = to_theta(dim, place, data, theta)
    header = carray(data, (at + HEADER,), np.float64)
    n, m, width = int(header[at]), int(header[at + 1]), header[at + 2]
    block = carray(data, (at + HEADER + 3 * n + m,), np.float64)
    prior = block[at + 3 : at + HEADER]
    at += HEADER
    found = daily.log_posterior(
        block[at : at + n], block[at + n : at + 2 * n], block[at + 2 * n : at + 3 * n], width, block[at + 3 * n :],
        prior, 1.0, dim == 4, theta, slope,
    )  # fmt: skip
    return answer(dim, found, slope, data, gradient, value)


@cfunc(DENSITY, cache=True)
def _log_density_of_times(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie in continuous time."""
    theta = np.zeros(3)
    slope = np.zeros(3)
    at = to_theta(dim, place, data, theta)
    header = carray(data, (at + TIMES_HEADER,), np.float64)
    n, end = int(header[at]), header[at + 1]
    block = carray(data, (at + TIMES_HEADER + n,), np.float64)
    found = log_posterior_of_times(
        block[at + TIMES_HEADER :], end, block[at + 2 : at + TIMES_HEADER], 1.0, theta, slope
    )
    return answer(dim, found, slope, data, gradient, value)


@cfunc(DENSITY, cache=True)
def _log_density_of_block(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie for the general model; the first number of its block is the block's length."""
    theta = np.empty(dim)
    slope = np.empty(dim)
    at = to_theta(dim, place, data, theta)
    size = int(carray(data, (at + 1,), np.float64)[at])
    block = carray(data, (at + size,), np.float64)[at:]
    found = general.density(block, 1, theta, slope)
    return answer(dim, found, slope, data, gradient, value)


def sample(
    data: daily.BinnedData,
    prior: HawkesPrior,
    *,
    negbin: bool,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None = None,
    cores: int | None = None,
) -> Sampled:
    """Draw from the posterior with NUTS.

    Parameters
    ----------
    data : BinnedData
        Counts.
    prior : HawkesPrior
        Prior.
    negbin : bool
        Whether the dispersion is a parameter.
    draws : int
        Draws for each of the four chains.
    rng : numpy.random.Generator
        Gives the sampler's seed; the draws do not depend on the number of cores.
    progress : bool, optional
        Whether to show progress; left out, only in interactive use.
    cores : int, optional
        How many chains run at once; left out, all that the machine has.

    Returns
    -------
    Sampled
        Draws of baseline per day, branching ratio, decay per day and dispersion (0 for Poisson), and sampler
        statistics.
    """
    counts, days, bin_days, width, tail = data.arrays
    block = np.concatenate(
        [[len(counts), len(tail), width], prior.array, counts, days, bin_days, tail]
    )
    centre, covariance, _ = posterior_peaks(data, prior, negbin=negbin)[0]
    return _natural(
        _log_density,
        block,
        centre,
        covariance,
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
    )


def sample_times(
    times: Floats,
    end: float,
    prior: HawkesPrior,
    centre: Floats,
    covariance: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None = None,
    cores: int | None = None,
) -> Sampled:
    """Draw from the posterior in continuous time with NUTS.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Increasing, in days.
    end : float
        Length of the window in days.
    prior : HawkesPrior
        Prior.
    centre, covariance : ndarray, shape (3,) and (3, 3)
        Peak of the posterior of the log parameters, and its normal approximation.
    draws, rng, progress, cores
        As for ``sample``.

    Returns
    -------
    Sampled
        Draws and sampler statistics, as from ``sample``.
    """
    block = np.concatenate([[len(times), end], prior.array, times])
    return _natural(
        _log_density_of_times,
        block,
        centre,
        covariance,
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
    )


def sample_block(
    block: Floats,
    centre: Floats,
    covariance: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None = None,
    cores: int | None = None,
) -> Sampled:
    """Draw from the posterior of the general model with NUTS.

    Parameters
    ----------
    block : ndarray of float
        Data and prior, from ``hawkes_layout.pack``.
    centre, covariance : ndarray, shape (size,) and (size, size)
        Peak of the posterior, and its normal approximation.
    draws, rng, progress, cores
        As for ``sample``.

    Returns
    -------
    Sampled
        Unbounded parameters and sampler statistics.
    """
    return run(
        _log_density_of_block,
        block,
        centre,
        covariance,
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
        tune=LONG_WARMUP,
    )


def _natural(
    density: CFunc,
    block: Floats,
    centre: Floats,
    covariance: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None,
    cores: int | None,
) -> Sampled:
    """Sample log parameters and give back what they are logarithms of, zero behind the last."""
    found = run(
        density, block, centre, covariance, draws=draws, rng=rng, progress=progress, cores=cores
    )
    parameters = np.zeros((*found.draws.shape[:2], 4))
    parameters[:, :, : len(centre)] = np.exp(found.draws)
    return dataclasses.replace(found, draws=parameters)
