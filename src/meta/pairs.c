/* Settings as text: a small sorted array of owned pairs.
 *
 * Owner: whoever holds the array (a topic, a resource).
 */
#include "internal.h"

/* The place of the name, or where it would be. */
static int place(const struct config_pair *pairs, int n, struct str name)
{
    int low = 0, high = n;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (str_cmp(pairs[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct config_pair *meta_pairs_find(const struct config_pair *pairs, int n, struct str name)
{
    int i = place(pairs, n, name);

    return i < n && str_eq(pairs[i].name, name) ? &pairs[i] : NULL;
}

static void pairs_remove(struct config_pair *pairs, int *n, int i)
{
    ASSERT(i < *n);
    free((void *)pairs[i].name.p);
    free((void *)pairs[i].value.p);
    memmove(&pairs[i], &pairs[i + 1], (size_t)(*n - i - 1) * sizeof(*pairs));
    (*n)--;
}

void meta_pairs_set(struct config_pair **pairs, int *n, struct str name, struct str value)
{
    int i = place(*pairs, *n, name);
    struct config_pair *p;

    ASSERT(name.p);
    if (i < *n && str_eq((*pairs)[i].name, name))
        pairs_remove(*pairs, n, i);
    if (!value.p)
        return;
    *pairs = xrealloc_array(*pairs, (size_t)*n + 1, sizeof(**pairs));
    p = *pairs + i;
    memmove(p + 1, p, (size_t)(*n - i) * sizeof(*p));
    p->name = (struct str){str_dup(name), name.n};
    p->value = (struct str){str_dup(value), value.n};
    (*n)++;
}

void meta_pairs_release(struct config_pair **pairs, int *n)
{
    while (*n > 0)
        pairs_remove(*pairs, n, *n - 1);
    free(*pairs);
    *pairs = NULL;
}
