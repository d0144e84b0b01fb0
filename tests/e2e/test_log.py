"""The log's formats: Redis's lines, and lines that programs read."""

import json
import re

import pytest

from waiting import until

MESSAGE = 'with "quotes" and=signs'
TIMES = {
    "legacy": r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}",
    "iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00",
    "milliseconds": r"\d{13}",
}


def logged(server):
    """The lines of a server's log once it holds the message."""
    server.client().execute_command("DEBUG", "LOG", MESSAGE)
    until(lambda: "quotes" in server.log(), "the message is logged")
    return server.log().splitlines()


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.only_on("ebbtide")
def test_lines_are_objects_with_the_times_asked_for(times, start):
    directives = ("--log-format", "json", "--log-timestamp-format", times, "--loglevel", "verbose")
    server = start(*directives, "--enable-debug-command", "yes", "--always-show-logo", "yes")
    entries = [json.loads(line) for line in logged(server)]
    assert all(entry["pid"] == server.pid and entry["role"] == "primary" for entry in entries)
    assert all(re.fullmatch(TIMES[times], entry["timestamp"]) for entry in entries)
    assert {entry["level"] for entry in entries} >= {"notice", "info"}
    assert any(entry["message"].endswith(MESSAGE) for entry in entries)
    accepted = [entry for entry in entries if entry["message"].startswith("Accepted 127.0.0.1:")]
    assert accepted and all(entry["client"] > 0 for entry in accepted)


@pytest.mark.only_on("ebbtide")
def test_formats_change_while_the_server_runs(start):
    server = start("--enable-debug-command", "yes")
    assert re.search(rf"(?m)^\d+:M {TIMES['legacy']} \* .*{MESSAGE}$", "\n".join(logged(server)))
    server.client().config_set("log-format", "logfmt", "log-timestamp-format", "milliseconds")
    line = logged(server)[-1]
    said = MESSAGE.replace('"', r"\"")
    head = rf"pid={server.pid} role=primary timestamp=\"{TIMES['milliseconds']}\" level=notice message="
    assert re.match(head, line) and said in line


@pytest.mark.only_on("ebbtide")
def test_a_level_silences_those_below_it(start):
    server = start("--enable-debug-command", "yes", "--loglevel", "warning")
    server.client().execute_command("DEBUG", "LOG", "unseen")
    server.client().config_set("loglevel", "notice")
    assert MESSAGE in logged(server)[-1] and "unseen" not in server.log()
