"""Rival definitions of what counts: they say otherwise what is heavy, never where, who or how."""

from __future__ import annotations

import pandas as pd
import pytest

from tempo.briefing.rival_rules import kept_clauses
from tempo.data.incidents import Incidents

TABLE = pd.DataFrame(
    {
        "date_start": pd.date_range("2020-01-01", periods=3),
        "adm_1": ["Kirkūk province", "Basra", "Baghdad"],
        "kind": ["rocket", "IED", "rocket"],
        "killed": [5.0, 0, 1],
        "munitions": [10.0, 1, 1],
        "country_id": [645, 645, 645],
    }
)
ALL = Incidents(TABLE, ("2020-01-01", "2020-02-01"))


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("every row", []),
        ("killed > 0 or munitions >= 10", []),
        ("adm_1 == 'Kirkūk province' and killed >= 5", ['(adm_1 == "Kirkūk province")']),
        (
            "(adm_1 == 'Basra' or kind == 'IED') and killed > 0",
            ['(adm_1 == "Basra" or kind == "IED")'],
        ),
        (
            "(country_id == 645) and (kind == 'rocket')",
            ["(country_id == 645)", '(kind == "rocket")'],
        ),
        ("killed > 0 or adm_1 == 'Basra'", None),
        ("a mask over the rows", None),
    ],
)
def test_clauses_on_place_actor_and_kind_stay(rule, kept):
    assert kept_clauses(rule, ALL) == kept
