# SPDX-License-Identifier: Apache-2.0
"""The committed overlays as documents, and what stands between a test and the tools that it needs."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import pytest
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
OVERLAYS: Final = ("agones", "gpu", "local", "tpu")

Document = dict[str, Any]


def read(path: Path) -> list[Document]:
    """The documents of a YAML stream."""
    return [document for document in YAML(typ="safe").load_all(path.read_text(encoding="utf-8")) if document]


@pytest.fixture(scope="session")
def overlays() -> dict[str, list[Document]]:
    """The manifests of every overlay, its namespace among them."""
    folder = DEPLOY / "k8s" / "overlays"
    assert tuple(sorted(path.parent.name for path in folder.glob("*/kustomization.yaml"))) == OVERLAYS
    return {name: read(folder / name / "namespace.yaml") + read(folder / name / "rendered.yaml") for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def manifests(request: Any, overlays: dict[str, list[Document]]) -> list[Document]:
    """The manifests of one overlay."""
    return overlays[request.param]


@pytest.fixture(scope="session")
def tool() -> Callable[[str, str], Path]:
    """tool(name, how): a program of .tools or the PATH; a test without it is skipped, and says how to get it."""

    def find(name: str, how: str) -> Path:
        local = ROOT / ".tools" / name / "bin" / name
        found = local if local.exists() else shutil.which(name)
        if found is None:
            pytest.skip(f"NOT CHECKED, {name} is not here: {how}")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def library() -> Callable[[str], ModuleType]:
    """library(name): a module of the extra `deploy`; a test without it is skipped, and says how to get it."""

    def find(name: str) -> ModuleType:
        reason = f"NOT CHECKED, {name} is not here: pip install 'segue[deploy]'"
        return cast(ModuleType, pytest.importorskip(name, reason=reason))

    return find


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """script(path below deploy/): a script, imported."""

    def load(name: str) -> ModuleType:
        path = DEPLOY / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def pods() -> Callable[[list[Document]], dict[str, Document]]:
    """pods(manifests): the template of everything that makes pods, by "Kind/name"."""

    def find(manifests: list[Document]) -> dict[str, Document]:
        found = {}
        for one in manifests:
            name = f"{one['kind']}/{one['metadata']['name']}"
            if one["kind"] in ("Deployment", "Job"):
                found[name] = one["spec"]["template"]
            elif one["kind"] == "Fleet":
                found[name] = one["spec"]["template"]["spec"]["template"]
        return found

    return find


@pytest.fixture(scope="session")
def containers() -> Callable[[Document], list[Document]]:
    """containers(template): of a pod, also those that begin it."""
    return lambda template: [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
