# SPDX-License-Identifier: Apache-2.0
"""What the benches compare listeners by: whole frames, once no take replaces them, whoever came when."""

from __future__ import annotations

import numpy as np
from network.transcript import FRAME, Agreement, Transcript

from segue import Block


def block(first: int, count: int, take: int = 0, salt: int = 0) -> Block:
    """Samples that say which they are."""
    ramp = (np.arange(first, first + count) * 7 + 1000 * salt) % 30_000
    return Block(first, np.stack([ramp, -ramp], axis=1).astype(np.int16), take)


def listen(agreement: Agreement, name: str, *blocks: Block) -> Transcript:
    transcript = Transcript(0.0, agreement.listener(name))
    for one in blocks:
        transcript.put(one)
    return transcript


def chunks(first: int, end: int, length: int) -> list[Block]:
    return [block(begin, min(length, end - begin)) for begin in range(first, end, length)]


def test_listeners_who_come_when_they_like_agree() -> None:
    agreement = Agreement()
    listen(agreement, "early", *chunks(0, 20 * FRAME, FRAME))
    listen(agreement, "late", *chunks(5 * FRAME + 17, 20 * FRAME, 777))
    first, end = agreement.common()
    assert first == 6
    assert end - first == agreement.compared > 10
    assert len(set(agreement.hashes().values())) == 1
    assert (agreement.different, agreement.distance_db) == (0, None)


def test_one_sample_that_differs_is_found_and_placed() -> None:
    agreement, wrong = Agreement(), block(8 * FRAME, FRAME)
    wrong.pcm[100, 1] += 1
    listen(agreement, "right", *chunks(0, 20 * FRAME, FRAME))
    listen(agreement, "wrong", *chunks(0, 8 * FRAME, FRAME), wrong, *chunks(9 * FRAME, 20 * FRAME, FRAME))
    assert (agreement.different, agreement.first_different) == (1, 8 * FRAME)
    assert len(set(agreement.hashes().values())) == 2
    assert (agreement.distance_db or 0) > 60


def test_a_take_replaces_what_is_not_settled_and_a_gap_is_counted() -> None:
    agreement = Agreement()
    takes = Transcript(1.0, agreement.listener("takes"))
    for one in (*chunks(0, 40 * FRAME, FRAME), block(30 * FRAME + 5, 30 * FRAME, take=1, salt=1)):
        takes.put(one)
    fresh = Transcript(1.0, agreement.listener("fresh"))
    for one in (*chunks(0, 30 * FRAME + 5, FRAME), block(30 * FRAME + 5, 30 * FRAME, take=1, salt=1)):
        fresh.put(one)
    assert (agreement.different, takes.gaps, takes.rewritten) == (0, 0, 0)
    takes.put(block(0, FRAME, take=2))
    assert takes.rewritten == 1
    fresh.put(block(100 * FRAME, FRAME))
    assert fresh.gaps == 1
