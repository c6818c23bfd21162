"""The chart of a verdict says the numbers of the verdict, and marks what it takes to be one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.data.rounding import percent
from tempo.figures import caption_of, plot_verdict
from tempo.figures.verdict import _NEEDED
from tempo.models.explain_words import DECIDED


@pytest.fixture(scope="module")
def verdict() -> tempo.Verdict:
    y = np.random.default_rng(1).poisson(np.repeat([0.05, 0.6], 150))
    days = pd.date_range("2020-01-01", periods=300, freq="1D")
    return tempo.explain(pd.Series(y, index=days, name="heavy strike"), rng=1)


def test_bars_and_words_are_those_of_the_verdict(verdict) -> None:
    ax = plot_verdict(verdict)
    bars = [p for p in ax.patches if p.get_gid() == "account"]
    assert [b.get_width() for b in bars] == verdict.probabilities.to_list()
    questions = [p.get_width() for p in ax.patches if p.get_gid() == "question"]
    assert questions == [verdict.contagion, verdict.changed]
    texts = [t.get_text() for t in ax.texts]
    assert texts.count(percent(float(verdict.probabilities.max()))) >= 1
    (bold,) = {t.get_text() for t in ax.texts if t.get_fontweight() == "bold"} & {
        "steady rate", "changes of the baseline", "contagion", "contagion and changes",
    }  # fmt: skip
    assert bold == "changes of the baseline"
    (line,) = (line for line in ax.lines if line.get_gid() == "needed")
    assert set(line.get_xdata()) == {_NEEDED}
    assert DECIDED == _NEEDED


def test_its_caption_says_what_was_counted_and_from_where_it_matters(verdict) -> None:
    caption = caption_of(plot_verdict(verdict))
    assert "Counting rule for heavy strikes: " in caption
    assert f"{verdict.counts.events} in all" in caption
    assert "from a factor of 2 on" in caption
    assert "(here: a verdict)" in caption
