"""The state of idempotent and transactional producers: replayed from batches, and as snapshots hold it."""
import struct
from dataclasses import dataclass

from .batch import Bad
from .crc32c import crc32c

ENTRY = struct.Struct(">qhiqiqiq")
ABORT, COMMIT = 0, 1


@dataclass
class Producer:
    epoch: int = -1
    last_sequence: int = -1
    last_offset: int = -1
    offset_delta: int = 0
    timestamp: int = -1
    coordinator_epoch: int = -1
    txn_first: int = -1
    n_seen: int = 0


def sequence_after(sequence, n):
    """As Kafka counts them: 2^31 - 1 is followed by 0."""
    return (sequence + n) & 0x7FFFFFFF


class Producers:
    def __init__(self):
        self.by_id = {}
        self.aborted = []  # (producer id, first offset, marker offset)

    def add(self, batch, records):
        """Takes one batch in; yields texts about what a broker should not have let in."""
        if batch.producer_id < 0:
            return
        p = self.by_id.setdefault(batch.producer_id, Producer())
        if batch.control:
            yield from self._marker(p, batch, records)
            return
        if batch.producer_epoch < p.epoch:
            yield f"producer epoch {batch.producer_epoch} after {p.epoch} in {batch}"
        if batch.producer_epoch > p.epoch:
            p.epoch, p.last_sequence, p.last_offset = batch.producer_epoch, -1, -1
        if batch.base_sequence >= 0:
            if p.last_sequence >= 0 and batch.base_sequence != sequence_after(p.last_sequence, 1):
                yield f"sequence {batch.base_sequence} after {p.last_sequence} in {batch}"
            p.last_sequence = sequence_after(batch.base_sequence, batch.last_delta)
        p.last_offset, p.offset_delta, p.timestamp = batch.last_offset, batch.last_delta, batch.max_timestamp
        if batch.transactional and p.txn_first < 0:
            p.txn_first = batch.base_offset
        if not batch.transactional and p.txn_first >= 0:
            yield f"not transactional inside a transaction: {batch}"

    def _marker(self, p, batch, records):
        if not records:
            return
        kind = struct.unpack(">h", records[0].key[2:4])[0]
        if kind not in (ABORT, COMMIT):
            return
        if batch.producer_epoch > p.epoch:
            p.epoch, p.last_sequence, p.last_offset, p.offset_delta = batch.producer_epoch, -1, -1, 0
        if kind == ABORT and p.txn_first >= 0:
            self.aborted.append((batch.producer_id, p.txn_first, batch.base_offset))
        p.timestamp, p.txn_first = batch.max_timestamp, -1
        if len(records[0].value or b"") >= 6:
            p.coordinator_epoch = struct.unpack(">i", records[0].value[2:6])[0]
        else:
            yield f"marker without a coordinator epoch: {batch}"


def parse_snapshot(data):
    """{producer id: Producer}; raises Bad."""
    if len(data) < 10:
        raise Bad(f"{len(data)} bytes are no producer snapshot")
    version, crc, count = struct.unpack_from(">hIi", data)
    if version != 1:
        raise Bad(f"snapshot version {version}")
    if crc32c(data[6:]) != crc:
        raise Bad("wrong CRC")
    if len(data) != 10 + count * ENTRY.size:
        raise Bad(f"{count} producers in {len(data)} bytes")
    out = {}
    for i in range(count):
        pid, epoch, sequence, offset, delta, timestamp, coordinator, first = ENTRY.unpack_from(data, 10 + i * ENTRY.size)
        if pid in out:
            raise Bad(f"producer {pid} twice")
        out[pid] = Producer(epoch, sequence, offset, delta, timestamp, coordinator, first)
    return out


def later(p, q):
    return q is not None and (q.epoch, q.last_offset) > (p.epoch, p.last_offset)


def compare_snapshot(found, replayed, log_start, whole, end):
    """Yields what a snapshot says that the log up to there does not. Producers may have expired, so fewer are fine. In a compacted log,
    `end` are its producers at its end, otherwise None: of one that has written since, what it had written before may be gone; of any, the
    first batches of a transaction."""
    gaps = end is not None
    for pid, p in found.items():
        q = replayed.get(pid)
        if q is None:
            if whole:
                yield f"producer {pid} is not in the log"
            continue
        if gaps and later(p, end.get(pid)):
            if later(p, q):
                yield f"producer {pid}: snapshot has {p}, the log already {q}"
            continue
        if p.last_offset >= log_start and (p.epoch, p.last_sequence, p.last_offset, p.offset_delta) != (
                q.epoch, q.last_sequence, q.last_offset, q.offset_delta):
            yield f"producer {pid}: snapshot has {p}, the log {q}"
        if gaps and not 0 <= q.txn_first < p.txn_first:
            continue
        if p.txn_first != q.txn_first and (whole or p.txn_first >= log_start):
            yield f"producer {pid}: transaction from {p.txn_first}, in the log from {q.txn_first}"
