"""The NegBin autoregression of R's surveillance, ``hhh4``, reproduced through a histogram kernel of one lag.

Source of the numbers: surveillance 1.20.3 under R 4.2.2, on the counts that ``simulated`` makes, called as

    s <- sts(observed = y, start = c(2001, 1), frequency = 52)
    f <- addSeason2formula(~1, S = 1, period = 52)
    hhh4(s, control = list(ar = list(f = ~1), end = list(f = f), family = "NegBin1",
                           optimizer = list(stop = list(tol = 1e-10, niter = 500))))

and the same with ``family = "Poisson"``. hhh4 scores every count but the first, on which it conditions.

Meyer, Held & Hoehle (2017), Spatio-temporal analysis of epidemic phenomena using the R package surveillance, Journal
of Statistical Software 77(11).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tempo

N = 520
WAVE = 2 * np.pi * np.arange(N) / 52
# log-likelihood; then estimate and standard error of ar.1, end.1, end.sin, end.cos, overdisp
HHH4 = {
    "poisson": (
        -972.379491638,
        [-1.1142647643, 0.2630139386, 0.3261839759, -0.3585999903],
        [0.113350871, 0.062860341, 0.063435623, 0.064404319],
    ),
    "negbin": (
        -934.518134051,
        [-1.0908243098, 0.2550914331, 0.3175219454, -0.3504473092, 0.3122497132],
        [0.150972346, 0.077596464, 0.079546992, 0.081349917, 0.054274766],
    ),
}


def simulated() -> pd.Series:
    """Weeks of a series with a yearly wave, autoregression 0.4 and dispersion 0.3, on an index of as many days."""
    rng = np.random.default_rng(11)
    endemic = np.exp(math.log(1.2) + 0.5 * np.sin(WAVE) - 0.3 * np.cos(WAVE))
    counts = np.empty(N, dtype=np.int64)
    last = 0
    for i in range(N):
        last = counts[i] = rng.poisson((endemic[i] + 0.4 * last) * rng.gamma(1 / 0.3, 0.3))
    return pd.Series(counts, index=pd.date_range("2001-01-01", periods=N, freq="1D"))


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_autoregression_with_a_seasonal_baseline(observation):
    counts = simulated()
    assert (counts.sum(), counts.iloc[:6].tolist()) == (1067, [1, 0, 1, 0, 1, 1])
    waves = pd.DataFrame({"wave_sin": np.sin(WAVE), "wave_cos": np.cos(WAVE)}, index=counts.index)
    fit = tempo.Hawkes(
        kernel="histogram",
        lag_edges=(1, 2),
        baseline="1 + wave_sin + wave_cos",
        observation=observation,
    ).fit(counts.iloc[1:], history=counts.iloc[:1], covariates=waves, method="mle", rng=1)

    value, estimates, errors = HHH4[observation]
    assert fit.llf == pytest.approx(value, abs=1e-8)
    found = fit.params
    columns = ["wave_sin", "wave_cos"]
    # hhh4's intercept is where the waves are zero, tempo's baseline where they are at their mean.
    level = math.log(found["baseline"]) - found[columns] @ waves.iloc[1:].mean()
    ours = [math.log(found["branching_ratio"]), level, *found[columns]]
    ours += [found["dispersion"]] if observation == "negbin" else []
    assert ours == pytest.approx(estimates, abs=3e-7)
    bse = fit.bse
    assert bse["branching_ratio"] / found["branching_ratio"] == pytest.approx(errors[0], rel=1e-4)
    assert bse[columns].tolist() == pytest.approx(errors[2:4], rel=1e-4)
    if observation == "negbin":
        assert bse["dispersion"] == pytest.approx(errors[4], rel=1e-4)
