"""The limits on memory, keys and clients: what goes when they are reached, and who is refused."""

import contextlib
import random
import threading

import pytest
import redis

from waiting import until

VALUE = b"x" * 1000
MB = 1 << 20
OOM = "^command not allowed when used memory > 'maxmemory'.$"
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random"]
VOLATILE = ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]


def limit(client, more_bytes, policy):
    """Lets the server allocate so many bytes more than it has, and evict by `policy`."""
    bytes_max = client.info("memory")["used_memory"] + more_bytes
    client.config_set("maxmemory", bytes_max)
    client.config_set("maxmemory-policy", policy)
    return bytes_max


def fill(client, count, **options):
    """Sets keys 0 to `count` - 1 in pipelines; the errors they were refused with."""
    refused = []
    for first in range(0, count, 500):
        pipe = client.pipeline(transaction=False)
        for i in range(first, min(first + 500, count)):
            pipe.set(f"key:{i}", VALUE, **options)
        refused += [r for r in pipe.execute(raise_on_error=False) if r is not True]
    return refused


def test_without_a_policy_writes_are_refused(server):
    client = server.client()
    bytes_max = limit(client, 5 * MB, "noeviction")
    refused = fill(client, 8000)
    assert refused and all(isinstance(error, redis.exceptions.OutOfMemoryError) for error in refused)
    assert client.info("memory")["used_memory"] <= bytes_max + 64 * 1024
    assert client.info("errorstats")["errorstat_OOM"]["count"] == len(refused)
    assert client.get("key:1") == VALUE
    for command in (["APPEND", "key:1", "y"], ["LPUSH", "list", "y"], ["SETRANGE", "key:1", 0, "y"]):
        with pytest.raises(redis.exceptions.OutOfMemoryError, match=OOM):
            client.execute_command(*command)
    assert client.expire("key:1", 100) is True and client.persist("key:1") is True
    assert client.delete(*(f"key:{i}" for i in range(2000))) == 2000
    assert client.set("key:1", VALUE) is True
    assert client.info("stats")["evicted_keys"] == 0


@pytest.mark.parametrize("policy", POLICIES + VOLATILE)
def test_with_a_policy_keys_go_and_the_limit_holds(server, policy):
    client = server.client()
    client.mset({f"kept:{i}": "v" for i in range(100)})
    bytes_max = limit(client, 5 * MB, policy)
    seconds = 10_000 if policy in VOLATILE else None
    assert fill(client, 12_000, ex=seconds) == []
    assert client.info("memory")["used_memory"] <= bytes_max + 64 * 1024
    evicted = client.info("stats")["evicted_keys"]
    assert evicted > 5000 and client.dbsize() == 12_100 - evicted
    if policy in VOLATILE:
        assert client.exists(*(f"kept:{i}" for i in range(100))) == 100
    assert client.info("stats")["total_eviction_exceeded_time"] >= 0


@pytest.mark.parametrize("policy", VOLATILE)
def test_keys_without_a_deadline_stay_and_writes_are_refused_then(server, policy):
    client = server.client()
    limit(client, 3 * MB, policy)
    assert fill(client, 1000, ex=10_000) == []
    refused = []
    for i in range(6000):
        try:
            client.set(f"kept:{i}", VALUE)
        except redis.exceptions.OutOfMemoryError as error:
            refused.append(error)
            break
    assert refused
    assert client.info("stats")["evicted_keys"] == 1000
    assert client.dbsize() == i


def test_the_nearest_deadlines_go_first(server):
    client = server.client()
    limit(client, 5 * MB, "volatile-ttl")
    for first in range(0, 8000, 500):
        pipe = client.pipeline(transaction=False)
        for i in range(first, first + 500):
            pipe.set(f"key:{i}", VALUE, ex=10_000 + i * 10)
        pipe.execute()
    left = client.dbsize()
    # The last ones in have the furthest deadlines.
    late = client.exists(*(f"key:{i}" for i in range(8000 - left // 2, 8000)))
    assert late > 0.9 * (left // 2)


def test_evicted_keys_are_gone_after_a_restart(start):
    directives = ["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"]
    server = start(*directives)
    client = server.client()
    limit(client, 3 * MB, "allkeys-random")
    assert fill(client, 6000) == []
    assert client.info("stats")["evicted_keys"] > 1000
    client.config_set("maxmemory", 0)
    keys, digest = client.dbsize(), client.execute_command("DEBUG", "DIGEST")
    server.kill()
    again = start(*directives, folder=server.folder).client()
    assert (again.dbsize(), again.execute_command("DEBUG", "DIGEST")) == (keys, digest)


def test_a_lower_limit_is_reached_without_a_command_for_it(server):
    client = server.client()
    fill(client, 5000)
    used = client.info("memory")["used_memory"]
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", used - 2 * MB)
    until(lambda: client.info("memory")["used_memory"] <= used - 2 * MB + 64 * 1024, "memory is below the limit")
    assert 1000 < client.dbsize() < 5000


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_there_are_never_more_keys_than_maxkeys(server, policy):
    client = server.client()
    client.config_set("maxkeys", 500)
    client.config_set("maxmemory-policy", policy)
    refused = fill(client, 700)
    assert client.dbsize() == 500
    client.select(1)
    if policy == "noeviction":
        assert len(refused) == 200
        for write in (lambda: client.set("other", 1), lambda: client.mset({"a": 1, "b": 2})):
            with pytest.raises(redis.exceptions.OutOfMemoryError, match="used keys > 'maxkeys'"):
                write()
        client.select(0)
        assert client.set("key:1", "written over") is True
    else:
        assert refused == []
        client.mset({f"other:{i}": i for i in range(100)})
        assert client.dbsize() == 100
        client.select(0)
        assert client.dbsize() == 400
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.mset({f"many:{i}": i for i in range(501)})
        assert client.dbsize() == 400


def test_the_largest_client_is_closed_when_all_take_too_much(server):
    client = server.client()
    client.config_set("maxmemory-clients", 3 * MB)
    small, large, exempt = (server.wire() for _ in range(3))
    assert exempt.ask("CLIENT", "NO-EVICT", "on") == b"+OK"
    for wire, size in ((small, 100_000), (large, 8_000_000), (exempt, 8_000_000)):
        # What is announced takes memory in Redis, what came does so everywhere.
        with contextlib.suppress(ConnectionError):
            wire.send(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % size + b"x" * (size // 2))
    until(lambda: client.info("stats")["evicted_clients"] == 1, "the largest client is closed")
    assert large.rest() == b""
    assert client.ping() is True
    assert len(client.client_list()) == 3
    exempt.send(b"x" * 4_000_000 + b"\r\n")
    assert exempt.read() == b"x" * 8_000_000


def test_the_limit_holds_while_many_write_values_of_all_sizes(server):
    largest, more_bytes, writers = MB, 60 * MB, 40
    client = server.client()
    bytes_max = limit(client, more_bytes, "allkeys-lru")
    ended, refused = threading.Event(), []

    def write(seed):
        rng, mine = random.Random(seed), server.client()
        value = b"x" * largest
        while not ended.is_set():
            size = int(10 ** rng.uniform(1, 6))
            try:
                mine.set(f"key:{rng.randrange(100_000)}", value[:size])
            except redis.exceptions.OutOfMemoryError as error:
                refused.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    most = max(client.info("memory")["used_memory"] for _ in range(400))
    ended.set()
    for thread in threads:
        thread.join()
    assert refused == []
    assert client.info("stats")["evicted_keys"] > 100
    assert most <= bytes_max + max(more_bytes // 100, largest)
