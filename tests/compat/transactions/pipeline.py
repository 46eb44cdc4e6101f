"""A pipeline under test: a source that writes in transactions, workers that transform, and what came out at the end."""
import collections
import itertools
import random
import signal
import subprocess
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from support.brokers import Kafka
from support.waiting import until

PARTITIONS = 8
KEYS = 40
RETIRED_MAX = 2  # processes that may not know yet that they are fenced
TIMEOUT_MS = 5000  # transaction.timeout.ms: how long what was abandoned stays open
# Of the broker: a crashed member is missed soon, a transaction that took too long is ended soon.
SETTINGS = {"group.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "3000",
            "group.consumer.min.session.timeout.ms": "1000", "group.consumer.heartbeat.interval.ms": "500",
            "group.consumer.min.heartbeat.interval.ms": "500",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
STARTING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION,
            KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH)
QUIET = {"reconnect.backoff.max.ms": 500, "log_level": 0}


def kill(broker):
    """kill -9. Apache Kafka is stopped: after a kill it counts transactions as ended whose markers it never wrote, because it takes
    partitions that have no leader yet for deleted ones; their stable offset stays where it is for ever."""
    if isinstance(broker, Kafka):
        broker.stop()
    else:
        broker.kill()


class Source:
    """Numbers, counted up for each key, in transactions of which some are aborted; an aborted number is written again."""

    def __init__(self, address, topic, per_second):
        self.topic, self.per_second = topic, per_second
        self.counts = collections.Counter()  # numbers of each key in transactions that were committed
        self.aborted = 0
        self.failure = None
        self.random = random.Random(7)
        self.producer = Producer({**QUIET, "bootstrap.servers": address, "transactional.id": f"source-{topic}", "linger.ms": 5})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.again(self.producer.init_transactions)
            while not self.stopping.wait(20 / self.per_second):
                self.transaction()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def again(self, call):
        """Until it is done; False when the transaction has to be aborted."""
        while True:
            try:
                call(60)
                return True
            except KafkaException as exception:
                if exception.args[0].txn_requires_abort():
                    return False
                if not exception.args[0].retriable():
                    raise

    def transaction(self):
        self.producer.begin_transaction()
        counts = self.counts.copy()
        for _ in range(20):
            key = self.random.randrange(KEYS)
            self.producer.produce(self.topic, key=f"k{key}", value=str(counts[key]), partition=key % PARTITIONS)
            counts[key] += 1
        if self.random.randrange(10) and self.again(self.producer.commit_transaction):
            self.counts = counts
            return
        self.producer.flush(60)
        assert self.again(self.producer.abort_transaction)
        self.aborted += 1

    def stop(self):
        """What must come out: {key: how many numbers}."""
        self.stopping.set()
        self.thread.join(120)
        assert not self.thread.is_alive(), "the source does not end"
        if self.failure:
            raise self.failure
        assert self.aborted or len(self.counts) < KEYS
        return {f"k{key}": n for key, n in self.counts.items()}


