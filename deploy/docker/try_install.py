#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs an image's install steps in a folder instead of a container: `try_install.py [cpu|cuda|tpu] [FOLDER]`.

For machines without a container engine. It does what the Dockerfile's RUN lines do with Python, copies only what
.dockerignore lets through, holds the size against a bound, starts the installed server without write access outside of
its volumes' folders, asks the health check, listens to a session, and sees that commands which need more than a server
say what. Minutes, and gigabytes for cuda; cpu needs 1.3 GB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ("pyproject.toml", "README.md", "LICENSE", "engine", "service", "sdk/python")
PORTS: Final = ("17470", "17471")
SOUNDTRACK: Final = ROOT / "examples/dungeon/dungeon.soundtrack.yaml"
MOST_MB: Final = {"cpu": 1_075, "cuda": 5_330, "tpu": 1_830}
"""What the environment may weigh at most: a twentieth more than it did when it was last weighed (README.md)."""
WITHOUT: Final = (
    ("demo", "demo: drawing needs matplotlib"),
    (f"render {SOUNDTRACK} --picture p.png", "--picture: drawing needs matplotlib"),
    (f"test {SOUNDTRACK}", "test: judging the starter's styles needs scikit-learn"),
    ("eval starter", "eval: judging styles needs scikit-learn"),
)
"""Commands of the extra `studio`, and what they say instead."""


def run(*command: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    """Run a step, and say how long it took."""
    began = time.monotonic()
    subprocess.run([str(part) for part in command], cwd=cwd, env=environment, check=True)
    print(f"  {time.monotonic() - began:6.1f} s  {' '.join(Path(str(part)).name for part in command[:4])}", flush=True)


def install(image: str, folder: Path) -> Path:
    """The Dockerfile's build stage; gives the environment's folder."""
    source, wheels = folder / "src", folder / "wheels"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            source.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    locks, venv, build = ROOT / "deploy/docker/locks", folder / "venv", folder / "build"
    flags = ("--disable-pip-version-check", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r")
    run(sys.executable, "-m", "venv", venv)
    run(venv / "bin/pip", "install", *flags, locks / f"{image}.txt")
    run(sys.executable, "-m", "venv", build)
    run(build / "bin/pip", "install", *flags, locks / "build.txt")
    wheel = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels, ".")
    run(build / "bin/pip", *wheel, cwd=source)
    run(venv / "bin/pip", "install", "--quiet", "--no-deps", "--no-index", *wheels.glob("*.whl"))
    run(venv / "bin/python", "-m", "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools")
    return venv


def serve(venv: Path, folder: Path) -> None:
    """Start the server as the image would, wait for its health check, send SIGTERM."""
    for name in ("tmp", "cache", "models"):
        (folder / name).mkdir(exist_ok=True)
    environment = {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "SEGUE_MODELS": str(folder / "models"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(venv / "bin/segue"), "serve", "--device", "cpu", "--slots", "1", "--port", PORTS[0]]
    began = time.monotonic()
    python = (venv / "bin/python").resolve()
    open_to_all = all(part.stat().st_mode & 0o001 for part in (python, *python.parents, *folder.resolve().parents))
    user = {"user": 10001, "group": 10001, "extra_groups": []} if os.geteuid() == 0 and open_to_all else {}
    if user:
        for name in ("tmp", "cache", "models"):
            os.chown(folder / name, 10001, 10001)
    server = subprocess.Popen(command, env=environment, cwd=folder / "tmp", **user)  # type: ignore[call-overload]
    if os.geteuid() == 0 and not user:
        print(f"           as root: {python} is not for other users", flush=True)
    health = [str(venv / "bin/python"), str(ROOT / "deploy/docker/health.py"), "--port", PORTS[1]]
    try:
        while subprocess.run(health, env=environment, capture_output=True).returncode:
            if server.poll() is not None or time.monotonic() - began > 900:
                sys.exit("try_install.py: the server did not come up")
            time.sleep(1.0)
        print(f"  {time.monotonic() - began:6.1f} s  healthy, as user {user.get('user', os.geteuid())}", flush=True)
        heard = ("listen", SOUNDTRACK, "--server", f"127.0.0.1:{PORTS[0]}", "--seconds", "2", "--out", "heard.flac")
        run(venv / "bin/segue", *heard, cwd=folder / "tmp", environment=environment)
        began = time.monotonic()
        server.terminate()
        code = server.wait(60)
        print(f"  {time.monotonic() - began:6.1f} s  ended with {code} after SIGTERM")
    finally:
        server.kill()


def say_what_is_missing(venv: Path, folder: Path) -> None:
    """Commands that a server's environment is not for end with a sentence, and before they begin."""
    for command, said in WITHOUT:
        done = subprocess.run(
            [str(venv / "bin/segue"), *command.split()], cwd=folder, env={"HOME": str(folder)}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        if done.returncode == 0 or said not in done.stderr or "'segue[studio]'" not in done.stderr:
            sys.exit(f"try_install.py: segue {command}: expected {said!r}, got {done.returncode}:\n{done.stderr}")
    print(f"            {len(WITHOUT)} commands say that they need segue[studio]", flush=True)


def weigh(image: str, venv: Path) -> None:
    """Hold the environment's size against its bound."""
    files = [path for path in venv.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"  {size:,.0f} MB in the environment, at most {MOST_MB[image]:,}", flush=True)
    if size > MOST_MB[image]:
        sys.exit(f"try_install.py: {image}: expected at most {MOST_MB[image]} MB, got {size:.0f}")


def main() -> None:
    """Install, weigh, serve."""
    image = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    if image not in ("cpu", "cuda", "tpu"):
        sys.exit("try_install.py: expected cpu, cuda or tpu")
    with tempfile.TemporaryDirectory(prefix="segue-image-") as made:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(made)
        folder.chmod(0o755)
        venv = install(image, folder)
        weigh(image, venv)
        say_what_is_missing(venv, folder)
        serve(venv, folder)


if __name__ == "__main__":
    main()
