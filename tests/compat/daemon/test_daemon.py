"""Our own daemon: its options, what it says when it cannot start, and how it stops."""
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from support.brokers import Barnabas
from support.waiting import until
from support.wire import NONE, Closed, Wire, batch

pytestmark = pytest.mark.barnabas


@pytest.fixture
def run(tmp_path):
    """run(args...): the daemon until it ends by itself; (exit code, standard output, standard error)."""
    def call(*args):
        done = subprocess.run([str(Barnabas.program), *[str(arg) for arg in args]], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr
    return call


@pytest.fixture
def settings(tmp_path):
    """Overrides for a daemon that disturbs nobody."""
    return "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={tmp_path / 'data'}"


def refused(result):
    """The one line that says why; the exit code says so too."""
    code, _, err = result
    assert code not in (0, -signal.SIGABRT, -signal.SIGSEGV), err
    assert "AddressSanitizer" not in err
    errors = [line for line in err.splitlines() if re.search(r"\b(ERROR|FATAL)\b|error:|barnabas:", line)]
    assert len(errors) == 1, err
    return errors[0]


def test_help_and_version(run):
    """--help names the options, --version the version; both end well and start nothing."""
    code, out, _ = run("--help")
    assert code == 0
    for word in ("--override", "--strict", "--ready-file", "--version", "server.properties"):
        assert word in out
    code, out, _ = run("--version")
    assert code == 0
    assert re.match(r"barnabas \d+\.\d+\.\d+ .*Kafka-compatible", out)


def test_unknown_option(run):
    """An option that does not exist is refused by name."""
    assert "--no-such-option" in refused(run("--no-such-option"))


def test_missing_file(run):
    """A properties file that is not there is refused by name."""
    assert "nowhere.properties" in refused(run("nowhere.properties"))


@pytest.mark.parametrize("line, said", [
    ("log.segment.bytes=abc", "abc"), ("num.partitions=0", "0"), ("listeners=nonsense", "nonsense"),
    ("auto.create.topics.enable=perhaps", "perhaps"),
])
def test_malformed_setting(run, settings, tmp_path, line, said):
    """The error names file, line and key, and what was found."""
    (tmp_path / "server.properties").write_text(f"# a comment\n\n{line}\n")
    words = [word for word in settings if not word.startswith("listeners=") or not line.startswith("listeners=")]
    if line.startswith("listeners="):
        words = words[1:]
    text = refused(run("server.properties", *words))
    assert "server.properties" in text
    assert re.search(r"\b3\b", text)
    assert line.split("=")[0] in text
    assert said in text


def test_unknown_setting(make_broker, run, settings):
    """A warning that names the nearest known one; with --strict an error."""
    broker = make_broker({"log.retention.hour": "5"}, Barnabas).start()
    broker.stop()
    [warning] = [line for line in broker.log().splitlines() if "log.retention.hour" in line]
    assert "log.retention.hours" in warning
    text = refused(run("--strict", *settings, "--override", "log.retention.hour=5"))
    assert "log.retention.hour" in text


def test_setting_without_meaning_here(make_broker):
    """Kafka's settings for clusters are accepted, with one line in the log."""
    broker = make_broker({"controller.quorum.voters": "1@localhost:9093", "num.replica.fetchers": "2"}, Barnabas).start()
    broker.stop()
    assert len([line for line in broker.log().splitlines() if "num.replica.fetchers" in line]) == 1


def test_second_broker_on_the_same_directory(broker, run):
    """Refused, in one line that names the directory; the first one goes on."""
    text = refused(run("--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={broker.data}"))
    assert str(broker.data) in text
    with broker.wire() as wire:
        wire.api_versions()


def test_taken_port(broker, run, tmp_path):
    """Refused, in one line that names the port."""
    text = refused(run("--override", f"listeners=PLAINTEXT://{broker.address}", "--override", f"log.dirs={tmp_path / 'data'}"))
    assert str(broker.port) in text


def test_file_in_place_of_the_directory(run, tmp_path):
    """A data directory that cannot be made is refused by name."""
    (tmp_path / "file").write_text("not a directory")
    for path in (tmp_path / "file", tmp_path / "file/below"):
        text = refused(run("--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={path}"))
        assert str(tmp_path / "file") in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_directory(run, tmp_path):
    """A directory without the right to write is refused by name."""
    (tmp_path / "closed").mkdir(mode=0o500)
    text = refused(run("--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={tmp_path / 'closed'}"))
    assert str(tmp_path / "closed") in text


def test_foreign_node_id(make_broker, run):
    """A directory of another node.id is refused, in one line that names both."""
    broker = make_broker({"node.id": "7"}, Barnabas).start()
    broker.stop()
    text = refused(run("--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={broker.data}",
                       "--override", "node.id=8"))
    assert "7" in text and "8" in text


@pytest.fixture
def started(tmp_path):
    """started(args...): a daemon, and its standard error as it comes; killed at the end."""
    processes = []

    def start(*args, cwd=tmp_path):
        process = subprocess.Popen([str(Barnabas.program), *[str(arg) for arg in args]], cwd=cwd, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=open(cwd / "log", "wb"))
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_free_port_is_taken_and_said(started, settings, tmp_path):
    """Port 0 takes a free port, and the log says which; the ready file is written when it serves."""
    process = started(*settings, "--ready-file", tmp_path / "ready")
    until((tmp_path / "ready").exists, "the ready file is written")
    host, port = (tmp_path / "ready").read_text().strip().split(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    assert f"127.0.0.1:{port}" in (tmp_path / "log").read_text()
    with Wire(int(port)) as wire:
        assert wire.create_topic("t") == NONE
        assert wire.produce("t", batch([b"v"])) == (NONE, 0)
    process.terminate()
    assert process.wait(30) == 0


def test_defaults_without_a_file(started, tmp_path):
    """Without a file: localhost:9092 only, and ./barnabas-data."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 9092))
        except OSError:
            pytest.skip("port 9092 is taken")
    process = started("--ready-file", tmp_path / "ready")
    until((tmp_path / "ready").exists, "the ready file is written")
    assert (tmp_path / "barnabas-data/meta.properties").exists()
    with Wire(9092) as wire:
        assert wire.broker_count() == 1
    process.terminate()
    assert process.wait(30) == 0


def test_own_server_properties_is_accepted(run, settings):
    """The file that shows every setting starts a broker, with --strict too: no unknown and no malformed line."""
    from support.paths import ROOT  # pylint: disable=import-outside-toplevel
    code, _, err = run(ROOT / "config/server.properties", *settings[2:], "--strict", "--override", "listeners=nonsense")
    assert code != 0
    assert "nonsense" in err
    assert "unknown" not in err.lower()


def test_waiting_fetch_ends_with_a_clean_stop(make_broker, name):
    """A long poll does not hold up a stop, and clients see the end of the connection, not silence."""
    broker = make_broker(kind=Barnabas).start()
    with broker.wire() as wire:
        assert wire.create_topic(name) == NONE
        answers = []

        def poll():
            try:
                answers.append(wire.fetch(name, wait_ms=60000))
            except Closed:
                answers.append("closed")

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        until(lambda: wire.correlation == 2, "the fetch is sent")
        broker.stop()
        thread.join(30)
        assert answers


def test_acknowledged_before_stop_is_there_after(make_broker, name):
    """Produce, stop, start, fetch: the same bytes; and a clean start is told from an unclean one."""
    broker = make_broker(kind=Barnabas).start()
    with broker.wire() as wire:
        assert wire.create_topic(name) == NONE
        for i in range(100):
            assert wire.produce(name, batch([b"value %d" % i])) == (NONE, i)
        before = wire.fetch(name)
    broker.stop()
    assert (broker.data / ".kafka_cleanshutdown").exists()
    broker.start()
    assert not (broker.data / ".kafka_cleanshutdown").exists()
    with broker.wire() as wire:
        assert wire.fetch(name) == before


def test_metrics_on_a_signal(make_broker, name):
    """SIGUSR1 prints the metrics, in the format that Prometheus reads."""
    broker = make_broker(kind=Barnabas).start()
    with broker.wire() as wire:
        assert wire.create_topic(name) == NONE
        assert wire.produce(name, batch([b"v"])) == (NONE, 0)
    broker.send_signal(signal.SIGUSR1)
    until(lambda: "# TYPE log_next_expiry_seconds" in broker.log(), "the metrics are printed")
    assert f'log_end_offset{{topic="{name}",partition="0"}} 1' in broker.log().splitlines()


def test_connections_of_one_address(make_broker):
    """max.connections.per.ip.overrides: so many and no more."""
    settings = {"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "127.0.0.1:3"}
    broker = make_broker(settings, kind=Barnabas).start()
    with broker.wire() as first, broker.wire() as second, broker.wire() as third:
        with pytest.raises((Closed, ConnectionError)), broker.wire() as more:
            more.broker_count()
        assert [wire.broker_count() for wire in (first, second, third)] == [1, 1, 1]
