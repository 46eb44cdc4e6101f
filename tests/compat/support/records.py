"""Records as all clients see them, and as lines that our Java program reads and prints."""
import dataclasses
import time

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@dataclasses.dataclass(frozen=True)
class Record:
    """One record of a partition."""

    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = ()

    def line(self):
        headers = ",".join(f"{word(name.encode())}:{word(value)}" for name, value in self.headers)
        return f"{self.timestamp} {word(self.key)} {word(self.value)} {headers or '.'}"

    @classmethod
    def parse(cls, line):
        timestamp, key, value, headers = line.split(" ")
        pairs = [] if headers == "." else [pair.split(":") for pair in headers.split(",")]
        return cls(int(timestamp), content(key), content(value), tuple((content(k).decode(), content(v)) for k, v in pairs))


def word(data):
    return "-" if data is None else "=" + data.hex()


def content(text):
    return None if text == "-" else bytes.fromhex(text[1:])


def samples():
    """Records of every shape: null, empty, large, binary, with headers; an hour old, and each a second after the one before."""
    start = (int(time.time()) - 3600) * 1000
    every_byte = bytes(range(256))
    shapes = [
        (b"key", b"value", ()),
        (None, b"no key", ()),
        (b"", b"empty key", ()),
        (b"empty value", b"", ()),
        (b"no value", None, ()),
        (b"headers", b"v", (("name", b"value"), ("name", b"twice"), ("empty", b""), ("", b"empty name"))),
        ("schlüssel ключ".encode(), "wert значение 値".encode(), (("überschrift", "köpfe".encode()),)),
        (every_byte, every_byte, (("bytes", every_byte),)),
        (b"large", b"0123456789abcdef" * 6000, ()),
        (b"last", b"x", ()),
    ]
    return [Record(start + 1000 * i, *shape) for i, shape in enumerate(shapes)]
