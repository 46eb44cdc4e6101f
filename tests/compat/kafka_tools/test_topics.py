"""kafka-topics: what people see when they create, list, describe and delete topics, word for word."""
import re

import pytest


def error(text):
    return f"Error while executing topic command : {text}"


def describe(text):
    """Topic ids are random."""
    return re.sub(r"TopicId: [A-Za-z0-9_-]{22}\t", "TopicId: ID\t", text)


def test_created_topic_is_listed_and_described(ok, name):
    """--create says so; --list has the name; --describe has one line for the topic and one for each partition."""
    out = ok("kafka-topics", "--create", "--topic", name, "--partitions", 3, "--replication-factor", 1).out
    assert out == f"Created topic {name}.\n"
    assert name in ok("kafka-topics", "--list").lines
    expected = f"Topic: {name}\tTopicId: ID\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: min.insync.replicas=1\n"
    for partition in range(3):
        expected += f"\tTopic: {name}\tPartition: {partition}\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n"
    assert describe(ok("kafka-topics", "--describe", "--topic", name).out) == expected


def test_topic_settings_are_described(ok, name):
    """Settings that were given at creation stand in the first line."""
    ok("kafka-topics", "--create", "--topic", name, "--config", "retention.ms=1000", "--config", "cleanup.policy=compact")
    first = ok("kafka-topics", "--describe", "--topic", name).lines[0]
    settings = first.split("Configs: ")[1].split(",")
    assert sorted(settings) == ["cleanup.policy=compact", "min.insync.replicas=1", "retention.ms=1000"]
    overrides = ok("kafka-topics", "--describe", "--topics-with-overrides").out
    assert f"Topic: {name}\t" in overrides


def test_partitions_default_to_the_brokers_setting(ok, name):
    """Without --partitions and --replication-factor the broker's defaults hold."""
    assert ok("kafka-topics", "--create", "--topic", name).out == f"Created topic {name}.\n"
    assert "\tPartitionCount: 1\tReplicationFactor: 1\t" in ok("kafka-topics", "--describe", "--topic", name).out


def test_partitions_can_be_assigned_by_hand(ok, name):
    """--replica-assignment names the broker of each partition."""
    assert ok("kafka-topics", "--create", "--topic", name, "--replica-assignment", "1,1").out == f"Created topic {name}.\n"
    assert "\tPartitionCount: 2\t" in ok("kafka-topics", "--describe", "--topic", name).out


def test_existing_topic_is_refused(run, topic):
    """A second --create fails, and with --if-not-exists does nothing."""
    result = run("kafka-topics", "--create", "--topic", topic)
    assert (result.code, result.lines[0]) == (1, error(f"Topic '{topic}' already exists."))
    result = run("kafka-topics", "--create", "--if-not-exists", "--topic", topic)
    assert (result.code, result.out) == (0, "")


@pytest.mark.parametrize("bad", ["bad name", "bad/name", "bad:name", "grüße"])
def test_bad_name_is_refused(run, bad):
    """Only letters, digits, point, underscore and hyphen."""
    result = run("kafka-topics", "--create", "--topic", bad)
    reason = f"Topic name is invalid: '{bad}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    assert (result.code, result.lines[0]) == (1, error(reason))


@pytest.mark.parametrize("bad, reason", [
    (".", "Topic name is invalid: '.' is not allowed"),
    ("..", "Topic name is invalid: '..' is not allowed"),
    ("x" * 250, f"Topic name is invalid: the length of '{'x' * 250}' is longer than the max allowed length 249"),
])
def test_names_that_are_no_directories_are_refused(run, bad, reason):
    """A topic's name is the name of directories."""
    result = run("kafka-topics", "--create", "--topic", bad)
    assert result.code == 1
    assert error(reason) in result.lines


def test_colliding_names_are_refused(ok, run, name):
    """Point and underscore are one in the names of metrics."""
    ok("kafka-topics", "--create", "--topic", f"{name}.a")
    result = run("kafka-topics", "--create", "--topic", f"{name}_a")
    assert result.code == 1
    assert error(f"Topic '{name}_a' collides with existing topic: {name}.a") in result.lines


def test_three_replicas_are_refused(run, name):
    """One broker cannot hold three copies."""
    result = run("kafka-topics", "--create", "--topic", name, "--replication-factor", 3)
    assert result.code == 1
    assert result.lines[0].startswith(error(
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 "
        "broker(s) are registered"))


def test_unknown_broker_in_an_assignment_is_refused(run, name):
    """--replica-assignment with a broker that does not exist."""
    result = run("kafka-topics", "--create", "--topic", name, "--replica-assignment", "7")
    assert result.code == 1
    assert result.lines[0].startswith(error("The manual partition assignment includes broker 7, but no such broker is registered"))


@pytest.mark.parametrize("setting, reason", [
    ("retention.ms=x", "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    ("nosuch=x", "Unknown topic config name: nosuch"),
    ("cleanup.policy=keep", "Invalid value keep for configuration cleanup.policy: "
                            "String must be one of: compact, delete"),
])
def test_bad_setting_is_refused(run, name, setting, reason):
    """The error names the setting and what is wrong with it."""
    result = run("kafka-topics", "--create", "--topic", name, "--config", setting)
    assert result.code == 1
    assert result.lines[0].startswith(error(reason))


def test_deleted_topic_is_gone(ok, run, topic):
    """--delete says nothing; afterwards the topic is unknown, and its name is free again."""
    assert ok("kafka-topics", "--delete", "--topic", topic).out == ""
    assert topic not in ok("kafka-topics", "--list").lines
    result = run("kafka-topics", "--describe", "--topic", topic)
    assert (result.code, result.lines[0]) == (1, error(f"Topic '{topic}' does not exist as expected"))
    assert ok("kafka-topics", "--create", "--topic", topic).out == f"Created topic {topic}.\n"


def test_unknown_topic_is_not_deleted(run):
    """--delete of a name that is not there."""
    result = run("kafka-topics", "--delete", "--topic", "no-such-topic")
    assert (result.code, result.lines[0]) == (1, error("Topic 'no-such-topic' does not exist as expected"))
