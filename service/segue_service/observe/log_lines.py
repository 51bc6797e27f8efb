# SPDX-License-Identifier: Apache-2.0
"""Lines of a session's log: an engine's records as JSON objects, and back to the very same records."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import Conditioning, Guidance, Past, Sampling, SlotHandle
from segue_engine.journal import (
    Began,
    Ended,
    Faulted,
    Listened,
    MadeBy,
    Record,
    Restored,
    Steered,
    TookIn,
    WentBack,
    Window,
)

Line = dict[str, Any]
_NOTES: Final = "-0123"
"""Of MASKED, NOTE_OFF, NOTE_HELD, NOTE_ONSET, NOTE_ON."""


@dataclass(frozen=True, slots=True)
class Heard(Record):
    """Frames [first, at) of the slot as they were handed over: `crc` is CRC-32 of their PCM, little-endian int16."""

    first: int
    crc: str


def crc_of(pcm: NDArray[np.int16], before: int = 0) -> int:
    """CRC-32 of what went before and these samples."""
    return zlib.crc32(np.ascontiguousarray(pcm, "<i2").data, before)


def line_of(record: Record) -> Line:
    """The record as a JSON object, all but whose it is."""
    match record:
        case Began():
            line: Line = {"what": "began", "seed": record.seed, "under": _conditioning_line(record.conditioning)}
            if len(record.history):
                line["history"] = {"frames": len(record.history), "codes": _packed(record.history)}
            if record.past.conditionings:
                line["past"] = _plan_line(record.past.conditionings)
            if record.past.loudness is not None:
                line["loudness"] = [float(value) for value in record.past.loudness]
            return line
        case Steered():
            return {"what": "steered", "at": record.at, "plan": _plan_line(record.plan)}
        case TookIn():
            return {"what": "took_in", "count": record.count, "sounded": record.sounded}
        case Listened():
            windows = {"began": list(record.began), "landed": list(record.landed)}
            return {"what": "listened", "at": record.at, "pass": record.number, **windows}
        case MadeBy():
            return {"what": "made_by", "at": record.at, "window": list(record.window), "guided": record.guided}
        case WentBack():
            return {"what": "went_back", "at": record.at, "reached": record.reached, "copied": record.copied}
        case Faulted():
            return {"what": "faulted", "at": record.at}
        case Restored():
            return {"what": "restored", "at": record.at}
        case Heard():
            return {"what": "heard", "at": record.at, "first": record.first, "crc": record.crc}
        case Ended():
            return {"what": "ended", "at": record.at}
        case _:
            raise TypeError(f"expected a record of an engine's journal, got {type(record).__name__}")


def record_of(line: Mapping[str, Any], slot: SlotHandle) -> Record | None:
    """The record that `line_of` made the line of; None for a line of another kind. Raises ValueError."""
    try:
        return _record_of(line, slot)
    except (KeyError, TypeError, IndexError, AttributeError, binascii.Error, zlib.error) as error:
        raise ValueError(f"{line.get('what')}: {type(error).__name__} {error}") from None


def _record_of(line: Mapping[str, Any], slot: SlotHandle) -> Record | None:
    at = line.get("at", 0)
    match line["what"]:
        case "began":
            past = Past(_plan_of(line.get("past", ())), tuple(line["loudness"]) if "loudness" in line else None)
            history = line.get("history")
            codes = np.zeros((0, 0), np.int32) if history is None else _unpacked(history["codes"], history["frames"])
            return Began(slot, 0, line["seed"], _conditioning_of(line["under"]), codes, past)
        case "steered":
            return Steered(slot, at, _plan_of(line["plan"]))
        case "took_in":
            return TookIn(slot, 0, line["count"], line["sounded"])
        case "listened":
            return Listened(slot, at, line["pass"], Window(*line["began"]), Window(*line["landed"]))
        case "made_by":
            return MadeBy(slot, at, Window(*line["window"]), line["guided"])
        case "went_back":
            return WentBack(slot, at, line["reached"], line["copied"])
        case "faulted":
            return Faulted(slot, at)
        case "restored":
            return Restored(slot, at)
        case "heard":
            return Heard(slot, at, line["first"], line["crc"])
        case "ended":
            return Ended(slot, at)
    return None


def _conditioning_line(conditioning: Conditioning) -> Line:
    """Only what differs from a plain one."""
    line: Line = {}
    if conditioning.style_codes:
        line["style"] = [int(code) for code in conditioning.style_codes]
    if conditioning.notes is not None:
        line["notes"] = "".join(_NOTES[value + 1] for value in conditioning.notes)
    if conditioning.drums != Conditioning().drums:
        line["drums"] = int(conditioning.drums)
    if conditioning.guidance != Guidance():
        line["guidance"] = [float(value) for value in asdict(conditioning.guidance).values()]
    line["levels"] = [float(conditioning.gain_db), float(conditioning.true_peak_dbtp)]
    sampling = conditioning.sampling
    if sampling != Sampling():
        given = {"temperature": sampling.temperature, "top_k": sampling.top_k, "min_p": sampling.min_p}
        line["sampling"] = {name: value for name, value in given.items() if value is not None}
    return line


def _conditioning_of(line: Mapping[str, Any]) -> Conditioning:
    notes = line.get("notes")
    return Conditioning(
        style_codes=tuple(line.get("style", ())),
        notes=None if notes is None else tuple(_NOTES.index(letter) - 1 for letter in notes),
        drums=line.get("drums", Conditioning().drums),
        guidance=Guidance(*line.get("guidance", ())),
        gain_db=line["levels"][0],
        true_peak_dbtp=line["levels"][1],
        sampling=Sampling(**line.get("sampling", {})),
    )


def _plan_line(plan: tuple[tuple[int, Conditioning], ...]) -> list[list[Any]]:
    return [[int(frame), _conditioning_line(conditioning)] for frame, conditioning in plan]


def _plan_of(line: Any) -> tuple[tuple[int, Conditioning], ...]:
    return tuple((frame, _conditioning_of(conditioning)) for frame, conditioning in line)


def _packed(codes: NDArray[np.int32]) -> str:
    return base64.b64encode(zlib.compress(codes.astype("<i2").tobytes())).decode()


def _unpacked(text: str, frames: int) -> NDArray[np.int32]:
    flat = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i2")
    return flat.reshape(frames, -1).astype(np.int32)
