"""What is still there after a restart, and what the server tells of its files: saves, the log, rewrites."""

import signal

import pytest

import dataset
from waiting import now_ms, until, until_clock
from wire import Closed, request

SAVE_POINT = ("--save", "3600 1")
LOG = ("--appendonly", "yes")
ALWAYS = (*LOG, "--appendfsync", "always")


def end(server, how):
    """Ends a server with a signal, or with a command."""
    if isinstance(how, signal.Signals):
        server.signal(how)
        return server.exit_code()
    with server.wire() as wire:
        wire.send(request(*how.split()))
        assert wire.rest() == b""
    return server.exit_code()


def files(server):
    """The files below the server's folder, the log of its doings left out."""
    names = (str(path.relative_to(server.folder)) for path in server.folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != "log" and not name.endswith(".lock"))


@pytest.mark.parametrize(
    "directives, how",
    [
        (SAVE_POINT, signal.SIGTERM),
        (SAVE_POINT, signal.SIGINT),
        (SAVE_POINT, "SHUTDOWN"),
        ((), "SHUTDOWN SAVE"),
        (LOG, signal.SIGTERM),
        (LOG, "SHUTDOWN"),
        (LOG, "SHUTDOWN NOSAVE"),
        (ALWAYS, signal.SIGKILL),
        ((*ALWAYS, "--aof-use-rdb-preamble", "no"), signal.SIGKILL),
        ((*ALWAYS, "--aof-timestamp-enabled", "yes"), signal.SIGKILL),
    ],
)
def test_a_restart_keeps_everything(start, directives, how):
    server = start(*directives)
    dataset.fill(server)
    before = dataset.contents(server)
    assert len(before) > 40 and len({db for db, _ in before}) == 4
    assert end(server, how) == (-9 if how is signal.SIGKILL else 0)
    assert dataset.contents(start(*directives, folder=server.folder)) == before


@pytest.mark.parametrize("directives, how", [((), "SHUTDOWN"), (SAVE_POINT, "SHUTDOWN NOSAVE"), ((), signal.SIGTERM)])
def test_what_is_not_to_be_saved_is_not(start, directives, how):
    server = start(*directives)
    with server.wire() as wire:
        assert wire.ask("SET", "saved", "1") == b"+OK"
        assert wire.ask("SAVE") == b"+OK"
        assert wire.ask("SET", "not saved", "1") == b"+OK"
    assert end(server, how) == 0
    assert list(dataset.contents(start(*directives, folder=server.folder))) == [(0, b"saved")]


@pytest.mark.parametrize("directives", [SAVE_POINT, LOG])
def test_what_expires_while_the_server_is_down_is_gone(start, directives):
    server = start(*directives)
    due_ms = int(now_ms()) + 500
    with server.wire() as wire:
        assert wire.ask("SET", "short", "1", "PXAT", due_ms) == b"+OK"
        assert wire.ask("SET", "long", "1", "PXAT", due_ms + 1_000_000) == b"+OK"
        assert wire.ask("EXISTS", "short") == b":1"
    assert end(server, signal.SIGTERM) == 0
    until_clock(due_ms)
    with start(*directives, folder=server.folder).wire() as wire:
        assert wire.ask("DBSIZE") == b":1"
        assert wire.ask("PEXPIRETIME", "long") == b":%d" % (due_ms + 1_000_000)


def test_expiry_is_in_the_log_too(start):
    server = start(*ALWAYS)
    with server.wire() as wire:
        wire.ask("SET", "short", "1", "PX", 30)
        wire.ask("SET", "other", "1")
        until(lambda: wire.ask("EXISTS", "short") == b":0", "the key expires")
        wire.ask("SET", "last", "1")
    server.kill()
    log = (server.folder / "appendonlydir/appendonly.aof.1.incr.aof").read_bytes().lower()
    assert log.count(request("select", 0)) == 1
    deletion = max(log.find(request(command, "short")) for command in ("del", "unlink"))
    assert log.find(b"pxat") < deletion < log.find(b"last")
    assert b"\r\npx\r\n" not in log


def test_save_writes_the_file_at_once(server):
    with server.wire() as wire:
        before = wire.ask("LASTSAVE")
        wire.ask("SET", "key", "value")
        assert server.info()["rdb_changes_since_last_save"] == "1"
        assert wire.ask("SAVE") == b"+OK"
        assert int(wire.ask("LASTSAVE")[1:]) >= int(before[1:])
        assert wire.ask("SAVE", "NOW").startswith(b"-ERR wrong number of arguments for 'save' command")
    info = server.info()
    assert info["rdb_changes_since_last_save"] == "0" and info["rdb_saves"] == "1"
    assert files(server) == ["dump.rdb"]
    assert (server.folder / "dump.rdb").read_bytes()[:5] == b"REDIS"


