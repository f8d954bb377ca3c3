// SPDX-License-Identifier: MIT
// What a shared cache answers: signed entries that were changed, swapped or replayed, and archives that lose something
// or lead outside.
#include "remote/remote.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "cache/seal.h"
#include "remote/action.h"
#include "remote/bundle.h"
#include "signing/signing.h"
#include "tests/unit/test.h"

enum { MUTATIONS = 10000 };

static char top[] = "/tmp/kiln-remote-XXXXXX";
static int top_fd = -1;
static struct signer *accepted, *stranger;

static struct signer *make_signer(const char *name) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        struct signer *signer = NULL;
        EXPECT_OK(run_command(err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path, NULL));
        EXPECT_OK(signer_open(path, &signer, err));
        return signer;
}

// ---- signed entries ----

static struct action an_action(const char *kind, const char *name, char digit) {
        struct action action = { .kind = kind, .name = name, .form = ACTION_TREE, .size_bytes = 1234567 };
        memset(action.sha256, digit, sizeof action.sha256 - 1);
        action.sha256[sizeof action.sha256 - 1] = '\0';
        return action;
}

static void sign_action(const struct action *action, const struct signer *signer, struct buf *ret) {
        EXPECT_OK(action_sign(action, signer, ret, err));
}

static bool is_taken(const struct buf *text, const char *kind, const char *name, enum action_form form) {
        struct action action = { .kind = kind, .name = name, .form = form };
        auto_err error = { 0 };
        return action_read(text, signer_key(accepted), 1, &action, &error);
}

static void entry_is_read_as_it_was_signed(void) {
        const struct action action = an_action("layers", "abc", '7');
        struct action found = { .kind = "layers", .name = "abc", .form = ACTION_TREE };
        auto_buf text = { 0 };
        sign_action(&action, accepted, &text);
        EXPECT_OK(action_read(&text, signer_key(accepted), 1, &found, err));
        EXPECT_TEXT(found.sha256, action.sha256);
        EXPECT(found.size_bytes == action.size_bytes);
}

static void other_entries_are_refused(void) {
        const struct action action = an_action("layers", "abc", '7');
        auto_buf text = { 0 };
        auto_buf strange = { 0 };
        auto_buf misused = { 0 };
        sign_action(&action, accepted, &text);
        EXPECT(!is_taken(&text, "layers", "abd", ACTION_TREE));   // replayed under another key
        EXPECT(!is_taken(&text, "squashfs", "abc", ACTION_TREE)); // as another kind
        EXPECT(!is_taken(&text, "layers", "abc", ACTION_FILE));
        sign_action(&action, stranger, &strange);
        EXPECT(!is_taken(&strange, "layers", "abc", ACTION_TREE));
        size_t signed_bytes = (size_t)(strstr(text.data, "-----BEGIN") - text.data);
        buf_append(&misused, text.data, signed_bytes);
        EXPECT_OK(signer_sign(accepted, SSHSIG_BUILD, text.data, signed_bytes, &misused, err));
        EXPECT(!is_taken(&misused, "layers", "abc", ACTION_TREE)); // what was signed as a build
}

static void keys_differ_by_kind_and_name(void) {
        char one[ACTION_KEY_SIZE], two[ACTION_KEY_SIZE], three[ACTION_KEY_SIZE];
        action_key("iso", "a", one);
        action_key("iso", "b", two);
        action_key("kernel", "a", three);
        EXPECT(strlen(one) == ACTION_KEY_SIZE - 1 && strspn(one, "0123456789abcdef") == ACTION_KEY_SIZE - 1);
        EXPECT(strcmp(one, two) != 0 && strcmp(one, three) != 0 && strcmp(two, three) != 0);
}

static unsigned random_below(unsigned bound) {
        static uint64_t state = 16;
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (unsigned)(state >> 33) % bound;
}

