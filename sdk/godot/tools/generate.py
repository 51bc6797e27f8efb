# SPDX-License-Identifier: Apache-2.0
"""The messages of LiveSoundtrackService as a table in GDScript, from the Python stubs' descriptors.

    .venv/bin/python sdk/godot/tools/generate.py            # writes addons/segue/core/wire/schema.gd
    .venv/bin/python sdk/godot/tools/generate.py --check    # exit 1 if it is not what this would write

The table's keys are protobuf's tags, so that a decoder needs one look-up per field.
"""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.rpc import error_details_pb2, status_pb2

from segue.v1 import errors_pb2
from segue.v1 import live_soundtrack_service_pb2 as live

SCHEMA = Path(__file__).resolve().parents[1] / "addons" / "segue" / "core" / "wire" / "schema.gd"
DETAILS = (
    *(error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo, status_pb2.Status),
    *(errors_pb2.UnknownName, errors_pb2.SoundtrackProblems),
)
ONEOFS = """}

## Message → oneof → its members: setting one takes the others away.
const ONEOFS: Dictionary = {
"""
KINDS = {  # protobuf's type → our kind and wire type
    FieldDescriptor.TYPE_INT32: ("INT32", 0),
    FieldDescriptor.TYPE_ENUM: ("INT32", 0),
    FieldDescriptor.TYPE_INT64: ("INT64", 0),
    FieldDescriptor.TYPE_BOOL: ("BOOL", 0),
    FieldDescriptor.TYPE_FLOAT: ("FLOAT", 5),
    FieldDescriptor.TYPE_DOUBLE: ("DOUBLE", 1),
    FieldDescriptor.TYPE_STRING: ("STRING", 2),
    FieldDescriptor.TYPE_BYTES: ("BYTES", 2),
    FieldDescriptor.TYPE_MESSAGE: ("MESSAGE", 2),
}
KIND_NAMES = ("INT32", "INT64", "BOOL", "FLOAT", "DOUBLE", "STRING", "BYTES", "MESSAGE")
PRESENCES = ("IMPLICIT", "EXPLICIT", "REPEATED", "UNPACKED", "MAP")
BYTES_KIND = 2
WIDTH = 120
HEAD = """# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The messages of LiveSoundtrackService. Made by tools/generate.py from the wire contract; not to be edited.

## Kinds of values; enums are INT32.
enum Kind {{ {kinds} }}
## How often a field is there. IMPLICIT: absent means its default. UNPACKED: a repeated number's other form, only read.
enum Presence {{ {labels} }}
"""
TABLE = """
## Message → tag (number · 8 + wire type) → [name, Kind, Presence, message, oneof]. Read only.
const MESSAGES: Dictionary = {
"""


def enum_text(enum: EnumDescriptor) -> str:
    """An enum whose values are without the prefix that protobuf wants."""
    snake = "".join("_" + c if c.isupper() else c for c in enum.name).upper().strip("_") + "_"
    values = [f"{value.name.removeprefix(snake)} = {value.number}" for value in enum.values]
    name = (enum.containing_type.name if enum.containing_type else "") + enum.name
    line = f"enum {name} {{ {', '.join(values)} }}"
    if len(line) <= WIDTH:
        return line + "\n"
    return f"enum {name} {{\n" + "".join(f"\t{value},\n" for value in values) + "}\n"


def entries(field: FieldDescriptor) -> list[str]:
    """The lines of one field: a repeated number has two tags."""
    kind, wire = KINDS[field.type]
    message, oneof, label = "", "", "IMPLICIT"
    is_map = False
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        is_map = True
        types = [entry.type for entry in field.message_type.fields]
        if types != [FieldDescriptor.TYPE_STRING] * 2:
            raise SystemExit(f"{field.full_name}: expected a map of strings to strings; codec.gd knows no other")
        label = "MAP"
    elif field.is_repeated:
        label = "REPEATED"
    elif field.containing_oneof is not None or kind == "MESSAGE":
        label = "EXPLICIT"
    if field.message_type is not None and not is_map:
        message = field.message_type.name
    if field.containing_oneof is not None and len(field.containing_oneof.fields) > 1:
        oneof = field.containing_oneof.name  # one with a single member is an `optional`

    def entry(wire: int, label: str) -> str:
        row = f'["{field.name}", {KIND_NAMES.index(kind)}, {PRESENCES.index(label)}, &"{message}", "{oneof}"]'
        return f"{field.number << 3 | wire}: {row}"

    if label == "REPEATED" and wire != BYTES_KIND:
        return [entry(BYTES_KIND, label), entry(wire, "UNPACKED")]
    return [entry(wire, label)]


def message_text(message: Descriptor) -> str:
    """A message as gdformat has it: in one line where it fits."""
    lines = [line for field in sorted(message.fields, key=lambda f: f.number) for line in entries(field)]
    one = f'\t&"{message.name}": {{{", ".join(lines)}}},'
    if len(one) + 3 <= WIDTH:  # a tab counts four
        return one + "\n"
    return f'\t&"{message.name}":\n\t{{\n' + "".join(f"\t\t{line},\n" for line in lines) + "\t},\n"


def oneof_text(message: Descriptor) -> str:
    """A message's oneofs that are more than an `optional`."""
    text = ""
    for oneof in (o for o in message.oneofs if len(o.fields) > 1):
        names = [f'"{field.name}"' for field in oneof.fields]
        one = f'\t&"{message.name}": {{"{oneof.name}": [{", ".join(names)}]}},'
        if len(one) + 3 <= WIDTH:
            text += one + "\n"
        else:
            text += f'\t&"{message.name}":\n\t{{\n\t\t"{oneof.name}":\n\t\t[\n'
            text += "".join(f"\t\t\t{name},\n" for name in names) + "\t\t]\n\t},\n"
    return text


def reachable() -> list[Descriptor | EnumDescriptor]:
    """What the service's calls and the error details are made of."""
    service = live.DESCRIPTOR.services_by_name["LiveSoundtrackService"]
    roots = [d for m in service.methods for d in (m.input_type, m.output_type)]
    roots += [detail.DESCRIPTOR for detail in DETAILS]
    found: dict[str, Descriptor | EnumDescriptor] = {}

    def add(message: Descriptor) -> None:
        if message.full_name in found or message.GetOptions().map_entry:
            return
        found[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None:
                add(field.message_type)
            if field.enum_type is not None:
                found[field.enum_type.full_name] = field.enum_type

    for root in roots:
        add(root)
    return sorted(found.values(), key=lambda d: d.full_name)


def text() -> str:
    """All of schema.gd."""
    found = reachable()
    messages = [d for d in found if isinstance(d, Descriptor)]
    if len({m.name for m in messages}) != len(messages):
        raise SystemExit("two messages have one name; codec.gd knows them by it")
    written = HEAD.format(kinds=", ".join(KIND_NAMES), labels=", ".join(PRESENCES))
    written += "".join(enum_text(d) for d in found if isinstance(d, EnumDescriptor))
    return (
        written
        + TABLE
        + "".join(message_text(m) for m in messages)
        + ONEOFS
        + "".join(oneof_text(m) for m in messages)
        + "}\n"
    )


def main() -> int:
    made = text()
    is_stale = not SCHEMA.exists() or SCHEMA.read_text(encoding="utf-8") != made
    check = "--check" in sys.argv
    if is_stale and not check:
        SCHEMA.write_text(made, encoding="utf-8")
    print(f"{SCHEMA.name} {'is stale' if check else 'written'}" if is_stale else "up to date")
    return 1 if is_stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
