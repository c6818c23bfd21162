"""The page on scenarios prints what it says that it prints, and its file can be read."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import tempo


def test_the_page_on_scenarios_holds(repository: Path, tmp_path: Path) -> None:
    page = repository / "docs" / "scenarios.md"
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0
    assert tried > 10
    (text,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "campaign.toml"
    file.write_text(text, encoding="utf-8")
    scenarios, prior = tempo.read_scenarios(file, tempo.load_dataset("iraq-coalition"))
    assert [scenario.name for scenario in scenarios] == ["sporadic", "escalation", "campaign"]
    assert prior == [0.7, 0.2, 0.1]
