"""Weighing scenarios: evidence, odds through time, what would change them, and the forecast of the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, number, percent
from tempo.data.window import DateLike, as_date
from tempo.errors import ScenarioError
from tempo.forecasting.daily import daily_series
from tempo.forecasting.outlook import Outlook, paths_array
from tempo.forecasting.scenarios import GammaRate, Scenario
from tempo.forecasting.spans import days_of
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Weights", "weigh"]

_DRAWS = 8192  # a power of two, as the Sobol sequence likes
_LEAST_ESS = 200.0
_BLOCK = 2**20  # numbers to hold at a time, whatever the number of draws and days
_MOST = 20_000  # attacks in a table of chances


@dataclass(frozen=True, slots=True, eq=False)
class _Account:
    """One scenario, its draws, and how well each agrees with what was observed."""

    scenario: Scenario
    levels: NDArray[np.float64]
    log_weights: NDArray[np.float64]  # log-likelihood of each draw at the end of the data
    log_evidence: NDArray[np.float64]  # before the first day and after each day

    @property
    def weights(self) -> NDArray[np.float64]:
        return np.asarray(special.softmax(self.log_weights))

    @property
    def effective_draws(self) -> float:
        return float(1.0 / np.sum(self.weights**2))


@dataclass(frozen=True, repr=False, eq=False)
class Weights:
    """How much each scenario is worth after what was observed.

    Attributes
    ----------
    counts : Counts
        The daily counts that were used, from ``since`` on.
    since : pandas.Timestamp
        Days before this one did not judge the scenarios.
    prior : pandas.Series
        Probability of each scenario before the data.
    log_evidence : pandas.Series
        Log marginal likelihood of each scenario, natural logarithm.
    probabilities : pandas.Series
        Probability of each scenario, given that one of them holds.
    seed : str
        What reproduces the numbers.
    notes : tuple of str
        Doubts, in words.

    Examples
    --------
    >>> import tempo
    >>> attacks = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> past = attacks.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    >>> sporadic = tempo.Scenario.every("2-3 months", name="sporadic")
    >>> weights = tempo.weigh(past, [sporadic, tempo.Scenario.escalation(past)], prior=[0.7, 0.3], rng=7)
    >>> weights.probabilities.index.tolist(), round(float(weights.probabilities.sum()), 6)
    (['sporadic', 'escalation'], 1.0)
    """

    counts: Counts
    since: pd.Timestamp
    prior: pd.Series
    log_evidence: pd.Series
    probabilities: pd.Series
    seed: str
    notes: tuple[str, ...]
    _accounts: tuple[_Account, ...]
    _entropy: int
    _end: pd.Timestamp

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios, in the order in which they were given."""
        return tuple(account.scenario for account in self._accounts)

    @property
    def bayes_factor(self) -> pd.DataFrame:
        """Evidence of each scenario (row) against each other one (column), as a ratio."""
        log = self.log_evidence.to_numpy()
        with np.errstate(over="ignore"):  # beyond any float: infinite
            ratio = np.exp(log[:, None] - log[None, :])
        return pd.DataFrame(
            ratio,
            index=self.log_evidence.index,
            columns=self.log_evidence.index,
        )

    def history(self) -> pd.DataFrame:
        """Give the probability of each scenario as it stood at each past date.

        These are today's data, cut at each date: incidents that were reported late count from the day on which
        they happened, and uncertain dates are averaged over as they are known now.

        Returns
        -------
        pandas.DataFrame
            One row for each date, from ``since`` to the end of the data; the row of a date uses the days before
            it (the as-of convention), so the first row is the prior. One column for each scenario.
        """
        log = np.column_stack([account.log_evidence for account in self._accounts])
        log = log + np.log(self.prior.to_numpy())
        dates = self.counts.bin_starts.append(pd.DatetimeIndex([self._end]))
        return pd.DataFrame(
            special.softmax(log, axis=1),
            index=pd.DatetimeIndex(dates, name="as_of"),
            columns=self.prior.index,
        )

    def chances(self, horizon: str = "60D") -> pd.DataFrame:
        """Give the probability of each number of attacks over a horizon, under each scenario.

        Parameters
        ----------
        horizon : str, default "60D"
            From the end of the data.

        Returns
        -------
        pandas.DataFrame
            Indexed by the number of attacks, from 0 to one that is very unlikely under all; one column for each
            scenario. Each scenario's own uncertainty is averaged over.

        Raises
        ------
        ScenarioError
            If so many attacks may come that the table would be too long.
        """
        days = days_of(horizon)
        future = pd.date_range(self._end, periods=days, freq="1D", unit="us")
        means = [_expected(account, future) for account in self._accounts]
        most = 1
        for account, mean in zip(self._accounts, means, strict=True):
            order = np.argsort(mean)
            reached = int(np.searchsorted(np.cumsum(account.weights[order]), 0.995))
            upper = mean[order][min(reached, len(order) - 1)]
            most = max(most, int(stats.poisson.ppf(0.999, upper)))
        if most > _MOST:
            raise ScenarioError(
                f"within {days} days there may be {most:,} attacks; a table of chances holds at most {_MOST:,}. "
                "Choose a shorter horizon."
            )
        n = np.arange(most + 1)
        columns = {
            account.scenario.name: _mixed_poisson(n, mean, account.weights)
            for account, mean in zip(self._accounts, means, strict=True)
        }
        return pd.DataFrame(columns, index=pd.Index(n, name="attacks"))

    def indicators(self, horizon: str = "60D") -> pd.DataFrame:
        """Say what would change our mind: the odds after each possible number of attacks.

        Parameters
        ----------
        horizon : str, default "60D"
            How long to watch, from the end of the data.

        Returns
        -------
        pandas.DataFrame
            Indexed by the number of attacks over the horizon. Columns are pairs: ``("chance", scenario)`` is the
            probability of that number under the scenario, ``("chance", "any")`` under the mixture, and
            ``("probability", scenario)`` what the scenario would then be worth. ``attrs["by"]`` is the date.
        """
        chances = self.chances(horizon)
        joint = chances * self.probabilities
        overall = joint.sum(axis=1)
        table = pd.concat(
            {
                "chance": chances.assign(any=overall),
                "probability": joint.div(overall, axis=0),
            },
            axis=1,
        )
        table.attrs["by"] = self._end + pd.Timedelta(days=days_of(horizon))
        table.attrs["horizon"] = horizon
        return table

    def quiet_days(self, threshold: float = 0.9, longest: str = "365D") -> pd.Series:
        """Give, for each scenario, how many days without any attack would lift it past a threshold.

        Parameters
        ----------
        threshold : float, default 0.9
            Probability that it must reach.
        longest : str, default "365D"
            How far to look.

        Returns
        -------
        pandas.Series
            Days, 0 where it is past the threshold already, NaN where silence never lifts it so far.
        """
        days = days_of(longest, "longest")
        future = pd.date_range(self._end, periods=days, freq="1D", unit="us")
        logs = []
        for account in self._accounts:
            silent = np.full(days, -np.inf)
            for block in _blocks(len(account.levels), days):
                total = np.cumsum(account.scenario.rates(account.levels[block], future), axis=1)
                part = special.logsumexp(-total, b=account.weights[block, None], axis=0)
                silent = np.logaddexp(silent, part)
            logs.append(np.concatenate([[0.0], silent]))
        shares = special.softmax(
            np.column_stack(logs) + np.log(self.probabilities.to_numpy()), axis=1
        )
        reached = shares >= threshold
        first = np.where(reached.any(axis=0), reached.argmax(axis=0).astype(float), np.nan)
        return pd.Series(first, index=self.probabilities.index, name="quiet_days")

    def check(self, prob: float = 0.95) -> pd.DataFrame:
        """Check whether each scenario could have produced what was observed.

        Compares the number of attacks since ``since`` with what the scenario expected of that time before it saw
        them. If every scenario fails, none of them explains the data, and their odds mean little.

        Parameters
        ----------
        prob : float, default 0.95
            Probability of the interval in which the observed number must lie.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``observed``, ``low``, ``high``, ``statistic`` (smaller of the two tail
            probabilities of the observed number), ``threshold``, ``passed``, ``meaning``.
        """
        exposure = self.counts.exposure.to_numpy()
        observed = self.counts.events
        rows = {}
        for account in self._accounts:
            mean = _expected(account, self.counts.bin_starts, exposure)
            below = float(special.pdtr(observed, mean).mean())
            above = float(special.pdtrc(observed - 1, mean).mean()) if observed else 1.0
            low, high = (_mixed_quantile(q, mean) for q in ((1 - prob) / 2, (1 + prob) / 2))
            tail = min(below, above)
            passed = bool(tail >= (1 - prob) / 2)
            rows[account.scenario.name] = {
                "observed": observed,
                "low": low,
                "high": high,
                "statistic": tail,
                "threshold": (1 - prob) / 2,
                "passed": passed,
                "meaning": (
                    f"{observed} observed; the scenario expected {low} to {high} ({percent(prob)} interval)"
                ),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def outlooks(
        self, horizon: str = "90D", draws: int = 10_000, rng: RNGLike = None
    ) -> dict[str, Outlook]:
        """Forecast under each scenario, as updated by what was observed.

        Parameters
        ----------
        horizon : str, default "90D"
            From the end of the data.
        draws : int, default 10,000
            Futures for each scenario.
        rng : int, Generator or None
            Draws them; the stream of the weights when left out.

        Returns
        -------
        dict of str to Outlook
            By scenario name.
        """
        return {
            account.scenario.name: self._outlook(
                account.scenario.name, {index: draws}, horizon, rng
            )
            for index, account in enumerate(self._accounts)
        }

    def outlook(self, horizon: str = "90D", draws: int = 10_000, rng: RNGLike = None) -> Outlook:
        """Forecast under the mixture of scenarios, each with its weight.

        Parameters
        ----------
        horizon : str, default "90D"
            From the end of the data.
        draws : int, default 10,000
            Futures, shared out in proportion to the probabilities.
        rng : int, Generator or None
            Draws them; the stream of the weights when left out.

        Returns
        -------
        Outlook
            Named after the mixture.
        """
        exact = self.probabilities.to_numpy() * draws
        shares = np.floor(exact).astype(int)
        for index in np.argsort(shares - exact, kind="stable")[: draws - int(shares.sum())]:
            shares[index] += 1
        return self._outlook("scenario mixture", dict(enumerate(shares.tolist())), horizon, rng)

    def _outlook(self, name: str, shares: Mapping[int, int], horizon: str, rng: RNGLike) -> Outlook:
        source = resolve(self._entropy if rng is None else rng)
        streams = spawn(source.generator, len(self._accounts) + 1)
        starts = pd.date_range(self._end, periods=days_of(horizon), freq="1D", unit="us")
        paths = []
        for index, draws in shares.items():
            account, stream = self._accounts[index], streams[index]
            chosen = stream.choice(len(account.levels), size=draws, p=account.weights)
            paths.append(stream.poisson(account.scenario.rates(account.levels[chosen], starts)))
        joined = np.concatenate(paths)
        if len(shares) > 1:
            streams[-1].shuffle(joined, axis=0)
        return Outlook(
            counts=paths_array(joined, starts),
            name=name,
            label=self.counts.label,
            rule=self.counts.rule,
            cutoff=self._end,
            bin_days=np.ones(len(starts)),
            seed=source.record,
            notes=self.notes,
        )

    def words(self) -> str:
        """Say in one or two sentences what the evidence did to the odds.

        Returns
        -------
        str
            Without causal language; the scale of the evidence is that of Kass and Raftery (1995).
        """
        first, second = (str(name) for name in self.probabilities.nlargest(2).index)
        gain = float(self.log_evidence[first] - self.log_evidence[second])
        better, worse = (first, second) if gain >= 0 else (second, first)
        strength = float(np.exp(min(abs(gain), np.log(1e6))))
        scale = next(
            word
            for limit, word in (
                (3, "hardly tells them apart"),
                (20, f"favours {better!r}"),
                (150, f"strongly favours {better!r}"),
                (np.inf, f"very strongly favours {better!r}"),
            )
            if strength < limit
        )
        shares = ", ".join(
            f"{name!r} {percent(before)} before and {percent(after)} after"
            for name, before, after in zip(
                self.prior.index, self.prior.to_list(), self.probabilities.to_list(), strict=True
            )
        )
        times = f"{'more than ' if abs(gain) > np.log(1e6) else ''}{number(strength)} times"
        return (
            f"What happened since {self.since:%Y-%m-%d} ({counted(self.counts.events, self.counts.label)}) is {times} "
            f"as probable under {better!r} as under {worse!r}, which {scale}. Probabilities: {shares}."
        )

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{name} {percent(after)} (prior {percent(before)})"
            for name, before, after in zip(
                self.prior.index, self.prior.to_list(), self.probabilities.to_list(), strict=True
            )
        )
        return (
            f"Weights as of {self._end:%Y-%m-%d}, judged on "
            f"{counted(self.counts.events, self.counts.label)} since {self.since:%Y-%m-%d}: {shares}"
        )


