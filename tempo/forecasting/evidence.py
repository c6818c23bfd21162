"""Evidence of a scenario: how probable it made what was observed, draw by draw and day by day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.forecasting.judged import Judged
from tempo.forecasting.scenarios import GammaRate, Scenario
from tempo.forecasting.stories import Story
from tempo.forecasting.story_draws import nearer
from tempo.forecasting.story_kernels import add_evidence, day_terms, excitation

__all__ = [
    "LEAST_ESS",
    "Account",
    "Told",
    "account_of",
    "before_data",
    "blocks",
    "curve_of",
    "steady_evidence",
]

type Floats = NDArray[np.float64]

LEAST_ESS = 200.0
_DRAWS = 8192  # a power of two, as the Sobol sequence likes
_BLOCK = 2**20  # numbers to hold at a time, whatever the number of draws and days
_NONE = np.empty((0, 0))
_NO = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A story as the compiled loops want it: an empty array where something is no part of it.

    Its ``rate`` is that of reported attacks.
    """

    story: Story
    rate: Floats
    branching: Floats
    decay: Floats
    dispersion: Floats

    @property
    def plain(self) -> bool:
        """Whether the days are Poisson and independent, given the draw."""
        return not self.branching.size and not self.dispersion.size


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """One scenario, its draws, and how well each agrees with what was observed.

    Attributes
    ----------
    scenario : Scenario
        The story.
    levels : ndarray of float, shape (draws, k)
        Its draws.
    dispersion : ndarray of float, shape (draws,), or None
        Overdispersion of a day's number, where the story itself states none.
    reported : ndarray of float, shape (draws,), or None
        Share of all attacks that is ever reported; None: all.
    as_reported : bool or None
        Whether all rates of the story are of the reported attacks (True) or of all attacks (False); None: those that
        were learned from the record are of the reported ones.
    log_weights : ndarray of float, shape (draws,)
        Log-likelihood of each draw at the end of the data, and what undoes a preference in drawing.
    log_evidence : ndarray of float, shape (days + 1,)
        Before the first day and after each day.
    series_weights : ndarray of float, shape (draws, series)
        Probability of each draw of the dates, given the draw of the story.
    state : ndarray of float, shape (draws, series), or None
        What reported attacks have left by the end of the data; None where attacks have no offspring.
    """

    scenario: Scenario
    levels: Floats
    dispersion: Floats | None
    reported: Floats | None
    as_reported: bool | None
    log_weights: Floats
    log_evidence: Floats
    series_weights: Floats
    state: Floats | None

    @property
    def weights(self) -> Floats:
        """Posterior probability of each draw; all alike where the data are impossible under each of them."""
        if np.isneginf(self.log_weights).all():
            return np.full(len(self.log_weights), 1.0 / len(self.log_weights))
        return np.asarray(special.softmax(self.log_weights))

    @property
    def effective_draws(self) -> float:
        """How many equally weighted draws say as much."""
        return float(1.0 / np.sum(self.weights**2))

    def told(self, rows: slice | NDArray[np.int64], days: pd.DatetimeIndex) -> Told:
        """Tell the story of some draws about some days.

        Parameters
        ----------
        rows : slice or ndarray of int
            Which draws.
        days : pandas.DatetimeIndex
            Which days.

        Returns
        -------
        Told
            With the account's own dispersion where the story states none.
        """
        return _told(
            self.scenario,
            self.levels[rows],
            days,
            None if self.dispersion is None else self.dispersion[rows],
            None if self.reported is None else self.reported[rows],
            self.as_reported,
        )

    def picked(
        self, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], Floats | None]:
        """Draw from what the observed days leave of the story.

        Parameters
        ----------
        size : int
            How many.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        rows : ndarray of int, shape (size,)
            Draws, by their weight.
        state : ndarray of float, shape (size,), or None
            What earlier reported attacks have left.
        """
        rows = rng.choice(len(self.levels), size=size, p=self.weights)
        if self.state is None:
            return rows, None
        if self.state.shape[1] == 1:
            return rows, self.state[rows, 0]
        edges = np.cumsum(self.series_weights[rows], axis=1)
        series = (rng.random(size)[:, None] * edges[:, -1:] > edges).sum(axis=1)
        return rows, self.state[rows, np.minimum(series, edges.shape[1] - 1)]

    def spread(
        self, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], Floats, Floats | None]:
        """Give draws of what the observed days leave of the story, evenly spread over it.

        Parameters
        ----------
        size : int
            About how many: each draw comes as often as its weight asks for, up or down to a whole number, and once
            with that number for its weight (systematic resampling). All draws where there are no more.
        rng : numpy.random.Generator
            Places the grid.

        Returns
        -------
        rows : ndarray of int, shape (m,)
            Draws, at most ``size`` of them.
        worth : ndarray of float, shape (m,)
            Their weights, with sum 1.
        state : ndarray of float, shape (m,), or None
            What earlier reported attacks have left.
        """
        series = 1 if self.state is None else self.state.shape[1]
        weights = self.weights[:, None] * (self.series_weights if series > 1 else 1.0)
        whole = weights.ravel() / weights.sum()
        if size >= len(whole):
            places = np.flatnonzero(whole > 0)
            worth = whole[places]
        else:
            levels = (rng.random() + np.arange(size)) / size
            found = np.searchsorted(np.cumsum(whole), levels)
            places, copies = np.unique(np.minimum(found, len(whole) - 1), return_counts=True)
            worth = copies / size
        rows = places // series
        state = None if self.state is None else self.state[rows, places % series]
        return rows, worth / worth.sum(), state


