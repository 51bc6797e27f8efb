# SPDX-License-Identifier: Apache-2.0
"""`segue listen`: controls are read as lines, however they come; clips are mixed in where the server names a sample."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from segue_service.cli import listen as command
from segue_service.cli.listen import _lines


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ([b"enemy_", b"spotted\n!treas", b"ure\n"], ["enemy_spotted", "!treasure"]),
        ([b"danger=0.5"], ["danger=0.5"]),
        ([b"\n\n", b"\xff\n"], ["", "", "�"]),
        ([], []),
    ],
)
def test_lines(written: Sequence[bytes], lines: list[str]) -> None:
    reading, writing = os.pipe()
    read = _lines(reading)
    got: list[str] = []
    try:
        for some in written:
            os.write(writing, some)
            got += [next(read) for _ in range(some.count(b"\n"))]
        os.close(writing)
        assert [*got, *read] == lines
    finally:
        os.close(reading)


@pytest.mark.parametrize("folder", [None, "elsewhere"])
async def test_a_clip_is_heard_in_what_is_saved(
    rig: Any, soundtrack_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    """Its recording is that of the soundtrack's folder, or of the folder that --clips names."""
    file, out = tmp_path / "dungeon.soundtrack.yaml", tmp_path / "out.wav"
    file.write_text(soundtrack_text, encoding="utf-8")
    clips = tmp_path / (folder or ".") / "clips"
    clips.mkdir(parents=True)
    soundfile.write(clips / "hit.flac", np.full((960, 1), 0.5, np.float32), 48_000)
    monkeypatch.setattr(command, "_controls", lambda session: session.trigger("hit"))
    ask = {"server": rig.server.address, "seconds": 2.0, "seed": 7, "state": "", "encoding": "s16"}
    given = None if folder is None else tmp_path / folder
    await asyncio.to_thread(command.listen, str(file), out=out, clips=given, **ask)
    heard, _ = soundfile.read(out, dtype="int16")
    plain = np.frombuffer((await (await rig.create(seed=7)).hear(96_000))[0], "<i2").reshape(-1, 2)
    differs = np.flatnonzero((heard != plain[: len(heard)]).any(1))
    assert (differs[0] % (16 * 1920), len(differs)) == (0, 960), "on a beat"
    np.testing.assert_array_equal(heard[differs], plain[differs] + 16384)
