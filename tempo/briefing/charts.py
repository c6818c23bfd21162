"""The charts of a briefing: drawn by `tempo.figures` from the results, kept as vector drawings."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes

from tempo.briefing.analysis import Analysis
from tempo.briefing.layout import Chart
from tempo.briefing.phrases import Noun, day_span, plural
from tempo.figures import (
    plot_forecast,
    plot_impact,
    plot_intensity,
    plot_odds,
    plot_scenarios,
    plot_severity,
    plot_tempo,
    plot_timeline,
    plot_verdict,
)
from tempo.figures.style import caption_of, render
from tempo.models.explain_words import LEAST_EVENTS

__all__ = ["draw_charts"]

#: With fewer lethal attacks a chart of tolls would show the prior.
_FEWEST_LETHAL = 5


def draw_charts(analysis: Analysis) -> dict[str, Chart]:
    """Draw the charts of a briefing.

    Parameters
    ----------
    analysis : Analysis
        The results.

    Returns
    -------
    dict of str to Chart
        ``timeline``, ``tempo``, ``intensity`` (where a Hawkes model was fitted), ``verdict`` (where there are attacks
        enough for one), ``severity`` (where some killed), ``operations`` (where stand-downs were described), ``odds``,
        ``scenarios`` and ``forecast``.
    """
    noun = Noun.of(analysis.past.label)
    window = analysis.past.window
    span = day_span(window.start, window.end)
    ahead = plural(analysis.horizons[-1], "day")
    shifts = analysis.fits.get("Changepoints")
    hawkes = analysis.fits.get("Hawkes")
    wanted: dict[str, tuple[str, Callable[[], Axes]]] = {
        "timeline": (
            f"The {noun.many} of {span}, each on its date.",
            lambda: plot_timeline(analysis.past),
        ),
        "tempo": (
            f"Counts of {noun.many} through time, the rate behind them and where it may have changed.",
            lambda: plot_tempo(analysis.daily, shifts=shifts),
        ),
        "odds": (
            "The probability of each scenario as it stood on each past day.",
            lambda: plot_odds(analysis.weights),
        ),
        "scenarios": (
            f"What each scenario expects of the next {ahead}.",
            lambda: plot_scenarios(analysis.weights, horizon=f"{analysis.horizons[-1]}D"),
        ),
        "forecast": (
            f"Number of {noun.many} in the next {ahead} under the weighted scenarios.",
            lambda: plot_forecast(analysis.mixture),
        ),
    }
    if hawkes is not None:
        wanted["intensity"] = (
            f"The expected number of {noun.many} on each day under self-excitation.",
            lambda: plot_intensity(hawkes),
        )
    verdict, lethality = analysis.verdict, analysis.lethality
    if verdict is not None and verdict.counts.events >= LEAST_EVENTS:
        wanted["verdict"] = (
            f"How probable contagion and a changed baseline are as accounts of the {noun.many}.",
            lambda: plot_verdict(verdict),
        )
    if lethality is not None and int(lethality.tolls.some.sum()) >= _FEWEST_LETHAL:
        wanted["severity"] = (
            f"How many the next {noun.one} may kill.",
            lambda: plot_severity(lethality),
        )
    if analysis.lost is not None:
        lost, _ = analysis.lost
        wanted["operations"] = (
            f"Operating days lost to stand-downs in the next {ahead} under each scenario.",
            lambda: plot_impact(lost),
        )
    return {name: _chart(name, what, draw) for name, (what, draw) in wanted.items()}


def _chart(name: str, what: str, draw: Callable[[], Axes]) -> Chart:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    ax = draw()
    figure = ax.figure
    assert isinstance(figure, Figure)  # a chart drawn without ax has a figure of its own
    try:
        # The caption inside the drawing names rule, cut-off and bands; readers of the alternative text need it too.
        return Chart(name, render(figure, "svg"), f"Chart. {what} {caption_of(ax)}", what)
    finally:
        plt.close(figure)
