# SPDX-License-Identifier: Apache-2.0
"""The Dockerfiles and their lock files. No container engine is asked: deploy/docker/try_install.py runs their steps."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from segue_service.cli import extras
from segue_service.cli.app import app
from segue_service.cli.console import CommandError

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKER: Final = ROOT / "deploy" / "docker"
IMAGES: Final = ("cpu", "cuda", "tpu")
SOUNDTRACK: Final = str(ROOT / "examples" / "dungeon" / "dungeon.soundtrack.yaml")
WITHOUT_STUDIO: Final = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "PIL", "sklearn"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import segue, segue_engine, segue_service
count = 0
for package in (segue, segue_engine, segue_service):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".starter.training." not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            count += 1
from segue_engine.assemble import assemble
from segue_service.cli.ears import ear_for
starter = assemble("starter", 1, "cpu")
assert ear_for(starter) is not None
starter.engine.close()
print(count)
"""


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
    assert bases == ["${BASE}:${TAG}"] * 2, "the environment's links lead to the base's Python"
    first = next(place for place, (name, _) in enumerate(found) if name == "FROM")
    given = dict(arguments.split("=", 1) for name, arguments in found[:first] if name == "ARG")
    assert given["BASE"] == "python"
    assert re.fullmatch(r"3\.11\.\d+-slim-bookworm", given["TAG"]), "an exact tag, of the Python of the locks"
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
    # Whoever gets in finds nothing to install with: neither in the environment nor in the base.
    assert any("/opt/segue/venv/bin/python -m pip uninstall --yes pip" in one for one in installs)
    assert "rm -rf /usr/local/lib/python3.*/site-packages/*" in said["RUN"]


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
    extras = project["optional-dependencies"]
    studio = {re.split(r"[<>=]", one)[0] for one in extras["studio"]}
    assert {"matplotlib", "optax", "scikit-learn"} <= studio
    assert not locked.keys() & {"matplotlib", "pillow", "scikit-learn"}, "not for servers"
    assert set(extras["studio"]) <= set(extras["dev"]), "demo and tests draw, train and judge"
    assert ("libtpu" in locked, "jax-cuda13-plugin" in locked) == (image == "tpu", image == "cuda")


def test_a_server_imports_nothing_that_only_the_studio_needs() -> None:
    """Every module but those of training itself, and the starter as `segue serve` puts it together."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_STUDIO], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 400


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("demo",), "demo: drawing needs matplotlib"),
        (("render", SOUNDTRACK, "--picture", "p.png"), "--picture: drawing needs matplotlib"),
        (("eval", "starter", "--out", "nowhere"), "judging styles needs scikit-learn"),
        (("test", SOUNDTRACK), "judging the starter's styles needs scikit-learn"),
        (("train", "starter"), "the optimiser needs optax"),
    ],
)
def test_commands_of_the_studio_say_so_before_they_begin(
    command: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    ended = CliRunner().invoke(app, command).exception
    assert isinstance(ended, CommandError)
    assert said in str(ended)
    assert str(ended).endswith("pip install 'segue[studio]'")
