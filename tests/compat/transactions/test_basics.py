"""One step of a transaction after the other, with each client."""
import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, TopicPartition

from support.waiting import until

from .pipeline import QUIET, ends, kill
from .shells import SHELLS

LONG_MS = 60000
SETTINGS = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
            "transaction.remove.expired.transaction.cleanup.interval.ms": "200"}


@pytest.fixture(scope="module")
def served(kind, ports, tmp_path_factory):
    """A broker that soon sees that a transaction took too long."""
    broker = kind(tmp_path_factory.mktemp("basics"), ports.take(), SETTINGS).start()
    try:
        yield broker
        broker.check()
        broker.stop()
        broker.check()
    finally:
        if broker.process is not None:
            broker.kill()


@pytest.fixture(scope="module", params=SHELLS)
def shell(request, served):
    shell = SHELLS[request.param](served.address)
    yield shell
    shell.end()


@pytest.fixture
def place(served, name):
    """A topic of one partition."""
    with served.wire() as wire:
        assert wire.create_topic(name) == 0
    return name


def tell(shell, name, *words):
    answer = shell.ask(name, *words)
    assert answer == "ok", f"{words}: {answer}"


def transaction(shell, name, topic, *values, end="commit"):
    tell(shell, name, "begin")
    for value in values:
        tell(shell, name, "send", topic, value)
    tell(shell, name, end)


class Reader:
    """Of partition 0, from the beginning."""

    def __init__(self, broker, topic, isolation="read_committed"):
        self.consumer = Consumer({**QUIET, "bootstrap.servers": broker.address, "group.id": "nobody", "enable.auto.commit": False,
                                  "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "error"})
        self.consumer.assign([TopicPartition(topic, 0, 0)])
        self.values = []

    def turn(self):
        """Whether the end was reached."""
        ended = False
        for record in self.consumer.consume(1000, 0.1):
            ended = record.error() is not None
            if ended:
                assert record.error().code() == KafkaError._PARTITION_EOF, record.error()  # pylint: disable=protected-access
            else:
                self.values.append(record.value().decode())
        return ended

    def to_end(self):
        """All values so far."""
        until(self.turn, "the end of the partition")
        return self.values


def values(broker, topic, isolation="read_committed"):
    reader = Reader(broker, topic, isolation)
    try:
        return reader.to_end()
    finally:
        reader.consumer.close()


def nothing_open(broker, topic):
    return (ends(broker.address, {topic: 1}, IsolationLevel.READ_COMMITTED)
            == ends(broker.address, {topic: 1}, IsolationLevel.READ_UNCOMMITTED))


def test_commit_and_abort(shell, served, place):
    """What was committed is read, what was aborted is not; read_uncommitted reads both."""
    tell(shell, "p", "init", place, LONG_MS)
    transaction(shell, "p", place, "a", "b")
    transaction(shell, "p", place, "c", end="abort")
    transaction(shell, "p", place, "d")
    assert values(served, place) == ["a", "b", "d"]
    assert values(served, place, "read_uncommitted") == ["a", "b", "c", "d"]


def test_empty_transactions(shell, served, place):
    """Nothing was written: nothing but the other transactions is there."""
    tell(shell, "p", "init", place, LONG_MS)
    transaction(shell, "p", place)
    transaction(shell, "p", place, end="abort")
    transaction(shell, "p", place, "a")
    transaction(shell, "p", place)
    transaction(shell, "p", place, "b")
    assert values(served, place) == ["a", "b"]
    assert ends(served.address, {place: 1}, IsolationLevel.READ_UNCOMMITTED) == {(place, 0): 4}  # two records, two markers


def test_readers_wait_for_the_first_open_transaction(shell, served, place):
    """A committed transaction behind an open one is not read before that one ends; then the waiting reader gets both."""
    tell(shell, "first", "init", f"{place}-first", LONG_MS)
    tell(shell, "second", "init", f"{place}-second", LONG_MS)
    tell(shell, "first", "begin")
    tell(shell, "first", "send", place, "a")
    transaction(shell, "second", place, "b")
    reader = Reader(served, place)
    try:
        assert reader.to_end() == []
        tell(shell, "first", "commit")
        until(lambda: reader.turn() and False or len(reader.values) == 2, "both are read")
        assert reader.values == ["a", "b"]
    finally:
        reader.consumer.close()


def test_the_newer_of_two_fences_the_older(shell, served, place):
    """The second producer with one transactional id ends the transaction of the first, which can do nothing more."""
    tell(shell, "older", "init", place, LONG_MS)
    transaction(shell, "older", place, "a")
    tell(shell, "older", "begin")
    tell(shell, "older", "send", place, "lost")
    tell(shell, "newer", "init", place, LONG_MS)
    assert shell.ask("older", "commit") == "fenced"
    transaction(shell, "newer", place, "b")
    assert values(served, place) == ["a", "b"]


def test_fenced_at_its_next_write(shell, served, place):
    """The older one is told when it writes, too, and nothing of it is stored."""
    tell(shell, "older", "init", place, LONG_MS)
    transaction(shell, "older", place, "a")
    tell(shell, "newer", "init", place, LONG_MS)
    tell(shell, "older", "begin")
    answer = shell.ask("older", "send", place, "lost")
    assert answer != "ok"
    assert answer == "fenced" or shell.ask("older", "commit") == "fenced"
    transaction(shell, "newer", place, "b")
    assert values(served, place, "read_uncommitted") == ["a", "b"]


def test_the_broker_ends_what_takes_too_long(shell, served, place):
    """After transaction.timeout.ms: aborted; its producer can not commit; the next one with its id goes on."""
    tell(shell, "slow", "init", place, 1000)
    tell(shell, "slow", "begin")
    tell(shell, "slow", "send", place, "lost")
    until(lambda: nothing_open(served, place), "the transaction is aborted")
    assert shell.ask("slow", "commit") != "ok"
    tell(shell, "next", "init", place, LONG_MS)
    transaction(shell, "next", place, "a")
    assert values(served, place) == ["a"]


def test_offsets_are_committed_with_the_transaction(request, shell, served, place):
    """Not before its end, and not when it is aborted. (franz-go commits offsets of its own group only.)"""
    if "franz-go" in request.node.name:
        pytest.skip("offsets of a group that it is not in")
    tell(shell, "p", "init", place, LONG_MS)

    def committed():
        with served.wire() as wire:
            return until(lambda: wire.try_committed(place, place), "the group is loaded")[0]

    for offset, end, after in ((5, "commit", 5), (7, "abort", 5), (9, "commit", 9)):
        before = committed()
        tell(shell, "p", "begin")
        tell(shell, "p", "offset", place, place, offset)
        assert committed() == before
        tell(shell, "p", end)
        until(lambda after=after: committed() == after, f"the offset is {after}")


def test_the_broker_restarts_within_a_transaction(shell, served, place):
    """Stopped and killed: an open transaction goes on, as if nothing had been."""
    tell(shell, "p", "init", place, LONG_MS)
    tell(shell, "p", "begin")
    tell(shell, "p", "send", place, "a")
    served.stop()
    served.start()
    tell(shell, "p", "send", place, "b")
    kill(served)
    served.start()
    tell(shell, "p", "send", place, "c")
    tell(shell, "p", "commit")
    assert values(served, place) == ["a", "b", "c"]
