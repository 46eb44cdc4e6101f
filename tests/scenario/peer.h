/* The same commands against a broker behind a socket, in real time: how another broker answers.
 *
 * Only what a client can do; commands on the disk, the clock and the broker's life are passed over.
 */
#ifndef SCENARIO_PEER_H
#define SCENARIO_PEER_H

#include "box.h"

/* A connection that looks like the box's; NULL when there is none to be had. */
struct box_conn *peer_connect(int port);
void peer_disconnect(struct box_conn *c);
uint64_t peer_send_raw(struct box_conn *c, struct bytes body);
/* Takes in what comes within so many ms; false: nothing came. */
bool peer_pump(struct box_conn *c, int wait_ms);
int64_t peer_wall_ms(void);
void peer_sleep_ms(int64_t ms);

#endif
