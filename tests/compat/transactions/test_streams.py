"""Kafka Streams: words counted exactly once by two instances, whatever happens to them and to the broker."""
import collections
import random
import shutil
import subprocess
import threading

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from support import paths
from support.brokers import Broker
from support.waiting import until

from .pipeline import QUIET, SETTINGS, kill, nothing_is_open

PARTITIONS = 4
WORDS = [f"word{i}" for i in range(50)]
COMMAND = ["java", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp",
           f"{paths.TOOL_CLASSES}:{paths.JARS / 'streams'}/*", "WordCount"]


class Lines:
    """Lines of words, written once each, and how often each word is in them."""

    def __init__(self, address, topic):
        self.topic = topic
        self.counts = collections.Counter()
        self.acked = 0
        self.random = random.Random(3)
        self.producer = Producer({**QUIET, "bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.05):
            for _ in range(10):
                words = self.random.choices(WORDS, k=4)
                self.producer.produce(self.topic, " ".join(words), on_delivery=self.delivered)
                self.counts.update(words)
            self.producer.poll(0)

    def delivered(self, error, _):
        assert error is None, error
        self.acked += 1

    def stop(self):
        self.stopping.set()
        self.thread.join()
        assert self.producer.flush(60) == 0
        assert self.acked * 4 == self.counts.total(), "a line was not taken"
        return self.counts


class Instance:
    """One process of the application; its state is kept over crashes."""

    def __init__(self, command, state):
        self.command, self.state, self.process = [*command, str(state)], state, None
        self.said = []
        self.start()

    def start(self):
        self.said = []
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        threading.Thread(target=self.read, args=(self.process, self.said), daemon=True).start()

    @staticmethod
    def read(process, said):
        for line in process.stdout:
            said.append(line.strip())

    def crash(self):
        self.process.kill()
        self.process.wait()

    def lose_state(self):
        shutil.rmtree(self.state)

    def end(self):
        if self.process.poll() is None:
            self.crash()

    def leave(self):
        self.process.stdin.write("leave\n")
        self.process.stdin.close()
        assert self.process.wait(60) == 0, self.said


class Counts:
    """What is in the result, read_committed: every count of every word, in order."""

    def __init__(self, address, topic):
        self.consumer = Consumer({**QUIET, "bootstrap.servers": address, "group.id": "nobody", "enable.auto.commit": False,
                                  "isolation.level": "read_committed", "auto.offset.reset": "error"})
        self.consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
        self.values = collections.defaultdict(list)
        self.n = 0

    def more(self):
        for record in self.consumer.consume(10000, 0.1):
            if record.error() is None:
                self.values[record.key().decode()].append(int.from_bytes(record.value(), "big"))
                self.n += 1
        return self.n


class Application:
    """The lines, two instances, and the result."""

    def __init__(self, broker, name, folder):
        self.broker, self.name = broker, name
        self.topics = (f"{name}-in", f"{name}-out")
        with broker.wire() as wire:
            for topic in self.topics:
                assert wire.create_topic(topic, PARTITIONS) == 0
        self.lines = Lines(broker.address, self.topics[0])
        self.counts = Counts(broker.address, self.topics[1])
        command = [*COMMAND, broker.address, *self.topics, name]
        self.instances = [Instance(command, folder / f"state{i}") for i in range(2)]

    def said(self):
        return [instance.said for instance in self.instances]

    def goes_on(self, seconds=60):
        """Waits until words are counted that came after now."""
        n = self.counts.more()
        target = max(n, self.lines.acked * 4) + 100
        self.wait(target, seconds)

    def wait(self, n, seconds=60):
        try:
            until(lambda: self.counts.more() >= n, f"{n} counts", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}, {self.counts.n}; {self.said()}") from error

    def end(self):
        self.lines.stopping.set()
        self.counts.consumer.close()
        for instance in self.instances:
            instance.end()


@pytest.fixture
def application(make_broker, name, tmp_path):
    application = Application(make_broker(SETTINGS).start(), name, tmp_path)
    yield application
    application.end()


def restart(broker, how):
    how(broker)
    broker.start()


def first_offsets(tools, broker, topic):
    lines = tools.ok("kafka-get-offsets", "--bootstrap-server", broker.address, "--topic", topic, "--time", "-2").lines
    return [int(line.rsplit(":", 1)[1]) for line in lines]


def test_word_count(application, tools):
    """Both crash, one loses its state and gets it back from its changelog; the broker is stopped and killed."""
    broker, (first, second) = application.broker, application.instances
    application.goes_on(90)
    first.crash()
    application.goes_on()
    first.start()
    restart(broker, Broker.stop)
    application.goes_on()
    second.crash()
    second.lose_state()
    second.start()
    restart(broker, kill)
    application.goes_on()
    expected = application.lines.stop()
    application.wait(expected.total())
    repartitioned = f"{application.name}-words-repartition"
    until(lambda: sum(first_offsets(tools, broker, repartitioned)) > 0, "what was repartitioned is deleted")
    for instance in application.instances:
        instance.leave()
    nothing_is_open(broker.address, {topic: PARTITIONS for topic in (*application.topics, repartitioned)}, tools)
    application.counts.more()
    for word, n in expected.items():
        assert application.counts.values[word] == list(range(1, n + 1)), word
    changelog = tools.ok("kafka-configs", "--bootstrap-server", broker.address, "--describe", "--topic",
                         f"{application.name}-counts-changelog").out
    assert "cleanup.policy=compact" in changelog
