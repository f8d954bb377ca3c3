// SPDX-License-Identifier: MIT
// Trust: packages built and signed on the spot, then spoiled in every way that must be noticed.
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"
#include "packages/trust/package_verify.h"
#include "packages/trust/rpm_file.h"
#include "tests/unit/open_cache.h"

static char top[] = "/tmp/kiln-verify.XXXXXX";
static const char *homedir;
static struct arena arena;
static time_t begun;

static const char *in_top(const char *name) { return arena_printf(&arena, "%s/%s", top, name); }

// ---- material ----

static bool make_key(const char *name, const char *expire, struct err *err) {
        auto_free char *user = xasprintf("%s <%s@example.org>", name, name);
        auto_buf armored = { 0 };
        const char *export[] = { "gpg", "--homedir", homedir, "--batch", "--armor", "--export", user, NULL };
        return run_command(err, "gpg", "--homedir", homedir, "--batch", "--passphrase", "", "--quick-generate-key",
                           user, "rsa2048", "sign", expire, NULL) &&
               run(&(struct run){ .argv = export, .output = &armored }, err) &&
               fs_write_atomic(AT_FDCWD, in_top(name), armored.data, armored.size, 0644, err);
}

static bool build_package(struct err *err) {
        static const char spec[] = "Name: hello\nVersion: 1.0\nRelease: 2\nEpoch: 3\nSummary: a test\nLicense: MIT\n"
                                   "BuildArch: noarch\n%description\nA test.\n"
                                   "%install\nmkdir -p %{buildroot}/usr/share/hello %{buildroot}/usr/lib64\n"
                                   "seq 1 20000 > %{buildroot}/usr/share/hello/numbers\n"
                                   "ln %{buildroot}/usr/share/hello/numbers %{buildroot}/usr/share/hello/same\n"
                                   "ln -s /usr/lib64 %{buildroot}/usr/lib\n"
                                   "ln -s ../hello/numbers %{buildroot}/usr/share/hello/link\n"
                                   "%files\n%attr(0750,root,root) /usr/share/hello/numbers\n/usr/share/hello/same\n"
                                   "/usr/share/hello/link\n/usr/lib\n%dir %attr(0555,root,root) /usr/lib64\n";
        auto_free char *define = xasprintf("_topdir %s/rpmbuild", top);
        auto_free char *home = xasprintf("HOME=%s", top);
        const char *env[] = { home, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", NULL };
        const char *argv[] = { "rpmbuild",
                               "-bb",
                               "--quiet",
                               "--define",
                               define,
                               "--define",
                               "_build_id_links none",
                               "--define",
                               "_binary_payload w6.xzdio",
                               in_top("hello.spec"),
                               NULL };
        return fs_write_atomic(AT_FDCWD, in_top("hello.spec"), spec, strlen(spec), 0644, err) &&
               run(&(struct run){ .argv = argv, .env = env }, err) &&
               fs_link_or_copy(AT_FDCWD, in_top("rpmbuild/RPMS/noarch/hello-1.0-2.noarch.rpm"), AT_FDCWD,
                               in_top("unsigned.rpm"), err);
}

static bool copy_file(const char *from, const char *to, struct err *err) {
        auto_buf bytes = { 0 };
        return fs_read(AT_FDCWD, from, &bytes, err) && fs_write_atomic(AT_FDCWD, to, bytes.data, bytes.size, 0644, err);
}

static bool sign_package(const char *key, const char *file, const char *hash, const char *form, struct err *err) {
        auto_free char *name = xasprintf("_gpg_name %s@example.org", key);
        auto_free char *path = xasprintf("_gpg_path %s", homedir);
        auto_free char *digest = xasprintf("_gpg_digest_algo %s", hash);
        auto_free char *home = xasprintf("HOME=%s", top);
        const char *env[] = { home, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", NULL };
        const char *argv[] = { "rpmsign",  "--define", "__gpg /usr/bin/gpg", "--define", name,         "--define", path,
                               "--define", digest,     "--addsign",          form,       in_top(file), NULL };
        return copy_file(in_top("unsigned.rpm"), in_top(file), err) &&
               run(&(struct run){ .argv = argv, .env = env }, err);
}

static char *fingerprint_of(const char *name, struct err *err) {
        auto_free char *user = xasprintf("%s@example.org", name);
        auto_buf listing = { 0 };
        const char *list[] = { "gpg", "--homedir", homedir, "--batch", "--with-colons", "--list-keys", user, NULL };
        bool ok = run(&(struct run){ .argv = list, .output = &listing }, err);
        const char *line = ok ? strstr(buf_text(&listing), "\nfpr:") : NULL;
        return line ? xstrndup(line + 13, 40) : xstrdup("none");
}

static bool revoke_key(struct err *err) {
        auto_free char *fingerprint = fingerprint_of("revoked", err);
        auto_free char *path = xasprintf("%s/openpgp-revocs.d/%s.rev", homedir, fingerprint);
        auto_buf text = { 0 };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return false;
        char *guard = strstr(text.data, ":-----BEGIN"); // gpg puts a colon there against accidents
        if (guard)
                *guard = ' ';
        const char *armor = guard ? guard + 1 : text.data;
        const char *import[] = { "gpg", "--homedir", homedir, "--batch", "--import", NULL };
        auto_buf armored = { 0 };
        const char *export[] = { "gpg",      "--homedir",           homedir, "--batch", "--armor",
                                 "--export", "revoked@example.org", NULL };
        return copy_file(in_top("revoked"), in_top("before-revocation"), err) &&
               run(&(struct run){ .argv = import, .input = armor, .input_size = strlen(armor) }, err) &&
               run(&(struct run){ .argv = export, .output = &armored }, err) &&
               fs_write_atomic(AT_FDCWD, in_top("revoked"), armored.data, armored.size, 0644, err);
}

// The key that expires is made last and used at once, or a busy machine would find it expired too early.
static bool make_expired(struct err *err) {
        bool ok =
            make_key("expired", "seconds=8", err) && sign_package("expired", "expired.rpm", "sha256", "--rpmv3", err);
        begun = time(NULL);
        return ok;
}

static bool make_material(struct err *err) {
        return mkdtemp(top) && fs_mkdirs(AT_FDCWD, homedir = in_top("gpg"), 0700, err) &&
               make_key("good", "never", err) && make_key("other", "never", err) && make_key("revoked", "never", err) &&
               build_package(err) && sign_package("good", "good.rpm", "sha256", "--rpmv3", err) &&
               sign_package("good", "v4.rpm", "sha512", "-v", err) &&
               sign_package("good", "sha1.rpm", "sha1", "--rpmv3", err) &&
               sign_package("other", "other.rpm", "sha256", "--rpmv3", err) &&
               sign_package("revoked", "revoked.rpm", "sha256", "--rpmv3", err) && revoke_key(err) && make_expired(err);
}

// ---- checks ----

static struct repository repository_with(const char *key) {
        struct repository repository = { .name = "test", .trust = TRUST_SIGNATURE };
        const char *path = in_top(key);
        *array_append(&repository.keys.items, &repository.keys.count) = path;
        return repository;
}

static struct package describe(const struct repository *repository, const char *path) {
        struct package package = { .nevra = "hello-3:1.0-2.noarch",
                                   .checksum_type = "sha256",
                                   .repository = repository };
        char hex[DIGEST_HEX_SIZE];
        struct stat stat_;
        auto_err error = { 0 };
        if (stat(path, &stat_) == 0 && digest_file("sha256", AT_FDCWD, path, hex, &error)) {
                package.size_bytes = (uint64_t)stat_.st_size;
                package.checksum = arena_strdup(&arena, hex);
        }
        return package;
}

// Verifies a file against metadata made of the same bytes, so that only the signature can object.
static void verify(struct repository *repository, const char *file, struct err *err) {
        struct packages_options options = { .cache = open_cache(in_top("cache")) };
        struct keyring *keyring = NULL;
        struct package package = describe(repository, in_top(file));
        if (keyring_load(repository, NULL, &options, &keyring, err) &&
            !package_verify(&package, in_top(file), keyring, false, err))
                EXPECT(err->kind != ERR_NONE);
        keyring_free(keyring);
        free(repository->keys.items);
}

static void expect(struct err *err, const char *kind, const char *part) {
        EXPECT_TEXT(err_kind_name(err->kind), kind);
        if (part && (!err->text || !strstr(err->text, part)))
                EXPECT_TEXT(err->text, part);
        err_release(err);
}

static void good_signatures_pass(void) {
        static const char *const files[] = { "good.rpm", "v4.rpm" };
        for (size_t i = 0; i < lengthof(files); i++) {
                struct repository repository = repository_with("good");
                struct err error = { 0 };
                verify(&repository, files[i], &error);
                EXPECT_TEXT(error.text ? error.text : "", "");
                err_release(&error);
        }
}

static void bad_signers_are_named(void) {
        static const struct {
                const char *key, *file, *part;
        } cases[] = {
                { "good", "unsigned.rpm", "is not signed" },
                { "good", "other.rpm", "which is not among the keys of repository test" },
                { "expired", "expired.rpm", "which expired on" },
                { "revoked", "revoked.rpm", "which was revoked" },
                { "good", "sha1.rpm", "uses SHA1, which repository test does not allow" },
        };
        while (time(NULL) < begun + 10) // one key lives eight seconds
                usleep(100000);
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct repository repository = repository_with(cases[i].key);
                struct err error = { 0 };
                verify(&repository, cases[i].file, &error);
                expect(&error, "SIGNATURE", cases[i].part);
        }
}

static void sha1_passes_where_it_is_allowed(void) {
        struct repository repository = repository_with("good");
        struct err error = { 0 };
        repository.allow_sha1 = true;
        verify(&repository, "sha1.rpm", &error);
        expect(&error, "NONE", NULL);
}

static void only_pinned_keys_are_trusted(void) {
        struct repository repository = repository_with("good");
        const char *pins[] = { "8102 6D00 04C4 4CF7 EF55  ADF8 DF7D 54CB E561 51BF" };
        struct err error = { 0 };
        repository.fingerprints = (struct strings){ pins, 1 };
        verify(&repository, "good.rpm", &error);
        expect(&error, "SIGNATURE", "which is not a pinned fingerprint");
}

static void flip(const char *from, const char *to, off_t offset) {
        auto_buf bytes = { 0 };
        EXPECT_OK(fs_read(AT_FDCWD, in_top(from), &bytes, err));
        size_t at = offset < 0 ? bytes.size - (size_t)-offset : (size_t)offset;
        bytes.data[at] ^= 1;
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top(to), bytes.data, bytes.size, 0644, err));
}

