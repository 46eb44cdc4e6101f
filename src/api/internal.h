/* The inside of api: a request in work, and the handlers.
 *
 * Life of a request: api_frame -> request_new (header, body decoded into the arena) -> handler(rq)
 * -> ... -> exactly one of request_reply, request_reply_none, request_drop, from within the handler
 * or later. The arena, the frame's chunk, rq->body and rq->response die with it. A handler that
 * waits embeds its wait in a struct from the arena and keeps rq.
 */
#ifndef BARNABAS_API_INTERNAL_H
#define BARNABAS_API_INTERNAL_H

#include "api.h"
#include "metrics.h"
#include "wire.h"

#define REQUEST_MAGIC 0x52455155u
struct request {
    uint32_t magic;
    struct list link; /* in broker.requests */
    struct broker *broker;
    struct api_conn *conn; /* a reference; conn->closed: replies go nowhere */
    uint64_t frame;
    struct chunk *chunk;
    struct arena arena;
    struct wire_request_header header;
    int16_t version; /* header.api_version */
    const struct api_handler *handler;
    const struct wire_api *api;
    void *body;               /* struct <name>_request, decoded */
    void *response;           /* struct <name>_response, at its defaults; the handler fills it */
    int16_t response_version; /* = version, but for ApiVersions' answer to an unknown one */
    struct out encoded;       /* the reply, where it was encoded before it may leave */
    /* Of the quota function; also to be put in the response where it has the field. */
    int32_t throttle_ms;
    struct mono received;
    /* Set while it waits for something that a stop must not wait for (a long poll, a rebalance):
     * answers now. */
    void (*hurry)(struct request *rq);
    void *state; /* the handler's own */
};

#define API_CONN_MAGIC 0x41434f4eu
struct api_conn {
    uint32_t magic;
    uint32_t refs; /* the carrier's, and one per request in work */
    bool closed;
    struct broker *broker;
    struct api_transport transport;
    void *carrier;
    char *listener, *peer_host, *local_host, *advertised_host;
    int peer_port, local_port, advertised_port;
    struct principal principal;             /* User:ANONYMOUS until security says more */
    char *software_name, *software_version; /* of ApiVersions v3+; NULL before */
};

struct api_handler {
    /* What ApiVersions advertises; the wire schema must cover min_decoded..max. */
    int16_t key, min, max;
    int16_t min_decoded; /* = min, but for Produce: 0-2 are advertised and refused (KAFKA-18659) */
    void (*handle)(struct request *rq);
};
extern const struct api_handler api_handlers[]; /* by key ascending */
extern const int api_n_handlers;
const struct api_handler *api_handler_find(int16_t key); /* NULL */

/* Encodes rq->response and sends it; rq is gone. Splices whose source is a struct file become file
 * ranges. */
void request_reply(struct request *rq);
void request_reply_none(struct request *rq); /* acks=0: no answer */
/* Closes the connection without an answer: the only truthful one after a failed flush. rq is
 * gone. */
void request_drop(struct request *rq, const char *why);
/* Ends a request whose reply waits for metadata: replies when all that was decided is durable,
 * drops it when the directory failed. The response is encoded now: it may point to metadata that is
 * gone by then. */
void request_reply_after_meta(struct request *rq);

/* Shorthands that every handler uses. */
bool request_allowed(struct request *rq, enum acl_operation op, enum acl_resource resource,
                     struct str name);
/* The address of this broker for the connection's listener. */
struct str request_advertised_host(struct request *rq);
int request_advertised_port(struct request *rq);

/* A topic as requests name it: by id where the version has one (id not zero), else by name. NULL
 * with the protocol's error when it is unknown. */
struct meta_topic *request_topic(struct request *rq, bool by_id, struct str name, struct uuid id,
                                 int16_t *error);
/* Whether the partition exists and the client's idea of its leader epoch (-1: none) is ours: a
 * kafka_error. */
int16_t request_partition_check(const struct meta_topic *t, int32_t partition,
                                int32_t client_leader_epoch);
#define NO_LEADER_EPOCH (-1)

/* ---- handlers, by file ----------------------------------------------------------------------- */
/* versions.c */
void api_versions_handle(struct request *rq);
/* metadata.c */
void api_metadata_handle(struct request *rq);
void api_describe_cluster_handle(struct request *rq);
/* topic_partitions.c */
void api_describe_topic_partitions_handle(struct request *rq);
/* topics.c */
void api_create_topics_handle(struct request *rq);
/* create_partitions.c */
void api_create_partitions_handle(struct request *rq);
/* delete_topics.c */
void api_delete_topics_handle(struct request *rq);
/* delete_records.c */
void api_delete_records_handle(struct request *rq);
/* configs.c, configs_broker.c, configs_group.c */
void api_describe_configs_handle(struct request *rq);
/* alter_configs.c */
void api_alter_configs_handle(struct request *rq);
void api_incremental_alter_configs_handle(struct request *rq);
/* config_resources.c */
void api_list_config_resources_handle(struct request *rq);
/* log_dirs.c */
void api_describe_log_dirs_handle(struct request *rq);
/* alter_log_dirs.c */
void api_alter_replica_log_dirs_handle(struct request *rq);
/* leaders.c */
void api_elect_leaders_handle(struct request *rq);
void api_alter_partition_reassignments_handle(struct request *rq);
void api_list_partition_reassignments_handle(struct request *rq);
/* quorum.c */
void api_describe_quorum_handle(struct request *rq);
void api_update_features_handle(struct request *rq);
void api_unregister_broker_handle(struct request *rq);
/* produce.c */
void api_produce_handle(struct request *rq);
/* fetch.c, fetch_session.c */
void api_fetch_handle(struct request *rq);
/* describe_producers.c */
void api_describe_producers_handle(struct request *rq);
/* offsets.c */
void api_list_offsets_handle(struct request *rq);
void api_offset_for_leader_epoch_handle(struct request *rq);
/* groups.c */
void api_find_coordinator_handle(struct request *rq);
void api_join_group_handle(struct request *rq);
void api_sync_group_handle(struct request *rq);
void api_heartbeat_handle(struct request *rq);
void api_leave_group_handle(struct request *rq);
void api_list_groups_handle(struct request *rq);
void api_describe_groups_handle(struct request *rq);
void api_delete_groups_handle(struct request *rq);
void api_consumer_group_heartbeat_handle(struct request *rq);
void api_consumer_group_describe_handle(struct request *rq);
/* group_offsets.c */
void api_offset_commit_handle(struct request *rq);
void api_offset_fetch_handle(struct request *rq);
void api_offset_delete_handle(struct request *rq);
/* transactions.c, add_partitions_to_txn.c, txn_offsets.c */
void api_init_producer_id_handle(struct request *rq);
void api_add_partitions_to_txn_handle(struct request *rq);
void api_add_offsets_to_txn_handle(struct request *rq);
void api_end_txn_handle(struct request *rq);
void api_write_txn_markers_handle(struct request *rq);
void api_txn_offset_commit_handle(struct request *rq);
void api_describe_transactions_handle(struct request *rq);
void api_list_transactions_handle(struct request *rq);

#endif
