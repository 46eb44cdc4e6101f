/* Snapshots that we write: when, that they hold everything, and what leaves when there are newer ones. */
#include "meta_fixture.h"

#define LOG_DIR "/data/" METADATA_TOPIC "-0"

struct listing {
    int n, n_deleted;
    char oldest[64], newest[64];
};

static int note(void *arg, const char *name, bool is_dir)
{
    struct listing *l = arg;

    if (strstr(name, ".checkpoint.deleted")) {
        l->n_deleted++;
    } else if (strstr(name, ".checkpoint") && strlen(name) > 20 && !strstr(name, "leader-epoch")) {
        l->n++;
        if (!l->oldest[0] || strcmp(name, l->oldest) < 0)
            snprintf(l->oldest, sizeof(l->oldest), "%s", name);
        if (strcmp(name, l->newest) > 0)
            snprintf(l->newest, sizeof(l->newest), "%s", name);
    }
    return 0;
}

static struct listing snapshots(struct fixture *fx)
{
    struct listing l = {.newest = ""};

    assert_int_equal(vfs_list(fx->env.vfs, LOG_DIR, note, &l), 0);
    return l;
}

/* What is due happens, then all jobs. */
static void let_time_pass(struct fixture *fx, int64_t ms)
{
    clock_sim_advance(fx->env.clock, ms * 1000000);
    timers_fire(&fx->env.timers, clock_mono(fx->env.clock));
    fixture_settle(fx);
    fixture_settle(fx);
}

static void set_config(struct fixture *fx, enum meta_resource_type type, const char *resource,
                       const char *name, const char *value)
{
    struct meta_config_change c = {META_CONFIG_SET, str_of(name), str_of(value)};
    struct meta_alter_configs a = {
        .type = type, .name = str_of(resource), .changes = &c, .n_changes = 1};

    assert_int_equal(meta_alter_configs(fx->m, &a, &fx->error, &fx->msg), 0);
    if (fx->error)
        fail_msg("%s", fx->msg.text);
}

static const char *const small[] = {"metadata.log.max.record.bytes.between.snapshots=300", NULL};

/* What the metadata holds, as text. */
static void describe(struct fixture *fx, struct buf *out)
{
    struct meta_topic **topics = meta_topics_sorted(fx->m);
    const struct config_pair *pairs;
    const struct meta_feature *f;
    int n;

    f = meta_features(fx->m, &n);
    for (int i = 0; i < n; i++)
        buf_printf(out, "%s %d\n", f[i].name, f[i].level);
    for (int i = 0; i < meta_n_topics(fx->m); i++) {
        buf_printf(out, "%s %d %02x%02x\n", topics[i]->name, topics[i]->n_partitions,
                   topics[i]->id.b[0], topics[i]->id.b[15]);
        for (int c = 0; c < topics[i]->n_configs; c++)
            buf_printf(out, "  %.*s=%.*s\n", STR_ARG(topics[i]->configs[c].name),
                       STR_ARG(topics[i]->configs[c].value));
    }
    pairs = meta_configs(fx->m, META_RESOURCE_BROKER, STR(""), &n);
    for (int i = 0; i < n; i++)
        buf_printf(out, "all %.*s=%.*s\n", STR_ARG(pairs[i].name), STR_ARG(pairs[i].value));
    pairs = meta_configs(fx->m, META_RESOURCE_GROUP, STR("g/h"), &n);
    for (int i = 0; i < n; i++)
        buf_printf(out, "g/h %.*s=%.*s\n", STR_ARG(pairs[i].name), STR_ARG(pairs[i].value));
}

/* After enough bytes of changes there is a snapshot, and a start from it finds all that was there, down to the next producer id. */
static void a_start_from_a_snapshot_finds_everything(void **state)
{
    struct buf before, after;
    int64_t first, next;
    int32_t count;
    struct fixture fx;

    fixture_init(&fx, small);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "orders", 3);
    set_config(&fx, META_RESOURCE_TOPIC, "orders", "retention.ms", "5");
    set_config(&fx, META_RESOURCE_BROKER, "", "log.retention.ms", "7000");
    set_config(&fx, META_RESOURCE_GROUP, "g/h", "consumer.session.timeout.ms", "46000");
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &count), 0);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 1);
    fixture_topic(&fx, "a.very.long.name.that.fills.the.snapshots.measure.soon", 9);
    meta_delete_topic(fx.m, fixture_topic(&fx, "gone", 1), &fx.error, &fx.msg);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 2);
    assert_int_equal(strtoll(snapshots(&fx).newest, NULL, 10), meta_end(fx.m));
    buf_init(&before);
    describe(&fx, &before);

    fixture_close(&fx, true);
    fixture_open(&fx);
    buf_init(&after);
    describe(&fx, &after);
    assert_string_equal(buf_cstr(&after), buf_cstr(&before));
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &next, &count), 0);
    assert_int_equal(next, first + count);
    buf_release(&before);
    buf_release(&after);
    fixture_release(&fx);
}

