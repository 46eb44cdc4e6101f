/* What each start writes: an empty log's first records, missing feature levels, and this broker's
 * registration.
 *
 * Owner: struct meta, while it opens.
 *
 * Happy path: LeaderChange into an empty log (KafkaRaftClient) -> one batch with the feature levels
 *             and the cluster's min.insync.replicas (ActivationRecordsGenerator) -> one with the
 *             registration (ClusterControlManager): its epoch is its offset, so that it rises with
 *             every start.
 * Failures:   levels above what we know are E_FORMAT. On a full disk a log that was started before
 *             serves on, with the registration of the last start; any other failure is the
 *             caller's.
 */
#include "internal.h"

/* Finalized in a new log, in the order that Kafka's format writes. kraft.version is 0, which is not
 * written. */
static const char *const finalized[] = {"metadata.version", "eligible.leader.replicas.version",
                                        "group.version",    "share.version",
                                        "streams.version",  "transaction.version"};

static int check_levels(const struct meta *m, struct errmsg *msg)
{
    for (int i = 0; i < m->n_features; i++) {
        const struct meta_feature *f = &m->features[i];
        const struct meta_feature_range *range = meta_feature_range_of(str_of(f->name));

        if (!range || f->level > range->max) {
            errmsg_set(msg, "the metadata has %s at level %d, newer than this broker reads (%d)",
                       f->name, f->level, range ? range->max : 0);
            return E_FORMAT;
        }
    }
    return 0;
}

/* ---- the first records ----------------------------------------------------------------------- */

static int lead(struct meta *m)
{
    struct leader_change_message_voters self = {.voter_id = m->node_id};
    struct leader_change_message lc;
    struct wire_writer w;
    struct buf value;
    int rc;

    leader_change_message_init(&lc);
    lc.leader_id = m->node_id;
    lc.voters = lc.granting_voters = &self;
    lc.n_voters = lc.n_granting_voters = 1;
    buf_init(&value);
    wire_writer_init(&w, &value);
    leader_change_message_encode(&lc, &w, 0);
    wire_writer_release(&w);
    rc = statelog_propose_control(m->log, CONTROL_LEADER_CHANGE, bytes_of(value.p, value.n));
    buf_release(&value);
    return rc;
}

/* A log of an older Kafka's is raised to our levels. In one that has our metadata.version the others are what an administrator
 * chose. */
static void put_levels(const struct meta *m, struct statelog_proposal *p)
{
    const struct meta_feature *version = meta_feature_find(m, STR("metadata.version"));

    if (version && version->level == META_FEATURE_METADATA_VERSION)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(finalized); i++) {
        const struct meta_feature *have = meta_feature_find(m, str_of(finalized[i]));
        int16_t level = meta_feature_range_of(str_of(finalized[i]))->max;
        struct feature_level_record r;

        if (have && have->level >= level)
            continue;
        if (have)
            diag_info("metadata: %s goes from level %d to %d", finalized[i], have->level, level);
        feature_level_record_init(&r);
        r.name = str_of(finalized[i]);
        r.feature_level = level;
        meta_proposal_put(p, RECORD_FEATURE_LEVEL, 0, &r);
    }
}

/* With eligible leader replicas Kafka keeps min.insync.replicas as a setting of the cluster
 * (KIP-966). */
static void put_min_insync(const struct meta *m, struct statelog_proposal *p)
{
    static const struct str name = {.p = "min.insync.replicas",
                                    .n = sizeof("min.insync.replicas") - 1};
    const struct config_pair *pairs;
    struct config_record r;
    char *text;
    int n;

    pairs = meta_configs(m, META_RESOURCE_BROKER, STR(""), &n);
    if (meta_pairs_find(pairs, n, name))
        return;
    text = config_text(m->config, config_broker_setting(name));
    config_record_init(&r);
    r.resource_type = META_RESOURCE_BROKER;
    r.resource_name = STR("");
    r.name = name;
    r.value = str_of(text);
    meta_proposal_put(p, RECORD_CONFIG, 0, &r);
    free(text);
}

static int bootstrap(struct meta *m)
{
    struct statelog_proposal p;
    int rc = 0;

    statelog_proposal_init(&p);
    put_levels(m, &p);
    put_min_insync(m, &p);
    if (p.n > 0)
        rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    return rc;
}

