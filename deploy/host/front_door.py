# SPDX-License-Identifier: Apache-2.0
"""Makes Envoy's configuration for a host on which one server runs per device: the chart's, with this host's addresses.

    .venv/bin/python deploy/host/front_door.py --servers 4 --into /etc/envoy && envoy -c /etc/envoy/segue.json

Listens for native gRPC and gRPC-Web; sends CreateSession to a server with room and every other call to the server that
has its session. Servers name themselves by session_route, as deploy/host/segue@.service does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

RENDERED: Final = Path(__file__).resolve().parents[1] / "k8s" / "overlays" / "gpu" / "rendered.yaml"
FIRST_PORT: Final = 17_470
MOST: Final = 10
"""A server's port ends in its device's number."""
LOOPBACK: Final = "127.0.0.1"


def rendered() -> dict[str, Any]:
    """The chart's configuration of Envoy."""
    documents = [one for one in YAML(typ="safe").load_all(RENDERED.read_text(encoding="utf-8")) if one]
    [found] = [
        one["data"]["envoy.yaml"]
        for one in documents
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "segue-front-door"
    ]
    config: dict[str, Any] = YAML(typ="safe").load(found)
    return config


def on_this_host(
    config: dict[str, Any],
    servers: Sequence[int],
    listen: tuple[str, int],
    metrics: int,
    admin: int,
    look_every: float | None = None,
) -> dict[str, Any]:
    """The same before servers on these loopback ports; its metrics and admin interface are on loopback, too.
    look_every: seconds from one look at a server's health to the next, instead of the chart's."""
    listeners, (own, *clusters) = (config["static_resources"][name] for name in ("listeners", "clusters"))
    [inner] = own["load_assignment"]["endpoints"][0]["lb_endpoints"]
    for address, (host, port) in zip(
        (config["admin"]["address"], *(one["address"] for one in listeners), inner["endpoint"]["address"]),
        ((LOOPBACK, admin), listen, (LOOPBACK, metrics), (LOOPBACK, admin)),
        strict=True,
    ):
        address["socket_address"] = {"address": host, "port_value": port}
    for cluster in clusters:
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
            {"endpoint": {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}} for port in servers
        ]
        if look_every is not None:
            every = f"{look_every}s"
            looks = {"interval": every, "no_traffic_interval": every, "interval_jitter": "0.01s"}
            cluster["health_checks"][0] |= looks
    return config


def watched(certificate: Path, key: Path) -> dict[str, Any]:
    """What Envoy reads in a file of its own: a certificate that is read again when something is moved into its folder.
    Files that the configuration itself names are read once."""
    files = {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
    return {
        "resources": [
            {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
                "name": "certificate",
                "tls_certificate": files | {"watched_directory": {"path": str(certificate.parent)}},
            }
        ]
    }


def with_tls(config: dict[str, Any], certificate: Path) -> dict[str, Any]:
    """The same, speaking TLS to clients; certificate: a file of what `watched` gives."""
    public = config["static_resources"]["listeners"][0]
    source = {"resource_api_version": "V3", "path_config_source": {"path": str(certificate)}}
    public["filter_chains"][0]["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificate_sds_secret_configs": [{"name": "certificate", "sds_config": source}],
            },
        },
    }
    return config


def main(arguments: Sequence[str] | None = None) -> int:
    said, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=said, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", type=int, required=True, metavar="N", help=f"servers, one per device: 1..{MOST}")
    parser.add_argument(
        "--into", type=Path, required=True, metavar="FOLDER", help="for segue.json, and with TLS segue-certificate.json"
    )
    parser.add_argument("--listen", default="0.0.0.0:7470", metavar="HOST:PORT", help="for clients (%(default)s)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM file of the certificate and its chain")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM file of its private key")
    parser.add_argument("--metrics-port", type=int, default=9901, help="of Envoy, on loopback (%(default)s)")
    parser.add_argument("--admin-port", type=int, default=9902, help="of Envoy, on loopback (%(default)s)")
    options = parser.parse_args(arguments)
    host, _, port = options.listen.rpartition(":")
    if not 1 <= options.servers <= MOST:
        parser.error(f"--servers: expected 1..{MOST}, got {options.servers}")
    if not (host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        parser.error(f"--listen: expected an address and a port as in 0.0.0.0:7470, got {options.listen!r}")
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key: expected both or neither")
    servers = range(FIRST_PORT, FIRST_PORT + options.servers)
    config = on_this_host(rendered(), servers, (host.strip("[]"), int(port)), options.metrics_port, options.admin_port)
    folder = options.into.absolute()
    if not folder.is_dir():
        parser.error(f"--into: expected a folder that exists, got {folder}")
    made = {"segue.json": config}
    if options.tls_cert is not None:
        name = "segue-certificate.json"
        made[name] = watched(options.tls_cert.absolute(), options.tls_key.absolute())
        with_tls(config, folder / name)
    for name, content in made.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
