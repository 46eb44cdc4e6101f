/* meta.properties: whose directory this is.
 *
 * Owner: struct log_dir, core thread, at start.
 *
 *     #                                      a java.util.Properties file, as
 *     #Sun Nov 22 22:36:17 UTC 2026          MetaPropertiesEnsemble writes it
 *     node.id=1
 *     directory.id=9FuaCt6bFGwc_muFaaw81w
 *     version=1
 *     cluster.id=6vNuDeVBSs6jNeGIm5_kUw
 *
 * Happy path: it is there: node.id and cluster.id must be ours. It is not, and the directory is
 *             empty: a new one is written (vfs_replace) before anything else, so that a directory
 *             with data always has one.
 * Failures:   a directory with other things in it, another node's or another cluster's: E_FORMAT,
 *             and nothing is changed.
 */
#include "directory.h"

struct meta {
    struct str version, cluster_id, node_id, directory_id; /* null: not given */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static struct str trimmed(struct str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* "key=value", "key: value" or "key value". None of our keys and values needs an escape. */
static void meta_take_line(struct meta *m, struct str line)
{
    const struct {
        const char *key;
        struct str *value;
    } known[] = {{"version", &m->version},
                 {"cluster.id", &m->cluster_id},
                 {"node.id", &m->node_id},
                 {"directory.id", &m->directory_id}};
    size_t n = 0;
    struct str key, value;

    line = trimmed(line);
    if (line.n == 0 || line.p[0] == '#' || line.p[0] == '!')
        return;
    while (n < line.n && line.p[n] != '=' && line.p[n] != ':' && !is_blank(line.p[n]))
        n++;
    key = (struct str){line.p, n};
    value = trimmed((struct str){line.p + n, line.n - n});
    if (value.n > 0 && (value.p[0] == '=' || value.p[0] == ':'))
        value = trimmed((struct str){value.p + 1, value.n - 1});
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (str_is(key, known[i].key))
            *known[i].value = value;
    }
}

static void meta_parse(struct meta *m, struct str text)
{
    *m = (struct meta){0};
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;

        meta_take_line(m, (struct str){text.p, n});
        n = MIN(n + 1, text.n);
        text.p += n;
        text.n -= n;
    }
}

static int meta_check(const struct log_dir *d, const struct meta *m, struct uuid *cluster_id,
                      struct errmsg *msg)
{
    char node_id[24], ours[UUID_TEXT_BYTES + 1];
    struct uuid theirs;

    snprintf(node_id, sizeof(node_id), "%lld", (long long)d->m->config->node_id);
    if (!str_is(m->version, "1")) {
        errmsg_set(msg, "%s/" DIR_META_NAME ": version is %.*s, only 1 is read", d->path,
                   STR_ARG(m->version));
        return E_FORMAT;
    }
    if (!str_is(m->node_id, node_id)) {
        errmsg_set(msg, "%s belongs to node.id %.*s (" DIR_META_NAME "), this broker is node.id %s",
                   d->path, STR_ARG(m->node_id), node_id);
        return E_FORMAT;
    }
    if (!uuid_parse(m->cluster_id, &theirs)) {
        errmsg_set(msg, "%s/" DIR_META_NAME ": cluster.id is no id: %s", d->path,
                   diag_escape(m->cluster_id));
        return E_FORMAT;
    }
    if (!uuid_is_zero(*cluster_id) && !uuid_eq(*cluster_id, theirs)) {
        uuid_text(*cluster_id, ours);
        errmsg_set(msg, "%s belongs to cluster %.*s, the other log directories to %s", d->path,
                   STR_ARG(m->cluster_id), ours);
        return E_FORMAT;
    }
    *cluster_id = theirs;
    return 0;
}

/* "Sun Nov 22 22:36:17 UTC 2026", as java.util.Date prints it. Nobody reads it but people. */
static void put_date(struct buf *out, struct wall now)
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970 began with a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t seconds = MAX(now.ms, 0) / 1000, day = seconds / 86400, weekday = day % 7;
    int year = 1970, month = 0;

    for (;; year++) {
        int n = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 366 : 365;

        if (day < n)
            break;
        day -= n;
    }
    for (;; month++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int n = days[month] + (month == 1 && leap);

        if (day < n)
            break;
        day -= n;
    }
    seconds %= 86400;
    buf_printf(out, "#\n#%.3s %.3s %02d %02d:%02d:%02d UTC %d\n", weekdays + 3 * weekday,
               months + 3 * month, (int)day + 1, (int)(seconds / 3600), (int)(seconds / 60 % 60),
               (int)(seconds % 60), year);
}

