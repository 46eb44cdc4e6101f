/* The fields of struct config and struct topic_config, reached through a row of their table.
 *
 * Owner: the struct; its text fields are its own copies.
 * Invariant:  a field's C type follows from its setting's type (config.h makes them so from the
 *             same table): bool, int64_t for INT, SHORT and LONG, double, else a char pointer.
 */
#include "fields.h"

static bool is_text(const struct config_setting *st)
{
    return st->type == CONFIG_STRING || st->type == CONFIG_LIST || st->type == CONFIG_CLASS ||
           st->type == CONFIG_PASSWORD;
}

void field_set(void *base, const struct config_setting *st, union config_value v)
{
    void *at = (char *)base + st->field_at;

    ASSERT(st->field_at != SIZE_MAX);
    if (is_text(st)) {
        free(*(char **)at);
        *(char **)at = v.s;
    } else if (st->type == CONFIG_BOOLEAN) {
        *(bool *)at = v.b;
    } else if (st->type == CONFIG_DOUBLE) {
        *(double *)at = v.d;
    } else {
        *(int64_t *)at = v.i;
    }
}

union config_value field_get(const void *base, const struct config_setting *st)
{
    const void *at = (const char *)base + st->field_at;

    ASSERT(st->field_at != SIZE_MAX);
    if (is_text(st))
        return (union config_value){.s = *(char *const *)at};
    if (st->type == CONFIG_BOOLEAN)
        return (union config_value){.b = *(const bool *)at};
    if (st->type == CONFIG_DOUBLE)
        return (union config_value){.d = *(const double *)at};
    return (union config_value){.i = *(const int64_t *)at};
}

const struct config_setting *config_setting_at(size_t field_at)
{
    for (int i = 0; i < config_n_broker_settings; i++)
        if (config_broker_settings[i].field_at == field_at)
            return &config_broker_settings[i];
    base_assert_failed("a setting has this field", __FILE__, __LINE__);
}

union config_value setting_default(const struct config_setting *st)
{
    union config_value v;
    struct errmsg msg;
    int rc = config_parse(st, str_of(st->default_text), &v, &msg);

    ASSERT(rc == 0);
    return v;
}

void value_release(const struct config_setting *st, union config_value *v)
{
    if (!is_text(st))
        return;
    free(v->s);
    v->s = NULL;
}

void fields_init(void *base, const struct config_setting *rows, int n)
{
    for (int i = 0; i < n; i++)
        if (rows[i].field_at != SIZE_MAX)
            field_set(base, &rows[i], setting_default(&rows[i]));
}

void fields_release(void *base, const struct config_setting *rows, int n)
{
    for (int i = 0; i < n; i++)
        if (rows[i].field_at != SIZE_MAX && is_text(&rows[i]))
            field_set(base, &rows[i], (union config_value){.s = NULL});
}
