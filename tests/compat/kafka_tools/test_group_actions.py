"""Every action of the tools about groups, side by side: the same topics, offsets and members on our broker and on Apache Kafka, the
same command on both, the same answer.
"""
import json
import re
import shutil

import confluent_kafka
import pytest

from clients.adapters import ConfluentMember
from support.brokers import Kafka
from support.dumping import dump
from support.side_by_side import Action, File, Side, check_action, lines_of
from support.waiting import until

pytestmark = pytest.mark.barnabas  # Kafka is there anyway

GROUPS, LIST, OFFSETS = "kafka-consumer-groups", "kafka-groups", "kafka-get-offsets"
TIMES = [1_500_000_000_000 + 60_000 * i for i in range(8)]  # of the records of each partition
RESET = "--reset-offsets"

# What is asked, in this order.
ACTIONS = [
    Action(GROUPS, "--list"),
    Action(GROUPS, "--list", "--state"),
    Action(GROUPS, "--list", "--state", "Empty"),
    Action(GROUPS, "--list", "--state", "stable,empty"),
    Action(GROUPS, "--list", "--state", "Dead"),
    Action(GROUPS, "--list", "--state", "Nonsense"),
    Action(GROUPS, "--list", "--type"),
    Action(GROUPS, "--list", "--type", "classic"),
    Action(GROUPS, "--list", "--type", "Consumer"),
    Action(GROUPS, "--list", "--type", "nonsense"),
    Action(GROUPS, "--list", "--type", "classic", "--state", "Stable"),
    Action(LIST, "--list"),
    Action(LIST, "--list", "--group-type", "classic"),
    Action(LIST, "--list", "--group-type", "consumer"),
    Action(LIST, "--list", "--group-type", "share"),
    Action(LIST, "--list", "--protocol", "consumer"),
    Action(LIST, "--list", "--protocol", "connect"),
    Action(LIST, "--list", "--consumer"),
    Action(LIST, "--list", "--share"),
    Action(LIST, "--list", "--streams"),

    Action(GROUPS, "--describe", "--group", "idle"),
    Action(GROUPS, "--describe", "--group", "idle", "--offsets"),
    Action(GROUPS, "--describe", "--group", "idle", "--offsets", "--verbose"),
    Action(GROUPS, "--describe", "--group", "idle", "--members"),
    Action(GROUPS, "--describe", "--group", "idle", "--state"),
    Action(GROUPS, "--describe", "--group", "idle", "--state", "--verbose"),
    Action(GROUPS, "--describe", "--group", "simple"),
    Action(GROUPS, "--describe", "--group", "live"),
    Action(GROUPS, "--describe", "--group", "live", "--offsets", "--verbose"),
    Action(GROUPS, "--describe", "--group", "live", "--members"),
    Action(GROUPS, "--describe", "--group", "live", "--members", "--verbose"),
    Action(GROUPS, "--describe", "--group", "live", "--state"),
    Action(GROUPS, "--describe", "--group", "live", "--state", "--verbose"),
    Action(GROUPS, "--describe", "--group", "live", "--group", "idle", "--state"),
    Action(GROUPS, "--describe", "--group", "none"),
    Action(GROUPS, "--describe", "--group", "none", "--members"),
    Action(GROUPS, "--describe", "--group", "none", "--state"),
    Action(GROUPS, "--describe", "--all-groups"),
    Action(GROUPS, "--describe", "--all-groups", "--members", "--verbose"),
    Action(GROUPS, "--describe", "--all-groups", "--state"),

    Action(OFFSETS),
    Action(OFFSETS, "--topic", "one"),
    Action(OFFSETS, "--topic", "one", "--time", "-1"),
    Action(OFFSETS, "--topic", "one", "--time", "earliest"),
    Action(OFFSETS, "--topic", "one", "--time", "max-timestamp"),
    Action(OFFSETS, "--topic", "one", "--time", "earliest-local"),
    Action(OFFSETS, "--topic", "one", "--time", "latest-tiered"),
    Action(OFFSETS, "--topic", "one", "--time", str(TIMES[3])),
    Action(OFFSETS, "--topic", "one", "--time", str(TIMES[7] + 1)),
    Action(OFFSETS, "--topic", "one", "--partitions", "0,2"),
    Action(OFFSETS, "--topic-partitions", "one:1-,two:0"),
    Action(OFFSETS, "--exclude-internal-topics", "--time", "-2"),
    Action(OFFSETS, "--topic", "none"),

    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--to-earliest"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--to-earliest", "--dry-run"),
    Action(GROUPS, RESET, "--group", "idle", "--all-topics", "--to-latest", "--dry-run"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:0,2", "--to-latest", "--execute"),
    Action(GROUPS, "--describe", "--group", "idle"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:0", "--to-offset", "4", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:0", "--to-offset", "400", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:0", "--shift-by", "-3", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:0", "--shift-by", "-300", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--to-datetime", "2017-07-14T02:43:00.000+00:00", "--execute"),
    Action(GROUPS, "--describe", "--group", "idle"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--to-datetime", "2100-01-01T00:00:00.000", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--by-duration", "PT1H", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one", "--by-duration", "P9999D", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--all-topics", "--to-current", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--all-topics", "--to-current", "--export"),
    Action(GROUPS, RESET, "--group", "idle", "--all-topics", "--from-file", File("one,0,1\none,1,2\ntwo,0,3\n"), "--dry-run"),
    Action(GROUPS, RESET, "--group", "idle", "--all-topics", "--from-file", File("one,0,1\none,1,2\ntwo,0,3\n"), "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--group", "simple", "--from-file", File("idle,one,0,2\nsimple,two,0,1\n"), "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--group", "simple", "--topic", "two", "--to-latest", "--export"),
    Action(GROUPS, "--describe", "--group", "idle", "--group", "simple"),
    Action(GROUPS, RESET, "--group", "new", "--topic", "two", "--to-earliest", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "none", "--to-earliest", "--execute"),
    Action(GROUPS, RESET, "--group", "idle", "--topic", "one:9", "--to-earliest", "--execute"),
    Action(GROUPS, RESET, "--group", "live", "--topic", "one", "--to-earliest", "--execute"),
    Action(GROUPS, RESET, "--all-groups", "--topic", "two", "--to-latest", "--dry-run"),

    Action(GROUPS, "--delete-offsets", "--group", "idle", "--topic", "two"),
    Action(GROUPS, "--delete-offsets", "--group", "idle", "--topic", "one:1"),
    Action(GROUPS, "--delete-offsets", "--group", "idle", "--topic", "one:9"),
    Action(GROUPS, "--delete-offsets", "--group", "idle", "--topic", "none"),
    Action(GROUPS, "--delete-offsets", "--group", "none", "--topic", "one"),
    Action(GROUPS, "--delete-offsets", "--group", "live", "--topic", "one"),
    Action(GROUPS, "--delete-offsets", "--group", "live", "--topic", "two"),
    Action(GROUPS, "--describe", "--group", "idle"),
    Action(GROUPS, "--describe", "--group", "new"),

    Action(GROUPS, "--delete", "--group", "new"),
    Action(GROUPS, "--delete", "--group", "none"),
    Action(GROUPS, "--delete", "--group", "live"),
    Action(GROUPS, "--delete", "--group", "simple", "--group", "live"),
    Action(GROUPS, "--list", "--state"),
]


STATES = Action(GROUPS, "--list", "--state")

# What the tools show of the groups that a directory holds.
SHOWN = [
    Action(GROUPS, "--describe", "--group", "idle", "--offsets"),
    Action(GROUPS, "--describe", "--group", "live", "--offsets"),
    Action(GROUPS, "--describe", "--group", "idle", "--state"),
    STATES,
    Action(GROUPS, "--describe", "--group", "live", "--members"),
]


class GroupSide(Side):
    """A broker with two topics, a group that read them, one that only committed, and one with two members."""

    def __init__(self, broker):
        super().__init__(broker)
        self.members = []
        with broker.wire() as wire:
            assert wire.create_topic("one", 3) == 0
            assert wire.create_topic("two", 1) == 0
        self.produce()
        self.commit("simple", {("two", 0): 2})
        self.commit("idle", {("one", 0): 3, ("one", 1): 0, ("two", 0): 8})
        self.commit("live", {("one", 0): 5, ("two", 0): 1})
        self.join("live", "first", "static-1")
        self.members[0].wait_assigned(3)
        self.join("live", "second", None)
        until(lambda: sorted(len(m.assignment or ()) for m in self.members) == [1, 2], "both members have their share")

    def produce(self):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.broker.address, "linger.ms": 0})
        for topic, partition in (("one", 0), ("one", 1), ("one", 2), ("two", 0)):
            for i, time in enumerate(TIMES):
                producer.produce(topic, f"value {i}", partition=partition, timestamp=time)
        assert producer.flush(30) == 0

    def commit(self, group, offsets):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.broker.address, "group.id": group})
        wanted = [confluent_kafka.TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]

        def committed():
            try:
                return consumer.commit(offsets=wanted, asynchronous=False)
            except confluent_kafka.KafkaException as error:
                assert error.args[0].code() == confluent_kafka.KafkaError.NOT_COORDINATOR  # Kafka, before it has made the topic
                return None

        until(committed, "the offsets are committed")
        consumer.close()

    def join(self, group, client, instance):
        options = {"client.id": client, "partition.assignment.strategy": "range", "session.timeout.ms": 60000}
        if instance:
            options["group.instance.id"] = instance
        self.members.append(ConfluentMember(self.broker.address, group, "one", options))

    def stop(self):
        """Ends the members: the dynamic one leaves, the static one does not. Then the broker."""
        for member in self.members:
            member.close(commit=False)
        super().stop()

    def kill(self):
        for member in self.members:
            member.stopping.set()
        super().kill()


