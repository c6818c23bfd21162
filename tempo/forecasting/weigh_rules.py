"""The same question under several counting rules, because the rule decides more than the model does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from tempo.data.incidents import Incidents
from tempo.data.window import DateLike
from tempo.errors import ScenarioError, UndecidedRowsWarning
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.spans import days_of, several
from tempo.forecasting.weighing import told_scenarios, weigh
from tempo.randomness import RNGLike, resolve

__all__ = ["weigh_rules"]


def weigh_rules(
    incidents: Incidents,
    rules: Mapping[str, str],
    scenarios: Sequence[Scenario] | Callable[[Incidents], Sequence[Scenario]],
    prior: Sequence[float] | Mapping[str, float] | None = None,
    *,
    as_of: DateLike | None = None,
    horizons: Sequence[str] = ("30D", "60D", "90D"),
    draws: int = 10_000,
    rng: RNGLike = None,
    **options: Any,
) -> pd.DataFrame:
    """Weigh the same scenarios under several counting rules, in one table.

    Parameters
    ----------
    incidents : Incidents
        All rows, before any of the rules.
    rules : mapping of str to str
        Rule by name, such as ``{"any death": "killed > 0"}``.
    scenarios : sequence of Scenario, or a function that makes them from the selected past
        What a scenario learned from a past, it learns again from the attacks of each rule; what was said stays.
    prior : sequence or mapping of float, optional
        Probability of each scenario before the data; equal when left out.
    as_of : date-like, optional
        The data as they stood before this date. Default: as they are.
    horizons : sequence of str, default ("30D", "60D", "90D")
        For the probability of at least one attack.
    draws : int, default 10,000
        Futures of the mixture.
    rng : int, Generator or None
        The same stream for each rule, so that rules differ by their attacks alone.
    **options
        Passed to ``tempo.weigh``: ``since``, ``overdispersion``, ``unreported``, ``delay``, ….

    Returns
    -------
    pandas.DataFrame
        One row for each rule: ``rule``, ``events`` (all), ``events_since`` and ``since``, ``undecided`` (rows that the
        rule leaves open, because a value is unknown), ``P(scenario)`` for each, ``best`` (the scenario with most
        evidence), ``bayes_factor`` (against the next) and its ``strength`` in words, ``P(>=1 in 30D)`` and so on under
        the mixture, ``explained``.

    Raises
    ------
    ScenarioError
        If there is no rule.

    Examples
    --------
    >>> import tempo
    >>> incidents = tempo.load_dataset("iraq-coalition")
    >>> sporadic = tempo.Scenario.every("2-3 months", name="sporadic")
    >>> table = weigh_rules(
    ...     incidents,
    ...     {"any death": "killed > 0", "ten or more": "munitions >= 10"},
    ...     lambda past: [sporadic, tempo.Scenario.escalation(past)],
    ...     as_of="2020-03-12",
    ...     rng=7,
    ... )
    >>> table["events_since"].to_dict()
    {'any death': 1, 'ten or more': 1}
    """
    if not isinstance(rules, Mapping) or not rules:
        raise ScenarioError(
            "there is no rule. Pass at least one, such as {'any death': 'killed > 0'}."
        )
    if not isinstance(incidents, Incidents):
        raise ScenarioError(
            f"incidents is a {type(incidents).__name__}; expected tempo.Incidents, from which the rules select."
        )
    asked = several(horizons, "horizons", "['30D', '60D']")
    longest = max(asked, key=days_of, default="30D")
    told = () if callable(scenarios) else told_scenarios(scenarios)
    base = incidents if as_of is None else incidents.before(as_of)
    seed = int(resolve(rng).generator.integers(2**63))
    rows = {}
    for name, rule in rules.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndecidedRowsWarning)  # they stand in the table
            past = base.where(rule, label=base.label, allow_empty=True)
        stories = scenarios(past) if callable(scenarios) else [s.about(past) for s in told]
        weights = weigh(past, stories, prior, rng=seed, **options)
        outlook = weights.outlook(longest, draws)
        best = weights.words_table().iloc[0]
        rows[name] = {
            "rule": past.rule,
            "events": len(past),
            "since": weights.since,
            "events_since": weights.counts.events,
            "undecided": len(past.undecided),
            **{f"P({key})": float(value) for key, value in weights.probabilities.items()},
            "best": best["better"],
            "bayes_factor": float(best["bayes_factor"]),
            "strength": best["strength"],
            **{f"P(>=1 in {h})": outlook.probability(1, h) for h in asked},
            "explained": weights.explained,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "counted"
    table.attrs["as_of"] = base.window.end
    return table
