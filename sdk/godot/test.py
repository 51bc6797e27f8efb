# SPDX-License-Identifier: Apache-2.0
"""The Godot addon and its tests, in a real Godot without a window.

    python3 sdk/godot/test.py                  # what is there; says loudly what is not
    python3 sdk/godot/test.py --install        # gets Godot (150 MB, where there is apt) and gdtoolkit first, in .tools/
    python3 sdk/godot/test.py --only wire      # tests whose file and name hold this, and no lint
    python3 sdk/godot/test.py --strict         # what is missing is a failure

Godot is what SEGUE_GODOT names, or .tools/godot, or `godot` on the PATH. Exit code 1 if anything fails. The tests
against a real server want the repository's .venv (`dev.py setup`); else they are skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
ROOT = PROJECT.parents[1]
TOOLS = ROOT / ".tools"
GODOT = TOOLS / "godot"
UNPACKED = TOOLS / "godot4" / "root"
GDTOOLKIT = TOOLS / "gdtoolkit"
SUITE, PACKAGE = "sid", "godot"
TRIES = 3
LINE_LENGTH = 120
LIMIT_S = 600
STARTER_TESTS = ("test_what_the_server_sends", "test_three_players", "test_a_killed_server")
"""Of the tests against a real server, those that are played once more against the starter model."""
WRAPPER = """#!/bin/sh
R=$(dirname "$(readlink -f "$0")")/godot4/root
L=$(echo "$R"/usr/lib/*-linux-gnu*)
exec "$(ls "$R"/usr/lib*/ld-linux*.so.* "$L"/ld-linux*.so.* 2>/dev/null | head -n 1)" \\
    --library-path "$L:$L/pulseaudio" "$R"/usr/bin/godot "$@"
"""


def run(command: Sequence[object], variables: Mapping[str, str] | None = None, limit: float = LIMIT_S) -> int:
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, env={**os.environ, **(variables or {})}, cwd=PROJECT, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        print(f"-- no end within {limit} s: {' '.join(words[:3])}", flush=True)
        return 1


def heard(command: Sequence[object], variables: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Exit code and all that was printed."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        text=True,
    )
    return done.returncode, done.stdout


def godot() -> list[object] | None:
    """How to start Godot without a window; None if there is none."""
    named = os.environ.get("SEGUE_GODOT")
    found = named or (GODOT if GODOT.exists() else shutil.which("godot"))
    return None if found is None else [found, "--headless", "--audio-driver", "Dummy", "--path", PROJECT]


def gdtool(name: str) -> Path | None:
    """gdformat or gdlint."""
    own = GDTOOLKIT / "bin" / name
    found = own if own.exists() else shutil.which(name)
    return None if found is None else Path(found)


def install() -> None:
    """Fetch what is not there yet. Raises SystemExit with what failed."""
    TOOLS.mkdir(exist_ok=True)
    if not (UNPACKED / "usr" / "bin" / "godot").exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise SystemExit("Godot: unpacked from Debian's packages, and there is no apt-get; name one by SEGUE_GODOT")
        unpack(UNPACKED)
    if not GODOT.exists():
        GODOT.write_text(WRAPPER, encoding="utf-8")
        GODOT.chmod(0o755)
    if gdtool("gdformat") is None:
        pip = GDTOOLKIT / "bin" / "python"
        if run([sys.executable, "-m", "venv", GDTOOLKIT]) or run(
            [pip, "-m", "pip", "install", "-q", "gdtoolkit==4.5.0"]
        ):
            shutil.rmtree(GDTOOLKIT, ignore_errors=True)
            raise SystemExit("gdtoolkit could not be installed")
    code, version = heard([GODOT, "--version"])
    if code != 0:
        raise SystemExit(f"Godot does not start:\n{version}")
    print(f"Godot {version.strip()}", flush=True)


def unpack(into: Path) -> None:
    """Godot and all that it needs out of Debian's packages; the system is left alone and needs to fit in nothing."""
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        work = Path(folder)
        archives = work / "cache" / "archives"
        for sub in (work / "lists" / "partial", archives / "partial"):
            sub.mkdir(parents=True)
        (work / "status").touch()  # nothing is installed: the closure is whole
        (work / "sources.list").write_text(f"deb {mirror()} {SUITE} main\n", encoding="utf-8")
        options = [
            *("-o", f"Dir::State={work}", "-o", f"Dir::State::Lists={work}/lists"),
            *("-o", f"Dir::State::status={work}/status"),
            *("-o", f"Dir::Cache={work}/cache", "-o", f"Dir::Etc::SourceList={work}/sources.list"),
            *("-o", "Dir::Etc::SourceParts=/dev/null", "-o", "Dir::Etc::PreferencesParts=/dev/null"),
            *("-o", "Dir::Etc::Preferences=/dev/null", "-o", "Debug::NoLocking=1"),
            *("-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"),
        ]
        retried(["apt-get", *options, "-qq", "update"])
        retried(["apt-get", *options, "-qq", "-y", "--download-only", "install", PACKAGE])
        made = work / "root"
        for package in sorted(archives.glob("*.deb")):
            if run(["dpkg-deb", "-x", package, made]) != 0:
                raise SystemExit(f"failed: dpkg-deb -x {package.name}")
        into.parent.mkdir(exist_ok=True)
        made.rename(into)  # whole or not at all


def retried(command: Sequence[object]) -> None:
    """Run what fetches; what was fetched by a try that failed is not fetched again."""
    for tried in range(TRIES):
        if tried:
            time.sleep(5.0 * tried)
        if run(command) == 0:
            return
    raise SystemExit(f"failed {TRIES} times: {command[0]} … {command[-1]}")


