/* A log directory: its lock, meta.properties, what is found in it, the clean-shutdown marker. */
#include "log_fixture.h"

#include "directory.h"

#define META   FIXTURE_DIR "/" DIR_META_NAME
#define MARKER FIXTURE_DIR "/" DIR_MARKER_NAME

/* As Apache Kafka 4.4.0 wrote it. */
static const char kafka_meta[] = "#\n#Sun Nov 22 22:36:17 UTC 2026\nnode.id=1\n"
                                 "directory.id=9FuaCt6bFGwc_muFaaw81w\nversion=1\n"
                                 "cluster.id=6vNuDeVBSs6jNeGIm5_kUw\n";

static void write_text(struct fixture *fx, const char *path, const char *text)
{
    fixture_write_file(fx, path, text, strlen(text));
}

static void make_dir(struct fixture *fx, const char *path)
{
    assert_int_equal(vfs_mkdirs(fx->env.vfs, path, NULL), 0);
}

/* Opening must fail with E_FORMAT and a message that contains `why`. */
static void assert_refused(struct fixture *fx, int rc, const char *why)
{
    assert_int_equal(fixture_open_manager(fx), rc);
    if (!strstr(fx->msg.text, why))
        fail_msg("message: %s", fx->msg.text);
    assert_null(strchr(fx->msg.text, '\n'));
    assert_null(fx->m);
}

/* An empty directory is initialised, in Kafka's form, with ids of its own. */
static void a_new_directory_gets_its_meta_properties(void **state)
{
    char cluster[UUID_TEXT_BYTES + 1], directory[UUID_TEXT_BYTES + 1], expected[512];
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_true(logm_was_clean(fx.m));
    assert_int_equal(logm_n_dirs(fx.m), 1);
    assert_string_equal(logm_dir_path(fx.m, 0), FIXTURE_DIR);
    uuid_text(logm_cluster_id(fx.m), cluster);
    uuid_text(logm_dir_id(fx.m, 0), directory);
    (void)snprintf(
        expected, sizeof(expected),
        "#\n#Thu Jan 01 00:16:40 UTC 1970\nnode.id=1\ndirectory.id=%s\nversion=1\ncluster.id=%s\n",
        directory, cluster);
    fixture_read_file(&fx, META, &text);
    assert_string_equal(buf_cstr(&text), expected);
    assert_false(uuid_eq(logm_cluster_id(fx.m), logm_dir_id(fx.m, 0)));
    buf_release(&text);
    fixture_release(&fx);
}

/* A cluster id that is given is used where no directory has one. */
static void a_given_cluster_id_is_for_new_directories(void **state)
{
    struct uuid given = {{9, 9, 9}};
    struct logm_options options = {.cluster_id = given};
    struct fixture fx;

    fixture_init(&fx, NULL);
    options.config = &fx.config;
    assert_int_equal(logm_open(&fx.env, &options, &fx.m, &fx.msg), 0);
    assert_true(uuid_eq(logm_cluster_id(fx.m), given));
    fixture_release(&fx);
}

/* The day and the month of any time are those of the calendar. */
static void the_date_is_that_of_the_calendar(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "#Thu Jan 01 00:00:00 UTC 1970"},
                 {951782399000, "#Mon Feb 28 23:59:59 UTC 2000"},
                 {951782400000, "#Tue Feb 29 00:00:00 UTC 2000"},
                 {1795386994000, "#Sun Nov 22 22:36:34 UTC 2026"},
                 {4102444799000, "#Thu Dec 31 23:59:59 UTC 2099"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture fx;
        struct buf text;

        fixture_init(&fx, NULL);
        clock_sim_jump_wall(fx.clock, cases[i].ms - FIXTURE_START_MS);
        assert_int_equal(fixture_open_manager(&fx), 0);
        fixture_read_file(&fx, META, &text);
        assert_memory_equal(buf_cstr(&text) + 2, cases[i].text, strlen(cases[i].text));
        buf_release(&text);
        fixture_release(&fx);
    }
}

/* A directory that Kafka formatted is taken as it is. */
static void kafkas_meta_properties_are_read(void **state)
{
    char text[UUID_TEXT_BYTES + 1];
    struct fixture fx;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR);
    write_text(&fx, META, kafka_meta);
    assert_int_equal(fixture_open_manager(&fx), 0);
    uuid_text(logm_cluster_id(fx.m), text);
    assert_string_equal(text, "6vNuDeVBSs6jNeGIm5_kUw");
    uuid_text(logm_dir_id(fx.m, 0), text);
    assert_string_equal(text, "9FuaCt6bFGwc_muFaaw81w");
    fixture_release(&fx);
}

