"""Consumer groups, as each client speaks the protocol."""
import pytest

from support.records import Record, samples


def numbered(first, n):
    start = samples()[0].timestamp
    return [Record(start + i, None, b"%d" % i) for i in range(first, first + n)]


def test_group_resumes_where_it_committed(client, broker, topic):
    """A second consumer of the group gets only what came after the commit."""
    client.produce(broker.address, topic, numbered(0, 20))
    first = client.member(broker.address, topic, topic)
    assert first.wait_received(20) == [(0, i, b"%d" % i) for i in range(20)]
    first.close()
    client.produce(broker.address, topic, numbered(20, 5))
    second = client.member(broker.address, topic, topic)
    assert second.wait_received(5) == [(0, i, b"%d" % i) for i in range(20, 25)]
    second.close()


def test_without_commit_all_comes_again(client, broker, topic):
    """Who leaves without a commit leaves nothing behind."""
    client.produce(broker.address, topic, numbered(0, 3))
    for _ in range(2):
        member = client.member(broker.address, topic, topic)
        assert [offset for _, offset, _ in member.wait_received(3)] == [0, 1, 2]
        member.close(commit=False)


def test_two_members_share_the_partitions(client, broker, name):
    """One has all; with a second one each has half; when that leaves, the first has all again."""
    with broker.wire() as wire:
        assert wire.create_topic(name, 4) == 0
    first = client.member(broker.address, name, name)
    assert first.wait_assigned(4) == {0, 1, 2, 3}
    second = client.member(broker.address, name, name)
    mine, other = first.wait_assigned(2), second.wait_assigned(2)
    assert mine | other == {0, 1, 2, 3}
    second.close()
    assert first.wait_assigned(4) == {0, 1, 2, 3}
    first.close()


@pytest.mark.parametrize("codec", ["none", "snappy"])
def test_waiting_member_gets_new_records(client, broker, topic, codec):
    """Who waits at the end gets what is produced then."""
    member = client.member(broker.address, topic, topic)
    member.wait_assigned(1)
    client.produce(broker.address, topic, numbered(0, 10), codec)
    assert [value for _, _, value in member.wait_received(10)] == [b"%d" % i for i in range(10)]
    member.close()
