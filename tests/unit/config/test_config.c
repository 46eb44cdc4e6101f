/* The broker's settings: defaults, file, overrides, and what is said about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_support.h"

static struct config c;
static struct errmsg msg;

static void refused(const char *text, bool strict, const char *expected)
{
    msg.text[0] = 0;
    assert_int_equal(config_from_text(&c, text, strict, &msg), E_INVALID);
    assert_string_equal(msg.text, expected);
    config_release(&c);
}

static void text_is(const char *name, const char *expected)
{
    char *text = config_text(&c, config_broker_setting(str_of(name)));

    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text, expected);
    free(text);
}

/* Fields of every type hold their defaults before anything is loaded. */
static void defaults(void **state)
{
    config_must_load(&c, "");
    assert_int_equal(c.node_id, 1);
    assert_int_equal(c.num_partitions, 1);
    assert_true(c.auto_create_topics_enable);
    assert_true(c.log_cleaner_io_buffer_load_factor == 0.9);
    assert_int_equal(c.log_flush_interval_messages, 1);
    assert_int_equal(c.offsets_topic_replication_factor, 1);
    assert_true(c.log_retention_ms == CONFIG_NULL);
    assert_null(c.broker_rack);
    assert_int_equal(c.n_parsed_log_dirs, 1);
    assert_string_equal(c.parsed_log_dirs[0], "./barnabas-data");
    assert_int_equal(c.n_given, 0);
    assert_string_equal(captured(), "");
    config_release(&c);
}

/* The file that comes with Apache Kafka 4 loads; one line names what has no meaning here. */
static void kafkas_own_file_loads(void **state)
{
    config_must_load(&c, "# as Kafka ships it\n"
                         "process.roles=broker,controller\n"
                         "node.id=1\n"
                         "controller.quorum.bootstrap.servers=localhost:9093\n"
                         "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
                         "inter.broker.listener.name=PLAINTEXT\n"
                         "advertised.listeners=PLAINTEXT://localhost:9092,"
                         "CONTROLLER://localhost:9093\n"
                         "controller.listener.names=CONTROLLER\n"
                         "listener.security.protocol.map=CONTROLLER:PLAINTEXT,"
                         "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,"
                         "SASL_SSL:SASL_SSL\n"
                         "num.network.threads=3\n"
                         "num.io.threads=8\n"
                         "socket.send.buffer.bytes=102400\n"
                         "socket.receive.buffer.bytes=102400\n"
                         "socket.request.max.bytes=104857600\n"
                         "log.dirs=/tmp/kraft-combined-logs\n"
                         "num.partitions=1\n"
                         "num.recovery.threads.per.data.dir=1\n"
                         "offsets.topic.replication.factor=1\n"
                         "share.coordinator.state.topic.replication.factor=1\n"
                         "share.coordinator.state.topic.min.isr=1\n"
                         "transaction.state.log.replication.factor=1\n"
                         "transaction.state.log.min.isr=1\n"
                         "#log.flush.interval.messages=10000\n"
                         "log.retention.hours=168\n"
                         "log.segment.bytes=1073741824\n"
                         "log.retention.check.interval.ms=300000\n");
    assert_string_equal(captured(),
                        "INFO settings without meaning on one node, ignored: "
                        "controller.quorum.bootstrap.servers, inter.broker.listener.name, "
                        "num.network.threads\n");
    assert_string_equal(c.parsed_log_dirs[0], "/tmp/kraft-combined-logs");
    assert_int_equal(c.n_parsed_listeners, 1);
    config_release(&c);
}

/* The example file is all comments, and loads in strict mode. */
static void example_file_loads(void **state)
{
    FILE *f = fopen("config/server.properties", "r");
    char *text = xcalloc(1, 1 << 20);

    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 1000);
    fclose(f);
    assert_int_equal(config_from_text(&c, text, true, &msg), 0);
    assert_string_equal(captured(), "");
    assert_int_equal(c.n_given, 0);
    config_release(&c);
    free(text);
}

