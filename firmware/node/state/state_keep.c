// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_keep.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"
#include "firmware/node/state/state_mount.h"

#define KEEP STATE_MOUNT "/kiln/keep"
#define SSH "/etc/ssh"
#define SEED "/var/lib/systemd/random-seed"
#define KEY_PREFIX "ssh_host_"

enum { KEY_MAX = 64 << 10, SEED_BYTES = 512, ID_DIGITS = 32 };

bool machine_id_is_valid(const char *text) {
        return strspn(text, "0123456789abcdef") == ID_DIGITS && strspn(text, "0") < ID_DIGITS &&
               (text[ID_DIGITS] == '\0' || strcmp(text + ID_DIGITS, "\n") == 0);
}

static bool read_random(void *data, size_t size, struct err *err) {
        auto_close int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, data, size) != (ssize_t)size)
                return fail(err, ERR_SYSTEM, errno, "read /dev/urandom");
        return true;
}

static bool write_root_file(int root, const char *path, const void *content, size_t size, unsigned mode,
                            struct err *err) {
        bool changed;
        return root_write(root, &(struct root_file){ path, content, size, mode, 0, 0 }, &changed, err);
}

// ---- machine-id ----

static void mix_in_file(struct sha256_ctx *context, int root, const char *path) {
        auto_buf text = { .max = KEY_MAX };
        auto_err ignored = { 0 };
        bool found;
        if (root_read(root, path, &text, &found, &ignored) && found)
                sha256_update(context, text.size, (const uint8_t *)buf_text(&text));
}

// A version 4 UUID, as systemd makes them. Early at boot the kernel's random numbers may be the same on all of a rack
// of equal machines: what SMBIOS says of this one, and the time, go in too.
bool machine_id_make(int root, char ret_text[static MACHINE_ID_SIZE], struct err *err) {
        uint8_t random[32], digest[SHA256_DIGEST_SIZE];
        struct timespec now;
        struct sha256_ctx context;
        if (!read_random(random, sizeof random, err))
                return false;
        clock_gettime(CLOCK_REALTIME, &now);
        sha256_init(&context);
        sha256_update(&context, sizeof random, random);
        sha256_update(&context, sizeof now, (const uint8_t *)&now);
        mix_in_file(&context, root, "/sys/class/dmi/id/product_uuid");
        mix_in_file(&context, root, "/sys/class/dmi/id/product_serial");
        sha256_digest(&context, sizeof digest, digest);
        digest[6] = (digest[6] & 0x0f) | 0x40; // version 4
        digest[8] = (digest[8] & 0x3f) | 0x80; // RFC 9562's variant
        for (size_t i = 0; i < ID_DIGITS / 2; i++)
                snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
        memcpy(ret_text + ID_DIGITS, "\n", 2);
        return true;
}

static bool restore_machine_id(int root, int keep, struct err *err) {
        auto_buf kept = { .max = KEY_MAX };
        char text[MACHINE_ID_SIZE];
        bool found;
        if (!beneath_read(keep, "machine-id", &kept, &found, err))
                return wrap(err, KEEP);
        if (found && machine_id_is_valid(buf_text(&kept)))
                snprintf(text, sizeof text, "%.*s\n", ID_DIGITS, buf_text(&kept));
        else if (!machine_id_make(root, text, err))
                return false;
        return write_root_file(keep, "machine-id", text, strlen(text), 0444, err) &&
               write_root_file(root, "/etc/machine-id", text, strlen(text), 0444, err);
}

// ---- the random seed ----

// One of more bytes, or with another name on the disk, is not what systemd wrote.
static bool open_seed(int keep, int *ret, struct err *err) {
        struct stat stat;
        if (!beneath_open_own_file(keep, "random-seed", ret, err))
                return wrap(err, KEEP);
        if (*ret < 0 || fstat(*ret, &stat) < 0 || stat.st_size == 0 || stat.st_size > KEY_MAX) {
                if (*ret >= 0)
                        close(*ret);
                *ret = -1;
        }
        return true;
}

