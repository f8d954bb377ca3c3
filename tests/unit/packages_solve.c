// SPDX-License-Identifier: MIT
// tests/solve/*.case: a tiny repository, a request, and the packages that must come out or the message that must. Each
// is written as a real repository (repomd.xml, primary, filelists, comps) and solved through the public interface.
//
//     repo NAME [priority=N] [excludes=GLOB,...] [includes=GLOB,...] [nofilelists]
//     pkg NAME-[EPOCH:]VERSION-RELEASE.ARCH
//       provides|requires|conflicts|obsoletes|recommends NAME [OP EVR]
//       file PATH
//     group ID TITLE...            then: mandatory|default|optional NAME, conditional NAME REQUIRED
//     environment ID TITLE...      then: group ID
//     excludes GLOB                of the release
//     yaml TEXT                    a line of the repository's modules.yaml; "." for an empty one
//     modules NAME:STREAM          of the release
//     releasever TEXT              of the release
//     install_weak_deps true       of the release
//     arch ARCH                    of the release; x86_64
//     request TEXT                 one or more
//     expect NEVRA                 every package of the answer
//     warning TEXT                 part of what is warned of, once; "warnings none": nothing is
//     error KIND, message TEXT, hint TEXT     instead: the error and parts of its texts
#include "tests/unit/test.h"

#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "tests/unit/open_cache.h"

struct test_repo {
        char *name, *dir;
        struct buf primary, filelists, comps, modules;
        struct buf formats[5]; // dependencies of the package that is being read, by kind
        struct buf files, all_files;
        char *package_open; // its opening XML, NULL between packages
        char *filelist_open;
        const char *section; // open element of comps
        struct repository repository;
        bool no_filelists;
        int count;
};

struct test_case {
        struct arena arena;
        char *dir;
        struct test_repo repos[4];
        size_t repo_count;
        struct release release;
        struct strings requests, expected, messages, hints, warnings, no_warnings;
        const char *error;
};

static const char *const kinds[] = { "provides", "requires", "conflicts", "obsoletes", "recommends" };

static void push(struct test_case *test, struct strings *list, const char *text) {
        *array_append(&list->items, &list->count) = arena_strdup(&test->arena, text);
}

static void push_split(struct test_case *test, struct strings *list, char *text) {
        for (char *item; (item = strsep(&text, ",")) != NULL;)
                push(test, list, item);
}

static void append_escaped(struct buf *buf, const char *text) {
        for (; *text; text++) {
                if (strchr("<>&\"", *text))
                        buf_printf(buf, "&#%d;", *text);
                else
                        buf_append_char(buf, *text);
        }
}

static bool in_primary(const char *path) { return strncmp(path, "/etc/", 5) == 0 || strstr(path, "bin/"); }

static void append_evr(struct buf *buf, const char *evr) {
        auto_free char *copy = xstrdup(evr);
        char *colon = strchr(copy, ':');
        char *version = colon ? colon + 1 : copy;
        char *dash = strrchr(version, '-');
        if (colon)
                *colon = '\0';
        if (dash)
                *dash = '\0';
        buf_printf(buf, "epoch=\"%s\" ver=\"%s\"", colon ? copy : "0", version);
        if (dash)
                buf_printf(buf, " rel=\"%s\"", dash + 1);
}

static void end_package(struct test_repo *repo) {
        if (!repo->package_open)
                return;
        buf_append_text(&repo->primary, repo->package_open);
        for (size_t i = 0; i < lengthof(kinds); i++) {
                if (repo->formats[i].size)
                        buf_printf(&repo->primary, "<rpm:%s>%s</rpm:%s>", kinds[i], repo->formats[i].data, kinds[i]);
                buf_clear(&repo->formats[i]);
        }
        buf_printf(&repo->primary, "%s</format></package>\n", buf_text(&repo->files));
        buf_printf(&repo->filelists, "%s%s</package>\n", repo->filelist_open, buf_text(&repo->all_files));
        buf_clear(&repo->files);
        buf_clear(&repo->all_files);
        free(repo->package_open);
        free(repo->filelist_open);
        repo->package_open = repo->filelist_open = NULL;
}

