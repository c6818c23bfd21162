"""How ``Hawkes.fit`` runs its engines, one series at a time, and what it then says about them."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempo.errors import ConvergenceWarning
from tempo.models.hawkes_engine import Diagnostics, Engine
from tempo.models.hawkes_layout import Layout
from tempo.models.hawkes_mle import Optimum
from tempo.models.hawkes_peaks import GeneralOptimum
from tempo.models.hawkes_reading import LARGEST_RHAT, MOST_DIVERGING
from tempo.models.laplace import KHAT_LIMIT
from tempo.models.posterior import CHAINS

if TYPE_CHECKING:
    from tempo.models.hawkes import Hawkes

__all__ = [
    "Part",
    "doubts",
    "fit_each",
    "pooled_diagnostics",
    "pooled_stats",
    "remarks",
    "remarks_on",
]

type Floats = NDArray[np.float64]

LEAST_SAMPLED = 100  # a chain shorter than that is not worth its warm-up


@dataclass(frozen=True, eq=False)
class Part:
    """What one series contributes to a fit.

    Attributes
    ----------
    chains : ndarray, shape (4, draws, p)
        Draws of the natural parameters (of the unbounded ones, for the general engine).
    diagnostics : Diagnostics
        How the engine did.
    stats : dict
        Sampler statistics, each of shape (4, draws).
    """

    chains: Floats
    diagnostics: Diagnostics
    stats: dict[str, NDArray[Any]] = field(default_factory=dict)


def fit_each(
    model: Hawkes,
    engines: Sequence[Engine],
    method: str,
    draws: int,
    streams: Sequence[np.random.Generator],
    progress: bool | None,
) -> list[Part]:
    """Fit every series, each with its own stream of random numbers.

    Parameters
    ----------
    model : Hawkes
        The specification.
    engines : sequence of Engine
        One for each series.
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
    list of Part
        In the order of the series.
    """
    n = len(engines)
    parts = []
    for i, (engine, stream) in enumerate(zip(engines, streams, strict=True)):
        kept = max((draws + n - 1 - i) // n, 1)
        if method == "mle":
            parts.append(_scatter(engine, kept, stream))
        else:
            parts.append(_posterior(model, engine, method, kept, stream, progress))
    return parts


def pooled_diagnostics(
    model: Hawkes, parts: Sequence[Part], *, logarithms: bool = True
) -> Diagnostics:
    """Judge all series together: chains by what they pooled, everything else by its worst.

    Parameters
    ----------
    model : Hawkes
        The specification.
    parts : sequence of Part
        From ``fit_each``.
    logarithms : bool, default True
        Chains are compared by their logarithms; False where they are unbounded already.

    Returns
    -------
    Diagnostics
        Of the whole fit.
    """
    worst = Diagnostics.worst([part.diagnostics for part in parts])
    if worst.method != "nuts":
        return worst
    from arviz_stats.base import array_stats

    theta = np.concatenate([part.chains for part in parts], axis=1)
    if logarithms:
        p = 4 if model.observation == "negbin" else 3
        theta = np.log(theta[:, :, :p])
    theta = np.moveaxis(theta, -1, 0)
    return dataclasses.replace(
        worst,
        effective=float(min(array_stats.ess(theta, chain_axis=1, draw_axis=2))),
        rhat=float(max(array_stats.rhat(theta, chain_axis=1, draw_axis=2))),
    )


def pooled_stats(parts: Sequence[Part]) -> dict[str, NDArray[Any]]:
    """Join sampler statistics along the draws, where every series has them.

    Parameters
    ----------
    parts : sequence of Part
        From ``fit_each``.

    Returns
    -------
    dict
        Name to array of shape (4, draws).
    """
    names = set.intersection(*(set(part.stats) for part in parts))
    return {
        name: np.concatenate([part.stats[name] for part in parts], axis=1) for name in sorted(names)
    }


def _posterior(
    model: Hawkes,
    engine: Engine,
    method: str,
    kept: int,
    rng: np.random.Generator,
    progress: bool | None,
) -> Part:
    khat = math.nan
    if method == "laplace":
        found = engine.laplace(model.prior, CHAINS * kept, rng)
        if found.khat <= KHAT_LIMIT:
            return Part(
                found.draws.reshape(CHAINS, kept, -1),
                Diagnostics(
                    "laplace",
                    khat=found.khat,
                    effective=found.effective,
                    log_evidence=found.log_evidence,
                ),
            )
        khat = found.khat
    sampled = engine.nuts(model.prior, max(kept, LEAST_SAMPLED), rng, progress)
    rows = np.linspace(0, sampled.draws.shape[1] - 1, kept).astype(np.int64)
    stats = {
        "diverging": sampled.diverging[:, rows],
        "energy": sampled.energy[:, rows],
        "n_steps": sampled.steps[:, rows],
    }
    diagnostics = Diagnostics("nuts", khat=khat, diverging=float(sampled.diverging.mean()))
    return Part(sampled.draws[:, rows], diagnostics, stats)


def _scatter(engine: Engine, kept: int, rng: np.random.Generator) -> Part:
    """Parameters as their standard errors say, kept where the likelihood does not forbid them."""
    optimum = engine.optimum
    wanted = CHAINS * kept
    free = np.array(optimum.free) & np.isfinite(np.diag(optimum.covariance))
    # The general likelihood costs more and has more parameters: fewer proposals, recycled if need be.
    proposed = 4 * wanted if isinstance(optimum, Optimum) else min(wanted, 1_000)
    theta = np.tile(optimum.theta, (proposed, 1))
    if free.any():
        root = np.linalg.cholesky(optimum.covariance[np.ix_(free, free)])
        theta[:, free] += rng.standard_normal((len(theta), int(free.sum()))) @ root.T
    # Where the normal approximation is poor it wanders to where the data say no: 12 is nearly five standard errors.
    near = engine.total_log_likelihood(theta) > optimum.llf - 12.0
    chosen = theta[near][:wanted] if near.any() else optimum.theta[None]
    parameters = optimum.settle(chosen[np.arange(wanted) % len(chosen)])
    return Part(
        parameters.reshape(CHAINS, kept, -1), Diagnostics("mle", converged=optimum.converged)
    )


def doubts(diagnostics: Diagnostics, method: str, *, stacklevel: int) -> list[str]:
    """Warn about what an engine missed, and give the same sentences for the provenance.

    Parameters
    ----------
    diagnostics : Diagnostics
        How the engine did.
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
    if method == "laplace" and diagnostics.method == "nuts":
        texts.append(
            f"the Laplace approximation was not good enough (k-hat {diagnostics.khat:.2f}, limit {KHAT_LIMIT}), "
            "so the posterior was sampled instead."
        )
    if diagnostics.method == "nuts":
        if not diagnostics.rhat <= LARGEST_RHAT:
            texts.append(
                f"the chains disagree (r-hat {diagnostics.rhat:.3f}, limit {LARGEST_RHAT}); draw longer (draws=)."
            )
        if diagnostics.diverging > MOST_DIVERGING:
            texts.append(
                f"{100 * diagnostics.diverging:.1f} % of draws diverged; the posterior may have a corner that was "
                "missed."
            )
    if not diagnostics.converged:
        texts.append("the optimiser stopped before the gradient vanished.")
    for text in texts:
        warnings.warn(ConvergenceWarning(text), stacklevel=stacklevel + 1)
    return [text[0].upper() + text[1:] for text in texts]


