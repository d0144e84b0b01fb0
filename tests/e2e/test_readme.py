"""What the README shows is what happens: its commands are run and their output compared."""

import doctest
import os
import re
import subprocess

import pytest

from servers import ROOT, program
from waiting import until

README = (ROOT / "README.md").read_text()
TOUR = re.findall(r"^```(console|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

# What stands for the commands of the tour: the port is the server's, and the output is as at a terminal.
EBBTIDE = """#!/bin/sh
tool=$1
shift
case $tool in
cli) exec {binary} cli -p {port} --no-raw "$@" ;;
*) exec {binary} "$tool" -p {port} "$@" ;;
esac
"""


@pytest.mark.only_on("ebbtide")
def test_the_tour(server, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    shim = folder / "ebbtide"
    shim.write_text(EBBTIDE.format(binary=program("ebbtide")[0], port=server.port))
    shim.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    for kind, block in TOUR:
        if kind == "python":
            exec(block.replace("redis.Redis(", f"redis.Redis(port={server.port}, "), {})
        else:
            for command, expected in steps(block):
                assert_output(command, expected, environment)
    assert server.exit_code() == 0, "the tour ends with SHUTDOWN"


def steps(block):
    """The commands of a block of the console, each with the output that follows it."""
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        # The binary stands in the path already, behind what points it to the test's own server.
        if not command.startswith("export PATH="):
            yield command, expected


def assert_output(command, expected, environment):
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, (command, done)
    output = done.stdout.replace("\r", "")
    same = doctest.OutputChecker().check_output(expected, output, doctest.ELLIPSIS)
    assert same, f"$ {command}\nexpected:\n{expected}\ngot:\n{output}"


def test_the_tour_has_its_steps():
    assert sum(len(list(steps(block))) for kind, block in TOUR if kind == "console") > 15
    assert [kind for kind, _ in TOUR].count("python") == 1


def test_the_server_alone_serves_on_6379_with_its_data_below_its_folder(tmp_path):
    """In a network of its own, where the port is free whatever else this machine runs."""
    network = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]
    script = 'ip link set lo up && exec "$0"'
    binary = program("ebbtide")[0]
    log = tmp_path / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen([*network, "sh", "-c", script, binary], cwd=tmp_path, stdout=out, stderr=out)
    try:
        until(lambda: "Ready" in log.read_text(), "the server is ready", within_s=5)
        text = log.read_text()
        for fact in ("127.0.0.1:6379", str(tmp_path / "ebbtide-data"), "Persistence: "):
            assert fact in text, text
        assert (tmp_path / "ebbtide-data").is_dir()
    finally:
        process.terminate()
        assert process.wait(10) == 0
