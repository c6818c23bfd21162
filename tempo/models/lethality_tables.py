"""Tables out of a lethality fit: comparison of tails, groups, changes, checks, draws for ArviZ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.errors import OptionError
from tempo.models.checks import LEVEL, check_table, row
from tempo.models.laplace import pareto_smooth
from tempo.models.lethality_any import AnyDraws
from tempo.models.lethality_reading import Tolls
from tempo.models.lethality_tails import TailDraws, simulated_tolls
from tempo.models.posterior import CHAINS
from tempo.models.severity_tails import FAMILIES

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.lethality_fit import Block, LethalityFit, Record

__all__ = [
    "changes",
    "checks",
    "coefficients",
    "compare",
    "datatree",
    "first_success",
    "groups",
    "levels",
    "summary",
    "top_share",
]

type Floats = NDArray[np.float64]

FEWEST = 8  # lethal attacks that are worth testing
REPLICATES = 400
BOOTSTRAPS = 1_000
FOREVER = 1e9
MOST_CELLS = 20_000_000  # of a log-likelihood table


def levels(prob: float) -> list[float]:
    """Give the two levels of a central interval.

    Parameters
    ----------
    prob : float
        Its content.

    Returns
    -------
    list of float
        Low and high.
    """
    if not 0 < prob < 1:
        raise OptionError(f"prob is {prob!r}; expected a probability between 0 and 1, such as 0.9.")
    return [(1 - prob) / 2, (1 + prob) / 2]


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


def compare(
    tails: Mapping[str, TailDraws], log_evidence: Mapping[str, float], tolls: Tolls
) -> pd.DataFrame:
    """Compare families by evidence and by leave-one-out.

    Parameters
    ----------
    tails : mapping of str to TailDraws
        Posterior draws of each family.
    log_evidence : mapping of str to float
        Of each.
    tolls : Tolls
        Of all attacks; those that killed count.

    Returns
    -------
    pandas.DataFrame
        Indexed by family; without lethal attacks there is no leave-one-out.
    """
    distinct, number_of = tolls.at(tolls.some).tallied()
    names = list(tails)
    evidence = np.array([log_evidence[name] for name in names])
    table = pd.DataFrame(
        {"log_evidence": evidence, "posterior": np.exp(evidence - special.logsumexp(evidence))},
        index=pd.Index(names, name="tail"),
    )
    table["pseudo_bma"] = table["posterior"]
    if len(distinct):
        pointwise, khats = [], []
        for name in names:
            log_likelihood = tails[name].log_probability(distinct)
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
        table["pseudo_bma"] = special.softmax(scaled, axis=1).mean(axis=0)
        table["khat"] = khats
    return table


def _standard_error(by_row: Floats, number_of: Floats) -> Floats:
    n = number_of.sum()
    mean = (by_row @ number_of / n)[:, None]
    variance = ((by_row - mean) ** 2 @ number_of) / max(n - 1.0, 1.0)
    return np.asarray(np.sqrt(n * variance))


def groups(anyone: AnyDraws, record: Record, prob: float) -> pd.DataFrame:
    """Tabulate the chance of each group and of a new one.

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
        One row for each group.
    """
    n, tolls = len(record.groups), record.tolls
    average = record.design_matrix[record.used].mean(axis=0)
    codes = np.array([*range(n), -1]) if n > 1 else np.array([0])
    chance = anyone.chance(np.repeat(average[None], len(codes), axis=0), codes)
    low, high = np.quantile(chance, levels(prob), axis=0)
    known = (tolls.some | tolls.none) & record.used
    attacks = np.bincount(record.group[known], minlength=n)
    lethal = np.bincount(record.group[known & tolls.some], minlength=n)
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
    design, draws = record.design, anyone.coefficients
    names: list[str] = [] if design is None else design.names
    if design is None or draws is None:
        draws, scale = np.ones((1, 0)), np.ones(0)
    else:
        scale = design.scale
    low, high = levels(prob)
    middle = np.exp(np.quantile(draws, [0.5, low, high], axis=0))
    table = pd.DataFrame(
        {"odds_ratio": middle[0], "low": middle[1], "high": middle[2], "per": scale},
        index=pd.Index(names, name="covariate", dtype="str"),
    )
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
    fit: LethalityFit, anyone: AnyDraws, record: Record, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare the data with what the fit expects.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    anyone : AnyDraws
        Its draws of the chance.
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
    seen = tolls.low[tolls.some & tolls.exact]
    rows = []
    if len(seen) < FEWEST:
        for name in ("shape of the tail (KS)", "largest toll"):
            meaning = f"Only {len(seen)} exact numbers of {said.toll}: too few to test."
            rows.append(row(name, math.nan, LEVEL, True, meaning))
    else:
        p_shape, p_largest = _tail_checks(fit, seen, rng)
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
    rows.append(_through_time(anyone, record, said.any, rng))
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


def _tail_checks(fit: LethalityFit, seen: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Posterior predictive p-values of the distance to the fitted tail, and of the largest toll (two-sided)."""
    few = fit.draws.take(rng.choice(len(fit.draws), REPLICATES))
    one_each = np.ones((REPLICATES, len(seen)), dtype=np.int64)
    new = simulated_tolls(few, np.ones(REPLICATES), one_each, rng)[0].astype(float)
    distances = _distances(few, np.concatenate([seen[None], new]))
    shape = (1 + float((distances[1:] >= distances[0]).sum())) / (REPLICATES + 1)
    top = new.max(axis=1)
    above = (1 + float((top >= seen.max()).sum())) / (REPLICATES + 1)
    below = (1 + float((top <= seen.max()).sum())) / (REPLICATES + 1)
    return shape, min(1.0, 2 * min(above, below))


