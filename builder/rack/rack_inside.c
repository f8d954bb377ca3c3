// SPDX-License-Identifier: MIT
// Programs inside of a rack's namespaces: they see its network and its processes, and end with it.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "rack/rack_client.h"
#include "rack/rack_namespace.h"

enum { NOT_STARTED = 127, BY_SIGNAL = 128 };

// What is to run, as whom.
struct inside {
        struct strings argv; // NULL-terminated
        bool as_user;        // not as root of the rack's user namespace
        uid_t uid;           // outside
        gid_t gid;
};

static void inside_word(struct strings *words, const char *word) { *array_append(&words->items, &words->count) = word; }

static _Noreturn void become_inside(const struct inside *inside) {
        auto_err err = { 0 };
        sigset_t none;
        sigemptyset(&none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        if (inside->as_user && !rack_namespace_become_user(inside->uid, inside->gid, &err)) {
                dprintf(STDERR_FILENO, "kiln: %s\n", text_or(err.text, ""));
                _exit(NOT_STARTED);
        }
        execvp(inside->argv.items[0], (char *const *)inside->argv.items);
        dprintf(STDERR_FILENO, "kiln: start %s: %s\n", inside->argv.items[0], strerror(errno));
        _exit(NOT_STARTED);
}

// The terminal's signals reach the program as well; it decides.
static bool run_inside(const struct inside *inside, struct err *err) {
        int status;
        signal(SIGINT, SIG_IGN);
        signal(SIGQUIT, SIG_IGN);
        pid_t pid = fork();
        if (pid < 0)
                return fail(err, ERR_SYSTEM, errno, "start %s in the rack", inside->argv.items[0]);
        if (pid == 0) {
                signal(SIGINT, SIG_DFL);
                signal(SIGQUIT, SIG_DFL);
                become_inside(inside);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "wait for %s", inside->argv.items[0]);
        int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : BY_SIGNAL + WTERMSIG(status);
        return exit_status == 0 || fail_with_answer(err, exit_status);
}

static bool enter_and_run(const struct virtual_rack_name *where, struct inside *inside,
                          void (*fill)(const json_t *rack, struct inside *inside, struct arena *arena),
                          struct err *err) {
        int namespaces[RACK_NAMESPACES];
        struct arena arena = { 0 };
        json_t *rack;
        inside->uid = geteuid();
        inside->gid = getegid();
        if (!rack_client_ask(where, json_pack("{ss}", "do", "enter"), namespaces, &rack, err))
                return false;
        if (fill)
                fill(rack, inside, &arena);
        inside_word(&inside->argv, NULL);
        bool ok = rack_namespace_enter(namespaces, err) && run_inside(inside, err);
        for (size_t i = 0; i < RACK_NAMESPACES; i++)
                close_cleanup(&namespaces[i]);
        json_decref(rack);
        arena_release(&arena);
        free(inside->argv.items);
        return ok;
}

static void inside_words(struct inside *inside, const struct strings *words) {
        for (size_t i = 0; i < words->count; i++)
                inside_word(&inside->argv, words->items[i]);
}

bool virtual_rack_run(const struct virtual_rack_name *where, const struct strings *command, struct err *err) {
        struct inside inside = { 0 };
        inside_words(&inside, command);
        return enter_and_run(where, &inside, NULL, err);
}

bool virtual_rack_shell(const struct virtual_rack_name *where, struct err *err) {
        struct inside inside = { 0 };
        const char *shell = getenv("SHELL");
        inside_word(&inside.argv, shell && *shell ? shell : "/bin/sh");
        return enter_and_run(where, &inside, NULL, err);
}

// ---- kiln and ssh ----

static const char *own_program(struct arena *arena) {
        char path[4096] = "";
        ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
        return size > 0 ? arena_strdup(arena, path) : "kiln";
}

static void fill_status(const json_t *rack, struct inside *inside, struct arena *arena) {
        struct strings words = inside->argv;
        size_t index;
        const json_t *word;
        inside->argv = (struct strings){ 0 };
        inside_word(&inside->argv, own_program(arena));
        inside_word(&inside->argv, "status");
        json_array_foreach(json_object_get(rack, "cluster"), index, word)
            inside_word(&inside->argv, arena_strdup(arena, text_or(json_string_value(word), "")));
        inside_words(inside, &words);
        free(words.items);
}

bool virtual_rack_status(const struct virtual_rack_name *where, const struct strings *words, struct err *err) {
        struct inside inside = { 0 };
        inside_words(&inside, words);
        return enter_and_run(where, &inside, fill_status, err);
}

static bool find_address(const struct virtual_rack_name *where, const char *node, char **ret, struct err *err) {
        json_t *rack, *machine;
        size_t index;
        *ret = NULL;
        if (!rack_client_ask(where, json_pack("{ss s[s]}", "do", "find", "nodes", node), NULL, &rack, err))
                return false;
        json_array_foreach(json_object_get(rack, "machines"), index, machine) *ret =
            xasprintf("root@%s", member_text(machine, "ip"));
        json_decref(rack);
        return *ret != NULL || fail(err, ERR_REFERENCE, 0, "the rack has no node `%s`", node);
}

// Nodes make their host keys at each boot, so there is nothing to compare them with.
bool virtual_rack_ssh(const struct virtual_rack_name *where, const char *node, const struct strings *words,
                      struct err *err) {
        static const char *const ssh[] = {
                "ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"
        };
        struct inside inside = { .as_user = geteuid() != 0 }; // ssh takes keys and settings from the user's home
        auto_free char *target = NULL;
        if (!find_address(where, node, &target, err))
                return false;
        for (size_t i = 0; i < lengthof(ssh); i++)
                inside_word(&inside.argv, ssh[i]);
        inside_word(&inside.argv, target);
        inside_words(&inside, words);
        return enter_and_run(where, &inside, NULL, err);
}