/* A bad value names file, line, key, what is wrong and what would be valid. */
static void bad_values_name_their_place(void **state)
{
    refused("\n# x\nlog.segment.bytes = 99\n", false,
            "t.properties:3: log.segment.bytes: Invalid value 99 for configuration "
            "log.segment.bytes: Value must be at least 1048576 (valid: INT [1048576,...])");
    refused("auto.create.topics.enable=yes", false,
            "t.properties:1: auto.create.topics.enable: Invalid value yes for configuration "
            "auto.create.topics.enable: Expected value to be either true or false (valid: "
            "BOOLEAN)");
    refused("compression.type=zip", false,
            "t.properties:1: compression.type: Invalid value zip for configuration "
            "compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, "
            "producer (valid: STRING [uncompressed, zstd, lz4, snappy, gzip, producer])");
    refused("a=1\nb=\\u00zz\n", false,
            "t.properties:2: Malformed \\uxxxx encoding; valid is \\u and four hexadecimal digits");
    refused("listener.name.out.ssl.client.auth=maybe", false,
            "t.properties:1: listener.name.out.ssl.client.auth: Invalid value maybe for "
            "configuration ssl.client.auth: String must be one of: required, requested, none "
            "(valid: STRING [required, requested, none])");
    refused("replica.fetch.max.bytes=x", false,
            "t.properties:1: replica.fetch.max.bytes: Invalid value x for configuration "
            "replica.fetch.max.bytes: Not a number of type INT (valid: INT [0,...])");
}

/* An unknown name is a warning with the nearest known one. */
static void unknown_names_warn(void **state)
{
    config_must_load(&c, "num.partition=3\nmy.thing=1\n");
    assert_string_equal(captured(),
                        "WARN t.properties:1: unknown setting num.partition; the nearest known one "
                        "is num.partitions\n"
                        "WARN t.properties:2: unknown setting my.thing\n");
    assert_int_equal(c.num_partitions, 1);
    assert_string_equal(config_given_find(&c, STR("num.partition"))->text, "3");
    config_release(&c);
}

/* In strict mode it is an error. */
static void unknown_names_are_errors_when_strict(void **state)
{
    refused("node.id=1\nnum.partition=3\n", true,
            "t.properties:2: unknown setting num.partition; the nearest known one is "
            "num.partitions");
}

/* ZooKeeper's settings get one line, also in strict mode; those known by prefix get none. */
static void removed_and_prefixed_names(void **state)
{
    assert_int_equal(config_from_text(&c,
                                      "zookeeper.connect=a:2181\n"
                                      "inter.broker.protocol.version=3.9\n"
                                      "listener.name.out.plain.sasl.jaas.config=x\n"
                                      "listener.name.out.ssl.client.auth=none\n"
                                      "ssl.own=1\nsasl.own=1\n"
                                      "super.users=User:admin\n"
                                      "allow.everyone.if.no.acl.found=true\n",
                                      true, &msg),
                     0);
    assert_string_equal(captured(), "WARN settings that Kafka 4 no longer has, ignored: "
                                    "zookeeper.connect, inter.broker.protocol.version\n");
    assert_string_equal(c.super_users, "User:admin");
    assert_true(c.allow_everyone_if_no_acl_found);
    config_release(&c);
}

/* The last value of a name counts, and the file is warned about; the first one is not even parsed.
 */
static void doubles_warn(void **state)
{
    config_must_load(&c, "num.partitions=x\nnode.id=5\nnum.partitions=4\n");
    assert_int_equal(c.num_partitions, 4);
    assert_string_equal(captured(), "WARN t.properties:3: num.partitions is set again (first on "
                                    "line 1); the last value counts\n");
    assert_int_equal(c.n_given, 2);
    config_release(&c);
}