def weigh(
    past: Incidents | Counts | pd.Series,
    scenarios: Sequence[Scenario],
    prior: Sequence[float] | Mapping[str, float] | None = None,
    *,
    since: DateLike | None = None,
    imputations: int = 20,
    rng: RNGLike = None,
) -> Weights:
    r"""Weigh scenarios by the probability that each gave to what was observed.

    With :math:`\lambda_t(\theta)` the daily rate of a story with uncertain quantities :math:`\theta`, its evidence is
    :math:`\int \prod_t \mathrm{Poisson}(y_t; e_t \lambda_t(\theta))\, p(\theta)\, d\theta`, computed in closed form
    where the rate never changes, and else by averaging over evenly spread draws of the story. The days since the
    earliest possible onset judge the scenarios; earlier days have already set the earlier rate of an escalation.

    Parameters
    ----------
    past : Incidents, Counts or Series
        Attacks of one counting rule; counted by day.
    scenarios : sequence of Scenario
        At least two, with different names.
    prior : sequence or mapping of float, optional
        Probability of each scenario before the data; equal when left out. Must sum to 1.
    since : date-like, optional
        First day that judges the scenarios. Default: the earliest day on which one of them may leave its earlier
        rate; where none does, the start of the window.
    imputations : int, default 20
        Draws of uncertain dates to average over, where there are any.
    rng : int, Generator or None
        Draws the stories.

    Returns
    -------
    Weights
        Evidence, probabilities, their history, indicators and forecasts.

    Raises
    ------
    ScenarioError
        If scenarios or priors cannot be used together.

    References
    ----------
    Kass, R. E. and Raftery, A. E. (1995). Bayes factors. Journal of the American Statistical Association 90.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=120, freq="1D")
    >>> counts = pd.Series([1 if day % 10 == 5 else 0 for day in range(120)], index=days)
    >>> rare = tempo.Scenario.every("1-2 months", name="rare")
    >>> frequent = tempo.Scenario.every("1-2 weeks", name="frequent")
    >>> bool(tempo.weigh(counts, [rare, frequent], rng=1).probabilities["frequent"] > 0.99)
    True
    """
    shares = _prior(scenarios, prior)
    source = resolve(rng)
    dates, stories = spawn(source.generator, 2)
    series = daily_series(past, imputations, dates)
    start = _since(since, scenarios, series[0])
    judged = [one.select(np.asarray(one.bin_starts >= start)) for one in series]
    streams = spawn(stories, len(scenarios))
    accounts = tuple(
        _account(scenario, judged, stream)
        for scenario, stream in zip(scenarios, streams, strict=True)
    )
    names = [scenario.name for scenario in scenarios]
    log_evidence = pd.Series(
        [a.log_evidence[-1] for a in accounts], index=names, name="log_evidence"
    )
    notes = _notes(accounts, judged[0])
    return Weights(
        counts=judged[0],
        since=start,
        prior=shares,
        log_evidence=log_evidence,
        probabilities=pd.Series(
            special.softmax(log_evidence.to_numpy() + np.log(shares.to_numpy())),
            index=names,
            name="probability",
        ),
        seed=source.record,
        notes=notes,
        _accounts=accounts,
        _entropy=int(source.generator.integers(2**63)),
        _end=series[0].end,
    )


