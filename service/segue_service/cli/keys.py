# SPDX-License-Identifier: Apache-2.0
"""`segue keys`: API keys of tenants. The key itself is shown once and kept by nobody here."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError

keys = typer.Typer(help="API keys of tenants, for the tenants file.", no_args_is_help=True)

Days = Annotated[float | None, typer.Option(min=0.01, max=3650.0, help="Days until the key expires. [default: never]")]


@keys.command("new")
def new(tenant: Annotated[str, typer.Argument(help="Id of the tenant.")], days: Days = None) -> None:
    """Make a key: the key itself on standard output, its entry for the tenants file on standard error."""
    from segue_service.security.keys import new_key
    from segue_service.security.tenants import TENANT

    if not re.fullmatch(TENANT, tenant):
        raise CommandError(f"TENANT: expected letters, digits, '.', '_' and '-', got {tenant!r}", EXIT_BAD_INPUT)
    made = new_key()
    _show_entry(tenant, made.id, made.sha256, days)
    print(made.key)


@keys.command("hash")
def hash_(days: Days = None) -> None:
    """Read a key from standard input, and print its entry for the tenants file."""
    from segue_service.security.keys import digest_of_key, id_of
    from segue_service.security.tenants import key_lines

    key = sys.stdin.readline().strip()
    try:
        print(key_lines(id_of(key), digest_of_key(key), _until(days)))
    except ValueError as error:
        raise CommandError(str(error), EXIT_BAD_INPUT) from None


def _show_entry(tenant: str, key_id: str, sha256: str, days: float | None) -> None:
    from segue_service.security.tenants import key_lines

    said = f"# for the tenants file; the key below is shown once, give it to {tenant}\n  - id: {tenant}\n    api_keys:"
    print(f"{said}\n{key_lines(key_id, sha256, _until(days))}", file=sys.stderr)


def _until(days: float | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)
