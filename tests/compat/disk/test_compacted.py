"""Compaction: the same directory, compacted by our broker and by Apache Kafka, becomes the same log, batch by batch; either serves
what the other has compacted; and the offsets of groups outlive it."""
import shutil
import struct
import time

import confluent_kafka
import pytest

from support import dumping
from support.brokers import Barnabas, Kafka
from support.waiting import until
from support.wire import batches, read_partition

pytestmark = pytest.mark.barnabas  # it starts both itself

TOPIC = "keys"
MINUTE_MS = 60000
# Segments begin where a record is a minute past the first one of the segment before. Markers bear the true time, which is earlier.
SETTINGS = {"cleanup.policy": "compact", "segment.ms": MINUTE_MS - 1000, "min.cleanable.dirty.ratio": "0.001",
            "delete.retention.ms": 1000, "file.delete.delay.ms": 100}
IDLE = {"log.cleaner.enable": "false"}
AT_WORK = {"log.cleaner.backoff.ms": "100", "log.flush.offset.checkpoint.interval.ms": "200"}
HORIZON, CONTROL = 1 << 6, 1 << 5


class Writer:
    """Producers whose records have times of the future, a minute apart."""

    def __init__(self, address):
        self.options = {"bootstrap.servers": address, "acks": "all", "enable.idempotence": True}
        self.plain = confluent_kafka.Producer(self.options)
        self.now_ms = int(time.time() * 1000)

    def next_segment(self):
        self.now_ms += MINUTE_MS

    def put(self, records, producer=None):
        """One batch: "key=value", or "key" for a tombstone."""
        for record in records.split():
            key, _, value = record.partition("=")
            (producer or self.plain).produce(TOPIC, partition=0, key=key, value=value or None, timestamp=self.now_ms)
        assert (producer or self.plain).flush(30) == 0

    def transactional(self, name):
        producer = confluent_kafka.Producer({**self.options, "transactional.id": name})
        producer.init_transactions(30)
        return producer

    def transaction(self, producer, commits, *batches_of_records):
        """A batch in each segment from here on."""
        producer.begin_transaction()
        for i, records in enumerate(batches_of_records):
            if i > 0:
                self.next_segment()
            self.put(records, producer)
        if commits:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)


def write(address):
    """Values, tombstones, transactions that were committed and aborted, within a segment and over two."""
    w = Writer(address)
    w.put("a=1 b=1 c=1 d=1 z=1")
    tx, ty = w.transactional("tx"), w.transactional("ty")
    w.transaction(tx, False, "a=aborted x=aborted")
    w.transaction(ty, True, "b=2 e=1", "c=2 d")
    w.put("f=1 g=1")
    w.transaction(tx, False, "g=aborted", "f=aborted b")
    w.transaction(tx, True, "h=1")
    w.next_segment()
    w.put("a=2 d=3 z")
    w.transaction(w.transactional("tz"), False, "a=aborted")
    w.next_segment()
    w.put("last=1")


def go_on(address, now_ms):
    """The next round has something to look at."""
    w = Writer(address)
    w.now_ms = now_ms
    w.put("h=2")
    w.next_segment()
    w.put("last=2")


def read(address, isolation):
    """[(offset, key, value)] of all that a consumer gets."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                                         "auto.offset.reset": "error", "isolation.level": isolation, "enable.partition.eof": True})
    found = []
    try:
        consumer.assign([confluent_kafka.TopicPartition(TOPIC, 0, 0)])
        while True:
            message = consumer.poll(30)
            assert message is not None
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()  # pylint: disable=protected-access
                return found
            found.append((message.offset(), message.key(), message.value()))
    finally:
        consumer.close()


def start_cleaning(kind, folder, port, source):
    """The broker on a copy of the directory."""
    broker = kind(folder, port, AT_WORK)
    shutil.copytree(source, broker.data, ignore=shutil.ignore_patterns("*.lock"))
    return broker.start()


def compacted_up_to(broker, topic, offset):
    """Waits until all that may be compacted was."""
    def is_done():
        lines = (broker.data / "cleaner-offset-checkpoint").read_text().splitlines()[2:]
        return [int(at) >= offset for name, _, at in map(str.split, lines) if name == topic] == [True]
    until(is_done, f"{topic} is compacted up to offset {offset}", 120)


def active_base(broker, topic):
    return max(int(file.stem) for file in broker.data.glob(f"{topic}-0/*.log"))


def varint(data, at):
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at


def timestamps(batch, base):
    """What the records of an uncompressed batch say, with true times in place of distances."""
    at, out = 61, []
    while at < len(batch):
        length, body = varint(batch, at)
        delta, after = varint(batch, body + 1)
        out.append((base + delta, batch[after:body + length]))
        at = body + length
    return out


def whole(data):
    """Each batch, as comparable: a delete horizon is a time of the day, so only that there is one counts; a leader epoch is the broker's."""
    found = []
    for start, _, count in batches(data):
        batch = data[start:start + 12 + struct.unpack_from(">i", data, start + 8)[0]]
        attributes, = struct.unpack_from(">h", batch, 21)
        base, = struct.unpack_from(">q", batch, 27)
        if attributes & HORIZON:
            found.append((batch[:8], "with a delete horizon", batch[21:27], batch[35:61], timestamps(batch, base)))
        else:
            found.append((batch[:12], count, batch[16:]))
    return found


def segments(broker, topic=TOPIC):
    return b"".join(file.read_bytes() for file in sorted(broker.data.glob(f"{topic}-0/*.log")))


