"""The Hawkes posterior by NUTS: a PyMC model whose likelihood is the compiled kernel, sampled by nutpie.

The likelihood is a PyTensor Op with value and gradient from one pass, and a numba implementation, so that the sampler
never enters Python. Data and prior are shared variables: one compilation for each kind of model serves every later
fit in the process, whatever its length, dates or prior.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import numba_funcify
from pytensor.link.numba.dispatch.basic import numba_njit

from tempo.models import hawkes_daily as daily
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.posterior import CHAINS

__all__ = ["Sampled", "compiled_model", "pymc_model", "sample"]

type Floats = NDArray[np.float64]

NAMES = ("baseline", "branching_ratio", "decay", "dispersion")
WARMUP = 400


class BinnedHawkesLogLikelihood(Op):  # type: ignore[misc]  # pytensor carries no types
    """Log-likelihood of binned counts and its gradient, both from one pass of the compiled kernel.

    Inputs: parameters (4,), counts (n,), observed days (n,), bin lengths (n,), typical width (), tail counts (m,).
    Outputs: the value and the gradient (4,).
    """

    __props__ = ()
    itypes = (pt.dvector, pt.dvector, pt.dvector, pt.dvector, pt.dscalar, pt.dvector)
    otypes = (pt.dscalar, pt.dvector)

    def make_node(self, *inputs: Any) -> Apply:
        """Build the node of the graph."""
        variables = [pt.as_tensor_variable(value) for value in inputs]
        return Apply(self, variables, [kind() for kind in self.otypes])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]
    ) -> None:
        """Compute value and gradient without numba's linker, as PyMC does outside sampling."""
        parameters, *data = inputs
        gradient = np.zeros(4)
        counts, days, bin_days, width, tail = data
        value = daily.log_likelihood(
            counts, days, bin_days, float(width), tail, parameters, gradient
        )
        output_storage[0][0] = np.asarray(value)
        output_storage[1][0] = gradient

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Gradient of the value; the gradient output is not differentiated again."""
        rest = [DisconnectedType()() for _ in inputs[1:]]
        return [cotangents[0] * outputs[1], *rest]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the value depends, for differentiation, on the parameters."""
        return [[True, False]] + [[False, False]] * (len(node.inputs) - 1)


@numba_funcify.register(BinnedHawkesLogLikelihood)
def _binned_hawkes_in_numba(op: Op, node: Apply | None = None, **kwargs: object) -> Any:  # noqa: ARG001
    kernel = daily.log_likelihood

    @numba_njit
    def binned_hawkes(parameters, counts, days, bin_days, width, tail):  # type: ignore[no-untyped-def]
        gradient = np.zeros(4)
        value = kernel(counts, days, bin_days, width.item(), tail, parameters, gradient)
        return np.asarray(value), gradient

    return binned_hawkes


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws of one NUTS run.

    Attributes
    ----------
    draws : ndarray, shape (chains, draws, 4)
        Natural parameters; dispersion 0 for Poisson.
    diverging : ndarray of bool, shape (chains, draws)
        Where the sampler's numerical integration failed.
    energy : ndarray, shape (chains, draws)
        Hamiltonian at each draw.
    steps : ndarray of int, shape (chains, draws)
        Gradient evaluations.
    """

    draws: Floats
    diverging: NDArray[np.bool_]
    energy: Floats
    steps: NDArray[np.int64]


def pymc_model(data: daily.BinnedData, prior: HawkesPrior, *, negbin: bool) -> pm.Model:
    """Give the Hawkes model as a PyMC model, for people who want to extend it.

    Parameters
    ----------
    data : BinnedData
        Counts.
    prior : HawkesPrior
        Prior.
    negbin : bool
        Whether the dispersion is a parameter.

    Returns
    -------
    pymc.Model
        Variables ``baseline``, ``branching_ratio``, ``decay`` and ``dispersion``; data as ``pm.Data``.
    """
    likelihood = BinnedHawkesLogLikelihood()
    with pm.Model() as model:
        arrays = [pm.Data(name, value) for name, value in _shared(data, prior).items()]
        hyper = arrays[-1]
        baseline = pm.LogNormal("baseline", hyper[0], hyper[1])
        branching = pm.HalfNormal("branching_ratio", hyper[2])
        decay = pm.LogNormal("decay", hyper[3], hyper[4])
        dispersion = pm.HalfNormal("dispersion", hyper[5]) if negbin else pt.constant(0.0)
        parameters = pt.stack([baseline, branching, decay, dispersion])
        pm.Potential("log_likelihood", likelihood(parameters, *arrays[:-1])[0])
    return model


def _shared(data: daily.BinnedData, prior: HawkesPrior) -> dict[str, Any]:
    counts, days, bin_days, width, tail = data.arrays
    return {
        "counts": counts,
        "days": days,
        "bin_days": bin_days,
        "width": np.asarray(width),
        "tail": tail,
        "prior": prior.array,
    }


_compiling = threading.Lock()


@functools.cache
def compiled_model(*, negbin: bool) -> Any:
    """Compile the sampler's functions once in a process.

    Parameters
    ----------
    negbin : bool
        Whether the dispersion is a parameter.

    Returns
    -------
    nutpie compiled model
        Its data are replaced for each fit.
    """
    import nutpie

    placeholder = daily.prepare(np.array([1.0, 0.0, 2.0]))
    model = pymc_model(placeholder, HawkesPrior(), negbin=negbin)
    with warnings.catch_warnings():
        # Numba remarks that a function with a callback address cannot be cached on disk; nothing to act on.
        warnings.filterwarnings("ignore", message=".*[Cc]annot cache compiled function")
        return nutpie.compile_pymc_model(model)


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
    import nutpie

    with _compiling:
        compiled = compiled_model(negbin=negbin).with_data(**_shared(data, prior))
    rate = (data.n_events + 0.5) / (float(data.days.sum()) + 1.0)
    start = np.log([0.7 * rate, 0.3, np.exp(prior.array[3]), 0.3][: 4 if negbin else 3])
    raw = nutpie.sample(
        compiled,
        draws=draws,
        tune=WARMUP,
        chains=CHAINS,
        cores=cores or min(CHAINS, os.cpu_count() or 1),
        seed=int(rng.integers(2**31)),
        save_warmup=False,
        progress_bar=interactive() if progress is None else progress,
        init_mean=start,
        target_accept=0.9,
    )
    posterior, stats = raw["posterior"], raw["sample_stats"]
    out = np.zeros((CHAINS, draws, 4))
    for i, name in enumerate(NAMES[: 4 if negbin else 3]):
        out[:, :, i] = posterior[name].to_numpy()
    return Sampled(
        out,
        stats["diverging"].to_numpy().astype(bool),
        stats["energy"].to_numpy(),
        stats["n_steps"].to_numpy().astype(np.int64),
    )


def interactive() -> bool:
    """Whether somebody watches: a notebook, an interactive Python, or a terminal.

    Returns
    -------
    bool
        False in scripts whose output is redirected, in tests and in workers.
    """
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules or sys.stderr.isatty()
