# SPDX-License-Identifier: Apache-2.0
"""How many frames lie between `steer` and the first codes that are drawn under the new style?

Two slots play the same with the same seed. At several places one of them is steered to another style: at its head, as
most controls are, and some frames back, as far as a client that has not heard them yet allows. Counted are frames of
the timeline up to the first that differs from the other slot's, and what the engine did until that frame was made: its
steps and milliseconds. A model in chunks that waited for its chunk's end would take `to_chunk_end` frames.

    python bench/steering.py --model mrt1_base_noise --models-dir DIR
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.assemble import assemble
from segue_engine.contract import Conditioning, Engine, Guidance, Prompt, Sampling, SlotHandle, StyleEncoder

SEED = 5
STUCK = 100_000


@dataclass
class Pair:
    """Two slots with one seed: `steered` and the one that is left alone, and the codes of both by frame."""

    engine: Engine
    plain: SlotHandle
    steered: SlotHandle
    codes: dict[SlotHandle, dict[int, NDArray[np.int16]]] = field(default_factory=dict)

    def play(self, slots: list[SlotHandle], until: int) -> tuple[int, float]:
        """Step these slots until their heads are at `until`; gives steps and seconds, blocks of the last included."""
        began, steps = time.perf_counter(), 0
        while due := [slot for slot in slots if self.engine.head(slot) < until]:
            self._keep(self.engine.step(due))
            steps += 1
            if steps > STUCK:
                raise RuntimeError("the slots do not go on")
        self._keep(self.engine.flush())
        return steps, time.perf_counter() - began

    def _keep(self, blocks: Any) -> None:
        if blocks is None:
            return
        for row in range(blocks.count):
            slot = SlotHandle(int(blocks.slots[row]), int(blocks.epochs[row]))
            self.codes.setdefault(slot, {})[int(blocks.first_frame[row])] = blocks.codes[row, 0].copy()

    def first_difference(self, begin: int, end: int) -> int | None:
        plain, steered = self.codes[self.plain], self.codes[self.steered]
        return next((f for f in range(begin, end) if (plain[f] != steered[f]).any()), None)


def measure(engine: Engine, styles: list[Conditioning], place: int, back: int, chunk: int) -> dict[str, Any]:
    """Steer at frame chunk + place, `back` frames behind the head."""
    slots = [engine.insert(SEED, styles[0]) for _ in range(2)]
    pair = Pair(engine, *slots)
    at = chunk + place
    pair.play(slots, at + back)
    reached = engine.rewind(pair.steered, at) if back else at
    engine.steer(pair.steered, [(reached, styles[1])])
    steps, seconds = pair.play([pair.steered], reached + 1)
    pair.play(slots, reached + back + 8)
    same_before = pair.first_difference(0, reached) is None
    changed = pair.first_difference(reached, reached + 8)
    for slot in slots:
        engine.release(slot)
    return {
        "place_in_chunk": place,
        "frames_back": back,
        "reached": reached == at,
        "same_before": same_before,
        "frames_to_new_style": None if changed is None else changed - reached,
        "to_chunk_end": chunk - place,
        "steps": steps,
        "ms": round(seconds * 1000, 1),
    }


def two_styles(encoder: StyleEncoder) -> list[Conditioning]:
    """Greedy and strongly guided, so that another style is seen in the very first frame even of random weights."""
    embedded = encoder.embed([Prompt(text="calm harp"), Prompt(text="heavy war drums")]).embeddings
    return [
        Conditioning(tuple(map(int, row)), guidance=Guidance(style=7.0), sampling=Sampling(temperature=0.0))
        for row in encoder.quantise(embedded)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mrt1_tiny_noise")
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--chunk", type=int, default=50, help="frames of the model's chunks (default: 50)")
    parser.add_argument("--places", default="0,1,12,25,49", help="frames after a chunk's beginning")
    parser.add_argument("--back", default="0,20", help="frames behind the head at which it is steered")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    backs = [int(back) for back in options.back.split(",")]
    assembly = assemble(options.model, 2, options.device, rewind_frames=max(backs), models_dir=options.models_dir)
    assembly.engine.warm_up()
    styles = two_styles(assembly.style_encoder)
    rows = []
    for place in map(int, options.places.split(",")):
        for back in backs:
            rows.append(measure(assembly.engine, styles, place, back, options.chunk))
            print(json.dumps(rows[-1]), flush=True)
    info = assembly.info
    fine = all(row["same_before"] and row["reached"] and row["frames_to_new_style"] == 0 for row in rows)
    result = {"model": info.model, "device": info.device, "chunk_frames": options.chunk, "runs": rows, "fine": fine}
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("the new style leads from its own frame on" if fine else "NOT as expected")
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
