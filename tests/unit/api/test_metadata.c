/* Metadata, DescribeCluster, DescribeTopicPartitions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "box.h"

static struct metadata_response *ask(struct box_conn *c, int16_t version,
                                     struct metadata_request_topics *topics, int n, bool make)
{
    struct metadata_request rq;

    metadata_request_init(&rq);
    rq.topics = topics;
    rq.n_topics = n;
    if (version >= 4)
        rq.allow_auto_topic_creation = make;
    return box_call(c, 3, version, &rq);
}

static struct metadata_request_topics named(const char *name)
{
    return (struct metadata_request_topics){.name = str_of(name)};
}

/* Every version shows this broker as the client reached it, and the topic with a leader. */
static void every_version_shows_broker_and_topic(void **state)
{
    struct metadata_request_topics t = named("t");
    struct box_conn *c;
    struct box b;

    box_start(&b, "broker.rack=r1", NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 2, NULL, NULL);
    for (int16_t v = 0; v <= 13; v++) {
        struct metadata_response *rsp = ask(c, v, &t, 1, false);

        assert_int_equal(rsp->n_brokers, 1);
        assert_int_equal(rsp->brokers[0].node_id, 1);
        assert_true(str_is(rsp->brokers[0].host, "localhost"));
        assert_int_equal(rsp->brokers[0].port, 9092);
        assert_true(v < 1 || str_is(rsp->brokers[0].rack, "r1"));
        assert_true(v < 2 || rsp->cluster_id.n == UUID_TEXT_BYTES);
        assert_int_equal(rsp->controller_id, v < 1 ? -1 : 1);
        assert_int_equal(rsp->n_topics, 1);
        assert_int_equal(rsp->topics[0].error_code, KE_NONE);
        assert_int_equal(rsp->topics[0].n_partitions, 2);
        assert_int_equal(rsp->topics[0].partitions[1].partition_index, 1);
        assert_int_equal(rsp->topics[0].partitions[1].leader_id, 1);
        assert_int_equal(rsp->topics[0].partitions[1].leader_epoch, v < 7 ? -1 : 0);
        assert_int_equal(rsp->topics[0].partitions[1].n_isr_nodes, 1);
        assert_int_equal(rsp->topics[0].partitions[1].n_offline_replicas, 0);
        assert_int_equal(uuid_is_zero(rsp->topics[0].topic_id), v < 10);
    }
    box_end(&b);
}

/* Null asks for all, in order; an empty list for none, but in version 0 for all. */
static void null_and_empty_ask_for_all_or_none(void **state)
{
    struct metadata_response *rsp;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "b", 1, NULL, NULL);
    box_create_topic(c, "a", 1, NULL, NULL);
    assert_int_equal(ask(c, 0, NULL, 0, true)->n_topics, 2);
    assert_int_equal(ask(c, 1, NULL, 0, true)->n_topics, 0);
    rsp = ask(c, 12, NULL, -1, true);
    assert_int_equal(rsp->n_topics, 2);
    assert_true(str_is(rsp->topics[0].name, "a"));
    assert_true(str_is(rsp->topics[1].name, "b"));
    box_end(&b);
}

