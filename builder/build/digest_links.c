// SPDX-License-Identifier: MIT
#include "build/digest_links.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/strings.h"
#include "build/publish.h"

#define SUMS_NAME "SHA256SUMS"
#define UP "../../"
#define STAGED STAGING_PREFIX "link" // in DIGEST_LINKS_DIR

enum { HEX_DIGITS = 64, LINE_START = HEX_DIGITS + 2 };

// ---- what a build holds ----

// The lines of a build's SHA256SUMS that have links: digests and paths, each ended by a NUL.
struct build_digests {
        struct buf text;
        struct linked_file {
                const char *digest, *path;
        } * files;
        size_t count;
};

static void build_digests_release(struct build_digests *digests) {
        buf_release(&digests->text);
        free(digests->files);
}

static bool has_link(const char *path) {
        static const char *const folders[] = { "pxe/", "kickstart/" };
        for (size_t i = 0; i < lengthof(folders); i++)
                if (strncmp(path, folders[i], strlen(folders[i])) == 0)
                        return false;
        return *path != '\0' && *path != '/' && !strstr(path, "..");
}

static bool is_digest(const char *text) {
        return strlen(text) == HEX_DIGITS && strspn(text, "0123456789abcdef") == HEX_DIGITS;
}

static void take_sums_line(char *line, struct build_digests *digests) {
        bool is_one = strlen(line) > LINE_START && memcmp(line + HEX_DIGITS, "  ", 2) == 0;
        if (!is_one || !has_link(line + LINE_START))
                return;
        line[HEX_DIGITS] = '\0';
        if (!is_digest(line))
                return;
        struct linked_file *file = array_append(&digests->files, &digests->count);
        *file = (struct linked_file){ line, line + LINE_START };
}

// Nothing for a build without SHA256SUMS.
static bool read_build_digests(int cluster, const char *build, struct build_digests *ret, struct err *err) {
        auto_free char *path = xasprintf("%s/" SUMS_NAME, build);
        if (!fs_exists(cluster, path))
                return true;
        if (!fs_read(cluster, path, &ret->text, err))
                return false;
        char *rest = ret->text.data;
        for (char *line; (line = strsep(&rest, "\n"));)
                take_sums_line(line, ret);
        return true;
}

static bool build_holds(const struct build_digests *digests, const char *digest) {
        for (size_t i = 0; i < digests->count; i++)
                if (strcmp(digests->files[i].digest, digest) == 0)
                        return true;
        return false;
}

// ---- links ----

struct linking {
        int cluster, links;
        const char *but;
};

static bool open_links(int cluster, int *ret_fd, struct err *err) {
        return fs_mkdirs(cluster, DIGEST_LINKS_DIR, 0755, err) && fs_open_dir(cluster, DIGEST_LINKS_DIR, ret_fd, err);
}

// ../../<build id>/PATH or ../../partial/<build id>/PATH in its two parts; the texts are heap.
static bool parse_target(char *target, char **ret_build, char **ret_path) {
        const char *build = target + strlen(UP), *path = build;
        if (strncmp(target, UP, strlen(UP)) != 0)
                return false;
        if (strncmp(build, PARTIAL_DIR "/", strlen(PARTIAL_DIR "/")) == 0)
                path = build + strlen(PARTIAL_DIR "/");
        path = strchr(path, '/');
        if (!path)
                return false;
        *ret_build = xstrndup(build, (size_t)(path - build));
        *ret_path = xstrdup(path + 1);
        return true;
}

static bool lists_file(const struct build_digests *digests, const char *digest, const char *path) {
        for (size_t i = 0; i < digests->count; i++)
                if (strcmp(digests->files[i].digest, digest) == 0 && strcmp(digests->files[i].path, path) == 0)
                        return true;
        return false;
}

// Whether it leads to a file that is there, and of which its build says that it has this digest.
static bool leads_right(int cluster, int links, const char *digest) {
        char target[PATH_MAX];
        auto_free char *build = NULL, *path = NULL;
        struct build_digests digests = { 0 };
        auto_err unreadable = { 0 };
        ssize_t length = readlinkat(links, digest, target, sizeof target - 1);
        if (length < 0 || faccessat(links, digest, F_OK, 0) < 0)
                return false;
        target[length] = '\0';
        bool ok = parse_target(target, &build, &path) && read_build_digests(cluster, build, &digests, &unreadable) &&
                  lists_file(&digests, digest, path);
        build_digests_release(&digests);
        return ok;
}

