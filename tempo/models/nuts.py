"""Sampling a compiled posterior by NUTS: what every model with a ``"nuts"`` engine shares.

nutpie calls a C function for log-density and gradient. Here that function is the numba kernel itself, with data and
prior behind a pointer: nothing is compiled for a fit, no Python runs in the sampler's loop, and the chains use all
cores.

The sampler does not move over the parameters themselves, but over coordinates in which the normal approximation at the
peak is a standard normal: ``theta = centre + root @ z``. Correlations that would cost it many short steps are gone
before it starts, and its own adaptation mends what the approximation missed. The block that the C function is handed
begins with ``centre`` and ``root``; `to_theta` and `answer` are the two ends of such a function.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types
from numpy.typing import NDArray

from tempo.models.laplace import positive_definite
from tempo.models.posterior import CHAINS

__all__ = ["DENSITY", "Sampled", "answer", "interactive", "run", "to_theta"]

type Floats = NDArray[np.float64]

WARMUP = 400
TARGET_ACCEPT = 0.9
JITTER = 2.0  # standard deviations: chains begin farther apart than the posterior is wide

DIVERGED = 4  # any positive number: nutpie takes it for a place that cannot be
_DOUBLES = types.CPointer(types.double)
DENSITY = types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr)
_EXPAND = types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.voidptr)


@njit(cache=True, error_model="numpy")
def to_theta(dim, place, data, theta):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the parameters that the sampler's place stands for; give the length of what leads the block."""
    size = int(dim)
    lead = size + size * size
    whitening = carray(data, (lead,), np.float64)
    for i in range(size):
        theta[i] = whitening[i]
        row = size + i * size
        for j in range(i + 1):
            theta[i] += whitening[row + j] * place[j]
    return lead


@njit(cache=True, error_model="numpy")
def answer(dim, found, slope, data, gradient, value):  # type: ignore[no-untyped-def] # pragma: no cover
    """Hand value and gradient back in the sampler's coordinates; 0 means success."""
    size = int(dim)
    whitening = carray(data, (size + size * size,), np.float64)
    finite = np.isfinite(found)
    for j in range(size):
        gradient[j] = 0.0
    for i in range(size):
        row = size + i * size
        for j in range(i + 1):
            gradient[j] += whitening[row + j] * slope[i]
    for j in range(size):
        finite = finite and np.isfinite(gradient[j])
    value[0] = found
    return 0 if finite else DIVERGED


@cfunc(_EXPAND, cache=True)
def _unchanged(dim, size, place, out, data):  # type: ignore[no-untyped-def] # noqa: ARG001 # pragma: no cover
    """Answer nutpie for each draw that it keeps: the draw itself."""
    for i in range(size):
        out[i] = place[i]
    return 0


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of one NUTS run.

    Attributes
    ----------
    draws : ndarray, shape (chains, draws, parameters)
        Unbounded parameters, or what the caller made of them.
    diverging : ndarray of bool, shape (chains, draws)
        Where the sampler's numerical integration failed.
    energy : ndarray, shape (chains, draws)
        Hamiltonian at each draw.
    steps : ndarray, shape (chains, draws)
        Gradient evaluations.
    """

    draws: Floats
    diverging: NDArray[np.bool_]
    energy: Floats
    steps: Floats


def run(
    log_density: Any,
    block: Floats,
    centre: Floats,
    covariance: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None,
    cores: int | None = None,
    jitter: float = JITTER,
    tune: int = WARMUP,
) -> Sampled:
    """Sample a compiled density of unbounded parameters.

    Parameters
    ----------
    log_density : numba C function
        Of signature ``DENSITY``. Its data begin with what `to_theta` reads, and go on with ``block``.
    block : ndarray of float
        Data and prior.
    centre : ndarray, shape (p,)
        Peak of the posterior, or near it.
    covariance : ndarray, shape (p, p)
        Rough covariance of the posterior. A poor one costs time, not truth.
    draws : int
        Draws for each of the four chains.
    rng : numpy.random.Generator
        Gives the sampler's seed; the draws do not depend on the number of cores.
    progress : bool, optional
        Whether to show progress; left out, only in interactive use.
    cores : int, optional
        How many chains run at once; left out, all that the machine has.
    jitter : float
        How far from ``centre`` a chain begins at most in each coordinate, in standard deviations.
    tune : int
        Draws by which the sampler adapts, and which are thrown away.

    Returns
    -------
    Sampled
        Draws of the unbounded parameters and sampler statistics.
    """
    import nutpie
    from nutpie.compile_pymc import CompiledPyMCModel

    p = len(centre)
    root = np.linalg.cholesky(positive_definite(covariance))
    names = [f"z{i}" for i in range(p)]

    def initial_point(seed: int | None) -> Floats:
        return jitter * np.random.default_rng(seed).uniform(-1, 1, p)

    compiled = CompiledPyMCModel(
        dims={},
        compiled_logp_func=log_density,
        compiled_expand_func=_unchanged,
        initial_point_func=initial_point,
        shared_data={},
        shared_var_keys={},
        user_data=np.concatenate([centre, root.ravel(), block]),
        n_expanded=p,
        shape_info=(names, [slice(i, i + 1) for i in range(p)], [()] * p),
        logp_func=None,
        expand_func=None,
        _n_dim=p,
        _shapes=dict.fromkeys(names, ()),
        _coords={},
    )
    raw = nutpie.sample(
        compiled,
        draws=draws,
        tune=tune,
        chains=CHAINS,
        cores=cores or min(CHAINS, os.cpu_count() or 1),
        seed=int(rng.integers(2**31)),
        save_warmup=False,
        progress_bar=interactive() if progress is None else progress,
        target_accept=TARGET_ACCEPT,
    )
    posterior, stats = raw["posterior"], raw["sample_stats"]
    z = np.stack([posterior[name].to_numpy() for name in names], axis=-1)
    return Sampled(
        np.asarray(centre + z @ root.T),
        stats["diverging"].to_numpy().astype(bool),
        stats["energy"].to_numpy(),
        stats["n_steps"].to_numpy().astype(np.float64),
    )


def interactive() -> bool:
    """Whether somebody watches: a notebook, an interactive Python, or a terminal.

    Returns
    -------
    bool
        False in scripts whose output is redirected, in tests and in workers.
    """
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules or sys.stderr.isatty()
