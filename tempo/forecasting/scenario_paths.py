"""Futures under weighed scenarios: attacks, their kinds and their deaths, for one scenario or for the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.forecasting.evidence import Account, Told
from tempo.forecasting.outlook import TollFit
from tempo.forecasting.story_kernels import futures, silence
from tempo.models.hawkes_kernels_random import seeds
from tempo.randomness import spawn

__all__ = ["MarksSeen", "Paths", "attacks", "joined_paths", "scenario_paths"]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]

_CAP = 100_000  # attacks on one day, where a story lets them multiply without end


@dataclass(frozen=True, slots=True, eq=False)
class MarksSeen:
    """What the data say about kinds and deaths by the end, for stories that do not speak of them.

    Attributes
    ----------
    kinds : tuple of str
        Kinds that the scenarios tell apart.
    by_kind : ndarray of float, shape (kinds,), or None
        Attacks of each kind in all the past, plus one.
    """

    kinds: tuple[str, ...] = ()
    by_kind: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Simulated futures.

    Attributes
    ----------
    counts : ndarray of int, shape (draws, days)
        Attacks.
    by_kind : ndarray of int, shape (draws, days, kinds), or None
        The same by kind.
    deaths, deadliest : ndarray of int, shape (draws, days), or None
        Deaths, and deaths in the deadliest attack of the day.
    capped : bool
        Whether attacks multiplied without end somewhere.
    log_none : ndarray of float, shape (draws, days), or None
        Log-probability of each draw that no attack comes up to the end of each day.
    """

    counts: Counts
    by_kind: Counts | None
    deaths: Counts | None
    deadliest: Counts | None
    capped: bool
    log_none: Floats | None = None


def attacks(
    account: Account,
    rows: Counts,
    state: Floats | None,
    told: Told,
    rng: np.random.Generator,
    *,
    reported_only: bool,
) -> Counts:
    """Draw one future for each row.

    Parameters
    ----------
    account : Account
        The scenario.
    rows : ndarray of int, shape (draws,)
        Which draws of the story.
    state : ndarray of float, shape (draws,), or None
        What earlier reported attacks have left.
    told : Told
        The story of these draws about the days.
    rng : numpy.random.Generator
        Draws the attacks.
    reported_only : bool
        Whether to count the attacks that will be reported, or all.

    Returns
    -------
    ndarray of int, shape (draws, days)
        Attacks.
    """
    rate, state = _happening(account, rows, state, told, reported_only=reported_only)
    if told.plain:
        return np.asarray(rng.poisson(rate))
    out = np.empty(rate.shape, dtype=np.int64)
    futures(
        rate,
        told.branching,
        told.decay,
        told.dispersion,
        np.zeros(len(rate)) if state is None else state,
        seeds(rng, len(rate)),
        _CAP,
        out,
    )
    return out


def _log_none(
    account: Account, rows: Counts, state: Floats | None, told: Told, *, reported_only: bool
) -> Floats:
    """Give the log-probability of each draw that no attack comes up to the end of each day."""
    rate, state = _happening(account, rows, state, told, reported_only=reported_only)
    if told.plain:
        return np.asarray(-np.cumsum(rate, axis=1))
    out = np.empty(rate.shape)
    silence(
        rate,
        told.branching,
        told.decay,
        told.dispersion,
        np.zeros(len(rate)) if state is None else state,
        out,
    )
    return out


def _happening(
    account: Account, rows: Counts, state: Floats | None, told: Told, *, reported_only: bool
) -> tuple[Floats, Floats | None]:
    """Give the rate and the excitation of reported attacks, or of all that happen."""
    if account.reported is None or reported_only:
        return told.rate, state
    share = account.reported[rows]
    return told.rate / share[:, None], None if state is None else state / share


