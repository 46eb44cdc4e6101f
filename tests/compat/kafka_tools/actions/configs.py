"""kafka-configs: describe and alter of topics, brokers, loggers, groups, client metrics, users, clients, addresses."""
from support.side_by_side import Action, File


def configs(*words):
    return Action("kafka-configs", *words)


def describe(*words):
    return configs("--describe", *words)


def add(setting, *words):
    return configs("--alter", *words, "--add-config", setting)


def delete(name, *words):
    return configs("--alter", *words, "--delete-config", name)


TOPIC = ("--topic", "settings")
BROKER = ("--broker", "1")
DEFAULTS = ("--broker-defaults",)
LOGGER = ("--broker-logger", "1")
GROUP = ("--group", "readers")
METRICS = ("--client-metrics", "watch")
USER = ("--user", "alice")
CLIENT = ("--client", "app")
SOON = ("--command-config", File("default.api.timeout.ms=1000\nrequest.timeout.ms=1000\n"))  # or the client looks a minute for a broker
IP = ("--ip", "10.0.0.1")

FLUSH = "acknowledged is on the disk: log.flush.interval.messages is 1 here"


def all_of_topic(*words):
    """Its settings, with the one default that differs."""
    return describe(*TOPIC, "--all", *words).but(FLUSH, [r"flush.messages=.*"], [r"flush.messages=.*"])


def all_of_broker(*words):
    """The broker's settings, with the defaults that differ."""
    return (describe(*words, "--all")
            .but(FLUSH, [r"log.flush.interval.messages=.*"], [r"log.flush.interval.messages=.*"])
            .but("one program that needs no setup: what Kafka must be told is the default",
                 [rf"{name}=.*" for name in ONE_NODE], [rf"{name}=.*" for name in ONE_NODE])
            .but("ours", [r"log.journal.bytes=.*", r"log.min.free.bytes=.*"]))


POOLS = "threads of Java's pools, of which each change may be a factor of two at most"
TAKEN = ["exit code 0", "Completed updating .*"]
REFUSED = "exit code 1|stderr: Error while executing .*"

ONE_NODE = ("advertised.listeners", "broker.id", "controller.listener.names", "controller.quorum.voters", "listeners", "log.dir", "node.id",
            "offsets.topic.replication.factor", "process.roles", "share.coordinator.state.topic.min.isr",
            "share.coordinator.state.topic.replication.factor", "transaction.state.log.min.isr", "transaction.state.log.replication.factor")

TOPICS = [
    Action("kafka-topics", "--create", "--topic", "settings", "--config", "segment.bytes=2097152"),
    describe(*TOPIC),
    all_of_topic(),
    describe("--entity-type", "topics", "--entity-name", "settings"),
    describe("--topic", "none"),
    describe("--topic", "none", "--all"),
    describe("--topic", "bad name"),
    describe("--entity-type", "topics", "--entity-default"),
    add("retention.ms=1000", *TOPIC),
    add("retention.ms=2000,cleanup.policy=[compact,delete]", "--entity-type", "topics", "--entity-name", "settings"),
    configs("--alter", *TOPIC, "--add-config-file", File("retention.bytes=123456\nmin.cleanable.dirty.ratio=0.25\n")),
    configs("--alter", *TOPIC, "--add-config", "flush.ms=5000", "--delete-config", "retention.bytes"),
    add("leader.replication.throttled.replicas=*", *TOPIC),
    add("follower.replication.throttled.replicas=[0:1,0:2]", *TOPIC),
    add("min.insync.replicas=2", *TOPIC),
    add("unclean.leader.election.enable=true", *TOPIC),
    describe(*TOPIC),
    all_of_topic(),
    describe("--entity-type", "topics"),
    delete("retention.ms", *TOPIC),
    delete("retention.ms", *TOPIC),
    delete("leader.replication.throttled.replicas,follower.replication.throttled.replicas", *TOPIC),
    delete("nosuch", *TOPIC),
    delete("retention.ms", "--topic", "none"),
    add("retention.ms=1", "--topic", "none"),
    add("retention.ms=1", "--entity-type", "topics", "--entity-default"),
    add("retention.ms=x", *TOPIC),
    add("retention.ms=", *TOPIC),
    add("retention.ms", *TOPIC),
    add("nosuch=x", *TOPIC),
    add("cleanup.policy=keep", *TOPIC),
    add("cleanup.policy=[compact,keep]", *TOPIC),
    add("max.compaction.lag.ms=1,min.compaction.lag.ms=2", *TOPIC),
    add("local.retention.ms=10,retention.ms=1", *TOPIC),
    add("leader.replication.throttled.replicas=x", *TOPIC),
    add("message.timestamp.type=Never", *TOPIC),
    add("remote.storage.enable=true", *TOPIC),
    add("segment.bytes=1", *TOPIC),
    configs("--alter", *TOPIC, "--add-config-file", File("retention.ms=x\n")),
    configs("--alter", *TOPIC, "--add-config-file", "/nosuch/file"),
    configs("--alter", *TOPIC),
    describe(*TOPIC),
]

