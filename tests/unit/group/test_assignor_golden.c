/* The assignors against those of Apache Kafka 4.4.0: the cases of tests/golden/assignor, made by
 * scripts/golden/assignor. With an argument: the cases of that file, as many as there are. */
#include "assignor.h"

#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LINE_BYTES_MAX 65536
#define TOPICS_MAX     1000
#define MEMBERS_MAX    1000
#define LIST_MAX       100000

static const char *cases_path = "tests/golden/assignor/cases.txt";

struct list_of_partitions {
    struct assignor_partition *p;
    int32_t n;
};

struct reader {
    FILE *f;
    char *line, *at; /* `at` walks through the words of `line` */
    struct arena arena;
    char name[64];
    const struct assignor *assignor;
    struct assignor_topic topics[TOPICS_MAX];
    struct assignor_member members[MEMBERS_MAX];
    struct list_of_partitions targets[MEMBERS_MAX]; /* what Kafka answered */
    struct assignor_spec spec;
};

static bool next_line(struct reader *r)
{
    r->at = r->line;
    return fgets(r->line, LINE_BYTES_MAX, r->f) != NULL;
}

/* The next word; "-" is null. Lives in the arena. */
static struct str next_word(struct reader *r)
{
    size_t n = strcspn(r->at, " \n");
    struct str word = {.p = r->at, .n = n};

    assert_true(n > 0);
    r->at += n + (r->at[n] == ' ' ? 1 : 0);
    return str_is(word, "-") ? (struct str){0} : arena_str(&r->arena, word);
}

/* "0,2-4;…": walks to the end of the numbers; true for each one. */
static bool next_number(const char **at, int32_t *number, int32_t *last)
{
    char *end;

    if (*number < *last) {
        ++*number;
        return true;
    }
    if (**at == ',')
        ++*at;
    if (**at < '0' || **at > '9')
        return false;
    *number = *last = (int32_t)strtol(*at, &end, 10);
    if (*end == '-')
        *last = (int32_t)strtol(end + 1, &end, 10);
    *at = end;
    return true;
}

static void parse_topics(struct reader *r, struct str text, struct assignor_member *m)
{
    int32_t *topics = arena_array(&r->arena, TOPICS_MAX, sizeof(*topics));
    const char *at = text.p ? text.p : "";

    m->topics = topics;
    for (int32_t number = 0, last = 0; next_number(&at, &number, &last);)
        topics[m->n_topics++] = number;
}

static struct list_of_partitions parse_partitions(struct reader *r, struct str text)
{
    static struct assignor_partition found[LIST_MAX];
    struct list_of_partitions list = {0};
    const char *at = text.p ? text.p : "";

    while (*at) {
        char *end;
        int32_t topic = (int32_t)strtol(at, &end, 10);

        assert_int_equal(*end, ':');
        at = end + 1;
        for (int32_t number = 0, last = 0; next_number(&at, &number, &last);)
            found[list.n++] = (struct assignor_partition){.topic = topic, .partition = number};
        at += *at == ';';
    }
    list.p = arena_array(&r->arena, (size_t)list.n, sizeof(*list.p));
    if (list.n)
        memcpy(list.p, found, (size_t)list.n * sizeof(*list.p));
    return list;
}

static void read_topic(struct reader *r)
{
    struct assignor_topic *t = &r->topics[r->spec.n_topics++];

    assert_true(uuid_parse(next_word(r), &t->id));
    t->n_partitions = (int32_t)strtol(next_word(r).p, NULL, 10);
}

static void read_member(struct reader *r)
{
    struct assignor_member *m = &r->members[r->spec.n_members];
    struct list_of_partitions owned;

    *m = (struct assignor_member){.member_id = next_word(r)};
    m->instance_id = next_word(r);
    parse_topics(r, next_word(r), m);
    owned = parse_partitions(r, next_word(r));
    m->owned = owned.p;
    m->n_owned = owned.n;
    r->targets[r->spec.n_members++] = parse_partitions(r, next_word(r));
}

/* The first line of a case has been read up to its name. */
static void begin_case(struct reader *r)
{
    struct str name;

    arena_release(&r->arena);
    arena_init(&r->arena);
    name = next_word(r);
    snprintf(r->name, sizeof(r->name), "%.*s", STR_ARG(name));
    r->assignor = assignor_find(next_word(r));
    assert_non_null(r->assignor);
    r->spec = (struct assignor_spec){.topics = r->topics,
                                     .members = r->members,
                                     .homogeneous = str_is(next_word(r), "homogeneous")};
}

static void check_case(struct reader *r)
{
    r->assignor->assign(&r->spec, &r->arena);
    for (int32_t i = 0; i < r->spec.n_members; i++) {
        const struct assignor_member *m = &r->members[i];
        size_t bytes = (size_t)m->n_assigned * sizeof(*m->assigned);

        if (m->n_assigned != r->targets[i].n ||
            (bytes && memcmp(m->assigned, r->targets[i].p, bytes) != 0))
            fail_msg("case %s: member %.*s has not what Kafka gives it", r->name,
                     STR_ARG(m->member_id));
    }
}

/* Every case has the very answer of Kafka. */
static void test_same_as_kafka(void **state)
{
    struct reader *r = xcalloc(1, sizeof(*r));
    int n = 0;

    r->f = fopen(cases_path, "r");
    assert_non_null(r->f);
    r->line = xmalloc(LINE_BYTES_MAX);
    arena_init(&r->arena);
    while (next_line(r)) {
        struct str kind = next_word(r);

        if (str_is(kind, "case")) {
            if (n++ > 0)
                check_case(r);
            begin_case(r);
        } else if (str_is(kind, "t")) {
            read_topic(r);
        } else {
            assert_true(str_is(kind, "m"));
            read_member(r);
        }
    }
    check_case(r);
    assert_true(n >= 100);
    print_message("%d cases\n", n);
    arena_release(&r->arena);
    fclose(r->f);
    free(r->line);
    free(r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_kafka)};

    if (argc > 1)
        cases_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
