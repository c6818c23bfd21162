"""Speed of weighing scenarios, of their history, and of joint forecasts.

pytest tests/benchmarks/test_scenarios_speed.py --benchmark-only
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo


@pytest.fixture(scope="module")
def past() -> tempo.Incidents:
    rng = np.random.default_rng(1)
    day = np.sort(rng.integers(0, 830, 140))
    table = pd.DataFrame(
        {"date_start": pd.Timestamp("2018-01-01") + pd.to_timedelta(day, unit="D")}
    )
    table["kind"] = rng.choice(["rocket", "mortar", "bomb"], 140)
    table["killed"] = rng.choice([0.0, 2.0], 140, p=[0.8, 0.2])
    return tempo.Incidents(table, ("2018-01-01", "2020-04-10"), label="raid")


def test_history_of_five_scenarios_over_two_years(benchmark, past) -> None:
    """Goal: at most 2 s."""
    earlier = past.before("2018-04-11")
    build = tempo.Scenario
    told = [
        build.every("4-8 days", name="steady"),
        build.every("1-2 months", name="rare"),
        build.escalation(earlier, (2, 6), onset=("2018-04-11", "2020-04-01"), name="jump"),
        build.surge_and_return(earlier, "x2 to x6", "2-6 weeks", onset=("2018-06-01", "2020-04-01"), name="surge"),
        build.retaliation_spiral(earlier, onset="2018-04-11", name="spiral"),
    ]  # fmt: skip

    def odds() -> pd.DataFrame:
        return tempo.weigh(past, told, since="2018-04-11", rng=1).history()

    history = benchmark.pedantic(odds, rounds=3, warmup_rounds=1)
    assert history.shape == (731, 5)
    np.testing.assert_allclose(history.sum(axis=1), 1)


def test_joint_forecast_of_attacks_kinds_and_deaths(benchmark, past) -> None:
    """Goal: 10,000 futures of 90 days and three kinds, with deaths, in at most 1 s."""
    kinds = {"rocket": 0.4, "mortar": 0.4, "bomb": 0.2}

    def story(name: str, rate: str) -> tempo.Scenario:
        phase = tempo.Phase.of("now", rate, kinds=kinds, lethality="10-30 %")
        return tempo.Scenario.of_phases(name, [phase], deaths="1-6")

    weights = tempo.weigh(past, [story("some", "1-2 a week"), story("more", "2-3 a week")], rng=1)

    def forecast() -> dict[str, tempo.Outlook]:
        assert weights.outlook("90D", 10_000, rng=1).deaths is not None
        return weights.outlooks_by_kind("90D", 10_000, rng=1)

    outlooks = benchmark.pedantic(forecast, rounds=3, warmup_rounds=1)
    assert list(outlooks) == ["bomb", "mortar", "rocket"]
