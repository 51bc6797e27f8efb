# SPDX-License-Identifier: Apache-2.0
"""A game's backend, as small as it can be: one Segue session for each match, and its token for the match's players.

    python match_backend.py --segue localhost:7470 --soundtrack dungeon

    POST   /match               begin a match: {"match": "lobby-7", "soundtrack": "dungeon", "seed": 7}, all optional
    GET    /match/ID            where its music is, for a player who joins
    POST   /match/ID/event      from the game server: {"event": "enemy_spotted", "set": {"danger": 0.8}}, one or both
    DELETE /match/ID            end it

POST and GET of a match answer {"match", "address", "sessionId", "sessionToken"}; a mistake is answered as {"error"}.

Players get the session's token and nothing else. The token of the Segue server ($SEGUE_TOKEN) stays here, and so does
the game server's key ($MATCH_KEY): where there is one, everything but GET asks for "authorization: Bearer KEY".
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, ClassVar, TypeVar

import segue

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_BYTES = 1 << 16


class WrongRequest(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that is refused: an HTTP status, a sentence, and how long to wait before it may go better."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


@dataclass
class Match:
    """A match and its session, with what it takes to begin the session anew."""

    name: str
    soundtrack: str
    session: segue.Session
    state: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Matches:
    """All matches of this backend, in its memory. Any thread."""

    def __init__(self, music: segue.Client, soundtrack: str, clients_at: str, lead_ms: int, patience: float) -> None:
        """clients_at: the address that players are given. patience: seconds until a lost session is given up."""
        self._music, self._soundtrack, self._clients_at = music, soundtrack, clients_at
        self._lead_ms, self._patience = lead_ms, patience
        self._matches: dict[str, Match] = {}
        self._lock = threading.Lock()

    def begin(self, wish: Mapping[str, Any]) -> dict[str, str]:
        """A new match. Raises WrongRequest, segue.SegueError."""
        name = wish.get("match", "") or secrets.token_urlsafe(9)
        if not NAME.fullmatch(name):
            raise WrongRequest(400, "match: expected at most 64 letters, digits, - and _")
        seed = wish.get("seed")
        if seed is not None and not 0 <= seed < 1 << 63:
            raise WrongRequest(400, f"seed: expected 0 to {(1 << 63) - 1}")
        soundtrack = wish.get("soundtrack", "") or self._soundtrack
        taken = WrongRequest(409, f'there is a match "{name}" already')
        with self._lock:
            if name in self._matches:
                raise taken
        session = self._music.play(soundtrack, seed=seed, lead_ms=self._lead_ms, labels={"match": name})
        with self._lock:
            won = self._matches.setdefault(name, Match(name, soundtrack, session)).session is session
        if not won:
            session.close()
            raise taken
        return self._told(name, session)

    def join(self, name: str) -> dict[str, str]:
        """Where a match's music is. A session that is gone for good is begun anew. Raises as begin does."""
        match = self._find(name)
        self._on(match, lambda session: session.get())
        return self._told(name, match.session)

    def post(self, name: str, event: str, values: Mapping[str, float]) -> dict[str, Any]:
        """Steer a match's music. Raises as begin does."""
        match = self._find(name)
        if event:
            reply = self._on(match, lambda session: session.post(event, set=dict(values) or None))
        else:
            reply = self._on(match, lambda session: session.set(dict(values)))
        match.state = reply.state
        match.parameters.update(values)
        return {"state": reply.state, "audibleAtSample": reply.audible_at_sample, "reason": reply.reason}

    def end(self, name: str) -> None:
        """Close a match's session. Raises as begin does."""
        self._find(name).session.close()
        with self._lock:
            self._matches.pop(name, None)

    def end_all(self) -> None:
        """Close what is open, as far as that is possible."""
        for name in list(self._matches):
            try:
                self.end(name)
            except (WrongRequest, segue.SegueError) as error:
                print(f"match {name}: {error}", file=sys.stderr)

    def _find(self, name: str) -> Match:
        with self._lock:
            match = self._matches.get(name)
        if match is None:
            raise WrongRequest(404, f'no match "{name[:64]}": it has ended or never was')
        return match

    def _told(self, name: str, session: segue.Session) -> dict[str, str]:
        return {
            "match": name,
            "address": self._clients_at,
            "sessionId": session.session_id,
            "sessionToken": session.token,
        }

    def _on(self, match: Match, do: Callable[[segue.Session], T]) -> T:
        """Do something with a match's session. When a server has died, its players bring the session back within some
        seconds, to another server or the same one; where nobody does, it is begun anew in its last state."""
        deadline = time.monotonic() + self._patience
        while True:
            session = match.session
            try:
                return do(session)
            except segue.NotFound as error:
                if error.reason != "UNKNOWN_SESSION":
                    raise
            if time.monotonic() >= deadline:
                self._begin_anew(match, session)
                deadline = time.monotonic() + self._patience
            else:
                time.sleep(0.2)

    def _begin_anew(self, match: Match, lost: segue.Session) -> None:
        with match.lock:
            if match.session is lost:
                match.session = self._music.play(
                    *(match.soundtrack,),
                    state=match.state,
                    parameters=match.parameters,
                    lead_ms=self._lead_ms,
                    labels={"match": match.name},
                )


