# SPDX-License-Identifier: Apache-2.0
"""Ends with 0 if the server of this container takes sessions. Needs nothing but Python, so it is cheap to ask often."""

from __future__ import annotations

import argparse
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=7471, help="gRPC-Web's port, which answers /readyz too")
parser.add_argument("--tls", action="store_true", help="the port speaks TLS; whose certificate it has is not asked")
parser.add_argument("--certificate", type=Path, help="folder of tls.crt and tls.key to show, where one is asked for")
options = parser.parse_args()

connection: HTTPConnection
if options.tls:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is this container's own
    if options.certificate is not None:
        context.load_cert_chain(options.certificate / "tls.crt", options.certificate / "tls.key")
    connection = HTTPSConnection("127.0.0.1", options.port, timeout=3, context=context)
else:
    connection = HTTPConnection("127.0.0.1", options.port, timeout=3)
try:
    connection.request("GET", "/readyz")
    status = connection.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"health: 127.0.0.1:{options.port}: {error!r}")
sys.exit(None if status == 200 else f"health: 127.0.0.1:{options.port}: not serving (HTTP {status})")
