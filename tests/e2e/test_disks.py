"""Disks that are full, read-only, limited or gone: writes are refused meanwhile, reads go on, and nothing is lost.

A server that needs a disk of its own gets one: a small tmpfs that only its process sees (a mount namespace), reached
from here through /proc.
"""

import os
import resource
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import dataset
from waiting import until
from wire import request

SNAPSHOTS = ("--save", "3600 1")
LOG = ("--appendonly", "yes")
ALWAYS = (*LOG, "--appendfsync", "always")
DISK_BYTES = 2 << 20
MISCONF = b"-MISCONF "
VANISHED = b"a file of the append log vanished: a rewrite is needed"


class SmallDisk:
    """The disk of one server: a folder that is a file system of its own."""

    def __init__(self, start, folder, *directives):
        folder.mkdir()
        self.inside = folder
        script = 'mount -t tmpfs -o size=$1 none "$2" && shift 2 && exec "$@"'
        unshare = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
        prefix = [*unshare, "sh", "-c", script, "sh", str(DISK_BYTES), str(folder)]
        self.server = start(*directives, "--dir", folder, prefix=prefix)

    @property
    def folder(self):
        """The folder as seen from outside."""
        return Path(f"/proc/{self.server.pid}/root") / str(self.inside).lstrip("/")

    def fill(self):
        """Takes all the space that is left."""
        with open(self.folder / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self):
        (self.folder / "filler").unlink()

    def remount(self, how):
        """Makes it read-only (`ro`) or writable (`rw`)."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", "-t", str(self.server.pid), *user, "--mount"]
        subprocess.run([*enter, "mount", "-o", f"remount,{how}", str(self.inside)], check=True, timeout=20)

    def crash(self, target):
        """Ends the server at once; what the disk held is in the folder `target` then."""
        # Stopped first: the disk goes when the process is gone.
        self.server.signal(signal.SIGSTOP)
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("filler"))
        self.server.kill()
        return target


@pytest.fixture
def disk(start, tmp_path):
    """A function that starts a server on a small disk."""
    return lambda *directives: SmallDisk(start, tmp_path / "disk", *directives)


class Writing:
    """A client that writes one key after the other, and knows which were acknowledged.

    With `always` the write that meets the failure has run already: its reply is held until the disk is well. Others
    are refused meanwhile.
    """

    def __init__(self, server):
        self.server, self.wire = server, server.wire()
        self.acknowledged, self.held, self.count = {}, None, 0

    def until_refused(self):
        """Writes until the server refuses; the error."""
        for _ in range(100_000):
            key, value = b"key:%d" % self.count, dataset.noise(self.count, 1_000)
            self.count += 1
            self.wire.send(request("SET", key, value))
            reply = self.reply_or_refusal()
            if reply is None:
                self.held = (key, value)
                with self.server.wire() as other:
                    return other.ask("SET", "another", "1")
            if reply != b"+OK":
                return reply
            self.acknowledged[key] = value
        raise AssertionError("the server never refused")

    def reply_or_refusal(self):
        """The reply; nothing when the disk fails before one comes."""
        deadline = time.monotonic() + 20
        while not select.select([self.wire.socket], [], [], 0.05)[0]:
            if self.server.info()["aof_last_write_status"] == "err":
                return None
            assert time.monotonic() < deadline, "no reply, and no failure either"
        return self.wire.read()

    def settle(self):
        """Reads the reply that was held, if one was."""
        if self.held:
            assert self.wire.read() == b"+OK"
            self.acknowledged[self.held[0]] = self.held[1]
            self.held = None


def assert_holds(server, acknowledged):
    """Each acknowledged write is there; what was refused may be."""
    values = {key: value for (_, key), (_, value, _) in dataset.contents(server).items()}
    missing = {key for key, value in acknowledged.items() if values.get(key) != value}
    assert not missing


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_full_disk_and_the_log(kind, disk, start, tmp_path, policy):
    if (kind, policy) == ("oracle", "always"):
        pytest.skip("Redis ends itself when it cannot write with `always`")
    full = disk(*LOG, "--appendfsync", policy)
    server, writing = full.server, Writing(full.server)
    with server.wire() as wire:
        for _ in range(2):
            assert wire.ask("SET", "key", "value") == b"+OK"
            full.fill()
            error = writing.until_refused()
            assert error == b"-MISCONF Errors writing to the AOF file: No space left on device"
            assert server.info()["aof_last_write_status"] == "err"
            assert wire.ask("GET", "key") == b"value"
            assert wire.ask("DEL", "key") == error
            assert wire.ask("PING").startswith(MISCONF)
            full.free()
            until(lambda: wire.ask("SET", "key", "again") == b"+OK", "the server writes again")
            writing.settle()
            assert server.info()["aof_last_write_status"] == "ok"
    if policy == "everysec":
        # What was acknowledged last may be a second behind.
        with server.wire() as wire:
            assert wire.ask("BGREWRITEAOF").startswith(b"+Background")
        assert server.rewritten()["aof_last_bgrewrite_status"] == "ok"
    copy = full.crash(tmp_path / "copy")
    assert len(writing.acknowledged) > 2
    assert_holds(start(*ALWAYS, folder=copy), writing.acknowledged)


@pytest.mark.parametrize("failing", ["full", "read-only"])
def test_a_disk_that_takes_no_snapshot(disk, start, tmp_path, failing):
    failing_disk = disk(*SNAPSHOTS)
    server = failing_disk.server
    with server.wire() as wire:
        wire.send(b"".join(request("SET", f"key:{n}", dataset.noise(n, 1_000)) for n in range(200)))
        assert [wire.read() for _ in range(200)] == [b"+OK"] * 200
        assert wire.ask("SAVE") == b"+OK"
        assert wire.ask("SET", "later", "1") == b"+OK"
        if failing == "full":
            failing_disk.fill()
        else:
            failing_disk.remount("ro")
        wire.ask("BGSAVE")
        assert server.saved()["rdb_last_bgsave_status"] == "err"
        refused = wire.ask("SET", "key", "value")
        assert refused.startswith(b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to")
        assert wire.ask("GET", "later") == b"1"
        assert wire.ask("SAVE").startswith(b"-ERR")
        assert wire.ask("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == b"+OK"
        assert wire.ask("SET", "allowed", "1") == b"+OK"
        assert wire.ask("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes") == b"+OK"
        assert wire.ask("SET", "key", "value").startswith(MISCONF)
        names = {path.name for path in failing_disk.folder.iterdir()}
        assert names <= {"dump.rdb", "filler"}, "nothing is left of what failed"
        if failing == "full":
            failing_disk.free()
        else:
            failing_disk.remount("rw")
        wire.ask("BGSAVE")
        assert server.saved()["rdb_last_bgsave_status"] == "ok"
        assert wire.ask("SET", "not saved", "value") == b"+OK"
    copy = failing_disk.crash(tmp_path / "copy")
    kept = dataset.contents(start(folder=copy))
    assert {key for _, key in kept} == {b"later", b"allowed", *(b"key:%d" % n for n in range(200))}


def test_a_failed_snapshot_leaves_the_last_one(disk, start, tmp_path):
    full = disk()
    with full.server.wire() as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
        assert wire.ask("SAVE") == b"+OK"
        assert wire.ask("SET", "big", dataset.noise(1, 100_000)) == b"+OK"
        full.fill()
        assert wire.ask("SAVE").startswith(b"-ERR")
    copy = full.crash(tmp_path / "copy")
    assert list(dataset.contents(start(folder=copy))) == [(0, b"key")]


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_log_that_may_not_grow(start, policy):
    """A limit of the process (RLIMIT_FSIZE) fails in the middle of a write: a part of it comes to the disk."""
    server = start(*LOG, "--appendfsync", policy)
    writing = Writing(server)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with server.wire() as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (50_777, hard))
        assert writing.until_refused().startswith(b"-MISCONF Errors writing to the AOF file")
        assert 10 < len(writing.acknowledged) < 5_000 and wire.ask("GET", "key") == b"value"
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
        until(lambda: wire.ask("SET", "key", "again") == b"+OK", "the server writes again")
        writing.settle()
    server.stop()
    server = start(*ALWAYS, folder=server.folder)
    for word in ("runcat", "Cut the last"):
        assert word not in server.log(), "the part that was written is not left in the log"
    assert_holds(server, {**writing.acknowledged, b"key": b"again"})


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("gone", ["folder", "file"])
@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_log_that_vanished(start, policy, gone):
    """Redis goes on writing into a file that nobody will find. Here a rewrite mends it, which begins by itself."""
    server = start(*LOG, "--appendfsync", policy)
    folder = server.folder / "appendonlydir"
    with server.wire() as wire:
        assert wire.ask("SET", "first", "1") == b"+OK"
        if gone == "folder":
            shutil.rmtree(folder)
        else:
            (folder / "appendonly.aof.1.incr.aof").unlink()
        replies = []

        def mended():
            replies.append(wire.ask("SET", "key", len(replies)))
            info = server.info()
            assert wire.ask("GET", "first") == b"1"
            return replies[-1] == b"+OK" and info["aof_rewrites"] != "0" and info["aof_last_write_status"] == "ok"

        until(mended, "a rewrite mends it", within_s=30)
        assert set(replies) <= {b"+OK", b"-MISCONF Errors writing to the AOF file: " + VANISHED}
        assert wire.ask("SET", "last", "1") == b"+OK"
        # With `always` this is on disk by now.
        (server.kill if policy == "always" else server.stop)()
    server = start(*ALWAYS, folder=server.folder)
    acknowledged = max(n for n, reply in enumerate(replies) if reply == b"+OK")
    assert_holds(server, {b"first": b"1", b"key": b"%d" % acknowledged, b"last": b"1"})
