"""kafka-dump-log on what the other actions left, and kafka-producer-perf-test, -consumer-perf-test, kafka-e2e-latency before it."""
from support.side_by_side import Action, Step

LOG = "00000000000000000000"
MEASURED = (r"\d+(\.\d+)?|NaN|-?Infinity", "N")


def dump(files, *words):
    """Control batches and records of transactions have times, and so a checksum, of their own."""
    return Action("kafka-dump-log", *words, "--files", files).like(
        (r"(CreateTime|[tT]imestamp): ?\d{8,}", r"\1: N"), (r"crc: \d+", "crc: N"), (r"(Timestamp\w*\":)\d{8,}", r"\1N"))


PERF = [
    Action("kafka-topics", "--create", "--topic", "perf"),
    Action("kafka-producer-perf-test", "--topic", "perf", "--num-records", "100", "--record-size", "100", "--throughput", "-1",
           "--command-property", "bootstrap.servers=$ADDRESS").like(MEASURED),
    Action("kafka-consumer-perf-test", "--topic", "perf", "--num-records", "100").like(MEASURED),
    Action("kafka-e2e-latency", "--topic", "perf", "--num-records", "20", "--producer-acks", "all", "--record-size", "50").like(MEASURED),
]

DUMP = [
    dump(f"$DATA/kept-0/{LOG}.log"),
    Step("both brokers are stopped", lambda side: side.stop()),
    dump(f"$DATA/kept-0/{LOG}.log"),
    dump(f"$DATA/kept-0/{LOG}.log", "--print-data-log"),
    dump(f"$DATA/kept-0/{LOG}.log", "--print-data-log", "--skip-record-metadata"),
    dump(f"$DATA/kept-0/{LOG}.log,$DATA/kept-1/{LOG}.log", "--deep-iteration"),
    dump(f"$DATA/kept-0/{LOG}.log", "--max-bytes", "300"),
    dump(f"$DATA/kept-0/{LOG}.index"),
    dump(f"$DATA/kept-0/{LOG}.index", "--index-sanity-check"),
    dump(f"$DATA/kept-0/{LOG}.index", "--verify-index-only"),
    dump(f"$DATA/kept-0/{LOG}.timeindex"),
    dump(f"$DATA/moved-0/{LOG}.log", "--print-data-log"),
    dump(f"$DATA/moved-0/{LOG}.txnindex"),
    dump("$FILES(moved-0/*.snapshot)"),
    dump("$FILES(__transaction_state-*/*.log)", "--transaction-log-decoder"),
    dump("$DATA/nosuch.log"),
    dump("$DATA/meta.properties"),
]

ACTIONS = [*PERF, *DUMP]
