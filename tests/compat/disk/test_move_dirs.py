"""Partitions move between log directories with kafka-reassign-partitions, while a producer and a consumer are at work; kafka-log-dirs shows
how far they are; and a move that one broker has begun, the other ends."""
import json
import shutil
import threading

import pytest
from confluent_kafka import Consumer, Producer

from support.brokers import Barnabas, Kafka
from support.waiting import until
from support.wire import read_partition

RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
SLOWLY = "1000"


class Mover:
    """A broker with two log directories, and the tools."""

    def __init__(self, broker, tools):
        self.broker, self.tools = broker, tools
        self.dirs = [str(broker.data), str(broker.folder / "second")]
        broker.settings["log.dirs"] = ",".join(self.dirs)

    def run(self, tool, *words):
        return self.tools.ok(tool, "--bootstrap-server", self.broker.address, *words)

    def create(self, topic):
        """With its only partition in the first directory."""
        self.run("kafka-topics", "--create", "--topic", topic, "--partitions", "1", "--config", "segment.bytes=1048576")
        self.broker_writes(topic)
        if self.where(topic)[0] != self.dirs[0]:
            self.move(topic, self.dirs[0])
            until(lambda: self.where(topic) == (self.dirs[0], None), "it is in the first directory", 60)

    def broker_writes(self, topic):
        producer = Producer({"bootstrap.servers": self.broker.address})
        for number in range(3000):
            producer.produce(topic, f"{number} ".encode().ljust(1000, b"."))
        assert producer.flush(60) == 0

    def plan(self, topic, directory):
        file = self.broker.folder / "plan.json"
        file.write_text(json.dumps({"version": 1, "partitions": [
            {"topic": topic, "partition": 0, "replicas": [1], "log_dirs": [directory]}]}))
        return file

    def move(self, topic, directory, *words):
        return self.run("kafka-reassign-partitions", "--execute", "--reassignment-json-file", self.plan(topic, directory), *words)

    def verify(self, topic, directory):
        return self.run("kafka-reassign-partitions", "--verify", "--preserve-throttles", "--reassignment-json-file",
                        self.plan(topic, directory)).lines

    def described(self, topic):
        line = self.run("kafka-log-dirs", "--describe", "--topic-list", topic).lines[-1]
        return {row["logDir"]: row["partitions"][0] for row in json.loads(line)["brokers"][0]["logDirs"] if row["partitions"]}

    def where(self, topic):
        """(the directory of the partition, what is said of its future replica); for a moment Kafka shows two."""
        rows = self.described(topic)
        current = [directory for directory, row in rows.items() if not row["isFuture"]]
        return current[0] if len(current) == 1 else None, next((row for row in rows.values() if row["isFuture"]), None)

    def go_fast(self):
        self.run("kafka-configs", "--alter", "--entity-type", "brokers", "--entity-name", "1", "--delete-config", RATE)


class Load(threading.Thread):
    """A producer (acks=all) and a consumer from the start."""

    def __init__(self, address, topic):
        super().__init__(daemon=True)
        self.address, self.topic = address, topic
        self.acknowledged, self.read, self.failed = [], [], []
        self.stopping = False
        self.start()

    def delivered(self, error, message):
        if error is None:
            self.acknowledged.append((message.offset(), message.value()))
        else:
            self.failed.append(error)

    def take(self, consumer):
        for message in consumer.consume(1000, 0.05):
            assert message.error() is None
            self.read.append((message.offset(), message.value()))

    def run(self):
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "linger.ms": 1})
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "load", "auto.offset.reset": "earliest"})
        consumer.subscribe([self.topic])
        number = 0
        while not self.stopping:
            for number in range(number, number + 50):
                producer.produce(self.topic, f"load {number}".encode(), on_delivery=self.delivered)
            number += 1
            producer.poll(0)
            self.take(consumer)
        producer.flush(60)
        last = max(offset for offset, _ in self.acknowledged)
        until(lambda: self.take(consumer) or self.read[-1][0] >= last, "all was read", 60)
        consumer.close()

    def end(self):
        self.stopping = True
        self.join()
        assert not self.failed
        assert [offset for offset, _ in self.read] == list(range(len(self.read)))
        there = dict(self.read)
        assert all(there[offset] == value for offset, value in self.acknowledged)


@pytest.fixture
def mover(make_broker, tools):
    one = Mover(make_broker(), tools)
    one.broker.start()
    return one


def test_a_move_under_load(mover, name):
    """A slow copy is shown as a future replica with a lag, and can be given up; a fast one ends; nobody at work notices."""
    mover.create(name)
    load = Load(mover.broker.address, name)
    said = mover.move(name, mover.dirs[1], "--replica-alter-log-dirs-throttle", SLOWLY).lines
    assert said[-1].strip() == (f"Successfully started moving log directory to {mover.dirs[1]} for replica {name}-0 with broker 1")
    directory, future = mover.where(name)
    assert directory == mover.dirs[0]
    assert future["offsetLag"] > 0
    assert f"Reassignment of replica {name}-0-1 is still in progress." in mover.verify(name, mover.dirs[1])

    mover.move(name, mover.dirs[0], "--additional", "--replica-alter-log-dirs-throttle", SLOWLY)
    until(lambda: mover.where(name) == (mover.dirs[0], None), "the move is given up", 60)

    mover.go_fast()
    mover.move(name, mover.dirs[1])
    until(lambda: mover.where(name) == (mover.dirs[1], None), "it has moved", 120)
    assert f"Reassignment of replica {name}-0-1 completed successfully." in mover.verify(name, mover.dirs[1])
    load.end()


@pytest.mark.parametrize("kinds", [(Barnabas, Kafka), (Kafka, Barnabas)], ids=["ours-then-kafka", "kafka-then-ours"])
@pytest.mark.barnabas  # it starts both itself
def test_a_move_that_the_other_ends(make_broker, tools, name, kinds):
    """One broker has moved a partition, and has begun to move another when it stops; the other one finds the first, and ends the move."""
    first = Mover(make_broker(kind=kinds[0]), tools)
    first.broker.start()
    for topic in (f"{name}-moved", f"{name}-moving"):
        first.create(topic)
    first.move(f"{name}-moved", first.dirs[1])
    until(lambda: first.where(f"{name}-moved") == (first.dirs[1], None), "it has moved", 120)
    first.move(f"{name}-moving", first.dirs[1], "--replica-alter-log-dirs-throttle", SLOWLY)
    assert first.where(f"{name}-moving")[1] is not None
    before = [read_partition(first.broker.port, topic) for topic in (f"{name}-moved", f"{name}-moving")]
    first.broker.stop()

    second = Mover(make_broker(kind=kinds[1]), tools)
    for old, new in zip(first.dirs, second.dirs):
        shutil.move(old, new)
    second.broker.start()
    assert second.where(f"{name}-moved")[0] == second.dirs[1]
    second.go_fast()
    until(lambda: second.where(f"{name}-moving") == (second.dirs[1], None), "the move has ended", 120)
    assert [read_partition(second.broker.port, topic) for topic in (f"{name}-moved", f"{name}-moving")] == before
