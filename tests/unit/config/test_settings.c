/* The tables of settings: what must hold for every row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"

static const struct table {
    const struct config_setting *rows;
    const int *n;
} tables[] = {
    {config_broker_settings, &config_n_broker_settings},
    {config_topic_settings, &config_n_topic_settings},
    {config_group_settings, &config_n_group_settings},
};

/* A name stands once in its table, so that a lookup has one answer. */
static void no_name_twice(void **state)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        for (int i = 0; i < *tables[t].n; i++)
            for (int j = i + 1; j < *tables[t].n; j++)
                assert_string_not_equal(tables[t].rows[i].name, tables[t].rows[j].name);
}

/* Every default is a value that the row itself would take. */
static void every_default_parses(void **state)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (int i = 0; i < *tables[t].n; i++) {
            const struct config_setting *st = &tables[t].rows[i];
            union config_value v;
            struct errmsg msg = {{0}};
            char *text;

            if (config_parse(st, str_of(st->default_text), &v, &msg) < 0)
                fail_msg("%s: %s", st->name, msg.text);
            text = config_value_text(st, &v);
            if (st->default_text == NULL)
                assert_null(text);
            else
                assert_string_equal(text, st->default_text);
            free(text);
            if (st->type == CONFIG_STRING || st->type == CONFIG_LIST || st->type == CONFIG_CLASS ||
                st->type == CONFIG_PASSWORD)
                free(v.s);
        }
    }
}

/* A topic takes its value from a broker setting of the same type, bounds and words: no broker value
 * can be bad for it. */
static void every_broker_synonym_fits(void **state)
{
    for (size_t t = 1; t < ARRAY_SIZE(tables); t++) {
        for (int i = 0; i < *tables[t].n; i++) {
            const struct config_setting *st = &tables[t].rows[i], *from;

            if (st->broker_synonym == NULL)
                continue;
            from = config_broker_setting(str_of(st->broker_synonym));
            if (from == NULL)
                fail_msg("%s: no %s", st->name, st->broker_synonym);
            assert_int_equal(st->type, from->type);
            if (config_synonym_after(st->broker_synonym) != NULL)
                continue; /* config_finish checks the end of the chain */
            /* A group's default may be bounded more tightly than what a group may ask for. */
            assert_true(from->min >= st->min);
            assert_true(from->max <= st->max);
            assert_true(st->one_of == NULL || strcmp(st->valid, from->valid) == 0);
        }
    }
}

/* The chains of synonyms consist of broker settings and end. */
static void synonym_chains_end(void **state)
{
    const char *name = "log.retention.ms";

    name = config_synonym_after(name);
    assert_string_equal(name, "log.retention.minutes");
    name = config_synonym_after(name);
    assert_string_equal(name, "log.retention.hours");
    assert_null(config_synonym_after(name));
    for (int i = 0; i < config_n_broker_settings; i++) {
        int steps = 0;

        for (name = config_broker_settings[i].name; name != NULL;
             name = config_synonym_after(name)) {
            assert_non_null(config_broker_setting(str_of(name)));
            assert_true(++steps <= 3);
        }
    }
}

/* The list of synonyms begins at the same place for every member, but not for the flush scheduler.
 */
static void synonym_lists_begin_at_the_first(void **state)
{
    assert_string_equal(config_synonym_first("log.retention.hours"), "log.retention.ms");
    assert_string_equal(config_synonym_first("log.retention.minutes"), "log.retention.ms");
    assert_string_equal(config_synonym_first("log.retention.ms"), "log.retention.ms");
    assert_string_equal(config_synonym_first("log.roll.hours"), "log.roll.ms");
    assert_string_equal(config_synonym_first("log.flush.scheduler.interval.ms"),
                        "log.flush.scheduler.interval.ms");
    assert_string_equal(config_synonym_first("log.dirs"), "log.dirs");
}

