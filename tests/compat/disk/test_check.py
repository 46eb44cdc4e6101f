"""`barnabas check` on directories that we and Apache Kafka left behind, stopped and killed; and its repair."""
import os
import subprocess

import pytest

from clients.adapters import Confluent
from support.brokers import Barnabas, Kafka
from support.dumping import check_all
from support.records import CODECS, samples

pytestmark = pytest.mark.barnabas


def check(broker, *options):
    """Exit code and text."""
    done = subprocess.run([Barnabas.program, "check", *options, broker.data], capture_output=True, check=False, timeout=120)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def state(folder):
    """Sizes and times of all that is in it."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def use(broker):
    with broker.wire() as wire:
        for codec in CODECS:
            assert wire.create_topic(codec, 1, {"segment.bytes": 1048576}) == 0
    for codec in CODECS * 2:
        Confluent().produce(broker.address, codec, samples(), codec)


@pytest.mark.parametrize("kind", [Barnabas, Kafka], ids=["ours", "kafka"])
def test_sound_after_stop_and_kill(make_broker, tools, kind):
    """Nothing is wrong and nothing is changed; a repair leaves what Kafka's own tool finds right."""
    broker = make_broker({"log.index.interval.bytes": "64"}, kind=kind).start()
    use(broker)
    code, text = check(broker)
    assert code == 73 and "used by a broker" in text
    broker.stop()
    before = state(broker.data)
    assert check(broker, "--records")[0] == 0, check(broker)[1]
    assert state(broker.data) == before
    broker.start().kill()
    code, text = check(broker)
    assert code == 0 and "the next start recovers" in text, text
    code, text = check(broker, "--repair")
    assert code == 0, text
    check_all(tools, broker)
    assert "not clean" not in check(broker)[1]


def test_damage(make_broker, tools):
    """A batch that rotted: told, left alone, cut when asked; the broker then serves what is before it."""
    broker = make_broker().start()
    use(broker)
    broker.stop()
    log = broker.data / "none-0/00000000000000000000.log"
    size = log.stat().st_size
    with open(log, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    code, text = check(broker)
    assert code == 1 and "FAULT none-0: 00000000000000000000.log: position 0, offset 0: wrong checksum" in text
    assert check(broker, "--repair")[0] == 1
    assert log.stat().st_size == size
    code, text = check(broker, "--repair", "--cut")
    assert code == 0, text
    assert os.path.getsize(f"{log}.corrupt") == size
    broker.start()
    assert tools.ok("kafka-get-offsets", "--bootstrap-server", broker.address, "--topic", "none").out == "none:0:0\n"
