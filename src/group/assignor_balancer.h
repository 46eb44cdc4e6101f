/* The subscribers of one topic, by how many partitions they have: who gets the next, who gives one up. */
#ifndef BARNABAS_GROUP_ASSIGNOR_BALANCER_H
#define BARNABAS_GROUP_ASSIGNOR_BALANCER_H

#include "base.h"

#define NO_MEMBER (-1)

/* The members stand in `sorted` by size, ascending; two runs of equal size grow towards each other. One
 * end is filled, the other is emptied, a partition per member and round; the sizes in `level` are those that
 * the members of a run have before the round.
 *
 *          ^                       most loaded
 *          |                            #     <- no partition of this topic: out
 *     size | least loaded       ##[##<-]#
 *          | [##->       ]#####[######]##
 *          +------------------------------>
 *              members
 */
struct balancer {
    const int32_t *sizes; /* per member: how many partitions it has; read anew all the time */
    int32_t *sorted;
    int32_t n;
    int32_t *scratch; /* for sorting: 2 * n_members + 1 */
    struct {
        int32_t end, level, next; /* members [0, end) */
    } least;
    struct {
        int32_t start, end, level, next; /* members [start, end) */
    } most;
};

/* n_members: the size of the group, the most that a topic can have. Lives in the arena. */
void balancer_init(struct balancer *b, const int32_t *sizes, int32_t n_members,
                   struct arena *arena);
/* Begins with the subscribers of a topic, given in ascending order; n > 0. */
void balancer_load(struct balancer *b, const int32_t *members, int32_t n);
/* The member that gets the next partition; the caller gives it one. */
int32_t balancer_next_least(struct balancer *b);
/* The member that gives one up; the caller takes one, or calls balancer_exclude. NO_MEMBER: nobody is
 * left. */
int32_t balancer_next_most(struct balancer *b);
/* The member that came last from balancer_next_most has nothing to give up. */
void balancer_exclude(struct balancer *b);
/* The two runs differ by one at most: a move would gain nothing. */
bool balancer_even(const struct balancer *b);

#endif
