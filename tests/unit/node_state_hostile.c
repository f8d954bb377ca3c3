// SPDX-License-Identifier: MIT
// State disks that somebody else wrote, or that are damaged: links, FIFOs, devices and second names where kiln has its
// files. Nothing is written and nothing read outside of the disk, and nothing blocks. Mounted here is a directory.
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/run.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"
#include "firmware/node/state/state_keep.h"
#include "firmware/node/state/state_mount.h"
#include "firmware/node/state/state_overlay.h"
#include "tests/unit/root.h"
#include "tests/unit/test.h"

static int world_root;

// Runs a script in bash -e with $D, the mounted disk.
static void on_disk(const char *script) {
        auto_free char *text = xasprintf("set -e; D=/run/kiln/state; cd $D; umask 022; %s", script);
        EXPECT_OK(run_command(err, "/bin/sh", "-c", text, NULL));
}

// Whether `path` holds just this.
static bool holds(const char *path, const char *content) {
        auto_buf text = { .max = 1 << 16 };
        auto_err err = { 0 };
        bool found;
        return root_read(world_root, path, &text, &found, &err) && found && strcmp(buf_text(&text), content) == 0;
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

static const struct state_path data_path = { .path = "/run/image/var/data", .id_file = "id", .mode = 0700 };

static bool binding_is_refused(const char *part) {
        auto_err err = { 0 };
        bool bound = state_bind(&data_path, &err);
        bool refused = !bound && err.kind == ERR_CORRUPT && strstr(err.text, part) && err.hint;
        if (!refused)
                printf("# %s\n", bound ? "bound" : err.text);
        return refused;
}

// This machine with a /run of its own, in which a directory is the disk; a test that blocks is ended.
static void in_a_world(void (*test)(void)) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
                alarm(60);
                test_bad = 0;
                EXPECT(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                       mount("tmpfs", "/run", "tmpfs", MS_NOSUID, NULL) == 0);
                EXPECT_OK(run_command(err, "/bin/sh", "-c",
                                      "mkdir -p /run/kiln/state /run/image/var/data /run/elsewhere && "
                                      "echo secret >/run/elsewhere/file && chmod 644 /run/elsewhere/file",
                                      NULL));
                world_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (test_bad == 0)
                        test();
                fflush(stdout);
                _exit(test_bad > 0);
        }
        int status = 0;
        EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void bind_good_disk(void) {
        on_disk("echo from-image >/run/image/var/data/file");
        EXPECT_OK(state_check_layout(err));
        EXPECT_OK(state_bind(&data_path, err));
        EXPECT(holds("/run/kiln/state/paths/run/image/var/data/file", "from-image\n"));
        on_disk("echo more >/run/image/var/data/more");
        EXPECT(holds("/run/kiln/state/paths/run/image/var/data/more", "more\n"));
        on_disk("umount /run/image/var/data; rm /run/image/var/data/file");
        EXPECT_OK(state_bind(&data_path, err)); // the second boot
        EXPECT(holds("/run/image/var/data/more", "more\n") && holds("/run/image/var/data/file", "from-image\n"));
}

static void bind_linked_disk(void) {
        static const char *const scripts[] = {
                "mkdir -p paths/run/image/var; ln -s /run/elsewhere paths/run/image/var/data",
                "mkdir -p paths/run; ln -s /run/elsewhere paths/run/image",
                "ln -s ../../elsewhere paths",
                "mkdir -p paths/run/image/var; ln -s ../../../../real paths/run/image/var/data; mkdir real",
        };
        for (size_t i = 0; i < lengthof(scripts); i++) {
                on_disk("rm -rf paths real");
                on_disk(scripts[i]);
                EXPECT(binding_is_refused("a link"));
        }
        on_disk("rm -rf paths; mkdir -p paths/run/image/var; mkfifo paths/run/image/var/data");
        EXPECT(binding_is_refused("a FIFO"));
        on_disk("rm -rf paths; mkdir -p paths/run/image; echo >paths/run/image/var");
        EXPECT(binding_is_refused("a regular file"));
        on_disk("rm -rf paths; ln -s /run/elsewhere paths.new; test -d /run/elsewhere");
        EXPECT_OK(state_bind(&data_path, err));
        on_disk("test ! -e /run/elsewhere/id; test $(ls /run/elsewhere) = file");
}

