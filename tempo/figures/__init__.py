"""Charts: each takes computed results and an optional Axes, and returns Axes."""

from tempo.figures.alarm import plot_alarm
from tempo.figures.changes import plot_deadliness, plot_n_changes
from tempo.figures.fan import plot_forecast
from tempo.figures.impact import plot_impact
from tempo.figures.intensity import plot_intensity
from tempo.figures.intent import plot_intent
from tempo.figures.regimes import plot_regimes
from tempo.figures.scenarios import plot_indicators, plot_odds, plot_scenarios
from tempo.figures.severity import plot_severity
from tempo.figures.shared import plot_shared_changes
from tempo.figures.story import plot_story
from tempo.figures.style import caption_of, render
from tempo.figures.tempo_chart import plot_tempo
from tempo.figures.timeline import plot_timeline
from tempo.figures.triggering import plot_triggering
from tempo.figures.verdict import plot_verdict

__all__ = [
    "caption_of",
    "plot_alarm",
    "plot_deadliness",
    "plot_forecast",
    "plot_impact",
    "plot_indicators",
    "plot_intensity",
    "plot_intent",
    "plot_n_changes",
    "plot_odds",
    "plot_regimes",
    "plot_scenarios",
    "plot_severity",
    "plot_shared_changes",
    "plot_story",
    "plot_tempo",
    "plot_timeline",
    "plot_triggering",
    "plot_verdict",
    "render",
]
