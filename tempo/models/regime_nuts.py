"""The posterior of recurring regimes by NUTS, hidden states summed out: the compiled density, sampled by `nuts.run`.

Regimes carry no order
while they are sampled, because density and prior are the same for every labelling; each draw is put in order of its
rates afterwards, which is exact and spares the sampler the corners that an ordering constraint would make.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc
from numpy.typing import NDArray

from tempo.models.nuts import DENSITY, Sampled, answer, run, to_theta
from tempo.models.regime_data import RegimeData
from tempo.models.regime_density import log_posterior

__all__ = ["sample"]

type Floats = NDArray[np.float64]

HEADER = 20  # pairs, bins, length of the history, regimes, stages, negbin, contagion, one spare; 12 of the prior


@cfunc(DENSITY, cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    theta = np.zeros(dim)
    slope = np.zeros(dim)
    lead = to_theta(dim, place, data, theta)
    header = carray(data, (lead + HEADER,), np.float64)[lead:]
    pairs, n, past = int(header[0]), int(header[1]), int(header[2])
    block = carray(data, (lead + HEADER + 4 * pairs + n + past,), np.float64)[lead:]
    at = HEADER + 4 * pairs
    index = np.empty(n, dtype=np.int64)
    for t in range(n):
        index[t] = int(block[at + t])
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
    return answer(dim, found, slope, data, gradient, value)


def sample(
    data: RegimeData,
    prior: Floats,
    centre: Floats,
    covariance: Floats,
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
    centre, covariance : ndarray, shape (p,) and (p, p)
        Peak of the posterior, and its normal approximation there.
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
    header = [len(data.counts), len(data.index), len(data.history), *map(float, data.shape), 0.0]
    block = np.concatenate(
        [header, prior, data.counts, data.exposure, data.constants, data.times, data.index, data.history]
    )  # fmt: skip
    return run(_log_density, block, centre, covariance, draws=draws, rng=rng, progress=progress)
