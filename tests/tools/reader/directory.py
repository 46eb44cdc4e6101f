"""A data directory: its own files, its partitions, and what they say about one another."""
import json
import re
import struct

from .batch import Bad
from .crc32c import crc32c
from .metadata import Metadata
from .names import UUID, read_offsets, read_properties
from .partition import METADATA_SNAPSHOT, Partition

PARTITION = re.compile(r"([a-zA-Z0-9._-]+)-(\d+)")
ON_ITS_WAY = re.compile(r".*-(delete|stray|future)")
FILES = {"meta.properties", ".lock", ".kafka_cleanshutdown", "recovery-point-offset-checkpoint", "bootstrap.checkpoint",
         "replication-offset-checkpoint", "log-start-offset-checkpoint", "cleaner-offset-checkpoint", ".barnabas-journal"}
METADATA = "__cluster_metadata-0"
JOURNAL_MAGIC, JOURNAL_ENTRY_MAGIC, JOURNAL_BLOCK = 0x426A4831, 0x426A4531, 4096


class DataDir:
    def __init__(self, path, report, unclean, interval):
        self.path, self.report, self.interval = path, report, interval
        self.clean = not unclean and (path / ".kafka_cleanshutdown").exists()

    def fault(self, name, text):
        self.report.fault(self.path / name, text)

    def check(self):
        self.report.count("directories")
        self.check_marker()
        self.check_properties()
        recovery = self.offsets("recovery-point-offset-checkpoint")
        high = self.offsets("replication-offset-checkpoint")
        starts = self.offsets("log-start-offset-checkpoint")
        cleaned = self.offsets("cleaner-offset-checkpoint")
        partitions = {}
        for path in sorted(self.path.iterdir()):
            m = PARTITION.fullmatch(path.name)
            if path.is_dir() and m:
                gaps = path.name in cleaned or path.name.startswith("__consumer_offsets-")
                partitions[path.name] = Partition(path, self.report, self.clean, gaps, self.interval)
                partitions[path.name].check(starts.get(path.name, 0))
            elif path.is_dir() and not ON_ITS_WAY.fullmatch(path.name) or not path.is_dir() and path.name not in FILES:
                if self.clean or not path.name.endswith(".tmp"):
                    self.fault(path.name, "nobody knows this name")
        self.check_checkpoints(partitions, recovery, high, starts)
        self.check_metadata(partitions)
        self.check_journal()

    def check_marker(self):
        path = self.path / ".kafka_cleanshutdown"
        if not path.exists():
            return
        try:
            if json.loads(path.read_text())["version"] != 0:
                self.fault(path.name, "version is not 0")
        except (ValueError, KeyError, TypeError) as e:
            self.fault(path.name, f"not the marker's JSON: {e}")

    def check_properties(self):
        path = self.path / "meta.properties"
        if not path.exists():
            self.fault(path.name, "missing")
            return
        p = read_properties(path)
        if p.get("version") != "1" or not p.get("node.id", "").isdigit() or not p.get("cluster.id"):
            self.fault(path.name, f"version, node.id or cluster.id: {p}")
        if not UUID.fullmatch(p.get("directory.id", "")):
            self.fault(path.name, f"directory.id {p.get('directory.id')!r}")

    def offsets(self, name):
        path = self.path / name
        try:
            return read_offsets(path) if path.exists() else {}
        except (Bad, UnicodeDecodeError) as e:
            self.fault(name, str(e))
            return {}

    def check_checkpoints(self, partitions, recovery, high, starts):
        """No offset that is promised lies outside its log."""
        for name, points in (("recovery-point-offset-checkpoint", recovery), ("replication-offset-checkpoint", high),
                             ("log-start-offset-checkpoint", starts)):
            for key, offset in points.items():
                p = partitions.get(key)
                if p is None:
                    if self.clean:
                        self.fault(name, f"{key} is not there")
                elif offset > p.end:
                    self.fault(name, f"{key} {offset}, the log ends at {p.end}")
        if not self.clean:
            return
        for key, p in partitions.items():
            if p.end > p.start and recovery.get(key, p.end) != p.end and key != METADATA:
                self.fault("recovery-point-offset-checkpoint", f"{key} {recovery[key]} after a clean stop at {p.end}")

    def check_metadata(self, partitions):
        log = partitions.get(METADATA)
        if log is None:
            return
        metadata, begin = Metadata(), 0
        snapshots = sorted(p for p in log.path.iterdir() if METADATA_SNAPSHOT.fullmatch(p.name))
        try:
            if snapshots:
                begin = int(snapshots[-1].name[:20])
                metadata.load_snapshot(snapshots[-1])
            for batch, records in log.records:
                for record in (records or []) if not batch.control else []:
                    if record.offset >= begin:
                        metadata.apply(record)
        except (Bad, UnicodeDecodeError) as e:
            log.fault("", f"metadata: {e}")
            return
        for name, p in partitions.items():
            topic, number = PARTITION.fullmatch(name).groups()
            if name == METADATA or p.topic_id is None:
                continue
            if metadata.topics.get(p.topic_id) != topic:
                if self.clean:
                    p.fault("partition.metadata", f"topic id {p.topic_id} is {metadata.topics.get(p.topic_id)} in the metadata")
            elif int(number) not in metadata.partitions.get(p.topic_id, ()):
                p.fault("", "the metadata has no such partition")

    def check_journal(self):
        """Barnabas' own file: after a clean stop no entry in it counts."""
        path = self.path / ".barnabas-journal"
        if not path.exists():
            return
        data = path.read_bytes()
        generations = []
        for at in (0, JOURNAL_BLOCK):
            block = data[at:at + 32]
            if len(block) == 32 and struct.unpack(">I", block[:4])[0] == JOURNAL_MAGIC and \
                    struct.unpack(">I", block[4:8])[0] == crc32c(block[8:]):
                generations.append(struct.unpack(">Q", block[16:24])[0])
        if not generations:
            if self.clean:
                self.fault(path.name, "no header")
            return
        for at in range(2 * JOURNAL_BLOCK, len(data) - 40, JOURNAL_BLOCK):
            magic, crc, generation, sequence, total = struct.unpack_from(">IIQQI", data, at)
            if magic == JOURNAL_ENTRY_MAGIC and generation == max(generations) and 40 <= total <= len(data) - at and \
                    crc32c(data[at + 8:at + total]) == crc and self.clean:
                self.fault(path.name, f"entry {sequence} at {at} counts after a clean stop")
