"""The briefing as a file: what it says, how it is set, and what happens when it cannot be written."""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest
from PIL import Image

import tempo
from tempo.briefing import page, pdf, wording
from tempo.briefing.analysis import analyse
from tempo.briefing.charts import draw_charts
from tempo.briefing.findings import find
from tempo.briefing.layout import Section, Table
from tempo.briefing.wording import term, whole_percent
from tempo.data.incidents import Incidents
from tempo.data.rounding import percent
from tempo.errors import BriefingError, OptionError, TempoWarning

AS_OF = "2020-03-12"
QUESTION = "One heavy strike every two to three months, or the prelude to more?"
HEAVY = "killed > 0 or munitions >= 10"
FAST = {"draws": 1000, "rng": 7}


def heavy_strikes(every: Incidents) -> Incidents:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        return every.where(HEAVY, label="heavy strike").before(AS_OF)


@pytest.fixture(scope="module")
def every() -> Incidents:
    return tempo.load_dataset("iraq-coalition")


@pytest.fixture(scope="module")
def past(every):
    return heavy_strikes(every)


@pytest.fixture(scope="module")
def analysis(past, every):
    scenarios = [
        tempo.Scenario.every("2-3 months", name="sporadic"),
        tempo.Scenario.escalation(past, rate_multiplier=(3, 8), name="escalation"),
    ]
    return analyse(
        past, as_of=AS_OF, scenarios=scenarios, prior=[0.7, 0.3], incidents=every, **FAST
    )


@pytest.fixture(scope="module")
def charts(analysis):
    return draw_charts(analysis)


@pytest.fixture(scope="module")
def findings(analysis, charts):
    return find(analysis, charts, question=QUESTION)


@pytest.fixture(scope="module")
def document(findings):
    return page.typeset(findings)[0]


def read(document: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(document))


def words_of(document: bytes, number: int | None = None) -> str:
    pages = read(document).pages
    chosen = pages if number is None else [pages[number]]
    return squeezed(" ".join(one.extract_text() for one in chosen))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


# -- what it says ------------------------------------------------------------------------------------------------------


def test_page_one_holds_the_question_the_judgements_and_the_confidence(document, findings):
    first = words_of(document, 0)
    assert QUESTION in first
    assert len(findings.judgements) >= 4
    for judgement in findings.judgements:
        assert squeezed(judgement.sentence) in first
    assert findings.confidence.sentence in first
    assert first.index("Key judgements") < first.index("Confidence in these")


def test_every_sentence_and_cell_of_the_findings_is_on_the_page(document, findings):
    text = words_of(document)
    for section in findings.sections:
        assert section.title in text
        for part in section.parts:
            if isinstance(part, Table):
                cells = [cell for row in part.rows for cell in row]
                assert all(squeezed(cell) in text for cell in cells)
            elif isinstance(part, tuple):
                assert all(squeezed(point) in text for point in part)


def test_printed_probabilities_are_those_of_the_outlooks(analysis, findings):
    table = findings.section("The question at 30, 60 and 90 days").parts[0]
    expected = [percent(analysis.mixture.probability(1, f"{h}D")) for h in (30, 60, 90)]
    assert list(table.rows[0][1:4]) == expected
    for judgement, shown in zip(findings.judgements[:2], (expected[0], expected[2]), strict=True):
        assert re.search(rf"\({shown}(\)|, on the edge of )", judgement.sentence)
    shares = analysis.weights.probabilities
    assert any(percent(float(shares["escalation"])) in row[0] for row in table.rows)


def test_deaths_are_those_of_the_outlooks(analysis, findings):
    section = findings.section("How deadly")
    (table,) = (part for part in section.parts if isinstance(part, Table))
    expected = [percent(analysis.mixture.probability_deaths(1, f"{h}D")) for h in (30, 60, 90)]
    assert list(table.rows[0][1:4]) == expected
    assert expected[2] in findings.judgements[-1].sentence
    assert "killed in heavy strikes" in findings.judgements[-1].sentence
    assert squeezed(str(analysis.lethality.probability())) in section.parts[0]
    np.testing.assert_array_equal(
        analysis.mixture.counts, analysis.weights.outlook("90D").counts
    )  # the attacks do not change because deaths are drawn


