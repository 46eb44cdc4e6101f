/* The headers in front of requests and replies, and finding an API in the table.
 *
 *   request v1  api key int16 | api version int16 | correlation id int32 |
 *               client id nullable string (int16 length)
 *   request v2  the same | tags            where the version of the API is flexible
 *   reply v0    correlation id int32
 *   reply v1    the same | tags            likewise, but never for ApiVersions
 *
 * ApiVersions always has reply v0: a client that asks in a version the broker lacks must still
 * understand the answer (KIP-511).
 */
#include "wire.h"

#define KEY_API_VERSIONS 18

/* The table is sorted by key, and the keys are nearly dense. */
const struct wire_api *wire_api_find(int16_t key)
{
    int low = 0, high = wire_n_apis;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (wire_apis[middle].key == key)
            return &wire_apis[middle];
        if (wire_apis[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_flexible(const struct wire_message_info *m, int16_t version)
{
    return version >= m->flexible_from && version <= m->version_max;
}

int wire_request_header_get(struct wire_reader *r, struct wire_request_header *out)
{
    const struct wire_api *api;

    out->api_key = wire_get_int16(r);
    out->api_version = wire_get_int16(r);
    out->correlation_id = wire_get_int32(r);
    out->client_id = wire_get_str(r, false, true);
    if (r->error)
        return r->error;
    api = wire_api_find(out->api_key);
    if (api && is_flexible(&api->request, out->api_version))
        wire_skip_tags(r);
    return r->error;
}

void wire_response_header_put(struct wire_writer *w, int16_t api_key, int16_t version,
                              int32_t correlation_id)
{
    const struct wire_api *api = wire_api_find(api_key);

    ASSERT(api != NULL);
    wire_put_int32(w, correlation_id);
    if (api_key != KEY_API_VERSIONS && is_flexible(&api->response, version))
        wire_put_uvarint(w, 0);
}