@pytest.fixture(scope="module")
def sides(kind, ports, tools, tmp_path_factory):
    """Ours, Kafka's."""
    made = []
    try:
        for name, broker in (("ours", kind), ("kafka", Kafka)):
            folder = tmp_path_factory.mktemp(name)
            made.append(GroupSide(broker(folder, ports.take(), {"auto.create.topics.enable": "false"})))
        yield made
        for side in made:
            side.broker.check()
    finally:
        for side in made:
            side.kill()


@pytest.mark.parametrize("action", ACTIONS, ids=repr)
def test_action(tools, sides, tmp_path, action):
    """The same exit code and the same text."""
    check_action(tools, sides, action, tmp_path)


FORMATTER = "org.apache.kafka.tools.consumer."


def records_of(tools, side, formatter):
    """What the console consumer prints of __consumer_offsets, as (key, value); without its own group."""
    out = side.run(tools, Action("kafka-console-consumer", "--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "4000",
                                 "--formatter", FORMATTER + formatter)).out
    rows = []
    at = 0
    while at < len(out):  # one object behind the other, without line ends
        row, at = json.JSONDecoder().raw_decode(out, at)
        rows.append(row)
    return [(row["key"]["data"], row["value"] and row["value"]["data"]) for row in rows
            if not row["key"]["data"]["group"].startswith("console-consumer")]


