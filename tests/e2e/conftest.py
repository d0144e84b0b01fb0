"""What every end-to-end test gets: servers of either kind, ended when the test ends."""

import resource
from functools import partial

import pytest

from servers import Server

KINDS = ("ebbtide", "oracle")


def pytest_addoption(parser):
    parser.addoption(
        "--server", choices=(*KINDS, "both"), default="both", help="which servers to run the tests on"
    )


def pytest_configure():
    # Tests with thousands of connections need as many files as the system gives; servers inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_generate_tests(metafunc):
    """A test that starts servers runs once for each kind that it is about."""
    if "kind" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only_on")
        metafunc.parametrize("kind", [k for k in KINDS if only is None or k in only.args])


def pytest_collection_modifyitems(config, items):
    """Leaves out the servers that are not asked for."""
    wanted = config.getoption("--server")

    def is_wanted(item):
        kind = item.callspec.params.get("kind") if hasattr(item, "callspec") else None
        return wanted == "both" or kind in (None, wanted)

    config.hook.pytest_deselected(items=[i for i in items if not is_wanted(i)])
    items[:] = [i for i in items if is_wanted(i)]


@pytest.fixture
def launch(tmp_path):
    """A function that starts a server of a kind with the directives given, and waits until it answers."""
    started = []

    def launch_server(kind, *directives, ready=True, folder=None, **options):
        server = Server(kind, folder or tmp_path / f"server{len(started)}", *directives, **options)
        started.append(server)
        return server.ready() if ready else server

    yield launch_server
    for server in started:
        server.stop()


@pytest.fixture
def start(kind, launch):
    """A function that starts one more server of the test's kind, as `launch` does."""
    return partial(launch, kind)


@pytest.fixture
def server(start):
    """A running server with nothing special about it."""
    return start()


@pytest.fixture
def client(server):
    """A redis-py client of `server`."""
    with server.client() as client:
        yield client
