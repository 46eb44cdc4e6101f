/* What the peer did wrong, on its way out of a deciding function.
 *
 * Owner: the caller's stack.
 */
#include "internal.h"

bool meta_refuse(struct meta_refusal *r, int16_t error, const char *fmt, ...)
{
    va_list args;

    *r->error = error;
    va_start(args, fmt);
    if (r->why)
        vsnprintf(r->why->text, sizeof(r->why->text), fmt, args);
    va_end(args);
    return false;
}
