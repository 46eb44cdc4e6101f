/* Requests at random. See requests.h.
 *
 * What a value is, its field's name says: the table below. One in ten is anything at all.
 */
#include "record.h"
#include "requests.h"
#include "walk.h"

#define RECORDS_MAX  5
#define ELEMENTS_MAX 3
#define WAIT_MS_MAX  20000
#define BATCH_DAMAGE 12 /* one batch in so many */

static const char *const topics[] = {
    "a", "b", "c", "logs", "__consumer_offsets", "__transaction_state", "__cluster_metadata"};
static const char *const groups[] = {"g", "h", ""};
static const char *const members[] = {"", "nobody"};
static const char *const transactions[] = {"tx", "ty", ""};
static const char *const configs[] = {
    "cleanup.policy",         "retention.ms",        "retention.bytes",
    "segment.bytes",          "max.message.bytes",   "compression.type",
    "message.timestamp.type", "min.insync.replicas", "log.retention.ms",
    "background.threads",     "log.cleaner.threads", "group.coordinator.threads",
    "no.such.thing"};
static const char *const values[] = {"compact",
                                     "delete",
                                     "compact,delete",
                                     "0",
                                     "1",
                                     "-1",
                                     "1000",
                                     "9223372036854775807",
                                     "zstd",
                                     "LogAppendTime",
                                     "",
                                     "99999999999999999999",
                                     "1.5"};
static const char *const resources[] = {"a", "b", "1", "", "g", "metrics", "2"};
static const char *const protocols[] = {"consumer", "range", "uniform", "cooperative-sticky",
                                        "connect"};
static const char *const patterns[] = {"a|b", ".*", "(", "[a-z]{1000}", ""};
static const char *const dirs[] = {"/data", "/data1", "any", "/none"};
static const char *const features[] = {"transaction.version", "group.version", "metadata.version",
                                       "kraft.version",       "share.version", "none"};

/* The first row whose word is in the field's name. */
static const struct {
    const char *word;
    const char *const *values;
    size_t n;
} hints[] = {
    {"regex", patterns, ARRAY_SIZE(patterns)},
    {"pattern", patterns, ARRAY_SIZE(patterns)},
    {"transactional_id", transactions, ARRAY_SIZE(transactions)},
    {"topic", topics, ARRAY_SIZE(topics)},
    {"group", groups, ARRAY_SIZE(groups)},
    {"member", members, ARRAY_SIZE(members)},
    {"instance", members, ARRAY_SIZE(members)},
    {"protocol", protocols, ARRAY_SIZE(protocols)},
    {"assignor", protocols, ARRAY_SIZE(protocols)},
    {"resource", resources, ARRAY_SIZE(resources)},
    {"config", configs, ARRAY_SIZE(configs)},
    {"value", values, ARRAY_SIZE(values)},
    {"path", dirs, ARRAY_SIZE(dirs)},
    {"feature", features, ARRAY_SIZE(features)},
    {"key", groups, ARRAY_SIZE(groups)},
    {"name", topics, ARRAY_SIZE(topics)},
};

static bool one_in(struct maker *mk, uint64_t n)
{
    return rng_below(&mk->rng, n) == 0;
}

/* Nonsense, one time in n. */
static bool nonsense(struct maker *mk, uint64_t n)
{
    return !mk->careful && one_in(mk, n);
}

static const struct seen_value *pick(struct maker *mk, const char *name, enum seen_type type)
{
    return seen_pick(mk->seen, &mk->rng, name, type, mk->careful && !one_in(mk, 4));
}

static struct bytes noise(struct maker *mk, size_t n_max)
{
    size_t n = rng_below(&mk->rng, n_max + 1);
    uint8_t *p = arena_alloc(mk->arena, n + 1);

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_next(&mk->rng);
    return bytes_of(p, n);
}

/* ---- text */

static struct str any_text(struct maker *mk)
{
    static const char *const odd[] = {"",         ".",   "..",           "../../etc", "a b",
                                      "\xc3\x28", "a\n", "\xe2\x82\xac", "-1"};
    struct bytes b;

    if (one_in(mk, 2))
        return str_of(odd[rng_below(&mk->rng, ARRAY_SIZE(odd))]);
    b = noise(mk, one_in(mk, 4) ? 400 : 8);
    return (struct str){(const char *)b.p, b.n};
}

