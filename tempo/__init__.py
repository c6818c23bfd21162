"""tempo: how often attacks come, how deadly they are, whether the pattern changed, and what comes next.

Names are resolved on first use (PEP 562), so that ``import tempo`` is instant: it loads neither pandas, PyMC nor
matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

#: Public name -> the module that holds it.
_HOME = {
    "Alarm": "tempo.models.changepoint_alarm",
    "Changepoints": "tempo.models.changepoints",
    "ConstantRate": "tempo.models.constant",
    "Counts": "tempo.data.counts",
    "DoseResponse": "tempo.forecasting.impact_response",
    "Hawkes": "tempo.models.hawkes",
    "HawkesKinds": "tempo.models.hawkes_kinds",
    "Incidents": "tempo.data.incidents",
    "Intent": "tempo.models.intent",
    "Killed": "tempo.forecasting.killed",
    "Lethality": "tempo.models.lethality",
    "OperationsTotals": "tempo.forecasting.impact_totals",
    "Outlook": "tempo.forecasting.outlook",
    "Pauses": "tempo.forecasting.impact_pauses",
    "Phase": "tempo.forecasting.phases",
    "Regimes": "tempo.models.regimes",
    "ReportingDelay": "tempo.data.reporting",
    "Scenario": "tempo.forecasting.scenarios",
    "StandDown": "tempo.forecasting.impact_standdown",
    "Verdict": "tempo.models.explain_verdict",
    "Weights": "tempo.forecasting.weights",
    "Window": "tempo.data.window",
    "check_file": "tempo.data.readers",
    "concat": "tempo.data.incidents",
    "explain": "tempo.models.explain",
    "forecast": "tempo.forecasting.outlook",
    "forecast_kinds": "tempo.forecasting.kinds",
    "impact": "tempo.forecasting.impact",
    "intervene": "tempo.forecasting.interventions",
    "list_datasets": "tempo.data.library",
    "load_dataset": "tempo.data.library",
    "load_table": "tempo.data.library",
    "plot_alarm": "tempo.figures",
    "plot_deadliness": "tempo.figures",
    "plot_forecast": "tempo.figures",
    "plot_impact": "tempo.figures",
    "plot_indicators": "tempo.figures",
    "plot_intensity": "tempo.figures",
    "plot_intent": "tempo.figures",
    "plot_n_changes": "tempo.figures",
    "plot_odds": "tempo.figures",
    "plot_regimes": "tempo.figures",
    "plot_scenarios": "tempo.figures",
    "plot_severity": "tempo.figures",
    "plot_shared_changes": "tempo.figures",
    "plot_story": "tempo.figures",
    "plot_tempo": "tempo.figures",
    "plot_timeline": "tempo.figures",
    "plot_triggering": "tempo.figures",
    "plot_verdict": "tempo.figures",
    "read_counts": "tempo.data.counts_reader",
    "read_incidents": "tempo.data.readers",
    "read_scenarios": "tempo.forecasting.scenario_files",
    "reporting_delay": "tempo.data.reporting",
    "shared_changes": "tempo.models.changepoint_shared",
    "weigh": "tempo.forecasting.weighing",
    "weigh_rules": "tempo.forecasting.weigh_rules",
    "write_briefing": "tempo.briefing.pdf",
    "write_scenarios": "tempo.forecasting.scenario_files",
}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - names of the table above

if TYPE_CHECKING:
    from tempo.briefing.pdf import write_briefing as write_briefing
    from tempo.data.counts import Counts as Counts
    from tempo.data.counts_reader import read_counts as read_counts
    from tempo.data.incidents import Incidents as Incidents
    from tempo.data.incidents import concat as concat
    from tempo.data.library import list_datasets as list_datasets
    from tempo.data.library import load_dataset as load_dataset
    from tempo.data.library import load_table as load_table
    from tempo.data.readers import check_file as check_file
    from tempo.data.readers import read_incidents as read_incidents
    from tempo.data.reporting import ReportingDelay as ReportingDelay
    from tempo.data.reporting import reporting_delay as reporting_delay
    from tempo.data.window import Window as Window
    from tempo.figures import plot_alarm as plot_alarm
    from tempo.figures import plot_deadliness as plot_deadliness
    from tempo.figures import plot_forecast as plot_forecast
    from tempo.figures import plot_impact as plot_impact
    from tempo.figures import plot_indicators as plot_indicators
    from tempo.figures import plot_intensity as plot_intensity
    from tempo.figures import plot_intent as plot_intent
    from tempo.figures import plot_n_changes as plot_n_changes
    from tempo.figures import plot_odds as plot_odds
    from tempo.figures import plot_regimes as plot_regimes
    from tempo.figures import plot_scenarios as plot_scenarios
    from tempo.figures import plot_severity as plot_severity
    from tempo.figures import plot_shared_changes as plot_shared_changes
    from tempo.figures import plot_story as plot_story
    from tempo.figures import plot_tempo as plot_tempo
    from tempo.figures import plot_timeline as plot_timeline
    from tempo.figures import plot_triggering as plot_triggering
    from tempo.figures import plot_verdict as plot_verdict
    from tempo.forecasting.impact import impact as impact
    from tempo.forecasting.impact_pauses import Pauses as Pauses
    from tempo.forecasting.impact_response import DoseResponse as DoseResponse
    from tempo.forecasting.impact_standdown import StandDown as StandDown
    from tempo.forecasting.impact_totals import OperationsTotals as OperationsTotals
    from tempo.forecasting.interventions import intervene as intervene
    from tempo.forecasting.killed import Killed as Killed
    from tempo.forecasting.kinds import forecast_kinds as forecast_kinds
    from tempo.forecasting.outlook import Outlook as Outlook
    from tempo.forecasting.outlook import forecast as forecast
    from tempo.forecasting.phases import Phase as Phase
    from tempo.forecasting.scenario_files import read_scenarios as read_scenarios
    from tempo.forecasting.scenario_files import write_scenarios as write_scenarios
    from tempo.forecasting.scenarios import Scenario as Scenario
    from tempo.forecasting.weigh_rules import weigh_rules as weigh_rules
    from tempo.forecasting.weighing import weigh as weigh
    from tempo.forecasting.weights import Weights as Weights
    from tempo.models.changepoint_alarm import Alarm as Alarm
    from tempo.models.changepoint_shared import shared_changes as shared_changes
    from tempo.models.changepoints import Changepoints as Changepoints
    from tempo.models.constant import ConstantRate as ConstantRate
    from tempo.models.explain import explain as explain
    from tempo.models.explain_verdict import Verdict as Verdict
    from tempo.models.hawkes import Hawkes as Hawkes
    from tempo.models.hawkes_kinds import HawkesKinds as HawkesKinds
    from tempo.models.intent import Intent as Intent
    from tempo.models.lethality import Lethality as Lethality
    from tempo.models.regimes import Regimes as Regimes


def __getattr__(name: str) -> object:
    try:
        home = _HOME[name]
    except KeyError:
        msg = f"module 'tempo' has no attribute {name!r}"
        raise AttributeError(msg) from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
