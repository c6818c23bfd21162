"""Charts: each takes computed results and an optional Axes, and returns Axes."""

from tempo.figures.timeline import plot_timeline

__all__ = ["plot_timeline"]