static bool layout_is_refused(const char *part) {
        auto_err err = { 0 };
        return !state_check_layout(&err) && err.kind == ERR_CORRUPT && strstr(err.text, part) && err.hint;
}

static void check_layouts(void) {
        struct stat stat;
        on_disk("ln -s /run/elsewhere kiln");
        EXPECT(layout_is_refused("kiln is a link"));
        on_disk("rm kiln; mkdir kiln; ln -s /run/elsewhere kiln/keep");
        EXPECT(layout_is_refused("kiln/keep is a link"));
        on_disk("rm -r kiln; mkfifo kiln");
        EXPECT(layout_is_refused("kiln is a FIFO"));
        on_disk("rm kiln; ln -s nowhere paths");
        EXPECT(layout_is_refused("paths is a link"));
        on_disk("rm paths; mkdir -p kiln/keep paths; chown 7:8 kiln; chmod 1777 kiln; chmod 777 .");
        EXPECT_OK(state_check_layout(err));
        EXPECT(lstat("/run/kiln/state/kiln", &stat) == 0 && stat.st_uid == 0 && (stat.st_mode & 022) == 0);
        EXPECT(lstat("/run/kiln/state", &stat) == 0 && (stat.st_mode & 022) == 0);
}

// The machine-id, the keys and the seed are written into /etc and /var, which are tmpfs here.
static void mount_over(const char *path) {
        EXPECT_OK(run_command(err, "mkdir", "-p", path, NULL));
        EXPECT(mount("tmpfs", path, "tmpfs", MS_NOSUID, NULL) == 0);
}

static const char keep_path[] = "/run/kiln/state/kiln/keep/machine-id";

static void restore_hostile_keep(void) {
        struct stat stat;
        mount_over("/etc");
        mount_over("/var");
        on_disk("mkdir -p /etc/ssh kiln; ln -s /run/elsewhere kiln/keep");
        auto_err linked = { 0 };
        EXPECT(!keep_restore(world_root, &linked) && strstr(linked.text, "a link"));
        EXPECT(!is_there("/run/elsewhere/machine-id") && !is_there("/run/elsewhere/random-seed"));
        on_disk("rm kiln/keep; mkdir kiln/keep; cd kiln/keep; ln -s /run/elsewhere/file ssh_host_rsa_key;"
                "mkfifo machine-id; echo victim >../victim; chmod 640 ../victim; ln ../victim random-seed");
        auto_err keys = { 0 };
        EXPECT(!keep_restore(world_root, &keys) && strstr(keys.text, "machine-id is a FIFO"));
        EXPECT(!is_there("/etc/ssh/ssh_host_rsa_key"));
        // The seed is put back all the same; systemd's writing to it does not reach the other name.
        EXPECT(lstat("/var/lib/systemd/random-seed", &stat) == 0 && stat.st_size == 512);
        EXPECT(holds("/run/kiln/state/kiln/victim", "victim\n"));
        on_disk("cd kiln/keep; rm machine-id ssh_host_rsa_key; umount /var/lib/systemd/random-seed; rm random-seed;"
                "ln -s /run/elsewhere/file random-seed; echo key >ssh_host_rsa_key; ln -s /run/elsewhere/new "
                ".machine-id.kiln");
        auto_err seed = { 0 };
        EXPECT(!keep_restore(world_root, &seed) && strstr(seed.text, "random-seed is a link"));
        EXPECT(holds("/etc/ssh/ssh_host_rsa_key", "key\n") && is_there(keep_path) && !is_there("/run/elsewhere/new"));
        on_disk("cd kiln/keep; rm random-seed");
        EXPECT_OK(keep_restore(world_root, err));
        EXPECT(holds("/run/elsewhere/file", "secret\n"));
}

