"""The analysis behind a briefing: models fitted, checked, forecast, weighed and compared, as one frozen result."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tempo.briefing.default_scenarios import DEFAULT_PRIOR, default_scenarios
from tempo.briefing.phrases import Noun
from tempo.briefing.record import Record, keep_record
from tempo.briefing.rival_rules import under_rules
from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import number
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import (
    BriefingError,
    DataError,
    FewEventsWarning,
    FitError,
    ImputedDatesWarning,
    OptionError,
    TempoWarning,
    UndecidedRowsWarning,
)
from tempo.forecasting.impact_days import LostDays
from tempo.forecasting.impact_elicited import chance_interval, days_interval
from tempo.forecasting.impact_pauses import Pauses
from tempo.forecasting.impact_standdown import StandDown
from tempo.forecasting.impact_totals import OperationsTotals
from tempo.forecasting.outlook import Outlook, forecast, thirds
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.spans import days_of
from tempo.forecasting.weighing import weigh
from tempo.forecasting.weights import Weights
from tempo.models.intervals import require_prob
from tempo.randomness import RNGLike, resolve, spawn

if TYPE_CHECKING:
    from tempo.models.explain_verdict import Verdict
    from tempo.models.lethality_fit import LethalityFit

__all__ = ["Analysis", "Method", "Progress", "analyse"]

type Method = Literal["laplace", "nuts", "mle"]
type Progress = Callable[[str, float], None]

#: How the names of checks begin that speak of the computation, not of the fit to the data. Their failure blocks a
#: briefing.
_CONVERGENCE = "convergence"

#: With more events than this, the Hawkes process is not fitted again for the record: it would take minutes.
_MOST_EVENTS_TO_REFIT = 3000

#: Below this branching ratio self-excitation makes no difference to a forecast.
_LEAST_BRANCHING = 0.05
#: What is rare is looked for in so many futures of ten years, or of as many attacks.
_LONGEST_DAYS, _MOST_ATTACKS, _FUTURES = 3650, 10_000, 2_000


@dataclass(frozen=True, repr=False)
class Analysis:
    """Everything that the findings are computed from.

    Attributes
    ----------
    past : Incidents
        The incidents before the as-of date.
    daily : Counts
        Their daily counts.
    as_of : pandas.Timestamp
        Nothing from this day on was used.
    horizons : tuple of int
        Horizons in days, shortest first.
    prob : float
        Content of all intervals.
    fits : dict
        Fitted models by name; the constant rate comes first.
    outlooks : dict of str to Outlook
        Forecast of each of them.
    refused : dict of str to str
        Models that could not be fitted, with the reason.
    weights : Weights
        The scenarios, weighed.
    scenario_outlooks : dict of str to Outlook
        Forecast under each scenario alone.
    mixture : Outlook
        Forecast under the weighted scenarios.
    lethality : LethalityFit or None
        How deadly the attacks are; ``None`` where no death toll is known. The forecasts then hold deaths.
    years_ahead : Outlook or None
        Ten years (of many attacks fewer) under the constant rate, with deaths, for what is rare; ``None`` where no
        death toll is known.
    verdict : Verdict or None
        Contagion against regime change; ``None`` where it could not be weighed.
    lost : (LostDays, tuple of LostDays) or None
        Operating days lost, and the same with half and twice the probability of a stand-down, and with half and twice
        its duration; ``None`` where nothing was said of them.
    operations : pandas.DataFrame or None
        Published totals of operations beside all attacks, by period (``OperationsTotals.beside``).
    checks : pandas.DataFrame
        ``model, check, statistic, threshold, passed, meaning, blocking``.
    record : Record
        Past forecasts with their outcomes.
    rules : pandas.DataFrame or None
        One row for each counting rule: ``name, rule, events, undecided, last`` and, for each horizon of h days,
        ``probability_h``, and ``constant`` (under a constant rate, at the longest
        horizon); ``None`` where no other rule could be applied.
    doubts : tuple of str
        Warnings that were given on the way, once each.
    seed : str
        What reproduces the draws.
    """

    past: Incidents
    daily: Counts
    as_of: pd.Timestamp
    horizons: tuple[int, ...]
    prob: float
    fits: dict[str, Any]
    outlooks: dict[str, Outlook]
    refused: dict[str, str]
    weights: Weights
    scenario_outlooks: dict[str, Outlook]
    mixture: Outlook
    lethality: LethalityFit | None
    years_ahead: Outlook | None
    verdict: Verdict | None
    lost: tuple[LostDays, tuple[LostDays, ...]] | None
    operations: pd.DataFrame | None
    checks: pd.DataFrame
    record: Record
    rules: pd.DataFrame | None
    doubts: tuple[str, ...]
    seed: str

    @property
    def failed(self) -> pd.DataFrame:
        """The checks that failed, those that block a briefing first."""
        failed = self.checks[~self.checks["passed"].astype(bool)]
        return failed.sort_values("blocking", ascending=False, kind="stable")

    @property
    def blocked(self) -> bool:
        """Whether a model did not converge."""
        return bool(self.failed["blocking"].any())

    @property
    def n_undecided(self) -> int:
        """How many rows before the as-of date the counting rule could not decide."""
        undecided = self.past.undecided
        return int((undecided["date_start"] < self.as_of).sum()) if len(undecided) else 0

    @property
    def n_inexact(self) -> int:
        """How many counted rows are dated only to an interval of days."""
        return self.past.n_uncertain("1D")

    def __repr__(self) -> str:
        return (
            f"Analysis as of {self.as_of:%Y-%m-%d}: {self.daily.events} × {self.past.label}, "
            f"models {', '.join(self.fits)}, {len(self.failed)} failed checks"
        )


def analyse(
    past: Incidents,
    *,
    as_of: DateLike,
    horizon: str = "90D",
    scenarios: Sequence[Scenario] | None = None,
    prior: Sequence[float] | None = None,
    prob: float = 0.9,
    incidents: Incidents | None = None,
    rules: Mapping[str, str] | None = None,
    stand_down: StandDown | None = None,
    pauses: Pauses | None = None,
    operations: OperationsTotals | None = None,
    method: Method = "laplace",
    draws: int = 10_000,
    rng: RNGLike = 7,
    progress: Progress | None = None,
) -> Analysis:
    """Fit, check, forecast and weigh everything that a briefing reports.

    Parameters
    ----------
    past : Incidents
        What is counted, on its window.
    as_of : date-like
        Date of the briefing; nothing from this day on is used. It must not lie beyond the end of the window.
    horizon : str, default "90D"
        The longest horizon; a third and two thirds of it are reported too.
    scenarios : sequence of Scenario, optional
        Accounts of what is going on, to be weighed; `default_scenarios` when left out.
    prior : sequence of float, optional
        Probability of each scenario before the data. Left out: equal for named scenarios, `DEFAULT_PRIOR` for the
        default ones.
    prob : float, default 0.9
        Content of all intervals.
    incidents : Incidents, optional
        All rows before the counting rule was applied; needed to answer again under other rules.
    rules : mapping of str to str, optional
        Other counting rules by name; `default_rules` when left out.
    stand_down : StandDown, optional
        What an attack may do to operations; nothing is said of operations when left out.
    pauses : Pauses, optional
        Documented pauses, from which the stand-downs are learned.
    operations : OperationsTotals, optional
        Published totals of operations, laid beside the attacks of each period that had ended.
    method : {"laplace", "nuts", "mle"}, default "laplace"
        Engine of the Hawkes fit.
    draws : int, default 10,000
        Simulated futures of each model's forecast; those of the scenarios have 10,000.
    rng : int, Generator or None, default 7
        Draws everything.
    progress : callable, optional
        Called with a text and the share done, between 0 and 1.

    Returns
    -------
    Analysis
        All results.

    Raises
    ------
    BriefingError
        If the as-of date lies beyond the data.
    OptionError
        If an option has a value that is not known.
    """
    tell = progress or (lambda _text, _share: None)
    require_prob(prob)
    days = days_of(horizon)
    horizons = thirds(days)
    whole = f"{days}D"
    past, cut = _as_of(past, as_of)
    randomness = resolve(rng)
    streams = spawn(randomness.generator, 10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell("Counting", 0.02)
        daily = past.counts("1D")
        fits: dict[str, Any] = {}
        refused: dict[str, str] = {}
        fitters = _fitters(past, method, streams[0])
        for place, (name, fit) in enumerate(fitters.items()):
            tell(f"Fitting {name}", 0.05 + 0.4 * place / len(fitters))
            try:
                fits[name] = fit()
            except FitError as error:
                refused[name] = str(error)
        tell("Weighing contagion against regime change", 0.42)
        verdict = _verdict(past, daily, streams[6])
        tell("Reading death tolls", 0.46)
        lethality = years_ahead = None
        try:
            lethality = _lethality(past, streams[7])
        except DataError as error:
            reason, _, _ = str(error).partition(". ")  # what follows is said to whoever writes code
            refused["Lethality"] = f"{reason}."
        tell("Checking", 0.48)
        checks = _checks(fits)
        tell("Forecasting", 0.5)
        outlooks = {
            name: forecast(fit, whole, draws=draws, rng=streams[1]) for name, fit in fits.items()
        }
        tell("Weighing scenarios", 0.6)
        chosen = list(scenarios) if scenarios is not None else default_scenarios(past)
        if scenarios is None and prior is None:
            prior = DEFAULT_PRIOR
        weights = weigh(past, chosen, prior=prior, rng=streams[2])
        scenario_outlooks = weights.outlooks(whole, lethality=lethality)
        mixture = weights.outlook(whole, lethality=lethality)
        if lethality is not None:
            outlooks["ConstantRate"] = outlooks["ConstantRate"].with_deaths(lethality, streams[7])
            years_ahead = _years_ahead(fits["ConstantRate"], lethality, streams[9])
        tell("Counting lost days", 0.68)
        lost = _lost(
            past, {**scenario_outlooks, mixture.name: mixture}, stand_down, pauses, streams[8]
        )
    doubts = _doubts(caught)
    # Fits to parts of the past repeat the same doubts about fewer events; they are not doubts about the answer.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        tell("Keeping the record", 0.7)
        record = keep_record(
            daily,
            _record_fitters(daily, streams[5]),
            baseline="ConstantRate",
            days=horizons[0],
            prob=prob,
            most=_record_size(daily),
            rng=streams[3],
        )
        tell("Answering under other counting rules", 0.8)
        table = under_rules(
            past, incidents, rules, cut, horizons, scenarios=scenarios, prior=prior, rng=streams[4]
        )
    return Analysis(
        past=past,
        daily=daily,
        as_of=cut,
        horizons=horizons,
        prob=prob,
        fits=fits,
        outlooks=outlooks,
        refused=refused,
        weights=weights,
        scenario_outlooks=scenario_outlooks,
        mixture=mixture,
        lethality=lethality,
        years_ahead=years_ahead,
        verdict=verdict,
        lost=lost,
        operations=_beside(operations, past if incidents is None else incidents, cut),
        checks=checks,
        record=record,
        rules=table,
        doubts=doubts,
        seed=randomness.record,
    )


def _as_of(past: Incidents, as_of: DateLike) -> tuple[Incidents, pd.Timestamp]:
    cut = as_date(as_of, "as_of")
    window = past.window
    if cut > window.end:
        raise BriefingError(
            f"as_of is {cut:%Y-%m-%d}, but the data were only watched up to {window.end - DAY:%Y-%m-%d}. "
            f"What happened in between is not known. Use as_of='{window.end:%Y-%m-%d}', or "
            "pass a longer window if the data cover it."
        )
    if cut <= window.start:
        raise BriefingError(
            f"as_of is {cut:%Y-%m-%d}, but the data begin on {window.start:%Y-%m-%d}. There is no past to learn from; "
            "use a later date."
        )
    known = past.before(cut)
    # Labels come in the singular too; charts write them as they are, and read better in the plural.
    return Incidents(
        known.table,
        known.window,
        label=Noun.of(known.label).many,
        rule=known.rule,
        source=known.source,
        cutoff=known.cutoff,
        problems=known.problems,
        undecided=known.undecided,
        notes=known.notes,
        n_dropped=known.n_dropped,
    ), cut


def _fitters(
    past: Incidents, method: Method, rng: np.random.Generator
) -> dict[str, Callable[[], Any]]:
    from tempo.models.changepoints import Changepoints
    from tempo.models.constant import ConstantRate

    return {
        "ConstantRate": lambda: ConstantRate().fit(past, rng=rng),
        "Changepoints": lambda: Changepoints().fit(past, rng=rng),
        "Hawkes": lambda: _hawkes(past, method, rng),
    }


def _hawkes(past: Incidents, method: Method, rng: np.random.Generator) -> Any:
    """Fit the Hawkes process, unless a long series already rules self-excitation out.

    Without self-excitation nothing is known of the memory, and no sampler gets around in what is left. With many events
    that is plain from the likelihood, and said in its place.
    """
    from tempo.models.hawkes import Hawkes

    if len(past) > _MOST_EVENTS_TO_REFIT:
        peak = Hawkes().fit(past, method="mle", rng=rng)
        branching = float(peak.params["branching_ratio"])
        if branching < _LEAST_BRANCHING:
            raise FitError(
                "self-excitation adds nothing to a constant rate: the likeliest branching ratio is "
                f"{number(branching)}."
            )
    return Hawkes().fit(past, method=method, rng=rng)


def _verdict(past: Incidents, daily: Counts, rng: np.random.Generator) -> Verdict | None:
    """Weigh contagion against regime change, where there are attacks and not so many that it takes minutes."""
    from tempo.models.explain import explain

    return explain(past, rng=rng) if 0 < daily.events <= _MOST_EVENTS_TO_REFIT else None


def _lethality(past: Incidents, rng: np.random.Generator) -> LethalityFit | None:
    """Fit how deadly the attacks are, where any toll is known."""
    from tempo.models.lethality import Lethality

    table = past.table
    columns = [name for name in ("killed", "killed_low", "killed_high") if name in table]
    if not columns or not table[columns].notna().to_numpy().any():
        return None
    return Lethality().fit(past, rng=rng)


def _years_ahead(fit: Any, lethality: LethalityFit, rng: np.random.Generator) -> Outlook:
    """Forecast deaths far ahead under the constant rate."""
    days = _MOST_ATTACKS / max(float(fit.rate_per_day["mean"]), 1e-9)
    days = int(min(max(days, 1.0), _LONGEST_DAYS))
    return forecast(fit, f"{days}D", _FUTURES, rng=rng, lethality=lethality)


def _lost(
    past: Incidents,
    outlooks: Mapping[str, Outlook],
    stand_down: StandDown | None,
    pauses: Pauses | None,
    rng: np.random.Generator,
) -> tuple[LostDays, tuple[LostDays, ...]] | None:
    """Give the operating days lost under each scenario, and again for half and twice probability and duration."""
    from tempo.forecasting.impact import impact

    if stand_down is None:
        if pauses is not None:
            raise OptionError(
                "pauses are given without a stand_down. Say what an attack may do to operations: "
                "stand_down=tempo.StandDown('10-30 %', '5-30 days')."
            )
        return None
    seed = int(rng.integers(2**63))
    low, high = chance_interval(stand_down.probability)
    shortest, longest = days_interval(stand_down.duration)
    models = [
        stand_down,
        dataclasses.replace(stand_down, probability=(low / 2, high / 2)),
        dataclasses.replace(stand_down, probability=(min(2 * low, 0.9), min(2 * high, 0.95))),
        dataclasses.replace(stand_down, duration=(shortest / 2, longest / 2)),
        dataclasses.replace(stand_down, duration=(2 * shortest, 2 * longest)),
    ]
    first, *others = (
        impact(outlooks, model.fit(past, pauses), rng=np.random.default_rng(seed))
        for model in models
    )
    return first, tuple(others)


def _beside(
    operations: OperationsTotals | None, attacks: Incidents, cut: pd.Timestamp
) -> pd.DataFrame | None:
    """Lay operations beside attacks, for the periods that had ended and were watched."""
    if operations is None:
        return None
    table = operations.beside(attacks.before(cut) if cut < attacks.window.end else attacks)
    return table[table["end"] <= cut]


def _record_size(daily: Counts) -> int:
    """Give how many past forecasts to make: a dozen, fewer where each takes long."""
    return int(np.clip(5000 // len(daily), 4, 12))


def _record_fitters(daily: Counts, rng: np.random.Generator) -> dict[str, Callable[[Counts], Any]]:
    from tempo.models.changepoints import Changepoints
    from tempo.models.constant import ConstantRate
    from tempo.models.hawkes import Hawkes

    fitters: dict[str, Callable[[Counts], Any]] = {
        "ConstantRate": lambda counts: ConstantRate().fit(counts, rng=rng),
        "Changepoints": lambda counts: Changepoints().fit(counts, rng=rng),
    }
    if daily.events <= _MOST_EVENTS_TO_REFIT:
        fitters["Hawkes"] = lambda counts: Hawkes().fit(counts, method="laplace", rng=rng)
    return fitters


def _checks(fits: Mapping[str, Any]) -> pd.DataFrame:
    parts = []
    for name, fit in fits.items():
        table: pd.DataFrame = fit.check()
        part = table[["statistic", "threshold", "passed", "meaning"]].copy()
        part.insert(0, "check", [str(label) for label in table.index])
        part.insert(0, "model", name)
        part["blocking"] = [str(label).startswith(_CONVERGENCE) for label in table.index]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _doubts(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Keep tempo's own warnings as text; pass on what others had to say."""
    own: list[str] = []
    for item in caught:
        if isinstance(item.message, TempoWarning):
            # The page says in its own words how few the events are and how many dates and rows are open.
            if not isinstance(
                item.message, FewEventsWarning | ImputedDatesWarning | UndecidedRowsWarning
            ):
                text = str(item.message)
                own.append(text[:1].upper() + text[1:])
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    return tuple(dict.fromkeys(own))
