# SPDX-License-Identifier: Apache-2.0
"""A server that answers as test_http.gd asks by the method's name: well, late, in pieces, with nonsense, not at all.

    python3 fake_server.py [CERTIFICATE KEY]

Prints its port and ends with its standard input. Plain sockets, so that every fault can be made.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator

GAP_S = 0.06
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def numbers(take: int, first_sample: int) -> bytes:
    """An AudioChunk that tells two numbers."""
    return b"\x08" + varint(take) + b"\x10" + varint(first_sample)


def frame(payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(payload)) + payload


def trailers(code: int = 0) -> bytes:
    return frame(f"grpc-status: {code}\r\n".encode(), 0x80)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST = b"0\r\n\r\n"


class Request:
    """What was asked, on which connection, as its how many-th."""

    def __init__(self, connection: int, number: int, method: str, head: str) -> None:
        self.connection, self.number, self.method, self.head = connection, number, method, head


def well(request: Request) -> Iterator[bytes]:
    yield CHUNKED + chunk(frame(numbers(request.connection, request.number)) + trailers()) + LAST


def drip(request: Request) -> Iterator[bytes]:
    yield CHUNKED
    for i in range(1, 9):
        yield chunk(frame(numbers(i, request.connection)))
        time.sleep(GAP_S)
    yield chunk(trailers()) + LAST


def pieces(request: Request) -> Iterator[bytes]:
    """Everything byte by byte, some chunks within a frame."""
    body = frame(numbers(1, 2)) + frame(numbers(3, 4)) + trailers()
    whole = CHUNKED + b"".join(chunk(body[i : i + 3]) for i in range(0, len(body), 3)) + LAST
    for i in range(len(whole)):
        yield whole[i : i + 1]
        time.sleep(0.0005)


def slow_head(request: Request) -> Iterator[bytes]:
    for i in range(len(HEAD)):
        yield HEAD[i : i + 1]
        time.sleep(GAP_S)


def endless(request: Request) -> Iterator[bytes]:
    yield CHUNKED
    while True:
        yield chunk(frame(bytes(60000)))


def silent(request: Request) -> Iterator[bytes]:
    time.sleep(30)
    yield b""


def unended(request: Request) -> Iterator[bytes]:
    yield CHUNKED + chunk(BODY)
    time.sleep(30)


def just(text: bytes) -> Callable[[Request], Iterator[bytes]]:
    def answer(request: Request) -> Iterator[bytes]:
        yield text

    return answer


BODY = frame(numbers(1, 2)) + trailers()
ANSWERS: dict[str, Callable[[Request], Iterator[bytes]]] = {
    "Well": well,
    "ClosedAfter": well,
    "DeadWhenKept": well,
    "Drip": drip,
    "Pieces": pieces,
    "SlowHead": slow_head,
    "Endless": endless,
    "Silent": silent,
    "Unended": unended,
    "Headers": lambda request: iter(
        [CHUNKED + chunk(frame(b"\x0a" + varint(len(request.head)) + request.head.encode()) + trailers()) + LAST]
    ),
    "Length": just(HEAD + f"content-length: {len(BODY)}\r\n\r\n".encode() + BODY),
    "UntilClosed": just(HEAD + b"connection: close\r\n\r\n" + BODY),
    "Dies": just(CHUNKED + chunk(frame(numbers(1, 2))) + b"40\r\nabc"),
    "NoTrailers": just(CHUNKED + chunk(frame(numbers(1, 2))) + LAST),
    "Garbage": just(CHUNKED + chunk(bytes(range(7, 200))) + LAST),
    "BadChunk": just(CHUNKED + b"zz\r\nabc\r\n"),
    "HugeChunk": just(CHUNKED + b"7fffffff\r\nabc"),
    "HugeFrame": just(CHUNKED + chunk(b"\x00\xff\xff\xff\xff" + bytes(100))),
    "NotHttp": just(b"SSH-2.0-Fake\r\n\r\n"),
    "Nothing": just(b""),
    "Page": just(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nhtml"),
    "Page502": just(b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nhtml"),
    "Refused": just(HEAD + b"grpc-status: 5\r\ngrpc-message: no%20such\r\ncontent-length: 0\r\n\r\n"),
    "TwoAnswers": just(CHUNKED + chunk(frame(b"") + BODY) + LAST),
    "NoAnswer": just(CHUNKED + chunk(trailers()) + LAST),
    "WrongMessage": just(CHUNKED + chunk(frame(b"\x08") + trailers()) + LAST),
}
STAYS_OPEN = ("Well", "DeadWhenKept", "Drip", "Pieces", "Headers", "Length", "Refused", "TwoAnswers", "NoAnswer")


def serve(connection: socket.socket, number: int) -> None:
    """All requests of one connection."""
    count = 0
    with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as reading:
        while line := reading.readline():
            head = line
            while (field := reading.readline()) not in (b"\r\n", b""):
                head += field
            text = head.decode("latin-1")
            length = next(int(f.split(":")[1]) for f in text.splitlines() if f.lower().startswith("content-length"))
            reading.read(length)
            count += 1
            method = text.split(" ")[1].rsplit("/", 1)[1]
            if method == "DeadWhenKept" and count > 1:
                return
            for part in ANSWERS[method](Request(number, count, method, text)):
                connection.sendall(part)
            if method not in STAYS_OPEN:
                return


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])

    def accept() -> None:
        for number in range(1, 1 << 30):
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def go_on(connection: socket.socket = connection, number: int = number) -> None:
                with contextlib.suppress(OSError):
                    if len(sys.argv) > 2:
                        connection = context.wrap_socket(connection, server_side=True)
                    serve(connection, number)

            threading.Thread(target=go_on, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
