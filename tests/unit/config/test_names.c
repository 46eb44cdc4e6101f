/* Names that are in no table, and names that are near one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "names.h"

static void nearest_is(const char *name, const char *expected)
{
    const char *nearest = config_nearest_broker_setting(str_of(name));

    if (expected == NULL) {
        assert_null(nearest);
        return;
    }
    assert_non_null(nearest);
    assert_string_equal(nearest, expected);
}

/* A slip leads to the name that was meant. */
static void slips_lead_to_the_name(void **state)
{
    nearest_is("log.dir", "log.dir");
    nearest_is("num.partition", "num.partitions");
    nearest_is("log_retention_hours", "log.retention.hours");
    nearest_is("advertised.listener", "advertised.listeners");
    nearest_is("Listeners", "listeners");
    nearest_is("auto.create.topic.enable", "auto.create.topics.enable");
}

/* A topic's setting leads to the broker setting that it follows. */
static void topic_settings_lead_to_their_synonym(void **state)
{
    nearest_is("retention.ms", "log.retention.ms");
    nearest_is("max.message.bytes", "message.max.bytes");
    nearest_is("flush.messages", "log.flush.interval.messages");
}

/* What is near nothing, empty or endless has no nearest name. */
static void far_names_have_none(void **state)
{
    char *long_name = xmalloc(5001);

    memset(long_name, 'a', 5000);
    long_name[5000] = 0;
    nearest_is("x", NULL);
    nearest_is("", NULL);
    nearest_is("my.company.private.thing", NULL);
    nearest_is(long_name, NULL);
    free(long_name);
}

/* Levenshtein's distance, cut off one past the limit. */
static void distances(void **state)
{
    assert_int_equal(name_distance(STR("kitten"), STR("sitting"), 9), 3);
    assert_int_equal(name_distance(STR("kitten"), STR("sitting"), 3), 3);
    assert_int_equal(name_distance(STR("kitten"), STR("sitting"), 2), 3);
    assert_int_equal(name_distance(STR("kitten"), STR("sitting"), 0), 1);
    assert_int_equal(name_distance(STR(""), STR("abc"), 9), 3);
    assert_int_equal(name_distance(STR("abc"), STR(""), 9), 3);
    assert_int_equal(name_distance(STR("same"), STR("same"), 0), 0);
}

/* Settings of ZooKeeper's time are no typing errors. */
static void removed_names_are_known(void **state)
{
    assert_true(name_is_removed(STR("zookeeper.connect")));
    assert_true(name_is_removed(STR("zookeeper.connection.timeout.ms")));
    assert_true(name_is_removed(STR("inter.broker.protocol.version")));
    assert_true(name_is_removed(STR("log.message.format.version")));
    assert_false(name_is_removed(STR("log.dirs")));
    assert_false(name_is_removed(STR("zookeeper")));
}

/* A listener's own settings are those of the broker behind the prefix. */
static void listener_prefixes(void **state)
{
    assert_string_equal(name_listener_setting(STR("listener.name.out.ssl.client.auth"))->name,
                        "ssl.client.auth");
    assert_null(name_listener_setting(STR("listener.name.out.plain.sasl.jaas.config")));
    assert_null(name_listener_setting(STR("listener.name.out")));
    assert_null(name_listener_setting(STR("ssl.client.auth")));
    assert_true(name_is_known_by_prefix(STR("listener.name.out.plain.sasl.jaas.config")));
    assert_true(name_is_known_by_prefix(STR("sasl.my.own")));
    assert_false(name_is_known_by_prefix(STR("ssl")));
}

/* No name is in a table and in the list of the removed at once. */
static void removed_names_are_in_no_table(void **state)
{
    for (int i = 0; i < config_n_broker_settings; i++)
        assert_false(name_is_removed(str_of(config_broker_settings[i].name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_lead_to_the_name),
        cmocka_unit_test(topic_settings_lead_to_their_synonym),
        cmocka_unit_test(far_names_have_none),
        cmocka_unit_test(distances),
        cmocka_unit_test(removed_names_are_known),
        cmocka_unit_test(listener_prefixes),
        cmocka_unit_test(removed_names_are_in_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