// One change of a text, with parts of another one that was signed as well.
static void mutate(const struct buf *text, const struct buf *other, struct buf *ret) {
        unsigned at = random_below((unsigned)text->size), count = 1 + random_below(8);
        buf_append(ret, text->data, text->size);
        switch (random_below(6)) {
        case 0:
                ret->data[at] = (char)(ret->data[at] ^ (1 << random_below(8)));
                break;
        case 1:
                ret->data[at] = (char)random_below(256);
                break;
        case 2: // cut off
                ret->size = at;
                break;
        case 3: // more
                buf_append(ret, other->data + random_below((unsigned)other->size - 8), count);
                break;
        case 4: // the beginning of one, the end of the other
                ret->size = at;
                buf_append(ret, other->data + at, other->size - at);
                break;
        default: // a part that is away
                memmove(ret->data + at, ret->data + size_min(at + count, ret->size),
                        ret->size - size_min(at + count, ret->size));
                ret->size -= size_min(at + count, ret->size) - at;
        }
        buf_append_char(ret, '\0'); // texts end so
        ret->size--;
}

static void no_mutation_is_accepted(void) {
        const struct action action = an_action("layers", "abc", '7'), evil = an_action("layers", "abc", '6');
        const struct action swapped = an_action("layers", "abd", '5');
        auto_buf text = { 0 };
        struct buf others[3] = { { 0 }, { 0 }, { 0 } };
        unsigned taken = 0, tried = 0;
        sign_action(&action, accepted, &text);
        sign_action(&evil, stranger, &others[0]);
        sign_action(&swapped, accepted, &others[1]);
        sign_action(&action, stranger, &others[2]);
        while (tried < MUTATIONS) {
                auto_buf mutated = { 0 };
                mutate(&text, &others[random_below(3)], &mutated);
                if (mutated.size == text.size && memcmp(mutated.data, text.data, text.size) == 0)
                        continue; // it changed nothing
                tried++;
                taken += is_taken(&mutated, "layers", "abc", ACTION_TREE);
        }
        EXPECT(taken == 0);
        for (size_t i = 0; i < lengthof(others); i++)
                buf_release(&others[i]);
}

// ---- archives ----

static int make_dir(const char *name) {
        int fd = -1;
        EXPECT_OK(fs_mkdirs(top_fd, name, 0755, err));
        EXPECT_OK(fs_open_dir(top_fd, name, &fd, err));
        return fd;
}

static void put(int dir, const char *path, const char *text, mode_t mode) {
        EXPECT_OK(fs_write(dir, path, text, strlen(text), mode, err));
}

static const char *const odd_attributes[] = {
        "user.\xc3\xbc", "user.\xfc", "user.a b%c", "user.a=b", "user.=",
        "user.%41",      "user.\n",   "user.a\x01", "user.+~",
};

static const char large_value[2000] = "large";

