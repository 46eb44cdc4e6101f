/* Snappy, in the framing of snappy-java ("xerial"), or as one raw block.
 *
 *   0 magic 82 'SNAPPY' 00 | 8 version i32 | 12 oldest compatible version i32 | 16 blocks
 *   a block: length i32, raw snappy
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: each block's announced length is checked against the limit and against what a
 *             block of its size can hold at all, then it is decompressed straight to its place.
 * Invariant:  memory follows the input: RATIO_MAX times at most.
 * Failures:   E_CORRUPT for bad framing or a bad block, E_LIMIT.
 *
 * A header may come again between blocks: SnappyInputStream takes streams put one behind the
 * other, and so do we. A raw block never begins with the magic: it would open with a copy from
 * before its own start.
 */
#include "codec_impl.h"

#include <snappy-c.h>

#define XERIAL_HEADER_BYTES 16
#define XERIAL_VERSION      1
#define BLOCK_BYTES         (32 * 1024) /* SnappyOutputStream's default */
#define RATIO_MAX           64 /* a copy makes at most 64 bytes, and takes at least 2 of its own */

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static int block_decompress(struct bytes in, struct sink *s)
{
    size_t n, n_room;
    uint8_t *room;

    if (snappy_uncompressed_length((const char *)in.p, in.n, &n) != SNAPPY_OK)
        return E_CORRUPT;
    if (n / RATIO_MAX > in.n)
        return E_CORRUPT;
    if (n > s->max_bytes - sink_bytes(s))
        return E_LIMIT;
    room = sink_room(s, n, &n_room);
    ASSERT(n_room >= n);
    if (snappy_uncompress((const char *)in.p, in.n, (char *)room, &n_room) != SNAPPY_OK)
        return E_CORRUPT;
    ASSERT(n_room == n);
    return sink_wrote(s, n);
}

static bool xerial_header_at(const uint8_t *p, size_t n)
{
    return n >= XERIAL_HEADER_BYTES && memcmp(p, xerial_magic, sizeof(xerial_magic)) == 0;
}

static int xerial_decompress(struct bytes in, struct sink *s)
{
    const uint8_t *p = in.p, *end = in.p + in.n;
    int rc = 0;

    while (p < end && rc == 0) {
        size_t left = (size_t)(end - p);
        uint32_t n;

        if (xerial_header_at(p, left)) {
            if ((int32_t)get_be32(p + sizeof(xerial_magic)) < XERIAL_VERSION)
                return E_CORRUPT;
            p += XERIAL_HEADER_BYTES;
            continue;
        }
        if (left < sizeof(n))
            return E_CORRUPT;
        n = get_be32(p);
        p += sizeof(n);
        if (n > (size_t)(end - p))
            return E_CORRUPT;
        rc = block_decompress((struct bytes){p, n}, s);
        p += n;
    }
    return rc;
}

static int snappy_codec_decompress(struct bytes in, struct sink *s)
{
    return xerial_header_at(in.p, in.n) ? xerial_decompress(in, s) : block_decompress(in, s);
}

static void block_compress(const uint8_t *p, size_t n, struct buf *out)
{
    size_t length_at = out->n, n_out = snappy_max_compressed_length(n);
    snappy_status status;

    buf_reserve(out, sizeof(uint32_t) + n_out);
    out->n += sizeof(uint32_t);
    status = snappy_compress((const char *)p, n, (char *)out->p + out->n, &n_out);
    ASSERT(status == SNAPPY_OK);
    put_be32(out->p + length_at, (uint32_t)n_out);
    out->n += n_out;
}

static int snappy_codec_compress(struct bytes in, int32_t level, struct buf *out)
{
    uint8_t *header = buf_grow(out, XERIAL_HEADER_BYTES);

    memcpy(header, xerial_magic, sizeof(xerial_magic));
    put_be32(header + 8, XERIAL_VERSION);
    put_be32(header + 12, XERIAL_VERSION);
    for (size_t at = 0; at < in.n; at += BLOCK_BYTES)
        block_compress(in.p + at, MIN(in.n - at, (size_t)BLOCK_BYTES), out);
    return 0;
}

const struct codec_ops codec_snappy = {
    .name = "snappy", .decompress = snappy_codec_decompress, .compress = snappy_codec_compress};
