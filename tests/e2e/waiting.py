"""Waiting for what a server will do: always for something, always with a deadline."""

import time

PAUSE_S = 0.002


def until(check, what, within_s=10.0):
    """Calls `check` again and again until its result is true, and returns that; fails when it never is."""
    deadline = time.monotonic() + within_s
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(PAUSE_S)


def until_clock(moment_ms):
    """Waits for the wall clock to reach `moment_ms`, in milliseconds since the Unix epoch."""
    until(lambda: now_ms() >= moment_ms, "the clock goes on", within_s=60)


def now_ms():
    """The wall clock, in milliseconds since the Unix epoch, with its fraction."""
    return time.time_ns() / 1e6
