# SPDX-License-Identifier: Apache-2.0
"""Every RPC that the wire contract has, and messages of any type with anything in them, by their descriptors."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import segue.v1
from fuzzing.chance import Chance

_DEEPEST: Final = 4
_RANGES: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: (-1, 9),
}


@cache
def every_method() -> tuple[MethodDescriptor, ...]:
    """Every method of every service of segue.v1, as the stubs have them."""
    found: list[MethodDescriptor] = []
    for module in pkgutil.iter_modules(segue.v1.__path__, "segue.v1."):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(module.name).DESCRIPTOR
            found += [method for service in file.services_by_name.values() for method in service.methods]
    return tuple(found)


def path_of(method: MethodDescriptor) -> str:
    """As in HTTP."""
    return f"/{method.containing_service.full_name}/{method.name}"


def message(
    chance: Chance, descriptor: Descriptor, words: Sequence[str], session: str | None, depth: int = 0
) -> Message:
    """A message of this type, any fields set. words: names that mean something; session: what session_id is, mostly."""
    made: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.name == "session_id" and session is not None and not chance.once_in(12):
            setattr(made, field.name, session)
            continue
        if chance.once_in(2) and field.name not in ("control", "session_id"):
            continue
        if field.message_type is not None and depth >= _DEEPEST:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            pairs = ((chance.text(70), chance.text(80)) for _ in range(chance.size(20)))
            getattr(made, field.name).update(pairs)
        elif field.is_repeated:
            for _ in range(chance.size(40) if chance.once_in(8) else chance.size(3)):
                _add(getattr(made, field.name), _value(chance, field, words, session, depth), field)
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(_value(chance, field, words, session, depth))
        else:
            setattr(made, field.name, _value(chance, field, words, session, depth))
    return made


def _add(values: Any, value: Any, field: FieldDescriptor) -> None:
    if field.message_type is not None:
        values.add().CopyFrom(value)
    else:
        values.append(value)


def _value(chance: Chance, field: FieldDescriptor, words: Sequence[str], session: str | None, depth: int) -> Any:
    if field.message_type is not None:
        return message(chance, field.message_type, words, session, depth + 1)
    kind, is_wild = field.type, not chance.is_mild or chance.once_in(12)
    if kind == FieldDescriptor.TYPE_STRING:
        if not is_wild and words and not chance.once_in(6):
            return chance.choice(words)
        return chance.text(100_000 if is_wild and chance.once_in(100) else 80, words)
    if kind == FieldDescriptor.TYPE_BYTES:
        return chance.noise(100_000 if is_wild and chance.once_in(50) else 200)
    if kind == FieldDescriptor.TYPE_BOOL:
        return chance.once_in(2)
    if kind in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return chance.real() if is_wild else chance.random()
    low, high = _RANGES.get(kind, (0, 2**31 - 1))
    if is_wild and chance.once_in(2):
        return chance.whole(low, high)
    return chance.randrange(max(low, 0), min(high, chance.of(3, 400, 5_000)) + 1)
