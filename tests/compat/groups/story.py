"""What happens to a group of ten: joins, leaves, crashes, and a broker that is stopped and killed under it."""
import sys

import pytest

from support import paths

from .crowd import PARTITIONS, Crowd

HERE = paths.COMPAT / "groups"
JAVA = ["java", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", paths.TOOL_CLASSES, "GroupMember"]
SETTINGS = {"group.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "3000",
            "group.consumer.min.session.timeout.ms": "1000", "group.consumer.heartbeat.interval.ms": "500",
            "group.consumer.min.heartbeat.interval.ms": "500"}


def python(client):
    return [sys.executable, "-B", str(HERE / "member.py"), client]


def node():
    return ["node", str(paths.BUILD / "groups-node/member.js")]


def franz():
    return [str(paths.BUILD / "franz_member")]


def restart(broker, how):
    how()
    broker.start()


def tell(make_broker, name, record_property, command, strategy, static=False, apart=False):
    """The whole story; its times go into the summary of the test run."""
    broker = make_broker(SETTINGS).start()
    with broker.wire() as wire:
        if strategy == "consumer" and 68 not in wire.api_versions():
            pytest.skip("this broker has no ConsumerGroupHeartbeat yet")
        assert wire.create_topic(name, PARTITIONS) == 0
    who = [f"{'static-' if static else ''}m{i}" for i in range(12)]
    crowd = Crowd(broker.address, name, [*command, broker.address, name, f"group-{name}", strategy], apart)
    try:
        stays = crowd.join(*who[:6])
        leaves, crashes = crowd.settle("join of 10", lambda: (crowd.join(*who[6:8]), crowd.join(*who[8:10])))
        crowd.settle("leave of 2", leaves.leave)
        crowd.settle("crash of 2", crashes.crash)
        if static:  # they come back under their names
            crashes = crowd.settle("crash and return of 2", lambda: crowd.join(*who[8:10]))
        came = crowd.settle("join of 2", lambda: crowd.join(*who[10:12]))
        restart(broker, broker.stop)
        crowd.goes_on("stop of the broker")
        restart(broker, broker.kill)
        crowd.goes_on("kill of the broker")
        crowd.everything_was_read()
        for members in (stays, came):
            members.leave()
        for members in (leaves, stays, came):
            assert members.exit_codes(30) == {0}
    finally:
        crowd.end()
        times = ", ".join(f"{what} {seconds:.1f}" for what, seconds in crowd.seconds.items())
        record_property("settled", f"{strategy}{', static' if static else ''}: {times}")
