"""Calibration of lethality: ranks under the prior, and coverage of P(at least k) on heavy tails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tempo
from tempo.models import severity_tails as tails
from tempo.models.lethality_any import WEIGHT_PRIOR

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::tempo.errors.FewEventsWarning")]


def attacks(killed: np.ndarray, **columns: object) -> tempo.Incidents:
    days = pd.date_range("2000-01-01", periods=len(killed), freq="1D")
    table = pd.DataFrame({"date_start": days, "killed": killed, **columns})
    return tempo.Incidents(table, ("2000-01-01", "2020-01-01"))


def drawn_tail(rng: np.random.Generator) -> tuple[str, np.ndarray]:
    family = list(tails.FAMILIES)[rng.integers(3)]
    mean, sd = np.array(tails.PRIORS[family]).T
    return family, rng.normal(mean, sd)[None]


def censored(killed: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Hide some tolls behind intervals, some behind nothing, whatever they are."""
    killed = killed.astype(float)
    low, high = killed.copy(), killed.copy()
    hidden = rng.random(len(killed))
    vague = (
        hidden < 0.3
    )  # within a fixed grid of intervals, which does not depend on the toll beyond that
    edges = np.array([0, 2, 5, 20, np.inf])
    place = np.searchsorted(edges, killed, side="right") - 1
    low[vague], high[vague] = edges[place[vague]], edges[place[vague] + 1] - 1
    unknown = hidden > 0.85
    low[unknown] = high[unknown] = np.nan
    high[np.isinf(high)] = np.nan
    best = np.where(vague | unknown, np.nan, killed)
    return {"killed": best, "killed_low": low, "killed_high": high}


def test_ranks_under_the_prior_are_uniform() -> None:
    """Simulation-based calibration (Talts et al. 2018) of the exact average, with intervals and unknown tolls."""
    rng = np.random.default_rng(11)
    k = np.array([1.0, 3.0, 10.0])
    ranks = []
    for i in range(100):
        family, theta = drawn_tail(rng)
        chance = rng.random()
        n = int(rng.integers(5, 40))
        killed = tails.sample(family, theta, rng, each=n)[0] * (rng.random(n) < chance)
        columns = censored(np.minimum(killed, 10**6), rng)
        incidents = attacks(columns.pop("killed"), **columns)
        model = tempo.Lethality(weighing="evidence", x_min=1, tail_prior=(1, 1, 1))
        fit = model.fit(incidents, rng=i, draws=400)
        truth = chance * np.exp(tails.log_survival(family, theta, k))[0]
        ours = fit.chance[:, None] * fit.draws.survival(k)
        ranks.append((ours < truth).mean(axis=0))
    for column in np.array(ranks).T:
        assert stats.kstest(column, "uniform").pvalue > 0.002


def test_ranks_of_groups_are_uniform() -> None:
    rng = np.random.default_rng(12)
    ranks = []
    for i in range(150):
        mean, weight = rng.random(), np.exp(rng.normal(*WEIGHT_PRIOR))
        chance = np.clip(rng.beta(mean * weight, (1 - mean) * weight, 3), 1e-9, 1 - 1e-9)
        group = np.repeat([0, 1, 2], [2, 10, 25])
        lethal = rng.random(37) < chance[group]
        incidents = attacks(lethal.astype(float), kind=np.array(["a", "b", "c"])[group])
        fit = tempo.Lethality(group="kind", tail="power").fit(incidents, rng=i, draws=400)
        ours = fit.posterior["posterior"]["group_level"].to_numpy().reshape(-1, 3)
        ranks.append((ours < chance).mean(axis=0))
    for column in np.array(ranks).T:
        assert stats.kstest(column, "uniform").pvalue > 0.002


@pytest.mark.parametrize("family", ["power", "lognormal"])
def test_intervals_cover_the_chance_of_a_deadly_attack(family) -> None:
    """On heavy tails (a power law of infinite variance), with about 32 lethal attacks of 80.

    With the right tail nine intervals of ten hold, and nearly as many of the average, which does not know which is
    right. ``tests/benchmarks/lethality_coverage.py`` has more truths and sizes.
    """
    rng = np.random.default_rng(13)
    theta = np.array([[np.log(1.3)]]) if family == "power" else np.array([[0.3, np.log(1.6)]])
    k = [1, 5, 20, 100]
    truth = 0.4 * np.exp(tails.log_survival(family, theta, k))[0]
    held: dict[str, list[np.ndarray]] = {"right": [], "average": []}
    low_enough = []
    for i in range(200):
        killed = tails.sample(family, theta, rng, each=80)[0] * (rng.random(80) < 0.4)
        fit = tempo.Lethality().fit(attacks(killed), rng=i, draws=400)
        table = fit.exceedance(k)
        held["average"].append((table["low"] <= truth) & (truth <= table["high"]))
        low_enough.append(table["low"] <= truth)
        alone = [fit.by_tail(at).loc[family] for at in k]
        held["right"].append(
            [row["low"] <= t <= row["high"] for row, t in zip(alone, truth, strict=True)]
        )
    right, average = np.mean(held["right"], axis=0), np.mean(held["average"], axis=0)
    # Binomial error of 200 tries is 2 points.
    assert ((right > 0.80) & (right < 0.98)).all(), right
    assert (average > 0.81).all(), average
    assert (np.mean(low_enough, axis=0) > 0.88).all()
