// SPDX-License-Identifier: MIT
// What kiln-node may cost a machine: bytes in the image, pages in memory, and nothing that the image would have to
// have.
#include "tests/unit/root.h"
#include "tests/unit/test.h"

#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "shared/node_config.h"
#include "tests/unit/node.h"

// Checking signatures costs 160 KB: ed25519 of nettle's hogweed, and GMP below it. There is no smaller one in Debian
// that others maintain, and one of our own would be what everything else hangs on. A look at the network, secrets,
// mirrors and the words of the command line have cost 40 KB more.
enum { SIZE_MAX_BYTES = 1700000, MEMORY_MAX_KB = 4096 };

static char program[4096], root[] = "/tmp/kiln-limits.XXXXXX";

static void it_is_small_and_static(void) {
        struct stat stat_;
        Elf64_Ehdr head = { 0 };
        Elf64_Phdr segments[32];
        EXPECT(stat(program, &stat_) == 0);
        printf("# %lld bytes\n", (long long)stat_.st_size);
        EXPECT(stat_.st_size < SIZE_MAX_BYTES);
        auto_close int fd = open(program, O_RDONLY | O_CLOEXEC);
        EXPECT(fd >= 0 && read(fd, &head, sizeof head) == sizeof head && head.e_phnum <= lengthof(segments));
        size_t size = head.e_phnum * sizeof *segments;
        EXPECT(pread(fd, segments, size, (off_t)head.e_phoff) == (ssize_t)size);
        for (size_t i = 0; i < head.e_phnum; i++)
                EXPECT(segments[i].p_type != PT_INTERP && segments[i].p_type != PT_DYNAMIC);
}

static void write_text(const char *path, const char *text) {
        char full[256];
        snprintf(full, sizeof full, "%s%s", root, path);
        auto_fclose FILE *file = fopen(full, "we");
        EXPECT(file && fputs(text, file) >= 0);
}

static void make_folder(const char *path) {
        char full[256];
        snprintf(full, sizeof full, "%s%s", root, path);
        EXPECT(mkdir(full, 0755) == 0);
}

// A cluster of many nodes is the most that a plan reads. The seventh is the machine of the facts.
static void write_inventory(int nodes, int padding) {
        auto_buf json = { 0 };
        buf_append_text(&json, "{\"format\":1,\"cluster\":\"big\",\"role\":\"n\",\"network_writer\":\"ifcfg\","
                               "\"networks\":[{\"name\":\"lan\",\"subnet\":\"10.0.0.0/16\"}],\"nodes\":[");
        for (int i = 1; i <= nodes; i++)
                buf_printf(&json,
                           "%s{\"name\":\"n%d\",\"role\":\"n\",\"mac\":\"02:00:00:00:%02x:%02x\",\"ip\":\"10.0.%d.%d\","
                           "\"network\":\"lan\",\"serial\":\"CZJ%05d\"}",
                           i > 1 ? "," : "", i, i >> 8, i & 255, 1 + i / 200, 1 + i % 200, i);
        buf_printf(&json, "]}%*s", padding, "");
        write_text("/etc/kiln/node.json", buf_text(&json));
}

static int plan_quietly(struct rusage *ret_usage) {
        char facts[256];
        int status;
        snprintf(facts, sizeof facts, "%s/facts", root);
        write_text("/facts",
                   "{\"command_line\":\"ro\",\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:07\"}],"
                   "\"serial\":\"CZJ00007\",\"dhcp_asked\":true}");
        pid_t pid = fork();
        if (pid == 0) {
                int null = open("/dev/null", O_WRONLY);
                dup2(null, 1);
                execl(program, program, "plan", "--root", root, "--facts", facts, "--json", (char *)NULL);
                _exit(127);
        }
        EXPECT(wait4(pid, &status, 0, ret_usage) == pid && WIFEXITED(status));
        printf(
            "# %ld KiB, %ld us of CPU\n", ret_usage->ru_maxrss,
            (long)(ret_usage->ru_utime.tv_usec + ret_usage->ru_stime.tv_usec + 1000000 * ret_usage->ru_utime.tv_sec));
        return WEXITSTATUS(status);
}

static void it_needs_little_memory(void) {
        struct rusage usage = { 0 };
        EXPECT(plan_quietly(&usage) == 0);
        EXPECT(usage.ru_maxrss < MEMORY_MAX_KB);
}

// More than a megabyte; and the builder makes no file of more than the limit.
static void it_reads_a_very_large_inventory(void) {
        struct rusage usage = { 0 };
        write_inventory(20000, 0);
        EXPECT(plan_quietly(&usage) == 0);
        write_inventory(20000, NODE_JSON_MAX_BYTES);
        EXPECT(plan_quietly(&usage) != 0);
        write_inventory(200, 0);
}

// The kernel command line of the machine that it runs on would refuse this one.
static void facts_are_of_another_machine(void) {
        char facts[256], words[256];
        int status;
        snprintf(facts, sizeof facts, "%s/facts", root);
        snprintf(words, sizeof words, "%s/words", root);
        write_text("/facts", "{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:07\"}],"
                             "\"serial\":\"CZJ00007\",\"dhcp_asked\":true}");
        write_text("/words", "kiln.node=nobody\n");
        pid_t pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount(words, "/proc/cmdline", NULL, MS_BIND, NULL) < 0)
                        _exit(126);
                int null = open("/dev/null", O_WRONLY);
                dup2(null, 1);
                execl(program, program, "plan", "--root", root, "--facts", facts, (char *)NULL);
                _exit(127);
        }
        EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)stat, (void)type, (void)where;
        return remove(path);
}

int main(int argc, char **argv) {
        become_root();
        // build/tests/unit/node_limits -> build/kiln-node
        auto_free char *own = xstrdup(argc > 0 ? argv[0] : "");
        snprintf(program, sizeof program, "%s/../../kiln-node", dirname(own));
        EXPECT(mkdtemp(root) != NULL);
        make_folder("/etc");
        make_folder("/etc/kiln");
        write_inventory(200, 0);
        RUN(it_is_small_and_static);
        RUN(it_needs_little_memory);
        RUN(it_reads_a_very_large_inventory);
        RUN(facts_are_of_another_machine);
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return test_done();
}
