/* The rules between settings, and what is derived from several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_support.h"

static struct config c;
static struct errmsg msg;

static void refused(const char *text, const char *expected)
{
    msg.text[0] = 0;
    assert_int_equal(config_from_text(&c, text, false, &msg), E_INVALID);
    assert_string_equal(msg.text, expected);
    config_release(&c);
}

/* Milliseconds count before minutes, minutes before hours; every negative retention is forever. */
static void retention_falls_back(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"", 604800000},
        {"log.retention.hours=1", 3600000},
        {"log.retention.hours=1\nlog.retention.minutes=2", 120000},
        {"log.retention.hours=1\nlog.retention.minutes=2\nlog.retention.ms=3", 3},
        {"log.retention.hours=-1", -1},
        {"log.retention.ms=-5", -1},
        {"log.retention.hours=2147483647", 2147483647LL * 3600000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        config_must_load(&c, cases[i].text);
        assert_true(c.effective_log_retention_ms == cases[i].ms);
        config_release(&c);
    }
    refused("log.retention.minutes=0", "t.properties: log.retention.ms must be unlimited (-1) or, "
                                       "equal or greater than 1");
}

/* Roll, jitter and flush fall back the same way. */
static void other_times_fall_back(void **state)
{
    config_must_load(&c, "log.roll.hours=2\nlog.roll.jitter.hours=1\n"
                         "log.flush.scheduler.interval.ms=9\n");
    assert_int_equal(c.effective_log_roll_ms, 7200000);
    assert_int_equal(c.effective_log_roll_jitter_ms, 3600000);
    assert_int_equal(c.effective_log_flush_ms, 9);
    config_release(&c);
    config_must_load(&c, "log.roll.ms=2\nlog.roll.jitter.ms=1\nlog.flush.interval.ms=5\n");
    assert_int_equal(c.effective_log_roll_ms, 2);
    assert_int_equal(c.effective_log_roll_jitter_ms, 1);
    assert_int_equal(c.effective_log_flush_ms, 5);
    config_release(&c);
    refused("log.roll.ms=0", "t.properties:1: log.roll.ms must be greater than or equal to 1");
    refused("log.roll.jitter.ms=-1",
            "t.properties:1: log.roll.jitter.ms must be greater than or equal to 0");
    refused("log.flush.interval.ms=-1",
            "t.properties:1: log.flush.interval.ms must be greater than or equal to 0");
}

/* The old name of the id does alone, and must agree with the new one. */
static void broker_id_is_node_id(void **state)
{
    config_must_load(&c, "broker.id=4");
    assert_int_equal(c.node_id, 4);
    config_release(&c);
    config_must_load(&c, "node.id=4\nbroker.id=-1");
    assert_int_equal(c.node_id, 4);
    config_release(&c);
    config_must_load(&c, "node.id=4\nbroker.id=4");
    config_release(&c);
    refused("node.id=4\nbroker.id=5",
            "t.properties:1: node.id is 4 and broker.id is 5; they must be the same");
}

/* Rules of one or two settings each, in Kafka's words. */
static void single_rules(void **state)
{
    refused("process.roles=controller",
            "t.properties:1: process.roles must contain broker, because this process is one");
    refused("log.cleaner.dedupe.buffer.size=2097152\nlog.cleaner.threads=2",
            "t.properties:1: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner "
            "thread.");
    refused("queued.max.request.bytes=1000",
            "t.properties:1: queued.max.request.bytes must be larger or equal to "
            "socket.request.max.bytes");
    refused("max.connections.per.ip=0",
            "t.properties:1: max.connections.per.ip can be set to zero only if "
            "max.connections.per.ip.overrides property is set.");
    refused("max.connections.per.ip.overrides=127.0.0.1",
            "t.properties:1: max.connections.per.ip.overrides: 127.0.0.1 is not valid; valid is "
            "host:count");
    refused("connections.max.idle.ms=100",
            "t.properties:1: connection.failed.authentication.delay.ms should always be less than "
            "connections.max.idle.ms to prevent failed authentication responses from timing out");
    config_must_load(&c, "max.connections.per.ip=0\n"
                         "max.connections.per.ip.overrides=127.0.0.1:5, host.name : 3\n"
                         "queued.max.request.bytes=104857600\n");
    config_release(&c);
}

/* max.connections.per.ip and its exceptions: the last one counts; localhost has two addresses. */
static void an_address_has_its_own_limit(void **state)
{
    config_must_load(&c, "max.connections.per.ip=7\n"
                         "max.connections.per.ip.overrides=10.0.0.1:5,localhost:3, ::2:4,10.0.0.1:6\n");
    assert_int_equal(config_connections_per_ip(&c, "10.0.0.1"), 6);
    assert_int_equal(config_connections_per_ip(&c, "10.0.0.10"), 7);
    assert_int_equal(config_connections_per_ip(&c, "127.0.0.1"), 3);
    assert_int_equal(config_connections_per_ip(&c, "::1"), 3);
    assert_int_equal(config_connections_per_ip(&c, "::2"), 4);
    config_release(&c);
}

/* A group's default lies within what groups may ask for, and heartbeats come faster than sessions
 * end. */
static void bounds_are_in_order(void **state)
{
    refused(
        "group.consumer.session.timeout.ms=60001",
        "t.properties:1: group.consumer.session.timeout.ms (60001) must be less than or equal to "
        "group.consumer.max.session.timeout.ms (60000)");
    refused(
        "group.share.min.heartbeat.interval.ms=5001",
        "t.properties:1: group.share.min.heartbeat.interval.ms (5001) must be less than or equal "
        "to group.share.heartbeat.interval.ms (5000)");
    refused("group.streams.heartbeat.interval.ms=45000\n"
            "group.streams.max.heartbeat.interval.ms=45000",
            "t.properties:1: group.streams.heartbeat.interval.ms (45000) must be less than "
            "group.streams.session.timeout.ms (45000)");
    refused("log.cleaner.min.compaction.lag.ms=2\nlog.cleaner.max.compaction.lag.ms=1",
            "t.properties:1: log.cleaner.min.compaction.lag.ms (2) must be less than or equal to "
            "log.cleaner.max.compaction.lag.ms (1)");
    config_must_load(&c, "group.consumer.session.timeout.ms=60000");
    config_release(&c);
}

/* The 64th directory is taken, the 65th is not. */
static void log_dirs_have_a_limit(void **state)
{
    struct buf text;

    buf_init(&text);
    buf_put_str(&text, "log.dirs=d0");
    for (int i = 1; i < 64; i++)
        buf_printf(&text, ",d%d", i);
    config_must_load(&c, buf_cstr(&text));
    assert_int_equal(c.n_parsed_log_dirs, 64);
    config_release(&c);
    buf_put_str(&text, ",d64");
    refused(buf_cstr(&text), "t.properties:1: log.dirs: more than 64 directories");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention_falls_back), cmocka_unit_test(other_times_fall_back),
        cmocka_unit_test(an_address_has_its_own_limit),
        cmocka_unit_test(broker_id_is_node_id), cmocka_unit_test(single_rules),
        cmocka_unit_test(bounds_are_in_order),  cmocka_unit_test(log_dirs_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
