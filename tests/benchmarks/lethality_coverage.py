"""How often the intervals of P(at least k killed) hold the truth: the table of the page on lethality.

    python tests/benchmarks/lethality_coverage.py          # 200 replicates, some ten minutes
    python tests/benchmarks/lethality_coverage.py 20       # a quick look

Attacks kill with a chance of .4; tolls then follow one of four truths. Intervals are those of the average over tails,
and of the right tail alone.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

import tempo
from tempo.errors import TempoWarning
from tempo.models import severity_tails as tails

CHANCE = 0.4
ASKED = [5, 20, 100]
ATTACKS = [40, 80, 250]
#: Name of each truth -> family and parameters: all but the last are among the three that are averaged.
TRUTHS = {
    "power law, exponent 2.3": ("power", [np.log(1.3)]),
    "power law, exponent 2.0": ("power", [np.log(1.0)]),
    "log-normal, sigma 1.6": ("lognormal", [0.3, np.log(1.6)]),
    "negative binomial, mean 2.7": ("negbin", [1.0, 0.0]),
}


def held(name: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell for each k whether the average's interval, and that of the right tail, holds the truth."""
    family, parameters = TRUTHS[name]
    theta = np.array([parameters])
    rng = np.random.default_rng([seed, n, list(TRUTHS).index(name)])
    killed = tails.sample(family, theta, rng, each=n)[0] * (rng.random(n) < CHANCE)
    table = pd.DataFrame({"date_start": pd.date_range("2000-01-01", periods=n), "killed": killed})
    incidents = tempo.Incidents(
        table, ("2000-01-01", table["date_start"].max() + pd.Timedelta("1D"))
    )
    fit = tempo.Lethality().fit(incidents, rng=seed, draws=1_000)
    truth = CHANCE * np.exp(tails.log_survival(family, theta, ASKED))[0]
    whole = fit.exceedance(ASKED)
    alone = pd.DataFrame([fit.by_tail(k).loc[family] for k in ASKED])
    return tuple(
        ((t["low"].to_numpy() <= truth) & (truth <= t["high"].to_numpy())) for t in (whole, alone)
    )


def main(replicates: int = 200) -> None:
    """Print the table."""
    warnings.simplefilter("ignore", TempoWarning)
    columns = [f"{which} P(>= {k})" for which in ("average", "right tail") for k in ASKED]
    rows = {}
    for name in TRUTHS:
        for n in ATTACKS:
            tries = np.array([np.concatenate(held(name, n, seed)) for seed in range(replicates)])
            rows[name, n] = np.round(100 * tries.mean(axis=0)).astype(int)
            print(name, n, rows[name, n], flush=True)  # noqa: T201
    print(pd.DataFrame.from_dict(rows, orient="index", columns=columns).to_string())  # noqa: T201


if __name__ == "__main__":
    main(*[int(text) for text in sys.argv[1:]])
