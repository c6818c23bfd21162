"""Contagion or regime change: four accounts of why attacks come in bursts, weighed against each other."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.errors import OptionError
from tempo.models import observation as counting
from tempo.models.checks import count_checks
from tempo.models.explain_draws import AccountFit, LevelDraws, draw_levels
from tempo.models.explain_grid import (
    ACCOUNTS,
    DISPERSIONS,
    HALF_LIVES_DAYS,
    SCALES,
    ExplainPrior,
    LevelGrid,
    account_weights,
    branching_grid,
    cell_log_prior,
)
from tempo.models.explain_recursions import LANES, evidence_table, excitation
from tempo.models.inputs import imputed_series
from tempo.models.provenance import Provenance
from tempo.models.seasons import season_factors
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Verdict", "explain"]

type Floats = NDArray[np.float64]

#: The top account must reach this probability; below it, the verdict is "undecided".
DECIDED = 0.75


@dataclass(frozen=True, repr=False)
class Verdict:
    """What explains the pattern: chance, changes of the baseline, contagion, or both; or that nobody can tell.

    Attributes
    ----------
    counts : Counts
        What was explained.
    probabilities : pandas.Series
        Probability of each account: ``constant``, ``changepoints``, ``hawkes``, ``hawkes+steps``.
    contagion : float
        Probability of material self-excitation, whatever the baseline does.
    changed : float
        Probability of at least one material change of the baseline, with or without contagion.
    decided : bool
        Whether the top account reaches 0.75.
    reason : str
        Why it is decided, or why not.
    branching_ratio : float
        Posterior mean, averaged over all accounts (0 without contagion).
    n_changes : float
        Posterior mean number of changes, averaged over all accounts.
    log_evidence : xarray.DataArray
        Log evidence by dispersion, level scale, half-life, branching ratio and number of changes; every prior is
        a re-weighting of it.
    prior : ExplainPrior
        The choices behind the weights.
    provenance : Provenance
        What it was made from.
    """

    counts: Counts
    probabilities: pd.Series
    contagion: float
    changed: float
    decided: bool
    reason: str
    branching_ratio: float
    n_changes: float
    log_evidence: xr.DataArray
    prior: ExplainPrior
    provenance: Provenance
    _weights: Floats
    _grid: LevelGrid
    _season: Floats
    _entropy: int

    @property
    def name(self) -> str:
        """Name for charts and tables: the average over the four accounts."""
        return "explain"

    @property
    def top(self) -> str:
        """The most probable account."""
        return str(self.probabilities.idxmax())

    @functools.cached_property
    def _draws(self) -> dict[str, LevelDraws]:
        streams = spawn(np.random.default_rng(self._entropy), len(ACCOUNTS))
        split = account_weights(self._weights, self.log_evidence["branching_ratio"].to_numpy())
        return {
            name: draw_levels(
                self.counts, self._season, self._grid, self.log_evidence, split[name], stream
            )
            for (name, stream) in zip(ACCOUNTS, streams, strict=True)
        }

    def account(self, name: str) -> AccountFit:
        """Give one account as a fit of its own, to be forecast or checked.

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
        return AccountFit(name, self.counts, self._draws[name], self._grid, self.provenance)

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
        joined = np.concatenate(paths)
        rng.shuffle(joined, axis=0)
        return joined

    def _mixed(self, quantity: str) -> tuple[Floats, Floats]:
        """Give a quantity of each draw, all accounts together, with the weight of each draw."""
        values, weights = [], []
        for name in ACCOUNTS:
            part = getattr(self._draws[name], quantity)
            values.append(part)
            weights.append(np.full(len(part), float(self.probabilities[name]) / len(part)))
        return np.concatenate(values), np.concatenate(weights)

    @functools.cached_property
    def triggered_share(self) -> float:
        """Expected share of the attacks that earlier ones triggered, averaged over the accounts."""
        values, weights = self._mixed("triggered_share")
        return float(np.average(values, weights=weights))

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
        weights = self._weights.sum(axis=(0, 1, 2, 4))
        return _interval(self.log_evidence["branching_ratio"].to_numpy(), weights, prob)

    @property
    def change_counts(self) -> pd.Series:
        """Probability of each number of changes of the baseline, averaged over all accounts."""
        return pd.Series(
            self._weights.sum(axis=(0, 1, 2, 3)),
            index=pd.RangeIndex(LANES, name="n_changes"),
            name="probability",
        )

    @functools.cached_property
    def change_probability(self) -> pd.Series:
        """Probability that the baseline changed with each bin: labelled by the first bin of the new level."""
        total = np.zeros(len(self.counts))
        for name in ACCOUNTS:
            levels = self._draws[name].levels
            changed = np.zeros(levels.shape, dtype=bool)
            changed[:, 1:] = levels[:, 1:] != levels[:, :-1]
            total += float(self.probabilities[name]) * changed.mean(axis=0)
        return pd.Series(total, index=self.counts.index, name="change_probability")

    def segments(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the stretches between the changes that survive: the most probable number of them, under the top account.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each stretch: ``start, start_low, start_high`` (first bin of the stretch) and
            ``baseline_per_day, baseline_low, baseline_high``. A single row if the baseline did not change.
        """
        return self.account(self.top).segments(prob)

    def scores(self, holdout: float = 0.25) -> pd.DataFrame:
        r"""Score each account on the last part of the series, predicted bin by bin from what came before.

        The score is :math:`\log p(y_{s+1}, \dots, y_n \mid y_1, \dots, y_s)`, exact: changes may still come, and no
        later count is used.

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
        weight = self.counts.exposure.to_numpy() * self._season
        seen = np.flatnonzero(weight > 0)
        kept = max(1, round(len(seen) * (1 - holdout)))
        early = weight.copy()
        early[seen[kept:]] = 0.0
        table = self.log_evidence
        values = np.nan_to_num(self.counts.to_numpy(dtype=float))
        axes = [
            table[name].to_numpy() for name in ("dispersion", "half_life_days", "branching_ratio")
        ]
        excited = excitation(
            self.counts.to_numpy(dtype=float), _decay_per_bin(axes[1], self.counts)
        )
        sums = evidence_table(
            values,
            early,
            excited,
            axes[2],
            axes[0],
            self._grid.levels,
            self._grid.priors,
            self._grid.width,
        )
        places, early_places = len(seen) - 1, kept - 1
        sums = _with_later_changes(sums, early_places, places)
        log_prior = cell_log_prior(self.prior, axes[1], axes[2], axes[0], len(SCALES), places)
        factorials = float(special.gammaln(values[seen[:kept]] + 1).sum())
        before = account_weights(np.ones_like(sums), axes[2])
        rows = {}
        for account in ACCOUNTS:
            inside = before[account] > 0
            with np.errstate(divide="ignore"):
                part = np.where(inside, log_prior, -np.inf)
                late = special.logsumexp(part + table.to_numpy()) + self._log_factorials
                soon = special.logsumexp(part + sums)
            rows[account] = float(late - soon + factorials - self._log_factorials)
        scores = pd.DataFrame({"log_score": rows})
        scores["against_constant"] = scores["log_score"] - rows["constant"]
        scores["bins"] = len(seen) - kept
        return scores

    @property
    def _log_factorials(self) -> float:
        seen = self.counts.exposure.to_numpy() > 0
        return float(special.gammaln(self.counts.to_numpy(dtype=float)[seen] + 1).sum())

    def sensitivity(self) -> pd.DataFrame:
        """Give the verdict again under other priors.

        Returns
        -------
        pandas.DataFrame
            One row for each prior: probabilities of the accounts, ``contagion``, ``changed``, ``top`` and ``decided``.
        """
        variants: dict[str, dict[str, float]] = {
            "as stated": {},
            "contagion less likely (30 %)": {"contagion": 0.3},
            "contagion more likely (70 %)": {"contagion": 0.7},
            "changes rarer (each 1/4)": {"change_ratio": 0.25},
            "changes as likely as not (each 3/4)": {"change_ratio": 0.75},
            "short memory (half-life 2 days)": {"half_life_days": 2.0},
            "long memory (half-life 12 days)": {"half_life_days": 12.0},
        }
        rows = {}
        table = self.log_evidence
        half_lives, branching = (
            table["half_life_days"].to_numpy(),
            table["branching_ratio"].to_numpy(),
        )
        dispersion = table["dispersion"].to_numpy()
        places = int((self.counts.exposure.to_numpy() > 0).sum()) - 1
        for label, changes in variants.items():
            log_prior = cell_log_prior(
                self.prior.with_(**changes), half_lives, branching, dispersion, len(SCALES), places
            )
            weights = special.softmax(log_prior + table.to_numpy())
            shares = {k: float(v.sum()) for k, v in account_weights(weights, branching).items()}
            top = max(shares, key=lambda key: shares[key])
            rows[label] = {
                **shares,
                "contagion": shares["hawkes"] + shares["hawkes+steps"],
                "changed": shares["changepoints"] + shares["hawkes+steps"],
                "top": top,
                "decided": shares[top] >= DECIDED,
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def check(self) -> pd.DataFrame:
        """Check the one-step predictions of the average over the accounts against the counts.

        Returns
        -------
        pandas.DataFrame
            Indexed by check: ``statistic, threshold, passed, meaning``.
        """
        mean, weights = self._mixed("means")
        dispersion, _ = self._mixed("dispersion")
        seen = self.counts.exposure.to_numpy() > 0
        values = self.counts.to_numpy(dtype=float)[seen]
        means, spread = mean[:, seen], dispersion[:, None]
        below = weights @ counting.cdf(values[None, :] - 1, means, spread)
        at = weights @ counting.cdf(values[None, :], means, spread)
        centre = weights @ means
        variance = weights @ (counting.variance(means, spread) + means**2) - centre**2
        return count_checks(
            self.counts.to_numpy(dtype=float),
            self.counts.exposure.to_numpy(),
            _spread_over(below, seen),
            _spread_over(at, seen),
            _spread_over(centre, seen),
            _spread_over(variance, seen),
            np.random.default_rng(self._entropy),
        )

    @property
    def sentence(self) -> str:
        """The verdict in plain words, with its numbers and without claiming causes."""
        label = plural(self.counts.label)
        events = counted(self.counts.events, self.counts.label)
        told = {
            "constant": f"a steady rate explains the {label}; neither contagion nor a change of the baseline is needed",
            "changepoints": f"the baseline of the {label} changed; contagion between them is not needed",
            "hawkes": f"{label} came in clusters that look like contagion; a change of the baseline is not needed",
            "hawkes+steps": f"the baseline of the {label} changed and they also clustered as under contagion",
        }
        top = self.top
        best = percent(float(self.probabilities[top]))
        if self.decided:
            text = f"From {events}: {told[top]} ({best})."
        else:
            second = self.probabilities.sort_values().index[-2]
            text = (
                f"From {events}, the accounts cannot be separated: {top} {best}, "
                f"{second} {percent(float(self.probabilities[second]))}."
            )
        text += (
            f" Contagion: {percent(self.contagion)}; a change of the baseline by a factor of "
            f"{number(self.prior.least_step)} or more: {percent(self.changed)}."
        )
        if self.contagion >= 0.5:
            low, high = self.triggered_share_interval(0.9)
            text += (
                f" About {percent(self.triggered_share)} of the {label} read as triggered by earlier ones "
                f"({percent(0.9)} interval {interval(100 * low, 100 * high)} %)."
            )
        return text

    def summary(self) -> pd.DataFrame:
        """Give the probabilities of the accounts and what each would mean.

        Returns
        -------
        pandas.DataFrame
            Indexed by account: ``probability``, ``branching_ratio``, ``n_changes``, ``half_life_days``,
            ``triggered_share``: posterior means within the account.
        """
        rows = {}
        half_lives = self.log_evidence["half_life_days"].to_numpy()
        branching = self.log_evidence["branching_ratio"].to_numpy()
        for name, part in account_weights(self._weights, branching).items():
            mass = part.sum()
            share = part / mass if mass > 0 else part
            contagious = name.startswith("hawkes")
            rows[name] = {
                "probability": float(mass),
                "branching_ratio": float((share.sum(axis=(0, 1, 2, 4)) * branching).sum()),
                "n_changes": float((share.sum(axis=(0, 1, 2, 3)) * np.arange(LANES)).sum()),
                "half_life_days": float((share.sum(axis=(0, 1, 3, 4)) * half_lives).sum())
                if contagious
                else np.nan,
                "triggered_share": float(self._draws[name].triggered_share.mean()),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{name} {percent(value)}"
            for name, value in zip(ACCOUNTS, self.probabilities.to_list(), strict=True)
        )
        state = "decided" if self.decided else "undecided"
        return f"Verdict ({state}): {shares}. {self.sentence}"


def explain(
    data: Incidents | Counts | pd.Series,
    *,
    observation: Literal["negbin", "poisson"] = "negbin",
    season: Literal["week", "year"] | None = None,
    prior: ExplainPrior | None = None,
    imputations: int = 20,
    rng: RNGLike = None,
) -> Verdict:
    r"""Weigh contagion against changes of the baseline, and say when the data cannot tell.

    Four accounts of the counts are compared by their marginal likelihoods. All are corners of one model,

    .. math:: Y_t \sim \mathrm{NegBin}\Bigl(e_t s_t \mu_t + \alpha \sum_{k \ge 1} h_k Y_{t-k}\Bigr), \qquad
              h_k = (1 - e^{-\beta}) e^{-\beta (k - 1)},

    with a baseline :math:`\mu_t` that may step an unknown number of times by a factor of at least two, and a
    branching ratio :math:`\alpha` that is zero or at least 0.2: *constant* (no steps, no contagion), *changepoints*,
    *hawkes*, and *hawkes+steps*. Steps are summed over exactly; branching, memory, level scale and dispersion on a
    grid. Nothing is sampled to get the probabilities.

    Parameters
    ----------
    data : Incidents, Counts or Series
        Incidents are counted by day.
    observation : {"negbin", "poisson"}, default "negbin"
        With "negbin", counts may be more variable than Poisson, with dispersion averaged over and none among its
        values; "poisson" rules that out.
    season : {"week", "year"}, optional
        Allow the baseline to follow the day of the week or the time of the year.
    prior : ExplainPrior, optional
        The choices behind the weights; ``verdict.sensitivity()`` shows what hangs on them.
    imputations : int, default 20
        Draws of uncertain dates to average over, where there are any.
    rng : int, Generator or None
        Draws dates and, for derived quantities, paths of the baseline.

    Returns
    -------
    Verdict
        Probabilities of the accounts, both marginal answers, and whether they are decided.

    Notes
    -----
    Whether there is contagion can be told from some thirty events on; whether the baseline stepped takes hundreds. A
    strong yearly season, or a memory longer than the prior allows, reads as contagion or as steps. Offspring on the
    same day are lost to day counts.

    References
    ----------
    Fearnhead, P. (2006). Exact and efficient Bayesian inference for multiple changepoint problems. Statistics and
    Computing 16. Filimonov, V. and Sornette, D. (2015). Apparent criticality and calibration issues in the Hawkes
    self-excited point process model. Quantitative Finance 15.

    Examples
    --------
    >>> import tempo
    >>> rng = np.random.default_rng(3)
    >>> days = pd.date_range("2019-01-01", periods=600, freq="1D")
    >>> counts = pd.Series(rng.poisson(np.repeat([0.05, 0.6], 300)), index=days, name="attack")
    >>> verdict = tempo.explain(counts, rng=7)
    >>> verdict.top, verdict.decided, bool(verdict.contagion < 0.2)
    ('changepoints', True, True)
    """
    if observation not in {"negbin", "poisson"}:
        raise OptionError(f"observation is {observation!r}; expected 'negbin' or 'poisson'.")
    prior = ExplainPrior() if prior is None else prior
    source = resolve(rng)
    dates, paths = spawn(source.generator, 2)
    series, notes = imputed_series(data, imputations, dates)
    counts = series[0]
    exposure = counts.exposure.to_numpy()
    n_seen = int((exposure > 0).sum())
    factors, season_notes = season_factors(counts, season)
    values = np.mean([np.nan_to_num(one.to_numpy(dtype=float)) for one in series], axis=0)
    grid = LevelGrid.of(values, exposure, prior)
    branching = branching_grid(prior)
    dispersion = DISPERSIONS if observation == "negbin" else np.zeros(1)
    tables = [_log_evidence(one, exposure * factors, branching, dispersion, grid) for one in series]
    table = special.logsumexp(tables, axis=0) - np.log(len(tables))
    log_prior = cell_log_prior(
        prior, HALF_LIVES_DAYS, branching, dispersion, len(SCALES), max(n_seen - 1, 0)
    )
    weights = np.asarray(special.softmax(log_prior + table))
    shares = {name: float(part.sum()) for name, part in account_weights(weights, branching).items()}
    probabilities = pd.Series(shares, name="probability")
    contagion = shares["hawkes"] + shares["hawkes+steps"]
    changed = shares["changepoints"] + shares["hawkes+steps"]
    notes = [*notes, *season_notes]
    many = float(weights[..., -1].sum())
    if many > 0.05:
        notes.append(
            f"There may be more than {LANES - 1} changes of the baseline ({percent(many)} at the limit): explain "
            "a shorter stretch, or use tempo.Changepoints."
        )
    decided = bool(probabilities.max() >= DECIDED)
    return Verdict(
        counts=counts,
        probabilities=probabilities,
        contagion=contagion,
        changed=changed,
        decided=decided,
        reason=_reason(probabilities, contagion, changed, counts, decided=decided),
        branching_ratio=float((weights.sum(axis=(0, 1, 2, 4)) * branching).sum()),
        n_changes=float((weights.sum(axis=(0, 1, 2, 3)) * np.arange(LANES)).sum()),
        log_evidence=xr.DataArray(
            table,
            dims=("dispersion", "level_scale", "half_life_days", "branching_ratio", "n_changes"),
            coords={
                "dispersion": dispersion,
                "level_scale": SCALES,
                "half_life_days": HALF_LIVES_DAYS,
                "branching_ratio": branching,
                "n_changes": np.arange(LANES),
            },
            name="log_evidence",
        ),
        prior=prior,
        provenance=Provenance.of(
            counts,
            model=f"explain(observation={observation!r}, season={season!r}, prior={prior!r})",
            method="exact on a grid",
            seed=source.record,
            notes=notes,
        ),
        _weights=weights,
        _grid=grid,
        _season=factors,
        _entropy=int(paths.integers(2**63)),
    )


def _decay_per_bin(half_lives_days: Floats, counts: Counts) -> Floats:
    return np.asarray(np.log(2.0) / half_lives_days * float(np.median(counts.bin_days)))


def _log_evidence(
    counts: Counts, weight: Floats, branching: Floats, dispersion: Floats, grid: LevelGrid
) -> Floats:
    """Give the log of the likelihood summed over placements, for each cell and number of changes."""
    values = counts.to_numpy(dtype=float)
    excited = excitation(values, _decay_per_bin(HALF_LIVES_DAYS, counts))
    seen = weight > 0
    factorials = float(special.gammaln(values[seen] + 1).sum())
    filled = np.nan_to_num(values)
    sums = evidence_table(
        filled, weight, excited, branching, dispersion, grid.levels, grid.priors, grid.width
    )
    return np.asarray(sums - factorials)


def _with_later_changes(sums: Floats, early_places: int, places: int) -> Floats:
    """Give the sums over placements in all places from those in the early ones: later ones do not matter yet."""
    result = np.full_like(sums, -np.inf)
    for k in range(LANES):
        terms = [
            sums[..., i] + _log_choose(places - early_places, k - i)
            for i in range(k + 1)
            if k - i <= places - early_places
        ]
        if terms:
            result[..., k] = special.logsumexp(np.stack(terms), axis=0)
    return result


def _log_choose(n: int, k: int) -> float:
    return float(special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0))


def _reason(
    probabilities: pd.Series, contagion: float, changed: float, counts: Counts, *, decided: bool
) -> str:
    top = str(probabilities.idxmax())
    best = percent(float(probabilities.max()))
    if decided:
        return f"{top!r} has {best} of the probability, above the {percent(DECIDED)} that a verdict takes."
    text = f"{top!r} has only {best} of the probability; a verdict takes {percent(DECIDED)}."
    contagion_settled = not 1 - DECIDED < contagion < DECIDED
    change_settled = not 1 - DECIDED < changed < DECIDED
    if contagion_settled:
        text += f" Contagion is settled ({percent(contagion)})"
        text += f", but whether the baseline changed is not ({percent(changed)})."
    elif change_settled:
        text += f" Whether the baseline changed is settled ({percent(changed)})"
        text += f", but contagion is not ({percent(contagion)})."
    if counts.events < 100:
        text += f" There are few events for this question ({counted(counts.events, counts.label)})."
    return text


def _interval(values: Floats, weights: Floats, prob: float) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order]) / weights.sum()
    low, high = np.searchsorted(running, [(1 - prob) / 2, (1 + prob) / 2 - 1e-12])
    ranked = values[order]
    return float(ranked[min(low, len(ranked) - 1)]), float(ranked[min(high, len(ranked) - 1)])


def _spread_over(values: Floats, seen: NDArray[np.bool_]) -> Floats:
    full = np.full(len(seen), np.nan)
    full[seen] = values
    return full