FLUSHED = describe(*BROKER).but(FLUSH, [r"log.flush.interval.messages=100 .*"], [r"log.flush.interval.messages=100 .*"])

BROKERS = [
    describe(*BROKER),
    all_of_broker(*BROKER),
    describe(*DEFAULTS),
    describe(*DEFAULTS, "--all"),
    describe("--entity-type", "brokers"),
    all_of_broker("--entity-type", "brokers"),
    describe("--broker", "7"),
    describe("--broker", "7", "--all", *SOON),
    describe("--broker", "x"),
    add("log.retention.ms=123456", *BROKER),
    add("log.retention.ms=654321", *DEFAULTS),
    add("log.cleaner.threads=2", *BROKER),
    add("log.cleaner.threads=9", *BROKER).but(POOLS, TAKEN, [REFUSED, "stderr: .*Log cleaner threads cannot be increased to more than .*"]),
    add("log.cleaner.threads=2", *BROKER),
    add("num.io.threads=9", *DEFAULTS),
    add("num.io.threads=100", *DEFAULTS).but(POOLS, TAKEN, [REFUSED, "stderr: .*value should not be greater than double the .*"]),
    add("num.io.threads=9", *DEFAULTS),
    add("num.io.threads=0", *DEFAULTS),
    add("background.threads=12", *BROKER),
    add("num.recovery.threads.per.data.dir=3", *BROKER),
    add("num.network.threads=4", *BROKER),
    add("num.replica.fetchers=2", *BROKER),
    add("message.max.bytes=2000000", *DEFAULTS),
    add("compression.type=zstd", *BROKER),
    add("log.cleanup.policy=[compact,delete]", *BROKER),
    add("log.message.timestamp.type=LogAppendTime", *DEFAULTS),
    add("max.connections=1000", *DEFAULTS),
    add("max.connections.per.ip.overrides=[127.0.0.2:10,127.0.0.3:20]", *DEFAULTS),
    add("max.connections.per.ip.overrides=x", *DEFAULTS).but(
        "Kafka's words are those of Java's substring", [r"stderr: .*: x is not valid; valid is host:count"], [r"stderr: .*: begin 0, end -1, length 1"]),
    add("max.connection.creation.rate=100000", *DEFAULTS),
    add("leader.replication.throttled.rate=1000000", *BROKER),
    add("follower.replication.throttled.rate=x", *BROKER),
    add("replica.alter.log.dirs.io.max.bytes.per.second=1000000", *BROKER),
    add("unclean.leader.election.enable=true", *DEFAULTS),
    add("producer.id.expiration.ms=3600000", *DEFAULTS),
    add("transaction.partition.verification.enable=false", *DEFAULTS),
    add("log.cleaner.io.max.bytes.per.second=1000000", *BROKER),
    add("log.cleaner.dedupe.buffer.size=134217728", *DEFAULTS),
    add("log.roll.ms=100000", *DEFAULTS),
    add("log.flush.interval.messages=100", *BROKER),
    add("group.consumer.assignment.interval.ms=100", *BROKER),
    add("min.insync.replicas=1", *DEFAULTS),
    add("min.insync.replicas=1", *BROKER),
    add("min.insync.replicas=0", *DEFAULTS),
    delete("min.insync.replicas", *DEFAULTS),
    add("min.insync.replicas=1", *DEFAULTS),
    add("nosuch=x", *BROKER),
    add("log.dirs=/tmp", *BROKER),
    add("broker.id=2", *BROKER),
    add("node.id=2", *DEFAULTS),
    add("log.retention.hours=2", *BROKER),
    add("log.roll.hours=2", *DEFAULTS),
    add("auto.create.topics.enable=true", *BROKER),
    add("num.partitions=2", *DEFAULTS),
    add("offsets.retention.minutes=3", *DEFAULTS),
    add("log.retention.ms=x", *BROKER),
    add("log.retention.ms=0", *BROKER).but("Scala's words",
                                           [r"stderr: .*: log.retention.ms must be unlimited \(-1\) or, equal or greater than 1"],
                                           [r"stderr: .*: requirement failed: log.retention.ms must be unlimited .*"]),
    add("log.segment.bytes=1", *BROKER),
    add("log.cleaner.io.buffer.load.factor=x", *BROKER),
    add("compression.type=rar", *BROKER),
    add("log.retention.ms=1000,log.cleanup.policy=keep", *BROKER),
    add("advertised.listeners=PLAINTEXT://127.0.0.1:1", *BROKER),
    add("ssl.keystore.password=secret", *BROKER),
    add("ssl.keystore.location=/nosuch", *DEFAULTS),
    add("listener.name.plaintext.ssl.keystore.type=PKCS12", *BROKER),
    add("listener.name.plaintext.ssl.keystore.type=PKCS12", *DEFAULTS),
    add("sasl.jaas.config=secret", *DEFAULTS),
    add("log.retention.ms=1000", "--broker", "x"),
    FLUSHED,
    describe(*DEFAULTS),
    all_of_broker(*BROKER),
    all_of_topic(),
    delete("log.retention.ms", *BROKER),
    delete("log.retention.ms", *BROKER),
    delete("nosuch", *BROKER),
    delete("log.dirs", *BROKER),
    FLUSHED,
    delete("log.retention.ms,num.io.threads,message.max.bytes,log.message.timestamp.type,max.connections,unclean.leader.election.enable,"
           "max.connections.per.ip.overrides,max.connection.creation.rate,producer.id.expiration.ms,log.roll.ms,"
           "transaction.partition.verification.enable,log.cleaner.dedupe.buffer.size", *DEFAULTS),
    delete("log.cleaner.threads,background.threads,num.recovery.threads.per.data.dir,num.network.threads,num.replica.fetchers,"
           "compression.type,log.cleanup.policy,leader.replication.throttled.rate,log.cleaner.io.max.bytes.per.second,"
           "replica.alter.log.dirs.io.max.bytes.per.second,log.flush.interval.messages,group.consumer.assignment.interval.ms,"
           "listener.name.plaintext.ssl.keystore.type", *BROKER),
    describe(*BROKER),
    describe(*DEFAULTS),
]

