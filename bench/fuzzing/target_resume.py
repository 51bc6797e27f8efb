# SPDX-License-Identifier: Apache-2.0
"""What clients return: resume points that were changed, cut, or signed by somebody who has the key and no mercy, and
continuation bytes."""

from __future__ import annotations

from typing import Any, Final

import grpc

from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.subject import LIVE, TOKEN, Subject
from segue.v1 import live_soundtrack_service_pb2 as live
from segue_service.session.resume_point import digest_of

NAME: Final = "resume"
_KINDS: Final = ("noise", "flipped", "cut", "signed", "signed", "signed", "pieces", "pieces", "sample", "prefill")


def draw(chance: Chance, subject: Subject, number: int) -> Case:
    """A CreateSessionRequest."""
    kind = chance.choice(_KINDS)
    pieces = chance.sample(subject.pieces, chance.randrange(min(8, len(subject.pieces)) + 1))
    if kind in ("pieces", "prefill"):
        pieces = list(subject.pieces) if chance.once_in(2) else pieces
        pieces = [piece if chance.once_in(2) else _piece(chance, piece) for piece in pieces]
    if kind == "prefill":
        return Case(NAME, kind, live.CreateSessionRequest(soundtrack_id="dungeon", prefill=pieces).SerializeToString())
    content = dict(chance.choice(subject.points))
    content |= {"session": f"s-{chance.getrandbits(64):016x}", "digest": digest_of(TOKEN)}
    if kind == "signed":
        content = _twisted(chance, content, subject)
    token = subject.signed(content)
    if kind == "noise":
        token = chance.noise(3000)
    elif kind == "flipped":
        token = chance.mangled(token)
    elif kind == "cut":
        token = token[: chance.randrange(len(token))]
    resume = live.ResumeRequest(token=token, from_sample=subject.sample, continuation=pieces)
    if kind == "sample" or chance.once_in(8):
        resume.from_sample = chance.of(
            subject.sample + chance.whole(-(2**21), 2**25), chance.whole(-(2**63), 2**63 - 1)
        )
    if not chance.once_in(3):
        resume.session_token = TOKEN
    return Case(NAME, kind, live.CreateSessionRequest(resume=resume, paused=chance.once_in(9)).SerializeToString())


async def send(case: Case, subject: Subject) -> str | None:
    """What goes wrong, then or while what was brought back plays."""
    answer = await subject.call(LIVE + "CreateSession", case.data)
    if answer.fault is not None or answer.code is not grpc.StatusCode.OK:
        return answer.fault
    paused = live.CreateSessionRequest.FromString(case.data).paused
    return await subject.played(answer.messages[0], is_paused=paused)


def _piece(chance: Chance, piece: bytes) -> bytes:
    """Continuation bytes whose header and codes need not be true."""
    return chance.mangled(piece) if chance.once_in(2) else piece[:15] + chance.randbytes(max(0, len(piece) - 15))


def _twisted(chance: Chance, content: dict[str, Any], subject: Subject) -> Any:
    """Any change, more often one within the machine's memory or what it plays under than one of the outer form."""
    part = chance.of(None, "machine", "machine", "under", "override")
    if part is None or content.get(part) is None:
        if part == "override":
            codes = [chance.whole(-(2**40), 2**40) if chance.once_in(3) else 5 for _ in range(chance.size(14))]
            return {**content, "override": [codes, chance.of(None, 1.0, chance.real())]}
        return chance.nudged(content, 2) if chance.once_in(2) else chance.twisted(content, subject.words, changes=2)
    if chance.once_in(2):
        return {**content, part: chance.nudged(content[part], changes=2)}
    return {**content, part: chance.twisted(content[part], subject.words, changes=2)}
