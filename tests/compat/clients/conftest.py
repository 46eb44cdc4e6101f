"""Each test of this folder runs with each client."""
import pytest

from clients import adapters


@pytest.fixture(params=["java", "confluent", "kafka_python"])
def client(request, tools):
    return {"java": lambda: adapters.Java(tools), "confluent": adapters.Confluent,
            "kafka_python": adapters.KafkaPython}[request.param]()


@pytest.fixture
def every_client(tools):
    return [adapters.Java(tools), adapters.Confluent(), adapters.KafkaPython()]
