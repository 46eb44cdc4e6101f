/* In which of this node's directories partitions lie, when somebody says so (AlterReplicaLogDirs).
 *
 * Owner: struct meta.preferred, a table by "<topic>-<partition>": directories that were named for partitions that do not exist yet.
 *        It is not durable, as in Kafka (LogManager.preferredLogDirs).
 *
 * Invariant:  a preference leaves the table when its partition is made.
 */
#include "internal.h"

#define PREFERRED_MAX 10000 /* more are not remembered */

struct meta_preferred {
    char *key; /* owned */
    int dir;
    UT_hash_handle hh;
};

static struct meta_preferred *find(const struct meta *m, struct str topic, int32_t partition, char **key)
{
    struct meta_preferred *p;

    *key = xasprintf("%.*s-%d", STR_ARG(topic), partition);
    HASH_FIND_STR(m->preferred, *key, p);
    return p;
}

static void drop(struct meta *m, struct meta_preferred *p)
{
    HASH_DEL(m->preferred, p);
    free(p->key);
    free(p);
}

void meta_prefer_dir(struct meta *m, struct str topic, int32_t partition, int dir)
{
    struct meta_preferred *p;
    char *key;

    ASSERT(dir >= 0);
    ASSERT(dir < m->n_dir_ids);
    p = find(m, topic, partition, &key);
    if (!p && HASH_COUNT(m->preferred) < PREFERRED_MAX) {
        p = xcalloc(1, sizeof(*p));
        p->key = key;
        key = NULL;
        HASH_ADD_KEYPTR(hh, m->preferred, p->key, strlen(p->key), p);
    }
    if (p)
        p->dir = dir;
    free(key);
}

int meta_preferred_dir(const struct meta *m, struct str topic, int32_t partition)
{
    struct meta_preferred *p;
    char *key;

    if (!m->preferred)
        return -1;
    p = find(m, topic, partition, &key);
    free(key);
    return p && !m->dir_offline[p->dir] ? p->dir : -1;
}

void meta_preference_used(struct meta *m, struct str topic, int32_t partition)
{
    struct meta_preferred *p;
    char *key;

    if (!m->preferred)
        return;
    p = find(m, topic, partition, &key);
    free(key);
    if (p)
        drop(m, p);
}

void meta_preferred_release(struct meta *m)
{
    struct meta_preferred *p, *next;

    HASH_ITER(hh, m->preferred, p, next)
    drop(m, p);
}

int meta_assign_dir(struct meta *m, struct meta_topic *t, int32_t partition, int dir)
{
    struct partition_change_record r;
    struct statelog_proposal p;
    int rc;

    ASSERT(dir >= 0);
    ASSERT(dir < m->n_dir_ids);
    ASSERT(partition >= 0);
    ASSERT(partition < t->n_partitions);
    partition_change_record_init(&r);
    r.partition_id = partition;
    r.topic_id = t->id;
    r.directories = &m->dir_ids[dir];
    r.n_directories = 1;
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_PARTITION_CHANGE, 2, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, uuid_eq(t->partitions[partition].dir_id, m->dir_ids[dir])));
    return rc;
}