PARTS = "loggers are the parts of each program"
OURS = [rf"{part}=INFO .*" for part in ("api", "broker", "cleaner", "cli", "config", "group", "log", "meta", "net", "statelog", "txn")]
KAFKAS = [r"org.apache.kafka.*"]

LOGGERS = [
    describe(*LOGGER).but(f"{PARTS}; a level of its own at the start", [r"root=INFO .*", *OURS], [r"root=ERROR .*", *KAFKAS]),
    describe("--entity-type", "broker-loggers"),
    describe("--broker-logger", "7", *SOON),
    describe("--broker-logger", "x"),
    add("root=DEBUG", *LOGGER),
    add("root=LOUD", *LOGGER),
    add("root=info", *LOGGER),
    add("nosuch=INFO", *LOGGER),
    add("log=WARN", *LOGGER).but(PARTS, TAKEN, [REFUSED, r"stderr: Invalid broker logger.*: log"]),
    delete("log", *LOGGER).but(PARTS, TAKEN, [REFUSED, r"stderr: Invalid broker logger.*: log"]),
    delete("root", *LOGGER),
    delete("nosuch", *LOGGER),
    add("root=INFO", "--broker-logger", "7", *SOON),
    add("root=INFO", *LOGGER),
    describe(*LOGGER).but(PARTS, OURS, KAFKAS),
]

