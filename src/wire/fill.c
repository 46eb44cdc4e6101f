/* Messages full of varied values, for tests and fuzzing.
 *
 * Only fields that the version has are filled, so that what is encoded is what comes back. Values
 * lean towards the edges: zero, one, minus one, the least and the greatest; null and empty.
 * Recursion is as deep as the schemas nest, which no peer can change.
 */
#include "walk.h"

#define ELEMENTS_MAX   3
#define TEXT_BYTES_MAX 200

static int64_t random_number(struct rng *rng, unsigned bits)
{
    int64_t greatest = (int64_t)(UINT64_MAX >> (65 - bits));

    switch (rng_below(rng, 8)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return -1;
    case 3:
        return greatest;
    case 4:
        return -greatest - 1;
    default:
        return (int64_t)rng_next(rng);
    }
}

static uint8_t *random_text(struct rng *rng, struct arena *arena, size_t *n)
{
    uint8_t *p;

    *n = rng_below(rng, rng_below(rng, 8) == 0 ? TEXT_BYTES_MAX : 12);
    p = arena_alloc(arena, *n + 1);
    for (size_t i = 0; i < *n; i++)
        p[i] = (uint8_t)('a' + rng_below(rng, 26));
    return p;
}

static bool random_null(const struct wire_field_info *f, struct rng *rng, int16_t version)
{
    return walk_nullable(f, version) && rng_below(rng, 4) == 0;
}

static void fill_str(struct str *v, struct rng *rng, struct arena *arena)
{
    v->p = (const char *)random_text(rng, arena, &v->n);
}

static void fill_bytes(struct bytes *v, struct rng *rng, struct arena *arena)
{
    v->p = random_text(rng, arena, &v->n);
}

static void fill_records(struct wire_records *v, struct rng *rng, struct arena *arena)
{
    *v = (struct wire_records){.source = NULL};
    v->p = random_text(rng, arena, &v->n_bytes);
}

static void fill_scalar(int type, void *at, struct rng *rng)
{
    switch (type) {
    case WIRE_INT8:
        *(int8_t *)at = (int8_t)random_number(rng, 8);
        break;
    case WIRE_INT16:
    case WIRE_UINT16:
        *(uint16_t *)at = (uint16_t)random_number(rng, 16);
        break;
    case WIRE_INT32:
    case WIRE_UINT32:
        *(uint32_t *)at = (uint32_t)random_number(rng, 32);
        break;
    case WIRE_INT64:
        *(int64_t *)at = random_number(rng, 64);
        break;
    case WIRE_FLOAT64:
        *(double *)at = (double)random_number(rng, 32) / 8;
        break;
    case WIRE_BOOL:
        *(bool *)at = rng_below(rng, 2) == 1;
        break;
    default:
        ASSERT(!"a scalar");
    }
}

static void fill_value(const struct wire_field_info *f, void *at, struct rng *rng,
                       struct arena *arena, int16_t version)
{
    switch (f->type) {
    case WIRE_STRUCT:
        wire_fill(f->of, at, rng, arena, version);
        break;
    case WIRE_STRING:
        fill_str(at, rng, arena);
        break;
    case WIRE_BYTES:
        fill_bytes(at, rng, arena);
        break;
    case WIRE_RECORDS:
        fill_records(at, rng, arena);
        break;
    case WIRE_UUID:
        *(struct uuid *)at = rng_below(rng, 4) == 0 ? UUID_ZERO : rng_uuid(rng);
        break;
    default:
        fill_scalar(f->type, at, rng);
    }
}

static void fill_array(const struct wire_field_info *f, uint8_t *m, struct rng *rng,
                       struct arena *arena, int16_t version)
{
    int32_t n = random_null(f, rng, version) ? -1 : (int32_t)rng_below(rng, ELEMENTS_MAX + 1);
    size_t value_bytes = walk_value_bytes(f);
    uint8_t *elements = n > 0 ? arena_array(arena, (size_t)n, value_bytes) : NULL;

    *(uint8_t **)(m + f->offset) = elements;
    *(int32_t *)(m + f->count_offset) = n;
    for (int32_t i = 0; i < n; i++)
        fill_value(f, elements + (size_t)i * value_bytes, rng, arena, version);
}

static void fill_null(const struct wire_field_info *f, uint8_t *at)
{
    memset(at, 0, f->pointer ? sizeof(void *) : walk_value_bytes(f));
}

static void fill_field(const struct wire_field_info *f, uint8_t *m, struct rng *rng,
                       struct arena *arena, int16_t version)
{
    uint8_t *at = m + f->offset;

    if (walk_is_array(f)) {
        fill_array(f, m, rng, arena, version);
        return;
    }
    if (random_null(f, rng, version)) {
        fill_null(f, at);
        return;
    }
    if (f->pointer) {
        *(uint8_t **)at = arena_alloc(arena, f->of->bytes);
        at = *(uint8_t **)at;
    }
    fill_value(f, at, rng, arena, version);
}

void wire_fill(const struct wire_struct_info *info, void *m, struct rng *rng, struct arena *arena,
               int16_t version)
{
    memcpy(m, info->defaults, info->bytes);
    for (int i = 0; i < info->n_fields; i++) {
        if (walk_present(&info->fields[i], version))
            fill_field(&info->fields[i], m, rng, arena, version);
    }
}
