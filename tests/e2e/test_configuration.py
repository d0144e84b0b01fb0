"""Directives from a file, from the command line and at run time."""

import re

import pytest
import redis

from servers import Server


def test_a_file_and_then_the_command_line(start, tmp_path):
    config = tmp_path / "my.conf"
    config.write_text("# a comment\n\nmaxclients 77\ntimeout 5\nsave \"\"\nproto-max-bulk-len 2mb\n")
    server = start("--timeout", "9", config=config)
    with server.client() as client:
        assert client.config_get("maxclients", "timeout", "proto-max-bulk-len") == {
            "maxclients": "77",
            "timeout": "9",
            "proto-max-bulk-len": "2097152",
        }
        with pytest.raises(redis.ResponseError, match="^string exceeds maximum allowed size"):
            client.setrange("key", 2 << 20, "x")


def test_limits_of_the_file_hold_on_the_wire(start, tmp_path):
    config = tmp_path / "my.conf"
    config.write_text("proto-max-bulk-len 2mb\n")
    with start(config=config).wire() as wire:
        wire.send(b"*2\r\n$4\r\nECHO\r\n$2097153\r\n")
        assert wire.rest() == b"-ERR Protocol error: invalid bulk length\r\n"


@pytest.mark.parametrize("line", ["nonsense 1", "maxclients many", "maxclients", "timeout -1", 'dir "/tmp'])
def test_a_bad_line_ends_the_start_and_is_named(kind, tmp_path, line):
    config = tmp_path / "my.conf"
    config.write_text(f"timeout 5\n{line}\n")
    server = Server(kind, tmp_path / "server", config=config)
    try:
        assert server.exit_code() == 1
        assert re.search(r"line 2\b|my\.conf:2\b", server.log()), server.log()
        assert line.split()[0] in server.log()
    finally:
        server.stop()


@pytest.mark.parametrize("directives", [["--nonsense", "1"], ["--maxclients", "many"]])
def test_a_bad_flag_ends_the_start_and_is_named(kind, tmp_path, directives):
    server = Server(kind, tmp_path / "server", *directives)
    try:
        assert server.exit_code() == 1
        assert directives[0].strip("-") in server.log()
    finally:
        server.stop()


def test_a_file_that_is_missing_ends_the_start(kind, tmp_path):
    server = Server(kind, tmp_path / "server", config=tmp_path / "missing.conf")
    try:
        assert server.exit_code() == 1
        assert "missing.conf" in server.log()
    finally:
        server.stop()


def test_config_set_takes_all_or_nothing(client):
    assert client.config_set("timeout", 7, "maxclients", 500) is True
    assert client.config_get("timeout", "maxclients") == {"timeout": "7", "maxclients": "500"}
    with pytest.raises(redis.ResponseError, match="^CONFIG SET failed .*'timeout'"):
        client.config_set("maxclients", 600, "timeout", "never")
    assert client.config_get("timeout", "maxclients") == {"timeout": "7", "maxclients": "500"}
    with pytest.raises(redis.ResponseError, match="^Unknown option or number of arguments for CONFIG SET - 'nonsense'"):
        client.config_set("nonsense", 1)


def test_config_rewrite_keeps_what_the_file_says_and_adds_what_changed(start, tmp_path):
    config = tmp_path / "my.conf"
    config.write_text("# keep this comment\nmaxclients 77\n")
    server = start(config=config)
    with server.client() as client:
        client.config_set("maxclients", 99)
        client.config_set("timeout", 12)
        assert client.config_rewrite() == b"OK"
    text = config.read_text()
    assert "# keep this comment\n" in text
    assert "maxclients 99\n" in text and "maxclients 77" not in text
    assert "timeout 12\n" in text
    server.stop()
    with start(config=config).client() as client:
        assert client.config_get("timeout") == {"timeout": "12"}


# Directives of several words; what any other one's value holds is one.
SEVERAL = ("save", "client-output-buffer-limit", "oom-score-adj-values")
# Those that belong to a machine, those that need others, and those that a file cannot leave empty.
LEFT_OUT = ("dir", "port", "bind", "logfile", "pidfile", "unixsocketperm", "replicaof", "slaveof", "cluster-config-file")


def test_a_redis_conf_with_every_directive_starts(start, tmp_path):
    """The file is what a real Redis says its directives are."""
    oracle = Server("oracle", tmp_path / "oracle").ready()
    try:
        with oracle.client() as client:
            directives = {n: v for n, v in client.config_get("*").items() if n not in LEFT_OUT}
    finally:
        oracle.stop()
    assert len(directives) > 150
    lines = [f"{name} {value}" if name in SEVERAL and value else f'{name} "{value}"' for name, value in directives.items()]
    config = tmp_path / "redis.conf"
    config.write_text("\n".join(lines) + "\n")
    with start(config=config).client() as client:
        given = client.config_get("*")
    for name in ("maxclients", "timeout", "hz", "proto-max-bulk-len", "client-output-buffer-limit", "databases"):
        assert given[name] == directives[name], name
