/* Settings of consumer groups: the group's own (GROUP resources), within what the broker allows, else the broker's
 * (GroupConfig.evaluate, GroupCoordinatorConfig).
 */
#include "assignor.h"
#include "consumer.h"

#include <strings.h>

struct bounds {
    const char *name;
    int64_t broker, min, max;
};

static bool number_of(struct str text, int64_t *out)
{
    int64_t v = 0;

    if (text.n == 0 || text.n > 10)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (text.p[i] - '0');
    }
    *out = v;
    return true;
}

static int64_t setting(struct groupm *m, struct str group_id, struct bounds b)
{
    const struct groupm_options *o = &m->options;
    const struct config_pair *pairs;
    int64_t own;
    int n = 0;

    if (!o->group_configs)
        return b.broker;
    pairs = o->group_configs(o->arg, group_id, &n);
    for (int i = 0; i < n; i++)
        if (str_is(pairs[i].name, b.name) && number_of(pairs[i].value, &own))
            return MIN(MAX(own, b.min), b.max);
    return b.broker;
}

int64_t cg_session_timeout_ms(struct groupm *m, struct str group_id)
{
    const struct config *c = m->options.config;

    return setting(m, group_id,
                   (struct bounds){"consumer.session.timeout.ms",
                                   c->group_consumer_session_timeout_ms,
                                   c->group_consumer_min_session_timeout_ms,
                                   c->group_consumer_max_session_timeout_ms});
}

int64_t cg_heartbeat_interval_ms(struct groupm *m, struct str group_id)
{
    const struct config *c = m->options.config;

    return setting(m, group_id,
                   (struct bounds){"consumer.heartbeat.interval.ms",
                                   c->group_consumer_heartbeat_interval_ms,
                                   c->group_consumer_min_heartbeat_interval_ms,
                                   c->group_consumer_max_heartbeat_interval_ms});
}

int64_t cg_assignment_interval_ms(struct groupm *m, struct str group_id)
{
    const struct config *c = m->options.config;

    return setting(m, group_id,
                   (struct bounds){"consumer.assignment.interval.ms",
                                   c->group_consumer_assignment_interval_ms,
                                   c->group_consumer_min_assignment_interval_ms,
                                   c->group_consumer_max_assignment_interval_ms});
}

/* ---- assignors */

static struct str next_word(struct str *list)
{
    struct str word = *list;
    const char *comma = list->n > 0 ? memchr(list->p, ',', list->n) : NULL;

    if (comma) {
        word.n = (size_t)(comma - list->p);
        list->p = comma + 1;
        list->n -= word.n + 1;
    } else {
        list->n = 0;
    }
    while (word.n > 0 && *word.p == ' ') {
        word.p++;
        word.n--;
    }
    while (word.n > 0 && word.p[word.n - 1] == ' ')
        word.n--;
    return word;
}

/* The names may be those of Kafka's classes, too: what counts is what is built in. */
static struct str assignor_name(struct str word)
{
    if (str_is(word, "org.apache.kafka.coordinator.group.assignor.UniformAssignor"))
        return STR("uniform");
    if (str_is(word, "org.apache.kafka.coordinator.group.assignor.RangeAssignor"))
        return STR("range");
    return word;
}

static struct str default_assignor(const struct groupm *m)
{
    struct str list = str_of(m->options.config->group_consumer_assignors);

    while (list.n > 0) {
        struct str name = assignor_name(next_word(&list));

        if (assignor_find(name))
            return name;
    }
    return STR("uniform");
}

bool cg_assignor_supported(const struct groupm *m, struct str name)
{
    struct str list = str_of(m->options.config->group_consumer_assignors);

    while (list.n > 0)
        if (str_eq(assignor_name(next_word(&list)), name))
            return assignor_find(name) != NULL;
    return false;
}

struct str cg_assignors_text(const struct groupm *m, struct arena *arena)
{
    struct str list = str_of(m->options.config->group_consumer_assignors), text = STR("");

    while (list.n > 0) {
        struct str name = assignor_name(next_word(&list));

        text = arena_printf(arena, "%.*s%s%.*s", STR_ARG(text), text.n ? ", " : "", STR_ARG(name));
    }
    return text;
}

struct str cg_preferred_assignor(const struct group *g, struct cg_change change)
{
    struct str old = change.old ? change.old->assignor : (struct str){NULL, 0};
    struct str new = change.new ? change.new->assignor : (struct str){NULL, 0};
    struct str best = {NULL, 0};
    int32_t most = 0;

    for (const struct cg_count *c = g->consumer->assignors; c; c = c->hh.next) {
        int32_t n = c->n_members - str_eq(c->name, old) + str_eq(c->name, new);

        if (n > most) {
            most = n;
            best = c->name;
        }
    }
    if (most == 0 && new.p)
        best = new;
    return best.p && assignor_find(best) ? best : default_assignor(g->shard->m);
}

/* ---- group.consumer.migration.policy */

static bool policy_is(const struct groupm *m, const char *one, const char *other)
{
    const char *policy = m->options.config->group_consumer_migration_policy;

    return strcasecmp(policy, one) == 0 || strcasecmp(policy, other) == 0;
}

bool cg_may_upgrade(const struct groupm *m)
{
    return policy_is(m, "upgrade", "bidirectional");
}

bool cg_may_downgrade(const struct groupm *m)
{
    return policy_is(m, "downgrade", "bidirectional");
}

bool cg_may_migrate(const struct groupm *m)
{
    return cg_may_upgrade(m) || cg_may_downgrade(m);
}
