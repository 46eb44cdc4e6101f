"""Small disks, and the load on them."""
import subprocess
import sys

import pytest

from support import paths
from support.load.workload import Workload
from support.mounts import Namespace, Unavailable


@pytest.fixture
def namespace(tmp_path):
    """A mount namespace of this test's own; the test is skipped where there can be none."""
    try:
        made = Namespace(tmp_path)
    except Unavailable as error:
        pytest.skip(f"no small disks on this machine: {error}")
    yield made
    made.close()


@pytest.fixture
def make_disk():
    """make_disk(function, ...): a disk, or the test is skipped."""
    def make(function, *args):
        try:
            return function(*args)
        except Unavailable as error:
            pytest.skip(f"no such disk on this machine: {error}")
    return make


@pytest.fixture
def broker_on(namespace, make_broker):
    """broker_on(path, settings): a broker inside the namespace, with its data in `path`; not yet started."""
    def make(path, settings):
        broker = make_broker({"offsets.topic.num.partitions": "3", **settings})
        broker.prefix = namespace.prefix
        broker.data = path / "data"
        return broker
    return make


@pytest.fixture
def make_load(tmp_path):
    """make_load(broker, plan): a Workload, not yet started; its clients end with the test."""
    made = []

    def make(broker, plan):
        made.append(Workload(broker, tmp_path / f"clients{len(made)}", plan))
        return made[-1]

    yield make
    for load in made:
        load.kill()


@pytest.fixture
def read_dir():
    """read_dir(path): the independent reader finds no fault in a directory."""
    def read(path):
        done = subprocess.run([sys.executable, "-B", paths.ROOT / "tests/tools/read_dir.py", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
    return read
