"""The metadata log (KRaft): the framing of its records, and which topics it says there are."""
import base64

from .batch import Bad, Reader, parse_batch, records_of

TOPIC, REMOVE_TOPIC, PARTITION = 2, 9, 3
TYPES_MAX = 64


def uuid_text(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Metadata:
    def __init__(self):
        self.topics = {}  # id -> name
        self.partitions = {}  # id -> set of numbers

    def apply(self, record):
        """One record of the log; raises Bad."""
        if record.key is not None:
            raise Bad(f"key at offset {record.offset}")
        r = Reader(record.value or b"")
        frame, kind, version = r.uvarint(32), r.uvarint(32), r.uvarint(32)
        if frame != 1 or kind >= TYPES_MAX or version > 16:
            raise Bad(f"frame {frame} type {kind} version {version} at offset {record.offset}")
        if kind == TOPIC:
            name = r.take(r.uvarint(32) - 1).decode()
            self.topics[uuid_text(r.take(16))] = name
        elif kind == PARTITION:
            number, topic = r.fixed(">i"), uuid_text(r.take(16))
            self.partitions.setdefault(topic, set()).add(number)
        elif kind == REMOVE_TOPIC:
            topic = uuid_text(r.take(16))
            self.topics.pop(topic, None)
            self.partitions.pop(topic, None)

    def load_snapshot(self, path):
        data, at = path.read_bytes(), 0
        while at < len(data):
            batch = parse_batch(data, at)
            if not batch.control:
                for record in records_of(batch) or []:
                    self.apply(record)
            at += batch.size
