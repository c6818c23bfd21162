"""Deaths in a forecast: drawn with the attacks, the same attacks as without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.errors import OptionError


@pytest.fixture(scope="module")
def past() -> tempo.Incidents:
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=120, freq="2D"),
            "killed": [0.0, 0, 1, 0, 0, 3] * 20,
        }
    )
    return tempo.Incidents(table, ("2020-01-01", "2020-08-28"))


@pytest.fixture(scope="module")
def outlooks(past):
    rate = tempo.ConstantRate().fit(past, rng=1)
    deadly = tempo.Lethality().fit(past, rng=1)
    return (
        tempo.forecast(rate, "60D", 4_000, rng=5),
        tempo.forecast(rate, "60D", 4_000, rng=5, lethality=deadly),
        deadly,
    )


def test_attacks_are_the_same_with_and_without_deaths(outlooks) -> None:
    without, with_deaths, _ = outlooks
    np.testing.assert_array_equal(without.counts, with_deaths.counts)
    assert without.deaths is None


def test_deaths_come_from_attacks_only(outlooks) -> None:
    _, outlook, deadly = outlooks
    counts, deaths, deadliest = (
        a.to_numpy() for a in (outlook.counts, outlook.deaths, outlook.deadliest)
    )
    assert deaths.shape == counts.shape
    assert (deaths[counts == 0] == 0).all()
    assert (deadliest <= deaths).all()
    np.testing.assert_array_equal(deadliest[counts == 1], deaths[counts == 1])
    one = counts == 1
    assert np.mean(deaths[one] >= 1) == pytest.approx(float(deadly.probability(1)), abs=0.01)
    assert np.mean(deaths[one] >= 4) == pytest.approx(float(deadly.probability(4)), abs=0.01)


def test_parameters_are_shared_within_a_future(outlooks) -> None:
    """A future with a high chance of death has it for all its attacks."""
    _, outlook, _ = outlooks
    lethal = (outlook.deadliest.to_numpy() > 0) & (outlook.counts.to_numpy() == 1)
    alone = outlook.counts.to_numpy() == 1
    first, second = alone[:, :30].sum(axis=1), alone[:, 30:].sum(axis=1)
    seen = (first > 3) & (second > 3)
    a = lethal[:, :30].sum(axis=1)[seen] / first[seen]
    b = lethal[:, 30:].sum(axis=1)[seen] / second[seen]
    assert np.corrcoef(a, b)[0, 1] > 0.05


def test_answers(outlooks) -> None:
    _, outlook, _ = outlooks
    totals = outlook.deaths.to_numpy().sum(axis=1)
    assert outlook.probability_deaths(10) == np.mean(totals >= 10)
    assert outlook.probability_deaths(10, in_one_attack=True) < outlook.probability_deaths(10)
    assert outlook.probability_deaths(1, "30D") < outlook.probability_deaths(1)
    table = outlook.death_quantiles(0.8)
    assert table.index[0] == outlook.start
    last = table.iloc[-1]
    assert last["cumulative_low"] <= last["cumulative_median"] <= last["cumulative_high"]
    assert last["cumulative_median"] == np.quantile(totals, 0.5, method="inverted_cdf")
    assert "mean" not in table
    assert "Deaths: " in outlook.describe()
    any_, lethal = outlook.time_to_next(), outlook.time_to_next(deaths=1)
    assert any_.median_days < lethal.median_days
    assert outlook.time_to_next(deaths=50).probability_beyond > 0.8


def test_without_lethality_deaths_are_refused(outlooks) -> None:
    outlook = outlooks[0]
    for ask in (
        outlook.death_quantiles,
        outlook.probability_deaths,
        lambda: outlook.time_to_next(deaths=1),
    ):
        with pytest.raises(OptionError, match="lethality="):
            ask()


def test_other_rule_is_said(past) -> None:
    rate = tempo.ConstantRate().fit(past.where("killed > 0"), rng=1)
    deadly = tempo.Lethality().fit(past, rng=1)
    notes = " ".join(tempo.forecast(rate, "30D", 100, rng=1, lethality=deadly).notes)
    assert "'killed > 0'" in notes
    assert "'every row'" in notes


def test_drawn_dates_are_no_other_rule() -> None:
    past = tempo.load_dataset("iraq-coalition")
    rate = tempo.ConstantRate().fit(past, rng=1)
    with pytest.warns(tempo.errors.FewEventsWarning):
        deadly = tempo.Lethality().fit(past, rng=1)
    notes = tempo.forecast(rate, "30D", 100, rng=1, lethality=deadly).notes
    assert not any("by the rule" in note for note in notes)


def test_wounded_are_called_so(past) -> None:
    wounded = tempo.Incidents(past.table.rename(columns={"killed": "wounded"}), past.window)
    deadly = tempo.Lethality(column="wounded").fit(wounded, rng=1)
    rate = tempo.ConstantRate().fit(wounded, rng=1)
    outlook = tempo.forecast(rate, "30D", 500, rng=1, lethality=deadly)
    assert "Wounded: " in outlook.describe()
