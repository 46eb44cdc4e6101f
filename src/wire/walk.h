/* Finding a field's parts inside a message, by its description. */
#ifndef BARNABAS_WIRE_WALK_H
#define BARNABAS_WIRE_WALK_H

#include "wire.h"

/* The bytes of one value of the field's type, in an array or alone. */
size_t walk_value_bytes(const struct wire_field_info *f);

static inline bool walk_present(const struct wire_field_info *f, int16_t version)
{
    return version >= f->version_min && version <= f->version_max;
}

static inline bool walk_nullable(const struct wire_field_info *f, int16_t version)
{
    return version >= f->nullable_min && version <= f->nullable_max;
}

static inline bool walk_is_array(const struct wire_field_info *f)
{
    return f->count_offset != 0;
}

#endif
