/* Bytes of requests, one field after the other. */
#ifndef BENCH_WRITER_H
#define BENCH_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "protocol.h"

static inline void reserve(struct bytes *b, size_t n)
{
    if (b->n + n <= b->capacity)
        return;
    b->capacity = (b->n + n) * 2;
    b->data = resize(b->data, b->capacity);
}

static inline void add(struct bytes *b, const void *data, size_t n)
{
    reserve(b, n);
    if (n > 0)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static inline void add8(struct bytes *b, int value)
{
    uint8_t byte = (uint8_t)value;

    add(b, &byte, 1);
}

static inline void add16(struct bytes *b, int value)
{
    add8(b, value >> 8);
    add8(b, value);
}

static inline void add32(struct bytes *b, uint32_t value)
{
    uint8_t raw[4];

    put32(raw, value);
    add(b, raw, 4);
}

static inline void add64(struct bytes *b, uint64_t value)
{
    add32(b, (uint32_t)(value >> 32));
    add32(b, (uint32_t)value);
}

static inline void add_string(struct bytes *b, const char *text)
{
    if (!text) {
        add16(b, -1);
        return;
    }
    add16(b, (int)strlen(text));
    add(b, text, strlen(text));
}

static inline void add_varint(struct bytes *b, int64_t value)
{
    uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);

    for (; zigzag >= 0x80; zigzag >>= 7)
        add8(b, (int)(zigzag & 0x7f) | 0x80);
    add8(b, (int)zigzag);
}

#endif
