/* Producer snapshots (DumpLogSegments.dumpProducerIdSnapshot), and files that are text.
 *
 *   snapshot  | i16 version 1 | u32 CRC-32C of what follows | i32 count | entries of 46 bytes
 *   entry     | i64 producer id | i16 epoch | i32 last sequence | i64 last offset |
 *             | i32 offset delta | i64 timestamp | i32 coordinator epoch |
 *             | i64 first offset of the open transaction |
 *
 * Owner: struct dump.
 *
 * Failures:   a snapshot that is not whole is one line in err, in the words of
 *             ProducerStateManager.readSnapshot where it has any.
 */
#include "dump.h"

#include "wire.h"

#define FILE_BYTES_MAX  (256u << 20)
#define CRC_AT          2
#define CRC_FROM        6
#define HEADER_BYTES    10
#define CONTENT_VERSION 1

static bool read_file(struct dump *d, struct buf *b)
{
    int rc;

    buf_init(b);
    rc = vfs_read_all(d->vfs, d->path, FILE_BYTES_MAX, b);
    if (rc < 0)
        dump_fail(d, d->path, rc);
    return rc == 0;
}

static void print_entry(struct dump *d, const struct producer_snapshot_producer_entries *e)
{
    char first[48] = "OptionalLong.empty";

    if (e->current_txn_first_offset >= 0)
        snprintf(first, sizeof(first), "OptionalLong[%lld]",
                 (long long)e->current_txn_first_offset);
    fprintf(d->out,
            "producerId: %lld producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s "
            "lastTimestamp: %lld",
            (long long)e->producer_id, e->epoch, e->coordinator_epoch, first,
            (long long)e->timestamp);
    if (e->last_offset >=
        0) /* the first sequence, as DefaultRecordBatch.decrementSequence has it */
        fprintf(d->out,
                " firstSequence: %d lastSequence: %d lastOffset: %lld offsetDelta: %d timestamp: "
                "%lld",
                e->last_sequence >= e->offset_delta
                    ? e->last_sequence - e->offset_delta
                    : INT32_MAX - (e->offset_delta - e->last_sequence) + 1,
                e->last_sequence, (long long)e->last_offset, e->offset_delta,
                (long long)e->timestamp);
    fputs("\n", d->out);
}

static const char *fault(const struct buf *b)
{
    if (b->n < HEADER_BYTES)
        return "Snapshot is shorter than its header";
    if (get_be16(b->p) != CONTENT_VERSION)
        return "Snapshot contained an unknown file version";
    if (crc32c(0, b->p + CRC_FROM, b->n - CRC_FROM) != get_be32(b->p + CRC_AT))
        return "Snapshot is corrupt (CRC is no longer valid)";
    return NULL;
}

void dump_snapshot(struct dump *d)
{
    struct producer_snapshot snapshot;
    const char *wrong;
    struct wire_reader r;
    struct buf b;

    if (!read_file(d, &b))
        goto out;
    wrong = fault(&b);
    if (!wrong) {
        wire_reader_init(&r, (struct bytes){b.p + 2, b.n - 2}, &d->arena);
        if (producer_snapshot_decode(&snapshot, &r, CONTENT_VERSION) < 0)
            wrong = "Snapshot is corrupt (its entries are cut off)";
    }
    if (wrong) {
        fprintf(d->err, "%s: %s\n", d->path, wrong);
        d->rc = d->rc ? d->rc : E_CORRUPT;
        goto out;
    }
    for (int32_t i = 0; i < snapshot.n_producer_entries; i++)
        print_entry(d, &snapshot.producer_entries[i]);
out:
    buf_release(&b);
    arena_release(&d->arena);
    arena_init(&d->arena);
}

void dump_text(struct dump *d)
{
    struct buf b;

    if (read_file(d, &b)) {
        fwrite(b.p, 1, b.n, d->out);
        if (b.n > 0 && b.p[b.n - 1] != '\n')
            fputs("\n", d->out);
    }
    buf_release(&b);
}
