"""Brokers under test: our own daemon, and Apache Kafka's as one KRaft node. Both are started, stopped and killed alike."""
import os
import re
import signal
import subprocess
import time

from . import paths
from .waiting import until
from .wire import Closed, Wire

FAULT = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|assert failed")

# Small enough for one node, and groups begin at once.
COMMON = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


class Broker:
    """A broker with its own port and folder; the log of all its runs is one file."""

    exit_code_stopped = 0  # of a clean stop on SIGTERM
    ready_seconds = 60

    def __init__(self, folder, port, settings=None):
        self.folder = folder
        self.port = port
        self.data = folder / "data"
        self.settings = dict(settings or {})
        self.log_path = folder / "broker.log"
        self.ready_path = folder / "ready"
        self.prefix = []  # words before the command (mounts.py)
        self.process = None
        self.started_ns = 0
        self.looked_at = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def wire(self, seconds=30):
        return Wire(self.port, seconds)

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def prepare(self):
        """What must be there before a start."""

    def start(self):
        self.launch()
        until(self.is_ready_or_dead, "the broker is ready", self.ready_seconds)
        return self

    def launch(self):
        """A start that nobody waits for."""
        assert self.process is None
        self.prepare()
        self.ready_path.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.started_ns = time.monotonic_ns()
            self.process = subprocess.Popen([*self.prefix, *self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.folder, start_new_session=True)

    def is_ready_or_dead(self):
        assert self.process.poll() is None, f"the broker ended with exit code {self.process.returncode}:\n{self.log_tail()}"
        return self.is_ready()

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        code = self.process.wait(seconds)
        self.process = None
        return code

    def stop(self):
        """A clean stop; fails on any other exit code."""
        self.send_signal(signal.SIGTERM)
        code = self.wait()
        assert code == self.exit_code_stopped, f"exit code {code} after SIGTERM:\n{self.log_tail()}"

    def kill(self):
        self.send_signal(signal.SIGKILL)
        self.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=80):
        return "\n".join(self.log().splitlines()[-lines:])

    def check(self):
        """Alive, and no sanitizer or assertion spoke since the last look."""
        assert self.process is None or self.process.poll() is None, (
            f"the broker ended by itself, exit code {self.process.returncode}:\n{self.log_tail()}")
        text = self.log()
        new, self.looked_at = text[self.looked_at:], len(text)
        assert not FAULT.search(new), f"the broker reports a fault:\n{new[-8000:]}"


class Barnabas(Broker):
    """Our daemon."""

    program = None  # set from --broker

    def command(self):
        settings = {"listeners": f"PLAINTEXT://{self.address}", "log.dirs": str(self.data), **COMMON, **self.settings}
        words = [self.program, "--ready-file", self.ready_path]
        for name, value in settings.items():
            words += ["--override", f"{name}={value}"]
        return [str(word) for word in words]

    def is_ready(self):
        return self.ready_path.exists()


class Kafka(Broker):
    """Apache Kafka, broker and controller in one process. It takes port and port + 10000."""

    exit_code_stopped = 143
    ready_seconds = 120
    machine = ("-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")  # small and soon ready

    def properties(self):
        controller = self.port + 10000
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            **COMMON, **self.settings,
        }

    def java(self, *words):
        return ["java", *self.machine, "-cp", paths.BROKER_CLASSES, *[str(word) for word in words]]

    def prepare(self):
        file = self.folder / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in self.properties().items()))
        if not (self.data / "meta.properties").exists():
            cluster = "AAAAAAAAAAAAAAAAAAAAAQ"
            subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", file), check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self):
        return self.java("kafka.Kafka", self.folder / "server.properties")

    def is_ready(self):
        try:
            with self.wire(5) as wire:
                return wire.broker_count() == 1
        except (OSError, Closed):
            return False


class Ports:
    """Free ports below the range that the system gives to outgoing connections, a range of its own for each worker."""

    def __init__(self, worker):
        self.next = 12000 + 1000 * worker + os.getpid() % 500

    def take(self):
        while True:
            self.next += 1
            if all(self.is_free(port) for port in (self.next, self.next + 10000)):
                return self.next

    @staticmethod
    def is_free(port):
        import socket  # pylint: disable=import-outside-toplevel
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True
