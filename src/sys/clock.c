/* Clocks: the machine's, and one that moves when told.
 *
 * Owner: the env's. Any thread may read the real one; the simulated one is the core thread's.
 */
#include "sys.h"

#include <time.h>

#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

struct wall clock_wall(struct clock *c)
{
    return c->wall(c);
}

struct mono clock_mono(struct clock *c)
{
    return c->mono(c);
}

void clock_init(struct clock *c)
{
    c->made_wall = clock_wall(c);
    c->made_mono = clock_mono(c);
}

/* The calendar, had nobody set it. */
static struct wall even_wall(struct clock *c)
{
    return (struct wall){c->made_wall.ms +
                         (clock_mono(c).ns - c->made_mono.ns) / NS_PER_MS};
}

struct wall clock_wall_later(struct clock *c)
{
    return (struct wall){MAX(clock_wall(c).ms, even_wall(c).ms)};
}

struct wall clock_wall_earlier(struct clock *c)
{
    return (struct wall){MIN(clock_wall(c).ms, even_wall(c).ms)};
}

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;

    ASSERT(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct wall real_wall(struct clock *c)
{
    return (struct wall){read_ns(CLOCK_REALTIME) / NS_PER_MS};
}

static struct mono real_mono(struct clock *c)
{
    return (struct mono){read_ns(CLOCK_MONOTONIC)};
}

struct clock *clock_real_new(void)
{
    struct clock *c = xcalloc(1, sizeof(*c));

    c->wall = real_wall;
    c->mono = real_mono;
    clock_init(c);
    return c;
}

void clock_real_free(struct clock *c)
{
    free(c);
}

struct clock_sim {
    struct clock clock;
    int64_t wall_ms; /* the calendar at mono_ns == 0, jumps included */
    int64_t mono_ns;
};

static struct clock_sim *sim_of(struct clock *c);

static struct wall sim_wall(struct clock *c)
{
    struct clock_sim *sim = sim_of(c);

    return (struct wall){sim->wall_ms + sim->mono_ns / NS_PER_MS};
}

static struct mono sim_mono(struct clock *c)
{
    return (struct mono){sim_of(c)->mono_ns};
}

static struct clock_sim *sim_of(struct clock *c)
{
    ASSERT(c->mono == sim_mono);
    return CONTAINER_OF(c, struct clock_sim, clock);
}

struct clock *clock_sim_new(struct wall start)
{
    struct clock_sim *sim = xcalloc(1, sizeof(*sim));

    sim->clock = (struct clock){.wall = sim_wall, .mono = sim_mono};
    sim->wall_ms = start.ms;
    clock_init(&sim->clock);
    return &sim->clock;
}

void clock_sim_free(struct clock *c)
{
    if (c)
        free(sim_of(c));
}

void clock_sim_advance(struct clock *c, int64_t ns)
{
    ASSERT(ns >= 0);
    sim_of(c)->mono_ns += ns;
}

void clock_sim_jump_wall(struct clock *c, int64_t ms)
{
    sim_of(c)->wall_ms += ms;
}