def _prior(
    scenarios: Sequence[Scenario], prior: Sequence[float] | Mapping[str, float] | None
) -> pd.Series:
    names = [scenario.name for scenario in scenarios]
    if len(names) < 2:
        raise ScenarioError(f"got {len(names)} scenario; weighing takes at least two.")
    if len(set(names)) < len(names):
        raise ScenarioError(
            f"scenarios share a name ({', '.join(names)}). Give each its own name=."
        )
    if prior is None:
        return pd.Series(1.0 / len(names), index=names, name="prior")
    if isinstance(prior, Mapping):
        if set(prior) != set(names):
            raise ScenarioError(
                f"prior names {sorted(prior)}, but the scenarios are {sorted(names)}."
            )
        values = [float(prior[name]) for name in names]
    else:
        values = [float(value) for value in prior]
    proper = all(value > 0 for value in values) and abs(sum(values) - 1) <= 1e-6
    if len(values) != len(names) or not proper:
        raise ScenarioError(
            f"prior is {values} for {len(names)} scenarios; expected one probability above 0 for each, with sum 1 "
            "(a scenario with probability 0 can never gain any)."
        )
    return pd.Series(values, index=names, name="prior")


def _since(since: DateLike | None, scenarios: Sequence[Scenario], counts: Counts) -> pd.Timestamp:
    first, end = counts.bin_starts[0], counts.end
    if since is None:
        onsets = [scenario.since for scenario in scenarios if scenario.since is not None]
        return min(max(first, min(onsets)), end) if onsets else first
    day = as_date(since, "since")
    if not first <= day <= end:
        raise ScenarioError(
            f"since is {day:%Y-%m-%d}, outside the data [{first:%Y-%m-%d}, {end:%Y-%m-%d}). Choose a day inside."
        )
    return day


