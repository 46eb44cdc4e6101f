/* Names of topics (Topic.validate, Topic.isInternal).
 *
 * Owner: nobody; pure functions.
 */
#include "meta.h"

static bool legal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool all_legal(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!legal(name.p[i]))
            return false;
    return true;
}

bool meta_topic_name_valid(struct str name, struct errmsg *why)
{
    if (name.n == 0)
        errmsg_set(why, "Topic name is invalid: the empty string is not allowed");
    else if (str_is(name, ".") || str_is(name, ".."))
        errmsg_set(why, "Topic name is invalid: '%.*s' is not allowed", STR_ARG(name));
    else if (name.n > TOPIC_NAME_BYTES_MAX)
        errmsg_set(
            why,
            "Topic name is invalid: the length of '%.*s' is longer than the max allowed length %d",
            STR_ARG(name), TOPIC_NAME_BYTES_MAX);
    else if (!all_legal(name))
        errmsg_set(why,
                   "Topic name is invalid: '%.*s' contains one or more characters other than ASCII "
                   "alphanumerics, '.', '_' and '-'",
                   STR_ARG(name));
    else
        return true;
    return false;
}

bool meta_topic_name_internal(struct str name)
{
    return str_is(name, OFFSETS_TOPIC) || str_is(name, TRANSACTION_TOPIC) ||
           str_is(name, SHARE_TOPIC);
}
