"""Who may connect and run commands: passwords, protected mode, limits of the unauthenticated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from waiting import until
from wire import request

NOAUTH = b"-NOAUTH Authentication required."


def test_requirepass_lets_nobody_in_without_it(start):
    server = start("--requirepass", "open sesame")
    with server.wire() as wire:
        assert wire.ask("PING") == NOAUTH
        assert wire.ask("GET", "key") == NOAUTH
        assert wire.ask("HELLO").startswith(b"-NOAUTH HELLO must be called with the client already authenticated")
        assert wire.ask("AUTH", "wrong") == b"-WRONGPASS invalid username-password pair or user is disabled."
        assert wire.ask("AUTH", "default", "open sesame") == b"+OK"
        assert wire.ask("PING") == b"+PONG"
        assert wire.ask("RESET") == b"+RESET"
        assert wire.ask("PING") == NOAUTH
        assert wire.ask("HELLO", 3, "AUTH", "default", "open sesame", "SETNAME", "me")[0] == b"server"
        assert wire.ask("CLIENT", "GETNAME") == b"me"


def test_requirepass_with_redis_py(start):
    server = start("--requirepass", "open sesame")
    assert server.client(password="open sesame").set("key", "value") is True
    with pytest.raises(redis.AuthenticationError):
        server.client().ping()
    with pytest.raises(redis.AuthenticationError):
        server.client(password="wrong").ping()


def test_requirepass_can_change_while_running(server):
    with server.wire() as wire:
        assert wire.ask("AUTH", "any").startswith(b"-ERR AUTH <password> called without any password configured")
        assert wire.ask("CONFIG", "SET", "requirepass", "new") == b"+OK"
        with server.wire() as other:
            assert other.ask("PING") == NOAUTH
            assert other.ask("AUTH", "new") == b"+OK"
        assert wire.ask("CONFIG", "SET", "requirepass", "") == b"+OK"
        with server.wire() as other:
            assert other.ask("PING") == b"+PONG"


@pytest.mark.parametrize(
    "sent, error",
    [
        (b"*11\r\n", b"unauthenticated multibulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"unauthenticated bulk length"),
    ],
)
def test_the_unauthenticated_may_send_little(start, sent, error):
    server = start("--requirepass", "open sesame")
    with server.wire() as wire:
        wire.send(sent)
        assert wire.rest() == b"-ERR Protocol error: " + error + b"\r\n"
    with server.wire() as wire:
        assert wire.ask("AUTH", "open sesame") == b"+OK"
        assert wire.ask("SET", "key", "x" * 20_000) == b"+OK"
        assert wire.ask("MGET", *["key"] * 20) == [b"x" * 20_000] * 20


class NotListening(Exception):
    """Nobody listens at the address yet."""


def ask_from_outside(server, *sent, address="198.51.100.1"):
    """What a client gets whose address is not the loopback's: a network of its own holds server and client."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from wire import Wire
with Wire(({address!r}, {server.port})) as wire:
    wire.send({b"".join(sent)!r})
    sys.stdout.buffer.write(wire.rest())
"""
    enter = ["nsenter", "--net", *(() if os.geteuid() == 0 else ("--user",)), "--target", str(server.pid)]
    done = subprocess.run([*enter, sys.executable, "-c", script], capture_output=True, timeout=30)
    if any(reason in done.stderr for reason in (b"ConnectionRefusedError", b"Network is unreachable")):
        raise NotListening
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def start_in_its_own_network(start):
    """A function that starts a server in a network whose loopback interface has one more, public, address."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    network = "ip link set lo up && ip address add 198.51.100.1/32 dev lo && exec \"$@\""
    prefix = ["unshare", *user, "--net", "sh", "-c", network, "sh"]

    def start_server(*directives):
        return start("--bind", "0.0.0.0", *directives, prefix=prefix, ready=False)

    return start_server


def answered(server, *sent, **options):
    """As `ask_from_outside`, once the server listens."""

    def attempt():
        assert server.process.poll() is None, server.log()
        try:
            return ask_from_outside(server, *sent, **options)
        except NotListening:
            return None

    return until(attempt, "the server listens", within_s=20)


def test_protected_mode_refuses_outsiders_with_an_explanation(start_in_its_own_network):
    server = start_in_its_own_network()
    assert answered(server, request("QUIT"), address="127.0.0.1") == b"+OK\r\n"
    refusal = answered(server)
    assert refusal.startswith(b"-DENIED ") and refusal.count(b"\r\n") == 1
    for word in (b"protected mode", b"password", b"protected-mode no", b"loopback"):
        assert word in refusal


@pytest.mark.parametrize("directives", [["--protected-mode", "no"], ["--requirepass", "word"]])
def test_protected_mode_is_over_with_a_password_or_by_the_directive(start_in_its_own_network, directives):
    server = start_in_its_own_network(*directives)
    expected = {"--protected-mode": b"+PONG", "--requirepass": NOAUTH}[directives[0]]
    assert answered(server, request("PING"), request("QUIT")) == expected + b"\r\n+OK\r\n"


def test_the_default_addresses(client, kind):
    """Redis as Debian builds it binds every address and leaves it to protected mode to refuse outsiders."""
    expected = {"ebbtide": "127.0.0.1 -::1", "oracle": "* -::*"}
    assert client.config_get("bind") == {"bind": expected[kind]}
