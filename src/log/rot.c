/* Rot: what is known of the bytes of a segment since they came from the device.
 *
 * Owner: the segment, core thread; log_check_run (check.c) is the lane's part.
 *
 *   0        checked     hole     checked      written_from          size_bytes
 *   |--good--------------|  ?  |--good---------|--written by this process--|
 *
 * Happy path: log_read gives a range: is all of it written by this process, or checked? Then it is
 *             good as long as it is in the page cache, and nothing is done. Else, or when it is not
 *             in the page cache: log_check_begin -> log_check_run on a lane -> log_check_end
 *             remembers how far it was good.
 * Invariant:  rot[] ascends and does not overlap; no range of checked[] holds a part of it.
 * Failures:   damage is noted once: an error line with topic, partition, offset and file, a metric, and
 *             an entry in rot[], by which readers are led around it. Nothing is changed on the disk.
 */
#include "segment.h"

#include "metrics.h"

#define ROT_MAX 1000 /* of a segment: past it the last entry takes in what follows */

/* ---- what is good --------------------------------------------------------------------------- */

bool rot_is_checked(const struct segment *s, uint64_t from, uint64_t until)
{
    ASSERT(from <= until);
    if (from >= s->written_from)
        return true;
    for (int i = 0; i < SEGMENT_CHECKED_MAX; i++) {
        const struct checked *c = &s->checked[i];

        if (c->from <= from && (until <= c->until || (c->until >= s->written_from && c->until > 0)))
            return true;
    }
    return false;
}

static struct checked *range_beside(struct segment *s, uint64_t from, uint64_t until)
{
    struct checked *smallest = &s->checked[0];

    for (int i = 0; i < SEGMENT_CHECKED_MAX; i++) {
        struct checked *c = &s->checked[i];

        if (c->until > 0 && from <= c->until && c->from <= until)
            return c;
        if (c->until - c->from < smallest->until - smallest->from)
            smallest = c;
    }
    *smallest = (struct checked){(uint32_t)from, (uint32_t)until};
    return smallest;
}

/* Ranges that touch become one; the smallest makes room for a new one. */
static void note_good(struct segment *s, uint64_t from, uint64_t until)
{
    struct checked *c;

    ASSERT(until <= s->size_bytes);
    if (from == until)
        return;
    c = range_beside(s, from, until);
    c->from = MIN(c->from, (uint32_t)from);
    c->until = MAX(c->until, (uint32_t)until);
    for (int i = 0; i < SEGMENT_CHECKED_MAX; i++) {
        struct checked *o = &s->checked[i];

        if (o == c || o->until == 0 || o->from > c->until || c->from > o->until)
            continue;
        c->from = MIN(c->from, o->from);
        c->until = MAX(c->until, o->until);
        *o = (struct checked){0};
    }
}

/* ---- what is not ---------------------------------------------------------------------------- */

const struct log_rot *rot_from(const struct segment *s, uint64_t position)
{
    for (uint32_t i = 0; i < s->n_rot; i++) {
        if (s->rot[i].until > position)
            return &s->rot[i];
    }
    return NULL;
}

void rot_forget(struct segment *s)
{
    metric_add(s->log->m->env->metrics, M_log_corrupt_ranges, -(int64_t)s->n_rot);
    free(s->rot);
    s->rot = NULL;
    s->n_rot = 0;
    s->written_from = MIN(s->written_from, (uint32_t)s->size_bytes);
    memset(s->checked, 0, sizeof(s->checked));
}

static void tell(const struct segment *s, const struct log_rot *rot)
{
    char path[SEGMENT_PATH_MAX];

    diag_error("%s-%d: damaged at offset %lld (%s, position %llu, %llu bytes): records from there to "
               "offset %lld are answered CORRUPT_MESSAGE, those behind are served",
               s->log->topic, s->log->partition, (long long)rot->offset,
               segment_path(s, ".log", path), (unsigned long long)rot->position,
               (unsigned long long)(rot->until - rot->position), (long long)rot->offset_next);
}

static void insert(struct segment *s, uint32_t i, const struct log_rot *rot)
{
    s->rot = xrealloc_array(s->rot, s->n_rot + 1, sizeof(*s->rot));
    memmove(&s->rot[i + 1], &s->rot[i], (s->n_rot - i) * sizeof(*s->rot));
    s->rot[i] = *rot;
    s->n_rot++;
    metric_add(s->log->m->env->metrics, M_log_corrupt_ranges, 1);
}

