"""Lethality: whether an attack kills anyone, and how many if it does. The specification and its `fit`."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, percent
from tempo.errors import (
    ConvergenceWarning,
    DataError,
    FewEventsWarning,
    OptionError,
    UnknownValuesWarning,
)
from tempo.models.inputs import FEW_EVENTS
from tempo.models.laplace import KHAT_LIMIT, pareto_smooth
from tempo.models.lethality_any import (
    AnyDraws,
    beta_posterior,
    grouped_posterior,
    logistic_posterior,
)
from tempo.models.lethality_fit import Block, LethalityFit, Record
from tempo.models.lethality_reading import Design, Tolls, read_design, read_groups, read_tolls
from tempo.models.lethality_tables import compare
from tempo.models.lethality_tails import (
    TailDraws,
    joint_posterior,
    not_in_power,
    power_posterior,
    smooth_posterior,
    stacked,
    x_min_candidates,
)
from tempo.models.lethality_words import words_for
from tempo.models.posterior import CHAINS
from tempo.models.provenance import Provenance
from tempo.models.severity_tails import FAMILIES, fit_power_law
from tempo.randomness import RNGLike, resolve

__all__ = ["Lethality"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Proposals for each draw, where rows remain that only importance weights can bring in.
OVERSAMPLING = 4
#: Tolls known only to limits from which on a power law is not averaged over where it begins.
MOST_INEXACT = 40


@dataclass(frozen=True)
class Lethality:
    """How deadly attacks are: the chance that one kills anyone, times how many it then kills.

    Each attack kills with a chance that has a Beta prior, or that its group or covariates decide. Given that it kills,
    the toll is a zero-truncated negative binomial, a discrete log-normal or a discrete power law (Clauset, Shalizi &
    Newman 2009), or an average of the three, because the choice of the tail dominates the chance of a very
    large attack (Clauset & Woodard 2013). Unknown tolls are integrated out and never zero; where low and high figures
    differ, the toll is known to lie between them and no more.

    Parameters
    ----------
    tail : {"average", "negbin", "lognormal", "power"}
        Which distribution of the toll. ``"average"`` carries the uncertainty about it; if the heaviest is the truth,
        the chance of a very deadly attack is then somewhat too low while attacks are few: ``fit.by_tail`` shows each.
    formula : str, optional
        Covariates of the chance that anyone is killed, for example ``"munitions + season"`` or
        ``"after(date, '2020-01-03')"``: columns of the incidents, ``date`` and ``season``. Numbers enter in standard
        deviations; log odds have a Normal(0, 1) prior for each, Normal(0, 1.5) for the intercept. Formulas are run as
        Python by formulaic: never take one from a stranger.
    group : str, optional
        Column whose values have a chance each, pulled towards each other by as much as they are alike: ``"kind"``.
    column : str, default "killed"
        What is counted: ``"wounded"``, or any column of numbers (with ``_low`` and ``_high`` beside it, if known).
    any_prior : (float, float), default (1, 1)
        Beta prior of the chance that an attack kills anyone; of the mean over groups, where there are groups.
    x_min : "average", "ks" or int
        Where a power law begins: averaged over every place that leaves ten attacks in the tail, at the smallest
        Kolmogorov-Smirnov distance, or given. Smaller tolls then have a probability each.
    weighing : {"predictive", "evidence"}
        How tails are weighed in the average: by leave-one-out predictive density with the uncertainty of a finite
        sample (pseudo-BMA+; Yao, Vehtari, Simpson & Gelman 2018), or by marginal likelihood, which is exact if one of
        the three is the truth and is soon too sure if none is.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=90), "killed": [0, 0, 4, 0, 1, 2] * 15})
    >>> fit = Lethality().fit(Incidents(table, ("2020-01-01", "2020-04-01")), rng=7)
    >>> fit.probability(at_least=1)
    50 % (90 % interval 42 % to 59 %)
    >>> fit.probability(at_least=10) < 0.05
    True
    """

    tail: Literal["average", "negbin", "lognormal", "power"] = "average"
    formula: str | None = None
    group: str | None = None
    column: str = "killed"
    any_prior: tuple[float, float] = (1.0, 1.0)
    x_min: int | Literal["average", "ks"] = "average"
    weighing: Literal["predictive", "evidence"] = "predictive"

    def __post_init__(self) -> None:
        if self.tail not in {"average", *FAMILIES}:
            known = ", ".join(repr(name) for name in ("average", *FAMILIES))
            raise OptionError(f"tail is {self.tail!r}; expected one of {known}.")
        if self.weighing not in {"predictive", "evidence"}:
            raise OptionError(
                f"weighing is {self.weighing!r}; expected 'predictive' or 'evidence'."
            )
        prior = tuple(float(value) for value in self.any_prior)
        if len(prior) != 2 or not all(math.isfinite(p) and p > 0 for p in prior):
            raise OptionError(
                f"any_prior is {self.any_prior!r}; expected the two positive parameters of a Beta distribution, such "
                "as (1, 1)."
            )
        object.__setattr__(self, "any_prior", prior)
        x_min = self.x_min
        whole = isinstance(x_min, int | np.integer) and not isinstance(x_min, bool) and x_min >= 1
        if not whole and not (isinstance(x_min, str) and x_min in {"average", "ks"}):
            raise OptionError(
                f"x_min is {x_min!r}; expected 'average', 'ks' or a whole number from 1 up."
            )
        if self.tail in {"negbin", "lognormal"} and x_min != "average":
            raise OptionError(
                f"x_min is {x_min!r}, but the tail is {self.tail!r}; only power laws have an x_min. Leave it out."
            )
        if self.formula is not None and self.any_prior != (1.0, 1.0):
            raise OptionError(
                "formula and any_prior are both given; with covariates the prior is on log odds. Leave one out."
            )

    def fit(
        self,
        incidents: Incidents,
        *,
        method: Literal["laplace"] = "laplace",
        rng: RNGLike = None,
        draws: int = 4_000,
    ) -> LethalityFit:
        """Fit both parts.

        Parameters
        ----------
        incidents : Incidents
            The attacks, those that killed nobody among them.
        method : {"laplace"}
            Exact where a closed form or a grid gives the posterior (chance without covariates, power law); Laplace
            approximation with importance resampling elsewhere.
        rng : int, Generator or None
            For posterior draws.
        draws : int, default 4000
            Posterior draws that the fit carries.

        Returns
        -------
        LethalityFit
            Chances with intervals, comparison of tails, checks, simulated tolls.

        Raises
        ------
        DataError
            If there are no attacks, or no column of tolls.
        OptionError
            If the formula or the options cannot be used.

        Warns
        -----
        FewEventsWarning
            If fewer than 25 attacks are known to have killed.
        UnknownValuesWarning
            If attacks lack a value that the formula needs.
        ConvergenceWarning
            If the approximation does not meet its own standard.
        """
        if method != "laplace":
            raise OptionError(f"method is {method!r}; expected 'laplace'.")
        if draws < 100:
            raise OptionError(f"draws is {draws}; expected at least 100.")
        if not isinstance(incidents, Incidents):
            raise DataError(
                f"lethality is fitted to incidents, one row for each attack; got {type(incidents).__name__}. Counts "
                "do not say who was killed: pass the tempo.Incidents that they were made from."
            )
        if not len(incidents):
            raise DataError("there are no attacks: nothing is known about how deadly they are.")
        draws -= draws % CHAINS
        randomness = resolve(rng)
        source = randomness.generator
        record, notes = self._read(incidents)
        tolls = record.tolls
        open_rows = tolls.open & record.used
        inexact = int(open_rows.sum() + (tolls.some & ~tolls.exact).sum())
        anyone = self._anyone(record, draws * (OVERSAMPLING if inexact else 1), source)
        blocks = {}
        khats = [anyone.khat]
        names = list(FAMILIES) if self.tail == "average" else [self.tail]
        for name in names:
            begins = self._begins(name, tolls.at(tolls.some), inexact)
            if inexact and begins == [1] and self.formula is None and self.group is None:
                tail, chance, evidence, khat = joint_posterior(
                    name, tolls, self.any_prior, draws, source
                )
                own = AnyDraws(chance[:, None], chance, None, anyone.log_evidence)
                blocks[name], further = Block(tail, own, evidence), -math.inf
            else:
                tail, evidence, khat = _tail(
                    name, tolls.at(tolls.some), begins, len(anyone), source
                )
                blocks[name], further = _finished(
                    tail, anyone, evidence, record, open_rows, draws, source
                )
            khats += [khat, further]
        if "power" in names and inexact > MOST_INEXACT and self.x_min == "average":
            notes.append(
                f"The power law begins at 1: for {inexact} attacks only limits of the toll are known, and later "
                "beginnings are not averaged over."
            )
        comparison = compare(
            {name: block.tail for name, block in blocks.items()},
            {name: block.log_evidence for name, block in blocks.items()},
            tolls,
        )
        by = {"predictive": "pseudo_bma", "evidence": "posterior"}[self.weighing]
        weights = comparison[by].to_numpy(dtype=float)
        khat = float(np.max(khats))
        if khat > KHAT_LIMIT:
            notes.append(
                f"The approximation is doubtful (k-hat {khat:.2f}, above {KHAT_LIMIT}): use fewer covariates or groups."
            )
            warnings.warn(ConvergenceWarning(notes[-1]), stacklevel=2)
        notes += _few(record, self.column)
        mixed, mixed_any = _mixed(list(blocks.values()), weights, draws, source)
        counts = incidents.imputed_counts("1D", 1, np.random.default_rng(0))[0]
        provenance = dataclasses.replace(
            Provenance.of(counts, model=self, method=method, seed=randomness.record, notes=notes),
            rule=incidents.rule,
            fingerprint=record.fingerprint,
            n_events=len(tolls),
            n_bins=len(tolls),
        )
        return LethalityFit(
            model=self,
            label=incidents.label,
            provenance=provenance,
            weights={name: float(w) for name, w in zip(blocks, weights, strict=True)},
            draws=mixed,
            chance=_next_chance(mixed_any, record, source),
            khat=khat,
            _any=mixed_any,
            _blocks=blocks,
            _record=record,
            _comparison=comparison,
        )

    def _read(self, incidents: Incidents) -> tuple[Record, list[str]]:
        tolls = read_tolls(incidents, self.column)
        n = len(tolls)
        said = words_for(self.column)
        group, groups = np.zeros(n, dtype=np.int64), ["all"]
        if self.group is not None:
            group, groups = read_groups(incidents, self.group)
        design: Design | None = None
        matrix, used = np.zeros((n, 0)), np.ones(n, dtype=bool)
        notes = []
        if self.formula is not None:
            design = read_design(incidents, self.formula)
            used = np.zeros(n, dtype=bool)
            used[design.rows] = True
            matrix = np.zeros((n, design.matrix.shape[1]))
            matrix[design.rows] = design.matrix
            if not used.all():
                notes.append(
                    f"{int((~used).sum())} of {n} attacks lack a value that the formula needs; they say nothing about "
                    f"the chance that an attack {said.any}."
                )
                warnings.warn(UnknownValuesWarning(notes[-1]), stacklevel=3)
        unknown = int(tolls.unknown.sum())
        if unknown:
            least, most = tolls.some.sum() / n, tolls.some.sum() / max(n - unknown, 1)
            notes.append(
                f"How many were {said.done} is unknown for {unknown} of {n} attacks; they are taken to be like the "
                f"others. Had none of them {said.had}, the observed share would be {percent(least)} instead of "
                f"{percent(most)}."
            )
        bounded = int((~tolls.exact & ~tolls.unknown).sum())
        if bounded:
            notes.append(f"For {counted(bounded, 'attacks')} only limits of the toll are known.")
        if self.column in incidents.rule.split():
            notes.append(
                f"The counting rule looks at {self.column!r}: the chances hold for attacks that meet the rule."
            )
        dates = incidents.table["date_start"].to_numpy()
        return Record(tolls, dates, group, groups, matrix, used, design), notes

    def _anyone(self, record: Record, draws: int, rng: np.random.Generator) -> AnyDraws:
        tolls = record.tolls
        known = (tolls.some | tolls.none) & record.used
        lethal, group, n_groups = tolls.some[known], record.group[known], len(record.groups)
        if self.formula is not None:
            return logistic_posterior(
                record.design_matrix[known], lethal.astype(float), group, n_groups, draws, rng
            )
        some = np.bincount(group[lethal], minlength=n_groups)
        none = np.bincount(group[~lethal], minlength=n_groups)
        if self.group is None:
            return beta_posterior(int(some[0]), int(none[0]), self.any_prior, draws, rng)
        return grouped_posterior(some, none, self.any_prior, draws, rng)

    def _begins(self, name: str, tolls: Tolls, inexact: int) -> list[int]:
        """Give the places at which a tail may begin."""
        if name != "power":
            return [1]
        if self.x_min == "ks":
            return [fit_power_law(tolls.at(tolls.exact).low).x_min]
        if self.x_min == "average":
            # Intervals across x_min come in by importance weights, which a few dozen of them exhaust.
            return x_min_candidates(tolls) if inexact <= MOST_INEXACT else [1]
        return [int(self.x_min)]


def _tail(
    name: str, tolls: Tolls, begins: list[int], draws: int, rng: np.random.Generator
) -> tuple[TailDraws, float, float]:
    """Sample a tail from the attacks that killed."""
    if name != "power":
        return smooth_posterior(name, tolls, draws, rng)
    sampled, evidence, _ = power_posterior(tolls, begins, draws, rng)
    return sampled, evidence, -math.inf


def _finished(
    tail: TailDraws,
    anyone: AnyDraws,
    evidence: float,
    record: Record,
    open_rows: NDArray[np.bool_],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Block, float]:
    """Weigh joint draws by the rows that neither part could take in alone, and resample them.

    An attack that killed at most h, perhaps nobody, has probability 1 - chance * P(X > h). Weights are bounded by 1.
    """
    if len(tail) == draws:
        return Block(tail, anyone, evidence), -math.inf
    log_weights = not_in_power(tail, record.tolls.at(record.tolls.some))
    for row in np.flatnonzero(open_rows):
        chance = anyone.chance(record.design_matrix[row : row + 1], record.group[row : row + 1])
        beyond = tail.survival(record.tolls.high[row : row + 1] + 1.0)
        log_weights = log_weights + np.log1p(-(chance * beyond)[:, 0])
    smoothed, khat = pareto_smooth(log_weights)
    marks = (rng.random() + np.arange(draws)) / draws
    rows = np.minimum(np.searchsorted(np.cumsum(np.exp(smoothed)), marks), len(tail) - 1)
    rows = rng.permutation(rows)
    evidence += float(special.logsumexp(log_weights)) - math.log(len(tail))
    return Block(tail.take(rows), anyone.take(rows), evidence), khat


def _mixed(
    blocks: list[Block], weights: Floats, draws: int, rng: np.random.Generator
) -> tuple[TailDraws, AnyDraws]:
    """Draw from the mixture of families: each in proportion to its weight, give or take one."""
    ends = np.floor(np.cumsum(weights) * draws + rng.random()).astype(int)
    ends[-1] = draws
    ends = np.concatenate([[0], np.minimum(ends, draws)])
    spans = [np.arange(low, high) for low, high in itertools.pairwise(ends)]
    order = rng.permutation(draws)
    tail = stacked([b.tail.take(rows) for b, rows in zip(blocks, spans, strict=True)])
    parts = [b.anyone.take(rows) for b, rows in zip(blocks, spans, strict=True)]
    first = parts[0]
    anyone = AnyDraws(
        np.concatenate([p.level for p in parts]),
        np.concatenate([p.newcomer for p in parts]),
        None
        if first.coefficients is None
        else np.concatenate([p.coefficients for p in parts if p.coefficients is not None]),
        first.log_evidence,
        first.khat,
    )
    return tail.take(order), anyone.take(order)


def _next_chance(anyone: AnyDraws, record: Record, rng: np.random.Generator) -> Floats:
    """Give the chance for an attack like those of the data, under each draw.

    What mix of groups and covariates comes next is uncertain too: rows are weighted by the Bayesian bootstrap.
    """
    if anyone.coefficients is None and anyone.level.shape[1] == 1:
        return anyone.level[:, 0]
    used = record.used
    cells, number_of = np.unique(
        np.column_stack([record.design_matrix[used], record.group[used]]),
        axis=0,
        return_counts=True,
    )
    result = np.empty(len(anyone))
    step = max(1, 4_000_000 // len(cells))
    for begin in range(0, len(anyone), step):
        rows = np.arange(begin, min(begin + step, len(anyone)))
        chance = anyone.take(rows).chance(cells[:, :-1], cells[:, -1].astype(np.int64))
        weight = rng.standard_gamma(number_of.astype(float), (len(rows), len(cells)))
        result[rows] = (chance * weight).sum(axis=1) / weight.sum(axis=1)
    return result


def _few(record: Record, column: str) -> list[str]:
    lethal = int(record.tolls.some.sum())
    if lethal >= FEW_EVENTS:
        return []
    said = words_for(column)
    text = (
        f"Only {lethal} of {len(record.tolls)} attacks are known to have {said.had}; with fewer than {FEW_EVENTS} the "
        f"chance of a large number {said.done} rests mostly on the prior."
    )
    warnings.warn(FewEventsWarning(text), stacklevel=3)
    return [text]
