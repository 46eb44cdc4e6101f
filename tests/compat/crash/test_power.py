"""ext4 loses its power under the load of real clients: a loop device whose file system is shut down without a word to the disk."""
import random

import pytest

from support.load.workload import full_plan, only_durable
from support.mounts import Ext4
from support.waiting import until

pytestmark = pytest.mark.barnabas
CYCLES = 20
IMAGE_MB = 1024
JOURNALS = (0, 65536, 1048576, 67108864)


@pytest.mark.timeout(600)
def test_power_cuts(namespace, make_disk, broker_on, make_load, read_dir, tmp_path):
    """After each cut everything that was acknowledged, read or committed is there: it was on the disk. The size of the journal
    changes from start to start."""
    chance = random.Random(1)
    disk = make_disk(Ext4, namespace, tmp_path / "disk.img", IMAGE_MB)
    broker = broker_on(disk.path, {"log.segment.bytes": "1048576"}).start()
    load = make_load(broker, only_durable(full_plan()))
    load.start()
    load.wait_until_all_work()
    for cycle in range(CYCLES):
        load.wait_acknowledged(chance.randrange(1, 500))
        disk.cut_power()
        if cycle % 4 == 0:  # it finds out by itself, and says so
            until(lambda: broker.process.poll() is not None, "the broker ends")
            assert broker.process.returncode == 74
        broker.kill()
        disk.unmount()
        disk.mount()
        broker.settings["log.journal.bytes"] = chance.choice(JOURNALS)
        broker.start()
        load.check(full=cycle % 5 == 4)
        broker.check()
    load.finish()
    broker.stop()
    read_dir(namespace.seen(broker.data))


def test_a_cut_is_a_cut(namespace, make_disk, broker_on, make_load, tmp_path):
    """The same with a topic that is not flushed: what was acknowledged from the page cache is gone, and the checker sees it."""
    disk = make_disk(Ext4, namespace, tmp_path / "disk.img", IMAGE_MB)
    broker = broker_on(disk.path, {}).start()
    load = make_load(broker, full_plan())
    load.start()
    load.wait_until_all_work()
    disk.cut_power()
    broker.kill()
    disk.unmount()
    disk.mount()
    broker.start()
    with pytest.raises(AssertionError, match="cached-"):
        load.check(full=True)
