"""Ten members of a group, and what happens to them: processes of members, a producer, and the book of what they say."""
import collections
import subprocess
import threading
import time

from confluent_kafka import Producer

from support.waiting import until

PARTITIONS = 30
QUIET_SECONDS = 1.0  # a group that says nothing new for so long has settled


class Book:
    """What all members have said."""

    def __init__(self):
        self.lock = threading.Lock()
        self.live = set()
        self.held = {}
        self.changed = 0.0
        self.joined = 0.0  # when the last member began to join: what came before is the start of its process
        self.seen = collections.defaultdict(set)

    def hear(self, line):
        name, word, *rest = line.split(" ")
        with self.lock:
            if word == "record":
                self.seen[int(rest[0])].add(int(rest[1]))
            elif word == "assigned":
                self.held[name] = {int(partition) for partition in rest[0].split(",") if partition}
                self.changed = time.monotonic()
            elif word == "joins":
                self.joined = self.changed = time.monotonic()
            else:
                raise ValueError(line)

    def settled(self):
        """When: every partition has one owner, every member has one at least, and it stayed so for a while."""
        with self.lock:
            owned = [p for name in self.live for p in self.held.get(name, ())]
            everybody = all(self.held.get(name) for name in self.live)
            quiet = time.monotonic() - self.changed >= QUIET_SECONDS
            return self.changed if everybody and quiet and sorted(owned) == list(range(PARTITIONS)) else None

    def has_seen(self, records):
        with self.lock:
            return all(offset in self.seen[partition] for partition, offset in records)

    def missing(self, records):
        with self.lock:
            return [(p, offset) for p, offset in records if offset not in self.seen[p]][:10]


class Members:
    """Some members, in one process or in a process each."""

    def __init__(self, book, command, names, apart):
        self.book, self.names = book, set(names)
        with book.lock:
            for name in names:
                book.held.pop(name, None)
            book.live |= self.names
        self.processes = [subprocess.Popen([*command, *some], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                          for some in ([[name] for name in names] if apart else [names])]
        for process in self.processes:
            threading.Thread(target=self.read, args=(process,), daemon=True).start()

    def read(self, process):
        for line in process.stdout:
            if line.endswith("\n"):  # a kill cuts lines
                self.book.hear(line[:-1])

    def forget(self):
        with self.book.lock:
            self.book.live -= self.names
            self.book.changed = time.monotonic()

    def leave(self):
        self.forget()
        for process in self.processes:
            process.stdin.write("leave\n")
            process.stdin.close()

    def crash(self):
        self.forget()
        self.end()

    def exit_codes(self, seconds):
        return {process.wait(seconds) for process in self.processes}

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


class Production:
    """Records to all partitions, all the time; keeps what was acknowledged, in order."""

    def __init__(self, address, topic):
        self.topic = topic
        self.acked = []
        self.producer = Producer({"bootstrap.servers": address, "acks": "all", "linger.ms": 5, "message.timeout.ms": 60000,
                                  "reconnect.backoff.max.ms": 500, "log_level": 0})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        n = 0
        while not self.stopping.wait(0.02):
            for _ in range(5):
                self.producer.produce(self.topic, str(n), partition=n % PARTITIONS, on_delivery=self.delivered)
                n += 1
            self.producer.poll(0)

    def delivered(self, error, record):
        if error is None:
            self.acked.append((record.partition(), record.offset()))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        assert self.producer.flush(60) == 0
        return self.acked


class Crowd:
    """The members, the producer, and the seconds that each event took."""

    def __init__(self, address, topic, command, apart=False):
        self.command, self.apart = command, apart
        self.book = Book()
        self.groups = []
        self.seconds = {}
        self.production = Production(address, topic)

    def join(self, *names):
        self.groups.append(Members(self.book, self.command, names, self.apart))
        return self.groups[-1]

    def settle(self, what, event, seconds=60):
        """Lets something happen, and waits until the group has settled."""
        begin = time.monotonic()
        result = event()
        settled = until(self.book.settled, lambda: f"the group settles after: {what}; {self.book.held}", seconds)
        self.seconds[what] = max(0.0, settled - max(begin, self.book.joined))
        return result

    def goes_on(self, what, seconds=60):
        """Waits until a record of each partition that was produced from now on has been read."""
        begin, known = time.monotonic(), len(self.production.acked)

        def one_of_each():
            fresh = dict(reversed(self.production.acked[known:]))
            return len(fresh) == PARTITIONS and self.book.has_seen(fresh.items())

        until(one_of_each, lambda: f"every partition is read after: {what}; {self.book.held}", seconds)
        self.seconds[what] = time.monotonic() - begin

    def everything_was_read(self, seconds=60):
        acked = self.production.stop()
        assert acked
        try:
            until(lambda: self.book.has_seen(acked), "every acknowledged record is read", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; not read: {self.book.missing(acked)}") from error

    def end(self):
        self.production.stopping.set()
        for members in self.groups:
            members.end()
