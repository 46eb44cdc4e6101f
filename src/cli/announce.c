/* What a person sees of a start and a stop, and the ready file for programs.
 *
 * The ready file is replaced as a whole when the broker serves: a line "host:port" for each
 * listener.
 */
#include "serve.h"

#include <unistd.h>

void announce_address(const struct server *s, int listener, char *out, size_t n)
{
    const char *host = s->config->parsed_listeners[listener].host;
    bool every = !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool v6 = !every && strchr(host, ':') && host[0] != '[';

    snprintf(out, n, "%s%s%s:%d", v6 ? "[" : "", every ? "localhost" : host, v6 ? "]" : "",
             net_listener_port(s->net, listener));
}

void announce_start(const struct server *s)
{
    diag_info("Barnabas %s, Kafka-compatible, process %d", BARNABAS_VERSION, (int)getpid());
}

static void announce_data(const struct server *s)
{
    char id[UUID_TEXT_BYTES + 1];

    uuid_text(logm_cluster_id(s->broker->logm), id);
    for (int i = 0; i < s->config->n_parsed_log_dirs; i++) {
        const char *dir = s->config->parsed_log_dirs[i];
        char *full = realpath(dir, NULL);

        diag_info("data in %s", full ? full : dir);
        free(full);
    }
    diag_info("cluster %s, node %lld, %llu partitions", id, (long long)s->config->node_id,
              (unsigned long long)broker_n_partitions(s->broker));
}

void announce_serving(const struct server *s)
{
    int64_t us = (clock_mono(s->env.clock).ns - s->started.ns) / 1000;
    char address[300];

    announce_data(s);
    for (int i = 0; i < s->config->n_parsed_listeners; i++) {
        const struct config_listener *l = &s->config->parsed_listeners[i];

        announce_address(s, i, address, sizeof(address));
        diag_info("listener %s on %s%s", l->name, address, *l->host ? "" : ", every address");
    }
    announce_address(s, 0, address, sizeof(address));
    diag_info("serving after %lld.%lld ms; try: kafka-topics --bootstrap-server %s --list",
              (long long)(us / 1000), (long long)(us % 1000 / 100), address);
}

int announce_ready_file(const struct server *s, struct errmsg *msg)
{
    const char *path = s->args->ready_path;
    struct buf text;
    int rc;

    if (!path)
        return 0;
    buf_init(&text);
    for (int i = 0; i < s->config->n_parsed_listeners; i++) {
        char address[300];

        announce_address(s, i, address, sizeof(address));
        buf_printf(&text, "%s\n", address);
    }
    rc = vfs_replace(s->env.vfs, path, text.p, text.n);
    if (rc < 0)
        errmsg_set(msg, "ready file %s: %s", path, err_text(rc));
    buf_release(&text);
    return rc;
}

void announce_end(const struct server *s)
{
    if (s->exit_code == EXIT_CODE_OK)
        diag_info("stopped");
}
