# SPDX-License-Identifier: Apache-2.0
"""Hosts a session's state machine on the engine's frame axis, a few frames ahead of the head.

The machine is pure, so its future can be thrown away: the director remembers recent states, goes back to the one before
a frame, and plans anew from there. `place` computes and changes nothing; `commit` makes a placement the truth. That way
a control can be tried for a frame and tried again if the engine has passed that frame meanwhile.

Where the timeline is rewound, what was said after that frame is said again there, in its old order and before what is
new: nothing is lost and the last word stays the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from segue_service.session.done import Done
from segue_service.soundtrack import (
    ControlError,
    Effect,
    Guidance,
    Input,
    InputResult,
    Machine,
    MachineState,
    MusicClock,
    SetParameters,
    StingerStarted,
    StylePoint,
    TransitionStarted,
)
from segue_service.soundtrack.carrying import carried
from segue_service.soundtrack.plan import PLAIN

LOOKAHEAD: Final = 4
"""Frames that the machine runs ahead of the head, so that what it decides is there before it is due."""
HORIZON: Final = 64
_FAR: Final = 3000


@dataclass(frozen=True, slots=True)
class Entry:
    """The machine after something that may have changed it, and what changed, each with the control that is behind it
    or "". request: the control behind what the machine does next."""

    frame: int
    state: MachineState
    effects: tuple[tuple[Effect, str], ...] = ()
    request: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """Inputs that were applied at a frame, by the control `name`."""

    frame: int
    name: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """A future, planned from `frame` on, of which nothing is true until it is committed.

    outcomes[i]: the results of batch i, or the error for which nothing of it was applied. points cover
    [frame, limit); the engine must not pass `limit` before the next placement. again: it replaces what was placed from
    `frame` on, and said holds what that had said too.
    """

    frame: int
    entries: tuple[Entry, ...]
    outcomes: tuple[tuple[InputResult, ...] | ControlError, ...]
    points: tuple[StylePoint, ...]
    limit: int
    said: tuple[Said, ...] = ()
    again: bool = False


class Director:
    """One session's machine. Event loop only."""

    def __init__(
        self,
        machine: Machine,
        state: MachineState,
        frame: int = 0,
        guidance: Guidance = PLAIN,
        reach: int = 0,
        done: Iterable[str] = (),
    ) -> None:
        """guidance: of styles that name none. reach: how far behind the latest placement one may be placed again. done:
        marks of controls that the state holds."""
        self.machine = machine
        self.done = Done(done)
        """Controls that the newest state holds."""
        self.begins = frame
        """The first frame that may be placed at."""
        self._guidance = guidance
        self._reach = reach
        self._entries: list[Entry] = [Entry(frame, state)]
        self._said: list[Said] = []
        self._horizon = HORIZON

    @property
    def state(self) -> MachineState:
        """The newest state, which may be some frames ahead of the head."""
        return self._entries[-1].state

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def state_at(self, frame: int) -> MachineState:
        """The machine as it is at a frame not before the last commit."""
        return self._before(frame).state

    def state_after(self, placement: Placement) -> MachineState:
        """The machine as it is at the end of a placement, committed or not."""
        return placement.entries[-1].state if placement.entries else self.state_at(placement.frame)

    def after_what_is_near(self, frame: int, near: int) -> int:
        """The first frame from `frame` on that no event, state or stinger of the next `near` frames would have to be
        moved for: said after those, it follows them."""
        said = (
            one.frame
            for one in self._said
            if frame < one.frame <= frame + near and not all(isinstance(said, SetParameters) for said in one.inputs)
        )
        return max(said, default=frame)

    def exchange(self, machine: Machine, frame: int) -> Callable[[], None]:
        """Go on by another machine from a frame on, as much of the state as has a place there being carried over;
        gives what undoes it. What was placed from that frame on is to be placed anew."""
        before = self.machine, self.begins, self._entries, self._said
        state = carried(self.state_at(frame), self.machine, machine, frame)
        self.machine, self.begins = machine, frame
        self._entries, self._said = [Entry(frame, state)], []

        def undo() -> None:
            self.machine, self.begins, self._entries, self._said = before

        return undo

    def place(
        self,
        frame: int,
        clock: MusicClock,
        batches: Sequence[tuple[str, Sequence[Input]]] = (),
        *,
        again: bool = False,
        until: int = 0,
        clocks: Callable[[int], MusicClock] | None = None,
        sure: int | None = None,
    ) -> Placement:
        """What follows if these batches, (request_id, inputs), are applied at `frame`, whose clock is `clock`.

        again: in place of what was placed from that frame on, whose inputs are applied before these. until: how far it
        must be known at least, where the head is further on than `frame`. clocks: of the frames up to there and beyond,
        since a tempo may have changed in what is made already; None: as `clock` goes on. sure: the last frame of which
        the clock is certain, where it is read and not tracked: no beat or bar beyond is taken until it is nearer.
        """
        machine, base = self.machine, self._before(frame - 1 if again else frame)
        state, request = base.state, base.request
        entries: list[Entry] = []

        def record(at: int, after: MachineState, effects: tuple[Effect, ...], cause: str, follows: str) -> MachineState:
            if after is not state or effects or follows != request:
                entries.append(Entry(at, after, tuple((effect, cause) for effect in effects), follows))
            return after

        step = machine.advance(state, clock)
        state = record(frame, step.state, step.effects, request, request)
        outcomes: list[tuple[InputResult, ...] | ControlError] = []
        repeated = [(said.name, said.inputs) for said in self._said if said.frame >= frame] if again else []
        said: list[Said] = []
        for name, inputs in (*repeated, *batches):
            try:
                step = machine.apply(state, list(inputs), clock)
            except ControlError as error:
                outcomes.append(error)
                continue
            begins = (result.begins_at for result in step.results if result.begins_at is not None)
            follows = name if any(at > frame for at in begins) else request
            state = record(frame, step.state, step.effects, name, follows)
            request = follows
            outcomes.append(step.results)
            said.append(Said(frame, name, tuple(inputs)))
        wake = machine.next_wake(state)
        known = max(frame, until)
        while wake is not None and wake <= known + LOOKAHEAD:
            step = machine.advance(state, clock.at(wake) if clocks is None else clocks(wake))
            if sure is not None and wake > max(known, sure) and _leaves_at_place(state, step.effects):
                break
            state = record(wake, step.state, step.effects, request, request)
            following = machine.next_wake(state)
            if following is not None and following <= wake:
                raise RuntimeError(f"the state machine wants to wake at {following} after it woke at {wake}")
            wake = following
        points, limit = self._plan(frame, known, base.state, entries, wake, fresh=bool(batches))
        ours = tuple(outcomes[len(repeated) :])
        return Placement(frame, tuple(entries), ours, points, limit, tuple(said), again)

    def commit(self, placement: Placement) -> tuple[Entry, ...]:
        """Make a placement the truth; gives the entries that it replaces (whose effects will not happen)."""
        last = placement.frame - 1 if placement.again else placement.frame
        kept = [entry for entry in self._entries if entry.frame <= last] or self._entries[:1]
        dropped = tuple(entry for entry in self._entries[len(kept) :])
        oldest = placement.frame - self._reach
        needed = next((i for i in range(len(kept) - 1, 0, -1) if kept[i].frame <= oldest), 0)
        self._entries = [*kept[needed:], *placement.entries]
        said = [
            one for one in self._said if one.frame > oldest and not (placement.again and one.frame >= placement.frame)
        ]
        self._said = [*said, *placement.said]
        for one in placement.said:
            self.done.add(one.name)
        constant = len(placement.points) == 1 and not any(entry.effects for entry in placement.entries)
        self._horizon = min(self._horizon * 2, _FAR) if constant else HORIZON
        return dropped

    def _before(self, frame: int) -> Entry:
        return next((entry for entry in reversed(self._entries) if entry.frame <= frame), self._entries[0])

    def _plan(
        self, frame: int, known: int, state: MachineState, entries: Sequence[Entry], wake: int | None, *, fresh: bool
    ) -> tuple[tuple[StylePoint, ...], int]:
        limit = known + (HORIZON if fresh else self._horizon)
        if wake is not None:
            limit = min(limit, wake)
        stretches: list[tuple[int, MachineState]] = [(frame, state)]
        for entry in entries:
            if entry.frame == stretches[-1][0]:
                stretches[-1] = (entry.frame, entry.state)
            else:
                stretches.append((entry.frame, entry.state))
        points: list[StylePoint] = []
        for place, (first, owner) in enumerate(stretches):
            last = stretches[place + 1][0] - 1 if place + 1 < len(stretches) else max(limit - 1, first)
            points += self.machine.plan(owner, first, last, self._guidance).points
        return tuple(points), limit


def _leaves_at_place(state: MachineState, effects: Sequence[Effect]) -> bool:
    """Whether something begins after it has waited for its beat or bar."""
    waits = state.pending is not None or bool(state.cues)
    return waits and any(isinstance(effect, TransitionStarted | StingerStarted) for effect in effects)
