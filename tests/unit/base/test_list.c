/* Rings. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

struct item {
    int value;
    struct list link;
};

static int value_of(struct list *l)
{
    return CONTAINER_OF(l, struct item, link)->value;
}

/* Items come in the order in which they were put. */
static void order_is_kept(void **state)
{
    struct list head;
    struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    int n = 0;

    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_first(&head));
    for (int i = 0; i < 3; i++)
        list_push(&head, &items[i].link);
    LIST_FOREACH(it, &head)
    assert_int_equal(value_of(it), n++);
    assert_int_equal(n, 3);
    assert_ptr_equal(list_first(&head), &items[0].link);
}

/* Removing closes the ring; removing again does nothing. */
static void removing_twice_is_fine(void **state)
{
    struct list head;
    struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};

    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_push(&head, &items[i].link);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_ptr_equal(items[0].link.next, &items[2].link);
    assert_ptr_equal(items[2].link.prev, &items[0].link);
    LIST_FOREACH_SAFE(it, &head)
    list_remove(it);
    assert_true(list_empty(&head));
}

/* Moving takes all, in order, whatever the target held in its pointers; moving nothing gives an
 * empty ring. */
static void move_takes_all(void **state)
{
    struct list from, to;
    struct item items[2] = {{.value = 0}, {.value = 1}};
    int n = 0;

    list_init(&from);
    list_push(&from, &items[0].link);
    list_push(&from, &items[1].link);
    list_move_all(&from, &to);
    assert_true(list_empty(&from));
    LIST_FOREACH(it, &to)
    assert_int_equal(value_of(it), n++);
    assert_int_equal(n, 2);
    list_move_all(&from, &to);
    assert_true(list_empty(&to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(removing_twice_is_fine),
        cmocka_unit_test(move_takes_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
