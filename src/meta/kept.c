/* Records that others than topics, settings and features are made of: registrations, and what we do not use (ACLs, quotas,
 * credentials, tokens). They stay in the log anyway; here is what a snapshot must carry on of them.
 *
 * Owner: struct meta.kept, a table in the order in which the records came.
 *
 * Happy path: a record takes the place of the one with the same key; one that removes takes it away.
 * Invariant:  replaying what is kept, in order, makes what replaying all of them made.
 */
#include "internal.h"

struct meta_kept {
    struct bytes key;   /* owned: the type, and what names the thing */
    struct bytes value; /* owned: the framed record */
    UT_hash_handle hh;
};

static void drop(struct meta *m, struct meta_kept *k)
{
    HASH_DEL(m->kept, k);
    free((void *)k->key.p);
    free((void *)k->value.p);
    free(k);
}

void meta_kept_release(struct meta *m)
{
    struct meta_kept *k, *next;

    HASH_ITER(hh, m->kept, k, next)
    drop(m, k);
}

static void remove_key(struct meta *m, const struct buf *key)
{
    struct meta_kept *k;

    HASH_FIND(hh, m->kept, key->p, key->n, k);
    if (k)
        drop(m, k);
}

static void keep(struct meta *m, const struct buf *key, struct bytes value)
{
    struct meta_kept *k;

    remove_key(m, key);
    k = xcalloc(1, sizeof(*k));
    k->key = bytes_dup(bytes_of(key->p, key->n));
    k->value = bytes_dup(value);
    HASH_ADD_KEYPTR(hh, m->kept, k->key.p, k->key.n, k);
}

void meta_kept_each(const struct meta *m, void (*fn)(void *arg, struct bytes value), void *arg)
{
    for (const struct meta_kept *k = m->kept; k; k = k->hh.next)
        fn(arg, k->value);
}

/* ---- what names a thing ------------------------------------------------------------------------ */

static void put_str(struct buf *key, struct str s)
{
    uint32_t n = s.p ? (uint32_t)s.n : UINT32_MAX; /* null is not "" */

    buf_put(key, &n, sizeof(n));
    buf_put(key, s.p ? s.p : "", s.p ? s.n : 0);
}

static void key_begin(struct buf *key, enum meta_record_type type)
{
    uint8_t t = (uint8_t)type;

    key->n = 0;
    buf_put(key, &t, sizeof(t));
}

/* ---- the types --------------------------------------------------------------------------------- */

struct arrival {
    struct meta *m;
    const void *record;
    struct bytes value;
    int64_t offset;
    struct buf *key; /* scratch */
};

static void broker_key(struct arrival *a, enum meta_record_type type, int32_t id, int64_t offset)
{
    key_begin(a->key, type);
    buf_put(a->key, &id, sizeof(id));
    if (type != RECORD_REGISTER_BROKER)
        buf_put(a->key, &offset, sizeof(offset));
}

/* A registration and the changes to it. */
static void forget_broker(struct arrival *a, int32_t id)
{
    struct meta_kept *k, *next;

    HASH_ITER(hh, a->m->kept, k, next)
    {
        bool of_broker = k->key.p[0] == RECORD_REGISTER_BROKER ||
                         k->key.p[0] == RECORD_FENCE_BROKER ||
                         k->key.p[0] == RECORD_UNFENCE_BROKER ||
                         k->key.p[0] == RECORD_BROKER_REGISTRATION_CHANGE;

        if (of_broker && memcmp(k->key.p + 1, &id, sizeof(id)) == 0)
            drop(a->m, k);
    }
}

static void on_register_broker(struct arrival *a)
{
    const struct register_broker_record *r = a->record;

    forget_broker(a, r->broker_id);
    broker_key(a, RECORD_REGISTER_BROKER, r->broker_id, a->offset);
    keep(a->m, a->key, a->value);
}

static void on_unregister_broker(struct arrival *a)
{
    const struct unregister_broker_record *r = a->record;

    forget_broker(a, r->broker_id);
}

static void on_fence(struct arrival *a)
{
    const struct fence_broker_record *r = a->record;

    broker_key(a, RECORD_FENCE_BROKER, r->id, a->offset);
    keep(a->m, a->key, a->value);
}

static void on_unfence(struct arrival *a)
{
    const struct unfence_broker_record *r = a->record;

    broker_key(a, RECORD_UNFENCE_BROKER, r->id, a->offset);
    keep(a->m, a->key, a->value);
}

static void on_registration_change(struct arrival *a)
{
    const struct broker_registration_change_record *r = a->record;

    broker_key(a, RECORD_BROKER_REGISTRATION_CHANGE, r->broker_id, a->offset);
    keep(a->m, a->key, a->value);
}