class Workers:
    """A process with some workers; what they say is counted."""

    def __init__(self, said, command, names):
        self.said, self.names = said, names
        self.process = subprocess.Popen([*command, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            if line.endswith("\n"):  # a kill cuts lines
                self.said.hear(line[:-1])

    def leave(self):
        """May be said again."""
        try:
            if not self.process.stdin.closed:
                self.process.stdin.write("leave\n")
                self.process.stdin.close()
        except OSError:
            pass  # it has ended, fenced

    def crash(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class Said:
    """How often the workers said each word, and the last reasons for what was not as planned."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.records = 0
        self.reasons = collections.deque(maxlen=30)

    def hear(self, line):
        name, word, *rest = line.split(" ")
        with self.lock:
            self.counts[word] += 1
            if word == "committed":
                self.records += int(rest[0])
            elif rest or word == "fenced":
                self.reasons.append(f"{name} {word} {' '.join(rest)}")

    def __str__(self):
        with self.lock:
            return f"{dict(self.counts)}, {self.records} records; {list(self.reasons)}"


class Pipeline:
    """The source, the workers, and what happens to them."""

    def __init__(self, broker, name, command, per_second=400):
        self.broker = broker
        self.topics = (f"{name}-in", f"{name}-out")
        self.group = f"{name}-group"
        with broker.wire() as wire:
            for topic in self.topics:
                assert wire.create_topic(topic, PARTITIONS) == 0
        self.command = [*command, broker.address, *self.topics, self.group, str(TIMEOUT_MS)]
        self.said = Said()
        self.numbers = itertools.count()
        self.live, self.retired = [], []
        self.source = Source(broker.address, self.topics[0], per_second)

    def start(self, names=None):
        """A process with two workers."""
        names = names or [f"w{next(self.numbers)}" for _ in range(2)]
        self.live.append(Workers(self.said, self.command, names))

    def goes_on(self, seconds=60):
        """Waits until some more was committed."""
        before = self.said.counts["committed"]
        until(lambda: self.said.counts["committed"] >= before + 20, lambda: f"work goes on; {self.said}", seconds)

    # ---- what happens ---------------------------------------------------------------------------------------------------

    def crash_and_return(self):
        """A process is killed; its successors have its transactional ids."""
        workers = self.live.pop(0)
        workers.crash()
        self.start(workers.names)

    def crash_for_good(self):
        """A process is killed, and nobody comes under its names: the broker ends its transactions."""
        self.live.pop(0).crash()
        self.start()

    def fence(self):
        """Others come under the same names, and the first are still there."""
        workers = self.live.pop(0)
        self.start(workers.names)
        self.retired.append(workers)
        for older in self.retired[:-RETIRED_MAX]:  # without partitions a worker does not notice
            older.leave()

    def freeze(self):
        """A process stands still until its group and its transactions have gone on without it."""
        workers = self.live[0]
        workers.freeze()
        time.sleep(TIMEOUT_MS / 1000 + 1)
        workers.thaw()
        self.live.append(self.live.pop(0))

    def stop_broker(self):
        self.broker.stop()
        self.broker.start()

    def kill_broker(self):
        kill(self.broker)
        self.broker.start()

    # ---- the end --------------------------------------------------------------------------------------------------------

    def finish(self, seconds=90):
        """Everything that goes in comes out; the workers leave. What came in, by key."""
        expected = self.source.stop()
        target = sum(expected.values())
        reader = Reader(self.broker.address, self.topics[1])
        try:
            until(lambda: reader.more() >= target, "everything comes out", seconds)
        except AssertionError as error:
            raise AssertionError(f"{reader.n} of {target}: {error}; {self.said}; {differences(reader.values, expected)}; "
                                 f"stable offset and end: {held_back(self.broker.address, self.topics)}") from error
        finally:
            reader.close()
        for workers in [*self.live, *self.retired]:
            workers.leave()
        for workers in [*self.live, *self.retired]:
            assert workers.process.wait(60) == 0, str(self.said)
        assert "were not flushed" not in self.broker.log(), "a stop was not a clean one"
        return expected

    def end(self):
        self.source.stopping.set()
        for workers in [*self.live, *self.retired]:
            if workers.process.poll() is None:
                workers.crash()


class Reader:
    """Reads all partitions from their beginnings."""

    def __init__(self, address, topic, isolation="read_committed"):
        self.consumer = Consumer({**QUIET, "bootstrap.servers": address, "group.id": "nobody", "enable.auto.commit": False,
                                  "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "error"})
        self.consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
        self.values = collections.defaultdict(list)  # in the order of their partition, by key
        self.ends = set()
        self.n = 0

    def more(self):
        for record in self.consumer.consume(10000, 0.1):
            if record.error() is None:
                self.values[record.key().decode()].append(int(record.value()))
                self.n += 1
            elif record.error().code() == KafkaError._PARTITION_EOF:  # pylint: disable=protected-access
                self.ends.add(record.partition())
        return self.n

    def close(self):
        self.consumer.close()


def read(address, topic, isolation="read_committed", seconds=120):
    """{key: values} of all that is there."""
    reader = Reader(address, topic, isolation)
    try:
        until(lambda: reader.more() >= 0 and len(reader.ends) == PARTITIONS, f"the end of {topic}, {isolation}", seconds)
        return reader.values
    finally:
        reader.close()


def ends(address, topics, isolation):
    """The next offset of each partition, as soon as the broker has them all."""
    return until(lambda: try_ends(address, topics, isolation), "the ends of partitions")


def try_ends(address, topics, isolation):
    """None while a broker that has just started does not know its leaders yet."""
    wanted = {TopicPartition(topic, partition): OffsetSpec.latest() for topic, n in topics.items() for partition in range(n)}
    admin = AdminClient({**QUIET, "bootstrap.servers": address})  # lives until the answer is there
    found = admin.list_offsets(wanted, isolation_level=isolation)
    try:
        return {(place.topic, place.partition): future.result(30).offset for place, future in found.items()}
    except KafkaException as exception:
        if exception.args[0].code() in STARTING:
            return None
        raise


def held_back(address, topics):
    """(stable offset, end) where they differ."""
    wanted = {topic: PARTITIONS for topic in topics}
    stable = ends(address, wanted, IsolationLevel.READ_COMMITTED)
    return {place: (stable[place], end) for place, end in ends(address, wanted, IsolationLevel.READ_UNCOMMITTED).items()
            if stable[place] != end}


def nothing_is_open(address, topics, tools, seconds=TIMEOUT_MS / 1000 + 30):
    """Waits until the stable offset is the end of each partition of {topic: partitions}, and no transaction is under way."""
    def closed():
        same = ends(address, topics, IsolationLevel.READ_UNCOMMITTED) == ends(address, topics, IsolationLevel.READ_COMMITTED)
        lines = tools.ok("kafka-transactions", "--bootstrap-server", address, "list").lines
        states = {line.split()[3] for line in lines if len(line.split()) == 4}
        return same and states <= {"TransactionState", "Empty", "CompleteCommit", "CompleteAbort"}

    until(closed, "every transaction ends", seconds)


def differences(found, expected):
    """The first keys whose values are not 0, 1, 2, ... in this order."""
    wrong = []
    for key, n in expected.items():
        values = found.get(key, [])
        if values != list(range(n)):
            seen = collections.Counter(values)
            wrong.append(f"{key}: {n} in, {len(values)} out, missing {[i for i in range(n) if i not in seen][:5]}, twice "
                         f"{[i for i, times in seen.items() if times > 1][:5]}")
    return wrong[:5]


def is_part_of(part, whole):
    """Whether the values are in the other list, in this order."""
    rest = iter(whole)
    return all(value in rest for value in part)


def verify(broker, topics, group, expected, tools):
    """Exactly once, in the order of each key; committed offsets agree; nothing stays open. Figures for the report."""
    nothing_is_open(broker.address, {topic: PARTITIONS for topic in topics}, tools)
    source, committed = (read(broker.address, topic) for topic in topics)
    assert not differences(source, expected), f"in: {differences(source, expected)}"
    assert not differences(committed, expected), f"out: {differences(committed, expected)}"
    everything = read(broker.address, topics[1], "read_uncommitted")
    for key, values in committed.items():
        assert is_part_of(values, everything[key]), f"{key}: what was committed is not part of what was written"
    aborted = sum(map(len, everything.values())) - sum(map(len, committed.values()))
    assert aborted > 0, "nothing was aborted"
    offsets_agree(broker.address, topics[0], group)
    return aborted


def offsets_agree(address, topic, group):
    """The group's offset of each partition is after the last committed record: nothing would be read again."""
    consumer = Consumer({**QUIET, "bootstrap.servers": address, "group.id": group, "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "error"})
    try:
        places = consumer.committed([TopicPartition(topic, partition) for partition in range(PARTITIONS)], timeout=30)
        assert all(place.offset > 0 for place in places), places
        consumer.assign(places)
        ended, deadline = set(), time.monotonic() + 60
        while len(ended) < PARTITIONS:
            assert time.monotonic() < deadline
            record = consumer.poll(0.1)
            if record is not None:
                assert record.error() is not None, f"{record.partition()}@{record.offset()} would be read again"
                assert record.error().code() == KafkaError._PARTITION_EOF, record.error()  # pylint: disable=protected-access
                ended.add(record.partition())
    finally:
        consumer.close()
