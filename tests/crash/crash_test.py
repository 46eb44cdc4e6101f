"""Kills the broker under load again and again, and checks that nothing of what it promised is lost.

    scripts/crash-test [N]                 25 cycles, or N
    scripts/crash-test 200 --seed 7        the same moments again (not the same interleaving: those are real processes)
    scripts/crash-test --build asan        release, unless told otherwise

Each cycle: the clients of tests/compat/support/load run for a random time, kill -9, start on the same directory at once (one start in
five is killed itself, at a random moment), then the check: every offset that was acknowledged or read is there with the same record,
producers' records are in order and without gaps, those of idempotent producers are there once, committed offsets do not go back. Every 25
cycles, and at the end, everything is read from the beginning, and the directory is read by tests/tools/read_dir.py; at the end by
kafka-dump-log too. One line for each cycle, one at the end. Exit code 1, and the directory is left, when anything is wrong.
"""
import argparse
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/compat"))
from support import brokers, dumping  # noqa: E402  pylint: disable=wrong-import-position
from support.load.workload import Workload, full_plan  # noqa: E402  pylint: disable=wrong-import-position
from support.tools import Tools  # noqa: E402  pylint: disable=wrong-import-position

FULL_EVERY = 25
START_KILLED_SHARE = 0.2
RUN_SECONDS_MAX = 1.5
START_SECONDS_MAX = 0.1
JOURNALS = (0, 65536, 1048576, 67108864)


class CrashTest:
    """One run: a broker, its clients, a random number generator."""

    def __init__(self, arguments, folder):
        self.random = random.Random(arguments.seed)
        self.cycles, self.folder = arguments.cycles, folder
        settings = {"log.segment.bytes": "1048576", "log.index.interval.bytes": str(self.random.choice((512, 4096))),
                    "log.journal.bytes": str(self.random.choice(JOURNALS)), "offsets.topic.num.partitions": "3",
                    "offsets.topic.segment.bytes": "1048576"}
        self.broker = brokers.Barnabas(folder, arguments.port or brokers.Ports(9).take(), settings)
        self.load = Workload(self.broker, folder / "clients", full_plan(arguments.rate))
        self.starts_ms = []
        self.killed_starts = 0

    def run(self):
        self.broker.start()
        self.load.start()
        self.load.wait_until_all_work(120)
        for cycle in range(1, self.cycles + 1):
            self.cycle(cycle)
        self.load.finish()
        self.broker.check()
        self.broker.stop()
        self.read_directory()
        self.dump()

    def cycle(self, number):
        ran = self.random.uniform(0, RUN_SECONDS_MAX)
        time.sleep(ran)
        self.load.verify()
        before = self.load.facts.acknowledged
        self.broker.kill()
        full = number % FULL_EVERY == 0
        if full:
            self.read_directory()
        started = self.restart()
        self.load.check(full)
        self.broker.check()
        print(f"cycle {number}: killed after {ran:.3f} s with {before} records acknowledged; started in {started:.0f} ms; "
              f"{self.load.facts.acknowledged} acknowledged, {self.load.facts.read} read", flush=True)

    def restart(self):
        """The time from exec to ready, in milliseconds, of the start that came through."""
        while self.random.random() < START_KILLED_SHARE:
            self.broker.launch()
            time.sleep(self.random.uniform(0, START_SECONDS_MAX))
            self.broker.kill()
            self.killed_starts += 1
        self.broker.start()
        self.starts_ms.append((time.monotonic_ns() - self.broker.started_ns) / 1e6)
        return self.starts_ms[-1]

    def read_directory(self):
        done = subprocess.run([sys.executable, "-B", ROOT / "tests/tools/read_dir.py", self.broker.data], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"read_dir.py:\n{done.stdout[-4000:]}"

    def dump(self):
        tools = Tools()
        try:
            dumping.check_all(tools, self.broker)
        finally:
            tools.close()

    def summary(self):
        facts = self.load.facts
        times = (f"{statistics.median(self.starts_ms):.0f} ms median, {max(self.starts_ms):.0f} ms max" if self.starts_ms else "none")
        repeated = sum(log.repeated for log in facts.logs.values())
        return (f"{len(self.starts_ms)} cycles, {self.killed_starts} starts killed, {facts.acknowledged} records acknowledged, "
                f"{facts.read} read, {repeated} repeated by plain producers; restart {times}")

    def end(self):
        self.load.kill()
        if self.broker.process is not None:
            self.broker.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="crash-test")
    parser.add_argument("cycles", nargs="?", type=int, default=25, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=400, help="records a second of one producer, about (400)")
    parser.add_argument("--port", type=int)
    parser.add_argument("--broker", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    brokers.Barnabas.program = arguments.broker.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crash-test-"))
    test = CrashTest(arguments, folder)
    failure = None
    try:
        test.run()
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        failure = error
    finally:
        test.end()
    if failure is not None:
        print(f"{failure}\nleft behind: {folder} (data, broker.log, clients/)")
    else:
        shutil.rmtree(folder)
    print(f"crash-test: seed {arguments.seed}: {'FAILED' if failure else 'ok'}: {test.summary()}")
    sys.exit(1 if failure else 0)


if __name__ == "__main__":
    main()
