"""Regimes: levels of activity that come and go and come again. The specification and its `fit`."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.errors import DataError, OptionError
from tempo.models.inputs import few_events_note, imputed_series
from tempo.models.provenance import Provenance
from tempo.models.regime_data import RegimeData, prepare
from tempo.models.regime_fit import RegimesFit
from tempo.models.regime_fitting import doubts, fit_part, remarks
from tempo.models.regime_mle import Optimum, maximum_likelihood
from tempo.models.regime_posterior import RegimesPrior
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Regimes"]

type Floats = NDArray[np.float64]

METHODS = ("mle", "laplace", "nuts")
MOST_REGIMES = 8
STAGES = (1, 2, 3, 5, 8)  # tried where a stay's shape is learned


@dataclass(frozen=True)
class Regimes:
    """Recurring regimes: a hidden state (a lull, harassment, escalation) sets the rate, and switches now and then.

    With ``e_t`` the observed share of bin ``t`` and ``S_t`` the regime in it,

        Y_t | S_t = k ~ Poisson(m) or NegBin(m, variance m + dispersion m^2),   m = e_t rate_k + branching X_t.

    ``S`` is a Markov chain that starts from its long-run distribution; with ``duration="negbin"`` it is semi-Markov: a
    stay lasts ``stages`` bins and a negative binomial number of them more, so that very short stays become rare.
    ``X_t = sum_j h_j Y_{t-j}`` is there only with ``contagion``, a Markov-switching Hawkes model: the baseline
    switches, the excitation is shared, and because ``X`` depends on what was observed alone, the likelihood stays
    exact. A bin that nobody watched contributes nothing (and enters ``X`` as a mean count). Regimes are numbered by
    their rate, 0 is the quietest.

    Parameters
    ----------
    n_regimes : int, default 2
        How many; ``Regimes.compare`` weighs the choice.
    observation : {"poisson", "negbin"}
        How counts scatter around their mean within a regime.
    duration : {"geometric", "negbin"}
        Distribution of the length of a stay.
    stages : int, optional
        With ``duration="negbin"``: the shape of a stay, and the fewest bins that it lasts. Left out, the likeliest of
        1, 2, 3, 5 and 8.
    contagion : bool, default False
        Whether attacks excite further attacks as well, with a geometric kernel as in ``Hawkes``.
    prior : RegimesPrior
        Proper and stated; used by "nuts", "laplace" and for the evidence.

    Notes
    -----
    Zucchini & MacDonald (2009), Hidden Markov Models for Time Series; Langrock & Zucchini (2011), Comput. Stat. Data
    Anal. 55, for stays in expanded states.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=360, freq="1D")
    >>> quiet, busy = [0, 0, 1, 0, 0, 0], [2, 4, 3, 1, 3, 5]
    >>> fit = Regimes(n_regimes=2).fit(pd.Series((quiet * 10 + busy * 5) * 4, index=days), rng=7)
    >>> fit.rates.round(2).tolist(), fit.filtered.iloc[-1].round(2).tolist()
    ([0.17, 2.99], [0.0, 1.0])
    """

    n_regimes: int = 2
    observation: Literal["poisson", "negbin"] = "poisson"
    duration: Literal["geometric", "negbin"] = "geometric"
    stages: int | None = None
    contagion: bool = False
    prior: RegimesPrior = field(default_factory=RegimesPrior)

    def __post_init__(self) -> None:
        if (
            isinstance(self.n_regimes, bool)
            or not isinstance(self.n_regimes, int | np.integer)
            or not 1 <= self.n_regimes <= MOST_REGIMES
        ):
            raise OptionError(
                f"n_regimes is {self.n_regimes!r}; expected a whole number from 1 to {MOST_REGIMES}."
            )
        for name, value, known in (
            ("observation", self.observation, ("poisson", "negbin")),
            ("duration", self.duration, ("geometric", "negbin")),
        ):
            if value not in known:
                raise OptionError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
        if self.stages is not None and (
            isinstance(self.stages, bool)
            or not isinstance(self.stages, int | np.integer)
            or self.stages < 1
            or (self.duration == "geometric" and self.stages != 1)
        ):
            raise OptionError(
                f"stages is {self.stages!r}; expected a whole number from 1 up, with duration='negbin', or None."
            )
        if not isinstance(self.contagion, bool):
            raise OptionError(f"contagion is {self.contagion!r}; expected True or False.")
        if not isinstance(self.prior, RegimesPrior):
            raise OptionError(
                f"prior is {self.prior!r}; expected tempo.models.regime_posterior.RegimesPrior(...)."
            )

    def fit(
        self,
        data: Incidents | pd.Series,
        *,
        method: Literal["mle", "laplace", "nuts"] = "mle",
        rng: RNGLike = None,
        imputations: int = 20,
        draws: int = 1_000,
        progress: bool | None = None,
    ) -> RegimesFit:
        """Fit the regimes.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened. Incidents are counted by day.
        method : {"mle", "laplace", "nuts"}
            Maximum likelihood from many starts; Laplace approximation with Pareto-smoothed importance resampling, which
            falls back to sampling when its k-hat passes 0.7; or sampling with the hidden regimes summed out.
        rng : int, Generator or None
            For posterior draws, for paths, and for dates that are known only to an interval. The maximum of the
            likelihood does not depend on it.
        imputations : int, default 20
            How many series to average over where dates are uncertain.
        draws : int, default 1000
            Draws of the parameters in each of four chains.
        progress : bool, optional
            Progress bar of the sampler; left out, only in interactive use.

        Returns
        -------
        RegimesFit
            Frozen. It carries ``rates``, ``transition``, ``filtered``, ``smoothed``, ``simulate()`` and the rest.

        Raises
        ------
        DataError
            If no bin was observed.

        Warns
        -----
        FewEventsWarning
            Fewer than 25 events.
        ConvergenceWarning
            The optimiser, sampler or approximation missed its own standard.
        """
        if method not in METHODS:
            raise OptionError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
        if draws < 50:
            raise OptionError(f"draws is {draws}; expected at least 50 for each of four chains.")
        randomness = resolve(rng)
        series, notes = imputed_series(data, imputations, randomness.generator)
        arranged = [self._arranged(counts, self.stages or 1) for counts in series]
        notes = [*notes, *few_events_note(series[0], stacklevel=2)]
        stages, found = self._optima(series, arranged)
        bin_days = float(series[0].bin_days.mean())
        kept = math.ceil(draws / len(series))
        parts = [
            fit_part(self.prior, data_of, optimum, bin_days, method, kept, generator, progress)
            for (data_of, optimum), generator in zip(
                found, spawn(randomness.generator, len(found)), strict=True
            )
        ]
        notes += doubts(parts, method, stacklevel=2)
        notes += remarks(parts[0])
        used: Literal["mle", "laplace", "nuts"] = (
            "nuts" if any(part.method == "nuts" for part in parts) else method
        )
        return RegimesFit(
            model=self,
            counts=series[0],
            provenance=Provenance.of(
                series[0], model=self, method=used, seed=randomness.record, notes=notes
            ),
            method=used,
            stages=stages,
            parts=tuple(parts),
        )

    def _optima(
        self, series: list[Counts], arranged: list[RegimeData]
    ) -> tuple[int, list[tuple[RegimeData, Optimum]]]:
        """Climb the likelihood of each series; the shape of a stay is learned from the first."""
        first = maximum_likelihood(arranged[0])
        stages = self.stages or 1
        if self.duration == "negbin" and self.stages is None and self.n_regimes > 1:
            for more in STAGES[1:]:
                trial = self._arranged(series[0], more)
                start = first.theta.copy()
                ratio = math.log(more / stages)
                start[self.n_regimes : 2 * self.n_regimes] += ratio
                better = maximum_likelihood(trial, [start, 0.5 * (start + first.theta)])
                if better.llf > first.llf:
                    first, stages = better, more
            arranged = [self._arranged(counts, stages) for counts in series]
        starts = [first.theta]
        rest = [maximum_likelihood(one, starts) for one in arranged[1:]]
        return stages, list(zip(arranged, [first, *rest], strict=True))

    def _arranged(self, counts: Counts, stages: int) -> RegimeData:
        values = counts.to_numpy(dtype=float)
        exposure = np.where(np.isnan(values), 0.0, counts.exposure.to_numpy(dtype=float))
        if not (exposure > 0).any():
            raise DataError(
                f"none of the {len(counts)} bins was observed (exposure 0 throughout). Choose a window that was "
                "watched."
            )
        return prepare(
            values,
            exposure,
            int(self.n_regimes),
            int(stages),
            negbin=self.observation == "negbin",
            contagion=self.contagion,
        )

    @classmethod
    def compare(
        cls,
        data: Incidents | pd.Series,
        up_to: int = 4,
        *,
        method: Literal["mle", "nuts"] = "mle",
        rng: RNGLike = None,
        observation: Literal["poisson", "negbin"] = "poisson",
        duration: Literal["geometric", "negbin"] = "geometric",
        contagion: bool = False,
        prior: RegimesPrior | None = None,
        imputations: int = 20,
    ) -> pd.DataFrame:
        """Weigh how many regimes there are.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened.
        up_to : int, default 4
            Largest number of regimes.
        method : {"mle", "nuts"}
            With "nuts" the table has the leave-one-out score as well, which takes longer.
        rng : int, Generator or None
            For the evidence, and for sampling.
        observation, duration, contagion, prior, imputations
            As for the class and its ``fit``.

        Returns
        -------
        pandas.DataFrame
            Indexed by the number of regimes: ``llf``, ``n_parameters``, ``aic``, ``bic``, ``log_evidence`` (with its
            Monte Carlo ``evidence_error``, and ``khat``: above 0.7 it is unsafe), ``probability`` by evidence if
            each number was as likely before; with "nuts" ``elpd_loo`` and its ``se``. ``attrs["best"]`` gives the
            number that each measure prefers. Evidence depends on the prior: halving the width of the prior of the rates
            adds up to 0.7 for each regime.

        Examples
        --------
        >>> days = pd.date_range("2020-01-01", periods=180, freq="1D")
        >>> counts = pd.Series(([0, 0, 1, 0, 0, 0] * 10 + [2, 4, 3, 1, 3, 5] * 5) * 2, index=days)
        >>> table = Regimes.compare(counts, up_to=2, rng=7)
        >>> table["bic"].idxmin(), table["probability"].round(2).tolist()
        (2, [0.0, 1.0])
        """
        if method not in {"mle", "nuts"}:
            raise OptionError(f"method is {method!r}; expected 'mle' or 'nuts'.")
        if not isinstance(up_to, int | np.integer) or not 1 <= up_to <= MOST_REGIMES:
            raise OptionError(
                f"up_to is {up_to!r}; expected a whole number from 1 to {MOST_REGIMES}."
            )
        generator = resolve(rng).generator
        rows = []
        for k in range(1, up_to + 1):
            model = cls(k, observation, duration, None, contagion, prior or RegimesPrior())
            with warnings.catch_warnings():
                if k > 1:  # said once
                    warnings.simplefilter("ignore")
                fit = model.fit(data, method=method, rng=generator, imputations=imputations)
            rows.append(_measures(fit))
        table = pd.DataFrame(rows, index=pd.RangeIndex(1, up_to + 1, name="n_regimes"))
        weight = table["log_evidence"]
        place = table.columns.tolist().index("khat") + 1
        table.insert(place, "probability", np.exp(weight - logsumexp(weight)))
        best = {"aic": "idxmin", "bic": "idxmin", "log_evidence": "idxmax", "elpd_loo": "idxmax"}
        table.attrs["best"] = {
            name: int(getattr(table[name], how)()) for name, how in best.items() if name in table
        }
        return table


def _measures(fit: RegimesFit) -> dict[str, float]:
    measures = {
        "llf": fit.llf,
        "n_parameters": fit.n_parameters,
        "aic": fit.aic,
        "bic": fit.bic,
        "log_evidence": fit.log_evidence,
        "evidence_error": fit.evidence_error,
        "khat": fit.evidence_khat,
    }
    if fit.method != "mle":
        from arviz_stats import loo

        with (
            warnings.catch_warnings()
        ):  # a bin that few draws explain is common, and widens the error
            warnings.simplefilter("ignore", UserWarning)
            score = loo(fit.posterior)
        measures |= {"elpd_loo": float(score.elpd), "se": float(score.se)}
    return measures
