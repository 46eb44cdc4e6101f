"""A directory with transactions, committed, aborted and open, under Apache Kafka and our broker in turn: readers see the same, what was
open goes on or is ended by whoever has the directory then, and each one's tool prints the other's files."""
import shutil
import subprocess

import pytest
from confluent_kafka import Producer

from support import dumping
from support.brokers import Barnabas, Kafka
from support.waiting import until
from support.wire import read_partition
from transactions.test_basics import nothing_open, values

pytestmark = pytest.mark.barnabas  # it starts both itself
LONG_MS = 300000
ORDERS = [(Kafka, Barnabas, Kafka), (Barnabas, Kafka, Barnabas)]


class Turns:
    """The directory, and whoever has it."""

    def __init__(self, folder, ports):
        self.folder, self.ports = folder, ports
        self.broker, self.n = None, 0

    def start(self, kind):
        before = self.broker
        self.n += 1
        self.broker = kind(self.folder / f"turn{self.n}", self.ports.take())
        if before is not None:
            shutil.move(before.data, self.broker.data)
        return self.broker.start()

    def stop(self):
        self.broker.check()
        self.broker.stop()

    def producer(self, transactional_id):
        producer = Producer({"bootstrap.servers": self.broker.address, "transactional.id": transactional_id, "log_level": 0,
                             "transaction.timeout.ms": LONG_MS, "message.timeout.ms": LONG_MS})
        producer.init_transactions(60)
        return producer


@pytest.fixture
def turns(tmp_path, ports):
    turns = Turns(tmp_path, ports)
    yield turns
    if turns.broker is not None and turns.broker.process is not None:
        turns.broker.kill()


def write(producer, topic, *texts):
    producer.begin_transaction()
    for text in texts:
        producer.produce(topic, text, partition=0)
    assert producer.flush(60) == 0


def some_of_each(turns, topic, turn):
    """What is read of it: two committed ones; a third is aborted."""
    producer = turns.producer("t")
    for text, end in (("first", "commit"), ("lost", "abort"), ("second", "commit")):
        write(producer, topic, f"{turn} {text} a", f"{turn} {text} b")
        getattr(producer, f"{end}_transaction")(60)
    return [f"{turn} {text} {letter}" for text in ("first", "second") for letter in "ab"]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(kind.__name__.lower() for kind in order))
def test_both_ways(turns, tools, name, order):
    """Three turns; each leaves a transaction open, which the next one still has, and ends when its producer comes again."""
    expected, before = [], b""
    for turn, kind in enumerate(order):
        broker = turns.start(kind)
        if turn == 0:
            with broker.wire() as wire:
                assert wire.create_topic(name) == 0
        assert nothing_open(broker, name) == (turn == 0)
        assert read_partition(broker.port, name) == before
        assert values(broker, name) == expected
        turns.producer(f"open-{turn - 1}")
        until(lambda broker=broker: nothing_open(broker, name), "what was open is aborted")
        expected += some_of_each(turns, name, turn)
        assert values(broker, name) == expected
        write(turns.producer(f"open-{turn}"), name, f"{turn} open")
        assert values(broker, name) == expected
        before = read_partition(broker.port, name)
        turns.stop()
        check_files(tools, broker)


def test_what_is_open_can_be_committed_after_the_swap(turns, name):
    """A producer that lives on finds its transaction with the next broker, at the same address."""
    broker = turns.start(Kafka)
    with broker.wire() as wire:
        assert wire.create_topic(name) == 0
    producer = turns.producer("lives")
    for kind in (Barnabas, Kafka):
        write(producer, name, f"before {kind.__name__}")
        turns.stop()
        turns.ports = Same(broker.port)
        broker = turns.start(kind)
        producer.produce(name, f"after {kind.__name__}", partition=0)
        producer.commit_transaction(60)
    assert values(broker, name) == [f"{when} {kind}" for kind in ("Barnabas", "Kafka") for when in ("before", "after")]
    turns.stop()


class Same:
    """The port of the broker before."""

    def __init__(self, port):
        self.port = port

    def take(self):
        return self.port


def check_files(tools, broker):
    """kafka-dump-log finds no fault in any file, and our own tool prints the same as it."""
    dumping.check_all(tools, broker)
    seen = ""
    for suffix, options in ((".log", ["--print-data-log"]), (".txnindex", []), (".snapshot", []),
                            ("__transaction_state", ["--transaction-log-decoder"]), ("__consumer_offsets", ["--offsets-decoder"])):
        pattern = f"{suffix}-*/*.log" if suffix.startswith("__") else f"*/*{suffix}"
        files = [file for file in dumping.files_of(broker, pattern) if file.stat().st_size > 0]
        if files:
            seen += same_text(tools, files, options)
    for what in ("endTxnMarker: COMMIT", "endTxnMarker: ABORT", "isTransactional: true", "lastStableOffset: ", "producerId: ",
                 '"transactionalId":"t"'):
        assert what in seen, what


def same_text(tools, files, options):
    words = [*options, "--files", ",".join(sorted(str(file) for file in files))]
    theirs = tools.ok("kafka-dump-log", *words, seconds=120).out
    ours = subprocess.run([Barnabas.program, "dump-log", *words], capture_output=True, check=True, timeout=120)
    assert sorted(set(ours.stdout.decode(errors="replace").splitlines()) ^ set(theirs.splitlines())) == []
    assert ours.stdout.decode(errors="replace").splitlines() == theirs.splitlines()
    return theirs
