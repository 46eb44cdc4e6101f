"""Offset, time and transaction indexes, against the batches that they point at."""
import struct

INDEX = struct.Struct(">ii")
TIMEINDEX = struct.Struct(">qi")
TXNINDEX = struct.Struct(">hqqqq")


def entries_of(data, fmt):
    n = len(data) // fmt.size
    return [fmt.unpack_from(data, i * fmt.size) for i in range(n)]


def without_padding(entries):
    """An index of an active segment is preallocated: zeros follow what is in it."""
    n = len(entries)
    while n and entries[n - 1] == (0, 0):
        n -= 1
    return entries[:n]


def rebuild(batches, base, interval, sealed):
    """Both indexes as LogSegment.append makes them, with the final time entry of a sealed segment."""
    offsets, times, since = [], [], 0
    newest, newest_offset = -1, base
    for b in batches:
        if b.max_timestamp > newest:
            newest, newest_offset = b.max_timestamp, b.last_offset
        if since > interval:
            offsets.append((b.last_offset - base, b.position))
            if not times or newest > times[-1][0]:
                times.append((newest, newest_offset - base))
            since = 0
        since += b.size
    if sealed and newest >= 0 and (not times or newest > times[-1][0]):
        times.append((newest, newest_offset - base))
    return offsets, times


def check_offsets(entries, batches, base):
    """Yields faults of an offset index."""
    by_position = {b.position: b for b in batches}
    last = (-1, -1)
    for offset, position in entries:
        if offset <= last[0] or position <= last[1]:
            yield f"entry ({offset}, {position}) after {last}"
        last = (offset, position)
        b = by_position.get(position)
        if b is None:
            yield f"entry ({offset}, {position}): no batch begins there"
        elif b.last_offset != base + offset:
            yield f"entry ({offset}, {position}): the batch there ends with offset {b.last_offset - base}"


def check_times(entries, batches, base, sealed):
    """Yields faults of a time index."""
    last = (-1, -1)
    for timestamp, offset in entries:
        if timestamp <= last[0] or offset < last[1]:
            yield f"entry ({timestamp}, {offset}) after {last}"
        last = (timestamp, offset)
        if not any(b.base_offset <= base + offset <= b.last_offset and b.max_timestamp == timestamp for b in batches):
            yield f"entry ({timestamp}, {offset}): no batch with that timestamp holds that offset"
        if any(b.last_offset <= base + offset and b.max_timestamp > timestamp for b in batches):
            yield f"entry ({timestamp}, {offset}): a batch up to there is newer"
    newest = max((b.max_timestamp for b in batches), default=-1)
    if sealed and newest >= 0 and last[0] != newest:
        yield f"last entry is of {last[0]}, the segment's newest batch of {newest}"


def check_aborted(entries, expected, whole):
    """A transaction index against (producer, first, last) of the aborted transactions that end in the segment."""
    found = [(pid, first, last) for _, pid, first, last, _ in entries]
    for version, pid, first, last, stable in entries:
        if version != 0 or not 0 <= first <= last or stable > last + 1:
            yield f"entry version {version} producer {pid} {first}..{last} stable {stable}"
    if [f[2] for f in found] != sorted(f[2] for f in found):
        yield "entries are not in the order of their ends"
    if whole and sorted(found) != sorted(expected):
        yield f"aborted transactions {sorted(found)}, the log has {sorted(expected)}"
