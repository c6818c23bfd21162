"""The posterior of the Hawkes model by kind by NUTS: the compiled log-posterior, sampled by nutpie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import carray, cfunc, types
from numpy.typing import NDArray

from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models.hawkes_kinds_mle import KindsArrays

if TYPE_CHECKING:
    from tempo.models.hawkes_nuts import Sampled

__all__ = ["sample_kinds"]

type Floats = NDArray[np.float64]

HEADER = 14  # bins, kinds, longest tail, mode, negbin, width, and eight numbers of the prior
JITTER = 0.3
_DOUBLES = types.CPointer(types.double)


@cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    header = carray(data, (HEADER,), np.float64)
    n, k, longest = int(header[0]), int(header[1]), int(header[2])
    block = carray(data, (HEADER + 2 * n * k + n + k * longest,), np.float64)
    first, second = HEADER + n * k, HEADER + 2 * n * k
    z = np.empty(dim)
    slope = np.zeros(dim)
    for i in range(dim):
        z[i] = place[i]
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
    finite = np.isfinite(found)
    for i in range(dim):
        gradient[i] = slope[i]
        finite = finite and np.isfinite(slope[i])
    value[0] = found
    return 0 if finite else 4


@cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _natural(dim, size, place, out, data):  # type: ignore[no-untyped-def] # noqa: ARG001 # pragma: no cover
    """Answer nutpie for each draw that it keeps."""
    header = carray(data, (HEADER,), np.float64)
    z = np.empty(dim)
    parameters = np.empty(dim)
    slope = np.empty(dim)
    for i in range(dim):
        z[i] = place[i]
    kernels.natural(z, header[6:HEADER], int(header[1]), header[4] > 0.0, parameters, slope)
    for i in range(dim):
        out[i] = parameters[i]
    return 0


def sample_kinds(
    data: KindsArrays,
    prior: Floats,
    start: Floats,
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
    start : ndarray, shape (p,)
        Where the chains begin, in ``z``.
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
    from tempo.models.hawkes_nuts import run_nutpie

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
    return run_nutpie(
        _log_density,
        _natural,
        block,
        start,
        draws=draws,
        rng=rng,
        progress=progress,
        names=[f"p{i}" for i in range(len(start))],
        jitter=JITTER,
    )
