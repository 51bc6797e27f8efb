# SPDX-License-Identifier: Apache-2.0
"""What a tenant may have, over the wire: who is let in, how much, and what it sees of others."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from segue.v1 import control_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as ops
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.errors import Refused
from segue_service.security.buckets import Bucket
from segue_service.security.tenants import Quotas
from segue_service.security.usage import Usage

OPERATOR = (("authorization", "Bearer operator"),)


async def create(rig: Any, metadata: Any, **fields: Any) -> pb.CreateSessionResponse:
    request = pb.CreateSessionRequest(**{"soundtrack_id": "dungeon", "seed": 7, **fields})
    response: pb.CreateSessionResponse = await rig.live.CreateSession(request, metadata=metadata)
    return response


def token(response: pb.CreateSessionResponse) -> tuple[tuple[str, str], ...]:
    return (("segue-session-token", response.session_token),)


async def test_a_session_needs_a_tenant_and_its_token_needs_none(start: Any, tenants: Any, issuer: Any) -> None:
    key = tenants.add("studio")
    jwks = tenants.path.with_name("jwks.json")
    jwks.write_text(issuer.jwks())
    names = {"jwks_file": jwks, "jwt_issuer": "https://login.example", "jwt_audience": "segue"}
    async with start(tenants_file=tenants.path, operator_token="operator", **names) as rig:
        assert (await rig.live.GetServerInfo(pb.GetServerInfoRequest())).ready, "facts are open"
        refusal = await rig.refused(create(rig, ()))
        assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")
        stranger = (("authorization", "Bearer " + issuer.token(tenant="nobody")),)
        for wrong in (OPERATOR, (("authorization", "Bearer sgk_00000000_" + "a" * 43),), stranger):
            refusal = await rig.refused(create(rig, wrong))
            assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "TOKEN_WRONG")
        assert len(rig.server.registry) == 0
        made = await create(rig, key)
        await create(rig, (("authorization", "Bearer " + issuer.token("rsa")),))
        got = await rig.live.GetSession(pb.GetSessionRequest(session_id=made.session.session_id), metadata=token(made))
        assert got.session.tenant == "", "players are not told"
        listed = await rig.operations.ListSessions(ops.ListSessionsRequest(), metadata=OPERATOR)
        assert [session.tenant for session in listed.sessions] == ["studio", "studio"]
        refusal = await rig.refused(rig.operations.ListSessions(ops.ListSessionsRequest(), metadata=key))
        assert refusal.reason == "TOKEN_WRONG", "a tenant operates nothing"


async def test_a_herd_gets_exactly_its_sessions_and_gives_them_back(start: Any, tenants: Any) -> None:
    few, other = tenants.add("few", sessions=2), tenants.add("other")
    async with start(tenants_file=tenants.path) as rig:
        results = await asyncio.gather(*(create(rig, few) for _ in range(12)), return_exceptions=True)
        made = [result for result in results if isinstance(result, pb.CreateSessionResponse)]
        assert len(made) == 2
        refusal = await rig.refused(create(rig, few))
        assert (refusal.code, refusal.reason, refusal.retry_ms) == ("RESOURCE_EXHAUSTED", "QUOTA", 2000)
        assert 'quota "sessions"' in refusal.message
        assert (await create(rig, other)).session_token, "its neighbours have theirs"
        await rig.live.CloseSession(
            pb.CloseSessionRequest(session_id=made[0].session.session_id), metadata=token(made[0])
        )
        await create(rig, few)
        refusal = await rig.refused(create(rig, few, initial_state="nowhere"))
        assert refusal.code == "NOT_FOUND", "what is refused for another reason counts nothing"
        assert rig.server.registry.parts.security.usage.sessions("few") == 2


async def test_a_request_id_of_one_tenant_gets_nothing_of_anothers(start: Any, tenants: Any) -> None:
    ours, theirs = tenants.add("ours"), tenants.add("theirs")
    async with start(tenants_file=tenants.path) as rig:
        first = await create(rig, ours, request_id="0123456789abcdef")
        assert (await create(rig, ours, request_id="0123456789abcdef")).session_token == first.session_token
        second = await create(rig, theirs, request_id="0123456789abcdef")
        assert second.session.session_id != first.session.session_id


async def test_rates_leads_listeners_and_controls(start: Any, tenants: Any) -> None:
    quotas = {"creations_per_minute": 4, "lead_ms": 200, "listeners_per_session": 1, "controls_per_second": 1}
    key = tenants.add("studio", **quotas)
    async with start(tenants_file=tenants.path) as rig:
        refusal = await rig.refused(create(rig, key, target_lead_ms=201))
        assert 'quota "lead_ms"' in refusal.message
        assert refusal.retry_ms is None, "waiting does not help"
        refusal = await rig.refused(create(rig, key))
        assert 'quota "creations_per_minute"' in refusal.message
        assert 10_000 < (refusal.retry_ms or 0) <= 15_000
        tenants.add("studio", **{**quotas, "creations_per_minute": 6_000})
        await rig.server.registry.parts.security.access._tenants.look()
        await asyncio.sleep(0.05)  # the bucket is as empty as it was, and fills faster
        made = await create(rig, key)
        assert made.session.target_lead_ms == 200, "the usual lead is brought within the quota"
        one = rig.live.StreamAudio(pb.StreamAudioRequest(session_id=made.session.session_id), metadata=token(made))
        ready = (await one.read()).ready
        report = pb.ReportPlaybackRequest(session_id=made.session.session_id, listener_id=ready.listener_id)
        report.target_lead_ms = 5_000
        assert (await rig.live.ReportPlayback(report, metadata=token(made))).target_lead_ms == 200
        two = rig.live.StreamAudio(pb.StreamAudioRequest(session_id=made.session.session_id), metadata=token(made))
        refusal = await rig.refused(anext(aiter(two)))
        assert 'quota "listeners_per_session"' in refusal.message
        one.cancel()
        header = control_pb2.ControlHeader(session_id=made.session.session_id)
        event = pb.PostEventRequest(control=header, event="enemy_spotted")
        for _ in range(2):
            await rig.live.PostEvent(event, metadata=token(made))
        refusal = await rig.refused(rig.live.PostEvent(event, metadata=token(made)))
        assert 'quota "controls_per_second"' in refusal.message
        assert 0 < (refusal.retry_ms or 0) <= 1_000


async def test_listeners_of_all_sessions_are_counted_and_let_go(start: Any, tenants: Any, wait_until: Any) -> None:
    key = tenants.add("studio", listeners=1)
    async with start(tenants_file=tenants.path) as rig:
        first, second = await create(rig, key), await create(rig, key)

        def listen(made: Any) -> Any:
            request = pb.StreamAudioRequest(session_id=made.session.session_id)
            return rig.live.StreamAudio(request, metadata=token(made))

        stream = listen(first)
        await stream.read()
        assert 'quota "listeners"' in (await rig.refused(anext(aiter(listen(second))))).message
        stream.cancel()
        await wait_until(lambda: not rig.server.registry.parts.security.usage._listeners)
        assert (await listen(second).read()).HasField("ready")


async def test_a_tenant_sees_and_uses_its_own_soundtracks_only(
    start: Any, tenants: Any, soundtrack_text: str, issuer: Any
) -> None:
    cave = soundtrack_text.replace("soundtrack: dungeon", "soundtrack: cave")
    writer = tenants.add("writer", soundtracks=["ca*"], uploads=1)
    reader, jealous = tenants.add("reader", soundtracks=["dungeon"]), tenants.add("jealous", uploads=9)
    async with start(tenants_file=tenants.path, operator_token="operator") as rig:
        upload = authoring.UploadSoundtrackRequest(text=cave)
        assert (await rig.refused(rig.authoring.UploadSoundtrack(upload))).reason == "TOKEN_MISSING"
        refusal = await rig.refused(rig.authoring.UploadSoundtrack(upload, metadata=reader))
        assert 'quota "soundtracks"' in refusal.message
        await rig.authoring.UploadSoundtrack(upload, metadata=writer)
        await rig.authoring.UploadSoundtrack(upload, metadata=writer)
        newer = authoring.UploadSoundtrackRequest(text=cave.replace("version: 3", "version: 4"), replace=True)
        refusal = await rig.refused(rig.authoring.UploadSoundtrack(newer, metadata=writer))
        assert 'quota "uploads"' in refusal.message
        refusal = await rig.refused(rig.authoring.UploadSoundtrack(newer, metadata=jealous))
        assert refusal.reason == "TOKEN_WRONG", "nobody writes over another's"
        for metadata, seen in ((writer, ["cave"]), (reader, ["dungeon"]), (OPERATOR, ["cave", "dungeon"])):
            listed = await rig.authoring.ListSoundtracks(authoring.ListSoundtracksRequest(), metadata=metadata)
            assert [one.soundtrack_id for one in listed.soundtracks] == seen
        for call in (
            create(rig, reader, soundtrack_id="cave"),
            rig.authoring.GetSoundtrack(authoring.GetSoundtrackRequest(soundtrack_id="cave"), metadata=reader),
        ):
            refusal = await rig.refused(call)
            assert (refusal.reason, list(refusal.unknown.known)) == ("UNKNOWN_SOUNDTRACK", ["dungeon"])
        assert (await create(rig, writer, soundtrack_id="cave")).session_token
        for call in (
            rig.authoring.ValidateSoundtrack(authoring.ValidateSoundtrackRequest(text=cave)),
            rig.authoring.EmbedStyle(authoring.EmbedStyleRequest()),
        ):
            assert (await rig.refused(call)).reason == "TOKEN_MISSING", "what costs time is for tenants"


async def test_a_jwt_may_narrow_what_its_tenant_may_use(start: Any, tmp_path: Any, issuer: Any) -> None:
    (tmp_path / "jwks.json").write_text(issuer.jwks())
    settings = {"jwks_file": tmp_path / "jwks.json", "jwt_issuer": "https://login.example", "jwt_audience": "segue"}
    async with start(**settings) as rig:
        narrow = (("authorization", "Bearer " + issuer.token(soundtracks=["cave"])),)
        assert (await rig.refused(create(rig, narrow))).reason == "UNKNOWN_SOUNDTRACK"
        wide = (("authorization", "Bearer " + issuer.token(soundtracks=["dun*"])),)
        assert (await create(rig, wide)).session_token


async def test_a_tenant_that_is_gone_begins_nothing_and_what_plays_goes_on(start: Any, tenants: Any) -> None:
    key, _ = tenants.add("studio", controls_per_second=100), tenants.add("other")
    async with start(tenants_file=tenants.path) as rig:
        made = await create(rig, key)
        header = control_pb2.ControlHeader(session_id=made.session.session_id)
        await rig.live.PostEvent(pb.PostEventRequest(control=header, event="enemy_spotted"), metadata=token(made))
        tenants.remove("studio")
        assert await rig.server.registry.parts.security.access._tenants.look()
        assert (await rig.refused(create(rig, key))).reason == "TOKEN_WRONG"
        await rig.live.PostEvent(pb.PostEventRequest(control=header, event="enemy_spotted"), metadata=token(made))


@pytest.mark.parametrize("missing", ["jwt_issuer", "jwt_audience"])
def test_jwts_without_issuer_or_audience_are_no_setting(tmp_path: Any, missing: str) -> None:
    from segue_service.config import Settings

    given = {"jwks_file": tmp_path, "jwt_issuer": "a", "jwt_audience": "b", missing: None}
    with pytest.raises(ValueError, match=missing):
        Settings.model_validate(given)


def test_a_bucket_fills_by_its_clock_alone() -> None:
    now = [100.0]
    bucket = Bucket(lambda: now[0])
    assert [bucket.take(2.0, 3.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] += 0.25
    assert bucket.take(2.0, 3.0) == pytest.approx(0.25)
    now[0] += 0.25
    assert bucket.take(2.0, 3.0) == 0.0
    now[0] += 1e6
    assert [bucket.take(2.0, 3.0) for _ in range(4)][2:] == [0.0, 0.5], "never more than a burst"


def test_bytes_kept_are_counted_once_a_version() -> None:
    usage = Usage(lambda _: Quotas.model_validate({"uploads": 2, "upload_bytes": 100}))
    usage.check_upload("a", "x", 1, 100)
    usage.uploaded("a", "x", 1, 90)
    usage.check_upload("a", "x", 1, 100)
    for name, size, quota in (("y", 11, "upload_bytes"), ("y", 10, "")):
        if quota:
            with pytest.raises(Refused, match=quota):
                usage.check_upload("a", name, 1, size)
        else:
            usage.check_upload("a", name, 1, size)
    usage.uploaded("a", "y", 1, 10)
    with pytest.raises(Refused, match="uploads"):
        usage.check_upload("a", "x", 2, 0)
    usage.check_upload("b", "x", 2, 100)


def test_the_quota_is_named_for_machines() -> None:
    from google.rpc import error_details_pb2

    with pytest.raises(Refused) as caught:
        Usage(lambda _: Quotas.model_validate({"sessions": 0})).claim_session("studio")
    (failure,) = [detail for detail in caught.value.details if isinstance(detail, error_details_pb2.QuotaFailure)]
    assert (failure.violations[0].quota_id, failure.violations[0].subject) == ("sessions", "tenant:studio")
    assert grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] == caught.value.code
