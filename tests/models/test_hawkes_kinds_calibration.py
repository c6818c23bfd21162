"""Simulation-based calibration of sampling in the Hawkes model by kind."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models.hawkes_kinds import HawkesKinds
from tempo.models.hawkes_kinds_posterior import KindsPrior

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("method", "runs"), [("nuts", 28), ("laplace", 20)])
def test_ranks_of_truth_and_likelihood_are_uniform(method, runs):
    """Parameters from the prior, ranks in the posterior; negative binomial counts of two kinds.

    The log-likelihood is one more quantity: a posterior that ignores the data passes for the parameters alone.
    """
    prior = KindsPrior(
        baseline_median_per_day=0.3,
        baseline_log_sd=0.4,
        own_sd=0.3,
        cross_mean=0.1,
        dispersion_sd=0.5,
    )
    model = HawkesKinds(observation="negbin", prior=prior)
    rng = np.random.default_rng(5)
    truths = kernels.natural_rows(rng.standard_normal((runs, 9)), prior.array(2), 2, True)
    index = pd.date_range("2000-01-01", periods=120, freq="1D")
    names = ("baseline", "baseline", *4 * ["branching"], "decay", "dispersion", "dispersion")
    ranks = []
    for i, truth in enumerate(truths):
        values = model.simulate(
            truth[:2],
            truth[2:6].reshape(2, 2),
            truth[6],
            n_bins=120,
            dispersion=truth[7:],
            rng=1_000 + i,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few events, short chains: part of the exercise
            fit = model.fit(
                pd.DataFrame(values, index=index, columns=["a", "b"]),
                method=method,
                rng=i,
                draws=50,
            )
        draws = fit.chains.reshape(-1, 9)
        gradient = np.empty(9)
        heights = np.array(
            [
                kernels.log_likelihood(*fit.arrays[0].arrays, row, gradient)
                for row in (*draws, truth)
            ]
        )
        below = np.append((draws < truth).sum(axis=0), (heights[:-1] < heights[-1]).sum())
        ranks.append((below + rng.random(len(below))) / (len(draws) + 1))
    for name, column in zip([*names, "likelihood"], np.array(ranks).T, strict=True):
        assert kstest(column, "uniform").pvalue > 0.001, name
        outside = (np.abs(column - 0.5) > 0.4).mean()
        assert abs(outside - 0.2) < 4 * np.sqrt(0.16 / runs), (name, outside)