static int meta_write(const struct log_dir *d, struct uuid cluster_id, struct errmsg *msg)
{
    char path[DIR_PATH_MAX], cluster[UUID_TEXT_BYTES + 1], directory[UUID_TEXT_BYTES + 1];
    struct env *env = d->m->env;
    struct buf text;
    int rc;

    ASSERT(!uuid_is_zero(cluster_id));
    ASSERT(!uuid_is_zero(d->id));
    uuid_text(cluster_id, cluster);
    uuid_text(d->id, directory);
    buf_init(&text);
    put_date(&text, clock_wall(env->clock));
    buf_printf(&text, "node.id=%lld\ndirectory.id=%s\nversion=1\ncluster.id=%s\n",
               (long long)d->m->config->node_id, directory, cluster);
    rc = vfs_replace(env->vfs, dir_file_path(d, DIR_META_NAME, path), text.p, text.n);
    if (rc < 0)
        errmsg_set(msg, "%s: %s", path, err_text(rc));
    buf_release(&text);
    return rc;
}

/* Names that a fresh file system or an interrupted first start leaves behind. */
static int check_empty(void *arg, const char *name, bool is_dir)
{
    const char **found = arg;

    if (name[0] == '.' || strcmp(name, "lost+found") == 0 ||
        strcmp(name, DIR_META_NAME ".tmp") == 0)
        return 0;
    *found = name;
    return E_FORMAT;
}

static int meta_make(struct log_dir *d, struct uuid *cluster_id, struct errmsg *msg)
{
    const char *found = NULL;
    int rc = vfs_list(d->m->env->vfs, d->path, check_empty, &found);

    if (rc == E_FORMAT && found) {
        errmsg_set(
            msg,
            "%s is not empty and has no " DIR_META_NAME
            ": it is not a data directory. Name an empty directory in log.dirs, or restore the "
            "file",
            d->path);
        return E_FORMAT;
    }
    if (rc < 0) {
        errmsg_set(msg, "log directory %s: %s", d->path, err_text(rc));
        return rc;
    }
    if (uuid_is_zero(*cluster_id))
        *cluster_id = uuid_is_zero(d->m->options.cluster_id) ? rng_uuid(&d->m->env->rng)
                                                             : d->m->options.cluster_id;
    d->id = rng_uuid(&d->m->env->rng);
    return meta_write(d, *cluster_id, msg);
}

void properties_peek(const struct log_dir *d, struct uuid *cluster_id)
{
    char path[DIR_PATH_MAX];
    struct buf text;
    struct meta meta;

    buf_init(&text);
    if (vfs_read_all(d->m->env->vfs, dir_file_path(d, DIR_META_NAME, path), DIR_META_BYTES_MAX,
                     &text) == 0) {
        meta_parse(&meta, (struct str){(const char *)text.p, text.n});
        if (uuid_is_zero(*cluster_id) && !uuid_parse(meta.cluster_id, cluster_id))
            *cluster_id = UUID_ZERO; /* properties_open says so */
    }
    buf_release(&text);
}

int properties_open(struct log_dir *d, struct uuid *cluster_id, bool *is_new, struct errmsg *msg)
{
    char path[DIR_PATH_MAX];
    struct buf text;
    struct meta meta;
    int rc;

    *is_new = false;
    buf_init(&text);
    rc = vfs_read_all(d->m->env->vfs, dir_file_path(d, DIR_META_NAME, path), DIR_META_BYTES_MAX,
                      &text);
    if (rc == E_NOENT) {
        *is_new = true;
        rc = meta_make(d, cluster_id, msg);
        goto out;
    }
    if (rc < 0) {
        errmsg_set(msg, "%s: %s", path, err_text(rc));
        goto out;
    }
    meta_parse(&meta, (struct str){(const char *)text.p, text.n});
    rc = meta_check(d, &meta, cluster_id, msg);
    if (rc < 0)
        goto out;
    if (!meta.directory_id.p) { /* as Kafka before 3.7 wrote it */
        d->id = rng_uuid(&d->m->env->rng);
        rc = meta_write(d, *cluster_id, msg);
    } else if (!uuid_parse(meta.directory_id, &d->id)) {
        errmsg_set(msg, "%s: directory.id is no id: %s", path, diag_escape(meta.directory_id));
        rc = E_FORMAT;
    }
out:
    buf_release(&text);
    return rc;
}
