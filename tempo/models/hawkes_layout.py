"""The parameters of a general Hawkes model: names, order, priors and bounds, and the block that holds the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tempo.models import hawkes_shapes as shapes
from tempo.models.hawkes_general import HEADER
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hurdle import typical_size

__all__ = ["OBSERVATIONS", "Layout", "pack"]

type Floats = NDArray[np.float64]

OBSERVATIONS = {
    "poisson": 0,
    "negbin": 1,
    "hurdle-poisson": 2,
    "hurdle": 3,
    "hurdle-negbin": 4,
}
_SIZES = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2}
NORMAL, LOG_HALF_NORMAL, PENALTY = 0.0, 1.0, 2.0


@dataclass(frozen=True, eq=False)
class Layout:
    """What the choices of a model mean for its vector of parameters.

    Attributes
    ----------
    kind, parts : int
        Kernel, and how many exponentials or levels it has.
    edges : tuple of float
        First lag of each level of a histogram, and the first lag beyond.
    lags, delay : int
        Longest lag of kernels that end, and bins before any excitation.
    columns : tuple of str
        Of the baseline.
    scales : ndarray, shape (q,)
        By which those columns were divided.
    inputs : tuple of str
        Other processes that excite this one.
    own_shapes : bool
        Whether each input has its own kernel parameters.
    marked : bool
        Whether productivity depends on a mark.
    observation : str
        One of ``OBSERVATIONS``.
    width : float
        Days in a bin.
    """

    kind: int
    parts: int
    edges: tuple[float, ...]
    lags: int
    delay: int
    columns: tuple[str, ...]
    scales: Floats
    inputs: tuple[str, ...]
    own_shapes: bool
    marked: bool
    observation: str
    width: float

    @property
    def code(self) -> int:
        """Number of the observation."""
        return OBSERVATIONS[self.observation]

    @property
    def shape(self) -> int:
        """Parameters of one kernel."""
        return shapes.shape_size(self.kind, self.parts)

    @property
    def shape_sources(self) -> tuple[str, ...]:
        """Whose kernels have parameters of their own; the empty name is the process itself."""
        return ("", *self.inputs) if self.own_shapes else ("",)

    @property
    def at_branching(self) -> int:
        """Place of the branching ratio; the responses to inputs follow it."""
        return 1 + len(self.columns)

    @property
    def at_shape(self) -> int:
        """Place of the first kernel parameter."""
        return self.at_branching + 1 + len(self.inputs)

    @property
    def at_mark(self) -> int:
        """Place of the exponent of the mark, where there is one."""
        return self.at_shape + self.shape * len(self.shape_sources)

    @property
    def at_observation(self) -> int:
        """Place of the first parameter of the observation."""
        return self.at_mark + int(self.marked)

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return self.at_observation + _SIZES[self.code]

    @cached_property
    def groups(self) -> Floats:
        """Level of a histogram that each lag belongs to, shape (lags,)."""
        if self.kind != shapes.HISTOGRAM:
            return np.zeros(self.lags)
        return np.asarray(
            np.searchsorted(self.edges, np.arange(1, self.lags + 1), side="right") - 1.0
        )

    @cached_property
    def names(self) -> list[str]:
        """Names of the natural parameters, in order."""
        names = ["baseline", *self.columns, "branching_ratio"]
        names += [f"response[{name}]" for name in self.inputs]
        for source in self.shape_sources:
            suffix = f"[{source}]" if source else ""
            names += [f"{name}{suffix}" for name in self._shape_names()]
        names += ["mark_exponent"] if self.marked else []
        if self.code >= 2:
            names.append("day_size")
        if self.code in {1, 4}:
            names.append("dispersion")
        return names

    @property
    def natural_shape_slice(self) -> slice:
        """Places of the natural parameters of the process's own kernel."""
        first = self.at_shape
        return slice(first, first + len(self._shape_names()))

    def _shape_names(self) -> list[str]:
        if self.kind == shapes.EXPONENTIAL:
            return ["decay"]
        if self.kind == shapes.SUM_EXPONENTIAL:
            numbers = range(1, self.parts + 1)
            return [f"decay_{i}" for i in numbers] + [f"share_{i}" for i in numbers]
        if self.kind == shapes.POWER:
            return ["scale_days", "exponent"]
        if self.kind == shapes.GAMMA:
            return ["shape", "mean_days"]
        if self.parts == 1:
            return []
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return [f"lag[{a}]" if b == a + 1 else f"lag[{a}-{b - 1}]" for a, b in pairs]

    def natural(self, theta: Floats) -> Floats:
        """Turn unbounded parameters into those that are reported.

        Parameters
        ----------
        theta : ndarray, shape (draws, size)
            Unbounded.

        Returns
        -------
        ndarray, shape (draws, len(names))
            In the order of ``names``.
        """
        out = [np.exp(theta[:, 0])]
        out += [theta[:, 1 + i] / scale for i, scale in enumerate(self.scales)]
        out += [np.exp(theta[:, i]) for i in range(self.at_branching, self.at_shape)]
        for i in range(len(self.shape_sources)):
            first = self.at_shape + i * self.shape
            out += self._natural_shape(theta[:, first : first + self.shape])
        if self.marked:
            out.append(theta[:, self.at_mark])
        _, dispersion, day_size = self.sizes_at(theta)
        out += [day_size] if self.code >= 2 else []
        out += [dispersion] if self.code in {1, 4} else []
        return np.column_stack(out)

    def _natural_shape(self, place: Floats) -> list[Floats]:
        if self.kind == shapes.SUM_EXPONENTIAL:
            logs = np.cumsum(
                np.column_stack([place[:, :1], -np.exp(place[:, 1 : self.parts])]), axis=1
            )
            left = np.ones(len(place))
            shares = []
            for i in range(self.parts, 2 * self.parts - 1):
                broken = 1 / (1 + np.exp(-place[:, i]))
                shares.append(left * broken)
                left = left * (1 - broken)
            return [*np.exp(logs).T, *shares, left]
        if self.kind != shapes.HISTOGRAM:
            return list(np.exp(place).T)
        if self.parts == 1:
            return []
        levels = np.column_stack([np.zeros(len(place)), np.cumsum(place, axis=1)])
        mass = np.diff(self.edges) * np.exp(levels - levels.max(axis=1, keepdims=True))
        return list((mass / mass.sum(axis=1, keepdims=True)).T)

    def unbounded(self, natural: Floats) -> Floats:
        """Turn natural parameters back into unbounded ones.

        Parameters
        ----------
        natural : ndarray, shape (len(names),)
            In the order of ``names``.

        Returns
        -------
        ndarray, shape (size,)
            For ``natural``, which undoes it.
        """
        theta = np.zeros(self.size)
        q = len(self.columns)
        with np.errstate(divide="ignore"):
            theta[0] = math.log(natural[0])
            theta[1 : 1 + q] = natural[1 : 1 + q] * self.scales
            theta[1 + q : self.at_shape] = np.maximum(np.log(natural[1 + q : self.at_shape]), -40.0)
        names = len(self._shape_names())
        at = self.at_shape
        for i in range(len(self.shape_sources)):
            first = self.at_shape + i * self.shape
            theta[first : first + self.shape] = self._unbounded_shape(natural[at : at + names])
            at += names
        if self.marked:
            theta[self.at_mark] = natural[at]
            at += 1
        if self.code == 1:
            theta[self.at_observation] = math.log(natural[at])
        elif self.code >= 2:
            a = {2: 0.0, 3: 1.0}.get(self.code)
            a = float(natural[at + 1]) if a is None else a
            theta[self.at_observation] = math.log(float(typical_size(natural[at], a)))
            if self.code == 4:
                theta[self.at_observation + 1] = math.log(a)
        return theta

    def _unbounded_shape(self, values: Floats) -> Floats:
        if self.kind == shapes.SUM_EXPONENTIAL:
            logs = np.log(values[: self.parts])
            shares = values[self.parts :]
            left = np.cumsum(shares[::-1])[::-1]
            logits = np.log(shares[:-1] / left[1:])
            return np.concatenate([logs[:1], np.log(-np.diff(logs)), logits])
        if self.kind == shapes.HISTOGRAM:
            return np.diff(np.log(values / np.diff(self.edges))) if self.parts > 1 else values
        return np.log(values)

    def sizes_at(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Give mean before truncation, dispersion and mean size of an attack day of each row.

        Parameters
        ----------
        theta : ndarray, shape (draws, size)
            Unbounded.

        Returns
        -------
        typical, dispersion, day_size : ndarray, shape (draws,)
            1, the dispersion (0 for Poisson) and 1 where there is no hurdle.
        """
        draws = len(theta)
        last = theta[:, self.at_observation :]
        if self.code < 2:
            a = np.exp(last[:, 0]) if self.code == 1 else np.zeros(draws)
            return np.ones(draws), a, np.ones(draws)
        typical = np.exp(last[:, 0])
        fixed = {2: np.zeros(draws), 3: np.ones(draws)}.get(self.code)
        a = np.exp(last[:, 1]) if fixed is None else fixed
        spread = np.where(a > 1e-9, np.log1p(a * typical) / np.where(a > 1e-9, a, 1.0), typical)
        return typical, a, np.asarray(typical / -np.expm1(-spread))

    def kernel(self, theta: Floats, lags: int, source: int = 0) -> Floats:
        """Give the weights of lags 1 to ``lags``, the delay included, for each row.

        Parameters
        ----------
        theta : ndarray, shape (draws, size)
            Unbounded.
        lags : int
            How many.
        source : int, default 0
            0 for the process itself, 1 for the first input.

        Returns
        -------
        ndarray, shape (draws, lags)
            Of kernels that end, all weights sum to one; of others, in the limit.
        """
        first = self.at_shape + (source * self.shape if self.own_shapes else 0)
        own = self.lags if self.kind > shapes.SUM_EXPONENTIAL else max(lags - self.delay, 1)
        group = self.groups if self.kind > shapes.SUM_EXPONENTIAL else np.zeros(own)
        out = np.zeros((len(theta), lags))
        weights, slopes = np.empty(own), np.empty((self.shape, own))
        reach = max(min(own, lags - self.delay), 0)
        for row, place in zip(out, theta[:, first : first + self.shape], strict=True):
            shapes.lag_weights(
                self.kind,
                np.ascontiguousarray(place),
                self.parts,
                self.width,
                group,
                weights,
                slopes,
            )
            row[self.delay : self.delay + reach] = weights[:reach]
        return out

    def prior(self, hyper: HawkesPrior) -> tuple[Floats, Floats, Floats]:
        """Give kind, mean and sd of the prior of each unbounded parameter.

        Parameters
        ----------
        hyper : HawkesPrior
            What is believed.

        Returns
        -------
        tuple of three ndarrays, each of shape (size,)
            Kind 0 is normal, 1 the log of a half-normal, 2 a normal that maximum likelihood keeps as a penalty.
        """
        log_memory = math.log(hyper.half_life_median_days / math.log(2))  # of the mean lag
        memory_sd = hyper.half_life_log_sd
        shape = {
            shapes.EXPONENTIAL: [(NORMAL, -log_memory, memory_sd)],
            shapes.SUM_EXPONENTIAL: [(NORMAL, -log_memory + 0.7, memory_sd)]
            + [(NORMAL, math.log(1.5), 0.6)] * (self.parts - 1)
            + [(NORMAL, 0.0, 1.5)] * (self.parts - 1),
            shapes.POWER: [(NORMAL, log_memory, memory_sd), (NORMAL, math.log(1.5), 0.5)],
            shapes.GAMMA: [(NORMAL, 0.0, 0.5), (NORMAL, log_memory, memory_sd)],
            shapes.HISTOGRAM: [(PENALTY, -0.5, hyper.histogram_step_sd)] * (self.parts - 1),
        }[self.kind]
        rows = [(NORMAL, math.log(hyper.baseline_median_per_day), hyper.baseline_log_sd)]
        rows += [(NORMAL, 0.0, hyper.coefficient_sd)] * len(self.columns)
        rows += [(LOG_HALF_NORMAL, 0.0, hyper.branching_sd)] * (1 + len(self.inputs))
        rows += shape * len(self.shape_sources)
        rows += [(NORMAL, 0.0, hyper.mark_exponent_sd)] if self.marked else []
        rows += [(NORMAL, math.log(0.5), 1.5)] if self.code >= 2 else []
        rows += [(LOG_HALF_NORMAL, 0.0, hyper.dispersion_sd)] if self.code in {1, 4} else []
        table = np.array(rows)
        return table[:, 0], table[:, 1], table[:, 2]

    def bounds(self, n: int) -> tuple[Floats, Floats]:
        """Give bounds so wide that they bind only what is not identified.

        Parameters
        ----------
        n : int
            Bins of the record.

        Returns
        -------
        lower, upper : ndarray, shape (size,)
            Of the unbounded parameters.
        """
        shortest, longest = (math.log(days) for days in self._memory_limits(n))
        decay = (-longest + math.log(math.log(2)), -shortest)
        shape = {
            shapes.EXPONENTIAL: [decay],
            shapes.SUM_EXPONENTIAL: [decay]
            + [(-2.5, self._most_apart)] * (self.parts - 1)
            + [(-8.0, 8.0)] * (self.parts - 1),
            shapes.POWER: [(shortest - 2.0, longest), (-2.5, 3.5)],
            shapes.GAMMA: [(-3.0, 4.0), (shortest, longest)],
            shapes.HISTOGRAM: [(-12.0, 12.0)] * (self.parts - 1),
        }[self.kind]
        rows = [(-25.0, 15.0)] + [(-20.0, 20.0)] * len(self.columns)
        rows += [(-40.0, 3.0)] + [(-40.0, 8.0)] * len(self.inputs)
        rows += shape * len(self.shape_sources)
        rows += [(-8.0, 8.0)] if self.marked else []
        rows += [(-9.0, 8.0)] if self.code >= 2 else []
        rows += [(-12.0, 5.0)] if self.code in {1, 4} else []
        table = np.array(rows)
        return table[:, 0], table[:, 1]

    def _memory_limits(self, n: int) -> tuple[float, float]:
        """Shortest and longest mean lag, in days, that a record of ``n`` bins could tell."""
        return 0.2 * self.width, max(0.5 * n, 2.0) * self.width

    @property
    def _most_apart(self) -> float:
        """Log of the largest difference of log decays in a sum of exponentials: 57 times slower."""
        return 1.4

    def _memories(self) -> list[tuple[float, float]]:
        """Mean lags to climb from, in bins and in days."""
        return [(bins, bins * self.width) for bins in (1.0, 5.0, 25.0)]

    def starts(self, rate_per_day: float) -> list[Floats]:
        """Give places to climb from: short, middling and long memories.

        Parameters
        ----------
        rate_per_day : float
            Mean rate of the data.

        Returns
        -------
        list of ndarray, shape (size,)
            Each inside the bounds.
        """
        found = []
        for bins, memory_days in self._memories():
            memory = math.log(memory_days)
            shape = {
                shapes.EXPONENTIAL: [-memory],
                shapes.SUM_EXPONENTIAL: [1.0 - memory]
                + [0.3] * (self.parts - 1)
                + [0.0] * (self.parts - 1),
                shapes.POWER: [memory, math.log(1.5)],
                shapes.GAMMA: [0.0, memory],
                shapes.HISTOGRAM: [-1.5 / math.sqrt(bins)] * (self.parts - 1),
            }[self.kind]
            place = np.zeros(self.size)
            place[0] = math.log(0.6 * rate_per_day)
            place[self.at_branching] = math.log(0.4)
            place[self.at_branching + 1 : self.at_shape] = math.log(0.1)
            place[self.at_shape : self.at_mark] = shape * len(self.shape_sources)
            place[self.at_observation :] = math.log(0.5)
            found.append(place)
        return found if self.shape else found[:1]


def pack(
    layout: Layout,
    design: Floats,
    inputs: Floats,
    counts: Floats,
    days: Floats,
    role: Floats,
    stop: Floats,
    marks: tuple[Floats, Floats, Floats, Floats],
    prior: tuple[Floats, Floats, Floats],
    times: Floats | None = None,
) -> Floats:
    """Lay data and prior out as the one block of numbers that the compiled code takes.

    Parameters
    ----------
    layout : Layout
        What the numbers mean.
    design : ndarray, shape (n, q)
        Standardised columns of the baseline.
    inputs : ndarray, shape (sources, n)
        What excites, the process itself first (without its attacks of known mark).
    counts, days, role, stop : ndarray, shape (n,)
        Attacks, days that the baseline works in, role of each bin, and where its realisation ends.
    marks : tuple of ndarray
        Bin and code of each attack of known mark, values and numbers of the distinct marks.
    prior : tuple of ndarray
        From ``Layout.prior``.
    times : ndarray, optional
        What continuous time adds, from ``hawkes_continuous_layout.pack_times``.

    Returns
    -------
    ndarray of float
        The block.
    """
    seen = counts[role == 1.0]
    tail = _tail(seen)
    header = np.zeros(HEADER)
    header[1:17] = [
        len(counts),
        design.shape[1],
        len(inputs),
        layout.kind,
        layout.parts,
        layout.lags,
        layout.delay,
        layout.code,
        float(layout.own_shapes),
        len(marks[0]),
        len(marks[2]),
        layout.size,
        len(tail),
        layout.shape,
        layout.width,
        float((role == 2.0).any()),
    ]
    pieces: Sequence[Floats] = [
        header,
        np.ascontiguousarray(design.T).ravel(),
        inputs.ravel(),
        counts,
        days,
        role,
        stop,
        layout.groups,
        tail,
        *marks,
        *prior,
    ]
    if times is not None:
        end = sum(map(len, pieces))
        header[17:20] = [HEADER, end - 3 * layout.size, end]
        pieces = [*pieces, times]
    block = np.concatenate(pieces).astype(np.float64)
    block[0] = len(block)
    return block


def _tail(seen: Floats) -> Floats:
    """Count the observed bins with more than 0, 1, ... attacks."""
    largest = int(seen.max()) if len(seen) else 0
    number_with = np.bincount(seen.astype(np.int64), minlength=largest + 1)
    return (len(seen) - np.cumsum(number_with))[:largest].astype(np.float64)
