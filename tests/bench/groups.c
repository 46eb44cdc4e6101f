/* The load generator for consumer groups and their offsets, of scripts/bench: prebuilt requests over
 * bare connections, in the manner of load.c. Prints one line of key=value.
 *
 * A connection's requests are answered in their order. Members wait in JoinGroup and SyncGroup, so
 * `members` gives each a connection of its own.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "protocol.h"
#include "writer.h"

static const char USAGE[] =
    "usage: bench_groups COMMAND HOST:PORT ...\n"
    "  commits    HOST:PORT TOPIC CONNECTIONS IN_FLIGHT TOTAL\n"
    "                            offsets of partition 0, each connection in a group of its own\n"
    "  fill       HOST:PORT TOPIC PARTITIONS GROUPS ROUNDS\n"
    "                            offsets of all partitions in each group, ROUNDS times\n"
    "  heartbeats HOST:PORT GROUPS TOTAL\n"
    "                            makes groups of one member, then sends heartbeats to them in "
    "turn\n"
    "  members    HOST:PORT MEMBERS SUBSCRIPTION_BYTES\n"
    "                            one group: all join, the leader assigns, all send a heartbeat\n";

enum {
    API_OFFSET_COMMIT = 8,
    API_FIND_COORDINATOR = 10,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_SYNC_GROUP = 14,
};
enum {
    ERROR_COORDINATOR_LOAD_IN_PROGRESS = 14,
    ERROR_COORDINATOR_NOT_AVAILABLE = 15,
    ERROR_NOT_COORDINATOR = 16,
    SESSION_MS = 1800000, /* nobody is lost while others join */
    TRIES_MAX = 600,
    TRY_EVERY_US = 100000,
    ASSIGNMENT_BYTES = 64,
};

/* ---- requests --------------------------------------------------------------------------------- */

static void request_commit(struct bytes *out, const char *group, const char *topic, int first,
                           int n_partitions, uint64_t offset)
{
    request_begin(out, API_OFFSET_COMMIT, 7);
    add_string(out, group);
    add32(out, (uint32_t)-1); /* no generation */
    add_string(out, "");      /* no member */
    add_string(out, NULL);
    add32(out, 1);
    add_string(out, topic);
    add32(out, (uint32_t)n_partitions);
    for (int p = first; p < first + n_partitions; p++) {
        add32(out, (uint32_t)p);
        add64(out, offset);
        add32(out, (uint32_t)-1);
        add_string(out, "");
    }
    request_end(out);
}

static void request_join(struct bytes *out, const char *group, const struct bytes *subscription)
{
    request_begin(out, API_JOIN_GROUP, 3);
    add_string(out, group);
    add32(out, SESSION_MS);
    add32(out, SESSION_MS);
    add_string(out, "");
    add_string(out, "consumer");
    add32(out, 1);
    add_string(out, "range");
    add32(out, (uint32_t)subscription->n);
    add(out, subscription->data, subscription->n);
    request_end(out);
}

static void request_heartbeat(struct bytes *out, const char *group, const char *member)
{
    request_begin(out, API_HEARTBEAT, 2);
    add_string(out, group);
    add32(out, 1); /* generation */
    add_string(out, member);
    request_end(out);
}

/* With an assignment for each of the members; n = 0: a follower's. */
static void request_sync(struct bytes *out, const char *group, const char *member,
                         char *const *members, int n)
{
    static const uint8_t assignment[ASSIGNMENT_BYTES];

    request_begin(out, API_SYNC_GROUP, 2);
    add_string(out, group);
    add32(out, 1);
    add_string(out, member);
    add32(out, (uint32_t)n);
    for (int i = 0; i < n; i++) {
        add_string(out, members[i]);
        add32(out, sizeof(assignment));
        add(out, assignment, sizeof(assignment));
    }
    request_end(out);
}

/* ---- replies ---------------------------------------------------------------------------------- */

static int error_at(const struct bytes *reply, size_t at)
{
    if (at + 2 > reply->n)
        die("a short reply");
    return (int16_t)get16(reply->data + at);
}

