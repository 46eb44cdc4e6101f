/* Names that are in no table, and names that are near one.
 *
 * Owner: nobody; constants and pure functions.
 */
#include "names.h"

#include "text.h"

#define NAME_BYTES_MAX 128 /* of names that are compared: longer ones have no near name */

/* Removed by Kafka 4.0: KIP-896, KIP-724, KIP-500 and what went with ZooKeeper. */
static const char *const removed[] = {
    "advertised.host.name",
    "advertised.port",
    "authorizer.class",
    "auto.include.jmx.reporter",
    "broker.id.generation.enable",
    "control.plane.listener.name",
    "controlled.shutdown.max.retries",
    "controlled.shutdown.retry.backoff.ms",
    "delegation.token.master.key",
    "eligible.leader.replicas.enable",
    "group.coordinator.new.enable",
    "host.name",
    "inter.broker.protocol.version",
    "leader.imbalance.per.broker.percentage",
    "log.cleaner.min.cleanable.dirty.ratio",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "max.reserved.broker.id",
    "offsets.commit.required.acks",
    "password.encoder.cipher.algorithm",
    "password.encoder.iterations",
    "password.encoder.key.length",
    "password.encoder.keyfactory.algorithm",
    "password.encoder.old.secret",
    "password.encoder.secret",
    "port",
    "quota.consumer.default",
    "quota.producer.default",
    "reserved.broker.max.id",
};
static const char *const removed_prefixes[] = {"zookeeper."};

static const char *const known_prefixes[] = {
    "listener.name.", "sasl.", "ssl.", "rsm.config.", "rlmm.config.",
};

static bool in_list(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, list[i]))
            return true;
    return false;
}

static bool starts_with_one(struct str name, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_starts(name, prefixes[i]))
            return true;
    return false;
}

bool name_is_removed(struct str name)
{
    return in_list(name, removed, ARRAY_SIZE(removed)) ||
           starts_with_one(name, removed_prefixes, ARRAY_SIZE(removed_prefixes));
}

bool name_is_known_by_prefix(struct str name)
{
    return starts_with_one(name, known_prefixes, ARRAY_SIZE(known_prefixes));
}

const struct config_setting *name_listener_setting(struct str name)
{
    struct str rest, listener;

    if (!text_starts(name, "listener.name."))
        return NULL;
    rest = text_from(name, strlen("listener.name."));
    if (!text_next(&rest, '.', &listener) || rest.p == NULL)
        return NULL;
    return config_broker_setting(rest);
}

int name_distance(struct str a, struct str b, int limit)
{
    int row[NAME_BYTES_MAX + 1];

    ASSERT(a.n <= NAME_BYTES_MAX);
    ASSERT(b.n <= NAME_BYTES_MAX);
    for (int j = 0; j <= (int)b.n; j++)
        row[j] = j;
    for (int i = 1; i <= (int)a.n; i++) {
        int diagonal = row[0], best = i;

        row[0] = i;
        for (int j = 1; j <= (int)b.n; j++) {
            int change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            int gap = MIN(row[j - 1], row[j]) + 1;

            diagonal = row[j];
            row[j] = MIN(change, gap);
            best = MIN(best, row[j]);
        }
        if (best > limit)
            return limit + 1;
    }
    return MIN(row[b.n], limit + 1);
}

const char *config_nearest_broker_setting(struct str name)
{
    const struct config_setting *topic = config_topic_setting(name);
    const char *nearest = NULL;
    int limit = (int)(name.n / 3) + 1;

    if (topic != NULL && topic->broker_synonym != NULL)
        return topic->broker_synonym;
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return NULL;
    for (int i = 0; i < config_n_broker_settings; i++) {
        int distance = name_distance(name, str_of(config_broker_settings[i].name), limit);

        if (distance > limit)
            continue;
        nearest = config_broker_settings[i].name;
        limit = distance - 1;
        if (limit < 0)
            break;
    }
    return nearest;
}
