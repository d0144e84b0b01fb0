"""Keys go when they should: never early, and not noticeably late."""

import statistics

import pytest
import redis

from waiting import now_ms, until, until_clock
from wire import request

FAR_MS = 4102444800000  # the year 2100


def test_ttl_commands(client):
    client.set("key", "value", ex=100)
    assert 99 <= client.ttl("key") <= 100
    assert 99_000 < client.pttl("key") <= 100_000
    assert client.persist("key") == 1
    assert client.ttl("key") == -1
    assert client.ttl("nothing") == -2
    assert client.pexpireat("key", FAR_MS) == 1
    assert client.pexpiretime("key") == FAR_MS
    assert client.expiretime("key") == FAR_MS // 1000
    assert client.expire("key", 10, nx=True) == 0
    assert client.expire("key", 10, gt=True) == 0
    assert client.expire("key", 10, lt=True) == 1
    assert client.expire("key", 20, xx=True) == 1
    assert client.set("key", "other", keepttl=True) is True
    assert client.ttl("key") > 10
    assert client.getex("key", persist=True) == b"other"
    assert client.ttl("key") == -1
    assert client.expireat("key", 1) == 1
    assert client.exists("key") == 0


def test_a_deadline_in_the_past_deletes(client):
    client.set("key", "value")
    assert client.expire("key", -1) == 1
    assert client.dbsize() == 0
    with pytest.raises(redis.ResponseError, match="^invalid expire time in 'set' command$"):
        client.set("key", "value", px=0)
    with pytest.raises(redis.ResponseError, match="^invalid expire time in 'expire' command$"):
        client.execute_command("EXPIRE", "key", 2**62)


def gone_between_ms(wire, keys, deadlines_ms, left):
    """When each of `keys` was seen to go, by asking without pause how many are `left`: milliseconds after its
    deadline that it was still there, and that it was no more."""
    for key, deadline in zip(keys, deadlines_ms):
        wire.ask("SET", key, "value", "PXAT", deadline)
    there, gone, asked_before = [], [], 0
    while len(gone) < len(keys):
        asked = now_ms()
        seen = left()
        answered = now_ms()
        for deadline in deadlines_ms[len(gone) : len(keys) - seen]:
            there.append(asked_before - deadline)
            gone.append(answered - deadline)
        asked_before = asked
        assert answered < deadlines_ms[-1] + 5_000, f"{seen} keys are still there"
    return there, gone


def exists(wire, keys):
    return lambda: int(wire.ask("EXISTS", *keys)[1:])


def dbsize(wire):
    return lambda: int(wire.ask("DBSIZE")[1:])


def spaced_deadlines(count):
    start = int(now_ms()) + 300
    return [start + 10 * i for i in range(count)]


def test_reads_lose_keys_on_the_millisecond(server):
    keys, deadlines = [f"key:{i}" for i in range(60)], spaced_deadlines(60)
    with server.wire() as wire:
        there, gone = gone_between_ms(wire, keys, deadlines, exists(wire, keys))
    assert min(gone) > -1, "a key went early"
    assert max(there) < 3, "a key went late"


@pytest.mark.only_on("ebbtide")
def test_keys_are_deleted_within_milliseconds(server):
    """DBSIZE counts what is stored, so this is about deletion and not about what a read hides."""
    keys, deadlines = [f"key:{i}" for i in range(60)], spaced_deadlines(60)
    with server.wire() as wire:
        there, gone = gone_between_ms(wire, keys, deadlines, dbsize(wire))
    assert min(gone) > -1, "a key went early"
    assert statistics.median(there) < 2, there
    assert max(there) < 20, there


def load(wire, count, name, deadline_ms):
    """Stores `count` keys that are due at `deadline_ms`."""
    for start in range(0, count, 10_000):
        batch = range(start, min(start + 10_000, count))
        wire.send(b"".join(request("SET", f"{name}:{i}", "value", "PXAT", deadline_ms) for i in batch))
        for _ in batch:
            assert wire.read() == b"+OK"


def load_in_time(wire, count, name, wait_ms):
    """Stores `count` keys that are due together some time after the last of them is stored, and returns when."""
    while True:
        deadline = int(now_ms()) + wait_ms
        load(wire, count, name, deadline)
        if now_ms() < deadline - 500:
            return deadline
        assert wait_ms < 60_000, "this machine is too slow for this test"
        wait_ms *= 2


@pytest.mark.only_on("ebbtide")
def test_untouched_keys_go_in_time_among_many_that_are_not_due(server):
    with server.wire() as wire:
        load(wire, 100_000, "later", FAR_MS)
        deadline = load_in_time(wire, 10_000, "soon", 2_000)
        assert wire.ask("DBSIZE") == b":110000"
        until_clock(deadline + 100)
        assert wire.ask("DBSIZE") == b":100000"


@pytest.mark.only_on("ebbtide")
def test_clients_are_served_while_many_keys_go_at_once(server):
    with server.wire() as wire:
        deadline = load_in_time(wire, 200_000, "key", 4_000)
        waits = []
        while now_ms() < deadline + 500:
            before = now_ms()
            assert wire.ask("PING") == b"+PONG"
            waits.append(now_ms() - before)
        assert wire.ask("DBSIZE") == b":0"
    waits.sort()
    assert waits[int(len(waits) * 0.99)] < 10, waits[-20:]


def test_memory_of_expired_keys_comes_back(server):
    with server.wire() as wire:
        wire.ask("SET", "last", "value")
        before = int(info(wire, "memory")["used_memory"])
        load_in_time(wire, 100_000, "key", 2_000)
        assert int(info(wire, "memory")["used_memory"]) > before + 3_000_000
        until(lambda: wire.ask("DBSIZE") == b":1", "all keys but one go", within_s=20)
        after = int(info(wire, "memory")["used_memory"])
        assert after < before + 2_000_000
        assert int(info(wire, "stats")["expired_keys"]) >= 100_000


@pytest.mark.only_on("ebbtide")
def test_info_tells_how_late_deletions_are(server):
    with server.wire() as wire:
        load(wire, 1_000, "key", int(now_ms()) + 200)
        load(wire, 5, "stays", FAR_MS)
        until(lambda: wire.ask("DBSIZE") == b":5", "the keys that are due go")
        stats = info(wire, "expiry")
        lags = {name: float(value) for name, value in stats.items() if name.startswith("expire_lag")}
        assert len(lags) >= 3 and all(0 <= lag < 1_000_000 for lag in lags.values()), stats
        assert info(wire, "keyspace")["db0"].startswith("keys=5,expires=5,avg_ttl=")


def info(wire, section):
    """A section of INFO as a dictionary."""
    lines = wire.ask("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
