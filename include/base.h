/* base: memory, bytes, strings, lists, timers, errors, asserts, traces.
 *
 * The words that every other module is written in. Nothing here knows of Kafka's protocol (but for the numbers of its
 * errors), of files or of sockets. Allocation does not fail: the x-functions abort, so no size from a peer may reach
 * them before it was checked against a limit.
 */
#ifndef BARNABAS_BASE_H
#define BARNABAS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- asserts, casts, small arithmetic ------------------------------------------------------------------------- */

/* Checked in every build; a false one prints the trace ring and aborts. */
#define ASSERT(cond) ((cond) ? (void)0 : base_assert_failed(#cond, __FILE__, __LINE__))
/* Walks whole structures: on where BARNABAS_SLOW_ASSERTS is defined (tests, simulator). */
#ifdef BARNABAS_SLOW_ASSERTS
#define ASSERT_SLOW(cond) ASSERT(cond)
#else
#define ASSERT_SLOW(cond) ((void)(false && (cond)))
#endif
/* A one-way rule, for use inside ASSERT. */
#define IMPLIES(a, b) (!(a) || (b))
#define STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* Turns the void pointer of a callback back into its object; the object's `magic` field must match. */
#define CHECKED_CAST(ptr, type, expected) \
    ((type *)base_checked_cast((ptr), offsetof(type, magic), (expected), __FILE__, __LINE__))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Bugs that a test build can be told to have, one at a time (sim --plant NAME), so that the simulator can be seen to find
 * them. Constant false in every other build. */
enum plant {
    PLANT_none = 0,
#define PLANT(name, what) PLANT_##name,
#include "base/plants.def"
#undef PLANT
    PLANT_COUNT
};
#ifdef BARNABAS_PLANTS
enum plant plant_chosen(void);
bool plant_choose(const char *name); /* false: there is none of this name */
const char *plant_name(enum plant p);
#define PLANTED(name) (plant_chosen() == PLANT_##name)
#else
#define PLANTED(name) false
#endif

_Noreturn void base_assert_failed(const char *cond, const char *file, int line);
void *base_checked_cast(void *ptr, size_t magic_at, uint32_t expected, const char *file, int line);

/* ---- errors of the environment -------------------------------------------------------------------------------- */

/* Functions that can fail return 0 or one of these, all negative: see include/base/err.def. What a *peer* did wrong is not
 * an E_ value but a protocol error code (enum kafka_error): it is data. */
enum err {
#define ERR(name, value, kafka, text) name = value,
#include "base/err.def"
#undef ERR
};

/* The protocol's error codes, KE_NONE .. : see include/base/kafka_errors.def. */
enum kafka_error {
#define KAFKA_ERROR(name, value) KE_##name = value,
#include "base/kafka_errors.def"
#undef KAFKA_ERROR
};

const char *err_text(int rc);        /* a short English text; never NULL */
const char *err_name(int rc);        /* "E_IO" */
enum kafka_error err_kafka(int rc);  /* the protocol error that a client is told */
const char *kafka_error_name(int ke); /* "NOT_LEADER_OR_FOLLOWER"; "UNKNOWN" for a number not in the table */
int err_from_errno(int error_number); /* ENOSPC and EDQUOT -> E_NOSPC, ...; what is not known -> E_IO */

/* A message built on the way up, innermost cause last: "segment X: open: no such file". */
struct errmsg {
    char text[768];
};
void errmsg_set(struct errmsg *m, const char *fmt, ...) PRINTF_LIKE(2, 3);  /* m may be NULL */
void errmsg_wrap(struct errmsg *m, const char *fmt, ...) PRINTF_LIKE(2, 3); /* puts "…: " in front */

/* ---- memory --------------------------------------------------------------------------------------------------- */

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);           /* count * size is checked for overflow */
void *xrealloc(void *p, size_t n);
void *xrealloc_array(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void *xmemdup(const void *p, size_t n);

#define uthash_malloc(n) xmalloc(n)
#define uthash_fatal(msg) base_assert_failed("uthash: " msg, __FILE__, __LINE__)
#include <uthash.h>

/* Bytes and text that somebody else owns. p == NULL is the protocol's null; n is then 0. Text is not terminated. */
struct bytes {
    const uint8_t *p;
    size_t n;
};
struct str {
    const char *p;
    size_t n;
};
#define STR(literal) ((struct str){.p = "" literal, .n = sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */
struct str str_of(const char *c_string); /* NULL gives the null str */
bool str_eq(struct str a, struct str b); /* null equals only null */
bool str_is(struct str a, const char *c_string);
int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
char *str_dup(struct str s);             /* terminated copy; NULL for null; the caller frees */
struct bytes bytes_of(const void *p, size_t n);
bool bytes_eq(struct bytes a, struct bytes b);
struct bytes bytes_dup(struct bytes b);  /* a copy; the caller frees (void *)p */

/* Memory that dies all at once: everything one request needs. */
struct arena {
    struct arena_block *blocks;
    uint8_t *at, *end; /* the free part of the newest block */
    size_t total_bytes;
};
void arena_init(struct arena *a);
void arena_release(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);  /* zeroed, aligned to 16 */
void *arena_array(struct arena *a, size_t count, size_t size);
struct str arena_str(struct arena *a, struct str s);   /* a copy that lives in the arena, terminated */
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct bytes arena_bytes(struct arena *a, struct bytes b);

/* A growing run of bytes that one owner writes. */
struct buf {
    uint8_t *p;
    size_t n, cap;
};
void buf_init(struct buf *b);
void buf_release(struct buf *b);
uint8_t *buf_grow(struct buf *b, size_t n);    /* room for n more bytes, counted as written; not zeroed */
void buf_reserve(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args);
const char *buf_cstr(struct buf *b);           /* terminated; valid until the next write */

/* Reference-counted bytes: what one recv brought, or a reply. References are taken and dropped on the core thread
 * only (a job on a lane reads through a reference that its `done` drops), so the count is plain. After the log has
 * patched offsets in, the bytes never change. */
struct chunk {
    uint32_t refs;
    uint32_t cap;
    void (*recycle)(struct chunk *c, void *pool); /* instead of free, when set */
    void *pool;
    _Alignas(16) uint8_t data[];
};
struct chunk *chunk_new(size_t cap); /* one reference; bytes not zeroed */
struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c);   /* NULL is fine */

