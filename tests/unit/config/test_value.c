/* Parsing one value: Kafka's texts, and Kafka's words when they are bad (checked against LogConfig
 * of 4.4.0). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"

static struct errmsg msg;

static const struct config_setting *find(const char *name)
{
    const struct config_setting *st = config_topic_setting(str_of(name));

    if (st == NULL)
        st = config_broker_setting(str_of(name));
    if (st == NULL)
        st = config_group_setting(str_of(name));
    assert_non_null(st);
    return st;
}

/* The canonical text of what was parsed must be `expected`. */
static void good(const char *name, const char *text, const char *expected)
{
    const struct config_setting *st = find(name);
    union config_value v = {.i = 0};
    char *shown;

    if (config_parse(st, str_of(text), &v, &msg) < 0)
        fail_msg("%s", msg.text);
    shown = config_value_text(st, &v);
    assert_string_equal(shown, expected);
    free(shown);
    if (st->type == CONFIG_STRING || st->type == CONFIG_LIST)
        free(v.s);
}

static void bad(const char *name, const char *text, const char *expected)
{
    union config_value v;

    msg.text[0] = 0;
    assert_int_equal(config_parse(find(name), str_of(text), &v, &msg), E_INVALID);
    assert_string_equal(msg.text, expected);
}

/* Values are trimmed, booleans read in any case, numbers with a sign. */
static void values_are_read_as_kafka_does(void **state)
{
    good("preallocate", "TRUE ", "true");
    good("preallocate", "False", "false");
    good("segment.bytes", " +2097152\t", "2097152");
    good("retention.ms", "-1", "-1");
    good("min.cleanable.dirty.ratio", "0x1p-1", "0.5");
    good("min.cleanable.dirty.ratio", "1", "1.0");
    good("compression.type", " gzip ", "gzip");
    good("compression.gzip.level", "-1", "-1");
    good("compression.gzip.level", "1", "1");
    good("compression.gzip.level", "9", "9");
    good("group.consumer.migration.policy", "Upgrade", "Upgrade");
    good("offsets.topic.replication.factor", "32767", "32767");
}

/* Not of the type: Kafka's words, naming setting and value. */
static void other_types_are_refused(void **state)
{
    bad("retention.ms", "abc",
        "Invalid value abc for configuration retention.ms: Not a number of type LONG");
    bad("retention.ms", "",
        "Invalid value  for configuration retention.ms: Not a number of type LONG");
    bad("segment.bytes", "99999999999",
        "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT");
    bad("offsets.topic.replication.factor", "32768",
        "Invalid value 32768 for configuration offsets.topic.replication.factor: Not a number of "
        "type SHORT");
    bad("preallocate", "yes",
        "Invalid value yes for configuration preallocate: Expected value to be either true or "
        "false");
    bad("min.cleanable.dirty.ratio", "x",
        "Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type "
        "DOUBLE");
    bad("min.cleanable.dirty.ratio", "NaN",
        "Invalid value NaN for configuration min.cleanable.dirty.ratio: Not a number of type "
        "DOUBLE");
}

/* One past each bound is refused, the bound itself is taken. */
static void bounds_hold(void **state)
{
    good("segment.bytes", "1048576", "1048576");
    bad("segment.bytes", " 1048575 ",
        "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576");
    good("min.cleanable.dirty.ratio", "0", "0.0");
    bad("min.cleanable.dirty.ratio", "1.5",
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
        "than 1");
    good("max.decompressed.message.bytes", "2147483639", "2147483639");
    bad("max.decompressed.message.bytes", "2147483640",
        "Invalid value 2147483640 for configuration max.decompressed.message.bytes: Value must be "
        "no more than 2147483639");
    bad("compression.gzip.level", "0",
        "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 "
        "or equal to -1");
    good("max.compaction.lag.ms", "9223372036854775807", "9223372036854775807");
}

