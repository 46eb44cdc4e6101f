/* A topic's settings: the broker's values, then the topic's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_support.h"

static struct config c;
static struct topic_config tc;
static struct errmsg msg;

static int with(const char *name, const char *value)
{
    struct config_pair pair = {str_of(name), str_of(value)};

    msg.text[0] = 0;
    return topic_config_init(&tc, &c, &pair, 1, &msg);
}

static void text_is(const char *name, const char *expected)
{
    char *text = topic_config_text(&tc, config_topic_setting(str_of(name)));

    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text, expected);
    free(text);
}

/* With a broker at its defaults, every setting of a topic has the default that its own table says.
 */
static void defaults_are_the_tables(void **state)
{
    config_must_load(&c, "");
    assert_int_equal(topic_config_init(&tc, &c, NULL, 0, &msg), 0);
    for (int i = 0; i < config_n_topic_settings; i++)
        text_is(config_topic_settings[i].name, config_topic_settings[i].default_text);
    assert_int_equal(tc.cleanup, CLEANUP_DELETE);
    assert_int_equal(tc.timestamp_type, TIMESTAMP_CREATE_TIME);
    assert_true(tc.durable);
    assert_int_equal(tc.effective_segment_bytes, 1 << 30);
    topic_config_release(&tc);
    config_release(&c);
}

/* The broker's own values reach the topic, also at the end of a chain of synonyms. */
static void broker_values_reach_the_topic(void **state)
{
    config_must_load(&c, "log.retention.minutes=2\nlog.roll.hours=3\nlog.roll.jitter.hours=1\n"
                         "log.flush.scheduler.interval.ms=7\nlog.cleanup.policy=compact,delete\n"
                         "message.max.bytes=5\nlog.message.timestamp.type=LogAppendTime\n"
                         "log.flush.interval.messages=2\nlog.cleaner.min.cleanable.ratio=0.25\n"
                         "log.preallocate=true\n");
    assert_int_equal(topic_config_init(&tc, &c, NULL, 0, &msg), 0);
    assert_int_equal(tc.retention_ms, 120000);
    assert_int_equal(tc.segment_ms, 10800000);
    assert_int_equal(tc.segment_jitter_ms, 3600000);
    assert_int_equal(tc.flush_ms, 7);
    assert_int_equal(tc.cleanup, CLEANUP_COMPACT | CLEANUP_DELETE);
    assert_int_equal(tc.max_message_bytes, 5);
    assert_int_equal(tc.timestamp_type, TIMESTAMP_LOG_APPEND_TIME);
    assert_true(tc.min_cleanable_dirty_ratio == 0.25);
    assert_true(tc.preallocate);
    assert_false(tc.durable);
    text_is("cleanup.policy", "compact,delete");
    topic_config_release(&tc);
    config_release(&c);
}

/* Overrides win; of two for one name the last counts; only 1 is durable. */
static void overrides_win(void **state)
{
    const struct config_pair pairs[] = {
        {STR("retention.ms"), STR("5")},
        {STR("cleanup.policy"), STR("")},
        {STR("flush.messages"), STR("10")},
        {STR("flush.messages"), STR("1")},
        {STR("internal.segment.bytes"), STR("100")},
        {STR("compression.type"), STR("zstd")},
        {STR("remote.copy.lag.ms"), STR("0")},
    };

    config_must_load(&c, "log.flush.interval.messages=9223372036854775807");
    assert_int_equal(topic_config_init(&tc, &c, pairs, ARRAY_SIZE(pairs), &msg), 0);
    assert_int_equal(tc.retention_ms, 5);
    assert_int_equal(tc.cleanup, 0);
    assert_true(tc.durable);
    assert_int_equal(tc.effective_segment_bytes, 100);
    assert_string_equal(tc.compression_type, "zstd");
    topic_config_release(&tc);
    assert_int_equal(with("flush.messages", "2"), 0);
    assert_false(tc.durable);
    topic_config_release(&tc);
    config_release(&c);
}

/* What Kafka's LogConfig refuses is refused in its words, and leaves nothing behind. */
static void bad_overrides_are_refused(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"foo.bar", "1", "Unknown topic config name: foo.bar"},
        {"log.retention.ms", "1", "Unknown topic config name: log.retention.ms"},
        {"retention.ms", "abc",
         "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
        {"retention.ms", NULL,
         "Invalid value null for configuration retention.ms: entry must be non null"},
        {"segment.bytes", "1048575",
         "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"},
        {"remote.storage.enable", "true",
         "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
         "remote log storage."},
        {"min.compaction.lag.ms", "51",
         "conflict topic config setting min.compaction.lag.ms (51) > max.compaction.lag.ms (50)"},
    };

    config_must_load(&c, "log.cleaner.max.compaction.lag.ms=50");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(with(cases[i].name, cases[i].value), E_INVALID);
        assert_string_equal(msg.text, cases[i].text);
    }
    assert_int_equal(with("min.compaction.lag.ms", "50"), 0);
    topic_config_release(&tc);
    assert_int_equal(with("remote.storage.enable", "false"), 0);
    topic_config_release(&tc);
    config_release(&c);
}

/* A topic keeps its copies when the broker's config is gone. */
static void topic_outlives_the_broker_config(void **state)
{
    config_must_load(&c, "compression.type=lz4");
    assert_int_equal(topic_config_init(&tc, &c, NULL, 0, &msg), 0);
    config_release(&c);
    assert_string_equal(tc.compression_type, "lz4");
    topic_config_release(&tc);
    assert_null(tc.compression_type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_tables),
        cmocka_unit_test(broker_values_reach_the_topic),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(bad_overrides_are_refused),
        cmocka_unit_test(topic_outlives_the_broker_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