/* correlation, throttle time, count, name, count, partition */
static int commit_error(const struct bytes *reply, const char *topic)
{
    return error_at(reply, 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4);
}

/* correlation, throttle time */
static int plain_error(const struct bytes *reply)
{
    return error_at(reply, 4 + 4);
}

static void check(int error, const char *what)
{
    if (error != 0)
        die("%s: error %d", what, error);
}

static char *take_string(const struct bytes *reply, size_t *at)
{
    size_t n = get16(reply->data + *at);
    char *s = allocate(n + 1);

    memcpy(s, reply->data + *at + 2, n);
    *at += 2 + n;
    return s;
}

/* Of a joined member: its id, and whether it leads. */
static char *joined(const struct bytes *reply, bool *leads)
{
    size_t at = 4 + 4 + 2 + 4; /* correlation, throttle time, error, generation */
    char *leader, *id;

    check(plain_error(reply), "join");
    free(take_string(reply, &at)); /* protocol */
    leader = take_string(reply, &at);
    id = take_string(reply, &at);
    *leads = strcmp(leader, id) == 0;
    free(leader);
    return id;
}

/* ---- one request at a time -------------------------------------------------------------------- */

static void ask(int fd, const struct bytes *request, struct bytes *reply)
{
    send_all(fd, request->data, request->n);
    reply_receive(fd, reply);
}

/* Asks until the coordinator's topic is there and loaded. */
static void find_coordinator(int fd)
{
    struct bytes request = {0}, reply = {0};

    for (int i = 0; i < TRIES_MAX; i++) {
        request_begin(&request, API_FIND_COORDINATOR, 2);
        add_string(&request, "bench");
        add8(&request, 0); /* of a group */
        request_end(&request);
        ask(fd, &request, &reply);
        if (plain_error(&reply) == 0)
            break;
        usleep(TRY_EVERY_US);
    }
    check(plain_error(&reply), "find coordinator");
    bytes_release(&request);
    bytes_release(&reply);
}

static void commit_first(int fd, struct bytes *request, struct bytes *reply, const char *topic)
{
    int error = 0;

    for (int i = 0; i < TRIES_MAX; i++) {
        ask(fd, request, reply);
        error = commit_error(reply, topic);
        if (error < ERROR_COORDINATOR_LOAD_IN_PROGRESS || error > ERROR_NOT_COORDINATOR)
            break;
        usleep(TRY_EVERY_US);
    }
    check(error, "commit");
}

/* ---- commits ---------------------------------------------------------------------------------- */

struct committer {
    const char *address, *topic;
    int id, in_flight;
    uint64_t count;
    double *us; /* how long each took */
    pthread_t thread;
    pthread_barrier_t *begin;
};

static void *commit_work(void *arg)
{
    struct committer *c = arg;
    struct bytes request = {0}, reply = {0};
    int64_t *sent_ns = allocate((size_t)c->in_flight * sizeof(*sent_ns));
    uint64_t sent = 0, answered = 0;
    char group[32];
    int fd = connect_to(c->address);

    snprintf(group, sizeof(group), "bench-%d", c->id);
    find_coordinator(fd);
    request_commit(&request, group, c->topic, 0, 1, 0);
    commit_first(fd, &request, &reply, c->topic);
    pthread_barrier_wait(c->begin);
    while (answered < c->count) {
        for (; sent < c->count && sent - answered < (uint64_t)c->in_flight; sent++) {
            request_commit(&request, group, c->topic, 0, 1, sent);
            sent_ns[sent % (uint64_t)c->in_flight] = now_ns();
            send_all(fd, request.data, request.n);
        }
        reply_receive(fd, &reply);
        check(commit_error(&reply, c->topic), "commit");
        c->us[answered] = (double)(now_ns() - sent_ns[answered % (uint64_t)c->in_flight]) / 1e3;
        answered++;
    }
    free(sent_ns);
    bytes_release(&request);
    bytes_release(&reply);
    close(fd);
    return NULL;
}

