#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the vectors that every SDK's tests read; README.md says what is in them.

python tests/conformance/generate.py            write them
python tests/conformance/generate.py --check    only compare; exit code 1 if one is stale
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from making import chunks, codec, drift, errors, frames, resume, stream, takes

HERE = Path(__file__).resolve().parent
FORMAT = 1
"""Counted up when readers have to change."""
MAKERS = {
    "codec": codec.make,
    "frames": frames.make,
    "errors": errors.make,
    "chunks": chunks.make,
    "takes": takes.make,
    "drift": drift.make,
    "resume": resume.make,
    "stream": stream.make,
}


def files() -> dict[str, bytes]:
    """Every file by its name; the same bytes wherever this runs."""
    made = {"stream.grpcweb": stream.body()}
    for name, make in MAKERS.items():
        made[f"{name}.json"] = _json({"format": FORMAT, **make()})
    return made


def _json(value: dict[str, Any]) -> bytes:
    """A line per case, so that differences can be read."""
    parts = []
    for key, held in value.items():
        if isinstance(held, list):
            lines = ",\n".join("  " + json.dumps(item, ensure_ascii=True) for item in held)
            parts.append(f' "{key}": [\n{lines}\n ]')
        else:
            parts.append(f' "{key}": {json.dumps(held)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def main(arguments: list[str]) -> int:
    """See above."""
    stale = []
    for name, data in files().items():
        path = HERE / name
        if path.exists() and path.read_bytes() == data:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_bytes(data)
    if stale and "--check" in arguments:
        print(f"stale: {', '.join(stale)}; run tests/conformance/generate.py", file=sys.stderr)
        return 1
    print(f"{len(stale)} written" if stale else "all as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
