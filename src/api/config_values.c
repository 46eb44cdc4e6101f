/* Where values of settings come from: the metadata's (dynamic) ones, the file, the default.
 *
 * Owner: nobody; texts are copied into the request's arena.
 */
#include "rows.h"

/* Kafka keeps these to itself (defineInternal), or leaves them to an authorizer. Names of brokers',
 * topics' and groups' settings. */
static const char *const hidden[] = {
    "allow.everyone.if.no.acl.found",
    "consumer.assignor.offload.enable",
    "controller.performance.always.log.threshold.ms",
    "controller.performance.sample.period.ms",
    "group.consumer.assignor.offload.enable",
    "group.consumer.regex.refresh.interval.ms",
    "group.share.assignor.offload.enable",
    "group.share.dlq.manager.class.name",
    "group.share.initialize.retry.interval.ms",
    "group.share.persister.class.name",
    "group.streams.acceptable.recovery.lag",
    "group.streams.assignor.offload.enable",
    "group.streams.max.warmup.replicas",
    "group.streams.min.task.offset.interval.ms",
    "group.streams.num.warmup.replicas",
    "group.streams.task.offset.interval.ms",
    "internal.metadata.delete.delay.millis",
    "internal.metadata.log.segment.bytes",
    "internal.metadata.max.batch.size.in.bytes",
    "internal.segment.bytes",
    "log.initial.task.delay.ms",
    "producer.id.expiration.check.interval.ms",
    "remote.log.index.file.cache.ttl.ms",
    "remote.log.manager.task.retry.backoff.max.ms",
    "remote.log.manager.task.retry.backoff.ms",
    "remote.log.manager.task.retry.jitter",
    "server.max.startup.time.ms",
    "share.assignor.offload.enable",
    "share.coordinator.cold.partition.snapshot.interval.ms",
    "share.coordinator.state.topic.prune.interval.ms",
    "streams.acceptable.recovery.lag",
    "streams.assignor.offload.enable",
    "streams.num.warmup.replicas",
    "streams.task.offset.interval.ms",
    "super.users",
    "unclean.leader.election.interval.ms",
    "unstable.api.versions.enable",
    "unstable.feature.versions.enable",
};

bool api_setting_hidden(const struct config_setting *st)
{
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (strcmp(hidden[i], st->name) == 0)
            return true;
    return false;
}

struct str api_taken_text(struct request *rq, char *text)
{
    struct str s = {NULL, 0};

    if (text)
        s = arena_str(&rq->arena, str_of(text));
    free(text);
    return s;
}

/* What the metadata says of a broker setting: of this broker, or ("") of all. */
static struct str dynamic_value(struct request *rq, bool ours, struct str name)
{
    struct str resource = ours ? arena_printf(&rq->arena, "%d", rq->broker->node_id) : STR("");
    const struct config_pair *pairs, *found;
    int n;

    pairs = meta_configs(rq->broker->meta, META_RESOURCE_BROKER, resource, &n);
    found = config_pair_find(pairs, n, name);
    return found ? found->value : (struct str){NULL, 0};
}

/* node.id and broker.id are two names of one setting (KafkaConfig.populateSynonyms). */
static struct str given_value(struct request *rq, struct str name)
{
    const struct config_given *g = config_given_find(rq->broker->config, name);

    if (!g && str_is(name, "broker.id"))
        g = config_given_find(rq->broker->config, STR("node.id"));
    else if (!g && str_is(name, "node.id"))
        g = config_given_find(rq->broker->config, STR("broker.id"));
    return g ? str_of(g->text) : (struct str){NULL, 0};
}

static struct str default_value(struct str name)
{
    const struct config_setting *st = config_broker_setting(name);

    return st ? str_of(st->default_text) : (struct str){NULL, 0};
}

static struct str value_from(struct request *rq, int8_t source, struct str name)
{
    switch (source) {
    case SHOWN_DYNAMIC_BROKER:
        return dynamic_value(rq, true, name);
    case SHOWN_DYNAMIC_DEFAULT_BROKER:
        return dynamic_value(rq, false, name);
    case SHOWN_STATIC_BROKER:
        return given_value(rq, name);
    default:
        return default_value(name);
    }
}

static bool is_sensitive(const char *broker_name)
{
    const struct config_setting *st = config_dynamic_setting(str_of(broker_name));

    return !st || st->sensitive;
}

int api_broker_synonyms(struct request *rq, const char *broker_name,
                        struct api_synonym out[API_SYNONYMS_MAX])
{
    bool sensitive = is_sensitive(broker_name);
    int n = 0;

    for (int8_t source = SHOWN_DYNAMIC_BROKER; source <= SHOWN_DEFAULT; source++) {
        for (const char *name = broker_name; name; name = config_synonym_after(name)) {
            struct str value = value_from(rq, source, str_of(name));

            /* What stands before the first value of the name itself is dropped. */
            if (!value.p || (n == 0 && strcmp(name, broker_name) != 0))
                continue;
            ASSERT(n < API_SYNONYMS_MAX);
            out[n++] = (struct api_synonym){str_of(name), sensitive ? (struct str){NULL, 0} : value,
                                            source};
        }
    }
    return n;
}

static bool holds_text(const struct config_setting *st)
{
    return st->type == CONFIG_STRING || st->type == CONFIG_LIST || st->type == CONFIG_CLASS ||
           st->type == CONFIG_PASSWORD;
}

struct str api_canonical(struct request *rq, const struct config_setting *st, struct str text)
{
    union config_value v;
    struct str shown;

    if (config_parse(st, text, &v, NULL) < 0)
        return text;
    shown = api_taken_text(rq, config_value_text(st, &v));
    if (holds_text(st))
        free(v.s);
    return shown;
}

struct str api_broker_value(struct request *rq, const struct config_setting *st)
{
    struct str name = str_of(st->name), value;

    if (st->sensitive)
        return (struct str){NULL, 0};
    value = dynamic_value(rq, true, name);
    if (!value.p)
        value = dynamic_value(rq, false, name);
    return value.p ? api_canonical(rq, st, value) : api_taken_text(rq, config_text(rq->broker->config, st));
}