static struct str hinted(struct maker *mk, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
        if (strstr(name, hints[i].word))
            return str_of(hints[i].values[rng_below(&mk->rng, hints[i].n)]);
    return any_text(mk);
}

static struct str make_text(struct maker *mk, const char *name)
{
    const struct seen_value *v;

    if (nonsense(mk, 5))
        return any_text(mk);
    /* Kafka calls topics, settings and groups "name" alike. */
    if (strcmp(name, "name") == 0 && one_in(mk, 3))
        return hinted(mk, one_in(mk, 2) ? "config" : "feature");
    v = one_in(mk, 2) ? NULL : pick(mk, name, SEEN_TEXT);
    return v ? (struct str){v->text, v->n} : hinted(mk, name);
}

/* ---- numbers */

static int64_t any_number(struct maker *mk, unsigned bits)
{
    int64_t greatest = (int64_t)(UINT64_MAX >> (65 - bits));

    switch (rng_below(&mk->rng, 4)) {
    case 0:
        return greatest;
    case 1:
        return -greatest - 1;
    case 2:
        return (int64_t)rng_next(&mk->rng) % (greatest + (greatest < INT64_MAX));
    default:
        return -2;
    }
}

static int64_t make_number(struct maker *mk, const char *name, unsigned bits)
{
    static const int64_t usual[] = {0, 0, 0, 1, 1, 2, 3, -1, -1, 5, 100};
    const struct seen_value *v = pick(mk, name, SEEN_NUMBER);
    bool is_time = strstr(name, "_ms") || strstr(name, "timeout");

    /* Nobody waits longer than the end of a run does. */
    if (is_time && bits == 32)
        return one_in(mk, 10) ? -1 : (int64_t)rng_below(&mk->rng, WAIT_MS_MAX);
    if (strstr(name, "timestamp") && one_in(mk, 2))
        return mk->wall_ms;
    if (nonsense(mk, 5))
        return any_number(mk, bits);
    if (v && !one_in(mk, 4))
        return v->number;
    return usual[rng_below(&mk->rng, ARRAY_SIZE(usual))];
}

static void make_scalar(struct maker *mk, const struct wire_field_info *f, void *at)
{
    switch (f->type) {
    case WIRE_INT8:
        *(int8_t *)at =
            (int8_t)(nonsense(mk, 4) ? any_number(mk, 8) : (int64_t)rng_below(&mk->rng, 5));
        break;
    case WIRE_INT16:
    case WIRE_UINT16:
        *(int16_t *)at = (int16_t)make_number(mk, f->name, 16);
        break;
    case WIRE_INT32:
    case WIRE_UINT32:
        *(int32_t *)at = (int32_t)make_number(mk, f->name, 32);
        break;
    case WIRE_INT64:
        *(int64_t *)at = make_number(mk, f->name, 64);
        break;
    case WIRE_FLOAT64:
        *(double *)at = (double)make_number(mk, f->name, 32) / 8;
        break;
    case WIRE_BOOL:
        *(bool *)at = one_in(mk, 2);
        break;
    default:
        ASSERT(!"a scalar");
    }
}

/* ---- records */

static void make_batch(struct maker *mk, struct buf *out)
{
    static const int64_t kinds[] = {0,
                                    0,
                                    0,
                                    BATCH_TRANSACTIONAL,
                                    BATCH_TRANSACTIONAL,
                                    BATCH_CONTROL,
                                    BATCH_TRANSACTIONAL | BATCH_CONTROL};
    struct batch_options options = BATCH_OPTIONS_NONE;
    int n = 1 + (int)rng_below(&mk->rng, RECORDS_MAX);
    struct batch_builder bb;
    size_t at = out->n;

    options.attributes = (int16_t)(kinds[rng_below(&mk->rng, ARRAY_SIZE(kinds))] |
                                   (int64_t)rng_below(&mk->rng, one_in(mk, 4) ? 5 : 1));
    if (options.attributes & BATCH_TRANSACTIONAL || one_in(mk, 3)) {
        options.producer_id = make_number(mk, "producer_id", 64);
        options.producer_epoch = (int16_t)make_number(mk, "producer_epoch", 16);
        options.base_sequence = (int32_t)make_number(mk, "base_sequence", 32);
    }
    batch_begin(&bb, out, options);
    for (int i = 0; i < n; i++) {
        static const char *const keys[] = {"k", "l", "m"};
        struct str key = str_of(keys[rng_below(&mk->rng, ARRAY_SIZE(keys))]);

        batch_add(&bb, mk->wall_ms, one_in(mk, 4) ? (struct bytes){0} : bytes_of(key.p, key.n),
                  one_in(mk, 4) ? (struct bytes){0} : noise(mk, 40), NULL, 0);
    }
    if (batch_end(&bb) == 0 && nonsense(mk, BATCH_DAMAGE))
        out->p[at + rng_below(&mk->rng, out->n - at)] ^= (uint8_t)(1 + rng_below(&mk->rng, 255));
}

