# SPDX-License-Identifier: Apache-2.0
"""What listeners do to a session: they come, report what they have heard, wish for a lead, and go. The playhead of a
lone one is the session's; it moves from the first chunk that is handed over until nobody listens any more. What they
are told is `telling`.
"""

from __future__ import annotations

from collections.abc import Callable

from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_service.errors import unknown_session
from segue_service.session.audience import Audience, stopped
from segue_service.session.listeners import Listener, Wish
from segue_service.session.parts import Parts
from segue_service.session.resume_points import ResumePoints
from segue_service.session.steering import Steering
from segue_service.session.transport import CLOSED, PLAYING, STOPPED, Transport
from segue_service.session.ways import Ways


class Listening:
    """One session's. Event loop only."""

    def __init__(
        self,
        session_id: str,
        parts: Parts,
        place: int,
        steering: Steering,
        transport: Transport,
        audience: Audience,
        resume_points: ResumePoints,
        ways: Ways,
        touch: Callable[[], None],
    ) -> None:
        """touch: somebody has shown that the session is wanted."""
        self.underruns = 0
        """As listeners have reported them."""
        self._session_id, self._place, self._history = session_id, place, parts.hub.history
        self._settings, self._metrics = parts.settings, parts.metrics
        self._steering, self._transport, self._audience = steering, transport, audience
        self._resume_points, self._ways, self._touch = resume_points, ways, touch

    def join(self, wish: Wish, begin: int | None, held: int | None = None) -> Listener:
        """Open a stream; begin is its first sample, None the playhead; held the take of what is before it. Raises
        Refused."""
        if self._transport.status == CLOSED:
            raise unknown_session(self._session_id)
        listener = self._audience.join(wish, begin, self._steering.playhead(), self._steering.take, held)
        listener.on_first = self._on_first
        listener.ways = self._ways
        point = self._resume_points.now() if wish.continuation else None
        if point is not None:
            listener.tell(StreamAudioResponse(resume_point=point))
        if self._transport.status == STOPPED:
            listener.end(stopped(), self._history.head_sample(self._place))
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is over. The playhead stands still when nobody listens."""
        if self._audience.leave(listener):
            self._touch()
            if listener.lead_ms:
                self._transport.lead(self._audience.lead_ms)
            if not len(self._audience):
                self._transport.play_head(moves=False)

    def report(
        self, listener_id: str, playhead: int | None, underruns: int = 0, round_trip: float | None = None
    ) -> int:
        """Book what a listener has heard; a lone one's playhead paces the session. Gives the playhead believed.

        round_trip: in seconds, as the listener has measured it.
        """
        self._touch()
        if round_trip:
            self._steering.rewinding.measured(round_trip)
        if underruns > 0:
            self.underruns += underruns
            self._metrics.underruns.labels("listener").inc(underruns)
        listener = self._audience.get(listener_id)
        if listener is None or playhead is None:
            return self._steering.playhead()
        first = self._history.first_sample(self._place)
        believed = listener.playhead = min(max(playhead, first), listener.position)
        if self._audience.lone is listener:
            self._transport.believe(believed)
        return believed

    def ask_lead(self, listener_id: str, lead_ms: int) -> None:
        """A listener would like this lead, within the server's limits, for as long as it listens."""
        settings = self._settings
        if self._audience.ask_lead(listener_id, min(max(lead_ms, settings.min_lead_ms), settings.max_lead_ms)):
            self._transport.lead(self._audience.lead_ms)

    def _on_first(self, listener: Listener) -> None:
        if self._transport.status == PLAYING:
            is_lone = self._audience.lone is listener
            self._transport.play_head(moves=True, begin=listener.wish.begin if is_lone else None)
