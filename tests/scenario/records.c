/* Record batches as text.
 *
 *   in:   [k1:v1 v2 | pid=0 epoch=0 seq=2 ts=T+5 v3]     '|' begins the next batch
 *   out:  [0 k1:v1, 1 v2 | 2 v3]
 *
 * "k:" is a null value; "x*500" is x, five hundred times. Options hold to the end of their batch:
 * pid, epoch, seq, ts, codec (its number), txn=1, control=1, damage=crc|length|magic|count.
 */
#include <inttypes.h>

#include "record.h"
#include "text.h"

#define WALK_BYTES_MAX (1 << 24)
#define SHOWN_MAX      40
#define REPEAT_MAX     (64 << 20)

struct batch_text {
    struct batch_options options;
    int64_t timestamp_ms;
    struct str damage;
    bool begun;
    struct batch_builder bb;
};

static bool option(struct text_in *in, struct batch_text *t, struct str name, struct str value)
{
    int64_t v;

    if (str_is(name, "damage")) {
        t->damage = value;
        return true;
    }
    if (!text_in_number(in, value, &v))
        return false;
    if (str_is(name, "pid"))
        t->options.producer_id = v;
    else if (str_is(name, "epoch"))
        t->options.producer_epoch = (int16_t)v;
    else if (str_is(name, "seq"))
        t->options.base_sequence = (int32_t)v;
    else if (str_is(name, "ts"))
        t->timestamp_ms = v;
    else if (str_is(name, "codec"))
        t->options.attributes |= (int16_t)v;
    else if (str_is(name, "txn"))
        t->options.attributes |= BATCH_TRANSACTIONAL;
    else if (str_is(name, "control"))
        t->options.attributes |= BATCH_CONTROL;
    else
        return text_in_fail(in, "records have no option %.*s", STR_ARG(name));
    return true;
}

/* "x*500" */
static struct bytes repeated(struct text_in *in, struct str text)
{
    const char *star = memchr(text.p, '*', text.n);
    uint64_t n = star ? strtoull(star + 1, NULL, 10) : 0;
    size_t part = star ? (size_t)(star - text.p) : 0;
    uint8_t *p;

    if (part == 0 || n == 0 || n > REPEAT_MAX / part)
        return bytes_of(text.p, text.n);
    p = arena_alloc(in->arena, part * n);
    for (uint64_t i = 0; i < n; i++)
        memcpy(p + i * part, text.p, part);
    return bytes_of(p, part * n);
}

static void add_record(struct text_in *in, struct batch_text *t, struct buf *out, struct str word)
{
    const char *colon = memchr(word.p, ':', word.n);
    struct bytes key = {NULL, 0}, value;

    if (!t->begun)
        batch_begin(&t->bb, out, t->options);
    t->begun = true;
    if (colon) {
        key = bytes_of(word.p, (size_t)(colon - word.p));
        word = (struct str){colon + 1, word.n - key.n - 1};
    }
    value = colon && word.n == 0 ? (struct bytes){NULL, 0} : repeated(in, word);
    batch_add(&t->bb, t->timestamp_ms, key, value, NULL, 0);
}

static bool do_damage(struct text_in *in, struct str how, uint8_t *p)
{
    if (!how.p)
        return true;
    if (str_is(how, "crc"))
        p[BATCH_CRC_AT] ^= 1;
    else if (str_is(how, "length"))
        put_be32(p + BATCH_LENGTH_AT, get_be32(p + BATCH_LENGTH_AT) + 1);
    else if (str_is(how, "magic"))
        p[BATCH_MAGIC_AT] = 1;
    else if (str_is(how, "count")) {
        put_be32(p + 57, get_be32(p + 57) + 1);
        put_be32(p + BATCH_CRC_AT,
                 crc32c(0, p + BATCH_CRC_FROM,
                        get_be32(p + BATCH_LENGTH_AT) + BATCH_PREFIX_BYTES - BATCH_CRC_FROM));
    } else {
        return text_in_fail(in, "no such damage");
    }
    return true;
}

