"""Running the programs of a load, and taking in what they say."""
import subprocess
import sys
import threading
import time

from .. import paths

JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx192M", "-cp", paths.TOOL_CLASSES, "Load"]
PROGRAMS = {
    "java": JAVA,
    "rdkafka": [sys.executable, "-B", str(paths.COMPAT / "support/load/rdkafka.py")],
    "own": [str(paths.BUILD / "own_producer")],
}


class Client:
    """One program with its roles, each [kind, name, topic, ...]."""

    def __init__(self, program, address, roles, facts, folder):
        self.facts = facts
        self.roles = {role[1]: role for role in roles}
        self.running = set(self.roles)
        self.errors = folder / f"{program}-{roles[0][1]}.err"
        words = [*PROGRAMS[program], address, *[":".join(str(word) for word in role) for role in roles]]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                            start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.take(line.rstrip("\n"))
            except (ValueError, KeyError, IndexError) as error:
                self.facts.fault(f"{line!r}: {error!r}")

    def take(self, line):
        kind, name, rest = (line + " ").split(" ", 2)
        role = self.roles[name]
        if kind == "ack":
            self.facts.ack(name, *[int(word) for word in rest.split()])
        elif kind == "record":
            partition, offset, producer, number, length = rest.split()
            self.facts.record(name, role[2], int(partition), int(offset), producer, int(number), int(length))
        elif kind == "commit":
            partition, offset = rest.split()
            self.facts.commit(role[3], role[2], int(partition), int(offset))
        elif kind == "done":
            self.running.discard(name)
        elif kind == "note":
            self.facts.notes.append(line)
        else:
            self.facts.fault(line)

    def end_input(self):
        self.process.stdin.close()

    def wait(self, deadline):
        """Everything is acknowledged and the program has ended."""
        try:
            code = self.process.wait(max(deadline - time.monotonic(), 0.1))
            self.reader.join(60)
        except subprocess.TimeoutExpired:
            code = "no end in time"
        if code != 0 or self.running:
            self.facts.fault(f"{self.errors.stem}: {code}, {sorted(self.running)} are not done: {self.errors.read_text()[-2000:]}")
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()
