# SPDX-License-Identifier: Apache-2.0
"""The wire contract only grows: whatever contract.json promises is still there, under its number, of its type.

python tests/proto/test_growth.py --write    # with a release: promise what there is now
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROMISED = Path(__file__).with_name("contract.json")
FILES = sorted((Path(__file__).parents[2] / "proto" / "segue" / "v1").glob("*.proto"))


def contract() -> dict[str, str]:
    """Every method, field and enum value of segue.v1 as a path, and what it is."""
    return {path: what for file in FILES for path, what in _of_file(file.stem)}


def _of_file(stem: str) -> Iterator[tuple[str, str]]:
    described = importlib.import_module(f"segue.v1.{stem}_pb2").DESCRIPTOR
    for service in described.services_by_name.values():
        for method in service.methods:
            answer = ("stream " if method.server_streaming else "") + method.output_type.full_name
            yield f"{service.full_name}/{method.name}", f"{method.input_type.full_name} -> {answer}"
    for enum in described.enum_types_by_name.values():
        yield from _of_enum(enum)
    for message in described.message_types_by_name.values():
        yield from _of_message(message)


def _of_enum(enum: Any) -> Iterator[tuple[str, str]]:
    for value in enum.values:
        yield f"{enum.full_name}#{value.number}", value.name


def _of_message(message: Any) -> Iterator[tuple[str, str]]:
    for field in message.fields:
        named = field.message_type or field.enum_type
        kind = named.full_name if named is not None else f"type {field.type}"
        within = f" in {field.containing_oneof.name}" if field.containing_oneof is not None else ""
        yield f"{message.full_name}#{field.number}", f"{field.name}: {'repeated ' * field.is_repeated}{kind}{within}"
    for enum in message.enum_types:
        yield from _of_enum(enum)
    for nested in message.nested_types:
        yield from _of_message(nested)


def broken(promised: dict[str, str], now: dict[str, str]) -> list[str]:
    """What clients of the promise would stumble over."""
    return [f"{path}: promised {what}, is {now.get(path)}" for path, what in promised.items() if now.get(path) != what]


def test_what_was_promised_is_still_there() -> None:
    assert broken(json.loads(PROMISED.read_text(encoding="utf-8")), contract()) == []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("segue.v1.AudioChunk#4", None),
        ("segue.v1.AudioChunk#4", "samples: type 12"),
        ("segue.v1.AudioChunk#3", "sample_count: type 3"),
        ("segue.v1.Goodbye.Reason#4", "REASON_TOO_SLOW"),
        ("segue.v1.LiveSoundtrackService/StreamAudio", "segue.v1.StreamAudioRequest -> segue.v1.StreamAudioResponse"),
    ],
)
def test_what_breaks_clients_is_found(path: str, change: str | None) -> None:
    now = contract()
    assert path in now
    changed = {**now, **({} if change is None else {path: change})}
    if change is None:
        del changed[path]
    (said,) = broken(now, changed)
    assert said.startswith(f"{path}: promised ")
    assert broken(now, {**now, "segue.v1.AudioChunk#99": "new: type 9"}) == []


if __name__ == "__main__" and "--write" in sys.argv:
    PROMISED.write_text(json.dumps(contract(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
