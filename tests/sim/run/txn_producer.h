/* A transactional producer: its state, between what answers mean (txn_judge.c), its requests (txn_requests.c) and its steps
 * (txn_producer.c).
 */
#ifndef SIM_TXN_PRODUCER_H
#define SIM_TXN_PRODUCER_H

#include "txn.h"

#define RETRY_MS 200

enum phase { PHASE_NONE = 0, PHASE_READY, PHASE_WORK, PHASE_END };
enum op { OP_NONE = 0, OP_PRODUCE, OP_OFFSETS };

struct batch_out {
    bool due; /* to be sent, again and again */
    int64_t first_record;
    int n;
    struct buf bytes;
};
struct producer {
    struct actor a;
    struct txns *all;
    struct txn_id *id;
    int id_number;
    bool v2, waiting, unsure; /* unsure: the end was sent and not answered */
    enum phase phase;
    int32_t timeout_ms;
    int64_t producer_id;
    int16_t epoch;
    int my_init;         /* id->n_inits when the one was sent that was answered */
    int32_t known_epoch; /* id->epoch, when InitProducerId was sent */
    bool bump;           /* the next InitProducerId names what it has (KIP-360) */
    int32_t sequences[TXN_PARTS_MAX];
    /* the transaction */
    int64_t txn, begin_ns, jumped_ms;
    int n_ops;
    enum op op;
    struct batch_out out[TXN_PARTS_MAX];
    bool added[TXN_PARTS_MAX], offsets_added,
        anything; /* anything: something was sent that may have begun it */
    bool commit;
};

/* ---- txn_judge.c */

enum verdict { AGAIN = 0, GOOD, FENCED, SPOILED };
/* What an answer means; one that it may not have is wrong. */
enum verdict tp_judge(struct producer *p, const char *what, int16_t error);
/* Fenced, spoiled, or to be sent again: what follows is done. False: none of them. */
bool tp_dealt_with(struct producer *p, enum verdict v);
/* Something was carried out: it must not be of one who was fenced before. */
void tp_check_holder(struct producer *p, const struct call *c, const char *what);
void tp_tell(struct producer *p, const char *what, int16_t error);
void tp_drop_batches(struct producer *p);
void tp_to_phase(struct producer *p, enum phase phase);
/* What was open stays so, for the coordinator. */
void tp_forget(struct producer *p);
void tp_step_later(struct producer *p, int64_t mean_ms);

/* ---- txn_requests.c: each is sent, and its answer taken in */

void tp_ask_id(struct producer *p);
bool tp_must_add(const struct producer *p); /* TV1: partitions that are to be written to */
void tp_add_partitions(struct producer *p);
void tp_add_offsets(struct producer *p);
void tp_build(struct producer *p, int part); /* a batch, to be produced */
bool tp_any_due(const struct producer *p);
void tp_produce(struct producer *p);
void tp_commit_offsets(struct producer *p);
void tp_end(struct producer *p);

#endif
