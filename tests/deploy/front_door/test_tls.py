# SPDX-License-Identifier: Apache-2.0
"""TLS before and behind the front door: renewals while it runs, names of pods, and certificates of clients."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub

PODS: Final = "segue-pods.segue.svc"
DAY: Final = timedelta(days=1)


class Authority:
    """One that signs certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.pem = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))

    def secret(self, name: str) -> dict[str, bytes]:
        """A Secret of type kubernetes.io/tls for this DNS name."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = self._signed(x509.Name([]), key, x509.SubjectAlternativeName([x509.DNSName(name)]))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {"tls.crt": public, "tls.key": private, "ca.crt": self.pem}

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - DAY).not_valid_after(now + DAY).add_extension(extension, critical=True)
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def mount(folder: Path, secret: dict[str, bytes]) -> None:
    """Put a Secret's files there as the kubelet does: all at once, by a link that is replaced."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    for name, data in secret.items():
        (version / name).write_bytes(data)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(version.name)
    (folder / "..new").rename(folder / "..data")


async def replace_all(street: Any) -> None:
    """Begin servers anew, with the files that are there now; Envoy connects to them anew."""
    for place in range(len(street.servers)):
        await street.replace(place)
    await asyncio.sleep(1)  # a few looks at their health


async def asked(street: Any, credentials: grpc.ChannelCredentials) -> grpc.StatusCode:
    """What a new client gets."""
    async with grpc.aio.secure_channel(f"localhost:{street.port}", credentials) as channel:
        call = LiveSoundtrackServiceStub(channel).CreateSession(
            pb.CreateSessionRequest(soundtrack_id="quiet"), timeout=10
        )
        code: grpc.StatusCode = await call.code()
        return code


async def test_authorities_and_certificates_are_replaced_while_it_runs(
    open_street: Any, manifests_with: Any, tmp_path: Path
) -> None:
    old, new = Authority(), Authority()

    def everywhere(authority: Authority, pods: str = PODS) -> None:
        mount(tmp_path / "tls", authority.secret("localhost"))
        mount(tmp_path / "pod-ca", {"ca.crt": authority.pem})
        mount(tmp_path / "pods", authority.secret(pods))

    everywhere(old)
    files = {"tls_cert": tmp_path / "pods" / "tls.crt", "tls_key": tmp_path / "pods" / "tls.key"}
    before, after = (grpc.ssl_channel_credentials(one.pem) for one in (old, new))
    async with open_street(manifests_with({"secretName": "pods"}), credentials=before, **files) as street:
        made = await street.create()
        session_id = made.session.session_id
        for _ in range(3):
            await street.live.GetSession(
                pb.GetSessionRequest(session_id=session_id), metadata=street.bearer(made.session_token)
            )
        assert len(street.where(session_id)) == 1

        everywhere(new)
        await replace_all(street)
        await street.healthy(3)
        assert await asked(street, after) is grpc.StatusCode.OK
        assert await asked(street, before) is grpc.StatusCode.UNAVAILABLE, "the old authority did not sign this"

        everywhere(new, pods="another.segue.svc")
        await replace_all(street)
        await street.healthy(0)
        assert await asked(street, after) is grpc.StatusCode.UNAVAILABLE, "signed, but another's name"


async def test_certificates_of_clients_are_asked_for_and_shown(
    open_street: Any, manifests_with: Any, tmp_path: Path
) -> None:
    public, inner = Authority(), Authority()
    pods, player = inner.secret("*.game.example"), public.secret("backend.game")
    mount(tmp_path / "tls", public.secret("localhost"))
    mount(tmp_path / "pod-ca", {"ca.crt": inner.pem})
    mount(tmp_path / "own", inner.secret("front-door"))
    mount(tmp_path / "pods", pods)
    tls = {"secretName": "pods", "clientCertificates": True, "names": ["else.example", "music.game.example"]}
    manifests = manifests_with(tls, requireClientCertificate=True, clientSecretName="own")
    folder = tmp_path / "pods"
    files = {"tls_cert": folder / "tls.crt", "tls_key": folder / "tls.key", "tls_client_ca": folder / "ca.crt"}
    shown = grpc.ssl_channel_credentials(public.pem, player["tls.key"], player["tls.crt"])
    async with open_street(manifests, credentials=shown, **files) as street:
        made = await street.create()
        [home] = street.where(made.session.session_id)
        assert home in range(3)
        stranger = grpc.ssl_channel_credentials(public.pem, pods["tls.key"], pods["tls.crt"])
        for nobody in (grpc.ssl_channel_credentials(public.pem), stranger):
            assert await asked(street, nobody) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("tls", "names"),
    [
        ({}, ["segue-pods.segue.svc", "segue-pods.segue.svc.cluster.local"]),
        ({"names": ["music.example"]}, ["music.example"]),
    ],
)
def test_pods_are_taken_for_it_by_name(tls: Any, names: list[str], manifests_with: Any) -> None:
    [config] = [
        one["data"]["envoy.yaml"]
        for one in manifests_with({"secretName": "pods"} | tls)
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "segue-front-door"
    ]
    for name in names:
        assert config.count(f'{{ san_type: DNS, matcher: {{ exact: "{name}" }} }}') == 2, "in both clusters"
    assert ("segue.segue.svc" in config) == (not tls), "the Service's own"
