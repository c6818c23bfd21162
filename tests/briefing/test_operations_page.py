"""The page on operations: its numbers are those of the result, and it claims no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.briefing.layout import Table
from tempo.briefing.operations_page import assumed_range, operations_section
from tempo.briefing.phrases import percents
from tempo.data.rounding import percent
from tempo.forecasting.outlook import Outlook, paths_array


@pytest.fixture(scope="module")
def heavy():
    past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    return past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")


@pytest.fixture(scope="module")
def outlooks():
    rng = np.random.default_rng(1)
    starts = pd.date_range("2020-03-12", periods=90, freq="1D", unit="us")
    return {
        name: Outlook(
            paths_array(rng.poisson(rate, (2000, 90)), starts),
            name,
            "heavy strike",
            "made up",
            starts[0],
            np.ones(90),
            "0",
        )
        for name, rate in {
            "sporadic": 1 / 75,
            "escalation": 1 / 15,
            "scenario mixture": 0.04,
        }.items()
    }


@pytest.fixture(scope="module")
def lost(heavy, outlooks):
    pauses = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12"
    )
    fit = tempo.StandDown("10-30 %", "5-30 days").fit(heavy, pauses)
    return tempo.impact(outlooks, fit, rng=1)


def test_numbers_are_those_of_the_result(lost) -> None:
    overlap = "From March 2020 the pandemic and the closing of bases overlap the attacks."
    totals = tempo.OperationsTotals.load("iraq-coalition", "cjtf_oir_strikes_derived")
    beside = totals.beside(tempo.load_dataset("iraq-coalition"))
    section = operations_section(lost, beside=beside, overlap=overlap)
    judgement, table, absorbable, points, periods = section.parts
    row = lost.table().loc["scenario mixture"]
    assert percent(row["probability_over_share"]) in judgement
    assert "more than 22 of the 90 days from 12 March 2020" in judgement
    assert isinstance(table, Table)
    assert table.rows[2][1] == f"{row['median_days']} ({row['low_days']} to {row['high_days']})"
    assert "assumption" in absorbable
    assert overlap in points
    assert any("1 heavy strike shortly before 12 March 2020" in point for point in points)
    assert isinstance(periods, Table)
    assert periods.rows[3][:2] == ("1 January 2020 to 29 February 2020", "28")


def test_likelihood_and_confidence_do_not_meet_and_nothing_causes_anything(lost) -> None:
    section = operations_section(lost, words="phia")
    text = " ".join(
        str(part) if isinstance(part, str) else " ".join(part) for part in section.parts if not isinstance(part, Table)
    )  # fmt: skip
    for word in ("confidence", "because of", "due to", "nan", "2020-0"):
        assert word not in text


def test_other_assumptions_are_a_range(heavy, outlooks, lost) -> None:
    others = [
        tempo.impact(outlooks, tempo.StandDown(*said).fit(heavy), rng=1)
        for said in (("5-15 %", "3-10 days"), ("30-60 %", "5-30 days"), ("10-30 %", "20-60 days"))
    ]
    said = assumed_range(lost, others)
    shares = [
        percent(one.table().loc["scenario mixture", "probability_over_share"]) for one in others
    ]
    strikes = "of heavy strikes lead to a stand-down"
    assert (
        f"that probability is {shares[0]} where 5 to 15 % {strikes} and a stand-down lasts 3 to 10 days; "
        f"{shares[1]} where 30 to 60 % {strikes}; {shares[2]} where a stand-down lasts 20 to 60 days. In all"
    ) in said
    every = [
        float(one.table().loc["scenario mixture", "probability_over_share"])
        for one in (lost, *others)
    ]
    assert f"In all it is {percents(min(every), max(every))} (" in said
