// SPDX-License-Identifier: MIT
// State disks: which disk is taken, what is blank, whose disk it is, and what templates see of the machine. Disks are
// image files, sysfs is a directory made here; mounting is tested in QEMU (tests/state).
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/run.h"
#include "firmware/node/facts/capacity.h"
#include "firmware/node/machine/facts_json.h"
#include "firmware/node/state/state_initrd.h"
#include "firmware/node/state/state_keep.h"
#include "tests/unit/node.h"
#include "tests/unit/root.h"
#include "tests/unit/test.h"

enum { MIB = 1 << 20, DISK_BYTES = 64 * MIB };

// ---- a machine with disks ----

static char top[] = "/tmp/kiln-state-XXXXXX";
static struct disk_host host;
static struct arena arena;

static void write_text(const char *path, const char *text) {
        auto_fclose FILE *file = fopen(path, "we");
        if (!file || fputs(text, file) < 0)
                printf("# cannot write %s\n", path);
}

static void remove_machine(void) {
        auto_free char *sys = xasprintf("%s/sys", top), *dev = xasprintf("%s/dev", top);
        EXPECT_OK(run_command(err, "rm", "-rf", sys, dev, NULL));
        arena_release(&arena);
}

static void new_machine(void) {
        remove_machine();
        auto_free char *sys = xasprintf("%s/sys", top), *dev = xasprintf("%s/dev", top);
        EXPECT(mkdir(sys, 0755) == 0 && mkdir(dev, 0755) == 0);
        host = (struct disk_host){ arena_strdup(&arena, sys), arena_strdup(&arena, dev) };
}

static void attribute(const char *disk, const char *name, const char *text) {
        auto_free char *path = xasprintf("%s/%s/%s", host.sys, disk, name);
        for (char *slash = path + strlen(host.sys) + 1; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                (void)mkdir(path, 0755);
                *slash = '/';
        }
        write_text(path, text);
}

// A disk of zeros.
static void add_disk(const char *name, long long bytes) {
        auto_free char *path = xasprintf("%s/%s", host.dev, name);
        auto_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        EXPECT(fd >= 0 && ftruncate(fd, bytes) == 0);
        auto_free char *sectors = xasprintf("%lld\n", bytes / 512);
        attribute(name, "size", sectors);
}

static void put(const char *name, off_t offset, const void *data, size_t size) {
        auto_free char *path = xasprintf("%s/%s", host.dev, name);
        auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
        EXPECT(fd >= 0 && pwrite(fd, data, size, offset) == (ssize_t)size);
}

// What libblkid goes by in an ext4 superblock: magic, features, label (ext4's on-disk layout, kernel documentation).
static void put_ext4(const char *name, const char *label) {
        uint8_t block[1024] = { 0 };
        block[0x38] = 0x53, block[0x39] = 0xef; // s_magic
        block[0x4c] = 1;                        // s_rev_level
        block[0x5c] = 4;                        // has_journal
        block[0x60] = 0x42;                     // filetype, extents
        block[0x01] = 0x10, block[0x05] = 0x40; // some inodes, some blocks
        memcpy(block + 0x78, label, strlen(label));
        put(name, 1024, block, sizeof block);
}

static const struct state_settings *settings_of(const char *json) {
        struct state_settings *settings = arena_alloc(&arena, sizeof *settings);
        json_t *root = json_loads(json, 0, NULL);
        EXPECT_OK(state_settings_read(root, &arena, settings, err));
        json_decref(root);
        return settings;
}

#define LABELLED "{\"state_disk\":{\"label\":\"KILN-STATE\",\"required\":true"
#define CLAIMING(rule) LABELLED ",\"filesystem\":\"xfs\",\"claim\":{" rule "}}}"

static struct state_record record;
static struct disks disks;
static const struct disk *chosen;

static enum state_choice choose(const char *json, bool late) {
        disks = (struct disks){ 0 };
        EXPECT_OK(disks_scan(&host, &arena, &disks, err));
        return state_choose(&host, &disks, settings_of(json), late, &arena, &record, &chosen);
}