// Metadata that was made from the altered file agrees with it: only the signature knows.
static void altered_payload_is_noticed_by_the_signature(void) {
        static const char *const files[] = { "good.rpm", "v4.rpm" };
        for (size_t i = 0; i < lengthof(files); i++) {
                struct repository repository = repository_with("good");
                struct err error = { 0 };
                flip(files[i], "flipped.rpm", -100);
                verify(&repository, "flipped.rpm", &error);
                EXPECT(error.kind == ERR_CHECKSUM || error.kind == ERR_SIGNATURE);
                err_release(&error);
        }
}

static void altered_header_is_noticed(void) {
        struct repository repository = repository_with("good");
        struct err error = { 0 };
        struct rpm_file file;
        auto_close int fd = -1;
        EXPECT_OK(fs_open(AT_FDCWD, in_top("good.rpm"), O_RDONLY, 0, &fd, err));
        EXPECT_OK(rpm_file_read(fd, &file, err));
        off_t inside = (off_t)file.payload_offset - 40;
        rpm_file_close(&file);
        flip("good.rpm", "flipped.rpm", inside);
        verify(&repository, "flipped.rpm", &error);
        EXPECT(error.kind == ERR_SIGNATURE || error.kind == ERR_CORRUPT);
        err_release(&error);
}

