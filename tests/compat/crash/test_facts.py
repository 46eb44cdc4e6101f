"""The checker of the load finds what it is there to find (support/load/facts.py)."""
import pytest

from support.load.facts import Facts


@pytest.fixture
def facts():
    """An idempotent and a plain producer; of the first, 0 to 2 are acknowledged and read."""
    facts = Facts()
    facts.add_producer("once", "topic", 10, True)
    facts.add_producer("plain", "topic", 10, False)
    facts.ack("once", 0, 0, 0, 3)
    for number in range(3):
        read(facts, number, "once", number)
    return facts


def read(facts, offset, name, number):
    facts.record("a reader", "topic", 0, offset, name, number, facts.producers[name].length(number))


def order(facts, end):
    facts.check_order("topic", 0, end, facts.bounds()["topic", 0][1])
    return " ".join(facts.faults)


def test_sound(facts):
    assert order(facts, 3) == ""


def test_changed_record(facts):
    read(facts, 1, "once", 7)
    assert facts.faults == ["topic-0 offset 1: a reader says once 7, before it was once 1"]


def test_wrong_value(facts):
    facts.record("a reader", "topic", 0, 3, "once", 3, 1)
    assert "which nobody wrote" in facts.faults[0]


def test_acknowledged_at_another_offset(facts):
    facts.ack("once", 0, 3, 3, 1)
    read(facts, 3, "plain", 0)
    assert facts.faults == ["topic-0 offset 3: a reader says plain 0, before it was once 3"]


def test_twice(facts):
    read(facts, 3, "once", 2)
    assert order(facts, 4) == "topic-0 offset 3: once 2, where 3 is due"


def test_gap(facts):
    read(facts, 3, "once", 4)
    assert order(facts, 4) == "topic-0 offset 3: once 4, where 3 is due"


def test_plain_producers_may_repeat_and_leave_no_gap(facts):
    for offset, number in enumerate((0, 1, 0, 1, 2), 3):
        read(facts, offset, "plain", number)
    assert order(facts, 8) == ""
    read(facts, 8, "plain", 4)
    assert order(facts, 9) == "topic-0 offset 8: plain 4, where 3 is due"


def test_unread_offset(facts):
    read(facts, 4, "plain", 0)
    assert order(facts, 5) == "topic-0 offset 3 was not read"


def test_acknowledged_without_an_offset_and_lost(facts):
    facts.ack("once", 0, -1, 3, 1)
    assert order(facts, 3) == "topic-0: once was acknowledged up to 3, the log has it up to 2"


def test_commit_that_goes_back(facts):
    key = "group", "topic", 0
    facts.commit(*key, 3)
    facts.see_commit(key, 3, 3)
    facts.see_commit(key, 2, 3)
    assert facts.faults == [f"committed offset of {key}: 2, 3 a member was told", f"committed offset of {key}: 2, 3 was read before"]
