"""Four clients behind one face: the Java client, confluent-kafka (librdkafka), kafka-python, and kcat as a producer.

    produce(address, topic, records, codec, idempotent) -> offsets, all to partition 0
    consume(address, topic, n, start) -> [(offset, Record)] of partition 0
    offsets_for_times(address, topic, timestamps) -> offsets, -1 where there is none
    ends(address, topic) -> (first offset, next offset)
    member(address, group, topic) -> a Member, already polling
"""
import subprocess
import threading

import confluent_kafka
import kafka

from support import records as lines
from support import tools as tool_processes
from support.records import Record
from support.waiting import until


class Member:
    """A member of a group that polls in a thread of its own until it is closed."""

    def __init__(self):
        self.assignment = None  # partitions, after the first rebalance
        self.received = []  # (partition, offset, value)
        self.failure = None
        self.commit = True
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.stopping.is_set():
                self.poll()
            self.finish()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def poll(self):
        raise NotImplementedError

    def finish(self):
        """Commits when self.commit says so, and leaves."""
        raise NotImplementedError

    def close(self, commit=True):
        self.commit = commit
        self.stopping.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), "the member does not end"
        if self.failure:
            raise self.failure

    def has_failed(self):
        if self.failure:
            raise self.failure
        return False

    def wait_assigned(self, n):
        until(lambda: self.has_failed() or (self.assignment is not None and len(self.assignment) == n),
              f"{n} partitions are assigned")
        return set(self.assignment)

    def wait_received(self, n):
        until(lambda: self.has_failed() or len(self.received) >= n, f"{n} records are received")
        return list(self.received)


class ConfluentMember(Member):
    """Of librdkafka."""

    def __init__(self, address, group, topic, options=None):
        super().__init__()
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "heartbeat.interval.ms": 300, **(options or {})})
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked)
        self.thread.start()

    def assigned(self, _, partitions):
        self.assignment = {p.partition for p in partitions}

    def revoked(self, _, __):
        self.assignment = set()

    def poll(self):
        message = self.consumer.poll(0.1)
        if message is None:
            return
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
        self.received.append((message.partition(), message.offset(), message.value()))

    def finish(self):
        if self.commit and self.received:
            self.consumer.commit(asynchronous=False)
        self.consumer.close()


class KafkaPythonMember(Member):
    """Of kafka-python."""

    def __init__(self, address, group, topic):
        super().__init__()
        self.consumer = kafka.KafkaConsumer(
            topic, bootstrap_servers=address, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
            heartbeat_interval_ms=300)
        self.thread.start()

    def poll(self):
        # Long enough for a rebalance to end within it: kafka-python 3.0 loses an assignment that comes between two polls.
        for messages in self.consumer.poll(timeout_ms=2000).values():
            self.received += [(m.partition, m.offset, m.value) for m in messages]
        self.assignment = {p.partition for p in self.consumer.assignment()}

    def finish(self):
        if self.commit:
            self.consumer.commit()
        self.consumer.close(autocommit=False)


class JavaMember(Member):
    """Of the Java client, in a process of its own (java/Client.java)."""

    def __init__(self, address, group, topic):
        super().__init__()
        self.process = tool_processes.start("java-client", "member", address, group, topic)
        self.thread.start()

    def run(self):
        try:
            for line in self.process.stdout:
                words = line.split()
                if words[0] == "assigned":
                    self.assignment = {int(p) for p in words[1].split(",")} if len(words) > 1 else set()
                elif words[0] == "record":
                    self.received.append((int(words[1]), int(words[2]), lines.content(words[3])))
            assert self.process.wait(30) == 0
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def close(self, commit=True):
        self.process.stdin.write("close\n" if commit else "leave\n")
        self.process.stdin.flush()
        super().close(commit)
        self.process.stdin.close()
        self.process.stdout.close()


