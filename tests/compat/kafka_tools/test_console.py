"""kafka-console-producer and kafka-console-consumer."""
import pytest

KEYED = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
ALL_FIELDS = ("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true",
              "--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true")


def test_keys_and_values_come_back(ok, topic):
    """What was typed is what is read, keys apart from values, in order."""
    ok("kafka-console-producer", "--topic", topic, *KEYED, stdin="a:1\nb:2\nc:\n:4\n")
    out = ok("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 4, "--formatter-property",
             "print.key=true").out
    assert out == "a\t1\nb\t2\nc\t\n\t4\n"


def test_headers_and_null_come_back(ok, topic):
    """Headers and null values, by the reader's own notation."""
    ok("kafka-console-producer", "--topic", topic, *KEYED, "--reader-property", "parse.headers=true",
       "--reader-property", "null.marker=NULL", stdin="h1:v1,h2:v2\tkey:NULL\nh3:v3\tkey:value\n")
    out = ok("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 2, *ALL_FIELDS).out
    assert out == "Partition:0\tOffset:0\th1:v1,h2:v2\tkey\tnull\nPartition:0\tOffset:1\th3:v3\tkey\tvalue\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs(ok, topic, codec):
    """--compression-codec with each codec; a hundred lines come back as they were."""
    lines = "".join(f"line {i} of a text that can be compressed\n" for i in range(100))
    ok("kafka-console-producer", "--topic", topic, "--compression-codec", codec, stdin=lines)
    assert ok("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 100).out == lines


def test_producing_creates_the_topic(ok, name):
    """A topic that does not exist comes to be when somebody produces to it."""
    ok("kafka-console-producer", "--topic", name, stdin="first\n")
    assert ok("kafka-console-consumer", "--topic", name, "--from-beginning", "--max-messages", 1).out == "first\n"


def test_one_partition_from_an_offset(ok, broker, name):
    """--partition with --offset."""
    with broker.wire() as wire:
        assert wire.create_topic(name, 2) == 0
    ok("kafka-console-producer", "--topic", name, *KEYED, stdin="".join(f"k:{i}\n" for i in range(10)))
    offsets = dict(line.rsplit(":", 1) for line in ok("kafka-get-offsets", "--topic", name).lines)
    partition = 0 if offsets[f"{name}:0"] == "10" else 1
    out = ok("kafka-console-consumer", "--topic", name, "--partition", partition, "--offset", 7, "--max-messages", 3).out
    assert out == "7\n8\n9\n"


def test_group_resumes_after_a_restart(tools, make_broker, name):
    """A group goes on where it stopped, although the broker was stopped and started in between."""
    broker = make_broker().start()
    address = ("--bootstrap-server", broker.address)
    tools.ok("kafka-topics", *address, "--create", "--topic", name, "--partitions", 1)
    tools.ok("kafka-console-producer", *address, "--topic", name, stdin="1\n2\n3\n4\n5\n")
    consume = ("kafka-console-consumer", *address, "--topic", name, "--group", "readers", "--max-messages")
    assert tools.ok(*consume, 3, "--from-beginning").out == "1\n2\n3\n"
    broker.stop()
    broker.start()
    assert tools.ok(*consume, 2).out == "4\n5\n"
    lines = tools.ok("kafka-consumer-groups", *address, "--describe", "--group", "readers").lines
    assert lines[-1].split()[:6] == ["readers", name, "0", "5", "5", "0"]
