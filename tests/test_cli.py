"""The command line: what it prints, its exit codes, and that bad input leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner, Result

import tempo
from tempo.cli import app

SPRING = ("--window", "2020-01-01", "2020-05-01")
TEN_ROWS = """\
date,deaths,place
2020-01-04,0,A
2020-01-20,2,B
2020-02-02,0,A
2020-02-11,,C
2020-03-05,1,A
2020-03-09,0,B
2020-03-21,0,A
2020-04-02,4,A
2020-04-19,0,C
2020-04-22,0,A
"""


def run(*arguments: object) -> Result:
    """Run the command line in this process; an exception that is not an exit fails the test."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def ten_rows(tmp_path: Path) -> Path:
    file = tmp_path / "ten.csv"
    file.write_text(TEN_ROWS, encoding="utf-8")
    return file


# -- help, version, usage ----------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes() -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    for word in ("brief", "check", "data", "Exit codes"):
        assert word in shown.stdout


def test_version() -> None:
    assert run("--version").stdout == f"tempo {tempo.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [("breif",), ("brief", "--paper", "a5"), ("brief", "--window", "2020-01-01"), ("check",)],
)
def test_a_command_that_is_not_understood_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_installed_command_answers() -> None:
    command = Path(sys.executable).with_name("tempo")
    done = subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"tempo {tempo.__version__}"


# -- data --------------------------------------------------------------------------------------------------------


def test_data_list_names_what_is_shipped() -> None:
    shown = run("data", "list")
    assert shown.exit_code == 0
    assert set(tempo.list_datasets().index) <= set(shown.stdout.split())
    assert "complete in [2019-05-01, 2021-01-01)" in shown.stdout


def test_data_get_copies_a_set_and_never_overwrites(tmp_path: Path) -> None:
    first = run("data", "get", "iraq-coalition", "--folder", tmp_path)
    assert first.exit_code == 0
    assert (tmp_path / "iraq-coalition" / "CODEBOOK.md").is_file()
    second = run("data", "get", "iraq-coalition", "--folder", tmp_path)
    assert second.exit_code == 1
    assert "there already" in second.stderr


def test_data_get_of_an_unknown_set_names_the_known_ones() -> None:
    refused = run("data", "get", "iraq")
    assert refused.exit_code == 1
    assert "iraq-coalition" in refused.stderr


# -- check -------------------------------------------------------------------------------------------------------


def test_check_of_a_good_file(ten_rows: Path) -> None:
    good = run("check", ten_rows)
    assert good.exit_code == 0
    assert "ten.csv can be used" in good.stdout
    assert "unknown for 1 of 10" in good.stdout


def test_check_names_row_column_value_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("date,deaths\n2020-02-31,0\n2020-03-01,-3\n2020-03-02,many\n", encoding="utf-8")
    bad = run("check", file)
    assert bad.exit_code == 1
    errors = [line for line in bad.stdout.splitlines() if line.startswith("error")]
    assert len(errors) == 3
    assert "row 2, date" in errors[0]
    assert "2020-02-31" in errors[0]
    assert "row 3, deaths" in errors[1]
    assert "'many'" in errors[2]
    assert "cannot be used: 3 errors" in bad.stdout


def test_check_prints_as_many_problems_as_asked(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    rows = "".join(f"2020-02-31,{k}\n" for k in range(80))
    file.write_text(f"date,deaths\n{rows}", encoding="utf-8")
    few = run("check", file, "--limit", 10)
    assert few.stdout.count("error ") == 10
    assert "… and 7" in few.stdout
    assert run("check", file, "--limit", 0).stdout.count("error ") == 80


def test_check_takes_names_of_columns(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("tag;tote\n4.1.2020;2\n20.1.2020;0\n", encoding="utf-8")
    named = run(
        "check", file, "--column", "date_start=tag", "--column", "killed=tote", "--day-first"
    )
    assert named.exit_code == 0, named.output
    assert "Killed: 2 in 1 incident" in named.stdout


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--column", "killed"), "killed=deaths"),
        (("--column", "killed=a", "--column", "killed=b"), "twice"),
        (("--gap", "2020-01-01/2020-01-05"), "--window"),
        (("--window", "2020-05-01", "2020-01-01"), "empty"),
        ((*SPRING, "--gap", "2020-02-01"), "pair"),
        (("--schema", "gdelt"), "ucdp-ged"),
    ],
)
def test_options_that_make_no_sense_say_so(
    ten_rows: Path, option: tuple[str, ...], said: str
) -> None:
    refused = run("check", ten_rows, *option)
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_text_of_a_file_is_not_markup(tmp_path: Path) -> None:
    file = tmp_path / "sly.csv"
    file.write_text("date,deaths\n[bold red]x[/bold red],0\n", encoding="utf-8")
    shown = run("check", file)
    assert shown.exit_code == 1
    assert "[bold red]x[/bold red]" in shown.stdout


