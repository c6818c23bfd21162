"""What ``HawkesFit`` asks of an engine, and how an engine reports on itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts
from tempo.models.hawkes_mle import Optimum
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.laplace import Resampled

if TYPE_CHECKING:
    from tempo.models.nuts import Sampled

__all__ = ["Diagnostics", "Engine"]

type Floats = NDArray[np.float64]


class Engine(Protocol):
    """What a fit needs from the data of one series, in bins or in continuous time."""

    @property
    def counts(self) -> Counts: ...  # noqa: D102

    @property
    def optimum(self) -> Optimum: ...  # noqa: D102

    def branching_interval(self, prob: float) -> tuple[float, float]: ...  # noqa: D102

    def laplace(  # noqa: D102
        self, prior: HawkesPrior, draws: int, rng: np.random.Generator
    ) -> Resampled: ...

    def nuts(  # noqa: D102
        self, prior: HawkesPrior, draws: int, rng: np.random.Generator, progress: bool | None
    ) -> Sampled: ...

    def total_log_likelihood(self, theta: Floats) -> Floats: ...  # noqa: D102

    def means(self, parameters: Floats) -> tuple[Floats, Floats]: ...  # noqa: D102

    def log_likelihood(self, parameters: Floats) -> Floats: ...  # noqa: D102

    def simulate(  # noqa: D102
        self, parameters: Floats, n_bins: int, rng: np.random.Generator, cap: float
    ) -> NDArray[np.int64]: ...

    def check(self, parameters: Floats, rng: np.random.Generator) -> pd.DataFrame: ...  # noqa: D102


@dataclass(frozen=True)
class Diagnostics:
    """How well an engine did, over all series.

    Attributes
    ----------
    method : {"nuts", "laplace", "mle"}
        The engine that gave the answer.
    khat : float
        Pareto shape of the importance weights (laplace).
    effective : float
        Effective number of draws.
    rhat : float
        Agreement of chains (nuts).
    diverging : float
        Share of draws that diverged (nuts).
    converged : bool
        Whether the gradient vanished (mle).
    log_evidence : float
        Log marginal likelihood, where it was a by-product.
    """

    method: Literal["nuts", "laplace", "mle"]
    khat: float = math.nan
    effective: float = math.nan
    rhat: float = math.nan
    diverging: float = 0.0
    converged: bool = True
    log_evidence: float = math.nan

    @classmethod
    def worst(cls, parts: Sequence[Diagnostics]) -> Diagnostics:
        """Sum up several series by the worst of each measure; evidence is averaged."""
        methods = {part.method for part in parts}
        return cls(
            "nuts" if "nuts" in methods else parts[0].method,
            khat=float(np.max([part.khat for part in parts])),
            effective=float(np.min([part.effective for part in parts])),
            diverging=float(np.max([part.diverging for part in parts])),
            converged=all(part.converged for part in parts),
            log_evidence=float(
                logsumexp([part.log_evidence for part in parts]) - math.log(len(parts))
            ),
        )
