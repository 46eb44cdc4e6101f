"""Tools that know transactions: kafka-transactions, the console consumer, the producer of the performance test, kcat."""
import re
import subprocess

import pytest
from confluent_kafka import Producer

from support.waiting import until

from .test_basics import nothing_open, values

MINUTE = 60000


@pytest.fixture
def run(tools, broker):
    """run(tool, words): a tool on the shared broker, which must end well; its lines."""
    return lambda tool, *words: tools.ok(tool, "--bootstrap-server", broker.address, *words).lines


def producer(broker, transactional_id, timeout_ms=MINUTE):
    one = Producer({"bootstrap.servers": broker.address, "transactional.id": transactional_id, "transaction.timeout.ms": timeout_ms,
                    "message.timeout.ms": timeout_ms, "log_level": 0})
    one.init_transactions(60)
    return one


def write(one, topic, *texts):
    one.begin_transaction()
    for text in texts:
        one.produce(topic, text, partition=0)
    assert one.flush(60) == 0


def table(lines):
    """[{column: word}] of what a tool prints."""
    names = lines[0].split()
    return [dict(zip(names, [word.strip() for word in line.split("\t")])) for line in lines[1:] if line.strip()]


def test_list_and_describe(run, broker, topic):
    """A transaction from its first write to its end."""
    one = producer(broker, topic)
    write(one, topic, "a")
    row = next(row for row in table(run("kafka-transactions", "list")) if row["TransactionalId"] == topic)
    assert (row["Coordinator"], row["TransactionState"]) == ("1", "Ongoing")
    open_one = table(run("kafka-transactions", "describe", "--transactional-id", topic))[0]
    assert (open_one["TransactionState"], open_one["TransactionTimeoutMs"], open_one["TopicPartitions"]) == ("Ongoing", "60000", f"{topic}-0")
    writer = table(run("kafka-transactions", "describe-producers", "--topic", topic, "--partition", "0"))[0]
    assert (writer["ProducerId"], writer["LastSequence"], writer["CurrentTransactionStartOffset"]) == (row["ProducerId"], "0", "0")
    one.commit_transaction(60)
    ended = table(run("kafka-transactions", "describe", "--transactional-id", topic))[0]
    assert (ended["TransactionState"], ended["TopicPartitions"]) == ("CompleteCommit", "")
    writer = table(run("kafka-transactions", "describe-producers", "--topic", topic, "--partition", "0"))[0]
    assert writer["CurrentTransactionStartOffset"] == "None"


def test_abort_by_an_administrator(run, broker, topic):
    """What describe-producers shows can be aborted; the producer is told when it commits."""
    one = producer(broker, topic)
    write(one, topic, "lost")
    run("kafka-transactions", "abort", "--topic", topic, "--partition", "0", "--start-offset", "0")
    assert nothing_open(broker, topic)
    assert values(broker, topic) == []
    assert values(broker, topic, "read_uncommitted") == ["lost"]


def test_force_terminate(run, broker, topic):
    """The transaction of a transactional id ends, whoever has it."""
    write(producer(broker, topic), topic, "lost")
    run("kafka-transactions", "forceTerminateTransaction", "--transactionalId", topic)
    until(lambda: nothing_open(broker, topic), "the transaction is aborted")
    assert values(broker, topic) == []


def test_find_hanging(run, broker, topic):
    """An ongoing transaction does not hang."""
    one = producer(broker, topic)
    write(one, topic, "a")
    assert table(run("kafka-transactions", "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0")) == []
    one.abort_transaction(60)


def test_console_consumer(run, broker, topic):
    """--isolation-level."""
    one = producer(broker, topic)
    for text, end in (("a", one.commit_transaction), ("lost", one.abort_transaction), ("b", one.commit_transaction)):
        write(one, topic, text)
        end(60)
    consume = ("kafka-console-consumer", "--topic", topic, "--from-beginning", "--isolation-level")
    assert run(*consume, "read_committed", "--max-messages", "2") == ["a", "b"]
    assert run(*consume, "read_uncommitted", "--max-messages", "3") == ["a", "lost", "b"]


def test_kcat(broker, topic):
    """kcat reads what was committed."""
    one = producer(broker, topic)
    for text, end in (("a", one.commit_transaction), ("lost", one.abort_transaction), ("b", one.commit_transaction)):
        write(one, topic, text)
        end(60)
    out = subprocess.run(["kcat", "-C", "-b", broker.address, "-t", topic, "-e", "-q", "-X", "isolation.level=read_committed"],
                         capture_output=True, check=True, timeout=60).stdout
    assert out == b"a\nb\n"


def test_producer_perf(tools, broker, topic):
    """Transactions of the performance test: all that it sends is committed."""
    out = tools.ok("kafka-producer-perf-test", "--topic", topic, "--num-records", 2000, "--record-size", 100, "--throughput", 4000,
                   "--transactional-id", topic, "--transaction-duration-ms", 50, "--command-property",
                   f"bootstrap.servers={broker.address}").out
    assert re.search(r"^2000 records sent, [\d.]+ records/sec", out, re.MULTILINE)
    assert len(values(broker, topic)) == 2000
    assert nothing_open(broker, topic)


def test_transactional_ids_expire(make_broker, tools, name):
    """After transactional.id.expiration.ms without a transaction; then the id is a new one again."""
    broker = make_broker({"transactional.id.expiration.ms": "1000",
                          "transaction.remove.expired.transaction.cleanup.interval.ms": "200"}).start()
    with broker.wire() as wire:
        assert wire.create_topic(name) == 0
    one = producer(broker, name)
    write(one, name, "a")
    one.commit_transaction(60)

    def listed():
        return table(tools.ok("kafka-transactions", "--bootstrap-server", broker.address, "list").lines)

    until(lambda: listed() == [], "the id is forgotten")
    again = producer(broker, name)
    write(again, name, "b")
    again.commit_transaction(60)
    assert values(broker, name) == ["a", "b"]
