/* Every message of the protocol, for tests.
 *
 * Decoding works on a block of exactly the bytes' size, so that a sanitizer sees each read beyond
 * them. The block is gone when wire_case_decode returns: the strings of what it decoded must not be
 * read after it.
 */
#include "wire_each.h"

int wire_each_count(void)
{
    return 2 * wire_n_apis + wire_n_record_schemas;
}

const struct wire_message_info *wire_each_get(int i)
{
    ASSERT(i >= 0);
    ASSERT(i < wire_each_count());
    if (i >= 2 * wire_n_apis)
        return &wire_record_schemas[i - 2 * wire_n_apis].info;
    return i % 2 ? &wire_apis[i / 2].response : &wire_apis[i / 2].request;
}

const struct wire_message_info *wire_each_find(const char *name)
{
    for (int i = 0; i < wire_each_count(); i++) {
        if (strcmp(wire_each_get(i)->name, name) == 0)
            return wire_each_get(i);
    }
    return NULL;
}

void wire_case_init(struct wire_case *c, const struct wire_message_info *info, int16_t version)
{
    *c = (struct wire_case){.info = info, .version = version};
    arena_init(&c->arena);
    buf_init(&c->encoded);
}

void wire_case_encode(struct wire_case *c, const void *m, struct buf *out)
{
    struct wire_writer w;

    wire_writer_init(&w, out);
    c->info->encode(m, &w, c->version);
    ASSERT(w.n_splices == 0);
    wire_writer_release(&w);
}

void wire_case_fill(struct wire_case *c, struct rng *rng)
{
    c->filled = arena_alloc(&c->arena, c->info->struct_bytes);
    c->info->fill(c->filled, rng, &c->arena, c->version);
    c->encoded.n = 0;
    wire_case_encode(c, c->filled, &c->encoded);
}

/* What was decoded can be read and encoded again while its bytes are there. */
static void walk_all(struct wire_case *c, const void *m)
{
    struct buf text;

    buf_init(&text);
    c->info->dump(m, &text, c->version);
    ASSERT(text.n >= 2);
    text.n = 0;
    wire_case_encode(c, m, &text);
    buf_release(&text);
}

int wire_case_decode(struct wire_case *c, const void *p, size_t n, void **out, size_t *left)
{
    uint8_t *exact = xmalloc(MAX(n, 1));
    struct wire_reader r;
    int rc;

    if (n > 0)
        memcpy(exact, p, n);
    *out = arena_alloc(&c->arena, c->info->struct_bytes);
    wire_reader_init(&r, bytes_of(exact, n), &c->arena);
    rc = c->info->decode(*out, &r, c->version);
    *left = (size_t)(r.end - r.at);
    if (rc == 0)
        walk_all(c, *out);
    free(exact);
    return rc;
}

void wire_case_release(struct wire_case *c)
{
    buf_release(&c->encoded);
    arena_release(&c->arena);
}
