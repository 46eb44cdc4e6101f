#!/usr/bin/env python3
"""Tests of the schema language and the generator: names, parsing, what is refused, printing."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from wiregen import cmodel, names, schema  # noqa: E402
from wiregen.schema import NEVER, Range  # noqa: E402

HEAD = "api 900 Try\nrequest 0-5 flexible 3+\n"


def parsed(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "900_try"
        path.write_text(text, encoding="utf-8")
        return schema.parse_file(path)


def first_field(line):
    return parsed(f"{HEAD}    {line}\n").messages[0].fields[0]


class Names(unittest.TestCase):
    def test_snake_case_keeps_kraft_together(self):
        self.assertEqual(names.snake("IsKRaftController"), "is_kraft_controller")
        self.assertEqual(names.snake("V3AndBelowTopics"), "v3_and_below_topics")
        self.assertEqual(names.snake("commitTimestamp"), "commit_timestamp")

    def test_words_of_c_get_an_underscore(self):
        self.assertEqual(names.c_field("Default"), "default_")
        self.assertEqual(names.c_field("Name"), "name")


class Fields(unittest.TestCase):
    def test_a_field_is_in_all_versions_unless_it_says(self):
        self.assertEqual(first_field("A int32").versions, Range(0, 5))
        self.assertEqual(first_field("A int32 3+").versions, Range(3, 5))
        self.assertEqual(first_field("A int32 1-2").versions, Range(1, 2))

    def test_clauses(self):
        field = first_field(
            "A string 1+ nullable 2+ tag 7 3+ default null ignorable entity groupId"
        )
        self.assertEqual(field.nullable, Range(2, 5))
        self.assertEqual((field.tag, field.tagged), (7, Range(3, 5)))
        self.assertTrue(field.null_by_default and field.ignorable)
        self.assertEqual(field.entity, "groupId")

    def test_a_default_that_the_type_has_anyway_is_none(self):
        self.assertIsNone(first_field("A int32 default 0").default)
        self.assertIsNone(first_field("A bool default false").default)
        self.assertEqual(first_field("A int32 default 0x7fffffff").default, 2**31 - 1)

    def test_inner_fields_and_errors_belong_to_the_field_above(self):
        text = "    A []struct\n        B int16\n            errors X Y\n            errors Z\n    C int8\n"
        fields = parsed(HEAD + text).messages[0].fields
        self.assertEqual([f.name for f in fields], ["A", "C"])
        self.assertEqual(fields[0].struct.fields[0].errors, ["X", "Y", "Z"])

    def test_a_shared_struct_is_one_struct(self):
        text = "    A []Part\n    B Part\n    struct Part\n        C int8\n"
        message = parsed(HEAD + text).messages[0]
        self.assertIs(message.fields[0].struct, message.fields[1].struct)
        built = cmodel.build(message)
        self.assertEqual([s.tag for s in built.structs], ["try_request_a", "try_request"])
        self.assertEqual(built.structs[0].aliases, ["try_request_b"])


class Refused(unittest.TestCase):
    def test_what_is_not_in_the_language(self):
        for text in (
            "",
            "api 900 Try\n",
            "    A int32\n",
            HEAD + "    A int32 sometimes\n",
            HEAD + "    A int32 3+ tag\n",
            HEAD + "    A uuid default 7\n",
            HEAD + "    A []Part\n",
            HEAD + "    struct P\n        A int8\n    struct P\n        A int8\n",
            "api 900 Try\nrequest 0-5 flexible\n",
            "api 900 Try\nrequest zero\n",
        ):
            with self.assertRaises(schema.SchemaError, msg=text):
                parsed(text)

    def test_two_fields_with_one_name(self):
        message = parsed(HEAD + "    Things []int8\n    nThings int32\n").messages[0]
        with self.assertRaises(schema.SchemaError):
            cmodel.build(message)

    def test_an_error_names_the_line(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "900_try").write_text(HEAD + "    A int32 wrong\n", encoding="utf-8")
            run = subprocess.run(
                [sys.executable, ROOT / "scripts/wiregen.py", "--out", folder, folder],
                capture_output=True,
                text=True,
            )
        self.assertEqual(run.returncode, 1)
        self.assertIn("900_try:3: ", run.stderr)


class Conditions(unittest.TestCase):
    def test_conditions_say_no_more_than_they_must(self):
        message = Range(0, 5)
        self.assertEqual(cmodel.condition(Range(0, 5), message), "true")
        self.assertEqual(cmodel.condition(NEVER, message), "false")
        self.assertEqual(cmodel.condition(Range(3, 5), message), "version >= 3")
        self.assertEqual(cmodel.condition(Range(0, 2), message), "version <= 2")
        self.assertEqual(cmodel.condition(Range(2, 2), message), "version == 2")
        self.assertEqual(cmodel.condition(Range(1, 2), message), "version >= 1 && version <= 2")

    def test_least_bytes_of_elements_follow_the_version(self):
        text = "    A []struct\n        B int64 2+\n        C string\n        D int32 4+ tag 0\n"
        message = parsed(HEAD + text).messages[0]
        self.assertEqual(
            cmodel.least_element_expression(message.fields[0], message),
            "version >= 2 ? 10 : 2",
        )


class Files(unittest.TestCase):
    def test_every_schema_is_printed_as_it_is_written(self):
        apis, records = schema.load_folder(ROOT / "src/wire/schema")
        for each in apis + records:
            path = ROOT / "src/wire/schema" / names.file_name(each)
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            written = "".join(line for line in lines if not line.startswith("#"))
            self.assertEqual(written, schema.print_schema(each), path)


if __name__ == "__main__":
    unittest.main()
