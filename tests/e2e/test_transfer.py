"""`ebbtide export` and `ebbtide import`: from servers and files to files and servers, whatever kind of server it is."""

import json
import subprocess

import pytest

import dataset
from servers import program
from waiting import until
from wire import request

FORMATS = ["json", "rdb", "resp"]
LOG = ("--appendonly", "yes", "--appendfsync", "always")


def tool(*args, stdin=None, fails=False):
    """Runs one of the binary's tools; its output and what it says on stderr."""
    command = [program("ebbtide")[0], *map(str, args)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    assert (done.returncode != 0) == fails, (command, done.returncode, done.stderr)
    return done.stdout, done.stderr.decode()


@pytest.mark.parametrize("form", FORMATS)
def test_everything_arrives(start, tmp_path, form):
    source, target = start(), start()
    dataset.fill(source)
    expected = dataset.contents(source)
    path = tmp_path / "exported"
    _, said = tool("export", "-p", source.port, "--format", form, "--out", path)
    assert f"Exported: {len(expected)} keys" in said
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["exported"]
    tool("import", "-p", target.port, path)
    assert dataset.contents(target) == expected


def test_redis_7_0_reads_version_10(start, launch, tmp_path):
    source, oracle = start(), launch("oracle")
    dataset.fill(source, dataset.types_of(source) & dataset.types_of(oracle))
    folder = tmp_path / "old"
    folder.mkdir()
    tool("export", "-p", source.port, "--format", "rdb", "--rdb-version", 10, "--out", folder / "dump.rdb")
    assert (folder / "dump.rdb").read_bytes()[:9] == b"REDIS0010"
    assert dataset.contents(launch("oracle", folder=folder)) == dataset.contents(source)


def test_forms_are_made_of_each_other(start, tmp_path):
    """RDB, JSON, RDB again, requests: nothing is lost on the way."""
    source, target = start(), start()
    dataset.fill(source)
    steps = [("rdb", ["-p", source.port])]
    for n, form in enumerate(["json", "rdb", "json", "resp"]):
        steps.append((form, ["--from", tmp_path / f"step{n}"]))
    for n, (form, where) in enumerate(steps):
        tool("export", *where, "--format", form, "--out", tmp_path / f"step{n}")
    assert (tmp_path / "step1").read_bytes() == (tmp_path / "step3").read_bytes()
    protocol = (tmp_path / "step4").read_bytes()
    assert b"errors: 0" in tool("cli", "-p", target.port, "--pipe", stdin=protocol)[0]
    assert dataset.contents(target) == dataset.contents(source)


def test_json_is_for_people_and_programs(start):
    server = start()
    with server.wire() as wire:
        for command in (
            ("SET", "greeting", "hello"),
            ("SET", "soon", "gone", "PXAT", dataset.DEADLINE_MS),
            ("SET", b"\xff", b"\x00\xfe"),
        ):
            assert wire.ask(*command) == b"+OK"
        wire.ask("SELECT", 3)
        wire.ask("SET", "visits", 42)
    lines = tool("export", "-p", server.port)[0].decode().splitlines()
    assert lines[0] == '{"ebbtide": 1, "data": [' and lines[-1] == "]}"
    assert sorted(line.rstrip(",") for line in lines[1:-1]) == [
        '{"key": "base64:/w==", "string": "base64:AP4="}',
        '{"key": "greeting", "string": "hello"}',
        '{"key": "soon", "expires_ms": %d, "string": "gone"}' % dataset.DEADLINE_MS,
        '{"key": "visits", "db": 3, "string": "42"}',
    ]
    assert len(json.loads("\n".join(lines))["data"]) == 4


def test_what_is_there_stays_unless_it_is_to_be_replaced(start, tmp_path):
    server = start()
    document = tmp_path / "document"
    document.write_text(
        '{"ebbtide":1,"data":[{"key":"a","string":"new"},{"key":"b","string":"new"},{"key":"c","db":2,"string":3}]}'
    )
    with server.wire() as wire:
        assert wire.ask("SET", "b", "old") == b"+OK"
        _, said = tool("import", "-p", server.port, document, fails=True)
        assert 'the key "b" in database 0: BUSYKEY' in said and "3 keys, 1 refused" in said
        assert wire.ask("MGET", "a", "b") == [b"new", b"old"]
        tool("import", "-p", server.port, "--replace", document)
        assert wire.ask("MGET", "a", "b") == [b"new", b"new"]
        wire.ask("SELECT", 2)
        assert wire.ask("GET", "c") == b"3"


def test_part_of_the_data(start):
    server = start()
    with server.wire() as wire:
        for db in (0, 4):
            wire.ask("SELECT", db)
            for n in range(5):
                wire.ask("SET", f"{'even' if n % 2 == 0 else 'odd'}:{n}", n)

    def keys(*args):
        data = json.loads(tool("export", "-p", server.port, *args)[0])["data"]
        return sorted((entry.get("db", 0), entry["key"]) for entry in data)

    assert keys("-n", "4", "--pattern", "odd:*") == [(4, "odd:1"), (4, "odd:3")]
    assert len(keys("--pattern", "even:*")) == 6 and len(keys("-n", "0")) == 5 and keys("-n", "7") == []


def test_many_keys_come_once(start):
    """While the table shrinks, SCAN names keys twice."""
    server = start()
    with server.wire() as wire:
        wire.send(b"".join(request("SET", f"key:{n}", n) for n in range(20_000)))
        assert [wire.read() for _ in range(20_000)] == [b"+OK"] * 20_000
        wire.send(b"".join(request("DEL", f"key:{n}") for n in range(3_000, 20_000)))
        assert [wire.read() for _ in range(17_000)] == [b":1"] * 17_000
    data = json.loads(tool("export", "-p", server.port)[0])["data"]
    assert sorted(int(entry["key"][4:]) for entry in data) == list(range(3_000))


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_an_append_log_is_imported(start, preamble):
    """From the directory, which stays as it is, into a server that runs."""
    source, target = start(*LOG, "--aof-use-rdb-preamble", preamble), start()
    dataset.fill(source)
    with source.wire() as wire:
        assert wire.ask("BGREWRITEAOF").startswith(b"+Background")
        assert source.rewritten()["aof_last_bgrewrite_status"] == "ok"
        assert wire.ask("SET", "behind the base", 1) == b"+OK"
        assert wire.ask("DEL", "integer:0") == b":1"
    expected = dataset.contents(source)
    source.kill()
    before = {path: path.read_bytes() for path in source.folder.rglob("*") if path.is_file()}
    tool("import", "-p", target.port, source.folder)
    assert dataset.contents(target) == expected
    assert {path: path.read_bytes() for path in source.folder.rglob("*") if path.is_file()} == before


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("form", FORMATS)
def test_an_append_log_is_exported(start, tmp_path, form):
    """Its requests are run in an empty store, where the form wants values."""
    source, target = start(*LOG), start()
    dataset.fill(source)
    with source.wire() as wire:
        wire.ask("SELECT", 3)
        assert wire.ask("SET", "count", 41) == wire.ask("SET", "short", 1, "PX", 1) == b"+OK"
        assert wire.ask("INCR", "count") == b":42"
        until(lambda: wire.ask("EXISTS", "short") == b":0", "the key expires")
    expected = dataset.contents(source)
    source.kill()
    path = tmp_path / "exported"
    tool("export", "--from", source.folder, "--format", form, "--out", path)
    tool("import", "-p", target.port, path)
    assert dataset.contents(target) == expected


def test_a_snapshot_is_imported_from_its_directory(start):
    source, target = start(), start()
    dataset.fill(source)
    with source.wire() as wire:
        assert wire.ask("SAVE") == b"+OK"
    expected = dataset.contents(source)
    source.stop()
    tool("import", "-p", target.port, source.folder)
    assert dataset.contents(target) == expected


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "it is empty"),
        (b"hello", "neither RDB nor JSON nor requests"),
        (b"REDIS0011\xfa", "the file ends too early"),
        (b'{"ebbtide": 1, "data": [\n{"key": "a", "string": "b"},\n{"key": "c"', "line 3 column"),
        (b"*2\r\n$3\r\nDEL\r\n$1\r\n", "at byte 0: the file ends within a request"),
        (b"*x\r\n", "at byte 0"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(start, tmp_path, content, said):
    server = start()
    path = tmp_path / "damaged"
    path.write_bytes(content)
    _, text = tool("import", "-p", server.port, path, fails=True)
    assert "damaged: " in text and said in text
    out = tmp_path / "out"
    _, text = tool("export", "--from", path, "--out", out, "--format", "resp", fails=True)
    assert said in text and not out.exists()
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == ["damaged"]


@pytest.mark.only_on("ebbtide")
def test_nobody_answers():
    for args in (["export"], ["import", "/dev/null"]):
        assert "Could not connect to 127.0.0.1:1" in tool(*args, "-p", "1", fails=True)[1]


def test_a_password_is_given(start, tmp_path):
    server = start("--requirepass", "secret")
    assert "NOAUTH" in tool("export", "-p", server.port, fails=True)[1]
    assert "AUTH failed" in tool("export", "-p", server.port, "-a", "wrong", fails=True)[1]
    assert b'"data"' in tool("export", "-u", f"redis://:secret@127.0.0.1:{server.port}")[0]
