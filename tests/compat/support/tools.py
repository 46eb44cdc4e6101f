"""Apache Kafka's command-line tools, by the names of their scripts."""
import dataclasses
import select
import struct
import subprocess
import time

from . import paths

MAIN = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "java-client": "Client",
}
JVM = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256M", "-cp", paths.TOOL_CLASSES]


@dataclasses.dataclass
class Result:
    """How a tool ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()


class Tools:
    """Runs tools one after the other in one JVM (java/ToolServer.java)."""

    def __init__(self):
        self.process = None

    def run(self, tool, *args, stdin=b"", seconds=60):
        """The Result of a tool, whatever its exit code."""
        if self.process is None:
            self.process = subprocess.Popen([*JVM, "ToolServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            bufsize=0)
        words = [MAIN[tool], *[str(arg) for arg in args]]
        request = struct.pack(">i", len(words))
        for word in [*[word.encode() for word in words], stdin if isinstance(stdin, bytes) else stdin.encode()]:
            request += struct.pack(">i", len(word)) + word
        self.process.stdin.write(request)
        self.process.stdin.flush()
        deadline = time.monotonic() + seconds
        try:
            code = struct.unpack(">i", self.receive(4, deadline))[0]
            texts = [self.receive(struct.unpack(">i", self.receive(4, deadline))[0], deadline) for _ in range(2)]
        except Exception:
            self.close()
            raise
        return Result(code, *[text.decode(errors="replace") for text in texts])

    def ok(self, tool, *args, **options):
        """What a tool printed; it must have ended well."""
        result = self.run(tool, *args, **options)
        assert result.code == 0, f"{tool} ended with {result.code}:\n{result.out}\n{result.err}"
        return result

    def receive(self, n, deadline):
        data = b""
        file = self.process.stdout
        while len(data) < n:
            ready, _, _ = select.select([file], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the tool did not end in time"
            piece = file.read(n - len(data))
            assert piece, "the tool ended its process"
            data += piece
        return data

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def start(tool, *args):
    """A tool in a process of its own, with pipes; for those that run until they are told to stop."""
    return subprocess.Popen([*JVM, MAIN[tool], *[str(arg) for arg in args]], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
