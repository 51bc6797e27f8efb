# SPDX-License-Identifier: Apache-2.0
"""The Dockerfiles and their lock files. No container engine is asked: deploy/docker/try_install.py runs their steps."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKER: Final = ROOT / "deploy" / "docker"
IMAGES: Final = ("cpu", "cuda", "tpu")


def instructions(image: str) -> list[tuple[str, str]]:
    """(instruction, arguments), continued lines joined."""
    text = (DOCKER / f"{image}.Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]


def pins(file: Path) -> dict[str, str]:
    """Package → version; every one has a hash, and there is nothing else in the file."""
    found, text = {}, file.read_text(encoding="utf-8")
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        name = re.match(r"([a-z0-9._-]+)==([^ ;\\]+)", block)
        assert name, f"{file.name}: {block.splitlines()[0]}"
        assert "--hash=sha256:" in block, f"{file.name}: {name[1]} has no hash"
        found[name[1]] = name[2]
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_a_dockerfile_keeps_the_rules(image: str) -> None:
    found = instructions(image)
    bases = [arguments.split()[0] for name, arguments in found if name == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", base) for base in bases), "an exact tag"
    assert len(set(bases)) == 1, "the environment's links lead to the base's Python"
    last = found[max(place for place, (name, _) in enumerate(found) if name == "FROM") :]
    said = dict(last)
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", said["USER"]), "a numeric user, so that runAsNonRoot can be checked"
    assert [name for name, _ in last].index("USER") > max(
        place for place, (name, _) in enumerate(last) if name in ("RUN", "COPY")
    )
    assert {"HEALTHCHECK", "LABEL", "ENTRYPOINT", "VOLUME", "EXPOSE"} <= said.keys()
    assert said["ENTRYPOINT"].startswith("["), "SIGTERM must reach the server, not a shell"
    assert "0.0.0.0" not in said["CMD"]
    assert not [name for name, _ in found if name == "ADD"]
    installs = [arguments for name, arguments in found if name == "RUN" and "pip install" in arguments]
    for one in (part for arguments in installs for part in arguments.split("&&") if "pip install" in part):
        assert "--require-hashes" in one or "--no-index" in one


@pytest.mark.parametrize("image", IMAGES)
def test_what_it_copies_is_there_and_let_through(image: str) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [one for name, arguments in instructions(image) if name == "COPY" and "--from" not in arguments
              for one in arguments.split()[:-1]]  # fmt: skip
    assert f"deploy/docker/locks/{image}.txt" in copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert any(path == one or path.startswith(f"{one}/") for one in allowed), f".dockerignore keeps {path} out"
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert all(any(package.startswith(f"{one}/") for one in copied) for package in packaged["packages"])
    assert not [path for path in ("tests", "runs", ".git", "docs", "bench") if fnmatch.filter(allowed, path)]


@pytest.mark.parametrize("image", [*IMAGES, "build"])
def test_its_lock_is_of_this_project(image: str) -> None:
    locked, tested = pins(DOCKER / "locks" / f"{image}.txt"), {}
    for line in (ROOT / "requirements.lock.txt").read_text().splitlines():
        pin = re.match(r"([a-z0-9._-]+)==([^ ;\\]+)(?: ; (.*?))? *\\?$", line)
        if pin and "python_full_version >= '3.12'" not in (pin[3] or ""):
            tested[pin[1]] = pin[2]
    different = {name for name in locked.keys() & tested.keys() if locked[name] != tested[name]}
    assert different == set(), "other versions than the tests run with; run deploy/docker/lock.py"
    if image == "build":
        assert "hatchling" in locked
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=;! ]", one)[0].lower().replace(".", "-") for one in project["dependencies"]}
    assert wanted <= locked.keys(), "run deploy/docker/lock.py"
    assert not locked.keys() & {"pytest", "mypy", "ruff", "hypothesis"}
    assert ("libtpu" in locked, "jax-cuda13-plugin" in locked) == (image == "tpu", image == "cuda")
