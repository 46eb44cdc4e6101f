/* The script that uses everything that writes files: topics, the journal, segments, checkpoints, compaction, retention, offsets.
 *
 * Owner: struct life; there is no state here.
 */
#include "life.h"

static const char *const overrides[] = {"log.journal.bytes=49152",
                                        "offsets.topic.num.partitions=1",
                                        "log.index.interval.bytes=100",
                                        "log.flush.offset.checkpoint.interval.ms=20000",
                                        "log.segment.delete.delay.ms=10000",
                                        "log.cleaner.backoff.ms=5000",
                                        "log.initial.task.delay.ms=5000",
                                        "log.retention.check.interval.ms=10000",
                                        "metadata.log.max.record.bytes.between.snapshots=700",
                                        "metadata.max.retention.bytes=0",
                                        NULL};

static void create_topics(struct life *l)
{
    for (int t = 0; t < TOPICS; t++)
        client_create_topic(&l->client, (enum topic)t);
}

static void produce_first(struct life *l)
{
    struct client *c = &l->client;

    client_producer_id(c);
    client_produce(c, TOPIC_PLAIN, 0, 2, -1);
    client_produce(c, TOPIC_PLAIN, 0, 1, 1);
    client_produce(c, TOPIC_PLAIN, 1, 3, -1);
    client_produce(c, TOPIC_IDEM, 0, 2, -1);
    client_produce(c, TOPIC_LOOSE, 0, 2, -1);
    client_produce(c, TOPIC_GONE, 0, 2, -1);
    client_read_all(c);
}

static void produce_and_repeat(struct life *l)
{
    struct client *c = &l->client;

    client_repeat(c);
    client_produce(c, TOPIC_IDEM, 0, 3, -1);
    client_produce(c, TOPIC_PLAIN, 0, 4, 1);
    client_produce(c, TOPIC_LOOSE, 0, 3, 1);
    client_commit(c, 2);
    client_read_all(c);
}

static void produce_together(struct life *l)
{
    client_produce_together(&l->client);
    client_read_all(&l->client);
}

static void roll(struct life *l)
{
    for (int i = 0; i < 3; i++) {
        client_produce(&l->client, TOPIC_PLAIN, 0, 4, -1);
        client_produce(&l->client, TOPIC_IDEM, 0, 4, -1);
    }
    client_commit(&l->client, 5);
}

/* Until there is something to compact, and to delete. */
static void fill_keys(struct life *l)
{
    for (int i = 0; i < 5; i++) {
        client_produce(&l->client, TOPIC_KEYS, 0, 4, -1);
        client_produce(&l->client, TOPIC_OLD, 0, 4, -1);
    }
    client_read_all(&l->client);
}

static void remove_topic(struct life *l)
{
    client_delete_topic(&l->client, TOPIC_GONE);
    client_produce(&l->client, TOPIC_PLAIN, 1, 1, -1);
}

static void produce_last(struct life *l)
{
    client_repeat(&l->client);
    client_produce(&l->client, TOPIC_IDEM, 0, 1, -1);
    client_produce(&l->client, TOPIC_PLAIN, 0, 1, -1);
    client_produce(&l->client, TOPIC_LOOSE, 0, 1, -1);
    client_commit(&l->client, 7);
    client_read_all(&l->client);
}

static const struct step steps[] = {
    {"creating topics", create_topics},
    {"producing", produce_first},
    {"repeating", produce_and_repeat},
    {"producing together", produce_together},
    {"rolling", roll},
    {"filling what is compacted", fill_keys},
    {"time passing", life_let_time_pass},
    {"deleting a topic", remove_topic},
    {"time passing again", life_let_time_pass},
    {"restarting cleanly", life_restart_cleanly},
    {"producing after a clean stop", produce_last},
    {"restarting as killed", life_restart_as_killed},
    {"producing after a kill", produce_last},
    {"time passing at the end", life_let_time_pass},
};

static void use(struct life *l)
{
    struct client *c = &l->client;

    if (c->ledger->topics[TOPIC_IDEM] == TOPIC_THERE) {
        client_producer_id(c);
        client_repeat(c);
        client_produce(c, TOPIC_IDEM, 0, 1, -1);
    }
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < topic_partitions[t] && c->ledger->topics[t] == TOPIC_THERE; p++)
            if (t != TOPIC_IDEM)
                client_produce(c, (enum topic)t, p, 1, -1);
    client_commit(c, c->ledger->committed_tried + 1);
    client_read_all(c);
}

static void verify(struct life *l, bool power_lost)
{
    client_verify(&l->client, power_lost);
}

const struct script script_files = {.name = "files",
                                    .overrides = overrides,
                                    .steps = steps,
                                    .n_steps = ARRAY_SIZE(steps),
                                    .verify = verify,
                                    .use = use};
