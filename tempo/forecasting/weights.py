"""How much each scenario is worth: odds through time, in words, under other assumptions, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts
from tempo.data.reporting import ReportingDelay
from tempo.data.rounding import percent
from tempo.data.window import DateLike, as_date
from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.deciding import decision_table
from tempo.forecasting.evidence import Account
from tempo.forecasting.judged import Judged
from tempo.forecasting.late_reports import reported_by_age
from tempo.forecasting.odds_checks import bunching_table, check_table
from tempo.forecasting.odds_sensitivity import sensitivity_table, without_table
from tempo.forecasting.odds_words import odds_sentence, unexplained, words_table
from tempo.forecasting.outlook import Outlook, TollFit, check_tolls, paths_array
from tempo.forecasting.scenario_paths import MarksSeen, Paths, joined_paths
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.spans import check_draws, days_of, is_number, several
from tempo.forecasting.watching import chance_table, silence_table, silent, threshold_table
from tempo.models.intervals import central_levels
from tempo.randomness import RNGLike, resolve

__all__ = ["Weights"]

type Floats = NDArray[np.float64]


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
    explained : bool
        Whether the best scenario does nearly as well as a rate that is free to change on any day. If one of the
        scenarios holds, this is False with a probability of 5 % at most.
    free_log_evidence : float
        Log evidence of that free rate.
    day_effect : str
        How a day's number varies: "Poisson", or the dispersion and where it comes from.

    Examples
    --------
    >>> import tempo
    >>> attacks = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> past = attacks.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    >>> sporadic = tempo.Scenario.every("2-3 months", name="sporadic")
    >>> weights = tempo.weigh(past, [sporadic, tempo.Scenario.escalation(past)], prior=[0.7, 0.3], rng=7)
    >>> weights.probabilities.index.tolist(), round(float(weights.probabilities.sum()), 6)
    (['sporadic', 'escalation'], 1.0)
    >>> weights.explained
    True
    """

    counts: Counts
    since: pd.Timestamp
    prior: pd.Series
    log_evidence: pd.Series
    probabilities: pd.Series
    seed: str
    notes: tuple[str, ...]
    explained: bool
    free_log_evidence: float
    day_effect: str
    _accounts: tuple[Account, ...]
    _judged: Judged
    _seen: MarksSeen
    _outside: str | None
    _delay: ReportingDelay | None
    _entropy: int
    _end: pd.Timestamp
    _again: Callable[..., Weights]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios, in the order in which they were given."""
        return tuple(account.scenario for account in self._accounts)

    # -- evidence ------------------------------------------------------------------------------------------------

    @property
    def bayes_factor(self) -> pd.DataFrame:
        """Evidence of each scenario (row) against each other one (column), as a ratio."""
        log = self.log_evidence.to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # beyond any float: infinite
            ratio = np.exp(log[:, None] - log[None, :])
        np.fill_diagonal(ratio, 1.0)
        return pd.DataFrame(
            ratio,
            index=self.log_evidence.index,
            columns=self.log_evidence.index,
        )

    def words_table(self) -> pd.DataFrame:
        """Give the evidence between each two scenarios in numbers and words.

        Returns
        -------
        pandas.DataFrame
            One row for each pair, strongest first: ``better``, ``worse``, ``bayes_factor``, ``twice_log`` (twice its
            natural logarithm), ``strength`` (Kass and Raftery's word: 1 to 3 "not worth more than a bare mention", 3 to
            20 "positive", 20 to 150 "strong", beyond "very strong"), ``words``. The prior plays no part.
        """
        return words_table(self.log_evidence)

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
        # Once all of them have said that a day cannot be, none of them can be told from the others.
        log = np.where(np.isneginf(log).all(axis=1, keepdims=True), 0.0, log)
        dates = self.counts.bin_starts.append(pd.DatetimeIndex([self._end]))
        return pd.DataFrame(
            special.softmax(log, axis=1),
            index=pd.DatetimeIndex(dates, name="as_of"),
            columns=self.prior.index,
        )

    # -- doubts --------------------------------------------------------------------------------------------------

    def check(self, prob: float = 0.95) -> pd.DataFrame:
        """Check whether each scenario could have produced what was observed.

        Compares the number of attacks since ``since`` with what the scenario expected of that time before it saw
        them. If every scenario fails, none of them explains the data, and their odds mean little: where that is so with
        ``prob=0.95``, ``notes`` and ``words()`` say it.

        Parameters
        ----------
        prob : float, default 0.95
            Probability of the interval in which the observed number must lie.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``observed``, ``low``, ``high``, ``statistic`` (smaller of the two tail
            probabilities of the observed number), ``threshold``, ``passed``, ``meaning``. Where dates are uncertain,
            the number and its tail probabilities are averaged over their draws.
        """
        return check_table(self._accounts, self._judged, prob, self._stream(1))

    def check_days(self) -> pd.DataFrame:
        """Check whether attacks share days more often than each scenario expects.

        Counts pairs of attacks on one day, and compares them with as many attacks that fall on days one by one. If
        this fails, bunched days look like an escalation: weigh again with ``overdispersion="learn"``.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``pairs``, ``expected``, ``statistic`` (chance of at least so many), ``threshold``,
            ``passed``, ``meaning``; averaged over the draws of uncertain dates.
        """
        return bunching_table(self._accounts, self._judged, self._stream(5))

    def sensitivity(
        self,
        *,
        since: Sequence[DateLike] | None = None,
        overdispersion: Sequence[tuple[float, float] | Literal["learn"] | None] | None = None,
    ) -> pd.DataFrame:
        """Give the odds again under other priors, another first day, and another day effect.

        Parameters
        ----------
        since : sequence of date-like, optional
            First days that judge. Default: a quarter and half of the way through the days that judged.
        overdispersion : sequence, optional
            Day effects, as for ``tempo.weigh``. Default: Poisson, 0.1 to 1, learned; without the one that was used.

        Returns
        -------
        pandas.DataFrame
            Indexed by what was ``varied`` and ``to`` what. Columns are pairs: ``("prior", scenario)``,
            ``("probability", scenario)``, ``("answer", "leading")`` and ``("answer", "changed")``: whether another
            scenario leads than in the answer itself. The last rows of the prior say which prior makes a scenario an
            even bet: who believes in it more than that sees it ahead. For each first day, stories learn again what
            they learned, from the days before it alone.
        """
        starts = self.counts.bin_starts
        if since is None and len(starts) >= 8:
            dates = [starts[round(share * len(starts))] for share in (0.25, 0.5)]
        else:
            said = several(() if since is None else since, "since", "['2020-02-01']")
            dates = [as_date(day, "since") for day in said]
        given: list[object] = [None, (0.1, 1.0), "learn"]
        if overdispersion is not None:
            given = [*several(overdispersion, "overdispersion", "[(0.1, 1), 'learn']")]
        effects: list[tuple[str, object]] = []
        for effect in given:
            words = "Poisson" if effect is None else str(effect)
            if isinstance(effect, tuple) and all(map(is_number, effect)):
                words = " to ".join(f"{end:g}" for end in effect)
            if overdispersion is not None or not (effect is None and self.day_effect == "Poisson"):
                effects.append((words, effect))
        return sensitivity_table(self, self._again, dates=dates, effects=effects)

    def without(self, day: DateLike | None = None) -> pd.DataFrame:
        """Give the odds without the attack that made somebody ask.

        One looks at the odds after an attack and not on a quiet day, so that this attack is no fair evidence.

        Parameters
        ----------
        day : date-like, optional
            The day whose number is not to count; the last one with an attack when left out.

        Returns
        -------
        pandas.DataFrame
            One row each for the prior, the odds as of the morning of that day, the odds now with that day left out,
            and the odds now. ``attrs["why"]`` says it in words.
        """
        chosen = None if day is None else as_date(day, "day")
        return without_table(self, self._again, self.history(), self.counts, chosen)

    # -- what would change our mind ------------------------------------------------------------------------------

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
            scenario. Each scenario's own uncertainty is averaged over. Reported attacks, where some are not.

        Raises
        ------
        ScenarioError
            If so many attacks may come that the table would be too long.
        """
        days = self._future(horizon)
        share = reported_by_age(self._delay, len(days))
        table = chance_table(self._accounts, days, self._stream(2), share)
        table.attrs["counts"] = self._counted
        return table

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
        table.attrs["counts"] = self._counted
        return table

    def thresholds(
        self, threshold: float = 0.9, horizons: Sequence[str] = ("30D", "60D", "90D")
    ) -> pd.DataFrame:
        """Say how many attacks by which date would lift a scenario past a threshold, and how likely that is.

        Parameters
        ----------
        threshold : float, default 0.9
            Probability to reach.
        horizons : sequence of str, default ("30D", "60D", "90D")
            From the end of the data.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``days`` and the scenario that the number ``lifts``: ``by`` (last day), ``attacks`` (in words),
            ``least`` and ``most`` of them, ``chance under`` each scenario and under ``any`` (the mixture). It judges by
            the number at the end of the horizon alone.
        """
        _check_threshold(threshold)
        asked = several(horizons, "horizons", "['30D', '60D']")
        if not asked:
            raise OptionError("horizons is empty; expected a list such as ['30D', '60D'].")
        tables = {days_of(horizon): self.indicators(horizon) for horizon in asked}
        table = threshold_table(tables, list(self.prior.index), self._end, threshold)
        table.attrs["counts"] = self._counted
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
            Days, 0 where it is past the threshold already, NaN where silence never lifts it so far; the column
            ``days`` of ``silence``, which says how probable so long a silence is.
        """
        return self.silence(threshold, longest)["days"].rename("quiet_days")

    def silence(self, threshold: float = 0.9, longest: str = "365D") -> pd.DataFrame:
        """Say how long a silence would lift a scenario past a threshold, and how likely so long a silence is.

        Parameters
        ----------
        threshold : float, default 0.9
            Probability to reach.
        longest : str, default "365D"
            How far to look, from the end of the data.

        Returns
        -------
        pandas.DataFrame
            Indexed by the scenario that it lifts: ``days`` and ``weeks`` without any attack (0 where the scenario is
            past the threshold already, NaN where silence never lifts it so far), ``until`` (last of these days), and
            the ``chance under`` each scenario and under ``any`` (the mixture) of a silence of at least so many days.
            Where reports come late, of a record that shows no attack of these days by the last of them.
        """
        _check_threshold(threshold)
        future = self._future(longest, "longest")
        share, stream = reported_by_age(self._delay, len(future)), self._stream(6)
        logs = np.column_stack(
            [
                silent(account, future, one, share)
                for account, one in zip(
                    self._accounts, stream.spawn(len(self._accounts)), strict=True
                )
            ]
        )
        table = silence_table(logs, self.probabilities, self._end, threshold)
        table.attrs["counts"] = self._counted
        return table

    def time_to_decision(
        self,
        threshold: float = 0.9,
        horizon: str = "180D",
        *,
        futures: int = 1000,
        prob: float = 0.9,
        rng: RNGLike = None,
    ) -> pd.DataFrame:
        """Say how long it takes until the question is decided, by simulating futures and updating the odds in each.

        Parameters
        ----------
        threshold : float, default 0.9
            The question is decided when any scenario is so probable.
        horizon : str, default "180D"
            How far to look.
        futures : int, default 1000
            Futures under each scenario.
        prob : float, default 0.9
            Probability of the interval of the time.
        rng : int, Generator or None
            Draws the futures; the stream of the weights when left out.

        Returns
        -------
        pandas.DataFrame
            Indexed by the scenario that holds, and ``any`` for the mixture: probability that it is decided
            ``rightly`` (for the scenario that holds), ``wrongly``, or ``undecided`` within the horizon;
            ``median_days``, ``low_days``, ``high_days`` (infinite beyond the horizon), ``mean_days_if_decided``.
            Numbers of attacks judge, kinds and deaths do not. ``attrs`` holds the threshold, and how often it looks:
            daily up to a horizon of 60 days.
        """
        generator = self._stream(3) if rng is None else resolve(rng).generator
        return decision_table(
            self._accounts,
            self.probabilities,
            self._future(horizon),
            generator,
            threshold=threshold,
            futures=futures,
            prob=prob,
            share=reported_by_age(self._delay, days_of(horizon)),
        )

    # -- forecasts -----------------------------------------------------------------------------------------------

    def outlooks(
        self,
        horizon: str = "90D",
        draws: int = 10_000,
        rng: RNGLike = None,
        *,
        lethality: TollFit | None = None,
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
        lethality : LethalityFit, optional
            How deadly attacks are under scenarios that do not say so.

        Returns
        -------
        dict of str to Outlook
            By scenario name; with deaths where the scenario, or ``lethality``, says how many die.
        """
        check_draws(draws)
        return {
            account.scenario.name: self._outlook(
                account.scenario.name,
                self._paths({index: draws}, horizon, rng, lethality),
                rng,
                lethality,
                worth={index: 1.0},
            )
            for index, account in enumerate(self._accounts)
        }

    def outlook(
        self,
        horizon: str = "90D",
        draws: int = 10_000,
        rng: RNGLike = None,
        *,
        lethality: TollFit | None = None,
    ) -> Outlook:
        """Forecast under the mixture of scenarios, each with its weight.

        Parameters
        ----------
        horizon : str, default "90D"
            From the end of the data.
        draws : int, default 10,000
            Futures, shared out in proportion to the probabilities.
        rng : int, Generator or None
            Draws them; the stream of the weights when left out.
        lethality : LethalityFit, optional
            How deadly attacks are under scenarios that do not say so.

        Returns
        -------
        Outlook
            Named after the mixture; with deaths where all scenarios, or ``lethality``, say how many die.
        """
        paths = self._paths(self._shared_out(draws), horizon, rng, lethality)
        worth = dict(enumerate(self.probabilities.to_list()))
        return self._outlook("scenario mixture", paths, rng, lethality, worth=worth)

    def outlooks_by_kind(
        self, horizon: str = "90D", draws: int = 10_000, rng: RNGLike = None
    ) -> dict[str, Outlook]:
        """Forecast each kind of attack under the mixture of scenarios.

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
        dict of str to Outlook
            By kind. Draw number ``d`` of each is the same future, and the kinds add up to ``outlook``.

        Raises
        ------
        ScenarioError
            If no scenario tells kinds apart.
        """
        paths = self._paths(self._shared_out(draws), horizon, rng, None)
        if paths.by_kind is None:
            raise ScenarioError(
                "none of the scenarios tells kinds of attack apart. Give their phases kinds, or use outlook()."
            )
        return {
            kind: self._outlook(
                "scenario mixture",
                Paths(paths.by_kind[:, :, k], None, None, None, paths.capped),
                rng,
                None,
                kind,
            )
            for k, kind in enumerate(self._seen.kinds)
        }

    def decomposition(
        self,
        horizon: str = "90D",
        prob: float = 0.9,
        *,
        draws: int = 10_000,
        rng: RNGLike = None,
    ) -> pd.DataFrame:
        """Say which scenario the ends of the mixture's forecast come from.

        Parameters
        ----------
        horizon : str, default "90D"
            From the end of the data.
        prob : float, default 0.9
            Probability of the central interval.
        draws : int, default 10,000
            Futures for each scenario.
        rng : int, Generator or None
            Draws them; the stream of the weights when left out.

        Returns
        -------
        pandas.DataFrame
            Rows ``low``, ``median``, ``high``: ``attacks`` (the quantile of the mixture), ``outcome`` (so many or
            fewer, or so many or more), its ``chance``, and ``share of`` each scenario: the probability that the
            scenario holds, given that outcome.
        """
        levels = central_levels(prob)
        totals = [o.totals() for o in self.outlooks(horizon, draws, rng).values()]
        worth = self.probabilities.to_numpy()
        most = max(int(one.max()) for one in totals)
        below = (
            np.array([np.cumsum(np.bincount(one, minlength=most + 1)) for one in totals]) / draws
        )
        mixed = worth @ below
        rows = {}
        for name, level in zip(("low", "median", "high"), levels, strict=True):
            q = int(np.searchsorted(mixed, level - 1e-12))
            upper = name == "high"
            part = 1.0 - (below[:, q - 1] if q else 0.0) if upper else below[:, q]
            joint = worth * part
            rows[name] = {
                "attacks": q,
                "outcome": f"{q:,} or more" if upper else f"{q:,} or fewer" if q else "none",
                "chance": float(joint.sum()),
                **{
                    f"share of {key}": float(share)
                    for key, share in zip(self.prior.index, joint / joint.sum(), strict=True)
                },
            }
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.attrs["prob"] = prob
        table.attrs["horizon"] = horizon
        return table

    def _shared_out(self, draws: int) -> dict[int, int]:
        check_draws(draws)
        exact = self.probabilities.to_numpy() * draws
        shares = np.floor(exact).astype(int)
        for index in np.argsort(shares - exact, kind="stable")[: draws - int(shares.sum())]:
            shares[index] += 1
        return dict(enumerate(shares.tolist()))

    def _paths(
        self, shares: Mapping[int, int], horizon: str, rng: RNGLike, lethality: TollFit | None
    ) -> Paths:
        source = resolve(self._entropy if rng is None else rng)
        if lethality is not None:
            check_tolls(lethality)
        future = self._future(horizon)
        check_draws(sum(shares.values()), len(future))
        return joined_paths(
            self._accounts,
            shares,
            future,
            source.generator,
            seen=self._seen,
            lethality=lethality,
        )

    def _outlook(
        self,
        name: str,
        paths: Paths,
        rng: RNGLike,
        lethality: TollFit | None,
        kind: str = "",
        worth: Mapping[int, float] | None = None,
    ) -> Outlook:
        starts = pd.date_range(self._end, periods=paths.counts.shape[1], freq="1D", unit="us")
        notes = self.notes
        if paths.capped:
            notes = (*notes, "In some futures attacks multiply without end; they were cut off.")
        tolls = [
            None if part is None else paths_array(part, starts, what)
            for part, what in ((paths.deaths, "deaths"), (paths.deadliest, "deadliest"))
        ]
        return Outlook(
            counts=paths_array(paths.counts, starts),
            name=name,
            label=f"{self.counts.label}: {kind}" if kind else self.counts.label,
            rule=f"{self.counts.rule}, of kind {kind}" if kind else self.counts.rule,
            cutoff=self._end,
            bin_days=np.ones(len(starts)),
            seed=resolve(self._entropy if rng is None else rng).record,
            deaths=tolls[0],
            notes=notes,
            deadliest=tolls[1],
            toll="deaths" if lethality is None else lethality.toll,
            log_none=paths.log_none if worth is None else self._log_none(worth, paths),
        )

    def _log_none(self, worth: Mapping[int, float], paths: Paths) -> Floats | None:
        """Give the log-probability of no attack under scenarios that are worth so much: all draws, by their weights.

        Only where some attacks go unreported is it that of the futures' own draws.
        """
        held = {self._accounts[index]: share for index, share in worth.items() if share > 0}
        if any(account.reported is not None for account in held):
            return paths.log_none
        days = pd.date_range(self._end, periods=paths.counts.shape[1], freq="1D", unit="us")
        logs = np.array([silent(account, days, self._stream(7))[1:] for account in held])
        weights = np.array(list(held.values()))
        return np.asarray(special.logsumexp(logs, b=weights[:, None], axis=0))[None, :]

    def _future(self, horizon: str, what: str = "horizon") -> pd.DatetimeIndex:
        return pd.date_range(self._end, periods=days_of(horizon, what), freq="1D", unit="us")

    @property
    def _counted(self) -> str:
        """What tables of numbers to come count."""
        if self._delay is None:
            return "attacks of the days of the horizon"
        return "attacks of the days of the horizon that are in the record by its end"

    def _stream(self, purpose: int) -> np.random.Generator:
        """Give the generator of one purpose: asking one question changes no other answer."""
        return np.random.default_rng([self._entropy, purpose])

    # -- words ---------------------------------------------------------------------------------------------------

    def words(self) -> str:
        """Say in two or three sentences what the evidence did to the odds.

        Returns
        -------
        str
            Without causal language; the scale of the evidence is that of Kass and Raftery (1995). If no scenario
            explains what was observed, or none expected so many or so few attacks, it says so.
        """
        text = odds_sentence(
            self.prior,
            self.probabilities,
            self.log_evidence,
            since=self.since,
            seen=self._judged.seen if self._judged.speaks else None,
        )
        doubt = unexplained(self.log_evidence, self.free_log_evidence)
        return " ".join(part for part in (text, doubt or self._outside) if part)

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{name} {percent(after)} (prior {percent(before)})"
            for name, before, after in zip(
                self.prior.index, self.prior.to_list(), self.probabilities.to_list(), strict=True
            )
        )
        seen = f"judged on {self._judged.seen} since {self.since:%Y-%m-%d}"
        if not self._judged.speaks:
            seen = "which no day has judged yet"
        return f"Weights as of {self._end:%Y-%m-%d}, {seen}: {shares}" + (
            "" if self.explained else "; none of the scenarios explains what was observed"
        )


def _check_threshold(threshold: float) -> None:
    if not is_number(threshold) or not 0 < threshold < 1:
        raise OptionError(
            f"threshold is {threshold!r}; expected a probability between 0 and 1, such as 0.9."
        )
