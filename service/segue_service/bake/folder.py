# SPDX-License-Identifier: Apache-2.0
"""A folder that appears whole or not at all, and replaces only another one of its kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from segue_service.bake.manifest import FILE_NAME


class FolderError(Exception):
    """The folder can't be written; the message names it and says why."""


def check_replaceable(folder: Path) -> None:
    """Raises FolderError if the name is taken by something that `segue bake` has not written."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise FolderError(f"{folder}: expected a folder or nothing under that name")
    if any(folder.iterdir()) and not (folder / FILE_NAME).is_file():
        raise FolderError(f"{folder}: there are files here, but no {FILE_NAME}: choose another folder")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths within the folder, in place of a baked folder that may be there. Raises FolderError.

    Everything is written beside it and moved at the end; whatever goes wrong, the old folder stays or comes back.
    """
    check_replaceable(folder)
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror or error}") from None
    try:
        fresh, old = beside / "new", beside / "old"
        for name, data in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        # mkdtemp keeps others out; what is baked is for everybody whom the parent folder lets in
        fresh.chmod(0o777 & ~_umask())
        try:
            if folder.exists():
                os.replace(folder, old)
            os.replace(fresh, folder)
        except BaseException:
            if old.exists() and not folder.exists():
                os.replace(old, folder)
            raise
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
