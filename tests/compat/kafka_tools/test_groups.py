"""kafka-consumer-groups and kafka-groups on classic groups."""
import pytest

COLUMNS = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"]


@pytest.fixture
def group(ok, broker, topic):
    """A group, named as its topic, that has read 3 of 5 records and has no member."""
    ok("kafka-console-producer", "--topic", topic, stdin="1\n2\n3\n4\n5\n")
    ok("kafka-console-consumer", "--topic", topic, "--group", topic, "--from-beginning", "--max-messages", 3)
    return topic


def rows(result):
    return [line.split() for line in result.lines if line]


def offsets(ok, group):
    """(committed, end, lag) of the group's only partition."""
    table = rows(ok("kafka-consumer-groups", "--describe", "--group", group))
    assert table[0] == COLUMNS
    assert [row[:3] for row in table[1:]] == [[group, group, "0"]]
    return tuple(int(word) for word in table[1][3:6])


def test_describe_shows_offsets_and_lag(ok, group):
    """Committed offset, end and lag."""
    assert offsets(ok, group) == (3, 5, 2)


def test_describe_shows_state_and_members(ok, broker, group):
    """--state of a group without members; --members has only the heading."""
    table = rows(ok("kafka-consumer-groups", "--describe", "--group", group, "--state"))
    assert table[0] == ["GROUP", "COORDINATOR", "(ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]
    assert table[1] == [group, broker.address, "(1)", "-", "Empty", "0"]
    members = ok("kafka-consumer-groups", "--describe", "--group", group, "--members")
    assert rows(members) == [["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"]]


def test_group_is_listed(ok, group):
    """--list, with its state too; and kafka-groups, with its type."""
    assert group in ok("kafka-consumer-groups", "--list").lines
    assert [group, "Empty"] in rows(ok("kafka-consumer-groups", "--list", "--state"))
    assert group not in ok("kafka-consumer-groups", "--list", "--state", "Stable").out.split()
    assert [group, "Classic", "consumer"] in rows(ok("kafka-groups", "--list"))


def test_unknown_group(run):
    """--describe and --delete of a group that is not there."""
    result = run("kafka-consumer-groups", "--describe", "--group", "no-such-group")
    assert "GroupIdNotFoundException: Group no-such-group not found." in result.out
    result = run("kafka-consumer-groups", "--delete", "--group", "no-such-group")
    assert ("* Group 'no-such-group' could not be deleted due to: "
            "org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.") in result.lines


@pytest.mark.parametrize("where, expected", [
    (("--to-earliest",), 0), (("--to-latest",), 5), (("--shift-by", "-1"), 2), (("--shift-by", "100"), 5),
    (("--to-offset", "4"), 4), (("--to-current",), 3), (("--to-datetime", "2001-01-01T00:00:00.000"), 0),
])
def test_offsets_are_reset(ok, group, where, expected):
    """--reset-offsets in each way; --dry-run changes nothing, --execute does."""
    reset = ("kafka-consumer-groups", "--reset-offsets", "--group", group, "--topic", group, *where)
    table = [["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"], [group, group, "0", str(expected)]]
    assert rows(ok(*reset, "--dry-run")) == table
    assert offsets(ok, group)[0] == 3
    assert rows(ok(*reset, "--execute")) == table
    assert offsets(ok, group)[0] == expected


def test_offsets_are_deleted(ok, group):
    """--delete-offsets of one topic."""
    table = rows(ok("kafka-consumer-groups", "--delete-offsets", "--group", group, "--topic", group))
    assert [group, "0", "Successful"] in table


def test_group_is_deleted(ok, group):
    """--delete of a group without members: it is gone."""
    out = ok("kafka-consumer-groups", "--delete", "--group", group).out
    assert out == f"Deletion of requested consumer groups ('{group}') was successful.\n"
    assert group not in ok("kafka-consumer-groups", "--list").lines
