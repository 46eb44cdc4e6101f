/* Text into a request.
 *
 * Owner: struct text_in, one line; what is built lives in its arena.
 *
 *   message := { field '=' value }       value := word | '"' text '"' | '[' { value } ']'
 *                                               | '{' message '}' | null
 *
 * Recursion is as deep as the schemas nest.
 */
#include "text.h"

/* What every client would send, so that a line need not. */
static const struct {
    const char *field;
    int64_t value;
} usual[] = {
    {"acks", -1},
    {"max_wait_ms", 0},
    {"partition_max_bytes", 1 << 20},
    {"rebalance_timeout_ms", 30000},
    {"replica_id", -1},
    {"replication_factor", 1},
    {"session_timeout_ms", 10000},
    {"timeout_ms", 30000},
};

bool text_in_fail(struct text_in *in, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    errmsg_set(in->msg, "%s, at: %s", text, in->at);
    return false;
}

void text_in_skip_space(struct text_in *in)
{
    while (*in->at == ' ' || *in->at == '\t')
        in->at++;
}

bool text_in_take(struct text_in *in, char c)
{
    text_in_skip_space(in);
    if (*in->at != c)
        return false;
    in->at++;
    return true;
}

static bool quoted(struct text_in *in, struct str *word)
{
    const char *from = ++in->at, *end = strchr(from, '"');

    if (!end)
        return text_in_fail(in, "a quote is not closed");
    *word = arena_str(in->arena, (struct str){from, (size_t)(end - from)});
    in->at = end + 1;
    return true;
}

bool text_in_word(struct text_in *in, struct str *word)
{
    size_t n;
    const char *raw;

    text_in_skip_space(in);
    if (*in->at == '"')
        return quoted(in, word);
    n = strcspn(in->at, " \t[]{}|");
    if (n == 0)
        return text_in_fail(in, "a value is missing");
    *word = (struct str){in->at, n};
    if (*in->at == '<') {
        raw = names_find(in->names, *word);
        if (!raw)
            return text_in_fail(in, "nothing has this name yet");
        *word = arena_str(in->arena, str_of(raw));
    }
    in->at += n;
    return true;
}

bool text_in_number(struct text_in *in, struct str word, int64_t *out)
{
    char *text = str_dup(word), *end, *from = text;
    int64_t base = 0;
    bool ok;

    if (from[0] == 'T') {
        base = in->names->start_ms;
        from++;
    }
    *out = base + strtoll(from, &end, 10);
    ok = *end == 0 && (end > from || base > 0);
    if (!ok)
        text_in_fail(in, "%s is not a number", text);
    free(text);
    return ok;
}

static bool number_value(struct text_in *in, int type, void *at)
{
    struct str word;
    int64_t v;

    if (!text_in_word(in, &word) || !text_in_number(in, word, &v))
        return false;
    switch (type) {
    case WIRE_INT8:
        *(int8_t *)at = (int8_t)v;
        return *(int8_t *)at == v || text_in_fail(in, "not an int8");
    case WIRE_INT16:
        *(int16_t *)at = (int16_t)v;
        return *(int16_t *)at == v || text_in_fail(in, "not an int16");
    case WIRE_UINT16:
        *(uint16_t *)at = (uint16_t)v;
        return *(uint16_t *)at == v || text_in_fail(in, "not a uint16");
    case WIRE_INT32:
        *(int32_t *)at = (int32_t)v;
        return *(int32_t *)at == v || text_in_fail(in, "not an int32");
    case WIRE_UINT32:
        *(uint32_t *)at = (uint32_t)v;
        return *(uint32_t *)at == v || text_in_fail(in, "not a uint32");
    case WIRE_FLOAT64:
        *(double *)at = (double)v;
        return true;
    default:
        *(int64_t *)at = v;
        return true;
    }
}

static bool bool_value(struct text_in *in, void *at)
{
    struct str word;

    if (!text_in_word(in, &word))
        return false;
    *(bool *)at = str_is(word, "true");
    return *(bool *)at || str_is(word, "false") || text_in_fail(in, "not true or false");
}

static bool uuid_value(struct text_in *in, void *at)
{
    struct str word;

    return text_in_word(in, &word) &&
           (uuid_parse(word, at) || text_in_fail(in, "%.*s is not a uuid", STR_ARG(word)));
}