static void commits(char **args)
{
    int n = (int)number(args[2]);
    uint64_t each = number(args[4]) / (uint64_t)n;
    struct committer *all = allocate((size_t)n * sizeof(*all));
    double *us = allocate((size_t)n * each * sizeof(*us)), seconds;
    pthread_barrier_t begin;
    int64_t start_ns;

    pthread_barrier_init(&begin, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++) {
        all[i] = (struct committer){.address = args[0],
                                    .topic = args[1],
                                    .id = i,
                                    .in_flight = (int)number(args[3]),
                                    .count = each,
                                    .us = us + (size_t)i * each,
                                    .begin = &begin};
        if (pthread_create(&all[i].thread, NULL, commit_work, &all[i]) != 0)
            die("thread");
    }
    pthread_barrier_wait(&begin);
    start_ns = now_ns();
    for (int i = 0; i < n; i++)
        pthread_join(all[i].thread, NULL);
    seconds = seconds_since(start_ns);
    sort_doubles(us, (size_t)n * each);
    printf("op=commits commits=%llu seconds=%.3f commits_s=%.0f p50_us=%.0f p99_us=%.0f\n",
           (unsigned long long)(each * (uint64_t)n), seconds,
           (double)(each * (uint64_t)n) / seconds, percentile(us, (size_t)n * each, 0.5),
           percentile(us, (size_t)n * each, 0.99));
    pthread_barrier_destroy(&begin);
    free(us);
    free(all);
}

static void fill(char **args)
{
    int partitions = (int)number(args[2]), groups = (int)number(args[3]);
    uint64_t rounds = number(args[4]), n = 0;
    struct bytes request = {0}, reply = {0};
    int fd = connect_to(args[0]);
    int64_t start_ns = now_ns();

    find_coordinator(fd);
    for (uint64_t round = 0; round < rounds; round++)
        for (int g = 0; g < groups; g++) {
            char group[32];

            snprintf(group, sizeof(group), "fill-%d", g);
            request_commit(&request, group, args[1], 0, partitions, round);
            commit_first(fd, &request, &reply, args[1]);
            n += (uint64_t)partitions;
        }
    printf("op=fill commits=%llu seconds=%.3f\n", (unsigned long long)n, seconds_since(start_ns));
    bytes_release(&request);
    bytes_release(&reply);
    close(fd);
}

/* ---- heartbeats ------------------------------------------------------------------------------- */

static void name_of(char *out, size_t n, int group)
{
    snprintf(out, n, "beat-%d-%d", (int)getpid(), group);
}

/* A group of one member, Stable: its heartbeat, prebuilt. */
static void make_group(int fd, int number_of, struct bytes *beat)
{
    static const struct bytes NOTHING = {0};
    struct bytes request = {0}, reply = {0};
    char group[48], *id = NULL;
    bool leads;

    name_of(group, sizeof(group), number_of);
    request_join(&request, group, &NOTHING);
    ask(fd, &request, &reply);
    id = joined(&reply, &leads);
    request_sync(&request, group, id, &id, 1);
    ask(fd, &request, &reply);
    check(plain_error(&reply), "sync");
    request_heartbeat(beat, group, id);
    free(id);
    bytes_release(&request);
    bytes_release(&reply);
}

