"""The schema language of src/wire/schema (described in src/wire/README.md): the model, its parser
and its printer."""

import re
from dataclasses import dataclass, field
from pathlib import Path

FOREVER = 32767  # the open end of a version range

PRIMITIVES = (
    "int8",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "float64",
    "bool",
    "uuid",
    "string",
    "bytes",
    "records",
)
KINDS = ("request", "response", "key", "value", "message")


class SchemaError(Exception):
    pass


@dataclass(frozen=True)
class Range:
    """A closed range of versions; `first` > `last` is the empty one."""

    first: int
    last: int

    def __contains__(self, version):
        return self.first <= version <= self.last

    def __bool__(self):
        return self.first <= self.last

    def __and__(self, other):
        both = Range(max(self.first, other.first), min(self.last, other.last))
        return both if both else NEVER

    def each(self):
        return range(self.first, self.last + 1)

    def __str__(self):
        if not self:
            return "never"
        if self.last == FOREVER:
            return f"{self.first}+"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


NEVER = Range(1, 0)


def parse_range(text):
    if text in ("never", "none"):
        return NEVER
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not match:
        raise SchemaError(f"not a range of versions: {text!r}")
    first = int(match[1])
    if match[2] == "+":
        return Range(first, FOREVER)
    return Range(first, int(match[3]) if match[3] else first)


@dataclass
class Struct:
    """Fields under a name of their own: written once, used by several fields of one message."""

    name: str
    fields: list


@dataclass
class Field:
    name: str
    type: str  # a primitive, or "struct"
    array: bool
    versions: Range  # within those of the message
    nullable: Range = NEVER  # within `versions`
    tag: int = None
    tagged: Range = NEVER  # within `versions`
    default: object = None  # None: zero, false, empty; "null"; else a number, a bool or a string
    ignorable: bool = False
    entity: str = None
    errors: list = field(default_factory=list)
    struct: Struct = None  # of a struct or an array of structs
    shared: bool = False  # `struct` has a block of its own

    @property
    def null_by_default(self):
        return self.default == "null"


@dataclass
class Message:
    name: str  # "FetchRequest"
    kind: str  # one of KINDS
    versions: Range
    flexible: Range  # within `versions`
    unstable: Range  # likewise
    fields: list = field(default_factory=list)
    shared: dict = field(default_factory=dict)  # name -> Struct, in the order of writing


@dataclass
class Schema:
    """One file: an API with request and response, or a record with key and value or a single
    message."""

    family: str  # "api", "metadata", "group", ...
    number: int  # API key or record type, -1: none
    name: str
    messages: list

    def message(self, kind):
        return next((m for m in self.messages if m.kind == kind), None)


# ---- parsing ------------------------------------------------------------------------------------


def parse_file(path):
    parser = Parser(path)
    try:
        return parser.run()
    except (SchemaError, ValueError, IndexError, KeyError) as error:
        raise SchemaError(f"{path}:{parser.line_number}: {error}") from error


def load_folder(folder):
    """All schemas: APIs by key, then records by family, type and name."""
    apis = [parse_file(p) for p in sorted(Path(folder).glob("[0-9]*")) if p.is_file()]
    records = [parse_file(p) for p in sorted((Path(folder) / "records").glob("*")) if p.is_file()]
    apis.sort(key=lambda s: s.number)
    records.sort(key=lambda s: (s.family, s.number, s.name))
    return apis, records


class Parser:
    """Line by line; `open_blocks` holds (indent, list of fields) of what is being filled."""

    def __init__(self, path):
        self.lines = Path(path).read_text(encoding="utf-8").splitlines()
        self.line_number = 0
        self.schema = None
        self.message = None
        self.open_blocks = []
        self.last_field = None

    def run(self):
        for self.line_number, line in enumerate(self.lines, 1):
            text = line.split("#", 1)[0].rstrip()
            if text:
                self.take(len(text) - len(text.lstrip()), text.split())
        if self.schema is None or not self.schema.messages:
            raise SchemaError("no message in the file")
        for message in self.schema.messages:
            resolve_shared(message)
        return self.schema

    def take(self, indent, words):
        if indent == 0:
            self.take_head(words)
        elif words[0] == "errors" and indent > self.open_blocks[-1][0] and self.last_field:
            self.last_field.errors += words[1:]
        elif self.message is None:
            raise SchemaError("a field outside a message")
        elif words[0] == "struct" and len(words) == 2:
            self.take_struct(indent, words[1])
        else:
            self.take_field(indent, words)

    def take_head(self, words):
        if words[0] in KINDS:
            self.take_message(words)
        elif words[0] == "api" and len(words) == 3:
            self.schema = Schema("api", int(words[1]), words[2], [])
        elif words[0] == "record" and len(words) == 4:
            number = -1 if words[2] == "-" else int(words[2])
            self.schema = Schema(words[1], number, words[3], [])
        else:
            raise SchemaError(f"not a head line: {' '.join(words)}")

    def take_message(self, words):
        if self.schema is None or len(words) < 2:
            raise SchemaError("a message needs the line `api` or `record` before it, and versions")
        versions = parse_range(words[1])
        clauses = dict(zip(words[2::2], words[3::2]))
        unknown = set(clauses) - {"flexible", "unstable"}
        if unknown or len(words) % 2:
            raise SchemaError(f"not a clause of a message: {' '.join(words[2:])}")
        kind = words[0]
        suffix = "" if kind == "message" else kind.capitalize()
        self.message = Message(
            self.schema.name + suffix,
            kind,
            versions,
            parse_range(clauses.get("flexible", "never")) & versions,
            parse_range(clauses.get("unstable", "never")) & versions,
        )
        self.schema.messages.append(self.message)
        self.open_blocks = [(0, self.message.fields)]
        self.last_field = None

    def take_struct(self, indent, name):
        if name in self.message.shared:
            raise SchemaError(f"struct {name} is there twice")
        struct = Struct(name, [])
        self.message.shared[name] = struct
        self.open_blocks = [(0, self.message.fields), (indent, struct.fields)]
        self.last_field = None

    def take_field(self, indent, words):
        while self.open_blocks and len(self.open_blocks) > 1 and self.open_blocks[-1][0] >= indent:
            self.open_blocks.pop()
        self.last_field = parse_field(words, self.message)
        self.open_blocks[-1][1].append(self.last_field)
        if self.last_field.type == "struct" and not self.last_field.shared:
            self.open_blocks.append((indent, self.last_field.struct.fields))


