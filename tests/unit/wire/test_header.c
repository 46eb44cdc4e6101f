/* Headers of requests and replies, the table of APIs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire.h"

/* Reads a header from these bytes; *left is what stays for the body. */
static int get(const void *p, size_t n, struct wire_request_header *h, size_t *left)
{
    struct wire_reader r;
    struct arena arena;
    int rc;

    arena_init(&arena);
    wire_reader_init(&r, bytes_of(p, n), &arena);
    rc = wire_request_header_get(&r, h);
    *left = (size_t)(r.end - r.at);
    arena_release(&arena);
    return rc;
}
#define GET(text, h, left) get(text, sizeof(text) - 1, h, left)

static void put(int16_t key, int16_t version, struct buf *out)
{
    struct wire_writer w;

    buf_init(out);
    wire_writer_init(&w, out);
    wire_response_header_put(&w, key, version, 0x01020304);
    wire_writer_release(&w);
}

/* Metadata v1 is not flexible: key, version, correlation id, client id, and the body follows at
 * once. */
static void old_request_header(void **state)
{
    struct wire_request_header h;
    size_t left;

    (void)state;
    assert_int_equal(GET("\0\3\0\1\0\0\0\7\0\3abcBODY", &h, &left), 0);
    assert_int_equal(h.api_key, 3);
    assert_int_equal(h.api_version, 1);
    assert_int_equal(h.correlation_id, 7);
    assert_true(str_is(h.client_id, "abc"));
    assert_int_equal(left, 4);
}

/* Metadata v9 is flexible: after the client id, whose length stays an int16, come tags, which are
 * skipped. */
static void flexible_request_header_has_tags(void **state)
{
    struct wire_request_header h;
    size_t left;

    (void)state;
    assert_int_equal(GET("\0\3\0\11\0\0\0\7\0\1c\0BODY", &h, &left), 0);
    assert_int_equal(left, 4);
    assert_int_equal(GET("\0\3\0\11\0\0\0\7\0\1c\2\0\2xx\5\1yBODY", &h, &left), 0);
    assert_true(str_is(h.client_id, "c"));
    assert_int_equal(left, 4);
}

/* A null client id is not an empty one. */
static void client_id_may_be_null(void **state)
{
    struct wire_request_header h;
    size_t left;

    (void)state;
    assert_int_equal(GET("\0\3\0\1\0\0\0\7\377\377", &h, &left), 0);
    assert_null(h.client_id.p);
    assert_int_equal(GET("\0\3\0\1\0\0\0\7\0\0", &h, &left), 0);
    assert_non_null(h.client_id.p);
    assert_int_equal(h.client_id.n, 0);
}

/* Of a key or version that is not in the schemas the fixed part is read, and what follows it is
 * left alone. */
static void unknown_keys_and_versions_are_read_as_far_as_known(void **state)
{
    struct wire_request_header h;
    size_t left;

    (void)state;
    assert_int_equal(GET("\3\347\0\0\0\0\0\7\0\1cBODY", &h, &left), 0);
    assert_int_equal(h.api_key, 999);
    assert_int_equal(left, 4);
    assert_int_equal(GET("\0\22\0\143\0\0\0\7\0\1cBODY", &h, &left), 0);
    assert_int_equal(h.api_key, 18);
    assert_int_equal(h.api_version, 99);
    assert_int_equal(left, 4);
    assert_int_equal(GET("\0\0\0\1\0\0\0\7\0\1cBODY", &h, &left),
                     0); /* Produce v1: too old, and not flexible */
    assert_int_equal(left, 4);
    assert_int_equal(GET("\0\3\377\377\0\0\0\7\0\1cBODY", &h, &left), 0);
    assert_int_equal(h.api_version, -1);
    assert_int_equal(left, 4);
}

/* A header that ends early is corrupt, wherever it ends. */
static void truncated_headers_are_refused(void **state)
{
    static const char whole[] = "\0\3\0\11\0\0\0\7\0\1c\2\0\2xx\5\1y";
    struct wire_request_header h;
    size_t left;

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        assert_int_equal(get(whole, n, &h, &left), E_CORRUPT);
    assert_int_equal(get(whole, sizeof(whole) - 1, &h, &left), 0);
}

/* Replies carry tags where their version is flexible. */
static void response_header_is_flexible_with_its_api(void **state)
{
    struct buf out;

    (void)state;
    put(3, 8, &out);
    assert_int_equal(out.n, 4);
    assert_memory_equal(out.p, "\1\2\3\4", 4);
    buf_release(&out);
    put(3, 9, &out);
    assert_int_equal(out.n, 5);
    assert_memory_equal(out.p, "\1\2\3\4\0", 5);
    buf_release(&out);
}

/* The reply to ApiVersions never has tags in its header (KIP-511). */
static void api_versions_is_answered_with_the_oldest_header(void **state)
{
    struct buf out;

    (void)state;
    for (int16_t version = 0; version <= 5; version++) {
        put(18, version, &out);
        assert_int_equal(out.n, 4);
        buf_release(&out);
    }
}

/* The table is sorted, so that the search finds every key, and only those. */
static void every_api_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < wire_n_apis; i++) {
        assert_true(i == 0 || wire_apis[i - 1].key < wire_apis[i].key);
        assert_ptr_equal(wire_api_find(wire_apis[i].key), &wire_apis[i]);
        assert_int_equal(wire_apis[i].request.version_min, wire_apis[i].response.version_min);
        assert_int_equal(wire_apis[i].request.version_max, wire_apis[i].response.version_max);
        assert_int_equal(wire_apis[i].request.flexible_from, wire_apis[i].response.flexible_from);
    }
    assert_int_equal(wire_n_apis, 79);
    assert_null(wire_api_find(-1));
    assert_null(wire_api_find(4));
    assert_null(wire_api_find(95));
    assert_null(wire_api_find(INT16_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_request_header),
        cmocka_unit_test(flexible_request_header_has_tags),
        cmocka_unit_test(client_id_may_be_null),
        cmocka_unit_test(unknown_keys_and_versions_are_read_as_far_as_known),
        cmocka_unit_test(truncated_headers_are_refused),
        cmocka_unit_test(response_header_is_flexible_with_its_api),
        cmocka_unit_test(api_versions_is_answered_with_the_oldest_header),
        cmocka_unit_test(every_api_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
