"""What fits with draws of their parameters have in common: choosing draws, dealing them to series, warnings, notes."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempo.errors import OptionError, StationarityWarning
from tempo.models.provenance import Provenance

__all__ = [
    "CAP",
    "over_series",
    "require_posterior",
    "thinned",
    "warn_of_explosions",
    "with_one_more",
]

type Floats = NDArray[np.float64]

CAP = 100_000.0  # attacks expected in one bin; a path that reaches it has exploded


def require_posterior(method: str) -> None:
    """Refuse a posterior where there is none.

    Parameters
    ----------
    method : str
        The engine that gave the answer.
    """
    if method == "mle":
        raise OptionError(
            "maximum likelihood has no posterior. Fit with method='laplace' or method='nuts'."
        )


def thinned(total: int, wanted: int) -> NDArray[np.int64]:
    """Choose draws at even distances.

    Parameters
    ----------
    total, wanted : int
        How many there are, and how many are enough.

    Returns
    -------
    ndarray of int64
        Row numbers, ascending; all of them where there are no more than wanted.

    Examples
    --------
    >>> thinned(9, 3).tolist(), thinned(2, 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.unique(np.linspace(0, total - 1, min(wanted, total)).astype(np.int64))


def over_series(
    series: Sequence[Any],
    chains: Floats,
    origin: NDArray[np.int64],
    rows: NDArray[np.int64],
    function: Callable[[Any, Floats], NDArray[np.generic]],
) -> Floats:
    """Apply a function to draws, each with the series that it belongs to.

    Parameters
    ----------
    series : sequence
        Data of each series.
    chains : ndarray, shape (chains, draws, p)
        Parameters.
    origin : ndarray of int, shape (draws,)
        The series of each draw of a chain.
    rows : ndarray of int
        Which draws, counted along the first chain, then the second, and so on.
    function : callable
        Takes the data of a series and some draws; gives an array with a row for each.

    Returns
    -------
    ndarray
        Rows in the order in which they were asked for.
    """
    flat = chains.reshape(-1, chains.shape[-1])
    if len(series) == 1:
        return np.asarray(function(series[0], flat[rows]))
    belongs = np.tile(origin, chains.shape[0])[rows]
    out: Floats | None = None
    for i, data in enumerate(series):
        mine = np.flatnonzero(belongs == i)
        if not len(mine):
            continue
        part = np.asarray(function(data, flat[rows[mine]]))
        if out is None:
            out = np.empty((len(rows), *part.shape[1:]), dtype=part.dtype)
        out[mine] = part
    assert out is not None
    return out


def warn_of_explosions(exploded: int, paths: int, cause: str) -> None:
    """Warn where simulated paths were stopped, on behalf of a method that a user called.

    Parameters
    ----------
    exploded, paths : int
        How many of how many.
    cause : str
        What is one or more, for example ``"branching ratio"``.

    Warns
    -----
    StationarityWarning
        If there are any.
    """
    if exploded:
        text = (
            f"{exploded} of {paths} simulated paths exploded, because their {cause} is one or more; they were stopped "
            f"at {CAP:,.0f} attacks a bin. Means of this forecast are worthless; its quantiles may not be."
        )
        warnings.warn(StationarityWarning(text), stacklevel=3)


def with_one_more(provenance: Provenance, note: str) -> Provenance:
    """Give the same provenance with one more note.

    Parameters
    ----------
    provenance : Provenance
        Of a fit.
    note : str
        A sentence.

    Returns
    -------
    Provenance
        A copy.
    """
    return dataclasses.replace(provenance, notes=(*provenance.notes, note))
