// SPDX-License-Identifier: MIT
// Secrets on a node: which files of a disk are believed, what a plan does without a value, and that what people see has
// names only.
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <sys/stat.h>

#include "firmware/node/apply.h"
#include "firmware/node/machine/facts_json.h"
#include "firmware/node/plan_secrets.h"
#include "firmware/node/report.h"
#include "firmware/node/root/root.h"
#include "firmware/node/secrets/secret_source.h"
#include "tests/unit/node.h"

#define MAC_BALANCER "52:54:00:a8:02:5b"

static const char json[] =
    "{\"format\":1,\"cluster\":\"article\",\"role\":\"balancer\",\"build\":\"b1\",\"release\":\"lab\","
    "\"network_writer\":\"systemd-networkd\",\"ensemble\":false,\"strangers\":false,"
    "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"prefix\":24,\"gateway\":\"192.168.2.1\","
    "\"dns\":[]}],\"nodes\":[{\"name\":\"bamboo101\",\"role\":\"balancer\",\"mac\":\"" MAC_BALANCER "\","
    "\"ip\":\"192.168.2.91\",\"id\":0,\"index\":0,\"network\":\"lan\"}],"
    "\"secrets\":[\"vrrp\",\"stats\"],\"templates\":["
    "{\"path\":\"/etc/keepalived.conf\",\"source\":\"/"
    "0\",\"mode\":384,\"uid\":%UID%,\"gid\":%GID%,\"secrets\":[\"vrrp\"],"
    "\"services\":[\"keepalived.service\",\"other.service\"]},"
    "{\"path\":\"/etc/haproxy\",\"source\":\"/1\",\"mode\":420,\"uid\":%UID%,\"gid\":%GID%}]}";

static struct trial trial;
static struct secret_source sources[SECRET_PLACES];
static const char *const texts[] = { "{{node.name}} {{secrets.vrrp}}\n",
                                     "OPTIONS={{#secrets.stats}}stats {{secrets.stats}}{{/secrets.stats}}\n" };
static char root_path[64];
static int root = -1;

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)stat, (void)type, (void)where;
        return remove(path);
}

static void make_root(void) {
        snprintf(root_path, sizeof root_path, "/tmp/kiln-secrets.XXXXXX");
        EXPECT(mkdtemp(root_path) != NULL);
        root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(root >= 0);
}

static void remove_root(void) {
        close(root);
        nftw(root_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// What the plan writes belongs to whoever runs the test.
static void fill_numbers(struct buf *text) {
        for (const char *at = json; *at;) {
                bool is_uid = strncmp(at, "%UID%", 5) == 0, is_gid = strncmp(at, "%GID%", 5) == 0;
                if (is_uid)
                        buf_printf(text, "%u", (unsigned)getuid());
                else if (is_gid)
                        buf_printf(text, "%u", (unsigned)getgid());
                else
                        buf_append_char(text, *at);
                at += is_uid || is_gid ? 5 : 1;
        }
}

static void start(const char *drive, const char *disk) {
        auto_buf text = { 0 };
        fill_numbers(&text);
        trial_release(&trial);
        trial_init(&trial, buf_text(&text), "");
        trial.facts.template_texts = (const char **)texts;
        trial.facts.secret_sources = sources;
        trial.facts.secret_source_count = lengthof(sources);
        trial_interface(&trial, "ens3", MAC_BALANCER, true);
        for (size_t i = 0; i < lengthof(sources); i++)
                secret_source_release(&sources[i]);
        if (drive)
                secret_source_parse(&sources[SECRETS_OF_DRIVE], "the config drive /dev/sdb", drive, strlen(drive));
        if (disk)
                secret_source_parse(&sources[SECRETS_OF_STATE_DISK], "the state disk", disk, strlen(disk));
}

static bool has_note(const char *part) {
        for (size_t i = 0; i < trial.plan.note_count; i++)
                if (strstr(trial.plan.notes[i], part))
                        return true;
        for (size_t i = 0; i < trial.plan.note_count; i++)
                printf("# note: %s\n", trial.plan.notes[i]);
        return false;
}

static bool removes(const char *path) {
        for (size_t i = 0; i < trial.plan.remove_count; i++)
                if (strcmp(trial.plan.removes[i], path) == 0)
                        return true;
        return false;
}

static void values_are_rendered(void) {
        start("vrrp=hunter2\nstats={{x}}\n", NULL);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal && !trial.plan.lacks_secrets);
        EXPECT_TEXT(trial_file(&trial, "/etc/keepalived.conf"), "bamboo101 hunter2\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/haproxy"), "OPTIONS=stats {{x}}\n");
        EXPECT_TEXT(trial_file(&trial, "/run/kiln/secrets/vrrp"), "");
        EXPECT(!trial_file(&trial, "/run/kiln/secrets/stats")); // nothing waits for it
        EXPECT_TEXT(trial_value(&trial, "secret vrrp"), "given");
        EXPECT_TEXT(trial_source(&trial, "secret vrrp"), "the config drive /dev/sdb");
        EXPECT(trial.plan.note_count == 0);
}

