# SPDX-License-Identifier: Apache-2.0
"""`segue config show | check | reference`, and what `segue serve` says before it builds an engine."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue_service.cli.app import app
from segue_service.cli.console import CommandError, console
from segue_service.cli.serve import log_settings, settings_of
from segue_service.observe.log import configure
from segue_service.settings import from_flags


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SEGUE_")]:
        monkeypatch.delenv(name)
    # A test's folder may have a long name; what is set here holds whatever the terminal.
    monkeypatch.setattr(console, "_width", 400)


def run(*arguments: str) -> str:
    """What a command prints, or the CommandError that ends it."""
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, CommandError):
        assert result.exception.code == 2
        return f"refused: {result.exception}"
    assert result.exit_code == 0, result.output
    return result.output


def test_show_tells_values_and_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "segue.yaml"
    file.write_text("port: 8000\noperator_token: hush-hush\n", encoding="utf-8")
    monkeypatch.setenv("SEGUE_MAX_LISTENERS", "8")
    monkeypatch.setenv("SEGUE_FLAVOUR", "sour")
    said = json.loads(run("config", "show", "--config", str(file), "--set", "chunk_ms=40", "--json"))
    assert said["port"] == {"value": 8000, "from": "file", "place": f"{file}:1"}
    assert said["max_listeners"] == {"value": 8, "from": "environment", "place": "SEGUE_MAX_LISTENERS"}
    assert said["chunk_ms"] == {"value": 40, "from": "flag", "place": "--set"}
    assert said["web_port"] == {"value": 8001, "from": "default", "place": ""}
    assert said["operator_token"]["value"] == "******"

    monkeypatch.setenv("SEGUE_CONFIG", str(file))
    table = run("config", "show", "--changed")
    lines = [line.split() for line in table.splitlines()]
    assert ["port", "8000", f"{file}:1"] in lines
    assert ["operator_token", "******", f"{file}:2"] in lines
    assert not any(line[:1] == ["chunk_ms"] for line in lines)
    assert "SEGUE_FLAVOUR is no setting" in table
    assert "hush" not in table


def test_check_says_whether_the_server_would_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "segue.yaml"
    file.write_text("port: 8000\n", encoding="utf-8")
    assert "good, 1 settings" in run("config", "check", str(file))
    file.write_text("port: 8000\nprot: 1\n", encoding="utf-8")
    assert f"{file}:2: prot: no such setting; did you mean port" in run("config", "check", str(file))
    file.write_text("host: 0.0.0.0\n", encoding="utf-8")
    assert "refused: 0.0.0.0 can be reached" in run("config", "check", str(file))
    monkeypatch.setenv("SEGUE_ALLOW_ANONYMOUS", "true")
    assert "good" in run("config", "check", str(file))
    file.write_text("tls_cert: /none/c.pem\ntls_key: /none/k.pem\nresume_keys_file: /none/keys\n", encoding="utf-8")
    assert "resume_keys: /none/keys: no such file" in run("config", "check", str(file))
    assert "good" in run("config", "check", "--no-files", str(file))
    file.write_text("tls_cert: /none/c.pem\ntls_key: /none/k.pem\n", encoding="utf-8")
    assert "tls_cert: /none/c.pem: no such file" in run("config", "check", str(file))
    assert "no such file of settings" in run("config", "check", str(tmp_path / "none"))


def test_serve_refuses_before_it_builds_an_engine(tmp_path: Path) -> None:
    assert "refused: 0.0.0.0 can be reached" in run("serve", "--host", "0.0.0.0", "--model", "no-such-model")
    assert "max_listeners: expected" in run("serve", "--set", "max_listeners=0", "--model", "no-such-model")
    key = ("--tls-key", str(tmp_path / "k"))
    assert "tls_cert: expected beside tls_key" in run("serve", *key, "--model", "no-such-model")


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_settings_are_logged_once_without_secrets(form: str) -> None:
    stream = io.StringIO()
    flags = from_flags(
        [("--log", "log_format", form), ("--port", "port", 8000)],
        ["operator_token=hush-hush", f"resume_keys={'h' * 40}"],
    )
    resolved = settings_of(None, flags)
    configure(resolved.settings.log_format, "info", stream)
    try:
        log_settings(resolved)
    finally:
        configure()
    said = stream.getvalue()
    assert said.count("\n") == 1
    assert "hush" not in said
    assert "h" * 32 not in said
    if form == "json":
        line = json.loads(said)
        assert (line["port"], line["web_port"], line["operator_token"], line["max_listeners"]) == (
            8000,
            8001,
            "******",
            64,
        )
        assert line["sources"]["port"] == "--port"
    else:
        assert "port=8000" in said
        assert "max_listeners" not in said
