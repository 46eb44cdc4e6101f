/* The reader's limits: lengths, counts, nulls, tags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire.h"

struct fixture {
    struct arena arena;
    struct wire_reader r;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    arena_init(&f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_release(&f->arena);
    free(f);
    return 0;
}

static struct wire_reader *over(void **state, const void *p, size_t n)
{
    struct fixture *f = *state;

    wire_reader_init(&f->r, bytes_of(p, n), &f->arena);
    return &f->r;
}
#define OVER(state, text) over(state, text, sizeof(text) - 1)

/* After the first error every read gives zero and nothing more is consumed. */
static void first_error_sticks(void **state)
{
    struct wire_reader *r = OVER(state, "\1\2\3");

    assert_int_equal(wire_get_int16(r), 0x0102);
    assert_int_equal(wire_get_int32(r), 0);
    assert_int_equal(r->error, E_CORRUPT);
    assert_int_equal(wire_get_int8(r), 0);
    assert_int_equal(wire_get_count(r, false, true, 1), 0);
    assert_null(wire_get_str(r, true, true).p);
    assert_int_equal(r->error, E_CORRUPT);
}

/* An empty frame is a frame: reading nothing from it is no error. */
static void nothing_is_enough_for_nothing(void **state)
{
    struct wire_reader *r = over(state, NULL, 0);

    assert_int_equal(r->error, 0);
    assert_ptr_equal(r->at, r->end);
    wire_get_int8(r);
    assert_int_equal(r->error, E_CORRUPT);
}

/* Strings and bytes are slices of the frame, in both ways of writing their length. */
static void strings_are_slices_of_the_frame(void **state)
{
    static const char old[] = "\0\2ab", compact[] = "\3ab";
    struct wire_reader *r = over(state, old, sizeof(old) - 1);

    assert_ptr_equal(wire_get_str(r, false, false).p, old + 2);
    r = over(state, compact, sizeof(compact) - 1);
    assert_ptr_equal(wire_get_str(r, true, false).p, compact + 1);
    r = OVER(state, "\0\0\0\2ab");
    assert_int_equal(wire_get_bytes(r, false, false).n, 2);
    assert_ptr_equal(r->at, r->end);
}

/* Null is read as null where it may be, and is corrupt where it may not. */
static void null_only_where_it_may_be(void **state)
{
    static const bool flexible[] = {false, true};
    static const char *const null_str[] = {"\377\377", "\0"};
    static const char *const null_bytes[] = {"\377\377\377\377", "\0"};

    for (int i = 0; i < 2; i++) {
        struct wire_reader *r = over(state, null_str[i], i ? 1 : 2);

        assert_null(wire_get_str(r, flexible[i], true).p);
        assert_int_equal(r->error, 0);
        r = over(state, null_str[i], i ? 1 : 2);
        wire_get_str(r, flexible[i], false);
        assert_int_equal(r->error, E_CORRUPT);
        r = over(state, null_bytes[i], i ? 1 : 4);
        assert_int_equal(wire_get_count(r, flexible[i], true, 1), -1);
        assert_int_equal(r->error, 0);
        r = over(state, null_bytes[i], i ? 1 : 4);
        assert_int_equal(wire_get_count(r, flexible[i], false, 1), 0);
        assert_int_equal(r->error, E_CORRUPT);
    }
}

/* A length of one more than what is left is corrupt; exactly what is left is fine. */
static void lengths_stay_within_the_frame(void **state)
{
    struct wire_reader *r = OVER(state, "\0\3ab");

    wire_get_str(r, false, false);
    assert_int_equal(r->error, E_CORRUPT);
    r = OVER(state, "\4ab");
    wire_get_bytes(r, true, false);
    assert_int_equal(r->error, E_CORRUPT);
    r = OVER(state, "\377\377\377\377\17ab");
    wire_get_bytes(r, true, false);
    assert_int_equal(r->error, E_CORRUPT);
    r = OVER(state, "\3ab");
    assert_int_equal(wire_get_bytes(r, true, false).n, 2);
    assert_int_equal(r->error, 0);
}

/* A string is at most 32,767 bytes in flexible versions too, as Kafka has it. */
static void long_strings_are_refused(void **state)
{
    uint8_t *frame = xcalloc(1, 40000);
    struct wire_reader *r;

    varint_put_unsigned(frame, INT16_MAX + 1);
    r = over(state, frame, 40000);
    assert_int_equal(wire_get_str(r, true, false).n, INT16_MAX);
    varint_put_unsigned(frame, INT16_MAX + 2);
    r = over(state, frame, 40000);
    wire_get_str(r, true, false);
    assert_int_equal(r->error, E_CORRUPT);
    free(frame);
}