static bool make_digest_link(int links, const char *build, const struct linked_file *file, struct err *err) {
        auto_free char *target = xasprintf(UP "%s/%s", build, file->path);
        if (!fs_remove_tree(links, STAGED, err))
                return false;
        if (symlinkat(target, links, STAGED) == 0 && renameat(links, STAGED, links, file->digest) == 0)
                return true;
        return fail(err, ERR_SYSTEM, errno, "link " DIGEST_LINKS_DIR "/%s", file->digest);
}

static bool leads_into(int links, const char *name, const char *build) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(links, name, target, sizeof target - 1);
        size_t size = strlen(build);
        if (length < 0)
                return false;
        target[length] = '\0';
        return strncmp(target, UP, strlen(UP)) == 0 && strncmp(target + strlen(UP), build, size) == 0 &&
               target[strlen(UP) + size] == '/';
}

// Those into a build that does not hold it: `held` says what it does.
static bool remove_links_into(int links, const char *build, const struct build_digests *held, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok;
        if (!fs_open_listing(links, &stream, err))
                return false;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (leads_into(links, entry->d_name, build) && !build_holds(held, entry->d_name) &&
                    unlinkat(links, entry->d_name, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "remove " DIGEST_LINKS_DIR "/%s", entry->d_name);
        return ok;
}

// Those that are not right yet, or lead into `but`, which is about to go; NULL: none is.
static bool make_digest_links(const struct linking *linking, const char *build, const struct build_digests *digests,
                              struct err *err) {
        for (size_t i = 0; i < digests->count; i++) {
                const char *digest = digests->files[i].digest;
                bool goes = linking->but && leads_into(linking->links, digest, linking->but);
                bool stays = !goes && leads_right(linking->cluster, linking->links, digest);
                if (!stays && !make_digest_link(linking->links, build, &digests->files[i], err))
                        return false;
        }
        return true;
}

bool digest_links_add(int cluster, const char *path, struct err *err) {
        struct build_digests digests = { 0 };
        auto_close int links = -1;
        bool ok = read_build_digests(cluster, path, &digests, err);
        if (ok && digests.count == 0 && !fs_exists(cluster, DIGEST_LINKS_DIR))
                return true;
        ok = ok && open_links(cluster, &links, err) && remove_links_into(links, path, &digests, err) &&
             make_digest_links(&(struct linking){ cluster, links, NULL }, path, &digests, err);
        build_digests_release(&digests);
        return ok || wrap(err, "links by digest");
}

// ---- a build goes ----

static bool link_another(const struct linking *linking, const char *build, struct err *err) {
        struct build_digests digests = { 0 };
        bool ok = read_build_digests(linking->cluster, build, &digests, err) &&
                  make_digest_links(linking, build, &digests, err);
        build_digests_release(&digests);
        return ok;
}

// Of the builds in `folder`, "" or PARTIAL_DIR "/", all but one.
static bool link_others_in(const struct linking *linking, const char *folder, struct err *err) {
        auto_free char *place = xasprintf("./%s", folder);
        auto_closedir DIR *stream = NULL;
        auto_close int dir = -1;
        struct dirent *entry;
        bool ok;
        if (!fs_exists(linking->cluster, place))
                return true;
        if (!fs_open_dir(linking->cluster, place, &dir, err) || !fs_open_listing(dir, &stream, err))
                return false;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry) {
                auto_free char *build = xasprintf("%s%s", folder, entry->d_name);
                bool is_build = entry->d_name[0] != '.' && strcmp(entry->d_name, "current") != 0;
                if (is_build && strcmp(build, linking->but) != 0 && !link_another(linking, build, err))
                        return false;
        }
        return ok;
}

bool digest_links_drop(int cluster, const char *path, struct err *err) {
        static const struct build_digests nothing;
        auto_close int links = -1;
        if (!fs_exists(cluster, DIGEST_LINKS_DIR))
                return true;
        if (!open_links(cluster, &links, err))
                return wrap(err, "links by digest");
        // First, so that a kill leaves no digest of theirs without its link.
        const struct linking linking = { cluster, links, path };
        bool ok = link_others_in(&linking, "", err) && link_others_in(&linking, PARTIAL_DIR "/", err) &&
                  remove_links_into(links, path, &nothing, err);
        return ok || wrap(err, "links by digest");
}