static void the_drive_counts_more_than_the_disk(void) {
        start("vrrp=of-drive\n", "vrrp=of-disk\nstats=of-disk\n");
        EXPECT(trial_plan(&trial));
        EXPECT_TEXT(trial_file(&trial, "/etc/keepalived.conf"), "bamboo101 of-drive\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/haproxy"), "OPTIONS=stats of-disk\n");
}

static void without_a_value_its_services_stay_down(void) {
        start("stats=s\n", NULL);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal && trial.plan.lacks_secrets);
        EXPECT(!trial_file(&trial, "/etc/keepalived.conf") && removes("/etc/keepalived.conf"));
        EXPECT(!trial_file(&trial, "/run/kiln/secrets/vrrp") && removes("/run/kiln/secrets/vrrp"));
        EXPECT_TEXT(trial_file(&trial, "/etc/haproxy"), "OPTIONS=stats s\n"); // the others are as they were
        EXPECT(
            has_note("the secret vrrp has no value: keepalived.service, other.service stay down, /etc/keepalived.conf "
                     "is not written; put it into kiln.secrets"));
        EXPECT(strstr(trial_file(&trial, "/etc/issue"), "kiln: services are DOWN for want of secrets: vrrp\n"));
}

static void a_section_does_without(void) {
        start("vrrp=v\n", NULL);
        EXPECT(trial_plan(&trial) && trial.plan.lacks_secrets);
        EXPECT_TEXT(trial_file(&trial, "/etc/haproxy"), "OPTIONS=\n");
        EXPECT(has_note("the secret stats has no value: what the role offers with it is left out"));
        EXPECT(!strstr(trial_file(&trial, "/etc/issue"), "DOWN"));
}

static void a_bad_file_is_told(void) {
        start("hunter2\n", "vrrp=v\n");
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT(has_note("kiln.secrets on the config drive /dev/sdb is not taken: line 1: neither"));
        EXPECT_TEXT(trial_file(&trial, "/etc/keepalived.conf"), "bamboo101 v\n");
}

static void what_people_see_has_names(void) {
        start("vrrp=hunter2\nstats=swordfish\n", NULL);
        EXPECT(trial_plan(&trial));
        json_t *plan = plan_json(&trial.plan, true);
        auto_free char *text = json_dumps(plan, 0);
        json_decref(plan);
        EXPECT(text && strstr(text, "bamboo101 {{secrets.vrrp}}") && strstr(text, "stats {{secrets.stats}}"));
        EXPECT(text && !strstr(text, "hunter2") && !strstr(text, "swordfish"));
        const struct decision decision = { .plan = trial.plan };
        auto_buf shown = { 0 };
        report_text(&decision, &(struct applied){ 0 }, &shown);
        EXPECT(!strstr(buf_text(&shown), "hunter2") && !strstr(buf_text(&shown), "swordfish"));
}

