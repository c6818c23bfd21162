"""Recovery, coverage and simulation-based calibration of the general daily Hawkes engine."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tempo.models.hawkes import Hawkes
from tempo.models.hawkes_general_data import blank_engine
from tempo.models.hawkes_general_engine import sample_prior
from tempo.models.hawkes_posterior import HawkesPrior

pytestmark = pytest.mark.slow

SHAPES = {
    "exponential": {"decay": 0.4},
    "sum_exponential": {"decay_1": 1.2, "decay_2": 0.1, "share_1": 0.6, "share_2": 0.4},
    "power": {"scale_days": 4.0, "exponent": 2.0},
    "gamma": {"shape": 2.0, "mean_days": 4.0},
    "histogram": {"lag[1]": 0.3, "lag[2-3]": 0.4, "lag[4-7]": 0.3},
}
OBSERVATIONS = {
    "poisson": {},
    "negbin": {"dispersion": 0.5},
    "hurdle": {"day_size": 2.0},
    "hurdle-poisson": {"day_size": 1.5},
    "hurdle-negbin": {"day_size": 2.0, "dispersion": 2.0},
}


def test_every_kernel_and_observation_is_recovered():
    away, inside = {}, []
    for kernel, shape in SHAPES.items():
        for observation, scatter in OBSERVATIONS.items():
            model = Hawkes(
                kernel=kernel, observation=observation, baseline="trend", lag_edges=(1, 2, 4, 8), longest_lag_days=100
            )  # fmt: skip
            truth = {"baseline": 0.5, "trend": 0.2, "branching_ratio": 0.5, **shape, **scatter}
            counts = model.simulate(truth, n_bins=2_000, rng=len(away))
            index = pd.date_range("2000-01-01", periods=2_000, freq="1D")
            fit = model.fit(pd.Series(counts, index=index), method="mle")
            assert set(fit.params.index) == set(truth)
            z = (fit.params - pd.Series(truth)) / fit.bse
            away[kernel, observation] = (
                z[["baseline", "trend", "branching_ratio", *scatter]].abs().max()
            )
            low, high = fit.conf_int(prob=0.9).loc["branching_ratio"]
            inside.append(low <= 0.5 <= high)
            # Half of what is triggered comes when it should, whatever the names of the parameters.
            layout = fit.engines[0].layout
            theta = fit.engines[0].optimum.theta[None]
            want = layout.kernel(
                layout.unbounded(pd.Series(truth)[layout.names].to_numpy())[None], 30
            )
            gap = np.abs(layout.kernel(theta, 30) - want).sum() / 2
            assert gap < 0.3, (kernel, observation, gap)
    worst = max(away, key=away.get)
    assert away[worst] < 4.5, (worst, away[worst])
    assert sum(inside) >= 18, sum(inside)  # of 25 at 90 %: fewer come once in 300


def test_profile_interval_covers():
    model = Hawkes(kernel="gamma", observation="negbin", baseline="weekly")
    truth = dict.fromkeys(
        [f"weekday[T.{day}]" for day in ("Tue", "Wed", "Thu", "Fri", "Sat", "Sun")], 0.2
    )
    truth |= {
        "baseline": 0.4,
        "branching_ratio": 0.45,
        "shape": 1.5,
        "mean_days": 4.0,
        "dispersion": 0.6,
    }
    index = pd.date_range("2000-01-01", periods=600, freq="1D")
    inside = 0
    for seed in range(40):
        counts = pd.Series(model.simulate(truth, n_bins=600, rng=seed), index=index)
        low, high = model.fit(counts, method="mle").conf_int(prob=0.9).loc["branching_ratio"]
        inside += low <= 0.45 <= high
    assert inside >= 30, inside


def test_laplace_is_calibrated():
    prior = HawkesPrior(
        baseline_median_per_day=0.5, baseline_log_sd=0.4, branching_sd=0.4, coefficient_sd=0.3
    )
    model = Hawkes(
        kernel="histogram", lag_edges=(1, 2, 4, 8), observation="hurdle", baseline="1 + trend", prior=prior
    )  # fmt: skip
    n, runs, kept = 250, 80, 49
    engine = blank_engine(model, n, "2000-01-01", None, None)
    rng = np.random.default_rng(11)
    truths = sample_prior(engine.layout, prior, runs, rng)
    index = pd.date_range("2000-01-01", periods=n, freq="1D")
    ranks = []
    for i, truth in enumerate(truths):
        counts = pd.Series(engine.simulate(truth[None], n, rng, 1e5)[0], index=index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few events, explosive fits: part of the prior
            fit = model.fit(counts, method="laplace", rng=i, draws=50)
        draws = fit.chains.reshape(-1, len(truth))
        chosen = draws[rng.choice(len(draws), kept, replace=False)]
        ranks.append((chosen < truth).sum(axis=0))
    table = np.array(ranks)
    for i, name in enumerate(engine.layout.names[: table.shape[1]]):
        groups = np.bincount(table[:, i] * 5 // (kept + 1), minlength=5)
        assert stats.chisquare(groups).pvalue > 0.001, (name, groups)


@pytest.mark.parametrize(
    ("method", "kernel", "runs"), [("laplace", "gamma", 80), ("nuts", "power", 40)]
)
def test_ranks_of_truth_and_likelihood_are_uniform(method, kernel, runs):
    """Simulation-based calibration (Talts et al. 2018), with the log-likelihood as one more quantity.

    A posterior that has not seen the data would pass for the parameters alone; the likelihood of the data tells it
    (Modrák et al. 2023, Bayesian Analysis).
    """
    prior = HawkesPrior(
        baseline_median_per_day=0.5, baseline_log_sd=0.4, branching_sd=0.35, coefficient_sd=0.3
    )
    model = Hawkes(
        kernel=kernel, observation="negbin", baseline="1 + trend", longest_lag_days=40, prior=prior
    )
    n = 150
    engine = blank_engine(model, n, "2000-01-01", None, None)
    rng = np.random.default_rng(31)
    index = pd.date_range("2000-01-01", periods=n, freq="1D")
    ranks = []
    for i, truth in enumerate(sample_prior(engine.layout, prior, runs, rng)):
        counts = pd.Series(engine.simulate(truth[None], n, rng, 1e5)[0], index=index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few events, short chains: part of the exercise
            fit = model.fit(counts, method=method, rng=i, draws=50)
        draws = fit.chains.reshape(-1, len(truth))
        fitted = fit.engines[0]
        heights = fitted.total_log_likelihood(np.vstack([draws, truth]))
        below = np.append((draws < truth).sum(axis=0), (heights[:-1] < heights[-1]).sum())
        ranks.append((below + rng.random(len(below))) / (len(draws) + 1))
    for name, column in zip([*engine.layout.names, "likelihood"], np.array(ranks).T, strict=True):
        assert stats.kstest(column, "uniform").pvalue > 0.001, name
        # Too narrow a posterior puts the truth at both ends, which KS sees badly.
        outside = (np.abs(column - 0.5) > 0.4).mean()
        assert abs(outside - 0.2) < 4 * np.sqrt(0.16 / runs), (name, outside)
