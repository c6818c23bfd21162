"""Made-up results for charts: shaped as the real ones, and never changed by a change of a model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.data.counts import Counts, as_counts
from tempo.forecasting.outlook import Outlook, paths_array

mpl.use("Agg")

CUTOFF = pd.Timestamp("2020-03-12")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def make_incidents() -> tempo.Incidents:
    """Thirty attacks of three kinds over ten months, some deadly, some of unknown deaths or dates, and a gap."""
    generator = np.random.Generator(np.random.PCG64(5))
    start = pd.Timestamp("2019-05-01")
    offsets = np.sort(
        np.concatenate([[3, 40, 60, 175], 200 + np.arange(26) * 4 + np.arange(26) % 3])
    )
    dates = start + pd.to_timedelta(offsets, unit="D")
    killed = np.where(np.arange(30) % 11 == 5, 1.0, 0.0)
    killed[[7, 15, 22]] = np.nan
    killed[28] = 3.0
    table = pd.DataFrame(
        {
            "date_start": dates,
            "date_end": dates + pd.to_timedelta(np.where(np.arange(30) % 10 == 8, 14, 0), unit="D"),
            "date_precision": np.where(np.arange(30) % 10 == 8, "week", "day"),
            "kind": np.array(["rocket", "IED", "mortar"])[
                generator.choice(3, 30, p=[0.6, 0.3, 0.1])
            ],
            "killed": killed,
            "place": "Camp Taji",
        }
    )
    window = tempo.Window(start, CUTOFF, gaps=[("2019-08-01", "2019-09-01")])
    return tempo.Incidents(table, window, label="attacks", source="made up", cutoff=CUTOFF)


def make_counts(n_days: int = 316, *, gap: bool = True) -> Counts:
    """Daily counts that end at the cut-off, quiet first and busier in the last third."""
    days = pd.date_range(end=CUTOFF, periods=n_days + 1, freq="1D", unit="us")[:-1]
    place = np.arange(n_days)
    values = ((place % 41 == 7) | ((place > 2 * n_days // 3) & (place % 6 == 1))).astype(float)
    if gap:
        values[n_days // 4 : n_days // 3] = np.nan
    counts = as_counts(pd.Series(values, index=days, name="attacks"))
    counts.rule = "killed > 0 or munitions >= 10"
    return counts


def make_shifts(counts: Counts) -> SimpleNamespace:
    """One gradual change in the last third."""
    n = len(counts)
    share = 1 / (1 + np.exp(-(np.arange(n) - 2 * n / 3) / max(n / 50, 1)))
    rate = 0.03 + 0.14 * share
    change = np.abs(np.diff(share, prepend=share[0])) * 0.8
    columns = {"mean": rate, "low": rate * 0.5, "high": rate * 1.8, "per_day": rate}
    table = pd.DataFrame(columns, index=counts.index)
    unseen = np.isnan(counts.to_numpy(dtype=float))
    table.loc[unseen] = np.nan
    table.attrs["prob"] = 0.9
    first = counts.index[0]
    turn, low, high = (counts.index[int(n * at)] for at in (0.66, 0.58, 0.75))
    segments = pd.DataFrame(
        {"start": [first, turn], "start_low": [first, low], "start_high": [first, high]}
    )
    segments.attrs |= {"prob": 0.9, "n_changes": 1, "p_n_changes": 0.65}
    return SimpleNamespace(
        counts=counts,
        model=SimpleNamespace(observation="poisson"),
        name="Changepoints",
        rate=table,
        segments=segments,
        change_probability=pd.Series(np.where(unseen, np.nan, change), index=counts.index),
        n_changes=pd.Series([0.2, 0.65, 0.15]),
    )


def make_shared(counts: Counts) -> SimpleNamespace:
    """Two series that changed together with one in two."""
    n = len(counts)
    bump = np.exp(-0.5 * ((np.arange(n) - 2 * n / 3) / max(n / 60, 1)) ** 2)
    bump /= bump.sum()
    columns = {"rockets": 0.9 * bump, "roadside bombs": 0.8 * bump, "together": 0.5 * bump}
    accounts = ["neither", "only rockets", "only roadside bombs", "apart", "together"]
    return SimpleNamespace(
        names=("rockets", "roadside bombs"),
        counts=(counts, counts),
        probabilities=pd.Series([0.02, 0.18, 0.08, 0.22, 0.5], index=accounts),
        shared=0.5 / 0.72,
        change_probability=pd.DataFrame(columns, index=counts.index),
    )


def make_watched(counts: Counts) -> tuple[pd.DataFrame, SimpleNamespace]:
    """An alarm that sounds late in the series, and the rule behind it."""
    n = len(counts)
    chance = 1 / (1 + np.exp(-(np.arange(n) - 0.8 * n) / max(n / 40, 1)))
    turn = counts.index[int(0.7 * n)]
    watched = pd.DataFrame(
        {"probability": chance, "alarm": chance > 0.6, "since": turn}, index=counts.index
    )
    rule = SimpleNamespace(
        usual_rate=0.05, ratio=3.0, false_alarm_bins=365.0, dispersion=0.0, threshold=0.6
    )
    return watched, rule


def make_severity(n: int = 60) -> SimpleNamespace:
    """Sixty deadly attacks that become twice as deadly."""
    dates = pd.date_range(end=CUTOFF - pd.Timedelta("1D"), periods=n, freq="5D", unit="us")
    place = np.arange(n)
    share = 1 / (1 + np.exp(-(place - n / 2) / 2))
    typical = 2.0 * np.exp(share * np.log(2))
    table = pd.DataFrame(
        {"deaths": typical, "low": 0.7 * typical, "high": 1.5 * typical}, index=dates
    )
    table.attrs["prob"] = 0.9
    segments = pd.DataFrame(
        {
            "start": dates[[0, n // 2]],
            "start_low": dates[[0, n // 2 - 3]],
            "start_high": dates[[0, n // 2 + 2]],
        }
    )
    segments.attrs |= {"prob": 0.9, "n_changes": 1, "p_n_changes": 0.6}
    days = pd.date_range(dates[0], dates[-1], freq="1D", unit="us")
    counts = as_counts(pd.Series(days.isin(dates).astype(int), index=days, name="attacks"))
    counts.rule = "killed > 0"
    chance = np.abs(np.diff(share, prepend=share[0]))
    return SimpleNamespace(
        counts=counts,
        model=SimpleNamespace(observation="severity"),
        name="Changepoints",
        rate=table,
        segments=segments,
        events=pd.DataFrame({"start": dates, "value": np.log(1.0 + place % 7)}),
        change_probability=pd.Series(chance, index=dates),
        n_changes=pd.Series([0.3, 0.6, 0.1]),
    )


def make_outlook(
    rate: float = 0.12,
    n_days: int = 90,
    *,
    name: str = "Hawkes",
    label: str = "attacks",
    rule: str = "killed > 0 or munitions >= 10",
) -> Outlook:
    """Futures with an uncertain constant rate, without any random number."""
    levels = rate * np.exp(np.linspace(-1.0, 1.0, 401))
    phases = np.arange(401) * 0.618034 % 1  # spread evenly, in no order
    steps = np.arange(1, n_days + 1)
    totals = np.floor(levels[:, None] * steps + phases[:, None])
    paths = np.diff(totals, axis=1, prepend=0.0).astype(np.int64)
    starts = pd.date_range(CUTOFF, periods=n_days, freq="1D", unit="us")
    return Outlook(paths_array(paths, starts), name, label, rule, CUTOFF, np.ones(n_days), "none")


def make_hawkes(counts: Counts) -> SimpleNamespace:
    """A constant baseline and an excitation that fades within a month."""
    state, triggered = 0.0, []
    for value in np.nan_to_num(counts.to_numpy(dtype=float)):
        triggered.append(0.4 * state)
        state = 0.9 * state + 0.1 * value
    total = 0.04 + np.array(triggered)
    table = pd.DataFrame(
        {
            "intensity": total,
            "low": 0.6 * total,
            "high": 1.6 * total,
            "baseline": 0.04,
            "triggered": triggered,
        },
        index=counts.index,
    )
    table.attrs["prob"] = 0.9
    return SimpleNamespace(counts=counts, name="Hawkes", intensity=lambda: table)


class MadeUpWeights:
    """Two scenarios whose odds turn over, with the attributes of Weights that charts read."""

    def __init__(
        self, names: tuple[str, ...] = ("sporadic", "escalation"), label: str = "attacks"
    ) -> None:
        self.counts = make_counts(60, gap=False)
        self.counts.label = label
        self.since = self.counts.bin_starts[0]
        self.names = names
        rest = (1 - 0.7) / max(len(names) - 1, 1)
        self.prior = pd.Series([0.7] + [rest] * (len(names) - 1), index=list(names))
        last = self.history().iloc[-1]
        self.probabilities = pd.Series(last.to_numpy(), index=list(names))

    def history(self) -> pd.DataFrame:
        dates = pd.date_range(self.since, self.counts.end, freq="1D", unit="us")
        first = 0.7 - 0.5 / (1 + np.exp(-(np.arange(len(dates)) - 40) / 4))
        others = len(self.names) - 1
        columns = np.column_stack([first, *[(1 - first) / others] * others])
        return pd.DataFrame(columns, index=dates, columns=list(self.names))

    def indicators(self, horizon: str = "60D") -> pd.DataFrame:
        n = np.arange(30)
        first = 1 / (1 + np.exp(n - 2.5))
        others = len(self.names) - 1
        chance = 0.25 * 0.75**n
        data = {("chance", name): chance for name in self.names}
        data[("chance", "any")] = chance
        data[("probability", self.names[0])] = first
        data |= {("probability", name): (1 - first) / others for name in self.names[1:]}
        table = pd.DataFrame(data, index=pd.Index(n, name="attacks"))
        table.attrs["by"] = self.counts.end + pd.Timedelta(horizon)
        return table

    def outlooks(self, horizon: str = "90D") -> dict[str, Outlook]:
        days = pd.Timedelta(horizon).days
        return {
            name: make_outlook(0.012 * 6**i, days, name=name, label=self.counts.label)
            for i, name in enumerate(self.names)
        }

    def outlook(self, horizon: str = "90D") -> Outlook:
        return make_outlook(
            0.04, pd.Timedelta(horizon).days, name="scenario mixture", label=self.counts.label
        )


@pytest.fixture(scope="session")
def drawings() -> dict[str, Callable[..., mpl.axes.Axes]]:
    """Every chart, ready to be drawn from made-up results: ``drawings[name](ax=None)``."""
    from tempo import figures

    counts = make_counts()
    weights = MadeUpWeights()
    return {
        "timeline": lambda ax=None: figures.plot_timeline(make_incidents(), ax=ax),
        "tempo": lambda ax=None: figures.plot_tempo(
            counts, shifts=make_shifts(counts), outlook=make_outlook(), ax=ax
        ),
        "counts": lambda ax=None: figures.plot_tempo(counts, ax=ax),
        "n_changes": lambda ax=None: figures.plot_n_changes(make_shifts(counts), ax=ax),
        "deadliness": lambda ax=None: figures.plot_deadliness(make_severity(), ax=ax),
        "shared": lambda ax=None: figures.plot_shared_changes(make_shared(counts), ax=ax),
        "alarm": lambda ax=None: figures.plot_alarm(counts, *make_watched(counts), ax=ax),
        "intensity": lambda ax=None: figures.plot_intensity(make_hawkes(counts), ax=ax),
        "forecast": lambda ax=None: figures.plot_forecast(make_outlook(), ax=ax),
        "odds": lambda ax=None: figures.plot_odds(weights, ax=ax),
        "scenarios": lambda ax=None: figures.plot_scenarios(weights, ax=ax),
        "indicators": lambda ax=None: figures.plot_indicators(weights, ax=ax),
    }


@pytest.fixture(scope="session")
def drawn(drawings) -> Callable[[str], mpl.axes.Axes]:
    """One finished drawing of each chart, for tests that only look: ``drawn(name)``."""
    return functools.cache(lambda name: drawings[name]())


@pytest.fixture(scope="session")
def made_up() -> SimpleNamespace:
    """The makers of made-up results."""
    return SimpleNamespace(
        incidents=make_incidents,
        counts=make_counts,
        shifts=make_shifts,
        shared=make_shared,
        watched=make_watched,
        severity=make_severity,
        outlook=make_outlook,
        hawkes=make_hawkes,
        weights=MadeUpWeights,
        cutoff=CUTOFF,
    )


def words_on(figure: mpl.figure.Figure) -> list[tuple[str, mpl.transforms.Bbox]]:
    """Give every text that is drawn, with its box in pixels, line by line."""
    figure.draw_without_rendering()
    drawn = _drawn(figure)
    return [
        (artist.get_text(), artist.get_window_extent())
        for artist in figure.findobj(mpl.text.Text)
        if artist.get_visible() and artist.get_text().strip() and artist in drawn
    ]


def _drawn(figure: mpl.figure.Figure) -> set[mpl.artist.Artist]:
    """Texts that belong to the drawing: not tick labels outside the limits, not labels of hidden axes."""
    kept: set[mpl.artist.Artist] = set()
    axes = list(figure.axes) + [child for ax in figure.axes for child in ax.child_axes]
    for ax in axes:
        kept |= set(ax.texts)
        legend = ax.get_legend()
        if legend is not None:
            kept |= set(legend.get_texts())
        if ax.axison:
            for axis in (ax.xaxis, ax.yaxis):
                low, high = sorted(axis.get_view_interval())
                kept |= {
                    tick.label1
                    for tick in axis.get_major_ticks()
                    if low - 1e-9 <= tick.get_loc() <= high + 1e-9 and tick.label1.get_visible()
                }
    return kept


@pytest.fixture(scope="session")
def assert_readable() -> Callable[[mpl.axes.Axes], None]:
    """Check that no words run into each other and none leaves the paper."""

    def check(ax: mpl.axes.Axes) -> None:
        figure = ax.get_figure(root=True)
        words = words_on(figure)
        paper = figure.bbox
        for text, box in words:
            assert paper.x0 - 2 <= box.x0, f"{text!r} leaves the paper on the left"
            assert box.x1 <= paper.x1 + 2, f"{text!r} leaves the paper on the right"
            assert paper.y0 - 2 <= box.y0, f"{text!r} leaves the paper below"
            assert box.y1 <= paper.y1 + 2, f"{text!r} leaves the paper above"
        for i, (text, box) in enumerate(words):
            for other, rival in words[i + 1 :]:
                across = min(box.x1, rival.x1) - max(box.x0, rival.x0)
                along = min(box.y1, rival.y1) - max(box.y0, rival.y0)
                assert min(across, along) < 1.5, f"{text!r} runs into {other!r}"

    return check
