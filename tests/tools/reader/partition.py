"""One partition directory: its segments in order, and everything derived from them."""
import re

from . import indexes
from .batch import Bad, Reader, check_records, parse_batch, records_of
from .names import UUID, read_epochs
from .producers import Producer, Producers, compare_snapshot, parse_snapshot
from dataclasses import replace

SEGMENT = re.compile(r"(\d{20})\.log")
DERIVED = re.compile(r"(\d{20})\.(index|timeindex|txnindex|snapshot)")
KNOWN = {"leader-epoch-checkpoint", "partition.metadata", "quorum-state", "bootstrap.checkpoint"}
LEFT_OVER = re.compile(r".*\.(tmp|swap|cleaned)")
METADATA_SNAPSHOT = re.compile(r"(\d{20})-(\d{10})\.checkpoint")


class Partition:
    def __init__(self, path, report, clean, gaps, interval):
        self.path, self.report, self.clean, self.gaps, self.interval = path, report, clean, gaps, interval
        self.closed = clean and path.name != "__cluster_metadata-0"  # Kafka does not close that one: no trimmed indexes
        self.batches = []  # of all segments
        self.records = []  # (batch, records or None)
        self.producers = Producers()
        self.states = {}  # offset -> producers before it, for the snapshots there are
        self.start = self.end = 0
        self.topic_id = None
        self.torn = False

    def fault(self, name, text):
        self.report.fault(self.path / name, text)

    def check(self, start_checkpoint):
        self.report.count("partitions")
        self.read_topic_id()
        bases = sorted(int(m[1]) for p in self.path.iterdir() if (m := SEGMENT.fullmatch(p.name)))
        if not bases:
            if self.clean:
                self.fault("", "no segment")
            return
        self.start = max(bases[0], start_checkpoint)
        self.end = bases[0]
        self.snapshot_offsets = sorted(int(p.name[:20]) for p in self.path.glob("*.snapshot") if DERIVED.fullmatch(p.name))
        for i, base in enumerate(bases):
            if base < self.end or (base > self.end and not self.gaps):
                self.fault(f"{base:020}.log", f"begins at {base}, the log before it ends at {self.end}")
            self.check_segment(base, i + 1 < len(bases))
            if self.torn:
                break
        self.check_epochs()
        self.check_snapshots()
        self.check_names(bases)

    def read_topic_id(self):
        path = self.path / "partition.metadata"
        if not path.exists():
            return
        m = re.fullmatch(r"version: 0\ntopic_id: (\S+)\n?", path.read_text())
        if not m or not UUID.fullmatch(m[1]):
            self.fault(path.name, f"not a partition.metadata: {path.read_text()!r}")
        else:
            self.topic_id = m[1]

    # ---- segments --------------------------------------------------------------------------------------------------

    def check_segment(self, base, sealed):
        self.report.count("segments")
        name = f"{base:020}"
        data = (self.path / f"{name}.log").read_bytes()
        batches, at = [], 0
        self.end = max(self.end, base)
        while at < len(data):
            try:
                batch = parse_batch(data, at)
            except Bad as e:
                if self.clean or sealed:
                    self.fault(f"{name}.log", f"at {at}: {e}")
                self.torn = True
                break
            self.take(batch, name)
            batches.append(batch)
            at += batch.size
        if not self.torn:
            self.check_indexes(name, base, batches, sealed)

    def take(self, batch, name):
        self.report.count("batches")
        self.report.list(f"{self.path.name}: {batch}")
        if batch.base_offset < self.end or (batch.base_offset > self.end and not self.gaps):
            self.fault(f"{name}.log", f"at {batch.position}: offset {batch.base_offset}, expected {self.end}")
        if self.batches and batch.leader_epoch < self.batches[-1].leader_epoch:
            self.fault(f"{name}.log", f"leader epoch {batch.leader_epoch} after {self.batches[-1].leader_epoch}: {batch}")
        records = None
        try:
            records = records_of(batch)
            for text in check_records(batch, records or []):
                self.fault(f"{name}.log", text)
        except Bad as e:
            self.fault(f"{name}.log", f"{e} in {batch}")
        if records is None:
            self.report.count("undecoded")
        else:
            self.report.count("records", len(records))
        self.note_states(batch.base_offset)
        for text in self.producers.add(batch, records):
            if not self.gaps:
                self.fault(f"{name}.log", text)
        self.batches.append(batch)
        self.records.append((batch, records))
        self.end = batch.last_offset + 1

    def check_indexes(self, name, base, batches, sealed):
        offsets = self.read_index(f"{name}.index", indexes.INDEX)
        times = self.read_index(f"{name}.timeindex", indexes.TIMEINDEX)
        if offsets is not None:
            for text in indexes.check_offsets(offsets, batches, base):
                self.fault(f"{name}.index", text)
        if times is not None:
            for text in indexes.check_times(times, batches, base, sealed or self.closed):
                self.fault(f"{name}.timeindex", text)
        if self.interval is not None and offsets is not None and times is not None:
            want_offsets, want_times = indexes.rebuild(batches, base, self.interval, sealed or self.closed)
            if self.clean and offsets != want_offsets:
                self.fault(f"{name}.index", f"has {offsets}, rebuilt it has {want_offsets}")
            if self.clean and times != want_times:
                self.fault(f"{name}.timeindex", f"has {times}, rebuilt it has {want_times}")
        self.check_txnindex(name, base)

    def read_index(self, name, fmt):
        """The entries; None when they are not to be looked at."""
        path = self.path / name
        if not path.exists():
            if self.clean and self.end > int(name[:20]):
                self.fault(name, "missing")
            return None
        data = path.read_bytes()
        entries = indexes.entries_of(data, fmt)
        if not self.clean:  # preallocated, or behind: rebuilt at the next start
            return None
        if not self.closed:
            return indexes.without_padding(entries)
        if len(data) % fmt.size:
            self.fault(name, f"{len(data)} bytes are not whole entries")
        return entries

    def check_txnindex(self, name, base):
        path = self.path / f"{name}.txnindex"
        expected = [a for a in self.producers.aborted if a[2] >= base]
        if not path.exists():
            if expected and self.clean:
                self.fault(path.name, f"missing, for {expected}")
            return
        data = path.read_bytes()
        if len(data) % indexes.TXNINDEX.size:
            self.fault(path.name, f"{len(data)} bytes are not whole entries")
        for text in indexes.check_aborted(indexes.entries_of(data, indexes.TXNINDEX), expected,
                                          self.clean and not self.gaps and self.batches[:1] and self.batches[0].base_offset == 0):
            self.fault(path.name, text)

    # ---- producers --------------------------------------------------------------------------------------------------

    def note_states(self, offset):
        """Keeps the producers as they are before `offset`, for snapshots up to there."""
        while self.snapshot_offsets and self.snapshot_offsets[0] <= offset:
            self.states[self.snapshot_offsets.pop(0)] = {k: replace(p) for k, p in self.producers.by_id.items()}

    def check_snapshots(self):
        self.note_states(self.end)
        whole = bool(self.batches) and self.batches[0].base_offset == 0 and not self.gaps
        for path in sorted(self.path.glob("*.snapshot")):
            offset = int(path.name[:20])
            try:
                found = parse_snapshot(path.read_bytes())
            except Bad as e:
                if self.clean:
                    self.fault(path.name, str(e))
                continue
            if offset not in self.states:
                if self.clean:
                    self.fault(path.name, f"of offset {offset}, the log ends at {self.end}")
                continue
            first = self.batches[0].base_offset if self.batches else self.end
            for text in compare_snapshot(found, self.states[offset], first, whole, self.producers.by_id if self.gaps else None):
                self.fault(path.name, text)

    # ---- the rest ----------------------------------------------------------------------------------------------------

    def check_epochs(self):
        path = self.path / "leader-epoch-checkpoint"
        if not path.exists():
            if self.clean and self.batches and self.batches[0].leader_epoch >= 0:
                self.fault(path.name, "missing")
            return
        try:
            epochs = read_epochs(path)
        except Bad as e:
            self.fault(path.name, str(e))
            return
        for a, b in zip(epochs, epochs[1:]):
            if a[0] >= b[0] or a[1] >= b[1]:
                self.fault(path.name, f"{b} after {a}")
        if epochs and epochs[-1][1] > self.end and self.clean:
            self.fault(path.name, f"epoch {epochs[-1][0]} begins at {epochs[-1][1]}, the log ends at {self.end}")
        for b in self.batches:
            at = [epoch for epoch, start in epochs if start <= b.base_offset]
            if b.leader_epoch >= 0 and b.base_offset >= self.start and (not at or at[-1] != b.leader_epoch):
                self.fault(path.name, f"says epoch {at[-1] if at else None} for {b}")
                break

    def check_names(self, bases):
        for path in sorted(self.path.iterdir()):
            m = DERIVED.fullmatch(path.name)
            if m and m[2] != "snapshot" and int(m[1]) not in bases:
                self.fault(path.name, "its segment is not there")
            elif self.clean and LEFT_OVER.fullmatch(path.name):
                self.fault(path.name, "left over")
            elif not (m or SEGMENT.fullmatch(path.name) or path.name in KNOWN or path.name.endswith(".deleted")
                      or LEFT_OVER.fullmatch(path.name) or METADATA_SNAPSHOT.fullmatch(path.name)):
                self.fault(path.name, "nobody knows this name")
