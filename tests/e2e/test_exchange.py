"""Data moves between Ebbtide, Redis and Valkey: as files, and as DUMP's payloads, in both directions.

Valkey takes part when EBBTIDE_VALKEY names its server. A pair of two real Redis servers shows that the tests are
right.
"""

import os
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

import dataset
from servers import program
from wire import request

PEERS = ["oracle", *(["valkey"] if "EBBTIDE_VALKEY" in os.environ else [])]
LOG = ("--appendonly", "yes", "--appendfsync", "always")
PREAMBLES = ["yes", "no"]


@pytest.fixture(params=[f"{way} {peer}" for peer in PEERS for way in ("to", "from")])
def pair(kind, launch, request):
    """Two functions: one starts the server that data comes from, the other the one it goes to."""
    way, peer = request.param.split()
    giver, taker = (kind, peer) if way == "to" else (peer, kind)
    if (giver, taker) == ("valkey", "oracle"):
        pytest.skip("Redis does not read what Valkey writes")
    if (giver, taker) == ("oracle", "valkey") and oracle_version() >= (7, 4):
        pytest.skip("Valkey does not read what Redis writes since 7.4")
    return partial(launch, giver, *readable(giver, taker)), partial(launch, taker)


def readable(writer, reader):
    """The directives with which `writer` writes what `reader` can read: Redis knows version 11 since 7.2."""
    if writer != "ebbtide" or reader != "oracle":
        return ()
    return () if oracle_version() >= (7, 2) else ("--rdb-version", "10")


def oracle_version():
    said = subprocess.run([*program("oracle"), "--version"], capture_output=True, text=True, timeout=20).stdout
    return tuple(map(int, re.search(r"v=(\d+)\.(\d+)", said).groups()))


def fill_for_tools(server):
    """Puts in what the tools beside the oracle know: deadlines of fields are of Redis 7.4."""
    types = dataset.types_of(server)
    dataset.fill(server, types if oracle_version() >= (7, 4) else types - {"timed hash"})


def shared_types(pair):
    """The types that both servers of the pair know."""
    servers = [start() for start in pair]
    types = set.intersection(*map(dataset.types_of, servers))
    if pair[1].args[0] == "valkey":
        # It writes deadlines of fields in its own way, and knows no other.
        types.discard("timed hash")
    for server in servers:
        server.stop()
    assert "string" in types
    return types


def test_dump_and_restore(pair):
    """Every key of the one, restored in the other with its deadline."""
    types = shared_types(pair)
    giver, taker = (start() for start in pair)
    dataset.fill(giver, types)
    with giver.wire() as source, taker.wire() as target:
        for db in range(16):
            for wire in (source, target):
                assert wire.ask("SELECT", db) == b"+OK"
            for key in source.ask("KEYS", "*"):
                deadline_ms = max(int(source.ask("PEXPIRETIME", key)[1:]), 0)
                payload = source.ask("DUMP", key)
                assert target.ask("RESTORE", key, deadline_ms, payload, "ABSTTL") == b"+OK", key
                assert target.ask("RESTORE", key, 0, payload) == b"-BUSYKEY Target key name already exists."
    assert dataset.contents(taker) == dataset.contents(giver)


@pytest.mark.parametrize("compression", ["yes", "no"])
def test_a_snapshot_moves(pair, compression):
    types = shared_types(pair)
    giver = pair[0]("--rdbcompression", compression)
    dataset.fill(giver, types)
    expected = dataset.contents(giver)
    with giver.wire() as wire:
        assert wire.ask("SAVE") == b"+OK"
    giver.stop()
    assert dataset.contents(pair[1](folder=giver.folder)) == expected


@pytest.mark.parametrize("preamble", PREAMBLES)
def test_a_log_moves(pair, preamble):
    """With a base of either kind and commands behind it."""
    types = shared_types(pair)
    directives = (*LOG, "--aof-use-rdb-preamble", preamble)
    giver = pair[0](*directives)
    dataset.fill(giver, types)
    with giver.wire() as wire:
        assert wire.ask("BGREWRITEAOF").startswith(b"+Background")
        assert wire.ask("SET", "behind the base", "1", "EX", 1_000_000) == b"+OK"
    assert giver.rewritten()["aof_last_bgrewrite_status"] == "ok"
    with giver.wire() as wire:
        assert wire.ask("DEL", "integer:0") == b":1"
    expected = dataset.contents(giver)
    giver.kill()
    taker = pair[1](*directives, folder=giver.folder)
    assert dataset.contents(taker) == expected
    with taker.wire() as wire:
        assert wire.ask("SET", "written by the next", "1") == b"+OK"
    expected = dataset.contents(taker)
    taker.kill()
    assert dataset.contents(pair[1](*directives, folder=giver.folder)) == expected


def run_tool(name, *args):
    """Runs the tool that stands beside the oracle."""
    found = Path(program("oracle")[0]).with_name(name)
    assert found.exists(), f"{found} is missing: install redis-tools"
    return subprocess.run([found, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_redis_check_rdb_approves(kind, start):
    server = start(*readable(kind, "oracle"))
    fill_for_tools(server)
    keys = len(dataset.contents(server))
    with server.wire() as wire:
        assert wire.ask("SAVE") == b"+OK"
    checked = run_tool("redis-check-rdb", server.folder / "dump.rdb")
    assert checked.returncode == 0, checked
    assert "RDB looks OK!" in checked.stdout and f"[info] {keys} keys read" in checked.stdout


@pytest.mark.parametrize("timestamps", ["yes", "no"])
@pytest.mark.parametrize("preamble", PREAMBLES)
def test_redis_check_aof_approves(kind, start, preamble, timestamps):
    written = ("--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", timestamps)
    server = start(*LOG, *written, *readable(kind, "oracle"))
    fill_for_tools(server)
    with server.wire() as wire:
        assert wire.ask("BGREWRITEAOF").startswith(b"+Background")
    assert server.rewritten()["aof_last_bgrewrite_status"] == "ok"
    with server.wire() as wire:
        wire.send(b"".join(request("SET", f"key:{n}", n) for n in range(100)))
        assert [wire.read() for _ in range(100)] == [b"+OK"] * 100
    checked = run_tool("redis-check-aof", server.folder / "appendonlydir/appendonly.aof.manifest")
    assert checked.returncode == 0, checked
    assert "All AOF files and manifest are valid" in checked.stdout
