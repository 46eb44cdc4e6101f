/* gzip (RFC 1952), by zlib.
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: inflate one member after the other into the sink until the input ends with a
 *             member's trailer.
 * Invariant:  zlib keeps 32 KB of window whatever the input says.
 * Failures:   E_CORRUPT for a bad header, checksum or length, for an input that ends inside a
 *             member or goes on with something else; E_LIMIT from the sink.
 */
#include "codec_impl.h"

#include <limits.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS (15 + 16) /* 16: the gzip wrapper */
#define MEM_LEVEL        8         /* zlib's default */

/* zlib counts in unsigned int: one call takes at most this much. */
static uInt step(size_t n)
{
    return (uInt)MIN(n, (size_t)INT_MAX);
}

/* Runs inflate once. 1 when a member ended. */
static int inflate_step(z_stream *z, const uint8_t *end, size_t wish, struct sink *s)
{
    size_t n_room;
    uint8_t *room = sink_room(s, wish, &n_room);
    const uint8_t *before = z->next_in;
    int zrc, rc;

    z->avail_in = step((size_t)(end - z->next_in));
    z->next_out = room;
    z->avail_out = step(n_room);
    zrc = inflate(z, Z_NO_FLUSH);
    rc = sink_wrote(s, (size_t)(z->next_out - room));
    if (rc < 0)
        return rc;
    if (zrc == Z_STREAM_END)
        return 1;
    if (zrc != Z_OK)
        return E_CORRUPT; /* Z_BUF_ERROR too: there was room, so the input ended early */
    return z->next_in == before && z->next_out == room ? E_CORRUPT : 0;
}

static int gzip_decompress(struct bytes in, struct sink *s)
{
    const uint8_t *end = in.p + in.n;
    z_stream z = {.next_in = (Bytef *)in.p};
    int rc;

    rc = inflateInit2(&z, GZIP_WINDOW_BITS);
    ASSERT(rc == Z_OK);
    do {
        rc = inflate_step(&z, end, in.n * 4, s);
        if (rc == 1 && z.next_in < end)
            rc = inflateReset(&z) == Z_OK ? 0 : E_CORRUPT;
    } while (rc == 0);
    inflateEnd(&z);
    return rc < 0 ? rc : 0;
}

static int gzip_compress(struct bytes in, int32_t level, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)in.p};
    size_t bound;
    int rc;

    ASSERT(in.n < UINT_MAX / 2);
    if (level == Z_NO_COMPRESSION)
        return E_INVALID;
    rc = deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY);
    ASSERT(rc == Z_OK);
    bound = deflateBound(&z, in.n);
    buf_reserve(out, bound);
    z.avail_in = (uInt)in.n;
    z.next_out = out->p + out->n;
    z.avail_out = (uInt)bound;
    rc = deflate(&z, Z_FINISH);
    ASSERT(rc == Z_STREAM_END);
    out->n += bound - z.avail_out;
    deflateEnd(&z);
    return 0;
}

/* The levels that Kafka takes (CompressionType.GZIP): 1..9 and -1, zlib's own default; 0 would only
 * store. */
const struct codec_ops codec_gzip = {.name = "gzip",
                                     .level_min = Z_DEFAULT_COMPRESSION,
                                     .level_max = Z_BEST_COMPRESSION,
                                     .level_default = Z_DEFAULT_COMPRESSION,
                                     .decompress = gzip_decompress,
                                     .compress = gzip_compress};
