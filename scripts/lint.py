#!/usr/bin/env python3
"""Checks the rules that protect the architecture: config/layers.txt and those of the style that a machine can see.

usage: scripts/lint.py [ROOT]

Prints one line per fault, "file:line: rule: what is wrong", and ends with exit code 1 when there is any. Each rule is one
function below; tests/lint/ holds a bad snippet for each.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FILE_LINES_MAX = 600

# Header -> where it may be included: modules, or single files.
SYSTEM_HEADERS = {
    "uv.h": {"net", "admin", "cli", "sys/lanes_uv.c"},
    "zstd.h": {"codec"}, "zlib.h": {"codec"}, "snappy-c.h": {"codec"}, "lz4.h": {"codec"},
    "lz4hc.h": {"codec"}, "lz4frame.h": {"codec"}, "isa-l.h": {"codec"}, "isa-l/crc.h": {"codec"},
    "re2/re2.h": {"regex/re2_shim.cc"}, "xxhash.h": {"group/topic_hash.c"},
    "pthread.h": {"sys"}, "threads.h": {"sys"}, "fcntl.h": {"sys", "net"}, "sys/stat.h": {"sys"},
    "sys/statvfs.h": {"sys"}, "sys/file.h": {"sys"}, "sys/vfs.h": {"sys"}, "dirent.h": {"sys"},
    "time.h": {"sys"}, "sys/time.h": {"sys"}, "sys/random.h": {"sys"}, "sys/mman.h": set(),
    "sys/sendfile.h": {"net"}, "sys/socket.h": {"net"}, "netinet/in.h": {"net"},
    "netinet/tcp.h": {"net"}, "arpa/inet.h": {"net"}, "netdb.h": {"net"},
    "unistd.h": {"sys", "net", "cli"}, "signal.h": {"cli", "net"},
}
OPENSSL = {"crypto", "net/tls_conn.c"}
# Calls -> where they may stand.
CALLS = [
    (re.compile(r"\bpthread_mutex_|\bmtx_lock\b"), {"sys"}, "mutex", "no mutex outside sys"),
    (re.compile(r"(?<![\w>.])rename\s*\("), {"sys"}, "rename", "names change through vfs_replace or vfs_rename"),
    (re.compile(r"(?<![\w>.])(?:malloc|calloc|realloc|strdup)\s*\("), {"base"}, "allocation",
     "use the x-functions of base.h"),
    (re.compile(r"(?<![\w>.])fsync\s*\(|(?<![\w>.])fdatasync\s*\("), {"sys"}, "sync", "use file_datasync or vfs_sync_dir"),
]


class Lint:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.faults = []
        self.layers = self.read_layers()
        self.public = {p.name for p in (self.root / "include").glob("*.h")}

    def fault(self, path, line, rule, text):
        self.faults.append(f"{path.relative_to(self.root)}:{line}: {rule}: {text}")

    def read_layers(self):
        layers = {}
        for line in (self.root / "config/layers.txt").read_text().splitlines():
            line = line.split("#")[0].strip()
            if line:
                module, words = line.split(":")
                layers[module.strip()] = set(words.split())
        return layers

    def run(self):
        for path in sorted(p for p in (self.root / "src").rglob("*") if p.suffix in (".c", ".h", ".cc")):
            self.check_source(path)
        for path in sorted((self.root / "include").glob("*.h")):
            self.check_includes(path, path.stem, path.name)
        self.check_generated()
        self.check_module_headers()
        return self.faults

    def check_source(self, path):
        parts = path.relative_to(self.root / "src").parts
        module, inside = parts[0], "/".join(parts)
        if module not in self.layers:
            self.fault(path, 1, "layers", f"module {module} has no line in config/layers.txt")
            return
        self.check_includes(path, module, inside)
        self.check_calls(path, module, inside)
        self.check_shape(path)

    def check_includes(self, path, module, inside):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            kind, name = m.groups()
            if ".." in pathlib.PurePosixPath(name).parts:
                self.fault(path, number, "dotdot", f"include of {name} leaves its folder")
            elif kind == "<":
                self.check_system(path, number, module, inside, name)
            elif name in self.public:
                self.check_layer(path, number, module, name[:-2])

    def check_system(self, path, number, module, inside, name):
        allowed = OPENSSL if name.startswith("openssl/") else SYSTEM_HEADERS.get(name)
        if allowed is not None and module not in allowed and inside not in allowed:
            self.fault(path, number, "system header", f"<{name}> may not be included in {inside}")

    def check_layer(self, path, number, module, other):
        allowed = self.layers.get(module, set())
        if other != module and "*" not in allowed and other not in allowed:
            self.fault(path, number, "layers", f"{module} may not include {other}.h")

    def check_calls(self, path, module, inside):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("/*")[0].split("//")[0]
            if code.lstrip().startswith("*"):
                continue
            for pattern, allowed, rule, text in CALLS:
                if module not in allowed and inside not in allowed and pattern.search(code):
                    self.fault(path, number, rule, text)

    def check_shape(self, path):
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES_MAX:
            self.fault(path, len(lines), "length", f"over {FILE_LINES_MAX} lines: is there a seam to cut along?")
        if path.suffix != ".h" and not (lines and lines[0].startswith("/*")):
            self.fault(path, 1, "header comment", "a source file opens with a comment that a newcomer can start from")
        for number, line in enumerate(lines, 1):
            if "FIXME" in line:
                self.fault(path, number, "fixme", "FIXME never reaches the main branch")

    def check_generated(self):
        for path in sorted(self.root.glob("**/wire_messages.[ch]")):
            if "build" not in path.relative_to(self.root).parts:
                self.fault(path, 1, "generated", "generated files are never committed")

    def check_module_headers(self):
        for path in sorted((self.root / "src").rglob("*.h")):
            if path.name in self.public:
                self.fault(path, 1, "header name", "a private header has the name of a public one")


def main(argv):
    root = argv[1] if len(argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    faults = Lint(root).run()
    for line in faults:
        print(line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
