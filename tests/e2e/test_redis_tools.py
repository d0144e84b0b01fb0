"""Debian's redis-cli and redis-benchmark work unchanged; `ebbtide cli` answers as redis-cli does."""

import shutil
import subprocess

import pytest

from servers import program

TOOLS = {"redis-cli": lambda: [shutil.which("redis-cli")], "ebbtide-cli": lambda: [program("ebbtide")[0], "cli"]}


@pytest.fixture(params=TOOLS)
def cli(request, server):
    """A function that runs a command-line client against `server`."""
    tool = TOOLS[request.param]()
    assert tool[0], "redis-cli is missing: install redis-tools"

    def run(*args, stdin=None, fails=False):
        command = [*tool, "-p", str(server.port), *args]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=30)
        assert (done.returncode != 0) == fails, (command, done)
        return done.stdout + done.stderr if fails else done.stdout

    return run


def test_one_shot_commands(cli):
    assert cli("set", "key", "a b") == b"OK\n"
    assert cli("get", "key") == b"a b\n"
    assert cli("get", "nothing") == b"\n"
    assert cli("incr", "count") == b"1\n"
    assert cli("mget", "key", "nothing", "count") == b"a b\n\n1\n"
    assert cli("--no-raw", "mget", "key", "nothing") == b'1) "a b"\n2) (nil)\n'
    assert cli("--no-raw", "incr", "count") == b"(integer) 2\n"
    assert cli("--json", "-3", "get", "key") == b'"a b"\n'
    assert cli("-n", "3", "dbsize") == b"0\n"


def test_input_and_repetition(cli):
    assert cli("-x", "set", "key", stdin=b"from\nstdin") == b"OK\n"
    assert cli("strlen", "key") == b"10\n"
    assert cli("-r", "3", "incr", "count") == b"1\n2\n3\n"
    assert cli(stdin=b"set a 1\nget a\n") == b"OK\n1\n"


def test_exit_status_tells_of_errors(cli):
    assert b"wrong number of arguments" in cli("-e", "get", fails=True)
    assert b"OK" in cli("-e", "set", "key", "value")


def test_scan_and_pipe(cli):
    assert cli("--scan") == b""
    protocol = b"".join(b"SET key:%d %d\r\n" % (i, i) for i in range(5_000))
    assert b"errors: 0, replies: 5000" in cli("--pipe", stdin=protocol)
    assert len(cli("--scan", "--pattern", "key:*").splitlines()) == 5_000
    assert len(cli("--scan", "--pattern", "key:11?").splitlines()) == 10


def test_big_keys(cli):
    cli("set", "small", "x")
    cli("set", "biggest-of-all", "x" * 1000)
    report = cli("--bigkeys")
    assert b"biggest-of-all" in report and b"1000 bytes" in report


def test_memory_of_keys(cli):
    cli("rpush", "a-list", *map(str, range(1000)))
    assert b"a-list" in cli("--memkeys")


def test_hot_keys(cli, server):
    cli("config", "set", "maxmemory-policy", "allkeys-lfu")
    with server.client() as client:
        for number in range(2000):
            client.get("hot" if number % 2 else f"key:{number}")
        client.set("hot", "x")
        client.get("hot")
    assert b"hot" in cli("--hotkeys")


@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_redis_benchmark(server, pipeline):
    tool = shutil.which("redis-benchmark")
    assert tool, "redis-benchmark is missing: install redis-tools"
    tests = "ping,set,get,incr,mset"
    command = [tool, "-p", str(server.port), "-n", "20000", "-c", "20", "-P", pipeline, "-r", "10000", "-t", tests]
    done = subprocess.run([*command, "--csv"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "rror" not in done.stdout + done.stderr, done
    rows = [line.split('","') for line in done.stdout.splitlines()[1:]]
    assert [row[0].strip('"') for row in rows] == [
        "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"
    ]
    assert all(float(row[1]) > 1_000 for row in rows)
    with server.client() as client:
        assert client.dbsize() > 5_000
        assert int(client.get("counter:000000000001") or 0) >= 0


def test_redis_benchmark_with_a_command_of_ones_own(server):
    command = ["redis-benchmark", "-p", str(server.port), "-n", "5000", "-r", "100", "-q"]
    done = subprocess.run(
        [*command, "SET", "key:__rand_int__", "value", "PX", "100000"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "requests per second" in done.stdout, done
    with server.client() as client:
        assert client.dbsize() == 100
        assert 0 < client.pttl("key:000000000007") <= 100_000
