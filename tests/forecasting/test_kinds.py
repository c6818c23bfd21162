"""Forecasts by kind, with deaths: each kind kills with its own chance, and the futures belong together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo

DAYS = 400


@pytest.fixture(scope="module")
def attacks() -> tempo.Incidents:
    rng = np.random.default_rng(2)
    days = rng.integers(0, DAYS, 240)
    kind = np.array(["bomb", "rocket"])[rng.integers(0, 2, 240)]
    killed = np.where(kind == "bomb", rng.random(240) < 0.7, rng.random(240) < 0.05) * 2.0
    table = pd.DataFrame(
        {
            "date_start": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "kind": kind,
            "killed": killed,
        }
    )
    return tempo.Incidents(table, ("2020-01-01", "2021-02-04"))


@pytest.fixture(scope="module")
def fit(attacks: tempo.Incidents) -> object:
    return tempo.HawkesKinds().fit(attacks, method="mle", rng=1)


def test_deaths_follow_the_chance_of_each_kind(attacks, fit) -> None:
    lethality = tempo.Lethality(group="kind").fit(attacks, rng=1)
    outlooks = tempo.forecast_kinds(fit, "60D", 4_000, rng=3, lethality=lethality)
    for kind, outlook in outlooks.items():
        chance = float(lethality.probability(given={"kind": kind}))
        per_attack = float(outlook.deaths.sum() / outlook.counts.sum())
        assert per_attack == pytest.approx(2 * chance, rel=0.2)
        assert bool((outlook.deadliest <= outlook.deaths).all())
        assert bool((outlook.deaths.where(outlook.counts == 0, 0) == 0).all())
    assert outlooks["bomb"].probability_deaths(1, "60D") > outlooks["rocket"].probability_deaths(
        1, "60D"
    )


def test_attacks_are_the_same_with_deaths_and_without(attacks, fit) -> None:
    lethality = tempo.Lethality().fit(attacks, rng=1)
    plain = tempo.forecast_kinds(fit, "30D", 500, rng=3)
    deadly = tempo.forecast_kinds(fit, "30D", 500, rng=3, lethality=lethality)
    for kind in plain:
        np.testing.assert_array_equal(plain[kind].counts, deadly[kind].counts)
        assert plain[kind].deaths is None


def test_a_new_kind_has_the_chance_of_a_new_group(attacks) -> None:
    lethality = tempo.Lethality(group="kind").fit(attacks, rng=1)
    one_each = np.ones((20_000, 1, 2), dtype=np.int64)
    total, _ = lethality.simulate_deaths_by_group(
        one_each, ["bomb", "drone"], np.random.default_rng(1)
    )
    some = (total > 0).mean(axis=(0, 1))
    table = lethality.groups()
    assert some == pytest.approx(table.loc[["bomb", "a new one"], "probability"], abs=0.02)


def test_covariates_of_future_attacks_are_those_of_past_ones_of_the_kind(attacks, fit) -> None:
    """Each attack to come is like one of its kind, in the season of the first day ahead."""
    lethality = tempo.Lethality(formula="season", group="kind").fit(attacks, rng=1)
    outlooks = tempo.forecast_kinds(fit, "60D", 4_000, rng=1, lethality=lethality)
    seasons = np.array(["winter", "spring", "summer", "autumn"])
    for kind, outlook in outlooks.items():
        # Days with a single attack: how many it kills has no mean to compare with, because one tail is heavy.
        single = np.asarray(outlook.counts) == 1
        lethal = float((np.asarray(outlook.deaths)[single] > 0).mean())
        season = seasons[outlook.start.month % 12 // 3]
        chance = float(lethality.probability(given={"kind": kind, "season": season}))
        assert lethal == pytest.approx(chance, rel=0.15)
