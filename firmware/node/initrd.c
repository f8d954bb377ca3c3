#include "firmware/node/initrd.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { BLOCK_SIZE = 1 << 20, POLL_MS = 50 };

static bool hash_file(int fd, char ret_hex[static 65], struct err *err) {
        auto_free uint8_t *block = xmalloc(BLOCK_SIZE);
        struct sha256_ctx context;
        sha256_init(&context);
        for (;;) {
                ssize_t got = read(fd, block, BLOCK_SIZE);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        break;
                sha256_update(&context, (size_t)got, block);
        }
        uint8_t digest[SHA256_DIGEST_SIZE];
        sha256_digest(&context, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
        return true;
}

bool initrd_check_root(const char *path, const char *sha256, const char *size, struct err *err) {
        char *end;
        errno = 0;
        unsigned long long wanted = strtoull(size, &end, 10);
        if (!isdigit((unsigned char)*size) || *end || errno || strlen(sha256) != 64)
                return fail(err, ERR_USAGE, 0, "\"%s\" and \"%s\" are no SHA-256 and size", sha256, size);
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat stat;
        if (fd < 0 || fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if ((unsigned long long)stat.st_size != wanted)
                return fail(err, ERR_CHECKSUM, 0,
                            "%s has %lld bytes, the configuration layer belongs to a root of %llu", path,
                            (long long)stat.st_size, wanted);
        char found[65];
        if (!hash_file(fd, found, err))
                return wrap(err, "%s", path);
        if (strcasecmp(found, sha256) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s has SHA-256 %s, the configuration layer belongs to %s", path,
                            found, sha256);
        return true;
}

// ---- a medium by its label ----

// The label and type of what is on a device, "" where there is none. False if it cannot be read (an empty drive).
static bool probe_device(const char *path, char ret_label[static 64], char ret_type[static 32]) {
        ret_label[0] = ret_type[0] = '\0';
        blkid_probe probe = blkid_new_probe_from_filename(path);
        if (!probe)
                return false;
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
        const char *value;
        if (blkid_do_fullprobe(probe) == 0) {
                if (blkid_probe_lookup_value(probe, "LABEL", &value, NULL) == 0)
                        snprintf(ret_label, 64, "%s", value);
                if (blkid_probe_lookup_value(probe, "TYPE", &value, NULL) == 0)
                        snprintf(ret_type, 32, "%s", value);
        }
        blkid_free_probe(probe);
        return true;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int is_candidate(const struct dirent *entry) {
        static const char *const skipped[] = { ".", "loop", "ram", "zram", "dm-" };
        for (size_t i = 0; i < lengthof(skipped); i++)
                if (strncmp(entry->d_name, skipped[i], strlen(skipped[i])) == 0)
                        return 0;
        return 1;
}

static bool scan(const char *label, struct buf *ret, struct buf *seen) {
        struct dirent **names;
        int count = scandir("/sys/class/block", &names, is_candidate, by_name);
        bool found = false;
        for (int i = 0; i < count; i++) {
                char path[NAME_MAX + 8], found_label[64], type[32];
                snprintf(path, sizeof path, "/dev/%s", names[i]->d_name);
                free(names[i]);
                if (found || !probe_device(path, found_label, type))
                        continue;
                found = strcmp(found_label, label) == 0;
                if (found)
                        buf_printf(ret, "%s %s\n", path, type);
                buf_printf(seen, "%s%s \"%s\"", seen->size ? ", " : "", path, found_label);
        }
        if (count >= 0)
                free(names);
        return found;
}

bool initrd_find_label(const char *label, int timeout_ms, struct buf *ret, struct err *err) {
        int64_t deadline = machine_now_ms() + timeout_ms;
        for (;;) {
                auto_buf seen = { 0 };
                if (scan(label, ret, &seen))
                        return true;
                if (machine_now_ms() >= deadline)
                        return fail(err, ERR_REFERENCE, 0, "no medium with label \"%s\" (found: %s)", label,
                                    seen.size ? buf_text(&seen) : "no block device");
                usleep(POLL_MS * 1000);
        }
}