class Java:
    """The Java client."""

    member = JavaMember

    def __init__(self, tools):
        self.tools = tools

    def call(self, *words, **options):
        return self.tools.ok("java-client", *words, **options).lines

    def produce(self, address, topic, records, codec="none", idempotent=True):
        text = "".join(record.line() + "\n" for record in records)
        return [int(line) for line in self.call("produce", address, topic, codec, str(idempotent).lower(), stdin=text)]

    def consume(self, address, topic, n, start=0):
        found = [line.split(" ", 1) for line in self.call("consume", address, topic, start, n)]
        return [(int(offset), Record.parse(line)) for offset, line in found]

    def offsets_for_times(self, address, topic, timestamps):
        return [int(line) for line in self.call("times", address, topic, *timestamps)]

    def ends(self, address, topic):
        return tuple(int(line) for line in self.call("ends", address, topic))


class Confluent:
    """confluent-kafka: librdkafka."""

    member = ConfluentMember

    @staticmethod
    def consumer(address):
        return confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                                         "auto.offset.reset": "error", "check.crcs": True})

    @staticmethod
    def produce(address, topic, records, codec="none", idempotent=True):
        producer = confluent_kafka.Producer({"bootstrap.servers": address, "compression.type": codec, "linger.ms": 20,
                                             "enable.idempotence": idempotent, "acks": "all"})
        offsets = []

        def delivered(error, message):
            assert error is None, error
            offsets.append(message.offset())

        for record in records:
            producer.produce(topic, partition=0, key=record.key, value=record.value, timestamp=record.timestamp,
                             headers=list(record.headers), on_delivery=delivered)
        assert producer.flush(60) == 0
        return offsets

    def consume(self, address, topic, n, start=0):
        consumer = self.consumer(address)
        found = []
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, 0, start)])
            while len(found) < n:
                for message in consumer.consume(n - len(found), timeout=30):
                    assert message.error() is None, message.error()
                    found.append((message.offset(), Record(message.timestamp()[1], message.key(), message.value(),
                                                           tuple(message.headers() or ()))))
        finally:
            consumer.close()
        return found

    def offsets_for_times(self, address, topic, timestamps):
        consumer = self.consumer(address)
        try:
            found = [consumer.offsets_for_times([confluent_kafka.TopicPartition(topic, 0, t)], timeout=30)[0].offset
                     for t in timestamps]
        finally:
            consumer.close()
        return [-1 if offset < 0 else offset for offset in found]

    def ends(self, address, topic):
        consumer = self.consumer(address)
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0), timeout=30)
        finally:
            consumer.close()


class KafkaPython:
    """kafka-python."""

    member = KafkaPythonMember

    @staticmethod
    def consumer(address):
        return kafka.KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, auto_offset_reset="none")

    @staticmethod
    def produce(address, topic, records, codec="none", idempotent=True):
        producer = kafka.KafkaProducer(bootstrap_servers=address, compression_type=None if codec == "none" else codec,
                                       linger_ms=20, enable_idempotence=idempotent, acks="all")
        futures = [producer.send(topic, partition=0, key=record.key, value=record.value, headers=list(record.headers),
                                 timestamp_ms=record.timestamp) for record in records]
        offsets = [future.get(60).offset for future in futures]
        producer.close()
        return offsets

    def consume(self, address, topic, n, start=0):
        consumer = self.consumer(address)
        partition = kafka.TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, start)
        found = []
        while len(found) < n:
            for message in consumer.poll(timeout_ms=1000).get(partition, []):
                found.append((message.offset, Record(message.timestamp, message.key, message.value,
                                                     tuple(message.headers or ()))))
        consumer.close()
        return found

    def offsets_for_times(self, address, topic, timestamps):
        consumer = self.consumer(address)
        partition = kafka.TopicPartition(topic, 0)
        found = [consumer.offsets_for_times({partition: t})[partition] for t in timestamps]
        consumer.close()
        return [-1 if one is None else one.offset for one in found]

    def ends(self, address, topic):
        consumer = self.consumer(address)
        partition = kafka.TopicPartition(topic, 0)
        found = consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]
        consumer.close()
        return found


def kcat(*words, stdin=b"", seconds=60):
    """What kcat prints; it must end well."""
    done = subprocess.run(["kcat", *[str(word) for word in words]], input=stdin if isinstance(stdin, bytes) else stdin.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, check=False)
    assert done.returncode == 0, f"kcat ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape")
