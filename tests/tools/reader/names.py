"""Checkpoints and other small text files of a data directory."""
import re

from .batch import Bad

UUID = re.compile(r"[A-Za-z0-9_-]{22}")


def _lines(path):
    lines = path.read_text().split("\n")
    if lines[-1] != "":
        raise Bad("the last line is not ended")
    if len(lines) < 3 or lines[0] != "0":
        raise Bad(f"version line {lines[0]!r}")
    if not re.fullmatch(r"\d+", lines[1]) or int(lines[1]) != len(lines) - 3:
        raise Bad(f"count line {lines[1]!r} above {len(lines) - 3} lines")
    return lines[2:-1]


def read_offsets(path):
    """{"topic-partition": offset} of an offset checkpoint; an empty file is an empty one."""
    out = {}
    if path.stat().st_size == 0:
        return out
    for line in _lines(path):
        m = re.fullmatch(r"(\S+) (\d+) (\d+)", line)
        if not m:
            raise Bad(f"line {line!r}")
        name = f"{m[1]}-{m[2]}"
        if name in out:
            raise Bad(f"{name} twice")
        out[name] = int(m[3])
    return out


def read_epochs(path):
    """[(epoch, start offset)] of a leader-epoch-checkpoint."""
    out = []
    if path.stat().st_size == 0:
        return out
    for line in _lines(path):
        m = re.fullmatch(r"(\d+) (\d+)", line)
        if not m:
            raise Bad(f"line {line!r}")
        out.append((int(m[1]), int(m[2])))
    return out


def read_properties(path):
    out = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith(("#", "!")):
            key, _, value = line.partition("=")
            out[key.strip()] = value.strip()
    return out
