/* DescribeConfigs: which settings, with which values, from where. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "box.h"

static struct describe_configs_response_results *ask(struct box_conn *c, int16_t version,
                                                     int8_t type, const char *name,
                                                     struct str *keys, int n_keys)
{
    struct describe_configs_request_resources r = {.resource_type = type,
                                                   .resource_name = str_of(name),
                                                   .configuration_keys = keys,
                                                   .n_configuration_keys = n_keys};
    struct describe_configs_response *rsp;
    struct describe_configs_request rq;

    describe_configs_request_init(&rq);
    rq.resources = &r;
    rq.n_resources = 1;
    rq.include_synonyms = version >= 1;
    rq.include_documentation = version >= 3;
    rsp = box_call(c, 32, version, &rq);
    assert_int_equal(rsp->n_results, 1);
    assert_int_equal(rsp->results[0].resource_type, type);
    assert_true(str_is(rsp->results[0].resource_name, name));
    return &rsp->results[0];
}

static struct describe_configs_response_results_configs *
find(struct describe_configs_response_results *r, const char *name)
{
    for (int i = 0; i < r->n_configs; i++)
        if (str_is(r->configs[i].name, name))
            return &r->configs[i];
    return NULL;
}

/* The value, and "name=value/source" of each synonym. */
static void shows(struct describe_configs_response_results *r, const char *name, const char *value,
                  const char *synonyms)
{
    struct describe_configs_response_results_configs *s = find(r, name);
    struct buf text;

    assert_non_null(s);
    assert_true(str_eq(s->value, str_of(value)));
    buf_init(&text);
    for (int i = 0; i < s->n_synonyms; i++)
        buf_printf(&text, "%s%.*s=%.*s/%d", i ? " " : "", STR_ARG(s->synonyms[i].name),
                   STR_ARG(s->synonyms[i].value), s->synonyms[i].source);
    assert_string_equal(buf_cstr(&text), synonyms);
    if (s->n_synonyms)
        assert_int_equal(s->config_source, s->synonyms[0].source);
    buf_release(&text);
}

/* A topic's setting is its own, or the cluster's, the file's, the default, each listed under what
 * covers it. */
static void a_topics_settings_name_their_sources(void **state)
{
    struct describe_configs_response_results *r;
    struct box_conn *c;
    struct box b;

    box_start(&b, "log.segment.bytes=2000000", "log.retention.hours=1", NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 1, "cleanup.policy", "delete, compact");
    r = ask(c, 4, 2, "t", NULL, -1);
    assert_int_equal(r->error_code, KE_NONE);
    assert_true(str_is(r->error_message, ""));
    assert_int_equal(r->n_configs, config_n_topic_settings - 1);
    shows(r, "cleanup.policy", "delete,compact",
          "cleanup.policy=delete,compact/1 log.cleanup.policy=delete/5");
    shows(r, "segment.bytes", "2000000",
          "log.segment.bytes=2000000/4 log.segment.bytes=1073741824/5");
    shows(r, "min.insync.replicas", "1", "min.insync.replicas=1/3 min.insync.replicas=1/5");
    shows(r, "index.interval.bytes", "4096", "log.index.interval.bytes=4096/5");
    shows(r, "retention.ms", "3600000",
          ""); /* log.retention.ms has no value: what stands behind it is not shown */
    shows(r, "remote.storage.enable", "false", "");
    assert_null(find(r, "internal.segment.bytes"));
    assert_int_equal(find(r, "retention.ms")->config_type, CONFIG_LONG);
    assert_true(find(r, "retention.ms")->documentation.n > 0);
    assert_false(find(r, "retention.ms")->read_only);
    box_end(&b);
}

/* Names choose; unknown ones are passed over; an empty list is no choice. */
static void names_choose_settings(void **state)
{
    struct str keys[] = {STR("retention.ms"), STR("nosuch"), STR("retention.ms"), STR("flush.ms")};
    struct describe_configs_response_results *r;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "t", 1, NULL, NULL);
    for (int16_t v = 0; v <= 4; v++) {
        r = ask(c, v, 2, "t", keys, 4);
        assert_int_equal(r->n_configs, 2);
        assert_true(str_is(find(r, "retention.ms")->value, "604800000"));
        assert_int_equal(find(r, "flush.ms")->is_default, v == 0);
        assert_int_equal(find(r, "flush.ms")->config_source, v == 0 ? -1 : 5);
        assert_int_equal(find(r, "flush.ms")->documentation.n > 0, v >= 3);
    }
    assert_true(ask(c, 4, 2, "t", keys, 0)->n_configs > 30);
    box_end(&b);
}

