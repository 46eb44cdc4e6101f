"""Groups of ten Java consumers."""
import pytest

from .story import JAVA, tell


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "consumer"])
def test_java(make_broker, name, record_property, strategy):
    tell(make_broker, name, record_property, JAVA, strategy)


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["range", "roundrobin", "sticky"])
def test_java_older_assignors(make_broker, name, record_property, strategy):
    tell(make_broker, name, record_property, JAVA, strategy)


def test_java_static(make_broker, name, record_property):
    tell(make_broker, name, record_property, JAVA, "cooperative-sticky", static=True)
