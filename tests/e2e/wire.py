"""A bare connection: exactly the bytes that a test says, and a reader of replies that hides nothing."""

import socket


class Closed(Exception):
    """The server closed the connection where a reply was to come."""


class Wire:
    """One connection. `address` is a (host, port), or the path of a unix socket."""

    def __init__(self, address, timeout_s=20, receive_bytes=None):
        if isinstance(address, tuple):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        else:
            family = socket.AF_UNIX
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        self.unread += data

    def read_line(self):
        """The next line, its end taken off."""
        while b"\r\n" not in self.unread:
            self._more()
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line

    def read_bytes(self, count):
        """The next `count` bytes."""
        parts, missing = [self.unread], count - len(self.unread)
        while missing > 0:
            data = self.socket.recv(1 << 20)
            if not data:
                raise Closed
            parts.append(data)
            missing -= len(data)
        data = b"".join(parts)
        self.unread = data[count:]
        return data[:count]

    def rest(self):
        """All that comes until the server closes the connection."""
        try:
            while True:
                self._more()
        except Closed:
            data, self.unread = self.unread, b""
            return data

    def line(self, data):
        """Sends `data` and returns the first line of what comes back."""
        self.send(data)
        return self.read_line()

    def ask(self, *args):
        """Sends one command and returns its reply as sent: a line, a string's bytes, or a list of replies."""
        self.send(request(*args))
        return self.read()

    def read(self):
        """The next reply. Types that are neither string nor aggregate stay as their line."""
        line = self.read_line()
        kind, rest = line[:1], line[1:]
        if kind in b"$=" and rest != b"-1":
            return self.read_bytes(int(rest) + 2)[:-2]
        if kind in b"*~>" and rest != b"-1":
            return [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return [self.read() for _ in range(2 * int(rest))]
        return line


def request(*args):
    """One command in RESP."""
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
