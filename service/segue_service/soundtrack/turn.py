# SPDX-License-Identifier: Apache-2.0
"""One frame's work on a machine's state: what ends, what is due, which transition wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue_service.soundtrack.clock import ExitPoint, MusicClock
from segue_service.soundtrack.messages import (
    Effect,
    Outcome,
    ParameterChanged,
    Reason,
    StateChanged,
    StingerFinished,
    StingerStarted,
    TransitionCancelled,
    TransitionFinished,
    TransitionStarted,
)
from segue_service.soundtrack.model import DEFAULT_FADE, Fade, Soundtrack
from segue_service.soundtrack.rules import COMMAND, Rank, Rule, RuleBook
from segue_service.soundtrack.state import Holding, MachineState, Pending, Queued
from segue_service.soundtrack.stingers import MAX_STINGERS, Cue, Sounding
from segue_service.soundtrack.trajectory import Fading
from segue_service.soundtrack.units import ZERO
from segue_service.soundtrack.weights import Blender

Decision = tuple[Outcome, Reason, int | None]


class Turn:
    """A draft of the machine's state at one frame under one clock (of that frame). Not shared, not kept."""

    def __init__(
        self, soundtrack: Soundtrack, rules: RuleBook, blender: Blender, state: MachineState, clock: MusicClock
    ) -> None:
        self.soundtrack = soundtrack
        self.rules = rules
        self.blender = blender
        self.clock = clock
        self.frame = clock.frame
        self.draft = replace(state, head=clock.frame)
        self.effects: list[Effect] = []

    def pass_time(self) -> None:
        """Everything that happens by itself at this frame."""
        self._end_what_is_over()
        self._begin_cues()
        self.look()
        self._leave_at_place()

    def look(self) -> None:
        """Track guards, and let the best automatic or queued transition win. At most one change by itself a frame."""
        self.track()
        self._drop_pending_without_guard()
        draft, frame = self.draft, self.frame
        if draft.entered == frame:
            return
        ready: list[tuple[Rule, str, ExitPoint | None]]
        ready = [(self.rules.rules[h.rule], "", None) for h in draft.holding if frame >= self._free(h.rule, h.ready)]
        due = [q for q in draft.queue if frame >= max(q.ready, draft.dwell_until)]
        if due:
            self._update(queue=tuple(q for q in draft.queue if q not in due))
            kept = ((self.rules.rules[q.rule], q) for q in due)
            ready += [(rule, q.cause, q.exit_source_at) for rule, q in kept if self._allowed(rule)]
        if ready:
            rule, cause, place = max(ready, key=lambda entry: entry[0].rank)
            self.choose(rule, cause or ("after" if rule.transition.when is None else "when"), place)

    def track(self) -> None:
        """Note since when each automatic transition's condition has held without a break."""
        known = {h.rule: h for h in self.draft.holding}
        holding = []
        for rule in self.rules.automatic[self.draft.state]:
            if not self._guard_holds(rule):
                continue
            since = self.draft.entered if rule.transition.when is None else self.frame
            wait = self.clock.frames(rule.transition.after or ZERO)
            holding.append(known.get(rule.index) or Holding(rule.index, since, since + wait))
        look_at = self.frame + 1 if self.draft.entered == self.frame else None
        if tuple(holding) != self.draft.holding or look_at != self.draft.look_at:
            self._update(holding=tuple(holding), look_at=look_at)

    def candidate(self, event: str) -> tuple[Rule | None, Reason]:
        """The transition that an event may set off, or why it can set off none."""
        missed = Reason.NO_TRANSITION
        for rule in self.rules.for_event(event, self.draft.state):
            if not self._guard_holds(rule):
                missed = Reason.GUARD if missed is Reason.NO_TRANSITION else missed
                continue
            if self.frame < self.draft.transition_rest.get(rule.index, 0):
                missed = Reason.COOLDOWN if missed is Reason.NO_TRANSITION else missed
                continue
            if not self.waits(rule) and self._outranked(rule):
                return None, Reason.OUTRANKED
            return rule, Reason.NONE
        return None, missed

    def waits(self, rule: Rule) -> bool:
        """Whether an event's transition is kept for later: for its `after`, or for the state's min_dwell."""
        return bool(self.clock.frames(rule.transition.after or ZERO)) or self.frame < self.draft.dwell_until

    def react(self, rule: Rule, event: str, place: ExitPoint | None) -> Decision:
        """Take an event's transition, or keep it for later. place: in place of the transition's."""
        if self.waits(rule):
            return self._queue(rule, event, self.frame + self.clock.frames(rule.transition.after or ZERO), place)
        return self.choose(rule, event, place)

    def choose(self, rule: Rule, cause: str, place: ExitPoint | None = None) -> Decision:
        """Take a rule now or at its place, unless what is pending already outranks it."""
        pending = self.draft.pending
        if pending is not None and self._is_pending(rule):
            if place is None or place == pending.exit_source_at:
                return Outcome.SCHEDULED, Reason.NONE, pending.due
            return self._begin_at_place(replace(pending, exit_source_at=place))
        if self._outranked(rule):
            return Outcome.UNCHANGED, Reason.OUTRANKED, None
        transition = rule.transition
        exit_source_at = place or transition.exit_source_at
        return self._schedule(
            Pending(rule.index, transition.to, exit_source_at, transition.fade, transition.via, cause, self.frame)
        )

    def command(self, target: str, exit_point: ExitPoint | None, fade: Fade | None, cause: str) -> Decision:
        """Go to a state because the game says so."""
        if target == self.draft.state:
            self._cancel_pending("set_state")
            return Outcome.UNCHANGED, Reason.ALREADY_THERE, None
        rule = self.rules.between(self.draft.state, target)
        exit_source_at: ExitPoint = rule.transition.exit_source_at if rule else "immediate"
        return self._schedule(
            Pending(
                rule.index if rule else None,
                target,
                exit_point or exit_source_at,
                fade or (rule.transition.fade if rule else DEFAULT_FADE),
                rule.transition.via if rule else None,
                cause,
                self.frame,
                commanded=True,
            )
        )

    def move(self, name: str, target: float, *, at_once: bool) -> int | None:
        """Give a parameter a new target; the first frame whose blend it changes, None if it changes none."""
        motion = self.draft.parameters[name]
        if motion.target == target and (not at_once or motion.arrives <= self.frame):
            return None
        parameter = self.soundtrack.parameters[name]
        speed = None if at_once else parameter.seek_speed
        moved = motion.towards(target, self.frame, speed, parameter.hysteresis, parameter.range)
        self._update(parameters={**self.draft.parameters, name: moved})
        self.effects.append(ParameterChanged(self.frame, name, target, moved.arrives))
        return self.frame if name in self.soundtrack.states[self.draft.state].blend_by else None

    def trigger(self, name: str, place: ExitPoint | None = None) -> Decision:
        """Play a stinger now or at its place, `place` if given; one that waits already moves there."""
        stinger = self.soundtrack.stingers[name]
        draft = self.draft
        waiting = next((cue for cue in draft.cues if cue.name == name), None)
        if waiting is not None:
            if place is None or place == waiting.exit_source_at:
                return Outcome.SCHEDULED, Reason.NONE, waiting.due
            self._update(cues=tuple(cue for cue in draft.cues if cue is not waiting))
            return self._begin_cue(name, place)
        if self.frame < draft.stinger_rest.get(name, 0):
            return Outcome.UNCHANGED, Reason.COOLDOWN, None
        if len(draft.stingers) + len(draft.cues) >= MAX_STINGERS:
            return Outcome.UNCHANGED, Reason.BUSY, None
        return self._begin_cue(name, place or stinger.exit_source_at)

    def _begin_cue(self, name: str, place: ExitPoint) -> Decision:
        wait = self._frames_to(place)
        if wait:
            due = self.frame + wait
            self._update(cues=(*self.draft.cues, Cue(name, place, due)))
            return Outcome.SCHEDULED, Reason.NONE, due
        self._sound(name)
        return Outcome.STARTED, Reason.NONE, self.frame

    def _schedule(self, pending: Pending) -> Decision:
        self._cancel_pending("set_state" if pending.commanded else "outranked")
        return self._begin_at_place(pending)

    def _begin_at_place(self, pending: Pending) -> Decision:
        wait = self._frames_to(pending.exit_source_at)
        if wait == 0:
            self._fire(pending)
            return Outcome.STARTED, Reason.NONE, self.frame
        self._update(pending=replace(pending, due=self.frame + wait))
        return Outcome.SCHEDULED, Reason.NONE, self.frame + wait

    def _fire(self, pending: Pending) -> None:
        draft, frame, clock = self.draft, self.frame, self.clock
        source = self.blender.states_blend(draft, np.asarray([frame - 1]))[0]
        if draft.fade is not None:
            self._finish_fade(interrupted=True)
        number = draft.counter + 1
        ends = frame + clock.frames(pending.fade.length)
        target = self.soundtrack.states[pending.target]
        rest = dict(draft.transition_rest)
        if pending.rule is not None:
            resting = clock.frames(self.soundtrack.transitions[pending.rule].cooldown)
            if resting:
                rest[pending.rule] = frame + resting
        fading = Fading(
            number,
            draft.state,
            frame,
            ends,
            self.blender.sparse(source),
            pending.via,
            pending.fade.curve,
            pending.fade.shape,
        )
        self._update(
            state=pending.target,
            entered=frame,
            dwell_until=frame + clock.frames(target.min_dwell),
            fade=fading,
            pending=None,
            queue=(),
            holding=(),
            transition_rest=rest,
            counter=number,
        )
        self.effects.append(StateChanged(frame, pending.target, draft.state))
        self.effects.append(
            TransitionStarted(
                frame, number, draft.state, pending.target, pending.rule, pending.cause, ends, pending.via
            )
        )
        if ends == frame:
            self._finish_fade(interrupted=False)
        self.track()

    def _leave_at_place(self) -> None:
        pending = self.draft.pending
        if pending is None:
            return
        wait = self._frames_to(pending.exit_source_at)
        if wait == 0:
            self._update(pending=None)
            self._fire(pending)
        elif pending.due != self.frame + wait:
            self._update(pending=replace(pending, due=self.frame + wait))

    def _end_what_is_over(self) -> None:
        fade = self.draft.fade
        if fade is not None and fade.ends <= self.frame:
            self._finish_fade(interrupted=False)
        over = [s for s in self.draft.stingers if s.ends <= self.frame]
        if over:
            self._update(stingers=tuple(s for s in self.draft.stingers if s.ends > self.frame))
            self.effects.extend(StingerFinished(self.frame, s.id, s.name) for s in over)

    def _begin_cues(self) -> None:
        cues = []
        for cue in self.draft.cues:
            wait = self._frames_to(cue.exit_source_at)
            if wait == 0:
                self._sound(cue.name)
            else:
                cues.append(replace(cue, due=self.frame + wait))
        if tuple(cues) != self.draft.cues:
            self._update(cues=tuple(cues))

    def _sound(self, name: str) -> None:
        stinger = self.soundtrack.stingers[name]
        draft, clock, frame = self.draft, self.clock, self.frame
        number = draft.counter + 1
        frames = clock.frames(stinger.length) if stinger.length is not None else 0
        sounding = draft.stingers
        if frames:
            fade = min(clock.frames(stinger.fade), frames // 2)
            sounding = (
                *sounding,
                Sounding(number, name, stinger.style, frame, frame + frames, fade, stinger.weight, stinger.drums),
            )
        rest = dict(draft.stinger_rest)
        if stinger.cooldown.value:
            rest[name] = frame + clock.frames(stinger.cooldown)
        self._update(stingers=sounding, counter=number, stinger_rest=rest)
        ends = frame + frames if frames else None
        self.effects.append(StingerStarted(frame, number, name, stinger.style, stinger.clip, stinger.gain_db, ends))

    def _finish_fade(self, *, interrupted: bool) -> None:
        fade = self.draft.fade
        if fade is None:
            return
        self.effects.append(TransitionFinished(self.frame, fade.id, fade.origin, self.draft.state, interrupted))
        self._update(fade=None)

    def _queue(self, rule: Rule, cause: str, ready: int, place: ExitPoint | None) -> Decision:
        draft = self.draft
        kept = next((q for q in draft.queue if q.rule == rule.index), None)
        if kept is None:
            kept = Queued(rule.index, cause, ready, place)
            self._update(queue=(*draft.queue, kept))
        elif place is not None:
            moved = replace(kept, exit_source_at=place)
            self._update(queue=tuple(moved if q is kept else q for q in draft.queue))
            kept = moved
        due = max(kept.ready, draft.dwell_until)
        exit_source_at = kept.exit_source_at or rule.transition.exit_source_at
        due += self.clock.at(due).frames_to(exit_source_at, self._phrase_bars)
        return Outcome.QUEUED, Reason.AFTER if ready > self.frame else Reason.MIN_DWELL, due

    def _drop_pending_without_guard(self) -> None:
        pending = self.draft.pending
        if pending is None or pending.rule is None or pending.commanded:
            return
        rule = self.rules.rules[pending.rule]
        if rule.automatic and not self._guard_holds(rule):
            self._cancel_pending("guard")

    def _cancel_pending(self, reason: str) -> None:
        pending = self.draft.pending
        if pending is not None:
            self.effects.append(TransitionCancelled(self.frame, pending.rule, pending.target, reason))
            self._update(pending=None)

    def _guard_holds(self, rule: Rule) -> bool:
        guard = rule.transition.when
        return guard is None or guard.holds(self._seen)

    def _seen(self, name: str) -> float:
        parameter = self.soundtrack.parameters[name]
        return self.draft.parameters[name].seen(self.frame, parameter.hysteresis, parameter.range)

    def _allowed(self, rule: Rule) -> bool:
        return self._guard_holds(rule) and self.frame >= self.draft.transition_rest.get(rule.index, 0)

    def _free(self, rule: int, ready: int) -> int:
        return max(ready, self.draft.dwell_until, self.draft.transition_rest.get(rule, 0))

    def _is_pending(self, rule: Rule) -> bool:
        pending = self.draft.pending
        return pending is not None and not pending.commanded and pending.rule == rule.index

    def _outranked(self, rule: Rule) -> bool:
        pending = self.draft.pending
        return pending is not None and not self._is_pending(rule) and rule.rank <= self._rank(pending)

    def _rank(self, pending: Pending) -> Rank:
        if pending.commanded or pending.rule is None:
            return COMMAND
        return self.rules.rules[pending.rule].rank

    @property
    def _phrase_bars(self) -> int | None:
        return self.soundtrack.music.phrase_bars if self.soundtrack.music else None

    def _frames_to(self, exit_point: ExitPoint) -> int:
        return self.clock.frames_to(exit_point, self._phrase_bars)

    def _update(self, **changes: object) -> None:
        self.draft = replace(self.draft, **changes)  # type: ignore[arg-type]
