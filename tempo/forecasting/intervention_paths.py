"""Two futures of one fit, as fitted and changed, from the same parameters and the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo.errors import OptionError
from tempo.forecasting.intervention_kernels import decaying_counts, lagged_counts
from tempo.models import hawkes_daily, hawkes_general
from tempo.models.changepoint_fit import ChangepointsFit
from tempo.models.constant import ConstantRateFit
from tempo.models.hawkes_binned import BinnedEngine
from tempo.models.hawkes_fit import HawkesFit
from tempo.models.hawkes_general_engine import GeneralEngine
from tempo.models.hawkes_timestamps import TimestampEngine
from tempo.models.posterior import deal
from tempo.models.regime_fit import RegimesFit

__all__ = ["CAP", "Change", "futures_of"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Pair = tuple[Integers, Integers]

CAP = 10_000.0  # attacks expected in one bin; a path that reaches it has exploded
_MOST_EVENTS = 20_000_000
_ROWS = 250


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed, and from which bin on.

    Attributes
    ----------
    baseline, branching : float
        Factors; 1 leaves it as it is.
    first : int
        The first bin that is changed.
    """

    baseline: float
    branching: float
    first: int

    def factors(self, n_bins: int) -> tuple[Floats, Floats]:
        """Give the factor of the baseline and of the branching ratio in each bin."""
        later = np.arange(n_bins) >= self.first
        return np.where(later, self.baseline, 1.0), np.where(later, self.branching, 1.0)


_UNCHANGED = Change(1.0, 1.0, 0)


def futures_of(
    fit: object, n_bins: int, draws: int, change: Change, rng: np.random.Generator
) -> Pair:
    """Draw both futures of a fit.

    Parameters
    ----------
    fit : fitted model
        Constant rate, changepoints, regimes or Hawkes.
    n_bins, draws : int
        Bins ahead, and futures.
    change : Change
        What is changed.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    as_fitted, changed : ndarray of int, shape (draws, n_bins)
        Row by row from the same parameters and random numbers.

    Raises
    ------
    OptionError
        If the change means nothing for this model, or cannot be worked out for it.
    """
    if isinstance(fit, ConstantRateFit):
        _require_no_branching(change, "a constant rate")
        return _constant(fit, n_bins, draws, change, rng)
    if isinstance(fit, ChangepointsFit):
        _require_no_branching(change, "a model of changepoints")
        return _thinned(fit.simulate(n_bins, draws, rng), change, rng, "changepoints")
    if isinstance(fit, RegimesFit):
        if fit.model.contagion:
            raise OptionError(
                "regimes with contagion cannot be changed in parts. Fit tempo.Hawkes for the question about the "
                "baseline or the branching ratio, or tempo.Regimes(contagion=False) for the baseline alone."
            )
        _require_no_branching(change, "a model of regimes without contagion")
        return _thinned(fit.simulate(n_bins, draws, rng), change, rng, "regimes")
    if isinstance(fit, HawkesFit):
        return _hawkes(fit, n_bins, draws, change, rng)
    raise OptionError(
        f"no change can be worked out for a {type(fit).__name__}. Fit tempo.Hawkes, tempo.ConstantRate, "
        "tempo.Changepoints or tempo.Regimes."
    )


def _require_no_branching(change: Change, what: str) -> None:
    if change.branching != 1.0:
        raise OptionError(
            f"{what} has no branching ratio to change. Change its baseline, or fit tempo.Hawkes."
        )


def _constant(
    fit: ConstantRateFit, n_bins: int, draws: int, change: Change, rng: np.random.Generator
) -> Pair:
    rows = fit.draws[deal(len(fit.draws), draws, rng)]
    factors, _ = change.factors(n_bins)
    u = rng.random((draws, n_bins))
    nothing = np.zeros(draws)
    found = []
    for factor in (np.ones(n_bins), factors):
        out = np.empty((draws, n_bins), dtype=np.int64)
        zero = np.zeros((draws, n_bins))
        decaying_counts(
            rows[:, :1] * factor, zero, nothing, nothing, rows[:, 1].copy(), u, CAP, out
        )
        found.append(out)
    return found[0], found[1]


def _thinned(counts: Integers, change: Change, rng: np.random.Generator, what: str) -> Pair:
    """Keep each attack with the factor as its probability: exact for counts that mix Poisson ones."""
    if change.baseline > 1:
        raise OptionError(
            f"a higher baseline cannot be worked out for {what}: attacks can be left out of a simulated future, but "
            "not added. Give a factor from 0 to 1, or use tempo.ConstantRate or tempo.Hawkes."
        )
    changed = counts.copy()
    changed[:, change.first :] = rng.binomial(counts[:, change.first :], change.baseline)
    return counts, changed


def _hawkes(
    fit: HawkesFit, n_bins: int, draws: int, change: Change, rng: np.random.Generator
) -> Pair:
    flat = fit.chains.reshape(-1, fit.chains.shape[-1])
    rows = deal(len(flat), draws, rng)
    origin = np.tile(fit.origin, fit.chains.shape[0])[rows]
    found = np.empty((2, draws, n_bins), dtype=np.int64)
    for i, engine in enumerate(fit.engines):
        mine = np.flatnonzero(origin == i)
        if len(mine):
            worker = _worker(engine)
            found[:, mine] = worker(engine, flat[rows[mine]], n_bins, change, rng)
    return found[0], found[1]


