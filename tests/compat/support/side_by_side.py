"""One command on our broker and on Apache Kafka, side by side: the same exit code and the same text, line by line, but for what is
said to differ, and why.
"""
import json
import re
import time

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from .waiting import until
from .wire import NONE, batch

ID = r"[A-Za-z0-9_-]{22}"  # of a topic, a directory or a cluster
URL_SAFE = str.maketrans("+/", "-_")
MARK = "mark"  # a topic; its settings are the last that each side was told
READING = ("--list", "--describe", "list", "describe", "describe-producers", "find-hanging", "--files")
NOW_MS = int(time.time() * 1000)  # of all records: nothing is old enough for retention, whenever a broker looks for that
CHATTER = ("SLF4J", "at ")  # Java's, of what is missing and where it was


class File(str):
    """A word of a command that is the name of a file with this content."""


class Action:
    """A tool and its words, and what it may answer otherwise here than with Kafka."""

    def __init__(self, *words):
        self.words = words
        self.stdin = ""
        self.differences = []  # (why, expressions of lines of ours, expressions of Kafka's)
        self.loose = []        # (expression, replacement)

    def __repr__(self):
        return re.sub(r"\s+", "_", "_".join(self.words))[:120]

    def but(self, why, ours=(), kafkas=()):
        """These lines only one of them prints: each line that differs is here, and each that is here differs."""
        assert why and (ours or kafkas)
        self.differences.append((why, list(ours), list(kafkas)))
        return self

    def like(self, *pairs):
        """Expressions that are replaced before the lines are compared: what is measured."""
        self.loose += pairs
        return self

    def given(self, text):
        """Standard input."""
        self.stdin = text
        return self


class Step:
    """Something between the actions that no tool does: act(side)."""

    def __init__(self, name, act):
        self.name, self.act = name, act

    def __repr__(self):
        return self.name.replace(" ", "_")


def records(topic, partition, n):
    """So many records, each in a batch of its own."""
    def act(side):
        for i in range(n):
            side.produce(topic, partition, b"%050d" % i)
    return Step(f"{n} records in {topic}-{partition}", act)