static void save_to_hostile_keep(void) {
        mount_over("/etc");
        on_disk("mkdir -p /etc/ssh kiln; echo key >/etc/ssh/ssh_host_rsa_key; ln -s /run/elsewhere kiln/keep");
        auto_err linked = { 0 };
        EXPECT(!keep_save(world_root, &linked) && strstr(linked.text, "a link"));
        EXPECT(!is_there("/run/elsewhere/ssh_host_rsa_key"));
        on_disk("rm kiln/keep; mkdir kiln/keep; ln -s /run/elsewhere/file kiln/keep/ssh_host_rsa_key");
        EXPECT_OK(keep_save(world_root, err));
        EXPECT(holds("/run/elsewhere/file", "secret\n") &&
               holds("/run/kiln/state/kiln/keep/ssh_host_rsa_key", "key\n"));
}

static void discard_hostile_layers(void) {
        on_disk("mkdir kiln; ln -s /run/elsewhere kiln/overlay.old; mkdir kiln/overlay; echo >kiln/overlay/old");
        EXPECT_OK(state_overlay_discard(err));
        EXPECT_OK(state_overlay_make(err));
        on_disk("test -d kiln/overlay.old; test ! -L kiln/overlay.old; test -e kiln/overlay.old/old");
        on_disk("test $(ls /run/elsewhere) = file; rmdir kiln/overlay; ln -s /run/elsewhere kiln/overlay");
        EXPECT_OK(state_overlay_discard(err));
        EXPECT_OK(state_overlay_make(err));
        on_disk("test ! -L kiln/overlay; rmdir kiln/overlay; mkfifo kiln/overlay; rm -r kiln/overlay.old; echo "
                ">kiln/overlay.old");
        EXPECT_OK(state_overlay_discard(err));
        EXPECT_OK(state_overlay_make(err));
}

static const struct state_settings *settings_of(struct arena *arena, const char *json) {
        struct state_settings *settings = arena_alloc(arena, sizeof *settings);
        json_t *root = json_loads(json, 0, NULL);
        EXPECT_OK(state_settings_read(root, arena, settings, err));
        json_decref(root);
        return settings;
}

static void read_hostile_ids(void) {
        struct arena arena = { 0 };
        static const struct {
                const char *script, *part;
        } cases[] = {
                { "ln -s /run/elsewhere/file kiln/identity.json", "identity.json is a link" },
                { "mkfifo kiln/identity.json", "identity.json is a FIFO" },
                { "mkdir kiln/identity.json", "identity.json is a directory" },
                { "truncate -s 1T kiln/identity.json", "at most" },
                { "ln -s /run/elsewhere/file /run/image/var/data/id", "id is a link" },
                { "mkfifo /run/image/var/data/id", "id is a FIFO" },
                { "mknod /run/image/var/data/id c 1 5 || mkfifo /run/image/var/data/id", "id is a " },
                { "rmdir kiln; ln -s /run/elsewhere kiln", "kiln is a link" },
        };
        const struct state_settings *settings =
            settings_of(&arena, "{\"state_disk\":{\"label\":\"S\"},\"state\":[{\"path\":"
                                "\"/run/image/var/data\",\"id_file\":\"id\"}]}");
        on_disk("echo x >/run/kiln/root.conf; "
                "echo '{\"format\":1,\"status\":\"mounted\",\"device\":\"/dev/x\"}' >/run/kiln/state.json");
        for (size_t i = 0; i < lengthof(cases); i++) {
                const struct state_facts *facts = NULL;
                on_disk("rm -rf kiln /run/image/var/data/*; mkdir kiln");
                on_disk(cases[i].script);
                EXPECT_OK(state_read(world_root, settings, &arena, &facts, err));
                bool refused = facts && facts->record.status == STATE_REFUSED &&
                               strstr(facts->record.reason, cases[i].part) && strstr(facts->record.reason, "remove it");
                if (!refused)
                        printf("# %s: %s\n", cases[i].script, facts ? facts->record.reason : "no facts");
                EXPECT(refused);
        }
        arena_release(&arena);
}

