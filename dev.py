#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One command for everything a developer does here; needs nothing but Python 3.11 or newer.

    python3 dev.py demo     set up, start the service, play a scripted game, write demo.flac and demo.png
    python3 dev.py test     set up, run every test whose tools are here, say loudly what was skipped
    python3 dev.py setup    make .venv and install the pinned, hashed dependencies
    python3 dev.py serve    start the service (arguments go to `segue serve`)
    python3 dev.py lint     ruff, mypy --strict, stub freshness, buf where it is installed
    python3 dev.py proto    regenerate the protobuf stubs (--check: only compare)
    python3 dev.py bench    measure steps and sessions on this machine (arguments go to `segue bench`)

Further arguments go to the program behind the verb: `dev.py test tests/engine -k laws`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock.txt"
STAMP = VENV / ".segue-setup"
OLDEST_PYTHON = (3, 11)


class FailedError(Exception):
    """Ends the program with a sentence and an exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def venv_program(name: str) -> Path:
    """Path of a program inside the virtual environment, on any system."""
    return VENV / ("Scripts" if os.name == "nt" else "bin") / (f"{name}.exe" if os.name == "nt" else name)


def wanted_stamp() -> str:
    """Identity of what `setup` would install: pins, project metadata, Python version."""
    digest = hashlib.sha256()
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    digest.update(repr(sys.version_info[:3]).encode())
    return digest.hexdigest()


class Progress:
    """One line that redraws itself on a terminal; in a log, a line every ten per cent."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._last = label, max(total, 1), -1
        self._live = sys.stdout.isatty()

    def show(self, done: int, note: str = "") -> None:
        percent = min(100, 100 * done // self._total)
        if self._live:
            filled = percent // 5
            print(f"\r {self._label:<12}{'█' * filled}{'░' * (20 - filled)} {percent:3d} %  {note:<44.44}", end="")
        elif percent // 10 > self._last // 10 or self._last < 0:
            print(f" {self._label:<12}{percent:3d} %  {note}")
        self._last = percent
        sys.stdout.flush()

    def finish(self, note: str) -> None:
        self.show(self._total, note)
        if self._live:
            print()


def pip(arguments: Sequence[str], on_line: Callable[[str], None]) -> None:
    """Run the environment's pip, handing on each line; on failure raises FailedError with pip's last lines."""
    command = [str(venv_program("python")), "-m", "pip", "--disable-pip-version-check", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    )
    assert process.stdout is not None
    tail: list[str] = []
    for line in process.stdout:
        tail = [*tail[-24:], line.rstrip()]
        on_line(line)
    if process.wait():
        raise FailedError("pip failed:\n  " + "\n  ".join(tail))


def make_venv() -> None:
    """A fresh .venv; a half-made one from an interrupted run is replaced."""
    print(" environment .venv")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        raise FailedError(
            "Python could not make a virtual environment:\n  " + (made.stderr or made.stdout).strip()
            + "\nOn Debian and Ubuntu: apt-get install python3-venv"
        )  # fmt: skip


def setup(_: Sequence[str] = ()) -> None:
    """Bring .venv to what the lock file says; nothing happens where it is so already."""
    if STAMP.exists() and STAMP.read_text() == wanted_stamp() and venv_program("segue").exists():
        return
    started = time.monotonic()
    make_venv()
    total = sum(1 for line in LOCK.read_text().splitlines() if line[:1].isalnum())
    progress, seen = Progress("installing", total + 2), 0

    def count(line: str) -> None:
        nonlocal seen
        if line.startswith(("Collecting ", "Ignoring ", "Requirement already")):
            seen = min(seen + 1, total)
            progress.show(seen, line.split()[1].rstrip(":"))
        elif line.startswith("Installing collected"):
            progress.show(total, "unpacking (a minute on a slow disk)")

    progress.show(0)
    pip(["install", "--require-hashes", "-r", str(LOCK)], count)
    pip(["install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(ROOT)], lambda _line: None)
    progress.finish(f"ready in {time.monotonic() - started:.0f} s")
    STAMP.write_text(wanted_stamp())


def run(program: str, arguments: Sequence[str]) -> int:
    """Run a program of the environment in the repository's root; Ctrl-C reaches it and its exit code comes back."""
    process = subprocess.Popen([str(venv_program(program)), *arguments], cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child got it as well and ends by itself
            continue


def segue(verb: str) -> Callable[[Sequence[str]], int]:
    """A verb that only sets up and hands on to `segue VERB`."""

    def call(arguments: Sequence[str]) -> int:
        setup()
        return run("segue", [verb, *arguments])

    return call


def buf() -> str | None:
    """The protobuf linter, if it is here: on the PATH or in .tools."""
    local = ROOT / ".tools" / "node_modules" / ".bin" / "buf"
    return shutil.which("buf") or (str(local) if local.exists() else None)


def unity_tools() -> bool:
    """Whether the C# compiler is here that `sdk/unity/test.py` installs."""
    return (ROOT / ".tools" / "unity" / "node_modules").exists()


def godot_tools() -> bool:
    """Whether the Godot is here that `sdk/godot/test.py` installs."""
    return (ROOT / ".tools" / "godot").exists()


def proto(arguments: Sequence[str]) -> int:
    setup()
    return run("python", ["proto/generate.py", *arguments])


def lint(arguments: Sequence[str]) -> int:
    setup()
    steps = [
        ("ruff", ["check", *(arguments or ["."])]),
        ("ruff", ["format", "--check", *(arguments or ["."])]),
        ("mypy", []),
        ("python", ["proto/generate.py", "--check"]),
        ("python", ["tests/conformance/generate.py", "--check"]),
        ("python", ["sdk/unity/Tools~/generate.py", "--check"]),
        ("python", ["sdk/godot/tools/generate.py", "--check"]),
    ]
    failures = 0
    for program, options in steps:
        print(f"-- {program} {' '.join(options)}", flush=True)
        failures += bool(run(program, options))
    if found := buf():
        print("-- buf lint", flush=True)
        failures += bool(subprocess.run([found, "lint"], cwd=ROOT / "proto").returncode)
    else:
        print("-- buf lint SKIPPED: buf is not installed (npm install --prefix .tools @bufbuild/buf)", flush=True)
    return 1 if failures else 0


def test(arguments: Sequence[str]) -> int:
    setup()
    if arguments:
        return run("pytest", arguments)
    code = run("pytest", ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile", "-q"])
    if unity_tools():
        print("-- sdk/unity/test.py", flush=True)
        code = run("python", ["sdk/unity/test.py"]) or code
    if godot_tools():
        print("-- sdk/godot/test.py", flush=True)
        code = run("python", ["sdk/godot/test.py"]) or code
    skipped = [f"{suite}: {why}" for suite, why in missing_suites()]
    if skipped:
        print("\nSKIPPED SUITES\n  " + "\n  ".join(skipped), flush=True)
    return code


def missing_suites() -> list[tuple[str, str]]:
    """Suites beside pytest's that can't run here, each with what would be needed."""
    missing = []
    if buf() is None:
        missing.append(("buf lint", "install buf, or run `npm install --prefix .tools @bufbuild/buf`"))
    if not unity_tools():
        missing.append(("Unity SDK", "get a C# compiler and runtimes by `python3 sdk/unity/test.py --install`"))
    if not godot_tools():
        missing.append(("Godot SDK", "get Godot by `python3 sdk/godot/test.py --install`"))
    return missing


VERBS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "demo": segue("demo"),
    "test": test,
    "setup": setup,
    "serve": segue("serve"),
    "lint": lint,
    "proto": proto,
    "bench": segue("bench"),
}


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        raise FailedError(
            f"Segue needs Python {needed} or newer; this is {sys.version.split()[0]} ({sys.executable})", 2
        )
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0
    verb = VERBS.get(arguments[0])
    if verb is None:
        raise FailedError(f"no verb {arguments[0]!r}; there are: {', '.join(VERBS)}", 2)
    return verb(arguments[1:]) or 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may not speak UTF-8 by itself
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        sys.exit(main(sys.argv[1:]))
    except FailedError as failure:
        print(f"dev.py: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(130)