/* Few changes wait for the interval; without any there is nothing to write. */
static void an_interval_without_changes_writes_nothing(void **state)
{
    struct fixture fx;
    char name[64];

    fixture_init(&fx, NULL);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    let_time_pass(&fx, 3599999);
    assert_int_equal(snapshots(&fx).n, 0);
    let_time_pass(&fx, 1);
    assert_int_equal(snapshots(&fx).n, 1);
    memcpy(name, snapshots(&fx).newest, sizeof(name));
    let_time_pass(&fx, 36000000);
    assert_string_equal(snapshots(&fx).newest, name);
    fixture_topic(&fx, "t", 1);
    let_time_pass(&fx, 3600000);
    assert_string_not_equal(snapshots(&fx).newest, name);
    fixture_release(&fx);
}

/* Records that only others use are in the snapshot, each once, and what was taken away is not. */
static void what_we_do_not_use_is_carried_on(void **state)
{
    struct access_control_entry_record acl = {.id = {{1}},
                                              .resource_type = 2,
                                              .resource_name = STR("t"),
                                              .pattern_type = 3,
                                              .principal = STR("User:alice"),
                                              .host = STR("*"),
                                              .operation = 3,
                                              .permission_type = 3};
    struct remove_access_control_entry_record no_acl = {.id = {{2}}};
    struct client_quota_record_entity who = {.entity_type = STR("user"), .entity_name = {NULL, 0}};
    struct client_quota_record quota = {
        .entity = &who, .n_entity = 1, .key = STR("producer_byte_rate"), .value = 10};
    struct listing l;
    struct buf file;
    struct fixture fx;
    uint8_t *at;
    char *path;

    fixture_init(&fx, small);
    fx.look_for_snapshot = true;
    fixture_open_log(&fx);
    fixture_append_record(&fx, "AccessControlEntryRecord", 0, &acl);
    acl.id = (struct uuid){{2}};
    acl.principal = STR("User:mallory");
    fixture_append_record(&fx, "AccessControlEntryRecord", 0, &acl);
    fixture_append_record(&fx, "RemoveAccessControlEntryRecord", 0, &no_acl);
    fixture_append_record(&fx, "ClientQuotaRecord", 0, &quota);
    quota.value = 20;
    fixture_append_record(&fx, "ClientQuotaRecord", 0, &quota);
    assert_int_equal(fixture_open_meta(&fx), 0);
    let_time_pass(&fx, 0);

    for (int round = 0; round < 2; round++) {
        l = snapshots(&fx);
        path = xasprintf(LOG_DIR "/%s", l.newest);
        buf_init(&file);
        assert_int_equal(vfs_read_all(fx.env.vfs, path, 1 << 20, &file), 0);
        assert_non_null(memmem(file.p, file.n, "alice", 5));
        assert_null(memmem(file.p, file.n, "mallory", 7));
        at = memmem(file.p, file.n, "producer_byte_rate", 18);
        assert_non_null(at);
        assert_null(memmem(at + 1, file.n - (size_t)(at + 1 - file.p), "producer_byte_rate", 18));
        buf_release(&file);
        free(path);
        fixture_close(&fx, true);
        fixture_open(&fx);
        fixture_topic(&fx, round ? "t1" : "t0", 20);
        let_time_pass(&fx, 0);
    }
    fixture_release(&fx);
}

/* A disk that is full costs a snapshot and nothing else; the next one is written. */
static void a_full_disk_costs_only_the_snapshot(void **state)
{
    struct fixture fx;

    fixture_init(&fx, small);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "t", 9);
    vfs_mem_set_space(fx.env.vfs, 1);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 0);
    vfs_mem_set_space(fx.env.vfs, UINT64_MAX);
    fixture_topic(&fx, "u", 9);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 1);
    fixture_release(&fx);
}

static int64_t start_of(struct fixture *fx)
{
    return log_start_offset(fx->log);
}

/* What the log and its snapshots may take is measured when a snapshot was written: the oldest leaves, with the log before the next
 * one, whole segments of it. The newest stays however small the limit is. A start finds everything. */
