"""What no client should send costs at most its own connection."""
import contextlib
import struct

import pytest

from support import wire as w
from support.waiting import until


@pytest.fixture
def still_serves(broker, topic):
    """After the test a record goes in and comes out, on a connection that was there before and on a new one."""
    with broker.wire() as before:
        before.api_versions()
        yield
        data = w.batch([b"after"])
        for wire in (before, broker.wire()):
            with wire:
                error, offset = wire.produce(topic, data)
                assert error == w.NONE
                assert wire.fetch(topic, offset)[2][61:] == data[61:]


@pytest.mark.parametrize("length", [-1, -2**31, 2**31 - 1, 104857601])
def test_impossible_frame_length(broker, still_serves, length):
    """A negative frame, or one above socket.request.max.bytes, closes the connection."""
    with broker.wire() as wire:
        wire.socket.sendall(struct.pack(">i", length) + b"x" * 100)
        wire.expect_closed()


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 600,
    b"\0\0\0\4\xff\xff\xff\xff", b"\0\0\0\2\0\0", b"\0\0\0\0",
], ids=["http", "tls", "no-api", "short-header", "empty"])
def test_garbage(broker, still_serves, garbage):
    """Another protocol, or a frame without a whole header."""
    with broker.wire() as wire:
        wire.socket.sendall(garbage)
        wire.expect_closed()


@pytest.mark.parametrize("key, version, body", [
    (w.METADATA, 1, struct.pack(">i", 1000000)),
    (w.METADATA, 1, struct.pack(">i", 1) + struct.pack(">h", 30000) + b"short"),
    (w.PRODUCE, 7, w.string(None) + struct.pack(">hii", -1, 1000, 0x7FFFFFFF)),
    (w.FETCH, 11, b"\0\0"),
], ids=["array-too-long", "string-too-long", "array-huge", "cut-off"])
def test_malformed_body(broker, still_serves, key, version, body):
    """A body that says more than it has closes the connection."""
    with broker.wire() as wire:
        wire.send_frame(wire.header(key, version) + body)
        wire.expect_closed()


def test_truncated_frame(broker, still_serves):
    """Half a request, then the end: nothing happens but the end of the connection."""
    with broker.wire() as wire:
        request = wire.header(w.METADATA, 1) + struct.pack(">i", 0)
        wire.socket.sendall(struct.pack(">i", len(request)) + request[:5])


@pytest.mark.parametrize("key", [999, 4, -5])
def test_unknown_api_key(broker, still_serves, key):
    """Kafka closes the connection."""
    with broker.wire() as wire:
        wire.send_frame(wire.header(key, 0))
        wire.expect_closed()


@pytest.mark.parametrize("key, version", [(w.METADATA, 99), (w.FETCH, 3), (w.CREATE_TOPICS, -1)])
def test_unknown_version(broker, still_serves, key, version):
    """Of any API but ApiVersions: Kafka closes the connection."""
    with broker.wire() as wire:
        wire.send_frame(wire.header(key, version) + b"\0" * 20)
        wire.expect_closed()


def test_unknown_version_of_api_versions(broker, still_serves):
    """Answered in version 0, with the error and the versions that there are, so that the client can ask again."""
    with broker.wire() as wire:
        reply = wire.ask(w.API_VERSIONS, 77, b"\0whatever")
        error, n = struct.unpack_from(">hi", reply)
        assert error == w.UNSUPPORTED_VERSION
        rows = [struct.unpack_from(">hhh", reply, 6 + 6 * i) for i in range(n)]
        assert len(reply) == 6 + 6 * n
        assert [row for row in rows if row[0] == w.API_VERSIONS][0][1] == 0
        assert wire.api_versions()[w.API_VERSIONS][0] == 0


def corrupt(data, at, flip=1):
    return data[:at] + bytes([data[at] ^ flip]) + data[at + 1:]


BATCH = w.batch([b"one", b"two"])