static bool batch_words(struct text_in *in, struct batch_text *t, struct buf *out)
{
    for (;;) {
        struct str word;
        const char *equal;

        text_in_skip_space(in);
        if (*in->at == '|' || *in->at == ']')
            return true;
        equal = in->at + strcspn(in->at, "= \t]|");
        if (*equal == '=') {
            struct str name = {in->at, (size_t)(equal - in->at)};

            in->at = equal + 1;
            if (!text_in_word(in, &word) || !option(in, t, name, word))
                return false;
            continue;
        }
        if (!text_in_word(in, &word))
            return false;
        add_record(in, t, out, word);
    }
}

/* One batch, up to '|' or ']'. */
static bool one_batch(struct text_in *in, struct buf *out)
{
    struct batch_text t = {.options = BATCH_OPTIONS_NONE, .timestamp_ms = in->wall_ms};
    size_t start = out->n;
    bool ok = batch_words(in, &t, out);

    if (!t.begun)
        return ok;
    if (batch_end(&t.bb) < 0)
        return text_in_fail(in, "the batch cannot be built");
    return ok && do_damage(in, t.damage, out->p + start);
}

bool text_in_records(struct text_in *in, struct wire_records *out)
{
    struct buf bytes;
    struct bytes kept;
    bool ok;

    if (!text_in_take(in, '['))
        return text_in_fail(in, "[ is missing");
    buf_init(&bytes);
    do
        ok = one_batch(in, &bytes);
    while (ok && text_in_take(in, '|'));
    ok = ok && (text_in_take(in, ']') || text_in_fail(in, "] is missing"));
    kept = arena_bytes(in->arena, bytes_of(bytes.p, bytes.n));
    *out =
        (struct wire_records){.p = kept.p ? kept.p : arena_alloc(in->arena, 1), .n_bytes = kept.n};
    buf_release(&bytes);
    return ok;
}

static void put_part(struct text_out *o, struct bytes v)
{
    if (v.n <= SHOWN_MAX)
        text_out_bytes(o, v);
    else
        buf_printf(o->out, "%.*s..(%zu)", 4, (const char *)v.p, v.n);
}

static void put_record(struct text_out *o, const struct record *r)
{
    buf_printf(o->out, "%" PRId64 " ", r->offset);
    if (r->key.p) {
        put_part(o, r->key);
        buf_put_str(o->out, ":");
    }
    if (r->value.p || !r->key.p)
        put_part(o, r->value);
}

static void put_control(struct text_out *o, const struct batch *b, const struct record *r)
{
    int16_t type = -1;

    (void)control_key_get(r->key, &type);
    buf_printf(o->out, "%" PRId64 " (%s)", r->offset,
               type == CONTROL_COMMIT  ? "commit"
               : type == CONTROL_ABORT ? "abort"
                                       : "control");
}

static void put_batch(struct text_out *o, const uint8_t *p, const struct batch *b)
{
    struct record_iter it;
    struct record r;
    struct buf scratch;
    const char *between = "";
    int rc;

    buf_init(&scratch);
    rc = record_iter_init(&it, p, b, WALK_BYTES_MAX, &scratch);
    while (rc >= 0 && (rc = record_iter_next(&it, &r)) == 1) {
        buf_put_str(o->out, between);
        if (b->attributes & BATCH_CONTROL)
            put_control(o, b, &r);
        else
            put_record(o, &r);
        between = ", ";
    }
    if (rc < 0)
        buf_printf(o->out, "%s(%s)", between, err_name(rc));
    buf_release(&scratch);
}

void text_out_records(struct text_out *o, const struct wire_records *v)
{
    const uint8_t *p = v->p;
    size_t n = v->n_bytes;
    const char *between = "";

    buf_put_str(o->out, "[");
    while (n > 0) {
        struct batch b;
        int rc = batch_check(p, n, &b);

        buf_put_str(o->out, between);
        between = " | ";
        if (rc < 0) {
            buf_printf(o->out, "(%zu bytes: %s)", n, err_name(rc));
            break;
        }
        put_batch(o, p, &b);
        p += b.total_bytes;
        n -= b.total_bytes;
    }
    buf_put_str(o->out, "]");
}
