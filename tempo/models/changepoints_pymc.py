"""Changepoints as a PyMC model with the changes summed out, for people who want to extend it.

The likelihood is a PyTensor Op: forward and backward pass of ``changepoint_levels``, compiled, with the exact gradient
and a numba implementation for nutpie. It takes any log-likelihood of bins by level, so that covariates, other
observations or hierarchical priors are a matter of PyTensor expressions in front of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import numba_funcify
from pytensor.link.numba.dispatch.basic import numba_njit

from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_grid import level_grid
from tempo.models.changepoint_levels import marginal
from tempo.models.changepoint_predictive import GAMMA

__all__ = ["ChangepointLogLikelihood", "model"]


class ChangepointLogLikelihood(Op):
    """Log-likelihood of bins, every placement of the changes and every level summed over, and its gradients.

    Inputs: log-likelihood of each bin at each level (n, levels), log prior of a regime's level (levels,), hazard ().
    Outputs: the value, and its gradients with respect to the three inputs.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Build the node of the graph."""
        variables = [pt.as_tensor_variable(value) for value in inputs]
        return Apply(self, variables, [pt.dscalar(), pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def perform(self, _node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Compute value and gradients without numba's linker, as PyMC does outside sampling."""
        log_likelihood, log_prior, hazard = inputs
        value, *gradients = marginal(log_likelihood, log_prior, float(hazard))
        for storage, result in zip(output_storage, (value, *gradients), strict=True):
            storage[0] = np.asarray(result)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Gradient of the value; the gradient outputs are not differentiated again."""
        del inputs
        return [cotangents[0] * slope for slope in outputs[1:]]


@numba_funcify.register(ChangepointLogLikelihood)
def _changepoints_in_numba(op: Op, node: Apply | None = None, **kwargs: object) -> Any:  # noqa: ARG001
    kernel = marginal

    @numba_njit
    def changepoints(log_likelihood, log_prior, hazard):  # type: ignore[no-untyped-def]
        value, slopes, prior_slopes, hazard_slope = kernel(log_likelihood, log_prior, hazard.item())
        return np.asarray(value), slopes, prior_slopes, np.asarray(hazard_slope)

    return changepoints


def model(
    counts: Incidents | pd.Series,
    *,
    hazard: float | None = None,
    rate_prior: tuple[float, float] | None = None,
) -> pm.Model:
    r"""Give Poisson changepoints as a PyMC model, the changes summed out.

    Each regime's rate is Gamma(``shape``, ``rate``); both, and the hazard, are free variables where they are not
    given. For given values the log probability is the exact evidence, up to the grid of levels (1e-6).

    Parameters
    ----------
    counts : Incidents, Counts or Series
        What happened; bins that were not observed say nothing.
    hazard : float, optional
        Probability of a change in any one bin. Left out: ``hazard`` ~ Beta(1, number of bins).
    rate_prior : (shape, rate), optional
        Gamma prior of rates. Left out: ``shape`` and ``mean_rate`` are log-normal.

    Returns
    -------
    pymc.Model
        With the data ``log_levels`` and ``log_observed`` (log-likelihood of bins by level), the potential
        ``log_likelihood``, and what is free of ``hazard``, ``shape``, ``mean_rate``.

    Examples
    --------
    >>> from tempo.models import changepoints_pymc
    >>> days = pd.date_range("2020-01-01", periods=40, freq="1D")
    >>> both = changepoints_pymc.model(pd.Series([0, 1] * 10 + [4, 5] * 10, index=days))
    >>> sorted(variable.name for variable in both.free_RVs)
    ['hazard', 'mean_rate', 'shape']
    """
    series = as_counts(counts)
    values = series.to_numpy(dtype=float)
    exposure = np.where(np.isnan(values), 0.0, series.exposure.to_numpy(dtype=float))
    bins = Bins.of(np.nan_to_num(values), exposure)
    average = float((bins.counts.sum() + 0.5) / (bins.exposure.sum() + 0.5))
    one = np.ones(1)
    shape_rate = rate_prior or (1.0, 1 / (4 * average))
    wide = Grid(GAMMA, shape_rate[0] * one, shape_rate[1] * one, one, np.zeros(1), one, np.zeros(1))
    levels = level_grid(bins, wide)
    from scipy.special import gammaln, xlogy

    y, mean = bins.counts[:, None], bins.exposure[:, None] * levels
    observed = np.zeros((int(bins.position[-1]) + 1, levels.size))
    observed[bins.position] = xlogy(y, mean) - mean - gammaln(y + 1)
    step = float(np.log(levels[1] / levels[0]))
    with pm.Model() as built:
        log_levels = pm.Data("log_levels", np.log(levels))
        log_observed = pm.Data("log_observed", observed)
        chance: Any = hazard if hazard is not None else pm.Beta("hazard", 1.0, max(bins.n_bins, 2))
        if rate_prior is None:
            shape = pm.LogNormal("shape", 0.0, 0.7)
            mean_rate = pm.LogNormal("mean_rate", np.log(average), 1.0)
            rate = shape / mean_rate
        else:
            shape, rate = (pt.constant(float(value)) for value in rate_prior)
        log_density = shape * (pt.log(rate) + log_levels) - rate * pt.exp(log_levels)
        log_prior = log_density - pt.gammaln(shape) + np.log(step)
        # The mass below the first level, where no bin can tell a rate from zero.
        below = pt.gammainc(shape, rate * levels[0] * np.exp(-0.5 * step))
        log_prior = pt.set_subtensor(log_prior[0], pt.log(pt.exp(log_prior[0]) + below))
        log_prior -= pt.logsumexp(log_prior)
        value = ChangepointLogLikelihood()(log_observed, log_prior, pt.as_tensor_variable(chance))[
            0
        ]
        pm.Potential("log_likelihood", value)
    return built
