# SPDX-License-Identifier: Apache-2.0
"""Builds an engine for a command, and the options that choose a model; what can't be built is a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly

ModelsDir = Annotated[
    Path | None,
    typer.Option("--models-dir", help="Look for models here first (default: $SEGUE_MODELS, else segue's own folder)."),
]
ModelName = Annotated[
    str, typer.Option("--model", help="starter, mrt2_small, mrt1_large, …; auto: the best one here for the device.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, gpu or tpu.")]
Devices = Annotated[
    str,
    typer.Option(
        help="Devices of this machine that share the slots: numbers as in 0 or 0,2; all; or auto: one GPU or TPU chip "
        "(a server for each is the better way to use several), all cores of a CPU."
    ),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="Magenta RT: what the language model computes in; auto: float32 on a CPU, else bfloat16."),
]
Codec = Annotated[
    Literal["auto", "float32", "tf32", "bfloat16"],
    typer.Option(help="Magenta RT: what the codec computes in; auto: float32 on a CPU, else tf32."),
]
StyleLevels = Annotated[
    int,
    typer.Option(min=1, max=12, help="Magenta RT: how many of the 12 style codes the model hears, at most 6 in RT 1."),
]
Mapper = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(
        help="Magenta RT: texts through MusicCoCa's mapper into the space of audio; auto: RT 2, if it is here."
    ),
]


def build_engine(
    model: str,
    slots: int | None,
    device: str,
    models_dir: Path | None = None,
    *,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    codec: Literal["auto", "float32", "tf32", "bfloat16"] = "auto",
    style_levels: int = 12,
    mapper: Literal["auto", "on", "off"] = "auto",
    rewind_seconds: float | None = 0.0,
    devices: str = "auto",
) -> Assembly:
    """An engine that is not warmed up yet. Raises CommandError.

    rewind_seconds: how far its sessions can go back; None: as far as suits the model.
    """
    from segue_engine.assemble import AssembleError, assemble
    from segue_engine.assemble_magenta import MagentaOptions
    from segue_engine.contract import FRAME_RATE, EngineError

    magenta = MagentaOptions(dtype=dtype, codec=codec, style_levels=style_levels, mapper=mapper)
    try:
        rewind = None if rewind_seconds is None else round(rewind_seconds * FRAME_RATE)
        assembly = assemble(
            *(model, slots, device),
            rewind_frames=rewind,
            models_dir=models_dir,
            magenta=magenta,
            devices=devices,
        )
    except AssembleError as error:
        raise CommandError(f"--{error}", EXIT_BAD_INPUT) from None
    except (EngineError, ValueError) as error:
        raise CommandError(str(error)) from None
    if assembly.reason:
        console.print(f" model {assembly.info.model}: {assembly.reason}", markup=False)
    if assembly.note:
        console.print(f" {assembly.note}", markup=False)
    return assembly
