/* Zstandard frames.
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: stream the input into the sink, frame after frame, until the input ends with a
 *             frame.
 * Invariant:  a frame asks for a window of 128 MB at most (WINDOW_LOG_MAX, what level 22 and
 *             Java's reader use), and of that only what is really filled becomes memory.
 * Failures:   E_CORRUPT for a bad frame and one that ends early; E_LIMIT from the sink, and for
 *             a larger window.
 */
#include "codec_impl.h"

#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 27
#define LEVEL_MIN      (-(1 << 17)) /* ZSTD_minCLevel() */
#define LEVEL_MAX      22
#define LEVEL_DEFAULT  3

/* Runs the decoder once. *hint is 0 when a frame has ended and all of it is out. */
static int decompress_step(ZSTD_DCtx *ctx, ZSTD_inBuffer *in, size_t *hint, struct sink *s)
{
    ZSTD_outBuffer out = {0};
    size_t before = in->pos;

    out.dst = sink_room(s, in->size * 4, &out.size);
    *hint = ZSTD_decompressStream(ctx, &out, in);
    if (ZSTD_isError(*hint))
        return ZSTD_getErrorCode(*hint) == ZSTD_error_frameParameter_windowTooLarge ? E_LIMIT
                                                                                    : E_CORRUPT;
    if (in->pos == before && out.pos == 0)
        return E_CORRUPT; /* it wants more input, and there is none */
    return sink_wrote(s, out.pos);
}

static int zstd_decompress(struct bytes bytes, struct sink *s)
{
    ZSTD_inBuffer in = {.src = bytes.p, .size = bytes.n};
    ZSTD_DCtx *ctx;
    size_t hint;
    int rc;

    ctx = ZSTD_createDCtx();
    ASSERT(ctx);
    hint = ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    ASSERT(!ZSTD_isError(hint));
    do {
        rc = decompress_step(ctx, &in, &hint, s);
    } while (rc == 0 && (in.pos < in.size || hint != 0));
    ZSTD_freeDCtx(ctx);
    return rc;
}

static int zstd_compress(struct bytes in, int32_t level, struct buf *out)
{
    size_t bound = ZSTD_compressBound(in.n), n;

    buf_reserve(out, bound);
    n = ZSTD_compress(out->p + out->n, bound, in.p, in.n, level);
    ASSERT(!ZSTD_isError(n));
    out->n += n;
    return 0;
}

const struct codec_ops codec_zstd = {.name = "zstd",
                                     .level_min = LEVEL_MIN,
                                     .level_max = LEVEL_MAX,
                                     .level_default = LEVEL_DEFAULT,
                                     .decompress = zstd_decompress,
                                     .compress = zstd_compress};