def _worker(engine: object) -> Callable[..., Pair]:
    # By exact type: engines of other clocks inherit from these.
    workers: dict[type, Callable[..., Pair]] = {
        BinnedEngine: _exponential,
        GeneralEngine: _general,
        TimestampEngine: _continuous,
    }
    if type(engine) in workers:
        return workers[type(engine)]
    raise OptionError(
        "this kind of Hawkes model in continuous time cannot be changed in parts. Fit it by day, "
        "tempo.Hawkes(time='daily'), or with an exponential kernel on a constant baseline."
    )


def _exponential(
    engine: BinnedEngine, parameters: Floats, n_bins: int, change: Change, rng: np.random.Generator
) -> Pair:
    data = engine.data
    draws = len(parameters)
    state = hawkes_daily.final_state(data.counts, data.bin_days, data.width, parameters)
    keep = np.exp(-parameters[:, 2] * data.width)
    dispersion = parameters[:, 3].copy() if engine.negbin else np.zeros(draws)
    u = rng.random((draws, n_bins))
    base, branch = (np.tile(parameters[:, i : i + 1], (1, n_bins)) for i in (0, 1))
    found = []
    for by, into in (_UNCHANGED.factors(n_bins), change.factors(n_bins)):
        out = np.empty((draws, n_bins), dtype=np.int64)
        decaying_counts(base * data.width * by, branch * into, keep, state, dispersion, u, CAP, out)
        found.append(out)
    return found[0], found[1]


def _general(
    engine: GeneralEngine, theta: Floats, n_bins: int, change: Change, rng: np.random.Generator
) -> Pair:
    layout = engine.layout
    if layout.marked or layout.code >= 2:
        raise OptionError(
            "a Hawkes model with marks or hurdle counts cannot be changed in parts. Fit one without: leave mark= out, "
            "and choose observation='poisson' or 'negbin'."
        )
    theta = np.ascontiguousarray(theta)
    draws = len(theta)
    block = engine.block_ahead(theta, n_bins)
    parts = []
    for start in range(0, draws, _ROWS):
        found = hawkes_general.expectations(block, theta[start : start + _ROWS])
        parts.append(np.stack([part[:, -n_bins:] for part in found]))
    base, earlier, forced = np.concatenate(parts, axis=1)
    _, dispersion, _ = layout.sizes_at(theta)
    dispersion = dispersion if layout.code == 1 else np.zeros(draws)
    kernel = layout.kernel(theta, n_bins)
    branching = np.tile(np.exp(theta[:, layout.at_branching])[:, None], (1, n_bins))
    u = rng.random((draws, n_bins))
    paths = []
    for by, into in (_UNCHANGED.factors(n_bins), change.factors(n_bins)):
        out = np.empty((draws, n_bins), dtype=np.int64)
        known = base * by + earlier * into + forced
        lagged_counts(known, branching * into, kernel, dispersion, u, CAP, out)
        paths.append(out)
    return paths[0], paths[1]


def _continuous(
    engine: TimestampEngine,
    parameters: Floats,
    n_bins: int,
    change: Change,
    rng: np.random.Generator,
) -> Pair:
    """Grow families at the higher of both rates; each future keeps those attacks all of whose forebears it kept."""
    draws = len(parameters)
    baseline, branching, decay = parameters[:, 0], parameters[:, 1], parameters[:, 2]
    more, further = max(1.0, change.baseline), max(1.0, change.branching)
    found = np.zeros((2, draws * n_bins), dtype=np.int64)

    def settle(
        who: Integers, at: Floats, kept: NDArray[np.bool_], factor: float, most: float
    ) -> tuple[Integers, Floats, NDArray[np.bool_]]:
        inside = at < n_bins
        who, at, kept = who[inside], at[inside], kept[:, inside]
        u = rng.random(len(at)) * most
        kept = kept & np.stack([u < 1.0, u < np.where(at >= change.first, factor, 1.0)])
        alive = kept.any(axis=0)
        who, at, kept = who[alive], at[alive], kept[:, alive]
        for one, mine in zip(found, kept, strict=True):
            places = who[mine] * n_bins + at[mine].astype(np.int64)
            one += np.bincount(places, minlength=len(one))
        return who, at, kept

    everyone = np.arange(draws)
    who = np.repeat(everyone, rng.poisson(baseline * more * n_bins))
    at = rng.random(len(who)) * n_bins
    new = settle(who, at, np.ones((2, len(who)), dtype=bool), change.baseline, more)
    # Offspring still to come of what happened: one Poisson number, because exponential delays forget their age.
    past = np.asarray(engine.times, dtype=float) - engine.end
    left = np.array([np.exp(b * past).sum() for b in decay]) if len(past) else np.zeros(draws)
    who = np.repeat(everyone, rng.poisson(np.minimum(branching * further * left, CAP)))
    at = rng.exponential(1 / decay[who])
    old = settle(who, at, np.ones((2, len(who)), dtype=bool), change.branching, further)
    family = tuple(np.concatenate(parts, axis=-1) for parts in zip(new, old, strict=True))
    total = len(family[0])
    while len(family[0]) and total < _MOST_EVENTS:
        who, at, kept = family
        children = rng.poisson(branching[who] * further)
        parent = np.repeat(np.arange(len(who)), children)
        born = at[parent] + rng.exponential(1 / decay[who[parent]])
        family = settle(who[parent], born, kept[:, parent], change.branching, further)
        total += len(family[0])
    return found[0].reshape(draws, n_bins), found[1].reshape(draws, n_bins)