/* Spaces, other separators, carriage returns and comments are those of java.util.Properties. */
static void properties_may_be_written_differently(void **state)
{
    char text[UUID_TEXT_BYTES + 1];
    struct fixture fx;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR);
    write_text(
        &fx, META,
        "! by hand\r\n  version : 1\r\nnode.id 1\r\n\r\ndirectory.id =9FuaCt6bFGwc_muFaaw81w\r\n"
        "broker.rack=x\r\ncluster.id= 6vNuDeVBSs6jNeGIm5_kUw");
    assert_int_equal(fixture_open_manager(&fx), 0);
    uuid_text(logm_cluster_id(fx.m), text);
    assert_string_equal(text, "6vNuDeVBSs6jNeGIm5_kUw");
    fixture_release(&fx);
}

/* Before Kafka 3.7 there was no directory.id: it is added. */
static void a_missing_directory_id_is_added(void **state)
{
    struct fixture fx;
    struct uuid id;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR);
    write_text(&fx, META, "version=1\nnode.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n");
    assert_int_equal(fixture_open_manager(&fx), 0);
    id = logm_dir_id(fx.m, 0);
    assert_false(uuid_is_zero(id));
    fixture_kill(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_true(uuid_eq(logm_dir_id(fx.m, 0), id));
    fixture_release(&fx);
}

/* What is not ours is refused in one line, and stays as it is. */
static void a_foreign_directory_is_refused(void **state)
{
    static const struct {
        const char *meta, *why;
    } cases[] = {
        {"version=1\nnode.id=2\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n", "node.id 2"},
        {"version=0\nbroker.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n", "version is 0"},
        {"", "version is"},
        {"version=1\nnode.id=1\n", "cluster.id"},
        {"version=1\nnode.id=1\ncluster.id=my-cluster\n", "cluster.id"},
        {"version=1\nnode.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\ndirectory.id=x\n",
         "directory.id"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture fx;
        struct buf text;

        fixture_init(&fx, NULL);
        make_dir(&fx, FIXTURE_DIR);
        write_text(&fx, META, cases[i].meta);
        write_text(&fx, MARKER, "{}");
        assert_refused(&fx, E_FORMAT, cases[i].why);
        fixture_read_file(&fx, META, &text);
        assert_string_equal(buf_cstr(&text), cases[i].meta);
        assert_true(fixture_exists(&fx, MARKER));
        buf_release(&text);
        fixture_release(&fx);
    }
}

/* A directory with other things in it is not made ours; what a file system or a first start leaves behind is fine. */
static void only_an_empty_directory_is_initialised(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR "/lost+found");
    write_text(&fx, FIXTURE_DIR "/letter.txt", "dear");
    assert_refused(&fx, E_FORMAT, "not empty");
    assert_false(fixture_exists(&fx, META));
    assert_int_equal(vfs_unlink(fx.env.vfs, FIXTURE_DIR "/letter.txt"), 0);
    write_text(&fx, META ".tmp", "node");
    assert_int_equal(fixture_open_manager(&fx), 0);
    fixture_release(&fx);
}

/* A second broker on the same directory is told so. */
static void a_directory_is_opened_once(void **state)
{
    struct logm_options options = {0};
    struct logm *second;
    struct fixture fx;

    fixture_init(&fx, NULL);
    assert_int_equal(fixture_open_manager(&fx), 0);
    options.config = &fx.config;
    assert_int_equal(logm_open(&fx.env, &options, &second, &fx.msg), E_LOCKED);
    assert_non_null(strstr(fx.msg.text, FIXTURE_DIR));
    assert_null(second);
    fixture_release(&fx);
}

