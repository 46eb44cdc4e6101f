/* wire: Kafka's protocol messages as C structs.
 *
 * Everything message-specific is generated from src/wire/schema by scripts/wiregen.py into
 * wire_messages.h, which this header includes. For each message M (snake case of Kafka's name:
 * produce_request, offset_commit_value, ...):
 *
 *   struct M                   one struct for all versions; what a version lacks holds its default
 *   void M_init(struct M *m)   all fields at their defaults (zero, false, null or "" as Kafka says)
 *   int M_decode(struct M *m, struct wire_reader *r, int16_t version)      0 or E_CORRUPT
 *   void M_encode(const struct M *m, struct wire_writer *w, int16_t version)
 *   size_t M_size(const struct M *m, int16_t version)      bytes on the wire, spliced ones included
 *   void M_dump(const struct M *m, struct buf *out, int16_t version)       text, for people
 *
 * Decoding calls M_init; a version that the message does not have is E_CORRUPT, for encode a bug.
 * Bytes after the message are left in the reader.
 *
 * Fields carry Kafka's names in snake case. An array field `things` is `struct ... *things; int32_t
 * n_things;`, null is n_things == -1. An array of structs has the element type struct M_things (and
 * M_things_init), nested ones M_things_parts. Types: int8..int64, uint16, uint32, bool, float64,
 * struct str and struct bytes (p NULL: null), struct uuid, struct wire_records. A nullable struct
 * field is a pointer, NULL when null. Decoded strings and bytes are slices of the frame; arrays
 * come from the reader's arena. Record schemas (metadata log, coordinators) generate the same, from
 * src/wire/schema/records.
 *
 * Encoding a field that the version lacks: silently left out when the schema says it is ignorable
 * or it holds its default, otherwise an assert. Null where the version has no null: an assert.
 */
#ifndef BARNABAS_WIRE_H
#define BARNABAS_WIRE_H

#include "base.h"

/* Record batches inside a message. Decoded: p and n_bytes, inside the frame (p NULL: null). To
 * encode: either the same, or, with `source` set, bytes that are not copied: the writer notes a
 * splice, and whoever sends puts the source's range there. */
struct wire_records {
    const uint8_t *p;
    size_t n_bytes;
    void *source;      /* opaque to wire; NULL for plain bytes */
    uint64_t position; /* in the source */
};

/* Reads; the first error sticks: read all the fields, test once. Every length is checked against
 * the bytes left before anything is allocated, and the elements decoded in one frame are bounded.
 */
struct wire_reader {
    const uint8_t *at, *end;
    struct arena *arena;
    uint32_t n_elements; /* array elements decoded so far */
    int error;           /* 0 or E_CORRUPT */
};
#define WIRE_ELEMENTS_MAX 1000000
void wire_reader_init(struct wire_reader *r, struct bytes in, struct arena *arena);
int8_t wire_get_int8(struct wire_reader *r);
int16_t wire_get_int16(struct wire_reader *r);
uint16_t wire_get_uint16(struct wire_reader *r);
int32_t wire_get_int32(struct wire_reader *r);
uint32_t wire_get_uint32(struct wire_reader *r);
int64_t wire_get_int64(struct wire_reader *r);
double wire_get_float64(struct wire_reader *r);
bool wire_get_bool(struct wire_reader *r);
struct uuid wire_get_uuid(struct wire_reader *r);
uint32_t wire_get_uvarint(struct wire_reader *r);
struct str wire_get_str(struct wire_reader *r, bool flexible, bool nullable);
struct bytes wire_get_bytes(struct wire_reader *r, bool flexible, bool nullable);
struct wire_records wire_get_records(struct wire_reader *r, bool flexible, bool nullable);
/* The count of an array whose elements take at least element_bytes_min each; -1 null (an error
 * unless nullable). */
int32_t wire_get_count(struct wire_reader *r, bool flexible, bool nullable,
                       size_t element_bytes_min);
