"""Page one in sentences: key judgements, what must be known first, and the confidence behind them.

Every number goes through the shared rounding, and every word of likelihood is chosen for the number
as printed. No sentence says that one thing brought about another: rates change, and attacks follow
attacks, for reasons that counts alone do not show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tempo.briefing.analysis import Analysis
from tempo.briefing.confidence import Confidence, assess_confidence
from tempo.briefing.layout import Judgement
from tempo.briefing.operations_page import judge_operations
from tempo.briefing.phrases import Noun, day_span, joined, long_date, percents, plural
from tempo.briefing.rival_rules import EVERY, EVERY_ROW
from tempo.briefing.wording import term, whole_percent
from tempo.data.incidents import REPORTED_LATE
from tempo.data.rounding import interval, number, percent
from tempo.data.window import DAY
from tempo.forecasting.outlook import Outlook
from tempo.models.intervals import central_levels, interval_levels

__all__ = [
    "MODEL_NAMES",
    "Accounts",
    "ScenarioReading",
    "accounts_of",
    "judge",
    "judge_confidence",
    "notices_of",
    "read_scenarios",
]

#: What the models are called in prose.
MODEL_NAMES = {
    "ConstantRate": "constant rate",
    "Changepoints": "changepoints",
    "Hawkes": "self-excitation (Hawkes)",
    "Lethality": "how deadly attacks are",
}

#: Evidence weaker than this factor does not separate two scenarios (Kass & Raftery 1995: "not worth more than a bare
#: mention").
_BARE_MENTION = 3.0

#: Above this probability of at least one event, the question is rather whether there will be more than before.
_SURE = 0.95

#: Range of starting assumptions that a scenario's probability is shown for.
_PRIOR_RANGE = (0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The forecasts that answer the same question side by side.

    Attributes
    ----------
    mixture : Outlook
        The weighted scenarios, which the judgements quote.
    scenarios, models : dict of str to Outlook
        Each scenario alone, and each model that knows nothing of them.
    """

    mixture: Outlook
    scenarios: dict[str, Outlook]
    models: dict[str, Outlook]

    def probability(self, days: int, at_least: int = 1) -> float:
        """Give the probability of at least so many events under the weighted scenarios."""
        return self.mixture.probability(at_least, f"{days}D")

    def span(self, days: int, at_least: int = 1) -> tuple[float, float]:
        """Give the lowest and highest of these probabilities over all scenarios and models."""
        found = [
            outlook.probability(at_least, f"{days}D")
            for outlook in (*self.scenarios.values(), *self.models.values())
        ]
        return min(found), max(found)

    def spread_of_models(self, days: int, at_least: int = 1) -> float | None:
        """Give the largest difference between the models' probabilities; None for a single model."""
        found = [whole_percent(o.probability(at_least, f"{days}D")) for o in self.models.values()]
        return (max(found) - min(found)) / 100 if len(found) > 1 else None


def accounts_of(analysis: Analysis) -> Accounts:
    """Collect the forecasts of an analysis.

    Parameters
    ----------
    analysis : Analysis
        The results.

    Returns
    -------
    Accounts
        Side by side.
    """
    models = {MODEL_NAMES.get(name, name): outlook for name, outlook in analysis.outlooks.items()}
    return Accounts(analysis.mixture, analysis.scenario_outlooks, models)


@dataclass(frozen=True, slots=True)
class ScenarioReading:
    """What the evidence says about the busiest scenario.

    Attributes
    ----------
    name : str
        The scenario with the highest forecast.
    others : tuple of str
        The rest.
    prior, posterior : float
        Its probability before and after the data.
    log_factor : float
        Natural logarithm of the Bayes factor for it, against the others together.
    low, high : float
        Its probability if the starting assumption had been 10 % or 50 %.
    """

    name: str
    others: tuple[str, ...]
    prior: float
    posterior: float
    log_factor: float
    low: float
    high: float

    @property
    def separated(self) -> bool:
        """Whether the evidence is worth more than a bare mention, either way."""
        return abs(self.log_factor) >= math.log(_BARE_MENTION)