static void end_section(struct test_repo *repo) {
        if (repo->section)
                buf_printf(&repo->comps, "</%s></%s>\n",
                           strcmp(repo->section, "group") == 0 ? "packagelist" : "grouplist", repo->section);
        repo->section = NULL;
}

static void begin_repo(struct test_case *test, char *arguments) {
        struct test_repo *repo = &test->repos[test->repo_count++];
        repo->name = arena_strdup(&test->arena, strsep(&arguments, " "));
        repo->repository = (struct repository){ .name = repo->name, .trust = TRUST_DIGEST, .priority = 99 };
        repo->dir = arena_printf(&test->arena, "%s/%s", test->dir, repo->name);
        push(test, &repo->repository.base_urls, arena_printf(&test->arena, "file://%s", repo->dir));
        for (char *word; arguments && (word = strsep(&arguments, " "));) {
                if (strncmp(word, "priority=", 9) == 0)
                        repo->repository.priority = (int)strtol(word + 9, NULL, 10);
                else if (strncmp(word, "excludes=", 9) == 0)
                        push_split(test, &repo->repository.excludes, word + 9);
                else if (strncmp(word, "includes=", 9) == 0)
                        push_split(test, &repo->repository.includes, word + 9);
                else if (strcmp(word, "hotfixes") == 0)
                        repo->repository.module_hotfixes = true;
                else
                        repo->no_filelists |= strcmp(word, "nofilelists") == 0;
        }
}

static void begin_package(struct test_repo *repo, const char *nevra) {
        char hex[DIGEST_HEX_SIZE];
        auto_free char *unique = xasprintf("%s %s", repo->name, nevra);
        auto_free char *copy = xstrdup(nevra);
        auto_buf evr = { 0 };
        digest_bytes("sha256", unique, strlen(unique), hex);
        char *arch = strrchr(copy, '.');
        *arch++ = '\0';
        char *release = strrchr(copy, '-');
        *release = '\0';
        char *version = strrchr(copy, '-');
        *release = '-';
        *version++ = '\0';
        append_evr(&evr, version);
        end_package(repo);
        end_section(repo);
        repo->count++;
        repo->package_open = xasprintf("<package type=\"rpm\"><name>%s</name><arch>%s</arch><version %s/>"
                                       "<checksum type=\"sha256\" pkgid=\"YES\">%s</checksum><size package=\"1\"/>"
                                       "<location href=\"Packages/%s.rpm\"/><format>",
                                       copy, arch, evr.data, hex, nevra);
        repo->filelist_open =
            xasprintf("<package pkgid=\"%s\" name=\"%s\" arch=\"%s\"><version %s/>", hex, copy, arch, evr.data);
        buf_printf(&repo->formats[0], "<rpm:entry name=\"%s\" flags=\"EQ\" %s/>", copy, evr.data);
}

static void add_dependency(struct test_repo *repo, size_t kind, char *text) {
        static const char *const operators[][2] = {
                { "=", "EQ" }, { "<", "LT" }, { ">", "GT" }, { "<=", "LE" }, { ">=", "GE" }
        };
        struct buf *to = &repo->formats[kind];
        char *name = *text == '(' ? text : strsep(&text, " ");
        char *operator= name == text ? NULL : strsep(&text, " ");
        buf_append_text(to, "<rpm:entry name=\"");
        append_escaped(to, name);
        buf_append_text(to, "\"");
        for (size_t i = 0; operator&& i<lengthof(operators); i++) {
                if (strcmp(operators[i][0], operator) != 0)
                        continue;
                buf_printf(to, " flags=\"%s\" ", operators[i][1]);
                append_evr(to, text);
        }
        buf_append_text(to, "/>");
}

static void begin_section(struct test_repo *repo, const char *section, char *arguments) {
        end_package(repo);
        end_section(repo);
        char *id = strsep(&arguments, " ");
        repo->section = section;
        buf_printf(&repo->comps, "<%s><id>%s</id><name>%s</name><%s>", section, id, arguments ? arguments : id,
                   strcmp(section, "group") == 0 ? "packagelist" : "grouplist");
}

