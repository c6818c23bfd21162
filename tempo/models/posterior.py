"""Posteriors as xarray DataTrees, laid out as ArviZ expects them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CHAINS", "assemble", "deal"]

type Floats = NDArray[np.float64]

CHAINS = 4


def assemble(
    parameters: Mapping[str, Floats],
    counts: pd.Series,
    *,
    log_likelihood: Floats | None = None,
    sample_stats: Mapping[str, NDArray[Any]] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> xr.DataTree:
    """Lay posterior draws out so that ``az.summary``, ``az.loo``, ``az.compare`` and the plots take them.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw)
        Draws of each parameter.
    counts : pandas.Series
        What was observed; bins that are missing are left out.
    log_likelihood : ndarray, shape (chain, draw, n observed), optional
        Of each observed bin given its past.
    sample_stats : mapping of str to ndarray, optional
        Shape (chain, draw), for example the sampler's divergences.
    attributes : mapping of str to str, optional
        Where the draws come from.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``log_likelihood``, ``observed_data`` and ``sample_stats``. The variable is called
        ``counts`` and its dimension ``time`` holds the start of each bin.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> days = pd.date_range("2020-01-01", periods=3, freq="1D")
    >>> tree = assemble({"rate": np.ones((4, 10))}, pd.Series([0, 2, 1], index=days))
    >>> sorted(tree.children)
    ['observed_data', 'posterior', 'sample_stats']
    """
    import xarray as xr

    observed = counts[counts.notna()]
    time = np.asarray(observed.index, dtype="datetime64[us]")
    groups = {
        "posterior": xr.Dataset(
            {name: (("chain", "draw"), draws) for name, draws in parameters.items()}
        ),
        "observed_data": xr.Dataset(
            {"counts": (("time",), observed.to_numpy(dtype=np.int64))}, coords={"time": time}
        ),
        "sample_stats": xr.Dataset(
            {name: (("chain", "draw"), values) for name, values in (sample_stats or {}).items()}
        ),
    }
    if log_likelihood is not None:
        groups["log_likelihood"] = xr.Dataset(
            {"counts": (("chain", "draw", "time"), log_likelihood)}, coords={"time": time}
        )
    shape = next(iter(parameters.values())).shape
    chains = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    tree = {
        name: group.assign_coords(chains) if name != "observed_data" else group
        for name, group in groups.items()
    }
    tree["posterior"].attrs.update(attributes or {})
    return xr.DataTree.from_dict(tree)


def deal(available: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose posterior draws for simulated paths, each as often as any other, give or take one.

    Parameters
    ----------
    available, wanted : int
        Number of draws and of paths.
    rng : numpy.random.Generator
        Shuffles.

    Returns
    -------
    ndarray of int64, shape (wanted,)
        Row numbers in random order.

    Examples
    --------
    >>> sorted(deal(2, 4, np.random.default_rng(1)).tolist())
    [0, 0, 1, 1]
    """
    rows = np.concatenate(
        [rng.permutation(available) for _ in range(-(-wanted // available))] or [np.empty(0, int)]
    )
    return np.asarray(rng.permutation(rows[:wanted]), dtype=np.int64)