def read_scenarios(analysis: Analysis) -> ScenarioReading | None:
    """Read off what the evidence says about the busiest scenario.

    Parameters
    ----------
    analysis : Analysis
        The results.

    Returns
    -------
    ScenarioReading or None
        ``None`` where there is only one scenario, or the starting assumption left no choice.
    """
    weights = analysis.weights
    totals = {name: float(o.totals().mean()) for name, o in analysis.scenario_outlooks.items()}
    name = max(totals, key=totals.__getitem__)
    others = tuple(other for other in totals if other != name)
    prior, posterior = float(weights.prior[name]), float(weights.probabilities[name])
    if not others or not 0 < prior < 1:
        return None
    logs = weights.log_evidence
    shares = np.array([float(weights.prior[other]) for other in others]) / (1 - prior)
    rest = float(np.logaddexp.reduce([float(logs[other]) for other in others] + np.log(shares)))
    log_factor = float(logs[name]) - rest
    low, high = (
        float(1 / (1 + np.exp(-np.clip(log_factor + math.log(start / (1 - start)), -700, 700))))
        for start in _PRIOR_RANGE
    )
    return ScenarioReading(name, others, prior, posterior, log_factor, low, high)


def judge(analysis: Analysis, words: str) -> tuple[Judgement, ...]:
    """Write the key judgements.

    Parameters
    ----------
    analysis : Analysis
        The results.
    words : {"icd203", "phia"}
        Vocabulary of likelihood.

    Returns
    -------
    tuple of Judgement
        The question at the shortest and at the longest horizon, how many, which scenario, whether the rate changed, and
        deaths and operating days where they are forecast.
    """
    noun = Noun.of(analysis.past.label)
    found = [_coming(analysis, noun, h, words) for h in _ends(analysis.horizons)]
    found.append(_how_many(analysis, noun, words))
    found.extend(_scenario(analysis, words))
    found.extend(_changed(analysis, noun, words))
    found.extend(_deaths(analysis, words))
    if analysis.lost is not None:
        found.append(judge_operations(analysis.lost[0], words))
    return tuple(found)


def _ends(horizons: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys((horizons[0], horizons[-1])))


def _at_least(analysis: Analysis, days: int) -> int:
    """Give the number of events whose probability answers the question over so many days.

    That is one, unless one is all but sure: then it is one more than came in as many days before.
    """
    if analysis.mixture.probability(1, f"{analysis.horizons[0]}D") <= _SURE:
        return 1
    recent = analysis.daily.select(
        np.asarray(analysis.daily.bin_starts >= analysis.as_of - days * DAY)
    )
    if len(recent) < days or recent.exposure.to_numpy(dtype=float).min() < 1:
        return 1
    return recent.events + 1


def _ahead(days: int) -> str:
    return "day" if days == 1 else plural(days, "day")


def _coming(analysis: Analysis, noun: Noun, days: int, words: str) -> Judgement:
    accounts = accounts_of(analysis)
    least = _at_least(analysis, days)
    found = term(accounts.probability(days, least), words)
    low, high = accounts.span(days, least)
    dates = day_span(analysis.as_of, analysis.as_of + days * DAY)
    ahead = _ahead(days)
    what = (
        f"at least one {noun.one} occurs in the next {ahead} ({dates})"
        if least == 1
        else f"the next {ahead} ({dates}) bring more {noun.many} than the {least - 1:,} of the {ahead} before"
    )
    sentence = f"{found.opening} that {what}. The scenarios and models taken one by one give {percents(low, high)}."
    return Judgement(sentence, found, low, high, days)


def _how_many(analysis: Analysis, noun: Noun, words: str) -> Judgement:
    days = analysis.horizons[-1]
    totals = analysis.mixture.totals(f"{days}D")
    levels = central_levels(analysis.prob)
    low, median, high = (int(q) for q in np.quantile(totals, levels, method="inverted_cdf"))
    # The chance of passing the median tells what the interval cannot: how lopsided the forecast is.
    beyond = term(float(np.mean(totals > median)), words)
    sentence = (
        f"The number of {noun.many} in the next {_ahead(days)} is expected to lie between "
        f"{interval(low, high).replace(' to ', ' and ')} ({percent(analysis.prob)} interval), "
        f"with {number(median)} as the middle value. {beyond.opening} that it is more than {number(median)}."
    )
    return Judgement(sentence, beyond, None, None, days)


