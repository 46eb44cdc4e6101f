/* Keys and values of records as text: plain, of the coordinators' topics, of the metadata log; and
 * control records (DumpLogSegments' MessageParser classes).
 *
 * Owner: struct dump: its arena is emptied with each record.
 *
 * Happy path: the record's type -> its schema, from wire's table -> decode -> JSON.
 * Failures:   what can not be decoded is said in place of the text; the wording of the reason is
 *             ours.
 */
#include "dump.h"

#include "wire.h"

static const char *const families[] = {
    [DUMP_OFFSETS] = "group",
    [DUMP_TRANSACTIONS] = "transaction",
    [DUMP_SHARE_STATE] = "share",
    [DUMP_CLUSTER_METADATA] = "metadata",
};

static const struct wire_message_info *find(const char *family, int64_t type, const char *ending)
{
    for (int i = 0; i < wire_n_record_schemas; i++) {
        const struct wire_record_schema *s = &wire_record_schemas[i];

        if (s->type == type && strcmp(s->family, family) == 0 && name_ends(s->info.name, ending))
            return &s->info;
    }
    return NULL;
}

/* Decodes what is behind its version; NULL when that does not go. */
static void *decode(struct dump *d, const struct wire_message_info *info, struct bytes in,
                    int16_t version)
{
    void *m = arena_alloc(&d->arena, info->struct_bytes);
    struct wire_reader r;

    wire_reader_init(&r, in, &d->arena);
    info->init(m);
    return info->decode(m, &r, version) == 0 ? m : NULL;
}

static void forget(struct dump *d)
{
    arena_release(&d->arena);
    arena_init(&d->arena);
}

/* ---- plain ---------------------------------------------------------------------------------- */

/* Bytes of a UTF-8 character at p, 0 where there is none. */
static size_t character(const uint8_t *p, size_t n)
{
    for (size_t i = 1; i <= MIN(n, 4); i++) {
        if (utf8_valid((struct str){(const char *)p, i}))
            return i;
    }
    return 0;
}

/* What is not UTF-8 is shown as Java shows it: one U+FFFD for each begun character. */
static void put_string(struct buf *out, struct bytes b)
{
    for (size_t i = 0; i < b.n;) {
        size_t n = character(b.p + i, b.n - i);

        if (n > 0) {
            buf_put(out, b.p + i, n);
            i += n;
            continue;
        }
        buf_put_str(out, "\xef\xbf\xbd");
        for (n = b.p[i++] >= 0xe0 ? 2 : 0; n > 0 && i < b.n && (b.p[i] & 0xc0) == 0x80; n--)
            i++;
    }
}

static void put_plain(struct buf *out, struct bytes b, enum dump_plain plain)
{
    size_t want = plain == DUMP_LONG ? 8 : 4;

    if (plain == DUMP_STRING)
        put_string(out, b);
    else if (b.n != want)
        buf_printf(out, "<%zu bytes, not %zu>", b.n, want);
    else if (plain == DUMP_LONG)
        buf_printf(out, "%lld", (long long)get_be64(b.p));
    else
        buf_printf(out, "%d", (int32_t)get_be32(b.p));
}

/* ---- the coordinators' topics --------------------------------------------------------------- */

/* The members of a classic group of consumers carry the consumer protocol's own messages. */
static bool consumer_protocol(void *arg, const char *json_name, struct bytes value, struct buf *out)
{
    struct dump *d = arg;
    const char *name = strcmp(json_name, "subscription") == 0 ? "ConsumerProtocolSubscription"
                       : strcmp(json_name, "assignment") == 0 ? "ConsumerProtocolAssignment"
                                                              : NULL;
    const struct wire_message_info *info = name ? find("group", -1, name) : NULL;
    int16_t version;
    void *m;

    if (!info || value.n < 2)
        return false;
    version = (int16_t)get_be16(value.p);
    m = decode(d, info, (struct bytes){value.p + 2, value.n - 2}, version);
    if (!m)
        return false;
    wire_json(info->shape, m, out, version, NULL, NULL);
    return true;
}

static bool is_consumer_group(const struct wire_message_info *info, const void *m)
{
    return strcmp(info->name, "GroupMetadataValue") == 0 &&
           str_is(((const struct group_metadata_value *)m)->protocol_type, "consumer");
}

static bool put_value(struct dump *d, const char *family, int16_t type, struct bytes value)
{
    const struct wire_message_info *info = find(family, type, "Value");
    int16_t version = value.n >= 2 ? (int16_t)get_be16(value.p) : -1;
    void *m = NULL;

    if (info && value.n >= 2)
        m = decode(d, info, (struct bytes){value.p + 2, value.n - 2}, version);
    if (!m)
        return false;
    buf_printf(&d->text, "{\"version\":\"%d\",\"data\":", version);
    wire_json(info->shape, m, &d->text, version,
              is_consumer_group(info, m) ? consumer_protocol : NULL, d);
    buf_put_str(&d->text, "}");
    return true;
}

static void decode_coordinator(struct dump *d, const struct record *r, const char *family,
                               int64_t *n_key, int64_t *n_payload)
{
    int16_t type = r->key.n >= 2 ? (int16_t)get_be16(r->key.p) : -1;
    const struct wire_message_info *info = type >= 0 ? find(family, type, "Key") : NULL;
    void *key = NULL;

    if (info)
        key = decode(d, info, (struct bytes){r->key.p + 2, r->key.n - 2}, 0);
    if (!info && type >= 0) {
        buf_printf(&d->text, "Unknown record type %d at offset %lld, skipping.", type,
                   (long long)r->offset);
    } else if (key) {
        buf_printf(&d->text, "{\"type\":\"%d\",\"data\":", type);
        wire_json(info->shape, key, &d->text, 0, NULL, NULL);
        buf_put_str(&d->text, "}");
    }
    *n_key = (int64_t)d->text.n;
    if (key && !r->value.p)
        buf_put_str(&d->text, "<DELETE>");
    if (key ? !r->value.p || put_value(d, family, type, r->value) : !info && type >= 0) {
        *n_payload = key ? (int64_t)d->text.n - *n_key : -1;
        return;
    }
    d->text.n = 0;
    buf_printf(&d->text, "Error at offset %lld, skipping. %s", (long long)r->offset,
               key ? "The value can not be read." : "The key can not be read.");
    *n_key = (int64_t)d->text.n;
}