// Bytes before the signed header may be damaged unnoticed (the file's checksum sees to them), none inside it.
static void damage_anywhere_is_survived(void) {
        struct repository repository = repository_with("good");
        struct packages_options options = { .cache = open_cache(in_top("cache")) };
        struct keyring *keyring = NULL;
        struct rpm_file file;
        auto_close int fd = -1;
        EXPECT_OK(fs_open(AT_FDCWD, in_top("good.rpm"), O_RDONLY, 0, &fd, err));
        EXPECT_OK(rpm_file_read(fd, &file, err));
        off_t begin = (off_t)file.header_offset;
        off_t end = (off_t)file.payload_offset;
        rpm_file_close(&file);
        EXPECT_OK(keyring_load(&repository, NULL, &options, &keyring, err));
        int accepted_header = 0;
        for (off_t offset = 0; offset < end; offset += 5) {
                auto_err error = { 0 };
                flip("good.rpm", "flipped.rpm", offset);
                struct package package = describe(&repository, in_top("flipped.rpm"));
                bool accepted = package_verify(&package, in_top("flipped.rpm"), keyring, true, &error);
                accepted_header += accepted && offset >= begin;
        }
        EXPECT(end > begin + 1000);
        EXPECT(accepted_header == 0);
        keyring_free(keyring);
        free(repository.keys.items);
}

