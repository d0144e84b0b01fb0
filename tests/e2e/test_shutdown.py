"""How a server ends: on signals and on SHUTDOWN, at once when told twice."""

import signal

import pytest

from waiting import until
from wire import Closed, request

GENTLE = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", GENTLE)
def test_a_signal_ends_the_server_with_status_0(server, number):
    with server.wire() as wire:
        assert wire.ask("SET", "key", "value") == b"+OK"
        server.signal(number)
        assert server.exit_code() == 0
        assert wire.rest() == b""


@pytest.mark.parametrize("args", [[], ["NOSAVE"], ["NOW", "FORCE"]])
def test_shutdown_ends_the_server_with_status_0(server, args):
    with server.wire() as wire:
        wire.send(request("SHUTDOWN", *args))
        assert wire.rest() == b""
    assert server.exit_code() == 0


def test_shutdown_checks_its_arguments(server):
    with server.wire() as wire:
        assert wire.ask("SHUTDOWN", "LATER") == b"-ERR syntax error"
        assert wire.ask("SHUTDOWN", "SAVE", "NOSAVE") == b"-ERR syntax error"
        assert wire.ask("SHUTDOWN", "ABORT") == b"-ERR No shutdown in progress."
    assert server.alive()


@pytest.mark.only_on("ebbtide")
@pytest.mark.parametrize("number", GENTLE)
def test_what_runs_is_finished(start, number):
    server = start("--enable-debug-command", "yes")
    with server.wire() as wire:
        wire.send(request("DEBUG", "SLEEP", "0.5"))
        until_asleep(server)
        server.signal(number)
        assert wire.read() == b"+OK"
        assert wire.rest() == b""
    assert server.exit_code() == 0


@pytest.mark.only_on("ebbtide")
def test_a_second_signal_ends_the_server_at_once(start):
    server = start("--enable-debug-command", "yes", "--io-threads", "1")
    with server.wire() as wire:
        wire.send(request("DEBUG", "SLEEP", "60"))
        until_asleep(server)
        server.signal(signal.SIGINT)
        until(lambda: signals_pending(server) == 0, "the first signal is taken")
        server.signal(signal.SIGINT)
        assert server.exit_code(within_s=2) != 0
        with pytest.raises(Closed):
            wire.read()


def test_nobody_can_connect_after_the_end(server):
    server.stop()
    assert server.process.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        server.wire()


def until_asleep(server):
    """Waits until the server took the command that was sent to it: a single worker answers nobody then."""

    def waits():
        # The request has left the socket's queue once a worker has read it.
        state = open(f"/proc/{server.pid}/net/tcp").read().splitlines()
        port = f":{server.port:04X}"
        queues = [line.split()[4] for line in state if line.split()[1].endswith(port) and line.split()[3] == "01"]
        return queues and all(queue.endswith(":00000000") for queue in queues)

    until(waits, "the server reads the command")


def signals_pending(server):
    """Signals sent to the process that it has not taken yet, as a bit mask."""
    status = open(f"/proc/{server.pid}/status").read()
    return int(dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)["ShdPnd"], 16)