def remarks_on(fitted: Any) -> list[str]:
    """Say what a maximum-likelihood fit of a general model should say about its own shape.

    Parameters
    ----------
    fitted : GeneralEngine
        With its optimum.

    Returns
    -------
    list of str
        Sentences on the boundary, on what is not identified, and on other peaks.
    """
    optimum: GeneralOptimum = fitted.optimum
    layout: Layout = fitted.layout
    if optimum.at_boundary:
        text = (
            "The best branching ratio is 0: no excitation explains the data better than chance, and its kernel is not "
            "identified."
        )
        return [text]
    texts = []
    silent = [
        name
        for name, value in zip(layout.names, optimum.parameters, strict=True)
        if name.startswith("response[") and value == 0.0
    ]
    if silent:
        texts.append(f"The best {', '.join(silent)} is 0: nothing followed that input.")
    if (
        not np.isfinite(optimum.errors[layout.names.index("branching_ratio")])
        or not optimum.free[layout.at_shape : layout.at_mark].all()
    ):
        texts.append(
            "The kernel is at the edge of what the data can tell; some standard errors are missing."
        )
    places = layout.natural(np.array([theta for theta, _ in optimum.modes]))
    at = layout.names.index("branching_ratio")
    texts.extend(
        f"The likelihood has another peak, lower by {optimum.llf - height:.1f}, with branching ratio {place[at]:.2f}."
        for place, (_, height) in list(zip(places, optimum.modes, strict=True))[1:]
        if height > optimum.llf - 3.0
    )
    return texts


def remarks(optimum: Optimum) -> list[str]:
    """Say what a maximum-likelihood fit should say about its own shape.

    Parameters
    ----------
    optimum : Optimum
        The maximum.

    Returns
    -------
    list of str
        Sentences on the boundary, on an unidentified memory, and on other peaks.
    """
    if optimum.at_boundary:
        text = (
            "The best branching ratio is 0: no excitation explains the data better than chance, and its decay is "
            "not identified."
        )
        return [text]
    texts = []
    if not optimum.free[2]:
        edge = "shorter than a bin" if optimum.parameters[2] > 0.1 else "half of the record long"
        texts.append(
            f"The memory is at the edge of what the data can tell ({edge}); its standard error is missing."
        )
    near = optimum.modes[1:][optimum.modes[1:, 4] > optimum.llf - 3.0]
    texts.extend(
        f"The likelihood has another peak, lower by {optimum.llf - mode[4]:.1f}, with branching ratio {mode[1]:.2f} "
        f"and a half-life of {math.log(2) / mode[2]:.1f} days."
        for mode in near
    )
    return texts
