"""A kept-open HTTP/1.1 connection that sends bytes made ahead and reads no more of an answer than it must."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loadtests.bench.workload import Shot

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_FIRST_BYTES: Final = 1 << 16
_OK: Final = b"200"


class Wire:
    """A connection with at most one request under way.

    Attributes:
        socket: To wait on.
        shot: The request under way; None while idle.
        due_ns: When it was meant to be sent.
        sent_ns: When it was sent.
    """

    __slots__ = (
        "_address", "_body_at", "_buffer", "_received", "_total", "due_ns", "sent_ns", "shot", "socket",
    )  # fmt: skip

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.shot: Shot | None = None
        self.due_ns = self.sent_ns = 0
        self._buffer = bytearray(_FIRST_BYTES)  # kept, so that a long answer costs no copy
        self._body_at = self._total = self._received = 0
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=10)
        connection.settimeout(
            None
        )  # a timeout would cost a system call on each send and receive; `select` has one
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def fileno(self) -> int:
        """Return the file descriptor, so that a wire can be waited on itself."""
        return self.socket.fileno()

    def send(self, shot: Shot, due_ns: int, now_ns: int) -> bool:
        """Send a request; False if the server had closed the connection, which is then opened anew."""
        self.shot, self.due_ns, self.sent_ns = shot, due_ns, now_ns
        try:
            self.socket.sendall(shot.request)
        except OSError:
            self.reopen()
            return False
        return True

    def receive(self) -> str | None:
        """Read what has come.

        Returns:
            None while the answer is incomplete; `ok` once a right one is there; otherwise what is wrong,
            and then the connection may have been opened anew.
        """
        try:
            with memoryview(self._buffer) as room:
                count = self.socket.recv_into(room[self._received :])
        except OSError:
            count = 0
        if not count:
            self.reopen()
            return "connection closed"
        self._received += count
        if not self._total and (problem := self._find_length()):
            return problem
        if not self._total or self._received < self._total:
            if self._received == len(self._buffer):
                self._buffer.extend(bytes(self._received))
            return None
        verdict = self._verdict(self._buffer)
        self.shot, self._received, self._total = None, 0, 0
        return verdict

    def _find_length(self) -> str:
        """Note how long the answer is, if its head is there; return what is wrong with it, if anything."""
        end = self._buffer.find(b"\r\n\r\n", 0, self._received)
        if end < 0:
            return ""
        length = _LENGTH.search(self._buffer, 0, end + 2)
        if length is None:
            self.reopen()
            return "no content-length"
        self._body_at = end + 4
        self._total = self._body_at + int(length[1])
        self._buffer.extend(bytes(max(0, self._total + 1 - len(self._buffer))))
        return ""

    def _verdict(self, answer: bytearray) -> str:
        if answer[9:12] != _OK:
            return f"status {answer[9:12].decode('ascii', 'replace')}"
        assert self.shot is not None
        for mark in self.shot.expected:
            if answer.find(mark, self._body_at, self._total) < 0:
                return "wrong answer"
        return "ok"

    def reopen(self) -> None:
        """Drop the connection, and the request under way if any, and connect again."""
        self.socket.close()
        self.shot, self._received, self._total = None, 0, 0
        self.socket = self._connect()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()
