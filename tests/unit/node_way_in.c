// SPDX-License-Identifier: MIT
// Whether anybody can log in to a machine, and that its console says so if not.
#include "firmware/node/machine/way_in.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "tests/unit/node.h"
#include "tests/unit/test.h"

#define PASSWD "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\n"
#define LOCKED "root:*:1::::::\nann:!!:1::::::\nbin:x:1::::::\n"

struct root_text {
        const char *path, *text;
};

// A root with these files beside passwd and shadow.
static bool is_missing_with(const struct root_text *files, size_t count) {
        char path[] = "/tmp/kiln-way-in.XXXXXX";
        const struct root_text accounts[] = { { "etc/passwd", PASSWD }, { "etc/shadow", LOCKED } };
        EXPECT(mkdtemp(path) != NULL);
        auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < lengthof(accounts) + count; i++) {
                struct root_text file = i < lengthof(accounts) ? accounts[i] : files[i - lengthof(accounts)];
                EXPECT_OK(fs_mkdirs_for(root, file.path, 0755, err));
                EXPECT_OK(fs_write_atomic(root, file.path, file.text, strlen(file.text), 0600, err));
        }
        bool missing = way_in_is_missing(root);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, path, err));
        return missing;
}

static bool is_missing_with_one(const char *path, const char *text) {
        struct root_text file = { path, text };
        return is_missing_with(&file, 1);
}

static void without_keys_and_passwords_nobody_gets_in(void) {
        EXPECT(is_missing_with(NULL, 0));
        EXPECT(is_missing_with_one("root/.ssh/authorized_keys", ""));
        EXPECT(is_missing_with_one("root/.ssh/authorized_keys", "\n# a comment\n \t\n"));
        EXPECT(is_missing_with_one("etc/ssh/sshd_config", "#AuthorizedKeysCommand none\nUsePAM yes\n"));
}

static void each_way_in_counts(void) {
        EXPECT(!is_missing_with_one("root/.ssh/authorized_keys", "# mine\nssh-ed25519 AAAA me"));
        EXPECT(!is_missing_with_one("home/ann/.ssh/authorized_keys", "ssh-ed25519 AAAA me\n"));
        EXPECT(!is_missing_with_one("etc/shadow", "root:*:1::::::\nann:$6$salt$hash:1::::::\n"));
        EXPECT(!is_missing_with_one("etc/shadow", "root::1::::::\n"));
        EXPECT(!is_missing_with_one("etc/sssd/sssd.conf", "[sssd]\n"));
        EXPECT(!is_missing_with_one("etc/ssh/sshd_config", "UsePAM yes\nTrustedUserCAKeys /etc/ssh/ca.pub\n"));
}

static void what_cannot_be_read_is_no_reason(void) {
        char path[] = "/tmp/kiln-way-in.XXXXXX";
        EXPECT(mkdtemp(path) != NULL);
        auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(!way_in_is_missing(root));
        rmdir(path);
}

// ---- what is said of it ----

#define MAC "52:54:00:a8:02:5b"
#define NODE                                                                                                           \
        "{\"format\":1,\"cluster\":\"article\",\"role\":\"r\",\"build\":\"b1\",\"release\":\"lab\","                   \
        "\"network_writer\":\"systemd-networkd\",\"ensemble\":false,\"strangers\":false,"                              \
        "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"prefix\":24,\"gateway\":\"\",\"dns\":[]}],"   \
        "\"nodes\":[{\"name\":\"n1\",\"role\":\"r\",\"mac\":\"" MAC "\",\"ip\":\"192.168.2.91\",\"id\":0,"             \
        "\"index\":0,\"network\":\"lan\"}],\"templates\":["

static bool plan_says_so(const char *templates, const char *mac, bool nobody_gets_in) {
        static const char *const texts[] = { "{{node.name}}\n" };
        struct trial trial = { 0 };
        auto_buf json = { 0 };
        buf_printf(&json, NODE "%s]}", templates);
        trial_init(&trial, buf_text(&json), "");
        trial.facts.template_texts = (const char **)texts;
        trial.facts.nobody_gets_in = nobody_gets_in;
        trial.facts.dhcp_asked = true;
        trial_interface(&trial, "ens3", mac, true);
        EXPECT_OK(plan_make(&trial.facts, &trial.plan, err));
        bool is_noted = false;
        for (size_t i = 0; i < trial.plan.note_count; i++)
                is_noted = is_noted || strstr(trial.plan.notes[i], "nobody can log in here");
        const char *issue = trial_file(&trial, "/etc/issue");
        EXPECT(issue && is_noted == (strstr(issue, "nobody can log in here") != NULL));
        trial_release(&trial);
        return is_noted;
}

static void the_console_says_so(void) {
        EXPECT(plan_says_so("", MAC, true));
        EXPECT(plan_says_so("", "52:54:00:00:00:01", true)); // refused
        EXPECT(!plan_says_so("", MAC, false));
        EXPECT(!plan_says_so("{\"path\":\"/root/.ssh/authorized_keys\",\"source\":\"/0\",\"mode\":384,\"uid\":0,"
                             "\"gid\":0}",
                             MAC, true));
}

int main(void) {
        RUN(without_keys_and_passwords_nobody_gets_in);
        RUN(each_way_in_counts);
        RUN(what_cannot_be_read_is_no_reason);
        RUN(the_console_says_so);
        return test_done();
}