GROUPS = [
    describe(*GROUP),
    describe(*GROUP, "--all"),
    describe("--entity-type", "groups"),
    add("consumer.session.timeout.ms=50000", *GROUP),
    add("consumer.heartbeat.interval.ms=6000,share.auto.offset.reset=earliest", "--entity-type", "groups", "--entity-name", "readers"),
    add("streams.num.standby.replicas=1", *GROUP),
    describe(*GROUP),
    describe(*GROUP, "--all"),
    describe("--entity-type", "groups"),
    add("consumer.session.timeout.ms=1", *GROUP),
    add("consumer.session.timeout.ms=1000000", *GROUP),
    add("consumer.session.timeout.ms=x", *GROUP),
    add("consumer.heartbeat.interval.ms=60000", *GROUP),
    add("consumer.assignment.interval.ms=-1", *GROUP),
    add("share.auto.offset.reset=nowhere", *GROUP).but(
        "Kafka says the same twice", [r"stderr: .*share.auto.offset.reset: The value must be .*"],
        [r"stderr: .*share.auto.offset.reset: Invalid value `nowhere` for .* The value must be .*"]),
    add("share.isolation.level=strict", *GROUP),
    add("share.delivery.count.limit=1", *GROUP),
    add("share.delivery.count.limit=100", *GROUP),
    add("share.record.lock.duration.ms=1", *GROUP),
    add("share.session.timeout.ms=1", *GROUP),
    add("streams.num.standby.replicas=100", *GROUP).but(
        "the bound's name says where it is set", [r"stderr: .*must be less than or equal to group.streams.max.standby.replicas"],
        [r"stderr: .*must be less than or equal to 2"]),
    add("streams.session.timeout.ms=1", *GROUP),
    add("nosuch=x", *GROUP),
    add("consumer.session.timeout.ms=50000", "--entity-type", "groups", "--entity-default"),
    delete("consumer.session.timeout.ms", *GROUP),
    delete("nosuch", *GROUP),
    describe(*GROUP),
    delete("consumer.heartbeat.interval.ms,share.auto.offset.reset,streams.num.standby.replicas", *GROUP),
    describe("--entity-type", "groups"),
]

CLIENT_METRICS = [
    describe(*METRICS),
    describe("--entity-type", "client-metrics"),
    add("interval.ms=1000", *METRICS),
    add("metrics=[org.apache.kafka.consumer.,org.apache.kafka.producer.],match=[client_id=app.*,client_software_name=librdkafka]", *METRICS),
    describe(*METRICS),
    describe(*METRICS, "--all"),
    describe("--entity-type", "client-metrics"),
    add("interval.ms=1", *METRICS),
    add("interval.ms=3600001", *METRICS),
    add("interval.ms=x", *METRICS),
    add("match=x", *METRICS),
    add("match=[nosuch=y]", *METRICS),
    add("match=[client_id=(]", *METRICS),
    add("match=[client_id=a=b]", *METRICS),
    add("match=[client_id=app,client_source_port=*]", *METRICS),
    add("match=[client_id=(?=a)b]", *METRICS),
    add("match=[client_id=app.*]", *METRICS),
    add("nosuch=x", *METRICS),
    add("interval.ms=1000", "--entity-type", "client-metrics", "--entity-default"),
    delete("match", *METRICS),
    delete("nosuch", *METRICS),
    describe(*METRICS),
    delete("interval.ms,metrics", *METRICS),
    describe("--entity-type", "client-metrics"),
]