/* A crash may have cut a transaction off. */
static int abort_transaction(struct meta *m)
{
    struct abort_transaction_record r;
    struct statelog_proposal p;
    int rc;

    abort_transaction_record_init(&r);
    r.reason = STR("The transaction was cut off by a crash.");
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_ABORT_TRANSACTION, 0, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    return rc;
}

/* ---- registration ---------------------------------------------------------------------------- */

static void put_registration(struct meta *m, const struct meta_options *o,
                             struct statelog_proposal *p)
{
    struct register_broker_record_end_points *eps =
        xcalloc((size_t)o->n_endpoints + 1, sizeof(*eps));
    struct register_broker_record_features *fs =
        xcalloc((size_t)meta_n_supported_features, sizeof(*fs));
    struct register_broker_record r;

    register_broker_record_init(&r);
    r.broker_id = m->node_id;
    r.incarnation_id = rng_uuid(&m->env->rng);
    r.broker_epoch = statelog_end(m->log);
    for (int i = 0; i < o->n_endpoints; i++) {
        eps[i].name = o->endpoints[i].name;
        eps[i].host = o->endpoints[i].host;
        eps[i].port = (uint16_t)o->endpoints[i].port;
        eps[i].security_protocol = o->endpoints[i].security_protocol;
    }
    r.end_points = eps;
    r.n_end_points = o->n_endpoints;
    for (int i = 0; i < meta_n_supported_features; i++) {
        fs[i].name = str_of(meta_supported_features[i].name);
        fs[i].min_supported_version = meta_supported_features[i].min;
        fs[i].max_supported_version = meta_supported_features[i].max;
    }
    r.features = fs;
    r.n_features = meta_n_supported_features;
    r.rack = str_of(m->config->broker_rack);
    r.fenced = true; /* the change record below takes it back, as the first heartbeat does */
    r.log_dirs = m->dir_ids;
    r.n_log_dirs = m->n_dir_ids;
    meta_proposal_put(p, RECORD_REGISTER_BROKER, 4, &r);
    free(eps);
    free(fs);
}

/* No directory is cordoned; then: not fenced any more. Two records, in the versions that Kafka
 * writes them. */
static void put_registration_changes(const struct meta *m, int64_t epoch,
                                     struct statelog_proposal *p)
{
    struct broker_registration_change_record r;
    struct uuid none;

    broker_registration_change_record_init(&r);
    r.broker_id = m->node_id;
    r.broker_epoch = epoch;
    r.cordoned_log_dirs = &none;
    r.n_cordoned_log_dirs = 0;
    meta_proposal_put(p, RECORD_BROKER_REGISTRATION_CHANGE, 3, &r);
    broker_registration_change_record_init(&r);
    r.broker_id = m->node_id;
    r.broker_epoch = epoch;
    r.fenced = -1; /* BrokerRegistrationFencingChange.UNFENCE */
    meta_proposal_put(p, RECORD_BROKER_REGISTRATION_CHANGE, 0, &r);
}

static int register_broker(struct meta *m, const struct meta_options *options)
{
    int64_t epoch = statelog_end(m->log);
    struct statelog_proposal p;
    int rc;

    statelog_proposal_init(&p);
    put_registration(m, options, &p);
    put_registration_changes(m, epoch, &p);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, m->broker_epoch == epoch));
    return rc;
}

int meta_start(struct meta *m, const struct meta_options *options, struct errmsg *msg)
{
    bool was_started = m->broker_epoch >= 0;
    int rc = check_levels(m, msg);

    if (rc < 0)
        return rc;
    if (statelog_end(m->log) == 0)
        rc = lead(m);
    if (rc == 0 && m->in_transaction)
        rc = abort_transaction(m);
    if (rc == 0)
        rc = bootstrap(m);
    if (rc == 0)
        rc = register_broker(m, options);
    if (rc == E_NOSPC && was_started) {
        diag_warn("metadata: no space to register this start; going on with the registration of "
                  "the last one");
        return 0;
    }
    if (rc < 0)
        errmsg_set(msg, "writing the first metadata records: %s", err_text(rc));
    return rc;
}
