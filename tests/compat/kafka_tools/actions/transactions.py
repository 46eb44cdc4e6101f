"""kafka-transactions: list, describe, describe-producers, find-hanging, abort, force-terminate."""
from confluent_kafka import Producer

from support.side_by_side import Action, Step, records

TOPIC = "moved"


def transactions(*words):
    """Times are those of the day: 13 digits since 1970, and behind them how long ago that is."""
    return Action("kafka-transactions", *words).like((r"\b1\d{12} \d+\b", "TIME AGO"), (r"\b1\d{12}\b", "TIME"))


def producers(*words):
    return Action("kafka-transactions", "describe-producers", "--topic", TOPIC, *words).like((r"\b1\d{12}\b", "TIME"))


def begin(side, transactional_id, *values):
    """A transaction with these records in partition 0, still open."""
    one = Producer({"bootstrap.servers": side.broker.address, "transactional.id": transactional_id,
                    "transaction.timeout.ms": 600_000, "log_level": 0})
    side.kept[transactional_id] = one
    one.init_transactions(60)
    one.begin_transaction()
    for value in values:
        one.produce(TOPIC, value, partition=0)
    assert one.flush(60) == 0


def ended_and_open(side):
    begin(side, "committed", b"a", b"b")
    side.kept["committed"].commit_transaction(60)
    begin(side, "aborted", b"c")
    side.kept["aborted"].abort_transaction(60)
    begin(side, "open", b"d")
    begin(side, "other", b"e")


ACTIONS = [
    Action("kafka-topics", "--create", "--topic", TOPIC, "--partitions", "2"),
    records(TOPIC, 1, 1),
    transactions("list"),
    Step("transactions that have ended, and two that are open", ended_and_open),
    transactions("list"),
    transactions("list", "--duration-filter", "-1"),
    transactions("list", "--duration-filter", "3600000"),
    transactions("list", "--transactional-id-pattern", "o.*"),
    transactions("list", "--transactional-id-pattern", "nobody"),
    transactions("list", "--transactional-id-pattern", "("),
    transactions("describe", "--transactional-id", "committed"),
    transactions("describe", "--transactional-id", "aborted"),
    transactions("describe", "--transactional-id", "open"),
    transactions("describe", "--transactional-id", "nobody"),
    producers("--partition", "0"),
    producers("--partition", "0", "--broker-id", "1"),
    producers("--partition", "1"),
    transactions("find-hanging", "--broker-id", "1"),
    transactions("find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0"),
    transactions("find-hanging", "--topic", TOPIC),
    transactions("find-hanging", "--topic", TOPIC, "--partition", "0", "--max-transaction-timeout", "0"),
    transactions("find-hanging", "--topic", TOPIC, "--partition", "1"),
    transactions("find-hanging"),
    transactions("find-hanging", "--partition", "0"),
    transactions("abort", "--topic", TOPIC, "--partition", "0", "--start-offset", "0"),
    transactions("abort", "--topic", TOPIC, "--partition", "0"),
    transactions("abort", "--topic", TOPIC, "--partition", "1", "--start-offset", "0"),
    transactions("abort", "--topic", TOPIC, "--partition", "0", "--start-offset", "5"),
    producers("--partition", "0"),
    transactions("abort", "--topic", TOPIC, "--partition", "0", "--producer-id", "3", "--producer-epoch", "0", "--coordinator-epoch", "0"),
    transactions("forceTerminateTransaction", "--transactionalId", "other"),
    transactions("forceTerminateTransaction", "--transactionalId", "nobody"),
    transactions("describe", "--transactional-id", "other"),
    producers("--partition", "0"),
    transactions("list"),
]
