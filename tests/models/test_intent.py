"""Intent as two latent classes: against enumeration, under its own prior, and with what users bring."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betaln, gammaln, logsumexp

import tempo
from tempo.errors import DataError, FewEventsWarning, OptionError
from tempo.models import intent_kernels as kernels
from tempo.models.elicited import beta_within
from tempo.models.intent import IntentPrior

SHARE = np.array([1.0, 2.0])
SALVO = np.array([[8.0, 15.0], [3.0, 30.0]])
OUTCOME = np.array([[[1, 10.0], [2, 8.0]], [[2, 4.0], [3, 3.0]]])


def small() -> tuple[np.ndarray, ...]:
    """Give seven attacks: exact salvos, one in an interval, one unknown; one category; two outcomes."""
    rng = np.random.default_rng(1)
    low = np.array([1, 2, 15, 0, 3, 20, 1])
    high = low.copy()
    high[4] = 7
    categories = rng.integers(0, 3, (7, 1))
    categories[2, 0] = -1
    return low, high, categories, np.array([3]), rng.integers(-1, 2, (7, 2))


def log_joint(classes: tuple[int, ...], salvo: np.ndarray, data: tuple[np.ndarray, ...]) -> float:
    """Give the log probability of the data and one classification, parameters integrated out in closed form."""
    _, _, categories, _, outcomes = data
    member = np.array(classes)
    total = betaln(SHARE[0] + member.sum(), SHARE[1] + (1 - member).sum()) - betaln(*SHARE)
    for k in (0, 1):
        rows = member == k
        rounds = salvo[rows & (salvo > 0)]
        a, b = SALVO[k]
        total += betaln(a + len(rounds), b + (rounds - 1).sum()) - betaln(a, b)
        codes = categories[rows, 0]
        tally = np.bincount(codes[codes >= 0], minlength=3)
        total += gammaln(3.0) - gammaln(3.0 + tally.sum()) + gammaln(1.0 + tally).sum()
        for o in (0, 1):
            a, b = OUTCOME[k, o]
            some, none = (outcomes[rows, o] == 1).sum(), (outcomes[rows, o] == 0).sum()
            total += betaln(a + some, b + none) - betaln(a, b)
    return float(total)


def enumerated(data: tuple[np.ndarray, ...]) -> tuple[float, np.ndarray]:
    """Sum over every classification and every salvo inside its interval."""
    logs, members = [], []
    for classes in itertools.product((0, 1), repeat=len(data[0])):
        for inside in range(3, 8):
            salvo = data[0].copy()
            salvo[4] = inside
            logs.append(log_joint(classes, salvo, data))
            members.append(classes)
    evidence = float(logsumexp(logs))
    return evidence, np.exp(np.array(logs) - evidence) @ np.array(members)


def test_evidence_and_classification_agree_with_enumeration() -> None:
    data = small()
    evidence, expected = enumerated(data)
    runs = [
        kernels.log_evidence(*data, SHARE, SALVO, OUTCOME, 1.0, 2_000, np.random.default_rng(seed))
        for seed in range(4)
    ]
    assert logsumexp(runs) - np.log(4) == pytest.approx(evidence, abs=0.02)
    draws = kernels.gibbs(
        *data, SHARE, SALVO, OUTCOME, 1.0, 200, 20_000, 1, np.random.default_rng(1)
    )
    classified, _ = kernels.classify(*data, *draws)
    assert classified.mean(axis=0) == pytest.approx(expected, abs=0.012)


def test_one_class_has_the_evidence_of_the_closed_form() -> None:
    low, _, categories, levels, outcomes = small()
    data = (low, low, categories, levels, outcomes)
    found = kernels.log_evidence(
        *data, np.zeros(2), SALVO, OUTCOME, 1.0, 1, np.random.default_rng(1)
    )
    both = log_joint((0,) * 7, low, data)
    alone = betaln(SHARE[0], SHARE[1] + 7) - betaln(*SHARE)
    assert found == pytest.approx(both - alone, abs=1e-10)


def test_log_likelihood_sums_over_the_classes() -> None:
    low, high, categories, levels, outcomes = small()
    share, stop = 0.3, np.array([0.4, 0.1])
    mix = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    happens = np.array([[0.05, 0.1], [0.4, 0.6]])
    classified, found = kernels.classify(
        low,
        high,
        categories,
        levels,
        outcomes,
        np.array([share]),
        stop[None],
        mix[None],
        happens[None],
    )
    for i in range(len(low)):
        parts = []
        for k in (0, 1):
            value = share if k else 1 - share
            if low[i]:
                value *= stats.geom(stop[k]).cdf(high[i]) - stats.geom(stop[k]).cdf(low[i] - 1)
            if categories[i, 0] >= 0:
                value *= mix[k, categories[i, 0]]
            for o in (0, 1):
                value *= {1: happens[k, o], 0: 1 - happens[k, o], -1: 1.0}[int(outcomes[i, o])]
            parts.append(value)
        assert found[0, i] == pytest.approx(np.log(sum(parts)), rel=1e-10)
        assert classified[0, i] == pytest.approx(parts[1] / sum(parts), rel=1e-10)


def attacks(
    rng: np.random.Generator, n: int, prior: IntentPrior
) -> tuple[tempo.Incidents, np.ndarray, float]:
    """Draw attacks from the prior: the table, the true classes and the true share."""
    share = rng.beta(*beta_within(*prior.share))
    lethal = rng.random(n) < share
    stop = [rng.beta(*beta_within(1 / high, 1 / low)) for low, high in prior.salvo]
    mix = rng.dirichlet(np.ones(2), 2)
    columns: dict[str, object] = {
        "munitions": rng.geometric(np.where(lethal, stop[1], stop[0])).astype(float),
        "kind": np.where(
            rng.random(n) < np.where(lethal, mix[1, 0], mix[0, 0]), "rocket", "mortar"
        ),
    }
    for name, spans in prior.outcomes.items():
        chance = [rng.beta(*beta_within(*span)) for span in spans]
        columns[name] = (rng.random(n) < np.where(lethal, chance[1], chance[0])).astype(float)
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=n), **columns})
    table.loc[rng.random(n) < 0.2, "munitions"] = np.nan
    table.loc[rng.random(n) < 0.1, "killed"] = np.nan
    return tempo.Incidents(table, ("2020-01-01", "2021-01-01")), lethal, float(share)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tempo.errors.ConvergenceWarning")
def test_share_and_classification_are_calibrated_under_the_prior() -> None:
    rng, prior = np.random.default_rng(3), IntentPrior()
    ranks, chances, truths = [], [], []
    for i in range(60):
        incidents, lethal, share = attacks(rng, 30, prior)
        fit = tempo.Intent().fit(incidents, rng=i, draws=400)
        if incidents.table["kind"].nunique() == 2:  # the prior of a category knows its levels
            ranks.append((fit.posterior["posterior"]["share"].to_numpy() < share).mean())
            chances.append(fit.attacks["probability"].to_numpy())
            truths.append(lethal)
    assert len(ranks) > 45
    assert stats.kstest(ranks, "uniform").pvalue > 0.002
    chance, truth = np.concatenate(chances), np.concatenate(truths)
    for low, high in ((0, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1.0)):
        rows = (chance >= low) & (chance <= high)
        assert truth[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.06)


def test_two_shares_agree_with_enumeration() -> None:
    """Given the classes each share is Beta; the classes are summed over, all of them."""
    rng = np.random.default_rng(4)
    n, share = 9, beta_within(*IntentPrior().share)
    outcome = np.array([[0, 0], [0, 1], [0, 0], [1, 0], [0, 0], [1, 1], [0, 1], [1, 1], [1, 0]])
    outcome[rng.random((n, 2)) < 0.1] = -1
    model = tempo.Intent(size=None, categories=())
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=n)})
    table[["killed", "wounded"]] = np.where(outcome < 0, np.nan, outcome)
    with pytest.warns(FewEventsWarning):
        fit = model.fit(tempo.Incidents(table, ("2020-01-01", "2020-02-01")), rng=1, draws=4_000)
    later = np.arange(n) >= 5
    logs, chances, means = [], [], []
    grid = (np.arange(2_000) + 0.5) / 2_000
    for classes in itertools.product((False, True), repeat=n):
        member = np.array(classes)
        total, sides = 0.0, []
        for rows in (~later, later):
            a, b = share[0] + member[rows].sum(), share[1] + (~member[rows]).sum()
            total += betaln(a, b) - betaln(*share)
            sides.append(stats.beta(a, b))
        for k, name in itertools.product((0, 1), ("killed", "wounded")):
            a, b = beta_within(*IntentPrior().outcomes[name][k])
            seen = outcome[member == bool(k), ("killed", "wounded").index(name)]
            total += betaln(a + (seen == 1).sum(), b + (seen == 0).sum()) - betaln(a, b)
        logs.append(total)
        means.append([side.mean() for side in sides])
        chances.append((sides[0].cdf(grid) * sides[1].pdf(grid)).mean())
    weight = np.exp(np.array(logs) - logsumexp(logs))
    found = fit.compare("2020-01-06", rng=3)
    assert found["attacks"].tolist() == [5, 4]
    assert found["share"].to_numpy() == pytest.approx(weight @ np.array(means), abs=0.006)
    assert found.attrs["higher"] == pytest.approx(weight @ np.array(chances), abs=0.01)
    pd.testing.assert_frame_equal(fit.compare("2020-01-06", rng=3), found)


def halves(
    rng: np.random.Generator, n: int, shares: tuple[float, float]
) -> tuple[tempo.Incidents, pd.Timestamp]:
    """Draw attacks whose share of lethal intent changes half-way, the classes being drawn from their prior."""
    prior, later = IntentPrior(), np.arange(n) >= n // 2
    lethal = rng.random(n) < np.where(later, shares[1], shares[0])
    stop = [rng.beta(*beta_within(1 / high, 1 / low)) for low, high in prior.salvo]
    columns = {"munitions": rng.geometric(np.where(lethal, stop[1], stop[0])).astype(float)}
    for name, spans in prior.outcomes.items():
        chance = [rng.beta(*beta_within(*span)) for span in spans]
        columns[name] = (rng.random(n) < np.where(lethal, chance[1], chance[0])).astype(float)
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=n), **columns})
    table.loc[rng.random(n) < 0.2, "munitions"] = np.nan
    return tempo.Incidents(table, ("2020-01-01", "2022-01-01")), table["date_start"][n // 2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tempo.errors.ConvergenceWarning")
def test_the_difference_of_two_shares_is_calibrated_under_the_prior() -> None:
    """Of each difference that is found, all is true on average: it is not shrunk towards the share of all attacks."""
    rng = np.random.default_rng(5)
    share = beta_within(*IntentPrior().share)
    true, said, chance, inside = [], [], [], []
    for i in range(80):
        shares = rng.beta(*share, size=2)
        incidents, day = halves(rng, 80, (shares[0], shares[1]))
        fit = tempo.Intent(categories=()).fit(incidents, rng=i, draws=250)
        table = fit.compare(day, rng=i)
        true.append(shares[1] - shares[0])
        said.append(table["share"]["from"] - table["share"]["before"])
        chance.append(table.attrs["higher"])
        inside += ((table["low"] <= shares) & (shares <= table["high"])).tolist()
    line = stats.linregress(said, true)
    assert line.slope == pytest.approx(1, abs=3 * line.stderr)
    assert (
        abs(line.slope - 1) < 0.25
    )  # 1.4 where attacks are classified as if the share never changed
    assert np.mean(inside) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 160))
    hits = (np.array(true) > 0) - np.array(chance)
    assert abs(hits.mean()) < 3 * np.sqrt(np.mean(np.array(chance) * (1 - np.array(chance))) / 80)


@pytest.mark.filterwarnings("ignore::tempo.errors.ConvergenceWarning")
def test_a_large_change_of_the_share_is_not_understated() -> None:
    rng = np.random.default_rng(6)
    gaps, inside = [], []
    for i in range(12):
        incidents, day = halves(rng, 200, (0.1, 0.6))
        table = tempo.Intent(categories=()).fit(incidents, rng=i, draws=250).compare(day)
        gaps.append(table["share"]["from"] - table["share"]["before"])
        inside += ((table["low"] <= [0.1, 0.6]) & (table["high"] >= [0.1, 0.6])).tolist()
    assert (
        np.mean(gaps) > 0.4
    )  # 0.26 where attacks are classified as if the share never changed; 0.5 is true
    assert np.mean(inside) >= 0.75


@pytest.fixture(scope="module")
def shipped() -> tempo.models.intent_fit.IntentFit:
    return tempo.Intent().fit(tempo.load_dataset("iraq-coalition").before("2020-03-12"), rng=7)


def test_the_chronology(shipped: tempo.models.intent_fit.IntentFit) -> None:
    table = shipped.attacks
    assert len(table) == 34
    assert table.loc["IQ033", "probability"] > 0.9  # Camp Taji, 11 March 2020
    assert table.loc["IQ033", "salvo"] == "15 to 30"
    assert table.loc["IQ029", "killed"] == "unknown"
    assert table["probability"].mean() == pytest.approx(float(shipped.share()), abs=0.05)
    assert "not observed" in shipped.describe()
    assert "share of lethal intent" in repr(shipped)
    assert shipped.check()["passed"].all()
    assert shipped.classes().loc["mean salvo", ("lethal intent", "low")] > 5
    assert shipped.summary().loc["share of lethal intent", "mean"] == pytest.approx(
        float(shipped.share())
    )
    assert shipped.provenance.rule == "every row"


def test_a_seed_reproduces_the_fit(shipped: tempo.models.intent_fit.IntentFit) -> None:
    again = tempo.Intent().fit(tempo.load_dataset("iraq-coalition").before("2020-03-12"), rng=7)
    pd.testing.assert_frame_equal(again.attacks, shipped.attacks)
    pd.testing.assert_series_equal(again.log_evidence, shipped.log_evidence)


def test_comparison_of_two_stretches(shipped: tempo.models.intent_fit.IntentFit) -> None:
    table = shipped.compare("2019-12-27")
    assert table["attacks"].sum() == 34
    assert 0.3 < table.attrs["higher"] < 0.95
    with pytest.raises(OptionError, match="one side"):
        shipped.compare("2018-01-01")


def test_attacks_that_are_all_alike_need_no_second_class() -> None:
    rng = np.random.default_rng(5)
    n = 150
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=n),
            "munitions": rng.geometric(0.4, n),
            "killed": rng.random(n) < 0.05,
            "wounded": rng.random(n) < 0.1,
        }
    ).astype({"killed": float, "wounded": float})
    incidents = tempo.Incidents(table, ("2020-01-01", "2021-01-01"))
    fit = tempo.Intent(categories=()).fit(incidents, rng=1)
    assert fit.two_classes < 0.5
    assert "not needed" in fit.describe()


def test_unknown_values_say_nothing() -> None:
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=40),
            "munitions": [2.0, 15.0] * 19 + [np.nan] * 2,
            "killed": [0.0, 1.0] * 19 + [np.nan] * 2,
        }
    )
    incidents = tempo.Incidents(table, ("2020-01-01", "2021-01-01"))
    fit = tempo.Intent(categories=(), outcomes=("killed",)).fit(incidents, rng=1)
    assert any("neither size nor outcome" in note for note in fit.provenance.notes)
    assert fit.attacks["probability"].iloc[-1] == pytest.approx(float(fit.share()), abs=1e-3)


def test_a_weapon_that_is_not_known_is_no_weapon_of_its_own() -> None:
    """As a level it took a share of the prior in both classes, and one blank cost two classes a factor of 15."""
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=60),
            "kind": "rocket",
            "munitions": [2.0, 1.0, 12.0] * 20,
            "killed": [0, 0, 1, 0, 0, 0] * 10,
        }
    )
    model, window = tempo.Intent(outcomes=("killed",)), ("2020-01-01", "2020-03-01")
    known = model.fit(tempo.Incidents(table, window), rng=7, draws=200)
    table.loc[3, "kind"] = None
    blank = model.fit(tempo.Incidents(table, window), rng=7, draws=200)
    assert blank.attacks["kind"].iloc[3] == "unknown"
    pd.testing.assert_series_equal(blank.log_evidence, known.log_evidence)
    assert blank.classes().loc["kind: rocket"].to_numpy() == pytest.approx(np.ones(6))


def test_few_attacks_are_the_prior() -> None:
    table = pd.DataFrame({"date_start": ["2020-01-01"], "munitions": [np.nan], "killed": [np.nan]})
    incidents = tempo.Incidents(table, ("2020-01-01", "2020-02-01"))
    with pytest.warns(FewEventsWarning, match="those of the prior"):
        fit = tempo.Intent(categories=(), outcomes=("killed",)).fit(incidents, rng=1)
    share = fit.share()
    assert (share.low, share.high) == pytest.approx((0.05, 0.6), abs=0.03)
    assert fit.log_evidence.to_numpy() == pytest.approx([0, 0], abs=1e-9)


def test_errors_say_what_to_do() -> None:
    incidents = tempo.load_dataset("iraq-coalition")
    with pytest.raises(DataError, match="no column 'salvo_size'"):
        tempo.Intent(size="salvo_size").fit(incidents)
    with pytest.raises(OptionError, match="says nothing of the outcome"):
        tempo.Intent(outcomes=("burnt",))
    with pytest.raises(OptionError, match="lower interval first"):
        IntentPrior(salvo=((6, 30), (1.5, 5)))
    with pytest.raises(DataError, match="one row for each attack"):
        tempo.Intent().fit(incidents.before("2019-06-10").counts("1D"))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="only they tell"):
        tempo.Intent(size=None, outcomes=())
    with pytest.raises(OptionError, match="between 0 and 1"):
        beta_within(0.5, 0.2)