static bool starts_with(struct str word, const char *prefix)
{
    return word.n >= strlen(prefix) && memcmp(word.p, prefix, strlen(prefix)) == 0;
}

static struct str after(struct str word, const char *prefix)
{
    return (struct str){word.p + strlen(prefix), word.n - strlen(prefix)};
}

static bool bytes_value(struct text_in *in, struct bytes *at)
{
    struct str word;

    if (!text_in_word(in, &word))
        return false;
    if (starts_with(word, "subscription:"))
        *at = text_in_subscription(in, after(word, "subscription:"));
    else if (starts_with(word, "assignment:"))
        *at = text_in_assignment(in, after(word, "assignment:"));
    else
        *at = arena_bytes(in->arena, bytes_of(word.p, word.n));
    return true;
}

static bool is_null(struct text_in *in)
{
    text_in_skip_space(in);
    if (strncmp(in->at, "null", 4) != 0 || (in->at[4] && !strchr(" \t]}", in->at[4])))
        return false;
    in->at += 4;
    return true;
}

static bool fields(struct text_in *in, const struct wire_struct_info *info, void *m, char end);

static void init(const struct text_in *in, const struct wire_struct_info *info, uint8_t *m)
{
    memcpy(m, info->defaults, info->bytes);
    for (int i = 0; i < info->n_fields; i++) {
        const struct wire_field_info *f = &info->fields[i];

        for (size_t k = 0; k < ARRAY_SIZE(usual); k++) {
            if (strcmp(f->name, usual[k].field) != 0 || in->version < f->version_min ||
                in->version > f->version_max)
                continue;
            if (f->type == WIRE_INT16)
                *(int16_t *)(m + f->offset) = (int16_t)usual[k].value;
            else if (f->type == WIRE_INT32)
                *(int32_t *)(m + f->offset) = (int32_t)usual[k].value;
        }
    }
}

static bool struct_value(struct text_in *in, const struct wire_field_info *f, void *at)
{
    init(in, f->of, at);
    return text_in_take(in, '{') ? fields(in, f->of, at, '}') : text_in_fail(in, "{ is missing");
}

static bool value(struct text_in *in, const struct wire_field_info *f, void *at)
{
    bool nullable = in->version >= f->nullable_min && in->version <= f->nullable_max;

    switch (f->type) {
    case WIRE_STRUCT:
        return struct_value(in, f, at);
    case WIRE_STRING:
        if (nullable && is_null(in)) {
            *(struct str *)at = (struct str){NULL, 0};
            return true;
        }
        return text_in_word(in, at);
    case WIRE_BYTES:
        if (nullable && is_null(in)) {
            *(struct bytes *)at = (struct bytes){NULL, 0};
            return true;
        }
        return bytes_value(in, at);
    case WIRE_RECORDS:
        if (is_null(in)) {
            *(struct wire_records *)at = (struct wire_records){.p = NULL};
            return true;
        }
        return text_in_records(in, at);
    case WIRE_UUID:
        return uuid_value(in, at);
    case WIRE_BOOL:
        return bool_value(in, at);
    default:
        return number_value(in, f->type, at);
    }
}

static size_t value_bytes(const struct wire_field_info *f)
{
    static const uint8_t bytes[] = {
        [WIRE_INT8] = 1,
        [WIRE_INT16] = 2,
        [WIRE_INT32] = 4,
        [WIRE_INT64] = 8,
        [WIRE_UINT16] = 2,
        [WIRE_UINT32] = 4,
        [WIRE_FLOAT64] = 8,
        [WIRE_BOOL] = sizeof(bool),
        [WIRE_UUID] = sizeof(struct uuid),
        [WIRE_STRING] = sizeof(struct str),
        [WIRE_BYTES] = sizeof(struct bytes),
        [WIRE_RECORDS] = sizeof(struct wire_records),
    };

    return f->type == WIRE_STRUCT ? f->of->bytes : bytes[f->type];
}

/* Room for one element more; returns it. */
static void *add_element(struct text_in *in, const struct wire_field_info *f, uint8_t *m)
{
    uint8_t **elements = (uint8_t **)(m + f->offset);
    int32_t *n = (int32_t *)(m + f->count_offset);
    int32_t had = MAX(*n, 0);
    uint8_t *p = arena_array(in->arena, (size_t)had + 1, value_bytes(f));

    if (had > 0)
        memcpy(p, *elements, (size_t)had * value_bytes(f));
    *elements = p;
    *n = had + 1;
    return p + (size_t)had * value_bytes(f);
}