def _account(scenario: Scenario, judged: Sequence[Counts], stream: np.random.Generator) -> _Account:
    draws = _DRAWS
    while True:
        account = _weighed(scenario, judged, scenario.draw(draws, stream))
        if account.effective_draws >= _LEAST_ESS or draws >= 16 * _DRAWS:
            return account
        draws *= 4


def _weighed(scenario: Scenario, judged: Sequence[Counts], levels: NDArray[np.float64]) -> _Account:
    days = judged[0].bin_starts
    if not len(days):
        return _Account(scenario, levels, np.zeros(len(levels)), np.zeros(1))
    exposure = judged[0].exposure.to_numpy()
    values = [np.nan_to_num(counts.to_numpy(dtype=float)) for counts in judged]
    log_weights = np.empty(len(levels))
    evidence = np.full(len(days), -np.inf)
    for block in _blocks(len(levels), len(days)):
        rates = scenario.rates(levels[block], days) * exposure
        total = np.full(rates.shape, -np.inf)
        for series in values:
            # xlogy: a day without exposure says nothing, an attack at rate 0 is impossible.
            terms = special.xlogy(series, rates) - rates - special.gammaln(series + 1)
            total = np.logaddexp(total, np.cumsum(terms, axis=1))
        total -= np.log(len(judged))
        log_weights[block] = total[:, -1]
        evidence = np.logaddexp(evidence, special.logsumexp(total, axis=0))
    evidence -= np.log(len(levels))
    if (
        scenario.escalation_phase is None
    ):  # known in closed form, also where hardly a draw agrees with the data
        exact = [_steady_evidence(scenario.rate, series, exposure) for series in values]
        evidence = special.logsumexp(exact, axis=0) - np.log(len(exact))
    return _Account(scenario, levels, log_weights, np.concatenate([[0.0], evidence]))


