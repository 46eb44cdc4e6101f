"""Groups of ten consumers of librdkafka, franz-go, kafkajs, kafka-python and aiokafka."""
import pytest

from .story import franz, node, python, tell


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "consumer"])
def test_librdkafka(make_broker, name, record_property, strategy):
    tell(make_broker, name, record_property, python("confluent"), strategy)


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["range", "roundrobin"])
def test_librdkafka_eager(make_broker, name, record_property, strategy):
    tell(make_broker, name, record_property, python("confluent"), strategy)


def test_franz(make_broker, name, record_property):
    tell(make_broker, name, record_property, franz(), "cooperative-sticky")


def test_franz_static(make_broker, name, record_property):
    tell(make_broker, name, record_property, franz(), "cooperative-sticky", static=True)


def test_kafkajs(make_broker, name, record_property):
    tell(make_broker, name, record_property, node(), "roundrobin")


def test_kafka_python(make_broker, name, record_property):
    # a process for each member: the more threads there are, the more often its own race for what they share (member.py)
    tell(make_broker, name, record_property, python("kafka-python"), "roundrobin", apart=True)


def test_aiokafka(make_broker, name, record_property):
    tell(make_broker, name, record_property, python("aiokafka"), "range")
