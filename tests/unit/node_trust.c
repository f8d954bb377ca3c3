// SPDX-License-Identifier: MIT
// What a signed configuration layer must be: every way in which one can differ is refused, and says what differs.
#include "firmware/node/trust/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <nettle/eddsa.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "firmware/node/initrd/initrd.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-trust.XXXXXX";
static int dir = -1;
static const uint8_t seed[SSH_KEY_BYTES] = "seed of the key that is trusted", other_seed[SSH_KEY_BYTES] = "another";
static const char build[] = "0123456789abcdef";

// ---- signing ----

static struct ssh_key key_of(const uint8_t *from) {
        struct ssh_key key;
        ed25519_sha512_public_key(key.bytes, from);
        return key;
}

static void sign(const uint8_t *from, const char *namespace, const struct buf *text, struct buf *ret) {
        struct sshsig sshsig = { .key = key_of(from), .hash = "sha512" };
        uint8_t digest[SHA512_DIGEST_SIZE];
        struct sha512_ctx context;
        auto_buf covered = { 0 };
        snprintf(sshsig.namespace, sizeof sshsig.namespace, "%s", namespace);
        sha512_init(&context);
        sha512_update(&context, text->size, (const uint8_t *)buf_text(text));
        sha512_digest(&context, sizeof digest, digest);
        sshsig_covered(&sshsig, digest, sizeof digest, &covered);
        ed25519_sha512_sign(sshsig.key.bytes, from, covered.size, (const uint8_t *)covered.data, sshsig.signature);
        sshsig_format(&sshsig, ret);
}

// ---- a layer ----

static void put(const char *path, const void *content, size_t size) {
        unlinkat(dir, path, 0);
        auto_close int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        EXPECT(fd >= 0 && write(fd, content, size) == (ssize_t)size && fchmod(fd, 0644) == 0);
}

static void put_text(const char *path, const char *text) { put(path, text, strlen(text)); }

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk) {
        (void)stat;
        (void)type;
        return walk->level > 0 ? remove(path) : 0;
}

static void put_tree(void) {
        nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        EXPECT(mkdirat(dir, "config", 0755) == 0 && mkdirat(dir, "config/etc", 0750) == 0);
        EXPECT(fchmodat(dir, "config", 0755, 0) == 0 && fchmodat(dir, "config/etc", 0750, 0) == 0);
        put_text("root.conf", "ROLE=web\n");
        put_text("config/etc/a file", "content\n");
        put_text("config/etc/empty", "");
        put_text("rootfs.squashfs", "not looked into");
        EXPECT(symlinkat("a file", dir, "config/etc/link") == 0);
        EXPECT(mknodat(dir, "config/etc/gone", S_IFCHR, makedev(0, 0)) == 0);
        EXPECT(mkfifoat(dir, "config/etc/pipe", 0600) == 0);
}

