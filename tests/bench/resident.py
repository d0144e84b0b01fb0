#!/usr/bin/env python3
"""What a server's process takes of memory beside what it uses: after a load, after churn, after most keys are gone.

    python3 tests/bench/resident.py PORT [KEYS]

The server must be on this machine and is emptied first. Keys are strings, hashes, lists and sets of 8 to 2048 bytes,
some of up to 20000, from a fixed seed. Churn writes twice as many requests for random keys, with values of other sizes.
"""

import random
import socket
import sys
import time

BATCH = 500
# Seconds after a phase at which the figures are read: what is free goes back to the system with a delay.
WAITS_S = (0, 5, 15)


def request(*args):
    parts = [b"*%d\r\n" % len(args)]
    parts += [b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args]
    return b"".join(parts)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb", 1 << 20)
        self.waiting = 0

    def send(self, requests):
        """Sends requests with replies of one line each, once those to the last ones were read."""
        self.settle()
        self.socket.sendall(b"".join(requests))
        self.waiting = len(requests)

    def settle(self):
        for _ in range(self.waiting):
            line = self.file.readline()
            assert line[:1] in b"+:", line
        self.waiting = 0

    def info(self):
        self.socket.sendall(request(b"INFO", b"memory"))
        text = self.file.read(int(self.file.readline()[1:]) + 2).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


class Load:
    def __init__(self, keys):
        self.keys = keys
        self.random = random.Random(1)
        self.bytes = bytes(self.random.randrange(97, 123) for _ in range(20_000))

    def value(self, most=20_000):
        size = int(2 ** (3 + 8 * self.random.random()))
        if self.random.random() < 0.02:
            size = self.random.randrange(2000, 20_000)
        return self.bytes[: min(size, most)]

    def write(self, i):
        key, kind = b"key:%09d" % i, i % 10
        if kind < 7:
            return request(b"SET", key, self.value())
        if kind == 7:
            return request(b"HSET", key, b"a", self.value(), b"b", self.value())
        if kind == 8:
            return request(b"RPUSH", key, self.value(500), self.value(500))
        return request(b"SADD", key, self.value(50), self.value(60))

    def filling(self):
        return (self.write(i) for i in range(self.keys))

    def churn(self):
        return (self.write(self.random.randrange(self.keys)) for _ in range(2 * self.keys))

    def deletion(self):
        return (request(b"DEL", b"key:%09d" % i) for i in range(self.keys) if self.random.random() < 0.9)


def run(connections, requests):
    """Spreads `requests` over the connections, a batch each in turn."""
    turn, batch = 0, []
    for one in requests:
        batch.append(one)
        if len(batch) == BATCH:
            connections[turn].send(batch)
            turn, batch = (turn + 1) % len(connections), []
    connections[turn].send(batch)
    for connection in connections:
        connection.settle()


def report(phase, connection):
    start = time.monotonic()
    for wait_s in WAITS_S:
        time.sleep(max(0, start + wait_s - time.monotonic()))
        info = connection.info()
        used, resident = int(info["used_memory"]), int(info["used_memory_rss"])
        print(f"| {phase} | {wait_s} s | {used / 1e6:.1f} | {resident / 1e6:.1f} | {resident / used:.3f} |", flush=True)


def main():
    port = int(sys.argv[1])
    load = Load(int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000)
    connections = [Connection(port) for _ in range(8)]
    connections[0].send([request(b"FLUSHALL")])
    print("| after | | used, MB | resident, MB | ratio |\n|---|---|---|---|---|")
    for phase, requests in [
        ("load", load.filling()),
        ("churn", load.churn()),
        ("deleting 90 %", load.deletion()),
    ]:
        run(connections, requests)
        report(phase, connections[0])


if __name__ == "__main__":
    main()