/* A clean stop leaves the marker in Kafka's form; the next start takes it away before anything else happens. */
static void the_marker_is_there_between_a_clean_stop_and_the_next_start(void **state)
{
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    assert_false(fixture_exists(&fx, MARKER));
    logm_set_broker_epoch(fx.m, 42);
    fixture_stop(&fx);
    fixture_read_file(&fx, MARKER, &text);
    assert_string_equal(buf_cstr(&text), "{\"version\":0,\"brokerEpoch\":42}");
    buf_release(&text);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_true(logm_was_clean(fx.m));
    assert_false(fixture_exists(&fx, MARKER));
    fixture_kill(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_false(logm_was_clean(fx.m));
    fixture_release(&fx);
}

/* A partition that nobody opened after an unclean stop was not recovered: a clean stop must not hide that. */
static void an_unrecovered_partition_keeps_the_marker_away(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    fixture_kill(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    fixture_stop(&fx);
    assert_false(fixture_exists(&fx, MARKER));
    fixture_open(&fx);
    fixture_stop(&fx);
    assert_true(fixture_exists(&fx, MARKER));
    fixture_release(&fx);
}

/* Partitions are found by name, sorted, with their topic ids; other directories are none. */
static void partitions_are_found(void **state)
{
    static const char *const others[] = {
        "lost+found",  "a-1.0123456789abcdef0123456789abcdef-stray",
        "a--1",        "a-01",
        "a-x",         "-1",
        "..-1",        "a-1.0123456789abcdef0123456789abcdef-future",
        "a-2147483648"};
    char path[256], id[UUID_TEXT_BYTES + 1];
    struct fixture fx;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR);
    write_text(&fx, META, kafka_meta);
    make_dir(&fx, FIXTURE_DIR "/b-0");
    make_dir(&fx, FIXTURE_DIR "/a-b-10");
    make_dir(&fx, FIXTURE_DIR "/a-b-9");
    write_text(&fx, FIXTURE_DIR "/a-b-9/partition.metadata",
               "version: 0\ntopic_id: 9FuaCt6bFGwc_muFaaw81w");
    write_text(&fx, FIXTURE_DIR "/b-0/partition.metadata", "version: 0\ntopic_id: torn");
    write_text(&fx, FIXTURE_DIR "/c-0", "a file");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        (void)snprintf(path, sizeof(path), FIXTURE_DIR "/%s", others[i]);
        make_dir(&fx, path);
    }
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 4);
    assert_string_equal(logm_found_get(fx.m, 0)->topic, "a-"); /* "a--1": topic "a-" */
    assert_string_equal(logm_found_get(fx.m, 1)->topic, "a-b");
    assert_int_equal(logm_found_get(fx.m, 1)->partition, 9);
    uuid_text(logm_found_get(fx.m, 1)->topic_id, id);
    assert_string_equal(id, "9FuaCt6bFGwc_muFaaw81w");
    assert_int_equal(logm_found_get(fx.m, 2)->partition, 10);
    assert_string_equal(logm_found_get(fx.m, 3)->topic, "b");
    assert_true(uuid_is_zero(logm_found_get(fx.m, 3)->topic_id));
    assert_true(log_exists(fx.m, "a-b", 9));
    assert_false(log_exists(fx.m, "a-b", 8));
    fixture_release(&fx);
}

/* What belongs to no topic is set aside, and is not found again. */
static void a_stray_partition_is_set_aside(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    make_dir(&fx, FIXTURE_DIR);
    write_text(&fx, META, kafka_meta);
    make_dir(&fx, FIXTURE_DIR "/b-0");
    write_text(&fx, MARKER, "{}");
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 1);
    assert_int_equal(logm_found_set_stray(fx.m, 0), 0);
    assert_false(log_exists(fx.m, "b", 0));
    assert_false(fixture_exists(&fx, FIXTURE_DIR "/b-0"));
    fixture_stop(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 0);
    fixture_release(&fx);
}

static const char *const two_dirs[] = {"log.dirs=/x,/y", NULL};

/* A new partition goes where the fewest are, or where it is told to. */
static void partitions_spread_over_the_directories(void **state)
{
    struct fixture fx;
    struct log *l;

    fixture_init(&fx, two_dirs);
    assert_int_equal(fixture_open_manager(&fx), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(log_open(fx.m, "t", i, UUID_ZERO, &fx.topic, 0, -1, &l, &fx.msg), 0);
        assert_int_equal(log_dir_index(l), i % 2);
    }
    assert_int_equal(log_open(fx.m, "t", 4, UUID_ZERO, &fx.topic, 0, 1, &l, &fx.msg), 0);
    assert_int_equal(log_dir_index(l), 1);
    assert_true(uuid_eq(logm_cluster_id(fx.m), logm_cluster_id(fx.m)));
    assert_false(uuid_eq(logm_dir_id(fx.m, 0), logm_dir_id(fx.m, 1)));
    fixture_stop(&fx);
    assert_true(fixture_exists(&fx, "/x/" DIR_MARKER_NAME));
    assert_true(fixture_exists(&fx, "/y/" DIR_MARKER_NAME));
    fixture_release(&fx);
}

