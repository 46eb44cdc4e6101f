"""The swap: one directory, under our broker and under Apache Kafka in turn. Topics, ids, settings, records, groups' offsets and what
only Kafka uses are there each time, with the metadata in snapshots as well as in the log, and the log trimmed to the
newest of them."""
import re
import shutil

import pytest

from clients.adapters import Confluent
from support.brokers import Barnabas, Kafka
from support.records import samples
from support.wire import read_partition

pytestmark = pytest.mark.barnabas  # it starts both itself
OFTEN = {"metadata.log.max.record.bytes.between.snapshots": "300", "metadata.max.retention.bytes": "1"}


class Swap:
    """The directory, and whoever runs on it."""

    def __init__(self, folder, ports, tools):
        self.folder, self.ports, self.tools = folder, ports, tools
        self.broker, self.turns = None, 0

    def start(self, kind):
        """The next broker, on what the last one left."""
        before = self.broker
        self.turns += 1
        self.broker = kind(self.folder / f"turn{self.turns}", self.ports.take(), OFTEN)
        if before is not None:
            shutil.move(before.data, self.broker.data)
        self.broker.start()

    def stop(self):
        self.broker.check()
        self.broker.stop()

    def run(self, tool, *words):
        return self.tools.ok(tool, "--bootstrap-server", self.broker.address, *words)

    def produce(self, topic, first):
        assert Confluent().produce(self.broker.address, topic, samples()) == list(range(first, first + len(samples())))

    def state(self):
        """What must be the same under either: ids, partitions, settings, bytes, the group's place."""
        topics = "\n".join(self.run("kafka-topics", "--describe").lines)
        group = self.run("kafka-consumer-groups", "--describe", "--group", "readers").lines
        return {
            "ids": sorted(re.findall(r"Topic: (\S+)\s+TopicId: (\S+)\s+PartitionCount: (\d+)", topics)),
            "settings": sorted(self.run("kafka-configs", "--describe", "--topic", "orders").lines),
            "brokers": [line for line in self.run("kafka-configs", "--describe", "--entity-type", "brokers",
                                                  "--entity-default").lines if "log.retention.ms" in line],
            "bytes": read_partition(self.broker.port, "orders"),
            "group": [line.split()[:4] for line in group if line.startswith("readers")],
        }


@pytest.fixture
def swap(tmp_path, ports, tools):
    one = Swap(tmp_path, ports, tools)
    yield one
    if one.broker is not None and one.broker.process is not None:
        one.broker.kill()


def checkpoints(broker):
    return [file for file in broker.data.glob("__cluster_metadata-0/*-*.checkpoint") if not file.name.startswith("leader")]


def begin(broker):
    """The first offset of the metadata log."""
    return min(int(file.name[:20]) for file in broker.data.glob("__cluster_metadata-0/*.log"))


def test_both_ways(swap):
    """Ours, Kafka, ours, Kafka."""
    swap.start(Barnabas)
    swap.run("kafka-topics", "--create", "--topic", "orders", "--partitions", "2", "--config", "segment.bytes=1048576")
    swap.run("kafka-topics", "--alter", "--topic", "orders", "--partitions", "3")
    swap.run("kafka-configs", "--alter", "--topic", "orders", "--add-config", "retention.ms=-1,max.message.bytes=2000000")
    swap.run("kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.retention.ms=86400000")
    swap.run("kafka-topics", "--create", "--topic", "gone", "--partitions", "1")
    swap.run("kafka-topics", "--delete", "--topic", "gone")
    swap.produce("orders", 0)
    swap.run("kafka-console-consumer", "--topic", "orders", "--group", "readers", "--from-beginning", "--max-messages", 5)
    ours = swap.state()
    swap.stop()
    first = begin(swap.broker)
    assert first > 0, "the log was trimmed"
    assert min(int(file.name[:20]) for file in checkpoints(swap.broker)) >= first, "a snapshot has what was trimmed"

    swap.start(Kafka)
    assert swap.state() == ours
    swap.produce("orders", len(samples()))
    swap.run("kafka-topics", "--create", "--topic", "kafkas", "--partitions", "1")
    swap.run("kafka-configs", "--alter", "--entity-type", "clients", "--entity-name", "c", "--add-config", "producer_byte_rate=4711")
    kafkas = swap.state()
    swap.stop()

    swap.start(Barnabas)
    assert swap.state() == kafkas
    for number in range(9):
        swap.run("kafka-topics", "--create", "--topic", f"filler-{number}", "--partitions", "1")
    swap.produce("kafkas", 0)
    ours = swap.state()
    swap.stop()
    assert begin(swap.broker) > first, "Kafka's part was trimmed, too"

    swap.start(Kafka)
    assert swap.state() == ours
    quotas = swap.run("kafka-configs", "--describe", "--entity-type", "clients", "--entity-name", "c").lines
    assert any("producer_byte_rate=4711" in line for line in quotas), "what we do not use is still there"
    swap.stop()
