# SPDX-License-Identifier: Apache-2.0
"""The 2D and 3D players, which are the player on another node of the engine.

    python3 sdk/godot/tools/make_players.py            # writes them
    python3 sdk/godot/tools/make_players.py --check    # says what is stale; exit code 1 if anything is

They differ in class, base, icon and a sentence of their documentation.
"""

from __future__ import annotations

import sys
from pathlib import Path

ADDON = Path(__file__).resolve().parents[1] / "addons" / "segue"
MADE = "## Made from soundtrack_player.gd by tools/make_players.py; not to be edited.\n"
WHERE = {"2D": "at a place in a 2D scene", "3D": "at a place in a 3D scene"}


def variant(source: str, kind: str) -> str:
    """The player's script for another node. Raises ValueError where the script does not have what is replaced."""
    replaced = source
    for old, new in (
        ("class_name SoundtrackPlayer\n", f"class_name SoundtrackPlayer{kind}\n"),
        ("extends AudioStreamPlayer\n", f"extends AudioStreamPlayer{kind}\n"),
        ("soundtrack_player.svg", f"soundtrack_player_{kind.lower()}.svg"),
        ("## Plays a live soundtrack from a Segue server.\n", f"## Plays a live soundtrack {WHERE[kind]}.\n"),
        ("@onready var music: SoundtrackPlayer = ", f"@onready var music: SoundtrackPlayer{kind} = "),
    ):
        if old not in replaced:
            raise ValueError(f"soundtrack_player.gd: expected {old!r}")
        replaced = replaced.replace(old, new)
    head, rest = replaced.split("\n", 1)
    return f"{head}\n{MADE.replace('## ', '# ')}{rest}"


def main() -> int:
    source = (ADDON / "soundtrack_player.gd").read_text(encoding="utf-8")
    stale = 0
    for kind in WHERE:
        path = ADDON / f"soundtrack_player_{kind.lower()}.gd"
        wanted = variant(source, kind)
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        stale += 1
        if "--check" in sys.argv[1:]:
            print(f"stale: {path.name} (python3 sdk/godot/tools/make_players.py)")
        else:
            path.write_text(wanted, encoding="utf-8")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
