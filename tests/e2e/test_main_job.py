"""The main job with redis-py: store, read, and lose keys on time."""

import asyncio
import os

import pytest
import redis
import redis.asyncio

ALL_BYTES = bytes(range(256))


def asyncio_client(server):
    """A client whose commands wait for one of its connections."""
    pool = redis.asyncio.BlockingConnectionPool(port=server.port, max_connections=50, timeout=30)
    return redis.asyncio.Redis.from_pool(pool)


def test_stores_and_reads(client):
    assert client.set("greeting", "hello") is True
    assert client.get("greeting") == b"hello"
    assert client.get("nothing") is None
    assert client.set("greeting", "again", get=True) == b"hello"
    assert client.set("greeting", "no", nx=True) is None
    assert client.set("other", "no", xx=True) is None
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "nothing", "b") == [b"1", None, b"2"]
    assert client.delete("a", "b", "nothing") == 2
    assert client.exists("a", "greeting", "greeting") == 2
    assert client.dbsize() == 1


def test_counts(client):
    assert client.incr("hits") == 1
    assert client.incrby("hits", 41) == 42
    assert client.decrby("hits", 50) == -8
    assert client.incrbyfloat("weight", "0.1") == 0.1
    client.set("word", "many")
    with pytest.raises(redis.ResponseError, match="^value is not an integer or out of range$"):
        client.incr("word")
    client.set("word", 2**63 - 1)
    with pytest.raises(redis.ResponseError, match="^increment or decrement would overflow$"):
        client.incr("word")


def test_changes_parts_of_strings(client):
    assert client.append("text", "Hello ") == 6
    assert client.append("text", "World") == 11
    assert client.setrange("text", 6, "there") == 11
    assert client.getrange("text", -5, -1) == b"there"
    assert client.strlen("text") == 11
    assert client.setbit("bits", 7, 1) == 0
    assert client.bitcount("bits") == 1
    assert client.bitpos("bits", 1) == 7
    assert client.bitfield("bits").set("u8", 8, 255).get("u4", 8).execute() == [0, 15]


def test_keys_and_values_are_any_bytes(client):
    client.set(ALL_BYTES, ALL_BYTES[::-1])
    assert client.get(ALL_BYTES) == ALL_BYTES[::-1]
    client.set(b"", b"")
    assert client.get(b"") == b""
    assert set(client.keys()) == {ALL_BYTES, b""}
    assert set(client.scan_iter()) == {ALL_BYTES, b""}
    assert client.rename(ALL_BYTES, b"\r\n") is True
    assert client.randomkey() in (b"", b"\r\n")


def test_takes_a_value_of_100_mb(client):
    value = os.urandom(1 << 20) * 100
    assert client.set("big", value) is True
    assert client.strlen("big") == len(value)
    assert client.getrange("big", -3, -1) == value[-3:]
    assert client.get("big") == value
    assert client.append("big", b"!") == len(value) + 1
    assert client.delete("big") == 1


def test_pipelines_keep_their_order(client):
    with client.pipeline(transaction=False) as pipe:
        for i in range(10_000):
            pipe.set(f"key:{i}", i)
            pipe.get(f"key:{i}")
        replies = pipe.execute()
    assert replies == [r for i in range(10_000) for r in (True, str(i).encode())]
    assert client.dbsize() == 10_000


def test_an_error_in_a_pipeline_is_its_own_commands(client):
    with client.pipeline(transaction=False) as pipe:
        replies = pipe.set("a", "x").incr("a").get("a").execute(raise_on_error=False)
    assert replies[0] is True and replies[2] == b"x"
    assert str(replies[1]) == "value is not an integer or out of range"


def test_databases_are_apart(server):
    with server.client(db=0) as zero, server.client(db=9) as nine:
        zero.set("key", "zero")
        assert nine.get("key") is None
        nine.set("key", "nine")
        assert zero.swapdb(0, 9) is True
        assert (zero.get("key"), nine.get("key")) == (b"nine", b"zero")
        assert zero.move("key", 9) == 0
        assert zero.copy("key", "copy", destination_db=9) == 1
        nine.flushdb()
        assert (zero.dbsize(), nine.dbsize()) == (1, 0)
        zero.flushall()
        assert zero.dbsize() == 0


def test_scan_sees_what_stays(client):
    with client.pipeline(transaction=False) as pipe:
        for i in range(20_000):
            pipe.set(f"stays:{i}", "")
        pipe.execute()
    seen, cursor, passing = set(), None, 0
    while cursor != 0:
        cursor, keys = client.scan(cursor or 0, match="stays:*", count=500)
        seen.update(keys)
        with client.pipeline(transaction=False) as pipe:
            for i in range(200):
                pipe.set(f"passes:{passing + i}", "")
            pipe.execute()
        passing += 200
    assert len(seen) == 20_000


@pytest.mark.parametrize("protocol", [2, 3])
def test_either_protocol_gives_the_same_values(server, protocol):
    with server.client(protocol=protocol, decode_responses=True) as client:
        client.set("key", "value", ex=100)
        assert client.get("key") == "value"
        assert client.config_get("maxclients") == {"maxclients": "10000"}
        assert client.client_info()["resp"] == str(protocol)
        assert client.info("server")["redis_mode"] == "standalone"
        assert client.command_count() > 70


def test_asyncio_clients_share_the_data(server):
    async def job():
        async with asyncio_client(server) as pool:
            await asyncio.gather(*(pool.set(f"key:{i}", i) for i in range(500)))
            values = await asyncio.gather(*(pool.get(f"key:{i}") for i in range(500)))
            assert values == [str(i).encode() for i in range(500)]
            counts = await asyncio.gather(*(pool.incr("count") for _ in range(500)))
            assert sorted(counts) == list(range(1, 501))
            async with pool.pipeline(transaction=False) as pipe:
                assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]

    asyncio.run(job())


def test_commands_about_several_keys_are_atomic(server):
    """Writers swap all of a set of keys at once, and no reader may see two writers' values."""
    keys = [f"key:{i}" for i in range(16)]

    async def job():
        async with asyncio_client(server) as pool:
            await pool.mset(dict.fromkeys(keys, "start"))

            async def write(name):
                for i in range(300):
                    await pool.mset(dict.fromkeys(keys, f"{name}:{i}"))

            async def read():
                return [set(await pool.mget(keys)) for _ in range(300)]

            *_, first, second = await asyncio.gather(write("a"), write("b"), read(), read())
            assert all(len(values) == 1 for values in first + second)

    asyncio.run(job())
