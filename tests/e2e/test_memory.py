"""What servers say of their memory, read by redis-py's own parsers: INFO memory and MEMORY."""

import pytest

from waiting import until

MB = 1 << 20


def fields_of(figures, others):
    """The fields of `figures` that `others` have with a value of another type, or not at all."""
    return {name for name, value in figures.items() if type(others.get(name)) is not type(value)}


@pytest.fixture
def oracle(launch):
    """A real Redis beside the server."""
    return launch("oracle")


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.only_on("ebbtide")
def test_memory_stats_are_those_of_redis(server, oracle, protocol):
    stats = []
    for client in (server.client(protocol=protocol), oracle.client(protocol=protocol)):
        client.set("key", "value")
        client.execute_command("SELECT", 3)
        client.set("key", "value", px=100_000)
        stats.append(client.memory_stats())
    ours, theirs = stats
    # A ratio that is a whole number is an integer for the parser of one protocol.
    ratios = {name for name in theirs if "ratio" in name or "percentage" in name or name == "fragmentation"}
    assert fields_of({k: v for k, v in theirs.items() if k not in ratios}, ours) == set()
    assert all(float(ours[name]) >= 0 for name in ratios)
    assert ours["keys.count"] == 2
    assert ours["dataset.bytes"] + ours["overhead.total"] == ours["total.allocated"]


@pytest.mark.only_on("ebbtide")
def test_info_memory_has_redis_fields(server, oracle):
    ours, theirs = server.client().info("memory"), oracle.client().info("memory")
    assert {name for name in theirs if name not in ours} == set()
    numbers = {k: v for k, v in theirs.items() if isinstance(v, int)}
    assert fields_of(numbers, ours) == set()
    assert ours["mem_allocator"].startswith("jemalloc-5.")
    assert ours["used_memory_dataset"] + ours["used_memory_overhead"] == ours["used_memory"]


def test_used_memory_follows_the_data(server):
    client = server.client()
    before = client.info("memory")["used_memory"]
    client.set("big", b"x" * (20 * MB))
    client.rpush("list", *[b"y" * MB] * 10)
    full = client.info("memory")
    assert 30 * MB <= full["used_memory"] - before <= 45 * MB
    assert full["used_memory_peak"] >= full["used_memory"]
    assert client.memory_usage("big") >= 20 * MB
    assert 10 * MB <= client.memory_usage("list", samples=0) <= 13 * MB
    assert client.memory_usage("nothing") is None
    client.unlink("big", "list")
    until(lambda: client.info("memory")["used_memory"] - before < 3 * MB, "the memory is free again")
    after = client.info("memory")
    assert after["used_memory_peak"] >= full["used_memory"]


def test_memory_is_purged_reported_and_judged(client):
    assert client.memory_purge() is True
    assert "jemalloc statistics" in client.execute_command("MEMORY MALLOC-STATS").decode()
    assert len(client.execute_command("MEMORY DOCTOR")) > 20
    # redis-py has no parsers for these two.
    with pytest.raises(NotImplementedError):
        client.memory_doctor()


@pytest.mark.only_on("ebbtide")
def test_connections_are_counted_with_what_they_hold(server):
    client = server.client()
    before = client.info("memory")
    idle = [server.wire() for _ in range(500)]
    for wire in idle:
        assert wire.ask("PING")
    after = client.info("memory")
    told = after["mem_clients_normal"] - before["mem_clients_normal"]
    used = after["used_memory"] - before["used_memory"]
    assert 0.5 * used < told < 1.1 * used, f"{told} of {used} bytes"
    for wire in idle:
        wire.close()
    until(lambda: client.info("memory")["mem_clients_normal"] <= before["mem_clients_normal"] + 1000, "they go")
