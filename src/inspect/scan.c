/* Reading files in big steps.
 *
 * Owner: the caller's struct.
 *
 * Happy path: a window of STEP_BYTES of the file; what is asked for lies in it, or it is read anew
 *             from there on.
 * Invariant:  memory is bounded by STEP_BYTES, or by one batch where that is larger; a larger
 *             window is given back with the next batch.
 * Failures:   E_* of the file; a file that becomes shorter meanwhile is E_EOF.
 */
#include "scan.h"

#define STEP_BYTES (1u << 20)

/* ---- batches -------------------------------------------------------------------------------- */

int scan_open(struct scan *s, struct vfs *v, const char *path)
{
    int rc;

    *s = (struct scan){0};
    buf_init(&s->window);
    rc = vfs_open(v, path, VFS_READ, &s->file);
    if (rc == 0)
        rc = file_size(s->file, &s->end);
    return rc;
}

void scan_close(struct scan *s)
{
    buf_release(&s->window);
    file_unref(s->file);
    s->file = NULL;
}

/* The bytes [position, position + n) are in the window afterwards. */
static int have(struct scan *s, size_t n)
{
    size_t step = (size_t)MIN(s->end - s->position, MAX(n, STEP_BYTES));

    ASSERT(n <= s->end - s->position);
    if (s->position >= s->window_at && s->position + n <= s->window_at + s->window.n)
        return 0;
    if (s->window.cap > 2 * STEP_BYTES)
        buf_release(&s->window);
    s->window.n = 0;
    s->window_at = s->position;
    return file_pread_full(s->file, buf_grow(&s->window, step), step, s->position);
}

int scan_next(struct scan *s, struct batch *b, const uint8_t **p, uint64_t *position)
{
    int rc;

    if (s->position >= s->end)
        return 0;
    if (s->end - s->position < BATCH_HEADER_BYTES)
        return E_CORRUPT;
    rc = have(s, BATCH_HEADER_BYTES);
    if (rc < 0)
        return rc;
    if (batch_decode(s->window.p + (s->position - s->window_at), b) == E_CORRUPT ||
        b->total_bytes > s->end - s->position)
        return E_CORRUPT;
    rc = have(s, b->total_bytes);
    if (rc < 0)
        return rc;
    *p = s->window.p + (s->position - s->window_at);
    *position = s->position;
    s->position += b->total_bytes;
    return 1;
}

/* ---- entries -------------------------------------------------------------------------------- */

int entries_open(struct entries *x, struct vfs *v, const char *path, size_t each)
{
    int rc;

    ASSERT(each > 0);
    *x = (struct entries){.each = each};
    buf_init(&x->window);
    rc = vfs_open(v, path, VFS_READ, &x->file);
    if (rc == 0)
        rc = file_size(x->file, &x->file_bytes);
    if (rc == 0 && x->file_bytes / each > INT32_MAX)
        rc = E_FORMAT;
    x->n = rc == 0 ? (uint32_t)(x->file_bytes / each) : 0;
    return rc;
}

void entries_close(struct entries *x)
{
    buf_release(&x->window);
    file_unref(x->file);
    x->file = NULL;
}

int entries_get(struct entries *x, uint32_t i, const uint8_t **entry)
{
    int rc = 0;

    ASSERT(i < x->n);
    if (i < x->first || (i - x->first + 1) * x->each > x->window.n) {
        size_t n = MIN(x->n - i, STEP_BYTES / x->each) * x->each;

        x->window.n = 0;
        x->first = i;
        rc = file_pread_full(x->file, buf_grow(&x->window, n), n, (uint64_t)i * x->each);
        if (rc < 0)
            x->window.n = 0;
    }
    *entry = x->window.p + (i - x->first) * x->each;
    return rc;
}

/* ---- names ---------------------------------------------------------------------------------- */

int64_t offset_in_name(const char *name)
{
    int64_t v = 0;

    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9' || v > (INT64_MAX - (name[i] - '0')) / 10)
            return -1;
        v = v * 10 + (name[i] - '0');
    }
    return name[20] >= '0' && name[20] <= '9' ? -1 : v;
}

const char *name_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool name_ends(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n >= m && memcmp(name + n - m, suffix, m) == 0;
}