// Only the two files have the values, and a value that is taken away takes its file with it.
static bool count_value(const char *path, const char *value, size_t *count) {
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        auto_buf text = { 0 };
        auto_err ignored = { 0 };
        bool ok = fd >= 0 && buf_read_fd(&text, fd, &ignored);
        *count += ok && strstr(buf_text(&text), value) != NULL;
        return ok;
}

static const char *wanted_value;
static size_t found_count;

static int look_at(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)stat, (void)where;
        if (type == FTW_F)
                EXPECT(count_value(path, wanted_value, &found_count));
        return 0;
}

static size_t files_with(const char *value) {
        wanted_value = value;
        found_count = 0;
        nftw(root_path, look_at, 16, FTW_PHYS);
        return found_count;
}

static void apply_and_report(void) {
        struct applied applied;
        struct machine machine = { .inventory = trial.inventory, .facts = trial.facts, .root = root };
        EXPECT(trial_plan(&trial));
        for (size_t i = 0; i < trial.plan.file_count; i++) { // root's are those of whoever runs the test
                trial.plan.files[i].uid = getuid();
                trial.plan.files[i].gid = getgid();
        }
        EXPECT_OK(apply_plan(root, false, &trial.plan, &applied, err));
        const struct decision decision = { .plan = trial.plan };
        if (getuid() == 0)
                EXPECT_OK(report_write(&machine, &decision, &applied, err));
}

static void only_the_files_have_the_values(void) {
        struct stat stat;
        make_root();
        start("vrrp=hunter2\nstats=swordfish\n", NULL);
        apply_and_report();
        EXPECT(files_with("hunter2") == 1 && files_with("swordfish") == 1);
        EXPECT(fstatat(root, "etc/keepalived.conf", &stat, 0) == 0 && (stat.st_mode & 07777) == 0600);
        EXPECT_OK(secret_is_given(root, "vrrp", err));
        start("stats=swordfish\n", NULL);
        apply_and_report();
        EXPECT(files_with("hunter2") == 0 && fstatat(root, "etc/keepalived.conf", &stat, 0) < 0);
        auto_err err = { 0 };
        EXPECT(!secret_is_given(root, "vrrp", &err));
        EXPECT_TEXT(err.text, "the secret vrrp has no value on this machine");
        EXPECT(err.hint && strstr(err.hint, "kiln secret put"));
        err_release(&err);
        EXPECT(!secret_is_given(root, "../refused", &err) && err.kind == ERR_USAGE);
        remove_root();
}

static void facts_of_a_file_have_names(void) {
        static const char facts[] = "{\"secrets\":[\"vrrp\"]}", value[] = "{\"secrets\":[\"vrrp=hunter2\"]}";
        start(NULL, NULL);
        EXPECT_OK(facts_read_json(facts, strlen(facts), &trial.arena, &trial.facts, err));
        EXPECT(trial_plan(&trial));
        EXPECT_TEXT(trial_value(&trial, "secret vrrp"), "given");
        EXPECT(has_note("the secret stats has no value"));
        auto_err err = { 0 };
        EXPECT(!facts_read_json(value, strlen(value), &trial.arena, &trial.facts, &err));
        EXPECT(err.text && !strstr(err.text, "hunter2"));
        secret_source_release(&trial.facts.secret_sources[0]);
}

static void names_of_node_json_are_names(void) {
        static const char bad[] = "{\"format\":1,\"cluster\":\"a\",\"role\":\"r\",\"network_writer\":\"ifcfg\","
                                  "\"secrets\":[\"../refused\"]}";
        struct arena arena = { 0 };
        struct inventory inventory;
        auto_err err = { 0 };
        EXPECT(!inventory_read(bad, strlen(bad), &arena, &inventory, &err) && err.kind == ERR_SCHEMA);
        arena_release(&arena);
}

