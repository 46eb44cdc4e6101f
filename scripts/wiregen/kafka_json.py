"""Kafka's own message definitions, as they lie in its jars, read into the model of schema.py."""

import json
import re
import zipfile
from pathlib import Path

from .schema import NEVER, Field, Message, Range, Schema, Struct, parse_default, parse_range

KIND_OF_TYPE = {
    "request": "request",
    "response": "response",
    "coordinator-key": "key",
    "coordinator-value": "value",
    "metadata": "message",
    "data": "message",
    "header": "message",
}
FAMILY_OF_JAR = {
    "kafka-metadata": "metadata",
    "kafka-group-coordinator": "group",
    "kafka-raft": "storage",
    "kafka-transaction-coordinator": "transaction",
    "kafka-share-coordinator": "share",
    "kafka-storage": "storage",
}
# In kafka-clients, what is neither request nor response is a control record or a snapshot's part,
# but for these.
FAMILY_OF_DATA = {"ConsumerProtocolSubscription": "group", "ConsumerProtocolAssignment": "group"}


def read_jar(path):
    """The definitions in one jar: a list of (name of the entry, parsed JSON)."""
    found = []
    with zipfile.ZipFile(path) as jar:
        for name in sorted(jar.namelist()):
            if re.search(r"(^|/)(message|metadata)/\w+\.json$", name):
                found.append((name, json.loads(without_comments(jar.read(name).decode("utf-8")))))
    return found


def without_comments(text):
    return re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*', lambda m: m[1] or "", text)


def jar_family(path):
    return FAMILY_OF_JAR.get(re.sub(r"-\d.*", "", Path(path).name))


def read_folder(folder):
    """Every message of every jar of Kafka in the folder: a list of (family, number, Message)."""
    found = []
    for path in sorted(Path(folder).glob("kafka-*.jar")):
        for _, spec in read_jar(path):
            found.append(
                (family_of(spec, jar_family(path)), spec.get("apiKey", -1), message_of(spec))
            )
    return found


def family_of(spec, family):
    if spec["type"] in ("request", "response"):
        return "api"
    return family or FAMILY_OF_DATA.get(spec["name"], "storage")


def message_of(spec):
    versions = parse_range(spec["validVersions"])
    flexible = parse_range(spec.get("flexibleVersions", "none")) & versions
    last = versions.last
    unstable = Range(last, last) if spec.get("latestVersionUnstable") in (True, "true") else NEVER
    message = Message(spec["name"], KIND_OF_TYPE[spec["type"]], versions, flexible, unstable)
    for shared in spec.get("commonStructs", []):
        message.shared[shared["name"]] = Struct(shared["name"], [])
    for shared in spec.get("commonStructs", []):
        message.shared[shared["name"]].fields = fields_of(shared["fields"], message)
    message.fields = fields_of(spec.get("fields", []), message)
    return message


def fields_of(specs, message):
    """The fields that are in any version that is still valid."""
    fields = [field_of(spec, message) for spec in specs]
    return [f for f in fields if f.versions]


def field_of(spec, message):
    array = spec["type"].startswith("[]")
    base = spec["type"][2:] if array else spec["type"]
    versions = parse_range(spec.get("versions") or spec["taggedVersions"]) & message.versions
    result = Field(spec["name"], base, array, versions)
    if base[0].isupper():
        result.type = "struct"
        result.shared = base in message.shared
        result.struct = (
            message.shared[base]
            if result.shared
            else Struct("struct", fields_of(spec["fields"], message))
        )
    result.nullable = parse_range(spec.get("nullableVersions", "none")) & versions
    if "tag" in spec:
        result.tag, result.tagged = int(spec["tag"]), parse_range(spec["taggedVersions"]) & versions
    if spec.get("default") is not None and str(spec["default"]) != "":
        result.default = parse_default(result, str(spec["default"]))
    result.ignorable = spec.get("ignorable") in (True, "true")
    result.entity = spec.get("entityType")
    return result


def schemas_of(messages):
    """Puts request and response, key and value together: a list of Schema."""
    schemas = {}
    for family, number, message in messages:
        suffix = "" if message.kind == "message" else message.kind.capitalize()
        name = message.name[: len(message.name) - len(suffix)]
        schema = schemas.setdefault((family, number, name), Schema(family, number, name, []))
        schema.messages.append(message)
    order = ("request", "response", "key", "value", "message")
    for schema in schemas.values():
        schema.messages.sort(key=lambda m: order.index(m.kind))
    return list(schemas.values())
