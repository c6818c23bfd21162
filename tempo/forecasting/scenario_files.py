"""Scenarios in files: plain dictionaries, TOML and JSON, in words or as they were learned."""

from __future__ import annotations

import inspect
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from tempo.data.counts import Counts
from tempo.data.doors import cannot_write, read_bytes, shown, write_whole
from tempo.data.incidents import Incidents
from tempo.data.window import as_date
from tempo.errors import ScenarioError, TempoError
from tempo.forecasting.continuations import Continued
from tempo.forecasting.killed import Killed
from tempo.forecasting.laws import Chance, GammaRate, Kinds, Length, Multiple, Spread
from tempo.forecasting.phases import Breakdown, Phase
from tempo.forecasting.scenarios import Scenario

__all__ = ["from_plain", "read_scenarios", "to_plain", "write_scenarios"]

# What a broken table ends in, deep inside the story that it was meant to tell.
_MISWRITTEN = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
)  # fmt: skip

type Past = Incidents | Counts | pd.Series
type Plain = dict[str, Any]

_LAWS = {
    law.__name__: law
    for law in (GammaRate, Multiple, Length, Chance, Kinds, Spread, Breakdown, Killed)
}
_BUILDERS = ("every", "escalation", "surge_and_return", "ceasefire", "retaliation_spiral")
_STORY = ("name", "phases", "learned_until", "half_life", "dispersion", "deaths", "prob", "as_of")
_PHASE = (
    "name",
    "rate",
    "onset",
    "duration",
    "then",
    "breakdown",
    "kinds",
    "branching",
    "lethality",
    "prob",
)


def to_plain(scenario: Scenario) -> Plain:
    """Give a scenario as plain dictionaries, lists, numbers and strings.

    Parameters
    ----------
    scenario : Scenario
        Any.

    Returns
    -------
    dict
        Fit for JSON and TOML; ``from_plain`` makes the same scenario of it.

    Examples
    --------
    >>> plain = to_plain(Scenario.every("2-3 months", name="sporadic"))
    >>> plain["name"], plain["phases"][0]["rate"]["words"]
    ('sporadic', 'one every 2 to 3 months')
    """
    plain: Plain = {
        "name": scenario.name,
        "phases": [_plain_phase(phase) for phase in scenario.phases],
    }
    for what in ("learned_until", "as_of"):
        if getattr(scenario, what) is not None:
            plain[what] = f"{getattr(scenario, what):%Y-%m-%d}"
    for what in ("half_life", "dispersion", "deaths"):
        if getattr(scenario, what) is not None:
            plain[what] = _plain_law(getattr(scenario, what))
    return plain


