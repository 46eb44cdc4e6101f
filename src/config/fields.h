/* The fields of struct config and struct topic_config, reached through a row of their table. */
#ifndef BARNABAS_CONFIG_FIELDS_H
#define BARNABAS_CONFIG_FIELDS_H

#include "config.h"

/* `base` is the struct config or struct topic_config whose table `st` is a row of; st->field_at is
 * not SIZE_MAX. */
void field_set(void *base, const struct config_setting *st,
               union config_value v); /* takes text over */
union config_value field_get(const void *base,
                             const struct config_setting *st); /* text stays the struct's */
/* Zeroed fields become the defaults; the text of fields is freed and set to NULL. */
void fields_init(void *base, const struct config_setting *rows, int n);
void fields_release(void *base, const struct config_setting *rows, int n);

/* The broker setting whose value is in the field at this offset of struct config. */
const struct config_setting *config_setting_at(size_t field_at);
/* The value of a default; text is the caller's to free. */
union config_value setting_default(const struct config_setting *st);
/* Frees what config_parse made. */
void value_release(const struct config_setting *st, union config_value *v);

#endif
