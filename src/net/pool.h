/* Chunks that bytes are received into, recycled. Inner header of net. */
#ifndef NET_POOL_H
#define NET_POOL_H

#include "base.h"

#define POOL_SMALL_BYTES    4096 /* up to here a chunk is of exact size and never kept */
#define POOL_CLASSES        39   /* 4 KiB, 6, 8, 12, 16 ... 2 GiB */
#define POOL_FREE_BYTES_MAX ((size_t)64 << 20)

struct pool_class {
    struct chunk *free; /* last in, first out: the bytes are still in the processor's cache */
    uint32_t n_free;
    uint32_t n_idle; /* the least n_free since the last pool_trim: nobody needed these */
};
struct pool {
    uint32_t magic;
    struct pool_class classes[POOL_CLASSES];
    size_t free_bytes; /* in the free lists */
    size_t held_bytes; /* of chunks that somebody refers to: half received frames, frames in work,
                          the log's journal */
    uint32_t n_held;
    bool orphan; /* its net is gone: the last chunk that comes home frees it */
};

struct pool *pool_new(void);
void pool_free(struct pool *p);
/* A chunk for at least n bytes, one reference; exact when n is small. n <= 2 GiB. */
struct chunk *pool_get(struct pool *p, size_t n);
/* Would pool_get(n) take a used chunk, whose memory is paid for? */
bool pool_has(const struct pool *p, size_t n);
/* Makes room for n bytes in c, of which `have` are in use; c has one reference and may move. */
struct chunk *pool_grow(struct pool *p, struct chunk *c, size_t have, size_t n);
/* Gives what lay unused since the last call back to the system. */
void pool_trim(struct pool *p);

#endif