/* A new directory joins the cluster of the old one, in whichever order they are named. */
static void a_new_directory_joins_the_cluster(void **state)
{
    char id[UUID_TEXT_BYTES + 1];
    struct fixture fx;

    fixture_init(&fx, two_dirs);
    make_dir(&fx, "/y");
    write_text(&fx, "/y/" DIR_META_NAME, kafka_meta);
    assert_int_equal(fixture_open_manager(&fx), 0);
    uuid_text(logm_cluster_id(fx.m), id);
    assert_string_equal(id, "6vNuDeVBSs6jNeGIm5_kUw");
    fixture_release(&fx);
}

/* Directories that contradict each other are refused. */
static void directories_must_agree(void **state)
{
    struct fixture fx;

    fixture_init(&fx, two_dirs);
    make_dir(&fx, "/x");
    make_dir(&fx, "/y");
    write_text(&fx, "/x/" DIR_META_NAME, kafka_meta);
    write_text(&fx, "/y/" DIR_META_NAME, kafka_meta);
    assert_refused(&fx, E_FORMAT, "same directory.id");
    write_text(&fx, "/y/" DIR_META_NAME,
               "version=1\nnode.id=1\ncluster.id=9FuaCt6bFGwc_muFaaw81w\n");
    assert_refused(&fx, E_FORMAT, "belongs to cluster");
    write_text(&fx, "/y/" DIR_META_NAME,
               "version=1\nnode.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n");
    make_dir(&fx, "/x/t-3");
    make_dir(&fx, "/y/t-3");
    write_text(&fx, "/x/" DIR_MARKER_NAME, "{}");
    write_text(&fx, "/y/" DIR_MARKER_NAME, "{}");
    assert_refused(&fx, E_FORMAT, "t-3 is in both");
    /* One of them is a deleted topic's, which a power cut brought back: it is for the broker to tell which. */
    write_text(&fx, "/x/t-3/partition.metadata",
               "version: 0\ntopic_id: 9FuaCt6bFGwc_muFaaw81w");
    write_text(&fx, "/y/t-3/partition.metadata",
               "version: 0\ntopic_id: 6vNuDeVBSs6jNeGIm5_kUw");
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 2);
    assert_int_equal(logm_found_set_stray(fx.m, 0), 0);
    fixture_release(&fx);
}

/* After an unclean stop two directories of one name whose topic is not known are leftovers: the broker sets them aside. */
static void torn_topic_ids_are_no_contradiction(void **state)
{
    struct fixture fx;

    fixture_init(&fx, two_dirs);
    make_dir(&fx, "/x");
    make_dir(&fx, "/y");
    write_text(&fx, "/x/" DIR_META_NAME,
               "version=1\nnode.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n");
    write_text(&fx, "/y/" DIR_META_NAME,
               "version=1\nnode.id=1\ncluster.id=6vNuDeVBSs6jNeGIm5_kUw\n");
    make_dir(&fx, "/x/t-3");
    make_dir(&fx, "/y/t-3");
    write_text(&fx, "/y/t-3/partition.metadata", "");
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(uuid_is_zero(logm_found_get(fx.m, i)->topic_id));
        assert_false(logm_found_get(fx.m, i)->was_clean);
    }
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_gets_its_meta_properties),
        cmocka_unit_test(a_given_cluster_id_is_for_new_directories),
        cmocka_unit_test(the_date_is_that_of_the_calendar),
        cmocka_unit_test(kafkas_meta_properties_are_read),
        cmocka_unit_test(properties_may_be_written_differently),
        cmocka_unit_test(a_missing_directory_id_is_added),
        cmocka_unit_test(a_foreign_directory_is_refused),
        cmocka_unit_test(only_an_empty_directory_is_initialised),
        cmocka_unit_test(a_directory_is_opened_once),
        cmocka_unit_test(the_marker_is_there_between_a_clean_stop_and_the_next_start),
        cmocka_unit_test(an_unrecovered_partition_keeps_the_marker_away),
        cmocka_unit_test(partitions_are_found),
        cmocka_unit_test(a_stray_partition_is_set_aside),
        cmocka_unit_test(partitions_spread_over_the_directories),
        cmocka_unit_test(a_new_directory_joins_the_cluster),
        cmocka_unit_test(directories_must_agree),
        cmocka_unit_test(torn_topic_ids_are_no_contradiction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