def _distances(draws: TailDraws, values: Floats) -> Floats:
    """Kolmogorov-Smirnov distance of each row of numbers to the average tail."""
    points = np.unique(values)
    at_most = 1.0 - draws.survival(points + 1.0).mean(axis=0)
    less = 1.0 - draws.survival(points).mean(axis=0)
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
    known = np.flatnonzero((tolls.some | tolls.none) & record.used)
    known = known[np.argsort(record.dates[known], kind="stable")]
    lethal = tolls.some[known]
    if min(lethal.sum(), (~lethal).sum()) < 3:
        meaning = f"Too few attacks of which it is known whether one {any_}: nothing to test."
        return row(name, math.nan, LEVEL, True, meaning)
    few = anyone.take(rng.choice(len(anyone), REPLICATES))
    chance = few.chance(record.design_matrix[known], record.group[known])
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

    k = np.array([1.0, 2.0, 5.0, 10.0, 50.0])
    chances = fit.chance[:, None] * fit.draws.survival(k)
    columns = {f"P({fit.model.column} >= {int(at)})": chances[:, i] for i, at in enumerate(k)}
    for name, block in blocks.items():
        columns |= _parameters(name, block.tail)
    rows = {}
    for label, values in columns.items():
        low, high = np.quantile(values, levels(prob))
        rows[label] = [values.mean(), values.std(), low, high]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "low", "high"])
    table.attrs |= {"prob": prob, "without_mean": fit.without_mean, "mean_shown": False}
    if fit.without_mean <= MATERIAL and set(blocks) == {"negbin"}:
        # Only a negative binomial has a mean that its parameters pin down well enough to print.
        mean, dispersion = fit.draws.parameters().T
        some = -np.expm1(-np.log1p(mean * dispersion) / dispersion)
        values = fit.chance * mean / some
        low, high = np.quantile(values, levels(prob))
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
    fit: LethalityFit, anyone: AnyDraws, blocks: Mapping[str, Block], record: Record
) -> xr.DataTree:
    """Lay the draws out as ArviZ expects them.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    anyone : AnyDraws
        Draws of the chance.
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

    tolls = record.tolls
    known = np.flatnonzero(~tolls.unknown & record.used)
    step = max(1, -(-len(fit.chance) * len(known) // MOST_CELLS))  # a long list needs no more draws
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
    if len(blocks) > 1:
        variables["tail"] = (two, chains(fit.draws.family))
    coords: dict[str, object] = {}
    if len(record.groups) > 1:
        variables["group_level"] = ((*two, "group"), chains(anyone.level))
        coords["group"] = record.groups
    if anyone.coefficients is not None and record.design is not None:
        variables["coefficients"] = ((*two, "covariate"), chains(anyone.coefficients))
        coords["covariate"] = record.design.names
    along = {"chain": np.arange(CHAINS), "draw": np.arange(len(kept) // CHAINS)}
    likelihood = _log_likelihood(fit.draws.take(kept), anyone.take(kept), record, known)
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


def _log_likelihood(
    tail: TailDraws, anyone: AnyDraws, record: Record, known: NDArray[np.int64]
) -> Floats:
    tolls = record.tolls
    chance = anyone.chance(record.design_matrix[known], record.group[known])
    low, high = tolls.low[known], tolls.high[known]
    some, none = low >= 1, high == 0
    result = np.log1p(-chance * ~some)
    open_ = ~some & ~none
    result[:, open_] = np.log1p(-chance[:, open_] * tail.survival(high[open_] + 1.0))
    pairs, place = np.unique(np.column_stack([low, high])[some], axis=0, return_inverse=True)
    by_pair = tail.log_probability(Tolls(pairs[:, 0], pairs[:, 1]))
    result[:, some] = np.log(chance[:, some]) + by_pair[:, place]
    return np.asarray(result)
