"""Counts by kind: what the Hawkes model by kind accepts, turned into aligned series on the same bins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.errors import DataError, OptionError
from tempo.models.hawkes_kinds_mle import KindsArrays

__all__ = ["KindCounts", "kind_series"]


@dataclass(frozen=True, eq=False)
class KindCounts:
    """Counts of several kinds on the same bins.

    Attributes
    ----------
    kinds : tuple of str
        Their names.
    parts : tuple of Counts
        One for each.
    total : Counts
        All kinds together; missing where any kind was not observed.
    """

    kinds: tuple[str, ...]
    parts: tuple[Counts, ...]
    total: Counts

    @classmethod
    def of(cls, parts: Mapping[str, Counts], *, label: str, rule: str) -> KindCounts:
        """Put series side by side.

        Parameters
        ----------
        parts : mapping of str to Counts
            Name of the kind to its counts.
        label, rule : str
            Of the total.

        Returns
        -------
        KindCounts
            The same counts.

        Raises
        ------
        DataError
            If their bins differ.
        """
        first_kind, first = next(iter(parts.items()))
        for kind, counts in parts.items():
            if len(counts) != len(first) or not (counts.index == first.index).all():
                raise DataError(
                    f"kind {kind!r} has {len(counts)} bins from {counts.index[0]:%Y-%m-%d}, kind {first_kind!r} has "
                    f"{len(first)} from {first.index[0]:%Y-%m-%d}. All kinds need the same bins: count them in one "
                    "window, and keep zeros."
                )
        values = np.array([counts.to_numpy(dtype=float) for counts in parts.values()])
        exposures = np.array([c.exposure.to_numpy(dtype=float) for c in parts.values()])
        total = Counts.build(
            np.nan_to_num(values.sum(axis=0)),
            first.bin_starts,
            exposures.min(axis=0),
            freq=first.freq,
            window=first.window,
            label=label,
            rule=rule,
            source=first.source,
            cutoff=first.cutoff,
            n_imputed=sum(counts.n_imputed for counts in parts.values()),
        )
        return cls(tuple(parts), tuple(parts.values()), total)

    @property
    def events(self) -> pd.Series:
        """Attacks of each kind."""
        return pd.Series(
            [counts.events for counts in self.parts],
            index=pd.Index(self.kinds, name="kind"),
            name="events",
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, values and exposures."""
        digest = hashlib.sha256()
        for kind, counts in zip(self.kinds, self.parts, strict=True):
            digest.update(f"{len(kind)}:{kind}".encode())
            digest.update(counts.fingerprint.encode())
        return digest.hexdigest()

    def arrays(self, mode: int, *, negbin: bool) -> KindsArrays:
        """Give the counts as the compiled code wants them.

        Parameters
        ----------
        mode : int
            How decays are shared.
        negbin : bool
            Whether each kind has a dispersion.

        Returns
        -------
        KindsArrays
            Contiguous arrays.
        """
        values = np.column_stack([counts.to_numpy(dtype=float) for counts in self.parts])
        exposure = np.column_stack([c.exposure.to_numpy(dtype=float) for c in self.parts])
        bin_days = self.total.bin_days
        return KindsArrays(
            np.ascontiguousarray(values),
            np.ascontiguousarray(exposure * bin_days[:, None]),
            bin_days,
            mode,
            negbin,
        )


def kind_series(
    data: object, kinds: Sequence[str] | None, imputations: int, rng: np.random.Generator
) -> tuple[list[KindCounts], list[str]]:
    """Give the series by kind that a fit averages over: one, or several where dates are uncertain.

    Parameters
    ----------
    data : Incidents, DataFrame, or mapping of str to Counts or Series
        Incidents are counted by day and kind; a DataFrame has one column of counts for each kind.
    kinds : sequence of str or None
        Which, and in what order; all of them when left out.
    imputations : int
        How many series to draw where some dates are known only to an interval.
    rng : numpy.random.Generator
        Draws the dates.

    Returns
    -------
    series : list of KindCounts
        At least one.
    notes : list of str
        What was done, as sentences for the provenance.

    Raises
    ------
    DataError
        If there are no kinds, or bins differ.
    OptionError
        If a kind is asked for that is not there.
    """
    if imputations < 1:
        raise OptionError(f"imputations is {imputations}; expected at least 1.")
    if isinstance(data, Incidents):
        return _of_incidents(data, kinds, imputations, rng)
    if not isinstance(data, pd.DataFrame | Mapping):
        raise DataError(
            f"got {type(data).__name__}; expected Incidents with kinds, or a DataFrame with one column of counts for "
            "each kind. For one series of counts use tempo.Hawkes()."
        )
    by_name = {str(name): series for name, series in data.items()}
    chosen = _chosen(list(by_name), kinds)
    parts = {kind: as_counts(by_name[kind]) for kind in chosen}
    first = next(iter(parts.values()))
    notes = (
        []
        if len(chosen) == len(by_name)
        else [f"Only the kinds {', '.join(chosen)} were fitted, as asked."]
    )
    rule = first.rule if len({counts.rule for counts in parts.values()}) == 1 else "as given"
    return [KindCounts.of(parts, label="attacks", rule=rule)], notes


def _of_incidents(
    data: Incidents, kinds: Sequence[str] | None, imputations: int, rng: np.random.Generator
) -> tuple[list[KindCounts], list[str]]:
    if not data.kinds:
        raise DataError(
            "these incidents have no kinds. Fill the column 'kind' (read_incidents(columns={'kind': ...})), or fit "
            "all of them together with tempo.Hawkes()."
        )
    chosen = _chosen(data.kinds, kinds)
    every = data.by_kind()
    parts = {kind: every[kind] for kind in chosen}
    notes = []
    left_out = len(data) - sum(len(part) for part in parts.values())
    rule = data.rule
    if left_out:
        notes.append(
            f"{left_out} of {len(data)} incidents are of other or unknown kind and were left out."
        )
        rule = f"{rule}, of the kinds {', '.join(chosen)}"
    uncertain = sum(part.n_uncertain("1D") for part in parts.values())
    if uncertain:
        notes.append(
            f"{uncertain} of {len(data) - left_out} dates are known only to an interval; the fit averages over "
            f"{imputations} series with dates drawn from their intervals."
        )
    drawn = {
        kind: part.imputed_counts("1D", imputations if uncertain else 1, rng)
        for kind, part in parts.items()
    }
    series = [
        KindCounts.of(dict(zip(drawn, each, strict=True)), label=data.label, rule=rule)
        for each in zip(*drawn.values(), strict=True)
    ]
    return series, notes


def _chosen(available: Sequence[str], kinds: Sequence[str] | None) -> list[str]:
    if kinds is None:
        chosen = list(available)
    elif isinstance(kinds, str):
        raise OptionError(f"kinds is {kinds!r}; expected a list of names, such as [{kinds!r}].")
    else:
        chosen = list(kinds)
    if not chosen:
        raise DataError("there are no kinds. Pass a DataFrame with one column for each kind.")
    unknown = [kind for kind in chosen if kind not in available]
    if unknown:
        raise OptionError(
            f"there are no attacks of kind {', '.join(map(repr, unknown))}; the kinds are {', '.join(available)}."
        )
    twice = {kind for kind in chosen if chosen.count(kind) > 1}
    if twice:
        raise OptionError(f"kind {', '.join(sorted(twice))} is named twice; name each kind once.")
    return chosen
