"""Workers that read, transform and produce in transactions, with confluent-kafka; README.md says how they are driven.

    worker.py SERVERS IN OUT GROUP TIMEOUT_MS NAME...
"""
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

SERVERS, IN, OUT, GROUP, TIMEOUT_MS, *NAMES = sys.argv[1:]
SAYING = threading.Lock()
LEAVING = threading.Event()
FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)  # pylint: disable=protected-access
COMMON = {"bootstrap.servers": SERVERS, "reconnect.backoff.max.ms": 500, "log_level": 0}
SECONDS = 60  # for one call


class Fenced(Exception):
    """Another one has this transactional id."""


class Broken(Exception):
    """To be begun anew, with new clients."""


def say(line):
    with SAYING:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def attempt(call, *args):
    """Calls until it is done. An error that an abort mends is handed on."""
    while True:
        try:
            return call(*args)
        except KafkaException as exception:
            error = exception.args[0]
            if error.code() in FENCED:
                raise Fenced from exception
            if error.txn_requires_abort():
                raise
            if not error.retriable():
                raise Broken(f"{call.__name__}: {error}") from exception


class Worker:
    """One transactional id, one member of the group."""

    def __init__(self, name):
        self.name = name
        self.consumer = Consumer({
            **COMMON, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "isolation.level": "read_committed", "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 3000, "heartbeat.interval.ms": 500, "max.poll.interval.ms": 10000,
            "fetch.wait.max.ms": 200})
        self.producer = Producer({**COMMON, "transactional.id": name, "transaction.timeout.ms": int(TIMEOUT_MS),
                                  "message.timeout.ms": int(TIMEOUT_MS), "linger.ms": 1})

    def run(self):
        try:
            attempt(self.producer.init_transactions, SECONDS)
            say(f"{self.name} starts")
            self.consumer.subscribe([IN])
            while not LEAVING.is_set():
                self.turn()
        finally:
            self.consumer.close()

    def turn(self):
        records = [record for record in self.consumer.consume(100, 0.1) if record.error() is None]
        if not records:
            return
        self.producer.begin_transaction()
        try:
            for record in records:
                self.producer.produce(OUT, key=record.key(), value=record.value())
            time.sleep(random.random() * 0.02)
            if random.randrange(8) == 0:
                self.producer.flush(SECONDS)
                self.abort(records)
                say(f"{self.name} aborted")
                return
            attempt(self.producer.send_offsets_to_transaction, self.next(records), self.consumer.consumer_group_metadata(),
                    SECONDS)
            attempt(self.producer.commit_transaction, SECONDS)
            say(f"{self.name} committed {len(records)}")
        except KafkaException as exception:
            if exception.args[0].code() in FENCED:
                raise Fenced from exception
            self.abort(records)
            say(f"{self.name} failed {exception}")

    @staticmethod
    def next(records):
        last = {record.partition(): record.offset() for record in records}
        return [TopicPartition(IN, partition, offset + 1) for partition, offset in last.items()]

    def abort(self, records):
        try:
            attempt(self.producer.abort_transaction, SECONDS)
        except KafkaException as exception:
            raise Broken(f"abort: {exception}") from exception
        first = {record.partition(): record.offset() for record in reversed(records)}
        for held in self.consumer.assignment():
            if held.partition in first:
                try:
                    self.consumer.seek(TopicPartition(IN, held.partition, first[held.partition]))
                except KafkaException as exception:
                    raise Broken(f"seek: {exception}") from exception


def live(name):
    while not LEAVING.is_set():
        try:
            Worker(name).run()
        except Fenced:
            say(f"{name} fenced")
            return
        except (Broken, KafkaException) as error:
            say(f"{name} restarts {error}")


def listen():
    sys.stdin.readline()
    LEAVING.set()


def main():
    threading.Thread(target=listen, daemon=True).start()
    workers = [threading.Thread(target=live, args=(name,)) for name in NAMES]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


main()
