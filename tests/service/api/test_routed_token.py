# SPDX-License-Identifier: Apache-2.0
"""Tokens with the address of their session's process, as a front door reads them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.api.routed_token import bare, with_route

ROUTES = st.sampled_from(["10.1.2.3:7470", "[fd00::1]:7470", "255.255.255.255:65535"])
TOKENS = st.from_regex(r"[A-Za-z0-9_-]{43}|sgt\.[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{27}", fullmatch=True)


@given(route=ROUTES, token=TOKENS, again=ROUTES)
def test_the_label_comes_off_and_is_replaced(route: str, token: str, again: str) -> None:
    labelled = with_route(token, "s-0123456789abcdef", route)
    kind, label, session, rest = labelled.split(".", 3)
    assert (kind, session, rest) == ("sg1", "s-0123456789abcdef", token)
    assert base64.urlsafe_b64decode(label + "=" * (-len(label) % 4)).decode() == route
    assert bare(labelled) == token
    assert with_route(labelled, "s-0123456789abcdef", again) == with_route(token, "s-0123456789abcdef", again)
    assert with_route(token, "s-1", None) == token


@given(st.text(max_size=80))
def test_anything_is_taken_for_a_token(text: str) -> None:
    assert text.endswith(bare(text))


async def test_every_token_that_a_server_gives_has_it(start: Any) -> None:
    async with start(session_route="10.1.2.3:7470") as rig:
        made = await rig.create()
        assert made.token.startswith("sg1.MTAuMS4yLjM6NzQ3MA.")
        granted = await rig.live.GrantToken(pb.GrantTokenRequest(session_id=made.session_id), metadata=made.metadata)
        assert granted.session_token.startswith(f"sg1.MTAuMS4yLjM6NzQ3MA.{made.session_id}.sgt.")
        for token in (made.token, bare(made.token), granted.session_token):
            for metadata in ((("authorization", f"Bearer {token}"),), (("segue-session-token", token),)):
                await rig.live.GetSession(pb.GetSessionRequest(session_id=made.session_id), metadata=metadata)


@pytest.mark.parametrize("route", ["", "pod-1:7470", "10.0.0.1:7470 x", "http://10.0.0.1"])
async def test_a_route_is_an_address(route: str, start: Any) -> None:
    with pytest.raises(ValueError, match="session_route"):
        async with start(session_route=route):
            pass
