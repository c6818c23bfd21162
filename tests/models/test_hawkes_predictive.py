"""The log score of held-out counts, against likelihoods of longer records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import tempo
from tempo.errors import DataError
from tempo.models import hawkes_daily as daily

DAYS = pd.date_range("2018-01-01", periods=460, freq="1D")


@pytest.fixture(scope="module")
def counts():
    values = tempo.Hawkes().simulate([0.2, 0.5, 0.3], n_bins=460, rng=4).astype(float)
    values[430] = np.nan  # nobody watched
    return pd.Series(values, index=DAYS)


@pytest.mark.parametrize("observation", ["poisson", "negbin"])
def test_score_is_the_gain_in_likelihood_averaged_over_draws(counts, observation):
    past = counts[:400]
    fit = tempo.Hawkes(observation=observation).fit(past, method="laplace", rng=1, draws=60)
    score = fit.log_predictive(counts[400:])
    draws = fit.chains.reshape(-1, 4)
    gains = [daily.exponential(counts, *row)[0] - daily.exponential(past, *row)[0] for row in draws]
    assert score.sum() == pytest.approx(logsumexp(gains) - np.log(len(draws)), abs=1e-8)
    first = [
        daily.exponential(counts[:401], *row)[0] - daily.exponential(past, *row)[0] for row in draws
    ]
    assert score.iloc[0] == pytest.approx(logsumexp(first) - np.log(len(draws)), abs=1e-8)
    assert score.iloc[30] == 0.0
    assert score.index.equals(DAYS[400:])


@pytest.mark.parametrize(
    "choices",
    [
        {"kernel": "gamma", "longest_lag_days": 40},
        {"kernel": "histogram", "observation": "negbin", "delay_days": 1},
        {"kernel": "sum_exponential", "observation": "hurdle"},
    ],
)
def test_general_kernels(counts, choices):
    model = tempo.Hawkes(**choices)
    fit = model.fit(counts[:400], method="mle", rng=1, draws=50)
    longer = model.fit(counts, method="mle", rng=1, draws=50)
    theta = fit.chains.reshape(-1, fit.chains.shape[-1])
    gains = longer.engines[0].total_log_likelihood(theta) - fit.engines[0].total_log_likelihood(
        theta
    )
    assert fit.log_predictive(counts[400:]).sum() == pytest.approx(
        logsumexp(gains) - np.log(len(theta)), abs=1e-7
    )


def test_a_fit_beats_a_worse_one_on_what_follows(counts):
    """The truth is contagious: the constant rate must lose on enough held-out days."""
    values = tempo.Hawkes().simulate([0.1, 0.8, 0.2], n_bins=1500, rng=9)
    series = pd.Series(values, index=pd.date_range("2010-01-01", periods=1500, freq="1D"))
    fit = tempo.Hawkes().fit(series[:1000], method="laplace", rng=1)
    rate = series[:1000].mean()
    constant = (series[1000:] * np.log(rate) - rate).sum() - sum(
        np.log(np.arange(1, y + 1)).sum() for y in series[1000:]
    )
    assert fit.log_predictive(series[1000:]).sum() > constant + 10


def test_bins_must_follow(counts):
    fit = tempo.Hawkes().fit(counts[:400], method="mle", rng=1, draws=50)
    with pytest.raises(DataError, match="2019-02-05"):
        fit.log_predictive(counts[401:])
    with pytest.raises(DataError, match="bins of"):
        fit.log_predictive(
            pd.Series([1, 2], index=pd.date_range("2019-02-05", periods=2, freq="7D"))
        )