static void add_member(struct test_repo *repo, const char *type, char *arguments) {
        char *name = strsep(&arguments, " ");
        buf_printf(&repo->comps, "<packagereq type=\"%s\"", type);
        if (arguments)
                buf_printf(&repo->comps, " requires=\"%s\"", arguments);
        buf_printf(&repo->comps, ">%s</packagereq>", name);
}

static bool read_repo_line(struct test_repo *repo, const char *word, char *rest) {
        static const char *const members[] = { "mandatory", "default", "optional", "conditional" };
        for (size_t i = 0; i < lengthof(kinds); i++)
                if (strcmp(word, kinds[i]) == 0)
                        return add_dependency(repo, i, rest), true;
        for (size_t i = 0; i < lengthof(members); i++)
                if (strcmp(word, members[i]) == 0)
                        return add_member(repo, word, rest), true;
        bool inside_environment = repo->section && strcmp(repo->section, "environment") == 0;
        if (strcmp(word, "yaml") == 0) {
                buf_printf(&repo->modules, "%s\n", rest);
        } else if (strcmp(word, "pkg") == 0) {
                begin_package(repo, rest);
        } else if (strcmp(word, "file") == 0) {
                if (in_primary(rest))
                        buf_printf(&repo->files, "<file>%s</file>", rest);
                buf_printf(&repo->all_files, "<file>%s</file>", rest);
        } else if (strcmp(word, "group") == 0 && inside_environment && !strchr(rest, ' ')) {
                buf_printf(&repo->comps, "<groupid>%s</groupid>", rest);
        } else if (strcmp(word, "group") == 0) {
                begin_section(repo, "group", rest);
        } else if (strcmp(word, "environment") == 0) {
                begin_section(repo, "environment", rest);
        } else {
                return false;
        }
        return true;
}

static bool read_line(struct test_case *test, const char *word, char *rest) {
        const struct {
                const char *word;
                struct strings *list;
        } lists[] = {
                { "request", &test->requests },          { "expect", &test->expected },
                { "message", &test->messages },          { "hint", &test->hints },
                { "excludes", &test->release.excludes }, { "warning", &test->warnings },
                { "warnings", &test->no_warnings },      { "modules", &test->release.modules },
        };
        for (size_t i = 0; i < lengthof(lists); i++)
                if (strcmp(word, lists[i].word) == 0)
                        return push(test, lists[i].list, rest), true;
        if (strcmp(word, "repo") == 0)
                begin_repo(test, rest);
        else if (strcmp(word, "arch") == 0)
                test->release.arch = arena_strdup(&test->arena, rest);
        else if (strcmp(word, "releasever") == 0)
                test->release.releasever = arena_strdup(&test->arena, rest);
        else if (strcmp(word, "install_weak_deps") == 0)
                test->release.install_weak_deps = strcmp(rest, "true") == 0;
        else if (strcmp(word, "error") == 0)
                test->error = arena_strdup(&test->arena, rest);
        else
                return test->repo_count > 0 && read_repo_line(&test->repos[test->repo_count - 1], word, rest);
        return true;
}

static bool read_case(struct test_case *test, const char *path, struct err *err) {
        auto_buf text = { 0 };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return false;
        int number = 0;
        for (char *rest = text.data, *line; rest && (line = strsep(&rest, "\n"));) {
                number++;
                while (isspace((unsigned char)*line))
                        line++;
                if (*line == '#' || !*line)
                        continue;
                char *arguments = line;
                const char *word = strsep(&arguments, " ");
                if (!arguments || !read_line(test, word, arguments))
                        return fail(err, ERR_SYNTAX, 0, "%s:%d: not understood: %s", path, number, word);
        }
        return true;
}

