"""Kafka's tools, with the shared broker's address filled in."""
import pytest


@pytest.fixture
def run(tools, broker):
    """run(tool, args...): a Result, whatever the exit code."""
    def call(tool, *args, **options):
        return tools.run(tool, "--bootstrap-server", broker.address, *args, **options)
    return call


@pytest.fixture
def ok(tools, broker):
    """ok(tool, args...): a Result; the tool must have ended well."""
    def call(tool, *args, **options):
        return tools.ok(tool, "--bootstrap-server", broker.address, *args, **options)
    return call