static const char *note_of(const char *disk) {
        auto_free char *start = xasprintf("/dev/%s ", disk);
        for (size_t i = 0; i < record.note_count; i++)
                if (strncmp(record.notes[i], start, strlen(start)) == 0)
                        return record.notes[i] + strlen(start);
        return "";
}

// ---- finding ----

static void finds_by_label(void) {
        new_machine();
        add_disk("sda", DISK_BYTES);
        put_ext4("sda", "DATA");
        add_disk("sdb1", DISK_BYTES);
        put_ext4("sdb1", "KILN-STATE");
        attribute("sdb1", "partition", "1\n");
        EXPECT(choose(CLAIMING(""), false) == CHOICE_LABELLED);
        EXPECT_TEXT(record.device, "/dev/sdb1");
        EXPECT_TEXT(record.filesystem, "ext4");
        attribute("sdb1", "ro", "1\n");
        EXPECT(choose(LABELLED "}}", false) == CHOICE_NONE && record.status == STATE_REFUSED);
        EXPECT(strstr(record.reason, "/dev/sdb1 is read-only"));
        EXPECT(choose("{\"state_disk\":{\"label\":\"KILN-STATE\"}}", false) == CHOICE_NONE &&
               record.status == STATE_ABSENT);
}

// The drivers of old RAID controllers have '/' in their disks' names, which /sys shows as '!'.
static void finds_disks_in_folders_of_dev(void) {
        new_machine();
        auto_free char *folder = xasprintf("%s/cciss", host.dev), *path = xasprintf("%s/c0d0", folder),
                       *sectors = xasprintf("%lld\n", (long long)DISK_BYTES / 512);
        EXPECT(mkdir(folder, 0755) == 0);
        attribute("cciss!c0d0", "size", sectors);
        auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        EXPECT(fd >= 0 && ftruncate(fd, DISK_BYTES) == 0);
        EXPECT(choose(CLAIMING("\"path\":\"cciss/c0d*\""), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/cciss/c0d0");
        put_ext4("cciss/c0d0", "KILN-STATE");
        EXPECT(choose(CLAIMING(""), true) == CHOICE_LABELLED);
        EXPECT_TEXT(record.device, "/dev/cciss/c0d0");
}

static void waits_before_it_claims(void) {
        new_machine();
        add_disk("vda", DISK_BYTES);
        EXPECT(choose(CLAIMING(""), false) == CHOICE_WAIT);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/vda");
        EXPECT_TEXT(record.filesystem, "xfs");
        EXPECT(choose(LABELLED "}}", true) == CHOICE_NONE && record.status == STATE_REFUSED);
        EXPECT(strstr(record.reason, "KILN-STATE"));
}

static void refuses_two_labels_and_strange_types(void) {
        new_machine();
        add_disk("sda", DISK_BYTES);
        put_ext4("sda", "KILN-STATE");
        add_disk("sdb", DISK_BYTES);
        put_ext4("sdb", "KILN-STATE");
        EXPECT(choose("{\"state_disk\":{\"label\":\"KILN-STATE\"}}", false) == CHOICE_NONE);
        EXPECT(record.status == STATE_REFUSED && strstr(record.reason, "/dev/sda and /dev/sdb"));
        new_machine();
        add_disk("sda", DISK_BYTES);
        put("sda", 4096 - 10, "SWAPSPACE2", 10);
        put("sda", 1024, "\1\0\0\0\x10\0\0\0", 8);
        put("sda", 1024 + 12 + 16, "KILN-STATE", 10);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && record.status == STATE_REFUSED);
        EXPECT(strstr(record.reason, "swap"));
}

// ---- claiming ----

static void claims_by_rule(void) {
        new_machine();
        add_disk("sda", DISK_BYTES);
        attribute("sda", "device/vendor", "ATA     \n");
        attribute("sda", "device/model", "FAST SSD 1  \n");
        add_disk("sdb", 2LL * DISK_BYTES);
        attribute("sdb", "device/vendor", "ATA     \n");
        attribute("sdb", "device/model", "SLOW DISK\n");
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && record.status == STATE_REFUSED);
        EXPECT(strstr(record.reason, "several") && strstr(record.reason, "/dev/sda, /dev/sdb"));
        EXPECT(choose(CLAIMING("\"model\":\"ATA FAST*\""), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/sda");
        EXPECT(strstr(note_of("sdb"), "\"ATA SLOW DISK\""));
        EXPECT(choose(CLAIMING("\"min_bytes\":100000000"), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/sdb");
        EXPECT(choose(CLAIMING("\"max_bytes\":100000000"), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/sda");
        EXPECT(choose(CLAIMING("\"path\":\"*/sdb\""), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/sdb");
        EXPECT(choose(CLAIMING("\"path\":\"sda\""), true) == CHOICE_BLANK);
        EXPECT_TEXT(record.device, "/dev/sda");
        EXPECT(choose(CLAIMING("\"path\":\"sdc\""), true) == CHOICE_NONE && strstr(note_of("sda"), "not at sdc"));
}

static void leaves_disks_in_use_alone(void) {
        static const struct {
                const char *attribute, *text, *reason;
        } cases[] = { { "removable", "1\n", "removable" },
                      { "ro", "1\n", "read-only" },
                      { "holders/dm-0/x", "", "in use" },
                      { "sda1/partition", "1\n", "partitions" },
                      { "size", "0\n", "no medium" } };
        for (size_t i = 0; i < lengthof(cases); i++) {
                new_machine();
                add_disk("sda", DISK_BYTES);
                EXPECT(choose(CLAIMING(""), true) == CHOICE_BLANK);
                attribute("sda", cases[i].attribute, cases[i].text);
                EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE);
                EXPECT(strstr(note_of("sda"), cases[i].reason));
        }
        new_machine();
        add_disk("sda1", DISK_BYTES);
        attribute("sda1", "partition", "1\n");
        add_disk("loop0", DISK_BYTES);
        add_disk("dm-0", DISK_BYTES);
        add_disk("sr0", DISK_BYTES);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && disks.count == 1);
}

// Magic numbers as file(1) and libblkid know them, and data that no one knows.
static void never_claims_what_holds_anything(void) {
        static const struct {
                const char *what;
                off_t offset; // from the end if negative
                const char *bytes;
                size_t size;
        } cases[] = { { "LVM2", 512, "LABELONE\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0LVM2 001", 32 },
                      { "LUKS", 0, "LUKS\xba\xbe\0\1", 8 },
                      { "md 0.90", -65536, "\xfc\x4e\x2b\xa9\0\0\0\0\x5a\0\0\0", 12 },
                      { "md 1.2", 4096, "\xfc\x4e\x2b\xa9\1\0\0\0", 8 },
                      { "btrfs", 65536 + 64, "_BHRfS_M", 8 },
                      { "XFS", 0, "XFSB\0\0\x10\0", 8 },
                      { "ISO 9660", 32769, "CD001\1", 6 },
                      { "MBR", 510, "\x55\xaa", 2 },
                      { "GPT's second header", -512, "EFI PART\0\0\1\0", 12 },
                      { "DDF", -512, "\xde\x11\xde\x11", 4 },
                      { "first byte", 0, "x", 1 },
                      { "end of the first MiB", MIB - 1, "x", 1 },
                      { "last byte", -1, "x", 1 },
                      { "begin of the last MiB", -MIB, "x", 1 } };
        for (size_t i = 0; i < lengthof(cases); i++) {
                new_machine();
                add_disk("sda", DISK_BYTES);
                put("sda", cases[i].offset < 0 ? DISK_BYTES + cases[i].offset : cases[i].offset, cases[i].bytes,
                    cases[i].size);
                EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE);
                if (!*note_of("sda"))
                        printf("# %s\n", cases[i].what);
                EXPECT(*note_of("sda"));
        }
}

static void samples_the_middle(void) {
        new_machine();
        add_disk("sda", DISK_BYTES);
        auto_free char *data = xmalloc(2 * MIB);
        memset(data, 'x', 2 * MIB);
        put("sda", 33 * MIB + 17, data, 2 * MIB);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && strstr(note_of("sda"), "not blank"));
}

static void takes_erased_flash_for_blank(void) {
        new_machine();
        add_disk("sda", 8 * MIB);
        auto_free uint8_t *erased = xmalloc(8 * MIB);
        memset(erased, 0xff, 8 * MIB);
        put("sda", 0, erased, 8 * MIB);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_BLANK);
        memset(erased, 0x55, 8 * MIB);
        put("sda", 0, erased, 8 * MIB);
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE);
}

// sysfs says more than the disk gives: a disk that fails to read is not blank.
static void does_not_trust_what_it_cannot_read(void) {
        new_machine();
        add_disk("sda", DISK_BYTES);
        attribute("sda", "size", "10000000\n");
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && strstr(note_of("sda"), "cannot be read"));
        new_machine();
        attribute("sda", "size", "10000000\n");
        EXPECT(choose(CLAIMING(""), true) == CHOICE_NONE && strstr(note_of("sda"), "cannot be opened"));
}

// ---- whose disk it is ----

#define STATE_JSON                                                                                                     \
        ",\"state\":[{\"path\":\"/var/lib/"                                                                            \
        "zookeeper\",\"id_file\":\"myid\"}],\"state_disk\":{\"label\":\"KILN-STATE\"}}"

static struct state_facts state;
static const char *ids[1];

static void start_trial(struct trial *trial) {
        auto_free char *json = xasprintf("%s", NODE_JSON("master", "true", "false", "ifcfg"));
        json[strlen(json) - 1] = '\0';
        auto_free char *whole = xasprintf("%s%s", json, STATE_JSON);
        trial_init(trial, whole, "kiln.node=master101");
        trial_interface(trial, "eth0", "52:54:00:a8:02:47", true);
        state = (struct state_facts){ .record = { .device = "/dev/sda", .filesystem = "ext4", .reason = "" },
                                      .id_texts = ids };
        ids[0] = NULL;
        trial->facts.state = &state;
}

static const struct plan_file *file_of(const struct plan *plan, const char *path) {
        for (size_t i = 0; i < plan->file_count; i++)
                if (strcmp(plan->files[i].path, path) == 0)
                        return &plan->files[i];
        return NULL;
}

static void writes_whose_disk_it_is(void) {
        struct trial trial;
        start_trial(&trial);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        const struct plan_file *file = file_of(&trial.plan, "/run/kiln/state/kiln/identity.json");
        EXPECT(file && file->mode == 0600 && strstr(file->content, "\"node\": \"master101\""));
        state.identity = file ? arena_strdup(&arena, file->content) : NULL;
        ids[0] = "1\n";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        trial_release(&trial);
}

static bool refuses(struct trial *trial, const char *reason) {
        bool ok = trial_plan(trial) && trial->plan.refusal && strstr(trial->plan.refusal, reason) &&
                  !file_of(&trial->plan, "/run/kiln/state/kiln/identity.json") &&
                  !file_of(&trial->plan, "/etc/zookeeper/conf/myid");
        if (!ok)
                printf("# %s\n", trial->plan.refusal ? trial->plan.refusal : "not refused");
        return ok;
}

static void refuses_the_disk_of_another(void) {
        static const struct {
                const char *identity, *myid, *reason;
        } cases[] = {
                { "{\"format\":1,\"cluster\":\"article\",\"node\":\"master102\",\"id\":1}", NULL, "master102" },
                { "{\"format\":1,\"cluster\":\"article\",\"node\":\"master101\",\"id\":2}", NULL, "id 2" },
                { "{\"format\":1,\"cluster\":\"other\",\"node\":\"master101\",\"id\":1}", NULL, "cluster other" },
                { "{\"format\":2,\"cluster\":\"article\",\"node\":\"master101\",\"id\":1}", NULL, "format 2" },
                { "{\"format\":1}", NULL, "identity.json" },
                { "no JSON", NULL, "identity.json" },
                { NULL, "2\n", "says \"2\"" },
                { NULL, "11\n", "says \"11\"" },
                { NULL, "1 2\n", "/var/lib/zookeeper/myid" },
                { NULL, "one\n", "says \"one\"" },
                { NULL, "0123456789012345678901234567890123456789\n",
                  "says \"0123456789012345678901234567890123456789\"" },
                { NULL, "an-id-of-many-more-than-the-40-bytes-that-are-shown",
                  "says \"an-id-of-many-more-than-the-40-bytes-tha\"" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct trial trial;
                start_trial(&trial);
                state.identity = cases[i].identity;
                ids[0] = cases[i].myid;
                EXPECT(refuses(&trial, cases[i].reason));
                trial_release(&trial);
        }
}

static void carries_out_what_the_initrd_found(void) {
        struct trial trial;
        start_trial(&trial);
        state.record.status = STATE_REFUSED;
        state.record.reason = "no disk";
        EXPECT(refuses(&trial, "no disk"));
        state.record.status = STATE_ABSENT;
        const char *notes[] = { "/dev/sdb is small" };
        state.record.notes = notes;
        state.record.note_count = 1;
        EXPECT(trial_plan(&trial) && !trial.plan.refusal && trial.plan.note_count == 2);
        EXPECT(!file_of(&trial.plan, "/run/kiln/state/kiln/identity.json"));
        trial_release(&trial);
}

static void takes_state_from_a_facts_file(void) {
        static const char *const broken[] = { "{\"state\":{}}", "{\"state\":[]}",
                                              "{\"state\":{\"record\":{\"format\":1,\"status\":\"lost\"}}}" };
        static const char text[] = "{\"state\":{\"record\":{\"format\":1,\"status\":\"mounted\",\"device\":\"/dev/x\"},"
                                   "\"ids\":{\"/var/lib/zookeeper\":\"2\\n\"}},\"memory_kb\":4194304,\"cpus\":2}";
        struct trial trial;
        start_trial(&trial);
        trial.facts.state = NULL;
        EXPECT_OK(facts_read_json(text, strlen(text), &trial.arena, &trial.facts, err));
        EXPECT(trial.facts.memory_kb == 4194304 && trial.facts.cpus == 2);
        EXPECT(refuses(&trial, "/dev/x belongs to another machine"));
        for (size_t i = 0; i < lengthof(broken); i++) {
                auto_err err = { 0 };
                EXPECT(!facts_read_json(broken[i], strlen(broken[i]), &trial.arena, &trial.facts, &err) &&
                       err.kind == ERR_SCHEMA);
        }
        trial_release(&trial);
}

// ---- what is read ----

static void keeps_the_record(void) {
        const char *notes[] = { "one", "two" };
        const struct state_record written = {
                STATE_REFUSED, "/dev/sda", "xfs", "why \"not\"", true, notes, 2, 17, true
        };
        struct state_record read;
        auto_buf text = { 0 };
        state_record_json(&written, &text);
        EXPECT_OK(state_record_read(buf_text(&text), &arena, &read, err));
        EXPECT(read.status == STATE_REFUSED && read.claimed && read.note_count == 2 && read.elapsed_ms == 17 &&
               read.overlay);
        EXPECT_TEXT(read.reason, "why \"not\"");
        EXPECT_TEXT(read.notes[1], "two");
        static const char *const broken[] = { "",
                                              "{}",
                                              "[]",
                                              "{\"format\":1,\"status\":\"fine\"}",
                                              "{\"format\":2,\"status\":\"mounted\"}",
                                              "{\"format\":1,\"status\":1}" };
        for (size_t i = 0; i < lengthof(broken); i++) {
                auto_err err = { 0 };
                EXPECT(!state_record_read(broken[i], &arena, &read, &err));
        }
}

static void reads_a_booted_root(void) {
        new_machine();
        const struct state_settings *settings = settings_of("{\"state_disk\":{\"label\":\"S\"},\"state\":[{\"path\":"
                                                            "\"/var/a\",\"id_file\":\"id\"}]}");
        const struct state_facts *facts;
        auto_close int root = open(host.dev, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT_OK(state_read(root, settings, &arena, &facts, err)); // installed: not booted by the initrd
        EXPECT(!facts);
        host.sys = host.dev; // attribute() makes files of the root now
        attribute("run", "kiln/root.conf", "ROLE=x\n");
        EXPECT_OK(state_read(root, settings, &arena, &facts, err));
        EXPECT(facts && facts->record.status == STATE_REFUSED && strstr(facts->record.reason, "record"));
        attribute("run", "kiln/state.json", "{\"format\":1,\"status\":\"mounted\",\"device\":\"/dev/x\"}");
        attribute("run", "kiln/state/kiln/identity.json", "");
        attribute("var", "a/id", "7\n");
        EXPECT_OK(state_read(root, settings, &arena, &facts, err));
        EXPECT(facts && facts->record.status == STATE_MOUNTED && !facts->identity); // an empty file says nothing
        EXPECT_TEXT(facts->id_texts[0], "7\n");
}

static void refuses_broken_settings(void) {
        static const char *const broken[] = {
                "{\"state\":{}}",
                "{\"state\":[{\"path\":\"var\"}]}",
                "{\"state\":[{\"path\":\"/var/../etc\"}]}",
                "{\"state\":[{\"path\":\"/\"}]}",
                "{\"state\":[{\"path\":\"/a\",\"id_file\":\"../b\"}]}",
                "{\"state\":[{\"path\":\"/a\",\"mode\":8192}]}",
                "{\"state\":[{}]}",
                "{\"state_disk\":{}}",
                "{\"state_disk\":{\"label\":\"\"}}",
                "{\"state_disk\":{\"label\":\"L\",\"filesystem\":\"vfat\"}}",
                "{\"state_disk\":{\"label\":\"L\",\"timeout_ms\":-1}}",
                "{\"state_disk\":{\"label\":\"L\",\"overlay\":1}}",
                "{\"state_disk\":{\"label\":\"L\",\"claim\":true}}",
                "{\"state_disk\":{\"label\":\"L\",\"claim\":{\"min_bytes\":-1}}}",
                "{\"reserve\":{\"memory_mb\":-1}}",
        };
        for (size_t i = 0; i < lengthof(broken); i++) {
                struct state_settings settings;
                auto_err err = { 0 };
                json_t *root = json_loads(broken[i], 0, NULL);
                bool refused = root && !state_settings_read(root, &arena, &settings, &err) && err.kind == ERR_SCHEMA;
                if (!refused)
                        printf("# taken: %s\n", broken[i]);
                EXPECT(refused);
                json_decref(root);
        }
}

// ---- keeping, and the size of the machine ----

static void knows_machine_ids(void) {
        EXPECT(machine_id_is_valid("0123456789abcdef0123456789abcdef"));
        EXPECT(machine_id_is_valid("0123456789abcdef0123456789abcdef\n"));
        EXPECT(!machine_id_is_valid("0123456789ABCDEF0123456789abcdef"));
        EXPECT(!machine_id_is_valid("00000000000000000000000000000000"));
        EXPECT(!machine_id_is_valid("0123456789abcdef0123456789abcde"));
        EXPECT(!machine_id_is_valid("0123456789abcdef0123456789abcdef0"));
        EXPECT(!machine_id_is_valid("0123456789abcdef0123456789abcdef\n\n") && !machine_id_is_valid(""));
}

// As systemd makes them: version 4 UUIDs (RFC 9562), of which 64 by chance alone would not all have both marks.
static void makes_machine_ids(void) {
        char made[64][MACHINE_ID_SIZE];
        auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < lengthof(made); i++) {
                EXPECT_OK(machine_id_make(root, made[i], err));
                EXPECT(machine_id_is_valid(made[i]));
                EXPECT(made[i][12] == '4');
                EXPECT(memchr("89ab", made[i][16], 4));
                for (size_t j = 0; j < i; j++)
                        EXPECT(strcmp(made[i], made[j]) != 0);
        }
}

// A disk as the initrd mounts it, below a root that is a directory here.
static void keeps_host_keys(void) {
        new_machine();
        struct stat stat;
        auto_close int root = open(host.dev, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        host.sys = host.dev;
        attribute("etc", "ssh/ssh_host_rsa_key", "private");
        attribute("etc", "ssh/ssh_host_rsa_key.pub", "public");
        attribute("etc", "ssh/ssh_host_dsa_key", "");
        attribute("etc", "ssh/sshd_config", "Port 22");
        EXPECT_OK(keep_save(root, err)); // no disk: nothing happens
        attribute("run", "kiln/state/kiln/keep/machine-id", "x");
        attribute("run", "kiln/refused", "x");
        EXPECT_OK(keep_save(root, err));
        EXPECT(fstatat(root, "run/kiln/state/kiln/keep/ssh_host_rsa_key", &stat, 0) < 0);
        EXPECT(unlinkat(root, "run/kiln/refused", 0) == 0);
        EXPECT_OK(keep_save(root, err));
        EXPECT(fstatat(root, "run/kiln/state/kiln/keep/ssh_host_rsa_key", &stat, 0) == 0 && stat.st_size == 7 &&
               (stat.st_mode & 07777) == 0600);
        EXPECT(fstatat(root, "run/kiln/state/kiln/keep/ssh_host_rsa_key.pub", &stat, 0) == 0 &&
               (stat.st_mode & 07777) == 0644);
        EXPECT(fstatat(root, "run/kiln/state/kiln/keep/ssh_host_dsa_key", &stat, 0) < 0);
        EXPECT(fstatat(root, "run/kiln/state/kiln/keep/sshd_config", &stat, 0) < 0);
}

static void holds_memory_back(void) {
        static const struct {
                unsigned long long memory_kb;
                unsigned cpus, reserve_mb, reserve_cpus, task_mb, task_cpus;
        } cases[] = { { 8 << 20, 8, 1024, 0, 7168, 8 },        { 8 << 20, 8, 1024, 2, 7168, 6 },
                      { 1 << 20, 1, 1024, 1, 512, 1 },         { 3 << 20, 2, 2048, 9, 1536, 1 },
                      { 16326428, 4, 0, 0, 15943, 4 },         { 0, 0, 1024, 0, 0, 0 },
                      { 1ULL << 42, 64, 0, 0, 0x7fffffff, 64 } };
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct facts *facts = xcalloc(1, sizeof *facts);
                facts->memory_kb = cases[i].memory_kb;
                facts->cpus = cases[i].cpus;
                const struct capacity capacity = capacity_of(facts, cases[i].reserve_mb, cases[i].reserve_cpus);
                EXPECT(capacity.task_memory_mb == cases[i].task_mb && capacity.task_cpus == cases[i].task_cpus);
                free(facts);
        }
}

static void templates_see_the_machine(void) {
        struct trial trial;
        start_trial(&trial);
        trial.template = "cpus:{{node.machine.task_cpus}};mem:{{node.machine.task_memory_mb}}/"
                         "{{node.machine.memory_mb}}/{{node.machine.cpus}}\n";
        trial.inventory.state.reserve_memory_mb = 512;
        trial.facts.memory_kb = 2048 * 1024;
        trial.facts.cpus = 3;
        EXPECT(trial_plan(&trial));
        const struct plan_file *file = file_of(&trial.plan, "/etc/zookeeper/conf/myid");
        EXPECT_TEXT(file ? file->content : NULL, "cpus:3;mem:1536/2048/3\n");
        capacity_read(&trial.facts);
        EXPECT(trial.facts.memory_kb > 1024 && trial.facts.cpus > 0);
        trial_release(&trial);
}

int main(void) {
        become_root();
        if (!mkdtemp(top))
                return 1;
        RUN(finds_by_label);
        RUN(finds_disks_in_folders_of_dev);
        RUN(waits_before_it_claims);
        RUN(refuses_two_labels_and_strange_types);
        RUN(claims_by_rule);
        RUN(leaves_disks_in_use_alone);
        RUN(never_claims_what_holds_anything);
        RUN(samples_the_middle);
        RUN(takes_erased_flash_for_blank);
        RUN(does_not_trust_what_it_cannot_read);
        RUN(writes_whose_disk_it_is);
        RUN(refuses_the_disk_of_another);
        RUN(carries_out_what_the_initrd_found);
        RUN(takes_state_from_a_facts_file);
        RUN(keeps_the_record);
        RUN(reads_a_booted_root);
        RUN(refuses_broken_settings);
        RUN(knows_machine_ids);
        RUN(makes_machine_ids);
        RUN(keeps_host_keys);
        RUN(holds_memory_back);
        RUN(templates_see_the_machine);
        remove_machine();
        rmdir(top);
        return test_done();
}