/* Each row says what it does, in a sentence; passwords, and only they, are sensitive. */
static void every_row_is_documented(void **state)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (int i = 0; i < *tables[t].n; i++) {
            const struct config_setting *st = &tables[t].rows[i];

            assert_true(strlen(st->doc) > 10);
            assert_int_equal(st->doc[strlen(st->doc) - 1], '.');
            assert_int_equal(st->sensitive, st->type == CONFIG_PASSWORD);
            assert_true(st->min <= st->max);
        }
    }
}

/* Kafka's list of what may change while running has 107 names, 70 of them for the whole cluster. */
static void dynamic_settings_are_kafkas(void **state)
{
    int n_cluster = 0, n_broker = 0;

    for (int i = 0; i < config_n_broker_settings; i++) {
        n_cluster += config_broker_settings[i].dynamic == CONFIG_CLUSTER_WIDE;
        n_broker += config_broker_settings[i].dynamic == CONFIG_PER_BROKER;
    }
    assert_int_equal(n_cluster, 70);
    assert_int_equal(n_broker, 37);
}

/* Lookups compare whole names, and case counts. */
static void lookup_is_exact(void **state)
{
    assert_string_equal(config_broker_setting(STR("log.dirs"))->name, "log.dirs");
    assert_null(config_broker_setting(STR("log.dir ")));
    assert_null(config_broker_setting(STR("Log.Dirs")));
    assert_null(config_broker_setting(STR("")));
    assert_null(config_broker_setting((struct str){0}));
    assert_null(config_topic_setting(STR("log.dirs")));
    assert_non_null(config_topic_setting(STR("cleanup.policy")));
    assert_non_null(config_group_setting(STR("share.isolation.level")));
}

/* The words of a row are what the text for people says. */
static void words_and_text_agree(void **state)
{
    const struct config_setting *st = config_topic_setting(STR("compression.type"));
    int n = 0;

    assert_string_equal(st->valid, "[uncompressed, zstd, lz4, snappy, gzip, producer]");
    while (st->one_of[n] != NULL)
        n++;
    assert_int_equal(n, 6);
    assert_string_equal(st->one_of[0], "uncompressed");
    assert_string_equal(st->one_of[5], "producer");
    assert_string_equal(config_topic_setting(STR("compression.gzip.level"))->valid,
                        "[1,...,9] or -1");
}

/* The line of config/server.properties for a setting: "#name=value". */
static const char *example_line(FILE *f, char *line, int size)
{
    while (fgets(line, size, f) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] != 0 && line[0] != '#')
            fail_msg("not a comment: %s", line);
        if (line[0] == '#' && line[1] != ' ' && line[1] != '#' && line[1] != 0)
            return line + 1;
    }
    return NULL;
}

/* The committed example shows every used setting at its default, in the order of the table, and
 * nothing else. */
static void example_file_is_the_table(void **state)
{
    FILE *f = fopen("config/server.properties", "r");
    char line[512];

    assert_non_null(f);
    for (int i = 0; i < config_n_broker_settings; i++) {
        const struct config_setting *st = &config_broker_settings[i];
        const char *shown;
        char *expected;

        if (st->support != CONFIG_USED)
            continue;
        shown = example_line(f, line, sizeof(line));
        expected = xasprintf("%s=%s", st->name, st->default_text ? st->default_text : "");
        assert_non_null(shown);
        assert_string_equal(shown, expected);
        free(expected);
    }
    assert_null(example_line(f, line, sizeof(line)));
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_name_twice),
        cmocka_unit_test(every_default_parses),
        cmocka_unit_test(every_broker_synonym_fits),
        cmocka_unit_test(synonym_chains_end),
        cmocka_unit_test(synonym_lists_begin_at_the_first),
        cmocka_unit_test(every_row_is_documented),
        cmocka_unit_test(dynamic_settings_are_kafkas),
        cmocka_unit_test(lookup_is_exact),
        cmocka_unit_test(words_and_text_agree),
        cmocka_unit_test(example_file_is_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
