# SPDX-License-Identifier: Apache-2.0
"""`segue bake`: seamless loops of a soundtrack's states and recordings of its stingers, for games without a network."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console
from segue_service.cli.engine import Codec, Device, Dtype, Mapper, ModelName, ModelsDir, StyleLevels
from segue_service.cli.files import read_soundtrack
from segue_service.cli.studio import Slots, compiled, engine_for, progress
from segue_service.soundtrack import Soundtrack, content_hash

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.bake.run import Baked
    from segue_service.bake.steady import Steady

EXAMPLES = """
    segue bake dungeon.soundtrack.yaml                            baked/ with manifest.json

    segue bake dungeon.soundtrack.yaml --seconds 48 --format wav --out Assets/StreamingAssets/dungeon
"""


def bake(
    file: Annotated[Path, typer.Argument(help="Soundtrack: a .soundtrack.yaml, or what `segue build` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; a baked one there is replaced.")] = Path(
        "baked"
    ),
    seconds: Annotated[float, typer.Option(min=2, max=600, help="About how long each loop is.")] = 24.0,
    kind: Annotated[Literal["ogg", "wav"], typer.Option("--format", help="Vorbis, or 16-bit WAV.")] = "ogg",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    slots: Slots = None,
    model: ModelName = "starter",
    device: Device = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    style_levels: StyleLevels = 12,
    mapper: Mapper = "auto",
) -> None:
    """Bake every state into a seamless loop and every stinger into a recording, with a manifest that SDKs read.

    A loop is of whole phrases or bars where the model has a clock, else between two places that sound alike. Each is
    checked as it comes out of its file: no click at the seam, within 1 dB of the state's loudness. States sound as at
    their parameters' defaults. The folder appears whole or not at all. docs/baked.md describes the manifest.
    """
    from segue_service.bake.folder import FolderError, check_replaceable, write_folder
    from segue_service.bake.manifest import FILE_NAME, Manifest
    from segue_service.bake.run import BakeError
    from segue_service.bake.steady import steady

    soundtrack = read_soundtrack(file)
    plain = steady(soundtrack)
    try:
        check_replaceable(out)
        clips = _clips(soundtrack, file.parent)
        engine = engine_for(
            *(model, len(plain.soundtrack.states), slots, device, models_dir),
            dtype=dtype,
            codec=codec,
            style_levels=style_levels,
            mapper=mapper,
        )
        with engine as assembly:
            states, stingers = asyncio.run(_bake(assembly, soundtrack, plain, file.parent, clips, seconds, kind, seed))
            info = assembly.info
        manifest = Manifest.model_validate(
            {
                "soundtrack": soundtrack.soundtrack,
                "soundtrack_version": soundtrack.version,
                "hash": content_hash(soundtrack),
                "model": info.model,
                "model_version": info.version,
                "seed": seed,
                "initial": soundtrack.initial,
                "states": {name: baked.entry for name, baked in states.items()},
                "stingers": {name: baked.entry for name, baked in stingers.items()},
            }
        )
        files = {baked.entry.file: baked.data for baked in (*states.values(), *stingers.values())}
        write_folder(out, {**files, FILE_NAME: manifest.text().encode()})
    except (BakeError, FolderError) as error:
        raise CommandError(str(error), EXIT_BAD_INPUT if isinstance(error, FolderError) else 1) from None
    _tell(states, stingers)
    size = sum(len(data) for data in files.values())
    console.print(f" wrote {out}/, {len(files)} recordings, {size / 1e6:.1f} MB", markup=False)


async def _bake(
    assembly: Assembly,
    soundtrack: Soundtrack,
    plain: Steady,
    folder: Path,
    clips: dict[str, bytes],
    seconds: float,
    kind: Literal["ogg", "wav"],
    seed: int,
) -> tuple[dict[str, Baked], dict[str, Baked]]:
    from segue_engine.contract import FRAME_RATE
    from segue_service.bake.run import bake_clip, bake_state, bake_style_stinger, file_names, play_all, target_of

    names, stinger_names = file_names(soundtrack, plain, kind)
    by_state = {state: name for name, state in plain.stingers.items()}
    peak = soundtrack.output.true_peak
    found: dict[str, Baked] = {}
    played: dict[str, Baked] = {}
    frames = 0
    with ThreadPoolExecutor(1) as executor, progress("baking") as bar:
        record, _ = await compiled(assembly, plain.soundtrack, folder, executor, soundtrack)
        todo = list(plain.soundtrack.states)
        task = bar.add_task("", total=len(todo), music=0.0)

        def more(count: int) -> None:
            nonlocal frames
            frames += count
            bar.update(task, music=frames / FRAME_RATE)

        async for state, performance in play_all(
            *(assembly.engine, record, executor, todo, seconds, seed, assembly.info.slots), more
        ):
            if state in by_state:
                name = by_state[state]
                played[name] = bake_style_stinger(name, performance, record, soundtrack, kind, stinger_names[name])
            else:
                target = target_of(record, state)
                found[state] = bake_state(state, performance, target, peak, seconds, kind, names[state])
            bar.advance(task)
    for name, data in clips.items():
        played[name] = bake_clip(name, soundtrack, data, kind, stinger_names[name])
    # in the soundtrack's order, whichever was through first
    return {s: found[s] for s in soundtrack.states}, {s: played[s] for s in soundtrack.stingers if s in played}


def _clips(soundtrack: Soundtrack, folder: Path) -> dict[str, bytes]:
    """The bytes of every clip stinger. Raises CommandError naming the stinger."""
    clips = {}
    for name, stinger in soundtrack.stingers.items():
        if stinger.clip is None:
            continue
        path = (folder / stinger.clip).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise CommandError(f"stingers.{name}.clip: expected a path inside {folder}", EXIT_BAD_INPUT)
        try:
            clips[name] = path.read_bytes()
        except OSError as error:
            raise CommandError(f"stingers.{name}.clip: {path}: {error.strerror or error}", EXIT_BAD_INPUT) from None
    return clips


def _tell(states: dict[str, Baked], stingers: dict[str, Baked]) -> None:
    from segue_service.bake.manifest import BakedState

    table = Table("state", "length", "bars", "LUFS", "seam", "inside", "apart", box=None, pad_edge=True)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, baked in states.items():
        entry, report, loop = baked.entry, baked.report, baked.loop
        if not isinstance(entry, BakedState) or report is None or loop is None:
            continue
        bars = "–" if entry.bars is None else f"{entry.bars} ({loop.on})"
        length = f"{(entry.loop_end - entry.loop_start) / 48_000:.2f} s"
        figures = (f"{entry.loudness_lufs:.1f}", f"{report.click:.1f}", f"{report.inside:.1f}", f"{loop.distance:.2f}")
        table.add_row(name, length, bars, *figures)
    console.print(table)
    for name, baked in stingers.items():
        console.print(f" ♪ {name}: {baked.entry.file}", markup=False)
