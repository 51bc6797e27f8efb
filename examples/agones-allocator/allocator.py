#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a game's backend gets a session for a match: a server from Agones, and from that server the session.

    python allocator.py dungeon --key-file tenant.key --ca ca.crt                        # in the cluster
    kubectl proxy & python allocator.py dungeon --kubernetes http://127.0.0.1:8001       # at your desk

Prints what the match's players need, as JSON. Made to be copied: `ticket_for` is all of it. Needs Python's own library
and Segue's client.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import segue

Manifest = dict[str, Any]
MANIFEST: Final = Path(__file__).with_name("allocation.json")
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAUSES: Final = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Seconds before each try. Agones hears within a second or two that a server is full, drains or is gone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server that an allocation has promised a slot on: a node's address, its ports for native gRPC and gRPC-Web."""

    address: str
    port: int
    web_port: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a match's players need. token: opens this session and nothing else."""

    address: str
    port: int
    web_port: int
    session_id: str
    token: str


class NoPlaceError(Exception):
    """No server has room, or Kubernetes does not answer; it may be otherwise in a moment."""


class RefusedError(Exception):
    """Kubernetes refuses the allocation, and will again."""


class Kubernetes:
    """The API server, as far as allocations go. token_file: read at every call, since the kubelet renews it."""

    def __init__(self, url: str, token_file: Path | None = None, ca_file: Path | None = None) -> None:
        self._url, self._token_file = url.rstrip("/"), token_file
        self._tls = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None

    @classmethod
    def here(cls, account: Path = SERVICE_ACCOUNT) -> Kubernetes:
        """The one of the cluster that this runs in, by the pod's service account. Raises KeyError outside of one."""
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return cls(f"https://{netloc(host, int(port))}", account / "token", account / "ca.crt")

    def allocate(self, manifest: Manifest) -> Place:
        """A server with room, which now has one slot less. Raises NoPlaceError, RefusedError."""
        namespace = manifest["metadata"]["namespace"]
        url = f"{self._url}/apis/allocation.agones.dev/v1/namespaces/{namespace}/gameserverallocations"
        headers = {"content-type": "application/json"}
        if self._token_file is not None:
            headers["authorization"] = f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"
        request = urllib.request.Request(url, json.dumps(manifest).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._tls) as answer:
                status = json.loads(answer.read())["status"]
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            kind = NoPlaceError if error.code in (409, 429) or error.code >= 500 else RefusedError
            raise kind(f"Kubernetes: HTTP {error.code}: {said}") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoPlaceError(f"Kubernetes: {error}") from None
        if status["state"] != "Allocated":  # UnAllocated, Contention
            raise NoPlaceError(f"Agones: {status['state']}")
        ports = {port["name"]: port["port"] for port in status["ports"]}
        return Place(status["address"], ports["grpc"], ports["web"])


def ticket_for(
    kubernetes: Kubernetes,
    manifest: Manifest,
    connect: Callable[[str], segue.Client],
    play: Callable[[segue.Client], segue.Session],
    pauses: tuple[float, ...] = PAUSES,
) -> Ticket:
    """A session on a server that has room. connect: to host:port, with the tenant's key.

    A server that is full after all, goes down or is gone is left, and Agones is asked for another one, as often as
    there are pauses. Raises what the last of them said: NoPlaceError, segue.SegueError; and RefusedError, at once.
    """
    last: Exception = NoPlaceError("not tried")
    for pause in pauses:
        time.sleep(pause * random.uniform(0.5, 1.5))  # not all backends at the same moment
        try:
            place = kubernetes.allocate(manifest)
            with connect(netloc(place.address, place.port)) as music:
                session = play(music)
        except (NoPlaceError, segue.Unavailable, segue.DeadlineExceeded) as error:
            last = error
        except segue.ResourceExhausted as error:
            if error.quota:  # the tenant's: Agones knows nothing of it, and would name the same server
                raise
            last = error
        else:
            # Whoever shall only listen gets session.grant() instead.
            return Ticket(place.address, place.port, place.web_port, session.session_id, session.token)
    raise last


def netloc(host: str, port: int) -> str:
    """host:port, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 with a ticket on standard output, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("soundtrack")
    parser.add_argument("--seed", type=int, help="the same for matches that shall hear the same")
    parser.add_argument("--key-file", type=Path, help="the tenant's API key; none for servers that ask for none")
    parser.add_argument("--ca", type=Path, help="PEM of who signed the servers' certificate; else they have no TLS")
    parser.add_argument("--kubernetes", metavar="URL", help="such as kubectl proxy's; else the cluster that this is in")
    parser.add_argument("--allocation", type=Path, default=MANIFEST, help="a GameServerAllocation, as JSON")
    options = parser.parse_args(arguments)
    if options.kubernetes is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        parser.error("not in a cluster: run `kubectl proxy`, and give --kubernetes http://127.0.0.1:8001")
    key = options.key_file.read_text(encoding="utf-8").strip() if options.key_file else None
    roots = options.ca.read_bytes() if options.ca else None
    try:
        ticket = ticket_for(
            Kubernetes(options.kubernetes) if options.kubernetes else Kubernetes.here(),
            json.loads(options.allocation.read_text(encoding="utf-8")),
            lambda address: segue.connect(address, key, root_certificates=roots, timeout=5),
            lambda music: music.play(options.soundtrack, seed=options.seed),
        )
    except (NoPlaceError, RefusedError, segue.SegueError) as error:
        print(f"no session: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(ticket), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