/* Overrides win over the file without a word, and say where they came from. */
static void overrides(void **state)
{
    captured_start();
    config_init(&c);
    assert_int_equal(config_load_text(&c, "f", bytes_of("num.partitions=2\nnode.id=7", 26), &msg),
                     0);
    assert_int_equal(config_override(&c, " num.partitions = 3 ", &msg), 0);
    assert_int_equal(config_override(&c, "broker.rack=a=b", &msg), 0);
    assert_int_equal(config_finish(&c, true, &msg), 0);
    assert_string_equal(captured(), "");
    assert_int_equal(c.num_partitions, 3);
    assert_string_equal(c.broker_rack, "a=b");
    assert_int_equal(config_given_find(&c, STR("num.partitions"))->source, CONFIG_FROM_OVERRIDE);
    assert_int_equal(config_given_find(&c, STR("num.partitions"))->line, 0);
    assert_int_equal(config_given_find(&c, STR("node.id"))->source, CONFIG_FROM_FILE);
    assert_int_equal(config_given_find(&c, STR("node.id"))->line, 2);
    assert_null(config_given_find(&c, STR("log.dirs")));
    config_release(&c);
}

/* An override that is no key=value, or has a bad value, says so. */
static void bad_overrides(void **state)
{
    config_init(&c);
    assert_int_equal(config_override(&c, "num.partitions", &msg), E_INVALID);
    assert_string_equal(msg.text, "override num.partitions: valid is key=value");
    assert_int_equal(config_override(&c, "=3", &msg), E_INVALID);
    assert_int_equal(config_override(&c, "num.partitions=0", &msg), E_INVALID);
    assert_string_equal(msg.text, "override: num.partitions: Invalid value 0 for configuration "
                                  "num.partitions: Value must be at least 1 (valid: INT [1,...])");
    config_release(&c);
}

/* A rule between settings names the place of the one that it is about. */
static void rules_name_their_place(void **state)
{
    refused("node.id=1\n\nlisteners=nonsense", false,
            "t.properties:3: listeners: unable to parse nonsense to a broker endpoint; valid is "
            "NAME://host:port");
    config_init(&c);
    assert_int_equal(config_override(&c, "log.roll.ms=0", &msg), 0);
    assert_int_equal(config_finish(&c, false, &msg), E_INVALID);
    assert_string_equal(msg.text, "override: log.roll.ms must be greater than or equal to 1");
    config_release(&c);
    config_init(&c);
    assert_int_equal(config_override(&c, "log.roll.ms=0", &msg), 0);
    assert_int_equal(config_finish(&c, false, NULL), E_INVALID);
    config_release(&c);
}

/* Values read back as DescribeConfigs shows them: of fields, of accepted settings, and null. */
static void values_read_back(void **state)
{
    config_must_load(&c, "num.io.threads = +4\nlog.cleaner.min.cleanable.ratio=1e-4\n"
                         "replica.fetch.min.bytes=07\nlog.dirs=a , b\nlog.preallocate=TRUE\n");
    text_is("num.io.threads", "4");
    text_is("log.cleaner.min.cleanable.ratio", "1.0E-4");
    text_is("replica.fetch.min.bytes", "7");
    text_is("replica.fetch.max.bytes", "1048576");
    text_is("log.dirs", "a,b");
    text_is("log.preallocate", "true");
    text_is("log.retention.ms", NULL);
    text_is("broker.rack", NULL);
    assert_int_equal(c.n_parsed_log_dirs, 2);
    assert_string_equal(c.parsed_log_dirs[1], "b");
    config_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(kafkas_own_file_loads),
        cmocka_unit_test(example_file_loads),
        cmocka_unit_test(bad_values_name_their_place),
        cmocka_unit_test(unknown_names_warn),
        cmocka_unit_test(unknown_names_are_errors_when_strict),
        cmocka_unit_test(removed_and_prefixed_names),
        cmocka_unit_test(doubles_warn),
        cmocka_unit_test(overrides),
        cmocka_unit_test(bad_overrides),
        cmocka_unit_test(rules_name_their_place),
        cmocka_unit_test(values_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
