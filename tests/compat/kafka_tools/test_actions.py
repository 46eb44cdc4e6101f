"""Every action of Kafka's tools, side by side: the same command on our broker and on Apache Kafka, the same answer. The commands are the
tables in actions/, in this order.
"""
import pytest

from kafka_tools.actions import cluster, configs, files, partitions, topics, transactions
from support.brokers import Kafka
from support.side_by_side import Side, check_action

pytestmark = pytest.mark.barnabas  # Kafka is there anyway

TABLES = (topics, configs, partitions, cluster, transactions, files)


@pytest.fixture(scope="module")
def sides(kind, ports, tmp_path_factory):
    """Ours, Kafka's."""
    made = []
    try:
        for name, broker in (("ours", kind), ("kafka", Kafka)):
            made.append(Side(broker(tmp_path_factory.mktemp(name), ports.take(), {"auto.create.topics.enable": "false"})))
        yield made
        for side in made:
            side.broker.check()
    finally:
        for side in made:
            side.kill()


@pytest.mark.parametrize("action", [action for table in TABLES for action in table.ACTIONS], ids=repr)
def test_action(tools, sides, tmp_path, action):
    """The same exit code and the same text."""
    check_action(tools, sides, action, tmp_path)