/* The elements of an array after its count: zeroed, from the arena; NULL when there are none. */
void *wire_get_elements(struct wire_reader *r, int32_t n, size_t element_bytes);
/* Whole arrays: count and elements. */
int8_t *wire_get_int8s(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
int16_t *wire_get_int16s(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
int32_t *wire_get_int32s(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
int64_t *wire_get_int64s(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
struct uuid *wire_get_uuids(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
struct str *wire_get_strs(struct wire_reader *r, bool flexible, bool nullable, int32_t *n);
/* A tagged section is a count (wire_get_uvarint) and, per tag, its number with a reader over its
 * bytes. wire_end_tag hands that reader's error and its elements back; bytes left over in it are an
 * error. */
uint32_t wire_get_tag(struct wire_reader *r, struct wire_reader *field);
void wire_end_tag(struct wire_reader *r, const struct wire_reader *field);
/* Skips a whole tagged section. */
void wire_skip_tags(struct wire_reader *r);

struct wire_splice {
    size_t at; /* in the writer's bytes: the source's range goes before this byte */
    void *source;
    uint64_t position;
    size_t n_bytes;
};
/* Writes into a buf, which grows. With out == NULL it only counts: n_counted is then what would
 * have been written, spliced bytes included. */
struct wire_writer {
    struct buf *out;
    size_t n_counted;
    struct wire_splice *splices; /* grown with xrealloc; wire_writer_release frees it */
    uint32_t n_splices, cap_splices;
};
void wire_writer_init(struct wire_writer *w, struct buf *out);
void wire_writer_release(struct wire_writer *w);
void wire_put_int8(struct wire_writer *w, int8_t v);
void wire_put_int16(struct wire_writer *w, int16_t v);
void wire_put_uint16(struct wire_writer *w, uint16_t v);
void wire_put_int32(struct wire_writer *w, int32_t v);
void wire_put_uint32(struct wire_writer *w, uint32_t v);
void wire_put_int64(struct wire_writer *w, int64_t v);
void wire_put_float64(struct wire_writer *w, double v);
void wire_put_bool(struct wire_writer *w, bool v);
void wire_put_uuid(struct wire_writer *w, struct uuid v);
void wire_put_uvarint(struct wire_writer *w, uint32_t v);
void wire_put_str(struct wire_writer *w, struct str v, bool flexible);
void wire_put_bytes(struct wire_writer *w, struct bytes v, bool flexible);
void wire_put_count(struct wire_writer *w, int32_t n, bool flexible);
void wire_put_records(struct wire_writer *w, const struct wire_records *v, bool flexible);
/* Whole arrays; n == -1 is null. */
void wire_put_int8s(struct wire_writer *w, const int8_t *v, int32_t n, bool flexible);
void wire_put_int16s(struct wire_writer *w, const int16_t *v, int32_t n, bool flexible);
void wire_put_int32s(struct wire_writer *w, const int32_t *v, int32_t n, bool flexible);
void wire_put_int64s(struct wire_writer *w, const int64_t *v, int32_t n, bool flexible);
void wire_put_uuids(struct wire_writer *w, const struct uuid *v, int32_t n, bool flexible);
void wire_put_strs(struct wire_writer *w, const struct str *v, int32_t n, bool flexible);
/* One tagged field: what is written between the two is its content. */
size_t wire_put_tag_begin(struct wire_writer *w, uint32_t tag);
void wire_put_tag_end(struct wire_writer *w, size_t begin);

/* What a struct looks like, for whoever walks messages without knowing them (dump, fill).
 * Generated. */
enum wire_type {
    WIRE_INT8 = 0,
    WIRE_INT16,
    WIRE_INT32,
    WIRE_INT64,
    WIRE_UINT16,
    WIRE_UINT32,
    WIRE_FLOAT64,
    WIRE_BOOL,
    WIRE_UUID,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
};
struct wire_struct_info {
    const struct wire_field_info *fields;
    uint16_t n_fields;
    uint16_t bytes;       /* sizeof */
    const void *defaults; /* what init copies */
};
struct wire_field_info {
    const char *name;                  /* as in C */
    const struct wire_struct_info *of; /* of WIRE_STRUCT */
    uint16_t offset, count_offset;     /* count_offset 0: not an array */
    uint8_t type;                      /* enum wire_type */
    bool pointer;                      /* a nullable struct */
    int16_t version_min, version_max;
    int16_t nullable_min, nullable_max; /* min > max: never null */
    int16_t tagged_min, tagged_max;     /* min > max: never a tagged field */
    const char *json_name;              /* as in Kafka's JSON */
};
/* What M_dump and wire_message_info.fill do for a message of this shape. */
void wire_dump(const struct wire_struct_info *info, const void *m, struct buf *out,
               int16_t version);
/* The message as Kafka's generated JsonConverter classes and Jackson print it: camelCase names, bytes
 * in base64, tagged fields only where they differ from their default. Before a bytes field is
 * written, `instead` (NULL: never) may write something else and return true. */
typedef bool wire_json_instead(void *arg, const char *json_name, struct bytes value,
                               struct buf *out);
void wire_json(const struct wire_struct_info *info, const void *m, struct buf *out, int16_t version,
               wire_json_instead *instead, void *arg);
void wire_fill(const struct wire_struct_info *info, void *m, struct rng *rng, struct arena *arena,
               int16_t version);

#include "wire_messages.h"

/* ---- headers of requests and replies ----------------------------------------------------------
 */

struct wire_request_header {
    int16_t api_key, api_version;
    int32_t correlation_id;
    struct str client_id; /* may be null */
};
/* Reads the header, tags included where the version of that API is flexible. E_CORRUPT. An API key
 * or a version that wire does not know is read as far as the client id (the fixed part of header
 * v1), and is for the caller to refuse. */
int wire_request_header_get(struct wire_reader *r, struct wire_request_header *out);
/* Writes the reply's header: correlation id, and tags where the version is flexible (never for
 * ApiVersions, KIP-511). */
void wire_response_header_put(struct wire_writer *w, int16_t api_key, int16_t version,
                              int32_t correlation_id);

/* ---- the table of APIs --------------------------------------------------------------------------
 */

/* One row per API key in the schemas; generic access for dispatch, tests, fuzzing and the trace. */
struct wire_message_info {
    const char *name; /* "ProduceRequest" */
    const struct wire_struct_info *shape;
    size_t struct_bytes;
    int (*decode)(void *m, struct wire_reader *r, int16_t version);
    void (*encode)(const void *m, struct wire_writer *w, int16_t version);
    size_t (*size)(const void *m, int16_t version);
    void (*init)(void *m);
    void (*dump)(const void *m, struct buf *out, int16_t version);
    /* Fills every field with varied values for tests, from the rng; arrays from the arena. */
    void (*fill)(void *m, struct rng *rng, struct arena *arena, int16_t version);
    int16_t version_min, version_max;
    int16_t flexible_from; /* INT16_MAX: never */
};
struct wire_api {
    int16_t key;
    const char *name; /* "Produce" */
    struct wire_message_info request, response;
};
extern const struct wire_api wire_apis[];
extern const int wire_n_apis;
const struct wire_api *wire_api_find(int16_t key); /* NULL */
/* Record schemas: metadata log, coordinators, snapshots. */
struct wire_record_schema {
    const char *family; /* "metadata", "group", "transaction", "share", "storage" */
    int16_t type;       /* apiKey of the JSON: the record's type */
    struct wire_message_info info;
};
extern const struct wire_record_schema wire_record_schemas[];
extern const int wire_n_record_schemas;

#endif
