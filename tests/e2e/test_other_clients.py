"""Programs written with ioredis and redis-rs do the main job, and check it themselves."""

import os
import subprocess
from pathlib import Path

import pytest

from servers import ROOT

HERE = Path(__file__).resolve().parent


def output(*command, within_s=60, **options):
    """What `command` prints; fails with what it says when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def redis_rs_job():
    """The program in `redis-rs`, built."""
    target = ROOT / "target/e2e/redis-rs"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    output("cargo", "build", "--quiet", "--locked", cwd=HERE / "redis-rs", env=environment, within_s=600)
    return target / "debug/redis-rs-job"


@pytest.mark.timeout(600)
def test_redis_rs(redis_rs_job, server):
    assert output(redis_rs_job, f"redis://127.0.0.1:{server.port}") == "all of it holds\n"


@pytest.mark.timeout(600)
def test_redis_rs_with_resp3(redis_rs_job, server):
    assert output(redis_rs_job, f"redis://127.0.0.1:{server.port}?protocol=resp3") == "all of it holds\n"


def test_ioredis(server):
    assert output("node", HERE / "ioredis/job.mjs", str(server.port)) == "all of it holds\n"
