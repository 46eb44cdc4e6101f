/* An intrusive ring with a head of its own.
 *
 * Owner: of the ring, the head's; of an item, whoever embeds it.
 *
 * Invariant:  it->next->prev == it and it->prev->next == it, for the head, too. An item in no ring
 *             points to itself.
 */
#include "base.h"

void list_init(struct list *l)
{
    l->prev = l;
    l->next = l;
}

bool list_empty(const struct list *l)
{
    return l->next == l;
}

void list_push(struct list *head, struct list *item)
{
    ASSERT(head->prev->next == head);
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

void list_remove(struct list *item)
{
    ASSERT(item->prev->next == item);
    ASSERT(item->next->prev == item);
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

struct list *list_first(struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

void list_move_all(struct list *from, struct list *to)
{
    ASSERT(from != to);
    if (list_empty(from)) {
        list_init(to);
        return;
    }
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}
