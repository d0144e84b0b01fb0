"""HOTKEYS as redis-py calls and reads it; the oracle is older than the command."""

import pytest
from redis.commands.core import HotkeysMetricsTypes as Metric
from redis.exceptions import ResponseError

from waiting import until

pytestmark = pytest.mark.only_on("ebbtide")


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_session_finds_what_costs_most(server, protocol):
    client = server.client(protocol=protocol, decode_responses=True)
    assert client.hotkeys_start([Metric.CPU, Metric.NET], count=3) == "OK"
    with pytest.raises(ResponseError, match="already in progress"):
        client.hotkeys_start([Metric.CPU])
    for number in range(100):
        client.set("large", "x" * 1000)
        client.get(f"small:{number}")
    [found] = client.hotkeys_get()
    assert found["tracking-active"] == 1 and found["sample-ratio"] == 1
    assert found["selected-slots"] == [[0, 16383]]
    by_net = dict(zip(found["by-net-bytes"][::2], found["by-net-bytes"][1::2]))
    # `*3 $3 SET $5 large $4 1000` and the reply: 4 + 9 + 11 + 1009 and 5 bytes.
    assert len(by_net) == 3 and by_net["large"] == 100 * 1038
    assert found["total-net-bytes"] >= 100 * 1038
    assert len(found["by-cpu-time-us"]) == 6 and found["all-commands-all-slots-us"] > 0
    with pytest.raises(ResponseError, match="stop tracking first"):
        client.hotkeys_reset()
    assert client.hotkeys_stop() == "OK"
    client.get("large")
    [stopped] = client.hotkeys_get()
    assert stopped["tracking-active"] == 0
    assert stopped["by-net-bytes"][:2] == ["large", 100 * 1038]
    client.hotkeys_reset()
    assert client.execute_command("HOTKEYS", "STOP") is None


def test_a_session_ends_by_itself(server):
    client = server.client(decode_responses=True)
    client.hotkeys_start([Metric.NET], duration=1)
    until(lambda: client.hotkeys_get()[0]["tracking-active"] == 0, "the session ends")
    [found] = client.hotkeys_get()
    assert found["collection-duration-ms"] == 1000 and "by-cpu-time-us" not in found


def test_what_is_used_most_is_known_without_a_session(server):
    client = server.client(decode_responses=True)
    with client.pipeline(transaction=False) as pipe:
        for number in range(20_000):
            pipe.get("hot" if number % 2 else f"key:{number}")
        pipe.execute()
    top = client.execute_command("HOTKEYS", "TOP", "COUNT", 2)
    assert top[0] == "hot" and len(top) == 4
    # Rates are averages since the start, a second at least ago; half the commands were for this key.
    assert float(top[1]) > 2 * float(top[3]) > 0