class Side:
    """A broker that is compared with another."""

    def __init__(self, broker):
        self.broker = broker.start()
        self.admin = AdminClient({"bootstrap.servers": broker.address})
        self.marks = 0
        self.kept = {}  # clients of steps

    def settle(self):
        """Waits until the broker knows all that was changed. Kafka's controller answers before the broker has heard of it, but tells it
        one thing after the other.
        """
        if self.marks == 0:
            with self.broker.wire() as wire:
                assert wire.create_topic(MARK) == 0
        self.marks += 1
        entry = ConfigEntry("flush.ms", str(1000 + self.marks), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, MARK, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(30)
        until(lambda: self.mark() == self.marks, "the broker knows what was changed")

    def mark(self):
        """The last that the broker knows of."""
        resource = ConfigResource(ResourceType.TOPIC, MARK)
        return int(self.admin.describe_configs([resource])[resource].result(30)["flush.ms"].value) - 1000

    def produce(self, topic, partition, value):
        with self.broker.wire() as wire:
            until(lambda: wire.produce(topic, batch([value], NOW_MS), partition)[0] == NONE, "the partition takes records")

    def topic_id(self, topic):
        return str(self.admin.describe_topics(TopicCollection([topic]))[topic].result(30).topic_id).translate(URL_SAFE)

    def files(self, pattern):
        return ",".join(str(file) for file in sorted(self.broker.data.glob(pattern)) if file.stat().st_size > 0)

    def word(self, word, folder):
        """A word with what only this side knows: $ADDRESS, $DATA, $ID(topic), $FILES(those in the data that are not empty); and the
        file that it stands for.
        """
        text = word.replace("$ADDRESS", self.broker.address).replace("$DATA", str(self.broker.data))
        text = re.sub(r"\$ID\((.*?)\)", lambda found: self.topic_id(found[1]), text)
        text = re.sub(r"\$FILES\((.*?)\)", lambda found: self.files(found[1]), text)
        if not isinstance(word, File):
            return text
        file = folder / "file"
        file.write_text(text)
        return str(file)

    def run(self, tools, action, folder=None):
        """The Result of an action; whoever does not say where the broker is, is told."""
        tool, *words = action.words
        at = [] if any("$ADDRESS" in word or word == "--files" for word in words) else ["--bootstrap-server", self.broker.address]
        result = tools.run(tool, *at, *[self.word(word, folder) for word in words], stdin=action.stdin)
        if not any(word in READING for word in words):
            self.settle()
        return result

    def stop(self):
        self.broker.stop()

    def kill(self):
        if self.broker.process is not None:
            self.broker.kill()


def in_order(found):
    """The settings of a topic, a=b,c=d,e, sorted: Kafka's are in the order of a hash."""
    return found[1] + ",".join(sorted(re.split(r",(?=[a-z.]+=)", found[2])))


def sorted_json(line):
    """Objects of JSON with their lists in order; other lines as they are."""
    def in_order(value):
        if isinstance(value, list):
            return sorted((in_order(item) for item in value), key=json.dumps)
        return {name: in_order(value[name]) for name in sorted(value)} if isinstance(value, dict) else value
    try:
        return json.dumps(in_order(json.loads(line))) if line.startswith("{") else line
    except ValueError:
        return line


def plain(text, broker):
    """Lines without what differs by its nature: ports, folders, ids, times, the width of columns, the order of rows, Java's stack."""
    text = text.replace(str(broker.data), "DATA").replace(broker.address, "BROKER")
    text = re.sub(rf"\b{broker.port}\b", "PORT", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "TIME", text)
    text = re.sub(rf"(?<=TopicId: ){ID}", "ID", text)
    text = re.sub(r"Call\(callName=(\w+).*", r"Call(\1 ...", text)
    text = re.sub(r"(?m)(\tConfigs: )(.*)$", in_order, text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return sorted(sorted_json(line) for line in lines if line and not line.startswith(CHATTER))


def lines_of(result, side, action):
    """What is compared: the exit code, the output and the complaints."""
    out = [*plain(result.out, side.broker), *[f"stderr: {line}" for line in plain(result.err, side.broker)]]
    for expression, replacement in action.loose:
        out = [re.sub(expression, replacement, line) for line in out]
    return [f"exit code {result.code}", *sorted(out)]


def minus(lines, others):
    """Lines that the others have not, each as often as it is more."""
    left = list(others)
    only = []
    for line in lines:
        if line in left:
            left.remove(line)
        else:
            only.append(line)
    return only


def strip_listed(lines, expressions):
    """What no expression names; expressions that name nothing."""
    rest = [line for line in lines if not any(re.fullmatch(e, line) for e in expressions)]
    idle = [e for e in expressions if not any(re.fullmatch(e, line) for line in lines)]
    return rest, idle


def check_action(tools, sides, action, folder):
    """Runs an action on ours and on Kafka's; fails on what differs and is not listed, and on what is listed and does not differ."""
    if isinstance(action, Step):
        for side in sides:
            action.act(side)
        return
    ours, kafkas = [lines_of(side.run(tools, action, folder), side, action) for side in sides]
    only_ours, idle_ours = strip_listed(minus(ours, kafkas), [e for _, some, _ in action.differences for e in some])
    only_kafkas, idle_kafkas = strip_listed(minus(kafkas, ours), [e for _, _, some in action.differences for e in some])
    wrong = [*[f"- {line}" for line in only_kafkas], *[f"+ {line}" for line in only_ours],
             *[f"listed, but not so with ours: {e}" for e in idle_ours], *[f"listed, but not so with Kafka: {e}" for e in idle_kafkas]]
    assert not wrong, "\n".join(wrong)
