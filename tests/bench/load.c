/* The load generator of scripts/bench: it costs next to nothing, so that the broker is what is
 * measured.
 *
 * Each connection is a thread that sends prebuilt requests and reads answers; nothing is built or
 * checked per record. Prints one line of key=value.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "protocol.h"

static const char USAGE[] =
    "usage: bench_load COMMAND HOST:PORT ...\n"
    "  create  HOST:PORT TOPIC PARTITIONS\n"
    "  produce HOST:PORT TOPIC PARTITIONS CONNECTIONS IN_FLIGHT BATCH_BYTES RECORD_BYTES TOTAL_MB\n"
    "                                            acks=all, each connection to each partition in "
    "turn\n"
    "  fetch   HOST:PORT TOPIC PARTITIONS CONNECTIONS BYTES_MAX\n"
    "                                            every partition from its beginning to its end\n"
    "  latency HOST:PORT TOPIC COUNT RECORD_BYTES RATE\n"
    "                                            one record at a time, acks=all, and a long poll "
    "that gets it\n"
    "  idle    HOST:PORT CONNECTIONS             opens them, says ApiVersions on each, holds them "
    "until stdin ends\n"
    "  answer  HOST:PORT SECONDS                 tries until ApiVersions is answered; prints "
    "CLOCK_MONOTONIC\n";

struct worker {
    /* what to do */
    const char *address, *topic;
    int id, partitions, connections, in_flight;
    size_t batch_bytes, record_bytes;
    uint32_t fetch_bytes_max;
    uint64_t total_bytes;
    /* what was done */
    uint64_t bytes, records;
    pthread_t thread;
};

/* ---- produce --------------------------------------------------------------------------------- */

static struct bytes *produce_requests(const struct worker *w, const struct bytes *batch)
{
    struct bytes *requests = allocate((size_t)w->partitions * sizeof(*requests));

    for (int p = 0; p < w->partitions; p++)
        request_produce(&requests[p], w->topic, p, -1, batch);
    return requests;
}

static void *produce_work(void *arg)
{
    struct worker *w = arg;
    struct bytes batch = {0}, reply = {0}, *requests;
    uint64_t count, sent = 0, answered = 0;
    int fd = connect_to(w->address);

    batch_build(&batch, w->batch_bytes, w->record_bytes);
    requests = produce_requests(w, &batch);
    count = w->total_bytes / (uint64_t)w->connections / batch.n + 1;
    while (answered < count) {
        for (; sent < count && sent - answered < (uint64_t)w->in_flight; sent++) {
            struct bytes *request = &requests[(sent + (uint64_t)w->id) % (uint64_t)w->partitions];

            request_number(request, (uint32_t)sent);
            send_all(fd, request->data, request->n);
        }
        reply_receive(fd, &reply);
        if (reply_number(&reply) != (uint32_t)answered)
            die("produce: answers out of order");
        reply_check_produced(&reply, w->topic);
        answered++;
    }
    w->bytes = count * batch.n;
    w->records = count * batch_record_count(&batch);
    for (int p = 0; p < w->partitions; p++)
        bytes_release(&requests[p]);
    free(requests);
    bytes_release(&batch);
    bytes_release(&reply);
    close(fd);
    return NULL;
}

/* ---- fetch ----------------------------------------------------------------------------------- */

static void fetch_partition(struct worker *w, int fd, int partition, struct bytes *request,
                            struct bytes *reply)
{
    struct fetch_ask ask = {.topic = w->topic,
                            .partition = partition,
                            .bytes_max = w->fetch_bytes_max,
                            .wait_ms_max = 10,
                            .bytes_min = 1};
    struct fetched got;

