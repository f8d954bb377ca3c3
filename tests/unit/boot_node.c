// SPDX-License-Identifier: MIT
// builder/boot: from options to QEMU's arguments, and a child that never outlives kiln.
#include "boot/boot.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/progress.h"
#include "boot/internal.h"
#include "tests/unit/test.h"

static char build_dir[] = "/tmp/kiln-boot-node.XXXXXX";

static struct in_addr address(const char *text) {
        struct in_addr ip;
        inet_pton(AF_INET, text, &ip);
        return ip;
}

static struct cluster *test_cluster(void) {
        static struct network networks[2] = { { .name = "lan", .prefix = 24 }, { .name = "store", .prefix = 24 } };
        static const char *members[] = { "02:00:00:00:00:01", "02:00:00:00:00:02" };
        static struct node_link links[2] = { { .mac = { 2, 0, 0, 0, 0, 3 }, .has_mac = true, .network = 1 },
                                             { .mac = { 2, 0, 0, 0, 0, 4 }, .has_mac = true, .network = 2 } };
        static struct node nodes[3] = {
                { .name = "master101", .mac = { 0x52, 0x54, 0, 0xa8, 2, 0x47 }, .has_mac = true },
                { .name = "bare", .role = 0 },
                { .name = "wired",
                  .mac = { 2, 0, 0, 0, 0, 1 },
                  .has_mac = true,
                  .bond = { .members = { members, 2 } },
                  .links = links,
                  .link_count = 2 },
        };
        static struct vip vip;
        static struct role role = { .name = "master" };
        static struct cluster cluster = { .name = "article",
                                          .path = "cluster.yaml",
                                          .networks = networks,
                                          .network_count = 2,
                                          .vips = &vip,
                                          .vip_count = 1,
                                          .nodes = nodes,
                                          .node_count = 3,
                                          .roles = &role,
                                          .role_count = 1 };
        networks[0].address = address("192.168.2.0");
        networks[0].gateway = address("192.168.2.1");
        networks[1].address = address("10.9.0.0");
        links[0].ip = address("10.9.0.7");
        vip.ip = address("192.168.2.254");
        nodes[0].ip = address("192.168.2.71");
        nodes[1].ip = address("192.168.2.72");
        nodes[2].ip = address("192.168.2.73");
        return &cluster;
}

static void make_build(void) {
        static const char *const files[] = { "master/vmlinuz", "master/article-master.iso", "pxe/boot.ipxe" };
        auto_close int dir = -1;
        EXPECT(mkdtemp(build_dir) != NULL);
        EXPECT_OK(fs_open_dir(AT_FDCWD, build_dir, &dir, err));
        for (size_t i = 0; i < lengthof(files); i++) {
                EXPECT_OK(fs_mkdirs_for(dir, files[i], 0755, err));
                EXPECT_OK(fs_write_atomic(dir, files[i], "x", 1, 0644, err));
        }
}

// QEMU's arguments joined by spaces, or the error's text.
static char *arguments_of(struct boot_options options, enum err_kind *ret_kind) {
        struct machine machine;
        struct arguments arguments = { 0 };
        auto_err err = { 0 };
        auto_buf joined = { 0 };
        options.cluster = test_cluster();
        options.artefacts = options.artefacts ? options.artefacts : build_dir;
        options.node = options.node ? options.node : "master101";
        bool ok = qemu_machine_settle(&options, &machine, &err);
        machine.accelerator = "tcg";
        ok = ok && qemu_machine_arguments(&machine, &arguments, &err);
        for (size_t i = 0; ok && arguments.items[i]; i++)
                buf_printf(&joined, "%s%s", i ? " " : "", arguments.items[i]);
        if (!ok)
                buf_append_text(&joined, err.text);
        *ret_kind = err.kind;
        arguments_release(&arguments);
        qemu_machine_release(&machine);
        return buf_take(&joined);
}