def test_text_cannot_steer_the_terminal() -> None:
    refused = run("brief", "--rule", "killed > \x1b[31m0")
    assert refused.exit_code == 1
    assert "\x1b" not in refused.stderr


# -- bad files: a clear message, exit code 1, no traceback, no PDF ---------------------------------------------------


def _bad_files(folder: Path) -> dict[str, Path]:
    contents: dict[str, bytes] = {
        "empty.csv": b"",
        "headers.csv": b"date,deaths\n",
        "columns.csv": b"colour,size\nred,1\n",
        "dates.csv": b"date,deaths\n2020-02-31,1\n",
        "binary.csv": bytes(range(256)) * 4,
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "workbook.xlsx": b"PK\x03\x04 not a workbook",
        "columns.parquet": b"PAR1 broken PAR1",
        "encoding.csv": "date,deaths,place\n2020-01-01,1,Kirkuk\n".encode("utf-16-le")[1:],
        "ragged.csv": b'date,deaths\n"2020-01-01,1\n',
    }
    files = {}
    for name, content in contents.items():
        files[name] = folder / name
        files[name].write_bytes(content)
    files["folder"] = folder / "a folder"
    files["folder"].mkdir()
    files["missing"] = folder / "missing.csv"
    return files


BAD = [
    "empty.csv", "headers.csv", "columns.csv", "dates.csv", "binary.csv", "picture.png", "workbook.xlsx",
    "columns.parquet", "encoding.csv", "ragged.csv", "folder", "missing",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_ends_in_a_message_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    file = _bad_files(tmp_path / "in")[name]
    target = tmp_path / "out" / "briefing.pdf"
    for result in (run("check", file), run("brief", file, *SPRING, "-o", target)):
        assert result.exit_code == 1
        assert "Traceback" not in result.output
        assert len(result.output) > 60  # says what is wrong and what to do
        assert file.stem in result.output
    assert list(target.parent.iterdir()) == []


def test_every_bad_file_is_tried(tmp_path: Path) -> None:
    assert sorted(_bad_files(tmp_path)) == sorted(BAD)


def test_bad_files_through_a_real_process_show_no_traceback(tmp_path: Path) -> None:
    file = _bad_files(tmp_path)["binary.csv"]
    command = [Path(sys.executable).with_name("tempo"), "brief", file, *SPRING]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "briefing.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rule", "killed >"), "rule"),
        (("--rule", "dead > 0"), "dead"),
        (("--rule", "killed > 0", "--as-of", "soon"), "not a date"),
        (("--as-of", "2031-01-01"), "2020-12-31"),
        (("--as-of", "2018-01-01"), "2019-05-01"),
        (("--horizon", "long"), "horizon"),
        (("--prob", "90"), "prob"),
        (("--scenario", "sporadic"), "NAME=STORY|equals sign"),
        (("--scenario", "a=now and then", "--scenario", "b=x3-8"), "now and then"),
        (("--scenario", "a=2-3 months", "--scenario", "b=xmany"), "x3-8"),
        (("--prior", "0.2"), "prior"),
        (("--column", "killed=deaths"), "no file was given"),
        (("-o", "no/such/folder/briefing.pdf"), "does not exist"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("brief", *arguments)
    assert refused.exit_code == 1
    assert any(part in refused.stderr for part in said.split("|")), refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_a_message_names_are_said_as_options(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    result = run("brief", file, *SPRING, "-o", tmp_path / "own.pdf")
    assert result.exit_code == 1
    assert "columns= is --column NAME=COLUMN" in result.stderr
    assert "On the command line" not in run("brief", tmp_path / "none.csv").stderr


def test_a_file_without_a_window_is_told_how_to_say_it(ten_rows: Path) -> None:
    refused = run("brief", ten_rows)
    assert refused.exit_code == 1
    assert "--window" in refused.stderr
    assert "2020-01-04" in refused.stderr


# -- briefings ---------------------------------------------------------------------------------------------------


def _text(pdf: Path) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())


def _brief(*arguments: object) -> Result:
    result = run("brief", *arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.slow
def test_the_shipped_chronology_needs_no_file(tmp_path: Path) -> None:
    target = tmp_path / "taji.pdf"
    shown = _brief("--as-of", "2020-03-12", "-o", target)
    assert f"{target} (" in shown.stdout.replace("\n", "")
    text = _text(target)
    assert "One heavy strike every two to three months, or the start of an escalation?" in text
    assert "killed > 0 or munitions >= 10" in text
    judgements = [line[2:] for line in shown.stdout.splitlines() if line.startswith("- ")]
    assert judgements
    assert all(" ".join(judgement.split())[:60] in text for judgement in judgements)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
def test_a_file_of_ones_own_gets_a_briefing(ten_rows: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.pdf"
    options = ("--label", "ambushes", "--paper", "letter", "--words", "phia", "--horizon", "30D")
    _brief(ten_rows, *SPRING, *options, "--as-of", "2020-05-01", "-o", target)
    text = _text(target)
    assert "How many ambushes are to be expected in the next 30 days" in text
    width, height = PdfReader(target).pages[0].mediabox[2:]
    assert (round(float(width)), round(float(height))) == (612, 792)


def _events(days: pd.DatetimeIndex | list[pd.Timestamp]) -> str:
    return pd.DataFrame({"date": pd.DatetimeIndex(days).strftime("%Y-%m-%d")}).to_csv(index=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one event", "all on one day", "100,000 rows"])
def test_odd_but_legal_files_get_an_honest_answer(tmp_path: Path, name: str) -> None:
    day = pd.Timestamp("2020-02-03")
    rng = np.random.default_rng(5)
    days = {
        "one event": [day],
        "all on one day": [day] * 12,
        "100,000 rows": list(
            pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 121, 100_000), unit="D")
        ),
    }[name]
    file, target = tmp_path / "odd.csv", tmp_path / "odd.pdf"
    file.write_text(_events(days), encoding="utf-8")
    result = run("brief", file, *SPRING, "--as-of", "2020-05-01", "--horizon", "30D", "-o", target)
    assert "Traceback" not in result.output
    assert result.exit_code == 0
    assert f"{len(days):,}" in _text(target)


def test_scenarios_come_from_a_file(ten_rows: Path, tmp_path: Path) -> None:
    stories = tmp_path / "stories.toml"
    stories.write_text(
        "[[scenario]]\nname = 'slow'\nevery = '1-2 months'\n"
        "[[scenario]]\nname = 'truce'\n[scenario.ceasefire]\nonset = '2020-04-20'\n",
        encoding="utf-8",
    )
    target = tmp_path / "b.pdf"
    done = run(
        "brief",
        ten_rows,
        *SPRING,
        "--column",
        "killed=deaths",
        "--scenarios",
        stories,
        "-o",
        target,
    )
    assert done.exit_code == 0, done.output
    text = " ".join(page.extract_text() for page in PdfReader(target).pages)
    assert "truce" in text
    assert "slow" in text
    both = run("brief", ten_rows, *SPRING, "--scenarios", stories, "--scenario", "a=1-2 months")
    assert both.exit_code == 1
    assert "--scenarios" in both.stderr
    missing = run("brief", ten_rows, *SPRING, "--scenarios", tmp_path / "none.toml")
    assert missing.exit_code == 1
    assert "none.toml" in " ".join(missing.stderr.split())


PAUSES = """start,end,cause,scope
2020-03-06,2020-03-12,ambush,patrols
2020-04-01,,flood,patrols
"""
STAND_DOWN = ("--stand-down", "10-30 %", "5-30 days")


@pytest.fixture
def pauses(tmp_path: Path) -> Path:
    file = tmp_path / "pauses.csv"
    file.write_text(PAUSES, encoding="utf-8")
    return file


@pytest.mark.slow
def test_documented_pauses_come_from_a_file(ten_rows: Path, pauses: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.pdf"
    options = (*SPRING, "--as-of", "2020-05-01", "--horizon", "30D", *STAND_DOWN, "-o", target)
    _brief(ten_rows, *options)
    assert "No data were used" in _text(target)
    _brief(ten_rows, *options, "--pauses", pauses, "--pause-cause", "ambush")
    text = _text(target)
    assert "No data were used" not in text
    assert "came before a stand-down" in text
    assert "Other causes (flood) stopped or cut operations" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pauses", "FILE"), "--stand-down"),
        (("--pause-cause", "ambush", *STAND_DOWN), "--pauses FILE"),
        (("--pauses", "FILE", "--pause-cause", "rocket", *STAND_DOWN), "'ambush'; 'flood'"),
        (("--pauses", "FILE", "--pause-scope", "convoys", *STAND_DOWN), "'patrols'"),
        (("--pauses", "nowhere.csv", *STAND_DOWN), "cannot be read from nowhere.csv"),
    ],
)
def test_pauses_that_cannot_be_used_say_why(
    ten_rows: Path, pauses: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    given = [pauses if option == "FILE" else option for option in options]
    result = run("brief", ten_rows, *SPRING, *given, "-o", tmp_path / "no.pdf")
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "no.pdf").exists()


@pytest.mark.slow
def test_an_empty_file_of_pauses_is_no_reason_to_take_the_shipped_ones(tmp_path: Path) -> None:
    file, target = tmp_path / "pauses.csv", tmp_path / "own.pdf"
    file.write_text("start,end,cause,scope\n2020-06-01,,attack,\n", encoding="utf-8")
    _brief("--as-of", "2020-03-12", "--pauses", file, "-o", target)
    assert "0 came before a stand-down" in _text(target)


@pytest.mark.parametrize("command", ["check", "brief"])
def test_a_bad_window_is_refused_before_the_file_is_read(tmp_path: Path, command: str) -> None:
    """The message is on the window although there is no file to read."""
    missing = tmp_path / "missing.csv"
    for window, said in (
        (("2020-13-01", "2021-01-01"), "not a date"),
        (("0001-01-01", "9999-01-01"), "limit"),
    ):
        refused = run(command, missing, "--window", *window)
        assert refused.exit_code == 1
        assert said in refused.stderr
        assert "missing.csv" not in refused.stderr


def test_bad_rows_are_dropped_on_request_and_listed(tmp_path: Path) -> None:
    """A check names the option that drops a bad row, and with it lists the row and can use the file."""
    path = tmp_path / "list.csv"
    path.write_text("date,killed\n2020-01-05,1\n,2\n2020-03-01,0\n", encoding="utf-8")
    assert run("check", path).exit_code == 1
    refused = run("brief", path, "--window", "2020-01-01", "2021-01-01", "-o", tmp_path / "x.pdf")
    assert refused.exit_code == 1
    assert "--drop-bad-rows" in refused.output
    dropped = run("check", path, "--drop-bad-rows", "--window", "2020-01-01", "2021-01-01")
    assert dropped.exit_code == 0
    assert "the row was dropped" in dropped.output
    assert "2 attacks" in dropped.output


def test_a_zone_is_declared_on_the_command_line(tmp_path: Path) -> None:
    """Times of two zones are refused with the option that declares one, which then reads them."""
    path = tmp_path / "list.csv"
    path.write_text("date\n2020-03-11T23:30:00Z\n2020-03-12T02:31:00+03:00\n", encoding="utf-8")
    refused = run("brief", path, "--window", "2020-01-01", "2021-01-01", "-o", tmp_path / "x.pdf")
    assert refused.exit_code == 1
    assert "--timezone ZONE" in refused.output
    assert run("check", path).exit_code == 1
    assert (
        "from 2020-03-12 to 2020-03-12" in run("check", path, "--timezone", "Asia/Baghdad").output
    )
