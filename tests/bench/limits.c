/* What this machine can do at most for a broker's work, with no broker: the floor under every
 * figure of scripts/bench.
 *
 * The server is a process of its own (sink.c, or the sender of files below), so that its processor
 * time can be told apart. Prints one line of key=value.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "sink.h"

static const char USAGE[] =
    "usage: bench_limits COMMAND ...\n"
    "  sink FOLDER DURABILITY REQUEST_BYTES TOTAL_MB CONNECTIONS IN_FLIGHT\n"
    "                                      receive, CRC-32C, append to one of 3 files, answer\n"
    "  ping FOLDER DURABILITY REQUEST_BYTES COUNT\n"
    "                                      the same, one request at a time: the time of each\n"
    "  sendfile FOLDER CHUNK_BYTES TOTAL_MB CONNECTIONS\n"
    "                                      each request is answered with a piece of a cached file\n"
    "DURABILITY: page-cache, files (fdatasync of each file), journal (fdatasync of one zero-filled "
    "journal)\n"
    "Files are made in FOLDER, and removed.\n";

enum { ASK_BYTES = 60, CACHED_FILE_BYTES = 256 << 20, CONNECTIONS_MAX = SINK_CONNECTIONS_MAX };
/* socket.receive.buffer.bytes of Kafka, and better than the system's own: what waits there stays in
 * the processor's cache. */
enum { WINDOW_BYTES = 102400 };

struct run {
    const char *folder;
    enum sink_durability durability;
    size_t unit_bytes; /* of a request, or of a piece of the file */
    uint64_t total_bytes;
    int connections, in_flight;

    int listener,
        cached_file; /* made before the server starts: its making is not what is measured */
    char address[32];
    pid_t server;
};

/* A client's connection and what it moved. */
struct client {
    struct run *run;
    int fd;
    uint64_t bytes;
    pthread_t thread;
};

static void listen_locally(struct run *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int window = WINDOW_BYTES;

    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(r->listener, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(r->listener, CONNECTIONS_MAX) < 0 ||
        getsockname(r->listener, (struct sockaddr *)&at, &n) < 0)
        die("listen");
    snprintf(r->address, sizeof(r->address), "127.0.0.1:%d", ntohs(at.sin_port));
}

/* ---- the sender of files --------------------------------------------------------------------- */

static int make_cached_file(const struct run *r)
{
    uint8_t *data = allocate(1 << 20);
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/cached", r->folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("%s", path);
    unlink(path);
    for (size_t i = 0; i < 1 << 20; i++)
        data[i] = (uint8_t)(i * 13);
    for (size_t at = 0; at < CACHED_FILE_BYTES + r->unit_bytes; at += 1 << 20)
        if (write(fd, data, 1 << 20) != 1 << 20)
            die("%s", path);
    fdatasync(fd);
    free(data);
    return fd;
}

struct sender {
    const struct run *run;
    int fd;
};

static void send_piece(const struct sender *s, uint64_t offset)
{
    size_t left = s->run->unit_bytes;
    off_t at = (off_t)(offset % CACHED_FILE_BYTES);
    uint8_t length[4];

    put32(length, (uint32_t)left);
    if (send(s->fd, length, 4, MSG_MORE | MSG_NOSIGNAL) != 4)
        die("send");
    while (left > 0) {
        ssize_t sent = sendfile(s->fd, s->run->cached_file, &at, left);

        if (sent <= 0)
            die("sendfile");
        left -= (size_t)sent;
    }
}

static void *send_work(void *arg)
{
    struct sender *s = arg;
    uint8_t ask[ASK_BYTES];

    while (try_receive_all(s->fd, ask, sizeof(ask)))
        send_piece(s, get64(ask));
    return NULL;
}

/* A thread for each connection: there are few, and each would be a turn of one loop otherwise. */
static _Noreturn void send_serve(const struct run *r)
{
    struct sender senders[CONNECTIONS_MAX];
    pthread_t threads[CONNECTIONS_MAX];

    for (int i = 0; i < r->connections; i++) {
        senders[i] = (struct sender){r, accept4(r->listener, NULL, NULL, SOCK_CLOEXEC)};
        if (senders[i].fd < 0)
            die("accept");
        no_delay(senders[i].fd);
        if (pthread_create(&threads[i], NULL, send_work, &senders[i]) != 0)
            die("thread");
    }
    for (int i = 0; i < r->connections; i++)
        pthread_join(threads[i], NULL);
    exit(0);
}

/* ---- clients --------------------------------------------------------------------------------- */