def test_scenarios_that_explain_nothing_are_named_first(analysis):
    poor = dataclasses.replace(
        analysis,
        weights=dataclasses.replace(analysis.weights, explained=False, free_log_evidence=9.0),
    )
    notices = find(poor, question=QUESTION).notices
    assert any("None of the scenarios explains" in notice for notice in notices)
    assert not any("explains" in notice for notice in find(analysis, question=QUESTION).notices)


def test_operations_page(past, every):
    stand_down = tempo.StandDown("10-30 %", "5-30 days")
    pauses = tempo.Pauses.load(
        "iraq-coalition", cause="rocket attacks", scope="operations", before=AS_OF
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        analysis = analyse(past, as_of=AS_OF, stand_down=stand_down, pauses=pauses, **FAST)
    found = find(analysis, draw_charts(analysis), question=QUESTION)
    section = found.section("Operations")
    lost, (half, double, short, long) = analysis.lost
    (table,) = (part for part in section.parts if isinstance(part, Table))
    shares = lost.table()["probability_over_share"]
    assert [row[-1] for row in table.rows] == [percent(float(p)) for p in shares]
    assert percent(float(shares.iloc[-1])) in section.parts[0]
    over = [float(one.table()["probability_over_share"].iloc[-1]) for one in (half, lost, double)]
    assert over == sorted(over)
    over = [float(one.table()["probability_over_share"].iloc[-1]) for one in (short, lost, long)]
    assert over == sorted(over)
    assert "where 5 to 15 % of heavy strikes lead to a stand-down; " in section.parts[1]
    assert "where a stand-down lasts 2.5 to 15 days; " in section.parts[1]
    assert "where a stand-down lasts 10 to 60 days. In all" in section.parts[1]
    assert len(page.typeset(found)) == 1
    with pytest.raises(OptionError, match="without a stand_down"):
        analyse(past, as_of=AS_OF, pauses=pauses, **FAST)


def test_scenario_page_says_how_robust_the_odds_are(analysis, findings):
    text = " ".join(
        part for part in findings.section("Alternatives").parts if isinstance(part, str)
    )
    assert "judged from a later day" in text
    assert "come in bunches" in text
    decision = findings.section("Indicators: what would change our mind").parts[-1]
    table = analysis.weights.time_to_decision(0.9, "90D", futures=500)
    assert percent(1 - float(table.loc["any", "undecided"])) in decision


def test_scenario_page_says_how_long_a_silence_would_decide(analysis, findings):
    said = findings.section("Indicators: what would change our mind").parts[-2]
    table = analysis.weights.silence(0.9)
    table = table[table["days"] > 0]
    if table.empty:
        assert said.startswith("No silence of up to a year")
        return
    row = table.sort_values("days").iloc[0]
    assert f"{row['days']:.0f} days" in said
    for name in (*analysis.weights.probabilities.index, "any"):
        chance = percent(float(row[f"chance under {name}"]))
        assert (f"{chance} overall" if name == "any" else f"{chance} under {name}") in said
    assert f"the {row.name} scenario 90 % probable" in said


def test_without_tolls_nothing_is_said_of_deaths(every):
    table = every.table.drop(columns=["killed", "killed_low", "killed_high"])
    bare = Incidents(table, every.window, label="attacks").before(AS_OF)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        analysis = analyse(bare, as_of=AS_OF, horizon="30D", **FAST)
    found = find(analysis, question=QUESTION)
    assert analysis.lethality is None
    assert analysis.mixture.deaths is None
    assert not any("killed" in judgement.sentence for judgement in found.judgements)
    evidence = " ".join(map(str, found.section("Evidence").parts))
    assert "Contagion or regime change" in evidence  # 34 attacks are enough for a verdict
    assert analysis.verdict.sentence.split(".")[0] in evidence


def test_sections_stand_in_the_order_of_a_briefing(findings):
    wanted = ["The question at", "Key assumptions", "Alternatives", "Indicators", "How deadly"]
    wanted += ["Evidence", "The same question", "Method", "Sources"]
    titles = [section.title for section in findings.sections]
    assert len(titles) == len(wanted)
    assert all(title.startswith(start) for title, start in zip(titles, wanted, strict=True))
    with pytest.raises(KeyError, match="Key assumptions"):
        findings.section("Nonsense")


@pytest.mark.parametrize("words", wording.SCALES)
def test_every_term_in_the_text_matches_the_number_behind_it(analysis, words):
    text = find(analysis, question=QUESTION, words=words).text()
    known = "|".join(sorted({term(p / 100, words).word for p in range(101)}, key=len, reverse=True))
    pairs = re.findall(rf"\b({known}) \((under 1|over 99|\d+) %(, between two bands)?\)", text)
    assert len(pairs) >= 5
    for word, number, gap in pairs:
        shown = {"under 1": 0, "over 99": 100}.get(number) if " " in number else int(number)
        expected = term(shown / 100, words)
        assert (expected.word, bool(gap)) == (word, expected.in_gap)


def test_no_sentence_mixes_likelihood_and_confidence_or_claims_a_cause(findings):
    likelihood = re.compile(r"likely|chance|almost certain|possibility|\d %")
    cause = re.compile(
        r"\b(caused|causes|due to|led to|leads to|in response to|as a result|provoked|because of)\b"
    )
    for sentence in re.split(r"(?<=[.!?])\s+", findings.text()):
        assert not cause.search(sentence), sentence
        if "confidence" in sentence.lower():
            assert not likelihood.search(sentence), sentence


def test_few_events_are_said_on_page_one(document):
    assert "There are only 4 heavy strikes." in words_of(document, 0)


def test_the_answer_under_other_rules_is_given(analysis, findings):
    parts = findings.section("The same question under other rules").parts
    names = [row[0] for row in parts[1].rows]
    assert names[0] == "this briefing"
    assert {"any death", "a coalition death", "every incident"} <= set(names)
    assert parts[1].rows[0][1] == HEAVY
    assert set(analysis.rules["events"]) != {analysis.daily.events}


def test_range_of_the_first_judgement_covers_every_account(analysis, findings):
    judgement = findings.judgements[0]
    outlooks = [*analysis.scenario_outlooks.values(), *analysis.outlooks.values()]
    found = [outlook.probability(1, "30D") for outlook in outlooks]
    assert (judgement.low, judgement.high) == (min(found), max(found))
    assert judgement.horizon_days == 30
    assert whole_percent(judgement.low) < whole_percent(judgement.high)


def test_where_events_are_frequent_the_question_is_whether_more_come(every):
    busy = analyse(every, as_of="2020-10-15", **FAST)
    findings = find(busy, question=QUESTION)
    recent = int((every.table["date_start"] >= "2020-09-15").sum())
    recent -= int((every.table["date_start"] >= "2020-10-15").sum())
    sentence = findings.judgements[0].sentence
    found = re.search(r"more attacks than the (\d+) of the 30 days before", sentence)
    assert found
    assert abs(int(found.group(1)) - recent) <= 3  # some dates are drawn from their intervals
    least = int(found.group(1)) + 1
    assert findings.judgements[0].term.probability == busy.mixture.probability(least, "30D")


@pytest.mark.parametrize(("horizon", "days"), [("4W", (7, 21, 28))])
def test_other_horizons(past, horizon, days):
    results = analyse(past, as_of=AS_OF, horizon=horizon, **FAST)
    assert results.horizons == days
    charts = draw_charts(results)
    findings = find(results, charts, question=QUESTION)
    assert f"{days[-1]} days" in charts["scenarios"].alt or days == (1,)
    assert findings.horizon_days == days[-1]
    assert findings.judgements[0].horizon_days == days[0]
    assert page.page_count(findings) >= 3


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_is_tagged_dated_titled_and_short(document):
    reader = read(document)
    assert 3 <= len(reader.pages) <= 6
    catalog = reader.root_object
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert catalog["/Lang"].startswith("en")
    assert reader.metadata.title == QUESTION
    assert reader.metadata.author == "tempo"
    assert reader.metadata.creation_date.strftime("%Y-%m-%d") == AS_OF
    width, height = (float(side) / 72 * 25.4 for side in reader.pages[0].mediabox[2:])
    assert (round(width), round(height)) == (210, 297)


def test_letter_paper(findings):
    reader = read(page.typeset(findings, paper="letter")[0])
    assert [float(side) for side in reader.pages[0].mediabox[2:]] == [612, 792]


def test_all_fonts_are_embedded(document):
    found = set()
    for one in read(document).pages:
        for font in one["/Resources"].get("/Font", {}).values():
            for descendant in font.get_object()["/DescendantFonts"]:
                descriptor = descendant.get_object()["/FontDescriptor"].get_object()
                assert {"/FontFile2", "/FontFile3"} & set(descriptor), descriptor["/FontName"]
                found.add(descriptor["/FontName"])
    assert found


def test_charts_carry_alternative_texts(findings, document):
    figures = []

    def walk(node):
        node = node.get_object()
        if isinstance(node, pypdf.generic.ArrayObject):
            for child in node:
                walk(child)
        elif isinstance(node, pypdf.generic.DictionaryObject):
            if node.get("/S") == "/Figure":
                figures.append(node.get("/Alt", ""))
            if "/K" in node:
                walk(node["/K"])

    walk(read(document).root_object["/StructTreeRoot"])
    assert len([alt for alt in figures if alt]) >= 5
    assert any("Counting rule" in alt for alt in figures)


def test_drawing_and_setting_again_gives_the_same_bytes(document, analysis):
    # That a second analysis gives the same results is part of the next test.
    page._fitted.cache_clear()
    again = find(analysis, draw_charts(analysis), question=QUESTION)
    assert page.typeset(again)[0] == document


def test_nothing_after_the_as_of_date_reaches_the_page(document, every):
    table = every.table
    late = table["date_start"] >= AS_OF
    assert late.any()
    table.loc[late, "killed"] = 99.0
    table = table.drop(index=table.index[late][::3])
    altered = Incidents(table, every.window, source=every.source, notes=every.notes)
    past = heavy_strikes(altered)
    scenarios = [
        tempo.Scenario.every("2-3 months", name="sporadic"),
        tempo.Scenario.escalation(past, rate_multiplier=(3, 8), name="escalation"),
    ]
    again = analyse(
        past, as_of=AS_OF, scenarios=scenarios, prior=[0.7, 0.3], incidents=altered, **FAST
    )
    findings = find(again, draw_charts(again), question=QUESTION)
    assert page.typeset(findings)[0] == document


HOSTILE = [
    '#panic("no") #let x = 1 #read("/etc/passwd")',
    "$ x^2 $ and @nobody and <label> and #[*bold*]",
    r'quotes " and \ backslash \n and `raw` and ~ and // comment',
    "*stars* _under_ = heading\n- list",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_is_data_and_never_markup(findings, hostile):
    section = dataclasses.replace(
        findings.sections[1], parts=((hostile,), hostile, Table(("a", hostile), ((hostile, "b"),)))
    )
    poisoned = dataclasses.replace(
        findings,
        question=hostile,
        label=hostile,
        rule=hostile,
        notices=(hostile,),
        sections=(section,),
    )
    text = words_of(page.typeset(poisoned)[0])
    assert text.count(squeezed(hostile)) >= 5


def test_arabic_is_shown_and_keeps_numbers_in_place(findings):
    place = "معسكر التاجي"
    question = f"هجوم على {place}؟"
    section = dataclasses.replace(findings.sections[1], parts=((f"At {place} in 30 days",),))
    document = page.typeset(dataclasses.replace(findings, question=question, sections=(section,)))
    fonts = {
        font.get_object()["/BaseFont"]
        for font in read(document[0]).pages[0]["/Resources"]["/Font"].values()
    }
    assert any("DejaVuSans" in font for font in fonts)
    letters = {letter for letter in words_of(document[0]) if "\u0600" <= letter <= "\u06ff"}
    assert set(place.replace(" ", "")) <= letters
    assert page.printable(f"At {place} in 30 days") == f"At \u2068{place}\u2069 in 30 days"


def test_overlong_and_unprintable_text_stays_on_the_page(findings):
    word, control = "x" * 300, "a\x00b\x1b[31m\ud800c"
    table = Table(("what", "rule", "n"), (("one", word, "3"), ("two", word, "4")), words=(0, 1))
    section = dataclasses.replace(findings.sections[1], parts=(word, (control,), table))
    poisoned = dataclasses.replace(findings, question=word, rule=word, sections=(section,))
    assert "a b [31m c" in words_of(page.typeset(poisoned)[0])
    for picture in page.typeset(poisoned, output="png"):
        dark = np.asarray(Image.open(io.BytesIO(picture)).convert("L")) < 200
        margin = dark.shape[1] * 21 // 210
        assert dark.any()
        assert not dark[:, -margin:].any()
        assert not dark[:, :margin].any()


# -- refusing ----------------------------------------------------------------------------------------------------------


def with_failed(analysis, check, *, blocking):
    row = {
        "model": "Hawkes",
        "check": check,
        "statistic": 0.93,
        "threshold": 0.7,
        "passed": False,
        "meaning": "The approximation does not fit the posterior.",
        "blocking": blocking,
    }
    checks = pd.concat([analysis.checks, pd.DataFrame([row])], ignore_index=True)
    return dataclasses.replace(analysis, checks=checks)


def test_a_failed_check_stands_first_on_page_one(analysis):
    failed = with_failed(analysis, "dispersion", blocking=False)
    findings = find(failed, question=QUESTION)
    first = words_of(page.typeset(findings)[0], 0)
    assert "Failed check, self-excitation (Hawkes): dispersion is 0.93, threshold 0.7." in first
    assert first.index("Failed check") < first.index("There are only") < first.index("Key judgem")
    assert "1 model check failed." in findings.confidence.reasons
    assert findings.confidence.level == "low"
    checks = findings.section("Method, checks and record").parts
    assert any(isinstance(part, Table) and part.rows[0][-1] == "FAILED" for part in checks)


def test_non_convergence_refuses_and_an_override_is_printed(analysis, past, tmp_path, monkeypatch):
    failed = with_failed(analysis, "k-hat", blocking=True)
    monkeypatch.setattr(pdf, "analyse", lambda *args, **options: failed)
    path = tmp_path / "briefing.pdf"
    with pytest.raises(
        BriefingError, match=r"Hawkes: k-hat is 0\.93, threshold 0\.7.*override=True"
    ):
        tempo.write_briefing(path, past, question=QUESTION, as_of=AS_OF)
    assert list(tmp_path.iterdir()) == []
    briefing = tempo.write_briefing(path, past, question=QUESTION, as_of=AS_OF, override=True)
    first = words_of(path.read_bytes(), 0)
    assert first.index("its author overrode the refusal") < first.index("Failed check")
    assert list(tmp_path.iterdir()) == [path]
    assert briefing.pages == len(read(path.read_bytes()).pages)
    assert "briefing.pdf" in repr(briefing)


def test_an_error_on_the_way_leaves_what_was_there(analysis, past, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "analyse", lambda *args, **options: analysis)
    path = tmp_path / "briefing.pdf"
    path.write_bytes(b"older")

    def fail(self, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BriefingError, match="in use"):
        tempo.write_briefing(path, past, question=QUESTION, as_of=AS_OF)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"path": "."}, BriefingError, "is a folder"),
        ({"path": "missing/briefing.pdf"}, BriefingError, "does not exist"),
        ({"question": "  "}, OptionError, "question is empty"),
        ({"words": "kent"}, OptionError, "'icd203' or 'phia'"),
        ({"paper": "a5"}, OptionError, "'a4' or 'letter'"),
    ],
)
def test_mistakes_are_told_before_anything_is_fitted(
    past, tmp_path, monkeypatch, change, error, message
):
    def fitted(*args, **options):
        raise AssertionError

    monkeypatch.setattr(pdf, "analyse", fitted)
    options = {"path": "briefing.pdf", "question": QUESTION, "as_of": AS_OF} | change
    path = tmp_path / options.pop("path")
    with pytest.raises(error, match=message):
        tempo.write_briefing(path, past, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_of", ["2021-06-01", "2019-05-01"])
def test_an_as_of_date_outside_the_data_is_refused(every, tmp_path, as_of):
    with pytest.raises(BriefingError, match="as_of"):
        tempo.write_briefing(tmp_path / "b.pdf", every, question=QUESTION, as_of=as_of)
    assert list(tmp_path.iterdir()) == []


# -- other people's data -----------------------------------------------------------------------------------------------


def bare(dates, window=("2023-01-01", "2024-01-01"), **columns):
    return Incidents(pd.DataFrame({"date_start": pd.to_datetime(dates), **columns}), window)


TEN = [
    "2023-01-14", "2023-02-02", "2023-04-30", "2023-05-01", "2023-05-01",
    "2023-07-19", "2023-08-08", "2023-10-12", "2023-11-30", "2023-12-24",
]  # fmt: skip


def test_ten_dates_give_a_whole_briefing(tmp_path):
    path = tmp_path / "own.pdf"
    told = []
    briefing = tempo.write_briefing(
        path,
        bare(TEN),
        question="How often?",
        as_of="2024-01-01",
        progress=lambda text, share: told.append((text, share)),
        **FAST,
    )
    text = words_of(path.read_bytes())
    assert "There are only 10 attacks." in text
    assert "Deaths: the data say nothing of them" in text
    assert "no other rule could be applied" in text
    assert "nan" not in text.lower().split()
    assert briefing.findings.confidence.level == "low"
    assert briefing.pages == len(read(path.read_bytes()).pages)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[-1] == ("Done", 1.0)
    prior = briefing.analysis.weights.prior
    assert prior.to_dict() == {"continuation": 0.9, "escalation": 0.1}


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (["2023-06-01"], "There is only 1 attack."),
        ([], "There is no attack in the data"),
        (["2023-06-01"] * 12, "There are only 12 attacks."),
    ],
)
def test_odd_but_legal_data_give_an_honest_answer(dates, said):
    results = analyse(bare(dates), as_of="2024-01-01", **FAST)
    findings = find(results, question="How often?")
    assert said in " ".join(findings.notices)
    assert findings.confidence.level == "low"
    assert findings.n_events == len(dates)
    assert "nan" not in findings.text().lower().split()


