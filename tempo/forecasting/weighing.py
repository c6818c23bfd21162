"""Weighing scenarios: from what was observed and what each story expected to the odds of the stories."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.reporting import ReportingDelay
from tempo.data.rounding import counted, percent
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import OtherAttacksWarning, ScenarioError
from tempo.forecasting.daily import daily_series
from tempo.forecasting.day_effect import DayEffect, day_effect
from tempo.forecasting.evidence import LEAST_ESS, Account, account_of
from tempo.forecasting.free_rate import free_log_evidence
from tempo.forecasting.judged import Judged, Record, record_of
from tempo.forecasting.late_reports import late_notes, reported_curves, reported_story, said_delay
from tempo.forecasting.odds_checks import bunching_table, rejected
from tempo.forecasting.odds_words import unexplained
from tempo.forecasting.other_attacks import other_attacks
from tempo.forecasting.scenario_paths import MarksSeen
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.spans import chance_interval
from tempo.forecasting.timelines import learned_rates
from tempo.forecasting.weights import Weights
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["told_scenarios", "weigh"]

#: Checks simulate as many attacks as there were; with more, memory ends.
_MOST_ATTACKS = 2_000_000

type Floats = NDArray[np.float64]

_SHARES = 512
_AGAIN = 2
_HOPELESS = 1e-6  # a scenario worth less is not drawn again


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Everything that was asked, so that it can be asked again with something changed."""

    past: Incidents | Counts | pd.Series
    scenarios: tuple[Scenario, ...]
    prior: pd.Series
    since: DateLike | None
    imputations: int
    overdispersion: tuple[float, float] | Literal["learn"] | None
    unreported: tuple[float, float] | None
    as_reported: tuple[str, ...] | None
    delay: ReportingDelay | None
    left_out: pd.Timestamp | None = None
    again: bool = False


