"""A disk that takes writes into the page cache and cannot keep them: a sparse image that is larger than the tmpfs it is in.

The kernel finds out when it writes back. The first fdatasync says EIO (or ENOSPC); a second one would say that all is well, with
the data gone, and pages that the disk never got stay readable in the page cache.
"""
import pytest

from support.load.workload import full_plan, only_durable
from support.mounts import Ext4
from support.waiting import until

pytestmark = pytest.mark.barnabas
TMPFS_MB = 48
IMAGE_MB = 400
STARTS_MAX = 5


@pytest.mark.parametrize("remount", [False, True], ids=["same-mount", "mounted-again"])
@pytest.mark.timeout(300)
def test_nothing_acknowledged_was_a_lie(namespace, make_disk, broker_on, make_load, read_dir, remount):
    """The only directory goes offline and the broker ends with 74; after a start with space everything acknowledged is there."""
    room = make_disk(namespace.tmpfs, "room", TMPFS_MB)
    disk = make_disk(Ext4, namespace, room / "disk.img", IMAGE_MB)
    broker = broker_on(disk.path, {"log.journal.bytes": "1048576", "log.segment.bytes": "4194304"}).start()
    load = make_load(broker, only_durable(full_plan(rate=500, size=3000)))
    load.start()
    load.wait_until_all_work()
    until(lambda: broker.process.poll() is not None, "the disk is full and the broker ends", 120)
    assert broker.wait() == 74
    assert "is offline until the next start" in broker.log()
    load.verify()
    namespace.run("mount", "-o", "remount,size=1g", room)
    if remount or namespace.try_run("touch", disk.path / "written"):  # ext4 may have made itself read-only
        disk.unmount()
        disk.mount()
    start_until_it_stays(broker, load)
    load.check(full=True)
    load.finish()
    broker.stop()
    read_dir(namespace.seen(broker.data))


def start_until_it_stays(broker, load):
    """On the old mount an error that no process was told of yet goes to the next one that opens the file: it ends with 74 as well."""
    for _ in range(STARTS_MAX):
        goal = load.facts.acknowledged + 1000
        broker.launch()
        until(lambda: broker.process.poll() is not None or load.facts.faults or load.facts.acknowledged >= goal,
              "the load goes on, or the broker ends", 120)
        load.verify()
        if broker.process.poll() is None:
            return
        assert broker.wait() == 74
    raise AssertionError(f"after {STARTS_MAX} starts the disk still has errors to tell")
