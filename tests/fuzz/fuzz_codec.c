/* Decompression of anything: the first byte picks the codec, the next two the limit. */
#include "codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf out;
    size_t max_bytes;
    int rc;

    if (n < 3)
        return 0;
    max_bytes = (size_t)get_be16(data + 1) * 16;
    buf_init(&out);
    buf_put_str(&out, "kept");
    rc = codec_decompress((enum codec)(data[0] % CODEC_COUNT), bytes_of(data + 3, n - 3), max_bytes,
                          &out);
    ASSERT(rc == 0 || rc == E_CORRUPT || rc == E_LIMIT);
    ASSERT(out.n <= 4 + (rc == 0 ? max_bytes : 0));
    buf_release(&out);
    return 0;
}
