# SPDX-License-Identifier: Apache-2.0
"""Soundtracks whose files change under a running server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile

from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.cli.console import CommandError
from segue_service.cli.files import prompt_audio
from segue_service.cli.serve import load_offers
from segue_service.config import Settings
from segue_service.observe.log import configure
from segue_service.reloading import Reloading
from segue_service.server import Server, running
from segue_service.soundtrack_files import SoundtrackFiles

QUIET = "soundtrack: quiet\nversion: {version}\ninitial: {state}\nstyles: {{ a: {{ prompts: {{ {prompt}: 1 }} }} }}\n"
QUIET += "states: {{ {state}: {{ style: a }} }}\n"
links = pytest.mark.skipif(sys.platform == "win32", reason="Windows gives links to administrators only")


def quiet(version: int = 1, state: str = "first", prompt: str = "calm") -> str:
    return QUIET.format(version=version, state=state, prompt=prompt)


@dataclass
class Looked:
    """A server whose files are looked at when the test says so."""

    server: Server
    reloading: Reloading
    stream: io.StringIO

    async def settle(self) -> None:
        """As many looks as it takes."""
        while await self.reloading.look():
            pass

    def state(self, name: str = "quiet") -> str:
        return self.server.library.get(name).soundtrack.initial

    def counted(self) -> tuple[float, float]:
        """Changes that were taken up, and refused."""
        found = self.server.metrics.registry.get_sample_value
        used, refused = (
            found("segue_reloads_total", {"file": "soundtracks", "result": result}) for result in ("used", "refused")
        )
        assert used is not None
        assert refused is not None
        return used, refused

    def said(self, level: str) -> list[dict[str, Any]]:
        """What this log has held since the last call."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        return [line for line in lines if line["part"] == "soundtracks" and line["level"] == level]


@contextlib.asynccontextmanager
async def looked(*paths: Path, **settings: Any) -> AsyncIterator[Looked]:
    stream = io.StringIO()
    configure("json", "info", stream)
    offers, files = load_offers(list(paths))
    assembly: Any = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    given = Settings(port=0, drain_ms=0, goodbye_ms=0, soundtrack_reload_ms=0, **settings)
    async with running(given, assembly, offers, files=files) as server:
        yield Looked(server, Reloading(files, server.library, server.registry), stream)


async def test_an_edit_is_taken_up_once_it_has_settled(tmp_path: Path) -> None:
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())
    async with looked(tmp_path) as rig:
        await rig.settle()
        assert rig.counted() == (0, 0), "nothing has changed"
        file.write_text(quiet(state="second"))
        assert await rig.reloading.look(), "it may be half written"
        assert rig.state() == "first"
        await rig.settle()
        assert rig.state() == "second"
        os.utime(file, (1, 1))
        await rig.settle()
        assert rig.counted() == (1, 0), "touched is not changed"
        (tmp_path / "new~").write_text(quiet(version=2, state="third"))
        (tmp_path / "new~").replace(file)
        await rig.settle()
        assert (rig.state(), rig.server.library.get("quiet", 1).soundtrack.initial) == ("third", "second")
        file.write_text(quiet(version=1, state="fourth"))
        await rig.settle()
        assert rig.server.library.get("quiet", 1).soundtrack.initial == "fourth"
        assert [line["newest"] for line in rig.said("warning")] == [2]


async def test_what_changes_before_the_server_is_ready_is_taken_up_too(tmp_path: Path) -> None:
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())

    class Slow(FakeEngine):
        def warm_up(self) -> None:
            file.write_text(quiet(state="second"))

    offers, files = load_offers([tmp_path])
    assembly: Any = SimpleNamespace(engine=Slow(slots=2), style_encoder=HashStyleEncoder())
    async with running(Settings(port=0, drain_ms=0, soundtrack_reload_ms=0), assembly, offers, files=files) as server:
        rig = Looked(server, Reloading(files, server.library, server.registry), io.StringIO())
        assert rig.state() == "first"
        await rig.settle()
        assert rig.state() == "second"