static bool make_seed(int keep, int *ret, struct err *err) {
        uint8_t random[SEED_BYTES];
        if (!read_random(random, sizeof random, err) ||
            !write_root_file(keep, "random-seed", random, sizeof random, 0600, err) || !open_seed(keep, ret, err))
                return false;
        return *ret >= 0 || fail(err, ERR_SYSTEM, 0, KEEP "/random-seed is not what was written");
}

static bool restore_seed(int root, int keep, struct err *err) {
        auto_close int seed = -1;
        if (!open_seed(keep, &seed, err) || (seed < 0 && !make_seed(keep, &seed, err)))
                return false;
        // The file must be there to be mounted over; systemd-random-seed then writes through the mount.
        return write_root_file(root, SEED, "", 0, 0600, err) && state_bind_file(seed, SEED, err);
}

// ---- SSH host keys ----

// An empty key is left out: it was being written when the power went. A private key is root's alone, also on EL7, whose
// group ssh_keys may read it: the number of that group differs from build to build.
static bool copy_key(int from, int to, const char *name, struct err *err) {
        auto_buf key = { .max = KEY_MAX };
        bool found;
        size_t size = strlen(name);
        bool is_public = size > 4 && strcmp(name + size - 4, ".pub") == 0;
        if (!beneath_read(from, name, &key, &found, err))
                return false;
        if (!found || key.size == 0)
                return true;
        unsigned mode = 0600;
        if (is_public)
                mode = 0644;
        return write_root_file(to, name, buf_text(&key), key.size, mode, err);
}

static bool copy_keys(int from, int to, struct err *err) {
        int listed = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (listed < 0)
                return fail(err, ERR_SYSTEM, errno, "list a directory of keys");
        auto_closedir DIR *entries = fdopendir(listed);
        if (!entries)
                return fail(err, ERR_SYSTEM, errno, "list a directory of keys");
        for (struct dirent *entry; (entry = readdir(entries));)
                if (strncmp(entry->d_name, KEY_PREFIX, sizeof KEY_PREFIX - 1) == 0 &&
                    !copy_key(from, to, entry->d_name, err))
                        return false;
        return true;
}

// The image's /etc/ssh, where its own links are followed. `*ret` -1: it has none.
static bool open_ssh(int root, int *ret, struct err *err) {
        auto_free char *name = NULL;
        *ret = -1;
        if (root_open_parent(root, SSH "/" KEY_PREFIX, false, ret, &name, err))
                return true;
        if (err->number != ENOENT)
                return false;
        err_release(err);
        return true;
}

static bool restore_keys(int root, int keep, struct err *err) {
        auto_close int ssh = -1;
        if (!open_ssh(root, &ssh, err))
                return false;
        return ssh < 0 || copy_keys(keep, ssh, err) || wrap(err, KEEP);
}

// Each by itself: what is wrong with one does not take the others away. The first reason counts.
bool keep_restore(int root, struct err *err) {
        assert(root >= 0);
        static bool (*const restore[])(int, int, struct err *) = { restore_machine_id, restore_keys, restore_seed };
        auto_close int keep = -1;
        bool ok = true;
        if (!beneath_open_directory(root, KEEP, true, &keep, err))
                return false;
        if (fchmod(keep, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "change the mode of " KEEP);
        for (size_t i = 0; i < lengthof(restore); i++) {
                auto_err problem = { 0 };
                if (restore[i](root, keep, &problem))
                        continue;
                if (ok)
                        (void)fail(err, problem.kind, 0, "%s", problem.text);
                ok = false;
        }
        return ok;
}

bool keep_save(int root, struct err *err) {
        assert(root >= 0);
        struct stat stat;
        auto_close int keep = -1, ssh = -1;
        if (fstatat(root, &KEEP[1], &stat, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(root, "run/kiln/refused", &stat, 0) == 0)
                return true;
        if (!beneath_open_directory(root, KEEP, false, &keep, err) || !open_ssh(root, &ssh, err) ||
            (ssh >= 0 && !copy_keys(ssh, keep, err)))
                return wrap(err, "keeping the SSH host keys on the state disk");
        return syncfs(keep) == 0 || fail(err, ERR_SYSTEM, errno, "write out %s", KEEP);
}
