// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_keep.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"

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

static bool restore_machine_id(int root, struct err *err) {
        auto_buf kept = { .max = KEY_MAX };
        char text[MACHINE_ID_SIZE];
        bool found;
        if (!root_read(root, KEEP "/machine-id", &kept, &found, err))
                return false;
        if (found && machine_id_is_valid(buf_text(&kept)))
                snprintf(text, sizeof text, "%.*s\n", ID_DIGITS, buf_text(&kept));
        else if (!machine_id_make(root, text, err))
                return false;
        return write_root_file(root, KEEP "/machine-id", text, strlen(text), 0444, err) &&
               write_root_file(root, "/etc/machine-id", text, strlen(text), 0444, err);
}

// ---- the random seed ----

static bool make_seed(int root, struct err *err) {
        uint8_t random[SEED_BYTES];
        return read_random(random, sizeof random, err) &&
               write_root_file(root, KEEP "/random-seed", random, sizeof random, 0600, err);
}

static bool restore_seed(int root, struct err *err) {
        struct stat stat;
        bool was_kept = lstat(KEEP "/random-seed", &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0;
        if (!was_kept && !make_seed(root, err))
                return false;
        // The file must be there to be mounted over; systemd-random-seed then writes through the mount.
        if (!write_root_file(root, SEED, "", 0, 0600, err))
                return false;
        return mount(KEEP "/random-seed", SEED, NULL, MS_BIND, NULL) == 0 ||
               fail(err, ERR_SYSTEM, errno, "mount the random seed");
}

// ---- SSH host keys ----

// An empty key is left out: it was being written when the power went. A private key is root's alone, also on EL7, whose
// group ssh_keys may read it: the number of that group differs from build to build.
static bool copy_key(int root, const char *from, const char *to, const char *name, struct err *err) {
        auto_free char *source = xasprintf("%s/%s", from, name), *target = xasprintf("%s/%s", to, name);
        auto_buf key = { .max = KEY_MAX };
        bool found;
        size_t size = strlen(name);
        bool is_public = size > 4 && strcmp(name + size - 4, ".pub") == 0;
        if (!root_read(root, source, &key, &found, err))
                return false;
        if (!found || key.size == 0)
                return true;
        unsigned mode = 0600;
        if (is_public)
                mode = 0644;
        return write_root_file(root, target, buf_text(&key), key.size, mode, err);
}

static bool copy_keys(int root, const char *from, const char *to, struct err *err) {
        auto_close int dir = openat(root, from + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "open %s", from);
        auto_closedir DIR *entries = fdopendir(take_fd(dir));
        if (!entries)
                return fail(err, ERR_SYSTEM, errno, "list %s", from);
        for (struct dirent *entry; (entry = readdir(entries));)
                if (strncmp(entry->d_name, KEY_PREFIX, sizeof KEY_PREFIX - 1) == 0 &&
                    !copy_key(root, from, to, entry->d_name, err))
                        return false;
        return true;
}

static bool make_keep(struct err *err) {
        const char *const paths[] = { STATE_MOUNT "/kiln", KEEP };
        for (size_t i = 0; i < lengthof(paths); i++)
                if (mkdir(paths[i], 0700) < 0 && errno != EEXIST)
                        return fail(err, ERR_SYSTEM, errno, "make directory %s", paths[i]);
        return true;
}

bool keep_restore(int root, struct err *err) {
        assert(root >= 0);
        return make_keep(err) && restore_machine_id(root, err) && copy_keys(root, KEEP, SSH, err) &&
               restore_seed(root, err);
}

bool keep_save(int root, struct err *err) {
        assert(root >= 0);
        struct stat stat;
        if (fstatat(root, &KEEP[1], &stat, 0) < 0 || fstatat(root, "run/kiln/refused", &stat, 0) == 0)
                return true;
        if (!copy_keys(root, SSH, KEEP, err))
                return wrap(err, "keeping the SSH host keys on the state disk");
        auto_close int fd = openat(root, &KEEP[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return (fd >= 0 && syncfs(fd) == 0) || fail(err, ERR_SYSTEM, errno, "write out %s", KEEP);
}
