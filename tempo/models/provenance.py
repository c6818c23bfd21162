"""Provenance: what a fit was made from, so that it can be made again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

import numpy as np

from tempo.data.counts import Counts
from tempo.data.window import Window

__all__ = ["Provenance"]

#: Packages whose version can change a number, for every method and on top of that for sampling.
ALWAYS = ("numpy", "scipy", "pandas", "numba")
SAMPLING = ("pymc", "pytensor", "nutpie")


@dataclass(frozen=True)
class Provenance:
    """What a fit was made from.

    Attributes
    ----------
    model : str
        The specification, as it was written.
    method : str
        How it was fitted.
    window : Window or None
        Where the incidents were watched for; None for a plain series.
    rule : str
        What was counted.
    fingerprint : str
        SHA-256 of the counts.
    n_events, n_bins : int
        Events counted, and bins observed.
    seed : str
        What to pass as ``rng`` to get the same fit; empty where nothing is random.
    versions : dict
        Package to version.
    notes : tuple of str
        Choices that were made for the user, and doubts, as sentences.
    """

    model: str
    method: str
    window: Window | None
    rule: str
    fingerprint: str
    n_events: int
    n_bins: int
    seed: str
    versions: dict[str, str]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        counts: Counts,
        *,
        model: object,
        method: str,
        seed: str = "",
        notes: Sequence[str] = (),
    ) -> Provenance:
        """Record the provenance of a fit to counts.

        Parameters
        ----------
        counts : Counts
            What was fitted.
        model : object
            The specification; its ``repr`` is kept.
        method : str
            How it was fitted.
        seed : str, optional
            Record of the random numbers.
        notes : sequence of str, optional
            Sentences.

        Returns
        -------
        Provenance
            The record.

        Examples
        --------
        >>> import pandas as pd
        >>> from tempo.data.counts import as_counts
        >>> days = pd.date_range("2020-01-01", periods=3, freq="1D")
        >>> record = Provenance.of(as_counts(pd.Series([0, 2, 1], index=days)), model="demo", method="exact")
        >>> record.n_events, record.n_bins
        (3, 3)
        """
        packages = ALWAYS + (SAMPLING if method == "nuts" else ())
        return cls(
            model=model if isinstance(model, str) else repr(model),
            method=method,
            window=counts.window,
            rule=counts.rule,
            fingerprint=counts.fingerprint,
            n_events=counts.events,
            n_bins=int(np.count_nonzero(counts.exposure.to_numpy() > 0)),
            seed=seed,
            versions=dict(_versions(packages)),
            notes=tuple(notes),
        )


@functools.cache
def _versions(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from tempo import __version__

    found = [("tempo", __version__), ("python", python_version())]
    for package in packages:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "unknown"))
    return tuple(found)
