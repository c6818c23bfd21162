"""The Hawkes posterior by NUTS: the compiled log-posterior, sampled by nutpie.

nutpie calls a C function for log-density and gradient. Here that function is the numba kernel itself, with data and
prior behind a pointer: nothing is compiled for a fit, no Python runs in the sampler's loop, and the chains use all
cores. The density is the one of ``hawkes_pymc.pymc_model``, which a test compares; compiling that graph through
PyTensor would cost 8 to 18 seconds in every process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import carray, cfunc, types
from numpy.typing import NDArray

from tempo.models import hawkes_daily as daily
from tempo.models import hawkes_general as general
from tempo.models.hawkes_kernels_times import log_posterior_of_times
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.posterior import CHAINS

__all__ = [
    "NAMES",
    "Sampled",
    "interactive",
    "run_nutpie",
    "sample",
    "sample_block",
    "sample_times",
]

type Floats = NDArray[np.float64]

NAMES = ("baseline", "branching_ratio", "decay", "dispersion")
WARMUP = 400
LONG_WARMUP = 800  # where the posterior is bent
TARGET_ACCEPT = 0.9
HEADER = 9  # bins, tail length, width, and six numbers of the prior
TIMES_HEADER = 8  # events, end, and six numbers of the prior

_DOUBLES = types.CPointer(types.double)


@cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _log_density(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie; 0 means success, a positive number a divergence."""
    header = carray(data, (HEADER,), np.float64)
    n, m = int(header[0]), int(header[1])
    block = carray(data, (HEADER + 3 * n + m,), np.float64)
    counts = block[HEADER : HEADER + n]
    days = block[HEADER + n : HEADER + 2 * n]
    bin_days = block[HEADER + 2 * n : HEADER + 3 * n]
    tail = block[HEADER + 3 * n :]
    theta = np.zeros(4)
    slope = np.zeros(4)
    for i in range(dim):
        theta[i] = place[i]
    found = daily.log_posterior(
        counts, days, bin_days, header[2], tail, block[3:HEADER], 1.0, dim == 4, theta, slope
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
    for i in range(size):
        out[i] = np.exp(place[i])
    return 0


@cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _log_density_of_times(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie in continuous time."""
    header = carray(data, (TIMES_HEADER,), np.float64)
    block = carray(data, (TIMES_HEADER + int(header[0]),), np.float64)
    theta = np.zeros(3)
    slope = np.zeros(3)
    for i in range(3):
        theta[i] = place[i]
    found = log_posterior_of_times(
        block[TIMES_HEADER:], header[1], block[2:TIMES_HEADER], 1.0, theta, slope
    )
    finite = np.isfinite(found)
    for i in range(dim):
        gradient[i] = slope[i]
        finite = finite and np.isfinite(slope[i])
    value[0] = found
    return 0 if finite else 4


@cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _log_density_of_block(dim, place, gradient, value, data):  # type: ignore[no-untyped-def] # pragma: no cover
    """Answer a step of nutpie for the general model; the first number of its block is the block's length."""
    block = carray(data, (int(carray(data, (1,), np.float64)[0]),), np.float64)
    theta = np.empty(dim)
    slope = np.empty(dim)
    for i in range(dim):
        theta[i] = place[i]
    found = general.density(block, 1, theta, slope)
    finite = np.isfinite(found)
    for i in range(dim):
        gradient[i] = slope[i]
        finite = finite and np.isfinite(slope[i])
    value[0] = found
    return 0 if finite else 4


@cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.voidptr), cache=True)
def _unchanged(dim, size, place, out, data):  # type: ignore[no-untyped-def] # noqa: ARG001 # pragma: no cover
    """Answer nutpie for each draw that it keeps of the general model: the draw itself."""
    for i in range(size):
        out[i] = place[i]
    return 0


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of one NUTS run.

    Attributes
    ----------
    draws : ndarray, shape (chains, draws, parameters)
        What ``natural`` made of the sampled parameters; 0 for those that were not sampled.
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
        Draws and sampler statistics.
    """
    counts, days, bin_days, width, tail = data.arrays
    block = np.concatenate(
        [[len(counts), len(tail), width], prior.array, counts, days, bin_days, tail]
    )
    rate = (data.n_events + 0.5) / (float(data.days.sum()) + 1.0)
    start = np.array([np.log(0.7 * rate), np.log(0.3), prior.array[3], np.log(0.3)])
    return run_nutpie(
        _log_density,
        _natural,
        block,
        start[: 4 if negbin else 3],
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
    )


def sample_times(
    times: Floats,
    end: float,
    prior: HawkesPrior,
    start: Floats,
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
    start : ndarray, shape (3,)
        Where the chains begin, on the log scale.
    draws, rng, progress, cores
        As for ``sample``.

    Returns
    -------
    Sampled
        Draws and sampler statistics.
    """
    block = np.concatenate([[len(times), end], prior.array, times])
    return run_nutpie(
        _log_density_of_times,
        _natural,
        block,
        start,
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
    )


def sample_block(
    block: Floats,
    start: Floats,
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
    start : ndarray, shape (size,)
        Where the chains begin.
    draws, rng, progress, cores
        As for ``sample``.

    Returns
    -------
    Sampled
        Unbounded parameters and sampler statistics.
    """
    return run_nutpie(
        _log_density_of_block,
        _unchanged,
        block,
        start,
        draws=draws,
        rng=rng,
        progress=progress,
        cores=cores,
        names=[f"theta_{i}" for i in range(len(start))],
        jitter=0.5,
        tune=LONG_WARMUP,
    )


def run_nutpie(
    log_density: Any,
    natural: Any,
    block: Floats,
    start: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
    progress: bool | None,
    cores: int | None = None,
    names: Sequence[str] = NAMES,
    jitter: float = 1.0,
    tune: int = WARMUP,
) -> Sampled:
    """Sample a compiled density of unbounded parameters.

    Parameters
    ----------
    log_density, natural : numba C functions
        Log-density with gradient, and the parameters that a draw stands for.
    block : ndarray of float
        Data that both are handed.
    start : ndarray, shape (p,)
        Chains start around it.
    draws, rng, progress, cores
        As for ``sample``.
    names : sequence of str
        Of the parameters; those beyond ``p`` are not sampled and stay 0.
    jitter : float
        How far from ``start`` a chain begins at most, in each direction.
    tune : int, default 400
        Draws by which the sampler adapts, and which are thrown away.

    Returns
    -------
    Sampled
        Draws and sampler statistics.
    """
    import nutpie
    from nutpie.compile_pymc import CompiledPyMCModel

    sampled = list(names[: len(start)])

    def initial_point(seed: int | None) -> Floats:
        return start + jitter * np.random.default_rng(seed).uniform(-1, 1, len(start))

    compiled = CompiledPyMCModel(
        dims={},
        compiled_logp_func=log_density,
        compiled_expand_func=natural,
        initial_point_func=initial_point,
        shared_data={},
        shared_var_keys={},
        user_data=block,
        n_expanded=len(start),
        shape_info=(
            sampled,
            [slice(i, i + 1) for i in range(len(start))],
            [() for _ in sampled],
        ),
        logp_func=None,
        expand_func=None,
        _n_dim=len(start),
        _shapes=dict.fromkeys(sampled, ()),
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
    out = np.zeros((CHAINS, draws, len(names)))
    for i, name in enumerate(sampled):
        out[:, :, i] = posterior[name].to_numpy()
    return Sampled(
        out,
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
