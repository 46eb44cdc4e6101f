"""kafka-dump-log reads every file that the broker wrote and finds no fault."""
import re

import pytest

from clients.adapters import Confluent, Java
from support.dumping import dump, files_of
from support.records import CODECS, samples

ROUNDS = 4
SAMPLES = samples() * 4
TOTAL = 2 * ROUNDS * len(SAMPLES)


@pytest.fixture(scope="module")
def used(kind, ports, tools, tmp_path_factory):
    """A broker that had small segments, each codec, idempotent producers, groups and a deleted topic, after a clean stop."""
    broker = kind(tmp_path_factory.mktemp("used"), ports.take(), {"log.index.interval.bytes": "64"}).start()
    try:
        with broker.wire() as wire:
            for codec in CODECS:
                assert wire.create_topic(codec, 2, {"segment.bytes": 1048576, "cleanup.policy": "delete"}) == 0
            assert wire.create_topic("deleted") == 0
            assert wire.create_topic("empty", 3) == 0
        for codec in CODECS:
            for producer in (Confluent(), Java(tools)):
                for _ in range(ROUNDS):
                    producer.produce(broker.address, codec, SAMPLES, codec)
        address = ("--bootstrap-server", broker.address)
        tools.ok("kafka-console-consumer", *address, "--topic", "gzip", "--group", "readers", "--from-beginning",
                 "--max-messages", 50)
        tools.ok("kafka-topics", *address, "--delete", "--topic", "deleted")
        broker.check()
        broker.stop()
    finally:
        if broker.process is not None:
            broker.kill()
    return broker


def test_every_segment_deeply(tools, used):
    """--deep-iteration decompresses and checks each record; the records are those that were produced."""
    for codec in CODECS:
        out = dump(tools, used.data.glob(f"{codec}-0/*.log"), "--deep-iteration", "--print-data-log")
        keys = re.findall(r"^\| offset: (\d+) .* keySize: ", out, re.MULTILINE)
        assert [int(offset) for offset in keys] == list(range(TOTAL))
        assert set(re.findall(r"compresscodec: (\w+)", out)) == {codec}
        assert out.count("baseOffset:") == out.count("isvalid: true")


def test_segments_rolled(used):
    """The folder has several segments, or the tests here would see too little."""
    assert len(list(used.data.glob("none-0/*.log"))) > 2


def test_offset_indexes(tools, used):
    """--index-sanity-check of all, and each entry against the log."""
    files = [file for file in files_of(used, "*/*.index") if file.stat().st_size > 0]
    dump(tools, files, "--index-sanity-check")
    dump(tools, files)
    assert len([file for file in files if file.parent.name == "none-0"]) > 2


def test_time_indexes(tools, used):
    """Each entry of the time indexes against the log."""
    dump(tools, [file for file in files_of(used, "*/*.timeindex") if file.stat().st_size > 0])


def test_producer_snapshots(tools, used):
    """The producer snapshots have the producers with their last sequences."""
    files = files_of(used, "*/*.snapshot")
    out = dump(tools, [file for file in files if file.parent.name == "zstd-0"])
    assert re.search(r"^producerId: \d+ producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong.empty "
                     r"lastTimestamp: \d+ firstSequence: \d+ lastSequence: \d+ lastOffset: %d " % (TOTAL - 1), out, re.MULTILINE)


def test_metadata_log(tools, used):
    """--cluster-metadata-decoder prints topics, partitions and settings."""
    files = list(used.data.glob("__cluster_metadata-0/*.log"))
    out = dump(tools, files, "--cluster-metadata-decoder", "--skip-record-metadata")
    assert '"type":"TOPIC_RECORD","version":0,"data":{"name":"zstd"' in out
    assert '"type":"PARTITION_RECORD"' in out
    assert '"type":"CONFIG_RECORD","version":0,"data":{"resourceType":2,"resourceName":"zstd","name":"segment.bytes","value":"1048576"}' in out
    assert '"type":"REMOVE_TOPIC_RECORD"' in out
    assert "\"type\":\"FEATURE_LEVEL_RECORD\"" in out + bootstrap(tools, used)


def bootstrap(tools, used):
    """Kafka keeps the first feature levels in a snapshot, and we may too."""
    files = list(used.data.glob("__cluster_metadata-0/*.checkpoint"))
    return dump(tools, files, "--cluster-metadata-decoder") if files else ""


def test_group_offsets(tools, used):
    """--offsets-decoder prints the group and what it committed."""
    files = [file for file in used.data.glob("__consumer_offsets-*/*.log") if file.stat().st_size > 0]
    out = dump(tools, files, "--offsets-decoder")
    assert '"group":"readers","topic":"gzip","partition":0' in out
    assert '"offset":50' in out
    assert '"type":"2","data":{"group":"readers"}' in out


def test_checkpoints(used):
    """The checkpoint files have Kafka's form and name every partition's end."""
    ends = checkpoint(used.data / "replication-offset-checkpoint")
    assert {topic: ends[topic, 0] for topic in CODECS} == {topic: TOTAL for topic in CODECS}
    points = checkpoint(used.data / "recovery-point-offset-checkpoint")
    assert {topic: points[topic, 0] for topic in CODECS} == {topic: TOTAL for topic in CODECS}
    assert (used.data / ".kafka_cleanshutdown").exists()
    assert (used.data / "zstd-0/leader-epoch-checkpoint").read_text() == "0\n1\n0 0\n"
    assert re.fullmatch(r"version: 0\ntopic_id: [A-Za-z0-9_-]{22}", (used.data / "zstd-0/partition.metadata").read_text())


def checkpoint(path):
    version, count, *lines = path.read_text().splitlines()
    assert (version, int(count)) == ("0", len(lines))
    return {(line.split()[0], int(line.split()[1])): int(line.split()[2]) for line in lines}
