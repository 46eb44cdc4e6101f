"""kafka-topics: create, alter, list, describe, delete."""
from support.side_by_side import Action


def topics(*words):
    return Action("kafka-topics", *words)


def create(topic, *words):
    return topics("--create", "--topic", topic, *words)


def alter(topic, *words):
    return topics("--alter", "--topic", topic, *words)


def describe(*words):
    return topics("--describe", *words)


def setting(*settings):
    """A topic that is not made, or that is made and shown."""
    words = [word for setting in settings for word in ("--config", setting)]
    return create("bad", *words)


ACTIONS = [
    topics("--list"),
    describe(),

    create("plain"),
    create("plain"),
    create("plain", "--if-not-exists"),
    create("three", "--partitions", "3", "--replication-factor", "1"),
    create("own", "--config", "retention.ms=1000", "--config", "cleanup.policy=compact,delete", "--config", "segment.bytes=1048576"),
    create("strict", "--config", "min.insync.replicas=2"),
    create("assigned", "--replica-assignment", "1,1"),
    create("__internal"),
    create("with.dots"),
    create("with_dots"),
    create("with_lines"),

    create("bad", "--replica-assignment", "7"),
    create("bad", "--replica-assignment", "1,7"),
    create("bad", "--replica-assignment", "1:1"),
    create("bad", "--replica-assignment", "1,1:7"),
    create("bad", "--replica-assignment", "-1"),
    create("bad", "--replica-assignment", "x"),
    create("bad", "--replica-assignment", "1", "--partitions", "1"),
    create("bad", "--partitions", "0"),
    create("bad", "--partitions", "-1"),
    create("bad", "--partitions", "-2"),
    create("bad", "--partitions", "10001"),
    create("bad", "--partitions", "x"),
    create("bad", "--replication-factor", "0"),
    create("bad", "--replication-factor", "2"),
    create("bad", "--replication-factor", "-2"),
    create("bad", "--replication-factor", "40000"),
    create("bad name"),
    create("bad/name"),
    create(""),
    create("."),
    create(".."),
    create("x" * 250),
    create("x" * 249),
    setting("retention.ms=x"),
    setting("retention.ms=-2"),
    setting("retention.ms="),
    setting("retention.ms"),
    setting("nosuch=x"),
    setting("cleanup.policy=keep"),
    setting("cleanup.policy="),
    setting("cleanup.policy=compact,keep"),
    setting("cleanup.policy=compact,compact"),
    setting("compression.type=rar"),
    setting("compression.gzip.level=10"),
    setting("compression.lz4.level=0"),
    setting("compression.zstd.level=23"),
    setting("delete.retention.ms=-1"),
    setting("file.delete.delay.ms=-1"),
    setting("flush.messages=0"),
    setting("flush.ms=-1"),
    setting("follower.replication.throttled.replicas=x"),
    setting("leader.replication.throttled.replicas=0:1,x"),
    setting("index.interval.bytes=-1"),
    setting("local.retention.bytes=-3"),
    setting("local.retention.ms=-3"),
    setting("local.retention.ms=2000", "retention.ms=1000"),
    setting("local.retention.bytes=2000", "retention.bytes=1000"),
    setting("max.compaction.lag.ms=0"),
    setting("max.compaction.lag.ms=1000", "min.compaction.lag.ms=2000"),
    setting("min.compaction.lag.ms=-1"),
    setting("max.message.bytes=-1"),
    setting("max.message.bytes=4294967296"),
    setting("message.timestamp.after.max.ms=-1"),
    setting("message.timestamp.before.max.ms=x"),
    setting("message.timestamp.type=Now"),
    setting("min.cleanable.dirty.ratio=1.5"),
    setting("min.cleanable.dirty.ratio=x"),
    setting("min.insync.replicas=0"),
    setting("preallocate=perhaps"),
    setting("remote.storage.enable=true"),
    setting("remote.log.copy.disable=true"),
    setting("remote.log.delete.on.disable=true"),
    setting("segment.bytes=1000"),
    setting("segment.index.bytes=3"),
    setting("segment.jitter.ms=-1"),
    setting("segment.ms=0"),
    setting("unclean.leader.election.enable=perhaps"),
    setting("message.format.version=3.0"),
    setting("errors.deadletterqueue.group.enable=x"),

    topics("--list"),
    topics("--list", "--exclude-internal"),
    topics("--list", "--topic", "plain"),
    topics("--list", "--topic", "p.*|three"),
    topics("--list", "--topic", "none"),
    describe(),
    describe("--exclude-internal"),
    describe("--topic", "three"),
    describe("--topic", "with.*"),
    describe("--topic", "plain,own"),
    describe("--topic", "none"),
    describe("--topic", "none", "--if-exists"),
    describe("--topic-id", "$ID(three)"),
    describe("--topic-id", "AAAAAAAAAAAAAAAAAAAAAQ"),
    describe("--topic-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--if-exists"),
    describe("--topic-id", "AAAAAAAAAAAAAAAAAAAAAA"),
    describe("--topic-id", "x"),
    describe("--partition-size-limit-per-response", "1"),
    describe("--partition-size-limit-per-response", "0"),
    describe("--topics-with-overrides"),
    describe("--under-replicated-partitions"),
    describe("--unavailable-partitions"),
    describe("--under-min-isr-partitions"),
    describe("--at-min-isr-partitions"),
    describe("--at-min-isr-partitions", "--topic", "three"),

    alter("plain", "--partitions", "4"),
    alter("plain", "--partitions", "4"),
    alter("plain", "--partitions", "2"),
    alter("plain", "--partitions", "0"),
    alter("plain", "--partitions", "20000"),
    alter("plain"),
    alter("none", "--partitions", "4"),
    alter("none", "--partitions", "4", "--if-exists"),
    alter("assigned", "--partitions", "4", "--replica-assignment", "1,1,1,1"),
    alter("assigned", "--partitions", "5", "--replica-assignment", "1"),
    alter("assigned", "--partitions", "5", "--replica-assignment", "1,1,1,1,7"),
    alter("assigned", "--partitions", "5", "--replica-assignment", "1,1,1,1,1:1"),
    alter("assigned", "--partitions", "5", "--replica-assignment", "1,1,1,1"),
    alter("assigned", "--partitions", "5", "--replica-assignment", "1,1,1,1,1,1"),
    alter("strict", "--partitions", "2"),
    alter("with.*", "--partitions", "2"),
    describe("--topic", "plain|assigned|strict|with.*"),

    topics("--delete", "--topic", "plain"),
    topics("--delete", "--topic", "plain"),
    topics("--delete", "--topic", "plain", "--if-exists"),
    topics("--delete", "--topic", "with.*"),
    topics("--delete", "--topic", "__internal"),
    topics("--delete"),
    topics("--list"),
]
