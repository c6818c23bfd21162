"""How probable a Hawkes fit held what came after its data: the log score of held-out counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts
from tempo.errors import DataError, OptionError
from tempo.models import hawkes_daily as daily
from tempo.models import hawkes_general as general
from tempo.models import hurdle
from tempo.models import observation as obs
from tempo.models.hawkes_binned import BinnedEngine
from tempo.models.hawkes_general_engine import GeneralEngine

__all__ = ["check_follows", "log_mass_ahead", "score_by_bin"]

type Floats = NDArray[np.float64]

AT_ONCE = 200  # draws


def check_follows(past: Counts, future: Counts) -> None:
    """Refuse held-out counts that do not begin where the fitted ones end.

    Parameters
    ----------
    past, future : Counts
        Fitted and held out.

    Raises
    ------
    DataError
        If the bins differ in length, or do not join.
    """
    if future.freq != past.freq or future.bin_starts[0] != past.end:
        raise DataError(
            f"held-out counts begin on {future.bin_starts[0]:%Y-%m-%d} in bins of {future.freq!r}; expected "
            f"{past.end:%Y-%m-%d}, where the fitted ones end, and bins of {past.freq!r}."
        )


def log_mass_ahead(engine: Any, draws: Floats, future: Counts) -> Floats:
    """Give the log probability of each held-out bin given the parameters and everything before it.

    Parameters
    ----------
    engine : BinnedEngine or GeneralEngine
        The data of one series.
    draws : ndarray, shape (draws, p)
        Parameters, as the engine takes them.
    future : Counts
        The bins after its last one. A bin that nobody watched scores 0, and excites with its conditional mean.

    Returns
    -------
    ndarray, shape (draws, bins)
        Natural logarithms.

    Raises
    ------
    OptionError
        In continuous time, where there are no bins to score.
    """
    parts = [
        _of_some(engine, np.ascontiguousarray(draws[i : i + AT_ONCE]), future)
        for i in range(0, len(draws), AT_ONCE)
    ]
    return np.concatenate(parts)


def _of_some(engine: Any, draws: Floats, future: Counts) -> Floats:
    values = future.to_numpy(dtype=float)
    share = np.where(np.isnan(values), 0.0, future.exposure.to_numpy(dtype=float))
    n = len(values)
    if isinstance(engine, BinnedEngine):
        past = engine.data
        fresh = -np.expm1(-draws[:, 2:3] * past.width)
        weights = fresh * (1.0 - fresh) ** np.arange(n)
        state = daily.final_state(past.counts, past.bin_days, past.width, draws)[:, None]
        branching = draws[:, 1:2]
        base = draws[:, :1] * np.broadcast_to(future.bin_days, n)
        carried = branching * state * (1.0 - fresh) ** np.arange(n)
        typical, dispersion, code = np.full(len(draws), math.nan), draws[:, 3], 0
    elif isinstance(engine, GeneralEngine):
        layout = engine.layout
        base, carried, forced = (
            part[:, -n:] for part in general.expectations(engine.block_ahead(draws, n), draws)
        )
        carried = carried + forced
        weights = layout.kernel(draws, n)
        branching = np.exp(draws[:, layout.at_branching])[:, None]
        typical, dispersion, _ = layout.sizes_at(draws)
        code = layout.code
    else:
        raise OptionError(
            "held-out counts are scored in bins, and this fit is in continuous time. Fit with time='daily'."
        )
    out = np.zeros((len(draws), n))
    events = np.zeros((len(draws), n))
    for t in range(n):
        among = branching[:, 0] * (events[:, :t] * weights[:, :t][:, ::-1]).sum(axis=1)
        if share[t] == 0.0:
            events[:, t] = base[:, t] + carried[:, t] + among
            continue
        events[:, t] = values[t]
        mean = share[t] * base[:, t] + carried[:, t] + among
        if code >= 2:
            out[:, t] = hurdle.log_pmf(values[t], mean, typical, dispersion)
        else:
            out[:, t] = obs.log_pmf(values[t], mean, dispersion)
    return out


def score_by_bin(log_mass: Floats, future: Counts) -> pd.Series:
    """Average over draws, bin after bin, so that the scores add up to that of all bins together.

    Parameters
    ----------
    log_mass : ndarray, shape (draws, bins)
        From `log_mass_ahead`.
    future : Counts
        The bins.

    Returns
    -------
    pandas.Series
        ``log_predictive`` of each bin given all before it, the held-out ones included.
    """
    together = logsumexp(np.cumsum(log_mass, axis=1), axis=0) - math.log(len(log_mass))
    return pd.Series(np.diff(together, prepend=0.0), index=future.index, name="log_predictive")
