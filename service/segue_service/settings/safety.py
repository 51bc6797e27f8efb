# SPDX-License-Identifier: Apache-2.0
"""Whether a server may listen where others can reach it."""

from __future__ import annotations

from segue_service.config import Settings


def refusal_to_bind(settings: Settings) -> str | None:
    """Why a server with these settings must not start, and how to go on; None if it may."""
    if settings.allow_anonymous or settings.tenants_file is not None or settings.jwks_file is not None:
        return None
    if settings.allow_anonymous is None and settings.is_loopback:
        return None
    if settings.allow_anonymous is False:
        return "allow_anonymous: it is false, and nobody could say who they are. Name tenants_file or jwks_file"
    if _binds_loopback(settings):
        where = f"session_route: a front door brings callers of other machines to {settings.session_route}"
    else:
        where = f"{public_host(settings)} can be reached from other machines"
    return (
        f"{where}, and nobody would be asked who they are. Name tenants_file or jwks_file, or stay on 127.0.0.1 alone; "
        "where a proxy or a private network keeps strangers out, or anybody may take a slot, say so: "
        "--allow-anonymous (SEGUE_ALLOW_ANONYMOUS=true)"
    )


def public_warning(settings: Settings) -> str | None:
    """What is worth saying once of a server that others can reach; None if nothing is."""
    if _binds_loopback(settings) or settings.tls_cert is not None:
        return None
    return (
        f"no TLS on {public_host(settings)}: tokens and music can be read on the way. Name tls_cert and tls_key, or "
        "let a proxy in front speak TLS"
    )


def public_host(settings: Settings) -> str:
    """The address by which others can reach it; the native one if both can be."""
    web = settings.web_host or settings.host
    return settings.host if web == settings.host or not settings.is_native_loopback else web


def _binds_loopback(settings: Settings) -> bool:
    return settings.is_native_loopback and (settings.web_port is None or settings.is_web_loopback)
