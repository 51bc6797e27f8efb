# SPDX-License-Identifier: Apache-2.0
"""What a session has done to its slot: claim, switch, end, renew. Every function here runs on the device thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, INTEGRATED, KNOWN, RIDER, Blocks, Conditioning, Past, SlotHandle
from segue_service.session.device_thread import Device
from segue_service.session.landing import Bound
from segue_service.session.stepping import until_frame
from segue_service.session.timeline import Axis

Entries = Sequence[tuple[int, Conditioning]]


def claim(
    device: Device,
    seed: int,
    entries: Entries,
    axis: Axis,
    *,
    frame: int,
    target: int,
    limit: int,
    active: bool,
    prefill: NDArray[np.int32] | None = None,
    past: Past | None = None,
) -> Bound:
    """A slot that makes `frame` of the timeline and those after it, up to frame `limit`. Raises EngineFullError.

    In the middle of a timeline, a codec's delay is over if there is a prefill; else the slot's first frames lie before
    `frame` and are never heard.
    """
    engine = device.engine
    offset = frame if frame == 0 or prefill is not None else frame - engine.info.codec_delay_frames
    handle = engine.insert(seed, entries[0][1], prefill, past)
    if len(entries) > 1:
        engine.steer(handle, [(at - offset, conditioning) for at, conditioning in entries[1:]])
    device.bind(handle, axis.sample(offset), target, axis.audible(frame), active=active)
    device.pacer.limit[handle.index] = axis.sample(limit)
    return Bound(handle, offset)


def switch(device: Device, bound: Bound, *, active: bool, playing: bool) -> int:
    """Generate or not, from the head on; gives the head frame. What is under way is handed over first."""
    device.flush()
    device.pacer.play(bound.handle.index, device.now(), playing=playing)
    device.pacer.active[bound.handle.index] = active
    return device.engine.head(bound.handle) + bound.offset


def end(device: Device, bound: Bound) -> int:
    """Free the slot once all of it has been handed over; gives the head frame."""
    device.flush()
    head = device.engine.head(bound.handle) + bound.offset
    device.release(bound.handle)
    return head


def play(device: Device, bound: Bound, *, playing: bool, begin: int | None) -> None:
    """Let the playhead move or hold it; `begin` takes it back to that sample if it is beyond."""
    if not device.owns(bound.handle):
        return
    slot, now = bound.handle.index, device.now()
    if begin is not None and begin < device.pacer.playhead(slot, now):
        device.pacer.place(slot, begin, now)
    device.pacer.play(slot, now, playing=playing)


def believe(device: Device, bound: Bound, playhead: int) -> None:
    """The playhead is here now."""
    if device.owns(bound.handle):
        device.pacer.place(bound.handle.index, playhead, device.now())


def lead(device: Device, bound: Bound, target: int) -> None:
    """Generate this many samples ahead of the playhead from now on."""
    if device.owns(bound.handle):
        device.pacer.aim(bound.handle.index, target)


def renew(
    device: Device,
    old: Bound,
    seed: int,
    frame: int,
    entries: Entries,
    limit: int,
    axis: Axis,
    well: NDArray[np.int16] | None = None,
) -> tuple[Bound, int, NDArray[np.int16]]:
    """A fresh slot in the place of an old one from a frame on, or from the first that can still be gone back to; gives
    also that frame, and what the old slot would have played there.

    well: vitals to take the loudness from instead of the latest ones. A codec's delay means that the fresh slot's first
    frames are never heard: they lie before `frame` on the timeline. Raises RuntimeError if the old slot never gets
    there.
    """
    engine, pacer, slot = device.engine, device.pacer, old.handle.index
    if engine.head(old.handle) + old.offset > frame:
        frame = max(frame, device.rewind(old.handle, frame - old.offset) + old.offset)
    while engine.head(old.handle) + old.offset < frame:
        _go_on(device, old.handle)
    device.flush()
    _go_on(device, old.handle)
    tail, vitals = _kept_back(device, slot)
    vitals = vitals if well is None else well
    now = device.now()
    target, playhead = int(pacer.target[slot]), pacer.playhead(slot, now)
    playing, active = pacer.is_playing(slot), bool(pacer.active[slot])
    device.release(old.handle)
    loudness = (float(vitals[RIDER]) / 100, float(vitals[INTEGRATED]) / 100, float(vitals[KNOWN]) / 10)
    begins = [conditioning for at, conditioning in entries if at <= frame][-1]
    handle = engine.insert(seed, begins, past=Past(loudness=loudness))
    offset = frame - engine.info.codec_delay_frames
    later = [(at - offset, conditioning) for at, conditioning in entries if at > frame]
    if later:
        engine.steer(handle, later)
    device.bind(handle, axis.sample(offset), target, playhead, active=active)
    pacer.play(handle.index, now, playing=playing)
    pacer.limit[handle.index] = axis.sample(limit)
    return Bound(handle, offset), frame, tail


def _go_on(device: Device, handle: SlotHandle) -> None:
    """Step a slot until it has a frame under way. Others that are due go along, since that may take a while."""
    for _ in until_frame(device.engine, handle):
        device.deliver(device.step(np.union1d(device.pacer.due(device.now()), [handle.index]))[0])


def _kept_back(device: Device, slot: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Wait for the step that is under way and hand it over but for one slot's frame, which is given: int16[1920, 2] and
    vitals int16[VITALS]."""
    made = device.engine.flush()
    mine = np.zeros(0, np.bool_) if made is None else made.slots == slot
    if made is None or not mine.any():
        raise RuntimeError("the engine did not hand over a frame that it had dispatched")
    rest = ~mine
    if rest.any():
        device.deliver(
            Blocks(
                *(made.slots[rest], made.epochs[rest], made.first_frame[rest]),
                *(made.pcm[rest], made.codes[rest], made.vitals[rest]),
            )
        )
    tail: NDArray[np.int16] = made.pcm[mine][0, :FRAME_SAMPLES]
    return tail, made.vitals[mine][0, 0]
