/* Messages as text, in and out, by their shapes: nothing here knows one message.
 *
 *   in:   name=t partitions=[{index=0 records=[a b]} {index=1}]
 *   out:  the same words; fields that hold their defaults are left out, error codes are names
 *
 * A field that the message itself does not have is looked for inside its structs and arrays, which
 * then get one element: `name=t index=0` is enough where there is one of each.
 */
#ifndef SCENARIO_TEXT_H
#define SCENARIO_TEXT_H

#include "names.h"
#include "wire.h"

struct text_in {
    const char *at;
    struct names *names;
    struct arena *arena;
    int64_t wall_ms; /* for records without a timestamp */
    int16_t version;
    struct errmsg *msg;
};
/* Fills a message from the rest of the line. False: msg says why. */
bool text_in_message(struct text_in *in, const struct wire_struct_info *info, void *m);
/* The pieces, for whoever reads text inside. */
void text_in_skip_space(struct text_in *in);
bool text_in_take(struct text_in *in, char c);
bool text_in_word(struct text_in *in, struct str *word); /* names are replaced by their values */
bool text_in_number(struct text_in *in, struct str word, int64_t *out);
bool text_in_fail(struct text_in *in, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct text_out {
    struct names *names;
    struct buf *out;
    int16_t version;
    bool batches; /* record batches are shown with their headers */
};
/* Prints a message; every line but the first begins with `indent` blanks. */
void text_out_message(struct text_out *o, const struct wire_struct_info *info, const void *m,
                      size_t width, int indent);
void text_out_bytes(struct text_out *o, struct bytes v);

/* records.c: [a k:v | pid=0 epoch=0 seq=2 c] */
bool text_in_records(struct text_in *in, struct wire_records *out);
void text_out_records(struct text_out *o, const struct wire_records *v);
/* The bytes of a consumer's subscription and of an assignment. embedded.c */
struct bytes text_in_subscription(struct text_in *in, struct str text);
struct bytes text_in_assignment(struct text_in *in, struct str text);
bool text_out_embedded(struct bytes v, bool is_assignment, struct buf *out);

#endif
