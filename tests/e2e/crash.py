"""A server that is killed again and again while clients write, and what is found after each start.

    crash.py --rounds 100 [--policy always|everysec] [--seed N]

Each client writes in pipelines: counters, values of its own numbers, two keys that change together, texts, and
collections of every type that grow by one element a step.
It notes what it sent and what was acknowledged, and when. After a kill the server starts on the same folder, and

- every write that was acknowledged is there (with `everysec`: that was acknowledged a second before the kill),
- nothing is there that was not sent,
- what changes together has changed together.

Rewrites and snapshots run meanwhile. The kill comes after a number of acknowledged writes that the seed decides.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from servers import Server
from wire import Closed, request

CLIENTS = 4
PIPELINE_MAX = 24
ACKNOWLEDGED_MAX = 3_000
# With `everysec` a sync starts each second, so what is older than that and a sync's time is on disk.
BEHIND_S = 1.0
LOG = ("--appendonly", "yes")


class Client(threading.Thread):
    """One client's writes. Step `n` writes its keys for `n`; steps go up by one over all rounds."""

    def __init__(self, number, first):
        super().__init__(daemon=True)
        self.number = number
        self.first = first
        self.sent = first
        # Steps acknowledged, each with the moment when that was known.
        self.acknowledged = []
        self.random = random.Random(f"{number} {first}")
        self.error = None

    def commands(self, n):
        """Step `n`: commands, each with its right reply."""
        me = self.number
        yield request("SET", f"{me}:value:{n % 500}", n), b"+OK"
        yield request("INCR", f"{me}:count"), b":%d" % (n + 1)
        yield request("MSET", f"{me}:left", n, f"{me}:right", n), b"+OK"
        yield request("SET", f"{me}:text", f"{n}:" + "x" * (n % 700), "EX", 100_000), b"+OK"
        yield request("RPUSH", f"{me}:list", n), b":%d" % (n + 1)
        yield request("HSET", f"{me}:hash", f"field {n}", n), b":1"
        yield request("SADD", f"{me}:set", n), b":1"
        yield request("ZADD", f"{me}:zset", n / 4, f"member {n}"), b":1"
        yield request("XADD", f"{me}:stream", f"{n + 1}-1", "n", n), b"$%d" % len(f"{n + 1}-1")

    def connect(self, server):
        self.wire = server.wire()

    def run(self):
        try:
            while True:
                steps = self.random.randint(1, PIPELINE_MAX)
                expected = [list(self.commands(n)) for n in range(self.sent, self.sent + steps)]
                self.sent += steps
                self.wire.send(b"".join(command for step in expected for command, _ in step))
                for step in expected:
                    for _, right in step:
                        reply = self.reply(self.wire)
                        if reply != right:
                            self.error = f"client {self.number} got {reply} for {right}"
                            return
                    self.acknowledged.append(time.monotonic())
        except (Closed, OSError):
            pass

    @staticmethod
    def reply(wire):
        """A reply's first line; of a string the rest is read too."""
        line = wire.read_line()
        if line[:1] == b"$":
            wire.read_line()
        return line

    def held(self, wire):
        """The steps that the server holds; fails when it holds parts of some, or what nobody sent."""
        me = self.number
        count = wire.ask("GET", f"{me}:count")
        count = int(count) if count != b"$-1" else 0
        left, right = wire.ask("MGET", f"{me}:left", f"{me}:right")
        assert left == right, f"MSET of client {me} is there by half: {left} and {right}"
        pair = int(left) + 1 if left != b"$-1" else 0
        text = wire.ask("GET", f"{me}:text")
        text_step = int(text.split(b":")[0]) + 1 if text != b"$-1" else 0
        assert pair in (count, count - 1) and text_step in (pair, pair - 1), (count, pair, text_step)
        if text_step:
            assert text == b"%d:" % (text_step - 1) + b"x" * ((text_step - 1) % 700)
            assert int(wire.ask("TTL", f"{me}:text")[1:]) > 0
        steps = range(max(count - 500, 0), count)
        values = wire.ask("MGET", *(f"{me}:value:{n % 500}" for n in steps)) if steps else []
        # The step that broke off in the middle may have set its value without having counted.
        broken = b"%d" % count
        for n, value in zip(steps, values):
            assert value == b"%d" % n or (value == broken and n == count - 500), (n, value)
        done = [count, pair, text_step, *self.collections(wire)]
        assert all(more in (before, before - 1) for before, more in zip(done, done[1:])), done
        assert done[0] - done[-1] <= 1 and count <= self.sent, "the server holds what nobody sent"
        return done

    def collections(self, wire):
        """How many steps each collection has, in the order of a step's commands; each must have all of them."""
        me = self.number
        items = wire.ask("LRANGE", f"{me}:list", 0, -1)
        fields = wire.ask("HGETALL", f"{me}:hash")
        members = wire.ask("SMEMBERS", f"{me}:set")
        scored = wire.ask("ZRANGE", f"{me}:zset", 0, -1)
        entries = wire.ask("XRANGE", f"{me}:stream", "-", "+")
        numbers = [b"%d" % n for n in range(len(items) + 1)]
        assert items == numbers[: len(items)]
        found = dict(zip(fields[::2], fields[1::2]))
        assert found == {b"field " + n: n for n in numbers[: len(found)]}
        assert set(members) == set(numbers[: len(members)])
        assert scored == [b"member " + n for n in numbers[: len(scored)]]
        assert [entry[1][1] for entry in entries] == numbers[: len(entries)]
        return [len(items), len(found), len(members), len(scored), len(entries)]

    def complete(self, wire, done):
        """Does the rest of the step that broke off behind its counter, if one did."""
        whole = done[-1]
        for command, right in list(self.commands(whole))[1 + sum(steps > whole for steps in done) :]:
            if done[0] > whole:
                wire.send(command)
                assert self.reply(wire) == right

    def promised(self, killed_at, behind_s):
        """The steps that had to be on disk when the server was killed."""
        return self.first + sum(1 for at in self.acknowledged if at <= killed_at - behind_s)


