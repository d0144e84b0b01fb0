"""Listeners and connections: addresses, sockets, limits, idle clients, CLIENT."""

import contextlib
import os
import stat

import pytest
import redis

from servers import free_port
from waiting import until
from wire import Wire, request


def test_listens_on_several_addresses_and_ipv6(start):
    server = start("--bind", "127.0.0.1", "127.0.0.2", "::1")
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        with Wire((host, server.port)) as wire:
            assert wire.ask("SET", "key", host) == b"+OK"
            assert wire.ask("GET", "key") == host.encode()
    with pytest.raises(OSError):
        Wire(("127.0.0.3", server.port))


def test_an_address_with_a_minus_may_be_missing(start):
    assert start("--bind", "127.0.0.1 -192.0.2.99 -::1").alive()


def test_a_port_that_is_taken_ends_the_start(start, server):
    second = start("--port", server.port, ready=False)
    assert second.exit_code() == 1
    assert "Address already in use" in second.log()


@pytest.mark.parametrize("mode", ["700", "770", "777"])
def test_unix_socket_with_permissions(start, tmp_path, mode):
    path = str(tmp_path / "socket")
    server = start("--unixsocket", path, "--unixsocketperm", mode)
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert f"{stat.S_IMODE(os.stat(path).st_mode):o}" == mode
    with Wire(path) as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
    with redis.Redis(unix_socket_path=path) as client:
        assert client.get("key") == b"value"
    server.stop()
    assert not os.path.exists(path)


def test_a_server_may_have_a_unix_socket_alone(start, tmp_path):
    path = str(tmp_path / "socket")
    server = start("--port", "0", "--unixsocket", path, ready=False)

    def answers():
        assert server.process.poll() is None, server.log()
        # The file is there a moment before somebody listens.
        with contextlib.suppress(OSError), Wire(path) as wire:
            return wire.ask("PING") == b"+PONG"

    until(answers, "the socket is answered at")


def test_maxclients_refuses_the_next_one(start):
    server = start("--maxclients", "5")
    wires = [server.wire() for _ in range(5)]
    assert all(wire.ask("PING") == b"+PONG" for wire in wires)
    with server.wire() as wire:
        assert wire.rest() == b"-ERR max number of clients reached\r\n"
    wires.pop().close()

    def has_room():
        with server.wire() as wire:
            return wire.line(request("PING")) == b"+PONG"

    until(has_room, "a closed connection makes room")
    assert b"rejected_connections:0" not in wires[0].ask("INFO", "stats")
    for wire in wires:
        wire.close()


def test_timeout_closes_idle_clients_only(start):
    server = start("--timeout", "1")
    with server.wire() as idle, server.wire() as busy:
        assert idle.ask("PING") == b"+PONG"
        closed = []

        def idle_is_closed():
            assert busy.ask("PING") == b"+PONG"
            idle.socket.settimeout(0.02)
            try:
                closed.append(idle.socket.recv(1) == b"")
            except TimeoutError:
                return False
            return True

        until(idle_is_closed, "the idle client is closed", within_s=10)
        assert closed == [True]


def test_client_commands_see_and_end_connections(server):
    with server.wire() as one, server.wire() as two:
        assert one.ask("CLIENT", "SETNAME", "one") == b"+OK"
        two_id = int(two.ask("CLIENT", "ID")[1:])
        listed = one.ask("CLIENT", "LIST").decode().splitlines()
        assert len(listed) == 2
        fields = dict(field.split("=", 1) for field in listed[0].split(" "))
        assert fields["name"] == "one" and fields["db"] == "0" and fields["cmd"] == "client|list"
        host, port = one.socket.getsockname()
        assert fields["addr"] == f"{host}:{port}"
        assert one.ask("CLIENT", "KILL", "ID", two_id) == b":1"
        assert two.rest() == b""
        assert one.ask("CLIENT", "KILL", "ID", two_id) == b":0"
        assert len(one.ask("CLIENT", "LIST").decode().splitlines()) == 1


def test_client_pause_and_unpause(server):
    with server.wire() as one, server.wire() as two:
        assert one.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"+OK"
        assert two.ask("GET", "key") == b"$-1"
        two.send(request("SET", "key", "value"))
        two.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            two.read()
        two.socket.settimeout(20)
        assert one.ask("CLIENT", "UNPAUSE") == b"+OK"
        assert two.read() == b"+OK"


def test_port_moves_while_running(server):
    port = free_port()
    with server.wire() as wire:
        assert wire.ask("CONFIG", "SET", "port", port) == b"+OK"
        with Wire(("127.0.0.1", port)) as moved:
            assert moved.ask("PING") == b"+PONG"
        assert wire.ask("PING") == b"+PONG", "open connections stay"
    server.port = port
