"""The Kafka protocol by hand, for what no client would send: non-flexible versions only, one request at a time."""
import socket
import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 3, 8, 9
API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID = 18, 19, 20, 22
NONE, CORRUPT_MESSAGE, UNKNOWN_TOPIC, UNSUPPORTED_VERSION = 0, 2, 3, 35
TOPIC_ALREADY_EXISTS, KAFKA_STORAGE_ERROR, INVALID_RECORD = 36, 56, 87
LEADER_ERRORS = (3, 5, 6)  # unknown topic, leader not available, not leader: passes while a broker starts
COORDINATOR_ERRORS = (14, 15, 16)


def string(text):
    """A nullable string as the non-flexible versions have it."""
    if text is None:
        return struct.pack(">h", -1)
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def varint(value):
    """A zigzag variable-length integer."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _table()


def crc32c(data):
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def batch(values, timestamp=1_700_000_000_000, producer=(-1, -1, -1), crc_flip=0):
    """A record batch (magic 2). crc_flip is xor-ed into its checksum."""
    records = b""
    for i, value in enumerate(values):
        body = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    checked = struct.pack(">hiqqqhii", 0, len(values) - 1, timestamp, timestamp, *producer, len(values)) + records
    return struct.pack(">qiibI", 0, 9 + len(checked), -1, 2, crc32c(checked) ^ crc_flip) + checked


class Closed(Exception):
    """The broker closed the connection."""


class Wire:
    """One connection."""

    def __init__(self, port, seconds=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_frame(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def receive(self, n):
        data = bytearray()
        while len(data) < n:
            try:
                piece = self.socket.recv(n - len(data))
            except ConnectionResetError as error:
                raise Closed from error
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    def receive_frame(self):
        return self.receive(struct.unpack(">i", self.receive(4))[0])

    def header(self, key, version):
        self.correlation += 1
        return struct.pack(">hhi", key, version, self.correlation) + string("compat")

    def ask(self, key, version, body=b""):
        """The reply's body, after the correlation id (reply header version 0)."""
        self.send_frame(self.header(key, version) + body)
        reply = self.receive_frame()
        assert struct.unpack_from(">i", reply)[0] == self.correlation
        return reply[4:]

    def expect_closed(self):
        """The broker closes, and sends nothing before."""
        try:
            data = self.socket.recv(1)
        except ConnectionResetError:
            data = b""
        assert data == b"", "the broker answered where it should close"

    def api_versions(self):
        """{key: (min, max)}"""
        reply = self.ask(API_VERSIONS, 0)
        error, n = struct.unpack_from(">hi", reply)
        assert error == NONE
        return {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", reply[6:6 + 6 * n])}

    def broker_count(self):
        reply = self.ask(METADATA, 1, struct.pack(">i", 0))
        return struct.unpack_from(">i", reply)[0]

    def create_topic(self, name, partitions=1, settings=None):
        body = struct.pack(">i", 1) + string(name) + struct.pack(">ihi", partitions, 1, 0)
        body += struct.pack(">i", len(settings or {}))
        for key, value in (settings or {}).items():
            body += string(key) + string(str(value))
        reply = self.ask(CREATE_TOPICS, 4, body + struct.pack(">i?", 30000, False))
        return struct.unpack_from(">h", reply, 4 + 4 + 2 + len(name))[0]

    def produce(self, topic, records, partition=0, acks=-1):
        """(error code, base offset)"""
        body = string(None) + struct.pack(">hii", acks, 30000, 1) + string(topic)
        body += struct.pack(">iii", 1, partition, len(records)) + records
        reply = self.ask(PRODUCE, 7, body)
        return struct.unpack_from(">hq", reply, 4 + 2 + len(topic) + 4 + 4)

    def fetch(self, topic, offset=0, partition=0, max_bytes=1 << 20, wait_ms=0):
        """(error code, high watermark, record bytes)"""
        body = struct.pack(">iiiibiii", -1, wait_ms, 1, max_bytes, 0, 0, -1, 1) + string(topic)
        body += struct.pack(">iiiqqii", 1, partition, -1, offset, -1, max_bytes, 0) + string("")
        reply = self.ask(FETCH, 11, body)
        at = 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4
        error, high_watermark, _, _, aborted = struct.unpack_from(">hqqqi", reply, at)
        at += 30 + 16 * max(aborted, 0) + 4
        length = struct.unpack_from(">i", reply, at)[0]
        return error, high_watermark, reply[at + 4:at + 4 + max(length, 0)]

    def delete_topic(self, name):
        """error code"""
        reply = self.ask(DELETE_TOPICS, 3, struct.pack(">i", 1) + string(name) + struct.pack(">i", 30000))
        return struct.unpack_from(">h", reply, 4 + 4 + 2 + len(name))[0]

    def commit(self, group, topic, offset, partition=0):
        """OffsetCommit by nobody's member: error code"""
        body = string(group) + struct.pack(">i", -1) + string("") + string(None) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">iiqi", 1, partition, offset, -1) + string(None)
        reply = self.ask(OFFSET_COMMIT, 7, body)
        return struct.unpack_from(">h", reply, 4 + 4 + 2 + len(topic) + 4 + 4)[0]

    def try_committed(self, group, topic, partition=0):
        """(offset,), -1 when there is none; None while the group is being loaded."""
        body = string(group) + struct.pack(">i", 1) + string(topic) + struct.pack(">ii", 1, partition)
        reply = self.ask(OFFSET_FETCH, 5, body)
        error = struct.unpack_from(">h", reply, len(reply) - 2)[0]
        if error in COORDINATOR_ERRORS:
            return None
        assert error == NONE, error
        return struct.unpack_from(">q", reply, 4 + 4 + 2 + len(topic) + 4 + 4)

    def end_offset(self, topic, partition=0, timestamp=-1):
        """ListOffsets: the next offset, or with -2 the first one."""
        found = self.try_end_offset(topic, partition, timestamp)
        assert found is not None
        return found[0]

    def try_end_offset(self, topic, partition=0, timestamp=-1):
        """(offset,), or None while there is no leader."""
        body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, timestamp)
        reply = self.ask(LIST_OFFSETS, 1, body)
        at = 4 + 2 + len(topic) + 4 + 4
        error, _, offset = struct.unpack_from(">hqq", reply, at)
        if error in LEADER_ERRORS:
            return None
        assert error == NONE, error
        return (offset,)


def read_partition(port, topic, partition=0):
    """Every byte of a partition, by Fetch; whole batches only."""
    data, offset = b"", 0
    with Wire(port) as wire:
        while True:
            error, end, piece = wire.fetch(topic, offset, partition)
            assert error == NONE
            for start, last, _ in batches(piece):
                data += piece[start:start + 12 + struct.unpack_from(">i", piece, start + 8)[0]]
                offset = last + 1
            if offset >= end:
                return data


def batches(data):
    """(where it starts, last offset, record count) of each whole batch."""
    start = 0
    while start + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, start)
        if start + 12 + length > len(data):
            return
        yield start, base + struct.unpack_from(">i", data, start + 23)[0], struct.unpack_from(">i", data, start + 57)[0]
        start += 12 + length
