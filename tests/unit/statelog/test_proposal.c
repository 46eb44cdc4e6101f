/* Entries that are written into one buffer and proposed together (src/statelog/proposal.c). */
#include "machine.h"

static void write_text(struct statelog_proposal *p, const char *text)
{
    buf_put_str(&p->bytes, text);
}

/* NULL: null. */
static void put(struct statelog_proposal *p, const char *key, const char *value)
{
    statelog_proposal_begin(p);
    if (key) {
        write_text(p, key);
        statelog_proposal_key_end(p);
    }
    if (value) {
        write_text(p, value);
        statelog_proposal_value_end(p);
    }
}

/* Keys and values arrive as they were written, null and empty told apart. */
static void entries_arrive_as_they_were_written(void **state)
{
    struct statelog_proposal p;
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    statelog_proposal_init(&p);
    put(&p, "", "");
    put(&p, "a", "1");
    put(&p, "gone", NULL);
    put(&p, NULL, "3");
    put(&p, "b", "");
    assert_int_equal(statelog_proposal_send(&p, x.s), 0);
    assert_int_equal(x.n_seen, 5);
    assert_true(seen_is(&x, 0, 0, "", ""));
    assert_true(seen_is(&x, 1, 1, "a", "1"));
    assert_true(seen_is(&x, 2, 2, "gone", NULL));
    assert_true(seen_is(&x, 3, 3, NULL, "3"));
    assert_true(seen_is(&x, 4, 4, "b", ""));
    statelog_proposal_release(&p);
    machine_release(&x);
}

/* The buffer and the list move while they grow; what was written first is right at the end. */
static void many_entries_outlive_the_growing_of_the_buffer(void **state)
{
    struct statelog_proposal p;
    struct machine x;
    char key[16], value[64];

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    statelog_proposal_init(&p);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        snprintf(value, sizeof(value), "the value of number %d", i);
        put(&p, key, value);
    }
    assert_int_equal(p.n, 1000);
    assert_int_equal(statelog_proposal_send(&p, x.s), 0);
    statelog_proposal_release(&p);
    assert_int_equal(x.n_seen, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        snprintf(value, sizeof(value), "the value of number %d", i);
        assert_true(seen_is(&x, i, i, key, value));
    }
    machine_release(&x);
}

/* Nothing put, nothing sent; storage that is only zero-filled counts as empty, too. */
static void an_empty_proposal_writes_nothing(void **state)
{
    struct statelog_proposal p = {0};
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_proposal_send(&p, x.s), 0);
    assert_int_equal(statelog_end(x.s), 0);
    assert_int_equal(x.n_seen, 0);
    put(&p, "a", "1");
    assert_int_equal(statelog_proposal_send(&p, x.s), 0);
    assert_true(seen_is(&x, 0, 0, "a", "1"));
    statelog_proposal_release(&p);
    assert_int_equal(p.n, 0);
    machine_release(&x);
}

/* One entry that no batch can hold refuses all of them: nothing is applied. */
static void a_refused_entry_refuses_all(void **state)
{
    struct statelog_proposal p;
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    x.options.batch_bytes_max = 200;
    assert_int_equal(machine_open(&x), 0);
    statelog_proposal_init(&p);
    put(&p, "a", "1");
    statelog_proposal_begin(&p);
    memset(buf_grow(&p.bytes, 200), 'x', 200);
    statelog_proposal_value_end(&p);
    assert_int_equal(statelog_proposal_send(&p, x.s), E_LIMIT);
    assert_int_equal(x.n_seen, 0);
    assert_int_equal(statelog_end(x.s), 0);
    statelog_proposal_release(&p);
    machine_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_arrive_as_they_were_written),
        cmocka_unit_test(many_entries_outlive_the_growing_of_the_buffer),
        cmocka_unit_test(an_empty_proposal_writes_nothing),
        cmocka_unit_test(a_refused_entry_refuses_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
