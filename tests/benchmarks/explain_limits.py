"""What ``tempo.explain`` says where its prior does not fit: memories shorter and longer than it expects, and bursts.

    python tests/benchmarks/explain_limits.py memory       # Hawkes processes of other memories, under three priors
    python tests/benchmarks/explain_limits.py bursts       # several attacks on one day, neither contagion nor change

Over 1,500 days, 40 replicates each, seeds fixed. Two processes; prints Markdown.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from multiprocessing import get_context

import numpy as np
import pandas as pd

DAYS = 1_500
REPLICATES = 40
SEED = 5_2026
MEMORIES = (1.5, 5.0, 15.0, 45.0)  # mean days from an attack to what it triggers
HALF_LIVES = (1.5, 3.0, 12.0)  # medians of the prior; 3 is the default
BURSTS = ("constant", "two changes", "Hawkes .6")
ACCOUNT = {"constant": "constant", "two changes": "changepoints", "Hawkes .6": "hawkes"}


def hawkes(
    events: int, branching: float, memory_days: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a Hawkes process of so many expected events, whose offspring come so late on average."""
    keep = 1 - 1 / memory_days
    counts, state = np.zeros(DAYS, dtype=np.int64), 0.0
    for day in range(DAYS):
        counts[day] = rng.poisson(events * (1 - branching) / DAYS + branching * state)
        state = keep * state + (1 - keep) * counts[day]
    return counts


def bursts(truth: str, events: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a series of so many expected events whose variance is twice the mean, given the past."""
    level = np.ones(DAYS)
    if truth == "two changes":
        level = np.repeat([0.05, 0.5, 0.1], [500, 300, 700])
    branching = 0.6 if truth.startswith("Hawkes") else 0.0
    level *= events * (1 - branching) / level.sum()
    counts, state = np.zeros(DAYS, dtype=np.int64), 0.0
    for day in range(DAYS):
        mean = level[day] + branching * state
        counts[day] = rng.negative_binomial(mean, 0.5) if mean > 0 else 0
        state = 0.8 * state + 0.2 * counts[day]
    return counts


def weigh(job: tuple[str, float, float, int, int]) -> dict[str, object]:
    """Weigh one replicate."""
    from tempo.errors import FewEventsWarning, MemoryWarning, SeasonWarning
    from tempo.models.explain import ExplainPrior, explain

    kind, truth, asked, events, replicate = job
    if kind == "memory":
        rng = np.random.default_rng([SEED, round(10 * truth), events, replicate])
        drawn, prior, observation = (
            hawkes(events, 0.6, truth, rng),
            ExplainPrior(half_life_days=asked),
            "negbin",
        )
        right = "hawkes"
    else:
        rng = np.random.default_rng([SEED, 7, int(truth), events, replicate])
        drawn, prior = bursts(BURSTS[int(truth)], events, rng), ExplainPrior()
        observation, right = ("poisson", "negbin")[int(asked)], ACCOUNT[BURSTS[int(truth)]]
    counts = pd.Series(
        drawn, index=pd.date_range("2015-01-01", periods=DAYS, freq="1D"), name="attack"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verdict = explain(counts, observation=observation, prior=prior, rng=1)  # type: ignore[arg-type]
    assert all(
        issubclass(w.category, FewEventsWarning | MemoryWarning | SeasonWarning) for w in caught
    )
    return {
        "truth": truth,
        "asked": asked,
        "events": events,
        "right": verdict.decided and verdict.top == right,
        "wrong": verdict.decided and verdict.probabilities.max() > 0.9 and verdict.top != right,
        "back": verdict.memory_explains,
        "contagion": verdict.contagion,
        "changed": verdict.changed,
        "changes": verdict.n_changes,
        "branching": verdict.branching_ratio,
    }


def report(kind: str, table: pd.DataFrame) -> str:
    """Write the table."""
    first = "mean memory, days | half-life expected" if kind == "memory" else "truth | observation"
    lines = [
        f"| {first} | events | right | wrong above .9 | taken back | contagion | a change | changes | branching |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (truth, asked, events), part in table.groupby(["truth", "asked", "events"]):
        names = (
            (f"{truth:g}", f"{asked:g} days")
            if kind == "memory"
            else (BURSTS[int(truth)], ("poisson", "negbin")[int(asked)])
        )
        lines.append(
            f"| {names[0]} | {names[1]} | {events} | {part['right'].mean():.0%} | {part['wrong'].mean():.0%} | "
            f"{part['back'].mean():.0%} | "
            f"{part['contagion'].mean():.2f} | {part['changed'].mean():.2f} | {part['changes'].mean():.2f} | "
            f"{part['branching'].mean():.2f} |"
        )
    return "\n".join(lines)


def study(kind: str, replicates: int = REPLICATES) -> pd.DataFrame:
    """Weigh every replicate."""
    truths, asked = (MEMORIES, HALF_LIVES) if kind == "memory" else (range(3), range(2))
    jobs = [
        (kind, truth, choice, events, replicate)
        for truth in truths
        for choice in asked
        for events in ((150,) if kind == "memory" else (100, 300))
        for replicate in range(replicates)
    ]
    with get_context("spawn").Pool(2) as pool:
        return pd.DataFrame(pool.map(weigh, jobs, chunksize=10))


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "memory"
    how_many = int(sys.argv[2]) if len(sys.argv) > 2 else REPLICATES
    os.environ["NUMBA_NUM_THREADS"] = "1"  # two processes of one thread each
    started = time.perf_counter()
    outcome = study(chosen, how_many)
    print(report(chosen, outcome))  # noqa: T201
    print(  # noqa: T201
        f"\n{chosen}, {len(outcome)} verdicts, {time.perf_counter() - started:.0f} s",
        file=sys.stderr,
    )
