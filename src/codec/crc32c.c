/* CRC-32C, by ISA-L, which picks the fastest form that the processor has at the first call.
 *
 * Owner: nobody; pure functions.
 *
 * crc32_iscsi is the bare register: it inverts neither what goes in nor what comes out. Kafka
 * (java.util.zip.CRC32C) and everybody else do both, so the inversions are here; that way results
 * also continue one another.
 */
#include "codec.h"

#include <isa-l/crc.h>

#define STEP_BYTES ((size_t)1 << 30) /* crc32_iscsi takes an int */

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    unsigned char *at = (unsigned char *)p; /* not written to: the prototype merely lacks a const */

    crc = ~crc;
    while (n > 0) {
        size_t step = MIN(n, STEP_BYTES);

        crc = crc32_iscsi(at, (int)step, crc);
        at += step;
        n -= step;
    }
    return ~crc;
}
