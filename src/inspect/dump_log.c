/* The batches and records of a segment or a KRaft snapshot (DumpLogSegments.dumpLog).
 *
 * Owner: struct dump.
 *
 * Happy path: a line for each batch, and, where that is asked for, one for each record.
 * Failures:   what is no batch ends the file: "Found N invalid bytes". Records that can not be read
 *             are one line in err, and the next batch follows; there Kafka's tool ends with a stack
 *             trace.
 */
#include "dump.h"

#define RECORDS_BYTES_MAX (1u << 30) /* of one batch, decompressed */

static const char *timestamp_type(const struct batch *b)
{
    return b->attributes & BATCH_LOG_APPEND_TIME ? "LogAppendTime" : "CreateTime";
}

static const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

static void print_title(struct dump *d)
{
    int64_t offset = offset_in_name(d->name);

    if (name_ends(d->name, ".log"))
        fprintf(d->out, "Log starting offset: %lld\n", (long long)MAX(offset, 0));
    else if (strcmp(d->name, "bootstrap.checkpoint") == 0)
        fprintf(d->out, "KRaft bootstrap snapshot\n");
    else if (offset >= 0 && d->name[20] == '-')
        fprintf(d->out, "Snapshot end offset: %lld, epoch: %ld\n", (long long)offset,
                strtol(d->name + 21, NULL, 10));
}

static void print_batch(struct dump *d, const struct batch *b, const uint8_t *p, uint64_t position)
{
    struct batch checked;
    bool valid = batch_check(p, b->total_bytes, &checked) != E_CORRUPT;
    char horizon[48] = "OptionalLong.empty", codec[32];

    if (b->attributes & BATCH_DELETE_HORIZON)
        snprintf(horizon, sizeof(horizon), "OptionalLong[%lld]", (long long)b->base_timestamp_ms);
    snprintf(codec, sizeof(codec), "unknown(%d)", b->attributes & BATCH_CODEC_MASK);
    fprintf(d->out,
            "baseOffset: %lld lastOffset: %lld count: %d baseSequence: %d lastSequence: %d "
            "producerId: %lld producerEpoch: %d partitionLeaderEpoch: %d isTransactional: %s "
            "isControl: %s deleteHorizonMs: %s",
            (long long)b->base_offset, (long long)batch_last_offset(b), b->record_count,
            b->base_sequence, batch_last_sequence(b), (long long)b->producer_id, b->producer_epoch,
            b->leader_epoch, bool_text(b->attributes & BATCH_TRANSACTIONAL),
            bool_text(b->attributes & BATCH_CONTROL), horizon);
    fprintf(d->out,
            " position: %llu %s: %lld size: %u magic: %d compresscodec: %s crc: %u isvalid: %s\n",
            (unsigned long long)position, timestamp_type(b), (long long)b->max_timestamp_ms,
            b->total_bytes, BATCH_MAGIC,
            (b->attributes & BATCH_CODEC_MASK) < CODEC_COUNT ? codec_name(batch_codec(b)) : codec,
            b->crc, bool_text(valid));
}

static int64_t size_or_null(struct bytes b)
{
    return b.p ? (int64_t)b.n : -1;
}

static void print_header_keys(struct dump *d, struct record *r)
{
    struct record_header h;
    const char *between = "";

    fputs(" headerKeys: [", d->out);
    while (record_header_next(r, &h) > 0) {
        fprintf(d->out, "%s%.*s", between, STR_ARG(h.key));
        between = ",";
    }
    fputs("]", d->out);
}

static void print_metadata(struct dump *d, const struct batch *b, struct record r)
{
    int32_t sequence =
        b->base_sequence >= 0 ? sequence_after(b->base_sequence, r.offset_delta) : NO_SEQUENCE;

    fprintf(d->out, "| offset: %lld %s: %lld keySize: %lld valueSize: %lld sequence: %d",
            (long long)r.offset, timestamp_type(b), (long long)r.timestamp_ms,
            (long long)size_or_null(r.key), (long long)size_or_null(r.value), sequence);
    print_header_keys(d, &r);
    if (b->attributes & BATCH_CONTROL) {
        d->text.n = 0;
        decode_control(d, &r, &d->text);
        fwrite(d->text.p, 1, d->text.n, d->out);
    }
}

static void print_contents(struct dump *d, const struct record *r, const char *prefix)
{
    int64_t n_key, n_payload;

    d->text.n = 0;
    decode_record(d, r, &n_key, &n_payload);
    if (n_key >= 0) {
        fprintf(d->out, "%skey: ", prefix);
        fwrite(d->text.p, 1, (size_t)n_key, d->out);
        prefix = " ";
    }
    if (n_payload >= 0) {
        fprintf(d->out, "%spayload: ", prefix);
        fwrite(d->text.p + MAX(n_key, 0), 1, (size_t)n_payload, d->out);
    }
}

static void print_record(struct dump *d, const struct batch *b, const struct record *r)
{
    bool metadata = !d->options->no_metadata;

    if (metadata)
        print_metadata(d, b, *r);
    if (d->options->print_data && !(b->attributes & BATCH_CONTROL))
        print_contents(d, r, metadata ? " " : "| ");
    fputs("\n", d->out);
}

static void print_records(struct dump *d, const struct batch *b, const uint8_t *p,
                          uint64_t position, int64_t *last_offset)
{
    struct record_iter it;
    struct record r;
    int rc = record_iter_init(&it, p, b, RECORDS_BYTES_MAX, &d->scratch);

    while (rc == 0 && (rc = record_iter_next(&it, &r)) > 0) {
        if (*last_offset >= 0 && r.offset != *last_offset + 1)
            dump_note(d, NOTE_NOT_CONSECUTIVE, *last_offset, r.offset);
        *last_offset = r.offset;
        print_record(d, b, &r);
        rc = 0;
    }
    if (rc < 0)
        fprintf(d->err, "%s: the records of the batch at position %llu can not be read: %s\n",
                d->path, (unsigned long long)position, err_text(rc));
}

void dump_log(struct dump *d)
{
    bool whole = d->options->max_bytes == INT32_MAX;
    int64_t last_offset = -1;
    const uint8_t *p;
    struct scan s;
    struct batch b;
    uint64_t position;
    int rc = scan_open(&s, d->vfs, d->path);

    print_title(d);
    if (!whole)
        s.end = MIN(s.end, (uint64_t)d->options->max_bytes);
    while (rc == 0 && (rc = scan_next(&s, &b, &p, &position)) > 0) {
        print_batch(d, &b, p, position);
        if (d->options->deep || d->options->print_data)
            print_records(d, &b, p, position, &last_offset);
        rc = 0;
    }
    if (rc == E_CORRUPT && whole)
        fprintf(d->out, "Found %llu invalid bytes at the end of %s\n",
                (unsigned long long)(s.end - s.position), d->name);
    else if (rc < 0 && rc != E_CORRUPT)
        dump_fail(d, d->path, rc);
    scan_close(&s);
}