def mirror() -> str:
    """The Debian mirror of the machine's own apt configuration, with the key that it names."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for stanza in path.read_text(encoding="utf-8").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
            address = fields.get("URIs", "")
            if "debian" in address and "security" not in address:
                key = fields.get("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")
                return f"[signed-by={key}] {address.split()[0]}"
    listed = Path("/etc/apt/sources.list")
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        words = [word for word in line.split() if not word.startswith(("[", "signed-by=")) and not word.endswith("]")]
        if words[:1] == ["deb"] and "debian" in words[1] and "security" not in words[1]:
            return words[1]
    raise SystemExit("Godot: unpacked from Debian's packages, and no Debian mirror is named in /etc/apt")


@contextmanager
def server(model: str = "fake") -> Iterator[dict[str, str]]:
    """A real server for the tests that want one, as variables that name it; none without a .venv."""
    python = ROOT / ".venv" / "bin" / "python"
    script = ROOT / "sdk" / "testing" / "server.py"
    if not python.exists():
        print("-- tests against a real server SKIPPED: there is no .venv (python3 dev.py setup)", flush=True)
        yield {}
        return
    command = [str(python), str(script), "--model", model]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("http"):
            raise SystemExit(f"the server for the tests did not start: {line or process.wait()}")
        yield {"SEGUE_SERVER": line, "SEGUE_MODEL": model}
    finally:
        process.terminate()
        process.wait(30)


def lint() -> int:
    """gdformat and gdlint over all scripts; how many of them failed, −1 if they are not there."""
    formatter, linter = gdtool("gdformat"), gdtool("gdlint")
    if formatter is None or linter is None:
        print("-- gdformat and gdlint SKIPPED: not there (python3 sdk/godot/test.py --install)", flush=True)
        return -1
    folders = [PROJECT / "addons", PROJECT / "tests"]
    examples = ROOT / "examples" / "godot-dungeon"
    files = [f for folder in [*folders, examples] for f in sorted(folder.rglob("*.gd")) if f.parent.name != "broken"]
    print(f"-- gdformat and gdlint, {len(files)} files", flush=True)
    return int(run([formatter, "--check", "--line-length", LINE_LENGTH, *files]) != 0) + int(run([linter, *files]) != 0)


def imported(start: Sequence[object]) -> int:
    """Open the project as the editor does: the addon's plugin loads, its classes get known. 1 if that says an error."""
    code, text = heard([*start, "--import"])
    lines = text.splitlines()
    errors = [
        f"{line}\n  {after.strip()}" for line, after in zip(lines, [*lines[1:], ""], strict=True) if "ERROR:" in line
    ]
    if code != 0 or errors:
        told = "\n".join(errors) or text
        print(f"-- opening the project as the editor does FAILED (exit code {code}):\n{told}", flush=True)
        return 1
    return 0


def runner_is_sound(start: Sequence[object]) -> int:
    """1 if the runner takes a broken test for one that passed."""
    command = [*start, "--script", "res://tests/run.gd", "--", "--folder", "res://tests/broken"]
    code, text = heard(command)
    stuck, _ = heard([*command, "--only", "test_stuck"], {"SEGUE_STUCK": "1"})
    tests = re.findall(r"^func (test_\w+)", (PROJECT / "tests" / "broken" / "test_broken.gd").read_text("utf-8"), re.M)
    wanted = {f"test_broken.gd {name}" for name in tests} - {
        f"test_broken.gd test_{end}" for end in ("passes", "skipped")
    }
    wanted |= {f"res://tests/broken/{name}.gd" for name in ("test_no_script", "test_untyped")}
    missed = sorted(wanted - set(re.findall(r"^FAILED (.*?):?$", text, re.M)))
    if code == 1 and stuck != 0 and not missed and re.search(r"^1 passed, \d+ failed, 2 skipped$", text, re.M):
        return 0
    print(f"-- the test runner FAILED: it passes {missed}; exit codes {code} and, stuck, {stuck}\n{text}", flush=True)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--install-only", action="store_true", help="and run nothing")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--verbose", action="store_true")
    wanted = parser.parse_args()
    if wanted.install or wanted.install_only:
        install()
    if wanted.install_only:
        return 0
    start = godot()
    if start is None:
        print("-- Godot SDK SKIPPED, all of it: there is no Godot (python3 sdk/godot/test.py --install)", flush=True)
        return 1 if wanted.strict else 0
    failed = 0
    if not wanted.only:
        linted = lint()
        failed += wanted.strict if linted < 0 else linted
        failed += run([sys.executable, PROJECT / "tools" / "make_players.py", "--check"]) != 0
        failed += runner_is_sound(start)
    failed += imported(start)
    words = ["--verbose"] if wanted.verbose else []
    words += [word for name in wanted.only for word in ("--only", name)]
    with server() as address:
        failed += wanted.strict and not address
        variables = {
            "SEGUE_CONFORMANCE": str(ROOT / "tests" / "conformance"),
            "SEGUE_PYTHON": sys.executable,
            **address,
        }
        failed += run([*start, "--script", "res://tests/run.gd", "--", *words], variables) != 0
    if address and not wanted.only:
        print("-- once more against the starter model", flush=True)
        words = [word for name in STARTER_TESTS for word in ("--only", name)]
        with server("starter") as address:
            failed += run([*start, "--script", "res://tests/run.gd", "--", *words], {**variables, **address}) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