def kinds_left(data):
    """How many batches have records, none, are markers, have a horizon."""
    found = [0, 0, 0, 0]
    for start, _, count in batches(data):
        attributes, = struct.unpack_from(">h", data, start + 21)
        found[0] += count > 0
        found[1] += count == 0
        found[2] += bool(attributes & CONTROL)
        found[3] += bool(attributes & HORIZON)
    return found


@pytest.fixture(scope="module")
def written(ports, tmp_path_factory):
    """A directory of ours, stopped, that nobody has compacted."""
    broker = Barnabas(tmp_path_factory.mktemp("written"), ports.take(), IDLE).start()
    try:
        with broker.wire() as wire:
            assert wire.create_topic(TOPIC, 1, SETTINGS) == 0
        write(broker.address)
        broker.stop()
    finally:
        if broker.process is not None:
            broker.kill()
    return broker.data


@pytest.fixture
def both(written, ports, tmp_path):
    """Our broker and Apache Kafka, each on a copy."""
    brokers = []
    try:
        for kind in (Barnabas, Kafka):
            brokers.append(start_cleaning(kind, tmp_path / kind.__name__, ports.take(), written))
        yield brokers
    finally:
        for broker in brokers:
            if broker.process is not None:
                broker.kill()


def test_the_same_is_left(both, tools, ports, tmp_path):
    """After the first round and after the one in which tombstones and markers go, the logs of both are the same batches, their indexes
    of aborted transactions the same bytes; readers of either kind find the same; and each serves what the other has left."""
    ours, kafka = both
    for turn in range(3):
        for broker in both:
            compacted_up_to(broker, TOPIC, active_base(broker, TOPIC))
        left = [read_partition(broker.port, TOPIC) for broker in both]
        assert whole(left[0]) == whole(left[1])
        records, empty, markers, horizons = kinds_left(left[0])
        assert records > 0 and empty > 0 and markers > 0 and horizons > 0
        for isolation in ("read_committed", "read_uncommitted"):
            assert read(ours.address, isolation) == read(kafka.address, isolation)
        last = {key: value for _, key, value in read(ours.address, "read_committed")}
        if turn == 0:
            assert {key: value for key, value in last.items() if value} == {
                b"a": b"2", b"b": b"2", b"c": b"2", b"d": b"3", b"e": b"1", b"f": b"1", b"g": b"1", b"h": b"1", b"last": b"1"}
        if turn < 2:
            time.sleep(1.5)  # delete.retention.ms: the brokers' clock is that of the day
            now_ms = int(time.time() * 1000) + (10 + 3 * turn) * MINUTE_MS
            for broker in both:
                go_on(broker.address, now_ms)
    assert [file.read_bytes() for file in sorted(ours.data.glob(f"{TOPIC}-0/*.txnindex")) if file.stat().st_size > 0] == [
        file.read_bytes() for file in sorted(kafka.data.glob(f"{TOPIC}-0/*.txnindex")) if file.stat().st_size > 0]
    for broker in both:
        broker.stop()
    dumping.check_all(tools, ours)
    for kind, source in ((Barnabas, kafka), (Kafka, ours)):
        other = start_cleaning(kind, tmp_path / f"other{kind.__name__}", ports.take(), source.data)
        try:
            assert read_partition(other.port, TOPIC) == segments(source)
            go_on(other.address, int(time.time() * 1000) + 30 * MINUTE_MS)
            assert read(other.address, "read_committed")[-1][1:] == (b"last", b"2")
            other.stop()
        finally:
            if other.process is not None:
                other.kill()


def test_offsets_of_groups_outlive_compaction(ports, tmp_path):
    """Thousands of commits, plain and in transactions, become the last one of each group, for us and for Kafka, which starts on it."""
    options = {**AT_WORK, "log.roll.ms": "500", "offsets.topic.num.partitions": "1", "log.cleaner.min.cleanable.ratio": "0.01"}
    broker = Barnabas(tmp_path / "ours", ports.take(), options).start()
    groups = {f"group{i}": 0 for i in range(5)}
    try:
        with broker.wire() as wire:
            assert wire.create_topic("t", 1) == 0
            for turn in range(1, 5):
                for offset in range(turn * 1000, turn * 1000 + 200):
                    for group in groups:
                        assert wire.commit(group, "t", offset) == 0
                        groups[group] = offset
                commit_in_transaction(broker.address, "txn", turn * 10)
                time.sleep(0.6)  # log.roll.ms: the next commit begins a segment
            assert wire.commit("last", "t", 1) == 0
            compacted_up_to(broker, "__consumer_offsets", active_base(broker, "__consumer_offsets"))
        groups.update(txn=40, last=1)
        assert sum(count for _, _, count in batches(segments(broker, "__consumer_offsets"))) < 1000 < 5 * 800
        broker.stop()
        for kind in (Barnabas, Kafka, Barnabas):
            before, broker = broker, kind(tmp_path / f"next{time.monotonic_ns()}", ports.take(), options)
            shutil.move(before.data, broker.data)
            broker.start()
            for group, offset in groups.items():
                assert until(lambda name=group: committed(broker, name), "the group is loaded", 60) == (offset,)
            broker.stop()
    finally:
        if broker.process is not None:
            broker.kill()


def committed(broker, group):
    with broker.wire() as wire:
        return wire.try_committed(group, "t")


def commit_in_transaction(address, group, offset):
    """One that is committed, and one behind it that is not."""
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "transactional.id": "offsets"})
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False})
    try:
        producer.init_transactions(30)
        for at, commits in ((offset, True), (offset + 5, False)):
            producer.begin_transaction()
            producer.send_offsets_to_transaction([confluent_kafka.TopicPartition("t", 0, at)], consumer.consumer_group_metadata(), 30)
            if commits:
                producer.commit_transaction(30)
            else:
                producer.abort_transaction(30)
    finally:
        consumer.close()
