# SPDX-License-Identifier: Apache-2.0
"""The Match sample's backend against a real server: players who join hear the same music, the game server steers it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import json
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import segue
from segue.aio import connect
from segue.v1 import stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "tests" / "service" / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
KEY = "the game server's key"


def load() -> ModuleType:
    path = ROOT / "sdk" / "unity" / "Samples~" / "Match" / "match_backend.py"
    spec = importlib.util.spec_from_file_location("match_backend", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


backend = load()


def dead(error: BaseException) -> None:
    raise AssertionError from error


class Rig:
    """A Segue server, the backend in front of it, and a way to call that."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self._port = server, port

    async def call(self, method: str, path: str, body: Any = None, key: str | None = KEY) -> tuple[int, Any, Any]:
        """Status, what was told, headers."""

        def work() -> tuple[int, Any, Any]:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            with contextlib.closing(connection):
                connection.request(method, path, data, headers)
                response = connection.getresponse()
                told = response.read()
                return response.status, json.loads(told) if told else None, response.headers

        return await asyncio.to_thread(work)


@contextlib.asynccontextmanager
async def running_rig(slots: int = 2, patience: float = 5.0) -> AsyncIterator[Rig]:
    assembly = SimpleNamespace(engine=FakeEngine(slots=slots), style_encoder=HashStyleEncoder())
    settings = Settings(port=0, web_port=0, drain_ms=300, goodbye_ms=200)
    async with running(settings, assembly, [parse_soundtrack(TEXT)], on_death=dead) as server:
        with segue.connect(server.address) as music:
            matches = backend.Matches(music, "dungeon", server.web_address, 1000, patience)
            web = backend.make_server("127.0.0.1", 0, matches, KEY)
            thread = threading.Thread(target=web.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield Rig(server, web.server_port)
            finally:
                await asyncio.to_thread(web.shutdown)
                thread.join()
                web.server_close()


class Player:
    """Somebody who has joined a match and listens, until `end`."""

    def __init__(self, address: str, told: dict[str, str]) -> None:
        self.heard, self.end, self.hears = segue.NewestTakes(), 1 << 62, asyncio.Event()
        self.states: list[str] = []
        self.listening = asyncio.create_task(self._listen(address, told))

    async def _listen(self, address: str, told: dict[str, str]) -> None:
        async with connect(address) as music:
            session = music.attach(told["sessionId"], told["sessionToken"])
            session.on_event(self._on_event)
            async for block in session.audio(from_sample=0):
                self.heard.put(block)
                if self.heard.end > 48_000:
                    self.hears.set()
                if block.end >= self.end:
                    return

    def _on_event(self, event: stream_pb2.Event) -> None:
        if event.HasField("state_changed"):
            self.states.append(event.state_changed.to_state)


async def test_players_hear_the_same_and_the_game_server_steers_all_of_them() -> None:
    async with running_rig() as rig:
        status, made, _ = await rig.call("POST", "/match", {"match": "lobby-7", "seed": 7})
        assert (status, made["match"], made["address"]) == (201, "lobby-7", rig.server.web_address)
        status, joined, _ = await rig.call("GET", "/match/lobby-7", key=None)
        assert (status, joined) == (200, made)
        players = [Player(rig.server.address, told) for told in (made, joined)]
        await asyncio.gather(*(player.hears.wait() for player in players))
        event = {"event": "enemy_spotted", "set": {"danger": 0.9}}
        status, told, _ = await rig.call("POST", "/match/lobby-7/event", event)
        assert (status, told["state"]) == (200, "combat")
        for player in players:
            player.end = told["audibleAtSample"] + 48_000
        await asyncio.gather(*(player.listening for player in players))
        assert [player.states for player in players] == [["combat"], ["combat"]]
        length = min(player.heard.end for player in players)
        assert length >= players[0].end
        np.testing.assert_array_equal(players[0].heard.pcm[:length], players[1].heard.pcm[:length])
        status, told, _ = await rig.call("POST", "/match/lobby-7/event", {"set": {"danger": 0.5}})
        assert (status, told["state"]) == (200, "combat")


async def test_a_match_that_has_ended_is_silent_and_unknown() -> None:
    async with running_rig() as rig:
        _, made, _ = await rig.call("POST", "/match")
        player = Player(rig.server.address, made)
        await player.hears.wait()
        assert (await rig.call("DELETE", f"/match/{made['match']}"))[:2] == (204, None)
        await asyncio.wait_for(player.listening, 5)
        assert len(rig.server.registry) == 0
        for method, path in (("GET", ""), ("POST", "/event"), ("DELETE", "")):
            body = {"event": "boss_died"} if method == "POST" else None
            status, told, _ = await rig.call(method, f"/match/{made['match']}{path}", body)
            assert (status, "has ended or never was" in told["error"]) == (404, True)


async def test_a_session_that_is_gone_for_good_is_begun_anew_in_its_last_state() -> None:
    async with running_rig(patience=0.0) as rig:
        _, made, _ = await rig.call("POST", "/match", {"match": "m"})
        await rig.call("POST", "/match/m/event", {"event": "enemy_spotted", "set": {"danger": 0.9}})
        await rig.server.registry.close_all("as a server that has died")
        asked = await asyncio.gather(*(rig.call("GET", "/match/m", key=None) for _ in range(4)))
        assert {status for status, _, _ in asked} == {200}
        assert {told["sessionId"] for _, told, _ in asked} != {made["sessionId"]}
        (session,) = rig.server.registry
        assert {told["sessionId"] for _, told, _ in asked} == {session.session_id}
        described = session.describe()
        assert described.state == "combat"
        assert described.parameters[0].value == pytest.approx(0.9)


async def test_mistakes_get_a_sentence() -> None:
    async with running_rig(slots=1) as rig:
        assert (await rig.call("POST", "/match", {"match": "m"}))[0] == 201
        for method, path, body, status, said in (
            ("POST", "/match", {"match": "m"}, 409, 'a match "m" already'),
            ("POST", "/match", {"match": "../x"}, 400, "match: expected at most 64 letters"),
            ("POST", "/match", {"match": "n", "seed": -1}, 400, "seed: expected 0 to"),
            ("POST", "/match", {"match": "n", "seed": "7"}, 400, 'seed: expected a whole number, got "7"'),
            ("POST", "/match", {"matsch": "n"}, 400, "matsch: there is no such key; expected match, soundtrack, seed"),
            ("POST", "/match", {"soundtrack": "dungeom"}, 400, 'Did you mean "dungeon"?'),
            ("POST", "/match", {"match": "n"}, 503, "all 1 sessions of this server are taken"),
            ("POST", "/match", b"{", 400, "expected JSON"),
            ("POST", "/match", b"[]", 400, "expected a JSON object"),
            ("POST", "/match", b" " * 70_000, 413, "content-length of at most"),
            ("POST", "/match/m/event", {}, 400, 'expected an "event"'),
            ("POST", "/match/m/event", {"event": "enemy_spoted"}, 400, 'Did you mean "enemy_spotted"?'),
            ("POST", "/match/m/event", {"set": {"danger": 7}}, 400, "danger"),
            ("POST", "/match/m/event", {"set": {"danger": "high"}}, 400, "set.danger: expected a number"),
            ("GET", "/matches", None, 404, "expected POST /match, GET /match/ID"),
        ):
            got, told, headers = await rig.call(method, path, body)
            assert (got, said in told["error"]) == (status, True), (path, body, told)
            assert ("retry-after" in headers) == (status == 503)
        for method, path in (("POST", "/match"), ("POST", "/match/m/event"), ("DELETE", "/match/m")):
            for key in (None, "guess"):
                assert (await rig.call(method, path, {"event": "boss_died"}, key))[0] == 401
        assert len(rig.server.registry) == 1


def test_it_does_not_open_itself_to_others_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MATCH_KEY", raising=False)
    monkeypatch.setattr(sys, "argv", ["match_backend.py", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit):
        backend.main()
    assert "set $MATCH_KEY" in capsys.readouterr().err
