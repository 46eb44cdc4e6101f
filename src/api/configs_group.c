/* DescribeConfigs of groups and of subscriptions to client metrics.
 *
 * Owner: the request; rows live in its arena.
 *
 * Neither needs to exist: what was never set shows its defaults.
 */
#include "configs.h"

void configs_describe_client_metrics(struct describe *d)
{
    const struct config_pair *pairs, *own;
    int n;

    if (d->asked->resource_name.n == 0) {
        configs_refuse(d, KE_INVALID_REQUEST,
                       STR("Client metrics subscription name must not be empty"));
        return;
    }
    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_CLIENT_METRICS, d->asked->resource_name,
                         &n);
    if (!configs_reserve(d, config_n_client_metrics_settings))
        return;
    for (int i = 0; i < config_n_client_metrics_settings; i++) {
        const struct config_setting *st = &config_client_metrics_settings[i];
        struct api_synonym self = {.name = str_of(st->name), .source = SHOWN_CLIENT_METRICS};
        struct describe_configs_response_results_configs *row;

        if (!configs_asked_for(d, self.name))
            continue;
        own = config_pair_find(pairs, n, self.name);
        row = configs_add_setting(d, st);
        row->value = self.value =
            own ? configs_canonical(d, st, own->value) : str_of(st->default_text);
        configs_set_source(d, row, &self, own ? 1 : 0);
    }
}

/* The broker setting that gives a group's default. One is a list there, of which the group takes
 * the first. */
static const struct config_setting *group_default(const struct config_setting *st)
{
    const char *name = st->broker_synonym;

    if (strcmp(st->name, "streams.assignor.name") == 0)
        name = "group.streams.assignors";
    return name ? config_broker_setting(str_of(name)) : NULL;
}

static struct str first_item(struct str list)
{
    const char *comma = list.n > 0 ? memchr(list.p, ',', list.n) : NULL;

    if (comma)
        list.n = (size_t)(comma - list.p);
    return list;
}

static void group_setting(struct describe *d, const struct config_setting *st,
                          const struct config_pair *own)
{
    const struct config_setting *from = group_default(st);
    struct api_synonym synonyms[API_SYNONYMS_MAX + 1];
    struct describe_configs_response_results_configs *row = configs_add_setting(d, st);
    int n = 0;

    if (own)
        row->value = configs_canonical(d, st, own->value);
    else
        row->value = from ? api_broker_value(d->rq, from) : str_of(st->default_text);
    if (!own && from && from->type == CONFIG_LIST && st->type != CONFIG_LIST)
        row->value = first_item(row->value);
    if (own)
        synonyms[n++] = (struct api_synonym){row->name, row->value, SHOWN_GROUP};
    if (from)
        n += api_broker_synonyms(d->rq, from->name, synonyms + n);
    else if (st->default_text)
        synonyms[n++] = (struct api_synonym){row->name, str_of(st->default_text), SHOWN_DEFAULT};
    configs_set_source(d, row, synonyms, n);
}

void configs_describe_group(struct describe *d)
{
    const struct config_pair *pairs;
    int n;

    if (d->asked->resource_name.n == 0) {
        configs_refuse(d, KE_INVALID_REQUEST, STR("Group name must not be empty"));
        return;
    }
    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_GROUP, d->asked->resource_name, &n);
    if (!configs_reserve(d, config_n_group_settings))
        return;
    for (int i = 0; i < config_n_group_settings; i++) {
        const struct config_setting *st = &config_group_settings[i];
        const struct config_pair *own = config_pair_find(pairs, n, str_of(st->name));

        if (configs_asked_for(d, str_of(st->name)) && (own || !api_setting_hidden(st)))
            group_setting(d, st, own);
    }
}
