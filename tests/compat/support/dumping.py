"""kafka-dump-log on the files of a broker that is stopped."""

FAULTS = ("Found timestamp mismatch", "Found out of order timestamp", "Found record offset mismatch",
          "Found non-consecutive", "isvalid: false", "Index mismatch", "Mismatches in", "Non-consecutive offsets",
          "is corrupt", "Exception", "sanity check failed")

LOGS_AT_ONCE = 8  # a line for each record has to fit into the tool's memory


def dump(tools, files, *options):
    """Prints files; fails on whatever the tool finds wrong."""
    files = sorted(files)
    assert files
    out = tools.ok("kafka-dump-log", *options, "--files", ",".join(str(file) for file in files), seconds=600).out
    for fault in FAULTS:
        assert fault not in out, out[max(out.index(fault) - 2000, 0):][:4000]
    return out


def files_of(broker, pattern):
    """Files of topics: without the metadata log, and without what waits for its removal."""
    return [file for file in broker.data.glob(pattern)
            if not file.parent.name.startswith("__cluster_metadata") and not file.parent.name.endswith("-delete")]


def check_all(tools, broker):
    """Every segment, index and snapshot of every partition is without fault."""
    logs = files_of(broker, "*/*.log")
    for i in range(0, len(logs), LOGS_AT_ONCE):
        dump(tools, logs[i:i + LOGS_AT_ONCE], "--deep-iteration")
    for pattern in ("*/*.index", "*/*.timeindex", "*/*.snapshot"):
        files = [file for file in files_of(broker, pattern) if file.stat().st_size > 0]
        if files:
            dump(tools, files)