    do {
        uint64_t next;

        request_fetch(request, &ask);
        send_all(fd, request->data, request->n);
        reply_receive(fd, reply);
        got = reply_fetched(reply, w->topic);
        next = batches_walk(got.records, got.n, ask.offset, &w->records);
        if (next == ask.offset && ask.offset < got.high_watermark)
            die("fetch: no whole batch at offset %llu", (unsigned long long)ask.offset);
        ask.offset = next;
        w->bytes += got.n;
    } while (ask.offset < got.high_watermark);
}

static void *fetch_work(void *arg)
{
    struct worker *w = arg;
    struct bytes request = {0}, reply = {0};
    int fd = connect_to(w->address);

    for (int p = w->id; p < w->partitions; p += w->connections)
        fetch_partition(w, fd, p, &request, &reply);
    bytes_release(&request);
    bytes_release(&reply);
    close(fd);
    return NULL;
}

/* Runs one worker per connection and prints the sums. */
static void run_workers(const char *name, const struct worker *pattern, void *(*work)(void *))
{
    struct worker *workers = allocate((size_t)pattern->connections * sizeof(*workers));
    int64_t start_ns = now_ns();
    uint64_t bytes = 0, records = 0;
    double seconds;

    for (int i = 0; i < pattern->connections; i++) {
        workers[i] = *pattern;
        workers[i].id = i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("thread");
    }
    for (int i = 0; i < pattern->connections; i++) {
        pthread_join(workers[i].thread, NULL);
        bytes += workers[i].bytes;
        records += workers[i].records;
    }
    seconds = seconds_since(start_ns);
    printf("op=%s mb=%.1f records=%llu seconds=%.3f mb_s=%.1f records_s=%.0f\n", name,
           (double)bytes / 1e6, (unsigned long long)records, seconds, (double)bytes / 1e6 / seconds,
           (double)records / seconds);
    free(workers);
}

static void produce(char **args)
{
    struct worker w = {.address = args[0],
                       .topic = args[1],
                       .partitions = (int)number(args[2]),
                       .connections = (int)number(args[3]),
                       .in_flight = (int)number(args[4]),
                       .batch_bytes = number(args[5]),
                       .record_bytes = number(args[6]),
                       .total_bytes = number(args[7]) * 1000000};

    run_workers("produce", &w, produce_work);
}

static void fetch(char **args)
{
    struct worker w = {.address = args[0],
                       .topic = args[1],
                       .partitions = (int)number(args[2]),
                       .connections = (int)number(args[3]),
                       .fetch_bytes_max = (uint32_t)number(args[4])};

    run_workers("fetch", &w, fetch_work);
}

/* ---- latency --------------------------------------------------------------------------------- */

