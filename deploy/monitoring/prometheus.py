# SPDX-License-Identifier: Apache-2.0
"""Prometheus and promtool, and what they say of the rules here.

    python3 deploy/monitoring/prometheus.py --install    # into .tools/prometheus, from Debian's package; needs apt-get
    python3 deploy/monitoring/prometheus.py              # checks the configuration and the rules, runs the rules' tests

Exit code 1 if anything fails, 3 if promtool is not there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
RULES: Final = HERE / "alerts" / "segue.rules.yaml"
TESTS: Final = HERE / "alerts" / "segue.test.yaml"
CONFIG: Final = HERE / "prometheus.yaml"
TOOLS: Final = HERE.parents[1] / ".tools" / "prometheus"
MISSING: Final = 3


def tool(name: str) -> str | None:
    """The path of `prometheus` or `promtool`; None if it is not there."""
    unpacked = TOOLS / "usr" / "bin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def install() -> None:
    """Unpack Debian's package; the system is left alone. Raises SystemExit with the command that failed."""
    if tool("prometheus") and tool("promtool"):
        return

    def must(command: list[str], folder: Path) -> None:
        if subprocess.run(command, cwd=folder).returncode != 0:
            raise SystemExit(f"failed: {' '.join(command)}")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        must(["apt-get", "-o", "APT::Sandbox::User=root", "-qq", "download", "prometheus"], folder)
        (package,) = folder.glob("*.deb")
        TOOLS.mkdir(parents=True, exist_ok=True)
        must(["dpkg-deb", "-x", str(package), str(TOOLS)], folder)


def check() -> int:
    """Gives the exit code."""
    promtool = tool("promtool")
    if promtool is None:
        print("promtool is not there: SKIPPED. Get it by: python3 deploy/monitoring/prometheus.py --install")
        return MISSING
    words = (["check", "config", CONFIG], ["check", "rules", RULES], ["test", "rules", TESTS])
    codes = [subprocess.run([promtool, *map(str, command)], cwd=HERE).returncode for command in words]
    return 1 if any(codes) else 0


def main() -> int:
    """Gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="get Prometheus, and check nothing")
    if parser.parse_args().install:
        install()
        return 0
    return check()


if __name__ == "__main__":
    sys.exit(main())
