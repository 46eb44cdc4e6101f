#!/usr/bin/env python3
"""read_dir.py on a small directory made here: sound as it is, and each of many damages found."""
import contextlib
import io
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import read_dir  # noqa: E402
from reader.crc32c import crc32c  # noqa: E402

TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAg"


def varint(v):
    v = (v << 1) ^ (v >> 63)
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    return bytes(out + bytes([v]))


def record(delta, value):
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(base, values, timestamp, epoch=0, pid=-1, pid_epoch=-1, sequence=-1):
    records = b"".join(record(i, v) for i, v in enumerate(values))
    tail = struct.pack(">hiqqqhii", 0, len(values) - 1, timestamp, timestamp, pid, pid_epoch, sequence, len(values)) + records
    return struct.pack(">qiibI", base, len(tail) + 9, epoch, 2, crc32c(tail)) + tail


def snapshot(*entries):
    body = struct.pack(">i", len(entries)) + b"".join(struct.pack(">qhiqiqiq", *e) for e in entries)
    return struct.pack(">hI", 1, crc32c(body)) + body


def make(root):
    """Two segments: offsets 0-1 and 2 in the first, 3-4 in the second, of one idempotent producer."""
    p = root / "t-0"
    p.mkdir(parents=True)
    first = batch(0, [b"a" * 5000, b"b"], 100, 0, 7, 0, 0)
    second = batch(2, [b"c"], 200, 0, 7, 0, 2)
    third = batch(3, [b"d", b"e"], 300, 1, 7, 0, 3)
    files = {
        "00000000000000000000.log": first + second,
        "00000000000000000000.index": struct.pack(">ii", 2, len(first)),
        "00000000000000000000.timeindex": struct.pack(">qi", 200, 2),
        "00000000000000000003.log": third,
        "00000000000000000003.index": b"",
        "00000000000000000003.timeindex": struct.pack(">qi", 300, 1),
        "00000000000000000003.snapshot": snapshot((7, 0, 2, 2, 0, 200, -1, -1)),
        "00000000000000000005.snapshot": snapshot((7, 0, 4, 4, 1, 300, -1, -1)),
        "leader-epoch-checkpoint": b"0\n2\n0 0\n1 3\n",
        "partition.metadata": f"version: 0\ntopic_id: {TOPIC_ID}".encode(),
    }
    for name, data in files.items():
        (p / name).write_bytes(data)
    (root / "meta.properties").write_text(f"#\nversion=1\ncluster.id=x\nnode.id=1\ndirectory.id={TOPIC_ID}\n")
    (root / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":-1}')
    (root / ".lock").write_bytes(b"")
    (root / "recovery-point-offset-checkpoint").write_text("0\n1\nt 0 5\n")
    (root / "replication-offset-checkpoint").write_text("0\n1\nt 0 5\n")
    (root / "log-start-offset-checkpoint").write_text("0\n0\n")
    (root / "cleaner-offset-checkpoint").write_bytes(b"")


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def append(path, data):
    path.write_bytes(path.read_bytes() + data)


# Each changes the directory in one way; the word must be in what is said.
DAMAGES = {
    "a bit in a record": (lambda r: flip(r / "t-0/00000000000000000000.log", 90), "wrong CRC"),
    "a base offset, which no CRC covers": (lambda r: flip(r / "t-0/00000000000000000003.log", 7), "expected 3"),
    "a torn tail": (lambda r: append(r / "t-0/00000000000000000003.log", b"\0" * 30), "are no batch"),
    "a missing segment": (lambda r: (r / "t-0/00000000000000000000.log").unlink(), "its segment is not there"),
    "a wrong index entry": (lambda r: flip(r / "t-0/00000000000000000000.index", 7), "no batch begins there"),
    "zeros behind an index": (lambda r: append(r / "t-0/00000000000000000000.index", b"\0" * 8), "after (2"),
    "half an index entry": (lambda r: append(r / "t-0/00000000000000000000.index", b"\0" * 3), "not whole"),
    "a missing index": (lambda r: (r / "t-0/00000000000000000000.index").unlink(), "missing"),
    "a wrong timestamp in a time index": (lambda r: flip(r / "t-0/00000000000000000000.timeindex", 7), "timestamp"),
    "no final time entry": (lambda r: (r / "t-0/00000000000000000003.timeindex").write_bytes(b""), "last entry"),
    "a bit in a producer snapshot": (lambda r: flip(r / "t-0/00000000000000000005.snapshot", 20), "wrong CRC"),
    "a producer snapshot that lies": (
        lambda r: (r / "t-0/00000000000000000005.snapshot").write_bytes(snapshot((7, 0, 9, 4, 1, 300, -1, -1))), "producer 7"),
    "a producer snapshot past the end": (
        lambda r: (r / "t-0/00000000000000000009.snapshot").write_bytes(snapshot()), "the log ends at 5"),
    "an epoch that the log does not have": (
        lambda r: (r / "t-0/leader-epoch-checkpoint").write_text("0\n1\n0 0\n"), "says epoch 0"),
    "a checkpoint with a wrong count": (
        lambda r: (r / "recovery-point-offset-checkpoint").write_text("0\n2\nt 0 5\n"), "count line"),
    "a recovery point past the end": (
        lambda r: (r / "recovery-point-offset-checkpoint").write_text("0\n1\nt 0 6\n"), "the log ends at 5"),
    "a recovery point that a clean stop left behind": (
        lambda r: (r / "recovery-point-offset-checkpoint").write_text("0\n1\nt 0 3\n"), "after a clean stop"),
    "a high watermark past the end": (
        lambda r: (r / "replication-offset-checkpoint").write_text("0\n1\nt 0 6\n"), "the log ends at 5"),
    "a checkpoint for a partition that is not there": (
        lambda r: (r / "replication-offset-checkpoint").write_text("0\n1\nu 0 1\n"), "is not there"),
    "a bad partition.metadata": (lambda r: (r / "t-0/partition.metadata").write_text("version: 1\n"), "partition.metadata"),
    "no meta.properties": (lambda r: (r / "meta.properties").unlink(), "missing"),
    "a temporary file": (lambda r: (r / "t-0/leader-epoch-checkpoint.tmp").write_text(""), "left over"),
    "a name that nobody knows": (lambda r: (r / "t-0/core").write_text(""), "nobody knows"),
    "a repeated batch": (
        lambda r: append(r / "t-0/00000000000000000003.log", batch(5, [b"d", b"e"], 300, 1, 7, 0, 3)), "sequence 3"),
}


class ReadDir(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp()) / "data"
        make(self.root)

    def tearDown(self):
        shutil.rmtree(self.root.parent)

    def read(self, *options):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = read_dir.main([*options, str(self.root)])
        return code, out.getvalue()

    def test_crc_is_castagnoli(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)

    def test_a_sound_directory_is_sound(self):
        code, out = self.read("--index-interval", "4096")
        self.assertEqual((code, out), (0, "1 partitions, 2 segments, 3 batches, 5 records: sound\n"))

    def test_each_damage_is_found(self):
        for name, (damage, word) in DAMAGES.items():
            with self.subTest(name):
                self.tearDown()
                self.setUp()
                damage(self.root)
                code, out = self.read()
                self.assertEqual(code, 1, name)
                self.assertIn(word, out)

    def test_an_unclean_directory_may_be_torn(self):
        (self.root / ".kafka_cleanshutdown").unlink()
        with (self.root / "t-0/00000000000000000003.log").open("ab") as f:
            f.write(b"\0" * 30)
        (self.root / "t-0/00000000000000000003.index").write_bytes(b"\0" * 800)
        self.assertEqual(self.read()[0], 0)
        flip(self.root / "t-0/00000000000000000000.log", 90)
        self.assertEqual(self.read()[0], 1)


if __name__ == "__main__":
    unittest.main()
