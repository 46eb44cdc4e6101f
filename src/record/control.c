/* The keys of control records.
 *
 *   0 version i16, 0 | 2 type i16 (enum control_type)
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