static bool write_metadata(const struct test_repo *repo, struct buf *repomd, const char *type, const struct buf *head,
                           bool leave_out, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        auto_free char *path = xasprintf("%s/repodata/%s.xml", repo->dir, type);
        digest_bytes("sha256", head->data, head->size, hex);
        buf_printf(repomd,
                   "<data type=\"%s\"><checksum type=\"sha256\">%s</checksum><location href=\"repodata/%s.xml\"/>"
                   "<size>%zu</size></data>\n",
                   type, hex, type, head->size);
        return leave_out || (fs_mkdirs_for(AT_FDCWD, path, 0755, err) &&
                             fs_write_atomic(AT_FDCWD, path, head->data, head->size, 0644, err));
}

static bool write_repo(struct test_repo *repo, struct err *err) {
        auto_buf primary = { 0 };
        auto_buf filelists = { 0 };
        auto_buf comps = { 0 };
        auto_buf repomd = { 0 };
        auto_free char *path = xasprintf("%s/repodata/repomd.xml", repo->dir);
        end_package(repo);
        end_section(repo);
        buf_printf(&primary,
                   "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
                   "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"%d\">%s</metadata>\n",
                   repo->count, buf_text(&repo->primary));
        buf_printf(&filelists,
                   "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"%d\">%s</filelists>\n",
                   repo->count, buf_text(&repo->filelists));
        buf_printf(&comps, "<comps>%s</comps>\n", buf_text(&repo->comps));
        buf_append_text(&repomd, "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n");
        if (!write_metadata(repo, &repomd, "primary", &primary, false, err) ||
            !write_metadata(repo, &repomd, "filelists", &filelists, repo->no_filelists, err) ||
            !write_metadata(repo, &repomd, "group", &comps, false, err))
                return false;
        if (repo->modules.size > 0 && !write_metadata(repo, &repomd, "modules", &repo->modules, false, err))
                return false;
        buf_append_text(&repomd, "</repomd>\n");
        return fs_write_atomic(AT_FDCWD, path, repomd.data, repomd.size, 0644, err);
}

