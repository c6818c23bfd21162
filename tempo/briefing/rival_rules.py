"""The same question under other counting rules, because the rule decides more than the model does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tempo.briefing.default_scenarios import default_scenarios
from tempo.data.incidents import Incidents
from tempo.data.rules import parse_rule
from tempo.errors import RuleError
from tempo.forecasting.outlook import forecast
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.weighing import weigh

__all__ = ["EVERY", "EVERY_ROW", "default_rules", "under_rules"]

#: Name of the rule that counts all rows.
EVERY = "every incident"

#: The counting rule of incidents that nobody has selected from.
EVERY_ROW = "every row"

_NO_SIZE = {
    "latitude",
    "longitude",
    "year",
    "date",
    "id",
    "date_prec",
    "where_prec",
    "type_of_violence",
}


def default_rules(incidents: Incidents) -> dict[str, str]:
    """Give the counting rules that the columns of the data allow.

    Parameters
    ----------
    incidents : Incidents
        All rows.

    Returns
    -------
    dict of str to str
        Rule by name: any death, a coalition death, ten or more munitions or any death.
    """
    table = incidents.table
    have = {name for name in table.columns if table[name].notna().any()}
    rules: dict[str, str] = {}
    if "killed" in have:
        rules["any death"] = "killed > 0"
    if "killed_coalition" in have:
        rules["a coalition death"] = "killed_coalition > 0"
    if "munitions" in have:
        rules["ten or more munitions"] = "munitions >= 10"
    if {"munitions", "killed"} <= have:
        rules["any death, or ten or more munitions"] = "killed > 0 or munitions >= 10"
    return rules


def kept_clauses(rule: str, incidents: Incidents) -> list[str] | None:
    """Give the clauses of a counting rule on place, actor, kind or date, which a rival definition leaves as they are.

    Parameters
    ----------
    rule : str
        Of what the briefing counts.
    incidents : Incidents
        All rows, which say what the columns hold.

    Returns
    -------
    list of str or None
        Each as a rule; None where a clause mixes them with numbers, or the rule is no text that can be taken apart.
    """
    if rule == EVERY_ROW:
        return []
    try:
        clauses = parse_rule(rule).clauses
    except RuleError:  # a mask, or a rule with a note on undecided rows
        return None
    kept = []
    for text, columns in clauses:
        of_size = {name for name in columns if _is_size(name, incidents.table)}
        if of_size and of_size != columns:
            return None
        if not of_size:
            kept.append(f"({text})")
    return kept


def _is_size(name: str, table: pd.DataFrame) -> bool:
    """Whether a column says how heavy an attack was: a number that is no place, date or code of one."""
    if name not in table.columns or name in _NO_SIZE:
        return False
    return pd.api.types.is_numeric_dtype(table[name].dtype) and not name.endswith(
        ("_id", "_prec", "year")
    )


def under_rules(
    past: Incidents,
    incidents: Incidents | None,
    rules: Mapping[str, str] | None,
    cut: pd.Timestamp,
    horizons: tuple[int, ...],
    *,
    scenarios: Sequence[Scenario] | None,
    prior: Sequence[float] | None,
    rng: np.random.Generator,
) -> pd.DataFrame | None:
    """Answer the question again under other counting rules.

    Parameters
    ----------
    past : Incidents
        What the briefing counts.
    incidents : Incidents or None
        All rows before the counting rule was applied.
    rules : mapping of str to str or None
        Other rules by name; `default_rules` where None.
    cut : pandas.Timestamp
        The as-of date.
    horizons : tuple of int
        In days.
    scenarios : sequence of Scenario or None
        As for the briefing itself: a stated rate stays, an escalation starts from the earlier rate of each group.
    prior : sequence of float or None
        Probability of each scenario before the data.
    rng : numpy.random.Generator
        Draws the forecasts.

    Returns
    -------
    pandas.DataFrame or None
        One row for each rule; None where no other rule can be applied, or a scenario continues a fit.
    """
    from tempo.models.constant import ConstantRate

    if incidents is None and past.rule == EVERY_ROW:
        incidents = past
    if incidents is None or any(scenario.continues_fit for scenario in scenarios or ()):
        return None
    base = incidents.before(cut)
    if rules is None:  # rivals say otherwise what is heavy, never where, who or how
        kept = kept_clauses(past.rule, base)
        if kept is None:
            return None
        if kept:
            base = base.where(" and ".join(kept), label=past.label, allow_empty=True)
    others = default_rules(base) if rules is None else dict(rules)
    groups = {EVERY: base} if base.rule != past.rule else {}
    for name, rule in others.items():
        chosen = base.where(rule, label=past.label, allow_empty=True)
        if chosen.rule != past.rule:
            groups[name] = chosen
    rows = []
    for name, group in groups.items():
        accounts = (
            default_scenarios(group)
            if scenarios is None
            else [scenario.about(group) for scenario in scenarios]
        )
        mixture = weigh(group, accounts, prior=prior, rng=rng).outlook(f"{horizons[-1]}D")
        constant = forecast(ConstantRate().fit(group, rng=rng), f"{horizons[-1]}D", rng=rng)
        last = group.table["date_start"].max() if len(group) else pd.NaT
        row: dict[str, object] = {
            "name": name,
            "rule": group.rule,
            "events": len(group),
            "undecided": len(group.undecided),
            "last": last,
            "constant": constant.probability(1, f"{horizons[-1]}D"),
        }
        row |= {f"probability_{h}": mixture.probability(1, f"{h}D") for h in horizons}
        rows.append(row)
    return pd.DataFrame(rows) if rows else None
