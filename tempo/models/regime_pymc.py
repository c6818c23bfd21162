"""The regime model as a PyMC model, hidden states summed out, for people who want to extend it.

``Regimes.fit(method="nuts")`` samples the same density from ``regime_nuts`` without the seconds that compiling a
PyTensor graph takes; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import numba_funcify
from pytensor.link.numba.dispatch.basic import numba_njit

from tempo.models.hawkes_pymc import CompiledLogLikelihood
from tempo.models.regime_data import RegimeData
from tempo.models.regime_density import log_likelihood, n_theta
from tempo.models.regime_posterior import RegimesPrior

__all__ = ["RegimesLogLikelihood", "pymc_model"]


class RegimesLogLikelihood(CompiledLogLikelihood):
    """Log-likelihood of counts under hidden regimes, and its gradient.

    Inputs: unbounded parameters (p,), and the arrays of ``RegimeData``. Outputs: the value and the gradient (p,).
    """

    __props__ = ("n_regimes", "stages", "negbin", "contagion")
    itypes = (pt.dvector, pt.dvector, pt.dvector, pt.dvector, pt.dvector, pt.lvector, pt.dvector)

    def __init__(self, n_regimes: int, stages: int, negbin: bool, contagion: bool) -> None:
        self.n_regimes, self.stages, self.negbin, self.contagion = (
            n_regimes, stages, negbin, contagion,
        )  # fmt: skip

    def perform(self, _node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Compute value and gradient without numba's linker, as PyMC does outside sampling."""
        theta, *data = inputs
        gradient = np.zeros(len(theta))
        shape = (self.n_regimes, self.stages, self.negbin, self.contagion)
        value = log_likelihood(*data, *shape, theta, gradient)
        output_storage[0][0] = np.asarray(value)
        output_storage[1][0] = gradient


@numba_funcify.register(RegimesLogLikelihood)
def _regimes_in_numba(op: Op, node: Apply | None = None, **kwargs: object) -> Any:  # noqa: ARG001
    kernel = log_likelihood
    n_regimes, stages, negbin, contagion = op.n_regimes, op.stages, op.negbin, op.contagion

    @numba_njit
    def regimes(theta, counts, exposure, constants, times, index, history):  # type: ignore[no-untyped-def]
        gradient = np.zeros(len(theta))
        value = kernel(
            counts, exposure, constants, times, index, history, n_regimes, stages, negbin, contagion, theta, gradient,
        )  # fmt: skip
        return np.asarray(value), gradient

    return regimes


def pymc_model(data: RegimeData, prior: RegimesPrior, *, bin_days: float = 1.0) -> pm.Model:
    """Give the regime model as a PyMC model, for people who want to extend it.

    Parameters
    ----------
    data : RegimeData
        Counts.
    prior : RegimesPrior
        Prior; with its Dirichlet rows, not with ``stay_days``.
    bin_days : float, default 1
        Length of a bin.

    Returns
    -------
    pymc.Model
        Variables ``rate`` (per bin, in no order: sort the draws), ``leave`` (probability to leave a stage), ``jump``
        (with three regimes or more: to which of the others), ``dispersion``, ``branching_ratio`` and ``decay`` (per
        bin), as far as the model has them.
    """
    k, stages, negbin, contagion = data.shape
    hyper = prior.array(k, stages, bin_days)
    likelihood = RegimesLogLikelihood(k, stages, negbin, contagion)
    with pm.Model() as model:
        parts = [pt.log(pm.LogNormal("rate", hyper[0], hyper[1], shape=k))]
        if k > 1:
            # A Dirichlet row is a chance to leave and, apart from it, where to.
            parts.append(pm.math.logit(pm.Beta("leave", k - 1, hyper[2], shape=k)))
        if k > 2:
            jump = pm.Dirichlet("jump", np.ones((k, k - 1)))
            parts.append((pt.log(jump[:, 1:]) - pt.log(jump[:, :1])).ravel())
        if negbin:
            parts.append(pt.log(pm.HalfNormal("dispersion", hyper[6]))[None])
        if contagion:
            parts.append(pt.log(pm.HalfNormal("branching_ratio", hyper[7]))[None])
            parts.append(pt.log(pm.LogNormal("decay", hyper[8], hyper[9]))[None])
        theta = pt.concatenate(parts)
        assert theta.type.ndim == 1
        assert n_theta(k, negbin, contagion) > 0
        arrays = data.arrays[:6]
        pm.Potential("log_likelihood", likelihood(theta, *arrays)[0])
    return model
