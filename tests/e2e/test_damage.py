"""Files that are not what was written: torn tails, flipped bits, strangers. Nothing of them is taken in silently."""

import re

import pytest

import dataset
from servers import Server
from wire import request

LOG = ("--appendonly", "yes", "--appendfsync", "always")
WRITES = 100
INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"


@pytest.fixture
def written(start):
    """A folder with a log of so many writes, one after the other, each acknowledged when it was on disk."""
    server = start(*LOG)
    with server.wire() as wire:
        for n in range(WRITES):
            assert wire.ask("SET", f"key:{n}", f"value {n}") == b"+OK"
    server.kill()
    return server.folder


def refused(kind, folder, *directives):
    """Starts a server that must not start, and returns what it says."""
    server = Server(kind, folder, *LOG, *directives)
    try:
        assert server.exit_code() == 1
        return server.log()
    finally:
        server.stop()


@pytest.mark.parametrize("cut", [1, 2, 5, 20, 60])
def test_a_torn_tail_is_cut_off(start, written, cut):
    path = written / INCREMENT
    path.write_bytes(path.read_bytes()[:-cut])
    server = start(*LOG, folder=written)
    kept = dataset.contents(server)
    missing = 1 if cut < 30 else 2
    assert {int(key[4:]) for _, key in kept} in ({*range(WRITES - 1)}, {*range(WRITES - missing)})
    assert re.search("[Tt]runcat|Cut the last", server.log()) and "incr.aof" in server.log()
    with server.wire() as wire:
        assert wire.ask("SET", "after", "1") == b"+OK"
    server.kill()
    assert (0, b"after") in dataset.contents(start(*LOG, folder=written))


def test_a_torn_tail_is_refused_when_told_so(kind, start, written):
    path = written / INCREMENT
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    text = refused(kind, written, "--aof-load-truncated", "no")
    assert "incr.aof" in text and ("check-aof" in text or "check aof" in text)
    assert path.read_bytes() == whole[:-3], "what is refused is left as it was"


def test_garbage_in_the_middle_is_refused(kind, written):
    path = written / INCREMENT
    whole = path.read_bytes()
    at = whole.index(request("SET", "key:50", "value 50"))
    damaged = whole[:at] + b"garbage!" + whole[at + 8 :]
    path.write_bytes(damaged)
    text = refused(kind, written)
    assert "incr.aof" in text and ("check-aof" in text or "check aof" in text)
    assert path.read_bytes() == damaged


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("where", ["value", "key", "length", "header"])
def test_a_flipped_bit_is_found_and_located(kind, start, written, where):
    """Redis replays a flipped bit in a key or value as if it were data."""
    path = written / INCREMENT
    whole = path.read_bytes()
    request_at = whole.index(request("SET", "key:50", "value 50"))
    header_at = whole.rindex(b"#", 0, request_at)
    at = {
        "value": whole.index(b"value 50"),
        "key": whole.index(b"key:50"),
        "length": request_at + 5,
        "header": header_at + 6,
    }[where]
    damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    path.write_bytes(damaged)
    text = refused(kind, written)
    assert str(path.name) in text and "ebbtide check aof" in text
    offsets = [int(n) for n in re.findall(r"\d+", text)]
    assert header_at in offsets or request_at in offsets, (header_at, text)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("damage", ["flipped", "cut", "version", "magic"])
def test_a_damaged_snapshot_is_refused(kind, start, damage):
    server = start()
    dataset.fill(server, {"string"})
    with server.wire() as wire:
        assert wire.ask("SAVE") == b"+OK"
    server.stop()
    path = server.folder / "dump.rdb"
    whole = bytearray(path.read_bytes())
    if damage == "flipped":
        whole[whole.index(b"utf-8: ") + 3] ^= 1
    elif damage == "cut":
        del whole[len(whole) // 2 :]
    elif damage == "version":
        whole[5:9] = b"9999"
    else:
        whole[0:5] = b"SIDER"
    path.write_bytes(whole)
    refusing = Server(kind, server.folder)
    try:
        assert refusing.exit_code() == 1
        if kind == "ebbtide":
            assert "dump.rdb" in refusing.log() and "check rdb" in refusing.log()
    finally:
        refusing.stop()
    assert path.read_bytes() == whole, "what is refused is left as it was"


@pytest.mark.parametrize("missing", ["base", "incr"])
def test_a_file_that_the_manifest_names_must_be_there(kind, start, missing):
    server = start(*LOG)
    with server.wire() as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
    server.kill()
    (gone,) = (server.folder / "appendonlydir").glob(f"*.{missing}.*")
    gone.unlink()
    text = refused(kind, server.folder)
    assert gone.name in text
    assert not gone.exists()


@pytest.mark.parametrize("line", ["nonsense", "file appendonly.aof.1.incr.aof seq x type i", "file ../x seq 1 type i"])
def test_a_bad_manifest_is_refused(kind, written, line):
    manifest = written / "appendonlydir/appendonly.aof.manifest"
    manifest.write_text(manifest.read_text() + line + "\n")
    before = manifest.read_bytes()
    assert "anifest" in refused(kind, written)
    assert manifest.read_bytes() == before
