/* A filter with its map, and batches to put through it. */
#include "filter_ground.h"

#define FIRST_MS 100
static const uint64_t zero_key[2];

struct ground *ground_new(void)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    offset_map_init(&g->map, zero_key, 0, 1 << 20, 0.9);
    g->filter = (struct filter){
        .map = &g->map, .latest = 1000, .now_ms = GROUND_NOW_MS, .delete_retention_ms = GROUND_RETAIN_MS};
    return g;
}

void ground_free(struct ground *g)
{
    offset_map_release(&g->map);
    filter_release(&g->filter);
    buf_release(&g->batch);
    buf_release(&g->out);
    free(g);
}

static struct bytes text(const char *s)
{
    return s ? bytes_of(s, strlen(s)) : bytes_of(NULL, 0);
}

void ground_make(struct ground *g, int64_t base, int16_t attributes, const char *const *records)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    int64_t ms = FIRST_MS;
    int rc;

    g->batch.n = 0;
    options.base_offset = base;
    options.attributes = attributes;
    options.producer_id = GROUND_PRODUCER;
    options.producer_epoch = GROUND_EPOCH;
    options.base_sequence = GROUND_SEQUENCE;
    batch_begin(&bb, &g->batch, options);
    for (; *records; records++) {
        const char *equals = strchr(*records, '=');
        size_t n = equals ? (size_t)(equals - *records) : strlen(*records);

        batch_add(&bb, ms++, n > 0 ? bytes_of(*records, n) : text(NULL), text(equals ? equals + 1 : NULL), NULL, 0);
    }
    rc = batch_end(&bb);
    assert_int_equal(rc, 0);
    assert_int_equal(batch_check(g->batch.p, g->batch.n, &g->b), 0);
}

void ground_make_marker(struct ground *g, int64_t offset, bool commits)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    uint8_t key[4], value[MARKER_VALUE_BYTES];
    struct batch_builder bb;
    int rc;

    control_key_put(key, commits ? CONTROL_COMMIT : CONTROL_ABORT);
    marker_value_put(value, 0);
    g->batch.n = 0;
    options.base_offset = offset;
    options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    options.producer_id = GROUND_PRODUCER;
    options.producer_epoch = GROUND_EPOCH;
    batch_begin(&bb, &g->batch, options);
    batch_add(&bb, FIRST_MS, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)), NULL, 0);
    rc = batch_end(&bb);
    assert_int_equal(rc, 0);
    assert_int_equal(batch_check(g->batch.p, g->batch.n, &g->b), 0);
}

void ground_learn(struct ground *g)
{
    struct buf scratch;
    bool fits;

    buf_init(&scratch);
    assert_int_equal(filter_add_keys(&g->map, g->batch.p, &g->b, 0, &scratch, &fits), 0);
    assert_true(fits);
    buf_release(&scratch);
}

void ground_run(struct ground *g, bool must_stay)
{
    g->out.n = 0;
    assert_int_equal(filter_batch(&g->filter, g->batch.p, &g->b, must_stay, &g->out, &g->left), 0);
    if (g->out.n > 0)
        assert_int_equal(batch_check(g->out.p, g->out.n, &g->left), 0);
}

void ground_again(struct ground *g)
{
    ASSERT(g->out.n > 0);
    g->batch.n = 0;
    buf_put(&g->batch, g->out.p, g->out.n);
    g->b = g->left;
}

void ground_expect_left(struct ground *g, const char *expected)
{
    struct record_iter it;
    struct record r;
    struct buf scratch, shown;

    buf_init(&scratch);
    buf_init(&shown);
    if (g->out.n > 0) {
        assert_int_equal(record_iter_init(&it, g->out.p, &g->left, 1 << 20, &scratch), 0);
        while (record_iter_next(&it, &r) == 1)
            buf_printf(&shown, "%lld:%lld:%.*s=%.*s ", (long long)r.offset, (long long)r.timestamp_ms, (int)r.key.n,
                       r.key.p ? (const char *)r.key.p : "", (int)r.value.n, r.value.p ? (const char *)r.value.p : "");
    }
    assert_string_equal(buf_cstr(&shown), expected);
    buf_release(&scratch);
    buf_release(&shown);
}

