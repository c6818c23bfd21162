"""Speed of ``tempo.explain`` on five years of days, season check included.

pytest tests/benchmarks/test_explain_speed.py --benchmark-only
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tempo.models.explain import explain


@pytest.mark.parametrize("observation", ["negbin", "poisson"])
@pytest.mark.parametrize("events", [60, 300])
def test_explain_five_years(benchmark, events, observation) -> None:
    """Goal: at most 2 s."""
    rng, state, level = np.random.default_rng(1), 0.0, 0.4 * events / 1826
    y = np.zeros(1826, dtype=np.int64)
    for t in range(1826):
        y[t] = rng.poisson(level + 0.6 * state)
        state = 0.8 * state + 0.2 * y[t]
    counts = pd.Series(y, index=pd.date_range("2015-01-01", periods=1826, freq="1D"), name="attack")
    verdict = benchmark.pedantic(
        explain, (counts,), {"observation": observation, "rng": 1}, rounds=3, warmup_rounds=1
    )
    assert verdict.contagion > 0.9
