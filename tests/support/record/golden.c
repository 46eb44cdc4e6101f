/* Reading golden batches, and saying what is in a batch in the words of the program that made them.
 */
#include "golden.h"

#define TIME                   1700000000000
#define BYTES_SHOWN            32
#define DECOMPRESSED_BYTES_MAX ((size_t)1 << 24)

struct buf golden_file(const char *name)
{
    char *path = xasprintf("tests/golden/record/%s", name);
    FILE *f = fopen(path, "rb");
    struct buf b;
    size_t n;

    if (!f)
        fprintf(stderr, "cannot open %s\n", path);
    ASSERT(f);
    buf_init(&b);
    do {
        buf_reserve(&b, 65536);
        n = fread(b.p + b.n, 1, 65536, f);
        b.n += n;
    } while (n > 0);
    fclose(f);
    free(path);
    return b;
}

static void dump_bytes(struct buf *out, struct bytes b)
{
    if (!b.p) {
        buf_put_str(out, "null");
        return;
    }
    if (b.n > BYTES_SHOWN) {
        buf_printf(out, "%zu bytes, crc %08x", b.n, crc32c_table(0, b.p, b.n));
        return;
    }
    buf_put_str(out, "'");
    for (size_t i = 0; i < b.n; i++)
        buf_printf(out, "%02x", b.p[i]);
    buf_put_str(out, "'");
}

static void dump_header(struct buf *out, const struct batch *b)
{
    buf_printf(out, "batch offsets %lld..%lld, %u bytes, epoch %d, crc %08x, codec %s%s%s%s%s\n",
               (long long)b->base_offset, (long long)batch_last_offset(b), b->total_bytes,
               b->leader_epoch, b->crc, codec_name(batch_codec(b)),
               b->attributes & BATCH_LOG_APPEND_TIME ? ", append time" : "",
               b->attributes & BATCH_TRANSACTIONAL ? ", transactional" : "",
               b->attributes & BATCH_CONTROL ? ", control" : "",
               b->attributes & BATCH_DELETE_HORIZON ? ", delete horizon" : "");
    buf_printf(out, "      times %lld..%lld, producer %lld/%d, sequences %d..%d, %d records\n",
               (long long)b->base_timestamp_ms, (long long)b->max_timestamp_ms,
               (long long)b->producer_id, b->producer_epoch, b->base_sequence,
               batch_last_sequence(b), b->record_count);
}

static int dump_record(struct buf *out, struct record *r)
{
    struct record_header h;
    int rc;

    buf_printf(out, "  %lld at %lld: key ", (long long)r->offset, (long long)r->timestamp_ms);
    dump_bytes(out, r->key);
    buf_put_str(out, ", value ");
    dump_bytes(out, r->value);
    buf_put_str(out, "\n");
    while ((rc = record_header_next(r, &h)) > 0) {
        buf_put_str(out, "    ");
        dump_bytes(out, bytes_of(h.key.p, h.key.n));
        buf_put_str(out, " = ");
        dump_bytes(out, h.value);
        buf_put_str(out, "\n");
    }
    return rc;
}

int golden_dump(struct bytes batch, struct buf *out)
{
    struct batch b;
    struct buf scratch;
    struct record_iter it;
    struct record r;
    int rc = batch_check(batch.p, batch.n, &b);

    if (rc < 0)
        return rc;
    buf_init(&scratch);
    rc = record_iter_init(&it, batch.p, &b, DECOMPRESSED_BYTES_MAX, &scratch);
    if (rc < 0)
        goto out;
    dump_header(out, &b);
    while ((rc = record_iter_next(&it, &r)) > 0) {
        rc = dump_record(out, &r);
        if (rc < 0)
            goto out;
    }
out:
    buf_release(&scratch);
    return rc;
}

static struct bytes text(const char *s)
{
    return bytes_of(s, strlen(s));
}

struct buf golden_mixed(struct batch_options options)
{
    static const struct record_header headers[] = {
        {{"trace", 5}, {(const uint8_t *)"abc", 3}},
        {{"none", 4}, {NULL, 0}},
        {{"", 0}, {(const uint8_t *)"", 0}},
        {{"trace", 5}, {(const uint8_t *)"\xc3\xa9", 2}},
    };
    const struct bytes null = {NULL, 0};
    char digits[300];
    struct batch_builder bb;
    struct buf out;
    int rc;

    for (size_t i = 0; i < sizeof(digits); i++)
        digits[i] = (char)('0' + i % 10);
    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, TIME, text("key"), text("value"), NULL, 0);
    batch_add(&bb, TIME + 70, null, text("no key"), NULL, 0);
    batch_add(&bb, TIME + 9000, text("tombstone"), null, NULL, 0);
    batch_add(&bb, TIME - 1000, text(""), text(""), NULL, 0);
    batch_add(&bb, TIME + 5, text("headers"), text("x"), headers, 4);
    batch_add(&bb, TIME + 4000000000, null, null, &headers[1], 1);
    batch_add(&bb, TIME, text("long"), bytes_of(digits, sizeof(digits)), NULL, 0);
    rc = batch_end(&bb);
    ASSERT(rc == 0);
    return out;
}
