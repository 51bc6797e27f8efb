# SPDX-License-Identifier: Apache-2.0
"""Segue's Python client: live, generated, adaptive soundtracks.

    import segue

    with segue.connect("localhost:7470") as music:
        session = music.play("dungeon", seed=7)
        reply = session.post("enemy_spotted")
        print(f"{reply.state} from sample {reply.audible_at_sample}")

`segue.aio.connect` is the same for asyncio. `segue.v1` holds the generated stubs of the wire contract.
"""

from segue import aio
from segue.client import Client, Session, connect
from segue.clips import Clips
from segue.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    SegueError,
    ServerFault,
    StreamEnded,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from segue.lead import LeadHolder, playback_rate
from segue.playback import NewestTakes, PlaybackBuffer
from segue.playout import Playout
from segue.reception import Block, Stats
from segue.replies import Reply

__all__ = [
    "Block",
    "Client",
    "Clips",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidArgument",
    "LeadHolder",
    "NewestTakes",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "PlaybackBuffer",
    "Playout",
    "Reply",
    "ResourceExhausted",
    "SegueError",
    "ServerFault",
    "Session",
    "Stats",
    "StreamEnded",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "aio",
    "connect",
    "playback_rate",
]