def _told(
    scenario: Scenario,
    levels: Floats,
    days: pd.DatetimeIndex,
    dispersion: Floats | None,
    reported: Floats | None,
    as_reported: bool | None,
) -> Told:
    story = scenario.story(levels, days)
    if story.shares is not None:  # in the order in which kinds are counted
        order = np.argsort(scenario.kinds)
        if (order != np.arange(len(order))).any():
            story = replace(story, shares=story.shares[:, :, order])
    spread = dispersion if story.dispersion is None else story.dispersion
    rate = story.rate
    if reported is not None and not as_reported:
        share = reported[:, None]
        if as_reported is None and story.learned is not None:
            share = np.where(story.learned, 1.0, share)
        rate = rate * share
    return Told(
        story=story,
        rate=np.ascontiguousarray(rate, dtype=float),
        branching=_NONE
        if story.branching is None
        else np.ascontiguousarray(story.branching, dtype=float),
        decay=_NO if story.decay is None else np.ascontiguousarray(story.decay, dtype=float),
        dispersion=_NO if spread is None else np.ascontiguousarray(spread, dtype=float),
    )


def account_of(
    scenario: Scenario,
    judged: Judged,
    stream: np.random.Generator,
    *,
    dispersion: Floats | None = None,
    reported: Floats | None = None,
    as_reported: bool | None = None,
    near: Account | None = None,
) -> Account:
    """Weigh one scenario.

    Parameters
    ----------
    scenario : Scenario
        The story.
    judged : Judged
        The days that judge.
    stream : numpy.random.Generator
        Draws the story.
    dispersion, reported : ndarray of float or None
        Equally probable values, in ascending order, of what the story leaves open; each draw gets one.
    as_reported : bool or None
        Whether all rates of the story are of the reported attacks (True) or of all attacks (False); None: those that
        were learned from the record are of the reported ones.
    near : Account, optional
        What an earlier attempt gave: most draws are then made where it agreed with the data.

    Returns
    -------
    Account
        Draws, weights and evidence. A steady rate of which hardly a draw agrees with the data is drawn again from its
        posterior, which is known.
    """
    levels = scenario.draw(_DRAWS if near is None else 2 * _DRAWS, stream)
    steady = scenario.steady
    whole = steady is not None and bool(steady.learned if as_reported is None else as_reported)
    if steady is None or dispersion is not None or (reported is not None and not whole):
        log_ratio = np.zeros(len(levels))
        if near is not None:
            levels, log_ratio = nearer(near.levels, near.log_weights, levels)
        return _weighed(
            scenario,
            judged,
            levels,
            log_ratio,
            _spread_over(dispersion, len(levels), stream),
            _spread_over(reported, len(levels), stream),
            as_reported,
        )
    return _weighed_steady(
        scenario, steady, judged, levels, _spread_over(reported, len(levels), stream), as_reported
    )