void rot_note(struct segment *s, const struct log_rot *rot)
{
    uint32_t i = 0;

    ASSERT_CORE();
    ASSERT(rot->position < rot->until);
    ASSERT(rot->until <= s->size_bytes);
    ASSERT(rot->offset < rot->offset_next);
    while (i < s->n_rot && s->rot[i].until <= rot->position)
        i++;
    if (i < s->n_rot && s->rot[i].position < rot->until)
        return; /* known, whoever saw it first */
    MARK(rot_noted);
    places_forget(s->log);
    tell(s, rot);
    if (s->n_rot < ROT_MAX) {
        insert(s, i, rot);
    } else if (i > 0) {
        s->rot[i - 1].until = rot->until;
        s->rot[i - 1].offset_next = MAX(s->rot[i - 1].offset_next, rot->offset_next);
    }
}

int rot_find(struct segment *s, uint64_t position, int64_t expected)
{
    struct search_area area = {.segment_base = s->base_offset,
                               .size_bytes = s->size_bytes,
                               .offset_min = expected,
                               .offset_end = segment_end_offset(s)};
    struct log_rot rot;
    int rc = segment_file(s, &area.file);

    if (rc < 0 || !s->log->bears_rot)
        return rc < 0 ? rc : E_CORRUPT;
    search_rot(&area, position, expected, &rot);
    if (rot.offset >= rot.offset_next)
        return E_CORRUPT;
    rot_note(s, &rot);
    return 0;
}

void logm_print_rot(struct logm *m, struct buf *out)
{
    char path[SEGMENT_PATH_MAX];

    buf_printf(out, "# HELP log_corrupt_range Bytes that are damaged on the disk\n"
                    "# TYPE log_corrupt_range gauge\n");
    for (struct log *l = m->logs; l; l = l->by_name.next) {
        for (int i = 0; i < l->n_segments; i++) {
            const struct segment *s = l->segments[i];

            for (uint32_t k = 0; k < s->n_rot; k++)
                buf_printf(out,
                           "log_corrupt_range{topic=\"%s\",partition=\"%d\",offset=\"%lld\","
                           "offset_next=\"%lld\",file=\"%s\"} %llu\n",
                           l->topic, l->partition, (long long)s->rot[k].offset,
                           (long long)s->rot[k].offset_next, segment_path(s, ".log", path),
                           (unsigned long long)(s->rot[k].until - s->rot[k].position));
        }
    }
}

/* ---- a check: its begin and its end --------------------------------------------------------- */

void log_check_begin(struct log *l, struct log_check *c, const struct log_read *r)
{
    struct segment *s = log_segment_at_base(l, r->segment_base);

    ASSERT_CORE();
    ASSERT(s);
    ASSERT(r->n_bytes > 0);
    ASSERT(r->position + r->n_bytes <= s->size_bytes);
    *c = (struct log_check){
        .log = l,
        .file = file_ref(r->file),
        .segment_base = s->base_offset,
        .offset = r->offset,
        .offset_end = segment_end_offset(s),
        .position = r->position,
        .size_bytes = s->size_bytes,
        .n_bytes = r->n_bytes,
    };
    list_push(&l->checks, &c->link);
}

/* Where the file was opened again, or replaced, nothing is remembered of the one that was looked at. */
static struct segment *segment_of(const struct log_check *c)
{
    struct segment *s = c->log ? log_segment_at_base(c->log, c->segment_base) : NULL;

    return s && s->file == c->file && s->size_bytes >= c->size_bytes ? s : NULL;
}

int log_check_end(struct log_check *c)
{
    struct segment *s = segment_of(c);
    int rc = c->n_good > 0 ? 0 : c->rc;

    ASSERT_CORE();
    ASSERT(IMPLIES(c->rc == 0, c->n_good == c->n_bytes));
    ASSERT(c->n_whole <= c->n_good);
    if (s) {
        note_good(s, c->position, c->position + c->n_whole);
        if (c->rc == E_ROT)
            rot_note(s, &c->rot);
        else if (c->rc < 0)
            diag_warn("%s-%d: reading at position %llu of segment %lld: %s", c->log->topic,
                      c->log->partition, (unsigned long long)(c->position + c->n_good),
                      (long long)s->base_offset, err_text(c->rc));
    }
    if (c->log)
        list_remove(&c->link);
    file_unref(c->file);
    c->file = NULL;
    c->log = NULL;
    return rc;
}
