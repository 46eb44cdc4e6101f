"""The runner of scenarios itself: what it finds, what it rewrites, what it refuses.

usage: test_scenario.py PATH_OF_SCENARIO
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None
GOOD = """\
# What the file is about.

start
c1: CreateTopics v4 name=t \\
    num_partitions=1
    topics=[{name=t error_message=null}]

# A comment in between.
c1: Produce v7 name=t index=0 records=[k:v]
    responses=[{name=t partition_responses=[{index=0 base_offset=0 log_start_offset=0}]}]
"""


class ScenarioTest(unittest.TestCase):
    def run_text(self, text, *options):
        """Exit code, output, and the file afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.txt"
            path.write_text(text)
            done = subprocess.run([PROGRAM, *options, path], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, path.read_text()

    def test_what_is_as_expected_is_silent(self):
        self.assertEqual(self.run_text(GOOD), (0, "", GOOD))

    def test_a_difference_is_shown_and_fails(self):
        code, out, after = self.run_text(GOOD.replace("base_offset=0", "base_offset=1"))
        self.assertEqual(code, 1)
        self.assertIn("x.txt:9: c1: Produce", out)
        self.assertIn("  - responses=[{name=t partition_responses=[{index=0 base_offset=1", out)
        self.assertIn("  + responses=[{name=t partition_responses=[{index=0 base_offset=0", out)
        self.assertIn("base_offset=1", after)

    def test_output_that_nobody_expected_fails(self):
        self.assertEqual(self.run_text(GOOD.rsplit("    responses", 1)[0])[0], 1)

    def test_output_that_does_not_come_fails(self):
        self.assertEqual(self.run_text(GOOD.replace("start\n", "start\n    something\n"))[0], 1)

    def test_rewrite_writes_what_is_said_and_keeps_the_rest(self):
        wrong = GOOD.replace("base_offset=0", "base_offset=1").replace("start\n", "start\n    something\n")
        code, _, after = self.run_text(wrong, "--rewrite")
        self.assertEqual((code, after), (0, GOOD))

    def test_what_makes_no_sense_fails_and_is_not_rewritten(self):
        lines = ("c1: Nonsense v1", "c1: Produce v99", "c1: Produce v7 no_such=1", "c1: Heartbeat v0 generation_id=x",
                 "c1: Produce v7 name=t index=0 records=[pid=<pid-7> a]", "c1: CreateTopics v4 topics=[{name=t",
                 "nonsense", "fault NONSENSE", "advance x")
        text = GOOD + "\n".join(lines) + "\n"
        code, out, after = self.run_text(text, "--rewrite")
        self.assertEqual((code, after), (1, text))
        self.assertIn(f"x.txt: {len(lines)} errors that no expectation covers", out)
        for line in lines:
            self.assertIn(f": {line}\n  + error: ", out)

    def test_a_broken_file_is_skipped_unless_asked_for(self):
        text = "# broken: it is not there yet\nstart\n    something\n"
        code, out, _ = self.run_text(text)
        self.assertEqual(code, 77)
        self.assertIn("skipped, broken: it is not there yet", out)
        self.assertEqual(self.run_text(text, "--broken")[0], 1)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
