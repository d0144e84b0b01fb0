"""`snapshot-format json`: the store in a file that people read and edit."""

import json

import pytest

import dataset
from servers import Server
from waiting import until

pytestmark = pytest.mark.only_on("ebbtide")
JSON = ("--snapshot-format", "json")
BY_ITSELF = (*JSON, "--save", "3600 1")


def data(server):
    return json.loads((server.folder / "dump.json").read_text())["data"]


@pytest.mark.parametrize("command", ["SAVE", "BGSAVE"])
def test_it_is_written_and_read_back(start, command):
    server = start(*JSON)
    dataset.fill(server)
    before = dataset.contents(server)
    with server.wire() as wire:
        assert wire.ask(command)[:1] == b"+"
    assert server.saved()["rdb_last_bgsave_status"] == "ok"
    assert len(data(server)) == len(before)
    assert sorted(path.name for path in server.folder.iterdir()) == ["dump.json", "log"]
    server.kill()
    assert dataset.contents(start(*JSON, folder=server.folder)) == before


def test_changes_are_saved_soon(start):
    server = start(*BY_ITSELF)
    path = server.folder / "dump.json"
    with server.wire() as wire:
        assert wire.ask("SET", "greeting", "hello") == b"+OK"
        until(path.exists, "the change is saved", within_s=20)
        assert data(server) == [{"key": "greeting", "string": "hello"}]
        assert wire.ask("DEL", "greeting") == b":1"
        until(lambda: data(server) == [], "the next change is saved too", within_s=20)
    until(lambda: server.info()["rdb_changes_since_last_save"] == "0", "that is noted")


def test_the_end_saves_what_was_not(start):
    server = start(*BY_ITSELF)
    with server.wire() as wire:
        assert wire.ask("SET", "last", "words") == b"+OK"
    server.stop()
    assert server.process.returncode == 0
    assert data(server) == [{"key": "last", "string": "words"}]


def test_people_edit_it(start):
    server = start(*BY_ITSELF)
    with server.wire() as wire:
        assert wire.ask("SET", "greeting", "hello") == b"+OK"
    server.stop()
    path = server.folder / "dump.json"
    path.write_text(path.read_text().replace('"hello"}', '"bonjour"}, {"key": "count", "db": 2, "string": 41}'))
    with start(*BY_ITSELF, folder=server.folder).wire() as wire:
        assert wire.ask("GET", "greeting") == b"bonjour"
        wire.ask("SELECT", 2)
        assert wire.ask("INCR", "count") == b":42"


def test_a_log_comes_first_and_that_is_told(start):
    both = (*BY_ITSELF, "--appendonly", "yes")
    server = start(*both)
    with server.wire() as wire:
        assert wire.ask("SET", "key", "logged") == b"+OK"
    server.stop()
    path = server.folder / "dump.json"
    path.write_text(path.read_text().replace("logged", "edited"))
    server = start(*both, folder=server.folder)
    assert "dump.json is not read" in server.log()
    with server.wire() as wire:
        assert wire.ask("GET", "key") == b"logged"


@pytest.mark.parametrize(
    "content, said",
    [
        ('{"ebbtide": 1, "data": [\n{"key": "a", "string": "b"},\n{"key": "c", "strin": "d"}\n]}', "line 3 column"),
        ('{"ebbtide": 1, "data": [\n{"key": "a", "string": "b"}', "line 2 column"),
        ('{"ebbtide": 1, "data": [{"key": "a", "string": 1}, {"key": "a", "string": 2}]}', "entry 2"),
        ('{"ebbtide": 1, "data": [{"key": "a", "db": 99, "string": 1}]}', "database 99"),
        ('{"ebbtide": 2, "data": []}', "form 2"),
    ],
)
def test_what_cannot_be_read_is_refused_and_left(kind, tmp_path, content, said):
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "dump.json").write_text(content)
    server = Server(kind, folder, *BY_ITSELF)
    try:
        assert server.exit_code() == 1
        assert "dump.json" in server.log() and said in server.log()
    finally:
        server.stop()
    assert (folder / "dump.json").read_text() == content


def test_a_snapshot_of_the_other_form_is_taken_over(start):
    server = start("--save", "3600 1")
    dataset.fill(server)
    before = dataset.contents(server)
    server.stop()
    assert (server.folder / "dump.rdb").exists()
    server = start(*BY_ITSELF, folder=server.folder)
    assert dataset.contents(server) == before
    assert "of another form" in server.log()
    with server.wire() as wire:
        assert wire.ask("SET", "newer", "1") == b"+OK"
    server.stop()
    server = start("--save", "3600 1", folder=server.folder)
    assert "dump.json, which is newer" in server.log()
    assert dataset.contents(server) == before
