# SPDX-License-Identifier: Apache-2.0
"""The Python SDK, the stubs and the service's framing against the vectors that every SDK has to pass."""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from making.plain import fields_of
from reader import BrokenError, Reader, by_head, told

from segue import Block, NewestTakes, PlaybackBuffer
from segue.decoding import decoder_of
from segue.errors import SegueError, StreamEnded, translate
from segue.keeping import Keeper
from segue.lead import LeadHolder, playback_rate
from segue.reception import Reception, mend
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_service.api.web.frames import Wire, timeout_of, wire_of

HERE = Path(__file__).resolve().parent
ENCODINGS = {
    audio_pb2.AUDIO_ENCODING_S16: "s16",
    audio_pb2.AUDIO_ENCODING_F32: "f32",
    audio_pb2.AUDIO_ENCODING_QOA: "qoa",
}


def message_class(name: str) -> type[Message]:
    found: type[Message] = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    return found


def test_the_files_are_what_the_generator_writes() -> None:
    command = [sys.executable, str(HERE / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_messages_are_read_and_written(vectors: Any) -> None:
    cases = vectors("codec")["messages"]
    for case in cases:
        kind, data = message_class(case["message"]), bytes.fromhex(case["hex"])
        assert fields_of(kind.FromString(data)) == case["fields"], case
        written = ParseDict(case["fields"], kind()).SerializeToString(deterministic=True)
        assert written == data, case
    assert {case["message"] for case in cases} >= {m["request"] for m in vectors("codec")["methods"]}


def test_unusual_messages_are_read(vectors: Any) -> None:
    for case in vectors("codec")["decode_only"]:
        message = message_class(case["message"]).FromString(bytes.fromhex(case["hex"]))
        message.DiscardUnknownFields()
        assert fields_of(message) == case["fields"], case["case"]


def is_refused(error: type[Exception], call: Callable[[], object]) -> bool:
    try:
        call()
    except error:
        return True
    return False


def test_malformed_messages_are_refused(vectors: Any) -> None:
    for case in vectors("codec")["malformed"]:
        read, data = message_class(case["message"]).FromString, bytes.fromhex(case["hex"])
        assert case.get("or_taken") or is_refused(DecodeError, lambda: read(data)), case["case"]  # noqa: B023


def body_of(case: dict[str, Any]) -> tuple[bytes, bool]:
    return (case["text"].encode(), True) if "text" in case else (bytes.fromhex(case["hex"]), False)


def read(pieces: list[bytes], *, is_text: bool) -> Reader:
    reader = Reader(is_text=is_text)
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    return reader


def test_bodies_are_read_however_they_are_cut(vectors: Any) -> None:
    for case in vectors("frames")["bodies"]:
        body, is_text = body_of(case)
        cuts = [[body], [body[n : n + 1] for n in range(len(body))]]
        cuts += [[body[:n], body[n:]] for n in range(len(body))]
        for pieces in cuts:
            reader = read(pieces, is_text=is_text)
            assert [message.hex() for message in reader.messages] == case["expect"]["messages"], case["case"]
            assert reader.code == case["expect"]["code"]
            assert case["expect"]["message"] in (None, reader.message)


def test_a_message_is_handed_on_with_its_last_byte(vectors: Any) -> None:
    (case,) = (c for c in vectors("frames")["bodies"] if c["case"] == "a stream of several messages")
    body, reader, ends, at = bytes.fromhex(case["hex"]), Reader(), [], 0
    for message in case["expect"]["messages"]:
        at += 5 + len(message) // 2
        ends.append(at)
    for place in range(at):
        reader.feed(body[place : place + 1])
        assert len(reader.messages) == sum(end <= place + 1 for end in ends)


def test_broken_bodies_end_the_call(vectors: Any) -> None:
    for case in vectors("frames")["refused"]:
        body, is_text = body_of(case)
        for cut in range(len(body) + 1):
            with pytest.raises(BrokenError) as caught:
                read([body[:cut], body[cut:]], is_text=is_text)
            assert caught.value.code in case["codes"], case["case"]


def test_status_lines_and_headers(vectors: Any) -> None:
    for case in vectors("frames")["http"]:
        assert by_head(case["status"], case["headers"]) == case["code"], case["case"]


def test_the_service_reads_what_clients_write(vectors: Any) -> None:
    for case in vectors("frames")["requests"]:
        if "grpc_timeout" in case:
            assert timeout_of({"grpc-timeout": case["grpc_timeout"]}) == pytest.approx(case["seconds"])
            continue
        for name, body in (("grpc-web+proto", bytes.fromhex(case["hex"])), ("grpc-web-text", case["text"].encode())):
            wire = wire_of({"content-type": f"application/{name}"})
            assert isinstance(wire, Wire)
            assert wire.request(body).hex() == case["message_hex"]


def rpc_error(code: int, message: str = "", details: bytes | None = None, reason: str = "") -> Any:
    """What gRPC raises."""
    trailing = [] if details is None else [("grpc-status-details-bin", details)]
    named = next(found for found in grpc.StatusCode if found.value[0] == code)
    error: Any = grpc.RpcError()
    error.code, error.details = lambda: named, lambda: message
    error.trailing_metadata = lambda: trailing
    return error


def test_errors_are_understood(vectors: Any) -> None:
    for case in vectors("errors")["errors"]:
        trailers, expected = case["trailers"], case["expect"]
        details = decoded(trailers.get("grpc-status-details-bin", ""))
        error = translate(rpc_error(int(trailers["grpc-status"]), told(trailers.get("grpc-message", "")), details))
        assert (error.code, error.message) == (expected["code_name"], expected["message"]), case["case"]
        assert (error.reason, error.field, error.kind) == (expected["reason"], expected["field"], expected["kind"])
        assert (list(error.near_misses), list(error.known)) == (expected["near_misses"], expected["known"])
        retry_ms = None if error.retry_after is None else round(error.retry_after * 1000)
        assert retry_ms == expected["retry_after_ms"], case["case"]
        problems = [{k: getattr(p, k) for k in ("line", "column", "path", "message")} for p in error.problems]
        assert problems == expected["problems"]


def decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def test_chunks_are_decoded(vectors: Any) -> None:
    for case in vectors("chunks")["chunks"]:
        pcm = decoder_of(ENCODINGS[case["encoding"]]).decode(chunk_of(case))
        wanted = np.frombuffer(bytes.fromhex(case["pcm_hex"]), "<f4" if case["pcm_is"] == "f32" else "<i2")
        np.testing.assert_array_equal(pcm, wanted.reshape(-1, 2), err_msg=case["case"])


def test_broken_chunks_are_refused(vectors: Any) -> None:
    for case in vectors("chunks")["refused"]:
        decoder, chunk = decoder_of(ENCODINGS[case["encoding"]]), chunk_of(case)
        assert is_refused(ValueError, lambda: decoder.decode(chunk)), case["case"]  # noqa: B023


def chunk_of(case: dict[str, Any]) -> audio_pb2.AudioChunk:
    fields = {name: case[name] for name in ("sample_count", "skip_samples")}
    return audio_pb2.AudioChunk(payload=bytes.fromhex(case["payload_hex"]), **fields)


def samples(pieces: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    made = [np.zeros((0, 2), int)]
    for piece in pieces:
        if "samples" in piece:
            made.append(np.array(piece["samples"]).reshape(-1, 2))
            continue
        step = [piece.get("left_step", 0), piece.get("right_step", 0)]
        made.append(np.array([piece["left"], piece["right"]]) + np.arange(piece["count"])[:, None] * np.array(step))
    return np.concatenate(made)


def test_takes_are_played(vectors: Any) -> None:
    for case in vectors("takes")["takes"]:
        buffer = PlaybackBuffer(seconds=case["capacity"] / 48_000)
        for number, step in enumerate(case["steps"]):
            where = f"{case['case']}, step {number}"
            if "put" in step:
                put = step["put"]
                buffer.put(Block(put["first_sample"], samples(put["pcm"]).astype(np.int16), put["take"]))
            else:
                wanted = samples(step["read"]["pcm"])
                got = buffer.read(step["read"]["count"]).astype(int)
                assert got.shape == wanted.shape, where
                assert np.abs(got - wanted).max(initial=0) <= case["tolerance"], where
            assert {name: getattr(buffer, name) for name in step["then"]} == step["then"], where


def test_drift_is_held(vectors: Any) -> None:
    for case in vectors("drift")["rates"]:
        assert playback_rate(case["reserve"], case["target"]) == pytest.approx(case["rate"], abs=1e-9)
    for case in vectors("drift")["runs"]:
        holder = LeadHolder()
        for step in case["steps"]:
            if step.get("replaced"):
                holder.replaced(step["now"])
            rate = holder.rate(step["reserve"], step["now"])
            if "expect" in step:
                found = {"rate": rate, "average": holder.average, "target": holder.target}
                assert found == pytest.approx(step["expect"], abs=case["tolerance"]), case["case"]


def test_what_is_kept_to_resume(vectors: Any) -> None:
    for case in vectors("resume")["kept"]:
        keeper = Keeper()
        for data in case["messages_hex"]:
            message = StreamAudioResponse.FromString(bytes.fromhex(data))
            if message.HasField("audio"):
                keeper.chunk(message.audio)
            else:
                keeper.point(message.resume_point)
        if case["resume"] is None:
            with pytest.raises(ValueError, match="no resume point"):
                keeper.resume(int(case["next_sample"]), case["session_token"])
            continue
        request = keeper.resume(int(case["next_sample"]), case["session_token"])
        assert request.SerializeToString().hex() == case["resume"]["hex"], case["case"]
        assert fields_of(request) == case["resume"]["fields"]


def reception(*, with_point: bool) -> Reception:
    """One that has had a chunk."""
    made = Reception("s-1", "s16", None, 0, True, Keeper())
    if with_point:
        made.take(StreamAudioResponse(resume_point=stream_pb2.ResumePoint(token=b"point")))
    made.take(StreamAudioResponse(audio=audio_pb2.AudioChunk(sample_count=1, payload=bytes(4), continuation=b"c")))
    return made


def after(made: Reception, error: Any = None) -> str:
    """What is done when the stream has ended."""
    try:
        if error is None:
            return "reconnect" if made.should_return() else "finish"
        mend(made, error)
    except (SegueError, StreamEnded):
        return "fail"
    if made.next_sample is None:
        return "live edge"
    return "resume" if made.is_lost else "reconnect"


def test_endings(vectors: Any) -> None:
    for case in vectors("resume")["endings"]:
        if "goodbye_hex" in case:
            made = reception(with_point=case["has_resume_point"])
            made.take(StreamAudioResponse.FromString(bytes.fromhex(case["goodbye_hex"])))
            assert after(made) == case["action"], case
            continue
        for with_point, key in ((True, "action_with_resume_point"), (False, "action_without")):
            error = rpc_error(case["code"], details=details_of(case)) if "code" in case else None
            assert after(reception(with_point=with_point), error) == case[key], case


def details_of(case: dict[str, Any]) -> bytes:
    status = status_pb2.Status(code=case["code"])
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=case["reason"], domain="segue"))
    return bytes(status.SerializeToString())


def test_a_whole_stream(vectors: Any) -> None:
    wanted = vectors("stream")["stream"]
    reader = read([(HERE / wanted["file"]).read_bytes()], is_text=False)
    made, takes, events = Reception("s-1", "s16", None, 0, True, Keeper()), NewestTakes(), list[Any]()
    made.on_event = [events.append]
    kinds = []
    for data in reader.messages:
        message = StreamAudioResponse.FromString(data)
        kinds.append(message.WhichOneof("message"))
        block = made.take(message)
        if block is not None:
            takes.put(block)
    assert kinds == [message["kind"] for message in wanted["messages"]]
    assert [fields_of(e) for e in events] == [m["fields"] for m in wanted["messages"] if m["kind"] == "event"]
    pcm = takes.pcm.astype("<i2").tobytes()
    assert (len(pcm), hashlib.sha256(pcm).hexdigest()) == (wanted["pcm_bytes"], wanted["pcm_sha256"])
    assert {name: getattr(made.stats, name) for name in ("blocks", "takes", "gaps")} == {
        name: wanted[name] for name in ("blocks", "takes", "gaps")
    }
    assert str(made.next_sample) == wanted["next_sample"]
    assert made.finished == wanted["finished"]