def before_data(account: Account, draws: int, rng: np.random.Generator) -> Account:
    """Give the account as it was before the data: fresh draws of the story, all alike.

    Parameters
    ----------
    account : Account
        The scenario.
    draws : int
        How many.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    Account
        Without anything observed.
    """
    levels = account.scenario.draw(draws, rng)
    draws = len(levels)

    def again(values: Floats | None) -> Floats | None:
        return None if values is None else _spread_over(np.sort(values), draws, rng)

    return replace(
        account,
        levels=levels,
        dispersion=again(account.dispersion),
        reported=again(account.reported),
        log_weights=np.zeros(draws),
        log_evidence=np.zeros(1),
        series_weights=np.ones((draws, 1)),
        state=None,
    )


def _spread_over(values: Floats | None, draws: int, stream: np.random.Generator) -> Floats | None:
    """Give each draw one of the values, all alike often, in random order."""
    if values is None:
        return None
    return values[stream.permutation(draws) * len(values) // draws]


def curve_of(draws: int, curves: int) -> NDArray[np.int64]:
    """Give each draw a curve, in an order that has nothing to do with that of evenly spread draws.

    Parameters
    ----------
    draws, curves : int
        How many.

    Returns
    -------
    ndarray of int, shape (draws,)
        Each curve as often as another, or once more.

    Examples
    --------
    >>> np.bincount(curve_of(10, 3)).tolist()
    [4, 3, 3]
    """
    if curves == 1:
        return np.zeros(draws, dtype=np.int64)
    return np.random.default_rng(0).permutation(draws) % curves


def _weighed(
    scenario: Scenario,
    judged: Judged,
    levels: Floats,
    log_ratio: Floats,
    dispersion: Floats | None,
    reported: Floats | None,
    as_reported: bool | None,
) -> Account:
    days, (n_series, n) = judged.days, judged.values.shape
    n_draws, curves = len(levels), len(judged.exposure)
    log_weights = log_ratio[:, None] + judged.log_share
    peak, total = np.full(n, -np.inf), np.zeros(n)
    states: list[Floats] = []
    curve = curve_of(n_draws, curves)
    for block in blocks(n_draws, n):
        told = _told(
            scenario,
            levels[block],
            days,
            None if dispersion is None else dispersion[block],
            None if reported is None else reported[block],
            as_reported,
        )
        size = len(told.rate)
        excited = bool(told.branching.size)
        state = np.zeros((n_series, size))
        terms: Floats | None = None
        for s in range(n_series):
            out = np.empty((size, n))
            if excited:
                excitation(judged.lead[s], told.decay, state[s])
            day_terms(
                told.rate,
                told.branching,
                told.decay,
                told.dispersion,
                judged.values[s],
                judged.exposure,
                judged.hidden,
                curve[block],
                state[s],
                out,
            )
            marks = judged.mark_terms(told.story, s)
            if marks is not None:
                out += marks
            out += log_ratio[block, None] + judged.log_share[s]
            if n:
                log_weights[block, s] = out[:, -1]
            terms = out if terms is None else np.logaddexp(terms, out)
        assert terms is not None
        add_evidence(terms, peak, total)
        if excited:
            states.append(state.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.where(total > 0, peak + np.log(total), -np.inf)
    evidence -= np.log(n_draws)
    by_draw = np.asarray(special.logsumexp(log_weights, axis=1))
    with np.errstate(invalid="ignore"):
        shares = np.exp(log_weights - by_draw[:, None])
    return Account(
        scenario=scenario,
        levels=levels,
        dispersion=dispersion,
        reported=reported,
        as_reported=as_reported,
        log_weights=by_draw,
        log_evidence=np.concatenate([[0.0], evidence]),
        series_weights=np.nan_to_num(shares, nan=1.0 / n_series),
        state=np.concatenate(states) if states else None,
    )


def _weighed_steady(
    scenario: Scenario,
    rate: GammaRate,
    judged: Judged,
    levels: Floats,
    reported: Floats | None,
    as_reported: bool | None,
) -> Account:
    """Weigh a constant Gamma rate in closed form: exact also where hardly a draw agrees with the data."""
    n_series, n = judged.values.shape
    values = np.where((judged.exposure > 0).all(axis=0), judged.values, 0.0)
    exact = np.array(
        [
            steady_evidence(rate, values[s], exposure)
            + judged.default_marks(s)
            + judged.log_share[s]
            for s in range(n_series)
            for exposure in judged.exposure
        ]
    ).reshape(n_series, len(judged.exposure), n)
    evidence = np.asarray(
        np.logaddexp.reduce(exact.reshape(n_series * len(judged.exposure), n), axis=0)
    )
    evidence -= np.log(len(judged.exposure))
    events, days = values.sum(axis=1), judged.exposure.sum(axis=1)
    ends = exact[:, :, -1] if n else np.zeros(exact.shape[:2])

    def weighed(levels: Floats, log_weights: Floats) -> Account:
        by_draw = np.asarray(special.logsumexp(log_weights, axis=1))
        return Account(
            scenario=scenario,
            levels=levels,
            dispersion=None,
            reported=reported,
            as_reported=as_reported,
            log_weights=by_draw,
            log_evidence=np.concatenate([[0.0], evidence]),
            series_weights=np.exp(log_weights - by_draw[:, None]),
            state=None,
        )

    per_day = rate.quantile(levels[:, 0])
    curve = curve_of(len(levels), len(days))
    constant = np.array(
        [
            special.xlogy(values[s], np.where(values[s] > 0, exposure, 1.0)).sum()
            - special.gammaln(values[s] + 1).sum()
            + (judged.default_marks(s)[-1] if n else 0.0)
            + judged.log_share[s]
            for s in range(n_series)
            for exposure in judged.exposure
        ]
    ).reshape(n_series, len(days))
    log_weights = (
        events * np.log(per_day)[:, None] - (per_day * days[curve])[:, None] + constant[:, curve].T
    )
    account = weighed(levels, log_weights)
    if account.effective_draws >= LEAST_ESS or not n:
        return account
    # The posterior is a mixture of Gamma distributions: each draw belongs to one series and one curve.
    share = special.softmax(ends.ravel())
    part = np.searchsorted(np.cumsum(share), (np.arange(len(levels)) + 0.5) / len(levels))
    series, of_curve = np.unravel_index(np.minimum(part, share.size - 1), ends.shape)
    posterior = stats.gamma.ppf(
        levels[:, 0], rate.shape + events[series], scale=1 / (rate.rate_days + days[of_curve])
    )
    again = levels.copy()
    below = stats.gamma.cdf(posterior, rate.shape, scale=1 / rate.rate_days)
    above = stats.gamma.sf(posterior, rate.shape, scale=1 / rate.rate_days)
    again[:, 0] = np.where(below <= 0.5, np.maximum(below, 1e-300), -np.maximum(above, 1e-300))
    return weighed(again, np.zeros((len(again), 1)))


def steady_evidence(rate: GammaRate, values: Floats, exposure: Floats) -> Floats:
    """Give the log marginal likelihood of Poisson counts up to each day, their rate being Gamma.

    Parameters
    ----------
    rate : GammaRate
        Its distribution.
    values : ndarray of float, shape (days,)
        Attacks.
    exposure : ndarray of float, shape (days,)
        Observed share of each day.

    Returns
    -------
    ndarray of float, shape (days,)
        In closed form.

    Examples
    --------
    >>> rate = GammaRate(1.0, 1.0, "said")
    >>> np.exp(steady_evidence(rate, np.zeros(3), np.ones(3))).round(3).tolist()
    [0.5, 0.333, 0.25]
    """
    values = np.where(exposure > 0, values, 0.0)
    events, days = np.cumsum(values), np.cumsum(exposure)
    shape = rate.shape + events
    return np.asarray(
        np.cumsum(special.xlogy(values, exposure) - special.gammaln(values + 1))
        + special.gammaln(shape)
        - special.gammaln(rate.shape)
        - events * np.log(rate.rate_days + days)
        - rate.shape * np.log1p(days / rate.rate_days)
    )


def blocks(draws: int, days: int) -> list[slice]:
    """Cut the draws into blocks, so that long series need no more memory than short ones.

    Parameters
    ----------
    draws, days : int
        Size of the whole.

    Returns
    -------
    list of slice
        Of the draws, in order.
    """
    size = max(_BLOCK // max(days, 1), 1)
    return [slice(start, min(start + size, draws)) for start in range(0, draws, size)]
