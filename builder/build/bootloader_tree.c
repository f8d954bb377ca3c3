// SPDX-License-Identifier: MIT
#include "build/bootloader_tree.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/entry.h"
#include "cache/seal.h"
#include "rootfs/tree.h"

#define TREE_NAME "root"

// All of it is looked at: it is a few hundred files, of which each build reads some.
static bool check_bootloaders(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        auto_free char *difference = NULL;
        (void)context;
        if (!seal_check(dir, true, &difference, err))
                return false;
        if (difference)
                warning("%s/%s is not as it was unpacked: the boot loaders are unpacked again", path, difference);
        *ret_whole = !difference;
        return true;
}

static bool unpack_bootloaders(int dir, void *context, struct err *err) {
        const struct bootloader_tree *tree = context;
        auto_close int root = -1;
        if (!fs_mkdirs(dir, TREE_NAME, 0755, err) || !fs_open_dir(dir, TREE_NAME, &root, err))
                return false;
        for (size_t i = 0; i < tree->packages->count; i++)
                if (!interrupt_check(err) || !package_extract(tree->packages->items[i], root, err))
                        return false;
        return tree_settle(dir, tree->source_date_epoch, err) && seal_make(dir, err);
}

void bootloader_tree_inputs(const struct bootloader_tree *tree, struct buf *ret) {
        char packages[65];
        package_set_digest(tree->packages, packages);
        buf_printf(ret, "maker %s\npackages %s\n", tree->maker, packages);
}

static void bootloader_tree_key(const struct bootloader_tree *tree, char ret_hex[static DIGEST_HEX_SIZE]) {
        auto_buf text = { 0 };
        bootloader_tree_inputs(tree, &text);
        digest_bytes("sha256", text.data, text.size, ret_hex);
}

static bool look_at_bootloaders(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        auto_free char *difference = NULL;
        (void)context;
        (void)path;
        if (!seal_look(dir, true, &difference, err))
                return false;
        *ret_whole = !difference;
        return true;
}

bool bootloader_tree_look(const struct bootloader_tree *tree, bool *ret_cached, struct err *err) {
        char key[DIGEST_HEX_SIZE];
        bootloader_tree_key(tree, key);
        return entry_look(tree->cache, CACHE_BOOTLOADER, key, look_at_bootloaders, NULL, ret_cached, err);
}

bool bootloader_tree_open(const struct bootloader_tree *tree, int *ret_fd, struct err *err) {
        static const struct entry_maker maker = { check_bootloaders, unpack_bootloaders };
        struct bootloader_tree unpacking = *tree;
        char key[DIGEST_HEX_SIZE];
        bootloader_tree_key(tree, key);
        if (!entry_obtain(tree->cache, CACHE_BOOTLOADER, key, &maker, &unpacking, err))
                return wrap(err, "unpacking the boot loaders");
        auto_free char *entry = cache_entry(tree->cache, CACHE_BOOTLOADER, key);
        auto_free char *root = xasprintf("%s/" TREE_NAME, entry);
        return fs_open_dir(AT_FDCWD, root, ret_fd, err);
}