def weigh(
    past: Incidents | Counts | pd.Series,
    scenarios: Sequence[Scenario],
    prior: Sequence[float] | Mapping[str, float] | None = None,
    *,
    since: DateLike | None = None,
    overdispersion: tuple[float, float] | Literal["learn"] | None = None,
    unreported: str | tuple[float, float] | None = None,
    as_reported: Sequence[str] | None = None,
    delay: ReportingDelay | str | None = None,
    imputations: int = 20,
    rng: RNGLike = None,
) -> Weights:
    r"""Weigh scenarios by the probability that each gave to what was observed.

    With :math:`m_t(\theta)` the mean of a day under a story with uncertain quantities :math:`\theta`, given what
    happened before, its evidence is :math:`\int \prod_t p(y_t \mid m_t(\theta))\, p(\theta)\, d\theta`, computed in
    closed form where the rate never changes, and else by averaging over evenly spread draws of the story. The days
    since the earliest possible onset judge the scenarios; earlier days have already set the earlier rate of an
    escalation, and their attacks may have offspring on the judged days where a story has contagion.

    Where one of the stories speaks of kinds or of lethal attacks, these judge too, attack by attack; a story that does
    not speak of them expects the shares of all earlier days (Dirichlet and Beta distributions). An attack of unknown
    kind or with unknown deaths judges by its number alone.

    Parameters
    ----------
    past : Incidents, Counts or Series
        Attacks of one counting rule; counted by day.
    scenarios : sequence of Scenario
        At least two, with different names.
    prior : sequence or mapping of float, optional
        Probability of each scenario before the data; equal when left out. Must sum to 1.
    since : date-like, optional
        First day that judges the scenarios. Default: the earliest day on which one of them may leave its earlier
        rate; where none does, the start of the window. Where a scenario continues a fit, not before the end of the
        data that were fitted.
    overdispersion : (low, high) or "learn", optional
        How far a day's number varies beyond Poisson: it then has variance ``m + dispersion m²``, so that several
        attacks on one day are not read as an escalation. Central 90 % interval of the dispersion (log-normal), or
        learned from the days before ``since``. For scenarios that state none themselves. Default: Poisson.
    unreported : (low, high) or str, optional
        Share of all attacks that never enters the record, as a central 90 % interval, such as ``(0.1, 0.3)`` or
        ``"10-30 %"``. A rate that was stated is then one of all attacks, and the record holds fewer; one that was
        learned from the record is one of reported attacks. Each phase of a story counts by itself. Forecasts are of
        all attacks. Indicators and thresholds remain in reported attacks, which is what one will see.
    as_reported : sequence of str, optional
        Scenarios all of whose rates are of reported attacks; those of the others are then of all attacks. Default:
        the rates that were learned from the record are of reported attacks, phase by phase.
    delay : ReportingDelay, str or None
        How long attacks take to be reported: ``"2-14 days"``, ``"up to 2 weeks"``, ``"learn"`` (from ``reported_at``),
        or what ``tempo.data.reporting.reporting_delay`` gave. The last days then count only for the share of their
        attacks that is in the record by now: at the end of the data, or on the day of the last report where the record
        holds later ones (``before`` cuts them off). This holds where they judge, and where a scenario learned a rate
        from them. Default: all are.
    imputations : int, default 20
        Draws of uncertain dates to average over, where there are any.
    rng : int, Generator or None
        Draws the stories.

    Returns
    -------
    Weights
        Evidence, probabilities, their history, indicators and forecasts.

    Raises
    ------
    ScenarioError
        If scenarios or priors cannot be used together, or speak of what the data do not hold.

    Warns
    -----
    OtherAttacksWarning
        If a scenario learned a rate from other attacks than these, such as under another counting rule.

    References
    ----------
    Kass, R. E. and Raftery, A. E. (1995). Bayes factors. Journal of the American Statistical Association 90.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=120, freq="1D")
    >>> counts = pd.Series([1 if day % 10 == 5 else 0 for day in range(120)], index=days)
    >>> rare = tempo.Scenario.every("1-2 months", name="rare")
    >>> frequent = tempo.Scenario.every("1-2 weeks", name="frequent")
    >>> bool(tempo.weigh(counts, [rare, frequent], rng=1).probabilities["frequent"] > 0.99)
    True
    """
    told = told_scenarios(scenarios)
    question = _Question(
        past=past,
        scenarios=told,
        prior=_prior(told, prior),
        since=since,
        imputations=imputations,
        overdispersion=overdispersion,
        unreported=_unreported(unreported),
        as_reported=_as_reported(told, as_reported),
        delay=said_delay(delay, past),
    )
    return _answer(question, rng)


