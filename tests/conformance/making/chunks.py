# SPDX-License-Identifier: Apache-2.0
"""chunks.json: payloads of AudioChunk in every encoding that SDKs decode themselves, and the samples in them."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from typing import Any

from segue.v1 import audio_pb2

S16, F32, QOA = audio_pb2.AUDIO_ENCODING_S16, audio_pb2.AUDIO_ENCODING_F32, audio_pb2.AUDIO_ENCODING_QOA
_SCALES = (1, 7, 21, 45, 84, 138, 211, 304, 421, 562, 731, 928, 1157, 1419, 1715, 2048)
_STEPS = (0.75, -0.75, 2.5, -2.5, 4.5, -4.5, 7.0, -7.0)
_TABLE = [[math.copysign(math.floor(abs(scale * step) + 0.5), step) for step in _STEPS] for scale in _SCALES]
_RATE = 48_000
Lane = list[int]


def make() -> dict[str, Any]:
    """The file."""
    return {"chunks": [*_plain(), *_qoa()], "refused": list(_refused())}


def _plain() -> Iterator[dict[str, Any]]:
    values = (0, 1, -1, 32767, -32768, 258)
    yield _chunk("16 bits", S16, struct.pack("<6h", *values), 3, 0, struct.pack("<6h", *values))
    floats = struct.pack("<4f", 0.0, -1.0, 0.5, 1e-6)
    yield {**_chunk("floats", F32, floats, 2, 0, floats), "pcm_is": "f32"}
    yield _chunk("no samples", S16, b"", 0, 0, b"")


def _qoa() -> Iterator[dict[str, Any]]:
    tone = [round(9000 * math.sin(n / 17)) for n in range(340)]
    other = [round(20_000 * math.sin(n / 5 + 1)) for n in range(340)]
    payload, left, right = _encoded(tone[:320], other[:320])
    yield _chunk("QOA: a frame", QOA, payload, 320, 0, _interleaved(left, right))
    yield _chunk("QOA: less than was decoded", QOA, payload, 100, 33, _interleaved(left[33:133], right[33:133]))
    short, a, b = _encoded(tone[:13], other[:13])
    yield _chunk("QOA: a slice that is not full", QOA, short, 13, 0, _interleaved(a, b))
    two, c, d = _encoded(other[:61], tone[:61])
    joined = _interleaved(a + c, b + d)
    yield _chunk("QOA: frames of two lengths", QOA, short + two, 74, 0, joined)
    yield _chunk("QOA: what is dropped spans frames", QOA, short + two, 50, 20, joined[80:280])
    wild, e, f = _noise(200)
    yield _chunk("QOA: noise that meets every limit", QOA, wild, 200, 0, _interleaved(e, f))


def _refused() -> Iterator[dict[str, Any]]:
    payload, _, _ = _encoded([0] * 20, [0] * 20)
    cases = {
        "16 bits: half a sample": (S16, b"\x00\x01\x02", 1, 0),
        "16 bits: fewer than announced": (S16, bytes(8), 3, 0),
        "16 bits: a negative count": (S16, bytes(8), -1, 0),
        "floats: half a sample": (F32, bytes(7), 1, 0),
        "QOA: nothing": (QOA, b"", 20, 0),
        "QOA: half a header": (QOA, payload[:5], 20, 0),
        "QOA: half a frame": (QOA, payload[:-3], 20, 0),
        "QOA: bytes after the frame": (QOA, payload + b"\x00", 20, 0),
        "QOA: no channels": (QOA, b"\x00" + payload[1:], 20, 0),
        "QOA: no samples": (QOA, payload[:4] + b"\x00\x00" + payload[6:], 0, 0),
        "QOA: a size that is another's": (QOA, payload[:6] + b"\x00\x08" + payload[8:], 20, 0),
        "QOA: more samples than slices": (QOA, payload[:4] + b"\xff\xff" + payload[6:], 20, 0),
        "QOA: fewer samples than announced": (QOA, payload, 21, 0),
        "QOA: more to drop than there is": (QOA, payload, 1, 20),
        "QOA: a negative number to drop": (QOA, payload, 10, -5),
    }
    for case, (encoding, data, count, skip) in cases.items():
        yield _chunk(case, encoding, data, count, skip, None)


def _chunk(case: str, encoding: int, payload: bytes, count: int, skip: int, pcm: bytes | None) -> dict[str, Any]:
    made = {"case": case, "encoding": encoding, "payload_hex": payload.hex(), "sample_count": count}
    made["skip_samples"] = skip
    return made if pcm is None else {**made, "pcm_is": "s16", "pcm_hex": pcm.hex()}


def _interleaved(left: Lane, right: Lane) -> bytes:
    return b"".join(struct.pack("<2h", *pair) for pair in zip(left, right, strict=True))


class _Predictor:
    """One channel's state, in plain integers as the format's page describes it."""

    def __init__(self, past: Lane, weights: Lane) -> None:
        self.past, self.weights = past[:], weights[:]

    def head(self) -> bytes:
        return struct.pack(">8h", *self.past, *self.weights)

    def next(self, residual: int) -> int:
        predicted = sum(w * s for w, s in zip(self.weights, self.past, strict=True)) >> 13
        sample = max(-32768, min(32767, predicted + residual))
        delta = residual >> 4
        self.weights = [w + (-delta if s < 0 else delta) for w, s in zip(self.weights, self.past, strict=True)]
        self.past = [*self.past[1:], sample]
        return sample


def _encoded(*channels: Lane) -> tuple[bytes, Lane, Lane]:
    """A frame of two channels, and what it decodes to: per slice the scale with the least error, code by code."""
    predictors = [_Predictor([0, 0, 0, 0], [0, 0, -(1 << 13), 1 << 14]) for _ in channels]
    head = b"".join(predictor.head() for predictor in predictors)
    slices = b""
    decoded: list[Lane] = [[], []]
    for at in range(0, len(channels[0]), 20):
        for channel, wanted in enumerate(channels):
            word, samples, predictors[channel] = _slice(predictors[channel], wanted[at : at + 20])
            slices += struct.pack(">Q", word)
            decoded[channel] += samples
    return _framed(len(channels[0]), head, slices), decoded[0], decoded[1]


def _slice(start: _Predictor, wanted: Lane) -> tuple[int, Lane, _Predictor]:
    best: tuple[int, int, Lane, _Predictor] | None = None
    for scale in range(16):
        predictor, word, samples, error = _Predictor(start.past, start.weights), scale, [], 0
        for target in wanted:
            tried = [
                (abs(_Predictor(predictor.past, predictor.weights).next(int(r)) - target), code)
                for code, r in enumerate(_TABLE[scale])
            ]
            code = min(tried)[1]
            samples.append(predictor.next(int(_TABLE[scale][code])))
            word, error = word << 3 | code, error + (samples[-1] - target) ** 2
        if best is None or error < best[0]:
            best = (error, word << 3 * (20 - len(wanted)), samples, predictor)
    assert best is not None
    return best[1:]


def _noise(count: int) -> tuple[bytes, Lane, Lane]:
    """A frame of any bits: large residuals, weights that grow, samples that are clipped."""
    chance = random.Random(6)
    predictors = [
        _Predictor([chance.randint(-32768, 32767) for _ in range(4)], [4000, -3000, 2000, 8000]) for _ in "lr"
    ]
    head, slices = b"".join(p.head() for p in predictors), b""
    decoded: list[Lane] = [[], []]
    for _ in range(0, count, 20):
        for channel, predictor in enumerate(predictors):
            scale, codes = chance.randint(8, 15), [chance.randint(0, 7) for _ in range(20)]
            word = scale
            for code in codes:
                word = word << 3 | code
                decoded[channel].append(predictor.next(int(_TABLE[scale][code])))
            slices += struct.pack(">Q", word)
    return _framed(count, head, slices), decoded[0], decoded[1]


def _framed(count: int, head: bytes, slices: bytes) -> bytes:
    size = 8 + len(head) + len(slices)
    return struct.pack(">B3sHH", 2, _RATE.to_bytes(3, "big"), count, size) + head + slices
