"""Bad input and bad manners: the server answers or closes, serves the others meanwhile, and keeps its memory."""

import random
import socket
import time

import pytest

from waiting import until
from wire import Closed, Wire, request

MB = 1 << 20


def settled(server):
    """Resident memory once the connections of a test are gone."""
    with server.wire() as wire:
        until(lambda: clients(wire) == 1, "the server closes the connections that ended")
    return server.resident_bytes()


def clients(wire):
    info = wire.ask("INFO", "clients").decode().splitlines()
    return int(next(line for line in info if line.startswith("connected_clients:")).split(":")[1])


def pings_fast(server, times=20, within_s=1.0):
    """Whether another client is answered without delay."""
    with server.wire() as wire:
        for _ in range(times):
            before = time.monotonic()
            assert wire.ask("PING") == b"+PONG"
            assert time.monotonic() - before < within_s
    return True


def mangled(rng):
    """Bytes that are nearly requests, or nothing like one."""
    good = request("SET", f"key:{rng.random()}", "x" * rng.randrange(100)) + b"GET key\r\n" + request("PING")
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 3_000))
    if kind == 1:
        return good[: rng.randrange(len(good))]
    if kind == 2:
        at = rng.randrange(len(good))
        return good[:at] + rng.randbytes(rng.randrange(1, 4)) + good[at:]
    if kind == 3:
        length = rng.choice([-(2**63), -2, -1, 2**31, 2**63 - 1, 2**64, 10**30, rng.randrange(2**40)])
        return rng.choice([b"*%d\r\n", b"*1\r\n$%d\r\n", b"*2\r\n$3\r\nGET\r\n$%d\r\nx"]) % length
    return good * rng.randrange(1, 20)


def send_mangled(wire, rng):
    """Sends bad bytes and half-closes; a server may close first."""
    try:
        for _ in range(rng.randrange(1, 4)):
            wire.send(mangled(rng))
        wire.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_random_bytes_never_hurt(server):
    rng = random.Random(20_240_229)
    for _ in range(4_000):
        with server.wire() as wire:
            send_mangled(wire, rng)
            wire.rest()
    assert server.alive()


def test_memory_stays_over_repeated_abuse(server):
    """What the first rounds leave behind is the allocator's; rounds after them must not add to it."""
    rng = random.Random(7)

    def abuse():
        wires = []
        for _ in range(200):
            wire = server.wire()
            wire.send(request("SET", "big", "x" * rng.randrange(200_000)))
            if rng.randrange(2):
                wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n" + b"x" * rng.randrange(100_000))
            else:
                send_mangled(wire, rng)
            wires.append(wire)
        for wire in wires:
            wire.close()
        with server.wire() as wire:
            wire.ask("FLUSHALL")
        return settled(server)

    for _ in range(4):
        before = abuse()
    after = [abuse() for _ in range(8)]
    assert min(after[-3:]) < before + 16 * MB, [size // MB for size in [before, *after]]


def test_huge_lengths_take_no_memory(server):
    before = settled(server)
    wires = [server.wire() for _ in range(100)]
    for wire in wires:
        wire.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\nonly the beginning")
    for wire in wires[:50]:
        wire.send(b"more of it" * 100)
    assert pings_fast(server)
    # A server may make room for a value that was announced, but may not touch it.
    assert server.resident_bytes() < before + 64 * MB
    many = server.wire()
    many.send(b"*2147483647\r\n")
    assert pings_fast(server)
    assert server.resident_bytes() < before + 64 * MB
    for wire in [*wires, many]:
        wire.close()


def test_half_commands_wait_and_are_forgotten(server):
    wires = [server.wire() for _ in range(300)]
    sent = request("SET", "key", "value")
    for i, wire in enumerate(wires):
        wire.send(sent[: i % len(sent)])
    assert pings_fast(server)
    for wire in wires:
        wire.close()
    settled(server)
    with server.client() as client:
        assert client.dbsize() == 0


def test_slow_writers_are_served_in_the_end(server):
    sent = request("SET", "key", "value") + request("GET", "key")
    wires = [server.wire() for _ in range(50)]
    for at in range(len(sent)):
        for wire in wires:
            wire.send(sent[at : at + 1])
    for wire in wires:
        assert (wire.read(), wire.read()) == (b"+OK", b"value")
        wire.close()


def test_a_slow_reader_delays_nobody(server):
    with server.wire() as setter:
        assert setter.ask("SET", "big", b"x" * MB) == b"+OK"
    with server.wire(receive_bytes=4_096) as slow:
        slow.send(request("GET", "big") * 64)
        assert pings_fast(server)
        for _ in range(64):
            assert slow.read() == b"x" * MB


def test_a_reader_that_never_reads_is_closed_at_its_limit(start):
    server = start("--client-output-buffer-limit", "normal", "8mb", "0", "0")
    with server.wire() as setter:
        assert setter.ask("SET", "big", b"x" * MB) == b"+OK"
    before = settled(server)
    with server.wire(receive_bytes=4_096) as never:
        try:
            never.send(request("GET", "big") * 500)
        except OSError:
            pass
        with server.wire() as wire:
            until(lambda: clients(wire) == 1, "the server closes the client")
        assert server.resident_bytes() < before + 64 * MB
        with pytest.raises((Closed, OSError)):
            never.read_bytes(500 * MB)


def test_the_soft_limit_of_replies_gives_time(start):
    server = start("--client-output-buffer-limit", "normal", "0", "1mb", "1")
    with server.wire() as setter, server.wire(receive_bytes=4_096) as never:
        assert setter.ask("SET", "big", b"x" * MB) == b"+OK"
        start_s = time.monotonic()
        never.send(request("GET", "big") * 20)
        until(lambda: clients(setter) == 1, "the server closes the client", within_s=20)
        assert time.monotonic() - start_s > 0.9


def test_a_query_buffer_has_a_limit(start):
    server = start("--client-query-buffer-limit", "1mb")
    with server.wire() as wire:
        with pytest.raises((Closed, OSError)):
            wire.send(b"*2\r\n$3\r\nGET\r\n$100000000\r\n")
            for _ in range(100):
                wire.send(b"x" * MB)
            wire.read()
    assert server.alive()


@pytest.mark.timeout(300)
def test_ten_thousand_idle_connections(start):
    count = 9_900
    server = start("--maxclients", "10000")
    before = settled(server)
    wires = []
    try:
        for _ in range(count):
            wires.append(server.wire())
        for wire in wires[:: count // 100]:
            assert wire.ask("PING") == b"+PONG"
        with server.wire() as wire:
            assert clients(wire) == count + 1
        assert pings_fast(server)
        each = (server.resident_bytes() - before) / count
        # Redis keeps a reply buffer of 16 KB in each client until it has seen it idle.
        assert each < {"ebbtide": 4_096, "oracle": 40_000}[server.kind], f"{each:.0f} bytes a connection"
    finally:
        for wire in wires:
            wire.close()
    settled(server)
    assert pings_fast(server)


def test_connections_that_come_and_go(server):
    """A flood of short connections, some reset instead of closed, leaves nothing behind."""
    before = settled(server)
    linger_zero = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    for i in range(3_000):
        wire = Wire(("127.0.0.1", server.port))
        wire.send(request("PING"))
        if i % 3 == 0:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
        elif i % 3 == 1:
            assert wire.read() == b"+PONG"
        wire.close()
    assert settled(server) < before + 16 * MB
