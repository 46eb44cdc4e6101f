/* CreateTopics, DeleteTopics: what the reply says per topic and version, and the limits of one
 * request. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "box.h"

#define TOPICS_MAX 8

struct ask {
    struct create_topics_request rq;
    struct create_topics_request_topics topics[TOPICS_MAX];
};

static void ask_init(struct ask *a)
{
    create_topics_request_init(&a->rq);
    a->rq.timeout_ms = 1000;
    a->rq.topics = a->topics;
}

static struct create_topics_request_topics *ask_topic(struct ask *a, const char *name, int32_t n)
{
    struct create_topics_request_topics *t = &a->topics[a->rq.n_topics++];

    assert_true(a->rq.n_topics <= TOPICS_MAX);
    create_topics_request_topics_init(t);
    t->name = str_of(name);
    t->num_partitions = n;
    t->replication_factor = 1;
    return t;
}

static struct create_topics_response_topics *row_of(struct create_topics_response *rsp,
                                                    const char *name)
{
    for (int i = 0; i < rsp->n_topics; i++)
        if (str_is(rsp->topics[i].name, name))
            return &rsp->topics[i];
    fail_msg("no row for %s", name);
    return NULL;
}

/* From version 5 on the reply shows what was made: numbers, and every setting by name with its
 * source. */
static void a_created_topic_is_shown_with_its_settings(void **state)
{
    struct create_topics_request_topics_configs own = {STR("retention.ms"), STR(" 5 ")};
    struct create_topics_response *rsp;
    struct create_topics_response_topics *row;
    struct box_conn *c;
    struct box b;
    int n_own = 0, n_cluster = 0;

    box_start(&b, NULL);
    c = box_connect(&b);
    for (int16_t v = 0; v <= 7; v++) {
        char name[8];
        struct ask a;

        snprintf(name, sizeof(name), "t%d", v);
        ask_init(&a);
        ask_topic(&a, name, v < 4 ? 3 : -1)->configs = &own;
        a.topics[0].n_configs = 1;
        rsp = box_call(c, 19, v, &a.rq);
        row = row_of(rsp, name);
        assert_int_equal(row->error_code, KE_NONE);
        assert_int_equal(meta_topic(b.broker->meta, str_of(name))->n_partitions, v < 4 ? 3 : 1);
        assert_int_equal(row->num_partitions, v < 5 ? -1 : 1);
        assert_int_equal(row->replication_factor, v < 5 ? -1 : 1);
        if (v >= 1)
            assert_null(row->error_message.p);
    }
    assert_true(uuid_eq(row->topic_id, meta_topic(b.broker->meta, STR("t7"))->id));
    assert_int_equal(row->n_configs,
                     config_n_topic_settings - 1); /* all but internal.segment.bytes */
    for (int i = 0; i < row->n_configs; i++) {
        struct create_topics_response_topics_configs *s = &row->configs[i];

        if (i > 0)
            assert_true(str_cmp(row->configs[i - 1].name, s->name) < 0);
        if (s->config_source == 1) {
            n_own++;
            assert_true(str_is(s->name, "retention.ms"));
            assert_true(str_is(s->value, " 5 "));
        } else if (s->config_source == 3) {
            n_cluster++;
            assert_true(str_is(s->name, "min.insync.replicas"));
        }
    }
    assert_int_equal(n_own, 1);
    assert_int_equal(n_cluster, 1);
    box_end(&b);
}

/* Every topic has its own answer: one that is refused does not hold up the others; doubles are
 * answered once and not made. */