def offset_rows(records):
    """Commits and tombstones, each once."""
    rows = set()
    for key, value in records:
        if value:
            value = {name: value[name] for name in ("offset", "leaderEpoch", "metadata")}
        rows.add(json.dumps([key, value], sort_keys=True))
    return rows


def group_rows(records, group, generation):
    """The records of a generation, without ids, times and the order of members."""
    rows = []
    for key, value in records:
        if key["group"] != group or not value or value["generation"] != generation:
            continue
        value["leader"] = value["leader"].rsplit("-", 5)[0]
        value["currentStateTimestamp"] = 0
        for member in value["members"]:
            member["memberId"] = member["memberId"].rsplit("-", 5)[0]
        value["members"].sort(key=lambda member: member["memberId"])
        rows.append(value)
    return rows


def test_offsets_formatter_reads_our_topic(tools, sides):
    """kafka-console-consumer with the formatter of offsets: commits and tombstones are those of Kafka's topic."""
    ours, kafkas = [offset_rows(records_of(tools, side, "OffsetsMessageFormatter")) for side in sides]
    assert any('"simple"' in row and "null" in row for row in ours)
    assert ours == kafkas


def test_group_formatter_reads_our_topic(tools, sides):
    """The same of the groups themselves."""
    ours, kafkas = [group_rows(records_of(tools, side, "GroupMetadataMessageFormatter"), "live", 2) for side in sides]
    assert [len(row["members"]) for row in ours] == [2]
    assert ours == kafkas


def decoded(out):
    """The records in the text of kafka-dump-log."""
    for line in out.splitlines():
        found = re.search(r" key: (\{.*\}) payload: (\{.*\}|<DELETE>|null)$", line)
        if found:
            key, value = found.groups()
            yield json.loads(key)["data"], json.loads(value)["data"] if value.startswith("{") else None


def test_dump_log_decodes_offsets(tools, sides):
    """kafka-dump-log --offsets-decoder on the files of both, after the members have left."""
    texts = []
    for side in sides:
        side.stop()
        files = [file for file in side.broker.data.glob("__consumer_offsets-*/*.log") if file.stat().st_size > 0]
        texts.append(list(decoded(dump(tools, files, "--offsets-decoder"))))
    ours, kafkas = [offset_rows([row for row in text if "topic" in row[0]]) for text in texts]
    assert any('"simple"' in row for row in ours)
    assert ours == kafkas
    ours, kafkas = [group_rows([row for row in text if "topic" not in row[0]], "live", 2) for text in texts]
    assert [len(row["members"]) for row in ours] == [2]
    assert ours == kafkas


def test_kafkas_groups_are_read_from_its_files(kind, ports, tools, sides, tmp_path):
    """Our broker on a copy of Kafka's directory, and Kafka on it again: the same groups, offsets and members."""
    texts = []
    for name, broker in (("ours", kind), ("again", Kafka)):
        broker = broker(tmp_path / name, ports.take())
        shutil.copytree(sides[1].broker.data, broker.data)
        try:
            side = Side(broker)
            until(lambda: side.run(tools, STATES).code == 0, "the groups are loaded")
            texts.append([lines_of(side.run(tools, action), side, action) for action in SHOWN])
            broker.stop()
        finally:
            if broker.process is not None:
                broker.kill()
    assert all("exit code 0" in text for text in texts[0])
    assert "live Stable" in texts[0][3] or "live PreparingRebalance" in texts[0][3]
    assert texts[0] == texts[1]