async def test_what_can_not_be_used_is_told_once_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())
    async with looked(tmp_path, max_soundtrack_bytes=1024, max_soundtrack_prompts=2) as rig:
        for text, said in (
            (quiet().replace("style: a", "style: b"), "quiet.soundtrack.yaml:5:"),
            (quiet()[:60], "quiet.soundtrack.yaml"),
            (quiet(state="x" * 1024), "at most 1024 bytes"),
            (quiet(prompt="a: 1, b: 1, c"), "at most 2 prompts"),
        ):
            file.write_text(text)
            for _ in range(3):
                await rig.settle()
            [line] = rig.said("error")
            assert said in line["error"]
            assert line["file"] == str(file)
            assert rig.state() == "first"
        file.write_bytes(b"soundtrack: \xff")
        await rig.settle()
        assert rig.counted() == (0, 5)
        file.write_text(quiet(state="mended"))
        await rig.settle()
        assert (rig.state(), rig.counted()) == ("mended", (1, 5))


async def test_new_files_are_added_and_gone_ones_stay(tmp_path: Path) -> None:
    file, new = tmp_path / "quiet.soundtrack.yaml", tmp_path / "deep" / "new.soundtrack.yaml"
    file.write_text(quiet())
    async with looked(tmp_path) as rig:
        new.parent.mkdir()
        new.write_text(quiet().replace("quiet", "new"))
        (tmp_path / "notes.yaml").write_text(quiet(version=9))
        await rig.settle()
        assert rig.state("new") == "first"
        new.unlink()
        await rig.settle()
        await rig.settle()
        [line] = rig.said("warning")
        assert line["file"] == str(new)
        assert rig.state("new") == "first"
        assert rig.counted() == (1, 0)
        new.write_text(quiet(state="back").replace("quiet", "new"))
        await rig.settle()
        assert rig.state("new") == "back"


@links
async def test_a_config_map_that_is_swapped(tmp_path: Path) -> None:
    """As the kubelet does it: a new hidden folder, and the link `..data` turned over to it in one step."""

    def mount(stamp: str, **files: str) -> None:
        (tmp_path / stamp).mkdir()
        for name, text in files.items():
            (tmp_path / stamp / f"{name}.soundtrack.yaml").write_text(text)
            os.utime(tmp_path / stamp / f"{name}.soundtrack.yaml", (1, 1))
        (tmp_path / "..data_tmp").symlink_to(stamp)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        for name in files:
            link = tmp_path / f"{name}.soundtrack.yaml"
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}.soundtrack.yaml")

    mount("..2026_11_26_1", quiet=quiet(state="one"))
    async with looked(tmp_path) as rig:
        mount("..2026_11_26_2", quiet=quiet(state="two"), other=quiet().replace("quiet", "other"))
        await rig.settle()
        assert (rig.state(), rig.state("other"), rig.counted()) == ("two", "first", (2, 0))
        mount("..2026_11_26_3", quiet=quiet(state="two"), other=quiet().replace("quiet", "other"))
        await rig.settle()
        assert rig.counted() == (2, 0), "other files, and nothing else in them"


async def test_two_files_with_one_soundtrack(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.soundtrack.yaml", tmp_path / "b.soundtrack.yaml"
    ours.write_text(quiet())
    theirs.write_text(quiet())
    async with looked(tmp_path) as rig:
        theirs.write_text(quiet(state="second"))
        await rig.settle()
        [line] = rig.said("error")
        assert f'"quiet" version 1 is in {ours} too' in line["error"]
        (tmp_path / "c.soundtrack.yaml").write_text(quiet(version=2, state="third"))
        await rig.settle()
        assert (rig.state(), rig.server.library.get("quiet", 1).soundtrack.initial) == ("third", "first")
        assert rig.said("error") == [], "told once, though it was looked at again"
        ours.unlink()
        await rig.settle()
        await rig.settle()
        assert rig.server.library.get("quiet", 1).soundtrack.initial == "second", "nothing is in its way any more"
    ours.write_text(quiet(state="first"))
    with pytest.raises(CommandError, match="version 1 is in"):
        load_offers([tmp_path])


async def test_a_recording_that_comes_later(tmp_path: Path) -> None:
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())
    async with looked(tmp_path) as rig:
        file.write_text(quiet(state="second").replace("{ calm: 1 }", "[{ audio: refs/a.flac, weight: 1 }]"))
        await rig.settle()
        [line] = rig.said("error")
        assert "refs/a.flac" in line["error"]
        (tmp_path / "refs").mkdir()
        soundfile.write(tmp_path / "refs" / "a.flac", np.zeros(4800, np.float32), 48_000)
        await rig.settle()
        assert (rig.state(), rig.counted()) == ("second", (1, 1))