def scenario_paths(
    account: Account,
    days: pd.DatetimeIndex,
    draws: int,
    rng: np.random.Generator,
    *,
    seen: MarksSeen,
    lethality: TollFit | None = None,
    reported_only: bool = False,
) -> Paths:
    """Draw futures under one scenario, as updated by what was observed.

    Parameters
    ----------
    account : Account
        The scenario.
    days : pandas.DatetimeIndex
        The future.
    draws : int
        How many futures.
    rng : numpy.random.Generator
        Draws them; kinds and deaths have streams of their own, so that they change no attack.
    seen : MarksSeen
        For stories that do not speak of kinds.
    lethality : TollFit, optional
        For stories that do not speak of deaths.
    reported_only : bool, default False
        Whether to count the attacks that will be reported, or all.

    Returns
    -------
    Paths
        Deaths only where the story or ``lethality`` says how many die.
    """
    kinds_rng, deaths_rng = spawn(rng, 2)
    rows, state = account.picked(draws, rng)
    told = account.told(rows, days)
    counts = attacks(account, rows, state, told, rng, reported_only=reported_only)
    by_kind = None
    if seen.kinds and seen.by_kind is not None:
        shares = told.story.shares
        if shares is None:
            shares = kinds_rng.dirichlet(seen.by_kind, size=draws)[:, None, :]
        by_kind = kinds_rng.multinomial(
            counts, np.broadcast_to(shares, (*counts.shape, len(seen.kinds)))
        )
    deaths = deadliest = None
    law = account.scenario.deaths
    if told.story.lethal is not None and law is not None:
        lethal = deaths_rng.binomial(counts, told.story.lethal)
        deaths, deadliest = _tolls(lethal, law.draw(int(lethal.sum()), deaths_rng))
    elif lethality is not None:
        deaths, deadliest = lethality.simulate_deaths(counts, deaths_rng)
    return Paths(
        counts,
        by_kind,
        deaths,
        deadliest,
        bool((counts >= _CAP).any()),
        None  # what is said of all draws is better, and only the unreported differ between them and the record
        if account.reported is None
        else _log_none(account, rows, state, told, reported_only=reported_only),
    )


def _tolls(lethal: Counts, killed: Counts) -> tuple[Counts, Counts]:
    """Add up, and find the largest of, the deaths of the lethal attacks of each day."""
    cells = np.repeat(np.arange(lethal.size), lethal.ravel())
    total = np.zeros(lethal.size, dtype=np.int64)
    largest = np.zeros(lethal.size, dtype=np.int64)
    np.add.at(total, cells, killed)
    np.maximum.at(largest, cells, killed)
    return total.reshape(lethal.shape), largest.reshape(lethal.shape)


def joined_paths(
    accounts: Sequence[Account],
    shares: Mapping[int, int],
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
    *,
    seen: MarksSeen,
    lethality: TollFit | None = None,
) -> Paths:
    """Draw futures under several scenarios, and shuffle them.

    Parameters
    ----------
    accounts : sequence of Account
        All scenarios.
    shares : mapping of int to int
        How many futures of which scenario.
    days : pandas.DatetimeIndex
        The future.
    rng : numpy.random.Generator
        Draws them.
    seen, lethality
        As in ``scenario_paths``.

    Returns
    -------
    Paths
        Kinds and deaths only where all of the scenarios have them.
    """
    streams = spawn(rng, len(accounts) + 1)
    parts = [
        scenario_paths(accounts[index], days, draws, streams[index], seen=seen, lethality=lethality)
        for index, draws in shares.items()
    ]
    order = np.arange(sum(shares.values()))[:, None]
    if len(shares) > 1:
        streams[-1].shuffle(order, axis=0)
    places = order[:, 0]

    def joined(pieces: list[Counts | None]) -> Counts | None:
        whole = [piece for piece in pieces if piece is not None]
        return np.concatenate(whole)[places] if len(whole) == len(pieces) else None

    filled = [part for part in parts if len(part.counts)]
    return Paths(
        np.concatenate([part.counts for part in parts])[places],
        joined([part.by_kind for part in parts]),
        joined([part.deaths for part in filled]),
        joined([part.deadliest for part in filled]),
        any(part.capped for part in parts),
        np.concatenate([part.log_none for part in filled])
        if all(part.log_none is not None for part in filled)
        else None,
    )
