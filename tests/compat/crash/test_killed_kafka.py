"""Directories that a killed broker left, Apache Kafka's and ours, recovered by the one and by the other: the same records."""
import shutil

import pytest

from clients.adapters import Confluent
from support.brokers import Barnabas, Kafka
from support.load.workload import Plan, Workload
from support.records import samples
from support.wire import read_partition

pytestmark = pytest.mark.barnabas
PARTITIONS = 3
SETTINGS = {"log.segment.bytes": "1048576", "log.index.interval.bytes": "512", "offsets.topic.num.partitions": "3"}


def plan():
    """A producer of each client library, idempotent, each with a codec of its own, and a group."""
    def producer(name, codec):
        return "producer", name, "orders", PARTITIONS, 1500, 500, "idempotent", codec
    return Plan({"orders": (PARTITIONS, {})}, [
        ("java", [producer("java", "zstd")]),
        ("rdkafka", [producer("rdkafka", "lz4"), ("member", "member", "orders", "load")]),
        ("own", [producer("own", "none")]),
    ])


@pytest.fixture(params=[Kafka, Barnabas], ids=["kafka", "barnabas"])
def killed(request, make_broker, tmp_path):
    """(a broker that was killed under load, the load, whose clients wait for its return)"""
    broker = make_broker(SETTINGS, request.param).start()
    load = Workload(broker, tmp_path / "clients", plan())
    try:
        load.start()
        load.wait_until_all_work()
        load.wait_acknowledged(10000)
        broker.kill()
        yield broker, load
    finally:
        load.kill()


def started_on_a_copy(make_broker, kind, killed):
    """A broker of this kind on a copy of what the killed one left."""
    broker = make_broker(SETTINGS, kind)
    shutil.copytree(killed.data, broker.data)
    return broker.start()


def contents(broker):
    """Every byte that it serves of the topic, and what the group has committed."""
    with broker.wire() as wire:
        committed = [wire.try_committed("load", "orders", partition) for partition in range(PARTITIONS)]
    return [read_partition(broker.port, "orders", partition) for partition in range(PARTITIONS)], committed


@pytest.mark.timeout(300)
def test_both_recover_the_same(killed, make_broker):
    """Byte for byte, and the committed offsets; it is all that was acknowledged or read; and both go on behind it."""
    broker, load = killed
    found = []
    for kind in (Kafka, Barnabas):
        recovered = started_on_a_copy(make_broker, kind, broker)
        load.broker = recovered
        load.check(full=True)
        found.append(contents(recovered))
        with recovered.wire() as wire:
            end = wire.end_offset("orders")
        assert Confluent().produce(recovered.address, "orders", samples()) == list(range(end, end + 10))
        recovered.stop()
    assert found[0] == found[1]
    assert sum(len(data) for data in found[0][0]) > 1 << 19