def test_bunches_and_a_rule_that_nothing_fits_are_said_first():
    bunch = find(analyse(bare(["2023-06-01"] * 12), as_of="2024-01-01", **FAST), question="?")
    said = " ".join(bunch.notices)
    assert "The 12 attacks fell on 1 of 365 days." in said
    assert "the chance of at least one is stated too high" in said
    none = bare(["2023-06-01"], killed=[0]).where("killed > 0", allow_empty=True)
    empty = find(analyse(none, as_of="2024-01-01", **FAST), question="?")
    assert "Nothing in the data fits the counting rule" in " ".join(empty.notices)


def test_incidents_that_a_cut_hides_are_said_first():
    late = bare(
        ["2023-02-01", "2023-03-01", "2023-04-01"],
        reported_at=["2023-02-02", "2025-01-01", "2025-01-01"],
    )
    findings = find(analyse(late, as_of="2024-01-01", **FAST), question="?")
    assert "2 incidents reported only after the cut-off and left out." in " ".join(findings.notices)


def test_doubtful_dates_are_counted():
    rng = np.random.default_rng(5)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 330, 30), unit="D")
    months = bare(
        days, date_end=days + pd.Timedelta("30D"), date_precision=["month"] * 10 + ["day"] * 20
    )
    results = analyse(months, as_of="2024-01-01", **FAST)
    text = find(results, question="?").text()
    assert "Dates known only to an interval: 10 of 30." in text
    assert "33 % of the events lack an exact day." in text


@pytest.mark.parametrize("lines", [1, 8, 16, 24, 32, 40, 60])
def test_the_part_that_begins_a_page_settles_wherever_the_first_part_ends(findings, lines):
    short = dataclasses.replace(
        findings,
        judgements=findings.judgements[:1],
        sections=(
            Section("First", ("word " * 8,) * lines),
            Section("Alternatives", ("After the break.",), new_page=True),
        ),
    )
    made = page.typeset(short)[0]  # refuses a page that does not settle
    pages = [words_of(made, number) for number in range(len(read(made).pages))]
    assert sum("After the break." in text for text in pages) == 1
    assert "After the break." in pages[-1]
