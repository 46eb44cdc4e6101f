/* What overlay.c (names) and overlay_bytes.c (contents) share. */
#ifndef INSPECT_OVERLAY_IMPL_H
#define INSPECT_OVERLAY_IMPL_H

#include "overlay.h"

#define PAGE_BYTES    4096
#define OVERLAY_MAGIC 0x4f564c59u

struct page {
    uint64_t number;
    UT_hash_handle by_number;
    uint8_t bytes[PAGE_BYTES];
};
struct node {
    char *path;
    UT_hash_handle by_path;
    bool gone, is_dir, linked;
    char *origin;          /* the file below, NULL: none */
    uint64_t origin_bytes; /* of it that still count */
    uint64_t size_bytes;
    bool no_pages; /* copies that are kept aside: their bytes are of no interest */
    struct page *pages;
    uint32_t n_open;
    struct file *below; /* while it is open */
};
struct overlay {
    struct vfs vfs;
    uint32_t magic;
    struct vfs *base;
    struct node *nodes;
};
struct overlay_file {
    struct file file;
    struct overlay *o;
    struct node *node;
};

/* overlay_bytes.c */
int overlay_read_bytes(struct overlay *o, struct node *n, uint8_t *p, size_t want, uint64_t at);
int overlay_write_bytes(struct overlay *o, struct node *n, const uint8_t *p, size_t want,
                        uint64_t at);
void overlay_cut_bytes(struct node *n, uint64_t size_bytes);
void overlay_drop_pages(struct node *n, uint64_t from); /* by number */

#endif
