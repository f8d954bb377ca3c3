// SPDX-License-Identifier: MIT
// Signatures by SSH keys, with ssh-keygen and ssh-agent on the other side.
#include "signing/signing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "shared/base64.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/kiln-signing.XXXXXX";
static const char message[] = "0123  master/rootfs.squashfs\n";

static char *in_dir(const char *name) { return xasprintf("%s/%s", dir, name); }

static void put_file(const char *name, const char *text, mode_t mode) {
        auto_free char *path = in_dir(name);
        EXPECT_OK(fs_write(AT_FDCWD, path, text, strlen(text), mode, err));
        EXPECT(chmod(path, mode) == 0);
}

// ssh-keygen or the like, with `input` as its standard input; its exit status.
static int run_tool(const char *const *argv, const char *input) {
        auto_free char *path = in_dir("input");
        put_file("input", input ? input : "", 0600);
        pid_t pid = fork();
        if (pid == 0) {
                int in = open(path, O_RDONLY), null = open("/dev/null", O_WRONLY);
                dup2(in, 0);
                dup2(null, 1);
                dup2(null, 2);
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        int status = -1;
        EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void make_key(const char *name, const char *type, const char *passphrase) {
        auto_free char *path = in_dir(name);
        EXPECT(run_tool((const char *const[]){ "ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "a comment",
                                               "-f", path, NULL },
                        NULL) == 0);
}

static void base64_is_strict(void) {
        static const struct {
                const char *text, *bytes; // NULL: refused
        } rows[] = {
                { "", "" },       { "Zg==", "f" },      { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm 9\nv", "foo" },
                { "Zg=", NULL },  { "Zg", NULL },       { "Z===", NULL }, { "====", NULL },  { "Zh==", NULL },
                { "Zm9=", NULL }, { "Zg==Zg==", NULL }, { "Zg=v", NULL }, { "Zm9_", NULL },  { "Zm9v!", NULL },
        };
        for (size_t i = 0; i < lengthof(rows); i++) {
                auto_buf bytes = { 0 };
                bool ok = base64_decode(rows[i].text, strlen(rows[i].text), &bytes);
                EXPECT(ok == (rows[i].bytes != NULL));
                EXPECT_TEXT(buf_text(&bytes), rows[i].bytes ? rows[i].bytes : "");
        }
        auto_buf text = { 0 };
        base64_encode("foobarfoo", 9, 5, &text);
        EXPECT_TEXT(buf_text(&text), "Zm9vY\nmFyZm\n9v\n");
}

static struct ssh_key public_key(const char *name) {
        struct ssh_key key = { 0 };
        auto_buf text = { 0 };
        auto_free char *path = xasprintf("%s/%s.pub", dir, name);
        EXPECT_OK(fs_read(AT_FDCWD, path, &text, err));
        EXPECT_OK(ssh_key_parse(buf_text(&text), &key, err));
        return key;
}

static bool open_signer(const char *name, struct signer **ret, struct err *err) {
        auto_free char *path = in_dir(name);
        return signer_open(path, ret, err);
}

static void sign_as(const char *name, struct buf *ret) {
        struct signer *signer = NULL;
        EXPECT_OK(open_signer(name, &signer, err));
        if (signer)
                EXPECT_OK(signer_sign(signer, SSHSIG_BUILD, message, strlen(message), ret, err));
        signer_free(signer);
}

// `ssh-keygen -Y verify`, as the manual tells people to.
static int keygen_verifies(const struct buf *signature, const char *namespace, const char *signed_text) {
        struct ssh_key key = public_key("plain");
        auto_buf allowed = { 0 };
        auto_free char *allowed_path = in_dir("allowed"), *signature_path = in_dir("sums.sig");
        buf_append_text(&allowed, "kiln ");
        ssh_key_format(&key, &allowed);
        buf_append_text(&allowed, "\n");
        put_file("allowed", buf_text(&allowed), 0644);
        put_file("sums.sig", buf_text(signature), 0644);
        return run_tool((const char *const[]){ "ssh-keygen", "-Y", "verify", "-f", allowed_path, "-I", "kiln", "-n",
                                               namespace, "-s", signature_path, NULL },
                        signed_text);
}

static void ssh_keygen_verifies_ours(void) {
        auto_buf signature = { 0 }, again = { 0 };
        sign_as("plain", &signature);
        EXPECT(keygen_verifies(&signature, SSHSIG_BUILD, message) == 0);
        EXPECT(keygen_verifies(&signature, SSHSIG_LAYER, message) != 0);
        EXPECT(keygen_verifies(&signature, SSHSIG_BUILD, "another\n") != 0);
        sign_as("plain", &again);
        EXPECT_TEXT(buf_text(&again), buf_text(&signature)); // deterministic
}

static void we_verify_ssh_keygens(void) {
        static const char *const hashes[] = { "hashalg=sha256", "hashalg=sha512" };
        struct ssh_key keys[] = { public_key("other"), public_key("plain") };
        auto_free char *key_path = in_dir("plain"), *path = in_dir("message"), *signature_path = in_dir("message.sig");
        for (size_t i = 0; i < lengthof(hashes); i++) {
                auto_buf signature = { 0 };
                size_t index = 9;
                put_file("message", message, 0644);
                unlink(signature_path);
                EXPECT(run_tool((const char *const[]){ "ssh-keygen", "-Y", "sign", "-f", key_path, "-n", SSHSIG_BUILD,
                                                       "-O", hashes[i], path, NULL },
                                NULL) == 0);
                EXPECT_OK(fs_read(AT_FDCWD, signature_path, &signature, err));
                EXPECT_OK(signature_check("SHA256SUMS", &signature, SSHSIG_BUILD, message, strlen(message), keys, 2,
                                          &index, err));
                EXPECT(index == 1);
        }
}

static void expect_refused(const struct buf *signature, const char *namespace, const char *text,
                           const struct ssh_key *key, const char *why) {
        auto_err err = { 0 };
        EXPECT(!signature_check("SHA256SUMS", signature, namespace, text, strlen(text), key, 1, NULL, &err));
        EXPECT(err.kind == ERR_SIGNATURE);
        if (why)
                EXPECT(err.text && strstr(err.text, why) != NULL);
}

static void other_keys_names_and_bytes_are_refused(void) {
        struct ssh_key plain = public_key("plain"), other = public_key("other");
        auto_buf signature = { 0 };
        sign_as("plain", &signature);
        expect_refused(&signature, SSHSIG_BUILD, message, &other, "not trusted: SHA256:");
        expect_refused(&signature, SSHSIG_LAYER, message, &plain, "for \"kiln-build\"");
        expect_refused(&signature, SSHSIG_BUILD, "0124  master/rootfs.squashfs\n", &plain, "not what was signed");
        for (size_t i = 0; i < signature.size; i++) {
                for (int bit = 0; bit < 7; bit++) {
                        auto_err err = { 0 };
                        signature.data[i] ^= (char)(1 << bit);
                        bool taken = signature_check("x", &signature, SSHSIG_BUILD, message, strlen(message), &plain, 1,
                                                     NULL, &err);
                        signature.data[i] ^= (char)(1 << bit);
                        bool harmless = strchr(" \t\r\n", signature.data[i] ^ (1 << bit)) ||
                                        signature.data[i] == '\n' ||
                                        i + strlen("-----END SSH SIGNATURE-----\n") > signature.size;
                        EXPECT(!taken || harmless);
                }
        }
        for (size_t size = 0; size + 2 < signature.size; size++) {
                auto_buf cut = { 0 };
                buf_append(&cut, signature.data, size);
                expect_refused(&cut, SSHSIG_BUILD, message, &plain, NULL);
        }
}

static void expect_no_signer(const char *name, const char *why) {
        auto_err err = { 0 };
        struct signer *signer = NULL;
        EXPECT(!open_signer(name, &signer, &err));
        EXPECT(err.text && strstr(err.text, why) != NULL);
        if (err.text && !strstr(err.text, why))
                printf("# %s\n", err.text);
}

static void unusable_keys_say_why(void) {
        unsetenv("SSH_AUTH_SOCK");
        auto_free char *plain = in_dir("plain"), *open_path = in_dir("open");
        EXPECT(run_tool((const char *const[]){ "cp", plain, open_path, NULL }, NULL) == 0);
        EXPECT(chmod(open_path, 0644) == 0);
        put_file("text", "hello\n", 0600);
        put_file("cut",
                 "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
                 0600);
        expect_no_signer("open", "may be read by others");
        expect_no_signer("locked", "has a passphrase");
        expect_no_signer("plain.pub", "public half");
        expect_no_signer("rsa", "type ssh-rsa");
        expect_no_signer("text", "not an SSH public key");
        expect_no_signer("cut", "damaged");
        expect_no_signer("absent", "No such file");
        expect_no_signer(".", "not a file");
}

static void public_keys_are_told_apart(void) {
        static const struct {
                const char *line, *why;
        } rows[] = {
                { "ssh-rsa AAAAB3NzaC1yc2E= me", "of type ssh-rsa" },
                { "-----BEGIN OPENSSH PRIVATE KEY-----", "a private key" },
                { "ssh-ed25519", "damaged" },
                { "ssh-ed25519 AAAA", "damaged" },
                { "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "damaged" },
                { "id_ed25519.pub", "not an SSH public key" },
                { "", "not an SSH public key" },
        };
        for (size_t i = 0; i < lengthof(rows); i++) {
                struct ssh_key key;
                auto_err err = { 0 };
                EXPECT(!ssh_key_parse(rows[i].line, &key, &err));
                EXPECT(err.text && strstr(err.text, rows[i].why) != NULL);
        }
}

static void the_agent_signs(void) {
        auto_free char *sock = in_dir("agent"), *locked = in_dir("locked"), *give = in_dir("askpass");
        put_file("askpass", "#!/bin/sh\necho secret\n", 0700);
        pid_t agent = fork();
        if (agent == 0) {
                int null = open("/dev/null", O_WRONLY);
                dup2(null, 1);
                execlp("ssh-agent", "ssh-agent", "-D", "-a", sock, (char *)NULL);
                _exit(127);
        }
        for (int i = 0; i < 1000 && access(sock, F_OK) < 0; i++)
                usleep(10000);
        setenv("SSH_AUTH_SOCK", sock, 1);
        setenv("SSH_ASKPASS", give, 1);
        setenv("SSH_ASKPASS_REQUIRE", "force", 1);
        EXPECT(run_tool((const char *const[]){ "ssh-add", "-q", locked, NULL }, NULL) == 0);
        struct ssh_key key = public_key("locked");
        static const char *const names[] = { "locked", "locked.pub" };
        for (size_t i = 0; i < lengthof(names); i++) {
                auto_buf signature = { 0 };
                sign_as(names[i], &signature);
                EXPECT_OK(signature_check("x", &signature, SSHSIG_BUILD, message, strlen(message), &key, 1, NULL, err));
        }
        expect_no_signer("other.pub", "no ssh-agent holds it");
        kill(agent, SIGTERM);
        waitpid(agent, NULL, 0);
        unsetenv("SSH_AUTH_SOCK");
}

int main(void) {
        auto_err ignored = { 0 };
        EXPECT(mkdtemp(dir) != NULL);
        make_key("plain", "ed25519", "");
        make_key("other", "ed25519", "");
        make_key("locked", "ed25519", "secret");
        make_key("rsa", "rsa", "");
        RUN(base64_is_strict);
        RUN(ssh_keygen_verifies_ours);
        RUN(we_verify_ssh_keygens);
        RUN(other_keys_names_and_bytes_are_refused);
        RUN(unusable_keys_say_why);
        RUN(public_keys_are_told_apart);
        RUN(the_agent_signs);
        if (!fs_remove_tree(AT_FDCWD, dir, &ignored))
                printf("# %s\n", ignored.text);
        return test_done();
}