static void heartbeats(char **args)
{
    enum { IN_FLIGHT = 64 };
    int groups = (int)number(args[1]), fd = connect_to(args[0]);
    uint64_t total = number(args[2]), sent = 0, answered = 0;
    struct bytes *beats = allocate((size_t)groups * sizeof(*beats)), reply = {0};
    double made_s, seconds;
    char line[8];
    int64_t start_ns;

    find_coordinator(fd);
    start_ns = now_ns();
    for (int i = 0; i < groups; i++)
        make_group(fd, i, &beats[i]);
    made_s = seconds_since(start_ns);
    printf("op=made groups=%d seconds=%.3f\n", groups, made_s);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        die("heartbeats: a line on standard input begins them");
    start_ns = now_ns();
    while (answered < total) {
        for (; sent < total && sent - answered < IN_FLIGHT; sent++) {
            const struct bytes *beat = &beats[sent % (uint64_t)groups];

            send_all(fd, beat->data, beat->n);
        }
        reply_receive(fd, &reply);
        check(plain_error(&reply), "heartbeat");
        answered++;
    }
    seconds = seconds_since(start_ns);
    printf("op=heartbeats heartbeats=%llu seconds=%.3f heartbeats_s=%.0f\n",
           (unsigned long long)total, seconds, (double)total / seconds);
    for (int i = 0; i < groups; i++)
        bytes_release(&beats[i]);
    free(beats);
    bytes_release(&reply);
    close(fd);
}

/* ---- members of one group --------------------------------------------------------------------- */

struct one {
    int fd;
    char *id;
    bool leads;
};

static void all_join(struct one *all, int n, size_t subscription_bytes)
{
    struct bytes subscription = {.data = allocate(subscription_bytes + 1), .n = subscription_bytes};
    struct bytes request = {0}, reply = {0};

    request_join(&request, "members", &subscription);
    for (int i = 0; i < n; i++)
        send_all(all[i].fd, request.data, request.n);
    for (int i = 0; i < n; i++) {
        reply_receive(all[i].fd, &reply);
        all[i].id = joined(&reply, &all[i].leads);
    }
    bytes_release(&subscription);
    bytes_release(&request);
    bytes_release(&reply);
}

static void all_sync(struct one *all, int n)
{
    char **ids = allocate((size_t)n * sizeof(*ids));
    struct bytes request = {0}, reply = {0};

    for (int i = 0; i < n; i++)
        ids[i] = all[i].id;
    for (int i = 0; i < n; i++) {
        request_sync(&request, "members", all[i].id, ids, all[i].leads ? n : 0);
        send_all(all[i].fd, request.data, request.n);
    }
    for (int i = 0; i < n; i++) {
        reply_receive(all[i].fd, &reply);
        check(plain_error(&reply), "sync");
    }
    free(ids);
    bytes_release(&request);
    bytes_release(&reply);
}

static void all_beat(struct one *all, int n)
{
    struct bytes request = {0}, reply = {0};

    for (int i = 0; i < n; i++) {
        request_heartbeat(&request, "members", all[i].id);
        send_all(all[i].fd, request.data, request.n);
    }
    for (int i = 0; i < n; i++) {
        reply_receive(all[i].fd, &reply);
        check(plain_error(&reply), "heartbeat");
    }
    bytes_release(&request);
    bytes_release(&reply);
}

static void members(char **args)
{
    int n = (int)number(args[1]);
    struct one *all = allocate((size_t)n * sizeof(*all));
    double join_s, sync_s;
    int64_t start_ns;

    for (int i = 0; i < n; i++)
        all[i].fd = connect_to(args[0]);
    find_coordinator(all[0].fd);
    start_ns = now_ns();
    all_join(all, n, number(args[2]));
    join_s = seconds_since(start_ns);
    start_ns = now_ns();
    all_sync(all, n);
    sync_s = seconds_since(start_ns);
    start_ns = now_ns();
    all_beat(all, n);
    printf("op=members members=%d join_s=%.3f sync_s=%.3f heartbeat_s=%.3f\n", n, join_s, sync_s,
           seconds_since(start_ns));
    for (int i = 0; i < n; i++) {
        close(all[i].fd);
        free(all[i].id);
    }
    free(all);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int n_args;
        void (*run)(char **args);
    } COMMANDS[] = {
        {"commits", 5, commits},
        {"fill", 5, fill},
        {"heartbeats", 3, heartbeats},
        {"members", 3, members},
    };

    for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0 && argc == COMMANDS[i].n_args + 2) {
            COMMANDS[i].run(argv + 2);
            return 0;
        }
    fputs(USAGE, stderr);
    return 2;
}
