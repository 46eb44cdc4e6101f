"""Messages as C sees them: one flat list of structs per message, inner ones first, named by the
path that leads to them."""

from dataclasses import dataclass, field

from .names import c_field, snake
from .schema import FOREVER, SchemaError

# type -> (C type, least bytes when not flexible, least bytes when flexible)
C_TYPES = {
    "int8": ("int8_t", 1, 1),
    "int16": ("int16_t", 2, 2),
    "int32": ("int32_t", 4, 4),
    "int64": ("int64_t", 8, 8),
    "uint16": ("uint16_t", 2, 2),
    "uint32": ("uint32_t", 4, 4),
    "float64": ("double", 8, 8),
    "bool": ("bool", 1, 1),
    "uuid": ("struct uuid", 16, 16),
    "string": ("struct str", 2, 1),
    "bytes": ("struct bytes", 4, 1),
    "records": ("struct wire_records", 4, 1),
}


@dataclass
class CField:
    """A field of the schema with its names; `of` is the struct of a struct field or of an array's
    elements."""

    spec: object
    name: str
    of: object = None

    @property
    def pointer(self):
        return self.spec.type == "struct" and not self.spec.array and bool(self.spec.nullable)

    @property
    def c_type(self):
        return f"struct {self.of.tag}" if self.of else C_TYPES[self.spec.type][0]


@dataclass
class CStruct:
    tag: str
    fields: list = field(default_factory=list)
    aliases: list = field(default_factory=list)  # other paths to the same shared struct


@dataclass
class CMessage:
    spec: object
    tag: str
    structs: list = field(default_factory=list)  # the last one is the message itself


def build(message):
    result = CMessage(message, snake(message.name))
    build_struct(result, result.tag, message.fields, {})
    return result


def build_struct(result, tag, fields, shared):
    struct = CStruct(tag)
    for spec in fields:
        of = None
        name = c_field(spec.name)
        if spec.struct:
            path = f"{tag}_{name}"
            if spec.shared and spec.struct.name in shared:
                of = shared[spec.struct.name]
                add_alias(of, path)
            else:
                of = build_struct(result, path, spec.struct.fields, shared)
                if spec.shared:
                    shared[spec.struct.name] = of
        struct.fields.append(CField(spec, name, of))
    check_names(struct)
    result.structs.append(struct)
    return struct


def add_alias(struct, path):
    struct.aliases.append(path)
    for inner in struct.fields:
        if inner.of:
            add_alias(inner.of, f"{path}_{inner.name}")


def check_names(struct):
    names = [f.name for f in struct.fields] + ["n_" + f.name for f in struct.fields if f.spec.array]
    if len(set(names)) != len(names):
        raise SchemaError(f"{struct.tag}: two fields have the same name in C")


# ---- expressions over the version ---------------------------------------------------------------


def condition(inner, outer):
    """The C condition for `version` in `inner`, given that it is in `outer`: "true" and "false"
    included."""
    both = inner & outer
    if not both:
        return "false"
    parts = []
    if both.first == both.last and (both.first > outer.first or both.last < outer.last):
        return f"version == {both.first}"
    if both.first > outer.first:
        parts.append(f"version >= {both.first}")
    if both.last < outer.last and both.last < FOREVER:
        parts.append(f"version <= {both.last}")
    return " && ".join(parts) or "true"


def least_bytes(fields, message, version):
    """The fewest bytes that a struct of these fields takes in a version."""
    flexible = version in message.flexible
    total = 1 if flexible else 0
    for each in fields:
        if version in each.versions and not (flexible and version in each.tagged):
            total += least_field_bytes(each, message, version, flexible)
    return total


def least_field_bytes(each, message, version, flexible):
    if each.array:
        return 1 if flexible else 4
    if each.type == "struct":
        return 1 if each.nullable else least_bytes(each.struct.fields, message, version)
    return C_TYPES[each.type][2 if flexible else 1]


def least_element_expression(each, message):
    """least_bytes of an array's elements as a C expression over the version."""
    steps = []  # (first version, bytes), oldest first
    for version in each.versions.each():
        least = least_bytes(each.struct.fields, message, version)
        if not steps or steps[-1][1] != least:
            steps.append((version, least))
    text = str(steps[0][1])
    for first, least in steps[1:]:
        text = f"version >= {first} ? {least} : {text}"
    return text