// All that a layer may hold. What this user may not make is left out.
static void fill_layer(int dir) {
        const struct timespec times[2] = { { 1450051200, 123456789 }, { 1450051200, 123456789 } };
        const struct vfs_cap_data capability = { .magic_etc = VFS_CAP_REVISION_2, .data = { { 1 << 10, 0 } } };
        auto_free char *root = xasprintf("%s/from/root", top);
        auto_free char *ping = xasprintf("%s/ping", root);
        auto_free char *opaque = xasprintf("%s/opaque", root);
        auto_free char *deep = xasprintf("%0150d/%0200d", 1, 2);
        auto_free char *deep_dir = xasprintf("root/%0150d", 1);
        auto_free char *deep_path = xasprintf("root/%s", deep);
        EXPECT_OK(fs_mkdirs(dir, "root/opaque", 0755, err) && fs_mkdirs(dir, "root/closed", 0500, err) &&
                  fs_mkdirs(dir, deep_dir, 0711, err));
        put(dir, "root/ping", "ping", 0755);
        put(dir, "root/su", "su", 04755);
        put(dir, "root/empty", "", 0600);
        put(dir, "root/closed/file", "in a directory that nobody may write to", 0400);
        put(dir, "root/caf\xc3\xa9", "UTF-8", 0644);
        put(dir, "root/caf\xe9", "Latin-1", 0644);
        put(dir, deep_path, "deep", 0644);
        EXPECT(symlinkat("/etc/no/such", dir, "root/link") == 0);
        EXPECT(linkat(dir, "root/su", dir, "root/zz-su", 0) == 0);
        EXPECT(mknodat(dir, "root/gone", S_IFCHR, makedev(0, 0)) == 0);
        auto_close int holes = openat(dir, "root/holes", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        EXPECT(holes >= 0 && pwrite(holes, "x", 1, 3 << 20) == 1 && ftruncate(holes, 8 << 20) == 0);
        auto_close int hole = openat(dir, "root/hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        EXPECT(hole >= 0 && ftruncate(hole, 64 << 20) == 0);
        if (geteuid() == 0) {
                EXPECT(fchownat(dir, "root/ping", 123456, 654321, 0) == 0);
                EXPECT(setxattr(ping, "security.capability", &capability, sizeof capability, 0) == 0);
                (void)!setxattr(opaque, "trusted.overlay.opaque", "y", 1, 0);
        }
        (void)!setxattr(ping, "user.note", "\0\1", 2, 0);
        for (size_t i = 0; i < lengthof(odd_attributes); i++)
                (void)!setxattr(ping, odd_attributes[i], "a=b %\n\0", 7, 0);
        (void)!setxattr(ping, "user.empty", "", 0, 0);
        (void)!setxattr(ping, "user.large", large_value, sizeof large_value, 0);
        EXPECT(utimensat(dir, "root/ping", times, 0) == 0 &&
               utimensat(dir, "root/link", times, AT_SYMLINK_NOFOLLOW) == 0);
        EXPECT(utimensat(dir, "root/opaque", times, 0) == 0);
        put(dir, "place.json", "{}", 0644);
}

static int open_bundle(void) {
        auto_free char *path = xasprintf("%s/bundle", top);
        return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static bool pack(int from, int bundle, const atomic_bool *stop) {
        char sha256[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE];
        uint64_t size = 0;
        auto_err error = { 0 };
        if (!bundle_pack(from, bundle, stop, sha256, &size, &error))
                return false;
        EXPECT((off_t)size == lseek(bundle, 0, SEEK_END));
        EXPECT_OK(digest_fd("sha256", bundle, found, err));
        EXPECT_TEXT(sha256, found);
        EXPECT(lseek(bundle, 0, SEEK_SET) == 0);
        return true;
}

static void layer_comes_back_as_it_was(void) {
        static const atomic_bool go_on = false;
        auto_close int from = make_dir("from");
        auto_close int to = make_dir("to");
        auto_close int bundle = open_bundle();
        auto_free char *difference = NULL;
        struct stat holes, hole;
        fill_layer(from);
        EXPECT_OK(seal_make(from, err));
        EXPECT(pack(from, bundle, &go_on));
        EXPECT_OK(bundle_unpack(bundle, to, true, err));
        EXPECT(!fs_exists(to, "place") && !fs_exists(to, "place.json"));
        EXPECT_OK(seal_check(to, true, &difference, err));
        EXPECT_TEXT(text_or(difference, "the same"), "the same");
        EXPECT(fstatat(to, "root/holes", &holes, 0) == 0 && holes.st_blocks < 1024);
        EXPECT(fstatat(to, "root/hole", &hole, 0) == 0 && hole.st_blocks < 64 && hole.st_size == 64 << 20);
}

// As many as were made, since a file system may have none.
static void attributes_come_back(void) {
        auto_free char *from = xasprintf("%s/from/root/ping", top);
        auto_free char *to = xasprintf("%s/to/root/ping", top);
        char before[512], after[512];
        EXPECT(listxattr(from, before, sizeof before) == listxattr(to, after, sizeof after));
        for (size_t i = 0; i < lengthof(odd_attributes); i++) {
                ssize_t size = getxattr(from, odd_attributes[i], before, sizeof before);
                EXPECT(getxattr(to, odd_attributes[i], after, sizeof after) == size);
                EXPECT(size < 0 || memcmp(before, after, (size_t)size) == 0);
        }
}

static void packing_can_be_stopped(void) {
        static const atomic_bool stop = true;
        auto_close int from = make_dir("from");
        auto_close int bundle = open_bundle();
        EXPECT(!pack(from, bundle, &stop));
}

struct hostile {
        const char *path;
        mode_t type;
        const char *target; // of a link
        bool is_hard;
};

static void write_hostile(const struct hostile *files, size_t count, int to) {
        struct archive *archive = archive_write_new();
        archive_write_set_format_pax(archive);
        archive_write_add_filter_zstd(archive);
        EXPECT(archive_write_open_fd(archive, to) == ARCHIVE_OK);
        for (size_t i = 0; i < count; i++) {
                struct archive_entry *entry = archive_entry_new();
                archive_entry_copy_pathname(entry, files[i].path);
                archive_entry_set_mode(entry, files[i].type | 0755);
                archive_entry_set_rdevmajor(entry, 1);
                archive_entry_set_rdevminor(entry, 3);
                archive_entry_set_uid(entry, geteuid());
                archive_entry_set_gid(entry, getegid());
                if (files[i].is_hard)
                        archive_entry_copy_hardlink(entry, files[i].target);
                else if (files[i].target)
                        archive_entry_copy_symlink(entry, files[i].target);
                bool has_data = S_ISREG(files[i].type) && !files[i].is_hard;
                archive_entry_set_size(entry, has_data ? 4 : 0);
                EXPECT(archive_write_header(archive, entry) >= ARCHIVE_WARN);
                if (has_data)
                        EXPECT(archive_write_data(archive, "evil", 4) == 4);
                archive_entry_free(entry);
        }
        archive_write_free(archive);
        EXPECT(lseek(to, 0, SEEK_SET) == 0);
}

// Whether it is unpacked at all. Whatever it is, nothing beside the directory changes.
static bool unpacks_where(const struct hostile *files, size_t count, bool is_private) {
        auto_close int outside = make_dir("outside");
        auto_close int to = make_dir("outside/to");
        auto_close int bundle = open_bundle();
        auto_buf kept = { 0 };
        auto_err error = { 0 };
        put(outside, "kept", "kept", 0600);
        write_hostile(files, count, bundle);
        bool ok = bundle_unpack(bundle, to, is_private, &error);
        EXPECT_OK(fs_read(outside, "kept", &kept, err));
        EXPECT_TEXT(buf_text(&kept), "kept");
        EXPECT(!fs_exists(outside, "made"));
        EXPECT_OK(fs_remove_tree(top_fd, "outside", err));
        return ok;
}

static bool unpacks(const struct hostile *files, size_t count) { return unpacks_where(files, count, true); }

static void archive_does_not_lead_outside(void) {
        auto_free char *absolute = xasprintf("%s/outside/kept", top);
        auto_free char *directory = xasprintf("%s/outside", top);
        const struct hostile good = { "file", S_IFREG, NULL, false };
        const struct hostile parent = { "../made", S_IFREG, NULL, false };
        const struct hostile rooted = { absolute, S_IFREG, NULL, false };
        const struct hostile itself = { ".", S_IFDIR, NULL, false };
        const struct hostile pipe = { "pipe", S_IFIFO, NULL, false };
        const struct hostile device = { "device", S_IFBLK, NULL, false };
        const struct hostile character = { "null", S_IFCHR, NULL, false };
        const struct hostile set_id = { "su", S_IFREG | S_ISUID, NULL, false };
        const struct hostile through_link[] = { { "d", S_IFLNK, directory, false },
                                                { "d/made", S_IFREG, NULL, false } };
        const struct hostile over_link[] = { { "kept", S_IFLNK, absolute, false }, { "kept", S_IFREG, NULL, false } };
        const struct hostile dotted[] = { { "d", S_IFLNK, "..", false }, { "d/made", S_IFREG, NULL, false } };
        const struct hostile hard[] = { { "kept", S_IFREG, "../kept", true } };
        const struct hostile hard_absolute[] = { { "kept", S_IFREG, absolute, true } };
        const struct hostile twice[] = { good, good };
        const struct hostile orphan = { "no/such/file", S_IFREG, NULL, false };
        EXPECT(unpacks(&good, 1));
        EXPECT(!unpacks(&pipe, 1) && !unpacks(&device, 1) && !unpacks(&character, 1));
        EXPECT(unpacks(&set_id, 1) && !unpacks_where(&set_id, 1, false));
        EXPECT(!unpacks(&parent, 1));
        EXPECT(!unpacks(&rooted, 1));
        EXPECT(!unpacks(&itself, 1));
        EXPECT(!unpacks(through_link, 2));
        EXPECT(!unpacks(over_link, 2));
        EXPECT(!unpacks(hard, 1));
        EXPECT(!unpacks(hard_absolute, 1));
        EXPECT(!unpacks(twice, 2));
        EXPECT(!unpacks(&orphan, 1));
        (void)unpacks(dotted, 2); // ".." of the top is the top itself
}

static void damage_is_no_archive(void) {
        static const atomic_bool go_on = false;
        auto_close int from = make_dir("from");
        auto_close int bundle = open_bundle();
        EXPECT(pack(from, bundle, &go_on));
        off_t size = lseek(bundle, 0, SEEK_END);
        for (int i = 0; i < 20; i++) {
                auto_close int to = make_dir("damaged");
                auto_err error = { 0 };
                off_t at = (off_t)random_below((unsigned)size);
                char byte = 0;
                EXPECT(pread(bundle, &byte, 1, at) == 1);
                byte = (char)(byte ^ (1 << random_below(8)));
                EXPECT(pwrite(bundle, &byte, 1, at) == 1 && lseek(bundle, 0, SEEK_SET) == 0);
                (void)!bundle_unpack(bundle, to, true, &error); // it ends, and stays inside
                EXPECT_OK(fs_remove_tree(top_fd, "damaged", err));
        }
}

// ---- opening one ----

static void what_is_no_remote_is_told(void) {
        const char *const urls[] = { "ftp://host/", "host/cache",   "http://", "http://host/?query",
                                     "s3://",       "s3:///prefix", "" };
        for (size_t i = 0; i < lengthof(urls); i++) {
                const struct remote_options options = { .url = urls[i], .signer = accepted };
                struct remote *remote = NULL;
                auto_err error = { 0 };
                EXPECT(!remote_open(&options, &remote, &error) && error.kind == ERR_USAGE);
        }
        const struct remote_options nobody = { .url = "http://host/" };
        struct remote *remote = NULL;
        auto_err error = { 0 };
        EXPECT(!remote_open(&nobody, &remote, &error) && error.kind == ERR_USAGE &&
               strstr(error.hint, "--remote-keys"));
}

static void password_is_not_shown(void) {
        const struct remote_options options = { .url = "http://me:secret@127.0.0.1:1/x", .signer = accepted };
        struct remote *remote = NULL;
        bool is_found = true;
        EXPECT_OK(remote_open(&options, &remote, err));
        auto_close int dir = make_dir("nothing");
        EXPECT_OK(remote_load_tree(remote, "iso", "a", dir, true, &is_found, err)); // nobody listens there
        EXPECT(!is_found);
        EXPECT(remote_close(remote, 0));
}

int main(void) {
        umask(022);
        EXPECT(mkdtemp(top));
        EXPECT_OK(fs_open_dir(AT_FDCWD, top, &top_fd, err));
        accepted = make_signer("accepted");
        stranger = make_signer("stranger");
        RUN(entry_is_read_as_it_was_signed);
        RUN(other_entries_are_refused);
        RUN(keys_differ_by_kind_and_name);
        RUN(no_mutation_is_accepted);
        RUN(layer_comes_back_as_it_was);
        RUN(attributes_come_back);
        RUN(packing_can_be_stopped);
        RUN(archive_does_not_lead_outside);
        RUN(damage_is_no_archive);
        RUN(what_is_no_remote_is_told);
        RUN(password_is_not_shown);
        signer_free(accepted);
        signer_free(stranger);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
