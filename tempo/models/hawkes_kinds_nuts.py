"""The posterior of the Hawkes model by kind by NUTS: the compiled log-posterior, sampled by `nuts.run`."""

from __future__ import annotations

import dataclasses

import numpy as np
from numba import carray, cfunc
from numpy.typing import NDArray

from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models.hawkes_kinds_mle import KindsArrays
from tempo.models.nuts import DENSITY, Sampled, answer, run, to_theta

__all__ = ["sample_kinds"]

type Floats = NDArray[np.float64]

HEADER = 14  # bins, kinds, longest tail, mode, negbin, width, and eight numbers of the prior


@cfunc(DENSITY, cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    z = np.empty(dim)
    slope = np.zeros(dim)
    at = to_theta(dim, place, data, z)
    header = carray(data, (at + HEADER,), np.float64)[at:]
    n, k, longest = int(header[0]), int(header[1]), int(header[2])
    block = carray(data, (at + HEADER + 2 * n * k + n + k * longest,), np.float64)[at:]
    first, second = HEADER + n * k, HEADER + 2 * n * k
    found = kernels.log_posterior(
        block[HEADER:first].reshape((n, k)),
        block[first:second].reshape((n, k)),
        block[second : second + n],
        header[5],
        block[second + n :].reshape((k, longest)),
        int(header[3]),
        header[4] > 0.0,
        block[6:HEADER],
        z,
        slope,
    )
    return answer(dim, found, slope, data, gradient, value)


def sample_kinds(
    data: KindsArrays,
    prior: Floats,
    centre: Floats,
    covariance: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None = None,
) -> Sampled:
    """Draw from the posterior with NUTS.

    Parameters
    ----------
    data : KindsArrays
        Counts.
    prior : ndarray, shape (8,)
        Numbers of the prior, as the kernels take them.
    centre, covariance : ndarray, shape (p,) and (p, p)
        Peak of the posterior of ``z``, and its normal approximation.
    draws : int
        Draws for each of the four chains.
    rng : numpy.random.Generator
        Gives the sampler's seed.
    progress : bool, optional
        Whether to show progress; left out, only in interactive use.

    Returns
    -------
    Sampled
        Draws in natural parameters, and sampler statistics.
    """
    n, k = data.counts.shape
    header = [n, k, data.tail.shape[1], data.mode, float(data.negbin), data.width]
    block = np.concatenate(
        [
            header,
            prior,
            data.counts.ravel(),
            data.days.ravel(),
            data.bin_days,
            data.tail.ravel(),
        ]
    )
    found = run(_log_density, block, centre, covariance, draws=draws, rng=rng, progress=progress)
    flat = kernels.natural_rows(found.draws.reshape(-1, len(centre)), prior, k, data.negbin)
    return dataclasses.replace(found, draws=np.asarray(flat).reshape(found.draws.shape))