/* ---- bytes on the wire and on the disk ------------------------------------------------------------------------ */

static inline uint16_t get_be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
static inline uint32_t get_be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline uint64_t get_be64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return __builtin_bswap64(v); }
static inline void put_be16(uint8_t *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
static inline void put_be32(uint8_t *p, uint32_t v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
static inline void put_be64(uint8_t *p, uint64_t v) { v = __builtin_bswap64(v); memcpy(p, &v, 8); }
STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "get_be and put_be swap");

#define VARINT_BYTES_MAX 5
#define VARLONG_BYTES_MAX 10
/* Each get returns the bytes consumed, or 0 when the input ends early or the number is too long for its type. */
size_t varint_get_unsigned(const uint8_t *p, const uint8_t *end, uint32_t *out);
size_t varint_get(const uint8_t *p, const uint8_t *end, int32_t *out);   /* zigzag */
size_t varlong_get(const uint8_t *p, const uint8_t *end, int64_t *out);  /* zigzag */
/* Each put writes at most its _BYTES_MAX and returns the bytes written; the size functions say how many. */
size_t varint_put_unsigned(uint8_t *p, uint32_t v);
size_t varint_put(uint8_t *p, int32_t v);
size_t varlong_put(uint8_t *p, int64_t v);
size_t varint_size_unsigned(uint32_t v);
size_t varint_size(int32_t v);
size_t varlong_size(int64_t v);

/* Kafka's Uuid: 16 bytes, written as 22 characters of URL-safe base64 without padding. */
struct uuid {
    uint8_t b[16];
};
#define UUID_TEXT_BYTES 22
#define UUID_ZERO ((struct uuid){{0}})
bool uuid_eq(struct uuid a, struct uuid b);
bool uuid_is_zero(struct uuid u);
void uuid_text(struct uuid u, char out[UUID_TEXT_BYTES + 1]);
bool uuid_parse(struct str text, struct uuid *out);

/* String.hashCode of Java over the UTF-16 units of UTF-8 text: picks the partition of an internal topic. */
int32_t java_hash(struct str s);
int32_t java_abs(int32_t h); /* Utils.abs: INT32_MIN gives 0 */
bool utf8_valid(struct str s);

/* ---- lists, heaps, timers ------------------------------------------------------------------------------------- */

/* An intrusive ring with a head of its own. */
struct list {
    struct list *prev, *next;
};
void list_init(struct list *l);
bool list_empty(const struct list *l);
void list_push(struct list *head, struct list *item); /* at the end */
void list_remove(struct list *item);                  /* leaves the item self-linked; twice is fine */
struct list *list_first(struct list *head);           /* NULL when empty */
void list_move_all(struct list *from, struct list *to); /* to becomes what from was; from is empty after */
#define LIST_FOREACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_FOREACH_SAFE(it, head) \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

/* Two clocks, two types: the calendar, and time that only grows. */
struct wall {
    int64_t ms; /* since 1970 */
};
struct mono {
    int64_t ns; /* since some start */
};
static inline struct mono mono_after_ms(struct mono t, int64_t ms)
{
    int64_t room_ms = (INT64_MAX - (t.ns > 0 ? t.ns : 0)) / 1000000; /* t may lie before the start of the clock */

    return (struct mono){t.ns + (ms < room_ms ? ms : room_ms) * 1000000};
}

/* Timers sit in one heap; a timer is embedded in what it wakes. */
struct timer {
    struct mono deadline;
    void (*fire)(struct timer *t);
    uint32_t at_plus_one; /* place in the heap, 0 when not armed */
    uint64_t order;       /* equal deadlines fire in the order of arming */
};
struct timers {
    struct timer **heap;
    uint32_t n, cap;
    uint64_t order_next;
    struct mono firing; /* the `now` of the timers_fire that is running */
};
void timers_init(struct timers *ts);
void timers_release(struct timers *ts);
void timer_init(struct timer *t, void (*fire)(struct timer *t));
bool timer_armed(const struct timer *t);
void timer_set(struct timers *ts, struct timer *t, struct mono deadline); /* also moves an armed one */
void timer_cancel(struct timers *ts, struct timer *t);                    /* not armed is fine */
bool timers_next(const struct timers *ts, struct mono *deadline);         /* false when none is armed */
void timers_fire(struct timers *ts, struct mono now);                     /* all that are due; they may arm and cancel */

/* ---- random numbers ------------------------------------------------------------------------------------------- */

/* xoshiro256**, from a seed: the same seed gives the same run. Not for secrets. */
struct rng {
    uint64_t s[4];
};
void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 <= result < n; n > 0 */
struct uuid rng_uuid(struct rng *r);           /* version 4; never begins with '-' in text, never a reserved one */

/* ---- threads -------------------------------------------------------------------------------------------------- */

/* The core thread marks itself; a lane's thread is marked while it runs a job. Simulated lanes mark the same. */
enum thread_kind { THREAD_NONE = 0, THREAD_CORE, THREAD_LANE };
enum thread_kind thread_mark(enum thread_kind kind); /* returns what it was */
enum thread_kind thread_kind(void);
#define ASSERT_CORE() ASSERT(thread_kind() == THREAD_CORE)
#define ASSERT_LANE() ASSERT(thread_kind() == THREAD_LANE)

/* ---- what is told to people ----------------------------------------------------------------------------------- */

enum diag_level { DIAG_DEBUG = 0, DIAG_INFO, DIAG_WARN, DIAG_ERROR };
/* The loggers: the root, and the modules that have something to say. The build tells each module its DIAG_AREA: one that is missing
 * here and says something does not compile. What is no module's, as in tests, is the root's. */
#define DIAG_AREAS(X) \
    X(ROOT, "root") \
    X(API, "api") \
    X(BROKER, "broker") \
    X(CLEANER, "cleaner") \
    X(CLI, "cli") \
    X(CONFIG, "config") \
    X(GROUP, "group") \
    X(LOG, "log") \
    X(META, "meta") \
    X(NET, "net") \
    X(STATELOG, "statelog") \
    X(TXN, "txn")
enum diag_area {
#define DIAG_AREA_OF(id, name) DIAG_AREA_##id,
    DIAG_AREAS(DIAG_AREA_OF)
#undef DIAG_AREA_OF
    DIAG_N_AREAS,
};
#ifndef DIAG_AREA
#define DIAG_AREA DIAG_AREA_ROOT
#endif
/* One log line: "2026-11-22 22:05:01.123 INFO  [log] text". Text from a peer is passed through diag_escape first. The sink
 * is set once, by cli or by a test; the default writes to stderr. */
void diag_say(enum diag_area area, enum diag_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define diag(level, ...) diag_say(DIAG_AREA, level, __VA_ARGS__)
#define diag_debug(...) diag(DIAG_DEBUG, __VA_ARGS__)
#define diag_info(...) diag(DIAG_INFO, __VA_ARGS__)
#define diag_warn(...) diag(DIAG_WARN, __VA_ARGS__)
#define diag_error(...) diag(DIAG_ERROR, __VA_ARGS__)
void diag_set_sink(void (*sink)(enum diag_level level, const char *text, void *arg), void *arg);
/* An area has the root's level until it gets one of its own, and again when that is unset; the root's is never unset. */
void diag_set_level(enum diag_level least); /* the root's */
void diag_set_area_level(enum diag_area area, enum diag_level least);
void diag_unset_area_level(enum diag_area area);
enum diag_level diag_area_level(enum diag_area area); /* the one that counts */
const char *diag_area_name(enum diag_area area);
bool diag_area_of(struct str name, enum diag_area *area);
/* Log4j's words: "TRACE" counts as DEBUG, "FATAL" as ERROR. False for other text. */
bool diag_level_of(struct str text, enum diag_level *level);
const char *diag_level_name(enum diag_level level);
/* What the default sink puts in front of a line (sys_install_diag_clock); without it there is no time. A sink of one's
 * own gets the bare text. */
void diag_set_clock(void (*clock_text)(char *out, size_t n));
/* Printable ASCII stays, the rest becomes \xNN; cut at 200 characters; the result lives in one of 8 rotating buffers. */
const char *diag_escape(struct str s);

/* The last 4,096 events, printed with every failed assert. `what` must be a literal. */
void trace(const char *what, int64_t a, int64_t b);
void trace_print(FILE *out);

/* A special branch worth having is worth a mark: MARK(torn_tail) in the code, mark_count("torn_tail") in its test. */
#ifdef BARNABAS_MARKS
#define MARK(name) mark_hit(#name)
#else
#define MARK(name) ((void)0)
#endif
void mark_hit(const char *name);
uint64_t mark_count(const char *name);

/* ---- words that do not compile -------------------------------------------------------------------------------- */

#ifndef BARNABAS_ALLOW_BANNED
#pragma GCC poison strcpy strcat sprintf vsprintf gets strncpy strncat strtok atoi atol atof
#endif

#endif
