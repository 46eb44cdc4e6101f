"""kill -9 in the middle of production: every acknowledged record is there afterwards, once, in order."""
import threading

import confluent_kafka
import pytest

from clients.adapters import Confluent
from support import dumping
from support.waiting import until

TOTAL = 30000
PARTITIONS = 3


class Production(threading.Thread):
    """An idempotent producer that retries, and goes on over the broker's death."""

    def __init__(self, address, topic):
        super().__init__(daemon=True)
        self.topic = topic
        self.acknowledged = []  # (partition, offset, number)
        self.failure = None
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": address, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
            "batch.num.messages": 100, "message.timeout.ms": 120000, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20})

    def delivered(self, error, message):
        if error is not None:
            self.failure = error
        else:
            self.acknowledged.append((message.partition(), message.offset(), int(message.value())))

    def run(self):
        for i in range(TOTAL):
            while True:
                try:
                    self.producer.produce(self.topic, partition=i % PARTITIONS, value=b"%d" % i, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        self.producer.flush(120)

    def wait_acknowledged(self, n):
        until(lambda: self.failure or len(self.acknowledged) >= n, f"{n} records are acknowledged", 60)
        assert self.failure is None, self.failure


@pytest.mark.parametrize("kills", [(1,), (TOTAL // 3,), (TOTAL - 5000,), (2000, 12000, 20000)],
                         ids=["first-ack", "third", "near-the-end", "three-times"])
def test_acknowledged_records_survive(make_broker, tools, name, kills):
    """The records of each partition are exactly those produced, in order; each acknowledgement named the right offset; and
    Kafka's own tool finds no fault in the files."""
    broker = make_broker({"log.segment.bytes": "1048576", "log.index.interval.bytes": "512"}).start()
    with broker.wire() as wire:
        assert wire.create_topic(name, PARTITIONS) == 0
    production = Production(broker.address, name)
    production.start()
    for n in kills:
        production.wait_acknowledged(n)
        broker.kill()
        assert len(production.acknowledged) < TOTAL, "all was over before the kill"
        broker.start()
    production.join(180)
    assert not production.is_alive()
    assert production.failure is None, production.failure
    assert len(production.acknowledged) == TOTAL
    for partition in range(PARTITIONS):
        expected = list(range(partition, TOTAL, PARTITIONS))
        assert numbers(broker, name, partition) == expected
        acknowledged = {offset: number for p, offset, number in production.acknowledged if p == partition}
        assert acknowledged == dict(enumerate(expected))
    broker.check()
    broker.stop()
    dumping.check_all(tools, broker)


def numbers(broker, topic, partition):
    """The values of a partition, from its beginning to its end."""
    consumer = Confluent.consumer(broker.address)
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0)])
        _, end = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=30)
        found = []
        while len(found) < end:
            messages = consumer.consume(1000, timeout=30)
            assert messages
            for message in messages:
                assert message.error() is None, message.error()
                assert message.offset() == len(found)
                found.append(int(message.value()))
        return found
    finally:
        consumer.close()


def test_committed_offsets_survive(make_broker, tools, name):
    """A topic, its records and a group's offsets, all acknowledged before kill -9, are there after it."""
    broker = make_broker().start()
    address = ("--bootstrap-server", broker.address)
    tools.ok("kafka-topics", *address, "--create", "--topic", name, "--config", "retention.ms=86400000")
    tools.ok("kafka-console-producer", *address, "--topic", name, stdin="1\n2\n3\n4\n5\n")
    consume = ("kafka-console-consumer", *address, "--topic", name, "--group", "readers", "--max-messages")
    assert tools.ok(*consume, 3, "--from-beginning").out == "1\n2\n3\n"
    described = tools.ok("kafka-topics", *address, "--describe", "--topic", name).out
    broker.kill()
    broker.start()
    assert tools.ok("kafka-topics", *address, "--describe", "--topic", name).out == described
    assert tools.ok(*consume, 2).out == "4\n5\n"
