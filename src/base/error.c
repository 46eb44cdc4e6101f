/* Errors of the environment and of the protocol: their names, texts and how one becomes the other.
 *
 * Both tables come from include/base/err.def and kafka_errors.def; there is no other mention of a
 * number.
 */
#include "base.h"

#include <errno.h>

static const struct err_info {
    const char *name, *text;
    int value;
    enum kafka_error kafka;
} errors[] = {
#define ERR(name, value, kafka, text) {#name, text, value, kafka},
#include "base/err.def"
#undef ERR
};

static const struct kafka_error_info {
    const char *name;
    int value;
} kafka_errors[] = {
#define KAFKA_ERROR(name, value) {#name, value},
#include "base/kafka_errors.def"
#undef KAFKA_ERROR
};

static const struct errno_pair {
    int error_number;
    enum err err;
} errno_pairs[] = {
    {ENOSPC, E_NOSPC},       {EDQUOT, E_NOSPC},  {EFBIG, E_NOSPC},      {ENOENT, E_NOENT},
    {EEXIST, E_EXIST},       {EACCES, E_ACCESS}, {EPERM, E_ACCESS},     {EROFS, E_ACCESS},
    {EMFILE, E_MFILE},       {ENFILE, E_MFILE},  {EISDIR, E_ISDIR},     {ENOTDIR, E_ISDIR},
    {ENOTEMPTY, E_NOTEMPTY}, {EAGAIN, E_AGAIN},  {EADDRINUSE, E_INUSE}, {ENAMETOOLONG, E_INVALID},
    {ECANCELED, E_CANCELED},
};

static const struct err_info *err_find(int rc)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].value == rc)
            return &errors[i];
    return NULL;
}

const char *err_text(int rc)
{
    const struct err_info *info = err_find(rc);

    if (rc >= 0)
        return "no error";
    return info ? info->text : "unknown error";
}

const char *err_name(int rc)
{
    const struct err_info *info = err_find(rc);

    if (rc >= 0)
        return "OK";
    return info ? info->name : "E_UNKNOWN";
}

enum kafka_error err_kafka(int rc)
{
    const struct err_info *info = err_find(rc);

    if (rc >= 0)
        return KE_NONE;
    return info ? info->kafka : KE_UNKNOWN_SERVER_ERROR;
}

const char *kafka_error_name(int ke)
{
    for (size_t i = 0; i < ARRAY_SIZE(kafka_errors); i++)
        if (kafka_errors[i].value == ke)
            return kafka_errors[i].name;
    return "UNKNOWN";
}

int err_from_errno(int error_number)
{
    ASSERT(error_number > 0);
    for (size_t i = 0; i < ARRAY_SIZE(errno_pairs); i++)
        if (errno_pairs[i].error_number == error_number)
            return errno_pairs[i].err;
    return E_IO;
}

void errmsg_set(struct errmsg *m, const char *fmt, ...)
{
    va_list args;

    if (!m)
        return;
    va_start(args, fmt);
    vsnprintf(m->text, sizeof(m->text), fmt, args);
    va_end(args);
}

void errmsg_wrap(struct errmsg *m, const char *fmt, ...)
{
    struct errmsg inner;
    size_t n;
    va_list args;

    if (!m)
        return;
    inner = *m;
    va_start(args, fmt);
    vsnprintf(m->text, sizeof(m->text), fmt, args);
    va_end(args);
    n = strlen(m->text);
    if (inner.text[0])
        snprintf(m->text + n, sizeof(m->text) - n, ": %s", inner.text);
}