static void expect_argument(struct boot_options options, const char *part) {
        enum err_kind kind;
        auto_free char *text = arguments_of(options, &kind);
        EXPECT(kind == ERR_NONE);
        EXPECT(strstr(text, part) != NULL);
        if (kind != ERR_NONE || !strstr(text, part))
                printf("# wanted %s\n# in %s\n", part, text);
}

static void expect_refusal(struct boot_options options, enum err_kind wanted) {
        enum err_kind kind;
        auto_free char *text = arguments_of(options, &kind);
        EXPECT(kind == wanted);
        if (kind != wanted)
                printf("# %s\n", text);
}

static void gives_the_inventory_s_mac_and_address(void) {
        expect_argument((struct boot_options){ 0 }, "mac=52:54:00:a8:02:47,bootindex=1");
        expect_argument((struct boot_options){ 0 }, "net=192.168.2.0/24,host=192.168.2.1");
        expect_argument((struct boot_options){ 0 },
                        "dhcpstart=192.168.2.71,hostname=master101,tftp=/tmp/kiln-boot-node.");
        expect_argument((struct boot_options){ .mac = "52:54:00:FF:00:01" }, "mac=52:54:00:ff:00:01,");
        // The VIP has the subnet's last address, so QEMU's name server takes the one before.
        expect_argument((struct boot_options){ 0 }, "dns=192.168.2.253");
}

static void boots_a_node_without_a_mac_by_name(void) {
        expect_argument((struct boot_options){ .node = "bare" }, "mac=52:54:00:a8:02:48,");
        expect_argument((struct boot_options){ .node = "bare" }, "bootfile=node/bare.ipxe");
        expect_argument((struct boot_options){ .node = "master101" }, "bootfile=boot.ipxe");
        expect_argument((struct boot_options){ .entry = "role/master" }, "bootfile=role/master.ipxe");
}

static void knows_media_networks_and_serial_lines(void) {
        expect_argument((struct boot_options){ .medium = "iso" }, "media=cdrom,file=/tmp/kiln-boot-node.");
        expect_argument((struct boot_options){ .medium = "usb" }, "usb-storage,bus=usb.0,drive=medium");
        expect_argument((struct boot_options){ .medium = "iso" }, "romfile=");
        expect_argument((struct boot_options){ .network = "tap:tap0" }, "tap,id=lan,ifname=tap0,script=no");
        expect_argument((struct boot_options){ .network = "bridge:br0" }, "bridge,id=lan,br=br0");
        expect_argument((struct boot_options){ .serial = "unix:/a,b" }, "-serial unix:/a,,b,server=on");
        expect_argument((struct boot_options){ .serial = "file:/x" }, "-serial file:/x");
        expect_argument((struct boot_options){ .memory = "512" }, "-m 512 ");
        auto_free char *drive = xasprintf("%s/pxe/boot.ipxe", build_dir);
        expect_argument((struct boot_options){ .config_drive = drive },
                        "-drive if=none,id=config,format=raw,readonly=on,file=/tmp/kiln-boot-node.");
        const char *forwards[] = { "2222:22", "5050:5050" };
        expect_argument((struct boot_options){ .forwards = { forwards, 2 } },
                        "hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:5050-:5050");
}

static void makes_a_state_disk_that_is_not_there(void) {
        auto_free char *disk = xasprintf("%s/state.img", build_dir);
        struct stat status;
        expect_argument((struct boot_options){ .state_disk = disk }, "-drive if=none,id=state,format=raw,file=/tmp/");
        expect_argument((struct boot_options){ .state_disk = disk }, "virtio-blk-pci,drive=state");
        EXPECT(stat(disk, &status) == 0 && status.st_size == 8LL << 30 && status.st_blocks < 1000);
        EXPECT(truncate(disk, 4096) == 0); // what is there stays
        expect_argument((struct boot_options){ .state_disk = disk }, "drive=state");
        EXPECT(stat(disk, &status) == 0 && status.st_size == 4096);
        expect_refusal((struct boot_options){ .state_disk = "/nowhere/state.img" }, ERR_SYSTEM);
}