def refusal(error: segue.SegueError) -> WrongRequest:
    """What the caller is told when Segue has refused."""
    if isinstance(error, segue.ResourceExhausted | segue.Unavailable | segue.DeadlineExceeded):
        return WrongRequest(503, str(error), error.retry_after or 1.0)
    if isinstance(error, segue.Unauthenticated | segue.PermissionDenied):
        return WrongRequest(502, f"the Segue server refuses this backend ($SEGUE_TOKEN): {error}")
    if isinstance(error, segue.NotFound | segue.InvalidArgument | segue.FailedPrecondition):
        return WrongRequest(400, str(error))
    return WrongRequest(502, str(error))


class Requests(BaseHTTPRequestHandler):
    """One connection. `matches` and `key` are the server's."""

    matches: ClassVar[Matches]
    key: ClassVar[str | None]
    protocol_version = "HTTP/1.1"
    server_version = "match-backend"
    timeout = 30

    def answer(self) -> None:
        """Whatever comes: do it and say so, or say why not."""
        try:
            body = self._body()
            status, told = self._do(self.path.split("?")[0].strip("/").split("/"), body)
            self._send(status, told)
        except segue.SegueError as error:
            self._refuse(refusal(error))
        except WrongRequest as error:
            self._refuse(error)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = answer  # noqa: N815 (http.server's names)

    def _do(self, path: list[str], body: dict[str, Any]) -> tuple[int, Mapping[str, Any] | None]:
        match [self.command, *path]:
            case ["GET", "match", name]:
                # A real backend makes sure here that whoever asks has logged in and plays in this match.
                return 200, self.matches.join(name)
            case ["POST", "match"]:
                self._is_game_server()
                check(body, {"match": str, "soundtrack": str, "seed": int})
                return 201, self.matches.begin(body)
            case ["POST", "match", name, "event"]:
                self._is_game_server()
                check(body, {"event": str, "set": dict})
                if not body.get("event") and not body.get("set"):
                    raise WrongRequest(400, 'expected an "event", or values to "set"')
                for parameter, value in body.get("set", {}).items():
                    check({f"set.{parameter}": value}, {f"set.{parameter}": float})
                return 200, self.matches.post(name, body.get("event", ""), body.get("set", {}))
            case ["DELETE", "match", name]:
                self._is_game_server()
                self.matches.end(name)
                return 204, None
        there = "POST /match, GET /match/ID, POST /match/ID/event, DELETE /match/ID"
        raise WrongRequest(404, f"{self.command} {self.path[:100]}: expected {there}")

    def _is_game_server(self) -> None:
        kind, _, given = self.headers.get("authorization", "").partition(" ")
        if self.key is not None and not (
            kind.lower() == "bearer" and hmac.compare_digest(given.encode(), self.key.encode())
        ):
            raise WrongRequest(401, "only the game server may do that: expected its key as authorization: Bearer KEY")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("content-length", "0")
        if self.headers.get("transfer-encoding") or not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True
            raise WrongRequest(413, f"expected a body with a content-length of at most {MOST_BYTES}")
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError as error:
            raise WrongRequest(400, f"expected JSON: {error}") from None
        if not isinstance(body, dict):
            raise WrongRequest(400, "expected a JSON object")
        return body

    def _refuse(self, error: WrongRequest) -> None:
        headers = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
        if error.status == 401:
            headers["www-authenticate"] = "Bearer"
        self._send(error.status, {"error": str(error)}, headers)

    def _send(self, status: int, told: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> None:
        data = b"" if told is None else json.dumps(told).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if told is not None:
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def check(body: Mapping[str, Any], expected: Mapping[str, type]) -> None:
    """Raises WrongRequest unless every key is expected and its value of the right kind."""
    kinds = {str: "a text", int: "a whole number", float: "a number", dict: "an object"}
    for key, value in body.items():
        if key not in expected:
            raise WrongRequest(400, f"{key[:64]}: there is no such key; expected {', '.join(expected)}")
        kind = (int, float) if expected[key] is float else expected[key]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise WrongRequest(400, f"{key[:64]}: expected {kinds[expected[key]]}, got {json.dumps(value)[:64]}")


def make_server(host: str, port: int, matches: Matches, key: str | None) -> ThreadingHTTPServer:
    """The HTTP server, listening. Raises OSError."""
    handler = type("OfThisServer", (Requests,), {"matches": matches, "key": key})
    return ThreadingHTTPServer((host, port), handler)


def interrupt(number: int, frame: FrameType | None) -> None:
    """A signal handler: the main thread comes out of whatever it does. Raises KeyboardInterrupt."""
    raise KeyboardInterrupt


def main() -> int:
    """Serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="to listen on [%(default)s]")
    parser.add_argument("--port", type=int, default=7480, help="to listen on [%(default)s]")
    parser.add_argument("--segue", default="localhost:7470", help="the Segue server's gRPC address [%(default)s]")
    parser.add_argument("--tls", action="store_true", help="the Segue server speaks TLS")
    parser.add_argument(
        "--clients-at", default="http://localhost:7471", help="its gRPC-Web address, for players [%(default)s]"
    )
    parser.add_argument("--soundtrack", default="dungeon", help="of a match that names none [%(default)s]")
    parser.add_argument("--lead-ms", type=int, default=1000, help="music that is generated ahead [%(default)s]")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds until a lost session is begun anew")
    given = parser.parse_args()
    key = os.environ.get("MATCH_KEY") or None
    if key is None and given.host not in ("127.0.0.1", "localhost", "::1"):
        parser.error(f"--host {given.host}: others could end matches; set $MATCH_KEY to the game server's key first")
    with segue.connect(given.segue, os.environ.get("SEGUE_TOKEN") or None, tls=given.tls) as music:
        try:
            known = [soundtrack.soundtrack_id for soundtrack in music.soundtracks()]
        except segue.SegueError as error:
            print(f"no Segue server at {given.segue} (segue serve …): {error}", file=sys.stderr)
            return 1
        if given.soundtrack not in known:
            print(
                f'--soundtrack: no "{given.soundtrack}" at {given.segue}; there is: {", ".join(known)}', file=sys.stderr
            )
            return 1
        matches = Matches(music, given.soundtrack, given.clients_at, given.lead_ms, given.patience)
        try:
            server = make_server(given.host, given.port, matches, key)
        except OSError as error:
            print(f"{given.host}:{given.port}: {error}", file=sys.stderr)
            return 1
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        print(f"matches on http://{given.host}:{server.server_port}, Ctrl-C stops", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
            matches.end_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
