/* What the files of this module share: the form of one codec, and the bounded place that
 * decompressed bytes go to. */
#ifndef BARNABAS_CODEC_IMPL_H
#define BARNABAS_CODEC_IMPL_H

#include "codec.h"

/* The growing output of one decompression. Room is given in steps that follow what really came out,
 * never what the input announces, and ends one byte past the limit: whoever fills that byte is over
 * it. */
struct sink {
    struct buf *out;
    size_t start; /* out->n before the first byte */
    size_t max_bytes;
};
void sink_init(struct sink *s, struct buf *out, size_t max_bytes);
size_t sink_bytes(const struct sink *s); /* what came out so far */
uint8_t *sink_room(struct sink *s, size_t wish,
                   size_t *n_room);       /* n_room > 0 until the limit is passed */
int sink_wrote(struct sink *s, size_t n); /* E_LIMIT past max_bytes */

/* One codec. Both functions append; on failure the caller cuts the output back. `level` is inside
 * its bounds; the input of decompress is never empty. */
struct codec_ops {
    const char *name;
    int32_t level_min, level_max, level_default; /* all 0 where the codec has no levels */
    int (*decompress)(struct bytes in, struct sink *s);
    int (*compress)(struct bytes in, int32_t level, struct buf *out);
};
extern const struct codec_ops codec_gzip;
extern const struct codec_ops codec_snappy;
extern const struct codec_ops codec_lz4;
extern const struct codec_ops codec_zstd;

#endif
