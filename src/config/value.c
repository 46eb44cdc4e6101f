/* Parsing one value, as Kafka's ConfigDef does.
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: trim -> the parser of the type (a table) -> bounds, words, rules.
 * Failures:   E_INVALID with Kafka's words, and nothing left to free:
 *             "Invalid value abc for configuration retention.ms: Not a number of type LONG".
 */
#include "config.h"

#include <math.h>

#include "number.h"
#include "text.h"

typedef int parse_fn(const struct config_setting *st, struct str text, union config_value *out,
                     struct errmsg *msg);

static int invalid(const struct config_setting *st, struct str text, struct errmsg *msg,
                   const char *why)
{
    if (st->sensitive)
        text = STR("[hidden]");
    errmsg_set(msg, "Invalid value %s for configuration %s: %s", diag_escape(text), st->name, why);
    return E_INVALID;
}

/* ---- numbers and booleans ---------------------------------------------------------------- */

static int check_bounds(const struct config_setting *st, struct str text, double v,
                        struct errmsg *msg)
{
    char why[160];

    if ((v >= st->min && v <= st->max) || v == st->also)
        return 0;
    if (!isnan(st->also))
        snprintf(why, sizeof(why), "Value must be between %.15g and %.15g or equal to %.15g",
                 st->min, st->max, st->also);
    else if (v < st->min)
        snprintf(why, sizeof(why), "Value must be at least %.15g", st->min);
    else
        snprintf(why, sizeof(why), "Value must be no more than %.15g", st->max);
    return invalid(st, text, msg, why);
}

static int parse_integer(const struct config_setting *st, struct str text, union config_value *out,
                         struct errmsg *msg)
{
    static const struct {
        int64_t min, max;
        const char *not_a_number;
    } kinds[] = {
        [CONFIG_INT] = {INT32_MIN, INT32_MAX, "Not a number of type INT"},
        [CONFIG_SHORT] = {INT16_MIN, INT16_MAX, "Not a number of type SHORT"},
        /* The least long is CONFIG_NULL. */
        [CONFIG_LONG] = {INT64_MIN + 1, INT64_MAX, "Not a number of type LONG"},
    };

    ASSERT(st->type < ARRAY_SIZE(kinds));
    ASSERT(kinds[st->type].not_a_number != NULL);
    if (!number_parse_long(text, kinds[st->type].min, kinds[st->type].max, &out->i))
        return invalid(st, text, msg, kinds[st->type].not_a_number);
    return check_bounds(st, text, (double)out->i, msg);
}

static int parse_double(const struct config_setting *st, struct str text, union config_value *out,
                        struct errmsg *msg)
{
    if (!number_parse_double(text, &out->d))
        return invalid(st, text, msg, "Not a number of type DOUBLE");
    return check_bounds(st, text, out->d, msg);
}

static int parse_boolean(const struct config_setting *st, struct str text, union config_value *out,
                         struct errmsg *msg)
{
    out->b = text_equal_any_case(text, STR("true"));
    if (!out->b && !text_equal_any_case(text, STR("false")))
        return invalid(st, text, msg, "Expected value to be either true or false");
    return 0;
}

/* ---- text -------------------------------------------------------------------------------- */

static void put_words(struct buf *b, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        buf_printf(b, "%s%s", i > 0 ? ", " : "", words[i]);
}

static int check_word(const struct config_setting *st, struct str word, struct errmsg *msg)
{
    bool any_case = st->rules & CONFIG_RULE_ANY_CASE;
    struct buf why;
    int rc;

    if (st->one_of == NULL)
        return 0;
    for (int i = 0; st->one_of[i] != NULL; i++)
        if (any_case ? text_equal_any_case(word, str_of(st->one_of[i]))
                     : str_is(word, st->one_of[i]))
            return 0;
    buf_init(&why);
    buf_printf(&why, "String must be one of%s: ", any_case ? " (case insensitive)" : "");
    put_words(&why, st->one_of);
    rc = invalid(st, word, msg, buf_cstr(&why));
    buf_release(&why);
    return rc;
}

/* ShareGroupAutoOffsetResetStrategy.fromString */
static int check_offset_reset(const struct config_setting *st, struct str text, struct errmsg *msg)
{
    int64_t ms;

    if (str_is(text, "earliest") || str_is(text, "latest"))
        return 0;
    if (text_starts(text, "by_duration:") &&
        config_parse_duration(text_from(text, strlen("by_duration:")), &ms) && ms >= 0)
        return 0;
    return invalid(st, text, msg,
                   "The value must be either 'earliest', 'latest' or of the format "
                   "'by_duration:<PnDTnHnMn.nS>'.");
}

static int parse_string(const struct config_setting *st, struct str text, union config_value *out,
                        struct errmsg *msg)
{
    int rc = 0;

    if (memchr(text.p, 0, text.n) != NULL)
        return invalid(st, text, msg, "A text must not contain the character 0");
    if (st->rules & CONFIG_RULE_NOT_EMPTY && text.n == 0)
        return invalid(st, text, msg, "String must be non-empty");
    if (st->rules & CONFIG_RULE_OFFSET_RESET)
        rc = check_offset_reset(st, text, msg);
    if (rc == 0)
        rc = check_word(st, text, msg);
    if (rc == 0)
        out->s = str_dup(text);
    return rc;
}

/* ---- lists ------------------------------------------------------------------------------- */

int config_list_each(const char *list, int (*fn)(void *arg, struct str item), void *arg)
{
    struct str rest = str_of(list), item;
    int rc = 0;

    if (rest.n == 0)
        return 0;
    while (rc == 0 && text_next(&rest, ',', &item))
        rc = fn(arg, item);
    return rc;
}