// What a node's template becomes lies below a state path, whose directories are a service's.
static bool writing_is_refused(const char *path) {
        auto_err err = { 0 };
        bool changed;
        const struct root_file file = { path, "content\n", 8, 0644, 0, 0 };
        bool refused = !root_write(world_root, &file, &changed, &err) && err.kind == ERR_CORRUPT && err.hint &&
                       strstr(err.text, "is a link on the state disk");
        if (!refused)
                printf("# %s: %s\n", path, err.text ? err.text : "written");
        return refused;
}

static void write_below_hostile_path(void) {
        auto_err read = { 0 }, removal = { 0 };
        auto_buf text = { .max = 1 << 16 };
        bool found, changed;
        EXPECT(mount("tmpfs", "/run/kiln/state", "tmpfs", MS_NOSUID, NULL) == 0);
        on_disk("mkdir /run/image/linked; ln -s linked /run/image/of-the-image");
        EXPECT_OK(state_bind(&data_path, err));
        on_disk("cd /run/image/var/data; ln -s ../../../elsewhere conf; mkdir deep; ln -s /run/elsewhere deep/er;"
                "ln -s /run/elsewhere/file id");
        EXPECT(writing_is_refused("/run/image/var/data/conf/file"));
        EXPECT(writing_is_refused("/run/image/var/data/deep/er/new"));
        EXPECT(writing_is_refused("/run/image/var/data/conf/made/file"));
        EXPECT(!root_remove(world_root, "/run/image/var/data/conf/file", &changed, &removal) &&
               removal.kind == ERR_CORRUPT);
        EXPECT(!root_read(world_root, "/run/image/var/data/id", &text, &found, &read) && read.kind == ERR_CORRUPT);
        EXPECT(holds("/run/elsewhere/file", "secret\n") && !is_there("/run/elsewhere/new") &&
               !is_there("/run/elsewhere/made"));
        const struct root_file good = { "/run/image/var/data/deep/new/file", "content\n", 8, 0644, 0, 0 },
                               linked = { "/run/image/of-the-image/file", "content\n", 8, 0644, 0, 0 };
        EXPECT_OK(root_write(world_root, &good, &changed, err));
        EXPECT_OK(root_write(world_root, &linked, &changed, err)); // the image's own links are its own business
        EXPECT(holds("/run/image/linked/file", "content\n"));
}

static void binds_what_a_state_path_has_on_the_disk(void) { in_a_world(bind_good_disk); }
static void binds_no_links_target(void) { in_a_world(bind_linked_disk); }
static void takes_no_disk_whose_top_leads_elsewhere(void) { in_a_world(check_layouts); }
static void restores_no_links_target(void) { in_a_world(restore_hostile_keep); }
static void saves_through_no_link(void) { in_a_world(save_to_hostile_keep); }
static void sets_aside_no_links_target(void) { in_a_world(discard_hostile_layers); }
static void reads_whose_disk_it_is_from_the_disk_alone(void) { in_a_world(read_hostile_ids); }
static void writes_through_no_link_of_the_disk(void) { in_a_world(write_below_hostile_path); }

int main(void) {
        become_root();
        RUN(binds_what_a_state_path_has_on_the_disk);
        RUN(binds_no_links_target);
        RUN(takes_no_disk_whose_top_leads_elsewhere);
        RUN(restores_no_links_target);
        RUN(saves_through_no_link);
        RUN(sets_aside_no_links_target);
        RUN(reads_whose_disk_it_is_from_the_disk_alone);
        RUN(writes_through_no_link_of_the_disk);
        return test_done();
}