@pytest.mark.parametrize("bad", [
    w.batch([b"one", b"two"], crc_flip=1), corrupt(BATCH, len(BATCH) - 3), corrupt(BATCH, 24),
], ids=["checksum", "payload", "header"])
def test_corrupt_batch(broker, topic, bad):
    """Refused with CORRUPT_MESSAGE, and not written: the next good batch has offset 0."""
    with broker.wire() as wire:
        error, _ = wire.produce(topic, bad)
        assert error == w.CORRUPT_MESSAGE
        assert wire.end_offset(topic) == 0
        assert wire.produce(topic, BATCH) == (w.NONE, 0)
        assert wire.end_offset(topic) == 2


def recount(count, last_delta):
    """The good batch with another record count and last offset delta, and a checksum that holds."""
    body = bytearray(BATCH)
    struct.pack_into(">i", body, 23, last_delta)
    struct.pack_into(">i", body, 57, count)
    struct.pack_into(">I", body, 17, w.crc32c(bytes(body[21:])))
    return bytes(body)


@pytest.mark.parametrize("bad", [recount(3, 2), recount(1, 0), recount(2, 5), recount(0, 0),
                                 BATCH[:-1], BATCH[:50]],
                         ids=["count-high", "count-low", "delta-wrong", "no-record", "cut-off", "cut-off-in-header"])
def test_malformed_batch(broker, topic, bad):
    """The checksum holds, the content does not, or there is no whole batch: INVALID_RECORD, and not written."""
    with broker.wire() as wire:
        error, _ = wire.produce(topic, bad)
        assert error == w.INVALID_RECORD
        assert wire.end_offset(topic) == 0
        assert wire.produce(topic, BATCH) == (w.NONE, 0)


def test_two_thousand_connections(broker, topic):
    """All are served while one client sends a byte at a time, one says nothing, and one takes no answer."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(broker.wire()) for _ in range(2000)]
        silent, slow, deaf = (stack.enter_context(broker.wire()) for _ in range(3))
        silent.socket.sendall(b"\0\0")
        request = slow.header(w.METADATA, 1) + struct.pack(">i", 0)
        slow_bytes = struct.pack(">i", len(request)) + request
        with broker.wire() as wire:
            for _ in range(4):
                assert wire.produce(topic, w.batch([b"x" * 100000]))[0] == w.NONE
        deafen(deaf, topic)
        for i, connection in enumerate(connections):
            if i % 100 == 0 and i // 100 < len(slow_bytes) - 1:
                at = i // 100
                slow.socket.sendall(slow_bytes[at:at + 1])
            assert w.API_VERSIONS in connection.api_versions()
        slow.socket.sendall(slow_bytes[min(20, len(slow_bytes) - 1):])
        assert struct.unpack_from(">i", slow.receive_frame())[0] == slow.correlation
        for connection in connections[::100]:
            assert connection.produce(topic, w.batch([b"still here"]))[0] == w.NONE


def deafen(wire, topic):
    """Asks for far more than the sockets hold, and reads nothing of it."""
    wire.socket.setblocking(False)
    body = struct.pack(">iiiibiii", -1, 0, 1, 1 << 20, 0, 0, -1, 1) + w.string(topic)
    body += struct.pack(">iiiqqii", 1, 0, -1, 0, -1, 1 << 20, 0) + w.string("")
    frame = wire.header(w.FETCH, 11) + body
    for _ in range(200):
        try:
            wire.socket.sendall(struct.pack(">i", len(frame)) + frame)
        except BlockingIOError:
            return


def test_connections_do_not_stay(broker):
    """Connections that were closed are gone from the broker: as many as there may be can come again and again."""
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            for wire in [stack.enter_context(broker.wire()) for _ in range(500)]:
                wire.api_versions()
    until(lambda: sockets(broker) < 400, "the broker closes what its clients have closed")


def sockets(broker):
    """Open descriptors of the broker's process."""
    import os  # pylint: disable=import-outside-toplevel
    return sum(1 for fd in os.scandir(f"/proc/{broker.process.pid}/fd") if is_socket(fd.path))


def is_socket(path):
    import os  # pylint: disable=import-outside-toplevel
    try:
        return os.readlink(path).startswith("socket:")
    except FileNotFoundError:
        return False
