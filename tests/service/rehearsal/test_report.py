# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal on the fake engine says to people and to machines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from segue_service.cli.app import app

TEXT = """
soundtrack: t
description: Calm & <b>not</b> calm.
initial: calm
styles: { calm: { prompts: calm }, fight: { prompts: combat, gain_db: 3 }, bell: { prompts: bells } }
parameters: { danger: { range: [0, 1] } }
states: { calm: { style: calm }, fight: { style: fight } }
transitions:
  - { from: calm, to: fight, on: seen, exit_source_at: next_beat, fade: 0.4 s }
  - { from: fight, to: calm, when: danger < 0.5, after: 2 s, exit_source_at: next_bar, fade: 1 bar }
  - { from: fight, to: calm, when: danger > 2 }
stingers: { ding: { style: bell, length: 1 beat }, hit: { clip: hit.wav } }
"""

PLAIN = ("--max-click", "500")


def run(folder: Path, *options: str) -> Result:
    file = folder / "t.soundtrack.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return CliRunner().invoke(app, ["test", str(file), "--model", "fake", "--seconds", "4", "--after", "4", *options])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_passes_exits_with_0_and_leaves_a_page_that_needs_nothing_else(here: Path) -> None:
    done = run(here, *PLAIN)
    assert done.exit_code == 0, done.output
    assert "3 of 3 edges pass" in done.output
    page = (here / "t.test.html").read_text(encoding="utf-8")
    assert "Calm &amp; &lt;b&gt;not&lt;/b&gt; calm." in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "<script" not in page
    assert page.count("data:audio/ogg;base64,") == page.count("<svg class=") == 3
    for name in ("calm → fight · seen", "fight → calm · danger &lt; 0.5 after 2 s", "♪ ding in calm"):
        assert name in page
    assert "a clip, which the client mixes in" in page


def test_what_fails_exits_with_1_and_says_so_in_every_form(here: Path) -> None:
    """The fake's tones kink where they change, which is a click by the letter."""
    done = run(here, "--json", "t.json", "--junit", "t.xml", "--report", "r/t.html")
    assert done.exit_code == 1
    assert "2 of 3 edges pass" in done.output or "1 of 3 edges pass" in done.output
    report = json.loads((here / "t.json").read_text(encoding="utf-8"))
    failing = {edge["edge"]: edge["failures"] for edge in report["edges"] if not edge["passed"]}
    assert not report["passed"]
    assert {failure["metric"] for failures in failing.values() for failure in failures} == {"click"}
    suite = ElementTree.fromstring((here / "t.xml").read_text(encoding="utf-8"))
    assert {case.get("name") for case in suite if case.find("failure") is not None} == set(failing)
    assert {case.get("name") for case in suite if case.find("skipped") is not None} == {
        "fight → calm · danger > 2",
        "♪ hit",
    }
    page = (here / "r" / "t.html").read_text(encoding="utf-8")
    assert page.count('class="card fails"') == len(failing)
    assert "please report it" in page


def test_thresholds_of_a_file_beside_the_soundtrack_are_taken(here: Path) -> None:
    (here / "segue-test.toml").write_text(
        '[thresholds]\nclick = "off"\n[[edge]]\nto = "fight"\nsettle = 0.1\n', "utf-8"
    )
    done = run(here, "--no-report", "--json", "t.json")
    assert done.exit_code == 0, "the fake changes with its codes, within the fade"
    (edge,) = [edge for edge in json.loads((here / "t.json").read_text("utf-8"))["edges"] if edge["to"] == "fight"]
    assert edge["thresholds"] == {"settle": 0.1, "adherence": 0.5, "click": None, "loudness": 5.0, "alignment": 40.0}
    assert (edge["figures"]["off_ms"], edge["figures"]["adherence"]) == (0, 1)
    assert edge["figures"]["absent"]["loudness"] == "the state was left again within 3 s"
    assert run(here, "--no-report", "--only", "fight → calm", "--max-loudness", "0").exit_code == 1
    assert not (here / "t.test.html").exists()


def test_the_same_seed_gives_the_same_figures_and_more_takes_more(here: Path) -> None:
    first = run(here, "--no-report", "--json", "1.json", *PLAIN, "--seeds", "2", "--slots", "2")
    again = run(here, "--no-report", "--json", "2.json", *PLAIN, "--seeds", "2", "--slots", "5")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert (here / "1.json").read_text() == (here / "2.json").read_text()
    takes = json.loads((here / "1.json").read_text())["edges"][0]["takes"]
    assert len({take["seed"] for take in takes}) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", "nowhere"), "nothing to test: no edge has 'nowhere'"),
        (("--min-adherence", "7"), "threshold adherence:"),
        (("--thresholds", "none.toml"), "none.toml: No such file"),
        (("--only", "danger > 2"), "no edge can happen"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(here: Path, options: tuple[str, ...], said: str) -> None:
    from segue_service.cli.console import CommandError

    done = run(here, *options)
    assert isinstance(done.exception, CommandError)
    assert done.exception.code == 2
    assert said in str(done.exception)


def test_a_limit_says_what_it_leaves_out(here: Path) -> None:
    done = run(here, "--limit", "1", "--no-report")
    assert "4 edges, of which 1 are played" in done.output
    assert "left out by --limit 1" in done.output
