"""Each rule of scripts/lint.py finds its bad snippet, and the tree itself is clean."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINT = ROOT / "scripts/lint.py"

# rule -> (file, text)
BAD = {
    "layers": ("src/base/x.c", '/* x */\n#include "log.h"\n'),
    "dotdot": ("src/base/x.c", '/* x */\n#include "../log/internal.h"\n'),
    "system header": ("src/group/x.c", "/* x */\n#include <uv.h>\n"),
    "mutex": ("src/log/x.c", "/* x */\nvoid f(void)\n{\n    pthread_mutex_lock(&m);\n}\n"),
    "rename": ("src/log/x.c", '/* x */\nint f(void)\n{\n    return rename("a", "b");\n}\n'),
    "allocation": ("src/meta/x.c", "/* x */\nvoid *f(void)\n{\n    return malloc(3);\n}\n"),
    "sync": ("src/log/x.c", "/* x */\nint f(int fd)\n{\n    return fdatasync(fd);\n}\n"),
    "length": ("src/base/x.c", "/* x */\n" + "\n" * 700),
    "header comment": ("src/base/x.c", "int x;\n"),
    "fixme": ("src/base/x.c", "/* x */\n/* FIXME later */\n"),
    "generated": ("src/wire/wire_messages.h", "/* x */\n"),
    "header name": ("src/meta/log.h", "/* x */\n"),
}


def lint(root):
    done = subprocess.run([sys.executable, LINT, root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


class LintTest(unittest.TestCase):
    def tree(self, folder):
        root = pathlib.Path(folder)
        for name in ("src", "include", "config"):
            (root / name).mkdir()
        (root / "config/layers.txt").write_text((ROOT / "config/layers.txt").read_text())
        (root / "include/log.h").write_text("/* x */\n")
        return root

    def test_every_rule_finds_its_snippet(self):
        for rule, (name, text) in BAD.items():
            with self.subTest(rule=rule), tempfile.TemporaryDirectory() as folder:
                root = self.tree(folder)
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
                code, out = lint(root)
                self.assertEqual(code, 1)
                self.assertIn(f" {rule}: ", out)

    def test_a_good_tree_is_silent(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(lint(self.tree(folder)), (0, ""))

    def test_our_tree_is_clean(self):
        self.assertEqual(lint(ROOT), (0, ""))


if __name__ == "__main__":
    unittest.main()
