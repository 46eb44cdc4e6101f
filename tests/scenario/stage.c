/* The commands of a scenario.
 *
 * Owner: struct stage, the one file that runs.
 *
 * Invariant:  connections exist only while a broker is up.
 * Failures:   a broker that does not start, or ends by itself, is output; a command that cannot be
 *             understood fails the file.
 */
#include "stage.h"

#include "peer.h"
#include "text.h"

#define PEER_WAIT_MS_MAX 12000

static void take_log_line(enum diag_level level, const char *text, void *arg)
{
    struct stage *s = arg;

    if (!s->wants_log || !s->out || level < DIAG_WARN)
        return;
    buf_printf(s->out, "log %s: ", level == DIAG_WARN ? "warning" : "error");
    names_print_text(&s->names, str_of(text), s->out);
    buf_put_str(s->out, "\n");
}

void stage_say(struct stage *s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(s->out, fmt, args);
    va_end(args);
    buf_put_str(s->out, "\n");
}

void stage_error(struct stage *s, const char *fmt, ...)
{
    va_list args;

    s->n_errors++;
    buf_put_str(s->out, "error: ");
    va_start(args, fmt);
    buf_vprintf(s->out, fmt, args);
    va_end(args);
    buf_put_str(s->out, "\n");
}

static void note_misuse(void *arg, const char *text)
{
    struct stage *s = arg;

    if (s->out)
        stage_error(s, "misuse of the disk: %s", text);
    else
        s->n_errors++;
}

void stage_init(struct stage *s, int peer_port)
{
    struct vfs_sim_options options = {.seed = 1, .misuse = note_misuse, .arg = s};

    *s = (struct stage){.up = peer_port != 0, .peer_port = peer_port};
    s->clock = clock_sim_new((struct wall){NAMES_START_MS});
    s->disk = vfs_sim_new(s->clock, &options);
    list_init(&s->clients);
    names_init(&s->names);
    rng_init(&s->rng, 1);
    if (peer_port)
        s->names.start_ms = peer_wall_ms();
    diag_set_sink(take_log_line, s);
}

static void set_blocking(struct box *b, bool on)
{
    vfs_sim_set_startup(b->env.vfs, on);
}

/* ---- the broker's life ------------------------------------------------------------------------ */

static void end_broker(struct stage *s, bool clean)
{
    if (!box_try_stop(&s->box, clean) && clean)
        stage_say(s, "the stop was not clean");
    s->up = false;
    clients_forget(s);
    vfs_sim_kill(s->disk);
}

static void set(struct stage *s, const char *setting, size_t n)
{
    const char *equal = memchr(setting, '=', n);
    size_t name_n = equal ? (size_t)(equal - setting) + 1 : n;
    size_t i = 0;

    while (i < s->n_settings && strncmp(s->settings[i], setting, name_n) != 0)
        i++;
    if (i == s->n_settings) {
        s->settings = xrealloc_array(s->settings, s->n_settings + 2, sizeof(*s->settings));
        s->settings[++s->n_settings] = NULL;
    } else {
        free(s->settings[i]);
    }
    s->settings[i] = str_dup((struct str){setting, n});
}

static void start(struct stage *s, const char *rest)
{
    static const char *const none[] = {NULL};
    struct errmsg msg = {0};
    int rc;

    if (s->up) {
        stage_error(s, "a broker runs");
        return;
    }
    while (*(rest += strspn(rest, " "))) {
        size_t n = strcspn(rest, " ");

        set(s, rest, n);
        rest += n;
    }
    if (s->box_ready)
        box_release(&s->box);
    box_init_on(&s->box, s->disk, s->clock,
                s->n_settings ? (const char *const *)s->settings : none);
    s->box.blocking = set_blocking;
    s->box.tolerant = true;
    s->box_ready = true;
    rc = box_try_start(&s->box, &msg);
    if (rc < 0) {
        stage_say(s, "the broker does not start: %s", msg.text);
        vfs_sim_kill(s->disk);
        return;
    }
    s->up = true;
    clients_settle(s);
}

static bool is_up(struct stage *s)
{
    if (!s->up)
        stage_error(s, "no broker runs");
    return s->up;
}

static void stop(struct stage *s, const char *rest)
{
    if (is_up(s))
        end_broker(s, true);
}

static void kill_broker(struct stage *s, const char *rest)
{
    if (is_up(s))
        end_broker(s, false);
}

