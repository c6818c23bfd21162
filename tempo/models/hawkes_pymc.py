"""The Hawkes model as a PyMC model, for people who want to extend it.

The likelihood is a PyTensor Op with value and gradient from one pass of the compiled kernel, and a numba
implementation, so that nutpie samples the model without entering Python. ``Hawkes.fit(method="nuts")`` samples the
same density from ``hawkes_nuts`` without the seconds that compiling a PyTensor graph takes; a test holds the two
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import numba_funcify
from pytensor.link.numba.dispatch.basic import numba_njit

from tempo.models import hawkes_daily as daily
from tempo.models.hawkes_posterior import HawkesPrior

__all__ = ["BinnedHawkesLogLikelihood", "CompiledLogLikelihood", "pymc_model"]


class CompiledLogLikelihood(Op):
    """A log-likelihood with its gradient, both from one pass of a compiled kernel: what such Ops have in common.

    The first input is the vector of parameters, the others are data. Outputs: the value and the gradient.
    """

    __props__: tuple[str, ...] = ()
    otypes = (pt.dscalar, pt.dvector)

    def make_node(self, *inputs: Any) -> Apply:
        """Build the node of the graph."""
        variables = [pt.as_tensor_variable(value) for value in inputs]
        return Apply(self, variables, [kind() for kind in self.otypes])

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


class BinnedHawkesLogLikelihood(CompiledLogLikelihood):
    """Log-likelihood of binned counts and its gradient.

    Inputs: parameters (4,), counts (n,), observed days (n,), bin lengths (n,), typical width (), tail counts (m,).
    Outputs: the value and the gradient (4,).
    """

    itypes = (pt.dvector, pt.dvector, pt.dvector, pt.dvector, pt.dscalar, pt.dvector)

    def perform(self, _node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Compute value and gradient without numba's linker, as PyMC does outside sampling."""
        parameters, *data = inputs
        gradient = np.zeros(4)
        counts, days, bin_days, width, tail = data
        value = daily.log_likelihood(
            counts, days, bin_days, float(width), tail, parameters, gradient
        )
        output_storage[0][0] = np.asarray(value)
        output_storage[1][0] = gradient


@numba_funcify.register(BinnedHawkesLogLikelihood)
def _binned_hawkes_in_numba(op: Op, node: Apply | None = None, **kwargs: object) -> Any:  # noqa: ARG001
    kernel = daily.log_likelihood

    @numba_njit
    def binned_hawkes(parameters, counts, days, bin_days, width, tail):  # type: ignore[no-untyped-def]
        gradient = np.zeros(4)
        value = kernel(counts, days, bin_days, width.item(), tail, parameters, gradient)
        return np.asarray(value), gradient

    return binned_hawkes


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
        counts, *others, hyper = (
            pm.Data(name, value) for name, value in _shared(data, prior).items()
        )
        watched = pt.where(pt.lt(counts, 0.0), np.nan, counts)
        baseline = pm.LogNormal("baseline", hyper[0], hyper[1])
        branching = pm.HalfNormal("branching_ratio", hyper[2])
        decay = pm.LogNormal("decay", hyper[3], hyper[4])
        dispersion = pm.HalfNormal("dispersion", hyper[5]) if negbin else pt.constant(0.0)
        parameters = pt.stack([baseline, branching, decay, dispersion])
        pm.Potential("log_likelihood", likelihood(parameters, watched, *others)[0])
    return model


def _shared(data: daily.BinnedData, prior: HawkesPrior) -> dict[str, Any]:
    counts, days, bin_days, width, tail = data.arrays
    return {
        "counts": np.where(np.isnan(counts), -1.0, counts),  # PyMC takes NaN for a wish to impute
        "days": days,
        "bin_days": bin_days,
        "width": np.asarray(width),
        "tail": tail,
        "prior": prior.array,
    }
