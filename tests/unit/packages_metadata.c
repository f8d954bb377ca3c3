// SPDX-License-Identifier: MIT
// The real metadata of CentOS 7.2.1511 (../shared/data, where it is there): the package sets that dnf resolves from it.
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "tests/unit/open_cache.h"

#define DATA "../shared/data/centos-7.2-os"

static char top[] = "/tmp/kiln-metadata.XXXXXX";
static struct packages *packages;

static bool open_repository(struct err *err) {
        static struct repository repository = { .name = "os", .trust = TRUST_DIGEST, .priority = 99 };
        static struct release release = {
                .name = "centos-7.2", .arch = "x86_64", .repositories = &repository, .repository_count = 1
        };
        static const char *url;
        auto_free char *path = realpath(DATA, NULL);
        auto_free char *cache = xasprintf("%s/cache", top);
        static char text[4096];
        snprintf(text, sizeof text, "file://%s", path);
        url = text;
        repository.base_urls = (struct strings){ &url, 1 };
        struct packages_options options = { .cache = open_cache(cache), .offline = true };
        return packages_open(&release, &options, &packages, err);
}

static bool solve(char *words, struct package_set *set, struct err *err) {
        const char *requests[64];
        size_t count = 0;
        for (char *word; count < lengthof(requests) && (word = strsep(&words, " ")) != NULL;)
                requests[count++] = word;
        return packages_solve(packages, requests, count, set, err);
}

static const char *expected_path;

static void gives_the_answer_of_dnf(void) {
        static const char prefix[] = "# request: ";
        auto_buf expected = { 0 };
        auto_err error = { 0 };
        struct package_set set = { 0 };
        EXPECT_OK(fs_read(AT_FDCWD, expected_path, &expected, err));
        EXPECT(strncmp(buf_text(&expected), prefix, strlen(prefix)) == 0);
        char *lines = expected.data;
        char *request = strsep(&lines, "\n") + strlen(prefix);
        EXPECT_TEXT(solve(request, &set, &error) ? "" : error.text, "");
        size_t missing = 0;
        size_t wanted = 0;
        for (char *rest = lines, *line; (line = strsep(&rest, "\n")) && *line; wanted++) {
                bool found = false;
                for (size_t i = 0; i < set.count; i++)
                        found |= strcmp(set.items[i]->nevra, line) == 0;
                if (!found)
                        printf("# missing: %s\n", line);
                missing += !found;
        }
        EXPECT(missing == 0);
        EXPECT(set.count == wanted && wanted > 0);
        package_set_release(&set);
}

static void describes_packages(void) {
        char request[] = "glibc";
        auto_err error = { 0 };
        struct package_set set = { 0 };
        char digest[65];
        EXPECT_TEXT(solve(request, &set, &error) ? "" : error.text, "");
        for (size_t i = 0; i < set.count; i++) {
                const struct package *package = set.items[i];
                EXPECT(strlen(package->checksum) == 64 && package->size_bytes > 0);
                EXPECT(strncmp(package->location, "Packages/", 9) == 0);
                EXPECT(i == 0 || strcmp(set.items[i - 1]->name, package->name) <= 0);
                if (strcmp(package->name, "glibc") == 0) {
                        EXPECT_TEXT(package->version, "2.17");
                        EXPECT_TEXT(package->release, "105.el7");
                        EXPECT_TEXT(package->arch, "x86_64");
                }
        }
        package_set_digest(&set, digest);
        EXPECT(strlen(digest) == 64);
        package_set_release(&set);
}

// EL7 packages require /bin paths that only exist below /usr.
static void old_paths_are_found(void) {
        char request[] = "/bin/awk";
        auto_err error = { 0 };
        struct package_set set = { 0 };
        bool found = false;
        EXPECT_TEXT(solve(request, &set, &error) ? "" : error.text, "");
        for (size_t i = 0; i < set.count; i++)
                found |= strcmp(set.items[i]->name, "gawk") == 0;
        EXPECT(found);
        package_set_release(&set);
}

static void nearest_names_are_given(void) {
        char request[] = "haproxi";
        auto_err error = { 0 };
        struct package_set set = { 0 };
        EXPECT(!solve(request, &set, &error));
        EXPECT_TEXT(err_kind_name(error.kind), "PACKAGE");
        EXPECT(error.hint && strstr(error.hint, "haproxy"));
}

int main(void) {
        if (access(DATA "/repodata/repomd.xml", F_OK) != 0) {
                printf("1..0 # SKIP %s is not there\n", DATA);
                return 0;
        }
        glob_t found = { 0 };
        struct err error = { 0 };
        if (!mkdtemp(top) || !open_repository(&error)) {
                printf("Bail out! %s\n", error.text ? error.text : "no directory");
                return 1;
        }
        glob(DATA "/expected/*.txt", 0, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                expected_path = found.gl_pathv[i];
                printf("# %s\n", expected_path);
                RUN(gives_the_answer_of_dnf);
        }
        globfree(&found);
        RUN(describes_packages);
        RUN(old_paths_are_found);
        RUN(nearest_names_are_given);
        packages_close(packages);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
