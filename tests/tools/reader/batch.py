"""Record batches (magic 2) and the records in them."""
import gzip
import struct
from dataclasses import dataclass, field

from .crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES = 61
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class Bad(Exception):
    """Bytes that are not what they should be."""


class Reader:
    """Takes fields off the front of some bytes."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise Bad(f"field of {n} bytes at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n:self.at]

    def fixed(self, fmt):
        return struct.unpack(fmt, self.take(struct.calcsize(fmt)))[0]

    def uvarint(self, bits=64):
        value = shift = 0
        while True:
            b = self.take(1)[0]
            value |= (b & 127) << shift
            if b < 128:
                return value
            shift += 7
            if shift > bits:
                raise Bad("number too long")

    def varint(self):
        v = self.uvarint()
        return (v >> 1) ^ -(v & 1)

    def nullable(self):
        n = self.varint()
        if n < -1:
            raise Bad(f"length {n}")
        return None if n == -1 else self.take(n)

    def rest(self):
        return len(self.data) - self.at


@dataclass
class Record:
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: list


@dataclass
class Batch:
    position: int
    size: int
    base_offset: int
    leader_epoch: int
    attributes: int
    last_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int
    payload: bytes = field(repr=False)

    @property
    def last_offset(self):
        return self.base_offset + self.last_delta

    @property
    def codec(self):
        return self.attributes & 7

    @property
    def log_append_time(self):
        return bool(self.attributes & 8)

    @property
    def transactional(self):
        return bool(self.attributes & 16)

    @property
    def control(self):
        return bool(self.attributes & 32)

    def __str__(self):
        return (f"batch {self.base_offset}..{self.last_offset} at {self.position} size {self.size} epoch {self.leader_epoch}"
                f" {CODECS[self.codec] if self.codec < 5 else self.codec} records {self.count} producer {self.producer_id}"
                f"/{self.producer_epoch}/{self.base_sequence} max time {self.max_timestamp}"
                f"{' transactional' if self.transactional else ''}{' control' if self.control else ''}")


def parse_batch(data, at):
    """The batch at a position; raises Bad."""
    if len(data) - at < HEADER_BYTES:
        raise Bad(f"{len(data) - at} bytes are no batch")
    (base, length, epoch, magic, crc, attributes, last_delta, base_time, max_time, pid, pid_epoch, sequence,
     count) = HEADER.unpack_from(data, at)
    if length < HEADER_BYTES - 12 or at + 12 + length > len(data):
        raise Bad(f"batch length {length} with {len(data) - at - 12} bytes left")
    if magic != 2:
        raise Bad(f"magic {magic}")
    if crc32c(data[at + 21:at + 12 + length]) != crc:
        raise Bad(f"wrong CRC in the batch at offset {base}")
    if base < 0 or last_delta < 0 or count < 0 or count > last_delta + 1:
        raise Bad(f"base offset {base}, last delta {last_delta}, {count} records")
    if attributes & ~0x7F or attributes & 7 > 4:
        raise Bad(f"attributes {attributes:#x}")
    return Batch(at, 12 + length, base, epoch, attributes, last_delta, base_time, max_time, pid, pid_epoch, sequence, count,
                 data[at + HEADER_BYTES:at + 12 + length])


def _snappy(data):
    import snappy
    if not data.startswith(b"\x82SNAPPY\0"):
        return snappy.decompress(data)
    out, r = b"", Reader(data, 16)
    while r.rest():
        out += snappy.decompress(r.take(r.fixed(">i")))
    return out


def _lz4(data):
    import lz4.frame
    return lz4.frame.decompress(data)


def _zstd(data):
    import zstandard
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


_DECODERS = [bytes, gzip.decompress, _snappy, _lz4, _zstd]


def records_of(batch):
    """The records of a batch, or None when its codec is not installed; raises Bad."""
    try:
        payload = _DECODERS[batch.codec](batch.payload)
    except ImportError:
        return None
    except Exception as e:
        raise Bad(f"{CODECS[batch.codec]}: {e}") from e
    r = Reader(payload)
    records = [_record(batch, r) for _ in range(batch.count)]
    if r.rest():
        raise Bad(f"{r.rest()} bytes behind the records")
    return records


def _record(batch, outer):
    r = Reader(outer.take(outer.varint()))
    if r.take(1)[0] != 0:
        raise Bad("record attributes")
    timestamp = batch.base_timestamp + r.varint()
    offset = batch.base_offset + r.varint()
    key, value = r.nullable(), r.nullable()
    headers = []
    for _ in range(r.varint()):
        name = r.take(r.varint())
        headers.append((name, r.nullable()))
    if r.rest():
        raise Bad(f"{r.rest()} bytes left in the record at offset {offset}")
    return Record(offset, timestamp, key, value, headers)


def check_records(batch, records):
    """What must hold between a batch's header and its records; yields texts."""
    last = batch.base_offset - 1
    for record in records:
        if not last < record.offset <= batch.last_offset:
            yield f"record offset {record.offset} after {last} in {batch}"
        last = record.offset
    if not records:
        return
    newest = max(record.timestamp for record in records)
    if not batch.log_append_time and newest != batch.max_timestamp:
        yield f"max timestamp {batch.max_timestamp}, records say {newest} in {batch}"
    if batch.control and (len(records) != 1 or len(records[0].key or b"") < 4):
        yield f"control batch without a control record: {batch}"
