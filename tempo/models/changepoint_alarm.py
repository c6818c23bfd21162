"""An alarm that watches day by day for a new regime, with a false-alarm rate that is stated and simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import gamma

from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.errors import OptionError
from tempo.models.changepoint_watch import watch_paths
from tempo.models.observation import draw
from tempo.randomness import RNGLike, resolve

__all__ = ["Alarm"]

type Floats = NDArray[np.float64]

_MULTIPLES = 12
_PATHS = (
    1_000  # simulated quiet series behind a threshold: its average run length is known to about 5 %
)


@dataclass(frozen=True)
class Alarm:
    r"""A rule that says each day whether the pace has left its usual level, at a stated rate of false alarms.

    Before the change counts are Poisson with the usual rate :math:`\lambda_0`. From an unknown day on their rate is
    :math:`\lambda_0` times a multiple that is not known: a Gamma variable with mean ``ratio``, of which only the part
    above 1 counts (below 1 for a lull), so that silence never sounds an alarm for a rise. It is averaged over twelve
    equally probable values. The statistic is the posterior probability that this day has come (Shiryaev 1963, Theory
    of Probability and its Applications 8), the sum over all days on which it may have; the alarm sounds when it
    passes ``threshold``. The threshold is found by simulation, so that a series
    whose rate never changes sounds it once in ``false_alarm_bins`` bins on average.

    Parameters
    ----------
    usual_rate : float
        Events per whole bin while nothing has changed, such as ``fit.segments["rate"].iloc[-1]``.
    ratio : float, default 3
        About the rate after the change, as a multiple of the usual one; below 1 the alarm is for a lull.
    false_alarm_bins : float, default 365
        Average number of bins from the start of watching to a false alarm (average run length).
    dispersion : float, default 0
        Of quiet counts, variance ``m + dispersion m²``. The threshold allows for it: bursts are not changes.
    shape : float, default 2
        Of the Gamma distribution of the multiple, before its part on the other side of 1 is cut off; larger is surer
        of ``ratio``.

    Notes
    -----
    The usual rate is taken as known. With 30 events behind it, it may be off by a third, and the false-alarm rate by
    much more: watch with the upper limit of the rate where false alarms are expensive.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=80, freq="1D")
    >>> counts = pd.Series([0, 0, 1, 0] * 15 + [1, 2, 0, 3] * 5, index=days)
    >>> watched = Alarm(usual_rate=0.25, false_alarm_bins=200).watch(counts)
    >>> watched.index[watched["alarm"]][0] < days[70], bool(watched["alarm"].iloc[:60].any())
    (True, False)
    """

    usual_rate: float
    ratio: float = 3.0
    false_alarm_bins: float = 365.0
    dispersion: float = 0.0
    shape: float = 2.0

    def __post_init__(self) -> None:
        for name in ("usual_rate", "ratio", "false_alarm_bins", "shape"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise OptionError(f"{name} is {value!r}; expected a number above 0.")
        if self.ratio == 1:
            raise OptionError(
                "ratio is 1: a rate that stays is no change. Use 3 to watch for escalation, 1/3 for a lull."
            )
        if not (math.isfinite(self.dispersion) and self.dispersion >= 0):
            raise OptionError(f"dispersion is {self.dispersion!r}; expected 0 or more.")
        if self.false_alarm_bins < 10:
            raise OptionError(
                f"false_alarm_bins is {self.false_alarm_bins:g}; expected at least 10. An alarm that is false more "
                "often than that says nothing."
            )

    @cached_property
    def multiples(self) -> NDArray[np.float64]:
        """What the rate may be after the change, as multiples of the usual one, each as probable as the others."""
        law = gamma(self.shape, scale=self.ratio / self.shape)
        low, high = (law.cdf(1.0), 1.0) if self.ratio > 1 else (0.0, law.cdf(1.0))
        middles = (np.arange(_MULTIPLES) + 0.5) / _MULTIPLES
        return np.asarray(law.ppf(low + (high - low) * middles))

    @cached_property
    def threshold(self) -> float:
        """The probability of a change at which the alarm sounds.

        From 1,000 simulated quiet series, always the same ones. The time to a false alarm is about geometric, so that
        37 % of them, a share of 1/e, must pass ``false_alarm_bins`` bins in silence.
        """
        n_bins = math.ceil(self.false_alarm_bins)
        highest = self._odds(self._quiet(_PATHS, n_bins, np.random.default_rng(0))).max(axis=1)
        odds = float(np.quantile(highest, math.exp(-n_bins / self.false_alarm_bins)))
        return odds / (1 + odds)

    def watch(self, counts: Incidents | pd.Series) -> pd.DataFrame:
        """Watch a series, each bin in the light of itself and those before it.

        Parameters
        ----------
        counts : Incidents, Counts or Series
            From when watching began on. Bins that nobody observed leave the probability as it was.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin: ``probability`` (that the rate has left its usual level), ``alarm`` (whether that passes
            the threshold), ``since`` (the most probable first bin of the new regime, if there is one).
        """
        series = as_counts(counts)
        values = series.to_numpy(dtype=float)
        exposure = np.where(np.isnan(values), 0.0, series.exposure.to_numpy(dtype=float))
        odds, since = self._filter(np.nan_to_num(values)[None], exposure)
        probability = odds[0] / (1 + odds[0])
        return pd.DataFrame(
            {
                "probability": probability,
                "alarm": probability > self.threshold,
                "since": series.bin_starts[since[0]],
            },
            index=series.bin_starts,
        )

    def run_lengths(
        self, rate: float, draws: int = 1_000, rng: RNGLike = None
    ) -> NDArray[np.int64]:
        """Simulate how long it takes until the alarm sounds when the rate is this from the first bin on.

        Parameters
        ----------
        rate : float
            Events per bin: the usual one for the time to a false alarm, another one for the delay of a true one.
        draws : int, default 1000
            How many series.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws,)
            Bins until the alarm, that bin included; ten times ``false_alarm_bins`` where it never sounded.
        """
        generator = resolve(rng).generator
        limit = math.ceil(10 * self.false_alarm_bins)
        out = np.full(draws, limit, dtype=np.int64)
        bar = self.threshold / (1 - self.threshold)
        quick = rate > self.usual_rate if self.ratio > 1 else rate < self.usual_rate
        step = math.ceil(self.false_alarm_bins / (2 if quick else 0.25))
        waiting = np.arange(draws)
        n_bins = step
        means = generator.spawn(1)[0]
        seen = np.empty((draws, 0))
        while waiting.size:
            fresh = draw(
                np.full((waiting.size, n_bins - seen.shape[1]), rate), self.dispersion, means
            )
            seen = np.concatenate([seen, fresh], axis=1)
            passed = self._odds(seen) > bar
            sounded = passed.any(axis=1)
            out[waiting[sounded]] = passed[sounded].argmax(axis=1) + 1
            waiting, seen = waiting[~sounded], seen[~sounded]
            if n_bins >= limit:
                break
            n_bins = min(2 * n_bins, limit)
        return out

    # ------------------------------------------------------------------ inside

    def _quiet(self, paths: int, n_bins: int, generator: np.random.Generator) -> Floats:
        return draw(np.full((paths, n_bins), self.usual_rate), self.dispersion, generator).astype(
            float
        )

    def _odds(self, counts: Floats) -> Floats:
        return self._filter(counts, np.ones(counts.shape[1]))[0]

    def _filter(self, counts: Floats, exposure: Floats) -> tuple[Floats, NDArray[np.int64]]:
        hazard = 1 / self.false_alarm_bins
        odds, since = watch_paths(
            np.ascontiguousarray(counts, dtype=float),
            exposure,
            self.usual_rate,
            self.multiples,
            hazard,
        )
        return odds, since
