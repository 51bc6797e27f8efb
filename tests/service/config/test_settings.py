# SPDX-License-Identifier: Apache-2.0
"""File, environment, flags: which one wins, what is refused, and what is never shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydantic import ValidationError

from segue_service.config import Settings
from segue_service.settings import (
    Layer,
    SettingsError,
    from_environment,
    from_file,
    from_flags,
    load,
    reference,
    refusal_to_bind,
    resolve,
    shown,
)

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
KEY = "k" * 32
NO_FLAGS: Any = ()


def written(folder: Path, text: str, name: str = "segue.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def problems(*layers: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(layers)
    return str(caught.value)


@given(st.sets(st.sampled_from(["file", "environment", "flag"])))
def test_the_last_of_file_environment_and_flag_wins_and_is_named(tmp_path_factory: Any, said: set[str]) -> None:
    file = written(tmp_path_factory.mktemp("s"), "# ports\nport: 7001\n" if "file" in said else "")
    environment = {"SEGUE_PORT": "7002"} if "environment" in said else {}
    flags = from_flags([("--port", "port", 7003 if "flag" in said else None)])
    found = load(file, flags, environment)
    winner = next((kind for kind in ("flag", "environment", "file") if kind in said), "default")
    expected = {
        "flag": (7003, "--port"),
        "environment": (7002, "SEGUE_PORT"),
        "file": (7001, f"{file}:2"),
        "default": (7470, ""),
    }[winner]
    origin = found.origin("port")
    assert (found.settings.port, origin.kind, origin.place) == (expected[0], winner, expected[1])


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("SEGUE_ALLOW_ANONYMOUS", "true", "allow_anonymous", True),
        ("SEGUE_WEB_PORT", "none", "web_port", None),
        ("SEGUE_RESUME_DAYS", "1.5", "resume_days", 1.5),
        ("SEGUE_SESSION_LOG_DIR", "/var/log/segue", "session_log_dir", Path("/var/log/segue")),
        (
            "SEGUE_WEB_ORIGINS",
            "https://a.example, https://b.example",
            "web_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("SEGUE_WEB_ORIGINS", '["https://a.example"]', "web_origins", ("https://a.example",)),
        ("SEGUE_WEB_ORIGINS", "", "web_origins", None),
    ],
)
def test_variables_become_what_the_field_is(variable: str, text: str, name: str, value: object) -> None:
    found = load(None, from_flags(NO_FLAGS), {variable: text})
    assert getattr(found.settings, name) == value
    assigned = load(None, from_flags(NO_FLAGS, [f"{name}={text}"] if text else []), {})
    assert getattr(assigned.settings, name) == value


def test_resume_keys_keep_their_variable() -> None:
    found = load(None, from_flags(NO_FLAGS), {"SEGUE_RESUME_KEYS": f"{'o' * 32}, {'n' * 32}"})
    assert [key.get_secret_value() for key in found.settings.resume_keys] == ["o" * 32, "n" * 32]


def test_what_every_source_has_wrong_is_said_at_once_and_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "port: many\nprot: 1\nguard: true\nchunk_ms: 5\n")
    said = problems(
        from_file(file),
        from_environment({"SEGUE_TLS_CERTT": "x", "SEGUE_MAX_LISTENERS": "0", "SEGUE_WEB_ORIGINS": "[oops"}),
        from_flags([("--log", "log_format", "xml")], ["hosst=x", "port"]),
    )
    lines = said.splitlines()
    assert f"{file}:2: prot: no such setting; did you mean port" in said
    assert any(line.startswith(f"{file}:1: port: expected") and "got 'many'" in line for line in lines)
    assert any(line.startswith(f"{file}:4: chunk_ms: expected at least 40, got 5") for line in lines)
    assert "SEGUE_TLS_CERTT: no such setting; did you mean tls_cert" in said
    assert any(line.startswith("SEGUE_MAX_LISTENERS: max_listeners: expected") for line in lines)
    assert "SEGUE_WEB_ORIGINS: expected values with commas between them, or JSON" in said
    assert any(line.startswith("--log: log_format: expected 'console' or 'json'") for line in lines)
    assert "--set: hosst: no such setting; did you mean host" in said
    assert "--set: port: expected KEY=VALUE" in said
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("- 1\n", "segue.yaml", "expected a map of settings"),
        ("port: 1\nport: 2\n", "segue.yaml", ":2: port: .*here twice"),
        ("port: [1\n", "segue.yaml", ":.*not YAML"),
        ("host: !!python/object:os.system x\n", "segue.yaml", ":1: YAML: tags .* not allowed"),
        ('{"port": 1,\n\t"port": 2}', "segue.json", ":2: port: .*here twice"),
        ("{port: 1}", "segue.json", ":1: JSON: "),
        ('{\n"port": }', "segue.json", ":2: JSON: "),
    ],
)
def test_a_file_that_is_none_is_a_sentence(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        from_file(written(tmp_path, text, name))


def test_yaml_json_and_an_empty_file(tmp_path: Path) -> None:
    yaml = from_file(written(tmp_path, "web_port: null\nweb_origins: ['*']\n"))
    plain = from_file(written(tmp_path, json.dumps({"web_port": None, "web_origins": ["*"]}), "segue.json"))
    assert resolve([yaml]).settings == resolve([plain]).settings == Settings(web_port=None, web_origins=("*",))
    assert resolve([from_file(written(tmp_path, ""))]).settings == Settings()
    with pytest.raises(SettingsError, match=r"none\.yaml: no such file"):
        from_file(tmp_path / "none.yaml")


def test_variables_of_other_programs_and_of_kubernetes_services_are_no_settings() -> None:
    others = {
        "SEGUE_MODELS": "models",
        "SEGUE_TOKEN": "t",
        "SEGUE_LOG": "/tmp/x.log",
        "SEGUE_CONFIG": "",
        "SEGUE_SERVICE_HOST": "10.0.0.1",
        "SEGUE_SERVICE_PORT": "7470",
        "SEGUE_SERVICE_PORT_GRPC": "7470",
        "SEGUE_PORT": "tcp://10.0.0.1:7470",
        "SEGUE_PORT_7470_TCP": "tcp://10.0.0.1:7470",
        "SEGUE_PORT_7470_TCP_ADDR": "10.0.0.1",
        "SEGUE_WEB_PORT": "tcp://10.0.0.2:7471",
        "SEGUE_WEB_SERVICE_HOST": "10.0.0.2",
    }
    layer = from_environment(others)
    assert (layer.values, layer.problems, layer.notes) == ({}, [], [])
    odd = from_environment({"SEGUE_FLAVOUR": "sour", "PORT": "80"})
    assert (odd.values, odd.problems) == ({}, [])
    assert odd.notes == ["SEGUE_FLAVOUR is no setting and was not looked at"]


def test_secrets_come_from_files_of_their_own(tmp_path: Path) -> None:
    token, keys = written(tmp_path, "s3cret\n", "token"), written(tmp_path, f"{KEY}\n\n{'n' * 32}\n", "keys")
    file = written(tmp_path, f"operator_token_file: {token}\nresume_keys: ['{'x' * 32}']\n")
    found = load(file, from_flags(NO_FLAGS), {"SEGUE_RESUME_KEYS_FILE": str(keys)})
    assert found.settings.operator_token is not None
    assert found.settings.operator_token.get_secret_value() == "s3cret"
    assert [key.get_secret_value() for key in found.settings.resume_keys] == [KEY, "n" * 32]
    assert found.origin("resume_keys").place == "SEGUE_RESUME_KEYS_FILE"

    over = load(file, from_flags(NO_FLAGS), {"SEGUE_OPERATOR_TOKEN": "other"})
    assert over.settings.operator_token is not None
    assert over.settings.operator_token.get_secret_value() == "other"


def test_a_file_of_a_secret_that_is_wrong_is_named_and_not_quoted(tmp_path: Path) -> None:
    two, empty = written(tmp_path, "hush\nhush2\n", "two"), written(tmp_path, "\n", "empty")
    said = problems(
        from_environment({"SEGUE_OPERATOR_TOKEN_FILE": str(two), "SEGUE_RESUME_KEYS_FILE": str(tmp_path / "none")})
    )
    assert f"SEGUE_OPERATOR_TOKEN_FILE: operator_token: {two}: expected one line, found 2" in said
    assert f"SEGUE_RESUME_KEYS_FILE: resume_keys: {tmp_path / 'none'}: no such file" in said
    assert "hush" not in said
    assert "found nothing" in problems(from_flags([("--resume-keys", "resume_keys_file", empty)]))
    both = from_environment({"SEGUE_OPERATOR_TOKEN_FILE": str(two), "SEGUE_OPERATOR_TOKEN": "x"})
    assert "expected this or operator_token, not both" in problems(both)
    assert resolve([from_environment({"SEGUE_RESUME_KEYS_FILE": "none"})], read_secrets=False).settings == Settings()


@given(st.text("abcdefXYZ0123456789-_", min_size=9, max_size=31))
def test_secrets_are_in_no_message_and_in_nothing_shown(secret: str) -> None:
    said = problems(from_flags(NO_FLAGS, [f"resume_keys={secret}"]))
    assert "resume_keys[0]" in said or "at least 32 characters" in said
    assert secret not in said
    settings = Settings(operator_token=secret, resume_keys=(secret + KEY,))
    assert secret not in json.dumps(shown(settings))
    assert shown(settings)["operator_token"] == "******"
    assert shown(Settings())["operator_token"] is None
    with pytest.raises(ValidationError) as refused:
        Settings(resume_keys=(secret,))
    assert secret not in str(refused.value)


@pytest.mark.parametrize("key", ["otel_endpoint", "web_origins", "prompt_hook", "session_route", "port", "log_format"])
@pytest.mark.parametrize("address", ["http://me:{}@host:4317", "me:{}@host", "HTTP://{}@host", "http://me:{}@x@host/a"])
@limits(max_examples=20)
@given(secret=st.text("abcdefXYZ0123456789-_/@:", min_size=9, max_size=31))
def test_a_password_in_an_address_is_in_no_message(key: str, address: str, secret: str) -> None:
    text = address.format(secret)
    said = problems(from_flags(NO_FLAGS, [f"{key}={text}"]))
    assert said.startswith(f"--set: {key}: expected ")
    assert "******@" in said
    assert secret not in said
    given_as: Any = (text,) if key == "web_origins" else text
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({key: given_as})
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "starts"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "::"}, False),
        ({"host": "127.example.com"}, False),
        ({"host": "::1", "web_port": 0}, True),
        ({"web_host": "0.0.0.0"}, True),
        ({"web_host": "0.0.0.0", "web_port": 7471}, False),
        ({"host": "0.0.0.0", "allow_anonymous": True}, True),
        ({"host": "0.0.0.0", "allow_anonymous": False}, False),
        ({"session_route": "127.0.0.1:7470"}, False),
        ({"session_route": "127.0.0.1:7470", "allow_anonymous": True}, True),
        ({"session_route": "127.0.0.1:7470", "tenants_file": "tenants.yaml"}, True),
        ({"allow_anonymous": False}, False),
        ({"allow_anonymous": False, "tenants_file": "tenants.yaml"}, True),
    ],
)
def test_strangers_are_let_in_only_where_somebody_said_so(said: dict[str, Any], starts: bool) -> None:
    refusal = refusal_to_bind(Settings(**said))
    assert (refusal is None) == starts
    if refusal is not None:
        assert "tenants_file" in refusal
        assert ("--allow-anonymous" in refusal) == (said.get("allow_anonymous") is None)
        blamed = next(name for name in ("allow_anonymous", "session_route", "web_host", "host") if name in said)
        assert refusal.startswith(said[blamed] if blamed.endswith("host") else f"{blamed}:")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"tls_cert": "c"}, "tls_key: expected beside tls_cert"),
        ({"tls_key": "k"}, "tls_cert: expected beside tls_key"),
        ({"tls_client_ca": "a"}, "tls_client_ca: expected tls_cert and tls_key"),
        ({"max_lead_ms": 200}, "default_lead_ms: expected 100..200"),
    ],
)
def test_rules_over_several_fields_name_one(said: dict[str, Any], expected: str) -> None:
    found = problems(from_flags([(f"--{name}", name, value) for name, value in said.items()]))
    assert expected in found
    assert found.startswith("--"), "the place is that of the setting that was given"


def test_rules_over_several_fields_are_said_with_everything_else(tmp_path: Path) -> None:
    file = written(
        tmp_path, '{\n "tls_cert": "c",\n "jwks_file": "j",\n "port": 70000,\n "history_ms": 1000\n}', "s.json"
    )
    assert problems(from_file(file)).splitlines() == [
        f"{file}:4: port: expected at most 65535, got 70000",
        f"{file}:2: tls_key: expected beside tls_cert",
        f"{file}:3: jwt_issuer: expected beside jwks_file: else tokens for other services would be taken",
        f"{file}:3: jwt_audience: expected beside jwks_file: else tokens for other services would be taken",
        f"{file}:5: history_ms: expected at least max_lead_ms + listener_lag_ms = 12000, got 1000",
    ]
    # What a wrong value decides is not guessed at.
    said = problems(from_flags(NO_FLAGS, ["max_lead_ms=often", "history_ms=1000", "tls_key=k"])).splitlines()
    assert [line.split(": expected")[0] for line in said] == ["--set: max_lead_ms", "--set: tls_cert"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("port", "many", "expected a whole number, got 'many'"),
        ("port", 1.5, "expected a whole number, got 1.5"),
        ("port", None, "expected a whole number, got none"),
        ("port", -1, "expected at least 0, got -1"),
        ("resume_days", 0, "expected more than 0, got 0"),
        ("max_request_bytes", 1 << 30, "expected at most 67108864, got 1073741824"),
        ("guard", "perhaps", "expected true or false, got 'perhaps'"),
        ("host", 3, "expected text, got 3"),
        ("host", {"a": 1}, "expected text, got a map"),
        ("audit_log", [1], "expected the name of a file or folder, got several values"),
        ("web_origins", "https://a.example", "expected several values, as in [a, b], got 'https://a.example'"),
        ("log_format", "xml", "expected 'console' or 'json', got 'xml'"),
        ("prompt_hook", "judge", """expected "module:function", as in "studio.prompts:judge", got 'judge'"""),
        ("session_route", "here", "expected an IP address and a port, as in 10.1.2.3:7470, got 'here'"),
        ("otel_endpoint", "h:1", "expected a scheme, host and port, as in http://localhost:4317, got 'h:1'"),
        ("operator_token", 3, "expected text"),
        ("resume_keys", "k", "expected several values, as in [a, b]"),
    ],
)
def test_what_was_expected_is_in_the_words_of_the_documentation(key: str, value: object, said: str) -> None:
    layer = Layer("file")
    layer.put(key, value, "f:1")
    assert problems(layer) == f"f:1: {key}: {said}"


def test_no_message_of_pydantics_own_comes_through() -> None:
    for name in Settings.model_fields:
        for value in ("", "?", -1.5, float("nan"), 10**30, None, [None], {"a": "b"}, True):
            layer = Layer("file")
            layer.put(name, value, "f:1")
            try:
                resolve([layer])
            except SettingsError as refused:
                first = refused.problems[0]
                assert re.match(r"f:1: \w+(\[0\])?: (key 0: )?expected ", first), first
                assert "Input" not in first


def test_the_documentation_has_the_table_that_the_command_prints() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name}: expected a docstring"
    hint = "run `segue config reference` and put what it prints into docs/configuration.md"
    assert reference() in DOCS.read_text(encoding="utf-8"), hint
