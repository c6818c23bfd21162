"""Reporting delay against an EM estimate, simulation, and the future that must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tempo.data.incidents import Incidents
from tempo.data.reporting import ReportingDelay, reporting_delay
from tempo.errors import DataError, OptionError

START = pd.Timestamp("2020-01-01")


def reported(rng, n_days=120, per_day=1.5, p=0.15):
    """Attacks over some days, each reported after a geometric number of days (0, 1, …)."""
    day = np.repeat(np.arange(n_days), rng.poisson(per_day, n_days))
    table = pd.DataFrame({"date_start": START + pd.to_timedelta(day, unit="D")})
    delay = rng.geometric(p, len(day)) - 1
    table["reported_at"] = table["date_start"] + pd.to_timedelta(delay, unit="D")
    return Incidents(table, (START, START + pd.Timedelta(days=n_days + 400)))


def by_em(delay, seen_for, longest, steps=20_000):
    """Maximum likelihood under right truncation, by adding the attacks that were not seen yet (Turnbull)."""
    share = np.full(longest + 1, 1 / (longest + 1))
    n = np.bincount(delay, minlength=longest + 1)
    days = np.arange(longest + 1)
    for _ in range(steps):
        ghosts = np.zeros(longest + 1)
        until = np.cumsum(share)
        for limit, count in zip(
            *np.unique(np.minimum(seen_for, longest), return_counts=True), strict=True
        ):
            ghosts += count * np.where(days > limit, share / until[limit], 0.0)
        new = (n + ghosts) / (n + ghosts).sum()
        if np.abs(new - share).max() < 1e-13:
            break
        share = new
    return np.cumsum(share)


def test_the_estimate_is_that_of_em():
    rng = np.random.default_rng(3)
    past = reported(rng, 50, 1.2).before("2020-02-10")
    table = past.table
    delay = ((table["reported_at"] - table["date_start"]) / pd.Timedelta("1D")).to_numpy(dtype=int)
    seen_for = ((pd.Timestamp("2020-02-09") - table["date_start"]) / pd.Timedelta("1D")).to_numpy(
        dtype=int
    )
    found = reporting_delay(past).share
    expected = by_em(delay, seen_for, int(delay.max()))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    naive = np.cumsum(np.bincount(delay)) / len(delay)
    assert np.abs(naive - found).max() > 0.02  # the correction does something


def test_truth_is_recovered_and_the_naive_estimate_is_not():
    rng = np.random.default_rng(1)
    past = reported(rng, 60, 40, p=0.05).before("2020-03-01")
    found = reporting_delay(past)
    truth = stats.geom(0.05).cdf(np.arange(1, 31)) / stats.geom(0.05).cdf(60)
    np.testing.assert_allclose(found.share[:30], truth, atol=0.05)
    table = past.table
    delay = ((table["reported_at"] - table["date_start"]) / pd.Timedelta("1D")).to_numpy(dtype=int)
    assert np.mean(delay <= 10) > truth[10] + 0.08


@pytest.mark.slow
def test_the_curves_cover_the_truth():
    rng = np.random.default_rng(2)
    truth, inside = stats.geom(0.15).cdf(np.array([1, 4, 9]) + 1), np.zeros(3)
    for _ in range(120):
        found = reporting_delay(reported(rng).before("2020-04-20"), draws=200, rng=rng)
        low, high = np.quantile(found.reported_share([1, 4, 9]), [0.05, 0.95], axis=0)
        inside += (low <= truth) & (truth <= high)
    assert (inside / 120 > 0.82).all()
    assert (inside / 120 < 0.98).all()


def test_reports_to_come_do_not_matter():
    rng = np.random.default_rng(5)
    every = reported(rng)
    table = every.table
    late = (table["reported_at"] >= "2020-03-01").to_numpy()
    table.loc[late, "reported_at"] = table.loc[late, "reported_at"] + pd.Timedelta("90D")
    other = Incidents(table, every.window)
    one, two = (reporting_delay(data, as_of="2020-03-01", rng=1) for data in (every, other))
    np.testing.assert_array_equal(one.curves, two.curves)
    same = reporting_delay(every.before("2020-03-01"), rng=1)
    np.testing.assert_array_equal(one.share, same.share)


def test_what_a_delay_says():
    delay = ReportingDelay.within(2, 14)
    law = stats.lognorm(np.log(7) / (2 * stats.norm.ppf(0.95)), scale=np.sqrt(28))
    assert delay.reported_share([-1, 0, 10_000]).tolist() == [[0.0, pytest.approx(law.cdf(1)), 1.0]]
    np.testing.assert_allclose(delay.share[:-1], law.cdf(np.arange(1, len(delay.share))), atol=1e-9)
    assert delay.days_until(0.5) == 5
    assert list(delay.table.columns) == ["share", "low", "high"]
    assert "half of all attacks are reported within 5 days" in repr(delay)
    alike = ReportingDelay.within(0, 14)
    assert alike.share == pytest.approx(np.arange(1, 16) / 15)
    assert "90 % within 13 days (up to 14 days, as stated)" in repr(alike)
    known = reporting_delay(reported(np.random.default_rng(1)))
    assert (np.diff(known.share) >= 0).all()
    assert known.share[-1] == 1
    assert (known.table["low"] <= known.table["high"]).all()
    with pytest.raises(OptionError, match="share"):
        delay.days_until(1.0)


def test_doubts_stand_on_the_result():
    table = pd.DataFrame(
        {
            "date_start": ["2020-01-05", "2020-01-09", "2020-01-11"],
            "reported_at": ["2020-01-06", "2020-01-08", "2020-01-30"],
        }
    )
    found = reporting_delay(Incidents(table, ("2020-01-01", "2020-03-01")))
    assert any("2 reports only" in note for note in found.notes)
    assert any("before they happened" in note for note in found.notes)


def test_one_old_report_does_not_hide_all_others():
    """Only the first attack was old enough to be reported after 295 days, so that it alone says how many are."""
    table = pd.DataFrame({"date_start": pd.date_range("2020-01-02", periods=30, freq="10D")})
    delay = np.tile([2, 3, 5, 1, 4], 6)
    delay[0] = 295
    table["reported_at"] = table["date_start"] + pd.to_timedelta(delay, unit="D")
    found = reporting_delay(Incidents(table, ("2020-01-01", "2020-11-01")))
    assert found.share[10] == pytest.approx(0.25)  # Jeffreys prior, and one attack of one
    low, high = np.quantile(found.curves[:, 10], [0.05, 0.95])
    assert 0 < low < 0.05 < 0.3 < high < 1
    assert any("295 days" in note for note in found.notes)


@pytest.mark.parametrize("ends", [(-1, 3), (0, 0), (5, 2), (2, 10_000), (float("nan"), 3)])
def test_delays_that_cannot_be(ends):
    with pytest.raises(OptionError, match="days"):
        ReportingDelay.within(*ends)


def test_nothing_to_learn_from():
    table = pd.DataFrame({"date_start": ["2020-01-05"]})
    with pytest.raises(DataError, match="reported_at"):
        reporting_delay(Incidents(table, ("2020-01-01", "2020-03-01")))
    table["reported_at"] = ["2020-02-20"]
    with pytest.raises(DataError, match="before 2020-02-01"):
        reporting_delay(Incidents(table, ("2020-01-01", "2020-03-01")), as_of="2020-02-01")
    with pytest.raises(OptionError, match="draws"):
        reporting_delay(Incidents(table, ("2020-01-01", "2020-03-01")), draws=0)


def test_a_date_beyond_the_cut_is_refused() -> None:
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=60),
            "reported_at": pd.date_range("2020-01-03", periods=60),
        }
    )
    cut = Incidents(table, ("2020-01-01", "2020-03-01")).before("2020-02-15")
    with pytest.raises(DataError, match="not in them"):
        reporting_delay(cut, as_of="2030-01-01")
