# SPDX-License-Identifier: Apache-2.0
"""Make the Python stubs in sdk/python/segue/v1 from proto/segue/v1, or prove with --check that they are current.

Needs grpcio-tools and mypy-protobuf (the `dev` extra). Run it by the environment's own interpreter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "proto"
TARGET: Final = ROOT / "sdk" / "python"
PACKAGE: Final = Path("segue", "v1")
INIT: Final = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    '"""The generated stubs of proto/segue/v1. Written by proto/generate.py; do not edit."""\n'
)
_SUFFIXES: Final = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generate(out: Path) -> None:
    """Write every stub below `out`. Raises SystemExit with protoc's own words when the contract doesn't compile."""
    protos = sorted(path.relative_to(SOURCE).as_posix() for path in (SOURCE / PACKAGE).glob("*.proto"))
    services = [name for name in protos if name.endswith("_service.proto")]
    scripts = Path(sys.executable).parent
    plugins = [
        f"--plugin={name}={scripts / name}{'.exe' if sys.platform == 'win32' else ''}"
        for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCE}", *plugins]
    for arguments in (
        [f"--python_out={out}", f"--mypy_out=quiet:{out}", *protos],
        [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services],
    ):
        done = subprocess.run([*protoc, *arguments], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip() or f"protoc ended with {done.returncode}")
    (out / PACKAGE / "__init__.py").write_text(INIT, encoding="utf-8")


def stale(fresh: Path, committed: Path) -> list[str]:
    """Names of the stubs that differ between two folders, that lack, or that nobody generates any more."""
    names = {path.name for folder in (fresh, committed) for path in folder.iterdir() if path.name.endswith(_SUFFIXES)}
    names.add("__init__.py")

    def text(folder: Path, name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    return sorted(name for name in names if text(fresh, name) != text(committed, name))


def main(argv: list[str] | None = None) -> int:
    """0: written, or current; 1: --check found stale stubs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the stubs are not current")
    check = parser.parse_args(argv).check
    committed = TARGET / PACKAGE
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        differing = stale(fresh / PACKAGE, committed)
        if check:
            for name in differing:
                print(f"stale: {(committed / name).relative_to(ROOT).as_posix()}", file=sys.stderr)
            if differing:
                print("run `python3 dev.py proto`", file=sys.stderr)
            return 1 if differing else 0
        committed.mkdir(parents=True, exist_ok=True)
        for name in differing:
            path = fresh / PACKAGE / name
            if path.is_file():
                (committed / name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
            else:
                (committed / name).unlink()
        print(f"{len(differing)} stubs written to {committed.relative_to(ROOT).as_posix()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