static int item_equals(void *arg, struct str item)
{
    return str_eq(item, *(const struct str *)arg);
}

static bool list_has(const char *list, struct str item)
{
    return config_list_each(list, item_equals, &item) != 0;
}

bool config_list_has(const char *list, const char *item)
{
    ASSERT(item != NULL);
    return list_has(list, str_of(item));
}

/* QuotaConfig's ThrottledReplicaListValidator: partition:broker. */
static bool is_replica(struct str item)
{
    struct str rest = item, partition, broker;
    int64_t v;

    return text_next(&rest, ':', &partition) && text_next(&rest, ':', &broker) && rest.p == NULL &&
           number_parse_long(partition, 0, INT32_MAX, &v) &&
           number_parse_long(broker, 0, INT32_MAX, &v);
}

/* Kafka's words name the setting twice, and print the list as Java does. */
static int invalid_replicas(const struct config_setting *st, struct str list, struct errmsg *msg)
{
    struct buf shown;
    struct str item;

    buf_init(&shown);
    while (text_next(&list, ',', &item))
        buf_printf(&shown, "%s%s", shown.n > 0 ? ", " : "", diag_escape(text_trim(item)));
    errmsg_set(msg,
               "Invalid value [%s] for configuration %s: %s must be the literal '*' or a list of "
               "replicas in the following format: "
               "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
               buf_cstr(&shown), st->name, st->name);
    buf_release(&shown);
    return E_INVALID;
}

static int check_item(const struct config_setting *st, struct str list, struct str item,
                      struct errmsg *msg)
{
    if (st->rules & CONFIG_RULE_ITEMS && item.n == 0) {
        errmsg_set(msg, "Configuration '%s' values must not be empty.", st->name);
        return E_INVALID;
    }
    if (st->rules & CONFIG_RULE_REPLICAS && !str_is(list, "*") && !is_replica(item))
        return invalid_replicas(st, list, msg);
    return check_word(st, item, msg);
}

static int empty_list(const struct config_setting *st, union config_value *out, struct errmsg *msg)
{
    if (st->rules & CONFIG_RULE_NOT_EMPTY) {
        errmsg_set(msg, "Configuration '%s' must not be empty. Valid values include: %s", st->name,
                   st->one_of != NULL ? st->valid : "any non-empty value");
        return E_INVALID;
    }
    out->s = xstrdup("");
    return 0;
}

static int parse_list(const struct config_setting *st, struct str text, union config_value *out,
                      struct errmsg *msg)
{
    struct str rest = text, item;
    struct buf kept;
    int rc = 0;

    if (memchr(text.p, 0, text.n) != NULL)
        return invalid(st, text, msg, "A text must not contain the character 0");
    if (text.n == 0)
        return empty_list(st, out, msg);
    buf_init(&kept);
    for (bool first = true; rc == 0 && text_next(&rest, ',', &item); first = false) {
        rc = check_item(st, text, item, msg);
        /* Kafka drops doubles since KIP-1161. */
        if (rc < 0 || (st->rules & CONFIG_RULE_ITEMS && list_has(buf_cstr(&kept), item)))
            continue;
        if (!first)
            buf_put(&kept, ",", 1);
        buf_put(&kept, item.p, item.n);
    }
    if (rc == 0)
        out->s = xstrdup(buf_cstr(&kept));
    buf_release(&kept);
    return rc;
}

/* ---- a value of any type ----------------------------------------------------------------- */

static bool is_text(enum config_type type)
{
    return type == CONFIG_STRING || type == CONFIG_LIST || type == CONFIG_CLASS ||
           type == CONFIG_PASSWORD;
}

static int parse_null(const struct config_setting *st, union config_value *out, struct errmsg *msg)
{
    if (st->default_text != NULL)
        return invalid(st, STR("null"), msg, "entry must be non null");
    ASSERT(st->type != CONFIG_BOOLEAN);
    ASSERT(st->type != CONFIG_DOUBLE);
    if (is_text(st->type))
        out->s = NULL;
    else
        out->i = CONFIG_NULL;
    return 0;
}

int config_parse(const struct config_setting *st, struct str text, union config_value *out,
                 struct errmsg *msg)
{
    static parse_fn *const parsers[] = {
        [CONFIG_BOOLEAN] = parse_boolean, [CONFIG_STRING] = parse_string,
        [CONFIG_INT] = parse_integer,     [CONFIG_SHORT] = parse_integer,
        [CONFIG_LONG] = parse_integer,    [CONFIG_DOUBLE] = parse_double,
        [CONFIG_LIST] = parse_list,       [CONFIG_CLASS] = parse_string,
        [CONFIG_PASSWORD] = parse_string,
    };

    ASSERT(st->type < ARRAY_SIZE(parsers));
    ASSERT(parsers[st->type] != NULL);
    if (text.p == NULL)
        return parse_null(st, out, msg);
    return parsers[st->type](st, text_trim(text), out, msg);
}

char *config_value_text(const struct config_setting *st, const union config_value *v)
{
    if (is_text(st->type))
        return v->s == NULL ? NULL : xstrdup(v->s);
    if (st->type == CONFIG_BOOLEAN)
        return xstrdup(v->b ? "true" : "false");
    if (st->type == CONFIG_DOUBLE)
        return number_double_text(v->d);
    return v->i == CONFIG_NULL ? NULL : xasprintf("%lld", (long long)v->i);
}
