# SPDX-License-Identifier: Apache-2.0
"""codec.json: bytes of every message that LiveSoundtrackService sends or takes, and what decoders must put up with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from making.plain import fields_of, varint
from segue.v1 import audio_pb2, errors_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as live

_OR_TAKEN = ("groups too deep", "a string that is not UTF-8")
"""Where a decoder may also go on: with what it makes of the string, or without recursion."""
SERVICE = live.DESCRIPTOR.services_by_name["LiveSoundtrackService"]
_F = FieldDescriptor
_LOW: dict[int, Any] = {
    _F.CPPTYPE_INT32: -(2**31),
    _F.CPPTYPE_INT64: -(2**63),
    _F.CPPTYPE_BOOL: True,
    _F.CPPTYPE_DOUBLE: -1.7976931348623157e308,
    _F.CPPTYPE_FLOAT: -1.5,
}
_HIGH: dict[int, Any] = {
    _F.CPPTYPE_INT32: 2**31 - 1,
    _F.CPPTYPE_INT64: 2**63 - 1,
    _F.CPPTYPE_BOOL: True,
    _F.CPPTYPE_DOUBLE: 5e-324,
    _F.CPPTYPE_FLOAT: 0.1,
}
_ZERO: dict[int, Any] = {
    _F.CPPTYPE_INT32: 0,
    _F.CPPTYPE_INT64: 0,
    _F.CPPTYPE_BOOL: False,
    _F.CPPTYPE_DOUBLE: 0.0,
    _F.CPPTYPE_FLOAT: 0.0,
    _F.CPPTYPE_STRING: "",
    _F.CPPTYPE_ENUM: 0,
}


def make() -> dict[str, Any]:
    """The file."""
    cases = [
        {
            "message": message.DESCRIPTOR.full_name,
            "case": case,
            "hex": _bytes(message).hex(),
            "fields": fields_of(message),
        }
        for descriptor in _messages()
        for case, message in _cases(descriptor)
    ]
    methods = [
        {
            "path": f"/{SERVICE.full_name}/{method.name}",
            "request": method.input_type.full_name,
            "response": method.output_type.full_name,
            "streams": method.server_streaming,
        }
        for method in SERVICE.methods
    ]
    return {"methods": methods, "messages": cases, "decode_only": list(_unusual()), "malformed": list(_malformed())}


def _messages() -> list[Any]:
    """Requests and responses, then details of errors."""
    found = [kind for method in SERVICE.methods for kind in (method.input_type, method.output_type)]
    return [*found, errors_pb2.UnknownName.DESCRIPTOR, errors_pb2.SoundtrackProblems.DESCRIPTOR]


def _cases(descriptor: Any) -> Iterator[tuple[str, Message]]:
    made = GetMessageClass(descriptor)
    yield "empty", made()
    seen: set[bytes] = {b""}
    choices = 1 + max(_choices(descriptor), default=0)
    for number in range(choices):
        for case, values in (("ordinary", None), ("low", _LOW), ("high", _HIGH)):
            message = made()
            _fill(message, number, values)
            if _bytes(message) not in seen:  # one member of a oneof after the other; the rest need not be repeated
                seen.add(_bytes(message))
                yield f"{case} {number}" if number else case, message
    zero = made()
    _zero(zero)
    if _bytes(zero) not in seen:
        yield "present and zero", zero


def _choices(descriptor: Any) -> Iterator[int]:
    """The highest index of a member of every oneof in the message or below."""
    for oneof in _oneofs(descriptor):
        yield len(oneof) - 1
    for field in descriptor.fields:
        if field.message_type is not None and not _is_map(field):
            yield from _choices(field.message_type)


def _oneofs(descriptor: Any) -> list[list[Any]]:
    return [list(oneof.fields) for oneof in descriptor.oneofs if len(oneof.fields) > 1]


def _fill(message: Message, choice: int, values: dict[int, Any] | None) -> None:
    """Set every field; of a oneof the member that `choice` falls on."""
    left_out = {
        member.number
        for members in _oneofs(message.DESCRIPTOR)
        for place, member in enumerate(members)
        if place != choice % len(members)
    }
    for field in message.DESCRIPTOR.fields:
        if field.number in left_out:
            continue
        if _is_map(field):
            held = getattr(message, field.name)
            for key, value in (("zone", "crypt"), ("", ""), ("Zoë", "a\x00b")):
                held[key] = value
        elif field.is_repeated and field.message_type is not None:
            for place in range(2):
                _fill(getattr(message, field.name).add(), choice + place, values)
        elif field.is_repeated:
            getattr(message, field.name).extend(_value(field, values, place) for place in range(3))
        elif field.message_type is not None:
            below = getattr(message, field.name)
            below.SetInParent()
            _fill(below, choice, values)
        else:
            setattr(message, field.name, _value(field, values, 1))


def _zero(message: Message) -> None:
    """Set what knows whether it is there, and to nothing."""
    field: Any
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            continue
        if field.message_type is not None:
            if field.containing_oneof is None:
                getattr(message, field.name).SetInParent()
                _zero(getattr(message, field.name))
        elif field.has_presence and len(field.containing_oneof.fields) == 1:
            setattr(message, field.name, _ZERO[field.cpp_type])


def _value(field: Any, values: dict[int, Any] | None, place: int) -> Any:
    """A value for a field without message; place: which of several."""
    if field.enum_type is not None:
        numbers = [value.number for value in field.enum_type.values]
        if values is None:
            return numbers[place % len(numbers)]
        return numbers[-1] if values is _HIGH else 4242  # of a later version of the contract
    if field.cpp_type == _F.CPPTYPE_STRING:
        return _text(field, values, place)
    if values is not None:
        return values[field.cpp_type]
    ordinary = {_F.CPPTYPE_INT32: 7 * field.number + place, _F.CPPTYPE_INT64: 1_920_000 * field.number + place}
    exact = {_F.CPPTYPE_BOOL: True, _F.CPPTYPE_DOUBLE: field.number + 0.1, _F.CPPTYPE_FLOAT: field.number / 8 + place}
    return (ordinary | exact)[field.cpp_type]


def _text(field: Any, values: dict[int, Any] | None, place: int) -> str | bytes:
    if field.type == _F.TYPE_BYTES:
        return [b"", bytes([0, 1, 127, 128, 255]), b"\x0a" * 130][place if values is None else 2]
    if values is _LOW:
        return ["", "Größe — 音楽 🎵", "\x00\x7f"][place]
    return ["", f"{field.name}-{place}", "x" * 130][place if values is None else 2]


def _unusual() -> Iterator[dict[str, Any]]:
    """Bytes that no encoder of ours makes and every decoder must take."""
    outcome = live.PostEventResponse()
    outcome.outcome.request_id, outcome.outcome.audible_at_sample, outcome.outcome.take = "r-1", 96_000, 3
    inner = outcome.outcome.SerializeToString(deterministic=True)
    strange = (
        varint(1000 << 3 | 0) + varint(2**64 - 1),
        varint(1001 << 3 | 1) + bytes(8),
        varint(1002 << 3 | 2) + varint(3) + b"\xff\xfe\xfd",
        varint(1003 << 3 | 5) + bytes(4),
        varint(1004 << 3 | 3) + varint(1 << 3 | 0) + varint(5) + varint(1004 << 3 | 4),
    )
    for number, field in enumerate(strange):
        name = ("varint", "64 bits", "bytes", "32 bits", "group")[number]
        yield _taken(f"unknown field before and after: {name}", outcome, field + _held(1, inner) + field)
        yield _taken(f"unknown field inside: {name}", outcome, _held(1, inner + field))
    yield _taken(
        "a known number with another wire type is an unknown field", outcome, _held(1, inner + b"\x0d" + bytes(4))
    )
    yield _taken("fields in another order", outcome, _held(1, b"\x20\x80\xee\x05\x18\x03\x0a\x03r-1"))
    yield _taken("a field twice: the last wins", outcome, _held(1, b"\x18\x09" + inner))
    yield _taken("a message twice: they are merged", outcome, _held(1, b"\x18\x09\x0a\x03r-1") + _held(1, inner))
    yield _taken(
        "varints longer than they need be", outcome, b"\x8a\x00\x8e\x00\x0a\x03r-1\x18\x83\x80\x00\x20\x80\xee\x85\x00"
    )
    yield _taken("zeros that are spelled out", outcome, _held(1, inner + b"\x10\x00\x2a\x00\x30\x00\x38\x00\x4a\x00"))
    chunk = audio_pb2.AudioChunk(first_sample=-1, sample_count=-5, payload=b"")
    yield _taken("negative int32 in ten bytes", chunk, b"\x10" + varint(2**64 - 1) + b"\x18" + varint(2**64 - 5))
    yield _taken("negative int32 in five bytes", chunk, b"\x10" + varint(2**64 - 1) + b"\x18" + varint(2**32 - 5))
    yield _taken(
        "an int32 of more than 32 bits keeps the low ones", audio_pb2.AudioChunk(take=1), b"\x08" + varint(2**32 + 1)
    )
    yield _taken("a bool of more than one", session_pb2.Session(in_transition=True), b"\x40\x02")
    info = live.GetServerInfoResponse(encodings=[*audio_pb2.AudioEncoding.values()[1:3], audio_pb2.AUDIO_ENCODING_QOA])
    yield _taken("repeated numbers packed", info, b"\x2a\x03\x01\x02\x04")
    yield _taken("repeated numbers one by one", info, b"\x28\x01\x28\x02\x28\x04")
    yield _taken("repeated numbers in two packs and one by one", info, b"\x2a\x01\x01\x28\x02\x2a\x01\x04")
    event = stream_pb2.Event(sample=480, beat=stream_pb2.Beat(beat=2, bar=1))
    yield _taken(
        "two members of a oneof: the last wins", event, b"\x08\xe0\x03\x42\x02\x08\x09\x3a\x04\x08\x02\x10\x01"
    )
    later = stream_pb2.Event(sample=480)
    yield _taken("an event of a later version", later, b"\x08\xe0\x03\xfa\x02\x02\x08\x01")
    yield _taken("a message of a later version", live.StreamAudioResponse(), b"\xfa\x01\x02\x08\x01")
    labelled = session_pb2.Session(labels={"": "v", "k": ""})
    yield _taken("map entries without key, without value", labelled, b"\x8a\x01\x03\x12\x01v\x8a\x01\x03\x0a\x01k")
    twice = session_pb2.Session(labels={"k": "new"})
    entries = b"\x8a\x01\x08\x0a\x01k\x12\x03old\x8a\x01\x08\x12\x03new\x0a\x01k"
    yield _taken("a map key twice: the last wins; value before key", twice, entries)


def _taken(case: str, expected: Message, data: bytes) -> dict[str, Any]:
    parsed = type(expected).FromString(data)
    parsed.DiscardUnknownFields()
    if parsed != expected:
        raise AssertionError(f"{case}: protobuf reads {parsed!r}, expected {expected!r}")
    return {"message": expected.DESCRIPTOR.full_name, "case": case, "hex": data.hex(), "fields": fields_of(expected)}


def _malformed() -> Iterator[dict[str, Any]]:
    """Bytes of an AudioChunk that must be refused."""
    cases = {
        "a varint that does not end": b"\x08\x80",
        "a varint of eleven bytes": b"\x08" + b"\x80" * 10 + b"\x01",
        "a tag without a value": b"\x10",
        "a tag that does not end": b"\x88",
        "bytes that are longer than the rest": b"\x22\x05abc",
        "bytes of a length beyond memory": b"\x22\xff\xff\xff\xff\x07a",
        "bytes of a negative length": b"\x22" + varint(2**64 - 1) + b"a",
        "bytes whose length does not end": b"\x22\xff",
        "field number 0": b"\x00\x01",
        "wire type 6": b"\x0e\x01",
        "wire type 7": b"\x0f\x01",
        "an end of a group that did not begin": b"\x0c",
        "a group that does not end": varint(1004 << 3 | 3) + b"\x08\x05",
        "a group that ends as another": varint(1004 << 3 | 3) + varint(1005 << 3 | 4),
        "64 bits cut short": varint(1001 << 3 | 1) + bytes(7),
        "32 bits cut short": varint(1003 << 3 | 5) + bytes(3),
        "groups too deep": varint(1004 << 3 | 3) * 200 + varint(1004 << 3 | 4) * 200,
        "a field number beyond 2^29 - 1": varint(2**29 << 3 | 0) + b"\x01",
    }
    for case, data in cases.items():
        yield _refused(case, audio_pb2.AudioChunk.DESCRIPTOR, data)
    beat = stream_pb2.Event.DESCRIPTOR
    yield _refused("a message inside that is cut short", beat, b"\x3a\x02\x08\x80")
    yield _refused("a message inside that is longer than the rest", beat, b"\x3a\x05\x08\x01")
    yield _refused("a string that is not UTF-8", errors_pb2.UnknownName.DESCRIPTOR, b"\x0a\x02\xc3\x28")


def _refused(case: str, descriptor: Any, data: bytes) -> dict[str, Any]:
    case_of: dict[str, Any] = {"message": descriptor.full_name, "case": case, "hex": data.hex()}
    return case_of | ({"or_taken": True} if case in _OR_TAKEN else {})


def _held(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