static void forwards_a_free_port_to_sshd(void) {
        expect_argument((struct boot_options){ .ssh = true }, ",hostfwd=tcp:127.0.0.1:");
        expect_argument((struct boot_options){ .ssh = true }, "-:22 -device");
        expect_refusal((struct boot_options){ .ssh = true, .network = "bridge:br0" }, ERR_USAGE);
}

static void gives_further_words_to_qemu(void) {
        const char *words[] = { "-device", "usb-ehci,id=a" };
        expect_argument((struct boot_options){ .qemu = { words, 2 } }, "-serial mon:stdio -device usb-ehci,id=a");
}

static void has_the_cards_of_bonds_and_links(void) {
        const char *bridges[] = { "bridge:b1", "none", "tap:t2" }, *four[] = { "user", "user", "user", "user" };
        struct boot_options two = { .node = "wired" };
        // The members of the node's bond are on one network.
        expect_argument(two, "-netdev user,id=lan,net=192.168.2.0/24,");
        expect_argument(two, "-netdev hubport,id=hub0-0,hubid=0,netdev=lan -netdev hubport,id=hub0-1,hubid=0 -device "
                             "virtio-net-pci,netdev=hub0-1,mac=02:00:00:00:00:01,bootindex=1 ");
        expect_argument(two, "-netdev hubport,id=hub0-2,hubid=0 -device "
                             "virtio-net-pci,netdev=hub0-2,mac=02:00:00:00:00:02,romfile= ");
        // A link with an address gets it from DHCP, too, and one in no network has some network.
        expect_argument(two, "-netdev user,id=lan3,net=10.9.0.0/24,host=10.9.0.254,dns=10.9.0.253,dhcpstart=10.9.0.7 "
                             "-device virtio-net-pci,netdev=lan3,mac=02:00:00:00:00:03,romfile= ");
        expect_argument(two, "-netdev user,id=lan4 -device virtio-net-pci,netdev=lan4,mac=02:00:00:00:00:04,romfile=");
        two.network = "bridge:br0";
        expect_argument(two, "-netdev bridge,id=lan3,br=br0 -device virtio-net-pci,netdev=lan3,");
        two.network = "tap:t0"; // nobody else can have it
        expect_argument(two, "tap,id=lan,ifname=t0,script=no,downscript=no -device "
                             "virtio-net-pci,netdev=lan,mac=02:00:00:00:00:01,bootindex=1 -serial");
        two.cards = (struct strings){ bridges, 3 };
        expect_argument(two, "bridge,id=lan2,br=b1 -device virtio-net-pci,netdev=lan2,mac=02:00:00:00:00:02,romfile= "
                             "-netdev tap,id=lan4,ifname=t2,script=no,downscript=no -device virtio-net-pci,netdev=lan4,"
                             "mac=02:00:00:00:00:04,");
        two.cards = (struct strings){ four, 4 };
        expect_refusal(two, ERR_USAGE);
}

static void refuses_what_it_does_not_know(void) {
        const char *bad_forward[] = { "22" }, *big_forward[] = { "70000:22" }, *good_forward[] = { "1:2" };
        expect_refusal((struct boot_options){ .node = "nobody" }, ERR_REFERENCE);
        expect_refusal((struct boot_options){ .artefacts = "/nowhere" }, ERR_REFERENCE);
        expect_refusal((struct boot_options){ .config_drive = "/nowhere/drive.iso" }, ERR_SYSTEM);
        expect_refusal((struct boot_options){ .medium = "floppy" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .firmware = "coreboot" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .network = "wifi" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .network = "tap:" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .serial = "unix:" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .serial = "tcp:1" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .mac = "52:54:00:a8:02" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .mac = "52:54:00:a8:02:47:00" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .mac = "01:00:5e:00:00:01" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .memory = "64" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .memory = "-1" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .memory = "2G" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .entry = "../x" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .entry = "node/bare", .medium = "iso" }, ERR_USAGE);
        expect_refusal((struct boot_options){ .forwards = { bad_forward, 1 } }, ERR_USAGE);
        expect_refusal((struct boot_options){ .forwards = { big_forward, 1 } }, ERR_USAGE);
        expect_refusal((struct boot_options){ .forwards = { good_forward, 1 }, .network = "tap:x" }, ERR_USAGE);
}

