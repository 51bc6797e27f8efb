# SPDX-License-Identifier: Apache-2.0
"""What compressed streams cost: CPU milliseconds per codec frame (40 ms, stereo), encoded for 1 to 64 sessions at once
and decoded by the Python client, and bits a second. Without a server.

    python bench/encodings.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from segue.decoding import decoder_of
from segue.v1.audio_pb2 import AudioChunk
from segue_engine.contract import FRAME_SAMPLES
from segue_service.encoders import opus, qoa


def cpu_ms(do: Callable[[], object], times: int = 15) -> float:
    """Median of this thread's CPU time."""
    taken = []
    for _ in range(times):
        begin = time.thread_time()
        do()
        taken.append(time.thread_time() - begin)
    return 1e3 * float(np.median(taken))


def main() -> None:
    """Print a table."""
    shape = (64, qoa.CONTEXT + FRAME_SAMPLES, 2)
    pcm = np.cumsum(np.random.default_rng(0).standard_normal(shape) * 60, axis=1).astype(np.int16)
    print("| | encoded, ms a frame | sessions a core | kbit/s |\n|---|---|---|---|")
    weight = 25 * 8 * len(qoa.encode(pcm[:1])[0]) / 1000
    for count in (1, 8, 32, 64):
        each = cpu_ms(lambda count=count: qoa.encode(pcm[:count])) / count  # type: ignore[misc]
        print(f"| QOA, {count} sessions at once | {each:.2f} | {40 / each:.0f} | {weight:.0f} |")
    stretch = pcm[:2, qoa.CONTEXT :].reshape(-1, 2)
    payloads = {"qoa": b"".join(qoa.encode(pcm[:2]))}
    if opus.is_installed():
        encoder = opus.OpusEncoder(128_000)
        each = cpu_ms(lambda: encoder.encode(stretch)) / 2
        packets = encoder.encode(stretch)
        payloads["opus"] = b"".join(len(packet).to_bytes(2, "little") + packet for packet in packets)
        print(f"| Opus | {each:.2f} | {40 / each:.0f} | {25 * 4 * len(payloads['opus']) / 1000:.0f} |")
    print("\n| | decoded by the Python client, ms a frame, in chunks of 80 ms |\n|---|---|")
    for name, payload in payloads.items():
        decoder, chunk = decoder_of(name), AudioChunk(payload=payload, sample_count=2 * FRAME_SAMPLES)
        print(f"| {name} | {cpu_ms(lambda d=decoder, c=chunk: d.decode(c)) / 2:.2f} |")  # type: ignore[misc]


if __name__ == "__main__":
    main()
