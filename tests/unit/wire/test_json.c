/* Messages as JSON. The texts are those of Kafka's JsonConverter classes for the same messages. */
#include "wire.h"

#include <setjmp.h>

#include <cmocka.h>

static void expect(const struct wire_struct_info *info, const void *m, int16_t version,
                   const char *text)
{
    struct buf out;

    buf_init(&out);
    wire_json(info, m, &out, version, NULL, NULL);
    assert_string_equal(buf_cstr(&out), text);
    buf_release(&out);
}

/* Text is escaped as Jackson does, bytes are base64, tagged defaults are left out. */
static void texts_bytes_and_tags(void **state)
{
    static const uint8_t salt[] = {1, 2, 255, 250};
    struct user_scram_credential_record u;
    struct partition_record p;

    user_scram_credential_record_init(&u);
    u.name = str_of("a\"\\\n\x01\x7f\xc3\xa9/<");
    u.salt = bytes_of(salt, sizeof(salt));
    expect(&user_scram_credential_record_info, &u, 0,
           "{\"name\":\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9/<\",\"mechanism\":0,\"salt\":\"AQL/+g==\","
           "\"storedKey\":\"\",\"serverKey\":\"\",\"iterations\":0}");
    partition_record_init(&p);
    expect(&partition_record_info, &p, 2,
           "{\"partitionId\":-1,\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"replicas\":[],\"isr\":[],"
           "\"removingReplicas\":[],\"addingReplicas\":[],\"leader\":-1,\"leaderEpoch\":-1,"
           "\"partitionEpoch\":-1,\"directories\":[]}");
}

/* Floating point as Double.toString. */
static void doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {1.0E10, "1.0E10"},
        {0.1, "0.1"},
        {1048576, "1048576.0"},
        {0, "0.0"},
        {1.23456789012e-7, "1.23456789012E-7"},
        {9999999, "9999999.0"},
        {1e7, "1.0E7"},
        {0.001, "0.001"},
        {0.00099, "9.9E-4"},
        {-2.5, "-2.5"},
        {100.25, "100.25"},
    };
    struct client_quota_record q;
    char text[120];

    client_quota_record_init(&q);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        q.value = rows[i].value;
        snprintf(text, sizeof(text), "{\"entity\":[],\"key\":\"\",\"value\":%s,\"remove\":false}",
                 rows[i].text);
        expect(&client_quota_record_info, &q, 0, text);
    }
}

/* A tagged field that differs is shown, and null where it is null. */
static void tagged_and_null(void **state)
{
    struct transaction_log_value t;
    struct config_record c;

    transaction_log_value_init(&t);
    t.n_transaction_partitions = -1;
    t.next_producer_id = 7;
    expect(&transaction_log_value_info, &t, 1,
           "{\"producerId\":0,\"nextProducerId\":7,\"producerEpoch\":0,\"transactionTimeoutMs\":0,"
           "\"transactionStatus\":0,\"transactionPartitions\":null,"
           "\"transactionLastUpdateTimestampMs\":0,\"transactionStartTimestampMs\":0}");
    config_record_init(&c);
    c.value = (struct str){0};
    expect(&config_record_info, &c, 0,
           "{\"resourceType\":0,\"resourceName\":\"\",\"name\":\"\",\"value\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_bytes_and_tags),
        cmocka_unit_test(doubles),
        cmocka_unit_test(tagged_and_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
