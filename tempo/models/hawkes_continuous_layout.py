"""The parameters of a general Hawkes model in continuous time, its kernels by age, and what times add to its block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tempo.models import hawkes_continuous_ages as ages
from tempo.models import hawkes_shapes as shapes
from tempo.models.hawkes_layout import Layout

__all__ = ["TimedLayout", "pack_times"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TimedLayout(Layout):
    """A ``Layout`` whose kernels are densities of the age in days.

    Attributes
    ----------
    delay_days : float
        Days before any excitation.
    nodes : ndarray
        Ages of the grid of power and gamma kernels, edges of a histogram; empty for exponentials.
    resolution_days : float
        A short gap between attacks: memories much shorter cannot be told.
    """

    delay_days: float
    nodes: Floats
    resolution_days: float

    @property
    def chain(self) -> bool:
        """Whether the kernel is made of exponentials."""
        return self.kind <= shapes.SUM_EXPONENTIAL

    @property
    def smooth(self) -> bool:
        """Whether the kernel is interpolated between nodes."""
        return self.kind in {shapes.POWER, shapes.GAMMA}

    @cached_property
    def masses(self) -> Floats:
        """Integral of what each level of the kernel is multiplied by."""
        if self.chain:
            return np.empty(0)
        return np.asarray(ages.node_masses(self.smooth, self.nodes))

    def _shape_names(self) -> list[str]:
        if self.kind != shapes.HISTOGRAM or self.parts == 1:
            return super()._shape_names()
        return [f"lag[{a:g}-{b:g} days]" for a, b in itertools.pairwise(self.edges)]

    def _memory_limits(self, n: int) -> tuple[float, float]:
        return 0.2 * self.resolution_days, max(0.5 * n, 2.0)

    @property
    def _most_apart(self) -> float:
        return 2.4  # 60,000 times: from seconds to days

    def _memories(self) -> list[tuple[float, float]]:
        short = 5.0 * self.resolution_days
        memories = {1.0, 5.0, 25.0}
        if self.kind != shapes.HISTOGRAM and short < 0.3:
            memories |= {short, math.sqrt(short)}
        return [(max(days, 0.05), days) for days in sorted(memories)]

    def place(self, theta: Floats, source: int = 0) -> Floats:
        """Give the unbounded kernel parameters of a source, shape (draws, shape)."""
        first = self.at_shape + (source * self.shape if self.own_shapes else 0)
        return np.ascontiguousarray(theta[:, first : first + self.shape])

    def levels(self, theta: Floats, source: int = 0) -> Floats:
        """Give the levels of a kernel on the grid, shape (draws, levels)."""
        out = np.empty((len(theta), len(self.masses)))
        slopes = np.empty((self.shape, len(self.masses)))
        for row, place in zip(out, self.place(theta, source), strict=True):
            ages.age_density(self.kind, place, self.nodes, self.masses, row, slopes)
        return out

    def mixture(self, theta: Floats, source: int = 0) -> tuple[Floats, Floats]:
        """Give decays and shares of a sum of exponentials, each of shape (draws, parts)."""
        decays, shares = np.empty((2, len(theta), self.parts))
        for i, place in enumerate(self.place(theta, source)):
            shapes.decays_and_shares(place, self.parts, decays[i], shares[i])
        return decays, shares

    def reached(self, theta: Floats, age_days: Floats, source: int = 0) -> Floats:
        """Give the share of what one attack triggers that has come by an age.

        Parameters
        ----------
        theta : ndarray, shape (draws, size)
            Unbounded.
        age_days : ndarray, shape (ages,)
            Days since the attack, the delay included.
        source : int, default 0
            0 for the process itself, 1 for the first input.

        Returns
        -------
        ndarray, shape (draws, ages)
            Rising to one.
        """
        x = np.maximum(np.asarray(age_days, dtype=float) - self.delay_days, 0.0)
        if self.chain:
            decays, shares = self.mixture(theta, source)
            left = np.exp(-decays[:, :, None] * x)
            return np.asarray(1.0 - (shares[:, :, None] * left).sum(axis=1))
        rows = np.zeros((len(x), len(self.masses)))
        scale, room = ages.log_scale(self.smooth, self.nodes), np.empty(ages.STENCIL)
        for row, age in zip(rows, x, strict=True):
            ages.add_integral(self.smooth, self.nodes, scale, 0.0, float(age), 1.0, row, room)
        return np.clip(self.levels(theta, source) @ rows.T, 0.0, 1.0)

    def density(self, theta: Floats, age_days: Floats, source: int = 0) -> Floats:
        """Give the density of the age at which an attack triggers another, per day: (draws, ages)."""
        x = np.asarray(age_days, dtype=float) - self.delay_days
        if self.chain:
            decays, shares = self.mixture(theta, source)
            left = np.exp(-decays[:, :, None] * np.maximum(x, 0.0))
            return np.asarray(
                np.where(x > 0, ((shares * decays)[:, :, None] * left).sum(axis=1), 0.0)
            )
        rows = np.zeros((len(x), len(self.masses)))
        scale, room = ages.log_scale(self.smooth, self.nodes), np.empty(ages.STENCIL)
        for row, age in zip(rows, x, strict=True):
            if age > 0:
                ages.add_point(self.smooth, self.nodes, scale, float(age), 1.0, row, room)
        return np.maximum(self.levels(theta, source) @ rows.T, 0.0)

    def kernel(self, theta: Floats, lags: int, source: int = 0) -> Floats:
        """Give the share of what one attack triggers on each day after it: (draws, lags)."""
        by_day = self.reached(theta, np.arange(lags + 1.0), source)
        return np.diff(by_day, axis=1)

    def quantiles(self, theta: Floats, levels: Sequence[float]) -> Floats:
        """Give the ages, in days, by which given shares of what is triggered have come: (draws, levels)."""
        if self.kind == shapes.EXPONENTIAL:
            left = -np.log1p(-np.asarray(levels))
            return np.asarray(left / np.exp(theta[:, self.at_shape, None]) + self.delay_days)
        if self.chain:
            decays, _ = self.mixture(theta)
            grid = np.geomspace(1e-3 / decays.max(), 50.0 / decays.min(), 400)
        elif self.smooth:
            grid = self.nodes
        else:
            grid = np.linspace(0.0, self.nodes[-1], 400)[1:]
        by_age = self.reached(theta, grid + self.delay_days)
        found = [np.interp(levels, row, grid) for row in by_age]
        return np.array(found).reshape(len(theta), len(levels)) + self.delay_days


def pack_times(
    layout: TimedLayout,
    days: Ints,
    times: Floats,
    stops: Sequence[int],
    spans: Sequence[float],
    sources: Sequence[Floats],
    classes: int,
) -> Floats:
    """Lay out what continuous time adds to the block of a general model.

    Parameters
    ----------
    layout : TimedLayout
        What the parameters mean.
    days, times : ndarray, shape (n,)
        Day (counted through all series) and time (in its own series) of each attack.
    stops, spans : sequence
        Of each series, the number of attacks up to its end, and its days.
    sources : sequence of ndarray
        What each source adds: its times and classes by series, or its sums over the grid of ages.
    classes : int
        Of attacks by mark; those of unknown mark are the first.

    Returns
    -------
    ndarray of float
        For ``hawkes_layout.pack``.
    """
    levels = len(layout.masses)
    header = [len(times), levels, len(stops), classes]
    # As many numbers for nodes as for levels: a histogram has one edge more, an interpolated kernel one node less.
    grid = [np.resize(layout.nodes, levels), layout.masses]
    return np.concatenate([header, days, times, stops, spans, *grid, *sources]).astype(np.float64)