def _scenario(analysis: Analysis, words: str) -> list[Judgement]:
    reading = read_scenarios(analysis)
    if reading is None:
        return []
    found = term(reading.posterior, words)
    rest = joined(reading.others, "or")
    favoured = reading.name if reading.log_factor > 0 else rest
    strength = _strength(reading.log_factor)
    start = f"From a starting assumption of {percent(reading.prior)}"
    if reading.separated:
        verdict = f"The evidence favours {favoured} by a factor of {strength}."
    else:
        verdict = (
            "The evidence does not separate the scenarios: it favours "
            f"{favoured} by a factor of only {strength}."
        )
    sentence = (
        f"{verdict} {start}, {found.clause} that the {reading.name} scenario, rather than {rest}, describes the "
        f"present; assumptions of {percents(*_PRIOR_RANGE)} give {percents(reading.low, reading.high)}."
    )
    sentence += _before_the_last_event(analysis, reading.name)
    return [Judgement(sentence, found, reading.low, reading.high, None)]


def _before_the_last_event(analysis: Analysis, name: str) -> str:
    """Say what the odds were before the last event, without which the question might not have been asked."""
    counts = analysis.weights.counts
    events = counts.index[counts.to_numpy(dtype=float) > 0]
    if not len(events):
        return ""
    day = events[-1]
    before = float(analysis.weights.history().loc[day, name])
    after = float(analysis.weights.probabilities[name])
    if abs(whole_percent(after) - whole_percent(before)) < 5:
        return ""
    return f" Before the {Noun.of(counts.label).one} of {long_date(day)} it stood at {percent(before)}."


def _strength(log_factor: float) -> str:
    """Write how strong evidence is, whichever way it points; beyond 1,000 the number means nothing."""
    size = abs(log_factor)
    return number(math.exp(size)) if size <= math.log(1000) else "more than 1,000"


def _changed(analysis: Analysis, noun: Noun, words: str) -> list[Judgement]:
    fit = analysis.fits.get("Changepoints")
    if fit is None or (analysis.failed["model"] == "Changepoints").any():
        return []  # a notice says which check failed; no sentence rests on such a model
    chance = 1.0 - float(fit.n_changes.iloc[0])
    found = term(chance, words)
    since = long_date(analysis.past.window.start)
    unclear = 25 <= whole_percent(chance) <= 75
    if unclear:
        sentence = (
            f"The data cannot tell whether the rate of {noun.many} changed since {since}: {found.clause} that there "
            "was at least one step, which decides nothing either way."
        )
    else:
        sentence = (
            f"{found.opening} that the rate of {noun.many} changed at least once since {since}, "
            "if steps are the only kind of change."
        )
    if not unclear and chance > 0.5:
        segments = fit.segments
        last = segments.iloc[-1]
        if len(segments) > 1:
            sentence += (
                f" The latest change is dated to {long_date(last['start'])}" + _between(last) + "."
            )
    return [Judgement(sentence, found, None, None, None)]


def _between(segment: object) -> str:
    start_low, start_high = segment["start_low"], segment["start_high"]  # type: ignore[index]  # a row of segments
    if start_low == start_high:
        return ""
    return f" (between {long_date(start_low)} and {long_date(start_high)})"


def _deaths(analysis: Analysis, words: str) -> list[Judgement]:
    deaths = analysis.mixture.deaths
    if deaths is None:
        return []
    days = analysis.horizons[-1]
    totals = np.asarray(deaths.sum(dim=[name for name in deaths.dims if name != "draw"]))
    found = term(float(np.mean(totals >= 1)), words)
    _, upper = interval_levels(analysis.prob)
    high = float(np.quantile(totals, upper, method="inverted_cdf"))
    sentence = (
        f"{found.opening} that at least one person is killed in {Noun.of(analysis.past.label).many} in the next "
        f"{plural(days, 'day')}. "
        f"With {percent(upper)} probability deaths stay at or below {number(high)}."
    )
    return [Judgement(sentence, found, None, None, days)]


