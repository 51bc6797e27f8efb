# SPDX-License-Identifier: Apache-2.0
"""What the contract has and this server doesn't do yet. It answers UNIMPLEMENTED; the README's table is this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RESUME: Final = "CreateSession.resume"
PREFILL: Final = "CreateSession.prefill"
CONTINUATION: Final = "StreamAudio.with_continuation"
EXIT_OVERRIDE: Final = "ControlHeader.exit_source_at"
ALSO: Final = "ControlHeader.also"

NOT_BUILT: Final[Mapping[str, str]] = {
    RESUME: "a session can't be continued by another server; a broken stream resumes by from_sample",
    PREFILL: "a session can go on from an audio file (prefill_audio), not from continuation bytes",
    CONTINUATION: "continuation bytes and resume points are not sent",
    EXIT_OVERRIDE: "works with SetState; events and stingers exit where the soundtrack says",
    ALSO: "works with PostEvent, SetState, SetParameters and PostTrigger; not with the other controls",
}
"""Feature → what happens instead."""