def _steady_evidence(
    rate: GammaRate, values: NDArray[np.float64], exposure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the log marginal likelihood of Poisson counts up to each day, their rate being Gamma."""
    events, days = np.cumsum(values), np.cumsum(exposure)
    shape = rate.shape + events
    return np.asarray(
        np.cumsum(special.xlogy(values, exposure) - special.gammaln(values + 1))
        + special.gammaln(shape)
        - special.gammaln(rate.shape)
        - events * np.log(rate.rate_days + days)
        - rate.shape * np.log1p(days / rate.rate_days)
    )


def _blocks(draws: int, days: int) -> list[slice]:
    """Cut the draws into blocks, so that long series need no more memory than short ones."""
    size = max(_BLOCK // max(days, 1), 1)
    return [slice(start, min(start + size, draws)) for start in range(0, draws, size)]


def _expected(
    account: _Account, days: pd.DatetimeIndex, exposure: NDArray[np.float64] | float = 1.0
) -> NDArray[np.float64]:
    """Give the expected number of attacks on these days, for each draw."""
    return np.concatenate(
        [
            (account.scenario.rates(account.levels[block], days) * exposure).sum(axis=1)
            for block in _blocks(len(account.levels), len(days))
        ]
    )


def _mixed_poisson(
    n: NDArray[np.int64], mean: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the probability of each number under a weighted mixture of Poisson distributions."""
    chances = [
        np.exp(special.xlogy(n[block, None], mean) - mean - special.gammaln(n[block, None] + 1.0))
        @ weights
        for block in _blocks(len(n), len(mean))
    ]
    return np.concatenate(chances)


def _mixed_quantile(level: float, mean: NDArray[np.float64]) -> int:
    """Give the smallest number whose cumulative probability under an equal mixture reaches the level."""
    low, high = -1, 1
    while special.pdtr(high, mean).mean() < level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if special.pdtr(middle, mean).mean() < level:
            low = middle
        else:
            high = middle
    return high


def _notes(accounts: Sequence[_Account], counts: Counts) -> tuple[str, ...]:
    notes = []
    if not len(counts):
        notes.append("There are no days to judge by: the odds are those of the prior.")
    elif counts.events < 10:
        notes.append(
            f"Only {counted(counts.events, counts.label)} to judge by: the odds rest largely on the prior."
        )
    if counts.n_imputed:
        notes.append(f"{counts.n_imputed} uncertain dates were averaged over.")
    notes += [
        f"The evidence of {account.scenario.name!r} rests on {account.effective_draws:.0f} effective draws: it "
        "hardly explains the data, or the data say far more than it did."
        for account in accounts
        if account.effective_draws < _LEAST_ESS
    ]
    return tuple(notes)
