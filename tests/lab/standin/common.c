// SPDX-License-Identifier: MIT
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

const char *program_name = "stand-in";

static void print_line(const char *format, va_list arguments) {
        auto_buf line = { 0 };
        buf_printf(&line, "%s: ", program_name);
        buf_vprintf(&line, format, arguments);
        buf_append_char(&line, '\n');
        // One write, so that lines of several threads never mix.
        if (write(STDERR_FILENO, line.data, line.size) < 0)
                return;
}

void say(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        print_line(format, arguments);
        va_end(arguments);
}

void die(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        print_line(format, arguments);
        va_end(arguments);
        _exit(1);
}

char *text_read(const char *path) {
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        auto_buf text = { .max = 1 << 20 };
        auto_err err = { 0 };
        if (fd < 0 || !buf_read_fd(&text, fd, &err))
                return NULL;
        return xstrdup(buf_text(&text));
}

bool text_write(const char *path, const char *text) {
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        size_t left = strlen(text);
        while (fd >= 0 && left > 0) {
                ssize_t written = write(fd, text, left);
                if (written <= 0)
                        return false;
                text += written;
                left -= (size_t)written;
        }
        return fd >= 0;
}

void make_directories(const char *path) {
        auto_free char *copy = xstrdup(path);
        for (char *slash = copy; *slash; slash++) {
                if (*slash != '/' || slash == copy)
                        continue;
                *slash = '\0';
                mkdir(copy, 0755);
                *slash = '/';
        }
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                die("Failed to create directory '%s': %s", path, strerror(errno));
}

int run_program(const char *const argv[], struct buf *output) {
        int pipes[2];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -1;
        pid_t pid = fork();
        if (pid == 0) {
                int null = open("/dev/null", O_RDONLY);
                dup2(null, STDIN_FILENO);
                dup2(pipes[1], STDOUT_FILENO);
                dup2(pipes[1], STDERR_FILENO);
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        close(pipes[1]);
        char block[4096];
        ssize_t size;
        while (pid > 0 && (size = read(pipes[0], block, sizeof(block))) > 0)
                if (output)
                        buf_append(output, block, (size_t)size);
        close(pipes[0]);
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
                return -1;
        return WEXITSTATUS(status);
}

char *machine_name(void) {
        char name[256] = "localhost";
        gethostname(name, sizeof(name) - 1);
        return xstrdup(name);
}

char *address_of(const char *name) {
        struct addrinfo wanted = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found = NULL;
        char text[INET_ADDRSTRLEN] = "";
        if (getaddrinfo(name, NULL, &wanted, &found) == 0)
                inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof(text));
        if (found)
                freeaddrinfo(found);
        return xstrdup(text);
}

double now_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