def round_of(server, clients, kill_after, behind_s, disturb):
    """Lets the clients write until so many steps are acknowledged, and some of each client's are so old that they
    are promised; then kills the server. When that was."""
    for client in clients:
        client.connect(server)
        client.start()
    deadline = time.monotonic() + 60
    disturbed = False

    def promised():
        now = time.monotonic()
        return all(client.acknowledged[:1] and client.acknowledged[0] <= now - behind_s for client in clients)

    while (done := sum(len(client.acknowledged) for client in clients)) < kill_after or not promised():
        assert time.monotonic() < deadline, f"{done} of {kill_after} steps in 60 s"
        assert any(client.is_alive() for client in clients), [client.error for client in clients] + [server.log()]
        if disturb and not disturbed and done >= kill_after // 2:
            disturbed = True
            with server.wire() as wire:
                wire.ask(disturb)
        clients[0].join(0.001)
    killed_at = time.monotonic()
    server.kill()
    for client in clients:
        client.join(20)
        client.wire.close()
        assert client.error is None, client.error
    return killed_at


def crash(kind, folder, rounds, policy="always", seed=1, directives=LOG, tell=lambda line: None):
    """Runs the rounds; the number of acknowledged steps. Fails with the first loss."""
    rng = random.Random(seed)
    behind_s = BEHIND_S if policy == "everysec" else 0.0
    directives = [*directives, "--appendfsync", policy, "--auto-aof-rewrite-min-size", "256kb"]
    firsts, total = [0] * CLIENTS, 0
    server = Server(kind, folder, *directives)
    try:
        for n in range(rounds):
            server.ready()
            clients = [Client(i, first) for i, first in enumerate(firsts)]
            kill_after = rng.randint(1, ACKNOWLEDGED_MAX)
            disturb = rng.choice([None, "BGREWRITEAOF", "BGSAVE"])
            killed_at = round_of(server, clients, kill_after, behind_s, disturb)
            server = Server(kind, folder, *directives).ready()
            with server.wire() as wire:
                for i, client in enumerate(clients):
                    done = client.held(wire)
                    promised = client.promised(killed_at, behind_s)
                    assert done[-1] >= promised, f"round {n}, client {i}: {promised} steps promised, {done} held"
                    client.complete(wire, done)
                    firsts[i] = done[0]
            done = sum(len(client.acknowledged) for client in clients)
            total += done
            tell(f"round {n}: {done} steps acknowledged, {disturb or 'nothing'} meanwhile: all there")
        return total
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--policy", choices=["always", "everysec"], default="always")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=["ebbtide", "oracle"], default="ebbtide")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        total = crash(given.kind, Path(folder), given.rounds, given.policy, given.seed, tell=print)
    print(f"{given.rounds} rounds, {total} steps acknowledged, none lost")


if __name__ == "__main__":
    sys.exit(main())
