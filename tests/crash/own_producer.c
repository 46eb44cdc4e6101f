/* A producer of our own for the tests that kill the broker: it speaks the protocol by hand and never
 * gives up.
 *
 *     own_producer HOST:PORT producer:NAME:TOPIC:PARTITIONS:RATE:BYTES:KIND
 *
 * RATE records a second, of up to BYTES bytes each; KIND is idempotent (five batches in flight to
 * each partition) or plain (one). It prints "ack NAME PARTITION OFFSET N COUNT" for each batch that
 * was acknowledged, and "done NAME" when standard input has ended and nothing is waiting for its
 * answer. (tests/compat/support/load/__init__.py: the language of all such programs.)
 *
 * Whatever goes wrong in between, a lost connection or an error that passes, has one answer: connect
 * again, and send all that was not acknowledged again, in order. So an error that does not pass, or
 * an out-of-order sequence, is the broker's fault, and the program says so: "fault NAME what".
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "protocol.h"

enum {
    PARTITIONS_MAX = 64,
    WINDOW_MAX = 5, /* batches that a broker remembers of a producer */
    BATCH_RECORDS_MAX = 20,
    FIFO_MAX = PARTITIONS_MAX * WINDOW_MAX,
    TICK_MS = 5,
    RETRY_MS = 20,
};

enum { ERROR_NONE = 0, ERROR_OUT_OF_ORDER_SEQUENCE = 45, ERROR_DUPLICATE_SEQUENCE = 46 };

/* Errors that pass: storage, leader, timeouts, replicas (Kafka's Errors, retriable). */
static const int PASSING[] = {3, 5, 6, 7, 13, 19, 20, 56};

struct batch {
    struct bytes request;
    uint64_t first; /* number of its first record */
    int count;
};

struct partition {
    uint64_t next;                    /* number of the next record, which is its sequence too */
    struct batch waiting[WINDOW_MAX]; /* oldest first; those that were not acknowledged */
    int n_waiting;
};

struct producer {
    /* what to do */
    const char *address, *name, *topic;
    int n_partitions, rate, bytes_max, window;
    /* what is */
    struct batch_producer identity;
    struct partition partitions[PARTITIONS_MAX];
    int fifo[FIFO_MAX]; /* partitions, in the order of the requests that are in flight */
    int n_in_flight;
    int fd; /* -1: not connected */
    uint32_t sent, answered;
    int64_t started_ns;
    uint64_t n_made;
    uint32_t turn;
    struct bytes reply;
};

