/* A reply on its way to a socket: pieces in order, each a slice of a chunk or a range of a file.
 *
 * Owner: whoever holds the struct owns one reference for each piece; core thread.
 *
 * Invariant: total_bytes is the sum of the pieces, none of which is empty.
 */
#include "sys.h"

void out_init(struct out *o)
{
    *o = (struct out){0};
}

void out_release(struct out *o)
{
    ASSERT(o->n_pieces <= o->cap);
    for (uint32_t i = 0; i < o->n_pieces; i++) {
        struct out_piece *piece = &o->pieces[i];

        if (piece->kind == OUT_FILE)
            file_unref(piece->file);
        else
            chunk_unref(piece->chunk);
    }
    free(o->pieces);
    *o = (struct out){0};
}

static void put(struct out *o, struct out_piece piece)
{
    ASSERT(piece.n > 0);
    if (o->n_pieces == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 4;
        o->pieces = xrealloc_array(o->pieces, o->cap, sizeof(*o->pieces));
    }
    o->pieces[o->n_pieces++] = piece;
    o->total_bytes += piece.n;
}

void out_put_chunk(struct out *o, struct chunk *c, size_t at, size_t n)
{
    ASSERT(at <= c->cap);
    ASSERT(n <= c->cap - at);
    if (n)
        put(o, (struct out_piece){.kind = OUT_CHUNK, .n = n, .chunk = c, .at = at});
    else
        chunk_unref(c);
}

void out_put_file(struct out *o, struct file *f, uint64_t position, size_t n)
{
    ASSERT(position <= INT64_MAX - n);
    if (n)
        put(o, (struct out_piece){
                   .kind = OUT_FILE, .n = n, .file = file_ref(f), .position = position});
}

void out_move(struct out *from, struct out *to)
{
    ASSERT(to->n_pieces == 0);
    free(to->pieces);
    *to = *from;
    *from = (struct out){0};
}

int out_read(const struct out *o, uint8_t *p)
{
    size_t n = 0;

    for (uint32_t i = 0; i < o->n_pieces; i++) {
        const struct out_piece *piece = &o->pieces[i];
        int rc = 0;

        if (piece->kind == OUT_FILE)
            rc = file_pread_full(piece->file, p + n, piece->n, piece->position);
        else
            memcpy(p + n, piece->chunk->data + piece->at, piece->n);
        if (rc < 0)
            return rc;
        n += piece->n;
    }
    ASSERT(n == o->total_bytes);
    return 0;
}
