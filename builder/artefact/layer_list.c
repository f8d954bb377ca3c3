// SPDX-License-Identifier: MIT
#include "artefact/layer_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/digest.h"

#define LAYER_PREFIX "kiln/"

static char layer_entry_type(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return 'd';
        case S_IFLNK:
                return 'l';
        case S_IFCHR:
                return 'c';
        case S_IFBLK:
                return 'b';
        case S_IFIFO:
                return 'p';
        default:
                return 'f';
        }
}

static void set_content(struct layer_entry *entry, const struct cpio_entry *from) {
        const char *data = from->data;
        if (!data)
                data = "";
        entry->size_bytes = from->size;
        char sha256[DIGEST_HEX_SIZE];
        digest_bytes("sha256", data, from->size, sha256);
        memcpy(entry->sha256, sha256, sizeof entry->sha256);
}

static void share_content(struct layer_list *list, const struct cpio_entry *from) {
        for (size_t i = 0; i < list->layer.count; i++)
                if (list->inodes[i] == from->inode)
                        set_content(&list->layer.entries[i], from);
}

void layer_list_add(struct layer_list *list, const struct cpio_entry *from) {
        assert(strncmp(from->path, LAYER_PREFIX, strlen(LAYER_PREFIX)) == 0);
        struct layer_entry *entry = array_append(&list->layer.entries, &list->layer.count);
        *entry = (struct layer_entry){
                .type = layer_entry_type(from->mode),
                .mode = from->mode & 07777,
                .uid = from->uid,
                .gid = from->gid,
                .path = arena_strdup(&list->arena, from->path + strlen(LAYER_PREFIX)),
        };
        *array_append(&list->inodes, &list->inode_count) = from->inode;
        if (entry->type == 'l')
                entry->target = arena_strdup(&list->arena, from->target);
        if (entry->type == 'c' || entry->type == 'b') {
                entry->major = major(from->device);
                entry->minor = minor(from->device);
        }
        if (entry->type == 'f')
                set_content(entry, from);
        if (entry->type == 'f' && from->inode && from->data)
                share_content(list, from);
}

void layer_list_format(struct layer_list *list, const struct artefact_build *build, const struct artefact_role *role,
                       struct buf *ret) {
        struct signed_layer *layer = &list->layer;
        layer->cluster = build->cluster->name;
        layer->role = role->role->name;
        layer->build = build->build_id;
        layer->serial = build->serial;
        layer->root_size_bytes = role->root_size_bytes;
        memcpy(layer->root_sha256, role->root_sha256, sizeof layer->root_sha256);
        signed_layer_format(layer, ret);
}

void layer_list_release(struct layer_list *list) {
        free(list->layer.entries);
        free(list->inodes);
        arena_release(&list->arena);
}
