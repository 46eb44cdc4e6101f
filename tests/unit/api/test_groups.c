/* Groups through the whole broker, frame by frame: coordinators, the life of a consumer in every
 * version, restarts, connections that go away (src/api/groups.c, group_offsets.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "box.h"

#define NO_DELAY "group.initial.rebalance.delay.ms=0"

static struct join_group_response *join(struct box_conn *c, int16_t version, struct str member)
{
    struct join_group_request_protocols p = {.name = STR("range"), .metadata = bytes_of("\0\0", 2)};
    struct join_group_request rq;
    uint64_t frame;

    join_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = member;
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = rq.rebalance_timeout_ms = 10000;
    rq.protocols = &p;
    rq.n_protocols = 1;
    frame = box_send(c, 11, version, &rq);
    for (int i = 0; i < 10 && !box_reply(c, frame, 11, version); i++)
        box_advance_ms(c->box, 1);
    return box_reply(c, frame, 11, version);
}

static struct sync_group_response *sync(struct box_conn *c, int16_t version,
                                        const struct join_group_response *joined)
{
    struct sync_group_request_assignments a = {.member_id = joined->member_id,
                                               .assignment = bytes_of("mine", 4)};
    struct sync_group_request rq;

    sync_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = joined->member_id;
    rq.generation_id = joined->generation_id;
    if (version >= 5) {
        rq.protocol_type = STR("consumer");
        rq.protocol_name = STR("range");
    }
    rq.assignments = &a;
    rq.n_assignments = 1;
    return box_call(c, 14, version, &rq);
}

static struct uuid topic_id(struct box_conn *c, const char *name)
{
    struct metadata_request_topics t;
    struct metadata_request rq;
    struct metadata_response *rsp;

    metadata_request_init(&rq);
    metadata_request_topics_init(&t);
    t.name = str_of(name);
    rq.topics = &t;
    rq.n_topics = 1;
    rsp = box_call(c, 3, 12, &rq);
    assert_non_null(rsp);
    assert_int_equal(rsp->n_topics, 1);
    return rsp->topics[0].topic_id;
}

static int16_t commit(struct box_conn *c, int16_t version, struct str member, int32_t generation,
                      int64_t offset)
{
    struct offset_commit_request_topics_partitions p;
    struct offset_commit_request_topics t;
    struct offset_commit_request rq;
    struct offset_commit_response *rsp;

    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(&t);
    offset_commit_request_topics_partitions_init(&p);
    p.committed_offset = offset;
    p.committed_metadata = STR("note");
    if (version >= 10)
        t.topic_id = topic_id(c, "orders");
    else
        t.name = STR("orders");
    t.partitions = &p;
    t.n_partitions = 1;
    rq.group_id = STR("g");
    rq.member_id = member;
    rq.generation_id_or_member_epoch = version == 0 ? -1 : generation;
    rq.topics = &t;
    rq.n_topics = 1;
    rsp = box_call(c, 8, version, &rq);
    assert_non_null(rsp);
    return rsp->topics[0].partitions[0].error_code;
}

static int64_t fetch_old(struct box_conn *c, int16_t version)
{
    struct offset_fetch_request_topics t;
    struct offset_fetch_request rq;
    struct offset_fetch_response *rsp;
    int32_t partition = 0;

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    t.name = STR("orders");
    t.partition_indexes = &partition;
    t.n_partition_indexes = 1;
    rq.group_id = STR("g");
    rq.topics = &t;
    rq.n_topics = 1;
    rsp = box_call(c, 9, version, &rq);
    assert_non_null(rsp);
    assert_int_equal(rsp->error_code, KE_NONE);
    assert_true(str_is(rsp->topics[0].partitions[0].metadata, "note"));
    return rsp->topics[0].partitions[0].committed_offset;
}

static int64_t fetch_new(struct box_conn *c, int16_t version)
{
    struct offset_fetch_request_groups_topics t;
    struct offset_fetch_request_groups g;
    struct offset_fetch_request rq;
    struct offset_fetch_response *rsp;
    int32_t partition = 0;

    offset_fetch_request_init(&rq);
    offset_fetch_request_groups_init(&g);
    offset_fetch_request_groups_topics_init(&t);
    if (version >= 10)
        t.topic_id = topic_id(c, "orders");
    else
        t.name = STR("orders");
    t.partition_indexes = &partition;
    t.n_partition_indexes = 1;
    g.group_id = STR("g");
    g.topics = &t;
    g.n_topics = 1;
    rq.groups = &g;
    rq.n_groups = 1;
    rsp = box_call(c, 9, version, &rq);
    assert_non_null(rsp);
    assert_int_equal(rsp->groups[0].error_code, KE_NONE);
    return rsp->groups[0].topics[0].partitions[0].committed_offset;
}

static int16_t leave(struct box_conn *c, int16_t version, struct str member)
{
    struct leave_group_request_members m;
    struct leave_group_request rq;
    struct leave_group_response *rsp;

    leave_group_request_init(&rq);
    leave_group_request_members_init(&m);
    rq.group_id = STR("g");
    if (version < 3) {
        rq.member_id = member;
    } else {
        m.member_id = member;
        rq.members = &m;
        rq.n_members = 1;
    }
    rsp = box_call(c, 13, version, &rq);
    assert_non_null(rsp);
    return version < 3 ? rsp->error_code : rsp->members[0].error_code;
}

static struct join_group_response *join_for_good(struct box_conn *c, int16_t version)
{
    struct join_group_response *rsp = join(c, version, STR(""));

    assert_non_null(rsp);
    if (version >= 4) {
        assert_int_equal(rsp->error_code, KE_MEMBER_ID_REQUIRED);
        rsp = join(c, version, rsp->member_id);
        assert_non_null(rsp);
    }
    assert_int_equal(rsp->error_code, KE_NONE);
    return rsp;
}

/* ---- */

