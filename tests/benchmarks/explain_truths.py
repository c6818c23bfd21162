"""How often ``tempo.explain`` is right, wrong or undecided, on series whose truth is known.

    python tests/benchmarks/explain_truths.py poisson        # or negbin
    python tests/benchmarks/explain_truths.py poisson 10     # fewer replicates: a quick look

Six truths over 1,500 days, scaled to 30, 100 and 300 expected events, 50 replicates each, seeds fixed: a constant rate;
a Poisson rate that steps from .05 to .5 to .1 a day at days 500 and 800; Hawkes processes with branching ratio .3, .6
and .8 and a mean memory of five days; a Hawkes process of branching ratio .5 whose baseline steps up fourfold half-way.
Two processes; prints Markdown. The priors were settled on other seeds than these.
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
EVENTS = (30, 100, 300)
REPLICATES = 50
SEED = 4_2026

#: Name of each truth, the account that is right, and its branching ratio.
TRUTHS = {
    "constant": ("constant", 0.0),
    "two changes": ("changepoints", 0.0),
    "Hawkes .3": ("hawkes", 0.3),
    "Hawkes .6": ("hawkes", 0.6),
    "Hawkes .8": ("hawkes", 0.8),
    "Hawkes .5, step": ("hawkes+steps", 0.5),
}


def series(truth: str, events: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one series of the truth with so many events expected."""
    branching = TRUTHS[truth][1]
    level = np.ones(DAYS)
    if truth == "two changes":
        level = np.repeat([0.05, 0.5, 0.1], [500, 300, 700])
    elif truth.endswith("step"):
        level[DAYS // 2 :] = 4.0
    level *= events * (1 - branching) / level.sum()
    keep = 1 - 1 / 5  # a geometric memory of five days on average
    counts, state = np.zeros(DAYS, dtype=np.int64), 0.0
    for day in range(DAYS):
        counts[day] = rng.poisson(level[day] + branching * state)
        state = keep * state + (1 - keep) * counts[day]
    return counts


def weigh(job: tuple[str, int, int, str]) -> dict[str, object]:
    """Weigh one replicate."""
    from tempo.errors import FewEventsWarning, MemoryWarning, SeasonWarning
    from tempo.models.explain import explain

    truth, events, replicate, observation = job
    rng = np.random.default_rng([SEED, list(TRUTHS).index(truth), events, replicate])
    counts = pd.Series(
        series(truth, events, rng),
        index=pd.date_range("2015-01-01", periods=DAYS, freq="1D"),
        name="attack",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verdict = explain(counts, observation=observation, rng=1)  # type: ignore[arg-type]
    assert all(
        issubclass(w.category, FewEventsWarning | MemoryWarning | SeasonWarning) for w in caught
    )
    return {
        "truth": truth,
        "events": events,
        "top": verdict.top,
        "best": float(verdict.probabilities.max()),
        "decided": verdict.decided,
        "contagion": verdict.contagion,
        "branching": verdict.branching_ratio,
        "changes": verdict.n_changes,
        "season": verdict.season_explains,
        **{f"p {name}": float(p) for name, p in verdict.probabilities.items()},
    }


def report(table: pd.DataFrame) -> str:
    """Write the tables."""
    account = table["truth"].map(lambda truth: TRUTHS[truth][0])
    contagious = table["truth"].map(lambda truth: TRUTHS[truth][1] > 0)
    table = table.assign(
        right=table["decided"] & (table["top"] == account),
        wrong=(table["best"] > 0.9) & (table["top"] != account),
        contagion_right=np.where(contagious, table["contagion"] >= 0.8, table["contagion"] <= 0.2),
        contagion_wrong=np.where(contagious, table["contagion"] <= 0.2, table["contagion"] >= 0.8),
    )
    rates = ["right", "wrong", "contagion_right", "contagion_wrong"]
    head = "| events | right | wrong above .9 | contagion at .8: right / wrong | false changes, Hawkes truths "
    lines = [f"{head}| branching, two changes | season warned |", "|---|---|---|---|---|---|---|"]
    for events, part in table.groupby("events"):
        by_truth = part.groupby("truth")[rates].mean().mean()
        steady = part[part["truth"].isin(["Hawkes .3", "Hawkes .6", "Hawkes .8"])]
        steps = part[part["truth"] == "two changes"]
        lines.append(
            f"| {events} | {by_truth['right']:.1%} | {by_truth['wrong']:.1%} | {by_truth['contagion_right']:.1%} / "
            f"{by_truth['contagion_wrong']:.1%} | {steady['changes'].mean():.2f} | {steps['branching'].mean():.3f} | "
            f"{part['season'].mean():.1%} |"
        )
    names = [name for name in table if name.startswith("p ")]
    lines += [
        "",
        "| truth | events | right | undecided | wrong | "
        + " | ".join(n[2:] for n in names)
        + " | branching |",
        "|---|---|---|---|---|" + "---|" * (len(names) + 1),
    ]
    for (events, truth), part in table.groupby(["events", "truth"], sort=False):
        mean = " | ".join(f"{part[name].mean():.2f}" for name in names)
        settled = float(part["decided"].mean())
        right = float(part["right"].mean())
        lines.append(
            f"| {truth} | {events} | {right:.0%} | {1 - settled:.0%} | {settled - right:.0%} | {mean} | "
            f"{part['branching'].mean():.2f} |"
        )
    lines += ["", "| top account stated at | verdicts | mean stated | right |", "|---|---|---|---|"]
    hit = table["top"] == account
    for low, high in ((0.25, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        inside = (table["best"] >= low) & (table["best"] < high)
        if inside.any():
            lines.append(
                f"| {low:.2f} to {min(high, 1):.2f} | {int(inside.sum())} | {table.loc[inside, 'best'].mean():.2f} | "
                f"{hit[inside].mean():.2f} |"
            )
    return "\n".join(lines)


def study(observation: str, replicates: int = REPLICATES) -> pd.DataFrame:
    """Weigh every replicate of every truth."""
    jobs = [
        (truth, events, replicate, observation)
        for events in EVENTS
        for truth in TRUTHS
        for replicate in range(replicates)
    ]
    with get_context("spawn").Pool(2) as pool:
        return pd.DataFrame(pool.map(weigh, jobs, chunksize=10))


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "poisson"
    how_many = int(sys.argv[2]) if len(sys.argv) > 2 else REPLICATES
    os.environ["NUMBA_NUM_THREADS"] = "1"  # two processes of one thread each
    started = time.perf_counter()
    outcome = study(chosen, how_many)
    print(report(outcome))  # noqa: T201
    print(  # noqa: T201
        f"\n{chosen}, {len(outcome)} verdicts, {time.perf_counter() - started:.0f} s",
        file=sys.stderr,
    )
