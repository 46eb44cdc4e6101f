/* DescribeConfigs: what configs.c (the request, topics), configs_broker.c and configs_group.c
 * share. */
#ifndef BARNABAS_API_CONFIGS_H
#define BARNABAS_API_CONFIGS_H

#include "rows.h"

/* One resource on its way into the reply. */
struct describe {
    struct request *rq;
    const struct describe_configs_request_resources *asked;
    struct describe_configs_response_results *result;
    int64_t rows_left; /* of the whole reply */
};

void configs_refuse(struct describe *d, int16_t error, struct str message);
/* Room for the resource's rows; false, with the error, when the reply would be too large. */
bool configs_reserve(struct describe *d, int n);
/* No names, or an empty list of them, asks for all. */
bool configs_asked_for(const struct describe *d, struct str name);

/* A row more, of the reserved ones: bare, of a setting that we know, of one that is no one's. */
struct describe_configs_response_results_configs *configs_add_row(struct describe *d,
                                                                  struct str name);
struct describe_configs_response_results_configs *
configs_add_setting(struct describe *d, const struct config_setting *st);
struct describe_configs_response_results_configs *
configs_add_unknown(struct describe *d, struct str name, int8_t source);
/* Where the row's value is from, and all values that it covers, the effective first. */
void configs_set_source(struct describe *d, struct describe_configs_response_results_configs *row,
                        const struct api_synonym *synonyms, int n);

/* What was set as text, as it reads when parsed. */
struct str configs_canonical(struct describe *d, const struct config_setting *st, struct str text);

/* configs_broker.c */
/* Integer.parseInt */
bool configs_parse_id(struct str text, int64_t *id);
void configs_describe_broker(struct describe *d);
void configs_describe_loggers(struct describe *d);
/* configs_group.c */
void configs_describe_group(struct describe *d);
void configs_describe_client_metrics(struct describe *d);

#endif