/* Words are compared exactly, unless the row says any case. */
static void words_hold(void **state)
{
    bad("compression.type", "foo",
        "Invalid value foo for configuration compression.type: String must be one of: "
        "uncompressed, zstd, lz4, snappy, gzip, producer");
    bad("message.timestamp.type", "createtime",
        "Invalid value createtime for configuration message.timestamp.type: String must be one "
        "of: CreateTime, LogAppendTime");
    bad("group.consumer.migration.policy", "zzz",
        "Invalid value zzz for configuration group.consumer.migration.policy: String must be one "
        "of (case insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL");
    bad("remote.log.storage.manager.class.name", " ",
        "Invalid value  for configuration remote.log.storage.manager.class.name: String must be "
        "non-empty");
}

/* Items are trimmed and doubles dropped (KIP-1161); a gap is refused. */
static void lists_are_read(void **state)
{
    good("cleanup.policy", " delete , compact ", "delete,compact");
    good("cleanup.policy", "delete,delete", "delete");
    good("cleanup.policy", "", "");
    bad("cleanup.policy", "foo",
        "Invalid value foo for configuration cleanup.policy: String must be one of: compact, "
        "delete");
    bad("cleanup.policy", "delete,", "Configuration 'cleanup.policy' values must not be empty.");
    bad("cleanup.policy", ",", "Configuration 'cleanup.policy' values must not be empty.");
    bad("log.dirs", " ",
        "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value");
    bad("process.roles", "",
        "Configuration 'process.roles' must not be empty. Valid values include: [broker, "
        "controller]");
}

/* The throttle lists of a topic are "*" or partition:broker. */
static void throttled_replicas_are_checked(void **state)
{
    good("leader.replication.throttled.replicas", "*", "*");
    good("leader.replication.throttled.replicas", "1:2, 3:4", "1:2,3:4");
    good("leader.replication.throttled.replicas", "", "");
    bad("leader.replication.throttled.replicas", "1:2,1:2:3",
        "Invalid value [1:2, 1:2:3] for configuration leader.replication.throttled.replicas: "
        "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in "
        "the following format: "
        "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
}

/* A share group starts at an end or so long ago. */
static void offset_reset_is_checked(void **state)
{
    good("share.auto.offset.reset", "earliest", "earliest");
    good("share.auto.offset.reset", "by_duration:PT1H", "by_duration:PT1H");
    bad("share.auto.offset.reset", "by_duration:PT-1H",
        "Invalid value by_duration:PT-1H for configuration share.auto.offset.reset: The value must "
        "be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.");
}

/* Null is a value only where the default is null. */
static void null_needs_a_null_default(void **state)
{
    const struct config_setting *st = find("log.retention.ms");
    union config_value v = {.i = 0};

    assert_int_equal(config_parse(st, (struct str){0}, &v, &msg), 0);
    assert_true(v.i == CONFIG_NULL);
    assert_null(config_value_text(st, &v));
    assert_int_equal(config_parse(find("broker.rack"), (struct str){0}, &v, &msg), 0);
    assert_null(v.s);
    bad("retention.ms", NULL,
        "Invalid value null for configuration retention.ms: entry must be non null");
}

/* What a peer sends is shown as printable text. */
static void odd_bytes_are_escaped(void **state)
{
    union config_value v;

    bad("retention.ms", "a\x01z",
        "Invalid value a\\x01z for configuration retention.ms: Not a number of type LONG");
    assert_int_equal(config_parse(find("broker.rack"), (struct str){"a\0b", 3}, &v, &msg),
                     E_INVALID);
}

static int count(void *arg, struct str item)
{
    (*(int *)arg)++;
    return str_is(item, "stop") ? 7 : 0;
}

/* Walking a list meets each item once, and stops when told. */
static void lists_are_walked(void **state)
{
    int n = 0;

    assert_int_equal(config_list_each("a,b,c", count, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(config_list_each("", count, &n), 0);
    assert_int_equal(config_list_each(NULL, count, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(config_list_each("a,stop,c", count, &n), 7);
    assert_int_equal(n, 5);
    assert_true(config_list_has("a,b", "b"));
    assert_false(config_list_has("a,bb", "b"));
    assert_false(config_list_has(NULL, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_as_kafka_does),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(words_hold),
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(throttled_replicas_are_checked),
        cmocka_unit_test(offset_reset_is_checked),
        cmocka_unit_test(null_needs_a_null_default),
        cmocka_unit_test(odd_bytes_are_escaped),
        cmocka_unit_test(lists_are_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
