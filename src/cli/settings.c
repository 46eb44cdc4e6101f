/* The broker's settings: defaults, then the file, then the overrides.
 *
 * Happy path: settings_load -> every listener is one that this version serves -> the config is read
 *             only from here on.
 * Failures:   one line that names the file or the key; nothing was opened or changed yet.
 */
#include "settings.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)

static int load_file(struct config *c, const char *path, struct vfs *vfs, struct errmsg *msg)
{
    struct buf text;
    int rc;

    buf_init(&text);
    rc = vfs_read_all(vfs, path, FILE_BYTES_MAX, &text);
    if (rc < 0)
        errmsg_set(msg, "%s: %s", path, err_text(rc));
    else
        rc = config_load_text(c, path, bytes_of(text.p, text.n), msg);
    buf_release(&text);
    return rc;
}

static int check_listeners(const struct config *c, struct errmsg *msg)
{
    static const char *const names[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

    for (int i = 0; i < c->n_parsed_listeners; i++) {
        const struct config_listener *l = &c->parsed_listeners[i];

        if (l->protocol == SECURITY_PLAINTEXT)
            continue;
        errmsg_set(msg, "listeners: listener %s wants %s, but this version serves PLAINTEXT only",
                   l->name, names[l->protocol]);
        return E_INVALID;
    }
    if (c->n_parsed_listeners > 0)
        return 0;
    errmsg_set(msg, "listeners: there is none to serve");
    return E_INVALID;
}

int settings_load(struct config *c, const struct args *a, struct vfs *vfs, struct errmsg *msg)
{
    int rc = 0;

    if (a->config_path)
        rc = load_file(c, a->config_path, vfs, msg);
    for (int i = 0; rc == 0 && i < a->n_overrides; i++)
        rc = config_override(c, a->overrides[i], msg);
    if (rc == 0)
        rc = config_finish(c, a->strict, msg);
    if (rc == 0)
        rc = check_listeners(c, msg);
    return rc;
}