static void power_cut(struct stage *s, const char *rest)
{
    if (s->up)
        end_broker(s, false);
    vfs_sim_power_loss(s->disk, &s->rng);
}

static void restart(struct stage *s, const char *rest)
{
    stop(s, "");
    start(s, rest);
}

/* ---- time ------------------------------------------------------------------------------------- */

/* Step by step, so that what a reply waited for is seen where it happened. */
static void advance(struct stage *s, const char *rest)
{
    char *end;
    int64_t ms = strtoll(rest, &end, 10);

    if (end == rest || *end || ms < 0) {
        stage_error(s, "advance MS");
        return;
    }
    if (s->peer_port)
        clients_wait_ms(s, MIN(ms, PEER_WAIT_MS_MAX));
    else if (s->up)
        box_advance_ms(&s->box, ms);
    else
        clock_sim_advance(s->clock, ms * 1000000);
}

static void clock_jump(struct stage *s, const char *rest)
{
    clock_sim_jump_wall(s->clock, strtoll(rest, NULL, 10));
}

/* ---- the rest --------------------------------------------------------------------------------- */

static void lift(struct stage *s, const char *rest)
{
    vfs_sim_lift_faults(s->disk);
}

static void drop_caches(struct stage *s, const char *rest)
{
    vfs_sim_drop_caches(s->disk);
}

static void show_log(struct stage *s, const char *rest)
{
    s->wants_log = strcmp(rest, "off") != 0;
}

/* The lines that begin so. */
static void show_metrics(struct stage *s, const char *rest)
{
    struct buf text;

    if (!is_up(s))
        return;
    buf_init(&text);
    broker_print_metrics(s->box.broker, &text);
    for (const char *line = buf_cstr(&text), *end; (end = strchr(line, '\n')); line = end + 1)
        if (strncmp(line, rest, strlen(rest)) == 0)
            stage_say(s, "%.*s", (int)(end - line), line);
    buf_release(&text);
}

static const struct {
    const char *name;
    void (*run)(struct stage *s, const char *rest);
} commands[] = {
    {"start", start},
    {"stop", stop},
    {"kill", kill_broker},
    {"power-cut", power_cut},
    {"restart", restart},
    {"advance", advance},
    {"clock-jump", clock_jump},
    {"disconnect", clients_disconnect},
    {"fault", disk_fault},
    {"lift-faults", lift},
    {"disk", disk_space},
    {"rot", disk_rot},
    {"drop-caches", drop_caches},
    {"files", disk_list},
    {"log", show_log},
    {"metrics", show_metrics},
};

/* What a peer can be told. */
static bool is_for_peers(struct str word)
{
    return str_is(word, "advance") || str_is(word, "disconnect") || str_is(word, "log");
}

static void dispatch(struct stage *s, const char *command)
{
    size_t n = strcspn(command, " :");
    struct str word = {command, n};

    if (command[n] == ':') {
        clients_run(s, word, command + n + 1);
        return;
    }
    if (s->peer_port && !is_for_peers(word))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!str_is(word, commands[i].name))
            continue;
        commands[i].run(s, command + n + strspn(command + n, " "));
        return;
    }
    stage_error(s, "no such command");
}

/* As cli does when the last log directory is gone. */
static void end_when_failed(struct stage *s)
{
    if (!s->up || s->peer_port || !s->box.broker->failed)
        return;
    stage_say(s, "the process ends with 74");
    end_broker(s, false);
}

void stage_run(struct stage *s, const char *command, struct buf *out)
{
    s->out = out;
    dispatch(s, command);
    if (s->up)
        clients_collect(s);
    end_when_failed(s);
    s->out = NULL;
}

void stage_release(struct stage *s)
{
    struct buf last;

    buf_init(&last);
    s->out = &last;
    if (s->peer_port)
        clients_forget(s);
    else if (s->up)
        end_broker(s, !s->box.broker->failed);
    if (vfs_sim_open_files(s->disk) > 0)
        s->n_errors++;
    s->out = NULL;
    if (s->box_ready)
        box_release(&s->box);
    diag_set_sink(NULL, NULL);
    vfs_sim_free(s->disk);
    clock_sim_free(s->clock);
    names_release(&s->names);
    for (size_t i = 0; i < s->n_settings; i++)
        free(s->settings[i]);
    free(s->settings);
    buf_release(&last);
}