static void hex_of(const char *text, char *ret) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, strlen(text), (const uint8_t *)text);
        sha256_digest(&context, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static struct layer_entry file_entry(const char *path, const char *text) {
        struct layer_entry entry = { .type = 'f', .mode = 0644, .size_bytes = strlen(text), .path = path };
        hex_of(text, entry.sha256);
        return entry;
}

static void format_list(const char *cluster, uint64_t serial, struct buf *ret) {
        struct layer_entry entries[] = {
                { .type = 'd', .mode = 0755, .path = "config" },
                { .type = 'd', .mode = 0750, .path = "config/etc" },
                file_entry("root.conf", "ROLE=web\n"),
                file_entry("config/etc/a file", "content\n"),
                file_entry("config/etc/empty", ""),
                { .type = 'l', .mode = 0777, .target = "a file", .path = "config/etc/link" },
                { .type = 'c', .path = "config/etc/gone" },
                { .type = 'p', .mode = 0600, .path = "config/etc/pipe" },
        };
        struct signed_layer layer = {
                .cluster = cluster,
                .role = "web",
                .build = build,
                .serial = serial,
                .entries = entries,
                .count = lengthof(entries),
        };
        hex_of("root", layer.root_sha256);
        signed_layer_format(&layer, ret);
}

static void put_signed(const uint8_t *from, const char *namespace, const char *cluster, uint64_t serial) {
        auto_buf list = { 0 };
        auto_buf signature = { 0 };
        format_list(cluster, serial, &list);
        sign(from, namespace, &list, &signature);
        put(SIGNED_LAYER_NAME, list.data, list.size);
        put(SIGNED_LAYER_SIGNATURE, signature.data, signature.size);
}

static void put_good(void) {
        put_tree();
        put_signed(seed, SSHSIG_LAYER, "tiny", 5);
}

static struct trust trust_tiny(void) {
        struct trust trust = { .cluster = "tiny", .minimum_serial = 5, .key_count = 2 };
        trust.keys[0] = key_of(other_seed);
        trust.keys[0].bytes[0] ^= 1;
        trust.keys[1] = key_of(seed);
        return trust;
}

// ---- tests ----

static bool check(struct err *err) {
        struct trust trust = trust_tiny();
        struct arena arena = { 0 };
        struct signed_layer layer;
        size_t key = 9;
        bool ok = trust_check_layer(&trust, dir, &arena, &layer, &key, err);
        if (ok)
                EXPECT(key == 1 && layer.serial == 5 && layer.count == 8 && strcmp(layer.build, build) == 0);
        arena_release(&arena);
        return ok;
}

static void what_was_signed_is_taken(void) {
        put_good();
        EXPECT_OK(check(err));
        unlinkat(dir, "rootfs.squashfs", 0); // it may come by HTTP
        EXPECT_OK(check(err));
}

static void inject(void) { put_text("config/etc/injected", "x"); }
static void inject_at_top(void) { put_text("another", "x"); }
static void inject_directory(void) { EXPECT(mkdirat(dir, "medium", 0755) == 0); }
static void inject_device(void) { EXPECT(mknodat(dir, "config/sda", S_IFBLK | 0666, makedev(8, 0)) == 0); }
static void take_file(void) { unlinkat(dir, "config/etc/empty", 0); }
static void take_root_conf(void) { unlinkat(dir, "root.conf", 0); }
static void take_whiteout(void) { unlinkat(dir, "config/etc/gone", 0); }
static void change_content(void) { put_text("config/etc/a file", "Content\n"); }
static void change_size(void) { put_text("config/etc/empty", "x"); }
static void change_root_conf(void) { put_text("root.conf", "ROLE=wab\n"); }
static void change_mode(void) { EXPECT(fchmodat(dir, "config/etc/a file", 04755, 0) == 0); }
static void change_directory_mode(void) { EXPECT(fchmodat(dir, "config/etc", 0777, 0) == 0); }
static void change_owner(void) { EXPECT(fchownat(dir, "config/etc/a file", 7, 0, 0) == 0); }
static void change_group(void) { EXPECT(fchownat(dir, "config/etc/link", 0, 7, AT_SYMLINK_NOFOLLOW) == 0); }
static void change_target(void) {
        unlinkat(dir, "config/etc/link", 0);
        EXPECT(symlinkat("b file", dir, "config/etc/link") == 0);
}
static void file_becomes_link(void) {
        unlinkat(dir, "config/etc/empty", 0);
        EXPECT(symlinkat("/dev/null", dir, "config/etc/empty") == 0);
}
static void directory_becomes_link(void) {
        EXPECT(renameat(dir, "config/etc", dir, "config/real") == 0 && symlinkat("real", dir, "config/etc") == 0);
}
static void whiteout_becomes_device(void) {
        take_whiteout();
        EXPECT(mknodat(dir, "config/etc/gone", S_IFCHR, makedev(1, 3)) == 0);
}
static void root_becomes_directory(void) {
        unlinkat(dir, "rootfs.squashfs", 0);
        EXPECT(mkdirat(dir, "rootfs.squashfs", 0755) == 0);
}
static void take_list(void) { unlinkat(dir, SIGNED_LAYER_NAME, 0); }
static void take_signature(void) { unlinkat(dir, SIGNED_LAYER_SIGNATURE, 0); }
static void list_becomes_pipe(void) {
        take_list();
        EXPECT(mkfifoat(dir, SIGNED_LAYER_NAME, 0644) == 0);
}
static void signature_becomes_link(void) {
        EXPECT(renameat(dir, SIGNED_LAYER_SIGNATURE, dir, "elsewhere") == 0);
        EXPECT(symlinkat("elsewhere", dir, SIGNED_LAYER_SIGNATURE) == 0);
}
static void sign_by_other_key(void) { put_signed(other_seed, SSHSIG_LAYER, "tiny", 5); }
static void sign_for_other_namespace(void) { put_signed(seed, SSHSIG_BUILD, "tiny", 5); }
static void sign_other_cluster(void) { put_signed(seed, SSHSIG_LAYER, "tine", 5); }
static void sign_lower_serial(void) { put_signed(seed, SSHSIG_LAYER, "tiny", 4); }
static void sign_no_serial(void) { put_signed(seed, SSHSIG_LAYER, "tiny", 0); }
static void sign_no_list(void) {
        auto_buf list = { 0 };
        auto_buf signature = { 0 };
        buf_append_text(&list, "0123  config.cpio\n");
        sign(seed, SSHSIG_LAYER, &list, &signature);
        put(SIGNED_LAYER_NAME, list.data, list.size);
        put(SIGNED_LAYER_SIGNATURE, signature.data, signature.size);
}

static void whatever_differs_is_refused(void) {
        static const struct {
                void (*change)(void);
                const char *says;
        } rows[] = {
                { inject, "/kiln/config/etc/injected is not in the signed list" },
                { inject_at_top, "/kiln/another is not in the signed list" },
                { inject_directory, "/kiln/medium is not in the signed list" },
                { inject_device, "/kiln/config/sda is not in the signed list" },
                { take_file, "/kiln/config/etc/empty of the signed list is missing" },
                { take_root_conf, "/kiln/root.conf of the signed list is missing" },
                { take_whiteout, "/kiln/config/etc/gone of the signed list is missing" },
                { change_content, "/kiln/config/etc/a file is not what was signed: its content" },
                { change_size, "/kiln/config/etc/empty is not what was signed: its size" },
                { change_root_conf, "/kiln/root.conf is not what was signed: its content" },
                { change_mode, "/kiln/config/etc/a file is not what was signed: its permissions" },
                { change_directory_mode, "/kiln/config/etc is not what was signed: its permissions" },
                { change_owner, "/kiln/config/etc/a file is not what was signed: its owner" },
                { change_group, "/kiln/config/etc/link is not what was signed: its owner" },
                { change_target, "/kiln/config/etc/link is not what was signed: its target" },
                { file_becomes_link, "/kiln/config/etc/empty is not what was signed: its type" },
                { directory_becomes_link, "/kiln/config/" },
                { whiteout_becomes_device, "/kiln/config/etc/gone is not what was signed: its device number" },
                { root_becomes_directory, "/kiln/rootfs.squashfs is not a file" },
                { take_list, "it has no /kiln/layer" },
                { take_signature, "it has no /kiln/layer.sig" },
                { list_becomes_pipe, "/kiln/layer" },
                { signature_becomes_link, "/kiln/layer.sig" },
                { sign_by_other_key, "signed by a key that this machine does not trust" },
                { sign_for_other_namespace, "the signature is for something else (\"kiln-build\")" },
                { sign_other_cluster, "is cluster tine's, this machine belongs to tiny" },
                { sign_lower_serial, "has serial 4, and nothing below 5 is booted" },
                { sign_no_serial, "has serial 0, and nothing below 5 is booted" },
                { sign_no_list, "does not begin as one" },
        };
        for (size_t i = 0; i < lengthof(rows); i++) {
                auto_err err = { 0 };
                put_good();
                rows[i].change();
                bool taken = check(&err);
                bool says = err.text && strstr(err.text, rows[i].says);
                if (taken || !says)
                        printf("# row %zu (%s): %s\n", i, rows[i].says, err.text ? err.text : "taken");
                EXPECT(!taken && says);
        }
}

// Every byte of the list, and a stretch of the signature, with each of its bits turned; and both cut short.
static void no_mutation_is_taken(void) {
        auto_buf list = { 0 };
        auto_buf signature = { 0 };
        size_t taken = 0;
        put_good();
        format_list("tiny", 5, &list);
        sign(seed, SSHSIG_LAYER, &list, &signature);
        struct buf *const texts[] = { &list, &signature };
        static const char *const names[] = { SIGNED_LAYER_NAME, SIGNED_LAYER_SIGNATURE };
        for (size_t which = 0; which < lengthof(texts); which++) {
                for (size_t at = 0; at < texts[which]->size; at++) {
                        auto_err err = { 0 }, cut = { 0 };
                        char before = texts[which]->data[at];
                        texts[which]->data[at] = (char)(before ^ (1 << at % 7));
                        put(names[which], texts[which]->data, texts[which]->size);
                        taken += check(&err);
                        texts[which]->data[at] = before;
                        put(names[which], texts[which]->data, at);
                        bool whole = which == 1 && at == texts[which]->size - 1; // but for the last newline
                        taken += check(&cut) && !whole;
                }
                put(names[which], texts[which]->data, texts[which]->size);
        }
        EXPECT(taken == 0);
        EXPECT_OK(check(err));
}

static void trust_is_read_strictly(void) {
        auto_buf line = { 0 };
        struct ssh_key key = key_of(seed);
        ssh_key_format(&key, &line);
        auto_free char *path = xasprintf("%s/trust", top);
        auto_free char *good =
            xasprintf("cluster tiny\nminimum_serial 7\nkey %s\nkey %s ops@site\n", buf_text(&line), buf_text(&line));
        struct trust trust;
        unlink(path);
        EXPECT_OK(trust_read(path, &trust, err));
        EXPECT(trust.key_count == 0);
        put_text("trust", good);
        EXPECT_OK(trust_read(path, &trust, err));
        EXPECT(trust.key_count == 2 && trust.minimum_serial == 7 && strcmp(trust.cluster, "tiny") == 0 &&
               ssh_key_equal(&trust.keys[1], &key));
        static const char *const bad[] = { "",           "cluster tiny\n",      "key\n",
                                           "key x\n",    "minimum_serial -1\n", "minimum_serial\n",
                                           "serial 1\n", "cluster \n" };
        for (size_t i = 0; i < lengthof(bad); i++) {
                auto_err err = { 0 };
                auto_free char *text = xasprintf("%s%s", i > 1 ? good : "", bad[i]);
                put_text("trust", text);
                EXPECT(!trust_read(path, &trust, &err) && err.kind == ERR_SYNTAX);
        }
        auto_buf many = { 0 };
        for (size_t i = 0; i <= TRUST_KEYS_MAX; i++)
                buf_printf(&many, "key %s\n", buf_text(&line));
        auto_err err = { 0 };
        put_text("trust", buf_text(&many));
        EXPECT(!trust_read(path, &trust, &err));
}

// ---- a root that is copied off a medium ----

static const char *copy_root(const char *from, const char *sha256, const char *size) {
        static char said[512];
        auto_err err = { 0 };
        auto_free char *source = xasprintf("%s/%s", top, from), *copy = xasprintf("%s/copy", top);
        said[0] = '\0';
        if (!initrd_copy_root(source, copy, sha256, size, &err))
                snprintf(said, sizeof said, "%s", err.text);
        return said;
}

static void a_root_is_what_was_copied(void) {
        // of "root\n"
        static const char sha256[] = "53175bcc0524f37b47062fafdda28e3f8eb91d519ca0a184ca71bbebe72f969a";
        struct stat stat;
        put_text("root", "root\n");
        EXPECT_TEXT(copy_root("root", sha256, "5"), "");
        EXPECT(fstatat(dir, "copy", &stat, 0) == 0 && stat.st_size == 5 && (stat.st_mode & 077) == 0);
        EXPECT(symlinkat("root", dir, "link") == 0 && mkfifoat(dir, "fifo", 0600) == 0);
        const struct {
                const char *from, *sha256, *size, *says;
        } wrong[] = {
                { "root", sha256, "4", "larger than 4 bytes" },
                { "root", sha256, "6", "has 5 bytes" },
                { "root", sha256, "-5", "are no SHA-256 and size" },
                { "root", sha256 + 1, "5", "are no SHA-256 and size" },
                { "root", "00175bcc0524f37b47062fafdda28e3f8eb91d519ca0a184ca71bbebe72f969a", "5",
                  "has SHA-256 53175b" },
                { "link", sha256, "5", "open" },
                { "fifo", sha256, "5", "has 0 bytes" },
                { "none", sha256, "5", "open" },
        };
        for (size_t i = 0; i < lengthof(wrong); i++) {
                EXPECT(strstr(copy_root(wrong[i].from, wrong[i].sha256, wrong[i].size), wrong[i].says) != NULL);
                bool is_usage = strstr(wrong[i].says, "are no") != NULL;
                EXPECT(is_usage || fstatat(dir, "copy", &stat, 0) < 0);
        }
        unlinkat(dir, "link", 0);
        unlinkat(dir, "fifo", 0);
        unlinkat(dir, "root", 0);
}

int main(void) {
        if (!mkdtemp(top) || (dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return 1;
        if (geteuid() != 0) {
                printf("1..0 # SKIP only root makes devices and changes owners\n");
                rmdir(top);
                return 0;
        }
        umask(022);
        RUN(what_was_signed_is_taken);
        RUN(whatever_differs_is_refused);
        RUN(no_mutation_is_taken);
        RUN(trust_is_read_strictly);
        RUN(a_root_is_what_was_copied);
        nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        rmdir(top);
        return test_done();
}
