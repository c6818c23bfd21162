"""Tables out of a lethality fit: comparison of tails, groups, changes, checks, draws for ArviZ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.models.checks import LEVEL, check_table, row
from tempo.models.intervals import interval_levels
from tempo.models.laplace import pareto_smooth
from tempo.models.lethality_any import AnyDraws
from tempo.models.lethality_blocks import Block
from tempo.models.lethality_design import Covariates
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_next import NextAttack, one_sort
from tempo.models.lethality_reading import Record, Tolls
from tempo.models.posterior import CHAINS
from tempo.models.severity_tails import FAMILIES

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.lethality_fit import LethalityFit

__all__ = [
    "changes",
    "checks",
    "coefficients",
    "compare",
    "datatree",
    "first_success",
    "groups",
    "summary",
    "toll_coefficients",
    "top_share",
]

type Floats = NDArray[np.float64]

#: What ``exp(shift)`` multiplies.
LOCATIONS = {
    "negbin": "mean, before zeros are cut off",
    "lognormal": "median",
    "power": "mean logarithm",
}
FEWEST = 8  # lethal attacks that are worth testing
REPLICATES = 400
MOST_POINTS = 100  # at which distributions are compared
BOOTSTRAPS = 1_000
FOREVER = 1e9
MOST_CELLS = 20_000_000  # of a log-likelihood table


def first_success(chance: Floats, level: float) -> float:
    """Give a quantile of the number of trials until the first success, where the chance is uncertain.

    Parameters
    ----------
    chance : ndarray, shape (s,)
        Draws of the chance.
    level : float
        Of the quantile.

    Returns
    -------
    float
        A whole number, or infinity beyond a billion.

    Examples
    --------
    >>> first_success(np.array([0.5]), 0.5), first_success(np.array([0.5]), 0.8)
    (1.0, 3.0)
    """
    stay = np.log1p(-np.minimum(chance, 1 - 1e-16))

    def reached(n: float) -> bool:
        return float(-np.expm1(n * stay).mean()) >= level - 1e-12

    high = 1.0
    while not reached(high):
        high *= 2.0
        if high > FOREVER:
            return math.inf
    low = math.floor(high / 2.0)
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        low, high = (low, float(middle)) if reached(middle) else (middle, high)
    return high


def top_share(values: Floats, top: float) -> Floats:
    """Give the share of the sum that the largest values hold.

    Parameters
    ----------
    values : ndarray, shape (s, n)
        Positive numbers.
    top : float
        Which share of the n counts as the largest; rounded up.

    Returns
    -------
    ndarray, shape (s,)
        Shares.

    Examples
    --------
    >>> top_share(np.array([[1.0, 1.0, 8.0]]), 0.1)
    array([0.8])
    """
    n = max(1, math.ceil(top * values.shape[1] - 1e-9))
    ordered = np.sort(values, axis=1)
    return np.asarray(ordered[:, -n:].sum(axis=1) / ordered.sum(axis=1))


def compare(blocks: Mapping[str, Block], prior: Floats, record: Record) -> pd.DataFrame:
    """Compare families by evidence and by leave-one-out.

    Parameters
    ----------
    blocks : mapping of str to Block
        Posterior draws of each family.
    prior : ndarray
        Weight of each before the data, adding up to one.
    record : Record
        The data; attacks that killed count.

    Returns
    -------
    pandas.DataFrame
        Indexed by family; without lethal attacks there is no leave-one-out.
    """
    rows = record.lethal()
    number_of = rows.number_of
    evidence = np.array([block.log_evidence for block in blocks.values()])
    table = pd.DataFrame(
        {"log_evidence": evidence, "posterior": special.softmax(evidence + np.log(prior))},
        index=pd.Index(list(blocks), name="tail"),
    )
    table["pseudo_bma"] = table["posterior"]
    if len(rows.tolls):
        pointwise, khats = [], []
        for block in blocks.values():
            some = block.take(np.arange(0, len(block), _step(len(block), len(rows.tolls))))
            shift = None if some.effects.none else some.effects.shift(rows.design, rows.group)
            log_likelihood = some.tail.log_probability(rows.tolls, shift)
            terms = [pareto_smooth(-column) for column in log_likelihood.T]
            pointwise.append(
                [
                    special.logsumexp(w + ll)
                    for (w, _), ll in zip(terms, log_likelihood.T, strict=True)
                ]
            )
            khats.append(max(k for _, k in terms))
        by_row = np.array(pointwise)
        total = by_row @ number_of
        away = by_row - by_row[total.argmax()]
        # Every attack has an exponential weight; those of equal tolls add up to a gamma one.
        weight = np.random.default_rng(0).standard_gamma(number_of, (BOOTSTRAPS, len(number_of)))
        scaled = number_of.sum() * (weight @ by_row.T) / weight.sum(axis=1, keepdims=True)
        table["elpd"] = total
        table["elpd_se"] = _standard_error(by_row, number_of)
        table["difference"] = away @ number_of
        table["difference_se"] = _standard_error(away, number_of)
        table["pseudo_bma"] = special.softmax(scaled + np.log(prior), axis=1).mean(axis=0)
        table["khat"] = khats
    return table


def _step(draws: int, rows: int) -> int:
    """Every how many of the draws make a table of a size that fits: a long list needs no more of them."""
    return max(1, -(-draws * rows // MOST_CELLS))


def _standard_error(by_row: Floats, number_of: Floats) -> Floats:
    n = number_of.sum()
    mean = (by_row @ number_of / n)[:, None]
    variance = ((by_row - mean) ** 2 @ number_of) / max(n - 1.0, 1.0)
    return np.asarray(np.sqrt(n * variance))


def groups(block: Block, record: Record, at_least: int, prob: float) -> pd.DataFrame:
    """Tabulate the chance of each group and of a new one.

    Parameters
    ----------
    block : Block
        Posterior draws.
    record : Record
        The data.
    at_least : int
        How many killed.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each group.
    """
    n, tolls = len(record.groups), record.tolls
    codes = np.array([*range(n), -1]) if n > 1 else np.array([0])
    each = np.ones((len(codes), 1))
    chance = block.anyone.chance(each * _average(record.anyone), codes)
    shift = block.effects.shift(each * _average(record.many), codes)
    own = None if block.effects.none else shift
    chance = chance * block.tail.survival(np.full(len(codes), float(at_least)), own)
    low, high = np.quantile(chance, interval_levels(prob), axis=0)
    known = (tolls.low >= at_least) | (tolls.high < at_least)
    known &= record.anyone.used
    attacks = np.bincount(record.group[known], minlength=n)
    lethal = np.bincount(record.group[known & (tolls.low >= at_least)], minlength=n)
    extra = [0] * (len(codes) - n)
    table = pd.DataFrame(
        {
            "attacks": [*attacks, *extra],
            "lethal": [*lethal, *extra],
            "probability": chance.mean(axis=0),
            "low": low,
            "high": high,
        },
        index=pd.Index([*record.groups, *(["a new one"] * len(extra))], name="group"),
    )
    table.attrs["prob"] = prob
    return table


def _average(covariates: Covariates) -> Floats:
    return np.asarray(covariates.matrix[covariates.used].mean(axis=0))


def coefficients(anyone: AnyDraws, record: Record, prob: float) -> pd.DataFrame:
    """Tabulate odds ratios.

    Parameters
    ----------
    anyone : AnyDraws
        Posterior draws.
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each covariate; none without a formula.
    """
    draws = np.ones((1, 0)) if anyone.coefficients is None else anyone.coefficients
    low, high = interval_levels(prob)
    middle = np.exp(np.quantile(draws, [0.5, low, high], axis=0))
    table = pd.DataFrame(
        {
            "odds_ratio": middle[0],
            "low": middle[1],
            "high": middle[2],
            "per": record.anyone.scale,
        },
        index=pd.Index(record.anyone.names, name="covariate", dtype="str"),
    )
    table.attrs["prob"] = prob
    return table


def toll_coefficients(blocks: Mapping[str, Block], record: Record, prob: float) -> pd.DataFrame:
    """Tabulate by what the covariates multiply the location of each tail.

    Parameters
    ----------
    blocks : mapping of str to Block
        Draws of each family.
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each family and covariate; none without a formula.
    """
    low, high = interval_levels(prob)
    rows = []
    for name, block in blocks.items():
        middle = np.exp(np.quantile(block.effects.coefficients, [0.5, low, high], axis=0))
        for i, covariate in enumerate(record.many.names):
            rows.append([name, covariate, *middle[:, i], record.many.scale[i], LOCATIONS[name]])
    columns = ["tail", "covariate", "factor", "low", "high", "per", "of"]
    table = pd.DataFrame(rows, columns=columns).set_index(["tail", "covariate"])
    table.attrs["prob"] = prob
    return table


def changes(record: Record, prob: float) -> pd.DataFrame:
    """Find changes of the chance through time, by an exact Beta-Bernoulli product partition over attacks.

    Parameters
    ----------
    record : Record
        The data.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each attack of which it is known whether it killed.
    """
    from tempo.models.changepoints import Changepoints

    tolls = record.tolls
    known = np.flatnonzero(tolls.some | tolls.none)
    known = known[np.argsort(record.dates[known], kind="stable")]
    lethal = tolls.some[known]
    # One bin for each attack: the calendar of the index means nothing.
    places = pd.date_range("2000-01-01", periods=len(known), freq="1D", unit="us")
    fit = Changepoints(observation="bernoulli").fit(pd.Series(lethal.astype(int), index=places))
    rate = fit.rate
    table = pd.DataFrame(
        {
            "date": record.dates[known],
            "lethal": lethal,
            "change_probability": fit.change_probability.to_numpy(),
            "chance": rate["mean"].to_numpy(),
            "low": rate["low"].to_numpy(),
            "high": rate["high"].to_numpy(),
        }
    )
    table.attrs["prob"] = prob
    table.attrs["changed"] = float(1.0 - fit.n_changes.iloc[0])
    return table


def checks(
    fit: LethalityFit, block: Block, record: Record, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare the data with what the fit expects.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    block : Block
        Its draws.
    record : Record
        The data.
    rng : numpy.random.Generator
        Simulates.

    Returns
    -------
    pandas.DataFrame
        A check table.
    """
    tolls, said = record.tolls, fit.words
    seen = np.flatnonzero(tolls.some & tolls.exact & record.many.used)
    rows = []
    if len(seen) < FEWEST:
        for name in ("shape of the tail (KS)", "largest toll"):
            meaning = f"Only {len(seen)} exact numbers of {said.toll}: too few to test."
            rows.append(row(name, math.nan, LEVEL, True, meaning))
    else:
        p_shape, p_largest = _tail_checks(block, record, seen, rng)
        ok = p_shape >= LEVEL
        rows.append(
            row(
                "shape of the tail (KS)",
                p_shape,
                LEVEL,
                ok,
                f"Numbers of {said.toll} {'are' if ok else 'are not'} distributed as the tail says.",
            )
        )
        ok = p_largest >= LEVEL
        rows.append(
            row(
                "largest toll",
                p_largest,
                LEVEL,
                ok,
                "The largest toll is one that the tail expects."
                if ok
                else "The largest toll is not one that the tail expects among so many.",
            )
        )
    rows.append(_through_time(block.anyone, record, said.any, rng))
    rows.append(
        row(
            "approximation (k-hat)",
            fit.khat,
            0.7,
            not fit.khat > 0.7,
            "The posterior draws can be trusted."
            if not fit.khat > 0.7
            else "The posterior draws are doubtful.",
        )
    )
    return check_table(rows)