/* A missing topic is made when client and broker both allow it; old versions have no say. */
static void missing_topics_are_made_where_allowed(void **state)
{
    struct metadata_request_topics t[] = {named("new"), named("a b"), named("new"),
                                          named(OFFSETS_TOPIC), named(METADATA_TOPIC)};
    struct metadata_response *rsp;
    struct box_conn *c;
    struct box b;

    box_start(&b, "num.partitions=3", NULL);
    c = box_connect(&b);
    rsp = ask(c, 4, t, 5, false);
    assert_int_equal(rsp->n_topics, 4);
    assert_int_equal(rsp->topics[0].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(rsp->topics[1].error_code, KE_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(rsp->topics[2].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_true(rsp->topics[2].is_internal);
    assert_int_equal(meta_n_topics(b.broker->meta), 0);
    rsp = ask(c, 4, t, 5, true);
    assert_int_equal(rsp->topics[0].error_code, KE_NONE);
    assert_int_equal(rsp->topics[0].n_partitions, 3);
    assert_int_equal(rsp->topics[2].n_partitions, 50);
    assert_int_equal(rsp->topics[3].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(meta_topic(b.broker->meta, STR(OFFSETS_TOPIC))->config.cleanup,
                     CLEANUP_COMPACT);
    t[0] = named("old");
    assert_int_equal(ask(c, 3, t, 1, false)->topics[0].error_code, KE_NONE);
    box_restart(&b, false); /* what was shown is durable */
    assert_non_null(meta_topic(b.broker->meta, STR("old")));
    box_end(&b);
}

/* auto.create.topics.enable=false: nothing is made. */
static void the_broker_may_forbid_making(void **state)
{
    struct metadata_request_topics t = named("new");
    struct box_conn *c;
    struct box b;

    box_start(&b, "auto.create.topics.enable=false", NULL);
    c = box_connect(&b);
    assert_int_equal(ask(c, 12, &t, 1, true)->topics[0].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(ask(c, 1, &t, 1, true)->topics[0].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    box_end(&b);
}

/* From version 12 on a topic is found by id, and names beside ids do not count; before, ids are an
 * error. */
static void topics_are_found_by_id(void **state)
{
    struct metadata_request_topics t[3] = {named("t"), named(NULL), named(NULL)};
    struct metadata_response *rsp;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 1, NULL, NULL);
    t[1].topic_id = meta_topic(b.broker->meta, STR("t"))->id;
    t[2].topic_id = (struct uuid){{5}};
    rsp = ask(c, 12, t, 3, false);
    assert_int_equal(rsp->n_topics, 2);
    assert_true(str_is(rsp->topics[0].name, "t"));
    assert_int_equal(rsp->topics[0].error_code, KE_NONE);
    assert_null(rsp->topics[1].name.p);
    assert_int_equal(rsp->topics[1].error_code, KE_UNKNOWN_TOPIC_ID);
    for (int16_t v = 10; v <= 11; v++) {
        rsp = ask(c, v, t + 1, 1, false);
        assert_int_equal(rsp->n_brokers, 0);
        assert_int_equal(rsp->topics[0].error_code, KE_INVALID_REQUEST);
        assert_true(str_is(rsp->topics[0].name, ""));
    }
    t[0] = named(NULL);
    rsp = ask(c, 13, t, 1, false);
    assert_int_equal(rsp->topics[0].error_code, KE_UNKNOWN_SERVER_ERROR);
    assert_int_equal(rsp->error_code, KE_UNKNOWN_SERVER_ERROR);
    box_end(&b);
}

/* Operations are shown when asked for: of the cluster in versions 8 to 10, of topics from 8 on. */
static void operations_are_shown_when_asked_for(void **state)
{
    struct metadata_request_topics t = named("t");
    struct metadata_request rq;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 1, NULL, NULL);
    for (int16_t v = 8; v <= 13; v++) {
        struct metadata_response *rsp;

        metadata_request_init(&rq);
        rq.topics = &t;
        rq.n_topics = 1;
        rq.include_topic_authorized_operations = true;
        rq.include_cluster_authorized_operations = v <= 10;
        rsp = box_call(c, 3, v, &rq);
        assert_int_equal(rsp->topics[0].topic_authorized_operations, 3576);
        assert_int_equal(rsp->cluster_authorized_operations, v <= 10 ? 8096 : INT32_MIN);
        rsp = ask(c, v, &t, 1, false);
        assert_int_equal(rsp->topics[0].topic_authorized_operations, INT32_MIN);
    }
    box_end(&b);
}

/* DescribeCluster: this broker; a controller's endpoint is not here, and others do not exist. */
static void the_cluster_is_described(void **state)
{
    struct describe_cluster_response *rsp;
    struct describe_cluster_request rq;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    for (int16_t v = 0; v <= 2; v++) {
        describe_cluster_request_init(&rq);
        rq.include_cluster_authorized_operations = v == 2;
        rsp = box_call(c, 60, v, &rq);
        assert_int_equal(rsp->error_code, KE_NONE);
        assert_int_equal(rsp->controller_id, 1);
        assert_int_equal(rsp->n_brokers, 1);
        assert_false(rsp->brokers[0].is_fenced);
        assert_int_equal(rsp->cluster_authorized_operations, v == 2 ? 8096 : INT32_MIN);
    }
    rq.endpoint_type = 2;
    rsp = box_call(c, 60, 1, &rq);
    assert_int_equal(rsp->error_code, KE_MISMATCHED_ENDPOINT_TYPE);
    assert_int_equal(rsp->n_brokers, 0);
    rq.endpoint_type = 3;
    rsp = box_call(c, 60, 1, &rq);
    assert_int_equal(rsp->error_code, KE_UNSUPPORTED_ENDPOINT_TYPE);
    box_end(&b);
}

static struct describe_topic_partitions_response *page(struct box_conn *c, const char *const *names,
                                                       int n, int32_t limit, const char *cursor,
                                                       int32_t partition)
{
    struct describe_topic_partitions_request_cursor at = {str_of(cursor), partition};
    struct describe_topic_partitions_request_topics topics[4];
    struct describe_topic_partitions_request rq;

    describe_topic_partitions_request_init(&rq);
    for (int i = 0; i < n; i++)
        topics[i].name = str_of(names[i]);
    rq.topics = topics;
    rq.n_topics = n;
    rq.response_partition_limit = limit;
    rq.cursor = cursor ? &at : NULL;
    return box_call(c, 75, 0, &rq);
}

/* Following the cursor shows each partition of each topic once, in order, whatever the limit. */
static void pages_show_every_partition_once(void **state)
{
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "a", 3, NULL, NULL);
    box_create_topic(c, "b", 1, NULL, NULL);
    box_create_topic(c, "c", 4, NULL, NULL);
    for (int32_t limit = 1; limit <= 9; limit++) {
        const char *cursor = NULL;
        struct buf seen;
        int32_t at = 0;

        buf_init(&seen);
        for (int n = 0; n < 20; n++) {
            struct describe_topic_partitions_response *rsp = page(c, NULL, 0, limit, cursor, at);
            int shown = 0;

            for (int i = 0; i < rsp->n_topics; i++)
                for (int k = 0; k < rsp->topics[i].n_partitions; k++, shown++)
                    buf_printf(&seen, "%.*s%d ", STR_ARG(rsp->topics[i].name),
                               rsp->topics[i].partitions[k].partition_index);
            assert_true(shown <= limit);
            if (!rsp->next_cursor)
                break;
            cursor = arena_str(&b.arena, rsp->next_cursor->topic_name).p;
            at = rsp->next_cursor->partition_index;
        }
        assert_string_equal(buf_cstr(&seen), "a0 a1 a2 b0 c0 c1 c2 c3 ");
        buf_release(&seen);
    }
    box_end(&b);
}

/* Named topics come sorted and once, unknown and bad ones with their error; the cursor must be one
 * of them. */
static void named_topics_are_described(void **state)
{
    static const char *const names[] = {"t", "none", "a b", "t"};
    struct describe_topic_partitions_response *rsp;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 2, NULL, NULL);
    rsp = page(c, names, 4, 2000, NULL, 0);
    assert_int_equal(rsp->n_topics, 3);
    assert_int_equal(rsp->topics[0].error_code, KE_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(rsp->topics[1].error_code, KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(rsp->topics[2].n_partitions, 2);
    assert_int_equal(rsp->topics[2].partitions[0].n_eligible_leader_replicas, 0);
    assert_int_equal(rsp->topics[2].topic_authorized_operations, 3576);
    assert_null(rsp->next_cursor);
    assert_int_equal(page(c, names, 1, 2000, "t", 2)->topics[0].n_partitions, 0);
    assert_int_equal(page(c, names, 1, 2000, "t", -1)->topics[0].error_code, KE_INVALID_REQUEST);
    assert_int_equal(page(c, names, 1, 2000, "s", 0)->topics[0].error_code, KE_INVALID_REQUEST);
    assert_int_equal(page(c, names, 1, 2000, "u", 0)->topics[0].error_code, KE_INVALID_REQUEST);
    assert_int_equal(page(c, names, 1, 0, NULL, 0)->topics[0].n_partitions, 1);
    assert_int_equal(page(c, NULL, 0, 2000, "u", 0)->n_topics, 0);
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_shows_broker_and_topic),
        cmocka_unit_test(null_and_empty_ask_for_all_or_none),
        cmocka_unit_test(missing_topics_are_made_where_allowed),
        cmocka_unit_test(the_broker_may_forbid_making),
        cmocka_unit_test(topics_are_found_by_id),
        cmocka_unit_test(operations_are_shown_when_asked_for),
        cmocka_unit_test(the_cluster_is_described),
        cmocka_unit_test(pages_show_every_partition_once),
        cmocka_unit_test(named_topics_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
