"""Transactional producers that do what they are told, one step at a time: in a process of Java or Go, or librdkafka's in this one.

Each answer is "ok", "fenced", or "error ...". README.md says what they can be told.
"""
import subprocess

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from support import paths

JAVA = ["java", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp"]
OLDER = f"{paths.JARS / 'older'}/*:{paths.TOOL_CLASSES}"  # the client of Kafka 3.9, from before KIP-890
FRANZ = paths.BUILD / "franz_transformer"
FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)  # pylint: disable=protected-access


class Shell:
    """A process of many producers, each with a name."""

    def __init__(self, command, address):
        self.process = subprocess.Popen([*command, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)

    def ask(self, name, *words):
        self.process.stdin.write(" ".join([name, *map(str, words)]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer, "the program ended"
        return answer

    def end(self):
        self.process.kill()
        self.process.wait()


class Confluent:
    """The same with librdkafka."""

    def __init__(self, address):
        self.address = address
        self.producers = {}

    def ask(self, name, verb, *words):
        try:
            getattr(self, verb)(name, *words)
            return "ok"
        except KafkaException as exception:
            return "fenced" if exception.args[0].code() in FENCED else f"error {exception.args[0]}"

    def init(self, name, transactional_id, timeout_ms):
        self.producers[name] = Producer({"bootstrap.servers": self.address, "transactional.id": transactional_id, "log_level": 0,
                                         "transaction.timeout.ms": timeout_ms, "message.timeout.ms": timeout_ms})
        self.producers[name].init_transactions(60)

    def begin(self, name):
        self.producers[name].begin_transaction()

    def send(self, name, topic, value):
        failed = []
        self.producers[name].produce(topic, value, partition=0, on_delivery=lambda error, _: failed.append(error))
        assert self.producers[name].flush(60) == 0
        if failed[0] is not None:
            raise KafkaException(failed[0])

    def offset(self, name, group, topic, offset):
        nobody = Consumer({"bootstrap.servers": self.address, "group.id": group})
        self.producers[name].send_offsets_to_transaction([TopicPartition(topic, 0, offset)], nobody.consumer_group_metadata(), 60)
        nobody.close()

    def commit(self, name):
        self.producers[name].commit_transaction(60)

    def abort(self, name):
        self.producers[name].abort_transaction(60)

    def end(self):
        self.producers.clear()


SHELLS = {
    "java": lambda address: Shell([*JAVA, paths.TOOL_CLASSES, "TransactionShell"], address),
    "java-3.9": lambda address: Shell([*JAVA, OLDER, "TransactionShell"], address),
    "librdkafka": Confluent,
    "franz-go": lambda address: Shell([FRANZ, "shell"], address),
}