def _tail_checks(
    block: Block, record: Record, rows: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Posterior predictive p-values of the distance to the fitted tail, and of the largest toll (two-sided)."""
    few = block.take(rng.choice(len(block), REPLICATES))
    # Attacks that are alike are simulated together.
    covariates = np.column_stack([record.many.matrix[rows], record.group[rows].astype(float)])
    _, first, sort, number_of = np.unique(
        covariates, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    shift = few.effects.shift(record.many.matrix[rows[first]], record.group[rows[first]])
    seen = record.tolls.low[rows]
    new = np.empty((REPLICATES, len(rows)))
    for i, n in enumerate(number_of):
        one_each = np.ones((REPLICATES, n), dtype=np.int64)
        like_it = one_sort(np.ones(REPLICATES), shift[:, i])
        new[:, sort == i] = like_it.simulate(few.tail, one_each, rng)[0]
    share = np.tile(number_of / len(rows), (REPLICATES, 1))
    average = NextAttack(share, np.ones(share.shape), shift)
    distances = _distances(average, few.tail, np.concatenate([seen[None], new]))
    shape = (1 + float((distances[1:] >= distances[0]).sum())) / (REPLICATES + 1)
    top = new.max(axis=1)
    above = (1 + float((top >= seen.max()).sum())) / (REPLICATES + 1)
    below = (1 + float((top <= seen.max()).sum())) / (REPLICATES + 1)
    return shape, min(1.0, 2 * min(above, below))


def _distances(attack: NextAttack, tail: TailDraws, values: Floats) -> Floats:
    """Kolmogorov-Smirnov distance of each row of numbers to the average tail."""
    points = np.unique(values)
    points = points[:: -(-len(points) // MOST_POINTS)]
    at_most = 1.0 - attack.exceeds(tail, points + 1.0).mean(axis=0)
    less = 1.0 - attack.exceeds(tail, points).mean(axis=0)
    result = np.empty(len(values))
    for i, numbers in enumerate(values):
        ordered = np.sort(numbers)
        at = np.searchsorted(ordered, points, side="right") / len(ordered)
        under = np.searchsorted(ordered, points, side="left") / len(ordered)
        result[i] = max(np.abs(at - at_most).max(), np.abs(under - less).max())
    return result


def _through_time(
    anyone: AnyDraws, record: Record, any_: str, rng: np.random.Generator
) -> tuple[str, float, float, bool, str]:
    """Test whether lethal attacks come in stretches: the largest running excess over expectation, by simulation."""
    name, tolls = "chance through time (CUSUM)", record.tolls
    known = np.flatnonzero((tolls.some | tolls.none) & record.anyone.used)
    known = known[np.argsort(record.dates[known], kind="stable")]
    lethal = tolls.some[known]
    if min(lethal.sum(), (~lethal).sum()) < 3:
        meaning = f"Too few attacks of which it is known whether one {any_}: nothing to test."
        return row(name, math.nan, LEVEL, True, meaning)
    few = anyone.take(rng.choice(len(anyone), REPLICATES))
    chance = few.chance(record.anyone.matrix[known], record.group[known])
    expected = chance.mean(axis=0)

    def largest(happened: NDArray[np.bool_]) -> Floats:
        excess = np.cumsum(happened - expected, axis=-1)
        # Only the course counts: the total is what the fit was made to match.
        end = excess[..., -1:] * np.arange(1, len(known) + 1) / len(known)
        return np.asarray(np.abs(excess - end).max(axis=-1))

    new = largest(rng.random(chance.shape) < chance)
    p_value = (1 + float((new >= largest(lethal)).sum())) / (REPLICATES + 1)
    ok = p_value >= LEVEL
    meaning = (
        f"The share of attacks of which each {any_} does not drift through time."
        if ok
        else f"The share of attacks of which each {any_} drifts: see changes(), or give a change date in the formula."
    )
    return row(name, p_value, LEVEL, ok, meaning)


def summary(fit: LethalityFit, blocks: Mapping[str, Block], prob: float) -> pd.DataFrame:
    """Tabulate chances for the next attack and parameters of each family.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    blocks : mapping of str to Block
        Draws of each family.
    prob : float
        Content of the interval.

    Returns
    -------
    pandas.DataFrame
        mean, sd, low, high.
    """
    from tempo.models.lethality_fit import MATERIAL

    k = [1, 2, 5, 10, 50]
    chances = fit.exceeds(k)
    columns = {f"P({fit.model.column} >= {at})": chances[:, i] for i, at in enumerate(k)}
    for name, block in blocks.items():
        columns |= _parameters(name, block.tail)
    rows = {}
    for label, values in columns.items():
        low, high = np.quantile(values, interval_levels(prob))
        rows[label] = [values.mean(), values.std(), low, high]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "low", "high"])
    table.attrs |= {"prob": prob, "without_mean": fit.without_mean, "mean_shown": False}
    if fit.without_mean <= MATERIAL and set(blocks) == {"negbin"} and blocks["negbin"].effects.none:
        # Only a negative binomial has a mean that its parameters pin down well enough to print.
        mean, dispersion = fit.draws.parameters().T
        some = -np.expm1(-np.log1p(mean * dispersion) / dispersion)
        values = fit.chance * mean / some
        low, high = np.quantile(values, interval_levels(prob))
        table.loc[f"{fit.words.toll} for each attack"] = [values.mean(), values.std(), low, high]
        table.attrs["mean_shown"] = True
    return table


def _parameters(name: str, tail: TailDraws) -> dict[str, Floats]:
    natural = tail.parameters()
    result = {f"{name}_{label}": natural[:, i] for i, label in enumerate(FAMILIES[name][1])}
    if name == "power" and (tail.x_min != tail.x_min[0]).any():
        result["power_x_min"] = tail.x_min.astype(float)
    return result


def datatree(
    fit: LethalityFit, mixture: Block, blocks: Mapping[str, Block], record: Record
) -> xr.DataTree:
    """Lay the draws out as ArviZ expects them.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    mixture : Block
        Draws of all families, mixed.
    blocks : mapping of str to Block
        Draws of each family.
    record : Record
        The data.

    Returns
    -------
    xarray.DataTree
        Groups posterior, log_likelihood, observed_data and sample_stats.
    """
    import xarray as xr

    tolls, anyone = record.tolls, mixture.anyone
    known = np.flatnonzero(~tolls.unknown & record.anyone.used & record.many.used)
    step = _step(len(fit.chance), len(known))
    kept = np.arange(0, len(fit.chance) // step // CHAINS * CHAINS * step, step)

    def chains(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        some = values[kept]
        return np.asarray(some.reshape(CHAINS, -1, *some.shape[1:]))

    two = ("chain", "draw")
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float64]]] = {
        "chance": (two, chains(fit.chance))
    }
    for name, block in blocks.items():
        for label, values in _parameters(name, block.tail).items():
            variables[label] = (two, chains(values))
        if record.many.names:
            variables[f"{name}_coefficients"] = (
                (*two, "toll_covariate"),
                chains(block.effects.coefficients),
            )
        if len(record.groups) > 1:
            variables[f"{name}_group_effect"] = ((*two, "group"), chains(block.effects.level))
    if len(blocks) > 1:
        variables["tail"] = (two, chains(fit.draws.family))
    coords: dict[str, object] = {}
    if len(record.groups) > 1:
        variables["group_level"] = ((*two, "group"), chains(anyone.level))
        coords["group"] = record.groups
    if anyone.coefficients is not None and record.anyone.names:
        variables["coefficients"] = ((*two, "covariate"), chains(anyone.coefficients))
        coords["covariate"] = record.anyone.names
    if record.many.names:
        coords["toll_covariate"] = record.many.names
    along = {"chain": np.arange(CHAINS), "draw": np.arange(len(kept) // CHAINS)}
    likelihood = _log_likelihood(mixture.take(kept), record, known)
    column = fit.model.column
    tree = {
        "posterior": xr.Dataset(variables, coords={**along, **coords}),
        "log_likelihood": xr.Dataset(
            {column: ((*two, "attack"), likelihood.reshape(CHAINS, -1, len(known)))},
            coords={**along, "attack": known},
        ),
        "observed_data": xr.Dataset(
            {
                column: (("attack",), tolls.low[known]),
                f"{column}_high": (("attack",), tolls.high[known]),
            },
            coords={"attack": known},
        ),
        "sample_stats": xr.Dataset(coords=along),
    }
    tree["posterior"].attrs.update(
        {"model": repr(fit.model), "tail": ", ".join(f"{c} {n}" for n, (c, _) in FAMILIES.items())}
    )
    return xr.DataTree.from_dict(tree)


def _log_likelihood(block: Block, record: Record, known: NDArray[np.int64]) -> Floats:
    tolls = record.tolls
    chance = block.anyone.chance(record.anyone.matrix[known], record.group[known])
    low, high = tolls.low[known], tolls.high[known]
    some, none = low >= 1, high == 0
    result = np.log1p(-chance * ~some)
    open_ = ~some & ~none
    result[:, open_] = np.log1p(-block.exceeds(record, known[open_], high[open_] + 1.0))
    table = np.column_stack([low, high, record.many.matrix[known], record.group[known]])[some]
    _, first, place = np.unique(table, axis=0, return_index=True, return_inverse=True)
    rows = known[some][first]
    by_sort = block.tail.log_probability(
        Tolls(low[some][first], high[some][first]), block.shift(record, rows)
    )
    result[:, some] = np.log(chance[:, some]) + by_sort[:, place]
    return np.asarray(result)
