# SPDX-License-Identifier: Apache-2.0
"""A .meta file for every asset of the package, with a GUID that follows from its path, so that references last.

python3 sdk/unity/Tools~/make_meta.py            # writes what is missing, removes what has lost its asset
python3 sdk/unity/Tools~/make_meta.py --check    # exit 1 if there is anything to do
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = ("DefaultImporter", "  externalObjects: {}\n")
IMPORTERS = {
    ".cs": (
        "MonoImporter",
        "  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n"
        "  icon: {instanceID: 0}\n",
    ),
    ".asmdef": ("AssemblyDefinitionImporter", "  externalObjects: {}\n"),
    ".md": ("TextScriptImporter", "  externalObjects: {}\n"),
    ".json": ("TextScriptImporter", "  externalObjects: {}\n"),
}


def is_asset(path: Path) -> bool:
    """Whether Unity imports it: nothing hidden, nothing in a folder that ends in ~."""
    parts = path.relative_to(ROOT).parts
    return not any(part.startswith(".") or part.endswith("~") or part == "__pycache__" for part in parts)


def meta(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    guid = hashlib.md5(f"com.segue.soundtrack/{name}".encode(), usedforsecurity=False).hexdigest()
    if path.is_dir():
        kind, body = "DefaultImporter", "  externalObjects: {}\n"
        head = f"fileFormatVersion: 2\nguid: {guid}\nfolderAsset: yes\n"
    else:
        kind, body = IMPORTERS.get(path.suffix, TEXT)
        if name == "package.json":
            kind = "PackageManifestImporter"
        head = f"fileFormatVersion: 2\nguid: {guid}\n"
    return f"{head}{kind}:\n{body}  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


def main() -> int:
    check = "--check" in sys.argv
    assets = [path for path in ROOT.rglob("*") if is_asset(path) and path.suffix != ".meta"]
    wanted = {path.with_name(path.name + ".meta"): meta(path) for path in assets}
    found = {path for path in ROOT.rglob("*.meta") if is_asset(path)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in [] if check else stale:
        path.write_text(wanted[path], encoding="utf-8")
    orphans = sorted(found - wanted.keys())
    for path in [] if check else orphans:
        path.unlink()
    for path in [*stale, *orphans]:
        print(path.relative_to(ROOT), "is stale" if check else "done")
    return 1 if check and (stale or orphans) else 0


if __name__ == "__main__":
    sys.exit(main())
