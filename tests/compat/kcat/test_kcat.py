"""kcat in all its modes: -L, -P, -C, -Q, -G. It speaks the protocol of the librdkafka that Debian has."""
import json
import subprocess

import pytest

from clients.adapters import Confluent, kcat
from support.records import samples
from support.waiting import until


@pytest.fixture
def at(broker):
    return "-b", broker.address


def test_metadata(at, broker, name):
    """-L lists the broker and the topic's partitions; -J as JSON."""
    with broker.wire() as wire:
        assert wire.create_topic(name, 2) == 0
    out = kcat(*at, "-L", "-t", name)
    assert f" 1 brokers:\n  broker 1 at {broker.address} (controller)\n" in out
    assert f"  topic \"{name}\" with 2 partitions:\n" in out
    for partition in range(2):
        assert f"    partition {partition}, leader 1, replicas: 1, isrs: 1\n" in out
    found = json.loads(kcat(*at, "-L", "-J", "-t", name))
    assert found["brokers"] == [{"id": 1, "name": broker.address}]
    assert found["topics"] == [{"topic": name, "partitions": [
        {"partition": p, "leader": 1, "replicas": [{"id": 1}], "isrs": [{"id": 1}]} for p in range(2)]}]


def test_metadata_of_all_topics(at, topic):
    """-L without a topic lists all of them."""
    assert f"  topic \"{topic}\" with 1 partitions:\n" in kcat(*at, "-L")


def test_keys_headers_and_null(at, topic):
    """-P with -K, -H and -Z; -C with a format prints all of it."""
    kcat(*at, "-P", "-t", topic, "-K", ":", "-H", "h1=v1", "-H", "h2=v2", "-Z", stdin="key:value\nempty:\n:no key\n")
    out = kcat(*at, "-C", "-t", topic, "-e", "-q", "-Z", "-f", "%o|%k|%K|%s|%S|%h|%p|%t\n")
    assert out == (f"0|key|3|value|5|h1=v1,h2=v2|0|{topic}\n"
                   f"1|empty|5|NULL|-1|h1=v1,h2=v2|0|{topic}\n"
                   f"2|NULL|-1|no key|6|h1=v1,h2=v2|0|{topic}\n")


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs(at, broker, topic, codec):
    """-z with each codec, read by kcat and by a newer librdkafka."""
    lines = [f"line {i} of a text that can be compressed" for i in range(200)]
    kcat(*at, "-P", "-t", topic, "-z", codec, stdin="\n".join(lines) + "\n")
    assert kcat(*at, "-C", "-t", topic, "-e", "-q").splitlines() == lines
    found = Confluent().consume(broker.address, topic, 200)
    assert [record.value.decode() for _, record in found] == lines


@pytest.mark.parametrize("where, expected", [
    ("beginning", "0123456789"), ("end", ""), ("7", "789"), ("-2", "89"), ("s@{5}", "56789"), ("s@{2},e@{5}", "234"),
])
def test_offsets(at, broker, topic, where, expected):
    """-o: beginning, end, a number, from the end, by time, and until a time."""
    records = samples()
    Confluent().produce(broker.address, topic, [type(r)(r.timestamp, None, b"%d" % i) for i, r in enumerate(records)])
    options = []
    for word in where.split(","):
        for i, record in enumerate(records):
            word = word.replace(f"{{{i}}}", str(record.timestamp))
        options += ["-o", word]
    assert kcat(*at, "-C", "-t", topic, "-p", 0, *options, "-e", "-q", "-D", "") == expected


def test_count_and_json(at, broker, topic):
    """-c stops after so many; -J prints a JSON object for each."""
    [record] = samples()[:1]
    Confluent().produce(broker.address, topic, [record, record, record])
    found = [json.loads(line) for line in kcat(*at, "-C", "-t", topic, "-c", 2, "-J", "-q").splitlines()]
    assert [(one["offset"], one["key"], one["payload"], one["ts"]) for one in found] == [
        (offset, "key", "value", record.timestamp) for offset in range(2)]


def test_offsets_by_time(at, broker, topic):
    """-Q: the offset of a timestamp, of the beginning and the end."""
    records = samples()
    Confluent().produce(broker.address, topic, records)
    for timestamp, offset in [(records[4].timestamp, 4), (records[4].timestamp + 1, 5), (-2, 0), (-1, len(records))]:
        assert kcat(*at, "-Q", "-t", f"{topic}:0:{timestamp}") == f"{topic} [0] offset {offset}\n"


def test_group(at, broker, topic):
    """-G: a member of a group commits what it has read; the next one goes on there."""
    Confluent().produce(broker.address, topic, samples()[:1] * 5)
    consume = ("-G", topic, "-X", "auto.offset.reset=earliest", "-q", "-f", "%o\n")
    assert kcat(*at, *consume[:2], *consume[2:], "-c", 3, topic) == "0\n1\n2\n"
    assert kcat(*at, *consume, "-e", topic) == "3\n4\n"


def test_waiting_consumer(at, broker, topic):
    """-C at the end prints what comes, as it comes."""
    with subprocess.Popen(["kcat", *at, "-C", "-t", topic, "-o", "beginning", "-u", "-q", "-c", "2"],
                          stdout=subprocess.PIPE) as reader:
        kcat(*at, "-P", "-t", topic, stdin="one\n")
        assert reader.stdout.readline() == b"one\n"
        kcat(*at, "-P", "-t", topic, stdin="two\n")
        assert reader.stdout.readline() == b"two\n"
        until(lambda: reader.poll() is not None, "kcat ends after two records")
        assert reader.returncode == 0


def test_idempotent_producer(at, topic):
    """-X enable.idempotence=true asks for a producer id first."""
    kcat(*at, "-P", "-t", topic, "-X", "enable.idempotence=true", stdin="a\nb\n")
    assert kcat(*at, "-C", "-t", topic, "-e", "-q") == "a\nb\n"
