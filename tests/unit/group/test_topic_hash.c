/* The hashes of topics and groups: those of Apache Kafka 4.4.0 (tests/golden/assignor/topic_hash.txt, made by
 * scripts/golden/topic_hash). */
#include "topic_hash.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOPICS_MAX 32

/* Every topic of the file, with and without a rack, and after each line the group of all topics so far. */
static void test_same_as_kafka(void **state)
{
    FILE *f = fopen("tests/golden/assignor/topic_hash.txt", "r");
    struct topic_hash topics[TOPICS_MAX], sorted[TOPICS_MAX];
    char line[1024], id[64], name[256], rack[256];
    int64_t hash;
    int32_t n_partitions;
    struct uuid uuid;
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "topic %63s %255s %" SCNd32 " %255s %" SCNd64, id, name, &n_partitions,
                   rack, &hash) == 5) {
            assert_true(uuid_parse(str_of(id), &uuid));
            topics[n++] = (struct topic_hash){str_of(xstrdup(name)), hash};
            assert_int_equal(topic_hash_of(uuid, str_of(name), n_partitions,
                                           strcmp(rack, "-") == 0 ? (struct str){0} : str_of(rack)),
                             hash);
        } else {
            assert_int_equal(sscanf(line, "group %" SCNd64, &hash), 1);
            memcpy(sorted, topics, sizeof(sorted));
            assert_int_equal(topic_hashes_of_group(sorted, n), hash);
        }
    }
    fclose(f);
    assert_int_equal(n, 16);
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)topics[i].name.p);
}

/* What a group must notice: another id, another number of partitions, another rack. */
static void test_what_changes_it(void **state)
{
    struct uuid a = {{1}}, b = {{2}};
    int64_t hash = topic_hash_of(a, STR("t"), 3, STR("r"));

    assert_int_equal(topic_hash_of(a, STR("t"), 3, STR("r")), hash);
    assert_int_not_equal(topic_hash_of(b, STR("t"), 3, STR("r")), hash);
    assert_int_not_equal(topic_hash_of(a, STR("t"), 4, STR("r")), hash);
    assert_int_not_equal(topic_hash_of(a, STR("t"), 3, STR("s")), hash);
    assert_int_not_equal(topic_hash_of(a, STR("t"), 3, (struct str){0}), hash);
    assert_int_not_equal(topic_hash_of(a, STR("t"), 3, STR("ü")),
                         topic_hash_of(a, STR("t"), 3, STR("😀")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_kafka),
        cmocka_unit_test(test_what_changes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