def judge_confidence(analysis: Analysis, words: str) -> Confidence:
    """Work out the level of confidence and its reasons from the results.

    Parameters
    ----------
    analysis : Analysis
        The results.
    words : {"icd203", "phia"}
        Vocabulary, because other counting rules count as agreeing when they lead to the same word.

    Returns
    -------
    Confidence
        Level and reasons.
    """
    accounts = accounts_of(analysis)
    days = analysis.horizons[0]
    agree = None
    # Where every incident counts, a narrower rule asks another question.
    if analysis.rules is not None and analysis.past.rule != EVERY_ROW:
        here = term(accounts.probability(days), words).word
        # Every incident is no rival definition, but the pool that the definitions draw from.
        rivals = analysis.rules[analysis.rules["name"] != EVERY]
        if len(rivals):
            agree = all(term(float(p), words).word == here for p in rivals[f"probability_{days}"])
    spreads = [accounts.spread_of_models(h, _at_least(analysis, h)) for h in analysis.horizons]
    gains = [analysis.record.gain(name) for name in analysis.fits if name != "ConstantRate"]
    measured = [gain for gain in gains if not math.isnan(gain[0])]
    return assess_confidence(
        n_events=analysis.daily.events,
        # The constant rate is what the others must beat; that it does not fit says nothing against them.
        checks_failed=int((analysis.failed["model"] != "ConstantRate").sum()),
        baseline_failed=bool((analysis.failed["model"] == "ConstantRate").any()),
        checks_untested=int(analysis.checks["statistic"].isna().sum()),
        spread=None if None in spreads else max(spread for spread in spreads if spread is not None),
        n_inexact=analysis.n_inexact,
        n_undecided=analysis.n_undecided,
        # A gain that is not clearly above zero (two standard errors) is no gain.
        gain_over_baseline=(
            max(gain if gain > 2 * error else min(gain, 0.0) for gain, error in measured)
            if measured
            else None
        ),
        rules_agree=agree,
    )


def notices_of(analysis: Analysis, *, override: bool) -> tuple[str, ...]:
    """Write what a reader must know before the judgements.

    Parameters
    ----------
    analysis : Analysis
        The results.
    override : bool
        Whether the briefing was asked for although a model did not converge.

    Returns
    -------
    tuple of str
        Failed checks first.
    """
    found = []
    if override and analysis.blocked:
        found.append(
            "A model did not converge. This briefing was written all the same, because its author overrode the refusal."
        )
    for _, check in analysis.failed.iterrows():
        statistic, threshold = (
            number(float(check[what]), 4) for what in ("statistic", "threshold")
        )
        found.append(
            f"Failed check, {MODEL_NAMES.get(check['model'], check['model'])}: {check['check']} is {statistic}, "
            f"threshold {threshold}. {check['meaning']}"
        )
    failed = set(zip(analysis.failed["model"], analysis.failed["check"], strict=True))
    if ("ConstantRate", "dispersion (Pearson)") in failed:
        noun = Noun.of(analysis.past.label)
        active, observed = int((analysis.daily > 0).sum()), int(analysis.daily.notna().sum())
        found.append(
            f"The scenarios, which the judgements quote, share an assumption of the constant rate that failed: each "
            f"{noun.one} comes independently of the others. The {noun.counted(analysis.daily.events)} fell on "
            f"{active:,} of {plural(observed, 'day')}. Where they come in bunches, the chance of at least one is "
            "stated too high, and the intervals too narrow."
        )
    weights = analysis.weights
    if not weights.explained:
        gap = weights.free_log_evidence - float(weights.log_evidence.max())
        found.append(
            f"None of the scenarios explains what was observed since {long_date(weights.since)}: a rate that is free "
            f"to change gives it {_strength(gap)} times the probability that the best of them gives it. Their odds "
            "compare bad explanations, and one that is better is missing."
        )
    found += [
        f"{note} Old incidents that the source changed later are among them where it dates the change only: a lull "
        "may then be no lull."
        for note in analysis.past.notes
        if REPORTED_LATE in note
    ]
    for name, reason in analysis.refused.items():
        found.append(f"Not fitted, {MODEL_NAMES.get(name, name)}: {reason}")
    watched, ahead = float(analysis.daily.exposure.sum()), analysis.horizons[-1]
    if watched < ahead:
        found.append(
            f"Only {plural(round(watched), 'day')} were watched, and the forecast reaches {plural(ahead, 'day')}: it "
            "stretches what is known. No probability in it can be taken for all but certain."
        )
    n = analysis.daily.events
    if n < 25:
        noun = Noun.of(analysis.past.label)
        verb = "is" if n == 1 else "are"
        found.append(
            f"There {verb} only {noun.counted(n)}. With so few, no method can tell a change or clustering from luck: "
            "the intervals are wide, and the stated assumptions carry much of the answer."
            if n
            else f"There is no {noun.one} in the data: the stated assumptions carry the answer."
            if analysis.past.rule == EVERY_ROW
            else "Nothing in the data fits the counting rule: the stated assumptions carry the answer."
        )
    if analysis.n_undecided > 0.25 * max(n, 1):
        found.append(
            f"The counting rule could not decide {plural(analysis.n_undecided, 'row')}, beside {n:,} counted: a "
            "value is unknown or disputed. They are left out, and would raise the rate if they count."
        )
    return tuple(found)
