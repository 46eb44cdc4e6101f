/* Which APIs there are: one row per handler. ApiVersions, dispatch and the documentation's table
 * all derive from it.
 *
 * Ranges are Kafka 4.4's, and below them the versions that 3.9 still took and that need no
 * conversion of messages.
 */
#include "internal.h"

/* key, advertised min and max, least version that can be decoded, handler */
const struct api_handler api_handlers[] = {
    /* Old librdkafka looks for Produce 0-2 before it uses newer features; Kafka too advertises them
       and refuses them. */
    {0, 0, 13, 3, api_produce_handle},
    {1, 4, 18, 4, api_fetch_handle},
    {2, 0, 11, 0, api_list_offsets_handle},
    {3, 0, 13, 0, api_metadata_handle},
    {8, 0, 10, 0, api_offset_commit_handle},
    {9, 0, 10, 0, api_offset_fetch_handle},
    {10, 0, 6, 0, api_find_coordinator_handle},
    {11, 0, 9, 0, api_join_group_handle},
    {12, 0, 4, 0, api_heartbeat_handle},
    {13, 0, 5, 0, api_leave_group_handle},
    {14, 0, 5, 0, api_sync_group_handle},
    {15, 0, 6, 0, api_describe_groups_handle},
    {16, 0, 5, 0, api_list_groups_handle},
    {18, 0, 5, 0, api_versions_handle},
    {19, 0, 7, 0, api_create_topics_handle},
    {20, 0, 6, 0, api_delete_topics_handle},
    {21, 0, 2, 0, api_delete_records_handle},
    {22, 0, 5, 0, api_init_producer_id_handle},
    {23, 0, 4, 0, api_offset_for_leader_epoch_handle},
    {24, 0, 5, 0, api_add_partitions_to_txn_handle},
    {25, 0, 4, 0, api_add_offsets_to_txn_handle},
    {26, 0, 5, 0, api_end_txn_handle},
    {27, 0, 2, 0, api_write_txn_markers_handle},
    {28, 0, 6, 0, api_txn_offset_commit_handle},
    {32, 0, 4, 0, api_describe_configs_handle},
    {33, 0, 2, 0, api_alter_configs_handle},
    {34, 0, 2, 0, api_alter_replica_log_dirs_handle},
    {35, 0, 5, 0, api_describe_log_dirs_handle},
    {37, 0, 3, 0, api_create_partitions_handle},
    {42, 0, 3, 0, api_delete_groups_handle},
    {43, 0, 2, 0, api_elect_leaders_handle},
    {44, 0, 1, 0, api_incremental_alter_configs_handle},
    {45, 0, 1, 0, api_alter_partition_reassignments_handle},
    {46, 0, 0, 0, api_list_partition_reassignments_handle},
    {47, 0, 0, 0, api_offset_delete_handle},
    {55, 0, 2, 0, api_describe_quorum_handle},
    {57, 0, 2, 0, api_update_features_handle},
    {60, 0, 2, 0, api_describe_cluster_handle},
    {61, 0, 0, 0, api_describe_producers_handle},
    {64, 0, 0, 0, api_unregister_broker_handle},
    {65, 0, 0, 0, api_describe_transactions_handle},
    {66, 0, 2, 0, api_list_transactions_handle},
    {68, 0, 1, 0, api_consumer_group_heartbeat_handle},
    {69, 0, 1, 0, api_consumer_group_describe_handle},
    {74, 0, 1, 0, api_list_config_resources_handle},
    {75, 0, 0, 0, api_describe_topic_partitions_handle},
};
const int api_n_handlers = ARRAY_SIZE(api_handlers);

const struct api_handler *api_handler_find(int16_t key)
{
    for (int i = 0; i < api_n_handlers; i++)
        if (api_handlers[i].key == key)
            return &api_handlers[i];
    return NULL;
}

void api_print_table(struct buf *out)
{
    for (int i = 0; i < api_n_handlers; i++) {
        const struct api_handler *h = &api_handlers[i];
        const struct wire_api *api = wire_api_find(h->key);

        ASSERT(api);
        buf_printf(out, "%d %s %d %d\n", h->key, api->name, h->min, h->max);
    }
}
