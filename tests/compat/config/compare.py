#!/usr/bin/env python3
"""Compares our tables of settings with Apache Kafka's own ConfigDefs: names, types, defaults, what is valid, which lists
may be empty, what may change while running, synonyms.

    tests/compat/config/compare.py FOLDER_WITH_THE_JARS_OF_A_4.4_BROKER

Every difference that is not in EXPECTED is printed, and so is every line of EXPECTED that no longer differs; the exit code
is 1 then.
"""
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
NULL = "<null>"

# Our own differences: (table, setting, what) -> why.
EXPECTED = {
    ("broker", "listeners", "default"): "this machine only",
    ("broker", "log.dir", "default"): "not in /tmp",
    ("broker", "node.id", "default"): "need not be given",
    ("broker", "process.roles", "default"): "need not be given",
    ("broker", "controller.listener.names", "default"): "need not be given",
    ("broker", "log.flush.interval.messages", "default"): "acknowledged is on the disk",
    ("topic", "flush.messages", "default"): "acknowledged is on the disk",
    ("broker", "offsets.topic.replication.factor", "default"): "one node",
    ("broker", "transaction.state.log.replication.factor", "default"): "one node",
    ("broker", "transaction.state.log.min.isr", "default"): "one node",
    ("broker", "share.coordinator.state.topic.replication.factor", "default"): "one node",
    ("broker", "share.coordinator.state.topic.min.isr", "default"): "one node",
    ("broker", "log.journal.bytes", "name"): "ours",
    ("broker", "log.min.free.bytes", "name"): "ours",
    ("broker", "super.users", "name"): "read by Kafka's authorizer, in no ConfigDef",
    ("broker", "allow.everyone.if.no.acl.found", "name"): "read by Kafka's authorizer, in no ConfigDef",
    ("broker", "authorizer.class.name", "valid"): "\"non-null string\" says no more than its default",
    ("broker", "controller.quorum.voters", "valid"): "not looked at",
    ("broker", "controller.quorum.bootstrap.servers", "valid"): "not looked at",
}


def load_generator():
    """The reader of the tables that scripts/gen-server-properties has."""
    path = str(ROOT / "scripts/gen-server-properties")
    loader = importlib.machinery.SourceFileLoader("gen_server_properties", path)
    spec = importlib.util.spec_from_loader("gen_server_properties", loader)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def valid_text(check):
    """What Kafka's validator would print for the words of a row."""
    name, _, inner = check.partition("(")
    words = [w.strip() for w in inner.rstrip(")").split(",")]
    forms = {
        "AT_LEAST": "[{0},...]",
        "BETWEEN": "[{0},...,{1}]",
        "BETWEEN_OR": "[{0},...,{1}] or {2}",
        "NOT_EMPTY": "non-empty string",
        "REPLICAS": "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
        "OFFSET_RESET": "[latest, earliest, by_duration:PnDTnHnMn.nS]",
        "ONE_OF_ANY_CASE": "(case insensitive) [{all}]",
    }
    if name in ("ONE_OF", "LIST_OF", "FULL_LIST_OF"):
        return f"[{', '.join(words)}]"
    return forms.get(name, "").format(*words, all=", ".join(words))


def chain(name, after):
    names = []
    while name is not None:
        names.append(name)
        name = after.get(name)
    return names


def synonym_chains():
    """The table behind config_synonym_after and config_synonym_first, read from its source."""
    text = (ROOT / "src/config/settings.c").read_text()
    after, before = {}, {}
    for name, following, both_ways in re.findall(r'{"([a-z.]+)", "([a-z.]+)", (true|false)}', text):
        after[name] = following
        if both_ways == "true":
            before[following] = name
    return after, before


def ours():
    generator = load_generator()
    after, before = synonym_chains()
    modes = {"STATIC": "read-only", "PER_BROKER": "per-broker", "CLUSTER_WIDE": "cluster-wide"}
    rows = {}
    for table in ("broker", "topic", "group"):
        text = (ROOT / f"include/config/{table}_settings.def").read_text()
        for macro, args in generator.calls(text):
            if macro == "SETTING_GROUP":
                continue
            name, kind, default, fifth, check, _ = args[1:] if macro == "SETTING" else args
            name, default = generator.unquote(name), generator.unquote(default)
            row = {"type": kind, "default": NULL if default is None else default,
                   "valid": valid_text(check)}
            if kind == "LIST" and check not in ("ANY", "REPLICAS"):
                row["empty"] = "full" if check.startswith("FULL") else "empty"
            if table == "broker":
                row["dynamic"] = modes[fifth]
            if table == "topic" and fifth != "NULL":
                row["synonyms"] = ",".join(chain(generator.unquote(fifth), after))
            if table == "broker":
                row["synonyms"] = ",".join(chain(chain(name, before)[-1], after))
            rows[table, name] = row
    return rows


def theirs(jars):
    out = subprocess.run(["java", "-cp", f"{jars}/*", str(HERE / "ConfigDump.java")], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    rows = {}
    for line in out.splitlines():
        table, name, kind, default, valid, empty, dynamic, synonyms = line.split("\t")
        rows[table, name] = {"type": kind, "default": default, "valid": valid, "empty": empty,
                             "dynamic": dynamic, "synonyms": synonyms}
    return rows


def differences(mine, kafkas):
    for key in sorted(mine.keys() | kafkas.keys()):
        if key not in kafkas or key not in mine:
            yield (*key, "name"), f"only in {'ours' if key in mine else 'Kafka'}"
            continue
        for what, value in mine[key].items():
            other = kafkas[key][what]
            if value != other:
                yield (*key, what), f"ours {value!r}, Kafka {other!r}"
        # A synonym of Kafka's that we do not name would be missing from DescribeConfigs.
        if "synonyms" not in mine[key] and kafkas[key]["synonyms"]:
            yield (*key, "synonyms"), f"ours none, Kafka {kafkas[key]['synonyms']!r}"


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    kafkas = theirs(sys.argv[1])
    found = dict(differences(ours(), kafkas))
    wrong = [f"{t} setting {n}: {w}: {text}" for (t, n, w), text in found.items()
             if (t, n, w) not in EXPECTED]
    wrong += [f"{t} setting {n}: {w}: no longer differs" for (t, n, w) in EXPECTED
              if (t, n, w) not in found]
    for line in wrong:
        print(line)
    print(f"{len(kafkas)} settings compared, {len(found)} differences, {len(wrong)} unexpected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