/* The first who asks for a coordinator makes the topic of offsets, and is sent to this broker. */
static void coordinator_of_a_group(void **state)
{
    struct find_coordinator_response *rsp;
    struct find_coordinator_request rq;
    struct str keys[] = {STR("a"), STR("b")};
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    for (int16_t version = 0; version <= 6; version++) {
        find_coordinator_request_init(&rq);
        if (version < 4) {
            rq.key = STR("a");
        } else {
            rq.coordinator_keys = keys;
            rq.n_coordinator_keys = 2;
        }
        rsp = box_call(c, 10, version, &rq);
        assert_non_null(rsp);
        if (version < 4) {
            assert_int_equal(rsp->error_code, KE_NONE);
            assert_int_equal(rsp->node_id, 1);
            assert_true(rsp->host.n > 0);
            continue;
        }
        assert_int_equal(rsp->n_coordinators, 2);
        assert_true(str_is(rsp->coordinators[1].key, "b"));
        assert_int_equal(rsp->coordinators[1].error_code, KE_NONE);
        assert_int_equal(rsp->coordinators[1].node_id, 1);
        assert_true(rsp->coordinators[1].port > 0);
    }
    box_end(&b);
}

/* Coordinators that are not here: each type with an error that is final for its clients. */
static void coordinators_of_other_kinds(void **state)
{
    static const struct {
        int8_t type;
        int16_t version, error;
    } rows[] = {
        {2, 6, KE_INVALID_REQUEST},
        {2, 3, KE_INVALID_REQUEST},
        {9, 3, KE_INVALID_REQUEST},
    };
    struct find_coordinator_response *rsp;
    struct find_coordinator_request rq;
    struct str key = STR("a");
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        find_coordinator_request_init(&rq);
        rq.key_type = rows[i].type;
        if (rows[i].version < 4) {
            rq.key = key;
        } else {
            rq.coordinator_keys = &key;
            rq.n_coordinator_keys = 1;
        }
        rsp = box_call(c, 10, rows[i].version, &rq);
        assert_non_null(rsp);
        assert_int_equal(rows[i].version < 4 ? rsp->error_code : rsp->coordinators[0].error_code,
                         rows[i].error);
        assert_int_equal(rows[i].version < 4 ? rsp->node_id : rsp->coordinators[0].node_id, -1);
    }
    box_end(&b);
}

/* A consumer's life with every version of each request. */
static void life_of_a_consumer_in_every_version(void **state)
{
    struct box_conn *c;
    struct box b;

    box_start(&b, NO_DELAY, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 2, NULL, NULL);
    for (int16_t v = 0; v <= 10; v++) {
        struct join_group_response *joined = join_for_good(c, MIN(v, 9));
        struct heartbeat_response *beat;
        struct sync_group_response *synced;
        struct heartbeat_request hb;

        assert_int_equal(joined->n_members, 1);
        synced = sync(c, MIN(v, 5), joined);
        assert_non_null(synced);
        assert_int_equal(synced->error_code, KE_NONE);
        assert_int_equal(synced->assignment.n, 4);
        heartbeat_request_init(&hb);
        hb.group_id = STR("g");
        hb.member_id = joined->member_id;
        hb.generation_id = joined->generation_id;
        beat = box_call(c, 12, MIN(v, 4), &hb);
        assert_non_null(beat);
        assert_int_equal(beat->error_code, KE_NONE);
        /* Version 0 names no member: it is for groups without any. */
        assert_int_equal(commit(c, v, joined->member_id, joined->generation_id, 100 + v),
                         v == 0 ? KE_UNKNOWN_MEMBER_ID : KE_NONE);
        assert_int_equal(leave(c, MIN(v, 5), joined->member_id), KE_NONE);
        if (v == 0)
            assert_int_equal(commit(c, 0, STR(""), -1, 100), KE_NONE);
        assert_int_equal(v < 8 ? fetch_old(c, v) : fetch_new(c, v), 100 + v);
    }
    box_end(&b);
}

