"""`ebbtide check`, also under the names of Redis's tools: what it says of files, whoever wrote them, and how it mends."""

import shutil
import subprocess

import pytest

import dataset
from servers import program
from waiting import now_ms, until_clock

LOG = ("--appendonly", "yes", "--appendfsync", "always")
INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"


def check(*args, good, name=None, folder=None):
    """Runs `ebbtide check`, or the binary under another name; what it says."""
    binary = program("ebbtide")[0]
    command = [binary, "check"]
    if name:
        link = folder / name
        if not link.exists():
            link.symlink_to(binary)
        command = [link]
    done = subprocess.run([*command, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == good, (command, args, done)
    return done.stdout + done.stderr


@pytest.fixture
def snapshot(start):
    """A snapshot of everything, and how many keys are in it."""
    server = start()
    dataset.fill(server)
    keys = len(dataset.contents(server))
    with server.wire() as wire:
        assert wire.ask("SAVE") == b"+OK"
    server.stop()
    return server.folder / "dump.rdb", keys


@pytest.fixture
def log(start):
    """The folder of a server that wrote a hundred keys into its log."""
    server = start(*LOG)
    with server.wire() as wire:
        for n in range(100):
            assert wire.ask("SET", f"key:{n}", n) == b"+OK"
    server.kill()
    return server.folder


def test_a_whole_snapshot_is_good(snapshot, tmp_path):
    path, keys = snapshot
    before = path.read_bytes()
    for said in (
        check("rdb", path, good=True),
        check(path, good=True, name="redis-check-rdb", folder=tmp_path),
        check(path, good=True, name="valkey-check-rdb", folder=tmp_path),
    ):
        assert f"{keys} keys" in said and "RDB looks OK" in said
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_damaged_snapshot_is_mended(start, snapshot, damage):
    path, keys = snapshot
    whole = bytearray(path.read_bytes())
    if damage == "cut":
        del whole[-len(whole) // 3 :]
    else:
        # The last byte in front of the checksum and the end.
        whole[-10] ^= 1
    path.write_bytes(whole)
    assert "check rdb --fix" in check("rdb", path, good=False)
    assert path.read_bytes() == whole, "without --fix nothing is changed"
    check("rdb", "--fix", path, good=True)
    check("rdb", path, good=True)
    kept = dataset.contents(start(folder=path.parent))
    assert 0 < len(kept) <= keys


@pytest.mark.parametrize("content", [b"", b"REDIS", b"hello, world", b"REDIS9999\xff"])
def test_what_is_no_snapshot_is_not_mended(tmp_path, content):
    path = tmp_path / "dump.rdb"
    path.write_bytes(content)
    check("rdb", path, good=False)
    check("rdb", "--fix", path, good=False)
    assert path.read_bytes() == content
    assert "No such file" in check("rdb", tmp_path / "missing", good=False)


def test_a_whole_log_is_good(log, tmp_path):
    manifest = log / "appendonlydir/appendonly.aof.manifest"
    for path in (log, log / "appendonlydir", manifest, log / INCREMENT):
        assert "The log is good" in check("aof", path, good=True)
    assert "The log is good" in check(manifest, good=True, name="redis-check-aof", folder=tmp_path)
    assert "no append log in it" in check("aof", tmp_path, good=False)


def test_a_torn_log_is_mended(start, log):
    path = log / INCREMENT
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    said = check("aof", log, good=False)
    assert "as a crash leaves it" in said and "check aof --fix" in said
    assert path.read_bytes() == torn
    check("aof", "--fix", log, good=True)
    assert torn.startswith(path.read_bytes())
    kept = dataset.contents(start(*LOG, "--aof-load-truncated", "no", folder=log))
    assert {key for _, key in kept} == {b"key:%d" % n for n in range(99)}


def test_damage_in_the_middle_is_cut_off_only_when_told(start, log):
    path = log / INCREMENT
    whole = path.read_bytes()
    at = whole.index(b"key:50") - 4
    path.write_bytes(whole[:at] + b"#" + whole[at + 1 :])
    said = check("aof", log, good=False)
    assert "at byte" in said and "damaged" in said
    copy = log.parent / "copy"
    shutil.copytree(log, copy)
    check("aof", "--fix", copy, good=True)
    kept = dataset.contents(start(*LOG, folder=copy))
    assert {key for _, key in kept} == {b"key:%d" % n for n in range(50)}


def test_back_to_a_moment(start):
    """What was written after a second is cut off, where the log says when it was written."""
    server = start(*LOG, "--aof-timestamp-enabled", "yes")
    with server.wire() as wire:
        assert wire.ask("SET", "early", "1") == b"+OK"
        moment_s = int(now_ms() / 1000) + 1
        until_clock((moment_s + 1) * 1000)
        assert wire.ask("SET", "late", "1") == b"+OK"
    server.kill()
    check("aof", "--truncate-to-timestamp", moment_s, server.folder, good=True)
    assert list(dataset.contents(start(*LOG, folder=server.folder))) == [(0, b"early")]


def test_a_moment_needs_timestamps(log):
    before = (log / INCREMENT).read_bytes()
    check("aof", "--truncate-to-timestamp", "1", log, good=False)
    assert (log / INCREMENT).read_bytes() == before
