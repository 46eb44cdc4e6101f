"""What clients were told, and what does not fit together in it.

A fact is "at this offset is this record": every acknowledgement says so, and every read, by whomever. A later fact about the same
offset must say the same. Read from the beginning to the end, a partition must hold each producer's records in order, without a gap,
those of an idempotent one once, and everything that was acknowledged.
"""
import array
import dataclasses
import threading

NUMBER_BITS = 40
UNKNOWN = -1
FAULTS_MAX = 20


@dataclasses.dataclass(frozen=True)
class Producer:
    """One producer, as its role describes it."""

    index: int
    name: str
    topic: str
    size: int
    idempotent: bool

    def length(self, number):
        """Of the value of a record."""
        return len(self.name) + len(str(number)) + 2 + number * 37 % self.size


class Log:
    """The facts about one partition."""

    def __init__(self):
        self.known = array.array("q")  # by offset: producer and number, or UNKNOWN
        self.acknowledged = {}  # producer's index -> the number after the last one that was acknowledged
        self.ordered = 0  # offsets below were found to be in order
        self.following = {}  # producer's index -> the number after the last one below `ordered`
        self.repeated = 0  # records below `ordered` that a plain producer's retry wrote again


class Facts:
    """Everything that was said; safe to call from many threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.faults = []
        self.notes = []
        self.producers = {}  # by name
        self.by_index = []
        self.logs = {}  # (topic, partition) -> Log
        self.commits = {}  # (group, topic, partition) -> the highest offset that a member was told is committed
        self.seen_commits = {}  # the same -> the last one that was read
        self.acknowledged = 0
        self.read = 0

    def add_producer(self, name, topic, size, idempotent):
        self.producers[name] = Producer(len(self.by_index), name, topic, size, idempotent)
        self.by_index.append(self.producers[name])

    def fault(self, text):
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)

    def log(self, topic, partition):
        return self.logs.setdefault((topic, partition), Log())

    def describe(self, fact):
        if fact == UNKNOWN:
            return "nothing"
        return f"{self.by_index[fact >> NUMBER_BITS].name} {fact & (1 << NUMBER_BITS) - 1}"

    def note(self, who, topic, partition, offset, name, number):
        """One fact. The lock is the caller's."""
        log = self.log(topic, partition)
        fact = self.producers[name].index << NUMBER_BITS | number
        while len(log.known) <= offset:
            log.known.append(UNKNOWN)
        if log.known[offset] == UNKNOWN:
            log.known[offset] = fact
        elif log.known[offset] != fact:
            self.fault(f"{topic}-{partition} offset {offset}: {who} says {self.describe(fact)}, "
                       f"before it was {self.describe(log.known[offset])}")

    def ack(self, name, partition, offset, number, count):
        producer = self.producers[name]
        with self.lock:
            log = self.log(producer.topic, partition)
            log.acknowledged[producer.index] = max(log.acknowledged.get(producer.index, 0), number + count)
            self.acknowledged += count
            if offset >= 0:
                for i in range(count):
                    self.note(f"the acknowledgement to {name}", producer.topic, partition, offset + i, name, number + i)

    def record(self, who, topic, partition, offset, name, number, length):
        """One record that somebody read."""
        with self.lock:
            self.read += 1
            producer = self.producers.get(name)
            if producer is None or producer.topic != topic or producer.length(number) != length:
                self.fault(f"{topic}-{partition} offset {offset}: {who} reads {name} {number} of {length} bytes, which nobody wrote")
            else:
                self.note(who, topic, partition, offset, name, number)

    def commit(self, group, topic, partition, offset):
        with self.lock:
            key = group, topic, partition
            self.commits[key] = max(self.commits.get(key, 0), offset)

    def see_commit(self, key, offset, told):
        """`offset` was read as committed; `told` is what a member had been told before that."""
        with self.lock:
            for what, bound in (("a member was told", told), ("was read before", self.seen_commits.get(key, 0))):
                if offset < bound:
                    self.fault(f"committed offset of {key}: {offset}, {bound} {what}")
            self.seen_commits[key] = max(offset, self.seen_commits.get(key, 0))

    def bounds(self):
        """For each log: (the end that its facts ask for, what is acknowledged), at this moment."""
        with self.lock:
            return {key: (len(log.known), dict(log.acknowledged)) for key, log in self.logs.items()}

    def check_order(self, topic, partition, end, acknowledged):
        """After everything below `end` was read: producers' records in order, and what was acknowledged among them."""
        with self.lock:
            log = self.log(topic, partition)
            for offset in range(log.ordered, end):
                fact = log.known[offset]
                if fact == UNKNOWN:
                    self.fault(f"{topic}-{partition} offset {offset} was not read")
                    continue
                index, number = fact >> NUMBER_BITS, fact & (1 << NUMBER_BITS) - 1
                due = log.following.get(index, 0)
                if number > due or number < due and self.by_index[index].idempotent:
                    self.fault(f"{topic}-{partition} offset {offset}: {self.describe(fact)}, where {due} is due")
                log.repeated += number < due
                log.following[index] = max(due, number + 1)
            log.ordered = max(log.ordered, end)
            for index, following in acknowledged.items():
                if log.following.get(index, 0) < following:
                    self.fault(f"{topic}-{partition}: {self.by_index[index].name} was acknowledged up to {following - 1}, "
                               f"the log has it up to {log.following.get(index, 0) - 1}")
