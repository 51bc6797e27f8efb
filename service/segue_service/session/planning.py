# SPDX-License-Identifier: Apache-2.0
"""From a placement to a plan: what a session's slot is to be told if something happens at a frame.

The director says what follows, the style table what that sounds like, an override is played instead of it as long as it
lasts, changes of style keep their distance, and what differs from the plan before is found. `work_out` computes and
changes nothing, so that a control can be tried for a frame and tried again; `commit` makes a plan the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from segue_engine.contract import Conditioning
from segue_service.observe.metrics import Metrics
from segue_service.observe.tracing import NOTHING, Trace
from segue_service.session.director import Director, Placement
from segue_service.session.hub import Hub
from segue_service.session.planned import Entries, Planned
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.styles import Override, StyleTable
from segue_service.soundtrack import Input, Machine, MusicClock, TransitionStarted


@dataclass(frozen=True, slots=True)
class Plan:
    """A placement worked out to the end. changes: the first frame whose conditioning is another one than was planned,
    None if that is none of [frame, limit). moments: as `Spacing` wants them."""

    placement: Placement
    entries: Entries
    moments: frozenset[int]
    override: Override | None
    changes: int | None

    @property
    def frame(self) -> int:
        return self.placement.frame


class Planning:
    """One session's. Event loop only."""

    def __init__(
        self,
        director: Director,
        styles: StyleTable,
        hub: Hub,
        place: int,
        executor: Executor,
        metrics: Metrics,
        reach: int,
    ) -> None:
        """reach: frames before the latest plan back to which it is remembered what was planned."""
        self.override: Override | None = None
        """Prompts that play instead of the state's style."""
        self.director = director
        self.styles = styles
        self._hub, self._place = hub, place
        self._executor, self._metrics = executor, metrics
        self._spacing = Spacing(hub.history.axis.info)
        self._planned = Planned(reach)

    async def work_out(
        self,
        frame: int,
        batches: Sequence[tuple[str, Sequence[Input]]],
        override: Override | None,
        asked: Set[int] = frozenset(),
        *,
        again: bool = False,
        until: int = 0,
        trace: Trace = NOTHING,
    ) -> Plan:
        """What follows if these batches, (request_id, inputs), are applied at a frame and this override is played; the
        style may change at once at the frames `asked` for. again, until: see `Director.place`."""
        reach, began = max(frame, until), time.monotonic()

        def clocks(at: int) -> MusicClock:
            return self._clock(min(at, reach)).at(at)

        sure = self._hub.clock_sure(self._place, reach)
        placement = self.director.place(
            *(frame, self._clock(frame), batches), again=again, until=until, clocks=clocks, sure=sure
        )
        current = _until_transition(override, self.director, placement)
        planned = time.monotonic()
        trace.lap("plan", began, planned, frame=frame)
        entries = await self.styles.conditionings(
            *(placement.points, current, self._executor, placement.limit), self._looked_up
        )
        trace.lap("styles", planned)
        moments = moments_of(placement, self.director.state_after(placement), current) | asked
        entries = self._spacing.space(entries, placement.limit, moments)
        kept = None if current is not None and (current.until or frame + 1) <= frame else override
        return Plan(placement, entries, moments, kept, self._planned.first_change(entries, placement.limit))

    def exchange(self, machine: Machine, styles: StyleTable, frame: int) -> Callable[[], None]:
        """Go on by another machine and other styles from a frame on; gives what undoes it."""
        undo, before = self.director.exchange(machine, frame), self.styles
        self.styles = styles

        def back() -> None:
            undo()
            self.styles = before

        return back

    def commit(self, plan: Plan, given: Sequence[tuple[int, Conditioning]] = ()) -> Entries:
        """A plan replaces all from its frame on; gives what is played under from there on. given: what holds up to a
        first plan's frame."""
        entries = [*given, *plan.entries]
        self.override = plan.override
        self._spacing.commit(entries, plan.moments)
        self._planned.commit(entries[0][0], entries)
        self.director.commit(plan.placement)
        return entries

    def since(self, frame: int) -> Entries:
        """What was and will be played under from a frame on, as far as it is remembered and known."""
        return self._planned.since(frame)

    def _clock(self, frame: int) -> MusicClock:
        """The musical clock of a frame: the model's own, else the soundtrack's nominal one."""
        read = self._hub.clock_at(self._place, frame)
        return self.director.machine.nominal_clock(frame) if read is None else read

    def _looked_up(self, hits: int, misses: int) -> None:
        self._metrics.style_codes.labels("hit").inc(hits)
        self._metrics.style_codes.labels("miss").inc(misses)


def _until_transition(override: Override | None, director: Director, placement: Placement) -> Override | None:
    """The override, ended by the first transition that begins after it does."""
    if override is None:
        return None
    last = placement.frame - 1 if placement.again else placement.frame
    entries = (*(entry for entry in director.entries if entry.frame <= last), *placement.entries)
    begins = [
        effect.frame
        for entry in entries
        for effect, _ in entry.effects
        if isinstance(effect, TransitionStarted) and effect.frame > override.begins
    ]
    return replace(override, until=min(begins)) if begins else override
