"""Do two series change together? Frequency and lethality, two kinds of attack, two places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import percent
from tempo.errors import DataError, OptionError
from tempo.models.changepoint_given import sums_by_number
from tempo.models.changepoint_grid import Bins, Grid, learned_odds
from tempo.models.changepoint_joint import joint_pass
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_predictive import GAMMA, NEGBIN
from tempo.models.inputs import imputed_series
from tempo.randomness import RNGLike, resolve

__all__ = ["SharedChanges", "shared_changes"]

type Floats = NDArray[np.float64]
type Placed = tuple[Floats, Floats]

_NODES = 12
_PRUNE = 1e-12
_WORTH_A_PASS = 1e-4
_SURE = 0.75  # P(common dates), or its complement, from which it is said
_DEADLY = "how deadly"
_DISPERSIONS = {"counts": (0.1, 0.5, 2.0), "deaths": (0.3, 1.0, 3.0, 10.0)}


@dataclass(frozen=True, eq=False, repr=False)
class SharedChanges:
    """Whether two series changed, and if both did, whether together or apart.

    Attributes
    ----------
    names : (str, str)
        The two series.
    probabilities : pandas.Series
        Of the five accounts: ``neither`` changed, ``only`` the first, ``only`` the second, both changed ``apart``
        (each with its own dates), both changed ``together`` (all dates common). They sum to 1.
    log_evidence : pandas.Series
        Of both series under each account, everything else averaged over.
    shared : float
        P(together), given that both changed.
    change_probability : pandas.DataFrame
        Indexed by bin: P(a new regime begins) for each series over all accounts, and ``together``: that it begins in
        both as a common change.
    counts : (Counts, Counts)
        What was compared; twice the same where lethality is the second series.
    notes : tuple of str
        Choices and doubts.
    prior_shared : float
        P(together), given that both changed, before looking.
    """

    names: tuple[str, str]
    probabilities: pd.Series
    log_evidence: pd.Series
    shared: float
    change_probability: pd.DataFrame = field(repr=False)
    counts: tuple[Counts, Counts] = field(repr=False)
    notes: tuple[str, ...] = ()
    prior_shared: float = 0.5

    @property
    def favour(self) -> float:
        """How many times better common dates explain both series than dates of their own (Bayes factor)."""
        log = self.log_evidence["together"] - self.log_evidence["apart"]
        return float(math.exp(min(max(float(log), -700.0), 700.0)))

    def describe(self) -> str:
        """Say whether the two changed, and whether on the same dates, with what was assumed before looking.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        p = self.probabilities
        one, two = self._subjects
        both = float(p["apart"] + p["together"])
        assumed = f"{percent(self.prior_shared)} was assumed before looking"
        if both >= 0.5:
            text = [f"Both {one} and {two} changed ({percent(both)})."]
            days = [f"{self.change_probability[name].idxmax():%Y-%m-%d}" for name in self.names]
            if self.shared >= _SURE:
                day = f"{self.change_probability['together'].idxmax():%Y-%m-%d}"
                text.append(
                    f"They changed together, most likely on {day}: {percent(self.shared)} for common dates, where "
                    f"{assumed}."
                )
            elif self.shared <= 1 - _SURE:
                text.append(
                    f"They changed apart, most likely on {days[0]} and on {days[1]}: {percent(self.shared)} for common "
                    f"dates, where {assumed}."
                )
            else:
                text.append(
                    f"Whether they changed together or apart stays open: {percent(self.shared)} for common dates, "
                    f"where {assumed}; the most likely dates are {days[0]} and {days[1]}."
                )
        else:
            most = str(p.drop(["apart", "together"]).idxmax())
            chance = percent(float(p[most]))
            if float(p[most]) < 0.5:
                first = (
                    f"It is open which of {one} and {two} changed: both {percent(both)}, neither "
                    f"{percent(float(p['neither']))}."
                )
            elif most == "neither":
                first = (
                    f"Neither {one} nor {two} shows a clear change ({chance} that neither changed)."
                )
            else:
                subjects = (one, two) if most == f"only {self.names[0]}" else (two, one)
                first = (
                    f"{subjects[0][0].upper()}{subjects[0][1:]} changed, {subjects[1]} shows no clear change "
                    f"({chance})."
                )
            text = [first]
            text.append(
                f"Whether they change together is hardly a question then: if both did, {percent(self.shared)} for "
                f"common dates, where {assumed}."
            )
        return " ".join([*text, *self.notes])

    @property
    def _subjects(self) -> tuple[str, str]:
        one, two = self.names
        if two == _DEADLY:
            return "how often attacks come", "how deadly they are"
        return f"the pace of {one}", f"that of {two}"

    def __repr__(self) -> str:
        p = self.probabilities
        most = str(p.idxmax())
        chances = f"{most} {percent(float(p.max()))}, shared {percent(self.shared)}"
        return f"SharedChanges({' and '.join(self.names)}: {chances})"


