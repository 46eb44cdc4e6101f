"""A data directory that Apache Kafka wrote is ours too, and what we wrote into it is Kafka's again."""
import shutil

import pytest

from clients.adapters import Confluent, Java
from support import dumping
from support.brokers import Kafka
from support.records import CODECS, samples
from support.wire import batches, read_partition

ROUNDS = 4
SAMPLES = samples() * 4
TOTAL = 2 * ROUNDS * len(SAMPLES)


@pytest.fixture(scope="module")
def kafkas(ports, tools, tmp_path_factory):
    """Apache Kafka, stopped, with a topic for each codec, and a group that has read a part."""
    broker = Kafka(tmp_path_factory.mktemp("kafka"), ports.take()).start()
    try:
        with broker.wire() as wire:
            for codec in CODECS:
                assert wire.create_topic(codec, 2, {"segment.bytes": 1048576}) == 0
        for codec in CODECS:
            for _ in range(ROUNDS):
                Java(tools).produce(broker.address, codec, SAMPLES, codec)
                Confluent().produce(broker.address, codec, SAMPLES, codec)
        tools.ok("kafka-console-consumer", "--bootstrap-server", broker.address, "--topic", "gzip", "--group", "readers",
                 "--from-beginning", "--max-messages", 50)
        broker.stop()
    finally:
        if broker.process is not None:
            broker.kill()
    return broker


@pytest.fixture
def ours(kafkas, make_broker):
    """The broker under test on a copy of Kafka's directory."""
    broker = make_broker()
    shutil.copytree(kafkas.data, broker.data)
    return broker.start()


def segments(broker, topic):
    return b"".join(file.read_bytes() for file in sorted(broker.data.glob(f"{topic}-0/*.log")))


def test_every_byte_is_served(kafkas, ours, tools):
    """What Fetch gives is what Kafka wrote, byte for byte; the records, offsets and the group's place too."""
    for codec in CODECS:
        assert read_partition(ours.port, codec) == segments(kafkas, codec)
        found = Confluent().consume(ours.address, codec, TOTAL)
        assert [offset for offset, _ in found] == list(range(TOTAL))
        assert [(r.key, r.value, r.headers) for _, r in found] == 2 * ROUNDS * [(r.key, r.value, r.headers) for r in SAMPLES]
    address = ("--bootstrap-server", ours.address)
    listed = tools.ok("kafka-topics", *address, "--list").lines
    assert set(CODECS) <= set(listed)
    row = tools.ok("kafka-consumer-groups", *address, "--describe", "--group", "readers").lines[-2:]
    assert ["readers", "gzip", "0", "50", str(TOTAL), str(TOTAL - 50)] in [line.split()[:6] for line in row]
    assert tools.ok("kafka-configs", *address, "--describe", "--topic", "zstd").lines[1].startswith("  segment.bytes=1048576 ")


def test_it_goes_on_from_there(kafkas, ours, tools):
    """New records get the next offsets, behind the old bytes, which do not change; Kafka's tool finds no fault in it all."""
    before = segments(kafkas, "lz4")
    assert Confluent().produce(ours.address, "lz4", samples(), "lz4") == list(range(TOTAL, TOTAL + 10))
    data = read_partition(ours.port, "lz4")
    assert data[:len(before)] == before
    assert [last for _, last, _ in batches(data[len(before):])][-1] == TOTAL + 9
    ours.stop()
    dumping.check_all(tools, ours)


def test_kafka_goes_on_again(ours, ports, tmp_path):
    """And back: Apache Kafka starts on the directory that we went on with, and reads what we wrote."""
    assert Confluent().produce(ours.address, "zstd", samples(), "zstd") == list(range(TOTAL, TOTAL + 10))
    with ours.wire() as wire:
        assert wire.create_topic("new", 3) == 0
    written = samples()
    assert Confluent().produce(ours.address, "new", written) == list(range(10))
    ours.stop()
    kafka = Kafka(tmp_path / "again", ports.take())
    shutil.copytree(ours.data, kafka.data)
    try:
        kafka.start()
        assert read_partition(kafka.port, "zstd") == segments(ours, "zstd")
        assert [record for _, record in Confluent().consume(kafka.address, "new", 10)] == written
        assert Confluent().produce(kafka.address, "new", samples()) == list(range(10, 20))
        kafka.stop()
    finally:
        if kafka.process is not None:
            kafka.kill()
