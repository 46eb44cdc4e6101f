/* Values that replies held. See requests.h. */
#include "requests.h"
#include "walk.h"

static struct seen_name *find(struct seen *s, const char *name, enum seen_type type)
{
    for (int i = 0; i < s->n_names; i++)
        if (s->names[i].type == type && strcmp(s->names[i].name, name) == 0)
            return &s->names[i];
    if (s->n_names == SEEN_NAMES)
        return NULL;
    s->names[s->n_names] = (struct seen_name){.name = name, .type = type};
    return &s->names[s->n_names++];
}

static void take(struct seen *s, const char *name, enum seen_type type, const struct seen_value *v)
{
    struct seen_name *n = find(s, name, type);

    if (n)
        n->values[n->n++ % SEEN_PER_NAME] = *v;
}

static void take_value(struct seen *s, const struct wire_field_info *f, const void *at,
                       int16_t version)
{
    struct seen_value v = {0};
    const struct str *text = at;

    switch (f->type) {
    case WIRE_STRUCT:
        seen_message(s, f->of, at, version);
        return;
    case WIRE_INT16:
        v.number = *(const int16_t *)at;
        break;
    case WIRE_INT32:
        v.number = *(const int32_t *)at;
        break;
    case WIRE_INT64:
        v.number = *(const int64_t *)at;
        break;
    case WIRE_UUID:
        v.uuid = *(const struct uuid *)at;
        take(s, f->name, SEEN_UUID, &v);
        return;
    case WIRE_STRING:
        if (!text->p || text->n > SEEN_TEXT_MAX)
            return;
        v.n = text->n;
        memcpy(v.text, text->p, text->n);
        take(s, f->name, SEEN_TEXT, &v);
        return;
    default:
        return;
    }
    take(s, f->name, SEEN_NUMBER, &v);
}

void seen_message(struct seen *s, const struct wire_struct_info *shape, const void *m,
                  int16_t version)
{
    for (int i = 0; i < shape->n_fields; i++) {
        const struct wire_field_info *f = &shape->fields[i];
        const uint8_t *at = (const uint8_t *)m + f->offset;
        int32_t n = 1;

        if (!walk_present(f, version))
            continue;
        if (walk_is_array(f)) {
            n = MIN(*(const int32_t *)((const uint8_t *)m + f->count_offset), SEEN_PER_NAME);
            at = *(const uint8_t *const *)at;
        } else if (f->pointer) {
            at = *(const uint8_t *const *)at;
        }
        for (int32_t k = 0; at && k < n; k++)
            take_value(s, f, at + (size_t)k * walk_value_bytes(f), version);
    }
}

const struct seen_value *seen_pick(const struct seen *s, struct rng *rng, const char *name,
                                   enum seen_type type, bool newest)
{
    for (int i = 0; i < s->n_names; i++) {
        const struct seen_name *n = &s->names[i];

        if (n->type == type && strcmp(n->name, name) == 0)
            return &n->values[newest ? (n->n - 1) % SEEN_PER_NAME
                                     : rng_below(rng, MIN(n->n, SEEN_PER_NAME))];
    }
    return NULL;
}
