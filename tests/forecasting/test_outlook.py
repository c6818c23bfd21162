"""Outlooks against closed forms, for a stub that simulates independent Poisson counts."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tempo
from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.errors import OptionError
from tempo.forecasting.outlook import Outlook, paths_array


@dataclass(frozen=True)
class PoissonStub:
    """A fit whose rate per bin is known exactly."""

    counts: Counts
    rate: float
    name: str = "stub"

    def simulate(self, n_bins, draws, rng):
        return rng.poisson(self.rate, (draws, n_bins))


def past(freq: str, periods: int = 20, start: str = "2020-01-01") -> Counts:
    return as_counts(
        pd.Series(1, index=pd.date_range(start, periods=periods, freq=freq), name="raids")
    )


RATE, DRAWS = 0.03, 40_000


@pytest.fixture(scope="module")
def daily() -> Outlook:
    return tempo.forecast(PoissonStub(past("D"), RATE), "90D", draws=DRAWS, rng=1)


@pytest.mark.parametrize("days", [1, 30, 59, 90])
@pytest.mark.parametrize("least", [0, 1, 2, 4])
def test_probability_equals_the_poisson_tail(daily, days, least):
    exact = stats.poisson.sf(least - 1, RATE * days)
    error = 5 * np.sqrt(exact * (1 - exact) / DRAWS)
    assert daily.probability(least, f"{days}D") == pytest.approx(exact, abs=error + 1e-12)


def test_probability_falls_in_number_and_rises_in_time(daily):
    falling = [daily.probability(n) for n in range(8)]
    rising = [daily.probability(1, f"{d}D") for d in range(1, 91)]
    assert falling[0] == 1
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert (
        daily.probability(1)
        == daily.probability(1, "90D")
        == daily.probability(1, pd.Timedelta("90D"))
    )


@pytest.mark.parametrize("prob", [0.5, 0.9])
def test_quantiles_are_those_of_the_running_poisson(daily, prob):
    table = daily.quantiles(prob)
    assert table.index.tolist() == pd.date_range("2020-01-21", periods=90).tolist()
    assert table.attrs["prob"] == prob
    assert table["mean"].mean() == pytest.approx(RATE, rel=0.02)
    for column, level in (("low", (1 - prob) / 2), ("median", 0.5), ("high", (1 + prob) / 2)):
        for day in (1, 30, 90):
            found = int(table[f"cumulative_{column}"].iloc[day - 1])
            law = stats.poisson(RATE * day)
            slack = (
                0.01  # where the cumulative probability all but equals the level, chance decides
            )
            assert law.cdf(found) >= level - slack
            assert law.cdf(found - 1) <= level + slack
        assert (table[column] == stats.poisson.ppf(level, RATE)).all()


def test_time_to_next_is_geometric(daily):
    wait = daily.time_to_next(0.8)
    law = stats.geom(1 - np.exp(-RATE))
    assert wait.median_days == pytest.approx(law.ppf(0.5), abs=1)
    assert wait.low_days == pytest.approx(law.ppf(0.1), abs=1)
    assert wait.high_days == pytest.approx(law.ppf(0.9), abs=3)
    assert wait.probability_beyond == pytest.approx(np.exp(-90 * RATE), abs=0.005)
    beyond = daily.time_to_next(0.99)
    assert np.isinf(beyond.high_days)
    assert "beyond 90" in repr(beyond)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_waits_that_reach_past_the_horizon_are_infinite_and_never_nan(share):
    paths = np.zeros((20, 10), dtype=np.int64)
    paths[: int(20 * share), 4] = 1
    outlook = Outlook(paths_array(paths, pd.date_range("2020-01-01", periods=10)), "m", "raids", "r",
                      pd.Timestamp("2020-01-01"), np.ones(10), "0")  # fmt: skip
    wait = outlook.time_to_next(0.9)
    for value, level in ((wait.low_days, 0.05), (wait.median_days, 0.5), (wait.high_days, 0.95)):
        assert value == (5 if level <= share and share > 0 else np.inf)
    assert wait.probability_beyond == pytest.approx(1 - share)


def test_weekly_bins_align_with_weeks_and_refuse_to_be_cut():
    outlook = tempo.forecast(PoissonStub(past("7D"), 0.5), "90D", draws=4000, rng=1)
    assert (outlook.horizon_days, outlook.counts.sizes["time"]) == (91, 13)
    assert outlook.start == pd.Timestamp("2020-05-20")
    assert outlook.end == pd.Timestamp("2020-08-19")
    assert outlook.probability(1, "28D") == np.mean(
        outlook.counts.to_numpy()[:, :4].sum(axis=1) >= 1
    )
    with pytest.raises(OptionError, match=r"'28D' or '35D'"):
        outlook.probability(1, "30D")
    with pytest.raises(OptionError, match="cuts a bin"):
        outlook.probability(1, "3D")
    with pytest.raises(OptionError, match="only 91 days"):
        outlook.probability(1, "98D")
    assert outlook.summary().index.tolist() == ["28D", "63D", "91D"]
    assert outlook.time_to_next().median_days in {7.0, 14.0}


@pytest.mark.parametrize(
    ("freq", "horizon", "bins", "days"), [("MS", "90D", 3, 90), ("MS", "93D", 4, 121), ("YS", "9000D", 25, 9132),
     ("D", "1D", 1, 1), ("7D", "8D", 2, 14)]
)  # fmt: skip
def test_calendar_bins_reach_the_horizon_and_no_further(freq, horizon, bins, days):
    counts = past(
        freq,
        periods=5,
        start="2019-09-01" if freq == "MS" else "1995-01-01" if freq == "YS" else "2020-01-06",
    )
    outlook = tempo.forecast(PoissonStub(counts, 1.0), horizon, draws=10, rng=1)
    assert (outlook.counts.sizes["time"], outlook.horizon_days) == (bins, days)
    assert outlook.end == outlook.start + pd.Timedelta(days=days)
    assert pd.Timestamp(outlook.counts["time"].to_numpy()[0]) == counts.end


def test_a_half_observed_last_bin_is_said():
    incidents = Incidents(
        pd.DataFrame({"date_start": ["2020-01-05"]}), ("2020-01-01", "2020-02-12")
    )
    outlook = tempo.forecast(PoissonStub(incidents.counts("MS"), 1.0), "30D", draws=10, rng=1)
    assert any("observed only in part" in note and "2020-03-01" in note for note in outlook.notes)
    assert (
        tempo.forecast(PoissonStub(incidents.counts("1D"), 1.0), "30D", draws=10, rng=1).notes == ()
    )


def test_same_seed_same_draws_and_the_record_repeats_them(daily):
    again = tempo.forecast(PoissonStub(past("D"), RATE), "90D", draws=DRAWS, rng=1)
    assert again.counts.equals(daily.counts)
    assert daily.seed == "1"
    free = tempo.forecast(PoissonStub(past("D"), RATE), "30D", draws=50)
    repeated = tempo.forecast(PoissonStub(past("D"), RATE), "30D", draws=50, rng=int(free.seed))
    assert free.counts.equals(repeated.counts)


def test_words_tables_and_labels_agree(daily):
    row = daily.summary().iloc[-1]
    assert daily.summary().index.tolist() == ["30D", "60D", "90D"]
    assert f"median {row['median']:.0f}" in daily.describe()
    assert "raids in the 90 days from 2020-01-21 (90 % interval" in daily.describe()
    assert daily.describe() in repr(daily)
    assert daily == daily  # identity, no traceback
    assert daily.counts.dims == ("draw", "time")
    evil = Outlook(daily.counts, "<script>", "a", "r", daily.cutoff, daily.bin_days, "1")
    assert "<script>" not in evil._repr_html_()


@pytest.mark.parametrize(
    "call",
    [
        lambda o: o.probability(-1),
        lambda o: o.probability(1.5),
        lambda o: o.probability(1, "91D"),
        lambda o: o.probability(1, 30),
        lambda o: o.quantiles(1.0),
        lambda o: o.quantiles(0),
        lambda o: o.quantiles(float("nan")),
        lambda o: o.time_to_next(90),
        lambda o: tempo.forecast(PoissonStub(past("D"), 1), "90D", draws=0),
        lambda o: tempo.forecast(PoissonStub(past("D"), 1), "1 month"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(daily, call):
    with pytest.raises(OptionError):
        call(daily)


def test_ten_thousand_futures_of_ninety_days_are_quick():
    begun = time.perf_counter()
    outlook = tempo.forecast(PoissonStub(past("D"), RATE), "90D", rng=1)
    outlook.summary()
    assert outlook.draws == 10_000
    assert time.perf_counter() - begun < 2  # half a second on a quiet machine


@pytest.mark.parametrize("seed", range(3))
def test_the_chance_of_any_under_a_constant_rate_is_its_closed_form(seed):
    counts = past("1D", periods=40)
    fit = tempo.ConstantRate(rate_prior=(2.0, 30.0)).fit(counts, rng=seed)
    outlook = tempo.forecast(fit, "10D", 4_000, rng=seed)
    shape, rate = 2.0 + 40, 30.0 + 40
    for days in (1, 3, 10):
        exact = 1 - (rate / (rate + days)) ** shape
        assert outlook.probability(1, f"{days}D") == pytest.approx(exact, abs=0.004)
    assert outlook.time_to_next().probability_beyond == pytest.approx(1 - outlook.probability(1))
    assert outlook.summary().loc["10D", "probability_any"] == outlook.probability(1, "10D")


def test_the_chance_of_any_agrees_with_the_share_of_futures_under_overdispersion():
    values = np.random.default_rng(1).negative_binomial(0.3, 0.6, 300)
    days = pd.date_range("2020-01-01", periods=300, freq="D")
    fit = tempo.ConstantRate(observation="negbin").fit(pd.Series(values, index=days), rng=1)
    outlook = tempo.forecast(fit, "20D", 20_000, rng=2)
    for days in (1, 5, 20):
        share = float((outlook.totals(f"{days}D") > 0).mean())
        found = outlook.probability(1, f"{days}D")
        assert found != share
        assert abs(found - share) < 4 * np.sqrt(found * (1 - found) / 20_000) + 0.002


def test_without_a_chance_of_silence_any_is_the_share_of_futures():
    outlook = tempo.forecast(PoissonStub(past("1D"), RATE), "30D", 500, rng=1)
    assert outlook.log_none is None
    assert outlook.probability(1) == float((outlook.totals() > 0).mean())
