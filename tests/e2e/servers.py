"""Servers under test: started on free ports of the loopback interface, ended by their process id."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from waiting import until
from wire import Closed, Wire

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["--save", "", "--appendonly", "no"]


def program(kind):
    """The command that starts a server of `kind`; a missing program is a failure, not a reason to skip."""
    if kind == "oracle":
        found = os.environ.get("EBBTIDE_ORACLE") or shutil.which("redis-server")
        assert found, "the oracle is missing: install redis-server, or name it in EBBTIDE_ORACLE"
        return [found]
    if kind == "valkey":
        return [os.environ["EBBTIDE_VALKEY"]]
    found = Path(os.environ.get("EBBTIDE_BIN", ROOT / "target/release/ebbtide"))
    assert found.exists(), f"{found} is missing: cargo build --release, or name it in EBBTIDE_BIN"
    return [str(found), "server"]


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Server:
    """One running server process."""

    def __init__(self, kind, folder, *directives, config=None, stdin=None, prefix=()):
        self.kind = kind
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log_path = self.folder / "log"
        given = [str(d) for d in directives]
        where = ["--port", str(self.port), "--dir", str(self.folder)]
        self.command = [*prefix, *program(kind), *([str(config)] if config else []), *where, *QUIET, *given]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=stdin, cwd=self.folder)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def ready(self):
        """Waits until the server answers and has loaded its data; fails at once when it ended instead."""

        def answers():
            assert self.process.poll() is None, f"{self.command} ended:\n{self.log()}"
            try:
                with self.wire() as wire:
                    line = wire.line(b"PING\r\n")
                    return line[:1] in (b"+", b"-") and not line.startswith(b"-LOADING")
            except (OSError, Closed):
                return False

        until(answers, f"{self.command} answers, its log being {self.log_path}", within_s=30)
        return self

    def wire(self, **options):
        """A bare connection."""
        return Wire(("127.0.0.1", self.port), **options)

    def client(self, **options):
        """A redis-py client that tells of an error at once instead of trying again."""
        options = {"port": self.port, "socket_timeout": 30, "retry": Retry(NoBackoff(), 0), **options}
        return redis.Redis(host="127.0.0.1", **options)

    def info(self, section="persistence"):
        """The fields of a section of INFO, as text."""
        with self.wire() as wire:
            lines = wire.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def saved(self):
        """Waits for the snapshot that is under way; what INFO says then."""
        until(lambda: self.info()["rdb_bgsave_in_progress"] == "0", "the save ends", within_s=30)
        return self.info()

    def rewritten(self):
        """Waits for the rewrite that is under way or due; what INFO says then."""

        def ended():
            info = self.info()
            return info["aof_rewrite_in_progress"] == info["aof_rewrite_scheduled"] == "0" and info

        return until(ended, "the rewrite ends", within_s=30)

    def alive(self):
        """Whether the process runs and answers."""
        return self.process.poll() is None and self.client().ping()

    def resident_bytes(self):
        """Memory of the process that is in RAM."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number):
        self.process.send_signal(number)

    def exit_code(self, within_s=10):
        """Waits for the process to end by itself."""
        return self.process.wait(within_s)

    def kill(self):
        """Ends the process as a crash would: it is told nothing."""
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        """Ends the process, gently if it can be."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