static void chooses_the_accelerator_that_was_named(void) {
        const char *chosen = NULL;
        EXPECT_OK(accelerator_choose("tcg", "/nowhere", &chosen, err));
        EXPECT_TEXT(chosen, "tcg");
        auto_err err = { 0 };
        EXPECT(!accelerator_choose("xen", "/nowhere", &chosen, &err) && err.kind == ERR_USAGE);
}

static bool run_shell(const char *script, int limit_ms, struct buf *output, bool *ret_timed_out, struct err *err) {
        const char *argv[] = { "sh", "-c", script, NULL };
        struct process process = { .argv = argv, .output = output, .output_fd = -1, .dir = -1, .limit_ms = limit_ms };
        return process_run(&process, ret_timed_out, err);
}

static void ends_a_program_when_its_time_is_over(void) {
        auto_buf output = { 0 };
        bool timed_out;
        int64_t started = monotonic_ms();
        EXPECT_OK(run_shell("echo begun; exec sleep 60", 300, &output, &timed_out, err));
        EXPECT(timed_out);
        EXPECT(monotonic_ms() - started < 10000);
        EXPECT_TEXT(buf_text(&output), "begun\n");
        EXPECT_OK(run_shell("echo done; exit 3", 5000, &output, &timed_out, err));
        EXPECT(!timed_out);
}

static void says_when_a_program_cannot_be_started(void) {
        auto_err err = { 0 };
        auto_buf output = { 0 };
        bool timed_out;
        const char *argv[] = { "kiln-has-no-such-program", NULL };
        struct process process = { .argv = argv, .output = &output, .output_fd = -1, .dir = -1 };
        EXPECT(!process_run(&process, &timed_out, &err));
        EXPECT(err.kind == ERR_TOOL && err.hint != NULL);
}

// Whoever waits for the last writer of a pipe sees the grandchild end.
static void leaves_no_program_behind_when_it_is_killed(void) {
        int ends[2];
        EXPECT(pipe(ends) == 0);
        pid_t pid = fork();
        if (pid == 0) {
                auto_err err = { 0 };
                bool timed_out;
                const char *argv[] = { "sh", "-c", "echo up; exec sleep 60", NULL };
                dup2(ends[1], STDOUT_FILENO);
                close(ends[0]);
                close(ends[1]);
                struct process process = { .argv = argv, .output_fd = -1, .dir = -1 };
                _exit(process_run(&process, &timed_out, &err) ? 0 : 1);
        }
        close(ends[1]);
        char text[16] = "";
        EXPECT(read(ends[0], text, sizeof(text)) > 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        alarm(10);
        EXPECT(read(ends[0], text, sizeof(text)) == 0);
        alarm(0);
        close(ends[0]);
}

int main(void) {
        progress_setup(PROGRESS_QUIET);
        make_build();
        RUN(gives_the_inventory_s_mac_and_address);
        RUN(boots_a_node_without_a_mac_by_name);
        RUN(knows_media_networks_and_serial_lines);
        RUN(makes_a_state_disk_that_is_not_there);
        RUN(forwards_a_free_port_to_sshd);
        RUN(gives_further_words_to_qemu);
        RUN(has_the_cards_of_bonds_and_links);
        RUN(refuses_what_it_does_not_know);
        RUN(chooses_the_accelerator_that_was_named);
        RUN(ends_a_program_when_its_time_is_over);
        RUN(says_when_a_program_cannot_be_started);
        RUN(leaves_no_program_behind_when_it_is_killed);
        auto_err err = { 0 };
        EXPECT(fs_remove_tree(AT_FDCWD, build_dir, &err));
        return test_done();
}
