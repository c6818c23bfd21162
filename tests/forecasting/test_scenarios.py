"""Scenarios: exact quantiles, the earlier rate, the shape of the rates, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import Window
from tempo.errors import ScenarioError, TempoError
from tempo.forecasting.laws import GammaRate, Length, Multiple
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario

MONTH = 365.25 / 12


def daily(values, start="2020-01-01"):
    return as_counts(pd.Series(values, index=pd.date_range(start, periods=len(values), freq="D")))


@given(st.floats(1e-6, 50), st.floats(1.001, 1e6), st.sampled_from([0.5, 0.8, 0.9, 0.99, 0.999]))
@settings(max_examples=60, deadline=None)
def test_the_interval_that_was_said_is_the_central_interval_of_the_gamma(low, ratio, prob):
    rate = GammaRate.within(low, low * ratio, "said", prob)
    law = stats.gamma(rate.shape, scale=1 / rate.rate_days)
    assert law.cdf(low) == pytest.approx((1 - prob) / 2, rel=1e-5, abs=1e-9)
    assert law.sf(low * ratio) == pytest.approx((1 - prob) / 2, rel=1e-5, abs=1e-9)
    assert rate.mean_per_day == pytest.approx(law.mean())
    np.testing.assert_allclose(rate.quantile(np.array([0.1, 0.7])), law.ppf([0.1, 0.7]), rtol=1e-9)


@pytest.mark.parametrize(
    "ends", [(0, 1), (1, 1), (2, 1), (-1, 1), (float("nan"), 1), (1, float("inf")), (1, 1 + 1e-9)]
)
def test_intervals_without_a_gamma_are_refused(ends):
    with pytest.raises(ScenarioError):
        GammaRate.within(*ends, "said")


def test_every_reads_words_and_rates():
    words = Scenario.every("2-3 months", name="sporadic")
    rates = Scenario.every((1 / (3 * MONTH), 1 / (2 * MONTH)), name="sporadic")
    assert words.rate.shape == pytest.approx(rates.rate.shape)
    assert 1 / words.rate.quantile(0.95) == pytest.approx(2 * MONTH)
    assert 1 / words.rate.quantile(0.05) == pytest.approx(3 * MONTH)
    half = Scenario.every("2-3 months", name="sporadic", prob=0.5)
    assert 1 / half.rate.quantile(0.75) == pytest.approx(2 * MONTH)
    assert words.since is None
    assert "one every 2 to 3 months" in repr(words)
    assert hash(words) == hash(Scenario.every("2-3 months", name="sporadic"))


@pytest.mark.parametrize(
    "said", ["2 months", 5, None, (1,), (1, 2, 3), ("a", "b"), (0.2, 0.1), (0, 1)]
)
def test_rates_that_cannot_be_said_are_refused(said):
    with pytest.raises(ScenarioError):
        Scenario.every(said, name="x")
    with pytest.raises(ScenarioError):
        Scenario.every("2-3 months", name="x", prob=1.0)


@given(
    st.lists(st.integers(0, 3), min_size=40, max_size=60),
    st.lists(st.integers(0, 9), min_size=30, max_size=30),
)
@settings(max_examples=25, deadline=None)
def test_the_earlier_rate_is_learned_from_days_before_the_onset_alone(values, later):
    before = Scenario.escalation(daily(values), onset="30D")
    altered = Scenario.escalation(daily([*values[:-30], *later]), onset="30D")
    assert before == altered
    assert before.rate.shape == 0.5 + sum(values[:-30])
    assert before.rate.rate_days == len(values) - 30


def test_gaps_do_not_lengthen_the_earlier_rate_and_vague_dates_are_averaged():
    window = Window("2020-01-01", "2020-04-01", [("2020-01-11", "2020-01-21")])
    exact = Incidents(
        pd.DataFrame({"date_start": ["2020-01-05", "2020-01-15", "2020-02-01"]}), window
    )
    scenario = Scenario.escalation(exact, onset="31D")
    assert (scenario.rate.shape, scenario.rate.rate_days) == (2.5, 50.0)
    vague = pd.DataFrame(
        {"date_start": ["2020-02-15"], "date_end": ["2020-03-15"], "date_precision": ["month"]}
    )
    share = Scenario.escalation(Incidents(vague, window), onset="31D").rate.shape - 0.5
    assert 0.1 < share < 0.9  # half of the interval lies before the onset


@pytest.mark.parametrize(
    ("onset", "first", "stop"),
    [
        ("30D", "2020-03-11", "2020-04-10"), ("2020-02-01", "2020-02-01", "2020-02-02"),
        (pd.Timestamp("2020-02-01"), "2020-02-01", "2020-02-02"),
        (("2020-02-01", "2020-02-11"), "2020-02-01", "2020-02-11"),
        (pd.Timedelta("7D"), "2020-04-03", "2020-04-10"), ("2 weeks", "2020-03-27", "2020-04-10"),
    ],
)  # fmt: skip
def test_onsets_in_every_form(onset, first, stop):
    scenario = Scenario.escalation(daily([0] * 100), onset=onset)
    assert scenario.phases[1].onset == (pd.Timestamp(first), pd.Timestamp(stop))
    assert scenario.since == pd.Timestamp(first)


@pytest.mark.parametrize(
    "options",
    [
        {"rate_multiplier": (8, 3)}, {"rate_multiplier": (0, 3)}, {"rate_multiplier": 5},
        {"rate_multiplier": (3, float("inf"))},
        {"rate_multiplier": (1, 2, 3)}, {"onset": ("2020-02-02", "2020-02-02")}, {"onset": "100D"},
        {"onset": "2020-01-01"},
        {"onset": "soon"}, {"duration": "3 fortnights"}, {"prob": 1.5}, {"prob": 0}, {"onset": 30},
    ],
)  # fmt: skip
def test_escalations_that_cannot_be(options):
    with pytest.raises(TempoError) as error:
        Scenario.escalation(daily([0] * 100), **options)
    assert len(str(error.value)) > 40


def test_rates_jump_by_the_multiple_on_the_onset_and_fall_back_after_the_duration():
    phase = Phase(
        "jump",
        Multiple(2.0, 8.0),
        (pd.Timestamp("2020-03-01"), pd.Timestamp("2020-03-11")),
        Length(5.0, 20.0),
    )
    scenario = Scenario("s", (Phase("earlier", GammaRate(4.0, 40.0, "w")), phase))
    days = pd.date_range("2020-02-20", "2020-05-01")
    levels = np.array([[0.5, 0.95, 0.0, 0.5], [0.5, 0.05, 0.95, 0.05], [0.2, 0.5, 0.55, 0.999999]])
    rates = scenario.rates(levels, days)
    base = stats.gamma.ppf(levels[:, 0], 4) / 40
    for row, (multiple, begin, length) in enumerate([(8, 0, 10), (2, 9, 5), (4, 5, np.inf)]):
        start = pd.Timestamp("2020-03-01") + pd.Timedelta(days=begin)
        lasts = days < start + pd.Timedelta(days=min(length, 400))
        inside = (days >= start) & (lasts if np.isfinite(length) else True)
        np.testing.assert_allclose(rates[row][~inside & (days < start)], base[row])
        np.testing.assert_allclose(rates[row][inside], base[row] * multiple)
        if np.isfinite(length):
            np.testing.assert_allclose(
                rates[row][days >= start + pd.Timedelta(days=length)], base[row]
            )


def test_draws_follow_the_distributions_they_stand_for():
    scenario = Scenario.escalation(daily([0, 1] * 50), (3, 8), duration="2-6 weeks", onset="30D")
    levels = scenario.draw(4096, np.random.default_rng(1))
    assert levels.shape == (4096, 4)
    assert (levels > 0).all()
    assert (levels < 1).all()
    np.testing.assert_allclose(
        np.quantile(levels, [0.1, 0.5, 0.9], axis=0).T, np.tile([0.1, 0.5, 0.9], (4, 1)), atol=0.003
    )
    after = scenario.rates(levels, pd.DatetimeIndex([scenario.phases[1].onset[1]]))[:, 0]
    before = scenario.rates(levels, pd.DatetimeIndex([scenario.since - pd.Timedelta(days=1)]))[:, 0]
    multiples = (after / before)[after > before]
    assert np.quantile(multiples, 0.05) == pytest.approx(3, rel=0.05)
    assert np.quantile(multiples, 0.95) == pytest.approx(8, rel=0.05)


def test_prior_predictive_is_the_negative_binomial_of_the_gamma():
    scenario = Scenario.every("2-3 weeks", name="s")
    law = stats.nbinom(
        scenario.rate.shape, scenario.rate.rate_days / (scenario.rate.rate_days + 90)
    )
    assert scenario.prior_predictive("90D", prob=0.8, draws=8192) == (law.ppf(0.1), law.ppf(0.9))
    assert "from a day between" in Scenario.escalation(daily([0] * 60)).describe()
    assert (
        "2.25 to 3.75 times"
        in Scenario.escalation(daily([0] * 60), (2.25, 3.75), onset="2020-02-02").describe()
    )
