"""Read, transform and produce in transactions, exactly once, whatever happens to workers and broker."""
import random
import sys
import time

import pytest

from support import paths

from .pipeline import SETTINGS, Pipeline, verify

JAVA = ["java", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp"]
COMMANDS = {
    "java": [*JAVA, paths.TOOL_CLASSES, "Transformer"],
    "java-consumer-protocol": [*JAVA, paths.TOOL_CLASSES, "-Dgroup.protocol=consumer", "Transformer"],  # KIP-848
    # The client before KIP-890: its epoch stays, and it names each partition before the first write.
    "java-3.9": [*JAVA, f"{paths.JARS / 'older'}/*:{paths.TOOL_CLASSES}", "Transformer"],
    "librdkafka": [sys.executable, "-B", str(paths.COMPAT / "transactions/worker.py")],
    "franz-go": [str(paths.BUILD / "franz_transformer")],
}


@pytest.fixture(params=COMMANDS)
def pipeline(request, make_broker, name):
    pipeline = Pipeline(make_broker(SETTINGS).start(), name, COMMANDS[request.param])
    try:
        for _ in range(2):
            pipeline.start()
        yield pipeline
    finally:
        pipeline.end()


def check_end(pipeline, tools, record_property):
    expected = pipeline.finish()
    aborted = verify(pipeline.broker, pipeline.topics, pipeline.group, expected, tools)
    record_property("transactions", f"{sum(expected.values())} records exactly once, {aborted} more in aborted transactions; "
                    f"{dict(pipeline.said.counts)}")


def test_exactly_once(pipeline, tools, record_property):
    """One of each: crashes, a broker that is stopped and killed, two with one transactional id."""
    pipeline.goes_on()
    for event in (pipeline.crash_for_good, pipeline.stop_broker, pipeline.fence, pipeline.kill_broker, pipeline.crash_and_return):
        event()
        pipeline.goes_on()
    check_end(pipeline, tools, record_property)
    assert pipeline.said.counts["fenced"] > 0
    assert pipeline.said.counts["aborted"] > 0


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_exactly_once_for_long(request, pipeline, tools, record_property):
    """The same at random, and workers that stand still for a while."""
    deadline = time.monotonic() + request.config.getoption("--loop-seconds")
    chance = random.Random(request.config.getoption("--loop-seed"))
    events = (pipeline.crash_for_good, pipeline.crash_and_return, pipeline.fence, pipeline.freeze, pipeline.stop_broker,
              pipeline.kill_broker)
    pipeline.goes_on()
    while time.monotonic() < deadline:
        chance.choice(events)()
        pipeline.goes_on(120)
        time.sleep(chance.random() * 3)
    check_end(pipeline, tools, record_property)
