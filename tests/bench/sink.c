/* A bare sink: receive, checksum, append to one of three files, answer.
 *
 * Requests are a length and as many bytes. One thread does all the work; in each turn of its loop
 * it takes in what all connections brought, and then answers. To be durable, it hands the answers
 * to a second thread, which calls fdatasync and sends them: group commit. What comes meanwhile
 * waits for the next call.
 *
 * The journal is one preallocated, zero-filled file, in two halves. Before a half is written again,
 * a third thread has made durable the files that its content went to.
 */
#include "sink.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common.h"

enum { FILES = 3, PIECES_MAX = 512, RECEIVE_BYTES = 256 << 10, RESERVE_BYTES = 16 << 20 };
#define JOURNAL_BYTES (UINT64_C(64) << 20)
#define HALF_BYTES    (JOURNAL_BYTES / 2)

struct connection {
    int fd, file; /* file: the next to append to */
    uint8_t *buffer;
    size_t n, taken,
        capacity; /* taken: bytes of whole requests, done with at the end of the turn */
    int n_to_answer;
};
struct pending {
    int fd, n;
};
struct sink {
    struct sink_options options;
    int epoll, n_connections;
    uint8_t *free_buffers
        [SINK_CONNECTIONS_MAX]; /* the last one given back is used first: it is in the cache */
    int n_free_buffers;
    size_t buffer_bytes;
    struct connection connections[SINK_CONNECTIONS_MAX];
    int files[FILES];
    uint64_t ends[FILES], reserved[FILES];
    uint32_t crc; /* of everything: so that it is computed */

    int journal;
    uint64_t journal_at;
    struct iovec pieces[PIECES_MAX]; /* of this turn, for the journal */
    int n_pieces;
    size_t pieces_bytes;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct pending pending[SINK_CONNECTIONS_MAX];
    int n_pending;
    bool dirty[FILES], ending;
    bool is_flushing; /* the files, behind a half of the journal */
};

/* ---- files ----------------------------------------------------------------------------------- */

static int open_file(const struct sink *s, const char *name)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", s->options.folder, name);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("%s", path);
    unlink(path);
    return fd;
}

static void write_at(int fd, const void *data, size_t n, uint64_t at)
{
    if (pwrite(fd, data, n, (off_t)at) != (ssize_t)n)
        die("write");
}

static void sync_file(int fd)
{
    if (fdatasync(fd) < 0)
        die("fdatasync");
}

static void open_files(struct sink *s)
{
    for (int i = 0; i < FILES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "sink%d", i);
        s->files[i] = open_file(s, name);
    }
    if (s->options.durability == SINK_JOURNAL) {
        static const uint8_t ZEROS[1 << 20];

        s->journal = open_file(s, "journal");
        for (uint64_t at = 0; at < JOURNAL_BYTES; at += sizeof(ZEROS))
            write_at(s->journal, ZEROS, sizeof(ZEROS), at);
        sync_file(s->journal);
    }
}

/* ---- the journal ----------------------------------------------------------------------------- */

