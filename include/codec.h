/* codec: compression and checksums. The only module that includes compression libraries.
 *
 * Decompression is bounded: the caller gives the most bytes that may come out, and gets E_LIMIT past it, so that a small
 * batch cannot become gigabytes.
 */
#ifndef BARNABAS_CODEC_H
#define BARNABAS_CODEC_H

#include "base.h"

/* Bits 0-2 of a batch's attributes. */
enum codec { CODEC_NONE = 0, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };
#define CODEC_COUNT 5
const char *codec_name(enum codec c);                 /* "none", "gzip", ... */
bool codec_parse(struct str name, enum codec *out);   /* also "uncompressed" */

/* Appends the decompressed form of in to out. gzip: concatenated members. snappy: xerial framing or one raw block.
 * lz4: standard frames. zstd: standard frames, without content size too. E_CORRUPT, E_LIMIT (out has then grown by at
 * most max_bytes, and is cut back to what it was). */
int codec_decompress(enum codec c, struct bytes in, size_t max_bytes, struct buf *out);
/* Appends the compressed form, in the framing that Java clients write. level: INT32_MIN for the codec's default. */
int codec_compress(enum codec c, struct bytes in, int32_t level, struct buf *out);

/* CRC-32C (Castagnoli), as Kafka has it: crc32c(0, ...) starts, and the result of one call continues in the next. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n); /* plain C; the check on the other */

#endif
