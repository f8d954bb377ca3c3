// SPDX-License-Identifier: MIT
// kiln secret.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "secrets/secrets_file.h"
#include "verbs/options.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"

enum { READ_ROOM_BYTES = 16 << 10 };

// ---- the value: from a prompt or standard input, never from the command line ----

// Signals that end the question. They wait until the terminal is as it was: a second one would end the program at once.
static void hold_signals(sigset_t *ret_ending, sigset_t *ret_before) {
        sigemptyset(ret_ending);
        sigaddset(ret_ending, SIGINT);
        sigaddset(ret_ending, SIGTERM);
        sigaddset(ret_ending, SIGHUP);
        sigaddset(ret_ending, SIGQUIT);
        sigset_t held = *ret_ending;
        sigaddset(&held, SIGTSTP);
        sigprocmask(SIG_BLOCK, &held, ret_before);
}

// Until there is something to read, or a signal.
static bool wait_for_key(int signals, struct err *err) {
        struct pollfd pollers[] = { { STDIN_FILENO, POLLIN, 0 }, { signals, POLLIN, 0 } };
        while (poll(pollers, lengthof(pollers), -1) < 0)
                if (errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "wait for the value");
        return !pollers[1].revents || fail(err, ERR_INTERRUPTED, 0, "given up: nothing is changed");
}

static bool read_typed_line(const sigset_t *ending, struct buf *ret, struct err *err) {
        auto_close int signals = signalfd(-1, ending, SFD_CLOEXEC);
        if (signals < 0)
                return fail(err, ERR_SYSTEM, errno, "wait for signals");
        for (char byte;;) {
                if (!wait_for_key(signals, err))
                        return false;
                ssize_t got = read(STDIN_FILENO, &byte, 1);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read the value");
                if (got == 0 || byte == '\n')
                        return true;
                buf_append_char(ret, byte);
        }
}

static bool hide_typing(struct termios *ret_shown, struct err *err) {
        if (tcgetattr(STDIN_FILENO, ret_shown) < 0)
                return fail(err, ERR_SYSTEM, errno, "ask the terminal");
        struct termios hidden = *ret_shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        return tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0 || fail(err, ERR_SYSTEM, errno, "hide what is typed");
}

// Reads a line of the terminal without showing it. Whatever ends it, what is typed next is shown again.
static bool prompt(const char *question, const char *name, struct buf *ret, struct err *err) {
        struct termios shown;
        sigset_t ending, before;
        hold_signals(&ending, &before);
        bool ok = hide_typing(&shown, err);
        if (ok) {
                fprintf(stderr, "%s %s: ", question, name);
                buf_reserve(ret, SECRETS_FILE_MAX_BYTES); // so that no copy stays behind where it was before it grew
                ok = read_typed_line(&ending, ret, err);
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
                fputc('\n', stderr);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return ok;
}

static bool prompt_twice(const char *name, struct buf *ret, struct err *err) {
        auto_wiped again = { .max = SECRETS_FILE_MAX_BYTES };
        if (!prompt("Value of", name, ret, err) || !prompt("Once more, value of", name, &again, err))
                return false;
        if (strcmp(buf_text(ret), buf_text(&again)) != 0)
                return fail(err, ERR_USAGE, 0, "the two are not the same: nothing is changed");
        return true;
}

// All of standard input, without the newline that ends it: `kiln secret put FILE NAME <id_ed25519`.
static bool read_input(struct buf *ret, struct err *err) {
        buf_reserve(ret, SECRETS_FILE_MAX_BYTES);
        if (!buf_read_fd(ret, STDIN_FILENO, err))
                return wrap(err, "the value from standard input");
        if (ret->size > 0 && ret->data[ret->size - 1] == '\n')
                ret->data[--ret->size] = '\0';
        return true;
}

static bool read_value(const char *name, struct buf *ret, struct err *err) {
        if (isatty(STDIN_FILENO))
                return prompt_twice(name, ret, err);
        return read_input(ret, err);
}

// ---- what is done ----

static bool put_secret(const struct options *options, const char *path, const char *name, struct err *err) {
        (void)options;
        auto_wiped value = { .max = SECRETS_FILE_MAX_BYTES + READ_ROOM_BYTES };
        if (!read_value(name, &value, err))
                return false;
        return (secret_value_check(buf_text(&value), value.size, err) || wrap(err, "secret %s", name)) &&
               secrets_file_change(path, name, buf_text(&value), err);
}

static bool remove_secret(const struct options *options, const char *path, const char *name, struct err *err) {
        (void)options;
        return secrets_file_change(path, name, NULL, err);
}

static bool list_secrets_of(const struct options *options, const char *path, const char *name, struct err *err) {
        auto_secrets secrets = { 0 };
        (void)name;
        if (!secrets_file_read(path, &secrets, err))
                return false;
        if (options->json) {
                json_t *names = json_array();
                for (size_t i = 0; i < secrets.count; i++)
                        (void)!json_array_append_new(names, json_string(secrets.items[i].name));
                return answer_give(json_pack("{ss so}", "file", path, "names", names), err);
        }
        for (size_t i = 0; i < secrets.count; i++)
                puts(secrets.items[i].name);
        return true;
}

static const struct action {
        const char *name, *behind; // in its usage
        size_t arguments;
        bool (*run)(const struct options *options, const char *path, const char *name, struct err *err);
} actions[] = { { "put", "FILE NAME <VALUE", 3, put_secret },
                { "list", "FILE", 2, list_secrets_of },
                { "remove", "FILE NAME", 3, remove_secret } };

static const struct action *find_action(const char *name) {
        for (size_t i = 0; i < lengthof(actions); i++)
                if (strcmp(actions[i].name, name) == 0)
                        return &actions[i];
        return NULL;
}

const char *verb_secret_arguments(const char *sub_verb) {
        const struct action *action = find_action(sub_verb);
        return action ? action->behind : NULL;
}

bool verb_secret(const struct options *options, struct err *err) {
        const char *const *arguments = options->arguments;
        const struct action *action = find_action(arguments[0]);
        prctl(PR_SET_DUMPABLE, 0); // no core file with a value, and nobody reads it out of the process
        if (!action)
                return fail(err, ERR_USAGE, 0, "kiln secret %s: there are put, list and remove", arguments[0]);
        // What is too much may be a value, and is not shown.
        if (options->argument_count > action->arguments) {
                (void)fail(err, ERR_USAGE, 0, "kiln secret %s: too many arguments", action->name);
                return hint(err,
                            "usage: kiln secret %s %s; a value is asked for, or read from standard input: others see "
                            "the command line",
                            action->name, action->behind);
        }
        if (options->argument_count < action->arguments) {
                (void)fail(err, ERR_USAGE, 0, "kiln secret %s: an argument is missing", action->name);
                return hint(err, "usage: kiln secret %s %s", action->name, action->behind);
        }
        const char *name = arguments[action->arguments - 1];
        if (action->arguments == 3 && !secret_name_is_valid(name))
                return fail(err, ERR_USAGE, 0, "kiln secret %s: NAME is no name of a secret: " SECRET_NAME_MEANS,
                            action->name);
        return action->run(options, arguments[1], name, err);
}
