// SPDX-License-Identifier: MIT
// The config drive: volumes that mkfs.vfat, xorriso and mke2fs made, found by label, and what two of them mean.
#include "tests/unit/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/config_drive/config_drive.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/secrets/secret_source.h"

static char host_path[64], sys_path[96], dev_path[96];
static struct arena arena;
static struct facts facts;

static bool run(const char *const argv[]) {
        pid_t pid = fork();
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);
                dup2(null, 1);
                dup2(null, 2);
                setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        int status;
        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A device in /sys and /dev that is a file.
static const char *add_device(const char *name, off_t size) {
        static char path[160];
        snprintf(path, sizeof path, "%s/%s", sys_path, name);
        EXPECT(mkdir(path, 0755) == 0);
        int folder = snprintf(path, sizeof path, "%s/", dev_path);
        snprintf(path + folder, sizeof path - (size_t)folder, "%s", name);
        char *bang = strchr(path + folder, '!'); // as /sys shows a '/'
        if (bang) {
                *bang = '\0';
                EXPECT(mkdir(path, 0755) == 0);
                *bang = '/';
        }
        auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        EXPECT(fd >= 0 && ftruncate(fd, size) == 0);
        return path;
}

static void add_fat(const char *name, const char *label) {
        const char *path = add_device(name, 2 << 20);
        EXPECT(run((const char *const[]){ "mkfs.vfat", "-n", label, path, NULL }));
}

static void add_iso(const char *name, const char *label) {
        const char *path = add_device(name, 0);
        EXPECT(run((const char *const[]){ "xorriso", "-as", "mkisofs", "-V", label, "-o", path, sys_path, NULL }));
}

static void add_ext4(const char *name, const char *label) {
        const char *path = add_device(name, 4 << 20);
        EXPECT(run((const char *const[]){ "mke2fs", "-q", "-t", "ext4", "-L", label, path, NULL }));
}

static void start(const char *command_line) {
        snprintf(host_path, sizeof host_path, "/tmp/kiln-drive.XXXXXX");
        EXPECT(mkdtemp(host_path) != NULL);
        snprintf(sys_path, sizeof sys_path, "%s/sys", host_path);
        snprintf(dev_path, sizeof dev_path, "%s/dev", host_path);
        EXPECT(mkdir(sys_path, 0755) == 0 && mkdir(dev_path, 0755) == 0);
        facts = (struct facts){ .command_line = command_line };
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)stat, (void)type, (void)where;
        return remove(path);
}