static void wait_until(int64_t at_ns)
{
    struct timespec t = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static uint64_t end_of(int fd, const char *topic, struct bytes *request, struct bytes *reply)
{
    struct fetch_ask ask = {.topic = topic, .bytes_max = 1 << 20};

    request_fetch(request, &ask);
    send_all(fd, request->data, request->n);
    reply_receive(fd, reply);
    return reply_fetched(reply, topic).high_watermark;
}

static void print_latencies(double *acks_us, double *ends_us, size_t n)
{
    sort_doubles(acks_us, n);
    sort_doubles(ends_us, n);
    printf("op=latency n=%zu", n);
    for (int i = 0; i < 3; i++) {
        static const double SHARES[] = {0.5, 0.99, 0.999};
        static const char *const NAMES[] = {"p50", "p99", "p999"};

        printf(" ack_%s_us=%.0f e2e_%s_us=%.0f", NAMES[i], percentile(acks_us, n, SHARES[i]),
               NAMES[i], percentile(ends_us, n, SHARES[i]));
    }
    printf(" max_us=%.0f\n", ends_us[n - 1]);
}

/* The poll waits at the end before the record is sent. Both times begin with the sending. */
static void latency(char **args)
{
    const char *topic = args[1];
    size_t n = number(args[2]);
    int64_t turn_ns = 1000000000 / (int64_t)number(args[4]), next_ns;
    double *acks_us = allocate(n * sizeof(double)), *ends_us = allocate(n * sizeof(double));
    struct bytes batch = {0}, produce_request = {0}, fetch_request = {0}, reply = {0};
    int producer = connect_to(args[0]), consumer = connect_to(args[0]);
    struct fetch_ask ask = {
        .topic = topic, .bytes_max = 1 << 20, .wait_ms_max = 5000, .bytes_min = 1};

    ask.offset = end_of(consumer, topic, &fetch_request, &reply);
    batch_build(&batch, 0, number(args[3]));
    request_produce(&produce_request, topic, 0, -1, &batch);
    next_ns = now_ns();
    for (size_t i = 0; i < n; i++, ask.offset++) {
        int64_t sent_ns;

        request_fetch(&fetch_request, &ask);
        send_all(consumer, fetch_request.data, fetch_request.n);
        next_ns += turn_ns;
        wait_until(next_ns);
        sent_ns = now_ns();
        send_all(producer, produce_request.data, produce_request.n);
        reply_receive(producer, &reply);
        acks_us[i] = (double)(now_ns() - sent_ns) / 1e3;
        reply_check_produced(&reply, topic);
        reply_receive(consumer, &reply);
        ends_us[i] = (double)(now_ns() - sent_ns) / 1e3;
        if (reply_fetched(&reply, topic).n == 0)
            die("latency: the record did not come");
    }
    print_latencies(acks_us, ends_us, n);
    free(acks_us);
    free(ends_us);
    bytes_release(&batch);
    bytes_release(&produce_request);
    bytes_release(&fetch_request);
    bytes_release(&reply);
    close(producer);
    close(consumer);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void create(char **args)
{
    struct bytes request = {0}, reply = {0};
    int fd = connect_to(args[0]);

    request_create_topic(&request, args[1], (int)number(args[2]));
    send_all(fd, request.data, request.n);
    reply_receive(fd, &reply);
    reply_check_created(&reply, args[1]);
    printf("op=create\n");
    bytes_release(&request);
    bytes_release(&reply);
    close(fd);
}

static void idle(char **args)
{
    int n = (int)number(args[1]);
    struct bytes request = {0}, reply = {0};
    char end;

    request_api_versions(&request);
    for (int i = 0; i < n; i++) {
        int fd = connect_to(args[0]);

        send_all(fd, request.data, request.n);
        reply_receive(fd, &reply);
    }
    printf("op=idle connections=%d\n", n);
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        ;
    bytes_release(&request);
    bytes_release(&reply);
}

/* Whether somebody answers there. */
static bool is_answered(const char *address, const struct bytes *request)
{
    uint8_t length[4];
    bool answered;
    int fd = try_connect(address);

    if (fd < 0)
        return false;
    send_all(fd, request->data, request->n);
    answered = try_receive_all(fd, length, sizeof(length));
    close(fd);
    return answered;
}

static void answer(char **args)
{
    static const struct timespec PAUSE = {.tv_nsec = 200000};
    int64_t start_ns = now_ns();
    double seconds_max = (double)number(args[1]);
    struct bytes request = {0};

    request_api_versions(&request);
    while (!is_answered(args[0], &request)) {
        if (seconds_since(start_ns) > seconds_max)
            die("answer: nobody in %.0f s", seconds_max);
        nanosleep(&PAUSE, NULL);
    }
    printf("op=answer at_ns=%lld\n", (long long)now_ns());
    bytes_release(&request);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int n_args;
        void (*run)(char **args);
    } COMMANDS[] = {
        {"create", 3, create},   {"produce", 8, produce}, {"fetch", 5, fetch},
        {"latency", 5, latency}, {"idle", 2, idle},       {"answer", 2, answer},
    };

    for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0 && argc == COMMANDS[i].n_args + 2) {
            COMMANDS[i].run(argv + 2);
            return 0;
        }
    fputs(USAGE, stderr);
    return 2;
}
