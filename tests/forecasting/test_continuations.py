"""A scenario told from a fit forecasts what the fit itself forecasts, and is not judged by days that the fit used."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tempo
from tempo.data.counts import as_counts
from tempo.errors import ScenarioError
from tempo.forecasting.scenarios import Scenario

DAYS = pd.date_range("2020-01-01", periods=150)
END = pd.Timestamp("2020-05-30")


def bursts(seed=3):
    """Counts with contagion and a busier second half."""
    rng = np.random.default_rng(seed)
    values, state = [], 0.0
    for t in range(150):
        values.append(rng.poisson((0.2 if t < 90 else 0.6) + 0.5 * state))
        state = 0.7 * state + 0.3 * values[-1]
    return as_counts(pd.Series(values, index=DAYS))


@pytest.fixture(scope="module")
def fits():
    counts = bursts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "constant": tempo.ConstantRate().fit(counts, rng=1),
            "constant negbin": tempo.ConstantRate(observation="negbin").fit(counts, rng=1),
            "hawkes": tempo.Hawkes().fit(counts, method="laplace", rng=1),
            "hawkes negbin": tempo.Hawkes(observation="negbin").fit(
                counts, method="laplace", rng=1
            ),
            "changepoints": tempo.Changepoints().fit(counts),
            "regimes": tempo.Regimes(n_regimes=2).fit(counts, method="mle", rng=1),
        }


NAMES = ["constant", "constant negbin", "hawkes", "hawkes negbin", "changepoints", "regimes"]


@pytest.mark.parametrize("name", NAMES)
def test_a_continuation_forecasts_what_its_fit_forecasts(name, fits):
    fit = fits[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = tempo.forecast(fit, "40D", draws=4096, rng=2).counts.to_numpy()
    scenario = Scenario.continuation(fit)
    assert scenario.since == scenario.learned_until == END
    told = scenario.preview("40D", draws=4096, rng=3)
    assert told.days[0] == END
    for days in (1, 10, 40):
        one, two = own[:, :days].sum(axis=1), told.counts[:, :days].sum(axis=1)
        # The fit's own draws are few: 1,024 sets of parameters stand behind the scenario.
        error = 4.5 * np.hypot(one.std(), two.std()) / np.sqrt(1024)
        assert two.mean() == pytest.approx(one.mean(), abs=error), days
        levels = (0.05, 0.5, 0.95)
        width = np.quantile(one, 0.95) - np.quantile(one, 0.05)
        assert np.quantile(two, levels) == pytest.approx(
            np.quantile(one, levels), abs=1 + 0.12 * width
        ), days
    assert scenario.continues_fit
    with pytest.raises(ScenarioError, match="Fit the model"):
        scenario.about(bursts())


def test_only_a_constant_poisson_rate_is_steady(fits):
    steady = {name for name in NAMES if Scenario.continuation(fits[name]).steady is not None}
    assert steady == {"constant"}
    rate = Scenario.continuation(fits["constant"]).steady
    shape, per = fits["constant"].gamma
    truth = stats.gamma(shape, scale=1 / per)
    assert rate.quantile(np.array([0.1, 0.9])) == pytest.approx(truth.ppf([0.1, 0.9]))


def test_contagion_of_a_fit_is_that_of_its_draws(fits):
    scenario = Scenario.continuation(fits["hawkes"])
    story = scenario.story(scenario.draw(4096, np.random.default_rng(0)), DAYS[:3])
    params = fits["hawkes"].chains.reshape(-1, 4)
    assert story.branching.mean() == pytest.approx(params[:, 1].mean(), rel=0.05)
    assert np.median(story.decay) == pytest.approx(np.median(params[:, 2]), rel=0.1)
    assert story.rate.mean() == pytest.approx(params[:, 0].mean(), rel=0.05)
    assert story.dispersion is None
    excited = scenario.rate.excited
    i = 17
    decay = scenario.rate.decay[i]
    lags = np.arange(len(DAYS), 0, -1)
    kernel = -np.expm1(-decay) * np.exp(-decay * (lags - 1))
    assert excited[i] == pytest.approx((kernel * bursts().to_numpy(dtype=float)).sum(), rel=1e-6)


def test_later_phases_may_multiply_a_fit(fits):
    goes_on = Scenario.continuation(fits["hawkes"]).phases[0]
    later = tempo.Phase.of("later", "x3 to x8", onset="2020-06-10")
    scenario = Scenario.of_phases("more", [goes_on, later])
    levels = scenario.draw(256, np.random.default_rng(0))
    story = scenario.story(levels, pd.DatetimeIndex(["2020-06-09", "2020-06-10"]))
    factor = later.rate.quantile(levels[:, 1])
    np.testing.assert_allclose(story.rate[:, 1], story.rate[:, 0] * factor)
    np.testing.assert_allclose(story.branching[:, 1], story.branching[:, 0])
    assert scenario.learned_until == END
    again = Scenario.from_dict(scenario.to_dict())
    np.testing.assert_array_equal(again.story(levels, DAYS).rate, scenario.story(levels, DAYS).rate)
    with pytest.raises(ScenarioError, match="contagion of its own"):
        Scenario.of_phases("twice", [goes_on], half_life="2-4 days")


def test_fits_that_cannot_be_told_by_day_are_refused(fits):
    weekly = pd.Series([1, 0, 2] * 5, index=pd.date_range("2020-01-06", periods=15, freq="7D"))
    with pytest.raises(ScenarioError, match="day by day"):
        Scenario.continuation(tempo.ConstantRate().fit(weekly, rng=1))
    with pytest.raises(ScenarioError, match="Outlook"):
        Scenario.continuation(tempo.forecast(fits["constant"], "5D", draws=10, rng=1))
