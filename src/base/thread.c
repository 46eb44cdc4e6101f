/* Which kind of thread this is. */
#include "base.h"

static _Thread_local enum thread_kind kind_here;

enum thread_kind thread_mark(enum thread_kind kind)
{
    enum thread_kind before = kind_here;

    kind_here = kind;
    return before;
}

enum thread_kind thread_kind(void)
{
    return kind_here;
}
