"""How `Regimes.fit` runs its engines, one series at a time, and what it then says about them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tempo.errors import ConvergenceWarning
from tempo.models.laplace import KHAT_LIMIT
from tempo.models.posterior import CHAINS
from tempo.models.regime_data import RegimeData, ordered
from tempo.models.regime_density import to_natural
from tempo.models.regime_engine import Reading
from tempo.models.regime_mle import Optimum, height
from tempo.models.regime_posterior import RegimesPrior, laplace, mode

__all__ = ["Part", "doubts", "fit_part", "naturals", "remarks", "scatter", "unidentified"]

type Floats = NDArray[np.float64]

LARGEST_RHAT = 1.02
MOST_DIVERGING = 0.01
LEAST_SAMPLED = 250
NEAR = 12.0  # nearly five standard errors
FEWEST_BINS = 2.0
FEWEST_VISITS = 1.5
ALIKE = 1.1
VAGUE = 1.5  # standard error of a log rate that the data do not tell


@dataclass(frozen=True, eq=False)
class Part:
    """The fit of one series.

    Attributes
    ----------
    data : RegimeData
        Counts.
    optimum : Optimum
        The maximum of the likelihood.
    method : {"mle", "laplace", "nuts"}
        The engine that gave the answer.
    seed : int
        For draws that are made when they are asked for.
    kept : int
        Draws for each of four chains.
    chains : ndarray, shape (4, kept, p), or None
        Posterior draws of the natural parameters, regimes in order; None for maximum likelihood.
    khat, rhat, diverging : float
        How well the engine did, where it applies.
    stats : dict
        Statistics of the sampler.
    """

    data: RegimeData
    optimum: Optimum
    method: Literal["mle", "laplace", "nuts"]
    seed: int
    kept: int
    chains: Floats | None = None
    khat: float = math.nan
    rhat: float = math.nan
    diverging: float = 0.0
    stats: dict[str, NDArray[Any]] = field(default_factory=dict)


def fit_part(
    prior: RegimesPrior,
    data: RegimeData,
    optimum: Optimum,
    bin_days: float,
    method: Literal["mle", "laplace", "nuts"],
    kept: int,
    rng: np.random.Generator,
    progress: bool | None,
) -> Part:
    """Fit one series.

    Parameters
    ----------
    prior : RegimesPrior
        Prior.
    data : RegimeData
        Counts.
    optimum : Optimum
        Their maximum of the likelihood.
    bin_days : float
        Length of a bin.
    method : {"mle", "laplace", "nuts"}
        The engine asked for.
    kept : int
        Draws for each of four chains.
    rng : numpy.random.Generator
        Source of randomness.
    progress : bool or None
        Progress bar of the sampler.

    Returns
    -------
    Part
        The fit.
    """
    seed = int(rng.integers(2**31))
    if method == "mle":
        return Part(data, optimum, "mle", seed, kept)
    khat = math.nan
    if method == "laplace":
        found = laplace(data, prior, optimum, bin_days, CHAINS * kept, rng)
        khat = found.khat
        if khat <= KHAT_LIMIT:
            chains = naturals(data, found.draws).reshape(CHAINS, kept, -1)
            return Part(data, optimum, "laplace", seed, kept, chains, khat=khat)
    from tempo.models.regime_nuts import sample

    hyper = prior.array(data.shape[0], data.shape[1], bin_days)
    sampled = sample(
        data,
        hyper,
        *mode(data, hyper, optimum)[:2],
        draws=max(kept, LEAST_SAMPLED),
        rng=rng,
        progress=progress,
    )
    long = sampled.draws.shape[1]
    every = naturals(data, sampled.draws.reshape(CHAINS * long, -1)).reshape(CHAINS, long, -1)
    rows = np.linspace(0, long - 1, kept).astype(np.int64)
    return Part(
        data,
        optimum,
        "nuts",
        seed,
        kept,
        every[:, rows],
        khat=khat,
        rhat=_rhat(every, data.shape[0]),
        diverging=float(sampled.diverging.mean()),
        stats={
            "diverging": sampled.diverging[:, rows],
            "energy": sampled.energy[:, rows],
            "n_steps": sampled.steps[:, rows],
        },
    )


def naturals(data: RegimeData, thetas: Floats) -> Floats:
    """Give natural parameters, regimes in order of their rates, for each row of unbounded ones.

    Parameters
    ----------
    data : RegimeData
        Says what the model has.
    thetas : ndarray, shape (draws, p)
        Unbounded parameters.

    Returns
    -------
    ndarray, shape (draws, q)
        Natural parameters.
    """
    k, _, negbin, contagion = data.shape
    return ordered(np.array([to_natural(theta, k, negbin, contagion) for theta in thetas]), k)


def scatter(part: Part, draws: int) -> Floats:
    """Draw parameters as the standard errors of a maximum-likelihood fit say.

    Parameters
    ----------
    part : Part
        The fit.
    draws : int
        How many.

    Returns
    -------
    ndarray, shape (draws, q)
        Natural parameters from the normal approximation on the unbounded scale, kept where the likelihood does not
        forbid them. The rate of a regime that is not identified keeps within the counts that were seen.
    """
    optimum = part.optimum
    data, vague = part.data, unidentified(part)
    seen = math.log(max(float((data.counts / data.exposure).max()), 1e-300))
    most = np.maximum(optimum.theta[vague], seen)
    values, vectors = np.linalg.eigh(optimum.covariance)
    # The symmetric root: signs of eigenvectors depend on the processor.
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    rng = np.random.default_rng(part.seed)
    chosen: list[Floats] = []
    for _ in range(8):  # a poor approximation wanders to where the data say no, and is drawn again
        trial = optimum.theta + rng.standard_normal((draws, len(root))) @ root
        trial = trial[(trial[:, vague] <= most).all(axis=1)]
        chosen += [theta for theta in trial if height(data, theta) > optimum.llf - NEAR]
        if len(chosen) >= draws:
            break
    chosen = chosen or [optimum.theta]
    return naturals(part.data, np.array(chosen)[np.arange(draws) % len(chosen)])


def unidentified(part: Part) -> list[int]:
    """Name the regimes whose rates the data do not tell: hardly a bin, or any rate would do.

    Parameters
    ----------
    part : Part
        The fit.

    Returns
    -------
    list of int
        Their numbers.
    """
    k = part.data.shape[0]
    if k == 1:
        return []
    smoothed = Reading(part.data, part.optimum.natural).smoothed
    bins = smoothed[part.data.index >= 0].sum(axis=0)
    errors = np.sqrt(np.diag(part.optimum.covariance)[:k])
    return [i for i in range(k) if bins[i] < 1.0 or errors[i] > VAGUE]


def doubts(parts: Sequence[Part], method: str, *, stacklevel: int) -> list[str]:
    """Warn about what an engine missed, and give the same sentences for the provenance.

    Parameters
    ----------
    parts : sequence of Part
        The fit of each series.
    method : str
        The engine that was asked for.
    stacklevel : int
        As for ``warnings.warn``, counted from the caller.

    Returns
    -------
    list of str
        Sentences.
    """
    texts = []
    khat = max((part.khat for part in parts), default=math.nan)
    if method == "laplace" and any(part.method == "nuts" for part in parts):
        texts.append(
            f"the Laplace approximation was not good enough (k-hat {khat:.2f}, limit {KHAT_LIMIT}), so the posterior "
            "was sampled instead."
        )
    sampled = [part for part in parts if part.method == "nuts"]
    worst = max((part.rhat for part in sampled), default=1.0)
    if not worst <= LARGEST_RHAT:
        texts.append(
            f"the chains disagree (r-hat {worst:.3f}, limit {LARGEST_RHAT}): the posterior may have several peaks, as "
            "with too many regimes. Draw longer (draws=), or fit fewer."
        )
    diverging = max((part.diverging for part in sampled), default=0.0)
    if diverging > MOST_DIVERGING:
        texts.append(
            f"{100 * diverging:.1f} % of draws diverged; the posterior may have a corner that was missed."
        )
    if method == "mle" and not all(part.optimum.converged for part in parts):
        slope = max(part.optimum.slope for part in parts)
        texts.append(f"the optimiser stopped before the gradient vanished (slope {slope:.2g}).")
    for text in texts:
        warnings.warn(ConvergenceWarning(text), stacklevel=stacklevel + 1)
    return [text[0].upper() + text[1:] for text in texts]


def remarks(part: Part) -> list[str]:
    """Say what is odd about the regimes that were found.

    Parameters
    ----------
    part : Part
        The fit.

    Returns
    -------
    list of str
        Sentences on regimes that are hardly visited, visited once, alike or silent, and on other peaks.
    """
    optimum = part.optimum
    k = part.data.shape[0]
    if k == 1:
        return []
    reading = Reading(part.data, optimum.natural)
    seen = part.data.index >= 0
    bins, visits = reading.smoothed[seen].sum(axis=0), reading.visits
    rates = optimum.natural[:k]
    texts = []
    for i in range(k):
        name = f"Regime {i} ({rates[i]:.3g} a bin)"
        if bins[i] < FEWEST_BINS:
            texts.append(
                f"{name} holds {bins[i]:.1f} bins in all: it is hardly there, and fewer regimes may do."
            )
        elif visits[i] < FEWEST_VISITS:
            texts.append(
                f"{name} was visited about once: that it comes back, and how long it lasts, is the model's assumption "
                "and not in the data. Compare with Changepoints."
            )
        if i and rates[i] < ALIKE * rates[i - 1]:
            texts.append(
                f"Regimes {i - 1} and {i} have nearly the same rate: they differ in their stays, if in anything."
            )
    if rates[0] < 1e-4 * max(rates[-1], 1e-300):
        texts.append(
            "The rate of regime 0 is zero as far as the data tell: every count in it is 0."
        )
    if optimum.llf - optimum.other < 2.0:
        texts.append(
            f"The likelihood has another peak, lower by {optimum.llf - optimum.other:.2f}: other regimes explain these "
            "data nearly as well."
        )
    return texts


def _rhat(chains: Floats, k: int) -> float:
    from arviz_stats.base import array_stats

    moving = chains.std(axis=(0, 1)) > 0
    told = chains[:, :, moving]
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(told[:, :, : 2 * k], 1e-300))
    return float(np.max(array_stats.rhat(logs, chain_axis=0, draw_axis=1)))
