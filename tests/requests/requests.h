/* Random requests: what requests.c (the run), make.c (messages) and seen.c (values) share. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "box.h"

/* Values that replies held, by the name of their field: ids, epochs, names. Requests use them again, so that they get past the first
 * check of a handler. */
enum seen_type { SEEN_NUMBER = 0, SEEN_TEXT, SEEN_UUID, SEEN_TYPES };
#define SEEN_TEXT_MAX 48
#define SEEN_PER_NAME 8
#define SEEN_NAMES    256
struct seen_value {
    int64_t number;
    struct uuid uuid;
    char text[SEEN_TEXT_MAX];
    size_t n;
};
struct seen_name {
    const char *name; /* of the schema's description, which stays */
    enum seen_type type;
    uint32_t n; /* ever; the newest SEEN_PER_NAME are kept */
    struct seen_value values[SEEN_PER_NAME];
};
struct seen {
    struct seen_name names[SEEN_NAMES];
    int n_names;
};
/* Takes up what a reply holds. */
void seen_message(struct seen *s, const struct wire_struct_info *shape, const void *m,
                  int16_t version);
/* One of the values under a name, at random or the newest; NULL: none yet. */
const struct seen_value *seen_pick(const struct seen *s, struct rng *rng, const char *name,
                                   enum seen_type type, bool newest);

struct maker {
    struct rng rng;
    struct arena *arena;
    const struct seen *seen;
    int16_t version;
    int64_t wall_ms;
    bool careful; /* no nonsense in this one, and mostly the newest of what was seen */
};
/* A request of this shape: every field that the version has is set, mostly to something that makes sense. */
void make_message(struct maker *mk, const struct wire_struct_info *shape, void *m);

#endif
