/* The bare server behind `bench_limits sink` and `ping`: what a broker must do at least, and
 * nothing else. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stddef.h>
#include <stdint.h>

enum { SINK_ANSWER_BYTES = 50, SINK_CONNECTIONS_MAX = 64 };

enum sink_durability {
    SINK_PAGE_CACHE = 0, /* answered once written */
    SINK_FILES,          /* answered after fdatasync of each file written to */
    SINK_JOURNAL, /* written to a zero-filled journal too, and answered after its fdatasync */
};

struct sink_options {
    const char *folder; /* for its files, which it removes */
    int listener;       /* a listening socket */
    int connections;    /* it ends when so many have come and gone */
    size_t request_bytes;
    enum sink_durability durability;
};
_Noreturn void sink_serve(const struct sink_options *options);

#endif
