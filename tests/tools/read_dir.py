#!/usr/bin/env python3
"""Reads a data directory in Apache Kafka's format, whoever wrote it, and reports everything in it that does not fit together.

usage: read_dir.py [--unclean] [--index-interval BYTES] [--list] DIR...

Shares no code with the broker: that is its worth. One line per fault, "file: what is wrong"; the last line counts. Exit code 1 when
there is any fault, 2 when a directory cannot be read at all.

A directory with a clean-shutdown marker is held to everything: no torn tail, indexes that end where the log does, an empty journal.
Without one (or with --unclean) the end of an active segment may be torn and what is derived may be behind.
--index-interval: index.interval.bytes of all topics; indexes must then equal those rebuilt from the log, entry by entry.
--list: also prints every batch.
"""
import argparse
import pathlib
import sys

from reader.directory import DataDir
from reader.report import Report


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unclean", action="store_true")
    parser.add_argument("--index-interval", type=int)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("dirs", nargs="+", metavar="DIR", type=pathlib.Path)
    args = parser.parse_args(argv)
    report = Report(args.list)
    for path in args.dirs:
        if not path.is_dir():
            print(f"{path}: no such directory", file=sys.stderr)
            return 2
        DataDir(path, report, args.unclean, args.index_interval).check()
    print(report.summary())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