/* The broker shows every setting of the tables, which may change, and no secret. */
static void the_broker_shows_itself(void **state)
{
    struct describe_configs_response_results *r;
    struct box_conn *c;
    struct box b;

    box_start(&b, "ssl.keystore.password=secret", "num.partitions=4", NULL);
    c = box_connect(&b);
    r = ask(c, 4, 4, "1", NULL, -1);
    assert_int_equal(r->error_code, KE_NONE);
    assert_true(r->n_configs > 340);
    shows(r, "num.partitions", "4", "num.partitions=4/4 num.partitions=1/5");
    assert_true(find(r, "num.partitions")->read_only);
    assert_false(find(r, "log.retention.ms")->read_only);
    assert_null(find(r, "log.retention.ms")->value.p);
    assert_true(find(r, "ssl.keystore.password")->is_sensitive);
    assert_null(find(r, "ssl.keystore.password")->value.p);
    assert_null(find(r, "ssl.keystore.password")->synonyms[0].value.p);
    assert_null(find(r, "unstable.api.versions.enable"));
    assert_null(find(r, "broker.rack")->value.p);
    r = ask(c, 4, 4, "", NULL, -1);
    assert_int_equal(r->n_configs, 1);
    shows(r, "min.insync.replicas", "1", "min.insync.replicas=1/3");
    box_end(&b);
}

static void refused(struct box_conn *c, int8_t type, const char *name, int16_t error,
                    const char *words)
{
    struct describe_configs_response_results *r = ask(c, 4, type, name, NULL, -1);

    assert_int_equal(r->error_code, error);
    if (!str_is(r->error_message, words))
        fail_msg("%.*s", STR_ARG(r->error_message));
    assert_int_equal(r->n_configs, 0);
}

/* Resources that are not there are refused in Kafka's words. */
static void wrong_resources_are_refused(void **state)
{
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    refused(c, 2, "none", KE_UNKNOWN_TOPIC_OR_PARTITION, "");
    refused(c, 2, "", KE_INVALID_TOPIC_EXCEPTION,
            "Topic name is invalid: the empty string is not allowed");
    refused(c, 4, "2", KE_INVALID_REQUEST,
            "Unexpected broker id, expected 1 or empty string, but received 2");
    refused(c, 4, "x", KE_INVALID_REQUEST, "Broker id must be an integer, but it is: x");
    refused(c, 4, "-", KE_INVALID_REQUEST, "Broker id must be an integer, but it is: -");
    refused(c, 4, "2147483648", KE_INVALID_REQUEST,
            "Broker id must be an integer, but it is: 2147483648");
    refused(c, 4, "-2147483648", KE_INVALID_REQUEST,
            "Unexpected broker id, expected 1 or empty string, but received -2147483648");
    refused(c, 8, "2", KE_INVALID_REQUEST, "Unexpected broker id, expected 1 but received 2");
    refused(c, 8, "", KE_INVALID_REQUEST, "Broker id must not be empty");
    refused(c, 16, "", KE_INVALID_REQUEST, "Client metrics subscription name must not be empty");
    refused(c, 32, "", KE_INVALID_REQUEST, "Group name must not be empty");
    assert_int_equal(ask(c, 4, 3, "x", NULL, -1)->error_code, KE_INVALID_REQUEST);
    assert_int_equal(ask(c, 4, 4, "+01", NULL, -1)->error_code, KE_NONE);
    box_end(&b);
}

/* Groups, client metrics and loggers answer with their defaults. */
static void the_other_kinds_show_defaults(void **state)
{
    struct describe_configs_response_results *r;
    struct box_conn *c;
    struct box b;

    box_start(&b, "group.consumer.session.timeout.ms=46000", NULL);
    c = box_connect(&b);
    r = ask(c, 4, 32, "any", NULL, -1);
    assert_int_equal(r->n_configs, 21);
    shows(r, "consumer.session.timeout.ms", "46000",
          "group.consumer.session.timeout.ms=46000/4 group.consumer.session.timeout.ms=45000/5");
    shows(r, "share.isolation.level", "read_uncommitted",
          "share.isolation.level=read_uncommitted/5");
    shows(r, "streams.assignor.name", "sticky", "group.streams.assignors=sticky/5");
    r = ask(c, 4, 16, "any", NULL, -1);
    assert_int_equal(r->n_configs, 3);
    shows(r, "interval.ms", "300000", "");
    r = ask(c, 4, 8, "1", NULL, -1);
    shows(r, "root", "INFO", "");
    assert_int_equal(r->configs[0].config_source, 6);
    box_end(&b);
}

