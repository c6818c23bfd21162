"""The verdict: probabilities of the four accounts, and everything that can be read off the weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.rounding import percent
from tempo.errors import OptionError
from tempo.models import observation as counting
from tempo.models.checks import count_checks
from tempo.models.explain_draws import AccountFit, LevelDraws, draw_levels
from tempo.models.explain_grid import ACCOUNTS, ExplainPrior, account_weights
from tempo.models.explain_recursions import LANES
from tempo.models.explain_weighing import Observation, Weighing, holdout_scores, weigh_accounts
from tempo.models.explain_words import REMEMBERED, SEASONAL, is_decided, sentence
from tempo.models.intervals import interval_levels
from tempo.models.provenance import Provenance
from tempo.models.seasons import SeasonName
from tempo.randomness import spawn

__all__ = ["Verdict"]

type Floats = NDArray[np.float64]

#: Accounts below this probability are left out where draws of all accounts are averaged.
_NEGLIGIBLE = 1e-3
_PRIORS: dict[str, dict[str, float]] = {
    "as stated": {},
    "contagion less likely (30 %)": {"contagion": 0.3},
    "contagion more likely (70 %)": {"contagion": 0.7},
    "changes rarer (each 1/4)": {"change_ratio": 0.25},
    "changes commoner (each 3/4)": {"change_ratio": 0.75},
    "shorter memory (half-life 1.5 days)": {"half_life_days": 1.5},
    "longer memory (half-life 12 days)": {"half_life_days": 12.0},
    "a change is material from x 1.5": {"least_step": 1.5},
    "a change is material from x 3": {"least_step": 3.0},
    "contagion is material from 0.1": {"least_branching": 0.1},
    "contagion is material from 0.3": {"least_branching": 0.3},
    "levels lie closer together": {"level_spread": 1.2},
    "levels lie further apart": {"level_spread": 2.4},
}


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """What accounts for the pattern: a steady rate, changes of the baseline, contagion, or both; or nobody can tell.

    Attributes
    ----------
    counts : Counts
        What was explained (the first series, where dates were imputed).
    probabilities : pandas.Series
        Probability of each account: ``constant``, ``changepoints``, ``hawkes``, ``hawkes+steps``.
    contagion : float
        Probability of material self-excitation, whatever the baseline does.
    changed : float
        Probability of at least one material change of the baseline, with or without contagion.
    decided : bool
        Whether the top account reaches 0.75, on at least 15 attacks, and neither a season nor a longer memory takes
        the answer back.
    reason : str
        Why it is decided, or why not.
    branching_ratio : float
        Posterior mean, averaged over all accounts (0 without contagion).
    n_changes : float
        Posterior mean number of changes, averaged over all accounts.
    observation : {"negbin", "poisson"}
        Whether counts were allowed to vary more than Poisson.
    season : {"week", "year"} or None
        Season that the baseline was allowed to follow.
    seasonal : pandas.Series or None
        Probabilities of the accounts if the baseline follows the time of the year; None where this was not looked at
        (less than two years, or a season was given).
    season_explains : bool
        Whether a yearly season fits better than none and changes the answer: then nothing is decided without it.
    memory_explains : bool
        Whether changes alone were the answer, and a memory four times as long fits better and finds contagion instead.
    prior : ExplainPrior
        The choices behind the weights.
    provenance : Provenance
        What it was made from.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=240, freq="1D")
    >>> verdict = tempo.explain(pd.Series([0, 0, 0, 1] * 30 + [1, 2] * 60, index=days), rng=1)
    >>> verdict.top, len(verdict.segments)
    ('changepoints', 2)
    """

    counts: Counts
    probabilities: pd.Series
    contagion: float
    changed: float
    decided: bool
    reason: str
    branching_ratio: float
    n_changes: float
    observation: Observation
    season: SeasonName
    seasonal: pd.Series | None
    season_explains: bool
    memory_explains: bool
    prior: ExplainPrior
    provenance: Provenance
    _weighing: Weighing = field(repr=False)
    _entropy: int = field(repr=False)

    @property
    def name(self) -> str:
        """Name for charts and tables: the average over the four accounts."""
        return "explain"

    @property
    def top(self) -> str:
        """The most probable account."""
        return str(self.probabilities.idxmax())

    # ------------------------------------------------------------------ exact answers

    @functools.cached_property
    def log_evidence(self) -> xr.DataArray:
        """Log evidence by imputed series, dispersion, half-life, branching ratio and number of changes.

        Summed over the places of the changes without their prior: every prior is a re-weighting of it.
        """
        grid = self._weighing.grid
        return xr.DataArray(
            self._weighing.table,
            dims=("imputation", "dispersion", "half_life_days", "branching_ratio", "n_changes"),
            coords={
                "imputation": np.arange(len(self._weighing.series)),
                "dispersion": grid.dispersion,
                "half_life_days": grid.half_lives_days,
                "branching_ratio": grid.branching,
                "n_changes": np.arange(LANES),
            },
            name="log_evidence",
        )

    @property
    def change_counts(self) -> pd.Series:
        """Probability of each number of changes of the baseline, averaged over all accounts."""
        return pd.Series(
            self._weighing.weights.sum(axis=(0, 1, 2, 3)),
            index=pd.RangeIndex(LANES, name="n_changes"),
            name="probability",
        )

    def branching_ratio_interval(self, prob: float = 0.9) -> tuple[float, float]:
        """Give the interval of the branching ratio, averaged over the accounts.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        tuple of float
            Low and high; low is 0 where "no contagion" keeps enough probability.
        """
        weights = self._weighing.weights.sum(axis=(0, 1, 2, 4))
        return _interval(self._weighing.grid.branching, weights, prob)

    def summary(self) -> pd.DataFrame:
        """Give the probabilities of the accounts and what each would mean.

        Returns
        -------
        pandas.DataFrame
            Indexed by account: ``probability``, and posterior means within the account: ``branching_ratio``,
            ``n_changes``, ``half_life_days`` (missing without contagion), ``triggered_share``.
        """
        rows = {}
        grid = self._weighing.grid
        for name in ACCOUNTS:
            share = self._weighing.within(name)
            rows[name] = {
                "probability": float(self.probabilities[name]),
                "branching_ratio": float(share.sum(axis=(0, 1, 2, 4)) @ grid.branching),
                "n_changes": float(share.sum(axis=(0, 1, 2, 3)) @ np.arange(LANES)),
                "half_life_days": float(share.sum(axis=(0, 1, 3, 4)) @ grid.half_lives_days)
                if name.startswith("hawkes")
                else np.nan,
                "triggered_share": float(self._draws(name).triggered_share.mean()),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("account")

    def sensitivity(self) -> pd.DataFrame:
        """Give the verdict again under other priors.

        Returns
        -------
        pandas.DataFrame
            One row for each prior: probabilities of the accounts, ``contagion``, ``changed``, ``top`` and ``decided``.
        """
        rows = {}
        for label, changes in _PRIORS.items():
            prior = self.prior.with_(**changes)
            if set(changes) <= {"contagion", "change_ratio"}:
                held = self._weighing
                weighing = Weighing(held.series, held.season, prior, held.grid, held.table)
            else:  # the cells themselves are other ones
                weighing = weigh_accounts(
                    self._weighing.series, self.observation, self.season, prior
                )
            shares = weighing.shares
            rows[label] = {
                **shares.to_dict(),
                "contagion": float(shares["hawkes"] + shares["hawkes+steps"]),
                "changed": float(shares["changepoints"] + shares["hawkes+steps"]),
                "top": str(shares.idxmax()),
                "decided": is_decided(shares, self.counts),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("prior")

    def scores(self, holdout: float = 0.25) -> pd.DataFrame:
        r"""Score each account on the last part of the series, predicted bin by bin from what came before.

        The score is :math:`\log p(y_{s+1}, \dots, y_n \mid y_1, \dots, y_s)`, exact: changes may still come, and no
        later count is used, neither for the season nor for the grid of levels.

        Parameters
        ----------
        holdout : float, default 0.25
            Share of the observed bins that is predicted.

        Returns
        -------
        pandas.DataFrame
            Indexed by account: ``log_score`` (higher is better), ``against_constant`` (difference), ``bins``.
        """
        if not 0 < holdout < 1:
            raise OptionError(f"holdout is {holdout!r}; expected a share between 0 and 1.")
        n_seen = int((self._weighing.weight > 0).sum())
        kept = max(1, round(n_seen * (1 - holdout)))
        values = holdout_scores(
            self._weighing.series, self.observation, self.season, self.prior, kept
        )
        scores = pd.DataFrame(
            {"log_score": values}, index=pd.Index(ACCOUNTS, name="account", dtype=object)
        )
        scores["against_constant"] = values - values[ACCOUNTS.index("constant")]
        scores["bins"] = n_seen - kept
        return scores

    # ------------------------------------------------------------------ by exact draws

    @functools.cached_property
    def _drawn(self) -> dict[str, LevelDraws]:
        return {}

    def _draws(self, account: str) -> LevelDraws:
        if account not in self._drawn:
            streams = spawn(np.random.default_rng(self._entropy), len(ACCOUNTS) + 1)
            self._drawn[account] = draw_levels(
                self._weighing, account, streams[ACCOUNTS.index(account)]
            )
        return self._drawn[account]

    @property
    def _considered(self) -> list[str]:
        """Accounts that an average over draws takes in."""
        return [name for name in ACCOUNTS if self.probabilities[name] >= _NEGLIGIBLE]

    def _mixed(self, quantity: str) -> tuple[Floats, Floats]:
        """Give a quantity of each draw, all accounts together, with the weight of each draw."""
        values, weights = [], []
        for name in self._considered:
            part = getattr(self._draws(name), quantity)
            values.append(part)
            weights.append(np.full(len(part), float(self.probabilities[name]) / len(part)))
        joined = np.concatenate(weights)
        return np.concatenate(values), joined / joined.sum()

    @functools.cached_property
    def triggered_share(self) -> float:
        """Expected share of the attacks that earlier ones triggered, averaged over the accounts."""
        values, weights = self._mixed("triggered_share")
        return float(values @ weights)

    def triggered_share_interval(self, prob: float = 0.9) -> tuple[float, float]:
        """Give the interval of the share of attacks that earlier ones triggered.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        tuple of float
            Low and high.
        """
        return _interval(*self._mixed("triggered_share"), prob)

    @functools.cached_property
    def change_probability(self) -> pd.Series:
        """Probability that the baseline changed with each bin (first of the new level), averaged over the accounts."""
        levels, weights = self._mixed("levels")
        total = np.zeros(len(self.counts))
        total[1:] = weights @ (levels[:, 1:] != levels[:, :-1])
        return pd.Series(total, index=self.counts.index, name="change_probability")

    @property
    def segments(self) -> pd.DataFrame:
        """The stretches between the changes that survive under the top account, with 90 % intervals."""
        return self.segment_table(0.9)

    def segment_table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the stretches between the changes that survive: their most probable number under the top account.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each stretch: ``start, start_low, start_high`` (first bin of the stretch) and
            ``baseline_per_day, baseline_per_day_low, baseline_per_day_high``. A single row if the baseline did not
            change.
        """
        return self.account(self.top).segment_table(prob)

    def account(self, name: str) -> AccountFit:
        """Give one account as a fit of its own, to be forecast.

        Parameters
        ----------
        name : {"constant", "changepoints", "hawkes", "hawkes+steps"}
            Which.

        Returns
        -------
        AccountFit
            For ``tempo.forecast(verdict.account("hawkes"))``.
        """
        if name not in ACCOUNTS:
            raise OptionError(
                f"there is no account {name!r}; expected one of {', '.join(ACCOUNTS)}."
            )
        return AccountFit(name, self.provenance, self._weighing, self._draws(name))

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw futures under the average over the accounts; ``tempo.forecast(verdict)`` calls this.

        Parameters
        ----------
        n_bins : int
            Bins after the last one.
        draws : int
            Futures.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        ndarray of int, shape (draws, n_bins)
            Counts.
        """
        shares = rng.multinomial(draws, self.probabilities.to_numpy())
        paths = [
            self.account(name).simulate(n_bins, int(share), rng)
            for name, share in zip(ACCOUNTS, shares, strict=True)
            if share
        ]
        joined = np.concatenate([np.empty((0, n_bins), dtype=np.int64), *paths])
        return np.asarray(rng.permutation(joined, axis=0))

    def check(self) -> pd.DataFrame:
        """Check the one-step means of the average over the accounts against the counts.

        The baseline is known from the whole series here; see ``scores`` for predictions from the past alone.

        Returns
        -------
        pandas.DataFrame
            Indexed by check: ``statistic, threshold, passed, meaning``.
        """
        means, weights = self._mixed("means")
        dispersion, _ = self._mixed("dispersion")
        seen = self._weighing.weight > 0
        values = self.counts.to_numpy(dtype=float)
        spread = dispersion[:, None]
        means, here = means[:, seen], values[None, seen]
        centre = weights @ means
        variance = weights @ (counting.variance(means, spread) + means**2) - centre**2
        below = weights @ counting.cdf(here - 1, means, spread)
        at = weights @ counting.cdf(here, means, spread)

        def whole(part: Floats) -> Floats:
            column = np.full(len(values), np.nan)
            column[seen] = part
            return column

        stream = spawn(np.random.default_rng(self._entropy), len(ACCOUNTS) + 1)[-1]
        return count_checks(
            values,
            self.counts.exposure.to_numpy(),
            whole(below),
            whole(at),
            whole(centre),
            whole(variance),
            stream,
        )

    # ------------------------------------------------------------------ words

    @functools.cached_property
    def sentence(self) -> str:
        """The verdict in plain words, with its numbers and without claiming causes."""
        triggered = (0.0, 0.0, 0.0)
        if self.contagion >= 0.5:
            triggered = (self.triggered_share, *self.triggered_share_interval(0.9))
        return sentence(
            self.probabilities,
            self.counts,
            self.prior.least_step,
            triggered,
            doubt=SEASONAL if self.season_explains else REMEMBERED if self.memory_explains else "",
        )

    def describe(self) -> str:
        """Say what was found, and every doubt.

        Returns
        -------
        str
            The sentence, the reason, and the notes of the provenance.
        """
        return " ".join([self.sentence, self.reason, *self.provenance.notes])

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {percent(value)}" for name, value in self.probabilities.items())
        return f"Verdict ({'decided' if self.decided else 'undecided'}): {shares}. {self.sentence}"


def read_off(weighing: Weighing) -> dict[str, float]:
    """Give the marginal answers and averages.

    Parameters
    ----------
    weighing : Weighing
        Evidence and weights.

    Returns
    -------
    dict of str to float
        ``contagion``, ``changed``, ``branching_ratio``, ``n_changes``, and ``beyond``: the weight of the largest
        number of changes that is told apart.
    """
    weights = weighing.weights
    parts = {name: float(part.sum()) for name, part in account_weights(weights).items()}
    numbers = weights.sum(axis=(0, 1, 2, 3))
    return {
        "contagion": min(parts["hawkes"] + parts["hawkes+steps"], 1.0),
        "changed": min(parts["changepoints"] + parts["hawkes+steps"], 1.0),
        "branching_ratio": float(weights.sum(axis=(0, 1, 2, 4)) @ weighing.grid.branching),
        "n_changes": float(numbers @ np.arange(LANES)),
        "beyond": float(numbers[-1]),
    }


def _interval(values: Floats, weights: Floats, prob: float) -> tuple[float, float]:
    first, last = interval_levels(prob)
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order]) / weights.sum()
    tails = np.searchsorted(running, [first, last - 1e-12])
    low, high = values[order][np.minimum(tails, len(order) - 1)]
    return float(low), float(high)