def _answer(question: _Question, rng: RNGLike) -> Weights:
    source = resolve(rng)
    dates, stories = spawn(source.generator, 2)
    start = _since(question.since, question.scenarios, daily_series(question.past, 1, 0)[0])
    # No attack is used twice: what a story learned from days that are to judge it, it learns again without them.
    scenarios = tuple(_learned_before(story, question.past, start) for story in question.scenarios)
    others = other_attacks(scenarios, question.past)
    # The whole record is counted with the same draws of dates, whatever else is varied.
    kinds, tolls = _marks(scenarios, question.past)
    record = record_of(
        question.past, kinds, tolls=tolls, imputations=question.imputations, rng=dates
    )
    first = record.series[0]
    if max(one.events for one in record.series) > _MOST_ATTACKS:
        raise ScenarioError(
            f"there are {first.events:,} attacks; scenarios are weighed with {_MOST_ATTACKS:,} at most. Pass a shorter "
            "past, or a rule that counts less."
        )
    curves = reported_curves(question.delay, first, question.past)
    late = late_notes(scenarios, first, curves)
    scenarios = tuple(reported_story(story, first, curves) for story in scenarios)
    judged = record.judged(start, question.left_out, curves)
    before = [one.select(np.asarray(one.bin_starts < start)) for one in record.series]
    effect = day_effect(question.overdispersion, before)
    reported = _shares_reported(question.unreported)
    streams = spawn(stories, len(scenarios))

    def account(k: int, near: Account | None = None) -> Account:
        return account_of(
            scenarios[k],
            judged,
            streams[k],
            dispersion=None if effect is None else effect.values,
            reported=reported,
            as_reported=None
            if question.as_reported is None
            else scenarios[k].name in question.as_reported,
            near=near,
        )

    accounts = _enough([account(k) for k in range(len(scenarios))], account, question.prior)
    names = [scenario.name for scenario in scenarios]
    log_evidence = pd.Series(
        [a.log_evidence[-1] for a in accounts], index=names, name="log_evidence"
    )
    if np.isneginf(log_evidence.to_numpy()).all():
        raise ScenarioError(
            f"what was observed since {start:%Y-%m-%d} is impossible under each of the scenarios ({', '.join(names)}), "
            "so that they have no odds. Give one of them a rate that is not 0, or kinds that occur."
        )
    free = free_log_evidence(judged)
    missing = unexplained(log_evidence, free)
    entropy = int(source.generator.integers(2**63))
    notes = _notes(question, accounts, judged, effect, record)
    outside = rejected(accounts, judged, [entropy, 1])
    notes = (*(one for one in (missing, outside) if one is not None), *notes)
    notes = (*notes, *late, *_bunched(accounts, judged, question, entropy))
    if others:
        notes = (*others, *notes)
        if not question.again:
            warnings.warn(" ".join(others), OtherAttacksWarning, stacklevel=3)

    def again(**changes: Any) -> Weights:
        return _answer(replace(question, again=True, **changes), entropy)

    return Weights(
        counts=judged.counts[0],
        since=start,
        prior=question.prior,
        log_evidence=log_evidence,
        probabilities=pd.Series(
            special.softmax(log_evidence.to_numpy() + np.log(question.prior.to_numpy())),
            index=names,
            name="probability",
        ),
        seed=source.record,
        notes=notes,
        explained=missing is None,
        free_log_evidence=free,
        day_effect="Poisson" if effect is None else effect.words,
        _accounts=accounts,
        _judged=judged,
        _seen=MarksSeen(kinds, _kinds_seen(record)),
        _outside=outside,
        _delay=question.delay,
        _entropy=entropy,
        _end=first.end,
        _again=again,
    )


def _enough(
    accounts: list[Account], account: Callable[[int, Account], Account], prior: pd.Series
) -> tuple[Account, ...]:
    """Draw again where hardly a draw agrees with the data, unless the scenario is out of the race anyway."""
    logs = np.array([one.log_evidence[-1] for one in accounts]) + np.log(prior.to_numpy())
    worth = special.softmax(logs) if np.isfinite(logs).any() else np.zeros(len(logs))
    for k, share in enumerate(worth):
        for _ in range(_AGAIN):
            if accounts[k].effective_draws >= LEAST_ESS or share < _HOPELESS:
                break
            accounts[k] = account(k, accounts[k])
    return tuple(accounts)


