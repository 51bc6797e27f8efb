# SPDX-License-Identifier: Apache-2.0
"""The committed overlays as documents, and what stands between a test and the tools that it needs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any, Final, NoReturn

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
def tool(missing: Callable[[str, str], NoReturn]) -> Callable[[str, str], Path]:
    """tool(name, how): a program of .tools or the PATH; `missing` without it."""

    def find(name: str, how: str) -> Path:
        local = [*ROOT.glob(f".tools/*/bin/{name}"), *ROOT.glob(f".tools/*/usr/bin/{name}")]
        found = local[0] if local else shutil.which(name)
        if found is None:
            missing(name, how)
        return Path(found)

    return find


@pytest.fixture(scope="session")
def library(missing: Callable[[str, str], NoReturn]) -> Callable[[str], ModuleType]:
    """library(name): a module of the extra `deploy`; `missing` without it."""

    def find(name: str) -> ModuleType:
        if importlib.util.find_spec(name) is None:
            missing(name, "pip install 'segue[deploy]'")
        return importlib.import_module(name)

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
def helm(library: Callable[[str], ModuleType]) -> ModuleType:
    """Helm's SDK."""
    return library("helm_python")


@pytest.fixture(scope="session")
def render(helm: ModuleType, script: Callable[[str], ModuleType]) -> ModuleType:
    """deploy/k8s/render.py, where Helm's SDK is there."""
    return script("k8s/render.py")


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


@dataclass
class SideContainer:
    """Agones' side container, as far as the bridge knows it, and the game server that it speaks of."""

    port: int = 0
    state: str = "Starting"
    count: int = 0
    capacity: int = 1000
    labels: dict[str, str] = field(default_factory=lambda: {"agones.dev/fleet": "segue"})
    calls: list[str] = field(default_factory=list)
    refuses: bool = False
    garbles: bool = False

    def answer(self, path: str, body: Document) -> Document:
        """As Agones 1.56 answers. Raises ValueError where it refuses."""
        self.calls.append(path)
        if path in ("/ready", "/allocate"):
            self.state = {"/ready": "Ready", "/allocate": "Allocated"}[path]
        elif path == "/gameserver":
            return {"status": {"state": self.state}}
        elif path == "/v1beta1/counters/sessions":
            if self.refuses:
                raise ValueError
            self.capacity = int(body.get("capacity", self.capacity))
            count = self.count + int(body.get("countDiff", 0))
            if "countDiff" in body and not 0 <= count <= self.capacity:
                raise ValueError
            self.count = min(count, self.capacity)
            return {"name": "sessions", "count": str(self.count), "capacity": str(self.capacity)}
        else:
            assert path == "/health"
        return {}


@pytest.fixture
def agones() -> Iterator[Callable[[], SideContainer]]:
    """agones(): a side container of its own, at its port."""
    with contextlib.ExitStack() as stack:

        def make() -> SideContainer:
            side = SideContainer()
            side.port = stack.enter_context(answering(side))
            return side

        yield make


@contextlib.contextmanager
def answering(side: SideContainer) -> Iterator[int]:
    """An HTTP server of its answers; its port."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            try:
                data, status = json.dumps(side.answer(self.path, body)).encode(), 200
            except ValueError:
                data, status = b"{}", 500
            self.send_response(status)
            self.send_header("content-length", str(len(data) + 9 * side.garbles))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
