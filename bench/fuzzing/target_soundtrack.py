# SPDX-License-Identifier: Apache-2.0
"""Soundtracks: a server checks them, keeps and plays those that are none too bad; the schema is asked for its view."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

import grpc
import jsonschema

from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.subject import AUTHORING, LIVE, OPERATOR_TOKEN, Subject, bearer
from fuzzing.texts import renamed, soundtrack
from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.soundtrack import SoundtrackError, json_schema, load_built, parse_soundtrack
from segue_service.soundtrack.build import build
from segue_service.soundtrack.document import read_yaml

NAME: Final = "soundtrack"
_KEPT: Final = 32
"""Names that soundtracks are kept under: a server has no call that forgets one."""


def draw(chance: Chance, subject: Subject, number: int) -> Case:
    """A text."""
    kind, text = soundtrack(chance)
    syntax = chance.of(0, 0, 1, 2) if kind != "noise" else chance.whole(-2, 9)
    options = {"syntax": syntax, "name": f"fuzzed_{number % _KEPT}"}
    return Case(NAME, kind, text.encode("utf-8", "replace"), options)


async def send(case: Case, subject: Subject) -> str | None:
    """What goes wrong: in the check, in a session that plays it, between server, parser and schema."""
    text = case.data.decode("utf-8", "replace")
    asked = authoring.ValidateSoundtrackRequest(text=text, syntax=case.options["syntax"])
    answer = await subject.call(AUTHORING + "ValidateSoundtrack", asked.SerializeToString(), bearer(OPERATOR_TOKEN))
    if answer.fault is not None or answer.code is not grpc.StatusCode.OK:
        return answer.fault
    found = authoring.ValidateSoundtrackResponse.FromString(answer.messages[0])
    if not found.valid:
        return None if found.problems else "refused without a problem"
    return disagreement(text, found.compiled_json) or await _kept(renamed(text, case.options["name"]), subject)


def disagreement(text: str, compiled: str) -> str | None:
    """How a text that a server has taken does not fit its built form, or the schema by which editors judge it."""
    began = time.perf_counter()
    try:
        whole = load_built(compiled)
        if build(whole) != compiled:
            return "its built form, read and built again, is another one"
        document = read_yaml(text, "x")
        if isinstance(document.data, dict) and set(document.data) == {"format", "hash", "document"}:
            return None
        if parse_soundtrack(text) != whole:
            return "the text and its built form are not the same soundtrack"
        for error in _validator().iter_errors(document.data):
            return f"the schema refuses what the parser takes: {error.json_path}: {error.message[:200]}"
    except SoundtrackError as error:
        # Built forms are JSON, of which YAML has stricter bounds.
        return None if text.lstrip().startswith("{") else f"the server has taken what is refused here: {error}"
    spent = time.perf_counter() - began
    return f"it takes {spent:.0f} s to read and check again" if spent > 20 else None


async def _kept(text: str | None, subject: Subject) -> str | None:
    if text is None:
        return None
    asked = authoring.UploadSoundtrackRequest(text=text, syntax=authoring.SOUNDTRACK_SYNTAX_YAML, replace=True)
    answer = await subject.call(AUTHORING + "UploadSoundtrack", asked.SerializeToString(), bearer(OPERATOR_TOKEN))
    if answer.fault is not None or answer.code is not grpc.StatusCode.OK:
        return None if answer.fault is None else f"UploadSoundtrack: {answer.fault}"
    kept = authoring.UploadSoundtrackResponse.FromString(answer.messages[0]).soundtrack
    create = live.CreateSessionRequest(soundtrack_id=kept.soundtrack_id, soundtrack_version=kept.version, seed=1)
    answer = await subject.call(LIVE + "CreateSession", create.SerializeToString())
    if answer.fault is not None or answer.code is not grpc.StatusCode.OK:
        return None if answer.fault is None else f"CreateSession: {answer.fault}"
    created = live.CreateSessionResponse.FromString(answer.messages[0])
    session, token = created.session.session_id, bearer(created.session_token)
    calls: list[tuple[str, Any]] = [("PostEvent", live.PostEventRequest(event=event)) for event in kept.events[:6]]
    calls += [("SetState", live.SetStateRequest(state=state)) for state in kept.states[:4]]
    calls += [("PostTrigger", live.PostTriggerRequest(trigger=stinger)) for stinger in kept.stingers[:3]]
    for parameter in kept.parameters[:4]:
        change = live.SetParametersRequest()
        change.parameters.values.add(name=parameter.name, value=parameter.maximum)
        calls.append(("SetParameters", change))
    for name, request in calls:
        request.control.session_id = session
        answer = await subject.call(LIVE + name, request.SerializeToString(), token)
        if answer.fault is not None:
            return f"then {name}: {answer.fault}"
    return await subject.played(created.SerializeToString())


@cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())
