"""How ``HawkesKinds.fit`` runs its engines, one series at a time, and what it then says about them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import chi2

from tempo.models.hawkes_kinds_data import KindCounts
from tempo.models.hawkes_kinds_mle import KindsArrays, KindsOptimum, maximum_likelihood
from tempo.models.hawkes_kinds_posterior import laplace_kinds, posterior_peaks
from tempo.models.laplace import KHAT_LIMIT
from tempo.models.posterior import CHAINS

__all__ = ["KindsDiagnostics", "KindsPart", "fit_series", "pooled", "remarks"]

type Floats = NDArray[np.float64]

MOST_FOR_LAPLACE = 60  # parameters; importance weights of more have never passed here
LEAST_SAMPLED = 100
MOST_SCATTERED = 500
LARGEST_RHAT = 1.01
LARGEST_RHAT_OF_MANY = 1.02  # the worst of a hundred parameters is worse than the worst of three
MANY = 20
MOST_DIVERGING = 0.005
FEW = 10


@dataclass(frozen=True)
class KindsDiagnostics:
    """How well the engine did, over all series and parameters.

    Attributes
    ----------
    method : {"nuts", "laplace", "mle"}
        The engine that gave the answer.
    khat : float
        Pareto shape of the importance weights (laplace).
    effective : float
        Effective number of draws, of the parameter with the fewest.
    rhat, rhat_limit : float
        Agreement of chains (nuts): the worst parameter, and where doubt begins.
    diverging : float
        Share of draws that diverged (nuts).
    converged : bool
        Whether the gradient vanished (mle).
    log_evidence : float
        Log marginal likelihood, where it was a by-product.
    n_parameters : int
        How many.
    """

    method: Literal["nuts", "laplace", "mle"]
    khat: float = math.nan
    effective: float = math.nan
    rhat: float = math.nan
    rhat_limit: float = LARGEST_RHAT
    diverging: float = 0.0
    converged: bool = True
    log_evidence: float = math.nan
    n_parameters: int = 0

    def doubts(self, asked: str) -> list[str]:
        """Say what the engine missed.

        Parameters
        ----------
        asked : str
            The engine that was asked for.

        Returns
        -------
        list of str
            Sentences that begin in lower case.
        """
        texts = []
        if asked == "laplace" and self.method == "nuts":
            reason = (
                f"importance resampling does not work with {self.n_parameters} parameters"
                if math.isnan(self.khat)
                else f"the Laplace approximation was not good enough (k-hat {self.khat:.2f}, limit {KHAT_LIMIT})"
            )
            texts.append(f"{reason}, so the posterior was sampled instead.")
        if self.method == "nuts":
            if not self.rhat <= self.rhat_limit:
                texts.append(
                    f"the chains disagree (r-hat {self.rhat:.3f}, limit {self.rhat_limit}); draw longer (draws=)."
                )
            if self.diverging > MOST_DIVERGING:
                texts.append(
                    f"{100 * self.diverging:.1f} % of draws diverged; the posterior may have a corner that was missed."
                )
        if not self.converged:
            texts.append("the optimiser stopped before the gradient vanished.")
        return texts


@dataclass(frozen=True, eq=False)
class KindsPart:
    """What one series contributes to a fit.

    Attributes
    ----------
    chains : ndarray, shape (4, draws, p)
        Draws of the natural parameters.
    optimum : KindsOptimum
        Maximum of the likelihood.
    diagnostics : KindsDiagnostics
        How the engine did.
    stats : dict
        Sampler statistics, each of shape (4, draws).
    """

    chains: Floats
    optimum: KindsOptimum
    diagnostics: KindsDiagnostics
    stats: dict[str, NDArray[Any]] = field(default_factory=dict)


def fit_series(
    arrays: Sequence[KindsArrays],
    prior: Floats,
    method: str,
    draws: int,
    streams: Sequence[np.random.Generator],
    progress: bool | None,
) -> list[KindsPart]:
    """Fit every series, each with its own stream of random numbers.

    Parameters
    ----------
    arrays : sequence of KindsArrays
        One for each series.
    prior : ndarray, shape (8,)
        Numbers of the prior.
    method : {"nuts", "laplace", "mle"}
        How.
    draws : int
        Draws in each chain, dealt out over the series.
    streams : sequence of Generator
        One for each series.
    progress : bool, optional
        Progress bar of the sampler.

    Returns
    -------
    list of KindsPart
        In the order of the series.
    """
    n = len(arrays)
    parts = []
    for i, (data, stream) in enumerate(zip(arrays, streams, strict=True)):
        kept = max((draws + n - 1 - i) // n, 1)
        optimum = maximum_likelihood(data)
        if method == "mle":
            parts.append(_scatter(data, optimum, kept, stream))
        else:
            parts.append(_posterior(data, optimum, prior, method, kept, stream, progress))
    return parts


def _posterior(
    data: KindsArrays,
    optimum: KindsOptimum,
    prior: Floats,
    method: str,
    kept: int,
    rng: np.random.Generator,
    progress: bool | None,
) -> KindsPart:
    khat = math.nan
    p = data.n_parameters
    if method == "laplace" and p <= MOST_FOR_LAPLACE:
        found = laplace_kinds(data, prior, draws=CHAINS * kept, rng=rng)
        if found.khat <= KHAT_LIMIT:
            return KindsPart(
                found.draws.reshape(CHAINS, kept, p),
                optimum,
                KindsDiagnostics(
                    "laplace",
                    khat=found.khat,
                    effective=found.effective,
                    log_evidence=found.log_evidence,
                    n_parameters=p,
                ),
            )
        khat = found.khat
    from tempo.models.hawkes_kinds_nuts import sample_kinds

    sampled = sample_kinds(
        data,
        prior,
        *posterior_peaks(data, prior)[0][:2],
        draws=max(kept, LEAST_SAMPLED),
        rng=rng,
        progress=progress,
    )
    rows = np.linspace(0, sampled.draws.shape[1] - 1, kept).astype(np.int64)
    stats = {
        "diverging": sampled.diverging[:, rows],
        "energy": sampled.energy[:, rows],
        "n_steps": sampled.steps[:, rows],
    }
    diagnostics = KindsDiagnostics(
        "nuts", khat=khat, diverging=float(sampled.diverging.mean()), n_parameters=p
    )
    return KindsPart(sampled.draws[:, rows], optimum, diagnostics, stats)


def _scatter(
    data: KindsArrays, optimum: KindsOptimum, kept: int, rng: np.random.Generator
) -> KindsPart:
    """Parameters as their standard errors say, kept where the likelihood does not forbid them."""
    wanted = CHAINS * kept
    free = optimum.free
    centre = optimum.parameters
    rows = np.tile(centre, (wanted, 1))
    decays = data.parts[2]
    if free.any():
        values, vectors = np.linalg.eigh(optimum.covariance[np.ix_(free, free)])
        # Symmetric: eigenvectors alone have signs that differ from one processor to another.
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        moved = np.zeros_like(rows)
        moved[:, free] = rng.standard_normal((wanted, int(free.sum()))) @ root.T
        rows = np.maximum(rows + moved, 0.0)
        with np.errstate(
            over="ignore"
        ):  # a decay that is hardly known wanders far, and is dropped below
            rows[:, decays] = centre[decays] * np.exp(moved[:, decays] / centre[decays])
        rows[:, : data.n_kinds] = np.where(
            rows[:, : data.n_kinds] > 0, rows[:, : data.n_kinds], centre[: data.n_kinds] * 0.05
        )
    limit = optimum.llf - 0.5 * float(chi2.isf(1e-4, max(int(free.sum()), 1)))
    tried = rows[:MOST_SCATTERED]
    with np.errstate(all="ignore"):
        near = np.array(
            [np.isfinite(row).all() and data.log_likelihood(row)[0] > limit for row in tried]
        )
    chosen = tried[near] if near.any() else centre[None]
    chains = chosen[np.arange(wanted) % len(chosen)].reshape(CHAINS, kept, -1)
    diagnostics = KindsDiagnostics(
        "mle", converged=optimum.converged, n_parameters=data.n_parameters
    )
    return KindsPart(chains, optimum, diagnostics)


def pooled(parts: Sequence[KindsPart]) -> KindsDiagnostics:
    """Judge all series together: chains by what they pooled, everything else by its worst.

    Parameters
    ----------
    parts : sequence of KindsPart
        From ``fit_series``.

    Returns
    -------
    KindsDiagnostics
        Of the whole fit.
    """
    every = [part.diagnostics for part in parts]
    methods = {each.method for each in every}
    p = every[0].n_parameters
    worst = KindsDiagnostics(
        "nuts" if "nuts" in methods else every[0].method,
        khat=float(np.max([each.khat for each in every])),
        effective=float(np.min([each.effective for each in every])),
        rhat_limit=LARGEST_RHAT if p <= MANY else LARGEST_RHAT_OF_MANY,
        diverging=float(np.max([each.diverging for each in every])),
        converged=all(each.converged for each in every),
        log_evidence=float(logsumexp([each.log_evidence for each in every]) - math.log(len(every))),
        n_parameters=p,
    )
    if worst.method != "nuts":
        return worst
    from arviz_stats.base import array_stats

    draws = np.moveaxis(np.concatenate([part.chains for part in parts], axis=1), -1, 0)
    return dataclasses.replace(
        worst,
        effective=float(min(array_stats.ess(draws, chain_axis=1, draw_axis=2))),
        rhat=float(max(array_stats.rhat(draws, chain_axis=1, draw_axis=2))),
    )


def remarks(series: KindCounts, optimum: KindsOptimum) -> list[str]:
    """Say what the data cannot tell, whatever the engine.

    Parameters
    ----------
    series : KindCounts
        Counts.
    optimum : KindsOptimum
        Maximum of their likelihood.

    Returns
    -------
    list of str
        Sentences on kinds with few attacks and on other peaks.
    """
    texts = []
    events = series.events
    none = [str(kind) for kind in events.index[events == 0]]
    few = [str(kind) for kind in events.index[(events > 0) & (events < FEW)]]
    if none:
        texts.append(
            f"Of {', '.join(none)} there was no attack; what would trigger it, or follow it, cannot be told."
        )
    if few:
        texts.append(
            f"Of {', '.join(few)} there were fewer than {FEW} attacks; what is said of them rests mostly on the prior."
        )
    near = optimum.peaks[1:][optimum.peaks[1:, 1] > optimum.llf - 3.0]
    texts.extend(
        f"The likelihood has another peak, lower by {optimum.llf - llf:.1f}, with a shortest half-life of "
        f"{half_life:.1f} days."
        for half_life, llf in near
    )
    return texts
