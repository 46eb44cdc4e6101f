"""kafka-cluster, kafka-features, kafka-metadata-quorum, kafka-broker-api-versions, kafka-client-metrics: what belongs to no topic."""
from support.side_by_side import ID, Action


def cluster(*words):
    return Action("kafka-cluster", *words, "--bootstrap-server", "$ADDRESS")


def features(*words):
    return Action("kafka-features", *words).like((r"Epoch: \d+", "Epoch: N"))


def quorum(*words):
    return Action("kafka-metadata-quorum", *words)


def status():
    return quorum("describe", "--status").like((r"HighWatermark: \d+", "HighWatermark: N"), (r"ClusterId: .*", "ClusterId: ID"))


def replication(*words):
    return quorum("describe", "--replication", *words).like((rf"^1 {ID} \d+ 0 (\d+ \d+|\d+ ms ago \d+ ms ago) Leader", "1 ID N 0 NOW NOW Leader"))


def metrics(*words):
    return Action("kafka-client-metrics", *words)


CLUSTER = [
    cluster("cluster-id").like((rf"Cluster ID: {ID}", "Cluster ID: ID")),
    cluster("list-endpoints"),
    cluster("list-endpoints", "--include-fenced-brokers"),
    cluster("unregister", "--id", "7"),
    cluster("unregister", "--id", "-1"),
]

FEATURES = [
    features("describe"),
    features("version-mapping"),
    features("version-mapping", "--release-version", "4.0-IV0"),
    features("feature-dependencies", "--feature", "transaction.version=2"),
    features("upgrade", "--feature", "transaction.version=1"),
    features("upgrade", "--feature", "transaction.version=2"),
    features("upgrade", "--feature", "transaction.version=3"),
    features("upgrade", "--feature", "nosuch=1"),
    features("upgrade", "--feature", "group.version=x"),
    features("upgrade", "--feature", "metadata.version=1000"),
    features("upgrade", "--release-version", "9.9"),
    features("downgrade", "--feature", "transaction.version=1", "--dry-run"),
    features("downgrade", "--feature", "transaction.version=1"),
    features("describe"),
    features("upgrade", "--feature", "transaction.version=2"),
    features("downgrade", "--feature", "group.version=0", "--dry-run"),
    features("downgrade", "--feature", "share.version=1"),
    features("downgrade", "--feature", "share.version=1", "--unsafe"),
    features("downgrade", "--feature", "metadata.version=20", "--dry-run"),
    features("downgrade", "--feature", "metadata.version=20", "--unsafe", "--dry-run"),
    features("downgrade", "--feature", "metadata.version=1"),
    features("downgrade", "--feature", "nosuch=1"),
    features("disable", "--feature", "share.version", "--dry-run"),
    features("disable", "--feature", "share.version"),
    features("disable", "--feature", "nosuch"),
    features("disable", "--feature", "metadata.version"),
    features("disable", "--feature", "kraft.version"),
    features("upgrade", "--feature", "share.version=2"),
    features("describe"),
]

VOTERS = "the quorum is this broker alone, and its voters cannot change"
VOTERS_OF = [r"(Can|Could) not upgrade .* for feature kraft.version. The quorum is this broker alone.*"]
KRAFT = [
    features("upgrade", "--release-version", "4.3-IV0", "--dry-run").but(VOTERS, VOTERS_OF, [r"Can not upgrade .* for feature metadata.version\..*"]),
    features("upgrade", "--release-version", "4.0-IV0").but(VOTERS, VOTERS_OF, [r"Could not upgrade .* for feature metadata.version\..*"]),
    features("upgrade", "--feature", "kraft.version=1").but(
        VOTERS, [*VOTERS_OF, "exit code 1", "stderr: 1 out of 1 .*"], ["exit code 0", "kraft.version was upgraded to 1."]),
    features("describe").but(VOTERS, [r"Feature: kraft.version .*"], [r"Feature: kraft.version .*"]),
]

QUORUM = [
    status().but("the controller has no listener of its own", [r"CurrentVoters: .*PLAINTEXT://BROKER.*"], [r"CurrentVoters: .*CONTROLLER:.*"]),
    quorum("describe", "--status", "--replication"),
    replication(),
    replication("--human-readable"),
    quorum("describe"),
    quorum("remove-controller", "--controller-id", "1", "--controller-directory-id", "AAAAAAAAAAAAAAAAAAAAAQ").but(
        "voters do not change", [r"stderr: .*The node does not support REMOVE_RAFT_VOTER"],
        [r"stderr: .*Cluster doesn't support removing voter because the kraft.version feature is 0"]),
    quorum("remove-controller", "--controller-id", "7", "--controller-directory-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--dry-run"),
    quorum("add-controller"),
]

NAMED = (ID, "ID")  # --generate-name

CLIENT_METRICS = [
    metrics("--list"),
    metrics("--describe"),
    metrics("--describe", "--name", "none"),
    metrics("--alter", "--name", "watch", "--metrics", "org.apache.kafka.consumer.,org.apache.kafka.producer.", "--interval", "10000",
            "--match", "client_id=app.*,client_software_name=librdkafka"),
    metrics("--alter", "--name", "watch", "--interval", "20000"),
    metrics("--alter", "--name", "other", "--metrics", ""),
    metrics("--alter", "--generate-name", "--interval", "30000").like(NAMED),
    metrics("--alter", "--name", "watch", "--interval", "1"),
    metrics("--alter", "--name", "watch", "--interval", "x"),
    metrics("--alter", "--name", "watch", "--match", "nosuch=x"),
    metrics("--alter", "--name", "watch", "--match", "client_id"),
    metrics("--alter", "--name", "watch", "--match", "client_source_port=80"),
    metrics("--alter", "--name", "watch"),
    metrics("--describe", "--name", "watch"),
    metrics("--describe").like(NAMED),
    metrics("--list").like(NAMED),
    metrics("--alter", "--name", "watch", "--interval", ""),
    metrics("--alter", "--name", "watch", "--match", ""),
    metrics("--describe", "--name", "watch"),
    metrics("--delete", "--name", "watch"),
    metrics("--delete", "--name", "watch"),
    metrics("--delete", "--name", "other"),
    metrics("--delete"),
    metrics("--describe", "--name", "watch"),
]

VERSIONS = [
    Action("kafka-broker-api-versions")
    .but("not all is served (src/api/SKIPPED.md)", [r"\w+\(\d+\): UNSUPPORTED,?"], [r"\w+\(\d+\): \d+( to \d+)? \[usable: \d+\],?"])
    .but("versions of Kafka 3.9 too, for older clients", [r"\w+\(\d+\): 0 to \d+ \[usable: \d+\],?"])
    .but("newer than the tool", kafkas=[r"UNKNOWN\(9\d\): .*"]),
]

ACTIONS = [*CLUSTER, *QUORUM, *FEATURES, *KRAFT, *CLIENT_METRICS, *VERSIONS]
