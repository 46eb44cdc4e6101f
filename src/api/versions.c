/* ApiVersions: what this broker can do (KIP-511, KIP-584, KIP-1242).
 *
 * The list is exactly the table of handlers; the features are those of the metadata. A version that
 * we do not know gets the body of version 0 with UNSUPPORTED_VERSION and the one row that the
 * client needs to ask again.
 */
#include "internal.h"

/* Name and version must read like a name (ApiVersionsRequest.isValid). */
static bool software_text_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool inner = c == '-' || c == '.';

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !inner)
            return false;
        if (inner && (i == 0 || i == s.n - 1))
            return false;
    }
    return s.n > 0;
}

/* A client that expects another cluster or node must bootstrap again (KIP-1242). */
static bool wrong_address(struct request *rq, const struct api_versions_request *body)
{
    char ours[UUID_TEXT_BYTES + 1];

    uuid_text(logm_cluster_id(rq->broker->logm), ours);
    if (body->cluster_id.p && !str_is(body->cluster_id, ours))
        return true;
    return body->node_id != -1 && body->node_id != rq->broker->node_id;
}

static void fill_keys(struct request *rq, struct api_versions_response *rsp, bool only_this)
{
    rsp->api_keys = arena_array(&rq->arena, (size_t)api_n_handlers, sizeof(*rsp->api_keys));
    for (int i = 0; i < api_n_handlers; i++) {
        const struct api_handler *h = &api_handlers[i];
        struct api_versions_response_api_keys *row = &rsp->api_keys[rsp->n_api_keys];

        if (only_this && h != rq->handler)
            continue;
        api_versions_response_api_keys_init(row);
        row->api_key = h->key;
        row->min_version = h->min;
        row->max_version = h->max;
        rsp->n_api_keys++;
    }
}

/* Answers below v4 leave out features whose least level is 0: old clients fail on them
 * (KAFKA-17011). */
static void fill_features(struct request *rq, struct api_versions_response *rsp)
{
    const struct meta_feature *levels;
    int n_levels;

    rsp->supported_features = arena_array(&rq->arena, (size_t)meta_n_supported_features,
                                          sizeof(*rsp->supported_features));
    for (int i = 0; i < meta_n_supported_features; i++) {
        const struct meta_feature_range *f = &meta_supported_features[i];
        struct api_versions_response_supported_features *row =
            &rsp->supported_features[rsp->n_supported_features];

        if (rq->version < 4 && f->min == 0)
            continue;
        api_versions_response_supported_features_init(row);
        row->name = str_of(f->name);
        row->min_version = f->min;
        row->max_version = f->max;
        rsp->n_supported_features++;
    }
    levels = meta_features(rq->broker->meta, &n_levels);
    rsp->finalized_features =
        arena_array(&rq->arena, (size_t)n_levels, sizeof(*rsp->finalized_features));
    for (int i = 0; i < n_levels; i++) {
        struct api_versions_response_finalized_features *row = &rsp->finalized_features[i];

        api_versions_response_finalized_features_init(row);
        row->name = str_of(levels[i].name);
        row->min_version_level = row->max_version_level = levels[i].level;
    }
    rsp->n_finalized_features = n_levels;
    rsp->finalized_features_epoch = meta_end(rq->broker->meta) - 1;
}

static void note_software(struct api_conn *c, const struct api_versions_request *body)
{
    free(c->software_name);
    free(c->software_version);
    c->software_name = str_dup(body->client_software_name);
    c->software_version = str_dup(body->client_software_version);
}

void api_versions_handle(struct request *rq)
{
    const struct api_versions_request *body = rq->body;
    struct api_versions_response *rsp = rq->response;

    if (!body) {
        rsp->error_code = KE_UNSUPPORTED_VERSION;
        fill_keys(rq, rsp, true);
        request_reply(rq);
        return;
    }
    if (rq->version >= 3 && (!software_text_valid(body->client_software_name) ||
                             !software_text_valid(body->client_software_version))) {
        rsp->error_code = KE_INVALID_REQUEST;
    } else if (rq->version >= 5 && wrong_address(rq, body)) {
        rsp->error_code = KE_REBOOTSTRAP_REQUIRED;
    } else {
        if (rq->version >= 3)
            note_software(rq->conn, body);
        fill_keys(rq, rsp, false);
        fill_features(rq, rsp);
    }
    request_reply(rq);
}
