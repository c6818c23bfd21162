"""Speed of forecasts with deaths: 10,000 futures of 90 days for three kinds of attack."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import tempo


@pytest.mark.benchmark(group="joint forecast of frequency and lethality")
def test_three_kinds_with_deaths(benchmark) -> None:
    rng = np.random.default_rng(4)
    n = 600
    kind = np.array(["rocket", "IED", "drone"])[rng.integers(0, 3, n)]
    table = pd.DataFrame(
        {
            "date_start": pd.Timestamp("2018-01-01")
            + pd.to_timedelta(rng.integers(0, 1000, n), unit="D"),
            "kind": kind,
            "killed": np.where(rng.random(n) < 0.3, rng.zipf(2.5, n).clip(max=500), 0).astype(
                float
            ),
        }
    )
    attacks = tempo.Incidents(table, ("2018-01-01", "2020-09-27"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tempo.errors.TempoWarning)
        fit = tempo.HawkesKinds().fit(attacks, method="mle", rng=1)
        lethality = tempo.Lethality(group="kind").fit(attacks, rng=1)
        outlooks = benchmark(
            lambda: tempo.forecast_kinds(fit, "90D", 10_000, rng=7, lethality=lethality)
        )
    assert {o.deaths.shape for o in outlooks.values()} == {(10_000, 90)}