static void file_and_metadata_must_agree(void) {
        struct repository repository = { .name = "test", .trust = TRUST_DIGEST };
        struct package package = describe(&repository, in_top("good.rpm"));
        struct err error = { 0 };
        flip("good.rpm", "flipped.rpm", -100);
        EXPECT(!package_verify(&package, in_top("flipped.rpm"), NULL, false, &error));
        expect(&error, "CHECKSUM", "the metadata of test says");
        EXPECT(!package_verify(&package, in_top("other.rpm"), NULL, false, &error));
        expect(&error, error.kind == ERR_CORRUPT ? "CORRUPT" : "CHECKSUM", NULL);
        package.nevra = "hello-1.0-2.noarch";
        EXPECT(!package_verify(&package, in_top("good.rpm"), NULL, false, &error));
        expect(&error, "CORRUPT", "the file is really hello-3:1.0-2.noarch");
}

static void truncation_is_noticed(void) {
        struct repository repository = { .name = "test", .trust = TRUST_DIGEST };
        struct package package = describe(&repository, in_top("good.rpm"));
        const off_t lengths[] = { 0, 50, 100, 1000, (off_t)package.size_bytes - 10 };
        for (size_t i = 0; i < lengthof(lengths); i++) {
                struct err error = { 0 };
                EXPECT_OK(copy_file(in_top("good.rpm"), in_top("short.rpm"), err));
                EXPECT(truncate(in_top("short.rpm"), lengths[i]) == 0);
                EXPECT(!package_verify(&package, in_top("short.rpm"), NULL, false, &error));
                expect(&error, "CORRUPT", "truncated");
                // and even when the metadata was made from the truncated file
                struct package same = describe(&repository, in_top("short.rpm"));
                EXPECT(!package_verify(&same, in_top("short.rpm"), NULL, false, &error));
                expect(&error, "CORRUPT", "truncated");
        }
}

static void junk_is_no_package(void) {
        struct repository repository = { .name = "test", .trust = TRUST_DIGEST };
        auto_buf junk = { 0 };
        struct err error = { 0 };
        buf_append_zeros(&junk, 5000);
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top("junk.rpm"), junk.data, junk.size, 0644, err));
        struct package package = describe(&repository, in_top("junk.rpm"));
        EXPECT(!package_verify(&package, in_top("junk.rpm"), NULL, false, &error));
        expect(&error, "CORRUPT", "not an RPM package");
}

static void expect_mode(int dir, const char *path, mode_t mode) {
        struct stat stat_;
        EXPECT(fstatat(dir, path, &stat_, AT_SYMLINK_NOFOLLOW) == 0 && stat_.st_mode == mode);
}

// A fetched package, as its metadata would have it.
static struct package fetched(const char *file) {
        static const struct repository repository = { .name = "test", .trust = TRUST_DIGEST };
        struct package package = describe(&repository, in_top(file));
        package.path = in_top(file);
        return package;
}

static void extracts_below_its_directory(void) {
        struct package package = fetched("good.rpm");
        auto_close int dir = -1;
        struct stat one;
        struct stat two;
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("root"), 0755, err));
        EXPECT_OK(fs_open_dir(AT_FDCWD, in_top("root"), &dir, err));
        EXPECT_OK(package_extract(&package, dir, err));
        EXPECT_OK(package_extract(&package, dir, err)); // over itself
        expect_mode(dir, "usr/lib64", S_IFDIR | 0755);
        expect_mode(dir, "usr/lib", S_IFLNK | 0777);
        expect_mode(dir, "usr/share/hello/link", S_IFLNK | 0777);
        EXPECT(fstatat(dir, "usr/share/hello/numbers", &one, 0) == 0 && one.st_size == 108894);
        EXPECT(fstatat(dir, "usr/share/hello/same", &two, 0) == 0 && two.st_ino == one.st_ino);
}

// The headers of a good package before another payload.
static void replace_payload(const char *to, const struct buf *payload) {
        auto_buf bytes = { 0 };
        auto_close int fd = -1;
        struct rpm_file file;
        EXPECT_OK(fs_open(AT_FDCWD, in_top("good.rpm"), O_RDONLY, 0, &fd, err));
        EXPECT_OK(rpm_file_read(fd, &file, err));
        EXPECT_OK(fs_read(AT_FDCWD, in_top("good.rpm"), &bytes, err));
        bytes.size = (size_t)file.payload_offset;
        rpm_file_close(&file);
        buf_append(&bytes, payload->data, payload->size);
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top(to), bytes.data, bytes.size, 0644, err));
}

