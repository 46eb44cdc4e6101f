"""Kafka's names as names in C."""

import re

# Words that C has taken.
KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while bool true false""".split()
)


def snake(name):
    """IsKRaftController -> is_kraft_controller."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("KRaft", "Kraft")).lower()


def c_field(name):
    word = snake(name)
    return word + "_" if word in KEYWORDS else word


def file_name(schema):
    """The file that a schema lives in, below src/wire/schema."""
    if schema.family == "api":
        return f"{schema.number:02d}_{snake(schema.name)}"
    return f"records/{schema.family}_{snake(schema.name).removeprefix(schema.family + '_')}"
