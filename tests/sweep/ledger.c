/* What the clients know, and what must follow from it. */
#include "ledger.h"

#include "report.h"

const char *const topic_names[TOPICS] = {"plain", "idem", "loose", "gone", "keys", "old"};
const int topic_partitions[TOPICS] = {2, 1, 1, 1, 1, 1};

int ledger_key(int number)
{
    return number * 7 / 2 % LEDGER_KEYS;
}

bool ledger_is_tombstone(int number)
{
    return number % 5 == 4;
}

bool topic_loses(enum topic topic)
{
    return topic == TOPIC_KEYS || topic == TOPIC_OLD;
}

void ledger_init(struct ledger *l)
{
    *l = (struct ledger){.producer_id = -1, .committed = -1, .committed_tried = -1};
}

struct sent *ledger_send(struct ledger *l, enum topic topic, int partition, int n, int acks)
{
    struct sent *s = &l->sent[l->n_sent];

    ASSERT(l->n_sent < SENT_MAX);
    l->n_sent++;
    *s = (struct sent){.topic = topic,
                       .partition = partition,
                       .first = l->next_number[topic][partition],
                       .n = n,
                       .acks = acks,
                       .base_offset = -1,
                       .sequence = -1};
    l->next_number[topic][partition] += n;
    if (topic == TOPIC_IDEM) {
        s->sequence = l->sequence_next;
        l->sequence_next += n;
    }
    return s;
}

struct sent *ledger_unanswered(struct ledger *l)
{
    for (int i = 0; i < l->n_sent; i++)
        if (l->sent[i].sequence >= 0 && l->sent[i].fate != FATE_ACKED)
            return &l->sent[i];
    return NULL;
}

struct sent *ledger_last_idempotent(struct ledger *l)
{
    for (int i = l->n_sent; i-- > 0;)
        if (l->sent[i].sequence >= 0)
            return &l->sent[i];
    return NULL;
}

static const struct sent *find_sent(const struct ledger *l, enum topic topic, int partition,
                                    int number)
{
    for (int i = 0; i < l->n_sent; i++) {
        const struct sent *s = &l->sent[i];

        if (s->topic == topic && s->partition == partition && s->first <= number &&
            number < s->first + s->n)
            return s;
    }
    return NULL;
}

static int64_t offset_of(const struct view *view, int number)
{
    for (int64_t i = 0; i < view->n; i++)
        if (view->numbers[i] == number)
            return i;
    return -1;
}

/* A record that is not there has a reason: a later one of its key; or, in TOPIC_OLD, any later one. */
static bool may_have_gone(enum topic topic, int number, const struct view *view)
{
    for (int64_t i = 0; i < view->n && topic_loses(topic); i++)
        if (view->numbers[i] > number && (topic == TOPIC_OLD || ledger_key(view->numbers[i]) == ledger_key(number)))
            return true;
    return false;
}

static void compare_found(const struct ledger *l, enum topic topic, int partition,
                          const struct view *view)
{
    int last = -1;

    for (int64_t i = 0; i < view->n; i++) {
        const struct sent *s = find_sent(l, topic, partition, view->numbers[i]);

        if (view->numbers[i] == NUMBER_NONE && topic_loses(topic) && (topic == TOPIC_KEYS || last < 0))
            continue;
        if (!s)
            violation("%s-%d offset %lld: record %d was never sent", topic_names[topic], partition,
                      (long long)i, view->numbers[i]);
        else if (s->fate == FATE_REFUSED && s->sequence < 0)
            violation("%s-%d offset %lld: record %d was refused", topic_names[topic], partition,
                      (long long)i, view->numbers[i]);
        if (view->numbers[i] <= last)
            violation("%s-%d offset %lld: record %d after %d: twice, or out of order",
                      topic_names[topic], partition, (long long)i, view->numbers[i], last);
        last = view->numbers[i];
    }
}

static void compare_acked(const struct sent *s, const struct view *view, bool may_be_missing)
{
    for (int i = 0; i < s->n; i++) {
        int64_t at = offset_of(view, s->first + i);

        if (at < 0 && !may_be_missing && !may_have_gone(s->topic, s->first + i, view)) {
            violation("%s-%d: record %d was acknowledged (acks=%d, offset %lld) and is not there: "
                      "the log "
                      "ends at %lld",
                      topic_names[s->topic], s->partition, s->first + i, s->acks,
                      (long long)s->base_offset + i, (long long)view->n);
            return;
        }
        if (at >= 0 && s->base_offset >= 0 && at != s->base_offset + i)
            violation("%s-%d: record %d is at offset %lld, answered was %lld",
                      topic_names[s->topic], s->partition, s->first + i, (long long)at,
                      (long long)s->base_offset + i);
    }
}

void ledger_compare(const struct ledger *l, enum topic topic, int partition,
                    const struct view *view, bool power_lost)
{
    const struct view *read = &l->read[topic][partition];

    compare_found(l, topic, partition, view);
    for (int i = 0; i < l->n_sent; i++) {
        const struct sent *s = &l->sent[i];

        if (s->topic == topic && s->partition == partition && s->fate == FATE_ACKED)
            compare_acked(s, view, power_lost && (s->acks != -1 || topic == TOPIC_LOOSE));
    }
    if (power_lost && topic == TOPIC_LOOSE)
        return;
    for (int64_t i = 0; i < read->n; i++) {
        int now = i < view->n ? view->numbers[i] : NUMBER_NONE;

        if (now == NUMBER_NONE ? may_have_gone(topic, read->numbers[i], view)
                               : read->numbers[i] == NUMBER_NONE && topic == TOPIC_OLD) /* the start has moved back */
            continue;
        if (i >= view->n || read->numbers[i] != view->numbers[i]) {
            violation("%s-%d offset %lld: a reader saw record %d, now it is %d of %lld",
                      topic_names[topic], partition, (long long)i, read->numbers[i],
                      i < view->n ? view->numbers[i] : -1, (long long)view->n);
            return;
        }
    }
}

void ledger_settle(struct ledger *l, enum topic topic, int partition, const struct view *view)
{
    for (int i = 0; i < l->n_sent; i++) {
        struct sent *s = &l->sent[i];

        if (s->topic == topic && s->partition == partition && s->sequence < 0 &&
            (!topic_loses(topic) || (topic == TOPIC_KEYS && s->fate != FATE_ACKED)) && offset_of(view, s->first) < 0)
            s->fate = FATE_REFUSED;
    }
    l->read[topic][partition] = *view;
}