def from_plain(plain: Mapping[str, Any], past: Past | None = None) -> Scenario:
    """Make a scenario from plain dictionaries.

    Parameters
    ----------
    plain : mapping
        What ``to_plain`` gave; or a story in words: ``{"name": "sporadic", "every": "2-3 months"}``, ``{"name": "e",
        "escalation": {"rate_multiplier": "x3 to x8"}}`` (likewise ``surge_and_return``, ``ceasefire`` and
        ``retaliation_spiral``, with the arguments of these builders), or ``{"name": "own", "phases": [{"name": "lull",
        "rate": "1-2 a month"}, …]}`` with the arguments of ``Phase.of``.
    past : Incidents, Counts or Series, optional
        Needed where the story begins "now" or learns from the past.

    Returns
    -------
    Scenario
        Checked.

    Raises
    ------
    ScenarioError
        If something is not understood; the message names the scenario and lists what may stand there.

    Examples
    --------
    >>> from_plain({"name": "sporadic", "every": "2-3 months"}) == Scenario.every("2-3 months", name="sporadic")
    True
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise ScenarioError(
            f"a scenario is {plain!r}; expected a table with a name, and phases or one of {', '.join(_BUILDERS)}."
        )
    name = plain["name"]
    told = [builder for builder in _BUILDERS if builder in plain]
    if len(told) + ("phases" in plain) != 1:
        raise ScenarioError(
            f"the scenario {name!r} has {', '.join(plain)}; expected exactly one of phases, {', '.join(_BUILDERS)}."
        )
    if told:
        return _built(name, told[0], plain, past)
    _known(plain, _STORY, f"the scenario {name!r}")
    if not isinstance(plain["phases"], list | tuple):
        raise ScenarioError(
            f"the phases of {name!r} are {plain['phases']!r}; expected a list of tables, [[scenario.phases]] in TOML."
        )
    phases = [_phase(phase, name) for phase in plain["phases"]]
    rest = {
        what: _law(plain[what]) if isinstance(plain[what], Mapping) else _said(plain[what])
        for what in ("half_life", "dispersion", "deaths")
        if what in plain
    }
    end = as_date(plain["as_of"], "as_of") if "as_of" in plain else None
    if "learned_until" not in plain:
        made = Scenario.of_phases(name, phases, past, prob=float(plain.get("prob", 0.9)), **rest)
        return made if end is None else replace(made, as_of=end)
    if not all(isinstance(value, Length | Spread | Killed) for value in rest.values()):
        raise ScenarioError(
            f"the scenario {name!r} has learned_until, as a saved one, and {', '.join(rest)} in words. Leave "
            "learned_until out, so that it learns again."
        )
    until = as_date(plain["learned_until"], "learned_until")
    return Scenario(name, tuple(phases), until, **rest, as_of=end)


def read_scenarios(
    path: str | Path, past: Past | None = None
) -> tuple[list[Scenario], list[float] | None]:
    r"""Read scenarios from a TOML or JSON file.

    Parameters
    ----------
    path : str or Path
        A file with one table for each ``scenario`` (``[[scenario]]`` in TOML, ``{"scenario": […]}`` in JSON), as
        ``Scenario.from_dict`` takes them, each with an optional ``prior``.
    past : Incidents, Counts or Series, optional
        The attacks that the scenarios are about.

    Returns
    -------
    scenarios : list of Scenario
        In the order of the file.
    prior : list of float or None
        Probability of each before the data; None where the file gives none.

    Raises
    ------
    ScenarioError
        If the file cannot be read, or a scenario in it is not understood.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "two.toml"
    ...     _ = file.write_text(
    ...         '[[scenario]]\nname = "rare"\nevery = "2-3 months"\nprior = 0.7\n'
    ...         '[[scenario]]\nname = "often"\nevery = "3-5 a week"\nprior = 0.3\n'
    ...     )
    ...     scenarios, prior = read_scenarios(file)
    >>> [scenario.name for scenario in scenarios], prior
    (['rare', 'often'], [0.7, 0.3])
    """
    if not isinstance(path, str | Path):
        raise ScenarioError(
            f"path is {path!r}; expected the name of a TOML or JSON file of scenarios."
        )
    file = Path(path)
    try:
        text = read_bytes(file, ScenarioError).decode("utf-8")
        held = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise ScenarioError(
            f"cannot read scenarios from {shown(file)}: {str(error)[:200] or type(error).__name__}. Expected "
            "a TOML file with [[scenario]] tables, or the same "
            "as JSON."
        ) from error
    tables = held.get("scenario") if isinstance(held, dict) and set(held) == {"scenario"} else None
    if not isinstance(tables, list) or not tables:
        raise ScenarioError(
            f"{file} holds no scenarios. Expected one [[scenario]] table for each, with a name and, for example, "
            'every = "2-3 months".'
        )
    scenarios, priors = [], []
    for table in tables:
        plain = dict(table) if isinstance(table, Mapping) else table
        if isinstance(plain, dict) and "prior" in plain:
            priors.append(_share(plain.pop("prior"), plain.get("name")))
        try:
            scenarios.append(from_plain(plain, past))
        except TempoError:
            raise
        except _MISWRITTEN as error:
            called = plain.get("name") if isinstance(plain, dict) else None
            raise ScenarioError(
                f"the scenario {str(called)[:80]!r} in {shown(file)} is not understood ({type(error).__name__}: "
                f"{str(error)[:160]}). Compare it with what write_scenarios gives."
            ) from error
    if priors and len(priors) < len(scenarios):
        raise ScenarioError(
            f"{file} gives a prior for {len(priors)} of {len(scenarios)} scenarios. Give one for each, or for none."
        )
    return scenarios, priors or None


def write_scenarios(
    path: str | Path, scenarios: Sequence[Scenario], prior: Sequence[float] | None = None
) -> Path:
    """Write scenarios to a JSON file, with everything that they learned.

    Parameters
    ----------
    path : str or Path
        Its name ends in ``.json``. It is written whole or not at all.
    scenarios : sequence of Scenario
        What to write.
    prior : sequence of float, optional
        Probability of each before the data.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ScenarioError
        If the name ends otherwise, or there are not as many priors as scenarios.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_scenarios(Path(folder) / "one.json", [Scenario.every("2-3 months", name="rare")])
    ...     scenarios, _ = read_scenarios(file)
    >>> scenarios[0].name
    'rare'
    """
    file = Path(path)
    if file.suffix.lower() != ".json":
        raise ScenarioError(
            f"the file is {file.name!r}; scenarios are written as JSON, to a name in .json."
        )
    if not isinstance(scenarios, Sequence):
        raise ScenarioError(
            f"got a {type(scenarios).__name__}; scenarios are written from a list. Pass [scenario, …]."
        )
    if not file.parent.is_dir():
        raise ScenarioError(
            f"there is no folder {str(file.parent)!r} for {file.name!r}. Make it first, or choose another."
        )
    if prior is not None and len(prior) != len(scenarios):
        raise ScenarioError(
            f"there are {len(prior)} priors for {len(scenarios)} scenarios; give one for each."
        )
    tables = [to_plain(scenario) for scenario in scenarios]
    for table, share in zip(tables, prior or (), strict=False):
        table["prior"] = _share(share, table["name"])
    if reason := cannot_write(file):
        raise ScenarioError(reason)
    try:
        write_whole(file, (json.dumps({"scenario": tables}, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise ScenarioError(
            f"{shown(file)} could not be written: {error.strerror or error}. Choose another path."
        ) from error
    return file


def _share(value: object, name: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ScenarioError(
            f"the prior of {name!r} is {value!r}; expected a probability above 0, such as 0.3."
        )
    return float(value)


def _built(name: str, builder: str, plain: Mapping[str, Any], past: Past | None) -> Scenario:
    _known(plain, ("name", builder, "prob"), f"the scenario {name!r}")
    said = plain[builder]
    prob = float(plain.get("prob", 0.9))
    if builder == "every":
        return Scenario.every(_said(said), name, prob=prob)
    if past is None:
        raise ScenarioError(
            f"the scenario {name!r} learns from the past, but no past was given. Pass past=, the attacks up to now."
        )
    options = said if isinstance(said, Mapping) else {}
    make = getattr(Scenario, builder)
    known = [o for o in inspect.signature(make).parameters if o not in {"past", "name", "prob"}]
    _known(options, known, f"{builder} of {name!r}")
    made = make(past, **{key: _said(value) for key, value in options.items()}, name=name, prob=prob)
    return cast("Scenario", made)


def _known(table: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    unknown = [key for key in table if key not in names]
    if unknown:
        raise ScenarioError(
            f"{what} has {', '.join(map(repr, unknown))}, which is not known here; expected {', '.join(names)}."
        )


def _said(value: Any) -> Any:
    """Make the lists of a file the tuples of Python."""
    return tuple(value) if isinstance(value, list) else value


def _plain_phase(phase: Phase) -> Plain:
    plain: Plain = {"name": phase.name}
    for what in fields(phase)[1:]:
        value = getattr(phase, what.name)
        if value is None or (what.name == "then" and value == "return"):
            continue
        if what.name == "onset" and isinstance(value, tuple):
            value = [f"{day:%Y-%m-%d}" for day in value]
        plain[what.name] = value if isinstance(value, str | list) else _plain_law(value)
    return plain


def _plain_law(law: Any) -> Plain:
    if isinstance(law, Continued):
        return _plain_continued(law)
    plain: Plain = {"law": type(law).__name__}
    for part in fields(law):
        value = getattr(law, part.name)
        if value is None or (isinstance(value, float) and math.isinf(value)):
            continue
        if type(value).__name__ in _LAWS:
            value = _plain_law(value)
        plain[part.name] = list(value) if isinstance(value, tuple) else value
    return plain


def _plain_continued(law: Continued) -> Plain:
    """Write rates by their changes only: [day, rate] pairs for each draw."""
    paths = []
    for row in law.rates:
        at = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
        paths.append([[int(day), float(row[day])] for day in at])
    plain: Plain = {
        "law": "Continued",
        "start": f"{law.start:%Y-%m-%d}",
        "days": law.rates.shape[1],
        "paths": paths,
        "words": law.words,
    }
    for what in ("branching", "decay", "dispersion", "excited"):
        if getattr(law, what) is not None:
            plain[what] = getattr(law, what).tolist()
    return plain


def _law(plain: Mapping[str, Any]) -> Any:
    kind = plain.get("law")
    if kind == "Continued":
        return _continued(plain)
    law = _LAWS.get(str(kind))
    if law is None:
        raise ScenarioError(
            f"a table has law = {kind!r}; expected one of {', '.join(_LAWS)}, Continued, or words instead of the table."
        )
    names = [part.name for part in fields(cast("Any", law))]
    _known(plain, ("law", *names), f"a {kind}")
    values = {
        key: _law(value) if isinstance(value, Mapping) else _said(value)
        for key, value in plain.items()
        if key != "law"
    }
    for part in fields(cast("Any", law)):
        plain_number = part.type in {"float", "int | None"}
        value = values.get(part.name)
        if plain_number and value is not None and not isinstance(value, int | float):
            raise ScenarioError(f"{part.name} of a {kind} is {value!r}; expected a number.")
    if law is Length:
        values.setdefault("high", math.inf)
    try:
        return law(**values)
    except TypeError as error:
        raise ScenarioError(f"a {kind} is {dict(plain)!r}; expected {', '.join(names)}.") from error


def _continued(plain: Mapping[str, Any]) -> Continued:
    rates = np.empty((len(plain["paths"]), int(plain["days"])))
    for row, path in zip(rates, plain["paths"], strict=True):
        for day, rate in path:
            row[int(day) :] = rate

    def column(what: str) -> Any:
        return np.asarray(plain[what], dtype=float) if what in plain else None

    return Continued(
        as_date(plain["start"], "start"),
        rates,
        column("branching"),
        column("decay"),
        column("dispersion"),
        column("excited"),
        str(plain["words"]),
    )


def _phase(plain: Mapping[str, Any], story: str) -> Phase:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise ScenarioError(f"a phase of {story!r} is {plain!r}; expected a table with a name.")
    _known(plain, _PHASE, f"the phase {plain['name']!r} of {story!r}")
    laws = {
        key: _law(value)
        for key, value in plain.items()
        if isinstance(value, Mapping) and (key != "kinds" or "law" in value)
    }
    words = {key: _said(value) for key, value in plain.items() if key not in laws}
    phase = Phase.of(**words)
    parts = {part.name: getattr(phase, part.name) for part in fields(phase)}
    return Phase(**{**parts, **laws})
