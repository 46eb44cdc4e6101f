/* Commands on the simulated disk. */
#include "stage.h"
#include "text.h"

static bool find_kind(struct str word, enum vfs_sim_fault_kind *out)
{
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (!str_is(word, vfs_sim_fault_name((enum vfs_sim_fault_kind)i)))
            continue;
        *out = (enum vfs_sim_fault_kind)i;
        return true;
    }
    return false;
}

static bool find_op(struct str word, uint32_t *mask)
{
    for (int i = 0; i < SIM_OPS; i++) {
        if (!str_is(word, vfs_sim_op_name((enum vfs_sim_op)i)))
            continue;
        *mask |= SIM_OP(i);
        return true;
    }
    return false;
}

static bool fault_word(struct vfs_sim_fault *f, struct str word, char **path)
{
    if (find_op(word, &f->ops))
        return true;
    if (str_is(word, "lasting")) {
        f->lasting = true;
        return true;
    }
    if (word.n > 4 && memcmp(word.p, "nth=", 4) == 0) {
        f->nth = strtoull(word.p + 4, NULL, 10);
        return true;
    }
    if (word.n > 5 && memcmp(word.p, "path=", 5) == 0) {
        free(*path);
        f->path = *path = str_dup((struct str){word.p + 5, word.n - 5});
        return true;
    }
    return false;
}

static struct str next_word(const char **rest)
{
    struct str word;

    *rest += strspn(*rest, " ");
    word = (struct str){*rest, strcspn(*rest, " ")};
    *rest += word.n;
    return word;
}

void disk_fault(struct stage *s, const char *rest)
{
    struct vfs_sim_fault fault = {.nth = 1};
    struct str word = next_word(&rest);
    char *path = NULL;
    bool ok = find_kind(word, &fault.kind);

    for (word = next_word(&rest); ok && word.n > 0; word = next_word(&rest))
        ok = fault_word(&fault, word, &path);
    if (ok)
        vfs_sim_add_fault(s->disk, &fault);
    else
        stage_error(s, "fault KIND [OPERATION] [nth=N] [path=PATTERN] [lasting]");
    free(path);
}

void disk_space(struct stage *s, const char *rest)
{
    struct vfs_space space;
    uint64_t free_bytes = (uint64_t)1 << 40;

    if (strncmp(rest, "free=", 5) != 0 || vfs_space(s->disk, "/", &space) < 0) {
        stage_error(s, "disk free=BYTES or disk free=plenty");
        return;
    }
    if (strcmp(rest + 5, "plenty") != 0)
        free_bytes = strtoull(rest + 5, NULL, 10);
    vfs_sim_set_space(s->disk, space.total_bytes - space.free_bytes + free_bytes);
}

void disk_rot(struct stage *s, const char *rest)
{
    struct str path = next_word(&rest);
    char *text = str_dup(path);
    int rc = vfs_sim_rot(s->disk, text, strtoull(rest, NULL, 10), 0);

    if (rc < 0)
        stage_error(s, "rot PATH BYTE: %s", err_text(rc));
    free(text);
}

struct listing {
    char **names;
    size_t n;
};

static int note_entry(void *arg, const char *name, bool is_dir)
{
    struct listing *l = arg;

    l->names = xrealloc_array(l->names, l->n + 1, sizeof(*l->names));
    l->names[l->n++] = xasprintf("%s%s", name, is_dir ? "/" : "");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void disk_list(struct stage *s, const char *rest)
{
    struct listing l = {.names = NULL};
    int rc = vfs_list(s->disk, rest, note_entry, &l);

    if (rc < 0)
        stage_say(s, "(%s)", err_text(rc));
    if (l.n > 0)
        qsort(l.names, l.n, sizeof(*l.names), by_name);
    for (size_t i = 0; i < l.n; i++) {
        stage_say(s, "%s", l.names[i]);
        free(l.names[i]);
    }
    free(l.names);
}