static int by_text(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void check_set(struct test_case *test, const struct package_set *set) {
        auto_buf actual = { 0 };
        auto_buf expected = { 0 };
        if (test->expected.count)
                qsort(test->expected.items, test->expected.count, sizeof(char *), by_text);
        const char **names = xcalloc(set->count + 1, sizeof *names);
        for (size_t i = 0; i < set->count; i++)
                names[i] = set->items[i]->nevra;
        qsort(names, set->count, sizeof *names, by_text);
        for (size_t i = 0; i < set->count; i++)
                buf_printf(&actual, "%s ", names[i]);
        for (size_t i = 0; i < test->expected.count; i++)
                buf_printf(&expected, "%s ", test->expected.items[i]);
        EXPECT_TEXT(buf_text(&actual), buf_text(&expected));
        free(names);
}

static void check_error(const struct test_case *test, const struct err *err) {
        EXPECT_TEXT(err_kind_name(err->kind), test->error ? test->error : "NONE");
        for (size_t i = 0; i < test->messages.count; i++)
                if (!err->text || !strstr(err->text, test->messages.items[i]))
                        EXPECT_TEXT(err->text, test->messages.items[i]);
        for (size_t i = 0; i < test->hints.count; i++)
                if (!err->hint || !strstr(err->hint, test->hints.items[i]))
                        EXPECT_TEXT(err->hint, test->hints.items[i]);
}

static bool open_case(struct test_case *test, struct packages **ret, struct err *err) {
        auto_free char *cache = xasprintf("%s/cache", test->dir);
        struct packages_options options = { .cache = open_cache(cache) };
        return packages_open(&test->release, &options, ret, err);
}

static size_t count_of(const char *text, const char *part) {
        size_t count = 0;
        while ((text = strstr(text, part)) != NULL) {
                count++;
                text += strlen(part);
        }
        return count;
}

static void check_warnings(const struct test_case *test, const char *warnings) {
        if (test->no_warnings.count > 0)
                EXPECT_TEXT(warnings, "");
        for (size_t i = 0; i < test->warnings.count; i++)
                if (count_of(warnings, test->warnings.items[i]) != 1)
                        EXPECT_TEXT(warnings, test->warnings.items[i]);
}

// A lock that holds the answer gives the same answer.
static void solve_limited(struct test_case *test, struct packages *packages, const struct package_set *set) {
        struct package_set again = { 0 };
        packages_limit(packages, LIMIT_SET, set->items, set->count);
        EXPECT_OK(packages_solve(packages, test->requests.items, test->requests.count, &again, err));
        check_set(test, &again);
        package_set_release(&again);
}

static bool solve(struct test_case *test, struct packages *packages, struct package_set *set, struct err *ret_err) {
        auto_free char *path = xasprintf("%s/stderr", test->dir);
        auto_buf text = { 0 };
        auto_close int kept = dup(STDERR_FILENO);
        auto_close int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(file, STDERR_FILENO);
        bool ok = packages_solve(packages, test->requests.items, test->requests.count, set, ret_err);
        if (ok)
                solve_limited(test, packages, set);
        dup2(kept, STDERR_FILENO);
        EXPECT_OK(fs_read(AT_FDCWD, path, &text, err));
        check_warnings(test, buf_text(&text));
        return ok;
}

// Twice: the second run reads the .solv files that the first one wrote.
static void solve_twice(struct test_case *test) {
        for (int run = 0; run < 2; run++) {
                struct packages *packages = NULL;
                struct package_set set = { 0 };
                auto_err error = { 0 };
                bool ok = open_case(test, &packages, &error) && solve(test, packages, &set, &error);
                check_error(test, &error);
                if (ok)
                        check_set(test, &set);
                package_set_release(&set);
                packages_close(packages);
        }
}

static void free_case(struct test_case *test) {
        for (size_t i = 0; i < test->repo_count; i++) {
                struct test_repo *repo = &test->repos[i];
                struct buf *buffers[] = { &repo->primary, &repo->filelists, &repo->comps,
                                          &repo->files,   &repo->modules,   &repo->all_files };
                for (size_t k = 0; k < lengthof(buffers); k++)
                        buf_release(buffers[k]);
                for (size_t k = 0; k < lengthof(kinds); k++)
                        buf_release(&repo->formats[k]);
                free(repo->repository.base_urls.items);
                free(repo->repository.excludes.items);
                free(repo->repository.includes.items);
        }
        free(test->release.repositories);
        free(test->release.excludes.items);
        free(test->release.modules.items);
        free(test->requests.items);
        free(test->expected.items);
        free(test->messages.items);
        free(test->hints.items);
        free(test->warnings.items);
        free(test->no_warnings.items);
        arena_release(&test->arena);
}

static const char *case_path;

static void solves_as_the_case_says(void) {
        char dir[] = "/tmp/kiln-solve.XXXXXX";
        struct test_case test = { .dir = mkdtemp(dir), .release = { .name = "test", .arch = "x86_64" } };
        auto_err error = { 0 };
        bool ready = read_case(&test, case_path, &error);
        test.release.repositories = xcalloc(test.repo_count + 1, sizeof(struct repository));
        test.release.repository_count = test.repo_count;
        for (size_t i = 0; ready && i < test.repo_count; i++) {
                ready = write_repo(&test.repos[i], &error);
                test.release.repositories[i] = test.repos[i].repository;
        }
        EXPECT_TEXT(error.text ? error.text : "", "");
        EXPECT(test.expected.count > 0 || test.error);
        if (ready)
                solve_twice(&test);
        free_case(&test);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, dir, err));
}

int main(void) {
        glob_t found = { 0 };
        if (glob("tests/solve/*.case", 0, NULL, &found) != 0)
                return 1;
        for (size_t i = 0; i < found.gl_pathc; i++) {
                case_path = found.gl_pathv[i];
                int failures = test_failures;
                printf("# %s\n", case_path);
                RUN(solves_as_the_case_says);
                if (test_failures > failures)
                        printf("# failed: %s\n", case_path);
        }
        globfree(&found);
        return test_done();
}
