"""`barnabas dump-log` prints what kafka-dump-log prints, line by line, of what we wrote and of what Apache Kafka wrote."""
import re
import subprocess

import confluent_kafka
import pytest

from clients.adapters import Confluent
from support.brokers import Barnabas, Kafka
from support.records import CODECS, samples
from support.waiting import until

pytestmark = pytest.mark.barnabas

# Lines of the one tool that the other lacks or words otherwise, each with its reason.
LEFT_OUT = re.compile("|".join([
    r"^SLF4J:",  # Java's own chatter
    r"^Ignoring unknown file",  # files that only we print
]))


@pytest.fixture(scope="module", params=[Barnabas, Kafka], ids=["ours", "kafka"])
def used(request, ports, tools, tmp_path_factory):
    """A broker that had each codec, idempotent producers, a group, and transactions; stopped."""
    kind = request.param
    broker = kind(tmp_path_factory.mktemp("used"), ports.take(), {"log.index.interval.bytes": "64"}).start()
    try:
        with broker.wire() as wire:
            for codec in CODECS:
                assert wire.create_topic(codec, 1, {"segment.bytes": 1048576}) == 0
            assert wire.create_topic("stamped", 1, {"message.timestamp.type": "LogAppendTime"}) == 0
        for codec in CODECS:
            for _ in range(3):
                Confluent().produce(broker.address, codec, samples(), codec)
        Confluent().produce(broker.address, "stamped", samples(), "lz4")
        transactions(broker.address)
        tools.ok("kafka-console-consumer", "--bootstrap-server", broker.address, "--topic", "gzip", "--group", "readers",
                 "--from-beginning", "--max-messages", 20)
        broker.check()
        broker.stop()
    finally:
        if broker.process is not None:
            broker.kill()
    return broker


def transactions(address):
    """A committed and an aborted one: markers, an index of aborted transactions, __transaction_state."""
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "transactional.id": "t"})
    producer.init_transactions(30)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce("none", b"in a transaction", b"key")
        producer.flush(30)
        end(30)


def lines(text):
    return [line for line in text.splitlines() if not LEFT_OUT.match(line)]


def both(tools, files, *options):
    """Runs both tools; fails where they differ. What they print."""
    files = sorted(str(file) for file in files)
    assert files
    theirs = tools.ok("kafka-dump-log", *options, "--files", ",".join(files))
    ours = subprocess.run([Barnabas.program, "dump-log", *options, "--files", ",".join(files)], capture_output=True,
                          check=False, timeout=120)
    assert ours.stdout.decode(errors="replace").splitlines() == theirs.out.splitlines()
    assert lines(ours.stderr.decode()) == lines(theirs.err)
    assert ours.returncode == 0
    return ours.stdout.decode(errors="replace")


def of_topics(broker, suffix):
    """Files that are not empty, of all partitions."""
    return [file for file in broker.data.glob(f"*/*{suffix}") if file.stat().st_size > 0]


def test_batches(tools, used):
    """A line for each batch."""
    assert both(tools, of_topics(used, ".log")).count("isvalid: true") > 10


def test_part_of_a_segment(tools, used):
    """--max-bytes ends between two batches."""
    both(tools, of_topics(used, ".log"), "--max-bytes", "1000", "--deep-iteration")


def test_records(tools, used):
    """Keys, values, headers of each codec; markers and other control records."""
    files = [file for file in of_topics(used, ".log") if not file.parent.name.startswith("__")]
    out = both(tools, files, "--print-data-log")
    assert " key: " in out and "headerKeys: [" in out
    both(tools, files, "--deep-iteration")
    both(tools, files, "--print-data-log", "--skip-record-metadata")
    assert "endTxnMarker: ABORT" in out and "endTxnMarker: COMMIT" in out


def test_metadata_log(tools, used):
    """Every metadata record, and the control records of a snapshot."""
    files = list(used.data.glob("__cluster_metadata-0/*.log")) + list(used.data.glob("__cluster_metadata-0/*.checkpoint"))
    assert '"type":"TOPIC_RECORD"' in both(tools, files, "--cluster-metadata-decoder")


def test_group_offsets(tools, used):
    """What a group committed, and its members with the consumer protocol's own messages."""
    files = [file for file in of_topics(used, ".log") if file.parent.name.startswith("__consumer_offsets")]
    out = both(tools, files, "--offsets-decoder")
    assert '"group":"readers"' in out


def test_transaction_log(tools, used):
    """The states of a transaction."""
    files = [file for file in of_topics(used, ".log") if file.parent.name.startswith("__transaction_state")]
    assert '"transactionalId":"t"' in both(tools, files, "--transaction-log-decoder")


@pytest.mark.parametrize("option", [(), ("--index-sanity-check",), ("--verify-index-only",)], ids=str)
def test_indexes(tools, used, option):
    """Indexes of offsets, times and aborted transactions, with their faults: none."""
    for suffix in (".index", ".timeindex", ".txnindex"):
        files = [file for file in of_topics(used, suffix) if not file.parent.name.startswith("__cluster_metadata")]
        if files:
            both(tools, files, *option)


def test_producer_snapshots(tools, used):
    """Producers with their last batches."""
    assert "producerId: " in both(tools, of_topics(used, ".snapshot"))


def test_damage(tools, used, tmp_path):
    """A batch whose CRC is wrong, a torn tail, and indexes that lie."""
    source = sorted(used.data.glob("none-0/*.log"))[0]
    log = tmp_path / source.name
    log.write_bytes(source.read_bytes()[:-5])
    with open(log, "r+b") as file:
        file.seek(200)
        file.write(b"\xff")
    both(tools, [log])
    log.write_bytes(source.read_bytes())
    index = tmp_path / source.with_suffix(".index").name
    good = source.with_suffix(".index").read_bytes()
    index.write_bytes(bytes([good[0], good[1], good[2], good[3] ^ 1]) + good[4:])
    theirs = tools.run("kafka-dump-log", "--files", str(index))
    ours = subprocess.run([Barnabas.program, "dump-log", str(index)], capture_output=True, check=False, timeout=60)
    assert ours.stdout.decode() == theirs.out
    assert lines(ours.stderr.decode()) == lines(theirs.err)


def dumped(*files):
    done = subprocess.run([Barnabas.program, "dump-log", "--print-data-log", *files], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    return done.stdout


def test_while_the_broker_runs(make_broker):
    """Files that a broker has open can be printed; the journal is made while it serves already."""
    broker = make_broker().start()
    journal = broker.data / ".barnabas-journal"
    with broker.wire() as wire:
        assert wire.create_topic("open") == 0
    until(lambda: b"No header" not in dumped(journal), "the journal is made")
    Confluent().produce(broker.address, "open", samples(), "none")
    assert b"baseOffset: 0 " in dumped(broker.data / "open-0/00000000000000000000.log")
    assert b"| open-0 topicId: " in dumped(journal)
