"""kafka-log-dirs, kafka-delete-records, kafka-leader-election, kafka-reassign-partitions: what is done to partitions."""
import json

from support.side_by_side import Action, File, records


def partitions(*names, **more):
    """A file of partitions, as "topic-0"."""
    rows = [{"topic": name.rsplit("-", 1)[0], "partition": int(name.rsplit("-", 1)[1]), **more} for name in names]
    return File(json.dumps({"version": 1, "partitions": rows}))


def log_dirs(*words):
    return Action("kafka-log-dirs", *words)


SOON = ("--command-config", File("default.api.timeout.ms=1000\nrequest.timeout.ms=1000\n"))  # or the client looks a minute for a partition


def delete_records(file):
    return Action("kafka-delete-records", "--offset-json-file", file, *SOON)


def elect(*words, kind="preferred"):
    return Action("kafka-leader-election", "--election-type", kind, *words)


def reassign(*words):
    return Action("kafka-reassign-partitions", *words)


def kept(*offsets):
    """Offsets of the first partitions of the topic kept."""
    rows = [{"topic": "kept", "partition": i, "offset": offset} for i, offset in enumerate(offsets)]
    return File(json.dumps({"version": 1, "partitions": rows}))


def moves(*rows, version=1):
    """A reassignment: (partition, replicas), or (partition, replicas, log directories)."""
    places = [{"topic": name.rsplit("-", 1)[0], "partition": int(name.rsplit("-", 1)[1]), "replicas": list(replicas),
               **({"log_dirs": list(dirs[0])} if dirs else {})}
              for name, replicas, *dirs in rows]
    return File(json.dumps({"version": version, "partitions": places}))


def topics_to_move(*names):
    return File(json.dumps({"version": 1, "topics": [{"topic": name} for name in names]}))


PREPARE = [
    Action("kafka-topics", "--create", "--topic", "kept", "--partitions", "3"),
    Action("kafka-topics", "--create", "--topic", "compacted", "--config", "cleanup.policy=compact"),
    records("kept", 0, 10),
    records("kept", 1, 5),
]

LOG_DIRS = [
    log_dirs("--describe", "--topic-list", "kept,compacted"),
    log_dirs("--describe", "--topic-list", "kept", "--broker-list", "1"),
    log_dirs("--describe", "--topic-list", "none"),
    log_dirs("--describe", "--broker-list", "7"),
    log_dirs("--describe", "--broker-list", "1,7"),
    log_dirs("--describe", "--broker-list", "x"),
    log_dirs("--describe"),
    log_dirs(),
]

DELETE_RECORDS = [
    delete_records(kept(4, 2)),
    delete_records(kept(4, -1, 0)),
    delete_records(kept(3)),
    delete_records(kept(11)),
    delete_records(kept(-2)),
    delete_records(kept(5, 6)),
    delete_records(partitions("none-0", offset=1)),
    delete_records(partitions("kept-9", offset=1)),
    delete_records(partitions("compacted-0", offset=1)),
    delete_records(partitions("kept-0", "kept-0", offset=1)),
    delete_records(File("{}")),
    delete_records(File("x")),
    delete_records(File('{"version": 2, "partitions": []}')),
    delete_records(File('{"version": 1, "partitions": []}')),
    delete_records("/nosuch/file"),
    Action("kafka-get-offsets", "--topic", "kept", "--time", "earliest"),
    Action("kafka-get-offsets", "--topic", "kept"),
    log_dirs("--describe", "--topic-list", "kept"),
]

ELECTION = [
    elect("--all-topic-partitions"),
    elect("--all-topic-partitions", kind="unclean"),
    elect("--topic", "kept", "--partition", "1"),
    elect("--topic", "kept", "--partition", "1", kind="unclean"),
    elect("--topic", "kept", "--partition", "9"),
    elect("--topic", "none", "--partition", "0"),
    elect("--topic", "kept"),
    elect("--partition", "0"),
    elect("--path-to-json-file", partitions("kept-0", "compacted-0")),
    elect("--path-to-json-file", partitions("kept-0", "none-0"), kind="unclean"),
    elect("--path-to-json-file", partitions("kept-0", "kept-0")),
    elect("--path-to-json-file", File("{}")),
    elect("--all-topic-partitions", kind="fair"),
    elect(),
]

REASSIGN = [
    reassign("--list"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("kept", "compacted"), "--broker-list", "1"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("kept"), "--broker-list", "1", "--disable-rack-aware"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("kept"), "--broker-list", "1,7"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("kept"), "--broker-list", "7"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("none"), "--broker-list", "1"),
    reassign("--generate", "--topics-to-move-json-file", topics_to_move("kept"), "--broker-list", "1,1"),
    reassign("--generate", "--topics-to-move-json-file", File("{}"), "--broker-list", "1"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1]), ("kept-1", [1]))),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1]), ("kept-1", [1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1])), "--additional"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1])), "--throttle", "1000000"),
    Action("kafka-configs", "--describe", "--topic", "kept"),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1])), "--preserve-throttles"),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1]))),
    Action("kafka-configs", "--describe", "--topic", "kept"),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1])), "--replica-alter-log-dirs-throttle", "1000000"),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1]))),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1], ["$DATA"]), ("kept-1", [1], ["any"]))),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1], ["$DATA"]), ("kept-1", [1], ["any"]))),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [1], ["/nowhere"]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1], ["$DATA", "any"]))),
    reassign("--execute", "--reassignment-json-file", moves(("none-0", [1], ["$DATA"]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1], ["$DATA"])), "--replica-alter-log-dirs-throttle", "5000",
             "--additional"),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--cancel", "--reassignment-json-file", moves(("kept-0", [1], ["$DATA"]))),
    Action("kafka-configs", "--describe", "--broker", "1"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1])), "--disallow-replication-factor-change"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1, 7])), "--disallow-replication-factor-change"),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1, 7]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [7]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", []))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1, 1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [-1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-9", [1]))),
    reassign("--execute", "--reassignment-json-file", moves(("none-0", [1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1]), ("none-0", [1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1]), ("kept-0", [1]))),
    reassign("--execute", "--reassignment-json-file", moves(("kept-0", [1]), version=2)),
    reassign("--execute", "--reassignment-json-file", moves()),
    reassign("--execute", "--reassignment-json-file", File("x")),
    reassign("--verify", "--reassignment-json-file", moves(("kept-0", [7])), *SOON),
    reassign("--verify", "--reassignment-json-file", moves(("kept-9", [1])), *SOON),
    reassign("--verify", "--reassignment-json-file", moves(("none-0", [1])), *SOON),
    reassign("--cancel", "--reassignment-json-file", moves(("kept-0", [1]))),
    reassign("--cancel", "--reassignment-json-file", moves(("kept-0", [1])), "--preserve-throttles"),
    reassign("--cancel", "--reassignment-json-file", moves(("none-0", [1]))),
    reassign("--list"),
    reassign("--verify"),
    reassign(),
]

ACTIONS = [*PREPARE, *LOG_DIRS, *DELETE_RECORDS, *ELECTION, *REASSIGN]
