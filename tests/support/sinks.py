"""Where messages land in tests: real servers on this machine that keep what they were sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Received:
    """One HTTP request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpSink:
    """An HTTP server that answers as it is told."""

    port: int = 0
    status: int = 200
    body: bytes = b"ok"
    got: list[Received] = field(default_factory=list)
    silent: bool = False
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._one(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        self.got.append(Received(method, path, headers, body))
        self.heard.set()
        if self.silent:
            await asyncio.Event().wait()
        reply = f"HTTP/1.1 {self.status} x\r\ncontent-length: {len(self.body)}\r\n\r\n".encode()
        writer.write(reply + self.body)
        await writer.drain()


@dataclass
class MailSink:
    """An SMTP relay that keeps what it takes. `tls` is offered by STARTTLS, or spoken at once."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    at_once: bool = False
    refuses: bytes = b""
    password: bytes = b""
    got: list[EmailMessage] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secured = self.at_once
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            self.said.append(line.strip())
            match line.split()[0].upper():
                case b"EHLO":
                    more = b"250-STARTTLS\r\n" if self.tls is not None and not secured else b""
                    writer.write(b"250-sink\r\n" + more + b"250 AUTH PLAIN LOGIN\r\n")
                case b"STARTTLS":
                    writer.write(b"220 go\r\n")
                    assert self.tls is not None
                    await writer.start_tls(self.tls)
                    secured = True
                case b"DATA":
                    writer.write(b"354 go\r\n")
                    self._keep((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                    writer.write(self.refuses or b"250 taken\r\n")
                case b"QUIT":
                    return
                case b"AUTH":
                    writer.write(b"235 in\r\n")
                case _:
                    writer.write(b"250 ok\r\n")
            await writer.drain()

    def _keep(self, raw: bytes) -> None:
        if not self.refuses:
            found = message_from_bytes(raw, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.got.append(found)


@asynccontextmanager
async def http_sink(**how: object) -> AsyncIterator[HttpSink]:
    """One on a free port of this machine."""
    sink = HttpSink(**how)  # type: ignore[arg-type]  # fields are named by the test
    async with _listening(sink.serve) as port:
        sink.port = port
        yield sink


@asynccontextmanager
async def mail_sink(**how: object) -> AsyncIterator[MailSink]:
    """One on a free port of this machine."""
    sink = MailSink(**how)  # type: ignore[arg-type]  # as above
    async with _listening(sink.serve, tls=sink.tls if sink.at_once else None) as port:
        sink.port = port
        yield sink


@asynccontextmanager
async def _listening(
    serve: Callable[..., object], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[object]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):  # the test is over
            await serve(reader, writer)  # type: ignore[misc]  # one of the two sinks

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def authority(folder: Path, *, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A certificate of `name` that is its own authority: the file to believe, and what a sink speaks with."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate, private = folder / "sink.pem", folder / "sink.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context
