"""Data of every type a server has, put in with commands, and read back with commands in a form to compare."""

from wire import request

# A type, and the command that a server with this type has.
TYPES = {
    "string": "SET",
    "list": "RPUSH",
    "set": "SADD",
    "zset": "ZADD",
    "hash": "HSET",
    "stream": "XADD",
    "timed hash": "HPEXPIREAT",
}
# Far from now, and the same in every run.
DEADLINE_MS = 4_000_000_000_123
BINARY = bytes(range(256))


def types_of(server):
    """The types whose commands `server` knows."""
    with server.wire() as wire:
        known = wire.ask("COMMAND", "INFO", *TYPES.values())
        return {name for name, found in zip(TYPES, known) if isinstance(found, list)}


def text(n, length):
    """A text of `length` that compresses, a different one for each `n`."""
    return (f"value {n} of many; " * (length // 10 + 1))[:length].encode()


def noise(n, length):
    """Bytes of `length` that do not compress, a different row for each `n`."""
    state, out = n * 2 + 1, bytearray()
    for _ in range(length):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        out.append(state >> 56)
    return bytes(out)


def strings():
    for n in (0, -1, 127, 128, -32769, 2**31 - 1, -(2**31) - 1, 2**63 - 1, -(2**63)):
        yield "SET", f"integer:{n}", n
    yield "SET", "like an integer", "0123"
    yield "SET", "empty", ""
    yield "SET", "", "the key is empty"
    yield "SET", b"binary:" + BINARY, BINARY
    yield "SET", "utf-8: \u6f6e\U0001f30a", "\u5f15\u3044\u3066\u3044\u304f"
    for length in (1, 11, 12, 44, 45, 63, 64, 255, 256, 16_383, 16_384, 300_000):
        yield "SET", f"text:{length}", text(length, length)
        yield "SET", f"noise:{length}", noise(length, length)
    yield "SET", text(1, 5_000), "the key is long"
    yield "SETBIT", "bits", 1_000_000, 1


def lists():
    yield "RPUSH", "list:small", "a", 1, -70_000, 2**40, BINARY, ""
    for n in range(20):
        yield "RPUSH", "list:long", *(f"element {n}.{i}" for i in range(100))
    yield "RPUSH", "list:big elements", text(1, 20_000), noise(2, 70_000), "small", text(3, 9_000)


def sets():
    yield "SADD", "set:16 bits", 1, -5, 32_000
    yield "SADD", "set:32 bits", 1, -5, 2_000_000_000
    yield "SADD", "set:64 bits", 1, -5, 2**62
    yield "SADD", "set:small", "a", 12, BINARY, ""
    for n in range(10):
        yield "SADD", "set:large", *(f"member {n}.{i}" for i in range(100))


def sorted_sets():
    yield "ZADD", "zset:small", 1, "one", -1.5, "minus", "inf", "most", "-inf", "least", 1e-300, "tiny", 3, BINARY
    yield "ZADD", "zset:exact", 0.1, "a", 1 / 3, "b", 2**53 + 2, "c", 1.7976931348623157e308, "d"
    for n in range(10):
        yield "ZADD", "zset:large", *(part for i in range(100) for part in (n * 7.25 - i, f"member {n}.{i}"))


def hashes():
    yield "HSET", "hash:small", "a", 1, "b", BINARY, "", "empty", "c", ""
    yield "HSET", "hash:big value", "field", text(5, 10_000)
    for n in range(10):
        yield "HSET", "hash:large", *(part for i in range(100) for part in (f"field {n}.{i}", n * i))


def timed_hashes():
    yield "HSET", "timed:small", "a", 1, "b", BINARY, "c", "stays"
    yield "HPEXPIREAT", "timed:small", DEADLINE_MS, "FIELDS", 1, "a"
    yield "HPEXPIREAT", "timed:small", DEADLINE_MS + 7, "FIELDS", 1, "b"
    for n in range(5):
        yield "HSET", "timed:large", *(part for i in range(100) for part in (f"field {n}.{i}", text(i, 30)))
        for i in range(0, 100, 7):
            yield "HPEXPIREAT", "timed:large", DEADLINE_MS - i, "FIELDS", 1, f"field {n}.{i}"


def streams():
    for n in range(1, 300):
        yield "XADD", "stream", f"{n * 1000}-{n % 3}", "n", n, "text", text(n, 20), *(["more", n] if n % 5 == 0 else [])
    yield "XDEL", "stream", "5000-2", "17000-2"
    yield "XGROUP", "CREATE", "stream", "first", 0
    yield "XGROUP", "CREATE", "stream", "second", "100000-1"
    yield "XREADGROUP", "GROUP", "first", "alice", "COUNT", 7, "STREAMS", "stream", ">"
    yield "XREADGROUP", "GROUP", "first", "bob", "COUNT", 3, "STREAMS", "stream", ">"
    yield "XACK", "stream", "first", "2000-2"
    yield "XADD", "stream:emptied", "7-7", "a", "b"
    yield "XDEL", "stream:emptied", "7-7"


MAKERS = {
    "string": strings,
    "list": lists,
    "set": sets,
    "zset": sorted_sets,
    "hash": hashes,
    "stream": streams,
    "timed hash": timed_hashes,
}


def requests(types, prefix=""):
    """The commands that make keys of `types`; every type also once with a deadline and in another database."""
    made = [command for name in TYPES if name in types for command in MAKERS[name]()]
    yield from made
    firsts = {command[1]: name for name in TYPES if name in types for command in list(MAKERS[name]())[:1]}
    for key in firsts:
        yield "COPY", key, f"deadline:{key}"
        yield "PEXPIREAT", f"deadline:{key}", DEADLINE_MS
    for db in (1, 9, 15):
        yield "SELECT", db
        yield "SET", f"only in {db}", db, "PXAT", DEADLINE_MS + db
        yield "SET", "integer:0", f"another in {db}"


def fill(server, types=None):
    """Puts the data in; of `types` alone, when given. Fails on the first error."""
    made = list(requests(types or types_of(server)))
    with server.wire() as wire:
        wire.send(b"".join(request(*command) for command in made))
        for command in made:
            reply = wire.read()
            assert not (isinstance(reply, bytes) and reply[:1] == b"-" and reply[:2] != b"-3"), (command[:2], reply)


def contents(server):
    """All that `server` holds: a type, a value and a deadline for each database and key."""
    found = {}
    with server.wire() as wire:
        databases = int(wire.ask("CONFIG", "GET", "databases")[1])
        for db in range(databases):
            wire.ask("SELECT", db)
            for key in wire.ask("KEYS", "*"):
                kind = wire.ask("TYPE", key)[1:].decode()
                found[db, key] = (kind, VALUES[kind](wire, key), wire.ask("PEXPIRETIME", key))
    return found


def sorted_set(wire, key):
    """Members and scores; the text of a score differs among servers."""
    flat = wire.ask("ZRANGE", key, 0, -1, "WITHSCORES")
    return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def fields(wire, key):
    """Fields with their values; of those that have a deadline, with that."""
    values = pairs(wire.ask("HGETALL", key))
    deadlines = wire.ask("HPEXPIRETIME", key, "FIELDS", len(values), *values)
    if not isinstance(deadlines, list):
        return values
    return {name: v if at == b":-1" else (v, at) for (name, v), at in zip(values.items(), deadlines)}


def stream(wire, key):
    """Entries, and of the rest what every server keeps."""
    full = pairs(wire.ask("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    kept = [b"entries", b"last-generated-id", b"max-deleted-entry-id", b"entries-added"]
    groups = []
    for group in map(pairs, full[b"groups"]):
        consumers = [(pairs(c)[b"name"], pairs(c)[b"pending"]) for c in group[b"consumers"]]
        pending = [tuple(entry) for entry in group[b"pending"]]
        groups.append((group[b"name"], group[b"last-delivered-id"], group[b"entries-read"], pending, consumers))
    return [full[name] for name in kept], groups


VALUES = {
    "string": lambda wire, key: wire.ask("GET", key),
    "list": lambda wire, key: wire.ask("LRANGE", key, 0, -1),
    "set": lambda wire, key: sorted(wire.ask("SMEMBERS", key)),
    "zset": sorted_set,
    "hash": fields,
    "stream": stream,
}