@pytest.mark.parametrize("command", ["BGSAVE", "BGSAVE SCHEDULE"])
def test_bgsave_writes_the_file_meanwhile(server, command):
    dataset.fill(server)
    with server.wire() as wire:
        assert wire.ask(*command.split()) == b"+Background saving started"
        info = server.saved()
        assert (info["rdb_last_bgsave_status"], info["rdb_saves"]) == ("ok", "1")
        assert 0 <= now_ms() / 1000 - int(wire.ask("LASTSAVE")[1:]) < 30
        assert wire.ask("BGSAVE", "NOW") == b"-ERR syntax error"
    assert files(server) == ["dump.rdb"]


def test_one_save_at_a_time(start):
    server = start("--rdb-key-save-delay", "100000")
    with server.wire() as wire:
        for n in range(100):
            wire.ask("SET", f"key:{n}", n)
        assert wire.ask("BGSAVE") == b"+Background saving started"
        assert server.info()["rdb_bgsave_in_progress"] == "1"
        assert wire.ask("BGSAVE") == b"-ERR Background save already in progress"
        assert wire.ask("SAVE") == b"-ERR Background save already in progress"
        assert wire.ask("BGREWRITEAOF") == b"+Background append only file rewriting scheduled"
        assert wire.ask("SET", "written meanwhile", 1) == b"+OK"
        assert server.info()["rdb_last_save_time"] <= wire.ask("LASTSAVE")[1:].decode()
        wire.ask("CONFIG", "SET", "rdb-key-save-delay", 0)
    server.kill()
    assert "dump.rdb" not in files(server)


def test_a_snapshot_is_of_one_moment(start):
    """What is written while a snapshot is under way does not get into it."""
    server = start("--rdb-key-save-delay", "2000")
    with server.wire() as wire:
        wire.send(b"".join(request("SET", f"key:{n}", "before") for n in range(500)))
        assert [wire.read() for _ in range(500)] == [b"+OK"] * 500
        assert wire.ask("BGSAVE") == b"+Background saving started"
        wire.send(b"".join(request("SET", f"key:{n}", "after") for n in range(0, 500, 2)))
        wire.send(b"".join(request("DEL", f"key:{n}") for n in range(1, 500, 4)))
        wire.send(b"".join(request("SET", f"new:{n}", "after") for n in range(500)))
        assert {wire.read() for _ in range(250 + 125 + 500)} == {b"+OK", b":1"}
        assert server.info()["rdb_bgsave_in_progress"] == "1", "the writes came too late to show anything"
    assert server.saved()["rdb_last_bgsave_status"] == "ok"
    server.kill()
    kept = dataset.contents(start(folder=server.folder))
    assert {key for _, key in kept} == {b"key:%d" % n for n in range(500)}
    assert {value for _, value, _ in kept.values()} == {b"before"}


def test_save_points_start_a_snapshot(start):
    server = start("--save", "1 3")
    with server.wire() as wire:
        for n in range(3):
            wire.ask("SET", f"key:{n}", n)
    until(lambda: server.info()["rdb_saves"] == "1", "the save point is reached", within_s=20)
    assert server.saved()["rdb_last_bgsave_status"] == "ok"
    assert files(server) == ["dump.rdb"]
    assert server.info()["rdb_changes_since_last_save"] == "0"


def test_a_rewrite_makes_a_new_base(start):
    server = start(*LOG)
    with server.wire() as wire:
        for n in range(2_000):
            wire.send(request("SET", "key", n))
        assert [wire.read() for _ in range(2_000)][-1] == b"+OK"
        size = lambda: int(server.info()["aof_current_size"])
        until(lambda: size() > 50_000, "all is in the log")
        assert wire.ask("BGREWRITEAOF") == b"+Background append only file rewriting started"
        info = server.rewritten()
        assert info["aof_last_bgrewrite_status"] == "ok" and info["aof_rewrites"] == "1"
        assert int(info["aof_current_size"]) < 5_000
        assert info["aof_base_size"] == info["aof_current_size"]
        assert wire.ask("SET", "after", "1") == b"+OK"
    folder = "appendonlydir/appendonly.aof"
    # History is removed by a thread of its own.
    expected = [f"{folder}.2.base.rdb", f"{folder}.2.incr.aof", f"{folder}.manifest"]
    until(lambda: files(server) == expected, "what the rewrite replaced is removed")
    manifest = (server.folder / f"{folder}.manifest").read_text().splitlines()
    assert [line for line in manifest if not line.startswith("#")] == [
        "file appendonly.aof.2.base.rdb seq 2 type b",
        "file appendonly.aof.2.incr.aof seq 2 type i",
    ]
    server.stop()
    kept = dataset.contents(start(*LOG, folder=server.folder))
    assert {key: value for (_, key), (_, value, _) in kept.items()} == {b"key": b"1999", b"after": b"1"}