static void controller_key(struct arrival *a, int32_t id)
{
    key_begin(a->key, RECORD_REGISTER_CONTROLLER);
    buf_put(a->key, &id, sizeof(id));
}

static void on_register_controller(struct arrival *a)
{
    controller_key(a, ((const struct register_controller_record *)a->record)->controller_id);
    keep(a->m, a->key, a->value);
}

static void on_unregister_controller(struct arrival *a)
{
    controller_key(a, ((const struct unregister_controller_record *)a->record)->controller_id);
    remove_key(a->m, a->key);
}

static void acl_key(struct arrival *a, struct uuid id)
{
    key_begin(a->key, RECORD_ACCESS_CONTROL_ENTRY);
    buf_put(a->key, id.b, sizeof(id.b));
}

static void on_acl(struct arrival *a)
{
    acl_key(a, ((const struct access_control_entry_record *)a->record)->id);
    keep(a->m, a->key, a->value);
}

static void on_remove_acl(struct arrival *a)
{
    acl_key(a, ((const struct remove_access_control_entry_record *)a->record)->id);
    remove_key(a->m, a->key);
}

static void on_quota(struct arrival *a)
{
    const struct client_quota_record *r = a->record;

    key_begin(a->key, RECORD_CLIENT_QUOTA);
    for (int32_t i = 0; i < r->n_entity; i++) {
        put_str(a->key, r->entity[i].entity_type);
        put_str(a->key, r->entity[i].entity_name);
    }
    put_str(a->key, r->key);
    if (r->remove)
        remove_key(a->m, a->key);
    else
        keep(a->m, a->key, a->value);
}

static void credential_key(struct arrival *a, struct str name, int8_t mechanism)
{
    key_begin(a->key, RECORD_USER_SCRAM_CREDENTIAL);
    buf_put(a->key, &mechanism, sizeof(mechanism));
    put_str(a->key, name);
}

static void on_credential(struct arrival *a)
{
    const struct user_scram_credential_record *r = a->record;

    credential_key(a, r->name, r->mechanism);
    keep(a->m, a->key, a->value);
}

static void on_remove_credential(struct arrival *a)
{
    const struct remove_user_scram_credential_record *r = a->record;

    credential_key(a, r->name, r->mechanism);
    remove_key(a->m, a->key);
}

static void token_key(struct arrival *a, struct str id)
{
    key_begin(a->key, RECORD_DELEGATION_TOKEN);
    put_str(a->key, id);
}

static void on_token(struct arrival *a)
{
    token_key(a, ((const struct delegation_token_record *)a->record)->token_id);
    keep(a->m, a->key, a->value);
}

static void on_remove_token(struct arrival *a)
{
    token_key(a, ((const struct remove_delegation_token_record *)a->record)->token_id);
    remove_key(a->m, a->key);
}

static void on_migration_state(struct arrival *a)
{
    key_begin(a->key, RECORD_ZK_MIGRATION_STATE);
    keep(a->m, a->key, a->value);
}

static const struct kind {
    enum meta_record_type type;
    void (*arrived)(struct arrival *a);
} kinds[] = {
    {RECORD_REGISTER_BROKER, on_register_broker},
    {RECORD_UNREGISTER_BROKER, on_unregister_broker},
    {RECORD_FENCE_BROKER, on_fence},
    {RECORD_UNFENCE_BROKER, on_unfence},
    {RECORD_BROKER_REGISTRATION_CHANGE, on_registration_change},
    {RECORD_REGISTER_CONTROLLER, on_register_controller},
    {RECORD_UNREGISTER_CONTROLLER, on_unregister_controller},
    {RECORD_ACCESS_CONTROL_ENTRY, on_acl},
    {RECORD_REMOVE_ACCESS_CONTROL_ENTRY, on_remove_acl},
    {RECORD_CLIENT_QUOTA, on_quota},
    {RECORD_USER_SCRAM_CREDENTIAL, on_credential},
    {RECORD_REMOVE_USER_SCRAM_CREDENTIAL, on_remove_credential},
    {RECORD_DELEGATION_TOKEN, on_token},
    {RECORD_REMOVE_DELEGATION_TOKEN, on_remove_token},
    {RECORD_ZK_MIGRATION_STATE, on_migration_state},
};

static const struct kind *kind_of(uint32_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

bool meta_kept_has(uint32_t type)
{
    return kind_of(type) != NULL;
}

void meta_kept_arrived(struct meta *m, uint32_t type, const void *record, struct bytes value,
                       int64_t offset)
{
    struct buf key;
    struct arrival a = {.m = m, .record = record, .value = value, .offset = offset, .key = &key};

    buf_init(&key);
    kind_of(type)->arrived(&a);
    buf_release(&key);
}