static void topics_of_one_request_are_answered_each(void **state)
{
    struct create_topics_response *rsp;
    struct box_conn *c;
    struct ask a;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    ask_init(&a);
    ask_topic(&a, "dup", 1);
    ask_topic(&a, "good", 2);
    ask_topic(&a, "dup", 1);
    ask_topic(&a, "a b", 1);
    ask_topic(&a, METADATA_TOPIC, 1);
    ask_topic(&a, "zero", 0);
    ask_topic(&a, "dup", 3);
    rsp = box_call(c, 19, 7, &a.rq);
    assert_int_equal(rsp->n_topics, 5);
    assert_int_equal(row_of(rsp, "good")->error_code, KE_NONE);
    assert_int_equal(row_of(rsp, "dup")->error_code, KE_INVALID_REQUEST);
    assert_true(str_is(row_of(rsp, "dup")->error_message, "Duplicate topic name."));
    assert_int_equal(row_of(rsp, "a b")->error_code, KE_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(row_of(rsp, METADATA_TOPIC)->error_code, KE_INVALID_REQUEST);
    assert_int_equal(row_of(rsp, "zero")->error_code, KE_INVALID_PARTITIONS);
    assert_int_equal(row_of(rsp, "zero")->n_configs, 0);
    assert_int_equal(meta_n_topics(b.broker->meta), 1);
    rsp = box_call(c, 19, 7, &a.rq);
    assert_int_equal(row_of(rsp, "good")->error_code, KE_TOPIC_ALREADY_EXISTS);
    assert_true(str_is(row_of(rsp, "good")->error_message, "Topic 'good' already exists."));
    box_end(&b);
}

/* validateOnly answers as if, and makes nothing. */
static void validate_only_makes_nothing(void **state)
{
    struct create_topics_response *rsp;
    struct box_conn *c;
    struct ask a;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    ask_init(&a);
    ask_topic(&a, "v", 2);
    a.rq.validate_only = true;
    rsp = box_call(c, 19, 7, &a.rq);
    assert_int_equal(rsp->topics[0].error_code, KE_NONE);
    assert_int_equal(rsp->topics[0].num_partitions, 2);
    assert_false(uuid_is_zero(rsp->topics[0].topic_id));
    assert_int_equal(meta_n_topics(b.broker->meta), 0);
    box_end(&b);
}

static void all_refused(struct box_conn *c, struct ask *a, int16_t error)
{
    struct create_topics_response *rsp = box_call(c, 19, 7, &a->rq);

    assert_int_equal(rsp->n_topics, a->rq.n_topics);
    for (int i = 0; i < rsp->n_topics; i++)
        assert_int_equal(rsp->topics[i].error_code, error);
    assert_int_equal(meta_n_topics(c->box->broker->meta), 0);
}

/* Kafka's limits of one request: 10,000 partitions, and 10,000 records with topics and settings
 * counted in. Exactly that many pass. */
static void one_request_makes_at_most_ten_thousand_records(void **state)
{
    struct create_topics_response *rsp;
    struct box_conn *c;
    struct ask a;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    ask_init(&a);
    ask_topic(&a, "x", 9999);
    ask_topic(&a, "y", 2);
    all_refused(c, &a, KE_POLICY_VIOLATION);
    a.topics[1].num_partitions = 1; /* 10,000 partitions, 10,002 records */
    all_refused(c, &a, KE_POLICY_VIOLATION);
    a.topics[0].num_partitions = 9997;
    rsp = box_call(c, 19, 7, &a.rq);
    assert_int_equal(rsp->topics[0].error_code, KE_NONE);
    assert_int_equal(rsp->topics[1].error_code, KE_NONE);
    assert_int_equal(meta_topic(b.broker->meta, STR("x"))->n_partitions, 9997);
    box_end(&b);
}

/* A request without time is answered so, and does nothing. */
static void no_time_makes_nothing(void **state)
{
    struct box_conn *c;
    struct ask a;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    ask_init(&a);
    ask_topic(&a, "t", 1);
    ask_topic(&a, "t", 1);
    a.rq.timeout_ms = 0;
    all_refused(c, &a, KE_REQUEST_TIMED_OUT);
    a.rq.timeout_ms = -1;
    all_refused(c, &a, KE_REQUEST_TIMED_OUT);
    a.rq.n_topics = 0;
    a.rq.timeout_ms = 1000;
    all_refused(c, &a, KE_NONE); /* no topic at all is fine */
    box_end(&b);
}

/* ---- deleting -------------------------------------------------------------------------------- */

static struct delete_topics_response_responses *answer(struct delete_topics_response *rsp,
                                                       const char *name)
{
    for (int i = 0; i < rsp->n_responses; i++)
        if (str_eq(rsp->responses[i].name, str_of(name)))
            return &rsp->responses[i];
    fail_msg("no row for %s", name ? name : "null");
    return NULL;
}

/* By name in every version: known, unknown, twice. Deleted topics are gone, with their records,
 * also after a restart. */
static void topics_are_deleted_by_name(void **state)
{
    struct str names[] = {STR("gone"), STR("nosuch"), STR("twice"), STR("twice")};
    struct delete_topics_request_topics topics[ARRAY_SIZE(names)];
    struct delete_topics_response *rsp;
    struct delete_topics_request rq;
    struct box_conn *c;
    struct box b;
    int16_t error;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "twice", 1, NULL, NULL);
    for (int16_t v = 0; v <= 6; v++) {
        box_create_topic(c, "gone", 1, NULL, NULL);
        assert_int_equal(box_produce(c, "gone", 0, box_batch(&b, "r", 1, -1, -1, -1), -1, NULL), 0);
        delete_topics_request_init(&rq);
        rq.timeout_ms = 1000;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            delete_topics_request_topics_init(&topics[i]);
            topics[i].name = names[i];
        }
        rq.topic_names = names;
        rq.n_topic_names = v < 6 ? ARRAY_SIZE(names) : 0;
        rq.topics = topics;
        rq.n_topics = v < 6 ? 0 : ARRAY_SIZE(names);
        rsp = box_call(c, 20, v, &rq);
        assert_int_equal(rsp->n_responses, 3);
        assert_int_equal(answer(rsp, "gone")->error_code, KE_NONE);
        assert_int_equal(answer(rsp, "nosuch")->error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(answer(rsp, "twice")->error_code, KE_INVALID_REQUEST);
        assert_null(meta_topic(b.broker->meta, STR("gone")));
    }
    assert_false(uuid_is_zero(answer(rsp, "gone")->topic_id));
    box_restart(&b, false);
    c = box_connect(&b);
    box_fetch(c, "gone", 0, 0, &error);
    assert_int_equal(error, KE_UNKNOWN_TOPIC_OR_PARTITION);
    box_create_topic(c, "gone", 1, NULL, NULL);
    assert_string_equal(box_fetch(c, "gone", 0, 0, &error), "");
    box_end(&b);
}

