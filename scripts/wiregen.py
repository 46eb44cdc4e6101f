#!/usr/bin/env python3
"""Generates the protocol's C code from the schemas.

    scripts/wiregen.py --out DIR src/wire/schema

writes DIR/wire_messages.h (structs and prototypes), DIR/wire_requests.c, wire_responses.c,
wire_records.c (codecs) and wire_messages.c (the tables). The language of the schemas is described
in src/wire/README.md.
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from wiregen import cmodel, emit_codec, emit_header, emit_table, schema  # noqa: E402


def write(path, text):
    """Leaves a file that would not change alone, so that nothing is compiled again for it."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, type=Path, help="the folder to write into")
    parser.add_argument("schemas", help="the folder with the schemas")
    arguments = parser.parse_args()
    try:
        apis, records = schema.load_folder(arguments.schemas)
        messages = {s.name: cmodel.build(s) for each in apis + records for s in each.messages}
    except schema.SchemaError as error:
        sys.exit(f"wiregen: {error}")
    requests = [messages[a.message("request").name] for a in apis]
    responses = [messages[a.message("response").name] for a in apis]
    recorded = [messages[m.name] for r in records for m in r.messages]
    groups = [("requests", requests), ("responses", responses), ("records", recorded)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(arguments.out / "wire_messages.h", emit_header.header(groups))
    for name, group in groups:
        write(arguments.out / f"wire_{name}.c", emit_codec.codecs(name, group))
    write(arguments.out / "wire_messages.c", emit_table.tables(apis, records, messages))


if __name__ == "__main__":
    main()
