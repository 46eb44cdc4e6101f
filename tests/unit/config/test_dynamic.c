/* Settings that change while running, and those of groups and client metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"

#define PAIR(k, v)                                                                                 \
    {                                                                                              \
        STR(k), STR(v)                                                                             \
    }

static void loaded(struct config *c, const char *override)
{
    struct errmsg msg;

    config_init(c);
    if (override)
        assert_int_equal(config_override(c, override, &msg), 0);
    assert_int_equal(config_finish(c, true, &msg), 0);
}

/* A value of the metadata stands over the file's, and the file's is back when it goes. */
static void the_metadata_stands_over_the_file(void **state)
{
    struct config_pair pairs[] = {PAIR("log.retention.ms", "5000"),
                                  PAIR("log.cleanup.policy", "compact")};
    struct config c;

    loaded(&c, "log.retention.ms=7000");
    config_set_dynamic(&c, pairs, ARRAY_SIZE(pairs));
    assert_int_equal(c.effective_log_retention_ms, 5000);
    assert_string_equal(c.log_cleanup_policy, "compact");
    config_set_dynamic(&c, NULL, 0);
    assert_int_equal(c.effective_log_retention_ms, 7000);
    assert_string_equal(c.log_cleanup_policy, "delete");
    config_release(&c);
}

/* Of a cluster's and a broker's value the last pair counts. */
static void the_last_pair_counts(void **state)
{
    struct config_pair pairs[] = {PAIR("message.max.bytes", "1"), PAIR("message.max.bytes", "2")};
    struct config c;

    loaded(&c, NULL);
    config_set_dynamic(&c, pairs, ARRAY_SIZE(pairs));
    assert_int_equal(c.message_max_bytes, 2);
    config_release(&c);
}

/* What cannot be read, is unknown or static is left out, and the rest is taken. */
static void what_cannot_be_taken_is_left_out(void **state)
{
    struct config_pair pairs[] = {PAIR("message.max.bytes", "many"), PAIR("node.id", "9"),
                                  PAIR("nobody.knows", "1"), PAIR("log.segment.bytes", "2000000")};
    struct config c;

    loaded(&c, NULL);
    config_set_dynamic(&c, pairs, ARRAY_SIZE(pairs));
    assert_int_equal(c.message_max_bytes, 1048588);
    assert_int_equal(c.node_id, 1);
    assert_int_equal(c.log_segment_bytes, 2000000);
    config_release(&c);
}

/* Values that do not go together with the file's leave all of the metadata's out. */
static void pairs_that_do_not_go_together_are_left_out(void **state)
{
    struct config_pair pairs[] = {PAIR("log.retention.ms", "0"), PAIR("message.max.bytes", "7")};
    struct config c;

    loaded(&c, NULL);
    config_set_dynamic(&c, pairs, ARRAY_SIZE(pairs));
    assert_int_equal(c.message_max_bytes, 1048588);
    assert_int_equal(c.effective_log_retention_ms, 604800000);
    config_release(&c);
}

struct refused {
    struct config_pair pair;
    bool per_broker;
    const char *why;
};

/* What may not be changed, or not at that level, is refused in Kafka's words. */
static void checks_say_what_is_wrong(void **state)
{
    static const struct refused cases[] = {
        {PAIR("node.id", "2"), true, "Cannot update these configs dynamically: [node.id]"},
        {PAIR("listeners", "PLAINTEXT://localhost:1"), false,
         "Cannot update these configs at default cluster level, broker id must be specified: "
         "[listeners]"},
        {PAIR("listener.name.a.ssl.keystore.type", "PKCS12"), false,
         "Cannot update these configs at default cluster level, broker id must be specified: "
         "[listener.name.a.ssl.keystore.type]"},
        {PAIR("ssl.keystore.password", "x"), true,
         "These security configs can be dynamically updated only per-listener using the listener "
         "prefix: [ssl.keystore.password]"},
        {PAIR("follower.replication.throttled.rate", "x"), true,
         "Invalid value x for configuration follower.replication.throttled.rate: Not a number of "
         "type LONG"},
        {PAIR("message.max.bytes", "x"), false,
         "Invalid value x for configuration message.max.bytes: Not a number of type INT"},
        {PAIR("log.retention.ms", "0"), true,
         "log.retention.ms must be unlimited (-1) or, equal or greater than 1"},
    };
    struct config_pair good[] = {PAIR("log.cleaner.threads", "2"), PAIR("nobody.knows", "1")};
    struct config c;
    struct errmsg msg;

    loaded(&c, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(config_check_dynamic(&c, &cases[i].pair, 1, cases[i].per_broker, &msg),
                         E_INVALID);
        assert_string_equal(msg.text, cases[i].why);
    }
    assert_int_equal(config_check_dynamic(&c, good, ARRAY_SIZE(good), false, &msg), 0);
    config_release(&c);
}

