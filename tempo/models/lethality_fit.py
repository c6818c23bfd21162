"""A lethality fit: chances with intervals, the comparison of tails, checks, and simulated tolls."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.rounding import interval, number, percent, plural
from tempo.errors import OptionError, UnknownValuesWarning
from tempo.models import lethality_tables as tables
from tempo.models.chance import Chance
from tempo.models.intervals import interval_levels
from tempo.models.lethality_blocks import Block, Sorts, next_attack, sorts_ahead
from tempo.models.lethality_checks import checks
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_next import NextAttack, one_sort
from tempo.models.lethality_posterior import datatree
from tempo.models.lethality_reading import Record, Tolls, place_of
from tempo.models.lethality_words import Words, words_for
from tempo.models.posterior import deal
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.lethality import Lethality

__all__ = ["LethalityFit"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Share of draws without a finite mean from which no mean is shown.
MATERIAL = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class LethalityFit:
    """A fitted lethality.

    Attributes
    ----------
    model : Lethality
        The specification.
    label : str
        What the attacks are.
    provenance : Provenance
        How to make it again; doubts as notes.
    weights : dict of str to float
        Weight of each family of tails.
    draws : TailDraws
        Posterior draws of the tail, families mixed.
    chance : ndarray, shape (draws,)
        Posterior draws of the chance that the next attack kills anyone.
    khat : float
        Quality of the importance weights, the worst of all: below 0.7 is good, minus infinity exact.
    """

    model: Lethality
    label: str
    provenance: Provenance
    weights: dict[str, float]
    draws: TailDraws = field(repr=False)
    chance: Floats = field(repr=False)
    khat: float
    _mixture: Block = field(repr=False)
    _next: NextAttack = field(repr=False)
    _sorts: Sorts = field(repr=False)
    _blocks: dict[str, Block] = field(repr=False)
    _record: Record = field(repr=False)
    _comparison: pd.DataFrame = field(repr=False)

    name: str = "Lethality"

    # -- the next attack ---------------------------------------------------------------------------------------

    def probability(
        self,
        at_least: int = 1,
        *,
        given: Mapping[str, object] | None = None,
        prob: float = 0.9,
    ) -> Chance:
        """Give the probability that the next attack kills at least so many.

        Parameters
        ----------
        at_least : int, default 1
            How many.
        given : mapping of str to object, optional
            What is known about the attack: columns of the formula, and the group. Left out, it is one like those of
            the data, whose mix is uncertain too.
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        Chance
            A number with ``low``, ``high`` and ``prob``.

        Raises
        ------
        OptionError
            If the number is not whole, or ``given`` lacks what the formula needs.

        Examples
        --------
        >>> import warnings
        >>> import tempo
        >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", tempo.errors.FewEventsWarning)  # three lethal attacks
        ...     deadly = tempo.Lethality().fit(past, rng=7)
        >>> deadly.probability(at_least=1)
        13 % (90 % interval 5 % to 24 %)
        """
        return Chance.of(self.exceeds([at_least], given)[:, 0], prob)

    def exceedance(
        self,
        at_least: Sequence[int] | None = None,
        *,
        given: Mapping[str, object] | None = None,
        prob: float = 0.9,
    ) -> pd.DataFrame:
        """Tabulate the probability that the next attack kills at least k, for many k.

        Parameters
        ----------
        at_least : sequence of int, optional
            Numbers; left out, from 1 to ten times the largest toll, every observed one among them.
        given : mapping of str to object, optional
            As for ``probability``.
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``at_least``: ``probability, low, high``, and ``observed``, the share of the attacks of which
            it is known; ``prob`` stands in ``attrs``.
        """
        if at_least is None:
            top = 10.0 * max(self.record or 1, 10)
            certain = self.tolls.low[self.tolls.some]
            grid = np.concatenate([np.geomspace(1, top, 60).round(), [10.0, 100.0], certain])
            at_least = [int(k) for k in np.unique(grid)]
        chances = self.exceeds(at_least, given)
        low, high = np.quantile(chances, interval_levels(prob), axis=0)
        tolls = self._record.tolls
        above = [int((tolls.low >= k).sum()) for k in at_least]
        below = [int((tolls.high < k).sum()) for k in at_least]
        known = np.add(above, below)
        table = pd.DataFrame(
            {
                "probability": chances.mean(axis=0),
                "low": low,
                "high": high,
                "observed": np.divide(
                    above, known, out=np.full(len(known), np.nan), where=known > 0
                ),
            },
            index=pd.Index(list(at_least), name="at_least"),
        )
        table.attrs["prob"] = prob
        return table

    def attacks_until(self, at_least: int, *, prob: float = 0.9) -> pd.Series:
        """Give how many attacks it takes until one kills at least so many, that one included.

        Parameters
        ----------
        at_least : int
            How many; ``fit.record + 1`` asks for the next record.
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.Series
            ``median, low, high``; infinite beyond a billion. There is no mean: it is infinite wherever the chance may
            be as small as it likes.
        """
        chance = self.exceeds([at_least])[:, 0]
        low, high = interval_levels(prob)
        values = {
            name: tables.first_success(chance, level)
            for name, level in (("median", 0.5), ("low", low), ("high", high))
        }
        return pd.Series(values, name=f"attacks until one with {at_least} or more")

    @property
    def tolls(self) -> Tolls:
        """What is known of the toll of each attack, as an interval."""
        return self._record.tolls

    @property
    def record(self) -> int | None:
        """Largest toll that is certain, or None where nobody is known to have been killed."""
        certain = self._record.tolls.low
        return int(certain.max()) if (certain >= 1).any() else None

    @property
    def without_mean(self) -> float:
        """Posterior probability that the toll has no finite mean."""
        return self._next.without_mean(self.draws)

    def concentration(
        self, top: float = 0.1, *, n_attacks: int | None = None, prob: float = 0.9, rng: RNGLike = 0
    ) -> pd.Series:
        """Give the share of all deaths that the deadliest attacks account for.

        Parameters
        ----------
        top : float, default 0.1
            Share of the attacks that killed, rounded up to whole attacks.
        n_attacks : int, optional
            Number of lethal attacks to look at; as many as were observed when left out.
        prob : float, default 0.9
            Content of the interval.
        rng : int or Generator, default 0
            Simulates.

        Returns
        -------
        pandas.Series
            ``observed`` (among attacks whose toll is known), and ``median, low, high`` of what the fit expects.
        """
        if not 0 < top < 1:
            raise OptionError(f"top is {top!r}; expected a share between 0 and 1, such as 0.1.")
        tolls = self._record.tolls
        seen = tolls.low[tolls.some & tolls.exact]
        n = n_attacks or max(len(seen), 1)
        source = resolve(rng).generator
        rows = deal(len(self.draws), 1_000, source)
        one_each = np.ones((1_000, n), dtype=np.int64)
        drawn, _ = self._next.take(rows).lethal().simulate(self.draws.take(rows), one_each, source)
        low, high = interval_levels(prob)
        shares = tables.top_share(drawn.astype(float), top)
        middle = np.quantile(shares, [0.5, low, high])
        return pd.Series(
            {
                "observed": float(tables.top_share(seen[None], top)[0]) if len(seen) else math.nan,
                "median": middle[0],
                "low": middle[1],
                "high": middle[2],
            },
            name=f"share of the deadliest {percent(top)}",
        )

    # -- what is behind it -------------------------------------------------------------------------------------

    @cached_property
    def tails(self) -> pd.DataFrame:
        """Comparison of the families of tails.

        One row for each, the heaviest first. ``weight``: what the fit uses. ``log_evidence`` and ``posterior``: log
        marginal likelihood, and the probability that follows from it and ``tail_prior``. ``elpd``: expected log
        predictive density by leave-one-out (its ``khat`` above 0.7: doubtful), ``difference`` from the best,
        each with its standard error; ``pseudo_bma``: the weights that follow, by the Bayesian bootstrap.
        """
        table = self._comparison.assign(weight=pd.Series(self.weights))
        return table[["weight", *self._comparison.columns]].sort_values("weight", ascending=False)

    def by_tail(self, at_least: int, *, prob: float = 0.9) -> pd.DataFrame:
        """Give the probability that the next attack kills at least so many, under each family of tails.

        Where they disagree, data do not settle the answer: an average may then be too low if the heaviest is right.

        Parameters
        ----------
        at_least : int
            How many.
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by family, the heaviest weight first: ``weight, probability, low, high``.
        """
        at_least = whole(at_least, least=1)
        rows = {}
        for name in self.tails.index:
            block = self._blocks[name]
            coming = next_attack(block, self._sorts, np.random.default_rng(0))
            chance = coming.exceeds(block.tail, np.array([float(at_least)]))[:, 0]
            low, high = np.quantile(chance, interval_levels(prob))
            rows[name] = [self.weights[name], float(chance.mean()), low, high]
        table = pd.DataFrame.from_dict(
            rows, orient="index", columns=["weight", "probability", "low", "high"]
        )
        table.index.name = "tail"
        table.attrs["prob"] = prob
        return table

    def groups(self, prob: float = 0.9, *, at_least: int = 1) -> pd.DataFrame:
        """Tabulate the chance of each group.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.
        at_least : int, default 1
            How many killed.

        Returns
        -------
        pandas.DataFrame
            Indexed by group: ``attacks`` and ``lethal`` ones (of those known; with ``at_least``, those that killed so
            many), ``probability, low, high``; the last row, "a new one", is a group that was never seen. With
            covariates they are those of an average attack.
        """
        return tables.groups(self._mixture, self._record, whole(at_least, least=1), prob)

    def coefficients(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what the covariates do to the odds that an attack kills anyone.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by column of the design: ``odds_ratio, low, high`` (posterior median and interval) and ``per``, the
            step that it belongs to: a standard deviation of a number, or 1.
        """
        return tables.coefficients(self._mixture.anyone, self._record, prob)

    def toll_coefficients(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what the covariates do to how many a lethal attack kills.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``tail`` and ``covariate``: ``factor, low, high`` (posterior median and interval), ``per``, the
            step that it belongs to, and ``of``, what it multiplies: each tail has a location of its own.
        """
        return tables.toll_coefficients(self._blocks, self._record, prob)

    def changes(self, prob: float = 0.9) -> pd.DataFrame:
        """Look for changes of the chance that an attack kills anyone, by an exact product partition.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            One row for each attack of which it is known whether it killed, in order of dates: ``date``, ``lethal``,
            ``change_probability`` (that a new regime begins with it), ``chance, low, high``. In ``attrs``: ``prob``
            and ``changed``, the probability of any change, which is one half beforehand.
        """
        return tables.changes(self._record, prob)

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: shape of the tail, its largest toll, and the chance through time.

        Parameters
        ----------
        rng : int or Generator, default 0
            Simulates what the fit expects.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning.
        """
        return checks(self, self._mixture, self._record, resolve(rng).generator)

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws of every family, with log-likelihood and data, as ArviZ expects them.

        Parameters are named after their family, ``power_exponent``; ``tail`` is the family that each draw of the
        mixture uses. Attacks of which nothing is known are not among the observed data.
        """
        return datatree(self, self._mixture, self._blocks, self._record)

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the posterior.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the central interval.

        Returns
        -------
        pandas.DataFrame
            Chances for the next attack and parameters of each family: mean, sd, low, high. The mean toll stands there
            only if hardly any draw is without one.
        """
        return tables.summary(self, self._blocks, prob)

    # -- futures -----------------------------------------------------------------------------------------------

    def simulate(self, n_attacks: int, draws: int, rng: np.random.Generator) -> Ints:
        """Simulate the tolls of the next attacks, uncertainty about parameters and tail included.

        Parameters
        ----------
        n_attacks : int
            How many attacks.
        draws : int
            How many times.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws, n_attacks)
            Killed in each attack; one draw has one set of parameters.
        """
        return self.simulate_deaths(np.ones((draws, n_attacks), dtype=np.int64), rng)[0]

    def simulate_deaths(self, attacks: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Simulate how many are killed in simulated attacks.

        Parameters
        ----------
        attacks : ndarray of int, shape (draws, n_bins)
            Attacks in each bin of each future.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        total, deadliest : ndarray of int64, shape (draws, n_bins)
            Killed in each bin, and in the deadliest attack of each bin. A single toll is at most 10^12.
        """
        rows = deal(len(self.draws), len(attacks), rng)
        return self._next.take(rows).simulate(self.draws.take(rows), attacks, rng)

    def simulate_deaths_by_group(
        self, attacks: Ints, groups: Sequence[str], rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        """Simulate how many are killed in simulated attacks of several groups, each with its own chance.

        Parameters
        ----------
        attacks : ndarray of int, shape (draws, n_bins, g)
            Attacks of each group in each bin of each future.
        groups : sequence of str
            Names of the groups; one that the data never had gets the chance of a new one.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        total, deadliest : ndarray of int64, shape (draws, n_bins, g)
            As ``simulate_deaths``. One future has one set of parameters for all groups.
        """
        rows = deal(len(self.draws), len(attacks), rng)
        mixture, record = self._mixture.take(rows), self._record
        parts = []
        for i, name in enumerate(groups):
            code = None
            if self.model.group is not None:
                code = place_of(name, record.groups)
            coming = next_attack(mixture, sorts_ahead(mixture, record, code), rng)
            parts.append(coming.simulate(mixture.tail, attacks[..., i], rng))
        total, deadliest = zip(*parts, strict=True)
        return np.stack(total, axis=-1), np.stack(deadliest, axis=-1)

    def describe(self) -> str:
        """Say in a few sentences what was found.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        said, tolls = self.words, self._record.tolls
        known = int((tolls.some | tolls.none).sum())
        any_, ten = self.probability(1), self.probability(10)
        one, many = plural(self.label, one=True), plural(self.label)
        if self._record.certain:
            text = (
                f"Each of the {many} {said.some}, by the counting rule; the next one {said.does} ten or more with "
                f"probability {ten}."
            )
        else:
            text = (
                f"The next {one} {said.any} with probability {any_}; {int(tolls.some.sum())} of the {known} {many} "
                f"did of which that is known. It {said.does} ten or more with probability {ten}."
            )
        if self.record is not None:
            waiting = self.attacks_until(self.record + 1)
            text += (
                f" The largest known toll is {self.record}; one that exceeds it comes after "
                f"{_span(waiting['low'], waiting['high'])} {many} (90 % interval)."
            )
        if self.without_mean > MATERIAL:
            text += (
                f" No mean is given: with probability {percent(self.without_mean)} the toll has none, because rare "
                "attacks would dominate it."
            )
        return text

    @property
    def toll(self) -> str:
        """What is counted: "deaths", "wounded"."""
        return self.words.toll

    @property
    def words(self) -> Words:
        """What to call the toll."""
        return words_for(self.model.column)

    def exceeds(self, at_least: Sequence[int], given: Mapping[str, object] | None = None) -> Floats:
        """Give the probability that the next attack kills at least k, under each posterior draw.

        Parameters
        ----------
        at_least : sequence of int, length u
            Numbers.
        given : mapping of str to object, optional
            As for ``probability``.

        Returns
        -------
        ndarray, shape (s, u)
            Probabilities. Where covariates make many sorts of attack, of every so many of the draws.
        """
        k = np.array([whole(value, least=0) for value in at_least], dtype=float)
        coming = self._next if given is None else self._given(given)
        return np.where(k == 0, 1.0, coming.exceeds(self.draws, np.maximum(k, 1.0)))

    def _given(self, given: Mapping[str, object]) -> NextAttack:
        if not isinstance(given, Mapping):
            raise OptionError(
                f"given is a {type(given).__name__}; expected what is known of the attack, such as {{'munitions': 30}}."
            )
        record, model = self._record, self.model
        group = model.group
        if record.anyone.design is None and record.many.design is None and group is None:
            raise OptionError(
                f"given is {dict(given)!r}, but the fit has neither formula nor group: every attack is alike to it. "
                "Fit tempo.Lethality(group=...) or formula=."
            )
        if group is not None and group not in given:
            raise OptionError(
                f"given holds {', '.join(map(repr, given)) or 'nothing'}; expected the group {group!r} too."
            )
        known = record.anyone.variables | record.many.variables | {"date"}
        known |= set() if group is None else {group}
        strange = [str(name) for name in given if name not in known]
        if strange:
            raise OptionError(
                f"given holds {', '.join(map(repr, strange))}, which the fit does not know; it knows "
                f"{', '.join(map(repr, sorted(known)))}."
            )
        code = np.zeros(1, dtype=np.int64)
        if group is not None:
            code[0] = place_of(given[group], record.groups)
            if code[0] < 0:
                text = (
                    f"no attack behind the fit has {group}={given[group]!r} (they have {', '.join(record.groups)}); it "
                    "is taken for a group that was never seen."
                )
                warnings.warn(UnknownValuesWarning(text), stacklevel=4)
        chance = self._mixture.anyone.chance(record.anyone.of(given)[None], code)
        shift = self._mixture.effects.shift(record.many.of(given)[None], code)
        return one_sort(chance[:, 0], shift[:, 0])

    def __repr__(self) -> str:
        tolls = self._record.tolls
        return (
            f"LethalityFit: {self.words.any} {self.probability(1)}, 10 or more {self.probability(10)}; "
            f"{int(tolls.some.sum())} of {len(tolls)} attacks"
        )


def _span(low: float, high: float) -> str:
    return f"{number(low)} to over a billion" if math.isinf(high) else interval(low, high)


def whole(value: object, *, least: int) -> int:
    """Give a whole number of deaths, or refuse it.

    Parameters
    ----------
    value : int
        At least ``least``.
    least : int
        Smallest that makes sense.

    Returns
    -------
    int
        The same.

    Examples
    --------
    >>> whole(3.0, least=1)
    3
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        number_of = float(value)
        if least <= number_of < math.inf and number_of == math.floor(number_of):
            return int(number_of)
    raise OptionError(f"at_least is {value!r}; expected a whole number from {least} up.")
