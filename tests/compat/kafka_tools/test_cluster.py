"""kafka-get-offsets, kafka-configs, kafka-broker-api-versions, kafka-cluster, kafka-features."""
import pathlib
import re

from support.brokers import Barnabas

HERE = pathlib.Path(__file__).parent

# The highest version of each API that Kafka 4.4 has and the 4.3 tools know, of those that every client uses.
USABLE = {
    "Produce": 13, "Fetch": 18, "ListOffsets": 11, "Metadata": 13, "OffsetCommit": 10, "OffsetFetch": 10,
    "FindCoordinator": 6, "JoinGroup": 9, "Heartbeat": 4, "LeaveGroup": 5, "SyncGroup": 5, "DescribeGroups": 6,
    "ListGroups": 5, "ApiVersions": 4, "CreateTopics": 7, "DeleteTopics": 6, "InitProducerId": 5,
    "OffsetForLeaderEpoch": 4, "DescribeConfigs": 4, "DescribeCluster": 2, "DescribeTopicPartitions": 0,
}


def test_offsets_of_a_topic(ok, broker, name):
    """kafka-get-offsets: ends, beginnings, and the record with the greatest timestamp."""
    with broker.wire() as wire:
        assert wire.create_topic(name, 2) == 0
    ok("kafka-console-producer", "--topic", name, "--reader-property", "parse.key=true", "--reader-property",
       "key.separator=:", stdin="k:1\nk:2\nk:3\n")
    get = ("kafka-get-offsets", "--topic", name)
    ends = ok(*get).lines
    assert sorted(ends) in ([f"{name}:0:0", f"{name}:1:3"], [f"{name}:0:3", f"{name}:1:0"])
    full = next(line.split(":")[1] for line in ends if line.endswith(":3"))
    assert ok(*get, "--time", "earliest").lines == [f"{name}:0:0", f"{name}:1:0"]
    assert ok(*get, "--time", "latest").lines == ends
    assert ok(*get, "--time", 0, "--partitions", full).lines == [f"{name}:{full}:0"]
    [greatest] = ok(*get, "--time", "max-timestamp").lines
    assert re.fullmatch(rf"{re.escape(name)}:{full}:[012]", greatest)


def test_settings_of_a_topic(ok, broker, topic):
    """kafka-configs --describe --topic: nothing of its own; with --all every setting, its value and where it is from."""
    assert ok("kafka-configs", "--describe", "--topic", topic).out == f"Dynamic configs for topic {topic} are:\n"
    lines = ok("kafka-configs", "--describe", "--topic", topic, "--all").lines
    expected = (HERE / "topic-settings.txt").read_text().splitlines()
    if isinstance(broker, Barnabas):  # the one default that differs: acknowledged is on the disk
        expected = [line.replace("9223372036854775807", "1") if line.startswith("  flush.messages=") else line
                    for line in expected]
    assert lines == [f"All configs for topic {topic} are:", *expected]


def test_own_setting_of_a_topic(ok, name):
    """A setting given at creation, with what stands behind it."""
    ok("kafka-topics", "--create", "--topic", name, "--config", "segment.bytes=2097152")
    assert ok("kafka-configs", "--describe", "--topic", name).lines == [
        f"Dynamic configs for topic {name} are:",
        "  segment.bytes=2097152 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.bytes=2097152, "
        "DEFAULT_CONFIG:log.segment.bytes=1073741824}"]


def test_settings_of_the_broker(ok, broker):
    """kafka-configs --describe --broker: what the start gave, and defaults."""
    assert ok("kafka-configs", "--describe", "--broker", "1").out == "Dynamic configs for broker 1 are:\n"
    lines = ok("kafka-configs", "--describe", "--broker", "1", "--all").lines
    assert lines[0] == "All configs for broker 1 are:"
    for expected in [
        "  log.segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}",
        f"  log.dirs={broker.data} sensitive=false synonyms={{STATIC_BROKER_CONFIG:log.dirs={broker.data}}}",
        "  group.initial.rebalance.delay.ms=0 sensitive=false synonyms={"
        "STATIC_BROKER_CONFIG:group.initial.rebalance.delay.ms=0, DEFAULT_CONFIG:group.initial.rebalance.delay.ms=3000}",
        "  ssl.keystore.password=null sensitive=true synonyms={}",
    ]:
        assert expected in lines


def test_api_versions(ok, broker):
    """kafka-broker-api-versions: the newest version of every API that clients need is usable."""
    lines = ok("kafka-broker-api-versions").lines
    assert lines[0] == f"{broker.address} (id: 1 rack: null isFenced: false) -> ("
    usable = {}
    for line in lines[1:]:
        found = re.fullmatch(r"\t(\w+)\(\d+\): (?:\d+ to )?\d+ \[usable: (\d+)\],?", line)
        if found:
            usable[found[1]] = int(found[2])
    assert {name: usable.get(name) for name in USABLE} == USABLE


def test_cluster_id(tools, broker):
    """kafka-cluster cluster-id prints what meta.properties says."""
    out = tools.ok("kafka-cluster", "cluster-id", "--bootstrap-server", broker.address).out
    properties = (broker.data / "meta.properties").read_text()
    assert out == f"Cluster ID: {re.search('^cluster.id=(.*)$', properties, re.MULTILINE)[1]}\n"


def test_features(ok):
    """kafka-features describe: the features of Kafka 4.4 and their levels."""
    rows = [re.findall(r": +(\S.*?)(?=\s{2,}|\t|$)", line) for line in ok("kafka-features", "describe").lines]
    assert [row[:4] for row in rows] == [
        ["eligible.leader.replicas.version", "0", "1", "1"],
        ["group.version", "0", "1", "1"],
        ["kraft.version", "0", "1", "0"],
        ["metadata.version", "3.3-IV3", "UNKNOWN 33", "UNKNOWN 33"],
        ["share.version", "0", "2", "2"],
        ["streams.version", "0", "1", "1"],
        ["transaction.version", "0", "2", "2"],
    ]
