"""Which of Kafka's messages have a schema here, and which versions beyond those of the newest
Kafka."""

from . import kafka_json
from .schema import NEVER, Range

# Numbers that are gone, and what only brokers and controllers say to each other.
KEYS_LEFT_OUT = frozenset([4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82])
# Headers are written by hand (src/wire/header.c); the others have no place on one node or are not
# in this encoding.
RECORDS_LEFT_OUT = {
    "RequestHeader": "by hand: its client id is never flexible",
    "ResponseHeader": "by hand",
    "AbortedTxn": "the format of the transaction index, which is read in place",
    "ControlRecordTypeSchema": "two numbers, read in place",
    "DefaultPrincipalData": "for forwarding between brokers",
    "QuorumStateData": "a file in JSON",
    "RemotePartitionDeleteMetadataRecord": "tiered storage",
    "RemoteLogSegmentMetadataSnapshotRecord": "tiered storage",
    "RemoteLogSegmentMetadataRecord": "tiered storage",
    "RemoteLogSegmentMetadataUpdateRecord": "tiered storage",
}
# API key -> the oldest version taken where Kafka 4.4 starts later: what Kafka 3.9 took and needs no
# conversion of record formats.
OLDEST_VERSION = {
    2: 0,
    8: 0,
    9: 0,
    19: 0,
    20: 0,
    23: 0,
    27: 0,
    29: 0,
    30: 0,
    31: 0,
    32: 0,
    34: 0,
    35: 0,
    38: 0,
    39: 0,
    40: 0,
    41: 0,
}


def wanted(schema):
    if schema.family == "api":
        return schema.number not in KEYS_LEFT_OUT
    return schema.name not in RECORDS_LEFT_OUT


def extend_downwards(schemas, older_jar):
    """Adds the versions of OLDEST_VERSION as the older release defines them."""
    older = {
        spec["name"]: kafka_json.message_of(spec) for _, spec in kafka_json.read_jar(older_jar)
    }
    for schema in schemas:
        if schema.family == "api" and schema.number in OLDEST_VERSION:
            for message in schema.messages:
                extend_message(message, older[message.name], OLDEST_VERSION[schema.number])


def extend_message(message, older, oldest):
    if message.versions.first <= oldest:
        return
    added = Range(oldest, message.versions.first - 1)
    message.fields = merged(message.fields, older.fields, added)
    message.versions = Range(oldest, message.versions.last)
    message.flexible = joined(message.flexible, older.flexible & added)


def merged(new, old, added):
    """The fields of both, in the order of the older message; new ones stand where they stood among
    the new."""
    result, rest = [], list(new)
    known = {f.name for f in new}
    for before in old:
        if before.name not in known and before.versions & added:
            result.append(restrict(before, added))
        elif before.name in known:
            while rest and rest[0].name != before.name:
                result.append(rest.pop(0))
            result.append(widen(rest.pop(0), before, added))
    return result + rest


def restrict(field, added):
    field.versions &= added
    field.nullable &= added
    if field.struct:
        field.struct.fields = [
            restrict(f, added) for f in field.struct.fields if f.versions & added
        ]
    return field


def widen(field, before, added):
    field.versions = joined(field.versions, before.versions & added)
    field.nullable = joined(field.nullable, before.nullable & added)
    if field.struct:
        field.struct.fields = merged(field.struct.fields, before.struct.fields, added)
    return field


def joined(a, b):
    """The union of two ranges that touch."""
    if not a or not b:
        return a or b or NEVER
    if max(a.first, b.first) > min(a.last, b.last) + 1:
        raise ValueError(f"a gap between {a} and {b}")
    return Range(min(a.first, b.first), max(a.last, b.last))
