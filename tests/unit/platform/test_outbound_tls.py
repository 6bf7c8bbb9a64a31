"""The judged address is connected to under the name's own certificate."""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Address, AddressRule, Destination, OutboundRequest
from remit.platform.outbound import GuardedHttp


class Here:
    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("127.0.0.1")]


def certificate(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "both.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.attack("MC-15")
@pytest.mark.parametrize(("asked", "good"), [("tools.example", True), ("other.example", False)])
async def test_the_certificate_must_be_the_names_own(asked: str, good: bool, tmp_path: Path) -> None:
    path = certificate("tools.example", tmp_path)
    heads: list[bytes] = []
    names: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    here.load_cert_chain(path)
    here.sni_callback = lambda _socket, name, _context: names.append(name)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=here)
    port = server.sockets[0].getsockname()[1]
    rule = AddressRule(registered=frozenset({Destination(host=asked, port=port)}))
    http = GuardedHttp(rule=rule, resolver=Here(), tls=ssl.create_default_context(cafile=path))
    request = OutboundRequest(method="GET", url=f"https://{asked}:{port}/a?b=c")
    if good:
        assert (await http.send(request)).body == b"ok"
        assert b"GET /a?b=c HTTP/1.1\r\n" in heads[0]
        assert f"host: {asked}:{port}\r\n".encode() in heads[0].lower()
    else:
        with pytest.raises(Unavailable):
            await http.send(request)
        assert not heads
    assert names == [asked]
    await http.close()
    server.close()
