"""What servers tell about themselves, read by redis-py's own parsers: INFO, CLIENT LIST, COMMAND."""

import pytest

from waiting import until

SECTIONS = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "commandstats",
    "errorstats",
    "latencystats",
    "cluster",
    "keyspace",
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_info_has_redis_sections_and_fields(server, protocol):
    client = server.client(protocol=protocol)
    client.set("key", "value", px=100_000)
    client.get("key")
    client.get("nothing")
    info = client.info()
    assert info["connected_clients"] >= 1
    assert info["used_memory"] > 0 and info["used_memory_peak"] >= info["used_memory_startup"]
    assert info["role"] == "master" and len(info["run_id"]) == 40
    assert (info["keyspace_hits"], info["keyspace_misses"]) == (1, 1)
    assert info["db0"]["keys"] == info["db0"]["expires"] == 1
    # Redis estimates it now and then, and has not yet.
    assert info["db0"]["avg_ttl"] <= 100_000
    everything = client.info("everything")
    assert everything["cmdstat_get"]["calls"] == 2
    assert everything["latency_percentiles_usec_get"]["p50"] > 0


def test_info_gives_the_sections_asked_for(server):
    with server.wire() as wire:
        for section in SECTIONS:
            heading = wire.ask("INFO", section).splitlines()[0].decode()
            assert heading.lower() == f"# {section}"
        assert wire.ask("INFO", "keyspace", "CPU").startswith(b"# CPU\r\n")
        assert wire.ask("INFO", "nosuch") == b""


@pytest.mark.only_on("ebbtide")
def test_info_tells_what_redis_does_not(server):
    client = server.client()
    client.set("key", "value", px=1)
    until(lambda: client.info("stats")["expired_keys"] == 1, "the key expires")
    expiry = client.info("expiry")
    assert 0 < expiry["expire_lag_usec_p50"] <= expiry["expire_lag_usec_p99"] <= expiry["expire_lag_usec_max"]
    removed = {"active": expiry["expired_keys_active"], "lookup": expiry["expired_keys_lookup"]}
    assert sum(removed.values()) == 1
    assert expiry["expired_db0"] == {**removed, "fields": 0, "bytes": expiry["expired_bytes"]}
    client.get("key")
    stats = client.info("stats")
    assert stats["keyspace_misses_last_minute"] >= 1 and stats["keyspace_hit_ratio_last_minute"] == 0
    threads = client.info("threads")
    assert sum(thread["clients"] for thread in threads.values()) == 1
    server_info = client.info("server")
    assert server_info["redis_version"].startswith("7.2.") and server_info["ebbtide_version"]


def test_resetstat_starts_again(client):
    client.get("key")
    client.config_resetstat()
    assert client.info("stats")["keyspace_misses"] == 0
    assert "cmdstat_get" not in client.info("commandstats")


def test_other_clients_are_seen(server):
    one, other = server.client(client_name="one"), server.client(client_name="other")
    one.ping()
    other.select(3)
    names = {entry["name"]: entry for entry in one.client_list()}
    assert names["other"]["cmd"] == "select" and names["other"]["db"] == "3"
    assert names["one"]["cmd"] == "client|list"
    assert one.client_kill_filter(_id=names["other"]["id"]) == 1
    until(lambda: len(one.client_list()) == 1, "the connection is gone")


def test_commands_are_described(client):
    commands = client.command()
    assert commands["get"]["arity"] == 2 and commands["get"]["first_key_pos"] == 1
    assert client.command_count() == len(commands)
    assert client.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