static void make_records(struct maker *mk, struct wire_records *r)
{
    struct buf out;
    struct bytes kept;

    buf_init(&out);
    do
        make_batch(mk, &out);
    while (one_in(mk, 8));
    kept = arena_bytes(mk->arena, bytes_of(out.p, out.n));
    buf_release(&out);
    if (nonsense(mk, 10))
        kept = noise(mk, 200);
    *r = (struct wire_records){
        .p = kept.p, .n_bytes = nonsense(mk, 10) ? rng_below(&mk->rng, kept.n + 1) : kept.n};
}

/* ---- messages */

/* A subscription of a consumer to topics a and b (ConsumerProtocolSubscription v0), or noise. */
static struct bytes make_bytes(struct maker *mk)
{
    static const uint8_t subscription[] = {0,   0, 0, 0,   0,    2,    0,    1,
                                           'a', 0, 1, 'b', 0xff, 0xff, 0xff, 0xff};

    return one_in(mk, 2) ? bytes_of(subscription, sizeof(subscription)) : noise(mk, 60);
}

static void make_value(struct maker *mk, const struct wire_field_info *f, void *at)
{
    const struct seen_value *v;

    switch (f->type) {
    case WIRE_STRUCT:
        make_message(mk, f->of, at);
        break;
    case WIRE_STRING:
        *(struct str *)at = make_text(mk, f->name);
        break;
    case WIRE_BYTES:
        *(struct bytes *)at = make_bytes(mk);
        break;
    case WIRE_RECORDS:
        make_records(mk, at);
        break;
    case WIRE_UUID:
        v = nonsense(mk, 4) ? NULL : pick(mk, f->name, SEEN_UUID);
        *(struct uuid *)at = v ? v->uuid : one_in(mk, 2) ? UUID_ZERO : rng_uuid(&mk->rng);
        break;
    default:
        make_scalar(mk, f, at);
    }
}

static void make_array(struct maker *mk, const struct wire_field_info *f, uint8_t *m)
{
    bool null = walk_nullable(f, mk->version) && one_in(mk, 6);
    int32_t n = null ? -1 : (int32_t)rng_below(&mk->rng, ELEMENTS_MAX + 1);
    size_t value_bytes = walk_value_bytes(f);
    uint8_t *elements = n > 0 ? arena_array(mk->arena, (size_t)n, value_bytes) : NULL;

    *(uint8_t **)(m + f->offset) = elements;
    *(int32_t *)(m + f->count_offset) = n;
    for (int32_t i = 0; i < n; i++)
        make_value(mk, f, elements + (size_t)i * value_bytes);
}

static void make_field(struct maker *mk, const struct wire_field_info *f, uint8_t *m)
{
    uint8_t *at = m + f->offset;

    if (walk_is_array(f)) {
        make_array(mk, f, m);
    } else if (walk_nullable(f, mk->version) && one_in(mk, 5)) {
        memset(at, 0, f->pointer ? sizeof(void *) : walk_value_bytes(f));
    } else {
        if (f->pointer) {
            *(uint8_t **)at = arena_alloc(mk->arena, f->of->bytes);
            at = *(uint8_t **)at;
        }
        make_value(mk, f, at);
    }
}

void make_message(struct maker *mk, const struct wire_struct_info *shape, void *m)
{
    memcpy(m, shape->defaults, shape->bytes);
    for (int i = 0; i < shape->n_fields; i++) {
        const struct wire_field_info *f = &shape->fields[i];

        /* A tagged field is mostly left out. */
        if (walk_present(f, mk->version) &&
            !(mk->version >= f->tagged_min && mk->version <= f->tagged_max && one_in(mk, 2)))
            make_field(mk, f, (uint8_t *)m);
    }
}