// A hostile archive: a link out of the directory, then a file through it.
static void extraction_cannot_escape(void) {
        static const char script[] =
            "import sys\n"
            "def entry(name, mode, data):\n"
            "  n = name.encode() + b'\\0'\n"
            "  f = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(n), 0]\n"
            "  h = b'070701' + b''.join(b'%08x' % v for v in f) + n\n"
            "  h += b'\\0' * (-len(h) % 4)\n"
            "  return h + data + b'\\0' * (-len(data) % 4)\n"
            "t = sys.argv[1].encode()\n"
            "sys.stdout.buffer.write(entry('out', 0o120777, t) + entry('out/planted', 0o100644, b'x')"
            " + entry('setuid', 0o106777, b'x') + entry('open', 0o041777, b'')"
            " + entry('TRAILER!!!', 0, b''))\n";
        auto_buf archive = { 0 };
        auto_close int dir = -1;
        const char *argv[] = { "python3", "-c", script, in_top("outside"), NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &archive }, err));
        replace_payload("hostile.rpm", &archive);
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("outside"), 0755, err));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("jail"), 0755, err));
        EXPECT_OK(fs_open_dir(AT_FDCWD, in_top("jail"), &dir, err));
        struct package package = fetched("hostile.rpm");
        auto_err error = { 0 };
        (void)!package_extract(&package, dir, &error);
        EXPECT(fs_exists(dir, "out"));
        EXPECT(!fs_exists(AT_FDCWD, in_top("outside/planted")));
}

// A payload that begins as what lrzip writes: libarchive would run lrzip, from wherever PATH has it.
static void no_program_unpacks(void) {
        const char *script = arena_printf(&arena, "#!/bin/sh\n: > %s\n", in_top("ran"));
        auto_buf payload = { 0 };
        auto_close int dir = -1;
        buf_append(&payload, "LRZI\0\6", 6);
        buf_append_zeros(&payload, 4096);
        replace_payload("lrzip.rpm", &payload);
        auto_free char *path = xstrdup(getenv("PATH"));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("bin"), 0755, err));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, in_top("bin/lrzip"), script, strlen(script), 0755, err));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("lrzip"), 0755, err));
        EXPECT_OK(fs_open_dir(AT_FDCWD, in_top("lrzip"), &dir, err));
        setenv("PATH", arena_printf(&arena, "%s:%s", in_top("bin"), path), 1);
        struct package package = fetched("lrzip.rpm");
        struct err error = { 0 };
        EXPECT(!package_extract(&package, dir, &error));
        expect(&error, "CORRUPT", "unpacking");
        EXPECT(!fs_exists(AT_FDCWD, in_top("ran")));
        setenv("PATH", path, 1);
}

// Between verification and unpacking a disk may fail.
static void what_is_unpacked_is_what_was_verified(void) {
        struct package package = fetched("good.rpm");
        auto_close int dir = -1;
        struct err error = { 0 };
        flip("good.rpm", "flipped.rpm", -100);
        package.path = in_top("flipped.rpm");
        EXPECT_OK(fs_mkdirs(AT_FDCWD, in_top("rotten"), 0755, err));
        EXPECT_OK(fs_open_dir(AT_FDCWD, in_top("rotten"), &dir, err));
        EXPECT(!package_extract(&package, dir, &error));
        expect(&error, "CHECKSUM", "the metadata of test says");
        EXPECT(!fs_exists(dir, "usr"));
}

// The key is published below a server that is gone; its repository was replaced by a local copy that has it too.
static void keys_follow_a_replaced_repository(void) {
        const char *base = "http://127.0.0.1:1/os/";
        const char *key = "http://127.0.0.1:1/os/good";
        struct repository repository = { .name = "os", .base_urls = { &base, 1 }, .keys = { &key, 1 } };
        struct release release = { .repositories = &repository, .repository_count = 1 };
        const char *replace[] = { arena_printf(&arena, "os=%s", top), NULL };
        struct packages_options options = { .cache = open_cache(in_top("cache")), .replace = replace };
        struct keyring *keyring = NULL;
        EXPECT_OK(keyring_load(&repository, &release, &options, &keyring, err));
        keyring_free(keyring);
}

