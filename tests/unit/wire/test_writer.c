/* The writer: splices, counting, tags of any length, hand-written bytes of a few messages, the
 * dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire.h"

#define ASSERT_BYTES(out, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((out).n, sizeof(text) - 1);                                               \
        assert_memory_equal((out).p, text, sizeof(text) - 1);                                      \
    } while (0)

/* A topic record as the metadata log has it, byte for byte. */
static void topic_record_by_hand(void **state)
{
    struct topic_record m;
    struct wire_writer w;
    struct buf out;

    (void)state;
    topic_record_init(&m);
    m.name = STR("orders");
    memcpy(m.topic_id.b, "0123456789abcdef", 16);
    buf_init(&out);
    wire_writer_init(&w, &out);
    topic_record_encode(&m, &w, 0);
    ASSERT_BYTES(out, "\7orders0123456789abcdef\0");
    wire_writer_release(&w);
    buf_release(&out);
}

/* A committed offset in versions 3 and 4: the same fields, with lengths of either kind, and a
 * tagged topic id in 4. */
static void offset_commit_value_by_hand(void **state)
{
    struct offset_commit_value m;
    struct wire_writer w;
    struct buf out;

    (void)state;
    offset_commit_value_init(&m);
    m.offset = 258;
    m.metadata = STR("me");
    m.commit_timestamp = 9;
    m.topic_id.b[15] = 1;
    buf_init(&out);
    wire_writer_init(&w, &out);
    offset_commit_value_encode(&m, &w, 3);
    ASSERT_BYTES(out, "\0\0\0\0\0\0\1\2\377\377\377\377\0\2me\0\0\0\0\0\0\0\11");
    out.n = 0;
    offset_commit_value_encode(&m, &w, 4);
    ASSERT_BYTES(out, "\0\0\0\0\0\0\1\2\377\377\377\377\3me\0\0\0\0\0\0\0\11"
                      "\1\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
    wire_writer_release(&w);
    buf_release(&out);
}

/* Spliced records are not in the bytes: the splice names the place between the length before and
 * the tags after them. */
static void splices_name_their_place(void **state)
{
    struct fetch_response_responses_partitions partitions[2];
    struct fetch_response_responses topic;
    struct fetch_response m;
    struct wire_writer w;
    struct buf plain, spliced;
    char source;

    (void)state;
    fetch_response_init(&m);
    fetch_response_responses_init(&topic);
    m.responses = &topic;
    m.n_responses = 1;
    topic.partitions = partitions;
    topic.n_partitions = 2;
    for (int i = 0; i < 2; i++) {
        fetch_response_responses_partitions_init(&partitions[i]);
        partitions[i].records =
            (struct wire_records){.p = (const uint8_t *)"RECORDS", .n_bytes = 7};
    }
    buf_init(&plain);
    wire_writer_init(&w, &plain);
    fetch_response_encode(&m, &w, 12);
    assert_int_equal(w.n_splices, 0);
    for (int i = 0; i < 2; i++)
        partitions[i].records =
            (struct wire_records){.source = &source, .position = 100u + (unsigned)i, .n_bytes = 7};
    buf_init(&spliced);
    wire_writer_init(&w, &spliced);
    fetch_response_encode(&m, &w, 12);
    assert_int_equal(w.n_splices, 2);
    assert_int_equal(fetch_response_size(&m, 12), plain.n);
    assert_int_equal(spliced.n + 14, plain.n);
    for (uint32_t i = 0; i < 2; i++) {
        const struct wire_splice *s = &w.splices[i];

        assert_ptr_equal(s->source, &source);
        assert_int_equal(s->position, 100 + i);
        assert_int_equal(s->n_bytes, 7);
        assert_memory_equal(plain.p + s->at + 7 * i, "RECORDS", 7);
        assert_memory_equal(plain.p + s->at + 7 * i + 7, spliced.p + s->at, 1);
    }
    wire_writer_release(&w);
    buf_release(&spliced);
    buf_release(&plain);
}

/* A tagged field longer than one byte of length can say is written as Kafka writes it, and counted
 * so. */
static void long_tags_get_longer_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 126, 127, 128, 16382, 16383, 16384, 20000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct wire_writer w, count = {.out = NULL};
        struct buf out;
        uint32_t n = 0;
        size_t begin;

        buf_init(&out);
        wire_writer_init(&w, &out);
        for (struct wire_writer *each = &w; each; each = each == &w ? &count : NULL) {
            wire_put_int8(each, 5);
            begin = wire_put_tag_begin(each, 300);
            for (size_t k = 0; k < lengths[i]; k++)
                wire_put_int8(each, (int8_t)k);
            wire_put_tag_end(each, begin);
            wire_put_int8(each, 6);
        }
        assert_int_equal(count.n_counted, out.n);
        assert_int_equal(out.p[0], 5);
        assert_int_equal(varint_get_unsigned(out.p + 3, out.p + out.n, &n),
                         varint_size_unsigned((uint32_t)lengths[i]));
        assert_int_equal(n, lengths[i]);
        for (size_t k = 0; k < lengths[i]; k++)
            assert_int_equal(out.p[out.n - 1 - lengths[i] + k], (uint8_t)k);
        assert_int_equal(out.p[out.n - 1], 6);
        wire_writer_release(&w);
        buf_release(&out);
    }
}

/* A field that a version lacks is left out without a word when it is ignorable. */
static void ignorable_fields_are_dropped(void **state)
{
    struct metadata_response m;

    (void)state;
    metadata_response_init(&m);
    assert_int_equal(metadata_response_size(&m, 2), 4 + 2 + 4 + 4);
    m.throttle_time_ms = 100;
    m.error_code = 3;
    assert_int_equal(metadata_response_size(&m, 2), 4 + 2 + 4 + 4);
    assert_int_equal(metadata_response_size(&m, 3), 4 + 4 + 2 + 4 + 4);
}

/* The dump names the fields that the version has. */
static void dump_is_readable(void **state)
{
    struct metadata_request_topics topics[2];
    struct metadata_request m;
    struct buf out;

    (void)state;
    metadata_request_init(&m);
    metadata_request_topics_init(&topics[0]);
    metadata_request_topics_init(&topics[1]);
    topics[0].name = STR("a\n");
    m.topics = topics;
    m.n_topics = 2;
    buf_init(&out);
    metadata_request_dump(&m, &out, 4);
    assert_string_equal(buf_cstr(&out),
                        "{topics=[{name=\"a\\x0a\"}, {name=\"\"}] allow_auto_topic_creation=true}");
    out.n = 0;
    m.n_topics = -1;
    metadata_request_dump(&m, &out, 1);
    assert_string_equal(buf_cstr(&out), "{topics=null}");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_record_by_hand),
        cmocka_unit_test(offset_commit_value_by_hand),
        cmocka_unit_test(splices_name_their_place),
        cmocka_unit_test(long_tags_get_longer_lengths),
        cmocka_unit_test(ignorable_fields_are_dropped),
        cmocka_unit_test(dump_is_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
