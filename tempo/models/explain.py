"""Contagion or regime change: four accounts of why attacks come in bursts, weighed against each other."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import pandas as pd

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import number, percent
from tempo.errors import MemoryWarning, OptionError, SeasonWarning
from tempo.models.explain_grid import ExplainPrior
from tempo.models.explain_recursions import LANES
from tempo.models.explain_verdict import Verdict, read_off
from tempo.models.explain_weighing import Observation, Weighing, weigh_accounts
from tempo.models.explain_words import REMEMBERED, SEASONAL, is_decided, reason
from tempo.models.inputs import few_events_note, imputed_series
from tempo.models.provenance import Provenance
from tempo.models.seasons import SeasonName
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["ExplainPrior", "Verdict", "explain"]

#: Observed days from which a yearly season is tried when none was asked for.
_SEASON_DAYS = 2 * 365
#: Bayes factor for a season, or for a longer memory, from which it can overturn an answer.
_FACTOR = 3.0
#: A memory so many times as long is tried where changes alone are the answer, if the half-life expected is below this.
_LONGER, _SHORT_DAYS = 4.0, 6.0
#: Probability of the largest number of changes from which the result says that there may be more.
_BEYOND = 0.05


def explain(
    data: Incidents | Counts | pd.Series,
    *,
    observation: Observation = "negbin",
    season: SeasonName = None,
    prior: ExplainPrior | None = None,
    imputations: int = 8,
    rng: RNGLike = None,
) -> Verdict:
    r"""Weigh contagion against changes of the baseline, and say when the data cannot tell.

    Four accounts of the counts are compared by their marginal likelihoods. All are corners of one model,

    .. math:: Y_t \sim \mathrm{NegBin}\Bigl(e_t s_t \mu_t + \alpha \sum_{k \ge 1} h_k Y_{t-k}\Bigr), \qquad
              h_k = (1 - e^{-\beta}) e^{-\beta (k - 1)},

    with a baseline :math:`\mu_t` that may step an unknown number of times by a factor of at least two, and a
    branching ratio :math:`\alpha` that is zero or at least 0.2: *constant* (no steps, no contagion), *changepoints*,
    *hawkes*, and *hawkes+steps*. Levels, numbers and places of steps are summed over exactly; branching, memory and
    dispersion on a grid. Nothing is sampled to get the probabilities.

    Parameters
    ----------
    data : Incidents, Counts or Series
        Incidents are counted by day.
    observation : {"negbin", "poisson"}, default "negbin"
        With "negbin", counts may be more variable than Poisson, with dispersion averaged over and none among its
        values; "poisson" rules that out.
    season : {"week", "year"}, optional
        Let the baseline follow the day of the week or the time of the year. Left out, a yearly season is tried beside
        it where there are two years of data; see Warns.
    prior : ExplainPrior, optional
        The choices behind the weights; ``verdict.sensitivity()`` shows what hangs on them.
    imputations : int, default 8
        Series with uncertain dates drawn anew, where there are any; probabilities are the mean over them.
    rng : int, Generator or None
        Draws dates and, for derived quantities, paths of the baseline. The probabilities of series without uncertain
        dates do not hang on it.

    Returns
    -------
    Verdict
        Probabilities of the accounts, both marginal answers, and whether they are decided.

    Raises
    ------
    OptionError
        If an option is not known.
    DataError
        If the data are not counts, or too few for the season.

    Warns
    -----
    FewEventsWarning
        With fewer than 25 events: the answer leans on the prior.
    SeasonWarning
        If a yearly season fits better than none and changes the answer.
    MemoryWarning
        If changes alone are the answer, and a memory four times as long fits better and finds contagion instead.

    Notes
    -----
    Whether there is contagion can be told from some thirty events on; whether the baseline stepped takes hundreds. A
    memory longer than the prior allows reads as contagion or as steps. Offspring on the same day are lost to day
    counts, those within a week to weekly ones.

    References
    ----------
    Fearnhead, P. (2006). Exact and efficient Bayesian inference for multiple changepoint problems. Statistics and
    Computing 16. Filimonov, V. and Sornette, D. (2015). Apparent criticality and calibration issues in the Hawkes
    self-excited point process model. Quantitative Finance 15.

    Examples
    --------
    >>> import numpy as np
    >>> import tempo
    >>> rng = np.random.default_rng(3)
    >>> days = pd.date_range("2019-01-01", periods=600, freq="1D")
    >>> counts = pd.Series(rng.poisson(np.repeat([0.05, 0.6], 300)), index=days, name="attack")
    >>> verdict = tempo.explain(counts, rng=7)
    >>> verdict.top, verdict.decided, verdict.contagion < 0.2
    ('changepoints', True, True)
    """
    if observation not in {"negbin", "poisson"}:
        raise OptionError(f"observation is {observation!r}; expected 'negbin' or 'poisson'.")
    if season not in {"week", "year", None}:
        raise OptionError(f"season is {season!r}; expected 'week', 'year' or None.")
    prior = ExplainPrior() if prior is None else prior
    source = resolve(rng)
    dates, paths = spawn(source.generator, 2)
    series, notes = imputed_series(data, imputations, dates)
    counts = series[0]
    notes += few_events_note(counts, stacklevel=2)
    weighing = weigh_accounts(series, observation, season, prior)
    shares, answers = weighing.shares, read_off(weighing)
    if weighing.season.note:
        notes.append(weighing.season.note)
    seasonal, season_text = None, ""
    observed_days = float((counts.exposure.to_numpy() * counts.bin_days).sum())
    if season is None and observed_days >= _SEASON_DAYS and counts.bin_days.max() <= 92:
        by_year = weigh_accounts(series, observation, "year", prior)
        seasonal = by_year.shares
        season_text = _season_doubt(weighing, by_year)
        if season_text:
            notes.append(season_text)
            warnings.warn(SeasonWarning(season_text), stacklevel=2)
    memory_text = _memory_doubt(weighing, series, observation, season, prior)
    if memory_text:
        notes.append(memory_text)
        warnings.warn(MemoryWarning(memory_text), stacklevel=2)
    doubt = SEASONAL if season_text else REMEMBERED if memory_text else ""
    if answers["beyond"] > _BEYOND:
        notes.append(
            f"There may be more than {LANES - 1} changes of the baseline ({percent(answers['beyond'])} at the limit): "
            "take a shorter stretch, or tempo.Changepoints."
        )
    return Verdict(
        counts=counts,
        probabilities=shares,
        contagion=answers["contagion"],
        changed=answers["changed"],
        decided=is_decided(shares, counts) and not doubt,
        reason=reason(shares, counts, doubt=doubt),
        branching_ratio=answers["branching_ratio"],
        n_changes=answers["n_changes"],
        observation=observation,
        season=season,
        seasonal=seasonal,
        season_explains=bool(season_text),
        memory_explains=bool(memory_text),
        prior=prior,
        provenance=Provenance.of(
            counts,
            model=f"explain(observation={observation!r}, season={season!r}, prior={prior!r})",
            method="exact on a grid",
            seed=source.record,
            notes=notes,
        ),
        _weighing=weighing,
        _entropy=int(paths.integers(2**63)),
    )


def _season_doubt(without: Weighing, with_season: Weighing) -> str:
    """Give the sentence of the warning, empty if the season fits no better or says the same."""
    gain = with_season.log_evidence + with_season.season.occam - without.log_evidence
    if gain < math.log(_FACTOR):
        return ""
    before, after = read_off(without), read_off(with_season)
    turned = [
        f"{what} from {percent(before[key])} to {percent(after[key])}"
        for key, what in (("contagion", "contagion"), ("changed", "a change of the baseline"))
        if before[key] >= 0.5 > after[key]
    ]
    if not turned:
        return ""
    return (
        f"A baseline that follows the time of the year fits better than a level one, and takes the probability of "
        f"{' and of '.join(turned)}. Use season='year'."
    )


def _memory_doubt(
    weighing: Weighing,
    series: Sequence[Counts],
    observation: Observation,
    season: SeasonName,
    prior: ExplainPrior,
) -> str:
    """Give the sentence of the warning, empty if changes are not the answer or a longer memory does no better."""
    before = read_off(weighing)
    if before["changed"] < 0.5 or before["contagion"] >= 0.5 or prior.half_life_days > _SHORT_DAYS:
        return ""
    days = _LONGER * prior.half_life_days
    longer = weigh_accounts(series, observation, season, prior.with_(half_life_days=days))
    after = read_off(longer)
    if longer.log_evidence - weighing.log_evidence < math.log(_FACTOR) or after["contagion"] < 0.5:
        return ""
    turned = f"{percent(before['contagion'])} to {percent(after['contagion'])}"
    return (
        f"A memory with a half-life of about {number(days)} days fits better than one of about "
        f"{number(prior.half_life_days)}, and takes the probability of contagion from {turned}. Use "
        f"prior=ExplainPrior(half_life_days={number(days)})."
    )
