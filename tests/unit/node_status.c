// SPDX-License-Identifier: MIT
// What a machine says of itself to whoever asks: requests of all kinds, the answer's parts, and a server that clients
// cannot keep from others. The fuzzer's corpus with every byte changed and cut.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "firmware/node/watch/status_serve.h"
#include "tests/fuzz/node_status.c"

static void requests(void) {
        static const struct {
                const char *request, *response; // NULL: more has to come
        } cases[] = {
                { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
                { "GET / HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n" },
                { "HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
                { "GET / HTTP/1.1\r\nHost: a\r\n", NULL },
                { "", NULL },
                { "GET /status HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
                { "GET //../etc/kiln/node.json HTTP/1.1\r\n\r\n", "HTTP/1.1 404 " },
                { "POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
                { "get / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
                { "GET / HTTP/2\r\n\r\n", "HTTP/1.1 400 " },
                { "GET /\r\n\r\n", "HTTP/1.1 400 " },
                { "\r\n\r\n", "HTTP/1.1 400 " },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_buf body = { 0 }, response = { 0 };
                buf_append_text(&body, "{}");
                bool is_whole = status_respond(cases[i].request, strlen(cases[i].request), &body, &response);
                EXPECT(is_whole == (cases[i].response != NULL));
                if (cases[i].response)
                        EXPECT(strncmp(buf_text(&response), cases[i].response, strlen(cases[i].response)) == 0);
        }
}

static int make_root(const char *report) {
        char root[] = "/tmp/kiln-node-status-XXXXXX";
        EXPECT(mkdtemp(root) != NULL);
        auto_free char *run = xasprintf("%s/run", root), *kiln = xasprintf("%s/kiln", run);
        auto_free char *path = xasprintf("%s/report.json", kiln);
        mkdir(run, 0755);
        mkdir(kiln, 0755);
        auto_fclose FILE *file = fopen(path, "w");
        fputs(report, file);
        return open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_root(int root) {
        char path[64] = { 0 };
        auto_free char *link = xasprintf("/proc/self/fd/%d", root);
        unlinkat(root, "run/kiln/report.json", 0);
        unlinkat(root, "run/kiln", AT_REMOVEDIR);
        unlinkat(root, "run", AT_REMOVEDIR);
        if (readlink(link, path, sizeof path - 1) > 0)
                rmdir(path);
}

static json_t *look_below(const char *report) {
        auto_close int root = make_root(report);
        auto_buf text = { 0 };
        status_answer(root, &text);
        remove_root(root);
        return json_loadb(buf_text(&text), text.size, 0, NULL);
}

static void the_answer(void) {
        json_t *answer =
            look_below("{\"cluster\":\"c\",\"role\":\"r\",\"build\":\"b\",\"hostname\":\"n\",\"refused\":null,"
                       "\"serial\":\"SECRET\",\"state\":{\"status\":\"absent\",\"reason\":\"no disk\",\"x\":1},"
                       "\"network\":{\"problem\":\"no carrier\"}}");
        EXPECT_TEXT(member_text(answer, "cluster"), "c");
        EXPECT_TEXT(member_text(answer, "node"), "n");
        EXPECT_TEXT(member_text(answer, "build"), "b");
        EXPECT(json_is_null(json_object_get(answer, "refused")));
        EXPECT_TEXT(member_text(json_object_get(answer, "state"), "reason"), "no disk");
        EXPECT_TEXT(member_text(answer, "network_problem"), "no carrier");
        EXPECT(json_is_array(json_object_get(answer, "filesystems")) && json_is_real(json_object_get(answer, "time")));
        EXPECT(!json_object_get(answer, "serial"));
        json_decref(answer);
        answer = look_below("{\"failure\":\"no node.json\"}");
        EXPECT_TEXT(member_text(answer, "refused"), "no node.json");
        json_decref(answer);
        answer = look_below("not JSON");
        EXPECT_TEXT(member_text(answer, "refused"), "there is no report of this boot");
        json_decref(answer);
}

// ---- the server ----

static int connect_to(uint16_t port) {
        struct sockaddr_in to = { AF_INET, htons(port), { htonl(INADDR_LOOPBACK) }, { 0 } };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
        return fd;
}

static bool is_answered(uint16_t port) {
        static const char request[] = "GET / HTTP/1.1\r\n\r\n";
        char response[65536] = { 0 };
        size_t size = 0;
        ssize_t got = 1;
        auto_close int fd = connect_to(port);
        if (write(fd, request, sizeof request - 1) != sizeof request - 1)
                return false;
        while (size < sizeof response - 1 && (got = read(fd, response + size, sizeof response - 1 - size)) > 0)
                size += (size_t)got;
        return got == 0 && strncmp(response, "HTTP/1.1 200 OK", 15) == 0 && strstr(response, "\"node\":\"n\"");
}

static uint16_t port_of(int listener) {
        struct sockaddr_in here = { 0 };
        socklen_t size = sizeof here;
        EXPECT(getsockname(listener, (struct sockaddr *)&here, &size) == 0);
        return ntohs(here.sin_port);
}

static pid_t start_server(int root, int idle_ms, uint16_t *ret_port) {
        struct sockaddr_in here = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
        auto_close int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        EXPECT(bind(listener, (const struct sockaddr *)&here, sizeof here) == 0 && listen(listener, 64) == 0);
        *ret_port = port_of(listener);
        pid_t pid = fork();
        if (pid == 0) {
                auto_err err = { 0 };
                _exit(!status_serve(root, listener, idle_ms, &err));
        }
        return pid;
}

static void clients_cannot_keep_it_from_others(void) {
        enum { SILENT = 40 };
        int silent[SILENT];
        uint16_t port;
        auto_close int root = make_root("{\"hostname\":\"n\"}");
        pid_t pid = start_server(root, -1, &port);
        EXPECT(is_answered(port));
        for (size_t i = 0; i < SILENT; i++)
                silent[i] = connect_to(port); // more than it takes at once, and none of them says anything
        EXPECT(is_answered(port));
        int garbage = connect_to(port);
        EXPECT(write(garbage, "\0\xff\n\n", 4) == 4);
        close(garbage);
        EXPECT(is_answered(port));
        for (size_t i = 0; i < SILENT; i++)
                close(silent[i]);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        remove_root(root);
}

static void it_ends_when_nobody_asks(void) {
        uint16_t port;
        int status = -1;
        auto_close int root = make_root("{}");
        pid_t pid = start_server(root, 10, &port);
        EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        remove_root(root);
}

static void sockets(void) {
        auto_err none = { 0 }, wrong = { 0 };
        int fd = -1;
        unsetenv("LISTEN_FDS");
        EXPECT(!status_listen(NULL, &fd, &none) && strstr(none.text, "no socket"));
        EXPECT(!status_listen("70000", &fd, &wrong) && strstr(wrong.text, "no number"));
}

// Every byte changed, and every beginning.
static void replay_input(const char *path, uint8_t *data, size_t size) {
        (void)path;
        for (size_t i = 0; i < size; i += 1 + size / 512) {
                uint8_t kept = data[i];
                LLVMFuzzerTestOneInput(data, i);
                for (unsigned bit = 0; bit < 8; bit++) {
                        data[i] = (uint8_t)(kept ^ (1U << bit));
                        LLVMFuzzerTestOneInput(data, size);
                }
                data[i] = kept;
        }
        LLVMFuzzerTestOneInput(data, size);
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/node_status.corpus/*", 9, replay_input); }

int main(void) {
        RUN(requests);
        RUN(the_answer);
        RUN(clients_cannot_keep_it_from_others);
        RUN(it_ends_when_nobody_asks);
        RUN(sockets);
        RUN(the_corpus_does_no_harm);
        return test_done();
}
