"""Bytes on the wire: RESP2, RESP3, inline commands, and what is no request at all."""

import pytest

from wire import request


def test_replies_to_the_byte(server):
    with server.wire() as wire:
        for sent, expected in [
            (request("SET", "key", "value"), b"+OK\r\n"),
            (request("GET", "key"), b"$5\r\nvalue\r\n"),
            (request("GET", "nothing"), b"$-1\r\n"),
            (request("INCR", "count"), b":1\r\n"),
            (request("MGET", "key", "nothing"), b"*2\r\n$5\r\nvalue\r\n$-1\r\n"),
            (request("nonsense", "a", "b"), b"-ERR unknown command 'nonsense', with args beginning with: 'a' 'b' \r\n"),
            (request("GET"), b"-ERR wrong number of arguments for 'get' command\r\n"),
            (request("SET", "key", "value", "EX"), b"-ERR syntax error\r\n"),
            (request("INCR", "key"), b"-ERR value is not an integer or out of range\r\n"),
            (request("SELECT", "16"), b"-ERR DB index is out of range\r\n"),
            (request("PING", "\r\n"), b"$2\r\n\r\n\r\n"),
        ]:
            wire.send(sent)
            assert wire.read_bytes(len(expected)) == expected


def test_resp3_after_hello(server):
    with server.wire() as wire:
        hello = wire.ask("HELLO", 3, "SETNAME", "me")
        assert dict(zip(hello[::2], hello[1::2]))[b"proto"] == b":3"
        assert wire.ask("GET", "nothing") == b"_"
        assert wire.line(request("CONFIG", "GET", "port")) == b"%1"
    with server.wire() as wire:
        assert wire.ask("HELLO", 4) == b"-NOPROTO unsupported protocol version"
        hello = wire.ask("HELLO")
        assert dict(zip(hello[::2], hello[1::2]))[b"proto"] == b":2"
        assert wire.ask("HELLO", 3, "AUTH", "default") == b"-ERR Syntax error in HELLO option 'AUTH'"
        assert wire.ask("GET", "nothing") == b"$-1"
        names = wire.ask("HELLO", 3)[::2]
        assert names == [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]
        assert wire.ask("RESET") == b"+RESET"
        assert wire.ask("GET", "nothing") == b"$-1", "RESET goes back to RESP2"


def test_inline_commands_as_typed_into_telnet(server):
    with server.wire() as wire:
        for typed, answered in [
            (b"SET key value\r\n", b"+OK"),
            (b"  get   key  \r\n", b"$5"),
            (b"", b"value"),
            (b'SET key "a b\\x41\\n"\r\n', b"+OK"),
            (b"STRLEN key\r\n", b":5"),
            (b"SET key 'it\\'s'\n", b"+OK"),
            (b"STRLEN key\n", b":4"),
            (b"\r\n\r\nPING\r\n", b"+PONG"),
            (b'PING ""\r\n', b"$0"),
            (b"", b""),
        ]:
            assert wire.line(typed) == answered, typed
        wire.send(b'SET key "no end\r\n')
        assert wire.rest() == b"-ERR Protocol error: unbalanced quotes in request\r\n"


def test_any_split_of_the_bytes_is_the_same(server):
    sent = request("SET", "key", "some\r\nvalue") + b"GET key\r\n" + request("STRLEN", "key")
    expected = b"+OK\r\n$11\r\nsome\r\nvalue\r\n:11\r\n"
    with server.wire() as wire:
        for size in (1, 2, 3, 7, len(sent)):
            for at in range(0, len(sent), size):
                wire.send(sent[at : at + size])
            assert wire.read_bytes(len(expected)) == expected


def test_a_long_pipeline_of_mixed_forms(server):
    with server.wire() as wire:
        wire.send((request("INCR", "count") + b"INCR count\r\n") * 20_000)
        for i in range(1, 40_001):
            assert wire.read() == b":%d" % i
        wire.send(request("MGET", *["count"] * 100_000))
        assert wire.read() == [b"40000"] * 100_000


@pytest.mark.parametrize(
    "sent, error",
    [
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*1048577000000000000000\r\n", b"invalid multibulk length"),
        (b"*1\r\nPING\r\n", b"expected '$', got 'P'"),
        (b"*1\r\n:4\r\n", b"expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$abc\r\n", b"invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", b"invalid bulk length"),
        (b"x" * 70_000, b"too big inline request"),
        (b"*" + b"1" * 70_000, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
    ],
    ids=lambda value: value[:16].decode() if value[:1] in b"*x" else None,
)
def test_what_is_no_request_gets_an_error_and_the_connection_closed(server, sent, error):
    with server.wire() as wire:
        wire.send(request("PING") + sent)
        assert wire.rest() == b"+PONG\r\n-ERR Protocol error: " + error + b"\r\n"
    assert server.alive()


def test_empty_requests_are_no_requests(server):
    with server.wire() as wire:
        wire.send(b"*0\r\n*-1\r\n\r\n" + request("PING"))
        assert wire.read() == b"+PONG"


def test_client_reply_off_and_skip(server):
    with server.wire() as wire:
        wire.send(request("CLIENT", "REPLY", "OFF") + request("PING") + request("CLIENT", "REPLY", "ON"))
        assert wire.read() == b"+OK"
        wire.send(request("CLIENT", "REPLY", "SKIP") + request("PING", "a") + request("PING", "b"))
        assert wire.read() == b"b"


def test_quit_answers_and_closes(server):
    with server.wire() as wire:
        wire.send(request("QUIT") + request("PING"))
        assert wire.rest() == b"+OK\r\n"
