/* A batch from anybody: checked, then walked with its headers. The length and the CRC are put right
 * first, because a fuzzer does not guess them. */
#include "record.h"

#define DECOMPRESSED_BYTES_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int walk(const uint8_t *p, const struct batch *b)
{
    struct record_header h;
    struct record_iter it;
    struct record r;
    struct buf scratch;
    int32_t n_records = 0;
    int rc;

    buf_init(&scratch);
    rc = record_iter_init(&it, p, b, DECOMPRESSED_BYTES_MAX, &scratch);
    while (rc == 0 && (rc = record_iter_next(&it, &r)) > 0) {
        n_records++;
        while ((rc = record_header_next(&r, &h)) > 0)
            ASSERT(h.key.p);
        ASSERT(rc == 0);
    }
    ASSERT(IMPLIES(rc == 0, n_records == b->record_count));
    buf_release(&scratch);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct errmsg why;
    struct batch b;
    uint8_t *p;
    int rc, produced;

    if (n < BATCH_HEADER_BYTES)
        return batch_check(data, n, &b) == E_CORRUPT ? 0 : -1;
    p = xmemdup(data, n);
    p[BATCH_MAGIC_AT] = BATCH_MAGIC;
    put_be32(p + BATCH_LENGTH_AT, (uint32_t)n - BATCH_PREFIX_BYTES);
    put_be32(p + BATCH_CRC_AT, crc32c(0, p + BATCH_CRC_FROM, n - BATCH_CRC_FROM));
    rc = batch_check(p, n, &b);
    ASSERT(rc == 0 || rc == E_INVALID);
    if (rc == 0) {
        produced = batch_check_produced(p, &b, &why);
        rc = walk(p, &b);
        ASSERT(IMPLIES(produced == 0 && batch_codec(&b) == CODEC_NONE, rc == 0));
    }
    free(p);
    return 0;
}
