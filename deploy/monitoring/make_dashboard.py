# SPDX-License-Identifier: Apache-2.0
"""The Grafana dashboard, from one line per query.

python3 deploy/monitoring/make_dashboard.py            # writes dashboards/segue.json
python3 deploy/monitoring/make_dashboard.py --check    # exit code 1 if that is stale
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from segue_panels import ROWS, Panel

TARGET: Final = Path(__file__).resolve().parent / "dashboards" / "segue.json"
SELECTOR: Final = 'job=~"$job",instance=~"$instance"'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24


def filled(query: str) -> str:
    """With the selector in place of {} and {…}, and the window in place of [R]."""
    out, at = "", 0
    while (brace := query.find("{", at)) >= 0:
        end = query.index("}", brace)
        inner = query[brace + 1 : end]
        out += query[at:brace] + "{" + (f"{inner}," if inner else "") + SELECTOR + "}"
        at = end + 1
    return (out + query[at:]).replace("[R]", "[$__rate_interval]")


def panel(number: int, given: Panel, x: int, y: int, height: int) -> dict[str, Any]:
    """A panel at its place."""
    targets = [
        {
            "datasource": SOURCE,
            "expr": filled(query),
            "legendFormat": legend,
            "refId": chr(ord("A") + place),
            **({"format": "table", "instant": True} if given.kind == "table" else {}),
        }
        for place, (query, legend) in enumerate(given.queries)
    ]
    defaults: dict[str, Any] = {"unit": given.unit, "min": None if given.unit == "none" else 0}
    if given.limit is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": given.limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "id": number,
        "type": given.kind,
        "title": given.title,
        "description": given.says,
        "datasource": SOURCE,
        "gridPos": {"h": height, "w": given.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {k: v for k, v in defaults.items() if v is not None}, "overrides": []},
        "targets": targets,
    }


def placed() -> Iterator[dict[str, Any]]:
    """Rows and panels, from left to right and downwards."""
    number, y = 0, 0
    for title, panels in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
        }
        y, x = y + 1, 0
        for given in panels:
            if x + given.width > WIDTH:
                x, y = 0, y + 7
            number += 1
            yield panel(number, given, x, y, 7)
            x += given.width
        y += 7


def variable(name: str, query: str) -> dict[str, Any]:
    """A choice of label values, all of them at first."""
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard() -> dict[str, Any]:
    """As Grafana imports it."""
    return {
        "uid": "segue",
        "title": "Segue",
        "tags": ["segue"],
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                variable("job", "label_values(segue_build_info, job)"),
                variable("instance", 'label_values(segue_build_info{job=~"$job"}, instance)'),
            ]
        },
        "annotations": {"list": []},
        "panels": list(placed()),
    }


def main() -> int:
    """Gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    text = json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
    if parser.parse_args().check:
        is_fresh = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name}: {'fresh' if is_fresh else 'stale: run deploy/monitoring/make_dashboard.py'}")
        return 0 if is_fresh else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
