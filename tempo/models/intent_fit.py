"""A fit of intent: the probability of lethal intent for each attack, the classes, and whether two are needed."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.rounding import counted, interval, number, percent
from tempo.data.window import DateLike, as_date
from tempo.errors import ConvergenceWarning, OptionError
from tempo.models.chance import Chance
from tempo.models.checks import check_table, row
from tempo.models.intent_kernels import classify, gibbs_apart
from tempo.models.intervals import interval_levels
from tempo.models.lethality_words import words_for
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve, spawn

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.intent import Intent

__all__ = ["IntentFit", "Reading", "worst_rhat"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

CLASSES = ("harassment", "lethal intent")
REPLICATES = 1_000
MOST_CELLS = 5_000_000  # draws times attacks to hold at a time
WARM_UP, THIN = 500, 4
LARGEST_RHAT = 1.01


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of each attack.

    Attributes
    ----------
    low, high : ndarray of int, shape (n,)
        Salvo as an interval; low 0: unknown, high 0: no upper end.
    categories : ndarray of int, shape (n, c)
        Level of each category, -1 unknown.
    levels : ndarray of int, shape (c,)
        Number of levels of each.
    names : tuple of tuple of str
        Names of the levels.
    outcomes : ndarray of int, shape (n, o)
        1 happened, 0 did not, -1 unknown.
    ids : ndarray, shape (n,)
        What the table calls each attack.
    dates : ndarray of datetime64, shape (n,)
        First possible day.
    """

    low: Ints
    high: Ints
    categories: Ints
    levels: Ints
    names: tuple[tuple[str, ...], ...]
    outcomes: Ints
    ids: NDArray[Any]
    dates: NDArray[np.datetime64]

    @property
    def arrays(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """What the kernels take."""
        return self.low, self.high, self.categories, self.levels, self.outcomes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what was read."""
        digest = hashlib.sha256()
        for values in self.arrays:
            digest.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class IntentFit:
    """Attacks classified into harassment and lethal intent.

    Attributes
    ----------
    model : Intent
        The specification.
    label : str
        What the attacks are.
    provenance : Provenance
        How to make it again; doubts as notes.
    log_evidence : pandas.Series
        Log marginal likelihood with one class and with two.
    rhat : float
        Agreement of the chains: at most 1.01 is good.
    """

    model: Intent
    label: str
    provenance: Provenance
    log_evidence: pd.Series
    rhat: float
    _reading: Reading = field(repr=False)
    _share: Floats = field(repr=False)
    _stop: Floats = field(repr=False)
    _mix: Floats = field(repr=False)
    _happens: Floats = field(repr=False)

    @cached_property
    def attacks(self) -> pd.DataFrame:
        """Classification of each attack, in the order of the incidents.

        ``date_start``, what was used (``salvo`` as text, categories, outcomes as "yes", "no", "unknown"), and
        ``probability`` that the attack is of the class called lethal intent, uncertainty about the classes included.
        """
        reading = self._reading
        columns: dict[str, object] = {"date_start": reading.dates}
        if self.model.size is not None:
            columns["salvo"] = [
                _salvo(low, high) for low, high in zip(reading.low, reading.high, strict=True)
            ]
        for c, column in enumerate(self.model.categories):
            names = np.array([*reading.names[c], "unknown"], dtype=object)
            columns[column] = names[reading.categories[:, c]]
        said = np.array(["no", "yes", "unknown"], dtype=object)
        for o, column in enumerate(self.model.outcomes):
            columns[column] = said[reading.outcomes[:, o]]
        columns["probability"] = self._classified(MOST_CELLS)[0].mean(axis=0)
        return pd.DataFrame(columns, index=pd.Index(reading.ids, name="id"))

    @property
    def two_classes(self) -> float:
        """Probability that two classes describe the attacks better than one, both being as likely beforehand."""
        gain = self.log_evidence["two classes"] - self.log_evidence["one class"]
        return float(special.expit(gain))

    def share(self, prob: float = 0.9) -> Chance:
        """Give the share of attacks with lethal intent.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        Chance
            Of the process behind the attacks, which is what the next attack is drawn from.
        """
        return Chance.of(self._share.ravel(), prob)

    def classes(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what distinguishes the classes.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by quantity (mean salvo, shares of each category, chance of each outcome), columns pairs of class
            and ``median, low, high``.
        """
        rows: dict[str, list[float]] = {}
        if self.model.size is not None:
            rows["mean salvo"] = _both(1 / self._stop, prob)
        start = 0
        for column, names in zip(self.model.categories, self._reading.names, strict=True):
            for k, name in enumerate(names):
                if name != "unknown":
                    rows[f"{column}: {name}"] = _both(self._mix[..., start + k], prob)
            start += len(names)
        for o, column in enumerate(self.model.outcomes):
            rows[words_for(column).any] = _both(self._happens[..., o], prob)
        columns = pd.MultiIndex.from_product([CLASSES, ("median", "low", "high")])
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        table.attrs["prob"] = prob
        return table

    def compare(self, date: DateLike, *, prob: float = 0.9, rng: RNGLike = 0) -> pd.DataFrame:
        """Compare the share of lethal intent before a date with that from it on.

        Each side has a share of its own, with the prior of the model; what distinguishes the classes is common to
        both. The attacks are classified anew under these two shares, by as many draws as the fit has.

        Parameters
        ----------
        date : date-like
            Where the attacks are divided, by the first day on which each may have come.
        prob : float, default 0.9
            Content of the interval.
        rng : int or Generator, default 0
            Draws classes and shares.

        Returns
        -------
        pandas.DataFrame
            Rows ``before`` and ``from``: ``attacks``, ``share, low, high``. ``attrs["higher"]`` is the probability
            that the later share is the higher one, beforehand one half; ``attrs["rhat"]`` the agreement of the chains.
            A different share is no proof of a decision.

        Raises
        ------
        OptionError
            If no attack lies on one side.

        Warns
        -----
        ConvergenceWarning
            The chains disagree.
        """
        edges = interval_levels(prob)
        day = as_date(date, "date")
        later = self._reading.dates >= np.datetime64(day)
        if later.all() or not later.any():
            raise OptionError(
                f"all attacks lie on one side of {day:%Y-%m-%d}; choose a day between the first and the last."
            )
        model, (chains, draws) = self.model, self._share.shape
        side = later.astype(np.int64)
        drawn = np.stack(
            [
                gibbs_apart(
                    *self._reading.arrays,
                    *model.prior.beta(model.outcomes),
                    model.prior.concentration,
                    WARM_UP,
                    draws,
                    THIN,
                    side,
                    2,
                    stream,
                )[0]
                for stream in spawn(resolve(rng).generator, chains)
            ]
        )
        rhat = worst_rhat(drawn)
        if not rhat <= LARGEST_RHAT:
            text = f"the chains disagree (r-hat {rhat:.3f}, limit {LARGEST_RHAT}): fit with more draws (draws=)."
            warnings.warn(ConvergenceWarning(text), stacklevel=2)
        shares = {"before": drawn[..., 0].ravel(), "from": drawn[..., 1].ravel()}
        table = pd.DataFrame.from_dict(
            {
                name: [int(rows.sum()), shares[name].mean(), *np.quantile(shares[name], edges)]
                for name, rows in (("before", ~later), ("from", later))
            },
            orient="index",
            columns=["attacks", "share", "low", "high"],
        ).astype({"attacks": int})
        table.attrs |= {
            "prob": prob,
            "date": day,
            "higher": float((shares["from"] > shares["before"]).mean()),
            "rhat": rhat,
        }
        return table

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the sampler, and whether the classes explain how size and outcomes go together.

        Parameters
        ----------
        rng : int or Generator, default 0
            Simulates what the fit expects.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning.
        """
        ok = self.rhat <= 1.01
        rows = [
            row(
                "chains (r-hat)",
                self.rhat,
                1.01,
                ok,
                "The chains agree." if ok else "The chains disagree.",
            ),
            self._largest(resolve(rng).generator),
        ]
        rows += [
            self._together(*pair, resolve(rng).generator)
            for pair in itertools.combinations(range(len(self.model.outcomes)), 2)
        ]
        return check_table(rows)

    def _largest(self, source: np.random.Generator) -> tuple[str, float, float, bool, str]:
        name, reading = "largest salvo", self._reading
        seen = reading.low[(reading.low == reading.high) & (reading.low > 0)]
        if self.model.size is None or len(seen) < 5:
            return row(name, np.nan, 0.01, True, "Too few exact salvos: nothing to test.")
        share, stop = self._thinned(self._share), self._thinned(self._stop)
        lethal = source.random((len(share), len(seen))) < share[:, None]
        drawn = source.geometric(np.where(lethal, stop[:, 1:], stop[:, :1])).max(axis=1)
        above, below = (drawn >= seen.max()).mean(), (drawn <= seen.max()).mean()
        value = float(min(1.0, 2 * min(above, below)))
        fits = value >= 0.01
        words = "is one" if fits else "is not one"
        return row(
            name,
            value,
            0.01,
            fits,
            f"The largest salvo ({seen.max()}) {words} that the classes expect.",
        )

    def _together(
        self, first: int, second: int, source: np.random.Generator
    ) -> tuple[str, float, float, bool, str]:
        names = [self.model.outcomes[o] for o in (first, second)]
        name, outcomes = f"{names[0]} and {names[1]} together", self._reading.outcomes
        known = (outcomes[:, first] >= 0) & (outcomes[:, second] >= 0)
        seen = int((outcomes[known, first] * outcomes[known, second]).sum())
        share, happens = self._thinned(self._share), self._thinned(self._happens)
        lethal = source.random((len(share), int(known.sum()))) < share[:, None]
        both = happens[..., first] * happens[..., second]
        drawn = (source.random(lethal.shape) < np.where(lethal, both[:, 1:], both[:, :1])).sum(1)
        value = float(min(1.0, 2 * min((drawn >= seen).mean(), (drawn <= seen).mean())))
        fits = value >= 0.01
        meaning = (
            "The classes explain how often both happen in one attack."
            if fits
            else "Both happen in one attack more or less often than the classes expect: two classes are too few."
        )
        return row(name, value, 0.01, fits, meaning)

    def _classified(self, most_cells: int) -> tuple[Floats, Floats]:
        """Classify the attacks under evenly spaced draws, as many as the number of cells allows."""
        draws = [self._share, self._stop, self._mix, self._happens]
        joined = [np.concatenate(list(values)) for values in draws]  # the chains, one after another
        step = -(-len(joined[0]) * len(self._reading.low) // most_cells)
        found: tuple[Floats, Floats] = classify(
            *self._reading.arrays, *(values[::step] for values in joined)
        )
        return found

    def _thinned(self, values: Floats) -> Floats:
        joined = np.concatenate(list(values))
        return joined[:: max(len(joined) // REPLICATES, 1)]

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws as ArviZ expects them: posterior, log_likelihood (classes summed over), observed_data, sample_stats."""
        import xarray as xr

        reading, two = self._reading, ("chain", "draw")
        step = -(-self._share.size * len(reading.low) // MOST_CELLS)
        share, stop, mix, happens = (
            values[:, ::step] for values in (self._share, self._stop, self._mix, self._happens)
        )
        flat = (np.concatenate(list(values)) for values in (share, stop, mix, happens))
        _, likelihood = classify(*reading.arrays, *flat)
        along = {"chain": np.arange(share.shape[0]), "draw": np.arange(share.shape[1])}
        variables: dict[str, tuple[tuple[str, ...], Floats]] = {"share": (two, share)}
        coords: dict[str, object] = {"class": list(CLASSES)}
        if self.model.size is not None:
            variables["mean_salvo"] = ((*two, "class"), 1 / stop)
        start = 0
        for column, names in zip(self.model.categories, reading.names, strict=True):
            variables[f"{column}_share"] = (
                (*two, "class", column),
                mix[..., start : start + len(names)],
            )
            coords[column] = list(names)
            start += len(names)
        for o, column in enumerate(self.model.outcomes):
            variables[f"any_{column}"] = ((*two, "class"), happens[..., o])
        observed = {
            "salvo_low": (("attack",), reading.low),
            "salvo_high": (("attack",), reading.high),
        }
        for o, column in enumerate(self.model.outcomes):
            observed[f"any_{column}"] = (("attack",), reading.outcomes[:, o])
        attack = np.arange(len(reading.low))
        return xr.DataTree.from_dict(
            {
                "posterior": xr.Dataset(variables, coords={**along, **coords}),
                "log_likelihood": xr.Dataset(
                    {"attack_record": ((*two, "attack"), likelihood.reshape(*share.shape, -1))},
                    coords={**along, "attack": attack},
                ),
                "observed_data": xr.Dataset(observed, coords={"attack": attack}),
                "sample_stats": xr.Dataset(coords=along),
            }
        )

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the posterior.

        Parameters
        ----------
        prob : float, default 0.9
            Content of the central interval.

        Returns
        -------
        pandas.DataFrame
            mean, sd, low, high of the share, the mean salvos and the chances.
        """
        columns = {"share of lethal intent": self._share}
        for k, name in enumerate(CLASSES):
            if self.model.size is not None:
                columns[f"mean salvo ({name})"] = 1 / self._stop[..., k]
            for o, column in enumerate(self.model.outcomes):
                columns[f"P({column} >= 1) ({name})"] = self._happens[..., k, o]
        edges = interval_levels(prob)
        table = pd.DataFrame.from_dict(
            {
                name: [values.mean(), values.std(), *np.quantile(values, edges)]
                for name, values in columns.items()
            },
            orient="index",
            columns=["mean", "sd", "low", "high"],
        )
        table.attrs["prob"] = prob
        return table

    def describe(self) -> str:
        """Say in a few sentences what was found.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        attacks = self.attacks["probability"]
        clear = int((attacks >= 0.9).sum()), int((attacks <= 0.1).sum())
        unclear = len(attacks) - sum(clear)
        text = (
            f"Of {counted(len(attacks), self.label)}, {clear[0]} look like lethal intent and {clear[1]} like "
            f"harassment with a probability of 90 % or more; {unclear} cannot be told. The share of lethal intent is "
            f"{self.share()}."
        )
        two = self.two_classes
        if two < 0.75:
            text += (
                f" Two classes are not needed to describe these attacks (probability {percent(two)}): do not build on "
                "the division."
            )
        else:
            text += f" Two classes describe the attacks better than one with probability {percent(two)}."
        if self.model.size is not None:
            low, high = np.median(1 / self._stop, axis=(0, 1)).tolist()
            text += f" A salvo has {number(low)} munitions on average in the one and {number(high)} in the other."
        return (
            text
            + " Intent itself is not observed: the classes are what their stated priors call them."
        )

    def __repr__(self) -> str:
        return (
            f"IntentFit: share of lethal intent {self.share()}; {counted(len(self.attacks), 'attacks')}; two classes "
            f"needed with probability {percent(self.two_classes)}"
        )


def worst_rhat(chances: Floats) -> float:
    """Give the worst r-hat of some chances, on the scale of log odds.

    Parameters
    ----------
    chances : ndarray, shape (chains, draws, k)
        Draws.

    Returns
    -------
    float
        At most 1.01 is good.

    Examples
    --------
    >>> bool(worst_rhat(np.random.default_rng(1).uniform(size=(4, 500, 2))) < 1.01)
    True
    """
    from arviz_stats.base import array_stats

    odds = np.moveaxis(special.logit(chances), -1, 0)
    return float(max(array_stats.rhat(odds, chain_axis=1, draw_axis=2)))


def _salvo(low: int, high: int) -> str:
    if low == 0:
        return "unknown"
    if high == 0:
        return f"{low} or more"
    return interval(low, high, digits=6) if low < high else str(low)


def _both(values: Floats, prob: float) -> list[float]:
    """Median and interval of a quantity in each class."""
    edges = [0.5, *interval_levels(prob)]
    return [float(q) for k in (0, 1) for q in np.quantile(values[..., k], edges)]
