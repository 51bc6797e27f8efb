# SPDX-License-Identifier: Apache-2.0
"""Whether a server may listen where others can reach it."""

from __future__ import annotations

from segue_service.config import Settings


def refusal_to_bind(settings: Settings) -> str | None:
    """Why a server with these settings must not start, and how to go on; None if it may."""
    if settings.is_loopback or settings.allow_anonymous or _knows_its_callers(settings):
        return None
    return (
        f"{public_host(settings)} can be reached from other machines, and nobody would be asked who they are. Name "
        "tenants_file or jwks_file, or stay on 127.0.0.1; where a proxy or a private network keeps strangers out, or "
        "anybody may take a slot, say so: --allow-anonymous (SEGUE_ALLOW_ANONYMOUS=true)"
    )


def public_warning(settings: Settings) -> str | None:
    """What is worth saying once of a server that others can reach; None if nothing is."""
    if settings.is_loopback or settings.tls_cert is not None:
        return None
    return (
        f"no TLS on {public_host(settings)}: tokens and music can be read on the way. Name tls_cert and tls_key, or "
        "let a proxy in front speak TLS"
    )


def public_host(settings: Settings) -> str:
    """The address by which others can reach it; the native one if both can be."""
    web = settings.web_host or settings.host
    return settings.host if web == settings.host or not settings.is_native_loopback else web


def _knows_its_callers(settings: Settings) -> bool:
    return settings.tenants_file is not None or settings.jwks_file is not None