def shared_changes(
    first: Incidents | pd.Series,
    second: Incidents | pd.Series | None = None,
    *,
    overdispersed: bool = False,
    prior_shared: float = 0.5,
    imputations: int = 5,
    rng: RNGLike = None,
) -> SharedChanges:
    r"""Tell whether two series changed together, apart, or not both, by exact summation.

    Each series is Poisson (negative binomial if ``overdispersed``) with a rate that is constant between changes, and
    a learned hazard and rate prior. Three sums over all placements of changes are compared: over those of each
    series on its own, and over common ones,

    .. math:: p(x, y \mid \text{together}) = \sum_{\text{cuts} \neq \emptyset} p(\text{cuts}) \prod_{\text{segments } s}
              p(x_s) \, p(y_s).

    A priori each series has changed with probability 1/2; if both have, ``prior_shared`` is the probability that all
    changes are common. Series that share some of their changes fit neither account well: read ``change_probability``
    of each beside the other then.

    Parameters
    ----------
    first, second : Incidents, Counts or Series
        Counts on the same bins; incidents are counted by day. Without ``second``, ``first`` must be Incidents, and
        their frequency is compared with their lethality: deaths for each attack, negative binomial, where
        unknown deaths are left out.
    overdispersed : bool, default False
        Whether counts scatter more than Poisson within a regime.
    prior_shared : float, default 0.5
        Prior probability that changes are common, given that both series changed.
    imputations : int, default 5
        How many series to average over where dates are uncertain.
    rng : int, Generator or None
        Draws uncertain dates; nothing else is random.

    Returns
    -------
    SharedChanges
        Probabilities of the accounts, and of dates.

    Raises
    ------
    DataError
        If the bins of the two series differ.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=120, freq="1D")
    >>> rng = np.random.default_rng(1)
    >>> rockets = pd.Series(rng.poisson(np.repeat([0.2, 1.5], 60)), index=days, name="rockets")
    >>> mines = pd.Series(rng.poisson(np.repeat([2.0, 0.4], 60)), index=days, name="mines")
    >>> both = shared_changes(rockets, mines)
    >>> round(both.shared, 2), f"{both.change_probability['together'].idxmax():%d %B}"
    (0.68, '02 March')
    """
    if not 0 < prior_shared < 1:
        raise OptionError(
            f"prior_shared is {prior_shared!r}; expected a probability between 0 and 1."
        )
    randomness = resolve(rng)
    one, notes = imputed_series(first, imputations, randomness.generator)
    if second is None:
        if not isinstance(first, Incidents):
            raise DataError(
                "frequency and lethality come from Incidents with deaths; got one series of counts. Pass a second "
                "series, or incidents."
            )
        lethal, more = _lethality(first, one[0])
        pairs = [(_arrays(series), lethal) for series in one]
        names, kinds = (f"how often ({first.label})", _DEADLY), ("counts", "deaths")
        counts = (one[0], one[0])
    else:
        two, more = imputed_series(second, imputations, randomness.generator)
        if not one[0].bin_starts.equals(two[0].bin_starts):
            raise DataError(
                f"the first series has {len(one[0])} bins from {one[0].bin_starts[0]:%Y-%m-%d}, the second "
                f"{len(two[0])} from {two[0].bin_starts[0]:%Y-%m-%d}; expected the same bins. Cut both to one "
                "window."
            )
        number = max(len(one), len(two))
        pairs = [(_arrays(one[i % len(one)]), _arrays(two[i % len(two)])) for i in range(number)]
        names, kinds = (one[0].label, two[0].label), ("counts", "counts")
        counts = (one[0], two[0])
        if names[0] == names[1]:
            names = (f"{names[0]} (first)", f"{names[1]} (second)")
    solved = [_accounts(pair, kinds, overdispersed) for pair in pairs]
    return _weighed(solved, names, counts, prior_shared, (*notes, *more))


def _arrays(counts: Counts) -> Placed:
    values = counts.to_numpy(dtype=float)
    exposure = np.where(np.isnan(values), 0.0, counts.exposure.to_numpy(dtype=float))
    return np.nan_to_num(values), exposure