def unserved(action):
    """Quotas and SCRAM credentials."""
    return action.but("not served yet", [r"exit code 1|stderr: (Error while|.* does not support) .*"], [".*"])


QUOTAS = [
    unserved(describe(*USER)),
    unserved(describe("--entity-type", "users")),
    unserved(describe("--entity-type", "clients")),
    unserved(describe("--entity-type", "ips")),
    unserved(add("producer_byte_rate=1000,consumer_byte_rate=2000", *USER)),
    unserved(add("request_percentage=50", *USER, *CLIENT)),
    unserved(add("controller_mutation_rate=5", "--user-defaults")),
    unserved(add("consumer_byte_rate=3000", *CLIENT)),
    unserved(add("consumer_byte_rate=4000", "--client-defaults")),
    unserved(add("producer_byte_rate=100", *USER, "--client-defaults")),
    unserved(add("connection_creation_rate=10", *IP)),
    unserved(add("connection_creation_rate=20", "--ip-defaults")),
    unserved(describe(*USER)),
    unserved(describe(*USER, *CLIENT)),
    unserved(describe("--user-defaults")),
    unserved(describe(*CLIENT)),
    unserved(describe("--client-defaults")),
    unserved(describe(*IP)),
    unserved(describe("--ip-defaults")),
    unserved(describe("--entity-type", "users")),
    unserved(describe("--entity-type", "clients")),
    unserved(describe("--entity-type", "users", "--entity-type", "clients")),
    unserved(describe("--entity-type", "ips")),
    unserved(add("producer_byte_rate=x", *USER)),
    unserved(add("producer_byte_rate=-1", *USER)),
    unserved(add("producer_byte_rate=0.5", *USER)),
    add("nosuch=1", *USER),
    add("connection_creation_rate=1", *USER),
    add("producer_byte_rate=1", *IP),
    add("connection_creation_rate=1", "--ip", "no such host"),
    unserved(add("SCRAM-SHA-256=[iterations=4096,password=secret]", *USER)),
    unserved(add("SCRAM-SHA-512=[password=secret]", *USER)),
    add("SCRAM-SHA-256=[iterations=1,password=secret]", *USER),
    add("SCRAM-SHA-256=[password=secret]", "--user-defaults"),
    unserved(describe(*USER)),
    unserved(delete("SCRAM-SHA-256", *USER)),
    unserved(delete("SCRAM-SHA-256", *USER)),
    unserved(delete("SCRAM-SHA-512", *USER)),
    unserved(delete("producer_byte_rate", *USER)),
    delete("nosuch", *USER),
    unserved(delete("consumer_byte_rate", *USER)),
    unserved(delete("request_percentage", *USER, *CLIENT)),
    unserved(delete("controller_mutation_rate", "--user-defaults")),
    unserved(delete("consumer_byte_rate", *CLIENT)),
    unserved(delete("consumer_byte_rate", "--client-defaults")),
    unserved(delete("producer_byte_rate", *USER, "--client-defaults")),
    unserved(delete("connection_creation_rate", *IP)),
    unserved(delete("connection_creation_rate", "--ip-defaults")),
    unserved(describe("--entity-type", "users")),
    unserved(describe("--entity-type", "ips")),
]

ACTIONS = [*TOPICS, *BROKERS, *LOGGERS, *GROUPS, *CLIENT_METRICS, *QUOTAS,
           Action("kafka-topics", "--delete", "--topic", "settings")]
