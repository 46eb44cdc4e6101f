/* Feature levels: what this broker knows, and changing what is finalized (FeatureControlManager).
 *
 * Owner: nobody; decisions over struct meta.
 *
 * Happy path: every update is checked in turn -> a FeatureLevelRecord for each that changes something.
 * Failures:   the first update that cannot be made refuses all, with Kafka's words.
 */
#include "internal.h"

#define METADATA_VERSION "metadata.version"
#define KRAFT_VERSION    "kraft.version"

const struct meta_feature_range meta_supported_features[] = {
    {"group.version", 0, 1},
    {KRAFT_VERSION, 0, 1},
    {METADATA_VERSION, 7, META_FEATURE_METADATA_VERSION},
    {"share.version", 0, 2},
    {"streams.version", 0, 1},
    {"transaction.version", 0, 2},
    {"eligible.leader.replicas.version", 0, 1},
};
const int meta_n_supported_features = ARRAY_SIZE(meta_supported_features);

struct meta_feature *meta_feature_find(const struct meta *m, struct str name)
{
    for (int i = 0; i < m->n_features; i++)
        if (str_is(name, m->features[i].name))
            return &m->features[i];
    return NULL;
}

const struct meta_feature_range *meta_feature_range_of(struct str name)
{
    for (int i = 0; i < meta_n_supported_features; i++)
        if (str_is(name, meta_supported_features[i].name))
            return &meta_supported_features[i];
    return NULL;
}

static const char all_failed[] =
    "The update failed for all features since the following feature had an error: ";

static bool PRINTF_LIKE(3, 4)
    invalid(const struct meta_feature_update *u, struct meta_refusal *r, const char *fmt, ...)
{
    char reason[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    return meta_refuse(r, KE_INVALID_UPDATE_VERSION,
                       "%sInvalid update version %d for feature %s. %s", all_failed, u->level,
                       diag_escape(u->name), reason);
}

static bool check_known(const struct meta *m, const struct meta_feature_update *u,
                        struct meta_refusal *r)
{
    const struct meta_feature_range *range = meta_feature_range_of(u->name);

    if (u->level < 0)
        return invalid(u, r, "A feature version cannot be less than 0.");
    if (!range && u->level > 0)
        return invalid(u, r, "Local controller %d does not support this feature.", m->node_id);
    if (!range)
        return invalid(u, r, "Feature %s not found.", diag_escape(u->name));
    if (u->level < range->min || u->level > range->max)
        return invalid(u, r, "Local controller %d only supports versions %d-%d", m->node_id,
                       range->min, range->max);
    return true;
}

/* The metadata is of the one version that this broker writes. */
static bool check_metadata_version(const struct meta_feature_update *u, int16_t now,
                                   struct meta_refusal *r)
{
    if (u->level == now)
        return true;
    return meta_refuse(
        r, KE_INVALID_UPDATE_VERSION, "%sUnsupported metadata.version downgrade from %d to %d. %s",
        all_failed, now, u->level,
        u->type == META_FEATURE_UNSAFE_DOWNGRADE
            ? "Unsafe metadata downgrade is not supported in this version."
            : "Refusing to perform the requested downgrade because it might delete metadata "
              "information.");
}

static bool check_update(const struct meta *m, const struct meta_feature_update *u,
                         struct meta_refusal *r)
{
    const struct meta_feature *have = meta_feature_find(m, u->name);
    int16_t now = have ? have->level : 0;

    if (u->type < META_FEATURE_UPGRADE || u->type > META_FEATURE_UNSAFE_DOWNGRADE)
        return invalid(u, r, "The controller does not support the given upgrade type.");
    if (!check_known(m, u, r))
        return false;
    if (u->level < now && u->type == META_FEATURE_UPGRADE)
        return invalid(u, r,
                       "Can't downgrade the version of this feature without setting the upgrade "
                       "type to either safe or unsafe downgrade.");
    if (u->level > now && u->type != META_FEATURE_UPGRADE)
        return invalid(u, r, "Can't downgrade to a newer version.");
    if (str_is(u->name, METADATA_VERSION))
        return check_metadata_version(u, now, r);
    if (str_is(u->name, KRAFT_VERSION) && u->level > 0)
        return invalid(u, r, "The quorum is this broker alone, and its voters cannot change.");
    return true;
}

static void put(struct statelog_proposal *p, const struct meta *m,
                const struct meta_feature_update *u)
{
    const struct meta_feature *have = meta_feature_find(m, u->name);
    struct feature_level_record record;

    if ((have ? have->level : 0) == u->level)
        return;
    feature_level_record_init(&record);
    record.name = u->name;
    record.feature_level = u->level;
    meta_proposal_put(p, RECORD_FEATURE_LEVEL, 0, &record);
}

int meta_update_features(struct meta *m, const struct meta_feature_update *updates, int n,
                         bool validate_only, int16_t *error, struct errmsg *why)
{
    struct meta_refusal r = {error, why};
    struct statelog_proposal p;
    int rc = 0;

    ASSERT(m->magic == META_MAGIC);
    *error = KE_NONE;
    for (int i = 0; i < n; i++)
        if (!check_update(m, &updates[i], &r))
            return 0;
    statelog_proposal_init(&p);
    for (int i = 0; i < n; i++)
        put(&p, m, &updates[i]);
    if (!validate_only && p.n > 0)
        rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    return rc;
}