/* ---- the metadata log ----------------------------------------------------------------------- */

/* "FeatureLevelRecord" -> "FEATURE_LEVEL_RECORD" */
static void put_type_name(struct buf *out, const char *name)
{
    for (const char *p = name; *p; p++) {
        bool upper = *p >= 'A' && *p <= 'Z';

        buf_printf(out, "%s%c", upper && p > name ? "_" : "", upper ? *p : *p - 'a' + 'A');
    }
}

/* | frame version 1 | type | version | message, the three as unsigned varints (MetadataRecordSerde). */
static bool put_metadata(struct dump *d, struct bytes value)
{
    const uint8_t *end = value.p + value.n;
    uint32_t head[3];
    const struct wire_message_info *info;
    void *m;

    for (int i = 0; i < 3; i++) {
        size_t n = value.p ? varint_get_unsigned(value.p, end, &head[i]) : 0;

        if (n == 0)
            return false;
        value.p += n;
    }
    info = head[0] == 1 ? find("metadata", head[1], "Record") : NULL;
    if (!info || head[2] > INT16_MAX)
        return false;
    m = decode(d, info, (struct bytes){value.p, (size_t)(end - value.p)}, (int16_t)head[2]);
    if (!m)
        return false;
    buf_put_str(&d->text, "{\"type\":\"");
    put_type_name(&d->text, info->name);
    buf_printf(&d->text, "\",\"version\":%u,\"data\":", head[2]);
    wire_json(info->shape, m, &d->text, (int16_t)head[2], NULL, NULL);
    buf_put_str(&d->text, "}");
    return true;
}

void decode_record(struct dump *d, const struct record *r, int64_t *n_key, int64_t *n_payload)
{
    enum dump_decoder decoder = d->options->decoder;

    ASSERT(d->text.n == 0);
    *n_key = *n_payload = -1;
    if (decoder == DUMP_PLAIN) {
        if (r->key.p) {
            put_plain(&d->text, r->key, d->options->key);
            *n_key = (int64_t)d->text.n;
        }
        if (r->value.p) {
            put_plain(&d->text, r->value, d->options->value);
            *n_payload = (int64_t)d->text.n - MAX(*n_key, 0);
        }
        return;
    }
    if (decoder == DUMP_CLUSTER_METADATA) {
        if (!put_metadata(d, r->value))
            buf_printf(&d->text, "Error at %lld, skipping. The record can not be read.",
                       (long long)r->offset);
        *n_payload = (int64_t)d->text.n;
    } else {
        decode_coordinator(d, r, families[decoder], n_key, n_payload);
    }
    forget(d);
}

/* ---- control records ------------------------------------------------------------------------ */

static const struct {
    const char *name;    /* ControlRecordType */
    const char *title;   /* NULL: a marker */
    const char *message; /* whose value begins with its own version */
} controls[] = {
    [CONTROL_ABORT] = {"ABORT", NULL, NULL},
    [CONTROL_COMMIT] = {"COMMIT", NULL, NULL},
    [CONTROL_LEADER_CHANGE] = {"LEADER_CHANGE", " LeaderChange: ", "LeaderChangeMessage"},
    [CONTROL_SNAPSHOT_HEADER] = {"SNAPSHOT_HEADER", " SnapshotHeader ", "SnapshotHeaderRecord"},
    [CONTROL_SNAPSHOT_FOOTER] = {"SNAPSHOT_FOOTER", " SnapshotFooter ", "SnapshotFooterRecord"},
    [CONTROL_KRAFT_VERSION] = {"KRAFT_VERSION", " KRaftVersion ", "KRaftVersionRecord"},
    [CONTROL_KRAFT_VOTERS] = {"KRAFT_VOTERS", " KRaftVoters ", "VotersRecord"},
};

static bool put_control_message(struct dump *d, const char *name, struct bytes value,
                                struct buf *out)
{
    const struct wire_message_info *info = find("storage", -1, name);
    int16_t version = value.n >= 2 ? (int16_t)get_be16(value.p) : -1;
    void *m = info && version >= 0 ? decode(d, info, value, version) : NULL;

    if (m)
        wire_json(info->shape, m, out, version, NULL, NULL);
    return m;
}

void decode_control(struct dump *d, const struct record *r, struct buf *out)
{
    int16_t type;

    if (control_key_get(r->key, &type) < 0) {
        buf_put_str(out, " controlType: UNKNOWN");
    } else if (type < 0 || (size_t)type >= ARRAY_SIZE(controls)) {
        buf_printf(out, " controlType: UNKNOWN(%d)", type);
    } else if (!controls[type].title) {
        /* i16 version, i32 coordinator epoch (EndTransactionMarker) */
        buf_printf(out, " endTxnMarker: %s coordinatorEpoch: %d", controls[type].name,
                   r->value.n >= 6 ? (int32_t)get_be32(r->value.p + 2) : -1);
    } else {
        buf_put_str(out, controls[type].title);
        if (!put_control_message(d, controls[type].message, r->value, out))
            buf_put_str(out, "?");
        forget(d);
    }
}
