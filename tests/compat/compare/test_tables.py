"""Our tables against those inside Apache Kafka's jars: message schemas and settings."""
import subprocess
import sys

from support import paths


def run(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_message_schemas():
    """Every field, type, version range, default, tag and nullability."""
    run(sys.executable, paths.COMPAT / "schema/compare.py", paths.JARS / "broker", "--older",
        paths.JARS / "older/kafka-clients-3.9.1.jar")


def test_settings():
    """Names, types, defaults and bounds of the broker's, topics' and groups' settings."""
    run(sys.executable, paths.COMPAT / "config/compare.py", paths.JARS / "broker")
