"""Intent: which attacks look as if they were meant to kill, as a latent class. The specification and its `fit`."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.incidents import Incidents
from tempo.data.rounding import counted
from tempo.errors import ConvergenceWarning, DataError, FewEventsWarning, OptionError
from tempo.models import intent_kernels as kernels
from tempo.models.elicited import beta_within
from tempo.models.inputs import FEW_EVENTS
from tempo.models.intent_fit import LARGEST_RHAT, THIN, WARM_UP, IntentFit, Reading, worst_rhat
from tempo.models.lethality_reading import UNKNOWN, read_groups, read_tolls
from tempo.models.posterior import CHAINS
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Intent", "IntentPrior"]

type Floats = NDArray[np.float64]
type Span = tuple[float, float]

#: Particles of the evidence: so many attack-steps in all, within limits.
STEPS, FEWEST, MOST = 400_000, 500, 4_000
RUNS = 4


@dataclass(frozen=True)
class IntentPrior:
    """What is meant by the two classes, as central 90 % intervals. They name the classes, so state and vary them.

    Attributes
    ----------
    share : (float, float)
        Share of attacks with lethal intent.
    salvo : ((float, float), (float, float))
        Mean number of munitions of a harassment attack, and of one with lethal intent.
    outcomes : dict of str to ((float, float), (float, float))
        For each column of tolls, the chance that it is above zero: under harassment, and under lethal intent.
    concentration : float
        Dirichlet prior of each level of a category (weapon), alike in both classes.
    """

    share: Span = (0.05, 0.6)
    salvo: tuple[Span, Span] = ((1.5, 5.0), (6.0, 30.0))
    outcomes: dict[str, tuple[Span, Span]] = field(
        default_factory=lambda: {
            "killed": ((0.005, 0.1), (0.1, 0.6)),
            "wounded": ((0.02, 0.25), (0.2, 0.8)),
        }
    )
    concentration: float = 1.0

    def __post_init__(self) -> None:
        spans = [self.salvo, *self.outcomes.values()]
        for first, second in spans:
            if not sum(first) < sum(second):
                raise OptionError(
                    f"the intervals {first} and {second} give harassment the higher value; lethal intent is the class "
                    "with larger salvos and more harm, so put the lower interval first."
                )
        if not all(1 < low < high for low, high in self.salvo):
            raise OptionError(
                f"salvo is {self.salvo}; expected two intervals of a mean number of munitions above 1."
            )
        if not (math.isfinite(self.concentration) and self.concentration > 0):
            raise OptionError(f"concentration is {self.concentration!r}; expected above 0.")

    def beta(self, outcomes: tuple[str, ...]) -> tuple[Floats, Floats, Floats]:
        """Give the prior as Beta distributions.

        Parameters
        ----------
        outcomes : tuple of str
            Columns of tolls that are looked at.

        Returns
        -------
        share : ndarray, shape (2,)
            Of the share of lethal intent.
        salvo : ndarray, shape (2, 2)
            Of the chance that a salvo ends with each round, by class.
        outcome : ndarray, shape (2, outcomes, 2)
            Of each outcome, by class.

        Examples
        --------
        >>> IntentPrior().beta(("killed",))[2].shape
        (2, 1, 2)
        """
        share = np.array(beta_within(*self.share))
        salvo = np.array([beta_within(1 / high, 1 / low) for low, high in self.salvo])
        outcome = np.array(
            [[beta_within(*self.outcomes[name][k]) for name in outcomes] for k in (0, 1)]
        ).reshape(2, len(outcomes), 2)
        return share, salvo, outcome


@dataclass(frozen=True)
class Intent:
    r"""Tell attacks that look meant to kill from harassment, as two latent classes.

    Nobody observes intent. What is observed is how many munitions were fired, with which weapon, and who was hurt.
    Attacks are taken to be of two classes. Given its class :math:`c`, the salvo is geometric with stopping chance
    :math:`q_c`, the weapon has shares :math:`w_c`, and each outcome has a chance :math:`h_{c,o}`, independently:

    .. math::

        P(x_i) = \sum_c \pi_c\; q_c (1 - q_c)^{m_i - 1}\; w_{c, k_i} \prod_o h_{c,o}^{y_{io}} (1 - h_{c,o})^{1 - y_{io}}

    Classes get their meaning from their priors, which say what is called harassment and what lethal intent; they are
    assumptions and belong in the text. Unknown values are left out, never taken as zero, and a salvo known only to an
    interval stays one. The posterior is sampled by Gibbs sampling; whether two classes are needed at all is judged by
    their evidence against one class, estimated without bias by sequential importance resampling. Salvos that vary more
    than a geometric distribution allows also ask for two classes, so look at the outcomes too.

    Parameters
    ----------
    size : str or None, default "munitions"
        Column of the salvo (with ``_low`` and ``_high`` beside it, if known).
    categories : tuple of str, default ("kind",)
        Columns whose values may differ in frequency between the classes.
    outcomes : tuple of str, default ("killed", "wounded")
        Columns of tolls: whether anyone was hurt is what counts.
    prior : IntentPrior
        What the two classes mean.

    References
    ----------
    Lazarsfeld, P. F. and Henry, N. W. (1968). Latent Structure Analysis. Chopin, N. (2002). A sequential particle
    filter method for static models. Biometrika 89.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=60), "kind": "rocket",
    ...                       "munitions": [2, 1, 18] * 20, "killed": [0, 0, 1, 0, 0, 0] * 10})
    >>> fit = Intent(outcomes=("killed",)).fit(Incidents(table, ("2020-01-01", "2020-03-01")), rng=7)
    >>> fit.attacks["probability"].round().head(3).tolist()
    [0.0, 0.0, 1.0]
    """

    size: str | None = "munitions"
    categories: tuple[str, ...] = ("kind",)
    outcomes: tuple[str, ...] = ("killed", "wounded")
    prior: IntentPrior = field(default_factory=IntentPrior)

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        object.__setattr__(self, "outcomes", tuple(self.outcomes))
        if self.size is None and not self.outcomes:
            raise OptionError(
                "neither size nor outcomes are given; only they tell the classes apart. Name at least one column."
            )
        unknown = [name for name in self.outcomes if name not in self.prior.outcomes]
        if unknown:
            raise OptionError(
                f"the prior says nothing of the outcome {unknown[0]!r}; give IntentPrior(outcomes={{{unknown[0]!r}: "
                "((low, high), (low, high)), ...}) with the chance under harassment and under lethal intent."
            )

    def fit(self, incidents: Incidents, *, rng: RNGLike = None, draws: int = 1_000) -> IntentFit:
        """Classify the attacks.

        Parameters
        ----------
        incidents : Incidents
            The attacks, of every size: a rule that keeps only the heavy ones leaves nothing to compare with.
        rng : int, Generator or None
            Reproduces the fit.
        draws : int, default 1000
            Posterior draws in each of four chains.

        Returns
        -------
        IntentFit
            The probability of lethal intent for each attack, the share, the classes, and whether two are needed.

        Raises
        ------
        DataError
            If there are no attacks, or a column is missing.

        Warns
        -----
        FewEventsWarning
            Fewer than 25 attacks.
        ConvergenceWarning
            The chains disagree.
        """
        if draws < 100:
            raise OptionError(f"draws is {draws}; expected at least 100.")
        if not isinstance(incidents, Incidents):
            raise DataError(
                f"intent is read from incidents, one row for each attack; got {type(incidents).__name__}. Pass the "
                "tempo.Incidents."
            )
        if not len(incidents):
            raise DataError("there are no attacks to classify.")
        randomness = resolve(rng)
        reading = self._read(incidents)
        shape = (reading.low, reading.high, reading.categories, reading.levels, reading.outcomes)
        prior = self.prior
        share, salvo, outcome = prior.beta(self.outcomes)
        streams = spawn(randomness.generator, CHAINS + 2 * RUNS)
        found = [
            kernels.gibbs(
                *shape, share, salvo, outcome, prior.concentration, WARM_UP, draws, THIN, stream
            )
            for stream in streams[:CHAINS]
        ]
        chains = [np.stack(part) for part in zip(*found, strict=True)]
        one_salvo = np.array([beta_within(1 / prior.salvo[1][1], 1 / prior.salvo[0][0])] * 2)
        spans = [prior.outcomes[name] for name in self.outcomes]
        one_outcome = np.array(
            [[beta_within(span[0][0], span[1][1]) for span in spans]] * 2
        ).reshape(2, len(self.outcomes), 2)
        particles = int(np.clip(STEPS // len(incidents), FEWEST, MOST))
        two = [
            kernels.log_evidence(
                *shape, share, salvo, outcome, prior.concentration, particles, stream
            )
            for stream in streams[CHAINS : CHAINS + RUNS]
        ]
        one = [
            kernels.log_evidence(
                *shape,
                np.zeros(2),
                one_salvo,
                one_outcome,
                prior.concentration,
                particles if (reading.low != reading.high).any() else 1,
                stream,
            )
            for stream in streams[CHAINS + RUNS :]
        ]
        flat = (*chains[0].shape, -1)
        rhat = worst_rhat(np.concatenate([chains[k].reshape(flat) for k in (0, 1, 3)], axis=-1))
        notes = [
            "The classes mean what their priors say; nobody observes intent.",
            *_notes(self, reading, rhat),
        ]
        counts = incidents.imputed_counts("1D", 1, np.random.default_rng(0))[0]
        return IntentFit(
            model=self,
            label=incidents.label,
            provenance=dataclasses.replace(
                Provenance.of(
                    counts, model=self, method="gibbs", seed=randomness.record, notes=notes
                ),
                rule=incidents.rule,
                fingerprint=reading.fingerprint,
                n_events=len(incidents),
                n_bins=len(incidents),
            ),
            log_evidence=pd.Series(
                {
                    "one class": float(special.logsumexp(one)) - math.log(RUNS),
                    "two classes": float(special.logsumexp(two)) - math.log(RUNS),
                },
                name="log_evidence",
            ),
            rhat=rhat,
            _reading=reading,
            _share=chains[0],
            _stop=chains[1],
            _mix=chains[2],
            _happens=chains[3],
        )

    def _read(self, incidents: Incidents) -> Reading:
        n = len(incidents)
        low, high = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        if self.size is not None:
            salvo = read_tolls(incidents, self.size)
            known = ~salvo.unknown & (salvo.high >= 1)
            low[known] = np.maximum(salvo.low[known], 1)
            bounded = known & np.isfinite(salvo.high)
            high[bounded] = salvo.high[bounded]
            useless = known & (low == 1) & (high == 0)  # at least one: every attack has that
            low[useless] = 0
        categories, names = [], []
        for column in self.categories:
            codes, values = read_groups(incidents, column)
            if UNKNOWN in values:  # no level of its own: it would take a share of the prior
                gone = values.index(UNKNOWN)
                codes = np.where(codes == gone, -1, codes - (codes > gone))
                values = values[:gone] + values[gone + 1 :]
            categories.append(codes)
            names.append(values)
        outcomes = []
        for column in self.outcomes:
            toll = read_tolls(incidents, column)
            outcomes.append(np.where(toll.some, 1, np.where(toll.none, 0, -1)))
        table = incidents.table
        return Reading(
            low=low,
            high=high,
            categories=np.column_stack([*categories, np.zeros((n, 0), dtype=np.int64)]),
            levels=np.array([len(values) for values in names], dtype=np.int64),
            names=tuple(tuple(values) for values in names),
            outcomes=np.column_stack([*outcomes, np.zeros((n, 0), dtype=np.int64)]),
            ids=table["id"].to_numpy() if "id" in table else np.arange(n),
            dates=table["date_start"].to_numpy(),
        )


def _notes(model: Intent, reading: Reading, rhat: float) -> list[str]:
    notes = []
    n = len(reading.low)
    if n < FEW_EVENTS:
        notes.append(
            f"Only {counted(n, 'attacks')}: with fewer than {FEW_EVENTS} the classes are those of the prior."
        )
        warnings.warn(FewEventsWarning(notes[-1]), stacklevel=3)
    silent = int(
        ((reading.low == 0) & (reading.outcomes < 0).all(axis=1)).sum()
        if model.outcomes
        else (reading.low == 0).sum()
    )
    if silent:
        notes.append(
            f"Of {counted(silent, 'attacks')} neither size nor outcome is known: they are classified by the rest."
        )
    if not rhat <= LARGEST_RHAT:
        notes.append(
            f"The chains disagree (r-hat {rhat:.3f}, limit {LARGEST_RHAT}): draw longer (draws=)."
        )
        warnings.warn(ConvergenceWarning(notes[-1]), stacklevel=3)
    return notes
