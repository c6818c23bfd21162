"""How soon four rules notice a change, all of them set to the same average time to a false alarm.

    python tests/benchmarks/alarm_delays.py            # 300 simulated series; prints Markdown
    python tests/benchmarks/alarm_delays.py 50         # a quick look

Daily Poisson counts: 130 weeks of history, 60 quiet days under watch, then another rate for 200 days. One false alarm
in 180 days on average. ``tempo.Alarm`` and CUSUM (Lucas 1985) are told the usual rate; EARS C2 (Hutwagner et al. 2003)
looks at seven days, two days ago; the Farrington-type rule (Farrington et al. 1996, with the gap of half a year and the
sharper weights of Noufaily et al. 2013) compares each week with a quasi-Poisson regression on the two years before,
with a yearly season, and a trend where that is significant.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import pandas as pd
import statsmodels.api as sm

import tempo

USUAL, RATIO, RUN_LENGTH = 0.3, 3.0, 180
AFTER = (0.6, 0.9, 1.5)
HISTORY, QUIET, LATER = 130 * 7, 60, 200
SEED = 3


def cusum(watched: np.ndarray) -> np.ndarray:
    """Give Page's sum of log-likelihood ratios, reset at 0."""
    steps = watched * math.log(RATIO) - USUAL * (RATIO - 1)
    out, level = np.empty(watched.shape), np.zeros(len(watched))
    for t in range(watched.shape[1]):
        level = np.maximum(level + steps[:, t], 0)
        out[:, t] = level
    return out


def ears_c2(watched: np.ndarray) -> np.ndarray:
    """Give the standardised distance from seven days, two days ago."""
    out = np.zeros(watched.shape)
    for t in range(9, watched.shape[1]):
        base = watched[:, t - 9 : t - 2]
        spread = np.maximum(base.std(axis=1, ddof=1), 0.5)
        out[:, t] = (watched[:, t] - base.mean(axis=1)) / spread
    return out


def farrington_score(weeks: np.ndarray, now: int) -> float:
    """Give how far a week lies above what the two years up to half a year ago let expect, in standard errors."""
    past = np.arange(now - 26 - 104, now - 26)
    place = np.append(past, now)
    angle = 2 * np.pi * place * 7 / 365.25
    full = np.column_stack(
        [np.ones(len(place)), np.sin(angle), np.cos(angle), (place - past[0]) / 104]
    )
    values = weeks[past]
    if not values.any():
        return float(weeks[now] > 0) * 10.0
    design = full
    for attempt in ("with trend", "without"):
        weights = np.ones(len(past))
        for _ in range(2):  # weeks that look like outbreaks count less the second time
            fit = sm.GLM(
                values, design[:-1], family=sm.families.Poisson(), var_weights=weights
            ).fit(scale="X2", maxiter=50)
            mean, spread = fit.fittedvalues, max(fit.scale, 1.0)
            anscombe = 1.5 * (values ** (2 / 3) - mean ** (2 / 3)) / mean ** (1 / 6)
            anscombe /= math.sqrt(spread)
            weights = np.where(anscombe > 2.58, (2.58 / np.maximum(anscombe, 2.58)) ** 2, 1.0)
            weights *= len(weights) / weights.sum()
        if attempt == "without" or fit.pvalues[-1] < 0.05:
            break
        design = full[:, :-1]
    mean = float(np.exp(design[-1] @ fit.params))
    doubt = spread * mean + mean**2 * float(design[-1] @ fit.cov_params() @ design[-1])
    return 1.5 * (weeks[now] ** (2 / 3) - mean ** (2 / 3)) * mean ** (1 / 3) / math.sqrt(doubt)


def farrington(history: np.ndarray, watched: np.ndarray) -> np.ndarray:
    """Give the score of each whole week on its last day, and minus infinity on all other days."""
    days = np.concatenate([history, watched], axis=1)
    weeks = days[:, : days.shape[1] // 7 * 7].reshape(len(days), -1, 7).sum(axis=2)
    out = np.full(watched.shape, -np.inf)
    for now in range(HISTORY // 7, weeks.shape[1]):
        out[:, now * 7 + 6 - HISTORY] = [farrington_score(one, now) for one in weeks]
    return out


def table(paths: int) -> pd.DataFrame:
    """Mean delay in days of each rule, from the day of the change to the alarm, that day included."""
    rng = np.random.default_rng(SEED)
    alarm = tempo.Alarm(USUAL, ratio=RATIO, false_alarm_bins=RUN_LENGTH)

    def odds(_: np.ndarray, watched: np.ndarray) -> np.ndarray:
        index = pd.date_range("2020-01-01", periods=watched.shape[1])
        return np.stack(
            [alarm.watch(pd.Series(one, index=index))["probability"] for one in watched]
        )

    rules = {
        f"`tempo.Alarm(ratio={RATIO:g})`": odds,
        f"CUSUM designed for a ratio of {RATIO:g}": lambda _, watched: cusum(watched),
        "EARS C2": lambda _, watched: ears_c2(watched),
        "Farrington-type, by week": farrington,
    }
    history = rng.poisson(USUAL, (paths, HISTORY))
    quiet = rng.poisson(USUAL, (paths, RUN_LENGTH))
    # The time to a false alarm is about geometric: a share of 1/e passes the average run length in silence.
    bars = {
        name: float(np.quantile(rule(history, quiet).max(axis=1), math.exp(-1)))
        for name, rule in rules.items()
    }
    columns: dict[str, dict[str, float]] = {}
    for rate in AFTER:
        before, after = (
            rng.poisson(level, (paths, n)) for level, n in ((USUAL, QUIET), (rate, LATER))
        )
        watched = np.concatenate([before, after], axis=1)
        for name, rule in rules.items():
            passed = rule(history, watched) > bars[name]
            fair = ~passed[:, :QUIET].any(axis=1)  # no false alarm before the change
            late = passed[fair, QUIET:]
            delay = np.where(late.any(axis=1), late.argmax(axis=1) + 1, LATER)
            columns.setdefault(f"{rate:g}", {})[name] = float(delay.mean())
    return pd.DataFrame(columns)


if __name__ == "__main__":
    how_many = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    started = time.perf_counter()
    found = table(how_many)
    print("| rate after the change | " + " | ".join(found.columns) + " |")  # noqa: T201
    print("|---|" + "---|" * len(found.columns))  # noqa: T201
    for name, row in found.iterrows():
        print(f"| {name} | " + " | ".join(f"{value:.2g}" for value in row) + " |")  # noqa: T201
    print(f"\n{how_many} series, {time.perf_counter() - started:.0f} s", file=sys.stderr)  # noqa: T201