def told_scenarios(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Refuse what are no scenarios.

    Parameters
    ----------
    scenarios : sequence of Scenario
        What was passed.

    Returns
    -------
    tuple of Scenario
        As they were.

    Raises
    ------
    ScenarioError
        If one of them tells no story.
    """
    told = tuple(scenarios) if isinstance(scenarios, Iterable) else (scenarios,)
    if not all(hasattr(one, "story") for one in told):
        raise ScenarioError(
            f"the scenarios are {scenarios!r}; expected a list of at least two, each made with tempo.Scenario."
        )
    return told


def _prior(
    scenarios: Sequence[Scenario], prior: Sequence[float] | Mapping[str, float] | None
) -> pd.Series:
    names = [scenario.name for scenario in scenarios]
    if len(names) < 2:
        raise ScenarioError(
            f"got {counted(len(names), 'scenario')}; weighing takes at least two. Add the one that you would believe "
            "otherwise, such as a continuation."
        )
    if len(set(names)) < len(names):
        raise ScenarioError(
            f"scenarios share a name ({', '.join(names)}). Give each its own name=."
        )
    if prior is None:
        return pd.Series(1.0 / len(names), index=names, name="prior")
    if isinstance(prior, Mapping):
        if set(prior) != set(names):
            raise ScenarioError(
                f"prior names {sorted(prior)}, but the scenarios are {sorted(names)}."
            )
        values = [float(prior[name]) for name in names]
    else:
        try:
            values = [float(value) for value in prior]
        except (TypeError, ValueError) as error:
            raise ScenarioError(
                f"prior is {prior!r}; expected one probability for each scenario, such as [0.7, 0.3]."
            ) from error
    proper = all(value > 0 for value in values) and abs(sum(values) - 1) <= 1e-6
    if len(values) != len(names) or not proper:
        raise ScenarioError(
            f"prior is {values} for {len(names)} scenarios; expected one probability above 0 for each, with sum 1 "
            "(a scenario with probability 0 can never gain any)."
        )
    return pd.Series(values, index=names, name="prior")


def _since(since: DateLike | None, scenarios: Sequence[Scenario], counts: Counts) -> pd.Timestamp:
    first, end = counts.bin_starts[0], counts.end
    if since is None:
        onsets = [scenario.since for scenario in scenarios if scenario.since is not None]
        # A fit has used all of its days, and cannot be told again with fewer.
        fitted = [
            scenario.learned_until
            for scenario in scenarios
            if scenario.continues_fit and scenario.learned_until is not None
        ]
        return min(max(first, min(onsets), *fitted), end) if onsets else first
    day = as_date(since, "since")
    if not first <= day <= end:
        raise ScenarioError(
            f"since is {day:%Y-%m-%d}, outside the data [{first:%Y-%m-%d}, {end:%Y-%m-%d}). Choose a day inside."
        )
    for story in scenarios:
        used = story.learned_until if story.continues_fit else None
        if used is not None and used > day:
            raise ScenarioError(
                f"since is {day:%Y-%m-%d}, but the fit that {story.name!r} continues has used the days before "
                f"{used:%Y-%m-%d}. Choose no earlier day, or fit the model to fewer days."
            )
    return day


def _learned_before(
    story: Scenario, past: Incidents | Counts | pd.Series, start: pd.Timestamp
) -> Scenario:
    if story.learned_until is None or story.continues_fit or story.learned_until <= start:
        return story
    return story.about(past, until=start)


def _marks(
    scenarios: Sequence[Scenario], past: Incidents | Counts | pd.Series
) -> tuple[tuple[str, ...], bool]:
    """Give the kinds that the stories tell apart, and whether one of them speaks of lethal attacks."""
    named = {
        scenario.name: tuple(sorted(scenario.kinds)) for scenario in scenarios if scenario.kinds
    }
    kinds = next(iter(named.values()), ())
    for name, others in named.items():
        if others != kinds:
            raise ScenarioError(
                f"scenario {next(iter(named))!r} names the kinds {', '.join(kinds)}, and {name!r} names "
                f"{', '.join(others)}. To be weighed by the same data, they must name the same kinds."
            )
    probe = np.random.default_rng(0)
    last = past.window.end - DAY if isinstance(past, Incidents) else as_counts(past).bin_starts[-1]
    day = pd.DatetimeIndex([last])
    tolls = any(
        scenario.story(scenario.draw(2, probe), day).lethal is not None for scenario in scenarios
    )
    return kinds, tolls


def _kinds_seen(record: Record) -> Floats | None:
    return None if record.by_kind is None else 1.0 + record.by_kind.sum(axis=1).mean(axis=0)


def _unreported(share: str | tuple[float, float] | None) -> tuple[float, float] | None:
    if share is None:
        return None
    try:
        *ends, days = chance_interval(share) if isinstance(share, str) else (*share, None)
        low, high = (float(value) for value in ends if days is None)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 <= low < high < 1:
        raise ScenarioError(
            f"unreported is {share!r}; expected two shares from 0 up and below 1, the lower one first, such as "
            "(0.1, 0.3) or '10-30 %'."
        )
    return low, high


def _shares_reported(unreported: tuple[float, float] | None) -> Floats | None:
    """Quantiles of the share that is reported: uniform, wide enough that the interval holds 90 %, cut at 0 and 1."""
    if unreported is None:
        return None
    low, high = unreported
    margin = (high - low) / 18
    levels = (np.arange(_SHARES) + 0.5) / _SHARES
    missing = low - margin + levels * (high - low + 2 * margin)
    return np.asarray(1.0 - np.clip(missing, 0.0, 0.999))[::-1].copy()


def _as_reported(
    scenarios: Sequence[Scenario], names: Sequence[str] | None
) -> tuple[str, ...] | None:
    if names is None:
        return None
    known = {scenario.name for scenario in scenarios}
    if isinstance(names, str) or not isinstance(names, Iterable) or not set(names) <= known:
        raise ScenarioError(
            f"as_reported is {names!r}; expected names of scenarios, from {', '.join(sorted(known))}."
        )
    return tuple(names)


def _of_reported(scenario: Scenario, names: tuple[str, ...] | None) -> str:
    """Name the rates of a scenario that are of reported attacks; empty where there are none."""
    learned = learned_rates(scenario.phases)
    if names is not None:
        learned = (scenario.name in names,)
    if all(learned):
        return repr(scenario.name)
    some = [phase.name for phase, yes in zip(scenario.phases, learned, strict=False) if yes]
    return f"{scenario.name!r} ({' and '.join(some)})" if some else ""


def _bunched(
    accounts: Sequence[Account], judged: Judged, question: _Question, entropy: int
) -> tuple[str, ...]:
    """Say that attacks share days more often than the best story allows."""
    if not judged.values.size or judged.values.max() < 2:
        return ()
    evidence = [account.log_evidence[-1] for account in accounts]
    best = accounts[int(np.argmax(evidence))]
    row = bunching_table([best], judged, np.random.default_rng([entropy, 5])).iloc[0]
    if row["passed"]:
        return ()
    remedy = (
        "" if question.overdispersion else " Weigh again with overdispersion='learn' or (0.1, 1)."
    )
    text = (
        f"Attacks share days more often than {best.scenario.name!r} allows ({row['meaning']}), so that the odds read "
        f"bunched days as more than they are.{remedy}"
    )
    return (text,)


def _notes(
    question: _Question,
    accounts: Sequence[Account],
    judged: Judged,
    effect: DayEffect | None,
    record: Record,
) -> tuple[str, ...]:
    counts = judged.counts[0]
    notes = []
    if not judged.speaks:
        notes.append("There are no days to judge by: the odds are those of the prior.")
    elif judged.events < 10:
        notes.append(f"Only {judged.seen} to judge by: the odds rest largely on the prior.")
    if counts.n_imputed:
        notes.append(f"{counts.n_imputed} uncertain dates were averaged over.")
    notes += [
        f"The evidence of {account.scenario.name!r} rests on {account.effective_draws:.0f} effective draws: it "
        "hardly explains the data, or the data say far more than it did."
        for account in accounts
        if account.effective_draws < LEAST_ESS
    ]
    if effect is not None:
        notes.append(f"A day's number varies beyond Poisson; dispersion {effect.words}.")
    if question.unreported is not None:
        told = [_of_reported(account.scenario, question.as_reported) for account in accounts]
        names = ", ".join(words for words in told if words)
        low, high = question.unreported
        notes.append(
            f"{percent(low)} to {percent(high)} of attacks are taken to be unreported; forecasts are of all attacks"
            + (f", the rates of {names} of reported ones." if names else ".")
        )
    if question.delay is not None and len(counts):
        share = judged.exposure.mean(axis=0)
        short = int(np.sum(judged.exposure.mean(axis=0) < counts.exposure.to_numpy(dtype=float)))
        if short:
            notes.append(
                f"The last {counted(short, 'days')} count only in part, because reports come late "
                f"({question.delay.words}); of the attacks of the last day {percent(float(share[-1]))} is in the "
                "record."
            )
        notes += question.delay.notes
    worth = judged.share
    events = judged.events
    if record.by_kind is not None and judged.by_kind is not None:
        unknown = events - float(worth @ judged.by_kind.sum(axis=(1, 2)))
        if unknown >= 0.5:
            notes.append(
                f"{counted(unknown, counts.label)} of unknown kind judged by number alone."
            )
    if judged.deadly is not None and judged.harmless is not None:
        known = float(worth @ (judged.deadly + judged.harmless).sum(axis=1))
        if events - known >= 0.5:
            notes.append(
                f"Whether anybody died is unknown for {counted(events - known, counts.label)}, which judged by number "
                "alone."
            )
    return tuple(notes)
