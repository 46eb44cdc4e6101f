/* Consumer groups of the newer protocol (KIP-848), as their members and the one who changes their topics know them.
 *
 * They have topics of their own, without records: what is checked is who owns which partition, and the committed offsets.
 */
#ifndef SIM_CG_H
#define SIM_CG_H

#include "world.h"

#define CG_GROUPS_MAX  2
#define CG_MEMBERS_MAX 4
#define CG_TOPICS_MAX  3
#define CG_PARTS_MAX   8
#define CG_SET_MAX     96

struct cg_place {
    struct uuid id;
    int32_t partition;
};
struct cg_set {
    struct cg_place items[CG_SET_MAX];
    int n;
};
bool cg_set_has(const struct cg_set *s, struct cg_place p);
void cg_set_add(struct cg_set *s, struct cg_place p);
bool cg_set_within(const struct cg_set *a, const struct cg_set *b); /* all of a is in b */

/* A topic; its id says which one of those that had the name. */
struct cg_topic {
    char name[16];
    bool unsure; /* what was asked for last may have happened or not; also in the beginning */
    bool there;
    struct uuid id;
    int n_parts;
};
/* What a group knows of a partition. */
struct cg_slot {
    struct cg_place place;
    int64_t acked, tried; /* committed offsets; -1 none */
    int32_t epoch;        /* the newest in which somebody was told that it is his */
    char owner[80];
};
struct cg_member;
struct cg_group {
    struct cgroups *all;
    char name[20];
    struct cg_member *members[CG_MEMBERS_MAX];
    int n_members;
    struct cg_slot *slots;
    int n_slots, cap_slots;
    int32_t epoch_max; /* of any member, ever */
    bool settled;      /* after the faults were lifted */
};
struct cgroups {
    struct world *w;
    struct cg_topic topics[CG_TOPICS_MAX];
    int n_topics;
    struct cg_group groups[CG_GROUPS_MAX];
    int n_groups;
    int64_t drain_ns; /* since then nothing new goes wrong; 0: it does */
};

struct cg_slot *cg_slot_get(struct cg_group *g, struct cg_place p);
/* A group that has neither members nor offsets may be removed, and begin at epoch 1 again. */
bool cg_may_begin_anew(const struct cg_group *g);
void cg_begin_anew(struct cg_group *g);
/* The committed offset of a partition was asked for when `acked` was known; this came. */
void cg_fetched(struct cg_group *g, struct cg_slot *s, int64_t acked, int64_t got);
bool cg_topic_is_live(const struct cgroups *all, struct uuid id);

/* ---- members (cg_member.c) */

void cg_member_new(struct cg_group *g, int number);
const struct cg_set *cg_member_owns(const struct cg_member *m);
bool cg_member_wants(const struct cg_member *m, int topic);
/* It has joined, owns what it was told to, gives nothing up; *epoch: its own. */
bool cg_member_rests(const struct cg_member *m, int32_t *epoch);
/* Another one was told to own what this one owns: that is right only if the coordinator has fenced this one. */
void cg_member_loses(struct cg_member *m, struct cg_place p, const char *to);
void cg_member_tell(const struct cg_member *m);

/* ---- topics (cg_admin.c) */

void cg_admin_new(struct cgroups *all);

#endif
