"""Slow log, latency monitor and MONITOR, as redis-py reads them and as they are on the wire."""

import re
import threading

import pytest

from waiting import until
from wire import Closed

#: Sleeps long enough to be told from a fast command, in seconds.
SLEEP_S = "0.03"
DEBUG = ("--enable-debug-command", "yes")


@pytest.fixture
def client(start):
    with start(*DEBUG).client(client_name="tester") as client:
        yield client


def test_slow_commands_are_logged_with_their_client(client):
    client.config_set("slowlog-log-slower-than", 20_000)
    client.slowlog_reset()
    client.ping()
    client.execute_command("DEBUG", "SLEEP", SLEEP_S)
    [entry] = client.slowlog_get()
    assert entry["command"] == b"DEBUG SLEEP " + SLEEP_S.encode()
    assert entry["duration"] >= 20_000 and entry["client_name"] == b"tester"
    assert entry["client_address"].startswith(b"127.0.0.1:")
    assert client.slowlog_len() == 1


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_command_of_a_pipeline_is_logged_when_all_are_wanted(server, protocol):
    client = server.client(protocol=protocol)
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    with client.pipeline(transaction=False) as pipe:
        for n in range(40):
            pipe.set(f"key{n}", n)
        pipe.execute()
    client.config_set("slowlog-log-slower-than", -1)
    logged = [entry["command"] for entry in client.slowlog_get(-1)]
    assert logged[:40] == [f"SET key{n} {n}".encode() for n in reversed(range(40))]
    ids = [entry["id"] for entry in client.slowlog_get(-1)]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids)


def test_long_requests_and_secrets_are_not_kept(client):
    client.config_set("slowlog-log-slower-than", 0)
    client.rpush("list", *range(40))
    client.set("key", "x" * 200)
    client.config_set("requirepass", "")
    list_entry, set_entry, config_entry = reversed(client.slowlog_get(3))
    assert list_entry["command"].endswith(b"28 ... (11 more arguments)")
    assert set_entry["command"] == b"SET key " + b"x" * 128 + b"... (72 more bytes)"
    assert config_entry["command"] == b"CONFIG SET requirepass (redacted)"


def test_spikes_are_kept_by_event(client):
    assert client.latency_latest() == []
    client.execute_command("DEBUG", "SLEEP", SLEEP_S)
    assert client.latency_latest() == [], "nothing is noted without a threshold"
    client.config_set("latency-monitor-threshold", 20)
    client.execute_command("DEBUG", "SLEEP", SLEEP_S)
    [[event, second, latest_ms, max_ms]] = client.latency_latest()
    assert event == b"command" and 20 <= latest_ms <= max_ms
    assert client.latency_history("command") == [[second, latest_ms]]
    assert client.execute_command("LATENCY", "GRAPH", "command").startswith(b"command - high ")
    assert b"command" in client.execute_command("LATENCY", "DOCTOR")
    assert client.latency_reset("nosuch") == 0 and client.latency_reset() == 1


def test_histograms_count_every_call(server):
    client = server.client(protocol=3)
    client.config_resetstat()
    for _ in range(3):
        client.set("key", "value")
    client.client_id()
    found = client.execute_command("LATENCY", "HISTOGRAM", "set", "client|id", "get")
    assert {name: figures[b"calls"] for name, figures in found.items()} == {b"set": 3, b"client|id": 1}
    steps = list(found[b"set"][b"histogram_usec"].items())
    assert steps == sorted(steps) and steps[-1][1] == 3


def line_of(*args):
    quoted = " ".join(f'"{arg}"' for arg in args)
    return re.compile(rf"\+\d+\.\d{{6}} \[0 127\.0\.0\.1:\d+\] {re.escape(quoted)}".encode())


def test_redis_py_reads_what_monitor_shows(server):
    with server.client().monitor() as monitor, server.client(db=2) as client:
        client.set("key", 'a "value"\n')
        seen = next(entry for entry in monitor.listen() if entry["command"].startswith("SET"))
        assert seen["db"] == 2 and seen["client_type"] == "tcp"
        assert seen["command"] == r'SET key a "value"\n'
        flags = [entry["flags"] for entry in client.client_list()]
        assert sorted(flags) == ["N", "O"]


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_monitor_shows_neither_secrets_nor_administrators(server, protocol):
    with server.wire() as monitor, server.wire() as other:
        monitor.ask("HELLO", protocol)
        assert monitor.ask("MONITOR") == b"+OK"
        for request in ["CONFIG GET port", "NOSUCH", "GET a b", "AUTH x y", "PING"]:
            other.ask(*request.split())
        assert line_of("AUTH", "(redacted)", "(redacted)").fullmatch(monitor.read_line())
        assert line_of("PING").fullmatch(monitor.read_line())


def test_a_monitor_goes_back_to_work_with_reset(server):
    with server.wire() as monitor, server.client() as other:
        assert monitor.ask("MONITOR") == b"+OK"
        assert monitor.ask("GET", "key") == b"-ERR Replica can't interact with the keyspace"
        assert monitor.ask("RESET") == b"+RESET"
        other.set("key", "value")
        assert monitor.ask("GET", "key") == b"value"


@pytest.mark.only_on("ebbtide")
def test_monitors_see_changes_of_a_key_in_their_order(start):
    server = start("--io-threads", "4")
    clients = [server.client() for _ in range(4)]
    for client in clients:
        client.ping()

    def push(client, number):
        for n in range(50):
            with client.pipeline(transaction=False) as pipe:
                [pipe.rpush("list", f"{number}-{n}-{i}") for i in range(5)]
                pipe.execute()

    with server.wire() as one, server.wire() as two:
        assert one.ask("MONITOR") == two.ask("MONITOR") == b"+OK"
        threads = [threading.Thread(target=push, args=(c, i)) for i, c in enumerate(clients)]
        [thread.start() for thread in threads]
        seen = [[wire.read_line().split(b'"')[5] for _ in range(1000)] for wire in (one, two)]
        [thread.join() for thread in threads]
    assert seen[0] == seen[1] == clients[0].lrange("list", 0, -1)


def test_a_monitor_that_does_not_read_is_closed_at_its_limit(start):
    server = start("--client-output-buffer-limit", "normal 1mb 0 0")
    with server.wire(receive_bytes=4096) as monitor, server.client() as client:
        assert monitor.ask("MONITOR") == b"+OK"

        def closed():
            client.set("key", "x" * 100_000)
            return len(client.client_list()) == 1

        until(closed, "the monitor is closed", within_s=30)
        with pytest.raises(Closed):
            while True:
                monitor.read_line()


@pytest.mark.only_on("ebbtide")
def test_large_requests_and_replies_are_logged_apart(server):
    with server.wire() as wire:
        wire.ask("CONFIG", "SET", "commandlog-request-larger-than", 1000, "commandlog-reply-larger-than", 1000)
        wire.ask("SET", "key", "x" * 1000)
        wire.ask("GET", "key")
        [request] = wire.ask("COMMANDLOG", "GET", -1, "large-request")
        [reply] = wire.ask("COMMANDLOG", "GET", -1, "large-reply")
        assert request[3][:2] == [b"SET", b"key"] and int(request[2][1:]) >= 1000
        assert reply[3] == [b"GET", b"key"] and reply[2] == b":1009"
        assert wire.ask("COMMANDLOG", "RESET", "large-reply") == b"+OK"
        lengths = [wire.ask("COMMANDLOG", "LEN", log) for log in ("slow", "large-request", "large-reply")]
        assert lengths == [b":0", b":1", b":0"]
