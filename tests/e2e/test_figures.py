"""What servers tell about themselves, read by redis-py's own parsers: INFO, CLIENT LIST, COMMAND."""

import re

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


# What the Prometheus exporter that is used most reads of INFO, by section.
EXPORTED = {
    "server": "uptime_in_seconds process_id redis_version redis_build_id redis_mode os run_id tcp_port",
    "clients": "connected_clients blocked_clients tracking_clients clients_in_timeout_table maxclients"
    " client_recent_max_input_buffer client_recent_max_output_buffer",
    "memory": "used_memory used_memory_rss used_memory_peak used_memory_lua used_memory_overhead used_memory_startup"
    " used_memory_dataset used_memory_scripts maxmemory maxmemory_policy mem_fragmentation_ratio"
    " mem_fragmentation_bytes mem_clients_normal mem_clients_slaves mem_not_counted_for_evict allocator_active"
    " allocator_allocated allocator_resident lazyfree_pending_objects lazyfreed_objects active_defrag_running",
    "persistence": "loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time aof_enabled"
    " rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec aof_rewrite_in_progress"
    " aof_rewrite_scheduled aof_last_rewrite_time_sec aof_last_bgrewrite_status aof_last_write_status",
    "stats": "total_connections_received rejected_connections total_commands_processed total_net_input_bytes"
    " total_net_output_bytes expired_keys evicted_keys expired_stale_perc expired_time_cap_reached_count"
    " evicted_clients total_eviction_exceeded_time keyspace_hits keyspace_misses total_error_replies"
    " total_reads_processed total_writes_processed pubsub_channels pubsub_patterns latest_fork_usec"
    " sync_full sync_partial_ok sync_partial_err slave_expires_tracked_keys instantaneous_ops_per_sec",
    "replication": "role connected_slaves master_repl_offset second_repl_offset repl_backlog_active"
    " repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen",
    "cpu": "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread"
    " used_cpu_user_main_thread",
    "cluster": "cluster_enabled",
}
WORDS = {"redis_version", "redis_mode", "os", "run_id", "maxmemory_policy", "role", "redis_build_id"}


def test_the_exporter_finds_its_fields(server):
    client = server.client()
    client.set("key", "value", ex=100)
    for section, fields in EXPORTED.items():
        info = client.info(section)
        for field in fields.split():
            value = info[field]
            is_number = isinstance(value, (int, float)) or value in ("ok", "err")
            assert field in WORDS or is_number, f"{field}: {value!r}"
    keys = server.info("keyspace")["db0"]
    pattern = r"keys=1,expires=1,avg_ttl=\d+(,subexpiry=0)?"
    assert re.fullmatch(pattern, keys), keys


@pytest.mark.only_on("ebbtide")
def test_clients_are_listed_by_what_they_are(server):
    one = server.client(client_name="one", db=2)
    one.ping()
    others = [server.client(client_name=f"other{i}") for i in range(3)]
    for client in others:
        client.client_setinfo("lib-name", "odd")

    def names(*filters):
        lines = one.execute_command("CLIENT LIST", *filters)
        return sorted(line["name"] for line in lines)

    assert names("DB", 2) == ["one"]
    assert len(names("LIB-NAME", "odd")) == 3
    assert names("LIB-NAME", "odd", "NOT-NAME", "other1", "TYPE", "normal") == ["other0", "other2"]
    assert names("SKIPME", "yes") == ["other0", "other1", "other2"]
    assert one.execute_command("CLIENT KILL", "LIB-NAME", "odd", "NOT-NAME", "other1") == 2
    until(lambda: names("SKIPME", "yes") == ["other1"], "two connections are gone")
    entry = one.client_info()
    assert {"io-thread", "tot-net-in", "tot-net-out", "tot-cmds"} <= entry.keys()


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
