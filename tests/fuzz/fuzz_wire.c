/* Fuzzing the decoders of all messages.
 *
 * Input: byte 0 chooses a request, a response or a record; bytes 1 and 2 which one; byte 3 the
 * version; the rest is what is decoded. What decodes is encoded and decoded again: the second
 * encoding must equal the first. A request's bytes are also read as a header.
 */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wire_message_info *choose(const uint8_t *data)
{
    unsigned which = get_be16(data + 1);

    if (data[0] % 3 == 0)
        return &wire_apis[which % (unsigned)wire_n_apis].request;
    if (data[0] % 3 == 1)
        return &wire_apis[which % (unsigned)wire_n_apis].response;
    return &wire_record_schemas[which % (unsigned)wire_n_record_schemas].info;
}

static void encode(const struct wire_message_info *info, const void *m, struct buf *out,
                   int16_t version)
{
    struct wire_writer w;

    wire_writer_init(&w, out);
    info->encode(m, &w, version);
    ASSERT(info->size(m, version) == out->n);
    wire_writer_release(&w);
}

/* Unknown and repeated tags and unusual varints are gone after the first encoding, so only the
 * second pass must agree. */
static void check_again(const struct wire_message_info *info, const void *m, int16_t version,
                        struct arena *arena)
{
    void *copy = arena_alloc(arena, info->struct_bytes);
    struct buf first, second;
    struct wire_reader r;

    buf_init(&first);
    buf_init(&second);
    encode(info, m, &first, version);
    wire_reader_init(&r, bytes_of(first.p, first.n), arena);
    ASSERT(info->decode(copy, &r, version) == 0);
    ASSERT(r.at == r.end);
    encode(info, copy, &second, version);
    ASSERT(first.n == second.n);
    ASSERT(first.n == 0 || memcmp(first.p, second.p, first.n) == 0);
    second.n = 0;
    info->dump(m, &second, version);
    buf_release(&second);
    buf_release(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct wire_message_info *info;
    struct wire_request_header header;
    struct wire_reader r;
    struct arena arena;
    int16_t version;
    void *m;

    if (size < 4)
        return 0;
    info = choose(data);
    version = (int16_t)(info->version_min + data[3] % (info->version_max - info->version_min + 1));
    arena_init(&arena);
    m = arena_alloc(&arena, info->struct_bytes);
    wire_reader_init(&r, bytes_of(data + 4, size - 4), &arena);
    if (info->decode(m, &r, version) == 0)
        check_again(info, m, version, &arena);
    wire_reader_init(&r, bytes_of(data + 4, size - 4), &arena);
    (void)wire_request_header_get(&r, &header);
    arena_release(&arena);
    return 0;
}