def test_a_log_that_grows_is_rewritten_by_itself(start):
    server = start(*LOG, "--auto-aof-rewrite-min-size", "64kb", "--auto-aof-rewrite-percentage", "100")
    with server.wire() as wire:
        for n in range(20):
            wire.ask("SET", "key", dataset.noise(n, 10_000))

        def rewritten():
            # Of the 200 kB, what came behind the last rewrite may be left.
            info = server.info()
            return info["aof_rewrites"] != "0" and int(info["aof_current_size"]) < 100_000

        until(rewritten, "the log is rewritten", within_s=30)
    server.kill()
    assert dataset.contents(start(*LOG, folder=server.folder))[0, b"key"][1] == dataset.noise(19, 10_000)


def test_the_log_is_switched_on_and_off_at_run_time(start):
    server = start()
    dataset.fill(server)
    with server.wire() as wire:
        assert server.info()["aof_enabled"] == "0"
        assert wire.ask("CONFIG", "SET", "appendonly", "yes", "appendfsync", "always") == b"+OK"
        assert server.rewritten()["aof_enabled"] == "1"
        wire.ask("SET", "with the log", "1")
    before = dataset.contents(server)
    server.kill()
    server = start(*ALWAYS, folder=server.folder)
    assert dataset.contents(server) == before
    with server.wire() as wire:
        assert wire.ask("CONFIG", "SET", "appendonly", "no") == b"+OK"
        assert server.info()["aof_enabled"] == "0"
        wire.ask("SET", "without the log", "1")
    server.kill()
    assert dataset.contents(start(*ALWAYS, folder=server.folder)) == before


def test_loading_is_told_and_shown(start):
    server = start(*SAVE_POINT)
    with server.wire() as wire:
        wire.send(b"".join(request("SET", f"key:{n}", dataset.noise(n, 200)) for n in range(1_000)))
        assert [wire.read() for _ in range(1_000)] == [b"+OK"] * 1_000
    assert end(server, signal.SIGTERM) == 0
    slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]
    server = start(*SAVE_POINT, *slow, folder=server.folder, ready=False)

    def loading():
        try:
            with server.wire() as wire:
                return wire.ask("GET", "key:1").startswith(b"-LOADING")
        except (OSError, Closed):
            return False

    until(loading, "the server loads and says so", within_s=20)
    with server.wire() as wire:
        assert wire.ask("SET", "key", "value").startswith(b"-LOADING ")
        assert wire.ask("PING").startswith(b"-LOADING ")
        assert wire.ask("BGSAVE").startswith(b"-LOADING ")
        assert wire.ask("CLIENT", "ID").startswith(b":")
        info = server.info()
        assert info["loading"] == "1"
        assert int(info["loading_total_bytes"]) > 200_000 > int(info["loading_loaded_bytes"])
        assert {"loading_start_time", "loading_loaded_perc", "loading_eta_seconds", "loading_rdb_used_mem"} <= {*info}
        assert wire.ask("CONFIG", "SET", "key-load-delay", "0") == b"+OK"
    server.ready()
    assert server.info()["loading"] == "0" and "loading_total_bytes" not in server.info()
    with server.wire() as wire:
        assert wire.ask("DBSIZE") == b":1000"
    assert server.info()["rdb_last_load_keys_loaded"] == "1000"


ALWAYS_THERE = """loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc
    current_save_keys_processed current_save_keys_total rdb_changes_since_last_save rdb_bgsave_in_progress
    rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves
    rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress
    aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status
    aof_rewrites aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress
    module_fork_last_cow_size""".split()
WITH_THE_LOG = """aof_current_size aof_base_size aof_pending_rewrite aof_buffer_length aof_pending_bio_fsync
    aof_delayed_fsync""".split()


@pytest.mark.parametrize("directives, fields", [((), ALWAYS_THERE), (LOG, ALWAYS_THERE + WITH_THE_LOG)])
def test_info_has_every_field(start, directives, fields):
    info = start(*directives).info()
    assert list(info)[: len(fields)] == fields
    for name in ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"):
        assert info[name] == "ok"
    assert info["rdb_last_bgsave_time_sec"] == info["aof_last_rewrite_time_sec"] == "-1"


def test_debug_reload_and_loadaof_keep_everything(start):
    server = start(*LOG, "--enable-debug-command", "yes")
    dataset.fill(server)
    before = dataset.contents(server)
    with server.wire() as wire:
        assert wire.ask("DEBUG", "RELOAD") == b"+OK"
        assert dataset.contents(server) == before
        assert wire.ask("SET", "key", "value") == b"+OK"
        assert wire.ask("DEBUG", "LOADAOF") == b"+OK"
    assert dataset.contents(server) == {**before, (0, b"key"): ("string", b"value", b":-1")}


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("directives", [SAVE_POINT, LOG])
def test_a_folder_has_one_server(start, tmp_path, directives):
    first = start(*directives)
    with first.wire() as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
    second = start(*directives, "--dir", first.folder, folder=tmp_path / "second", ready=False)
    assert second.exit_code() == 1
    assert str(first.folder) in second.log()
    assert first.alive()
    first.kill()
    start(*directives, folder=first.folder)
