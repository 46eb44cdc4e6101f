"""kafka-producer-perf-test, kafka-consumer-perf-test, kafka-e2e-latency, kafka-verifiable-producer and -consumer."""
import json
import re

import pytest

from support import tools as tool_processes


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_producer_and_consumer_perf(tools, ok, broker, topic, acks):
    """10,000 records in, 10,000 records out."""
    out = tools.ok("kafka-producer-perf-test", "--topic", topic, "--num-records", 10000, "--record-size", 200,
                   "--throughput", -1, "--command-property", f"bootstrap.servers={broker.address}",
                   f"acks={acks}").out
    assert re.search(r"^10000 records sent, [\d.]+ records/sec", out, re.MULTILINE)
    heading, figures = ok("kafka-consumer-perf-test", "--topic", topic, "--num-records", 10000).lines[-2:]
    assert heading.split(", ")[4] == "data.consumed.in.nMsg"
    assert figures.split(", ")[4] == "10000"


def test_end_to_end_latency(ok, topic):
    """One record at a time, there and back."""
    out = ok("kafka-e2e-latency", "--topic", topic, "--num-records", 200, "--producer-acks", "all", "--record-size", 50).out
    assert re.search(r"^Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+$", out, re.MULTILINE)


def test_verifiable_producer_and_consumer(broker, topic):
    """What the producer says was acknowledged is what the consumer gets, in order."""
    servers = ("--bootstrap-server", broker.address, "--topic", topic, "--max-messages", 500)
    with tool_processes.start("kafka-verifiable-producer", *servers) as producer:
        sent = [json.loads(line) for line in producer.communicate(timeout=60)[0].splitlines()]
    acknowledged = [event for event in sent if event["name"] == "producer_send_success"]
    assert [event["offset"] for event in acknowledged] == list(range(500))
    with tool_processes.start("kafka-verifiable-consumer", *servers, "--group-id", topic, "--reset-policy", "earliest",
                              "--verbose") as consumer:
        read = [json.loads(line) for line in consumer.communicate(timeout=60)[0].splitlines()]
    data = [event for event in read if event["name"] == "record_data"]
    assert [(event["offset"], event["value"]) for event in data] == [(event["offset"], event["value"]) for event in acknowledged]
    assert any(event["name"] == "offsets_committed" and event["success"] for event in read)
