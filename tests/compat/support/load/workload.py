"""A load on a broker that may die at any moment, and the checks after it."""
import dataclasses
import time

import confluent_kafka

from ..waiting import until
from .clients import Client
from .facts import Facts

NEVER = "9223372036854775807"
TAIL = 2000  # records before the end that each check reads again
GROUP = "load"


@dataclasses.dataclass
class Plan:
    """Who does what. Topics: name -> (partitions, settings)."""

    topics: dict
    clients: list  # (program, [role, ...])


def full_plan(rate=400, size=150):
    """Every kind of client, on a topic that is flushed and on one that is not."""
    def producer(name, topic, kind, codec="none", share=1.0):
        partitions = 4 if topic == "durable" else 2
        return "producer", name, topic, partitions, int(rate * share), size, kind, codec

    return Plan({"durable": (4, {}), "cached": (2, {"flush.messages": NEVER})}, [
        ("java", [producer("java", "durable", "idempotent", "zstd"), producer("java-plain", "cached", "plain", share=0.5),
                  ("member", "java-member", "durable", GROUP)]),
        ("rdkafka", [producer("rdkafka", "durable", "idempotent", "lz4"), producer("rdkafka-plain", "durable", "plain", share=0.5),
                     producer("rdkafka-cached", "cached", "idempotent", "snappy", share=0.5),
                     ("member", "rdkafka-member", "durable", GROUP)]),
        ("own", [producer("own", "durable", "idempotent", share=2)]),
        ("own", [producer("own-plain", "durable", "plain", share=0.5)]),
        ("own", [producer("own-cached", "cached", "idempotent")]),
    ])


def only_durable(plan):
    """The plan without topics and clients that count on the page cache: what a power cut leaves."""
    kept = {name: topic for name, topic in plan.topics.items() if not topic[1]}
    clients = [(program, [role for role in roles if role[2] in kept]) for program, roles in plan.clients]
    return Plan(kept, [(program, roles) for program, roles in clients if roles])


class Workload:
    """The clients of a plan, from start() to finish()."""

    def __init__(self, broker, folder, plan):
        self.broker, self.folder, self.plan = broker, folder, plan
        self.facts = Facts()
        self.clients = []

    def create_topics(self):
        with self.broker.wire() as wire:
            for name, (partitions, settings) in self.plan.topics.items():
                assert wire.create_topic(name, partitions, settings) == 0

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.create_topics()
        for _, roles in self.plan.clients:
            for kind, name, topic, *rest in roles:
                if kind == "producer":
                    self.facts.add_producer(name, topic, rest[2], rest[3] == "idempotent")
        for program, roles in self.plan.clients:
            self.clients.append(Client(program, self.broker.address, roles, self.facts, self.folder))

    def names(self):
        return [name for _, roles in self.plan.clients for _, name, *_ in roles]

    def wait_until_all_work(self, seconds=60):
        """Every producer has an acknowledgement, and every group a commit."""
        def work():
            told = {index for _, acknowledged in self.facts.bounds().values() for index in acknowledged}
            groups = {role[3] for _, roles in self.plan.clients for role in roles if role[0] == "member"}
            return self.facts.faults or (len(told) == len(self.facts.producers)
                                         and groups == {group for group, _, _ in list(self.facts.commits)})
        until(work, "every client works", seconds)
        self.verify()

    def wait_acknowledged(self, more, seconds=60):
        """So many records more than now."""
        goal = self.facts.acknowledged + more
        until(lambda: self.facts.faults or self.facts.acknowledged >= goal, f"{goal} records are acknowledged", seconds)
        self.verify()

    def verify(self):
        assert not self.facts.faults, "\n".join(self.facts.faults)

    # ---- checks ---------------------------------------------------------------------------------------------------------------

    def check(self, full=False):
        """Reads the end of every partition (full: all of it) up to where it is now, and compares with every fact."""
        told = dict(self.facts.commits)
        bounds = self.facts.bounds()
        ends = {}
        with self.broker.wire() as wire:
            for topic, (partitions, _) in self.plan.topics.items():
                for partition in range(partitions):
                    ends[topic, partition] = until(lambda: wire.try_end_offset(topic, partition), f"{topic} is there")[0]
            self.check_commits(wire, told)
        for (topic, partition), end in ends.items():
            bound, _ = bounds.get((topic, partition), (0, {}))
            if end < bound:
                self.facts.fault(f"{topic}-{partition} ends at {end}: offset {bound - 1} was acknowledged or read before")
        self.verify()
        self.read_to(ends, full)
        for (topic, partition), end in ends.items():
            self.facts.check_order(topic, partition, end, bounds.get((topic, partition), (0, {}))[1])
        self.verify()

    def check_commits(self, wire, told):
        for key in told:
            group, topic, partition = key
            offset = until(lambda: wire.try_committed(group, topic, partition), f"group {group} is there")[0]
            self.facts.see_commit(key, offset, told[key])

    def read_to(self, ends, full):
        """Each partition up to its end, in order, by one consumer that has no past."""
        following = {}
        for (topic, partition), end in ends.items():
            start = 0 if full else min(self.facts.log(topic, partition).ordered, max(0, end - TAIL))
            if start < end:
                following[topic, partition] = start
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.broker.address, "group.id": "verifier", "log_level": 0,
                                             "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True})
        deadline = time.monotonic() + 120
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, start)
                             for (topic, partition), start in following.items()])
            while any(offset < ends[key] for key, offset in following.items()):
                assert time.monotonic() < deadline, f"reading does not come to {ends}: {following}"
                for message in consumer.consume(5000, 0.2):
                    self.take(message, following, ends)
                self.verify()
        finally:
            consumer.close()

    def take(self, message, following, ends):
        if message.error() is not None:
            if not message.error().retriable() and message.error().code() >= 0:
                self.facts.fault(f"the verifying consumer: {message.error()}")
            return
        key = message.topic(), message.partition()
        if message.offset() != following[key]:
            self.facts.fault(f"{key}: after offset {following[key] - 1} comes {message.offset()}")
        following[key] = message.offset() + 1
        if message.offset() < ends[key]:
            name, number, _ = message.value().split(b" ", 2)
            self.facts.record("the verifying consumer", *key, message.offset(), name.decode(), int(number), len(message.value()))

    # ---- the end --------------------------------------------------------------------------------------------------------------

    def finish(self, seconds=120):
        """Producers get everything acknowledged and end; then everything is read."""
        deadline = time.monotonic() + seconds
        for client in self.clients:
            client.end_input()
        for client in self.clients:
            client.wait(deadline)
        self.clients = []
        self.verify()
        self.check(full=True)

    def kill(self):
        for client in self.clients:
            client.kill()
        self.clients = []
