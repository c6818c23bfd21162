"""The names that users type, how they are documented, and what their signatures promise."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
from numpydoc.validate import validate

import tempo

PUBLIC = [
    "Alarm",
    "Changepoints",
    "ConstantRate",
    "Counts",
    "DoseResponse",
    "Hawkes",
    "HawkesKinds",
    "Incidents",
    "Intent",
    "Killed",
    "Lethality",
    "OperationsTotals",
    "Outlook",
    "Pauses",
    "Phase",
    "Regimes",
    "ReportingDelay",
    "Scenario",
    "StandDown",
    "Verdict",
    "Weights",
    "Window",
    "check_file",
    "concat",
    "explain",
    "forecast",
    "forecast_kinds",
    "impact",
    "intervene",
    "list_datasets",
    "load_dataset",
    "load_table",
    "plot_alarm",
    "plot_deadliness",
    "plot_forecast",
    "plot_impact",
    "plot_indicators",
    "plot_intensity",
    "plot_intent",
    "plot_n_changes",
    "plot_odds",
    "plot_regimes",
    "plot_scenarios",
    "plot_severity",
    "plot_shared_changes",
    "plot_story",
    "plot_tempo",
    "plot_timeline",
    "plot_triggering",
    "plot_verdict",
    "read_counts",
    "read_incidents",
    "read_scenarios",
    "reporting_delay",
    "shared_changes",
    "weigh",
    "weigh_rules",
    "write_briefing",
    "write_scenarios",
]
PLOTS = [name for name in PUBLIC if name.startswith("plot_")]
#: numpydoc's own codes: sections in the wrong order; no docstring; no or bad summary; parameters undocumented,
#: unknown or out of order; no returns.
METHOD_CHECKS = {"GL07", "GL08", "SS01", "SS02", "SS04", "PR01", "PR02", "PR03", "RT01"}
#: Public functions and classes also have an example.
NAME_CHECKS = METHOD_CHECKS | {"EX01"}


def _complaints(dotted: str, checks: set[str]) -> list[str]:
    found = validate(dotted)["errors"]
    return [f"{dotted}: {code} {text}" for code, text in found if code in checks]


def _results() -> list[str]:
    """Names of classes that users are given and never build: they document attributes, not parameters."""
    return [
        name
        for name in PUBLIC
        if inspect.isclass(getattr(tempo, name))
        and "Attributes\n" in inspect.getdoc(getattr(tempo, name))
    ]


def _public_methods() -> list[str]:
    names = []
    for name in PUBLIC:
        value = getattr(tempo, name)
        if inspect.isclass(value):
            own = [
                method
                for method, member in vars(value).items()
                if not method.startswith("_")
                and isinstance(member, classmethod | staticmethod | property | type(lambda: 0))
            ]
            names += [f"tempo.{name}.{method}" for method in own]
    return names


def test_all_is_exactly_the_list() -> None:
    assert tempo.__all__ == ["__version__", *PUBLIC]
    assert sorted(PUBLIC) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_name_resolves_to_something_that_says_where_it_lives(name: str) -> None:
    value = getattr(tempo, name)
    assert callable(value)
    assert value.__module__.startswith("tempo.")
    assert name in dir(tempo)


def test_unknown_names_fail_as_attributes_do() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Hawks'"):
        _ = tempo.Hawks


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_complete(name: str) -> None:
    checks = NAME_CHECKS - {"PR01"} if name in _results() else NAME_CHECKS
    assert _complaints(f"tempo.{name}", checks) == []


def test_results_document_every_field() -> None:
    missing = []
    for name in _results():
        value = getattr(tempo, name)
        documented = inspect.getdoc(value)
        fields = (
            [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        )
        missing += [
            f"{name}.{field}"
            for field in fields
            if not field.startswith("_")
            and not re.search(rf"^(\w+, )*{field}(, \w+)* : ", documented, re.M)
        ]
    assert missing == []


def test_methods_are_documented() -> None:
    methods = _public_methods()
    assert "tempo.Incidents.where" in methods
    assert [c for method in methods for c in _complaints(method, METHOD_CHECKS)] == []


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_takes_results_and_an_axes(name: str) -> None:
    signature = inspect.signature(getattr(tempo, name))
    assert signature.parameters["ax"].default is None
    kinds = {p.kind for p in signature.parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert "Axes" in str(signature.return_annotation)


@pytest.mark.parametrize("name", PUBLIC)
def test_signature_is_typed(name: str) -> None:
    value = getattr(tempo, name)
    call = value.__init__ if inspect.isclass(value) else value
    if "__init__" in dir(value) and inspect.isclass(value) and "__init__" not in vars(value):
        return  # an inherited constructor is not ours to type
    untyped = [
        p.name
        for p in inspect.signature(call).parameters.values()
        if p.name != "self" and p.annotation is inspect.Parameter.empty
    ]
    assert untyped == []


def test_randomness_is_rng_and_probability_is_prob() -> None:
    """SPEC 7: one keyword for randomness; and one for the content of an interval."""
    others = re.compile(r"seed|random_state|random_seed|generator")
    wrong = []
    for dotted in [f"tempo.{name}" for name in PUBLIC] + _public_methods():
        value: object = tempo
        for part in dotted.split(".")[1:]:
            value = (
                inspect.getattr_static(value, part) if value is not tempo else getattr(tempo, part)
            )
        function = getattr(value, "__func__", value)
        if isinstance(function, property) or dotted.removeprefix("tempo.") in _results():
            continue
        wrong += [
            f"{dotted}({p})"
            for p in inspect.signature(function).parameters  # type: ignore[arg-type]
            if others.fullmatch(p) or p == "quantile" or p in {"alpha", "hdi_prob", "level"}
        ]
    assert wrong == []
