/* The broker's settings, from the command line on. Inner header of cli. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "args.h"
#include "config.h"
#include "sys.h"

/* The file, then the overrides, then what concerns several settings; E_* with one line for the
 * user. Config must be initialised; release it in either case. */
int settings_load(struct config *c, const struct args *a, struct vfs *vfs, struct errmsg *msg);

#endif