static bool array_value(struct text_in *in, const struct wire_field_info *f, uint8_t *m)
{
    *(int32_t *)(m + f->count_offset) = 0;
    if (is_null(in)) {
        *(int32_t *)(m + f->count_offset) = -1;
        return true;
    }
    if (!text_in_take(in, '['))
        return value(in, f, add_element(in, f, m));
    while (!text_in_take(in, ']')) {
        if (*in->at == 0)
            return text_in_fail(in, "] is missing");
        if (!value(in, f, add_element(in, f, m)))
            return false;
    }
    return true;
}

static bool present(const struct text_in *in, const struct wire_field_info *f)
{
    return in->version >= f->version_min && in->version <= f->version_max;
}

static const struct wire_field_info *field_of(const struct text_in *in,
                                              const struct wire_struct_info *info, struct str name)
{
    for (int i = 0; i < info->n_fields; i++)
        if (present(in, &info->fields[i]) && str_is(name, info->fields[i].name))
            return &info->fields[i];
    return NULL;
}

static bool has_inside(const struct text_in *in, const struct wire_struct_info *info,
                       struct str name)
{
    if (field_of(in, info, name))
        return true;
    for (int i = 0; i < info->n_fields; i++) {
        const struct wire_field_info *f = &info->fields[i];

        if (f->type == WIRE_STRUCT && present(in, f) && has_inside(in, f->of, name))
            return true;
    }
    return false;
}

/* The struct inside m that a field is in: an array on the way gets one element. */
static void *enter(struct text_in *in, const struct wire_field_info *f, uint8_t *m)
{
    uint8_t *at = m + f->offset;

    if (f->count_offset) {
        if (*(int32_t *)(m + f->count_offset) <= 0)
            init(in, f->of, add_element(in, f, m));
        return *(uint8_t **)at + (size_t)(*(int32_t *)(m + f->count_offset) - 1) * f->of->bytes;
    }
    if (!f->pointer)
        return at;
    if (!*(uint8_t **)at) {
        *(uint8_t **)at = arena_alloc(in->arena, f->of->bytes);
        init(in, f->of, *(uint8_t **)at);
    }
    return *(uint8_t **)at;
}

static const struct wire_field_info *find(struct text_in *in, const struct wire_struct_info *info,
                                          struct str name, uint8_t **m)
{
    const struct wire_field_info *f = field_of(in, info, name);

    for (int i = 0; i < info->n_fields && !f; i++) {
        const struct wire_field_info *in_f = &info->fields[i];

        if (in_f->type != WIRE_STRUCT || !present(in, in_f) || !has_inside(in, in_f->of, name))
            continue;
        *m = enter(in, in_f, *m);
        return find(in, in_f->of, name, m);
    }
    return f;
}

static bool one_field(struct text_in *in, const struct wire_struct_info *info, uint8_t *m)
{
    size_t n = strcspn(in->at, "= \t[]{}");
    struct str name = {in->at, n};
    const struct wire_field_info *f = find(in, info, name, &m);

    if (!f || in->at[n] != '=')
        return text_in_fail(in, "version %d has no such field", in->version);
    in->at += n + 1;
    if (f->count_offset)
        return array_value(in, f, m);
    if (f->pointer) {
        if (is_null(in)) {
            *(void **)(m + f->offset) = NULL;
            return true;
        }
        *(void **)(m + f->offset) = arena_alloc(in->arena, f->of->bytes);
        return value(in, f, *(void **)(m + f->offset));
    }
    return value(in, f, m + f->offset);
}

static bool fields(struct text_in *in, const struct wire_struct_info *info, void *m, char end)
{
    for (;;) {
        text_in_skip_space(in);
        if (*in->at == end) {
            in->at += end != 0;
            return true;
        }
        if (*in->at == 0)
            return text_in_fail(in, "} is missing");
        if (!one_field(in, info, m))
            return false;
    }
}

bool text_in_message(struct text_in *in, const struct wire_struct_info *info, void *m)
{
    init(in, info, m);
    return fields(in, info, m, 0);
}
