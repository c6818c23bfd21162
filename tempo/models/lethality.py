"""Lethality: whether an attack kills anyone, and how many if it does. The specification and its `fit`."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
from tempo.models.laplace import KHAT_LIMIT
from tempo.models.lethality_any import (
    AnyDraws,
    beta_posterior,
    grouped_posterior,
    logistic_posterior,
)
from tempo.models.lethality_blocks import (
    Block,
    finished,
    mixed,
    next_attack,
    severity,
    sorts_ahead,
)
from tempo.models.lethality_design import no_covariates, read_covariates
from tempo.models.lethality_effects import no_effects
from tempo.models.lethality_fit import LethalityFit
from tempo.models.lethality_reading import (
    Record,
    Tolls,
    least_by_rule,
    read_groups,
    read_tolls,
)
from tempo.models.lethality_tables import compare
from tempo.models.lethality_tails import joint_posterior, x_min_candidates
from tempo.models.lethality_words import words_for
from tempo.models.posterior import CHAINS
from tempo.models.provenance import Provenance
from tempo.models.severity_tails import FAMILIES, fit_power_law
from tempo.randomness import RNGLike, resolve

__all__ = ["Lethality"]

type Floats = NDArray[np.float64]

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
        Which distribution of the toll. ``"average"`` carries the uncertainty about it; ``fit.by_tail`` shows each.
    formula : str, optional
        Covariates, for example ``"munitions + season"`` or ``"after(date, '2020-01-03')"``: columns of the incidents,
        ``date`` and ``season``. They move the chance that anyone is killed and how many are, each with coefficients of
        its own. Numbers enter in standard deviations. Log odds have a Normal(0, 1) prior for each covariate and
        Normal(0, 1.5) for the intercept; the logarithm of the location of the tail Normal(0, 1), of a power law
        Normal(0, 0.5). Formulas are run as Python by formulaic: never take one from a stranger.
    toll_formula : str, optional
        Covariates of how many are killed, where they differ from those of the chance; ``"1"`` is none.
    group : str, optional
        Column whose values have a chance and a location of the tail each, pulled towards each other by as much as they
        are alike: ``"kind"``.
    column : str, default "killed"
        What is counted: ``"wounded"``, or any column of numbers (with ``_low`` and ``_high`` beside it, if known).
    any_prior : (float, float), default (1, 1)
        Beta prior of the chance that an attack kills anyone; of the mean over groups, where there are groups.
    x_min : "average", "ks" or int
        Where a power law begins: averaged over every place that leaves ten attacks in the tail, at the smallest
        Kolmogorov-Smirnov distance, or given. Smaller tolls then have a probability each, which covariates do not move.
    weighing : {"predictive", "evidence"}
        How tails are weighed in the average: by leave-one-out predictive density with the uncertainty of a finite
        sample (pseudo-BMA+; Yao, Vehtari, Simpson & Gelman 2018), or by marginal likelihood, which is exact if one of
        the three is the truth and is soon too sure if none is.
    tail_prior : (float, float, float), default (0.2, 0.3, 0.5)
        Weights of negative binomial, log-normal and power law before any data. The power law has the most, because the
        tolls of terrorism and war are known to have heavy tails (Clauset, Young & Gleditsch 2007; Bohorquez et al.
        2009), and because intervals then hold what they say under each of the three: see the documentation.

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
    toll_formula: str | None = None
    group: str | None = None
    column: str = "killed"
    any_prior: tuple[float, float] = (1.0, 1.0)
    x_min: int | Literal["average", "ks"] = "average"
    weighing: Literal["predictive", "evidence"] = "predictive"
    tail_prior: tuple[float, float, float] = (0.2, 0.3, 0.5)

    def __post_init__(self) -> None:
        if self.tail not in {"average", *FAMILIES}:
            known = ", ".join(repr(name) for name in ("average", *FAMILIES))
            raise OptionError(f"tail is {self.tail!r}; expected one of {known}.")
        if self.weighing not in {"predictive", "evidence"}:
            raise OptionError(
                f"weighing is {self.weighing!r}; expected 'predictive' or 'evidence'."
            )
        prior = _positive(self.any_prior)
        if len(prior) != 2:
            raise OptionError(
                f"any_prior is {self.any_prior!r}; expected the two positive parameters of a Beta distribution, such "
                "as (1, 1)."
            )
        object.__setattr__(self, "any_prior", prior)
        before = _positive(self.tail_prior)
        if len(before) != 3:
            raise OptionError(
                f"tail_prior is {self.tail_prior!r}; expected three positive weights, of negative binomial, log-normal "
                "and power law, such as (1, 1, 1)."
            )
        object.__setattr__(self, "tail_prior", before)
        for name in ("formula", "toll_formula", "group", "column"):
            if not isinstance(value := getattr(self, name), str | None):
                raise OptionError(f"{name} is {value!r}; expected text, such as 'munitions'.")
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
        if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 100:
            raise OptionError(f"draws is {draws!r}; expected a whole number, at least 100.")
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
        open_rows = tolls.open & record.anyone.used & record.many.used
        inexact = int(open_rows.sum() + (tolls.some & ~tolls.exact).sum())
        plain = self.formula is None and self.toll_formula is None and self.group is None
        plain = plain and not record.certain
        anyone = self._anyone(record, draws * (OVERSAMPLING if inexact else 1), source)
        blocks = {}
        khats = [anyone.khat]
        names = list(FAMILIES) if self.tail == "average" else [self.tail]
        for name in names:
            begins = self._begins(name, tolls.at(tolls.some), inexact)
            if inexact and begins == [1] and plain:
                tail, chance, evidence, khat = joint_posterior(
                    name, tolls, self.any_prior, draws, source
                )
                own = AnyDraws(chance[:, None], chance, None, anyone.log_evidence)
                blocks[name], further = Block(tail, no_effects(draws), own, evidence), -math.inf
            else:
                # Rows that neither part can take in alone come in by weights, which need more draws than are kept.
                weighed = open_rows.any() or (inexact and begins != [1])
                size = draws * OVERSAMPLING if weighed else draws
                tail, effects, evidence, khat = severity(name, record, begins, size, source)
                block = Block(tail, effects, anyone.take(np.arange(size)), evidence)
                blocks[name], further = finished(block, record, open_rows, draws, source)
            khats += [khat, further]
        if "power" in names and inexact > MOST_INEXACT and self.x_min == "average":
            notes.append(
                f"The power law begins at 1: for {inexact} attacks only limits of the toll are known, and later "
                "beginnings are not averaged over."
            )
        before = np.array([self.tail_prior[list(FAMILIES).index(name)] for name in names])
        comparison = compare(blocks, before / before.sum(), record)
        by = {"predictive": "pseudo_bma", "evidence": "posterior"}[self.weighing]
        weights = comparison[by].to_numpy(dtype=float)
        if "khat" in comparison and self.weighing == "predictive" and len(blocks) > 1:
            doubtful = comparison.index[comparison["khat"] > KHAT_LIMIT]
            if len(doubtful):
                notes.append(
                    f"How well the tails predict attacks left out is doubtful for {', '.join(doubtful)} (k-hat above "
                    f"{KHAT_LIMIT}), and so are their weights: see by_tail()."
                )
        khat = float(np.max(khats))
        if khat > KHAT_LIMIT:
            notes.append(
                f"The approximation is doubtful (k-hat {khat:.2f}, above {KHAT_LIMIT}): use fewer covariates or "
                "groups, or leave out attacks of which it is only known that they killed at most so many."
            )
            warnings.warn(ConvergenceWarning(notes[-1]), stacklevel=2)
        notes += _few(record, self.column)
        mixture = mixed(list(blocks.values()), weights, draws, source)
        sorts = sorts_ahead(mixture, record)
        coming = next_attack(mixture, sorts, source)
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
            draws=mixture.tail,
            chance=coming.any,
            khat=khat,
            _mixture=mixture,
            _next=coming,
            _sorts=sorts,
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
        anyone = read_covariates(incidents, self.formula)
        many = (
            anyone if self.toll_formula is None else read_covariates(incidents, self.toll_formula)
        )
        least = least_by_rule(incidents, self.column)
        if least > 1:
            raise DataError(
                f"the counting rule {incidents.rule!r} takes in only attacks with {least} or more {said.done}; how "
                "often there are fewer cannot be learned from them. Fit tempo.Lethality to attacks that are not "
                "selected by how deadly they were, and ask for probability(at_least=...)."
            )
        certain = least == 1
        if certain:
            anyone = no_covariates(n)
        used = anyone.variables | many.variables
        outcome = used & {self.column, f"{self.column}_low", f"{self.column}_high"}
        if outcome:
            raise OptionError(
                f"the formula uses {', '.join(sorted(outcome))}, which is what it is to explain. Leave it out."
            )
        if not (anyone.used & many.used).any():
            raise DataError(
                "no attack has the values that both formulas need. Use columns that are known for the same attacks."
            )
        notes = []
        told = {f"the chance that an attack {said.any}": anyone, f"how many it {said.does}": many}
        if many is anyone:
            told = {f"how often an attack {said.any}, and how many": anyone}
        for what, covariates in told.items():
            lack = int((~covariates.used).sum())
            if lack:
                notes.append(
                    f"{lack} of {n} attacks lack a value that the formula needs; they say nothing about {what}."
                )
                warnings.warn(UnknownValuesWarning(notes[-1]), stacklevel=3)
            middled = 0 if covariates.design is None else covariates.design.n_middled
            if middled:
                notes.append(
                    f"For {counted(middled, 'attacks')} a value that the formula needs is known to limits only; the "
                    "middle is taken."
                )
        unknown = int(tolls.unknown.sum())
        if unknown:
            fewest, most = tolls.some.sum() / n, tolls.some.sum() / max(n - unknown, 1)
            notes.append(
                f"How many were {said.done} is unknown for {unknown} of {n} attacks; they are taken to be like the "
                f"others. Had none of them {said.had}, the observed share would be {percent(fewest)} instead of "
                f"{percent(most)}."
            )
        bounded = int((~tolls.exact & ~tolls.unknown).sum())
        if bounded:
            notes.append(f"For {counted(bounded, 'attacks')} only limits of the toll are known.")
        if certain:
            notes.append(
                f"By the counting rule each of these attacks {said.some}: what is uncertain is how many."
            )
        elif self.column in incidents.rule.split():
            notes.append(
                f"The counting rule looks at {self.column!r}: the chances hold for attacks that meet the rule."
            )
        dates = incidents.table["date_start"].to_numpy()
        grouped = self.group is not None
        return Record(tolls, dates, group, groups, anyone, many, grouped, certain), notes

    def _anyone(self, record: Record, draws: int, rng: np.random.Generator) -> AnyDraws:
        tolls = record.tolls
        if record.certain:
            return AnyDraws(np.ones((draws, len(record.groups))), np.ones(draws), None, 0.0)
        known = (tolls.some | tolls.none) & record.anyone.used
        lethal, group = tolls.some[known], record.group[known]
        if self.formula is not None:
            return logistic_posterior(
                record.anyone.matrix[known],
                lethal.astype(float),
                group,
                record.n_groups,
                draws,
                rng,
            )
        some = np.bincount(group[lethal], minlength=len(record.groups))
        none = np.bincount(group[~lethal], minlength=len(record.groups))
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


def _few(record: Record, column: str) -> list[str]:
    lethal = int((record.tolls.some & record.many.used).sum())
    if lethal >= FEW_EVENTS:
        return []
    said = words_for(column)
    of = "" if record.certain else f" of {len(record.tolls)}"
    known = f"{lethal}{of} {'attack is' if lethal == 1 and not of else 'attacks are'} known"
    text = (
        f"Only {known} to have {said.had}; with fewer than {FEW_EVENTS} the chance of a large number of {said.toll} "
        "rests mostly on the prior."
    )
    warnings.warn(FewEventsWarning(text), stacklevel=3)
    return [text]


def _positive(values: object) -> tuple[float, ...]:
    """Give positive numbers; nothing where they are none."""
    if not isinstance(values, tuple | list | np.ndarray):
        return ()
    numbers = tuple(float(value) for value in values if isinstance(value, int | float | np.number))
    fine = len(numbers) == len(values) and all(math.isfinite(p) and p > 0 for p in numbers)
    return numbers if fine else ()
