#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders the chart into the Kustomize overlays: `python deploy/k8s/render.py [--check]`.

Needs the extra `deploy`. --check writes nothing, and ends with 1 where a committed file is not what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import helm_python
from ruamel.yaml import YAML

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
CHART: Final = HERE / "chart"
OVERLAYS: Final = HERE / "overlays"
NAMESPACE: Final = "segue"
RULES: Final = ROOT / "deploy" / "monitoring" / "alerts" / "segue.rules.yaml"
"""Where alerts are written and tested; Helm reads nothing outside of its chart, which has a copy."""
SOUNDTRACKS: Final = {"local": ("examples/dungeon/dungeon.soundtrack.yaml",)}
"""Examples that an overlay plays."""
_HEADER: Final = "# SPDX-License-Identifier: Apache-2.0\n# Made by deploy/k8s/render.py. Don't edit.\n"


def values_of(overlay: str) -> dict[str, Any]:
    """What an overlay tells the chart."""
    values: dict[str, Any] = YAML(typ="safe").load((OVERLAYS / overlay / "values.yaml").read_text(encoding="utf-8"))
    if overlay in SOUNDTRACKS:
        files = {Path(name).name: (ROOT / name).read_text(encoding="utf-8") for name in SOUNDTRACKS[overlay]}
        values["soundtracks"] = {**values.get("soundtracks", {}), "files": files}
    return values


def rendered(values: Mapping[str, Any], release: str = "segue") -> str:
    """The chart's manifests under these values, as one stream. Raises what helm_python raises: a sentence of why."""
    chart = helm_python.Chart.load(str(CHART))
    documents = []
    for _, text in sorted(chart.render(dict(values), name=release, namespace=NAMESPACE).items()):
        for document in text.split("\n---"):
            lines = [line.rstrip() for line in document.removeprefix("---").strip("\n").splitlines()]
            if any(line and not line.startswith("#") for line in lines):
                documents.append("\n".join(lines).strip())
    return _HEADER + "".join(f"---\n{document}\n" for document in documents)


def wanted() -> dict[Path, str]:
    """Every file that this command writes, and its text."""
    files = {OVERLAYS / name / "rendered.yaml": rendered(values_of(name)) for name in overlays()}
    if RULES.exists():
        files = {CHART / "files" / RULES.name: RULES.read_text(encoding="utf-8"), **files}
    return files


def overlays() -> list[str]:
    """By name."""
    return sorted(path.parent.name for path in OVERLAYS.glob("*/values.yaml"))


def main(arguments: list[str]) -> int:
    """Exit code of the command."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("render.py: expected no argument, or --check", file=sys.stderr)
        return 2
    if not check and RULES.exists():  # before anything is rendered from it
        (CHART / "files" / RULES.name).write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
    stale = [path for path, text in wanted().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name}: not what deploy/k8s/render.py writes", file=sys.stderr)
        else:
            path.write_text(wanted()[path], encoding="utf-8")
            print(f"wrote {name}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