/* A stable group and its offsets outlive a stop and a kill. */
static void group_outlives_the_broker(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        struct join_group_response *joined;
        struct heartbeat_response *beat;
        struct heartbeat_request hb;
        struct box_conn *c;
        struct str member;
        int32_t generation;
        struct box b;

        box_start(&b, NO_DELAY, NULL);
        c = box_connect(&b);
        box_create_topic(c, "orders", 1, NULL, NULL);
        joined = join_for_good(c, 9);
        member = joined->member_id;
        generation = joined->generation_id;
        assert_int_equal(sync(c, 5, joined)->error_code, KE_NONE);
        assert_int_equal(commit(c, 9, member, generation, 7), KE_NONE);
        box_restart(&b, clean);
        c = box_connect(&b);
        assert_int_equal(fetch_new(c, 9), 7);
        heartbeat_request_init(&hb);
        hb.group_id = STR("g");
        hb.member_id = member;
        hb.generation_id = generation;
        beat = box_call(c, 12, 4, &hb);
        assert_non_null(beat);
        assert_int_equal(beat->error_code, KE_NONE);
        box_end(&b);
    }
}

/* A connection that goes away while its JoinGroup waits leaves nothing behind but its member. */
static void connection_goes_away_while_joining(void **state)
{
    struct join_group_request_protocols p = {.name = STR("range"), .metadata = bytes_of("\0\0", 2)};
    struct join_group_request rq;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    join_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = STR("");
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = 10000;
    rq.protocols = &p;
    rq.n_protocols = 1;
    box_send(c, 11, 3, &rq);
    box_turn(&b);
    box_disconnect(c);
    box_turn(&b);
    assert_int_equal(api_in_work(b.broker), 0);
    box_advance_ms(&b, 60000);
    box_end(&b);
}

/* ListGroups, DescribeGroups, DeleteGroups and OffsetDelete in every version. */
static void groups_are_shown_and_deleted(void **state)
{
    struct str name = STR("g");
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    for (int16_t v = 0; v <= 6; v++) {
        struct list_groups_request list;
        struct describe_groups_request describe;
        struct delete_groups_request del;
        struct offset_delete_request_topics_partitions p;
        struct offset_delete_request_topics t;
        struct offset_delete_request od;
        struct list_groups_response *listed;
        struct describe_groups_response *described;
        struct delete_groups_response *deleted;
        struct offset_delete_response *od_rsp;

        assert_int_equal(commit(c, 8, STR(""), -1, 3), KE_NONE);
        list_groups_request_init(&list);
        listed = box_call(c, 16, MIN(v, 5), &list);
        assert_non_null(listed);
        assert_int_equal(listed->n_groups, 1);
        assert_true(str_is(listed->groups[0].group_id, "g"));
        describe_groups_request_init(&describe);
        describe.groups = &name;
        describe.n_groups = 1;
        describe.include_authorized_operations = v >= 3;
        described = box_call(c, 15, v, &describe);
        assert_non_null(described);
        assert_true(str_is(described->groups[0].group_state, "Empty"));
        assert_int_equal(described->groups[0].authorized_operations == INT32_MIN, v < 3);
        offset_delete_request_init(&od);
        offset_delete_request_topics_init(&t);
        offset_delete_request_topics_partitions_init(&p);
        t.name = STR("orders");
        t.partitions = &p;
        t.n_partitions = 1;
        od.group_id = name;
        od.topics = &t;
        od.n_topics = 1;
        od_rsp = box_call(c, 47, 0, &od);
        assert_non_null(od_rsp);
        assert_int_equal(od_rsp->error_code, KE_NONE);
        assert_int_equal(od_rsp->topics[0].partitions[0].error_code, KE_NONE);
        delete_groups_request_init(&del);
        del.groups_names = &name;
        del.n_groups_names = 1;
        deleted = box_call(c, 42, MIN(v, 3), &del);
        assert_non_null(deleted);
        assert_int_equal(deleted->results[0].error_code, KE_NONE);
        listed = box_call(c, 16, MIN(v, 5), &list);
        assert_int_equal(listed->n_groups, 0);
    }
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coordinator_of_a_group),
        cmocka_unit_test(coordinators_of_other_kinds),
        cmocka_unit_test(life_of_a_consumer_in_every_version),
        cmocka_unit_test(group_outlives_the_broker),
        cmocka_unit_test(connection_goes_away_while_joining),
        cmocka_unit_test(groups_are_shown_and_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
