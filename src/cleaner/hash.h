/* A keyed hash of 128 bits: SipHash-2-4 with a long result (Aumasson and Bernstein). */
#ifndef BARNABAS_CLEANER_HASH_H
#define BARNABAS_CLEANER_HASH_H

#include "base.h"

struct hash128 {
    uint64_t a, b;
};
struct hash128 hash128(const uint64_t key[2], struct bytes in);

#endif
