/* Control records: their keys, and the markers that end transactions.
 *
 *   key    0 version i16, 0 | 2 type i16 (enum control_type)
 *   value  0 version i16, 0 | 2 coordinator epoch i32          of a marker
 *
 * Owner: nobody; pure functions.
 *
 * Failures:   E_CORRUPT for a key that is too short or has a negative version. A key of a later
 *             version begins the same, and a type that is not known is passed on
 *             (ControlRecordType.parse, which calls it UNKNOWN and lets readers skip it).
 */
#include "record.h"

#define KEY_BYTES   4
#define KEY_VERSION 0
#define MARKER_VERSION 0

void control_key_put(uint8_t key[4], enum control_type type)
{
    ASSERT(type >= CONTROL_ABORT);
    ASSERT(type <= CONTROL_KRAFT_VOTERS);
    put_be16(key, KEY_VERSION);
    put_be16(key + 2, (uint16_t)type);
}

int control_key_get(struct bytes key, int16_t *type)
{
    if (key.n < KEY_BYTES || (int16_t)get_be16(key.p) < KEY_VERSION)
        return E_CORRUPT;
    *type = (int16_t)get_be16(key.p + 2);
    return 0;
}

void marker_value_put(uint8_t value[MARKER_VALUE_BYTES], int32_t coordinator_epoch)
{
    put_be16(value, MARKER_VERSION);
    put_be32(value + 2, (uint32_t)coordinator_epoch);
}

int marker_value_get(struct bytes value, int32_t *coordinator_epoch)
{
    if (value.n < MARKER_VALUE_BYTES || (int16_t)get_be16(value.p) < MARKER_VERSION)
        return E_CORRUPT;
    *coordinator_epoch = (int32_t)get_be32(value.p + 2);
    return 0;
}

int marker_of_batch(const uint8_t *p, const struct batch *b, struct end_marker *out)
{
    struct record_iter it;
    struct record r;
    struct buf scratch;
    int16_t type = -1;
    int rc;

    ASSERT(b->attributes & BATCH_CONTROL);
    if (b->record_count == 0)
        return E_NOENT;
    buf_init(&scratch);
    rc = record_iter_init(&it, p, b, b->total_bytes, &scratch);
    if (rc == 0)
        rc = record_iter_next(&it, &r) == 1 ? control_key_get(r.key, &type) : E_CORRUPT;
    if (rc == 0 && type != CONTROL_ABORT && type != CONTROL_COMMIT)
        rc = E_NOENT;
    if (rc == 0)
        rc = marker_value_get(r.value, &out->coordinator_epoch);
    out->committed = type == CONTROL_COMMIT;
    buf_release(&scratch);
    return rc;
}