// ---- files of a disk ----

static void put(const char *name, const char *text, unsigned mode) {
        int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
        close(fd);
}

static const char *problem_of_disk(void) {
        secret_source_read(&sources[SECRETS_OF_STATE_DISK], root, "kiln", "the state disk");
        if (secrets_value(&sources[SECRETS_OF_STATE_DISK].values, "a") && !*sources[SECRETS_OF_STATE_DISK].problem)
                return "taken";
        return sources[SECRETS_OF_STATE_DISK].problem;
}

static void only_a_private_file_is_believed(void) {
        make_root();
        EXPECT_TEXT(problem_of_disk(), ""); // no directory
        EXPECT(mkdirat(root, "kiln", 0700) == 0);
        EXPECT_TEXT(problem_of_disk(), "");
        EXPECT(!*sources[SECRETS_OF_STATE_DISK].place);
        put("kiln/kiln.secrets", "a=hunter2\n", 0600);
        EXPECT_TEXT(problem_of_disk(), "taken");
        put("kiln/kiln.secrets", "a=hunter2\n", 0640);
        EXPECT_TEXT(problem_of_disk(), "mode 0640 lets others read it: chmod 600 it");
        put("kiln/kiln.secrets", "a=hunter2\n", 0600);
        EXPECT(fchmodat(root, "kiln", 0777, 0) == 0);
        EXPECT(strstr(problem_of_disk(), "others may write to its directory"));
        EXPECT(fchmodat(root, "kiln", 0755, 0) == 0);
        EXPECT(linkat(root, "kiln/kiln.secrets", root, "other", 0) == 0);
        EXPECT_TEXT(problem_of_disk(), "it has another name, too");
        EXPECT(unlinkat(root, "kiln/kiln.secrets", 0) == 0 && symlinkat("../other", root, "kiln/kiln.secrets") == 0);
        EXPECT_TEXT(problem_of_disk(), "it is no regular file");
        EXPECT(unlinkat(root, "kiln/kiln.secrets", 0) == 0 && mkfifoat(root, "kiln/kiln.secrets", 0600) == 0);
        EXPECT_TEXT(problem_of_disk(), "it is no regular file");
        EXPECT(unlinkat(root, "kiln/kiln.secrets", 0) == 0 && renameat(root, "kiln", root, "real") == 0);
        put("real/kiln.secrets", "a=hunter2\n", 0600);
        EXPECT(symlinkat("real", root, "kiln") == 0);
        EXPECT(strstr(problem_of_disk(), "kiln is a link, not a directory"));
        EXPECT(unlinkat(root, "kiln", 0) == 0 && renameat(root, "real", root, "kiln") == 0);
        auto_close int fd = openat(root, "kiln/kiln.secrets", O_WRONLY | O_CLOEXEC);
        EXPECT(fd >= 0 && ftruncate(fd, SECRETS_FILE_MAX_BYTES + 1) == 0);
        EXPECT_TEXT(problem_of_disk(), "it has 65537 bytes, and at most 65536 are read");
        if (getuid() == 0) {
                put("kiln/kiln.secrets", "a=hunter2\n", 0600);
                EXPECT(ftruncate(fd, 10) == 0 && fchown(fd, 1000, 0) == 0);
                EXPECT_TEXT(problem_of_disk(), "it belongs to user 1000: chown root it");
        }
        remove_root();
}

int main(void) {
        RUN(values_are_rendered);
        RUN(the_drive_counts_more_than_the_disk);
        RUN(without_a_value_its_services_stay_down);
        RUN(a_section_does_without);
        RUN(a_bad_file_is_told);
        RUN(what_people_see_has_names);
        RUN(only_the_files_have_the_values);
        RUN(facts_of_a_file_have_names);
        RUN(names_of_node_json_are_names);
        RUN(only_a_private_file_is_believed);
        trial_release(&trial);
        return test_done();
}