static _Noreturn void fault(const struct producer *p, const char *format, ...)
{
    va_list args;

    printf("fault %s ", p->name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    exit(1);
}

static void disconnect(struct producer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->n_in_flight = 0;
    usleep(RETRY_MS * 1000);
}

static bool try_send(int fd, const struct bytes *b)
{
    size_t at = 0;

    while (at < b->n) {
        ssize_t n = send(fd, b->data + at, b->n - at, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* One reply, or false when the connection is gone. */
static bool try_reply(struct producer *p)
{
    uint8_t length[4];

    if (!try_receive_all(p->fd, length, 4))
        return false;
    p->reply.n = get32(length);
    if (p->reply.n > 1 << 20)
        fault(p, "a reply of %zu bytes", p->reply.n);
    if (p->reply.capacity < p->reply.n) {
        p->reply.data = resize(p->reply.data, p->reply.n);
        p->reply.capacity = p->reply.n;
    }
    return try_receive_all(p->fd, p->reply.data, p->reply.n);
}

/* Sends batch i of a partition. The connection is lost where that fails. */
static void send_batch(struct producer *p, int partition, int i)
{
    struct bytes *request = &p->partitions[partition].waiting[i].request;

    if (p->fd < 0)
        return;
    request_number(request, p->sent++);
    p->fifo[p->n_in_flight++] = partition;
    if (!try_send(p->fd, request))
        disconnect(p);
}

static void ask_identity(struct producer *p)
{
    struct bytes request = {0};
    int error;

    request_init_producer_id(&request);
    request_number(&request, p->sent++);
    if (!try_send(p->fd, &request) || !try_reply(p)) {
        disconnect(p);
    } else {
        p->answered++;
        error = get16(p->reply.data + 8); /* after correlation id, throttle time */
        if (error == ERROR_NONE) {
            p->identity.id = (int64_t)get64(p->reply.data + 10);
            p->identity.epoch = (int16_t)get16(p->reply.data + 18);
        } else {
            disconnect(p);
        }
    }
    bytes_release(&request);
}

static void try_connecting(struct producer *p)
{
    p->fd = try_connect(p->address);
    p->sent = p->answered = 0;
    if (p->fd < 0) {
        usleep(RETRY_MS * 1000);
        return;
    }
    if (p->window > 1 && p->identity.id < 0)
        ask_identity(p);
    for (int i = 0; i < p->n_partitions; i++)
        for (int j = 0; j < p->partitions[i].n_waiting && p->fd >= 0; j++)
            send_batch(p, i, j);
}

/* ---- making -------------------------------------------------------------------------------------
 */

static void make_batch(struct producer *p, int partition, int count)
{
    struct partition *to = &p->partitions[partition];
    struct batch *made = &to->waiting[to->n_waiting];
    struct bytes records = {0}, batch = {0};
    struct batch_producer identity = p->identity;
    char *value = allocate((size_t)p->bytes_max + 128);

    memset(&made->request, 0, sizeof(made->request));
    made->first = to->next;
    made->count = count;
    for (int i = 0; i < count; i++) {
        uint64_t number = to->next + (uint64_t)i;
        int n = snprintf(value, 128, "%s %" PRIu64 " ", p->name, number);
        size_t padding = (size_t)(number * 37 % (uint64_t)p->bytes_max);

        memset(value + n, 'x', padding);
        record_add(&records, i, value, (size_t)n + padding);
    }
    if (identity.id >= 0)
        identity.sequence = (int32_t)to->next;
    batch_of(&batch, &records, count, &identity);
    request_produce(&made->request, p->topic, partition, -1, &batch);
    to->next += (uint64_t)count;
    to->n_waiting++;
    p->n_made += (uint64_t)count;
    bytes_release(&records);
    bytes_release(&batch);
    free(value);
}

/* As much as the rate asks for and the windows take. What a time without a broker left undone is
 * not made up for. */
static void produce(struct producer *p)
{
    double due = seconds_since(p->started_ns) * p->rate;

    if (due > (double)p->n_made + p->rate) {
        p->started_ns = now_ns();
        p->n_made = 0;
        return;
    }
    for (int tries = 0; tries < p->n_partitions && (double)p->n_made < due && p->fd >= 0; tries++) {
        int partition = (int)(p->turn++ % (uint32_t)p->n_partitions);
        int n = p->partitions[partition].n_waiting;

        if (n >= p->window)
            continue;
        make_batch(p, partition, 1 + (int)(p->turn * 7 % BATCH_RECORDS_MAX));
        send_batch(p, partition, n);
    }
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static void acknowledged(struct producer *p, int partition, int64_t offset)
{
    struct partition *from = &p->partitions[partition];

    printf("ack %s %d %" PRId64 " %" PRIu64 " %d\n", p->name, partition, offset,
           from->waiting[0].first, from->waiting[0].count);
    bytes_release(&from->waiting[0].request);
    from->n_waiting--;
    memmove(from->waiting, from->waiting + 1, (size_t)from->n_waiting * sizeof(from->waiting[0]));
}

static bool passes(int error)
{
    for (size_t i = 0; i < sizeof(PASSING) / sizeof(PASSING[0]); i++)
        if (PASSING[i] == error)
            return true;
    return false;
}

static void take_reply(struct producer *p)
{
    size_t at = 4 + 4 + 2 + strlen(p->topic) + 4; /* correlation id, count, name, count */
    int partition = p->fifo[0], error;

    if (!try_reply(p)) {
        disconnect(p);
        return;
    }
    if (reply_number(&p->reply) != p->answered || p->reply.n < at + 14)
        fault(p, "an answer to another request");
    p->answered++;
    memmove(p->fifo, p->fifo + 1, (size_t)--p->n_in_flight * sizeof(p->fifo[0]));
    if ((int)get32(p->reply.data + at) != partition)
        fault(p, "an answer about another partition");
    error = (int16_t)get16(p->reply.data + at + 4);
    if (error == ERROR_NONE)
        acknowledged(p, partition, (int64_t)get64(p->reply.data + at + 6));
    else if (error == ERROR_DUPLICATE_SEQUENCE && p->window > 1)
        acknowledged(p, partition, -1);
    else if (passes(error))
        disconnect(p);
    else
        fault(p, "partition %d, record %" PRIu64 ": error %d", partition,
              p->partitions[partition].waiting[0].first, error);
}

static bool is_waiting(const struct producer *p)
{
    for (int i = 0; i < p->n_partitions; i++)
        if (p->partitions[i].n_waiting > 0)
            return true;
    return false;
}

static void run(struct producer *p)
{
    bool stopping = false;
    char input[64];

    p->started_ns = now_ns();
    while (!stopping || is_waiting(p)) {
        struct pollfd ready[2] = {{.fd = stopping ? -1 : STDIN_FILENO, .events = POLLIN}};

        if (p->fd < 0)
            try_connecting(p);
        if (!stopping)
            produce(p);
        ready[1] = (struct pollfd){.fd = p->fd, .events = POLLIN};
        if (poll(ready, 2, p->fd < 0 ? 0 : TICK_MS) < 0 && errno != EINTR)
            die("poll");
        if (p->fd >= 0 && ready[1].revents)
            take_reply(p);
        if (ready[0].revents && read(STDIN_FILENO, input, sizeof(input)) <= 0)
            stopping = true;
        fflush(stdout);
    }
    printf("done %s\n", p->name);
}

static void parse_role(struct producer *p, char *role)
{
    char *words[7];

    for (int i = 0; i < 7; i++)
        if (!(words[i] = strsep(&role, ":")))
            die("a role has seven words");
    if (strcmp(words[0], "producer") != 0)
        die("%s is no role of this program", words[0]);
    p->name = words[1];
    p->topic = words[2];
    p->n_partitions = (int)number(words[3]);
    p->rate = (int)number(words[4]);
    p->bytes_max = (int)number(words[5]);
    p->window = strcmp(words[6], "idempotent") == 0 ? WINDOW_MAX : 1;
    if (p->n_partitions < 1 || p->n_partitions > PARTITIONS_MAX || p->bytes_max < 1)
        die("partitions or bytes out of range");
}

int main(int argc, char **argv)
{
    static struct producer p = {.fd = -1, .identity = {.id = -1, .epoch = -1, .sequence = -1}};

    if (argc != 3) {
        fputs("usage: own_producer HOST:PORT producer:NAME:TOPIC:PARTITIONS:RATE:BYTES:KIND\n",
              stderr);
        return 2;
    }
    p.address = argv[1];
    parse_role(&p, argv[2]);
    run(&p);
    return 0;
}