def _lethality(incidents: Incidents, daily: Counts) -> tuple[Placed, list[str]]:
    """Deaths of each day, and the attacks whose deaths are known as exposure."""
    table = incidents.table
    day = daily.bin_starts.get_indexer(pd.DatetimeIndex(table["date_start"]).normalize())
    killed = table["killed"].to_numpy(dtype=float)
    used = (day >= 0) & ~np.isnan(killed)
    if not used.any():
        raise DataError("no attack has known deaths, so that there is no lethality to compare.")
    deaths = np.bincount(day[used], weights=killed[used], minlength=len(daily))
    attacks = np.bincount(day[used], minlength=len(daily)).astype(float)
    notes = ["Deaths stand on the first day on which their attack may have begun."]
    unknown = int(np.isnan(killed).sum())
    if unknown:
        notes.append(f"{unknown} attacks without known deaths count for frequency only.")
    return (deaths, attacks), notes if incidents.n_uncertain("1D") or unknown else []


@dataclass(frozen=True, eq=False)
class _Accounts:
    """Log evidence of neither, only the first, only the second, apart, together; dates given that a change is there."""

    log_evidence: Floats
    dates: tuple[Floats, Floats, Floats]


def _accounts(pair: tuple[Placed, Placed], kinds: Sequence[str], overdispersed: bool) -> _Accounts:
    seen = (pair[0][1] > 0) | (pair[1][1] > 0)
    span = int(np.flatnonzero(seen)[-1] - np.flatnonzero(seen)[0])
    odds, log_odds_prior = learned_odds(float(max(span, 1)), 0, _NODES)
    # Node by node the chance of a change is that of the same hazard for each series and for both.
    grids, alone = [], []
    for (values, exposure), kind in zip(pair, kinds, strict=True):
        grid = _grid(values, exposure, kind, overdispersed)
        grid = replace(grid, odds=odds, log_odds_prior=log_odds_prior)
        bins = Bins.of(values, exposure)
        grids.append(grid)
        alone.append(_alone(bins, grid, len(values)))
    together, dates = _together(pair, grids, seen)
    (none_one, some_one, dates_one), (none_two, some_two, dates_two) = alone
    log_evidence = [
        none_one + none_two,
        some_one + none_two,
        none_one + some_two,
        some_one + some_two,
        together,
    ]
    return _Accounts(np.array(log_evidence), (dates_one, dates_two, dates))


def _grid(values: Floats, exposure: Floats, kind: str, overdispersed: bool) -> Grid:
    average = (values.sum() + 0.5) / (exposure.sum() + 0.5)
    shape, factor = (part.ravel() for part in np.meshgrid([0.5, 2.0], [0.5, 1.0, 2.0]))
    rate = shape / (factor * average)
    negbin = overdispersed or kind == "deaths"
    sizes = 1 / np.array(_DISPERSIONS[kind]) if negbin else np.ones(1)
    size = np.repeat(sizes, shape.size)
    cells = size.size
    return Grid(
        NEGBIN if negbin else GAMMA,
        np.tile(shape, sizes.size),
        np.tile(rate, sizes.size),
        size,
        np.full(cells, -math.log(cells)),
        np.ones(1),
        np.zeros(1),
    )


def _split(table: Floats, none: Floats, grid: Grid, stay: Floats) -> tuple[float, float, Floats]:
    """Log evidence given no change and given some, and the posterior weights of (cell, hazard) given some."""
    log_none = stay.sum(axis=1)  # prior of no change under each hazard
    prior = grid.log_prior[:, None] + grid.log_odds_prior
    p_none = float(logsumexp(grid.log_odds_prior + log_none))
    with np.errstate(divide="ignore"):
        rest = np.log(-np.expm1(np.minimum(none[:, None] + log_none - table, -1e-15)))
    some = table + rest + prior
    total = float(logsumexp(some))
    without = float(logsumexp(none[:, None] + log_none + prior))
    return without - p_none, total - math.log(-math.expm1(p_none)), np.exp(some - total)


def _alone(bins: Bins, grid: Grid, n_bins: int) -> tuple[float, float, Floats]:
    solved = solve(bins, grid)
    none = np.array(
        [
            sums_by_number(bins, grid, cell, 0, -math.inf, store=False).last(0)
            + grid.constant(bins, cell)
            for cell in range(grid.shape.size)
        ]
    )
    stay = np.log(grid.factors(bins.places[1:])[1])
    without, some, _ = _split(solved.table, none, grid, stay)
    dates = np.zeros(n_bins)
    p_some = 1 - float(
        np.exp(logsumexp(none[:, None] + stay.sum(axis=1) + _prior(grid)) - solved.log_evidence)
    )
    dates[bins.position] = solved.change_probability / max(p_some, 1e-300)
    return without, some, dates