/* A group's settings stay inside the broker's bounds, and a session is longer than a heartbeat. */
static void groups_stay_inside_the_brokers_bounds(void **state)
{
    static const struct refused cases[] = {
        {PAIR("nobody.knows", "1"), false, "Unknown group config name: nobody.knows"},
        {PAIR("consumer.session.timeout.ms", "1"), false,
         "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive."},
        {PAIR("streams.num.standby.replicas", "99"), false,
         "streams.num.standby.replicas must be less than or equal to "
         "group.streams.max.standby.replicas"},
        {PAIR("errors.deadletterqueue.topic.name", "__x"), false,
         "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'"},
        {PAIR("streams.rack.aware.assignment.tags", "a,b,a"), false,
         "streams.rack.aware.assignment.tags must not contain duplicate tag keys."},
        {PAIR("consumer.heartbeat.interval.ms", "x"), false,
         "Invalid value x for configuration consumer.heartbeat.interval.ms: Not a number of type "
         "INT"},
    };
    struct config_pair good[] = {PAIR("consumer.session.timeout.ms", "46000"),
                                 PAIR("streams.rack.aware.assignment.tags", "")};
    struct config c;
    struct errmsg msg;

    loaded(&c, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(config_check_group(&c, &cases[i].pair, 1, &msg), E_INVALID);
        assert_string_equal(msg.text, cases[i].why);
    }
    assert_int_equal(config_check_group(&c, good, ARRAY_SIZE(good), &msg), 0);
    config_release(&c);
}

/* With bounds that allow it, the timeouts are still compared. */
static void a_session_is_longer_than_a_heartbeat(void **state)
{
    struct config_pair pairs[] = {PAIR("share.session.timeout.ms", "45000"),
                                  PAIR("share.heartbeat.interval.ms", "45000")};
    struct config c;
    struct errmsg msg;

    loaded(&c, "group.share.max.heartbeat.interval.ms=50000");
    assert_int_equal(config_check_group(&c, pairs, 2, &msg), E_INVALID);
    assert_string_equal(
        msg.text, "share.session.timeout.ms must be greater than share.heartbeat.interval.ms");
    config_release(&c);
}

static void client_metrics_are_checked(void **state)
{
    static const struct {
        struct config_pair pair;
        bool well_formed;
        const char *why;
    } cases[] = {
        {PAIR("nobody", "1"), false, "Unknown client metrics configuration: nobody"},
        {PAIR("interval.ms", "99"), false,
         "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)"},
        {PAIR("interval.ms", "x"), true,
         "Invalid value x for configuration interval.ms: Not a number of type INT"},
    };
    struct config_pair good[] = {PAIR("interval.ms", "100"),
                                 PAIR("match", "client_id=a.*, client_source_port=1"),
                                 PAIR("metrics", "")};
    struct errmsg msg;
    bool well_formed;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(config_check_client_metrics(&cases[i].pair, 1, &well_formed, &msg),
                         E_INVALID);
        assert_string_equal(msg.text, cases[i].why);
        assert_int_equal(well_formed, cases[i].well_formed);
    }
    assert_int_equal(config_check_client_metrics(good, ARRAY_SIZE(good), &well_formed, &msg), 0);
}

/* An item of `match` names a selector and a pattern. */
static void client_matches(void **state)
{
    static const struct {
        const char *item, *pattern; /* NULL: refused */
    } cases[] = {
        {"client_id=a.*", "a.*"},
        {" client_source_port = 1 ", "1"},
        {"client_software_name==", NULL},
        {"client_id=a==", "a"},
        {"client_id=(", "("}, /* who uses it looks at it */
        {"client_id", NULL},
        {"client_id=", NULL},
        {"=a", NULL},
        {"=", NULL},
        {"", NULL},
        {"client_id=a=b", NULL},
        {"Client_id=a", NULL},
        {"who=me", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct str pattern;
        bool taken = config_client_match(str_of(cases[i].item), &pattern);

        assert_int_equal(taken, cases[i].pattern != NULL);
        assert_true(!taken || str_is(pattern, cases[i].pattern));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_metadata_stands_over_the_file),
        cmocka_unit_test(the_last_pair_counts),
        cmocka_unit_test(what_cannot_be_taken_is_left_out),
        cmocka_unit_test(pairs_that_do_not_go_together_are_left_out),
        cmocka_unit_test(checks_say_what_is_wrong),
        cmocka_unit_test(groups_stay_inside_the_brokers_bounds),
        cmocka_unit_test(a_session_is_longer_than_a_heartbeat),
        cmocka_unit_test(client_metrics_are_checked),
        cmocka_unit_test(client_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