// A key by a keyserver's URL, which cannot be reached: an export has it under a name that is no query.
static void keys_of_keyservers_are_found_in_exports(void) {
        const char *base = "http://127.0.0.1:1/os/";
        const char *key = "http://127.0.0.1:1/pks/lookup?op=get&search=0x1";
        auto_free char *name = key_export_name(key);
        EXPECT_TEXT(name, "lookup_op_get_search_0x1");
        EXPECT_OK(copy_file(in_top("good"), in_top("lookup_op_get_search_0x1"), err));
        struct packages_options options = { .cache = open_cache(in_top("cache")) };
        struct repository good = repository_with("good");
        struct keyring *keyring = NULL;
        EXPECT_OK(keyring_load(&good, NULL, &options, &keyring, err));
        auto_free char *identity = xstrdup(keyring_identity(keyring));
        keyring_free(keyring);
        free(good.keys.items);
        auto_err error = { 0 };
        auto_free char *pinned = fingerprint_of("good", &error);
        const char *fingerprint = pinned;
        struct repository repository = {
                .name = "os", .base_urls = { &base, 1 }, .keys = { &key, 1 }, .fingerprints = { &fingerprint, 1 }
        };
        options.replace = (const char *[]){ arena_printf(&arena, "os=%s", top), NULL };
        EXPECT_OK(keyring_load(&repository, NULL, &options, &keyring, err));
        EXPECT_TEXT(keyring_identity(keyring), identity);
        keyring_free(keyring);
}

// What a key vouched for in an earlier run is looked at again when the key was revoked.
static void revocation_changes_the_identity(void) {
        static const char *const files[] = { "before-revocation", "revoked" };
        char *identities[lengthof(files)];
        for (size_t i = 0; i < lengthof(files); i++) {
                struct repository repository = repository_with(files[i]);
                struct packages_options options = { .cache = open_cache(in_top("cache")) };
                struct keyring *keyring = NULL;
                EXPECT_OK(keyring_load(&repository, NULL, &options, &keyring, err));
                identities[i] = xstrdup(keyring ? keyring_identity(keyring) : "");
                keyring_free(keyring);
                free(repository.keys.items);
        }
        EXPECT(strcmp(identities[0], identities[1]) != 0);
        for (size_t i = 0; i < lengthof(files); i++)
                free(identities[i]);
}

// The keys that real repositories use (read from ../shared, where it is there).
static void real_keys_are_read(void) {
        static const struct {
                const char *path, *fingerprint;
        } keys[] = {
                { "../shared/data/keys/RPM-GPG-KEY-CentOS-7", "6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5" },
                { "../shared/data/keys/RPM-GPG-KEY-mesosphere", "81026D0004C44CF7EF55ADF8DF7D54CBE56151BF" },
        };
        for (size_t i = 0; i < lengthof(keys); i++) {
                struct repository repository = { .name = "real", .keys = { (const char **)&keys[i].path, 1 } };
                repository.fingerprints = (struct strings){ (const char **)&keys[i].fingerprint, 1 };
                struct packages_options options = { .cache = open_cache(in_top("cache")) };
                struct keyring *keyring = NULL;
                EXPECT_OK(keyring_load(&repository, NULL, &options, &keyring, err));
                keyring_free(keyring);
        }
}

int main(void) {
        struct err error = { 0 };
        if (!make_material(&error)) {
                printf("Bail out! test packages could not be made: %s\n", error.text ? error.text : "no directory");
                return 1;
        }
        RUN(good_signatures_pass);
        RUN(sha1_passes_where_it_is_allowed);
        RUN(only_pinned_keys_are_trusted);
        RUN(altered_payload_is_noticed_by_the_signature);
        RUN(altered_header_is_noticed);
        RUN(damage_anywhere_is_survived);
        RUN(file_and_metadata_must_agree);
        RUN(truncation_is_noticed);
        RUN(junk_is_no_package);
        RUN(extracts_below_its_directory);
        RUN(extraction_cannot_escape);
        RUN(no_program_unpacks);
        RUN(what_is_unpacked_is_what_was_verified);
        RUN(keys_follow_a_replaced_repository);
        RUN(keys_of_keyservers_are_found_in_exports);
        RUN(revocation_changes_the_identity);
        RUN(bad_signers_are_named);
        if (access("../shared/data/keys", F_OK) == 0)
                RUN(real_keys_are_read);
        else
                SKIP(real_keys_are_read, "../shared/data/keys is not there");
        (void)!run_command(&error, "gpgconf", "--homedir", homedir, "--kill", "gpg-agent", NULL);
        err_release(&error);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        arena_release(&arena);
        return test_done();
}
