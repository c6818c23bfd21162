"""What a Hawkes fit by kind reports on its engine, and its posterior as a DataTree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.models.checks import CheckRow, row
from tempo.models.hawkes_kinds_fitting import MOST_DIVERGING, KindsDiagnostics
from tempo.models.hawkes_kinds_mle import KindsArrays
from tempo.models.hawkes_kinds_recursions import EACH_PAIR, SHARED
from tempo.models.laplace import KHAT_LIMIT

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["convergence_rows", "posterior_tree"]

type Floats = NDArray[np.float64]

LEAST_EFFECTIVE = 400.0
MOST_EXPLOSIVE = 0.5


def convergence_rows(diagnostics: KindsDiagnostics, explosive: float) -> list[CheckRow]:
    """Give rows for a check table: stationarity and convergence.

    Parameters
    ----------
    diagnostics : KindsDiagnostics
        From the fit.
    explosive : float
        Share of draws whose spectral radius is one or more.

    Returns
    -------
    list
        For ``check_table``.
    """
    d = diagnostics
    dies = explosive <= MOST_EXPLOSIVE
    rows = [
        row(
            "spectral radius below one (probability of one or more)",
            explosive,
            MOST_EXPLOSIVE,
            dies,
            "Attacks die out instead of multiplying without end."
            if dies
            else "Attacks would multiply without end: a baseline has probably moved.",
        )
    ]
    if d.method == "mle":
        meaning = "The optimiser reached a maximum." if d.converged else "The optimiser gave up."
        return [*rows, row("convergence", float(d.converged), 1.0, d.converged, meaning)]
    if d.method == "laplace":
        good = d.khat <= KHAT_LIMIT
        meaning = "The approximation can be trusted." if good else "It cannot be trusted."
        rows.append(row("convergence (Pareto k-hat)", d.khat, KHAT_LIMIT, good, meaning))
    else:
        agree = d.rhat <= d.rhat_limit
        rows.append(
            row(
                "convergence (r-hat)",
                d.rhat,
                d.rhat_limit,
                agree,
                "The chains of the sampler agree."
                if agree
                else "The chains of the sampler disagree.",
            )
        )
        whole = d.diverging <= MOST_DIVERGING
        rows.append(
            row(
                "convergence (divergent draws)",
                d.diverging,
                MOST_DIVERGING,
                whole,
                "The sampler reached every corner."
                if whole
                else "The sampler may have missed a corner.",
            )
        )
    enough = d.effective >= LEAST_EFFECTIVE
    rows.append(
        row(
            "convergence (effective draws)",
            d.effective,
            LEAST_EFFECTIVE,
            enough,
            "There are enough independent draws."
            if enough
            else "There are too few independent draws.",
        )
    )
    return rows


def posterior_tree(
    kinds: Sequence[str],
    chains: Floats,
    radii: Floats,
    data: KindsArrays,
    time: pd.DatetimeIndex,
    log_likelihood: Floats,
    sample_stats: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, str],
) -> xr.DataTree:
    """Lay posterior draws out so that ``az.summary``, ``az.loo``, ``az.compare`` and the plots take them.

    Parameters
    ----------
    kinds : sequence of str
        Names.
    chains : ndarray, shape (chain, draw, p)
        Natural parameters.
    radii : ndarray, shape (chain, draw)
        Spectral radius of each draw.
    data : KindsArrays
        What was observed.
    time : pandas.DatetimeIndex, length n
        Bin starts.
    log_likelihood : ndarray, shape (chain, draw, n)
        Of each bin, all kinds together.
    sample_stats : mapping
        Each of shape (chain, draw).
    attributes : mapping of str to str
        Where the draws come from.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``log_likelihood``, ``observed_data`` and ``sample_stats``; bins in which no kind was
        observed are left out. A count that was not observed is -1.
    """
    import xarray as xr

    k = len(kinds)
    baselines, branching, decays, dispersions = data.parts
    shape = chains.shape[:2]
    both = ("chain", "draw")
    decay = chains[:, :, decays]
    if data.mode == SHARED:
        decay_dims: tuple[str, ...] = both
        decay = decay[:, :, 0]
    elif data.mode == EACH_PAIR:
        decay_dims = (*both, "kind", "source")
        decay = decay.reshape(*shape, k, k)
    else:
        decay_dims = (*both, "source")
    variables: dict[str, tuple[tuple[str, ...], Floats]] = {
        "baseline": ((*both, "kind"), chains[:, :, baselines]),
        "branching_ratio": (
            (*both, "kind", "source"),
            chains[:, :, branching].reshape(*shape, k, k),
        ),
        "decay": (decay_dims, decay),
        "half_life_days": (decay_dims, math.log(2) / decay),
        "spectral_radius": (both, radii),
    }
    if data.negbin:
        variables["dispersion"] = ((*both, "kind"), chains[:, :, dispersions])
    coords = {
        "chain": np.arange(shape[0]),
        "draw": np.arange(shape[1]),
        "kind": list(kinds),
        "source": list(kinds),
    }
    seen = (~np.isnan(data.counts)).any(axis=1)
    starts = np.asarray(time[seen], dtype="datetime64[us]")
    observed = np.where(np.isnan(data.counts), -1, data.counts)[seen].astype(np.int64)
    posterior = xr.Dataset(variables, coords=coords)
    posterior.attrs.update(attributes)
    draws = {name: coords[name] for name in both}
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "log_likelihood": xr.Dataset(
                {"counts": ((*both, "time"), log_likelihood[:, :, seen])},
                coords={**draws, "time": starts},
            ),
            "observed_data": xr.Dataset(
                {"counts": (("time", "kind"), observed)},
                coords={"time": starts, "kind": list(kinds)},
            ),
            "sample_stats": xr.Dataset(
                {name: (both, values) for name, values in sample_stats.items()}, coords=draws
            ),
        }
    )