static void a_log_that_is_too_large_begins_at_a_snapshot(void **state)
{
    const char *const tiny[] = {small[0], "metadata.max.retention.bytes=0", NULL};
    struct buf before, after;
    struct listing l;
    struct fixture fx;

    fixture_init(&fx, tiny);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "first", 9);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 1);
    assert_int_equal(start_of(&fx), 0);
    assert_int_equal(log_n_segments(fx.log), 2);
    fixture_topic(&fx, "second", 9);
    let_time_pass(&fx, 0);
    l = snapshots(&fx);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.n_deleted, 1);
    assert_int_equal(start_of(&fx), strtoll(l.newest, NULL, 10));
    assert_int_equal(start_of(&fx), meta_end(fx.m));
    assert_int_equal(log_n_segments(fx.log), 1);
    let_time_pass(&fx, 60000);
    assert_int_equal(snapshots(&fx).n_deleted, 0);

    for (int clean = 1; clean >= 0; clean--) {
        buf_init(&before);
        buf_init(&after);
        describe(&fx, &before);
        fixture_close(&fx, clean);
        fixture_open(&fx);
        describe(&fx, &after);
        assert_string_equal(buf_cstr(&after), buf_cstr(&before));
        buf_release(&before);
        buf_release(&after);
    }
    fixture_release(&fx);
}

/* Snapshots are kept for their time, also over a restart; then one after the other leaves, but for the newest. */
static void old_snapshots_leave(void **state)
{
    const char *const day[] = {small[0], "metadata.max.retention.ms=86400000", NULL};
    struct fixture fx;
    int64_t second;

    fixture_init(&fx, day);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "first", 9);
    let_time_pass(&fx, 0);
    let_time_pass(&fx, 3600000);
    fixture_topic(&fx, "second", 9);
    let_time_pass(&fx, 0);
    second = meta_end(fx.m);
    fixture_close(&fx, true);
    fixture_open(&fx);
    fixture_topic(&fx, "third", 9);
    let_time_pass(&fx, 0);
    assert_int_equal(snapshots(&fx).n, 3);

    let_time_pass(&fx, 82800000);
    assert_int_equal(snapshots(&fx).n, 3);
    assert_int_equal(start_of(&fx), 0);
    let_time_pass(&fx, 60000);
    assert_int_equal(snapshots(&fx).n, 2);
    assert_int_equal(start_of(&fx), second);
    let_time_pass(&fx, 3600000);
    assert_int_equal(snapshots(&fx).n, 1);
    let_time_pass(&fx, 864000000);
    assert_int_equal(snapshots(&fx).n, 1);
    assert_int_equal(start_of(&fx), strtoll(snapshots(&fx).newest, NULL, 10));
    fixture_release(&fx);
}

/* A negative limit is none. */
static void without_limits_all_snapshots_stay(void **state)
{
    const char *const none[] = {small[0], "metadata.max.retention.bytes=-1", "metadata.max.retention.ms=-1", NULL};
    struct fixture fx;

    fixture_init(&fx, none);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    for (int i = 0; i < 3; i++) {
        char name[] = {'t', (char)('0' + i), 0};

        fixture_topic(&fx, name, 9);
        let_time_pass(&fx, 0);
    }
    let_time_pass(&fx, 8640000000);
    assert_int_equal(snapshots(&fx).n, 3);
    assert_int_equal(start_of(&fx), 0);
    fixture_release(&fx);
}

/* A power cut may bring a snapshot back whose part of the log is gone: the next start removes it, and begins with the newest. */
static void a_snapshot_before_the_log_start_goes_with_the_next_start(void **state)
{
    const char *const tiny[] = {small[0], "metadata.max.retention.bytes=0", NULL};
    char name[64], *path;
    struct buf file;
    struct fixture fx;

    fixture_init(&fx, tiny);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "first", 9);
    let_time_pass(&fx, 0);
    memcpy(name, snapshots(&fx).newest, sizeof(name));
    path = xasprintf(LOG_DIR "/%s", name);
    buf_init(&file);
    assert_int_equal(vfs_read_all(fx.env.vfs, path, 1 << 20, &file), 0);
    fixture_topic(&fx, "second", 9);
    let_time_pass(&fx, 0);
    assert_string_not_equal(snapshots(&fx).oldest, name);
    fixture_close(&fx, true);
    assert_int_equal(vfs_replace(fx.env.vfs, path, file.p, file.n), 0);
    fixture_open(&fx);
    assert_int_equal(snapshots(&fx).n, 1);
    assert_string_not_equal(snapshots(&fx).oldest, name);
    assert_non_null(meta_topic(fx.m, STR("second")));
    buf_release(&file);
    free(path);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_from_a_snapshot_finds_everything),
        cmocka_unit_test(an_interval_without_changes_writes_nothing),
        cmocka_unit_test(what_we_do_not_use_is_carried_on),
        cmocka_unit_test(a_full_disk_costs_only_the_snapshot),
        cmocka_unit_test(a_log_that_is_too_large_begins_at_a_snapshot),
        cmocka_unit_test(old_snapshots_leave),
        cmocka_unit_test(without_limits_all_snapshots_stay),
        cmocka_unit_test(a_snapshot_before_the_log_start_goes_with_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