def _prior(grid: Grid) -> Floats:
    return grid.log_prior[:, None] + grid.log_odds_prior


def _together(
    pair: tuple[Placed, Placed], grids: Sequence[Grid], seen: NDArray[np.bool_]
) -> tuple[float, Floats]:
    one, two = grids
    counts = np.array([pair[0][0][seen], pair[1][0][seen]])
    exposure = np.array([pair[0][1][seen], pair[1][1][seen]])
    position = np.flatnonzero(seen)
    places = np.append(1.0, np.diff(position).astype(float))
    change, stay = one.factors(places)
    cells = [(a, b) for a in range(one.shape.size) for b in range(two.shape.size)]
    log_prior = np.array([one.log_prior[a] + two.log_prior[b] for a, b in cells])
    both = replace(one, log_prior=log_prior)
    constant = np.array(
        [
            sum(
                grid.constant(Bins.of(values, shown), cell)
                for grid, (values, shown), cell in zip(grids, pair, chosen, strict=True)
            )
            for chosen in cells
        ]
    )

    def run(chosen: tuple[int, int], *, back: bool = False) -> Floats:
        turn = slice(None, None, -1) if back else slice(None)
        local = [np.ones_like(part) for part in (change, stay)]
        for mine, theirs in zip(local, (change, stay), strict=True):
            mine[:, 1:] = theirs[:, :0:-1] if back else theirs[:, 1:]
        priors = [
            (*grid.prior(cell), float(grid.size[cell]))
            for grid, cell in zip(grids, chosen, strict=True)
        ]
        return np.asarray(
            joint_pass(
                (one.family, two.family),
                np.ascontiguousarray(counts[:, turn]),
                np.ascontiguousarray(exposure[:, turn]),
                *local,
                one.odds,
                priors[0],
                priors[1],
                _PRUNE,
            )
        )

    forward = {chosen: run(chosen) for chosen in cells}
    table = np.array([forward[chosen][:, -1] for chosen in cells]) + constant[:, None]
    none = constant.copy()
    for grid, (values, shown), axis in zip(grids, pair, (0, 1), strict=True):
        bins = Bins.of(values, shown)
        whole = [
            float(sums_by_number(bins, grid, cell, 0, -math.inf, store=False).last(0))
            for cell in range(grid.shape.size)
        ]
        none += np.array([whole[chosen[axis]] for chosen in cells])
    _, some, weights = _split(table, none, both, np.log(stay[:, 1:]))
    rest = -np.expm1(np.minimum(none[:, None] + np.log(stay[:, 1:]).sum(axis=1) - table, -1e-15))
    dates = np.zeros(len(seen))
    m = len(position)
    for row in np.flatnonzero(weights.sum(axis=1) > _WORTH_A_PASS):
        sums, back = forward[cells[row]], run(cells[row], back=True)[:, ::-1]
        chance = np.exp(sums[:, 1:m] + np.log(change[:, 1:]) + back[:, 1:m] - sums[:, -1:])
        dates[position[1:]] += (weights[row] / rest[row]) @ chance
    return some, dates


def _weighed(
    solved: Sequence[_Accounts],
    names: tuple[str, str],
    counts: tuple[Counts, Counts],
    prior_shared: float,
    notes: tuple[str, ...],
) -> SharedChanges:
    index = ["neither", f"only {names[0]}", f"only {names[1]}", "apart", "together"]
    prior = 0.25 * np.array([1.0, 1.0, 1.0, 1 - prior_shared, prior_shared])
    evidence = np.stack([part.log_evidence for part in solved])
    joint = evidence + np.log(prior)
    by_part = np.exp(joint - logsumexp(joint))  # over series and accounts
    p = by_part.sum(axis=0)
    columns: list[Floats] = [np.zeros(len(counts[0])) for _ in range(3)]
    for weight, part in zip(by_part, solved, strict=True):
        columns[0] += (weight[1] + weight[3]) * part.dates[0] + weight[4] * part.dates[2]
        columns[1] += (weight[2] + weight[3]) * part.dates[1] + weight[4] * part.dates[2]
        columns[2] += weight[4] * part.dates[2]
    table = pd.DataFrame(
        dict(zip([*names, "together"], columns, strict=True)), index=counts[0].bin_starts
    )
    log_evidence = logsumexp(evidence, axis=0) - math.log(len(solved))
    return SharedChanges(
        names,
        pd.Series(p, index=index, name="probability"),
        pd.Series(log_evidence, index=index, name="log_evidence"),
        float(p[4] / (p[3] + p[4])),
        table,
        counts,
        notes,
        prior_shared,
    )