async def test_a_file_that_can_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())

    def locked(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    async with looked(tmp_path) as rig:
        file.write_text(quiet(state="second"))
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr("segue_service.reloading.read_raw", locked)
            for _ in range(3):
                await rig.settle()
        assert [line["error"] for line in rig.said("error")] == [f"{file}: Permission denied"]
        await rig.settle()
        assert (rig.state(), rig.counted()) == ("second", (1, 1))


DUNGEON = Path(__file__).with_name("dungeon.soundtrack.yaml").read_text(encoding="utf-8")


@contextlib.asynccontextmanager
async def playing(tmp_path: Path, talk: Any, **settings: Any) -> AsyncIterator[tuple[Any, Path]]:
    """A rig whose server looks by itself, and the file of its dungeon."""
    file = tmp_path / "dungeon.soundtrack.yaml"
    file.write_text(DUNGEON)
    offers, files = load_offers([file])
    assembly: Any = SimpleNamespace(engine=FakeEngine(slots=4), style_encoder=HashStyleEncoder())
    given = Settings(port=0, drain_ms=500, goodbye_ms=100, soundtrack_reload_ms=50, **settings)
    async with (
        running(given, assembly, offers, files=files) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield talk(server, assembly.engine, channel), file


async def changed(rig: Any, file: Path, text: str, wait_until: Any) -> None:
    """The file holds this, and the server has taken it up."""
    used = rig.server.metrics.reloads.labels("soundtracks", "used")._value
    before = used.get()
    await asyncio.to_thread(file.write_text, text)
    await wait_until(lambda: used.get() > before)


async def test_a_playing_session_hears_the_change(tmp_path: Path, wait_until: Any, talk: Any) -> None:
    """Its music, its machine, and what it will come back with."""
    audit = tmp_path / "audit.jsonl"
    async with playing(tmp_path, talk, audit_log=audit) as (rig, file):
        opened, other = await rig.create(), await rig.create()
        await opened.call("SetParameters", parameters={"values": [{"name": "danger", "value": 0.9}]})
        call = opened.stream(with_continuation=True, from_sample=0)
        text = DUNGEON.replace("calm exploration: 1.0", "stormy sea: 1.0").replace("enemy_spotted", "ambush")
        text = text.replace("range: [0, 1]", "range: [0, 0.5]")
        await changed(rig, file, text, wait_until)
        now = (await opened.call("GetSession")).session
        assert now.soundtrack_hash == rig.server.library.get("dungeon").hash
        assert now.state == "explore"
        assert rig.server.metrics.rewinds._value.get() >= 2, "what had been made and not been heard is made anew"
        rewound = 0
        async for message in call:
            rewound += message.WhichOneof("message") == "event" and message.event.HasField("rewound")
            if message.WhichOneof("message") == "resume_point" and rewound:
                point = message.resume_point.token
                if rig.server.registry.parts.seal.open(bytes(point)).hash == now.soundtrack_hash[:32]:
                    break
        call.cancel()
        assert rig.session(opened).describe().parameters[0].value <= 0.5, "on its way to where it may be"
        refusal = await rig.refused(opened.call("PostEvent", event="enemy_spotted"))
        assert refusal.reason == "UNKNOWN_NAME"
        assert (await other.call("PostEvent", event="ambush")).state == "combat"
        gone = text.replace("explore", "wander")
        await changed(rig, file, gone, wait_until)
        assert (await opened.call("GetSession")).session.state == "wander", "its state is no more"
        assert (await other.call("GetSession")).session.state == "combat"
        _, messages = await opened.hear(rig.session(opened).head_sample, from_sample=0)
        told = [one.event.state_changed.to_state for one in messages if one.event.HasField("state_changed")]
        assert told == ["wander"], "and clients are told"
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    told = [line for line in lines if line["action"] == "reload"]
    assert [line["soundtrack"] for line in told] == ["dungeon 3"] * 2
    assert told[1]["detail"] == f"{len(gone.encode())} bytes, {file.name}"
    assert not any("tenant" in line for line in told)


async def test_the_music_turns_over_as_if_it_had_been_steered(tmp_path: Path, wait_until: Any, talk: Any) -> None:
    async with playing(tmp_path, talk, rewinds_per_second=0) as (rig, file):
        opened = await rig.create()
        session = rig.session(opened)
        before = session._planning.since(session._steering.head_frame())[0][1]
        await changed(rig, file, DUNGEON.replace("fade: 2 bars", "fade: 1 bar"), wait_until)
        assert session._planning.since(session._steering.head_frame())[0][1].style_codes == before.style_codes
        await changed(rig, file, DUNGEON.replace("harp: 0.4", "thunder: 0.9"), wait_until)
        after = session._planning.since(session._steering.head_frame() + 1)[0][1]
        assert after.style_codes != before.style_codes
        assert rig.server.metrics.rewinds._value.get() == 0
        heard, _ = await opened.hear(20 * 1920)
        assert len(heard) == 20 * 1920 * 4


async def test_another_version_is_for_new_sessions(tmp_path: Path, wait_until: Any, talk: Any) -> None:
    async with playing(tmp_path, talk) as (rig, file):
        opened = await rig.create()
        begun = (await opened.call("GetSession")).session
        await changed(rig, file, DUNGEON.replace("version: 3", "version: 4").replace("calm", "loud"), wait_until)
        now = (await opened.call("GetSession")).session
        assert (now.soundtrack_version, now.soundtrack_hash) == (3, begun.soundtrack_hash)
        later = (await (await rig.create()).call("GetSession")).session
        assert later.soundtrack_version == 4
        listed = await rig.authoring.ListSoundtracks(authoring.ListSoundtracksRequest())
        assert [one.version for one in listed.soundtracks] == [4]
        await opened.call("Pause")
        await changed(rig, file, DUNGEON.replace("harp", "lute"), wait_until)
        paused = (await opened.call("GetSession")).session
        assert paused.soundtrack_hash != begun.soundtrack_hash, "who is paused comes along"
        await opened.call("Play")
        await opened.hear(8 * 1920)


async def test_a_session_that_can_not_follow_keeps_what_it_has(
    tmp_path: Path, wait_until: Any, talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with playing(tmp_path, talk) as (rig, file):
        opened, other = await rig.create(), await rig.create()
        stuck = rig.session(opened)
        begun = stuck.record

        async def fails(*given: Any, **named: Any) -> Any:
            raise RuntimeError("no device")

        monkeypatch.setattr(stuck._steering, "_land_soon", fails)
        await changed(rig, file, DUNGEON.replace("enemy_spotted", "ambush"), wait_until)
        monkeypatch.undo()
        assert stuck.record is begun
        assert (await opened.call("PostEvent", event="enemy_spotted")).state == "combat"
        assert (await other.call("PostEvent", event="ambush")).state == "combat"


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 0 or at least 50"):
        Settings(soundtrack_reload_ms=20)
    file = tmp_path / "quiet.soundtrack.yaml"
    file.write_text(quiet())
    files = SoundtrackFiles([file], prompt_audio)
    offers = [files.load(file)]
    for every_ms, looks in ((0, False), (60_000, True)):
        assembly: Any = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
        settings = Settings(port=0, drain_ms=0, goodbye_ms=0, soundtrack_reload_ms=every_ms)
        async with running(settings, assembly, offers, files=files):
            names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
        assert ("Reloading.run" in names) is looks
    assert "Reloading.run" not in {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
