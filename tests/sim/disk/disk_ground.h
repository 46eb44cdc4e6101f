/* What the simulated disk's own tests share: a clock, a disk whose misuse is noted, and short ways
 * to say things. */
#ifndef TEST_DISK_GROUND_H
#define TEST_DISK_GROUND_H

#include "vfs_sim.h"

#include <setjmp.h>

#include <cmocka.h>

struct ground {
    struct clock *clock;
    struct vfs *v;
    struct buf misuse; /* one line each */
};

static inline void note_misuse(void *arg, const char *text)
{
    buf_printf(arg, "%s\n", text);
}

static inline void ground_init(struct ground *g, struct vfs_sim_options options)
{
    buf_init(&g->misuse);
    g->clock = clock_sim_new((struct wall){5000});
    options.misuse = note_misuse;
    options.arg = &g->misuse;
    g->v = vfs_sim_new(g->clock, &options);
    vfs_sim_set_startup(g->v, true);
}

/* Ends the test; nothing but what it looked at itself was misuse. */
static inline void ground_release(struct ground *g)
{
    vfs_sim_free(g->v);
    clock_sim_free(g->clock);
    assert_string_equal(buf_cstr(&g->misuse), "");
    buf_release(&g->misuse);
}

/* The misuse noted since the last time is exactly one line that holds `part`. */
static inline void expect_misuse(struct ground *g, const char *part)
{
    const char *text = buf_cstr(&g->misuse);

    assert_non_null(strstr(text, part));
    assert_ptr_equal(strchr(text, '\n'), text + g->misuse.n - 1);
    g->misuse.n = 0;
}

static inline struct file *make(struct vfs *v, const char *path)
{
    struct file *f = NULL;

    assert_int_equal(vfs_open(v, path, VFS_WRITE | VFS_CREATE, &f), 0);
    return f;
}

static inline void write_text(struct file *f, const char *text, uint64_t at)
{
    assert_int_equal(file_pwrite(f, text, strlen(text), at), 0);
}

/* A durable file with that text, under a durable name in the root. */
static inline void put_durable(struct vfs *v, const char *path, const char *text)
{
    struct file *f = make(v, path);

    write_text(f, text, 0);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
    assert_int_equal(vfs_sync_dir(v, "/"), 0);
}

static inline bool is_there(struct vfs *v, const char *path)
{
    struct vfs_stat st;

    return vfs_stat(v, path, &st) == 0;
}

/* The text of a file, zeros as '0'; "-" when it is not there. Valid until the next call. */
static inline const char *text_of(struct vfs *v, const char *path)
{
    static char text[4096];
    struct buf b;
    int rc;

    buf_init(&b);
    rc = vfs_read_all(v, path, sizeof(text) - 1, &b);
    snprintf(text, sizeof(text), "-");
    if (rc == 0) {
        for (size_t i = 0; i < b.n; i++)
            text[i] = (char)(b.p[i] ? b.p[i] : '0');
        text[b.n] = 0;
    }
    buf_release(&b);
    return text;
}

#endif