static void *flush_work(void *arg)
{
    struct sink *s = arg;

    for (int i = 0; i < FILES; i++)
        sync_file(s->files[i]);
    pthread_mutex_lock(&s->lock);
    s->is_flushing = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* A half is full: its files go to the disk while the other half is written. */
static void journal_turn_half(struct sink *s)
{
    pthread_t thread;

    pthread_mutex_lock(&s->lock);
    while (s->is_flushing)
        pthread_cond_wait(&s->changed, &s->lock);
    s->is_flushing = true;
    pthread_mutex_unlock(&s->lock);
    if (pthread_create(&thread, NULL, flush_work, s) != 0)
        die("thread");
    pthread_detach(thread);
}

static void journal_write(struct sink *s)
{
    uint64_t half = s->journal_at / HALF_BYTES;

    if (s->n_pieces == 0)
        return;
    if ((s->journal_at + s->pieces_bytes) / HALF_BYTES != half) {
        s->journal_at = (half + 1) * HALF_BYTES % JOURNAL_BYTES;
        journal_turn_half(s);
    }
    if (pwritev(s->journal, s->pieces, s->n_pieces, (off_t)s->journal_at) !=
        (ssize_t)s->pieces_bytes)
        die("journal");
    s->journal_at += s->pieces_bytes;
    s->n_pieces = 0;
    s->pieces_bytes = 0;
}

static void journal_add(struct sink *s, uint8_t *data, size_t n)
{
    if (n > HALF_BYTES / 2)
        die("a request that is too large for the journal");
    if (s->n_pieces == PIECES_MAX || s->pieces_bytes + n > HALF_BYTES / 2)
        journal_write(s);
    s->pieces[s->n_pieces++] = (struct iovec){data, n};
    s->pieces_bytes += n;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer(int fd, int n)
{
    static const uint8_t ANSWERS[SINK_ANSWER_BYTES * 256];

    while (n > 0) {
        int some = n < 256 ? n : 256;

        send_all(fd, ANSWERS, (size_t)some * SINK_ANSWER_BYTES);
        n -= some;
    }
}

static void answer_later(struct sink *s, int fd, int n)
{
    int i = 0;

    while (i < s->n_pending && s->pending[i].fd != fd)
        i++;
    if (i == s->n_pending)
        s->pending[s->n_pending++] = (struct pending){fd, 0};
    s->pending[i].n += n;
}

static void commit(struct sink *s, const bool *dirty)
{
    if (s->options.durability == SINK_JOURNAL) {
        sync_file(s->journal);
        return;
    }
    for (int i = 0; i < FILES; i++)
        if (dirty[i])
            sync_file(s->files[i]);
}

/* The second thread: commits and answers, until there is nothing more to come. */
static void *commit_work(void *arg)
{
    struct sink *s = arg;
    struct pending mine[SINK_CONNECTIONS_MAX];
    bool dirty[FILES];

    pthread_mutex_lock(&s->lock);
    for (;;) {
        int n;

        while (s->n_pending == 0 && !s->ending)
            pthread_cond_wait(&s->changed, &s->lock);
        n = s->n_pending;
        if (n == 0)
            break;
        memcpy(mine, s->pending, sizeof(mine));
        memcpy(dirty, s->dirty, sizeof(dirty));
        memset(s->dirty, 0, sizeof(s->dirty));
        s->n_pending = 0;
        pthread_mutex_unlock(&s->lock);
        commit(s, dirty);
        for (int i = 0; i < n; i++)
            answer(mine[i].fd, mine[i].n);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Space is asked for in large pieces: cheaper, for the file system, than a block at a time. */
static void reserve(struct sink *s, int file, size_t n)
{
    if (s->ends[file] + n <= s->reserved[file])
        return;
    if (fallocate(s->files[file], FALLOC_FL_KEEP_SIZE, (off_t)s->reserved[file], RESERVE_BYTES) < 0)
        die("fallocate");
    s->reserved[file] += RESERVE_BYTES;
}

static void take_request(struct sink *s, struct connection *c, uint8_t *body, size_t n)
{
    int file = c->file;

    s->crc ^= crc32c(body, n);
    reserve(s, file, n);
    write_at(s->files[file], body, n, s->ends[file]);
    s->ends[file] += n;
    if (s->options.durability == SINK_JOURNAL)
        journal_add(s, body, n);
    c->file = (file + 1) % FILES;
    c->n_to_answer++;
}

static void buffer_take(struct sink *s, struct connection *c)
{
    if (c->buffer)
        return;
    c->buffer =
        s->n_free_buffers > 0 ? s->free_buffers[--s->n_free_buffers] : allocate(s->buffer_bytes);
}

/* Drops what was taken; of a request that is not whole yet, the beginning stays. */
static void buffer_drop(struct sink *s, struct connection *c)
{
    c->n -= c->taken;
    if (c->n == 0 && c->buffer) {
        s->free_buffers[s->n_free_buffers++] = c->buffer;
        c->buffer = NULL;
    } else if (c->taken > 0) {
        memmove(c->buffer, c->buffer + c->taken, c->n);
    }
    c->taken = 0;
}

/* False at the end of the connection. */
static bool take_in(struct sink *s, struct connection *c, bool *dirty)
{
    ssize_t got;

    buffer_take(s, c);
    got = recv(c->fd, c->buffer + c->n, s->buffer_bytes - c->n, 0);
    if (got <= 0)
        return false;
    c->n += (size_t)got;
    while (c->n - c->taken >= 4) {
        size_t n = get32(c->buffer + c->taken);

        if (c->n - c->taken < 4 + n)
            break;
        dirty[c->file] = true;
        take_request(s, c, c->buffer + c->taken + 4, n);
        c->taken += 4 + n;
    }
    if (s->options.durability != SINK_JOURNAL) /* which needs it until the end of the turn */
        buffer_drop(s, c);
    return true;
}

static void turn_end(struct sink *s, const bool *dirty)
{
    bool durable = s->options.durability != SINK_PAGE_CACHE;

    journal_write(s);
    if (durable)
        pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->n_connections; i++) {
        struct connection *c = &s->connections[i];

        if (c->n_to_answer == 0)
            continue;
        buffer_drop(s, c);
        if (durable)
            answer_later(s, c->fd, c->n_to_answer);
        else
            answer(c->fd, c->n_to_answer);
        c->n_to_answer = 0;
    }
    if (durable) {
        for (int i = 0; i < FILES; i++)
            s->dirty[i] |= dirty[i];
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
    }
}

static void serve(struct sink *s)
{
    struct epoll_event events[SINK_CONNECTIONS_MAX];
    int open = s->n_connections;

    while (open > 0) {
        int n = epoll_wait(s->epoll, events, SINK_CONNECTIONS_MAX, -1);
        bool dirty[FILES] = {0};

        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (!take_in(s, c, dirty)) {
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
                open--;
            }
        }
        turn_end(s, dirty);
    }
}

static void accept_all(struct sink *s)
{
    size_t need = s->options.request_bytes + 4;

    /* A large request fills the buffer: nothing of the next one has to be moved. */
    s->buffer_bytes = need > RECEIVE_BYTES ? need : RECEIVE_BYTES;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < s->options.connections; i++) {
        struct connection *c = &s->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->fd = accept4(s->options.listener, NULL, NULL, SOCK_CLOEXEC);
        if (c->fd < 0)
            die("accept");
        no_delay(c->fd);
        c->file = i % FILES;
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event);
        s->n_connections++;
    }
}

_Noreturn void sink_serve(const struct sink_options *options)
{
    struct sink *s = allocate(sizeof(*s));
    pthread_t committer;

    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    open_files(s);
    accept_all(s);
    if (options->durability == SINK_PAGE_CACHE) {
        serve(s);
        exit(0);
    }
    if (pthread_create(&committer, NULL, commit_work, s) != 0)
        die("thread");
    serve(s);
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(committer, NULL);
    exit(0);
}
