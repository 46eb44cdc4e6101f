#!/usr/bin/env python3
"""Compares our schemas with the message definitions inside Apache Kafka's jars and prints every
difference.

    tests/compat/schema/compare.py FOLDER_OF_JARS [--older kafka-clients-3.9.x.jar]

Compared are messages, version ranges, flexible and unstable versions, and of each field the place,
type, versions, nullable versions, tag, default, ignorable and entity. What is meant to differ is
listed, with reasons, in scripts/wiregen/scope.py: keys of controllers, records that are not ours to
write, and the older versions that we take and the newest Kafka does not; with --older those are
compared with the release that had them. The names in `errors` clauses must be names of Kafka's
errors. Exit code 1 when anything differs.
"""

import argparse
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
from wiregen import kafka_json, scope  # noqa: E402
from wiregen.schema import load_folder  # noqa: E402

ERRORS = ROOT / "include/base/kafka_errors.def"


class Comparison:
    """Collects differences; `within` is the range of versions that both sides are asked about."""

    def __init__(self, attributes=("array", "type", "tag", "default", "ignorable", "entity")):
        self.attributes = attributes
        self.differences = []
        self.n_fields = 0
        self.within = None

    def differ(self, where, what, ours, kafkas):
        if ours != kafkas:
            self.differences.append(f"{where}: {what}: ours {show(ours)}, Kafka's {show(kafkas)}")

    def message(self, ours, kafkas, within):
        self.within = within
        self.differ(
            ours.name, "flexible versions", ours.flexible & within, kafkas.flexible & within
        )
        self.differ(
            ours.name, "unstable versions", ours.unstable & within, kafkas.unstable & within
        )
        self.fields(ours.name, ours.fields, kafkas.fields)

    def fields(self, where, ours, kafkas):
        ours, kafkas = ([f for f in side if f.versions & self.within] for side in (ours, kafkas))
        self.differ(where, "fields", [f.name for f in ours], [f.name for f in kafkas])
        by_name = {f.name: f for f in kafkas}
        for field in ours:
            if field.name in by_name:
                self.field(f"{where}.{field.name}", field, by_name[field.name])

    def field(self, where, ours, kafkas):
        self.n_fields += 1
        for what in self.attributes:
            self.differ(where, what, getattr(ours, what), getattr(kafkas, what))
        for what in ("versions", "nullable", "tagged"):
            self.differ(
                where, what, getattr(ours, what) & self.within, getattr(kafkas, what) & self.within
            )
        if ours.struct and kafkas.struct:
            self.fields(where, ours.struct.fields, kafkas.struct.fields)


def unknown_errors(messages):
    """Names in `errors` clauses that are not in the table of errors."""
    known = set(re.findall(r"^KAFKA_ERROR\((\w+)", ERRORS.read_text(encoding="utf-8"), re.M))
    found = []
    for message in messages:
        todo = [message.fields] + [s.fields for s in message.shared.values()]
        while todo:
            for field in todo.pop():
                names = [e for e in field.errors if e not in known]
                found += [f"{message.name}: {field.name}: no error {name}" for name in names]
                if field.struct and not field.shared:
                    todo.append(field.struct.fields)
    return found


def show(value):
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def by_name(schemas):
    """(family, message name) -> (schema's number, message)."""
    return {(s.family, m.name): (s.number, m) for s in schemas for m in s.messages}


def compare(ours, kafkas):
    result = Comparison()
    for key in sorted(set(ours) | set(kafkas)):
        if key not in ours or key not in kafkas:
            result.differ("/".join(key), "is there", key in ours, key in kafkas)
            continue
        (number, our_message), (their_number, their_message) = ours[key], kafkas[key]
        result.differ(our_message.name, "number", number, their_number)
        oldest = scope.OLDEST_VERSION.get(number) if key[0] == "api" else None
        first = min(
            their_message.versions.first,
            oldest if oldest is not None else their_message.versions.first,
        )
        expected = type(our_message.versions)(first, their_message.versions.last)
        result.differ(our_message.name, "versions", our_message.versions, expected)
        result.message(our_message, their_message, their_message.versions)
    return result


def compare_older(ours, jar, newest):
    """The versions of scope.OLDEST_VERSION, against the release that had them. What is ignorable
    may have changed since."""
    result = Comparison(("array", "type", "tag", "default", "entity"))
    older = {spec["name"]: kafka_json.message_of(spec) for _, spec in kafka_json.read_jar(jar)}
    for (family, name), (number, message) in sorted(ours.items()):
        if family == "api" and number in scope.OLDEST_VERSION:
            first_kept = newest[family, name][1].versions.first
            within = type(message.versions)(message.versions.first, first_kept - 1)
            if within:
                result.message(message, older[name], within)
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("jars", help="the folder with the jars of the newest Kafka")
    parser.add_argument("--older", help="kafka-clients of the release that had the older versions")
    parser.add_argument("--schemas", default=ROOT / "src/wire/schema")
    arguments = parser.parse_args()
    apis, records = load_folder(arguments.schemas)
    ours = by_name(apis + records)
    kafkas = kafka_json.schemas_of(kafka_json.read_folder(arguments.jars))
    if not kafkas:
        sys.exit(f"no message definitions in {arguments.jars}")
    newest = by_name(s for s in kafkas if scope.wanted(s))
    results = [compare(ours, newest)]
    if arguments.older:
        results.append(compare_older(ours, arguments.older, newest))
    differences = [d for r in results for d in r.differences]
    differences += unknown_errors(message for _, message in ours.values())
    print(
        "\n".join(
            differences
            + [
                f"{len(ours)} messages, {sum(r.n_fields for r in results)} fields compared, "
                f"{len(differences)} differences"
            ]
        )
    )
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
