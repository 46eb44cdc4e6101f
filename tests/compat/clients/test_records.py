"""Records of every shape, in every codec, from every client to every client."""
import pytest

from support.records import CODECS, Record, samples


@pytest.mark.parametrize("codec", CODECS)
def test_every_client_reads_what_a_client_wrote(client, every_client, broker, topic, codec):
    """Key, value, headers and timestamp come back as they went, null and empty apart, whoever reads."""
    records = samples()
    assert client.produce(broker.address, topic, records, codec) == list(range(len(records)))
    expected = list(enumerate(records))
    for reader in every_client:
        assert reader.consume(broker.address, topic, len(records)) == expected


@pytest.mark.parametrize("idempotent", [False, True])
def test_many_records_in_order(client, broker, topic, idempotent):
    """3,000 records in several batches keep their order, with and without a producer id."""
    start = samples()[0].timestamp
    records = [Record(start + i, b"%d" % (i % 7), b"value %d" % i) for i in range(3000)]
    assert client.produce(broker.address, topic, records, "lz4", idempotent) == list(range(3000))
    assert client.consume(broker.address, topic, 3000) == list(enumerate(records))


def test_producers_take_turns(client, broker, topic):
    """A second producer, with a producer id of its own, goes on where the first one stopped."""
    records = samples()
    n = len(records)
    assert client.produce(broker.address, topic, records) == list(range(n))
    assert client.produce(broker.address, topic, records) == list(range(n, 2 * n))
    assert client.ends(broker.address, topic) == (0, 2 * n)


def test_seek(client, broker, topic):
    """Reading from the middle begins with exactly that record, be it in the middle of a batch."""
    records = samples()
    client.produce(broker.address, topic, records, "gzip")
    for start in (1, 5, len(records) - 1):
        assert client.consume(broker.address, topic, len(records) - start, start) == list(enumerate(records))[start:]


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_offsets_for_times(client, broker, topic, codec):
    """The first record whose timestamp is at least the given one: in the middle of a batch too; none after the last."""
    records = samples()
    client.produce(broker.address, topic, records[:6], codec)
    client.produce(broker.address, topic, records[6:], codec)
    start = records[0].timestamp
    asked = [0, start, start + 1, start + 3000, start + 3500, start + 9000, start + 9001]
    assert client.offsets_for_times(broker.address, topic, asked) == [0, 0, 1, 3, 4, 9, -1]