/* A count is refused when its elements cannot fit in what is left, before anything is allocated. */
static void counts_stay_within_the_frame(void **state)
{
    struct fixture *f = *state;
    struct wire_reader *r = OVER(state, "\0\0\0\2\1\1\1\1\1\1\1\1");
    int32_t n;

    assert_int_equal(wire_get_count(r, false, false, 4), 2);
    r = OVER(state, "\0\0\0\3\1\1\1\1\1\1\1\1");
    assert_int_equal(wire_get_count(r, false, false, 4), 0);
    assert_int_equal(r->error, E_CORRUPT);
    r = OVER(state, "\177\377\377\377\1\1\1\1");
    assert_null(wire_get_int64s(r, false, false, &n));
    assert_int_equal(n, 0);
    assert_int_equal(r->error, E_CORRUPT);
    assert_int_equal(f->arena.total_bytes, 0);
}

/* All arrays of a frame together have at most WIRE_ELEMENTS_MAX elements. */
static void elements_of_a_frame_are_bounded(void **state)
{
    uint8_t *frame = xcalloc(1, WIRE_ELEMENTS_MAX + 100);
    struct wire_reader *r;
    int32_t n;

    put_be32(frame, 10);
    put_be32(frame + 14, WIRE_ELEMENTS_MAX - 10);
    r = over(state, frame, WIRE_ELEMENTS_MAX + 100);
    wire_get_int8s(r, false, false, &n);
    assert_int_equal(n, 10);
    assert_int_equal(wire_get_count(r, false, false, 1), WIRE_ELEMENTS_MAX - 10);
    assert_int_equal(r->error, 0);
    put_be32(frame + 14, WIRE_ELEMENTS_MAX - 9);
    r = over(state, frame, WIRE_ELEMENTS_MAX + 100);
    wire_get_int8s(r, false, false, &n);
    assert_int_equal(wire_get_count(r, false, false, 1), 0);
    assert_int_equal(r->error, E_CORRUPT);
    free(frame);
}

/* Tags that a message does not know are skipped, as long as they end within the frame. */
static void unknown_tags_are_skipped(void **state)
{
    struct api_versions_request m;
    struct wire_reader *r = OVER(state, "\2a\2b\2\143\3xyz\144\0");

    assert_int_equal(api_versions_request_decode(&m, r, 3), 0);
    assert_true(str_is(m.client_software_version, "b"));
    assert_ptr_equal(r->at, r->end);
    r = OVER(state, "\2a\2b\2\143\3xy");
    assert_int_equal(api_versions_request_decode(&m, r, 3), E_CORRUPT);
    r = OVER(state, "\2a\2b\377\377\377\377\17");
    assert_int_equal(api_versions_request_decode(&m, r, 3), E_CORRUPT);
}

/* The tagged field of a known number is read from its own bytes: too many or too few of them are
 * corrupt. */
static void known_tags_fill_their_length(void **state)
{
    struct offset_commit_value m;
    struct wire_reader *r;

#define VALUE_V4 "\0\0\0\0\0\0\0\7\377\377\377\377\1\0\0\0\0\0\0\0\11"
    r = OVER(state, VALUE_V4 "\0");
    assert_int_equal(offset_commit_value_decode(&m, r, 4), 0);
    assert_true(uuid_is_zero(m.topic_id));
    r = OVER(state, VALUE_V4 "\1\0\020ABCDEFGHIJKLMNOP");
    assert_int_equal(offset_commit_value_decode(&m, r, 4), 0);
    assert_memory_equal(m.topic_id.b, "ABCDEFGHIJKLMNOP", 16);
    r = OVER(state, VALUE_V4 "\1\0\021ABCDEFGHIJKLMNOPQ");
    assert_int_equal(offset_commit_value_decode(&m, r, 4), E_CORRUPT);
    r = OVER(state, VALUE_V4 "\1\0\017ABCDEFGHIJKLMNOP");
    assert_int_equal(offset_commit_value_decode(&m, r, 4), E_CORRUPT);
}

/* A nullable struct among tags: absent is its default, which here is not null, and null has a mark
 * of its own. */
static void struct_among_tags_may_be_null(void **state)
{
    struct consumer_group_member_metadata_value m;
    struct wire_reader *r;

#define MEMBER "\1\1\1\1\1\1\377\377\377\377\1"
    r = OVER(state, MEMBER "\0");
    assert_int_equal(consumer_group_member_metadata_value_decode(&m, r, 0), 0);
    assert_non_null(m.classic_member_metadata);
    assert_int_equal(m.classic_member_metadata->n_supported_protocols, 0);
    r = OVER(state, MEMBER "\1\0\1\0");
    assert_int_equal(consumer_group_member_metadata_value_decode(&m, r, 0), 0);
    assert_null(m.classic_member_metadata);
    r = OVER(state, MEMBER "\1\0\7\1\0\0\0\5\1\0");
    assert_int_equal(consumer_group_member_metadata_value_decode(&m, r, 0), 0);
    assert_int_equal(m.classic_member_metadata->session_timeout_ms, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(first_error_sticks),
        TEST(nothing_is_enough_for_nothing),
        TEST(strings_are_slices_of_the_frame),
        TEST(null_only_where_it_may_be),
        TEST(lengths_stay_within_the_frame),
        TEST(long_strings_are_refused),
        TEST(counts_stay_within_the_frame),
        TEST(elements_of_a_frame_are_bounded),
        TEST(unknown_tags_are_skipped),
        TEST(known_tags_fill_their_length),
        TEST(struct_among_tags_may_be_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
