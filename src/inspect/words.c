/* The words of a tool's command line, one after the other, by the tool's table of options.
 *
 * Failures:   E_INVALID with a line that names the word.
 */
#include "words.h"

static int find(const struct words *w, const char *word, size_t n)
{
    for (int i = 0; i < w->n_options; i++) {
        if (strlen(w->options[i].name) == n && memcmp(w->options[i].name, word, n) == 0)
            return i;
    }
    return -1;
}

int words_next(struct words *w, int *option, const char **value, struct errmsg *msg)
{
    const char *word = *w->argv, *equals;

    if (!word)
        return 0;
    w->argv++;
    *value = word;
    if (word[0] != '-' || !word[1])
        return 2;
    equals = strchr(word, '=');
    *option = find(w, word, equals ? (size_t)(equals - word) : strlen(word));
    if (*option < 0) {
        errmsg_set(msg, "there is no option %s; see barnabas %s --help", word, w->tool);
        return E_INVALID;
    }
    if (equals && !w->options[*option].value) {
        errmsg_set(msg, "%s takes no value", w->options[*option].name);
        return E_INVALID;
    }
    *value = equals ? equals + 1 : NULL;
    if (w->options[*option].value && !equals)
        *value = *w->argv ? *w->argv++ : NULL;
    if (w->options[*option].value && (!*value || !**value)) {
        errmsg_set(msg, "%s takes %s", w->options[*option].name, w->options[*option].value);
        return E_INVALID;
    }
    return 1;
}

int words_number(const struct words *w, int option, const char *value, int64_t max, int64_t *out,
                 struct errmsg *msg)
{
    int64_t v = 0;
    const char *p = value;

    for (; *p >= '0' && *p <= '9' && v <= max; p++)
        v = v * 10 + (*p - '0');
    if (p == value || *p || v > max) {
        errmsg_set(msg, "%s takes %s up to %lld, not \"%s\"", w->options[option].name,
                   w->options[option].value, (long long)max, value);
        return E_INVALID;
    }
    *out = v;
    return 0;
}