/* By id: known, unknown, twice, with a name beside it, neither, and one topic by both. */
static void topics_are_deleted_by_id(void **state)
{
    struct delete_topics_request_topics t[7];
    struct delete_topics_response *rsp;
    struct delete_topics_request rq;
    struct box_conn *c;
    struct box b;
    int n_both = 0;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "gone", 1, NULL, NULL);
    box_create_topic(c, "both", 1, NULL, NULL);
    memset(t, 0, sizeof(t));
    t[0].topic_id = meta_topic(b.broker->meta, STR("gone"))->id;
    t[1].topic_id = (struct uuid){{9}};
    t[2].topic_id = t[3].topic_id = (struct uuid){{8}};
    t[4].name = STR("named");
    t[4].topic_id = (struct uuid){{7}};
    t[5].topic_id = meta_topic(b.broker->meta, STR("both"))->id;
    t[6].name = STR("both");
    delete_topics_request_init(&rq);
    rq.timeout_ms = 1000;
    rq.topics = t;
    rq.n_topics = 7;
    rsp = box_call(c, 20, 6, &rq);
    assert_int_equal(rsp->n_responses, 5);
    assert_int_equal(answer(rsp, "gone")->error_code, KE_NONE);
    assert_int_equal(answer(rsp, "named")->error_code, KE_INVALID_REQUEST);
    assert_true(str_is(answer(rsp, "named")->error_message,
                       "You may not specify both topic name and topic id."));
    assert_int_equal(answer(rsp, "both")->error_code, KE_INVALID_REQUEST);
    for (int i = 0; i < rsp->n_responses; i++) {
        if (uuid_eq(rsp->responses[i].topic_id, t[1].topic_id))
            assert_int_equal(rsp->responses[i].error_code, KE_UNKNOWN_TOPIC_ID);
        if (uuid_eq(rsp->responses[i].topic_id, t[2].topic_id))
            assert_int_equal(rsp->responses[i].error_code, KE_INVALID_REQUEST);
        n_both += uuid_eq(rsp->responses[i].topic_id, t[5].topic_id);
    }
    assert_int_equal(n_both, 1);
    assert_non_null(meta_topic(b.broker->meta, STR("both")));
    rq.n_topics = 1;
    t[0].topic_id = UUID_ZERO;
    rsp = box_call(c, 20, 6, &rq);
    assert_true(
        str_is(rsp->responses[0].error_message, "Neither topic name nor id were specified."));
    box_end(&b);
}

/* With delete.topic.enable=false nothing is deleted, and old versions, which lack the error, get
 * another. */
static void deletion_can_be_forbidden(void **state)
{
    struct str name = STR("kept");
    struct delete_topics_response *rsp;
    struct delete_topics_request rq;
    struct box_conn *c;
    struct box b;

    box_start(&b, "delete.topic.enable=false", NULL);
    c = box_connect(&b);
    box_create_topic(c, "kept", 1, NULL, NULL);
    delete_topics_request_init(&rq);
    rq.timeout_ms = 1000;
    rq.topic_names = &name;
    rq.n_topic_names = 1;
    rsp = box_call(c, 20, 2, &rq);
    assert_int_equal(rsp->responses[0].error_code, KE_INVALID_REQUEST);
    rsp = box_call(c, 20, 3, &rq);
    assert_int_equal(rsp->responses[0].error_code, KE_TOPIC_DELETION_DISABLED);
    assert_non_null(meta_topic(b.broker->meta, name));
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_created_topic_is_shown_with_its_settings),
        cmocka_unit_test(topics_of_one_request_are_answered_each),
        cmocka_unit_test(validate_only_makes_nothing),
        cmocka_unit_test(one_request_makes_at_most_ten_thousand_records),
        cmocka_unit_test(no_time_makes_nothing),
        cmocka_unit_test(topics_are_deleted_by_name),
        cmocka_unit_test(topics_are_deleted_by_id),
        cmocka_unit_test(deletion_can_be_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
