/* LZ4 frames.
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: LZ4F streams the input into the sink, frame after frame, until the input ends
 *             with a frame.
 * Invariant:  LZ4F holds two blocks at most, whose size (4 MB and less) is a choice of four in
 *             the frame header.
 * Failures:   E_CORRUPT for a bad frame and one that ends early; E_LIMIT from the sink.
 *
 * We write what Lz4BlockOutputStream of Kafka writes and its Lz4BlockInputStream can read:
 * independent blocks of 64 KB, no checksum of the content, no content size. The frames with a
 * wrong header checksum that went with message formats before 2 are not read: they cannot occur
 * in format 2.
 */
#include "codec_impl.h"

#include <lz4frame.h>
#include <lz4hc.h>

#define LEVEL_MIN     1
#define LEVEL_MAX     17
#define LEVEL_DEFAULT 9

/* Runs the decoder once over what is left of the input. */
static int decompress_step(LZ4F_dctx *ctx, const uint8_t **p, const uint8_t *end, size_t wish,
                           size_t *hint, struct sink *s)
{
    size_t n_in = (size_t)(end - *p), n_room;
    uint8_t *room = sink_room(s, wish, &n_room);

    *hint = LZ4F_decompress(ctx, room, &n_room, *p, &n_in, NULL);
    if (LZ4F_isError(*hint))
        return E_CORRUPT;
    *p += n_in;
    if (n_in == 0 && n_room == 0)
        return E_CORRUPT; /* it wants more input, and there is none */
    return sink_wrote(s, n_room);
}

static int lz4_decompress(struct bytes in, struct sink *s)
{
    const uint8_t *p = in.p, *end = in.p + in.n;
    LZ4F_dctx *ctx;
    size_t hint; /* 0 between two frames */
    int rc = 0;

    hint = LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION);
    ASSERT(!LZ4F_isError(hint));
    do {
        rc = decompress_step(ctx, &p, end, in.n * 4, &hint, s);
    } while (rc == 0 && (p < end || hint != 0));
    LZ4F_freeDecompressionContext(ctx);
    return rc;
}

/* Lz4BlockOutputStream: the default level is the fast compressor, every other one the high
 * compression one. */
static int lz4f_level(int32_t level)
{
    if (level == LEVEL_DEFAULT)
        return 0;
    return MIN(MAX(level, LZ4HC_CLEVEL_MIN), LZ4HC_CLEVEL_MAX);
}

static int lz4_compress(struct bytes in, int32_t level, struct buf *out)
{
    LZ4F_preferences_t prefs = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = lz4f_level(level),
    };
    size_t bound = LZ4F_compressFrameBound(in.n, &prefs), n;

    buf_reserve(out, bound);
    n = LZ4F_compressFrame(out->p + out->n, bound, in.p, in.n, &prefs);
    ASSERT(!LZ4F_isError(n));
    out->n += n;
    return 0;
}

const struct codec_ops codec_lz4 = {.name = "lz4",
                                    .level_min = LEVEL_MIN,
                                    .level_max = LEVEL_MAX,
                                    .level_default = LEVEL_DEFAULT,
                                    .decompress = lz4_decompress,
                                    .compress = lz4_compress};
