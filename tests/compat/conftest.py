"""The broker under test, and what else the tests are handed."""
import itertools
import pathlib

import pytest

from support import brokers
from support.tools import Tools

_LIVE = []  # every broker of the running test, for its log when the test fails
_NUMBERS = itertools.count()


def pytest_addoption(parser):
    parser.addoption("--broker", required=True, help="the barnabas program")
    parser.addoption("--kafka", action="store_true", help="test Apache Kafka in its place")
    parser.addoption("--long", action="store_true", help="also the tests that are marked long")
    parser.addoption("--loop-seconds", type=int, default=1200, help="how long each long loop of transactions goes on")
    parser.addoption("--loop-seed", type=int, default=1, help="what happens in it")


def pytest_configure(config):
    brokers.Barnabas.program = pathlib.Path(config.getoption("--broker"))


def pytest_collection_modifyitems(config, items):
    marks = ["barnabas"] if config.getoption("--kafka") else []
    marks += [] if config.getoption("--long") else ["long"]
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in marks)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for broker in _LIVE:
            report.sections.append((f"log of the broker on port {broker.port}", broker.log_tail()))


def pytest_terminal_summary(terminalreporter):
    """How long the groups of groups/ took to settle, and what the loops of transactions/ did, with either broker."""
    words = {"settled": "seconds to settle with ", "transactions": ""}
    for report in terminalreporter.getreports("passed"):
        for what, value in report.user_properties:
            if what in words and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {words[what]}{value}")


@pytest.fixture(scope="session")
def ports(worker_id):
    return brokers.Ports(0 if worker_id == "master" else int(worker_id[2:]))


@pytest.fixture(scope="session")
def kind(request):
    """The class of the broker under test."""
    return brokers.Kafka if request.config.getoption("--kafka") else brokers.Barnabas


def end(broker):
    """Stops a broker that still runs, and looks at its log a last time."""
    try:
        if broker.process is not None:
            broker.check()
            broker.stop()
        broker.check()
    finally:
        if broker.process is not None:
            broker.kill()


class Shared:
    """The broker that tests share; a new one when it has died, so that one fault fails one test."""

    def __init__(self, kind, ports, factory):
        self.kind, self.ports, self.factory = kind, ports, factory
        self.broker = None

    def get(self):
        if self.broker is None:
            self.broker = self.kind(self.factory.mktemp("shared"), self.ports.take())
            _LIVE.append(self.broker)
            self.broker.start()
        return self.broker

    def drop(self):
        _LIVE.remove(self.broker)
        if self.broker.process is not None:
            self.broker.kill()
        self.broker = None


@pytest.fixture(scope="session")
def shared(kind, ports, tmp_path_factory):
    shared = Shared(kind, ports, tmp_path_factory)
    yield shared
    if shared.broker is not None:
        try:
            end(shared.broker)
        finally:
            shared.drop()


@pytest.fixture
def broker(shared):
    """A running broker that many tests share; it must live through each, and answer after it."""
    yield shared.get()
    try:
        shared.broker.check()
        with shared.broker.wire(10) as wire:
            wire.api_versions()
    except Exception:
        shared.drop()
        raise


@pytest.fixture
def make_broker(kind, ports, tmp_path):
    """make_broker(settings): a broker for this test alone, not yet started."""
    made = []

    def make(settings=None, kind=kind):
        broker = kind(tmp_path / f"broker{len(made)}", ports.take(), settings)
        made.append(broker)
        _LIVE.append(broker)
        return broker

    yield make
    try:
        for broker in made:
            end(broker)
    finally:
        for broker in made:
            _LIVE.remove(broker)
            if broker.process is not None:
                broker.kill()


@pytest.fixture(scope="session")
def tools():
    tools = Tools()
    yield tools
    tools.close()


@pytest.fixture
def name(request, worker_id):
    """A name that no other test uses, for topics and groups."""
    test = request.node.originalname.removeprefix("test_")[:60].replace("_", "-")
    return f"{test}-{worker_id}-{next(_NUMBERS)}"


@pytest.fixture
def topic(broker, name):
    """A topic of one partition on the shared broker."""
    with broker.wire() as wire:
        assert wire.create_topic(name) == 0
    return name
