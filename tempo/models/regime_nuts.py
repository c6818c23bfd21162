"""The posterior of recurring regimes by NUTS, hidden states summed out: the compiled density, sampled by nutpie.

As in ``hawkes_nuts``, nutpie calls the numba kernel itself with data and prior behind a pointer. Regimes carry no order
while they are sampled, because density and prior are the same for every labelling; each draw is put in order of its
rates afterwards, which is exact and spares the sampler the corners that an ordering constraint would make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import carray, cfunc, types
from numpy.typing import NDArray

from tempo.models.regime_data import RegimeData
from tempo.models.regime_density import log_posterior

if TYPE_CHECKING:
    from tempo.models.hawkes_nuts import Sampled

__all__ = ["sample"]

type Floats = NDArray[np.float64]

HEADER = 20  # pairs, bins, length of the history, regimes, stages, negbin, contagion, one spare; 12 of the prior
JITTER = 0.3

_DOUBLES = types.CPointer(types.double)


@cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    header = carray(data, (HEADER,), np.float64)
    pairs, n, past = int(header[0]), int(header[1]), int(header[2])
    block = carray(data, (HEADER + 4 * pairs + n + past,), np.float64)
    at = HEADER + 4 * pairs
    index = np.empty(n, dtype=np.int64)
    for t in range(n):
        index[t] = int(block[at + t])
    theta = np.zeros(dim)
    slope = np.zeros(dim)
    for i in range(dim):
        theta[i] = place[i]
    found = log_posterior(
        block[HEADER : HEADER + pairs],
        block[HEADER + pairs : HEADER + 2 * pairs],
        block[HEADER + 2 * pairs : HEADER + 3 * pairs],
        block[HEADER + 3 * pairs : at],
        index,
        block[at + n :],
        int(header[3]),
        int(header[4]),
        header[5] > 0.0,
        header[6] > 0.0,
        block[8:HEADER],
        theta,
        slope,
    )
    finite = np.isfinite(found)
    for i in range(dim):
        gradient[i] = slope[i]
        finite = finite and np.isfinite(slope[i])
    value[0] = found
    return 0 if finite else 4


@cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _as_it_is(dim, size, place, out, data):  # type: ignore[no-untyped-def] # noqa: ARG001 # pragma: no cover
    """Answer nutpie for each draw that it keeps."""
    for i in range(size):
        out[i] = place[i]
    return 0


def sample(
    data: RegimeData,
    prior: Floats,
    start: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None = None,
) -> Sampled:
    """Draw unbounded parameters from the posterior.

    Parameters
    ----------
    data : RegimeData
        Counts.
    prior : ndarray
        From ``RegimesPrior.array``.
    start : ndarray, shape (p,)
        Where the chains begin, give or take.
    draws : int
        For each of the four chains.
    rng : numpy.random.Generator
        Gives the sampler's seed; the draws do not depend on the number of cores.
    progress : bool, optional
        Whether to show progress; left out, only in interactive use.

    Returns
    -------
    Sampled
        Draws of shape (4, draws, p), and sampler statistics.
    """
    from tempo.models.hawkes_nuts import run_nutpie

    header = [len(data.counts), len(data.index), len(data.history), *map(float, data.shape), 0.0]
    block = np.concatenate(
        [header, prior, data.counts, data.exposure, data.constants, data.times, data.index, data.history]
    )  # fmt: skip
    return run_nutpie(
        _log_density,
        _as_it_is,
        block,
        start,
        draws=draws,
        rng=rng,
        progress=progress,
        names=[f"theta_{i}" for i in range(len(start))],
        jitter=JITTER,
    )
