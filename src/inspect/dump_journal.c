/* The journal of a log directory (src/log/journal.c), which Apache Kafka does not have: its header,
 * and the entries that a replay would find.
 *
 *   header  two blocks of 4,096: | u32 magic | u32 crc | u32 version | . | u64 generation | u64 bytes |
 *   entry   at a multiple of 4,096 in one of two halves:
 *           | u32 magic | u32 crc of what follows | u64 generation | u64 sequence | u32 bytes |
 *           | u32 bytes of the parts | u32 parts | . | parts | contents |
 *   part    | topic id | i64 segment | u64 position | i64 end offset | u32 bytes | u16 n | . | name |
 *
 * Owner: struct dump.
 *
 * Failures:   what is no entry of this generation, whole, is passed over: old ones lie behind the
 *             newest.
 */
#include "dump.h"

#define MAGIC            0x426a4831u
#define ENTRY_MAGIC      0x426a4531u
#define BLOCK_BYTES      4096
#define ENTRY_BYTES_MAX  (1u << 20)
#define ENTRY_HEAD_BYTES 40
#define PART_BYTES       48
#define HEADER_CRC_BYTES 24 /* of what the header's checksum covers, from byte 8 on */

struct journal_header {
    uint64_t generation, file_bytes;
};

static bool parse_header(const uint8_t *p, struct journal_header *h)
{
    bool found = false;

    for (int i = 0; i < 2; i++, p += BLOCK_BYTES) {
        if (get_be32(p) != MAGIC || get_be32(p + 4) != crc32c(0, p + 8, HEADER_CRC_BYTES) ||
            (found && get_be64(p + 16) < h->generation))
            continue;
        found = true;
        *h = (struct journal_header){get_be64(p + 16), get_be64(p + 24)};
    }
    return found;
}

static void print_parts(struct dump *d, const uint8_t *p, uint32_t n_parts, size_t n_bytes)
{
    size_t at = 0;

    for (uint32_t i = 0; i < n_parts && at + PART_BYTES <= n_bytes; i++) {
        size_t n_name = get_be16(p + at + 44);
        char id[UUID_TEXT_BYTES + 1];
        struct uuid topic_id;

        if (at + PART_BYTES + n_name > n_bytes)
            return;
        memcpy(topic_id.b, p + at, 16);
        uuid_text(topic_id, id);
        fprintf(d->out,
                "| %.*s topicId: %s segment: %lld position: %llu size: %u endOffset: %lld\n",
                (int)n_name, (const char *)p + at + PART_BYTES, id,
                (long long)get_be64(p + at + 16), (unsigned long long)get_be64(p + at + 24),
                get_be32(p + at + 40), (long long)get_be64(p + at + 32));
        at += (PART_BYTES + n_name + 7) / 8 * 8;
    }
}

/* The blocks that an entry at `position` takes; 0: none is there. */
static uint64_t print_entry(struct dump *d, struct file *f, const struct journal_header *h,
                            uint64_t position, uint64_t room, uint8_t *p)
{
    uint32_t total, parts;
    size_t got;

    if (file_pread(f, p, (size_t)MIN(room, BLOCK_BYTES), position, &got) < 0 ||
        got < ENTRY_HEAD_BYTES)
        return 0;
    total = get_be32(p + 24);
    parts = get_be32(p + 28);
    if (get_be32(p) != ENTRY_MAGIC || get_be64(p + 8) != h->generation || total > room ||
        total > ENTRY_BYTES_MAX || total < ENTRY_HEAD_BYTES || parts > total - ENTRY_HEAD_BYTES ||
        file_pread_full(f, p, total, position) < 0 ||
        crc32c(0, p + 8, total - 8) != get_be32(p + 4))
        return 0;
    fprintf(d->out, "sequence: %llu position: %llu size: %u parts: %u\n",
            (unsigned long long)get_be64(p + 16), (unsigned long long)position, total,
            get_be32(p + 32));
    print_parts(d, p + ENTRY_HEAD_BYTES, get_be32(p + 32), parts);
    return ((uint64_t)total + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static void print_half(struct dump *d, struct file *f, const struct journal_header *h, int half)
{
    uint64_t bytes = (h->file_bytes - 2 * BLOCK_BYTES) / 2 / BLOCK_BYTES * BLOCK_BYTES;
    uint64_t begin = 2 * BLOCK_BYTES + (uint64_t)half * bytes;
    uint8_t *p = xmalloc(ENTRY_BYTES_MAX + BLOCK_BYTES);

    for (uint64_t at = 0; at + BLOCK_BYTES <= bytes;) {
        uint64_t blocks = print_entry(d, f, h, begin + at, bytes - at, p);

        at += MAX(blocks, 1) * BLOCK_BYTES;
    }
    free(p);
}

void dump_journal(struct dump *d)
{
    struct journal_header h = {0};
    uint8_t blocks[2 * BLOCK_BYTES];
    struct file *f = NULL;
    int rc = vfs_open(d->vfs, d->path, VFS_READ, &f);

    if (rc == 0)
        rc = file_pread_full(f, blocks, sizeof(blocks), 0);
    if (rc == 0 && !parse_header(blocks, &h))
        fprintf(d->out, "No header: the journal was being made, and nothing counts.\n");
    if (rc == 0 && h.file_bytes > 2 * BLOCK_BYTES) {
        fprintf(d->out, "generation: %llu size: %llu\n", (unsigned long long)h.generation,
                (unsigned long long)h.file_bytes);
        print_half(d, f, &h, 0);
        print_half(d, f, &h, 1);
    }
    if (rc < 0)
        dump_fail(d, d->path, rc);
    file_unref(f);
}