static void stop(void) {
        nftw(host_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        arena_release(&arena);
}

// What each device's kiln.conf is; a device that is not named has none.
static struct content { const char *device, *text, *error; } contents[4];
static char asked[256]; // the devices that were read

static const struct content *secret_contents;
static size_t secret_content_count;

static bool read_secret_content(const struct volume *volume, struct buf *ret, bool *ret_found, struct err *err) {
        for (size_t i = 0; i < secret_content_count; i++) {
                if (strcmp(secret_contents[i].device, volume->device) != 0)
                        continue;
                if (secret_contents[i].error)
                        return fail(err, ERR_IDENTITY, 0, "%s", secret_contents[i].error);
                *ret_found = true;
                buf_append_text(ret, secret_contents[i].text);
        }
        return true;
}

static bool read_content(const struct volume *volume, enum drive_file file, struct buf *ret, bool *ret_found,
                         struct err *err) {
        *ret_found = false;
        if (file == DRIVE_SECRETS)
                return read_secret_content(volume, ret, ret_found, err);
        snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%s %s;", volume->device, volume->type);
        for (size_t i = 0; i < lengthof(contents) && contents[i].device; i++) {
                if (strcmp(contents[i].device, volume->device) != 0)
                        continue;
                if (contents[i].error)
                        return fail(err, ERR_SYSTEM, 0, "%s", contents[i].error);
                *ret_found = true;
                buf_append_text(ret, contents[i].text);
        }
        return true;
}

static void find_with(const struct content *wanted, size_t count) {
        const struct config_drive_host host = { { sys_path, dev_path }, read_content, 150 };
        memset(contents, 0, sizeof contents);
        for (size_t i = 0; i < count; i++)
                contents[i] = wanted[i];
        asked[0] = '\0';
        config_drive_find(&host, &facts, &arena);
}
#define FIND(...)                                                                                                      \
        find_with((const struct content[]){ __VA_ARGS__ }, lengthof(((const struct content[]){ __VA_ARGS__ })))

static bool has_problem(const char *part) {
        bool right = facts.config_problem && strstr(facts.config_problem, part) && !facts.config_drive;
        if (!right)
                printf("# problem: %s\n", facts.config_problem ? facts.config_problem : "(none)");
        return right;
}

static void each_file_system_is_found_by_its_label(void) {
        start("quiet");
        add_fat("sda1", "KILN");
        add_iso("sr0", "KILN");
        add_ext4("vdb", "KILN");
        add_fat("cciss!c0d0p1", "KILN");
        add_fat("sdb1", "OTHER");
        add_iso("sr1", "kiln"); // not FAT: another label
        add_iso("loop0", "KILN");
        add_device("sdc", 1 << 20);
        add_device("sdd", 0);
        FIND({ "/dev/sr0", "kiln.node=a\n" });
        EXPECT_TEXT(asked, "/dev/cciss/c0d0p1 vfat;/dev/sda1 vfat;/dev/sr0 iso9660;/dev/vdb ext4;");
        EXPECT_TEXT(facts.config_drive, "kiln.node=a\n");
        EXPECT_TEXT(facts.config_device, "/dev/sr0");
        EXPECT(!facts.config_problem);
        stop();
}

static void no_drive_is_no_problem_and_no_wait(void) {
        start("kiln.node=a");
        add_fat("sda1", "KILN"); // a boot medium, without kiln.conf
        const struct config_drive_host host = { { sys_path, dev_path }, read_content, 600000 };
        memset(contents, 0, sizeof contents);
        config_drive_find(&host, &facts, &arena);
        EXPECT(!facts.config_drive && !facts.config_problem);
        facts.command_line = "kiln.config=none";
        FIND({ "/dev/sda1", "kiln.node=a" });
        EXPECT(!facts.config_drive && !facts.config_problem && !*asked);
        stop();
}

static void a_label_of_the_command_line_must_come(void) {
        start("kiln.config=SITE");
        add_fat("sda1", "KILN");
        add_fat("sdb1", "SITE");
        FIND({ "/dev/sda1", "kiln.node=a" }, { "/dev/sdb1", "kiln.node=b" });
        EXPECT_TEXT(facts.config_drive, "kiln.node=b");
        FIND({ "/dev/sda1", "kiln.node=a" });
        EXPECT(has_problem("kiln.config=SITE: the volume with that label has no kiln.conf"));
        facts.command_line = "kiln.config=site"; // FAT keeps capitals
        FIND({ "/dev/sdb1", "kiln.node=b" });
        EXPECT_TEXT(facts.config_drive, "kiln.node=b");
        facts.command_line = "kiln.config=ELSEWHERE";
        FIND({ "/dev/sdb1", "kiln.node=b" });
        EXPECT(has_problem("kiln.config=ELSEWHERE: no FAT, ISO 9660 or ext file system has that label"));
        stop();
}

static void two_drives_agree_or_are_refused(void) {
        start("");
        add_iso("sda", "KILN");
        add_iso("sda1", "KILN");
        FIND({ "/dev/sda", "kiln.node=a\n" }, { "/dev/sda1", "kiln.node=a\n" });
        EXPECT_TEXT(facts.config_drive, "kiln.node=a\n");
        EXPECT_TEXT(facts.config_device, "/dev/sda");
        FIND({ "/dev/sda", "kiln.node=a\n" }, { "/dev/sda1", "kiln.node=b\n" });
        EXPECT(has_problem("/dev/sda and /dev/sda1 are both labelled KILN, and their kiln.conf differ"));
        FIND({ "/dev/sda", "kiln.node=a\n" }, { "/dev/sda1", NULL, "read error" });
        EXPECT(has_problem("config drive /dev/sda1 (iso9660, labelled KILN): read error"));
        FIND({ "/dev/sda", "kiln.node=a\n\x01" });
        EXPECT(has_problem("line 2 of kiln.conf on /dev/sda: a byte 0x01"));
        stop();
}

// ---- the real reading, where this machine lets us attach a file as a device ----

static bool attach(const char *file, char ret_device[static 32]) {
        int out[2];
        if (pipe(out) < 0)
                return false;
        pid_t pid = fork();
        if (pid == 0) {
                dup2(out[1], 1);
                setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
                execlp("losetup", "losetup", "--read-only", "--find", "--show", file, (char *)NULL);
                _exit(127);
        }
        close(out[1]);
        ssize_t got = read(out[0], ret_device, 31);
        close(out[0]);
        int status;
        waitpid(pid, &status, 0);
        ret_device[got > 0 ? got : 0] = '\0';
        ret_device[strcspn(ret_device, "\n")] = '\0';
        return status == 0 && *ret_device;
}

static bool kernel_has(const char *type) {
        char line[64], wanted[32];
        auto_fclose FILE *file = fopen("/proc/filesystems", "re");
        snprintf(wanted, sizeof wanted, "\t%s\n", type);
        bool found = false;
        while (file && fgets(line, sizeof line, file))
                found |= strcmp(line, wanted) == 0;
        return found;
}

static void write_text(const char *path, const char *text) {
        FILE *file = fopen(path, "we");
        EXPECT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

// A file system of that type with what is in the folder `from`.
static bool make_volume(const char *type, const char *from, const char *path) {
        char file[160];
        snprintf(file, sizeof file, "%s/kiln.conf", from);
        if (strcmp(type, "iso9660") == 0)
                return run(
                    (const char *const[]){ "xorriso", "-as", "mkisofs", "-R", "-V", "KILN", "-o", path, from, NULL });
        if (strcmp(type, "ext4") == 0)
                return run((const char *const[]){ "mke2fs", "-q", "-t", "ext4", "-d", from, path, "8m", NULL });
        return run((const char *const[]){ "mkfs.vfat", "-C", path, "4096", NULL }) &&
               (access(file, F_OK) < 0 || run((const char *const[]){ "mcopy", "-i", path, file, "::kiln.conf", NULL }));
}

static bool read_device(const char *type, const char *path, enum drive_file file, struct buf *text, bool *ret_found,
                        struct err *err) {
        struct volume volume = { .label = "KILN" };
        if (!attach(path, volume.device))
                return fail(err, ERR_SYSTEM, 0, "losetup %s", path);
        snprintf(volume.type, sizeof volume.type, "%s", type);
        bool ok = config_drive_machine.read(&volume, file, text, ret_found, err);
        EXPECT(run((const char *const[]){ "losetup", "--detach", volume.device, NULL }));
        return ok;
}

static void check_reading(const char *type) {
        char from[128], image[128], file[160];
        start("");
        snprintf(from, sizeof from, "%s/from", host_path);
        snprintf(image, sizeof image, "%s/image", host_path);
        snprintf(file, sizeof file, "%s/kiln.conf", from);
        EXPECT(mkdir(from, 0755) == 0 && make_volume(type, from, image));
        auto_buf text = { .max = CONFIG_DRIVE_MAX };
        bool found = true;
        EXPECT_OK(read_device(type, image, DRIVE_CONF, &text, &found, err));
        EXPECT(!found && text.size == 0 && unlink(image) == 0);
        write_text(file, "kiln.node=m1\n");
        EXPECT(make_volume(type, from, image));
        EXPECT_OK(read_device(type, image, DRIVE_CONF, &text, &found, err));
        EXPECT(found && access("/run/kiln/config-drive", F_OK) < 0 && unlink(image) == 0);
        EXPECT_TEXT(buf_text(&text), "kiln.node=m1\n");
        auto_free char *big = xmalloc(CONFIG_DRIVE_MAX + 2);
        memset(big, 'a', CONFIG_DRIVE_MAX + 1);
        big[CONFIG_DRIVE_MAX + 1] = '\0';
        write_text(file, big);
        auto_err err = { 0 };
        EXPECT(make_volume(type, from, image) && !read_device(type, image, DRIVE_CONF, &text, &found, &err));
        EXPECT(err.text && strstr(err.text, "kiln.conf has 65537 bytes"));
        stop();
}

static void volumes_are_read_and_nothing_stays(void) {
        static const char *const types[] = { "ext4", "vfat", "iso9660" };
        for (size_t i = 0; i < lengthof(types); i++)
                if (kernel_has(types[i]))
                        check_reading(types[i]);
}

// ---- secrets ----

static struct inventory with_secrets;
static struct secret_source sources[SECRET_PLACES];

static void find_secrets(const struct content *wanted, size_t count) {
        const struct config_drive_host host = { { sys_path, dev_path }, read_content, 150 };
        memset(contents, 0, sizeof contents);
        secret_contents = wanted;
        secret_content_count = count;
        facts.inventory = &with_secrets;
        facts.secret_sources = sources;
        facts.secret_source_count = lengthof(sources);
        config_drive_find(&host, &facts, &arena);
        secret_content_count = 0;
}
#define FIND_SECRETS(...)                                                                                              \
        find_secrets((const struct content[]){ __VA_ARGS__ }, lengthof(((const struct content[]){ __VA_ARGS__ })))

static const char *value_of(const char *name) {
        const struct secret_source *source;
        return secret_sources_find(sources, lengthof(sources), name, &source);
}

static void a_drive_may_have_secrets_alone(void) {
        start("kiln.config=KILN");
        add_fat("sda1", "KILN");
        FIND_SECRETS({ "/dev/sda1", "a=1\nb=2\n" });
        EXPECT(!facts.config_problem && !facts.config_drive);
        EXPECT_TEXT(value_of("a"), "1");
        EXPECT_TEXT(sources[SECRETS_OF_DRIVE].place, "the config drive /dev/sda1");
        FIND_SECRETS({ "/dev/sda1", "b=3\n" }); // a second look forgets what the first one saw
        EXPECT(!value_of("a"));
        facts.command_line = "kiln.config=none";
        FIND_SECRETS({ "/dev/sda1", "b=3\n" });
        EXPECT(!value_of("b"));
        stop();
}

static void secrets_of_a_drive_refuse_no_machine(void) {
        start("");
        add_fat("sda1", "KILN");
        add_fat("sdb1", "KILN");
        FIND_SECRETS({ "/dev/sda1", "a=1\n" }, { "/dev/sdb1", "a=1\n" });
        EXPECT_TEXT(value_of("a"), "1");
        FIND_SECRETS({ "/dev/sda1", "a=1\n" }, { "/dev/sdb1", "a=hunter2\n" });
        EXPECT(!value_of("a") && strstr(sources[SECRETS_OF_DRIVE].problem, "another drive"));
        FIND_SECRETS({ "/dev/sda1", "a=1\n" }, { "/dev/sdb1", "hunter2\n" });
        EXPECT(!value_of("a") && *sources[SECRETS_OF_DRIVE].problem);
        EXPECT(!strstr(sources[SECRETS_OF_DRIVE].problem, "hunter2"));
        FIND_SECRETS({ "/dev/sda1", "hunter2\n" });
        EXPECT_TEXT(sources[SECRETS_OF_DRIVE].problem, "line 1: neither NAME=VALUE nor NAME<<END nor a # comment");
        FIND_SECRETS({ "/dev/sda1", NULL, "kiln.secrets is no regular file" });
        EXPECT_TEXT(sources[SECRETS_OF_DRIVE].problem, "kiln.secrets is no regular file");
        EXPECT(!facts.config_problem);
        secret_source_release(&sources[SECRETS_OF_DRIVE]);
        stop();
}

int main(void) {
        RUN(each_file_system_is_found_by_its_label);
        RUN(no_drive_is_no_problem_and_no_wait);
        RUN(a_label_of_the_command_line_must_come);
        RUN(two_drives_agree_or_are_refused);
        RUN(a_drive_may_have_secrets_alone);
        RUN(secrets_of_a_drive_refuse_no_machine);
        if (geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0)
                RUN(volumes_are_read_and_nothing_stays);
        else
                SKIP(volumes_are_read_and_nothing_stays,
                     "only root has loop devices and mounts such file systems (tests/drive does, in a machine)");
        return test_done();
}
