/* The five codecs behind one door.
 *
 * Owner: nobody; pure functions of their arguments, callable on any thread.
 *
 * Happy path: a codec's own file decompresses into a sink, which hands out room in growing
 *             steps.
 * Invariant:  a failed call leaves out->n as it was; a call never makes more than max_bytes + 1
 *             bytes.
 * Failures:   E_CORRUPT, E_LIMIT; a level that the codec does not have is E_INVALID.
 */
#include "codec_impl.h"

#define ROOM_BYTES_MIN 4096

static int none_decompress(struct bytes in, struct sink *s)
{
    if (in.n > s->max_bytes)
        return E_LIMIT;
    buf_put(s->out, in.p, in.n);
    return 0;
}

static int none_compress(struct bytes in, int32_t level, struct buf *out)
{
    buf_put(out, in.p, in.n);
    return 0;
}

static const struct codec_ops codec_none = {
    .name = "none", .decompress = none_decompress, .compress = none_compress};

static const struct codec_ops *const codecs[CODEC_COUNT] = {
    [CODEC_NONE] = &codec_none, [CODEC_GZIP] = &codec_gzip, [CODEC_SNAPPY] = &codec_snappy,
    [CODEC_LZ4] = &codec_lz4,   [CODEC_ZSTD] = &codec_zstd,
};

static const struct codec_ops *ops_of(enum codec c)
{
    ASSERT((unsigned)c < CODEC_COUNT);
    return codecs[c];
}

const char *codec_name(enum codec c)
{
    return ops_of(c)->name;
}

bool codec_parse(struct str name, enum codec *out)
{
    for (int i = 0; i < CODEC_COUNT; i++) {
        if (str_is(name, codecs[i]->name)) {
            *out = (enum codec)i;
            return true;
        }
    }
    if (!str_is(name, "uncompressed"))
        return false;
    *out = CODEC_NONE;
    return true;
}

void sink_init(struct sink *s, struct buf *out, size_t max_bytes)
{
    ASSERT(max_bytes < SIZE_MAX / 2);
    *s = (struct sink){.out = out, .start = out->n, .max_bytes = max_bytes};
}

size_t sink_bytes(const struct sink *s)
{
    ASSERT(s->out->n >= s->start);
    return s->out->n - s->start;
}

uint8_t *sink_room(struct sink *s, size_t wish, size_t *n_room)
{
    size_t done = sink_bytes(s), left;

    ASSERT(done <= s->max_bytes);
    left = s->max_bytes + 1 - done;
    *n_room = MIN(MAX(MAX(wish, done), (size_t)ROOM_BYTES_MIN), left);
    buf_reserve(s->out, *n_room);
    return s->out->p + s->out->n;
}

int sink_wrote(struct sink *s, size_t n)
{
    ASSERT(s->out->n + n <= s->out->cap);
    s->out->n += n;
    return sink_bytes(s) > s->max_bytes ? E_LIMIT : 0;
}

int codec_decompress(enum codec c, struct bytes in, size_t max_bytes, struct buf *out)
{
    const struct codec_ops *ops = ops_of(c);
    struct sink s;
    int rc;

    sink_init(&s, out, max_bytes);
    /* No codec's form of nothing is nothing. */
    rc = in.n == 0 && c != CODEC_NONE ? E_CORRUPT : ops->decompress(in, &s);
    ASSERT(IMPLIES(rc == 0, sink_bytes(&s) <= max_bytes));
    if (rc < 0)
        out->n = s.start;
    return rc;
}

int codec_compress(enum codec c, struct bytes in, int32_t level, struct buf *out)
{
    const struct codec_ops *ops = ops_of(c);
    size_t start = out->n;
    int rc;

    if (level == INT32_MIN || ops->level_min == ops->level_max)
        level = ops->level_default;
    if (level < ops->level_min || level > ops->level_max)
        return E_INVALID;
    rc = ops->compress(in, level, out);
    if (rc < 0)
        out->n = start;
    ASSERT(out->n >= start);
    return rc;
}
