"""The alarm: its probability by enumeration, its false-alarm rate by simulation, its delay beside other rules."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, poisson

import tempo
from tempo.errors import OptionError


def series(values):
    return pd.Series(values, index=pd.date_range("2020-01-01", periods=len(values)))


@pytest.mark.parametrize("ratio", [4.0, 0.2])
def test_probability_equals_enumeration(ratio):
    y = np.array([0, 1, 0, 3, 2, 4])
    alarm = tempo.Alarm(0.5, ratio=ratio, false_alarm_bins=20, shape=1.5)
    h = 1 / 20
    for n in range(1, 7):
        changed = 0.0
        for s in range(n):
            before = poisson.pmf(y[:s], 0.5).prod()
            after = np.mean([poisson.pmf(y[s:n], 0.5 * m).prod() for m in alarm.multiples])
            changed += h * (1 - h) ** s * before * after
        never = (1 - h) ** n * poisson.pmf(y[:n], 0.5).prod()
        found = alarm.watch(series(y[:n]))["probability"].iloc[-1]
        assert found == pytest.approx(changed / (changed + never), rel=1e-5)


@pytest.mark.parametrize(("ratio", "cut"), [(3.0, (1, np.inf)), (0.25, (0, 1))])
def test_multiples_stand_for_the_part_of_the_gamma_on_their_side_of_one(ratio, cut):
    multiples = tempo.Alarm(0.5, ratio=ratio, shape=2.0).multiples
    law = gamma(2.0, scale=ratio / 2)
    assert ((multiples > cut[0]) & (multiples < cut[1])).all()
    inside = law.cdf(cut[1]) - law.cdf(cut[0])
    mean = law.expect(lambda x: x, lb=cut[0], ub=cut[1] if cut[1] < 9 else 60.0) / inside
    assert multiples.mean() == pytest.approx(mean, rel=0.05)


def test_silence_never_sounds_an_alarm_for_a_rise_nor_a_rush_one_for_a_lull():
    quiet, busy = series(np.zeros(400)), series(np.full(400, 9))
    assert tempo.Alarm(1.0, ratio=3).watch(quiet)["probability"].max() < 0.01
    assert tempo.Alarm(1.0, ratio=0.3).watch(busy)["probability"].max() < 0.01
    assert tempo.Alarm(1.0, ratio=0.3).watch(quiet)["alarm"].iloc[10:].all()


def test_odds_beyond_what_a_computer_holds_are_certainty():
    watched = tempo.Alarm(0.2, false_alarm_bins=100).watch(series([0] * 20 + [900] * 60))
    assert watched["probability"].notna().all()
    assert watched["alarm"].iloc[20:].all()
    assert (watched["since"].iloc[20:] == watched.index[20]).all()


def test_bins_that_nobody_watched_change_nothing():
    alarm = tempo.Alarm(0.5, false_alarm_bins=50)
    gap = alarm.watch(series([1.0, np.nan, np.nan, 4.0]))
    none = alarm.watch(series([1, 4]))
    assert gap["probability"].iloc[1] == gap["probability"].iloc[0]
    assert gap["probability"].iloc[-1] == pytest.approx(none["probability"].iloc[-1])
    assert gap["since"].iloc[-1] == gap.index[3]


def test_a_lull_is_watched_for_too():
    rng = np.random.default_rng(0)
    watched = tempo.Alarm(2.0, ratio=0.2, false_alarm_bins=100).watch(
        series(np.append(rng.poisson(2.0, 40), rng.poisson(0.2, 30)))
    )
    assert not watched["alarm"].iloc[:40].any()
    assert watched["alarm"].iloc[50:].all()


def test_rules_that_cannot_be_are_refused():
    for options, message in (
        ({"usual_rate": 0}, "above 0"),
        ({"usual_rate": 1, "ratio": 1}, "no change"),
        ({"usual_rate": 1, "false_alarm_bins": 2}, "at least 10"),
        ({"usual_rate": 1, "dispersion": -1}, "0 or more"),
    ):
        with pytest.raises(OptionError, match=message):
            tempo.Alarm(**options)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "dispersion"), [(0.2, 0.0), (2.0, 0.0), (0.5, 1.0)])
def test_false_alarms_come_as_rarely_as_stated(rate, dispersion):
    alarm = tempo.Alarm(rate, false_alarm_bins=150, dispersion=dispersion)
    lengths = alarm.run_lengths(rate, 600, rng=1)
    assert lengths.mean() == pytest.approx(150, rel=0.2)
    assert (lengths <= 150).mean() == pytest.approx(1 - math.exp(-1), abs=0.08)


def cusum(counts, usual, ratio):
    """Page's CUSUM of the log-likelihood ratio of Poisson counts; Lucas (1985)."""
    steps = counts * math.log(ratio) - usual * (ratio - 1)
    out, level = np.empty(counts.shape), np.zeros(len(counts))
    for t in range(counts.shape[1]):
        level = np.maximum(level + steps[:, t], 0)
        out[:, t] = level
    return out


def ears_c2(counts):
    """EARS C2: standardised distance from seven days, two days ago (Hutwagner et al. 2003)."""
    out = np.zeros(counts.shape)
    for t in range(9, counts.shape[1]):
        base = counts[:, t - 9 : t - 2]
        out[:, t] = (counts[:, t] - base.mean(axis=1)) / np.maximum(base.std(axis=1, ddof=1), 0.5)
    return out


def delay_table(usual=0.3, after=(0.6, 0.9, 1.5), run_length=180, paths=500):
    """Mean delay of three rules with the same average run length, after 60 quiet bins."""
    rng = np.random.default_rng(3)
    alarm = tempo.Alarm(usual, ratio=3, false_alarm_bins=run_length)
    rules = {
        "tempo": alarm._odds,
        "CUSUM": lambda y: cusum(y, usual, 3.0),
        "EARS C2": ears_c2,
    }
    quiet = rng.poisson(usual, (1_000, run_length)).astype(float)
    bars = {
        name: np.quantile(rule(quiet).max(axis=1), math.exp(-1)) for name, rule in rules.items()
    }
    rows = {}
    for rate in after:
        y = np.concatenate(
            [rng.poisson(usual, (paths, 60)), rng.poisson(rate, (paths, 200))], axis=1
        )
        for name, rule in rules.items():
            passed = rule(y.astype(float)) > bars[name]
            fair = ~passed[:, :60].any(axis=1)  # no false alarm before the change
            delay = np.where(
                passed[fair, 60:].any(axis=1), passed[fair, 60:].argmax(axis=1) + 1, 200
            )
            rows.setdefault(name, {})[rate] = delay.mean()
    return pd.DataFrame(rows).T


@pytest.mark.slow
def test_the_delay_is_that_of_a_cusum_and_shorter_than_ears():
    table = delay_table()
    assert (table.loc["tempo"] <= 1.15 * table.loc["CUSUM"]).all()
    assert (table.loc["tempo"] < 0.7 * table.loc["EARS C2"]).all()
