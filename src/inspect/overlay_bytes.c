/* The bytes of a file of the overlay: pages of its own over the file below.
 *
 * Owner: struct node.
 *
 * A node's bytes are, in this order: a page of its own; below `origin_bytes`, the file below; zeros.
 *
 * Happy path: what is written is compared with what is below: the same bytes again cost nothing, so
 *             that a recovery that changes little keeps little in memory, however large the files.
 * Failures:   E_* of the reads below.
 */
#include "overlay_impl.h"

void overlay_drop_pages(struct node *n, uint64_t from)
{
    struct page *p, *tmp;

    HASH_ITER(by_number, n->pages, p, tmp)
    {
        if (p->number < from)
            continue;
        HASH_DELETE(by_number, n->pages, p);
        free(p);
    }
}

/* Of the file below, whatever counts of it; short at its end. */
static int read_below(struct overlay *o, struct node *n, uint8_t *p, size_t want, uint64_t at,
                      size_t *got)
{
    int rc = 0;

    *got = 0;
    if (!n->origin)
        return 0;
    if (!n->below)
        rc = vfs_open(o->base, n->origin, VFS_READ, &n->below);
    return rc < 0 ? rc : file_pread(n->below, p, want, at, got);
}

static struct page *find_page(struct node *n, uint64_t number)
{
    struct page *p;

    HASH_FIND(by_number, n->pages, &number, sizeof(number), p);
    return p;
}

/* Whether no page of its own lies in the range: then one read below is enough. */
static bool is_plain(struct node *n, uint64_t at, size_t want)
{
    if (!n->pages)
        return true;
    for (uint64_t k = at / PAGE_BYTES; k <= (at + want - 1) / PAGE_BYTES; k++) {
        if (find_page(n, k))
            return false;
    }
    return true;
}

static int read_run(struct overlay *o, struct node *n, uint8_t *p, size_t want, uint64_t at)
{
    size_t counts = at < n->origin_bytes ? (size_t)MIN(want, n->origin_bytes - at) : 0, got = 0;
    int rc = counts > 0 ? read_below(o, n, p, counts, at, &got) : 0;

    memset(p + got, 0, want - got);
    return rc;
}

int overlay_read_bytes(struct overlay *o, struct node *n, uint8_t *p, size_t want, uint64_t at)
{
    int rc = 0;

    if (want == 0 || is_plain(n, at, want))
        return want == 0 ? 0 : read_run(o, n, p, want, at);
    while (rc == 0 && want > 0) {
        struct page *page = find_page(n, at / PAGE_BYTES);
        size_t in = at % PAGE_BYTES, step = MIN(want, PAGE_BYTES - in);

        if (page)
            memcpy(p, page->bytes + in, step);
        else
            rc = read_run(o, n, p, step, at);
        p += step;
        at += step;
        want -= step;
    }
    return rc;
}

static int own_page(struct overlay *o, struct node *n, uint64_t number, struct page **out)
{
    struct page *p = find_page(n, number);
    int rc = 0;

    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->number = number;
        rc = read_run(o, n, p->bytes, PAGE_BYTES, number * PAGE_BYTES);
        HASH_ADD(by_number, n->pages, number, sizeof(p->number), p);
    }
    *out = p;
    return rc;
}

/* True where the file below has these very bytes here: they need not be kept. */
static bool is_below(struct overlay *o, struct node *n, const uint8_t *p, size_t want, uint64_t at)
{
    uint8_t *bytes;
    size_t got = 0;
    bool same;

    if (!n->origin || at > n->origin_bytes || !is_plain(n, at, want))
        return false;
    bytes = xmalloc(want);
    same =
        read_below(o, n, bytes, want, at, &got) == 0 && got == want && memcmp(bytes, p, want) == 0;
    free(bytes);
    if (same)
        n->origin_bytes = MAX(n->origin_bytes, at + want);
    return same;
}

int overlay_write_bytes(struct overlay *o, struct node *n, const uint8_t *p, size_t want,
                        uint64_t at)
{
    int rc = 0;

    if (want == 0)
        return 0;
    if (is_below(o, n, p, want, at)) {
        n->size_bytes = MAX(n->size_bytes, at + want);
        return 0;
    }
    n->size_bytes = MAX(n->size_bytes, at + want);
    while (rc == 0 && want > 0 && !n->no_pages) {
        size_t in = at % PAGE_BYTES, step = MIN(want, PAGE_BYTES - in);
        struct page *page;

        rc = own_page(o, n, at / PAGE_BYTES, &page);
        memcpy(page->bytes + in, p, step);
        p += step;
        at += step;
        want -= step;
    }
    return rc;
}

void overlay_cut_bytes(struct node *n, uint64_t size_bytes)
{
    struct page *last;

    n->origin_bytes = MIN(n->origin_bytes, size_bytes);
    overlay_drop_pages(n, (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    last = find_page(n, size_bytes / PAGE_BYTES);
    if (last)
        memset(last->bytes + size_bytes % PAGE_BYTES, 0, PAGE_BYTES - size_bytes % PAGE_BYTES);
    n->size_bytes = size_bytes;
}
