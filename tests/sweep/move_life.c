/* The script that moves partitions between two log directories: once with nothing else to do, once while they are written, once across a clean
 * stop and once across a kill. A coordinator's partition moves, too.
 *
 * Owner: struct life; there is no state here.
 */
#include "life.h"

#include "report.h"

#define API_ALTER_REPLICA_LOG_DIRS 34

static const char *const overrides[] = {"log.dirs=/data,/data1",
                                        "log.journal.bytes=49152",
                                        "offsets.topic.num.partitions=1",
                                        "log.index.interval.bytes=100",
                                        "log.flush.offset.checkpoint.interval.ms=20000",
                                        "log.segment.delete.delay.ms=10000",
                                        NULL};

static void move(struct life *l, const char *topic, int32_t partition, const char *dir)
{
    struct alter_replica_log_dirs_request_dirs_topics t;
    struct alter_replica_log_dirs_request_dirs row;
    struct alter_replica_log_dirs_request rq;
    const struct alter_replica_log_dirs_response *rsp;
    int16_t error;

    if (client_gone(&l->client))
        return;
    alter_replica_log_dirs_request_init(&rq);
    alter_replica_log_dirs_request_dirs_init(&row);
    alter_replica_log_dirs_request_dirs_topics_init(&t);
    rq.dirs = &row;
    rq.n_dirs = 1;
    row.path = str_of(dir);
    row.topics = &t;
    row.n_topics = 1;
    t.name = str_of(topic);
    t.partitions = &partition;
    t.n_partitions = 1;
    rsp = client_call(&l->client, API_ALTER_REPLICA_LOG_DIRS, 2, &rq);
    error = rsp ? rsp->results[0].partitions[0].error_code : KE_NONE;
    if (error != KE_NONE && (l->client.must_work || error != KE_KAFKA_STORAGE_ERROR) && error != KE_REPLICA_NOT_AVAILABLE)
        violation("AlterReplicaLogDirs: %s", kafka_error_name(error));
}

static void move_all(struct life *l, const char *dir)
{
    move(l, "plain", 0, dir);
    move(l, "idem", 0, dir);
    move(l, "loose", 0, dir);
    move(l, "__consumer_offsets", 0, dir);
}

static void produce_some(struct life *l)
{
    struct client *c = &l->client;

    client_produce(c, TOPIC_PLAIN, 0, 4, -1);
    client_produce(c, TOPIC_PLAIN, 0, 2, 1);
    client_produce(c, TOPIC_IDEM, 0, 4, -1);
    client_produce(c, TOPIC_LOOSE, 0, 3, -1);
    client_commit(c, c->ledger->committed_tried + 1);
}

static void begin(struct life *l)
{
    client_create_topic(&l->client, TOPIC_PLAIN);
    client_create_topic(&l->client, TOPIC_IDEM);
    client_create_topic(&l->client, TOPIC_LOOSE);
    client_producer_id(&l->client);
    for (int i = 0; i < 3; i++)
        produce_some(l);
    client_read_all(&l->client);
}

static void move_there(struct life *l)
{
    move_all(l, "/data1");
    if (!client_gone(&l->client))
        box_advance_ms(&l->box, 1000);
    client_read_all(&l->client);
}

static void move_while_writing(struct life *l)
{
    move_all(l, "/data");
    for (int i = 0; i < 3; i++)
        produce_some(l);
    client_repeat(&l->client);
    client_read_all(&l->client);
}

static void write_and_move(struct life *l)
{
    produce_some(l);
    move_all(l, "/data1");
}

static void write_and_move_back(struct life *l)
{
    produce_some(l);
    move_all(l, "/data");
}

static const struct step steps[] = {
    {"beginning", begin},
    {"moving", move_there},
    {"moving while it is written", move_while_writing},
    {"time passing", life_let_time_pass},
    {"moving before a clean stop", write_and_move},
    {"restarting cleanly", life_restart_cleanly},
    {"moving on", write_and_move},
    {"moving before a kill", write_and_move_back},
    {"restarting as killed", life_restart_as_killed},
    {"time passing at the end", life_let_time_pass},
};

static void use(struct life *l)
{
    client_producer_id(&l->client);
    client_repeat(&l->client);
    for (int t = 0; t < TOPICS; t++)
        if (l->ledger.topics[t] == TOPIC_THERE)
            client_produce(&l->client, (enum topic)t, 0, 1, -1);
    client_read_all(&l->client);
    move_all(l, "/data1");
    box_advance_ms(&l->box, 30000);
    if (!list_empty(&l->box.broker->moves))
        violation("a move has not ended");
    client_read_all(&l->client);
}

static void verify(struct life *l, bool power_lost)
{
    client_verify(&l->client, power_lost);
}

const struct script script_moves = {.name = "moves",
                                    .overrides = overrides,
                                    .steps = steps,
                                    .n_steps = ARRAY_SIZE(steps),
                                    .verify = verify,
                                    .use = use};