/* ---- loggers */

struct heard {
    char text[200];
    int n;
};

static void hear(enum diag_level level, const char *text, void *arg)
{
    struct heard *h = arg;

    snprintf(h->text, sizeof(h->text), "%s", text);
    h->n++;
}

static int16_t set_logger(struct box_conn *c, const char *name, const char *level)
{
    struct incremental_alter_configs_request_resources_configs setting = {
        .name = str_of(name), .config_operation = level ? 0 : 1, .value = str_of(level)};
    struct incremental_alter_configs_request_resources r = {
        .resource_type = 8, .resource_name = STR("1"), .configs = &setting, .n_configs = 1};
    struct incremental_alter_configs_request rq;
    struct incremental_alter_configs_response *rsp;

    incremental_alter_configs_request_init(&rq);
    rq.resources = &r;
    rq.n_resources = 1;
    rsp = box_call(c, 44, 1, &rq);
    return rsp->responses[0].error_code;
}

/* Says something at DEBUG, in the module api: this topic's name is too much like that of another. */
static void ask_for_topic(struct box_conn *c, const char *name)
{
    struct metadata_request_topics t = {.name = str_of(name)};
    struct metadata_request rq;

    metadata_request_init(&rq);
    rq.topics = &t;
    rq.n_topics = 1;
    rq.allow_auto_topic_creation = true;
    box_call(c, 3, 8, &rq);
}

/* Each module has a logger, whose level is the root's until it has its own, and counts at once. */
static void loggers_have_levels(void **state)
{
    struct describe_configs_response_results *r;
    struct heard h = {.n = 0};
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    ask_for_topic(c, "a.b");
    diag_set_sink(hear, &h);
    ask_for_topic(c, "a_b");
    assert_int_equal(h.n, 0);
    assert_int_equal(set_logger(c, "log", "DEBUG"), KE_NONE);
    ask_for_topic(c, "a_b");
    assert_int_equal(h.n, 0);
    assert_int_equal(set_logger(c, "api", "TRACE"), KE_NONE);
    ask_for_topic(c, "a_b");
    assert_int_equal(h.n, 1);
    assert_string_equal(h.text,
                        "topic a_b is not made: Topic 'a_b' collides with existing topic: a.b");
    r = ask(c, 4, 8, "1", NULL, 0);
    assert_int_equal(r->n_configs, DIAG_N_AREAS);
    assert_true(str_is(find(r, "root")->value, "INFO"));
    assert_true(str_is(find(r, "api")->value, "DEBUG"));
    assert_true(str_is(find(r, "group")->value, "INFO"));
    assert_int_equal(find(r, "group")->config_source, 6);
    assert_int_equal(set_logger(c, "api", NULL), KE_NONE);
    assert_int_equal(set_logger(c, "log", NULL), KE_NONE);
    ask_for_topic(c, "a_b");
    assert_int_equal(h.n, 1);
    assert_int_equal(set_logger(c, "root", NULL), KE_INVALID_REQUEST);
    assert_int_equal(set_logger(c, "nosuch", NULL), KE_INVALID_CONFIG);
    diag_set_sink(NULL, NULL);
    box_end(&b);
}

/* A reply has a limit: of very many brokers' settings the first are shown and the rest refused. */
static void a_reply_has_a_limit(void **state)
{
    enum { N = 2000 };
    struct describe_configs_request_resources *r = xcalloc(N, sizeof(*r));
    struct describe_configs_response *rsp;
    struct describe_configs_request rq;
    struct box_conn *c;
    struct box b;

    box_start(&b, NULL);
    c = box_connect(&b);
    for (int i = 0; i < N; i++) {
        r[i].resource_type = 4;
        r[i].resource_name = STR("1");
        r[i].n_configuration_keys = -1;
    }
    describe_configs_request_init(&rq);
    rq.resources = r;
    rq.n_resources = N;
    rsp = box_call(c, 32, 1, &rq);
    assert_int_equal(rsp->results[0].error_code, KE_NONE);
    assert_int_equal(rsp->results[N - 1].error_code, KE_POLICY_VIOLATION);
    free(r);
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topics_settings_name_their_sources),
        cmocka_unit_test(names_choose_settings),
        cmocka_unit_test(the_broker_shows_itself),
        cmocka_unit_test(wrong_resources_are_refused),
        cmocka_unit_test(the_other_kinds_show_defaults),
        cmocka_unit_test(loggers_have_levels),
        cmocka_unit_test(a_reply_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
