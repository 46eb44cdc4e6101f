"""A small disk fills up under idempotent producers, and gets space again: a state, not a failure."""
import os

import pytest

from support.load.workload import GROUP, Plan
from support.waiting import until
from support.wire import KAFKA_STORAGE_ERROR, NONE, batch

pytestmark = pytest.mark.barnabas
DISK_MB = 40
BALLAST = 8 << 20
SETTINGS = {"log.journal.bytes": "1048576", "log.segment.bytes": "1048576", "log.segment.delete.delay.ms": "0",
            "log.min.free.bytes": "8388608"}


def plan():
    """The Java client, librdkafka and our own, with five requests in flight each; and a group."""
    def producer(name):
        return "producer", name, "orders", 2, 1000, 4000, "idempotent", "none"
    return Plan({"orders": (2, {})}, [
        ("java", [producer("java")]),
        ("rdkafka", [producer("rdkafka"), ("member", "member", "orders", GROUP)]),
        ("own", [producer("own")]),
    ])


@pytest.fixture
def disk(namespace, make_disk):
    """A tmpfs with a file that takes some of its space."""
    path = make_disk(namespace.tmpfs, "small", DISK_MB)
    ballast(namespace.seen(path), BALLAST)
    return path


def ballast(path, size):
    with open(path / "ballast", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def is_refused(broker):
    """There is no room for a large batch."""
    with broker.wire() as wire:
        return wire.produce("probe", batch([b"x" * 100000]))[0] == KAFKA_STORAGE_ERROR


@pytest.mark.timeout(300)
def test_producers_come_through(namespace, disk, broker_on, make_load, read_dir):
    """Three windows without space, ended by the removal of a file, by the deletion of a topic, and by a larger disk. While full: reads
    and offset commits are answered, and the broker starts, after a stop and after a kill."""
    broker = broker_on(disk, SETTINGS).start()
    with broker.wire() as wire:
        assert wire.create_topic("old") == NONE
        assert wire.create_topic("probe") == NONE
        for _ in range(60):
            assert wire.produce("old", batch([b"x" * 100000]))[0] == NONE
    load = make_load(broker, plan())
    load.start()
    load.wait_until_all_work()

    wait_full(broker, load)
    works_while_full(broker, load, 1)
    os.unlink(namespace.seen(disk) / "ballast")
    goes_on(load)

    wait_full(broker, load)
    broker.kill()
    broker.start()
    works_while_full(broker, load, 2)
    broker.stop()
    broker.start()
    works_while_full(broker, load, 3)
    with broker.wire() as wire:
        assert wire.delete_topic("old") == NONE
    goes_on(load)

    wait_full(broker, load)
    namespace.run("mount", "-o", "remount,size=1g", disk)
    goes_on(load)
    load.finish()
    broker.check()
    broker.stop()
    read_dir(namespace.seen(broker.data))


def wait_full(broker, load):
    until(lambda: is_refused(broker), "the disk is full", 120)
    load.verify()


def goes_on(load):
    """Producers that were refused get everything acknowledged, by themselves."""
    load.wait_acknowledged(300)
    load.check()


def works_while_full(broker, load, offset):
    """What needs no space, and what space is kept for."""
    load.check(full=True)
    with broker.wire() as wire:
        assert wire.commit("by-hand", "orders", offset) == NONE
        assert wire.try_committed("by-hand", "orders") == (offset,)
    assert is_refused(broker)
