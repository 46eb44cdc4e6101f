/* Doubles among the keys that a peer sent.
 *
 * Owner: the request's arena.
 */
#include "rows.h"

struct place {
    struct bytes key;
    int32_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = memcmp(x->key.p ? x->key.p : (const uint8_t *)"",
                   y->key.p ? y->key.p : (const uint8_t *)"", MIN(x->key.n, y->key.n));

    if (c == 0)
        c = (x->key.n > y->key.n) - (x->key.n < y->key.n);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

enum key_seen *api_keys_seen(struct arena *a, const struct bytes *keys, int32_t n)
{
    enum key_seen *seen = arena_array(a, (size_t)MAX(n, 0), sizeof(*seen));
    struct place *places = arena_array(a, (size_t)MAX(n, 0), sizeof(*places));

    for (int32_t i = 0; i < n; i++)
        places[i] = (struct place){keys[i], i};
    qsort(places, (size_t)MAX(n, 0), sizeof(*places), by_key);
    for (int32_t i = 1; i < n; i++) {
        if (!bytes_eq(places[i].key, places[i - 1].key))
            continue;
        seen[places[i].index] = KEY_AGAIN;
        if (seen[places[i - 1].index] == KEY_ONCE)
            seen[places[i - 1].index] = KEY_FIRST_OF_SEVERAL;
    }
    return seen;
}