static uint8_t *request_new(size_t n)
{
    uint8_t *request = allocate(n + 4);

    put32(request, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        request[4 + i] = (uint8_t)(i * 7);
    return request;
}

static void *push_work(void *arg)
{
    struct client *c = arg;
    const struct run *r = c->run;
    uint8_t *request = request_new(r->unit_bytes), reply[SINK_ANSWER_BYTES];
    uint64_t count = r->total_bytes / (uint64_t)r->connections / r->unit_bytes + 1;
    uint64_t sent = 0;

    for (uint64_t answered = 0; answered < count; answered++) {
        for (; sent < count && sent - answered < (uint64_t)r->in_flight; sent++)
            send_all(c->fd, request, r->unit_bytes + 4);
        receive_all(c->fd, reply, sizeof(reply));
    }
    c->bytes = count * r->unit_bytes;
    free(request);
    return NULL;
}

static void *pull_work(void *arg)
{
    struct client *c = arg;
    const struct run *r = c->run;
    uint8_t *piece = allocate(r->unit_bytes + 4), ask[ASK_BYTES] = {0};
    uint64_t count = r->total_bytes / (uint64_t)r->connections / r->unit_bytes + 1;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = i * r->unit_bytes;

        put32(ask, (uint32_t)(at >> 32));
        put32(ask + 4, (uint32_t)at);
        send_all(c->fd, ask, sizeof(ask));
        receive_all(c->fd, piece, r->unit_bytes + 4);
    }
    c->bytes = count * r->unit_bytes;
    free(piece);
    return NULL;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void start_server(struct run *r, bool sends_files)
{
    listen_locally(r);
    if (sends_files)
        r->cached_file = make_cached_file(r);
    fflush(stdout);
    r->server = fork();
    if (r->server < 0)
        die("fork");
    if (r->server == 0 && sends_files)
        send_serve(r);
    if (r->server == 0)
        sink_serve(&(struct sink_options){.folder = r->folder,
                                          .listener = r->listener,
                                          .connections = r->connections,
                                          .request_bytes = r->unit_bytes,
                                          .durability = r->durability});
}

static struct rusage wait_server(const struct run *r)
{
    struct rusage used;
    int status;

    if (wait4(r->server, &status, 0, &used) < 0 || status != 0)
        die("the server failed");
    return used;
}

/* The bytes that all clients moved. */
static uint64_t run_clients(struct run *r, struct client *clients, void *(*work)(void *))
{
    uint64_t bytes = 0;

    for (int i = 0; i < r->connections; i++)
        if (pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0)
            die("thread");
    for (int i = 0; i < r->connections; i++) {
        pthread_join(clients[i].thread, NULL);
        bytes += clients[i].bytes;
    }
    return bytes;
}

static void run_all(struct run *r, const char *name, void *(*work)(void *), bool sends_files)
{
    struct client clients[CONNECTIONS_MAX];
    struct rusage used;
    int64_t start_ns;
    uint64_t bytes;
    double seconds;

    if (r->connections < 1 || r->connections > CONNECTIONS_MAX)
        die("%d connections", r->connections);
    start_server(r, sends_files);
    for (int i = 0; i < r->connections; i++)
        clients[i] = (struct client){.run = r, .fd = connect_to(r->address)};
    start_ns = now_ns();
    bytes = run_clients(r, clients, work);
    seconds = seconds_since(start_ns);
    for (int i = 0; i < r->connections; i++)
        close(clients[i].fd);
    used = wait_server(r);
    printf("op=%s mb=%.1f seconds=%.3f mb_s=%.1f requests_s=%.0f cpu_s_per_gb=%.3f\n", name,
           (double)bytes / 1e6, seconds, (double)bytes / 1e6 / seconds,
           (double)bytes / (double)r->unit_bytes / seconds,
           cpu_seconds(&used) * 1e9 / (double)bytes);
}

static enum sink_durability durability_of(const char *word)
{
    static const char *const WORDS[] = {
        [SINK_PAGE_CACHE] = "page-cache", [SINK_FILES] = "files", [SINK_JOURNAL] = "journal"};

    for (int i = 0; i < 3; i++)
        if (strcmp(word, WORDS[i]) == 0)
            return (enum sink_durability)i;
    die("%s is no durability", word);
}

static void sink(char **args)
{
    struct run r = {.folder = args[0],
                    .durability = durability_of(args[1]),
                    .unit_bytes = number(args[2]),
                    .total_bytes = number(args[3]) * 1000000,
                    .connections = (int)number(args[4]),
                    .in_flight = (int)number(args[5])};

    run_all(&r, "sink", push_work, false);
}

static void send_files(char **args)
{
    struct run r = {.folder = args[0],
                    .unit_bytes = number(args[1]),
                    .total_bytes = number(args[2]) * 1000000,
                    .connections = (int)number(args[3])};

    run_all(&r, "sendfile", pull_work, true);
}

static void ping(char **args)
{
    struct run r = {.folder = args[0],
                    .durability = durability_of(args[1]),
                    .unit_bytes = number(args[2]),
                    .connections = 1};
    size_t n = number(args[3]);
    double *times_us = allocate(n * sizeof(double));
    uint8_t *request = request_new(r.unit_bytes), reply[SINK_ANSWER_BYTES];
    int fd;

    start_server(&r, false);
    fd = connect_to(r.address);
    for (size_t i = 0; i < n; i++) {
        int64_t start_ns = now_ns();

        send_all(fd, request, r.unit_bytes + 4);
        receive_all(fd, reply, sizeof(reply));
        times_us[i] = (double)(now_ns() - start_ns) / 1e3;
    }
    close(fd);
    wait_server(&r);
    sort_doubles(times_us, n);
    printf("op=ping n=%zu ack_p50_us=%.0f ack_p99_us=%.0f ack_p999_us=%.0f\n", n,
           percentile(times_us, n, 0.5), percentile(times_us, n, 0.99),
           percentile(times_us, n, 0.999));
    free(times_us);
    free(request);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int n_args;
        void (*run)(char **args);
    } COMMANDS[] = {{"sink", 6, sink}, {"ping", 4, ping}, {"sendfile", 4, send_files}};

    for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0 && argc == COMMANDS[i].n_args + 2) {
            COMMANDS[i].run(argv + 2);
            return 0;
        }
    fputs(USAGE, stderr);
    return 2;
}