def parse_field(words, message):
    name, type_word, *rest = words
    array = type_word.startswith("[]")
    base = type_word[2:] if array else type_word
    versions = message.versions
    if rest and re.match(r"\d", rest[0]):
        versions = parse_range(rest.pop(0)) & message.versions
    result = Field(name, base, array, versions)
    if base not in PRIMITIVES:
        result.type, result.shared = "struct", base != "struct"
        result.struct = Struct(base, [])
    while rest:
        rest = parse_clause(result, rest)
    return result


def parse_clause(result, words):
    """Takes one clause off the front; returns the words after it."""
    clause, *rest = words
    if clause == "ignorable":
        result.ignorable = True
    elif clause == "nullable":
        result.nullable = result.versions
        if rest and re.match(r"\d", rest[0]):
            result.nullable = parse_range(rest.pop(0)) & result.versions
    elif clause == "tag":
        result.tag, result.tagged = int(rest.pop(0)), result.versions
        if rest and re.match(r"\d", rest[0]):
            result.tagged = parse_range(rest.pop(0)) & result.versions
    elif clause == "default":
        result.default = parse_default(result, rest.pop(0))
    elif clause == "entity":
        result.entity = rest.pop(0)
    else:
        raise SchemaError(f"not a clause of a field: {clause}")
    return rest


def parse_default(of, word):
    """A default in one form; None where it is what the type has anyway."""
    if word == "null":
        return "null"
    if of.array or of.type in ("struct", "uuid", "bytes", "records"):
        raise SchemaError(f"{of.name}: the default of this type can only be null")
    if of.type == "bool":
        return {"true": True, "false": None}[word.lower()]
    if of.type == "string":
        return word or None
    return (float(word) if of.type == "float64" else int(word, 0)) or None


def resolve_shared(message):
    """Points every field that names a shared struct at its block."""
    todo = [message.fields] + [s.fields for s in message.shared.values()]
    while todo:
        for each in todo.pop():
            if each.shared:
                if each.struct.name not in message.shared:
                    raise SchemaError(f"{message.name}.{each.name}: no struct {each.struct.name}")
                each.struct = message.shared[each.struct.name]
            elif each.struct:
                todo.append(each.struct.fields)


# ---- printing -----------------------------------------------------------------------------------


def print_schema(schema):
    if schema.family == "api":
        lines = [f"api {schema.number} {schema.name}"]
    else:
        number = "-" if schema.number < 0 else schema.number
        lines = [f"record {schema.family} {number} {schema.name}"]
    for message in schema.messages:
        lines += ["", print_head(message)]
        lines += print_fields(message.fields, message.versions, 4)
        for struct in message.shared.values():
            lines += [f"    struct {struct.name}"]
            lines += print_fields(struct.fields, message.versions, 8)
    return "\n".join(lines) + "\n"


def print_head(message):
    text = f"{message.kind} {message.versions}"
    if message.flexible:
        text += f" flexible {open_range(message.flexible, message.versions)}"
    if message.unstable:
        text += f" unstable {open_range(message.unstable, message.versions)}"
    return text


def open_range(inner, outer):
    """The range as people write it: 3+ where it goes on to the last version."""
    return Range(inner.first, FOREVER) if inner.last == outer.last else inner


def print_fields(fields, outer, indent):
    lines = []
    name_width = max((len(f.name) for f in fields), default=0)
    types = [("[]" if f.array else "") + (f.struct.name if f.struct else f.type) for f in fields]
    type_width = max((len(t) for t in types), default=0)
    for each, type_word in zip(fields, types):
        clauses = " ".join(print_clauses(each, outer))
        line = f"{' ' * indent}{each.name:<{name_width}} {type_word:<{type_width}} {clauses}"
        lines.append(line.rstrip())
        lines += print_errors(each.errors, indent + 4)
        if each.struct and not each.shared:
            lines += print_fields(each.struct.fields, outer, indent + 4)
    return lines


def print_clauses(each, outer):
    def narrower(inner, around):
        return [str(open_range(inner, outer))] if inner != around else []

    words = narrower(each.versions, outer)
    if each.nullable:
        words += ["nullable"] + narrower(each.nullable, each.versions)
    if each.tag is not None:
        words += ["tag", str(each.tag)] + narrower(each.tagged, each.versions)
    if each.default is not None:
        words += [
            "default",
            str(each.default).lower() if each.default is True else str(each.default),
        ]
    if each.ignorable:
        words.append("ignorable")
    if each.entity:
        words += ["entity", each.entity]
    return words


def print_errors(errors, indent):
    """As many lines of `errors` as keep within 100 columns."""
    lines = []
    for name in errors:
        if not lines or len(lines[-1]) + 1 + len(name) > 100:
            lines.append(" " * indent + "errors")
        lines[-1] += f" {name}"
    return lines
